"""Predictor files written for MAGNET run with only their imports changed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import harness
import suites
from suites.selection import Selection

FILES = Path(__file__).parents[2] / "data" / "magnet_style"
SPECS = {
    "random run": f"{FILES / 'random_run.py'}:RandomRunPredictor",
    "random instance": f"{FILES / 'random_instance.py'}:RandomInstancePredictor",
    "line": f"{FILES / 'perturbation_line.py'}:MisspellingPredictor",
}


def load(kind: str):
    path, _, cls = SPECS[kind].rpartition(":")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, cls)


@pytest.fixture(scope="module")
def standin(demo):
    return next(s for s in demo.suites() if s.name == "standin-v1")


# -- by call --------------------------------------------------------------------------------------


@pytest.mark.parametrize("keyword", ["helm_runs", "helm_suites"])
def test_a_random_run_predictor_is_called(demo, keyword, capsys):
    suite = demo.suites()[0]
    table = load("random run")(num_eval_samples=5)(**{keyword: str(suite.path)})
    assert len(table) == 1
    assert table["split"].tolist() == ["valid"]
    assert table["actual_mean"].tolist() == [1.0]
    assert table["predicted_mean"].between(0, 1).all()
    assert table["run_spec"].iloc[0] in capsys.readouterr().out


@pytest.mark.parametrize("keyword", ["helm_runs", "helm_suites"])
def test_a_random_instance_predictor_is_called(demo, keyword, capsys):
    suite = demo.suites()[0]
    table = load("random instance")(num_eval_samples=5)(**{keyword: suite.path})
    assert table.columns.tolist() == [
        "run_spec",
        "instance_id",
        "prediction_id",
        "stat_name",
        "predicted_mean",
        "actual_mean",
    ]
    assert table["instance_id"].tolist() == ["id147", "id65", "id344", "id59", "id291"]
    assert table["prediction_id"].tolist() == [0, 1, 2, 3, 4]
    whole = suite.runs()[3].per_instance_stats()
    whole = whole[whole["per_instance_stats.stats.name.name"] == "exact_match"]
    actual = whole.set_index("per_instance_stats.instance_id")["per_instance_stats.stats.mean"]
    assert table["actual_mean"].tolist() == actual[table["instance_id"]].tolist()
    assert "id344" in capsys.readouterr().out


@pytest.mark.parametrize("keyword", ["helm_runs", "helm_suites"])
def test_a_perturbation_predictor_is_called(standin, keyword, capsys):
    runs = standin.runs("standin_review*") if keyword == "helm_runs" else standin
    table = load("line")(num_example_runs=4, num_eval_samples=10)(**{keyword: runs})
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["perturbation_name"], row["perturbation_prob"]) == ("misspellings", 0.5)
    assert row["perturbation_computed_on"] == "perturbed"
    run = next(r for r in standin.runs() if r.name == row["run_spec"])
    stats = run.stats()
    keep = (
        (stats["stats.name.name"] == "exact_match")
        & (stats["stats.name.split"] == "valid")
        & (stats["stats.name.perturbation.name"] == "misspellings")
        & (stats["stats.name.perturbation.computed_on"] == "perturbed")
    )
    assert [row["actual_mean"]] == stats.loc[keep, "stats.mean"].tolist()
    assert "misspellings" in capsys.readouterr().out


def test_an_instance_predictor_gets_both_splits_numbered(standin):
    predictor = load("random instance")(num_eval_samples=5)
    train, test = predictor.prepare_all_dataframes(standin.runs("standin_review*"))
    key = "magnet.instance_predict_id"
    for split in (train, test):
        assert split.scenario_state.columns[0] == split.per_instance_stats.columns[0] == key
        assert split.scenario_state[key].tolist() == [*range(len(split.scenario_state))]
        state = split.scenario_state.set_index(key)
        stats = split.per_instance_stats
        assert set(stats[key]) == set(state.index)
        at = state.loc[stats[key]]
        for left, right in (
            ("run_spec.name", "run_spec.name"),
            ("scenario_state.request_states.instance.id", "per_instance_stats.instance_id"),
            (
                "scenario_state.request_states.instance.perturbation.name",
                "per_instance_stats.stats.name.perturbation.name",
            ),
        ):
            a, b = at[left].to_numpy(object), stats[right].to_numpy(object)
            same = (a == b) | ((a != a) & (b != b))
            assert same.all(), left


def test_a_file_is_run_as_a_script(demo):
    path = demo.suites()[0].path
    done = subprocess.run(
        [sys.executable, FILES / "random_run.py", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "exact_match" in done.stdout
    assert done.stderr == ""


# -- by evaluation --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def perturbed(standin):
    """Evaluate all three on the part that their predictions name, perturbations included."""
    select = Selection(perturbation="*", part="valid", scenarios=["standin_review*"])
    suite = suites.read(standin, select=select)
    return harness.evaluate(suite, list(SPECS.values()), k=[0, 2], folds=2, seeds=0)


def states(results, predictor: str):
    """Give the status of each target of a predictor, with the target's perturbation."""
    status = results.status[results.status["predictor"] == predictor]
    both = status.merge(results.targets[["target", "perturbation"]], on="target", how="left")
    fields = both["perturbation"].map(lambda p: json.loads(p) if isinstance(p, str) else {})
    both["kind"] = [f"{f.get('name')} {f.get('computed_on')}" for f in fields]
    return both.astype({"status": str})


def test_random_values_are_scored_where_their_part_is_the_targets(perturbed):
    found = states(perturbed, "RandomRunPredictor")
    plain = found[found["kind"] == "None None"]
    assert len(plain) == 8 * 2
    assert set(plain["status"]) == {"ok"}
    assert set(found.loc[found["kind"] != "None None", "status"]) == {"missing"}
    scores = perturbed.scores[perturbed.scores["predictor"] == "RandomRunPredictor"]
    assert np.isfinite(scores["value"]).all()


def test_the_line_is_scored_for_misspelt_runs(perturbed):
    found = states(perturbed, "MisspellingPredictor")
    typos = found[found["kind"] == "misspellings perturbed"]
    assert len(typos) == 8 * 2
    assert set(typos["status"]) == {"ok"}
    assert set(found.loc[found["kind"] != "misspellings perturbed", "status"]) == {"missing"}
    # all have one strength, so the line is the mean of the train runs
    means = perturbed.predictions[perturbed.predictions["predictor"] == "MisspellingPredictor"]
    targets = perturbed.targets.set_index("target")["value"]
    split = perturbed.split.set_index("target")["fold"]
    stats_of_both_parts = means.groupby(["k", "fold"], observed=True)["value"].nunique()
    assert (stats_of_both_parts == 1).all()
    assert means["value"].between(targets.min(), targets.max()).all()
    assert set(split[means["target"].astype(str)]) == {0, 1}


def test_predictors_of_responses_do_not_apply_to_runs(perturbed):
    found = states(perturbed, "RandomInstancePredictor")
    assert set(found["status"]) == {"not_applicable"}
    row = next(p for p in perturbed.manifest["predictors"] if "Instance" in p["name"])
    assert row["status"] == "not_applicable"
    assert "single responses" in row["reason"]


def test_all_of_them_stand_in_the_ranking_with_their_reason(perturbed):
    ranking = perturbed.ranking(k=2).set_index("predictor")
    assert ranking["ranked"].to_dict() == {
        "scenario-mean": True,
        "RandomRunPredictor": False,
        "MisspellingPredictor": False,
        "RandomInstancePredictor": False,
    }
    assert "are missing" in ranking.loc["RandomRunPredictor", "reason"]
    assert "does not apply" in ranking.loc["RandomInstancePredictor", "reason"]


@pytest.mark.parametrize("source", ["demo/my-suite", "demo/standin-v2"])
def test_predictions_of_another_part_are_unknown_and_the_targets_missing(demo, source):
    kinds = [load("random run"), load("line")]
    suite = suites.read(source)
    if source != "demo/my-suite":
        suite = suite.select(scenarios=["simple_mcqa"])
    results = harness.evaluate(suite, kinds, k=1, folds=2, isolation="none")
    status = results.status.astype({"status": str})
    own = status[status["predictor"] == "RandomRunPredictor"]
    assert set(own["status"]) == {"missing", "unknown"}
    unknown = own[own["status"] == "unknown"]
    assert unknown["message"].str.contains("valid, exact_match").all()
    line = status[status["predictor"] == "MisspellingPredictor"]
    assert set(line["status"]) <= {"missing", "unknown", "failed"}
    assert "ok" not in set(line["status"])
    reference = status[status["predictor"] == "scenario-mean"]
    assert set(reference["status"]) == {"ok"}
