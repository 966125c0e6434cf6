"""`ScenarioMean`: the reference that all skill is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from predictors.common.grid import Cells, read_runs
from predictors.common.moments import TrainMoments, leave_each_out, normal_prior
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior, log_predictive, loo_frame
from predictors.common.scenario_priors import scenario_priors

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import TrainSplit

__all__ = ["ScenarioMean"]


class ScenarioMean(PriorPredictor):
    r"""Predict a run by the mean of its scenario's train runs.

    .. math:: y_{ij} \sim N(\bar y_{\cdot j}, s_j^2)

    with the mean and the sd (ddof 0, at least .01 of the range) of the train runs of the target's
    column j: same scenario, condition, metric, part and perturbation.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    It always answers. A column with one train run has that run's value as mean and the sd of all
    train runs. A column without train runs is predicted as `predictors.global_mean.GlobalMean`
    does: by all train runs of bounded metrics on the scale (value - lower) / (upper - lower), or,
    if unbounded, by the runs of the same metric. Where there is none of these either, a bounded
    metric is predicted uniform over its range, and only a target of an unbounded metric that the
    train split has no run of is left out. An unbounded metric's sd is at least .001 of its mean.

    It is the yardstick, so it is not updated by shown responses: its figures are equal at all k.
    It fails by knowing nothing of the model, and the more so the more models differ.

    Linear in runs and targets. `loo` is exact: moments without one run have a closed form.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> runs = pd.DataFrame({"run": ["a", "b"], "scenario": ["s", "s"], "value": [0.4, 0.6]})
    >>> targets = pd.DataFrame({"target": ["t1"], "scenario": ["s"]})
    >>> train = TrainSplit(runs=runs.assign(lower=0, upper=1))
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    >>> mean, sd = ScenarioMean().predict(train, test)[0].normal
    >>> round(mean, 3), round(sd, 3)
    (0.5, 0.1)
    """

    is_updated: ClassVar[bool] = False

    def priors(self, learned: TrainMoments, targets: Cells) -> list[Prior | None]:
        """Give each target the prior of its column."""
        return scenario_priors(learned, targets)

    def loo(self, train_split: TrainSplit) -> pd.DataFrame:
        """Score each train run as if all but it had been the train split.

        Returns
        -------
        DataFrame
            ``run``; ``elpd_loo``, the log probability of its count, or the log density of a value
            that is no count, in the metric's units; ``elpd_waic`` and ``pareto_k`` NaN;
            ``method`` exact. The only run of an unbounded metric is left out.
        """
        runs = read_runs(train_split)
        priors = [normal_prior(*without) for without in leave_each_out(runs)]
        return loo_frame(runs, log_predictive(runs, priors))
