"""Steps that the Gibbs samplers share. The first axis of every array is the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hibayes.hierarchical.cells import Array, Index

__all__ = [
    "LEAST_VARIANCE",
    "Levels",
    "Progress",
    "Schedule",
    "Walk",
    "draw_inverse_gamma",
    "draw_normal",
    "scales_density",
    "start",
    "weigh",
]

Progress: TypeAlias = Callable[[int], None]
"""Told how many sweeps all chains have made since it was last called."""

_PORTION = 100


@dataclass(frozen=True)
class Schedule:
    """How long to sample.

    Attributes
    ----------
    chains : int
        From different starts.
    warmup : int
        Sweeps of each chain that are not kept, and in which step sizes are adapted.
    draws : int
        Kept draws of each chain.
    thin : int
        Sweeps between two kept draws.
    seed : int
        Of everything random.
    """

    chains: int = 4
    warmup: int = 500
    draws: int = 250
    thin: int = 4
    seed: int = 0

    @property
    def sweeps(self) -> int:
        """Sweeps of each chain in all."""
        return self.warmup + self.draws * self.thin

    def keeps(self, sweep: int) -> bool:
        """Say whether the draw after this sweep, from 0, is kept."""
        return sweep >= self.warmup and (sweep - self.warmup + 1) % self.thin == 0

    def report(self, sweep: int, progress: Progress | None) -> None:
        """Tell, after every 100 sweeps and the last, how many have been made since."""
        made = sweep + 1
        if progress is not None and (made % _PORTION == 0 or made == self.sweeps):
            progress(made % _PORTION or _PORTION)


LEAST_VARIANCE = 1e-6
"""Added to every cell's variance, .001 squared: what a value that is no count may vary at least."""

_STEPS = (0.01, 2.0)  # of a log scale; a step that early luck had let grow would leave all numbers

Taken: TypeAlias = NDArray[np.bool_]
Density: TypeAlias = Callable[[Array], tuple[Array, Array, Array]]


@dataclass
class Walk:
    """Random-walk Metropolis steps of many scalars at once, each with its own step size.

    Attributes
    ----------
    step : ndarray of float
        One step size per scalar; the last axes of what is proposed may be longer.
    target : float
        The acceptance aimed at while adapting.
    """

    step: Array
    target: float = 0.35
    tried: int = 0
    accepted: int = 0

    def accept(self, rng: np.random.Generator, gain: Array, sweep: int, warmup: int) -> Taken:
        """Decide proposals by their gain in log density, and adapt."""
        taken = np.log(rng.random(gain.shape)) < gain
        self.adapt(taken, sweep, warmup)
        return taken

    def adapt(self, taken: Taken, sweep: int, warmup: int, at: Any = ...) -> None:
        """Change step sizes by what was accepted while warming up; count afterwards.

        Parameters
        ----------
        taken : ndarray of bool
        sweep, warmup : int
        at : index, optional
            Which of the step sizes, where only some took part.
        """
        if sweep < warmup:
            pace = min(1.0, 5.0 / (sweep + 1) ** 0.5)
            moved = self.step[at] * np.exp((taken - self.target) * pace)
            self.step[at] = np.clip(moved, *_STEPS)
        else:
            self.tried += taken.size
            self.accepted += int(taken.sum())

    def move(
        self, rng: np.random.Generator, now: Array, density: Density, sweep: int, warmup: int
    ) -> tuple[Array, Array, Array]:
        """Take one step of scales whose regression coefficients are integrated out.

        Parameters
        ----------
        now : ndarray, shape (C, K)
            Where the scales are.
        density : callable
            Gives the log density of scales, and of their coefficients what `weigh` gives:
            h and the inverse factor.

        Returns
        -------
        now, h, inverse : ndarray
            After the step.
        """
        proposed = now + self.step * rng.standard_normal(now.shape)
        old, h, inverse = density(now)
        new, new_h, new_inverse = density(proposed)
        taken = self.accept(rng, new - old, sweep, warmup)
        return (
            np.where(taken, proposed, now),
            np.where(taken[..., None], new_h, h),
            np.where(taken[..., None, None], new_inverse, inverse),
        )

    @property
    def acceptance(self) -> float:
        """Share of accepted proposals after the warm-up; NaN before."""
        return self.accepted / self.tried if self.tried else float("nan")


def draw_inverse_gamma(rng: np.random.Generator, shape: float, scale: Array) -> Array:
    """Draw from IG(shape, scale), density proportional to x^(-shape-1) exp(-scale/x)."""
    return np.asarray(scale / rng.gamma(shape, size=np.shape(scale)))


@dataclass(frozen=True)
class _Solved:
    """A Gaussian by its precision Q = L L' and h = L^-1 (right-hand side)."""

    h: Array  # [..., P]
    inverse: Array  # of L, [..., P, P]
    log_density: Array  # log of the integral over the coefficients, less constants, [...]


def weigh(design: Array, weights: Array, residual: Array, prior_precision: Array) -> _Solved:
    r"""Integrate coefficients out of a weighted regression.

    For residuals :math:`e \sim N(X \beta, W^{-1})` and :math:`\beta \sim N(0, \Lambda^{-1})`, with
    W and :math:`\Lambda` diagonal: the posterior of :math:`\beta`, and

    .. math:: \log \int p(e \mid \beta) p(\beta) d\beta + \tfrac12 \log|W^{-1}| + \mathrm{const}
              = -\tfrac12 \big( e'We - h'h \big) - \log|L| + \tfrac12 \log|\Lambda|

    Parameters
    ----------
    design : ndarray, shape (C, N, P)
    weights, residual : ndarray, shape (C, K, N)
        Of K regressions on the same design; weight 0 where nothing was observed.
    prior_precision : ndarray, broadcastable to (C, K, P)
        Diagonal of :math:`\Lambda`.
    """
    chains, n, p = design.shape
    products = (design[..., :, None] * design[..., None, :]).reshape(chains, n, p * p)
    q = (weights @ products).reshape(*weights.shape[:2], p, p)
    q[..., np.arange(p), np.arange(p)] += prior_precision
    weighted = weights * residual
    factor = np.linalg.cholesky(q)
    inverse = np.linalg.inv(factor)
    h = (inverse @ (weighted @ design)[..., None])[..., 0]
    log_density = -0.5 * ((weighted * residual).sum(-1) - (h * h).sum(-1))
    log_density -= np.log(factor[..., np.arange(p), np.arange(p)]).sum(-1)
    return _Solved(h, inverse, log_density)


def scales_density(
    design: Array,
    seen: Array,
    known: Array,
    unit: Array,
    residual: Array,
    prior_precision: Array,
    log_prior: Callable[[Array], Array],
) -> Density:
    r"""Make the density of K log scales x whose regression coefficients are integrated out.

    Observation n of scale k has the variance :math:`\mathrm{known}_{kn} + e^{2 x_k}
    \mathrm{unit}_n`.

    Parameters
    ----------
    design : ndarray, shape (C, N, P)
    seen, known : ndarray, shape (K, N)
        1 where there is an observation, else 0; its known variance.
    unit : ndarray, broadcastable to (C, K, N)
    residual : ndarray, shape (C, K, N)
    prior_precision : ndarray, broadcastable to (C, K, P)
    log_prior : callable
        Log prior density of the log scales, shape (C, K).
    """

    def density(log_scale: Array) -> tuple[Array, Array, Array]:
        total = known + np.exp(2.0 * log_scale)[..., None] * unit + LEAST_VARIANCE
        solved = weigh(design, seen / total, residual, prior_precision)
        value = solved.log_density - 0.5 * (seen * np.log(total)).sum(-1)
        return value + log_prior(log_scale), solved.h, solved.inverse

    return density


def draw_normal(rng: np.random.Generator, h: Array, inverse: Array) -> Array:
    """Draw coefficients from N(L^-T h, (L L')^-1), given h and L^-1."""
    z = h + rng.standard_normal(h.shape)
    return np.asarray((np.swapaxes(inverse, -1, -2) @ z[..., None])[..., 0])


class Levels:
    r"""Means of the groups that many scalars fall into: :math:`x_k \sim N(m_{g(k)}, s^2)`.

    Parameters
    ----------
    codes : ndarray of int, shape (K,)
        Group of each scalar.
    """

    def __init__(self, codes: Index) -> None:
        self.codes = codes
        self.count = int(codes.max()) + 1 if len(codes) else 0
        self.member = np.eye(self.count)[codes]  # [K, G]
        self.size = self.member.sum(axis=0)

    def draw(
        self, rng: np.random.Generator, x: Array, variance: Array, mean: Array, between: Array
    ) -> Array:
        r"""Draw the groups' means given the scalars; their prior is N(mean, between).

        Parameters
        ----------
        x : ndarray, shape (C, K, ...)
        variance, mean, between : ndarray, shape (C, ...)
            Within groups, prior mean and variance of the groups' means.

        Returns
        -------
        ndarray, shape (C, G, ...)
        """
        size = self.size.reshape((1, -1) + (1,) * (x.ndim - 2))
        precision = size / variance[:, None] + 1.0 / between[:, None]
        total = np.moveaxis(np.tensordot(x, self.member, axes=(1, 0)), -1, 1)
        centre = (total / variance[:, None] + (mean / between)[:, None]) / precision
        return np.asarray(centre + rng.standard_normal(centre.shape) / np.sqrt(precision))


def start(
    t: Array, mask: Taken, rank: int, chains: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Give starting points: column means, and factors and loadings of the filled-in rest.

    The missing cells are filled in by 30 rounds of a singular value decomposition whose values are
    shrunk by 1.5; the chains differ by noise. A start at zero would be a saddle of the density.

    Returns
    -------
    b : ndarray, shape (C, S)
    u : ndarray, shape (C, M, rank)
        Of about unit variance.
    v : ndarray, shape (C, S, rank)
    """
    rows, columns = t.shape
    seen = np.maximum(mask.sum(axis=0), 1)
    b = np.where(mask, t, 0.0).sum(axis=0) / seen
    filled = np.where(mask, t - b, 0.0)
    left, values, right = np.linalg.svd(filled, full_matrices=False)
    for _ in range(30):
        left, values, right = np.linalg.svd(filled, full_matrices=False)
        filled = np.where(mask, t - b, (left * np.maximum(values - 1.5, 0.0)) @ right)
    values = np.maximum(values[:rank] - 1.5, 0.2)
    u = left[:, :rank] * np.sqrt(rows)
    v = right[:rank].T * values / np.sqrt(rows)
    u = u + 0.3 * rng.standard_normal((chains, rows, rank))
    v = v + 0.05 * rng.standard_normal((chains, columns, rank))
    return np.repeat(b[None], chains, axis=0), u, v
