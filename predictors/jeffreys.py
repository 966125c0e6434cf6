"""`Jeffreys`: the shown responses and a prior that favours nothing."""

from __future__ import annotations

from predictors.common.grid import Cells
from predictors.common.moments import TrainMoments
from predictors.common.prior_predictor import PriorPredictor
from predictors.common.priors import Prior
from predictors.common.scenario_priors import scenario_priors

__all__ = ["Jeffreys"]


class Jeffreys(PriorPredictor):
    r"""Predict a run from its shown responses under Jeffreys' prior.

    The count c of n has the beta-binomial distribution with shapes 1/2 and 1/2, updated by the
    hypergeometric probability of h successes in k shown responses:

    .. math:: p(c \mid h) \propto \binom{n}{c} B(c + \tfrac12, n - c + \tfrac12)
              \binom{c}{h} \binom{n - c}{k - h}

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Assumes that the shown responses are a random sample without return. Of a bounded metric that
    is no count, the value itself has the beta(1/2, 1/2) distribution over its range, and the mean
    of the shown values the normal likelihood of `predictors.common.priors.predictions`. Unbounded
    metrics have no such prior: theirs is the scenario mean's.

    It knows nothing of models and scenarios: as good as a sample alone can be, with an honest
    spread, and poor at small k. Linear in targets and n.

    References
    ----------
    Jeffreys, "An invariant form for the prior probability in estimation problems", Proc. R. Soc.
    A 186 (1946), doi:10.1098/rspa.1946.0056.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> train = TrainSplit(runs=pd.DataFrame({"run": [], "value": []}))
    >>> targets = pd.DataFrame({"target": ["t1"], "n": [2], "binary": [True]})
    >>> shown = pd.DataFrame({"target": ["t1"], "instance": ["a"], "value": [1.0]})
    >>> test = SequesteredTestSplit(targets=targets, responses=shown, k=1)
    >>> Jeffreys().predict(train, test)[0].pmf.round(3).tolist()
    [0.0, 0.25, 0.75]
    """

    def priors(self, learned: TrainMoments, targets: Cells) -> list[Prior | None]:
        """Give bounded targets Jeffreys' prior, others the scenario mean's."""
        prior = Prior("beta", 0.5, 0.5)
        others = scenario_priors(learned, targets)
        return [
            prior if bounded else other
            for bounded, other in zip(targets.bounded, others, strict=True)
        ]
