"""`AdditiveLogit`: an effect of the model and one of the scenario on the logit scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.common.counts import Array
from predictors.common.grid import Cells, Matrix
from predictors.common.moments import TrainMoments
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior
from predictors.common.scenario_priors import scenario_priors
from suites.errors import UsageError

__all__ = ["MIN_SQUASHED_SD", "AdditiveLogit"]

MIN_SQUASHED_SD = 0.05
"""The least sd on the squashed-logit scale: 1.3 points in the middle, .1 at the ends."""

_INFLATION = 1.05  # of the mean squared residual, which the fit has made too small


class AdditiveLogit(PriorPredictor):
    r"""Predict a run by what its model and its scenario usually add.

    With :math:`z = tr(y) = \log((y + .02) / (1 - y + .02))`,

    .. math:: z_{ij} \sim N(a_i + b_j, s_j^2)

    fitted by alternating :math:`a_i = \sum_j (z_{ij} - b_j) / (n_i + 1)` over the n_i train
    columns of model i and :math:`b_j` = the mean of :math:`z_{ij} - a_i` over the train models of
    column j, from :math:`a = 0`; :math:`s_j^2` is 1.05 times the column's mean squared residual.
    The pmf is updated by the hypergeometric probability of the shown successes.

    Parameters
    ----------
    sweeps : int
        Number of alternations, at least 1.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    A model unknown to the train split has the mean effect of the known ones, and their variance
    added; an unknown column likewise, with the mean squared residual of all. A column with one
    train run has a residual that says nothing, and takes the mean squared residual of the others.
    Where that leaves no spread to state (fewer than two models, or columns, to take a variance
    of), the prior is the scenario mean's, as for unbounded metrics. An sd is at least .05.

    It fails where models have profiles: strong on one kind of scenario, weak on another. Sweeps
    times cells; a grid of 57 by 35 takes milliseconds.

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
    >>> prediction = AdditiveLogit().predict(TrainSplit(runs=runs[:-1]), test)[0]
    >>> round(prediction.quantiles[0.5], 2)
    0.73
    """

    def __init__(self, sweeps: int = 30, **notebook: Any) -> None:
        super().__init__(**notebook)
        if isinstance(sweeps, bool) or not isinstance(sweeps, int) or sweeps < 1:
            raise UsageError(f"AdditiveLogit: sweeps must be a whole number from 1 on: {sweeps!r}.")
        self.sweeps = sweeps

    def learn(self, runs: Cells) -> _Effects:
        """Learn the effects of models and columns."""
        return _Effects.of(runs, self.sweeps)

    def priors(self, learned: _Effects, targets: Cells) -> list[Prior | None]:
        """Give each target the sum of its effects."""
        return learned.priors(targets)


@dataclass(frozen=True, eq=False)
class _Effects:
    moments: TrainMoments
    matrix: Matrix
    a: Array  # of models
    b: Array  # of columns
    variance: Array  # of columns; NaN where unknown
    pooled: float  # mean squared residual of all columns with two runs or more; NaN without any

    @classmethod
    def of(cls, runs: Cells, sweeps: int) -> _Effects:
        matrix = Matrix.of(runs)
        there = np.isfinite(matrix.z)
        z = np.where(there, matrix.z, 0.0)
        rows, columns = there.sum(axis=1), there.sum(axis=0)
        a = np.zeros(len(rows))
        b = z.sum(axis=0) / np.maximum(columns, 1)
        for _ in range(sweeps):
            a = np.where(there, z - b, 0.0).sum(axis=1) / (rows + 1)
            b = np.where(there, z - a[:, None], 0.0).sum(axis=0) / np.maximum(columns, 1)
        squares = np.where(there, (z - a[:, None] - b) ** 2, 0.0).sum(axis=0)
        useful = columns >= 2
        pooled = math.nan
        if useful.any():
            pooled = _INFLATION * float(squares[useful].sum() / columns[useful].sum())
        variance = np.where(useful, _INFLATION * squares / np.maximum(columns, 1), pooled)
        return cls(TrainMoments.of(runs), matrix, a, b, variance, pooled)

    def priors(self, targets: Cells) -> list[Prior | None]:
        priors = scenario_priors(self.moments, targets)
        mean_a, variance_a = _centre(self.a)
        mean_b, variance_b = _centre(self.b)
        for t, (model, column) in enumerate(zip(targets.model, targets.column, strict=True)):
            if not targets.bounded[t]:
                continue
            i, j = self.matrix.model.get(model), self.matrix.column.get(column)
            mean = (mean_a if i is None else self.a[i]) + (mean_b if j is None else self.b[j])
            variance = self.pooled if j is None else self.variance[j]
            variance += (variance_a if i is None else 0.0) + (variance_b if j is None else 0.0)
            if math.isfinite(mean) and math.isfinite(variance):
                sd = max(math.sqrt(variance), MIN_SQUASHED_SD)
                priors[t] = Prior("squashed", float(mean), sd)
        return priors


def _centre(effects: Array) -> tuple[float, float]:
    """Mean and variance; NaN where there are too few to know."""
    if len(effects) < 2:
        return math.nan, math.nan
    return float(effects.mean()), float(effects.var(ddof=1))
