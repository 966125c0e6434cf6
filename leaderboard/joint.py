"""Predictions judged together, and the order they give: for a terminal; the page shows the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.joint_ranking import MORE_IS_BETTER
from harness.joint_rules import JOINT_RULES
from leaderboard import words
from leaderboard.terminal import MIN_NAME, broken, new_table, widths

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["MEANINGS", "Joint", "joint_at", "print_joint"]

MEANINGS = {
    "energy_score": "How far the draws of all held-out runs of a model are, together, from what "
    "was observed, in standard deviations of train values; the CRPS of several values at once. "
    "Less is better.",
    "pairwise_brier": "The squared difference between the predicted probability that one of two "
    "models does better on a scenario, and whether it did; the mean over the scenario's pairs. "
    "Less is better: knowing nothing gives .25.",
    "kendall_tau": "How well the predicted medians order a scenario's models: 1 is the observed "
    "order, −1 its reverse, 0 is no better than chance. More is better. A predictor that says the "
    "same of all models has none (–).",
}
"""What the rules say, for those who read a table of them."""


@dataclass(frozen=True)
class Joint:
    """What is shown of one k.

    Attributes
    ----------
    k : int
        Number of shown responses.
    rules : list of str
        Those that somebody has a value of.
    differ : list of str
        Those that the reference has a value of too.
    rows : list of dict
        From the best by the first rule: predictor, joint (text), cells: a row of
        `harness.joint_ranking.joint_summary` for each rule.
    over : str
        What the averages are over.
    draws : str
        Who gave draws that belong together.
    apart : list of str
        Who is not compared with the others, sentence by sentence.
    """

    k: int
    rules: list[str]
    differ: list[str]
    rows: list[dict[str, Any]]
    over: str
    draws: str
    apart: list[str]


def joint_at(summary: pd.DataFrame, k: int) -> Joint | None:
    """Gather what is shown of one k; None where nothing was judged together.

    Parameters
    ----------
    summary : DataFrame
        As `harness.joint_ranking.joint_summary` returns it.
    k : int
        Number of shown responses.
    """
    part = summary[summary["k"] == k]
    known = part[part["value"].notna()]
    rules = [rule for rule in JOINT_RULES if rule in set(known["rule"])]
    if not rules:
        return None
    cells = {(row["rule"], row["predictor"]): row for row in part.to_dict("records")}
    names = dict.fromkeys(part.loc[part["rule"].isin(rules), "predictor"])
    share = known.groupby("predictor")["joint"].mean()
    rows = [
        {
            "predictor": str(name),
            "joint": _share(share.get(name)),
            "cells": [cells[rule, name] for rule in rules],
        }
        for name in names
    ]
    differ = [
        rule for rule in rules if known.loc[known["rule"] == rule, "difference"].notna().any()
    ]
    return Joint(k, rules, differ, rows, _over(known, rules), _draws(rows), _apart(known, rules))


def print_joint(
    summary: pd.DataFrame, ks: Sequence[int], reference: str | None, console: Console
) -> None:
    """Print the scores of several targets together at some k, then what they mean.

    Parameters
    ----------
    summary : DataFrame
        As `harness.joint_ranking.joint_summary` returns it.
    ks : sequence of int
        Numbers of shown responses.
    reference : str or None
        Name of the reference.
    console : rich.console.Console
        Where to print.
    """
    from rich.text import Text

    shown = [joint for k in ks if (joint := joint_at(summary, k)) is not None]
    if not shown:
        console.print("No predictions were judged together.")
        return
    for joint in shown:
        console.print(Text(f"k = {joint.k}, judged together: {joint.over}", style="bold"))
        console.print(_table(joint, reference, console.width))
        console.print()
    rules = dict.fromkeys(rule for joint in shown for rule in joint.rules)
    notes = [f"{words.RULE_NAMES[rule]}: {_lowered(MEANINGS[rule])}" for rule in rules]
    notes += [line for joint in shown for line in (joint.draws, *joint.apart)]
    for line in dict.fromkeys(notes):
        console.print(Text(line))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _table(joint: Joint, reference: str | None, width: int) -> Table:
    """Make the table of one k; where it is too narrow, intervals go below their numbers."""
    from rich.text import Text

    # No room for a sixth column of numbers; where it is of use, the page and JSON have it.
    compared = [rule for rule in joint.differ if rule not in MORE_IS_BETTER]
    headings = ["Predictor"]
    for rule in joint.rules:
        headings.append(words.RULE_NAMES[rule])
        headings += ["− reference"] if rule in compared else []
    headings.append("Joint\ndraws")
    for gap in (" ", "\n"):
        rows = [_row(row, joint.rules, compared, reference, gap) for row in joint.rows]
        left = width - widths(headings, rows, name=0)
        if left >= MIN_NAME:
            break
    table = new_table()
    table.add_column(headings[0], overflow="fold", max_width=max(left, 1))
    for heading in headings[1:]:
        table.add_column(heading, no_wrap=True)
    for cells in rows:
        table.add_row(*map(Text, [broken(cells[0], left), *cells[1:]]))
    return table


def _row(
    row: Mapping[str, Any],
    rules: Sequence[str],
    compared: Sequence[str],
    reference: str | None,
    gap: str,
) -> list[str]:
    """Format one predictor's numbers; `gap` stands between a number and its interval."""
    cells = [words.clean(row["predictor"])]
    for rule, cell in zip(rules, row["cells"], strict=True):
        cells.append(_with_span(cell, "value", partial(words.number, rule=rule), gap))
        if rule in compared:
            is_reference = row["predictor"] == reference
            shown = _with_span(cell, "difference", partial(words.signed, rule=rule), gap)
            cells.append("(reference)" if is_reference else shown)
    return [*cells, row["joint"]]


def _with_span(cell: Mapping[str, Any], name: str, show: Any, gap: str) -> str:
    interval = words.span(cell[f"{name}_low"], cell[f"{name}_high"], show, "")
    return f"{show(cell[name], '')}{gap}{interval}".rstrip()


def _share(joint: float | None) -> str:
    """Say of how many groups a predictor gave joint draws."""
    if joint is None or joint != joint:
        return "–"
    return {0.0: "no", 1.0: "yes"}.get(joint, f"{words.percent(joint)} %")


def _over(known: pd.DataFrame, rules: Sequence[str]) -> str:
    """Say what each average is over; rules with the same come together."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        row = known[known["rule"] == rule].sort_values("compared", kind="stable").iloc[-1]
        groups = words.count(int(row["n_groups"]), row["by"])
        if row["cluster_kind"] != row["by"]:
            groups += f" in {words.count(int(row['n_clusters']), row['cluster_kind'])}"
        rough = {"no interval": ", too few for intervals", "few clusters": ", intervals are rough"}
        found.setdefault(groups + rough.get(row["flag"], ""), []).append(words.RULE_NAMES[rule])
    return "; ".join(f"{words.listing(names)} over {text}" for text, names in found.items())


def _draws(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say whose draws belong together."""
    joint = [words.clean(row["predictor"]) for row in rows if row["joint"] not in ("no", "–")]
    if not joint:
        return (
            "No predictor gave draws that belong together: predictions of several targets count "
            "as independent."
        )
    return (
        f"Draws that belong together: {words.listing(joint)}. Predictions of others count as "
        "independent."
    )


def _apart(known: pd.DataFrame, rules: Sequence[str]) -> list[str]:
    """Say who has too few groups to be compared."""
    return [
        f"{words.clean(row['predictor'])}: {words.RULE_NAMES[row['rule']]} at k = {row['k']} over "
        f"{words.count(int(row['n_groups']), row['by'])} only, so it is not compared with the "
        "others."
        for row in known[known["rule"].isin(rules) & ~known["compared"]].to_dict("records")
    ]
