"""A page that sets several tasks side by side, and a page of each, linked from it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.headline import headline, ks_of
from harness.vector_results import VectorResults
from leaderboard import words
from leaderboard.charts import styles
from leaderboard.downloads import csv_text
from leaderboard.files import write_text
from leaderboard.headline import Headline, headline_of, references, remarks
from leaderboard.page import site_folder, write_pages
from leaderboard.slopes import slopes
from leaderboard.templating import environment
from leaderboard.vega import write_scripts

__all__ = ["build_site"]


def build_site(results: VectorResults, out: str | Path, title: str | None = None) -> Path:
    """Write ``index.html``, ``headline.csv``, and a folder with a page for each task.

    Like the pages of the tasks (`leaderboard.page.build`), the page needs no network, is complete
    without scripts, and is a function of the results alone.

    Parameters
    ----------
    results : VectorResults
        Such as `harness.vector_results.VectorResults.load` returns.
    out : str or Path
        Folder to write into; made where it is missing. Other files in it are left alone.
    title : str, optional
        Title of the page.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    UsageError
        If `out` is a file, or the results cannot be ranked (see `harness.ranking.rank`).
    """
    folder = site_folder(out)
    rankings = results.rankings()
    folder.mkdir(parents=True, exist_ok=True)
    write_scripts(folder)
    for entry in results.entries:
        if entry.evaluated:
            own = folder / entry.folder
            own.mkdir(exist_ok=True)
            heading = f"{entry.heading}: {title}" if title else None
            write_pages(
                results.results[entry.folder],
                rankings[entry.folder],
                own,
                heading or f"Predictor ranking: {entry.heading}",
                root="../",
            )
    html = (
        environment().get_template("headline.html.j2").render(**_content(results, rankings, title))
    )
    tables = [headline(rankings, k) for k in ks_of(rankings)] or [headline(rankings)]
    write_text(folder / "headline.csv", csv_text(pd.concat(tables, ignore_index=True)))
    write_text(folder / "index.html", html)
    return folder / "index.html"


def _content(
    results: VectorResults, rankings: Mapping[str, pd.DataFrame], title: str | None
) -> dict[str, Any]:
    """Return everything that the template shows."""
    smallest = {int(ranking["k"].min()) for ranking in rankings.values() if len(ranking)}
    wanted: list[int | None] = [*ks_of(rankings)]
    if len(smallest) != 1:
        wanted = [None, *wanted]
    shown = [headline_of(results, rankings, k) for k in wanted]
    named = {str(one.manifest.get("reference")) for one in results.results.values()}
    # the same colours at every k, and the best of the first in different ones
    order = dict.fromkeys(row["predictor"] for one in shown for row in one.rows)
    style = styles([name for name in order if name not in named], None)
    command = results.listed["command"]
    if isinstance(command, Sequence) and not isinstance(command, str):
        command = shlex.join(map(str, command))
    return {
        "title": title or "Predictor ranking on several tasks",
        "manifest": {"benchcast": results.listed["benchcast"]},
        "command": command,
        "remarks": remarks(results),
        "reference": references(results),
        "panels": [_panel(one) | {"slopes": slopes(one, style, named)} for one in shown],
    }


def _panel(shown: Headline) -> dict[str, Any]:
    """Return what is shown of one k."""
    told_apart = [
        any(cell is not None and cell["rank_low"] > 1 for cell in cells)
        for cells in zip(*(row["cells"] for row in shown.rows), strict=True)
    ]
    rows = [
        {
            **row,
            "cells": [
                cell and {**cell, "leads": bool(cell["rank_low"] == 1) and apart}
                for cell, apart in zip(row["cells"], told_apart, strict=True)
            ],
        }
        for row in shown.rows
    ]
    measures = dict.fromkeys(c.measure for c in shown.columns if c.k is not None)
    return {
        "k": "smallest" if shown.k is None else shown.k,
        "at": "the smallest k of each task" if shown.k is None else f"k = {shown.k}",
        "measures": words.listing(measures),
        "one_measure": len(measures) == 1,
        "columns": shown.columns,
        "rows": rows,
        "of_tasks": shown.of_tasks,
        "of_predictors": shown.of_predictors,
    }
