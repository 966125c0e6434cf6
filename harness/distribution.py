"""Predictive distributions of one run's value, in the metric's own units.

Owns their checking (`from_parts`), the move onto the count grid of a binary metric (`discretise`)
and every closed form that the scoring rules of `harness.rules` need.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "Beta",
    "CountPmf",
    "Distribution",
    "Draws",
    "InvalidPrediction",
    "Normal",
    "PointMass",
    "Quantiles",
    "discretise",
    "from_parts",
    "grid_count",
    "grid_tolerance",
]

Array: TypeAlias = NDArray[np.float64]

MIN_SAMPLES = 100
MIN_LEVELS = 5
MAX_SHAPE = 1e100
MAX_SIZE = 1e150  # of any stated number: squares and sums of larger ones overflow
SUM_TOLERANCE = 1e-6  # how far the probabilities of a pmf may sum from 1
ATOM_TOLERANCE = 1e-9  # of the range: values closer than this are the same value
NARROW = 0.01  # of the sd: over so short a range a normal is integrated by quadrature
LEVEL_SLACK = 1.0 - 1e-12  # a cumulative sum short of a level by rounding still reaches it

_LOG_2 = math.log(2.0)
_SQRT_2 = math.sqrt(2.0)
_SQRT_PI = math.sqrt(math.pi)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_GAUSS_NODES, _GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(5)


class InvalidPrediction(ValueError):
    """A prediction that is no distribution; the message names the number that is wrong."""


# ---------------------------------------------------------------------------------------------
# The base


class Distribution(ABC):
    """Predictive distribution of one run's value :math:`y`.

    Attributes
    ----------
    lower, upper : float or None
        Bounds of the metric, in its own units; None where unknown. No mass lies beyond a known
        bound: what a prediction had put there is collected *at* the bound (never renormalised).
    outside : float in [0, 1]
        The mass that was collected so.

    Notes
    -----
    Instances are immutable. Values `x` and `y` are in the metric's own units throughout, and
    anything that takes `x` or `level` takes a number (a float comes back) or an array (an array
    of the same shape comes back). A NaN `x` gives NaN; a NaN or infinite `y` is a ValueError.
    """

    __slots__ = ()

    lower: float | None
    upper: float | None
    outside: float

    @overload
    def cdf(self, x: float) -> float: ...
    @overload
    def cdf(self, x: NDArray[Any] | Sequence[float]) -> Array: ...
    def cdf(self, x: ArrayLike) -> float | Array:
        r"""Return the distribution function :math:`F(x) = P(Y \le x)`.

        Parameters
        ----------
        x : float or array of float, any shape
            Values, metric units.

        Returns
        -------
        float or ndarray of float, same shape
            Probabilities in [0, 1].
        """
        return _apply(self._cdf, x)

    @overload
    def cdf_left(self, x: float) -> float: ...
    @overload
    def cdf_left(self, x: NDArray[Any] | Sequence[float]) -> Array: ...
    def cdf_left(self, x: ArrayLike) -> float | Array:
        """Return :math:`F(x-) = P(Y < x)`; differs from `cdf` where there is an atom.

        Parameters
        ----------
        x : float or array of float, any shape
            Values, metric units.

        Returns
        -------
        float or ndarray of float, same shape
            Probabilities in [0, 1].
        """
        return _apply(self._cdf_left, x)

    @overload
    def quantile(self, level: float) -> float: ...
    @overload
    def quantile(self, level: NDArray[Any] | Sequence[float]) -> Array: ...
    def quantile(self, level: ArrayLike) -> float | Array:
        r"""Return the generalised inverse :math:`\inf\{x: F(x) \ge level\}`.

        Level 0 gives the lower end of the support, level 1 the upper end. On discrete
        distributions a cumulative sum that misses the level by rounding (1e-12) reaches it.

        Parameters
        ----------
        level : float or array of float in [0, 1], any shape
            Probabilities.

        Returns
        -------
        float or ndarray of float, same shape
            Values, metric units.

        Raises
        ------
        ValueError
            A level is outside [0, 1] or NaN.
        """
        levels = np.asarray(level, dtype=np.float64)
        if not np.all((levels >= 0.0) & (levels <= 1.0)):
            raise ValueError(f"quantile levels are probabilities in [0, 1], got {level!r}")
        return _apply(self._quantile, levels)

    @property
    @abstractmethod
    def mean(self) -> float:
        """Mean, metric units."""

    @property
    @abstractmethod
    def sd(self) -> float:
        """Standard deviation, metric units."""

    @abstractmethod
    def crps(self, y: float) -> float:
        r"""Return the continuous ranked probability score of `y`, in metric units.

        .. math:: \int (F(u) - 1\{y \le u\})^2 du = E|Y - y| - E|Y - Y'| / 2

        Parameters
        ----------
        y : float
            The observed value, metric units.

        Returns
        -------
        float
            At least 0; less is better; :math:`|x - y|` for a point mass at x.

        Raises
        ------
        ValueError
            `y` is not finite, or (on a count grid) not on the grid.

        References
        ----------
        Gneiting & Raftery (2007), doi:10.1198/016214506000001437.
        """

    def log_pmf(self, y: float) -> float:
        """Return the log probability of the count behind `y` (count grids only), in nats.

        Parameters
        ----------
        y : float
            The observed value, metric units.

        Raises
        ------
        TypeError
            The distribution is not on a count grid.
        ValueError
            `y` is not on the grid.
        """
        raise TypeError(
            f"{type(self).__name__} is not on a count grid, so it has no log_pmf; "
            "put it there with discretise(distribution, n, lower, upper)"
        )

    def log_density(self, y: float) -> float:
        """Return the log density at `y`, in nats per metric unit.

        At a known bound that holds an atom it is the log of the atom's mass (the density with
        respect to Lebesgue measure plus a unit mass at each bound).

        Parameters
        ----------
        y : float
            The observed value, metric units.

        Raises
        ------
        TypeError
            The distribution has no density.
        """
        raise TypeError(f"{type(self).__name__} has no density")

    @abstractmethod
    def _cdf(self, x: Array) -> Array: ...

    @abstractmethod
    def _cdf_left(self, x: Array) -> Array: ...

    @abstractmethod
    def _quantile(self, level: Array) -> Array: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean:.6g}, sd={self.sd:.6g})"


# ---------------------------------------------------------------------------------------------
# The count grid


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
            pmf = _vector(pmf, "pmf")
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
        lower, upper = _bounds(self.lower, self.upper)
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
        return self.lower + (self.upper - self.lower) / n * _dot(_counts(n), self.pmf)

    @property
    def sd(self) -> float:
        """Standard deviation, metric units."""
        counts = _counts(self.n)
        deviation = counts - _dot(counts, self.pmf)
        variance = _dot(deviation * deviation, self.pmf)
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
        return (self.upper - self.lower) / self.n * (_dot(below, below) + _dot(above, above))

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


# ---------------------------------------------------------------------------------------------
# Distributions on the line


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class PointMass(Distribution):
    """All mass on one value; its CRPS is the absolute error.

    Parameters
    ----------
    value : float
        The value, metric units; moved to the bound (and `outside` is 1) if it is beyond one.
    lower, upper : float or None
        Bounds, metric units; None where unknown.

    Raises
    ------
    InvalidPrediction
        `value` is not a finite number.

    Examples
    --------
    >>> PointMass(1.3, lower=0, upper=1).value
    1.0
    >>> PointMass(0.5).crps(0.25)
    0.25
    """

    value: float
    lower: float | None
    upper: float | None
    outside: float

    def __init__(
        self, value: float, lower: float | None = None, upper: float | None = None
    ) -> None:
        lower, upper = _bounds(lower, upper)
        raw = _number(value, "mean")
        low = -math.inf if lower is None else lower
        high = math.inf if upper is None else upper
        slack = _atom_slack(lower, upper)
        object.__setattr__(self, "value", min(max(raw, low), high))
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        object.__setattr__(self, "outside", float(raw < low - slack or raw > high + slack))

    @property
    def mean(self) -> float:
        """The value."""
        return self.value

    @property
    def sd(self) -> float:
        """0."""
        return 0.0

    def crps(self, y: float) -> float:
        """Return :math:`|value - y|`, metric units."""
        return abs(self.value - _observed(y))

    def _cdf(self, x: Array) -> Array:
        return np.where(np.isnan(x), np.nan, x >= self.value)

    def _cdf_left(self, x: Array) -> Array:
        return np.where(np.isnan(x), np.nan, x > self.value)

    def _quantile(self, level: Array) -> Array:
        return np.full(level.shape, self.value)


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class Normal(Distribution):
    r"""A normal whose mass beyond a known bound is collected at the bound.

    With :math:`z_x = (x - mean)/sd` and
    :math:`G(z) = z\Phi(z)^2 + 2\Phi(z)\varphi(z) - \Phi(\sqrt2 z)/\sqrt\pi`, the integral
    of :math:`\Phi^2` from :math:`-\infty` to z,

    .. math:: CRPS = sd\,[G(z_y) - G(z_{lower}) + G(-z_y) - G(-z_{upper})]

    where an unknown bound is infinite, :math:`G(-\infty) = 0`.

    Parameters
    ----------
    mean, sd : float, sd > 0
        Mean and standard deviation *before* the mass is collected, metric units; kept as
        `location` and `scale`. The properties `mean` and `sd` are those of the result.
    lower, upper : float or None
        Bounds, metric units; None where unknown.

    Raises
    ------
    InvalidPrediction
        `mean` or `sd` is not finite, or `sd` is not positive.

    References
    ----------
    Gneiting & Raftery (2007), doi:10.1198/016214506000001437.

    Examples
    --------
    >>> p = Normal(0.9, 0.1, lower=0, upper=1)
    >>> round(p.outside, 4), round(p.mean, 4), p.quantile(0.9)
    (0.1587, 0.8917, 1.0)
    >>> round(Normal(0, 1).crps(0.0), 6)
    0.233695
    """

    location: float
    scale: float
    lower: float | None
    upper: float | None
    outside: float

    def __init__(
        self, mean: float, sd: float, lower: float | None = None, upper: float | None = None
    ) -> None:
        lower, upper = _bounds(lower, upper)
        location = _number(mean, "normal: mean")
        scale = _number(sd, "normal: sd")
        if not scale > 0.0:
            raise InvalidPrediction(f"normal: sd is {scale!r}, it must be positive")
        object.__setattr__(self, "location", location)
        object.__setattr__(self, "scale", scale)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        below, above = self._tails()
        object.__setattr__(self, "outside", min(below + above, 1.0))

    def _ends(self) -> tuple[float, float]:
        """Return the bounds, infinite where unknown."""
        return (
            -math.inf if self.lower is None else self.lower,
            math.inf if self.upper is None else self.upper,
        )

    def _z(self, x: float) -> float:
        return (x - self.location) / self.scale

    def _tails(self) -> tuple[float, float]:
        """Return the mass below the lower and above the upper bound."""
        low, high = self._ends()
        return _normal_cdf(self._z(low)), _normal_cdf(-self._z(high))

    @property
    def mean(self) -> float:
        """Mean after the mass outside is collected at the bounds, metric units."""
        return self._moments()[0]

    @property
    def sd(self) -> float:
        """Standard deviation after the mass outside is collected, metric units."""
        return self._moments()[1]

    def _moments(self) -> tuple[float, float]:
        """Return mean and standard deviation after the mass outside is collected."""
        location, scale = self.location, self.scale
        low, high = self._ends()
        if high - low <= NARROW * scale:  # E Y and E Y^2 from the integrals of F and of t F
            width, t = high - low, 0.5 + 0.5 * _GAUSS_NODES
            weights = 0.5 * _GAUSS_WEIGHTS * special.ndtr((low + width * t - location) / scale)
            first, second = 1.0 - float(weights.sum()), 1.0 - 2.0 * _dot(weights, t)
            return low + width * first, width * math.sqrt(max(second - first * first, 0.0))
        below, above = self._tails()
        z_low, z_high = self._z(low), self._z(high)
        pdf_low, pdf_high = _normal_pdf(z_low), _normal_pdf(z_high)
        inside, slope = max(1.0 - below - above, 0.0), pdf_low - pdf_high
        mean = location * inside + scale * slope
        mean += (low * below if below else 0.0) + (high * above if above else 0.0)
        mean = min(max(mean, low), high)

        shift = (location - mean) / scale  # second moment about the mean, in squared scales
        moment = (shift * shift + 1.0) * inside if inside else 0.0
        moment += 2.0 * shift * slope if slope else 0.0
        moment += (z_low * pdf_low if pdf_low else 0.0) - (z_high * pdf_high if pdf_high else 0.0)
        moment += ((low - mean) / scale) * ((low - mean) / scale) * below if below else 0.0
        moment += ((high - mean) / scale) * ((high - mean) / scale) * above if above else 0.0
        return mean, min(scale * math.sqrt(max(moment, 0.0)), 0.5 * (high - low))

    def crps(self, y: float) -> float:
        """Return the CRPS of `y` in closed form, metric units (see the class)."""
        y = _observed(y)
        low, high = self._ends()
        inner = min(max(y, low), high)
        below = _normal_square_integral(low, inner, self.location, self.scale)
        above = _normal_square_integral(-high, -inner, -self.location, self.scale)
        return max(below + above, 0.0) + abs(y - inner)

    def log_density(self, y: float) -> float:
        """Return the log density at `y`; at a known bound the log of the mass collected there."""
        y = _observed(y)
        low, high = self._ends()
        if y < low or y > high:
            return -math.inf
        if y == low:
            return float(special.log_ndtr(self._z(low)))
        if y == high:
            return float(special.log_ndtr(-self._z(high)))
        z = self._z(y)
        return -0.5 * z * z - math.log(self.scale * _SQRT_2PI)

    def _cdf(self, x: Array) -> Array:
        low, high = self._ends()
        with np.errstate(over="ignore"):
            p = special.ndtr((x - self.location) / self.scale)
        return np.where(x < low, 0.0, np.where(x >= high, 1.0, p))

    def _cdf_left(self, x: Array) -> Array:
        low, high = self._ends()
        with np.errstate(over="ignore"):
            p = special.ndtr((x - self.location) / self.scale)
        return np.where(x <= low, 0.0, np.where(x > high, 1.0, p))

    def _quantile(self, level: Array) -> Array:
        low, high = self._ends()
        result: Array = np.clip(self.location + self.scale * special.ndtri(level), low, high)
        return result


@dataclass(frozen=True, slots=True, eq=False, repr=False, init=False)
class Beta(Distribution):
    r"""A beta distribution stretched over the metric's range.

    With :math:`t = (y - lower)/(upper - lower)`, F(t; a, b) the distribution function on [0, 1]
    and B the beta function,

    .. math:: \frac{CRPS}{upper - lower} = t(2F(t; a, b) - 1) + \frac{a}{a+b}
        \left(1 - 2F(t; a+1, b) - \frac{2B(2a, 2b)}{a\,B(a, b)^2}\right)

    Parameters
    ----------
    a, b : float in [1e-100, 1e100]
        Shape parameters.
    lower, upper : float
        Bounds, metric units.

    Raises
    ------
    InvalidPrediction
        A shape is not finite, not positive, or astronomical.
    ValueError
        A bound is unknown.

    Examples
    --------
    >>> Beta(1, 1).mean, round(Beta(1, 1).crps(1.0), 6)
    (0.5, 0.333333)
    """

    a: float
    b: float
    lower: float
    upper: float
    outside: float

    def __init__(self, a: float, b: float, lower: float = 0.0, upper: float = 1.0) -> None:
        known_lower, known_upper = _bounds(lower, upper)
        if known_lower is None or known_upper is None:
            raise ValueError("a beta distribution needs both bounds")
        shapes = _number(a, "beta: a"), _number(b, "beta: b")
        for name, shape in zip("ab", shapes, strict=True):
            if not shape > 0.0:
                raise InvalidPrediction(f"beta: {name} is {shape!r}, it must be positive")
            if not 1.0 / MAX_SHAPE <= shape <= MAX_SHAPE:
                raise InvalidPrediction(
                    f"beta: {name} is {shape!r}, beyond what can be computed with "
                    f"({1.0 / MAX_SHAPE:g} to {MAX_SHAPE:g})"
                )
        object.__setattr__(self, "a", shapes[0])
        object.__setattr__(self, "b", shapes[1])
        object.__setattr__(self, "lower", known_lower)
        object.__setattr__(self, "upper", known_upper)
        object.__setattr__(self, "outside", 0.0)

    @property
    def _unit_mean(self) -> float:
        return 1.0 / (1.0 + self.b / self.a)

    @property
    def mean(self) -> float:
        """Mean, metric units."""
        return self.lower + (self.upper - self.lower) * self._unit_mean

    @property
    def sd(self) -> float:
        """Standard deviation, metric units."""
        mean = self._unit_mean
        variance = mean * (1.0 - mean) / (self.a + self.b + 1.0)
        return (self.upper - self.lower) * math.sqrt(variance)

    def crps(self, y: float) -> float:
        """Return the CRPS of `y` in closed form, metric units (see the class)."""
        y = _observed(y)
        inner = min(max(y, self.lower), self.upper)
        a, b, t = self.a, self.b, self._unit(inner)
        log_ratio = special.betaln(2 * a, 2 * b) - 2 * special.betaln(a, b) - math.log(a)
        spread = 2.0 * math.exp(min(log_ratio, -_LOG_2))  # E|Y - Y'| / (2 E Y), at most 1
        middle = 1.0 - 2.0 * float(special.betainc(a + 1.0, b, t)) - spread
        value = t * (2.0 * float(special.betainc(a, b, t)) - 1.0) + self._unit_mean * middle
        return (self.upper - self.lower) * min(max(value, 0.0), 1.0) + abs(y - inner)

    def log_density(self, y: float) -> float:
        """Return the log density at `y`; infinite at an end where the density is."""
        t = self._unit(_observed(y))
        if not 0.0 <= t <= 1.0:
            return -math.inf
        kernel = special.xlogy(self.a - 1.0, t) + special.xlog1py(self.b - 1.0, -t)
        return float(kernel - special.betaln(self.a, self.b)) - math.log(self.upper - self.lower)

    def _unit(self, y: float) -> float:
        return (y - self.lower) / (self.upper - self.lower)

    def _cdf(self, x: Array) -> Array:
        t = np.clip((x - self.lower) / (self.upper - self.lower), 0.0, 1.0)
        result: Array = special.betainc(self.a, self.b, t)
        return result

    def _cdf_left(self, x: Array) -> Array:
        return self._cdf(x)

    def _quantile(self, level: Array) -> Array:
        t = np.clip(special.betaincinv(self.a, self.b, level), 0.0, 1.0)
        result: Array = self.lower + (self.upper - self.lower) * t
        return result


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
        lower, upper = _bounds(lower, upper)
        p, x = _vector(levels, "quantile levels"), _vector(values, "quantile values")
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
        return _dot(np.diff(self.p), 0.5 * self.x[1:] + 0.5 * self.x[:-1])

    @property
    def sd(self) -> float:
        """Standard deviation, metric units."""
        left, right = self.x[:-1] - self.mean, self.x[1:] - self.mean
        moment = (left * left + left * right + right * right) / 3.0
        return math.sqrt(max(_dot(np.diff(self.p), moment), 0.0))

    def crps(self, y: float) -> float:
        """Return the exact CRPS of `y`, metric units (see the class)."""
        y = _observed(y)
        cut = int(np.searchsorted(self.x, y, side="right"))
        at = self.cdf(y)
        below = _square_integral(np.append(self.x[:cut], y), np.append(self.p[:cut], at))
        above = _square_integral(np.append(y, self.x[cut:]), 1.0 - np.append(at, self.p[cut:]))
        return below + above

    def log_density(self, y: float) -> float:
        """Return the log density at `y`: of the segment to its right; +inf at an atom."""
        y = _observed(y)
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
        lower, upper = _bounds(lower, upper)
        draws = np.sort(_vector(samples, "samples"))
        if len(draws) < 2:
            raise InvalidPrediction(f"samples has {len(draws)} draws, at least 2 are needed")
        slack = _atom_slack(lower, upper)
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
        distances = np.abs(self.samples - _observed(y))
        spread = _dot(_fair_weights(len(self.samples)), self.samples)
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


# ---------------------------------------------------------------------------------------------
# Conversions


def discretise(
    distribution: Distribution, n: int, lower: float = 0.0, upper: float = 1.0
) -> CountPmf:
    """Put a distribution onto the counts 0..n of a binary metric.

    In units of counts, :math:`p(c) = F(c + 1/2) - F(c - 1/2)`; the counts 0 and n take the tails
    (so mass beyond the bounds ends there). A point mass goes to its nearest count, a tie to the
    lower one.

    `Draws` are smoothed first, as an empirical distribution would give counts that were not
    drawn no probability at all: each draw is replaced by a normal around it with Silverman's
    bandwidth, at least half a step (`Draws.bandwidth`), mass beyond the bounds collecting at the
    ends. This is for the log score; the CRPS of draws is the fair CRPS of the draws themselves.

    Parameters
    ----------
    distribution : Distribution
        In metric units.
    n : int
        Number of trials, at least 1.
    lower, upper : float
        Values of the counts 0 and n, metric units.

    Returns
    -------
    CountPmf
        With the `outside` of `distribution`; the same object if it is on this grid already.

    Raises
    ------
    ValueError
        `n` is below 1, or the bounds are not finite and increasing.

    Examples
    --------
    >>> discretise(PointMass(0.52), n=4).pmf.tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0]
    >>> discretise(Beta(1, 1), n=2).pmf.tolist()
    [0.25, 0.5, 0.25]
    """
    n = _trials(n)
    if isinstance(distribution, CountPmf) and (
        distribution.n == n and distribution.lower == lower and distribution.upper == upper
    ):
        return distribution
    edges = _edges(n, float(lower), float(upper))
    if isinstance(distribution, Draws):
        inside = _smoothed_cdf(distribution, edges, (upper - lower) / n)
    else:
        inside = distribution._cdf(edges)
    cumulative = np.concatenate(([0.0], inside, [1.0]))
    pmf = np.maximum(np.diff(cumulative), 0.0)
    return CountPmf(pmf, lower, upper, distribution.outside)


def from_parts(
    *,
    mean: float | None = None,
    stddev: float | None = None,
    samples: ArrayLike | None = None,
    quantiles: Mapping[float, float] | None = None,
    normal: Sequence[float] | None = None,
    beta: Sequence[float] | None = None,
    pmf: ArrayLike | None = None,
    lower: float | None = None,
    upper: float | None = None,
    n: int | None = None,
    binary: bool = False,
) -> Distribution:
    """Build the distribution that a prediction states, and check it.

    At most one of `samples`, `quantiles`, `normal`, `beta` and `pmf` may be given; it alone
    counts, and `mean` and `stddev` beside it are only checked to be finite. Without one, `mean`
    is a point mass, or with a positive `stddev` a normal.

    Parameters
    ----------
    mean : float, optional
        Metric units. Alone and beyond a bound, it is moved to the bound and `outside` is 1.
    stddev : float, optional
        Metric units, not negative.
    samples : array of float, shape (K,), optional
        Draws, metric units; at least 100.
    quantiles : mapping of float to float, optional
        Level to value (metric units), in any order: at least 5 levels strictly inside (0, 1),
        whose values do not decrease with the level.
    normal : (mean, sd), optional
        Metric units, sd > 0.
    beta : (a, b), optional
        Shapes, positive; over the metric's range, so both bounds must be known.
    pmf : array of float, shape (n + 1,), optional
        Probabilities of the counts 0..n; binary metrics only. Must sum to 1 within 1e-6.
    lower, upper : float or None
        The metric's bounds, metric units; None where unknown.
    n : int or None
        Number of trials of the run; needed for binary metrics.
    binary : bool
        Whether the value is a count out of `n`, on the range `lower` to `upper`.

    Returns
    -------
    Distribution
        For binary metrics a `CountPmf`, or `Draws`; else the class that was stated.

    Raises
    ------
    InvalidPrediction
        The prediction is wrong; the message says which number and why.
    ValueError
        The target's description is wrong (bounds, `n`), which is no fault of the prediction.

    Examples
    --------
    >>> from_parts(mean=0.7, lower=0, upper=1).crps(0.6).__round__(6)
    0.1
    >>> from_parts(normal=(0.7, 0.1), lower=0, upper=1, n=10, binary=True)
    CountPmf(mean=0.699976, sd=0.104004)
    >>> from_parts(normal=(0.7, -0.1))
    Traceback (most recent call last):
        ...
    harness.distribution.InvalidPrediction: normal: sd is -0.1, it must be positive
    """
    lower, upper = _bounds(lower, upper)
    if binary:
        if n is None or lower is None or upper is None:
            raise ValueError("a binary metric needs n and both bounds")
        n = _trials(n)
    stated = {
        "samples": samples,
        "quantiles": quantiles,
        "normal": normal,
        "beta": beta,
        "pmf": pmf,
    }
    names = [name for name, part in stated.items() if part is not None]
    if len(names) > 1:
        raise InvalidPrediction(f"{' and '.join(names)} were given; state one distribution")
    centre = None if mean is None else _number(mean, "mean")
    spread = 0.0 if stddev is None else _number(stddev, "stddev")
    if spread < 0.0:
        raise InvalidPrediction(f"stddev is {spread!r}, it must not be negative")

    result: Distribution
    if pmf is not None:
        if not binary or n is None or lower is None or upper is None:
            raise InvalidPrediction("pmf was given, but this metric's value is no count of n")
        probabilities = _vector(pmf, "pmf")
        if len(probabilities) != n + 1:
            raise InvalidPrediction(
                f"pmf has {len(probabilities)} entries; counts 0..{n} need {n + 1}"
            )
        return CountPmf(probabilities, lower, upper)
    if samples is not None:
        draws = _vector(samples, "samples")
        if len(draws) < MIN_SAMPLES:
            raise InvalidPrediction(
                f"samples has {len(draws)} draws, at least {MIN_SAMPLES} are needed"
            )
        return Draws(draws, lower, upper)
    if quantiles is not None:
        levels, values = _quantile_pairs(quantiles)
        result = Quantiles(levels, values, lower, upper)
    elif normal is not None:
        result = Normal(*_pair(normal, "normal", "(mean, sd)"), lower, upper)
    elif beta is not None:
        shapes = _pair(beta, "beta", "(a, b)")
        if lower is None or upper is None:
            raise InvalidPrediction("beta was given, but this metric's bounds are not both known")
        result = Beta(*shapes, lower, upper)
    elif centre is None:
        raise InvalidPrediction("neither a mean nor a distribution was given")
    elif spread > 0.0:
        result = Normal(centre, spread, lower, upper)
    else:
        result = PointMass(centre, lower, upper)
    if binary and n is not None and lower is not None and upper is not None:
        return discretise(result, n, lower, upper)
    return result


# ---------------------------------------------------------------------------------------------
# Checks


def _number(value: object, name: str) -> float:
    """Return a finite float, or raise InvalidPrediction that names it."""
    if type(value) is not float:
        is_text = isinstance(value, str | bytes | bytearray)
        if is_text or getattr(value, "ndim", 0) != 0:
            raise InvalidPrediction(f"{name} is {_short(value)}, not a number")
        try:
            value = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError) as err:
            raise InvalidPrediction(f"{name} is {_short(value)}, not a number") from err
    if not abs(value) <= MAX_SIZE:
        raise InvalidPrediction(f"{name} is {value!r}, {_size_fault(value)}")
    return value


def _vector(values: object, name: str) -> Array:
    """Return a one-dimensional array of finite floats, or raise InvalidPrediction."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError("not numbers")
        if array.dtype.kind == "O" and any(isinstance(v, str | bytes) for v in array.flat):
            raise TypeError("not numbers")
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as err:
        raise InvalidPrediction(f"{name}: {_short(values)} is no array of numbers") from err
    if array.ndim != 1:
        raise InvalidPrediction(f"{name} has {array.ndim} dimensions instead of one")
    usable = np.abs(array) <= MAX_SIZE
    if not usable.all():
        where = int(np.argmin(usable))
        value = float(array[where])
        raise InvalidPrediction(f"{name}[{where}] is {value!r}, {_size_fault(value)}")
    return array


def _size_fault(value: float) -> str:
    return f"beyond {MAX_SIZE:g}" if math.isfinite(value) else "it must be finite"


def _pair(values: object, name: str, meaning: str) -> tuple[float, float]:
    pair = _vector(values, name)
    if len(pair) != 2:
        raise InvalidPrediction(f"{name} has {len(pair)} numbers instead of {meaning}")
    return float(pair[0]), float(pair[1])


def _quantile_pairs(quantiles: object) -> tuple[Array, Array]:
    """Return levels and values, sorted by level."""
    if not isinstance(quantiles, Mapping):
        raise InvalidPrediction(f"quantiles is {_short(quantiles)}, not a mapping level: value")
    if len(quantiles) < MIN_LEVELS:
        raise InvalidPrediction(
            f"quantiles has {len(quantiles)} levels, at least {MIN_LEVELS} are needed"
        )
    pairs = sorted(
        (_number(level, "a quantile level"), _number(value, f"the quantile at level {level}"))
        for level, value in quantiles.items()
    )
    levels, values = zip(*pairs, strict=True)
    return np.array(levels), np.array(values)


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


def _pmf_fault(pmf: Array) -> str:
    """Say which entry of a pmf is wrong, or that the sum is."""
    for where, text in (
        (np.flatnonzero(~np.isfinite(pmf)), "it must be finite"),
        (np.flatnonzero(pmf < 0.0), "a probability cannot be negative"),
    ):
        if len(where):
            return f"pmf[{where[0]}] is {float(pmf[where[0]])!r}, {text}"
    return f"pmf sums to {float(pmf.sum())!r}, not to 1 within {SUM_TOLERANCE:g}"


def _bounds(lower: float | None, upper: float | None) -> tuple[float | None, float | None]:
    """Return the bounds as floats; raise ValueError unless finite and increasing."""
    low = None if lower is None else float(lower)
    high = None if upper is None else float(upper)
    for bound in (low, high):
        if bound is not None and not math.isfinite(bound):
            raise ValueError(f"bounds are finite, or None where unknown; got {bound!r}")
    if low is not None and high is not None and not low < high:
        raise ValueError(f"the lower bound {low!r} is not below the upper bound {high!r}")
    return low, high


def _trials(n: int) -> int:
    if int(n) != n or n < 1:
        raise ValueError(f"the number of trials is {n!r}; it must be a whole number from 1")
    return int(n)


def _observed(y: float) -> float:
    if not math.isfinite(y):
        raise ValueError(f"the observed value is {float(y)!r}; it must be finite")
    return float(y)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# ---------------------------------------------------------------------------------------------
# Numerics


def _apply(function: Any, x: ArrayLike) -> float | Array:
    array = np.asarray(x, dtype=np.float64)
    result: Array = function(array)
    return float(result) if array.ndim == 0 else result


def _dot(a: Array, b: Array) -> float:
    """Return the sum of products, by NumPy: BLAS may round by the number of its threads."""
    return float(np.add.reduce(a * b))


def _atom_slack(lower: float | None, upper: float | None) -> float:
    """Return the distance below which a value counts as being at the bound."""
    return 0.0 if lower is None or upper is None else ATOM_TOLERANCE * (upper - lower)


@lru_cache(maxsize=32)
def _counts(n: int) -> Array:
    counts = np.arange(n + 1, dtype=np.float64)
    counts.flags.writeable = False
    return counts


@lru_cache(maxsize=32)
def _edges(n: int, lower: float, upper: float) -> Array:
    """Return the n borders between the n + 1 counts, metric units."""
    _bounds(lower, upper)
    edges: Array = lower + (upper - lower) * ((np.arange(n) + 0.5) / n)
    edges.flags.writeable = False
    return edges


@lru_cache(maxsize=32)
def _fair_weights(k: int) -> Array:
    """Return (2i - K - 1) / (K (K - 1)) for i = 1..K: half the mean distance of two draws."""
    ranks = np.arange(1, k + 1, dtype=np.float64)
    weights: Array = (2.0 * ranks - k - 1.0) / (k * (k - 1.0))
    weights.flags.writeable = False
    return weights


def _smoothed_cdf(draws: Draws, x: Array, step: float) -> Array:
    """Return the mean of the kernels' distribution functions at `x`, in blocks of memory."""
    inverse = 1.0 / draws.bandwidth(step)
    values, repeats = np.unique(draws.samples, return_counts=True)
    weights = repeats / len(draws.samples)
    result = np.empty(len(x))
    block = max(1, 1_000_000 // len(values))
    for start in range(0, len(x), block):
        z = (x[start : start + block, None] - values) * inverse  # [block, values]
        result[start : start + block] = (special.ndtr(z) * weights).sum(axis=1)
    return result


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / _SQRT_2)


def _normal_pdf(z: float) -> float:
    return math.exp(-0.5 * z * z) / _SQRT_2PI


def _normal_square_integral(start: float, end: float, mean: float, sd: float) -> float:
    """Return the integral of Phi((x - mean)/sd)^2 over x from `start` (or -inf) to `end`.

    The antiderivative is max(z, 0) plus a bounded remainder; taking the first part in metric
    units keeps all digits when the interval is many sd away from the mean. Over an interval far
    narrower than the sd the differences cancel, and five-point Gauss-Legendre is exact.
    """
    width = end - start
    if width <= NARROW * sd:
        z = (start + width * (0.5 + 0.5 * _GAUSS_NODES) - mean) / sd
        return 0.5 * width * _dot(_GAUSS_WEIGHTS, special.ndtr(z) ** 2)
    linear = max(end, mean) - max(start, mean)
    return linear + sd * (_remainder((end - mean) / sd) - _remainder((start - mean) / sd))


def _remainder(z: float) -> float:
    """Return G(z) - max(z, 0), with G the integral of Phi^2 from -inf to z (see Normal)."""
    if math.isinf(z):
        return -1.0 / _SQRT_PI if z > 0 else 0.0
    p = _normal_cdf(z)
    lead = z * p * p if z <= 0.0 else -z * _normal_cdf(-z) * (1.0 + p)
    return lead + 2.0 * p * _normal_pdf(z) - 0.5 * math.erfc(-z) / _SQRT_PI


def _square_integral(x: Array, p: Array) -> float:
    """Return the integral of the square of the line through (x, p)."""
    left, right = p[:-1], p[1:]
    return _dot(np.diff(x), left * left + left * right + right * right) / 3.0


def _finish_ends(
    x: Array, p: Array, lower: float | None, upper: float | None
) -> tuple[Array, Array]:
    """Lead the line through (x, p) down to level 0 and up to level 1 (see Quantiles).

    Where the outermost value is beyond the bound, how its mass is spread there does not matter.
    """
    slack = _atom_slack(lower, upper)
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
