"""Files beside a page: the ranking, and tables of the results where they are not too large."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.results import Results
from leaderboard.files import write_bytes, write_text

__all__ = ["LARGEST", "Download", "csv_text", "downloads", "write_downloads"]

LARGEST = 25_000_000
"""Bytes up to which a table of the results is copied: what a host of static pages takes well."""

COPIED = (
    ("scores", "every predictor's scores of every target, by every rule"),
    ("targets", "the held-out runs and their values"),
    ("status", "what became of every prediction"),
)
"""Tables of the results that a reader would want, and what they are."""


@dataclass(frozen=True)
class Download:
    """A file beside a page.

    Attributes
    ----------
    what : str
        What it is, in words.
    name : str
        The file's name.
    href : str
        Its address relative to the page; empty where it is too large, and was left out.
    size : str
        In words.
    source : Path or None
        The file it is a copy of.
    """

    what: str
    name: str
    href: str
    size: str
    source: Path | None = None


def downloads(results: object) -> list[Download]:
    """List the tables of a results folder that are offered beside its page.

    Parameters
    ----------
    results : object
        Anything but `harness.results.Results` has no files, and gives none.
    """
    if not isinstance(results, Results):
        return []
    out = []
    for name, what in COPIED:
        path = results.path / f"{name}.parquet"
        if path.is_file():
            file, size = path.name, path.stat().st_size
            href = f"data/{file}" if size <= LARGEST else ""
            out.append(Download(what, file, href, _size(size), path))
    return out


def write_downloads(folder: Path, ranking: pd.DataFrame, offered: list[Download]) -> None:
    """Write ``ranking.csv``, ``ranking.parquet`` and copies of tables into a site's folder."""
    write_text(folder / "ranking.csv", csv_text(ranking))
    buffer = io.BytesIO()
    ranking.to_parquet(buffer, index=False)
    write_bytes(folder / "ranking.parquet", buffer.getvalue())
    for one in offered:
        if one.href and one.source is not None:
            target = folder / one.href
            target.parent.mkdir(exist_ok=True)
            write_bytes(target, one.source.read_bytes())


def csv_text(ranking: pd.DataFrame) -> str:
    """Return a ranking as CSV; a name that a spreadsheet would run as a formula is quoted."""
    safe = ranking.copy()
    for column in ("predictor", "reason"):
        safe[column] = [
            "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
            for text in ranking[column].astype(str)
        ]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _size(n: int) -> str:
    """Format a file's size.

    Examples
    --------
    >>> _size(0), _size(430_948), _size(57_300_000)
    ('1 kB', '431 kB', '57 MB')
    """
    return f"{max(round(n / 1e3), 1)} kB" if n < 1e6 else f"{round(n / 1e6)} MB"
