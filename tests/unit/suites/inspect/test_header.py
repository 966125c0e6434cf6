"""Headers of all versions, and of none."""

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.inspect.header import Header, HeaderDocument, moment, number, read_header, whole


def header(eval=None, **top) -> Header:
    spec = {"task": "sums", "model": "openai/gpt-5", **(eval or {})}
    found = read_header(HeaderDocument(eval=spec, **{"status": "success", **top}))
    assert found is not None
    return found


# ---------- versions


def test_a_header_of_august_2024():
    """No eval_id, no sample ids, ``options`` of metrics, one scorer's parameters."""
    found = header(
        {
            "task_id": "5EAmX6wjMFqea6WY7XHzZp",
            "run_id": "o6Sd6xm3yv7pcqhmX2MJn9",
            "created": "2024-08-29T15:11:08+00:00",
            "task_args": {"model": None},
            "dataset": {"name": "popularity", "samples": 100},
            "config": {"limit": 1},
        },
        results={
            "total_samples": 1,
            "completed_samples": 1,
            "scores": [{
                "name": "match",
                "scorer": "match",
                "params": {},
                "metrics": {
                    "accuracy": {"name": "accuracy", "value": 0.25, "options": {"a": 1}},
                    "stderr": {"name": "stderr", "value": 0, "options": {}},
                },
            }],
        },
    )  # fmt: skip
    assert found.eval_id == "Tayt2UbV96TZqmuLo2MGgh"
    assert (found.epochs, found.reducers, found.sample_ids) == (1, (), [])
    (score,) = found.scores
    assert score.metrics == {"accuracy": (0.25, {"a": 1}), "stderr": (0.0, {})}
    assert (score.reducer, score.scored, score.unscored) == (None, None, None)
    assert (found.total, found.completed) == (1, 1)


def test_a_header_of_early_2024_has_one_scorer():
    for scorer in ({"name": "match", "params": {}}, "match"):
        metrics = {"accuracy": {"name": "accuracy", "value": 0.5}}
        (score,) = header(results={"scorer": scorer, "metrics": metrics}).scores
        assert (score.name, score.scorer, score.metrics["accuracy"][0]) == ("match", "match", 0.5)


def test_a_header_of_today():
    found = header(
        {
            "eval_id": "e",
            "run_id": "r",
            "task_id": "t",
            "task": "inspect_evals/gpqa",
            "task_version": "2-A",
            "task_args": {"cot": True, "default": 1},
            "task_args_passed": {"cot": True},
            "created": "2026-03-01T10:00:00-05:00",
            "dataset": {"samples": 100, "sample_ids": [1, "b"]},
            "config": {"epochs": 3, "epochs_reducer": ["mean", "pass_at_2"]},
            "packages": {"inspect_ai": "0.3.285"},
            "model_args": {"key": "secret"},
            "viewer": {"large": True},
        },
        version=2,
        results={
            "scores": [{
                "name": "clear",
                "scorer": "judge",
                "reducer": "pass_at_2",
                "scored_samples": 9,
                "unscored_samples": 1,
                "metrics": {"mean": {"name": "mean", "value": 4.5, "params": {"x": 2}}},
            }],
        },
        stats={"started_at": "s", "completed_at": "c", "model_usage": {"m": {"total_tokens": 5}}},
    )  # fmt: skip
    assert (found.eval_id, found.task, found.task_version) == ("e", "inspect_evals/gpqa", "2-A")
    assert found.task_args == {"cot": True}
    assert found.created == dt.datetime(2026, 3, 1, 15)
    assert (found.sample_ids, found.epochs) == (["1", "b"], 3)
    assert found.reducers == ("mean", "pass_at_2")
    assert found.package == "0.3.285"
    assert not {"model_args", "viewer"} & set(found.spec)
    (score,) = found.scores
    assert (score.name, score.scorer, score.reducer) == ("clear", "judge", "pass_at_2")
    assert (score.scored, score.unscored) == (9, 1)
    assert score.metrics == {"mean": (4.5, {"x": 2})}
    assert (found.started, found.ended) == ("s", "c")
    assert found.usage["m"] == {"total_tokens": 5}
    assert (found.version, found.finished) == (2, True)


# ---------- ids and times


# as inspect_ai 0.3.285 makes them for these logs of its own repository
@pytest.mark.parametrize(
    ("run_id", "task_id", "created", "eval_id"),
    [
        ("BpiPFmbVcMCRUAXv8ovCTx", "9eTnG3tV8jGRYoTPMH54Ee", "2024-10-15T12:53:13-04:00",
         "FDENXLYYaukMN6EbfnNHvk"),
        ("4hZVSqgqbdNBk7pFLr5RWq", "Mkzb9fyni2GsX4NSg2b7AF", "2024-10-22T08:07:14+01:00",
         "V85k4chkdHoBbEZoN4w4Yf"),
        ("3RWm2YmdLiKCyQMzEcERin", "WckPjG7ovQZLAiZF2fZpog", "2024-11-05T20:04:20+00:00",
         "4Zaqfk63nWcZsKUYJUjNa3"),
        ("nnS4q9qsuCrCzsBcQLnBLA", "dPiJifoWeEQBrfWsAopzWr", "2025-02-11T15:17:00-05:00",
         "abH5QLZee2v5LcK2qAXtCe"),
        ("...", "...", "2025-02-07T00:00:00+00:00", "VdVqsmwWdtzxkRpayJ9TRL"),
    ],
)  # fmt: skip
def test_a_log_without_an_id_gets_that_of_inspect(run_id, task_id, created, eval_id):
    found = header({"run_id": run_id, "task_id": task_id, "created": created})
    assert found.eval_id == eval_id


def test_logs_that_differ_have_ids_that_differ():
    base = {"run_id": "r", "task_id": "t", "created": "2025-01-01T00:00:00+00:00"}
    ids = {header({**base, key: value}).eval_id for key, value in base.items()}
    ids |= {header({**base, key: None}).eval_id for key in base}
    assert len(ids) == 4
    assert header({**base, "eval_id": "own"}).eval_id == "own"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-05-12T20:27:36-04:00", dt.datetime(2025, 5, 13, 0, 27, 36)),
        ("2025-05-12T20:27:36+05:30", dt.datetime(2025, 5, 12, 14, 57, 36)),
        ("2025-05-12T20:27:36Z", dt.datetime(2025, 5, 12, 20, 27, 36)),
        ("2025-05-12T20:27:36", dt.datetime(2025, 5, 12, 20, 27, 36)),
        ("2025-05-12T20:27:36.5+00:00", dt.datetime(2025, 5, 12, 20, 27, 36, 500000)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_utc(text, time):
    assert moment(text) == time


# ---------- status


@pytest.mark.parametrize("status", ["success", "started", "cancelled", "error", "a new one"])
def test_only_success_is_the_end(status):
    found = header(status=status)
    assert (found.status, found.finished) == (status, status == "success")


def test_without_its_end_a_log_is_started_whatever_it_says():
    document = HeaderDocument(eval={"task": "t", "model": "m"}, status="success")
    assert read_header(document, unfinished=True).status == "started"
    assert header(status=None).status == "started"


def test_an_error_is_told_by_its_message():
    assert header(error={"message": "no money", "traceback": "…"}).error == "no money"
    assert header(error="no money").error == "no money"
    assert header(error={}).error is None


@pytest.mark.parametrize("spec", [None, [], {}, {"task": "t"}, {"model": "m"}, {"task": 1}, "x"])
def test_what_names_neither_task_nor_model_is_no_log(spec):
    assert read_header(HeaderDocument(eval=spec, status="success")) is None


@pytest.mark.parametrize(
    ("version", "shown"), [(0, None), ("0", None), ("", None), (None, None), (True, None),
                           (3, "3"), ("2-A", "2-A"), (1.5, "1.5"), ([], None), ({"a": 1}, None)]
)  # fmt: skip
def test_versions_of_tasks(version, shown):
    assert header({"task_version": version}).task_version == shown


def test_arguments_that_were_passed_come_first_even_when_there_are_none():
    assert header({"task_args": {"a": 1}, "task_args_passed": {}}).task_args == {}
    assert header({"task_args": {"a": 1}, "task_args_passed": None}).task_args == {"a": 1}


# ---------- tags and metadata after edits


def test_edits_are_replayed():
    found = header(
        {"tags": ["a", "b"], "metadata": {"x": 1, "y": 2}},
        log_updates=[
            {"edits": [{"tags_add": ["c", "a"], "tags_remove": ["b"]}]},
            {"edits": [{"metadata_set": {"x": 5, "z": 6}, "metadata_remove": ["x", "y"]}]},
            {"edits": [{"tags_remove": ["c"]}, {"tags_add": ["c", "d"]}]},
        ],
    )
    assert found.tags == ["a", "c", "d"]
    assert found.metadata == {"x": 5, "z": 6}
    assert found.edited


def test_the_outcome_of_edits_comes_first_where_it_is_written():
    edits = [{"edits": [{"tags_add": ["c"]}]}]
    found = header({"tags": ["a"], "metadata": {"x": 1}}, tags=[], metadata={}, log_updates=edits)
    assert (found.tags, found.metadata) == ([], {})
    untouched = header({"tags": ["a"], "metadata": {"x": 1}})
    assert (untouched.tags, untouched.metadata, untouched.edited) == (["a"], {"x": 1}, False)


# ---------- the headline


def test_the_headline_of_the_results_comes_before_that_of_the_task():
    said = {"scorer": "judge", "score": "clear", "metric": "mean", "reducer": None}
    found = header({"headline_metric": {"scorer": "x"}}, results={"headline": said})
    assert found.headline == {"scorer": "judge", "score": "clear", "metric": "mean"}
    assert header({"headline_metric": {"metric": "f1"}}).headline == {"metric": "f1"}
    assert header().headline == {}


# ---------- odd types


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "value", "edits", "scores", "metrics", "epochs", "x"]),
        inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
SPEC = ["eval_id", "run_id", "task_id", "task_version", "task_args", "task_args_passed", "created",
        "config", "dataset", "tags", "metadata", "packages", "headline_metric"]  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(SPEC), anything),
    st.dictionaries(st.sampled_from(HeaderDocument.__struct_fields__[1:]), anything),
)
def test_a_field_of_any_other_type_counts_as_absent(spec, top):
    found = header(spec, **top)
    assert found.epochs >= 1
    assert isinstance(found.eval_id, str)
    assert all(isinstance(i, str) for i in [*found.sample_ids, *found.tags])
    assert found.created is None or found.created.tzinfo is None
    for score in found.scores:
        assert all(isinstance(value, float) for value, _ in score.metrics.values())


def test_figures_of_any_sort():
    metrics = {
        "nan": {"value": math.nan},
        "inf": {"value": math.inf},
        "none": {"value": None},
        "text": {"value": "0.5"},
        "truth": {"value": True},
        "large": {"value": 10**400},
        "bare": 0.5,
    }
    (score,) = header(
        results={"scores": [{"name": "m", "metrics": metrics}, {"metrics": {}}]}
    ).scores
    assert list(score.metrics) == ["nan", "inf", "large"]
    assert score.metrics["large"][0] == math.inf


@pytest.mark.parametrize(
    ("value", "is_whole"),
    [(1, 1), (2.0, 2), (2.5, None), (True, None), ("1", None), (math.nan, None), (math.inf, None),
     (2**63, None), (1e300, None), (-3, -3)],
)  # fmt: skip
def test_whole_numbers(value, is_whole):
    assert whole(value) == is_whole
    assert number(True) is None
