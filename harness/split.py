"""Folds and shown instances: pure functions of the task, the seed and the set of cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.leaks import Relations
from harness.plain import plain
from harness.task import Task, TaskNotApplicable
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
        The runs that are held out.
    left_out : array of bool, shape (rows of the runs,), or None
        Runs that are neither held out nor train; None where all others are train.
    """

    seed: int
    fold: int
    test: NDArray[np.bool_]
    left_out: NDArray[np.bool_] | None = None

    @property
    def train(self) -> NDArray[np.bool_]:
        """The runs that are known."""
        return ~self.test if self.left_out is None else ~(self.test | self.left_out)


def make_folds(
    runs: pd.DataFrame,
    task: Task,
    *,
    folds: int | str,
    seed: int,
    relations: Relations | None = None,
) -> list[Fold]:
    """Divide runs into folds; what the task holds out together is never divided.

    The units (distinct values of ``task.hold_out``) are sorted, permuted by
    ``default_rng(seed).permutation``, and the one at place r goes to fold ``r % folds``. So the
    folds depend on the set of units alone, not on the order of files or rows. Where an
    organisation or a family is not known, a model is one of its own. With ``task.within``, this is
    done for the runs of each value of it in turn.

    Parameters
    ----------
    runs : DataFrame
        Columns of `suites.schema.RUNS`; for a task that chooses the ``latest`` also ``release``
        (`harness.releases.release_of`).
    task : Task
        What is held out together.
    folds : int or str
        How many (of each value of ``task.within``), at most one per unit; ``each`` for one per
        unit.
    seed : int
        Of the shuffling.
    relations : Relations, optional
        Names that stand for one thing.

    Returns
    -------
    list of Fold

    Raises
    ------
    UsageError
        If fewer than one fold is asked for, or there are no runs to hold out.
    TaskNotApplicable
        If the runs are not of the kind that the task asks for.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.task import load_task
    >>> runs = pd.DataFrame({"model": list("aabb"), "scenario": list("xyxy")})
    >>> [f.test.tolist() for f in make_folds(runs, load_task("heldout-run"), folds=2, seed=0)]
    [[False, True, True, False], [True, False, False, True]]
    """
    if isinstance(folds, int) and folds < 1:
        raise UsageError(f"folds must be at least 1, got {folds}.")
    if not len(runs):
        raise UsageError("there are no runs to split.")
    named = runs if relations is None else relations.canonical(runs)
    if task.choose == "strongest":
        return [Fold(seed, 0, _strongest(named, task))]
    if task.choose == "latest":
        later, earlier = _latest(runs, task)
        return [Fold(seed, 0, later, ~(later | earlier))]
    may, never = np.ones(len(runs), bool), np.zeros(len(runs), bool)
    if task.targets == "perturbed":
        kinds = np.array([_computed_on(text) for text in runs["perturbation"]], object)
        may, never = kinds == "perturbed", kinds == "worst"
        if not may.any():
            why = ": HELM's worst of several perturbations is no run's value" * bool(never.any())
            raise TaskNotApplicable(
                f"the task {task.name} needs perturbed runs, and there are none{why}."
            )
    keys = units_of(named, task)
    within = _values(named, task.within)
    out: list[Fold] = []
    for group in sorted({key for key, wanted in zip(within, may, strict=True) if wanted}):
        own = may & np.array([key == group for key in within])
        for test in _divided(keys, own, folds, seed):
            dropped = never | _dropped(named, task, test, within)
            out.append(Fold(seed, len(out), test, dropped if dropped.any() else None))
    return out


def _divided(
    keys: Sequence[tuple[str, ...]], may: NDArray[np.bool_], folds: int | str, seed: int
) -> Iterator[NDArray[np.bool_]]:
    """Give the rows that each fold holds out, of those that may be."""
    units = sorted({key for key, wanted in zip(keys, may, strict=True) if wanted})
    number = min(len(units) if folds == "each" else int(folds), len(units))
    places = np.random.default_rng(seed).permutation(len(units))
    fold_of = {units[unit]: place % number for place, unit in enumerate(places)}
    of_row = np.array([fold_of.get(key, -1) for key in keys])
    of_row[~may] = -1
    for fold in range(number):
        yield of_row == fold


def _computed_on(perturbation: Any) -> str | None:
    """Give what a number of perturbed instances is of; None where nothing is perturbed.

    Beside the value of the ``perturbed`` instances HELM states that of the ``original`` ones, and
    the ``worst`` of both, which is no run's value and tells of all of them.
    """
    if plain(perturbation) is None:
        return None
    return str(json.loads(str(perturbation)).get("computed_on") or "perturbed")


def _dropped(
    runs: pd.DataFrame, task: Task, test: NDArray[np.bool_], within: Sequence[tuple[str, ...]]
) -> NDArray[np.bool_]:
    """Say which rows share with a held-out one what the task drops."""
    if not task.drop:
        return np.zeros(len(runs), bool)
    keys = _values(runs, task.drop)
    held = {key for key, out in zip(keys, test, strict=True) if out}
    spared = {key for key, out in zip(within, test, strict=True) if out} if task.within else set()
    rows = zip(keys, within, strict=True)
    return np.array([key in held and own not in spared for key, own in rows]) & ~test


_ELSE = {"organisation": "model", "family": "model", "scenario_group": "scenario"}


def units_of(runs: pd.DataFrame, task: Task) -> list[tuple[str, ...]]:
    """Give the unit of each run: its values in ``task.hold_out``.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.task import load_task
    >>> runs = pd.DataFrame({"model": ["a", "b/c"], "organisation": [None, "b"]})
    >>> units_of(runs, load_task("new-model(by='organisation')"))
    [('a',), ('b',)]
    """
    return _values(runs, task.hold_out)


def _values(runs: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Give each run's values in some columns; where one is not known, what stands in for it."""
    if not names:
        return [()] * len(runs)
    columns = []
    for name in names:
        column = runs[name].astype(object)
        if name in _ELSE and column.isna().any():
            column = column.where(column.notna(), runs[_ELSE[name]].astype(object))
        columns.append(
            [
                "" if value is None or value != value else str(value)
                for value in column.where(column.notna(), None)
            ]
        )
    return list(zip(*columns, strict=True))


def _strongest(runs: pd.DataFrame, task: Task) -> NDArray[np.bool_]:
    """Choose the models with the greatest mean of standardised values."""
    known = runs[runs["higher_is_better"].notna() & runs["perturbation"].isna()]
    column = [known[name].fillna("") for name in ("scenario", "condition", "metric", "part")]
    sign = np.where(known["higher_is_better"].astype(bool), 1.0, -1.0)
    value = known["value"].astype(float).mul(sign)
    centred = value - value.groupby(column).transform("mean")
    spread = value.groupby(column).transform("std", ddof=0)
    standard = (centred / spread.where(spread > 0)).dropna()
    mean = standard.groupby(known["model"]).mean()
    models = runs["model"].nunique()
    wanted = max(task.least, int(np.ceil(task.share * models)))
    if len(mean) <= wanted:
        raise TaskNotApplicable(
            f"the task {task.name} holds out {wanted} models, and only {len(mean)} of {models} can "
            "be compared: their runs need a metric whose direction is known, on scenarios that "
            "several models have."
        )
    order = sorted(mean.index, key=lambda name: (-mean[name], str(name)))
    return runs["model"].isin(order[:wanted]).to_numpy(bool)


def _latest(runs: pd.DataFrame, task: Task) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which runs were released from the cut on, and which before; neither where unknown."""
    known = runs["release"].notna().to_numpy(bool)
    later = np.zeros(len(runs), bool)
    later[known] = runs.loc[known, "release"].to_numpy(int) > 0
    if not later.any() or not (known & ~later).any():
        raise TaskNotApplicable(
            f"the task {task.name} needs runs before and after the cut: {int(later.sum())} are "
            f"after it, {int((known & ~later).sum())} before, {int((~known).sum())} have no date."
        )
    return later, known & ~later


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
