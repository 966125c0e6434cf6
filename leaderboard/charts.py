"""Geometry of the figures of a page: losses by k, and coverage. Templates draw what this places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leaderboard import words

MAX_LINES = 8
"""Lines in one figure; more cannot be told apart."""

STYLES = ("circle", "square", "up", "diamond", "down", "plus", "cross", "star")
"""Marker of each line, by its place among the predictors; the reference has the first."""

DASHES = ("2 4", "none", "7 3", "3 2", "9 3 2 3", "1 2", "12 4", "5 2 1 2")

WIDTH, LEFT, RIGHT, TOP = 760.0, 56.0, 196.0, 14.0


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in pixels."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One predictor's line: SVG paths, and where its label goes."""

    name: str
    label: str
    style: int
    dash: str
    path: str
    band: str
    markers: tuple[str, ...]
    end_x: float
    end_y: float
    label_y: float


@dataclass(frozen=True)
class Curves:
    """The figure of losses by k."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]
    is_log: bool
    has_bands: bool
    unit: str
    rule: str
    summary: str


@dataclass(frozen=True)
class Dot:
    """One observed share with its interval, in pixels of its panel."""

    at: float
    low: float | None
    high: float | None
    marker: str
    text: str


@dataclass(frozen=True)
class CoverageRow:
    """One predictor's observed coverage at each nominal level."""

    name: str
    label: str
    style: int
    y: float
    dots: tuple[Dot | None, ...]


@dataclass(frozen=True)
class Panel:
    """One nominal level: where its axis lies."""

    level: int
    left: float
    right: float
    nominal: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Coverage:
    """The figure of nominal against observed coverage at one k."""

    width: float
    height: float
    top: float
    bottom: float
    panels: tuple[Panel, ...]
    rows: tuple[CoverageRow, ...]
    summary: str


def styles(names: Sequence[str], reference: str | None) -> dict[str, int]:
    """Give every predictor its style, the same in all figures; 0 is the reference's alone.

    Examples
    --------
    >>> styles(["a", "base", "b"], "base")
    {'base': 0, 'a': 1, 'b': 2}
    """
    first = {reference: 0} if reference in names and reference is not None else {}
    others = [name for name in names if name not in first]
    return {**first, **{name: 1 + i % (len(STYLES) - 1) for i, name in enumerate(others)}}


def curves(ranking: pd.DataFrame, reference: str | None, style: Mapping[str, int]) -> Curves:
    """Place the lines of mean loss by k, with their 95 % bands.

    Parameters
    ----------
    ranking : DataFrame
        As `harness.ranking.rank` returns it; ranked predictors only are drawn, at most `MAX_LINES`:
        the reference and the best by mean rank.
    reference : str or None
        Name of the reference.
    style : mapping of str to int
        As `styles` gives it.
    """
    rule = words.rule_of(ranking)
    ranked = ranking[ranking["ranked"]]
    ks = sorted(int(k) for k in ranked["k"].unique())
    order = ranked.groupby("predictor")["rank"].mean().sort_values(kind="stable").index
    chosen = [name for name in order if name != reference][: MAX_LINES - 1]
    chosen += [reference] if reference in set(order) else []
    drawn = ranked[ranked["predictor"].isin(chosen)]
    values = drawn[rule].astype(float)
    height = 390.0
    bottom = height - 46.0
    right = WIDTH - RIGHT
    is_log = bool(values.min() > 0 and values.max() > 5.0 * values.min())
    low, high = extent(drawn, rule, is_log)
    ticks = log_ticks(low, high) if is_log else linear_ticks(low, high)
    if not is_log:
        low, high = min(low, ticks[0]), max(high, ticks[-1])
    scale = math.log if is_log else float

    def place_y(value: float) -> float:
        clipped = min(max(value, low), high)
        return bottom - (scale(clipped) - scale(low)) / (scale(high) - scale(low)) * (bottom - TOP)

    def place_x(k: int) -> float:
        first, last = math.log1p(ks[0]), math.log1p(ks[-1])
        share = 0.5 if first == last else (math.log1p(k) - first) / (last - first)
        return LEFT + 12.0 + share * (right - LEFT - 24.0)

    lines = []
    for name in [n for n in order if n in chosen]:
        own = drawn[drawn["predictor"] == name].sort_values("k")
        points = [(place_x(int(r["k"])), place_y(r[rule])) for r in own.to_dict("records")]
        ends = own[[f"{rule}_low", f"{rule}_high"]].astype(float)
        band = ""
        if ends.notna().all(axis=None) and len(own) > 1:
            up = [(x, place_y(v)) for (x, _), v in zip(points, ends.iloc[:, 1], strict=True)]
            down = [(x, place_y(v)) for (x, _), v in zip(points, ends.iloc[:, 0], strict=True)]
            band = _path([*up, *reversed(down)]) + "Z"
        number = style[str(name)]
        lines.append(
            Line(
                name=str(name),
                label=shortened(str(name)),
                style=number,
                dash=DASHES[number],
                path=_path(points),
                band=band,
                markers=tuple(marker(STYLES[number], x, y) for x, y in points),
                end_x=points[-1][0],
                end_y=points[-1][1],
                label_y=points[-1][1],
            )
        )
    apart = spread([line.label_y for line in lines], 17.0, TOP + 6.0, bottom)
    lines = [Line(**{**line.__dict__, "label_y": y}) for line, y in zip(lines, apart, strict=True)]
    unit = str(ranking["unit"].iloc[0])
    return Curves(
        width=WIDTH,
        height=height,
        left=LEFT,
        right=right,
        top=TOP,
        bottom=bottom,
        x=tuple(_thinned([Tick(place_x(k), str(k)) for k in ks], 20.0)),
        y=tuple(Tick(place_y(t), f"{t:g}") for t in ticks),
        lines=tuple(lines),
        left_out=tuple(str(name) for name in order if name not in chosen),
        is_log=is_log,
        has_bands=any(line.band for line in lines),
        unit=unit,
        rule=words.RULE_NAMES[rule],
        summary=_curve_summary(drawn, rule, unit, ks),
    )


def coverage(part: pd.DataFrame, style: Mapping[str, int]) -> Coverage | None:
    """Place observed against nominal coverage of 50, 80 and 90 % intervals, at one k.

    Parameters
    ----------
    part : DataFrame
        The ranking at one k.
    style : mapping of str to int
        As `styles` gives it.

    Returns
    -------
    Coverage or None
        None where no predictor has a coverage.
    """
    shown = part[part["coverage_90"].notna()]
    if shown.empty:
        return None
    labels, gap, row_height, top = 190.0, 34.0, 28.0, 40.0
    each = (WIDTH - labels - 2 * gap - 32.0) / 3
    bottom = top + row_height * len(shown)
    panels = []
    for i, level in enumerate((50, 80, 90)):
        left = labels + 16.0 + i * (each + gap)
        panels.append(
            Panel(
                level=level,
                left=left,
                right=left + each,
                nominal=left + each * level / 100.0,
                ticks=tuple(Tick(left + each * t / 100.0, str(t)) for t in (0, 50, 100)),
            )
        )
    rows = []
    for i, row in enumerate(shown.to_dict("records")):
        y = top + row_height * (i + 0.5)
        number = style[str(row["predictor"])]
        rows.append(
            CoverageRow(
                name=str(row["predictor"]),
                label=shortened(str(row["predictor"])),
                style=number,
                y=y,
                dots=tuple(_dot(row, panel, y, STYLES[number]) for panel in panels),
            )
        )
    first = shown.iloc[0]
    summary = (
        f"Of the best-ranked predictor, {first['predictor']}, the 50, 80 and 90 % intervals hold "
        f"{words.percent(first['coverage_50'])}, {words.percent(first['coverage_80'])} and "
        f"{words.percent(first['coverage_90'])} % of the values."
    )
    return Coverage(WIDTH, bottom + 40.0, top, bottom, tuple(panels), tuple(rows), summary)


def _dot(row: Mapping[Any, Any], panel: Panel, y: float, shape: str) -> Dot | None:
    """Place one observed coverage."""
    name = f"coverage_{panel.level}"
    if math.isnan(row[name]):
        return None
    each = panel.right - panel.left
    at = panel.left + each * row[name]
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    interval = not (math.isnan(low) or math.isnan(high))
    return Dot(
        at=at,
        low=panel.left + each * low if interval else None,
        high=panel.left + each * high if interval else None,
        marker=marker(shape, at, y),
        text=f"{words.percent(row[name])} %"
        + (f", interval {words.percent(low)} to {words.percent(high)} %" if interval else ""),
    )


def extent(drawn: pd.DataFrame, rule: str, is_log: bool) -> tuple[float, float]:
    """Return the range of the loss axis: the means, and their bands as far as that is legible."""
    means = drawn[rule].astype(float)
    lowest, highest = float(means.min()), float(means.max())
    low = min(lowest, float(drawn[f"{rule}_low"].astype(float).min(skipna=True)))
    high = max(highest, float(drawn[f"{rule}_high"].astype(float).max(skipna=True)))
    low = lowest if math.isnan(low) else low
    high = highest if math.isnan(high) else high
    if is_log:
        return max(low, lowest / 2.0) * 0.95, min(high, highest * 2.0) * 1.05
    # Bands of few clusters are wide; means must stay apart.
    room = 1.5 * max(highest - lowest, 0.25 * highest)
    low, high = max(low, lowest - room, 0.0), min(high, highest + room)
    return (low, high) if high > low else (low, low + 1.0)


def linear_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return round numbers that span [low, high].

    Examples
    --------
    >>> linear_ticks(0.3, 4.1)
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1.0, 2.0, 2.5, 5.0, 10.0) if power * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the numbers 1, 2, 5 × 10^n within [low, high].

    Examples
    --------
    >>> log_ticks(0.3, 12.0)
    [0.5, 1.0, 2.0, 5.0, 10.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [float(f"{m}e{p}") for p in powers for m in (1, 2, 5)]
    return [tick for tick in every if low <= tick <= high]


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart to at least `gap`, in the order of their places, within [low, high].

    Examples
    --------
    >>> spread([10.0, 12.0, 50.0], 10.0, 0.0, 100.0)
    [6.0, 16.0, 50.0]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    # Labels that collide form a block, centred on the mean of where they want to be.
    blocks: list[list[float]] = []  # [sum of wanted places, number of labels]
    for i in order:
        blocks.append([places[i], 1.0])
        while len(blocks) > 1 and _start(blocks[-1], gap, low, high) < (
            _start(blocks[-2], gap, low, high) + blocks[-2][1] * gap
        ):
            wanted, n = blocks.pop()
            blocks[-1] = [blocks[-1][0] + wanted, blocks[-1][1] + n]
    out = [0.0] * len(places)
    at = iter(order)
    for block in blocks:
        start = _start(block, gap, low, high)
        for j in range(int(block[1])):
            out[next(at)] = start + j * gap
    return out


def _start(block: Sequence[float], gap: float, low: float, high: float) -> float:
    """Return where the first label of a block goes."""
    wanted, n = block
    length = (n - 1.0) * gap
    return max(low, min(wanted / n - length / 2.0, high - length))


def marker(shape: str, x: float, y: float, r: float = 4.5) -> str:
    """Return the SVG path of a marker.

    Examples
    --------
    >>> marker("square", 10.0, 10.0, 4.0)
    'M6.4 6.4h7.2v7.2h-7.2Z'
    """
    if shape == "circle":
        arc = f"a{_n(r)} {_n(r)} 0 1 0"
        return f"M{_n(x - r)} {_n(y)}{arc} {_n(2 * r)} 0{arc} {_n(-2 * r)} 0Z"
    if shape == "square":
        s = 0.9 * r
        return f"M{_n(x - s)} {_n(y - s)}h{_n(2 * s)}v{_n(2 * s)}h{_n(-2 * s)}Z"
    if shape in ("plus", "cross"):
        s, t = 1.2 * r, 0.4 * r
        corners = [(t, t), (t, s), (-t, s), (-t, t), (-s, t), (-s, -t), (-t, -t), (-t, -s)]
        corners += [(t, -s), (t, -t), (s, -t), (s, t)]
        turn = math.pi / 4 if shape == "cross" else 0.0
        cos, sin = math.cos(turn), math.sin(turn)
        return _path([(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners]) + "Z"
    first, radii = {
        "up": (-math.pi / 2, [1.25] * 3),
        "down": (math.pi / 2, [1.25] * 3),
        "diamond": (0.0, [1.3] * 4),
        "star": (-math.pi / 2, [1.5, 0.65] * 5),
    }[shape]
    points = []
    for i, radius in enumerate(radii):
        angle = first + 2 * math.pi * i / len(radii)
        points.append((x + radius * r * math.cos(angle), y + radius * r * math.sin(angle)))
    return _path(points) + "Z"


def shortened(name: str, longest: int = 27) -> str:
    """Cut a long name for a figure.

    Examples
    --------
    >>> shortened("kernel-ridge(ridge=5, width=0.25)")
    'kernel-ridge(ridge=5, widt…'
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _thinned(ticks: Sequence[Tick], gap: float) -> list[Tick]:
    """Drop labels that would overlap the one before."""
    out: list[Tick] = []
    for tick in ticks:
        if not out or tick.at - out[-1].at >= gap:
            out.append(tick)
    return out


def _curve_summary(drawn: pd.DataFrame, rule: str, unit: str, ks: Sequence[int]) -> str:
    """Say in words what the lines show."""
    parts = []
    for k in (ks[0], ks[-1]) if len(ks) > 1 else ks[:1]:
        best = drawn[drawn["k"] == k].sort_values(rule, kind="stable").iloc[0]
        parts.append(
            f"at k = {k} {best['predictor']} has the lowest mean, "
            f"{words.number(best[rule], unit)} {unit}".rstrip()
        )
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Return an SVG path through points."""
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _n(value: float) -> str:
    """Format a pixel position."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
