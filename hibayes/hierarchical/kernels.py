"""How alike models answer items: the prior covariances of the model with item kernels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hibayes.hierarchical.cells import Array, Grid, Index

__all__ = ["Answers", "KernelRow", "Kernels", "standardised", "weigh"]

_SPREAD_FLOOR = 0.02  # of an item's variance: items that all answer alike say little
_LEAST_EIGENVALUE = 1e-4
_FACTOR_LENGTHS = (1.5, 1.2)  # of the kernels of G and of C
_FACTOR_SHARES = (0.8, 0.2)
_SHRINK = (60.0, 120.0)  # shown items that count as much as the average model, for G and for C


@dataclass(frozen=True, eq=False)
class Answers:
    """Item responses of the train runs, one table per column of a grid.

    Attributes
    ----------
    tables : dict of int to ndarray of float, shape (M, items)
        By column of the grid; values in [0, 1], NaN where a model has no response.
    items : dict of int to dict of str to int
        Place of each item in its column's table.
    """

    tables: dict[int, Array]
    items: dict[int, dict[str, int]]

    @classmethod
    def of(
        cls,
        grid: Grid,
        model: Sequence[str],
        column: Sequence[Hashable],
        item: Sequence[str],
        value: Sequence[float] | Array,
    ) -> Answers:
        """Arrange responses; several of one model to one item have their mean.

        Responses of models or columns that the grid does not have are left out, and so are values
        that are not finite.

        Examples
        --------
        >>> grid = Grid.of(list("ab"), list("ss"), [0.5, 1.0], [2, 2])
        >>> answers = Answers.of(grid, list("aab"), list("sss"), list("xyx"), [1, 0, 1])
        >>> answers.tables[0].tolist(), answers.items[0]
        ([[1.0, 0.0], [1.0, nan]], {'x': 0, 'y': 1})
        """
        row, place = grid.row, grid.column
        rows = np.array([row.get(name, -1) for name in model], np.intp)
        places = np.array([place.get(name, -1) for name in column], np.intp)
        labels, code = np.unique(np.asarray(item, dtype=object).astype(str), return_inverse=True)
        values = np.asarray(value, float)
        return cls.arranged(rows, places, code, labels.astype(object), values, grid.y.shape)

    @classmethod
    def arranged(
        cls,
        rows: Index,
        columns: Index,
        code: Index,
        labels: NDArray[np.object_],
        value: Array,
        shape: tuple[int, ...],
    ) -> Answers:
        """Arrange responses that are numbered already.

        Parameters
        ----------
        rows, columns : ndarray of int, shape (R,)
            Cell of the grid; negative where the grid does not have it.
        code : ndarray of int, shape (R,)
            Item, a place in `labels`.
        labels : ndarray of str
        value : ndarray of float, shape (R,)
        shape : (M, S)
            Of the grid.
        """
        known = np.flatnonzero((rows >= 0) & (columns >= 0) & np.isfinite(value))
        # sums do not depend on the order of the rows
        known = known[np.lexsort((value[known], code[known], rows[known], columns[known]))]
        starts = np.searchsorted(columns[known], np.arange(shape[1] + 1))
        tables: dict[int, Array] = {}
        items: dict[int, dict[str, int]] = {}
        for j in range(shape[1]):
            at = known[starts[j] : starts[j + 1]]
            if not len(at):
                continue
            own, place = np.unique(code[at], return_inverse=True)
            size = shape[0] * len(own)
            cell = rows[at] * len(own) + place
            total = np.bincount(cell, value[at], minlength=size)
            count = np.bincount(cell, minlength=size)
            mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
            tables[j] = mean.reshape(shape[0], len(own))
            items[j] = {str(labels[k]): i for i, k in enumerate(own)}
        return cls(tables, items)

    def part(self, rows: Sequence[int] | Index, columns: Sequence[int]) -> Answers:
        """Give the responses of some models in some columns, in this order, with all their items.

        Examples
        --------
        >>> answers = Answers({1: np.array([[1.0], [0.0]])}, {1: {"x": 0}})
        >>> answers.part([1], [0, 1]).tables[1].tolist()
        [[0.0]]
        """
        known = [(new, old) for new, old in enumerate(columns) if old in self.tables]
        return Answers(
            {new: self.tables[old][rows] for new, old in known},
            {new: self.items[old] for new, old in known},
        )


def standardised(table: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    r"""Give the residuals of responses from their items' means, in units of the items' spread.

    .. math:: E_{in} = (x_{in} - p_n) / \sqrt{p_n (1 - p_n) + 0.02}

    Returns
    -------
    residuals : ndarray, shape (M, items)
        0 where there is no response.
    beyond : ndarray, shape (M, items)
        The same less each model's own mean: agreement beyond ability.
    seen : ndarray of bool, shape (M, items)
    """
    seen = np.isfinite(table)
    x = np.where(seen, table, 0.0)
    p = x.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    e = np.where(seen, (x - p) / np.sqrt(p * (1.0 - p) + _SPREAD_FLOOR), 0.0)
    own = e.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return e, np.where(seen, e - own[:, None], 0.0), seen


class KernelRow(NamedTuple):
    """What a new model has in common with each known one, shape (M,): kernels, and C itself."""

    factors: Array
    residual: Array
    lineage: Array


@dataclass(frozen=True, eq=False)
class Kernels:
    r"""Covariances between models, plug-in estimates from their item responses.

    Attributes
    ----------
    agreement, lineage : ndarray, shape (M, M)
        Correlations G of `standardised` responses over all items that two models have, and C of
        what is left beyond ability; the eigenvalues at least 1e-4, the diagonal 1.
    factors : ndarray, shape (M, M)
        :math:`K_1 = .8 e^{(G - 1)/1.5} + .2 e^{(C - 1)/1.2}`.
    residual : ndarray, shape (M, M)
        :math:`K_2 = e^{(C - 1)/1.2}`.

    Notes
    -----
    The lengths 1.5 and 1.2 and the shares .8 and .2 are constants that were tuned on seeds 0-2 of
    the 57-model grid; they are not learned. The kernels are computed from the same responses whose
    means are the values, so the likelihood of the values cannot judge them.
    """

    agreement: Array
    lineage: Array
    factors: Array
    residual: Array

    @classmethod
    def of(cls, answers: Mapping[int, Array], models: int) -> Kernels:
        """Compute the kernels from tables of responses, models by items.

        Examples
        --------
        >>> x = np.array([[1.0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
        >>> kernels = Kernels.of({0: x}, 3)
        >>> bool(kernels.factors[0, 1] > 0.99 > kernels.factors[0, 2])
        True
        """
        g, c = np.zeros((models, models)), np.zeros((models, models))
        shared = np.zeros((models, models))
        for table in answers.values():
            e, beyond, seen = standardised(table)
            g += e @ e.T
            c += beyond @ beyond.T
            both = seen.astype(float)
            shared += both @ both.T
        return cls.from_grams(_correlation(g, shared), _correlation(c, shared))

    @classmethod
    def from_grams(cls, agreement: Array, lineage: Array) -> Kernels:
        """Compute the kernels from the two correlations."""
        factors = np.asarray(
            _FACTOR_SHARES[0] * np.exp((agreement - 1.0) / _FACTOR_LENGTHS[0])
            + _FACTOR_SHARES[1] * np.exp((lineage - 1.0) / _FACTOR_LENGTHS[1])
        )
        return cls(agreement, lineage, factors, np.exp((lineage - 1.0) / _FACTOR_LENGTHS[1]))

    def among(self, models: Index) -> Kernels:
        """Give the kernels of some of the models, in this order."""
        square = np.ix_(models, models)
        return Kernels(
            self.agreement[square],
            self.lineage[square],
            self.factors[square],
            self.residual[square],
        )

    def row_of(self, answers: Mapping[int, Array], shown: Mapping[int, Array]) -> KernelRow:
        r"""Estimate the kernel rows of a model that is known by some responses only.

        :math:`\hat g` is the mean product of its standardised responses with each known model's,
        over the root mean squares of both; with n shown items in all, :math:`g = (n \hat g + 60
        \bar g) / (n + 60)` with :math:`\bar g` the known model's mean correlation with the others.
        For C the weight is 120.

        Parameters
        ----------
        answers : mapping of int to ndarray, shape (M, items)
            Of the known models, by column.
        shown : mapping of int to ndarray, shape (items,)
            The new model's responses by column; NaN where none was shown.

        Returns
        -------
        KernelRow
        """
        models = len(self.agreement)
        cross, mine, theirs = np.zeros((2, models)), np.zeros(2), np.zeros((2, models))
        both = np.zeros(models)
        n = 0
        parts = []
        for j, response in shown.items():
            table = answers.get(j)
            at = np.flatnonzero(np.isfinite(response))
            if table is None or not len(at):
                continue
            e, beyond, seen = standardised(table)
            known = np.where(seen, table, 0.0)
            p = (known.sum(axis=0) / np.maximum(seen.sum(axis=0), 1))[at]
            own = (response[at] - p) / np.sqrt(p * (1.0 - p) + _SPREAD_FLOOR)
            parts.append((own, e[:, at], beyond[:, at], seen[:, at]))
            n += len(at)
        level = float(np.mean(np.concatenate([own for own, *_ in parts]))) if n else 0.0
        for own, e, beyond, seen in parts:
            for k, (a, b) in enumerate(((own, e), (own - level, beyond))):
                cross[k] += b @ a
                mine[k] += float(a @ a)
                theirs[k] += (b * b).sum(axis=1)
            both += seen.sum(axis=1)
        rows = []
        for k, known in enumerate((self.agreement, self.lineage)):
            usual = (known.sum(axis=1) - np.diag(known)) / max(models - 1, 1)
            scale = np.sqrt(np.maximum(mine[k], 1e-9) / max(n, 1)) * np.sqrt(
                np.maximum(theirs[k], 1e-9) / np.maximum(both, 1)
            )
            found = np.clip(cross[k] / np.maximum(both, 1) / scale, -1.0, 1.0)
            rows.append((n * found + _SHRINK[k] * usual) / (n + _SHRINK[k]))
        g, c = rows
        residual = np.exp((c - 1.0) / _FACTOR_LENGTHS[1])
        factors = _FACTOR_SHARES[0] * np.exp((g - 1.0) / _FACTOR_LENGTHS[0])
        return KernelRow(np.asarray(factors + _FACTOR_SHARES[1] * residual), residual, c)


def weigh(kernel: Array, row: Array, jitter: float) -> tuple[Array, float]:
    r"""Give the weights of known models in a new one, and the share of variance that they leave.

    .. math:: a = (K + \epsilon I)^{-1} k, \qquad 1 - k'a

    Examples
    --------
    >>> a, left = weigh(np.array([[1.0, 0.5], [0.5, 1.0]]), np.array([0.9, 0.45]), 0.0)
    >>> a.round(2).tolist(), round(left, 2)
    ([0.9, 0.0], 0.19)
    """
    a = np.linalg.solve(kernel + jitter * np.eye(len(kernel)), row)
    return np.asarray(a), 1.0 - float(row @ a)


def _correlation(gram: Array, shared: Array) -> Array:
    """Scale mean products to correlations, and lift the eigenvalues."""
    mean = gram / np.maximum(shared, 1.0)
    scale = np.sqrt(np.maximum(np.diag(mean), 1e-12))
    raw = mean / scale / scale[:, None]
    np.fill_diagonal(raw, 1.0)
    values, vectors = np.linalg.eigh((raw + raw.T) / 2.0)
    lifted = (vectors * np.maximum(values, _LEAST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / scale / scale[:, None])
