"""A predictor whose draws of several targets belong together, or do not."""

import numpy as np

from harness.predictor import RunPrediction, RunPredictor


class Together(RunPredictor):
    """Draws of a level that all targets of a model share, belonging together or shuffled."""

    needs = ("runs",)

    def __init__(self, joint=True, draws=400):
        self.joint, self.draws = joint, draws

    def predict(self, train_split, sequestered_test_split):
        rng = np.random.default_rng(4)
        targets = sequestered_test_split.targets.sort_values("target")
        mean = train_split.runs.groupby("scenario")["value"].mean()
        level = {m: rng.normal(0, 0.2, self.draws) for m in sorted(set(targets["model"]))}
        for row in targets.itertuples():
            draws = mean[row.scenario] + level[row.model]
            if not self.joint:
                draws = rng.permutation(draws)
            yield RunPrediction(target=row.target, samples=draws, joint=self.joint)
