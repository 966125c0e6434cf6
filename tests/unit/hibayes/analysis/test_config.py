"""The whole configuration is read strictly, and values can be set from outside."""

import pytest

from hibayes.analysis_config import AnalysisConfig, override
from suites.errors import UsageError


def test_nothing_gives_the_defaults():
    config = AnalysisConfig.from_dict(None)
    assert len(config.checkers.enabled_checkers) == 9
    assert len(config.communicate.enabled_communicators) == 5
    assert len(config.data_process.enabled_processors) == 2
    assert [m.__name__ for m, _ in config.models.enabled_models] == ["two_level_group_binomial"]
    assert config.platform.chain_method == "parallel"


def test_empty_lists_switch_stages_off():
    config = AnalysisConfig.from_dict(
        {
            "data_loader": {"extractors": {"enabled": []}},
            "data_process": {"processors": []},
            "model": {"models": []},
            "check": {"checkers": []},
            "communicate": {"communicators": []},
        }
    )
    for listed in (
        config.data_loader.enabled_extractors, config.data_process.enabled_processors,
        config.models.enabled_models, config.checkers.enabled_checkers,
        config.communicate.enabled_communicators,
    ):  # fmt: skip
        assert listed == []


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"proces": {}}, "'proces' (did you mean 'data_process'?)"),
        ({"checkers": []}, "'checkers' (did you mean 'check'?)"),
        ({"check": {"checker": []}}, "check: Unknown keys in CheckerConfig: 'checker'"),
        ({"data_loader": {"cutof": 1}}, "'cutof' (did you mean 'cutoff'?)"),
        ({"data_loader": {"paths": {"files_to_proces": 1}}}, "files_to_process"),
        ({"platform": {"device": "cpu"}}, "Unknown keys in PlatformConfig: 'device'"),
        ({"platform": {"chain_method": "paralel"}}, "did you mean 'parallel'?"),
        ({"platform": {"device_type": "banana", "num_devices": 2}}, "unknown device_type 'banana'"),
        ({"model": {"models": [{"name": "linear_group_binomial", "tag": "x"}]}}, "'tag'"),
    ],
)
def test_what_nothing_reads_is_refused(sections, said):
    with pytest.raises(ValueError, match=r"^c\.yaml: ") as caught:
        AnalysisConfig.from_dict(sections, where="c.yaml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("c.yaml: ")


def test_sections_have_other_names():
    given = {"process": {"processors": []}, "load": {}, "checks": {"checkers": []}}
    config = AnalysisConfig.from_dict(given)
    assert config.data_process.enabled_processors == []
    assert config.checkers.enabled_checkers == []
    assert sorted(config.given) == ["check", "data_loader", "data_process"]


def test_a_section_under_two_names_is_refused():
    with pytest.raises(UsageError, match="keep one of them"):
        AnalysisConfig.from_dict({"process": {}, "data_process": {}})


def test_the_file_is_named_in_messages(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("check:\n  checkers: [no_such]\n")
    with pytest.raises(
        UsageError, match=rf"{file.name}: check\.checkers\[0\]: No registered no_such"
    ):
        AnalysisConfig.from_yaml(file)


def test_the_seed_of_all_models():
    given = {"model": {"models": ["two_level_group_binomial", "linear_group_binomial"]}}
    config = AnalysisConfig.from_dict(given).with_seed(7)
    assert [c.fit.seed for _, c in config.models.enabled_models] == [7, 7]


def test_bare_extract_features_is_told_the_models_effects():
    models = [{"name": "ordered_logistic_model", "config": {"main_effects": ["grader"]}}]
    config = AnalysisConfig.from_dict({"model": {"models": models}})
    columns = [p.default_columns.categorical for p in config.data_process.enabled_processors]
    assert columns == [("grader",)] * 2


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("platform.chain_method=sequential", ("platform", "chain_method"), "sequential"),
        ("checks.checkers.0=loo", ("check", "checkers", 0), "loo"),
        ("check.checkers.0=loo", ("check", "checkers", 0), "loo"),
        ("check.checkers.ess.threshold=400", ("check", "checkers", 1, "ess", "threshold"), 400),
        ("check.checkers.r_hat.threshold=1.05", ("check", "checkers", 0),
         {"r_hat": {"threshold": 1.05}}),
        ("model.models.lin.config.tag=_b", ("model", "models", 0, "config", "tag"), "_b"),
        ("model.models.0.config.fit={chains: 2}", ("model", "models", 0, "config", "fit"),
         {"chains": 2}),
        ("data_loader.paths.files_to_process=[a, b]", ("data_loader", "paths", "files_to_process"),
         ["a", "b"]),
    ],
)  # fmt: skip
def test_a_value_is_set(setting, path, value):
    given = {
        "check": {"checkers": ["r_hat", {"ess": None}]},
        "model": {"models": [{"name": "lin", "config": {"tag": "_a"}}]},
    }
    found = override(given, [setting])
    for key in path:
        found = found[key]
    assert found == value
    assert given["check"]["checkers"] == ["r_hat", {"ess": None}]


@pytest.mark.parametrize(
    "setting", ["platform", "=1", "a..b=1", "check.checkers.loo.x=1", "check.checkers.9=x",
                "check.name.x=1", "a=[1"],
)  # fmt: skip
def test_a_setting_that_leads_nowhere_is_refused(setting):
    with pytest.raises(UsageError, match="--set"):
        override({"check": {"checkers": ["r_hat"], "name": "x"}}, [setting])


def test_mappings_can_be_merged_in_as_yaml_knows_it(tmp_path):
    from hibayes.configuration import load_yaml

    path = tmp_path / "study.yaml"
    path.write_text("usual: &usual {samples: 100, chains: 2}\nfit:\n  <<: *usual\n  chains: 4\n")
    assert load_yaml(path)["fit"] == {"samples": 100, "chains": 4}
    path.write_text("usual: &usual {samples: 100}\nfit:\n  <<: *usual\n  chains: 4\n  chains: 2\n")
    with pytest.raises(UsageError, match="'chains' stands twice"):
        load_yaml(path)
