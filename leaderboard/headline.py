"""The headline of several tasks, for a terminal and as JSON; the page shows the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.headline import headline, ks_of
from harness.vector_results import TaskEntry, VectorResults
from leaderboard import words
from leaderboard.terminal import RANK_SETS, broken, new_console, new_table, plain, ranking_document

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "ORDER",
    "Column",
    "Headline",
    "headline_document",
    "headline_of",
    "notes_of",
    "print_headline",
    "references",
    "remarks",
]

ORDER = (
    "Rows are ordered by mean rank: the mean of a predictor's ranks over the tasks where it is "
    "ranked. Losses are never averaged over tasks."
)


@dataclass(frozen=True)
class Column:
    """One task of the headline.

    Attributes
    ----------
    entry : TaskEntry
        The task, and what became of it.
    k : int or None
        Number of shown responses; None where there are no results at the wanted number.
    ks : list of int
        All that were evaluated.
    n_targets : int
        Targets that the ranked predictors are compared on.
    rule, unit : str
        What the losses are.
    clusters : str
        What the intervals rest on.
    responses : bool
        Whether single responses were predicted: then runs are counted as targets.
    """

    entry: TaskEntry
    k: int | None
    ks: list[int]
    n_targets: int
    rule: str
    unit: str
    clusters: str
    responses: bool = False

    @property
    def size(self) -> str:
        """How many targets there are, in words."""
        return words.targets(self.n_targets, self.responses)

    @property
    def measure(self) -> str:
        """Name and unit of the losses."""
        return f"{words.RULE_NAMES[self.rule]} {self.unit}".strip()


@dataclass(frozen=True)
class Headline:
    """The table of predictors by tasks at one number of shown responses.

    Attributes
    ----------
    k : int or None
        The wanted number; None for the smallest of each task.
    columns : list of Column
        The tasks, those that do not apply among them.
    rows : list of dict
        By mean rank: predictor, mean_rank, n_ranked, cells. A cell is the row of
        `harness.headline.headline`, None where the predictor is not ranked on the task.
    of_tasks, of_predictors : list of str
        What has to be said of tasks and of predictors, sentence by sentence.
    """

    k: int | None
    columns: list[Column]
    rows: list[dict[str, Any]]
    of_tasks: list[str]
    of_predictors: list[str]


def headline_of(
    results: VectorResults, rankings: Mapping[str, pd.DataFrame], k: int | None = None
) -> Headline:
    """Gather what the headline shows.

    Parameters
    ----------
    results : VectorResults
        The results.
    rankings : mapping of str to DataFrame
        Folder → ranking at every k (`VectorResults.rankings`).
    k : int, optional
        Number of shown responses; by default the smallest of each task.

    Raises
    ------
    UsageError
        If no task was evaluated at k.
    """
    table = headline(rankings, k)
    columns = [_column(entry, rankings.get(entry.folder), k) for entry in results.entries]
    cells = {(row["task"], row["predictor"]): row for row in table.to_dict("records")}
    rows = []
    for name in dict.fromkeys(table["predictor"]):
        own = [cells.get((column.entry.folder, name)) for column in columns]
        first = next(row for row in own if row is not None)
        rows.append(
            {
                "predictor": str(name),
                "mean_rank": first["mean_rank"],
                "n_ranked": first["n_ranked"],
                "cells": [row if row is not None and row["ranked"] else None for row in own],
            }
        )
    shown = {
        column.entry.folder: rankings[column.entry.folder].query("k == @column.k")
        for column in columns
        if column.k is not None
    }
    of_predictors = _of_predictors(results, columns, shown, cells)
    return Headline(k, columns, rows, _of_tasks(columns, shown), of_predictors)


def print_headline(
    results: VectorResults,
    k: int | None = None,
    metric: str | None = None,
    console: Console | None = None,
) -> None:
    """Print the headline: mean loss, skill and rank set of each predictor on each task.

    Parameters
    ----------
    results : VectorResults
        The results.
    k : int, optional
        Number of shown responses; by default the smallest of each task.
    metric : str, optional
        Only targets of this metric.
    console : rich.console.Console, optional
        Where to print; as in `leaderboard.terminal.print_ranking`.
    """
    from rich.text import Text

    console = console or new_console()
    shown = headline_of(results, results.rankings(metric), k)
    measures = list(dict.fromkeys(c.measure for c in shown.columns if c.k is not None))
    at = "the smallest k of each task" if k is None else f"k = {k}"
    what = f"mean {' or '.join(measures)}, skill %, (rank set)"
    title = f"{words.count(len(shown.columns), 'task')} at {at}: {what}"
    console.print(Text(title, style="bold"))
    for table in _tables(shown, console.width):
        console.print(table)
        console.print()
    for line in notes_of(results, shown):
        console.print(Text(line))
    console.print(Text("One task in full, with intervals: leaderboard show … --task TASK"))


def headline_document(
    results: VectorResults, k: int | None = None, metric: str | None = None
) -> dict[str, Any]:
    """Return everything that `print_headline` shows, and the rankings, ready for ``json.dumps``.

    Parameters
    ----------
    results, k, metric
        As in `print_headline`.

    Returns
    -------
    dict
        Keys k (null: the smallest of each task), tasks (each with task, heading, folder, status,
        reason, note, k, ks, n_targets, rule, unit, clusters, responses), headline (rows of
        `harness.headline.headline`), notes, rankings (folder →
        `leaderboard.terminal.ranking_document`, at every k).
    """
    rankings = results.rankings(metric)
    shown = headline_of(results, rankings, k)
    return {
        "k": k,
        "tasks": [
            {**plain(vars(c.entry)), **{n: plain(v) for n, v in vars(c).items() if n != "entry"}}
            for c in shown.columns
        ],
        "headline": [plain(row) for row in headline(rankings, k).to_dict("records")],
        "notes": notes_of(results, shown),
        "rankings": {
            folder: ranking_document(ranking, results.results[folder].manifest)
            for folder, ranking in rankings.items()
        },
    }


def _column(entry: TaskEntry, ranking: pd.DataFrame | None, k: int | None) -> Column:
    """Describe one task at the wanted k."""
    if ranking is None or ranking.empty:
        return Column(entry, None, [], 0, "crps", "", "")
    ks = ks_of({entry.folder: ranking})
    chosen = min(ks) if k is None else k
    part = ranking[ranking["k"] == chosen]
    rule, unit = words.rule_of(ranking), str(ranking["unit"].iloc[0])
    if part.empty:
        return Column(entry, None, ks, 0, rule, unit, "")
    n, responses = int(part["n_targets"].max()), words.of_responses(ranking)
    return Column(entry, chosen, ks, n, rule, unit, words.clusters(part), responses)


def references(results: VectorResults) -> str:
    """Name what skill is against; where tasks differ, on which."""
    pairs = (
        (words.clean(results.results[entry.folder].manifest.get("reference") or ""), entry.heading)
        for entry in results.entries
        if entry.evaluated
    )
    found = _gathered(pairs)
    if len(found) == 1:
        return found[0][0]
    return words.listing(f"{name} ({words.clean(where)})" for name, where in found)


def remarks(results: VectorResults) -> list[str]:
    """Give the notes of the manifests, each once."""
    notes = {r.manifest.get("note"): None for r in results.results.values()}
    return [words.clean(note) for note in notes if note]


def notes_of(results: VectorResults, shown: Headline) -> list[str]:
    """Return what has to be said below the table."""
    named = references(results)
    against = f"Skill is against {named}; less is better, except for skill." if named else ""
    lines = [ORDER, RANK_SETS, against, *shown.of_tasks, *shown.of_predictors]
    return [line for line in lines if line] + [f"Note: {text}" for text in remarks(results)]


def _of_tasks(columns: Iterable[Column], shown: Mapping[str, pd.DataFrame]) -> list[str]:
    """Say which tasks have no column of numbers, and what is to be known of the others."""
    lines = []
    for column in columns:
        heading = words.clean(column.entry.heading)
        if not column.entry.evaluated:
            lines.append(f"{heading} does not apply: {words.clean(column.entry.reason)}")
        elif column.k is None:
            there = ", ".join(map(str, column.ks)) or "none"
            lines.append(f"{heading} was not evaluated at this k (evaluated: {there}).")
        if column.entry.note:
            note = words.clean(column.entry.note)
            lines.append(f"{heading}: {note[:1].lower()}{note[1:]}")
    headings = _headings(columns)
    left_out = ((words.unbounded(part), headings[folder]) for folder, part in shown.items())
    for text, where in _gathered(left_out):
        lines.append(text if where == _all(headings, shown) else f"{where}: {text}")
    return lines


def _of_predictors(
    results: VectorResults,
    columns: Iterable[Column],
    shown: Mapping[str, pd.DataFrame],
    cells: Mapping[tuple[Any, Any], Mapping[Any, Any]],
) -> list[str]:
    """Say who is not ranked where and why, and whose fits failed their own checks."""
    headings = _headings(columns)
    lines = []
    away = (
        (f"{words.clean(name)}\n{words.why_away(str(row['reason']))}", headings[folder])
        for (folder, name), row in cells.items()
        if not row["ranked"]
    )
    alike: dict[tuple[str, str], list[str]] = {}
    for text, where in _gathered(away):
        name, reason = text.split("\n", 1)
        at = "" if where == _all(headings, shown) else f" ({where})"
        alike.setdefault((at, reason), []).append(name)
    lines += [f"{', '.join(names)}{at}: {reason}." for (at, reason), names in alike.items()]
    names = {name: None for _, name in cells}
    absent = (
        (words.clean(name), headings[folder])
        for name in names
        for folder in shown
        if (folder, name) not in cells
    )
    lines += [f"{name} ({where}): was not evaluated." for name, where in _gathered(absent)]
    doubtful = (
        (words.clean(p["name"]), headings[folder])
        for folder in shown
        for p in results.results[folder].manifest.get("predictors") or ()
        if p.get("failed_checks")
    )
    for name, where in _gathered(doubtful):
        lines.append(f"{name}: a check of its own fit failed ({where}).")
    return lines


def _gathered(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join the headings under which the same is said."""
    found: dict[str, dict[str, None]] = {}
    for text, heading in pairs:
        if text:
            found.setdefault(text, {})[heading] = None
    return [(text, ", ".join(headings)) for text, headings in found.items()]


def _headings(columns: Iterable[Column]) -> dict[str, str]:
    return {c.entry.folder: words.clean(c.entry.heading) for c in columns}


def _all(headings: Mapping[str, str], shown: Iterable[str]) -> str:
    """Give the headings of all tasks that are shown, as `_gathered` joins them."""
    return ", ".join(headings[folder] for folder in shown)


def _tables(shown: Headline, width: int) -> list[Table]:
    """Make as many tables as the tasks need, each with all predictors."""
    from rich.text import Text

    first = min(max((len(row["predictor"]) for row in shown.rows), default=0), 22)
    first = max(first, len("Predictor"))
    means = _means(shown.rows)
    room = width - first - 2 - max(map(len, ("Mean", *means)))
    # One table, with a decimal less if need be; else as many as it takes, in full.
    for digits in (2, 1, 2):
        texts = [_cells(column, i, shown.rows, digits) for i, column in enumerate(shown.columns)]
        wide = [
            max(len(line) for line in (*_head(column), *texts[i]))
            for i, column in enumerate(shown.columns)
        ]
        if sum(w + 2 for w in wide) <= room:
            break
    tables = []
    for chosen in _shares(wide, room):
        table = new_table()
        table.add_column("Predictor", overflow="fold", max_width=first)
        table.add_column("Mean\nrank", justify="right", no_wrap=True)
        for i in chosen:
            head = Text("\n".join(_head(shown.columns[i])))
            table.add_column(head, justify="right", no_wrap=True)
        for number, row in enumerate(shown.rows):
            cells = [means[number], *(texts[i][number] for i in chosen)]
            table.add_row(*map(Text, (broken(row["predictor"], first), *cells)))
        tables.append(table)
    return tables


def _means(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Format mean ranks, with the number of tasks where these differ."""
    rows = list(rows)
    differ = len({row["n_ranked"] for row in rows if row["n_ranked"]}) > 1
    return [
        words.number(row["mean_rank"], digits=1)
        + (f" of {row['n_ranked']}" if differ and row["n_ranked"] else "")
        for row in rows
    ]


def _head(column: Column) -> list[str]:
    """Give the lines above a task's column."""
    lines = broken(column.entry.heading, 13).splitlines()
    if column.k is None:
        return lines
    return [*lines, f"k = {column.k}", column.size]


def _cells(column: Column, place: int, rows: Iterable[Mapping[str, Any]], digits: int) -> list[str]:
    """Format one task's losses, skills and rank sets, each aligned."""
    number = partial(words.number, unit=column.unit, digits=digits, rule=column.rule)
    parts = [
        ("–",)
        if (cell := row["cells"][place]) is None
        else (
            number(cell["loss"]),
            words.percent(cell["skill"]),
            f"({words.rank_set(cell, '-')})",
        )
        for row in rows
    ]
    wide = [max((len(p[i]) for p in parts if len(p) > 1), default=0) for i in range(3)]
    return [f"{p[0]} {p[1]:>{wide[1]}} {p[2]:>{wide[2]}}" if len(p) > 1 else p[0] for p in parts]


def _shares(wide: list[int], room: int) -> list[list[int]]:
    """Divide columns among as few tables as their widths allow, evenly."""
    used, tables = 0, 1
    for one in wide:
        if used and used + one + 2 > room:
            tables, used = tables + 1, 0
        used += one + 2
    most = max(1, -(-len(wide) // tables))
    return [list(range(i, min(i + most, len(wide)))) for i in range(0, len(wide), most)]
