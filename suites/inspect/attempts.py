"""Which of several logs of one evaluation counts: shards, copies, and retries of it.

A failed evaluation that is tried again leaves a log for each try, which share their task id and
most of their samples; a log that was scored again or recovered lies beside its original. One log of
each evaluation is kept, the others are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from suites.inspect.header import moment
from suites.inspect.log import Log

_SHARD = ".shards/"


@dataclass(frozen=True)
class Superseded:
    """A log that is not read, and why."""

    log: Log
    by: Log
    code: str
    reason: str


@dataclass(frozen=True)
class Candidate:
    """A log with what tells its evaluation apart.

    Attributes
    ----------
    log : Log
        The log.
    cell : tuple of str
        Model, scenario and condition.
    """

    log: Log
    cell: tuple[str, ...]


def choose(
    candidates: Iterable[Candidate], scored: Callable[[Log], int]
) -> tuple[list[Candidate], list[Superseded]]:
    """Keep one log of each evaluation.

    Parameters
    ----------
    candidates : iterable of Candidate
        All logs of all sources.
    scored : callable
        Counts the samples of a log that did not fail; asked only where no try succeeded.

    Returns
    -------
    (list of Candidate, list of Superseded)
        Kept, in the order given; and the others.
    """
    given = list(candidates)
    dropped: list[Superseded] = []
    for pick in (_shards, _copies, lambda left: _retries(left, scored)):
        lost = pick(given)
        dropped += lost
        gone = {id(each.log) for each in lost}
        given = [candidate for candidate in given if id(candidate.log) not in gone]
    return given, dropped


def _shards(candidates: list[Candidate]) -> list[Superseded]:
    """Leave out the parts of a log that was merged from them."""
    finished = {c.log.location: c.log for c in candidates if c.log.header.finished}
    lost = []
    for candidate in candidates:
        folder, mark, _ = candidate.log.location.partition(_SHARD)
        if not mark:
            continue
        whole = finished.get(f"{folder}.eval") or finished.get(f"{folder}-recovered.eval")
        if whole is not None:
            lost.append(Superseded(candidate.log, whole, "shard", "is a part of it"))
    return lost


def _copies(candidates: list[Candidate]) -> list[Superseded]:
    """Of logs with one id keep the one that was finished, ended or edited last."""
    groups: dict[str, list[Log]] = {}
    for candidate in candidates:  # scored again, a copy has other scorers, so another condition
        if _SHARD not in candidate.log.location:  # parts share the id of the whole
            groups.setdefault(candidate.log.header.eval_id, []).append(candidate.log)
    lost = []
    for logs in groups.values():
        best = max(logs, key=_lateness)
        reason = "is another copy of the same log"
        lost += [Superseded(log, best, "duplicate-log", reason) for log in logs if log is not best]
    return lost


def _lateness(log: Log) -> tuple[Any, ...]:
    header = log.header
    names = -len(log.location), log.location  # at last the shorter name, for one outcome
    return header.finished, _ended(log), header.edited, header.invalidated, log.size, *names


def _retries(candidates: list[Candidate], scored: Callable[[Log], int]) -> list[Superseded]:
    """Of several tries keep the latest that succeeded, else the one that came farthest."""
    groups: dict[tuple[Any, ...], list[Log]] = {}
    for candidate in candidates:
        if candidate.log.header.task_id:
            key = (candidate.log.header.task_id, *candidate.cell)
            groups.setdefault(key, []).append(candidate.log)
    lost = []
    for logs in groups.values():
        if len(logs) < 2:
            continue
        done = [log for log in logs if log.header.finished]
        best = max(done, key=_newness) if done else max(logs, key=lambda log: _farness(log, scored))
        reason = "is another try of the same evaluation"
        lost += [Superseded(log, best, "superseded", reason) for log in logs if log is not best]
    return lost


def _newness(log: Log) -> tuple[Any, ...]:
    created = log.header.created
    return created.isoformat() if created else "", _ended(log), log.location


def _ended(log: Log) -> str:
    ended = moment(log.header.ended)
    return ended.isoformat() if ended else ""


def _farness(log: Log, scored: Callable[[Log], int]) -> tuple[Any, ...]:
    return scored(log), *_newness(log)
