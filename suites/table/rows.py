"""The files of a table as one list of rows, long or wide alike: one row, one value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suites.errors import UsageError, unknown_name
from suites.problem import Problem
from suites.table.columns import Coded, Numbers, coded_of, kind_of, numbers_of
from suites.table.file import Opened
from suites.table.roles import Layout, find_layout, own_columns
from suites.table.spec import TableSpec

_NUMERIC = ("value", "weight", "n", "stderr", "lower", "upper", "higher_is_better")
_LISTED = 20
"""How many findings of one code are listed one by one."""


@dataclass(frozen=True)
class Rows:
    """All values of a table, in the order of its files and rows.

    Attributes
    ----------
    layout : Layout
        What the columns hold.
    files : list of (str, str)
        Names of the files, for messages, and their paths or URLs.
    file : ndarray of int32, shape (R,)
        Which file.
    number : ndarray of int64, shape (R,)
        Which row of it, from 1.
    is_figure : ndarray of bool, shape (R,)
        Whether the value is a run's; else it is a response's.
    text : dict of str to Coded
        Role → column, of the roles that are text.
    numbers : dict of str to Numbers
        Role → column, of the roles that are numbers.
    extra : dict of str to Coded
        Other columns that the YAML names.
    """

    layout: Layout
    files: list[tuple[str, str]]
    file: NDArray[np.int32]
    number: NDArray[np.int64]
    is_figure: NDArray[np.bool_]
    text: dict[str, Coded]
    numbers: dict[str, Numbers]
    extra: dict[str, Coded]

    def __len__(self) -> int:
        return len(self.number)


class Findings:
    """Findings about rows, kept until it is known which runs they concern.

    Parameters
    ----------
    source : str
        The source as the user named it.
    report : callable
        Takes each problem.
    """

    def __init__(self, source: str, report: Callable[[Problem], None]) -> None:
        self.source = source
        self.report = report
        self._kept: list[tuple[str, NDArray[np.int64], Callable[[int], str], str]] = []

    def file(self, name: str) -> Callable[..., None]:
        """Give what takes the findings of one file (`suites.table.file.Note`)."""

        def note(code: str, message: str, hint: str = "", row: int | None = None) -> None:
            self.report(Problem(self.source, None, name, row, code, message, hint))

        return note

    def plain(self, code: str, messages: Sequence[str], hint: str = "", file: str = "") -> None:
        """Report findings that concern no row: the first 20, then how many more."""
        for message in messages[:_LISTED]:
            self.report(Problem(self.source, None, file or None, None, code, message, hint))
        if len(messages) > _LISTED:
            more = f"{len(messages) - _LISTED} more like these"
            self.report(Problem(self.source, None, file or None, None, code, more, hint))

    def rows(
        self, code: str, rows: NDArray[Any], say: Callable[[int], str], hint: str = ""
    ) -> None:
        """Keep a finding about rows.

        Parameters
        ----------
        code : str
            The problem's code.
        rows : ndarray of int64, shape (B,)
            Positions in the list of rows.
        say : callable
            Gives the message of the i-th of them.
        hint : str
            How to mend it.
        """
        if len(rows):
            self._kept.append((code, np.asarray(rows, np.int64), say, hint))

    def flush(self, rows: Rows, run_of: NDArray[Any], runs: Sequence[str]) -> None:
        """Report what was kept: the first 20 of a code, then how many more.

        Parameters
        ----------
        rows : Rows
            The rows.
        run_of : ndarray of int, shape (R,)
            Each row's run, −1 where it has none.
        runs : sequence of str
            The ids of the runs.
        """
        for code, found, say, hint in self._kept:
            for i, row in enumerate(found[:_LISTED].tolist()):
                run = int(run_of[row])
                name = rows.files[rows.file[row]][0]
                across = rows.layout.across
                column = f"column {rows.text[across].text(row)!r}: " if across else ""
                self.report(
                    Problem(
                        self.source,
                        runs[run] if run >= 0 else None,
                        name,
                        int(rows.number[row]),
                        code,
                        column + say(i),
                        hint,
                    )
                )
            if len(found) > _LISTED:
                more = f"{len(found) - _LISTED} more rows like these"
                self.report(Problem(self.source, None, None, None, code, more, hint))
        self._kept.clear()


def read_rows(files: Sequence[Opened], spec: TableSpec, findings: Findings) -> Rows:
    """Read the columns that are needed of all files of a table.

    Parameters
    ----------
    files : sequence of Opened
        The files, at least one; the first says what the columns hold.
    spec : TableSpec
        What the YAML says.
    findings : Findings
        Takes what could not be read.

    Raises
    ------
    UsageError
        If it is not clear what the columns hold, or nothing can be read.
    """
    head = files[0].head()
    kinds = {name: kind_of(head.column(name), spec.missing) for name in files[0].columns}
    layout = find_layout(kinds, spec, files[0].location)
    extra = _extra_columns(kinds, layout, spec)
    parts: list[Rows] = []
    for file in files:
        note = findings.file(file.name)
        needed = _needed(layout, extra)
        lacking = [name for name in needed if name not in file.columns]
        if lacking:
            said = f"has no column {', '.join(map(repr, lacking))}; the file is left out"
            note("missing-column", said, f"{files[0].name} has it")
            continue
        try:
            table, numbers = file.read(needed, note)
        except UsageError as err:
            if len(files) == 1:
                raise
            note("bad-file", f"{err}")
            continue
        parts.append(_part(file, table, numbers, layout, spec, extra))
    if not parts or not sum(len(part) for part in parts):
        raise UsageError(f"{files[0].location}: there are no rows below the header.")
    return parts[0] if len(parts) == 1 else _join(parts)


def _needed(layout: Layout, extra: Iterable[str]) -> list[str]:
    columns = [*layout.roles.values(), *layout.folds.values(), *layout.values, *extra]
    return list(dict.fromkeys(columns))


def _extra_columns(kinds: Iterable[str], layout: Layout, spec: TableSpec) -> list[str]:
    """Give the columns beside the roles that the YAML needs: folds, their keys, own properties."""
    names = list(kinds)
    extra = own_columns(names, spec)
    if spec.folds is not None:
        extra |= {column for column, _ in spec.folds.on if column in names}
    for part in (spec.models, spec.scenarios):
        if part is not None and part.file is None:
            for attribute in part.attributes.values():
                if attribute.column is not None and attribute.column not in names:
                    raise UsageError(
                        f"{spec.path or 'the explanation of the table'}: "
                        f"{unknown_name('column', attribute.column, names)}"
                    )
    extra |= set(layout.folds.values())
    return [name for name in names if name in extra]


def _part(
    file: Opened,
    table: Any,
    number: NDArray[np.int64],
    layout: Layout,
    spec: TableSpec,
    extra: Sequence[str],
) -> Rows:
    def column(name: str, read: Callable[..., Any], *options: Any) -> Any:
        try:
            return read(table.column(name), *options)
        except UsageError as err:
            raise UsageError(f"{file.location}: column {name!r}: {err}") from err

    text = {
        role: column(name, coded_of) for role, name in layout.roles.items() if role not in _NUMERIC
    }
    numbers = {
        role: column(name, numbers_of, spec.missing)
        for role, name in layout.roles.items()
        if role in _NUMERIC
    }
    own = {name: column(name, coded_of) for name in extra}
    if layout.across is not None:
        wide = [column(name, numbers_of, spec.missing) for name in layout.values]
        return _melt(file, number, layout, text, numbers, own, wide)
    return _rows(file, layout, number, text, numbers, own)


def _rows(
    file: Opened,
    layout: Layout,
    number: NDArray[np.int64],
    text: dict[str, Coded],
    numbers: dict[str, Numbers],
    extra: dict[str, Coded],
) -> Rows:
    """Give the rows of one file."""
    which = np.zeros(len(number), np.int32)
    is_figure = np.full(len(number), file.has_figures or "instance" not in layout.roles)
    named = [(file.name, file.location)]
    return Rows(layout, named, which, number, is_figure, text, numbers, extra)


def _melt(
    file: Opened,
    number: NDArray[np.int64],
    layout: Layout,
    text: dict[str, Coded],
    numbers: dict[str, Numbers],
    extra: dict[str, Coded],
    wide: list[Numbers],
) -> Rows:
    """Turn each cell of a wide table into a row, row by row; empty cells are left out."""
    assert layout.across is not None
    width = len(wide)
    values = np.stack([column.values for column in wide], axis=1).ravel()  # [rows * width]
    bad = [
        (int(r) * width + v, t)
        for v, c in enumerate(wide)
        for r, t in zip(c.bad, c.texts, strict=True)
    ]
    bad.sort()
    keep = np.isfinite(values)
    if "instance" in layout.roles:
        keep[:] = True
    keep[[place for place, _ in bad]] = True
    cells = np.flatnonzero(keep)
    row, column = cells // width, cells % width
    new_bad = np.searchsorted(cells, np.array([place for place, _ in bad], np.int64))

    def repeat(old: Numbers) -> Numbers:
        texts = dict(zip(old.bad.tolist(), old.texts, strict=True))
        again = np.flatnonzero(np.isin(row, old.bad))
        return Numbers(old.values[row], again, [texts[int(row[i])] for i in again])

    text = {role: coded.take(row) for role, coded in text.items()}
    text[layout.across] = Coded(column.astype(np.int32), list(layout.values))
    out = {role: repeat(old) for role, old in numbers.items()}
    out["value"] = Numbers(values[cells], new_bad, [t for _, t in bad])
    taken = {name: coded.take(row) for name, coded in extra.items()}
    return _rows(file, layout, number[row], text, out, taken)


def _join(parts: Sequence[Rows]) -> Rows:
    starts = np.cumsum([0, *(len(part) for part in parts)])
    first = parts[0]

    def numbers(role: str) -> Numbers:
        columns = [part.numbers[role] for part in parts]
        return Numbers(
            np.concatenate([c.values for c in columns]),
            np.concatenate([c.bad + at for c, at in zip(columns, starts[:-1], strict=True)]),
            [text for c in columns for text in c.texts],
        )

    return Rows(
        first.layout,
        [part.files[0] for part in parts],
        np.repeat(np.arange(len(parts), dtype=np.int32), np.diff(starts)),
        np.concatenate([part.number for part in parts]),
        np.concatenate([part.is_figure for part in parts]),
        {role: join_coded([part.text[role] for part in parts]) for role in first.text},
        {role: numbers(role) for role in first.numbers},
        {name: join_coded([part.extra[name] for part in parts]) for name in first.extra},
    )


def join_coded(columns: Sequence[Coded]) -> Coded:
    """Put columns below each other.

    Examples
    --------
    >>> import numpy as np
    >>> both = join_coded([Coded(np.array([0], np.int32), ["a"]),
    ...                    Coded(np.array([0, 1], np.int32), ["b", "a"])])
    >>> both.codes.tolist(), both.names
    ([0, 1, 0], ['a', 'b'])
    """
    place: dict[str, int] = {}
    codes = []
    for column in columns:
        new = [place.setdefault(name, len(place)) for name in column.names]
        codes.append(np.array([*new, -1], np.int32)[column.codes])
    return Coded(np.concatenate(codes), list(place))


def natural_key(text: str) -> tuple[Any, ...]:
    """Give what sorts texts with numbers in them as people do.

    Examples
    --------
    >>> sorted(["a10", "a9", "b1"], key=natural_key)
    ['a9', 'a10', 'b1']
    """
    parts = re.split(r"([0-9]+)", text)
    key = tuple(
        (len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in enumerate(parts)
    )
    return key, text


def in_natural_order(column: Coded) -> Coded:
    """Renumber a column so that its names stand in natural order (whole numbers by size).

    Examples
    --------
    >>> import numpy as np
    >>> column = in_natural_order(Coded(np.array([0, 1, -1], np.int32), ["10", "9"]))
    >>> column.codes.tolist(), column.names
    ([1, 0, -1], ['9', '10'])
    """
    import pyarrow as pa

    names = column.names
    try:
        numbers = np.array(pa.array(names, pa.string()).cast(pa.int64()))
        order = np.lexsort((np.array(names, dtype=object).astype(str), numbers))
    except pa.ArrowException:
        order = np.array(sorted(range(len(names)), key=lambda i: natural_key(names[i])), np.int64)
    place = np.full(len(names) + 1, -1, np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    return Coded(place[column.codes], [names[i] for i in order])
