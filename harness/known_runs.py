"""What is known of the runs around one that was not made: nearest runs, values of instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.asked_runs import COLUMN, AskedRun, column_keys
from harness.held_out import HeldOut
from harness.plain import plain
from harness.shards import read_table, shard_name
from suites.suite import behind

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["instance_values", "neighbours", "run_facts"]

_FACTS = ("run", "model", "scenario", "condition", "metric", "part", "perturbation", "target")


def neighbours(
    runs: pd.DataFrame, asked: AskedRun
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give the known runs of the same scenario and of the same model, nearest first.

    Near is a small mean absolute difference of values over the cells that both have: of two models
    over the scenarios, of two scenarios over the models. Where they have no cell in common, runs
    of the same organisation, or scenario group, come first.

    Parameters
    ----------
    runs : DataFrame
        The runs that may be learned from.
    asked : AskedRun
        The run that is asked for.

    Returns
    -------
    (list of mapping, list of mapping)
        Each as `run_facts`, with ``points`` (the value in points of its range; None without one),
        ``distance`` (points; None without a common cell) and ``common``, the number of common
        cells.
    """
    row = asked.row
    bounded = runs["lower"].notna() & runs["upper"].notna()
    span = (runs["upper"] - runs["lower"]).where(bounded, 1.0)
    column = column_keys(runs)
    mine = "\x1f".join("" if row[c] is None else str(row[c]) for c in COLUMN)
    frame = runs.assign(column=column, y=(runs["value"] - runs["lower"]) / span)
    grid = frame[bounded].pivot_table(index="model", columns="column", values="y", aggfunc="last")
    others = frame[(column == mine) & (frame["model"] != row["model"])]
    own = frame[(column != mine) & (frame["model"] == row["model"])]
    return (
        _nearest(others, others["model"], grid, row["model"], "organisation", row),
        _nearest(own, own["column"], grid.T, mine, "scenario_group", row),
    )


def _nearest(
    rows: pd.DataFrame,
    names: pd.Series,
    grid: pd.DataFrame,
    own: str,
    kin: str,
    asked: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """List runs by the distance of their model (or column) from the asked run's own."""
    values = grid.to_numpy(float)
    mine = values[grid.index.get_loc(own)] if own in grid.index else np.full(grid.shape[1], np.nan)
    gap = np.abs(values - mine)
    common = np.isfinite(gap).sum(axis=1)
    total = np.where(np.isfinite(gap), gap, 0.0).sum(axis=1)
    place = {name: i for i, name in enumerate(grid.index)}
    out = []
    for name, run in zip(names, rows.to_dict("records"), strict=True):
        at = place.get(name)
        shared = 0 if at is None else int(common[at])
        distance = None if at is None or not shared else 100.0 * float(total[at]) / shared
        is_kin = asked[kin] is not None and plain(run[kin]) == asked[kin]
        points = None if plain(run["y"]) is None else 100.0 * float(run["y"])
        facts = {**run_facts(run), "points": points, "distance": distance, "common": shared}
        out.append(((distance is None, distance or 0.0, not is_kin, facts["run"]), facts))
    return [facts for _, facts in sorted(out, key=lambda pair: pair[0])]


def run_facts(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Give what identifies a run, its ``value`` and ``n``, as plain Python values."""
    return {name: plain(row[name]) for name in (*_FACTS, "value", "n")}


def instance_values(held: HeldOut, row: Mapping[Any, Any]) -> pd.Series | None:
    """Give the value of each instance of a run, the mean over its trials; None without responses.

    Parameters
    ----------
    held : HeldOut
        Has the responses.
    row : mapping
        A row of ``held.runs``.
    """
    path = held.shards / f"{shard_name(str(row['run']))}.responses.arrow"
    if not path.exists():
        return None
    keys = str(row["metric"]), plain(row["part"]), plain(row["perturbation"])
    table = behind(read_table(path), *keys)
    frame = table.select(["instance", "value"]).to_pandas()
    return frame.dropna().groupby("instance")["value"].mean()
