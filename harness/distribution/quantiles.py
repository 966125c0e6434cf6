"""A distribution known by some of its quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.distribution.base import Distribution, InvalidPrediction
from harness.distribution.checks import MAX_SIZE, bounds, observed, vector
from harness.distribution.numerics import Array, atom_slack, dot


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class Quantiles(Distribution):
    r"""The piecewise-linear distribution function through given quantiles.

    Between two quantiles the mass is spread evenly. Below the first, it is spread evenly down to
    the lower bound where that is known; where it is not, the first segment is continued with the
    same slope until level 0. The upper end likewise. Equal values make an atom. If quantiles lie
    beyond a bound, the line is cut at the bound and the mass beyond it becomes an atom there.

    Parameters
    ----------
    levels : array of float, shape (Q,), Q >= 2
        Strictly increasing probabilities strictly inside (0, 1).
    values : array of float, shape (Q,)
        Non-decreasing values, metric units.
    lower, upper : float or None
        Bounds, metric units; None where unknown.

    Attributes
    ----------
    x, p : ndarray of float, shape (Q', ), read-only
        The corners of the distribution function: values and probabilities from 0 to 1.

    Raises
    ------
    InvalidPrediction
        Levels or values are not as described, or too large to continue a segment.

    Notes
    -----
    CRPS is exact: over a segment of width w on which F goes from p to q,
    :math:`\int F^2 = w\,(p^2 + pq + q^2)/3`, and likewise for :math:`(1-F)^2`.

    Examples
    --------
    >>> p = Quantiles([0.25, 0.5, 0.75], [0.4, 0.5, 0.6], lower=0, upper=1)
    >>> p.cdf(0.2), p.quantile(0.5)
    (0.125, 0.5)
    >>> Quantiles([0.25, 0.75], [1, 3]).quantile([0, 1]).tolist()
    [0.0, 4.0]
    """

    x: Array
    p: Array
    lower: float | None
    upper: float | None
    outside: float

    def __init__(
        self,
        levels: ArrayLike,
        values: ArrayLike,
        lower: float | None = None,
        upper: float | None = None,
    ) -> None:
        lower, upper = bounds(lower, upper)
        p, x = vector(levels, "quantile levels"), vector(values, "quantile values")
        _check_quantiles(p, x)
        x, p = _finish_ends(x, p, lower, upper)
        if not x[-1] - x[0] <= MAX_SIZE:
            raise InvalidPrediction("quantiles: the ends they lead to are too far apart")
        below = above = 0.0
        if lower is not None and x[0] < lower:
            x, p, below = _cut_below(x, p, lower)
        if upper is not None and x[-1] > upper:  # the same, mirrored
            x, p, above = _cut_below(-x[::-1], 1.0 - p[::-1], -upper)
            x, p = -x[::-1], 1.0 - p[::-1]
        x.flags.writeable = False
        p.flags.writeable = False
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "p", p)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        object.__setattr__(self, "outside", min(below + above, 1.0))

    @property
    def mean(self) -> float:
        """Mean, metric units."""
        return dot(np.diff(self.p), 0.5 * self.x[1:] + 0.5 * self.x[:-1])

    @property
    def sd(self) -> float:
        """Standard deviation, metric units."""
        left, right = self.x[:-1] - self.mean, self.x[1:] - self.mean
        moment = (left * left + left * right + right * right) / 3.0
        return math.sqrt(max(dot(np.diff(self.p), moment), 0.0))

    def crps(self, y: float) -> float:
        """Return the exact CRPS of `y`, metric units (see the class)."""
        y = observed(y)
        cut = int(np.searchsorted(self.x, y, side="right"))
        at = self.cdf(y)
        below = _square_integral(np.append(self.x[:cut], y), np.append(self.p[:cut], at))
        above = _square_integral(np.append(y, self.x[cut:]), 1.0 - np.append(at, self.p[cut:]))
        return below + above

    def log_density(self, y: float) -> float:
        """Return the log density at `y`: of the segment to its right; +inf at an atom."""
        y = observed(y)
        if self.cdf(y) > self.cdf_left(y):
            return math.inf
        if not self.x[0] <= y <= self.x[-1]:
            return -math.inf
        right = min(max(int(np.searchsorted(self.x, y, side="right")), 1), len(self.x) - 1)
        rise = float(self.p[right] - self.p[right - 1])
        return math.log(rise / float(self.x[right] - self.x[right - 1]))

    def _cdf(self, x: Array) -> Array:
        return self._interpolate(x, np.searchsorted(self.x, x, side="right"))

    def _cdf_left(self, x: Array) -> Array:
        return self._interpolate(x, np.searchsorted(self.x, x, side="left"))

    def _interpolate(self, x: Array, right: NDArray[np.intp]) -> Array:
        """Return F on the segment that ends at the corner `right`, 0 and 1 beyond the ends."""
        inside = np.clip(right, 1, len(self.x) - 1)
        start, end = self.x[inside - 1], self.x[inside]
        width = np.where(end > start, end - start, 1.0)
        share = np.clip((x - start) / width, 0.0, 1.0)
        p = self.p[inside - 1] + share * (self.p[inside] - self.p[inside - 1])
        p = np.where(right == 0, 0.0, np.where(right == len(self.x), 1.0, p))
        return np.where(np.isnan(x), np.nan, p)

    def _quantile(self, level: Array) -> Array:
        right = np.clip(np.searchsorted(self.p, level, side="left"), 1, len(self.p) - 1)
        start, end = self.p[right - 1], self.p[right]
        share = (level - start) / (end - start)
        result: Array = self.x[right - 1] + share * (self.x[right] - self.x[right - 1])
        return np.where(share >= 1.0, self.x[right], result)


def _check_quantiles(levels: Array, values: Array) -> None:
    if len(levels) != len(values) or len(levels) < 2:
        raise InvalidPrediction(
            f"quantiles: {len(levels)} levels and {len(values)} values; "
            "as many of each are needed, at least 2"
        )
    bad = (levels <= 0.0) | (levels >= 1.0)
    if bad.any():
        raise InvalidPrediction(
            f"quantiles: level {float(levels[bad][0])!r} is not strictly between 0 and 1"
        )
    flat = np.flatnonzero(levels[1:] <= levels[:-1])
    if len(flat):
        raise InvalidPrediction(
            f"quantiles: level {float(levels[flat[0] + 1])!r} follows "
            f"{float(levels[flat[0]])!r}; levels must increase"
        )
    down = np.flatnonzero(values[1:] < values[:-1])
    if len(down):
        i = int(down[0])
        raise InvalidPrediction(
            f"quantiles: the value falls from {float(values[i])!r} at level {float(levels[i])!r} "
            f"to {float(values[i + 1])!r} at level {float(levels[i + 1])!r}"
        )


def _finish_ends(
    x: Array, p: Array, lower: float | None, upper: float | None
) -> tuple[Array, Array]:
    """Lead the line through (x, p) down to level 0 and up to level 1 (see Quantiles).

    Where the outermost value is beyond the bound, how its mass is spread there does not matter.
    """
    slack = atom_slack(lower, upper)
    if lower is not None and upper is not None:
        x = np.where(np.abs(x - lower) <= slack, lower, x)
        x = np.where(np.abs(x - upper) <= slack, upper, x)
    (x0, x1), (p0, p1) = x[:2].tolist(), p[:2].tolist()
    (x2, x3), (p2, p3) = x[-2:].tolist(), p[-2:].tolist()
    start = x0 - p0 * (x1 - x0) / (p1 - p0) if lower is None else min(lower, x0)
    end = x3 + (1.0 - p3) * (x3 - x2) / (p3 - p2) if upper is None else max(upper, x3)
    return np.concatenate(([start], x, [end])), np.concatenate(([0.0], p, [1.0]))


def _cut_below(x: Array, p: Array, lower: float) -> tuple[Array, Array, float]:
    """Cut the line through (x, p) at `lower`; the mass below, returned third, is an atom there."""
    keep = int(np.searchsorted(x, lower, side="left"))  # x[keep - 1] < lower <= x[keep]
    if keep == len(x):
        return np.array([lower, lower]), np.array([0.0, 1.0]), 1.0
    share = (lower - x[keep - 1]) / (x[keep] - x[keep - 1])
    below = float(p[keep - 1] + share * (p[keep] - p[keep - 1]))
    x = np.concatenate(([lower, lower], x[keep:]))
    return x, np.concatenate(([0.0, below], p[keep:])), below


def _square_integral(x: Array, p: Array) -> float:
    """Return the integral of the square of the line through (x, p)."""
    left, right = p[:-1], p[1:]
    return dot(np.diff(x), left * left + left * right + right * right) / 3.0
