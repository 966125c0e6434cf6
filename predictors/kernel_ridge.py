"""`KernelRidge`: each scenario regressed on the models' values of the other scenarios."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from predictors.common.cell_priors import cell_priors
from predictors.common.counts import Array
from predictors.common.gaps import centred, other_columns
from predictors.common.grid import Cells, Matrix
from predictors.common.moments import TrainMoments
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior
from suites.errors import UsageError, unknown_name

__all__ = ["KernelRidge"]

_GAPS = ("effect", "mean")
_LEAST_RIDGE = 1e-6  # below it the factorisation may fail by rounding


class KernelRidge(PriorPredictor):
    r"""Predict a run by ridge regression on its model's other runs.

    With :math:`z = tr(y) = \log((y + .02) / (1 - y + .02))`, A the train values z of all columns
    but j, centred by column, gaps filled by the model's effect :math:`a_i = \sum_c (z_{ic} -
    \bar z_c) / (n_i + 1)` in its :math:`n_i` train columns but j, :math:`K = A A'`, and w the
    train models of column j with mean :math:`\bar z_j`,

    .. math:: z_{ij} \sim N\big(\bar z_j + K_{iw} \gamma, s_j^2\big), \qquad
              \gamma = (K_{ww} + \lambda I)^{-1} (z_{wj} - \bar z_j)

    and :math:`s_j^2` is the mean squared leave-one-out residual
    :math:`\gamma_w / [(K_{ww} + \lambda I)^{-1}]_{ww}`. The pmf is updated by the hypergeometric
    probability of the shown successes.

    Parameters
    ----------
    ridge : float
        :math:`\lambda`, at least 1e-6.
    gaps : str
        What stands for a missing cell of A: ``effect``, the model's effect, or ``mean``, the mean
        of the column, so 0, as kernel ridges are usually written: for comparison with these.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Models that do alike elsewhere are taken to do alike here. The sd does not know how few runs a
    model has. Gaps at the column's mean draw a model with few runs to the average: worse on every
    grid that was tried, the more so the more cells are missing. A model without
    any other train run is predicted by mean and sd (ddof 0) of the column's z; a column with fewer
    than two train models by the scenario mean, as are unbounded metrics. An sd is at least .05.

    It fails with few columns. One Cholesky factorisation a column: columns times models cubed,
    .02 s on 57 by 35.

    References
    ----------
    Saunders, Gammerman, Vovk, "Ridge regression learning algorithm in dual variables", ICML
    1998. Leave-one-out residuals: Allen, "The relationship between variable selection and data
    augmentation and a method for prediction", Technometrics 16 (1974),
    doi:10.1080/00401706.1974.10489157.

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
    >>> prediction = KernelRidge(ridge=0.1).predict(TrainSplit(runs=runs[:-1]), test)[0]
    >>> round(prediction.quantiles[0.5], 2)
    0.68
    """

    def __init__(self, ridge: float = 10.0, gaps: str = "effect", **notebook: Any) -> None:
        super().__init__(**notebook)
        if isinstance(ridge, bool) or not isinstance(ridge, int | float):
            raise UsageError(f"KernelRidge: ridge must be a number: {ridge!r}.")
        if not (math.isfinite(ridge) and ridge >= _LEAST_RIDGE):
            raise UsageError(f"KernelRidge: ridge must be at least {_LEAST_RIDGE:g}: {ridge!r}.")
        if gaps not in _GAPS:
            raise unknown_name("way to fill gaps for KernelRidge", gaps, _GAPS)
        self.ridge, self.gaps = ridge, gaps

    def learn(self, runs: Cells) -> _Regressions:
        """Regress each column on the others."""
        return _Regressions.of(runs, self.ridge, self.gaps)

    def priors(self, learned: _Regressions, targets: Cells) -> list[Prior | None]:
        """Give each target the regression of its column."""
        return learned.priors(targets)


@dataclass(frozen=True, eq=False)
class _Regressions:
    moments: TrainMoments
    matrix: Matrix
    mean: Array  # [M + 1, S]; the last row is of a model without other runs
    sd: Array  # [M + 1, S]; NaN in columns with fewer than two models

    @classmethod
    def of(cls, runs: Cells, ridge: float, gaps: str = "effect") -> _Regressions:
        matrix = Matrix.of(runs)
        z = matrix.z
        there = np.isfinite(z)
        deviation, centre = centred(z)
        mean = np.tile(centre, (len(z) + 1, 1))
        sd = np.full(mean.shape, np.nan)
        has_other = there.sum(axis=1)[:, None] - there > 0  # [M, S]
        for j in range(z.shape[1]):
            w = np.flatnonzero(there[:, j])
            if len(w) < 2:
                continue
            # [M, S - 1]; deviations are 0 where missing
            a = other_columns(z, deviation, j) if gaps == "effect" else np.delete(deviation, j, 1)
            k = a @ a[w].T
            factor = cho_factor(k[w] + ridge * np.eye(len(w)), lower=True)
            inverse = cho_solve(factor, np.eye(len(w)))
            gamma = inverse @ deviation[w, j]
            residual = gamma / np.diag(inverse)
            mean[:-1, j] += k @ gamma
            spread = math.sqrt(float(np.mean(deviation[w, j] ** 2)))
            known = math.sqrt(float(np.mean(residual**2)))
            sd[:-1, j] = np.where(has_other[:, j], known, spread)
            sd[-1, j] = spread
        return cls(TrainMoments.of(runs), matrix, mean, sd)

    def priors(self, targets: Cells) -> list[Prior | None]:
        return cell_priors(self.moments, self.matrix, self.mean, self.sd, targets)
