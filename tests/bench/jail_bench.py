"""How long a worker takes to start, in a jail of each level that this machine offers.

Run it as ``python tests/bench/jail_bench.py``; the fold has ``--shards`` files to read. Each level
is timed in turn with the unjailed worker, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from harness.jail.probe import available_levels, reached
from harness.pool import Pool

LOAD = {"module": "predictors.scenario_mean", "file": None, "cls": "ScenarioMean", "settings": "{}"}


def start(pool: Pool, data: list[Path]) -> float:
    """Time a worker's start, the loading of its predictor, and its end, in milliseconds."""
    began = time.perf_counter()
    with pool.start("worker", data) as worker:
        worker.call({"call": "load", "spec": LOAD}, timeout=60)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--shards", type=int, default=48)
    options = parser.parse_args()
    levels = available_levels()[:-1]  # none starts no worker
    for level, why in reached().items():
        if why:
            print(f"{level}: not offered here: {why}")
    with tempfile.TemporaryDirectory() as place:
        shards = Path(place) / "shards"
        shards.mkdir()
        for i in range(options.shards):
            (shards / f"{i}.arrow").write_bytes(b"")
        pools = {level: Pool(Path(place), level=level) for level in levels}
        times: dict[str, list[float]] = {level: [] for level in levels}
        try:
            for pool in pools.values():
                pool.__enter__()
                start(pool, [shards])
            for _ in range(options.times):
                for level, pool in pools.items():
                    times[level].append(start(pool, [shards]))
        finally:
            for pool in pools.values():
                pool.__exit__()
    base = statistics.median(times["process"])
    print(f"{options.shards} shards, {options.times} starts each, ms: median (least), difference")
    for level, found in times.items():
        middle = statistics.median(found)
        print(f"{level:>8} {middle:7.1f} ({min(found):.1f})  {middle - base:+.1f}")


if __name__ == "__main__":
    main()
