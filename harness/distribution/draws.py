"""A distribution known by draws from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harness.distribution.base import Distribution, InvalidPrediction
from harness.distribution.checks import bounds, observed, vector
from harness.distribution.numerics import LEVEL_SLACK, Array, atom_slack, dot


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class Draws(Distribution):
    r"""Draws from the predictive distribution, each moved to the bound if it is beyond one.

    The CRPS is the fair one, unbiased for the CRPS of the distribution behind the draws: with
    the draws :math:`x_{(1)} \le \dots \le x_{(K)}` sorted,

    .. math:: \frac1K \sum_k |x_k - y| - \frac{1}{K(K-1)} \sum_k (2k - K - 1)\, x_{(k)}

    Parameters
    ----------
    samples : array of float, shape (K,), K >= 2
        Draws, metric units, in any order.
    lower, upper : float or None
        Bounds, metric units; None where unknown.

    Attributes
    ----------
    samples : ndarray of float, shape (K,), read-only
        The draws, sorted.

    Raises
    ------
    InvalidPrediction
        Fewer than two draws, or one that is not finite.

    Notes
    -----
    `cdf` and `quantile` are those of the empirical distribution; `sd` divides by K - 1.

    Examples
    --------
    >>> p = Draws([0.2, 0.4, 0.6, 1.2], lower=0, upper=1)
    >>> p.outside, round(p.mean, 6), p.quantile(0.5)
    (0.25, 0.55, 0.4)
    >>> round(p.crps(0.5), 6)
    0.033333
    """

    samples: Array
    lower: float | None
    upper: float | None
    outside: float

    def __init__(
        self, samples: ArrayLike, lower: float | None = None, upper: float | None = None
    ) -> None:
        lower, upper = bounds(lower, upper)
        draws = np.sort(vector(samples, "samples"))
        if len(draws) < 2:
            raise InvalidPrediction(f"samples has {len(draws)} draws, at least 2 are needed")
        slack = atom_slack(lower, upper)
        outside = 0
        if lower is not None and draws[0] < lower:
            outside += int(np.searchsorted(draws, lower - slack, side="left"))
            np.maximum(draws, lower, out=draws)
        if upper is not None and draws[-1] > upper:
            outside += len(draws) - int(np.searchsorted(draws, upper + slack, side="right"))
            np.minimum(draws, upper, out=draws)
        draws.flags.writeable = False
        object.__setattr__(self, "samples", draws)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        object.__setattr__(self, "outside", outside / len(draws))

    @property
    def mean(self) -> float:
        """Mean of the draws, metric units."""
        return float(self.samples.mean())

    @property
    def sd(self) -> float:
        """Standard deviation of the draws (divisor K - 1), metric units."""
        return float(self.samples.std(ddof=1))

    def crps(self, y: float) -> float:
        """Return the fair CRPS of `y`, metric units (see the class)."""
        distances = np.abs(self.samples - observed(y))
        spread = dot(_fair_weights(len(self.samples)), self.samples)
        return max(float(distances.sum()) / len(distances) - spread, 0.0)

    def bandwidth(self, step: float) -> float:
        r"""Return the standard deviation of the smoothing kernel for the log score.

        Silverman's :math:`0.9 \min(sd, IQR / 1.34)\, K^{-1/5}`, and at least half a step.

        Parameters
        ----------
        step : float
            Distance between neighbouring counts, metric units.

        Returns
        -------
        float
            Metric units. Where the inter-quartile range is 0, the sd alone is used.
        """
        quartiles = self._quantile(np.array([0.25, 0.75]))
        spreads = [self.sd, float(quartiles[1] - quartiles[0]) / 1.34]
        width = min((s for s in spreads if s > 0.0), default=0.0)
        return max(0.9 * width / math.pow(len(self.samples), 0.2), 0.5 * step)

    def probability_of_count(self, count: int, n: int, lower: float, upper: float) -> float:
        """Return one entry of ``discretise(self, n, lower, upper).pmf`` without the others.

        Parameters
        ----------
        count : int in 0..n
            The count.
        n : int
            Number of trials.
        lower, upper : float
            Values of the counts 0 and n, metric units.

        Returns
        -------
        float
            A probability.
        """
        step = (upper - lower) / n
        inverse = 1.0 / self.bandwidth(step)
        mass = np.ones(len(self.samples))
        if count < n:
            mass = special.ndtr((lower + (count + 0.5) * step - self.samples) * inverse)
        if count > 0:
            mass = mass - special.ndtr((lower + (count - 0.5) * step - self.samples) * inverse)
        return max(float(mass.sum()) / len(mass), 0.0)

    def _cdf(self, x: Array) -> Array:
        return self._share(x, np.searchsorted(self.samples, x, side="right"))

    def _cdf_left(self, x: Array) -> Array:
        return self._share(x, np.searchsorted(self.samples, x, side="left"))

    def _share(self, x: Array, below: NDArray[np.intp]) -> Array:
        return np.where(np.isnan(x), np.nan, below / len(self.samples))

    def _quantile(self, level: Array) -> Array:
        k = len(self.samples)
        rank = np.ceil(np.where(level < 1, level * LEVEL_SLACK, 1.0) * k)
        result: Array = self.samples[np.clip(rank, 1, k).astype(np.intp) - 1]
        return result


@lru_cache(maxsize=32)
def _fair_weights(k: int) -> Array:
    """Return (2i - K - 1) / (K (K - 1)) for i = 1..K: half the mean distance of two draws."""
    ranks = np.arange(1, k + 1, dtype=np.float64)
    weights: Array = (2.0 * ranks - k - 1.0) / (k * (k - 1.0))
    weights.flags.writeable = False
    return weights
