"""Damaged logs, of every kind there is: nothing but a `UsageError`, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import mutate
import pytest

from suites.reading import demo_path

SEED = 20_260_301
SMALL_BOMBS = [
    "zstandard_of_5_gib_declared",
    "zstandard_of_3_gib_declared_as_little",
    "header_with_40_million_numbers",
    "a_billion_epochs",
]


def whole_logs(root: Path | None) -> list[str]:
    """Some logs of the demo; with a folder of others, these too."""
    found = sorted(Path(demo_path("demo/inspect")).iterdir())[::10]
    for path in sorted(root.rglob("*")) if root is not None else ():
        if "hostile" in path.parts or path.suffix not in (".eval", ".json"):
            continue
        head = path.read_bytes()[:4096]
        if head[:2] == b"PK" or b'"eval"' in head:
            found.append(path)
    return [str(path) for path in found]


def run(words: list[str], folder: Path) -> list[dict]:
    """Run the program that reads damaged logs; a process that dies says on what and where."""
    done = subprocess.run(
        [sys.executable, mutate.__file__, *words], capture_output=True, text=True, cwd=folder
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died on {lines[-1:]}: {done.stderr[-3000:]}"
    return [line for line in lines if "outcome" in line]


def check(lines: list[dict]) -> None:
    raised = [line for line in lines if line["outcome"] == "raised"]
    assert [(line.get("number"), line["kind"]) for line in raised] == [], raised[0]["error"]
    assert max(line["peak"] for line in lines) < mutate.MOST_MEMORY >> 20
    sys.stdout.write(f"{len(lines)} damaged logs: {Counter(x['outcome'] for x in lines)}, ")
    sys.stdout.write(f"at most {max(line['peak'] for line in lines)} MiB, ")
    sys.stdout.write(f"{max(line['seconds'] for line in lines)} s\n")


def set_off(name: str, folder: Path) -> list[dict]:
    data = mutate.BOMBS[name]()
    path = folder / ("bomb.json" if data[:1] == b"{" else "bomb.eval")
    path.write_bytes(data)
    del data
    return run(["bomb", name, str(path)], folder)


def test_damaged_logs_of_every_kind_are_read_or_told_of(tmp_path):
    assert len(mutate.MUTATIONS) == 41
    lines = run(["mutations", str(SEED), "0", "164", str(tmp_path), *whole_logs(None)], tmp_path)
    assert {line["kind"] for line in lines} == set(mutate.MUTATIONS)
    check(lines)


@pytest.mark.parametrize("name", SMALL_BOMBS)
def test_a_small_file_that_holds_very_much_does_not_fill_the_memory(name, tmp_path):
    check(set_off(name, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(8))
def test_2000_damaged_real_logs_are_read_or_told_of(batch, shared_logs, tmp_path):
    first = batch * 250
    words = [str(SEED), str(first), str(first + 250), str(tmp_path), *whole_logs(shared_logs)]
    check(run(["mutations", *words], tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(mutate.BOMBS) - set(SMALL_BOMBS)))
def test_no_file_that_holds_very_much_fills_the_memory(name, tmp_path):
    check(set_off(name, tmp_path))


@pytest.mark.slow
def test_damaged_logs_are_listed_by_the_command(shared_logs, tmp_path):
    program = str(Path(sys.executable).parent / "harness")
    sources = [Path(path) for path in whole_logs(shared_logs)]
    for number in range(40):
        _, _, data = mutate.mutation(SEED, number, sources)
        path = tmp_path / f"{number}{'.json' if data[:1] == b'{' else '.eval'}"
        path.write_bytes(data)
        done = subprocess.run([program, "ls", str(path), "--json"], capture_output=True, text=True)
        assert done.returncode in (0, 2), done.stderr
        assert "Traceback" not in done.stderr
        if done.returncode == 0:
            json.loads(done.stdout)
