"""Losses within groups: by closest relative, scenario, model, organisation, family, and by k."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from harness.ranking import by_group, rank
from harness.relatives import BINS, UNKNOWN, WithSplit, by_closest
from leaderboard import words
from suites.errors import unknown_name

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["GROUPINGS", "check_grouping", "filled_bins", "group_tables", "grouped"]

GROUPINGS: tuple[str, ...] = ("closest", "scenario", "model", "organisation", "family", "k")
"""What losses may be grouped by."""

CLOSEST = "agreement of the closest train model"
"""What the bins of relatives are of."""

_NAME = 16  # columns of the terminal that names of rows have at least,
_CELL = 7  # and numbers
_HEAD = 12  # columns that a heading may have; longer ones are broken


def grouped(
    results: WithSplit,
    by: str,
    *,
    k: int | Iterable[int] | None = None,
    metric: str | None = None,
    rule: str = "crps",
    task: str | None = None,
) -> pd.DataFrame:
    """Average losses by one of `GROUPINGS`.

    Parameters
    ----------
    results : WithSplit
        Such as `harness.results.Results.load` returns.
    by : str
        One of `GROUPINGS`.
    k, metric, rule, task
        As in `harness.ranking.rank`.

    Returns
    -------
    DataFrame
        Columns k, group, predictor, loss, n_targets, and n_models where the groups are of
        relatives: `harness.relatives.by_closest`, `harness.ranking.by_group`; by ``k`` the means
        of the ranking, each k a group.

    Raises
    ------
    UsageError
        For another grouping, and as `harness.ranking.rank`.
    """
    check_grouping(by)
    if by == "closest":
        return by_closest(results, k=k, metric=metric, rule=rule, task=task)
    if by == "k":
        ranking = rank(results, k=k, metric=metric, rule=rule, task=task)
        table = ranking[["k", "predictor", rule, "n_targets"]].rename(columns={rule: "loss"})
        table.insert(1, "group", [f"k = {one}" for one in table["k"]])
        return table.dropna(subset=["loss"]).reset_index(drop=True)
    return by_group(results, by, k=k, metric=metric, rule=rule, task=task)


def check_grouping(by: str) -> None:
    """Refuse what losses cannot be grouped by.

    Raises
    ------
    UsageError
        For anything but one of `GROUPINGS`.
    """
    if by not in GROUPINGS:
        raise unknown_name("grouping", by, GROUPINGS)


def filled_bins(groups: pd.DataFrame) -> list[str]:
    """Give the bins of relatives that hold targets, strangers first; the unknown are none.

    Examples
    --------
    >>> import pandas as pd
    >>> filled_bins(pd.DataFrame({"group": ["unknown", "> .90", "< .75", "> .90"]}))
    ['< .75', '> .90']
    """
    there = set(groups["group"])
    return [name for name in BINS if name in there]


def group_tables(
    groups: pd.DataFrame, by: str, unit: str, rule: str, width: int, of: str = "targets"
) -> list[tuple[str, Table]]:
    """Make tables of the losses at each k: few groups of short names as columns, others as rows.

    By ``k`` there is one table of all.

    Parameters
    ----------
    groups : DataFrame
        As `grouped` returns it; predictors are shown in its order.
    by : str
        One of `GROUPINGS`.
    unit, rule : str
        Of the losses.
    width : int
        Columns that may be used; what does not fit goes into further tables.
    of : str
        What is counted: ``targets``, or ``runs`` where single responses were predicted.

    Returns
    -------
    list of (str, rich.table.Table)
        Title and table.
    """
    tables = []
    heading = f"{words.RULE_NAMES[rule]} {unit}".strip()
    for k, part in [("", groups)] if by == "k" else groups.groupby("k", sort=True):
        what = CLOSEST if by == "closest" else by
        title = f"mean {heading} by {what}"
        title = f"k = {k}: {title}" if by != "k" else title[:1].upper() + title[1:]
        sizes = part.groupby("group", sort=False)
        counted = {of: sizes["n_targets"].max().to_dict()}
        if "n_models" in part.columns:
            counted = {"models": sizes["n_models"].max().to_dict(), **counted}
        names = list(dict.fromkeys(part["predictor"]))
        found = sorted(map(str, set(part["group"])))
        if by == "closest":
            found = [name for name in (*BINS, UNKNOWN) if name in found]
        if by == "k":
            found = list(dict.fromkeys(part.sort_values("k", kind="stable")["group"]))
        cells = zip(part["group"], part["predictor"], part["loss"], strict=True)
        losses = {(group, name): words.number(loss, unit, rule=rule) for group, name, loss in cells}
        if len(found) <= len(names) and max(map(len, found)) <= _HEAD:
            head = [(words.clean(g), [f"{n[g]:,}" for n in counted.values()]) for g in found]
            body = [
                (words.clean(name), [losses.get((g, name), "–") for g in found]) for name in names
            ]
            made = _tables("Predictor", head, body, list(counted), width)
        else:
            plain: list[tuple[str, list[str]]] = [(words.clean(name), []) for name in names]
            head = [(name.capitalize(), []) for name in counted] + plain
            body = [
                (
                    words.clean(group),
                    [f"{n[group]:,}" for n in counted.values()]
                    + [losses.get((group, name), "–") for name in names],
                )
                for group in found
            ]
            made = _tables(
                "Agreement" if by == "closest" else by.capitalize(), head, body, [], width
            )
        tables += [(title if i == 0 else f"{title} (continued)", t) for i, t in enumerate(made)]
    return tables


def _tables(
    corner: str,
    head: list[tuple[str, list[str]]],
    body: list[tuple[str, list[str]]],
    sizes: list[str],
    width: int,
) -> list[Table]:
    """Make as many tables as the columns need; `sizes` names rows below, given with the heads."""
    from rich.text import Text

    from leaderboard.terminal import broken, new_table

    first = min(max([_NAME, *(len(name) for name, _ in body)]), 34)
    wide = [
        max(
            _CELL,
            *(len(cells[i]) for _, cells in body),
            *map(len, broken(name, _HEAD).splitlines()),
        )
        for i, (name, _) in enumerate(head)
    ]
    tables, start = [], 0
    while start < len(head):
        end, used = start, first
        while end < len(head) and (end == start or used + wide[end] + 2 <= width):
            used += wide[end] + 2
            end += 1
        table = new_table()
        table.add_column(corner, overflow="fold", max_width=first)
        for i in range(start, end):
            title = Text(broken(head[i][0], _HEAD))
            table.add_column(title, justify="right", overflow="fold", max_width=wide[i])
        for name, cells in body:
            table.add_row(Text(broken(name, first)), *map(Text, cells[start:end]))
        if sizes:
            table.add_section()
        for row, name in enumerate(sizes):
            counts = (Text(head[i][1][row]) for i in range(start, end))
            table.add_row(Text(name), *counts, style="dim")
        tables.append(table)
        start = end
    return tables
