"""How far the values of a column spread, where a column has few of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from hibayes.hierarchical.cells import Array, Grid

__all__ = ["column_scale", "moderated_variances"]

_LEAST = 0.01  # of a variance: of columns whose values are all alike
_LARGEST = 100.0  # degrees of freedom: with as many, nearly all columns share one variance


def moderated_variances(squares: Array, df: NDArray[np.intp]) -> Array:
    r"""Draw variances that are known from few values to what is usual among them.

    Variances are taken to be scaled inverse chi-squared with d degrees of freedom around
    :math:`s_0^2`; then each column's is, in expectation of its inverse,

    .. math:: \tilde s_j^2 = \frac{d s_0^2 + SS_j}{d + d_j}.

    d and :math:`s_0^2` are those for which the logarithms of :math:`SS_j / d_j` have the mean and
    the variance that they have: where they differ no more than they would with one variance
    for all, d is 100.

    Parameters
    ----------
    squares : ndarray of float, shape (S,)
        SS, sums of squares about the columns' means.
    df : ndarray of int, shape (S,)
        Their degrees of freedom, one less than the values; a column with 0 or less has the usual
        variance.

    Returns
    -------
    ndarray of float, shape (S,)
        Above 0; 1 where no column has two values.

    References
    ----------
    Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
    microarray experiments", Statistical Applications in Genetics and Molecular Biology 3 (2004),
    doi:10.2202/1544-6115.1027.

    Examples
    --------
    Columns that differ as those of one variance would have all the same; others keep their own.

    >>> moderated_variances(np.array([4.0, 6.0, 5.0]), np.array([5, 5, 5])).round(2).tolist()
    [1.2, 1.22, 1.21]
    >>> moderated_variances(np.array([1.0, 9.0]), np.array([50, 50])).round(2).tolist()
    [0.02, 0.17]
    """
    df = np.maximum(df, 0)
    known = df > 0
    if not known.any():
        return np.ones(len(squares))
    half = 0.5 * df[known]
    logs = np.log(squares[known] / df[known] + _LEAST) - digamma(half) + np.log(half)
    apart = float(np.var(logs, ddof=1)) if len(logs) > 1 else 0.0
    excess = apart - float(np.mean(polygamma(1, half)))
    shared = _LARGEST
    if excess > float(polygamma(1, 0.5 * _LARGEST)):
        shared = 2.0 * _inverse_trigamma(excess)
    usual = float(np.exp(np.mean(logs) + digamma(0.5 * shared) - np.log(0.5 * shared)))
    return np.asarray((shared * usual + squares) / (shared + df))


def column_scale(grid: Grid) -> tuple[Array, Array]:
    """Give each column's mean of t, and the spread that `moderated_variances` gives it.

    Parameters
    ----------
    grid : Grid

    Returns
    -------
    mean, spread : ndarray of float, shape (S,)
    """
    seen = grid.mask
    count = seen.sum(axis=0)
    mean = grid.t.sum(axis=0) / np.maximum(count, 1)
    squares = np.where(seen, (grid.t - mean) ** 2, 0.0).sum(axis=0)
    return mean, np.sqrt(moderated_variances(squares, count - 1))


def _inverse_trigamma(y: float) -> float:
    """Solve trigamma(x) = y."""
    return float(np.exp(brentq(lambda log_x: float(polygamma(1, np.exp(log_x))) - y, -20.0, 20.0)))
