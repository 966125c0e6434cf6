"""Models by scenarios, some cells made and some drawn: what a comparison is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.asked_runs import AskedRun, asked_run, column_of
from harness.asking import Asker
from harness.held_out import HeldOut
from harness.joint_draws import draws_of
from harness.observed import Observed
from harness.question import said_unknown
from harness.spec import parse_spec
from suites.errors import UsageError, unknown_name
from suites.selection import matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["ComparedColumn", "ComparisonGrid"]

MOST_HOLES = 2000
"""Cells without a run that are predicted for the win rates; with more, only those of the two."""


@dataclass(eq=False)
class ComparedColumn:
    """One scenario as it is compared.

    Attributes
    ----------
    rows : DataFrame
        Its known runs, of one column of the source.
    sign : float
        -1 where less is better.
    unit, lower : float
        Points in one unit of the metric, and what counts as 0; 1 and 0 where it has no bounds.
    bounded : bool
    ranked : bool
        Whether it counts over scenarios: the direction is known, the metric bounded.
    """

    rows: pd.DataFrame
    sign: float
    unit: float
    lower: float
    bounded: bool
    ranked: bool

    def points(self, value: Array | float) -> Array:
        """Give values in points, more is better."""
        return self.sign * self.unit * (np.asarray(value, float) - self.lower)

    def row_of(self, model: str) -> dict[str, Any] | None:
        """Give the run of a model; None where it was not made."""
        mine = self.rows[self.rows["model"] == model]
        return {str(k): v for k, v in mine.iloc[-1].items()} if len(mine) else None


class ComparisonGrid:
    """Models by scenarios: what is known, what is asked for, what was drawn.

    Parameters
    ----------
    held : HeldOut
        The source's runs.
    models : tuple of (str, str)
        The two that are compared.
    globs : sequence of str
        Of the scenarios.
    observed : Observed or None
        Responses of runs that were begun.

    Attributes
    ----------
    columns : dict of str to ComparedColumn
        Scenario → its column.
    rivals : list of str
        All models, the two among them.
    asked : dict of (str, str) to AskedRun
        Model and scenario → what is to be predicted.
    drawn : dict of (str, str) to ndarray, shape (size,)
        The same → draws, once it is filled.
    """

    def __init__(
        self,
        held: HeldOut,
        models: tuple[str, str],
        globs: Sequence[str],
        observed: Observed | None,
    ) -> None:
        runs = held.runs
        self.held, self.models = held, models
        self.notes = [
            said_unknown("model", m, sorted(set(runs["model"])))
            for m in models
            if m not in set(runs["model"])
        ]
        if len(self.notes) == 2:
            raise unknown_name("model", models[0], set(runs["model"]))
        known = sorted(set(runs["scenario"]))
        for glob in globs:
            if not any(matches(name, [glob]) for name in known):
                raise unknown_name("scenario", glob, known)
        names = [name for name in known if not globs or matches(name, globs)]
        self.columns = {s: _column(runs[runs["scenario"] == s], models) for s in names}
        self.rivals = sorted(set(runs["model"]) | set(models))
        self.asked = self._holes(observed)
        self.drawn: dict[tuple[str, str], Array] = {}
        self.predictor: str | None = None
        self.joint = False
        self.size = 1

    def _holes(self, observed: Observed | None) -> dict[tuple[str, str], AskedRun]:
        """Describe the runs that were not made."""
        if observed is not None and observed.rows[["model", "scenario"]].isna().to_numpy().any():
            raise UsageError(
                f"{observed.where}: to compare models, each row needs its model and scenario."
            )
        wanted = [
            (m, s)
            for s, column in self.columns.items()
            for m in self.rivals
            if column.row_of(m) is None
        ]
        if len(wanted) > MOST_HOLES:
            self.notes.append(
                f"{len(wanted)} cells have no run: only those of the two models are predicted, and "
                "win rates count the other models where they ran."
            )
            wanted = [(m, s) for m, s in wanted if m in self.models]
        runs, asked = self.held.runs, {}
        for model, scenario in wanted:
            asked[model, scenario] = asked_run(
                runs,
                self.held.instances,
                model,
                scenario,
                observed=observed,
                like=self.columns[scenario].rows,
            )
        if observed is not None:
            used = {(m, s) for (m, s), run in asked.items() if run.k}
            given = observed.rows[["model", "scenario"]].drop_duplicates()
            idle = [pair for pair in given.itertuples(index=False, name=None) if pair not in used]
            if idle:
                listed = ", ".join(f"{m} on {s}" for m, s in idle[:3])
                self.notes.append(
                    f"{observed.where}: responses of {len(idle)} runs are not used, as they are "
                    f"made or not compared: {listed}{' …' if len(idle) > 3 else ''}."
                )
        return asked

    def fill(self, text: str, seed: int, timeout: float | None, isolation: str) -> None:
        """Let a predictor draw the runs that were not made."""
        train = np.ones(len(self.held.runs), bool)
        asked = list(self.asked.values())
        options: dict[str, Any] = {"seed": seed, "timeout": timeout, "isolation": isolation}
        with Asker(self.held, parse_spec(text), joint=True, **options) as asker:
            replies, spec = asker.ask(train, asked, before=False), asker.spec
        (reply,) = replies.values()
        draws, self.joint = draws_of(reply.distributions, reply.table, seed=seed)
        self.predictor = spec.name
        if not self.joint:
            self.notes.append(f"{spec.name} gives no joint draws: independent ones were drawn.")
        failed = []
        for cell, run in self.asked.items():
            target = run.row["target"]
            if target in draws:
                self.drawn[cell] = draws[target]
                self.size = len(draws[target])
            else:
                failed.append((cell, reply.status[target][1]))
        if failed:
            (model, scenario), why = failed[0]
            self.notes.append(
                f"{len(failed)} runs could not be predicted and are left out, such as {model} on "
                f"{scenario}: {why}"
            )

    def value(self, model: str, scenario: str) -> Array | None:
        """Give a model's value on a scenario for each draw; the same for all where it was made."""
        row = self.columns[scenario].row_of(model)
        if row is not None:
            return np.full(self.size, float(row["value"]))
        return self.drawn.get((model, scenario))

    def wide(self, model: str, scenario: str) -> Array:
        """Give draws about their mean for all questions like these, where k of n are answered.

        What was answered is part of the run's value, but tells of other questions only as a sample.
        """
        drawn, asked = self.drawn.get((model, scenario)), self.asked.get((model, scenario))
        if drawn is None or asked is None:
            return np.zeros(self.size)
        n = asked.row["n"]
        stretch = n / (n - asked.k) if n is not None else 1.0
        points = self.columns[scenario].points(drawn)
        return (points - points.mean()) * stretch


def _column(runs: pd.DataFrame, models: Sequence[str]) -> ComparedColumn:
    rows = column_of(runs, models)
    lower, upper = rows["lower"].dropna(), rows["upper"].dropna()
    direction = rows["higher_is_better"].dropna()
    bounded = bool(len(lower)) and bool(len(upper)) and float(upper.iloc[0]) > float(lower.iloc[0])
    sign = -1.0 if len(direction) and not bool(direction.iloc[0]) else 1.0
    low = float(lower.iloc[0]) if bounded else 0.0
    unit = 100.0 / (float(upper.iloc[0]) - low) if bounded else 1.0
    return ComparedColumn(rows, sign, unit, low, bounded, bounded and bool(len(direction)))
