"""What extractors see: Inspect's attributes over decoded logs."""

import importlib.util
import json

import inspect_logs as made
import pytest

from hibayes.load import extractor
from hibayes.load.attributes import View
from hibayes.load.views import LogRow, RunView, SampleView
from suites.errors import NotInstalled
from suites.inspect.log import Log

CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "2+2?"}]},
    {"role": "assistant", "content": "4", "tool_calls": [{"id": "c", "function": "bash"}]},
]


def views(folder, *samples, name="a.eval", shape=None, **fields):
    log = Log.open(str(made.write(folder / name, made.log(list(samples), **fields), **shape or {})))
    run = RunView(log)
    return [SampleView(row, run) for row in log.rows(LogRow)], run


@pytest.fixture(params=["a.eval", "a.json"])
def one(tmp_path, request):
    sample = made.sample(
        7,
        "C",
        metadata={"level": 2},
        choices=["4", "5"],
        messages=CONVERSATION,
        events=[{"event": "model", "model": "m"}],
        output={
            "model": "m",
            "choices": [{"message": CONVERSATION[2], "stop_reason": "stop"}],
            "usage": {"input_tokens": 3},
        },
        model_usage={"m": {"input_tokens": 3, "total_tokens": 5}},
        error={"message": "late", "traceback": "…"},
        limit={"type": "token", "limit": 5},
    )
    found, run = views(
        tmp_path,
        sample,
        name=request.param,
        eval={"model_args": {"device": "cpu"}, "task_args": {"k": 1}},
    )
    return found[0], run


def test_a_sample_has_the_attributes_of_inspects(one):
    sample, _ = one
    assert (sample.id, sample.epoch, sample.target, sample.choices) == (7, 1, "yes", ["4", "5"])
    assert sample.input == "question 7"
    assert sample.metadata == {"level": 2}
    assert sample.scores["match"].value == sample.score.value == "C"
    assert sample.scores["match"].as_float() == 1.0
    assert sample.scores["match"].explanation is None
    assert [m.role for m in sample.messages] == ["system", "user", "assistant"]
    assert sample.messages[1].text == "2+2?"
    assert sample.messages[2].tool_calls[0].function == "bash"
    assert sample.messages[0].tool_calls is None
    assert sample.message_count == 3
    assert sample.output.completion == "4"
    assert sample.output.stop_reason == "stop"
    assert sample.output.choices[0].message.content == "4"
    assert sample.output.usage.output_tokens is None
    assert sample.events[0].event == "model"
    assert sample.model_usage["m"].total_tokens == 5
    assert sample.model_usage["m"].input_tokens_cache_read is None
    assert sample.error.message == "late"
    assert sample.limit.type == "token"
    assert sample.uuid == "uuid-7-1"


def test_a_log_has_the_attributes_of_inspects(one):
    _, log = one
    assert (log.status, log.version, log.eval.model) == ("success", 2, "openai/gpt-5")
    assert (log.eval.task, log.eval.dataset.name, log.eval.dataset.samples) == ("sums", "sums", 1)
    assert log.eval.task_args == {"k": 1}
    assert log.eval.model_args == {"device": "cpu"}
    assert log.eval.metadata is None
    assert log.plan.steps[0].solver == "generate"
    assert log.plan.steps[0].params == {}
    assert log.stats.completed_at == made.CREATED
    assert log.results.scores[0].metrics["accuracy"]["value"] == 1.0
    assert (log.tags, log.metadata, log.error) == ([], {}, None)


def test_a_slip_is_an_error_and_not_none(one):
    sample, log = one
    with pytest.raises(AttributeError, match="the log has no field 'modle' here"):
        _ = log.eval.modle
    with pytest.raises(AttributeError):
        _ = View({"role": "user"}).rolle
    if importlib.util.find_spec("inspect_ai") is None:
        with pytest.raises(AttributeError, match="has no 'store' unless Inspect is installed"):
            _ = sample.store


def test_what_a_summary_cuts_is_read_in_full(tmp_path):
    long = "word " * 400
    whole = made.sample(1, metadata={"level": 1, "big": {"text": long}}, scores={})
    whole["scores"] = {"match": {"value": "C", "explanation": long, "answer": "a"}}
    whole |= {"input": long, "target": [long]}
    log = made.log([whole])
    path = made.write(tmp_path / "a.eval", log)
    cut = f"{long[:100]}...\n(content truncated)"
    summary = {
        **made.summary(whole),
        "input": cut,
        "target": [cut],
        "metadata": {"level": 1, "big": "Key removed from summary (> 1k)"},
        "scores": {"match": {"value": "C", "explanation": cut, "answer": "a"}},
    }
    members = [m for m in made.members(log) if m[0] != "summaries.json"]
    path.write_bytes(made.zipped([*members, ("summaries.json", json.dumps([summary]).encode())]))
    opened = Log.open(str(path))
    run = RunView(opened)
    (row,) = opened.rows(LogRow)
    sample = SampleView(row, run)
    assert sample.scores["match"].answer == "a"
    assert run._reading is None  # nothing was read in full so far
    assert sample.input == long
    assert sample.target == [long]
    assert sample.metadata["big"] == {"text": long}
    assert sample.scores["match"].explanation == long


def test_samples_are_read_in_full_in_one_pass(tmp_path):
    samples = [made.sample(i, "C", messages=CONVERSATION[:i]) for i in (1, 2, 3)]
    found, run = views(tmp_path, *samples)
    assert [len(s.messages) for s in reversed(found)] == [3, 2, 1]
    assert not run._passed  # none is kept when all were asked for


@pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is not None, reason="Inspect is here")
def test_an_extractor_that_needs_inspect_says_so_where_it_is_missing(tmp_path):
    from hibayes.load import DataLoaderConfig, get_sample_df

    @extractor(needs="inspect_ai")
    def their_own():
        def extract(sample, eval_log):
            return {"kind": type(sample).__name__}

        return extract

    made.write(tmp_path / "a.eval", made.log([made.sample(1, "C")]))
    config = DataLoaderConfig([their_own()], [str(tmp_path)])
    with pytest.raises(NotInstalled, match=r"benchcast\[inspect\]"):
        get_sample_df(config)


def test_an_extractor_that_needs_inspect_gets_its_objects(made_logs):
    pytest.importorskip("inspect_ai")
    from hibayes.load import DataLoaderConfig, get_sample_df

    @extractor(needs="inspect_ai")
    def their_objects():
        def extract(sample, eval_log):
            kinds = f"{type(sample).__name__} {type(eval_log).__name__}"
            return {"kind": kinds, "text": sample.output.completion}

        return extract

    @extractor
    def by_the_way():
        def extract(sample, eval_log):
            return {"store": len(sample.store)}  # only Inspect's own object has it

        return extract

    out = made_logs("own", "--models", "1", "--tasks", "1", "--samples", "3")
    workers = [their_objects(), by_the_way()]
    frame = get_sample_df(DataLoaderConfig(workers, [str(out / "logs")]))
    assert frame["store"].tolist() == [0, 0, 0]
    assert frame["kind"].tolist() == ["EvalSample EvalLog"] * 3
    assert frame["text"].isin(["yes", "no"]).all()
