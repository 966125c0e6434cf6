"""`LowRank`: a few strengths of each model times what each scenario asks of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.additive_logit import MIN_SQUASHED_SD
from predictors.common.counts import Array, squash
from predictors.common.grid import Cells, Matrix
from predictors.common.moments import TrainMoments, column_sd
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior
from predictors.common.scenario_priors import scenario_priors
from suites.errors import UsageError

__all__ = ["LowRank"]

_SWEEPS = 40
_STARTS = 10
_START_SD = 0.1
_INNER_FOLDS = 10
_LEAST_RIDGE = 1e-6  # below it rounding may make the equations of a model unsolvable
_BLOCK = 4_000_000  # cells of the inner folds that are worked on at once, at most


class LowRank(PriorPredictor):
    r"""Predict a run by a factorisation of the grid, fitted by alternating least squares.

    With :math:`z = tr(y) = \log((y + .02) / (1 - y + .02))`, and w the train values z less their
    column's mean :math:`\bar z_j`, over its sd :math:`\sigma_j`,

    .. math:: z_{ij} \sim N\big(\bar z_j + \sigma_j (a_i + c_j + u_i' v_j),\ s_j^2\big)

    minimises :math:`\sum_{ij} (w_{ij} - a_i - c_j - u_i' v_j)^2 + \lambda (|a|^2 + |c|^2 + |U|^2
    + |V|^2)` by 40 sweeps over the columns' (c, v), then the models' (a, u); the mean of 10
    starts u ~ N(0, .01), each cut to the range, is taken. :math:`s_j` is the rms of the errors in
    the column's train cells, each predicted by a fit to the other nine tenths of the train cells,
    drawn towards that of all columns with the weight of two errors. The pmf is updated by the
    hypergeometric probability of the shown successes.

    Parameters
    ----------
    rank : int
        Length of u and v, at least 1.
    ridge : float
        :math:`\lambda`, at least 1e-6.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    With its default settings the method of BenchPress, except for the transformation (theirs is
    a logit of values cut at .5 and 99.5 %) and for the spread, which theirs does not state. The
    sd of a column is drawn towards that of all columns with the weight of two values.

    An unknown model is taken for one of the known at random: mean and variance, over models, of
    what the fit says of them in the column, plus :math:`s_j^2`. An unknown column likewise, by
    what the fit says of the model in all columns, with the mean square of all errors. With fewer
    than two models (columns), or without any error to learn from, the prior is the scenario
    mean's, as for unbounded metrics. An sd is at least .05.

    It fails on grids with few columns, where .1 is too weak a ridge; the more factors, the
    sooner. Starts and splits are drawn from a generator of a fixed seed. Folds times starts times
    sweeps times cells; .2 s on 57 by 35.

    References
    ----------
    Zeng, Papailiopoulos, "You don't need to run every eval" (2026), arXiv:2606.24020. Zhou,
    Wilkinson, Schreiber, Pan, "Large-scale parallel collaborative filtering for the Netflix
    prize", AAIM 2008, doi:10.1007/978-3-540-68880-8_32.

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
    >>> prediction = LowRank(rank=1).predict(TrainSplit(runs=runs[:-1]), test)[0]
    >>> 0.7 < prediction.quantiles[0.5] < 0.9
    True
    """

    def __init__(self, rank: int = 2, ridge: float = 0.1, **notebook: Any) -> None:
        super().__init__(**notebook)
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise UsageError(f"LowRank: rank must be a whole number from 1 on: {rank!r}.")
        if isinstance(ridge, bool) or not isinstance(ridge, int | float):
            raise UsageError(f"LowRank: ridge must be a number: {ridge!r}.")
        if not (math.isfinite(ridge) and ridge >= _LEAST_RIDGE):
            raise UsageError(f"LowRank: ridge must be at least {_LEAST_RIDGE:g}: {ridge!r}.")
        self.rank = rank
        self.ridge = ridge

    def learn(self, runs: Cells) -> _Factors:
        """Factorise the grid, and its inner folds."""
        return _Factors.of(runs, self.rank, self.ridge)

    def priors(self, learned: _Factors, targets: Cells) -> list[Prior | None]:
        """Give each target its cell of the fit."""
        return learned.priors(targets)


@dataclass(frozen=True, eq=False)
class _Factors:
    moments: TrainMoments
    matrix: Matrix
    fit: Array  # [M, S]
    sd: Array  # [S]; NaN without any error to learn from
    pooled: float  # rms of all errors

    @classmethod
    def of(cls, runs: Cells, rank: int, ridge: float) -> _Factors:
        matrix = Matrix.of(runs)
        z = matrix.z
        there = np.isfinite(z)
        folds = _inner_folds(there)
        masks = np.stack([there, *(there & (folds != q) for q in range(_INNER_FOLDS))])
        fits = _fit(np.where(there, z, 0.0), masks, rank, ridge)
        errors = np.full(z.shape, np.nan)
        for q, (mask, fit) in enumerate(zip(masks[1:], fits[1:], strict=True)):
            # where the fold empties a row or a column, its errors are those of unknown ones
            told = mask.any(axis=1)[:, None] & mask.any(axis=0)
            errors = np.where((folds == q) & told, z - fit, errors)
        known = errors[np.isfinite(errors)]
        pooled = math.sqrt(float(np.mean(known**2))) if len(known) else math.nan
        return cls(TrainMoments.of(runs), matrix, fits[0], column_sd(errors), pooled)

    def priors(self, targets: Cells) -> list[Prior | None]:
        priors = scenario_priors(self.moments, targets)
        for t, (model, column) in enumerate(zip(targets.model, targets.column, strict=True)):
            if not targets.bounded[t] or not math.isfinite(self.pooled):
                continue
            i, j = self.matrix.model.get(model), self.matrix.column.get(column)
            rows = slice(None) if i is None else [i]
            cells = self.fit[rows, slice(None) if j is None else j]
            if (i is None or j is None) and cells.size < 2:
                continue
            variance = self.pooled**2 if j is None else float(self.sd[j]) ** 2
            variance += float(cells.var(ddof=1)) if cells.size > 1 else 0.0
            sd = max(math.sqrt(variance), MIN_SQUASHED_SD)
            priors[t] = Prior("squashed", float(cells.mean()), sd)
        return priors


def _inner_folds(there: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give each cell a fold at random, in turn; -1 where there is no cell."""
    folds = np.full(there.size, -1, np.intp)
    cells = np.flatnonzero(there)
    order = np.random.default_rng(0).permutation(len(cells))
    folds[cells[order]] = np.arange(len(cells)) % _INNER_FOLDS
    return folds.reshape(there.shape)


def _fit(z: Array, masks: NDArray[np.bool_], rank: int, ridge: float) -> Array:
    """Factorise the cells of each mask.

    Parameters
    ----------
    z : ndarray of float, shape (M, S)
        Finite.
    masks : ndarray of bool, shape (B, M, S)
        The cells that are used.
    rank, ridge
        Of `LowRank`.

    Returns
    -------
    ndarray of float, shape (B, M, S)
        Fitted z, of all cells.
    """
    start = np.random.default_rng(0).normal(0.0, _START_SD, (_STARTS, z.shape[0], rank))
    size = max(1, _BLOCK // max(z.size, 1))
    blocks = [
        _fit_block(z, masks[b : b + size].astype(float), start, ridge)
        for b in range(0, len(masks), size)
    ]
    return np.concatenate(blocks)


def _fit_block(z: Array, weight: Array, start: Array, ridge: float) -> Array:
    count = weight.sum(axis=1, keepdims=True)  # [B, 1, S]
    centre = (weight * z).sum(axis=1, keepdims=True) / np.maximum(count, 1.0)
    scale = column_sd(np.where(weight > 0, z - centre, np.nan))[:, None, :]
    scale = np.fmax(scale, MIN_SQUASHED_SD)  # also of a mask without cells
    w = (weight * (z - centre) / scale)[:, None]  # [B, 1, M, S]; the 1 is for the starts
    weight = weight[:, None]
    w_columns, weight_columns = w.swapaxes(2, 3), weight.swapaxes(2, 3)
    a = np.zeros((*weight.shape[:1], *start.shape[:2]))  # [B, starts, M]
    u = np.broadcast_to(start, (*weight.shape[:1], *start.shape))
    for _ in range(_SWEEPS):
        c, v = _solve(w_columns, weight_columns, a, u, ridge)
        a, u = _solve(w, weight, c, v, ridge)
    fit = np.zeros(weight[:, 0].shape)
    lowest, highest = squash([0.0, 1.0])
    for s in range(len(start)):
        one = a[:, s, :, None] + c[:, s, None, :] + u[:, s] @ v[:, s].swapaxes(1, 2)
        fit += np.clip(centre + scale * one, lowest, highest)
    return fit / len(start)


def _solve(
    w: Array, weight: Array, effect: Array, factor: Array, ridge: float
) -> tuple[Array, Array]:
    """Regress each row of w on the factors of its columns, their effects taken off.

    Parameters
    ----------
    w, weight : ndarray of float, shape (B, 1, R, C)
        Values, 0 where there is none; 1 and 0.
    effect, factor : ndarray of float, shape (B, starts, C), (B, starts, C, rank)
        Of the columns.

    Returns
    -------
    effect, factor : ndarray of float, shape (B, starts, R), (B, starts, R, rank)
        Of the rows.
    """
    x = np.concatenate((np.ones((*factor.shape[:-1], 1)), factor), axis=-1)  # [B, starts, C, p]
    p = x.shape[-1]
    products = (x[..., :, None] * x[..., None, :]).reshape(*x.shape[:-1], p * p)
    sums = weight @ np.concatenate((products, effect[..., None] * x), axis=-1)
    gram = sums[..., : p * p].reshape(*sums.shape[:-1], p, p) + ridge * np.eye(p)
    moments = w @ x - sums[..., p * p :]
    solution = np.linalg.solve(gram, moments[..., None])[..., 0]
    return solution[..., 0], solution[..., 1:]
