"""What the shown items of a run say of its count, when it is known how others answered them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from hibayes.hierarchical.cells import Array

__all__ = ["SHIFTS", "item_logits", "log_item_likelihood", "log_value_likelihood"]

LINEAGE = 0.1
"""Length of the lineage kernel in the weights of models."""

_NEAR = 0.5  # how near in level a model must be, in spreads of its column
_PRIOR = 0.3  # weight of the item's overall mean

SHIFTS = np.linspace(-9.0, 9.0, 73)
"""Of all items' logits, at which likelihoods are evaluated."""


def item_logits(
    table: Array,
    lineage: Array,
    level: Array,
    expected: float,
    *,
    spread: float = 0.0,
    length: float = LINEAGE,
) -> Array:
    r"""Predict a model's responses from those of similar models of similar level.

    .. math:: w_{i'} = e^{(C_{ii'} - 1)/l}\, e^{-(z_{i'} - \hat z)^2 / (2 (.5^2 + s^2))} + 10^{-6},
              \qquad p_n = \frac{\sum w x + .3\, p^0_n}{\sum w + .3}

    with the weights over their largest and :math:`p^0_n = (\sum x + 1)/(\mathrm{count} + 2)`.

    Parameters
    ----------
    table : ndarray, shape (R, items)
        Responses of R other models, NaN where there is none.
    lineage : ndarray, shape (R,)
        C between the model and them.
    level : ndarray, shape (R,)
        Their values z, in spreads of the column from its mean.
    expected : float
        The model's own, as predicted.
    spread : float
        s, the standard deviation of what is predicted; 0 where the model is known well.
    length : float
        l, .1 where the lineage is known well.

    Returns
    -------
    ndarray, shape (items,)
        Logits of p, which is kept inside [.01, .99].

    Notes
    -----
    The lengths .1 and .5 and the weight .3 are constants tuned on seeds 0-2 of the 57-model grid.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> item_logits(x, np.array([0.9, 0.9, 0.1]), np.zeros(3), 0.0).round(1).tolist()
    [2.9, -2.9]
    """
    apart = (level - expected) ** 2 / (_NEAR**2 + spread**2)
    weight = np.exp((lineage - 1.0) / length - 0.5 * apart) + 1e-6
    weight = weight / weight.max()
    seen = np.isfinite(table)
    x = np.where(seen, table, 0.0)
    overall = (x.sum(axis=0) + 1.0) / (seen.sum(axis=0) + 2.0)
    p = (weight @ x + _PRIOR * overall) / (weight @ seen + _PRIOR)
    return np.asarray(logit(np.clip(p, 0.01, 0.99)))


def log_item_likelihood(logits: Array, shown: NDArray[np.bool_], right: Array) -> Array:
    r"""Give the log probability of the shown responses, for each count of all.

    Given the total c, independent responses follow a conditional Bernoulli law that a common shift
    :math:`\delta` of the logits leaves unchanged. It is evaluated at the shift where c is what is
    expected, with a normal approximation to the sum of the others:

    .. math:: \log L(c) = \sum_{shown} [x \log P + (1 - x) \log(1 - P)]
              + \log N(c - h; \textstyle\sum_{rest} P, \sum_{rest} P(1 - P) + \tfrac1{12})
              - \log N(0; 0, \sum P (1 - P) + \tfrac1{12})

    Parameters
    ----------
    logits : ndarray, shape (n,)
        Of all items of the run.
    shown : ndarray of bool, shape (n,)
    right : ndarray, shape (n,)
        1 where a shown response is right, 0 elsewhere.

    Returns
    -------
    ndarray, shape (n + 1,)
        Up to a constant; minus infinity at counts that are not possible.

    Notes
    -----
    With equal logits it is the hypergeometric probability, up to the approximation.

    References
    ----------
    Chen & Liu, "Statistical applications of the Poisson-binomial and conditional Bernoulli
    distributions", Statistica Sinica 7 (1997).

    Examples
    --------
    >>> shown = np.arange(100) < 10
    >>> right = np.where(np.arange(100) < 5, 1.0, 0.0)
    >>> likelihood = log_item_likelihood(np.zeros(100), shown, right)
    >>> int(likelihood.argmax()), bool(np.isneginf(likelihood[4]))
    (50, True)
    """
    n, h, k = len(logits), float(right.sum()), int(shown.sum())
    p = expit(logits + SHIFTS[:, None])  # [73, n]
    inside = np.clip(p, 1e-12, 1.0 - 1e-12)
    each = right * np.log(inside) + (1.0 - right) * np.log1p(-inside)
    spread = p * (1.0 - p)
    total = p.sum(axis=1)
    rest = spread[:, ~shown].sum(axis=1) + 1.0 / 12.0
    off = total - h - p[:, ~shown].sum(axis=1)
    log_l = each[:, shown].sum(axis=1) - 0.5 * (off**2 / rest + np.log(rest))
    log_l += 0.5 * np.log(spread.sum(axis=1) + 1.0 / 12.0)
    count = np.arange(n + 1)
    found = np.interp(count, total, log_l)
    return np.where((count >= h) & (n - count >= k - h), found, -np.inf)


def log_value_likelihood(
    steps: int, prior_mean: float, k: int, total: float, squares: float, n: int
) -> Array:
    r"""Give the log likelihood of a value in [0, 1] that is no count, from k values of its mean.

    Their mean is taken as normal around the value with the variance :math:`\frac{v}{k} (1 -
    \frac{k}{n})` of a mean drawn without return, :math:`v = (\mu (1 - \mu) + \mathrm{squares})
    / k`, where :math:`\mu`, the mean of the shown values and the prior's, kept inside [.05, .95],
    stands for one more response.

    Parameters
    ----------
    steps : int
        Of the range.
    prior_mean : float
    k : int
        Shown values, at least 1.
    total, squares : float
        Their sum, and the sum of squares about their mean.
    n : int
        Values in all; 0 where unknown: no correction.

    Returns
    -------
    ndarray, shape (steps + 1,)
        Up to a constant.

    References
    ----------
    Cochran, Sampling Techniques, 3rd ed. (1977), theorem 2.2.

    Examples
    --------
    >>> int(log_value_likelihood(10, 0.5, 4, 2.8, 0.0, 0).argmax())
    7
    """
    mean = total / k
    centre = min(max((prior_mean + total) / (k + 1), 0.05), 0.95)
    variance = (centre * (1.0 - centre) + squares) / k
    left = max(1.0 - k / n, 1e-6) if n else 1.0
    at = np.arange(steps + 1) / steps
    return np.asarray(-0.5 * (at - mean) ** 2 / (variance / k * left))
