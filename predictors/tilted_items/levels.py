"""The level of a run, the logit of its mean, as the model's other runs foretell it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictors.common.counts import Array

__all__ = ["LevelPriors", "Reading", "logit"]

_WEAK = 2.0  # models whose columns have nothing to do with each other, added to the real ones


def logit(p: Array | float, least: float = 0.01) -> Array:
    """Give log(p / (1 - p)) of p clipped to [least, 1 - least]."""
    q = np.clip(p, least, 1.0 - least)
    return np.asarray(np.log(q) - np.log1p(-q))


@dataclass(frozen=True)
class Reading:
    """What is known of a model's level in a column.

    Attributes
    ----------
    column : int
    level : float
        Logit of the mean of the run, or of its shown responses.
    variance : float
        Of its error, on the logit scale; 0 for a whole run.
    """

    column: int
    level: float
    variance: float = 0.0


class LevelPriors:
    r"""Levels of models in columns, and how columns go together.

    Levels are standardised in each column: :math:`Z = (L - \bar L_c) / (s_c + .15)`, and a model's
    level in column c, given its readings z of other columns, is normal with, in these units,

    .. math:: \mu = k_c' (K + D)^{-1} z, \quad
        \sigma^2 = \max(K_{cc} - k_c' (K + D)^{-1} k_c, .03), \quad K = (Z'Z + 2 I) / (n + 2)

    over the n other models, with D = .3 for whole runs, and .15 and the variance of the reading's
    error for shown responses.

    Parameters
    ----------
    means : ndarray of float, shape (M, C)
        The runs' means in [0, 1]; NaN where there is no run.
    noise, shown_noise : float
        D for whole runs, and what is added to the error of shown responses.
    least_sd : float
        What is added to the standard deviation of a column.
    least_variance : float
        The least σ².

    Notes
    -----
    A gap of the grid stands for the model's mean deviation in its other columns, drawn to 0 by the
    weight of one. A column's variance counts the columns' usual one as one run more. A column
    without train runs has the mean level of the columns, the spread of all levels, and the mean
    covariance with each column.
    """

    def __init__(
        self,
        means: Array,
        noise: float = 0.3,
        shown_noise: float = 0.15,
        least_sd: float = 0.15,
        least_variance: float = 0.03,
    ) -> None:
        level = logit(means)
        there = np.isfinite(level)
        n = there.sum(axis=0)
        self.noise, self.shown_noise, self.least_variance = noise, shown_noise, least_variance
        self._n, self._level, self._least_sd = n, level, least_sd
        self.mean = np.where(there, level, 0.0).sum(axis=0) / np.maximum(n, 1)
        squares = np.where(there, (level - self.mean) ** 2, 0.0).sum(axis=0)
        spare = float(np.maximum(n - 1, 0).sum())
        usual = float(squares.sum()) / spare if spare and squares.any() else 1.0
        self.sd = np.sqrt((squares + usual) / np.maximum(n, 1)) + least_sd
        self._squares, self._usual = squares, usual
        z = np.where(there, (level - self.mean) / self.sd, 0.0)
        effect = z.sum(axis=1) / (there.sum(axis=1) + 1)
        self._z = np.where(there, z, effect[:, None])
        self._square = self._z.T @ self._z
        known = n > 0
        self._usual_mean = float(self.mean[known].mean()) if known.any() else 0.0
        apart = float(self.mean[known].var()) if known.any() else 0.0
        self._usual_sd = math.sqrt(usual + apart) + least_sd

    def prior(
        self, model: int | None, column: int | None, readings: Sequence[Reading]
    ) -> tuple[float, float]:
        """Give mean and standard deviation of a run's level.

        Parameters
        ----------
        model : int or None
            Its row, which is left out; None for a model without any train run.
        column : int or None
            None for a column without train runs.
        readings : sequence of Reading
            Of other columns than this.

        Returns
        -------
        mean, sd : float
            On the logit scale.
        """
        square, n = self._square, len(self._z)
        if model is not None:
            own = self._z[model]
            square, n = square - np.outer(own, own), n - 1
        size = len(square)
        k = (square + _WEAK * np.eye(size)) / (n + _WEAK)
        if column is None:
            others = k - np.diag(np.diag(k))
            with_it = others.sum(axis=0) / max(size - 1, 1)
            variance = float(np.diag(k).mean()) if size else 1.0
            centre, sd, extra = self._usual_mean, self._usual_sd, 0.0
        else:
            with_it, variance = k[column], float(k[column, column])
            centre, sd = float(self.mean[column]), float(self.sd[column])
            extra = 1.0 / max(int(self._n[column]), 1)  # of the column's mean
        mean = 0.0
        if readings:
            at = np.array([r.column for r in readings])
            z = (np.array([r.level for r in readings]) - self.mean[at]) / self.sd[at]
            errors = np.array([r.variance for r in readings]) / self.sd[at] ** 2
            d = np.where(errors > 0, self.shown_noise + errors, self.noise)
            weights = np.linalg.solve(k[np.ix_(at, at)] + np.diag(d), with_it[at])
            mean = float(weights @ z)
            variance -= float(weights @ with_it[at])
        variance = max(variance, self.least_variance) + extra
        return centre + sd * mean, sd * math.sqrt(variance)

    def surprise(self, model: int, column: int, readings: Sequence[Reading]) -> float:
        """Give how many standard deviations a run is off its prior, had it not been there.

        Parameters
        ----------
        model, column : int
            Of a run.
        readings : sequence of Reading
            The model's others.
        """
        n, level = int(self._n[column]), float(self._level[model, column])
        centre, sd = float(self.mean[column]), float(self.sd[column])
        mean, spread = self.prior(model, column, readings)
        if n < 2:
            return (level - mean) / spread
        # the column's mean and spread without the run
        less = centre - (level - centre) / (n - 1)
        squares = max(float(self._squares[column]) - (level - centre) ** 2 * n / (n - 1), 0.0)
        less_sd = math.sqrt((squares + self._usual) / (n - 1)) + self._least_sd
        return (level - less - less_sd * (mean - centre) / sd) / (less_sd * spread / sd)
