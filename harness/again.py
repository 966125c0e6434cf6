"""What an evaluation or a split is made of: kept in its manifest, so that it can be made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.design import Design
from harness.task import Task, task_of
from suites.errors import UsageError
from suites.origin import Origin
from suites.reading import read
from suites.selection import Selection
from suites.suite import Suite

__all__ = ["made_of", "reread", "task_in"]


def made_of(suite: Suite, design: Design) -> dict[str, Any]:
    """Give what decides a split, as JSON may hold it.

    Parameters
    ----------
    suite : Suite
        The runs, as they were read and selected.
    design : Design
        How they are held out.

    Returns
    -------
    dict
        Keys origin (None where the runs were not read from places that can be named), selection,
        task, folds, seeds, leaks, runs.
    """
    return {
        "origin": None if suite.origin is None else suite.origin.to_json(),
        "selection": asdict(suite.selection),
        "task": asdict(design.task),
        "folds": design.folds,
        "seeds": list(design.seeds),
        "leaks": design.leaks,
        "runs": len(suite),
    }


def task_in(kept: Mapping[str, Any], where: Path) -> Task:
    """Give the task of what `made_of` gave.

    Parameters
    ----------
    kept : mapping
    where : Path
        The manifest that it stands in, for messages.
    """
    return task_of(kept["task"], f"of {where}")


def reread(
    kept: Mapping[str, Any],
    sources: Sequence[str | Path] | None = None,
    **moved: Any,
) -> Suite:
    """Read the sources again as they were read before.

    Parameters
    ----------
    kept : mapping
        As `made_of` gave it.
    sources : sequence of path, optional
        Where they lie now; by default where they lay.
    **moved
        ``identity``, ``table`` and ``metrics``: where these files lie now.

    Raises
    ------
    UsageError
        If they are not there, or were objects and not places.
    """
    if kept["origin"] is None:
        raise UsageError(
            "this was made of objects in memory, not of files: name the sources' paths when it "
            "is made."
        )
    origin = Origin.from_json(kept["origin"])
    options = {name: moved.get(name) or value for name, value in origin.options().items()}
    places = [str(source) for source in sources or ()] or origin.places()
    try:
        return read(*places, select=Selection(**_tuples(kept["selection"])), **options)
    except UsageError as err:
        if sources:
            raise
        raise UsageError(f"{err} If the sources lie elsewhere now, name them: --source.") from err


def _tuples(selection: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in selection.items()}
