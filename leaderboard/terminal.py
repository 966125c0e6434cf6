"""The ranking as a table in a terminal, as plain lines, and as one JSON document."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from leaderboard import words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["notes", "print_ranking", "ranking_document", "ranking_lines"]

WIDTH = 100
"""Columns used where the output is not a terminal."""

FULL_TABLES = 3
"""With more k than this, one overview of all k is shown instead of a full table of each."""

MIN_NAME = 16
"""Columns that a predictor's name should have at least."""

RANK_SETS = (
    "Rank: the ranks that are left open when all predictors are compared at once, from 1 + the "
    "number that are surely better to the number of ranked ones less those that are surely worse: "
    "with 95 % confidence the true ranks of all lie in their sets together."
)


def print_ranking(
    ranking: pd.DataFrame, manifest: Mapping[str, Any], console: Console | None = None
) -> None:
    """Print a ranking: a table for each k (an overview of all when there are many), then notes.

    Parameters
    ----------
    ranking : DataFrame
        As `harness.ranking.rank` returns it.
    manifest : mapping
        The manifest of the results; reference, task and note are read.
    console : rich.console.Console, optional
        Where to print; standard output by default, 100 columns wide where it is not a terminal.

    Examples
    --------
    >>> import pandas as pd
    >>> from rich.console import Console
    >>> print_ranking(pd.DataFrame(columns=["k", "reason"]), {}, Console(width=100))
    Nothing to rank: the results have no predictor.
    """
    from rich.text import Text

    console = console or new_console()
    if ranking.empty:
        console.print("Nothing to rank: the results have no predictor.")
        return
    ks = list(ranking["k"].unique())
    tables = (
        [_full(ranking[ranking["k"] == k], manifest, k, console.width) for k in ks]
        if len(ks) <= FULL_TABLES
        else _overviews(ranking, console.width)
    )
    for title, table in tables:
        console.print(Text(title, style="bold"))
        if table.row_count:
            console.print(table)
        console.print()
    if len(ks) > FULL_TABLES:
        console.print("One k in full, with intervals: leaderboard show … --k K")
    for line in notes(ranking, manifest):
        console.print(Text(line))


def ranking_lines(
    ranking: pd.DataFrame, manifest: Mapping[str, Any], width: int = WIDTH
) -> list[str]:
    """Return what `print_ranking` prints as plain lines, without colours.

    Parameters
    ----------
    ranking : DataFrame
        As `harness.ranking.rank` returns it.
    manifest : mapping
        The manifest of the results.
    width : int
        Columns that may be used.
    """
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False)
    print_ranking(ranking, manifest, console)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def ranking_document(ranking: pd.DataFrame, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that `print_ranking` shows, unrounded, ready for ``json.dumps``.

    Parameters
    ----------
    ranking : DataFrame
        As `harness.ranking.rank` returns it.
    manifest : mapping
        The manifest of the results.

    Returns
    -------
    dict
        Keys task, reference, rule, unit, level, seeds, folds, k, sources, isolation, note,
        predictors (as in the manifest) and ranking: one object per row. NaN, infinity and NA are
        None.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"k": [0], "rule": ["crps"], "unit": ["pp"], "skill": [float("nan")]})
    >>> ranking_document(frame, {"task": "heldout-run"})["ranking"]
    [{'k': 0, 'rule': 'crps', 'unit': 'pp', 'skill': None}]
    """
    kept = ("task", "reference", "seeds", "folds", "sources", "isolation", "note", "predictors")
    records = [
        {str(name): plain(value) for name, value in row.items()}
        for row in ranking.astype(object).to_dict("records")
    ]
    return {
        **{name: plain(manifest.get(name)) for name in kept},
        "rule": words.rule_of(ranking),
        "unit": str(ranking["unit"].iloc[0]) if len(ranking) else "",
        "level": 0.95,
        "k": [int(k) for k in ranking["k"].unique()],
        "ranking": records,
    }


def plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if value is None or value is pd.NA:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool)) else str(value)


def new_console() -> Console:
    """Return a console on standard output that is never too narrow when nobody watches."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def new_table() -> Table:
    """Make an empty table in the house style."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)


def _full(part: pd.DataFrame, manifest: Mapping[str, Any], k: int, width: int) -> tuple[str, Table]:
    """Make the title and table of one k; predictors without any loss are left to the notes."""
    from rich.text import Text

    rule, unit = words.rule_of(part), str(part["unit"].iloc[0])
    shown = part[part[rule].notna()]
    n = int(shown["n_targets"].max()) if len(shown) else 0
    responses = words.of_responses(part)
    title = f"k = {k}: {words.targets(n, responses)}; {words.clusters(part)}"
    headings = [
        "Rank",
        "Predictor",
        f"{words.RULE_NAMES[rule]} {unit}".strip(),
        "Skill %",
        f"− reference {unit}".strip(),
        *(("Pooled", "Log\nloss", "AUROC") if responses else ("MAE", "Cover\n50/90")),
        "Failed",
    ]
    # Numbers keep their columns and the name gets what is left. Where that is too little, numbers
    # of two digits lose a decimal; then intervals go below their numbers.
    reference, is_large = manifest.get("reference"), bool(shown[rule].max() >= 10.0)
    for digits, gap in ((2, " "), (1, " "), (2, "\n")):
        if digits == 1 and not is_large:
            continue
        rows = [_row(row, rule, unit, reference, digits, gap) for row in shown.to_dict("records")]
        left = width - widths(headings, rows)
        if left >= MIN_NAME:
            break
    table = new_table()
    for i, heading in enumerate(headings):
        if i == 1:
            table.add_column(heading, overflow="fold", max_width=max(left, 1))
        else:
            table.add_column(heading, justify="left" if i in (2, 4) else "right", no_wrap=True)
    for cells, is_ranked in zip(rows, shown["ranked"], strict=True):
        cells[1] = broken(cells[1], left)
        table.add_row(*map(Text, cells), style="" if is_ranked else "dim")
    return title, table


def _row(
    row: Mapping[Any, Any], rule: str, unit: str, reference: object, digits: int, gap: str
) -> list[str]:
    """Format one predictor's numbers; `gap` stands between a number and its interval."""
    number = partial(words.number, digits=digits, rule=rule)
    signed = partial(words.signed, digits=digits, rule=rule)
    is_reference = row["predictor"] == reference
    if "pooled" in row:
        more = [
            number(row["pooled"], unit),
            *(words.number(row[name], rule=name) for name in ("log_loss", "auroc")),
        ]
    else:
        more = [
            number(row["absolute_error"], unit and "pp"),
            f"{words.percent(row['coverage_50'])}/{words.percent(row['coverage_90'])}",
        ]
    return [
        words.rank_set(row, "-"),
        words.clean(row["predictor"]),
        _with_span(row, rule, unit, number, gap),
        "" if is_reference else words.percent(row["skill"]),
        "(reference)" if is_reference else _with_span(row, "difference", unit, signed, gap),
        *more,
        f"{row['n_failed']:,}",
    ]


def widths(headings: Sequence[str], rows: Sequence[Sequence[str]], name: int = 1) -> int:
    """Return the width of all columns but the predictor's (`name`), with the space between."""
    total = 2 * (len(headings) - 1)
    for i, heading in enumerate(headings):
        cells = [heading, *(row[i] for row in rows)] if i != name else []
        total += max((len(line) for cell in cells for line in cell.splitlines()), default=0)
    return total


def broken(name: object, width: int) -> str:
    """Break a long name before its settings or after a hyphen, rather than within a word."""
    text = words.clean(name)
    if len(text) <= width:
        return text
    head, bracket, settings = text.partition("(")
    parts = [*textwrap.wrap(head, max(width, 1)), bracket + settings]
    return "\n".join(part for part in parts if part)


def _with_span(row: Mapping[Any, Any], name: str, unit: str, show: Any, gap: str) -> str:
    """Format a number and its interval."""
    interval = words.span(row[f"{name}_low"], row[f"{name}_high"], show, unit)
    return f"{show(row[name], unit)}{gap}{interval}".rstrip()


def _overviews(ranking: pd.DataFrame, width: int) -> list[tuple[str, Table]]:
    """Make tables of mean loss and rank set with the k as columns, as many as fit each."""
    from rich.text import Text

    rule, unit = words.rule_of(ranking), str(ranking["unit"].iloc[0])
    shown = ranking[ranking[rule].notna()]
    ks = [int(k) for k in shown["k"].unique()]
    place = shown.assign(place=shown.groupby("k").cumcount()).groupby("predictor")["place"].mean()
    names = list(place.sort_values(kind="stable").index)
    longest = min(max((len(str(name)) for name in names), default=0), 34)
    cells = {
        (row["predictor"], row["k"]): f"{words.number(row[rule], unit, rule=rule)} ({_range(row)})"
        for row in shown.to_dict("records")
    }
    widest = max((len(cell) for cell in cells.values()), default=1)
    each = max(1, (width - longest - 2) // (widest + 2))
    tables = []
    for start in range(0, len(ks), each):
        some = ks[start : start + each]
        heading = f"{words.RULE_NAMES[rule]} {unit}".strip()
        part = ranking[ranking["k"] == some[0]]
        title = f"{heading} (rank set) by k; {words.clusters(part)}"
        table = new_table()
        table.add_column("Predictor", overflow="fold", min_width=longest, max_width=34)
        for k in some:
            table.add_column(f"k = {k}", justify="right", no_wrap=True)
        for name in names:
            row = [cells.get((name, k), "–") for k in some]
            table.add_row(Text(broken(name, 34)), *map(Text, row))
        n = [int(shown.loc[shown["k"] == k, "n_targets"].max()) for k in some]
        table.add_section()
        counted = words.targets_word(words.of_responses(ranking)) + "s"
        table.add_row(Text(counted), *(Text(f"{one:,}") for one in n), style="dim")
        tables.append((title, table))
    return tables


def _range(row: Mapping[Any, Any]) -> str:
    """Format a rank set; an unranked predictor says so."""
    return words.rank_set(row, "-") if row["ranked"] else "unranked"


def notes(ranking: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Return what has to be said below the tables."""
    lines = [RANK_SETS] if ranking["ranked"].any() else []
    reference, responses = manifest.get("reference"), words.of_responses(ranking)
    if reference is not None:
        better = words.less_is_better(responses)
        lines.append(f"Reference: {words.clean(reference)}. {better}")
    if responses:
        lines.append(words.means_of(words.rule_of(ranking)))
    lines.append(words.unbounded(ranking))
    for predictor, where, reason in words.unranked(ranking):
        at = f" ({where})" if where else ""
        lines.append(f"{words.clean(predictor)}{at}: {words.why_away(reason)}.")
    strays = ranking.groupby("predictor", sort=False)["n_unknown"].sum()
    lines += [
        f"{words.clean(name)}: {words.count(int(n), 'answer')} for targets that nobody asked for."
        for name, n in strays.items()
        if n
    ]
    described = manifest.get("predictors", ())
    lines += [
        f"{words.clean(predictor['name'])}: its check {words.failed_check(check)}."
        for predictor in described
        for check in predictor.get("failed_checks") or ()
    ]
    lines += [f"{text}." for text in words.missing_diagnostics(described)]
    note = manifest.get("note")
    lines.append(f"Note: {words.clean(note)}" if note else "")
    return [line for line in lines if line]
