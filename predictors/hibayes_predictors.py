"""`HibayesCrossed`, `HibayesFactor`, `HibayesItems`: hierarchical models of the train grid.

The models, their samplers and updates are in `hibayes.hierarchical`; how splits become grids, and
forecasts predictions, is in `predictors.common.hierarchical_grid`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from hibayes.hierarchical.cells import Index
from hibayes.hierarchical.choice import choose, fit
from hibayes.hierarchical.forecast import Evidence, Forecast, Forecaster
from hibayes.hierarchical.kernels import Answers
from hibayes.hierarchical.posterior import Posterior
from predictors.common.grid import Cells, Column, read_runs, read_shown, read_targets
from predictors.common.hierarchical_grid import (
    group_of,
    read_answers,
    read_evidence,
    read_grid,
    single_runs,
    with_the_rest,
)
from predictors.common.item_tables import read_groups, read_makers
from predictors.common.moments import TrainMoments
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["HibayesCrossed", "HibayesFactor", "HibayesItems"]


class _Hibayes(RunPredictor):
    """What the three have in common; a subclass names its model."""

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    model: ClassVar[str] = "crossed"
    _fold: _Fold | None = None

    def __init__(
        self,
        draws: int | None = None,
        rank: int = 6,
        joint: bool = False,
        **notebook: Any,
    ) -> None:
        super().__init__(**notebook)
        name = type(self).__name__
        for setting, value, least in (("draws", draws, 25), ("rank", rank, 1)):
            if value is None and setting == "draws":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise UsageError(
                    f"{name}: {setting} must be a whole number from {least} on: {value!r}."
                )
        self.draws, self.rank, self.joint = draws, rank, bool(joint)

    def fit(self, train_split: TrainSplit) -> None:
        """Fit the model to the train split's bounded runs."""
        self._fold = _Fold.of(self, train_split)

    def checks(self, train_split: TrainSplit) -> pd.DataFrame:
        """Judge the fit: R-hat and bulk ESS of the cells without a value, Pareto k of the others.

        Returns
        -------
        DataFrame
            One row per check: ``check, value, limit, passed, offenders``; none where no run is
            bounded. See `hibayes.hierarchical.checks.judge`.

        Raises
        ------
        NotInstalled
            If ArviZ is not installed.
        """
        from hibayes.hierarchical.checks import diagnostics, judge

        fold = self._fitted(train_split)
        if fold.posterior is None:
            import pandas as pd

            return pd.DataFrame(columns=["check", "value", "limit", "passed", "offenders"])
        pareto_k = self.loo(train_split)["pareto_k"].to_numpy(float)
        return judge(diagnostics(fold.posterior), pareto_k)

    def loo(self, train_split: TrainSplit) -> pd.DataFrame:
        """Leave each train run out by reweighting the draws (`hibayes.loo_by_run`).

        Returns
        -------
        DataFrame
            As of `hibayes.loo_by_run`. Runs of unbounded metrics, runs that share their cell with
            another and runs with several values (metrics, perturbations) are not in it.

        Raises
        ------
        NotInstalled
            If ArviZ is not installed.
        """
        from hibayes.hierarchical.loo import log_likelihood
        from hibayes.loo import loo_by_run

        fold = self._fitted(train_split)
        if fold.posterior is None:
            return loo_by_run(np.zeros((100, 0)), [])
        if fold.left_out is None:
            rows, columns, runs = fold.single_runs()
            span = np.where(fold.runs.counted, 1.0, fold.runs.span)[runs]
            density = log_likelihood(fold.posterior, rows, columns) - np.log(span)
            fold.left_out = loo_by_run(density, [fold.runs.id[r] for r in runs])
        return fold.left_out.copy()

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by the posterior and its shown responses."""
        fold = self._fitted(train_split)
        targets = read_targets(sequestered_test_split)
        shown = read_shown(sequestered_test_split, targets)
        found: dict[int, Forecast] = {}
        if fold.forecaster is not None:
            itemised = fold.answers is not None
            evidence = read_evidence(sequestered_test_split, targets, shown, itemised)
            found = fold.forecasts(sequestered_test_split, targets, evidence)
        return with_the_rest(targets, shown, found, fold.moments, self.joint)

    def _fitted(self, train_split: TrainSplit) -> _Fold:
        """Give what was learned; learn it, where it was called without fit as in a notebook."""
        return self._fold if self._fold is not None else _Fold.of(self, train_split)


@dataclass(eq=False)
class _Fold:
    """What was learned from a train split."""

    runs: Cells
    moments: TrainMoments
    posterior: Posterior | None = None
    forecaster: Forecaster | None = None
    answers: Answers | None = None
    groups: dict[str, int] = field(default_factory=dict)  # of columns → number in the grid
    makers: dict[str, int] = field(default_factory=dict)  # organisation → number in the grid
    bounded: Index = field(default_factory=lambda: np.empty(0, np.intp))
    left_out: pd.DataFrame | None = None  # what `loo` gives, once it was asked for

    @classmethod
    def of(cls, settings: _Hibayes, train_split: TrainSplit) -> _Fold:
        runs = read_runs(train_split)
        moments, seed = TrainMoments.of(runs), int(settings.random_state)
        bounded = np.flatnonzero(runs.bounded)
        if not len(bounded):
            return cls(runs, moments)
        grid, named = read_grid(train_split, runs, bounded)
        makers = read_makers(train_split.runs)
        answers = None
        if settings.model == "crossed_factor_items" and (
            choose("crossed_factor", grid, None) == "crossed_factor"
        ):
            answers = read_answers(train_split, grid, runs, bounded)
        posterior = fit(
            settings.model,
            grid,
            None if answers is None else answers.tables,
            rank=settings.rank,
            seed=seed,
            draws=settings.draws,
        )
        if posterior.model != "crossed_factor_items":
            answers = None
        return cls(
            runs,
            moments,
            posterior,
            Forecaster(posterior, answers, seed),
            answers,
            {named[c]: int(grid.group[j]) for c, j in grid.column.items()},
            {makers.get(m, m): int(grid.maker[i]) for m, i in grid.row.items()},
            bounded,
        )

    def single_runs(self) -> tuple[Index, Index, list[int]]:
        """Give row, column and number of the runs of one value that are alone in their cell."""
        assert self.posterior is not None
        grid = self.posterior.grid
        alone = single_runs(grid, self.runs, self.bounded)
        cells = np.array(list(alone), np.intp).reshape(-1, 2)
        return cells[:, 0], cells[:, 1], list(alone.values())

    def forecasts(
        self, split: SequesteredTestSplit, targets: Cells, shown: list[Evidence]
    ) -> dict[int, Forecast]:
        """Predict the targets of bounded metrics: known cells, then each new column and model."""
        assert self.posterior is not None
        assert self.forecaster is not None
        row, place = self.posterior.grid.row, self.posterior.grid.column
        groups, makers = read_groups(split.targets), read_makers(split.targets)
        known: list[int] = []
        of_column: dict[Column, list[int]] = {}
        of_model: dict[str, list[int]] = {}
        # in the order of their names, so that the order of rows changes neither sums nor draws
        for t in sorted(np.flatnonzero(targets.bounded).tolist(), key=targets.id.__getitem__):
            if targets.model[t] not in row:
                of_model.setdefault(targets.model[t], []).append(t)
            elif targets.column[t] not in place:
                of_column.setdefault(targets.column[t], []).append(t)
            else:
                known.append(t)
        group = [self.groups.get(group_of(groups, column)) for column in targets.column]

        rows = np.array([row[targets.model[t]] for t in known], np.intp)
        columns = np.array([place[targets.column[t]] for t in known], np.intp)
        told = [shown[t] for t in known]
        found = dict(zip(known, self.forecaster.cells(rows, columns, told), strict=True))
        for members in of_column.values():
            rows = np.array([row[targets.model[t]] for t in members], np.intp)
            told = [shown[t] for t in members]
            part = self.forecaster.new_column(rows, group[members[0]], told)
            found.update(zip(members, part, strict=True))
        for model, members in of_model.items():
            part = self.forecaster.new_row(
                [place.get(targets.column[t]) for t in members],
                [group[t] for t in members],
                self.makers.get(makers.get(model, model)),
                [shown[t] for t in members],
            )
            found.update(zip(members, part, strict=True))
        return found


class HibayesCrossed(_Hibayes):
    """Predict a run by an effect of its model and one of its scenario, with all they leave open.

    The model is `hibayes.hierarchical.crossed.fit_crossed`.
    """

    model: ClassVar[str] = "crossed"


class HibayesFactor(_Hibayes):
    r"""Predict a run by a Bayesian low-rank interaction of models and scenarios, from scores alone.

    The model is `hibayes.hierarchical.factor.fit_factor`: on the scale t(y) = log((y + .1) /
    (1.1 - y)) a run is normal around the effect of its scenario and the product of its model's
    factors and its scenario's loadings, with a known part of the noise (binomial) and one that is
    learned for each scenario and model. Everything is averaged over its posterior.

    Parameters
    ----------
    draws : int, optional
        Kept draws of each of 4 chains, at least 25; 400 by default. Fewer are faster and less
        exact.
    rank : int
        Number of factors, at most; superfluous ones shrink.
    joint : bool
        Whether to give draws that belong together over the targets in place of single
        distributions: their order is that of the posterior draws, their margins are the same.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Of a model and a scenario that have other runs, the k shown responses update the pmf of the
    count by their hypergeometric probability: exact for a random sample without return, whatever
    the items. A model, or scenario, without train runs has latent values that are normal under
    each draw (`hibayes.hierarchical.levels`), which all its shown responses update together. How
    far a new model may be from the known ones is learned by leaving each known organisation out in
    turn (`hibayes.hierarchical.strangers`).

    With few models, scenarios or runs the crossed model takes its place
    (`hibayes.hierarchical.choice.choose`). Metrics without bounds are predicted by the scenario
    mean.

    It fails where a model's profile is like no other's. About 45 s for a grid of 57 by 35.

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
    >>> prediction = HibayesFactor(draws=50).predict(TrainSplit(runs=runs[:-1]), test)[0]
    >>> 0.6 < prediction.quantiles[0.5] < 0.9
    True
    """

    model: ClassVar[str] = "crossed_factor"


class HibayesItems(_Hibayes):
    """Predict a run as `HibayesFactor`, with models that answer items alike taken to be alike.

    The model is `hibayes.hierarchical.items.fit_items`. The shown responses of a run that are
    right or wrong, item by item, are weighed by how similar models answered those items
    (`hibayes.hierarchical.update`); elsewhere as in `HibayesFactor`. Without item responses, with
    fewer than 10 scenarios that have them, or with more than 250 models, it is `HibayesFactor`.

    It gains where a model has close relatives in the grid. About 45 s for a grid of 57 by 35.
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs", "responses")
    model: ClassVar[str] = "crossed_factor_items"
