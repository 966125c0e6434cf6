"""The evaluations behind docs/results.md, and what came of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

import harness
from harness.results import Results
from measured import sources
from suites import read
from suites.selection import Selection

ARENA, PSN12 = "arena/openllm2.parquet", "arena/psn12.parquet"
OPENLLM1 = "arena/openllm1_reduced.parquet"
BENCHPRESS = "benchpress/scores.csv"
CUT = "2025-11-01"
EARLIER = 3  # models before the cut that a column of `next-release` must have

RULES = ("crps", "absolute_error", "log_score", "coverage_50", "coverage_80", "coverage_90")
LEARNING = ("profile", "factorisation", "stack")
"""Predictors that are kept in folders of their own: a change of one costs only its own time."""

PLAIN = "kernel-ridge(gaps='mean')"
ALONE = "factorisation(kernels=False)"
BASELINES = (
    "scenario-mean",
    "beta-binomial",
    "additive-logit",
    "nearest-model",
    "low-rank",
    "random-forest",
)
TRANSFERRED = ("profile", "factorisation", "kernel-ridge", *BASELINES)
RELEASE = f"next-release(cut='{CUT}')"
NEW_MODEL = "new-model(by='organisation', folds='each')"
NEW_SCENARIO = "new-scenario(folds='each')"


@dataclass(frozen=True)
class Job:
    """One evaluation of some predictors.

    Attributes
    ----------
    name, title : str
        What it is called in commands, and above its table.
    source : callable of (work folder, seed) → what `harness.evaluate` reads
    predictors : tuple of str
    options : dict
        Of `harness.evaluate`.
    seeds : str
        ``folds``: they shuffle the cells; ``draws``: they draw the models too, so that there is an
        evaluation for each; ``none``: the folds are prescribed.
    seed : int, optional
        Only that one of them, by its place.
    told : callable of suite → scenarios, optional
        Only targets of these count.
    medians : bool
        Whether medians over the cells of a fold are shown.
    together : bool
        Whether all predictors are evaluated at once, where none takes long.
    """

    name: str
    title: str
    source: Callable[[Path, int], Any]
    predictors: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    seeds: str = "folds"
    seed: int | None = None
    told: Callable[[Any], set[str]] | None = None
    medians: bool = False
    together: bool = False

    def of_seeds(self, seeds: Sequence[int]) -> list[int]:
        """Give those of the seeds that it takes."""
        return list(seeds) if self.seed is None else [seeds[min(self.seed, len(seeds) - 1)]]


@dataclass(frozen=True)
class Measured:
    """Tables of one job: of all predictors, seeds and draws; as `harness.ranking` needs them."""

    job: Job
    manifest: dict[str, Any]
    targets: pd.DataFrame
    split: pd.DataFrame
    scores: pd.DataFrame
    status: pd.DataFrame
    loo: pd.DataFrame
    timings: pd.DataFrame


def whole(path: str) -> Callable[[Path, int], Any]:
    """Give what reads all of a table."""
    return lambda work, seed: sources.whole(path)


def drawn(path: str) -> Callable[[Path, int], Any]:
    """Give what reads some models of a table, drawn by the seed."""
    return lambda work, seed: sources.drawn(path, seed)


def released_columns(suite: Any) -> set[str]:
    """Give the columns that at least `EARLIER` models before the cut have."""
    runs = suite.runs
    released = suite.models.set_index("model")["date"]
    early = runs[runs["model"].map(released) < pd.Timestamp(CUT)].groupby("scenario").size()
    return set(map(str, early.index[early >= EARLIER]))


HELD_OUT = (
    Job(
        "heldout",
        "Runs held out of the arena",
        whole(ARENA),
        (
            "sample-mean",
            *BASELINES,
            "kernel-ridge",
            PLAIN,
            "profile",
            "factorisation",
        ),
        {"k": [0, 1, 2, 5, 10, 20, 50, 100], "folds": 10},
    ),
    Job(
        "values",
        "The same from values alone (model, scenario, value, n, standard error)",
        lambda work, seed: sources.values_alone(ARENA, work),
        ("kernel-ridge", PLAIN, "profile", "factorisation"),
        {"k": 0, "folds": 10},
    ),
    Job(
        "thinned",
        "The arena without relatives",
        lambda work, seed: sources.thinned(ARENA, seed),
        ("kernel-ridge", PLAIN, "profile", "factorisation"),
        {"k": 0, "folds": 10},
        seeds="draws",
    ),
    Job(
        "psn12",
        "Twelve anonymous models",
        whole(PSN12),
        (*BASELINES, "kernel-ridge", PLAIN, "profile", "factorisation", "stack"),
        {"k": 0, "folds": 10},
    ),
    Job(
        "openllm1",
        f"{sources.DRAWN} models drawn from openllm1_reduced",
        drawn(OPENLLM1),
        (*BASELINES, "kernel-ridge", PLAIN, "profile", "factorisation"),
        {"k": 0, "folds": 10},
        seeds="draws",
    ),
)
NEW_LEVELS = (
    Job(
        "new-model",
        "Models of organisations without any run",
        whole(ARENA),
        ("beta-binomial", "jeffreys", "kernel-ridge", "profile"),
        {"task": NEW_MODEL, "k": [0, 1, 5, 10]},
    ),
    Job(
        "new-scenario",
        "Scenarios without any run",
        whole(ARENA),
        ("beta-binomial", "jeffreys", "kernel-ridge", "profile"),
        {"task": NEW_SCENARIO, "k": [0, 1, 10]},
    ),
)
TABLES = (
    Job(
        "sparse",
        "BenchPress, its own 30 folds",
        whole(BENCHPRESS),
        ("low-rank", ALONE, "factorisation"),
        {"task": "sparse-matrix", "k": 0, "folds": "seed*"},
        seeds="none",
        medians=True,
    ),
    Job(
        "release",
        f"BenchPress, models released from {CUT} on",
        whole(BENCHPRESS),
        ("low-rank", ALONE, "factorisation"),
        {"task": RELEASE, "k": [0, 1, 5]},
        told=released_columns,
        medians=True,
    ),
)


def _grid(
    name: str,
    title: str,
    source: Callable[[Path, int], Any],
    seed: int | None = 1,
    **options: Any,
) -> Job:
    settings = {"k": 0, "folds": 5, **options}
    name = f"on-{name}"
    return Job(name, title, source, TRANSFERRED, settings, "draws", seed=seed, together=True)


def _table(name: str, title: str, task: str) -> Job:
    suffix = "parquet" if name in ("openllm1_aggregate", "openllm2_aggregate") else "csv"
    return _grid(name, title, drawn(f"tables/{name}.{suffix}"), task=task)


def _archive(name: str, title: str, path: str, inside: str) -> Job:
    # runs of one or two instances are trials of the set-up
    select = Selection(min_instances=3)
    return _grid(
        name,
        title,
        lambda work, seed: read(sources.unpacked(path, work, inside), select=select),
        seed=None,
    )


SPARSE, FULL = "sparse-matrix", "heldout-run"
OTHER_GRIDS = (
    _table("openllm1_aggregate", "Open LLM Leaderboard 1", FULL),
    _table("openllm2_aggregate", "Open LLM Leaderboard 2", FULL),
    _table("helm_core", "HELM Classic and Lite", SPARSE),
    _table("cpp_crowdsource", "published scores (CPP)", SPARSE),
    _table("obsscaling_base", "base models (ObsScaling)", SPARSE),
    _table("obsscaling_base_openllm2", "base models on Leaderboard 2", SPARSE),
    _table("obsscaling_instruct", "instruct models (ObsScaling)", SPARSE),
    _archive(
        "mmlu-llama3",
        "real HELM runs: Llama 3 on MMLU",
        "helm-real/mmlu-llama3.tar.zst",
        "benchmark_output",
    ),
    _archive(
        "civic-misinfo",
        "real Inspect logs: civic_misinfo",
        "inspect-logs/cdinu-civic-misinfo.tar.zst",
        "cdinu-civic-misinfo/logs",
    ),
)
TRANSFER = (*(job for job in HELD_OUT if job.name in ("psn12", "openllm1")), *OTHER_GRIDS)
"""Grids that no setting was made for: those of `HELD_OUT`, and further ones."""

JOBS = (*HELD_OUT, *NEW_LEVELS, *TABLES, *OTHER_GRIDS)


def measure(job: Job, out: Path, seeds: Sequence[int], workers: int, folds: int | None) -> Measured:
    """Evaluate what is not there yet, and put it together."""
    found = []
    for seed in job.of_seeds(seeds) if job.seeds == "draws" else [None]:
        suite = job.source(out, seeds[0] if seed is None else seed)
        options = {"jobs": workers, "timeout": None, **job.options}
        if seed is not None:
            options["seeds"] = [seed]
        elif job.seeds == "folds":
            options["seeds"] = job.of_seeds(seeds)
        if folds is not None and not isinstance(options.get("folds"), str):  # not prescribed ones
            options["folds"] = folds
        for group, names in _groups(job):
            folder = out / job.name / group / (f"draw-{seed}" if seed is not None else "all")
            folder.parent.mkdir(parents=True, exist_ok=True)
            print(f"{job.name}: {', '.join(names)} …", file=sys.stderr, flush=True)
            found.append(harness.evaluate(suite, list(names), out=folder, reuse=True, **options))
    told = None if job.told is None else job.told(job.source(out, seeds[0]))
    return put_together(job, found, told)


def put_together(job: Job, found: Iterable[Results], told: set[str] | None = None) -> Measured:
    """Put the tables of several evaluations of a job together; a predictor counts once."""
    tables: dict[str, list[pd.DataFrame]] = {}
    taken: dict[str, tuple[str, ...]] = {}
    manifest: dict[str, Any] = {}
    for results in found:
        own = results.manifest
        # of the reference, which every evaluation has, the first of each draw
        draw = results.path.name
        names = [
            str(p["name"])
            for p in own["predictors"]
            if taken.setdefault(f"{draw}\x1f{p['name']}", results.path.parts) == results.path.parts
        ]
        known = {str(p["name"]) for p in manifest.get("predictors", ())}
        manifest = {
            **own,
            "predictors": [
                *manifest.get("predictors", ()),
                *(p for p in own["predictors"] if str(p["name"]) not in known),
            ],
        }
        path = results.path
        tables.setdefault("targets", []).append(results.targets)
        tables.setdefault("split", []).append(results.split)
        scores = pd.read_parquet(path / "scores.parquet", filters=[("rule", "in", list(RULES))])
        for name, part in (
            ("scores", scores),
            ("status", results.status),
            ("loo", results.loo),
            ("timings", results.timings),
        ):
            if "predictor" in part:
                part = part[part["predictor"].astype(str).isin(names)]
            tables.setdefault(name, []).append(part)
    joined = {name: _joined(parts) for name, parts in tables.items()}
    asked = set(joined["status"]["target"].astype(str))
    targets = joined["targets"].drop_duplicates("target", ignore_index=True)
    targets = targets[targets["target"].astype(str).isin(asked)].reset_index(drop=True)
    split = joined["split"].drop_duplicates(["seed", "fold", "target"], ignore_index=True)
    if told is not None:
        targets = targets[targets["scenario"].astype(str).isin(told)].reset_index(drop=True)
    return Measured(job, manifest, targets, split, *(joined[n] for n in _PARTS))


_PARTS = ("scores", "status", "loo", "timings")


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(parts, ignore_index=True)


def _groups(job: Job) -> list[tuple[str, list[str]]]:
    """Give the predictors that are evaluated together, and what their folder is called."""
    groups: dict[str, list[str]] = {}
    for name in job.predictors:
        base = name.partition("(")[0]
        apart = base in LEARNING and not job.together
        groups.setdefault(base if apart else "others", []).append(name)
    return list(groups.items())
