"""The headline of several tasks: one row per predictor, one column per task, never an average.

Predictors that win where models have relatives may lose where none is left, so a fair headline is
a vector over tasks: losses of different tasks are set side by side and not averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from suites.errors import UsageError

__all__ = ["headline", "ks_of"]

COLUMNS: tuple[str, ...] = (
    "predictor",
    "mean_rank",
    "n_ranked",
    "task",
    "k",
    "rank",
    "rank_low",
    "rank_high",
    "loss",
    "loss_low",
    "loss_high",
    "skill",
    "skill_low",
    "skill_high",
    "n_targets",
    "ranked",
    "reason",
    "rule",
    "unit",
)


def headline(rankings: Mapping[str, pd.DataFrame], k: int | None = None) -> pd.DataFrame:
    """Set the rankings of several tasks side by side.

    Parameters
    ----------
    rankings : mapping of str to DataFrame
        Task → its ranking at every k, as `harness.ranking.rank` gives it.
    k : int, optional
        Number of shown responses; by default the smallest of each task. Tasks that were not
        evaluated at it have no rows.

    Returns
    -------
    DataFrame
        One row per predictor and task. Columns predictor, mean_rank (of its ranks on the tasks
        where it is ranked; NaN where on none), n_ranked (on how many), task, k, rank, rank_low,
        rank_high (NA where not ranked), loss, loss_low, loss_high (of `rule`, in `unit`), skill,
        skill_low, skill_high, n_targets, ranked, reason, rule, unit. Predictors come by mean
        rank, then by name; those that are ranked nowhere last; tasks as they were given.

    Raises
    ------
    UsageError
        If no task was evaluated at k.

    Examples
    --------
    >>> import pandas as pd
    >>> one = pd.DataFrame({
    ...     "k": 0, "predictor": ["a", "b"], "rank": [1, 2], "rank_low": [1, 2],
    ...     "rank_high": [1, 2], "crps": [2.0, 4.0], "crps_low": 1.0, "crps_high": 5.0,
    ...     "skill": [0.5, 0.0], "skill_low": 0.0, "skill_high": 1.0, "n_targets": 9,
    ...     "ranked": True, "reason": "", "rule": "crps", "unit": "pp"})
    >>> table = headline({"heldout-run": one, "new-model": one.assign(rank=[2, 1], crps=[9., 8.])})
    >>> table[["predictor", "mean_rank", "task", "loss"]].values.tolist()[:2]
    [['a', 1.5, 'heldout-run', 2.0], ['a', 1.5, 'new-model', 9.0]]
    """
    known = ks_of(rankings)
    if k is not None and known and k not in known:
        near = min(known, key=lambda x: (abs(x - k), x))
        raise UsageError(
            f"k = {k} was not evaluated on any task; the nearest is k = {near}. Evaluated: "
            f"k = {', '.join(map(str, known))}."
        )
    rows: list[dict[str, Any]] = []
    for task, ranking in rankings.items():
        if len(ranking):
            chosen = int(ranking["k"].min()) if k is None else k
            rows += [_row(task, row) for row in ranking[ranking["k"] == chosen].to_dict("records")]
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    ranks: dict[str, list[int]] = {}
    for row in rows:
        ranks.setdefault(row["predictor"], []).extend([int(row["rank"])] if row["ranked"] else [])
    means = {name: sum(own) / len(own) if own else float("nan") for name, own in ranks.items()}
    for row in rows:
        row |= {"mean_rank": means[row["predictor"]], "n_ranked": len(ranks[row["predictor"]])}
    order = {name: place for place, name in enumerate(rankings)}
    rows.sort(
        key=lambda row: (
            row["n_ranked"] == 0,
            row["mean_rank"] if row["n_ranked"] else 0.0,
            row["predictor"],
            order[row["task"]],
        )
    )
    table = pd.DataFrame(rows)[list(COLUMNS)]
    return table.astype(dict.fromkeys(("rank", "rank_low", "rank_high"), "Int64"))


def ks_of(rankings: Mapping[str, pd.DataFrame]) -> list[int]:
    """Give all numbers of shown responses at which some task was evaluated, ascending."""
    return sorted({int(k) for ranking in rankings.values() for k in ranking["k"].unique()})


def _row(task: str, row: Mapping[Any, Any]) -> dict[str, Any]:
    """Give one predictor's row of one task; whatever the rule is, its loss is ``loss``."""
    same = ("predictor", "k", "rank", "rank_low", "rank_high", "skill", "skill_low", "skill_high")
    rest = ("n_targets", "ranked", "reason", "rule", "unit")
    ends = ("", "_low", "_high")
    losses = {f"loss{end}": row[f"{row['rule']}{end}"] for end in ends}
    return {"task": task, **{name: row[name] for name in (*same, *rest)}, **losses}
