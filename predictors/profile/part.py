"""The process of `predictors.profile` on a grid of train runs, and what it says of targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, stdtr

from hibayes.hierarchical.cells import Array, Grid, Index, slope, to_logit
from hibayes.hierarchical.forecast import Evidence, Forecast
from hibayes.hierarchical.kernels import Answers
from predictors.common.agreement_kernels import AgreementKernels
from predictors.common.grid import Cells, Column
from predictors.common.hierarchical_grid import group_of, read_grid, single_runs
from predictors.common.item_tables import read_makers
from predictors.profile.forecast import ItemKnowledge, Items, forecast
from predictors.profile.gp import Amounts, Standard, TwoWay, closeness
from predictors.profile.learning import learn
from predictors.profile.levels import NewColumns, NewModels

if TYPE_CHECKING:
    from harness.data_splits import TrainSplit

__all__ = ["Part", "log_student"]

_STRANGE = 10.0  # cells that a model's, or column's, usual spread counts as


@dataclass(eq=False)
class Part:
    """The process, conditioned on some train runs.

    Attributes
    ----------
    grid : Grid
    process : TwoWay
    items : ItemKnowledge or None
        Where models share items.
    groups : dict of str to int
        Of columns, as `hierarchical_grid.group_of` names them → number in the grid.
    makers : dict of str to int
        Organisation → number in the grid.
    chances : dict of str to float
        Scenario → what guessing scores, where it is known.
    seed : int
    """

    grid: Grid
    process: TwoWay
    items: ItemKnowledge | None
    groups: dict[str, int]
    makers: dict[str, int]
    chances: dict[str, float]
    seed: int

    @classmethod
    def of(
        cls,
        train_split: TrainSplit,
        runs: Cells,
        rows: Index,
        *,
        whole: Grid,
        answers: Answers | None,
        chances: dict[str, float],
        seed: int,
        amounts: Amounts | None = None,
    ) -> Part:
        """Condition the process on some runs, and learn its amounts where they are not given.

        Parameters
        ----------
        train_split : TrainSplit
        runs : Cells
            As of `predictors.common.grid.read_runs`.
        rows : ndarray of int
            Those of the runs; their metrics are bounded.
        whole : Grid
            Of all runs.
        answers : Answers or None
            On the whole grid; None to do without.
        chances : dict of str to float
        seed : int
        amounts : Amounts, optional
        """
        grid, named = read_grid(train_split, runs, rows)
        if answers is not None:
            places = [whole.column[column] for column in grid.columns]
            answers = answers.part([whole.row[model] for model in grid.models], places)
        kernels = AgreementKernels.of_tables(answers.tables if answers else {}, len(grid.models))
        if not kernels.known:
            answers = None
        if amounts is None:
            amounts = learn(grid, answers.tables if answers else None, seed)
        standard = Standard.of(grid)
        scatter = closeness(standard, kernels, grid.group, grid.family, amounts)
        process = TwoWay(standard, kernels, scatter, grid.group, grid.family, amounts)
        makers = read_makers(train_split.runs)
        return cls(
            grid,
            process,
            ItemKnowledge(answers, standard) if answers else None,
            {named[c]: int(grid.group[j]) for c, j in grid.column.items()},
            {makers.get(m, m): int(grid.maker[i]) for m, i in grid.row.items()},
            chances,
            seed,
        )

    @cached_property
    def models_of_makers(self) -> Counter[str]:
        """How many models each organisation has, by its name."""
        names = {number: name for name, number in self.makers.items()}
        return Counter(names[number] for number in self.grid.maker.tolist())

    @cached_property
    def spread(self) -> tuple[Array, Array]:
        """How much more the cells of each model, and of each column, vary than is said of them."""
        return self.process.spreads(_STRANGE)

    @cached_property
    def new_models(self) -> NewModels:
        """What is said of models without train runs."""
        tables = self.items.answers.tables if self.items is not None else {}
        return NewModels(self.process, self.grid, tables, self.seed)

    @cached_property
    def new_columns(self) -> NewColumns:
        """What is said of columns without train runs."""
        return NewColumns(self.process, self.grid, self.chances)

    def known(
        self, targets: Cells, members: Sequence[int], shown: Sequence[Evidence]
    ) -> dict[int, Forecast]:
        """Predict cells of known models and columns, each told by its own responses.

        What is shown of the others could tell of it too, and was worth less than 1 % in CRPS.

        Parameters
        ----------
        targets : Cells
        members : sequence of int
            Rows of the targets.
        shown : sequence of Evidence
            Of all targets.
        """
        process, standard, amounts = self.process, self.process.standard, self.process.amounts
        row, column = self._rows(targets, members), self._columns(targets, members)
        mean, spread = process.predict(row, column)
        same = (row[:, None] == row) & (column[:, None] == column)
        own = self.spread[0][row] * self.spread[1][column]
        stretch = standard.sd[column] * np.sqrt(own)
        spread = (spread + np.where(same, amounts.rest, 0.0)) * stretch * stretch[:, None]

        def ask(j: int, expected: float, sd: float) -> Items | None:
            if self.items is None:
                return None
            lineage = process.kernels.lineage[row[j]]
            told = shown[members[j]]
            return self.items.items(int(column[j]), told, lineage, expected, sd, model=int(row[j]))

        found = forecast(
            (standard.mean[column] + standard.sd[column] * mean)[None],
            spread[None],
            [shown[t] for t in members],
            ask,
            sampling=amounts.sampling * own,
            df=amounts.df,
            seed=[self.seed, 6],
            apart=True,
        )
        return dict(zip(members, found, strict=True))

    def of_new_models(
        self,
        targets: Cells,
        members: Sequence[int],
        shown: Sequence[Evidence],
        makers: Mapping[str, str],
    ) -> dict[int, Forecast]:
        """Predict models that the grid does not have, on columns that it has, all together.

        Parameters
        ----------
        targets, members, shown
            As of `known`.
        makers : mapping of str to str
            Model → organisation.
        """
        standard, amounts, new = self.process.standard, self.process.amounts, self.new_models
        column = self._columns(targets, members)
        names = sorted({targets.model[t] for t in members})
        place = {name: q for q, name in enumerate(names)}
        owner = np.array([place[targets.model[t]] for t in members], np.intp)
        seen: list[dict[int, Array]] = [{} for _ in names]
        if self.items is not None:
            for t, q, j in zip(members, owner, column.tolist(), strict=True):
                if self.items.knows(j, shown[t]):
                    seen[q][j] = self.items.along(j, shown[t])
        rows = [new.row(one) for one in seen]
        named = [makers.get(name, name) for name in names]
        strange = {m: -1 - i for i, m in enumerate(sorted(set(named) - self.makers.keys()))}
        mean, covariance = new.prior(rows, [self.makers.get(m, strange.get(m, 0)) for m in named])
        lineage = [new.lineage(one) for one in rows]
        unit = standard.sd[column]
        spread = covariance[owner[:, None], column[:, None], owner, column]

        def ask(j: int, expected: float, sd: float) -> Items | None:
            if self.items is None:
                return None
            told = shown[members[j]]
            return self.items.items(int(column[j]), told, lineage[owner[j]], expected, sd)

        found = forecast(
            (standard.mean[column] + unit * mean[owner, column])[None],
            (spread * unit * unit[:, None])[None],
            [shown[t] for t in members],
            ask,
            sampling=np.full(len(members), amounts.sampling),
            df=amounts.df,
            seed=[self.seed, 7],
        )
        return dict(zip(members, found, strict=True))

    def of_new_column(
        self,
        targets: Cells,
        members: Sequence[int],
        shown: Sequence[Evidence],
        groups: Mapping[str, str],
        chances: Mapping[str, float],
    ) -> dict[int, Forecast]:
        """Predict known models on one column that the grid does not have.

        Parameters
        ----------
        targets, members, shown
            As of `known`.
        groups : mapping of str to str
            Scenario → group.
        chances : mapping of str to float
            Scenario → what guessing scores, where it is known.
        """
        amounts = self.process.amounts
        row = self._rows(targets, members)
        column: Column = targets.column[members[0]]
        group = self.groups.get(group_of(dict(groups), column))
        chance = chances.get(column[0], np.nan)
        mean, covariance = self.new_columns.prior(column[0], group, chance)
        found = forecast(
            mean[:, row],
            covariance[:, row[:, None], row],
            [shown[t] for t in members],
            lambda j, expected, sd: None,
            sampling=np.full(len(members), amounts.sampling),
            df=amounts.df,
            seed=[self.seed, 8],
        )
        return dict(zip(members, found, strict=True))

    def left_out(self, runs: Cells, rows: Index) -> dict[int, float]:
        """Give run → its log score, as the others predict it; see `Profile.loo`.

        Parameters
        ----------
        runs, rows
            As of `of`.
        """
        process, standard = self.process, self.process.standard
        mean, variance = process.left_out()
        cell = np.full(standard.mask.shape, -1)
        cell[process.row, process.column] = np.arange(len(mean))
        found = {}
        for (i, j), r in single_runs(self.grid, runs, rows).items():
            at = cell[i, j]
            sd = standard.sd[j] * np.sqrt(variance[at] * self.spread[0][i] * self.spread[1][j])
            centre = standard.mean[j] + standard.sd[j] * mean[at]
            n = int(runs.n[r]) if runs.counted[r] else 0
            score = log_student(float(runs.y[r]), n, float(centre), float(sd), process.amounts.df)
            found[r] = score if n else score - float(np.log(runs.span[r]))
        return found

    def _rows(self, targets: Cells, members: Sequence[int]) -> Index:
        place = self.grid.row
        return np.array([place[targets.model[t]] for t in members], np.intp)

    def _columns(self, targets: Cells, members: Sequence[int]) -> Index:
        place = self.grid.column
        return np.array([place[targets.column[t]] for t in members], np.intp)


def log_student(y: float, n: int, mean: float, sd: float, df: float) -> float:
    """Give the log probability of a count y n out of n, or with n = 0 the log density of y.

    Of Student's t on the scale of `to_logit`; the counts 0 and n take the tails.

    Examples
    --------
    >>> total = sum(np.exp(log_student(c / 5, 5, 0.3, 0.8, 6.0)) for c in range(6))
    >>> round(float(total), 9)
    1.0
    """
    if not n:
        z = (float(to_logit(y)) - mean) / sd
        density = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(np.pi * df)
        density -= (df + 1) / 2 * np.log1p(z * z / df) + np.log(sd)
        return float(density + np.log(slope(y)))
    count = round(y * n)
    low = 0.0 if count == 0 else float(stdtr(df, (to_logit((count - 0.5) / n) - mean) / sd))
    high = 1.0 if count == n else float(stdtr(df, (to_logit((count + 0.5) / n) - mean) / sd))
    return float(np.log(max(high - low, 1e-12)))
