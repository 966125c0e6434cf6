"""What is asked of a jail: its level, what may be read, its limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

JAILS: tuple[str, ...] = ("strong", "medium", "weak")
"""The levels that keep a worker from something, the best first.

``strong``: namespaces of its own (mounts, processes, network, IPC, host name; users, unless root
makes them), a root of its own that holds only what may be read, no capability, a system call
filter. ``medium``: Landlock and the filter in place of namespaces. ``weak``: another user (where
root starts it), no new privileges, limits.
"""

LEVELS: tuple[str, ...] = (*JAILS, "process", "none")
"""All levels of isolation: ``process`` is an ordinary process, ``none`` the evaluator's own."""

_GIB = 1 << 30


class JailError(Exception):
    """A jail cannot be entered; the message says why, for people."""


def at_least(level: str, wanted: str) -> bool:
    """Say whether a level is as good as another.

    Examples
    --------
    >>> at_least("strong", "medium"), at_least("process", "weak")
    (True, False)
    """
    return LEVELS.index(level) <= LEVELS.index(wanted)


def _memory() -> int:
    """Give half of the machine's memory, at least 2 GiB: XLA does not start in less."""
    return max(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2, 2 * _GIB)


def _processes() -> int:
    """Give a number of threads that numerical libraries do with; some start several a core."""
    return 64 + 8 * (os.cpu_count() or 1)


@dataclass(frozen=True)
class Limits:
    """What a worker may use.

    Attributes
    ----------
    memory : int
        Bytes of private memory of each of its processes.
    disk : int
        Bytes of one file; at ``strong`` of all its files together.
    files : int
        Number of its files, at ``strong``.
    processes : int
        Number of its processes and threads.
    open_files : int
        Number of descriptors of each of its processes.
    """

    memory: int = field(default_factory=_memory)
    disk: int = _GIB
    files: int = 20_000
    processes: int = field(default_factory=_processes)
    open_files: int = 1024


@dataclass(frozen=True)
class Policy:
    """What one worker may do.

    Attributes
    ----------
    level : str
        One of `JAILS`.
    data : tuple of str
        Absolute paths of files and folders that it may read, whatever ``hidden`` says.
    code : tuple of str
        Absolute paths of further folders and files that it may read, but for what is hidden.
    hidden : tuple of str
        Absolute paths that it may not read although they lie in a folder of ``code``.
    scratch : str
        A folder of its own to write to, at ``medium`` and ``weak``; ``strong`` has its own.
    limits : Limits
    """

    level: str
    data: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    scratch: str = ""
    limits: Limits = field(default_factory=Limits)

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON may hold it.

        Examples
        --------
        >>> policy = Policy("strong", data=("/a",))
        >>> Policy.from_json(policy.to_json()) == policy
        True
        """
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Policy:
        """Make it of what `to_json` gave."""
        paths = {name: tuple(content[name]) for name in ("data", "code", "hidden")}
        limits = Limits(**content["limits"])
        return cls(content["level"], **paths, scratch=content["scratch"], limits=limits)
