"""`Recalibration`: from where known values fell in their predictions to better predictions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from predictors.common.counts import Array

__all__ = ["LEAST_BLOCKS", "Recalibration", "mid_pit", "pit", "widened"]

LEAST_BLOCKS = 19
"""Below it no distribution-free 90 % interval exists: 1/(19 + 1) is the 5 % at either end."""


@dataclass(frozen=True, eq=False)
class Recalibration:
    r"""A map of probabilities that makes a predictor's PIT values uniform.

    With PIT values :math:`u_i` in B exchangeable blocks, each block of weight 1/(B + 1) shared
    evenly by its values, and the same weight for the block that is to come,

    .. math:: G(u_i) = \sum_{j: u_j < u_i} w_j + \frac{w_i}{2} + \frac{1}{2 (B + 1)}, \qquad
              G(0) = 0, \quad G(1) = 1

    and straight lines between knots: the first value that reaches :math:`1, 2, 4, 8, \dots` times
    1/(B + 1), from either end. With values that are blocks of their own, G of the i-th of n is
    i/(n + 1), and a value that is exchangeable with them falls below it with just that
    probability.

    Attributes
    ----------
    u, level : ndarray of float
        The knots and G there, both increasing from 0 to 1.
    blocks : int
        B; 0 for the map that changes nothing.

    References
    ----------
    Chernozhukov, Wuthrich, Zhu, "Distributional conformal prediction", PNAS 118 (2021),
    doi:10.1073/pnas.2107794118. Mid-ranks, 1/(n + 1): Vovk, Shen, Manokhin, Xie, "Nonparametric
    predictive distributions based on conformal prediction", Machine Learning 108 (2019),
    doi:10.1007/s10994-018-5755-8. Blocks: Lee, Barber, Willett, "Distribution-free inference with
    hierarchical data" (2023), arXiv:2306.06342.

    Examples
    --------
    >>> u = np.arange(1, 40) / 40
    >>> g = Recalibration.of(u, list(range(39)))
    >>> bool(np.allclose(g(u), u)), g.u.round(3).tolist()
    (True, [0.0, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.975, 1.0])
    >>> Recalibration.of(u[:5], list(range(5))).blocks
    0
    """

    u: Array
    level: Array
    blocks: int

    @classmethod
    def of(cls, pits: ArrayLike, block: Sequence[object]) -> Recalibration:
        """Learn the map; with fewer than `LEAST_BLOCKS` blocks it changes nothing.

        Parameters
        ----------
        pits : array of float in [0, 1], shape (n,)
            Randomised PIT values of known values.
        block : sequence, length n
            What each belongs to; values of one block are not exchangeable with each other.
        """
        values, size = np.asarray(pits, float), Counter(block)
        if len(size) < LEAST_BLOCKS:
            return cls(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0)
        unit = 1.0 / (len(size) + 1)
        weight = np.array([unit / size[b] for b in block])
        order = np.argsort(values, kind="stable")
        values, weight = values[order], weight[order]
        level = np.cumsum(weight) - weight / 2.0 + unit / 2.0
        knots: set[int] = set()
        least = unit
        while least < 0.5:
            slack = least * (1.0 - 1e-9)
            knots.add(int(np.searchsorted(level, slack)))
            knots.add(len(level) - 1 - int(np.searchsorted(1.0 - level[::-1], slack)))
            least *= 2.0
        at = np.array(sorted(k for k in knots if 0 <= k < len(level)), np.intp)
        u = np.concatenate(([0.0], values[at], [1.0]))
        return cls(u, np.concatenate(([0.0], level[at], [1.0])), len(size))

    def __call__(self, u: ArrayLike) -> Array:
        """Give G, for an array of probabilities."""
        return np.interp(np.asarray(u, float), self.u, self.level)


def pit(pmf: Array, count: int, v: float) -> float:
    """Give the randomised PIT value of a count, v in (0, 1) the randomness.

    Examples
    --------
    >>> pit(np.array([0.2, 0.5, 0.3]), 1, 0.5)
    0.45
    """
    below = math.fsum(pmf[:count])
    return min(below + v * float(pmf[count]), 1.0)


def mid_pit(pmf: Array, count: int) -> float:
    """Give the mid-PIT of a count: that of v = 1/2."""
    return pit(pmf, count, 0.5)


def widened(pmf: Array, there: ArrayLike, share: float) -> Array:
    """Mix probabilities with a share of the uniform ones over what is possible.

    Where a value fell beyond all that a predictor holds possible, its PIT is 0 or 1 whatever it
    was; the mixture keeps such values apart.

    Examples
    --------
    >>> widened(np.array([0.0, 1.0, 0.0]), [True, True, False], 0.1).round(2).tolist()
    [0.05, 0.95, 0.0]
    """
    possible = np.asarray(there, bool)
    out: Array = (1.0 - share) * pmf + share * possible / possible.sum()
    return out
