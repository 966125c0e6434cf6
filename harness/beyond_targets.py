"""The tables of results that are not of single targets: groups of them, and calibration curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.judging_responses import BINS
from harness.spec import Spec
from harness.split import Fold
from harness.unit import UnitResult

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["calibration_table", "groups_table"]

Units = Iterable[tuple[Spec, Fold, UnitResult | None]]


def groups_table(units: Units, task: str) -> pa.Table:
    """Give the scores of several targets together, a row for each unit, k, group and rule.

    Parameters
    ----------
    units : iterable of (Spec, Fold, UnitResult or None)
        In the order of the results.
    task : str
        The task's name.
    """
    rows = [
        (spec.name, spec.settings_hash, task, fold.seed, fold.fold, k, *astuple(group))
        for spec, fold, result in units
        if result is not None
        for k, group in result.groups
    ]
    return _table(
        rows,
        predictor="word",
        settings_hash="word",
        task="word",
        seed="int32",
        fold="int32",
        k="int32",
        by="word",
        group="word",
        rule="word",
        value="float64",
        targets="int32",
        joint="bool",
    )


def calibration_table(units: Units, task: str) -> pa.Table:
    """Add up over folds how often what was predicted of single responses came true.

    Parameters
    ----------
    units, task
        As `groups_table` takes them.
    """
    sums: dict[tuple[Any, ...], NDArray[np.float64]] = {}
    for spec, fold, result in units:
        for k, place, *numbers in result.calibration if result is not None else ():
            key = (spec.name, spec.settings_hash, task, fold.seed, k, place)
            sums[key] = sums.get(key, np.zeros(3)) + numbers
    rows = [
        (*key, place / BINS, (place + 1) / BINS, int(n), predicted / n, observed / n)
        for (*key, place), (n, predicted, observed) in sums.items()
    ]
    return _table(
        rows,
        predictor="word",
        settings_hash="word",
        task="word",
        seed="int32",
        k="int32",
        lower="float64",
        upper="float64",
        responses="int64",
        predicted="float64",
        observed="float64",
    )


def _table(rows: Sequence[tuple[Any, ...]], **kinds: str) -> pa.Table:
    import pyarrow as pa

    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    out = {}
    for (name, kind), column in zip(kinds.items(), columns, strict=True):
        array = pa.array(column, pa.string() if kind == "word" else pa.type_for_alias(kind))
        out[name] = array.dictionary_encode() if kind == "word" else array
    return pa.table(out)
