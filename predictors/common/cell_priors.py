"""Priors of targets from a mean and a spread for each cell of the grid, on the logit scale."""

from __future__ import annotations

import math

from predictors.additive_logit import MIN_SQUASHED_SD
from predictors.common.counts import Array
from predictors.common.grid import Cells, Matrix
from predictors.common.moments import TrainMoments
from predictors.common.priors import Prior
from predictors.common.scenario_priors import scenario_priors

__all__ = ["cell_priors"]


def cell_priors(
    moments: TrainMoments, matrix: Matrix, mean: Array, sd: Array, targets: Cells
) -> list[Prior | None]:
    """Give each target its cell's normal; that of the scenario mean where its cell has none.

    Parameters
    ----------
    moments : TrainMoments
        Of the train runs, for targets without a cell.
    matrix : Matrix
        The train grid, M models by S columns.
    mean, sd : ndarray, shape (M + 1, S)
        On the scale of `predictors.common.counts.squash`; the last row is of a model without
        train runs. A cell whose sd is not finite has no normal.
    targets : Cells
        What is asked for.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from harness.data_splits import TrainSplit
    >>> from predictors.common.grid import read_runs
    >>> cells = [("r1", "a", "s", 0.2), ("r2", "b", "s", 0.4)]
    >>> frame = pd.DataFrame(cells, columns=["run", "model", "scenario", "value"])
    >>> runs = read_runs(TrainSplit(runs=frame.assign(lower=0.0, upper=1.0)))
    >>> mean, sd = np.zeros((3, 1)), np.full((3, 1), 0.5)
    >>> found = cell_priors(TrainMoments.of(runs), Matrix.of(runs), mean, sd, runs.take([0]))
    >>> found[0].a, found[0].b
    (0.0, 0.5)
    """
    priors = scenario_priors(moments, targets)
    unknown = len(matrix.model)
    for t, (model, column) in enumerate(zip(targets.model, targets.column, strict=True)):
        j = matrix.column.get(column)
        if j is None or not targets.bounded[t]:
            continue
        i = matrix.model.get(model, unknown)
        if math.isfinite(sd[i, j]):
            spread = max(float(sd[i, j]), MIN_SQUASHED_SD)
            priors[t] = Prior("squashed", float(mean[i, j]), spread)
    return priors
