"""The section of one job: losses, coverage, ratios, medians, closest relatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from measured.aims import RIDGE
from measured.figures import Figures
from measured.jobs import PLAIN, Job

COMMAND = "python tests/science/results.py"
SHOWN = (0, 10, 20, 100)  # of many k, where there is not room for all
CLASSES = ("< .80", ".80–.85", "≥ .85", "unknown")


def section(job: Job, figures: Figures, seeds: Sequence[int]) -> list[str]:
    """Write the tables of one job."""
    ks, names = figures.ks, figures.predictors
    lines = [f"## {job.title}", "", *_what(job, figures, seeds), ""]
    if job.medians:
        lines += _medians(figures)
    lines += [
        "CRPS:",
        "",
        *_by_k(names, ks, lambda name, k: figures.mean(name, k).text()),
        "",
        "MAE of the median:",
        "",
        *_by_k(names, ks, lambda name, k: figures.mean(name, k, "absolute_error").text()),
        "",
        "Coverage of 50 / 90 % intervals (mid-PIT); CPU seconds in the predictor, all folds, seeds "
        "and k:",
        "",
        *_by_k(names, ks, lambda name, k: _coverages(figures, name, k), _seconds(figures, names)),
        "",
    ]
    if ks == [0] and RIDGE in names:
        others = [n for n in names if n not in (RIDGE, PLAIN)]
        lines += [
            f"CRPS at k = 0 as a ratio to that of `{RIDGE}`, and of `{PLAIN}`:",
            "",
            "| predictor | to kernel-ridge | to it with gaps at the mean |",
            "|---|---|---|",
            *(
                f"| {n} | {figures.ratio(n, RIDGE, 0).text()} | "
                f"{figures.ratio(n, PLAIN, 0).text() if PLAIN in names else '–'} |"
                for n in others
            ),
            "",
        ]
    return [*lines, *_relatives(figures), *_not_valid(figures)]


def _not_valid(figures: Figures) -> list[str]:
    status = figures.measured.status
    bad = status[~status["status"].astype(str).isin(["ok", "not_applicable"])]
    what = bad["predictor"].astype(str) + ": " + bad["status"].astype(str)
    words = [f"{name} × {n}" for name, n in what.value_counts(sort=False).items()]
    return [f"Without a valid answer: {', '.join(words)}.", ""] if words else []


def _what(job: Job, figures: Figures, seeds: Sequence[int]) -> list[str]:
    task = figures.measured.manifest["task"]
    task = task if isinstance(task, str) else task["name"]
    targets = figures.measured.targets
    shape = f"{targets['model'].nunique()} models × {targets['scenario'].nunique()} scenarios"
    if job.seeds == "draws":
        shape += " in all draws together"
    taken = job.of_seeds(seeds)
    named = f"seed{'s' * (len(taken) > 1)} {', '.join(map(str, taken))}"
    of = {
        "draws": f"a draw of models for each seed: {named}",
        "folds": named,
        "none": "as the table prescribes them",
    }[job.seeds]
    units = int(figures.measured.split.groupby("seed")["fold"].nunique().max())
    folds = f"{units} fold{'s' * (units > 1)}"
    return [
        f"Task `{task}`; data: {_data(job, figures)}; {shape}, {len(targets):,} targets; "
        f"{folds}, {of}. "
        f"Clusters: {figures.rows.nunique()} × {figures.columns.nunique()} ({figures.row_kind} × "
        f"{figures.column_kind}). `{COMMAND} --only {job.name}`",
    ]


def _data(job: Job, figures: Figures) -> str:
    """Give the file names of the sources."""
    sources = figures.measured.manifest.get("sources") or []
    paths = {"/".join(str(source["source"]).rstrip("/").split("/")[-2:]) for source in sources}
    return ", ".join(sorted(paths)) or job.name


def _by_k(
    names: Sequence[str],
    ks: Sequence[int],
    cell: Callable[[str, int], str],
    last: Mapping[str, str] | None = None,
) -> list[str]:
    heads = [f"k = {k}" for k in ks] + (["CPU s"] if last else [])
    lines = [f"| predictor | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name in names:
        cells = [cell(name, k) for k in ks] + ([last.get(name, "–")] if last else [])
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _coverages(figures: Figures, name: str, k: int) -> str:
    row = figures.row(name, k)
    return "–" if row is None else f"{row['coverage_50']:.3f} / {row['coverage_90']:.3f}"


def _seconds(figures: Figures, names: Sequence[str]) -> dict[str, str]:
    of = figures.seconds()
    return {name: f"{of[name]:.0f}" for name in names if name in of}


def _medians(figures: Figures) -> list[str]:
    whats = ("MedAE", "MedAPE", "CRPS")
    lines = [
        "As papers report it: medians over all cells of a fold, and the mean CRPS over those with "
        "known bounds, mean over folds; intervals by a two-way bootstrap:",
        "",
        f"| predictor | k | {' | '.join(whats)} |",
        "|---|---|" + "---|" * len(whats),
    ]
    for name in figures.predictors:
        for k in figures.ks:
            cells = " | ".join(figures.of_folds(name, k, what).text() for what in whats)
            lines.append(f"| {name} | {k} | {cells} |")
    return [*lines, ""]


def _relatives(figures: Figures) -> list[str]:
    labels = figures.closest()
    if labels is None:
        return []
    classes = [c for c in CLASSES if (labels == c).any()]
    ks = figures.ks if len(figures.ks) <= len(SHOWN) else [k for k in figures.ks if k in SHOWN]
    models = figures.targets["model"].astype(str)
    heads = [
        f"{c} ({models[labels == c].nunique()} models, {(labels == c).sum()} runs)" for c in classes
    ]
    lines = [
        f"CRPS at k = {' / '.join(map(str, ks))} by the greatest agreement with a train model:",
        "",
        f"| predictor | {' | '.join(heads)} |",
        "|---|" + "---|" * len(classes),
    ]
    for name in figures.predictors:
        cells = []
        for c in classes:
            of_k = [figures.by_label(labels, "crps", k, name)["mean"].to_dict() for k in ks]
            cells.append(" / ".join(f"{of[c]:.2f}" if c in of else "–" for of in of_k))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]
