"""What a predictor's class declares, as its worker tells it, and whether it applies to a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.held_out import HeldOut
from harness.local import Local
from harness.pool import CallFailed, Pool, WorkerLost
from harness.predictor import NEEDS
from harness.spec import Spec
from harness.task import Task
from suites.errors import UsageError

_MENDABLE = ("ImportError", "ModuleNotFoundError", "TypeError", "UsageError")


def needs_of(description: dict[str, Any]) -> Sequence[str]:
    """Give what a predictor reads; undeclared means what classes written for MAGNET expect."""
    if "error" in description:
        return ()
    needs = description["needs"]
    return ("runs", "responses", "frames") if needs is None else needs


def describe(workers: Pool | Local, spec: Spec, timeout: float | None) -> dict[str, Any]:
    """Ask a worker what a class declares.

    Raises
    ------
    UsageError
        If the class cannot be found, or does not take the settings: the user can mend that.
    """
    with workers.start("describe", code=spec.folders) as worker:
        try:
            worker.call(spec.load_message(), timeout=timeout)
            header, _ = worker.call({"call": "describe"}, timeout=timeout)
        except CallFailed as err:
            if str(err).startswith(_MENDABLE):
                raise UsageError(f"cannot make the predictor {spec.text}: {err}.") from err
            return {"error": err.status, "message": str(err)}
        except WorkerLost as err:
            return {"error": err.status, "message": str(err)}
    if not _is_description(header):
        return {"error": "failed", "message": "what its process said of it cannot be read"}
    return header


def _is_description(header: dict[str, Any]) -> bool:
    """Check what a worker said of a class: its process may have written anything."""

    def words(value: Any) -> bool:
        return value is None or (
            isinstance(value, list) and all(isinstance(word, str) for word in value)
        )

    return (
        header.get("kind") in ("run", "instance")
        and words(header.get("needs", 0))
        and words(header.get("tasks", 0))
        and words(header.get("diagnostics"))
        and isinstance(header.get("min_k"), int)
        and all(isinstance(header.get(key, 0), str | None) for key in ("summary", "code_hash"))
        and isinstance(header.get("class"), str)
    )


def why_not(description: dict[str, Any], task: Task, held: HeldOut) -> str | None:
    """Say why a predictor does not apply to a task on a source; None when it does.

    Parameters
    ----------
    description : mapping
        As `describe` gives it.
    task : Task
        What is asked for, and what may be seen.
    held : HeldOut
        What the source has.
    """
    if "error" in description:
        return None  # it fails, which is something else
    if description["kind"] != task.predicts:
        kinds = {"run": "run values", "instance": "single responses"}
        gives, asks = kinds[description["kind"]], kinds[task.predicts]
        return f"it predicts {gives}; the task {task.name} asks for {asks}"
    if description["tasks"] is not None and task.recipe not in description["tasks"]:
        return f"it is made for {', '.join(description['tasks'])}"
    lacking = {
        "responses": not held.has_responses and "this source has none",
        "frames": not held.has_frames and "this source has none",
        "prompts": task.information == "spec" and f"the task {task.name} does not show them",
        "completions": task.information != "completions"
        and f"the task {task.name} does not show them",
    }
    for need in description["needs"] or ():
        if need not in NEEDS:
            return f"it needs {need!r}, which is none of {', '.join(NEEDS)}"
        why = lacking.get(need) or (
            need in ("prompts", "completions") and not held.has_frames and "this source has none"
        )
        if why:
            return f"it needs {need}: {why}"
    return None
