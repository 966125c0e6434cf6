"""Losses by closest relative: how alike the target's model and its nearest train model answer.

Item kernels gain where a model has a close relative among the train models and nothing where it
has none, so an average over a grid mostly says how many relatives the grid holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from harness.ranking import ResultsLike, by_group

__all__ = ["BINS", "UNKNOWN", "WithSplit", "bin_of", "by_closest"]

_EDGES = (0.75, 0.80, 0.85, 0.90)

BINS: tuple[str, ...] = ("< .75", ".75–.80", ".80–.85", ".85–.90", "> .90")
"""Names of the bins of agreement, from strangers to copies: the last holds what is above .90."""

UNKNOWN = "unknown"
"""Where no train model answered the same instances, or the source has no responses."""

_COLUMNS = ["k", "group", "predictor", "loss", "n_targets", "n_models"]


class WithSplit(ResultsLike, Protocol):
    """What `by_closest` needs beside what `harness.ranking.rank` needs."""

    @property
    def split(self) -> pd.DataFrame:
        """Columns target and closest: one row per seed, fold and target."""


def bin_of(agreement: pd.Series) -> pd.Series:
    """Put agreements in [0, 1] into `BINS`; `UNKNOWN` where there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> bin_of(pd.Series([0.3, 0.75, 0.9, 0.91, None])).tolist()
    ['< .75', '.75–.80', '.85–.90', '> .90', 'unknown']
    """
    value = agreement.to_numpy(dtype=float)
    place = np.searchsorted(_EDGES, value, side="right")
    place[value == _EDGES[-1]] = len(BINS) - 2
    names = np.array(BINS, dtype=object)[np.minimum(place, len(BINS) - 1)]
    return pd.Series(np.where(np.isnan(value), UNKNOWN, names), index=agreement.index)


def by_closest(
    results: WithSplit,
    *,
    k: int | Iterable[int] | None = None,
    metric: str | None = None,
    rule: str = "crps",
    task: str | None = None,
) -> pd.DataFrame:
    """Average the losses by the greatest agreement of the target's model with a train model.

    The agreement is the share of equal responses among the instances that both models answered
    (`harness.agreement`). Seeds are averaged within a target first, and so is its agreement where
    other seeds hold out other models beside it.

    Parameters
    ----------
    results : WithSplit
        Such as `harness.results.Results.load` returns.
    k, metric, rule, task
        As in `harness.ranking.rank`.

    Returns
    -------
    DataFrame
        Columns k, group (one of `BINS`, or `UNKNOWN`), predictor, loss (as in
        `harness.ranking.by_group`), n_targets, n_models; by k and bin. Without rows where the
        results do not say how close the relatives are.

    Raises
    ------
    UsageError
        As `harness.ranking.rank`.

    Notes
    -----
    The bins are those of a grid of 57 models by 35 scenarios, on which half the models have a
    relative above .85.
    """
    split = results.split
    if "closest" not in split.columns or split["closest"].isna().all():
        return pd.DataFrame(columns=_COLUMNS)
    if task is not None and "task" in split.columns:
        split = split[split["task"] == task]
    closest = split.groupby(split["target"].astype(object))["closest"].mean()
    near = bin_of(results.targets["target"].astype(object).map(closest))
    # Model by model, so that the models of a bin can be counted.
    parts = pd.Series(list(zip(near, results.targets["model"], strict=True)), near.index)
    codes, pairs = pd.factorize(parts)
    binned = _Binned(
        results.manifest, results.targets.assign(part=codes), results.scores, results.status
    )
    losses = by_group(binned, "part", k=k, metric=metric, rule=rule, task=task)
    losses["group"] = [pairs[int(code)][0] for code in losses["group"]]
    losses["total"] = losses["loss"] * losses["n_targets"]
    grouped = losses.groupby(["k", "predictor", "group"], sort=False)
    table = grouped.agg(
        total=("total", "sum"), n_targets=("n_targets", "sum"), n_models=("n_targets", "size")
    ).reset_index()
    table["loss"] = table["total"] / table["n_targets"]
    order = {name: place for place, name in enumerate((*BINS, UNKNOWN))}
    places = {name: place for place, name in enumerate(dict.fromkeys(losses["predictor"]))}
    sort = table.assign(bin=table["group"].map(order), place=table["predictor"].map(places))
    table = sort.sort_values(["k", "bin", "place"], kind="stable", ignore_index=True)
    return table[_COLUMNS]


@dataclass(frozen=True)
class _Binned:
    """Results whose targets have one column more."""

    manifest: Mapping[str, Any]
    targets: pd.DataFrame
    scores: pd.DataFrame
    status: pd.DataFrame
