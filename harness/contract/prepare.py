"""Split runs as an evaluation does, and write down what the checks are made on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.contract.altered import Number, altered
from harness.contract.made import made_fold, made_suite
from harness.description import needs_of, why_not
from harness.fold_view import FoldView
from harness.held_out import HeldOut
from harness.prediction_table import from_bytes
from harness.predictor import NEEDS
from harness.split import Fold
from harness.task import Task, load_task
from suites.errors import UsageError
from suites.reading import read
from suites.suite import Suite, require_runs

__all__ = ["prepare"]

_FOLDS = 5
_MORE = (2, 8)
"""How many responses are shown beyond ``min_k``."""


def prepare(description: Mapping[str, Any], folder: Path, source: Suite | None = None) -> None:
    """Write the folds that a predictor is checked on (`harness.contract.cases.Cases`).

    Parameters
    ----------
    description : mapping
        What the predictor declares (`harness.worker.Session.describe`).
    folder : Path
        An empty folder.
    source : Suite, optional
        Runs of one's own. By default made ones, or, where the predictor needs HELM's frames or
        texts, those of the demo.

    Raises
    ------
    UsageError
        If the predictor does not apply to them, or they are too few.
    """
    wanted = dict(description)
    if wanted["needs"] is not None:  # what there is no such thing as, a check tells
        wanted["needs"] = [need for need in wanted["needs"] if need in NEEDS]
    needs, least = needs_of(wanted), max(0, int(wanted["min_k"]))
    made = source is None and not {"frames", "prompts", "completions"} & set(needs)
    if source is not None:
        suite = source
    else:
        suite = made_suite(max(24, least + 16)) if made else _some(read("demo/standin-v1"))
    task = _task(wanted, needs)
    require_runs(suite, "check it on")
    held = HeldOut(suite, folder / "held", frames="frames" in needs or task.information != "spec")
    if why := why_not(wanted, task, held):
        raise UsageError(f"the predictor cannot be checked here: {why}.")
    if made:
        folds = [Fold(0, number, made_fold(held.runs, number)) for number in (0, 1)]
    else:
        folds = held.folds(task, _FOLDS, [0])[:2]
    views = [held.write_fold(fold, task) for fold in folds]
    ks = [k for k in (least, *(least + more for more in _MORE)) if all(v.asked(k) for v in views)]
    if not ks or ks[0] != least:
        raise UsageError(
            f"the predictor needs at least k = {least} shown responses, and no held-out run has "
            "more than these: check it on a SOURCE whose runs have more."
        )
    names = ["first", "second"][: len(folds)]
    other = _unseen(held, views[0], ks, task, folder / "unseen-held")
    if other is not None:
        names, views = [*names, "unseen"], [*views, other]
    for name, view in zip(names, views, strict=True):
        _write_calls(folder / name, view, ks)
    content = {
        "least": least,
        "ks": ks[1:] or ks,
        "cases": {name: str(view.path) for name, view in zip(names, views, strict=True)},
    }
    (folder / "cases.json").write_text(json.dumps(content))


def _some(suite: Suite) -> Suite:
    """Keep a few models and scenarios: HELM's frames of many runs take their time."""
    models, scenarios = suite.models["model"].tolist(), suite.scenarios["scenario"].tolist()
    return suite.select(models=sorted(models)[:5], scenarios=sorted(scenarios)[:3])


def _task(description: Mapping[str, Any], needs: Sequence[str]) -> Task:
    """Give the task that a predictor is made for, with what it needs of the targets' texts."""
    made_for = description["tasks"]
    usual = "instance" if description["kind"] == "instance" else "heldout-run"
    task = load_task(made_for[0] if made_for else usual)
    for information in ("completions", "prompts"):
        if information in needs:
            return replace(task, information=information)
    return task


def _unseen(
    held: HeldOut, view: FoldView, ks: Sequence[int], task: Task, folder: Path
) -> FoldView | None:
    """Make the same fold of runs that differ only in what is not shown of the targets.

    None where more would differ: a value that is the mean of several runs, some of them train.
    """
    suite = altered(held.suite, _seen(held, view, ks))
    other = HeldOut(suite, folder, frames=held.has_frames)
    train = view.fold.train
    if not (
        other.runs["target"].equals(held.runs["target"])
        and other.runs[train].equals(held.runs[train])
    ):
        return None
    twin = other.write_fold(view.fold, task)
    return twin if all(twin.shown(k) == view.shown(k) for k in ks) else None


def _seen(held: HeldOut, view: FoldView, ks: Sequence[int]) -> dict[Number, set[str]]:
    """Give what is shown of the held-out numbers with any k."""
    shown: dict[str, set[str]] = {target: set() for target in view.targets}
    for k in ks:
        content = view.shown(k)
        if content is not None:
            table = from_bytes(content)
            columns = (table.column(name).to_pylist() for name in (view.key, "instance"))
            for target, instance in zip(*columns, strict=True):
                shown[target].add(instance)
    test = held.runs[held.runs["target"].isin(view.targets)]
    names = ["run", "metric", "part", "perturbation", "target"]
    rows = test[names].astype(object).where(test[names].notna(), None)
    return {
        (run, metric, part, perturbation): shown[target]
        for run, metric, part, perturbation, target in rows.itertuples(index=False)
    }


def _write_calls(folder: Path, view: FoldView, ks: Sequence[int]) -> None:
    folder.mkdir()
    for k in ks:
        for name, content in (("shown", view.shown(k)), ("state", view.state(k))):
            if content is not None:
                (folder / f"{name}-{k}").write_bytes(content)
