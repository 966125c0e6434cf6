"""A ranking as pages that open from a file: no network, nothing from outside."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness.ranking import headline_rule, rank
from harness.results import Results
from leaderboard.content import PageResults, page_content
from leaderboard.downloads import downloads, write_downloads
from leaderboard.files import write_text
from leaderboard.templating import environment
from leaderboard.vega import write_scripts

__all__ = ["PageResults", "build", "site_folder", "write_pages"]


CELLS = "cells/index.html"
"""The heat map of all models and scenarios, where anything is scored."""


def build(results: PageResults, out: str | Path, title: str | None = None) -> Path:
    """Write the pages of a ranking into a folder.

    ``index.html`` is the ranking; ``predictors/`` and ``cells/`` have a page for each predictor and
    each cell, ``ranking.csv``, ``ranking.parquet`` and ``data/`` the numbers, ``assets/`` what
    draws figures (where the extra ``pages`` is installed). No page needs a network, and all is
    there without scripts, which sort, filter and draw; the content security policy allows ours
    alone. The pages are a function of the results: the same results give the same bytes.

    Parameters
    ----------
    results : PageResults
        Such as `harness.results.Results.load` returns.
    out : str or Path
        Folder to write into; made where it is missing. Other files in it are left alone.
    title : str, optional
        Title of the page; by default it names the task.

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
    ranking = rank(results, rule=headline_rule(results.scores))
    folder.mkdir(parents=True, exist_ok=True)
    write_scripts(folder)
    return write_pages(results, ranking, folder, title)


def write_pages(
    results: PageResults,
    ranking: pd.DataFrame,
    folder: Path,
    title: str | None = None,
    root: str = "",
) -> Path:
    """Write the pages of one task; what draws their figures is at the site's root.

    Parameters
    ----------
    results : PageResults
        The results.
    ranking : DataFrame
        At every k, as `harness.ranking.rank` gives it.
    folder : Path
        Folder to write into, there already.
    title : str, optional
        Title of the page.
    root : str
        From the page to the root of the site, where the page of all tasks is: ``"../"``; empty
        where the page is it.

    Returns
    -------
    Path
        Of ``index.html``.
    """
    offered = downloads(results)
    content = page_content(results, ranking, title)
    content |= {"root": root, "home": f"{root}index.html" if root else None, "downloads": offered}
    content["has_pages"] = _further(results, ranking, folder, root)
    content["has_cells"] = content["has_pages"] and (folder / CELLS).is_file()
    html = environment().get_template("page.html.j2").render(**content)
    write_downloads(folder, ranking, offered)
    write_text(folder / "index.html", html)
    return folder / "index.html"


def site_folder(out: str | Path) -> Path:
    """Give the folder of a site.

    Raises
    ------
    UsageError
        If it is a file.
    """
    from suites.errors import UsageError

    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder to write the pages into")
    return folder


def _further(results: PageResults, ranking: pd.DataFrame, folder: Path, root: str) -> bool:
    """Write the pages of predictors and cells, and say whether there are any."""
    if not isinstance(results, Results) or ranking.empty:
        return False
    from leaderboard.arrays import Arrays
    from leaderboard.cell_page import build_cell_pages
    from leaderboard.predictor_page import build_predictor_pages

    arrays = Arrays.of(results, ranking)
    build_predictor_pages(results, ranking, folder, root, arrays=arrays)
    build_cell_pages(results, ranking, folder, root, arrays=arrays)
    return True
