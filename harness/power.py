"""What difference between two predictors a task can show: variance components and power.

Owns the components of a paired difference (rows, columns, residual) and the least mean difference
that the clustered test would find most of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import nctdtrinc, stdtrit

from harness.averages import MIN_CLUSTERS, Labels, cluster_codes, clustered_average

__all__ = ["Components", "Detectable", "minimum_detectable_difference", "variance_components"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """Where the spread of values over crossed clusters comes from.

    Attributes
    ----------
    row, column, residual : float
        Variances of row effects, of column effects and of what is left in a pair of clusters, in
        the squared unit of the values; never negative. NaN where they cannot be told apart (no row,
        or no column, has two pairs).
    of_mean : float
        Variance of the mean over the cells at hand that follows from them. Where they cannot be
        told apart, it is that of `harness.averages.clustered_average`.
    rows, columns : int
        Numbers of clusters with a value.
    """

    row: float
    column: float
    residual: float
    of_mean: float
    rows: int
    columns: int


@dataclass(frozen=True, eq=False)
class Detectable:
    """The least mean differences from the reference that a task can be expected to show.

    Attributes
    ----------
    by_predictor : array of float, shape (P,)
        In the unit of the losses. NaN for the reference, and below 3 clusters.
    median : float
        Their median over the predictors that differ from the reference at all: the task's.
    level, power : float
        Level of the interval, and the probability that it then excludes 0.
    """

    by_predictor: Floats
    median: float
    level: float
    power: float


def variance_components(values: ArrayLike, rows: Labels, columns: Labels) -> Components:
    r"""Estimate the components of :math:`d_{ij} = m + a_i + b_j + e_{ij}` by moments.

    The three sums of squares within rows, within columns and around the mean are set equal to what
    is expected of them:

    .. math::

        \sum_{ij} (d_{ij} - \bar d_{i\cdot})^2 &= (N - I)(\sigma_b^2 + \sigma_e^2), \\
        \sum_{ij} (d_{ij} - \bar d_{\cdot j})^2 &= (N - J)(\sigma_a^2 + \sigma_e^2), \\
        N \sum_{ij} (d_{ij} - \bar d)^2 &= (N^2 - \textstyle\sum_i n_i^2) \sigma_a^2
            + (N^2 - \textstyle\sum_j n_j^2) \sigma_b^2 + (N^2 - N) \sigma_e^2,

    with N pairs of clusters that hold a value, :math:`n_i` of them in row i. Negative solutions are
    set to 0. On a grid without gaps this is the analysis of variance.

    Parameters
    ----------
    values : array of float, shape (T,)
        One value per cell; NaN is a missing cell. Values that share a pair of clusters are
        averaged, and the mean weighs their pair by their number.
    rows, columns : sequence of labels, shape (T,)
        Clusters of each cell, as in `harness.averages.clustered_average`.

    Returns
    -------
    Components
        All NaN below 3 clusters in either direction, or with a value that is not finite.

    Raises
    ------
    ValueError
        If labels are missing or of another number than the values.

    References
    ----------
    Gao & Owen (2017), Efficient moment calculations for variance components in large unbalanced
    crossed random effects models, Electronic Journal of Statistics 11(1), doi:10.1214/17-EJS1236.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> grid = rng.normal(0, 2, (60, 1)) + rng.normal(0, 1, (1, 80)) + rng.normal(0, 3, (60, 80))
    >>> rows, columns = np.indices(grid.shape)
    >>> found = variance_components(grid.ravel(), rows.ravel(), columns.ravel())
    >>> round(found.row ** .5, 1), round(found.column ** .5, 1), round(found.residual ** .5, 1)
    (1.8, 1.0, 3.0)
    """
    x = np.asarray(values, dtype=np.float64)
    r, c = cluster_codes(rows, "rows", len(x)), cluster_codes(columns, "columns", len(x))
    there = ~np.isnan(x)
    x, r, c = x[there], r[there], c[there]
    n_rows, n_columns = len(np.unique(r)), len(np.unique(c))
    nan = float("nan")
    if min(n_rows, n_columns) < MIN_CLUSTERS or not np.isfinite(x).all():
        return Components(nan, nan, nan, nan, n_rows, n_columns)
    _, first, pair, weight = np.unique(
        r * (int(c.max()) + 1) + c, return_index=True, return_inverse=True, return_counts=True
    )
    d, i, j = np.bincount(pair, weights=x) / weight, r[first], c[first]
    n = len(d)
    in_row, in_column = np.bincount(i), np.bincount(j)
    expected = np.array(
        [
            [0.0, n - n_rows, n - n_rows],
            [n - n_columns, 0.0, n - n_columns],
            [n - _squares(in_row) / n, n - _squares(in_column) / n, n - 1.0],
        ]
    )
    if abs(np.linalg.det(expected / n)) < 1e-9:
        se = clustered_average(x, r, c).se
        return Components(nan, nan, nan, se**2, n_rows, n_columns)
    found = [_within(d, i), _within(d, j), float(((d - d.mean()) ** 2).sum())]
    row, column, residual = np.maximum(np.linalg.solve(expected, found), 0.0)
    of_mean = (
        row * _squares(np.bincount(r))
        + column * _squares(np.bincount(c))
        + residual * _squares(weight)
    ) / len(x) ** 2
    return Components(float(row), float(column), float(residual), float(of_mean), n_rows, n_columns)


def minimum_detectable_difference(
    losses: ArrayLike,
    reference: int,
    rows: Labels,
    columns: Labels,
    level: float = 0.95,
    power: float = 0.8,
) -> Detectable:
    r"""Find, by predictor, the least mean difference from the reference that a test would show.

    It is :math:`\lambda \sqrt{V}`: V is the variance of the mean paired difference that follows
    from its components (`variance_components`), and :math:`\lambda` is the noncentrality at which
    a t variable with :math:`\min(I, J) - 1` degrees of freedom is above the (1 + `level`) / 2
    quantile of the central one with the probability `power`. With many clusters
    :math:`\lambda` is 1.96 + .84 = 2.80.

    Parameters
    ----------
    losses : array of float, shape (P, T)
        Losses of P predictors in T cells; a predictor is paired with the reference on the cells
        that both have.
    reference : int
        Position of the reference.
    rows, columns : sequence of labels, shape (T,)
        Clusters of each cell, as in `harness.averages.clustered_average`.
    level, power : float in (0, 1)
        Level of the interval, and the probability that it excludes 0 on the right side.

    Returns
    -------
    Detectable
        By predictor, and the median.

    Raises
    ------
    ValueError
        As `variance_components`, or if the level or the power is not between 0 and 1, or if
        `losses` has not two dimensions.

    References
    ----------
    Bloom (1995), Minimum detectable effects, Evaluation Review 19(5), 547-556,
    doi:10.1177/0193841X9501900504; with the noncentral t in the place of his sum of two quantiles.

    Examples
    --------
    >>> import numpy as np
    >>> rows, columns = np.repeat(np.arange(12), 9), np.tile(np.arange(9), 12)
    >>> losses = np.random.default_rng(1).normal(size=(2, 108))
    >>> found = minimum_detectable_difference(losses, 0, rows, columns)
    >>> found.by_predictor.round(2).tolist(), round(found.median, 2)
    ([nan, 0.41], 0.41)
    """
    for name, share in (("level", level), ("power", power)):
        if not 0.0 < share < 1.0:
            raise ValueError(f"the {name} is between 0 and 1, not {share}")
    x = np.asarray(losses, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"losses are of predictors × cells: two dimensions, not {x.ndim}")
    found = np.full(len(x), np.nan)
    for p in range(len(x)):
        if p == reference:
            continue
        with np.errstate(invalid="ignore"):
            parts = variance_components(x[p] - x[reference], rows, columns)
        if np.isfinite(parts.of_mean):
            df = min(parts.rows, parts.columns) - 1
            found[p] = _noncentrality(df, level, power) * np.sqrt(parts.of_mean)
    apart = found[found > 0.0]
    median = float(np.median(apart)) if len(apart) else float("nan")
    return Detectable(by_predictor=found, median=median, level=level, power=power)


def _noncentrality(df: int, level: float, power: float) -> float:
    """How many standard errors the truth must be from 0 to be found so often."""
    return float(nctdtrinc(df, 1.0 - power, stdtrit(df, 0.5 + level / 2.0)))


def _within(values: Floats, codes: NDArray[np.int64]) -> float:
    """Sum of squares around the mean of each group."""
    n = np.bincount(codes)
    means = np.bincount(codes, weights=values) / np.maximum(n, 1)
    return float(((values - means[codes]) ** 2).sum())


def _squares(counts: NDArray[np.int64]) -> float:
    """Sum of squared numbers."""
    return float(counts.astype(np.float64) @ counts)
