"""What this machine can do: every level is really entered once, in a process made for it."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.jail import enter
from harness.jail.policy import JAILS, LEVELS, Limits, Policy, at_least
from suites.errors import UsageError, unknown_name

_START = "import sys; sys.path[:] = {path!r}; from harness.jail.probe import main; main()"
_SECONDS = 20.0
_ENTERED = "entered"
_UNLIMITED = (
    "the number of its processes cannot be limited: outside of this container its user is root"
)
_UNUSED_MODULE = "this.py"  # of Python's library; whoever reads it reads the rest


@functools.cache
def reached() -> dict[str, str]:
    """Try every level.

    Returns
    -------
    dict of str to str
        Level → why it cannot be entered here; empty if it can.

    Examples
    --------
    >>> reached()["none"]
    ''
    """
    failed = dict.fromkeys(JAILS, "the probe did not answer")
    if not hasattr(os, "fork"):
        return {**dict.fromkeys(LEVELS, "this system cannot fork"), "none": ""}
    path = [str(Path(entry or ".").resolve()) for entry in sys.path]
    command = [sys.executable, "-c", _START.format(path=path)]
    try:
        # not a fork of this process: what it knows is not to be near a jail
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        found = {}
    return {**failed, **found, "process": "", "none": ""}


def available_levels() -> tuple[str, ...]:
    """Give the levels that this machine offers, the best first.

    Examples
    --------
    >>> available_levels()[-1]
    'none'
    """
    return tuple(level for level in LEVELS if not reached()[level])


def isolation_of(wanted: str, least: str | None = None) -> str:
    """Give the level that workers get.

    Parameters
    ----------
    wanted : str
        ``best`` for the best there is, or one of `harness.jail.policy.LEVELS`.
    least : str, optional
        The least level to accept.

    Returns
    -------
    str
        One of `harness.jail.policy.LEVELS`.

    Raises
    ------
    UsageError
        If the machine does not offer it.
    """
    for level, known in ((wanted, ("best", *LEVELS)), (least, LEVELS)):
        if level not in (None, *known):
            raise unknown_name("isolation", str(level), known)
    got = available_levels()[0] if wanted == "best" else wanted
    if got not in available_levels():
        raise UsageError(
            f"this machine does not offer the isolation {wanted}: {reached()[wanted]}. "
            "`harness doctor` says what it offers, and how to get more."
        )
    if least is not None and not at_least(got, least):
        why = reached()[least]
        raise UsageError(
            f"the isolation {least} is required, and {got} is what there is"
            + (f": {why}. `harness doctor` says how to get more." if why else ".")
        )
    return got


def main() -> None:
    """Try every level, and write what came of it."""
    print(json.dumps({level: _try(level) for level in JAILS}))  # noqa: T201


def _try(level: str) -> str:
    """Enter a level in a forked process; give the reason if it cannot be."""
    with tempfile.TemporaryDirectory(prefix="benchcast-probe-") as scratch:
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()

            def tell(text: str) -> None:
                os.write(theirs, text.encode()[:4000])

            def body() -> int:
                library = Path(os.__file__).with_name(_UNUSED_MODULE)
                library.read_bytes()
                tell(_ENTERED if _processes_are_limited() else _UNLIMITED)
                return 0

            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            enter.run(Policy(level, scratch=scratch, limits=Limits()), body, tell, {theirs})
        os.close(theirs)
        signal.alarm(int(_SECONDS / 4))  # ends this process, should the jail hang
        said = os.read(ours, 4096).decode()
        os.close(ours)
        os.waitpid(pid, 0)
        signal.alarm(0)
    if said == _ENTERED:
        return ""
    return said.partition("cannot be entered: ")[2] or said or "it ended without a word"


def _processes_are_limited() -> bool:
    """Say whether the kernel holds the limit on processes; it does not for root, however mapped."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    try:
        pid = os.fork()
    except OSError:
        return True
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return False
