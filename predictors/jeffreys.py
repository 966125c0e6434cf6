"""`Jeffreys`: the shown responses and a prior that favours nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from predictors.grid import read_runs, read_shown, read_targets
from predictors.moments import TrainMoments
from predictors.priors import Prior, predictions
from predictors.scenario_mean import scenario_priors

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["Jeffreys"]


class Jeffreys(RunPredictor):
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
    of the shown values the normal likelihood of `predictors.priors.predictions`. Unbounded
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

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)

    def __init__(self, **notebook: Any) -> None:
        super().__init__(**notebook)
        self._learned: TrainMoments | None = None

    def fit(self, train_split: TrainSplit) -> None:
        """Learn the scenario means, for unbounded metrics."""
        self._learned = TrainMoments.of(read_runs(train_split))

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by its shown responses."""
        learned = self._learned or TrainMoments.of(read_runs(train_split))
        targets = read_targets(sequestered_test_split)
        prior = Prior("beta", 0.5, 0.5)
        priors = [
            prior if bounded else other
            for bounded, other in zip(
                targets.bounded, scenario_priors(learned, targets), strict=True
            )
        ]
        return predictions(targets, priors, read_shown(sequestered_test_split, targets))
