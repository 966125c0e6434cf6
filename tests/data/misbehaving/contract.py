"""Predictors that break the contract in one respect each; the class says in which."""

import numpy as np
import pandas as pd

from harness.predictor import NotApplicable, RunPrediction, RunPredictor
from harness.shards import read_table, shard_name


class Decent(RunPredictor):
    """Does all that it should: the mean of the metric's train runs, and some doubt."""

    needs = ("runs",)

    def fit(self, train_split):
        self.means = train_split.runs.groupby("metric")["value"].mean().to_dict()

    def predict(self, train_split, sequestered_test_split):
        targets = sequestered_test_split.targets
        return [self.said(row, sequestered_test_split) for row in targets.itertuples()]

    def said(self, row, test):
        return RunPrediction(target=row.target, normal=self.normal(row))

    def normal(self, row, factor=1.0):
        span = 40.0 if pd.isna(row.upper) else row.upper - row.lower
        return self.means[row.metric], 0.1 * span * factor


class Joint(Decent):
    """Draws that belong together, with the same margins whatever else is asked for."""

    def said(self, row, test):
        mean, sd = self.normal(row)
        world = np.random.default_rng(self.random_state).normal(size=120)
        return RunPrediction(target=row.target, samples=mean + sd * world, joint=True)


class JudgesItself(Decent):
    """Has checks and a loo, as they should be."""

    def checks(self, train_split):
        row = {"check": "spread", "value": 0.1, "limit": 1.0, "passed": True, "offenders": ""}
        return pd.DataFrame([row])

    def loo(self, train_split):
        runs = train_split.runs["run"].drop_duplicates()
        frame = pd.DataFrame({"run": runs, "elpd_loo": -1.0, "elpd_waic": np.nan})
        return frame.assign(pareto_k=np.nan, method="exact")


class FromFrames(RunPredictor):
    """Keeps the contract as MAGNET's users write predictors: by frames and names."""

    def predict(self, train_split, sequestered_test_split):
        stats = train_split.stats
        mean = stats.loc[stats["stats.name.name"] == "exact_match", "stats.mean"].mean()
        names = sequestered_test_split.scenario_state["run_spec.name"].unique()
        return [RunPrediction(name, "test", "exact_match", mean, stddev=0.2) for name in names]


# ---------- declarations


class WantsEverything(Decent):
    needs = ("runs", "everything")


class NeedsAWord(Decent):
    needs = "runs"


class UsesWhatSomeLack(Decent):
    uses = ("frames",)


class NeedsFewerThanNone(Decent):
    min_k = -1


# ---------- answers


class Raises(Decent):
    def predict(self, train_split, sequestered_test_split):
        raise ValueError("it cannot")


class IsNotFinite(Decent):
    def normal(self, row):
        return float("nan"), 0.1


class IsOutOfBounds(Decent):
    """Answers in percent, whatever the metric."""

    def normal(self, row):
        mean, sd = super().normal(row)
        return 100 * mean, sd


class HasNoDoubtBelowZero(Decent):
    def normal(self, row):
        return super().normal(row)[0], -1.0


class KnowsNoNewModels(Decent):
    def fit(self, train_split):
        super().fit(train_split)
        self.models = set(train_split.runs["model"])

    def predict(self, train_split, sequestered_test_split):
        rows = sequestered_test_split.targets.itertuples()
        return [self.said(row, None) for row in rows if row.model in self.models]


class AnswersMore(Decent):
    def predict(self, train_split, sequestered_test_split):
        more = [RunPrediction(target="another", mean=0.5)]
        return more + super().predict(train_split, sequestered_test_split)


# ---------- min_k


class NeedsOneWithoutSaying(Decent):
    def predict(self, train_split, sequestered_test_split):
        sequestered_test_split.responses["value"].iloc[0]
        return super().predict(train_split, sequestered_test_split)


class IsVagueWithoutAny(Decent):
    def said(self, row, test):
        mean, sd = self.normal(row)
        return RunPrediction(target=row.target, normal=(mean, sd if test.k else np.inf))


# ---------- the same again


class IsUnseeded(Decent):
    def normal(self, row):
        return super().normal(row, 1 + np.random.default_rng().random())


class CountsItsCalls(Decent):
    """Keeps something on the class, where it outlives the object."""

    calls = 0

    def fit(self, train_split):
        super().fit(train_split)
        CountsItsCalls.calls += 1

    def normal(self, row):
        return super().normal(row, 1 + self.calls)


class AddsAColumn(Decent):
    def fit(self, train_split):
        super().fit(train_split)
        train_split.runs["logit"] = 0.0


class SortsTargets(Decent):
    def predict(self, train_split, sequestered_test_split):
        targets = sequestered_test_split.targets
        sequestered_test_split.targets = targets.sort_values("target", ascending=False)
        return super().predict(train_split, sequestered_test_split)


class EmptiesLists(Decent):
    def predict(self, train_split, sequestered_test_split):
        for instances in sequestered_test_split.targets["instances"]:
            instances.clear()
        return super().predict(train_split, sequestered_test_split)


class ReadsTheFirstRow(Decent):
    def fit(self, train_split):
        super().fit(train_split)
        self.first = len(train_split.runs["run"].iloc[0]) + train_split.runs["value"].iloc[0]

    def normal(self, row):
        return super().normal(row, 1 + self.first / 100)


class ReadsTheFirstShown(Decent):
    def said(self, row, test):
        shown = test.responses[test.responses["target"] == row.target]["instance"]
        factor = 1 + (len(shown.iloc[0]) + hash(shown.iloc[0]) % 97 / 100 if len(shown) else 0)
        return RunPrediction(target=row.target, normal=self.normal(row, factor))


class ReadsByPlace(Decent):
    def fit(self, train_split):
        super().fit(train_split)
        self.first = len(train_split.runs.columns[0])

    def normal(self, row):
        return super().normal(row, 1 + self.first / 10)


class LooksAtThePlaceOfTargets(Decent):
    def said(self, row, test):
        return RunPrediction(target=row.target, normal=self.normal(row, 1 + row.Index / 100))


class DrawsTargetByTarget(Decent):
    """Is seeded, but what is drawn for a target depends on the targets before it."""

    def predict(self, train_split, sequestered_test_split):
        self.rng = np.random.default_rng(self.random_state)
        return super().predict(train_split, sequestered_test_split)

    def normal(self, row):
        return super().normal(row, 1 + self.rng.random())


class RemembersWhatWasShown(Decent):
    shown = 0

    def fit(self, train_split):
        super().fit(train_split)
        self.shown = 0

    def predict(self, train_split, sequestered_test_split):
        self.shown += sequestered_test_split.k
        return super().predict(train_split, sequestered_test_split)

    def normal(self, row):
        return super().normal(row, 1 + self.shown / 100)


class LearnsOnce(Decent):
    means = None

    def fit(self, train_split):
        if self.means is None:
            super().fit(train_split)


# ---------- joint draws


class DrawsUnequally(Joint):
    def said(self, row, test):
        said = super().said(row, test)
        return RunPrediction(
            target=row.target, samples=said.samples[: 100 + len(row.target) % 9], joint=True
        )


class DrawsByTheOthers(Joint):
    def said(self, row, test):
        shift = 0.0 if len(test.targets) > 1 else 3 * self.normal(row)[1]
        samples = super().said(row, test).samples + shift
        return RunPrediction(target=row.target, samples=samples, joint=True)


# ---------- what it reads


class ReadsMoreThanItSays(Decent):
    def fit(self, train_split):
        super().fit(train_split)
        len(train_split.responses)


class HidesThatItReadsMore(Decent):
    def predict(self, train_split, sequestered_test_split):
        try:
            len(sequestered_test_split.models)
        except Exception:
            self.failed = True
        return super().predict(train_split, sequestered_test_split)


class LooksForTheTruth(Decent):
    """Finds the shards of the held-out runs near what it is given."""

    def fit(self, train_split):
        folder = found_in(train_split.__dict__["runs"]).path
        self.shards = folder.parents[1] / "shards"
        super().fit(train_split)

    def normal(self, row):
        mean, sd = super().normal(row)
        path = self.shards / f"{shard_name(row.run)}.responses.arrow"
        values = read_table(path).column("value").to_numpy()
        return mean, sd * (1 + abs(np.nanmean(values)) / 1000)


def found_in(read):
    """Find the fold's folder in what reads a table of it."""
    for cell in read.__closure__:
        value = cell.cell_contents
        if hasattr(value, "path"):
            return value
        if getattr(value, "__closure__", None):
            return found_in(value)
    return None


# ---------- what it says of itself


class ChecksWithoutALimit(JudgesItself):
    def checks(self, train_split):
        return super().checks(train_split).drop(columns="limit")


class ChecksOfOneName(JudgesItself):
    def checks(self, train_split):
        return pd.concat([super().checks(train_split)] * 2)


class ChangesByChecking(JudgesItself):
    def checks(self, train_split):
        self.means = {metric: 0.9 * mean + 0.1 for metric, mean in self.means.items()}
        return super().checks(train_split)


class LeavesOutStrangers(JudgesItself):
    def loo(self, train_split):
        return super().loo(train_split).assign(run=lambda rows: rows["run"] + "?")


class LeavesOutToNothing(JudgesItself):
    def loo(self, train_split):
        return super().loo(train_split).assign(elpd_loo=-np.inf)


class LeavesOutSomehow(JudgesItself):
    def loo(self, train_split):
        return super().loo(train_split).assign(method="")


# ---------- and what says that it does not apply


class DoesNotApply(Decent):
    def fit(self, train_split):
        raise NotApplicable("there is no run of a whale.")
