"""Measure `factorisation`, and write its tables into docs/predictors/factorisation.md.

    python tests/science/factorisation.py [--out DIR] [--write FILE] [--only NAME] [--jobs 1]

The data are looked for in $BENCHCAST_SHARED/data. Results in DIR are kept and used again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import harness
from harness.results import Results
from suites import read
from suites.errors import UsageError
from suites.selection import Selection

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared") / "data"
CUT = "2025-11-01"
EARLIER = 3  # models before the cut that a column must have
FILES = {
    "benchpress": "benchpress/scores.csv",
    "openllm2": "arena/openllm2.parquet",
    "psn12": "arena/psn12.parquet",
    "openllm1_reduced": "arena/openllm1_reduced.parquet",
    "cpp_crowdsource": "tables/cpp_crowdsource.csv",
}
MARK = "<!-- measured -->"
KEYS = ["predictor", "k", "seed", "fold"]


@dataclass(frozen=True)
class Job:
    """One evaluation."""

    name: str
    source: str
    title: str
    options: dict[str, Any]
    predictors: tuple[str, ...] = ("factorisation",)
    models: int | None = None  # so many, drawn with seed 0
    released: bool = False
    columns: tuple[str, ...] = field(default=("crps", "absolute_error"))


ALONE = "factorisation(kernels=False)"
JOBS = (
    Job(
        "sparse",
        "benchpress",
        "BenchPress, its own 30 folds (`sparse-matrix`), 84 models × 133 benchmarks",
        {"task": "sparse-matrix", "k": 0, "folds": "seed*"},
        ("factorisation", ALONE, "low-rank"),
        columns=("MedAE", "MedAPE", "absolute_error", "crps"),
    ),
    Job(
        "release",
        "benchpress",
        f"BenchPress, `next-release(cut='{CUT}')`, seeds 0 and 1, columns with at least "
        f"{EARLIER} earlier models",
        {"task": f"next-release(cut='{CUT}')", "k": [0, 1, 5], "seeds": [0, 1]},
        ("factorisation", ALONE, "low-rank"),
        released=True,
        columns=("MedAE", "MedAPE", "absolute_error", "crps"),
    ),
    Job(
        "crowd",
        "cpp_crowdsource",
        "cpp_crowdsource, `sparse-matrix`, 5 folds, seed 0, 72 models × 29 benchmarks",
        {"task": "sparse-matrix", "k": 0, "folds": 5, "seeds": [0]},
        ("factorisation", ALONE, "low-rank"),
        columns=("MedAE", "MedAPE", "absolute_error", "crps"),
    ),
    Job(
        "psn12",
        "psn12",
        "psn12, `heldout-run`, 10 folds, seeds 100 and 101, 12 models × 11 scenarios",
        {"k": [0, 10], "folds": 10, "seeds": [100, 101]},
        ("factorisation", "kernel-ridge"),
    ),
    Job(
        "openllm1",
        "openllm1_reduced",
        "openllm1_reduced, `heldout-run`, 10 folds, seed 100, 120 models drawn × 5 scenarios",
        {"k": [0, 10], "folds": 10, "seeds": [100]},
        ("factorisation", "kernel-ridge", "additive-logit"),
        models=120,
    ),
    Job(
        "arena",
        "openllm2",
        "openllm2, `heldout-run`, 10 folds, seeds 100 and 101, 57 models × 35 scenarios",
        {"k": [0, 10, 20, 100], "folds": 10, "seeds": [100, 101]},
        ("factorisation", "kernel-ridge"),
    ),
)


def main() -> int:
    """Measure what is not there yet, print the tables, and write them when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="factorisation-results", metavar="DIR")
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--only", action="append", choices=[job.name for job in JOBS])
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise UsageError(f"there is no {SHARED}: set BENCHCAST_SHARED to the folder that has data/")
    lines = ["", "Written by `python tests/science/factorisation.py --write FILE`.", ""]
    for job in JOBS:
        if options.only and job.name not in options.only:
            continue
        print(f"{job.name} …", file=sys.stderr)
        lines += section(job, measure(job, Path(options.out), options.jobs))
    text = "\n".join(lines)
    print(text)
    if options.write:
        page = Path(options.write)
        before, _, rest = page.read_text(encoding="utf-8").partition(MARK)
        after = rest.partition(MARK)[2]
        page.write_text(f"{before}{MARK}\n{text}\n{MARK}{after}", encoding="utf-8")
    return 0


def measure(job: Job, out: Path, workers: int) -> Results:
    """Evaluate, or open what was evaluated before."""
    folder = out / job.name
    if not (folder / "manifest.json").is_file():
        out.mkdir(parents=True, exist_ok=True)
        options = {"jobs": workers, "timeout": None, **job.options}
        harness.evaluate(source(job), list(job.predictors), out=folder, **options)
    return Results.load(folder)


def source(job: Job) -> Any:
    """Read the runs of a job."""
    file = SHARED / FILES[job.source]
    if not file.is_file():
        raise UsageError(f"there is no {file}: set BENCHCAST_SHARED")
    table = ROOT / "docs/tables" / f"{job.source}.yaml"
    suite = read(str(file), table=table)
    if job.models is None:
        return suite
    names = sorted(set(suite.runs["model"]))
    chosen = np.random.default_rng(0).permutation(len(names))[: job.models]
    return read(
        str(file), table=table, select=Selection(models=tuple(names[i] for i in sorted(chosen)))
    )


def section(job: Job, results: Results) -> list[str]:
    """Give the section of one job: means over folds."""
    table = figures(job, results)
    seconds = results.timings.groupby(["predictor", "seed", "fold"], observed=True)["cpu_s"].sum()
    cost = seconds.groupby("predictor", observed=True).mean()
    heads = {"crps": "CRPS", "absolute_error": "MAE"}
    named = [heads.get(c, c) for c in job.columns]
    lines = [
        f"### {job.title}",
        "",
        f"`python tests/science/factorisation.py --only {job.name}`",
        "",
        f"| predictor | k | {' | '.join(named)} | coverage of 50 / 90 % | CPU s a fold, all k |",
        "|---|---|" + "---|" * (len(named) + 2),
    ]
    for (name, k), row in table.iterrows():
        numbers = " | ".join(f"{row[c]:.2f}" for c in job.columns)
        lines.append(
            f"| `{name}` | {k} | {numbers} | {row['coverage_50']:.3f} / {row['coverage_90']:.3f} "
            f"| {cost[name]:.1f} |"
        )
    bad = results.status["status"].value_counts().drop(["ok", "not_applicable"], errors="ignore")
    return [*lines, "", *([f"Not valid: {bad.to_dict()}.", ""] if len(bad) else [])]


def figures(job: Job, results: Results) -> pd.DataFrame:
    """Give means over folds: medians over all cells of a fold, means over its bounded ones."""
    targets = results.targets.set_index("target")
    scores = results.scores
    if job.released:
        scores = scores[scores["target"].isin(targets.index[_told(job, targets)])]
    lower, upper = (targets[c].astype(float) for c in ("lower", "upper"))
    by = {}
    for name, rule in _wanted(job):
        part = scores[scores["rule"] == rule]
        of, value = part["target"], part["value"].to_numpy(float)
        if name in ("MedAE", "MedAPE"):
            # scores of bounded metrics are points of their range: back to the metric's own unit
            value = value * ((upper - lower).loc[of] / 100.0).fillna(1.0).to_numpy()
            if name == "MedAPE":
                size = targets.loc[of, "value"].abs().to_numpy(float)
                value = np.where(size > 1e-6, 100.0 * value / np.maximum(size, 1e-6), np.nan)
            folds = part[KEYS].assign(value=value).groupby(KEYS, observed=True)["value"].median()
        else:
            kept = upper.loc[of].notna().to_numpy() | name.startswith("coverage")
            part = part[kept]
            folds = part.groupby(KEYS, observed=True)["value"].mean()
        by[name] = folds.groupby(["predictor", "k"], observed=True).mean()
    return pd.DataFrame(by)


def _wanted(job: Job) -> Iterator[tuple[str, str]]:
    for name in (*job.columns, "coverage_50", "coverage_90"):
        yield name, "absolute_error" if name.startswith("Med") else name


def _told(job: Job, targets: pd.DataFrame) -> np.ndarray:
    """Say which targets have columns with enough earlier models."""
    suite = source(job)
    released = suite.models.set_index("model")["date"]
    runs = suite.runs
    early = runs[runs["model"].map(released) < pd.Timestamp(CUT)].groupby("scenario").size()
    return targets["scenario"].isin(early.index[early >= EARLIER]).to_numpy()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as err:
        sys.exit(f"factorisation.py: {err}")
