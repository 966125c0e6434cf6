"""Runs that were read together, and what is selected of them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import suites
from suites.errors import UsageError
from suites.schema import CELL, RESPONSE_KEY, RESPONSES, RUNS
from suites.selection import Selection
from suites.suite import complete_grid, require_runs


@pytest.fixture(scope="module")
def mine(demo):
    return suites.read("demo/my-suite")


@pytest.fixture(scope="module")
def both(demo):
    """Both stand-in suites: some cells were run in both."""
    return suites.read("demo/standin-v1", "demo/standin-v2")


@pytest.fixture
def copy(demo, tmp_path):
    folder = tmp_path / "benchmark_output" / "runs" / "my-suite"
    shutil.copytree(demo.suites()[0].path, folder)
    return folder


# -- runs ------------------------------------------------------------------------------------------


def test_runs_have_the_columns_of_the_schema_in_the_order_of_cells(both):
    runs = both.runs
    assert runs.columns.tolist() == [column.name for column in RUNS]
    assert runs["run"].is_unique
    cells = runs[list(CELL)].fillna("").apply(tuple, axis=1).tolist()
    assert cells == sorted(cells)
    assert len(cells) == len(set(cells)) == len(both)


def test_what_was_not_read_is_missing(mine):
    for column in ("recomputed", "n_scored", "n_error", "n_missing"):
        assert mine.runs[column].isna().all()
    assert mine.runs["value"].notna().all()


def test_a_suite_says_what_it_holds(mine):
    assert repr(mine) == "<Suite: 4 runs, 2 models, 2 scenarios, 0 problems>"
    assert len(mine) == 4


# -- selection -------------------------------------------------------------------------------------


def test_narrowing_a_suite_leaves_it_as_it_was(mine):
    one = mine.select(models=["fir/*"], scenarios=["*anatomy"])
    assert (len(one), len(mine)) == (1, 4)
    assert one.select(models=()).runs["model"].tolist() == ["fir/fir-1b", "gum/gum-1b"]
    assert len(mine.select(Selection(exclude_models=["fir/*"]))) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ["fir/fir-2b"]}, "unknown model 'fir/fir-2b'; did you mean 'fir/fir-1b'"),
        ({"exclude_models": ["fur/*"]}, "unknown model 'fur/"),
        ({"scenarios": ["mmlu:subject=anatomi"]}, "did you mean 'mmlu:subject=anatomy'"),
        ({"metric": "exact_mach"}, "unknown metric 'exact_mach'; did you mean 'exact_match'"),
        ({"condition": "00000000"}, "unknown condition"),
        ({"reruns": "last"}, "unknown choice of reruns"),
    ],
)
def test_a_name_that_nothing_has_is_refused(mine, changes, message):
    with pytest.raises(UsageError, match=message):
        _ = mine.select(**changes).runs


def test_a_metric_is_chosen_by_name_at_the_part_of_the_main_one(mine):
    runs = mine.select(metric="num_output_tokens").runs
    assert runs[["metric", "part"]].drop_duplicates().values.tolist() == [
        ["num_output_tokens", "test"]
    ]
    valid = mine.select(part="valid").runs
    assert valid["part"].tolist() == ["valid"] * 4
    assert valid["n"].tolist() == [1] * 4


def test_all_metrics_are_many_numbers_of_each_run(mine):
    every = mine.select(metric="*")
    assert every.runs["run"].nunique() == 4
    assert every.runs.groupby("run")["metric"].nunique().min() > 20
    assert set(every.runs["part"]) == {"test", "valid"}
    assert list(every.by_run) == list(dict.fromkeys(every.runs["run"]))
    assert sum(map(len, every.by_run.values())) == len(every)


def test_perturbed_numbers_come_only_when_asked_for(both):
    narrow = both.select(scenarios=["standin_review*"])
    assert narrow.runs["perturbation"].isna().all()
    every = narrow.select(perturbation="*").runs
    names = [json.loads(p)["name"] if isinstance(p, str) else None for p in every["perturbation"]]
    assert {None, "misspellings", "gender", "lowercase"} <= set(names)
    typos = narrow.select(perturbation="misspellings").runs["perturbation"]
    assert {json.loads(p)["name"] for p in typos} == {"misspellings"}
    assert narrow.select(perturbation=str(typos.iloc[0])).runs["perturbation"].nunique() == 1


def test_a_run_without_the_metric_is_a_problem_and_left_out(both):
    few = both.select(metric="safety_score")
    assert set(few.runs["scenario_group"]) == {"standin_judge"}
    mine_ = few.problems[few.problems["code"] == "no-metric"]
    assert len(mine_) > 20
    assert mine_["message"].str.contains("has no 'safety_score'").all()


def test_problems_of_one_selection_are_not_those_of_another(both):
    assert len(both.select(metric="safety_score").problems) > 0
    assert len(both.select(scenarios=["simple_mcqa"]).problems) == 0
    assert len(both.problems) == 0


def test_small_runs_go(mine, both):
    assert len(mine.select(min_instances=6)) == 4
    assert len(mine.select(min_instances=7)) == 0
    assert (both.select(min_instances=70).runs["n"] >= 70).all()


def test_a_condition_is_chosen_by_its_hash(both):
    condition = both.runs["condition"].iloc[0]
    chosen = both.select(condition=condition).runs
    assert set(chosen["condition"]) == {condition}
    assert len(chosen) == (both.runs["condition"] == condition).sum()


# -- reruns ----------------------------------------------------------------------------------------


def test_of_reruns_the_latest_is_kept_and_said(both):
    every = both.select(reruns="all").runs
    repeated = every[every.duplicated(list(CELL), keep=False)]
    assert len(repeated)
    assert set(repeated["rerun"]) == {0, 1}
    last = repeated[repeated["rerun"] == 1].set_index(list(CELL))
    assert last["run"].str.startswith("standin-v2/").all()
    kept = both.runs.set_index(list(CELL))
    assert kept.loc[last.index, "run"].tolist() == last["run"].tolist()
    assert both.notes == [f"{len(last)} cells have reruns: kept the latest (--reruns)."]
    first = both.select(reruns="first").runs.set_index(list(CELL))
    assert first.loc[last.index, "run"].str.startswith("standin-v1/").all()


def test_the_order_in_which_suites_are_named_changes_nothing(both):
    turned = suites.read("demo/standin-v2", "demo/standin-v1")
    columns = [c for c in both.runs.columns if c != "source"]
    pd.testing.assert_frame_equal(turned.runs[columns], both.runs[columns])


def test_the_mean_of_reruns_is_one_row_and_no_count(both):
    every = both.select(reruns="all").runs
    means = both.select(reruns="mean")
    wanted = every.groupby(list(CELL), dropna=False)["value"].mean()
    got = means.runs.set_index(list(CELL))["value"]
    assert len(got) == len(wanted) == len(both)
    assert got.sort_index().tolist() == pytest.approx(wanted.sort_index().tolist())
    repeated = every[every.duplicated(list(CELL))]
    some = means.select(scenarios=repeated["scenario"].tolist(), models=repeated["model"].tolist())
    verified = some.verify()
    assert len(some.problems) == 0
    averaged = verified[verified["recomputed"].isna()]
    assert set(averaged["model"]) == set(repeated["model"])
    assert not averaged["binary"].any()


# -- a full grid -----------------------------------------------------------------------------------

cells = st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")))


@given(cells, st.randoms(use_true_random=False))
def test_what_is_left_of_a_grid_is_full_and_depends_on_the_cells_alone(cells, order):
    kept, dropped = complete_grid(cells)
    models, scenarios = {m for m, _ in kept}, {s for _, s in kept}
    assert len(kept) == len(models) * len(scenarios)
    assert kept <= cells
    gone = {name for cell in cells for name in cell} - models - scenarios
    assert set(dropped) <= gone
    assert kept == {c for c in cells if c[0] not in dropped and c[1] not in dropped}
    shuffled = list(cells)
    order.shuffle(shuffled)
    assert complete_grid([*shuffled, *shuffled[:2]]) == (kept, dropped)


def test_a_full_grid_loses_nothing():
    full = {(m, s) for m in "abc" for s in "xy"}
    assert complete_grid(full) == (full, [])
    assert complete_grid([]) == (set(), [])


def test_a_suite_is_completed_and_says_what_went(both):
    # my-suite has other models and scenarios than the stand-ins: none of both can be kept
    mixed = suites.read("demo", select=Selection(complete=True))
    runs = mixed.runs
    assert len(runs.drop_duplicates(["model", "scenario"])) == (
        runs["model"].nunique() * runs["scenario"].nunique()
    )
    assert any(note.startswith("--complete dropped") for note in mixed.notes)
    assert "fir/fir-1b" in " ".join(mixed.notes)


# -- tables ----------------------------------------------------------------------------------------


def test_responses_are_those_behind_the_selected_numbers(mine):
    responses = mine.responses()
    assert responses.columns.tolist() == [column.name for column in RESPONSES]
    assert len(responses) == 24
    assert set(responses["metric"]) == {"exact_match"}
    assert set(responses["part"]) == {"test"}
    assert not responses.duplicated(list(RESPONSE_KEY)).any()
    means = responses.groupby("run", observed=True)["value"].mean()
    runs = mine.runs.set_index("run")["value"]
    assert means.to_dict() == pytest.approx(runs.to_dict())


def test_responses_of_some_runs_are_read_alone(mine):
    run = mine.runs["run"].iloc[2]
    responses = mine.responses([run])
    assert set(responses["run"]) == {run}
    assert len(responses) == 6
    assert len(mine.responses([])) == 0
    ((entry, table),) = mine.responses_of(run)
    assert (entry.run.run, table.num_rows) == (run, 6)


def test_each_of_several_numbers_has_its_own_responses(both):
    every = both.select(scenarios=["standin_review*"], perturbation="*")
    run = every.runs["run"].iloc[0]
    for entry, table in every.responses_of(run):
        found = set(table.column("perturbation").to_pylist())
        assert found <= {entry.figure.perturbation}
        fields = json.loads(entry.figure.perturbation or "{}")
        assert bool(table.num_rows) == (fields.get("computed_on", "perturbed") == "perturbed")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("run_specs", (4, 39)),
        ("scenario_state", (28, 58)),
        ("stats", (648, 15)),
        ("per_instance_stats", (756, 13)),
    ],
)
def test_the_four_frames_are_those_of_all_runs_in_order(mine, name, shape):
    frame = mine.frame(name)
    assert frame.shape == shape
    assert list(dict.fromkeys(frame["run_spec.name"])) == mine.runs["name"].tolist()
    run = mine.runs["run"].iloc[1]
    assert set(mine.frame(name, [run])["run_spec.name"]) == {mine.runs["name"].iloc[1]}


def test_an_unknown_frame_is_refused(mine):
    with pytest.raises(UsageError, match="unknown frame 'run_spec'; did you mean 'run_specs'"):
        mine.frame("run_spec")


def test_a_table_has_responses_but_no_frames(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("model,scenario,item,correct\na/m,s,q1,1\na/m,s,q2,0\n")
    suite = suites.read(path)
    assert suite.frame("stats") is None
    assert suite.responses()["value"].tolist() == [1.0, 0.0]


def test_a_table_of_values_has_no_responses(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("model,scenario,score\na/m,s,0.25\na/n,s,0.5\n")
    suite = suites.read(path)
    assert len(suite.responses()) == 0
    assert suite.responses().columns.tolist() == [column.name for column in RESPONSES]
    verified = suite.verify()
    assert verified["recomputed"].isna().all()
    assert verified["value"].tolist() == [0.25, 0.5]


# -- what responses tell ---------------------------------------------------------------------------


def test_values_are_recomputed_from_their_responses(both):
    seen = []
    some = both.select(scenarios=["standin_recall*", "standin_judge*", "simple_mcqa"])
    runs = some.verify(lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(runs["recomputed"], runs["value"], rtol=0, atol=1e-9)
    assert len(some.problems) == 0
    assert seen == [(i, len(some)) for i in range(1, len(some) + 1)]
    by_group = runs.groupby("scenario_group")["binary"].agg(set).to_dict()
    assert by_group["simple_mcqa"] == {True}
    assert by_group["standin_recall"] == {False}  # f1 of several trials is no count
    assert (runs["n_missing"] == 0).all()


def test_a_published_value_that_its_responses_do_not_give_is_a_problem_and_both_are_kept(copy):
    run = next(copy.glob("*anatomy*fir*"))
    stats = json.loads((run / "stats.json").read_text())
    for stat in stats:
        name = stat["name"]
        if (name["name"], name["split"]) == ("exact_match", "test") and "perturbation" not in name:
            stat["mean"], stat["sum"] = 0.9, 0.9
    (run / "stats.json").write_text(json.dumps(stats))
    suite = suites.read(copy)
    runs = suite.verify().set_index("run")
    odd = runs[runs["value"] == 0.9]
    assert odd["recomputed"].tolist() == [0.5]
    assert odd["binary"].tolist() == [False]
    (problem,) = suite.problems.to_dict("records")
    assert (problem["code"], problem["run"]) == ("not-recomputed", odd.index[0])
    assert "published 0.9" in problem["message"]
    assert "6 responses 0.5" in problem["message"]


def test_a_number_is_a_count_only_when_every_response_is_zero_or_one(tmp_path):
    path = tmp_path / "t.csv"
    rows = [("m", "counts", "q1", 1), ("m", "counts", "q2", 0)]
    rows += [("m", "reals", "q1", 0.5), ("m", "reals", "q2", 1)]
    pd.DataFrame(rows, columns=["model", "scenario", "item", "score"]).to_csv(path, index=False)
    runs = suites.read(path).verify().set_index("scenario")
    assert runs["binary"].to_dict() == {"counts": True, "reals": False}
    assert runs["n"].to_dict() == {"counts": 2, "reals": 2}


# -- metadata --------------------------------------------------------------------------------------


def test_models_and_scenarios_have_a_row_each(both):
    assert both.models["model"].is_unique
    assert set(both.models["model"]) == set(both.runs["model"])
    assert both.models.columns[:3].tolist() == ["model", "organisation", "family"]
    assert set(both.scenarios["scenario"]) == set(both.runs["scenario"])
    assert both.scenarios.columns[:2].tolist() == ["scenario", "scenario_group"]


def test_properties_of_a_source_are_added_and_only_of_the_selected_models(tmp_path):
    (tmp_path / "t.csv").write_text("model,scenario,score\na/m,s,0.25\na/n,s,0.5\n")
    (tmp_path / "models.csv").write_text("model,size\na/m,7\na/x,70\n")
    suite = suites.read(tmp_path / "t.csv", table={"models": str(tmp_path / "models.csv")})
    sizes = suite.models.set_index("model")["size"]
    assert sizes.index.tolist() == ["a/m", "a/n"]
    assert float(sizes["a/m"]) == 7
    assert pd.isna(sizes["a/n"])


# -- nothing ---------------------------------------------------------------------------------------


def test_nothing_to_work_on_is_refused_with_what_was_found(mine):
    require_runs(mine, "evaluate")
    with pytest.raises(UsageError, match="no runs to evaluate: the selection is empty"):
        require_runs(mine.select(min_instances=100), "evaluate")
    with pytest.raises(UsageError, match="found these problems: 4 × no-metric"):
        require_runs(mine.select(part="train"), "rank")


def test_an_empty_selection_has_empty_tables(mine):
    nothing = mine.select(min_instances=100)
    assert nothing.runs.columns.tolist() == [column.name for column in RUNS]
    assert len(nothing.responses()) == len(nothing.models) == len(nothing.verify()) == 0
    assert nothing.frame("stats") is None
