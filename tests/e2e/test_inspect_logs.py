"""Real logs of Inspect, and what Inspect itself read in them."""

from __future__ import annotations

from collections import Counter

import inspect_oracle as oracle
import pytest

import suites
from suites.inspect.objects import InspectRuns

# Of 122 logs; what Inspect reads is stored, so these are fixed.
DIFFERENCES = {
    oracle.REFUSED_READ: 12,
    oracle.REFUSED_BOTH: 4,
    oracle.NULL: 8,
    oracle.INFINITE: 6,
    oracle.NO_NUMBER: 5,
    oracle.INVALIDATED: 2,
    oracle.FROM_SAMPLES: 1,
    oracle.STALE: 1,
}


def test_every_log_is_read_as_inspect_reads_it_or_the_difference_has_a_reason(
    shared_logs, inspects_readings
):
    facts, differences = 0, []
    for record in inspects_readings:
        count, found = oracle.compare(record, shared_logs)
        facts += count
        differences += found
    assert [d for d in differences if not d.reason] == []
    assert Counter(d.reason for d in differences) == DIFFERENCES
    assert len(inspects_readings) == 122
    assert facts > 10_000


def test_every_log_that_nothing_can_read_is_told_of_with_its_cause(shared_logs):
    suite = suites.read(shared_logs)
    problems = suite.problems.set_index("file")["code"]
    for file, code in {
        "inspect_ai-history/tests/log/test_eval_log/long_log.eval": "lfs-pointer",
        "made-edge-cases/hostile/lfs_pointer.eval": "lfs-pointer",
        "made-edge-cases/hostile/no_header_no_start.eval": "missing-member",
        "made-edge-cases/hostile/truncated.eval": "cut-off",
    }.items():
        assert problems[file] == code


def test_what_is_no_log_is_not_told_of(shared_logs):
    others = ("listing.json", "98ea850e-7019-4728-a558-8b1819ec47c2.json", "lm_eval/")
    told = [problem.file or "" for problem in InspectRuns(shared_logs).problems]
    assert told
    assert [file for file in told if any(other in file for other in others)] == []


def test_the_grid_of_a_real_project_is_22_cells(shared_logs):
    suite = suites.read(shared_logs / "cdinu-civic-misinfo")
    runs = suite.runs
    full = runs[runs["n"] > 2]  # beside two runs of two samples each
    assert len(full) == 22
    assert full["model"].nunique() == 6
    assert full["metric"].unique().tolist() == ["model_graded_qa"]
    verified = suite.verify()
    assert verified["recomputed"].notna().all()
    assert "not-recomputed" not in set(suite.problems["code"])


def test_of_a_failed_evaluation_and_its_retry_the_retry_counts(shared_logs):
    suite = suites.read(shared_logs / "monty-hall")
    superseded = suite.problems.query("code == 'superseded'")["file"]
    assert sorted(name.rpartition("/")[2][:19] for name in superseded) == [
        "2026-05-10T21-53-54",
        "2026-05-10T21-53-55",
    ]
    assert len(suite.select(reruns="all")) == 3


@pytest.mark.parametrize("pack", ["cdinu-civic-misinfo", "inspect_ai-tests", "inspect_ai-history"])
def test_frames_and_texts_of_real_logs_can_be_had(shared_logs, pack):
    for run in InspectRuns(shared_logs / pack):
        samples = list(run.samples())
        assert len(run.scenario_state()) == len(samples)
        assert len(run.run_spec()) == 1
        assert len(run.stats()) > 0
        assert run.per_instance_stats() is not None
        for sample in samples:
            assert isinstance(sample.prompt, str)
            assert isinstance(sample.events, list)
