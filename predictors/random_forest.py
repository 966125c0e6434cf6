"""`RandomForest`: each scenario by trees over the models' values of the other scenarios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.common.cell_priors import cell_priors
from predictors.common.counts import Array
from predictors.common.gaps import centred, other_columns
from predictors.common.grid import Cells, Matrix
from predictors.common.moments import TrainMoments, column_sd
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior
from suites.errors import UsageError

__all__ = ["RandomForest"]


class RandomForest(PriorPredictor):
    r"""Predict a run by a random forest on its model's other runs.

    With :math:`z = tr(y) = \log((y + .02) / (1 - y + .02))` and one forest for each column j,
    grown on its train models,

    .. math:: z_{ij} \sim N\big(f_j(z_{i,-j}), s_j^2\big)

    where :math:`f_j` is the mean of the trees and :math:`s_j` the rms of the out-of-bag errors of
    the column, drawn towards that of all columns with the weight of two errors. The trees are
    told the deviations from the columns' means; a missing one is filled by the model's effect in
    its train columns but j (`predictors.common.gaps.other_columns`). The pmf is updated by the
    hypergeometric probability of the shown successes.

    Parameters
    ----------
    n_estimators : int
        Number of trees, at least 1. Trees try a third of the columns at each split and are grown
        until a leaf holds one model.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    What a practitioner would try first. Trees give means of train values, so nothing is predicted
    beyond the best and the worst train model of a scenario. Which values were filled is not told
    to the trees: that made them worse. A model without any other train run is predicted by mean
    and sd (ddof 0) of the column's z; a column with fewer than two train models by the scenario
    mean, as are unbounded metrics. An sd is at least .05.

    It fails with few models, and for the strongest. Bootstrap samples are drawn from
    `random_state`. One forest a column: 100 trees take 2 s for 57 by 35.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45 (2001), doi:10.1023/A:1010933404324; grown by
    scikit-learn's RandomForestRegressor.

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
    >>> prediction = RandomForest(n_estimators=20).predict(TrainSplit(runs=runs[:-1]), test)[0]
    >>> 0.5 < prediction.quantiles[0.5] < 0.7
    True
    """

    def __init__(self, n_estimators: int = 100, **notebook: Any) -> None:
        super().__init__(**notebook)
        if isinstance(n_estimators, bool) or not isinstance(n_estimators, int) or n_estimators < 1:
            raise UsageError(
                f"RandomForest: n_estimators must be a whole number from 1 on: {n_estimators!r}."
            )
        self.n_estimators = n_estimators

    def learn(self, runs: Cells) -> _Forests:
        """Grow a forest for each column."""
        return _Forests.of(runs, self.n_estimators, self.random_state)

    def priors(self, learned: _Forests, targets: Cells) -> list[Prior | None]:
        """Give each target what the forest of its column says of its model."""
        return learned.priors(targets)


@dataclass(frozen=True, eq=False)
class _Forests:
    moments: TrainMoments
    matrix: Matrix
    mean: Array  # [M + 1, S]; the last row is of a model without other runs
    sd: Array  # [M + 1, S]; NaN in columns without a forest

    @classmethod
    def of(cls, runs: Cells, trees: int, seed: int) -> _Forests:
        matrix = Matrix.of(runs)
        z = matrix.z
        there = np.isfinite(z)
        deviation, centre = centred(z)
        # models by their other runs, and the sd of the column for those that have none
        has_other = there.sum(axis=1)[:, None] - there > 0  # [M, S]
        spread = np.sqrt((deviation**2).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
        mean, errors = np.tile(centre, (len(z) + 1, 1)), np.full(z.shape, np.nan)
        grown = (there.sum(axis=0) >= 2) & (has_other & there).any(axis=0)
        for j in np.flatnonzero(grown).tolist():
            by_tree, outside = _grow(other_columns(z, deviation, j), z[:, j], trees, seed)
            mean[:-1, j] = np.where(has_other[:, j], by_tree.mean(axis=0), centre[j])
            count = outside.sum(axis=0)
            out_of_bag = (by_tree * outside).sum(axis=0) / np.maximum(count, 1)
            errors[:, j] = np.where(count > 0, z[:, j] - out_of_bag, np.nan)
        sd = np.tile(np.where(there.sum(axis=0) >= 2, spread, np.nan), (len(mean), 1))
        sd[:-1] = np.where(has_other & grown, column_sd(errors), sd[:-1])
        return cls(TrainMoments.of(runs), matrix, mean, sd)

    def priors(self, targets: Cells) -> list[Prior | None]:
        return cell_priors(self.moments, self.matrix, self.mean, self.sd, targets)


def _grow(features: Array, z: Array, trees: int, seed: int) -> tuple[Array, Array]:
    """Grow a forest on the models with a value.

    Parameters
    ----------
    features, z : ndarray of float, shape (M, F), (M,)
        Other columns, and the column with NaN where missing.
    trees, seed : int
        How many, and of the bootstrap samples.

    Returns
    -------
    by_tree : ndarray of float, shape (trees, M)
        What each tree says of each model.
    outside : ndarray of float, shape (trees, M)
        1 where the tree was grown without the model, though it has a value; else 0.
    """
    from sklearn.ensemble import RandomForestRegressor

    rows = np.flatnonzero(np.isfinite(z))
    forest = RandomForestRegressor(
        trees, max_features=1 / 3, random_state=seed % 2**32, n_jobs=1
    ).fit(features[rows], z[rows])
    by_tree = np.stack([tree.predict(features) for tree in forest.estimators_])
    outside = np.zeros(by_tree.shape)
    outside[:, rows] = 1.0
    for tree, sample in enumerate(forest.estimators_samples_):
        outside[tree, rows[sample]] = 0.0
    return by_tree, outside
