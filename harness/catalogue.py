"""What there is to choose from: predictors, tasks, metrics, rules."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

from harness.spec import registered
from harness.task import load_task, task_names


def catalogue(what: str) -> list[dict[str, Any]]:
    """List one kind of thing, a mapping each with at least ``name``.

    Parameters
    ----------
    what : str
        ``predictors``, ``tasks``, ``metrics`` or ``rules``.

    Examples
    --------
    >>> [row["name"] for row in catalogue("tasks")][:2]
    ['heldout-run', 'instance']
    """
    return {
        "predictors": _predictors,
        "tasks": _tasks,
        "metrics": _metrics,
        "rules": _rules,
    }[what]()


def _predictors() -> list[dict[str, Any]]:
    rows = []
    for name, value in registered().items():
        module, _, cls = value.partition(":")
        rows.append({"name": name, "class": value, "summary": _summary(module, cls)})
    return rows


def _summary(module: str, cls: str) -> str | None:
    """Read the first line of a class's docstring from its source, without importing it."""
    try:
        found = importlib.util.find_spec(module)
        if found is None or found.origin is None:
            return "cannot be found: its package is not installed"
        tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    except (ImportError, OSError, SyntaxError, ValueError):
        return "cannot be read"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == cls:
            return (ast.get_docstring(node) or "").split("\n")[0]
    return "cannot be found in its module"


def _tasks() -> list[dict[str, Any]]:
    rows = []
    for name in task_names():
        task = load_task(name)
        rows.append(
            {
                "name": name,
                "summary": task.summary,
                "held out together": ", ".join(task.hold_out),
                "information": task.information,
                "reference": task.reference,
            }
        )
    return rows


def _metrics() -> list[dict[str, Any]]:
    from suites.metrics import listed_metrics

    return [
        {
            "name": facts.name,
            "lower": facts.lower,
            "upper": facts.upper,
            "higher is better": facts.higher_is_better,
        }
        for facts in listed_metrics()
    ]


def _rules() -> list[dict[str, Any]]:
    from harness.rules import RULES

    return [
        {"name": rule.name, "unit": rule.unit, "loss": rule.is_loss, "meaning": rule.meaning}
        for rule in RULES
    ]
