"""What a comparison of two models found, and how draws become estimates.

Differences are in favour of the first model; all intervals are of one level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = [
    "LEVEL",
    "Comparison",
    "Estimate",
    "Pair",
    "Paired",
    "estimate_of",
    "half_of",
    "share_above",
]

LEVEL = 0.9
"""Of all intervals."""


@dataclass(frozen=True)
class Estimate:
    """A number with an interval; `low` and `high` are None where there is none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Paired:
    """The difference over the instances that both models answered, in points.

    Attributes
    ----------
    instances : int
        How many; trials of an instance are averaged first, so that it counts once.
    mean, se : float
        Mean difference in favour of the first, and its standard error over instances.
    se_unpaired : float
        What the standard error would be if the questions were not the same.
    """

    instances: int
    mean: float
    se: float
    se_unpaired: float


@dataclass(frozen=True, eq=False)
class Pair:
    """Two models on one scenario. Differences are in favour of the first.

    Attributes
    ----------
    scenario, metric : str
    part : str or None
    unit : str
        ``points`` of a bounded metric, else ``metric``: its own units.
    ranked : bool
        Whether it counts over scenarios: the direction is known, the metric bounded.
    values : tuple of (float or None, float or None)
        The two models' values, metric units; None where the run was not made.
    predicted : tuple of (float or None, float or None)
        Means of what was predicted instead.
    observed : tuple of (int, int)
        Numbers of responses of runs that were only begun.
    paired : Paired or None
        Where both were made, with responses.
    difference : Estimate
        Of the realised values, on these questions.
    questions : Estimate or None
        The same for questions like these; None where nothing is known of their spread.
    better : float or None
        Probability that the first is better on these questions, a tie counting a half; None where
        the direction is unknown.
    """

    scenario: str
    metric: str
    part: str | None
    unit: str
    ranked: bool
    values: tuple[float | None, float | None]
    predicted: tuple[float | None, float | None]
    observed: tuple[int, int]
    paired: Paired | None
    difference: Estimate
    questions: Estimate | None
    better: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two models over scenarios. Differences are in favour of the first, in points.

    Attributes
    ----------
    models : tuple of (str, str)
    pairs : list of Pair
    scenarios : int
        How many count below: all that are `Pair.ranked`.
    difference : Estimate or None
        Mean over scenarios of the realised differences, on these questions.
    questions : Estimate or None
        For questions like these, of these scenarios.
    across : Estimate or None
        For scenarios like these.
    clusters : int
        Scenario groups, or scenarios, that `across` takes for independent.
    flag : str
        ``few clusters`` or ``no interval``, of `across`; else empty.
    better : float or None
        Probability that the first has the greater mean.
    wins : Estimate or None
        Share of scenarios on which the first is better.
    win_rates : list of Estimate
        Mean win rate of either: the share of the other models of the source that it beats on a
        scenario, a tie counting a half, averaged over scenarios.
    rivals : int
        Number of other models.
    predictor : str or None
        Who predicted the runs that were not made; None where all were.
    joint : bool
        Whether its draws belong together; else they are independent.
    filled : int
        How many runs were predicted.
    notes : list of str
    """

    models: tuple[str, str]
    pairs: list[Pair]
    scenarios: int
    difference: Estimate | None
    questions: Estimate | None
    across: Estimate | None
    clusters: int
    flag: str
    better: float | None
    wins: Estimate | None
    win_rates: list[Estimate]
    rivals: int
    predictor: str | None
    joint: bool
    filled: int
    notes: list[str]


def estimate_of(draws: Array) -> Estimate:
    """Give the mean of draws and their central interval."""
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Estimate(float(draws.mean()), float(low), float(high))


def share_above(draws: Array) -> float:
    """Give the share of draws above zero, those at zero counting a half.

    Examples
    --------
    >>> share_above(np.array([-1.0, 0.0, 2.0, 3.0]))
    0.625
    """
    return float(np.mean(np.sign(draws) / 2.0 + 0.5))


def half_of(variance: float) -> float:
    """Give half the width of a normal interval of this variance."""
    return float(ndtri(0.5 + LEVEL / 2)) * float(np.sqrt(variance))
