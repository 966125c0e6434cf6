"""Predictors written for HELM's frames run on Inspect's logs, which have no parts of instances."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from inspect_logs import log, sample, write

import harness
import suites
from harness.predictor import RunPrediction, RunPredictor

FILE = Path(__file__).parents[2] / "data" / "magnet_style" / "mean_of_stats.py"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Three models on two tasks; one log has epochs, texts, options and failed samples."""
    folder = tmp_path_factory.mktemp("logs")
    for i, model in enumerate(("openai/a", "mistral/b", "meta/c")):
        for j, task in enumerate(("sums", "words")):
            samples = [
                sample(
                    n,
                    "C" if n % (2 + i + j) else "I",
                    choices=["yes", "no"] if j else None,
                    metadata={"level": n if i else str(n)},
                    output={"completion": f"answer {n}"},
                    messages=[{"role": "user", "content": f"question {n}"}],
                )
                for n in range(1, 7)
            ]
            if i == j == 0:
                samples += [sample(n, "C", 2) for n in range(1, 4)] + [sample(7, error="boom")]
            write(folder / f"{i}{j}.eval", log(samples, model=model, task=task, id=f"{i}{j}"))
    return folder


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_predictor_that_reads_stats_is_scored_on_logs(logs, isolation):
    spec = importlib.util.spec_from_file_location("mean_of_stats", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    predictor = (
        module.MeanOfStatsPredictor if isolation == "none" else f"{FILE}:MeanOfStatsPredictor"
    )
    suite = suites.read(logs)
    results = harness.evaluate(suite, [predictor], k=[0, 2], folds=2, isolation=isolation)
    status = results.status.astype({"status": str})
    own = status[status["predictor"] == "MeanOfStatsPredictor"]
    assert set(own["status"]) == {"ok"}
    assert len(own) == 2 * 6
    # each target's mean is that of the train runs' published values: those of the other fold
    means = results.predictions
    means = means[(means["predictor"] == "MeanOfStatsPredictor") & (means["output_type"] == "mean")]
    truth = results.targets.set_index("target")["value"]
    fold = results.split.set_index("target")["fold"]
    for row in means.itertuples():
        others = truth[fold[truth.index] != fold[row.target]]
        assert row.value == pytest.approx(others.mean())
    assert np.isfinite(results.scores["value"]).all()


def test_frames_of_held_out_logs_hold_no_answers_and_no_values(logs):
    seen = {}

    class Onlooker(RunPredictor):
        def predict(self, train_split, sequestered_test_split):
            for name in ("run_specs", "scenario_state", "stats", "per_instance_stats"):
                seen[name] = getattr(sequestered_test_split, name)
            targets = sequestered_test_split.targets["target"]
            return [RunPrediction(target=t, mean=0.5) for t in targets]

    harness.evaluate(suites.read(logs), [Onlooker], k=[2], folds=2, isolation="none")
    assert seen["stats"] is seen["per_instance_stats"] is None
    about = {c.rpartition("request_states.")[2] for c in seen["scenario_state"].columns}
    assert {c for c in about if "adapter_spec" not in c} == {
        "run_spec.name",
        "instance.id",
        "instance.split",
        "num_train_instances",
        "train_trial_index",
    }
    assert all(c.startswith("run_spec.") for c in seen["run_specs"].columns)


def test_a_part_that_logs_do_not_have_is_unknown(logs):
    class Valid(RunPredictor):
        def predict(self, train_split, sequestered_test_split):
            names = sequestered_test_split.run_specs["run_spec.name"]
            return [
                RunPrediction(run_spec_name=n, split="valid", stat_name="match", mean=0.5)
                for n in names
            ]

    results = harness.evaluate(suites.read(logs), [Valid], k=[0], folds=2, isolation="none")
    own = results.status[results.status["predictor"] == "Valid"]
    assert set(own["status"].astype(str)) == {"missing", "unknown"}


@pytest.mark.parametrize("keyword", ["helm_runs", "helm_suites"])
def test_a_predictor_is_called_on_logs(logs, keyword, capsys):
    spec = importlib.util.spec_from_file_location("mean_of_stats", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for pool in (str(logs), suites.InspectRuns(logs)):
        table = module.MeanOfStatsPredictor(num_eval_samples=2)(**{keyword: pool})
        assert len(table) == 1
        assert table["actual_mean"].between(0, 1).all()
        assert table["predicted_mean"].between(0, 1).all()
        assert table["split"].tolist() == ["test"]
    assert "match" in capsys.readouterr().out
