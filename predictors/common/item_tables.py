"""Responses item by item, and the groups that scenarios and models fall into.

For predictors that learn from how models answered items; `predictors.common.grid` has the values
of runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from predictors.common.counts import Array
from predictors.common.grid import Cells

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["ItemValues", "read_groups", "read_item_values", "read_makers", "read_shown_items"]


@dataclass(frozen=True, eq=False)
class ItemValues:
    """Responses of train runs, one entry each.

    Attributes
    ----------
    run : ndarray of int, shape (R,)
        Row of the runs.
    item : ndarray of int, shape (R,)
        Place of its instance in `items`.
    items : ndarray of str
        All instances.
    y : ndarray of float, shape (R,)
        Its value on the scale of `Cells.y`; NaN where there is none.
    """

    run: NDArray[np.intp]
    item: NDArray[np.intp]
    items: NDArray[np.object_]
    y: Array


def read_item_values(
    train_split: TrainSplit, runs: Cells, wanted: NDArray[np.intp]
) -> ItemValues | None:
    """Give the responses of some train runs; None where the split has none.

    Parameters
    ----------
    train_split : TrainSplit
    runs : Cells
        As of `predictors.common.grid.read_runs`.
    wanted : ndarray of int
        Rows of `runs`; their metrics are bounded.
    """
    frame = train_split.responses
    if frame is None or not len(frame) or "instance" not in frame.columns:
        return None
    keys = ("run", "metric", "part", "perturbation")
    entry = {}
    for r in wanted:
        _, _, metric, part, perturbation, _ = runs.column[r]
        entry[(runs.id[r], metric, part, perturbation)] = int(r)
    texts = []
    for key in keys:
        if key in frame.columns:
            texts.append(frame[key].astype("category"))
        else:
            texts.append(frame["run"].astype("category").cat.set_categories([]))
    names = [[*text.cat.categories.astype(str), ""] for text in texts]  # the last is for none
    sizes = [len(of) for of in names]
    code = np.zeros(len(frame), np.int64)
    for text, size in zip(texts, sizes, strict=True):
        code = code * size + np.asarray(text.cat.codes, np.int64) % size
    at, cells = pd.factorize(code)
    words = zip(*np.unravel_index(cells, sizes), strict=True)
    keyed = (tuple(of[c] for of, c in zip(names, cell, strict=True)) for cell in words)
    run = np.array([entry.get(key, -1) for key in keyed], np.intp)[at]
    known = np.flatnonzero(run >= 0)
    if not len(known):
        return None
    run = run[known]
    value = frame["value"].to_numpy(dtype=float, na_value=np.nan)[known]
    y = np.clip((value - runs.lower[run]) / runs.span[run], 0.0, 1.0)
    item = frame["instance"].astype("category")
    labels = item.cat.categories.astype(str).to_numpy(dtype=object)
    code = np.asarray(item.cat.codes, np.intp)[known]
    return ItemValues(run[code >= 0], code[code >= 0], labels, y[code >= 0])


def read_shown_items(
    split: SequesteredTestSplit, targets: Cells
) -> tuple[dict[str, list[str]], dict[str, dict[str, float]]]:
    """Give all items of each target, and the mean value in [0, 1] of each shown one."""
    place = {target: t for t, target in enumerate(targets.id)}
    values: dict[str, dict[str, list[float]]] = {}
    frame = split.responses
    if frame is not None and len(frame) and "instance" in frame.columns:
        for target, item, value in zip(
            frame["target"].astype(str),
            frame["instance"].astype(str),
            frame["value"].to_numpy(dtype=float, na_value=np.nan),
            strict=True,
        ):
            t = place.get(target)
            if t is not None and np.isfinite(value):
                y = float((value - targets.lower[t]) / targets.span[t])
                values.setdefault(target, {}).setdefault(item, []).append(y)
    given = {
        target: {item: float(np.mean(sorted(v))) for item, v in of.items()}
        for target, of in values.items()
    }
    items: dict[str, list[str]] = {}
    listed = split.targets
    if listed is not None and "instances" in listed.columns:
        for target, of in zip(listed["target"].astype(str), listed["instances"], strict=True):
            if of is not None and not np.isscalar(of):
                items[target] = [str(item) for item in of]
    return items, given


def read_groups(frame: pd.DataFrame | None) -> dict[str, str]:
    """Give scenario → its group, where the table says so."""
    if frame is None or not {"scenario", "scenario_group"} <= set(frame.columns):
        return {}
    known = frame[["scenario", "scenario_group"]].dropna().drop_duplicates()
    return dict(
        zip(known["scenario"].astype(str), known["scenario_group"].astype(str), strict=True)
    )


def read_makers(frame: pd.DataFrame | None) -> dict[str, str]:
    """Give model → its organisation, where the table says so."""
    if frame is None or not {"model", "organisation"} <= set(frame.columns):
        return {}
    known = frame[["model", "organisation"]].dropna().drop_duplicates()
    return dict(zip(known["model"].astype(str), known["organisation"].astype(str), strict=True))
