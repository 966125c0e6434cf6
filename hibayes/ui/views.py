"""What the live view is made of."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Task", "ask", "character_plot", "describe", "plain", "screen", "table_of",
]  # fmt: skip

SYMBOLS = {
    "pass": ("green", "."),
    "fail": ("bold red", "F"),
    "error": ("bold yellow", "E"),
    "NA": ("bright_black", "•"),
}

_QUIET = 2.0  # seconds that nothing is said of a task
_EVERY = 10.0


@dataclass
class Task:
    """A task and how far it is."""

    description: str
    who: str
    total: int | None
    number: int
    done: int = 0
    began: float = field(default_factory=lambda: time.monotonic())
    said: float = 0.0
    first: tuple[float, int] | None = None  # when something was done first, and how much

    def advance(self, done: int, now: float) -> None:
        """Note how much is done."""
        self.done = done
        self.first = self.first or (now, done)

    @property
    def called(self) -> str:
        """What it is called, with who does it."""
        apart = self.who and self.who not in self.description
        return f"{self.description} ({self.who})" if apart else self.description

    def left(self, now: float) -> float | None:
        """Estimate the seconds that are left, of the pace since something was done first."""
        if self.total is None or self.first is None or self.done <= self.first[1]:
            return None
        return (now - self.first[0]) / (self.done - self.first[1]) * (self.total - self.done)

    def line(self, now: float) -> str | None:
        """Give a line on how far it is, where one is due."""
        finished = self.total is not None and self.done >= self.total
        if now - self.began < _QUIET or (now - (self.said or self.began) < _EVERY and not finished):
            return None
        if finished and self.said == float("inf"):
            return None
        self.said = float("inf") if finished else now
        far = f"{self.done}" if self.total is None else f"{self.done}/{self.total}"
        left = None if finished else self.left(now)
        return f"  {self.called}: {far}" + (f", about {left:.0f} s left" if left else "")


def screen(display: Any) -> Any:
    """Draw a display's state."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = [Text(display.header or "hibayes", style="bold")]
    if display.tasks:
        grid = Table.grid(padding=(0, 1))
        for task in display.tasks[-8:]:
            known = task.total is not None
            grid.add_row(
                Text(task.called),
                ProgressBar(total=task.total if known else None, completed=task.done, width=30,
                            pulse=not known),
                Text(f"{task.done}/{task.total}" if known else str(task.done)),
            )  # fmt: skip
        parts.append(grid)
    if display.body is not None:
        parts.append(display.body)
    sides: list[Any] = []
    if display.stats:
        sides.append(table_of(display.stats, "Statistics"))
    if display.checks:
        sides.append(Panel(_checks(display.checks), title="Checks"))
    if sides:
        parts.append(Columns(sides))
    recent = [entry.splitlines()[0][:200] for entry in display.get_all_logs() if entry]
    if recent and display.max_logs:
        parts.append(Panel(Text("\n".join(recent[-display.max_logs :])), title="Messages"))
    return Group(*parts)


def _checks(checks: Sequence[tuple[str, str, str]]) -> Any:
    """Draw a symbol per check, a row per model, and the names of those that failed."""
    from rich.text import Text

    drawn = Text()
    models = list(dict.fromkeys(model for model, _, _ in checks))
    for model in models:
        drawn.append(f"{model or 'model'}  ")
        bad = []
        for _, name, result in (check for check in checks if check[0] == model):
            style, symbol = SYMBOLS.get(result, ("", "?"))
            drawn.append(symbol, style=style)
            if result in ("fail", "error"):
                bad.append(name)
        drawn.append(f"  {', '.join(bad)}\n" if bad else "\n", style="red")
    drawn.rstrip()
    return drawn


def table_of(values: Mapping[str, Any], title: str) -> Any:
    """Draw names and values as a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, show_header=False)
    for key, value in values.items():
        shown = plain(value)
        text = ", ".join(map(str, shown)) if isinstance(shown, list) else str(shown)
        table.add_row(Text(str(key)), Text(text if len(text) <= 60 else text[:57] + "…"))
    return table


def describe(details: Mapping[str, Any]) -> str:
    """Give a check's message, or else its value and threshold."""
    if details.get("message"):
        return str(details["message"]).splitlines()[0]
    words = []
    value = details.get("value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        words.append(f"{value:.4g}")
    if details.get("threshold") is not None:
        words.append(f"threshold {details['threshold']}")
    return ", ".join(words)


def plain(value: Any) -> Any:
    """Give a value as JSON has it; sets as lists in order, what JSON lacks as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy, JAX
        return plain(value.tolist())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def ask(console: Any, question: str, options: Sequence[Any] | None) -> bool:
    """Ask for yes or no, or for one of two words of which the first is yes."""
    from rich.prompt import Confirm, Prompt

    if options:
        words = [str(option) for option in options]
        return Prompt.ask(question, choices=words, console=console) == words[0]
    return Confirm.ask(question, console=console)


def character_plot(
    series: Sequence[Mapping[str, Any]],
    xlim: tuple[float, float] | None,
    ylim: tuple[float, float] | None,
    title: str,
    width: int = 64,
    height: int = 14,
) -> str:
    """Draw points of several series with one character each.

    Examples
    --------
    >>> print(character_plot([{"x": [0, 1], "y": [0, 1], "label": "up"}], None, None, "t",
    ...                      width=3, height=2))
    t
    1 │  *
    0 │*
      └───
       0 … 1
    * up
    """
    points = [
        (list(map(float, one.get("x", ()))), list(map(float, one.get("y", ())))) for one in series
    ]
    xs = [x for x_values, _ in points for x in x_values]
    ys = [y for _, y_values in points for y in y_values]
    if not xs or not ys:
        return title
    x0, x1 = xlim or (min(xs), max(xs))
    y0, y1 = ylim or (min(ys), max(ys))
    grid = [[" "] * width for _ in range(height)]
    marks = "*o+x#@"
    for which, (x_values, y_values) in enumerate(points):
        for x, y in zip(x_values, y_values, strict=False):
            column = round((x - x0) / ((x1 - x0) or 1) * (width - 1))
            row = round((y - y0) / ((y1 - y0) or 1) * (height - 1))
            if 0 <= column < width and 0 <= row < height:
                grid[height - 1 - row][column] = marks[which % len(marks)]
    edge = max(len(f"{y0:.3g}"), len(f"{y1:.3g}"))
    lines = [title] if title else []
    for row, cells in enumerate(grid):
        label = f"{y1:.3g}" if row == 0 else f"{y0:.3g}" if row == height - 1 else ""
        lines.append(f"{label:>{edge}} │{''.join(cells)}".rstrip())
    lines.append(f"{'':>{edge}} └{'─' * width}")
    lines.append(f"{'':>{edge}}  {x0:.3g} … {x1:.3g}")
    labels = [f"{marks[i % len(marks)]} {one['label']}"
              for i, one in enumerate(series) if one.get("label")]  # fmt: skip
    return "\n".join([*lines, *labels])
