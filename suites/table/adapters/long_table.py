"""The long table that every adapter makes, and what its columns hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suites.identity import canonical_json, plain_numbers
from suites.table.file import HEAD_ROWS, Note
from suites.table.spec import Attribute, MetadataSpec, TableSpec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Cell:
    """What many rows have in common: whose and of what they are.

    Attributes
    ----------
    run : str or None
        The source's own name of the run.
    model, organisation : str or None
        Who answered, and who made it where the source says so.
    scenario, metric : str
        What was asked and measured.
    condition : str or None
        How it was asked: canonical JSON (`condition_text`).
    date : str or None
        When it ran, ISO.
    lower, upper, higher_is_better : float or None
        The metric's range and direction.
    """

    run: str | None
    model: str
    scenario: str
    metric: str
    organisation: str | None = None
    condition: str | None = None
    date: str | None = None
    lower: float | None = None
    upper: float | None = None
    higher_is_better: float | None = None


_OF_CELL = tuple(f.name for f in fields(Cell))
_NUMBERS = ("lower", "upper", "higher_is_better", "value", "n", "stderr")
_OF_ROW = ("instance", "trial", "value", "n", "stderr", "instance_hash", "status")
COLUMNS = (*_OF_CELL, *_OF_ROW)

SPEC = TableSpec(
    layout="long",
    columns={
        **{name: name for name in COLUMNS if name != "organisation"},
        **dict.fromkeys(("weight", "part", "perturbation", "fold")),
    },
    models=MetadataSpec(attributes={"organisation": Attribute(column="organisation")}),
)
"""What the columns of all these tables hold."""


def condition_text(fields: Mapping[str, Any]) -> str | None:
    """Write how something was asked; None where nothing is known of it.

    Examples
    --------
    >>> condition_text({"shots": 5.0, "version": None})
    '{"shots":5}'
    """
    known = {key: value for key, value in fields.items() if value is not None}
    try:
        return canonical_json(plain_numbers(known)) if known else None
    except (TypeError, ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class LongTable:
    """A table in memory, of one file; read like any other file of a table.

    Attributes
    ----------
    location, name : str
        The file.
    has_figures : bool
        Whether its values are those of runs; else they are those of responses.
    table : pyarrow.Table
        The columns `COLUMNS`.
    number : ndarray of int64, shape (R,)
        The line of each row, or its place in the file, from 1.
    """

    location: str
    name: str
    has_figures: bool
    table: pa.Table
    number: NDArray[np.int64]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return COLUMNS

    def head(self) -> pa.Table:
        """Give the first rows."""
        return self.table.slice(0, HEAD_ROWS)

    def read(self, columns: Sequence[str], note: Note) -> tuple[pa.Table, NDArray[np.int64]]:
        """Give columns, and each row's number."""
        return self.table.select(list(columns)), self.number


@dataclass
class Builder:
    """Collects the rows of one file."""

    location: str
    name: str
    has_figures: bool
    _cells: dict[Cell, int] = field(default_factory=dict)
    _cell: list[int] = field(default_factory=list)
    _number: list[int] = field(default_factory=list)
    _rows: dict[str, list[Any]] = field(default_factory=lambda: {c: [] for c in _OF_ROW})

    def add(self, number: int, cell: Cell, value: float | None, **columns: Any) -> None:
        """Add a row: its number in the file, what it is of, its value, and other columns."""
        self._cell.append(self._cells.setdefault(cell, len(self._cells)))
        self._number.append(number)
        columns["value"] = value
        for name, column in self._rows.items():
            column.append(columns.get(name))

    def __len__(self) -> int:
        return len(self._number)

    def table(self) -> LongTable:
        """Give the table."""
        import pyarrow as pa

        codes = pa.array(self._cell, pa.int32())
        columns = []
        for name in COLUMNS:
            type_ = pa.float64() if name in _NUMBERS else pa.string()
            if name == "trial":
                type_ = pa.int32()
            if name in _OF_CELL:
                words = pa.array([getattr(cell, name) for cell in self._cells], type_)
                if pa.types.is_string(type_):
                    columns.append(pa.DictionaryArray.from_arrays(*_coded(words, codes)))
                else:
                    columns.append(words.take(codes))
            else:
                columns.append(pa.array(self._rows[name], type_))
        table = pa.table(dict(zip(COLUMNS, columns, strict=True)))
        number = np.array(self._number, np.int64)
        return LongTable(self.location, self.name, self.has_figures, table, number)


def _coded(words: pa.Array, codes: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Give codes and different texts; a cell without a text has no code."""
    encoded = words.dictionary_encode()
    return encoded.indices.take(codes), encoded.dictionary
