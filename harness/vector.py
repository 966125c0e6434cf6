"""`evaluate_all`: the same predictors on several tasks, for a headline that is a vector.

A number that only says how well single missing runs are predicted hides what happens to a model
without relatives, a model better than all known ones, a new scenario, or the next release.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.design import Design
from harness.evaluation import evaluate, selected
from harness.output_folder import output_folder
from harness.spec import spec_of
from harness.split import units_of
from harness.task import Task, TaskNotApplicable
from harness.vector_results import TaskEntry, VectorResults, write_entries
from suites.errors import UsageError
from suites.reading import read
from suites.suite import Suite, require_runs

if TYPE_CHECKING:
    from harness.results import Results

__all__ = ["ALL", "VECTOR", "evaluate_all", "tasks_named"]

ALL = "all"
"""What stands for the tasks of `VECTOR`."""

VECTOR: tuple[tuple[str, str], ...] = (
    ("heldout-run", "Held-out run"),
    ("new-model(by='family')", "Family removed"),
    ("new-model(by='organisation')", "Organisation removed"),
    ("stronger-model", "Stronger model"),
    ("new-scenario", "New scenario"),
    ("next-release", "Next release"),
)
"""The tasks of a fair headline, each with its short heading."""

_HEADINGS = {**dict(VECTOR), "instance": "Single responses"}

_SINGLE = {"organisation": "model", "family": "model", "scenario_group": "scenario"}
"""What a group of one consists of."""


def evaluate_all(
    sources: Any,
    predictors: Any,
    *,
    tasks: str | Sequence[str | Path | Task] = ALL,
    k: Sequence[int] | int | None = None,
    folds: int | str | None = None,
    seeds: Sequence[int] | int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    leaks: str = "block",
    progress: Callable[[str, int, int], None] | None = None,
    command: Sequence[str] | None = None,
    **options: Any,
) -> VectorResults:
    """Evaluate the same predictors on several tasks, one results folder for each.

    A task that the sources cannot carry (one organisation only, no dates) is said to be not
    applicable, with the reason, and the others go on. What is wrong for all tasks ends the
    evaluation at once. What was interrupted goes on where it was, as `harness.evaluate` does.

    Parameters
    ----------
    sources : Suite, or what `suites.read` takes
        The runs; read once.
    predictors
        As in `harness.evaluate`.
    tasks : str or sequence of str, path or Task
        Names or YAML files; ``all`` stands for the tasks of `VECTOR`.
    k, folds, seeds
        As in `harness.evaluate`, the same for all tasks; by default each task's own.
    out : path, optional
        The folder to make: a results folder for each task, and ``tasks.json``.
    overwrite : bool
        Replace results that are already at ``out``.
    leaks, progress, command
        As in `harness.evaluate`.
    **options
        Further arguments of `harness.evaluate`: jobs, isolation, timeout, fail_on.

    Returns
    -------
    VectorResults

    Raises
    ------
    UsageError
        For whatever concerns all tasks (an unknown predictor or task, no source), and where the
        sources can carry none of the tasks.

    Examples
    --------
    >>> import harness
    >>> results = harness.evaluate_all("demo/my-suite", "jeffreys", k=0, isolation="none")
    >>> [entry.heading for entry in results.entries if not entry.evaluated]
    ['Stronger model', 'Next release']
    >>> results.headline()[["task", "predictor"]].iloc[0].tolist()
    ['heldout-run', 'scenario-mean']
    """
    named = tasks_named([tasks] if isinstance(tasks, str) else tasks)
    if isinstance(folds, str) and folds != "each":
        raise UsageError(
            f"folds that a source prescribes ({folds!r}) are those of one task: evaluate it alone."
        )
    designs = [Design.of(task, k, folds, seeds, leaks) for task, _ in named]
    predictors = list(predictors) if isinstance(predictors, list | tuple) else [predictors]
    for predictor in predictors:
        spec_of(predictor)
    suite = sources if isinstance(sources, Suite) else read(sources)
    require_runs(suite, "evaluate")
    entries = _entries(designs, [heading for _, heading in named])
    with output_folder(out, overwrite, kept="tasks") as output:
        place = output.folder / "tasks"
        place.mkdir(exist_ok=True)
        done: dict[str, Results] = {}
        for i, (entry, design) in enumerate(zip(entries, designs, strict=True)):
            try:
                # a selection of its own, so that no task's notes and problems are another's
                done[entry.folder] = evaluate(
                    suite.select(),
                    predictors,
                    task=design.task,
                    k=k,
                    folds=folds,
                    seeds=seeds,
                    out=place / entry.folder,
                    leaks=leaks,
                    reuse=True,
                    progress=progress and _headed(progress, entry.heading),
                    command=command,
                    **options,
                )
            except TaskNotApplicable as err:
                entries[i] = replace(entry, status="not_applicable", reason=str(err))
        if not done:
            reasons = " ".join(f"{entry.heading}: {entry.reason}" for entry in entries)
            raise UsageError(f"the sources can carry none of the tasks. {reasons}")
        entries = _compared(entries, designs, suite, done)
        facts = _facts(next(iter(done.values())), command)
        for folder in done:
            (place / folder).rename(output.folder / folder)
        shutil.rmtree(place)
        write_entries(output.folder, entries, facts)
        output.put()
    return VectorResults(output.final, output.keep)


def tasks_named(tasks: Iterable[str | Path | Task]) -> list[tuple[str | Path | Task, str]]:
    """Give tasks with their headings, each once; ``all`` stands for those of `VECTOR`.

    Examples
    --------
    >>> tasks_named(["heldout-run", "mine.yaml"])
    [('heldout-run', 'Held-out run'), ('mine.yaml', 'mine.yaml')]
    >>> len(tasks_named(["new-scenario", "all"]))
    6
    """
    found: dict[str, tuple[str | Path | Task, str]] = {}
    for task in tasks:
        for one in dict(VECTOR) if task == ALL else [task]:
            text = one.name if isinstance(one, Task) else str(one)
            found.setdefault(text, (one, _HEADINGS.get(text, text)))
    return list(found.values())


def _entries(designs: Sequence[Design], headings: Sequence[str]) -> list[TaskEntry]:
    """Name a folder for each task."""
    entries: list[TaskEntry] = []
    taken: set[str] = set()
    for design, heading in zip(designs, headings, strict=True):
        name = design.task.name
        plain = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-._") or "task"
        folder, number = plain, 1
        while folder.casefold() in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(folder.casefold())
        summary = design.task.summary
        entries.append(TaskEntry(name, heading, folder, "evaluated", "", summary=summary))
    return entries


def _headed(
    progress: Callable[[str, int, int], None], heading: str
) -> Callable[[str, int, int], None]:
    return lambda what, done, total: progress(f"{heading}: {what}", done, total)


def _compared(
    entries: Sequence[TaskEntry],
    designs: Sequence[Design],
    suite: Suite,
    done: Mapping[str, Results],
) -> list[TaskEntry]:
    """Note which tasks hold out the same as another: their columns are no further evidence."""
    folds = {folder: _folds(results) for folder, results in done.items()}
    units = {
        entry.folder: _units(selected(suite.select(), design.task), design.task)
        for entry, design in zip(entries, designs, strict=True)
        if entry.evaluated
    }
    out: list[TaskEntry] = []
    for i, (entry, design) in enumerate(zip(entries, designs, strict=True)):
        if not entry.evaluated:
            out.append(entry)
            continue
        own, held = units[entry.folder], " and ".join(design.task.hold_out).replace("_", " ")
        notes = []
        for other, its in zip(out, designs[:i], strict=True):
            if not other.evaluated or not _learn_alike(design.task, its.task):
                continue
            if folds[entry.folder] == folds[other.folder]:
                notes.append(f"holds out the same folds as {other.heading}")
            elif own is not None and own == units[other.folder]:
                notes.append(f"holds out together the same runs as {other.heading}, in other folds")
        single = _SINGLE.get(design.task.hold_out[0]) if len(design.task.hold_out) == 1 else None
        if single and own == _units(suite, replace(design.task, hold_out=(single,))):
            notes.append(f"every {held} is of one {single} only: it holds out one {single} at once")
        note = "; ".join(notes)
        out.append(replace(entry, note=note[:1].upper() + note[1:] + "." if note else ""))
    return out


def _learn_alike(one: Task, other: Task) -> bool:
    """Say whether the same held-out runs would leave the same to learn from, and be asked for."""
    return (one.predicts, one.within, one.drop) == (other.predicts, other.within, other.drop)


def _folds(results: Results) -> set[tuple[int, frozenset[str]]]:
    """Give the targets of each fold of each seed, whatever the folds' numbers."""
    held: dict[tuple[int, int], set[str]] = {}
    split = results.split
    for seed, fold, target in zip(split["seed"], split["fold"], split["target"], strict=True):
        held.setdefault((int(seed), int(fold)), set()).add(str(target))
    return {(seed, frozenset(targets)) for (seed, _), targets in held.items()}


def _units(suite: Suite, task: Task) -> set[frozenset[str]] | None:
    """Give the sets of runs that a task never divides; None where it does not make folds of them.

    Without names that stand for one thing (`harness.leaks`): these would join units of all tasks
    alike.
    """
    if task.choose != "folds":
        return None
    members: dict[tuple[str, ...], set[str]] = {}
    for unit, run in zip(units_of(suite.runs, task), suite.runs["run"], strict=True):
        members.setdefault(unit, set()).add(str(run))
    return {frozenset(runs) for runs in members.values()}


def _facts(results: Results, command: Sequence[str] | None) -> dict[str, Any]:
    """Give what stands beside the list of tasks."""
    return {
        "benchcast": results.manifest.get("benchcast"),
        "command": list(command) if command is not None else None,
    }
