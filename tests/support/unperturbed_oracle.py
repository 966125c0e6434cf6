"""What the task perturbed-run shows of each target: the value of its unperturbed run, as it is."""

from __future__ import annotations

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor

CELL = ["model", "scenario", "condition", "metric", "part"]


class UnperturbedValue(RunPredictor):
    """Predict a perturbed run by the mean of its unperturbed train runs; a point."""

    needs = ("runs",)

    def predict(self, train_split, sequestered_test_split):
        runs = train_split.runs
        plain = runs[runs["perturbation"].isna()]
        known = plain.groupby(CELL, dropna=False, observed=True)["value"].mean().rename("known")
        targets = sequestered_test_split.targets.merge(known, on=CELL, how="left")
        for row in targets.dropna(subset="known").itertuples():
            yield RunPrediction(target=row.target, mean=float(row.known))
