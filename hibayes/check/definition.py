"""What a checker is: a builder whose worker looks at a model and gives a verdict."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, Protocol

from hibayes.registry import RegistryInfo, component, registry_info
from suites.errors import UsageError

CheckerResult = Literal["pass", "fail", "error", "NA"]
"""What a check comes to."""

RESULTS: tuple[str, ...] = ("pass", "fail", "error", "NA")

WHEN: tuple[str, ...] = ("before", "after")
"""When a check runs: before the model is fitted, or after."""


class Checker(Protocol):
    """A worker: looks at a model's state, keeps what it finds there, gives a verdict."""

    def __call__(self, state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        """Check."""
        ...


def checker(
    builder: Callable[..., Any] | None = None, *, when: Literal["before", "after"] = "after"
) -> Any:
    """Register a builder of checkers.

    Parameters
    ----------
    builder : callable
        Its arguments are the settings that a configuration gives; it returns the worker,
        ``check(state, display=None) -> (state, result)``.
    when : {"before", "after"}
        Whether it runs before the model is fitted or after.

    Raises
    ------
    UsageError
        If `when` is something else.

    Examples
    --------
    >>> @checker(when="before")
    ... def enough_rows(least=100):
    ...     def check(state, display=None):
    ...         return state, "pass" if len(state.features["obs"]) >= least else "fail"
    ...     return check
    >>> when_of(enough_rows(least=5))
    'before'
    """
    if when not in WHEN:
        raise UsageError(f"checker: when must be 'before' or 'after', not {when!r}.")
    decorate = component("checker", wrap=_wrap)(when=when)
    return decorate if builder is None else decorate(builder)


def when_of(check: Any) -> str:
    """Say when a checker runs: ``"before"`` or ``"after"`` the fit."""
    return str(registry_info(check).metadata.get("when", "after"))


def _wrap(built: Callable[..., Any], info: RegistryInfo) -> Callable[..., Any]:
    """Make the worker, which refuses a result that is none."""
    if not callable(built):
        raise TypeError(f"{info.name} must build a function of a model's state, got {built!r}")

    @functools.wraps(built)
    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        return checked(built(state, display), info.name)

    check.__name__ = check.__qualname__ = info.name
    return check


def checked(returned: Any, name: str) -> tuple[Any, CheckerResult]:
    """Read what a checker or communicator returned.

    Raises
    ------
    UsageError
        If it is not a pair of a state and one of `RESULTS`, in any case of letters.

    Examples
    --------
    >>> checked(("state", "Error"), "mine")
    ('state', 'error')
    """
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], str):
        for result in RESULTS:
            if returned[1].lower() == result.lower():
                return returned[0], result  # type: ignore[return-value]
    raise UsageError(
        f"{name} must return (state, result) with a result of {', '.join(RESULTS)}; "
        f"it returned {type(returned).__name__} {str(returned)[:80]!r}."
    )
