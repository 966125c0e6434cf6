"""The two tables that every source fills."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.schema import (
    CELL,
    RESPONSE_KEY,
    RESPONSES,
    RUNS,
    STATUSES,
    arrow_schema,
    frame_of,
    responses_table,
    to_pandas,
)

NAMES = [column.name for column in RESPONSES]


def test_each_column_is_declared_once_with_a_meaning():
    for columns in (RESPONSES, RUNS):
        names = [column.name for column in columns]
        assert len(set(names)) == len(names)
        assert all(column.meaning for column in columns)
    assert set(CELL) <= {column.name for column in RUNS}
    assert set(RESPONSE_KEY) <= set(NAMES)


def test_columns_that_are_not_given_have_their_default():
    table = responses_table({"run": "r", "instance": ["a", "b"], "value": [0.0, 1.0]})
    assert table.schema == arrow_schema()
    assert table.column("trial").to_pylist() == [0, 0]
    assert table.column("weight").to_pylist() == [1.0, 1.0]
    assert table.column("status").to_pylist() == ["ok", "ok"]
    assert table.column("run").to_pylist() == ["r", "r"]
    given_or_default = {"run", "instance", "value", "trial", "weight", "status"}
    for name in set(NAMES) - given_or_default:
        assert table.column(name).null_count == 2, name


@pytest.mark.parametrize(
    "words",
    [
        ["x", None, "x"],
        np.array(["x", None, "x"], dtype=object),
        pd.Series(["x", None, "x"]),
        pd.Series(["x", math.nan, "x"], dtype=object),
        pd.Series(["x", None, "x"], dtype="string"),
        pd.Series(["x", None, "x"], dtype="category"),
        pa.array(["x", None, "x"]),
        pa.array(["x", None, "x"]).dictionary_encode(),
        pa.array(["x", None, "x"], pa.large_string()),
        pa.chunked_array([["x"], [None, "x"]]),
    ],
    ids=lambda w: f"{type(w).__name__} {getattr(w, 'dtype', getattr(w, 'type', ''))}",
)
def test_words_may_come_in_any_kind_of_column(words):
    for name in ("model", "instance"):
        table = responses_table({name: words, "value": [1.0, 2.0, 3.0]})
        assert table.schema == arrow_schema()
        assert table.column(name).to_pylist() == ["x", None, "x"]


def test_missing_numbers_are_null_or_nan_but_never_zero():
    table = responses_table({"value": [1.0, None, math.nan], "run": "r"})
    values = to_pandas(table)["value"].tolist()
    assert values[0] == 1.0
    assert all(math.isnan(v) for v in values[1:])


def test_numbers_of_rows_without_any_column_are_said():
    assert responses_table({"run": "r"}, length=3).num_rows == 3
    assert responses_table({}, length=0).schema == arrow_schema()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"runs": ["r"]}, "not columns of a table of responses"),
        ({"run": ["r"], "value": [1.0, 2.0]}, "columns of one length"),
        ({"run": "r"}, "columns of one length"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        responses_table(columns)


text = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(
    st.lists(
        st.tuples(text, text, st.none() | st.floats(allow_nan=False), st.sampled_from(STATUSES)),
        min_size=1,
        max_size=20,
    )
)
def test_any_rows_come_back_in_pandas(rows):
    run, instance, value, status = map(list, zip(*rows, strict=True))
    frame = to_pandas(
        responses_table({"run": run, "instance": instance, "value": value, "status": status})
    )
    assert frame.columns.tolist() == NAMES
    for name, wanted in (("run", run), ("instance", instance), ("status", status)):
        assert [None if pd.isna(v) else v for v in frame[name]] == wanted
    assert [None if math.isnan(v) else v for v in frame["value"]] == value


def test_types_of_pandas_are_those_that_are_promised():
    frame = to_pandas(responses_table({"run": "r", "instance": ["a"], "value": [1.0]}))
    kinds = {"category": "category", "float": "float64", "int": "int32"}
    for column in RESPONSES:
        if column.type in kinds:
            assert str(frame[column.name].dtype) == kinds[column.type], column.name
        else:
            assert frame[column.name].dtype == pd.StringDtype("pyarrow")


def test_tables_with_different_words_are_put_together():
    tables = [responses_table({"model": [m], "value": [1.0]}) for m in "ab"]
    assert to_pandas(pa.concat_tables(tables))["model"].tolist() == ["a", "b"]


def test_a_frame_has_exactly_its_columns_and_types_even_without_rows():
    for rows in ([], [{"run": "r", "n": 3}], [{"run": None, "n": None, "binary": None}]):
        frame = frame_of(RUNS, rows)
        assert frame.columns.tolist() == [column.name for column in RUNS]
        assert len(frame) == len(rows)
        kinds = frame.dtypes.astype(str).to_dict()
        assert (kinds["n"], kinds["binary"], kinds["value"]) == ("Int64", "boolean", "float64")
        assert kinds["date"].startswith("datetime64")
        assert isinstance(frame["model"].dtype, pd.StringDtype)


def test_a_frame_keeps_what_is_missing_apart_from_zero_and_false():
    rows = [
        {"n": 0, "binary": False, "value": 0.0, "date": dt.datetime(2026, 1, 2), "part": "test"},
        {},
    ]
    frame = frame_of(RUNS, rows)
    for name in ("n", "binary", "value", "date", "part"):
        assert frame[name].isna().tolist() == [False, True], name
