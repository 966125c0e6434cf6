"""Models and columns without train runs, and how far from expectation they are.

Of `predictors.profile`. What is expected of a new model, or column, is rehearsed: known ones are
taken for new in turn, and how far they were from what was said of them is learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtri

from hibayes.hierarchical.cells import Array, Grid, Index, to_logit
from predictors.common.agreement_kernels import Responses
from predictors.profile.gp import TwoWay

__all__ = ["NewColumns", "NewModels", "Row"]

_WEIGHTS = (15.0, 60.0, 240.0)  # shown items that the usual model counts as: one is chosen
_MOST = 100  # models, or columns, that are taken for new
_FEW = 5  # organisations; with fewer, models are taken one by one
_FEW_COLUMNS = 3  # of a group, from which on its own moments are used
_PRIOR = 6.0  # organisations that no shift at all counts as
_SD = 2.0  # of the priors of the logarithms of the spreads
_LEAST = 0.02  # of the variance, the share that relatives leave
_UNSEEN = 1e6  # variance of a residual that there is none of
_DIGITS = 2  # of the number of shown responses that is rehearsed
_RIDGE = 0.1  # of regressions on the chance of a guess
_SCALES = 7  # spreads of a new column, at equally likely quantiles


class Row(NamedTuple):
    """A new model: its estimated G and C to the known ones, and from how many shown items."""

    agreement: Array
    lineage: Array
    n: int


@dataclass(frozen=True, eq=False)
class _Case:
    """A known model or column taken for new."""

    residual: Array
    share: float  # of the variance that the others leave
    shapes: Array  # (parts, J, J)
    extra: Array  # (J,) variance
    weight: float
    group: int


@dataclass(frozen=True, eq=False)
class _Rehearsed:
    """What was learned from the cases: variances of the parts, and the weight of the usual row."""

    spread: Array  # (parts,)
    shift: Array
    weight: float
    together: float  # correlation of the residuals of models of one organisation
    score: float


def _learn(
    cases: Sequence[_Case], shift: Array, start: Array, weight: float, together: float
) -> _Rehearsed:
    """Find the variances of the parts under which the residuals are likeliest."""
    if not cases:
        return _Rehearsed(start, shift, weight, together, 0.0)
    off = np.stack([case.residual for case in cases]) - shift
    shapes = np.stack([case.share * case.shapes for case in cases])  # [cases, parts, J, J]
    extra = np.stack([case.extra for case in cases])
    off = np.where(extra < _UNSEEN, off, 0.0)
    weights = np.array([case.weight for case in cases])
    index = np.arange(off.shape[1])

    def loss(x: Array) -> float:
        matrix = np.einsum("p,cpjk->cjk", np.exp(x), shapes)
        matrix[:, index, index] += extra + 1e-6
        try:
            factor = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            return 1e9
        white = np.linalg.solve(factor, off[..., None])[..., 0]
        log_det = np.log(factor[:, index, index]).sum(axis=1)
        score = -0.5 * (white * white).sum(axis=1) - log_det
        return float(-(weights @ score) + 0.5 * (((x - centre) / _SD) ** 2).sum())

    centre = np.log(start)
    bounds = [(c - 5.0, c + 5.0) for c in centre]
    found = minimize(loss, centre, method="L-BFGS-B", bounds=bounds, options={"maxiter": 40})
    return _Rehearsed(np.exp(found.x), shift, weight, together, -float(found.fun))


class NewModels:
    r"""Priors of models without train runs.

    With k the new model's row of :math:`K = a_1 G + a_3 C`, its shown items' estimate drawn to the
    usual row, and Z the filled grid,

    .. math:: z_{new} \sim N\big(Z'a + m,\; \kappa (f_1 R + f_2 qq' + f_3 I)\big), \qquad
              a = (K + (a_2 + a_5 + a_6 \bar v) I)^{-1} k

    κ is the share of the variance that a leaves, qq' the first principal part of R: ability. m, f
    and how far the row is drawn are learned from known models that are taken for new, organisation
    by organisation, with as many shown items.

    Parameters
    ----------
    process : TwoWay
    grid : Grid
    tables : mapping of int to ndarray, shape (M, items)
        Responses of the known models, by column; empty where there are none.
    seed : int
        Of the items that known models are known by.
    """

    def __init__(self, process: TwoWay, grid: Grid, tables: Mapping[int, Array], seed: int) -> None:
        self.process, self.grid, self.tables, self.seed = process, grid, tables, seed
        self.responses = Responses(tables)
        self.filled = process.filled()
        self._known: dict[tuple[int, bool], _Rehearsed] = {}
        mask = process.standard.mask
        amounts = process.amounts
        usual = float(process.standard.sampling[mask].mean()) if mask.any() else 0.0
        self._noise = amounts.own + amounts.rest + amounts.sampling * usual
        size = len(process.columns)
        values, vectors = np.linalg.eigh(process.columns)
        general = values[-1] * np.outer(vectors[:, -1], vectors[:, -1])
        self._shapes = np.stack([process.columns, general, np.eye(size)])
        self._start = np.array(
            [amounts.shared + amounts.own, 1.0, amounts.lineage + amounts.rest + 1e-3]
        )

    def row(self, shown: Mapping[int, Array]) -> Row:
        """Compare a new model's shown responses, by column, with the known models'."""
        size = len(self.grid.models)
        if not self.tables:
            return Row(np.zeros(size), np.zeros(size), 0)
        return Row(*self.responses.row(shown))

    def lineage(self, row: Row) -> Array:
        """Give C between a new model and the known ones, its estimate drawn to the usual row."""
        known = self.process.kernels.lineage
        weight = self.learned(row.n, alone=False).weight
        usual = (known.sum(axis=1) - np.diag(known)) / max(len(known) - 1, 1)
        return np.asarray((row.n * row.lineage + weight * usual) / (row.n + weight))

    def prior(self, rows: Sequence[Row], makers: Sequence[int | None]) -> tuple[Array, Array]:
        """Give the prior of new models' values z in all columns, the sampling variance not in it.

        Parameters
        ----------
        rows : sequence of Row, length Q
        makers : sequence of int or None, length Q
            Organisation of each; new ones have numbers that the grid does not have.

        Returns
        -------
        mean : ndarray, shape (Q, S)
        covariance : ndarray, shape (Q, S, Q, S)
        """
        size, count = len(self.process.columns), len(rows)
        mean, out = np.zeros((count, size)), np.zeros((count, size, count, size))
        every = np.arange(len(self.grid.models))
        found = []
        for q, row in enumerate(rows):
            alone = makers[q] is not None and bool((self.grid.maker == makers[q]).any())
            learned = self.learned(row.n, alone)
            a, share = self._weights(row, every, learned.weight)
            mean[q] = a @ self.filled + learned.shift
            found.append((learned, share))
            out[q, :, q] = share * np.einsum("p,pjk->jk", learned.spread, self._shapes)
        for q, (learned, share) in enumerate(found):
            for other in range(q):
                if makers[q] is None or makers[q] != makers[other]:
                    continue
                same, others = found[other]
                tie = min(learned.together, same.together) * np.sqrt(share * others)
                spread = np.minimum(learned.spread, same.spread)[:2]
                block = tie * np.einsum("p,pjk->jk", spread, self._shapes[:2])
                out[q, :, other] = out[other, :, q] = block
        return mean, out

    def learned(self, shown: int, alone: bool) -> _Rehearsed:
        """Rehearse new models of which so many items are shown."""
        key = int(float(f"{shown:.{_DIGITS}g}")), alone
        if key not in self._known:
            weights = _WEIGHTS if key[0] else _WEIGHTS[:1]
            cases = self._taken(*key)
            tried = [self._rehearsed(cases, weight) for weight in weights]
            self._known[key] = max(tried, key=lambda one: one.score)
        return self._known[key]

    def _weights(self, row: Row, among: Index, weight: float) -> tuple[Array, float]:
        """Give the known models' weights in a new one, and the share of variance they leave."""
        amounts, kernels = self.process.amounts, self.process.kernels
        square = np.ix_(among, among)
        matrix = amounts.shared * kernels.agreement[square]
        matrix += amounts.lineage * kernels.lineage[square]
        count = max(len(among) - 1, 1)
        k = np.zeros(len(among))
        for amount, kernel, own in (
            (amounts.shared, kernels.agreement[square], row.agreement),
            (amounts.lineage, kernels.lineage[square], row.lineage),
        ):
            usual = (kernel.sum(axis=1) - np.diag(kernel)) / count
            k += amount * (row.n * own + weight * usual) / (row.n + weight)
        total = amounts.shared + amounts.lineage + self._noise
        a = np.linalg.solve(matrix + self._noise * np.eye(len(among)), k)
        return np.asarray(a), max(1.0 - float(k @ a) / total, _LEAST)

    def _taken(self, shown: int, alone: bool) -> list[tuple[int, int, Index, Row]]:
        """Take known models for new: model, size of its organisation, the others, its row."""
        count = len(self.grid.models)
        together = not alone and self.grid.maker.max() + 1 >= _FEW
        maker = self.grid.maker if together else np.arange(count)
        chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST)).round().astype(int))
        rng = np.random.default_rng([self.seed, 9, shown])
        cases = []
        for one in np.unique(maker[chosen]):
            rest = np.flatnonzero(maker != one)
            members = chosen[maker[chosen] == one]
            if not len(rest):
                continue
            others = Responses({j: table[rest] for j, table in self.tables.items()})
            for i in members:
                row = Row(np.zeros(len(rest)), np.zeros(len(rest)), 0)
                if shown and self.tables:
                    row = Row(*others.row(_drawn(rng, self.tables, int(i), shown)))
                cases.append((int(i), len(members), rest, row))
        return cases

    def _rehearsed(self, taken: list[tuple[int, int, Index, Row]], weight: float) -> _Rehearsed:
        standard, amounts = self.process.standard, self.process.amounts
        size = len(self.process.columns)
        cases, total, organisations = [], np.zeros(size), np.zeros(size)
        for i, members, rest, row in taken:
            a, share = self._weights(row, rest, weight)
            seen = standard.mask[i]
            # its columns' means have seen it, and would be farther from it without
            centred = standard.z[i] * len(self.grid.models) / len(rest)
            off = np.where(seen, centred - a @ self.filled[rest], 0.0)
            extra = np.where(seen, amounts.sampling * standard.sampling[i], _UNSEEN)
            maker = int(self.grid.maker[i])
            cases.append(_Case(off, share, self._shapes, extra, 1.0 / members, maker))
            total += off / members
            organisations += seen / members
        shift = total / (organisations + _PRIOR)
        return _learn(cases, shift, self._start, weight, _together(cases, shift))


class NewColumns:
    r"""Priors of columns without train runs.

    With r the usual correlation of the column with each known one (that of pairs of the same
    scenario, of the same group, or of all), Z the filled grid and :math:`m = Z (R + \epsilon
    I)^{-1} r`,

    .. math:: z_{new} \sim N\big(s m,\; f_1 G + f_2 C + f_3 I + f_4 m m' + f_5 E + f_6 E_g\big),
              \qquad t = \mu + d z

    E is the mean product of what known columns are off by, so predicted, E_g that of the group's (E
    where it has fewer than 3). s and f are learned from the known columns, taken for new in turn;
    μ and log d are normal with the moments of known columns, or of the group's; where the chance
    of a guess is known, of it and of at least 3 of these, they follow it by a ridge regression.

    Parameters
    ----------
    process : TwoWay
    grid : Grid
    chances : mapping of str to float
        Scenario → what guessing scores, where it is known.
    """

    def __init__(self, process: TwoWay, grid: Grid, chances: Mapping[str, float]) -> None:
        self.process, self.grid = process, grid
        of_each = [chances.get(_scenario(column), np.nan) for column in grid.columns]
        self._chance = to_logit(of_each)
        self.filled = process.filled()
        standard, kernels, amounts = process.standard, process.kernels, process.amounts
        self._noise = amounts.lineage + amounts.rest + amounts.level
        models, size = self.filled.shape
        expected = np.empty((models, size))
        for j in range(size):
            rest = np.flatnonzero(np.arange(size) != j)
            expected[:, j] = self._expected(rest, _scenario(grid.columns[j]), int(grid.group[j]))
        mask = standard.mask
        top = float((expected * standard.z)[mask].sum())
        self.slope = (top + 1.0) / (float((expected * expected)[mask].sum()) + 1.0)
        self.off = np.where(mask, standard.z - self.slope * expected, 0.0)
        self._fixed = np.stack([kernels.agreement, kernels.lineage, np.eye(models)])
        # a grid with many models is learned from some of them
        rows = np.unique(np.linspace(0, models - 1, min(models, _MOST)).round().astype(int))
        cases = []
        for j in np.unique(np.linspace(0, size - 1, min(size, _MOST)).round().astype(int)):
            rest = np.flatnonzero(np.arange(size) != j)
            shapes = self._shapes(expected[:, j], rest, int(grid.group[j]))[:, rows[:, None], rows]
            extra = np.where(mask[:, j], amounts.sampling * standard.sampling[:, j], _UNSEEN)
            cases.append(_Case(self.off[rows, j], 1.0, shapes, extra[rows], 1.0, 0))
        start = np.array([amounts.shared, amounts.lineage, amounts.own, 0.1, 0.1, 0.1]) + 1e-3
        self.spread = _learn(cases, np.zeros(len(rows)), start, 0.0, 0.0).spread

    def prior(
        self, scenario: str, group: int | None, chance: float = np.nan
    ) -> tuple[Array, Array]:
        """Give the prior of the known models' values t in a new column.

        Parameters
        ----------
        scenario : str
        group : int or None
            Number of its group in the grid.
        chance : float
            What guessing scores; NaN where that is not known.

        Returns
        -------
        mean : ndarray, shape (D, M)
            At each of D equally likely spreads of the column.
        covariance : ndarray, shape (D, M, M)
        """
        every = np.arange(len(self.grid.columns))
        m = self._expected(every, scenario, group)
        covariance = np.einsum("p,pij->ij", self.spread, self._shapes(m, every, group))
        sd, centre, variance = self._scales(group, float(to_logit(chance)))
        means = centre[:, None] + self.slope * sd[:, None] * m
        return means, sd[:, None, None] ** 2 * covariance + variance

    def _shapes(self, m: Array, among: Index, group: int | None) -> Array:
        """Give the parts of the covariance, from some of the known columns."""
        mine = among[self.grid.group[among] == group] if group is not None else among[:0]
        usual = [
            self.off[:, at] @ self.off[:, at].T / max(len(at), 1)
            for at in (among, mine if len(mine) >= _FEW_COLUMNS else among)
        ]
        return np.concatenate([self._fixed, np.stack([np.outer(m, m), *usual])])

    def _expected(self, among: Index, scenario: str, group: int | None) -> Array:
        """Predict z of all models in a column from some of the known columns."""
        r = self.process.columns[np.ix_(among, among)]
        apart = ~np.eye(len(among), dtype=bool)
        if not apart.any():
            return np.asarray(0.5 * self.filled[:, among].sum(axis=1))
        names = np.array([_scenario(self.grid.columns[j]) for j in among], object)
        groups = self.grid.group[among]
        usual = float(r[apart].mean())
        row = np.full(len(among), usual)
        for kind, own in ((groups, group), (names, scenario)):
            alike = (kind[:, None] == kind) & apart
            mine = kind == own
            if mine.any() and alike.any():
                pairs = alike & mine if (alike & mine).any() else alike
                count = pairs.sum() / 2.0
                row[mine] = (float(r[pairs].mean()) * count + row[mine]) / (count + 1.0)
        weights = np.linalg.solve(r + self._noise * np.eye(len(among)), row)
        return np.asarray(self.filled[:, among] @ weights)

    def _scales(self, group: int | None, chance: float) -> tuple[Array, Array, float]:
        """Give spreads of a new column, what its mean is expected to be at each, its variance."""
        standard = self.process.standard
        guessed = np.isfinite(self._chance) & np.isfinite(chance)
        every = np.arange(len(standard.mean))
        mine = np.flatnonzero(self.grid.group == group) if group is not None else every[:0]
        found = [mine[guessed[mine]], every[guessed], mine]
        at = next((some for some in found if len(some) >= _FEW_COLUMNS), every)
        mean, log_sd = standard.mean[at], np.log(standard.sd[at])
        told = np.where(guessed[at].all(), self._chance[at], 0.0)
        there = chance if guessed[at].all() else 0.0
        width, off = _along(told, log_sd, there)
        count = len(at)
        stretch = 1.0 + 1.0 / count
        variance = (float(off @ off) + 0.1) / count
        centre, rest = _along(told, mean, there)
        slope = float(off @ rest) / (float(off @ off) + 0.1)
        left = rest - slope * off
        step = ndtri((np.arange(_SCALES) + 0.5) / _SCALES) * np.sqrt(variance * stretch)
        spread = (float(left @ left) + 0.1) / count * stretch
        return np.exp(width + step), centre + slope * step, spread


def _along(x: Array, y: Array, there: float) -> tuple[float, Array]:
    """Regress y on x, with a ridge; give the expectation at one place, and the residuals."""
    off = x - x.mean()
    slope = float(off @ (y - y.mean())) / (float(off @ off) + _RIDGE)
    return float(y.mean() + slope * (there - x.mean())), y - y.mean() - slope * off


def _scenario(column: object) -> str:
    return str(column[0]) if isinstance(column, tuple) else str(column)


def _drawn(
    rng: np.random.Generator, tables: Mapping[int, Array], row: int, shown: int
) -> dict[int, Array]:
    """Draw responses of a known model, by column; NaN where one is not drawn."""
    order = sorted(tables)
    there = [np.flatnonzero(np.isfinite(tables[j][row])) for j in order]
    column = np.repeat(np.arange(len(order)), [len(at) for at in there])
    place = np.concatenate(there)
    drawn = rng.permutation(len(place))[:shown]
    found: dict[int, Array] = {}
    for c, j in enumerate(order):
        at = place[drawn[column[drawn] == c]]
        if len(at):
            found[j] = np.full(tables[j].shape[1], np.nan)
            found[j][at] = tables[j][row, at]
    return found


def _together(cases: Sequence[_Case], shift: Array) -> float:
    """Give how residuals of models of one organisation go together, from 0 to .9."""
    cross, square, pairs, count = 0.0, 0.0, 0, 0
    for number, one in enumerate(cases):
        mine = (one.residual - shift) / np.sqrt(one.share)
        square += float(mine @ mine)
        count += 1
        for other in cases[:number]:
            if other.group == one.group:
                cross += float(mine @ ((other.residual - shift) / np.sqrt(other.share)))
                pairs += 1
    if not pairs or square <= 0:
        return 0.0
    # few pairs say little: as if there had been one organisation's worth without any tie
    return float(np.clip(cross / (pairs + _PRIOR) / (square / count), 0.0, 0.9))
