"""Probabilities of items that are tilted to a level, and what shown responses say of the level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from predictors.common.counts import Array

__all__ = ["level_posterior", "shifts"]

_STEPS = 60


def shifts(logits: Array, levels: Array) -> Array:
    r"""Find how far all items' logits must move for their mean probability to be a given one.

    Solves :math:`\frac1I \sum_t \sigma(g_t + \delta) = \sigma(l)` for δ by Newton's steps inside a
    bracket, which is halved where a step would leave it.

    Parameters
    ----------
    logits : ndarray of float, shape (I,)
        g, at least one.
    levels : ndarray of float, shape (L,)
        l, each solved for itself.

    Returns
    -------
    ndarray of float, shape (L,)
        δ; the mean is met to 1e-9.

    Examples
    --------
    >>> delta = shifts(np.array([-1.0, 0.0, 1.0]), np.array([-2.0, 0.0]))
    >>> bool(abs(delta[1]) < 1e-8)
    True
    """
    goal = expit(levels)
    low, high = levels - logits.max(), levels - logits.min()  # all items below, or above, the goal
    delta = np.clip(levels - logits.mean(), low, high)
    for _ in range(_STEPS):
        p = expit(logits + delta[:, None])
        error = p.mean(axis=1) - goal
        if np.abs(error).max() < 1e-9:
            break
        low, high = np.where(error < 0, delta, low), np.where(error < 0, high, delta)
        step = delta - error / np.maximum((p * (1 - p)).mean(axis=1), 1e-12)
        delta = np.where((step > low) & (step < high), step, (low + high) / 2)
    return np.asarray(delta)


def level_posterior(
    logits: Array,
    prior: tuple[float, float],
    own: NDArray[np.intp],
    y: Array,
    dispersion: float = 1.0,
    grid: tuple[float, int] = (3.5, 29),
) -> tuple[Array, Array, Array]:
    r"""Give each item's probability, averaged over what is known of the run's level.

    The level l, the logit of the mean over all items, is on a grid around the prior's mean. At
    each point the items are tilted to it (`shifts`), and its weight is the prior times

    .. math:: \prod_{t \in own} \left(p_t^{y_t} (1 - p_t)^{1 - y_t}\right)^{1 / \phi},

    the likelihood of the shown responses; of values between 0 and 1 the quasi-likelihood with
    mean p and variance :math:`\phi p (1 - p)` (Wedderburn 1974).

    Parameters
    ----------
    logits : ndarray of float, shape (I,)
        Of all items of the run, before they are tilted.
    prior : (float, float)
        Mean and standard deviation of the level, which is normal.
    own : ndarray of int, shape (k,)
        Places of the shown items.
    y : ndarray of float, shape (k,)
        Their values in [0, 1].
    dispersion : float
        φ; 1 for values 0 and 1.
    grid : (float, int)
        How many standard deviations it reaches to both sides, and its number L of points.

    Returns
    -------
    p : ndarray of float, shape (I,)
    levels, weights : ndarray of float, shape (L,)
        The posterior of the level.

    Examples
    --------
    >>> p, levels, weights = level_posterior(np.zeros(4), (0.0, 1.0), np.arange(3), np.ones(3))
    >>> bool(np.allclose(p, p[0])), round(float(p[0]), 2)
    (True, 0.69)
    """
    mean, sd = prior
    z = np.linspace(-grid[0], grid[0], grid[1])
    levels = mean + sd * z
    p = expit(logits + shifts(logits, levels)[:, None])
    log_weight = -0.5 * z * z
    if len(own):
        q = np.clip(p[:, own], 1e-9, 1 - 1e-9)
        log_weight = log_weight + (np.log(q) @ y + np.log1p(-q) @ (1 - y)) / dispersion
    weights = np.exp(log_weight - log_weight.max())
    weights /= weights.sum()
    return weights @ p, levels, weights
