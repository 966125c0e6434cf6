"""Workers as the parent sees them: start one, call it with a time limit, learn how it ended."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.channel import Channel, Closed, TimedOut, TooLarge
from harness.jail.policy import Limits, Policy
from harness.server import worker_environment
from suites.errors import BenchcastError, UsageError

_START = (
    "import sys; sys.path[:] = {path!r}; from harness.server import main; main(int(sys.argv[1]))"
)


class WorkerLost(Exception):
    """A worker ended, hung or spoke nonsense; ``status`` is ``failed`` or ``timeout``."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class CallFailed(Exception):
    """A call raised in the worker; ``status`` is ``failed`` or ``not_applicable``."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class Pool:
    """Starts workers through a clean server process.

    Parameters
    ----------
    log : Path
        A folder for what workers print.
    level : str
        How workers are kept from the rest of the machine: as `harness.jail.probe.isolation_of`
        gives it. ``process`` is an ordinary process.
    hidden : sequence of Path
        Files and folders that workers may not read, even where they lie beside their code:
        the sources, the results. At ``weak`` nothing but the modes of files holds that.
    limits : Limits, optional
        What a worker in a jail may use.

    Notes
    -----
    Use as a context manager; leaving it ends the server. Safe to use from several threads.
    """

    def __init__(
        self,
        log: Path,
        *,
        level: str = "process",
        hidden: Sequence[Path] = (),
        limits: Limits | None = None,
    ) -> None:
        if not hasattr(os, "fork"):
            raise UsageError(
                'this system cannot fork workers: evaluate with isolation="none" '
                "(--isolation none), which runs predictors in this process."
            )
        self._log = log.resolve()
        self._level = level
        self._hidden = _absolute(hidden)
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Pool:
        ours, theirs = socket.socketpair()
        path = [str(Path(entry or ".").resolve()) for entry in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START.format(path=path), str(theirs.fileno())],
            env=worker_environment(),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._control = ours
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._control is not None
        assert self._process is not None
        self._control.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def abort(self) -> None:
        """End the server and all its workers at once; calls under way fail."""
        if self._process is not None:
            self._process.kill()

    def start(self, name: str, data: Sequence[Path] = (), code: Sequence[Path] = ()) -> Worker:
        """Start a worker; what it prints goes to ``<log>/<name>.log``.

        Parameters
        ----------
        name : str
        data : sequence of Path
            Files and folders that it may read, in a jail.
        code : sequence of Path
            The same, but for what is hidden: the folder of a predictor's file.
        """
        jail = None
        if self._level != "process":
            files, folders = _absolute(data), _absolute(code)
            jail = Policy(self._level, files, folders, self._hidden, limits=self._limits).to_json()
        ours, theirs = socket.socketpair()
        try:
            log = str(self._log / f"{name}.log")
            answer = self._ask({"fork": log, "jail": jail}, theirs.fileno())
        finally:
            theirs.close()
        return Worker(self, Channel(ours), answer["pid"])

    def wait(self, pid: int) -> int:
        """Give a worker's exit code (negative: the signal that ended it); it must be ending."""
        return int(self._ask({"wait": pid})["code"])

    def _ask(self, request: dict[str, Any], descriptor: int | None = None) -> dict[str, Any]:
        assert self._control is not None
        with self._lock:
            try:
                data = json.dumps(request).encode() + b"\n"
                sent = 0
                if descriptor is not None:  # it goes with the first bytes
                    sent = socket.send_fds(self._control, [data], [descriptor])
                self._control.sendall(data[sent:])
                answer = bytearray()
                while not answer.endswith(b"\n"):
                    chunk = self._control.recv(4096)
                    if not chunk:
                        raise BenchcastError("the worker server ended unexpectedly")
                    answer += chunk
            except OSError as err:
                raise BenchcastError(f"the worker server cannot be reached: {err}") from err
        return dict(json.loads(answer))


class Worker:
    """One worker process. Made by `Pool.start`; use as a context manager."""

    def __init__(self, pool: Pool, channel: Channel, pid: int) -> None:
        self._pool = pool
        self._channel = channel
        self._pid = pid
        self._ended = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def call(
        self, message: dict[str, Any], blobs: tuple[bytes, ...] = (), *, timeout: float | None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a message and wait for its answer.

        Parameters
        ----------
        message : mapping
            With the key ``call``.
        blobs : tuple of bytes
            What goes with it.
        timeout : float or None
            Seconds of wall time.

        Raises
        ------
        CallFailed
            If the call raised in the worker, which lives on.
        WorkerLost
            If the worker ended, hung or spoke nonsense; it is dead then.
        """
        try:
            self._channel.send(message, blobs)
            header, out = self._receive(timeout)
        except TimedOut:
            self.kill()
            raise WorkerLost("timeout", f"{message['call']} took over {timeout:g} s") from None
        except TooLarge as err:
            self.kill()
            raise WorkerLost("failed", f"its answer is too large ({err})") from None
        except Closed:
            code = self.kill(ending=True)
            how = f"exited with status {code}" if code >= 0 else f"was ended by signal {-code}"
            raise WorkerLost("failed", f"its process {how} in {message['call']}") from None
        if "error" in header:
            status = "not_applicable" if header["error"] == "not_applicable" else "failed"
            raise CallFailed(status, str(header.get("message", ""))[:2000])
        return header, out

    def _receive(self, timeout: float | None) -> tuple[dict[str, Any], list[bytes]]:
        """Wait for an answer as long as the worker lives: what it left may hold its socket."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not self._channel.is_ready(min(deadline - time.monotonic(), 1.0)):
            if time.monotonic() >= deadline:
                raise TimedOut
            if _is_zombie(self._pid) and not self._channel.is_ready(0.0):
                raise Closed("the worker has ended")
        left = None if timeout is None else max(deadline - time.monotonic(), 0.1)
        return self._channel.receive(left)

    def kill(self, *, ending: bool = False) -> int:
        """End it and all it started, and give its exit code (negative: a signal's number).

        Parameters
        ----------
        ending : bool
            It is ending by itself: leave it a moment, to learn how.
        """
        if self._ended:
            return 0
        self._ended = True
        for _ in range(100 if ending else 0):
            if _is_zombie(self._pid):
                break
            time.sleep(0.005)
        for end in (os.killpg, os.kill):  # the group it leads; itself, should it not lead one yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(self._pid, signal.SIGKILL)
        self._channel.close()
        return self._pool.wait(self._pid)


def _absolute(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(os.path.abspath(path) for path in paths)


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
