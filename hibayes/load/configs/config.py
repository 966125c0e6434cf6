"""`DataLoaderConfig`: where the data come from, and what is extracted of them."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from hibayes.configuration import Section, check_keys
from hibayes.load._extractor import Extractor
from hibayes.load.extractor_config import DEFAULT_EXTRACTORS, ExtractorConfig, default_extractors
from suites.errors import UsageError, unknown_name

logger = logging.getLogger("hibayes")

ERRORS: tuple[str, ...] = ("keep", "drop", "incorrect")
UNFINISHED: tuple[str, ...] = ("keep", "drop")

_PATHS = ("files_to_process", "extracted_data", "cache_path", "output_dir")
_EXTRACTORS = ("path", "enabled")


@dataclass
class DataLoaderConfig(Section):
    """Where the data come from, and what is extracted of them.

    Attributes
    ----------
    enabled_extractors : list of Extractor
        None gives ``base_extractor``; an empty list gives none, so only the base columns.
    files_to_process : list of str
        Inspect logs, HELM suites, score tables: files, folders, globs, URLs, lists (``.txt``).
    extracted_data : list of str
        Tables that need no extraction (``.csv``, ``.parquet``, ``.jsonl``, ``.json``).
    cache_path : str or None
        A file of JSON lines that holds what was loaded. It is written after loading, and read
        instead while the sources and these settings stay as they were.
    output_dir : str or None
        Kept for older configurations; nothing is written there.
    max_workers : int
        Remote logs that are opened at the same time.
    batch_size : int
        Samples between two updates of the count that the display shows.
    cutoff : datetime or None
        Only logs that were completed after it; UTC where it has no zone.
    errors : str
        Samples that failed or have no score: ``keep`` (the score is missing), ``drop``, or
        ``incorrect`` (the score is 0).
    scorer : str or None
        The scorer, or a key of its values (``judge/clarity``), whose value is ``score``: by
        default a log's first one. Of HELM suites and tables, the metric; ``*`` for all.
    unfinished : str
        Logs of evaluations that failed or were cancelled: ``keep`` or ``drop``.

    Examples
    --------
    >>> config = DataLoaderConfig.from_dict(
    ...     {"paths": {"files_to_process": ["logs"]}, "cutoff": "2026-01-05", "errors": "drop"})
    >>> config.files_to_process, config.cutoff.year, config.errors, len(config.enabled_extractors)
    (['logs'], 2026, 'drop', 1)
    """

    enabled_extractors: list[Extractor] | None = None
    files_to_process: list[str] = field(default_factory=list)
    extracted_data: list[str] = field(default_factory=list)
    cache_path: str | None = None
    output_dir: str | None = None
    max_workers: int = 10
    batch_size: int = 1000
    cutoff: dt.datetime | None = None
    errors: str = "keep"
    scorer: str | None = None
    unfinished: str = "keep"

    DEFAULT_EXTRACTORS: ClassVar[list[str]] = list(DEFAULT_EXTRACTORS)
    allowed: ClassVar[tuple[str, ...]] = (
        "paths",
        "extractors",
        "cutoff",
        "max_workers",
        "batch_size",
        "errors",
        "scorer",
        "unfinished",
    )

    def __post_init__(self) -> None:
        if self.enabled_extractors is None:
            self.enabled_extractors = default_extractors()
        self.files_to_process = _paths(self.files_to_process, "files_to_process")
        self.extracted_data = _paths(self.extracted_data, "extracted_data")
        self.cutoff = _moment(self.cutoff)
        if self.files_to_process and self.extracted_data:
            raise UsageError(
                "Cannot specify both files_to_process and extracted_data: extractors are for logs, "
                "extracted data need none. Name one of them."
            )
        if self.errors not in ERRORS:
            raise unknown_name("errors policy", str(self.errors), ERRORS)
        if self.unfinished not in UNFINISHED:
            raise unknown_name("policy of unfinished logs", str(self.unfinished), UNFINISHED)
        for name in ("max_workers", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"{name}: expected a whole number above 0, got {value!r}.")
        if self.scorer is not None and not isinstance(self.scorer, str):
            raise UsageError(f"scorer: expected a name, got {self.scorer!r}.")

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        paths = _mapping(config.pop("paths", None), f"{where}.paths" if where else "paths")
        at = f"{where}.extractors" if where else "extractors"
        extractors = _mapping(config.pop("extractors", None), at)
        check_keys(paths, _PATHS, "data_loader.paths", where)
        check_keys(extractors, _EXTRACTORS, "data_loader.extractors", where)
        enabled = ExtractorConfig.from_dict(extractors, where=at).enabled_extractors
        given = {key: value for key, value in {**paths, **config}.items() if value is not None}
        try:
            made = cls(enabled_extractors=enabled, **given)
        except UsageError as err:
            raise UsageError(f"{where}: {err}" if where else str(err)) from err
        if not (made.files_to_process or made.extracted_data or made.cache_path):
            logger.warning(
                "No data source specified: name files_to_process or extracted_data "
                "under data_loader.paths."
            )
        return made


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{where}: expected a mapping, got {value!r}.")
    return value


def _paths(value: Any, where: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str | os.PathLike):
        return [os.fspath(value)]
    if isinstance(value, Sequence) and all(isinstance(v, str | os.PathLike) for v in value):
        return list(dict.fromkeys(os.fspath(v) for v in value))
    raise UsageError(f"{where}: expected a path or a list of paths, got {value!r}.")


def _moment(value: Any) -> dt.datetime | None:
    if value is None or isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)
    try:
        return dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise UsageError(
            f"cutoff: expected a date or time such as 2026-01-05 or 2026-01-05T12:00:00+00:00, "
            f"got {value!r}."
        ) from None
