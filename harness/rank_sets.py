"""Rank sets of predictors that hold together: all pairs compared at once, two-way clustered.

Owns the comparison of every pair of predictors by its floored clustered variance, the critical
value of the greatest of these comparisons, and the ranks that are left open by them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from harness.averages import FEW_CLUSTERS, MIN_CLUSTERS, Labels, cluster_codes

__all__ = ["RankSets", "simultaneous_rank_sets"]

DRAWS = 20_000
"""Draws of the greatest comparison: the level that is met is off by .15 percentage points (sd)."""

NEGLIGIBLE = 1e-9
"""Mean losses closer than this share of the losses are the same: sums differ in the last digits."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RankSets:
    """The ranks that the comparisons of all pairs of P predictors leave open.

    Attributes
    ----------
    low, high : array of int, shape (P,)
        The simultaneous sets: from 1 + the number of predictors that are surely better, to P − the
        number that are surely worse. With probability `level` the true ranks of *all* predictors
        lie in them together.
    marginal_low, marginal_high : array of int, shape (P,)
        The same with every comparison at its own `level`: narrower, and among many predictors some
        of these comparisons will be chance.
    difference : array of float, shape (P, P)
        Mean loss of the row's predictor − that of the column's, in the unit of the losses.
    se : array of float, shape (P, P)
        Its standard error, that of `harness.averages.paired_difference`; NaN without intervals.
    critical, marginal_critical : float
        Two predictors differ surely where |difference| > critical × se: for all pairs together, and
        for each alone. NaN without intervals.
    df : int
        The smaller number of clusters − 1.
    n : int
        Cells compared on: those for which every predictor has a loss.
    rows, columns : int
        Clusters with such a cell.
    level : float
        Level of both kinds of sets.
    flag : str
        As `harness.averages.Average.flag`; at ``"no interval"`` all ranks are open.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    marginal_low: NDArray[np.int64]
    marginal_high: NDArray[np.int64]
    difference: Floats
    se: Floats
    critical: float
    marginal_critical: float
    df: int
    n: int
    rows: int
    columns: int
    level: float
    flag: str

    @property
    def best(self) -> list[int]:
        """Positions of the predictors that cannot be told from the best: nobody is surely better.

        With probability `level` the truly best predictor is among them.
        """
        return [int(p) for p in np.flatnonzero(self.low == 1)]


def simultaneous_rank_sets(
    losses: ArrayLike,
    rows: Labels,
    columns: Labels,
    level: float = 0.95,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> RankSets:
    r"""Rank sets in which the true ranks of all predictors lie together with probability `level`.

    For each pair the mean difference :math:`d_{pq}` of the losses has the standard error
    :math:`s_{pq}` of `harness.averages.paired_difference`. The critical value c is the `level`
    quantile of

    .. math:: \max_{p < q} |Z_p - Z_q| / \sigma_{pq}, \qquad Z \sim t_{\min(I, J) - 1}(0, V),

    and q is surely better than p where :math:`d_{pq} > c\, s_{pq}`.

    Parameters
    ----------
    losses : array of float, shape (P, T)
        Losses of P predictors in T cells, less is better. NaN is a missing cell: all are compared
        on the cells that every predictor has.
    rows, columns : sequence of labels, shape (T,)
        The row cluster (model, organisation) and the column cluster (scenario, scenario group) of
        each cell, as in `harness.averages.clustered_average`.
    level : float in (0, 1)
        Level of the sets.
    seed : int
        Of the draws. The result is the same in whatever order predictors and cells come.
    draws : int
        Draws from the joint distribution; with two predictors none are needed.

    Returns
    -------
    RankSets
        Below 3 clusters in either direction, or with a loss that is not finite, all ranks are open
        (``flag`` is ``"no interval"``); at 3 or 4 it is flagged.

    Raises
    ------
    ValueError
        If `losses` has not two dimensions, the labels are of another length or missing, or the
        level is not in (0, 1).

    Notes
    -----
    V is the two-way clustered covariance of the mean losses, :math:`V_I + V_J - V_0` as matrices.
    What is floored is the variance :math:`D_{pq}` of each difference,
    :math:`\max(V_I + V_J - V_0, V_I, V_J)`. Only differences count, so V is what these variances
    say of the means around their centre, :math:`-\tfrac12 H D H` with
    :math:`H = 1 - \mathbf{1}\mathbf{1}'/P`, which without a floor is :math:`H (V_I + V_J - V_0) H`;
    negative eigenvalues are set to 0. :math:`\sigma_{pq}^2` is the variance of
    :math:`Z_p - Z_q`, so each comparison alone has the t distribution exactly. c is kept between
    the value for one pair and Bonferroni's for all.

    References
    ----------
    Mogstad, Romano, Shaikh & Wilhelm (2024), Inference for ranks with applications to mobility
    across neighbourhoods and academic achievement across countries, Review of Economic Studies
    91(1), doi:10.1093/restud/rdad006; Cameron, Gelbach & Miller (2011),
    doi:10.1198/jbes.2010.07136.

    Examples
    --------
    >>> import numpy as np
    >>> rows, columns = np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)
    >>> noise = np.random.default_rng(1).normal(size=(3, 48))
    >>> sets = simultaneous_rank_sets(noise + [[1.0], [1.1], [4.0]], rows, columns)
    >>> sets.low.tolist(), sets.high.tolist(), sets.best
    ([1, 1, 3], [2, 2, 3], [0, 1])
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"the level of rank sets is between 0 and 1, not {level}")
    x = np.asarray(losses, dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(f"losses are of predictors × cells: two dimensions, not {x.ndim}")
    r, c = cluster_codes(rows, "rows", x.shape[1]), cluster_codes(columns, "columns", x.shape[1])
    there = ~np.isnan(x).any(axis=0)
    x, r, c = x[:, there], r[there], c[there]
    n_rows, n_columns = len(np.unique(r)), len(np.unique(c))
    smallest, n = min(n_rows, n_columns), x.shape[1]
    size = len(x)
    critical = marginal = float("nan")
    se = np.full((size, size), np.nan)
    difference = _differences(x)
    comparable = size > 0 and smallest >= MIN_CLUSTERS and bool(np.isfinite(x).all())
    if comparable:
        variance = _pair_variances(x, r, c)
        se = np.sqrt(variance)
        marginal = float(stdtrit(smallest - 1, 0.5 + level / 2.0))
        order = _canonical_order(x, variance)
        critical = _max_t(variance[np.ix_(order, order)], smallest - 1, level, seed, draws)
    low, high = _ranks(difference, critical * se)
    marginal_low, marginal_high = _ranks(difference, marginal * se)
    flag = "few clusters" if smallest < FEW_CLUSTERS else ""
    return RankSets(
        low=low,
        high=high,
        marginal_low=marginal_low,
        marginal_high=marginal_high,
        difference=difference,
        se=se,
        critical=critical,
        marginal_critical=marginal,
        df=max(smallest - 1, 0),
        n=n,
        rows=n_rows,
        columns=n_columns,
        level=level,
        flag=flag if comparable else "no interval",
    )


def _differences(losses: Floats) -> Floats:
    """Mean losses, row − column, [P, P]; what is only rounding is 0."""
    if losses.shape[1] == 0:
        return np.full((len(losses), len(losses)), np.nan)
    with np.errstate(invalid="ignore"):
        means, scale = losses.mean(axis=1), np.abs(losses).mean(axis=1)
        difference = means[:, None] - means
        rounding = NEGLIGIBLE * np.maximum(scale[:, None], scale)
        same = (np.abs(difference) <= rounding) & np.isfinite(rounding)
        return np.where(same, 0.0, difference)


def _pair_variances(losses: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
    """Floored two-way clustered variance of each mean difference, [P, P]."""
    residuals = losses - losses.mean(axis=1, keepdims=True)
    pairs = rows * (int(columns.max()) + 1) + columns
    by_row, by_column, by_pair = (_one_way(residuals, codes) for codes in (rows, columns, pairs))
    return np.maximum(by_row + by_column - by_pair, np.maximum(by_row, by_column))


def _one_way(residuals: Floats, codes: NDArray[np.int64]) -> Floats:
    """Variance of each mean difference under clustering by `codes`, [P, P]."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sums = np.add.reduceat(residuals[:, order], starts, axis=1)  # [P, G]
    size, groups = sums.shape
    result = np.zeros((size, size))
    for p in range(size - 1):
        # The sums are subtracted before they are squared: with one predictor whose losses are huge
        # the difference of the squares would lose all digits of the others.
        apart = sums[p + 1 :] - sums[p]
        result[p, p + 1 :] = np.einsum("qg,qg->q", apart, apart)
    return (result + result.T) * (groups / (groups - 1) / residuals.shape[1] ** 2)


def _canonical_order(losses: Floats, variance: Floats) -> NDArray[np.intp]:
    """Order the predictors in a way that does not depend on how they came."""
    means = losses.mean(axis=1)
    digits = [np.round(key / (np.abs(key).max() or 1.0), 9) for key in (variance.sum(0), means)]
    return np.lexsort(digits)


def _max_t(variance: Floats, df: int, level: float, seed: int, draws: int) -> float:
    """Return the quantile of the greatest |t| over all pairs, given the differences' variances."""
    size = len(variance)
    apart = variance[np.triu_indices(size, 1)] > 0.0  # a pair without variance needs no quantile
    alone = float(stdtrit(df, 0.5 + level / 2.0))
    n_pairs = int(apart.sum())
    if n_pairs < 2:
        return alone
    middle = np.eye(size) - 1.0 / size
    values, vectors = np.linalg.eigh(-0.5 * middle @ variance @ middle)
    # The symmetric root: the signs of eigenvectors are arbitrary, and it does not depend on them.
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    rng = np.random.default_rng(seed)
    z = root @ rng.standard_normal((size, draws))
    greatest = np.zeros(draws)
    for p in range(size - 1):
        used = p + 1 + np.flatnonzero(variance[p, p + 1 :] > 0.0)
        sd = np.linalg.norm(root[used] - root[p], axis=1)
        used, sd = used[sd > 0.0], sd[sd > 0.0]
        if len(used):
            t = np.abs(z[used] - z[p])
            t /= sd[:, None]
            np.maximum(greatest, t.max(axis=0), out=greatest)
    greatest /= np.sqrt(rng.chisquare(df, draws) / df)
    bonferroni = float(stdtrit(df, 1.0 - (1.0 - level) / (2.0 * n_pairs)))
    return float(np.clip(np.quantile(greatest, level), alone, bonferroni))


def _ranks(difference: Floats, least: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest rank, where differences beyond `least` are sure (NaN: none is)."""
    low = 1 + (difference > least).sum(axis=1)
    high = len(difference) - (difference < -least).sum(axis=1)
    return low.astype(np.int64), high.astype(np.int64)
