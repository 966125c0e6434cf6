"""The two tables that every source fills: responses and runs.

Each column is declared once, here: name, type, meaning. Readers build Arrow tables of responses
with `responses_table`; the rest of the project reads pandas frames made by `to_pandas`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """One column: its name, type (``category, string, float, int, bool, date``) and meaning."""

    name: str
    type: str
    meaning: str


RESPONSES: tuple[Column, ...] = (
    Column("run", "category", "id of the run"),
    Column("model", "category", "who answered"),
    Column("scenario", "category", "what was asked, with its arguments"),
    Column("condition", "category", "hash of how it was asked"),
    Column("instance", "string", "id of the question within its scenario"),
    Column("trial", "int", "which of several answers to it, from 0"),
    Column("part", "category", "HELM's split of the instances; null elsewhere"),
    Column("sub_part", "category", "HELM's sub_split; null elsewhere"),
    Column("perturbation", "category", "canonical JSON of all its fields; null when unperturbed"),
    Column("metric", "category", "name of the measured quantity"),
    Column("value", "float", "the observed number; null where there is none, or none that counts"),
    Column("weight", "float", "what the source counts the value with"),
    Column("status", "category", "ok, unscored, error or invalidated"),
    Column("lower", "float", "least possible value, null where unknown"),
    Column("upper", "float", "greatest possible value, null where unknown"),
    Column("n_options", "float", "number of options, where the chance level is known"),
    Column("instance_hash", "string", "hash of the instance's text; null until texts are read"),
)

RUNS: tuple[Column, ...] = (
    Column("run", "string", "id of the run, unique in a suite"),
    Column("name", "string", "the source's own label of the run (HELM: run_spec.name)"),
    Column("source", "string", "the source as the user named it"),
    Column("kind", "string", "kind of the source: helm, inspect, table"),
    Column("model", "string", "who answered"),
    Column("organisation", "string", "who made the model; null where unknown"),
    Column("family", "string", "the line of models it belongs to; null where unknown"),
    Column("scenario", "string", "what was asked, with its arguments"),
    Column("scenario_group", "string", "the scenario without its arguments"),
    Column("condition", "string", "hash of how it was asked"),
    Column("metric", "string", "name of the measured quantity"),
    Column("part", "string", "HELM's split of the instances; null elsewhere"),
    Column("perturbation", "string", "canonical JSON of all its fields; null when unperturbed"),
    Column("value", "float", "the run's published value"),
    Column("recomputed", "float", "the same from its responses; null until they were read"),
    Column("n", "int", "number of instances"),
    Column("n_scored", "int", "responses with a value; null until they were read"),
    Column("n_error", "int", "responses that failed; null until they were read"),
    Column("n_missing", "int", "responses without a value; null until they were read"),
    Column("binary", "bool", "the value is C/n, C a count of ones; null where unknown"),
    Column("lower", "float", "least possible value, null where unknown"),
    Column("upper", "float", "greatest possible value, null where unknown"),
    Column("higher_is_better", "bool", "direction; null where unknown"),
    Column("date", "date", "when it ran; null where unknown"),
    Column("rerun", "int", "0 for the first run of its cell, 1 for its first rerun …"),
)

CELL: tuple[str, ...] = ("model", "scenario", "condition", "metric", "part", "perturbation")
"""What makes two runs of one thing reruns of each other."""

RESPONSE_KEY: tuple[str, ...] = (
    "run",
    "instance",
    "trial",
    "sub_part",
    "perturbation",
    "metric",
)

STATUSES: tuple[str, ...] = ("ok", "unscored", "error", "invalidated")

_PANDAS = {
    "category": "category",
    "string": "string",
    "float": "float64",
    "int": "Int64",
    "bool": "boolean",
    "date": "datetime64[us]",
}


def arrow_schema(columns: Iterable[Column] = RESPONSES) -> pa.Schema:
    """Give the Arrow schema of a table of responses (dictionary-encoded categories)."""
    import pyarrow as pa

    types = {
        "category": pa.dictionary(pa.int32(), pa.string()),
        "string": pa.string(),
        "float": pa.float64(),
        "int": pa.int32(),
        "bool": pa.bool_(),
        "date": pa.timestamp("us"),
    }
    return pa.schema([(column.name, types[column.type]) for column in columns])


def responses_table(columns: Mapping[str, Any], length: int | None = None) -> pa.Table:
    """Build one run's table of responses from columns.

    Parameters
    ----------
    columns : mapping of str to sequence or scalar
        Arrays of one length, or a scalar (None included) that holds for every row. Columns that
        are not named get their default: ``trial`` 0, ``weight`` 1, ``status`` ok, else null.
    length : int, optional
        The number of rows, needed when every column is a scalar.

    Returns
    -------
    pyarrow.Table
        With the columns, order and types of `RESPONSES`.

    Examples
    --------
    >>> table = responses_table({"run": "r", "instance": ["a", "b"], "value": [0.0, 1.0]})
    >>> table.num_rows, table.column("weight").to_pylist()
    (2, [1.0, 1.0])
    """
    import pyarrow as pa

    defaults: dict[str, Any] = {"trial": 0, "weight": 1.0, "status": "ok"}
    unknown = set(columns) - {c.name for c in RESPONSES}
    if unknown:
        raise ValueError(f"not columns of a table of responses: {sorted(unknown)}")
    if length is None:
        sizes = {len(v) for v in columns.values() if hasattr(v, "__len__") and not _is_scalar(v)}
        if len(sizes) != 1:
            raise ValueError(f"columns of one length are needed, got lengths {sorted(sizes)}")
        length = sizes.pop()
    schema = arrow_schema()
    arrays = []
    for field in schema:
        value = columns.get(field.name, defaults.get(field.name))
        arrays.append(_array(value, field.type, length))
    return pa.Table.from_arrays(arrays, schema=schema)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, bytes, int, float, bool))


def _array(value: Any, type_: pa.DataType, length: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if value is None:
        return pa.nulls(length, type_)
    if pa.types.is_dictionary(type_):
        if _is_scalar(value):
            codes = pa.array(np.zeros(length, np.int32))
            return pa.DictionaryArray.from_arrays(codes, pa.array([str(value)], pa.string()))
        if isinstance(value, pa.Array | pa.ChunkedArray) and value.type == type_:
            return value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value
        return _strings(value).dictionary_encode().cast(type_)
    if _is_scalar(value):
        return pa.repeat(pa.scalar(value, type_), length)
    if pa.types.is_string(type_):
        return _strings(value)
    return pa.array(value, type_, from_pandas=True)


def _strings(value: Any) -> pa.Array:
    import pyarrow as pa

    array = pa.array(value, from_pandas=True)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array if array.type == pa.string() else array.cast(pa.string())


def concat_details(tables: Iterable[pa.Table]) -> pa.Table:
    """Join tables of responses that may differ in the columns behind those of `RESPONSES`.

    A column that is missing in a table is null there. One that has several types becomes float64
    where all are numbers, else text.

    Examples
    --------
    >>> base = responses_table({"run": "r", "instance": ["a"], "value": [1.0]})
    >>> one = base.append_column("inspect.limit", [["token"]])
    >>> concat_details([one, base]).column("inspect.limit").to_pylist()
    ['token', None]
    """
    import pyarrow as pa

    given = list(tables)
    types: dict[str, pa.DataType] = {}
    for table in given:
        for field in list(table.schema)[len(RESPONSES) :]:
            types[field.name] = _wider(types.get(field.name, pa.null()), field.type)
    whole = []
    for table in given:
        for name, type_ in types.items():
            at = table.schema.get_field_index(name)
            column = table.column(at) if at >= 0 else pa.nulls(table.num_rows, type_)
            table = table.drop_columns(name) if at >= 0 else table
            table = table.append_column(pa.field(name, type_), column.cast(type_))
        whole.append(table)
    return pa.concat_tables(whole)


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other

    def is_number(type_: pa.DataType) -> bool:
        return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))

    return pa.float64() if is_number(one) and is_number(other) else pa.string()


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn an Arrow table into pandas: categories, Arrow strings, float64, int32.

    Examples
    --------
    >>> frame = to_pandas(responses_table({"run": "r", "instance": ["a"], "value": [1.0]}))
    >>> str(frame["run"].dtype), str(frame["trial"].dtype)
    ('category', 'int32')
    """
    import pandas as pd
    import pyarrow as pa

    string = pd.StringDtype("pyarrow")
    frame: pd.DataFrame = table.unify_dictionaries().to_pandas(
        types_mapper=lambda t: string if pa.types.is_string(t) else None
    )
    return frame


def frame_of(columns: tuple[Column, ...], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Build a frame with exactly these columns, in order, with their types.

    Examples
    --------
    >>> runs = frame_of(RUNS, [{"run": "r", "n": 3, "value": 0.5}])
    >>> len(runs), str(runs["n"].dtype), bool(runs["binary"].isna().all())
    (1, 'Int64', True)
    """
    import pandas as pd

    frame = pd.DataFrame.from_records(list(rows), columns=[c.name for c in columns])
    return frame.astype({c.name: _PANDAS[c.type] for c in columns})
