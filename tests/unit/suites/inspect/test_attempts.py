"""Which of several logs of one evaluation counts."""

import itertools

import pytest
from inspect_logs import log, sample, write

from suites.inspect.attempts import Candidate, choose
from suites.inspect.log import Log

CELL = ("m", "s", "c")


def count(log: Log) -> int:
    return sum(row.error is None and bool(row.scores) for row in log.rows())


def chosen(logs, cells=None, scored=count):
    """Give the places of what is kept, and code by place of the others; in any order the same."""
    cells = cells or [CELL] * len(logs)
    outcomes = []
    for order in itertools.permutations(range(len(logs))):
        kept, lost = choose([Candidate(logs[i], cells[i]) for i in order], scored)
        place = {id(each): i for i, each in enumerate(logs)}
        kept_places = [place[id(c.log)] for c in kept]
        assert kept_places == [i for i in order if i in kept_places]  # in the order given
        assert all(s.by is not s.log for s in lost)
        outcomes.append((sorted(kept_places), {place[id(s.log)]: s.code for s in lost}))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    return outcomes[0]


@pytest.fixture
def make(tmp_path):
    """Give a function that writes a log and opens it."""
    numbers = itertools.count()

    def made(name=None, right=1, wrong=0, **fields) -> Log:
        samples = [sample(i, "C") for i in range(right)]
        samples += [sample(f"e{i}", error="boom") for i in range(wrong)]
        shape = {"header": fields.get("status") != "started"}
        path = write(tmp_path / (name or f"{next(numbers)}.eval"), log(samples, **fields), **shape)
        return Log.open(str(path))

    return made


def at(hour: int, offset: str = "+00:00") -> str:
    return f"2026-03-01T{hour:02}:00:00{offset}"


def ended(time: str) -> dict:
    return {"started_at": at(0), "completed_at": time, "model_usage": {}}


# ---------- tries


def test_logs_of_different_evaluations_are_all_kept(make):
    logs = [make(id="e1", task_id="t1"), make(id="e2", task_id="t2"), make(id="e3", task_id="t3")]
    assert chosen(logs) == ([0, 1, 2], {})


def test_success_wins_over_an_error_that_came_later(make):
    logs = [
        make(id="e1", task_id="t", created=at(1), status="error", wrong=2),
        make(id="e2", task_id="t", created=at(2)),
        make(id="e3", task_id="t", created=at(3), status="error", right=5),
    ]
    assert chosen(logs) == ([1], {0: "superseded", 2: "superseded"})


def test_of_two_successes_the_newer_counts_whatever_the_offset_of_its_clock(make):
    logs = [
        make(id="e1", task_id="t", created=at(9, "-05:00"), right=1),  # 14:00 UTC
        make(id="e2", task_id="t", created=at(13), right=5),
    ]
    assert chosen(logs) == ([0], {1: "superseded"})


def test_of_failures_the_farthest_counts(make):
    logs = [
        make(id="e1", task_id="t", created=at(1), status="error", right=5, wrong=9),
        make(id="e2", task_id="t", created=at(2), status="cancelled", right=3),
        make(id="e3", task_id="t", created=at(3), status="started", right=2),
    ]
    assert chosen(logs) == ([0], {1: "superseded", 2: "superseded"})


def test_of_failures_that_came_equally_far_the_newest_counts(make):
    logs = [make(id=f"e{h}", task_id="t", created=at(h), status="error") for h in (1, 3, 2)]
    assert chosen(logs) == ([1], {0: "superseded", 2: "superseded"})


def test_samples_are_counted_only_where_no_try_succeeded(make):
    def never(log):
        raise AssertionError("not needed")

    logs = [make(id="e1", task_id="t", status="error"), make(id="e2", task_id="t"), make(id="e3")]
    assert chosen(logs, scored=never)[0] == [1, 2]


def test_another_cell_or_no_task_id_is_another_evaluation(make):
    logs = [make(id="e1", task_id="t"), make(id="e2", task_id="t")]
    assert chosen(logs, [("m", "s", "c"), ("m2", "s", "c")]) == ([0, 1], {})
    nameless = [make(id=f"n{i}", eval={"task_id": None}) for i in range(2)]
    assert chosen(nameless) == ([0, 1], {})


# ---------- copies


def test_of_copies_of_one_log_one_is_kept(make):
    logs = [make("a.eval"), make("folder/a.eval"), make("a (1).eval")]
    assert chosen(logs) == ([0], {1: "duplicate-log", 2: "duplicate-log"})


def test_a_copy_that_was_scored_again_is_the_log(make):
    """Its scorers are others, so its condition is another; it is the same evaluation still."""
    logs = [
        make("a.eval", stats=ended(at(20, "+09:00"))),  # 11:00 UTC
        make("a-scored.eval", stats=ended(at(12))),
    ]
    assert chosen(logs, [("m", "s", "c1"), ("m", "s", "c2")]) == ([1], {0: "duplicate-log"})


def test_a_recovered_copy_wins_over_what_it_was_recovered_from(make):
    logs = [make("a.eval", status="started"), make("a-recovered.eval", stats=ended(at(1)))]
    assert chosen(logs) == ([1], {0: "duplicate-log"})


def test_a_copy_that_was_taken_before_the_end_loses_whatever_its_clock_says(make):
    logs = [
        make("a.eval", stats=ended(at(1))),
        make("b.eval", status="error", stats=ended(at(9)), right=5),
    ]
    assert chosen(logs) == ([0], {1: "duplicate-log"})


def test_a_copy_that_was_edited_wins(make):
    edits = [{"edits": [{"tags_add": ["x"]}]}]
    assert chosen([make("a.eval", right=5), make("b.eval", log_updates=edits)])[0] == [1]
    assert chosen([make("c.eval", right=5), make("d.eval", invalidated=True)])[0] == [1]


def test_the_longer_of_copies_wins_when_nothing_else_tells(make):
    assert chosen([make("a.eval", right=1), make("b.eval", right=9)])[0] == [1]


def test_a_copy_of_a_failed_try_goes_with_it(make):
    logs = [
        make("a.eval", id="e1", task_id="t", status="error"),
        make("copy/a.eval", id="e1", task_id="t", status="error"),
        make("b.eval", id="e2", task_id="t"),
    ]
    assert chosen(logs) == ([2], {0: "superseded", 1: "duplicate-log"})


# ---------- shards


def test_shards_of_a_merged_log_are_left_out(make):
    parts = [make(f"a.shards/{i}/x.eval", id=f"s{i}", task_id=f"s{i}") for i in range(2)]
    assert chosen([*parts, make("a.eval", right=2)]) == ([2], {0: "shard", 1: "shard"})
    assert chosen([*parts, make("a-recovered.eval")])[0] == [2]


def test_shards_are_read_where_their_log_is_not_whole(make):
    parts = [make(f"a.shards/{i}/x.eval", id=f"s{i}", task_id=f"s{i}") for i in range(2)]
    assert chosen(parts) == ([0, 1], {})
    assert chosen([*parts, make("a.eval", status="error", id="x")])[0] == [0, 1, 2]
    assert chosen([*parts, make("b.eval", id="y")])[0] == [0, 1, 2]
