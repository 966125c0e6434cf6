"""Sources of values alone: k of each model's held-out values are revealed, the others asked for."""

import numpy as np
import pandas as pd
import pytest

import harness
import suites
from harness.predictor import RunPrediction, RunPredictor

METRICS = {"metrics": {"*": {"lower": 0, "upper": 1, "higher_is_better": True}}}


def scores(models=6, scenarios=8, seed=0) -> pd.DataFrame:
    """Make values that are the sum of what a model and what a scenario gives."""
    rng = np.random.default_rng(seed)
    grid = 0.5 + rng.uniform(-0.2, 0.2, (models, 1)) + rng.uniform(-0.2, 0.2, scenarios)
    rows = [
        (f"maker{m % 3}/m{m}", f"s{s}", grid[m, s]) for m in range(models) for s in range(scenarios)
    ]
    return pd.DataFrame(rows, columns=["model", "scenario", "score"])


class Plain(RunPredictor):
    """Predicts a model's mean, and notes what it was given; it learns in predict."""

    needs = ("runs",)
    calls = []  # noqa: RUF012 - shared with the test, on purpose

    def predict(self, train_split, sequestered_test_split):
        runs, targets = train_split.runs, sequestered_test_split.targets
        type(self).calls.append((sequestered_test_split.k, runs, targets))
        mean = runs.groupby("model")["value"].mean()
        for row in targets.itertuples():
            yield RunPrediction(target=row.target, normal=(mean.get(row.model, 0.5), 0.1))


class Fitted(Plain):
    """Does the same, but learns in fit."""

    calls = []  # noqa: RUF012

    def fit(self, train_split):
        self.learned = train_split

    def predict(self, train_split, sequestered_test_split):
        assert train_split is self.learned
        return list(super().predict(self.learned, sequestered_test_split))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("revealed") / "scores.csv"
    scores().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def suite(source):
    return suites.read(source, metrics=METRICS)


def evaluate(suite, predictors, task="new-model", **options):
    return harness.evaluate(
        suite, predictors, task=task, isolation="none", **{"k": [0, 1, 3], "folds": 3, **options}
    )


def test_k_values_of_each_held_out_model_are_train_and_the_others_are_asked(suite):
    Plain.calls.clear()
    results = evaluate(suite, [Plain])
    truth = scores().set_index(["model", "scenario"])["score"]
    shown = {}
    assert [k for k, _, _ in Plain.calls] == [0, 1, 3] * 3
    for k, runs, targets in Plain.calls:
        assert "value" not in targets.columns
        models = set(targets["model"])
        known = runs[runs["model"].isin(models)]
        assert known.groupby("model").size().tolist() == [k] * (len(models) if k else 0)
        cells = set(zip(known["model"], known["scenario"], strict=True))
        asked = set(zip(targets["model"], targets["scenario"], strict=True))
        assert not cells & asked
        assert cells | asked == {
            (m, s) for m in models for s in truth.loc[next(iter(models))].index
        }
        for row in known.itertuples():
            assert row.value == pytest.approx(truth[row.model, row.scenario])
        key = frozenset(models)
        assert shown.setdefault(key, set()) <= cells  # nested in k
        shown[key] = cells
    status = results.status.astype({"status": str, "predictor": str})
    own = status[status["predictor"] == "Plain"].groupby("k").size()
    assert own.to_dict() == {0: 48, 1: 42, 3: 30}
    assert set(status["status"]) == {"ok"}


def test_what_learns_in_fit_learns_anew_for_each_k(suite):
    results = evaluate(suite, [Plain, Fitted])
    losses = results.scores.astype({"predictor": str, "rule": str, "target": str})
    losses = losses[losses["rule"] == "crps"]
    one, other = (
        losses[losses["predictor"] == name].set_index(["k", "target"])["value"]
        for name in ("Plain", "Fitted")
    )
    pd.testing.assert_series_equal(one, other)
    last = one[3].index  # they are asked for with every k
    assert one[3].mean() < one[0][last].mean()


def test_no_result_depends_on_which_other_k_are_asked(suite):
    alone = evaluate(suite, ["additive-logit"], k=3).scores.reset_index(drop=True)
    among = evaluate(suite, ["additive-logit"]).scores
    among = among[among["k"] == 3].reset_index(drop=True)
    assert alone["value"].tolist() == among["value"].tolist()


def test_workers_give_the_same_files(source, suite, tmp_path):
    options = {"task": "new-model", "k": [0, 2], "folds": 3, "metrics": METRICS}
    metrics = options.pop("metrics")
    one = harness.evaluate(suite, "additive-logit", isolation="none", out=tmp_path / "a", **options)
    again = suites.read(source, metrics=metrics)
    other = harness.evaluate(again, "additive-logit", jobs=2, out=tmp_path / "b", **options)
    for name in ("predictions", "scores", "status"):
        paths = [r.path / f"{name}.parquet" for r in (one, other)]
        assert paths[0].read_bytes() == paths[1].read_bytes(), name


def test_a_k_that_no_fold_has_is_left_out_and_said(suite):
    results = evaluate(suite, [], k=[0, 3, 99])
    assert results.manifest["k"] == [0, 3]
    (note,) = [note for note in results.manifest["notes"] if note.startswith("k = 99")]
    assert "no fold holds out more than 8 runs of one model" in note
    results = evaluate(suite, [], "new-scenario", k=[0, 1], folds="each")
    assert results.manifest["k"] == [0]


def test_folds_that_hold_out_single_values_reveal_some_of_them(suite):
    Plain.calls.clear()
    evaluate(suite, [Plain], "sparse-matrix", k=[0, 1], folds=2)
    for (_, before, asked), (_, after, left) in zip(
        Plain.calls[::2], Plain.calls[1::2], strict=True
    ):
        assert len(after) - len(before) == asked["model"].nunique()
        assert set(left["target"]) < set(asked["target"])
        counts = asked["model"].value_counts()
        assert left["model"].value_counts().to_dict() == (counts - 1)[counts > 1].to_dict()


def test_all_runs_of_a_cell_are_revealed_together(source, tmp_path):
    scores(seed=1).to_csv(tmp_path / "again.csv", index=False)
    every = suites.Selection(reruns="all")
    suite = suites.read(source, tmp_path / "again.csv", metrics=METRICS, select=every)
    assert len(suite) == 96
    Plain.calls.clear()
    evaluate(suite, [Plain], k=2)
    for _, runs, targets in Plain.calls:
        known = runs[runs["model"].isin(set(targets["model"]))]
        assert (known.groupby("model")["scenario"].nunique() == 2).all()
        assert (known.groupby(["model", "scenario"]).size() == 2).all()


def test_another_tool_gets_what_is_revealed(source, suite, tmp_path):
    options = {"task": "new-model", "k": [0, 2], "folds": 3}
    split = harness.write_split(source, tmp_path / "split", metrics=METRICS, **options)
    folder = split.path / "0-0"
    revealed = pd.read_parquet(folder / "revealed-2.parquet")
    targets = pd.read_parquet(folder / "targets.parquet")
    assert not (folder / "revealed-0.parquet").exists()
    assert list(revealed.columns) == list(pd.read_parquet(folder / "train_runs.parquet").columns)
    assert revealed.groupby("model").size().tolist() == [2] * targets["model"].nunique()
    assert (targets["most_k"] < 2).sum() == len(revealed)
    made = evaluate(suite, [Plain], **options)
    own = made.predictions.astype({"predictor": str, "output_type": str, "target": str})
    own[own["predictor"] == "Plain"].drop(columns=["predictor", "task", "settings_hash"]).to_csv(
        tmp_path / "Plain.csv", index=False
    )
    scored = harness.score_predictions(tmp_path / "Plain.csv", split, isolation="none")
    names = ["k", "target", "rule", "value"]
    one, other = (
        r.scores[r.scores["predictor"].astype(str) == "Plain"][names].reset_index(drop=True)
        for r in (made, scored)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)
