"""`BetaBinomial`: the scenario's train runs as a beta distribution, updated by what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictors.common.grid import Cells, read_runs
from predictors.common.moments import Moments, TrainMoments, leave_each_out, normal_prior
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import UNIFORM, Prior, log_predictive, loo_frame

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import TrainSplit

__all__ = ["BetaBinomial", "beta_prior"]


class BetaBinomial(PriorPredictor):
    r"""Predict a run by a beta-binomial distribution with its scenario's moments.

    .. math:: c_{ij} \sim \mathrm{BetaBinomial}(n, m_j \nu_j, (1 - m_j) \nu_j), \qquad
              \nu_j = \max\Big(\frac{m_j (1 - m_j)}{v_j} - 1, \tfrac12\Big)

    where m is the mean of the column's train values, inside [.001, .999], and v their variance
    (ddof 1), at least 1e-5. The pmf is updated by the hypergeometric probability of h successes
    in k shown responses.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Moments are taken of the observed shares, so their sampling variance is counted in v: the
    prior is a little too wide, the more so the smaller n. A column with one train run borrows the
    variance of all train runs of bounded metrics, one without any also their mean (all on the
    scale (value - lower) / (upper - lower)); without any, all counts are alike. Of a bounded
    metric that is no count, the value itself has the beta distribution, updated as
    `predictors.common.priors.predictions` says; an unbounded metric's prior is the scenario mean's.

    It fails where train runs of a scenario have two humps, and by knowing nothing of the model.
    Linear in runs, targets and n. `loo` is exact.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> runs = pd.DataFrame({"run": ["a", "b", "c"], "scenario": "s", "value": [0.4, 0.5, 0.6]})
    >>> train = TrainSplit(runs=runs.assign(n=10, binary=True))
    >>> targets = pd.DataFrame({"target": ["t1"], "scenario": "s", "n": 10, "binary": True})
    >>> shown = pd.DataFrame({"target": ["t1"], "instance": ["a"], "value": [1.0]})
    >>> test = SequesteredTestSplit(targets=targets, responses=shown, k=1)
    >>> round(BetaBinomial().predict(train, test)[0].mean, 3)  # shapes 12 and 12, one success
    0.568
    """

    def priors(self, learned: TrainMoments, targets: Cells) -> list[Prior | None]:
        """Give each target the beta distribution with its column's moments."""
        return [beta_prior(*moments) for moments in learned.of_each(targets)]

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
        priors = [beta_prior(*without) for without in leave_each_out(runs)]
        return loo_frame(runs, log_predictive(runs, priors))


def beta_prior(column: Moments, pool: Moments, bounded: bool) -> Prior | None:
    """Give the beta distribution with the moments of the column, else of the pool.

    Examples
    --------
    >>> prior = beta_prior(Moments(3, 0.5, 0.02), Moments(30, 0.6, 1.2), True)
    >>> round(prior.a, 6), round(prior.b, 6)
    (12.0, 12.0)
    """
    if not bounded:
        return normal_prior(column, pool, bounded)
    spread = column if column.n >= 2 else pool
    if spread.n < 2:
        return UNIFORM
    mean = min(max(column.mean if column.n else pool.mean, 0.001), 0.999)
    variance = max(spread.squares / (spread.n - 1), 1e-5)
    size = max(mean * (1.0 - mean) / variance - 1.0, 0.5)
    return Prior("beta", mean * size, (1.0 - mean) * size)
