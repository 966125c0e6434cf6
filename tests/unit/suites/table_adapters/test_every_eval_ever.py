"""Every Eval Ever: records, rows of single answers, and both together."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from made_results import MODEL, answer, record, result, write, write_lines

import suites
from suites.reader import Figure

ID = "lab/acme_one-7b/1750000000"


@pytest.mark.parametrize("version", ["0.2.0", "0.3.0"])
def test_a_record_gives_a_run_for_each_result(opened, tmp_path, version: str) -> None:
    path = write(tmp_path / "a.json", record(result("maths"), result("law", 1), version=version))
    read = opened(path)
    assert list(read.runs) == [f"{ID}:law", f"{ID}:maths"]
    assert read.problems == []
    run = read.runs[f"{ID}:maths"]
    assert (run.model, run.organisation, run.scenario) == (MODEL, "ACME Inc.", "maths")
    assert run.condition_fields == {"temperature": 0}
    assert run.date == dt.datetime(2025, 6, 15, 15, 6, 40)
    assert read.figure(run.run) == Figure(
        "accuracy", None, None, 0.5, 4, None, lower=0.0, upper=1.0, higher_is_better=True
    )
    assert read.reader.responses(run) is None


def test_a_record_of_one_result_is_the_run_itself(opened, tmp_path) -> None:
    read = opened(write(tmp_path / "a.json", record(result("maths"))))
    assert list(read.runs) == [ID]


def test_what_a_record_does_not_say_is_unknown(opened, tmp_path) -> None:
    bare = {
        "evaluation_name": "maths",
        "metric_config": {"evaluation_description": "Accuracy on maths"},
        "score_details": {"score": 0.5},
    }
    content = {
        "evaluation_id": "x",
        "retrieved_timestamp": "1750000001",
        "model_info": {"name": "one", "id": "acme/one", "developer": "unknown"},
        "evaluation_results": [bare],
    }
    read = opened(write(tmp_path / "a.json", content))
    assert read.figure("x") == Figure("Accuracy on maths", None, None, 0.5, None)
    run = read.runs["x"]
    assert (run.organisation, run.date, run.condition_fields) == ("acme", None, {})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"metric_name": "Accuracy"}, ("Accuracy", None, None, None)),
        ({}, ("maths", None, None, None)),
        (
            {"metric_id": "ppl", "lower_is_better": True, "min_score": 1, "max_score": "Infinity"},
            ("ppl", 1.0, None, False),
        ),
        ({"metric_id": "m", "min_score": "-Infinity", "max_score": 0.75}, ("m", None, 0.75, None)),
        ({"metric_id": "m", "min_score": None, "lower_is_better": "no"}, ("m", None, None, None)),
    ],
)
def test_names_ranges_and_directions_of_metrics(
    opened, tmp_path, config: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    score = {"score": 1.5 if config.get("metric_id") == "ppl" else 0.5}
    listed = result("maths", metric_config=config, score_details=score)
    figure = opened(write(tmp_path / "a.json", record(listed))).figure(ID)
    assert (figure.metric, figure.lower, figure.upper, figure.higher_is_better) == expected


def test_scores_that_are_none_are_listed(opened, tmp_path) -> None:
    unknown = result("levels", -1)
    unknown["metric_config"] |= {"has_unknown_level": True, "min_score": -5}
    listed = [
        result("text", "0.5"),
        result("null", None),
        result("nan", float("nan")),
        result("infinite", float("inf")),
        result("outside", 1.5),
        unknown,
        {**result("nameless"), "evaluation_name": None},
        "nothing",
        result("swapped", 0.5, metric_config={"metric_id": "m", "min_score": 1, "max_score": 0}),
        result("fine"),
    ]
    read = opened(write(tmp_path / "a.json", record(*listed)))
    assert [run.scenario for run in read.runs.values()] == ["fine", "swapped"]
    assert sorted(read.codes()) == [
        "bad-metadata",
        "bad-value",
        "bad-value",
        "missing-name",
        "out-of-bounds",
    ]
    assert all(problem.file == "a.json" for problem in read.problems)


def test_rows_are_the_responses_of_their_result(opened, tmp_path) -> None:
    write(tmp_path / "a.json", record(result("maths", 0.5), result("law", 0.5)))
    rows = [
        answer("maths", "q1", 1.0),
        answer("maths", "q1", 0.0),
        answer("maths", "q2", True),
        answer("maths", 10, 0, evaluation_result_id=None),
        answer("law", "q1", 0.0),
        answer("law", "q2", 1.0, error="time is up"),
    ]
    write_lines(tmp_path / "a_samples.jsonl", rows)
    read = opened(tmp_path)
    maths, law = f"{ID}:maths", f"{ID}:law"
    assert read.column(maths, "instance") == ["10", "q1", "q1", "q2"]
    assert read.column(maths, "trial") == [0, 0, 1, 0]
    assert read.column(maths, "value") == [0.0, 1.0, 0.0, 1.0]
    assert read.column(maths, "instance_hash")[1] == "hash-q1"
    assert set(read.column(maths, "metric")) == {"accuracy"}
    assert read.column(law, "status") == ["ok", "error"]
    assert sorted(read.codes()) == ["failed-response"] + ["incomplete-responses"] * 2
    assert read.figure(maths).value == 0.5


def test_a_published_value_is_kept_and_differences_are_said(tmp_path) -> None:
    listed = result("maths", 0.75, score_details={"score": 0.75})
    write(tmp_path / "a.json", record(listed))
    write_lines(tmp_path / "a_samples.jsonl", [answer("maths", "q1", 1.0)])
    suite = suites.read(str(tmp_path))
    assert suite.runs["n"].isna().all()  # one answer cannot be all there are
    assert suite.verify()[["value", "recomputed"]].to_numpy().tolist() == [[0.75, 1.0]]
    assert suite.problems["code"].tolist() == ["not-recomputed"]
    write(tmp_path / "a.json", record(result("maths", 1.0, score_details={"score": 1.0})))
    assert suites.read(str(tmp_path)).runs["n"].tolist() == [1]


def test_one_file_finds_its_counterpart_beside_it(opened, tmp_path) -> None:
    details = {"format": "jsonl", "file_path": "data/lab/acme/one-7b/a_samples.jsonl"}
    content = record(result("maths"), detailed_evaluation_results=details)
    write(tmp_path / "a.json", content)
    read = opened(tmp_path / "a.json")
    assert (read.codes(), list(read.runs)) == (["missing-file"], [ID])
    rows = write_lines(tmp_path / "a_samples.jsonl", [answer("maths", i, i % 2) for i in range(4)])
    for source in (tmp_path / "a.json", rows):
        read = opened(source)
        assert read.problems == []
        assert read.column(ID, "value") == [0.0, 1.0, 0.0, 1.0]
        assert read.figure(ID).binary is True


def test_rows_without_a_record_have_a_metric_called_score(opened, tmp_path) -> None:
    rows = [answer("maths", i, i / 2, evaluation_result_id=None) for i in range(3)]
    read = opened(write_lines(tmp_path / "b.jsonl", rows))
    assert read.problems == []
    assert read.figure(ID) == Figure("score", None, None, 0.5, 3, False)
    assert read.runs[ID].organisation == "acme"


def test_rows_that_fit_several_metrics_are_not_guessed(opened, tmp_path) -> None:
    other = result("maths", 0.9, metric_config={"metric_id": "f1"})
    other["evaluation_result_id"] = "maths/f1"
    write(tmp_path / "a.json", record(result("maths"), other))
    rows = [answer("maths", i, 1, evaluation_result_id=None) for i in range(2)]
    write_lines(tmp_path / "a_samples.jsonl", [*rows, answer("art", 0, 1)])
    read = opened(tmp_path)
    assert sorted(read.codes()) == ["no-figure", "unclear-metric"]
    assert [figure.metric for figure in read.runs[f"{ID}:art"].figures] == ["score"]
    of_maths = [run for run in read.runs.values() if run.scenario == "maths"]
    assert sorted(figure.metric for run in of_maths for figure in run.figures) == [
        "accuracy",
        "f1",
        "score",
    ]


def test_datasets_and_benchmarks_tell_evaluations_of_one_name_apart(opened, tmp_path) -> None:
    def of(dataset: str) -> dict[str, Any]:
        return result("Safety", source_data={"dataset_name": dataset})

    one = record(of("Bench"), result("law"))
    write(tmp_path / "a.json", one)
    write(tmp_path / "b.json", record(of("Bench 2"), evaluation_id="lab/x/2"))
    write(tmp_path / "c.json", record(of("Bench"), evaluation_id="other/x/3"))
    assert {run.scenario for run in opened(tmp_path).runs.values()} == {
        "Safety:dataset=Bench,benchmark=lab",
        "Safety:dataset=Bench,benchmark=other",
        'Safety:dataset="Bench 2"',
        "law",
    }
    alone = opened(tmp_path / "a.json")
    assert {run.scenario for run in alone.runs.values()} == {"Safety", "law"}


def test_how_it_was_asked_is_the_condition(opened, tmp_path) -> None:
    config = {
        "generation_args": {"temperature": 0.5, "top_p": None, "sandbox": {"type": "docker"}},
        "additional_details": {"num_fewshot": "5", "agent_scaffold": "loop", "rank": "1"},
    }
    content = record(result("maths", generation_config=config))
    content["model_info"]["additional_details"] = {"inference_effort": "high", "params": 7}
    read = opened(write(tmp_path / "a.json", content))
    assert read.runs[ID].condition_fields == {
        "temperature": 0.5,
        "agent_scaffold": "loop",
        "inference_effort": "high",
        "shots": 5,
    }


def test_evaluations_of_one_cell_are_reruns(opened, tmp_path) -> None:
    write(tmp_path / "a.json", record(result("maths")))
    later = record(
        result("maths", 0.7), evaluation_id="lab/acme/2", evaluation_timestamp="1760000000"
    )
    write(tmp_path / "b.json", later)
    read = opened(tmp_path)
    assert {name: read.figure(name).value for name in read.runs} == {ID: 0.5, "lab/acme/2": 0.7}
    suite = suites.read(str(tmp_path))
    assert suite.runs["value"].tolist() == [0.7]


def test_the_same_record_twice_is_a_duplicate(opened, tmp_path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "a.json", record(result("maths")))
        write_lines(tmp_path / name / "a_samples.jsonl", [answer("maths", i, 1) for i in range(4)])
    read = opened(tmp_path)
    assert sorted(read.codes()) == ["duplicate-response"] * 4 + ["duplicate-run"]
    assert read.column(ID, "trial") == [0] * 4


def test_ranges_that_differ_are_said(opened, tmp_path) -> None:
    write(tmp_path / "a.json", record(result("maths")))
    other = result("maths")
    other["metric_config"]["max_score"] = 100
    write(tmp_path / "b.json", record(other, evaluation_id="lab/b/2"))
    read = opened(tmp_path)
    assert read.codes() == ["contradiction"]
    assert "upper is 100 here, 1 in an earlier row" in read.problems[0].message
    assert read.figure("lab/b/2").upper == 1.0


def test_the_real_record(opened, shared_files: Path) -> None:
    (path,) = shared_files.glob("98ea850e-*.json")
    read = opened(path)
    name = "hfopenllm_v2/TencentARC_LLaMA-Pro-8B-Instruct/1770682486.623709"
    assert read.problems == []
    assert {run.scenario: run.figures[0].value for run in read.runs.values()} == {
        "BBH": 0.4224,
        "GPQA": 0.2743,
        "IFEval": 0.4486,
        "MATH Level 5": 0.0249,
        "MMLU-PRO": 0.1946,
        "MUSR": 0.419,
    }
    assert read.figure(f"{name}:BBH") == Figure(
        "Accuracy on BBH", None, None, 0.4224, None, None, 0.0, 1.0, True
    )
    assert {run.organisation for run in read.runs.values()} == {"TencentARC"}
