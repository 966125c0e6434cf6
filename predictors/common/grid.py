"""The tables of a split as arrays: train runs, targets, shown responses, models by columns.

A *column* is what one predicts "scenario" by scenario: scenario, condition, metric, part and
perturbation together. Rows are put in one order, so that the order of the tables never matters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.common.counts import Array, squash
from suites.errors import UsageError

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = [
    "Cells",
    "Column",
    "Matrix",
    "Shown",
    "perturbation_fields",
    "read_runs",
    "read_shown",
    "read_targets",
]

Column: TypeAlias = tuple[str, str, str, str, str, bool]
"""Scenario, condition, metric, part, perturbation, and whether the metric is bounded."""

_LARGEST = 1e100  # values beyond it are left out like missing ones: their squares are no numbers


@dataclass(frozen=True, eq=False)
class Cells:
    """Runs or targets, one entry each.

    Attributes
    ----------
    id : list of str
        Run or target.
    name, model : list of str
        The source's label of the run, and its model; "" where unknown.
    column : list of Column
        What was measured.
    bounded : ndarray of bool
        Both bounds of the metric are known.
    counted : ndarray of bool
        The value is a count out of n.
    n : ndarray of int
        Number of instances; 0 where unknown.
    lower, span : ndarray of float
        Least possible value and width of the range; 0 and 1 where the metric is not bounded.
    y : ndarray of float
        The value as (value - lower) / span, inside [0, 1] where bounded; NaN for targets.
    """

    id: list[str]
    name: list[str]
    model: list[str]
    column: list[Column]
    bounded: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    n: NDArray[np.intp]
    lower: Array
    span: Array
    y: Array

    def __len__(self) -> int:
        return len(self.id)

    @property
    def pool(self) -> list[str | None]:
        """What each may borrow from: None for all bounded metrics together, else its metric."""
        return [None if column[-1] else column[2] for column in self.column]

    def take(self, rows: Sequence[int] | NDArray[Any]) -> Cells:
        """Give some of the rows, in this order."""
        index = np.asarray(rows, np.intp)
        return Cells(
            id=[self.id[i] for i in index],
            name=[self.name[i] for i in index],
            model=[self.model[i] for i in index],
            column=[self.column[i] for i in index],
            bounded=self.bounded[index],
            counted=self.counted[index],
            n=self.n[index],
            lower=self.lower[index],
            span=self.span[index],
            y=self.y[index],
        )


@dataclass(frozen=True, eq=False)
class Shown:
    """The shown responses of each target, on the scale of `Cells.y`.

    Attributes
    ----------
    k : ndarray of int, shape (T,)
        Instances with a valid response.
    total : ndarray of float, shape (T,)
        Sum of their values (of an instance answered several times: its mean); where the target
        is a count, the number of successes.
    squares : ndarray of float, shape (T,)
        Sum of squares about their mean.
    """

    k: NDArray[np.intp]
    total: Array
    squares: Array


@dataclass(frozen=True, eq=False)
class Matrix:
    """Bounded train values on the squashed-logit scale, models by columns.

    Attributes
    ----------
    model : dict of str to int
        Row of each model.
    column : dict of Column to int
        Column of each column.
    z : ndarray of float, shape (M, S)
        tr of the mean of the cell's runs; NaN where there is none.
    """

    model: dict[str, int]
    column: dict[Column, int]
    z: Array

    @classmethod
    def of(cls, runs: Cells) -> Matrix:
        """Arrange the runs whose metric is bounded."""
        rows = np.flatnonzero(runs.bounded)
        model = {m: i for i, m in enumerate(sorted({runs.model[r] for r in rows}))}
        column = {c: j for j, c in enumerate(sorted({runs.column[r] for r in rows}))}
        shape = (len(model), len(column))
        cell = np.array(
            [model[runs.model[r]] * shape[1] + column[runs.column[r]] for r in rows], np.intp
        )
        count = np.bincount(cell, minlength=shape[0] * shape[1])
        total = np.bincount(cell, weights=runs.y[rows], minlength=shape[0] * shape[1])
        z = squash(np.clip(total / np.maximum(count, 1), 0.0, 1.0))
        return cls(model, column, np.where(count > 0, z, np.nan).reshape(shape))


def read_runs(train_split: TrainSplit) -> Cells:
    """Give the train runs that have a value, sorted.

    Raises
    ------
    UsageError
        If the split has no table of runs (the split of MAGNET's notebooks has none).
    """
    frame = train_split.runs
    if frame is None:
        raise UsageError(
            "this predictor reads train_split.runs, which this split does not have. Give the "
            "split a table of runs, or evaluate the predictor with harness.evaluate(...)."
        )
    cells = _cells(frame, "run")
    y = cells.y.tolist()
    known = np.flatnonzero(np.abs(cells.y) <= _LARGEST).tolist()
    return cells.take(sorted(known, key=lambda r: (cells.id[r], cells.column[r], y[r])))


def read_targets(sequestered_test_split: SequesteredTestSplit) -> Cells:
    """Give the targets, in their own order.

    Raises
    ------
    UsageError
        If the split has no table of targets (the split of MAGNET's notebooks has none).
    """
    frame = sequestered_test_split.targets
    if frame is None:
        raise UsageError(
            "this predictor reads sequestered_test_split.targets, which this split does not have. "
            "Give the split a table of targets, or evaluate the predictor with "
            "harness.evaluate(...)."
        )
    return _cells(frame, "target")


def read_shown(sequestered_test_split: SequesteredTestSplit, targets: Cells) -> Shown:
    """Give the shown responses of each target; responses without a finite value are left out."""
    size = len(targets)
    none = Shown(np.zeros(size, np.intp), np.zeros(size), np.zeros(size))
    frame = sequestered_test_split.responses
    if frame is None or len(frame) == 0 or size == 0:
        return none
    target = pd.Index(targets.id, dtype=object).get_indexer(
        pd.Index(_texts(frame, "target"), dtype=object)
    )
    value = _floats(frame, "value")
    valid = (target >= 0) & (np.abs(value) <= _LARGEST)
    if not valid.any():
        return none
    target, value = target[valid], value[valid]
    value = (value - targets.lower[target]) / targets.span[target]
    value = np.where(targets.bounded[target], np.clip(value, 0.0, 1.0), value)
    if "instance" in frame.columns:
        instance = pd.factorize(frame["instance"], use_na_sentinel=False)[0][valid]
    else:
        instance = np.arange(len(value))
    # trials of one instance count as one; sums are taken in the order of the values, so that
    # the order of the rows cannot change the last digit
    _, of, trials = np.unique(
        target * (int(instance.max()) + 1) + instance, return_inverse=True, return_counts=True
    )
    order = np.argsort(value, kind="stable")
    mean = np.bincount(of[order], weights=value[order]) / trials
    owner = np.empty(len(trials), np.intp)
    owner[of] = target
    order = np.argsort(mean, kind="stable")
    mean, owner = mean[order], owner[order]
    k = np.bincount(owner, minlength=size)
    total: Array = np.bincount(owner, weights=mean, minlength=size).astype(float)
    centred = mean - (total / np.maximum(k, 1))[owner]
    squares: Array = np.bincount(owner, weights=centred * centred, minlength=size).astype(float)
    return Shown(k, np.where(targets.counted, np.rint(total), total), squares)


def perturbation_fields(perturbation: str) -> dict[str, Any]:
    """Give the fields of a perturbation from its JSON; none where it is unperturbed or unreadable.

    Examples
    --------
    >>> perturbation_fields('{"name":"misspellings","prob":0.1}')["prob"]
    0.1
    >>> perturbation_fields("")
    {}
    """
    try:
        fields = json.loads(perturbation) if perturbation else {}
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _cells(frame: pd.DataFrame, key: str) -> Cells:
    lower, upper = _floats(frame, "lower"), _floats(frame, "upper")
    counts = _floats(frame, "n")
    n = np.where(np.isfinite(counts) & (counts >= 1), counts, 0).astype(np.intp)
    counted = _bools(frame, "binary") & (n > 0)
    unknown = np.isnan(lower) & np.isnan(upper)
    lower = np.where(counted & unknown, 0.0, lower)
    upper = np.where(counted & unknown, 1.0, upper)
    finite = np.isfinite(lower) & np.isfinite(upper)
    # halved, as the width of a range may be too large for a float
    width = np.where(finite, upper, 1.0) / 2 - np.where(finite, lower, 0.0) / 2
    bounded = finite & (width > 0) & (width < np.finfo(float).max / 4)
    counted &= bounded
    lower = np.where(bounded, lower, 0.0)
    span = np.where(bounded, 2 * width, 1.0)
    value = _floats(frame, "value") if key == "run" else np.full(len(frame), np.nan)
    y = (np.where(np.isfinite(value), value, np.nan) - lower) / span
    y = np.where(bounded, np.clip(y, 0.0, 1.0), y)
    texts = [_texts(frame, c) for c in ("scenario", "condition", "metric", "part", "perturbation")]
    column: list[Column] = list(zip(*texts, bounded.tolist(), strict=True))
    return Cells(
        _texts(frame, key),
        _texts(frame, "name"),
        _texts(frame, "model"),
        column,
        bounded,
        counted,
        n,
        lower,
        span,
        y,
    )


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    if column not in frame.columns:
        return [""] * len(frame)
    values = frame[column]
    return [str(v) if there else "" for v, there in zip(values, values.notna(), strict=True)]


def _floats(frame: pd.DataFrame, column: str) -> Array:
    if column not in frame.columns:
        return np.full(len(frame), np.nan)
    return frame[column].to_numpy(dtype=float, na_value=np.nan)


def _bools(frame: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    if column not in frame.columns:
        return np.zeros(len(frame), bool)
    return frame[column].astype("boolean").fillna(False).to_numpy(dtype=bool)
