"""Shards: each run's tables, written once, and read by the folds that may see them.

A shard is an immutable Arrow file. Cells that hold lists, mappings or mixed types are written as
JSON text and restored on reading, so a frame comes back as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_INDEX = "__index__"


def shard_name(run: str) -> str:
    """Give the stem of a run's shards: twenty hexadecimal digits of its id.

    Examples
    --------
    >>> len(shard_name("v1/mmlu:subject=anatomy,model=a"))
    20
    """
    return hashlib.sha256(run.encode()).hexdigest()[:20]


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table to a file, atomically."""
    import pyarrow as pa

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    os.replace(temporary, path)


def read_table(path: Path) -> pa.Table:
    """Read an Arrow table that `write_table` wrote (memory-mapped)."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def read_tables(paths: Iterable[Path]) -> pa.Table | None:
    """Read several tables of one schema as one; None when there are none."""
    import pyarrow as pa

    tables = [read_table(path) for path in paths if path.exists()]
    return pa.concat_tables(tables) if tables else None


def frame_to_table(frame: pd.DataFrame) -> pa.Table:
    """Turn a frame of any cells into an Arrow table.

    Columns of one plain type keep it; object columns become JSON text (NaN and None stay apart).

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"a": [1, 2], "b": [["x"], None]}, index=[0, 5])
    >>> table_to_frame(frame_to_table(frame)).equals(frame)
    True
    """
    import pyarrow as pa

    arrays, fields = [], []
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        if column.dtype == object:
            cells = pa.array([_dump(v) for v in column.tolist()], pa.string())
            array: Any = cells.dictionary_encode()
            meta = {"json": "1"}
        else:
            array = pa.array(column.to_numpy(), from_pandas=False)
            meta = {"dtype": str(column.dtype)}
        arrays.append(array)
        fields.append(pa.field(str(name), array.type, metadata=meta))
    index = pa.array(np.asarray(frame.index, dtype=np.int64))
    fields.append(pa.field(_INDEX, index.type))
    return pa.Table.from_arrays([*arrays, index], schema=pa.schema(fields))


def table_to_frame(table: pa.Table) -> pd.DataFrame:
    """Give back the frame that `frame_to_table` turned into a table."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if field.name == _INDEX:
            continue
        if (field.metadata or {}).get(b"json"):
            array = column.combine_chunks()
            words = array.dictionary.to_pylist()
            codes = array.indices.to_numpy()
            cells = np.empty(len(codes), dtype=object)
            # each cell is its own object: a predictor that changes a list changes one row
            cells[:] = [_load(words[code]) for code in codes]
            columns[field.name] = pd.Series(cells, dtype=object)
        else:
            columns[field.name] = pd.Series(column.to_numpy())
    index = table.column(_INDEX).to_numpy()
    names = pd.Index([f.name for f in table.schema if f.name != _INDEX], dtype=object)
    frame = pd.DataFrame(columns, columns=names)
    if not len(frame.columns):
        return pd.DataFrame(index=index)
    frame.index = pd.Index(index)
    return frame


def _dump(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    return json.dumps(value, ensure_ascii=False)


def _load(text: str) -> Any:
    return json.loads(text)
