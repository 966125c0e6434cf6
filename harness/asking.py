"""Ask one predictor for runs that were not made, in workers, as an evaluation does."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.asked_runs import AskedRun, shown_table
from harness.description import describe, needs_of, why_not
from harness.distribution import Distribution
from harness.fold_folder import FoldFolder
from harness.held_out import HeldOut
from harness.information import TARGET_COLUMNS
from harness.jail.probe import isolation_of
from harness.judging import Judged, Losses, Said, TargetFacts, judge_runs
from harness.local import workers_of
from harness.prediction_table import decode, to_bytes
from harness.spec import Spec
from harness.split import Fold
from harness.task import load_task
from harness.unit import Unit
from suites.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Asker", "Reply"]


@dataclass(frozen=True)
class Reply:
    """What a predictor said of the runs it was asked for, at one number of shown responses.

    Attributes
    ----------
    distributions : mapping of str to Distribution
        Target → its distribution.
    status : mapping of str to (str, str)
        Target → what became of it, and why (`harness.judging.STATUSES`).
    table : pyarrow.Table or None
        The predictions as its worker wrote them; None where it gave none.
    """

    distributions: Mapping[str, Distribution]
    status: Mapping[str, tuple[str, str]]
    table: pa.Table | None


class _Facts(TargetFacts):
    """A target whose truth nobody knows: nothing is scored."""

    def scores(self, distribution: Distribution, target: str) -> Losses:
        return {}


class _View:
    """What a worker is shown of the asked runs: nothing at k = 0, else all that was observed."""

    def __init__(self, folder: FoldFolder, asked: Sequence[AskedRun], seed: int) -> None:
        self.fold = Fold(seed, 0, np.ones(len(asked), bool))
        self.path = folder.path
        self.targets = [run.row["target"] for run in asked]
        self.facts = {
            run.row["target"]: _Facts(
                float("nan"),
                run.row["n"],
                bool(run.row["binary"]),
                run.row["lower"],
                run.row["upper"],
                len(run.instances),
            )
            for run in asked
        }
        self._shown = to_bytes(shown_table(asked)), to_bytes(shown_table([]))

    def asked(self, k: int) -> list[str]:
        return [t for t in self.targets if self.facts[t].instances > k]

    def shown(self, k: int) -> bytes | None:
        return self._shown[0 if k else 1]

    def state(self, k: int) -> bytes | None:
        return None

    def revealed(self, k: int) -> bytes | None:
        return None

    def judge(self, k: int, table: pa.Table, said: Said) -> Judged:
        return judge_runs(table, self.asked(k), self.facts, said)

    def uniform(self, k: int, target: str) -> Losses:
        return {}


class Asker:
    """One predictor that is asked, as often as one likes; use as a context manager.

    Parameters
    ----------
    held : HeldOut
        The source's runs.
    spec : Spec
        The predictor; with `joint` it is given the setting ``joint`` where it has it.
    joint : bool
        Ask for draws that belong together.
    seed : int
        For what is random in it.
    timeout : float or None
        Seconds of wall time for each call.
    isolation : str
        As `harness.evaluate` takes it.

    Raises
    ------
    UsageError
        If the predictor cannot be made, or does not apply.
    """

    def __init__(
        self,
        held: HeldOut,
        spec: Spec,
        *,
        joint: bool = False,
        seed: int = 0,
        timeout: float | None = 600.0,
        isolation: str = "best",
    ) -> None:
        self.spec = spec
        self._held, self._joint, self._seed, self._timeout = held, joint, seed, timeout
        self._level = isolation_of(isolation)
        self._asked = 0
        name = hashlib.sha256(repr((spec.name, seed)).encode()).hexdigest()[:8]
        self._work = held.folder / f"asked-{name}"

    def __enter__(self) -> Asker:
        self._work.mkdir()
        hidden = [*self._held.suite.places(), self._held.folder]
        self._workers = workers_of(self._level, self._work, hidden)
        self._workers.__enter__()
        try:
            self._description = self._described()
        except BaseException:
            self._workers.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._workers.__exit__(*exc)

    def ask(
        self, train: NDArray[np.bool_], asked: Sequence[AskedRun], *, before: bool = True
    ) -> dict[int, Reply]:
        """Ask for the distributions of runs.

        Parameters
        ----------
        train : array of bool, shape (rows of ``held.runs``,)
            Which of them it may learn from.
        asked : sequence of AskedRun
            What to predict; one or more.
        before : bool
            Ask also for what it would say without the observed responses.

        Returns
        -------
        dict of int to Reply
            Number of shown responses → reply: 0, and the largest number that was observed of a
            run.

        Raises
        ------
        UsageError
            If it gave no prediction.
        """
        if not train.any():
            raise UsageError("nothing is left to learn from: all runs of the source are held out.")
        most = max(run.k for run in asked)
        # every run that is asked for has more instances than were shown of it; of the others the
        # least k is enough to say that something is shown
        k = most if len(asked) == 1 else min(most, 1)
        ks = sorted({0, k} if before else {k})
        self._asked += 1
        folder = self._work / f"{self._asked}"
        view = _View(_folder(self._held, train, asked, folder), asked, self._seed)
        quiet = {**self._description, "diagnostics": []}  # they judge an evaluation's fold
        frames = self._held.has_frames and "frames" in needs_of(self._description)
        unit = Unit(self.spec, quiet, view, ks, self._timeout, frames)
        result = unit.run(lambda name: self._workers.start(name, [view.path], self.spec.folders))
        replies = {}
        for k in ks:
            status = {t: (state, message) for at, t, state, _, message in result.status if at == k}
            table = result.predictions.get(k)
            given = (
                {}
                if table is None
                else {t: d for t, d, _ in decode(table, view.facts) if d is not None}
            )
            answered = {t: d for t, d in given.items() if status[t][0] == "ok"}
            replies[k] = Reply(answered, status, table)
        if not any(reply.distributions for reply in replies.values()):
            state, message = next(iter(replies[ks[-1]].status.values()), ("missing", "no answer"))
            raise UsageError(
                f"the predictor {self.spec.name} gave no prediction: {state}: "
                f"{message.rstrip('.')}."
            )
        return replies

    def _described(self) -> dict[str, Any]:
        spec = self.spec
        description = describe(self._workers, spec, self._timeout)
        if (
            self._joint
            and "joint" in description.get("settings", ())
            and ("joint" not in spec.settings)
        ):
            self.spec = dataclasses.replace(spec, settings={**spec.settings, "joint": True})
        why = why_not(description, load_task("heldout-run"), self._held)
        if why is None and "frames" in (description.get("needs") or ()):
            why = "it reads HELM's frames, and a run that was not made has none"
        if why is not None:
            raise UsageError(f"the predictor {spec.name} cannot be asked: {why.rstrip('.')}.")
        return description


def _folder(
    held: HeldOut, train: NDArray[np.bool_], asked: Sequence[AskedRun], work: Any
) -> FoldFolder:
    """Write the folder that a worker gets: train runs, descriptions of what is asked for."""
    import pandas as pd

    names = ["target", *TARGET_COLUMNS]
    targets = pd.DataFrame([run.row for run in asked], columns=names)
    kinds = held.runs[list(TARGET_COLUMNS)].dtypes.to_dict()
    targets = targets.astype({**kinds, "target": "string"})
    targets["instances"] = [run.instances for run in asked]
    targets["most_k"] = [len(run.instances) - 1 for run in asked]
    return FoldFolder.write(
        work,
        shards=held.shards,
        train_runs=held.public(held.runs[train]),
        targets=targets,
        models=held.suite.models,
        scenarios=held.suite.scenarios,
        tables=["responses"] if held.has_responses else [],
        run_specs=None,
        partial={},
    )
