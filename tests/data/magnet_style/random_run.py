"""A predictor as MAGNET's users write them: a random value for each run."""

import random

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.predictor import RunPrediction, RunPredictor


class RandomRunPredictor(RunPredictor):
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        state = sequestered_test_split.scenario_state
        return [
            RunPrediction(
                run_spec_name=name,
                split="valid",
                stat_name="exact_match",
                mean=random.randint(0, 100) / 100,
            )
            for name in state["run_spec.name"].unique()
        ]


if __name__ == "__main__":
    import sys

    RandomRunPredictor(num_eval_samples=5)(helm_suites=sys.argv[1:])
