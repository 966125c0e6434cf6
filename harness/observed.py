"""Responses of a run that was only begun: read from a file, or given as ``7/10``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from suites.table.file import Note

__all__ = ["Observed", "read_observed"]

_COUNT = re.compile(r"\s*(\d+)\s*/\s*(\d+)\s*")
_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, eq=False)
class Observed:
    """Responses that were observed.

    Attributes
    ----------
    rows : DataFrame
        One row per response that has a value: ``model``, ``scenario`` (None where the file does
        not say), ``instance`` (None where it does not), ``value``.
    unanswered : int
        Rows without a value, which are left out.
    where : str
        For messages.
    counted : bool
        Values are 1 for right and 0 for wrong answers, whatever the metric's range.
    """

    rows: pd.DataFrame
    unanswered: int
    where: str
    counted: bool = False

    def of(self, model: str, scenario: str) -> pd.DataFrame:
        """Give the rows of one run: those that name it, or name no model, no scenario."""
        keep = np.ones(len(self.rows), bool)
        for column, wanted in (("model", model), ("scenario", scenario)):
            named = self.rows[column]
            keep &= (named.isna() | (named == wanted)).to_numpy(bool)
        return self.rows[keep].reset_index(drop=True)


def read_observed(text: str) -> Observed:
    """Read responses from a file, or a count of right ones.

    Parameters
    ----------
    text : str
        ``7/10``: seven of ten are right. Else a CSV, TSV, Parquet or JSONL file with a column
        ``value`` (or ``score``, ``correct``) and, as far as they are known, ``instance``, ``model``
        and ``scenario``, under any of the names that score tables may have. True counts as 1.

    Returns
    -------
    Observed

    Raises
    ------
    UsageError
        If it is neither, if there is no column of values, or one of them is no number.

    Examples
    --------
    >>> read_observed("2/3").rows["value"].tolist()
    [1.0, 1.0, 0.0]
    """
    import pandas as pd

    from suites.table.columns import coded_of, numbers_of
    from suites.table.roles import find_column

    count = _COUNT.fullmatch(text)
    if count is not None and not Path(text).exists():
        right, answered = int(count[1]), int(count[2])
        if right > answered or not answered:
            raise UsageError(f"--observed {text}: {right} right of {answered} answers cannot be.")
        value = np.repeat([1.0, 0.0], [right, answered - right])
        none = [None] * answered
        frame = pd.DataFrame({"model": none, "scenario": none, "instance": none}, dtype=object)
        return Observed(frame.assign(value=value), 0, f"--observed {text}", counted=True)
    table = _table(text)
    where = f"--observed {text}"
    names = table.column_names
    found: dict[str, str] = {}
    for role in ("value", "instance", "model", "scenario"):
        columns = find_column(role, names)
        if len(columns) > 1:
            raise UsageError(
                f"{where}: {' and '.join(columns)} could each be the {role}; keep one of them."
            )
        if columns:
            found[role] = columns[0]
    if "value" not in found:
        raise UsageError(
            f"{where} has no column of values: it needs one called value or correct, and has "
            f"{', '.join(names) or 'none'}."
        )
    numbers = numbers_of(table.column(found["value"]))
    if len(numbers.bad):
        raise UsageError(
            f"{where}: {numbers.texts[0]!r} in row {int(numbers.bad[0]) + 1} of the column "
            f"{found['value']} is no number."
        )
    columns_of: dict[str, Sequence[object]] = {}
    for role in ("model", "scenario", "instance"):
        if role in found:
            coded = coded_of(table.column(found[role]))
            columns_of[role] = [coded.names[c] if c >= 0 else None for c in coded.codes]
        else:
            columns_of[role] = [None] * table.num_rows
    rows = pd.DataFrame(columns_of, dtype=object).assign(value=numbers.values)
    answered_rows = rows[rows["value"].notna()].reset_index(drop=True)
    if not len(answered_rows):
        raise UsageError(f"{where} holds no response with a value.")
    return Observed(answered_rows, len(rows) - len(answered_rows), where)


def _table(text: str) -> pa.Table:
    import pyarrow as pa

    from suites.table.file import TableFile

    path = Path(text)
    if not path.is_file():
        raise UsageError(
            f"--observed {text}: there is no such file, and it is no count such as 7/10."
        )
    if path.suffix.lower() in _LINES:
        rows = []
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as err:
                    raise UsageError(f"--observed {text}: line {number} is no JSON: {err}") from err
                if not isinstance(row, dict):
                    raise UsageError(f"--observed {text}: line {number} is no JSON object.")
                rows.append(row)
        keys = list(dict.fromkeys(key for row in rows for key in row))
        text_of = {key: pa.array([_text(row.get(key)) for row in rows]) for key in keys}
        return pa.table(text_of) if keys else pa.table({})
    file = TableFile.open(text)
    table, _ = file.read(file.columns, _note(text))
    return table


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _note(text: str) -> Note:
    def refuse(code: str, message: str, hint: str = "", row: int | None = None) -> None:
        at = f" (row {row})" if row is not None else ""
        raise UsageError(f"--observed {text}{at}: {message}{'; ' + hint if hint else ''}.")

    return refuse
