"""Problems: what could not be read, and why. They are listed, they never stop the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from suites.errors import ReadError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a source.

    Attributes
    ----------
    source : str
        The source as the user named it.
    run : str or None
        The run it concerns (its id, or its folder when the id could not be read).
    file : str or None
        The file, relative to the source where that is possible.
    offset : int or None
        Position in the file: a byte offset, or a row number of a table.
    code : str
        A short stable name: ``missing-file``, ``bad-json``, ``duplicate-run``, ``not-recomputed`` …
    message : str
        What is wrong, in one sentence.
    hint : str
        How to mend it; may be empty.
    """

    source: str
    run: str | None
    file: str | None
    offset: int | None
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = " ".join(part for part in (self.file or self.run or self.source,) if part)
        at = f" at {self.offset}" if self.offset is not None else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{at}: {self.message}{hint} [{self.code}]"


class ProblemLog:
    """Collects problems; under ``strict`` the first one is raised.

    Examples
    --------
    >>> log = ProblemLog()
    >>> log.add(Problem("runs", None, "a/stats.json", 12, "bad-json", "ends too early"))
    >>> len(log), log.frame()["code"].tolist()
    (1, ['bad-json'])
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._seen: dict[Problem, None] = {}

    def add(self, problem: Problem) -> None:
        """Note a problem once.

        Raises
        ------
        ReadError
            Under ``strict``.
        """
        if self.strict:
            raise ReadError(f"{problem} — reading is strict; without it the rest would be read.")
        self._seen.setdefault(problem)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note several problems."""
        for problem in problems:
            self.add(problem)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def frame(self) -> pd.DataFrame:
        """Give the problems as a table: one row each, columns as `Problem`'s fields."""
        import pandas as pd

        rows = [asdict(problem) for problem in self._seen]
        frame = pd.DataFrame(rows, columns=[f.name for f in fields(Problem)])
        text = [c for c in frame.columns if c != "offset"]
        return frame.astype({**dict.fromkeys(text, "string"), "offset": "Int64"})
