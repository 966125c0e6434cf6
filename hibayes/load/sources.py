"""What ``files_to_process`` names: logs of Inspect, and sources of other kinds."""

from __future__ import annotations

import datetime as dt
import glob as globbing
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suites.identity import condition_of
from suites.inspect.attempts import Candidate, choose
from suites.inspect.errors import LogError
from suites.inspect.header import moment
from suites.inspect.identity import condition_fields, scenario_label
from suites.inspect.log import NOT_LOGS, Log, looks_like_log
from suites.inspect.models import model_name
from suites.inspect.rows import Row
from suites.locations import is_url, list_files, manifest
from suites.reading import demo_path, readers

Tell = Callable[[str], None]


@dataclass
class Found:
    """What the sources hold.

    Attributes
    ----------
    logs : list of str
        Logs of Inspect: absolute paths and URLs, each once, in order.
    others : list of str
        HELM folders and score tables.
    """

    logs: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def get_file_list(files_to_process: str | Sequence[str]) -> list[str]:
    """Put the content of lists (``.txt``: one path, glob or URL per line) in their place.

    A path in a list is meant from the current directory; where nothing lies there, from the
    list's folder. ``#`` begins a comment.

    Returns
    -------
    list of str
        Each once, in order.

    Raises
    ------
    UsageError
        If a list cannot be read.

    Examples
    --------
    >>> get_file_list(["logs/a.eval", "s3://bucket/logs", "logs/a.eval"])
    ['logs/a.eval', 's3://bucket/logs']
    """
    given = (
        [files_to_process] if isinstance(files_to_process, str | os.PathLike) else files_to_process
    )
    places: dict[str, None] = {}
    for each in given:
        place = os.fspath(each)
        for found in _listed(place) if place.lower().endswith(".txt") else [place]:
            places.setdefault(found)
    return list(places)


def find(files_to_process: Sequence[str], tell: Tell) -> Found:
    """Tell logs of Inspect from sources of other kinds, by their content.

    Raises
    ------
    UsageError
        If there is nothing at a place, or nothing that can be read.
    """
    found = Found()
    kinds = readers()
    seen: set[str] = set()
    for named in get_file_list(files_to_process):
        for place in _places(demo_path(named)):
            accepting = [name for name, kind in kinds.items() if kind.accepts(place)]
            if not accepting:
                import suites

                suites.read(place)  # says what is wrong with it
            if "inspect" in accepting:
                for log in _logs(place, tell):
                    key = log if is_url(log) else os.path.realpath(log)
                    if key not in seen:
                        seen.add(key)
                        found.logs.append(log if is_url(log) else os.path.abspath(log))
            if set(accepting) - {"inspect"} and place not in found.others:
                found.others.append(place)
    return found


def open_logs(
    places: Sequence[str], *, cutoff: dt.datetime | None, workers: int, tell: Tell
) -> list[Log]:
    """Read the headers of logs; leave out copies, shards and earlier tries of one evaluation.

    Parameters
    ----------
    places : sequence of str
        Paths and URLs.
    cutoff : datetime, optional
        Keep logs that were completed after it.
    workers : int
        Remote logs that are opened at the same time.
    tell : callable
        Takes what is left out, and why.
    """
    logs = []
    for outcome in _opened(places, workers):
        if isinstance(outcome, LogError):
            tell(f"Not read: {outcome}{f' ({outcome.hint})' if outcome.hint else ''}.")
        else:
            logs.append(outcome)
    kept, dropped = choose((_candidate(log) for log in logs), _scored)
    for lost in dropped:
        tell(
            f"Left out: {lost.log.location} {lost.reason}; "
            f"{os.path.basename(lost.by.location)} is read instead."
        )
    logs = [candidate.log for candidate in kept]
    if cutoff is None:
        return logs
    after = [log for log in logs if is_after_timestamp(cutoff, log)]
    if len(after) < len(logs):
        tell(f"{len(logs) - len(after)} of {len(logs)} logs were not completed after {cutoff}.")
    return after


def is_after_timestamp(timestamp: dt.datetime | None, log: Any) -> bool:
    """Say whether a log was completed after a moment.

    Parameters
    ----------
    timestamp : datetime or None
        Without a zone it is UTC; None is before everything.
    log : EvalLog, RunView or Log
        One that was never completed is not.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> log = Some(stats=Some(completed_at="2026-05-01T12:00:00+00:00"))
    >>> is_after_timestamp(dt.datetime(2026, 5, 1), log)
    True
    """
    if timestamp is None:
        return True
    completed = moment(log.header.ended if isinstance(log, Log) else log.stats.completed_at)
    return completed is not None and completed > _naive(timestamp)


def _naive(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(tzinfo=None) if time.tzinfo else time


def _listed(place: str) -> Iterable[str]:
    if is_url(place) or not os.path.isfile(place):
        return manifest(place)
    beside = manifest(place)  # in the order of the lines, without comments and repeats
    text = Path(place).read_text(encoding="utf-8-sig")
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    named = list(dict.fromkeys(line for line in lines if line))
    return [
        name if is_url(name) or os.path.exists(name) or globbing.glob(name) else other
        for name, other in zip(named, beside, strict=True)
    ]


def _places(place: str) -> list[str]:
    if is_url(place) or os.path.exists(place) or not globbing.has_magic(place):
        return [place]
    return sorted(globbing.glob(place, recursive=True)) or [place]


def _logs(place: str, tell: Tell) -> list[str]:
    try:
        if not is_url(place) and os.path.isfile(place):
            return [place]
        found = list_files(place, _may_be_log)
    except OSError as err:
        tell(f"Not read: {place}: {err}.")
        return []
    return [each for each in found if is_url(each) or looks_like_log(each)]


def _may_be_log(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".eval") or (lower.endswith(".json") and lower not in NOT_LOGS)


def _opened(places: Sequence[str], workers: int) -> list[Log | LogError]:
    if not any(map(is_url, places)):
        return [_open(place) for place in places]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return list(pool.map(_open, places))


def _open(place: str) -> Log | LogError:
    try:
        return Log.open(place)
    except LogError as err:
        return err


def _candidate(log: Log) -> Candidate:
    header = log.header
    fields = condition_of(condition_fields(header.spec, header.plan))
    scenario = scenario_label(header.task, header.task_version, header.task_args)
    return Candidate(log, (model_name(header.model).model, scenario, fields))


def _scored(log: Log) -> int:
    try:
        return sum(row.error is None and bool(row.scores) for row in log.rows(Row))
    except LogError:
        return -1
