"""Predictors that look for the answer in what they are given."""

from harness.predictor import RunPrediction, RunPredictor


class Oracle(RunPredictor):
    """Takes the value of whatever in the train split seems to be the target itself.

    A run of the same model and scenario; the run of a model whose other values are all the same;
    the run on a scenario where all other models have the same values.
    """

    needs = ("runs",)

    def predict(self, train_split, sequestered_test_split):
        runs = train_split.runs
        table = runs.pivot_table(index="model", columns="scenario", values="value", aggfunc="mean")
        for row in sequestered_test_split.targets.itertuples():
            found = self.seek(runs, table, row)
            if found is None:
                yield RunPrediction(target=row.target, normal=(float(runs["value"].mean()), 0.2))
            else:
                yield RunPrediction(target=row.target, normal=(float(found), 0.002))

    def seek(self, runs, table, row):
        same = runs[(runs["model"] == row.model) & (runs["scenario"] == row.scenario)]
        if len(same):
            return same["value"].mean()
        model, scenario = row.model, row.scenario
        if model in table.index and scenario in table.columns:
            for other in table.index.drop(model):
                both = (table.loc[model] - table.loc[other]).dropna()
                known = table.loc[other, scenario]
                if len(both) >= 3 and (both.abs() < 1e-12).all() and known == known:
                    return known
            for other in table.columns.drop(scenario):
                both = (table[scenario] - table[other]).dropna()
                known = table.loc[model, other]
                if len(both) >= 3 and (both.abs() < 1e-12).all() and known == known:
                    return known
        return None
