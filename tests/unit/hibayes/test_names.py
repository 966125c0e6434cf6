"""The names, arguments and commands that users' configurations and components rest on."""

import importlib
import inspect
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

NAMES = {
    "hibayes.analysis": (
        "AnalysisConfig load_data process_data model model_checks communicate "
        "AnalysisState ModelAnalysisState DataLoaderConfig ProcessConfig "
        "ModelsToRunConfig CheckerConfig CommunicateConfig PlatformConfig "
        "ModellingDisplay Display fit get_sample_df registry_info _load_extracted_data"
    ),
    "hibayes.analysis_state": "AnalysisState ModelAnalysisState",
    "hibayes.load": (
        "DataLoaderConfig Extractor ExtractorConfig extractor get_sample_df "
        "base_extractor cyber_extractor message_count_extractor metadata_field_extractor "
        "score_normalizer token_extractor tools_extractor"
    ),
    "hibayes.load.load": (
        "get_sample_df get_file_list is_after_timestamp _apply_cutoff _apply_extractors"
    ),
    "hibayes.load.configs.config": "DataLoaderConfig",
    "hibayes.load.extractors": "base_extractor cyber_extractor",
    "hibayes.load.utils": "check_mixed_types",
    "hibayes.process": (
        "process DataProcessor ProcessConfig Features Coords Dims "
        "extract_observed_feature extract_features extract_features_deprecated "
        "extract_predictors_deprecated drop_rows_with_missing_features map_columns "
        "groupby merge_scout_results"
    ),
    "hibayes.process.utils": "infer_jax_dtype get_category_order",
    "hibayes.model": (
        "model Model fit ModelConfig ModelsToRunConfig two_level_group_binomial check_features"
    ),
    "hibayes.model.model_config": (
        "FitConfig LINK_FUNCTION_MAP INIT_FUNCTION_MAP Method ModelConfig"
    ),
    "hibayes.model.models": (
        "two_level_group_binomial simplified_group_binomial_exponential "
        "three_level_group_binomial three_level_group_binomial_exponential "
        "linear_group_binomial ordered_logistic_model check_features"
    ),
    "hibayes.model.utils": (
        "create_interaction_effects logit_to_prob probit_to_prob cloglog_to_prob "
        "link_to_key infer_jax_dtype"
    ),
    "hibayes.check": (
        "checker Checker CheckerResult CheckerConfig prior_predictive_check "
        "prior_predictive_plot posterior_predictive_plot r_hat ess_bulk ess_tail "
        "divergences loo waic bfmi"
    ),
    "hibayes.communicate": (
        "communicate Communicator CommunicateResult CommunicateConfig forest_plot "
        "trace_plot pair_plot model_comparison_plot summary_table "
        "binomial_estimands_table group_binomial_estimands"
    ),
    "hibayes.communicate.utils": "drop_not_present_vars resolve_models_to_run",
    "hibayes.platform": "PlatformConfig configure_computation_platform",
    "hibayes.platform.setup": "get_device_memory_info",
    "hibayes.registry": (
        "RegistryInfo registry_add registry_get registry_key registry_tag registry_info "
        "_import_path"
    ),
    "hibayes.ui": "Display ModellingDisplay patch_fori_collect_with_rich_display",
    "hibayes.ui.textual.app": "run_with_tui HiBayesApp",
    "hibayes.ui.textual.display": "TextualDisplay",
    "hibayes.cli": "setup_platform",
    "hibayes.cli.load": "main run_load",
    "hibayes.cli.process": "main run_process",
    "hibayes.cli.model": "main run_model",
    "hibayes.cli.communicate": "main run_communicate",
    "hibayes.cli.full": "main run_full",
    "hibayes.utils": "init_logger",
}

STAGES = {
    "load_data": "config display",
    "process_data": "config display data analysis_state",
    "model": (
        "analysis_state models_to_run_config checker_config platform_config display out "
        "frequent_save"
    ),
    "model_checks": "model_analysis_state checker_config display",
    "communicate": "analysis_state communicate_config display out frequent_save",
    "fit": "model_analysis_state display",
    "get_sample_df": "config display",
}


@pytest.mark.parametrize("module", NAMES)
def test_names_are_where_users_import_them_from(module):
    found = dir(importlib.import_module(module))
    lazy = {"INIT_FUNCTION_MAP"}  # made with NumPyro when it is asked for
    assert set(NAMES[module].split()) - lazy <= set(found)


@pytest.mark.parametrize("stage", STAGES)
def test_stages_take_their_arguments_in_order(stage):
    function = getattr(importlib.import_module("hibayes.analysis"), stage)
    assert list(inspect.signature(function).parameters) == STAGES[stage].split()


@pytest.mark.parametrize(
    "command",
    [
        *("hibayes", "hibayes-load", "hibayes-process", "hibayes-model", "hibayes-comm"),
        *("hibayes-communicate", "hibayes-full"),
    ],
)
def test_commands_have_every_spelling_in_use(command):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"][command].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
