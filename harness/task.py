"""`Task`: a recipe for what is held out and what may be seen of it, read from a YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from suites.errors import UsageError, unknown_name

INFORMATION: tuple[str, ...] = ("spec", "prompts", "completions")
COLUMNS: tuple[str, ...] = (
    "run",
    "model",
    "organisation",
    "family",
    "scenario",
    "scenario_group",
    "condition",
)


@dataclass(frozen=True)
class Task:
    """What is held out together, and what may be seen of it.

    Attributes
    ----------
    name, summary : str
        What it is called, and one sentence on what it asks.
    predicts : str
        ``run``: the value of a run; ``instance``: the value of a response.
    hold_out : tuple of str
        Columns of the runs: runs that agree in all of them are held out together, whatever their
        metric, condition, perturbation, suite or date.
    information : str
        The information set: ``spec`` (descriptions and instance ids), ``prompts`` (and the texts
        of the questions), ``completions`` (and the answers to the shown instances).
    reference : str
        The predictor that skill is measured against.
    k, folds, seeds
        What is evaluated unless the user says otherwise.

    Examples
    --------
    >>> load_task("heldout-run").hold_out
    ('model', 'scenario')
    """

    name: str
    summary: str = ""
    predicts: str = "run"
    hold_out: tuple[str, ...] = ("model", "scenario")
    information: str = "spec"
    reference: str = "scenario-mean"
    k: tuple[int, ...] = (0, 5, 20)
    folds: int = 10
    seeds: tuple[int, ...] = (0,)


def task_names() -> list[str]:
    """Give the names of the tasks that come with the package.

    Examples
    --------
    >>> "heldout-run" in task_names()
    True
    """
    folder = files("harness") / "tasks"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml"))


def load_task(name: str | Path) -> Task:
    """Load a task by name, or from a YAML file of one's own.

    Raises
    ------
    UsageError
        If there is no such task, or the file holds unknown keys or values.
    """
    import yaml

    if str(name) in task_names():
        text, where = (files("harness") / "tasks" / f"{name}.yaml").read_text("utf-8"), str(name)
    else:
        path = Path(name)
        if path.suffix not in (".yaml", ".yml"):
            raise unknown_name("task", str(name), task_names())
        where = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as err:
            raise UsageError(f"cannot read the task {where}: {err}") from err
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise UsageError(f"the task {where} is not YAML: {err}") from err
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise UsageError(f"the task {where} must be a mapping with at least the key name.")
    return _checked(raw, where)


def _checked(raw: dict[str, Any], where: str) -> Task:
    known = {f.name for f in fields(Task)}
    for key in raw:
        if key not in known:
            raise UsageError(f"task {where}: {unknown_name('key', str(key), known)}")
    for key in ("hold_out", "k", "seeds"):
        if key in raw:
            raw[key] = tuple(raw[key]) if isinstance(raw[key], list) else (raw[key],)
    task = Task(**raw)
    for key, wrong in _wrong_kinds(task):
        if wrong:
            raise UsageError(f"task {where}: {key} must be {wrong}, got {getattr(task, key)!r}.")
    for column in task.hold_out:
        if column not in COLUMNS:
            raise UsageError(f"task {where}: {unknown_name('column', str(column), COLUMNS)}")
    if task.information not in INFORMATION:
        error = unknown_name("information set", str(task.information), INFORMATION)
        raise UsageError(f"task {where}: {error}")
    if task.predicts not in ("run", "instance"):
        raise UsageError(f"task {where}: predicts must be run or instance.")
    return task


def _wrong_kinds(task: Task) -> Iterator[tuple[str, str]]:
    """Give each key of which a wrong kind of value does harm, with what it must be, or ''."""
    for key in ("summary", "reference"):
        yield key, "" if isinstance(getattr(task, key), str) else "text"
    yield "hold_out", "" if task.hold_out else "at least one column"
    yield "folds", "" if _whole(task.folds, least=1) else "a whole number of at least 1"
    for key in ("k", "seeds"):
        numbers = getattr(task, key)
        right = numbers and all(_whole(number, least=0) for number in numbers)
        yield key, "" if right else "whole numbers of at least 0"


def _whole(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
