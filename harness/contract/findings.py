"""Carry the checks out in workers, as an evaluation would, and gather what they found."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.checks import CHECKS
from harness.contract.context import OUTCOMES, Finding
from harness.contract.prepare import prepare
from harness.description import describe
from harness.jail.probe import isolation_of
from harness.pool import CallFailed, Pool, WorkerLost
from harness.spec import Spec, parse_spec
from suites.errors import UsageError
from suites.suite import Suite

__all__ = ["Report", "check_predictor"]


@dataclass(frozen=True)
class Report:
    """What the checks of a predictor found.

    Attributes
    ----------
    spec : str
        The predictor.
    findings : sequence of Finding
        One of each check.
    seconds : float
        How long it took.
    """

    spec: str
    findings: Sequence[Finding]
    seconds: float

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return [found.check for found in self.findings if found.outcome == "fail"]


def check_predictor(
    spec: str | Spec,
    source: Suite | None = None,
    *,
    timeout: float | None = 600.0,
    isolation: str = "best",
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Check that a predictor keeps the contract, each check in a worker of its own.

    Parameters
    ----------
    spec : str or Spec
        A registered name, ``module:Class`` or ``path/file.py:Class``, with settings.
    source : Suite, optional
        Runs to check it on; by default made ones (`harness.contract.made`).
    timeout : float or None
        Seconds of wall time for one check.
    isolation : str
        As `harness.evaluate` takes it; not ``none``, as a check may harm its process.
    progress : callable, optional
        Called with (what, done, in all).

    Raises
    ------
    UsageError
        If there is no such class, or it does not apply to the runs.

    Examples
    --------
    >>> report = check_predictor("scenario-mean")
    >>> report.failed, report.findings[1]
    ([], Finding(check='answers', outcome='pass', message='54 predictions, k = 2, 8', mend=''))
    """
    started = time.perf_counter()
    predictor = parse_spec(spec) if isinstance(spec, str) else spec
    findings: list[Finding] = []
    if isolation == "none":
        raise UsageError("checks are made in workers: their isolation cannot be none.")
    level = isolation_of(isolation)
    hidden = source.places() if source is not None else []
    with (
        tempfile.TemporaryDirectory(prefix="benchcast-") as place,
        Pool(Path(place), level=level, hidden=hidden) as workers,
    ):
        described = describe(workers, predictor, timeout)
        if "error" in described:
            raise UsageError(f"cannot make the predictor {predictor.text}: {described['message']}.")
        folder = Path(place) / "cases"
        folder.mkdir()
        prepare(described, folder, source)
        silent = False  # then nothing else can be checked, and each check would wait for it
        for number, name in enumerate(CHECKS, start=1):
            if silent:
                findings.append(Finding(name, "not applicable", "it does not answer"))
                continue
            try:
                findings.append(_carried_out(workers, predictor, name, folder, timeout))
            except (CallFailed, WorkerLost) as err:
                why = str(err) if isinstance(err, WorkerLost) else f"it raises {err}"
                findings.append(Finding(name, "fail", why, CHECKS[name].mend))
                silent = name == "answers"
            if name == "answers" and findings[-1].outcome == "not applicable":
                raise UsageError(
                    f"{predictor.text} says that it does not apply to these runs: "
                    f"{findings[-1].message} Name a SOURCE that it is made for."
                )
            if progress is not None:
                progress("checking", number, len(CHECKS))
    return Report(predictor.text, findings, time.perf_counter() - started)


def _carried_out(
    workers: Pool, spec: Spec, name: str, folder: Path, timeout: float | None
) -> Finding:
    message: dict[str, Any] = {"call": "check", "name": name, "folder": str(folder)}
    with workers.start(f"check-{name.replace(' ', '-')}", [folder], spec.folders) as worker:
        worker.call(spec.load_message(), timeout=timeout)
        found, _ = worker.call(message, timeout=timeout)
    texts = [str(found.get(key)) for key in ("outcome", "message", "mend")]
    if texts[0] not in OUTCOMES:  # its process may have written anything
        return Finding(name, "fail", "what its process answered cannot be read")
    return Finding(name, *texts)
