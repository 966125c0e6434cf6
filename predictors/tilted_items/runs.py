"""`TiltedRuns`: the level at which `TiltedItems` tilts a run's items, as the run's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import stdtr
from scipy.stats import t as student

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from hibayes.hierarchical.forecast import Evidence, Forecast
from hibayes.hierarchical.predictive import steps_of
from predictors.common.counts import Array
from predictors.common.grid import Cells, read_runs, read_shown, read_targets
from predictors.common.hierarchical_grid import read_evidence, with_the_rest
from predictors.common.item_grid import AskedRun
from predictors.common.item_tables import read_groups
from predictors.common.moments import TrainMoments
from predictors.common.shown_items import ItemsOfRun, told_pmf
from predictors.common.threads import one_thread
from predictors.tilted_items.predictor import Foretold, Learned, TiltedItems

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["TiltedRuns"]

_LEAST = 0.01  # levels are those of means from it to 1 less it (`levels.logit`)
_STRANGE = 10.0  # runs that all columns' usual surprise counts as, in each
_MOST_SURPRISE = 16.0
_DF = (3.0, 4.0, 6.0, 10.0, 20.0, 100.0)
_FACTORS = np.geomspace(0.4, 1.25, 20).tolist()
_UNORDERED = np.zeros(1)  # these forecasts are of single values, in no common order


class TiltedRuns(RunPredictor):
    r"""Predict a run by the level at which `TiltedItems` tilts its items.

    The logit of the value is Student's t around the level's prior, which the model's other runs
    tell (`predictors.tilted_items.levels.LevelPriors`), and models that answer alike
    (`predictors.tilted_items.likeness`); its scale is the prior's standard deviation times what
    known runs of the column surprise by (`Surprises`). Shown responses multiply the
    probability of each count by their likelihood given that count, with the items as hard as the
    model's signature says (`predictors.common.shown_items`): shown items are a part of the value.

    Parameters
    ----------
    most_models : int
        As of `TiltedItems`, as are all other settings, at their defaults.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    The likelihood of a count is that of `TiltedItems` at the level where the count is what is
    expected, conditioned on the count. Values that are no counts have a likelihood of their sum,
    with a dispersion by moments. Where a run's items are not known one by one, that of the shown
    successes, or of the shown mean, is taken.

    A model without train runs has the shown responses of its other runs as readings, and a scale
    that is not stretched; a scenario without train runs the mean level of all. Columns whose train
    runs have no responses, and unbounded metrics, are predicted by the scenario mean, updated.

    It fails as `TiltedItems` does; models alike tell it of items, not of the level, which is a
    regression on the model's own other runs: `signature` is better there at few shown responses.

    Examples
    --------
    Of one scenario its best model is not known yet; the others' mean there is .35.

    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> rows = [(f"m{a}", s, f"q{i}", float(i < a)) for a in range(1, 8) for s in "st"
    ...         for i in range(10)]
    >>> known = pd.DataFrame(rows, columns=["model", "scenario", "instance", "value"])
    >>> known["run"] = known["model"] + " " + known["scenario"]
    >>> runs = known.groupby(["run", "model", "scenario"], as_index=False)["value"].mean()
    >>> runs = runs.assign(lower=0.0, upper=1.0, n=10, binary=True)
    >>> held = runs["run"] == "m7 t"
    >>> train = TrainSplit(runs=runs[~held], responses=known[known["run"] != "m7 t"])
    >>> asked = runs[held].drop(columns="value").assign(target="m7 t")
    >>> 0.42 < TiltedRuns().predict(train, SequesteredTestSplit(targets=asked, k=0))[0].mean < 0.8
    True
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    uses: ClassVar[tuple[str, ...]] = ("responses",)
    _fold: _Fold | None = None

    def __init__(self, most_models: int = 400, **notebook: Any) -> None:
        super().__init__(**notebook)
        self.most_models = most_models
        self._items = TiltedItems(most_models=most_models)

    @one_thread
    def fit(self, train_split: TrainSplit) -> None:
        """Arrange the train responses, and learn how levels of columns go together."""
        self._fold = _Fold.of(self._items, train_split)

    @one_thread
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by its level and its shown responses."""
        fold = self._fold or _Fold.of(self._items, train_split)
        targets = read_targets(sequestered_test_split)
        shown = read_shown(sequestered_test_split, targets)
        evidence = read_evidence(sequestered_test_split, targets, shown, True)
        groups = read_groups(sequestered_test_split.targets)
        found = fold.forecasts(self._items, targets, evidence, groups)
        return with_the_rest(targets, shown, found, fold.moments, False)


@dataclass(eq=False)
class _Fold:
    """What a train split teaches."""

    learned: Learned
    moments: TrainMoments
    surprises: Surprises

    @classmethod
    def of(cls, items: TiltedItems, train_split: TrainSplit) -> _Fold:
        runs = read_runs(train_split)
        learned = items.learn(train_split, runs)
        off = items.likeness(learned).left_out(items.base(learned))
        return cls(learned, TrainMoments.of(runs), Surprises.of(off))

    def forecasts(
        self,
        items: TiltedItems,
        targets: Cells,
        shown: list[Evidence],
        groups: Mapping[str, str],
    ) -> dict[int, Forecast]:
        """Predict the targets of bounded metrics, but those of columns without responses."""
        found: dict[int, Forecast] = {}
        by_model: dict[str, list[int]] = {}
        order = sorted(np.flatnonzero(targets.bounded).tolist(), key=targets.id.__getitem__)
        for t in order:
            column = targets.column[t]
            if self.learned.grid.find(column) is not None or (
                self.learned.grid.models and column not in self.moments.column
            ):
                by_model.setdefault(targets.model[t], []).append(t)
        for model, members in by_model.items():
            asked = [_asked(targets, t, shown[t], groups) for t in members]
            for t, told in zip(members, items.foretell(self.learned, model, asked), strict=True):
                found[t] = Forecast(self._pmf(told, shown[t]), _UNORDERED)
        return found

    def _pmf(self, told: Foretold, shown: Evidence) -> Array:
        steps = steps_of(shown.n)
        edges = (np.arange(steps) + 0.5) / steps
        mean, sd = told.prior
        if told.placed is not None and told.is_known:
            sd *= self.surprises.stretch[told.placed.column]
        inside = np.clip(edges, _LEAST, 1.0 - _LEAST)
        cdf = stdtr(self.surprises.df, (np.log(inside) - np.log1p(-inside) - mean) / sd)
        # beyond the last levels that are told apart all values are alike
        cdf = np.where(edges < _LEAST, cdf * edges / _LEAST, cdf)
        cdf = np.where(edges > 1 - _LEAST, 1 - (1 - cdf) * (1 - edges) / _LEAST, cdf)
        prior = np.diff(cdf, prepend=0.0, append=1.0)
        places = {label: i for i, label in enumerate(told.run.labels.tolist())}
        items = ItemsOfRun.of(shown, places, told.logits, told.dispersion)
        return told_pmf(prior, shown, items if told.placed is not None else None)


@dataclass(frozen=True, eq=False)
class Surprises:
    r"""How far known runs lie from their levels' priors, each told by all other runs.

    Of the squared surprises q in standard deviations, at most 16, with :math:`\bar q` their mean
    over all columns, a column's standard deviations are stretched by
    :math:`\sqrt{(10 \bar q + \sum_i q_{ic}) / (10 + n_c)}`, and all by a further factor, which is
    the most likely one together with the degrees of freedom of a Student's t.

    Attributes
    ----------
    stretch : ndarray of float, shape (C,)
    df : float
        Degrees of freedom.
    """

    stretch: Array
    df: float

    @classmethod
    def of(cls, off: Array) -> Surprises:
        """Learn them from how far each run is off when it is left out.

        Parameters
        ----------
        off : ndarray of float, shape (M, C)
            In standard deviations; NaN where there is no run.
        """
        known = np.isfinite(off)
        if not known.any():
            return cls(np.ones(off.shape[1]), _DF[-1])
        squares = np.where(known, np.minimum(off * off, _MOST_SURPRISE), 0.0)
        usual, count = float(squares[known].mean()), known.sum(axis=0)
        stretch = np.sqrt((_STRANGE * usual + squares.sum(axis=0)) / (_STRANGE + count))
        u = (off / stretch)[known]
        likely = {
            (df, factor): float(student.logpdf(u, df, scale=factor).sum())
            for df in _DF
            for factor in _FACTORS
        }
        df, factor = max(likely, key=likely.__getitem__)
        return cls(stretch * factor, df)


def _asked(targets: Cells, t: int, told: Evidence, groups: Mapping[str, str]) -> AskedRun:
    column = targets.column[t]
    labels = np.array(sorted({*told.items, *told.given}), dtype=object)
    own = np.flatnonzero([label in told.given for label in labels])
    return AskedRun(
        model=targets.model[t],
        column=column,
        group=groups.get(column[0], column[0]),
        binary=bool(targets.counted[t]),
        lower=float(targets.lower[t]),
        span=float(targets.span[t]),
        labels=labels,
        asked=np.empty(0, np.intp),
        item=np.empty(0, np.intp),
        own=own,
        shown=np.array([told.given[labels[i]] for i in own], float),
    )
