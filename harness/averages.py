"""Averages of losses over crossed clusters (models × scenarios), with intervals that say so.

Owns the two-way cluster-robust variance (Cameron, Gelbach & Miller 2011), floored at one-way
clustering, and what is built on it: a mean, a paired difference and a skill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

__all__ = [
    "FEW_CLUSTERS",
    "MIN_CLUSTERS",
    "MIN_KNOWN_GROUPS",
    "Average",
    "choose_clusters",
    "cluster_codes",
    "clustered_average",
    "paired_difference",
    "skill",
]

MIN_CLUSTERS = 3
"""Fewer rows or columns than this give no interval."""

FEW_CLUSTERS = 5
"""Fewer rows or columns than this give an interval with the flag ``few clusters``."""

MIN_KNOWN_GROUPS = 5
"""This many organisations (scenario groups) must be known before they become the clusters."""

Labels = Sequence[Any] | NDArray[Any] | pd.Series | pd.Index


@dataclass(frozen=True)
class Average:
    """A mean over cells, with an interval that allows for shared rows and columns.

    Attributes
    ----------
    mean : float
        Mean over cells, in the unit of the values. NaN without cells.
    low, high : float
        Ends of the interval; NaN when there are fewer than 3 rows or 3 columns, or when a value is
        infinite.
    se : float
        Standard error; NaN whenever there is no interval.
    n : int
        Number of cells in the mean.
    rows, columns : int
        Numbers of row and column clusters with at least one cell.
    row_kind, column_kind : str
        What the clusters are, such as ``"model"`` and ``"scenario"``; empty when not said.
    flag : str
        ``""``, ``"few clusters"`` (3 or 4 in either direction: the interval is rough) or
        ``"no interval"``.
    """

    mean: float
    low: float
    high: float
    se: float
    n: int
    rows: int
    columns: int
    row_kind: str = ""
    column_kind: str = ""
    flag: str = ""


def clustered_average(
    values: ArrayLike,
    rows: Labels,
    columns: Labels,
    level: float = 0.95,
    *,
    row_kind: str = "",
    column_kind: str = "",
) -> Average:
    r"""Mean of values that share row and column effects, with a two-way clustered interval.

    With residuals :math:`e_{ij} = d_{ij} - m` over the n cells that are there, I rows and J
    columns,

    .. math::

        V_I = \frac{I}{I-1} \sum_i \Big(\sum_j e_{ij}\Big)^2 / n^2, \quad
        V_J = \frac{J}{J-1} \sum_j \Big(\sum_i e_{ij}\Big)^2 / n^2, \quad
        V_0 = \frac{G}{G-1} \sum_{ij} e_{ij}^2 / n^2,

    .. math::

        V = \max(V_I + V_J - V_0,\; V_I,\; V_J), \qquad
        m \pm t_{\min(I, J) - 1} \sqrt{V}.

    Parameters
    ----------
    values : array of float, shape (T,)
        One value per cell. Average repetitions (seeds) of a cell before, so that it counts once.
        NaN is a missing cell: it is left out.
    rows, columns : sequence of labels, shape (T,)
        The row cluster (model, organisation) and the column cluster (scenario, scenario group) of
        each value. Any hashable labels, none of them missing.
    level : float in (0, 1)
        Level of the interval.
    row_kind, column_kind : str
        What the clusters are; only carried along.

    Returns
    -------
    Average
        Without any cell the mean is NaN and n is 0. Below 3 clusters in either direction there is
        no interval; at 3 or 4 it is flagged.

    Raises
    ------
    ValueError
        If the three arrays differ in length, a label is missing, or the level is not in (0, 1).

    Notes
    -----
    G is the number of row-column pairs that hold a value: with one value per pair it is n. Where
    clusters are coarser than cells (organisations, scenario groups), several values share a pair;
    their residuals are summed before squaring in all three terms, as in Cameron, Gelbach and
    Miller. The maximum keeps the variance from falling below that of one-way clustering: the
    difference alone can be negative.

    References
    ----------
    Cameron, Gelbach & Miller (2011), Robust inference with multiway clustering, Journal of
    Business & Economic Statistics 29(2), doi:10.1198/jbes.2010.07136.

    Examples
    --------
    >>> import numpy as np
    >>> grid = np.add.outer([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0, 4.0])
    >>> rows, columns = np.indices(grid.shape)
    >>> average = clustered_average(grid.ravel(), rows.ravel(), columns.ravel())
    >>> average.mean, average.n, average.rows, average.columns
    (4.0, 25, 5, 5)
    >>> round(average.low, 2), round(average.high, 2)
    (1.47, 6.53)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"the level of an interval is between 0 and 1, not {level}")
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"values must have one dimension, not {x.ndim}")
    r, c = cluster_codes(rows, "rows", len(x)), cluster_codes(columns, "columns", len(x))
    there = ~np.isnan(x)
    if not there.all():
        x, r, c = x[there], r[there], c[there]
    n = len(x)
    n_rows, n_columns = _distinct(r), _distinct(c)
    smallest = min(n_rows, n_columns)
    nothing = Average(
        mean=float("nan"),
        low=float("nan"),
        high=float("nan"),
        se=float("nan"),
        n=n,
        rows=n_rows,
        columns=n_columns,
        row_kind=row_kind,
        column_kind=column_kind,
        flag="no interval",
    )
    if n == 0:
        return nothing
    with np.errstate(invalid="ignore"):
        mean = float(x.mean())
    if smallest < MIN_CLUSTERS or not np.isfinite(x).all():
        return replace(nothing, mean=mean)
    pairs = pd.factorize(r * (int(c.max()) + 1) + c)[0]
    residuals = x - mean
    v_rows = _one_way(residuals, r, n_rows)
    v_columns = _one_way(residuals, c, n_columns)
    v_pairs = _one_way(residuals, pairs, int(pairs.max()) + 1)
    se = float(np.sqrt(max(v_rows + v_columns - v_pairs, v_rows, v_columns)))
    half = float(stdtrit(smallest - 1, 0.5 + level / 2.0)) * se
    return replace(
        nothing,
        mean=mean,
        low=mean - half,
        high=mean + half,
        se=se,
        flag="few clusters" if smallest < FEW_CLUSTERS else "",
    )


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    rows: Labels,
    columns: Labels,
    level: float = 0.95,
    *,
    row_kind: str = "",
    column_kind: str = "",
) -> Average:
    """Mean of a − b over the cells that both have, with a two-way clustered interval.

    Parameters
    ----------
    a, b : array of float, shape (T,)
        Losses of two predictors, aligned: position t of both is the same cell. A cell that is NaN
        in either is left out of both.
    rows, columns : sequence of labels, shape (T,)
        Clusters of each cell, as in `clustered_average`.
    level : float in (0, 1)
        Level of the interval.
    row_kind, column_kind : str
        What the clusters are; only carried along.

    Returns
    -------
    Average
        Of the differences, in the unit of the losses: below zero where `a` is better.

    Raises
    ------
    ValueError
        As `clustered_average`, or if `a` and `b` differ in shape.

    Examples
    --------
    >>> import numpy as np
    >>> rows, columns = np.repeat(np.arange(5), 6), np.tile(np.arange(6), 5)
    >>> noise = np.sin(np.arange(30.0))
    >>> difference = paired_difference(2.0 + noise, 2.5 + noise, rows, columns)
    >>> round(difference.mean, 6), round(difference.high, 6)
    (-0.5, -0.5)
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(
            f"losses are paired cell by cell: shapes {first.shape} and {second.shape} differ"
        )
    with np.errstate(invalid="ignore"):
        difference = first - second
    return clustered_average(
        difference, rows, columns, level, row_kind=row_kind, column_kind=column_kind
    )


def skill(
    losses: ArrayLike,
    reference_losses: ArrayLike,
    rows: Labels,
    columns: Labels,
    level: float = 0.95,
    *,
    row_kind: str = "",
    column_kind: str = "",
) -> Average:
    r"""Skill 1 − Σ losses / Σ reference losses, with a delta-method clustered interval.

    The ratio :math:`r = \sum a / \sum b` is linearised: its variance is that of the mean of
    :math:`(a_{ij} - r\, b_{ij}) / \bar b`, by the estimator of `clustered_average`.

    Parameters
    ----------
    losses, reference_losses : array of float, shape (T,)
        Aligned losses of the predictor and of the reference; a cell that is NaN in either is left
        out of both.
    rows, columns : sequence of labels, shape (T,)
        Clusters of each cell, as in `clustered_average`.
    level : float in (0, 1)
        Level of the interval.
    row_kind, column_kind : str
        What the clusters are; only carried along.

    Returns
    -------
    Average
        `mean` is the skill: 1 is perfect, 0 is as good as the reference, below 0 is worse. It is
        NaN, without an interval, where the reference's losses do not sum to more than zero.

    Raises
    ------
    ValueError
        As `paired_difference`.

    Examples
    --------
    >>> import numpy as np
    >>> rows, columns = np.repeat(np.arange(5), 6), np.tile(np.arange(6), 5)
    >>> reference = 2.0 + np.sin(np.arange(30.0))
    >>> result = skill(0.75 * reference, reference, rows, columns)
    >>> round(result.mean, 6), round(result.high - result.low, 6)
    (0.25, 0.0)
    """
    a, b = np.asarray(losses, dtype=np.float64), np.asarray(reference_losses, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"losses are paired cell by cell: shapes {a.shape} and {b.shape} differ")
    both = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(both, a, np.nan), np.where(both, b, np.nan)
    total = float(b[both].sum())
    ratio = float(a[both].sum()) / total if total > 0.0 else float("nan")
    linearised = (a - ratio * b) / (total / max(int(both.sum()), 1)) if total > 0.0 else a * ratio
    spread = clustered_average(
        linearised, rows, columns, level, row_kind=row_kind, column_kind=column_kind
    )
    if not total > 0.0:
        return spread
    value = 1.0 - ratio
    half = (spread.high - spread.low) / 2.0
    return replace(spread, mean=value, low=value - half, high=value + half)


def choose_clusters(targets: pd.DataFrame) -> tuple[pd.Series, pd.Series, str, str]:
    """Choose what counts as a row and as a column when losses are averaged.

    Rows are organisations where at least 5 distinct ones are known (a model whose organisation is
    unknown is a cluster of its own), else models. Columns are scenario groups where there are at
    least 5, else scenarios.

    Parameters
    ----------
    targets : DataFrame
        Columns model, organisation, scenario, scenario_group; one row per target. Missing
        organisations and scenario groups are allowed; the columns may be categorical or absent.

    Returns
    -------
    rows, columns : Series of str, shape (T,)
        Cluster labels, with the index of `targets`.
    row_kind, column_kind : str
        ``"organisation"`` or ``"model"``; ``"scenario group"`` or ``"scenario"``.

    Examples
    --------
    >>> import pandas as pd
    >>> targets = pd.DataFrame({
    ...     "model": ["a/1", "a/2", "b/1", "c/1"], "organisation": ["a", "a", "b", None],
    ...     "scenario": ["s", "s", "t", "t"], "scenario_group": ["s", "s", "t", "t"]})
    >>> rows, columns, row_kind, column_kind = choose_clusters(targets)
    >>> row_kind, column_kind, rows.nunique(), columns.nunique()
    ('model', 'scenario', 4, 2)
    """
    rows, row_kind = _coarse_or_fine(targets, "organisation", "model")
    columns, column_kind = _coarse_or_fine(targets, "scenario_group", "scenario")
    return rows, columns, row_kind, column_kind


def _coarse_or_fine(targets: pd.DataFrame, coarse: str, fine: str) -> tuple[pd.Series, str]:
    """Return labels and kind: the coarse column where it knows enough groups, else the fine one."""
    small = _text(targets, fine).fillna(f"(unknown {fine})")
    large = _text(targets, coarse)
    if large.nunique() < MIN_KNOWN_GROUPS:
        return small, fine
    # The prefix keeps a model from being taken for an organisation of the same name.
    return large.where(large.notna(), f"{fine}: " + small), coarse.replace("_", " ")


def _text(targets: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as objects: text or None."""
    if column not in targets.columns:
        return pd.Series([None] * len(targets), index=targets.index, dtype=object)
    values = targets[column].astype(object)
    return values.where(values.notna(), None)


def cluster_codes(labels: Labels, name: str, length: int) -> NDArray[np.int64]:
    """Give the labels numbers from 0; refuse missing ones and a wrong length."""
    if not isinstance(labels, (pd.Series, pd.Index, np.ndarray)):
        labels = np.asarray(list(labels), dtype=object)
    if len(labels) != length:
        raise ValueError(f"{name} has {len(labels)} labels for {length} values")
    codes = np.asarray(pd.factorize(labels)[0], dtype=np.int64)
    if (codes < 0).any():
        raise ValueError(f"{name} has missing labels: every value belongs to a cluster")
    return codes


def _distinct(codes: NDArray[np.int64]) -> int:
    """Count the distinct codes."""
    return int(np.count_nonzero(np.bincount(codes)))


def _one_way(residuals: NDArray[np.float64], codes: NDArray[np.int64], groups: int) -> float:
    """Variance of the mean under clustering by `codes`: G/(G−1) Σ (sum of residuals)² / n²."""
    sums = np.bincount(codes, weights=residuals)
    return groups / (groups - 1) * float(sums @ sums) / len(residuals) ** 2
