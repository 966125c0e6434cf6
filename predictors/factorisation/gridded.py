"""Grids of bounded runs: fitted whole, or in parts of like models, and told by shown items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hibayes.hierarchical.cells import Grid
from hibayes.hierarchical.forecast import Evidence
from hibayes.hierarchical.kernels import Answers
from hibayes.hierarchical.update import log_item_likelihood
from predictors.common.agreement_kernels import AgreementKernels
from predictors.common.counts import Array
from predictors.common.grid import Cells
from predictors.common.hierarchical_grid import read_answers, read_grid
from predictors.common.item_curves import ItemCurves
from predictors.common.mixtures import MixtureOfDraws
from predictors.factorisation.members import GridFit, fit_grid
from predictors.profile.division import divide
from predictors.profile.forecast import ItemKnowledge
from predictors.profile.gp import Standard

if TYPE_CHECKING:
    from harness.data_splits import TrainSplit

__all__ = ["Gridded"]

_MOST_MODELS = 150  # of a grid's part, about: a sweep costs their cube
_MOST_GRIDDED = 100  # columns of a grid; with more, each sweep costs their cube for every model
_DENSE = 0.6  # the share of a grid's cells that have a value, from which it is one without items


@dataclass(frozen=True, eq=False)
class Gridded:
    """What was learned from bounded runs that fill a grid, or whose items are known."""

    fit: GridFit
    grid: Grid
    items: Items | None

    @classmethod
    def parts(
        cls, train_split: TrainSplit, runs: Cells, settings: tuple[int, bool, int]
    ) -> list[Gridded]:
        """Learn it from the whole grid, or from parts of like models where there are many.

        Empty where the runs neither fill a grid nor share items.
        """
        sweeps, kernels, seed = settings
        bounded = np.flatnonzero(runs.bounded)
        if not len(bounded):
            return []
        grid, _ = read_grid(train_split, runs, bounded)
        if min(grid.y.shape) < 3 or grid.y.shape[1] > _MOST_GRIDDED:
            return []
        answers = read_answers(train_split, grid, runs, bounded) if kernels else None
        row = np.array([grid.row.get(model, -1) for model in runs.model], np.intp)[bounded]
        each = grid.mask.sum() / len(grid.models)
        found = []
        for members in divide(grid, answers.tables if answers else None, int(each * _MOST_MODELS)):
            part, own = grid, answers
            if len(members) < len(grid.models):
                part, _ = read_grid(train_split, runs, bounded[np.isin(row, members)])
                places = [grid.column[column] for column in part.columns]
                own = answers.part(members, places) if answers else None
            items = None if own is None else Items.of(own, part)
            if items is None and part.mask.mean() < _DENSE:
                continue
            known = None if items is None else own
            fit = fit_grid(part, known, sweeps=sweeps, seed=seed, named=kernels)
            found.append(cls(fit, part, items))
        return found

    def mixtures(self, targets: Cells, rows: Sequence[int]) -> dict[int, MixtureOfDraws]:
        """Give the distributions of the targets whose model and column have train runs."""
        row, place = self.grid.row, self.grid.column
        known = [t for t in rows if targets.model[t] in row and targets.column[t] in place]
        if not known:
            return {}
        i = np.array([row[targets.model[t]] for t in known], np.intp)
        j = np.array([place[targets.column[t]] for t in known], np.intp)
        return dict(zip(known, self.fit.cells(i, j), strict=True))

    def likelihoods(
        self, targets: Cells, evidence: Sequence[Evidence], found: Mapping[int, MixtureOfDraws]
    ) -> dict[int, Array]:
        """Give what the shown responses say of counts of the part's cells."""
        if self.items is None:
            return {}
        row, place = self.grid.row, self.grid.column
        out = {}
        for t in range(len(targets)):
            i, j = row.get(targets.model[t]), place.get(targets.column[t])
            if i is None or j is None or not targets.counted[t] or t not in found:
                continue
            told = self.items.likelihood(i, j, evidence[t], found[t].moments[0])
            if told is not None:
                out[t] = told
        return out


@dataclass(frozen=True, eq=False)
class Items:
    """How the train models answered items."""

    lineage: Array
    knowledge: ItemKnowledge
    curves: ItemCurves

    @classmethod
    def of(cls, answers: Answers, grid: Grid) -> Items | None:
        """Learn it; None where no two models share items."""
        kernels = AgreementKernels.of_tables(answers.tables, len(grid.models))
        if not kernels.known:
            return None
        standard = Standard.of(grid)
        curves = ItemCurves.of(answers.tables, standard.z, standard.mask)
        return cls(kernels.lineage, ItemKnowledge(answers, standard), curves)

    def likelihood(self, i: int, j: int, told: Evidence, expected: float) -> Array | None:
        """Give the log likelihood of a run's counts.

        An item's logit is the mean of two: of relatives of like level, and of its curve.
        """
        items = self.knowledge.items(j, told, self.lineage[i], expected, 0.0)
        if items is None:
            return None
        logits, is_shown, right = items
        own = self._by_curves(i, j, expected, told.items)
        return log_item_likelihood((logits + own) / 2.0, is_shown, right)

    def _by_curves(self, i: int, j: int, expected: float, items: Sequence[str]) -> Array:
        standard, places = self.knowledge.standard, self.knowledge.answers.items[j]
        level = (expected - float(standard.mean[j])) / float(standard.sd[j])
        logits = self.curves.logits(i, j, level, standard.mask)
        at = np.array([places.get(item, -1) for item in items], np.intp)
        return np.where(at >= 0, logits[at], float(np.mean(logits)))
