"""The main job on real HELM folders."""

from __future__ import annotations

import pytest

import harness
import suites


def test_real_mmlu_runs_are_ranked_by_their_main_metric(shared_helm):
    suite = suites.read(shared_helm("mmlu-llama3") / "benchmark_output")
    assert (len(suite), suite.runs["model"].nunique(), suite.runs["scenario"].nunique()) == (
        184,
        5,
        37,
    )
    assert set(suite.runs["metric"]) == {"exact_match"}
    assert set(suite.runs["part"]) == {"test"}
    results = harness.evaluate(suite, ["additive-logit", "beta-binomial"], k=[0, 5], jobs=2)
    ranking = results.ranking()
    assert ranking["ranked"].all()
    assert ranking.iloc[0]["predictor"] == "additive-logit"
    assert ranking["n_targets"].tolist() == [184] * 6


def test_three_runs_of_three_scenarios_are_ranked_by_the_fallbacks(shared_helm):
    suite = suites.read(shared_helm("eee-tests") / "runs")
    chosen = dict(zip(suite.runs["scenario_group"], suite.runs["metric"], strict=True))
    assert chosen == {"hella_swag": "exact_match", "mmlu": "exact_match", "narrativeqa": "f1_score"}
    names = ["global-mean", "jeffreys", "beta-binomial", "additive-logit", "kernel-ridge"]
    ranking = harness.evaluate(suite, names, k=0).ranking()
    assert ranking["ranked"].all()
    assert ranking["crps"].between(0, 100).all()
    assert ranking["crps_low"].isna().all()  # two models are too few for an interval
    assert set(ranking["n_failed"]) == {0}


@pytest.mark.parametrize("name", ["mmlu-llama3", "eee-tests"])
def test_every_value_of_real_runs_is_recomputed_from_its_responses(shared_helm, name):
    suite = suites.read(shared_helm(name))
    runs = suite.verify()
    assert runs["recomputed"].notna().all()
    assert (runs["recomputed"] - runs["value"]).abs().max() < 1e-9
    assert suite.problems.empty
