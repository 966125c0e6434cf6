"""Measure the built-in predictors against what is aimed at, and write docs/results.md.

    python tests/science/results.py [--out DIR] [--write FILE] [--only JOB] [--jobs 2]
                                    [--seeds 100,101,102,103,104] [--folds N] [--items DIR]

The data are looked for in $BENCHCAST_SHARED/data. Results in DIR are kept, for each job and each
of the slow predictors, and used again as long as they are what would be found: same data, settings
and code. What was interrupted goes on where it stopped. Figures of single responses are those of
items.py, made in --items if they are not there.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import items
from measured.aims import Verdict, instance_verdicts
from measured.figures import Figures
from measured.jobs import JOBS, measure
from measured.page import page

from harness.ranking import rank
from suites.errors import UsageError

INSTANCES = "instances"
SEEDS = "100,101,102,103,104"


def main() -> int:
    """Measure what is not there yet, print the page, and write it when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="measured-results", metavar="DIR")
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--only", action="append", choices=[*(j.name for j in JOBS), INSTANCES])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", default=SEEDS)
    parser.add_argument("--folds", type=int, help="for a quick look: fewer folds in every job")
    parser.add_argument("--items", default="items-results", metavar="DIR")
    options = parser.parse_args()
    seeds, out = _seeds(options.seeds), Path(options.out)
    wanted = options.only or [*(job.name for job in JOBS), INSTANCES]
    found: dict[str, Figures] = {}
    for job in JOBS:
        if job.name in wanted:
            started = time.monotonic()
            measured = measure(job, out, seeds, options.jobs, options.folds)
            found[job.name] = Figures(measured, found.get("heldout"))
            print(f"{job.name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    singles = _singles(Path(options.items), options.jobs) if INSTANCES in wanted else []
    remarks = []
    if options.folds is not None:
        remarks.append(f"A quick look, in {options.folds} folds: not the figures to compare with.")
    held, text = page(found, singles, seeds, remarks)
    print(text)
    if options.write:
        Path(options.write).write_text(text, encoding="utf-8")
    return 0 if held else 1


def _singles(out: Path, jobs: int) -> list[Verdict]:
    """Give what `items` finds of single responses, made here if it is not there."""
    rankings = {
        pool.name: rank(items.measure(pool, out, jobs), rule="brier") for pool in items.POOLS
    }
    return list(instance_verdicts(rankings, items.PREDICTOR, max(items.KS)))


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise UsageError(f"--seeds takes whole numbers with commas between, not {text}.") from None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as err:
        sys.exit(f"results.py: {err}")
