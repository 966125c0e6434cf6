"""Means and spreads of the train values, by column and over all columns.

What the predictors that need no more than moments learn, with and without each run.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from predictors.common.counts import Array, leave_one_out
from predictors.common.grid import Cells, Column
from predictors.common.priors import UNIFORM, Prior

Key = TypeVar("Key", bound=Hashable)

__all__ = [
    "MIN_SD",
    "NOTHING",
    "Moments",
    "TrainMoments",
    "column_sd",
    "least_sd",
    "leave_each_out",
    "moments_by",
    "normal_prior",
]

MIN_SD = 0.01
"""The least sd of a bounded metric, as a part of its range: one percentage point."""

_BORROWED = 2  # deviations of all columns that are counted with those of each

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
        return cls(moments_by(runs.column, runs.y), moments_by(runs.pool, runs.y))

    def of_each(self, targets: Cells) -> list[tuple[Moments, Moments, bool]]:
        """Give moments of column and of pool for each target, and whether it is bounded."""
        return [
            (self.column.get(column, NOTHING), self.pool.get(pool, NOTHING), column[-1])
            for column, pool in zip(targets.column, targets.pool, strict=True)
        ]


def moments_by(keys: Sequence[Key], y: Array) -> dict[Key, Moments]:
    """Take the moments of the values of each key.

    Examples
    --------
    >>> moments_by(["a", "b", "a"], np.array([1.0, 5.0, 3.0]))["a"]
    Moments(n=2, mean=2.0, squares=2.0)
    """
    return {key: Moments.of(y[rows]) for key, rows in _rows_by(keys).items()}


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


def column_sd(deviations: Array) -> Array:
    r"""Give the sd of each column, drawn towards that of all columns.

    .. math:: s_j^2 = \frac{\sum_i e_{ij}^2 + 2 \bar{e^2}}{n_j + 2}

    where :math:`\bar{e^2}` is the mean square of all deviations: few of them say little of a
    column.

    Parameters
    ----------
    deviations : ndarray of float, shape (..., M, S)
        From a mean or a prediction; NaN where there is none.

    Returns
    -------
    ndarray of float, shape (..., S)
        On the scale of the deviations; all NaN where there is none at all.

    Examples
    --------
    >>> column_sd(np.array([[0.0, 5.0], [0.0, np.nan], [0.0, 1.0]])).round(2).tolist()
    [1.44, 3.02]
    """
    known = np.isfinite(deviations)
    squares, n = np.where(known, deviations, 0.0) ** 2, known.sum(axis=-2)
    total = n.sum(axis=-1, keepdims=True)
    pool = squares.sum(axis=(-2, -1))[..., None] / np.maximum(total, 1)
    variance = (squares.sum(axis=-2) + _BORROWED * pool) / (n + _BORROWED)
    sd: Array = np.where(total > 0, np.sqrt(variance), np.nan)
    return sd


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
