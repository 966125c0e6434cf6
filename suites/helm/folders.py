"""What a folder of HELM's is, and which folders a user's text names."""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from suites.errors import UsageError

RUN_FILES: tuple[str, ...] = (
    "run_spec.json",
    "scenario.json",
    "scenario_state.json",
    "stats.json",
    "per_instance_stats.json",
)
"""What helm-run writes for a completed run."""

NOT_RUNS = frozenset({"eval_cache", "groups"})
"""Folders of a suite that HELM itself does not count as runs."""

PathLike = str | os.PathLike[str]


class NotFound(UsageError, FileNotFoundError):
    """There is nothing at a path, or nothing that matches a glob."""

    def __str__(self) -> str:
        return str(self.args[0])


# ---------- what a folder is


def is_run(path: PathLike) -> bool:
    """Say whether a folder is a run by HELM's own rule: run_spec.json and stats.json are in it."""
    folder = Path(path)
    return (
        folder.name not in NOT_RUNS
        and (folder / "run_spec.json").is_file()
        and (folder / "stats.json").is_file()
    )


def is_run_like(path: PathLike) -> bool:
    """Say whether a folder is a run, or would be if one of its files were not missing."""
    folder = Path(path)
    return folder.name not in NOT_RUNS and any((folder / f).is_file() for f in RUN_FILES)


def is_release(path: PathLike) -> bool:
    """Say whether a folder is a release: it names runs and lies beside ``runs``."""
    folder = Path(path)
    return (folder / "runs_to_run_suites.json").is_file() and (
        absolute(folder).parent.name == "releases" and not any(map(is_run_like, folders_in(folder)))
    )


def is_suite(path: PathLike) -> bool:
    """Say whether a folder is a suite: it has runs, is a release, or lies in a ``runs`` folder."""
    folder = Path(path)
    if not folder.is_dir() or is_run_like(folder):
        return False
    if is_release(folder) or any(map(is_run_like, folders_in(folder))):
        return True
    parent = absolute(folder).parent
    return parent.name == "runs" and not any(map(is_run_like, folders_in(parent)))


def outputs_root(path: Path) -> Path | None:
    """Find the outputs folder that a path names: itself, its child, or the parent of ``runs``."""
    if not path.is_dir() or is_run_like(path):
        return None
    inner = path / "benchmark_output"
    if inner.is_dir() and path.name != "benchmark_output":
        return inner
    if (path / "runs").is_dir() or (path / "releases").is_dir():
        return path
    return absolute(path).parent if absolute(path).name == "runs" else None


def absolute(path: PathLike) -> Path:
    """Make a path absolute without following links."""
    return Path(os.path.abspath(path))


def folders_in(path: Path) -> list[Path]:
    """List the folders in a folder, sorted; not hidden ones, not links that lead nowhere."""
    try:
        with os.scandir(path) as entries:
            names = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    except OSError:
        return []
    return [path / name for name in sorted(names)]


def unique_paths(paths: Iterable[Path]) -> list[Path]:
    """Drop what a list names twice, by whatever links; the place itself is kept before a link."""
    kept: dict[str, Path] = {}
    for path in paths:
        real, here = os.path.realpath(path), str(absolute(path))
        if real not in kept:
            kept[real] = path
        elif here == real != str(absolute(kept[real])):
            del kept[real]  # a link stood for it: it takes its own place in the order
            kept[real] = path
    return list(kept.values())


def without_links(folders: list[Path]) -> list[Path]:
    """Drop links to a neighbour that is listed too (HELM's ``latest``)."""
    real = {os.path.realpath(p) for p in folders if not p.is_symlink()}
    return unique_paths(p for p in folders if not p.is_symlink() or os.path.realpath(p) not in real)


# ---------- what was named


def expand(named: PathLike) -> list[Path]:
    """Find the paths that a user's text names.

    A path that exists is that path, whatever characters are in it. Else the text may be a YAML list
    (MAGNET's way to write several in one string), a glob (``**`` goes into folders), or the
    beginning of a path.

    Parameters
    ----------
    named : str or path
        What the user wrote.

    Returns
    -------
    list of Path
        At least one; sorted as far as one pattern goes, each place once.

    Raises
    ------
    NotFound
        If there is nothing, with the nearest names there are.
    """
    text = os.path.expanduser(os.fspath(named))
    if not text.strip():
        raise NotFound("an empty path names nothing.")
    if os.path.exists(text):
        return [Path(text)]
    listed = _yaml_list(text)
    if listed is not None:
        return unique_paths(path for entry in listed for path in expand(entry))
    if glob.has_magic(text):
        found = sorted(glob.glob(_escape_existing(text), recursive=True))
        if not found:
            raise NotFound(f"nothing matches {text!r}. {_nearest(text)}")
        return unique_paths(Path(f) for f in found if os.path.exists(f))
    begun = [] if text.endswith(os.sep) else _beginning_with(text)
    if begun:
        return begun
    raise NotFound(f"there is nothing at {text!r}. {_nearest(text)}")


def _yaml_list(text: str) -> list[str] | None:
    if not (text.lstrip().startswith(("[", "- ")) or "\n" in text):
        return None
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return value if isinstance(value, list) and all(isinstance(v, str) for v in value) else None


def _escape_existing(text: str) -> str:
    """Escape the leading folders that exist as they are written, so that ``[`` may be in them."""
    parts = Path(text).parts
    for n in range(len(parts), 0, -1):
        head = os.path.join(*parts[:n])
        if os.path.isdir(head):
            return os.path.join(glob.escape(head), *parts[n:])
    return text


def _beginning_with(text: str) -> list[Path]:
    folder, begin = os.path.split(text)
    return unique_paths(p for p in folders_in(Path(folder or ".")) if p.name.startswith(begin))


def _nearest(text: str) -> str:
    """Say what there is instead: in the deepest folder of the path that exists."""
    parts = Path(text).parts
    n = next((n for n in range(len(parts), 0, -1) if os.path.isdir(os.path.join(*parts[:n]))), 0)
    folder = os.path.join(*parts[:n]) if n else "."
    if n < len(parts) - 1 and not glob.has_magic(parts[n]):
        return f"The folder {folder} exists, but nothing in it is named {parts[n]!r}."
    names = [p.name for p in folders_in(Path(folder))]
    if not names:
        return f"The folder {folder} exists and has no folders in it."
    near = difflib.get_close_matches(parts[n] if n < len(parts) else "", names, n=2, cutoff=0.4)
    if near:
        return f"In {folder}, did you mean {' or '.join(near)}?"
    shown = ", ".join(names[:5]) + (f", … ({len(names)} in all)" if len(names) > 5 else "")
    return f"The folder {folder} has: {shown}."


def is_path(value: Any) -> bool:
    """Say whether a value is text or a path."""
    return isinstance(value, str | os.PathLike)
