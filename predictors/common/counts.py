"""Probabilities of the count behind a binary run value, and the update by shown responses.

All functions work on logarithms and on many targets of the same number of instances at once:
axes are T targets by n + 1 counts.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln, logsumexp, ndtr

__all__ = [
    "FLOOR",
    "leave_one_out",
    "log_hypergeometric",
    "log_pmf_beta",
    "log_pmf_normal",
    "log_pmf_squashed",
    "squash",
    "unsquash",
    "update",
]

Array: TypeAlias = NDArray[np.float64]

FLOOR = 1e-12
"""The least probability of a count under a normal, before the pmf is normalised."""

_OFFSET = 0.02  # keeps the logit of 0 and 1 finite


def squash(y: ArrayLike) -> Array:
    r"""Put a value in [0, 1] on the squashed-logit scale.

    .. math:: tr(y) = \log\frac{y + 0.02}{1 - y + 0.02}

    Parameters
    ----------
    y : array of float
        Values in [0, 1].

    Returns
    -------
    ndarray of float
        Of the same shape, between -3.93 and 3.93.

    Examples
    --------
    >>> squash([0.0, 0.5, 1.0]).round(3).tolist()
    [-3.932, 0.0, 3.932]
    """
    y = np.asarray(y, float)
    return np.log((y + _OFFSET) / (1.0 - y + _OFFSET))


def unsquash(z: ArrayLike) -> Array:
    """Invert `squash`; what lies beyond tr(0) or tr(1) becomes 0 or 1.

    Examples
    --------
    >>> unsquash([-9.0, 0.0, squash(0.3).item()]).round(12).tolist()
    [0.0, 0.5, 0.3]
    """
    inside: Array = np.clip(np.asarray(z, float), -10.0, 10.0)
    p = 1.0 / (1.0 + np.exp(-inside))
    return np.clip(p * (1.0 + 2.0 * _OFFSET) - _OFFSET, 0.0, 1.0)


def log_pmf_normal(n: int, mean: ArrayLike, sd: ArrayLike) -> Array:
    r"""Give the log pmf of the count when the value is normal on its own scale.

    .. math:: p(c) = \Phi\Big(\frac{(c + 1/2)/n - m}{s}\Big)
                   - \Phi\Big(\frac{(c - 1/2)/n - m}{s}\Big)

    The counts 0 and n take the tails; p is at least `FLOOR` and is then normalised.

    Parameters
    ----------
    n : int
        Number of instances, at least 1.
    mean, sd : array of float, shape (T,)
        Of the value in [0, 1]; sd > 0.

    Returns
    -------
    ndarray of float, shape (T, n + 1)

    Examples
    --------
    >>> np.exp(log_pmf_normal(2, [0.5], [0.25])).round(4).tolist()
    [[0.1587, 0.6827, 0.1587]]
    """
    return _log_pmf_between((np.arange(n) + 0.5) / n, mean, sd)


def log_pmf_squashed(n: int, mean: ArrayLike, sd: ArrayLike) -> Array:
    """Give the log pmf of the count when `squash` of the value is normal.

    As `log_pmf_normal`, with the edges tr((c + 1/2) / n).

    Parameters
    ----------
    n : int
        Number of instances, at least 1.
    mean, sd : array of float, shape (T,)
        On the squashed-logit scale; sd > 0.

    Returns
    -------
    ndarray of float, shape (T, n + 1)

    Examples
    --------
    >>> np.exp(log_pmf_squashed(1, [0.0], [1.0])).round(4).tolist()
    [[0.5, 0.5]]
    """
    return _log_pmf_between(squash((np.arange(n) + 0.5) / n), mean, sd)


def _log_pmf_between(edges: Array, mean: ArrayLike, sd: ArrayLike) -> Array:
    m = np.atleast_1d(np.asarray(mean, float))[:, None]
    s = np.atleast_1d(np.asarray(sd, float))[:, None]
    cdf = np.zeros((m.shape[0], len(edges) + 2))  # [T, n + 2]
    cdf[:, 1:-1] = ndtr((edges - m) / s)
    cdf[:, -1] = 1.0
    pmf = np.maximum(np.diff(cdf, axis=1), FLOOR)
    return np.log(pmf / pmf.sum(axis=1, keepdims=True))


def log_pmf_beta(n: int, a: ArrayLike, b: ArrayLike) -> Array:
    r"""Give the log pmf of the beta-binomial distribution.

    .. math:: p(c) = \binom{n}{c} \frac{B(c + a, n - c + b)}{B(a, b)}

    Parameters
    ----------
    n : int
        Number of instances, at least 1.
    a, b : array of float, shape (T,)
        Shapes, positive. Both 1: every count is equally probable.

    Returns
    -------
    ndarray of float, shape (T, n + 1)

    Examples
    --------
    >>> np.exp(log_pmf_beta(2, [1.0, 0.5], [1.0, 0.5])).round(4).tolist()
    [[0.3333, 0.3333, 0.3333], [0.375, 0.25, 0.375]]
    """
    a = np.atleast_1d(np.asarray(a, float))[:, None]
    b = np.atleast_1d(np.asarray(b, float))[:, None]
    c = np.arange(n + 1.0)
    ways = gammaln(n + 1.0) - gammaln(c + 1.0) - gammaln(n - c + 1.0)
    return ways + betaln(c + a, n - c + b) - betaln(a, b)


def log_hypergeometric(n: int, h: ArrayLike, k: ArrayLike) -> Array:
    r"""Give the log probability of h successes in k draws without return, for each count c of n.

    .. math:: \binom{c}{h} \binom{n - c}{k - h} \Big/ \binom{n}{k}

    Parameters
    ----------
    n : int
        Number of instances.
    h, k : array of int, shape (T,)
        Shown successes and shown responses, 0 <= h <= k <= n.

    Returns
    -------
    ndarray of float, shape (T, n + 1)
        Minus infinity at the counts that are not possible.

    Examples
    --------
    >>> np.exp(log_hypergeometric(4, [1], [2])).round(4).tolist()
    [[0.0, 0.5, 0.6667, 0.5, 0.0]]
    """
    hits = np.atleast_1d(np.asarray(h, np.intp))[:, None]
    misses = np.atleast_1d(np.asarray(k, np.intp))[:, None] - hits
    c = np.arange(n + 1)
    log_factorial = gammaln(np.arange(n + 1.0) + 1.0)
    possible = (c >= hits) & (n - c >= misses)
    left_hits = log_factorial[np.where(possible, c - hits, 0)]
    left_misses = log_factorial[np.where(possible, n - c - misses, 0)]
    drawn = hits + misses
    log_p = (log_factorial[c] - log_factorial[hits] - left_hits) + (
        log_factorial[n - c] - log_factorial[misses] - left_misses
    )
    log_p -= log_factorial[n] - log_factorial[drawn] - log_factorial[n - drawn]
    return np.where(possible, log_p, -np.inf)


def update(log_pmf: Array, h: ArrayLike, k: ArrayLike) -> Array:
    """Update pmfs of the count by h shown successes in k shown responses.

    The responses are a random sample, without return, of the n that the count is of, so the
    likelihood of a count is `log_hypergeometric`, not a binomial.

    Parameters
    ----------
    log_pmf : ndarray of float, shape (T, n + 1)
        Before the responses.
    h, k : array of int, shape (T,)
        Shown successes and shown responses; k = 0 changes nothing.

    Returns
    -------
    ndarray of float, shape (T, n + 1)
        Normalised.

    Examples
    --------
    >>> np.exp(update(log_pmf_beta(2, [1.0], [1.0]), [1], [1])).round(4).tolist()
    [[0.0, 0.3333, 0.6667]]
    """
    log_p = log_pmf + log_hypergeometric(log_pmf.shape[1] - 1, h, k)
    return log_p - logsumexp(log_p, axis=1, keepdims=True)


def leave_one_out(values: ArrayLike) -> tuple[Array, Array]:
    """Give the mean, and the sum of squares about it, of all values but one, for each one.

    Moments of what comes before and of what comes after each value are merged (Chan, Golub and
    LeVeque 1983): linear time, and nothing is subtracted that could cancel.

    Parameters
    ----------
    values : array of float, shape (R,)
        Finite.

    Returns
    -------
    mean, squares : ndarray of float, shape (R,)
        Both 0 when there is no other value.

    References
    ----------
    Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American
    Statistician 37 (1983), doi:10.1080/00031305.1983.10483115.

    Examples
    --------
    >>> mean, squares = leave_one_out([1.0, 2.0, 6.0])
    >>> mean.tolist(), squares.tolist()
    ([4.0, 3.5, 1.5], [8.0, 12.5, 0.5])
    """
    v = np.asarray(values, float)
    size = len(v)
    if size < 2:
        return np.zeros(size), np.zeros(size)
    mean_before, squares_before = _moments_before(v)
    mean_after, squares_after = (m[::-1] for m in _moments_before(v[::-1]))
    before = np.arange(size)
    after = size - 1 - before
    gap = mean_after - mean_before
    mean = mean_before + gap * (after / (size - 1))
    squares = squares_before + squares_after + gap * gap * (before * after / (size - 1))
    return mean, squares


def _moments_before(v: Array) -> tuple[Array, Array]:
    """Mean and sum of squares of v[:i], for each i; 0 for the empty v[:0]."""
    means = np.concatenate(([0.0], np.cumsum(v)[:-1] / np.arange(1, len(v))))
    steps = (v[:-1] - means[:-1]) * (v[:-1] - means[1:])
    steps[:1] = 0.0
    return means, np.concatenate(([0.0], np.cumsum(np.maximum(steps, 0.0))))
