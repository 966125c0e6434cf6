"""From folders of logs to runs and responses."""

import json
import math
import os

import numpy as np
import pytest
from inspect_logs import log, members, sample, score, write, zipped

import suites
from suites.errors import UsageError
from suites.identity import Identity
from suites.inspect.reader import InspectReader
from suites.reader import ReadOptions
from suites.schema import RESPONSE_KEY
from suites.selection import Selection

ALL = Selection(reruns="all")


@pytest.fixture
def put(tmp_path):
    """Give a function that writes a log of two samples, or of these, into the folder."""

    def made(name, samples=None, **fields):
        fields.setdefault("id", name.partition(".")[0])
        samples = samples if samples is not None else [sample(1, "C"), sample(2, "I")]
        return write(tmp_path / name, log(samples, **fields))

    return made


def codes(suite) -> list[str]:
    return sorted(suite.problems["code"])


def values(suite) -> dict:
    return dict(zip(suite.runs["model"], suite.runs["value"], strict=True))


# ---------- descriptions


def test_a_run_of_a_log(put, tmp_path):
    put(
        "a.eval", task="pkg/gpqa", model="openrouter/anthropic/claude-sonnet-4-20250514",
        eval={"task_args": {"cot": True, "limit": 5}, "task_version": 2},
    )  # fmt: skip
    row = suites.read(tmp_path).runs.iloc[0].to_dict()
    expected = {
        "name": "gpqa:cot=True,version=2,model=openrouter/anthropic/claude-sonnet-4-20250514@a",
        "kind": "inspect",
        "source": str(tmp_path),
        "model": "openrouter/anthropic/claude-sonnet-4-20250514",
        "organisation": "anthropic",
        "family": "claude-sonnet-4",
        "scenario": "gpqa:cot=True,version=2",
        "scenario_group": "gpqa",
        "metric": "match",
        "value": 0.5,
        "n": 2,
        "lower": 0.0,
        "upper": 1.0,
        "higher_is_better": True,
        "rerun": 0,
    }
    assert {k: row[k] for k in expected} == expected
    assert row["run"] == row["name"]
    assert str(row["date"]) == "2026-03-01 10:00:00"


def test_names_of_files_and_folders_say_nothing(put, tmp_path):
    put("deep/folder/2020-01-01_other-task_x.eval", id="a")
    put("any name.json", id="b", model="openai/b")
    suite = suites.read(tmp_path)
    assert suite.runs["model"].tolist() == ["openai/b", "openai/gpt-5"]
    assert set(suite.runs["scenario"]) == {"sums"}
    assert len(suite.problems) == 0


def test_the_same_log_in_either_form_gives_the_same(put, tmp_path):
    samples = [
        sample(1, "C"),
        sample(1, "P", 2),
        sample("b", math.nan),
        sample("b", error="x", epoch=2),
    ]
    put("eval/a.eval", samples, id="a")
    put("json/a.json", samples, id="a")
    one, other = suites.read(tmp_path / "eval"), suites.read(tmp_path / "json")
    drop = ["source"]
    assert one.runs.drop(columns=drop).equals(other.runs.drop(columns=drop))
    assert one.responses().equals(other.responses())


def test_agents_that_call_models_by_themselves_are_told_apart_by_their_settings(put, tmp_path):
    for name, args in (("a", {"agent": "x"}), ("b", {"agent": "y"}), ("c", {"agent": "x"})):
        put(f"{name}.eval", model="none/none", eval={"solver": "s", "solver_args": args})
    suite = suites.read(tmp_path, select=ALL)
    assert suite.runs["model"].str.startswith("none/none#").all()
    assert suite.runs["model"].nunique() == 2
    assert sorted(suite.runs["rerun"]) == [0, 0, 1]


def test_details_of_runs_and_responses(put, tmp_path):
    put("a.eval", [sample(1, "C", metadata={"level": "hard"})], eval={"tags": ["x"]})
    suite = suites.read(tmp_path)
    assert suite.details.loc[0, "inspect.status"] == "success"
    assert suite.details.loc[0, "inspect.tags"] == '["x"]'
    assert suite.details.loc[0, "inspect.file"] == str(tmp_path / "a.eval")
    table = suite.responses(details=True)
    assert table["inspect.metadata.level"].tolist() == ["hard"]
    assert table["instance_hash"].notna().all()
    assert suite.responses()["instance_hash"].isna().all()


# ---------- responses


def test_the_responses_of_a_log(put, tmp_path):
    samples = [
        sample("b", "C", choices=["x", "y", "z"]),
        sample(1, "I", 1),
        sample(1, "C", 2),
        sample(2, math.nan),
        sample(3, error="boom"),
    ]
    put("a.eval", samples)
    table = suites.read(tmp_path).responses()
    assert table["instance"].tolist() == ["b", "1", "2", "3", "1"]
    assert table["trial"].tolist() == [0, 0, 0, 0, 1]
    assert table["status"].tolist() == ["ok", "ok", "unscored", "error", "ok"]
    np.testing.assert_array_equal(table["value"], [1, 0, np.nan, np.nan, 1])
    assert table["weight"].tolist() == [1, 0.5, 1, 1, 0.5]
    np.testing.assert_array_equal(table["n_options"], [3] + [np.nan] * 4)
    assert (table[["lower", "upper"]] == [0, 1]).all(axis=None)
    assert table[["part", "sub_part", "perturbation"]].isna().all(axis=None)


def test_every_metric_of_a_log_can_be_chosen(put, tmp_path):
    judged = {"clear": 4, "kind": True}
    samples = [sample(i, scores={"match": v, "judge": judged}, epoch=e)
               for i, e, v in ((1, 1, "C"), (1, 2, "I"), (2, 1, "I"), (2, 2, "I"))]  # fmt: skip
    scores = [
        score("match", {"accuracy": 0.25, "stderr": 0.1}, 2),
        score("match", {"accuracy": 0.5}, 2, reducer="max"),
        score("clear", {"mean": 4.0}, 2, scorer="judge"),
    ]
    put("a.eval", samples, scores=scores, reducers=["mean", "max"])
    found = {}
    for metric in ("match", "match@max", "judge/clear", "match:stderr"):
        suite = suites.read(tmp_path, select=Selection(metric=metric))
        verified = suite.verify().iloc[0]
        found[metric] = (verified["value"], verified["recomputed"], len(suite.responses()))
        assert len(suite.problems) == 0
    import pandas as pd

    assert found["match"] == (0.25, 0.25, 4)
    assert found["match@max"] == (0.5, 0.5, 2)
    assert found["judge/clear"] == (4.0, 4.0, 4)
    assert found["match:stderr"][::2] == (0.1, 0)  # no responses stand behind it
    assert pd.isna(found["match:stderr"][1])
    table = suites.read(tmp_path, select=Selection(metric="*")).responses()
    assert set(table["metric"]) == {"match", "match@max", "judge/clear"}
    assert not table.duplicated(list(RESPONSE_KEY)).any()


def test_a_published_figure_that_does_not_follow_is_a_problem_and_stays(put, tmp_path):
    put("a.eval", scores=[score("match", {"accuracy": 0.9}, 2)])
    suite = suites.read(tmp_path)
    row = suite.verify().iloc[0]
    assert (row["value"], row["recomputed"]) == (0.9, 0.5)
    assert codes(suite) == ["not-recomputed"]


def test_published_figures_that_no_sample_stands_behind_are_kept(put, tmp_path):
    put("a.eval", [], scores=[score("match", {"accuracy": 0.7}, 10)])
    put("b.json", [], model="openai/b", scores=[score("own", {"my_metric": 0.6}, 10)])
    put("c.eval", model="openai/c", scores=[score("match", {"my_metric": 0.2}, 2)])
    suite = suites.read(tmp_path)
    assert values(suite) == {"openai/gpt-5": 0.7, "openai/b": 0.6, "openai/c": 0.2}
    assert len(suite.responses()) == 0
    assert len(suite.problems) == 0
    # beside a custom metric the mean of the responses can be had
    assert values(suite.select(metric="match")) == {"openai/gpt-5": 0.7, "openai/c": 0.5}


def test_a_custom_metric_of_one_scorer_changes_no_figure_of_another(put, tmp_path):
    samples = [
        sample(1, scores={"match": "odd", "own": 1}),
        sample(2, scores={"match": "C", "own": 1}),
    ]
    scores = [score("match", {"accuracy": 0.5}, 2), score("own", {"my_metric": 9.0}, 2)]
    put("a.eval", samples, scores=scores)
    suite = suites.read(tmp_path)
    assert values(suite) == {"openai/gpt-5": 0.5}
    assert "recomputed" not in codes(suite)


# ---------- several logs of one evaluation


def test_of_tries_one_is_read_whatever_sources_they_are_in(put, tmp_path):
    first = put("one/a.eval", task_id="t", status="error", created="2026-03-01T10:00:00+00:00")
    put("two/b.eval", [sample(1, "C")], task_id="t", created="2026-03-01T11:00:00+00:00")
    both = [tmp_path], [tmp_path / "one", tmp_path / "two"], [tmp_path / "two", first]
    for sources, holder in zip(both, (tmp_path, tmp_path / "one", first), strict=True):
        suite = suites.read(*sources)
        assert values(suite) == {"openai/gpt-5": 1.0}
        problem = suite.problems.iloc[0]
        assert (problem["code"], problem["source"]) == ("superseded", str(holder))
        assert "b.eval is read instead" in problem["message"]
    alone = suites.read(first, select=Selection(unfinished=True))
    assert values(alone) == {"openai/gpt-5": 0.5}


def test_reruns_are_logs_of_one_cell_with_different_tasks(put, tmp_path):
    put("a.eval", [sample(1, "C")], created="2026-03-01T11:00:00+00:00")
    put("b.eval", [sample(1, "I")], created="2026-03-01T12:30:00+02:00")  # earlier than a
    suite = suites.read(tmp_path)
    assert values(suite) == {"openai/gpt-5": 1.0}
    assert "1 cells have reruns" in suite.notes[0]
    assert suite.select(reruns="first").runs["value"].tolist() == [0.0]
    assert suite.select(reruns="mean").runs["value"].tolist() == [0.5]
    assert suite.select(reruns="all").runs["rerun"].tolist() == [0, 1]


def test_other_settings_are_other_conditions_not_reruns(put, tmp_path):
    put("a.eval")
    put("b.eval", plan={"steps": [], "config": {"temperature": 1.0}})
    put("c.eval", eval={"model_roles": {"grader": {"model": "openai/judge"}}})
    suite = suites.read(tmp_path)
    assert suite.runs["condition"].nunique() == len(suite) == 3


def test_a_file_that_is_named_twice_is_read_once(put, tmp_path):
    path = put("logs/a.eval")
    os.symlink(path, tmp_path / "logs" / "link.eval")
    os.symlink(tmp_path / "logs", tmp_path / "logs" / "loop")
    os.symlink(tmp_path / "nowhere", tmp_path / "logs" / "dead.eval")
    suite = suites.read(path, tmp_path / "logs", f"{tmp_path}/logs/*.eval", select=ALL)
    assert len(suite) == 1
    assert set(codes(suite)) <= {"missing-file"}


# ---------- logs that did not end


@pytest.mark.parametrize("status", ["started", "cancelled", "error"])
def test_a_log_that_did_not_end_is_left_out_and_told(put, tmp_path, status):
    put("a.eval", status=status)
    put("b.eval", model="openai/b")
    suite = suites.read(tmp_path)
    assert list(values(suite)) == ["openai/b"]
    assert codes(suite) == ["unfinished"]
    assert suite.problems["hint"].tolist() == ["--unfinished keeps such runs"]
    kept = suite.select(unfinished=True)
    assert values(kept) == {"openai/b": 0.5, "openai/gpt-5": 0.5}
    assert codes(kept) == []


def test_a_log_that_ended_before_anything_was_scored(put, tmp_path):
    put("a.eval", [], status="error")
    put("b.eval", [sample(1, error="boom")], status="cancelled")
    put("c.eval", [sample(1)], model="openai/c")
    put("d.eval", model="openai/d")
    suite = suites.read(tmp_path, select=Selection(unfinished=True))
    assert list(values(suite)) == ["openai/d"]
    assert codes(suite) == ["no-scores"] * 3
    assert "without scores" in suite.problems["message"].iloc[0]


def test_a_killed_process_left_a_journal(put, tmp_path):
    samples = [sample(1, "C"), sample(2, "I"), sample(3, "I")]
    made = log(samples, status="started")
    write(tmp_path / "a.eval", made, header=False, summaries=False, journal=[samples[:1]])
    suite = suites.read(tmp_path, select=Selection(unfinished=True))
    assert values(suite) == pytest.approx({"openai/gpt-5": 1 / 3})
    assert "main" not in codes(suite)


# ---------- what failed samples count as


@pytest.mark.parametrize(
    ("policy", "value", "n", "errors"),
    [("as-logged", 1.0, 2, 1), ("exclude", 1.0, 2, 1), ("incorrect", 0.5, 2, 1)],
)
def test_the_policy_for_failed_samples(put, tmp_path, policy, value, n, errors):
    put("a.eval", [sample(1, "C"), sample(2, error="boom")])
    suite = suites.read(tmp_path, error_policy=policy)
    row = suite.verify().iloc[0]
    assert (row["value"], row["recomputed"], row["n"], row["n_error"]) == (value, value, n, errors)
    assert codes(suite) == (["recomputed"] if policy == "incorrect" else [])


def test_without_failed_samples_the_policy_changes_nothing(put, tmp_path):
    put("a.eval", scores=[score("match", {"accuracy": 0.9}, 2)])
    for policy in ("exclude", "incorrect"):
        assert values(suites.read(tmp_path, error_policy=policy)) == {"openai/gpt-5": 0.9}


def test_the_worst_value_may_be_the_highest_or_not_known(put, tmp_path):
    samples = [sample(1, scores={"turns": 3}), sample(2, error="boom")]
    put("a.eval", samples, metric="mean")
    unknown = suites.read(tmp_path, error_policy="incorrect")
    assert values(unknown) == {"openai/gpt-5": 3.0}
    assert codes(unknown) == ["no-worst-value"]
    rules = {"metrics": {"turns": {"lower": 0, "upper": 9, "higher_is_better": False}}}
    known = suites.read(tmp_path, error_policy="incorrect", metrics=rules)
    assert values(known) == {"openai/gpt-5": 6.0}
    assert known.responses()["value"].tolist() == [3.0, 9.0]


def test_invalidated_samples_count_nowhere(put, tmp_path):
    put(
        "a.eval",
        [sample(1, "C"), sample(2, "I", invalidation={"reason": "leak"})],
        invalidated=True,
    )
    suite = suites.read(tmp_path)
    row = suite.verify().iloc[0]
    assert (row["value"], row["recomputed"], row["n_missing"]) == (1.0, 1.0, 1)
    assert suite.responses()["status"].tolist() == ["ok", "invalidated"]
    assert codes(suite) == ["recomputed"]
    assert "published 0.5, here 1: 1 invalidated samples" in suite.problems["message"].iloc[0]


# ---------- the user's own facts


def test_texts_without_a_number_are_told_and_can_be_given_one(put, tmp_path):
    put(
        "a.eval",
        [sample(1, "switch"), sample(2, "stay")],
        scores=[score("match", {"accuracy": 0.0}, 2)],
    )
    suite = suites.read(tmp_path)
    assert suite.responses()["value"].isna().all()
    assert codes(suite) == ["non-numeric"]
    problem = suite.problems.iloc[0]
    assert "match: 2 scores are texts without a number ('switch', 'stay')" in problem["message"]
    assert "--metrics FILE" in problem["hint"]
    rules = {"metrics": {"match": {"values": {"switch": 1, "stay": 0}}}}
    own = suites.read(tmp_path, metrics=rules)
    assert values(own) == {"openai/gpt-5": 0.5}
    assert own.responses()["value"].tolist() == [1, 0]
    assert codes(own) == ["recomputed"]
    assert "texts count as you stated" in own.problems["message"].iloc[0]


def test_ranges_that_the_user_states(put, tmp_path):
    put("a.eval", [sample(1, scores={"judge": {"clear": 7}})],
        scores=[score("clear", {"mean": 7.0}, 1, scorer="judge")])  # fmt: skip
    rules = {"metrics": {"judge/*": {"lower": 1, "upper": 10, "higher_is_better": True}}}
    suite = suites.read(tmp_path, metrics=rules)
    assert suite.runs[["lower", "upper"]].iloc[0].tolist() == [1, 10]
    assert suite.responses()["upper"].tolist() == [10]


def test_values_outside_their_range_are_told(put, tmp_path):
    put(
        "a.eval",
        [sample(1, 5), sample(2, -1), sample(3, 1)],
        scores=[score("match", {"accuracy": 1.7}, 3)],
    )
    suite = suites.read(tmp_path)
    assert suite.responses()["value"].tolist() == [5, -1, 1]
    assert codes(suite) == ["out-of-range"]
    assert "2 values lie outside" in suite.problems["message"].iloc[0]


def test_numbers_are_from_0_to_1_where_they_are_throughout_a_scenario(put, tmp_path):
    for name, task, value in (("a", "all", 0), ("b", "all", 1), ("c", "some", 4), ("d", "some", 1)):
        samples = [sample(1, scores={"own": value}), sample(2, scores={"own": 1})]
        put(f"{name}.eval", samples, task=task, model=f"openai/{name}", metric="mean")
    suite = suites.read(tmp_path)
    upper = dict(zip(suite.runs["model"], suite.runs["upper"], strict=True))
    assert upper["openai/a"] == upper["openai/b"] == 1
    assert math.isnan(upper["openai/c"])
    assert math.isnan(upper["openai/d"])
    assert suite.runs["higher_is_better"].isna().all()
    table = suite.responses().drop_duplicates("model").set_index("model")["upper"]
    assert {m: u for m, u in table.items() if u == u} == {"openai/a": 1, "openai/b": 1}


def test_own_names_of_models_and_scenarios(put, tmp_path):
    put("a.eval", model="openai/gpt-4o-2024-08-06")
    put("b.eval", model="openrouter/openai/gpt-4o")
    merged = suites.read(tmp_path, identity=Identity(merge_routes=True), select=ALL)
    assert set(merged.runs["model"]) == {"openai/gpt-4o"}
    assert suites.read(tmp_path).runs["model"].nunique() == 2
    own = Identity(
        models={"openrouter/openai/gpt-4o": {"model": "acme/x", "family": "f"}},
        scenarios={"sums": {"scenario": "adding", "scenario_group": "maths"}},
    )
    runs = suites.read(tmp_path, identity=own).runs
    assert set(runs["scenario"]) == {"adding"}
    assert set(runs["scenario_group"]) == {"maths"}
    row = runs[runs["model"] == "acme/x"].iloc[0]
    assert (row["organisation"], row["family"]) == ("acme", "f")
    assert row["run"].startswith("adding:model=acme/x@")


# ---------- what is wrong with files


def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(put, tmp_path):
    put("good.eval", model="openai/good")
    (tmp_path / "cut.eval").write_bytes(put("x.eval", id="x").read_bytes()[:-30])
    (tmp_path / "x.eval").unlink()
    (tmp_path / "pointer.eval").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "empty.eval").write_text("")
    (tmp_path / "not a log.json").write_text('{"eval": {"x": 1}, "status": "success"}')
    (tmp_path / "listing.json").write_text("{}")
    suite = suites.read(tmp_path)
    assert list(values(suite)) == ["openai/good"]
    found = dict(zip(suite.problems["file"], suite.problems["code"], strict=True))
    assert found == {
        "cut.eval": "cut-off",
        "pointer.eval": "lfs-pointer",
        os.path.join("sub", "empty.eval"): "empty-file",
    }
    assert set(suite.problems["source"]) == {str(tmp_path)}


def test_broken_samples_are_told_once_they_are_read(tmp_path):
    made = members(log([sample(1, "C"), sample(2, "C")]), summaries=False)
    path = tmp_path / "a.eval"
    path.write_bytes(zipped([(n, b"{" if "samples/2" in n else d) for n, d in made]))
    suite = suites.read(tmp_path)
    assert len(suite.problems) == 0
    assert suite.responses()["instance"].tolist() == ["1"]
    assert codes(suite) == ["bad-json"]
    path.unlink()
    assert len(suite.responses()) == 0
    assert suite.frame("stats") is None
    assert codes(suite) == ["bad-json", "missing-file"]


@pytest.mark.parametrize(
    "fields",
    [
        {"epoch": 2**70}, {"epoch": -1}, {"epoch": "x"}, {"choices": 5}, {"choices": "AB"},
        {"input": {"x": 1}}, {"metadata": [1]}, {"metadata": {"a": {"b": 2**80}}},
        {"model_usage": 5}, {"model_usage": {"openai/gpt-5": 7}}, {"error_retries": 5},
        {"total_time": "soon"}, {"limit": 5}, {"uuid": 5}, {"scores": 5}, {"id": "\ud800"},
        {"id": 1.5}, {"target": 5}, {"started_at": 5},
    ],
)  # fmt: skip
def test_no_odd_sample_stops_the_reading(tmp_path, fields):
    made = log([sample(1, "C"), sample(2, "C")])
    made["samples"][1] |= fields
    for name in ("a.eval", "a.json"):
        path = write(tmp_path / name, made)
        suite = suites.read(path)
        table = suite.responses(details=True)
        assert table["instance"].iloc[0] == "1"
        assert not table.duplicated(list(RESPONSE_KEY)).any()
        for frame in ("run_specs", "scenario_state", "stats", "per_instance_stats"):
            assert len(suite.frame(frame)) >= 1, frame


@pytest.mark.parametrize(
    "fields",
    [
        {"tags": 5}, {"metadata": [1]}, {"stats": 5}, {"plan": 5},
        {"plan": {"steps": [5], "config": 5}}, {"error": 5},
        {"eval": {"scorers": 5}}, {"eval": {"dataset": 5}}, {"eval": {"config": 5}},
        {"eval": {"created": 5}}, {"eval": {"created": "0001-01-01T00:00:00"}},
        {"eval": {"metadata": {"x": {"y": [1, {"z": None}]}}}},
        {"eval": {"task_args": {"a b": "\ud800"}}},
    ],
)  # fmt: skip
def test_no_odd_header_stops_the_reading(tmp_path, fields):
    for name in ("a.eval", "a.json"):
        suite = suites.read(write(tmp_path / name, log([sample(1, "C")], **fields)))
        assert len(suite) == 1
        assert len(suite.details) == 1
        for frame in ("run_specs", "scenario_state", "stats", "per_instance_stats"):
            assert len(suite.frame(frame)) >= 1, frame


def test_a_folder_without_logs_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match="is of no kind that can be read"):
        suites.read(tmp_path)
    with pytest.raises(UsageError, match="no logs of Inspect"):
        InspectReader.open(str(tmp_path), ReadOptions(), print)


@pytest.mark.parametrize("source", ["", "\0", "nowhere.eval", "x" * 5000, "memory://", "a://b"])
def test_accepting_never_raises(source, tmp_path):
    assert InspectReader.accepts(str(source)) in (True, False)


# ---------- several kinds


def test_a_folder_that_holds_helm_runs_and_logs_is_read_as_both(put, tmp_path, make_run):
    make_run(tmp_path / "toy:model=acme_one")
    put("logs/a.eval")
    suite = suites.read(tmp_path)
    assert sorted(suite.runs["kind"]) == ["helm", "inspect"]
    assert set(suite.runs["source"]) == {str(tmp_path)}
    assert len(suite.responses()) == 3
    assert set(suite.frame("stats")["run_spec.name"]) == set(suite.runs["name"])


def test_the_source_of_a_run_is_what_the_user_named(put, tmp_path, monkeypatch):
    put("one/a.eval")
    put("two/b.eval", model="openai/b")
    monkeypatch.chdir(tmp_path)
    suite = suites.read("one", "two/b.eval")
    assert dict(zip(suite.runs["model"], suite.runs["source"], strict=True)) == {
        "openai/gpt-5": "one",
        "openai/b": "two/b.eval",
    }
    globbed = suites.read("*/*.eval")
    assert set(globbed.runs["source"]) == {"one/a.eval", "two/b.eval"}


def test_a_strict_reading_raises_the_first_problem(put, tmp_path):
    put("a.eval")
    (tmp_path / "b.eval").write_text("")
    with pytest.raises(suites.ReadError, match=r"b\.eval: it is empty"):
        suites.read(tmp_path, strict=True)


def test_runs_do_not_depend_on_the_order_of_files(put, tmp_path):
    for i in range(4):
        put(
            f"{i}.eval",
            model=f"openai/{i % 2}",
            id=f"e{i}",
            created=f"2026-03-0{4 - i}T00:00:00+00:00",
        )
    names = sorted(os.listdir(tmp_path))
    runs = suites.read(*[tmp_path / n for n in names], select=ALL).runs.drop(columns="source")
    back = suites.read(*[tmp_path / n for n in reversed(names)], select=ALL).runs
    assert runs.equals(back.drop(columns="source"))


def test_a_description_can_be_written_as_json(put, tmp_path):
    put("a.eval", eval={"metadata": {"x": 2**70}})
    (run,) = InspectReader.open(str(tmp_path), ReadOptions(), print).runs()
    assert json.loads(json.dumps({"fields": run.condition_fields, "details": dict(run.details)}))
