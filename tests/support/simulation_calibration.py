"""Simulation-based calibration: parameters drawn from the prior must rank uniformly among draws.

Of many data sets, each simulated from parameters that were drawn from the prior, the posterior is
sampled; the rank of what was drawn among the posterior's draws is uniform if prior, likelihood and
sampler are what they are said to be (Talts et al. 2018, arXiv:1804.06788). Uniformity is judged by
the whole empirical distribution of the ranks, with simultaneous bands (Säilynoja et al. 2022,
doi:10.1007/s11222-022-10090-6), and by all quantities together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import binom

POINTS = 20
"""Where the empirical distribution of ranks is compared with the uniform one."""

_SIMULATIONS = 20_000

Quantities = Mapping[str, Any]


def ranks(
    simulate: Callable[[np.random.Generator], tuple[Quantities, Any]],
    sample: Callable[[Any], Quantities],
    times: int,
    seed: int,
) -> tuple[dict[str, np.ndarray], int]:
    """Rank what was drawn among the draws.

    Parameters
    ----------
    simulate : callable
        Gives quantities drawn from the prior, by name, and data.
    sample : callable
        Gives draws of the same quantities from the posterior of such data, equally many of each.
    times : int
        Data sets.
    seed : int
        Of the simulation.

    Returns
    -------
    dict
        Ranks by name: how many draws are below; ties are broken by chance.
    int
        The number of draws.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {}
    size = 0
    for _ in range(times):
        truth, data = simulate(rng)
        for name, draws in sample(data).items():
            draws = np.ravel(draws)
            size = len(draws)
            ties = int((draws == truth[name]).sum())
            rank = int((draws < truth[name]).sum()) + rng.integers(ties + 1)
            found.setdefault(name, []).append(rank)
    return {name: np.array(values) for name, values in found.items()}, size


def p_value(found: np.ndarray, size: int) -> float:
    """Give the probability of ranks as far from uniform, were they uniform on 0 … size.

    What is compared is the least tail probability of the counts below each of 20 points.
    """
    # a rank becomes a place in its share of (0, 1)
    places = (found + np.random.default_rng(0).random(len(found))) / (size + 1)
    counts = np.histogram(places, bins=POINTS, range=(0.0, 1.0))[0]
    mine = _least_tail(counts.cumsum()[None, :-1], len(found))[0]
    return float((1 + (_null(len(found)) <= mine).sum()) / (1 + _SIMULATIONS))


def departures(found: Mapping[str, np.ndarray], size: int, alarm: float = 0.01) -> dict[str, float]:
    """Give the quantities whose ranks are not uniform, and their p-values.

    The chance to find any, where there is none, is at most `alarm` (Bonferroni).
    """
    values = {name: p_value(each, size) for name, each in found.items()}
    return {name: p for name, p in values.items() if p < alarm / len(values)}


@cache
def _null(times: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    counts = rng.multinomial(times, np.full(POINTS, 1.0 / POINTS), size=_SIMULATIONS)
    return _least_tail(counts.cumsum(axis=1)[:, :-1], times)


def _least_tail(below: np.ndarray, times: int) -> np.ndarray:
    """Give the least of the tail probabilities of counts below each point."""
    at = np.arange(1, POINTS) / POINTS
    lower, upper = binom.cdf(below, times, at), binom.sf(below - 1, times, at)
    return np.minimum(lower, upper).min(axis=1)
