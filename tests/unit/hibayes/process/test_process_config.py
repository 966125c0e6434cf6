"""The section data_process, the decorator, and the columns that models name."""

import pytest

from hibayes.process import Columns, ProcessConfig, columns_of, process
from hibayes.registry import registry_info, registry_names, registry_params
from suites.errors import UsageError


def names(config):
    return [registry_info(worker).name for worker in config.enabled_processors]


def test_defaults_and_none():
    default = ["extract_observed_feature", "extract_features"]
    assert names(ProcessConfig()) == names(ProcessConfig.from_dict(None)) == default
    assert [worker.__name__ for worker in ProcessConfig().enabled_processors] == default
    assert names(ProcessConfig.from_dict({"processors": None})) == default
    assert names(ProcessConfig.from_dict({"processors": []})) == []
    assert names(ProcessConfig(enabled_processors=[])) == []
    assert ProcessConfig().path == []


def test_the_seeds_configurations_are_taken_as_they_stand():
    listed = [
        {"drop_rows_with_missing_features": {"features": ["model", "score", "task"]}},
        "extract_observed_features",
        "extract_features",
    ]
    config = ProcessConfig().from_dict({"processors": listed})
    assert names(config)[1:] == ["extract_observed_feature", "extract_features"]
    assert registry_params(config.enabled_processors[0])["features"] == ["model", "score", "task"]
    as_mapping = {"map_columns": {"column_mapping": {"a": "b"}}, "extract_features": None}
    assert names(ProcessConfig.from_dict({"processors": as_mapping})) == list(as_mapping)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"processor": []}, "Unknown keys in ProcessConfig: 'processor' (did you mean 'proc"),
        ({"processors": ["no_such"]}, "No registered no_such found with @processor"),
        ({"processors": [{"groupby": {"columns": []}, "map_columns": 3}]}, "must be a mapping"),
        ({"processors": [{"extract_features": {"categorical": []}}]}, "did you mean 'categorical_"),
        ({"processors": [3]}, "expected a name"),
    ],
)
def test_a_slip_is_said_and_not_ignored(section, message):
    with pytest.raises(UsageError) as caught:
        ProcessConfig.from_dict(section, where="c.yaml: data_process")
    assert message in str(caught.value)
    assert str(caught.value).startswith("c.yaml: data_process")


def test_an_argument_that_cannot_be_is_refused_when_the_section_is_read():
    with pytest.raises(UsageError, match="expected pairs"):
        ProcessConfig.from_dict({"processors": [{"extract_features": {"interactions": [1]}}]})


def test_own_processors_are_imported(tmp_path, state):
    (tmp_path / "own.py").write_text(
        "from hibayes.process import DataProcessor, process\n"
        "@process\ndef halve(column='score') -> DataProcessor:\n"
        "    def processor(state, display=None):\n"
        "        state.processed_data[column] /= 2\n        return state\n"
        "    return processor\n"
    )
    (tmp_path / "c.yaml").write_text(
        f"path: [{tmp_path / 'own.py'}]\nprocessors: [{{halve: {{column: score}}}}]\n"
    )
    config = ProcessConfig.from_yaml(tmp_path / "c.yaml")
    assert config.path == [str(tmp_path / "own.py")]
    found = config.enabled_processors[0](state({"score": [1.0]}))
    assert found.processed_data["score"].tolist() == [0.5]
    assert found.data["score"].tolist() == [1.0]


def test_builders_take_arguments_by_place_and_any_name(state):
    from hibayes.process import extract_observed_feature

    assert "obs" in extract_observed_feature("own")(state({"own": [1, 0]})).features

    @process
    def typed(type):
        return lambda state, display=None: state

    assert registry_params(typed("x")) == {"type": "x"}


def test_what_a_processor_is_given_and_must_give(state):
    @process
    def gives_nothing():
        def processor(state, display=None):
            return None

        return processor

    with pytest.raises(UsageError, match="must return the state"):
        gives_nothing()(state({"score": [1]}))
    with pytest.raises(ValueError, match="Processed data is empty"):
        gives_nothing()(state({"score": []}))
    kept = state({"score": [1]})
    kept.processed_data = kept.data.assign(score=2)
    from hibayes.process import extract_observed_feature

    assert extract_observed_feature()(kept).features["obs"].tolist() == [2]


def test_the_built_in_processors_are_registered():
    assert {
        *("extract_observed_feature", "extract_features", "map_columns", "groupby"),
        *("drop_rows_with_missing_features", "merge_scout_results", "add_categorical_column"),
        *("extract_features_deprecated", "extract_predictors_deprecated"),
    } <= set(registry_names("processor"))


# ---------- the columns that models name


def test_columns_of_models_in_every_form():
    entry = {
        "name": "ordered_logistic_model",
        "config": {
            "tag": "t",
            "main_effects": ["grader", "LLM"],
            "continuous_effects": ["length"],
            "interactions": [["grader", "LLM"], ["grader", "length"]],
        },
    }
    expected = Columns(
        ("grader", "LLM"),
        ("length",),
        (("grader", "LLM"), ("grader", "length")),
        True,
        ("n_total",),
    )
    assert columns_of([entry, "ordered_logistic_model"]) == expected
    assert columns_of({"models": [entry], "path": "x.py"}) == expected
    assert columns_of({"ordered_logistic_model": entry["config"]}) == expected


def test_columns_of_models_of_groups():
    three = columns_of([{"name": "three_level_group_binomial"}])
    assert three.categorical == ("group", "subgroup", "subsubgroup")
    flat = {"main_effects": ["model"], "interactions": ["model", "capability"]}
    linear = columns_of(
        {"linear_group_binomial": {**flat, "effect_coding_for_main_effects": False}}
    )
    assert linear.categorical == ("model", "capability")
    assert linear.interactions == (("model", "capability"),)
    assert not linear.effect_coding
    assert columns_of(None) == columns_of([]) == Columns(optional=("n_total",))


def test_a_configuration_hands_them_to_its_processors(state):
    config = ProcessConfig.from_dict({"processors": ["extract_features"]})
    config.use_columns(columns_of([{"name": "m", "config": {"main_effects": ["grader"]}}]))
    found = config.enabled_processors[0](state({"metadata_grader": ["a", "b"]}))
    assert found.coords == {"grader": ["a", "b"], "grader_constrained": ["a"]}
