"""Geometry of PIT histograms: where the values fell in a predictor's distributions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.averages import Labels, clustered_average
from leaderboard import words
from leaderboard.charts import Tick, linear_ticks

__all__ = ["Bar", "Histogram", "histogram"]

WIDTH, LEFT, TOP, HEIGHT, BELOW = 400.0, 48.0, 10.0, 170.0, 44.0

MANY = 100
"""With fewer values than this there are 5 bins, else 10."""


@dataclass(frozen=True)
class Bar:
    """One bin: its share of the values, and its rectangle and interval in pixels."""

    low: float
    high: float
    share: float
    share_low: float
    share_high: float
    x: float
    y: float
    width: float
    height: float
    middle: float
    whisker: tuple[float, float] | None
    text: str


@dataclass(frozen=True)
class Histogram:
    """The figure of one predictor at one k."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    even: float
    bars: tuple[Bar, ...]
    y: tuple[Tick, ...]
    n: int
    summary: str


def histogram(pit: NDArray[np.float64], rows: Labels, columns: Labels) -> Histogram | None:
    """Make a histogram of PIT values with a clustered 95 % interval for each bin.

    Parameters
    ----------
    pit : array of float, shape (S, T)
        Randomised PIT values in [0, 1] of S seeds; NaN where there is none. A target counts once:
        its seeds are averaged within it.
    rows, columns : sequence of labels, shape (T,)
        Clusters, as in `harness.averages.clustered_average`.

    Returns
    -------
    Histogram or None
        None without any value.

    Examples
    --------
    >>> import numpy as np
    >>> pit = np.linspace(0.01, 0.99, 100)[None, :]
    >>> found = histogram(pit, np.arange(100) % 10, np.arange(100) // 10)
    >>> found.n, len(found.bars), round(found.bars[0].share, 2)
    (100, 10, 0.1)
    """
    known = ~np.isnan(pit)
    there = known.any(axis=0)
    n = int(there.sum())
    if n == 0:
        return None
    bins = 10 if n >= MANY else 5
    place = np.minimum((np.nan_to_num(pit) * bins).astype(np.int64), bins - 1)
    found = []
    for b in range(bins):
        inside = np.full(pit.shape[1], np.nan)
        hits = ((place == b) & known).sum(axis=0)
        np.divide(hits, known.sum(axis=0), out=inside, where=there)
        found.append(clustered_average(inside, rows, columns))
    ends = [a.mean if math.isnan(a.high) else min(a.high, 1.0) for a in found]
    ticks = linear_ticks(0.0, 100.0 * max(*ends, 1.5 / bins), 4)
    bottom = TOP + HEIGHT

    def up(share: float) -> float:
        return bottom - HEIGHT * min(max(100.0 * share, 0.0), ticks[-1]) / ticks[-1]

    each = (WIDTH - LEFT - 8.0) / bins
    bars = []
    for b, average in enumerate(found):
        # what never or always happened has no spread to estimate an interval from
        interval = average.se > 0.0
        low = max(average.low, 0.0) if interval else math.nan
        high = min(average.high, 1.0) if interval else math.nan
        text = f"{words.percent(b / bins)} to {words.percent((b + 1) / bins)} %: "
        text += f"{words.percent(average.mean, 1)} % of the values"
        if interval:
            text += f", interval {words.percent(low, 1)} to {words.percent(high, 1)} %"
        bars.append(
            Bar(
                low=b / bins,
                high=(b + 1) / bins,
                share=average.mean,
                share_low=low,
                share_high=high,
                x=LEFT + each * b + 1.5,
                y=up(average.mean),
                width=each - 3.0,
                height=bottom - up(average.mean),
                middle=LEFT + each * (b + 0.5),
                whisker=(up(high), up(low)) if interval else None,
                text=text,
            )
        )
    return Histogram(
        width=WIDTH,
        height=bottom + BELOW,
        left=LEFT,
        right=WIDTH - 8.0,
        top=TOP,
        bottom=bottom,
        even=up(1.0 / bins),
        bars=tuple(bars),
        y=tuple(Tick(up(t / 100.0), f"{t:g}") for t in ticks),
        n=n,
        summary=_summary(bars, bins),
    )


def _summary(bars: list[Bar], bins: int) -> str:
    """Say in words whether the distributions are too narrow, too wide, or aside."""
    outer, inner = bars[0].share + bars[-1].share, bars[bins // 2].share + bars[~(bins // 2)].share
    if bins % 2:
        inner = 2.0 * bars[bins // 2].share
    return (
        f"{words.percent(outer)} % of the values fell in the two outermost of {bins} bins, where "
        f"{words.percent(2 / bins)} % should; {words.percent(inner / 2)} % in one of the middle, "
        f"where {words.percent(1 / bins)} % should."
    )
