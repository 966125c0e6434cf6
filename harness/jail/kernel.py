"""The system calls that Python 3.11 has no function for, through the C library.

Importing this does nothing on other systems than Linux; calling it raises `JailError`.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from functools import cache
from typing import Any

from harness.jail.policy import JailError

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47

_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_CALLS = {"x86_64": {"pivot_root": 155}, "aarch64": {"pivot_root": 41}}
_MOUNT_SETATTR = 442  # the same everywhere, as all numbers since 2019


def machine() -> str:
    """Give the architecture that this process runs on, as system call numbers depend on it.

    Raises
    ------
    JailError
        If its system call numbers are not known here.
    """
    name = platform.machine()
    if sys.platform != "linux":
        raise JailError(f"it needs Linux, and this is {platform.system()}")
    if name not in _CALLS or sys.maxsize < 1 << 32:
        raise JailError(f"it is made for x86_64 and aarch64, and this is {name}")
    return name


@cache
def _libc() -> Any:
    machine()
    return ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """Call a function of the C library that gives -1 and an errno when it fails.

    Raises
    ------
    OSError
        If it fails; the name is the error's filename.
    """
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(getattr(_libc(), name)(*given))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def prctl(option: int, *arguments: Any) -> int:
    """Change something of this process (prctl(2))."""
    return call("prctl", option, *arguments, *[0] * (4 - len(arguments)))


def unshare(flags: int) -> None:
    """Give this process, or its children, namespaces of their own."""
    call("unshare", flags)


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount something (mount(2))."""
    encoded = None if kind is None else kind.encode()
    call("mount", os.fsencode(source), os.fsencode(target), encoded, flags, data.encode())


def set_mount_attributes(target: str, attributes: int, *, recursive: bool = True) -> None:
    """Set attributes of a mount and of what is mounted below it (mount_setattr(2), Linux 5.12)."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    path = os.fsencode(target)
    call("syscall", _MOUNT_SETATTR, _AT_FDCWD, path, flags, ctypes.byref(wanted), 32)


def change_root(folder: str) -> None:
    """Make a mount the root of this mount namespace, and leave the old root behind."""
    os.chdir(folder)
    call("syscall", _CALLS[machine()]["pivot_root"], b".", b".")
    call("umount2", b".", MNT_DETACH)
    os.chdir("/")


def die_with_parent(parent: int | None = None) -> None:
    """Ask the kernel to end this process when its parent ends, hung or not.

    Parameters
    ----------
    parent : int, optional
        The parent's id; if that is not the parent any more, this process ends at once.
    """
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if parent is not None and os.getppid() != parent:
        os._exit(1)
