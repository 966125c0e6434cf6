"""Configurations of models and fits: forms, defaults, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hibayes.model import (
    INIT_FUNCTION_MAP,
    LINK_FUNCTION_MAP,
    FitConfig,
    Method,
    ModelConfig,
    ModelsToRunConfig,
)
from hibayes.model.utils import link_to_key
from hibayes.registry import registry_info, registry_params
from suites.errors import UsageError


def test_importing_and_configuring_loads_no_heavy_library():
    code = (
        "import sys, hibayes.model\n"
        "hibayes.model.ModelsToRunConfig.from_dict({'models': ['ordered_logistic_model']})\n"
        "heavy = {'jax', 'numpyro', 'arviz', 'xarray', 'matplotlib', 'inspect_ai'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_defaults_are_those_of_the_contract():
    fit = FitConfig()
    assert (fit.method, fit.samples, fit.warmup, fit.chains, fit.seed) == ("NUTS", 2000, 1000, 4, 0)
    assert (fit.target_accept, fit.max_tree_depth, fit.init_strategy) == (0.95, 10, "median")
    assert fit.progress_bar is True
    config = ModelConfig()
    assert link_to_key(config.link_function) == "logit"
    assert (config.tag, config.main_effect_params, config.extra_kwargs) == (None, None, {})


@pytest.mark.parametrize("config", [None, {}, {"models": None}])
def test_without_models_the_default_is_two_level(config):
    ((model, model_config),) = ModelsToRunConfig.from_dict(config).enabled_models
    assert model.__name__ == "two_level_group_binomial"
    assert model_config.fit == FitConfig()
    assert len(ModelsToRunConfig().enabled_models) == 1


def test_an_empty_list_fits_no_model():
    assert ModelsToRunConfig.from_dict({"models": []}).enabled_models == []


@pytest.mark.parametrize(
    "models",
    [
        ["ordered_logistic_model"],
        [{"name": "ordered_logistic_model"}],
        [{"name": "ordered_logistic_model", "config": None}],
        {"ordered_logistic_model": None},
        [{"ordered_logistic_model": {}}],
    ],
)
def test_every_form_of_an_entry_is_read(models):
    ((model, config),) = ModelsToRunConfig.from_dict({"models": models}).enabled_models
    assert registry_info(model).name == "ordered_logistic_model"
    assert config == ModelConfig()


def test_the_workflow_pages_section_is_read():
    section = {
        "models": [
            {"name": "ordered_logistic_model"},
            {
                "name": "ordered_logistic_model",
                "config": {
                    "tag": "give_this_model_a_unique_name",
                    "main_effects": ["grader", "LLM"],
                    "interactions": [["grader", "LLM"]],
                    "num_classes": 11,
                    "effect_coding_for_main_effects": True,
                    "fit": {"samples": 2000, "chains": 4},
                },
            },
        ]
    }
    _, (model, config) = ModelsToRunConfig.from_dict(section).enabled_models
    assert config.tag == "give_this_model_a_unique_name"
    assert registry_params(model)["interactions"] == [["grader", "LLM"]]
    # and it is rebuilt from its name and arguments
    from hibayes.registry import registry_get

    again = registry_get("model", model.__name__)(**registry_params(model))
    assert registry_params(again) == registry_params(model)


def test_unknown_keys_beside_name_and_config_are_refused():
    entry = {"name": "ordered_logistic_model", "config": None, "tag": "a", "fit": {"chains": 1}}
    with pytest.raises(ValueError, match=r"Unknown keys in model: 'tag'.*stand under config"):
        ModelsToRunConfig.from_dict({"models": [entry]})


def test_unknown_keys_of_section_fit_and_builder_are_refused():
    with pytest.raises(ValueError, match=r"Unknown keys in ModelsToRunConfig: 'paths' .*'path'"):
        ModelsToRunConfig.from_dict({"paths": "x"})
    with pytest.raises(TypeError, match="did you mean 'samples'"):
        ModelsToRunConfig.from_dict(
            {"models": {"two_level_group_binomial": {"fit": {"sample": 5}}}}
        )
    with pytest.raises(UsageError, match="did you mean 'main_effects'"):
        ModelsToRunConfig.from_dict({"models": {"linear_group_binomial": {"main_effect": ["a"]}}})
    with pytest.raises(UsageError, match="chains belong under fit"):
        ModelsToRunConfig.from_dict({"models": {"linear_group_binomial": {"chains": 2}}})
    with pytest.raises(KeyError, match="No registered lineer found with @model"):
        ModelsToRunConfig.from_dict({"models": ["lineer"]})


def test_two_models_of_one_name_are_refused():
    with pytest.raises(UsageError, match=r"more than once\. Give each its own tag"):
        ModelsToRunConfig.from_dict({"models": ["two_level_group_binomial"] * 2})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "SMC"}, "unknown method 'SMC'"),
        ({"init_strategy": "medain"}, "did you mean 'median'"),
        ({"samples": 0}, "samples must be a whole number"),
        ({"chains": 2.5}, "chains must be a whole number"),
        ({"target_accept": 1.0}, "target_accept must lie between"),
        ({"progress_bar": "no"}, "progress_bar must be true or false"),
        ({"method": "HMC", "max_tree_depth": 5}, "option of NUTS"),
        ({"trajectory_length": 2.0}, "option of HMC"),
        ({"method": "HMC", "trajectory_length": -1}, "must be above 0"),
        ({"log_likelihood": "row"}, "did you mean"),
    ],
)
def test_options_without_meaning_are_refused_before_anything_runs(values, message):
    section = {"models": {"two_level_group_binomial": {"fit": values}}}
    with pytest.raises(ValueError, match=message):
        ModelsToRunConfig.from_dict(section)


def test_merged_changes_a_copy():
    fit = FitConfig()
    assert fit.merged(method="HMC", trajectory_length=1.5).method is Method.HMC
    assert fit == FitConfig()
    with pytest.raises(TypeError):
        fit.merged(sampels=3)
    with pytest.raises(AttributeError):
        fit.samples = 3


def test_configuration_round_trips_as_json():
    config = ModelConfig.from_dict({"tag": 1, "link_function": "cloglog", "fit": {"seed": 3}})
    assert config.tag == "1"
    assert ModelConfig.from_dict(config.to_dict()) == config
    with pytest.raises(UsageError, match="unknown link_function 'logti'"):
        ModelConfig.from_dict({"link_function": "logti"})


@pytest.mark.parametrize(
    ("name", "at_half"),
    [
        ("identity", 0.5),
        ("logit", 0.6224593),
        ("probit", 0.6914625),
        ("cloglog", 0.8077044),
        ("sigmoid", 0.6224593),
    ],
)
def test_inverse_links(name, at_half):
    assert float(LINK_FUNCTION_MAP[name](0.5)) == pytest.approx(at_half, abs=1e-6)


def test_inverse_links_of_jax_arrays():
    jnp = pytest.importorskip("jax.numpy")
    for link in LINK_FUNCTION_MAP.values():
        assert float(link(jnp.asarray(0.5))) == pytest.approx(float(link(0.5)), abs=1e-6)


def test_init_strategies_are_numpyros():
    initialization = pytest.importorskip("numpyro.infer.initialization")
    assert set(INIT_FUNCTION_MAP) == {"median", "mean", "uniform"}
    assert INIT_FUNCTION_MAP["mean"] is initialization.init_to_mean


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("ordered_logistic_model", {"main_effects": ["x"], "continuous_effects": ["x"]}, "both"),
        ("ordered_logistic_model", {"num_classes": 1}, "num_classes must be"),
        ("ordered_logistic_model", {"prior_preset": "edge"}, "unknown preset 'edge'"),
        ("linear_group_binomial", {"interactions": [["a", "b", "c"]]}, "list of pairs"),
        ("linear_group_binomial", {"main_effects": ["a", "a"]}, "twice"),
        ("linear_group_binomial", {"sum_to_zero": "both"}, "unknown choice 'both'"),
        ("two_level_group_binomial", {"prior_sigma_group_scale": -1.0}, "must be above 0"),
        ("two_level_group_binomial", {"prior_sigma_group_scale": "wide"}, "must be above 0"),
    ],
)
def test_arguments_that_a_model_cannot_have_are_refused_when_it_is_built(name, config, message):
    with pytest.raises(ValueError, match=message):
        ModelsToRunConfig.from_dict({"models": {name: config}})


def test_one_flat_pair_is_a_pair():
    ((model, _),) = ModelsToRunConfig.from_dict(
        {"models": {"linear_group_binomial": {"interactions": ["model", "capability"]}}}
    ).enabled_models
    with pytest.raises(ValueError, match="Missing required features: n_total, model_index, num_m"):
        model({"obs": [1]})
