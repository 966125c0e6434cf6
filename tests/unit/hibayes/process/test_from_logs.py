"""From logs to features, as the documentation's configurations have it."""

import inspect_logs as made
import numpy as np
import pytest

from hibayes.load import DataLoaderConfig, get_sample_df
from hibayes.process import ProcessConfig, columns_of


@pytest.fixture
def judged(tmp_path):
    """Give the folder of logs in which two graders gave scores from 0 to 10."""
    for grader in ("Human", "LLM A"):
        samples = [
            made.sample(i, (3 * i) % 11, metadata={"grader": grader, "LLM": f"LLM {'AB'[i % 2]}"})
            for i in range(6)
        ]
        samples.append(made.sample(6, None, error={"message": "boom"}))
        log = made.log(samples, task=f"judge/{grader}", id=grader, metric="mean")
        made.write(tmp_path / f"{grader}.eval", log)
    return tmp_path


def run(state, loader, processors, models=None):
    found = state(get_sample_df(DataLoaderConfig.from_dict(loader)))
    config = ProcessConfig.from_dict({"processors": processors})
    config.use_columns(None if models is None else columns_of(models))
    for worker in config.enabled_processors:
        found = worker(found)
    return found


def test_the_whole_configuration_of_the_workflow_page(judged, state):
    models = [
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
        {"name": "custom_model", "config": {"tag": "how_about_this"}},
    ]
    loader = {
        "paths": {"files_to_process": [str(judged)]},
        "extractors": {"enabled": ["base_extractor"]},
    }
    processors = [
        {"drop_rows_with_missing_features": {"features": ["model", "score", "task"]}},
        "extract_observed_features",
        "extract_features",
    ]
    found = run(state, loader, processors, models)
    assert found.features["obs"].dtype == np.int32
    assert sorted(found.features["obs"].tolist()) == sorted(2 * [0, 3, 6, 9, 1, 4])
    assert found.coords["grader"] == ["Human", "LLM A"]
    assert found.coords["LLM_constrained"] == ["LLM A"]
    assert found.dims["grader_LLM_effects"] == ["grader", "LLM"]
    assert len(found.features["grader_index"]) == 12


def test_groups_of_three_levels_from_metadata_and_domains(tmp_path, state):
    for task in ("mbpp", "boolq"):
        for model in ("m/a", "m/b"):
            samples = [made.sample(i, "CI"[i % 2]) for i in range(4)]
            log = made.log(samples, task=task, model=model, id=task + model)
            made.write(tmp_path / f"{task}{model[-1]}.eval", log)
    domains = {"mapping": {"mbpp": "coding", "boolq": "reasoning"}}
    loader = {
        "paths": {"files_to_process": str(tmp_path)},
        "extractors": {"enabled": ["base", {"domains_extractor": domains}]},
    }
    names = ["group", "subgroup", "subsubgroup"]
    processors = [
        {
            "map_columns": {
                "column_mapping": {"model": "group", "domain": "subgroup", "epoch": "subsubgroup"}
            }
        },
        {"groupby": {"groupby_columns": names}},
        {"extract_features": {"categorical_features": names, "continuous_features": ["n_total"]}},
        {"extract_observed_feature": {"feature_name": "n_correct"}},
    ]
    found = run(state, loader, processors)
    assert found.features["obs"].tolist() == [2, 2, 2, 2]
    assert found.features["n_total"].tolist() == [4, 4, 4, 4]
    assert found.coords == {
        "group": ["a", "b"],
        "subgroup": ["coding", "reasoning"],
        "subsubgroup": [1],
    }


def test_samples_that_failed_stop_the_default_processors_with_the_way_out(judged, state):
    loader = {"paths": {"files_to_process": str(judged)}}
    with pytest.raises(ValueError, match=r"there is no 'score' in 2\. Drop them"):
        run(state, loader, None)
    assert len(run(state, {**loader, "errors": "drop"}, None).features["obs"]) == 12
