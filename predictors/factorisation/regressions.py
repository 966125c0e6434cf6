r"""Each column of a grid regressed on the others, by Gaussian processes with shared amplitudes.

Of a standardised grid z, with kernels that are made of all columns but j,

.. math:: z_{\cdot j} \sim N\Big(0, \sum_k a_k K_k^{(j)} + 11' + a_0 I\Big), \qquad
          \log a_k \sim N(-2, 1)

A run's value is the mean of its responses, so kernels of the responses flatter its likelihood.
Those of the other columns' do not, and so train values can learn what they are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammainccinv, gammaln

from hibayes.hierarchical.kernels import standardised
from predictors.common.agreement_kernels import MOST_ITEMS, correlation
from predictors.common.counts import Array

__all__ = ["Regressed", "regress"]

_CONSTANT = 1.0  # variance of a column's centre
_PRIOR = (-2.0, 1.0)  # mean and sd of the amplitudes' logarithms
_START = -1.5
_STEPS = 25  # of the search of amplitudes
_ENTRIES = 4_000_000  # of the kernels that amplitudes are learned with, at most
_PASSES = 2  # gaps are filled by the models' effects, then by the regressions
_POWER = 2.0  # of columns' correlations with the one that is regressed, as weights
_LENGTH = 0.5  # of the agreement's exponential kernel
_BORROWED = 10.0  # squares that the scale of a row or column borrows from all
_LARGEST = 16.0  # of a squared residual in units of its variance
_JITTER = 1e-6
_DFS = np.array([3.0, 4.0, 6.0, 10.0, 30.0])
_SCALES = np.linspace(0.6, 1.4, 33)
_POINTS = 20  # normals that a Student's t is made of


@dataclass(frozen=True, eq=False)
class Regressed:
    """What the regressions say of each cell, given all others: Student's t.

    Attributes
    ----------
    mean, sd : ndarray, shape (M, S)
        Location and scale of the standardised value.
    df : float
    """

    mean: Array
    sd: Array
    df: float

    @property
    def normals(self) -> tuple[Array, Array]:
        """Means and sds of normals of equal weight that make up the t, shape (20, M, S)."""
        levels = (np.arange(_POINTS) + 0.5) / _POINTS
        precision = gammainccinv(self.df / 2.0, levels) * 2.0 / self.df
        mean = np.broadcast_to(self.mean, (_POINTS, *self.mean.shape))
        return mean, self.sd / np.sqrt(precision)[:, None, None]


def regress(z: Array, group: NDArray[np.intp] | None, tables: Mapping[int, Array]) -> Regressed:
    """Regress each column on the others.

    Parameters
    ----------
    z : ndarray, shape (M, S)
        Standardised values; NaN where there is none.
    group : ndarray of int, shape (S,), optional
        Columns of one group count more for each other; None: there are no groups.
    tables : mapping of int to ndarray, shape (M, items)
        Responses in [0, 1] by column, NaN where there is none; may be empty.

    Examples
    --------
    >>> z = np.linspace(-2, 2, 9)[:, None] * np.ones(4)
    >>> z[2, 3] = np.nan
    >>> told = regress(z, None, {})
    >>> bool(abs(told.mean[2, 3] + 1.0) < 3 * told.sd[2, 3] < 1.5)
    True
    """
    there = np.isfinite(z)
    values = np.where(there, z, 0.0)
    items = _Items(tables, len(z))
    filled: Array | None = None
    variance: Array = np.ones(z.shape)
    log_a: Array | None = None
    for _ in range(_PASSES):
        kernels = _Kernels(values, there, group, items, filled, variance)
        log_a = _learned(kernels, log_a)
        filled, variance, residual = _conditional(kernels, np.exp(log_a))
    assert filled is not None
    squares = np.minimum(residual**2, _LARGEST)
    usual = max(float(np.nanmean(squares)), _JITTER)
    scale = np.ones(z.shape)
    for axis in (1, 0):
        n = there.sum(axis=axis, keepdims=True)
        total = np.nansum(squares, axis=axis, keepdims=True)
        scale = scale * (_BORROWED * usual + total) / (_BORROWED + n) / usual
    df, stretch = _shape((residual / np.sqrt(scale))[there])
    return Regressed(filled, stretch * np.sqrt(variance * scale), df)


class _Items:
    """Grams of standardised responses, of all columns; those of some are sums or differences."""

    def __init__(self, tables: Mapping[int, Array], models: int) -> None:
        self.of: dict[int, tuple[Array, Array]] = {}
        self.gram, self.count = np.zeros((2, models, models))
        for j in sorted(tables):
            e, _, seen = standardised(tables[j])
            weight = min(1.0, MOST_ITEMS / max(tables[j].shape[1], 1))
            there = seen.astype(float)
            self.of[j] = weight * (e @ e.T), weight * (there @ there.T)
            self.gram += self.of[j][0]
            self.count += self.of[j][1]

    def without(self, j: int) -> Array:
        """Give the agreement over all columns but one."""
        if j not in self.of:
            return correlation(self.gram, self.count)
        return correlation(self.gram - self.of[j][0], self.count - self.of[j][1])

    def among(self, columns: NDArray[np.intp]) -> Array | None:
        """Give the agreement over some columns; None where none of them has responses."""
        found = [self.of[j] for j in columns.tolist() if j in self.of]
        if not found:
            return None
        gram, count = (np.sum(part, axis=0) for part in zip(*found, strict=True))
        return correlation(gram, count)


class _Kernels:
    """The kernels of each column, which are made of the others.

    A gap is known with a variance: it makes linear kernels' diagonals what is expected of them.
    """

    def __init__(
        self,
        z: Array,
        there: NDArray[np.bool_],
        group: NDArray[np.intp] | None,
        items: _Items,
        filled: Array | None,
        variance: Array,
    ) -> None:
        self.z, self.there, self.group, self.items = z, there, group, items
        self.filled, self.open = filled, np.where(there, 0.0, variance)
        several = group is not None and len(np.unique(group)) > 1
        self.size = 4 + several + (2 + several if items.of else 0)

    def of(self, j: int) -> Array:
        """Give a column's kernels, shape (kernels, M, M)."""
        others = np.delete(np.arange(self.z.shape[1]), j)
        z, there, gaps = (x[:, others] for x in (self.z, self.there, self.open))
        n = there.sum(axis=1)
        effect = z.sum(axis=1) / (n + 1.0)
        x = np.where(there, z, effect[:, None] if self.filled is None else self.filled[:, others])

        def linear(weight: Array) -> Array:
            kernel = (x * weight) @ x.T
            kernel.flat[:: len(x) + 1] += gaps @ weight
            return np.asarray(kernel)

        own = self.there[:, j]
        target = self.z[own, j] - self.z[own, j].mean()
        centred = x[own] - x[own].mean(axis=0)
        size = np.sqrt((centred**2).sum(axis=0) * (target**2).sum())
        weight = np.clip(target @ centred / np.maximum(size, 1e-9), 1e-3, None) ** _POWER
        alike = linear(weight / weight.sum())
        square = np.diag(alike)
        level = np.outer(effect, effect)
        level.flat[:: len(x) + 1] += (1.0 - n / len(others)) / (n + 1.0)
        apart = np.maximum(square[:, None] + square - 2.0 * alike, 0.0)
        np.fill_diagonal(apart, 0.0)
        out = [linear(np.full(len(others), 1.0 / len(others))), level, alike, np.exp(-apart / 2.0)]
        same = np.zeros(len(others), bool)
        if self.group is not None and len(np.unique(self.group)) > 1:
            same = self.group[others] == self.group[j]
            out.append(linear(same / max(same.sum(), 1)))
        if self.items.of:
            agreement = self.items.without(j)
            out += [agreement, np.exp((agreement - 1.0) / _LENGTH)]
            if len(out) < self.size:
                found = self.items.among(others[same])
                out.append(np.zeros_like(agreement) if found is None else found)
        return np.stack(out)


def _learned(kernels: _Kernels, start: Array | None) -> Array:
    """Give the amplitudes' logarithms, that of the noise last: the mode of their posterior."""
    width, models = kernels.z.shape[1], len(kernels.z)
    most = max(_ENTRIES // (kernels.size * models**2), 3)
    chosen = np.unique(np.linspace(0, width - 1, min(most, width)).round().astype(int)).tolist()
    parts = []
    for j in chosen:
        own = np.flatnonzero(kernels.there[:, j])
        parts.append((kernels.of(j)[:, own[:, None], own], kernels.z[own, j]))
    share = width / len(chosen)

    def loss(log_a: Array) -> tuple[float, Array]:
        a = np.exp(log_a)
        value, slope = 0.0, np.zeros(len(a))
        for stack, z in parts:
            covariance = np.tensordot(a[:-1], stack, 1) + _CONSTANT
            covariance.flat[:: len(z) + 1] += a[-1] + _JITTER
            inverse = np.linalg.inv(covariance)
            alpha = inverse @ z
            value += 0.5 * float(alpha @ z) + 0.5 * float(np.linalg.slogdet(covariance)[1])
            rest = inverse - np.outer(alpha, alpha)
            slope[:-1] += 0.5 * a[:-1] * np.tensordot(stack, rest, 2)
            slope[-1] += 0.5 * a[-1] * np.trace(rest)
        off = (log_a - _PRIOR[0]) / _PRIOR[1]
        return share * value + 0.5 * float(off @ off), share * slope + off / _PRIOR[1]

    first = np.full(kernels.size + 1, _START) if start is None else start
    found = minimize(
        loss, first, jac=True, method="L-BFGS-B", bounds=[(-9.0, 4.0)] * len(first),
        options={"maxiter": _STEPS},
    )  # fmt: skip
    return np.asarray(found.x)


def _conditional(kernels: _Kernels, a: Array) -> tuple[Array, Array, Array]:
    """Give mean and variance of each cell, and the residual of each value left out, in sds."""
    mean, variance = np.zeros((2, *kernels.z.shape))
    residual = np.full(kernels.z.shape, np.nan)
    for j in range(kernels.z.shape[1]):
        own = np.flatnonzero(kernels.there[:, j])
        covariance = np.tensordot(a[:-1], kernels.of(j), 1) + _CONSTANT
        across = covariance[:, own]
        within = across[own] + (a[-1] + _JITTER) * np.eye(len(own))
        inverse = np.linalg.inv(within)
        alpha = inverse @ kernels.z[own, j]
        mean[:, j] = across @ alpha
        left = np.diag(covariance) - np.einsum("ab,bc,ac->a", across, inverse, across)
        variance[:, j] = np.maximum(left, _JITTER) + a[-1]
        residual[own, j] = alpha / np.sqrt(np.diag(inverse))
    return mean, variance, residual


def _shape(residual: Array) -> tuple[float, float]:
    """Give the degrees of freedom and the scale of the t that residuals are most likely of."""
    best = (-np.inf, 30.0, 1.0)
    for df in _DFS:
        constant = float(gammaln((df + 1.0) / 2.0) - gammaln(df / 2.0) - 0.5 * np.log(df))
        for scale in _SCALES:
            t = residual / scale
            density = constant - np.log(scale) - 0.5 * (df + 1.0) * np.log1p(t * t / df)
            best = max(best, (float(density.sum()), float(df), float(scale)))
    return best[1], best[2]
