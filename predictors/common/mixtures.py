"""Predictions of values whose distribution is a mixture over posterior draws.

On a scale of its own, a logit or the metric's, each draw gives a location and a scale.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from harness.prediction import RunPrediction
from hibayes.hierarchical.update import log_value_likelihood
from predictors.common.counts import FLOOR, Array, update
from predictors.common.grid import Cells, Shown
from predictors.common.priors import LEVELS, Prior, label, predictions

__all__ = ["Link", "MixtureOfDraws", "mixture_predictions"]

_STEPS = 1000  # of the range of a value that is no count
_POINTS = 241  # at which a distribution function is computed for its quantiles
_REACH = 12.0  # of these, in units of the mixture's spread
_JOINT = 200  # draws that belong together
_EVEN = (np.arange(200) + 0.5) / 200
_SHARP = 4.0  # how much denser they lie in the middle


@dataclass(frozen=True, slots=True)
class Link:
    r"""The scale of the draws: :math:`t(y) = \log((y + e) / (1 - y + e))`, or y itself.

    Attributes
    ----------
    offset : float or None
        e; None for unbounded metrics, whose scale is their own.
    """

    offset: float | None

    def __call__(self, y: Array) -> Array:
        """Put values on the scale."""
        if self.offset is None:
            return np.asarray(y, float)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log((y + self.offset) / (1.0 - y + self.offset)))

    def inverse(self, z: Array) -> Array:
        """Give values back, inside [0, 1] where the metric is bounded.

        Examples
        --------
        >>> Link(0.1).inverse(Link(0.1)(np.array([0.0, 0.3]))).round(9).tolist()
        [0.0, 0.3]
        """
        if self.offset is None:
            return np.asarray(z)
        p = 1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0)))
        return np.clip(p * (1.0 + 2.0 * self.offset) - self.offset, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class MixtureOfDraws:
    """One value's distribution: the mixture of its distributions per draw.

    Attributes
    ----------
    link : Link
    location, scale : ndarray, shape (D,)
        On the link's scale; scale > 0.
    df : float
        Degrees of freedom of Student's t: 4, or infinity for normals.
    order : ndarray, optional
        Draws of the value, in the order of the posterior draws; by default locations and noise.
    weight : ndarray, shape (D,), optional
        Of the draws, with sum 1; equal by default.
    """

    link: Link
    location: Array
    scale: Array
    df: float
    order: Array | None = None
    weight: Array | None = None

    def cdf(self, z: Array) -> Array:
        """Give the distribution function on the link's scale."""
        t = (np.asarray(z, float)[..., None] - self.location) / self.scale
        each = ndtr(t) if np.isinf(self.df) else t4_cdf(t)
        return np.asarray(each.mean(axis=-1) if self.weight is None else each @ self.weight)

    def stretched(self, factor: float) -> MixtureOfDraws:
        """Give the distribution stretched by a factor around its median location."""
        centre = float(np.median(self.location))
        return replace(
            self,
            location=centre + factor * (self.location - centre),
            scale=factor * self.scale,
        )

    def quantiles(self, levels: Array) -> Array:
        """Give quantiles on the link's scale, by linear interpolation of the function."""
        centre = float(np.median(self.location))
        spread = float(np.sqrt(np.var(self.location) + np.mean(self.scale**2)))
        steps = np.sinh(np.linspace(-_SHARP, _SHARP, _POINTS)) / np.sinh(_SHARP)
        z = centre + _REACH * spread * steps
        return np.interp(levels, self.cdf(z), z)

    def log_pmf(self, steps: int) -> Array:
        """Give the log pmf of the count, or step, of 0..steps that a value in [0, 1] rounds to."""
        edges = self.link((np.arange(steps) + 0.5) / steps)
        cdf = np.concatenate(([0.0], self.cdf(edges), [1.0]))
        pmf = np.maximum(np.diff(cdf), FLOOR)
        return np.log(pmf / pmf.sum())

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and sd on the link's scale."""
        noise = 1.0 if np.isinf(self.df) else self.df / (self.df - 2.0)
        mean = float(np.average(self.location, weights=self.weight))
        parts = (self.location - mean) ** 2 + noise * self.scale**2
        return mean, float(np.sqrt(np.average(parts, weights=self.weight)))

    def levels(self, salt: str) -> Array:
        """Give levels of the distribution, one for each of 200 draws that belong together.

        They are the ranks of draws of the value (Clark et al., "The Schaake shuffle", Journal of
        Hydrometeorology 5, 2004), spread evenly: in the order of the posterior draws, as those of
        other values are.

        Parameters
        ----------
        salt : str
            The value's name: of the noise, where no draws of the value are given.
        """
        order = self.order
        if order is None:
            rng = np.random.default_rng(zlib.crc32(salt.encode()))
            size = self.location.shape
            noise = (
                rng.standard_normal(size) if np.isinf(self.df) else rng.standard_t(self.df, size)
            )
            order = self.location + self.scale * noise
        chosen = order[(np.arange(_JOINT) * len(order)) // _JOINT]
        ranks = np.argsort(np.argsort(chosen, kind="stable"), kind="stable")
        return np.asarray((ranks + 0.5) / _JOINT)


def mixture_predictions(
    targets: Cells,
    mixtures: Mapping[int, MixtureOfDraws],
    shown: Shown,
    *,
    joint: bool = False,
    likelihoods: Mapping[int, Array] | None = None,
) -> dict[int, RunPrediction]:
    """Turn mixtures into predictions, after an update by the shown responses.

    The update is that of `predictors.common.priors.predictions`: hypergeometric for counts, normal
    on 1000 steps of the range for other bounded values, and conjugate, with the mixture's mean and
    variance, for unbounded ones.

    Parameters
    ----------
    targets : Cells
    mixtures : mapping of int to MixtureOfDraws
        By row of the targets.
    shown : Shown
    joint : bool
        Whether to give draws that belong together (`MixtureOfDraws.levels`).
    likelihoods : mapping of int to ndarray, shape (n + 1,), optional
        Log likelihoods of the counts, in place of the hypergeometric one.

    Returns
    -------
    dict of int to RunPrediction
    """
    out: dict[int, RunPrediction] = {}
    given = likelihoods or {}
    for row, mixture in mixtures.items():
        k, n = int(shown.k[row]), int(targets.n[row])
        levels = mixture.levels(targets.id[row]) if joint else np.array(LEVELS)
        if targets.counted[row]:
            log_p = mixture.log_pmf(n)
            if row in given:
                log_p = log_p + given[row]
            elif k:
                log_p = update(log_p[None], [min(int(shown.total[row]), k)], [min(k, n)])[0]
            pmf = np.exp(log_p - log_p.max())
            pmf /= pmf.sum()
            mean = float(pmf @ np.arange(n + 1)) / n
            if not joint:
                out[row] = label(targets, row, mean=_own(targets, row, mean), pmf=pmf)
                continue
            values = np.minimum(np.searchsorted(np.cumsum(pmf), levels), n) / n
        elif k and targets.bounded[row]:
            log_p = mixture.log_pmf(_STEPS)
            log_p = log_p + log_value_likelihood(
                _STEPS,
                float(mixture.link.inverse(np.array(np.median(mixture.location)))),
                k,
                float(shown.total[row]),
                float(shown.squares[row]),
                n,
            )
            pmf = np.exp(log_p - log_p.max())
            pmf /= pmf.sum()
            edges = np.concatenate(([0.0], (np.arange(_STEPS) + 0.5) / _STEPS, [1.0]))
            values = np.interp(levels, np.concatenate(([0.0], np.cumsum(pmf))), edges)
            mean = float(pmf @ np.arange(_STEPS + 1)) / _STEPS
        elif k:
            prior = Prior("normal", *mixture.moments)
            one = Shown(shown.k[[row]], shown.total[[row]], shown.squares[[row]])
            (normal,) = predictions(targets.take([row]), [prior], one)
            if not joint:
                out[row] = normal
                continue
            assert normal.normal is not None
            mean, sd = normal.normal
            values = mean + sd * ndtri(levels)
        else:
            values = mixture.link.inverse(mixture.quantiles(np.concatenate([levels, _EVEN])))
            mean, values = float(values[len(levels) :].mean()), values[: len(levels)]
        own = targets.lower[row] + targets.span[row] * values
        mean = _own(targets, row, mean)
        if joint:
            out[row] = label(targets, row, mean=mean, samples=own, joint=True)
        else:
            own = np.maximum.accumulate(own)
            quantiles = dict(zip(LEVELS, own.tolist(), strict=True))
            out[row] = label(targets, row, mean=mean, quantiles=quantiles)
    return out


def t4_cdf(t: Array) -> Array:
    r"""Give the distribution function of Student's t with 4 degrees of freedom.

    .. math:: F(t) = \frac12 + \frac{3}{8} \frac{t}{\sqrt{1 + t^2/4}}
              \Big(1 - \frac{t^2}{12 (1 + t^2/4)}\Big)

    Examples
    --------
    >>> from scipy.stats import t
    >>> float(abs(t4_cdf(np.array([-3.0, 0.5])) - t(4).cdf([-3.0, 0.5])).max()) < 1e-12
    True
    """
    s = t / np.sqrt(4.0 + t * t)  # of t / 2 over sqrt(1 + t² / 4)
    return np.asarray(0.5 + s * (0.75 - 0.25 * s * s))


def _own(targets: Cells, row: int, y: float) -> float:
    return float(targets.lower[row] + targets.span[row] * y)
