"""Files of other tools that are tables in substance: each format has an adapter.

An adapter knows its files by their content, and turns them into long tables with the standard
columns (`suites.table.adapters.long_table`); all the rest is the same as for any other table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from suites.locations import file_system, is_url, list_files
from suites.table.adapters import every_eval_ever, lm_eval
from suites.table.adapters.documents import Document
from suites.table.adapters.head import Head
from suites.table.adapters.long_table import LongTable
from suites.table.file import is_table_name
from suites.table.rows import Findings

_LISTED = 20
_JSON = re.compile(r"\.jsonl?(\.(gz|bz2|zst))?$", re.IGNORECASE)
_MOST_HEADS = 1000
"""How many files of a folder are looked at to tell whether one is known."""


@dataclass(frozen=True)
class Adapter:
    """Reads the files of one format.

    Attributes
    ----------
    name : str
        The format.
    knows : callable
        Says from a file's head whether it is of this format.
    read : callable
        Takes the files, whether they are all there is (else what belongs to the one file is looked
        for beside it) and what takes findings; gives long tables.
    """

    name: str
    knows: Callable[[Head], bool]
    read: Callable[[Sequence[Document], bool, Findings], list[LongTable]]


ADAPTERS: tuple[Adapter, ...] = (
    Adapter("Every Eval Ever", every_eval_ever.knows, every_eval_ever.read),
    Adapter("lm-evaluation-harness", lm_eval.knows, lm_eval.read),
)
"""The formats that are known; the first that knows a file reads it."""


class _HelmRuns(Exception):
    """A folder holds runs of HELM, which are another reader's."""


def adapter_of(head: Head) -> Adapter | None:
    """Give the adapter that knows a file, by its content.

    Examples
    --------
    >>> adapter_of(Head.parse(b'{"doc_id": 0, "doc": {}, "resps": [], "acc": 1.0}')).name
    'lm-evaluation-harness'
    >>> adapter_of(Head.parse(b'{"version": 2, "status": "success", "eval": {}, "results": {}}'))
    """
    if head.is_inspect_log:
        return None
    return next((adapter for adapter in ADAPTERS if adapter.knows(head)), None)


def accepts(source: str) -> bool:
    """Say whether a source is a file of a known format, or a folder with one. Never raises.

    Parameters
    ----------
    source : str
        Path or URL. A folder with runs of HELM is not accepted, nor one where none of the first
        1000 JSON files is known.
    """
    if is_table_name(source) or source.lower().endswith((".yaml", ".yml")):
        return False
    try:
        if not _is_folder(source):
            return adapter_of(Head.read(source)) is not None
        found, _ = _files(source)
        return any(adapter_of(Head.read(path)) is not None for path in found[:_MOST_HEADS])
    except Exception:  # whatever a foreign file holds, the answer is no
        return False


def read(source: str, findings: Findings) -> list[LongTable]:
    """Read a file of a known format, or all such files of a folder.

    Parameters
    ----------
    source : str
        Path or URL.
    findings : Findings
        Takes what cannot be read.

    Returns
    -------
    list of LongTable
        Those with the values of runs first; none if nothing could be read.
    """
    is_folder = _is_folder(source)
    paths, tables = _files(source) if is_folder else ([source], [])
    known: dict[str, list[Document]] = {adapter.name: [] for adapter in ADAPTERS}
    strange = []
    for path in paths:
        name = _within(path, source) if is_folder else re.split(r"[/\\]", path)[-1]
        try:
            head = Head.read(path)
        except OSError as err:
            findings.plain("bad-file", [f"cannot be read: {err}"], file=name)
            continue
        adapter = adapter_of(head)
        if adapter is not None:
            known[adapter.name].append(Document(path, name, head))
        elif not head.is_inspect_log:  # its own reader takes it
            strange.append(name)
    names = " nor ".join(adapter.name for adapter in ADAPTERS)
    for file in strange[:_LISTED]:
        findings.plain("unknown-file", [f"is not of {names}; it is left out"], file=file)
    if len(strange) > _LISTED:
        findings.plain("unknown-file", [f"{len(strange) - _LISTED} more files like these"])
    findings.plain(
        "other-table",
        [f"{_within(path, source)} is a table of its own; it is left out" for path in tables],
        "name it as a source",
    )
    out = [
        table
        for adapter in ADAPTERS
        if known[adapter.name]
        for table in adapter.read(known[adapter.name], is_folder, findings)
    ]
    return sorted(out, key=lambda table: not table.has_figures)


def _is_folder(source: str) -> bool:
    if not is_url(source):
        return os.path.isdir(source)
    if source.startswith(("http://", "https://")):  # cannot be listed
        return False
    system, path = file_system(source)
    return bool(system.isdir(path))


def _files(folder: str) -> tuple[list[str], list[str]]:
    """List the JSON files and the tables of a folder."""

    def keep(name: str) -> bool:
        if name == "run_spec.json":
            raise _HelmRuns(folder)
        return _JSON.search(name) is not None or is_table_name(name)

    found = list_files(folder, keep)
    return [p for p in found if not is_table_name(p)], [p for p in found if is_table_name(p)]


def _within(path: str, folder: str) -> str:
    """Name a file of a folder by its place in it."""
    if is_url(folder):
        _, found, below = path.partition(folder.split("://", 1)[1].strip("/") + "/")
        return below if found else path
    return os.path.relpath(path, folder).replace(os.sep, "/")
