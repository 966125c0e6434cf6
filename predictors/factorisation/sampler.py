r"""The Gibbs sampler of a kernelised factorisation of a table with holes.

Of a standardised table w, I rows (models) by J columns, with covariances R of rows and C of
columns that are mixtures of given kernels,

.. math::
    w_{ij} &= c_j + L_j a_i + \sum_{q=1}^{r} U_{iq} V_{jq} + e_{ij} \\
    a &\sim N(b t, s_a R), \quad b \sim N(0, 1), \quad U_{\cdot q} \sim N(0, R) \\
    L &\sim N(1, s_L C), \quad V_{\cdot q} \sim N(0, s_q C), \quad c_j \sim N(0, s_c) \\
    e_{ij} &\sim t_4(0, 1 / \sqrt{\tau_j}), \quad \tau_j \sim \Gamma(3, .24)

where t is each row's date about the mean date, 0 where unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dtrtrs

from predictors.common.counts import Array

__all__ = ["DF", "Chain", "Draws", "Mixture"]

DF = 4.0
"""Degrees of freedom of the noise."""

_JITTER = 1e-6  # of the kernels' mixture
_STEP = 0.25  # of the proposals of log weights
_CONCENTRATION = 0.5  # of the Dirichlet prior of the weights
_TAU = (3.0, 0.24)  # shape and rate of the columns' precisions: 12.5 on average
_SCALES = {"a": (1.0, 0.5), "c": (1.0, 0.02), "L": (2.0, 0.1), "V": (1.0, 0.05)}
_TREND = 1.0  # prior variance of the change a year


@dataclass(frozen=True, eq=False)
class Draws:
    """Kept draws, stacked; D draws, I rows, J columns, r factors.

    Attributes
    ----------
    a : ndarray, shape (D, I)
    trend : ndarray, shape (D,)
    c, load, tau : ndarray, shape (D, J)
        Column means and loadings (c, L), and precisions of the noise.
    u : ndarray, shape (D, r, I)
    v : ndarray, shape (D, r, J)
    scale_a, scale_c, scale_l : ndarray, shape (D,)
    scale_v : ndarray, shape (D, r)
    rows, columns : ndarray, shape (D, kernels)
        Weights of the identity and the kernels.
    """

    a: Array
    trend: Array
    c: Array
    load: Array
    tau: Array
    u: Array
    v: Array
    scale_a: Array
    scale_c: Array
    scale_l: Array
    scale_v: Array
    rows: Array
    columns: Array

    def location(self, i: NDArray[np.intp], j: NDArray[np.intp]) -> Array:
        """Give the expected standardised value of cells, shape (D, cells)."""
        uv = np.einsum("dqn,dqn->dn", self.u[:, :, i], self.v[:, :, j])
        return np.asarray(self.c[:, j] + self.load[:, j] * self.a[:, i] + uv)


class Mixture:
    r"""A covariance :math:`K = \sum_k w_k K_k + 10^{-6} I` with weights on the simplex.

    :math:`w_k = g_k / \sum g` with :math:`g_k \sim \Gamma(1/2, 1)` is Dirichlet(1/2).

    Parameters
    ----------
    kernels : sequence of ndarray, shape (N, N)
        Beside the identity, which is always the first.
    size : int
        N.
    start : sequence of float
        Weights at the start.
    """

    def __init__(self, kernels: Sequence[Array], size: int, start: Sequence[float]) -> None:
        self.size = size
        self.kernels = [np.asarray(k, float) for k in kernels]
        self.gamma = np.asarray(start, float) / sum(start)
        self.inverse: Array | None = None  # None for the identity alone
        self._factor, self.log_det = np.eye(0), 0.0
        self._set()

    @property
    def weights(self) -> Array:
        """The weights, shape (1 + kernels,)."""
        return np.asarray(self.gamma / self.gamma.sum())

    def matrix(self, weights: Array) -> Array:
        """Give the covariance with these weights."""
        return mixed(self.kernels, weights)

    def quadratic(self, x: Array) -> float:
        r"""Give :math:`\sum_q x_q' K^{-1} x_q`, x of shape (..., N)."""
        if self.inverse is None:
            return float(np.sum(x * x)) / (1.0 + _JITTER)
        return float(np.sum((x @ self.inverse) * x))

    def multiply(self, x: Array) -> Array:
        """Give the inverse times x."""
        return x / (1.0 + _JITTER) if self.inverse is None else self.inverse @ x

    def draw(self, scale: float, precision: Array, b: Array, rng: np.random.Generator) -> Array:
        """Draw from the normal with precision K⁻¹/scale + diag(precision) and mean P⁻¹ b."""
        noise = rng.standard_normal(self.size)
        if self.inverse is None:
            p = precision + 1.0 / (scale * (1.0 + _JITTER))
            return np.asarray(b / p + noise / np.sqrt(p))
        p = self.inverse / scale
        p.flat[:: self.size + 1] += precision
        return normal(p, b, noise)

    def normal(self, scale: float, rng: np.random.Generator) -> Array:
        """Draw from N(0, scale K)."""
        noise = rng.standard_normal(self.size)
        if self.inverse is None:
            return np.asarray(noise * np.sqrt(scale * (1.0 + _JITTER)))
        return np.asarray(np.sqrt(scale) * (self._factor @ noise))

    def step(self, x: Array, rng: np.random.Generator) -> None:
        """Take a Metropolis step of the weights, given draws x of N(0, K), shape (Q, N)."""
        if self.inverse is None:
            return
        old = self.gamma, self.inverse, self._factor, self.log_det
        before = self._log_density(x)
        self.gamma = self.gamma * np.exp(_STEP * rng.standard_normal(len(self.gamma)))
        self._set()
        if np.log(rng.random()) >= self._log_density(x) - before:
            self.gamma, self.inverse, self._factor, self.log_det = old

    def _log_density(self, x: Array) -> float:
        """Of x, and of log g under its prior."""
        prior = float(np.sum(_CONCENTRATION * np.log(self.gamma) - self.gamma))
        return prior - 0.5 * (len(x) * self.log_det + self.quadratic(x))

    def _set(self) -> None:
        if not self.kernels:
            return
        factor = _cholesky(self.matrix(self.weights))
        self.inverse = _inverse(factor)
        self._factor = factor
        self.log_det = 2.0 * float(np.sum(np.log(np.diag(factor))))


class Chain:
    """A chain of the sampler.

    Parameters
    ----------
    w : ndarray, shape (I, J)
        The standardised table; NaN where there is no value.
    rows, columns : sequence of ndarray
        Kernels beside the identity, shape (I, I) and (J, J).
    times : ndarray, shape (I,)
        Dates about their mean, in years; 0 where unknown.
    rank : int
        Number of factors r.
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        w: Array,
        rows: Sequence[Array],
        columns: Sequence[Array],
        times: Array,
        rank: int,
        rng: np.random.Generator,
    ) -> None:
        size, width = w.shape
        self.rng = rng
        self.times = times
        self.rows = Mixture(rows, size, [0.5] + [0.5 / max(len(rows), 1)] * len(rows))
        self.columns = Mixture(columns, width, [0.6] + [0.4 / max(len(columns), 1)] * len(columns))
        self.a: Array = np.zeros(size)
        self.c: Array = np.zeros(width)
        self.load: Array = np.ones(width)
        self.trend = 0.0
        self.u = 0.3 * rng.standard_normal((rank, size))
        self.v = 0.3 * rng.standard_normal((rank, width))
        self.tau: Array = np.full(width, 4.0)
        self.lam: Array = np.ones((size, width))
        self.scale_a, self.scale_c, self.scale_l = 0.5, 0.05, 0.1
        self.scale_v = np.full(rank, 0.3)
        self._sweeps = 0
        self.observe(w)

    def observe(self, w: Array) -> None:
        """Take another table of the same shape."""
        self.seen = np.nonzero(np.isfinite(w))
        self.there = np.isfinite(w).astype(float)
        self.w = np.where(self.there > 0, w, 0.0)

    def run(self, sweeps: int, burn: int, every: int) -> Draws:
        """Sweep, and keep every so many sweeps after the first ones."""
        kept: dict[str, list[Any]] = {}
        for sweep in range(sweeps):
            self.sweep()
            if sweep >= burn and (sweep - burn) % every == 0:
                for name, value in self.state().items():
                    kept.setdefault(name, []).append(value)
        return Draws(**{name: np.array(values) for name, values in kept.items()})

    def state(self) -> dict[str, Any]:
        """Give what `Draws` keeps, copied."""
        return {
            "a": self.a.copy(),
            "trend": self.trend,
            "c": self.c.copy(),
            "load": self.load.copy(),
            "tau": self.tau.copy(),
            "u": self.u.copy(),
            "v": self.v.copy(),
            "scale_a": self.scale_a,
            "scale_c": self.scale_c,
            "scale_l": self.scale_l,
            "scale_v": self.scale_v.copy(),
            "rows": self.rows.weights,
            "columns": self.columns.weights,
        }

    def fitted(self) -> Array:
        """Give the expected values, shape (I, J)."""
        return np.asarray(self.c + np.outer(self.a, self.load) + self.u.T @ self.v)

    def sweep(self) -> None:
        """Draw each block from its conditional; the weights by Metropolis in every second sweep."""
        rng = self.rng
        p = self.there * self.lam * self.tau
        rest = self.w - self.fitted()  # all that is not explained; only cells with p > 0 count

        rest += np.outer(self.a, self.load)
        mean = self.trend * self.times
        b = (p * rest) @ self.load + self.rows.multiply(mean) / self.scale_a
        self.a = self.rows.draw(self.scale_a, p @ self.load**2, b, rng)
        rest -= np.outer(self.a, self.load)
        if self.times.any():
            of_times = self.rows.multiply(self.times) / self.scale_a
            precision = float(of_times @ self.times) + 1.0 / _TREND
            centre = float(of_times @ self.a) / precision
            self.trend = centre + float(rng.standard_normal()) / np.sqrt(precision)

        rest += self.c
        precision = p.sum(axis=0) + 1.0 / self.scale_c
        noise = rng.standard_normal(len(self.c))
        self.c = (p * rest).sum(axis=0) / precision + noise / np.sqrt(precision)
        rest -= self.c

        rest += np.outer(self.a, self.load)
        one = self.columns.multiply(np.ones(len(self.c))) / self.scale_l
        self.load = self.columns.draw(self.scale_l, self.a**2 @ p, self.a @ (p * rest) + one, rng)
        rest -= np.outer(self.a, self.load)

        for q in range(len(self.u)):
            rest += np.outer(self.u[q], self.v[q])
            weighted = p * rest
            self.u[q] = self.rows.draw(1.0, p @ self.v[q] ** 2, weighted @ self.v[q], rng)
            self.v[q] = self.columns.draw(
                self.scale_v[q], self.u[q] ** 2 @ p, self.u[q] @ weighted, rng
            )
            rest -= np.outer(self.u[q], self.v[q])

        self._scales()
        squares = rest**2
        rate = _TAU[1] + 0.5 * (self.there * self.lam * squares).sum(axis=0)
        self.tau = rng.standard_gamma(_TAU[0] + 0.5 * self.there.sum(axis=0)) / rate
        rate = 0.5 * (DF + (self.tau * squares)[self.seen])
        self.lam[self.seen] = rng.standard_gamma(0.5 * (DF + 1.0), len(rate)) / rate
        self._sweeps += 1
        if self._sweeps % 2 == 0:
            apart = (self.a - self.trend * self.times) / np.sqrt(self.scale_a)
            self.rows.step(np.vstack([apart, self.u]), rng)
            apart = (self.load - 1.0) / np.sqrt(self.scale_l)
            self.columns.step(np.vstack([apart, self.v / np.sqrt(self.scale_v)[:, None]]), rng)

    def _scales(self) -> None:
        size, width = self.w.shape
        rows, columns = self.rows, self.columns
        self.scale_a = self._scale("a", size, rows.quadratic(self.a - self.trend * self.times))
        self.scale_c = self._scale("c", width, float(self.c @ self.c))
        self.scale_l = self._scale("L", width, columns.quadratic(self.load - 1.0))
        for q in range(len(self.v)):
            self.scale_v[q] = self._scale("V", width, columns.quadratic(self.v[q]))

    def _scale(self, name: str, size: int, squares: float) -> float:
        """Draw a variance from its inverse gamma distribution."""
        shape, rate = _SCALES[name]
        return (rate + squares / 2.0) / float(self.rng.gamma(shape + size / 2.0))

    def draw_prior(self) -> None:
        """Draw everything from the prior, and a table without holes from it."""
        rng, (size, width) = self.rng, self.w.shape
        for mixture in (self.rows, self.columns):
            if mixture.inverse is not None:
                mixture.gamma = rng.gamma(_CONCENTRATION, size=len(mixture.gamma)) + 1e-300
                mixture._set()
        self.scale_a, self.scale_c, self.scale_l = (self._scale(n, 0, 0.0) for n in "acL")
        self.scale_v = np.array([self._scale("V", 0, 0.0) for _ in self.scale_v])
        self.trend = float(rng.normal(0.0, np.sqrt(_TREND))) if self.times.any() else 0.0
        self.a = self.trend * self.times + self.rows.normal(self.scale_a, rng)
        self.c = np.sqrt(self.scale_c) * rng.standard_normal(width)
        self.load = 1.0 + self.columns.normal(self.scale_l, rng)
        self.u = np.stack([self.rows.normal(1.0, rng) for _ in self.u])
        self.v = np.array([self.columns.normal(s, rng) for s in self.scale_v])
        self.tau = rng.standard_gamma(_TAU[0], (width,)) / _TAU[1]
        self.lam = rng.gamma(DF / 2.0, 2.0 / DF, (size, width))
        self.observe(self.draw_table())

    def draw_table(self) -> Array:
        """Draw a table without holes, given everything."""
        noise = self.rng.standard_normal(self.w.shape)
        return np.asarray(self.fitted() + noise / np.sqrt(self.lam * self.tau))


def mixed(kernels: Sequence[Array], weights: Array, *, square: bool = True) -> Array:
    """Give a weighted sum of kernels; of a list against itself with the identity, weighed first."""
    total = sum(
        (w * k for w, k in zip(weights[1:], kernels, strict=True)), np.zeros_like(kernels[0])
    )
    if square:
        total.flat[:: len(total) + 1] += weights[0] + _JITTER
    return np.asarray(total)


def normal(precision: Array, b: Array, noise: Array) -> Array:
    """Draw from N(P⁻¹ b, P⁻¹), given standard normal noise; P is overwritten."""
    factor, failed = dpotrf(precision.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("a precision is not positive definite")
    half, _ = dtrtrs(factor, b, lower=1)
    draw, _ = dtrtrs(factor, half + noise, lower=1, trans=1)
    return np.asarray(draw)


def inverted(matrix: Array) -> Array:
    """Give the inverse of a positive definite matrix."""
    return _inverse(_cholesky(matrix))


def _inverse(factor: Array) -> Array:
    lower, _ = dpotri(factor, lower=1)
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)


def _cholesky(matrix: Array) -> Array:
    factor, failed = dpotrf(matrix.T, lower=1)  # symmetric: the transpose spares a copy
    if failed:
        raise np.linalg.LinAlgError("a covariance is not positive definite")
    return np.asarray(factor)
