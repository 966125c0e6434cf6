"""`GlobalMean`: the same normal distribution for every run."""

from __future__ import annotations

from typing import ClassVar

from predictors.common.grid import Cells
from predictors.common.moments import NOTHING, TrainMoments, normal_prior
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior

__all__ = ["GlobalMean"]


class GlobalMean(PriorPredictor):
    r"""Predict every run by the mean of all train runs.

    .. math:: y \sim N(\bar y, s^2)

    with the mean and the sd (ddof 0, at least .01) of all train runs of bounded metrics, each on
    the scale (value - lower) / (upper - lower). Runs of an unbounded metric are predicted by the
    runs of the same metric, with an sd of at least .001 of their mean.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    A yardstick: what is lost by knowing neither model nor scenario. It is not updated by shown
    responses, so its figures are equal at all k. Without any train run it predicts the uniform
    distribution; targets of an unbounded metric without train runs are left out.

    Fails when scenarios differ in difficulty, which they do. Linear in runs and targets.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> runs = pd.DataFrame({"run": ["a", "b"], "scenario": ["s", "t"], "value": [0.4, 0.6]})
    >>> targets = pd.DataFrame({"target": ["t1"], "scenario": ["s"]})
    >>> train = TrainSplit(runs=runs.assign(lower=0, upper=1))
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    >>> mean, sd = GlobalMean().predict(train, test)[0].normal
    >>> round(mean, 3), round(sd, 3)
    (0.5, 0.1)
    """

    is_updated: ClassVar[bool] = False

    def priors(self, learned: TrainMoments, targets: Cells) -> list[Prior | None]:
        """Give all targets the same prior."""
        return [
            normal_prior(NOTHING, pool, bounded) for _, pool, bounded in learned.of_each(targets)
        ]
