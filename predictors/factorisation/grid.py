r"""The Gibbs sampler of a grid of run values: a matrix normal with kernels between models.

Of a standardised grid z, M rows (models) by S columns,

.. math::
    z_{ij} &= c_j + F_{ij} + e_{ij}, \qquad c_j \sim N(0, .25) \\
    F &\sim MN(0, K + 10^{-5} I, R), \quad R \sim IW(\nu + S + 1, \nu T),
        \quad T = s (\textstyle\sum_b u_b C_b + 10^{-3} I) \\
    e_{ij} &\sim N(0, \tau_j g_i / \lambda_{ij}), \quad \tau_j \sim IG(2, b), \quad
        b \sim \Gamma(1, 1), \quad g_i \sim IG(3, 3), \quad
        \lambda_{ij} \sim \Gamma(\tfrac{d}{2}, \tfrac{d}{2})

with :math:`\log \nu \sim N(\log 30, 1)` inside (2, 500), :math:`\log s \sim N(0, 1)`, d on a grid,
and weights w of the row kernels, u of the column kernels that are Dirichlet(1/2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, multigammaln

from predictors.common.counts import Array
from predictors.factorisation.sampler import inverted

__all__ = ["CellDraws", "MatrixChain"]

_ROW_JITTER, _COLUMN_JITTER = 1e-5, 1e-3
_CENTRE = 0.25  # prior variance of c
_TAU, _MODEL = 2.0, (3.0, 3.0)  # shapes, and the models' rate
_DFS = np.array([2.5, 3.0, 4.0, 6.0, 9.0, 15.0, 30.0])
_NU = (np.log(30.0), 1.0, 2.0, 500.0)  # mean and sd of its logarithm, and bounds
_STEPS = (4, 3)  # Metropolis steps a sweep: of (u, s, nu), of w
_ADAPT = 20  # sweeps between changes of the steps' lengths while burning in
_EVERY = 2
_CONCENTRATION = 0.5


@dataclass(frozen=True, eq=False)
class CellDraws:
    """What kept draws say of each cell, its own latent value averaged out.

    Attributes
    ----------
    mean, sd : ndarray, shape (D, M, S)
        Of the standardised value.
    draw : ndarray, shape (D, M, S)
        A draw of it; those of one place belong together.
    """

    mean: Array
    sd: Array
    draw: Array


class MatrixChain:
    """A chain of the sampler.

    Parameters
    ----------
    z : ndarray, shape (M, S)
        Standardised values; NaN where there is none.
    rows : sequence of ndarray, shape (M, M)
        Row kernels, the identity among them where it is wanted; an empty list: models are
        independent.
    columns : sequence of ndarray, shape (S, S)
        Column kernels, the identity among them.
    learned : bool
        Whether the weights of the row kernels are learned; else they are equal.
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        z: Array,
        rows: Sequence[Array],
        columns: Sequence[Array],
        learned: bool,
        rng: np.random.Generator,
    ) -> None:
        size, width = z.shape
        self.rng, self.learned = rng, learned
        self.kernels, self.column_kernels = list(rows), list(columns)
        self.w: Array = np.full(max(len(rows), 1), 1.0)
        self.u: Array = np.full(len(columns), 1.0)
        self.scale, self.nu, self.df = 0.7, 30.0, 4.0
        self.c: Array = np.zeros(width)
        self.f = np.zeros((size, width))
        self.tau: Array = np.ones(width)
        self.g: Array = np.ones(size)
        self.rate = 1.0
        self.lam: Array = np.ones((size, width))
        self.inverse: Array | None = None  # of K; None where models are independent
        self._log_det, self._alone = 0.0, 1.0 / (1.0 + _ROW_JITTER)
        self._set_rows()
        self.precision = inverted(self._target())  # of R
        self._step = np.array([0.3, 0.3])
        self._tried, self._taken, self._sweeps = np.zeros(2), np.zeros(2), 0
        self.observe(z)

    def observe(self, z: Array) -> None:
        """Take another grid of the same shape."""
        self.there = np.isfinite(z)
        self.z = np.where(self.there, z, 0.0)

    def run(self, sweeps: int, burn: int) -> CellDraws:
        """Sweep, and keep every second sweep after the first ones."""
        kept: list[tuple[Array, Array, Array]] = []
        for sweep in range(sweeps):
            before = self.c
            mean, variance = self.sweep()
            if sweep < burn:
                self._adapt()
            elif (sweep - burn) % _EVERY == 0:
                new = self.rng.standard_gamma(self.df / 2.0, self.z.shape) * 2.0 / self.df
                noise = self.tau * self.g[:, None] / new
                draw = self.rng.standard_normal(self.z.shape) * np.sqrt(noise)
                kept.append((mean + before, np.sqrt(variance + noise), self.c + self.f + draw))
        return CellDraws(*(np.array(parts) for parts in zip(*kept, strict=True)))

    def sweep(self) -> tuple[Array, Array]:
        """Draw each block from its conditional.

        Returns
        -------
        mean, variance : ndarray, shape (M, S)
            Of each row of F given the others, before it was drawn.
        """
        rng = self.rng
        weight = np.where(self.there, self.lam, 0.0) / (self.tau * self.g[:, None])
        mean, variance = self._draw_rows(weight)

        rest = self.z - self.f
        precision = weight.sum(axis=0) + 1.0 / _CENTRE
        noise = rng.standard_normal(len(self.c))
        self.c = (weight * rest).sum(axis=0) / precision + noise / np.sqrt(precision)

        scatter = self.f.T @ self._solve_rows(self.f)
        target = self._target()
        df = self.nu + len(self.c) + 1.0 + len(self.f)
        self.precision = _wishart(df, inverted(self.nu * target + scatter), rng)

        self._learn_columns()
        if self.learned and len(self.kernels) > 1:
            self._learn_rows()

        squares = np.where(self.there, (self.z - self.c - self.f) ** 2, 0.0)
        if self._sweeps % 2 == 0:
            self._draw_df(squares)
        shape = 0.5 * (self.df + self.there)
        self.lam = rng.standard_gamma(shape) / (
            0.5 * (self.df + squares / (self.tau * self.g[:, None]))
        )
        counted = np.where(self.there, self.lam, 0.0) * squares
        rate = self.rate + 0.5 * (counted / self.g[:, None]).sum(axis=0)
        self.tau = rate / rng.standard_gamma(_TAU + 0.5 * self.there.sum(axis=0))
        rate = 1.0 + float(np.sum(1.0 / self.tau))
        self.rate = float(rng.standard_gamma(1.0 + _TAU * len(self.tau))) / rate
        rates = _MODEL[1] + 0.5 * (counted / self.tau).sum(axis=1)
        self.g = rates / rng.standard_gamma(_MODEL[0] + 0.5 * self.there.sum(axis=1))
        self._sweeps += 1
        return mean, variance

    def _draw_rows(self, weight: Array) -> tuple[Array, Array]:
        """Draw F row by row, given all others; the factors do not depend on F."""
        size, width = self.z.shape
        own = np.diag(self.inverse) if self.inverse is not None else np.full(size, self._alone)
        a = own[:, None, None] * self.precision
        a[:, np.arange(width), np.arange(width)] += weight
        roots = np.linalg.inv(np.linalg.cholesky(a))  # [M, S, S]
        variance = np.einsum("mab,mab->mb", roots, roots)
        b = weight * (self.z - self.c)
        noise = self.rng.standard_normal((size, width))
        mean = np.empty((size, width))
        for i in range(size):
            right = b[i]
            if self.inverse is not None:
                others = self.inverse[i] @ self.f - own[i] * self.f[i]
                right = right - self.precision @ others
            half = roots[i] @ right
            mean[i] = half @ roots[i]
            self.f[i] = (half + noise[i]) @ roots[i]
        return mean, variance

    def _learn_columns(self) -> None:
        """Take Metropolis steps of u, s and nu together."""
        rng = self.rng
        log_det = float(np.linalg.slogdet(self.precision)[1])

        def density(u: Array, scale: float, nu: float) -> float:
            if not _NU[2] < nu < _NU[3]:
                return -np.inf
            target = nu * self._mixed(u, scale)
            width = len(target)
            df = nu + width + 1.0
            value = 0.5 * df * float(np.linalg.slogdet(target)[1])
            value += 0.5 * df * log_det - 0.5 * float(np.sum(target * self.precision))
            value -= 0.5 * df * width * np.log(2.0) + float(multigammaln(df / 2.0, width))
            value += _log_gammas(u) - 0.5 * np.log(scale) ** 2
            return value - 0.5 * ((np.log(nu) - _NU[0]) / _NU[1]) ** 2

        before = density(self.u, self.scale, self.nu)
        for _ in range(_STEPS[0]):
            step = np.exp(self._step[0] * rng.standard_normal(len(self.u) + 2))
            new = self.u * step[:-2], self.scale * step[-2], self.nu * step[-1]
            after = density(*new)
            self._tried[0] += 1
            if np.log(rng.random()) < after - before:
                self.u, self.scale, self.nu = new[0], float(new[1]), float(new[2])
                before = after
                self._taken[0] += 1

    def _learn_rows(self) -> None:
        """Take Metropolis steps of w."""
        rng, width = self.rng, len(self.c)
        scatter = self.f @ self.precision @ self.f.T

        def density(log_det: float, inverse: Array) -> float:
            return -0.5 * (width * log_det + float(np.sum(inverse * scatter)))

        assert self.inverse is not None
        before = density(self._log_det, self.inverse) + _log_gammas(self.w)
        for _ in range(_STEPS[1]):
            old = self.w, self.inverse, self._log_det
            self.w = self.w * np.exp(self._step[1] * rng.standard_normal(len(self.w)))
            self._set_rows()
            after = density(self._log_det, self.inverse) + _log_gammas(self.w)
            self._tried[1] += 1
            if np.log(rng.random()) < after - before:
                before = after
                self._taken[1] += 1
            else:
                self.w, self.inverse, self._log_det = old

    def _draw_df(self, squares: Array) -> None:
        """Draw the degrees of freedom from the residuals, without lambda."""
        t2 = (squares / (self.tau * self.g[:, None]))[self.there]
        n = len(t2)
        logs = np.array(
            [
                n * (gammaln((d + 1) / 2) - gammaln(d / 2) - 0.5 * np.log(d))
                - 0.5 * (d + 1) * np.sum(np.log1p(t2 / d))
                for d in _DFS
            ]
        )
        p = np.exp(logs - logs.max())
        self.df = float(self.rng.choice(_DFS, p=p / p.sum()))

    def _adapt(self) -> None:
        """Lengthen or shorten the steps towards an acceptance of a quarter."""
        if self._sweeps % _ADAPT:
            return
        share = self._taken / np.maximum(self._tried, 1)
        self._step = np.clip(self._step * np.exp(share - 0.25), 0.02, 1.5)
        self._tried, self._taken = np.zeros(2), np.zeros(2)

    def _mixed(self, u: Array, scale: float) -> Array:
        total = _COLUMN_JITTER * np.eye(len(self.c))
        for share, kernel in zip(u / u.sum(), self.column_kernels, strict=True):
            total = total + share * kernel
        return np.asarray(scale * total)

    def _target(self) -> Array:
        return self._mixed(self.u, self.scale)

    def _set_rows(self) -> None:
        if not self.kernels:
            return
        total = _ROW_JITTER * np.eye(len(self.f))
        for share, kernel in zip(self.w / self.w.sum(), self.kernels, strict=True):
            total = total + share * kernel
        self.inverse = inverted(total)
        self._log_det = float(np.linalg.slogdet(total)[1])

    def _solve_rows(self, x: Array) -> Array:
        return self._alone * x if self.inverse is None else self.inverse @ x

    def draw_prior(self) -> None:
        """Draw everything from the prior, and a grid without holes from it."""
        rng, (size, width) = self.rng, self.z.shape
        self.u = rng.standard_gamma(_CONCENTRATION, len(self.u)) + 1e-300
        if self.learned and len(self.kernels) > 1:
            self.w = rng.standard_gamma(_CONCENTRATION, len(self.w)) + 1e-300
            self._set_rows()
        self.scale = float(np.exp(rng.standard_normal()))
        self.nu = 0.0
        while not _NU[2] < self.nu < _NU[3]:
            self.nu = float(np.exp(_NU[0] + _NU[1] * rng.standard_normal()))
        self.precision = _wishart(self.nu + width + 1.0, inverted(self.nu * self._target()), rng)
        self.c = np.sqrt(_CENTRE) * rng.standard_normal(width)
        rows = np.eye(size) / self._alone if self.inverse is None else inverted(self.inverse)
        noise = rng.standard_normal((size, width))
        covariance = inverted(self.precision)
        self.f = np.linalg.cholesky(rows) @ noise @ np.linalg.cholesky(covariance).T
        self.rate = float(rng.standard_gamma(1.0))
        self.tau = self.rate / rng.standard_gamma(_TAU, (width,))
        self.g = _MODEL[1] / rng.standard_gamma(_MODEL[0], (size,))
        self.df = float(rng.choice(_DFS))
        self.lam = rng.standard_gamma(self.df / 2.0, (size, width)) * 2.0 / self.df
        e = rng.standard_normal((size, width))
        self.observe(self.c + self.f + e * np.sqrt(self.tau * self.g[:, None] / self.lam))


def _log_gammas(x: Array) -> float:
    """Give the log density of log x, x of independent Gamma(1/2, 1) distributions."""
    return float(np.sum(_CONCENTRATION * np.log(x) - x))


def _wishart(df: float, scale: Array, rng: np.random.Generator) -> Array:
    """Draw from a Wishart distribution, by Bartlett's decomposition."""
    width = len(scale)
    a = np.tril(rng.standard_normal((width, width)), -1)
    a[np.arange(width), np.arange(width)] = np.sqrt(
        2.0 * rng.standard_gamma(0.5 * (df - np.arange(width)))
    )
    root = np.linalg.cholesky(scale) @ a
    return np.asarray(root @ root.T)
