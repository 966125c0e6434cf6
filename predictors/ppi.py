"""`Ppi`: the mean of the shown responses, corrected by how hard other models found the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.predictor import RunPredictor
from predictors.common.counts import Array
from predictors.common.grid import Column, read_runs, read_shown, read_targets
from predictors.common.item_grid import ItemGrid
from predictors.common.item_tables import read_shown_items
from predictors.common.moments import TrainMoments
from predictors.common.priors import Prior, predictions
from predictors.common.scenario_priors import scenario_priors
from suites.errors import UsageError

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit
    from harness.prediction import RunPrediction

__all__ = ["Ppi"]

_LEAST_SD = 1e-4  # of the range


class Ppi(RunPredictor):
    r"""Predict a run by prediction-powered inference.

    With :math:`f_t` the mean response of the train models to item t, O the k shown items of the
    run's N and y its responses to them,

    .. math:: \hat y = \lambda \bar f_N + \frac1k \sum_{t \in O} (y_t - \lambda f_t), \qquad
              \mathrm{Var}(\hat y) = \frac{s^2}{k} \Big(1 - \frac kN\Big)

    where :math:`\bar f_N` is the mean over all N items and :math:`s^2` the variance of
    :math:`y_t - \lambda f_t`: a sample of easy questions does not make the model good. It is
    unbiased over the choice of the sample, whatever f is worth. λ is the slope of y on f and
    :math:`s^2` the variance about it, both from the shown items and, as if these were
    `pool_size` more responses, from the train models, each against the others' means; the
    variance is carried over as a part of :math:`p (1 - p)`. The answer is normal, on counts.

    Parameters
    ----------
    pool_size : float
        How many responses the train models' slopes and variances are worth; at least 1.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Needs k >= 1, and items that other models answered; without these λ is 0 and it is the sample
    mean with its standard error. It borrows the items' difficulties only, nothing of what is known
    of the model, so it is a yardstick: what is better has used more than that. It is too sure at
    k of one or two, where a normal is far from the truth. Targets of unbounded metrics and those
    without a shown response get the scenario mean, updated.

    Linear in the responses.

    References
    ----------
    Angelopoulos, Bates, Fannjiang, Jordan, Zrnic, "Prediction-powered inference", Science 382
    (2023), arXiv:2301.09633; the power-tuned λ: Angelopoulos, Duchi, Zrnic, "PPI++",
    arXiv:2311.01453. Finite populations: Cochran, Sampling Techniques, 3rd ed. (1977), section
    7.3 (difference and regression estimators).

    Examples
    --------
    Two models know the first half of eight questions. Of a third, two easy ones are shown.

    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> rows = [(m, f"q{i}", float(i < 4 or (m, i) == ("a", 7))) for m in "ab" for i in range(8)]
    >>> known = pd.DataFrame(rows, columns=["run", "instance", "value"])
    >>> keys = {"scenario": "s", "metric": "acc", "lower": 0.0, "upper": 1.0, "binary": True}
    >>> runs = known.groupby("run", as_index=False)["value"].mean().assign(model=["a", "b"], **keys)
    >>> train = TrainSplit(runs=runs, responses=known.assign(metric="acc"))
    >>> asked = pd.DataFrame({"target": ["t"], "model": "c", "n": 8, **keys})
    >>> shown = pd.DataFrame({"target": "t", "instance": ["q0", "q1"], "value": [1.0, 1.0]})
    >>> test = SequesteredTestSplit(targets=asked, responses=shown, k=2)
    >>> 0.5 < Ppi().predict(train, test)[0].mean < 0.7
    True
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs", "responses")
    min_k: ClassVar[int] = 1

    def __init__(self, pool_size: float = 10.0, **notebook: Any) -> None:
        super().__init__(**notebook)
        if isinstance(pool_size, bool) or not isinstance(pool_size, int | float):
            raise UsageError(f"Ppi: pool_size must be a number: {pool_size!r}.")
        if not 1 <= pool_size < float("inf"):
            raise UsageError(f"Ppi: pool_size must be at least 1: {pool_size!r}.")
        self.pool_size = float(pool_size)
        self._learned: tuple[TrainMoments, ItemGrid] | None = None

    def fit(self, train_split: TrainSplit) -> None:
        """Arrange the train responses by item."""
        self._learned = TrainMoments.of(read_runs(train_split)), ItemGrid.read(train_split)

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by its shown responses and the difficulty of its items."""
        if self._learned is None:  # called without fit, as in a notebook
            self.fit(train_split)
        assert self._learned is not None
        moments, grid = self._learned
        targets = read_targets(sequestered_test_split)
        listed, given = read_shown_items(sequestered_test_split, targets)
        rows = [t for t, name in enumerate(targets.id) if targets.bounded[t] and given.get(name)]
        pools: dict[tuple[Column, str], _Pool] = {}
        priors = []
        for t in rows:
            column, model, name = targets.column[t], targets.model[t], targets.id[t]
            if (column, model) not in pools:
                pools[column, model] = _Pool.of(grid, column, model)
            shown, n = given[name], int(targets.n[t]) or len(listed.get(name, ()))
            priors.append(pools[column, model].estimate(shown, listed.get(name), n, self.pool_size))
        said = dict(zip(rows, predictions(targets.take(rows), priors), strict=True))
        rest = [t for t in range(len(targets)) if t not in said]
        if rest:
            others = targets.take(rest)
            shown_rest = read_shown(sequestered_test_split, others)
            place = {targets.id[t]: t for t in rest}
            for answer in predictions(others, scenario_priors(moments, others), shown_rest):
                said[place[str(answer.target)]] = answer
        return [said[t] for t in sorted(said)]


@dataclass(frozen=True, eq=False)
class _Pool:
    """What the other models say of a column's items."""

    f: dict[str, float]  # item → mean response
    slope: float  # of a model's responses on the others' means
    rest: float  # the variance about it, as a part of p (1 - p)
    spread: float  # the variance of f

    @classmethod
    def of(cls, grid: ItemGrid, column: Column, model: str) -> _Pool:
        c = grid.find(column)
        if c is None:
            return cls({}, 0.0, 1.0, 0.0)
        others = np.array([m != model for m in grid.models], bool)
        y = grid.y[c][others]
        there = np.isfinite(y)
        total, count = np.where(there, y, 0.0).sum(axis=0), there.sum(axis=0)
        known = count > 0
        f = total[known] / count[known]
        names = grid.items[c][known].tolist()
        products, squares, rests = [0.0], [0.0], []
        for mine, has in zip(y, there, strict=True):
            use = has & (count > 1)  # items that a further model answered
            if use.sum() < 3:
                continue
            of_others = (total[use] - mine[use]) / (count[use] - 1)
            of_others, own = of_others - of_others.mean(), mine[use] - mine[use].mean()
            products.append(float(of_others @ own))
            squares.append(float(of_others @ of_others))
            p = float(mine[use].mean())
            rests.append((own, of_others, max(p * (1 - p), 0.01)))
        # a sum of no spread has no slope
        slope = sum(products) / sum(squares) if sum(squares) > 0 else 0.0
        parts = [float(np.mean((own - slope * x) ** 2)) / scale for own, x, scale in rests]
        rest = float(np.mean(parts)) if parts else 1.0
        return cls(dict(zip(names, f.tolist(), strict=True)), slope, rest, float(np.var(f)))

    def estimate(
        self, shown: dict[str, float], listed: list[str] | None, n: int, pool_size: float
    ) -> Prior:
        """Give the mean of all n items, of which some are shown."""
        y = np.array([shown[item] for item in sorted(shown)])
        k = len(y)
        usual = float(np.mean(list(self.f.values()))) if self.f else 0.0
        f = self._of(sorted(shown), usual)
        everything = self._of(listed, usual) if listed else self._of(list(self.f), usual)
        centred, own = f - f.mean(), y - y.mean()
        weight = pool_size * self.spread
        squares = float(centred @ centred) + weight
        slope = (float(centred @ own) + weight * self.slope) / squares if squares > 0 else 0.0
        p = (float(y.sum()) + 1.0) / (k + 2.0)
        about = float(((own - slope * centred) ** 2).sum())
        variance = (about + pool_size * self.rest * p * (1 - p)) / (pool_size + k - 1)
        left = max(1.0 - k / n, 0.0) if n else 1.0
        mean = slope * (float(everything.mean()) if len(everything) else 0.0)
        mean += float(y.mean()) - slope * float(f.mean())
        sd = float(np.sqrt(variance / k * left))
        return Prior("normal", min(max(mean, 0.0), 1.0), max(sd, _LEAST_SD))

    def _of(self, items: list[str], usual: float) -> Array:
        return np.array([self.f.get(item, usual) for item in items])
