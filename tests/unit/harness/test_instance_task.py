"""The task that asks for single responses: what is asked, shown, judged and written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inspect_logs import log, sample, write
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

import harness
import suites
from harness.instance_predictor import InstancePrediction, InstancePredictor
from harness.instance_table import response_ids
from suites.errors import UsageError

METRICS = {"metrics": {"*": {"lower": 0, "upper": 1, "higher_is_better": True}}}
RANDOM = Path(__file__).parents[2] / "data" / "magnet_style" / "random_instance.py"


def items(models=6, scenarios=4, size=12, seed=0) -> pd.DataFrame:
    """Make responses of models that differ in ability to items that differ in difficulty."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(0.3, 1.5, (scenarios, size))
    rows = []
    for m in range(models):
        for s in range(scenarios):
            right = rng.random(size) < 1 / (1 + np.exp(-ease[s] - 0.4 * (m - models / 2)))
            rows += [(f"maker{m % 3}/m{m}", f"s{s}", f"q{q}", float(right[q])) for q in range(size)]
    return pd.DataFrame(rows, columns=["model", "scenario", "item", "score"])


class Guess(InstancePredictor):
    """Says something else of each response, and notes what it was given."""

    needs = ("runs", "responses")
    seen = []  # noqa: RUF012 - shared with the test, on purpose

    def __init__(self, what="ok", kind="mean"):
        self.what, self.kind = what, kind

    def predict(self, train_split, sequestered_test_split):
        for split in (train_split, sequestered_test_split):
            assert split.runs is not None  # read while their files are there
            assert split.responses is not None
        Guess.seen.append((train_split, sequestered_test_split))
        names = sequestered_test_split.targets["target"].tolist()
        numbers = {name: np.modf(sum(map(ord, name)) / 7.3)[0] for name in names}
        for i, name in enumerate(names):
            if self.what == "leaves one out" and i == 3:
                continue
            mean = float("nan") if self.what == "nan" and i % 2 else numbers[name]
            if self.what == "twice" and i == 5:
                yield InstancePrediction(target=name, mean=0.5)
            if self.kind == "normal":
                yield InstancePrediction(target=name, normal=(mean, 0.2))
            else:
                yield InstancePrediction(target=name, mean=mean)
        if self.what == "unknown":
            yield InstancePrediction(target="nobody", mean=0.5)
            yield InstancePrediction(run_spec_name="r", instance_predict_id=3, mean=0.5)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("instances") / "arena.parquet"
    items().to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def suite(source):
    return suites.read(source, metrics=METRICS)


def evaluate(suite, predictors, task="instance", **options):
    return harness.evaluate(
        suite, predictors, task=task, isolation="none", **{"k": [0, 4], "folds": 3, **options}
    )


def table(results, predictor, k) -> pd.DataFrame:
    own = results.scores.astype({"predictor": str, "rule": str, "target": str})
    own = own[(own["predictor"] == predictor) & (own["k"] == k)]
    return own.pivot(index="target", columns="rule", values="value")


# -- scores ----------------------------------------------------------------------------------------


def test_scores_are_those_of_scikit_learn(suite):
    Guess.seen.clear()
    results = evaluate(suite, [Guess])
    truth = items().assign(key=lambda f: f["model"] + "|" + f["scenario"] + "|" + f["item"])
    truth = truth.set_index("key")["score"]
    for k in (0, 4):
        found = table(results, "Guess", k)
        predicted = results.predictions.astype({"predictor": str, "target": str})
        predicted = predicted[(predicted["predictor"] == "Guess") & (predicted["k"] == k)]
        p = predicted.set_index("target")["value"]
        asked = pd.concat([t.targets for _, t in Guess.seen if t.k == k]).drop_duplicates("target")
        y = truth[asked["model"] + "|" + asked["scenario"] + "|" + asked["instance"]].to_numpy()
        asked = asked.assign(y=y, p=p[asked["target"]].to_numpy())
        assert len(found) == 24
        assert (found["responses"] == 12 - k).all()
        for cell, part in asked.groupby("cell"):
            row = found.loc[cell]
            assert len(part) == 12 - k
            assert row["brier"] == pytest.approx(brier_score_loss(part["y"], part["p"]))
            clipped = part["p"].clip(0.01, 0.99)
            assert row["log_loss"] == pytest.approx(log_loss(part["y"], clipped, labels=[0, 1]))
            if part["y"].nunique() == 2:
                assert row["auroc"] == pytest.approx(roc_auc_score(part["y"], part["p"]))
            else:
                assert np.isnan(row["auroc"])


def test_calibration_adds_up(suite):
    results = evaluate(suite, [Guess], seeds=[0, 1])
    curve = results.calibration[results.calibration["predictor"].astype(str) == "Guess"]
    assert set(curve["seed"]) == {0, 1}
    for _, part in curve.groupby(["seed", "k"]):
        assert part["responses"].sum() == 24 * (12 - part["k"].iloc[0])
        assert ((part["predicted"] >= part["lower"]) & (part["predicted"] <= part["upper"])).all()
    first = curve[(curve["seed"] == 0) & (curve["k"] == 0)]
    total = (first["observed"] * first["responses"]).sum()
    assert total == pytest.approx(items()["score"].sum())


def test_the_item_mean_is_what_the_other_models_made_of_it(suite):
    results = evaluate(suite, [], k=0)
    fold = results.split.set_index("target")["fold"].astype(int)
    frame = items().assign(run=lambda f: f["model"] + "|" + f["scenario"])
    of_run = {
        row.model + "|" + row.scenario: fold[row.target] for row in results.targets.itertuples()
    }
    frame["fold"] = frame["run"].map(of_run)
    briers = []
    for f, held in frame.groupby("fold"):
        train = frame[frame["fold"] != f]
        mean = train.groupby(["scenario", "item"])["score"].mean()
        p = mean[pd.MultiIndex.from_frame(held[["scenario", "item"]])].to_numpy()
        briers += ((p - held["score"]) ** 2).tolist()
    found = table(results, "item-mean", 0)
    assert found["brier"].mean() == pytest.approx(np.mean(briers))  # all runs have 12 items


def test_values_between_the_ends_are_judged_as_numbers(tmp_path):
    frame = items().assign(score=lambda f: np.random.default_rng(1).random(len(f)).round(3))
    frame.to_csv(tmp_path / "graded.csv", index=False)
    suite = suites.read(tmp_path / "graded.csv", metrics=METRICS)
    results = evaluate(suite, [Guess(), Guess(kind="normal")], k=0)
    names = [p["name"] for p in results.manifest["predictors"]][1:]
    points, normals = (table(results, name, 0) for name in names)
    assert set(points) == set(normals) == {"brier", "crps", "squared_error", "responses"}
    pd.testing.assert_series_equal(
        points["brier"] * 1e4, points["squared_error"], check_names=False
    )
    assert (normals["crps"] < points["crps"]).mean() > 0.9  # points are too sure
    assert results.calibration.empty


# -- what is asked and shown -----------------------------------------------------------------------


def test_what_is_shown_is_not_asked_and_the_truth_is_not_there(suite):
    Guess.seen.clear()
    evaluate(suite, [Guess])
    for train, test in Guess.seen:
        targets, shown = test.targets, test.responses
        assert {"value", "status", "most_k"}.isdisjoint(targets.columns)
        keys = ["cell", "instance"]
        assert targets["target"].is_unique
        both = targets[keys].astype(str).merge(shown[keys].astype(str), on=keys)
        assert both.empty
        per_cell = shown.groupby("cell", observed=True).size()
        assert (per_cell == test.k).all()
        assert set(per_cell.index) == (set(targets["cell"]) if test.k else set())
        held = set(zip(targets["model"], targets["scenario"], strict=True))
        known = set(
            zip(
                train.responses["model"].astype(str),
                train.responses["scenario"].astype(str),
                strict=True,
            )
        )
        assert not held & known
        assert set(test.runs["run"]) == set(targets["run"])


def test_without_the_organisation_none_of_its_other_models_is_train(suite):
    Guess.seen.clear()
    results = evaluate(suite, [Guess], "instance(pool='organisation')", k=4, folds=2)
    assert results.split["fold"].nunique() == 12
    assert len(results.split) == 24
    for train, test in Guess.seen:
        (model,) = set(test.targets["model"])
        (maker,) = set(test.targets["organisation"])
        known = train.runs[["model", "organisation"]].drop_duplicates()
        assert set(known.loc[known["organisation"] == maker, "model"]) == {model}
        assert known["model"].nunique() == 5


def test_a_new_model_shows_k_responses_of_every_scenario(suite):
    Guess.seen.clear()
    evaluate(suite, [Guess], "instance(pool='new')", k=4, folds=None)
    assert len(Guess.seen) == 6
    for train, test in Guess.seen:
        (model,) = set(test.targets["model"])
        assert model not in set(train.runs["model"])
        assert len(test.responses) == 4 * 4


def test_names_of_responses_are_unique():
    names = response_ids(
        ["c", "c", "c", "c"], ["q", "q", "q", "r"], [0, 1, 1, 0], [None, "a", "b", None]
    )
    assert names == ["c::q::0", "c::q::1::a", "c::q::1::b", "c::r"]


def test_trials_of_an_instance_are_asked_one_by_one(tmp_path):
    for m, model in enumerate(("openai/a", "mistral/b", "meta/c")):
        samples = [
            sample(n, "C" if (n + m + epoch) % 3 else "I", epoch)
            for n in range(1, 9)
            for epoch in (1, 2)
        ]
        write(tmp_path / f"{m}.eval", log(samples, model=model, task="sums", id=str(m)))
    results = evaluate(suites.read(tmp_path), [Guess], k=[0, 3])
    found = {k: table(results, "Guess", k)["responses"] for k in (0, 3)}
    assert (found[0] == 16).all()
    assert (found[3] == 10).all()  # both trials of what is shown
    names = results.predictions["target"].astype(str)
    assert names.str.endswith("::0").any()
    assert names.str.endswith("::1").any()


# -- what predictors do wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "state", "message"),
    [
        ("leaves one out", "missing", "1 of 12 responses: no prediction was returned for it"),
        ("twice", "duplicate", "1 of 12 responses: 2 predictions were returned for it"),
        ("nan", "invalid", "6 of 12 responses: its mean is nan, it must be finite"),
    ],
)
def test_a_run_with_a_wrong_answer_is_failed_and_punished(suite, what, state, message):
    results = evaluate(suite, [Guess(what)], k=0)
    status = results.status.astype({"predictor": str, "status": str, "target": str})
    own = status[status["predictor"].str.startswith("Guess")].set_index("target")
    failed = own[own["status"] != "ok"]
    assert set(failed["status"]) == {state}
    assert set(failed["message"]) == {message}
    assert failed["imputed"].all()
    assert len(failed) == (24 if what == "nan" else 3)  # in each fold one response
    mine = table(results, own["predictor"].iloc[0], 0)["brier"]
    reference = table(results, "item-mean", 0)["brier"]
    for target in failed.index:
        assert mine[target] >= max(reference[target], 0.25)


def test_answers_that_nobody_asked_for_are_listed_and_cost_nothing(suite):
    results = evaluate(suite, [Guess("unknown"), Guess()], k=0)
    one, other = (p["name"] for p in results.manifest["predictors"][1:])
    pd.testing.assert_frame_equal(table(results, one, 0), table(results, other, 0))
    status = results.status.astype({"predictor": str, "status": str})
    unknown = status[status["status"] == "unknown"]
    assert set(unknown["predictor"]) == {one}
    assert unknown["message"].str.contains("nobody|no scenario_state").all()


def test_run_predictors_do_not_apply_and_instance_predictors_not_to_other_tasks(suite):
    results = evaluate(suite, ["beta-binomial"], k=0)
    described = {p["name"]: p for p in results.manifest["predictors"]}
    assert described["beta-binomial"]["status"] == "not_applicable"
    assert "asks for single responses" in described["beta-binomial"]["reason"]
    results = evaluate(suite, ["item-mean"], "heldout-run", k=0)
    described = {p["name"]: p for p in results.manifest["predictors"]}
    assert "asks for run values" in described["item-mean"]["reason"]


def test_a_source_of_values_alone_has_nothing_to_ask(tmp_path):
    frame = items().groupby(["model", "scenario"], as_index=False)["score"].mean()
    frame.to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(UsageError, match="single responses, and this source has none"):
        evaluate(suites.read(tmp_path / "scores.csv"), [Guess], k=0)


def test_runs_without_responses_are_asked_of_nobody(source, tmp_path):
    values = items().groupby(["model", "scenario"], as_index=False)["score"].mean()
    values["scenario"] = "v" + values["scenario"]
    values.to_csv(tmp_path / "values.csv", index=False)
    mixed = suites.read(source, tmp_path / "values.csv", metrics=METRICS)
    assert len(mixed) == 48
    results = evaluate(mixed, ["beta-binomial"], k=[0, 4])
    status = results.status.astype({"predictor": str, "status": str})
    assert status.groupby(["predictor", "k"]).size().tolist() == [24] * 4


# -- other ways in and out -------------------------------------------------------------------------


def test_workers_give_the_same_files(source, suite, tmp_path):
    options = {"task": "instance", "k": [0, 4], "folds": 2}
    one = harness.evaluate(suite, "item-mean", isolation="none", out=tmp_path / "a", **options)
    other = harness.evaluate(
        suites.read(source, metrics=METRICS), "item-mean", jobs=2, out=tmp_path / "b", **options
    )
    for name in ("predictions", "scores", "status", "calibration", "targets", "split"):
        paths = [r.path / f"{name}.parquet" for r in (one, other)]
        assert paths[0].read_bytes() == paths[1].read_bytes(), name


def test_a_predictor_written_for_magnet_answers_by_number():
    results = evaluate(
        "demo/my-suite", ["item-mean", f"{RANDOM}:RandomInstancePredictor"], k=[0, 2], folds=2
    )
    status = results.status.astype({"status": str})
    assert set(status["status"]) == {"ok"}
    own = results.predictions.astype({"predictor": str})
    own = own[own["predictor"] == "RandomInstancePredictor"]
    assert set(own["value"]) <= {0.0, 1.0}
    asked = own.groupby("k").size()
    assert asked[0] > asked[2] > 0


def test_another_tool_gets_the_same_numbers(source, suite, tmp_path):
    options = {"task": "instance", "k": [0, 4], "folds": 2}
    made = evaluate(suite, [Guess], **options)
    split = harness.write_split(source, tmp_path / "split", metrics=METRICS, **options)
    targets = pd.read_parquet(split.path / "0-0" / "targets.parquet")
    shown = pd.read_parquet(split.path / "0-0" / "shown-4.parquet")
    assert (targets["most_k"] < 4).sum() == len(shown)
    assert "value" not in targets.columns
    own = made.predictions.astype({"predictor": str, "output_type": str, "target": str})
    own = own[own["predictor"] == "Guess"].drop(columns=["predictor", "task", "settings_hash"])
    own.sample(frac=1, random_state=0).to_csv(tmp_path / "Guess.csv", index=False)
    scored = harness.score_predictions(tmp_path / "Guess.csv", split, isolation="none")
    for k in (0, 4):
        pd.testing.assert_frame_equal(
            table(made, "Guess", k), table(scored, "Guess", k), check_exact=True
        )
    assert made.manifest["sha256"] == scored.manifest["sha256"]


def test_they_are_ranked_by_the_brier_score(suite):
    from harness.ranking import headline_rule, rank

    results = evaluate(suite, [Guess], k=0)
    assert headline_rule(results.scores) == "brier"
    ranking = rank(results, rule="brier")
    assert ranking["predictor"].tolist() == ["item-mean", "Guess"]
    assert ranking["brier"].tolist() == [
        pytest.approx(table(results, name, 0)["brier"].mean()) for name in ranking["predictor"]
    ]
    assert ranking["auroc"].tolist() == [
        pytest.approx(table(results, name, 0)["auroc"].mean()) for name in ranking["predictor"]
    ]
