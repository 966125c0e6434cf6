"""Values that are kept come back as they were."""

import math

import numpy as np
import pandas as pd
import pytest

from hibayes.arviz_bridge import Elpd
from hibayes.storage.codec import decode, encode, read_arrays, write_arrays
from hibayes.storage.frames import read_frame, read_table, write_frame, write_table


def through_files(value, tmp_path):
    import json

    arrays = {}
    text = json.dumps(encode(value, "x", arrays), allow_nan=False)
    write_arrays(tmp_path / "a.npz", arrays)
    return decode(json.loads(text), read_arrays(tmp_path / "a.npz"))


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 0.1 + 0.2, "text", [1, [2.5, None]], (1, "a"), {"a": {"b": 1}},
        {1: "one", ("x", 2): [3]}, {"$array": "not one of ours"}, {"a", "b"}, {}, [],
    ],
)  # fmt: skip
def test_plain_values_come_back(value, tmp_path):
    back = through_files(value, tmp_path)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinities_come_back(value, tmp_path):
    assert through_files(value, tmp_path) == value


def test_nan_comes_back(tmp_path):
    assert math.isnan(through_files(math.nan, tmp_path))


@pytest.mark.parametrize("kind", ["int32", "uint64", "float32", "float64", "bool", "<U5"])
def test_arrays_come_back_with_their_type(kind, tmp_path):
    value = np.array([[1, 0, 1], [0, 1, 1]]).astype(kind)
    back = through_files(value, tmp_path)
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)


def test_an_array_of_ten_thousand_is_not_cut(tmp_path):
    value = np.random.default_rng(0).normal(size=10_000)
    np.testing.assert_array_equal(through_files(value, tmp_path), value)


@pytest.mark.parametrize("scalar", [np.int32(3), np.float32(0.1), np.float64(1e-300), np.bool_(1)])
def test_numpy_scalars_keep_their_type(scalar, tmp_path):
    back = through_files(scalar, tmp_path)
    assert back == scalar
    assert back.dtype == scalar.dtype


def test_object_arrays_need_no_pickle(tmp_path):
    back = through_files(np.array([["a", None], [1, 2.5]], dtype=object), tmp_path)
    assert back.tolist() == [["a", None], [1, 2.5]]


def test_frames_come_back_exactly(tmp_path):
    frame = pd.DataFrame(
        {"mean": np.random.default_rng(0).normal(size=3), "n": [1, 2, 3], "label": ["a", "NA", ""]},
        index=["mu", "group[a]", "group[b, c]"],
    )
    pd.testing.assert_frame_equal(through_files(frame, tmp_path), frame)


def test_frames_of_two_index_levels_come_back(tmp_path):
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["model", None])
    frame = pd.DataFrame({("x", "y"): [1.0, 2.0]}, index=index)
    pd.testing.assert_frame_equal(through_files(frame, tmp_path), frame)


def test_a_series_of_many_types_comes_back(tmp_path):
    series = pd.Series({"elpd": -1.5, "warning": False, "scale": "log"}, name="loo")
    back = through_files(series, tmp_path)
    pd.testing.assert_series_equal(back, series)
    assert back["warning"] is False


def test_results_of_hibayes_come_back(tmp_path):
    points = pd.DataFrame({"elpd": [-1.0, -2.0], "p": [0.1, 0.2], "pareto_k": [0.3, 0.9]})
    value = Elpd("loo", -3.0, 0.5, 0.3, 2, 400, 0.6, pointwise=points)
    back = through_files({"loo": value}, tmp_path)["loo"]
    assert back == value
    pd.testing.assert_frame_equal(back.pointwise, points)


@pytest.mark.parametrize("last", ["é", "nul\0", None, 3])
def test_many_texts_come_back(last, tmp_path):
    index = pd.Index([f"group[{i}]" for i in range(200)] + [last], dtype=object)
    frame = pd.DataFrame({"mean": np.arange(201.0)}, index=index)
    pd.testing.assert_frame_equal(through_files(frame, tmp_path), frame)


def test_only_classes_of_hibayes_are_made():
    with pytest.raises(ValueError, match="no object of hibayes"):
        decode({"$object": "subprocess:Popen", "fields": {"args": ["true"]}}, {})


def test_what_has_no_form_is_kept_as_text(tmp_path):
    assert through_files(object, tmp_path) == "<class 'object'>"


def test_jax_arrays_come_back_as_such(tmp_path):
    jax = pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
    value = jax.numpy.arange(3, dtype="int32")
    back = through_files(value, tmp_path)
    assert isinstance(back, jax.Array)
    assert back.dtype == value.dtype


def test_data_arrays_come_back(tmp_path):
    xr = pytest.importorskip("xarray", reason="needs xarray: pip install 'benchcast[bayes]'")
    value = xr.DataArray([1.5, 2.5], dims=["obs"], coords={"obs": ["b", "a"]}, name="loo_i")
    xr.testing.assert_identical(through_files(value, tmp_path), value)


def test_columns_of_several_types_can_be_saved(tmp_path):
    frame = pd.DataFrame(
        {"score": [1, "a", None], "tools": [["x"], [None], []], "meta": [{"a": 1}, {"b": 2}, {}]}
    )
    write_frame(tmp_path / "f.parquet", frame)
    back = read_frame(tmp_path / "f.parquet")
    assert back["score"].tolist() == [1, "a", None]
    assert back["tools"].tolist() == frame["tools"].tolist()
    assert back["meta"].tolist() == frame["meta"].tolist()


def test_tables_do_not_grow_an_index_column(tmp_path):
    table = pd.DataFrame({"mean": [0.1 + 0.2, 1 / 3]})
    for _ in range(3):
        write_table(tmp_path / "t.csv", table)
        table = read_table(tmp_path / "t.csv")
    assert list(table.columns) == ["mean"]
    assert table["mean"].tolist() == [0.1 + 0.2, 1 / 3]
    assert table.index.name is None
