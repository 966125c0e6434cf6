"""A unit of an evaluation: one predictor on one fold, fitted once, asked for every k.

Everything a predictor can do wrong ends here as a status of its own targets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from harness.diagnostics import read_table, why_failed
from harness.joint_rules import GroupScore
from harness.judging import Judged, Losses, Said
from harness.pool import CallFailed, WorkerLost
from harness.prediction_table import COLUMNS
from harness.spec import Spec
from harness.untrusted_table import read_untrusted

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from harness.split import Fold


_MOST_STATUSES = 1 << 26  # bytes


class Caller(Protocol):
    """A worker, or a session of this process."""

    def call(
        self, message: dict[str, Any], blobs: tuple[bytes, ...] = (), *, timeout: float | None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a message and wait for its answer."""


class View(Protocol):
    """What may be seen of one fold (`harness.fold_view.FoldView`)."""

    fold: Fold
    path: Path

    def asked(self, k: int) -> list[str]:
        """Give the targets that are asked for when k responses are shown."""

    def shown(self, k: int) -> bytes | None:
        """Give the shown responses, an Arrow stream; None where the source has none."""

    def state(self, k: int) -> bytes | None:
        """Give what may be seen of the targets' scenario_state; None without frames."""

    def revealed(self, k: int) -> bytes | None:
        """Give the held-out runs whose values are revealed, an Arrow stream; None for none."""

    def judge(self, k: int, table: pa.Table, said: Said) -> Judged:
        """Judge the answer to a call: what became of the targets, scores of those that are ok."""

    def uniform(self, k: int, target: str) -> Losses:
        """Score the prediction that knows nothing."""


@dataclass
class UnitResult:
    """What came of a unit.

    Attributes
    ----------
    predictions : dict of int to pyarrow.Table
        k → the predictions, as the predictor's worker wrote them.
    scores : list of (k, target, dict of rule to float)
        Scores of the targets that are ok.
    status : list of (k, target, status, outside, message)
        What became of every target.
    uniform : dict of (k, target) to dict of rule to float
        What the uniform distribution would have got, of the targets that are not ok.
    groups : list of (k, GroupScore)
        Scores of several targets together (`harness.joint_rules`).
    calibration : list of (k, bin, number, sum of predictions, sum of values)
        Of single responses (`harness.judging.Judged`).
    diagnostics : dict of str to pyarrow.Table
        What the predictor says of itself, by kind (`harness.diagnostics.KINDS`).
    diagnostic_errors : dict of str to str
        Why one is missing although the predictor offers it.
    timings : list of (k or None, phase, wall seconds, CPU seconds)
    """

    predictions: dict[int, pa.Table] = field(default_factory=dict)
    scores: list[tuple[int, str, Losses]] = field(default_factory=list)
    status: list[tuple[int, str, str, float, str]] = field(default_factory=list)
    uniform: dict[tuple[int, str], Losses] = field(default_factory=dict)
    groups: list[tuple[int, GroupScore]] = field(default_factory=list)
    calibration: list[tuple[int, int, int, float, float]] = field(default_factory=list)
    diagnostics: dict[str, pa.Table] = field(default_factory=dict)
    diagnostic_errors: dict[str, str] = field(default_factory=dict)
    timings: list[tuple[int | None, str, float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Unit:
    """One predictor on one fold.

    Attributes
    ----------
    spec : Spec
        The predictor.
    description : mapping
        What its class declares (`harness.worker.Session.describe`).
    view : View
        What it may see.
    ks : sequence of int
        Numbers of shown responses, ascending.
    timeout : float or None
        Seconds of wall time for each call.
    frames : bool
        Whether it is given the HELM frames.
    fail_on : sequence of str
        Checks of its own that it must pass to be asked at all; ``any`` for all.
    """

    spec: Spec
    description: Mapping[str, Any]
    view: View
    ks: Sequence[int]
    timeout: float | None
    frames: bool
    fail_on: Sequence[str] = ()

    @property
    def name(self) -> str:
        """A name for files: predictor, seed and fold."""
        digest = hashlib.sha256(self.spec.name.encode()).hexdigest()[:10]
        return f"{digest}-{self.view.fold.seed}-{self.view.fold.fold}"

    def run(self, start: Callable[[str], Any]) -> UnitResult:
        """Start a worker and carry the unit out.

        Parameters
        ----------
        start : callable
            Takes a name and gives a context manager of a `Caller`.
        """
        result = UnitResult()
        left = list(self.ks)
        try:
            with start(self.name) as worker:
                self._call(worker, result, None, self.spec.load_message())
                fit = {"call": "fit", "folder": str(self.view.path), "seed": self._seed(-1)}
                self._call(worker, result, None, fit)
                self._diagnose(worker, result, "checks")
                found, error = result.diagnostics, result.diagnostic_errors
                if why := why_failed(found.get("checks"), error.get("checks", ""), self.fail_on):
                    raise CallFailed("failed", why)
                while left:
                    self._predict(worker, result, left[0])
                    left.pop(0)
                self._diagnose(worker, result, "loo")
        except (CallFailed, WorkerLost) as err:
            for k in left:
                self._all(result, k, err.status, str(err))
        return result

    def _predict(self, worker: Caller, result: UnitResult, k: int) -> None:
        asked = self.view.asked(k)
        if k < int(self.description.get("min_k", 0)):
            least = self.description["min_k"]
            return self._all(result, k, "not_applicable", f"needs at least k = {least}")
        if not asked:
            return None
        tables = {
            "shown": self.view.shown(k),
            "state": self.view.state(k) if self.frames else None,
            "revealed": self.view.revealed(k),
        }
        message = {
            "call": "predict",
            "k": k,
            "seed": self._seed(k),
            "tables": [name for name, content in tables.items() if content is not None],
        }
        try:
            sent = tuple(content for content in tables.values() if content is not None)
            blobs = self._call(worker, result, k, message, sent)
        except CallFailed as err:
            return self._all(result, k, err.status, str(err))
        try:
            table = read_untrusted(blobs[0], COLUMNS)
            status = _statuses(blobs[1])
            judged = self.view.judge(k, table, status)
        except Exception as err:  # whatever a predictor's process may write is no reason to stop
            self._all(result, k, "invalid", f"its answer cannot be read: {err}")
        else:
            result.predictions[k] = table
            result.scores += [(k, target, losses) for target, losses in judged.scores]
            result.groups += [(k, group) for group in judged.groups]
            result.calibration += [(k, *row) for row in judged.calibration]
            known = set(asked)
            for target, state, outside, reason in judged.status:
                self._note(result, k, target, state, reason, outside, known=target in known)
        return None

    def _diagnose(self, worker: Caller, result: UnitResult, kind: str) -> None:
        """Ask for the predictor's own diagnostic; its failure is told and costs nothing else."""
        import pyarrow as pa

        if kind not in (self.description.get("diagnostics") or ()):
            return
        try:
            blobs = self._call(worker, result, None, {"call": kind})
            result.diagnostics[kind] = read_table(kind, blobs[0])
        except WorkerLost as err:
            result.diagnostic_errors[kind] = str(err)
            if kind == "checks":  # it comes before the predictions
                raise
        except CallFailed as err:
            result.diagnostic_errors[kind] = str(err)
        except (ValueError, IndexError, pa.ArrowException) as err:
            result.diagnostic_errors[kind] = f"its answer cannot be read: {err}"

    def _call(
        self,
        worker: Caller,
        result: UnitResult,
        k: int | None,
        message: dict[str, Any],
        blobs: tuple[bytes, ...] = (),
    ) -> list[bytes]:
        header, out = worker.call(message, blobs, timeout=self.timeout)
        wall, cpu = _seconds(header.get("wall_s")), _seconds(header.get("cpu_s"))
        result.timings.append((k, message["call"], wall, cpu))
        return out

    def _all(self, result: UnitResult, k: int, status: str, message: str) -> None:
        for target in self.view.asked(k):
            self._note(result, k, target, status, message)

    def _note(
        self,
        result: UnitResult,
        k: int,
        target: str,
        status: str,
        message: str,
        outside: float = 0.0,
        *,
        known: bool = True,
    ) -> None:
        result.status.append((k, target, status, outside, message))
        if known and status not in ("ok", "not_applicable"):
            result.uniform[(k, target)] = self.view.uniform(k, target)

    def _seed(self, k: int) -> int:
        """Seed what is random in the predictor: from its settings, the seed, the fold and k."""
        fold = self.view.fold
        text = f"{self.spec.cls}|{self.spec.settings_hash}|{fold.seed}|{fold.fold}|{k}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _statuses(content: bytes) -> dict[str, tuple[str, str]]:
    """Read what a worker says became of its targets: target → status, why."""
    if len(content) > _MOST_STATUSES:  # some JSON takes twenty times its size in memory
        raise ValueError(f"{len(content)} bytes of statuses")
    return msgspec.json.decode(content, type=dict[str, tuple[str, str]])


def _seconds(value: Any) -> float:
    return value if isinstance(value, float) else float("nan")
