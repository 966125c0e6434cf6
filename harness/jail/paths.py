"""Which files a worker may read: the interpreter, its libraries, what the policy names."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.jail.policy import Policy

SYSTEM: tuple[str, ...] = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
    "/etc/localtime", "/etc/fonts",
)  # fmt: skip
"""What programs and libraries of the system need."""

DEVICES: tuple[str, ...] = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

SHARED = "/dev/shm"
"""Where POSIX semaphores are made, without which thread pools do not start."""


def readable(policy: Policy) -> list[str]:
    """Give the paths that a worker may read, with all that lies below them.

    Parameters
    ----------
    policy : Policy

    Returns
    -------
    list of str
        Absolute paths that exist; none lies below another.
    """
    code = [*installed(sys.path), *policy.code]
    found = [path for given in code for path in without(given, policy.hidden)]
    # a link is followed to where the file lies: both are needed
    both = [p for path in (*SYSTEM, *found, *policy.data) for p in (path, os.path.realpath(path))]
    return outermost(path for path in both if os.path.lexists(path))


def installed(entries: Sequence[str]) -> list[str]:
    """Give what Python's path holds: environments as they are, of other folders the modules.

    Parameters
    ----------
    entries : sequence of str
        As `sys.path`. A folder outside of the environments may hold anything (the current one, a
        project's), so only its modules and packages are given.
    """
    found = _homes()
    for entry in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        if os.path.isabs(entry):
            found.append(entry)
    for entry in _others(entries):
        if not os.path.isdir(entry):
            found.append(entry)  # a zip file
            continue
        for child in sorted(Path(entry).iterdir()):
            if child.suffix in (".py", ".so") or (child / "__init__.py").is_file():
                found.append(str(child))
    return found


def listed(policy: Policy) -> list[str]:
    """Give the folders that are searched for modules: Python reads the names in them."""
    return [path for path in (*_others(sys.path), *policy.code) if os.path.isdir(path)]


def _homes() -> list[str]:
    homes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    return [home for home in dict.fromkeys(homes) if home != "/"]


def _others(entries: Sequence[str]) -> list[str]:
    """Give the entries of a path that lie outside of the environments."""
    places = (*_homes(), "/usr")
    unique = dict.fromkeys(os.path.abspath(entry) for entry in entries)
    return [entry for entry in unique if not any(_is_below(entry, place) for place in places)]


def without(path: str, hidden: Iterable[str]) -> list[str]:
    """Give a path, or the parts of it that do not hold what is hidden.

    Parameters
    ----------
    path : str
        A file or a folder.
    hidden : iterable of str
        Files and folders.

    Examples
    --------
    >>> without("/usr/lib", ["/usr"]), without("/usr/lib", ["/home"])
    ([], ['/usr/lib'])
    """
    real = os.path.realpath(path)
    places = [os.path.realpath(place) for place in hidden]
    if any(_is_below(real, place) for place in places):
        return []
    inside = [place for place in places if _is_below(place, real)]
    if not inside:
        return [os.path.abspath(path)]
    children = (os.path.join(path, name) for name in sorted(os.listdir(path)))
    return [part for child in children for part in without(child, places)]


def opened(paths: Iterable[str]) -> list[str]:
    """Give paths as others than root may read them: of closed folders, what lies in them.

    Each is mounted by itself, so that the modes of the folders above do not matter.
    """
    found: list[str] = []
    for path in paths:
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode) and mode & 0o005 != 0o005:
            found += opened(os.path.join(path, name) for name in sorted(os.listdir(path)))
        else:
            found.append(path)
    return found


def outermost(paths: Iterable[str]) -> list[str]:
    """Leave out paths that lie below others.

    Examples
    --------
    >>> outermost(["/a/b", "/a", "/ab", "/a/b/c"])
    ['/a', '/ab']
    """
    kept: dict[str, None] = {}
    for path in sorted({os.path.abspath(path) for path in paths}):
        above = path
        while above not in kept and above != "/":
            above = os.path.dirname(above)
        if above not in kept:
            kept[path] = None
    return list(kept)


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")
