"""Responses of models to shared items as features, by their products: models by models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from predictors.common.counts import Array

__all__ = ["Features", "Scale"]

SPREAD_FLOOR = 0.02
"""Of an item's variance."""


class Scale:
    r"""Puts the responses to a column's items in units of the items' spread.

    .. math:: e_{it} = (x_{it} - p_t) / \sqrt{p_t (1 - p_t) + .02}

    with p the item's mean over the models that answered it. A gap in a run is the run's mean e.

    Parameters
    ----------
    table : ndarray of float, shape (M, I)
        Values in [0, 1]; NaN where there is none.

    Examples
    --------
    >>> scale = Scale(np.array([[1.0, 0.0], [0.0, 0.0]]))
    >>> scale(np.array([[1.0, np.nan]])).round(2).tolist()
    [[0.96, 0.96]]
    """

    def __init__(self, table: Array) -> None:
        seen = np.isfinite(table)
        p = np.where(seen, table, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        self._mean, self._unit = p, np.sqrt(p * (1.0 - p) + SPREAD_FLOOR)

    def __call__(self, table: Array, items: NDArray[np.intp] | slice = slice(None)) -> Array:
        """Standardise responses of any models to the items, or some of them; no run is zeros."""
        seen = np.isfinite(table)
        e = np.where(seen, (table - self._mean[items]) / self._unit[items], 0.0)
        usual = e.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        return np.where(seen, e, usual[:, None])


class Features:
    """What some models answered in some columns, as products of models.

    Parameters
    ----------
    tables : mapping of int to ndarray of float, shape (M, I)
        By column: standardised responses, 0 where a model has no run.
    seen : ndarray of bool, shape (M, S)
        Which model has a run in which column.

    Attributes
    ----------
    columns : list of int
        Sorted.
    """

    def __init__(self, tables: Mapping[int, Array], seen: NDArray[np.bool_]) -> None:
        self.columns = sorted(tables)
        self._place = {c: at for at, c in enumerate(self.columns)}
        self._seen = seen[:, self.columns].T  # [C, M]
        size = len(seen)
        self._products = np.zeros((len(self.columns), size, size))
        self._means = np.zeros((len(self.columns), size))
        for at, c in enumerate(self.columns):
            e = tables[c]
            self._products[at] = e @ e.T / max(e.shape[1], 1)
            self._means[at] = e.mean(axis=1) if e.shape[1] else 0.0

    def kernels(self, columns: Sequence[int], near: Sequence[int]) -> Array:
        r"""Give the kernels of a regression on the items of some columns.

        Each item's weight is the sum of one of its own and one of its column; the items of near
        columns have another on top. Averaged over columns and their items, that is

        .. math:: K_1 = \overline{e_c e_c' / I_c}, \quad K_2 = \overline{\bar e_c \bar e_c'},
                  \quad K_3 = \overline{e_c e_c' / I_c}_{near}

        A run that a model does not have stands for its mean e over the columns asked for, drawn to
        0 by the weight of one.

        Parameters
        ----------
        columns : sequence of int
        near : sequence of int
            Of these.

        Returns
        -------
        ndarray of float, shape (3, M, M)
        """
        at = np.array([self._place[c] for c in columns], np.intp)
        size = self._means.shape[1]
        if not len(at):
            return np.zeros((3, size, size))
        is_near = np.isin(np.asarray(columns), np.asarray(near, int))
        seen, means = self._seen[at], self._means[at]
        effect = means.sum(axis=0) / (seen.sum(axis=0) + 1)
        filled = np.where(seen, 0.0, effect)
        whole = means + filled

        def mean_product(part: NDArray[np.bool_]) -> Array:
            count = int(part.sum())
            if not count:
                return np.zeros((size, size))
            weight = np.zeros(len(self.columns))
            weight[at[part]] = 1.0 / count
            u, s = filled[part], means[part]
            cross = u.T @ s
            products = np.tensordot(weight, self._products, 1)
            return np.asarray(products + (cross + cross.T + u.T @ u) / count)

        everywhere = np.ones(len(at), bool)
        return np.stack(
            [mean_product(everywhere), whole.T @ whole / len(at), mean_product(is_near)]
        )
