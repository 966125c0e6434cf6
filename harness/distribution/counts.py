"""Probabilities of the counts behind a binary metric's value, and their grid."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from harness.distribution.base import Distribution, InvalidPrediction
from harness.distribution.checks import bounds, vector
from harness.distribution.numerics import LEVEL_SLACK, Array, dot

SUM_TOLERANCE = 1e-6  # how far the probabilities of a pmf may sum from 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CountPmf(Distribution):
    r"""Probabilities of the counts 0..N behind a binary metric's value.

    :math:`y = lower + (upper - lower)\, c / N`, with :math:`P(C = c)` = ``pmf[c]`` and

    .. math:: CRPS = \frac{upper - lower}{N} \sum_{c=0}^{N-1} (F(c) - 1\{C \le c\})^2

    Parameters
    ----------
    pmf : array of float, shape (N + 1,), N >= 1
        Probabilities: not negative, with a sum within 1e-6 of 1 (then divided by it).
    lower, upper : float
        Values of the counts 0 and N, metric units.
    outside : float in [0, 1]
        Mass that had been outside the bounds.

    Attributes
    ----------
    pmf, cumulative : ndarray of float, shape (N + 1,), read-only
        Probabilities of the counts and their running sums.

    Raises
    ------
    InvalidPrediction
        `pmf` is not a probability mass function.
    ValueError
        The bounds are not finite and increasing.

    Examples
    --------
    >>> p = CountPmf([0.2, 0.5, 0.3])  # 0, 1 or 2 of 2 right
    >>> round(p.mean, 6), p.quantile(0.5)
    (0.55, 0.5)
    >>> round(p.crps(1.0), 6)  # (0.2^2 + 0.7^2) / 2
    0.265
    """

    pmf: Array
    lower: float = 0.0
    upper: float = 1.0
    outside: float = 0.0
    cumulative: Array = field(init=False)

    def __post_init__(self) -> None:
        pmf = self.pmf
        if type(pmf) is not np.ndarray or pmf.dtype != np.float64 or pmf.ndim != 1:
            pmf = vector(pmf, "pmf")
        if len(pmf) < 2:
            raise InvalidPrediction(f"pmf has {len(pmf)} entries; counts 0..N need at least 2")
        with np.errstate(over="ignore", invalid="ignore"):  # said below, as a fault
            cumulative = np.cumsum(pmf)
        total = float(cumulative[-1])
        if not (pmf.min() >= 0.0 and abs(total - 1.0) <= SUM_TOLERANCE):
            raise InvalidPrediction(_pmf_fault(pmf))
        pmf = pmf / total  # a copy: the caller's array stays the caller's
        cumulative /= total  # the last entry is exactly 1, none exceeds it
        pmf.flags.writeable = False
        cumulative.flags.writeable = False
        lower, upper = bounds(self.lower, self.upper)
        if lower is None or upper is None:
            raise ValueError("a count grid needs both bounds")
        object.__setattr__(self, "pmf", pmf)
        object.__setattr__(self, "cumulative", cumulative)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)

    @property
    def n(self) -> int:
        """The number N of trials: counts run from 0 to N."""
        return len(self.pmf) - 1

    @property
    def mean(self) -> float:
        """Mean, metric units."""
        n = self.n
        return self.lower + (self.upper - self.lower) / n * dot(_counts(n), self.pmf)

    @property
    def sd(self) -> float:
        """Standard deviation, metric units."""
        counts = _counts(self.n)
        deviation = counts - dot(counts, self.pmf)
        variance = dot(deviation * deviation, self.pmf)
        return (self.upper - self.lower) / self.n * math.sqrt(variance)

    def count(self, y: float) -> int:
        """Return the count behind the value `y`: see `grid_count`."""
        return grid_count(y, self.n, self.lower, self.upper)

    def crps(self, y: float) -> float:
        """Return the exact CRPS of `y`, metric units (see `Distribution.crps`)."""
        return self.crps_of_count(self.count(y))

    def crps_of_count(self, count: int) -> float:
        """Return the exact CRPS of a count in 0..N, metric units."""
        below = self.cumulative[:count]
        above = 1.0 - self.cumulative[count:-1]
        return (self.upper - self.lower) / self.n * (dot(below, below) + dot(above, above))

    def log_pmf(self, y: float) -> float:
        """Return the log probability of the count behind `y`, in nats; -inf where it is 0."""
        p = float(self.pmf[self.count(y)])
        return math.log(p) if p > 0.0 else -math.inf

    def _position(self, x: Array) -> Array:
        position: Array = (x - self.lower) * (self.n / (self.upper - self.lower))
        return position

    def _at_or_below(self, count: Array) -> Array:
        """Return P(C <= count) for whole numbers, infinities and NaN, any shape."""
        padded = np.concatenate(([0.0], self.cumulative))
        index = np.clip(np.nan_to_num(count), -1, self.n).astype(np.intp) + 1
        return np.where(np.isnan(count), np.nan, padded[index])

    def _cdf(self, x: Array) -> Array:
        return self._at_or_below(np.floor(self._position(x) + grid_tolerance(self.n)))

    def _cdf_left(self, x: Array) -> Array:
        return self._at_or_below(np.ceil(self._position(x) - grid_tolerance(self.n)) - 1.0)

    def _quantile(self, level: Array) -> Array:
        n = self.n
        reached = np.searchsorted(self.cumulative, np.where(level < 1, level * LEVEL_SLACK, 1.0))
        first = np.searchsorted(self.cumulative, 0.0, side="right")  # the lowest count with mass
        result: Array = self.lower + (self.upper - self.lower) * np.maximum(reached, first) / n
        return result


def grid_tolerance(n: int) -> float:
    """Return how far, in counts, a value may be from a count of 0..n and still be that count.

    One millionth of the range (a value published with six decimals, or kept in single
    precision), but never more than a quarter of the step between counts.

    Parameters
    ----------
    n : int
        Number of trials.

    Returns
    -------
    float
        ``min(1e-6 * n, 0.25)`` counts.
    """
    return min(1e-6 * n, 0.25)


def grid_count(y: float, n: int, lower: float = 0.0, upper: float = 1.0) -> int:
    """Return the count in 0..n behind a value on the grid from `lower` to `upper`.

    Parameters
    ----------
    y : float
        Value, metric units.
    n : int
        Number of trials, at least 1.
    lower, upper : float
        Values of the counts 0 and n, metric units.

    Returns
    -------
    int
        The nearest count.

    Raises
    ------
    ValueError
        `y` is farther from every count than `grid_tolerance` allows, or not finite.

    Examples
    --------
    >>> grid_count(0.1 + 0.2, n=10)
    3
    >>> grid_count(0.1234, n=10)
    Traceback (most recent call last):
        ...
    ValueError: value 0.1234 is no count of 10 between 0 and 1: it lies at 1.234 counts
    """
    position = (y - lower) * n / (upper - lower)
    count = round(position) if math.isfinite(position) else -1
    if not (0 <= count <= n and abs(position - count) <= grid_tolerance(n)):
        raise ValueError(
            f"value {float(y)!r} is no count of {n} between {lower:g} and {upper:g}: "
            f"it lies at {position:.9g} counts"
        )
    return count


def _pmf_fault(pmf: Array) -> str:
    """Say which entry of a pmf is wrong, or that the sum is."""
    for where, text in (
        (np.flatnonzero(~np.isfinite(pmf)), "it must be finite"),
        (np.flatnonzero(pmf < 0.0), "a probability cannot be negative"),
    ):
        if len(where):
            return f"pmf[{where[0]}] is {float(pmf[where[0]])!r}, {text}"
    return f"pmf sums to {float(pmf.sum())!r}, not to 1 within {SUM_TOLERANCE:g}"


@lru_cache(maxsize=32)
def _counts(n: int) -> Array:
    counts = np.arange(n + 1, dtype=np.float64)
    counts.flags.writeable = False
    return counts
