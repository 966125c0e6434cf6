"""Landlock: a process gives up all files but those that it names (Linux 5.13).

Numbers and structures: the kernel's ``linux/landlock.h``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from harness.jail.kernel import PR_SET_NO_NEW_PRIVS, call, prctl
from harness.jail.policy import JailError

LEAST = 3
"""The version that is needed: before it (Linux 6.2) files can be cut off at any time."""

SCOPES = 6
"""The version from which signals to other processes, and their abstract sockets, are held."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST, _REMOVE, _MAKE = 1, 2, 4, 8, 1 << 5, 1 << 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_TCP, _SCOPED = 3, 3


def version() -> int:
    """Give the version of the kernel's Landlock; 0 where there is none, or it is off."""
    try:
        return call("syscall", _CREATE, None, 0, 1)
    except (OSError, JailError):
        return 0


def restrict(
    read: Iterable[str],
    write: Iterable[str],
    listed: Iterable[str] = (),
    shared: Iterable[str] = (),
) -> None:
    """Give up all files but these, TCP, and signals to other processes; for ever.

    Parameters
    ----------
    read : iterable of str
        Paths that may be read and executed, with all that lies below; those that are missing
        are passed over.
    write : iterable of str
        Paths that may be written too.
    listed : iterable of str
        Folders of which the names may be read, below them too.
    shared : iterable of str
        Folders in which files may be made, read, written and removed.

    Raises
    ------
    JailError
        If the kernel has no Landlock, or an old one.
    """
    number = version()
    if number < LEAST:
        have = f"this kernel has version {number}" if number else "this kernel has none"
        raise JailError(f"it needs Landlock, version {LEAST} (Linux 6.2) or newer, and {have}")
    handled = (1 << (16 if number >= 5 else 15)) - 1
    attributes = struct.pack("=QQQ", handled, _TCP, _SCOPED)
    size = 8 if number < 4 else 16 if number < SCOPES else 24
    rules = call("syscall", _CREATE, attributes, size, 0)
    try:
        for path in read:
            _allow(rules, path, handled & (_EXECUTE | _READ | _LIST))
        for path in write:
            _allow(rules, path, handled)
        for path in listed:
            _allow(rules, path, _LIST)
        for path in shared:
            _allow(rules, path, _READ | _WRITE | _MAKE | _REMOVE | handled & _TRUNCATE)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        call("syscall", _RESTRICT, rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                rights &= _OF_FILES
            below = 1
            rule = struct.pack("=Qi", rights, place)
            call("syscall", _ADD, rules, below, ctypes.c_char_p(rule), 0)
        finally:
            os.close(place)
