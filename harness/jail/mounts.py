"""A root of its own: only what may be read, and one small folder to write to.

To be called in new namespaces of mounts and processes, with the right to mount.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from harness.jail import kernel
from harness.jail.kernel import (
    ATTR_NODEV,
    ATTR_NOEXEC,
    ATTR_NOSUID,
    ATTR_RDONLY,
    mount,
    set_mount_attributes,
)
from harness.jail.paths import DEVICES, SHARED
from harness.jail.policy import JailError, Limits

SCRATCH = "/tmp"
"""The folder that a worker may write to, within its root."""

_BASES = ("/sys", "/mnt", "/media", "/srv")  # where the new root is put together; nothing is read
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
_USERS = "root:x:0:0:root:/:/\njail:x:{user}:{user}:jail:/tmp:/\n"


def enter_root(readable: Sequence[str], limits: Limits, user: int) -> None:
    """Make a root that holds only these paths, and go there.

    Parameters
    ----------
    readable : sequence of str
        Absolute paths, none below another; they are mounted where they are, read-only.
    limits : Limits
        The size of what may be written, and the number of files.
    user : int
        Who is to live there.

    Raises
    ------
    JailError
        If the kernel refuses.
    """
    before = os.getcwd()
    mask = os.umask(0o022)
    try:
        _build(readable, limits, user)
    except OSError as err:
        raise JailError(f"its files cannot be mounted: {err}") from err
    finally:
        os.umask(mask)
    try:
        os.chdir(before)  # a predictor may name files by where the evaluation was started
    except OSError:
        os.chdir(SCRATCH)


def _build(readable: Sequence[str], limits: Limits, user: int) -> None:
    base = next((b for b in _BASES if os.path.isdir(b)), None)
    if base is None:
        raise JailError(f"there is none of the folders {', '.join(_BASES)}")
    own = ATTR_NOSUID | ATTR_NODEV
    mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    _memory(base, f"size=64m,nr_inodes={10_000 + 40 * len(readable)},mode=755")
    for folder in ("/proc", "/etc", SHARED, SCRATCH):
        os.makedirs(base + folder)
    scratch = base + SCRATCH
    inside = sum(path.startswith(SCRATCH + "/") for path in readable)
    files = limits.files + 10 * inside  # mount points take their own
    _memory(scratch, f"size={limits.disk},nr_inodes={files},mode=1777")
    os.mkdir(f"{scratch}/.shm")
    os.chmod(f"{scratch}/.shm", 0o1777)
    mount(f"{scratch}/.shm", base + SHARED, None, kernel.MS_BIND)
    for name in ("passwd", "group"):
        Path(f"{base}/etc/{name}").write_text(_USERS.format(user=user))
    for path in DEVICES:
        _bind(path, base, ATTR_RDONLY | ATTR_NOSUID | ATTR_NOEXEC)
    for path in readable:
        _bind(path, base, ATTR_RDONLY | own)
    for link, target in _LINKS.items():
        os.symlink(target, base + link)
    with contextlib.suppress(OSError):  # refused where parts of /proc are covered; few miss it
        flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
        mount("proc", f"{base}/proc", "proc", flags)
        set_mount_attributes(f"{base}/proc", ATTR_RDONLY | own | ATTR_NOEXEC)
    set_mount_attributes(base, ATTR_RDONLY | own, recursive=False)
    kernel.change_root(base)


def _memory(target: str, options: str) -> None:
    mount("tmpfs", target, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def _bind(path: str, base: str, attributes: int) -> None:
    """Mount a path of the old root at its place in the new one; a link is made again."""
    target = base + path
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if stat.S_ISLNK(mode):
        if not os.path.lexists(target):
            os.symlink(os.readlink(path), target)
        return
    if stat.S_ISDIR(mode):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(path, target, None, kernel.MS_BIND | kernel.MS_REC)
    set_mount_attributes(target, attributes)


def open_up(paths: Sequence[str]) -> None:
    """Let others read files that the harness made, whatever the user's mask: root's workers do.

    Parameters
    ----------
    paths : sequence of str
        Files and folders of this user.
    """
    for path in paths:
        _let_read(path)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                _let_read(os.path.join(folder, name))


def _let_read(path: str) -> None:
    mode = os.lstat(path).st_mode
    wanted = 0o555 if stat.S_ISDIR(mode) else 0o444
    if not stat.S_ISLNK(mode) and mode & wanted != wanted:
        os.chmod(path, stat.S_IMODE(mode) | wanted)
