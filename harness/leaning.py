"""What a prediction leaned on: how far it moves when the predictor does not know some runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.asked_runs import AskedRun
from harness.asking import Asker
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Leaning", "leaned_on"]

NEAREST = 5
"""Runs of other models, and of other scenarios, that are left out one by one."""


@dataclass(frozen=True)
class Leaning:
    """What becomes of a prediction without some runs.

    Attributes
    ----------
    without : str
        Which, in words.
    runs : list of str
        Their ids.
    mean : float or None
        The mean that is predicted then, in the metric's units; None where nothing is.
    moved : float or None
        By how much it moved, in points of a bounded metric, else in its units.
    """

    without: str
    runs: list[str]
    mean: float | None
    moved: float | None


def leaned_on(
    asker: Asker,
    runs: pd.DataFrame,
    train: NDArray[np.bool_],
    asked: AskedRun,
    near: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]],
    mean: float,
    unit: float,
    report: Callable[[int, int], None] | None = None,
) -> list[Leaning]:
    """Ask again without each of the nearest runs, and without some together.

    Parameters
    ----------
    asker : Asker
        The predictor.
    runs : DataFrame
        All rows of the source.
    train : array of bool, shape (rows,)
        Which were known for the prediction.
    asked : AskedRun
        The run that was predicted.
    near : (sequence of mapping, sequence of mapping)
        Runs of the same scenario, and of the same model, nearest first
        (`harness.known_runs.neighbours`).
    mean : float
        What was predicted.
    unit : float
        Points in one unit of the metric.
    report : callable, optional
        Called with (done, in all).

    Returns
    -------
    list of Leaning
        What moved it most comes first.
    """
    models, scenarios = (list(part)[:NEAREST] for part in near)
    parts: dict[str, NDArray[np.bool_]] = {}
    names = runs["run"].astype(str)
    for run in (*models, *scenarios):
        parts[f"{run['model']} on {run['scenario']}"] = (names == run["run"]).to_numpy(bool)
    others = (runs["model"] != asked.row["model"]).to_numpy(bool)
    for run in models:  # all that is known of the model
        parts[f"all of {run['model']}"] = (runs["model"] == run["model"]).to_numpy(bool)
    parts["all of the same model"] = ~others
    parts["all of the same scenario"] = (runs["scenario"] == asked.row["scenario"]).to_numpy(bool)
    parts = {text: rows & train for text, rows in parts.items() if (rows & train).any()}
    found = []
    for done, (text, rows) in enumerate(parts.items()):
        if report is not None:
            report(done, len(parts))
        now = _mean(asker, train & ~rows, asked)
        moved = None if now is None else (now - mean) * unit
        found.append(Leaning(text, sorted(set(names[rows])), now, moved))
    if report is not None:
        report(len(parts), len(parts))
    return sorted(found, key=lambda one: (one.moved is None, -abs(one.moved or 0.0), one.without))


def _mean(asker: Asker, train: NDArray[np.bool_], asked: AskedRun) -> float | None:
    try:
        replies = asker.ask(train, [asked], before=not asked.k)
    except UsageError:  # without these runs it says nothing
        return None
    reply = replies[max(replies)].distributions
    return float(reply[asked.row["target"]].mean) if asked.row["target"] in reply else None
