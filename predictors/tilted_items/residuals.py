"""What of the models' responses others do not explain, and what it says of a run's unseen items.

Items that models get unexpectedly right or wrong together tell of each other: a shown response that
surprises moves the items like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.common.counts import Array

__all__ = ["ItemResiduals", "KnownRuns", "item_update", "learned_rho", "standardised"]

_RHOS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
_ENDS = (0.01, 0.99)
_RUNS = 256  # from which ρ is learned, at most


class ItemResiduals:
    r"""Leave-one-out residuals of n models' responses to the I items of a column.

    .. math:: R = \mathrm{diag}(B)^{-1} B X, \quad B = (G + \lambda I)^{-1}:

    row i is what is left of model i when it is regressed on all others (λ ridge, G the products
    of all their responses).

    Parameters
    ----------
    x : ndarray of float, shape (n, I)
        Centred responses.
    gram : ndarray of float, shape (n, n)
        G, over all columns.
    ridge : float
        λ.

    Attributes
    ----------
    rows : ndarray of float, shape (n, I)
        R.
    """

    def __init__(self, x: Array, gram: Array, ridge: float) -> None:
        self._x = x
        self._inverse = np.linalg.inv(gram + ridge * np.eye(len(x)))
        self.rows: Array = (self._inverse / np.diag(self._inverse)[:, None]) @ x

    def dispersion(self, y: Array, least: float = 0.02) -> float:
        r"""Give φ: the residuals' mean square over the mean of p (1 - p), p what is explained.

        By moments; at most 1, the φ of values 0 and 1.

        Parameters
        ----------
        y : ndarray of float, shape (n, I)
            The values in [0, 1]; NaN where there is none.
        least : float
            p is inside [least, 1 - least].
        """
        there = np.isfinite(y)
        if not there.any():
            return 1.0
        p = np.clip(y - self.rows, least, 1.0 - least)[there]
        return float(np.clip(np.mean(self.rows[there] ** 2) / np.mean(p * (1 - p)), 0.01, 1.0))

    def without(self, i: int) -> Array:
        """Give the residuals of the others when model i had never been there; (n - 1, I)."""
        others = np.arange(len(self._x)) != i
        b = self._inverse
        # the inverse of a matrix without one row and column, from the inverse of the whole
        less = b[np.ix_(others, others)] - np.outer(b[others, i], b[i, others]) / b[i, i]
        return np.asarray((less / np.diag(less)[:, None]) @ self._x[others])


def standardised(rows: Array, floor: float = 0.2) -> Array:
    r"""Scale residuals so that their products over models, over n, are the items' correlations.

    Each model to a mean square of 1, then each item by :math:`\sqrt{C_{tt} + .2}`, C = R'R / n.

    Examples
    --------
    >>> standardised(np.array([[3.0, -3.0]]), floor=0.0).tolist()
    [[1.0, -1.0]]
    """
    size = np.sqrt(np.mean(rows * rows, axis=1, keepdims=True))
    rows = np.divide(rows, size, out=np.zeros_like(rows), where=size > 1e-9)
    if not len(rows):
        return rows
    return np.asarray(rows / np.sqrt(np.mean(rows * rows, axis=0) + floor))


def item_update(p: Array, residuals: Array, own: NDArray[np.intp], y: Array, rho: float) -> Array:
    r"""Move items by how unexpected the shown responses to items like them were.

    With C the correlations of items and the standardised errors
    :math:`r = (y - p) / \sqrt{p (1 - p)}` of the shown items o,

    .. math:: p_t \leftarrow p_t + \sqrt{p_t (1 - p_t)}\, \rho C_{to} K_{oo}^{-1} r,

    where :math:`K_{oo} = \rho C_{oo}` with ones on its diagonal.

    Parameters
    ----------
    p : ndarray of float, shape (I,)
        Probabilities, or means in [0, 1].
    residuals : ndarray of float, shape (n, I)
        As `standardised` gives them.
    own, y : ndarray, shape (k,)
        Places and values of the shown items.
    rho : float
        ρ, from 0 to below 1.

    Returns
    -------
    ndarray of float, shape (I,)
        In [.01, .99].

    Examples
    --------
    >>> alike = np.array([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0]])
    >>> item_update(np.full(3, 0.5), alike, np.array([0]), np.array([1.0]), 0.5).tolist()
    [0.75, 0.75, 0.5]
    """
    if not len(residuals) or not len(own):
        return np.asarray(np.clip(p, *_ENDS))
    return _moved(p, residuals.T @ residuals[:, own] / len(residuals), own, y, rho)


def _moved(p: Array, c: Array, own: NDArray[np.intp], y: Array, rho: float) -> Array:
    k = rho * c[own]
    np.fill_diagonal(k, 1.0)
    spread = np.sqrt(p * (1 - p))
    error = (y - p[own]) / np.maximum(spread[own], 1e-6)
    return np.asarray(np.clip(p + spread * (rho * c @ np.linalg.solve(k, error)), *_ENDS))


@dataclass(frozen=True, eq=False)
class KnownRuns:
    """The train runs of a column, to be predicted as if they were held out.

    Attributes
    ----------
    residuals : ItemResiduals
        Of the n models.
    left : ndarray of float, shape (n, I)
        What is left of each run when it is regressed on the others over all other columns.
    y : ndarray of float, shape (n, I)
        The values in [0, 1]; NaN where there is none.
    """

    residuals: ItemResiduals
    left: Array
    y: Array


def learned_rho(columns: Sequence[KnownRuns], k: int, floor: float, least: float) -> float:
    """Give the ρ with which `item_update` would have helped the known runs most.

    Each known run is predicted from the others, k of its items are shown, and the rest is moved
    by what the residuals of the others say. At most 256 runs are tried, evenly spaced over the
    columns and their models.

    Parameters
    ----------
    columns : sequence of KnownRuns
    k : int
        Items shown.
    floor : float
        As in `standardised`.
    least : float
        Predictions are in [least, 1 - least].

    Returns
    -------
    float
        Of 0, .05, … .4 and .5 that with the least mean squared error; 0 without runs.
    """
    pairs = [
        (c, i) for c, known in enumerate(columns) if len(known.y) > 1 for i in range(len(known.y))
    ]
    losses = np.zeros(len(_RHOS))
    for at in np.unique(np.linspace(0, len(pairs) - 1, _RUNS).astype(int)) if pairs else ():
        known, i = columns[pairs[at][0]], pairs[at][1]
        y = known.y[i]
        order = np.random.default_rng(i).permutation(len(y))
        order = order[np.isfinite(y[order])]
        own, rest = order[:k], order[k:]
        if not len(rest):
            continue
        p = np.clip(np.where(np.isfinite(y), y, 0.5) - known.left[i], least, 1 - least)
        others = standardised(known.residuals.without(i), floor)
        c = others.T @ others[:, own] / len(others)
        for j, rho in enumerate(_RHOS):
            losses[j] += float(np.mean((_moved(p, c, own, y[own], rho)[rest] - y[rest]) ** 2))
    return _RHOS[int(np.argmin(losses))]
