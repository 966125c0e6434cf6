"""The models that a run is predicted from, and the run's shown responses beside theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from predictors.common.counts import Array
from predictors.common.item_grid import AskedRun, ItemGrid
from predictors.tilted_items.levels import Reading, logit
from predictors.tilted_items.residuals import ItemResiduals, KnownRuns, learned_rho, standardised
from predictors.tilted_items.signatures import Signatures

__all__ = ["ModelPool", "PlacedRun"]


@dataclass(frozen=True, eq=False)
class PlacedRun:
    """A held-out run whose column has train responses.

    Attributes
    ----------
    run : AskedRun
    column : int
    place : ndarray of int, shape (I,)
        Of each of its items among the column's; -1 where no train run has it.
    y : ndarray of float, shape (k,)
        Its shown values less their mean, drawn to the pool's mean.
    reading : Reading or None
        What they say of its level; None at k = 0.
    """

    run: AskedRun
    column: int
    place: NDArray[np.intp]
    y: Array
    reading: Reading | None

    @classmethod
    def of(
        cls, run: AskedRun, column: int, items: NDArray[np.object_], usual: float, shrink: float
    ) -> PlacedRun:
        r"""Place a run.

        Parameters
        ----------
        run : AskedRun
        column : int
        items : ndarray of str
            The column's, sorted.
        usual : float
            The mean of the pool's runs of the column.
        shrink : float
            How many shown responses that is worth: the mean of k is estimated by
            (sum + shrink · usual) / (k + shrink).
        """
        place = np.minimum(np.searchsorted(items, run.labels), len(items) - 1)
        place = np.where(items[place] == run.labels, place, -1)
        k = len(run.own)
        mean = (float(run.shown.sum()) + shrink * usual) / max(k + shrink, 1e-9)
        safe = min(max(mean, 0.01), 0.99)
        reading = Reading(column, float(logit(safe)), 1 / (k * safe * (1 - safe))) if k else None
        return cls(run, column, place, run.shown - mean, reading)

    def of_items(self, values: Array) -> Array:
        """Give the columns of an array (…, the column's items) for the run's items; else 0."""
        return np.where(self.place >= 0, values[..., self.place], 0.0)


@dataclass(eq=False)
class ModelPool:
    """Some models' responses, with what is computed from them once for all runs.

    Parameters
    ----------
    grid : ItemGrid
        Of all models.
    rows : ndarray of int
        Which of them.
    signatures : Signatures
        Of these.
    ridge, floor : float
        Of `ItemResiduals`, and of their scale.
    """

    grid: ItemGrid
    rows: NDArray[np.intp]
    signatures: Signatures
    ridge: float
    floor: float
    _residuals: dict[int, ItemResiduals] = field(default_factory=dict)
    _scaled: dict[int, Array] = field(default_factory=dict)
    _dispersion: dict[int, float] = field(default_factory=dict)
    _rho: dict[int, float] = field(default_factory=dict)

    def place(self, model: int | None) -> int | None:
        """Give the place of one of all models in the pool."""
        return None if model is None else int(np.searchsorted(self.rows, model))

    def products(
        self, weight: Array, model: int | None, shown: Sequence[tuple[PlacedRun, float]]
    ) -> tuple[Array, Array]:
        """Sum x x' of the models, and x y of them and one model, over items with weights.

        Parameters
        ----------
        weight : ndarray of float, shape (C,)
            Of the items of the columns in which the model's responses are known.
        model : int or None
            The model's place in the pool; None if it has no train run.
        shown : sequence of (PlacedRun, float)
            Its runs of which responses are shown, and the weights of these.

        Returns
        -------
        a : ndarray of float, shape (M, M)
        b : ndarray of float, shape (M,)
        """
        size = len(self.rows)
        a, b = np.zeros((size, size)), np.zeros(size)
        if model is not None and weight.any():
            a = np.tensordot(weight, self.signatures.gram, 1)
            b = a[:, model].copy()
        for placed, of_items in shown:
            if len(placed.y):
                own = placed.of_items(self.signatures.x[placed.column])[:, placed.run.own]
                a += of_items * (own @ own.T)
                b += of_items * (own @ placed.y)
        return a, b

    def alike(self, column: int) -> Array:
        """Give the correlations of the models' responses to the items of all other columns.

        Returns
        -------
        ndarray of float, shape (M, M)
            0 off the diagonal for a model without a run elsewhere.
        """
        product = self._total - self.signatures.gram[column]
        size = np.sqrt(np.maximum(np.diag(product), 0.0))
        unit = np.divide(1.0, size, out=np.zeros_like(size), where=size > 1e-9)
        out = np.asarray(product * unit * unit[:, None])
        np.fill_diagonal(out, 1.0)
        return out

    @cached_property
    def _total(self) -> Array:
        return np.asarray(self.signatures.gram.sum(axis=0))

    def residuals(self, column: int) -> ItemResiduals:
        """Give the residuals of the models that have a run in the column."""
        if column not in self._residuals:
            pool = self.signatures.pool(column, None)
            gram = self._total[np.ix_(pool, pool)]
            x = self.signatures.x[column][pool]
            self._residuals[column] = ItemResiduals(x, gram, self.ridge)
        return self._residuals[column]

    def scaled(self, column: int) -> Array:
        """Give the residuals as `standardised` scales them."""
        if column not in self._scaled:
            self._scaled[column] = standardised(self.residuals(column).rows, self.floor)
        return self._scaled[column]

    def values(self, column: int) -> Array:
        """Give the values of the models that have a run in the column; NaN where there is none."""
        return self.grid.y[column][self.rows[self.signatures.pool(column, None)]]

    def dispersion(self, column: int, least: float) -> float:
        """Give φ of the column (`ItemResiduals.dispersion`)."""
        if column not in self._dispersion:
            phi = self.residuals(column).dispersion(self.values(column), least)
            self._dispersion[column] = phi
        return self._dispersion[column]

    def rho(self, k: int, least: float) -> float:
        """Give the ρ that `learned_rho` finds for k shown items."""
        if k and k not in self._rho:
            known = [self._known(c) for c in range(len(self.grid.y))]
            self._rho[k] = learned_rho(known, k, self.floor, least)
        return self._rho[k] if k else 0.0

    def _known(self, column: int) -> KnownRuns:
        pool = self.signatures.pool(column, None)
        gram = self._total - self.signatures.gram[column]
        x = self.signatures.x[column][pool]
        left = ItemResiduals(x, gram[np.ix_(pool, pool)], self.ridge).rows
        return KnownRuns(self.residuals(column), left, self.values(column))
