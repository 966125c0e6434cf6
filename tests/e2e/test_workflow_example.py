"""The example of HiBayES's workflow page, from logs to plots, on the demo logs of graders."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from suites.demo_data import unpack

for _needed in ("jax", "numpyro", "arviz"):
    pytest.importorskip(_needed, reason=f"needs {_needed}: pip install 'benchcast[bayes]'")
pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'benchcast[plot]'")

EXAMPLE = Path(__file__).resolve().parents[1] / "data" / "judge_example"
PLAIN = "ordered_logistic_model"
TAGGED = "ordered_logistic_modelgive_this_model_a_unique_name"
CUSTOM = "custom_modelhow_about_this"
CHECKERS = [
    "prior_predictive_plot", "r_hat", "divergences", "ess_bulk", "ess_tail", "loo", "bfmi",
    "posterior_predictive_plot", "waic",
]  # fmt: skip
GRADERS = ["birch-xl", "oak-70b", "reader"]
LLMS = ["birch-xl", "cedar-2-chat", "fir-1b", "oak-70b"]
GRADER_EFFECTS = [f"grader_effects[{name}]" for name in GRADERS]
LLM_EFFECTS = [f"LLM_effects[{name}]" for name in LLMS]
FEW = "{samples: 200, warmup: 300, chains: 2}"
FEWER_DRAWS = [
    f"--set=model.models.0={{name: {PLAIN}, config: {{fit: {FEW}}}}}",
    f"--set=model.models.1.config.fit={FEW}",
    f"--set=model.models.custom_model.config.fit={FEW}",
]


def run_example(folder: Path, *settings: str) -> SimpleNamespace:
    """Run the page's configuration by its command, where nobody can be asked."""
    from hibayes.analysis_state import AnalysisState

    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    script = Path(sys.executable).with_name("hibayes-full")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "hibayes.cli.full"]
    done = subprocess.run(
        [*command, "--config", "config.yaml", "--out", "out", "--no-tui", *settings],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "XLA_FLAGS"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    out = folder / "out"
    return SimpleNamespace(
        folder=folder,
        out=out,
        said=done.stdout + done.stderr,
        results=json.loads((out / "results.json").read_text()),
        state=AnalysisState.load(out),
    )


@pytest.fixture(scope="module", autouse=True)
def _environment():
    """What stages set for JAX does not outlast these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
        patch.setenv("JAX_PLATFORMS", "cpu")
        yield


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example with 200 draws of 2 chains for each model; the page has 2000 of 4."""
    return run_example(tmp_path_factory.mktemp("workflow") / "example", *FEWER_DRAWS)


def checks_of(example, model: str) -> dict[str, dict]:
    record = next(one for one in example.results["models"] if one["model"] == model)
    return {check["checker"]: check for check in record["checks"]}


# ------------------------------------------------------------------- the page's Python, real logs


@pytest.mark.parametrize(
    ("pack", "rows", "scored", "dtype"),
    [
        ("cdinu-civic-misinfo", 498, 498, "float32"),  # P is half a point
        ("monty-hall", 101, 101, "int32"),
        ("inspect_ai-tests", 42, 31, "int32"),  # from 2024 on; eleven have no score
    ],
)
def test_the_pages_first_two_stages_run_on_real_logs(shared_logs, pack, rows, scored, dtype):
    from hibayes.analysis import load_data, process_data
    from hibayes.load import DataLoaderConfig
    from hibayes.process import ProcessConfig
    from hibayes.ui import ModellingDisplay

    config = DataLoaderConfig.from_dict(
        {
            "extractors": {"enabled": ["base_extractor"]},
            "paths": {"files_to_process": [str(shared_logs / pack)]},
        }
    )
    display = ModellingDisplay()
    analysis_state = load_data(config, display)
    loaded = analysis_state.data.copy()

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
    assert len(analysis_state.data) == rows
    pd.testing.assert_frame_equal(analysis_state.data, loaded)  # as it was extracted
    kept = analysis_state.processed_data
    assert kept[["model", "score", "task"]].notna().all(axis=None)
    assert list(analysis_state.features) == ["obs"]  # no model names any other
    observed = np.asarray(analysis_state.features["obs"])
    assert (len(observed), str(observed.dtype)) == (scored, dtype)
    np.testing.assert_allclose(observed, kept["score"].to_numpy(dtype=float))


# ------------------------------------------------------------------------------ what is written


def test_the_example_writes_the_files_of_every_stage(example):
    written = {str(path.relative_to(example.out)) for path in example.out.rglob("*")}
    shown = sorted(name for name in written if name.startswith("communicate/"))
    # a name has at most 100 characters
    long = [name for name in shown if name.startswith(f"communicate/model_{CUSTOM}_LLM_effects")]
    assert len(long) == 1
    assert long[0].startswith(f"communicate/model_{CUSTOM}_LLM_effects-grader_type_0_mean-grader_")
    assert long[0].endswith("_forest.png")
    assert len(Path(long[0]).stem) <= 100
    assert set(shown) - set(long) == {
        f"communicate/model_{CUSTOM}_grader_effects-LLM_effects-grader_type_effects_forest.png",
        f"communicate/model_{CUSTOM}_summary.csv",
        "communicate/model_comparison.png",
        "communicate/model_comparison_table.csv",
        "communicate/your_lovely_plot.png",
    }
    for model in (PLAIN, TAGGED, CUSTOM):
        assert {
            f"models/{model}/inference_data.nc",
            f"models/{model}/model_config.json",
            f"models/{model}/diagnostics/diagnostics.json",
            f"models/{model}/diagnostics/obs_prior_predictive.png",
            f"models/{model}/diagnostics/posterior_predictive_plot.png",
            f"models/{model}/diagnostics/inference_data_summary.csv",
            f"models/{model}/diagnostics/inference_data_loo_i.csv",
            f"models/{model}/diagnostics/inference_data_waic_i.csv",
            f"models/{model}/diagnostics/inference_data_pareto_k.csv",
        } <= written
    logs = {f"logs/logs_{stage}.txt" for stage in ("load", "process", "model", "communicate")}
    tables = {"data.parquet", "processed_data.parquet", "coords.json", "dims.json"}
    assert logs | tables | {"results.json", "manifest.json", "configuration.json"} <= written
    assert [name for name in written if name.endswith(".pkl")] == []
    for picture in example.out.rglob("*.png"):
        assert picture.read_bytes()[:4] == b"\x89PNG"


def test_grader_and_llm_are_taken_from_the_samples_metadata(example):
    state = example.state
    assert {"grader", "LLM"}.isdisjoint(state.data.columns)
    assert {"metadata_grader", "metadata_LLM", "metadata_grader_type"} <= set(state.data.columns)
    assert set(state.features) == {"obs", "grader_index", "num_grader", "LLM_index", "num_LLM"}
    assert state.coords["grader"] == GRADERS
    assert state.coords["LLM"] == LLMS
    rows = state.processed_data
    np.testing.assert_array_equal(
        np.array(GRADERS)[np.asarray(state.features["grader_index"])], rows["grader"]
    )
    np.testing.assert_array_equal(
        np.array(LLMS)[np.asarray(state.features["LLM_index"])], rows["LLM"]
    )
    said = (example.out / "logs" / "logs_process.txt").read_text()
    assert "No extractor made 'grader': it is taken from the samples' metadata." in said
    assert "['model', 'score', 'task']; 0 of 360 rows dropped" in said


def test_scores_that_are_read_as_floats_are_whole_numbers_to_the_models(example):
    state = example.state
    assert state.data["score"].dtype == "float64"
    observed = np.asarray(state.features["obs"])
    assert observed.dtype == np.int32
    assert np.unique(observed).tolist() == list(range(11))


def test_entries_without_a_tag_or_settings_have_the_defaults(example):
    for model, tag in ((PLAIN, None), (CUSTOM, "how_about_this")):
        config = json.loads((example.out / "models" / model / "model_config.json").read_text())
        assert (config["tag"], config["link_function"]) == (tag, "logit")
        assert config["fit"]["target_accept"] == 0.95
    metadata = json.loads((example.out / "models" / PLAIN / "metadata.json").read_text())
    assert metadata["arguments"]["main_effects"] is None
    assert metadata["arguments"]["num_classes"] == 11


# -------------------------------------------------------------------------------------- verdicts


def test_every_check_has_its_verdict_and_what_it_was_asked(example):
    assert [one["model"] for one in example.results["models"]] == [PLAIN, TAGGED, CUSTOM]
    for model in (PLAIN, TAGGED, CUSTOM):
        checks = checks_of(example, model)
        assert list(checks) == CHECKERS
        results = {name: check["result"] for name, check in checks.items()}
        assert [results[name] for name in ("divergences", "loo", "bfmi")] == ["pass"] * 3
        assert results["waic"] == "NA"
        divergences = checks["divergences"]
        assert (divergences["threshold"], divergences["arguments"]) == (10, {"threshold": 10})
        assert divergences["value"] <= 10
        plot = checks["posterior_predictive_plot"]["arguments"]
        assert plot["plot_kwargs"] == {"num_pp_samples": 50}
        assert (plot["plot_proportion"], plot["interactive"]) == (True, False)
    assert example.results["tally"]["error"] == 0
    assert [one["result"] for one in example.results["communicate"]] == ["pass"] * 5


def test_a_question_that_nobody_can_answer_waits(example):
    questions = {f"{model}/prior_predictive_plot" for model in (PLAIN, TAGGED, CUSTOM)}
    assert {one["name"] for one in example.results["pending_approvals"]} == questions
    for name in questions:
        assert f"hibayes approve out {name}" in example.said
    for model in (PLAIN, TAGGED, CUSTOM):
        assert checks_of(example, model)["prior_predictive_plot"]["result"] == "NA"


def test_a_proportion_of_scores_that_are_no_counts_is_not_applicable(example):
    for model in (PLAIN, TAGGED, CUSTOM):
        check = checks_of(example, model)["posterior_predictive_plot"]
        assert check["result"] == "NA"
        assert "plot_proportion needs 'n_total' in features" in check["message"]
        assert f"{model}: posterior_predictive_plot: plot_proportion needs" in example.said


# ---------------------------------------------------------------------------------------- tables


def test_the_summary_has_a_row_for_every_parameter_of_the_best_model(example):
    table = pd.read_csv(example.out / "communicate" / f"model_{CUSTOM}_summary.csv", index_col=0)
    assert table.columns.tolist() == [
        "mean", "sd", "hdi_3%", "hdi_97%", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat",
    ]  # fmt: skip
    assert set(table.index) == {
        *GRADER_EFFECTS,
        *LLM_EFFECTS,
        *(f"LLM_effects_constrained[{name}]" for name in LLMS[:-1]),
        *(f"grader_raw_effects[{name}]" for name in GRADERS),
        *(f"grader_type_effects[{name}]" for name in ("human", "model")),
        *(f"cutpoints[{place}]" for place in range(10)),
        *(f"cutpoint_diffs[{place}]" for place in range(9)),
        "first_cutpoint",
        "grader_sigma",
        "grader_type_0_mean",
        "grader_type_1_mean",
        "self_preference",
    }
    assert table.notna().all(axis=None)


def test_the_built_in_models_parameters_have_the_levels_names(example):
    place = example.out / "models" / TAGGED / "diagnostics" / "inference_data_summary.csv"
    rows = pd.read_csv(place, index_col=0).index
    assert {f"grader_LLM_effects[{g}, {m}]" for g in GRADERS for m in LLMS} <= set(rows)
    assert {f"cutpoints[{k}|{k + 1}]" for k in range(10)} <= set(rows)


def test_models_are_compared_from_the_best_to_the_worst(example):
    table = pd.read_csv(example.out / "communicate" / "model_comparison_table.csv", index_col=0)
    assert table.index.tolist() == [CUSTOM, TAGGED, PLAIN]
    assert table["rank"].tolist() == [0, 1, 2]
    assert table["elpd_loo"].is_monotonic_decreasing
    for model in (PLAIN, TAGGED, CUSTOM):
        elpd = example.state.get_model(model).diagnostic("elpd_loo")
        assert table.loc[model, "elpd_loo"] == pytest.approx(elpd)
    assert example.state.get_best_model().model_name == CUSTOM


def expected_effects() -> dict[str, float]:
    """Give the truth as effects that sum to zero, which is how the model with a tag puts them."""
    truth = json.loads((unpack("judge-standin") / "judge-standin" / "truth.json").read_text())
    eta = pd.DataFrame(
        {
            llm: {
                grader: truth["grader"][grader]
                + truth["LLM"][llm]
                + truth["self_preference"] * (grader == llm)
                for grader in GRADERS
            }
            for llm in LLMS
        }
    )
    eta -= eta.to_numpy().mean()
    graders, llms = eta.mean(axis=1), eta.mean(axis=0)
    both = eta.sub(graders, axis=0).sub(llms, axis=1)
    return {
        **{f"grader_effects[{g}]": graders[g] for g in GRADERS},
        **{f"LLM_effects[{m}]": llms[m] for m in LLMS},
        **{f"grader_LLM_effects[{g}, {m}]": both.loc[g, m] for g in GRADERS for m in LLMS},
    }


def check_effects(example) -> None:
    """See that the truth is where the posterior is."""
    summary = example.state.get_model(TAGGED).get_summary()
    truth = pd.Series(expected_effects())
    off = (summary.loc[truth.index, "mean"] - truth) / summary.loc[truth.index, "sd"]
    assert off.abs().max() < 2.5
    assert math.sqrt((off**2).mean()) < 1.2
    custom = example.state.get_model(CUSTOM).get_summary()
    assert custom.loc["grader_type_effects[human]", "hdi_97%"] < 0  # the harsher kind
    assert custom.loc["self_preference", "hdi_3%"] > 0


def test_the_effects_that_the_scores_were_drawn_from_are_recovered(example):
    check_effects(example)


# --------------------------------------------------------------------------------------- figures


@pytest.fixture(scope="module")
def figures(example):
    """The figures again, from what the command saved: what is in them can be asked for."""
    from hibayes.analysis import AnalysisConfig, communicate
    from hibayes.check import posterior_predictive_plot, prior_predictive_plot
    from hibayes.ui import ModellingDisplay

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(example.folder)
        config = AnalysisConfig.from_yaml("config.yaml")
        state = communicate(example.state, config.communicate, ModellingDisplay())
        found = dict(state.communicate)
        for name in (PLAIN, CUSTOM):
            model = state.get_model(name)
            asked = {"interactive": False, "plot_kwargs": {"num_pp_samples": 50}}
            prior_predictive_plot(interactive=False)(model)
            posterior_predictive_plot(plot_proportion=True, **asked)(model)
            for kind in ("obs_prior_predictive", "posterior_predictive_plot"):
                found[f"{name}/{kind}"] = model.diagnostic(kind)
    return found


def words(figure) -> SimpleNamespace:
    """Give the texts of a figure of one axis."""
    (axis,) = figure.axes
    legend = axis.get_legend() or next(iter(figure.legends), None)
    return SimpleNamespace(
        axis=axis,
        title=axis.get_title(),
        x=axis.get_xlabel(),
        y=axis.get_ylabel(),
        rows=[tick.get_text() for tick in axis.get_yticklabels()],
        legend=[text.get_text() for text in legend.get_texts()] if legend else [],
    )


def test_the_first_forest_plot_shows_the_effects_by_name(figures, example):
    name = f"model_{CUSTOM}_grader_effects-LLM_effects-grader_type_effects_forest"
    shown = words(figures[name])
    types = ["grader_type_effects[human]", "grader_type_effects[model]"]
    assert shown.rows == [*GRADER_EFFECTS, *LLM_EFFECTS, *types]
    assert shown.title.startswith(f"{CUSTOM}: posterior")
    assert (shown.x, shown.y) == ("parameter value (log odds)", "parameter")
    assert shown.axis.lines[0].get_xdata() == [0.0, 0.0]  # vertical_line
    medians = [line for line in shown.axis.lines if line.get_marker() == "o"]
    assert len(medians) == len(shown.rows)  # combined: not one for each chain
    draws = example.state.get_model(CUSTOM).inference_data["posterior"]["LLM_effects"]
    for place, llm in enumerate(LLMS, start=len(GRADERS)):
        expected = float(np.median(draws.sel(LLM=llm)))
        assert medians[place].get_xdata()[0] == pytest.approx(expected)
        assert medians[place].get_ydata()[0] == place


def test_the_second_forest_plot_shows_what_only_the_custom_model_has(figures):
    (name,) = [name for name in figures if name.startswith(f"model_{CUSTOM}_LLM_effects-grader_")]
    shown = words(figures[name])
    raw = [f"grader_raw_effects[{grader}]" for grader in GRADERS]
    assert shown.rows == [*LLM_EFFECTS, "grader_type_0_mean", "grader_type_1_mean", *raw]
    assert shown.x == "parameter value (log odds; of *_raw_effects: standard deviations)"
    assert tuple(figures[name].get_size_inches()) == (10, 10)


def test_the_comparison_shows_the_best_model_on_top(figures):
    shown = words(figures["model_comparison"])
    assert shown.rows == [CUSTOM, TAGGED, PLAIN]
    assert shown.axis.yaxis_inverted()
    assert shown.x == "elpd_loo on the log scale (nats; larger is better)"
    assert shown.title == "Comparison of models by PSIS leave-one-out"
    assert len(shown.legend) == 2


def test_a_plot_of_ones_own_has_the_title_that_was_asked_for(figures):
    shown = words(figures["your_lovely_plot"])
    assert shown.title == "Mean scores by grader and LLM"
    assert shown.legend == GRADERS
    assert [tick.get_text() for tick in shown.axis.get_xticklabels()] == LLMS


@pytest.mark.parametrize("model", [PLAIN, CUSTOM])
@pytest.mark.parametrize(
    ("kind", "title", "drawn"),
    [
        ("obs_prior_predictive", "prior predictions", "50 of 1000 prior draws"),
        (
            "posterior_predictive_plot",
            "posterior predictions and what was observed",
            "50 of 400 posterior draws",
        ),
    ],
)
def test_predictions_are_shown_draw_by_draw_over_all_scores(figures, model, kind, title, drawn):
    shown = words(figures[f"{model}/{kind}"])
    assert shown.title == f"{model}: {title}"
    assert (shown.x, shown.y) == ("outcome per row (obs)", "share of values")
    assert shown.legend[0] == drawn
    assert shown.legend[1].startswith("all ")
    assert ("observed" in shown.legend) == (kind == "posterior_predictive_plot")
    assert shown.axis.get_xticks().tolist() == list(range(11))
    lines = [line for line in shown.axis.lines if line.get_linewidth() < 1]
    assert len(lines) == 50
    for line in lines:
        levels = line.get_ydata()[::3]  # a level has two ends, and a gap follows
        assert levels.sum() == pytest.approx(1)


# --------------------------------------------------------------------------- with the page's draws


@pytest.mark.slow
def test_the_example_runs_with_the_pages_own_draws(tmp_path):
    full = run_example(tmp_path / "example")
    for model in (PLAIN, TAGGED, CUSTOM):
        sizes = full.state.get_model(model).inference_data["posterior"].sizes
        assert (sizes["chain"], sizes["draw"]) == (4, 2000)
        checks = checks_of(full, model)
        for name in ("r_hat", "divergences", "ess_bulk", "ess_tail", "loo", "bfmi"):
            assert checks[name]["result"] == "pass", checks[name]["message"]
    table = pd.read_csv(full.out / "communicate" / "model_comparison_table.csv", index_col=0)
    assert table.index.tolist() == [CUSTOM, TAGGED, PLAIN]
    check_effects(full)
