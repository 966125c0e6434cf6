"""P-values of many predictors against one reference, adjusted for their number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from harness.rank_sets import RankSets

__all__ = ["against_reference", "holm"]


def against_reference(sets: RankSets, reference: int) -> NDArray[np.float64]:
    """P-values of every predictor's paired difference from the reference, each on its own.

    Two-sided, t with the smaller number of clusters − 1 degrees of freedom: below 1 − level just
    where the interval of `harness.averages.paired_difference` excludes 0.

    Parameters
    ----------
    sets : RankSets
        Comparisons of P predictors, as `harness.rank_sets.simultaneous_rank_sets` makes them.
    reference : int
        Position of the reference among them.

    Returns
    -------
    array of float, shape (P,)
        NaN for the reference itself, and for all without intervals. A predictor with the
        reference's mean loss has 1; one with a difference that never varies has 0.

    Examples
    --------
    >>> import numpy as np
    >>> from harness.rank_sets import simultaneous_rank_sets
    >>> rows, columns = np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)
    >>> noise = np.random.default_rng(1).normal(size=(3, 48))
    >>> sets = simultaneous_rank_sets(noise + [[1.0], [1.1], [4.0]], rows, columns)
    >>> against_reference(sets, 0).round(3).tolist()
    [nan, 0.727, 0.0]
    """
    difference, se = np.abs(sets.difference[reference]), sets.se[reference]
    t = np.full(len(se), np.inf)
    np.divide(difference, se, out=t, where=~(se == 0.0))  # a NaN divides, and stays
    t[difference == 0.0] = 0.0
    p = np.where(np.isnan(se), np.nan, 2.0 * stdtr(max(sets.df, 1), -t))
    p[reference] = np.nan
    return np.asarray(p, dtype=np.float64)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values by Holm's step-down method.

    Calling significant what is below 5 % after it is wrong of any of them with a probability of at
    most 5 %, however they depend on each other.

    Parameters
    ----------
    p_values : array of float, shape (P,)
        In [0, 1]; NaN where nothing was tested: left out of the number of tests.

    Returns
    -------
    array of float, shape (P,)
        The i-th smallest of m is multiplied by m − i + 1, at most 1, and never below the adjusted
        value of a smaller one. NaN stays.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6(2), 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, float("nan")]).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")  # NaN last
    order = order[: int(np.count_nonzero(~np.isnan(p)))]
    adjusted = np.full(p.shape, np.nan)
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted
