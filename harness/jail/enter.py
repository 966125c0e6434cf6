"""Enter a jail: from a freshly forked process to a worker that can reach nothing else.

The forked process becomes the *guard*: it forks the worker, waits for it, and ends as the worker
ended. At ``strong`` there is a third process between them, the first of the worker's process
namespace: when the worker ends, it ends, and the kernel ends with it all that the worker started.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NoReturn

from harness.jail import kernel, landlock, limits, mounts, privileges, seccomp
from harness.jail.paths import DEVICES, SHARED, listed, opened, readable
from harness.jail.policy import JailError, Policy

Body = Callable[[], int]
Refuse = Callable[[str], None]

_STATUS = struct.Struct("=i")
_MACHINE = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu")
_SPACES = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
)


def run(policy: Policy, body: Body, refuse: Refuse, keep: Collection[int] = ()) -> NoReturn:
    """Enter a jail and carry something out there; never returns.

    To be called in a process that was forked for it, has one thread, and leads a session.

    Parameters
    ----------
    policy : Policy
    body : callable
        What to do in the jail; gives the status to exit with.
    refuse : callable
        Called with the reason, in place of ``body``, where the jail cannot be entered.
    keep : collection of int
        Descriptors that ``body`` and ``refuse`` need, beside 0, 1 and 2.
    """
    try:
        _close_all_but({0, 1, 2, *keep})
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        (_strong if policy.level == "strong" else _without_namespaces)(policy, body, refuse)
    except BaseException as err:
        _refused(refuse, policy, err)
    os._exit(1)


def _strong(policy: Policy, body: Body, refuse: Refuse) -> None:
    # what is readable is found before anything changes, by who may see it
    paths = readable(policy)
    may_mount = privileges.has_capability(privileges.SYS_ADMIN)
    user = privileges.user_for(os.getpid())
    others = limits.threads_of(os.geteuid()) if may_mount and user is None else 0
    if user is not None:
        mounts.open_up(policy.data)
        paths = opened(paths)
        if not may_mount:  # a user namespace is made by who will live in it
            privileges.give_up(user)
    inside = os.geteuid() if user is None else user
    _unshare(_SPACES, with_users=not may_mount)
    told, tell = os.pipe()
    first = os.fork()
    if first == 0:
        try:
            os.close(told)
            mounts.enter_root(paths, policy.limits, inside)
            privileges.give_up(user if may_mount else None)
            limits.apply(policy.limits, others=others)
            seccomp.restrict(unix_sockets=True)  # nobody else's are in these namespaces
            kernel.die_with_parent()
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
            worker = os.fork()
            if worker == 0:
                os.close(tell)
                _become(policy, body, mounts.SCRATCH, parent=1)
            _close_all_but({tell})
            ended, status = os.wait()
            while ended != worker:  # what the worker's children left
                ended, status = os.wait()
            os.write(tell, _STATUS.pack(status))
            os._exit(0)
        except BaseException as err:
            _refused(refuse, policy, err)
    _close_all_but({told})
    said = os.read(told, _STATUS.size)
    _, status = os.waitpid(first, 0)
    _end_as(_STATUS.unpack(said)[0] if said else status)


def _without_namespaces(policy: Policy, body: Body, refuse: Refuse) -> None:
    paths = readable(policy) if policy.level == "medium" else []
    user, others = privileges.user_for(os.getpid()), 0
    keep: tuple[int, ...] = ()
    if user is not None:
        mounts.open_up(policy.data)
        try:
            os.chown(policy.scratch, user, user)
        except OSError as err:
            raise JailError(f"root cannot give files to another user here ({err})") from err
        if policy.level == "medium":  # Landlock says what may be read, also below /root
            keep = (privileges.DAC_READ_SEARCH,)
    else:
        others = limits.threads_of(os.geteuid())
    guard = os.getpid()
    worker = os.fork()
    if worker == 0:
        try:
            privileges.give_up(user, keep)
            limits.apply(policy.limits, others=others)
            if policy.level == "medium":
                landlock.restrict(
                    read=[*paths, "/proc/self", *_MACHINE],
                    write=[policy.scratch, *DEVICES],
                    listed=listed(policy),
                    shared=[SHARED],
                )
                seccomp.restrict(unix_sockets=False)
            _become(policy, body, policy.scratch, parent=guard)
        except BaseException as err:
            _refused(refuse, policy, err)
    _close_all_but(())
    _, status = os.waitpid(worker, 0)
    _end_as(status)


def _unshare(spaces: int, *, with_users: bool) -> None:
    """Make namespaces; with one of users, this user is its only one."""
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.unshare(spaces | (kernel.CLONE_NEWUSER if with_users else 0))
        if with_users:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError as err:
        raise JailError(f"this system does not let it make namespaces: {err.strerror}") from err


def _become(policy: Policy, body: Body, scratch: str, parent: int) -> NoReturn:
    """Be the worker, in the jail."""
    os.setsid()  # signals to its group are to reach nobody else
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # it may read of itself what processes may
    kernel.die_with_parent(parent)
    for path in (os.__file__, *policy.data[:1]):
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError as err:
            raise JailError(
                f"its user, {os.geteuid()}, cannot read {path} ({err.strerror}): a folder above "
                "it is closed to others"
            ) from err
    os.environ.update(HOME=scratch, TMPDIR=scratch, USER="jail", LOGNAME="jail")
    tempfile.tempdir = None
    os._exit(body())


def _refused(refuse: Refuse, policy: Policy, err: BaseException) -> NoReturn:
    """Say why the jail was not entered, and end."""
    try:
        if not isinstance(err, JailError):
            traceback.print_exception(err)
            sys.stderr.flush()
        text = str(err) if isinstance(err, JailError) else f"{type(err).__name__}: {err}"
        refuse(f"the jail of level {policy.level} cannot be entered: {text}")
    finally:
        os._exit(1)


def _end_as(status: int) -> NoReturn:
    """End as another process did."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


def _close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor but these."""
    start = 0
    for descriptor in sorted(kept):
        if descriptor > start:  # an empty range may close all
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, _most())


def _most() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def clear_up(guard: int, scratch: str, own: Collection[int]) -> None:
    """End what a worker left running, and remove what it left outside of a root of its own.

    Parameters
    ----------
    guard : int
        The id of the process that `run` was called in; it has ended.
    scratch : str
        The folder that the worker could write to; empty for none.
    own : collection of int
        The ids of the living children that this process forked.
    """
    _end_strays(own)
    if scratch:
        shutil.rmtree(scratch, ignore_errors=True)
        if (user := privileges.user_for(guard)) is not None:
            _remove_of(SHARED, user)


def _remove_of(folder: str, user: int) -> None:
    """Remove what a user has in a folder."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid != user:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def _end_strays(own: Collection[int]) -> None:
    """End the orphans that came to this process, and theirs, till none is left."""
    while left := _strays(own):
        for child in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        for child in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _strays(own: Collection[int]) -> list[int]:
    """Give the children of this process that it did not fork: orphans that came to it."""
    me = os.getpid()
    try:
        found = Path(f"/proc/self/task/{me}/children").read_text().split()
    except OSError:
        found = [e for e in os.listdir("/proc") if e.isdigit() and _parent_of(e) == me]
    return [child for child in map(int, found) if child not in own]


def _parent_of(entry: str) -> int | None:
    try:
        return int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None
