"""Paths and URLs: reading parts of a file, and listing a folder, local or remote.

A URL (``s3://…``, ``memory://…``, ``https://…``) goes through fsspec; the package that speaks its
protocol is needed then, and is said when it is missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from suites.errors import NotInstalled, UsageError

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+://")
_TAIL = 1 << 18  # bytes at the end of a remote file that are read at once
_MOST_FILES = 1_000_000


def is_url(location: str) -> bool:
    """Say whether a location is a URL rather than a path.

    Examples
    --------
    >>> is_url("s3://bucket/logs"), is_url("logs"), is_url("C:/logs")
    (True, False, False)
    """
    return _URL.match(location) is not None


def is_glob(path: str) -> bool:
    """Say whether a URL, or the path in it, is a pattern.

    Examples
    --------
    >>> is_glob("s3://bucket/*.eval"), is_glob("s3://bucket/a.eval")
    (True, False)
    """
    return any(mark in path for mark in "*?[")


def require_reachable(url: str) -> None:
    """Ask once whether there is anything at a URL, or anything that matches it.

    Raises
    ------
    UsageError
        If there is nothing, the server cannot be reached, or as `file_system`.
    """
    system, path = file_system(url)
    try:
        with reachable(url):
            there = system.glob(path) if is_glob(path) else system.info(path)
    except FileNotFoundError:
        there = None
    except OSError as err:
        raise UsageError(f"{err}.") from err
    if not there:
        what = "nothing matches it" if is_glob(path) else "there is nothing there"
        raise UsageError(f"{url}: {what}, or no server answers.")


def file_system(url: str) -> tuple[Any, str]:
    """Give fsspec's file system of a URL, and the path in it.

    Raises
    ------
    NotInstalled
        If the package that speaks the protocol is not installed.
    UsageError
        If the protocol is not known, or the file system cannot be reached.
    """
    import fsspec

    protocol = url.split("://", 1)[0]
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as err:
        raise NotInstalled(
            f"{url}: reading {protocol}:// needs a package that is not installed ({err}); "
            "s3:// comes with benchcast[dist]."
        ) from err
    except ValueError as err:
        raise UsageError(f"{url}: {err}.") from err
    return system, path


class ByteFile(Protocol):
    """A file of which parts can be read; closed by leaving its ``with`` block."""

    size: int

    def read(self, start: int, stop: int) -> bytes:
        """Read the bytes from start up to stop; fewer where the file ends before."""

    def __enter__(self) -> ByteFile: ...

    def __exit__(self, *args: Any) -> None: ...


class _Local:
    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 — closed by __exit__
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, start: int, stop: int) -> bytes:
        if start >= self.size:  # a place beyond 63 bits cannot even be sought
            return b""
        self._file.seek(start)
        return self._file.read(max(0, stop - start))

    def __enter__(self) -> _Local:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None
    ) -> None:
        self._file.close()


class _Remote:
    """Reads ranges; the end of the file, where archives have their directory, only once."""

    def __init__(self, url: str) -> None:
        self._url = url
        with reachable(url):
            self._system, self._path = file_system(url)
            self.size = int(self._system.size(self._path) or 0)
        self._start = max(0, self.size - _TAIL)
        self._tail: bytes | None = None

    def read(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.size)
        if stop <= start:
            return b""
        if start >= self._start:
            if self._tail is None:
                self._tail = self._fetch(self._start, self.size)
            return self._tail[start - self._start : stop - self._start]
        return self._fetch(start, stop)

    def _fetch(self, start: int, stop: int) -> bytes:
        with reachable(self._url):
            # by name: file systems differ in the order of the arguments
            return bytes(self._system.cat_file(self._path, start=start, end=stop))

    def __enter__(self) -> _Remote:
        return self

    def __exit__(self, *args: Any) -> None:
        self._tail = None


def open_bytes(location: str) -> ByteFile:
    """Open a file for reading parts of it.

    Parameters
    ----------
    location : str
        Path or URL.

    Raises
    ------
    OSError
        If it is not there or cannot be read.
    UsageError
        As `file_system`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a")
    ...     _ = path.write_bytes(b"abcdef")
    ...     with open_bytes(str(path)) as file:
    ...         file.size, file.read(2, 4)
    (6, b'cd')
    """
    return _Remote(location) if is_url(location) else _Local(location)


class reachable:
    """Turns what a remote file system raises into OSError; many raise errors of their own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, OSError | UsageError):
            return
        if isinstance(error, Exception):
            text = " ".join(str(error).split())[:300] or type(error).__name__
            raise OSError(f"{self.url} cannot be reached: {text}") from error


def list_files(location: str, keep: Callable[[str], bool]) -> list[str]:
    """List the files below a folder, or those that a URL's glob matches, sorted.

    Parameters
    ----------
    location : str
        A folder's path, or the URL of a folder or a glob.
    keep : callable
        Given a file's name (without its folders), says whether it is wanted.

    Returns
    -------
    list of str
        Paths or URLs. Links to folders above are followed once. A file is listed as itself.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    if is_url(location):
        with reachable(location):
            return _list_remote(location, keep)
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(location, followlinks=True):
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(folder, name) for name in files if keep(name)]
        if len(found) > _MOST_FILES:
            raise OSError(f"{location} holds more than {_MOST_FILES} files")
    return sorted(found)


def _list_remote(url: str, keep: Callable[[str], bool]) -> list[str]:
    system, path = file_system(url)
    if is_glob(path):
        paths = [str(p) for p in system.glob(path)]
        paths = [q for p in paths for q in (system.find(p) if system.isdir(p) else [p])]
    else:
        try:
            is_file = system.info(path)["type"] == "file"
        except FileNotFoundError:
            return []
        paths = [path] if is_file else [str(p) for p in system.find(path)]
    found = sorted({p for p in paths if keep(p.rsplit("/", 1)[-1])})
    named, inner = url.rstrip("/"), path.strip("/")
    if not named.endswith(inner):
        return [str(system.unstrip_protocol(p)) for p in found]
    begin = named[: len(named) - len(inner)]  # as the user writes it, for one name of each file
    return [begin + p.lstrip("/") for p in found]


def manifest(location: str) -> list[str]:
    r"""Read a list of sources: one path, glob or URL per line; ``#`` begins a comment.

    A relative path is meant from the manifest's folder; where nothing lies there, from the
    current one. ``demo`` and ``demo/…`` are the sets that come with the package.

    Raises
    ------
    UsageError
        If it cannot be read or names nothing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "logs.txt")
    ...     _ = path.write_text("s3://bucket/a.eval  # the first\n\n")
    ...     manifest(str(path))
    ['s3://bucket/a.eval']
    """
    try:
        with open_bytes(location) as file:
            text = file.read(0, 64 << 20).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as err:
        raise UsageError(f"{location}: cannot read this list of sources: {err}.") from err
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    named = list(dict.fromkeys(line for line in lines if line))
    if not named:
        raise UsageError(f"{location}: this list of sources names none: one path or URL per line.")
    return [_beside(name, location) for name in named]


def _beside(name: str, location: str) -> str:
    if is_url(name) or os.path.isabs(name) or name.split("/")[0] == "demo":
        return name
    if is_url(location):
        return f"{location.rsplit('/', 1)[0]}/{name}"
    beside = Path(location).parent / name
    there = next(iter(_glob(str(beside))), None)
    return str(beside) if there is not None or not os.path.exists(name) else name


def _glob(path: str) -> Iterator[str]:
    import glob

    return glob.iglob(path, recursive=True) if glob.has_magic(path) else iter(_existing(path))


def _existing(path: str) -> list[str]:
    return [path] if os.path.exists(path) else []
