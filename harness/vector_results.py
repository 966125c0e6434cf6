"""`VectorResults`: the record of an evaluation of the same predictors on several tasks.

A folder with one complete results folder per task, and ``tasks.json``, which says which tasks,
where, and why one does not apply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.results import Results
from suites.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FILE", "TaskEntry", "VectorResults", "is_vector", "write_entries"]

FILE = "tasks.json"
"""What makes a folder the results of several tasks."""

STATUSES: tuple[str, ...] = ("evaluated", "not_applicable")

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class TaskEntry:
    """One task of the vector, and what became of it.

    Attributes
    ----------
    task : str
        Its name, settings included, or its file.
    heading : str
        What it is called in tables.
    folder : str
        The name of its results folder, or what that would be.
    status : str
        ``evaluated`` or ``not_applicable``.
    reason : str
        Why the sources cannot carry it; empty where they can.
    note : str
        What should be known of it: that it holds out the same as another task.
    summary : str
        What it asks of a predictor.
    """

    task: str
    heading: str
    folder: str
    status: str = "evaluated"
    reason: str = ""
    note: str = ""
    summary: str = ""

    @property
    def evaluated(self) -> bool:
        """Whether there are results."""
        return self.status == "evaluated"


class VectorResults:
    """Results of the same predictors on several tasks.

    Parameters
    ----------
    path : Path
        The folder.
    keep : object, optional
        Kept alive as long as the results: a temporary folder.

    Attributes
    ----------
    entries : list of TaskEntry
        All tasks, in their order.
    results : dict of str to Results
        Folder → results, of the tasks that were evaluated.

    Examples
    --------
    >>> import harness
    >>> both = harness.evaluate_all("demo/my-suite", "jeffreys", tasks=["heldout-run", "new-model"],
    ...                             k=0, isolation="none")
    >>> [(entry.folder, entry.status) for entry in both.entries]
    [('heldout-run', 'evaluated'), ('new-model', 'evaluated')]
    >>> both.results["new-model"].manifest["task"]
    'new-model'
    """

    def __init__(self, path: Path, keep: Any = None) -> None:
        self.path = path
        self._keep = keep

    @classmethod
    def load(cls, path: str | Path) -> VectorResults:
        """Open a folder of results of several tasks.

        Raises
        ------
        UsageError
            If it is none, or its list of tasks is damaged.
        """
        folder = Path(path)
        if not is_vector(folder):
            raise UsageError(
                f"{folder} holds no results of several tasks (no {FILE}): "
                f"`harness evaluate … --task all --out {folder}` makes them."
            )
        opened = cls(folder)
        _ = opened.entries
        return opened

    @cached_property
    def listed(self) -> dict[str, Any]:
        """The content of tasks.json: ``benchcast``, ``command``, ``tasks``."""
        path = self.path / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return {"benchcast": None, "command": None, **content, "tasks": list(content["tasks"])}
        except (OSError, ValueError, TypeError, KeyError) as err:
            raise self._damaged(f"{type(err).__name__}: {err}") from err

    @cached_property
    def entries(self) -> list[TaskEntry]:
        """All tasks, in their order."""
        try:
            entries = [
                TaskEntry(**{key: str(value or "") for key, value in row.items()})
                for row in self.listed["tasks"]
            ]
        except (TypeError, AttributeError) as err:
            raise self._damaged(f"{type(err).__name__}: {err}") from err
        folders = [entry.folder.casefold() for entry in entries]
        for entry in entries:
            # a folder's name becomes part of paths that are written to
            if not _FOLDER.fullmatch(entry.folder) or folders.count(entry.folder.casefold()) > 1:
                raise self._damaged(f"{entry.folder!r} cannot be a task's folder")
            if entry.status not in STATUSES:
                raise self._damaged(f"{entry.status!r} is no status of a task")
        return entries

    def _damaged(self, why: str) -> UsageError:
        return UsageError(f"{self.path / FILE} is damaged: {why}.")

    @cached_property
    def results(self) -> dict[str, Results]:
        """Folder → results, of the tasks that were evaluated."""
        return {e.folder: Results.load(self.path / e.folder) for e in self.entries if e.evaluated}

    def entry(self, name: str) -> TaskEntry:
        """Find a task that was evaluated by its folder, name or heading.

        Raises
        ------
        UsageError
            If there is none; the reason, if it does not apply.
        """
        for entry in self.entries:
            if name in (entry.folder, entry.task, entry.heading):
                if entry.evaluated:
                    return entry
                raise UsageError(f"the task {entry.task} was not evaluated: {entry.reason}")
        raise unknown_name("task", name, [entry.folder for entry in self.entries])

    def rankings(self, metric: str | None = None) -> dict[str, pd.DataFrame]:
        """Rank the predictors on each task, at every k: folder → `harness.ranking.rank`.

        Parameters
        ----------
        metric : str, optional
            Only targets of this metric.
        """
        from harness.ranking import headline_rule, rank

        return {
            folder: rank(results, metric=metric, rule=headline_rule(results.scores))
            for folder, results in self.results.items()
        }

    def headline(self, k: int | None = None, metric: str | None = None) -> pd.DataFrame:
        """Set the rankings of all tasks side by side; see `harness.headline.headline`."""
        from harness.headline import headline

        return headline(self.rankings(metric), k)

    @property
    def problems(self) -> pd.DataFrame:
        """Problems of the sources, those of all tasks, each once."""
        import pandas as pd

        tables = [results.problems for results in self.results.values()]
        return pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)

    def __repr__(self) -> str:
        return f"<VectorResults of {', '.join(entry.folder for entry in self.entries)}>"


def is_vector(folder: Path) -> bool:
    """Say whether a folder holds results of several tasks."""
    return (folder / FILE).is_file()


def write_entries(folder: Path, entries: Sequence[TaskEntry], facts: Mapping[str, Any]) -> None:
    """Write the list of tasks.

    Parameters
    ----------
    folder : Path
        Where the results folders of the tasks are.
    entries : sequence of TaskEntry
        All tasks, in their order.
    facts : mapping
        What stands beside them: versions, the command.
    """
    content = {**facts, "tasks": [asdict(entry) for entry in entries]}
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    # a command line may hold halves of characters: these stay escapes of JSON
    (folder / FILE).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
