"""How alike models answer items, as row kernels: agreement G, and C, agreement beyond ability.

For predictors that tie runs of models that answer the same items alike. Both are correlations of
the responses that the train runs have; a predictor makes its own covariance of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hibayes.hierarchical.kernels import standardised
from predictors.common.counts import Array
from predictors.common.item_grid import ItemGrid

__all__ = ["MOST_ITEMS", "AgreementKernels", "Responses", "aligned", "correlation", "without"]

MOST_ITEMS = 600
"""Items that a column with more of them counts as, so that none decides alone who is alike."""

LEAST_EIGENVALUE = 1e-4

SPREAD_FLOOR = 0.02
"""Of an item's variance, as in `standardised`."""

Table: TypeAlias = Array
"""Responses of all models to a column's items, (M, items) in [0, 1]; NaN where there is none."""


@dataclass(frozen=True, eq=False)
class AgreementKernels:
    r"""Correlations between M models' item responses.

    With :math:`E_{in} = (x_{in} - p_n) / \sqrt{p_n (1 - p_n) + .02}`, where p is the item's mean
    over the train models that answered it, and 0 where there is no response,

    .. math:: \hat G = \frac{\sum_j w_j E_j E_j'}{\sum_j w_j S_j S_j'}, \qquad
              w_j = \min(1, 600 / N_j)

    over the columns j, S being 1 where a model has a response; scaled to unit diagonal, with
    eigenvalues of at least 1e-4. C is the same after each model's own mean over the column's items
    is subtracted from its row of E: agreement beyond ability, or lineage.

    Attributes
    ----------
    agreement : ndarray of float, shape (M, M)
        G.
    lineage : ndarray of float, shape (M, M)
        C.
    shared : ndarray of float, shape (M, M)
        Items that two models both answered; 0 where nothing is known of a pair, and then both
        correlations are 0 (1 on the diagonal).

    Notes
    -----
    A run's value is the mean of the responses that the kernels are made of, so the likelihood of
    train values, and leaving a value out of it, flatter them: judge them on runs whose responses
    they were made without (`without`).

    References
    ----------
    The standardised responses are those of `hibayes.hierarchical.kernels`.
    """

    agreement: Array
    lineage: Array
    shared: Array

    @property
    def known(self) -> bool:
        """Whether any two models share items."""
        off = self.shared - np.diag(np.diag(self.shared))
        return bool((off > 0).any())

    @classmethod
    def of_tables(
        cls, tables: Mapping[int, Table] | Sequence[Table], models: int
    ) -> AgreementKernels:
        """Compute the kernels of tables of responses.

        Parameters
        ----------
        tables : mapping of int to ndarray, or sequence of ndarray, shape (models, items)
            One for each column with responses; NaN where a model has none.
        models : int
            M.

        Examples
        --------
        >>> x = np.array([[1.0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
        >>> kernels = AgreementKernels.of_tables([x], 3)
        >>> kernels.agreement.round(1).tolist()
        [[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
        """
        g, c, both, shared = np.zeros((4, models, models))
        for table in _in_order(tables):
            e, beyond, seen = standardised(table)
            weight = min(1.0, MOST_ITEMS / max(table.shape[1], 1))
            there = seen.astype(float)
            count = there @ there.T
            g += weight * (e @ e.T)
            c += weight * (beyond @ beyond.T)
            both += weight * count
            shared += count
        return cls(correlation(g, both), correlation(c, both), shared)

    @classmethod
    def of(cls, grid: ItemGrid, models: Sequence[str]) -> AgreementKernels:
        """Compute the kernels of some models from a grid of responses.

        Parameters
        ----------
        grid : ItemGrid
        models : sequence of str, length M
            The rows of the kernels; those that the grid does not have share no items with any.
        """
        return cls.of_tables(aligned(grid, models), len(models))


class Responses:
    """Standardised responses of known models, to compare new ones with.

    Parameters
    ----------
    tables : mapping of int to ndarray, shape (M, items)
        By column; NaN where a model has no response.
    """

    def __init__(self, tables: Mapping[int, Table]) -> None:
        self._parts = {}
        for j in sorted(tables):
            table = tables[j]
            e, beyond, seen = standardised(table)
            count = np.maximum(seen.sum(axis=0), 1)
            p = np.where(seen, table, 0.0).sum(axis=0) / count
            self._parts[j] = (e, beyond, seen, p, np.sqrt(p * (1.0 - p) + SPREAD_FLOOR))

    def row(self, shown: Mapping[int, Array]) -> tuple[Array, Array, int]:
        r"""Estimate G and C between a new model and the known ones from some of its responses.

        The mean product of standardised responses over the shown items, over the root mean squares
        of both; nothing is shrunk.

        Parameters
        ----------
        shown : mapping of int to ndarray, shape (items,)
            By column; NaN where none was shown.

        Returns
        -------
        agreement, lineage : ndarray of float, shape (M,)
            0 where no item is shared.
        n : int
            Shown items of columns that are known.

        Examples
        --------
        >>> x = np.array([[1.0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
        >>> g, c, n = Responses({0: x}).row({0: np.array([1.0, 0, np.nan, np.nan])})
        >>> g.round(2).tolist(), n
        ([1.0, 1.0, -1.0], 2)
        """
        parts, level, n = [], 0.0, 0
        for j in sorted(shown):
            at = np.flatnonzero(np.isfinite(shown[j]))
            if j not in self._parts or not len(at):
                continue
            e, beyond, seen, p, unit = self._parts[j]
            own = (shown[j][at] - p[at]) / unit[at]
            parts.append((own, e[:, at], beyond[:, at], seen[:, at]))
            level += float(own.sum())
            n += len(at)
        if not n:
            size = len(next(iter(self._parts.values()))[0]) if self._parts else 0
            return np.zeros(size), np.zeros(size), 0
        mine = np.concatenate([own for own, *_ in parts])
        both = np.concatenate([seen for *_, seen in parts], axis=1).sum(axis=1)
        rows = []
        for own, of in ((mine, 1), (mine - level / n, 2)):
            theirs = np.concatenate([part[of] for part in parts], axis=1)
            size = np.sqrt(np.maximum((own * own).sum(), 1e-9) / n)
            sizes = np.sqrt(np.maximum((theirs * theirs).sum(axis=1), 1e-9) / np.maximum(both, 1))
            product = theirs @ own / np.maximum(both, 1)
            rows.append(np.where(both > 0, np.clip(product / size / sizes, -1.0, 1.0), 0.0))
        return rows[0], rows[1], n


def aligned(grid: ItemGrid, models: Sequence[str]) -> list[Table]:
    """Give the responses of each column of a grid with the rows of these models.

    Examples
    --------
    >>> grid = ItemGrid(["a", "b"], {}, [], [], [np.array([[1.0], [0.0]])])
    >>> aligned(grid, ["b", "c"])[0].tolist()
    [[0.0], [nan]]
    """
    place = {model: i for i, model in enumerate(grid.models)}
    at = np.array([place.get(model, -1) for model in models], np.intp)
    return [np.where((at >= 0)[:, None], y[at], np.nan) for y in grid.y]


def without(tables: Mapping[int, Table], hidden: NDArray[np.bool_]) -> dict[int, Table]:
    """Give the tables as they would be without the responses of some runs.

    Parameters
    ----------
    tables : mapping of int to ndarray, shape (M, items)
        By column.
    hidden : ndarray of bool, shape (M, S)

    Examples
    --------
    >>> hidden = np.array([[False, True], [False, False]])
    >>> without({1: np.array([[1.0], [0.0]])}, hidden)[1].tolist()
    [[nan], [0.0]]
    """
    return {j: np.where(hidden[:, j, None], np.nan, table) for j, table in tables.items()}


def correlation(gram: Array, weight: Array) -> Array:
    """Scale sums of products to correlations, and lift the eigenvalues to 1e-4.

    Parameters
    ----------
    gram, weight : ndarray of float, shape (M, M)
        Sums of products, and of how many; pairs of weight 0 are uncorrelated.

    Examples
    --------
    >>> correlation(np.array([[4.0, 2.0], [2.0, 4.0]]), np.ones((2, 2))).round(3).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    mean = np.divide(gram, weight, out=np.zeros_like(gram), where=weight > 0)
    scale = np.sqrt(np.maximum(np.diag(mean), 1e-12))
    raw = np.clip(mean / scale / scale[:, None], -1.0, 1.0)
    np.fill_diagonal(raw, 1.0)
    values, vectors = np.linalg.eigh((raw + raw.T) / 2.0)
    lifted = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    out = lifted / scale / scale[:, None]
    return np.asarray((out + out.T) / 2.0)


def _in_order(tables: Mapping[int, Table] | Sequence[Table]) -> Iterator[Table]:
    if isinstance(tables, Mapping):
        return (tables[j] for j in sorted(tables))
    return iter(tables)
