"""Runs that were not made, described as targets: what is measured, on which instances.

What the source does not say of such a run is taken from the runs that are nearest to it in kind:
the same scenario's, else the same group's, else all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.held_out import target_id
from harness.observed import Observed
from harness.plain import plain
from suites.errors import UsageError
from suites.identity import family_of, organisation_of, scenario_group_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["COLUMN", "AskedRun", "asked_run", "column_keys", "column_of", "plain", "shown_table"]

COLUMN: tuple[str, ...] = ("scenario", "condition", "metric", "part", "perturbation")
"""What the runs of one column of the grid have in common."""

_OF_METRIC = ("metric", "part", "perturbation", "condition")
_GRID = ("n", "binary", "lower", "upper", "higher_is_better")


@dataclass(frozen=True, eq=False)
class AskedRun:
    """A run to be predicted, with what was already observed of it.

    Attributes
    ----------
    row : mapping
        Its description: `harness.information.TARGET_COLUMNS` and ``target``; None where unknown.
    instances : list of str
        Ids of its instances; made-up ones where they are not known.
    shown : DataFrame
        Observed responses: ``instance``, ``value``.
    """

    row: dict[str, Any]
    instances: list[str]
    shown: pd.DataFrame

    @property
    def k(self) -> int:
        """Number of instances that were observed."""
        return int(self.shown["instance"].nunique())


def column_of(runs: pd.DataFrame, models: Sequence[str] = ()) -> pd.DataFrame:
    """Give the rows of one column: the one that most of these models have, then most models.

    Parameters
    ----------
    runs : DataFrame
        Runs of one scenario, at least one.
    models : sequence of str
        Models whose runs decide first.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"model": ["a", "b", "a"], "scenario": "s", "condition": list("xxy"),
    ...     "metric": "m", "part": None, "perturbation": None})
    >>> column_of(runs)["condition"].tolist()
    ['x', 'x']
    """
    keys = column_keys(runs)
    unperturbed = runs["perturbation"].isna()
    best, best_rank = "", (-1, False, -1)
    for key in sorted(set(keys)):
        names = set(runs.loc[keys == key, "model"])
        rank = (len(names & set(models)), bool(unperturbed[keys == key].all()), len(names))
        if rank > best_rank:
            best, best_rank = key, rank
    return runs[(keys == best).to_numpy(bool)]


def column_keys(runs: pd.DataFrame, names: Sequence[str] = COLUMN) -> pd.Series[str]:
    """Give each run a text that is the same for the runs of one column.

    Examples
    --------
    >>> import pandas as pd
    >>> column_keys(pd.DataFrame({"a": ["x", None], "b": ["y", "y"]}), ["a", "b"]).nunique()
    2
    """
    texts = runs[list(names)].astype(object)
    return texts.where(texts.notna(), "").astype(str).agg("\x1f".join, axis=1)


def asked_run(
    runs: pd.DataFrame,
    instances: dict[str, list[str]],
    model: str,
    scenario: str,
    *,
    n: int | None = None,
    observed: Observed | None = None,
    made: dict[str, Any] | None = None,
    like: pd.DataFrame | None = None,
) -> AskedRun:
    """Describe a run that was not made.

    Parameters
    ----------
    runs : DataFrame
        The source's runs (`harness.held_out.HeldOut.runs`), at least one.
    instances : dict of str to list of str
        Target → ids of its instances.
    model, scenario : str
        Of the run; either may be unknown to the source.
    n : int, optional
        Its number of instances; by default the usual number of the scenario.
    observed : Observed, optional
        Responses, those of this run among them.
    made : mapping, optional
        The row of the run, where the source has it after all.
    like : DataFrame, optional
        Rows of one column of the scenario (`column_of`), where the caller has chosen one.

    Raises
    ------
    UsageError
        If what was observed is more than the run has, or cannot be its metric's values.
    """
    if made is not None:
        like = runs[runs["target"] == made["target"]]
    elif like is None:
        like = _like(runs, scenario)
    first = {c: plain(like[c].iloc[0]) for c in _OF_METRIC}
    grid = like[list(_GRID)].astype(object)
    usual = grid.where(grid.notna(), None).apply(tuple, axis=1)
    most = max(sorted(set(usual), key=str), key=list(usual).count)
    facts = {name: plain(value) for name, value in zip(_GRID, most, strict=True)}
    of_scenario = bool((like["scenario"] == scenario).all())
    if not of_scenario:
        known = like["n"].dropna()
        facts["n"] = int(known.median()) if len(known) else None
    usual_n = facts["n"]
    if n is not None:
        facts["n"] = n
    if facts["n"] is None:
        facts["binary"] = None
    ids = _usual_instances(like, instances, usual_n) if of_scenario else []
    shown = _checked(observed, model, scenario, {**first, **facts})
    row = {
        "run": f"{scenario}:model={model}",
        "name": f"{scenario}:model={model}",
        "model": model,
        **_identity(runs, model),
        "scenario": scenario,
        "scenario_group": plain(like["scenario_group"].iloc[0])
        if of_scenario
        else scenario_group_of(scenario),
        **first,
        **facts,
        "date": None,
    }
    if made is not None:
        row |= {name: plain(made[name]) for name in ("run", "name", "date")}
    row["target"] = target_id(row)
    return AskedRun(row, *_placed(ids, shown, facts["n"]))


def shown_table(asked: Sequence[AskedRun]) -> pa.Table:
    """Write what was observed as the table of shown responses."""
    import pyarrow as pa

    from suites.schema import arrow_schema, responses_table

    text = pa.dictionary(pa.int32(), pa.string())
    tables = [arrow_schema().append(pa.field("target", text)).empty_table()]
    for run in asked:
        if not len(run.shown):
            continue
        names = ("run", "model", "scenario", "condition", "part", "perturbation", "metric")
        columns = {name: run.row[name] for name in (*names, "lower", "upper")}
        trial = run.shown.groupby("instance").cumcount().to_numpy(np.int32)
        table = responses_table(
            {
                **columns,
                "instance": run.shown["instance"].tolist(),
                "trial": trial,
                "value": run.shown["value"].to_numpy(float),
            }
        )
        codes = pa.array(np.zeros(table.num_rows, np.int32))
        target = pa.DictionaryArray.from_arrays(codes, pa.array([run.row["target"]]))
        tables.append(table.append_column(tables[0].schema.field("target"), target))
    return pa.concat_tables(tables).unify_dictionaries()


# -- private ---------------------------------------------------------------------------------------


def _like(runs: pd.DataFrame, scenario: str) -> pd.DataFrame:
    """Give the column of the scenario, else the most usual one of its group, else of all."""
    same = runs[runs["scenario"] == scenario]
    if not len(same):
        same = runs[runs["scenario_group"] == scenario_group_of(scenario)]
    if not len(same):
        same = runs
    if same["scenario"].nunique() == 1:
        return column_of(same)
    # of several scenarios: the most usual metric, and all its runs
    keys = column_keys(same, _OF_METRIC)
    count = keys.value_counts().to_dict()
    best = min(count, key=lambda key: (-count[key], key))
    return same[(keys == best).to_numpy(bool)]


def _identity(runs: pd.DataFrame, model: str) -> dict[str, Any]:
    known = runs[runs["model"] == model]
    if len(known):
        return {c: plain(known[c].iloc[0]) for c in ("organisation", "family")}
    return {"organisation": organisation_of(model), "family": family_of(model)}


def _usual_instances(
    like: pd.DataFrame, instances: dict[str, list[str]], n: int | None
) -> list[str]:
    """Give the ids that most runs of a column have, of those with the usual number."""
    found: dict[tuple[str, ...], int] = {}
    for target in like["target"]:
        ids = tuple(sorted(instances.get(str(target), [])))
        if ids and (n is None or len(ids) == n):
            found[ids] = found.get(ids, 0) + 1
    best: tuple[str, ...] = min(found, key=lambda ids: (-found[ids], ids), default=())
    return list(best)


def _checked(
    given: Observed | None, model: str, scenario: str, facts: dict[str, Any]
) -> pd.DataFrame:
    """Give the responses of a run as ``instance`` and ``value``, in the metric's units."""
    import pandas as pd

    observed = None if given is None else given.of(model, scenario)
    if given is None or observed is None or not len(observed):
        return pd.DataFrame({"instance": pd.Series([], dtype=object), "value": np.empty(0)})
    where = f"{given.where} ({model} on {scenario})"
    named = observed["instance"].notna()
    if named.any() and not named.all():
        raise UsageError(f"{where}: some rows name their instance and some do not.")
    value = observed["value"].to_numpy(float)
    lower, upper = facts["lower"], facts["upper"]
    low, high = -np.inf if lower is None else lower, np.inf if upper is None else upper
    if given.counted:
        if lower is None or upper is None:
            raise UsageError(
                f"{where}: {facts['metric']} has no bounds, so right and wrong have no values."
            )
        value = low + (high - low) * value
    outside = value[(value < low) | (value > high)]
    if len(outside):
        raise UsageError(
            f"{where}: the value {outside[0]:g} is outside the range of the metric, {low:g} to "
            f"{high:g}."
        )
    if facts["binary"] and not np.isin(value, (low, high)).all():
        raise UsageError(
            f"{where}: the scenario's answers are right or wrong ({high:g} or {low:g}), and "
            f"{value[~np.isin(value, (low, high))][0]:g} is neither."
        )
    shown = observed[["instance"]].assign(value=value).reset_index(drop=True)
    if not named.all():
        shown["instance"] = [f"(response {i})" for i in range(1, len(shown) + 1)]
    if facts["binary"]:
        twice = shown["instance"][shown["instance"].duplicated()]
        if len(twice):
            raise UsageError(f"{where}: the instance {twice.iloc[0]!r} is there twice.")
    k, n = shown["instance"].nunique(), facts["n"]
    if n is not None and k >= n:
        mean = shown.groupby("instance")["value"].mean().mean()
        raise UsageError(
            f"{where} holds {k} instances, and the run has {n}: nothing is left to predict "
            f"(their mean is {mean:.4g}). A run with more is asked for by --n."
        )
    return shown


def _placed(ids: list[str], shown: pd.DataFrame, n: int | None) -> tuple[list[str], pd.DataFrame]:
    """Give the run's instances, among them those that were observed."""
    seen = sorted(set(shown["instance"]))
    if ids and len(ids) == (n or len(ids)) and set(seen) <= set(ids):
        return ids, shown
    size = max(n or 0, len(seen) + 1)
    return [*seen, *(f"(unseen {i})" for i in range(1, size - len(seen) + 1))], shown
