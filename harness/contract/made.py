"""A small made grid of runs that has what predictors meet: the default source of the checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suites.identity import canonical_json
from suites.problem import Problem, ProblemLog
from suites.reader import Figure, Reader, ReadOptions, RunDescription
from suites.schema import arrow_schema, responses_table
from suites.selection import Selection
from suites.suite import Suite

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["made_fold", "made_suite"]

MODELS = ("ash/a-1", "ash/a-2", "elm/e-1", "elm/e-2", "oak/o-1", "oak/o-2", "yew/y-1")
STRENGTHS = (0.1, 0.3)


@dataclass(frozen=True)
class _Scenario:
    name: str
    metric: str
    lower: float | None = 0.0
    upper: float | None = 1.0
    trials: int = 1
    perturbed: bool = False

    def values(self, rng: np.random.Generator, logit: float, size: int) -> NDArray[np.float64]:
        """Draw answers of a model: the greater the logit, the better."""
        p = 1 / (1 + np.exp(-logit))
        if self.lower is None or self.upper is None:
            return np.asarray(rng.normal(40 * logit, 10, size))
        if self.metric == "exact_match":
            return np.asarray(rng.random(size) < p, dtype=np.float64)
        share = rng.beta(4 * p, 4 - 4 * p, size)
        return np.asarray(self.lower + (self.upper - self.lower) * share)


SCENARIOS = (
    _Scenario("words:level=1", "exact_match", perturbed=True),
    _Scenario("words:level=2", "exact_match"),
    _Scenario("essay", "grade", 1.0, 5.0, trials=2),
    _Scenario("translation", "percent", 0.0, 100.0),
    _Scenario("duel", "points", None, None, perturbed=True),
    _Scenario("riddle", "exact_match"),
)


def made_suite(n: int = 24) -> Suite:
    """Make runs of seven models on six scenarios, a few cells empty, always the same.

    There are binary metrics, bounded ones (1..5, with two trials of each instance; 0..100) and an
    unbounded one, perturbed values of two strengths, a rerun, and responses without a value.

    Parameters
    ----------
    n : int
        The least number of instances of a scenario.

    Examples
    --------
    >>> suite = made_suite()
    >>> suite
    <Suite: 71 runs, 7 models, 6 scenarios, 0 problems>
    >>> sorted(suite.runs["metric"].unique())
    ['exact_match', 'grade', 'percent', 'points']
    """
    reader = _MadeReader(n)
    select = Selection(perturbation="*", reruns="all")
    return Suite([(reader, run) for run in reader.runs()], ProblemLog(), select)


def made_fold(runs: pd.DataFrame, fold: int) -> NDArray[np.bool_]:
    """Say which of the made runs are held out: a fifth of the cells, a model, a scenario.

    Parameters
    ----------
    runs : DataFrame
        ``made_suite().runs``.
    fold : int
        0 or 1.

    Returns
    -------
    array of bool, shape (rows,)
        Of the model and the scenario that are held out whole, no run is left to learn from.
    """
    model, scenario = (-1, -1) if fold == 0 else (0, 1)
    i = runs["model"].map(MODELS.index).to_numpy(int)
    j = runs["scenario"].map([s.name for s in SCENARIOS].index).to_numpy(int)
    whole = (i == model % len(MODELS)) | (j == scenario % len(SCENARIOS))
    return np.asarray(whole | ((i + 2 * j + fold) % 5 == 0))


class _MadeReader(Reader):
    """Gives made runs as if they had been read."""

    kind = "made"

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        ability, difficulty = rng.normal(0, 1, len(MODELS)), rng.normal(0, 1, len(SCENARIOS))
        self._runs: list[RunDescription] = []
        self._tables: dict[str, pa.Table] = {}
        for i, model in enumerate(MODELS):
            for j, scenario in enumerate(SCENARIOS):
                if (i, j) in ((1, 3), (3, 1)):
                    continue
                logit = ability[i] - difficulty[j] + rng.normal(0, 0.3)
                self._add(rng, model, scenario, logit, n + 3 * j, "")
                if (i, j) == (2, 0):
                    self._add(rng, model, scenario, logit, n + 3 * j, ",again=1")

    def _add(
        self,
        rng: np.random.Generator,
        model: str,
        scenario: _Scenario,
        logit: float,
        size: int,
        again: str,
    ) -> None:
        import pyarrow as pa

        name = f"{scenario.name},model={model}{again}"
        organisation, _, family = model.partition("/")
        group = scenario.name.partition(":")[0]
        facts: dict[str, Any] = {"lower": scenario.lower, "upper": scenario.upper}
        figures, tables = [], []
        for strength in (None, *(STRENGTHS if scenario.perturbed else ())):
            noise = {"name": "misspellings", "prob": strength, "robustness": True}
            perturbation = None if strength is None else canonical_json(noise)
            rows = size * scenario.trials
            value = scenario.values(rng, logit - 3 * (strength or 0), rows)
            status = ["ok"] * rows
            if (model, scenario.name, strength) == (MODELS[0], "words:level=2", None):
                value[0], status[0] = np.nan, "unscored"
            columns = {
                "run": name,
                "model": model,
                "scenario": scenario.name,
                "condition": "made",
                "instance": [f"q{row // scenario.trials}" for row in range(rows)],
                "trial": [row % scenario.trials for row in range(rows)],
                "part": "test",
                "metric": scenario.metric,
                "perturbation": perturbation,
                "value": value,
                "status": status,
                **facts,
            }
            tables.append(responses_table(columns, rows))
            mean, counts = float(np.nanmean(value)), scenario.metric == "exact_match"
            figures.append(
                Figure(scenario.metric, "test", perturbation, mean, size, counts, **facts,
                       higher_is_better=True)
            )  # fmt: skip
        self._tables[name] = pa.concat_tables(tables)
        self._runs.append(
            RunDescription(
                run=name,
                name=name,
                source="made",
                kind=self.kind,
                location="made",
                model=model,
                organisation=organisation,
                family=f"{organisation}/{family.partition('-')[0]}",
                scenario=scenario.name,
                scenario_group=group,
                condition="made",
                condition_fields={},
                figures=figures,
                main=(scenario.metric, "test", "its only one"),
                order=(again,),
            )
        )

    @classmethod
    def accepts(cls, source: str) -> bool:
        return False

    @classmethod
    def open(cls, source: str, options: ReadOptions, report: Callable[[Problem], None]) -> Reader:
        return cls(24)

    def runs(self) -> Iterator[RunDescription]:
        yield from self._runs

    def responses(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        wanted = metrics is None or run.main[0] in metrics
        return self._tables[run.name] if wanted else arrow_schema().empty_table()
