"""Grids of run values with shared items: three samplers, pooled by what they say of hidden runs.

A value is the mean of the responses that the kernels between models are made of, so train values
cannot judge these kernels. Runs that are hidden, with their responses, can: the members' weights
are learned on a tenth of the train cells, with kernels made without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hibayes.hierarchical.cells import OFFSET, Grid, Index
from hibayes.hierarchical.kernels import Answers
from predictors.common.agreement_kernels import AgreementKernels, without
from predictors.common.counts import Array
from predictors.common.mixtures import Link, MixtureOfDraws
from predictors.factorisation.grid import CellDraws, MatrixChain

__all__ = ["MEMBERS", "GridFit", "fit_grid", "pooled"]

LINK = Link(OFFSET)

_SPREAD = 0.2  # squares that each column's variance has in addition, with one value more
_HIDDEN = (0.1, 20)  # of the cells, and at least so many, to judge the members
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


MEMBERS: dict[str, tuple[Rows, bool]] = {
    "full": (_full, True),
    "half": (_half, False),
    "id": (lambda k: [], False),
}
"""Row kernels of each member, and whether their weights are learned."""


@dataclass(frozen=True, eq=False)
class GridFit:
    """What the members' draws say of the cells of a grid.

    Attributes
    ----------
    centre, spread : ndarray, shape (S,)
        Of the columns, on the scale of `hibayes.hierarchical.cells.to_logit`.
    draws : list of CellDraws
        One for each of `MEMBERS`.
    weights : ndarray
        Of the members, with sum 1.
    """

    centre: Array
    spread: Array
    draws: list[CellDraws]
    weights: Array

    def cells(self, i: Index, j: Index) -> list[MixtureOfDraws]:
        """Give the pooled distributions of some cells."""
        size = [len(draws.mean) for draws in self.draws]
        weight = np.concatenate(
            [np.full(n, w / n) for n, w in zip(size, self.weights, strict=True)]
        )
        counts = _shares(self.weights, _ORDERED)
        mean, sd, order = [], [], []
        for draws, count in zip(self.draws, counts, strict=True):
            mean.append(draws.mean[:, i, j])
            sd.append(draws.sd[:, i, j])
            chosen = (np.arange(count) * len(draws.mean)) // max(count, 1)
            order.append(draws.draw[chosen][:, i, j])
        centre, spread = self.centre[j], self.spread[j]
        location = centre + spread * np.concatenate(mean)
        scale = spread * np.concatenate(sd)
        orders = np.concatenate(order)
        return [
            MixtureOfDraws(LINK, location[:, n], scale[:, n], np.inf, orders[:, n], weight)
            for n in range(len(i))
        ]


def fit_grid(grid: Grid, answers: Answers, *, sweeps: int, seed: int) -> GridFit | None:
    """Sample the members on a grid, and weigh them by runs that are hidden once.

    Parameters
    ----------
    grid : Grid
    answers : Answers
    sweeps : int
        Three quarters are made of each member, and half of them with runs hidden.
    seed : int

    Returns
    -------
    GridFit or None
        None where no two models share items.
    """
    size = len(grid.models)
    kernels = AgreementKernels.of_tables(answers.tables, size)
    if not kernels.known:
        return None
    hidden = _some_runs(grid, np.random.default_rng([seed, 4]))
    weights = np.full(len(MEMBERS), 1.0 / len(MEMBERS))
    if hidden.any():
        part = replace(grid, y=np.where(hidden, np.nan, grid.y))
        inner = AgreementKernels.of_tables(without(answers.tables, hidden), size)
        i, j = np.nonzero(hidden)
        one = _sampled(part, inner, sweeps, _INNER, [seed, 5])
        logs = [
            [
                _log_probability(mixture, grid.y[a, b], int(grid.n[a, b]))
                for mixture, a, b in zip(_alone(one, m).cells(i, j), i, j, strict=True)
            ]
            for m in range(len(MEMBERS))
        ]
        weights = pooled(np.array(logs))
    return replace(_sampled(grid, kernels, sweeps, _OUTER, [seed, 6]), weights=weights)


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


def _sampled(
    grid: Grid,
    kernels: AgreementKernels,
    sweeps: int,
    lengths: tuple[float, float],
    seed: Sequence[int],
) -> GridFit:
    mask, t = grid.mask, grid.t
    n = mask.sum(axis=0)
    centre = np.where(mask, t, 0.0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(mask, (t - centre) ** 2, 0.0).sum(axis=0)
    spread = np.sqrt((squares + _SPREAD) / (n + 1))
    z = np.where(mask, (t - centre) / spread, np.nan)
    count = max(int(lengths[0] * sweeps), 4)
    draws = []
    for number, (rows, learned) in enumerate(MEMBERS.values()):
        rng = np.random.default_rng([*seed, number])
        chain = MatrixChain(z, rows(kernels), _column_kernels(grid), learned, rng)
        draws.append(chain.run(count, int(lengths[1] * count)))
    return GridFit(centre, spread, draws, np.full(len(draws), 1.0 / len(draws)))


def _alone(fit: GridFit, member: int) -> GridFit:
    return replace(fit, draws=[fit.draws[member]], weights=np.ones(1))


def _column_kernels(grid: Grid) -> list[Array]:
    """Give the identity, all alike, the same group, the same family; those that tell anything."""
    size = len(grid.columns)
    tables = [np.eye(size), np.ones((size, size))]
    for code in (grid.group, grid.family):
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
