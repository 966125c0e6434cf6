"""A predictor as MAGNET's users write them: a line through the strengths of misspellings."""

from sklearn.linear_model import LinearRegression

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.predictor import RunPrediction, RunPredictor


class MisspellingPredictor(RunPredictor):
    def run_spec_filter(self, run_spec):
        return bool(run_spec["data_augmenter_spec"]["perturbation_specs"])

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        stats = train_split.stats
        known = stats[
            (stats["stats.name.name"] == "exact_match")
            & (stats["stats.name.perturbation.name"] == "misspellings")
            & (stats["stats.name.perturbation.computed_on"] == "perturbed")
        ]
        line = LinearRegression()
        line.fit(known[["stats.name.perturbation.prob"]].to_numpy(), known["stats.mean"])
        predictions = []
        for _, row in sequestered_test_split.run_specs.iterrows():
            specs = row["run_spec.data_augmenter_spec.perturbation_specs"]
            prob = specs[0]["args"]["prob"]
            predictions.append(
                RunPrediction(
                    run_spec_name=row["run_spec.name"],
                    split="valid",
                    stat_name="exact_match",
                    mean=line.predict([[prob]])[0],
                    perturbation_parameters={
                        "name": "misspellings",
                        "robustness": True,
                        "fairness": False,
                        "computed_on": "perturbed",
                        "prob": prob,
                    },
                )
            )
        return predictions
