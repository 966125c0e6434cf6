"""What a check found: a result, the value it rests on, and who is to blame."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import Any

from hibayes.check.definition import CheckerResult

logger = logging.getLogger("hibayes.check")

_NAMED = 10


def give(
    state: Any,
    name: str,
    result: CheckerResult,
    message: str,
    *,
    value: float | None = None,
    threshold: float | None = None,
    offenders: Iterable[tuple[str, float]] = (),
    more: dict[str, Any] | None = None,
) -> tuple[Any, CheckerResult]:
    """Keep a verdict with the model and say it.

    Parameters
    ----------
    state : ModelAnalysisState
        Its diagnostic ``<name>_verdict`` becomes a mapping: check, result, message, value,
        threshold, offenders (a list of ``{"name", "value"}``, worst first, the first ten) and
        n_offenders (all of them); a value that is not finite stands there as text.
    name : str
        The checker's.
    result : str
        One of pass, fail, error, NA.
    message : str
        One sentence for people.
    value, threshold : float, optional
        What decided, unrounded, and what it was held against.
    offenders : iterable of (str, float)
        Parameters, chains or observations, the worst first.
    more : dict, optional
        Further entries.

    Returns
    -------
    state, result
        What a checker returns.
    """
    listed = list(offenders)
    state.add_diagnostic(
        f"{name}_verdict",
        {
            "check": name,
            "result": result,
            "message": message,
            "value": _plain(value),
            "threshold": _plain(threshold),
            "offenders": [{"name": who, "value": _plain(v)} for who, v in listed[:_NAMED]],
            "n_offenders": len(listed),
            **(more or {}),
        },
    )
    said = logging.INFO if result in ("pass", "NA") else logging.WARNING
    logger.log(said, "%s: %s: %s: %s", getattr(state, "model_name", "model"), name, result, message)
    return state, result


def ask(
    state: Any, display: Any, name: str, question: str, **found: Any
) -> tuple[Any, CheckerResult]:
    """Ask a person whether to accept; where nobody can answer, leave the question.

    Returns
    -------
    state, result
        ``pass`` or ``fail`` by the answer; ``NA`` where nobody can be asked, and then the
        question waits with the state (``request_approval``) for ``hibayes approve``.
    """
    if can_prompt(display):
        try:
            accepted = bool(display.prompt_user(question))
        except (EOFError, OSError):  # the other end has gone: the run must not go with it
            accepted = None
        if accepted is not None:
            said = "accepted" if accepted else "not accepted"
            return give(state, name, "pass" if accepted else "fail", f"{said} by the user", **found)
    if hasattr(state, "request_approval"):
        state.request_approval(question)
    more = {"approval": {"question": question, "answer": None}}
    return give(
        state, name, "NA", f"waits for approval, since nobody can be asked: {question}",
        more=more, **found,
    )  # fmt: skip


def can_prompt(display: Any) -> bool:
    """Say whether a display can ask a person now."""
    if display is None or not hasattr(display, "prompt_user"):
        return False
    asks = getattr(display, "can_prompt", None)
    if callable(asks):
        return bool(asks())
    if asks is not None:
        return bool(asks)
    import sys

    return bool(sys.stdin is not None and sys.stdin.isatty())


def named(offenders: Iterable[tuple[str, float]], most: int = 3) -> str:
    """Name the worst, with their values.

    Examples
    --------
    >>> named([("mu", 1.312), ("sigma", 1.1049), ("z[0]", 1.02), ("z[1]", 1.011)])
    'mu (1.312), sigma (1.105), z[0] (1.020) and 1 more'
    """
    listed = list(offenders)
    shown = ", ".join(f"{who} ({number(value)})" for who, value in listed[:most])
    return shown + (f" and {len(listed) - most} more" if len(listed) > most else "")


def number(value: float) -> str:
    """Write a number with four figures, or three decimals.

    Examples
    --------
    >>> number(1.0061), number(812.44), number(float("nan")), number(12)
    ('1.006', '812.4', 'nan', '12')
    """
    if not math.isfinite(value):
        return str(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"


def _plain(value: float | None) -> float | str | None:
    """Give a number as JSON has it."""
    if value is None or isinstance(value, bool):
        return value
    plain = value.item() if hasattr(value, "item") else value
    return plain if math.isfinite(plain) else str(plain)
