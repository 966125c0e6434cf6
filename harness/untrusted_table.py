"""Read a table that a predictor's process wrote: it may be made to fill memory.

An Arrow stream of a few bytes can stand for any number of rows: compressed buffers, arrays of
nothing, run lengths. What is read here takes no more memory than it has bytes, but for a constant.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from harness.prediction_files import MAX_ROWS
from harness.prediction_table import from_bytes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_untrusted"]

# Places of fields in the tables of Arrow's Message.fbs
_HEADER_TYPE, _HEADER, _METADATA = 1, 2, 4  # of Message
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # values of the header's type
_DATA = 1  # of DictionaryBatch
_COMPRESSION = 3  # of RecordBatch


def read_untrusted(data: bytes, columns: tuple[str, ...]) -> pa.Table:
    """Read an Arrow IPC stream of numbers and texts, as `harness.prediction_table.to_bytes` writes.

    Parameters
    ----------
    data : bytes
    columns : tuple of str
        The columns that it must have.

    Raises
    ------
    ValueError
        If it is none, has other columns, other types than numbers, booleans and texts (plain or
        as a dictionary), more than `harness.prediction_files.MAX_ROWS` rows, or is compressed.

    References
    ----------
    Arrow columnar format, "Serialization and Interprocess Communication (IPC)"; the layout of
    FlatBuffers: https://flatbuffers.dev/internals/.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from harness.prediction_table import to_bytes
    >>> read_untrusted(to_bytes(pa.table({"value": [0.5]})), ("value",)).num_rows
    1
    """
    import pyarrow as pa

    try:
        for number, message in enumerate(pa.ipc.MessageReader.open_stream(data)):
            if number == 0:
                _check_types(pa.ipc.read_schema(message))
            elif _is_compressed(bytes(message.metadata)):
                raise ValueError("it is compressed")
        table = from_bytes(data, columns)
    except (pa.ArrowException, OSError, struct.error, IndexError) as err:
        raise ValueError(f"not an Arrow table: {err}") from err
    if table.num_rows > MAX_ROWS:
        raise ValueError(f"it has {table.num_rows} rows, more than {MAX_ROWS}")
    return table


def _check_types(schema: pa.Schema) -> None:
    from pyarrow import types

    for field in schema:
        plain = field.type.value_type if types.is_dictionary(field.type) else field.type
        if not (
            types.is_integer(plain)
            or types.is_floating(plain)
            or types.is_boolean(plain)
            or types.is_string(plain)
            or types.is_large_string(plain)
        ):
            raise ValueError(f"its column {field.name} has the type {field.type}")


def _is_compressed(message: bytes) -> bool:
    """Say whether the buffers of a batch may be compressed, from its metadata."""
    (root,) = struct.unpack_from("<I", message, 0)
    if _field(message, root, _METADATA) is not None:  # where early versions said so
        return True
    kind_at, header_at = _field(message, root, _HEADER_TYPE), _field(message, root, _HEADER)
    if kind_at is None or header_at is None:
        return False
    batch: int | None = _follow(message, header_at)
    if message[kind_at] == _DICTIONARY_BATCH:
        data_at = _field(message, _follow(message, header_at), _DATA)
        batch = None if data_at is None else _follow(message, data_at)
    elif message[kind_at] != _RECORD_BATCH:
        return False
    return batch is not None and _field(message, batch, _COMPRESSION) is not None


def _field(message: bytes, table: int, number: int) -> int | None:
    """Give where a field of a table lies; None where it has its default."""
    vtable = table - struct.unpack_from("<i", message, table)[0]
    (size,) = struct.unpack_from("<H", message, vtable)
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", message, vtable + at)[0] if at < size else 0
    return table + offset if offset else None


def _follow(message: bytes, at: int) -> int:
    return int(at + struct.unpack_from("<I", message, at)[0])
