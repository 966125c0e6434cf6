"""`Design`: what is held out, how often, and how many responses are shown, before data are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.held_out import HeldOut, check_k
from harness.split import Fold, units_of
from harness.task import Task, TaskNotApplicable, load_task
from suites.errors import UsageError, unknown_name

__all__ = ["LEAKS", "Design"]

LEAKS: tuple[str, ...] = ("block", "strict", "report")


@dataclass(frozen=True)
class Design:
    """The arguments of an evaluation that decide its folds; made and checked by `of`.

    Attributes
    ----------
    task : Task
        What is held out together.
    k : tuple of int
        Numbers of shown responses, ascending.
    folds : int or str
        Number of folds, ``each``, or the name (or a glob) of folds that the source prescribes.
    seeds : tuple of int
        Of the shufflings.
    leaks : str
        One of `LEAKS`.
    """

    task: Task
    k: tuple[int, ...]
    folds: int | str
    seeds: tuple[int, ...]
    leaks: str

    @classmethod
    def of(
        cls,
        task: str | Path | Task,
        k: Sequence[int] | int | None,
        folds: int | str | None,
        seeds: Sequence[int] | int | None,
        leaks: str,
    ) -> Design:
        """Fill in what the task says where nothing is given, and check the rest.

        Raises
        ------
        UsageError
            For an unknown task or treatment of leaks, and numbers that are none.

        Examples
        --------
        >>> Design.of("heldout-run", 5, None, None, "block").folds
        10
        """
        recipe = task if isinstance(task, Task) else load_task(task)
        ks = check_k(recipe.k if k is None else _sequence(k))
        seed_list = tuple(recipe.seeds if seeds is None else _sequence(seeds))
        if leaks not in LEAKS:
            raise unknown_name("treatment of leaks", leaks, LEAKS)
        if not seed_list or any(seed < 0 for seed in seed_list):
            raise UsageError(f"seeds must be whole numbers of at least 0, got {list(seed_list)}.")
        return cls(recipe, tuple(ks), recipe.folds if folds is None else folds, seed_list, leaks)

    def apply(self, held: HeldOut) -> tuple[list[int], list[Fold]]:
        """Give the numbers of shown responses that some run has, and the folds.

        Numbers that no run has are left out, and said in the suite's notes.

        Raises
        ------
        UsageError
            If no number is left, or the folds cannot be made.
        """
        if self.task.predicts == "instance" and not held.has_responses:
            raise TaskNotApplicable(
                f"the task {self.task.name} asks for single responses, and this source has none."
            )
        folds = held.folds(self.task, self.folds, self.seeds, leaks=self.leaks)
        _require_train(self.task, held, folds)
        most = max(int(held.most_shown(fold).max(initial=0)) for fold in folds)
        left = [k for k in self.k if k == 0 or k <= most]
        if len(left) < len(self.k):
            dropped = ", ".join(str(k) for k in self.k if k not in left)
            why = _why_not_more(most, held)
            if not left:
                raise UsageError(f"k = {dropped} cannot be evaluated: {why}; ask for k = {most}.")
            held.suite.notes.append(f"k = {dropped} is left out: {why}.")
        return left, folds


def _require_train(task: Task, held: HeldOut, folds: Sequence[Fold]) -> None:
    """Refuse a task that holds out several cells together where these are all there is."""
    cells = held.runs[["model", "scenario"]].drop_duplicates()
    several = len(cells) > 1 and len(set(units_of(held.runs, task))) == 1
    if not several or any(fold.train.any() for fold in folds):
        return
    kind = " and ".join(task.hold_out).replace("_", " ")
    raise TaskNotApplicable(
        f"the task {task.name} holds out all runs of one {kind} together, and all "
        f"{len(held.runs)} runs are of one: nothing would be left to learn from."
    )


def _why_not_more(most: int, held: HeldOut) -> str:
    if held.has_responses:
        return f"no run has more than {most + 1} instances"
    if not most:
        return "the runs have no responses, and no fold holds out several runs of one model"
    return (
        f"the runs have no responses, and no fold holds out more than {most + 1} runs of one "
        "model, of which some can be revealed"
    )


def _sequence(value: Sequence[int] | int) -> Sequence[int]:
    return [value] if isinstance(value, int) else value
