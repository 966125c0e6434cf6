"""`NearestModel`: the value of the model that does most alike elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.common.counts import Array, unsquash
from predictors.common.grid import Cells, Matrix
from predictors.common.moments import MIN_SD, TrainMoments, column_sd
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior
from predictors.common.scenario_priors import scenario_priors

__all__ = ["NearestModel"]

_DECIMALS = 12  # of a distance: beyond them there is only rounding, and models are equally near


class NearestModel(PriorPredictor):
    r"""Predict a run by the run of the nearest model on its scenario.

    With :math:`z = tr(y) = \log((y + .02) / (1 - y + .02))`, C the train columns but j that
    models i and r have in common, and :math:`\bar d` the mean difference of all pairs of models in
    all their common columns,

    .. math:: d_{ir} = \frac{\sum_{c \in C} |z_{ic} - z_{rc}| + \bar d}{|C| + 1}, \qquad
              y_{ij} \sim N(y_{rj}, s_j^2)

    for the model r of least distance that has a train run in column j. :math:`s_j` is the rms of
    the errors of this rule in the train cells of the column, each predicted as if it were not
    there, drawn towards that of all columns with the weight of two errors. The pmf is updated by
    the hypergeometric probability of the shown successes.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    It tells how much of a grid is told by close relatives: the least that a model of profiles
    must beat. :math:`\bar d` counts as one more common column, so that models with one column in
    common are not the nearest by chance; on full grids it changes little. Of models equally near,
    the first by name is taken. Without a model to take the value from (no train run of the
    target's model, none of another model in the column, no common column) the prior is the
    scenario mean's, as for unbounded metrics. An sd is at least .01.

    It fails for models without relatives, and on sparse grids. Columns times models squared, in
    time, and models squared in memory; a grid of 57 by 35 takes milliseconds.

    References
    ----------
    Cover, Hart, "Nearest neighbor pattern classification", IEEE Transactions on Information
    Theory 13 (1967), doi:10.1109/TIT.1967.1053964.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> cells = [(m, s) for m in "abc" for s in "tuv"]
    >>> runs = pd.DataFrame(cells, columns=["model", "scenario"])
    >>> runs["run"] = runs["model"] + runs["scenario"]
    >>> runs = runs.assign(value=[0.3, 0.4, 0.5, 0.5, 0.6, 0.7, 0.6, 0.7, 0.9], lower=0, upper=1)
    >>> targets = pd.DataFrame({"target": ["t1"], "model": "c", "scenario": "v"})
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    >>> round(NearestModel().predict(TrainSplit(runs=runs[:-1]), test)[0].mean, 2)
    0.7
    """

    def learn(self, runs: Cells) -> _Neighbours:
        """Find the nearest model for each cell."""
        return _Neighbours.of(runs)

    def priors(self, learned: _Neighbours, targets: Cells) -> list[Prior | None]:
        """Give each target the value of its nearest model."""
        return learned.priors(targets)


@dataclass(frozen=True, eq=False)
class _Neighbours:
    moments: TrainMoments
    matrix: Matrix
    mean: Array  # [M, S]: the nearest model's value; NaN where there is no such model
    sd: Array  # [S]; NaN where no cell tells of an error

    @classmethod
    def of(cls, runs: Cells) -> _Neighbours:
        matrix = Matrix.of(runs)
        there, y = np.isfinite(matrix.z), unsquash(matrix.z)
        mean = np.full(y.shape, np.nan)
        for j, nearest in enumerate(_nearest(matrix.z)):
            mean[:, j] = np.where(nearest >= 0, y[nearest, j], np.nan)
        sd = column_sd(np.where(there, y - mean, np.nan))
        return cls(TrainMoments.of(runs), matrix, mean, sd)

    def priors(self, targets: Cells) -> list[Prior | None]:
        priors = scenario_priors(self.moments, targets)
        for t, (model, column) in enumerate(zip(targets.model, targets.column, strict=True)):
            i, j = self.matrix.model.get(model), self.matrix.column.get(column)
            if i is None or j is None or not targets.bounded[t]:
                continue
            mean, sd = float(self.mean[i, j]), float(self.sd[j])
            if math.isfinite(mean) and math.isfinite(sd):
                priors[t] = Prior("normal", mean, max(sd, MIN_SD))
        return priors


def _nearest(z: Array) -> list[NDArray[np.intp]]:
    """Give, for each column, each model's nearest model by the other columns; -1 where none."""
    there = np.isfinite(z)
    filled = np.where(there, z, 0.0)

    def compare(j: int) -> tuple[Array, NDArray[np.bool_]]:
        both = there[:, j, None] & there[None, :, j]
        return np.where(both, np.abs(filled[:, j, None] - filled[None, :, j]), 0.0), both

    total, common = np.zeros((len(z), len(z))), np.zeros((len(z), len(z)))
    for j in range(z.shape[1]):
        gap, both = compare(j)
        total += gap
        common += both
    # a model is no neighbour of itself
    pairs = common.sum() - np.trace(common)
    typical = total.sum() / pairs if pairs else 0.0
    np.fill_diagonal(common, 0.0)
    out = []
    for j in range(z.shape[1]):
        gap, both = compare(j)
        np.fill_diagonal(both, False)
        others = common - both
        distance = np.round((total - gap + typical) / (others + 1.0), _DECIMALS)
        distance[(others == 0) | ~there[None, :, j]] = np.inf
        nearest = distance.argmin(axis=1)
        found = np.isfinite(distance[np.arange(len(z)), nearest])
        out.append(np.where(found, nearest, -1))
    return out
