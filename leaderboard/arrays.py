"""Results as arrays, predictor × k × target, which pages of many cells are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.ranking import ResultsLike, by_group
from leaderboard import words

__all__ = [
    "Arrays",
    "WithCells",
    "bounded",
    "cell_losses",
    "codes",
    "means",
    "narrowed",
    "order_of",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Arrays:
    """What became of every target, by number.

    Attributes
    ----------
    predictors : tuple of str
        In the order of their mean rank, then the unranked, then those that only the manifest has.
    ks, seeds : tuple of int
        Ascending.
    targets : DataFrame
        As results have them, sorted by their ids.
    rule, unit : str
        The headline rule and its unit (empty: the metric's own).
    loss : array of float, shape (P, K, T)
        Losses by that rule, mean over seeds; NaN where there is none.
    valid : array of bool, shape (P, K, S, T)
        Whether there was a valid prediction.
    results : ResultsLike
        What they are of.
    """

    predictors: tuple[str, ...]
    ks: tuple[int, ...]
    seeds: tuple[int, ...]
    targets: pd.DataFrame
    rule: str
    unit: str
    loss: Floats
    valid: NDArray[np.bool_]
    results: ResultsLike

    @cached_property
    def quantiles(self) -> Floats:
        """Quantiles of all predictions of values, (P, K, T, 5): `leaderboard.spreads.spreads`."""
        from leaderboard.spreads import spreads

        return spreads(self.results, self)

    @classmethod
    def of(cls, results: ResultsLike, ranking: pd.DataFrame) -> Arrays:
        """Read results whose ranking is known.

        Parameters
        ----------
        results : ResultsLike
            Such as `harness.results.Results.load` returns.
        ranking : DataFrame
            As `harness.ranking.rank` returns it.
        """
        targets = results.targets.sort_values("target", kind="stable", ignore_index=True)
        rule = words.rule_of(ranking)
        named = [str(p["name"]) for p in results.manifest.get("predictors") or ()]
        predictors = tuple(dict.fromkeys([*order_of(ranking), *named]))
        scores, status = results.scores, results.status
        ks = tuple(sorted({int(k) for k in ranking["k"].unique()}))
        seeds = tuple(sorted(set(map(int, pd.unique(status["seed"])))))
        places = {
            "predictor": (predictors, len(predictors)),
            "k": (ks, len(ks)),
            "seed": (seeds, len(seeds)),
            "target": (targets["target"], len(targets)),
        }
        shape = (len(predictors), len(ks), len(targets))
        of_rule = scores[(scores["rule"] == rule).to_numpy()]
        flat = _flat(of_rule, ("predictor", "k", "target"), places)
        value = of_rule["value"].to_numpy(dtype=np.float64)
        keep = (flat >= 0) & ~np.isnan(value)
        loss = means(flat[keep], value[keep], shape)
        valid = np.zeros((len(predictors), len(ks), len(seeds), len(targets)), dtype=np.bool_)
        fine = status[(status["status"] == "ok").to_numpy()]
        at = _flat(fine, ("predictor", "k", "seed", "target"), places)
        valid.reshape(-1)[at[at >= 0]] = True
        unit = str(ranking["unit"].iloc[0]) if len(ranking) else ""
        return cls(predictors, ks, seeds, targets, rule, unit, loss, valid, results)


@dataclass(frozen=True)
class WithCells:
    """Results whose targets have a column more, or whose scores are of fewer rules."""

    manifest: Mapping[str, Any]
    targets: pd.DataFrame
    scores: pd.DataFrame
    status: pd.DataFrame


def narrowed(results: ResultsLike, rule: str) -> WithCells:
    """Give results with the scores of one rule alone: averages of it take a fraction of the time.

    Parameters
    ----------
    results : ResultsLike
        Such as `harness.results.Results.load` returns.
    rule : str
        Name of the rule.
    """
    scores = results.scores[(results.scores["rule"] == rule).to_numpy()]
    return WithCells(results.manifest, results.targets, scores, results.status)


def cell_losses(results: ResultsLike, rule: str) -> pd.DataFrame:
    """Average the losses of every model and scenario, over the targets that `rank` compares on.

    Parameters
    ----------
    results : ResultsLike
        Such as `harness.results.Results.load` returns.
    rule : str
        What is averaged.

    Returns
    -------
    DataFrame
        Columns k, model, scenario, predictor, loss (as `harness.ranking.by_group`), n_targets.
    """
    targets = results.targets
    pairs = pd.Series(list(zip(targets["model"], targets["scenario"], strict=True)), targets.index)
    cells, known = pd.factorize(pairs)
    narrow = narrowed(results, rule)
    numbered = WithCells(narrow.manifest, targets.assign(cell=cells), narrow.scores, narrow.status)
    table = by_group(numbered, "cell", rule=rule)
    of = table.pop("group").to_numpy(dtype=np.int64)
    table.insert(1, "model", [str(known[i][0]) for i in of])
    table.insert(2, "scenario", [str(known[i][1]) for i in of])
    keys = ["k", "predictor", "model", "scenario"]
    return table.sort_values(keys, kind="stable", ignore_index=True)  # sums in one order


def order_of(ranking: pd.DataFrame) -> list[str]:
    """Give the predictors of a ranking, the best by mean rank first, the unranked last.

    Examples
    --------
    >>> import pandas as pd
    >>> order_of(pd.DataFrame({"predictor": ["b", "a", "c"], "rank": [2, 1, None]}))
    ['a', 'b', 'c']
    """
    places = ranking.groupby("predictor", sort=True)["rank"].mean()
    return [str(name) for name in places.sort_values(kind="stable").index]


def bounded(targets: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which targets have both bounds: their losses are in percentage points, and are pooled.

    Parameters
    ----------
    targets : DataFrame
        Columns lower and upper.
    """
    low, high = (
        pd.to_numeric(targets[c]).to_numpy(dtype=np.float64, na_value=np.nan)
        for c in ("lower", "upper")
    )
    return np.isfinite(high - low) & (high > low)


def means(
    places: NDArray[np.int64],
    values: Floats,
    shape: Sequence[int],
    weights: Floats | None = None,
) -> Floats:
    """Average values that belong to the same place of an array.

    Parameters
    ----------
    places : array of int, shape (N,)
        Place of each value in the array, flattened.
    values : array of float, shape (N,)
        None of them NaN.
    shape : sequence of int
        Of the array.
    weights : array of float, shape (N,), optional
        Of the values; they weigh equally by default.

    Returns
    -------
    array of float
        NaN where there is no value.

    Examples
    --------
    >>> import numpy as np
    >>> means(np.array([0, 0, 2]), np.array([1.0, 2.0, 5.0]), (3,)).tolist()
    [1.5, nan, 5.0]
    """
    size = int(np.prod(shape))
    weight = np.ones(len(values)) if weights is None else weights
    n = np.bincount(places, weights=weight, minlength=size)
    total = np.bincount(places, weights=values * weight, minlength=size)
    out = np.full(size, np.nan)
    np.divide(total, n, out=out, where=n > 0)
    return out.reshape(shape)


def codes(column: pd.Series, names: Sequence[Any] | pd.Series) -> NDArray[np.int64]:
    """Give the place of each value among `names`; −1 where it is not among them.

    Examples
    --------
    >>> import pandas as pd
    >>> codes(pd.Series(["b", "x", "a"]), ["a", "b"]).tolist()
    [1, -1, 0]
    """
    found, uniques = pd.factorize(column)
    index = pd.Index(list(names), dtype=object)
    places = index.get_indexer(pd.Index(list(uniques), dtype=object))
    return np.append(places, -1)[found].astype(np.int64)


def _flat(
    table: pd.DataFrame, columns: Sequence[str], places: Mapping[str, tuple[Any, int]]
) -> NDArray[np.int64]:
    """Give each row's place in an array with these axes, flattened; −1 where it has none."""
    flat = np.zeros(len(table), dtype=np.int64)
    known = np.ones(len(table), dtype=np.bool_)
    for column in columns:
        names, size = places[column]
        at = codes(table[column], names)
        known &= at >= 0
        flat = flat * size + at
    return np.where(known, flat, -1)
