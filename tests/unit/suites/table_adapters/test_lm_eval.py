"""lm-evaluation-harness: results, samples, and both together."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import pytest
from made_results import MODEL, TIME, results, sample, write, write_lines

import suites
from suites.identity import Identity
from suites.metric_rules import MetricRules
from suites.reader import Figure, ReadOptions

QUIZ = f"quiz_a:model={MODEL}"
SUMS = f"sums:model={MODEL}"


def test_results_give_a_run_for_each_task_and_none_for_a_group(opened, tmp_path) -> None:
    path = write(tmp_path / f"results_{TIME}.json", results())
    read = opened(path)
    assert list(read.runs) == [QUIZ, SUMS]
    assert read.problems == []
    run = read.runs[QUIZ]
    assert (run.kind, run.model, run.organisation, run.family) == ("table", MODEL, "acme", "one")
    assert (run.scenario, run.location) == ("quiz_a", str(path))
    assert run.condition_fields == {"shots": 5, "version": 1}
    assert run.date == dt.datetime(2026, 1, 21, 2, 59, 43)
    assert read.reader.responses(run) is None
    assert read.figure(QUIZ) == Figure(
        "acc", None, None, 0.75, 4, True, lower=0.0, upper=1.0, higher_is_better=True
    )


def test_a_filter_is_part_of_the_metrics_name_and_no_value_is_no_figure(opened, tmp_path) -> None:
    read = opened(write(tmp_path / f"results_{TIME}.json", results()))
    figures = {figure.metric: figure for figure in read.runs[SUMS].figures}
    assert list(figures) == ["exact_match,strict", "exact_match,flexible"]
    assert [figure.value for figure in figures.values()] == [0.25, 0.5]
    assert all(figure.higher_is_better for figure in figures.values())  # from metric_list
    assert {(figure.lower, figure.upper, figure.binary) for figure in figures.values()} == {
        (None, None, None)
    }
    assert read.runs[SUMS].main == ("exact_match,strict", None, "the first metric in the table")


@pytest.mark.parametrize(
    ("value", "error", "binary"),
    [
        (0.3, math.sqrt(0.3 * 0.7 / 99), True),
        (0.3, 0.05, None),
        (0.3, round(math.sqrt(0.3 * 0.7 / 99), 4), None),
        (1.0, 0.0, None),
        (7.0, 0.1, None),
    ],
)
def test_the_standard_error_shows_whether_a_value_is_a_share_of_ones(
    opened, tmp_path, value: float, error: float, binary: bool | None
) -> None:
    content = results(
        results={"quiz_a": {"acc,none": value, "acc_stderr,none": error}},
        **{"n-samples": {"quiz_a": {"original": 100, "effective": 100}}},
    )
    figure = opened(write(tmp_path / "results.json", content)).figure(QUIZ)
    assert (figure.n, figure.binary) == (100, binary)
    assert (figure.lower, figure.upper) == ((0.0, 1.0) if binary else (None, None))


def test_samples_are_the_responses_of_the_results_of_their_time(opened, lm_eval_folder) -> None:
    for source in (lm_eval_folder.parents[1], lm_eval_folder, f"{lm_eval_folder}/"):
        read = opened(source)
        assert list(read.runs) == [QUIZ, SUMS]
        assert read.problems == []
        assert read.column(QUIZ, "instance") == ["0", "1", "2", "3"]
        assert read.column(QUIZ, "value") == [1.0, 0.0, 1.0, 1.0]
        assert read.column(QUIZ, "instance_hash") == ["hash0", "hash1", "hash2", "hash3"]
        assert read.column(QUIZ, "trial") == [0, 0, 0, 0]
        assert set(read.column(QUIZ, "upper")) == {1.0}
        assert read.figure(QUIZ).binary is True
        assert read.reader.responses(read.runs[SUMS]) is None


def test_one_file_finds_its_counterpart_beside_it(opened, lm_eval_folder) -> None:
    both = opened(lm_eval_folder / f"results_{TIME}.json")
    assert (list(both.runs), both.column(QUIZ, "value")) == ([QUIZ, SUMS], [1.0, 0.0, 1.0, 1.0])
    one = opened(lm_eval_folder / f"samples_quiz_a_{TIME}.jsonl")
    assert (list(one.runs), one.problems) == ([QUIZ], [])
    assert one.figure(QUIZ) == both.figure(QUIZ)
    assert one.runs[QUIZ].location == both.runs[QUIZ].location


def test_a_published_value_is_kept_and_differences_are_said(lm_eval_folder) -> None:
    content = results()
    content["results"]["quiz_a"]["acc,none"] = 0.5
    write(lm_eval_folder / f"results_{TIME}.json", content)
    suite = suites.read(str(lm_eval_folder))
    runs = suite.verify().set_index("scenario")
    assert runs.loc["quiz_a", ["value", "recomputed"]].tolist() == [0.5, 0.75]
    assert not runs.loc["quiz_a", "binary"]
    assert suite.problems["code"].tolist() == ["not-recomputed"]


def test_fewer_samples_than_the_value_is_of_are_said(opened, lm_eval_folder) -> None:
    write_lines(lm_eval_folder / f"samples_quiz_a_{TIME}.jsonl", [sample(0), sample(1)])
    read = opened(lm_eval_folder)
    assert read.codes() == ["incomplete-responses"]
    assert "4 instances, of which 2" in read.problems[0].message
    assert (read.figure(QUIZ).n, read.figure(QUIZ).binary) == (4, None)


def test_rows_are_told_apart_by_filter_and_repeats_are_trials(opened, lm_eval_folder) -> None:
    rows = [
        sample(doc, filter_, "exact_match", value)
        for filter_, value in (("strict", 0), ("flexible", 1))
        for doc in (0, 1, 0)
    ]
    write_lines(lm_eval_folder / f"samples_sums_{TIME}.jsonl", rows)
    read = opened(lm_eval_folder)
    for metric, value in (("exact_match,strict", 0.0), ("exact_match,flexible", 1.0)):
        assert read.column(SUMS, "instance", metric) == ["0", "0", "1"]
        assert read.column(SUMS, "trial", metric) == [0, 1, 0]
        assert read.column(SUMS, "value", metric) == [value] * 3


def test_samples_that_do_not_say_their_filter_need_a_task_with_one(opened, lm_eval_folder) -> None:
    write_lines(lm_eval_folder / f"samples_quiz_a_{TIME}.jsonl", [sample(0, None)] * 1)
    write_lines(lm_eval_folder / f"samples_sums_{TIME}.jsonl", [sample(0, None, "exact_match")] * 2)
    read = opened(lm_eval_folder)
    assert read.column(QUIZ, "value") == [1.0]
    said = {problem.code: problem for problem in read.problems}
    assert set(said) == {"no-filter", "no-responses", "incomplete-responses"}
    assert said["no-filter"].message.endswith("(and 1 more like this)")
    assert read.reader.responses(read.runs[SUMS]) is None


def test_older_samples_do_not_list_their_metrics(opened, lm_eval_folder) -> None:
    row: dict[str, Any] = {**sample(0), "acc_norm": 0, "logits": [1, 2], "choice": "a"}
    del row["metrics"]
    write_lines(lm_eval_folder / f"samples_quiz_a_{TIME}.jsonl", [row])
    read = opened(lm_eval_folder)
    assert [figure.metric for figure in read.runs[QUIZ].figures] == ["acc", "acc_norm"]


@pytest.mark.parametrize("value", [[1, 0], {"pred": "a"}])
def test_what_only_all_samples_together_give_is_no_response(
    opened, lm_eval_folder, value: Any
) -> None:
    write_lines(lm_eval_folder / f"samples_quiz_a_{TIME}.jsonl", [sample(0, value=value)])
    read = opened(lm_eval_folder)
    assert read.codes() == ["no-responses"]
    assert (read.figure(QUIZ).value, read.reader.responses(read.runs[QUIZ])) == (0.75, None)


def test_samples_of_a_metric_that_is_no_mean_are_left_out(opened, lm_eval_folder) -> None:
    content = results()
    content["configs"]["quiz_a"]["metric_list"] = [{"metric": "acc", "aggregation": "perplexity"}]
    write(lm_eval_folder / f"results_{TIME}.json", content)
    read = opened(lm_eval_folder)
    assert read.codes() == ["not-a-mean", "no-responses"]
    assert "no mean of the samples' values but their perplexity" in read.problems[0].message
    assert read.figure(QUIZ).value == 0.75


def test_samples_without_a_value_stay_and_are_not_zero(opened, lm_eval_folder) -> None:
    rows = [sample(0), sample(1, value=None), sample(2, value="yes"), sample(3, value=math.nan)]
    write_lines(lm_eval_folder / f"samples_quiz_a_{TIME}.jsonl", rows)
    read = opened(lm_eval_folder)
    assert read.codes() == ["bad-value", "incomplete-responses"]
    assert read.column(QUIZ, "status") == ["ok", "unscored", "unscored", "unscored"]
    assert read.column(QUIZ, "value") == [1.0, None, None, None] or math.isnan(
        read.column(QUIZ, "value")[1]
    )


def test_samples_alone_take_the_model_from_lm_evals_folder(opened, tmp_path) -> None:
    path = tmp_path / "acme__one-7b" / f"samples_quiz_a_{TIME}.jsonl"
    read = opened(write_lines(path, [sample(0), sample(1, value=0)]))
    assert read.codes() == ["model-from-folder"]
    run = read.runs[QUIZ]
    assert (run.model, run.date) == (MODEL, dt.datetime(2026, 1, 21, 3, 44, 18, 458309))
    assert read.figure(QUIZ) == Figure("acc", None, None, 0.5, 2, True, 0.0, 1.0, True)


def test_samples_of_nobody_or_of_nothing_are_left_out(opened, tmp_path) -> None:
    read = opened(write_lines(tmp_path / f"samples_quiz_a_{TIME}.jsonl", [sample(0)]))
    assert (read.codes(), list(read.runs)) == (["no-model"], [])
    assert "with __ for /" in read.problems[0].hint
    read = opened(write_lines(tmp_path / "acme__one" / "answers.jsonl", [sample(0)]))
    assert (read.codes(), list(read.runs)) == (["no-scenario"], [])


@pytest.mark.parametrize(
    "arguments", [f"dtype=auto,pretrained={MODEL}", f"model={MODEL}", {"pretrained": MODEL}]
)
def test_without_a_name_the_models_arguments_say_it(opened, tmp_path, arguments: Any) -> None:
    content = results(model_name="", config={"model_args": arguments})
    read = opened(write(tmp_path / "results.json", content))
    assert {run.model for run in read.runs.values()} == {MODEL}


def test_results_of_nobody_are_left_out(opened, tmp_path) -> None:
    content = results(model_name=None, config={"model": "dummy"})
    read = opened(write(tmp_path / "plain" / "results.json", content))
    assert (read.codes(), list(read.runs)) == (["no-model"], [])
    read = opened(write(tmp_path / "acme__one-7b" / "results.json", content))
    assert (read.codes(), list(read.runs)) == (["model-from-folder"], [QUIZ, SUMS])


def test_tasks_are_found_by_their_name_in_a_files_name(opened, tmp_path) -> None:
    values = {"arc/easy:v1": {"acc,none": 1.0}}
    content = results(results=values, group_subtasks={})
    write(tmp_path / f"results_{TIME}.json", content)
    write_lines(tmp_path / f"samples_arc_easy_v1_{TIME}.jsonl", [sample(0)])
    read = opened(tmp_path)
    assert list(read.runs) == [f"arc/easy:v1,model={MODEL}"]
    assert read.column(f"arc/easy:v1,model={MODEL}", "value") == [1.0]


def test_results_without_filters_are_read(opened, tmp_path) -> None:
    content = {
        "results": {"quiz_a": {"acc": 0.5, "acc_stderr": 0.1}},
        "versions": {"quiz_a": 0},
        "config": {"model": "hf-causal", "model_args": f"pretrained={MODEL}", "num_fewshot": 0},
    }
    read = opened(write(tmp_path / "results.json", content))
    assert read.figure(QUIZ) == Figure("acc", None, None, 0.5, None, higher_is_better=True)
    assert read.runs[QUIZ].condition_fields == {"version": 0}


def test_shots_are_conditions_and_dates_are_reruns(opened, tmp_path) -> None:
    write(tmp_path / "a" / "results.json", results())
    write(tmp_path / "b" / "results.json", results(date=1769964383.0))
    write(tmp_path / "c" / "results.json", results(**{"n-shot": {"quiz_a": 0, "sums": 0}}))
    read = opened(tmp_path)
    assert [run for run in read.runs if run.startswith("quiz")] == [
        f"{QUIZ},condition=shots=0;version=1",
        f"{QUIZ},condition=shots=5;version=1,date=2026-01-21T02:59:43",
        f"{QUIZ},condition=shots=5;version=1,date=2026-02-01T16:46:23",
    ]


def test_a_copy_of_a_file_is_a_duplicate_and_no_further_trial(opened, lm_eval_folder) -> None:
    copy = lm_eval_folder.parent / "copy"
    copy.mkdir()
    for file in lm_eval_folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    read = opened(lm_eval_folder.parent)
    assert read.column(QUIZ, "trial") == [0, 0, 0, 0]
    assert sorted(read.codes()) == ["duplicate-response"] * 4 + ["duplicate-run"] * 3
    assert "row 1 of acme__one-7b/samples" in next(
        problem.message for problem in read.problems if problem.code == "duplicate-response"
    )


def test_the_users_names_and_ranges_come_first(opened, lm_eval_folder) -> None:
    options = ReadOptions(
        identity=Identity(models={MODEL: {"model": "a/b", "family": "f"}}),
        metrics=MetricRules({"exact_match*": {"lower": 0.0, "upper": 1.0}}),
    )
    read = opened(lm_eval_folder, options)
    assert {(run.model, run.organisation, run.family) for run in read.runs.values()} == {
        ("a/b", "a", "f")
    }
    figure = read.figure(SUMS, "exact_match,strict")
    assert (figure.lower, figure.upper, figure.binary) == (0.0, 1.0, None)


def test_the_real_files(opened, shared_files: Path) -> None:
    name = "RylanSchaeffer/mem_Qwen3-93M_minerva_math_rep_0_sbst_1.0000_epch_1_ot_1"
    first, second = f"math_perturbed_full:model={name}", f"math_rephrased_full:model={name}"
    read = opened(shared_files / "lm_eval")
    assert list(read.runs) == [first, second]
    assert {tuple(run.condition_fields.items()) for run in read.runs.values()} == {
        (("shots", 0), ("version", 1))
    }
    assert read.figure(second) == Figure(
        "exact_match", None, None, 0.0004, 5000, True, 0.0, 1.0, True
    )
    assert (read.figure(first).value, read.figure(first).n) == (0.0, 5000)
    assert read.column(first, "instance") == [str(i) for i in range(10)]
    assert read.column(first, "value") == [0.0] * 10
    assert read.codes() == ["incomplete-responses"]  # the first ten samples of 5000
