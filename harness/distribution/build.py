"""From what a prediction states to its distribution, and onto the count grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from harness.distribution.base import Distribution, InvalidPrediction
from harness.distribution.checks import bounds, number, shortened, vector
from harness.distribution.counts import CountPmf
from harness.distribution.draws import Draws
from harness.distribution.numerics import Array
from harness.distribution.parametric import Beta, Normal, PointMass
from harness.distribution.quantiles import Quantiles

MIN_SAMPLES = 100
MIN_LEVELS = 5


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
    lower, upper = bounds(lower, upper)
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
    centre = None if mean is None else number(mean, "mean")
    spread = 0.0 if stddev is None else number(stddev, "stddev")
    if spread < 0.0:
        raise InvalidPrediction(f"stddev is {spread!r}, it must not be negative")

    result: Distribution
    if pmf is not None:
        if not binary or n is None or lower is None or upper is None:
            raise InvalidPrediction("pmf was given, but this metric's value is no count of n")
        probabilities = vector(pmf, "pmf")
        if len(probabilities) != n + 1:
            raise InvalidPrediction(
                f"pmf has {len(probabilities)} entries; counts 0..{n} need {n + 1}"
            )
        return CountPmf(probabilities, lower, upper)
    if samples is not None:
        draws = vector(samples, "samples")
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


def _pair(values: object, name: str, meaning: str) -> tuple[float, float]:
    pair = vector(values, name)
    if len(pair) != 2:
        raise InvalidPrediction(f"{name} has {len(pair)} numbers instead of {meaning}")
    return float(pair[0]), float(pair[1])


def _quantile_pairs(quantiles: object) -> tuple[Array, Array]:
    """Return levels and values, sorted by level."""
    if not isinstance(quantiles, Mapping):
        raise InvalidPrediction(f"quantiles is {shortened(quantiles)}, not a mapping level: value")
    if len(quantiles) < MIN_LEVELS:
        raise InvalidPrediction(
            f"quantiles has {len(quantiles)} levels, at least {MIN_LEVELS} are needed"
        )
    pairs = sorted(
        (number(level, "a quantile level"), number(value, f"the quantile at level {level}"))
        for level, value in quantiles.items()
    )
    levels, values = zip(*pairs, strict=True)
    return np.array(levels), np.array(values)


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


def _trials(n: int) -> int:
    if int(n) != n or n < 1:
        raise ValueError(f"the number of trials is {n!r}; it must be a whole number from 1")
    return int(n)


@lru_cache(maxsize=32)
def _edges(n: int, lower: float, upper: float) -> Array:
    """Return the n borders between the n + 1 counts, metric units."""
    bounds(lower, upper)
    edges: Array = lower + (upper - lower) * ((np.arange(n) + 0.5) / n)
    edges.flags.writeable = False
    return edges


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
