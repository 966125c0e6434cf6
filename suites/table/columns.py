"""The columns of a table as texts or numbers, whatever type the file gave them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_FLAGS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Coded:
    """A column of text: a code for each row, −1 where there is none, and the names they stand for.

    Attributes
    ----------
    codes : ndarray of int32, shape (R,)
        Positions in ``names``.
    names : list of str
        Different texts.
    """

    codes: NDArray[np.int32]
    names: list[str]

    def take(self, rows: NDArray[Any]) -> Coded:
        """Give the same column for some rows."""
        return Coded(self.codes[rows], self.names)

    def text(self, row: int) -> str | None:
        """Give the text of one row."""
        code = int(self.codes[row])
        return self.names[code] if code >= 0 else None


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes
    ----------
    values : ndarray of float64, shape (R,)
        NaN where there is no number.
    bad : ndarray of int64, shape (B,)
        Rows that hold something else than a finite number or a missing value.
    texts : list of str, length B
        What they hold.
    """

    values: NDArray[np.float64]
    bad: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    texts: list[str] = field(default_factory=list)


def kind_of(column: pa.ChunkedArray, missing: Sequence[str] = ()) -> str:
    """Say what a column holds: ``number``, ``flag``, ``text``, ``date``, ``empty``, ``other``.

    A column of text is one of numbers when at least half of its texts are, missing ones aside.

    Examples
    --------
    >>> import pyarrow as pa
    >>> kind_of(pa.chunked_array([["0.5", "-", None]]), missing=["-"])
    'number'
    """
    import pyarrow as pa

    type_ = column.type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if column.null_count == len(column) or pa.types.is_null(type_):
        return "empty"
    if pa.types.is_boolean(type_):
        return "flag"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return "number"
    if pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_temporal(type_):
        return "date"
    if not is_text(type_):
        return "other"
    coded = coded_of(column)
    counts = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.names))
    parsed, bad = _parse(coded.names, missing)
    wrong = int(counts[bad].sum())
    right = int(counts[np.isfinite(parsed)].sum())
    if not right and not wrong:
        return "empty"
    if not wrong and all(name.strip().lower() in ("", "nan", *_FLAGS) for name in coded.names):
        return "flag"
    return "number" if right >= wrong else "text"


def coded_of(column: pa.ChunkedArray) -> Coded:
    """Give a column as codes and texts; every type becomes text.

    Raises
    ------
    UsageError
        If it holds lists, structures or bytes.

    Examples
    --------
    >>> import pyarrow as pa
    >>> coded = coded_of(pa.chunked_array([[3, None], [3, 5]]))
    >>> coded.codes.tolist(), coded.names
    ([0, -1, 0, 1], ['3', '5'])
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(column.type):
        return Coded(np.full(len(column), -1, np.int32), [])
    try:
        if not pa.types.is_dictionary(column.type):
            if not (is_text(column.type) or pa.types.is_integer(column.type)):
                column = column.cast(pa.string())
            column = pc.dictionary_encode(column)
        array = column.unify_dictionaries().combine_chunks()
        if isinstance(array, pa.ChunkedArray):  # no chunk at all
            return Coded(np.full(len(array), -1, np.int32), [])
        words = array.dictionary
        if pa.types.is_decimal(words.type) or not is_text(words.type):
            words = words.cast(pa.string())
        words = words.cast(pa.string())
    except (pa.ArrowException, NotImplementedError) as err:
        raise UsageError(f"a column of type {column.type} cannot be read as text.") from err
    codes = array.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    return _tidy(codes, words)


def _tidy(codes: NDArray[np.int32], words: pa.Array) -> Coded:
    """Leave out texts that no row has, nulls and repetitions among the texts."""
    encoded = words.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    place = np.append(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), -1).astype(
        np.int32
    )
    codes = place[codes]
    used = np.zeros(len(names) + 1, bool)
    used[codes] = True
    used = used[:-1]
    if used.all():
        return Coded(codes, names)
    new = np.append(np.cumsum(used) - 1, -1).astype(np.int32)
    return Coded(new[codes], [name for name, keep in zip(names, used, strict=True) if keep])


def numbers_of(column: pa.ChunkedArray, missing: Sequence[str] = ()) -> Numbers:
    """Give a column as numbers: true is 1, empty and ``nan`` are missing, the rest is bad.

    Raises
    ------
    UsageError
        If it holds lists, structures, bytes or dates.

    Examples
    --------
    >>> import pyarrow as pa
    >>> numbers = numbers_of(pa.chunked_array([["0.5", "n/a", "", "True"]]))
    >>> numbers.values.tolist(), numbers.texts
    ([0.5, nan, nan, 1.0], ['n/a'])
    """
    import pyarrow as pa

    type_ = column.type
    if pa.types.is_null(type_):
        return Numbers(np.full(len(column), np.nan))
    if pa.types.is_dictionary(type_) or is_text(type_):
        coded = coded_of(column)
        parsed, wrong = _parse(coded.names, missing)
        values = np.append(parsed, np.nan)[coded.codes]
        bad = np.flatnonzero(np.append(wrong, False)[coded.codes])
        return Numbers(values, bad, [coded.names[code] for code in coded.codes[bad]])
    if pa.types.is_temporal(type_) or pa.types.is_nested(type_) or pa.types.is_binary(type_):
        raise UsageError(f"a column of type {type_} holds no numbers.")
    try:
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except (pa.ArrowException, NotImplementedError) as err:
        raise UsageError(f"a column of type {type_} holds no numbers.") from err
    values = np.array(values, np.float64)
    marks = _parse([mark for mark in missing if _NUMBER.fullmatch(mark.strip())], ())[0]
    values[np.isin(values, marks)] = np.nan
    bad = np.flatnonzero(np.isinf(values))
    texts = [str(value) for value in values[bad]]
    values[bad] = np.nan
    return Numbers(values, bad, texts)


def _parse(texts: Sequence[str], missing: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read texts as numbers; give the numbers (NaN where none) and which texts are no number."""
    import pyarrow as pa

    marks = {mark.strip() for mark in missing}
    if not marks:
        try:
            quick = np.array(pa.array(texts, pa.string()).cast(pa.float64()))
            return np.where(np.isinf(quick), np.nan, quick), np.isinf(quick)
        except pa.ArrowException:
            pass
    values = np.full(len(texts), np.nan)
    wrong = np.zeros(len(texts), bool)
    for i, text in enumerate(texts):
        word = text.strip()
        if word in marks or word.lower() in ("", "nan"):
            continue
        if word.lower() in _FLAGS:
            values[i] = _FLAGS[word.lower()]
        elif _NUMBER.fullmatch(word) and np.isfinite(float(word)):
            values[i] = float(word)
        else:
            wrong[i] = True
    return values, wrong


def plain_series(column: pa.ChunkedArray) -> pd.Series:
    """Give a column of properties as pandas: Int64, float64, boolean, dates, else text.

    Examples
    --------
    >>> import pyarrow as pa
    >>> plain_series(pa.chunked_array([["1", "2", None]])).tolist()
    [1, 2, <NA>]
    >>> plain_series(pa.chunked_array([["True", "no"]])).tolist()
    ['True', 'no']
    """
    import pandas as pd
    import pyarrow as pa

    type_ = column.type
    if not (pa.types.is_dictionary(type_) or is_text(type_)):
        if pa.types.is_boolean(type_):
            return pd.Series(column.to_pylist(), dtype="boolean")
        if pa.types.is_integer(type_):
            return pd.Series(column.to_pylist(), dtype="Int64" if column.null_count else "int64")
        if pa.types.is_floating(type_):
            return pd.Series(np.array(column.to_pylist(), np.float64))
        return pd.Series([_text_or_none(v) for v in column.to_pylist()], dtype="string")
    coded = coded_of(column)
    text = pd.Series([*coded.names, None], dtype="string").take(
        np.where(coded.codes < 0, len(coded.names), coded.codes)
    )
    text = text.reset_index(drop=True)
    lowered = {name.lower() for name in coded.names}
    if lowered and lowered <= set(_FLAGS):
        flags = [None if t is pd.NA else str(t).lower() == "true" for t in text]
        return pd.Series(flags, dtype="boolean")
    values, wrong = _parse(coded.names, ())
    if not coded.names or wrong.any() or lowered & set(_FLAGS):
        return text
    whole = all(re.fullmatch(r"[+-]?[0-9]{1,18}", name) for name in coded.names)
    if whole:
        return pd.Series([pd.NA if t is pd.NA else int(t) for t in text], dtype="Int64")
    return pd.Series(np.append(values, np.nan)[coded.codes])


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


def is_text(type_: pa.DataType) -> bool:
    """Say whether a type is text, of any width."""
    import pyarrow as pa

    view = getattr(pa.types, "is_string_view", None)
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or (view is not None and view(type_))
    )
