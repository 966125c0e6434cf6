"""How many more responses until an interval is narrow enough.

A prediction of a run's value is a prior for what is still unanswered. Further responses are a
random sample of that, so what they will do to the interval can be computed before they are paid
for: draw the value from the prediction, the responses from the value, and update.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtri

from harness.distribution import CountPmf, Distribution, discretise
from suites.errors import UsageError

__all__ = ["Further", "further_responses"]

LEVEL = 0.9
"""Of the interval that is to become narrow."""

SURE = 0.9
"""Share of the futures in which the larger number suffices."""

_FUTURES, _FEWER = 400, 100
_LARGE = 2000  # from so many instances on, fewer futures: the steps between counts are small
_CELLS = 4_000_000  # of an array of futures by counts


@dataclass(frozen=True)
class Further:
    """How many more responses are worth paying for.

    Attributes
    ----------
    target : float
        Half the width that the 90 % interval is to have, in the unit of the question.
    now : float
        Half its width today.
    expected : int or None
        The fewest further responses after which half the width is `target` on average; 0 where it
        is already, None where even all that is left is not known to suffice.
    sure : int or None
        The fewest after which it is at most `target` in 90 % of the futures.
    left : int or None
        How many responses are left; None where that is unknown.
    method : str
        How it was found, in a sentence.
    """

    target: float
    now: float
    expected: int | None
    sure: int | None
    left: int | None
    method: str


def further_responses(
    distribution: Distribution,
    target: float,
    *,
    n: int | None,
    shown: NDArray[np.float64],
    unit: float = 1.0,
    variance: float | None = None,
    seed: int = 0,
) -> Further:
    """Say how many further responses make the 90 % interval as narrow as wanted.

    Parameters
    ----------
    distribution : Distribution
        Of the run's value, given what is shown; of a count where it is on a count grid.
    target : float
        Half the wanted width, in `unit`.
    n : int or None
        Instances of the run.
    shown : array of float, shape (k,)
        Values that were observed already, in the metric's units.
    unit : float
        How many units of the question one of the metric is: 100 / (upper − lower) for points.
    variance : float, optional
        Of single responses of a run, for values that are no counts.
    seed : int
        Of the simulated futures of a count.

    Returns
    -------
    Further

    Raises
    ------
    UsageError
        If the target is not above 0, or nothing is known of the spread of single responses.

    Notes
    -----
    Of a count: 400 values (100 from 2,000 instances on) are drawn from the prediction, one of each
    of as many slices of equal probability, and the number of right ones among k' further responses
    from the hypergeometric distribution that belongs to each; the prediction is updated by it,
    which is exact for a random sample of the instances without return.

    Of any other value the prediction is taken as normal, and the mean of k' further responses too,
    with the variance v/k' · (1 − k'/(n − k)) times ((n − k)/n)² of its part in the run's value.

    Examples
    --------
    >>> import numpy as np
    >>> from harness.distribution import CountPmf
    >>> uniform = CountPmf(np.full(101, 1 / 101), 0.0, 1.0)
    >>> found = further_responses(uniform, 10.0, n=100, shown=np.empty(0), unit=100.0)
    >>> round(found.now, 6), 20 <= found.expected <= found.sure <= 60
    (45.0, True)
    """
    if not target > 0:
        raise UsageError(f"--target-width must be more than 0, got {target:g}.")
    k = len(shown)
    if isinstance(distribution, CountPmf) and n is not None:
        return _of_count(distribution, target, n, shown, unit, seed)
    if variance is None:
        raise UsageError(
            "how many more responses are needed cannot be said: the source has no responses of "
            "this metric, so nothing is known of their spread."
        )
    half = _half_width(distribution) * unit
    prior = (half / (unit * float(ndtri(0.5 + LEVEL / 2)))) ** 2
    left = None if n is None else n - k
    limit = 10_000_000 if left is None else left

    def width(more: int) -> float:
        share = 1.0 if n is None else (n - k) / n
        rest = 1.0 if left is None else 1.0 - more / left
        seen = share**2 * variance / more * rest
        return half * (seen / (prior + seen)) ** 0.5 if prior > 0 else 0.0

    found = 0 if half <= target else _fewest(width, target, limit)
    return Further(
        target,
        half,
        found,
        found,
        left,
        "prediction and the mean of further responses taken as normal, the variance of single "
        f"responses as {variance:.3g}",
    )


def _of_count(
    distribution: CountPmf,
    target: float,
    n: int,
    shown: NDArray[np.float64],
    unit: float,
    seed: int,
) -> Further:
    pmf = np.asarray(distribution.pmf, float)
    step = (distribution.upper - distribution.lower) / n * unit
    k = len(shown)
    right = int((shown == distribution.upper).sum())
    possible = np.zeros(n + 1, bool)
    possible[right : n - (k - right) + 1] = True
    feasible = np.where(possible, pmf, 0.0)
    # a predictor that does not heed what is shown may exclude it: then all that is possible is left
    pmf = feasible / feasible.sum() if feasible.sum() > 0 else possible / possible.sum()
    now = _half_width(distribution) * unit
    left = n - k
    futures = _FUTURES if n < _LARGE else _FEWER
    level = (np.arange(futures) + 0.5) / futures
    counts = np.minimum(np.searchsorted(np.cumsum(pmf), level), n)
    counts = np.clip(counts, right, n - (k - right))

    log_factorial = gammaln(np.arange(n + 2.0) + 1.0)

    @cache
    def widths(more: int) -> NDArray[np.float64]:
        rng = np.random.default_rng([seed, more])
        found = rng.hypergeometric(counts - right, left - (counts - right), more)
        hits, of = np.unique(found, return_inverse=True)
        out = np.empty(len(hits))
        block = max(1, _CELLS // (n + 1))
        for start in range(0, len(hits), block):
            part = hits[start : start + block]
            out[start : start + block] = (
                _interval(_updated(pmf, part, more, right, left, log_factorial)) * step
            )
        return out[of]

    expected: int | None = 0
    sure: int | None = 0
    if now > target:
        expected = _fewest(lambda more: float(widths(more).mean()), target, left)
        sure = _fewest(lambda more: float(np.quantile(widths(more), SURE)), target, left)
    return Further(
        target,
        now,
        expected,
        None if sure is None or expected is None else max(sure, expected),
        left,
        f"{futures} simulated futures: a value from the prediction, further responses from it "
        "without return, the prediction updated by them",
    )


def _updated(
    pmf: NDArray[np.float64],
    hits: NDArray[np.int64],
    more: int,
    right: int,
    left: int,
    log_factorial: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Give the pmf after each number of hits among further responses, one row for each."""
    c = np.arange(len(pmf)) - right  # right ones among those that are left
    h = hits[:, None]
    possible = (c >= h) & (left - c >= more - h) & (c >= 0) & (c <= left)
    hit, missed = np.where(possible, c - h, 0), np.where(possible, left - c - (more - h), 0)
    inside = np.clip(c, 0, left)
    ways = (log_factorial[inside] + log_factorial[left - inside])[None, :]
    log_p = ways - log_factorial[hit] - log_factorial[missed]
    log_p = np.where(possible, log_p, -np.inf)
    with np.errstate(divide="ignore"):
        log_p = log_p + np.log(pmf)
    weight = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    out: NDArray[np.float64] = weight / weight.sum(axis=1, keepdims=True)
    return out


def _interval(pmf: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give half the width of the central interval of each row, in counts."""
    cumulative = np.cumsum(pmf, axis=1)
    slack = 1e-12
    low = (cumulative < (0.5 - LEVEL / 2) - slack).sum(axis=1)
    high = (cumulative < (0.5 + LEVEL / 2) - slack).sum(axis=1)
    return (high - low) / 2.0


def _half_width(distribution: Distribution) -> float:
    low, high = distribution.quantile(np.array([0.5 - LEVEL / 2, 0.5 + LEVEL / 2]))
    return float(high - low) / 2.0


def _fewest(width: Callable[[int], float], target: float, limit: int) -> int | None:
    """Find the fewest responses with a width of at most the target, by halving."""
    if limit < 1 or width(limit) > target:
        return None
    low, high = 0, limit  # at low it is too wide
    while high - low > 1:
        middle = (low + high) // 2
        if width(middle) <= target:
            high = middle
        else:
            low = middle
    return high


def on_counts(distribution: Distribution, n: int | None, binary: bool) -> Distribution:
    """Put a prediction of a count onto its counts; leave any other as it is."""
    if not binary or n is None or distribution.lower is None or distribution.upper is None:
        return distribution
    return discretise(distribution, n, distribution.lower, distribution.upper)
