"""A predictor as MAGNET's users write them: the mean that example runs have in their stats."""

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.predictor import RunPrediction, RunPredictor


class MeanOfStatsPredictor(RunPredictor):
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        stats = train_split.stats
        stats = stats[(stats["stats.name.split"] == "test") & (stats["stats.count"] > 0)]
        means = stats.groupby("stats.name.name")["stats.mean"].mean()
        specs = sequestered_test_split.run_specs
        state = sequestered_test_split.scenario_state
        shown = state.groupby("run_spec.name")["scenario_state.request_states.instance.id"].count()
        models = dict(
            zip(specs["run_spec.name"], specs["run_spec.adapter_spec.model"], strict=True)
        )
        return [
            RunPrediction(
                run_spec_name=name,
                split="test",
                stat_name="match",
                mean=float(means["match"]),
                stddev=0.1 if shown.get(name, 0) and models[name] else 0.2,
            )
            for name in specs["run_spec.name"]
        ]
