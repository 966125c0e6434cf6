"""What each level leaves open: the one table that ``harness doctor`` shows and the tests hold."""

from __future__ import annotations

import os
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.jail import landlock, privileges

ATTACKS: dict[str, str] = {
    "truth": "read files that it was not given (the truth), where their modes let others",
    "others": "read what other predictors wrote",
    "memory": "read the memory of other processes",
    "environment": "read the environment of other processes",
    "descriptors": "read files that the harness has open",
    "heap": "find the truth in its own memory",
    "trace": "trace other processes",
    "signal": "send signals to other processes, the harness among them",
    "tcp": "connect to services by TCP",
    "udp": "send by UDP, DNS among it",
    "unix": "connect to Unix sockets",
    "leave-files": "leave files behind for its next worker",
    "leave-shm": "leave POSIX shared memory behind for its next worker",
    "leave-sysv": "leave System V shared memory behind",
    "large-file": "write a file above the limit",
    "much-disk": "write many files that are together above the limit (they are removed)",
    "many-files": "make more files than the limit (they are removed)",
    "much-memory": "take more memory than the limit, in one process",
    "fork-bomb": "start more processes than the limit",
    "thread-bomb": "start more threads than the limit",
    "daemon": "leave a process running",
    "setuid": "gain privileges by programs that have them",
    "new-users": "make a user namespace, behind which more of the kernel is open",
    "kernel": "reach rarely used parts of the kernel (bpf, io_uring, keys, mounts …)",
    "install": "change the installation: site-packages, the harness",
}
"""What hostile code may try: name → in words."""

_DISK = ("much-disk", "many-files")
_OF_THE_MACHINE = (
    "truth", "others", "tcp", "udp", "unix", "leave-files", "leave-shm", "leave-sysv",
    *_DISK, "new-users", "kernel",
)  # fmt: skip
_OF_THE_USER = ("memory", "environment", "trace", "signal", "install")
_NEVER = ("heap", "descriptors")  # the server that forks workers has neither
_OPEN = ("process", "none")


@dataclass(frozen=True)
class Machine:
    """What decides how much a level holds.

    Attributes
    ----------
    root : bool
        Whether the harness runs as root, so that each worker can be a user of its own.
    landlock : int
        Version of the kernel's Landlock.
    tracing : bool
        Whether processes of one user may trace each other (Yama).
    user_namespaces : bool
        Whether processes without privileges may make user namespaces.
    own_installation : bool
        Whether this user may change the installation.
    """

    root: bool
    landlock: int
    tracing: bool
    user_namespaces: bool
    own_installation: bool = True

    @classmethod
    def here(cls) -> Machine:
        """Look at this machine."""
        return cls(
            root=privileges.user_for(0) is not None,
            landlock=landlock.version(),
            tracing=_setting("/proc/sys/kernel/yama/ptrace_scope", 0) == 0,
            user_namespaces=_setting("/proc/sys/user/max_user_namespaces", 0) > 0
            and _setting("/proc/sys/kernel/unprivileged_userns_clone", 1) > 0
            and _setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 0,
            own_installation=any(os.access(place, os.W_OK) for place in _installation()),
        )


def left_open(level: str, machine: Machine) -> tuple[str, ...]:
    """Give the attacks that a level does not hold on a machine, in the order of `ATTACKS`.

    Parameters
    ----------
    level : str
        One of `harness.jail.policy.LEVELS`.
    machine : Machine

    Examples
    --------
    >>> machine = Machine(root=False, landlock=7, tracing=True, user_namespaces=True)
    >>> left_open("strong", machine), left_open("medium", machine)
    ((), ('leave-shm', 'much-disk', 'many-files'))
    """
    found: set[str] = set()
    if level == "medium":
        found = {*_DISK, "leave-shm"}
        if machine.landlock < landlock.SCOPES:
            found.add("signal")
    elif level == "weak":
        found = {*_OF_THE_MACHINE, *_OF_THE_USER}
    elif level == "process":
        found = {*ATTACKS} - {*_NEVER}
    elif level == "none":
        found = {*ATTACKS}
    if machine.root and level not in _OPEN:  # workers are users of their own then
        found -= {*_OF_THE_USER, "leave-shm"}
    if not machine.tracing and not (machine.root and level in _OPEN):
        found -= {"trace", "memory"}
    if not machine.own_installation:
        found.discard("install")
    if not machine.user_namespaces and not (machine.root and level in _OPEN):
        found.discard("new-users")
    return tuple(name for name in ATTACKS if name in found)


def _installation() -> list[str]:
    return [sysconfig.get_path("purelib"), str(Path(__file__).parents[1])]


def _setting(path: str, otherwise: int) -> int:
    with suppress(OSError, ValueError):
        return int(Path(path).read_text())
    return otherwise
