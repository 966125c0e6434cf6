"""The analysis state and its models, in memory."""

import numpy as np
import pandas as pd
import pytest

from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.model import ModelConfig
from hibayes.model import model as register


@register
def plain_model():
    def program(features):
        raise AssertionError("not run")

    return program


def made(tag=None, **diagnostics):
    state = ModelAnalysisState(plain_model(), ModelConfig(tag=tag), is_fitted=True)
    state.diagnostics.update(diagnostics)
    return state


@pytest.fixture
def state():
    return AnalysisState(pd.DataFrame({"score": [0.0, 1.0]}))


def test_a_models_name_is_its_functions_and_the_tag(state):
    state.add_model(made("version_1"))
    assert state.models[0].model_name == "plain_modelversion_1"
    assert state.get_model("plain_modelversion_1") is state.models[0]
    assert state.get_model("plain_model_version_1") is state.models[0]


def test_a_model_that_is_not_there_is_said(state):
    state.add_model(made("a"))
    with pytest.raises(ValueError, match=r"Model b not found in analysis state.*plain_modela"):
        state.get_model("b")


def test_two_models_of_one_name_are_refused(state):
    state.add_model(made("a"))
    with pytest.raises(ValueError, match="another `tag`"):
        state.add_model(made("a"))


def test_a_model_takes_features_and_labels_from_the_state(state):
    state.features, state.coords, state.dims = {"obs": [1]}, {"g": ["a"]}, {"e": ["g"]}
    state.test_features = {"obs": [0]}
    state.add_model(made())
    model = state.models[0]
    assert (model.features, model.coords, model.dims) == (state.features, state.coords, state.dims)
    assert model.test_features == {"obs": [0]}


def test_the_best_model_has_the_largest_elpd(state):
    for tag, elpd in (("a", -10.0), ("b", -5.0), ("c", float("nan"))):
        state.add_model(made(tag, elpd_waic=elpd))
    state.add_model(made("d"))
    assert state.get_best_model().model_name == "plain_modelb"
    assert state.get_best_model(minimum=True).model_name == "plain_modela"


def test_no_best_model_without_the_diagnostic(state):
    state.add_model(made())
    with pytest.raises(ValueError, match="No models have diagnostic 'elpd_waic'"):
        state.get_best_model()


def test_names_that_are_taken_get_a_suffix(state):
    for value in range(3):
        state.add_table(table=pd.DataFrame({"x": [value]}), table_name="t")
    assert list(state.communicate) == ["t", "t_1", "t_2"]
    assert state.communicate_item("t_2")["x"].tolist() == [2]


def test_long_names_are_cut_with_a_warning(state, caplog):
    state.add_plot(plot=object(), plot_name="n" * 150)
    assert list(state.communicate) == ["n" * 100]
    assert "is cut to 100 characters" in caplog.text


@pytest.mark.parametrize("word", ["_trace", "_forest", "_pair", "_summary", "_table"])
def test_long_names_are_cut_before_the_word_that_says_what_they_show(state, word):
    for variables in ("a", "b"):
        name = f"model_m_{'-'.join([variables * 40] * 3)}{word}"
        state.add_plot(plot=object(), plot_name=name)
    first, second = state.communicate
    assert first.startswith("model_m_aaaa")
    assert second.startswith("model_m_bbbb")
    assert {(len(name), name.endswith(word)) for name in (first, second)} == {(100, True)}
    state.add_plot(plot=object(), plot_name=name)
    assert list(state.communicate)[2] == f"{second}_1"


def test_a_long_last_word_is_cut_like_the_rest(state):
    state.add_plot(plot=object(), plot_name="a_" + "n" * 150)
    assert list(state.communicate) == ["a_" + "n" * 98]


def test_prior_features_hide_the_observations(state):
    state.features = {"obs": 1, "n_total": 2, "obs_weight": 3}
    assert state.prior_features == {"n_total": 2, "obs": None}
    assert state.prior_test_features == {"obs": None}


def test_summaries_match_variables_not_beginnings():
    labels = ["group_effects[a]", "group_effects[b]", "group_effects_constrained[a]", "mu"]
    model = made(summary=pd.DataFrame({"mean": np.arange(4) / 3}, index=labels))
    found = model.get_summary(var_names=["group_effects"], round_to=2)
    assert found["mean"].to_dict() == {"group_effects[a]": 0.0, "group_effects[b]": 0.33}


def test_a_summary_is_computed_once(monkeypatch):
    calls = []

    def summary(data):
        calls.append(data)
        return pd.DataFrame({"r_hat": [1.0061]}, index=["mu"])

    monkeypatch.setattr("hibayes.arviz_bridge.summary", summary)
    model = made()
    model.inference_data = "draws"
    assert model.get_summary()["r_hat"].tolist() == [1.0061]
    model.get_summary(round_to=1)
    assert calls == ["draws"]


def test_logs_by_stage(state):
    state.add_log("hello", "load")
    assert state.get_stage_logs("load") == ["hello"]
    assert state.get_stage_logs("model") == []


def test_absent_things_are_none(state):
    for found in (state.feature("x"), state.test_feature("x"), state.coord("x"), state.dim("x")):
        assert found is None
