"""A small made grid of runs, split into train and test, for the tests of all predictors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from suites.identity import canonical_json
from suites.schema import RUNS, frame_of, responses_table, to_pandas

LOWER, UPPER = {"bounded": 1.0, "percent": 0.0}, {"bounded": 5.0, "percent": 100.0}


@dataclass
class Grid:
    """All runs and their responses, and which of them are held out."""

    runs: pd.DataFrame
    values: dict[str, np.ndarray]  # run -> its instances' values
    held: list[str]
    tests: dict[tuple[int, ...], SequesteredTestSplit] = field(default_factory=dict)

    @property
    def train_runs(self) -> pd.DataFrame:
        return self.runs[~self.runs["run"].isin(self.held)].reset_index(drop=True)

    @property
    def truth(self) -> dict[str, float]:
        rows = self.runs[self.runs["run"].isin(self.held)]
        return {"target " + r: v for r, v in zip(rows["run"], rows["value"], strict=True)}

    def train(self) -> TrainSplit:
        return TrainSplit(runs=self.train_runs)

    def test(self, k: int, *, without_value: Sequence[int] = ()) -> SequesteredTestSplit:
        """Show the first k instances of each target; positions in `without_value` failed."""
        key = (k, *without_value)
        if key not in self.tests:
            self.tests[key] = self._test(k, without_value)
        return self.tests[key]

    def _test(self, k: int, without_value: Sequence[int]) -> SequesteredTestSplit:
        rows = self.runs[self.runs["run"].isin(self.held)]
        targets = rows.drop(columns=["value", "recomputed"]).reset_index(drop=True)
        targets.insert(0, "target", "target " + targets["run"])
        targets["instances"] = [[f"i{i}" for i in range(len(self.values[r]))] for r in rows["run"]]
        columns: dict[str, list] = {"run": [], "instance": [], "value": []}
        for run in rows["run"]:
            shown = self.values[run][:k].copy()
            shown[[p for p in without_value if p < k]] = np.nan
            columns["run"] += [run] * len(shown)
            columns["instance"] += [f"i{i}" for i in range(len(shown))]
            columns["value"] += shown.tolist()
        responses = to_pandas(responses_table(columns, len(columns["run"])))
        responses["target"] = ["target " + run for run in columns["run"]]
        return SequesteredTestSplit(targets=targets, responses=responses, k=k)


def default_hold(i: int, j: int) -> bool:
    return (i + 2 * j) % 5 == 0


@cache
def make_grid(
    models: int = 6,
    scenarios: int = 5,
    *,
    kind: str = "binary",
    hold: Callable[[int, int], bool] = default_hold,
    strengths: Sequence[float] = (),
    seed: int = 0,
    n: int = 24,
) -> Grid:
    """Make runs of models that differ in ability on scenarios that differ in difficulty.

    Kinds: ``binary``; ``bounded`` (1..5) and ``percent`` (0..100), both no counts; ``unbounded``.
    Each strength adds a perturbed run to each cell. `hold` says which (model, scenario) are held
    out, perturbed runs included.
    """
    rng = np.random.default_rng(seed)
    ability, difficulty = rng.normal(0, 1, models), rng.normal(0, 1, scenarios)
    rows, values, held = [], {}, []
    for i in range(models):
        for j in range(scenarios):
            size = n + 3 * j
            for strength in (None, *strengths):
                logit = ability[i] - difficulty[j] + rng.normal(0, 0.3) - 3 * (strength or 0)
                p = 1 / (1 + np.exp(-logit))
                run = f"m{i}-s{j}" + ("" if strength is None else f"-{strength}")
                if kind == "binary":
                    values[run] = (rng.random(size) < p).astype(float)
                elif kind == "unbounded":
                    values[run] = rng.normal(40 * logit, 10, size)
                else:
                    lower, upper = LOWER[kind], UPPER[kind]
                    values[run] = lower + (upper - lower) * rng.beta(4 * p, 4 - 4 * p, size)
                noise = {"name": "misspellings", "prob": strength, "robustness": True}
                row = {
                    "run": run,
                    "name": "name of " + run,
                    "model": f"m{i}",
                    "scenario": f"s{j}",
                    "condition": "c",
                    "metric": kind,
                    "part": "test",
                    "perturbation": None if strength is None else canonical_json(noise),
                    "value": values[run].mean(),
                    "n": size,
                    "binary": kind == "binary",
                    "lower": {"binary": 0.0, **LOWER}.get(kind),
                    "upper": {"binary": 1.0, **UPPER}.get(kind),
                    "rerun": 0,
                }
                rows.append(row)
                if hold(i, j):
                    held.append(run)
    return Grid(frame_of(RUNS, rows), values, held)


@pytest.fixture
def grid() -> Callable[..., Grid]:
    def make(*args, **kwargs) -> Grid:
        made = make_grid(*args, **kwargs)
        return replace(made, runs=made.runs.copy(), tests={})

    return make
