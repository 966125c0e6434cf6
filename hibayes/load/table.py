"""`Columns`: a table that grows row by row, with columns that appear on the way."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes.load.scores import score_number
from suites.identity import canonical_json

if TYPE_CHECKING:
    import pandas as pd


class Columns:
    """Columns of one length; what a row does not say is missing there.

    Examples
    --------
    >>> table = Columns()
    >>> table.add({"a": 1}); table.add({"b": "x"})
    >>> table.lists()
    {'a': [1, None], 'b': [None, 'x']}
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {}
        self.length = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        columns, length = self._columns, self.length
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = []
            if len(column) < length:
                column.extend([None] * (length - len(column)))
            column.append(value)
        self.length = length + 1

    def extend(self, parts: Mapping[str, Sequence[Any]], length: int) -> None:
        """Add several rows, given as columns."""
        for name, values in parts.items():
            column = self._columns.setdefault(name, [])
            column.extend([None] * (self.length - len(column)))
            column.extend(values)
        self.length += length

    def lists(self) -> dict[str, list[Any]]:
        """Give the columns, all of the table's length."""
        for column in self._columns.values():
            column.extend([None] * (self.length - len(column)))
        return self._columns


def series(values: Sequence[Any]) -> pd.Series:
    """Make a column of values as an extractor gave them.

    Returns
    -------
    Series
        Truth values, whole numbers, numbers, moments or text, where all values are; whole numbers
        and truth values with missing ones among them stay such (``Int64``, ``boolean``). Values of
        several types stay as they are, for `check_mixed_types` to refuse.

    Examples
    --------
    >>> str(series([1, None]).dtype), str(series([1, 0.5]).dtype), series([None, None]).isna().all()
    ('Int64', 'float64', np.True_)
    """
    import pandas as pd

    kinds = {type(value) for value in values}
    missing = type(None) in kinds
    kinds.discard(type(None))
    if float in kinds and kinds != {float} and not kinds <= {int, float}:
        values = [None if isinstance(v, float) and v != v else v for v in values]
        kinds = {type(value) for value in values} - {type(None)}
        missing = True
    if kinds == {bool}:
        return pd.Series(values, dtype="boolean" if missing else "bool")
    if kinds == {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pd.Series(values, dtype="Int64" if missing else "int64")
    if kinds and kinds <= {int, float}:
        return pd.Series([np.nan if v is None else float(v) for v in values], dtype="float64")
    if kinds == {dt.datetime}:
        return pd.to_datetime(pd.Series(values))
    if kinds == {str}:
        return pd.Series(values)
    return pd.Series(list(values), dtype="object")


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put frames below each other; a column keeps the type of the frames that fill it.

    Examples
    --------
    >>> import pandas as pd
    >>> one, other = pd.DataFrame({"a": [1], "b": [None]}), pd.DataFrame({"a": [2], "b": ["x"]})
    >>> stacked([one, other])["b"].isna().tolist()
    [True, False]
    """
    import pandas as pd

    if len(frames) == 1:
        return frames[0]
    names = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    filled = pd.concat([frame.dropna(axis=1, how="all") for frame in frames], ignore_index=True)
    return filled.reindex(columns=names)


def uniform(values: Sequence[Any]) -> list[Any]:
    """Bring metadata into one type: numbers and truth values among texts become texts.

    Examples
    --------
    >>> uniform([1, "two", None]), uniform([1, 0.5]), uniform([{"a": 1}])
    (['1', 'two', None], [1, 0.5], ['{"a":1}'])
    """
    kinds = {type(v) for v in values if v is not None and v == v}
    if kinds <= {int, float} or kinds == {bool} or kinds == {str}:
        return list(values)
    return [None if v is None or v != v else v if isinstance(v, str) else _text(v) for v in values]


def score_values(values: Sequence[Any]) -> list[Any]:
    """Bring a scorer's values into one type: as logged where they agree, else numbers.

    Examples
    --------
    >>> score_values(["C", "I"]), score_values(["C", 0.5, None])
    (['C', 'I'], [1.0, 0.5, None])
    """
    kinds = Counter(type(v) for v in values if v is not None and v == v)
    if set(kinds) <= {int, float} or len(kinds) < 2:
        return [None if v is not None and v != v else v for v in values]
    return [None if v is None else score_number(v) for v in values]


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return canonical_json(value)
    return str(value)
