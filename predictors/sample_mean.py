"""`SampleMean`: the mean of the shown responses, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from predictors.common.grid import read_runs, read_shown, read_targets
from predictors.common.moments import TrainMoments
from predictors.common.priors import label, predictions
from predictors.common.scenario_priors import scenario_priors

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["SampleMean"]


class SampleMean(RunPredictor):
    r"""Predict a run by the mean of its shown responses, as a point.

    .. math:: \hat y = \mathrm{round}(N h / k) / N

    with h successes in k shown responses of N; where the value is no count, the mean of the
    shown values. It is what one reads off a small sample.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Needs k >= 1. A target none of whose shown responses has a value is predicted by the scenario
    mean. It states no uncertainty, so its CRPS is its absolute error, and it ignores the train
    split: it fails at small k, where the error of a share of successes is :math:`\sqrt{y (1 - y) /
    k}`. Linear in shown responses.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> train = TrainSplit(runs=pd.DataFrame({"run": [], "value": []}))
    >>> targets = pd.DataFrame({"target": ["t1"], "n": [10], "binary": [True]})
    >>> shown = pd.DataFrame({"target": "t1", "instance": ["a", "b", "c"], "value": [1.0, 0, 1]})
    >>> test = SequesteredTestSplit(targets=targets, responses=shown, k=3)
    >>> SampleMean().predict(train, test)[0].mean
    0.7
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    min_k: ClassVar[int] = 1

    def __init__(self, **notebook: Any) -> None:
        super().__init__(**notebook)
        self._learned: TrainMoments | None = None

    def fit(self, train_split: TrainSplit) -> None:
        """Learn the scenario means, for targets without a valid response."""
        self._learned = TrainMoments.of(read_runs(train_split))

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by its shown responses."""
        targets = read_targets(sequestered_test_split)
        shown = read_shown(sequestered_test_split, targets)
        mean = shown.total / np.maximum(shown.k, 1)
        n = np.maximum(targets.n, 1)
        mean = np.where(targets.counted, np.rint(n * mean) / n, mean)
        mean = targets.lower + targets.span * mean
        out = {i: label(targets, i, mean=float(mean[i])) for i in np.flatnonzero(shown.k).tolist()}
        rest = np.flatnonzero(shown.k == 0).tolist()
        if rest:
            learned = self._learned or TrainMoments.of(read_runs(train_split))
            unseen = targets.take(rest)
            answers = predictions(unseen, scenario_priors(learned, unseen))
            by_target = {answer.target: answer for answer in answers}
            out |= {i: by_target[t] for i in rest if (t := targets.id[i]) in by_target}
        return [out[i] for i in sorted(out)]
