"""`InspectRuns` and `InspectRun`: logs as objects, with HELM's frames and Inspect's own objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from suites.errors import UsageError
from suites.inspect.frames import run_spec
from suites.inspect.header import Header
from suites.inspect.log import Log
from suites.inspect.reader import InspectReader
from suites.inspect.samples import InspectSample, samples
from suites.problem import Problem, ProblemLog
from suites.reader import ReadOptions, RunDescription

if TYPE_CHECKING:
    import pandas as pd


class InspectRun:
    """One evaluation: a log, its samples, and its frames.

    Attributes
    ----------
    description : RunDescription
        Who and what it is of, and its figures.
    log : Log
        The log; ``log.header`` is what it says of itself.

    Examples
    --------
    >>> run = InspectRuns("demo/inspect")[0]
    >>> run.header.status, len(list(run.samples())) == len(run.scenario_state())
    ('success', True)
    """

    def __init__(self, reader: InspectReader, description: RunDescription, log: Log) -> None:
        self._reader = reader
        self.description = description
        self.log = log

    @property
    def name(self) -> str:
        """The run's name: task, arguments, model and id of the log."""
        return self.description.name

    @property
    def path(self) -> str:
        """Where the log lies."""
        return self.log.location

    @property
    def header(self) -> Header:
        """What the log says of itself."""
        return self.log.header

    @property
    def eval_log(self) -> Any:
        """The log as Inspect itself reads it, an ``inspect_ai.log.EvalLog``; read once.

        Raises
        ------
        NotInstalled
            Where Inspect is not installed.
        """
        return self.log.eval_log

    @property
    def json(self) -> _Json:
        """Its description as HELM writes it: ``run.json.run_spec()``."""
        return _Json(self)

    def samples(self) -> Iterator[InspectSample]:
        """Read its samples one after another, with their texts."""
        return samples(self.log)

    def run_spec(self) -> pd.DataFrame:
        """Give HELM's frame of one row that describes the run."""
        return self._frame("run_specs")

    def scenario_state(self) -> pd.DataFrame:
        """Give HELM's frame of requests: one row per sample."""
        return self._frame("scenario_state")

    def stats(self) -> pd.DataFrame:
        """Give HELM's frame of figures: one row each."""
        return self._frame("stats")

    def per_instance_stats(self) -> pd.DataFrame:
        """Give HELM's frame of responses: one row per sample and metric."""
        return self._frame("per_instance_stats")

    def _frame(self, table: str) -> pd.DataFrame:
        frame = self._reader.frame(self.description, table)
        if frame is None:
            raise UsageError(f"{self.path}: {table} cannot be read; `harness ls` says why.")
        return frame

    def __repr__(self) -> str:
        return f"<InspectRun {self.name!r}>"


class _Json:
    def __init__(self, run: InspectRun) -> None:
        self._run = run

    def run_spec(self) -> dict[str, Any]:
        """Give what HELM's run_spec.json would say of the run."""
        return run_spec(self._run.name, self._run.header)


class InspectRuns(Sequence[InspectRun]):
    """The evaluations that came to their end, of some logs; of retried ones the last.

    Parameters
    ----------
    *sources : str or path
        Logs, folders, URLs, or ``"demo/inspect"``.
    options : ReadOptions, optional
        The user's own names and facts.

    Attributes
    ----------
    problems : ProblemLog
        What could not be read, and why.

    Raises
    ------
    UsageError
        If there are no logs.

    Examples
    --------
    >>> runs = InspectRuns("demo/inspect")
    >>> runs[0].log.header.task == runs[0].header.task
    True
    """

    def __init__(self, *sources: str | os.PathLike[str], options: ReadOptions | None = None):
        from suites.reading import demo_path

        self.problems = ProblemLog()
        named = [(os.fspath(s), demo_path(os.fspath(s))) for s in sources]
        reader = InspectReader.open_together(named, options or ReadOptions(), self.problems.add)
        self._runs: list[InspectRun] = []
        for run in reader.runs():
            if run.unfinished is None:
                self._runs.append(InspectRun(reader, run, reader.log(run)))
            else:
                self.problems.add(
                    Problem(run.source, run.run, None, None, "unfinished", run.unfinished)
                )

    @classmethod
    def of(cls, runs: Iterable[InspectRun]) -> InspectRuns:
        """Make a sequence of these runs."""
        made = cls.__new__(cls)
        made.problems = ProblemLog()
        made._runs = list(runs)
        return made

    @overload
    def __getitem__(self, place: int) -> InspectRun: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[InspectRun]: ...

    def __getitem__(self, place: Any) -> Any:
        return self._runs[place]

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return f"<InspectRuns: {len(self)} runs>"
