"""A ranking for other people's pages: as Markdown tables, and as a figure for paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from harness.vector_results import VectorResults
from leaderboard import words
from leaderboard.headline import headline_of, notes_of
from leaderboard.ranking_figure import ranking_figure
from leaderboard.terminal import notes
from leaderboard.vega import drawn
from suites.errors import UsageError

__all__ = ["headline_markdown", "ranking_image", "ranking_markdown"]


def ranking_markdown(ranking: pd.DataFrame, manifest: Mapping[str, Any]) -> str:
    """Give a ranking as Markdown: a table for each k, and what has to be known of them.

    Parameters
    ----------
    ranking : DataFrame
        As `harness.ranking.rank` returns it.
    manifest : mapping
        The manifest of the results.

    Returns
    -------
    str
        In the dialect of GitHub; names are escaped, so that they are text and nothing else.
    """
    parts = [
        _ranking_table(ranking[ranking["k"] == k], manifest.get("reference"))
        for k in ranking["k"].unique()
    ]
    lines = notes(ranking, manifest) if len(ranking) else ["The results have no predictor."]
    return "\n".join([*parts, *_bullets(lines)])


def headline_markdown(results: VectorResults, k: int | None = None) -> str:
    """Give the headline of several tasks as one Markdown table.

    Parameters
    ----------
    results : VectorResults
        The results.
    k : int, optional
        Number of shown responses; by default the smallest of each task.
    """
    shown = headline_of(results, results.rankings(), k)
    columns = [column for column in shown.columns if column.k is not None]
    places = [i for i, column in enumerate(shown.columns) if column.k is not None]
    heads = [f"{c.entry.heading}, {c.measure}, k = {c.k}" for c in columns]
    rows = []
    for row in shown.rows:
        cells = [row["cells"][i] for i in places]
        losses = [
            "–"
            if cell is None
            else f"{words.number(cell['loss'], cell['unit'], rule=cell['rule'])}"
            f" ({words.rank_set(cell)})"
            for cell in cells
        ]
        mean = words.number(row["mean_rank"], digits=1)
        rows.append([row["predictor"], mean, *losses])
    at = "the smallest k of each task" if k is None else f"k = {k}"
    title = f"**At {at}: mean loss (rank set) on each task**\n"
    table = _table(["Predictor", "Mean rank", *heads], rows, left=(0,))
    return "\n".join([title, table, *_bullets(notes_of(results, shown))])


def ranking_image(ranking: pd.DataFrame, manifest: Mapping[str, Any], kind: str) -> bytes:
    """Draw the figure of a ranking at one k for paper: on white, in the colours of a light page.

    Parameters
    ----------
    ranking : DataFrame
        At one k, as `harness.ranking.rank` returns it.
    manifest : mapping
        The manifest of the results.
    kind : str
        ``svg`` or ``png``.

    Raises
    ------
    UsageError
        If nothing is ranked, or without what draws (`leaderboard.vega.drawn`).
    """
    figure = ranking_figure(ranking, manifest.get("reference"), "ranking")
    if figure is None:
        raise UsageError("there is nothing to draw: no predictor is ranked at this k.")
    return drawn(figure.spec, kind)


def _ranking_table(part: pd.DataFrame, reference: str | None) -> str:
    """Make the title and table of one k."""
    rule, unit = words.rule_of(part), str(part["unit"].iloc[0])
    shown = part[part[rule].notna()]
    responses = words.of_responses(part)
    n = int(shown["n_targets"].max()) if len(shown) else 0
    title = (
        f"**k = {int(part['k'].iloc[0])}: {words.targets(n, responses)}; {words.clusters(part)}**"
    )
    if shown.empty:
        return f"{title}\n"
    heads = [
        "Rank set",
        "Predictor",
        f"{words.RULE_NAMES[rule]} {unit}".strip(),
        "Skill %",
        f"Difference {unit}".strip(),
        "p (Holm)",
        "AUROC" if responses else "Cover 50/90 %",
        "Failed",
    ]
    rows = [_row(row, rule, unit, reference) for row in shown.to_dict("records")]
    return f"{title}\n\n{_table(heads, rows, left=(1,))}"


def _row(row: Mapping[Any, Any], rule: str, unit: str, reference: str | None) -> list[str]:
    """Format one predictor's numbers."""

    def spanned(name: str, show: Any) -> str:
        ends = [show(row[f"{name}_{end}"], unit, rule=rule) for end in ("low", "high")]
        known = row[f"{name}_low"] == row[f"{name}_low"]
        interval = f" [{ends[0]}, {ends[1]}]" if known else ""
        return f"{show(row[name], unit, rule=rule)}{interval}"

    compared = ["reference", "reference", "–"]
    if row["predictor"] != reference:
        skill = words.percent(row["skill"])
        if row["skill_low"] == row["skill_low"]:
            low, high = words.percent(row["skill_low"]), words.percent(row["skill_high"])
            skill += f" [{low}, {high}]"
        compared = [skill, spanned("difference", words.signed), words.p_value(row["p_holm"])]
    more = (
        words.number(row["auroc"], rule="auroc")
        if "auroc" in row
        else f"{words.percent(row['coverage_50'])}/{words.percent(row['coverage_90'])}"
    )
    rank = words.rank_set(row) if row["ranked"] else "not ranked"
    loss = spanned(rule, words.number)
    return [rank, str(row["predictor"]), loss, *compared, more, f"{row['n_failed']:,}"]


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], left: tuple[int, ...]) -> str:
    """Make a Markdown table; columns but those of `left` are aligned to the right."""
    heads = list(heads)
    rule = [":--" if i in left else "--:" for i in range(len(heads))]
    lines = [[_escaped(head) for head in heads], rule]
    lines += [[_escaped(cell) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _bullets(lines: Iterable[str]) -> list[str]:
    """Make a Markdown list."""
    return [f"- {_escaped(line)}" for line in lines] + [""]


def _escaped(text: object) -> str:
    r"""Escape what Markdown, or HTML in it, would read as more than text.

    Examples
    --------
    >>> _escaped("<b>|a_b*")
    '&lt;b&gt;\\|a\\_b\\*'
    """
    safe = words.clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # a bracket alone is text; with a round one after it, it could be a link
    return re.sub(r"([\\`*_|~#$]|\](?=\())", r"\\\1", safe)
