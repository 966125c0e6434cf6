"""Files of predictions made elsewhere: read in a stream, and parted by predictor, fold and k.

What is wrong with a file as a whole (no such column, no such file) is the user's to mend; what is
wrong with some of its rows costs these alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suites.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["PredictionFiles", "Unit"]

NUMBERS: tuple[str, ...] = ("seed", "fold", "k")
WORDS: tuple[str, ...] = ("target", "output_type", "output_type_id")
COLUMNS: tuple[str, ...] = (*NUMBERS, *WORDS, "value")
"""The columns that a file must have; ``predictor`` may be there too."""

MAX_ROWS = 20_000_000
"""Numbers that are kept for one predictor, fold and k; with more, its targets are failed."""

MAX_PREDICTORS = 1000

_BATCH = 1 << 18  # rows that are read at once
_BUFFER = 4 << 20  # rows that are kept before they are written

Unit = tuple[int, int, int]
"""Seed, fold and k."""


@dataclass
class _Part:
    """What was found for one predictor, fold and k: files, rows still in memory, their number."""

    files: list[Path]
    tables: list[pa.Table]
    rows: int = 0


class PredictionFiles:
    """Predictions of files, parted into files of one predictor, fold and k each.

    Parameters
    ----------
    paths : sequence of path
        Parquet or CSV (also compressed), told by their content.
    folder : Path
        Where the parts go.
    units : sequence of (int, int, int)
        Seeds, folds and numbers of shown responses that are asked for.
    name : str, optional
        What the one predictor in the files is called. By default it is the column ``predictor``,
        or where there is none, the file's name without its ending.

    Attributes
    ----------
    predictors : list of str
        Names, sorted.
    digest : str
        sha256 of the files, whatever their order.
    notes : list of str
        What was left out.

    Raises
    ------
    UsageError
        If a file cannot be read, lacks a column, or holds nothing that is asked for.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        folder: Path,
        units: Sequence[Unit],
        name: str | None = None,
    ) -> None:
        if not paths:
            raise UsageError("no predictions to score: name at least one file.")
        self.notes: list[str] = []
        self._folder = folder
        self._units = _Units(units)
        self._codes: dict[str, int] = {}
        self._parts: dict[tuple[int, int], _Part] = {}
        self._buffered = 0
        for path in map(Path, paths):
            self._read(path, name or path.name.split(".")[0])
        self._flush()
        if name is not None and set(self._codes) != {name}:
            if len(self._codes) > 1:
                raise UsageError(
                    f"a name for one predictor was given, and the files hold {len(self._codes)}: "
                    f"{', '.join(sorted(self._codes)[:5])}, …. Leave --name out, or name one file."
                )
            (code,) = self._codes.values()
            self._codes = {name: code}
        self.predictors = sorted(self._codes)
        digests = sorted(_digest(Path(path)) for path in paths)
        self.digest = hashlib.sha256("".join(digests).encode()).hexdigest()

    def rows(self, predictor: str, unit: Unit) -> int:
        """Say how many numbers there are, those beyond `MAX_ROWS` among them."""
        part = self._part(predictor, unit)
        return 0 if part is None else part.rows

    def table(self, predictor: str, unit: Unit) -> pa.Table | None:
        """Read the rows of a predictor, fold and k: `WORDS` and ``value``; None without any.

        Parameters
        ----------
        predictor : str
            One of `predictors`.
        unit : (int, int, int)
            Seed, fold and k.

        Returns
        -------
        pyarrow.Table or None
            Words are dictionary-encoded, ``""`` where they are missing; values that are no number
            are NaN.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        part = self._part(predictor, unit)
        if part is None or not part.files:
            return None
        words = list(WORDS)
        tables = [pq.read_table(file, read_dictionary=words) for file in part.files]
        return pa.concat_tables(tables).unify_dictionaries().combine_chunks()

    def _part(self, predictor: str, unit: Unit) -> _Part | None:
        return self._parts.get((self._codes[predictor], self._units.index[unit]))

    # -- reading ---------------------------------------------------------------------------------

    def _read(self, path: Path, default: str) -> None:
        """Part a file's rows."""
        import pyarrow as pa

        rows = used = 0
        example: Unit | None = None
        try:
            for batch in _batches(path):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                codes, other = self._units.codes([_whole(columns[name]) for name in NUMBERS])
                example = example or other
                rows += len(codes)
                used += int((codes >= 0).sum())
                self._divide(columns, codes, default)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as err:
            raise UsageError(f"cannot read the predictions {path}: {err}.") from err
        if not rows:
            raise UsageError(f"{path} holds no predictions: it has no rows.")
        if used == rows:
            return
        text = "none" if example is None else "seed {}, fold {}, k {}".format(*example)
        what = f"the split has not (the first: {text}; the split has {self._units.words()})"
        if not used:
            raise UsageError(f"{path}: all {rows} rows are of seeds, folds and k that {what}.")
        self.notes.append(
            f"{path.name}: {rows - used} of {rows} rows are left out, of seeds, folds and k that "
            f"{what}."
        )

    def _divide(self, columns: dict[str, Any], units: NDArray[np.int64], default: str) -> None:
        """Part the rows of a batch by predictor and unit."""
        import pyarrow as pa

        table = pa.table(
            {name: _words(columns[name], name) for name in WORDS}
            | {"value": pa.array(_numbers(columns["value"]))}
        )
        groups = self._predictors(columns.get("predictor"), default, len(units))
        both = groups * len(self._units.index) + units
        used = np.flatnonzero(units >= 0)
        used = used[np.argsort(both[used], kind="stable")]
        codes, table = both[used], table.take(pa.array(used))
        starts = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(codes)], strict=bool(starts)):
            predictor, unit = divmod(int(codes[start]), len(self._units.index))
            part = self._parts.setdefault((predictor, unit), _Part([], []))
            part.rows += end - start
            if part.rows <= MAX_ROWS:
                part.tables.append(table.slice(start, end - start))
                self._buffered += end - start
        if self._buffered >= _BUFFER:
            self._flush()

    def _predictors(self, column: Any, default: str, rows: int) -> NDArray[np.int64]:
        """Give the code of each row's predictor."""
        if column is None:
            return np.full(rows, self._codes.setdefault(default, len(self._codes)))
        words = _words(column, "predictor")
        names = [name or default for name in words.dictionary.to_pylist()]
        used = words.indices.to_numpy()
        codes = np.full(len(names), -1)
        for i in np.unique(used).tolist():
            codes[i] = self._codes.setdefault(names[i], len(self._codes))
        if len(self._codes) > MAX_PREDICTORS:
            raise UsageError(
                f"the files hold more than {MAX_PREDICTORS} predictors, such as "
                f"{', '.join(map(repr, list(self._codes)[:3]))}: is the column predictor right?"
            )
        return codes[used]

    def _flush(self) -> None:
        """Write the rows in memory to files."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for (predictor, unit), part in self._parts.items():
            if part.tables:
                path = self._folder / f"{predictor}-{unit}-{len(part.files)}.parquet"
                table = pa.concat_tables(part.tables).unify_dictionaries()
                pq.write_table(table, path, compression="zstd")
                part.files.append(path)
                part.tables = []
        self._buffered = 0


class _Units:
    """Seeds, folds and k that are asked for, and the place of each."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.index = {unit: i for i, unit in enumerate(units)}
        self._known = [np.unique([unit[i] for unit in units]) for i in range(3)]
        shape = [len(known) for known in self._known]
        self._codes = np.full(shape, -1, np.int64)
        for unit, code in self.index.items():
            places = [np.searchsorted(known, x) for known, x in zip(self._known, unit, strict=True)]
            self._codes[tuple(places)] = code

    def codes(self, columns: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], Unit | None]:
        """Give the code of each row, -1 where it is not asked for, and the first of these."""
        places, right = [], np.ones(len(columns[0]), bool)
        for known, column in zip(self._known, columns, strict=True):
            place = np.minimum(np.searchsorted(known, column), len(known) - 1)
            right &= known[place] == column
            places.append(place)
        codes = np.where(right, self._codes[tuple(places)], -1)
        wrong = np.flatnonzero(codes < 0)
        first = tuple(int(column[wrong[0]]) for column in columns) if len(wrong) else None
        return codes, first  # type: ignore[return-value]

    def words(self) -> str:
        """Say what is asked for."""
        names = ("seeds", "folds", "k")
        return "; ".join(
            f"{name} {', '.join(map(str, known))}"
            for name, known in zip(names, self._known, strict=True)
        )


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Read a file, some rows at a time: the columns that are needed, words of CSV as they are."""
    if not path.is_file():
        there = "is a folder: name the files in it" if path.is_dir() else "is not there"
        raise UsageError(f"cannot read the predictions {path}: it {there}.")
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pq.read_schema(path)
        wanted = _wanted(path, schema.names)
        text = [name for name in wanted if pa.types.is_string(schema.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=text) as reader:
            yield from reader.iter_batches(_BATCH, columns=wanted)
        return
    import pyarrow as pa
    from pyarrow import csv

    blocks = csv.ReadOptions(block_size=1 << 24)
    with csv.open_csv(path, csv.ReadOptions(block_size=1 << 24)) as reader:
        wanted = _wanted(path, reader.schema.names)
    convert = csv.ConvertOptions(
        include_columns=wanted,
        column_types=dict.fromkeys(wanted, pa.string()),
        null_values=["", "NA"],
        strings_can_be_null=True,
    )
    with csv.open_csv(path, blocks, convert_options=convert) as reader:
        yield from reader


def _wanted(path: Path, names: Sequence[str]) -> list[str]:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise UsageError(
            f"{path} lacks the columns {', '.join(missing)}: predictions have "
            f"{', '.join(COLUMNS)}, and may have predictor. It has: "
            f"{', '.join(map(str, names[:20])) or 'none'}."
        )
    twice = [name for name in COLUMNS if list(names).count(name) > 1]
    if twice:
        raise UsageError(f"{path} has the column {twice[0]} twice.")
    return [name for name in (*COLUMNS, "predictor") if name in names]


def _words(column: pa.Array, name: str) -> pa.DictionaryArray:
    """Give a column as dictionary-encoded text, ``""`` where it is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_dictionary(column.type):
            known = column.dictionary.cast(pa.string()).fill_null("")
            indices = column.indices.cast(pa.int32())
            if not indices.null_count:
                return pa.DictionaryArray.from_arrays(indices, known)
            column = pa.DictionaryArray.from_arrays(indices, known).dictionary_decode()
        return pc.fill_null(column.cast(pa.string()), "").dictionary_encode()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as err:
        raise UsageError(
            f"the column {name} of predictions must be text, not {column.type}."
        ) from err


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """Give a column as numbers, NaN where it is none."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        numbers = column.cast(pa.float64(), safe=False)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        numbers = pa.array([_number(cell) for cell in column.to_pylist()], pa.float64())
    return np.asarray(numbers.fill_null(np.nan).to_numpy(zero_copy_only=False), np.float64)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _whole(column: pa.Array) -> NDArray[np.int64]:
    """Give a column as whole numbers, -1 where it is none."""
    numbers = _numbers(column)
    whole = (np.abs(numbers) < 2**53) & (numbers == np.floor(numbers))
    return np.where(whole, numbers, -1).astype(np.int64)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
