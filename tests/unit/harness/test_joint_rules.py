"""Rules for several targets together."""

import itertools

import numpy as np
import pandas as pd
import pytest
from together import Together

import harness
import suites
from harness.joint_rules import SIZE, energy_score, kendall_tau, pairwise_brier

METRICS = {"metrics": {"*": {"lower": 0, "upper": 1, "higher_is_better": True}}}


def test_the_energy_score_is_its_definition():
    rng = np.random.default_rng(0)
    draws, y = rng.normal(size=(30, 4)), rng.normal(size=4)
    off = np.mean([np.linalg.norm(x - y) for x in draws])
    pairs = [np.linalg.norm(a - b) for a, b in itertools.permutations(draws, 2)]
    assert energy_score(draws, y) == pytest.approx(off - np.mean(pairs) / 2)
    assert energy_score(draws[:1], y) == pytest.approx(np.linalg.norm(draws[0] - y))


def test_the_energy_score_of_one_target_is_the_fair_crps():
    from harness.distribution import Draws

    draws = np.random.default_rng(1).random(50)
    assert energy_score(draws[:, None], np.array([0.3])) == pytest.approx(Draws(draws).crps(0.3))


def test_the_true_dependence_scores_best():
    rng = np.random.default_rng(2)
    cov = np.array([[1.0, 0.9], [0.9, 1.0]])
    truth = rng.multivariate_normal([0, 0], cov, 2000)
    right = rng.multivariate_normal([0, 0], cov, SIZE)
    wrong = rng.multivariate_normal([0, 0], np.eye(2), SIZE)
    scores = [np.mean([energy_score(draws, y) for y in truth]) for draws in (right, wrong)]
    assert scores[0] < scores[1]


def test_the_pairwise_brier_score_by_hand():
    draws = np.array([[0.1, 0.2, 0.2], [0.3, 0.2, 0.1], [0.3, 0.1, 0.1], [0.5, 0.1, 0.9]])
    # P(1 > 2) = .75, P(1 > 3) = .5, P(2 > 3) = (0.5 + 1 + 0.5 + 0)/4; the first two are equal
    y = np.array([0.4, 0.4, 0.1])
    expected = np.mean([(0.75 - 0.5) ** 2, (0.5 - 1) ** 2, (0.5 - 1) ** 2])
    assert pairwise_brier(draws, y) == pytest.approx(expected)


def test_kendalls_tau_is_undefined_without_an_order():
    assert kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 9.0])) == 1.0
    assert np.isnan(kendall_tau(np.array([1.0, 1.0]), np.array([1.0, 2.0])))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    rng = np.random.default_rng(3)
    level, ease = rng.normal(0, 0.2, 9), rng.uniform(0.3, 0.7, 8)
    rows = [
        (f"maker{m}/m", f"s{s}", float(np.clip(level[m] + ease[s] + rng.normal(0, 0.01), 0, 1)))
        for m in range(9)
        for s in range(8)
    ]
    path = tmp_path_factory.mktemp("joint") / "scores.csv"
    pd.DataFrame(rows, columns=["model", "scenario", "score"]).to_csv(path, index=False)
    return harness.evaluate(
        suites.read(path, metrics=METRICS),
        [Together(True), Together(False)],
        task="new-model",
        k=0,
        folds=3,
        isolation="none",
    )


def test_models_and_scenarios_of_a_fold_are_judged_together(results):
    groups = results.groups.astype({"predictor": str, "by": str, "rule": str, "group": str})
    assert set(groups["by"] + " " + groups["rule"]) == {
        "model energy_score",
        "scenario pairwise_brier",
        "scenario kendall_tau",
    }
    of_model = groups[groups["by"] == "model"]
    assert of_model.groupby("predictor").size().tolist() == [9, 9, 9]
    assert (of_model["targets"] == 8).all()
    assert (groups[groups["by"] == "scenario"]["targets"] == 3).all()
    names = [p["name"] for p in results.manifest["predictors"]]
    assert groups.groupby("predictor")["joint"].first()[names].tolist() == [False, True, False]


def test_draws_that_belong_together_gain_by_it(results):
    groups = results.groups.astype({"predictor": str, "rule": str})
    mean = groups[groups["rule"] == "energy_score"].groupby("predictor")["value"].mean()
    _, joint, apart = (p["name"] for p in results.manifest["predictors"])
    assert mean[joint] < mean[apart] - 0.05
    crps = results.scores.astype({"predictor": str, "rule": str})
    crps = crps[crps["rule"] == "crps"].groupby("predictor")["value"].mean()
    assert crps[joint] == pytest.approx(crps[apart], rel=0.1)  # the margins are alike


def test_the_energy_score_of_a_group_is_scaled_by_what_train_runs_spread(results):
    groups = results.groups.astype({"predictor": str, "rule": str, "group": str})
    predictions = results.predictions.astype({"predictor": str, "target": str})
    name = results.manifest["predictors"][1]["name"]
    fold = results.split.set_index("target")["fold"]
    runs = results.targets.assign(fold=lambda f: f["target"].map(fold))
    own = predictions[predictions["predictor"] == name]
    for model, held in runs.groupby("model"):
        train = runs[runs["fold"] != held["fold"].iloc[0]]
        scale = train.groupby("scenario")["value"].std(ddof=0)[held["scenario"]].to_numpy()
        draws = np.stack([own.loc[own["target"] == t, "value"] for t in held["target"]], axis=1)
        draws = np.clip(draws, 0, 1)[np.linspace(0, 399, SIZE).round().astype(int)]
        row = groups[(groups["predictor"] == name) & (groups["group"] == model)]
        expected = energy_score(draws / scale, held["value"].to_numpy() / scale)
        assert row["value"].item() == pytest.approx(expected)
