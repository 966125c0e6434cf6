"""Opening one file of a table: Parquet or CSV, column by column, whatever is wrong with it.

Rows are numbered as a reader of the file counts them: 1 is the first row below the header.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from suites.errors import UsageError
from suites.table.columns import is_text

if TYPE_CHECKING:
    import pyarrow as pa

_SUFFIX = re.compile(r"\.(parquet|pq|csv|tsv|tab)(\.(gz|bz2|zst))?$", re.IGNORECASE)
_COMPRESSION = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}
_BLOCK_BYTES = 1 << 22
_LARGEST_TEXT = 4 << 30  # bytes of a CSV file's columns in memory
_MOST_ROWS = 500_000_000
_LISTED = 20
HEAD_ROWS = 10_000
"""How many rows are looked at to tell what a column holds."""


class Note(Protocol):
    """Takes one finding about a file: code, message, hint and the row it concerns."""

    def __call__(self, code: str, message: str, hint: str = "", row: int | None = None) -> None:
        """Take a finding."""


class Opened(Protocol):
    """A file of a table that was opened: its columns are known, its rows are read on request.

    Attributes
    ----------
    location : str
        Path or URL.
    name : str
        The file's own name, for messages.
    columns : tuple of str
        Names of its columns, without repetitions.
    has_figures : bool
        Whether its values are those of runs, though other files of the table have responses.
    """

    @property
    def location(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def columns(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def has_figures(self) -> bool: ...  # noqa: D102

    def head(self) -> pa.Table:
        """Read the first rows (`HEAD_ROWS`) of all columns."""

    def read(self, columns: Sequence[str], note: Note) -> tuple[pa.Table, NDArray[np.int64]]:
        """Read columns; give them and each row's number in the file, from 1."""


@dataclass(frozen=True)
class TableFile:
    r"""One file of a table, opened: its columns are known, nothing else was read.

    Attributes
    ----------
    location : str
        Path or URL.
    name : str
        The file's own name, for messages.
    columns : tuple of str
        Names of its columns, without repetitions.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.csv")
    ...     _ = path.write_text("model,mmlu\nm1,0.5\n")
    ...     TableFile.open(str(path)).columns
    ('model', 'mmlu')
    """

    location: str
    name: str
    columns: tuple[str, ...]
    has_figures: ClassVar[bool] = False
    repeated: tuple[str, ...] = ()
    encoding: str = "utf-8"
    delimiter: str | None = None  # None: Parquet

    @classmethod
    def open(cls, location: str) -> TableFile:
        """Look at a file's header or footer.

        Raises
        ------
        UsageError
            If it is neither Parquet nor CSV, is empty, or cannot be opened.
        """
        match = _SUFFIX.search(location)
        if match is None:
            raise UsageError(
                f"{location}: not a table's suffix; known are .parquet, .csv and .tsv, the last "
                "two also with .gz, .bz2 or .zst."
            )
        name = re.split(r"[/\\]", location)[-1]
        encoding, delimiter = "utf-8", None
        with readable(location):
            if match[1].lower() in ("parquet", "pq"):
                with _parquet(location) as file:
                    names = list(file.schema_arrow.names)
                    rows = file.metadata.num_rows
                if rows > _MOST_ROWS:
                    raise UsageError(f"{location}: {rows} rows are more than can be read at once.")
            else:
                names, encoding, delimiter = _csv_header(location, tab=match[1].lower() != "csv")
        different = tuple(dict.fromkeys(names))
        repeated = tuple(n for n in different if names.count(n) > 1)
        return cls(location, name, different, repeated, encoding, delimiter)

    def head(self) -> pa.Table:
        """Read the first rows (`HEAD_ROWS`) of all columns; CSV columns as text.

        Raises
        ------
        UsageError
            If nothing of it can be read.
        """
        return self.read(self.columns, _silent, limit=HEAD_ROWS)[0]

    def read(
        self, columns: Sequence[str], note: Note, *, limit: int | None = None
    ) -> tuple[pa.Table, NDArray[np.int64]]:
        """Read columns.

        Parameters
        ----------
        columns : sequence of str
            Which; each of `columns`.
        note : Note
            Takes what could not be read.
        limit : int, optional
            Stop after about so many rows.

        Returns
        -------
        table : pyarrow.Table
            The columns, text dictionary-encoded, R rows.
        rows : ndarray of int64, shape (R,)
            Each row's number in the file, from 1.

        Raises
        ------
        UsageError
            If nothing of it can be read.
        """
        if limit is None:
            for name in self.repeated:
                note(
                    "duplicate-column",
                    f"several columns are called {name!r}; the first is read",
                    "give the columns different names",
                )
        with readable(self.location):
            if self.delimiter is None and limit is not None:
                return self._parquet_head(columns, limit)
            if self.delimiter is None:
                return self._read_parquet(columns, note)
            return self._read_csv(columns, note, limit)

    def _parquet_head(
        self, columns: Sequence[str], limit: int
    ) -> tuple[pa.Table, NDArray[np.int64]]:
        import pyarrow as pa

        size = min(limit, 1000)
        with _parquet(self.location) as file:
            schema = file.schema_arrow
            table = schema.empty_table()
            # A broken group shows itself when the rows are read.
            with contextlib.suppress(pa.ArrowException, OSError, UnicodeDecodeError):
                for batch in file.iter_batches(size, columns=list(columns), use_threads=False):
                    first = pa.Table.from_batches([batch])
                    first.validate(full=True)
                    table = first
                    break
        names = table.schema.names
        table = table.select([names.index(name) for name in columns])
        return table, np.arange(1, table.num_rows + 1)

    def _read_parquet(
        self, columns: Sequence[str], note: Note
    ) -> tuple[pa.Table, NDArray[np.int64]]:
        import pyarrow as pa

        tables: list[pa.Table] = []
        numbers: list[NDArray[np.int64]] = []
        failures: list[tuple[int, str]] = []
        start = 0
        with _parquet(self.location) as file:
            texts = [f.name for f in file.schema_arrow if f.name in columns and is_text(f.type)]
        with _parquet(self.location, texts) as file:
            schema = file.schema_arrow
            positions = [schema.names.index(name) for name in columns]
            paths = [schema.names[i] for i in positions]
            for group in range(file.metadata.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                try:
                    table = file.read_row_group(group, columns=paths)
                    names = table.schema.names
                    table = table.select([names.index(name) for name in columns])
                    table.validate(full=True)
                except (pa.ArrowException, OSError, UnicodeDecodeError) as err:
                    failures.append((start + 1, f"rows {start + 1} to {start + size}: {err}"))
                else:
                    tables.append(table)
                    numbers.append(np.arange(start + 1, start + 1 + table.num_rows))
                start += size
        if not tables and failures:
            raise UsageError(f"{self.location}: none of it can be read: {failures[0][1]}")
        for row, message in failures:
            note("bad-row-group", f"cannot be read: {message}", "write the file again", row)
        whole = pa.concat_tables(tables) if tables else schema.empty_table().select(positions)
        return whole, np.concatenate(numbers or [np.empty(0, np.int64)])

    def _read_csv(
        self, columns: Sequence[str], note: Note, limit: int | None
    ) -> tuple[pa.Table, NDArray[np.int64]]:
        import pyarrow as pa

        encoding = self.encoding
        if limit is not None:
            with open_text(self.location) as stream:
                first = bytes(stream.read(_BLOCK_BYTES))
            if len(first) == _BLOCK_BYTES:
                first = first[: first.rfind(b"\n") + 1] or first
            if encoding == "utf-8" and not _is_utf8(io.BytesIO(first)):
                encoding = "latin-1"
            table, ragged, _ = self._csv_table(columns, pa.BufferReader(first), encoding)
            return table.slice(0, limit), np.arange(1, min(limit, table.num_rows) + 1)
        if encoding == "utf-8":
            with open_text(self.location) as stream:
                if not _is_utf8(stream):
                    encoding = "latin-1"
                    note(
                        "wrong-encoding",
                        "is not UTF-8; read as Latin-1",
                        "save the file as UTF-8",
                    )
        with open_text(self.location) as stream:
            table, ragged, ending = self._csv_table(columns, stream, encoding)
        for row, message in ragged[:_LISTED]:
            note("ragged-row", f"{message}; the row is left out", "quote commas in texts", row)
        if len(ragged) > _LISTED:
            more = len(ragged) - _LISTED
            note(
                "ragged-row", f"{more} more rows like these were left out", "quote commas in texts"
            )
        if ending:
            if not table.num_rows:
                raise UsageError(f"{self.location}: nothing of it can be read: {ending}")
            note("truncated", f"ends too early or is broken: {ending}", "", table.num_rows)
        numbers = np.arange(1, table.num_rows + len(ragged) + 1)
        left_out = [row - 1 for row, _ in ragged if 0 < row <= len(numbers)]
        return table, np.delete(numbers, left_out)[: table.num_rows]

    def _csv_table(
        self, columns: Sequence[str], stream: Any, encoding: str
    ) -> tuple[pa.Table, list[tuple[int, str]], str]:
        """Read text columns; give the table, the rows left out, and why it ended early."""
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        ragged: list[tuple[int, str]] = []

        def skip(row: Any) -> str:
            said = f"{row.actual_columns} fields where there are {row.expected_columns} columns"
            ragged.append((int(row.number or 0) - 1, said))
            return "skip"

        type_ = pa.dictionary(pa.int32(), pa.string())
        schema = pa.schema([(name, type_) for name in columns])
        batches: list[pa.RecordBatch] = []
        size, ending = 0, ""
        try:
            reader = arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK_BYTES, encoding=encoding
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=skip
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(self.columns, type_),
                    include_columns=None if self.repeated else list(columns),
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            )
            for batch in reader:
                positions = [batch.schema.names.index(name) for name in columns]
                arrays = [batch.column(i) for i in positions]
                batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
                size += batches[-1].nbytes
                if size > _LARGEST_TEXT:
                    raise UsageError(
                        f"{self.location}: more than {_LARGEST_TEXT >> 30} GiB of text; write it "
                        "as Parquet, of which only some columns are read."
                    )
        except (pa.ArrowException, OSError, UnicodeError) as err:
            ending = _one_line(err)
        return pa.Table.from_batches(batches, schema=schema), ragged, ending


def is_table_name(location: str) -> bool:
    """Say whether a name ends like a table's.

    Examples
    --------
    >>> is_table_name("scores.csv.gz"), is_table_name("stats.json")
    (True, False)
    """
    return _SUFFIX.search(location) is not None


def _silent(code: str, message: str, hint: str = "", row: int | None = None) -> None:
    """Take a finding and forget it: the whole file is read later."""


def _one_line(err: BaseException) -> str:
    return " ".join(str(err).split())[:200]


@contextlib.contextmanager
def readable(location: str) -> Iterator[None]:
    """Turn what goes wrong in opening a file into an error the user can mend."""
    import pyarrow as pa

    try:
        yield
    except UsageError:
        raise
    except FileNotFoundError as err:
        raise UsageError(f"{location}: there is no such file.") from err
    except (pa.ArrowException, OSError, EOFError, ValueError, MemoryError) as err:
        raise UsageError(f"{location}: cannot be read: {_one_line(err)}") from err


@contextlib.contextmanager
def _bytes(location: str) -> Iterator[IO[bytes]]:
    if "://" in location:
        import fsspec

        with fsspec.open(location, "rb") as stream:
            yield stream
    else:
        with Path(location).open("rb") as stream:
            yield stream


@contextlib.contextmanager
def _parquet(location: str, encoded: Sequence[str] = ()) -> Iterator[Any]:
    """Open a Parquet file; these columns of text are read as codes and texts."""
    import pyarrow.parquet as pq

    with (
        _bytes(location) as stream,
        pq.ParquetFile(stream, read_dictionary=list(encoded)) as file,
    ):
        yield file


@contextlib.contextmanager
def open_text(location: str) -> Iterator[Any]:
    """Open a file of text for reading its bytes, unpacked by its suffix (gz, bz2, zst)."""
    import pyarrow as pa

    packing = _COMPRESSION.get(location.rsplit(".", 1)[-1].lower())
    with _bytes(location) as stream, pa.input_stream(stream, compression=packing) as text:
        yield text


def _is_utf8(stream: Any) -> bool:
    """Say whether a stream is UTF-8, up to where it can be read."""
    import pyarrow as pa

    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := stream.read(_BLOCK_BYTES):
            decoder.decode(bytes(piece))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    except (pa.ArrowException, OSError):
        return True  # reading the rows says what is broken
    return True


def _csv_header(location: str, *, tab: bool) -> tuple[list[str], str, str]:
    """Look at the first line of a CSV file: its names, encoding and delimiter."""
    with open_text(location) as stream:
        head = bytes(stream.read(_BLOCK_BYTES))
    if not head.strip():
        raise UsageError(f"{location}: the file is empty.")
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    if encoding == "utf-8" and b"\x00" in head:
        raise UsageError(f"{location}: this is not text, so not a CSV file.")
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    lines = io.StringIO(text.lstrip("\ufeff\r\n"), newline="")
    marks = ("\t",) if tab else (",", ";", "\t")
    first = lines.readline()
    delimiter = next((mark for mark in marks if mark in first), marks[0])
    lines.seek(0)
    try:
        names = next(csv.reader(lines, delimiter=delimiter))
    except (csv.Error, StopIteration) as err:
        raise UsageError(f"{location}: its first line is not that of a CSV file: {err}") from err
    return names, encoding, delimiter
