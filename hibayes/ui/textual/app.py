"""`run_with_tui`: run a stage with a display, where HiBayES opens a full-screen app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hibayes.ui.textual.display import TextualDisplay

__all__ = ["HiBayesApp", "run_with_tui"]


class HiBayesApp:
    """Holds what is to be run, and runs it with a display.

    Parameters
    ----------
    work : callable
        Given the display.
    *args, **kwargs
        Given to ``work`` after the display.
    """

    def __init__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._work, self._args, self._kwargs = work, args, kwargs
        self.display = TextualDisplay()

    def run(self) -> Any:
        """Run it; errors are raised, and the display is stopped in any case."""
        try:
            return self._work(self.display, *self._args, **self._kwargs)
        finally:
            self.display.stop()


def run_with_tui(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call ``work(display, …)`` and give what it gives.

    Examples
    --------
    >>> run_with_tui(lambda display, n: n + 1, 1)
    2
    """
    return HiBayesApp(work, *args, **kwargs).run()
