"""`Signature`: a run's value regressed on the model's responses to items that others answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import ndtr

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from hibayes.hierarchical.cells import Index
from hibayes.hierarchical.forecast import Evidence, Forecast
from hibayes.hierarchical.predictive import steps_of
from predictors.common.counts import Array, log_pmf_squashed, squash
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
from predictors.common.moments import Moments, TrainMoments, least_sd, moments_by
from predictors.common.priors import loo_frame
from predictors.common.shown_items import told_pmf
from predictors.common.threads import one_thread
from predictors.signature.fold import Fold, Known
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["Signature"]

_UNORDERED = np.zeros(1)  # these forecasts are of single values, in no common order


class Signature(RunPredictor):
    r"""Predict a run by a Bayesian linear regression on the model's responses to shared items.

    Of a column j, the values :math:`z = tr(y) = \log((y + .02) / (1 - y + .02))` of the models with
    a train run are regressed on their responses to the items of the other columns in which the
    target's model has responses. An item's weight is the sum of one of its own and one of its
    column, and of another of its own in near columns (the scenario under another condition, else
    its group); all are normal. By their kernels (`predictors.signature.features`),

    .. math:: z \sim N\big(0,\; 10 \cdot 11' + a_1 K_1 + a_2 K_2 + a_3 K_3 + s^2 I\big)

    and the value is normal given the others. The amounts a and s² are learned for each column by
    its evidence, under a prior around those that all columns share.

    Parameters
    ----------
    most_models : int
        A regression is made on at most so many models, those that answer most like the target's.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    The shown responses of the run itself are no features: they count once, by the likelihood of
    the run's count given how hard each item is (`predictors.common.shown_items`). Items are as hard
    as the regression's own weights say, :math:`p_t = \sum_i w_i x_{it}`, in logits times a factor
    that is learned from known runs. A model without any train run is known by the shown responses
    of its other runs, which are then the features.

    A column with fewer than 3 train runs is predicted by mean and spread of its scenario's other
    columns, else of its group, or as the scenario mean is; so are unbounded metrics, and all where
    there are no responses. Fails for models that answer like no other, and in grids of few models.

    `loo` is exact given the amounts. Time grows with models cubed times targets.

    References
    ----------
    Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), sections 2.1, 5.4.

    Examples
    --------
    Models do well on t that know the second half of s.

    >>> import numpy as np, pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> rows = [(m, f"q{i}", float((i < 4) == (m in "abc"))) for m in "abcdef" for i in range(8)]
    >>> known = pd.DataFrame(rows, columns=["model", "instance", "value"])
    >>> known["run"] = known["model"] + " s"
    >>> values = {"a": 0.2, "b": 0.3, "c": 0.25, "d": 0.7, "e": 0.8}
    >>> runs = pd.DataFrame([(m, "s", 0.5) for m in "abcdef"] + [(m, "t", v) for m, v in
    ...     values.items()], columns=["model", "scenario", "value"])
    >>> runs["run"] = runs["model"] + " " + runs["scenario"]
    >>> train = TrainSplit(runs=runs.assign(lower=0.0, upper=1.0), responses=known)
    >>> asked = pd.DataFrame({"target": ["f t"], "model": "f", "scenario": "t"})
    >>> test = SequesteredTestSplit(targets=asked.assign(lower=0.0, upper=1.0), k=0)
    >>> 0.6 < Signature().predict(train, test)[0].mean < 0.85
    True
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    uses: ClassVar[tuple[str, ...]] = ("responses",)
    _learned: _Learned | None = None

    def __init__(self, most_models: int = 400, **notebook: Any) -> None:
        super().__init__(**notebook)
        if isinstance(most_models, bool) or not isinstance(most_models, int) or most_models < 3:
            raise UsageError(
                f"Signature: most_models must be a whole number from 3 on, not {most_models!r}."
            )
        self.most_models = most_models

    @one_thread
    def fit(self, train_split: TrainSplit) -> None:
        """Arrange the train responses; amounts are learned for the columns that are asked for."""
        self._learned = _Learned.of(train_split, self.most_models)

    @one_thread
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by its column's regression and its shown responses."""
        learned = self._fitted(train_split)
        targets = read_targets(sequestered_test_split)
        shown = read_shown(sequestered_test_split, targets)
        evidence = read_evidence(sequestered_test_split, targets, shown, True)
        groups = read_groups(sequestered_test_split.targets)
        makers = read_makers(sequestered_test_split.targets)
        found = learned.forecasts(targets, evidence, groups, makers)
        return with_the_rest(targets, shown, found, learned.moments, False)

    @one_thread
    def loo(self, train_split: TrainSplit) -> pd.DataFrame:
        """Score each train run by what its column's regression says of it from the others.

        Returns
        -------
        DataFrame
            ``run``; ``elpd_loo``, the log probability of its count, or the log density of a value
            that is no count, in the metric's units; ``elpd_waic`` and ``pareto_k`` NaN; ``method``
            exact. Runs that are not predicted by a regression, that share their cell with another
            or have several values are not in it, nor are models beyond `most_models`.

        Notes
        -----
        In closed form, and equal to a refit without the run with the same amounts: no feature of a
        column is made of its own responses.
        """
        learned = self._fitted(train_split)
        elpd = np.full(len(learned.runs), np.nan)
        for r, score in learned.left_out().items():
            elpd[r] = score
        return loo_frame(learned.runs, elpd)

    def _fitted(self, train_split: TrainSplit) -> _Learned:
        """Give what was learned; learn it, where it was called without fit as in a notebook."""
        return self._learned or _Learned.of(train_split, self.most_models)


@dataclass(eq=False)
class _Learned:
    """What a train split teaches."""

    runs: Cells
    moments: TrainMoments
    bounded: Index
    usual: dict[tuple[str, str], Moments]  # of the columns of a scenario, and of a group
    makers: set[str]  # organisations of the train runs; models where they are not known
    fold: Fold | None  # None without responses

    @classmethod
    def of(cls, train_split: TrainSplit, most_models: int) -> _Learned:
        runs = read_runs(train_split)
        bounded = np.flatnonzero(runs.bounded)
        groups = read_groups(train_split.runs)
        columns, y = [runs.column[r] for r in bounded], runs.y[bounded]
        usual = moments_by([("scenario", c[0] + "\x1f" + c[2]) for c in columns], y)
        usual |= moments_by([("group", group_of(groups, c)) for c in columns], y)
        fold = None
        if len(bounded):
            grid, _ = read_grid(train_split, runs, bounded)
            answers = read_answers(train_split, grid, runs, bounded)
            if answers is not None and answers.tables:
                fold = Fold(grid, answers, most_models)
        makers = read_makers(train_split.runs)
        known = {makers.get(model, model) for model in runs.model}
        return cls(runs, TrainMoments.of(runs), bounded, usual, known, fold)

    def forecasts(
        self,
        targets: Cells,
        shown: Sequence[Evidence],
        groups: dict[str, str],
        makers: dict[str, str],
    ) -> dict[int, Forecast]:
        """Predict the targets of bounded metrics; those of which nothing is known are left out."""
        if self.fold is None:
            return {}
        place = self.fold.grid.column
        found: dict[int, Forecast] = {}
        of_model: dict[str, list[int]] = {}
        for t in np.flatnonzero(targets.bounded).tolist():
            if targets.column[t] in place:
                of_model.setdefault(targets.model[t], []).append(t)
        for model, members in of_model.items():
            told = {place[targets.column[t]]: shown[t] for t in members}
            known = self._known(model, told, makers.get(model, model) not in self.makers)
            for t in members:
                said = known.ask(place[targets.column[t]], shown[t])
                if said is not None:
                    prior = np.exp(log_pmf_squashed(steps_of(shown[t].n), [said.mean], [said.sd]))
                    found[t] = Forecast(told_pmf(prior[0], shown[t], said.items), _UNORDERED)
        for t in np.flatnonzero(targets.bounded).tolist():
            if t not in found and (usual := self._usual(targets.column[t], groups)) is not None:
                prior = _normal_pmf(steps_of(shown[t].n), usual)
                found[t] = Forecast(told_pmf(prior, shown[t], None), _UNORDERED)
        return found

    def left_out(self) -> dict[int, float]:
        """Give run → its log score, as the others predict it."""
        fold = self.fold
        if fold is None:
            return {}
        cells = single_runs(fold.grid, self.runs, self.bounded)
        done: dict[tuple[int, tuple[int, ...]], dict[int, tuple[float, float]]] = {}
        found = {}
        for (i, j), r in sorted(cells.items()):
            at = int(np.searchsorted(fold.base.rows, i))
            columns = np.flatnonzero(fold.seen[i]).tolist()
            key = j, tuple(c for c in columns if c != j)
            if at == len(fold.base.rows) or fold.base.rows[at] != i:
                continue
            if key not in done:
                done[key] = fold.of_base(at, columns).left_out(j)
            if i in done[key]:
                found[r] = _log_score(self.runs, r, *done[key][i])
        return found

    def _known(self, model: str, shown: dict[int, Evidence], is_strange: bool) -> Known:
        """Give what is known of a model: its runs, or where there are none what is shown of it."""
        assert self.fold is not None
        row = self.fold.grid.row.get(model)
        known = None if row is None else self.fold.of_model(row)
        return self.fold.of_shown(shown, is_strange) if known is None else known

    def _usual(self, column: Column, groups: dict[str, str]) -> Moments | None:
        """Give the moments of the scenario's other columns, or the group's, of two runs or more.

        A column with a run or two is left to the scenario mean.
        """
        if column in self.moments.column:
            return None
        keys = ("scenario", column[0] + "\x1f" + column[2]), ("group", group_of(groups, column))
        known = [self.usual[key] for key in keys if key in self.usual and self.usual[key].n > 1]
        return known[0] if known else None


def _normal_pmf(steps: int, of: Moments) -> Array:
    edges = (np.arange(steps) + 0.5) / steps
    cdf = ndtr((edges - of.mean) / max(of.sd(), least_sd(of.mean, True)))
    return np.diff(cdf, prepend=0.0, append=1.0)


def _log_score(runs: Cells, row: int, mean: float, sd: float) -> float:
    """Give the log probability of a run's count, or the log density of its value."""
    y = float(runs.y[row])
    if runs.counted[row]:
        n = int(runs.n[row])
        return float(log_pmf_squashed(n, [mean], [sd])[0, round(y * n)])
    y = min(max(y, 0.001), 0.999)
    slope = 1.0 / (y + 0.02) + 1.0 / (1.02 - y)  # of tr
    off = (float(squash(y)) - mean) / sd
    density = -0.5 * (off * off + math.log(2 * math.pi)) - math.log(sd) + math.log(slope)
    return density - math.log(float(runs.span[row]))
