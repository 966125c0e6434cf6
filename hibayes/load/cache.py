"""`Cache`: what was loaded, as a file of JSON lines that is used while its sources are unchanged.

Beside ``data.jsonl`` lies ``data.jsonl.sources.json``: a hash of the sources (place, size, time of
change) and of the settings, and the columns' types.
"""

from __future__ import annotations

import glob as globbing
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hibayes.load.configs.config import DataLoaderConfig
from hibayes.load.sources import get_file_list
from hibayes.registry import registry_info, registry_params, source_of
from suites.identity import canonical_json
from suites.locations import file_system, is_url
from suites.reading import demo_path

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Cache:
    """The cache of a configuration.

    Attributes
    ----------
    path : Path
        The file of JSON lines.
    key : str or None
        Hash of sources and settings; None where the configuration names no sources, or there is
        nothing at them.
    """

    path: Path
    key: str | None

    @classmethod
    def of(cls, config: DataLoaderConfig) -> Cache | None:
        """Give a configuration's cache; None where it has none."""
        if config.cache_path is None:
            return None
        return cls(Path(config.cache_path), _key(config))

    @property
    def record(self) -> Path:
        """Where the hash and the types are kept."""
        return self.path.with_name(f"{self.path.name}.sources.json")

    def read(self, tell: Tell) -> pd.DataFrame | None:
        """Read the cache; None where there is none, or its sources have changed since."""
        import pandas as pd

        if not self.path.is_file():
            return None
        record = self._record()
        if self.key is not None and record is None:
            tell(
                f"{self.path} does not say which sources it holds: it is not used, nor replaced. "
                "Delete it to have it written, or leave out files_to_process to have it read."
            )
            return None
        if self.key is not None and record is not None and record.get("key") != self.key:
            tell(f"The sources or settings have changed since {self.path}: they are read again.")
            return None
        tell(f"Read from the cache {self.path}.")
        if record is None:
            return pd.read_json(self.path, lines=True)
        return _restored(self.path, record["types"])

    def write(self, frame: pd.DataFrame, tell: Tell) -> None:
        """Write what was loaded; a file that this did not write is left alone."""
        if self.path.is_file() and self._record() is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.part")
        with part.open("wb") as file:
            for row in _rows(frame):
                file.write(msgspec.json.encode(row, enc_hook=str))
                file.write(b"\n")
        types = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
        os.replace(part, self.path)
        self.record.write_text(json.dumps({"key": self.key, "types": types}, indent=1))
        tell(f"Written to the cache {self.path}.")

    def _record(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return None
        usable = isinstance(found, dict) and isinstance(found.get("types"), dict)
        return found if usable else None


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    columns = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind == "M":
            column = column.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
        plain = column.astype("object")
        columns[str(name)] = plain.where(column.notna(), None).tolist()
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))


def _restored(path: Path, types: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line]
    made = {}
    for name, dtype in types.items():
        values = [row.get(name) for row in rows]
        if dtype.startswith("datetime"):
            moments = pd.to_datetime(pd.Series(values, dtype="object"))
            made[name] = moments.astype(pd.api.types.pandas_dtype(dtype))
        else:
            made[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(made)


def _key(config: DataLoaderConfig) -> str | None:
    """Hash what the outcome depends on."""
    places = get_file_list(config.files_to_process)
    sources = [state for place in places for state in _state(place)]
    if not sources:
        return None
    extractors = [
        {"name": _described(worker), "arguments": registry_params(worker), **_code(worker)}
        for worker in config.enabled_extractors or []
    ]
    content = {
        "version": _version(),
        "sources": sources,
        "extractors": extractors,
        "cutoff": str(config.cutoff),
        "errors": config.errors,
        "scorer": config.scorer,
        "unfinished": config.unfinished,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _state(named: str) -> Iterator[list[Any]]:
    """Give the state of all files at a place: name, size, time of change."""
    place = demo_path(named)
    if is_url(place):
        yield from _remote(place)
        return
    for path in map(Path, sorted(globbing.glob(place, recursive=True)) or [place]):
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            try:
                stat = file.stat()
            except OSError:
                continue
            yield [os.path.abspath(file), stat.st_size, stat.st_mtime_ns]


def _remote(url: str) -> Iterator[list[Any]]:
    try:
        system, path = file_system(url)
        found = system.find(path, detail=True) or {path: system.info(path)}
    except Exception:  # reading says what is wrong with it
        return
    for name, info in sorted(found.items()):
        changed = next(
            (info[k] for k in ("ETag", "etag", "LastModified", "mtime", "created") if k in info),
            None,
        )
        yield [name, info.get("size"), str(changed)]


def _described(worker: Any) -> str:
    try:
        return registry_info(worker).name
    except ValueError:
        return repr(worker)


def _code(worker: Any) -> dict[str, str]:
    """Give the hash of an extractor's code; none of a plain function's."""
    try:
        return {"sha256": source_of(worker).get("sha256", "")}
    except ValueError:
        return {}


def _version() -> str:
    try:
        return version("benchcast")
    except PackageNotFoundError:
        return ""
