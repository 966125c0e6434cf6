"""HELM's frames made of a log: every column against what the log says."""

import math

import numpy as np
import pytest
from inspect_logs import log, sample, score, write

from suites.errors import UsageError
from suites.inspect.frames import _references
from suites.inspect.objects import InspectRuns
from suites.metric_rules import MetricRules
from suites.reader import ReadOptions

STATE = "scenario_state.request_states"
USAGE = {"openai/gpt-5": {"input_tokens": 10, "output_tokens": 4}}


@pytest.fixture
def run(tmp_path):
    """Give a function that writes a log and gives its run."""

    def get(samples, options=None, **fields):
        path = write(tmp_path / "logs" / "a.eval", log(samples, **fields))
        return InspectRuns(path, options=options)[0]

    return get


SAMPLES = [
    sample(
        1, "C", 1,
        input=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital?"}],
        target="B", choices=["Rome", "Paris"], metadata={"level": {"n": 3}, "topic": "geo"},
        messages=[{"role": "system", "content": "Be brief."},
                  {"role": "user", "content": "Capital?"}, {"role": "assistant", "content": "B"}],
        output={"completion": "ANSWER: B", "time": 1.5, "choices": [{"stop_reason": "stop"}]},
        model_usage=USAGE, working_time=9.0,
    ),
    sample("x", "I", 1, target=["no", "never"], error={"message": "boom"}, working_time=2.0),
    sample(1, "I", 2, target="B", choices=["Rome", "Paris"], output={"completion": "A"},
           model_usage={"openai/gpt-5": {"input_tokens": 30}}),
]  # fmt: skip

EVAL = {
    "task_registry_name": "inspect_evals/capitals",
    "task_args": {"level": "hard"},
    "scorers": [{"name": "choice", "options": {"a": 1}}, {"name": "match"}],
    "model_generate_config": {"temperature": 0.9, "max_tokens": 100, "top_p": None},
}
PLAN = {
    "steps": [{"solver": "system_message"}, {"solver": "generate"}],
    "config": {
        "temperature": 0.5, "max_tokens": None, "stop_seqs": ["\n"], "seed": 7, "num_choices": 2,
        "top_p": 0.25, "top_k": 5, "frequency_penalty": 0.1, "presence_penalty": 0.2,
        "reasoning_effort": "low",
    },
}  # fmt: skip


# ---------- the run


def test_every_column_of_the_run_spec(run):
    one = run(SAMPLES, eval=EVAL, plan=PLAN, task="inspect_evals/capitals")
    frame = one.run_spec()
    assert len(frame) == 1
    row = frame.iloc[0].to_dict()
    expected = {
        "run_spec.name": one.name,
        "run_spec.scenario_spec.class_name": "inspect_evals/capitals",
        "run_spec.scenario_spec.args.level": "hard",
        "run_spec.adapter_spec.method": "system_message,generate",
        "run_spec.adapter_spec.model": "openai/gpt-5",
        "run_spec.adapter_spec.model_deployment": "openai/gpt-5",
        "run_spec.adapter_spec.max_eval_instances": 2,
        "run_spec.adapter_spec.num_train_trials": 2,
        # what the plan sets comes before what the model came with; a null sets nothing
        "run_spec.adapter_spec.temperature": 0.5,
        "run_spec.adapter_spec.max_tokens": 100,
        "run_spec.adapter_spec.num_outputs": 2,
        "run_spec.adapter_spec.stop_sequences": ["\n"],
        "run_spec.adapter_spec.top_p": 0.25,
        "run_spec.adapter_spec.top_k": 5,
        "run_spec.adapter_spec.frequency_penalty": 0.1,
        "run_spec.adapter_spec.presence_penalty": 0.2,
        "run_spec.adapter_spec.random": 7,
        "run_spec.adapter_spec.reasoning_effort": "low",
        "run_spec.groups": ["capitals"],
    }
    metrics = row.pop("run_spec.metric_specs")
    assert [m["class_name"] for m in metrics] == ["choice", "match"]
    assert metrics[0]["args"] == {"a": 1}
    assert {k: v for k, v in row.items() if k in expected} == expected
    assert row.keys() - expected.keys() <= {"run_spec.data_augmenter_spec"}
    assert one.json.run_spec()["adapter_spec"]["temperature"] == 0.5


def test_what_inspect_does_not_know_is_absent_not_assumed(run):
    frame = run([sample(1, "C")], plan={}).run_spec()
    known = {c.rpartition(".")[2] for c in frame.columns if ".adapter_spec." in c}
    assert known == {"model", "model_deployment", "max_eval_instances", "num_train_trials"}


# ---------- the requests


def test_every_column_of_the_scenario_state(run):
    frame = run(SAMPLES, eval=EVAL, plan=PLAN).scenario_state()
    assert len(frame) == 3
    first = {k.removeprefix(f"{STATE}."): v for k, v in frame.iloc[0].items()}
    adapter = {k: v for k, v in first.items() if k.startswith("scenario_state.adapter_spec.")}
    assert adapter["scenario_state.adapter_spec.temperature"] == 0.5
    expected = {
        "instance.id": "1",
        "instance.input.text": "Capital?",
        "instance.split": "test",
        "instance.extra_data.level.n": 3,
        "instance.extra_data.topic": "geo",
        "train_trial_index": 0,
        "num_train_instances": 0,
        "prompt_truncated": False,
        "output_mapping.A": "Rome",
        "output_mapping.B": "Paris",
        "request.prompt": "system: Be brief.\n\nuser: Capital?",
        "request.model": "openai/gpt-5",
        "request.model_deployment": "openai/gpt-5",
        "request.temperature": 0.5,
        "request.max_tokens": 100,
        "request.top_p": 0.25,
        "request.frequency_penalty": 0.1,
        "request.presence_penalty": 0.2,
        "request.num_completions": 2,
        "request.stop_sequences": ["\n"],
        "result.success": True,
        "result.cached": False,
        "result.request_time": 1.5,
    }
    assert {k: first[k] for k in expected} == expected
    assert first["instance.references"] == [
        {"output": {"text": "Rome"}, "tags": []},
        {"output": {"text": "Paris"}, "tags": ["correct"]},
    ]
    (answer,) = first["result.completions"]
    assert answer["text"] == "ANSWER: B"
    assert answer["finish_reason"] == {"reason": "stop"}
    left = first.keys() - expected.keys() - adapter.keys()
    assert left == {
        "run_spec.name", "instance.references", "result.completions", "result.error",
    }  # fmt: skip


def test_a_failed_request_and_one_without_an_answer(run):
    frame = run(SAMPLES).scenario_state()
    frame.columns = [c.removeprefix(f"{STATE}.") for c in frame.columns]
    assert frame["instance.id"].tolist() == ["1", "x", "1"]
    assert frame["train_trial_index"].tolist() == [0, 0, 1]
    assert frame["result.success"].tolist() == [True, False, True]
    assert frame["result.error"].tolist()[1] == "boom"
    assert math.isnan(frame["result.error"].tolist()[0])
    assert [len(c) for c in frame["result.completions"]] == [1, 0, 1]
    assert frame["result.request_time"].tolist()[:2] == [1.5, 2.0]
    assert math.isnan(frame["output_mapping.A"].iloc[1])
    assert frame["instance.references"].iloc[1] == [
        {"output": {"text": "no"}, "tags": ["correct"]},
        {"output": {"text": "never"}, "tags": ["correct"]},
    ]
    assert frame["request.prompt"].iloc[1] == "question x"


@pytest.mark.parametrize(
    ("choices", "targets", "right"),
    [
        (["Rome", "Paris"], ["B"], [1]),
        (["Rome", "Paris"], ["Paris"], [1]),
        (["Rome", "Paris", "Oslo"], ["A", "C"], [0, 2]),
        (["Rome", "Paris", "Oslo"], ["AC"], [0, 2]),
        (["Rome", "Paris", "Oslo"], ["A, C"], [0, 2]),
        (["B", "A"], ["A"], [0]),  # a letter is a place first
        (["ABBA", "Queen"], ["ABBA"], [0]),  # a text is no row of letters
        (["RNA", "DNA", "no", "one"], ["DNA"], [1]),
        (["x", "y"], ["y"], [1]),
        (["Rome", "Paris"], ["Z"], []),
        (["Rome", "Paris"], ["Berlin"], []),
        (["Rome", "Paris"], [""], []),
        (["Rome", "Paris"], [], []),
        ([str(i) for i in range(30)], ["29"], [29]),
    ],
)
def test_which_options_are_right(choices, targets, right):
    found = _references(choices, targets)
    assert [r["output"]["text"] for r in found] == choices
    assert [i for i, r in enumerate(found) if r["tags"] == ["correct"]] == right


# ---------- the figures


def by_name(frame, prefix="stats"):
    assert set(frame[f"{prefix}.name.split"]) == {"test"}
    return frame.set_index(f"{prefix}.name.name")


def test_every_column_of_the_stats(run):
    one = run(SAMPLES)
    stats = by_name(one.stats())
    match = stats.loc["match"].to_dict()
    # of the two epochs the first has C and I, the second I
    figure = next(f for f in one.description.figures if f.metric == "match")
    assert figure.value == pytest.approx((0.5 + 0) / 2)
    assert match == pytest.approx(
        {
            "run_spec.name": one.name,
            "stats.name.split": "test",
            "stats.count": 2,
            "stats.sum": 0.5,
            "stats.sum_squared": 0.25,
            "stats.min": 0.0,
            "stats.max": 0.5,
            "stats.mean": 0.25,
            "stats.variance": 0.0625,
            "stats.stddev": 0.25,
        }
    )
    means = stats["stats.mean"].to_dict()
    assert means["num_instances"] == 2
    assert means["num_prompt_tokens"] == 20
    assert means["num_output_tokens"] == 4
    assert means["inference_runtime"] == 5.5


def test_other_published_figures_are_stats_of_their_own(run):
    scores = [score("match", {"accuracy": 0.75, "stderr": 0.125, "odd": math.nan}, 2)]
    stats = by_name(run([sample(1, "C"), sample(2, "I")], scores=scores).stats())
    assert stats.loc["match", "stats.mean"] == 0.75  # the published one
    assert stats.loc["match:stderr", "stats.mean"] == 0.125
    assert stats.loc["match:odd", "stats.count"] == 0
    assert math.isnan(stats.loc["match:odd", "stats.mean"])


def test_stats_say_what_the_run_says_where_samples_are_invalid_or_count_as_wrong(run):
    """A predictor that reads the frames must learn the same numbers as one that reads runs."""
    bad = sample(2, "I", invalidation={"reason": "leak"})
    one = run([sample(1, "C"), bad], invalidated=True)
    assert by_name(one.stats()).loc["match", "stats.mean"] == one.description.figures[0].value == 1
    failed = [sample(1, "C"), sample(2, error="boom")]
    one = run(failed, ReadOptions(error_policy="incorrect"))
    assert (
        by_name(one.stats()).loc["match", "stats.mean"] == one.description.figures[0].value == 0.5
    )


# ---------- the responses


def test_every_column_of_the_responses(run):
    one = run([*SAMPLES, sample("x", math.nan, 2)])
    frame = one.per_instance_stats()
    frame.columns = [c.removeprefix("per_instance_stats.") for c in frame.columns]
    assert set(frame["run_spec.name"]) == {one.name}
    match = frame[frame["stats.name.name"] == "match"]
    assert set(match["stats.name.split"]) == {"test"}
    assert match["instance_id"].tolist() == ["1", "x", "1", "x"]
    assert match["train_trial_index"].tolist() == [0, 0, 1, 1]
    assert match["stats.count"].tolist() == [1, 1, 1, 0]
    for column in ("mean", "min", "max"):
        np.testing.assert_array_equal(match[f"stats.{column}"], [1, 0, 0, np.nan])
    for column in ("sum", "sum_squared"):
        assert match[f"stats.{column}"].tolist() == [1, 0, 0, 0]
    for column in ("variance", "stddev"):
        np.testing.assert_array_equal(match[f"stats.{column}"], [0, 0, 0, np.nan])
    tokens = frame[frame["stats.name.name"] == "num_prompt_tokens"]
    assert tokens["stats.mean"].tolist() == [10, 30]
    assert tokens["train_trial_index"].tolist() == [0, 1]


def test_own_numbers_for_texts_are_in_the_frames(run):
    rules = MetricRules.parse({"metrics": {"match": {"values": {"switch": 1}}}}, "r")
    one = run([sample(1, "switch")], ReadOptions(metrics=rules))
    assert one.per_instance_stats()["per_instance_stats.stats.mean"].tolist() == [1.0]


def test_dict_scores_and_reducers_are_metrics_of_the_frames(run):
    samples = [sample(1, scores={"judge": {"clear": v}}, epoch=e) for e, v in ((1, 2), (2, 4))]
    one = run(samples, reducers=["mean", "max"], scores=[])
    stats = by_name(one.stats())["stats.mean"]
    assert (stats["judge/clear"], stats["judge/clear@max"]) == (3, 4)
    frame = by_name(one.per_instance_stats(), "per_instance_stats.stats")
    assert frame.loc["judge/clear", "per_instance_stats.stats.mean"].tolist() == [2, 4]
    assert frame.loc[["judge/clear@max"], "per_instance_stats.stats.mean"].tolist() == [4]


# ---------- objects


def test_runs_are_a_sequence_without_those_that_did_not_end(tmp_path):
    write(tmp_path / "a.eval", log([sample(1, "C")], id="a", model="openai/a"))
    write(tmp_path / "b.eval", log([sample(1, "C")], id="b", model="openai/b", status="error"))
    write(tmp_path / "c.eval", log([sample(1, "C")], id="c", model="openai/c"))
    runs = InspectRuns(tmp_path)
    assert [r.header.eval_id for r in runs] == ["a", "c"]
    assert (len(runs), runs[-1].name, len(runs[:1])) == (2, runs[1].name, 1)
    assert [p.code for p in runs.problems] == ["unfinished"]
    assert len(InspectRuns.of(runs[1:])) == 1
    assert [s.id for s in runs[0].samples()] == ["1"]
    import suites

    assert len(suites.read(runs)) == 2
    assert len(suites.read(runs[0])) == 1


def test_a_frame_that_cannot_be_read_is_told(run):
    from pathlib import Path

    one = run([sample(1, "C")])
    Path(one.path).unlink()
    with pytest.raises(UsageError, match="stats cannot be read"):
        one.stats()
