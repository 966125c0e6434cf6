"""Geometry of the figure of a headline: each predictor's skill from task to task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leaderboard import words
from leaderboard.charts import (
    DASHES,
    LEFT,
    MAX_LINES,
    RIGHT,
    STYLES,
    TOP,
    WIDTH,
    Tick,
    linear_ticks,
    marker,
    shortened,
    spread,
)
from leaderboard.headline import Headline
from leaderboard.terminal import broken

__all__ = ["Slope", "Slopes", "slopes"]

LOWEST = -0.5
"""The axis ends at the tick at or below this: worse skills would flatten all others."""


@dataclass(frozen=True)
class Slope:
    """One predictor's line: its pieces, marks, and where its label goes."""

    name: str
    label: str
    style: int
    dash: str
    path: str
    markers: tuple[tuple[str, str], ...]
    end_x: float
    end_y: float
    label_y: float


@dataclass(frozen=True)
class Slopes:
    """The figure of skill by task."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    zero: float
    x: tuple[tuple[float, tuple[str, ...]], ...]
    y: tuple[Tick, ...]
    lines: tuple[Slope, ...]
    left_out: tuple[str, ...]
    is_cut: bool
    summary: str


def slopes(shown: Headline, style: Mapping[str, int], references: set[str]) -> Slopes | None:
    """Place the lines of skill by task.

    Parameters
    ----------
    shown : Headline
        What the table shows; of its ranked predictors but the references, whose skill is 0, the
        best by mean rank are drawn.
    style : mapping of str to int
        As `leaderboard.charts.styles` gives it.
    references : set of str
        Names of the references.

    Returns
    -------
    Slopes or None
        None where there are fewer than two tasks, or nobody to draw.
    """
    places = [i for i, column in enumerate(shown.columns) if column.k is not None]
    rows = [
        row
        for row in shown.rows
        if row["predictor"] not in references and any(_skill(row, i) is not None for i in places)
    ]
    drawn = rows[: MAX_LINES - 1]
    if len(places) < 2 or not drawn:
        return None
    values = [v for row in drawn for i in places if (v := _skill(row, i)) is not None]
    low, high = max(LOWEST, min(0.0, *values)), max(0.0, *values)
    ticks = linear_ticks(100 * low, 100 * max(high, low + 0.1))
    bottom, right = 330.0, WIDTH - RIGHT

    def at_x(place: int) -> float:
        return LEFT + 40.0 + places.index(place) * (right - LEFT - 80.0) / (len(places) - 1)

    def at_y(skill: float) -> float:
        share = (100 * skill - ticks[0]) / (ticks[-1] - ticks[0])
        return bottom - max(share, 0.0) * (bottom - TOP)

    lines = []
    for row in drawn:
        number = style[row["predictor"]]
        points = [(i, at_x(i), v) for i in places if (v := _skill(row, i)) is not None]
        # a task where it is not ranked parts the line
        path = "".join(
            f"{'L' if n and points[n - 1][0] == places[places.index(i) - 1] else 'M'}"
            f"{x:.1f} {at_y(v):.1f}"
            for n, (i, x, v) in enumerate(points)
        )
        marks = tuple(
            (
                marker(STYLES[number], x, at_y(v)),
                f"{shown.columns[i].entry.heading}: {words.percent(v)} %",
            )
            for i, x, v in points
        )
        end_x, end_y = points[-1][1], at_y(points[-1][2])
        lines.append((row["predictor"], number, path, marks, end_x, end_y))
    apart = spread([line[-1] for line in lines], 17.0, TOP + 6.0, bottom)
    return Slopes(
        width=WIDTH,
        height=bottom + 58.0,
        left=LEFT,
        right=right,
        top=TOP,
        bottom=bottom,
        zero=at_y(0.0),
        x=tuple((at_x(i), tuple(_lines(shown.columns[i].entry.heading))) for i in places),
        y=tuple(Tick(at_y(t / 100), words.signed(t, "", 0)) for t in ticks),
        lines=tuple(
            Slope(n, shortened(n), s, DASHES[s], path, marks, x, y, label_y)
            for (n, s, path, marks, x, y), label_y in zip(lines, apart, strict=True)
        ),
        left_out=tuple(row["predictor"] for row in rows[len(drawn) :]),
        is_cut=100 * min(values) < ticks[0] - 1e-9,
        summary=_summary(shown, drawn[0], places),
    )


def _skill(row: Mapping[str, Any], place: int) -> float | None:
    """Give a predictor's skill on a task; None where it is not ranked or has none."""
    cell = row["cells"][place]
    return None if cell is None or cell["skill"] != cell["skill"] else float(cell["skill"])


def _lines(heading: str) -> list[str]:
    """Break a heading for below the axis."""
    return [shortened(line, 18) for line in broken(heading, 13).splitlines()][:3]


def _summary(shown: Headline, row: Mapping[str, Any], places: list[int]) -> str:
    """Say in words what the line of the first predictor shows."""
    parts = [
        f"{words.percent(skill)} % on {words.clean(shown.columns[i].entry.heading)}"
        for i in places
        if (skill := _skill(row, i)) is not None
    ]
    return f"The skill of {words.clean(row['predictor'])} is {words.listing(parts)}."
