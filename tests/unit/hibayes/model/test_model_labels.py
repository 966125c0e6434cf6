"""Labels of every axis, known and checked before anything is sampled."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")

from hibayes.model import (
    check_features,
    describe,
    hierarchical_ordered_logistic_model,
    labels_of,
    linear_group_binomial,
    model,
    ordered_logistic_model,
    pairwise_logistic_model,
    three_level_group_binomial,
)
from hibayes.model.definition import Axis
from hibayes.model_state import ModelAnalysisState
from suites.errors import UsageError

NAMES = {"g": ["a", "b", "c"], "s": ["x", "y"]}


def grid(names, *, n=1, coords=None, **extra):
    """Features of the full grid of categorical features, n rows each."""
    index = np.indices([len(v) for v in names.values()]).reshape(len(names), -1)
    index = np.repeat(index, n, axis=1).astype(np.int32)
    features = {"obs": np.zeros(index.shape[1], np.int32)}
    features["n_total"] = np.ones(index.shape[1], np.int32)
    for name, column in zip(names, index, strict=True):
        features |= {f"{name}_index": column, f"num_{name}": len(names[name])}
    return features | extra


def state_of(made, features, coords, dims=None):
    return ModelAnalysisState(made, None, features=features, coords=coords, dims=dims)


@pytest.mark.parametrize("sizes", [(4, 4, 2), (2, 2, 2)])
def test_three_levels_are_labelled_by_group_subgroup_and_subsubgroup(sizes):
    """Dims that a processor made from names give one axis only; equal sizes hid that."""
    names = {
        name: [f"{name}{i}" for i in range(size)]
        for name, size in zip(("group", "subgroup", "subsubgroup"), sizes, strict=True)
    }
    dims = {f"{name}_effects": [name] for name in names}
    found = labels_of(state_of(three_level_group_binomial(), grid(names), names, dims))
    assert found.dims["group_effects"] == found.dims["z_group"] == ["group"]
    assert found.dims["subgroup_effects"] == found.dims["z_subgroup"] == ["group", "subgroup"]
    assert found.dims["subsubgroup_effects"] == ["group", "subgroup", "subsubgroup"]
    assert found.coords == names


@pytest.mark.parametrize("pair", [("g", "s"), ("s", "g")])
def test_interactions_are_labelled_in_either_order(pair):
    made = linear_group_binomial(["g", "s"], [pair])
    found = labels_of(state_of(made, grid(NAMES), NAMES, {"g_s_effects": ["g", "s"]}))
    assert found.dims[f"{pair[0]}_{pair[1]}_effects"] == list(pair)
    constrained = found.dims[f"{pair[0]}_{pair[1]}_effects_constrained"]
    expected = ["a, x", "b, x"] if pair == ("g", "s") else ["x, a", "x, b"]
    assert found.coords[constrained[0]] == expected


def test_raw_constrained_cutpoints_and_slopes_are_labelled():
    features = grid(NAMES, n=2, length=np.zeros(12, np.float32))
    dummy = ordered_logistic_model(
        ["g", "s"],
        ["length"],
        [("length", "g")],
        num_classes=4,
        effect_coding_for_main_effects=False,
    )
    found = labels_of(state_of(dummy, features, NAMES))
    assert [found.coords[d] for d in found.dims["g_effects_raw"]] == [["b", "c"]]
    assert [found.coords[d] for d in found.dims["cutpoints"]] == [["0|1", "1|2", "2|3"]]
    assert [found.coords[d] for d in found.dims["cutpoint_diffs"]] == [[1, 2]]
    assert found.dims["length_g_effects"] == ["g"]
    effect = labels_of(state_of(ordered_logistic_model(["g"]), features, NAMES))
    assert [effect.coords[d] for d in effect.dims["g_effects_constrained"]] == [["a", "b"]]


def test_the_documentations_models_are_labelled():
    names = {"grader": ["h1", "h2", "m"], "grader_type": ["human", "model"], "LLM": ["A", "B"]}
    features = grid({"grader": names["grader"], "LLM": names["LLM"]})
    features |= {
        "grader_type_index": np.array([0, 0, 1])[features["grader_index"]],
        "num_grader_type": 2,
    }
    made = hierarchical_ordered_logistic_model(["grader", "LLM"], [("grader", "LLM")])
    found = labels_of(state_of(made, features, names))
    assert found.dims["grader_type_effects"] == ["grader_type"]
    assert found.dims["grader_effects"] == found.dims["grader_raw_effects"] == ["grader"]
    assert found.dims["grader_type_differences"] == ["grader_type", "grader_type_less"]
    assert found.dims["grader_LLM_effects"] == ["grader", "LLM"]
    features["grader_type_index"] = np.array([0, 1, 0, 0, 1, 1])
    with pytest.raises(UsageError, match="more than one grader_type"):
        labels_of(state_of(made, features, names))
    slopes = pairwise_logistic_model(["LLM"])
    features["length_diff"] = np.zeros(6, np.float32)
    found = labels_of(state_of(slopes, features, names))
    assert found.dims["grader_length_diff_effects"] == ["grader"]


def test_labels_that_are_not_as_many_as_levels_are_refused():
    with pytest.raises(UsageError, match=r"coords\['g'\] has 2 labels, and num_g is 3"):
        labels_of(state_of(linear_group_binomial(["g"]), grid(NAMES), {"g": ["a", "b"]}))


def test_labels_are_numbers_where_there_are_none():
    found = labels_of(state_of(linear_group_binomial(["g"]), grid(NAMES), None))
    assert found.coords["g"] == [0, 1, 2]


def test_a_state_that_says_nothing_useful_of_a_custom_variable_leaves_it_numbered(caplog):
    @model
    def custom_effects():
        def program(features):
            import numpyro
            from numpyro import distributions as dist

            check_features(features, ["num_g"])
            flat = numpyro.sample("s_effects", dist.Normal(0.0, 1.0).expand([3, 2]))
            numpyro.sample("g_effects", dist.Normal(0.0, 1.0).expand([3]))
            numpyro.sample("obs", dist.Normal(flat[0, 0], 1.0), obs=features["obs"])

        return program

    dims = {"s_effects": ["s"], "g_effects": ["g"]}
    found = labels_of(state_of(custom_effects(), grid(NAMES), NAMES, dims))
    assert found.dims == {"g_effects": ["g"]}
    assert "s_effects has 2 axes" in caplog.text
    with pytest.raises(UsageError, match="has 3 levels along 'g'"):
        labels_of(state_of(custom_effects(), grid(NAMES), {"g": ["a"]}, dims))


def test_a_custom_model_describes_its_axes():
    @model
    def described_effects():
        def program(features):
            import numpyro
            from numpyro import distributions as dist

            effects = numpyro.sample("ability", dist.Normal(0.0, 1.0).expand([2]))
            numpyro.sample("obs", dist.Normal(effects[0], 1.0), obs=features["obs"])

        return describe(program, axes=lambda f, c: {"ability": [Axis("side", ["left", "right"])]})

    found = labels_of(state_of(described_effects(), grid(NAMES), {}))
    assert found.dims == {"ability": ["side"]}
    assert found.coords == {"side": ["left", "right"]}
