"""A folder that is replaced as one piece: files are staged, then take their places together.

``manifest.json`` names every file and its sha256, so that a later save knows which files are its
own to replace or remove. It is written before staged files take their places: a save that is broken
off then is completed by whoever opens the folder next.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from suites.errors import UsageError

__all__ = ["FORMAT", "MANIFEST", "Folder", "read_manifest", "sha256", "stem", "write_json"]

FORMAT = 1
"""The version of the layout."""

MANIFEST = "manifest.json"

_STAGED = ".part-"


class Folder:
    """A transaction on a folder; use as a context manager, and `commit` at the end.

    Parameters
    ----------
    path : Path
        The folder; made if it is not there.
    legacy : iterable of str, optional
        Files of a folder without a manifest that are nonetheless a run's own.

    Attributes
    ----------
    old : dict
        The files of the last save: name to sha256.
    """

    def __init__(self, path: Path, legacy: Iterable[str] = ()) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file; a state is saved to a folder.")
        path.mkdir(parents=True, exist_ok=True)
        self.manifest = read_manifest(path) or {}
        _complete(path, self.manifest)
        self.old: dict[str, str] = dict(self.manifest.get("files", {}))
        self._owned = {*self.old, *self.manifest.get("removing", ()), *legacy}
        self._staged: dict[str, str] = {}
        self._kept: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        for name in self._staged:  # empty after a commit
            _part(self.path, name).unlink(missing_ok=True)

    def write(self, name: str, writer: Callable[[Path], Any]) -> None:
        """Stage a file that ``writer`` writes to the path it is given."""
        target = self.path / name
        if target.exists() and name not in self._owned:
            raise UsageError(
                f"{target} is there, and was not written by hibayes: it is not overwritten. Move "
                "it, or choose another --out."
            )
        part = _part(self.path, name)
        part.parent.mkdir(parents=True, exist_ok=True)
        self._staged[name] = ""
        writer(part)
        self._staged[name] = sha256(part)

    def copy(self, name: str, source: Path) -> None:
        """Stage a copy of a file, or keep it where it is this folder's own."""
        if source.resolve() == (self.path / name).resolve() and name in self._owned:
            self._kept[name] = self.old.get(name) or sha256(source)
        else:
            self.write(name, lambda part: shutil.copyfile(source, part))

    def keep(self, name: str) -> bool:
        """Keep a file of the last save as it is; False if there is none."""
        if name not in self.old or not (self.path / name).is_file():
            return False
        self._kept[name] = self.old[name]
        return True

    def commit(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Let the staged files take their places, and remove the last save's others.

        Parameters
        ----------
        facts : dict
            What the manifest says beside the files.

        Returns
        -------
        dict
            The manifest.
        """
        files = dict(sorted({**self._kept, **self._staged}.items()))
        removing = sorted(name for name in self._owned if name not in files)
        manifest = {"format": FORMAT, **facts, "files": files}
        _replace(self.path, manifest | ({"removing": removing} if removing else {}))
        for name in self._staged:
            os.replace(_part(self.path, name), self.path / name)
        self._staged.clear()
        if removing:
            _remove(self.path, removing)
            _replace(self.path, manifest)
        return manifest


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Read a folder's manifest; None if it has none.

    Raises
    ------
    UsageError
        If it is no manifest, is of a later format, or names files outside the folder.
    """
    file = path / MANIFEST
    if not file.is_file():
        return None
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        version = manifest["format"]
        names = [*manifest["files"], *manifest.get("removing", ())]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise UsageError(f"{file} is not the manifest of a saved analysis: {err}") from err
    if version != FORMAT:
        raise UsageError(f"{file}: format {version} is not known; this version reads {FORMAT}.")
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UsageError(f"{file} names {name}, which lies outside of the folder.")
    return dict(manifest)


def sha256(path: Path) -> str:
    """Give the sha256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def stem(name: str) -> str:
    """Make a file's name of any text; two texts never get the same.

    Examples
    --------
    >>> stem("model_a-b_forest"), stem("../up")
    ('model_a-b_forest', '___up~8c722b')
    """
    plain = re.sub(r"[^\w\-+=, ()\[\].]", "_", name)
    plain = re.sub(r"^\.+", lambda dots: "_" * len(dots[0]), plain)
    if plain == name and len(name.encode()) <= 200:
        return name
    return f"{plain[:60]}~{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def write_json(value: Any) -> Callable[[Path], Any]:
    """Give a writer of a JSON file."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
    return lambda path: path.write_text(text, encoding="utf-8")


def finish(path: Path, manifest: dict[str, Any]) -> None:
    """Complete a save that was broken off, where the folder can be written to."""
    try:
        _complete(path, manifest)
    except OSError:
        return


def _complete(path: Path, manifest: dict[str, Any]) -> None:
    """Let files that a broken-off save had staged take their places."""
    for name, digest in manifest.get("files", {}).items():
        part = _part(path, name)
        if part.is_file() and digest == sha256(part):
            os.replace(part, path / name)
        else:
            part.unlink(missing_ok=True)
    if manifest.get("removing"):
        _remove(path, manifest["removing"])


def _remove(path: Path, names: Iterable[str]) -> None:
    """Remove files, and the folders that are empty without them."""
    for name in names:
        (path / name).unlink(missing_ok=True)
    folders = {parent for name in names for parent in PurePosixPath(name).parents if parent.name}
    for folder in sorted(folders, key=lambda f: len(f.parts), reverse=True):
        place = path / folder
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _replace(path: Path, manifest: dict[str, Any]) -> None:
    part = _part(path, MANIFEST)
    write_json(manifest)(part)
    os.replace(part, path / MANIFEST)


def _part(path: Path, name: str) -> Path:
    """Where a file is staged: beside its place, with its ending."""
    place = path / name
    return place.with_name(_STAGED + place.name)
