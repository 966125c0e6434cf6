"""Frames go to files and come back as they were."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.shards import (
    frame_to_table,
    read_table,
    read_tables,
    shard_name,
    table_to_frame,
    write_table,
)


def same_cell(a, b) -> bool:
    """Whether two cells are equal, NaN and None being different things."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_cell, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same_cell(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


def assert_same(got: pd.DataFrame, wanted: pd.DataFrame) -> None:
    assert got.columns.tolist() == wanted.columns.tolist()
    assert got.index.tolist() == wanted.index.tolist()
    assert got.dtypes.tolist() == wanted.dtypes.tolist()
    for position in range(wanted.shape[1]):
        a, b = got.iloc[:, position].tolist(), wanted.iloc[:, position].tolist()
        assert all(map(same_cell, a, b)), wanted.columns[position]


def through_a_file(frame: pd.DataFrame, path) -> pd.DataFrame:
    write_table(path, frame_to_table(frame))
    return table_to_frame(read_table(path))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2, 2**53 + 1, -(2**63)]),
        pd.Series([0.1, math.nan, math.inf, -0.0]),
        pd.Series([True, False, True, True]),
        pd.Series(["", "a\nb", "é\u2028", "null"], dtype=object),
        pd.Series([None, math.nan, "x", None], dtype=object),
        pd.Series([True, None, False, math.nan], dtype=object),
        pd.Series([1, 1.0, True, "1"], dtype=object),
        pd.Series([2**70, -1, 0, None], dtype=object),
        pd.Series([[1, 2], [], ["a", None], [math.nan]], dtype=object),
        pd.Series([{"b": 1, "a": [2]}, {}, None, {"x": {"y": None}}], dtype=object),
        pd.Series([[{"text": " D", "logprob": 0.0}], "text", 3, math.nan], dtype=object),
    ],
    ids=[
        "ints",
        "floats",
        "bools",
        "strings",
        "None beside NaN",
        "bools with missing",
        "mixed",
        "large ints",
        "lists",
        "dicts",
        "all sorts",
    ],
)
def test_a_column_comes_back_with_its_type_and_every_cell(column, tmp_path):
    frame = pd.DataFrame({"it": column, "other": range(4)})
    assert_same(through_a_file(frame, tmp_path / "shard.arrow"), frame)


def test_duplicate_index_labels_and_their_order_are_kept(tmp_path):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [["x"], None, "y"]}, index=[5, 0, 5])
    assert_same(through_a_file(frame, tmp_path / "shard.arrow"), frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=[3, 3]),
        pd.DataFrame({"a": pd.Series([], dtype=object), "b": pd.Series([], dtype=float)}),
    ],
    ids=["nothing", "no columns", "no rows"],
)
def test_an_empty_frame_stays_empty(frame, tmp_path):
    back = through_a_file(frame, tmp_path / "shard.arrow")
    assert back.shape == frame.shape
    assert back.columns.tolist() == frame.columns.tolist()
    assert back.dtypes.tolist() == frame.dtypes.tolist()


cells = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab. é", max_size=3), inner)
    ),
    max_leaves=5,
)


@given(st.lists(cells, min_size=1, max_size=8))
def test_any_cells_of_json_come_back(values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    frame = pd.DataFrame({"it": pd.Series(column, dtype=object)})
    assert_same(table_to_frame(frame_to_table(frame)), frame)


def test_cells_of_one_content_are_different_objects():
    frame = pd.DataFrame({"a": [["x"], ["x"]]})
    back = table_to_frame(frame_to_table(frame))
    back["a"].iloc[0].append("changed")
    assert back["a"].iloc[1] == ["x"]


@pytest.mark.parametrize("name", ["run_spec", "scenario_state", "stats", "per_instance_stats"])
def test_the_frames_of_the_demo_come_back_equal_with_their_dtypes(name, demo, tmp_path):
    frame = getattr(demo.suites()[0].runs(), name)()
    back = through_a_file(frame, tmp_path / "shard.arrow")
    pd.testing.assert_frame_equal(back, pd.DataFrame(frame), check_exact=True)
    assert_same(back, frame)


def test_frames_with_perturbations_trials_and_annotations_come_back_equal(demo, tmp_path):
    suite = next(s for s in demo.suites() if s.name == "standin-v1")
    kinds: dict[str, object] = {}
    for run in suite.runs():
        kinds.setdefault(run.name.partition(":")[0], run)
    assert len(kinds) >= 4
    for run in kinds.values():
        for name in ("scenario_state", "stats", "run_spec"):
            frame = getattr(run, name)()
            assert_same(through_a_file(frame, tmp_path / "shard.arrow"), frame)


def test_several_shards_are_read_as_one_and_missing_ones_left_out(tmp_path):
    for name, value in (("a", 1), ("b", 2)):
        write_table(tmp_path / name, pa.table({"x": [value]}))
    paths = [tmp_path / name for name in ("b", "missing", "a")]
    table = read_tables(paths)
    assert table is not None
    assert table.column("x").to_pylist() == [2, 1]
    assert read_tables([tmp_path / "missing"]) is None


def test_writing_leaves_no_temporary_file(tmp_path):
    write_table(tmp_path / "a.arrow", pa.table({"x": [1]}))
    assert [p.name for p in tmp_path.iterdir()] == ["a.arrow"]


def test_names_of_shards_are_safe_and_different():
    runs = ["v1/a", "v1/b", "../../etc/passwd", "x" * 5000, ""]
    names = [shard_name(run) for run in runs]
    assert len(set(names)) == len(runs)
    assert all(len(name) == 20 and name.isalnum() for name in names)
