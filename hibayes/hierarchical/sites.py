"""What shown responses say of latent values, and normals of latent values updated by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from hibayes.hierarchical.cells import OFFSET, Array, slope, to_logit
from hibayes.hierarchical.update import SHIFTS

__all__ = ["Site", "Updated", "binomial_site", "item_site", "update", "update_each"]

_GRID = np.linspace(-2.35, 2.35, 189)  # from success probability .004 to .996
_GAP = _GRID[1] - _GRID[0]
_SUCCESS = (1.0 + 2.0 * OFFSET) * expit(_GRID) - OFFSET
_SLOPE = (1.0 + 2.0 * OFFSET) * expit(_GRID) * expit(-_GRID)
_STEPS, _DAMPING = 12, 0.7
_JITTER = 1e-8
_LEFT = 0.02  # of a variance's precision that a site leaves at least: Laplace is no exact fit


class Site(NamedTuple):
    """Log likelihood of a latent value, its derivative and its expected information, on a grid."""

    log_likelihood: Array
    score: Array
    information: Array


def binomial_site(k: float, total: float) -> Site:
    r"""Tabulate what k responses of unknown items say.

    The successes are binomial with :math:`p(x) = 1.2\, \mathrm{sigmoid}(x) - 0.1`.

    Parameters
    ----------
    k : float
        Shown responses; 0 gives a site that says nothing.
    total : float
        Sum of their values in [0, 1].

    Examples
    --------
    >>> site = binomial_site(10, 5)
    >>> bool(site.log_likelihood.argmax() == len(site.score) // 2)
    True
    """
    p, dp = _SUCCESS, _SLOPE
    return Site(
        total * np.log(p) + (k - total) * np.log1p(-p),
        (total / p - (k - total) / (1.0 - p)) * dp,
        k * dp**2 / (p * (1.0 - p)),
    )


def item_site(logits: Array, shown: NDArray[np.bool_], right: Array) -> Site:
    r"""Tabulate what responses say when it is known how hard their items are.

    Under a shift :math:`\delta` of all logits, item n is right with :math:`P_n =
    \mathrm{sigmoid}(l_n + \delta)`, and the value is the mean of all :math:`P_n`: it and the
    likelihood of the shown responses are both functions of :math:`\delta`.

    Parameters
    ----------
    logits : ndarray, shape (n,)
        Of all items of the run (`update.item_logits`).
    shown : ndarray of bool, shape (n,)
    right : ndarray, shape (n,)
        1 where a shown response is right, 0 elsewhere.

    Examples
    --------
    To have a hard item right says more than to have an easy one right:

    >>> logits, right = np.repeat([-2.0, 2.0], 50), np.ones(100)
    >>> hard, easy = (item_site(logits, np.arange(100) == n, right) for n in (0, 99))
    >>> bool(hard.score[94] > easy.score[94])
    True
    """
    p = expit(logits + SHIFTS[:, None])  # [shifts, n]
    spread = p * (1.0 - p)
    mean = p.mean(axis=1)
    change = slope(mean) * spread.mean(axis=1)  # of the latent value with the shift
    seen, x = np.clip(p[:, shown], 1e-9, 1.0 - 1e-9), right[shown]
    log_likelihood = (x * np.log(seen) + (1.0 - x) * np.log1p(-seen)).sum(axis=1)
    score = (x - seen).sum(axis=1) / change
    information = spread[:, shown].sum(axis=1) / change**2
    at = to_logit(mean)
    return Site(*(np.interp(_GRID, at, part) for part in (log_likelihood, score, information)))


@dataclass(frozen=True)
class Updated:
    r"""Draws of J latent values after the shown responses.

    Attributes
    ----------
    mean : ndarray, shape (D, J)
    covariance : ndarray, shape (D, J, J)
    weights : ndarray, shape (D,)
        Of the draws, summing to 1.
    precision, push : ndarray, shape (D, J)
        Of the normals in x that stand for the values' own sites, :math:`\exp(-\tau x^2 / 2 +
        \nu x)`: tau and nu.
    """

    mean: Array
    covariance: Array
    weights: Array
    precision: Array
    push: Array

    @property
    def effective(self) -> float:
        """The number of draws that the weights are worth."""
        return float(1.0 / (self.weights**2).sum())

    @property
    def variance(self) -> Array:
        """Of each value under each draw, shape (D, J)."""
        return np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), _JITTER)

    def overall(self) -> tuple[Array, Array]:
        """Give mean and variance of each value over the draws, shape (J,)."""
        mean = self.weights @ self.mean
        return mean, np.asarray(self.weights @ (self.variance + (self.mean - mean) ** 2))

    def without_own(self) -> tuple[Array, Array]:
        """Give mean and variance of each value by what is shown of the others, shape (D, J)."""
        left = np.maximum(1.0 - self.precision * self.variance, _LEFT)
        variance = self.variance / left
        return variance * (self.mean / self.variance - self.push), variance

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        """Draw the J values together, shape (size, J)."""
        count = self.mean.shape[1]
        spread = self.covariance + _JITTER * np.eye(count)
        root = np.linalg.cholesky(spread)
        which = np.searchsorted(np.cumsum(self.weights), (np.arange(size) + 0.5) / size)
        which = np.minimum(which, len(self.weights) - 1)
        z = rng.standard_normal((size, count, 1))
        return np.asarray(self.mean[which] + (root[which] @ z)[..., 0])


def update(mean: Array, covariance: Array, sites: list[Site | None]) -> Updated:
    """Update normals of latent values by what is shown of each.

    Under each draw the posterior is approximated by a normal at its mode (12 damped steps of
    Fisher scoring); the draws are weighted by the approximation's evidence.

    Parameters
    ----------
    mean : ndarray, shape (D, J)
    covariance : ndarray, shape (D, J, J)
    sites : list of Site or None, length J
        None where nothing is shown.

    Returns
    -------
    Updated

    References
    ----------
    Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), algorithm 3.1; section
    3.6 for the marginals without a value's own site.

    Examples
    --------
    >>> after = update(np.zeros((1, 1)), np.ones((1, 1, 1)), [binomial_site(1000, 800)])
    >>> round(after.mean[0, 0].item(), 2), after.effective
    (1.1, 1.0)
    """
    draws, size = mean.shape
    if all(site is None for site in sites):
        none = np.zeros_like(mean)
        return Updated(mean, covariance, np.full(draws, 1.0 / draws), none, none)
    nothing = Site(*np.zeros((3, len(_GRID))))
    tables = Site(*(np.stack(part) for part in zip(*(s or nothing for s in sites), strict=True)))
    x, eye = mean.copy(), np.eye(size)
    for step in range(_STEPS + 1):
        place, share = _place(x)
        gradient = _read(tables.score, place, share)
        root = np.sqrt(_read(tables.information, place, share))
        b = root[:, :, None] * covariance * root[:, None, :] + eye
        right = root**2 * (x - mean) + gradient
        pushed = root * (covariance @ right[..., None])[..., 0]
        a = right - root * np.linalg.solve(b, pushed[..., None])[..., 0]
        if step < _STEPS:
            x = x + _DAMPING * (mean + (covariance @ a[..., None])[..., 0] - x)
    left = root[:, :, None] * covariance
    after = covariance - np.swapaxes(left, 1, 2) @ np.linalg.solve(b, left)
    evidence = _read(tables.log_likelihood, place, share).sum(axis=1)
    evidence -= 0.5 * ((x - mean) * a).sum(axis=1) + 0.5 * np.linalg.slogdet(b)[1]
    weights = np.exp(evidence - logsumexp(evidence))
    return Updated(x, after, weights, root**2, root**2 * x + gradient)


def update_each(mean: Array, variance: Array, sites: list[Site | None]) -> Updated:
    """Update each of J values by what is shown of it alone, as if nothing else were there.

    The same as `update` of one value at a time, to the last digit whatever else is updated.

    Parameters
    ----------
    mean, variance : ndarray, shape (J,)
        Of one draw.
    sites : list of Site or None, length J

    Returns
    -------
    Updated
        Of one draw, with covariances of 0.

    Examples
    --------
    >>> site = binomial_site(1000, 800)
    >>> alone = update(np.zeros((1, 1)), np.ones((1, 1, 1)), [site])
    >>> each = update_each(np.zeros(2), np.ones(2), [site, None])
    >>> each.mean.round(3).tolist(), alone.mean.round(3).tolist()
    ([[1.095, 0.0]], [[1.095]])
    """
    nothing = Site(*np.zeros((3, len(_GRID))))
    tables = Site(*(np.stack(part) for part in zip(*(s or nothing for s in sites), strict=True)))
    centre, own = mean[None], variance[None]
    x = centre.copy()
    for step in range(_STEPS + 1):
        place, share = _place(x)
        gradient = _read(tables.score, place, share)
        information = _read(tables.information, place, share)
        if step < _STEPS:
            a = (information * (x - centre) + gradient) / (1.0 + information * own)
            x = x + _DAMPING * (centre + own * a - x)
    after = (own / (1.0 + information * own))[:, :, None] * np.eye(len(mean))
    return Updated(x, after, np.ones(1), information, information * x + gradient)


def _place(x: Array) -> tuple[NDArray[np.intp], Array]:
    """Find the grid step that each value is in, and how far; what lies beyond is at the end."""
    at = np.clip((x - _GRID[0]) / _GAP, 0.0, len(_GRID) - 1.0)
    place = np.minimum(at.astype(np.intp), len(_GRID) - 2)
    return place, np.asarray(at - place)


def _read(table: Array, place: NDArray[np.intp], share: Array) -> Array:
    """Read each column's table, shape (J, grid), at the places of its values, shape (D, J)."""
    column = np.arange(len(table))
    return np.asarray(table[column, place] * (1.0 - share) + table[column, place + 1] * share)
