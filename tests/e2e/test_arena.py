"""One seed of the arena: the figures of docs/results.md, within what one seed may be off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("BENCHCAST_SHARED", ROOT.parent / "shared")) / "data"

pytestmark = pytest.mark.skipif(
    not (DATA / "arena").is_dir(), reason=f"no arena at {DATA}: set BENCHCAST_SHARED"
)


@pytest.fixture(scope="module")
def ranking():
    table = DATA / "arena" / "openllm2.parquet"
    names = ["sample-mean", "beta-binomial", "additive-logit", "kernel-ridge"]
    results = harness.evaluate(str(table), names, k=[0, 10], folds=10, jobs=2)
    return results.ranking().set_index(["predictor", "k"])


@pytest.mark.parametrize(
    ("predictor", "k", "column", "expected", "off"),
    [
        ("scenario-mean", 0, "crps", 8.3, 0.3),
        ("sample-mean", 10, "absolute_error", 10.25, 0.35),
        ("beta-binomial", 10, "absolute_error", 6.87, 0.35),
        ("beta-binomial", 10, "crps", 4.85, 0.25),
        ("beta-binomial", 10, "coverage_90", 0.905, 0.03),
        ("additive-logit", 10, "crps", 4.17, 0.25),
        ("kernel-ridge", 0, "crps", 3.03, 0.2),
    ],
)
def test_a_figure_of_the_arena_is_what_was_measured(ranking, predictor, k, column, expected, off):
    assert ranking.loc[(predictor, k), column] == pytest.approx(expected, abs=off)


def test_the_arena_is_averaged_over_all_its_runs(ranking):
    assert set(ranking["n_targets"]) == {1995, 0}  # 0: the sample mean at k = 0


@pytest.mark.parametrize("name", ["psn12", "openllm1_reduced"])
def test_another_item_table_runs_by_the_same_call(name):
    table = DATA / "arena" / f"{name}.parquet"
    results = harness.evaluate(str(table), ["kernel-ridge"], k=[0, 10], folds=5, jobs=2)
    best = results.ranking(k=10).iloc[0]
    assert best["predictor"] == "kernel-ridge"
    assert best["skill"] > 0.3


@pytest.mark.slow
def test_one_worker_and_two_write_the_same_bytes(tmp_path):
    table = str(DATA / "arena" / "openllm2.parquet")
    for jobs in (1, 2):
        harness.evaluate(
            table, ["random", "kernel-ridge"], k=[0, 5], jobs=jobs, out=tmp_path / str(jobs)
        )
    for name in ("predictions", "scores", "status", "targets", "split", "loo"):
        one, two = ((tmp_path / str(jobs) / f"{name}.parquet").read_bytes() for jobs in (1, 2))
        assert one == two, name
