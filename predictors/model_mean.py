"""`ModelMean`: what the model reaches elsewhere, as if all scenarios were alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from predictors.common.grid import Cells
from predictors.common.moments import NOTHING, Moments, TrainMoments, moments_by, normal_prior
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior
from predictors.common.scenario_priors import scenario_priors

__all__ = ["ModelMean"]


class ModelMean(PriorPredictor):
    r"""Predict a run by the mean of its model's other runs.

    .. math:: y_{ij} \sim N(\bar y_{i \cdot}, s_i^2)

    with the mean and the sd (ddof 0, at least .01) of all train runs of the model whose metrics
    are bounded, each on the scale (value - lower) / (upper - lower).

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    A yardstick beside the scenario mean: what is lost by not knowing the scenario. It is not
    updated by shown responses, so its figures are equal at all k. A model with one train run has
    that run's value as mean and the sd of all train runs of bounded metrics; a model without any
    is predicted by the scenario mean, as are unbounded metrics.

    It fails when scenarios differ in difficulty, and the more so where a model's runs are on
    the easy ones, or on the hard ones. Linear in runs and targets.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> runs = pd.DataFrame({"run": ["a", "b"], "model": "m", "value": [0.4, 0.6]})
    >>> runs["scenario"] = ["s", "t"]
    >>> targets = pd.DataFrame({"target": ["t1"], "model": ["m"], "scenario": ["u"]})
    >>> train = TrainSplit(runs=runs.assign(lower=0, upper=1))
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    >>> mean, sd = ModelMean().predict(train, test)[0].normal
    >>> round(mean, 3), round(sd, 3)
    (0.5, 0.1)
    """

    is_updated: ClassVar[bool] = False

    def learn(self, runs: Cells) -> _ModelMoments:
        """Learn the moments of each model, beside those of columns."""
        bounded = runs.take(np.flatnonzero(runs.bounded))
        return _ModelMoments(TrainMoments.of(runs), moments_by(bounded.model, bounded.y))

    def priors(self, learned: _ModelMoments, targets: Cells) -> list[Prior | None]:
        """Give each target the normal of its model."""
        priors = scenario_priors(learned.train, targets)
        pool = learned.train.pool.get(None, NOTHING)
        for t, model in enumerate(targets.model):
            if targets.bounded[t] and model in learned.model:
                priors[t] = normal_prior(learned.model[model], pool, True)
        return priors


@dataclass(frozen=True, eq=False)
class _ModelMoments:
    train: TrainMoments
    model: dict[str, Moments]  # of the runs of bounded metrics
