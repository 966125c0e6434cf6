"""Tables that stand for more than their bytes are refused before they fill memory."""

import io

import numpy as np
import pyarrow as pa
import pytest

from harness.prediction_table import COLUMNS, to_bytes
from harness.untrusted_table import read_untrusted

NUMBERS = pa.table({"value": [0.25, 0.5]})


def stream(table, **options) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def words(text) -> pa.Table:
    return pa.table({"value": pa.array([text, text]).dictionary_encode()})


@pytest.mark.parametrize(
    "table",
    [NUMBERS, words("a"), pa.table({"value": pa.array(["x"])}), pa.table({"value": [True]})],
    ids=["numbers", "dictionary", "texts", "booleans"],
)
def test_what_workers_write_is_read(table):
    assert read_untrusted(to_bytes(table), ("value",)).equals(table)
    assert read_untrusted(to_bytes(table.slice(0, 0)), ("value",)).num_rows == 0


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize(
    "table",
    [pa.table({"value": np.zeros(2_000_000)}), words("a" * 2_000_000)],
    ids=["numbers", "words"],
)
def test_compressed_ones_are_refused(codec, table):
    content = stream(table, compression=codec)
    assert len(content) < 100_000 < table.nbytes
    with pytest.raises(ValueError, match="it is compressed"):
        read_untrusted(content, ("value",))


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.nulls(10**9), "has the type null"),
        (
            pa.RunEndEncodedArray.from_arrays(pa.array([10**9]), pa.array([0.5])),
            "has the type run_end_encoded",
        ),
        (pa.array([[0.5]]), "has the type list"),
        (pa.array([{}]), "has the type struct"),
    ],
    ids=["nothing", "runs", "lists", "structs"],
)
def test_types_that_may_stand_for_any_number_of_rows_are_refused(column, why):
    content = to_bytes(pa.table({"value": column}))
    assert len(content) < 1000
    with pytest.raises(ValueError, match=why):
        read_untrusted(content, ("value",))


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr("harness.untrusted_table.MAX_ROWS", 1)
    with pytest.raises(ValueError, match="2 rows, more than 1"):
        read_untrusted(to_bytes(NUMBERS), ("value",))


@pytest.mark.parametrize("cut", [0, 3, 40, 150])
def test_what_is_no_stream_is_refused(cut):
    with pytest.raises(ValueError, match="not an Arrow table"):
        read_untrusted(to_bytes(NUMBERS)[:cut], ("value",))


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="expected the columns"):
        read_untrusted(to_bytes(NUMBERS), COLUMNS)


def test_no_byte_that_is_changed_is_more_than_a_refusal():
    content = bytearray(to_bytes(words("a")))
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 300).tolist():
        changed = bytearray(content)
        changed[place] = int(rng.integers(256))
        try:
            assert read_untrusted(bytes(changed), ("value",)).num_rows < 10
        except ValueError:
            continue
