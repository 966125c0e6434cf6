"""Prior and posterior predictive checks: what is drawn, who is asked."""

import io
import sys

import numpy as np
import pytest

pytest.importorskip("arviz")
pytest.importorskip("jax")
pytest.importorskip("matplotlib")

from made_states import GROUPS, SUCCESSES, Asker, binomial, ordinal

from hibayes import arviz_bridge as bridge
from hibayes import check
from suites.errors import UsageError

PRIOR = {"interactive": False}


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].lines}


@pytest.fixture
def quick(monkeypatch):
    """Predictions without a model: compiling one takes seconds."""

    def predict(state, options, *, seed):
        rng = np.random.default_rng(seed)
        found = options.get("posterior_samples")
        n = len(next(iter(found.values()))) if found else options["num_samples"]
        rows, top = np.size(state.features["obs"]), int(np.max(state.features["obs"]))
        return {
            "obs": rng.integers(0, top + 1, size=(n, rows)),
            "group_effects": rng.normal(size=(n, 4)),
        }

    monkeypatch.setattr("hibayes.check.simulation._predict", predict)


# draws


def test_the_prior_predictive_group_has_all_sites_with_their_labels():
    model = binomial()
    assert check.prior_predictive_check(num_samples=7)(model)[1] == "NA"
    group = bridge.dataset(model.inference_data, "prior_predictive")
    assert {"obs", "group_effects", "overall_mean", "sigma_group", "z_group"} <= set(group)
    assert group["obs"].shape == (1, 7, 4)
    assert group["group_effects"].coords["group"].values.tolist() == GROUPS
    # predictions, not the observations again
    assert len(np.unique(np.asarray(group["obs"])[0], axis=0)) > 1


def test_the_prior_draws_follow_the_seed():
    found = []
    for seed in (1, 1, 2):
        model = ordinal(fit={"seed": seed})
        check.prior_predictive_check(num_samples=5)(model)
        found.append(np.asarray(bridge.dataset(model.inference_data, "prior_predictive")["obs"]))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize(("asked", "given"), [(50, 50), (100, 100), (10_000, 400)])
def test_as_many_posterior_draws_predict_as_are_asked_for(asked, given, quick):
    model = binomial()  # 2 × 200 draws
    check.posterior_predictive_plot(num_samples=asked, interactive=False)(model)
    group = bridge.dataset(model.inference_data, "posterior_predictive")
    assert group["obs"].shape == (1, given, 4)


def test_posterior_predictions_are_those_of_the_draws():
    model = binomial()
    check.posterior_predictive_plot(interactive=False)(model)
    values = np.asarray(bridge.dataset(model.inference_data, "posterior_predictive")["obs"])[0]
    # the posterior sits on the observed counts
    np.testing.assert_allclose(values.mean(axis=0), SUCCESSES, atol=2.0)


def test_effects_can_be_taken_out():
    from hibayes.check.simulation import posterior_predictions

    model = ordinal()
    graders = np.asarray(model.features["grader_index"])
    for without, least, most in (((), 0.5, 3.0), (("grader_effects",), -0.3, 0.3)):
        drawn = posterior_predictions(model, 300, without=without)["obs"].mean(axis=0)
        gap = drawn[graders == 2].mean() - drawn[graders == 0].mean()
        assert least < gap < most


def test_a_model_without_effects_predicts_an_outcome_for_every_row():
    from hibayes.check.simulation import posterior_predictions
    from hibayes.model import ordered_logistic_model

    model = ordinal()
    model.model = ordered_logistic_model(num_classes=5)
    check.prior_predictive_check(num_samples=6)(model)
    prior = np.asarray(bridge.dataset(model.inference_data, "prior_predictive")["obs"])
    assert prior.shape == (1, 6, 180)
    assert len(np.unique(prior[0, 0])) > 1
    assert posterior_predictions(model, 9)["obs"].shape == (9, 180)


def test_options_of_numpyro_are_honoured_and_unknown_ones_named():
    model = binomial()
    check.prior_predictive_check(predictive_kwargs={"num_samples": 3, "parallel": True})(model)
    assert bridge.dataset(model.inference_data, "prior_predictive")["obs"].shape == (1, 3, 4)
    with pytest.raises(UsageError, match="predictive_kwargs"):
        check.prior_predictive_check(predictive_kwargs={"paralel": True})(binomial())


# figures


def test_the_posterior_figure_is_labelled(quick):
    model = binomial()
    worker = check.posterior_predictive_plot(
        plot_proportion=True, interactive=False, plot_kwargs={"num_pp_samples": 20}
    )
    assert worker(model)[1] == "NA"
    figure = model.diagnostics["posterior_predictive_plot"]
    axis = figure.axes[0]
    assert axis.get_title() == f"{model.model_name}: posterior predictions and what was observed"
    assert axis.get_xlabel() == "successes per row, as a share of n_total"
    assert axis.get_ylabel() == "density"
    assert {"observed", "20 of 400 posterior draws"} <= set(lines(figure))
    x = lines(figure)["observed"].get_xdata()
    assert x.min() >= 0
    assert x.max() <= 1


def test_the_prior_figures_are_one_per_variable_and_say_what_they_show(quick):
    model = binomial(main_effect_params=["group_effects"])
    assert check.prior_predictive_plot(**PRIOR)(model)[1] == "pass"
    found = {k: v for k, v in model.diagnostics.items() if k.endswith("_prior_predictive")}
    assert list(found) == ["obs_prior_predictive", "group_effects_prior_predictive"]
    titles = [figure.axes[0].get_title() for figure in found.values()]
    name = model.model_name
    assert titles == [f"{name}: prior predictions", f"{name}: prior distribution of group_effects"]
    assert "observed" not in lines(found["obs_prior_predictive"])


def test_proportions_of_the_prior(quick):
    model = binomial()
    check.prior_predictive_plot(plot_proportion=True, **PRIOR)(model)
    assert "prop_pred_prior_predictive" in model.diagnostics
    assert "obs_prior_predictive" not in model.diagnostics


@pytest.mark.parametrize("kind", ["kde", "hist", "cumulative", "scatter"])
@pytest.mark.parametrize("made", [binomial, ordinal])
def test_every_kind_can_be_drawn_again_and_again(kind, made, quick):
    model = made()
    worker = check.posterior_predictive_plot(kind=kind, interactive=False, num_samples=20)
    for _ in range(2):  # the second time the group is there
        assert worker(model)[1] == "NA"
    heights = lines(model.diagnostics["posterior_predictive_plot"])["observed"].get_ydata()
    assert np.isfinite(heights).all()
    assert heights.max() > 0


def test_whole_numbers_have_a_tick_each_and_every_draw_a_level_at_each(quick):
    model = ordinal()
    check.posterior_predictive_plot(interactive=False, plot_kwargs={"num_pp_samples": 7})(model)
    (axis,) = model.diagnostic("posterior_predictive_plot").axes
    assert axis.get_xticks().tolist() == [0, 1, 2, 3, 4]
    drawn = [line for line in axis.lines if line.get_linewidth() < 1]
    assert len(drawn) == 7
    for line in drawn:
        ends = np.column_stack([line.get_xdata(), line.get_ydata()]).reshape(5, 3, 2)
        np.testing.assert_array_equal(ends[:, 0, 0], np.arange(5) - 0.5)
        np.testing.assert_array_equal(ends[:, 1, 0], np.arange(5) + 0.5)
        assert np.isnan(ends[:, 2, 0]).all()  # nothing joins the levels
        assert ends[:, 0, 1].sum() == pytest.approx(1)


def test_shares_of_categories_are_those_of_the_data(quick):
    model = ordinal()
    check.posterior_predictive_plot(interactive=False, num_samples=20)(model)
    line = lines(model.diagnostics["posterior_predictive_plot"])["observed"]
    shares = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    scores = np.asarray(model.features["obs"])
    for value in range(5):
        assert shares[value] == pytest.approx((scores == value).mean())


def test_proportions_without_trials_are_na_and_not_an_error(caplog, quick):
    model = ordinal()
    worker = check.posterior_predictive_plot(plot_proportion=True, interactive=False)
    assert worker(model)[1] == "NA"
    assert "'n_total' in features" in caplog.text
    assert "n_total" in model.diagnostics["posterior_predictive_plot_verdict"]["message"]
    assert check.prior_predictive_plot(plot_proportion=True, **PRIOR)(model)[1] == "NA"


def test_variables_that_are_not_there_are_said(caplog, quick):
    model = binomial()
    assert check.prior_predictive_plot(variables=["nothing"], **PRIOR)(model)[1] == "NA"
    assert "has no site nothing" in caplog.text


def test_options_that_are_not_honoured_are_said(caplog, quick):
    check.posterior_predictive_plot(plot_kwargs={"jitter": 0.5})
    assert "'jitter' is not supported" in caplog.text


def test_figures_are_written_where_asked(tmp_path, quick):
    model = binomial()
    worker = check.prior_predictive_plot(
        variables=["obs", "group_effects"], save_path=str(tmp_path / "figures"), **PRIOR
    )
    worker(model)
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == [
        "group_effects_prior_predictive.png",
        "obs_prior_predictive.png",
    ]
    check.prior_predictive_plot(variables=["obs"], save_path=str(tmp_path / "one.png"), **PRIOR)(
        model
    )
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_figures_leave_nothing_open(quick):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    check.posterior_predictive_plot(interactive=False, num_samples=5)(binomial())
    assert plt.get_fignums() == before


# questions


WORKERS = [check.prior_predictive_plot, check.posterior_predictive_plot]


@pytest.mark.parametrize("worker", WORKERS)
@pytest.mark.parametrize(("answer", "result"), [(True, "pass"), (False, "fail")])
def test_the_answer_is_the_result(worker, answer, result, quick):
    model, display = binomial(), Asker(answer)
    assert worker()(model, display)[1] == result
    assert len(display.asked) == 1
    (title, series) = display.plots[0]
    assert model.model_name in title
    assert all(len(one["x"]) == len(one["y"]) for one in series)


def test_the_question_names_the_variables(quick):
    display = Asker()
    model = binomial()
    check.prior_predictive_plot()(model, display)
    assert display.asked == [
        f"Is the prior predictive distribution for obs of {model.model_name} acceptable?"
    ]


@pytest.mark.parametrize("worker", WORKERS)
@pytest.mark.parametrize(
    "display", [None, Asker(there=False), Asker(EOFError())], ids=["none", "no terminal", "closed"]
)
def test_where_nobody_can_answer_the_question_waits(worker, display, monkeypatch, quick):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    model = binomial()
    assert worker()(model, display)[1] == "NA"
    (question,) = model.take_questions()
    assert "distribution" in question
    approval = model.diagnostics[f"{worker.__name__}_verdict"]["approval"]
    assert approval == {"question": question, "answer": None}


@pytest.mark.parametrize("worker", WORKERS)
def test_without_interaction_nobody_is_asked(worker, quick):
    display = Asker()
    model = binomial()
    worker(interactive=False)(model, display)
    assert display.asked == []
    assert model.take_questions() == []


def test_a_display_that_cannot_say_is_asked_on_a_terminal_only(monkeypatch, quick):
    class Old:
        def prompt_user(self, question):
            raise AssertionError("asked")

    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert check.prior_predictive_plot()(binomial(), Old())[1] == "NA"
