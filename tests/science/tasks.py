"""Measure the quick predictors on every task that asks for runs, and write docs/tasks.md.

    python tests/science/tasks.py [--out DIR] [--write FILE] [--jobs 1]

The data are the demo runs, and what is looked for in $BENCHCAST_SHARED/data: BenchPress, the arena,
score tables, real HELM runs. Results in DIR are kept and used again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measured.sources import ROOT, SHARED, table, unpacked

import harness
from harness.results import Results
from harness.spec import expand
from harness.task import load_task, task_names
from suites import read
from suites.errors import UsageError

REFERENCE, ORACLE = "scenario-mean", "BiasALS"
KS = (0, 5)
REVEALED = (0, 1, 5)
HARD = 0.5  # the share of the reference's loss that the best predictor leaves

# predictor, column of the sparse matrix's table, what is expected, how far it may be off
EXPECTED = (
    (REFERENCE, "MedAE", 11.04, 0.05),
    (REFERENCE, "MedAPE", 16.29, 0.2),
    (ORACLE, "MedAE", 4.63, 0.05),
    (ORACLE, "MedAPE", 7.78, 0.1),
)

SOURCES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "demo": (
        "the demo's HELM suites standin-v1 and standin-v2",
        lambda work: read("demo/standin-v1", "demo/standin-v2"),
    ),
    "psn12": (
        "psn12: real responses of 12 anonymous models on 11 scenarios",
        lambda work: table("arena/psn12.parquet"),
    ),
    "openllm1": (
        "openllm1_reduced: real responses of 395 models on 5 scenarios",
        lambda work: table("arena/openllm1_reduced.parquet"),
    ),
    "benchpress": (
        "BenchPress: 84 models and 133 benchmarks, 2,604 published values without items",
        lambda work: table("benchpress/scores.csv"),
    ),
    "openllm2-table": (
        "openllm2_aggregate: 707 models on 6 benchmarks, values without items",
        lambda work: table("tables/openllm2_aggregate.parquet"),
    ),
    "mmlu-llama3": (
        "mmlu-llama3: real HELM runs, 5 deployments of Llama 3 on 37 subjects of 20 questions",
        lambda work: read(unpacked("helm-real/mmlu-llama3.tar.zst", work)),
    ),
}
EVERYWHERE = ("demo", "psn12", "openllm1")
FOLDS = {"openllm1": 3}  # of tasks that divide into folds; else the task's own number


@dataclass(frozen=True)
class Job:
    """One evaluation: a source, a task, and what is not usual about it."""

    source: str
    task: str
    options: dict[str, Any] = field(default_factory=dict)
    more: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return f"{self.source}-{self.task.partition('(')[0]}"


def jobs() -> tuple[Job, list[Job], list[Job], list[Job]]:
    """Give the evaluations: sparse matrix, next release, perturbed run, everything else."""
    support = ROOT / "tests/support"
    oracle, unperturbed = support / "als_oracle.py", support / "unperturbed_oracle.py"
    matrix = Job(
        "benchpress",
        "sparse-matrix",
        {"k": 0, "folds": "seed*"},
        (f"{oracle}:{ORACLE}", f"{oracle}:{ORACLE}(first_seed=1)"),
    )
    releases = [
        Job("benchpress", "next-release(cut='2025-11-01')", {"k": REVEALED}),
        Job("openllm2-table", "next-release", {"k": REVEALED}),
        Job("demo", "next-release", {"k": KS}),
        Job("mmlu-llama3", "next-release", {"k": KS}),
    ]
    perturbed = [
        Job(source, "perturbed-run", {"k": KS}, (f"{unperturbed}:UnperturbedValue",))
        for source in ("demo", "mmlu-llama3")
    ]
    every = [
        Job(source, task, {"k": KS, "folds": FOLDS.get(source)})
        for source in EVERYWHERE
        for task in task_names()
        if load_task(task).predicts == "run"
    ]
    return matrix, releases, perturbed, every


def main() -> int:
    """Measure what is not there yet, print the page, and write it when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="tasks-results", metavar="DIR")
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    if not SHARED.is_dir():
        raise UsageError(f"there is no {SHARED}: set BENCHCAST_SHARED to the folder that has data/")
    matrix, releases, perturbed, every = jobs()
    found: dict[str, Results | str] = {}
    for job in [matrix, *releases, *perturbed, *every]:
        if job.folder not in found:
            print(f"{job.folder} …", file=sys.stderr)
            found[job.folder] = measure(job, out, options.jobs)
    sparse = sparse_table(_results(found[matrix.folder]))
    aims = [
        (*row, sparse.loc[row[0], row[1]], abs(sparse.loc[row[0], row[1]] - row[2]) <= row[3])
        for row in EXPECTED
    ]
    failures = list(failed(found))
    lines = [
        "# Every task, measured",
        "",
        "Written by `python tests/science/tasks.py --write docs/tasks.md`.",
        "",
        *_aims(aims, failures),
        *_sparse(sparse, _results(found[matrix.folder])),
        "## What comes next: `next-release`",
        "",
        "Hard where the released models have no earlier run: what is left is the column, later "
        "models tend to be better, and of the built-in predictors only factorisation reads dates, "
        "where models have some (docs/predictors/factorisation.md). What is drawn from the "
        "effects of earlier models (additive-logit, low-rank, hibayes-crossed) can do worse than "
        "the column's mean and sd. A few shown responses help more than any method; in tables "
        "without items k values of each released model are revealed, and only its others are asked "
        "for.",
        "",
        *(line for job in releases for line in _one(job, found[job.folder])),
        "## Robustness: `perturbed-run`",
        "",
        "The unperturbed run of each target is known, but to the built-in predictors it is one "
        "more column. `UnperturbedValue`, a test oracle, says just its value.",
        "",
        *(line for job in perturbed for line in _one(job, found[job.folder])),
        "## Every quick predictor on every task",
        "",
        "Skill against the task's reference, 1 − Σ CRPS / Σ CRPS of the reference, at k = "
        f"{' / '.join(map(str, KS))} shown responses, one shuffling (seed 0) in the task's own "
        f"number of folds ({', '.join(f'{n} for {name}' for name, n in FOLDS.items())}). *n*: "
        "targets at each k. “–”: does not apply, or nobody is asked. These sources have one "
        "condition for each cell and no holes, so new-condition and sparse-matrix hold out what "
        "heldout-run does.",
        "",
        *(line for source in EVERYWHERE for line in _grid(source, every, found)),
    ]
    text = "\n".join(lines)
    print(text)
    if options.write:
        Path(options.write).write_text(text, encoding="utf-8")
    return 0 if all(aim[-1] for aim in aims) and not failures else 1


def measure(job: Job, out: Path, workers: int) -> Results | str:
    """Evaluate, or open what was evaluated before; why not, where the task refuses the source."""
    folder = out / job.folder
    if not (folder / "manifest.json").is_file():
        suite = source(job.source, out)
        names = [*expand("quick"), *job.more]
        options = {"task": job.task, "jobs": workers, "timeout": None, **job.options}
        try:
            harness.evaluate(suite, names, out=folder, **options)
        except UsageError as err:
            try:  # a fault of a predictor is none of the task
                harness.evaluate(suite, REFERENCE, **options)
            except UsageError:
                return str(err)
            raise
    return Results.load(folder)


@cache
def source(name: str, work: Path) -> Any:
    """Read a source once."""
    return SOURCES[name][1](work)


def sparse_table(results: Results) -> pd.DataFrame:
    """Give the figures of each predictor: medians over folds, and means of bounded cells."""
    scores = results.scores[results.scores["rule"] == "absolute_error"]
    targets = results.targets.set_index("target")[["value", "lower", "upper"]].astype(float)
    of = targets.loc[scores["target"]].reset_index(drop=True)
    # scores of bounded metrics are points of their range: back to the metric's own unit
    unit = ((of["upper"] - of["lower"]) / 100.0).fillna(1.0).to_numpy()
    error, size = scores["value"].to_numpy() * unit, of["value"].abs().to_numpy()
    share = np.divide(100.0 * error, size, out=np.full(len(error), np.nan), where=size > 1e-6)
    frame = scores[["predictor", "seed", "fold"]].assign(MedAE=error, MedAPE=share)
    by_fold = frame.groupby(["predictor", "seed", "fold"], observed=True).median()
    table = by_fold.groupby("predictor", observed=True).median()
    table["folds"] = by_fold.groupby("predictor", observed=True).size()
    table = table.join(results.ranking(k=0).set_index("predictor"), how="left")
    return table.sort_values("crps")


def failed(found: dict[str, Results | str]) -> Iterator[str]:
    """Give what did not come to a valid answer, though it applies."""
    for name, results in found.items():
        if isinstance(results, str):
            continue
        status = results.status
        bad = status[~status["status"].isin(["ok", "not_applicable"])]
        for (predictor, state), rows in bad.groupby(["predictor", "status"], observed=True):
            message = rows["message"].dropna().astype(str)
            why = f": {message.mode().iloc[0]}" if len(message) else ""
            yield f"{name}: {predictor}: {len(rows)} × {state}{why}"


def _aims(aims: list[tuple[Any, ...]], failures: list[str]) -> list[str]:
    lines = ["## Aims", "", "| what | expected | found | |", "|---|---|---|---|"]
    lines += [
        f"| sparse-matrix: {column} of {name} | {value} ± {off} | {number:.3f} "
        f"| {'holds' if held else '**does not hold**'} |"
        for name, column, value, off, number, held in aims
    ]
    lines.append(
        "| answers that failed, are missing or not valid, in all evaluations | 0 "
        f"| {len(failures)} | {'**does not hold**' if failures else 'holds'} |"
    )
    return [*lines, "", *(f"- {line}" for line in failures), *([""] if failures else [])]


def _sparse(table: pd.DataFrame, results: Results) -> list[str]:
    one = table.iloc[0]
    lines = [
        "## A table of scores with many holes: `sparse-matrix`",
        "",
        f"{SOURCES['benchpress'][0][0].upper()}{SOURCES['benchpress'][0][1:]}; its own "
        f"{int(one['folds'])} folds (ten seeds, a third of each model's cells hidden). MedAE and "
        "MedAPE (%) as its paper has them: the median of |prediction − value| and of its share of "
        "|value| (> 1e-6) over all hidden cells of a fold, in the cells' own units; then the "
        "median over folds. The prediction is the median of the predicted distribution. The other "
        f"columns are means over the {int(one['n_targets']):,} percentage cells, folds averaged "
        f"within a cell first; 95 % intervals clustered by {_clusters(one)}. {ORACLE} is a test "
        "oracle, the method of BenchPress with its own ten starts; another `first_seed` gives "
        "others, and shows how much they leave to chance.",
        "",
        f"| predictor | MedAE | MedAPE | MAE | CRPS | coverage of 90 % | CRPS − {REFERENCE}'s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in table.iterrows():
        if np.isfinite(row["MedAE"]):
            lines.append(
                f"| {name} | {row['MedAE']:.2f} | {row['MedAPE']:.2f} "
                f"| {row['absolute_error']:.2f} | {row['crps']:.2f} | {row['coverage_90']:.3f} "
                f"| {_interval(row, 'difference')} |"
            )
    return [*lines, "", *_not_applicable(results.ranking(k=0)), ""]


def _one(job: Job, results: Results | str) -> list[str]:
    """Give the section of one source and task."""
    title = SOURCES[job.source][0]
    lines = [f"### {title[0].upper()}{title[1:]}", ""]
    if isinstance(results, str):
        return [*lines, f"Not possible: {results}", ""]
    cut = [n.partition("holds out: ")[2] for n in results.manifest["notes"] if "holds out: " in n]
    for k in results.manifest["k"]:
        ranking = results.ranking(k=k)
        ranked = ranking[ranking["ranked"] & (ranking["n_targets"] > 0)]
        if ranked.empty:
            lines += [f"k = {k}: no target has more than {k} responses.", ""]
            continue
        best = ranked.iloc[0]
        unmoved = _unmoved(results, k)
        lines += [
            f"`{job.task}`, k = {k}: {int(best['n_targets'])} targets. "
            f"{f'Held out: {cut[0]} ' if cut else ''}"
            f"{f'{unmoved:.0%} equal their unperturbed run. ' if np.isfinite(unmoved) else ''}"
            f"Clusters: {_clusters(best)}"
            f"{'; **few: intervals are rough**' if best['flag'] == 'few clusters' else ''}"
            f"{'; **too few for an interval**' if best['flag'] == 'no interval' else ''}. "
            f"{_said(ranked)}",
            "",
            f"| predictor | CRPS | skill | CRPS − {REFERENCE}'s | coverage of 90 % | ranks |",
            "|---|---|---|---|---|---|",
            *(
                f"| {row['predictor']} | {row['crps']:.2f} | {row['skill']:.2f} "
                f"| {_interval(row, 'difference')} | {row['coverage_90']:.2f} "
                f"| {row['rank_low']}–{row['rank_high']} |"
                for _, row in ranked.iterrows()
            ),
            "",
            *_not_applicable(ranking),
            "",
        ]
    return lines


def _unmoved(results: Results, k: int) -> float:
    """Give the share of targets that the value of the unperturbed run hits; NaN if not asked."""
    scores = results.scores[results.scores["k"] == k]
    of = (scores["predictor"] == "UnperturbedValue") & (scores["rule"] == "absolute_error")
    errors = scores.loc[of, "value"]
    return float((errors < 1e-9).mean()) if len(errors) else np.nan


def _said(ranked: pd.DataFrame) -> str:
    """Say which built-in predictor is best, by how much, and how hard that makes it."""
    ranked = ranked[ranked["predictor"].isin(expand("quick"))]
    best = ranked.iloc[0]
    known = bool(np.isfinite(best["skill_low"]))
    text = f"Best: {best['predictor']}, skill {best['skill']:.2f}"
    text += f" [{best['skill_low']:.2f}, {best['skill_high']:.2f}]" if known else ""
    if best["skill"] < 1 - HARD:
        text += "; hard: it leaves more than half of the reference's loss"
    if known:  # a test oracle may have beaten all of them
        unbeaten = ranked.loc[ranked["rank_low"] == ranked["rank_low"].min(), "predictor"]
        text += f". By paired intervals no built-in beats: {', '.join(unbeaten)}"
    return text + "."


def _grid(name: str, every: list[Job], found: dict[str, Results | str]) -> list[str]:
    """Give the table of one source: predictors by tasks."""
    there = {j.task: found[j.folder] for j in every if j.source == name}
    refused = {task: r for task, r in there.items() if isinstance(r, str)}
    rankings = {
        task: [r.ranking(k=k) for k in KS if k in r.manifest["k"]]
        for task, r in there.items()
        if not isinstance(r, str)
    }
    title = SOURCES[name][0]
    counts = [
        " / ".join(str(int(r["n_targets"].max())) for r in tables) for tables in rankings.values()
    ]
    lines = [
        f"### {title[0].upper()}{title[1:]}",
        "",
        f"| predictor | {' | '.join(rankings)} |",
        "|---|" + "---|" * len(rankings),
        f"| *n* | {' | '.join(counts)} |",
    ]
    listed = {name for tables in rankings.values() for t in tables for name in t["predictor"]}
    for predictor in sorted(listed & set(expand("quick"))):
        cells = []
        for tables in rankings.values():
            rows = [t.set_index("predictor").reindex([predictor]).iloc[0] for t in tables]
            cells.append(
                " / ".join("–" if pd.isna(r["skill"]) else f"{r['skill']:.2f}" for r in rows)
            )
        lines.append(f"| {predictor} | {' | '.join(cells)} |")
    lines += ["", *(f"- `{task}` is not possible: {why}" for task, why in refused.items())]
    return [*lines, *([""] if refused else [])]


def _not_applicable(ranking: pd.DataFrame) -> list[str]:
    out = ranking[~ranking["ranked"] & ranking["predictor"].isin(expand("quick"))]
    return [f"- {row['predictor']}: {row['reason']}" for _, row in out.iterrows()]


def _results(found: Results | str) -> Results:
    if isinstance(found, str):
        raise UsageError(found)
    return found


def _clusters(row: pd.Series) -> str:
    return f"{row['n_rows']} × {row['n_columns']} ({row['row_kind']} × {row['column_kind']})"


def _interval(row: pd.Series, name: str) -> str:
    mean, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    return f"{mean:+.2f}" + (f" [{low:+.2f}, {high:+.2f}]" if np.isfinite(low) else "")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as err:
        sys.exit(f"tasks.py: {err}")
