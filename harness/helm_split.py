"""The split of MAGNET's contract: some runs to learn from, one run to predict.

The same runs and instances are chosen as MAGNET chooses for the same seed and sorted input.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.data_splits import TestSplit, TrainSplit
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from suites.helm.objects import HelmRuns
    from suites.inspect.objects import InspectRuns

INSTANCE = "scenario_state.request_states.instance.id"
POLICIES: tuple[str, ...] = ("warn", "error", "ignore")


def split_runs(
    helm_runs: HelmRuns | InspectRuns,
    *,
    num_example_runs: int,
    num_eval_samples: int,
    random_seed: int,
    policy: str = "warn",
    run_spec_filter: Callable[[dict[str, Any]], bool] = lambda spec: True,
    run_spec_dataframe_filter: Callable[[pd.Series], bool] = lambda row: True,
) -> tuple[TrainSplit, TestSplit]:
    """Draw example runs and one evaluation run, and of the latter some instances.

    Only the frames of the drawn runs are read, and only when they are touched.

    Parameters
    ----------
    helm_runs : HelmRuns or InspectRuns
        The pool, in the order given.
    num_example_runs, num_eval_samples : int
        How many runs to learn from, and how many instances of the evaluation run to show.
    random_seed : int
        Seed of Python's generator: it draws the runs, then the instances.
    policy : str
        ``warn``, ``error`` or ``ignore`` when the evaluation run has fewer instances.
    run_spec_filter : callable
        Keeps a run by the content of its run_spec.json.
    run_spec_dataframe_filter : callable
        Keeps a run by its row of the run_specs frame.

    Returns
    -------
    (TrainSplit, TestSplit)
        With the four HELM frames each; rows in the order of the pool, index labels kept.

    Raises
    ------
    UsageError
        If fewer than ``num_example_runs + 1`` runs are left, or by ``policy``.
    """
    if policy not in POLICIES:
        raise UsageError(f"insufficient_eval_sample_policy must be one of {POLICIES}: {policy!r}.")
    rng = random.Random(random_seed)
    pool = [run for run in helm_runs if run_spec_filter(run.json.run_spec())]
    named: list[tuple[str, Any]] = []
    for run in pool:
        row = run.run_spec().iloc[0]
        if run_spec_dataframe_filter(row):
            named.append((str(row["run_spec.name"]), run))
    _check_pool(named, len(helm_runs), num_example_runs)
    drawn = rng.sample([name for name, _ in named], num_example_runs + 1)
    examples, chosen = set(drawn[:-1]), drawn[-1]
    train = [run for name, run in named if name in examples]
    test = next(run for name, run in named if name == chosen)

    state = test.scenario_state()
    instances = state[INSTANCE].drop_duplicates().tolist()
    if num_eval_samples > len(instances):
        message = (
            f"run {chosen} has {len(instances)} instances, fewer than the "
            f"num_eval_samples={num_eval_samples} asked for; all of them are shown"
        )
        if policy == "error":
            raise UsageError(f"{message}.")
        if policy == "warn":
            warnings.warn(message, stacklevel=3)
    positions = rng.sample(range(len(instances)), min(len(instances), num_eval_samples))
    shown = {instances[i] for i in positions}

    return (
        TrainSplit(
            run_specs=lambda: _concat([run.run_spec() for run in train]),
            scenario_state=lambda: _concat([run.scenario_state() for run in train]),
            stats=lambda: _concat([run.stats() for run in train]),
            per_instance_stats=lambda: _concat([run.per_instance_stats() for run in train]),
        ),
        TestSplit(
            run_specs=test.run_spec(),
            scenario_state=state[state[INSTANCE].isin(shown)],
            stats=lambda: test.stats(),
            per_instance_stats=lambda: _rows_of(test.per_instance_stats(), shown),
        ),
    )


def _check_pool(named: list[tuple[str, Any]], total: int, num_example_runs: int) -> None:
    names = [name for name, _ in named]
    if len(names) <= num_example_runs:
        raise UsageError(
            f"num_example_runs={num_example_runs} needs at least {num_example_runs + 1} runs, but "
            f"{len(names)} are left of the {total} given (after the filters): give more runs, or "
            "ask for fewer examples."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{len(twice)} run names appear more than once (first: {twice[0]}): a run could be "
            "both example and evaluation run. Give one suite at a time."
        )


def _rows_of(frame: pd.DataFrame, instances: set[str]) -> pd.DataFrame:
    return frame[frame["per_instance_stats.instance_id"].isin(instances)]


def _concat(frames: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(frames)
