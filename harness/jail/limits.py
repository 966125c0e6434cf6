"""The limits of a worker's processes."""

from __future__ import annotations

import contextlib
import os
import resource

from harness.jail.policy import Limits

_MAPPED = 4 << 30  # XLA maps far more than it uses


def apply(limits: Limits, *, others: int = 0) -> None:
    """Set the limits of this process and its children, for ever.

    Parameters
    ----------
    limits : Limits
    others : int
        Processes and threads of the same user that are none of the worker's, and count with it.
    """
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_DATA": limits.memory,
        "RLIMIT_AS": limits.memory + _MAPPED,
        "RLIMIT_FSIZE": limits.disk,
        "RLIMIT_NPROC": limits.processes + others,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_MSGQUEUE": 0,
    }
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        _, hard = resource.getrlimit(kind)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS takes not all of them
            resource.setrlimit(kind, (most, most))


def threads_of(user: int) -> int:
    """Count the processes and threads of a user, as RLIMIT_NPROC does."""
    count = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == user:
                    count += len(os.listdir(f"/proc/{entry.name}/task"))
    return count
