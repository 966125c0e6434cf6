"""Run a check or a communicator so that its failure is a result, not the end of the run."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

from hibayes.model_state import ModelAnalysisState
from hibayes.registry import registry_info, registry_params
from suites.errors import UsageError

__all__ = ["communicated", "name_of", "run_check"]

logger = logging.getLogger("hibayes")

RESULTS = ("pass", "fail", "error", "NA")


def run_check(
    checker: Callable[..., Any], state: ModelAnalysisState, display: Any
) -> tuple[ModelAnalysisState, dict[str, Any]]:
    """Run a checker on a model.

    Parameters
    ----------
    checker : callable
        ``checker(state, display=…) -> (state, result)``.
    state : ModelAnalysisState
        The model.
    display : hibayes.ui.Display
        Given to the checker.

    Returns
    -------
    state : ModelAnalysisState
        As the checker gave it back; the one before if it failed.
    record : dict
        As in ``results.json``. An exception gives the result ``error``, with its traceback in the
        log; a question that nobody could be asked gives ``NA``, and waits as ``approval``.
    """
    name = name_of(checker)
    _take_questions(state, display)
    state.diagnostics.pop(f"{name}_verdict", None)  # of an earlier run
    given, result, message = _outcome(checker, state, display, name, ModelAnalysisState)
    verdict = given.diagnostic(f"{name}_verdict")
    verdict = verdict if isinstance(verdict, dict) else {}
    arguments = registry_params(checker)
    questions = _take_questions(given, display)
    if questions and result != "error":
        result = "NA"
    thresholds = {key: value for key, value in arguments.items() if key.endswith("threshold")}
    return given, {
        "checker": name,
        "when": _when(checker),
        "arguments": arguments,
        "result": result,
        "value": verdict.get("value", _number(given.diagnostic(name))),
        "threshold": verdict.get("threshold", next(iter(thresholds.values()), None)),
        "message": message or verdict.get("message"),
        "offenders": verdict.get("offenders", []),
        "approval": {"questions": questions, "answer": None} if questions else None,
    }


def communicated(
    communicator: Callable[..., Any], state: Any, display: Any
) -> tuple[Any, dict[str, Any]]:
    """Run a communicator on a state; give the state and the record of `results.json`."""
    name = name_of(communicator)
    before = set(state.communicate)
    given, result, message = _outcome(communicator, state, display, name, type(state))
    return given, {
        "communicator": name,
        "arguments": registry_params(communicator),
        "result": result,
        "message": message,
        "broke_down": message is not None,
        "outputs": [item for item in given.communicate if item not in before],
    }


def name_of(component: Any) -> str:
    """Give a component's name in configurations; a plain function's own."""
    try:
        return registry_info(component).name
    except ValueError:
        return str(getattr(component, "__name__", component))


def _outcome(
    worker: Callable[..., Any], state: Any, display: Any, name: str, kind: type[Any]
) -> tuple[Any, str, str | None]:
    """Call a worker; give the state, its result, and what went wrong."""
    try:
        given, result = worker(state, display=display)
    except UsageError as err:
        logger.error("%s failed: %s", name, err)
        return state, "error", str(err)
    except Exception as err:
        logger.error("%s failed: %s\n%s", name, err, traceback.format_exc())
        return state, "error", f"{type(err).__name__}: {err}"
    by_case = {known.lower(): known for known in RESULTS}
    result = by_case.get(str(result).lower(), result)
    if result not in RESULTS or not isinstance(given, kind):
        logger.error("%s must return (state, result), result one of %s.", name, RESULTS)
        return state, "error", f"returned {result!r}, which is none of {', '.join(RESULTS)}."
    return given, result, None


def _when(checker: Any) -> str:
    try:
        return str(registry_info(checker).metadata.get("when", "after"))
    except ValueError:
        return "after"


def _number(value: Any) -> float | int | None:
    """Give a diagnostic as a number; None if it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return None


def _take_questions(state: Any, display: Any) -> list[str]:
    """Take the questions that were left with the state or the display."""
    take = getattr(display, "take_questions", None)
    taken = [*state.take_questions(), *(take() if take is not None else [])]
    return list(dict.fromkeys(taken))
