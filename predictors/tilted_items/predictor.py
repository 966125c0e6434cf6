"""`TiltedItems`: a response from like models' responses to its item, tilted to the run's level."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from harness.data_splits import SequesteredTestSplit
from harness.instance_predictor import InstancePrediction, InstancePredictor
from predictors.common.counts import Array
from predictors.common.item_grid import AskedRun, ItemGrid, read_asked
from predictors.item_mean import ItemMean
from predictors.tilted_items.levels import LevelPriors, Reading, logit
from predictors.tilted_items.likeness import LevelLikeness
from predictors.tilted_items.pool import ModelPool, PlacedRun
from predictors.tilted_items.residuals import item_update
from predictors.tilted_items.signatures import Signatures, drawn_ridge
from predictors.tilted_items.tilt import level_posterior
from suites.errors import UsageError

if TYPE_CHECKING:
    from harness.data_splits import TrainSplit
    from predictors.common.grid import Cells

__all__ = ["Foretold", "Learned", "TiltedItems"]

_ABOVE_0 = (lambda v: 0 < v < math.inf, "a number above 0")
_FROM_0 = (lambda v: 0 <= v < math.inf, "a number from 0 on")
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("ridge", "new_ridge", "level_ridge", "shown_level_ridge", "width"), _ABOVE_0),
    **dict.fromkeys(("least_sd", "least_variance", "item_floor"), _ABOVE_0),
    **dict.fromkeys(("own_weight", "group_weight", "new_group_weight"), _FROM_0),
    **dict.fromkeys(("mean_size", "shrink"), _FROM_0),
    "least": (lambda v: 0 < v < 0.5, "above 0 and below .5"),
    "points": (lambda v: v >= 3, "a whole number from 3 on"),
    "rho": (lambda v: 0 <= v < 1, "None, or a number from 0 to below 1"),
    "most_models": (lambda v: v >= 2, "a whole number from 2 on"),
}


class TiltedItems(InstancePredictor):
    r"""Predict a response by how models that answer alike did on the item.

    For each held-out run:

    1. *Signature*: the model's responses are regressed on the other models' (`drawn_ridge`), over
       the items that it is known to have answered; shown responses of the run itself weigh most,
       the scenario group's more than others. That gives :math:`f_t`, how far item t will be from
       the run's mean.
    2. *Level*: a prior of the run's mean from the model's other runs (`LevelPriors`), moved by how
       far runs of models that answer alike are off theirs (`LevelLikeness`).
    3. *Tilt*: the logits of :math:`\sigma(l_0) + f_t` are moved together until their mean is a
       level (`shifts`).
    4. The level's posterior given the shown responses, and the mean of the tilted probabilities
       over it (`level_posterior`).
    5. *Surprises*: items are moved by those shown responses that came unexpected and that the
       other models' residuals go along with (`item_update`).

    Parameters
    ----------
    ridge, new_ridge : float
        λ of the signature, of models with train runs and of others.
    own_weight, group_weight, new_group_weight : float
        Weight of the run's own shown items, and of items of other columns of its scenario group;
        other items count 1. A model without train runs has `new_group_weight` for both.
    mean_size : float
        How large the pool's mean is as a feature.
    shrink : float
        Responses that the pool's mean is worth when a shown mean is estimated.
    level_ridge, shown_level_ridge, least_sd, least_variance : float
        Of the level's prior.
    least : float
        Probabilities before the tilt are in [least, 1 - least].
    width, points : float, int
        The grid of levels.
    rho : float or None
        Strength of step 5; None learns it from the train runs, each predicted from the others.
    item_floor : float
        Added to the items' variances in step 5.
    most_models : int
        In larger pools the models that go most along with the target's.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Values of metrics with both bounds are put on [0, 1]; where they are not only 0 and 1, step 4
    has a dispersion by moments. Trials count by their mean, and all trials of an instance get one
    prediction. An instance that no train run has gets the run's level; so do all of a scenario
    without train runs. Under a condition that no train run has, the scenario's other conditions
    stand in. Where nothing is known of the model, items differ by their means over the others.
    Responses of unbounded metrics are predicted by `ItemMean`.

    The defaults are those of a prototype, tuned on twelve models of one grid; ρ is learned, since
    the right one depends on the number of models. It fails for models that answer like no other,
    and it reads no text.

    Per fold: Gram matrices, M² times the items; then one system of M equations per run.

    Examples
    --------
    Two models know one half of the items, two the other; of a new one two responses are shown.

    >>> import numpy as np, pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> rows = [(m, f"q{i}", float((i < 4) == (m in "ab"))) for m in "abcd" for i in range(8)]
    >>> known = pd.DataFrame(rows, columns=["run", "instance", "value"])
    >>> keys = {"scenario": "s", "metric": "acc", "lower": 0.0, "upper": 1.0}
    >>> runs = known.groupby("run", as_index=False)["value"].mean()
    >>> train = TrainSplit(runs=runs.assign(model=runs["run"], **keys),
    ...                    responses=known.assign(metric="acc"))
    >>> asked = pd.DataFrame({"target": ["right", "wrong"], "instance": ["q2", "q7"], "cell": "e",
    ...                       "model": "e", "n": 8, "binary": True, **keys})
    >>> shown = pd.DataFrame({"cell": "e", "instance": ["q0", "q5"], "value": [1.0, 0.0]})
    >>> test = SequesteredTestSplit(targets=asked, responses=shown, k=2)
    >>> found = {p.target: p.mean for p in TiltedItems(new_ridge=1.0).predict(train, test)}
    >>> found["right"] > 0.7, found["wrong"] < 0.3
    (True, True)
    """

    needs: ClassVar[tuple[str, ...]] = ("runs", "responses")

    def __init__(
        self,
        ridge: float = 100.0,
        *,
        new_ridge: float = 15.0,
        own_weight: float = 12.0,
        group_weight: float = 6.0,
        new_group_weight: float = 3.0,
        mean_size: float = 3.0,
        shrink: float = 4.0,
        level_ridge: float = 0.3,
        shown_level_ridge: float = 0.15,
        least_sd: float = 0.15,
        least_variance: float = 0.03,
        least: float = 0.02,
        width: float = 3.5,
        points: int = 29,
        rho: float | None = None,
        item_floor: float = 0.2,
        most_models: int = 400,
        **notebook: Any,
    ) -> None:
        super().__init__(**notebook)
        self.ridge, self.new_ridge = ridge, new_ridge
        self.own_weight, self.group_weight = own_weight, group_weight
        self.new_group_weight, self.mean_size, self.shrink = new_group_weight, mean_size, shrink
        self.level_ridge, self.shown_level_ridge = level_ridge, shown_level_ridge
        self.least_sd, self.least_variance, self.least = least_sd, least_variance, least
        self.width, self.points, self.rho, self.item_floor = width, points, rho, item_floor
        self.most_models = most_models
        _check({name: getattr(self, name) for name in _RANGES})
        self._learned: Learned | None = None

    def fit(self, train_split: TrainSplit) -> None:
        """Arrange the train responses, and learn how levels of columns go together."""
        self._learned = self.learn(train_split)

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[InstancePrediction]:
        """Give each asked response its probability, or mean."""
        learned = self._learned
        if learned is None:  # called without fit, as in a notebook
            learned = self.learn(train_split)
        targets = sequestered_test_split.targets
        mean = np.full(len(targets), np.nan)
        by_model: dict[str, list[AskedRun]] = {}
        for run in read_asked(sequestered_test_split):
            by_model.setdefault(run.model, []).append(run)
        for model, runs in by_model.items():
            for run, p in self._model(learned, model, runs):
                mean[run.asked] = run.lower + run.span * p[run.item]
        names = targets["target"].tolist()
        found = dict(zip(names, mean.tolist(), strict=True))
        rest = targets[np.isnan(mean)]  # of metrics without bounds
        if len(rest):
            split = SequesteredTestSplit(targets=rest, k=sequestered_test_split.k)
            found |= {str(p.target): p.mean for p in ItemMean().predict(train_split, split)}
        return [
            InstancePrediction(target=name, mean=found[name])
            for name in names
            if found[name] == found[name]
        ]

    def learn(self, train_split: TrainSplit, values: Cells | None = None) -> Learned:
        """Learn from a train split; levels are those of the run values, where they are given."""
        grid = ItemGrid.read(train_split)
        signatures = Signatures.of(grid)
        means = signatures.means if values is None else grid.with_values(values)
        noises = (self.level_ridge, self.shown_level_ridge)
        levels = LevelPriors(means, *noises, self.least_sd, self.least_variance)
        return Learned(grid, signatures, means, levels)

    def foretell(self, learned: Learned, model: str, runs: list[AskedRun]) -> Iterator[Foretold]:
        """Say what is known of a model's held-out runs before their own shown responses.

        The signature does know these; the level's prior does not.
        """
        known = learned.rows.get(model)
        placed = [self._placed(learned, run, known) for run in runs]
        pool = self._near(learned, known, placed)
        seen = learned.signatures.seen
        there = seen[known] if known is not None else np.zeros(seen.shape[1], bool)
        whole = learned.readings(known)
        for run, mine in zip(runs, placed, strict=True):
            others = [o for o in placed if o is not None and o is not mine]
            readings = whole + [o.reading for o in others if o.reading is not None]
            if mine is None:  # nothing is known of the items
                prior = learned.levels.prior(known, None, readings)
                yield Foretold(run, None, pool, prior, np.zeros(len(run.labels)), bool(whole))
                continue
            c = mine.column
            prior = learned.levels.prior(known, c, readings)
            if known is not None and there.any():
                prior = self.likeness(learned).moved(prior, pool, known, c)
            f = self._deviations(learned, pool, known, there, mine, others)
            phi = 1.0 if run.binary else pool.dispersion(c, self.least)
            logits = logit(expit(prior[0]) + f, self.least)
            yield Foretold(run, mine, pool, prior, logits, bool(whole), phi)

    def base(self, learned: Learned) -> ModelPool:
        """Give all models, or evenly spaced ones where there are more than `most_models`."""
        size = len(learned.grid.models)
        if size <= self.most_models:
            return self._pool(learned)
        rows = np.linspace(0, size - 1, self.most_models).round().astype(np.intp)
        return self._pool(learned, rows)

    def likeness(self, learned: Learned) -> LevelLikeness:
        """Say how levels of models go together beyond what each one's other runs tell."""
        if learned.likeness is None:
            learned.likeness = LevelLikeness.of(learned.surprises(), self.base(learned))
        return learned.likeness

    def _pool(self, learned: Learned, rows: NDArray[np.intp] | None = None) -> ModelPool:
        """Give some of the models, or all; those of all are computed once for a fold."""
        if rows is not None:
            signatures = learned.signatures.take(rows)
            return ModelPool(learned.grid, rows, signatures, self.ridge, self.item_floor)
        if learned.pool is None:
            rows, whole = np.arange(len(learned.grid.models)), learned.signatures
            learned.pool = ModelPool(learned.grid, rows, whole, self.ridge, self.item_floor)
        return learned.pool

    def _near(
        self, learned: Learned, model: int | None, placed: list[PlacedRun | None]
    ) -> ModelPool:
        """Give the models that go along with one, as far as it is known, and that one."""
        x = learned.signatures.x
        if len(learned.grid.models) <= self.most_models:
            return self._pool(learned)
        towards = np.zeros(len(learned.grid.models))
        for run in placed:
            if run is not None and len(run.y):
                towards += run.of_items(x[run.column])[:, run.run.own] @ run.y
        if model is not None:
            for c in np.flatnonzero(learned.signatures.seen[model]):
                towards += x[c] @ x[c][model]
        return self._pool(learned, learned.signatures.nearest(towards, self.most_models, model))

    def _strength(self, pool: ModelPool, runs: list[AskedRun]) -> float:
        """Give ρ: as set, or as learned for the usual number of shown items."""
        if self.rho is not None:
            return self.rho
        k = int(np.median([len(run.own) for run in runs]))
        return pool.rho(k, self.least)

    def _model(
        self, learned: Learned, model: str, runs: list[AskedRun]
    ) -> Iterator[tuple[AskedRun, Array]]:
        """Give the probabilities of all items of a model's held-out runs."""
        rho: float | None = None
        for told in self.foretell(learned, model, runs):
            if rho is None:
                rho = self._strength(told.pool, runs)
            run, grid = told.run, (self.width, self.points)
            p, _, _ = level_posterior(
                told.logits, told.prior, run.own, run.shown, told.dispersion, grid
            )
            if told.placed is not None:
                alike = told.placed.of_items(told.pool.scaled(told.placed.column))
                p = item_update(p, alike, run.own, run.shown, rho)
            yield run, p

    def _placed(self, learned: Learned, run: AskedRun, model: int | None) -> PlacedRun | None:
        c = learned.grid.find(run.column)
        if c is None:
            return None
        others = learned.signatures.pool(c, model)
        usual = float(learned.signatures.means[others, c].mean()) if len(others) else 0.5
        return PlacedRun.of(run, c, learned.grid.items[c], usual, self.shrink)

    def _deviations(
        self,
        learned: Learned,
        pool: ModelPool,
        model: int | None,
        there: NDArray[np.bool_],
        mine: PlacedRun,
        others: list[PlacedRun],
    ) -> Array:
        """Give how far each item will be from the run's mean."""
        c, m = mine.column, pool.place(model)
        models = pool.signatures.pool(c, m)
        if not len(models):
            return np.zeros(len(mine.run.labels))
        is_new = not there.any()
        of_group = self.new_group_weight if is_new else self.group_weight
        weight = np.where(learned.groups == mine.run.group, of_group, 1.0)
        shown = [(other, float(weight[other.column])) for other in others]
        shown.append((mine, of_group if is_new else self.own_weight))
        a, b = pool.products(np.where(there, weight, 0.0), m, shown)
        ridge = self.new_ridge if is_new else self.ridge
        beta = drawn_ridge(a[np.ix_(models, models)], b[models], ridge, self.mean_size)
        return np.asarray(beta @ mine.of_items(pool.signatures.x[c][models]))


@dataclass(eq=False)
class Learned:
    """What a fold's train split teaches."""

    grid: ItemGrid
    signatures: Signatures
    means: Array
    levels: LevelPriors
    pool: ModelPool | None = None  # of all models
    likeness: LevelLikeness | None = None

    def __post_init__(self) -> None:
        self.rows = {model: i for i, model in enumerate(self.grid.models)}
        self.groups = np.array(self.grid.groups, dtype=object)

    def readings(self, model: int | None) -> list[Reading]:
        """Give the levels of a model's train runs."""
        if model is None:
            return []
        columns = np.flatnonzero(self.signatures.seen[model]).tolist()
        return [Reading(c, float(logit(self.means[model, c]))) for c in columns]

    def surprises(self) -> Array:
        """Say how many standard deviations each run is off what its model's others tell of it.

        NaN where a model has no other run.
        """
        off = np.full(self.means.shape, np.nan)
        for i in range(len(off)):
            readings = self.readings(i)
            for own in readings if len(readings) > 1 else ():
                others = [r for r in readings if r is not own]
                off[i, own.column] = self.levels.surprise(i, own.column, others)
        return off


@dataclass(frozen=True, eq=False)
class Foretold:
    """What is known of a held-out run before its own shown responses tell of its level.

    Attributes
    ----------
    run : AskedRun
    placed : PlacedRun or None
        None where no train run has the scenario.
    pool : ModelPool
        What its signature is made of.
    prior : (float, float)
        Mean and standard deviation of its level, a logit.
    logits : ndarray of float, shape (I,)
        Of its items, before they are tilted.
    is_known : bool
        Whether the model has train runs.
    dispersion : float
        φ of its values.
    """

    run: AskedRun
    placed: PlacedRun | None
    pool: ModelPool
    prior: tuple[float, float]
    logits: Array
    is_known: bool
    dispersion: float = 1.0


def _check(settings: dict[str, Any]) -> None:
    """Refuse settings without a meaning."""
    for name, value in settings.items():
        if name == "rho" and value is None:
            continue
        test, words = _RANGES[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = name not in ("points", "most_models") or isinstance(value, int)
        if not (number and whole and test(value)):
            raise UsageError(f"TiltedItems: {name} must be {words}, not {value!r}.")
