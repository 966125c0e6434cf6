"""Tables of scores with holes: standardised, sampled by chains, their widths calibrated.

The model and its sampler are in `predictors.factorisation.sampler`; this says what it is given, and
what its draws say of a cell, also of a model or a column that has no train run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hibayes.hierarchical.spreads import moderated_variances
from predictors.additive_logit import MIN_SQUASHED_SD
from predictors.common.counts import Array
from predictors.common.grid import Cells, Column
from predictors.common.mixtures import Link, MixtureOfDraws
from predictors.common.moments import least_sd
from predictors.factorisation.metadata_kernels import TraitKernels, Traits
from predictors.factorisation.sampler import DF, Chain, Draws, inverted, mixed
from predictors.factorisation.widths import (
    USUAL,
    calibrated,
    hidden_parts,
    hidden_rows,
    latest_rows,
    little_known,
)

Index: TypeAlias = NDArray[np.intp]

__all__ = ["MOST", "Fit", "Kernels", "NewRows", "Table", "fit_table"]

LOGIT = Link(0.0)
RAW = Link(None)

_CUT = 0.005  # values are kept this far from the ends of the range before the logit
_LEAST = 3  # values that an unbounded column must have
_BURN = 0.3  # of the sweeps
_EVERY = 2  # of the sweeps after is kept
_REHEARSAL = 9  # salt of the chain that is judged on rows that are made little known
_PREMIERE = 10  # and on rows that are made unknown
MOST = 300  # models, or columns; with more, no kernels of them: each sweep costs their cube


@dataclass(frozen=True, eq=False)
class Table:
    """A standardised table of scores.

    Attributes
    ----------
    model : dict of str to int
        I rows, sorted.
    column : dict of Column to int
        J columns, sorted.
    z : ndarray, shape (I, J)
        Values on the columns' scales: a logit, or the metric's; NaN where there is none.
    centre, spread : ndarray, shape (J,)
        Of the columns.
    """

    model: dict[str, int]
    column: dict[Column, int]
    z: Array
    centre: Array
    spread: Array

    @classmethod
    def of(cls, runs: Cells) -> Table:
        """Arrange train runs; unbounded columns with fewer than 3 values are left out."""
        count: dict[Column, int] = {}
        for c in runs.column:
            count[c] = count.get(c, 0) + 1
        kept = [c for c, n in sorted(count.items()) if c[-1] or n >= _LEAST]
        column = {c: j for j, c in enumerate(kept)}
        rows = [r for r in range(len(runs)) if runs.column[r] in column]
        model = {m: i for i, m in enumerate(sorted({runs.model[r] for r in rows}))}
        total, number = np.zeros((2, len(model), len(column)))
        for r in rows:
            cell = model[runs.model[r]], column[runs.column[r]]
            total[cell] += runs.y[r]
            number[cell] += 1
        with np.errstate(invalid="ignore"):
            y = total / number
        bounded = np.array([c[-1] for c in kept], bool)
        z = np.where(bounded, LOGIT(np.clip(y, _CUT, 1.0 - _CUT)), y)
        return cls.standardised(model, column, z)

    @classmethod
    def standardised(cls, model: dict[str, int], column: dict[Column, int], z: Array) -> Table:
        """Standardise values on the columns' scales.

        Bounded columns' variances are those of `moderated_variances`, an unbounded column's its
        own.
        """
        there = np.isfinite(z)
        n = there.sum(axis=0)
        centre = np.where(there, z, 0.0).sum(axis=0) / np.maximum(n, 1)
        squares = np.where(there, (z - centre) ** 2, 0.0).sum(axis=0)
        variance = squares / np.maximum(n - 1, 1)
        bounded = np.array([c[-1] for c in column], bool)
        variance[bounded] = moderated_variances(squares[bounded], n[bounded] - 1)
        least = np.array(
            [
                MIN_SQUASHED_SD if b else least_sd(m, False)
                for b, m in zip(bounded, centre, strict=True)
            ]
        )
        spread = np.maximum(np.sqrt(variance), least)
        return cls(model, column, z, centre, spread)

    @property
    def bounded(self) -> NDArray[np.bool_]:
        """Whether each column's metric is, shape (J,)."""
        return np.array([c[-1] for c in self.column], bool)

    @property
    def w(self) -> Array:
        """Standardised values, shape (I, J); NaN where there is none."""
        return np.asarray((self.z - self.centre) / self.spread)

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Give how many models, columns and values there are, and at least have to be."""
        size, width = self.z.shape
        values = int(np.isfinite(self.z).sum())
        return {
            "models": (size, 3),
            "columns": (width, 3),
            "values": (values, 2 * (size + width) - 6),
        }

    @property
    def large_enough(self) -> bool:
        """Whether there are at least 3 models, 3 columns and twice as many values as both."""
        return all(count >= least for count, least in self.sizes.values())

    def without(self, hidden: NDArray[np.bool_]) -> Table:
        """Give the table without some cells, standardised anew."""
        return self.standardised(self.model, self.column, np.where(hidden, np.nan, self.z))


@dataclass(frozen=True, eq=False)
class Kernels:
    """What metadata say of the rows, or the columns, of a table.

    Attributes
    ----------
    known : Traits
        Of the rows, or columns.
    kernels : TraitKernels or None
        None where none is used.
    tables : list of ndarray
        The kernels between the known ones.
    """

    known: Traits
    kernels: TraitKernels | None
    tables: list[Array]

    @classmethod
    def of(cls, known: Traits, *, used: bool = True) -> Kernels:
        """Make the kernels that the traits give."""
        kernels = TraitKernels(known) if used else None
        return cls(known, kernels, [] if kernels is None else kernels.between(known, known))

    def krige(self, weights: Array, new: Sequence[Traits]) -> tuple[Array, Array]:
        """Give what each new one has of the known ones under each draw of the kernels' weights.

        Parameters
        ----------
        weights : ndarray, shape (D, 1 + kernels)
        new : sequence of Traits, N of one each

        Returns
        -------
        shares : ndarray, shape (N, D, known)
            Weights of the known ones in its conditional mean.
        left : ndarray, shape (N, D)
            The part of the variance that they leave.
        """
        shares = np.zeros((len(new), len(weights), len(self.known)))
        left = np.ones(shares.shape[:2])
        if self.kernels is None or not self.tables:
            return shares, left
        across = [self.kernels.between(one, self.known) for one in new]
        for d, w in enumerate(weights):
            inverse = inverted(mixed(self.tables, w))
            for n, tables in enumerate(across):
                row = mixed(tables, w, square=False)[0]
                shares[n, d] = inverse @ row
                left[n, d] = max(1.0 - float(row @ shares[n, d]), 1e-6)
        return shares, left


@dataclass(frozen=True, eq=False)
class NewRows:
    """Draws of models without train runs, one list entry per chain.

    Attributes
    ----------
    a : list of ndarray, shape (D,)
    u : list of ndarray, shape (D, r)
    """

    a: list[Array]
    u: list[Array]


@dataclass(frozen=True, eq=False)
class Fit:
    """Chains of one table, and by how much their distributions are stretched.

    Attributes
    ----------
    table : Table
    chains : list of Draws
    rows, columns : Kernels
    day : float
        The mean date of the rows, in years since 1970.
    factor : ndarray, shape (I,)
        Of each row.
    seed : int
        Of the draws of models and columns without train runs.
    rehearse : callable, optional
        Gives the factor of models without train runs, which is at least that of any row, and 1.15:
        cells hidden here and there say nothing of them. It takes a chain, so it waits for a model.
    """

    table: Table
    chains: list[Draws]
    rows: Kernels
    columns: Kernels
    day: float
    factor: Array
    seed: int
    rehearse: Callable[[], float] | None = None

    def cells(self, i: Index, j: Index) -> list[MixtureOfDraws]:
        """Give the distributions of cells whose model and column have train runs."""
        return self._known_columns([d.location(i, j) for d in self.chains], j, self.factor[i])

    def new_rows(self, models: Sequence[str], traits: Traits) -> dict[str, NewRows]:
        """Draw what the chains know a model by, of models without train runs.

        Each is drawn by itself, from a generator of its name: what else is asked for has no
        influence, and two new models depend on each other through the known ones only.
        """
        found = {model: NewRows([], []) for model in models}
        rng = {model: self._rng(model) for model in models}
        times = np.nan_to_num(self.rows.known.date - self.day)
        for draws in self.chains:
            ones = [traits.one(n) for n in range(len(models))]
            shares, left = self.rows.krige(draws.rows, ones)
            apart = draws.a - draws.trend[:, None] * times
            for n, model in enumerate(models):
                noise = rng[model].standard_normal((len(apart), 1 + draws.u.shape[1]))
                noise = noise * np.sqrt(left[n])[:, None]
                a = draws.trend * float(np.nan_to_num(traits.date[n] - self.day))
                a = a + np.einsum("di,di->d", shares[n], apart)
                found[model].a.append(a + np.sqrt(draws.scale_a) * noise[:, 0])
                found[model].u.append(np.einsum("di,dqi->dq", shares[n], draws.u) + noise[:, 1:])
        return found

    def new_model(self, row: NewRows, j: Index) -> list[MixtureOfDraws]:
        """Give the distributions of a model without train runs, in known columns."""
        parts = []
        for draws, a, u in zip(self.chains, row.a, row.u, strict=True):
            uv = np.einsum("dq,dqn->dn", u, draws.v[:, :, j])
            parts.append(draws.c[:, j] + draws.load[:, j] * a[:, None] + uv)
        return self._known_columns(parts, j, np.full(len(j), self._of_new))

    def new_column(
        self, column: Column, traits: Traits, rows: Sequence[int | NewRows]
    ) -> list[MixtureOfDraws]:
        """Give the distributions of models in a bounded column without train runs.

        Its centre is drawn as the centres of the known columns are, with the covariance of the
        columns; the logarithm of its spread from a normal with the mean and sd of theirs.

        Parameters
        ----------
        column : Column
        traits : Traits
            Of the column.
        rows : sequence of int or NewRows
            Models of the table, or without train runs.
        """
        rng = self._rng(repr(column))
        bounded = self.table.bounded
        centres, spreads = self.table.centre[bounded], np.log(self.table.spread[bounded])
        mean, sd = centres.mean(), centres.std()
        locations, scales = [], []
        for number, draws in enumerate(self.chains):
            size, rank = draws.scale_v.shape
            (shares,), (left,) = self.columns.krige(draws.columns, [traits])
            noise = rng.standard_normal((size, 4 + rank))
            root = np.sqrt(left)
            load = 1.0 + np.einsum("dj,dj->d", shares, draws.load - 1.0)
            load = load + root * np.sqrt(draws.scale_l) * noise[:, 0]
            v = np.einsum("dj,dqj->dq", shares, draws.v)
            v = v + root[:, None] * np.sqrt(draws.scale_v) * noise[:, 4:]
            centre = mean + shares[:, bounded] @ (centres - mean) + root * sd * noise[:, 1]
            spread = np.exp(spreads.mean() + spreads.std() * noise[:, 2])
            c = np.sqrt(draws.scale_c) * noise[:, 3]
            tau = draws.tau[np.arange(size), rng.integers(draws.tau.shape[1], size=size)]
            for row in rows:
                if isinstance(row, NewRows):
                    a, u = row.a[number], row.u[number]
                else:
                    a, u = draws.a[:, row], draws.u[:, :, row]
                w = c + load * a + np.einsum("dq,dq->d", u, v)
                locations.append(centre + spread * w)
                scales.append(spread / np.sqrt(tau))
        count = len(rows)
        return [
            MixtureOfDraws(
                LOGIT, np.concatenate(locations[n::count]), np.concatenate(scales[n::count]), DF
            ).stretched(self._of_new if isinstance(row, NewRows) else float(self.factor[row]))
            for n, row in enumerate(rows)
        ]

    def _known_columns(self, parts: list[Array], j: Index, factor: Array) -> list[MixtureOfDraws]:
        """Give mixtures from standardised locations, (D, cells) of each chain."""
        location = np.concatenate(parts)
        scale = np.concatenate([1.0 / np.sqrt(draws.tau[:, j]) for draws in self.chains])
        centre, spread, bounded = (
            x[j] for x in (self.table.centre, self.table.spread, self.table.bounded)
        )
        return [
            MixtureOfDraws(
                LOGIT if bounded[n] else RAW,
                centre[n] + spread[n] * location[:, n],
                spread[n] * scale[:, n],
                DF,
            ).stretched(float(factor[n]))
            for n in range(len(j))
        ]

    @cached_property
    def _of_new(self) -> float:
        rehearsed = USUAL[0] if self.rehearse is None else self.rehearse()
        return max(float(self.factor.max()), USUAL[0], rehearsed)

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def fit_table(
    table: Table,
    rows: Traits,
    columns: Traits,
    *,
    ranks: Sequence[int],
    sweeps: int,
    seed: int,
    kernels: bool = True,
) -> Fit:
    """Sample one chain for each rank, and calibrate their widths on hidden train cells.

    Parameters
    ----------
    table : Table
    rows, columns : Traits
        Of the table's models and columns.
    ranks : sequence of int
    sweeps : int
        Of each chain; 30 % are discarded, of the others every second is kept.
    seed : int
    kernels : bool
        Whether to use the traits at all. Those of more than 300 models, or columns, are not used.
    """
    size, width = table.z.shape
    of_rows = Kernels.of(rows, used=kernels and size <= MOST)
    of_columns = Kernels.of(columns, used=kernels and width <= MOST)
    known = rows.date[np.isfinite(rows.date)]
    day = float(known.mean()) if len(known) else 0.0
    times = np.nan_to_num(rows.date - day) * kernels

    def chains(one: Table, which: Sequence[int], salt: int) -> list[Draws]:
        found = []
        for number, rank in enumerate(which):
            rng = np.random.default_rng([seed, salt, number])
            chain = Chain(one.w, of_rows.tables, of_columns.tables, times, rank, rng)
            found.append(chain.run(sweeps, int(_BURN * sweeps), _EVERY))
        return found

    def missed(
        hidden: NDArray[np.bool_], salt: int, judged: NDArray[np.bool_] | None = None
    ) -> tuple[list[MixtureOfDraws], Array]:
        """Say what is expected of hidden values, or those that are judged, and what they are."""
        i, j = np.nonzero(hidden if judged is None else judged)
        part = table.without(hidden)
        draws = chains(part, ranks[-1:], salt)
        fit = Fit(part, draws, of_rows, of_columns, day, np.ones(size), seed)
        return fit.cells(i, j), table.z[i, j]

    there = np.isfinite(table.z)
    told: list[MixtureOfDraws] = []
    values: list[Array] = []
    least = np.array([1 if c[-1] else _LEAST for c in table.column], np.intp)
    choice = np.random.default_rng([seed, 1])
    for salt, hidden in enumerate(hidden_parts(there, least, choice)):
        mixtures, z = missed(hidden, salt)
        told += mixtures
        values.append(z)
    factor = np.full(size, calibrated(told, np.concatenate(values)) if told else USUAL[0])
    little = little_known(there)
    hidden = hidden_rows(there, least, rows.date, np.random.default_rng([seed, 2]))
    if hidden.any():
        factor[little] = max(calibrated(*missed(hidden, _REHEARSAL)), float(factor[0]))

    def of_new() -> float:
        """Judge the widths of models without train runs by the latest, as if they had none."""
        gone = there & latest_rows(rows.date, np.random.default_rng([seed, 3]))[:, None]
        judged = gone & ((there & ~gone).sum(axis=0) >= least)
        return calibrated(*missed(gone, _PREMIERE, judged)) if judged.any() else USUAL[0]

    found = chains(table, ranks, len(values))
    return Fit(table, found, of_rows, of_columns, day, factor, seed, of_new)
