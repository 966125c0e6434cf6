"""Giving privileges up: the user, the capabilities, the right to gain any."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from harness.jail import kernel
from harness.jail.kernel import call, prctl
from harness.jail.policy import JailError

DAC_READ_SEARCH = 2
SYS_ADMIN = 21
_VERSION_3 = 0x20080522
_FIRST_USER, _USERS = 61184, 4336  # ids that services are given for a while; nobody's else
_LOCKED = 0x2F  # root is a user like others, and stays so


def is_root() -> bool:
    """Say whether this process runs as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def has_capability(number: int) -> bool:
    """Say whether this process has a capability."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def user_for(process: int) -> int | None:
    """Give a user for a worker to become; workers that run at the same time have different ones.

    Parameters
    ----------
    process : int
        The id of a process that lives as long as the worker.

    Returns
    -------
    int or None
        None where the worker must stay who it is: not root, or root of a container that has no
        other users.
    """
    user = _FIRST_USER + process % _USERS
    return user if is_root() and _is_mapped(user) else None


def _is_mapped(user: int) -> bool:
    rows = (line.split() for line in Path("/proc/self/uid_map").read_text().splitlines())
    return any(int(start) <= user < int(start) + int(count) for start, _, count in rows)


def give_up(user: int | None, keep: Iterable[int] = ()) -> None:
    """Become another user without capabilities, for ever.

    Parameters
    ----------
    user : int or None
        The user, and group, to become; None to stay who one is.
    keep : iterable of int
        Capabilities to keep; programs that are executed do not get them.

    Raises
    ------
    JailError
        If this process may not become that user.
    """
    kept = sum(1 << number for number in keep)
    prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    for number in range(64):  # those that the kernel does not know give EINVAL
        with contextlib.suppress(OSError):
            prctl(kernel.PR_CAPBSET_DROP, number)
    clear_all = 4
    with contextlib.suppress(OSError):
        prctl(kernel.PR_CAP_AMBIENT, clear_all)
    if user is not None:
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            if kept:
                prctl(kernel.PR_SET_KEEPCAPS, 1)
            os.setresuid(user, user, user)
        except OSError as err:
            raise JailError(f"root cannot become another user here ({err.strerror})") from err
    if not kept:
        with contextlib.suppress(OSError):  # it takes a capability
            prctl(kernel.PR_SET_SECUREBITS, _LOCKED)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    content = struct.pack("=6I", low, low, 0, high, high, 0)
    call("capset", struct.pack("=Ii", _VERSION_3, 0), content)
