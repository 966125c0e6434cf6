"""``results.json``: what every check and communicator came to, for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from suites.errors import UsageError

__all__ = ["answer", "answered", "pending", "results", "tally"]


def results(
    models: Iterable[tuple[str, bool, list[dict[str, Any]]]], communications: list[dict[str, Any]]
) -> dict[str, Any]:
    """Give the content of ``results.json``.

    Parameters
    ----------
    models : iterable of (str, bool, list of dict)
        Name, whether it is fitted, and the records of its checks: checker, when, arguments,
        result (pass, fail, error, NA), value, threshold, message, offenders, approval.
    communications : list of dict
        Records of communicators: communicator, arguments, result, message, broke_down, outputs.
    """
    listed = [
        {"model": name, "is_fitted": fitted, "checks": checks} for name, fitted, checks in models
    ]
    return {
        "format": 1,
        "models": listed,
        "communicate": communications,
        "pending_approvals": pending(listed),
        "tally": tally(listed, communications),
    }


def pending(models: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the questions that wait for a person: their names, models, checkers and words."""
    return [
        {
            "name": f"{model['model']}/{check['checker']}",
            "model": model["model"],
            "checker": check["checker"],
            "questions": check["approval"]["questions"],
        }
        for model in models
        for check in model["checks"]
        if check.get("approval") and check["approval"]["answer"] is None
    ]


def tally(
    models: Iterable[Mapping[str, Any]], communications: Iterable[Mapping[str, Any]] = ()
) -> dict[str, int]:
    """Count the verdicts."""
    counts = dict.fromkeys(("pass", "fail", "error", "NA"), 0)
    for model in models:
        for check in model["checks"]:
            counts[check["result"]] = counts.get(check["result"], 0) + 1
    broken = sum(bool(record.get("broke_down")) for record in communications)
    return counts | {"communicators broke down": broken}


def answered(accepted: bool) -> dict[str, str]:
    """Give what a person's answer makes of a check: its result and message."""
    return {
        "result": "pass" if accepted else "fail",
        "message": f"{'accepted' if accepted else 'not accepted'} by the user",
    }


def answer(models: list[dict[str, Any]], name: str, accepted: bool) -> tuple[str, dict[str, Any]]:
    """Answer the question that a check left.

    Parameters
    ----------
    models : list of dict
        As in ``results.json``; changed in place.
    name : str
        ``model/checker``, or the checker alone where only one model waits for it.
    accepted : bool
        Becomes ``pass`` or ``fail``.

    Returns
    -------
    model : str
        The model's name.
    record : dict
        The check's record.

    Raises
    ------
    UsageError
        If nothing of the name waits, or several do.
    """
    waiting = pending(models)
    found = [item for item in waiting if name in (item["name"], item["checker"], item["model"])]
    if len(found) != 1:
        names = ", ".join(item["name"] for item in found or waiting) or "none"
        said = "names several" if found else "is not waiting for approval"
        raise UsageError(f"{name} {said}. Waiting: {names}.")
    for model in models:
        for check in model["checks"]:
            if (model["model"], check["checker"]) == (found[0]["model"], found[0]["checker"]):
                check["approval"]["answer"] = accepted
                check |= answered(accepted)
                return model["model"], check
    raise AssertionError(name)  # pending found it
