"""Leaks: each is planted, raises the skill of a predictor that looks for it, and is closed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
import suites
from harness.held_out import HeldOut
from harness.leaks import Print, find_relations
from harness.task import Task, load_task
from suites.demo_data import unpack
from suites.selection import Selection

ORACLE = f"{Path(__file__).parents[2] / 'data' / 'seeking' / 'oracle.py'}:Oracle"
BY_RUN = Task("by-run", hold_out=("run",))
"""As `heldout-run`, without its rule: each run is held out for itself."""


def responses(models=10, scenarios=8, items=40, seed=4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ability, difficulty = rng.normal(0, 1, models), rng.normal(0, 1, scenarios)
    grid = np.array(list(np.ndindex(models, scenarios, items)))
    p = 1 / (1 + np.exp(difficulty[grid[:, 1]] - ability[grid[:, 0]]))
    return pd.DataFrame(
        {
            "model": [f"maker{i % 3}/m{i:02d}" for i in grid[:, 0]],
            "scenario": [f"s{j}" for j in grid[:, 1]],
            "item": [f"q{q:02d}" for q in grid[:, 2]],
            "correct": (rng.random(len(grid)) < p).astype(int),
        }
    )


def renamed_model(frame):
    copy = frame[frame["model"] == "maker0/m00"].assign(model="other/brand-new")
    return pd.concat([frame, copy])


def renamed_scenario(frame):
    copy = frame[frame["scenario"] == "s3"].assign(scenario="s3-again")
    return pd.concat([frame, copy])


def source_of(frame, path) -> suites.Suite:
    frame.to_parquet(path, index=False)
    return suites.read(path)


def skill(source, task, names, **options):
    """Give the oracle's share of the targets among `names` that it knows to .005."""
    results = harness.evaluate(source, ORACLE, task=task, k=0, folds=8, isolation="none", **options)
    found = results.targets.set_index("target")
    about = found.index[found["model"].isin(names) | found["scenario"].isin(names)]
    scores = results.scores[
        (results.scores["rule"] == "absolute_error")
        & (results.scores["predictor"].astype(str) == "Oracle")
        & results.scores["target"].isin(about)
    ]
    assert len(scores)
    return float((scores["value"] < 0.5).mean()), results


# -- what agrees in model and scenario is one unit -----------------------------------------------


def helm_twice(tmp_path):
    """Copy runs of 8 models on 3 scenarios into two suites."""
    suite = unpack("helm-standin") / "benchmark_output" / "runs" / "standin-v1"
    for name in ("v1", "v2"):
        for run in sorted(suite.iterdir()):
            if run.name.startswith(("simple_mcqa:", "standin_mc:", "standin_recall:")):
                shutil.copytree(run, tmp_path / "benchmark_output" / "runs" / name / run.name)
    return tmp_path / "benchmark_output" / "runs"


def test_a_run_under_two_suites_is_held_out_as_one(tmp_path):
    runs = helm_twice(tmp_path)
    source = suites.read(str(runs / "v1"), str(runs / "v2"), select=Selection(reruns="all"))
    names = set(source.runs["model"])
    assert skill(source, BY_RUN, names)[0] > 0.5
    assert skill(source, "heldout-run", names)[0] < 0.2


def test_another_deployment_of_a_model_goes_with_it(tmp_path):
    runs = helm_twice(tmp_path)
    for path in sorted((runs / "v2").glob("*/run_spec.json")):
        spec = json.loads(path.read_text())
        spec["adapter_spec"]["model_deployment"] = "together/" + spec["adapter_spec"]["model"]
        path.write_text(json.dumps(spec))
    source = suites.read(str(runs / "v1"), str(runs / "v2"), select=Selection(reruns="all"))
    assert skill(source, BY_RUN, set(source.runs["model"]))[0] > 0.5
    assert skill(source, "heldout-run", set(source.runs["model"]))[0] < 0.2


def test_perturbed_versions_go_with_their_run():
    selection = Selection(perturbation="*")
    source = suites.read("demo/standin-v1", select=selection)
    wanted = source.runs["perturbation"].notna()
    names = set(source.runs.loc[wanted, "scenario"])
    by_value = Task("by-value", hold_out=("run", "perturbation"))
    loose = skill(source, by_value, names)[1]
    tight = skill(source, "heldout-run", names)[1]
    means = [
        r.scores[(r.scores["rule"] == "crps") & (r.scores["predictor"].astype(str) == "Oracle")]
        .set_index("target")["value"]
        .mean()
        for r in (loose, tight)
    ]
    assert means[0] < 0.7 * means[1]


def test_a_duplicated_log_is_one_run(tmp_path):
    logs = sorted(unpack("inspect-standin").rglob("*.eval"))[:12]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for log in logs:
            shutil.copy(log, tmp_path / folder / f"{folder}-{log.name}")
    selection = Selection(reruns="all")
    twice = suites.read(str(tmp_path / "a"), str(tmp_path / "b"), select=selection)
    once = suites.read(str(tmp_path / "a"), select=selection)
    assert twice.runs["value"].tolist() == once.runs["value"].tolist()
    assert twice.problems["message"].str.contains("another copy of the same log").sum() == len(logs)


# -- one thing under two names -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plant", "names", "rule"),
    [
        (renamed_model, {"maker0/m00", "other/brand-new"}, "model-copy"),
        (renamed_scenario, {"s3", "s3-again"}, "scenario-copy"),
    ],
)
def test_a_renamed_copy_is_found_and_held_out_with_its_original(tmp_path, plant, names, rule):
    source = source_of(plant(responses()), tmp_path / "t.parquet")
    loose, results = skill(source, "heldout-run", names, leaks="report")
    assert loose > 0.6
    found = results.manifest["leaks"]
    assert [(f["rule"], set(f["members"])) for f in found["findings"]] == [(rule, names)]
    assert skill(source, "heldout-run", names)[0] < 0.2
    clean = source_of(responses(), tmp_path / "clean.parquet")
    assert (
        skill(clean, "heldout-run", set(clean.runs["model"]))[1].manifest["leaks"]["findings"] == []
    )


@pytest.mark.parametrize("task", ["new-model", "new-model(by='organisation')"])
def test_a_renamed_model_is_no_new_model(tmp_path, task):
    source = source_of(renamed_model(responses()), tmp_path / "t.parquet")
    held = HeldOut(source, tmp_path / "w", frames=False)
    recipe = load_task(task)
    model = held.runs["model"]
    for leaks, together in (("block", True), ("report", False)):
        found = set()
        for fold in held.folds(recipe, "each", [0], leaks=leaks):
            out = set(model[fold.test])
            found.add(("maker0/m00" in out) == ("other/brand-new" in out))
        assert (found == {True}) == together


def test_questions_that_two_scenarios_share_are_found_by_their_texts(tmp_path):
    frame = responses()
    # half of s5's questions are those of s2, under other ids, with other answers
    frame["text"] = frame["scenario"] + frame["item"]
    shared = (frame["scenario"] == "s5") & (frame["item"] < "q20")
    frame.loc[shared, "text"] = "s2" + frame["item"][shared]
    frame["instance_hash"] = [str(abs(hash(text))) for text in frame["text"]]
    source = source_of(frame.drop(columns="text"), tmp_path / "t.parquet")
    held = HeldOut(source, tmp_path / "w", frames=False)
    relations = held.relations
    assert relations.instances == "checked"
    assert [(f.rule, f.members) for f in relations.findings] == [("shared-instances", ("s2", "s5"))]
    scenario = held.runs["scenario"]
    for fold in held.folds(load_task("new-scenario"), "each", [0]):
        out = set(scenario[fold.test])
        assert ("s2" in out) == ("s5" in out)


def test_without_texts_it_says_that_they_are_not_checked(tmp_path):
    source = source_of(responses(), tmp_path / "t.parquet")
    held = HeldOut(source, tmp_path / "w", frames=False)
    assert held.relations.instances == "not checked: the source has no texts"


def runs_of(values: dict) -> pd.DataFrame:
    rows = [
        {"model": m, "scenario": s, "value": v, "target": f"{m}-{s}"}
        for (m, s), v in values.items()
    ]
    more = {"condition": "c", "metric": "acc", "part": None, "perturbation": None}
    return pd.DataFrame(rows).assign(**more, lower=0.0, upper=1.0)


def test_tables_of_values_are_compared_by_their_values():
    rng = np.random.default_rng(0)
    values = {(f"m{i}", f"s{j}"): rng.random() for i in range(4) for j in range(10)}
    values |= {("copy", s): v for (m, s), v in values.items() if m == "m1"}
    assert find_relations(runs_of(values), {}).models == {"copy": "copy", "m1": "copy"}
    # what is 0 or 1 everywhere is no sign, and a few equal values are chance
    flat = dict.fromkeys(values, 1.0)
    assert find_relations(runs_of(flat), {}).models == {}
    rounded = {key: round(value, 1) for key, value in values.items() if key[0] != "copy"}
    assert find_relations(runs_of(rounded), {}).models == {}


def test_models_that_are_right_everywhere_are_no_copies():
    runs = runs_of({(m, s): 1.0 for m in "ab" for s in "uvwx"})
    prints = {target: Print("same", 0) for target in runs["target"]}
    assert find_relations(runs, prints).models == {}


def test_the_first_name_stands_for_a_group_and_brings_its_organisation(tmp_path):
    source = source_of(renamed_model(responses()), tmp_path / "t.parquet")
    held = HeldOut(source, tmp_path / "w", frames=False)
    named = held.relations.canonical(held.runs)
    mine = held.runs["model"] == "other/brand-new"
    assert set(named.loc[mine, "model"]) == {"maker0/m00"}
    assert set(named.loc[mine, "organisation"]) == {"maker0"}
    assert named.loc[~mine].equals(
        held.runs.loc[~mine].assign(
            model=named["model"], organisation=named["organisation"], family=named["family"]
        )
    )


def test_near_duplicates_are_told_and_held_out_together_when_asked(tmp_path):
    frame = responses(models=8, scenarios=6, items=60)
    rng = np.random.default_rng(1)
    near = frame[frame["model"] == "maker0/m00"].assign(model="tuner/m00-tuned")
    flip = rng.random(len(near)) < 0.06
    near["correct"] = np.where(flip, 1 - near["correct"], near["correct"])
    source = source_of(pd.concat([frame, near]), tmp_path / "t.parquet")
    held = HeldOut(source, tmp_path / "w", frames=False)
    pairs = held.agreement.near_duplicates()
    assert [pair[:2] for pair in pairs] == [("maker0/m00", "tuner/m00-tuned")]
    assert held.relations.findings == ()
    assert {f.rule for f in held.strict_relations.findings} == {"near-duplicate"}
    fold = held.folds(load_task("new-model"), "each", [0], leaks="strict")
    model = held.runs["model"]
    for one in fold:
        out = set(model[one.test])
        assert ("maker0/m00" in out) == ("tuner/m00-tuned" in out)


def test_the_closest_relative_is_sought_among_train_models(tmp_path):
    source = source_of(renamed_model(responses()), tmp_path / "t.parquet")
    held = HeldOut(source, tmp_path / "w", frames=False)
    model = held.runs["model"].to_numpy()
    for leaks, best in (("report", 1.0), ("block", 0.95)):
        for fold in held.folds(load_task("new-model"), "each", [0], leaks=leaks):
            near = held.closest(fold)[(model == "maker0/m00") & fold.test]
            assert (near == 1.0).all() if leaks == "report" else (near < best).all()
