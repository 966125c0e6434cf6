"""`HibayesCrossed`, `HibayesFactor`, `HibayesItems`: hierarchical models of the train grid.

The one file of `predictors` that imports `hibayes`: it turns splits into grids, and forecasts into
predictions; the models, their samplers and updates are in `hibayes.hierarchical`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from hibayes.hierarchical.cells import Grid, Index, family
from hibayes.hierarchical.choice import choose, fit
from hibayes.hierarchical.forecast import Evidence, Forecast, Forecaster
from hibayes.hierarchical.kernels import Answers
from hibayes.hierarchical.posterior import Posterior
from predictors.grid import Cells, Column, Shown, read_runs, read_shown, read_targets
from predictors.item_tables import (
    read_groups,
    read_item_values,
    read_makers,
    read_shown_items,
)
from predictors.moments import TrainMoments
from predictors.priors import LEVELS, Prior, label, predictions
from predictors.scenario_mean import scenario_priors
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
            evidence = _evidence(sequestered_test_split, targets, shown, fold.answers is not None)
            found = fold.forecasts(sequestered_test_split, targets, evidence)
        rest = [t for t in range(len(targets)) if t not in found]
        priors: list[Prior | None] = [None] * len(targets)
        for t, prior in zip(rest, scenario_priors(fold.moments, targets.take(rest)), strict=True):
            priors[t] = prior
        said = {p.target: p for p in predictions(targets, priors, shown)}
        for t, forecast in found.items():
            said[targets.id[t]] = _labelled(targets, t, forecast, self.joint)
        return [said[target] for target in targets.id if target in said]

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
        groups, makers = read_groups(train_split.runs), read_makers(train_split.runs)
        column = [runs.column[r] for r in bounded]
        named = {c: _group(groups, c) for c in column}
        grid = Grid.of(
            [runs.model[r] for r in bounded],
            column,
            runs.y[bounded],
            np.where(runs.counted, runs.n, 0)[bounded],
            groups=named,
            families={c: "\x1f".join((named[c], family(c[0]), *c[1:5])) for c in column},
            makers=makers,
        )
        answers = None
        if settings.model == "crossed_factor_items" and (
            choose("crossed_factor", grid, None) == "crossed_factor"
        ):
            answers = _answers(train_split, grid, runs, bounded)
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
        row, place = grid.row, grid.column
        of_cell: dict[tuple[int, int], list[int]] = {}
        for r in self.bounded:
            cell = row[self.runs.model[r]], place[self.runs.column[r]]
            of_cell.setdefault(cell, []).append(int(r))
        # a run is left out as a whole, and values of one row are no independent parts of it
        values = Counter(self.runs.id[r] for r in self.bounded)
        alone = {
            cell: runs[0]
            for cell, runs in of_cell.items()
            if len(runs) == 1 and values[self.runs.id[runs[0]]] == 1
        }
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
        group = [self.groups.get(_group(groups, column)) for column in targets.column]

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


def _labelled(targets: Cells, row: int, forecast: Forecast, joint: bool) -> RunPrediction:
    """Turn a forecast into a prediction in the metric's units."""
    steps = len(forecast.pmf) - 1
    lower, span = float(targets.lower[row]), float(targets.span[row])
    mean = lower + span * float(forecast.pmf @ np.arange(steps + 1)) / steps
    if joint:
        return label(targets, row, mean=mean, samples=lower + span * forecast.sample(), joint=True)
    if targets.counted[row]:
        return label(targets, row, mean=mean, pmf=forecast.pmf)
    values = lower + span * forecast.quantiles(LEVELS)
    quantiles = dict(zip(LEVELS, values.tolist(), strict=True))
    return label(targets, row, mean=mean, quantiles=quantiles)


def _evidence(
    split: SequesteredTestSplit, targets: Cells, shown: Shown, itemised: bool
) -> list[Evidence]:
    """Say what is shown of each target, item by item where that is wanted."""
    items, given = read_shown_items(split, targets) if itemised else ({}, {})
    return [
        Evidence(
            n=int(targets.n[t]) if targets.counted[t] else 0,
            k=int(shown.k[t]),
            total=float(shown.total[t]),
            squares=float(shown.squares[t]),
            size=int(targets.n[t]),
            items=items.get(target, ()),
            given=given.get(target, {}),
        )
        for t, target in enumerate(targets.id)
    ]


def _group(groups: dict[str, str], column: Column) -> str:
    """Name the group of a column: scenario group and metric."""
    scenario = column[0]
    return "\x1f".join((groups.get(scenario, scenario.partition("/")[0]), column[2]))


def _answers(train_split: TrainSplit, grid: Grid, runs: Cells, bounded: Index) -> Answers | None:
    """Arrange the responses of the bounded train runs, models by items."""
    table = read_item_values(train_split, runs, bounded)
    if table is None:
        return None
    row, place = grid.row, grid.column
    rows = np.array([row.get(model, -1) for model in runs.model], np.intp)[table.run]
    columns = np.array([place.get(column, -1) for column in runs.column], np.intp)[table.run]
    return Answers.arranged(rows, columns, table.item, table.items, table.y, grid.y.shape)


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
