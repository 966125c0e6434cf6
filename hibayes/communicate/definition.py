"""What a communicator is: a builder whose worker adds figures and tables to a state."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, Protocol

from hibayes.check.definition import checked
from hibayes.registry import RegistryInfo, component

CommunicateResult = Literal["pass", "fail", "error", "NA"]
"""What a communicator comes to; NA where there was nothing to show."""


class Communicator(Protocol):
    """A worker: adds figures and tables to the state of an analysis."""

    def __call__(self, state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        """Communicate."""
        ...


def _wrap(built: Callable[..., Any], info: RegistryInfo) -> Callable[..., Any]:
    """Make the worker, which refuses a result that is none."""
    if not callable(built):
        raise TypeError(f"{info.name} must build a function of the state, got {built!r}")

    @functools.wraps(built)
    def worker(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        return checked(built(state, display), info.name)

    worker.__name__ = worker.__qualname__ = info.name
    return worker


communicate = component("communicator", wrap=_wrap)
"""Register a builder of communicators; usable as ``@communicate`` and ``@communicate()``.

The builder's arguments are the settings that a configuration gives; it returns the worker,
``communicate(state, display=None) -> (state, result)``.

Examples
--------
>>> @communicate
... def row_count():
...     def communicate(state, display=None):
...         state.add_table(table=state.data.describe(), table_name="rows")
...         return state, "pass"
...     return communicate
>>> row_count().__name__
'row_count'
"""
