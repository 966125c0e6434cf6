"""Responses as matrices of models by items, one for each column, and what is asked of them.

A *column* is a scenario under its condition, metric, part and perturbation
(`predictors.common.grid`). Only columns of metrics with both bounds are here; values are on the
scale [0, 1] of `Cells.y`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.data_splits import SequesteredTestSplit
from predictors.common.counts import Array
from predictors.common.grid import Cells, Column, read_runs, read_targets
from predictors.common.item_tables import read_groups, read_item_values

if TYPE_CHECKING:
    from harness.data_splits import TrainSplit

__all__ = ["AskedRun", "ItemGrid", "read_asked"]


@dataclass(frozen=True, eq=False)
class ItemGrid:
    """The train responses of bounded metrics.

    Attributes
    ----------
    models : list of str
        Sorted: M of them.
    columns : dict of Column to int
        C of them, sorted.
    groups : list of str
        The scenario group of each column; its scenario where there is none.
    items : list of ndarray of str
        The instances of each column, sorted: I of them, which differs by column.
    y : list of ndarray of float, shape (M, I)
        The mean of the model's trials and reruns of the item; NaN where there is none.
    """

    models: list[str]
    columns: dict[Column, int]
    groups: list[str]
    items: list[NDArray[np.object_]]
    y: list[Array]

    def find(self, column: Column) -> int | None:
        """Give the column, or of the scenario's other conditions the one with most responses.

        None where the scenario, with this metric, part and perturbation, has no train run.
        """
        if column in self.columns:
            return self.columns[column]
        same = [i for c, i in self.columns.items() if (c[0], *c[2:]) == (column[0], *column[2:])]
        return max(same, key=lambda i: (np.isfinite(self.y[i]).sum(), -i), default=None)

    @property
    def means(self) -> Array:
        """Mean of each model's responses in each column, NaN where there is none; (M, C)."""
        if not self.y:
            return np.zeros((len(self.models), 0))
        sums = [np.where(np.isfinite(y), y, 0.0).sum(axis=1) for y in self.y]
        counts = [np.isfinite(y).sum(axis=1) for y in self.y]
        with np.errstate(invalid="ignore"):
            return np.stack(sums, axis=1) / np.stack(counts, axis=1)

    def with_values(self, runs: Cells) -> Array:
        """Give `means` with the runs' own values, where they have some; (M, C).

        A run's value need not be the plain mean of its responses.

        Examples
        --------
        >>> from harness.data_splits import TrainSplit
        >>> grid = ItemGrid(["a"], {("s", "", "", "", "", True): 0}, ["s"], [], [np.eye(1)])
        >>> runs = pd.DataFrame({"run": ["r"], "model": "a", "scenario": "s", "value": [0.7]})
        >>> cells = read_runs(TrainSplit(runs=runs.assign(lower=0.0, upper=1.0)))
        >>> grid.means.tolist(), grid.with_values(cells).tolist()
        ([[1.0]], [[0.7]])
        """
        means, row = self.means, {model: i for i, model in enumerate(self.models)}
        of_cell: dict[tuple[int, int], list[float]] = {}
        for model, column, y in zip(runs.model, runs.column, runs.y.tolist(), strict=True):
            if model in row and column in self.columns:
                of_cell.setdefault((row[model], self.columns[column]), []).append(y)
        for (i, c), values in of_cell.items():
            if np.isfinite(means[i, c]):  # what has no responses has no level here
                means[i, c] = float(np.mean(sorted(values)))
        return means

    @classmethod
    def read(cls, train_split: TrainSplit) -> ItemGrid:
        """Arrange the responses of the train runs; their order in the table does not matter."""
        runs = read_runs(train_split)
        wanted = np.flatnonzero(runs.bounded)
        values = read_item_values(train_split, runs, wanted)
        if values is None:
            return cls([], {}, [], [], [])
        there = np.isfinite(values.y)
        run, item, y = values.run[there], values.item[there], values.y[there]
        used = np.unique(run)
        models = sorted({runs.model[r] for r in used})
        columns = {c: i for i, c in enumerate(sorted({runs.column[r] for r in used}))}
        row_of, column_of = np.zeros(len(runs), np.intp), np.zeros(len(runs), np.intp)
        place = {m: i for i, m in enumerate(models)}
        for r in used:
            row_of[r], column_of[r] = place[runs.model[r]], columns[runs.column[r]]
        # by value last, so that sums do not depend on the order of rows
        order = np.lexsort((y, item, row_of[run], column_of[run]))
        run, item, y = run[order], item[order], y[order]
        ends = np.searchsorted(column_of[run], np.arange(len(columns) + 1))
        items, matrices = [], []
        for start, end in pairwise(ends.tolist()):
            codes, at = np.unique(item[start:end], return_inverse=True)
            labels = values.items[codes]
            by_label = np.argsort(labels)
            rank = np.empty(len(codes), np.intp)
            rank[by_label] = np.arange(len(codes))
            cell = row_of[run[start:end]] * len(codes) + rank[at]
            size = len(models) * len(codes)
            total = np.bincount(cell, weights=y[start:end], minlength=size)
            count = np.bincount(cell, minlength=size)
            mean = np.full(size, np.nan)
            np.divide(total, count, out=mean, where=count > 0)
            items.append(labels[by_label])
            matrices.append(mean.reshape(len(models), len(codes)))
        of_scenario = read_groups(train_split.runs)
        groups = [of_scenario.get(column[0], column[0]) for column in columns]
        return cls(models, columns, groups, items, matrices)


@dataclass(frozen=True, eq=False)
class AskedRun:
    """A run of which responses are asked for, or shown.

    Attributes
    ----------
    model : str
    column : Column
    group : str
        The scenario's group.
    binary : bool
        Whether its values are 0 and 1.
    lower, span : float
        Back to the metric's units.
    labels : ndarray of str, shape (I,)
        All its instances that are asked for or shown, sorted.
    asked : ndarray of int
        Rows of the targets' table.
    item : ndarray of int
        The place in `labels` of each asked row.
    own : ndarray of int, shape (k,)
        The places of the shown ones.
    shown : ndarray of float, shape (k,)
        Their values, the mean of an instance's trials, in [0, 1].
    """

    model: str
    column: Column
    group: str
    binary: bool
    lower: float
    span: float
    labels: NDArray[np.object_]
    asked: NDArray[np.intp]
    item: NDArray[np.intp]
    own: NDArray[np.intp]
    shown: Array


def read_asked(test_split: SequesteredTestSplit) -> list[AskedRun]:
    """Give the held-out runs of bounded metrics, sorted by their cell.

    Parameters
    ----------
    test_split : SequesteredTestSplit
        Its targets have a column ``cell``, and so have its shown responses.
    """
    targets = test_split.targets
    cell = targets["cell"].astype("category")
    first = targets.loc[~cell.duplicated()].assign(target=cell[~cell.duplicated()].astype(str))
    runs = read_targets(SequesteredTestSplit(targets=first))
    groups = read_groups(first)
    place = {name: i for i, name in enumerate(runs.id)}
    of_asked = _places(cell, place)
    instance = targets["instance"].astype(str).to_numpy(dtype=object)
    shown = test_split.responses
    if shown is None or not len(shown):
        of_shown, value = np.empty(0, np.intp), np.empty(0)
        shown_instance = np.empty(0, object)
    else:
        value = shown["value"].to_numpy(dtype=float, na_value=np.nan)
        of_shown = _places(shown["cell"].astype("category"), place)
        of_shown = np.where(np.isfinite(value), of_shown, -1)
        shown_instance = shown["instance"].astype(str).to_numpy(dtype=object)
    asked_rows, shown_rows = _rows(of_asked, len(runs)), _rows(of_shown, len(runs))
    out = []
    for i in sorted(range(len(runs)), key=lambda i: runs.id[i]):
        if not runs.bounded[i]:
            continue
        mine, own = asked_rows[i], shown_rows[i]
        labels, at = np.unique(
            np.concatenate([instance[mine], shown_instance[own]]), return_inverse=True
        )
        y = np.clip((value[own] - runs.lower[i]) / runs.span[i], 0.0, 1.0)
        by_value = np.argsort(y, kind="stable")
        items, trial = np.unique(at[len(mine) :][by_value], return_inverse=True)
        out.append(
            AskedRun(
                model=runs.model[i],
                column=runs.column[i],
                group=groups.get(runs.column[i][0], runs.column[i][0]),
                binary=bool(runs.counted[i]),
                lower=float(runs.lower[i]),
                span=float(runs.span[i]),
                labels=labels,
                asked=mine,
                item=at[: len(mine)],
                own=items,
                shown=np.bincount(trial, weights=y[by_value]) / np.bincount(trial)
                if len(items)
                else np.empty(0),
            )
        )
    return out


def _places(cells: pd.Series, place: dict[str, int]) -> NDArray[np.intp]:
    """Give the place of each row's cell; -1 where it has none."""
    words = [place.get(str(word), -1) for word in cells.cat.categories]
    return np.array([*words, -1], np.intp)[cells.cat.codes]


def _rows(of: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    """Give the rows of each place."""
    order = np.argsort(of, kind="stable")
    ends = np.searchsorted(of[order], np.arange(size + 1))
    return [order[a:b] for a, b in pairwise(ends.tolist())]
