"""`Profile`: a Gaussian process over models and scenarios, its hyper-parameters learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from hibayes.hierarchical.cells import Index
from hibayes.hierarchical.forecast import Evidence, Forecast
from predictors.common.chance import read_chances
from predictors.common.grid import Cells, Column, read_runs, read_shown, read_targets
from predictors.common.hierarchical_grid import (
    read_answers,
    read_evidence,
    read_grid,
    with_the_rest,
)
from predictors.common.item_tables import read_groups, read_makers
from predictors.common.moments import TrainMoments
from predictors.common.priors import loo_frame
from predictors.common.size_checks import size_checks
from predictors.common.threads import one_thread
from predictors.profile.division import divide
from predictors.profile.part import Part

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["Profile"]

_LEAST_MODELS, _LEAST_COLUMNS = 3, 2
_MOST_CELLS = 4000  # of one process: its time grows with their cube, its memory with their square


class Profile(RunPredictor):
    r"""Predict a run by a Gaussian process over models and scenarios.

    On the scale t(y) = log((y + .1) / (1.1 - y)), with t = μ_j + d_j z, mean and spread of the
    column's train values, z is normal with mean 0 and

    .. math::

        \mathrm{cov}(z_{ij}, z_{i'j'}) = R_{jj'} (a_1 G_{ii'} + a_2 \delta_{ii'})
            + \delta_{jj'} (a_3 C_{ii'} + a_4)
            + \delta_{ii'} \delta_{jj'} (a_5 + a_6 v_{ij})

    G and C say how alike models answer items (`predictors.common.agreement_kernels`), R how
    scenarios go together (`predictors.profile.gp.closeness`), v is the binomial variance. The
    amounts a, how far R is drawn to its groups' means, and the degrees of freedom of the Student's
    t that is the prediction, are those under which some train cells foretell others, hidden with
    all their responses, best (`predictors.profile.learning`).

    Parameters
    ----------
    items : bool
        Whether responses may be used; without them, or where no two models share items, models are
        alike by their values alone.
    joint : bool
        Whether to give draws that belong together over the targets in place of single
        distributions; their margins are the same.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    A run's shown responses count by their exact likelihood, item by item where others' answers to
    these items are known, else hypergeometric. Those of a new model on all its scenarios and of
    other new models of its organisation, and those of all models on a new scenario, tell of each
    other through the normal of all of them together (`profile_levels`).

    Metrics without bounds, fewer than 3 models or 2 columns, and targets whose model and column are
    both without train runs get the scenario mean's prediction. More than 4,000 runs are divided by
    models, like ones together (`predictors.profile.division`), into processes of at most so many.

    `loo` is exact given the hyper-parameters. About 4 s for a grid of 57 by 35.

    References
    ----------
    Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), chapters 2, 3 and 5.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> cells = [(m, s) for m in "abc" for s in "tuv"]
    >>> runs = pd.DataFrame(cells, columns=["model", "scenario"])
    >>> runs["run"] = runs["model"] + runs["scenario"]
    >>> runs = runs.assign(value=[0.3, 0.4, 0.5, 0.5, 0.6, 0.7, 0.6, 0.7, 0.9], lower=0, upper=1)
    >>> targets = pd.DataFrame({"target": ["t1"], "model": "c", "scenario": "v"})
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    >>> prediction = Profile(items=False).predict(TrainSplit(runs=runs[:-1]), test)[0]
    >>> 0.6 < prediction.quantiles[0.5] < 0.9
    True
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    uses: ClassVar[tuple[str, ...]] = ("responses", "metadata")
    _fold: _Fold | None = None

    def __init__(self, items: bool = True, joint: bool = False, **notebook: Any) -> None:
        super().__init__(**notebook)
        self.items, self.joint = bool(items), bool(joint)

    @one_thread
    def fit(self, train_split: TrainSplit) -> None:
        """Learn the hyper-parameters, and condition the process on the train split's runs."""
        self._fold = _Fold.of(self, train_split)

    def checks(self, train_split: TrainSplit) -> pd.DataFrame:
        """Say whether there are models and columns enough; else it is the scenario mean.

        Returns
        -------
        DataFrame
            Two rows of ``check, value, limit, passed, offenders``.
        """
        models, columns = _sizes(self._fitted(train_split).runs)
        return size_checks(
            {"models": (models, _LEAST_MODELS), "columns": (columns, _LEAST_COLUMNS)}
        )

    @one_thread
    def loo(self, train_split: TrainSplit) -> pd.DataFrame:
        """Score each train run by what the process says of it from all others, in closed form.

        Returns
        -------
        DataFrame
            ``run``; ``elpd_loo``, the log probability of its count, or the log density of a value
            that is no count, in the metric's units; ``elpd_waic`` and ``pareto_k`` NaN: there are
            no posterior draws that WAIC is computed from, or that would be reweighted; ``method``
            exact. Runs of unbounded metrics, runs that share their cell with another and runs with
            several values are not in it.

        Notes
        -----
        Exact for the hyper-parameters, the kernels and the columns' means, spreads and correlations
        that were learned with the run there. The kernels have seen its responses, so it is too
        favourable.
        """
        fold = self._fitted(train_split)
        elpd = np.full(len(fold.runs), np.nan)
        for part, rows in fold.parts:
            for r, score in part.left_out(fold.runs, rows).items():
                elpd[r] = score
        return loo_frame(fold.runs, elpd)

    @one_thread
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by the process and the shown responses."""
        fold = self._fitted(train_split)
        targets = read_targets(sequestered_test_split)
        shown = read_shown(sequestered_test_split, targets)
        found: dict[int, Forecast] = {}
        if fold.parts:
            itemised = any(part.items is not None for part, _ in fold.parts)
            evidence = read_evidence(sequestered_test_split, targets, shown, itemised)
            found = fold.forecasts(sequestered_test_split, targets, evidence)
        return with_the_rest(targets, shown, found, fold.moments, self.joint)

    def _fitted(self, train_split: TrainSplit) -> _Fold:
        """Give what was learned; learn it, where it was called without fit as in a notebook."""
        return self._fold if self._fold is not None else _Fold.of(self, train_split)


@dataclass(eq=False)
class _Fold:
    """What was learned from a train split: one process, or one for each part of a large grid."""

    runs: Cells
    moments: TrainMoments
    parts: list[tuple[Part, Index]] = field(default_factory=list)  # and the rows of its runs

    @classmethod
    def of(cls, settings: Profile, train_split: TrainSplit) -> _Fold:
        runs = read_runs(train_split)
        fold = cls(runs, TrainMoments.of(runs))
        bounded = np.flatnonzero(runs.bounded)
        models, columns = _sizes(runs)
        if models < _LEAST_MODELS or columns < _LEAST_COLUMNS:
            return fold
        grid, _ = read_grid(train_split, runs, bounded)
        answers = read_answers(train_split, grid, runs, bounded) if settings.items else None
        row = np.array([grid.row.get(model, -1) for model in runs.model], np.intp)
        amounts, chances = None, read_chances(train_split)
        for part_rows in divide(grid, answers.tables if answers else None, _MOST_CELLS):
            rows = bounded[np.isin(row[bounded], part_rows)]
            part = Part.of(
                train_split,
                runs,
                rows,
                whole=grid,
                answers=answers,
                chances=chances,
                seed=int(settings.random_state),
                amounts=amounts,
            )
            amounts = part.process.amounts
            fold.parts.append((part, rows))
        return fold

    def forecasts(
        self, split: SequesteredTestSplit, targets: Cells, shown: list[Evidence]
    ) -> dict[int, Forecast]:
        """Predict the targets of bounded metrics: known cells, then new columns and models."""
        groups, makers = read_groups(split.targets), read_makers(split.targets)
        chances = self.parts[0][0].chances | read_chances(split)
        # in the order of their names, so that the order of rows changes neither sums nor draws
        order = sorted(np.flatnonzero(targets.bounded).tolist(), key=targets.id.__getitem__)
        found: dict[int, Forecast] = {}
        everyone = {model for part, _ in self.parts for model in part.grid.models}
        for part, _ in self.parts:
            row, place = part.grid.row, part.grid.column
            known: list[int] = []
            of_column: dict[Column, list[int]] = {}
            for t in order:
                if targets.model[t] not in row:
                    continue
                if targets.column[t] in place:
                    known.append(t)
                else:
                    of_column.setdefault(targets.column[t], []).append(t)
            if known:
                found |= part.known(targets, known, shown)
            for _, members in sorted(of_column.items()):
                found |= part.of_new_column(targets, members, shown, groups, chances)
        new = [t for t in order if targets.model[t] not in everyone]
        for part, members in self._by_maker(targets, new, makers):
            asked = [t for t in members if targets.column[t] in part.grid.column]
            if asked:
                found |= part.of_new_models(targets, asked, shown, makers)
        return found

    def _by_maker(
        self, targets: Cells, members: Sequence[int], makers: Mapping[str, str]
    ) -> list[tuple[Part, list[int]]]:
        """Give new models to the part that has most models of their organisation, or the first."""
        homes: dict[str, int] = {}
        for number, (part, _) in enumerate(self.parts):
            for maker, count in part.models_of_makers.items():
                best = homes.get(maker)
                if best is None or count > self.parts[best][0].models_of_makers[maker]:
                    homes[maker] = number
        of_part: dict[int, list[int]] = {}
        for t in members:
            model = targets.model[t]
            of_part.setdefault(homes.get(makers.get(model, model), 0), []).append(t)
        return [(self.parts[number][0], of_part[number]) for number in sorted(of_part)]


def _sizes(runs: Cells) -> tuple[int, int]:
    """Count the models and the columns of bounded runs."""
    bounded = np.flatnonzero(runs.bounded)
    return len({runs.model[r] for r in bounded}), len({runs.column[r] for r in bounded})
