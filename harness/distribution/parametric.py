"""Distributions of one or two parameters, with closed forms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.distribution.base import Distribution, InvalidPrediction
from harness.distribution.checks import bounds, number, observed
from harness.distribution.numerics import Array, atom_slack, dot

MAX_SHAPE = 1e100
NARROW = 0.01  # of the sd: over so short a range a normal is integrated by quadrature

_LOG_2 = math.log(2.0)
_SQRT_2 = math.sqrt(2.0)
_SQRT_PI = math.sqrt(math.pi)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_GAUSS_NODES, _GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(5)


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
        lower, upper = bounds(lower, upper)
        raw = number(value, "mean")
        low = -math.inf if lower is None else lower
        high = math.inf if upper is None else upper
        slack = atom_slack(lower, upper)
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
        return abs(self.value - observed(y))

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
        lower, upper = bounds(lower, upper)
        location = number(mean, "normal: mean")
        scale = number(sd, "normal: sd")
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
            first, second = 1.0 - float(weights.sum()), 1.0 - 2.0 * dot(weights, t)
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
        y = observed(y)
        low, high = self._ends()
        inner = min(max(y, low), high)
        below = _normal_square_integral(low, inner, self.location, self.scale)
        above = _normal_square_integral(-high, -inner, -self.location, self.scale)
        return max(below + above, 0.0) + abs(y - inner)

    def log_density(self, y: float) -> float:
        """Return the log density at `y`; at a known bound the log of the mass collected there."""
        y = observed(y)
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
        return 0.5 * width * dot(_GAUSS_WEIGHTS, special.ndtr(z) ** 2)
    linear = max(end, mean) - max(start, mean)
    return linear + sd * (_remainder((end - mean) / sd) - _remainder((start - mean) / sd))


def _remainder(z: float) -> float:
    """Return G(z) - max(z, 0), with G the integral of Phi^2 from -inf to z (see Normal)."""
    if math.isinf(z):
        return -1.0 / _SQRT_PI if z > 0 else 0.0
    p = _normal_cdf(z)
    lead = z * p * p if z <= 0.0 else -z * _normal_cdf(-z) * (1.0 + p)
    return lead + 2.0 * p * _normal_pdf(z) - 0.5 * math.erfc(-z) / _SQRT_PI


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
        known_lower, known_upper = bounds(lower, upper)
        if known_lower is None or known_upper is None:
            raise ValueError("a beta distribution needs both bounds")
        shapes = number(a, "beta: a"), number(b, "beta: b")
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
        y = observed(y)
        inner = min(max(y, self.lower), self.upper)
        a, b, t = self.a, self.b, self._unit(inner)
        log_ratio = special.betaln(2 * a, 2 * b) - 2 * special.betaln(a, b) - math.log(a)
        spread = 2.0 * math.exp(min(log_ratio, -_LOG_2))  # E|Y - Y'| / (2 E Y), at most 1
        middle = 1.0 - 2.0 * float(special.betainc(a + 1.0, b, t)) - spread
        value = t * (2.0 * float(special.betainc(a, b, t)) - 1.0) + self._unit_mean * middle
        return (self.upper - self.lower) * min(max(value, 0.0), 1.0) + abs(y - inner)

    def log_density(self, y: float) -> float:
        """Return the log density at `y`; infinite at an end where the density is."""
        t = self._unit(observed(y))
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
