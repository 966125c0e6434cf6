"""Splits as grids of `hibayes.hierarchical`, and its forecasts as predictions.

What predictors have in common that are built of its parts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from harness.prediction import RunPrediction
from hibayes.hierarchical.cells import Grid, Index, family
from hibayes.hierarchical.forecast import Evidence, Forecast
from hibayes.hierarchical.kernels import Answers
from predictors.common.grid import Cells, Column, Shown
from predictors.common.item_tables import (
    read_groups,
    read_item_values,
    read_makers,
    read_shown_items,
)
from predictors.common.moments import TrainMoments
from predictors.common.priors import LEVELS, Prior, label, predictions
from predictors.common.scenario_priors import scenario_priors

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = [
    "group_of",
    "labelled",
    "read_answers",
    "read_evidence",
    "read_grid",
    "single_runs",
    "with_the_rest",
]


def read_grid(
    train_split: TrainSplit, runs: Cells, bounded: Index
) -> tuple[Grid, dict[Column, str]]:
    """Arrange the bounded train runs, and name the group of each column.

    Parameters
    ----------
    train_split : TrainSplit
    runs : Cells
        As of `predictors.common.grid.read_runs`.
    bounded : ndarray of int
        Rows of `runs` whose metrics are bounded; at least one.
    """
    groups, makers = read_groups(train_split.runs), read_makers(train_split.runs)
    column = [runs.column[r] for r in bounded]
    named = {c: group_of(groups, c) for c in column}
    grid = Grid.of(
        [runs.model[r] for r in bounded],
        column,
        runs.y[bounded],
        np.where(runs.counted, runs.n, 0)[bounded],
        groups=named,
        families={c: "\x1f".join((named[c], family(c[0]), *c[1:5])) for c in column},
        makers=makers,
    )
    return grid, named


def single_runs(grid: Grid, runs: Cells, bounded: Index) -> dict[tuple[int, int], int]:
    """Give cell → run, of runs of one value that are alone in their cell.

    A run is left out as a whole, and values of one row are no independent parts of it.
    """
    row, place = grid.row, grid.column
    of_cell: dict[tuple[int, int], list[int]] = {}
    for r in bounded:
        of_cell.setdefault((row[runs.model[r]], place[runs.column[r]]), []).append(int(r))
    values = Counter(runs.id[r] for r in bounded)
    return {
        cell: found[0]
        for cell, found in of_cell.items()
        if len(found) == 1 and values[runs.id[found[0]]] == 1
    }


def labelled(targets: Cells, row: int, forecast: Forecast, joint: bool) -> RunPrediction:
    """Turn a forecast into a prediction in the metric's units."""
    steps = len(forecast.pmf) - 1
    lower, span = float(targets.lower[row]), float(targets.span[row])
    mean = lower + span * float(forecast.pmf @ np.arange(steps + 1)) / steps
    if joint:
        return label(targets, row, mean=mean, samples=lower + span * forecast.sample(), joint=True)
    if targets.counted[row]:
        return label(targets, row, mean=mean, pmf=forecast.pmf)
    values = lower + span * forecast.quantiles(LEVELS)
    quantiles = dict(zip(LEVELS, values.tolist(), strict=True))
    return label(targets, row, mean=mean, quantiles=quantiles)


def with_the_rest(
    targets: Cells, shown: Shown, found: dict[int, Forecast], moments: TrainMoments, joint: bool
) -> list[RunPrediction]:
    """Give the predictions of all targets: of those without a forecast by the scenario mean.

    Parameters
    ----------
    targets : Cells
    shown : Shown
        Of the targets.
    found : dict of int to Forecast
        Row of the targets → its forecast.
    moments : TrainMoments
        Of the train runs.
    joint : bool
        Whether forecasts are given as draws that belong together.
    """
    rest = [t for t in range(len(targets)) if t not in found]
    priors: list[Prior | None] = [None] * len(targets)
    for t, prior in zip(rest, scenario_priors(moments, targets.take(rest)), strict=True):
        priors[t] = prior
    said = {p.target: p for p in predictions(targets, priors, shown)}
    for t, forecast in found.items():
        said[targets.id[t]] = labelled(targets, t, forecast, joint)
    return [said[target] for target in targets.id if target in said]


def read_evidence(
    split: SequesteredTestSplit, targets: Cells, shown: Shown, itemised: bool
) -> list[Evidence]:
    """Say what is shown of each target, item by item where that is wanted."""
    items, given = read_shown_items(split, targets) if itemised else ({}, {})
    return [
        Evidence(
            n=int(targets.n[t]) if targets.counted[t] else 0,
            k=int(shown.k[t]),
            total=float(shown.total[t]),
            squares=float(shown.squares[t]),
            size=int(targets.n[t]),
            items=items.get(target, ()),
            given=given.get(target, {}),
        )
        for t, target in enumerate(targets.id)
    ]


def group_of(groups: dict[str, str], column: Column) -> str:
    """Name the group of a column: scenario group and metric."""
    scenario = column[0]
    return "\x1f".join((groups.get(scenario, scenario.partition("/")[0]), column[2]))


def read_answers(
    train_split: TrainSplit, grid: Grid, runs: Cells, bounded: Index
) -> Answers | None:
    """Arrange the responses of the bounded train runs, models by items."""
    table = read_item_values(train_split, runs, bounded)
    if table is None:
        return None
    row, place = grid.row, grid.column
    rows = np.array([row.get(model, -1) for model in runs.model], np.intp)[table.run]
    columns = np.array([place.get(column, -1) for column in runs.column], np.intp)[table.run]
    return Answers.arranged(rows, columns, table.item, table.items, table.y, grid.y.shape)
