"""Geometry of calibration curves: predicted probabilities, and how often they came true."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from leaderboard import words
from leaderboard.charts import DASHES, MAX_LINES, STYLES, Tick, marker, shortened

__all__ = ["Calibration", "Curve", "calibration"]

LEFT, TOP, SIDE, WIDTH = 48.0, 12.0, 336.0, 400.0
"""The plot is a square, so that the diagonal is one, and fits a narrow window; the key is below."""

KEY = 20.0
"""Pixels from one row of the key to the next."""

LARGEST, SMALLEST = 9.0, 2.0
"""Radii of points, in pixels: of the one with most responses, and at least."""

LEAST = 1 / 40
"""Share of a predictor's responses that a point rests on at least: bins with fewer are joined with
their neighbours, since lines through points of a few responses show nothing but chance."""


@dataclass(frozen=True)
class Curve:
    """One predictor's line: its path, its points with their words, and its row of the key."""

    name: str
    label: str
    style: int
    dash: str
    path: str
    points: tuple[tuple[str, str], ...]
    key: str
    key_y: float


@dataclass(frozen=True)
class Calibration:
    """The figure of observed by predicted probability at one k."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    left_out: tuple[str, ...]
    responses: int
    summary: str


def calibration(
    table: pd.DataFrame, k: int, names: Iterable[str], style: Mapping[str, int], reference: object
) -> Calibration | None:
    """Place the calibration curves of one k.

    Parameters
    ----------
    table : DataFrame
        As `harness.results.Results.calibration`. Seeds are added up: responses of the same bin.
    k : int
        Number of shown responses.
    names : iterable of str
        Predictors, the best first; the first of them and the reference are drawn, at most
        `MAX_LINES`.
    style : mapping of str to int
        As `leaderboard.charts.styles` gives it.
    reference : str or None
        Name of the reference.

    Returns
    -------
    Calibration or None
        None where nothing is known at k: metrics whose responses are not right or wrong have none.
    """
    if table.empty:
        return None
    bins = _bins(table[table["k"] == k])
    there = [name for name in names if name in bins]
    if not there:
        return None
    others = [name for name in there if name != reference][: MAX_LINES - 1]
    drawn = [name for name in there if name in others or name == reference]
    right, bottom = LEFT + SIDE, TOP + SIDE
    most = max(float(bins[name]["responses"].max()) for name in drawn)
    curves = []
    for place, name in enumerate(drawn):
        number = style[name]
        path, points = [], []
        for n, p, y in bins[name].itertuples(index=False):
            at = (LEFT + SIDE * p, bottom - SIDE * y)
            path.append(f"{at[0]:.1f} {at[1]:.1f}")
            radius = max(LARGEST * math.sqrt(n / most), SMALLEST)
            text = f"{words.count(round(n), 'response')} predicted at {p:.2f}, {y:.2f} came true"
            points.append((marker(STYLES[number], *at, radius), text))
        y = bottom + 58.0 + KEY * place
        curves.append(
            Curve(
                name=name,
                label=shortened(name, 46),
                style=number,
                dash=DASHES[number],
                path="M" + "L".join(path),
                points=tuple(points),
                key=marker(STYLES[number], LEFT + 16.0, y),
                key_y=y,
            )
        )
    ticks = [i / 5 for i in range(6)]
    return Calibration(
        width=WIDTH,
        height=bottom + 56.0 + KEY * len(drawn),
        left=LEFT,
        right=right,
        top=TOP,
        bottom=bottom,
        x=tuple(Tick(LEFT + SIDE * t, f"{t:g}") for t in ticks),
        y=tuple(Tick(bottom - SIDE * t, f"{t:g}") for t in ticks),
        curves=tuple(curves),
        left_out=tuple(name for name in there if name not in drawn),
        responses=round(max(float(bins[name]["responses"].sum()) for name in drawn)),
        summary=_summary(drawn[0], bins[drawn[0]]),
    )


def _bins(part: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give each predictor's points, ascending: responses (mean over seeds), predicted, observed."""
    seeds = max(part["seed"].nunique(), 1)
    sums = pd.DataFrame(
        {
            "predictor": part["predictor"].astype(str),
            "lower": part["lower"],
            "responses": part["responses"].astype(float),
            "predicted": part["predicted"] * part["responses"],
            "observed": part["observed"] * part["responses"],
        }
    )
    total = sums.groupby(["predictor", "lower"], sort=True).sum().reset_index()
    out = {}
    for name, own in total.groupby("predictor", sort=True):
        joined = own.groupby(_joined(own["responses"].tolist()))
        points = joined[["responses", "predicted", "observed"]].sum()
        points[["predicted", "observed"]] = points[["predicted", "observed"]].div(
            points["responses"], axis=0
        )
        points["responses"] /= seeds
        out[str(name)] = points
    return out


def _joined(sizes: list[float]) -> list[int]:
    """Give the point that each bin belongs to: bins are joined from the left until there is enough.

    Examples
    --------
    >>> _joined([1.0, 40.0, 30.0, 1.0])
    [0, 0, 1, 1]
    """
    least, place, filled, out = LEAST * sum(sizes), 0, 0.0, []
    for i, size in enumerate(sizes):
        out.append(place)
        filled += size
        if filled >= least and sum(sizes[i + 1 :]) >= least:
            place, filled = place + 1, 0.0
    return out


def _summary(name: str, bins: pd.DataFrame) -> str:
    """Say in words what the line of the best predictor shows, by the point furthest off."""
    off = (bins["observed"] - bins["predicted"]).abs()
    worst = bins.iloc[int(off.to_numpy().argmax())]
    return (
        f"The line of the best-ranked predictor, {name}, is furthest from the diagonal where it "
        f"predicts {worst['predicted']:.2f} and {worst['observed']:.2f} come true."
    )
