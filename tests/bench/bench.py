"""Timings, as ratios within one run: machines are noisy, so absolute seconds mean little.

    python tests/bench/bench.py [--write FILE]

Each line times two things in turn, five times, and gives the median of each and of their ratio.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

import harness
import suites
from harness.pool import Pool
from harness.server import PRELOAD

ROOT = Path(__file__).resolve().parents[2]
ARENA = Path(os.environ.get("BENCHCAST_SHARED", ROOT.parent / "shared")) / "data" / "arena"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE")
    options = parser.parse_args()
    lines = [
        "# Timings",
        "",
        "Written by `make bench`; seconds are those of one machine with "
        f"{os.cpu_count()} cores, ratios travel better.",
        "",
        "| what | s | against | s | ratio |",
        "|---|---|---|---|---|",
    ]
    for row in (commands(), responses(), frames(), workers(), jobs()):
        lines.append(row)
        print(row, file=sys.stderr)
    lines += ["", *arena()]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        Path(options.write).write_text(text, encoding="utf-8")


def commands() -> str:
    """`harness --help` against an interpreter that does nothing."""
    program = str(Path(sys.executable).parent / "harness")
    return _row(
        "`harness --help`",
        lambda: _run([program, "--help"]),
        "`python -c pass`",
        lambda: _run([sys.executable, "-c", "pass"]),
    )


def responses() -> str:
    """Main metric of 48 HELM runs against a bare decode of the same files."""
    suite = _demo("standin-v1")
    files = [run.path / "per_instance_stats.json" for run in suite.runs()]
    return _row(
        "responses of the main metric, 48 HELM runs",
        lambda: suites.read(suite.path).responses(),
        "bare JSON decode of the same files",
        lambda: [msgspec.json.decode(file.read_bytes()) for file in files],
    )


def frames() -> str:
    """The four frames of 48 HELM runs against a bare decode of all their files."""
    suite = _demo("standin-v1")
    names = ("run_spec", "scenario_state", "stats", "per_instance_stats")
    files = [run.path / f"{name}.json" for run in suite.runs() for name in names]
    runs = suite.runs()
    return _row(
        "the four frames, 48 HELM runs",
        lambda: (runs.run_spec(), runs.scenario_state(), runs.stats(), runs.per_instance_stats()),
        "bare JSON decode of the same files",
        lambda: [msgspec.json.decode(file.read_bytes()) for file in files],
    )


def workers() -> str:
    """A worker forked by the server against a new interpreter with the same imports."""
    with tempfile.TemporaryDirectory() as folder, Pool(Path(folder)) as pool:
        with pool.start("warm-up"):
            pass

        def fork() -> None:
            with pool.start("worker") as worker:
                load = {"module": "predictors.scenario_mean", "file": None, "cls": "ScenarioMean"}
                worker.call({"call": "load", "spec": {**load, "settings": "{}"}}, timeout=60)

        imports = "; ".join(f"import {name}" for name in (*PRELOAD, "predictors.scenario_mean"))
        return _row(
            "a worker, forked, with its predictor loaded",
            fork,
            "a new interpreter with the same imports",
            lambda: _run([sys.executable, "-c", imports]),
        )


def jobs() -> str:
    """Two workers at a time against one."""
    suite = suites.read("demo/standin-v1")
    names = ["kernel-ridge", "additive-logit", "beta-binomial"]
    return _row(
        "an evaluation of the demo with `jobs=2`",
        lambda: harness.evaluate(suite, names, k=[0, 5, 20], jobs=2),
        "with `jobs=1`",
        lambda: harness.evaluate(suite, names, k=[0, 5, 20], jobs=1),
        times=3,
    )


def arena() -> list[str]:
    """All baselines on the arena: wall seconds and memory of one command."""
    table = ARENA / "openllm2.parquet"
    if not table.is_file():
        return ["The arena is not here: set BENCHCAST_SHARED to the folder that holds data/."]
    command = "harness evaluate openllm2.parquet --k 0,1,2,5,10,20,50,100 --folds 10 --jobs 2"
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(sys.executable).parent / "harness")
        started = time.monotonic()
        words = [*command.split()[1:], "--out", f"{folder}/results"]
        words[1] = str(table)
        _run([program, *words])
        wall = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    return [
        f"All nine predictors on the arena (57 × 35 runs, 8 k, one seed): `{command}` took "
        f"{wall:.0f} s; its largest process used {peak:.2f} GiB.",
    ]


def _demo(name: str) -> suites.HelmSuite:
    return next(s for s in suites.HelmOutputs.demo().suites() if s.name == name)


def _row(
    what: str, left: Callable[[], object], against: str, right: Callable[[], object], times: int = 5
) -> str:
    pairs = []
    for _ in range(times):
        pairs.append((_seconds(left), _seconds(right)))
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    return f"| {what} | {a:.3f} | {against} | {b:.3f} | {ratio:.2f} |"


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
