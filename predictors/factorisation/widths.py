"""How wide predictions of a table are to be, judged by train cells that are hidden.

A sampler that is given all but a tenth of the cells says how it misses; its distributions are
stretched by what makes the hidden values most probable. Models of which far fewer values are known
than of the others are judged by others that are made as little known; models of which none is, by
the latest ones, all of whose values are hidden.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from predictors.common.counts import Array
from predictors.common.mixtures import MixtureOfDraws

__all__ = ["USUAL", "calibrated", "hidden_parts", "hidden_rows", "latest_rows", "little_known"]

USUAL = (1.15, 0.1)
"""Prior of the factor's logarithm: its median and sd."""

_HIDDEN = 0.1  # of the train cells, at a time
_ROUNDS = 3  # of hiding, other cells each time
_LITTLE = 0.5  # of the median number of values: a row with fewer is little known
_REHEARSED = 0.25  # of the well known rows, at most, are made little known
_FACTORS = np.linspace(0.9, 1.5, 25)


def calibrated(mixtures: Sequence[MixtureOfDraws], z: Array) -> float:
    """Give the factor by which distributions are to be stretched, judged by values they missed.

    The factor with the greatest density of the values, times its prior: log-normal about 1.15,
    with an sd of .1, the weight of some 50 values.

    Parameters
    ----------
    mixtures : sequence of MixtureOfDraws
    z : ndarray
        The values, on the links' scales.
    """
    location = np.stack([m.location for m in mixtures])
    scale = np.stack([m.scale for m in mixtures])
    df = mixtures[0].df
    centre = np.median(location, axis=1)[:, None]
    scores = []
    for factor in _FACTORS:
        t = (z[:, None] - centre - factor * (location - centre)) / (factor * scale)
        density = ((1.0 + t * t / df) ** (-0.5 * (df + 1.0)) / (factor * scale)).mean(axis=1)
        prior = -0.5 * (np.log(factor / USUAL[0]) / USUAL[1]) ** 2
        scores.append(float(np.sum(np.log(density + 1e-300))) + prior)
    return float(_FACTORS[int(np.argmax(scores))])


def hidden_parts(
    there: NDArray[np.bool_], least: NDArray[np.intp], rng: np.random.Generator
) -> Iterator[NDArray[np.bool_]]:
    """Choose tenths of the cells that share none.

    Parameters
    ----------
    there : ndarray of bool, shape (I, J)
        Where there is a value.
    least : ndarray of int, shape (J,)
        Values that each column keeps; a row keeps one.
    rng : numpy.random.Generator

    Yields
    ------
    ndarray of bool, shape (I, J)
        At most three, none of them empty.

    Examples
    --------
    >>> there, least = np.ones((5, 4), bool), np.ones(4, int)
    >>> [part.sum().item() for part in hidden_parts(there, least, np.random.default_rng(0))]
    [2, 2, 2]
    """
    cells = rng.permutation(np.argwhere(there))
    for part in np.array_split(cells, round(1 / _HIDDEN))[:_ROUNDS]:
        hidden = np.zeros(there.shape, bool)
        row, column = there.sum(axis=1), there.sum(axis=0)
        for i, j in part:
            if row[i] > 1 and column[j] > least[j]:
                hidden[i, j] = True
                row[i] -= 1
                column[j] -= 1
        if hidden.any():
            yield hidden


def little_known(there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which rows have less than half of the median number of values.

    Examples
    --------
    >>> little_known(np.arange(8) < np.array([[1], [7], [8], [6]])).tolist()
    [True, False, False, False]
    """
    n = there.sum(axis=1)
    return np.asarray(n < _LITTLE * np.median(n))


def hidden_rows(
    there: NDArray[np.bool_],
    least: NDArray[np.intp],
    date: Array,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Choose cells of well known rows so that these are left with as few as the little known have.

    The latest rows, at random where dates do not tell; at most a quarter of them.

    Parameters
    ----------
    there : ndarray of bool, shape (I, J)
    least : ndarray of int, shape (J,)
        Values that each column keeps.
    date : ndarray of float, shape (I,)
        NaN where unknown.
    rng : numpy.random.Generator

    Examples
    --------
    >>> there = np.arange(8) < np.array([[1], [7], [8], [6], [8]])
    >>> date = np.array([5.0, 2, 4, 3, 1])
    >>> hidden = hidden_rows(there, np.ones(8, int), date, np.random.default_rng(0))
    >>> (there & ~hidden).sum(axis=1).tolist()
    [1, 7, 1, 6, 8]
    """
    hidden = np.zeros(there.shape, bool)
    little = little_known(there)
    n = there.sum(axis=1)
    order = _latest_first(date, rng)
    well = order[(n >= np.median(n))[order] & ~little[order]]
    chosen = well[: min(int(little.sum()), math.ceil(_REHEARSED * len(well)))]
    numbers = rng.permutation(n[little])
    column = there.sum(axis=0)
    for i, kept in zip(chosen, np.maximum(numbers, 1), strict=False):
        for j in rng.permutation(np.flatnonzero(there[i]))[kept:]:
            if column[j] > least[j]:
                hidden[i, j] = True
                column[j] -= 1
    return hidden


def latest_rows(date: Array, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose the latest quarter of the rows, at random where dates do not tell.

    Parameters
    ----------
    date : ndarray of float, shape (I,)
        NaN where unknown.
    rng : numpy.random.Generator

    Examples
    --------
    >>> latest_rows(np.array([5.0, 2, 4, 3, 1, np.nan]), np.random.default_rng(0)).tolist()
    [True, False, True, False, False, False]
    """
    chosen = np.zeros(len(date), bool)
    chosen[_latest_first(date, rng)[: math.ceil(_REHEARSED * len(date))]] = True
    return chosen


def _latest_first(date: Array, rng: np.random.Generator) -> NDArray[np.intp]:
    order = rng.permutation(len(date))
    return order[np.argsort(-np.nan_to_num(date[order], nan=-np.inf), kind="stable")]
