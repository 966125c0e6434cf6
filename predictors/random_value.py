"""`RandomValue`: a random number, as MAGNET's first example predicts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from predictors.common.grid import Cells, read_runs, read_targets
from predictors.common.priors import label

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["RandomValue"]


class RandomValue(RunPredictor):
    r"""Predict each run by a number drawn uniformly from the metric's range.

    .. math:: \hat y = l + (u - l) U, \qquad U \sim \mathrm{Uniform}(0, 1)

    as a point, for the target's own part and metric. Of an unbounded metric, l and u are the
    least and the greatest train value of that metric.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    What any predictor must beat, and a short example of one. A target's draw depends on
    `random_state` and the target's id only, so not on the other targets. Targets of an unbounded
    metric without train runs are left out. Linear in targets.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> train = TrainSplit(runs=pd.DataFrame({"run": [], "value": []}))
    >>> targets = pd.DataFrame({"target": ["t1", "t2"], "lower": 1.0, "upper": 5.0})
    >>> test = SequesteredTestSplit(targets=targets, k=0)
    >>> all(1 <= p.mean <= 5 for p in RandomValue().predict(train, test))
    True
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)

    def __init__(self, **notebook: Any) -> None:
        super().__init__(**notebook)
        self._learned: dict[str, tuple[float, float]] | None = None

    def fit(self, train_split: TrainSplit) -> None:
        """Learn the ranges of unbounded metrics."""
        self._learned = _ranges(read_runs(train_split))

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target at random."""
        learned = self._learned
        if learned is None:
            learned = _ranges(read_runs(train_split))
        targets = read_targets(sequestered_test_split)
        out = []
        for row, (target, pool) in enumerate(zip(targets.id, targets.pool, strict=True)):
            lower, span = float(targets.lower[row]), float(targets.span[row])
            if pool is not None:
                if pool not in learned:
                    continue
                lower, span = learned[pool]
            out.append(label(targets, row, mean=lower + span * self._draw(target)))
        return out

    def _draw(self, target: str) -> float:
        digest = hashlib.sha256(target.encode("utf-8", "surrogatepass")).digest()
        seed = [self.random_state % 2**64, int.from_bytes(digest[:8], "big")]
        return float(np.random.default_rng(seed).random())


def _ranges(runs: Cells) -> dict[str, tuple[float, float]]:
    """Least value and width of the range of each unbounded metric."""
    values: dict[str, list[float]] = {}
    for pool, y in zip(runs.pool, runs.y.tolist(), strict=True):
        if pool is not None:
            values.setdefault(pool, []).append(y)
    return {metric: (min(ys), max(ys) - min(ys)) for metric, ys in values.items()}
