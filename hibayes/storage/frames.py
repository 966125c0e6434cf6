"""Frames on disk: Parquet for data, CSV for tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["exactly", "read_frame", "read_table", "write_frame", "write_table"]

_AS_JSON = b"hibayes.json"  # key of the schema's metadata: columns that are kept as JSON text


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as Parquet, with its index.

    Columns that Parquet cannot hold, as those with values of several types, are kept as JSON text,
    and come back as they were.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    held, as_json = frame, []
    for name in frame.columns:
        if frame[name].dtype != object:
            continue
        try:
            pa.array(frame[name], from_pandas=True)
            plain = not frame[name].map(lambda value: isinstance(value, dict | list)).any()
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            plain = False
        if not plain:  # Parquet gives each mapping the keys of all, and lists as arrays
            held = held.copy() if held is frame else held
            held[name] = frame[name].map(lambda value: json.dumps(value, default=str))
            as_json.append(str(name))
    table = pa.Table.from_pandas(held)
    if as_json:
        metadata = dict(table.schema.metadata or {}) | {_AS_JSON: json.dumps(as_json).encode()}
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="snappy")


def read_frame(path: Path) -> pd.DataFrame:
    """Read what `write_frame` wrote, or any other Parquet file."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    frame = table.to_pandas()
    for name in json.loads((table.schema.metadata or {}).get(_AS_JSON, b"[]")):
        frame[name] = frame[name].map(json.loads).astype(object)
    return frame


def exactly() -> dict[str, Any]:
    """Give the arguments of ``pandas.read_csv`` with which numbers come back to the last bit."""
    import pandas as pd

    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    return {} if version >= (3, 1) else {"float_precision": "round_trip"}  # 3.1 does by default


def write_table(path: Path, table: Any) -> None:
    """Write a table as CSV, with its index."""
    table.to_csv(path)


def read_table(path: Path, index_levels: int = 1) -> pd.DataFrame:
    """Read a table that was written with its index; numbers come back to the last bit.

    Parameters
    ----------
    path : Path
        A CSV file.
    index_levels : int, default 1
        How many columns at the front are the index.
    """
    import pandas as pd

    table = pd.read_csv(path, index_col=list(range(index_levels)), **exactly())
    table.index.names = [None if str(n).startswith("Unnamed: ") else n for n in table.index.names]
    return table
