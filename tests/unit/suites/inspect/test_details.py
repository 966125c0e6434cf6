"""What logs say beside the common columns."""

import math

import pyarrow as pa
import pytest
from inspect_logs import log, sample, write

from suites.inspect.details import flattened, instance_hash, response_details, run_details, typed
from suites.inspect.log import Log
from suites.inspect.rows import DetailedRow


def details(samples, metrics=None, tmp=None, **fields):
    """Give the columns of the responses of all samples, in their order, as lists."""
    made = Log.open(str(write(tmp / "a.eval", log(samples, **fields))))
    rows = made.rows(DetailedRow)
    metrics = metrics or ["match"]
    pairs = [(i, m) for i in range(len(rows)) for m in metrics]
    found = response_details(made.header, rows, [i for i, _ in pairs], [m for _, m in pairs])
    assert all(name.startswith("inspect.") for name in found)
    return {name.removeprefix("inspect."): column.to_pylist() for name, column in found.items()}


def test_the_details_of_a_sample(tmp_path):
    own = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "total_cost": 0.25}
    one = sample(
        1, "C",
        model_usage={"openai/gpt-5": own, "openai/judge": {"total_tokens": 900}},
        total_time=2.5, working_time=1, started_at="s", completed_at="c", retries=2,
        limit={"type": "time", "limit": 3.0}, message_count=4,
        metadata={"level": "hard", "nested": {"n": 1}, "list": [1, 2]},
    )  # fmt: skip
    other = sample(2, error={"message": "boom", "traceback": "…"}, uuid=None)
    found = details([one, other], tmp=tmp_path)
    assert {k: v[0] for k, v in found.items() if v[0] is not None} == {
        "uuid": "uuid-1-1",
        "limit": "time",
        "retries": 2,
        "started_at": "s",
        "completed_at": "c",
        "total_time": 2.5,
        "working_time": 1.0,
        "message_count": 4,
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "total_cost": 0.25,
        "metadata.level": "hard",
        "metadata.nested.n": 1,
        "metadata.list": "[1,2]",
        "raw": '"C"',
    }
    assert found["error"] == [None, "boom"]


def test_graders_are_not_counted_as_the_model(tmp_path):
    usage = {"openai/judge": {"total_tokens": 900}}
    assert "total_tokens" not in details([sample(1, "C", model_usage=usage)], tmp=tmp_path)


def test_the_details_of_a_score_are_those_of_its_own_metric(tmp_path):
    one = sample(1, scores={"a": {"b": "C", "c": 2}, "a/b/c": 1, "s": [math.nan, 3]})
    one["scores"]["a"] |= {"answer": "from a", "explanation": "since"}
    one["scores"]["a/b/c"]["answer"] = "from a/b/c"
    one["scores"]["s"] |= {"reason": "no answer", "metadata": {"unscored_reason": "older"}}
    found = details([one], ["a/b", "a/c", "a/b/c", "s[0]", "s[1]", "a/b@max"], tmp_path)
    assert found["answer"] == ["from a", "from a", "from a/b/c", None, None, None]
    assert found["explanation"] == ["since", "since", None, None, None, None]
    assert found["raw"] == ['"C"', None, None, "NaN", None, None]
    assert found["unscored_reason"][3] == "no answer"


def test_why_a_score_is_missing_in_older_logs(tmp_path):
    one = sample(1, scores={"match": math.nan})
    one["scores"]["match"]["metadata"] = {"unscored_reason": "refused"}
    assert details([one], tmp=tmp_path)["unscored_reason"] == ["refused"]


def test_retries_are_counted_from_the_tries_where_these_are_there(tmp_path):
    one = sample(1, "C", error_retries=[{"message": "a"}, {"message": "b"}])
    made = Log.open(str(write(tmp_path / "a.json", log([one]))))
    found = response_details(made.header, made.rows(DetailedRow), [0], ["match"])
    assert found["inspect.retries"].to_pylist() == [2]


def test_the_details_of_a_run(tmp_path):
    made = log(
        [sample(1, "C"), sample(1, "I", 2)],
        task_id="t1",
        reducers=["mean", "max"],
        eval={"tags": ["a"], "metadata": {"x": {"y": 1}}, "packages": {"inspect_ai": "0.3.285"},
              "config": {"epochs": 2, "message_limit": 30, "time_limit": "odd"}},
        stats={"started_at": "s", "model_usage": {"openai/gpt-5": {"total_tokens": 7}}},
        status="error",
        error={"message": "no money"},
    )  # fmt: skip
    found = run_details(Log.open(str(write(tmp_path / "a.eval", made))), "2025-08-07")
    assert found == {
        "inspect.status": "error",
        "inspect.eval_id": "e1",
        "inspect.run_id": "run-of-e1",
        "inspect.task_id": "t1",
        "inspect.model_snapshot": "2025-08-07",
        "inspect.version": "0.3.285",
        "inspect.epochs": 2,
        "inspect.error": "no money",
        "inspect.tags": '["a"]',
        "inspect.started_at": "s",
        "inspect.file": str(tmp_path / "a.eval"),
        "inspect.message_limit": 30,
        "inspect.total_tokens": 7,
        "inspect.metadata.x.y": 1,
    }


# ---------- the hash of an instance


def test_the_same_question_has_one_hash_wherever_it_is_asked():
    base = {"input": "2+2?", "target": "4", "choices": ["3", "4"]}
    first = instance_hash(DetailedRow(id=1, **base))
    assert instance_hash(DetailedRow(id="other", epoch=3, scores={}, **base)) == first
    for change in ({"input": "2+3?"}, {"target": "5"}, {"choices": ["4", "3"]}, {"choices": None}):
        assert instance_hash(DetailedRow(id=1, **{**base, **change})) != first


def test_the_ids_of_messages_do_not_count():
    one, two = ([{"role": "user", "content": "Hi", "id": i}] for i in ("a", "b"))
    assert instance_hash(DetailedRow(input=one)) == instance_hash(DetailedRow(input=two))
    system = [{"role": "system", "content": "Hi", "id": "a"}]
    assert instance_hash(DetailedRow(input=one)) != instance_hash(DetailedRow(input=system))


@pytest.mark.parametrize("field", ["input", "target"])
def test_what_the_summary_cut_has_no_hash(field):
    row = DetailedRow(id=1, input="long", target="long")
    setattr(row, field, "a long text...\n(content truncated)")
    assert instance_hash(row) is None
    assert instance_hash(DetailedRow(id=1)) is None


def test_what_is_nested_too_deeply_is_left_out():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert dict(flattened({"a": deep, "b": 1}))["b"] == 1
    assert instance_hash(DetailedRow(id=1, input=deep)) is None


# ---------- columns


@pytest.mark.parametrize(
    ("values", "type_", "made"),
    [
        ([1, None, 3], pa.int64(), [1, None, 3]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["a", 1, None], pa.string(), ["a", "1", None]),
        ([2**70], pa.float64(), [2.0**70]),
        ([10**400], pa.float64(), [math.inf]),
        (["\ud800"], pa.string(), ["?"]),
        ([None], pa.float64(), [None]),
    ],
)
def test_a_column_takes_the_type_that_all_its_values_have(values, type_, made):
    column = typed(values)
    assert (column.type, column.to_pylist()) == (type_, made)
