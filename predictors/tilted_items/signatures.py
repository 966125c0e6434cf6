"""Signatures: a model's responses as a weighted sum of other models' responses to the same items.

Ridge regression over items, from Gram matrices of models alone, so that once these are made its
cost does not depend on the number of items.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictors.common.counts import Array
from predictors.common.item_grid import ItemGrid

__all__ = ["Signatures", "drawn_ridge"]


class Signatures:
    """Centred responses of M models in C columns.

    Parameters
    ----------
    x : list of ndarray of float, shape (M, I)
        Of each column: the models' values less the mean of their run; 0 where there is no run.
    means : ndarray of float, shape (M, C)
        The runs' means; NaN where there is no run.

    Attributes
    ----------
    seen : ndarray of bool, shape (M, C)
        Whether the model has a run in the column.
    """

    def __init__(self, x: list[Array], means: Array) -> None:
        self.x, self.means = x, means
        self.seen: NDArray[np.bool_] = np.isfinite(means)

    @classmethod
    def of(cls, grid: ItemGrid) -> Signatures:
        """Centre the responses of a grid; in a run, a gap is the mean of the item's other models.

        Examples
        --------
        >>> y = np.array([[1.0, 0.0], [1.0, np.nan]])
        >>> grid = ItemGrid(["a", "b"], {}, ["s"], [], [y])
        >>> Signatures.of(grid).x[0].tolist()
        [[0.5, -0.5], [0.0, -0.5]]
        """
        means = grid.means
        return cls([_centred(y, m) for y, m in zip(grid.y, means.T, strict=True)], means)

    @cached_property
    def gram(self) -> Array:
        """Products x x' of each column's responses, shape (C, M, M)."""
        size = len(self.means)
        out = np.zeros((len(self.x), size, size))
        for c, x in enumerate(self.x):
            out[c] = x @ x.T
        return out

    def pool(self, column: int, model: int | None) -> NDArray[np.intp]:
        """Give the models that have a run in the column, but the model itself."""
        there = self.seen[:, column].copy()
        if model is not None:
            there[model] = False
        return np.flatnonzero(there)

    def nearest(self, towards: Array, most: int, keep: int | None) -> NDArray[np.intp]:
        """Give the models whose responses go most along with some, at most so many.

        Parameters
        ----------
        towards : ndarray of float, shape (M,)
            Sum over items of x y.
        most : int
        keep : int or None
            A model that is among them in any case.

        Returns
        -------
        ndarray of int
            Ascending; equal ones in the order of the models.
        """
        size = np.sqrt(sum((np.einsum("mi,mi->m", x, x) for x in self.x), np.zeros(len(towards))))
        likeness = np.divide(towards, size, out=np.zeros_like(towards), where=size > 0)
        if keep is not None:
            likeness[keep] = np.inf
        return np.sort(np.argsort(-likeness, kind="stable")[:most])

    def take(self, rows: NDArray[np.intp]) -> Signatures:
        """Give some of the models."""
        return Signatures([x[rows] for x in self.x], self.means[rows])


def drawn_ridge(a: Array, b: Array, ridge: float, mean_size: float = 3.0) -> Array:
    r"""Regress on n models, with weights that are drawn to the mean of the models.

    The features are J = [I, s/√n 1], each model and their mean; the mean is s times as large, and
    so cheaply penalised. With the prior :math:`\beta_0 = 1/n` for each model,

    .. math:: \beta = \beta_0 + J (J'AJ + \lambda I)^{-1} J' (b - A \beta_0),

    computed as :math:`\beta_0 + (A + \lambda (JJ')^{-1})^{-1} (b - A\beta_0)` with
    :math:`(JJ')^{-1} = I - \frac{s^2}{(1 + s^2) n} 11'`.

    Parameters
    ----------
    a : ndarray of float, shape (n, n)
        Weighted sum over items of x x'.
    b : ndarray of float, shape (n,)
        Weighted sum over items of x y.
    ridge : float
        λ, above 0.
    mean_size : float
        s.

    Returns
    -------
    ndarray of float, shape (n,)
        Without any data (A = 0, b = 0): 1/n each.

    Examples
    --------
    >>> drawn_ridge(np.zeros((2, 2)), np.zeros(2), 1.0).tolist()
    [0.5, 0.5]
    """
    n = len(b)
    start = np.full(n, 1.0 / n)
    square = mean_size * mean_size
    penalty = ridge * (np.eye(n) - square / (1.0 + square) / n)
    return np.asarray(start + np.linalg.solve(a + penalty, b - a @ start))


def _centred(y: Array, mean: Array) -> Array:
    there = np.isfinite(y)
    x = np.where(there, y - np.where(np.isfinite(mean), mean, 0.0)[:, None], 0.0)
    usual = x.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.where(there | ~np.isfinite(mean)[:, None], x, usual)
