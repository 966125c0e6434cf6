"""How a model answers each item: by its level, and by how models of its lineage answered.

For predictors of runs whose items other models answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from predictors.common.counts import Array

__all__ = ["ItemCurves"]

_NEWTON = 12  # steps
_LEAST_VARIANCE, _MOST_SLOPE_VARIANCE = 0.05, 1.0
_PROBABILITY, _RESIDUAL = 0.02, 4.0  # residuals: nearest probability to 0 or 1, and largest size
_LEAST_EIGENVALUE = 1e-3
_RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)
_JUDGES = 8  # columns that the ridge is chosen by, at most


@dataclass(frozen=True, eq=False)
class ItemCurves:
    r"""Curves of items, and residual kernels of models.

    An item n of column j is answered rightly by a model of level z with :math:`P_n(z) =
    \sigma(b_n + a_n z)`; b and a have normal priors whose moments are learned from the column's
    items. Standardised residuals :math:`E_{in} = (x_{in} - P_n(z_{ij})) / \sqrt{P_n (1 - P_n)}` of
    the other columns give the models' kernel :math:`K_j`, and

    .. math:: p_n = P_n(z) + \sqrt{P_n (1 - P_n)}\, \beta' E_{\cdot n}, \qquad
              \beta = (K_j + \delta I)^{-1} K_{j,i}

    over the models that answered the column. :math:`\delta` is the one with which the residuals of
    train models are predicted best, each by the others.

    Attributes
    ----------
    slope, intercept : dict of int to ndarray, shape (items,)
        By column.
    residual : dict of int to ndarray, shape (M, items)
        0 where there is no response.
    kernel : dict of int to ndarray, shape (M, M)
    ridge : float
    """

    slope: dict[int, Array]
    intercept: dict[int, Array]
    residual: dict[int, Array]
    kernel: dict[int, Array]
    ridge: float

    @classmethod
    def of(cls, tables: Mapping[int, Array], z: Array, mask: NDArray[np.bool_]) -> ItemCurves:
        """Fit the curves.

        Parameters
        ----------
        tables : mapping of int to ndarray, shape (M, items)
            Responses in [0, 1] by column; NaN where there is none.
        z : ndarray, shape (M, S)
            The models' values, in spreads of the columns from their means.
        mask : ndarray of bool, shape (M, S)
            Where there is a value.
        """
        slope, intercept, residual = {}, {}, {}
        grams, counts = {}, {}
        for j in sorted(tables):
            seen = np.isfinite(tables[j]) & mask[:, j, None]
            x = np.where(seen, tables[j], 0.0)
            a, b = _curves(x, seen.astype(float), z[:, j])
            p = np.clip(expit(b + np.outer(z[:, j], a)), _PROBABILITY, 1.0 - _PROBABILITY)
            e = np.clip((x - p) / np.sqrt(p * (1.0 - p)), -_RESIDUAL, _RESIDUAL)
            slope[j], intercept[j], residual[j] = a, b, np.where(seen, e, 0.0)
            there = seen.astype(float)
            grams[j], counts[j] = residual[j] @ residual[j].T, there @ there.T
        zero = np.zeros((len(z), len(z)))
        gram, count = sum(grams.values(), zero), sum(counts.values(), zero)
        kernel = {j: _correlation(gram - grams[j], count - counts[j]) for j in grams}
        return cls(slope, intercept, residual, kernel, _best_ridge(residual, kernel, mask))

    def logits(self, model: int, column: int, level: float, mask: NDArray[np.bool_]) -> Array:
        """Predict a model's responses to a column's items.

        Parameters
        ----------
        model, column : int
        level : float
            The model's value in the column as it is expected, in spreads from the mean.
        mask : ndarray of bool, shape (M, S)

        Returns
        -------
        ndarray, shape (items,)
            Logits of p, which is kept inside [.01, .99].

        Examples
        --------
        >>> x = {0: np.eye(3)[:, [0, 0, 1]], 1: np.eye(3)[:, [0, 1, 1]]}
        >>> z, mask = np.stack([x[0].mean(1), x[1].mean(1)], axis=1), np.ones((3, 2), bool)
        >>> curves = ItemCurves.of(x, z, mask)
        >>> curves.logits(0, 0, 0.5, mask).shape
        (3,)
        """
        others = np.flatnonzero(mask[:, column])
        others = others[others != model]
        p = expit(self.intercept[column] + self.slope[column] * level)
        kernel = self.kernel[column]
        among = kernel[np.ix_(others, others)] + self.ridge * np.eye(len(others))
        beta = np.linalg.solve(among, kernel[others, model])
        p = p + np.sqrt(p * (1.0 - p)) * (beta @ self.residual[column][others])
        return np.asarray(logit(np.clip(p, 0.01, 0.99)))


def _curves(x: Array, seen: Array, z: Array) -> tuple[Array, Array]:
    """Fit slopes and intercepts by Newton's method, their priors re-estimated on the way."""
    rate = (x.sum(axis=0) + 1.0) / (seen.sum(axis=0) + 2.0)
    b, a = logit(rate), np.ones(x.shape[1])
    centre_b, centre_a = float(np.mean(b)), 1.0
    spread_b, spread_a = max(float(np.var(b)), _LEAST_VARIANCE), _MOST_SLOPE_VARIANCE
    level = z[:, None]
    for step in range(_NEWTON):
        p = expit(b + level * a)
        weight = seen * p * (1.0 - p)
        off = seen * (x - p)
        down_b = off.sum(axis=0) - (b - centre_b) / spread_b
        down_a = (off * level).sum(axis=0) - (a - centre_a) / spread_a
        bb = weight.sum(axis=0) + 1.0 / spread_b
        ab = (weight * level).sum(axis=0)
        aa = (weight * level**2).sum(axis=0) + 1.0 / spread_a
        det = bb * aa - ab**2
        b = b + np.clip((aa * down_b - ab * down_a) / det, -2.0, 2.0)
        a = a + np.clip((bb * down_a - ab * down_b) / det, -2.0, 2.0)
        if step:
            centre_b, centre_a = float(np.mean(b)), float(np.mean(a))
            spread_b = max(float(np.var(b) + np.mean(aa / det)), _LEAST_VARIANCE)
            spread_a = float(np.var(a) + np.mean(bb / det))
            spread_a = min(max(spread_a, _LEAST_VARIANCE), _MOST_SLOPE_VARIANCE)
    return a, b


def _correlation(gram: Array, count: Array) -> Array:
    mean = gram / np.maximum(count, 1.0)
    scale = np.sqrt(np.maximum(np.diag(mean), 1e-9))
    raw = np.clip(mean / scale / scale[:, None], -1.0, 1.0)
    np.fill_diagonal(raw, 1.0)
    values, vectors = np.linalg.eigh((raw + raw.T) / 2.0)
    return np.asarray((vectors * np.maximum(values, _LEAST_EIGENVALUE)) @ vectors.T)


def _best_ridge(
    residual: Mapping[int, Array], kernel: Mapping[int, Array], mask: NDArray[np.bool_]
) -> float:
    columns = sorted(residual)
    chosen = columns[:: max(len(columns) // _JUDGES, 1)][:_JUDGES]
    losses = []
    for ridge in _RIDGES:
        squares = []
        for j in chosen:
            pool = np.flatnonzero(mask[:, j])
            if len(pool) < 2:
                continue
            inverse = np.linalg.inv(kernel[j][np.ix_(pool, pool)] + ridge * np.eye(len(pool)))
            left = (inverse @ residual[j][pool]) / np.diag(inverse)[:, None]
            squares.append(float(np.mean(left**2)))
        losses.append(float(np.mean(squares)) if squares else 0.0)
    return _RIDGES[int(np.argmin(losses))]
