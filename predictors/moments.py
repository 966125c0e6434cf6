"""Means and spreads of the train values, by column and over all columns.

What the predictors that need no more than moments learn, with and without each run.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from predictors.counts import Array, leave_one_out
from predictors.grid import Cells, Column
from predictors.priors import UNIFORM, Prior

Key = TypeVar("Key", bound=Hashable)

__all__ = [
    "MIN_SD",
    "NOTHING",
    "Moments",
    "TrainMoments",
    "least_sd",
    "leave_each_out",
    "normal_prior",
]

MIN_SD = 0.01
"""The least sd of a bounded metric, as a part of its range: one percentage point."""

_MIN_RELATIVE_SD = 0.001  # the least sd of an unbounded metric, as a part of its mean
_MIN_ABSOLUTE_SD = 1e-6  # and where that mean is 0


@dataclass(frozen=True, slots=True)
class Moments:
    """How many values, their mean and the sum of squares about it."""

    n: int
    mean: float
    squares: float

    @classmethod
    def of(cls, values: Array) -> Moments:
        """Take the moments of finite values."""
        if len(values) == 0:
            return NOTHING
        mean = float(np.mean(values))
        return cls(len(values), mean, float(np.sum((values - mean) ** 2)))

    def sd(self, ddof: int = 0) -> float:
        """Give the standard deviation of more than `ddof` values."""
        return math.sqrt(self.squares / (self.n - ddof))


NOTHING = Moments(0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class TrainMoments:
    """Moments of the train values, on the scale of `Cells.y`.

    Attributes
    ----------
    column : dict of Column to Moments
        Of the runs of each column.
    pool : dict of (str or None) to Moments
        Of all runs of bounded metrics together (None), and of each unbounded metric.
    """

    column: dict[Column, Moments]
    pool: dict[str | None, Moments]

    @classmethod
    def of(cls, runs: Cells) -> TrainMoments:
        """Learn them from train runs."""
        columns = {c: Moments.of(runs.y[rows]) for c, rows in _rows_by(runs.column).items()}
        return cls(columns, {p: Moments.of(runs.y[r]) for p, r in _rows_by(runs.pool).items()})

    def of_each(self, targets: Cells) -> list[tuple[Moments, Moments, bool]]:
        """Give moments of column and of pool for each target, and whether it is bounded."""
        return [
            (self.column.get(column, NOTHING), self.pool.get(pool, NOTHING), column[-1])
            for column, pool in zip(targets.column, targets.pool, strict=True)
        ]


def leave_each_out(runs: Cells) -> list[tuple[Moments, Moments, bool]]:
    """Give, for each train run, what `TrainMoments.of_each` would be without that run."""
    column, pool = _without_each(runs.column, runs.y), _without_each(runs.pool, runs.y)
    return [(c, p, key[-1]) for c, p, key in zip(column, pool, runs.column, strict=True)]


def normal_prior(column: Moments, pool: Moments, bounded: bool) -> Prior | None:
    """Give the normal of the scenario mean, with its fallbacks.

    Parameters
    ----------
    column, pool : Moments
        Of the column, and of all that it may borrow from.
    bounded : bool
        Whether the metric is bounded.

    Returns
    -------
    Prior or None
        Two runs or more: their mean and sd (ddof 0). One: its value, and the pool's sd. None: mean
        and sd of the pool. An empty pool: uniform if bounded, else None. A pool of one run has
        the sd of a uniform distribution if bounded, else the size of its value.

    Examples
    --------
    >>> normal_prior(Moments(4, 0.5, 0.16), Moments(40, 0.6, 1.6), True)
    Prior(kind='normal', a=0.5, b=0.2)
    >>> normal_prior(Moments(1, 0.5, 0.0), Moments(40, 0.6, 1.6), True)
    Prior(kind='normal', a=0.5, b=0.2)
    >>> normal_prior(NOTHING, NOTHING, True)
    Prior(kind='beta', a=1.0, b=1.0)
    """
    if column.n >= 2:
        return Prior("normal", column.mean, max(column.sd(), least_sd(column.mean, bounded)))
    if pool.n == 0:
        return UNIFORM if bounded else None
    guess = 1.0 / math.sqrt(12.0) if bounded else abs(pool.mean) or 1.0
    sd = pool.sd() if pool.n >= 2 else guess
    mean = column.mean if column.n else pool.mean
    return Prior("normal", mean, max(sd, least_sd(mean, bounded)))


def least_sd(mean: float, bounded: bool) -> float:
    """Give the floor of an sd: `MIN_SD` of the range; of an unbounded metric .001 of its mean.

    Examples
    --------
    >>> least_sd(0.7, True), least_sd(-50.0, False), least_sd(0.0, False)
    (0.01, 0.05, 1e-06)
    """
    return MIN_SD if bounded else max(_MIN_RELATIVE_SD * abs(mean), _MIN_ABSOLUTE_SD)


def _rows_by(keys: Sequence[Key]) -> dict[Key, list[int]]:
    rows: dict[Key, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows


def _without_each(keys: Sequence[Key], y: Array) -> list[Moments]:
    out = [NOTHING] * len(y)
    for rows in _rows_by(keys).values():
        mean, squares = leave_one_out(y[rows])
        for row, m, s in zip(rows, mean.tolist(), squares.tolist(), strict=True):
            out[row] = Moments(len(rows) - 1, m, s)
    return out
