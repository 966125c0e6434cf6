"""What predictors have in common that set up a prior for each target from the train values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from predictors.common.grid import Cells, read_runs, read_shown, read_targets
from predictors.common.moments import TrainMoments
from predictors.common.priors import Prior, predictions

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["PriorPredictor"]


class PriorPredictor(RunPredictor, ABC):
    """Predict each target by a prior, learned from train values, and the shown responses.

    A subclass gives `priors`, and `learn` where it learns more than moments.

    Attributes
    ----------
    is_updated : bool
        Whether the shown responses update the prior; a yardstick ignores them.
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    is_updated: ClassVar[bool] = True
    _learned: Any = None

    def learn(self, runs: Cells) -> Any:
        """Learn from the train runs; by default the moments of each column and of all."""
        return TrainMoments.of(runs)

    @abstractmethod
    def priors(self, learned: Any, targets: Cells) -> list[Prior | None]:
        """Give each target's prior; None leaves the target out.

        Parameters
        ----------
        learned : object
            What `learn` gave.
        targets : Cells
            The targets.
        """

    def fit(self, train_split: TrainSplit) -> None:
        """Learn from the train split's runs."""
        self._learned = self.learn(read_runs(train_split))

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by its prior and, where `is_updated`, its shown responses."""
        learned = self._learned
        if learned is None:  # called without fit, as in a notebook
            learned = self.learn(read_runs(train_split))
        targets = read_targets(sequestered_test_split)
        shown = read_shown(sequestered_test_split, targets) if self.is_updated else None
        return predictions(targets, self.priors(learned, targets), shown)
