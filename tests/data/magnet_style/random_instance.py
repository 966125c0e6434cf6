"""A predictor as MAGNET's users write them: a random value for each response."""

import random

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.instance_predictor import InstancePrediction, InstancePredictor


class RandomInstancePredictor(InstancePredictor):
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[InstancePrediction]:
        predictions = []
        for _, row in sequestered_test_split.scenario_state.iterrows():
            predictions.append(
                InstancePrediction(
                    run_spec_name=row["run_spec.name"],
                    instance_predict_id=row["magnet.instance_predict_id"],
                    stat_name="exact_match",
                    mean=random.choice([0.0, 1.0]),
                )
            )
        return predictions
