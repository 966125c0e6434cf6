"""`locked`: one process at a time writes in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from suites.errors import UsageError

__all__ = ["LOCK", "locked"]

LOCK = "lock"
"""The file that is locked; the system frees it when its process ends, however it ends."""


@contextlib.contextmanager
def locked(folder: Path, what: Path) -> Iterator[None]:
    """Keep other processes from writing in a folder.

    Parameters
    ----------
    folder : Path
        It is there.
    what : Path
        What is being made in it, for the message.

    Raises
    ------
    UsageError
        If another process writes in it.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"another process is writing {what}: wait until it ends, or name another folder."
            ) from None
        yield
