"""The stages with a real sampler: what is loaded is as good as what was fitted."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hibayes.analysis import (
    AnalysisConfig,
    AnalysisState,
    communicate,
    load_data,
    model,
    model_checks,
    process_data,
)
from hibayes.check import CheckerConfig

for needed in ("jax", "numpyro", "arviz"):
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"needs {needed}: pip install 'benchcast[bayes]'", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def analysis(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"group": list("abc") * 8, "n_correct": rng.binomial(20, 0.6, 24), "n_total": 20}
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    return AnalysisConfig.from_dict(
        {
            "data_loader": {"paths": {"extracted_data": str(tmp_path / "t.csv")}},
            "data_process": {
                "processors": {
                    "extract_observed_feature": {"feature_name": "n_correct"},
                    "extract_features": {
                        "categorical_features": ["group"], "continuous_features": ["n_total"],
                    },
                }
            },
            "model": {
                "models": {
                    "simplified_group_binomial_exponential": {
                        "fit": {"samples": 200, "warmup": 200, "chains": 2}
                    }
                }
            },
            "check": {"checkers": ["r_hat", "waic"]},
            "communicate": {"communicators": ["summary_table"]},
        }
    )  # fmt: skip


def test_a_fitted_state_comes_back_and_goes_on(analysis, display, tmp_path):
    from hibayes import arviz_bridge

    state = load_data(analysis.data_loader, display)
    state = process_data(analysis.data_process, display, state)
    model(
        state, analysis.models, analysis.checkers, analysis.platform, display, tmp_path / "o", True
    )
    communicate(state, analysis.communicate, display, tmp_path / "o", True)
    assert not any(name.endswith(".pkl") for name in os.listdir(tmp_path / "o"))
    back = AnalysisState.load(tmp_path / "o")
    for one in (state, back):
        assert one.get_best_model().model_name == "simplified_group_binomial_exponential"
    kept = [one.models[0].inference_data for one in (state, back)]
    for group in arviz_bridge.groups(kept[0]):
        sets = [arviz_bridge.dataset(data, group) for data in kept]
        assert sets[0].sizes == sets[1].sizes
        for name in sets[0].data_vars:
            np.testing.assert_array_equal(sets[0][name], sets[1][name])
    assert list(kept[1]["posterior"]["group_effects"].coords["group"].values) == ["a", "b", "c"]
    for name, value in state.models[0].diagnostics.items():
        found = back.models[0].diagnostics[name]
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(found, value)
        elif isinstance(value, np.ndarray | pd.Series):
            np.testing.assert_array_equal(found, value)
        else:
            assert found == value
    # checks that need what earlier ones computed run on a loaded state
    more = CheckerConfig.from_dict({"checkers": ["loo", "waic", "bfmi", "r_hat"]})
    model_checks(back.models[0], more, display)
    assert "error" not in [record["result"] for record in back.models[0].checks]
    assert [r["checker"] for r in back.models[0].checks] == ["loo", "waic", "bfmi", "r_hat"]
    table = back.communicate["model_simplified_group_binomial_exponential_summary"]
    assert "group_effects[a]" in table.index
    assert "Unnamed: 0" not in table.columns


PAGE = """
data_loader:
  paths:
    files_to_process:
      - logs
  extractors:
    enabled:
      - base_extractor
data_process:
  processors:
    - drop_rows_with_missing_features: {features: [model, score, task]}
    - extract_observed_features
    - extract_features
model:
  path: path_to_custom_model.py
  models:
    - name: ordered_logistic_model
    - name: ordered_logistic_model
      config:
        tag: give_this_model_a_unique_name
        main_effects: ["grader", "LLM"]
        interactions: [["grader", "LLM"]]
        num_classes: 11
        effect_coding_for_main_effects: true
        fit:
          samples: 2000
          chains: 4
    - name: custom_model
      config:
        tag: how_about_this
check:
  checkers:
    - prior_predictive_plot
    - r_hat
    - divergences: {threshold: 10}
    - ess_bulk
    - ess_tail
    - loo
    - bfmi
    - posterior_predictive_plot: {plot_proportion: true, interactive: false, \
plot_kwargs: {num_pp_samples: 50}}
    - waic
communicate:
  path: path_to_your_custom_communicators.py
  communicators:
    - forest_plot: {vars: ["grader_effects", "LLM_effects", "grader_type_effects"], \
combined: true, vertical_line: 0}
    - forest_plot: {vars: ["LLM_effects", "grader_type_0_mean", "grader_raw_effects"], \
combined: true, figsize: [10,10], vertical_line: 0}
    - summary_table
    - model_comparison_plot
    - your_lovely_plot: {title: true}
"""

CUSTOM_MODEL = """
from hibayes.model import model

@model
def custom_model():
    def program(features):
        import numpyro
        import numpyro.distributions as dist
        mean = numpyro.sample("mean", dist.Normal(5.0, 5.0))
        spread = numpyro.sample("spread", dist.HalfNormal(3.0))
        numpyro.sample("obs", dist.Normal(mean, spread), obs=features["obs"])
    return program
"""

CUSTOM_COMMUNICATOR = """
from hibayes.communicate import communicate

@communicate
def your_lovely_plot(title=False):
    def work(state, display=None):
        import matplotlib.pyplot as plt
        figure, axes = plt.subplots()
        axes.hist(state.data["score"])
        axes.set_title("Scores" if title else "")
        state.add_plot(plot=figure, plot_name="lovely")
        return state, "pass"
    return work
"""


@pytest.fixture
def page(tmp_path):
    """The workflow page's configuration, with logs of three graders and four models."""
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'benchcast[plot]'")
    shared = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared")
    tool = shared / "tools" / "make_inspect_logs.py"
    if not tool.is_file():
        pytest.skip(f"the maker of logs is not here: no {tool} (set BENCHCAST_SHARED)")
    asked = ["--kind", "judge", "--out", str(tmp_path / "logs"), "--seed", "0", "--items", "6"]
    subprocess.run([sys.executable, str(tool), *asked], check=True, capture_output=True)
    (tmp_path / "config.yaml").write_text(PAGE)
    (tmp_path / "path_to_custom_model.py").write_text(CUSTOM_MODEL)
    (tmp_path / "path_to_your_custom_communicators.py").write_text(CUSTOM_COMMUNICATOR)
    return tmp_path


@pytest.mark.slow
def test_the_workflow_pages_configuration_runs(page, monkeypatch):
    from hibayes.cli.full import main

    monkeypatch.chdir(page)
    few = [
        f"--set=model.models.{place}.config.fit={{samples: 200, warmup: 200, chains: 2}}"
        for place in (1, "custom_model")
    ]
    few.append("--set=model.models.0={name: ordered_logistic_model, config: {fit: "
               "{samples: 200, warmup: 200, chains: 2}}}")  # fmt: skip
    assert main(["--config", "config.yaml", "--out", "out", *few]) == 0
    state = AnalysisState.load("out")
    assert [m.model_name for m in state.models] == [
        "ordered_logistic_model", "ordered_logistic_modelgive_this_model_a_unique_name",
        "custom_modelhow_about_this",
    ]  # fmt: skip
    for one in state.models:
        assert len(one.checks) == 9
        assert "error" not in [record["result"] for record in one.checks]
        # nobody can be asked here; NA, with a reason, since the model is no model of counts
        results = {record["checker"]: record["result"] for record in one.checks}
        assert results["prior_predictive_plot"] == results["posterior_predictive_plot"] == "NA"
    assert state.models[1].coords["grader"] == ["Human", "LLM A", "LLM B"]
    shown = sorted(path.name for path in (page / "out" / "communicate").iterdir())
    assert {"lovely.png", "model_comparison.png"} <= set(shown)
    assert f"model_{state.get_best_model().model_name}_summary.csv" in shown
    # which model is best decides whether it has the effects that the forest plots want
    assert [r["result"] for r in state.communications[2:]] == ["pass"] * 3


def test_the_workflow_pages_first_stages_run(page, monkeypatch, display):
    from hibayes.load import DataLoaderConfig
    from hibayes.process import ProcessConfig

    monkeypatch.chdir(page)
    config = DataLoaderConfig.from_dict(
        {"extractors": {"enabled": ["base_extractor"]}, "paths": {"files_to_process": ["logs"]}}
    )
    analysis_state = load_data(config, display)
    config = ProcessConfig().from_dict(
        {
            "processors": [
                {"drop_rows_with_missing_features": {"features": ["model", "score", "task"]}},
                "extract_observed_feature",
                "extract_features",
            ]
        }
    )
    analysis_state = process_data(config, display, analysis_state)
    assert len(analysis_state.features["obs"]) == len(analysis_state.processed_data) > 0
