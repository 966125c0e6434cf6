"""Every pair of predictors compared: mean paired differences, and which of them are sure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.averages import choose_clusters
from harness.rank_sets import RankSets, simultaneous_rank_sets
from harness.ranking import ResultsLike
from leaderboard import words
from leaderboard.arrays import bounded, codes, means

__all__ = ["HeadToHead", "Pair", "compared_losses", "head_to_head"]


@dataclass(frozen=True)
class Pair:
    """One predictor against another.

    Attributes
    ----------
    difference, low, high : float
        Mean loss of the row's predictor − that of the column's, on the same targets, and its 95 %
        interval for this pair alone; NaN without one.
    word : str
        ``better``, ``worse``, or ``open`` where that interval holds 0; empty without intervals.
    sure : bool
        Whether the word stands when all pairs are looked at together.
    """

    difference: float
    low: float
    high: float
    word: str
    sure: bool


@dataclass(frozen=True)
class HeadToHead:
    """The matrix of all pairs at one k.

    Attributes
    ----------
    k : int
        Number of shown responses.
    names : tuple of str
        Ranked predictors, the best first.
    rows : tuple of tuple of (Pair or None)
        Row − column; None on the diagonal.
    n_pairs, n_open, n_alone : int
        Pairs, those whose interval holds 0, and those that are sure only each for itself.
    size, clusters, unit, rule : str
        What the means are over, what the intervals rest on, and the unit and rule of the losses.
    """

    k: int
    names: tuple[str, ...]
    rows: tuple[tuple[Pair | None, ...], ...]
    n_pairs: int
    n_open: int
    n_alone: int
    size: str
    clusters: str
    unit: str
    rule: str

    @property
    def has_intervals(self) -> bool:
        """Whether there were enough clusters."""
        return any(pair is not None and pair.word for row in self.rows for pair in row)


def head_to_head(results: ResultsLike, ranking: pd.DataFrame, k: int) -> HeadToHead | None:
    """Compare all pairs of ranked predictors at one k.

    The comparisons are those of the rank sets (`harness.rank_sets.simultaneous_rank_sets`): paired,
    two-way clustered; each pair at 95 % for itself, and with the critical value that is right for
    all pairs together.

    Parameters
    ----------
    results : ResultsLike
        Such as `harness.results.Results.load` returns.
    ranking : DataFrame
        As `harness.ranking.rank` returns it for all metrics.
    k : int
        One of its numbers of shown responses.

    Returns
    -------
    HeadToHead or None
        None with fewer than two ranked predictors.

    Examples
    --------
    >>> import harness
    >>> results = harness.evaluate("demo/my-suite", "jeffreys", k=2, folds=2, isolation="none")
    >>> found = head_to_head(results, results.ranking(), 2)
    >>> sorted(found.names)
    ['jeffreys', 'scenario-mean']
    """
    part = ranking[(ranking["k"] == k) & ranking["ranked"]]
    if len(part) < 2:
        return None
    names = tuple(str(name) for name in part["predictor"])
    rule, unit = words.rule_of(part), str(part["unit"].iloc[0])
    losses, targets = compared_losses(results, names, k, rule)
    rows, columns, _, _ = choose_clusters(targets)
    sets = simultaneous_rank_sets(losses, rows, columns)
    matrix = tuple(
        tuple(None if p == q else _pair(sets, p, q) for q in range(len(names)))
        for p in range(len(names))
    )
    above = [matrix[p][q] for p in range(len(names)) for q in range(p + 1, len(names))]
    return HeadToHead(
        k=k,
        names=names,
        rows=matrix,
        n_pairs=len(above),
        n_open=sum(pair is not None and pair.word == "open" for pair in above),
        n_alone=sum(
            pair is not None and pair.word in ("better", "worse") and not pair.sure
            for pair in above
        ),
        size=words.targets(sets.n, words.of_responses(ranking)),
        clusters=words.clusters(part),
        unit=unit,
        rule=rule,
    )


def compared_losses(
    results: ResultsLike, names: tuple[str, ...], k: int, rule: str
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Give the losses of some predictors at one k, and the targets that they are of.

    Parameters
    ----------
    results : ResultsLike
        Such as `harness.results.Results.load` returns.
    names : tuple of str
        The predictors.
    k : int
        Number of shown responses.
    rule : str
        Which loss.

    Returns
    -------
    losses : array of float, shape (P, T)
        Mean over seeds; NaN where there is none.
    targets : DataFrame
        The T targets with known bounds, as `harness.ranking.rank` pools them, sorted by their ids.
    """
    targets = results.targets[bounded(results.targets)]
    targets = targets.sort_values("target", kind="stable", ignore_index=True)
    scores = results.scores
    scores = scores[((scores["k"] == k) & (scores["rule"] == rule)).to_numpy()]
    p, t = codes(scores["predictor"], names), codes(scores["target"], targets["target"])
    value = scores["value"].to_numpy(dtype=np.float64)
    keep = (p >= 0) & (t >= 0) & ~np.isnan(value)
    shape = (len(names), len(targets))
    return means(p[keep] * shape[1] + t[keep], value[keep], shape), targets


def _pair(sets: RankSets, p: int, q: int) -> Pair:
    """Read one comparison; what is sure is what the rank sets call so."""
    difference, se = float(sets.difference[p, q]), float(sets.se[p, q])
    half = sets.marginal_critical * se
    if math.isnan(half):
        return Pair(difference, math.nan, math.nan, "", False)
    word = "open"
    if abs(difference) > half:
        word = "better" if difference < 0 else "worse"
    sure = word != "open" and abs(difference) > sets.critical * se
    return Pair(difference, difference - half, difference + half, word, sure)
