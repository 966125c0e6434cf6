"""What a task would hold out of a source, what it leaves out, and what could still be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.held_out import HeldOut
from harness.leaks import facts
from harness.split import Fold, units_of
from harness.task import Task

__all__ = ["explain"]

_MOST_NAMED = 20


def explain(task: Task, held: HeldOut, folds: Sequence[Fold], leaks: str) -> dict[str, Any]:
    """Describe a split.

    Parameters
    ----------
    task : Task
    held : HeldOut
        The runs.
    folds : sequence of Fold
        As `HeldOut.folds` makes them.
    leaks : str
        ``block``, ``strict`` or ``report``.

    Returns
    -------
    dict
        ``task`` (its recipe), ``held_out`` (numbers of targets, units, folds and their sizes),
        ``left_out`` (what is neither held out nor train), ``together`` (what was found to be the
        same under two names), ``remaining`` (in words: what an analyst could still learn from).
    """
    runs = held.runs
    relations = held.strict_relations if leaks == "strict" else held.relations
    named = runs if leaks == "report" else relations.canonical(runs)
    units = units_of(named, task)
    ever = np.sum([fold.test for fold in folds], axis=0)
    tested = [unit for unit, times in zip(units, ever, strict=True) if times]
    sizes = [int(fold.test.sum()) for fold in folds]
    train = [int(fold.train.sum()) for fold in folds]
    left = [int((~fold.test & ~fold.train).sum()) for fold in folds]
    return {
        "task": {
            "name": task.name,
            "summary": task.summary,
            "predicts": task.predicts,
            "held out together": " × ".join(task.hold_out),
            **({"folds of each": " × ".join(task.within)} if task.within else {}),
            **({"dropped": f"others of its {' × '.join(task.drop)}"} if task.drop else {}),
            "chosen": task.choose,
            "information": task.information,
            "k": list(task.k),
            "reference": task.reference,
        },
        "held_out": {
            "runs": len(runs),
            "targets": len(tested),
            "units": len(set(tested)),
            "folds": len(folds),
            "targets in a fold": _range(sizes),
            "train runs in a fold": _range(train),
        },
        "left_out": {
            "runs": _range(left),
            "why": _why_left_out(task) if any(left) else "",
        },
        "together": {"treatment": leaks, **facts(relations)},
        "remaining": _remaining(task, held, folds, leaks),
    }


def _why_left_out(task: Task) -> str:
    if task.targets == "perturbed":
        return "they are the worst of several perturbations, which tells of what is held out"
    if task.drop:
        return f"they share the {' and '.join(task.drop)} of what is held out"
    return "their release or date is not known"


def _range(sizes: Sequence[int]) -> str:
    if not sizes:
        return "0"
    low, high = min(sizes), max(sizes)
    return str(low) if low == high else f"{low}–{high}"


def _remaining(task: Task, held: HeldOut, folds: Sequence[Fold], leaks: str) -> list[str]:
    """Say which ways to learn of a held-out value a task leaves open."""
    runs, out = held.runs, []
    together = set(task.hold_out)
    if task.choose == "latest":
        out.append("earlier releases of a held-out run's cell are train: that is the task")
    if task.targets == "perturbed":
        out.append("the unperturbed run of a held-out run, and other strengths, are train")
    if "condition" in together:
        out.append("a held-out cell under its other conditions is train: that is the task")
    apart = together | set(task.drop)
    if not apart & {"organisation", "run"} and task.choose == "folds":
        same = runs.groupby(runs["organisation"].fillna(runs["model"]))["model"].nunique()
        if (same > 1).any():
            out.append(
                f"models of one organisation: {int((same > 1).sum())} organisations have several, "
                "and only those that are held out together are out of train"
            )
    if "scenario" not in together and "scenario_group" not in together:
        out.append("other models' runs on the same scenarios are train")
    elif "model" in together:
        out.append(
            "other runs of the same model, and other models' runs on the scenario, are train"
        )
    else:
        out.append("the same models' runs on other scenarios are train")
    out += _near(held, leaks)
    if not held.relations.instances.startswith("checked") or " of " in held.relations.instances:
        out.append(f"questions that two scenarios share: {held.relations.instances}")
    if task.choose != "latest":
        out.append("time: train runs may have been made after the held-out ones")
    cells = runs.drop_duplicates(["model", "scenario"])
    full = runs["model"].nunique() * runs["scenario"].nunique()
    if len(cells) < full:
        out.append(f"which runs there are: {len(cells)} of {full} cells, not chosen at random")
    return out


def _near(held: HeldOut, leaks: str) -> list[str]:
    if held.agreement is None:
        return ["near-duplicate models: not checked (no responses, or too many models)"]
    pairs = held.agreement.near_duplicates()
    if not pairs or leaks == "strict":
        return []
    named = ", ".join(f"{one} and {other} ({alike:.2f})" for one, other, alike in pairs[:3])
    more = f", and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
    return [
        f"near-duplicate models, alike beyond what their accuracies explain: {named}{more}; "
        "--leaks strict holds them out together"
    ]
