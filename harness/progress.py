"""A progress bar with the time left on a terminal; plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any


class Bar:
    """Shows how far something is, on stderr; use as a context manager and call it.

    Nothing is shown for what takes less than two seconds.

    Examples
    --------
    >>> with Bar() as bar:
    ...     bar("reading", 1, 10)
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._rich: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._rich is not None:
            self._rich.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Note that ``done`` of ``total`` are done."""
        now = time.monotonic()
        started = self._started.setdefault(what, now)
        if now - started < 2.0 and what not in self._tasks and what not in self._last:
            return
        if self._terminal:
            self._draw(what, done, total)
        elif done == total or now - self._last.get(what, started) >= 10.0:
            self._last[what] = now
            left = (now - started) / max(done, 1) * (total - done)
            print(f"{what}: {done}/{total}, about {left:.0f} s left", file=sys.stderr)  # noqa: T201

    def _draw(self, what: str, done: int, total: int) -> None:
        if self._rich is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            self._rich = Progress(
                "{task.description}",
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._rich.start()
        if what not in self._tasks:
            self._tasks[what] = self._rich.add_task(what, total=total)
        self._rich.update(self._tasks[what], completed=done, total=total)
