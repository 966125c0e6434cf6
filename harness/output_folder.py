"""A folder that a command makes: written beside its place, and put there when it is whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.lock import LOCK, locked
from harness.vector_results import is_vector
from suites.errors import UsageError

__all__ = ["Output", "output_folder"]


class Temporary:
    """A folder that is removed when the last one who keeps it is gone, or at the end."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="benchcast-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass
class Output:
    """A folder that is being written.

    Attributes
    ----------
    folder : Path
        Where to write.
    final : Path
        Where it goes.
    keep : Temporary or None
        What keeps it alive, where no place was named.
    """

    folder: Path
    final: Path
    keep: Temporary | None = None

    def put(self) -> None:
        """Put the folder in its place; what was there goes only when the new one stands whole."""
        self.final.parent.mkdir(parents=True, exist_ok=True)
        if self.final == self.folder:
            return
        (self.folder / LOCK).unlink(missing_ok=True)
        old = self.folder.with_name(f"{self.folder.name}-replaced")
        if self.final.exists():
            self.final.rename(old)
        self.folder.rename(self.final)
        shutil.rmtree(old, ignore_errors=True)


def is_results(folder: Path) -> bool:
    """Say whether a folder holds results, of one task or of several."""
    one = all((folder / name).is_file() for name in ("manifest.json", "scores.parquet"))
    return one or is_vector(folder)


@contextlib.contextmanager
def output_folder(
    out: str | Path | None,
    overwrite: bool,
    what: str = "results",
    is_one: Callable[[Path], bool] = is_results,
    kept: str | None = None,
) -> Iterator[Output]:
    """Give a folder to write in; unless it is put in its place, it is removed at the end.

    Parameters
    ----------
    out : path or None
        Its place; None for a temporary one.
    overwrite : bool
        Whether one that is there may be replaced.
    what : str
        What such folders hold, for messages.
    is_one : callable
        Whether a folder is such a one: nothing else is ever replaced.
    kept : str, optional
        The name of a folder in it that stays when it is not put in its place, and is there again
        the next time. Only one process at a time can then write what goes to ``out``.

    Raises
    ------
    UsageError
        If something is in the way.
    """
    if out is None:
        keep = Temporary()
        path = keep.path / "folder"
        path.mkdir()
        yield Output(path, path, keep)
        return
    final = Path(out)
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        if not final.is_dir() or not is_one(final):
            raise UsageError(
                f"{final} is there already and holds no {what}: name another folder for --out."
            )
        if not overwrite:
            shown = what if what.endswith("s") else f"a {what}"
            raise UsageError(
                f"{final} holds {shown} already: name another folder, or pass --overwrite."
            )
    final.absolute().parent.mkdir(parents=True, exist_ok=True)
    if kept is not None:
        with _again(final, kept) as folder:
            yield Output(folder, final)
        return
    folder = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.absolute().parent))
    _as_mkdir(folder)
    try:
        yield Output(folder, final)
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _again(final: Path, kept: str) -> Iterator[Path]:
    """Give the same folder each time, with nothing in it but what is kept."""
    folder = final.absolute().parent / f".{final.name}.partial"
    folder.mkdir(exist_ok=True)
    with locked(folder, final):
        _clear(folder, kept)
        try:
            yield folder
        finally:
            if folder.exists():
                there = folder / kept
                if there.is_dir() and any(path.is_dir() for path in there.iterdir()):
                    _clear(folder, kept)
                else:
                    shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path, kept: str) -> None:
    for path in folder.iterdir():
        if path.name not in (kept, LOCK):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _as_mkdir(folder: Path) -> None:
    """Let a folder be seen by whom `mkdir` would have let see it."""
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)
