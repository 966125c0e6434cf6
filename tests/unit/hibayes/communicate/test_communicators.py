"""Plots and tables: which models, which variables, what they say."""

import logging

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("arviz")
pytest.importorskip("jax")
pytest.importorskip("matplotlib")

from made_states import GROUPS, analysis, binomial, draws_of, ordinal

from hibayes import arviz_bridge as bridge
from hibayes import check
from hibayes import communicate as talk
from suites.errors import UsageError

NAME = "simplified_group_binomial_exponential"


def labels(figure):
    return [tick.get_text() for tick in figure.axes[0].get_yticklabels()]


def two(*checks):
    """Two models of the same data, the second far from them, checked."""
    near, far = binomial("near"), binomial("far", shift=1.0)
    for worker in checks:
        for model in (near, far):
            worker(model)
    return analysis(far, near)


# which models


def test_the_best_by_waic_then_by_loo_then_all(caplog):
    for checks, said in (
        ([check.waic(), check.loo()], None),
        ([check.loo()], "elpd_loo is used instead"),
    ):
        caplog.clear()
        state = two(*checks)
        (best,) = talk.resolve_models_to_run(state)
        assert best.model_name == f"{NAME}near"
        warned = [r.message for r in caplog.records if "best_model" in r.message]
        assert bool(warned) == bool(said)
        assert not said or said in warned[0]
    caplog.clear()
    assert len(talk.resolve_models_to_run(two())) == 2
    assert "all 2 models are shown" in caplog.text


def test_the_best_is_the_best_after_waic_on_the_deviance_scale():
    (best,) = talk.resolve_models_to_run(two(check.waic(scale="deviance")))
    assert best.model_name == f"{NAME}near"


def test_the_only_model_needs_no_criterion(caplog):
    model = binomial()
    assert talk.resolve_models_to_run(analysis(model)) == [model]
    assert caplog.text == ""


def test_models_that_are_not_fitted_are_passed_over(caplog):
    model, other = binomial("a"), binomial("b")
    other.is_fitted = False
    assert talk.resolve_models_to_run(analysis(model, other), best_model=False) == [model]
    model.is_fitted = False
    assert talk.resolve_models_to_run(analysis(model, other)) == []
    assert "no fitted model" in caplog.text
    assert talk.summary_table()(analysis(model, other))[1] == "NA"


# which variables


def test_variables_are_parted_into_present_and_dropped():
    found = talk.drop_not_present_vars(["z_group", "no", "overall_mean"], binomial().inference_data)
    assert found == (["z_group", "overall_mean"], ["no"])


def test_variables_that_are_not_there_are_dropped_with_a_warning(caplog):
    state = analysis(binomial())
    worker = talk.forest_plot(vars=["grader_type_effects", "group_effects"], combined=True)
    assert worker(state)[1] == "pass"
    assert "has no grader_type_effects" in caplog.text
    assert list(state.communicate) == [f"model_{NAME}_group_effects_forest"]
    assert talk.forest_plot(vars=["nothing"])(state)[1] == "NA"


def test_each_model_is_treated_for_itself():
    # the second has variables that the first lacks, and the other way round
    first, second = ordinal("A"), binomial("B")
    state = analysis(first, second)
    assert talk.summary_table(best_model=False)(state)[1] == "pass"
    tables = list(state.communicate.values())
    assert "cutpoints[0]" in tables[0].index
    assert [row for row in tables[1].index if "group_effects" in row] == [
        f"group_effects[{group}]" for group in GROUPS
    ]


def test_a_name_is_not_taken_for_a_prefix():
    state = analysis(ordinal())
    talk.summary_table(vars=["grader_effects"])(state)
    (table,) = state.communicate.values()
    assert list(table.index) == [f"grader_effects[{g}]" for g in ("human", "small", "large")]


def test_main_effect_params_are_the_default():
    state = analysis(binomial(main_effect_params=["group_effects"]))
    for worker in (talk.forest_plot(), talk.trace_plot(), talk.pair_plot(), talk.summary_table()):
        worker(state)
    assert list(state.communicate) == [
        f"model_{NAME}_group_effects_forest",
        f"model_{NAME}_group_effects_trace",
        f"model_{NAME}_group_effects_pair",
        f"model_{NAME}_summary",
    ]


# figures and tables


def test_names_without_variables():
    state = analysis(binomial())
    talk.forest_plot()(state)
    talk.pair_plot()(state)
    talk.trace_plot()(state)
    assert list(state.communicate) == [
        f"model_{NAME}__forest",
        f"model_{NAME}__pair",
        f"model_{NAME}_overall_mean-sigma_group-group_effects-z_group_trace",
    ]


def test_the_forest_shows_medians_and_intervals_of_what_it_names():
    model = binomial()
    state = analysis(model)
    talk.forest_plot(vars=["group_effects"], combined=True, vertical_line=0)(state)
    (figure,) = state.communicate.values()
    axis = figure.axes[0]
    assert labels(figure) == [f"group_effects[{group}]" for group in GROUPS]
    assert axis.get_title().startswith(f"{NAME}: posterior")
    assert axis.get_xlabel() == "parameter value (log odds)"
    draws = np.asarray(bridge.dataset(model.inference_data, "posterior")["group_effects"])
    medians = [
        float(line.get_xdata()[0])
        for line in axis.lines
        if len(np.atleast_1d(line.get_xdata())) == 1
    ]
    assert medians == pytest.approx(np.median(draws.reshape(-1, 4), axis=0).tolist())
    table = bridge.summary(model.inference_data, "group_effects")
    spans = [line.get_xdata() for line in axis.lines if len(np.atleast_1d(line.get_xdata())) == 2]
    low, high = (float(table.iloc[0][end]) for end in ("hdi_3%", "hdi_97%"))
    assert any(span == pytest.approx([low, high], abs=0.05) for span in map(list, spans))


def test_the_link_is_applied_where_asked():
    state = analysis(binomial())
    talk.forest_plot(vars=["group_effects"], transform=True, combined=True)(state)
    (figure,) = state.communicate.values()
    values = np.concatenate([np.atleast_1d(line.get_xdata()) for line in figure.axes[0].lines])
    assert values.min() > 0
    assert values.max() < 1
    assert "a probability, from log odds" in figure.axes[0].get_xlabel()


def test_divergent_draws_are_marked_and_counted():
    model = binomial()
    n = int(np.asarray(bridge.dataset(model.inference_data, "sample_stats")["diverging"]).sum())
    state = analysis(model)
    talk.pair_plot(vars=["overall_mean", "sigma_group"])(state)
    (figure,) = state.communicate.values()
    assert f"{n} divergent draws" in figure.get_suptitle()


def test_what_does_not_vary_and_what_is_too_much_is_left_out(caplog):
    model = binomial()
    rng = np.random.default_rng(0)
    many = {"fixed": np.zeros((2, 50)), "many": draws_of(rng, np.zeros(30), 1, (2, 50))}
    model.inference_data = bridge.new_data({"posterior": many})
    state = analysis(model)
    assert talk.pair_plot()(state)[1] == "pass"
    assert "the first 10 of 30 are drawn" in caplog.text
    assert talk.trace_plot(compact=False)(state)[1] == "pass"
    assert talk.forest_plot()(state)[1] == "pass"


def test_options_are_honoured_said_or_refused(caplog):
    talk.forest_plot(ridgeplot_alpha=0.5)
    assert "'ridgeplot_alpha' is not supported" in caplog.text
    with pytest.raises(UsageError, match="did you mean 'combined'"):
        talk.forest_plot(combine=True)
    with pytest.raises(UsageError, match="unknown pair_plot: kind 'kda'"):
        talk.pair_plot(kind="kda")
    with pytest.raises(UsageError, match="by name"):
        talk.trace_plot(None, True, (10, 5), False, "extra")
    with pytest.raises(UsageError, match="two positive numbers"):
        talk.forest_plot(figsize=[10, -5])


def test_tables_are_rounded_only_where_asked():
    state = analysis(binomial())
    talk.summary_table()(state)
    talk.summary_table(round_to=None)(state)
    rounded, whole = state.communicate.values()
    assert list(rounded.columns) == [
        "mean", "sd", "hdi_3%", "hdi_97%", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"
    ]  # fmt: skip
    pd.testing.assert_frame_equal(rounded, whole.round(2))
    assert (whole["mean"] != whole["mean"].round(2)).all()


def test_figures_of_many_models_leave_nothing_open():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    for worker in (talk.forest_plot(best_model=False), talk.model_comparison_plot()):
        worker(two())
    assert plt.get_fignums() == before


# comparison


@pytest.mark.parametrize("scale", ["log", "deviance"])
@pytest.mark.parametrize("ic", ["loo", "waic"])
def test_models_are_compared_the_best_first(ic, scale):
    state = two()
    worker = talk.model_comparison_plot(ic=ic, scale=scale)
    for _ in range(2):  # the same component, twice: its options stay
        assert worker(state)[1] == "pass"
    names = ["model_comparison", "model_comparison_table"]
    assert list(state.communicate) == [*names, *(f"{name}_1" for name in names)]
    for suffix in ("", "_1"):
        figure, table = (state.communicate[f"model_comparison{t}{suffix}"] for t in ("", "_table"))
        assert list(table.index) == [f"{NAME}near", f"{NAME}far"]
        assert f"elpd_{ic}" in table
        assert labels(figure) == list(table.index)
        assert f"elpd_{ic} on the {scale} scale" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize("models", [0, 1])
def test_fewer_than_two_models_are_a_warning_not_a_crash(models, caplog):
    state = analysis(*[binomial()][:models])
    assert talk.model_comparison_plot()(state, None)[1] == "error"
    assert f"there are {models}" in caplog.text
    assert state.communicate == {}


def test_models_without_a_log_likelihood_are_left_out_and_named(caplog):
    state = two()
    state.add_model(ordinal())
    assert talk.model_comparison_plot()(state)[1] == "pass"
    assert "left out: ordered_logistic_model has no log-likelihood" in caplog.text


def test_models_of_other_data_are_not_compared():
    state = two()
    other = np.random.default_rng(0).normal(-1, 0.1, size=(2, 200, 3))
    bridge.add_group(state.models[0].inference_data, "log_likelihood", {"obs": other})
    with pytest.raises(UsageError, match="the same observations"):
        talk.model_comparison_plot()(state)


def test_options_of_the_comparison_are_checked(caplog):
    with pytest.raises(UsageError, match="ic 'lo'"):
        talk.model_comparison_plot(ic="lo")
    with pytest.raises(UsageError, match="unknown scale"):
        talk.model_comparison_plot(scale="log2")
    talk.model_comparison_plot(method="pseudo-BMA")
    assert "by stacking, not by pseudo-BMA" in caplog.text


# the section


def test_the_section():
    default = ["trace_plot", "forest_plot", "pair_plot", "model_comparison_plot", "summary_table"]
    for config in (None, {}, {"communicators": None}):
        found = talk.CommunicateConfig.from_dict(config).enabled_communicators
        assert [worker.__name__ for worker in found] == default
    assert talk.CommunicateConfig.from_dict({"communicators": []}).enabled_communicators == []
    together = [{"summary_table": None, "forest_plot": {"combined": True}}, "trace_plot"]
    found = talk.CommunicateConfig.from_dict({"communicators": together}).enabled_communicators
    assert [worker.__name__ for worker in found] == ["summary_table", "forest_plot", "trace_plot"]
    with pytest.raises(UsageError, match="did you mean 'summary_table'"):
        talk.CommunicateConfig.from_dict({"communicators": ["summary_tabel"]})
    with pytest.raises(UsageError, match="did you mean 'combined'"):
        talk.CommunicateConfig.from_dict({"communicators": [{"forest_plot": {"combine": True}}]})


def test_the_list_of_the_workflow_page():
    found = talk.CommunicateConfig.from_dict(
        {
            "communicators": [
                {
                    "forest_plot": {
                        "vars": ["grader_effects", "LLM_effects", "grader_type_effects"],
                        "combined": True,
                        "vertical_line": 0,
                    }
                },
                {
                    "forest_plot": {
                        "vars": ["grader_effects", "grader_type_0_mean"],
                        "combined": True,
                        "figsize": [10, 10],
                        "vertical_line": 0,
                    }
                },
                "summary_table",
                "model_comparison_plot",
            ]
        }
    ).enabled_communicators
    state = analysis(ordinal())
    results = [worker(state)[1] for worker in found]
    assert results == ["pass", "pass", "pass", "error"]


def test_results_of_ones_own_are_read_in_any_case(caplog):
    @talk.communicate
    def your_lovely_plot(title=False):
        def communicate(state, display):
            state.add_table(table=pd.DataFrame({"title": [title]}), table_name="lovely")
            return state, "Error"

        return communicate

    state = analysis()
    with caplog.at_level(logging.INFO):
        assert your_lovely_plot(title=True)(state)[1] == "error"
    assert state.communicate["lovely"]["title"].tolist() == [True]
