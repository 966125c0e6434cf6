"""Isolation ``none``: a session of this process that answers as a worker does.

For classes of a notebook. It has no time limit, and what a predictor imports or changes stays.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401 (only what is loaded can be limited)
from threadpoolctl import threadpool_limits

from harness.pool import CallFailed, Pool
from harness.worker import Session, answer, failure


def workers_of(level: str, log: Path, hidden: Sequence[Path] = ()) -> Pool | Local:
    """Give what starts workers.

    Parameters
    ----------
    level : str
        As `harness.jail.probe.isolation_of` gives it.
    log : Path
        A folder for what they print.
    hidden : sequence of Path
        What they may not read even where it lies beside their code: the sources, the results.
    """
    return Local() if level == "none" else Pool(log, level=level, hidden=hidden)


class Local:
    """Gives sessions of this process; use as a context manager."""

    def __init__(self) -> None:
        self._random: Any = None
        self._path: list[str] = []

    def __enter__(self) -> Local:
        self._path = list(sys.path)
        self._random = random.getstate(), np.random.get_state()  # noqa: NPY002
        return self

    def __exit__(self, *exc: object) -> None:
        sys.path[:] = self._path
        random.setstate(self._random[0])
        np.random.set_state(self._random[1])  # noqa: NPY002

    def abort(self) -> None:
        """Nothing runs beside this process, so there is nothing to end."""

    def start(
        self, name: str, data: Sequence[Path] = (), code: Sequence[Path] = ()
    ) -> LocalSession:
        """Start a session; it may read everything that this process may."""
        return LocalSession()


class LocalSession:
    """One predictor on one fold, in this process."""

    def __init__(self) -> None:
        self._session = Session()

    def __enter__(self) -> LocalSession:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def call(
        self, message: dict[str, Any], blobs: tuple[bytes, ...] = (), *, timeout: float | None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Answer a message; ``timeout`` cannot be held here.

        Raises
        ------
        CallFailed
            If the predictor raises.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            with threadpool_limits(1):  # as in a worker: the order of sums decides last digits
                header, out = answer(self._session, message, list(blobs))
        except (Exception, SystemExit) as err:  # sys.exit() is a fault of its own here too
            told = failure(err)
            raise CallFailed(told["error"], told["message"]) from err
        header["wall_s"] = time.perf_counter() - wall
        header["cpu_s"] = time.process_time() - cpu
        return header, out
