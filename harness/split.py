"""Folds and shown instances: pure functions of the task, the seed and the set of cells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.task import Task
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Fold:
    """One train/test split of a shuffling.

    Attributes
    ----------
    seed, fold : int
        Which shuffling, and which fold of it.
    test : array of bool, shape (rows of the runs,)
        The runs that are held out; all others are train.
    """

    seed: int
    fold: int
    test: NDArray[np.bool_]


def make_folds(runs: pd.DataFrame, task: Task, *, folds: int, seed: int) -> list[Fold]:
    """Divide runs into folds; what the task holds out together is never divided.

    The units (distinct values of ``task.hold_out``) are sorted, permuted by
    ``default_rng(seed).permutation``, and the one at place r goes to fold ``r % folds``. So the
    folds depend on the set of units alone, not on the order of files or rows.

    Parameters
    ----------
    runs : DataFrame
        Columns of `suites.schema.RUNS`.
    task : Task
        What is held out together.
    folds : int
        How many; at most one per unit.
    seed : int
        Of the shuffling.

    Returns
    -------
    list of Fold

    Raises
    ------
    UsageError
        If fewer than one fold is asked for, or there are no runs.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.task import load_task
    >>> runs = pd.DataFrame({"model": list("aabb"), "scenario": list("xyxy")})
    >>> [f.test.tolist() for f in make_folds(runs, load_task("heldout-run"), folds=2, seed=0)]
    [[False, True, True, False], [True, False, False, True]]
    """
    if folds < 1:
        raise UsageError(f"folds must be at least 1, got {folds}.")
    if not len(runs):
        raise UsageError("there are no runs to split.")
    keys = [tuple(str(v) for v in row) for row in runs[list(task.hold_out)].itertuples(index=False)]
    units = sorted(set(keys))
    places = np.random.default_rng(seed).permutation(len(units))
    fold_of = {units[unit]: place % folds for place, unit in enumerate(places)}
    of_row = np.array([fold_of[key] for key in keys])
    return [Fold(seed, fold, of_row == fold) for fold in range(min(folds, len(units)))]


def prescribed_folds(names: Sequence[int | None], *, seed: int) -> list[Fold]:
    """Make folds of the numbers that a source itself prescribes; runs without one only train."""
    numbers = np.array([-1 if name is None else int(name) for name in names])
    return [Fold(seed, int(fold), numbers == fold) for fold in sorted(set(numbers) - {-1})]


def shown_order(instances: Iterable[str], *, seed: int, cell: Sequence[str | None]) -> list[str]:
    """Order a cell's instances; the first k are shown, so what is shown is nested in k.

    The generator is seeded by the seed and the cell's own identity, so one cell's instances do not
    depend on which other cells there are.

    Parameters
    ----------
    instances : iterable of str
        Ids, in any order, duplicates allowed.
    seed : int
        Of the shuffling.
    cell : sequence of str or None
        The cell's identity: model, scenario, condition, metric, part, perturbation.

    Examples
    --------
    >>> order = shown_order(["q1", "q2", "q3"], seed=0, cell=("m", "s"))
    >>> order == shown_order(["q3", "q2", "q1", "q1"], seed=0, cell=("m", "s"))
    True
    """
    ids = sorted(set(instances))
    text = "\x1f".join("" if word is None else str(word) for word in cell)
    digest = hashlib.sha256(text.encode()).digest()
    words = np.frombuffer(digest, dtype=np.uint32)[:4]
    order = np.random.default_rng([seed, 77, *words.tolist()]).permutation(len(ids))
    return [ids[i] for i in order]
