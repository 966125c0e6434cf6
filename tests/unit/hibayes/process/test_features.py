"""Columns as features: values, types, labels, and what is missing."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from hibayes.process import (
    Columns,
    extract_features,
    extract_features_deprecated,
    extract_observed_feature,
    extract_predictors_deprecated,
    fitting_dims,
    use_columns,
)
from hibayes.process.utils import get_category_order, infer_jax_dtype
from suites.errors import UsageError

DATA = {
    "score": [1.0, 0.0, 1.0, 0.0],
    "model": ["b", "a", "b", "a"],
    "task": ["x", "y", "x", "z"],
    "length": [1, 2, 3, 6],
    "held": [0, 0, 1, 1],
}


# ---------- the observed feature


def test_the_observed_feature_is_said_once(state, display):
    found = extract_observed_feature()(state({"score": [0.8, 0.5]}), display)
    np.testing.assert_allclose(found.features["obs"], [0.8, 0.5])
    assert found.features["obs"].dtype == np.float32
    assert display.said == ["Extracted 'score' -> 'obs' with dtype: float32"]


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_features_are_arrays_of_jax(state):
    import jax

    found = extract_observed_feature()(state(DATA))
    assert isinstance(found.features["obs"], jax.Array)


def test_whole_scores_become_whole_numbers_for_models_of_grades(state):
    found = extract_observed_feature()(state({"score": [7.0, 0.0, 10.0]})).features["obs"]
    assert found.dtype == np.int32
    assert found.tolist() == [7, 0, 10]
    assert extract_observed_feature(whole_numbers=False)(state(DATA)).features["obs"].dtype == "f4"
    part = extract_observed_feature(test="held")(
        state({"score": [1.0, 0.5], "held": [False, True]})
    )
    assert part.features["obs"].dtype == part.test_features["obs"].dtype == np.float32


def test_grades_are_converted(state, display):
    found = extract_observed_feature("score_match")(state({"score_match": ["C", "I"]}), display)
    assert found.features["obs"].tolist() == [1, 0]
    assert "The grades of 'score_match' are converted" in display.all()
    with pytest.raises(ValueError, match=r"Unsupported pandas dtype.*'switch'"):
        extract_observed_feature()(state({"score": ["C", "switch"]}))


def test_the_test_column_may_hold_zeros_and_ones(state):
    found = extract_observed_feature(test="held")(state(DATA))
    assert found.features["obs"].tolist() == [1, 0]
    assert found.test_features["obs"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([0, 1, 2, 0], "must be true or false"),
        (["yes", "no", "no", "no"], "it holds 'no', 'yes'"),
        ([True, None, False, False], "missing values"),
        (None, "missing required columns: \\['held'\\]"),
    ],
)
@pytest.mark.parametrize("build", [extract_observed_feature, extract_features])
def test_a_test_column_that_splits_nothing_is_refused(state, held, message, build):
    data = {k: v for k, v in DATA.items() if k != "held"}
    if held is not None:
        data["held"] = pd.Series(held, dtype="object")
    named = {} if build is extract_observed_feature else {"categorical_features": ["model"]}
    with pytest.raises(UsageError, match=message):
        build(test="held", **named)(state(data))


def test_rows_without_a_score_are_refused_or_dropped(state, display):
    data = {"score": [1.0, None, 0.0], "model": ["a", "b", "c"]}
    with pytest.raises(UsageError, match=r"of 3 rows, there is no 'score' in 1\. Drop them"):
        extract_observed_feature()(state(data))
    found = extract_observed_feature(missing="drop")(state(data), display)
    assert found.features["obs"].tolist() == [1, 0]
    assert found.processed_data["model"].tolist() == ["a", "c"]
    assert "Dropping 1 of 3 rows: no 'score' in 1" in display.all()
    assert len(found.data) == 3
    with pytest.raises(UsageError, match=r"of which \['model_index'\] were made already"):
        extract_observed_feature(missing="drop")(extract_features(["model"])(state(data)))
    with pytest.raises(UsageError, match="unknown way with missing values"):
        extract_observed_feature(missing="ignore")


def test_what_is_not_there_is_named(state):
    with pytest.raises(ValueError, match=r"must contain 'none' column.*Available: \['score'"):
        extract_observed_feature("none")(state(DATA))


def test_other_features_stay(state):
    found = extract_observed_feature()(state(DATA, features={"own": 3}))
    assert set(found.features) == {"own", "obs"}


# ---------- numbers


def test_whole_numbers_are_standardised_as_numbers(state):
    found = extract_features(continuous_features=["x"], standardise=True)(
        state({"x": [1, 2, 3, 4, 5, 6]})
    )
    expected = (np.arange(6) - 2.5) / np.std(np.arange(6), ddof=1)
    np.testing.assert_allclose(found.features["x"], expected, rtol=1e-5)
    assert found.features["x"].dtype == np.float32
    np.testing.assert_allclose(found.processed_data["x"], expected, rtol=1e-6)


def test_the_training_rows_alone_standardise(state):
    found = extract_features(continuous_features=["length"], standardise=True, test="held")(
        state(DATA)
    )
    sd = np.std([1, 2], ddof=1)
    np.testing.assert_allclose(found.features["length"], (np.array([1, 2]) - 1.5) / sd, rtol=1e-5)
    np.testing.assert_allclose(found.test_features["length"], [1.5 / sd, 4.5 / sd], rtol=1e-5)


def test_a_constant_column_is_only_centred(state, display):
    data = {"x": [3, 3, 4], "held": [False, False, True]}
    found = extract_features(continuous_features=["x"], standardise=True, test="held")(
        state(data), display
    )
    assert found.features["x"].tolist() == [0, 0]
    assert found.test_features["x"].tolist() == [1]
    assert "'x' is constant" in display.all()


def test_missing_numbers_stay_and_are_said_or_are_refused(state, display):
    data = {"x": [1.0, None]}
    found = extract_features(continuous_features=["x"])(state(data), display)
    assert np.isnan(found.features["x"][1])
    assert "'x' has no value in 1 of 2 rows" in display.all()
    with pytest.raises(UsageError, match="there is no 'x' in 1"):
        extract_features(continuous_features=["x"], missing="error")(state(data))
    dropped = extract_features(continuous_features=["x"], missing="drop")(state(data))
    assert dropped.features["x"].tolist() == [1.0]
    some = pd.Series([1, None], dtype="Int64")
    assert np.isnan(
        extract_features(continuous_features=["x"])(state({"x": some})).features["x"][1]
    )


def test_whole_numbers_beyond_32_bits_are_refused(state):
    with pytest.raises(UsageError, match="do not fit int32"):
        extract_features(continuous_features=["x"])(state({"x": [1, 2**40]}))
    unsigned = pd.Series([1, 2**31], dtype="uint64")
    assert extract_features(continuous_features=["x"])(state({"x": unsigned})).features[
        "x"
    ].tolist() == [1, 2**31]


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        *(("int8", "int32"), ("int64", "int32"), ("Int64", "int32"), ("uint8", "uint32")),
        *(("uint64", "uint64"), ("float64", "float32"), ("bool", "bool"), ("boolean", "bool")),
    ],
)
def test_types_of_arrays(dtype, name):
    assert np.dtype(infer_jax_dtype(pd.Series([1, 0], dtype=dtype))).name == name


def test_texts_are_no_numbers(state):
    with pytest.raises(ValueError, match="Unsupported pandas dtype"):
        extract_features(continuous_features=["model"])(state(DATA))


# ---------- categories


def test_categories_become_indices_with_labels(state, display):
    found = extract_features(["model", "task"])(state(DATA), display)
    assert found.features["model_index"].tolist() == [1, 0, 1, 0]
    assert found.features["model_index"].dtype == np.int32
    assert found.features["num_task"] == 3
    assert found.coords == {"model": ["a", "b"], "task": ["x", "y", "z"]}
    assert found.dims == {"model_effects": ["model"], "task_effects": ["task"]}
    assert "Extracted categorical 'model' -> 'model_index'" in display.all()


def test_a_missing_category_is_never_level_zero(state):
    data = {"model": ["a", None, "b"], "score": [1, 0, 1]}
    with pytest.raises(UsageError, match=r"there is no 'model' in 1\. Drop them"):
        extract_features(["model"])(state(data))
    found = extract_features(["model"], missing="drop")(state(data))
    assert found.features["model_index"].tolist() == [0, 1]
    assert found.processed_data["score"].tolist() == [1, 1]


def test_effect_coding_labels_the_free_coefficients(state, display):
    found = extract_features(["model", "task"], effect_coding_for_main_effects=True)(
        state({**DATA, "model": ["a"] * 4}), display
    )
    assert found.coords["task_constrained"] == ["x", "y"]
    assert found.dims["task_effects_constrained"] == ["task_constrained"]
    assert "model_constrained" not in found.coords
    assert display.all().count("Constrained:") == 1


def test_the_order_of_levels_can_be_chosen(state):
    order = extract_features(["task"], category_order={"task": ["z", "w", "y", "x"]})(state(DATA))
    assert order.coords["task"] == ["z", "y", "x"]
    assert order.features["task_index"].tolist() == [2, 1, 2, 0]
    first = extract_features(["task"], reference_categories={"task": "y"})(state(DATA))
    assert first.coords["task"] == ["y", "x", "z"]
    with pytest.raises(ValueError, match="missing categories found in data: \\['y', 'z'\\]"):
        extract_features(["task"], category_order={"task": ["x"]})(state(DATA))
    with pytest.raises(ValueError, match="not found in data"):
        extract_features(["task"], reference_categories={"task": "q"})(state(DATA))
    with pytest.raises(UsageError, match="unknown categorical feature in category_order 'tsk'"):
        extract_features(["task"], category_order={"tsk": ["x"]})(state(DATA))
    assert get_category_order(pd.Series([2, "a", 1, None]), "x").tolist() == [1, 2, "a"]


def test_levels_are_those_of_all_rows(state):
    found = extract_features(["task"], test="held")(state(DATA))
    assert found.features["task_index"].tolist() == [0, 1]
    assert found.test_features["task_index"].tolist() == [0, 2]
    assert found.features["num_task"] == found.test_features["num_task"] == 3


def test_a_column_is_one_or_the_other(state):
    with pytest.raises(
        ValueError, match="cannot be both categorical and continuous: \\['model'\\]"
    ):
        extract_features(["model"], ["model"])
    with pytest.raises(UsageError, match="expected a list of columns"):
        extract_features({"model": 1})
    assert extract_features("model")(state(DATA)).features["num_model"] == 2


def test_a_column_that_no_extractor_made_is_taken_from_the_metadata(state, display):
    data = {"score": [1, 0], "metadata_grader": ["g", "h"]}
    found = extract_features(["grader"])(state(data), display)
    assert found.coords["grader"] == ["g", "h"]
    assert found.processed_data["grader"].tolist() == ["g", "h"]
    assert "No extractor made 'grader': it is taken from the samples' metadata" in display.all()
    with pytest.raises(ValueError, match=r"missing required columns: \['LLM'\]. Available"):
        extract_features(["LLM"])(state(data))


# ---------- interactions


def test_pairs_are_labelled_in_either_order(state, display):
    found = extract_features(["model", "task"], ["length"], interactions=True)(state(DATA), display)
    assert found.dims["model_task_effects"] == ["model", "task"]
    assert found.dims["task_model_effects"] == ["task", "model"]
    assert found.dims["model_length_effects"] == found.dims["length_model_effects"] == ["model"]
    assert found.features["task_length"].tolist() == found.features["length_task"].tolist()
    assert "Added interaction dims for 'model_task' (full: 2×3" in display.all()


@pytest.mark.parametrize("pairs", [["task", "model"], [["task", "model"]]])
def test_pairs_can_be_chosen_and_one_may_be_flat(state, pairs):
    found = extract_features(["model", "task"], ["length"], interactions=pairs)(state(DATA))
    assert found.dims["model_task_effects"] == ["model", "task"]
    assert "model_length_effects" not in found.dims


@pytest.mark.parametrize("pairs", [["a"], "model", [["model"]], [["model", "model"]], [[1, 2]]])
def test_what_is_no_pair_is_refused(pairs):
    with pytest.raises(UsageError, match="expected pairs"):
        extract_features(["model"], interactions=pairs)


def test_pairs_of_unknown_columns_are_refused(state):
    with pytest.raises(UsageError, match="unknown feature in interactions 'tsk'"):
        extract_features(["model", "task"], interactions=[["model", "tsk"]])(state(DATA))


def test_an_effect_of_its_own_keeps_its_labels(state, display):
    data = {**DATA, "model_task": ["p", "q", "p", "q"]}
    found = extract_features(["model", "task", "model_task"], interactions=True)(
        state(data), display
    )
    assert found.dims["model_task_effects"] == ["model_task"]
    assert "'model_task_effects' is the effect of a column of its own" in display.all()


def test_dims_are_kept_only_where_they_fit():
    coords = {"group": ["a", "b"], "subgroup": ["x", "y"], "subsubgroup": ["p", "q"]}
    dims = {f"{name}_effects": [name] for name in coords}
    three_levels = {
        "group_effects": (2,),
        "subgroup_effects": (2, 2),
        "subsubgroup_effects": (2, 2, 2),
    }
    assert fitting_dims(dims, coords, three_levels) == {"group_effects": ["group"]}
    linear = dict.fromkeys(dims, (2,))
    assert fitting_dims(dims, coords, linear) == dims
    assert fitting_dims(dims, coords, {"group_effects": (3,)}) == {}
    assert fitting_dims(None, None, linear) == {}


# ---------- told no columns


def test_told_nothing_it_takes_what_the_models_name(state, display):
    named = Columns(("model", "absent"), ("length",), (("model", "task"),), True, ("n_total",))
    with use_columns(named):
        found = extract_features()(state({**DATA, "n_total": [3, 3, 3, 3]}), display)
    assert {"model_index", "num_model", "length", "n_total"} == set(found.features)
    assert found.dims["model_effects_constrained"] == ["model_constrained"]
    assert "The models name ['absent']" in display.all()
    chosen = extract_features()
    chosen.default_columns = Columns(("task",), (), (), False, ())
    assert "task_index" in chosen(state(DATA)).features


def test_pairs_of_the_models_are_labelled(state):
    with use_columns(Columns(("model", "task"), (), (("task", "model"),))):
        found = extract_features()(state(DATA))
    assert found.dims["model_task_effects"] == ["model", "task"]


def test_told_nothing_by_anyone_it_says_so(state, display):
    found = extract_features()(state(DATA), display)
    assert found.features == {}
    assert "nothing is extracted" in display.all()
    with use_columns(Columns(optional=("n_total",))):
        assert set(extract_features()(state({"n_total": [2]})).features) == {"n_total"}


# ---------- the older names


def test_the_older_processors_still_work(state):
    found = extract_features_deprecated(["length"], standardise=True)(state(DATA))
    assert found.features["length"].dtype == np.float32
    assert extract_features_deprecated()(state(DATA)).features["score"].dtype == np.float32
    older = extract_predictors_deprecated(interactions=True)(state(DATA))
    newer = extract_features(["model", "task"], interactions=True)(state(DATA))
    assert older.coords == newer.coords
    assert older.dims == newer.dims
