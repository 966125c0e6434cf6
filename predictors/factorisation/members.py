"""Grids of run values: samplers and regressions, pooled by what they say of hidden runs.

A value is the mean of the responses that the samplers' kernels between models are made of, so train
values cannot judge these kernels. Runs that are hidden, with their responses, can: the members'
weights are learned on tenths of the train cells, with kernels made without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hibayes.hierarchical.cells import OFFSET, Grid, Index
from hibayes.hierarchical.kernels import Answers
from hibayes.hierarchical.spreads import column_scale
from predictors.common.agreement_kernels import AgreementKernels, without
from predictors.common.counts import Array
from predictors.common.mixtures import Link, MixtureOfDraws
from predictors.factorisation.grid import CellDraws, MatrixChain
from predictors.factorisation.regressions import regress

__all__ = ["CHAINS", "REGRESSIONS", "GridFit", "fit_grid", "pooled"]

LINK = Link(OFFSET)

_HIDDEN = (0.1, 20)  # of the cells, and at least so many, to judge the members
_JUDGES = (100, 3)  # hidden cells that are enough, and rounds of hiding at most
_INNER = (0.5, 0.4)  # sweeps of the inner chains, as a share of all, and of these burned
_OUTER = (0.75, 1.0 / 3.0)
_ORDERED = 200  # draws that belong together
_STEPS = 1000  # of the range of a value that is no count
_ROUNDS = 200  # of the weights' EM

Rows = Callable[[AgreementKernels], list[Array]]


def _full(k: AgreementKernels) -> list[Array]:
    g, c = k.agreement, k.lineage
    return [np.eye(len(g)), g, c, np.exp((c - 1.0) / 0.5), np.exp((c - 1.0) / 0.2)]


def _half(k: AgreementKernels) -> list[Array]:
    return [np.eye(len(k.agreement)), np.exp((k.agreement - 1.0) / 0.5)]


CHAINS: dict[str, tuple[Rows, bool]] = {
    "full": (_full, True),
    "half": (_half, False),
    "id": (lambda k: [], False),
}
"""Row kernels of each sampled member, and whether their weights are learned; where no two models
share items, there is `id` alone."""

REGRESSIONS = "regressions"
"""The member that is not sampled: `predictors.factorisation.regressions`."""


@dataclass(frozen=True, eq=False)
class GridFit:
    """What the members say of the cells of a grid.

    Attributes
    ----------
    centre, spread : ndarray, shape (S,)
        Of the columns, on the scale of `hibayes.hierarchical.cells.to_logit`.
    draws : dict of str to CellDraws
        Of the sampled members.
    regressed : tuple of ndarray, shape (P, M, S)
        Means and sds of equally likely normals, of the regressions.
    weights : dict of str to float
        Of all members, the regressions last, with sum 1.
    """

    centre: Array
    spread: Array
    draws: dict[str, CellDraws]
    regressed: tuple[Array, Array]
    weights: dict[str, float]

    def cells(self, i: Index, j: Index) -> list[MixtureOfDraws]:
        """Give the pooled distributions of some cells.

        The draws of the samplers alone order those of the pool: regressions know of no two cells
        together.
        """
        parts = [(d.mean, d.sd, self.weights[name]) for name, d in self.draws.items()]
        parts.append((*self.regressed, self.weights[REGRESSIONS]))
        parts = [part for part in parts if part[2] > 0.0]
        weight = np.concatenate([np.full(len(mean), w / len(mean)) for mean, _, w in parts])
        sampled = np.array([self.weights[name] for name in self.draws])
        sampled = sampled / sampled.sum() if sampled.any() else sampled + 1.0 / len(sampled)
        order = []
        for draws, count in zip(self.draws.values(), _shares(sampled, _ORDERED), strict=True):
            chosen = (np.arange(count) * len(draws.mean)) // max(count, 1)
            order.append(draws.draw[chosen][:, i, j])
        centre, spread = self.centre[j], self.spread[j]
        location = centre + spread * np.concatenate([mean[:, i, j] for mean, _, _ in parts])
        scale = spread * np.concatenate([sd[:, i, j] for _, sd, _ in parts])
        orders = np.concatenate(order)
        return [
            MixtureOfDraws(LINK, location[:, n], scale[:, n], np.inf, orders[:, n], weight)
            for n in range(len(i))
        ]

    def alone(self, member: str) -> GridFit:
        """Give what one member says."""
        return replace(self, weights={name: float(name == member) for name in self.weights})


def fit_grid(
    grid: Grid, answers: Answers | None, *, sweeps: int, seed: int, named: bool = True
) -> GridFit:
    """Fit the members to a grid, and weigh them by runs that are hidden.

    Parameters
    ----------
    grid : Grid
    answers : Answers or None
        None where there are no responses.
    sweeps : int
        Three quarters are made of each sampled member, and half of them with runs hidden.
    seed : int
    named : bool
        Whether groups and families of columns are used.
    """
    tables = {} if answers is None else answers.tables
    rng = np.random.default_rng([seed, 4])
    logs: dict[str, list[float]] = {}
    judges = 0
    for number in range(_JUDGES[1]):
        hidden = _some_runs(grid, rng)
        if judges >= _JUDGES[0] or not hidden.any():
            break
        i, j = np.nonzero(hidden)
        judges += len(i)
        part = replace(grid, y=np.where(hidden, np.nan, grid.y))
        salt = [seed, 5, number] if number else [seed, 5]
        one = _fitted(part, without(tables, hidden), sweeps, _INNER, salt, named)
        for member in one.weights:
            logs.setdefault(member, []).extend(
                _log_probability(mixture, grid.y[a, b], int(grid.n[a, b]))
                for mixture, a, b in zip(one.alone(member).cells(i, j), i, j, strict=True)
            )
    fit = _fitted(grid, tables, sweeps, _OUTER, [seed, 6], named)
    if set(logs) != set(fit.weights):  # nothing was hidden, or with it what models share
        return fit
    weights = pooled(np.array([logs[member] for member in fit.weights])).tolist()
    return replace(fit, weights=dict(zip(fit.weights, weights, strict=True)))


def pooled(logs: Array) -> Array:
    """Give the weights of a mixture by expectation and maximisation, one pseudo-count a member.

    Parameters
    ----------
    logs : ndarray, shape (members, cells)
        Log probability that each member gave to what was hidden.

    Examples
    --------
    >>> pooled(np.log([[0.5] * 9, [0.1] * 9])).round(1).tolist()
    [0.9, 0.1]
    """
    p = np.exp(logs - logs.max(axis=0))
    weights = np.full(len(p), 1.0 / len(p))
    for _ in range(_ROUNDS):
        share = weights[:, None] * p
        counts = 1.0 + (share / share.sum(axis=0)).sum(axis=1)
        weights = counts / counts.sum()
    return weights


def _fitted(
    grid: Grid,
    tables: Mapping[int, Array],
    sweeps: int,
    lengths: tuple[float, float],
    seed: Sequence[int],
    named: bool,
) -> GridFit:
    centre, spread = column_scale(grid)
    z = np.where(grid.mask, (grid.t - centre) / spread, np.nan)
    kernels = AgreementKernels.of_tables(tables, len(z))
    count = max(int(lengths[0] * sweeps), 4)
    columns = _column_kernels(grid, named)
    draws = {}
    for number, (name, (rows, learned)) in enumerate(CHAINS.items()):
        own = rows(kernels)
        if own and not kernels.known:
            continue
        rng = np.random.default_rng([*seed, number])
        chain = MatrixChain(z, own, columns, learned, rng)
        draws[name] = chain.run(count, int(lengths[1] * count))
    told = regress(z, grid.group if named else None, tables if kernels.known else {})
    members = [*draws, REGRESSIONS]
    return GridFit(centre, spread, draws, told.normals, dict.fromkeys(members, 1.0 / len(members)))


def _column_kernels(grid: Grid, named: bool) -> list[Array]:
    """Give the identity, all alike, the same group, the same family; those that tell anything."""
    size = len(grid.columns)
    tables = [np.eye(size), np.ones((size, size))]
    for code in (grid.group, grid.family) if named else ():
        same = (code[:, None] == code).astype(float)
        if not any(np.array_equal(same, table) for table in tables):
            tables.append(same)
    return tables


def _some_runs(grid: Grid, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose a tenth of the cells, and at least 20, never the last of a row or column."""
    there = grid.mask
    hidden = np.zeros(there.shape, bool)
    row, column = there.sum(axis=1), there.sum(axis=0)
    cells = rng.permutation(np.argwhere(there))
    wanted = min(max(int(_HIDDEN[0] * len(cells)), _HIDDEN[1]), len(cells) // 3)
    for i, j in cells:
        if hidden.sum() >= wanted:
            break
        if row[i] > 1 and column[j] > 2:
            hidden[i, j] = True
            row[i] -= 1
            column[j] -= 1
    return hidden


def _log_probability(mixture: MixtureOfDraws, y: float, n: int) -> float:
    steps = n or _STEPS
    return float(mixture.log_pmf(steps)[round(y * steps)])


def _shares(weights: Array, size: int) -> NDArray[np.intp]:
    """Share a number in whole parts, by weights."""
    ends = np.rint(np.cumsum(weights) * size).astype(np.intp)
    return np.diff(np.concatenate([[0], ends]))
