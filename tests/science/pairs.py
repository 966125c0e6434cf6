"""Measure comparisons of models on held-out pairs of the arena, and write docs/compare.md.

    python tests/science/pairs.py [--out DIR] [--write FILE] [--pairs 500] [--seed 0] [--split 0]

The arena is openllm2.parquet (57 models × 35 scenarios, item by item), looked for in
$BENCHCAST_SHARED/data/arena. Results in DIR are kept and used again; making them takes about
15 minutes of one core.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import harness
from harness.averages import Average
from harness.pairs import PairScores, score_pairs
from harness.results import Results
from suites.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
PREDICTORS = ("hibayes-items(joint=True)", "hibayes(joint=True)", "kernel-ridge")
AIM = "hibayes-items(joint=True)"
COVERAGE = (0.86, 0.94)


def main() -> int:
    """Measure what is not there yet, print the page, and write it when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="pairs-results", metavar="DIR")
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of pairs")
    parser.add_argument("--split", type=int, default=0, help="seed of the folds")
    options = parser.parse_args()
    if not (Path(options.out) / "manifest.json").is_file():
        arena = Path(os.environ.get("BENCHCAST_SHARED", ROOT.parent / "shared")) / "data" / "arena"
        table = arena / "openllm2.parquet"
        if not table.is_file():
            raise UsageError(
                f"there is no {table}: set BENCHCAST_SHARED to the folder that holds data/"
            )
        with threadpool_limits(1):
            harness.evaluate(
                str(table),
                list(PREDICTORS),
                k=0,
                folds=10,
                seeds=options.split,
                out=options.out,
                timeout=None,
            )
    results = Results.load(options.out)
    found = {
        name: score_pairs(results, name, pairs=options.pairs, seed=options.seed)
        for name in PREDICTORS
    }
    split = int(results.split["seed"].iloc[0])
    held, text = page(found, options.seed, split)
    print(text)
    if options.write:
        Path(options.write).write_text(text, encoding="utf-8")
    return 0 if held else 1


def page(found: dict[str, PairScores], seed: int, split: int) -> tuple[bool, str]:
    """Write the page as Markdown, and say whether all that is aimed at was found."""
    aim = found[AIM]
    held = COVERAGE[0] <= aim.coverage.mean <= COVERAGE[1] and aim.difference.high < 0
    table = aim.table
    lines = [
        "# Comparing two models, measured",
        "",
        "Written by `python tests/science/pairs.py`.",
        "",
        f"{len(table)} pairs of runs (seed {seed}): two models on one scenario of the arena "
        "(openllm2.parquet: 57 models × 35 scenarios), both held out by the same fold of the task "
        f"`heldout-run` (10 folds, seed {split}), k = 0. Asked: which is better on the scenario's "
        "own questions, and by how much.",
        "",
        "The baseline says that A beats B with the share of the other scenarios on which it does, "
        "(wins + ½) / (number + 1). Intervals are 95 %, clustered by scenario and by the "
        "organisation of either model, the wider of the two.",
        "",
        "The constants of the two hierarchical predictors were chosen on the seeds 0 to 2 of this "
        "task and grid (listed in tests/science/hierarchical.py), which favours them a little; "
        "`--split` takes another.",
        "",
        "## Who is better: Brier score of P(A beats B)",
        "",
        "| predictor | draws | Brier | baseline | difference |",
        "|---|---|---|---|---|",
    ]
    for name, scores in found.items():
        lines.append(
            f"| {name} | {'joint' if scores.joint else 'independent'} | {_number(scores.brier)} "
            f"| {scores.baseline.mean:.4f} | {_number(scores.difference)} |"
        )
    lines += [
        "",
        "## By how much: the 90 % interval of the difference",
        "",
        "| predictor | coverage | mean PIT | pairs with a PIT below .05, above .95 |",
        "|---|---|---|---|",
    ]
    for name, scores in found.items():
        pit = scores.table["pit"].to_numpy(float)
        lines.append(
            f"| {name} | {_number(scores.coverage, 3)} | {pit.mean():.3f} "
            f"| {np.mean(pit < 0.05):.1%}, {np.mean(pit > 0.95):.1%} |"
        )
    kinds = f"{aim.difference.row_kind} × {aim.difference.column_kind}"
    sizes = f"{aim.difference.rows} × {aim.difference.columns}"
    lines += [
        "",
        f"Clusters: {sizes} ({kinds}). Wanted of {AIM}: coverage within {COVERAGE[0]} to "
        f"{COVERAGE[1]} and a difference below 0 with all of its interval: "
        f"{'found' if held else '**not** found'}.",
        "",
        f"Of these pairs {np.mean(np.abs(table['difference']) < 2):.0%} differ by less than 2 "
        f"points; the median difference is {table['difference'].abs().median():.1f} points.",
        "",
    ]
    return held, "\n".join(lines)


def _number(average: Average, digits: int = 4) -> str:
    return f"{average.mean:.{digits}f} [{average.low:.{digits}f}, {average.high:.{digits}f}]"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as err:
        sys.exit(f"pairs.py: {err}")
