"""A clean process that forks workers.

The parent holds the truth, so it never forks: it *executes* this module, which imports a fixed
list of libraries, runs none of them, and forks one worker for each request. A worker inherits
neither the parent's memory nor its descriptors, and its environment holds only what is listed here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import signal
import socket
import sys
import tempfile
from typing import Any

from harness.jail.policy import Policy

PRELOAD: tuple[str, ...] = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.ipc",
    "scipy.special",
    "scipy.stats",
    "sklearn.linear_model",
    "harness.jail.enter",
    "harness.worker",
    "suites.helm.frames",
)

ENVIRONMENT: dict[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "JAX_PLATFORMS": "cpu",
}
"""The whole environment of workers, beside PATH and, where they are set, what keeps numerical
libraries right on the machine (see `worker_environment`)."""

_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def worker_environment() -> dict[str, str]:
    """Give the environment that the server and its workers run in."""
    return {**{k: os.environ[k] for k in _KEPT if k in os.environ}, **ENVIRONMENT}


def main(control_fd: int) -> None:
    """Fork a worker for each request on the control socket, until it closes.

    Parameters
    ----------
    control_fd : int
        Descriptor of a connected Unix socket. A request is one line of JSON: ``{"fork": log,
        "jail": policy}`` with the worker's socket attached (``policy``: None, or as
        `harness.jail.policy.Policy.to_json`), or ``{"wait": pid}``; the answer is a line of JSON.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    control = socket.socket(fileno=control_fd)
    for name in PRELOAD:
        importlib.import_module(name)
    jailed: dict[int, str] = {}  # the workers in jails, and the folders they may write to
    while True:
        try:
            data, descriptors = _receive(control)
        except OSError:
            return
        if not data:
            return
        request = json.loads(data)
        answer: dict[str, Any]
        if "fork" in request:
            jail = _prepared(request["jail"], request["fork"])
            pid = os.fork()
            if pid == 0:
                control.close()
                _become_worker(descriptors[0], request["fork"], jail)
            os.close(descriptors[0])
            if jail is not None:
                jailed[pid] = jail.scratch
            answer = {"pid": pid}
        else:
            pid = request["wait"]
            _, status = os.waitpid(pid, 0)
            if pid in jailed:
                from harness.jail.enter import clear_up

                clear_up(pid, jailed.pop(pid), jailed)
            answer = {"code": os.waitstatus_to_exitcode(status)}
        control.sendall(json.dumps(answer).encode() + b"\n")


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """Receive one line, with what descriptors come with it; nothing at the end."""
    data, descriptors = bytearray(), []
    while not data.endswith(b"\n"):
        chunk, more, _, _ = socket.recv_fds(control, 65536, 1)
        if not chunk:
            return b"", []
        data += chunk
        descriptors += more
    return bytes(data), descriptors


def _prepared(jail: dict[str, Any] | None, log: str) -> Policy | None:
    """Give the policy of a jail, with a folder to write to where it needs one outside."""
    if jail is None:
        return None
    from harness.jail import kernel

    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)  # what outlives a worker comes to the server
    policy = Policy.from_json(jail)
    if policy.level == "strong":
        return policy
    place = tempfile.mkdtemp(prefix="scratch-", dir=os.path.dirname(log))
    return dataclasses.replace(policy, scratch=place)


def _become_worker(descriptor: int, log: str, jail: Policy | None) -> None:
    code = 1
    try:
        os.setsid()
        _die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.close(null)
        from harness.channel import Channel

        channel = Channel(socket.socket(fileno=descriptor))
        if jail is None:
            code = _serve(channel)
        else:
            from harness.jail.enter import run

            run(jail, lambda: _serve(channel), lambda why: _decline(channel, why), {descriptor})
    finally:
        os._exit(code & 0xFF)


def _serve(channel: Any) -> int:
    """Be a worker until the parent is gone; give the status to exit with."""
    from harness.worker import serve

    code = 1
    try:
        serve(channel)
        code = 0
    except SystemExit as err:
        code = err.code if isinstance(err.code, int) else 1
    except BaseException:
        import traceback

        with contextlib.suppress(Exception):
            traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
    return code & 0xFF


def _decline(channel: Any, why: str) -> None:
    """Answer the first call with the reason why it is not carried out."""
    from harness.channel import Closed

    with contextlib.suppress(Closed):
        channel.receive()
        channel.send({"error": "failed", "message": why})


def _die_with_parent() -> None:
    """Ask the kernel to end this process when the server ends, hung or not."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
