"""Communicators of ordinal models, of graders' agreement, and of binomial estimands."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

pytest.importorskip("arviz")
pytest.importorskip("jax")
pytest.importorskip("matplotlib")

from made_states import SUCCESSES, TRIALS, analysis, binomial, ordinal

from hibayes import arviz_bridge as bridge
from hibayes import communicate as talk
from hibayes.communicate.agreement import _Cells, ordinal_alpha
from hibayes.communicate.estimands import logistic_normal_mean
from suites.errors import UsageError

NAME = "simplified_group_binomial_exponential"


@pytest.fixture
def predicted(monkeypatch):
    """Predictions without a model: one category up or down of what was observed."""

    def predict(state, options, *, seed):
        n = len(next(iter(options["posterior_samples"].values())))
        moves = np.random.default_rng(seed).integers(-1, 2, size=(n, len(state.features["obs"])))
        return {"obs": np.clip(np.asarray(state.features["obs"]) + moves, 0, 4)}

    monkeypatch.setattr("hibayes.check.simulation._predict", predict)


# ordinal models


def test_cutpoints_stand_where_their_means_are(tmp_path):
    model = ordinal()
    state = analysis(model, binomial())
    worker = talk.cutpoint_plot(save_path=str(tmp_path / "cut.png"))
    assert worker(state)[1] == "pass"
    assert list(state.communicate) == ["model_ordered_logistic_model_cutpoints"]
    axis = state.communicate["model_ordered_logistic_model_cutpoints"].axes[0]
    means = np.asarray(bridge.dataset(model.inference_data, "posterior")["cutpoints"]).mean((0, 1))
    dots = [float(line.get_xdata()[0]) for line in axis.lines if len(line.get_xdata()) == 1]
    assert dots == pytest.approx(means.tolist())
    assert axis.get_title().startswith("Cutpoint positions on latent scale")
    texts = [text.get_text() for text in axis.texts]
    assert texts[:5] == ["0", "1", "2", "3", "4"]
    assert (tmp_path / "cut.png").is_file()


def test_no_model_with_cutpoints_is_na(caplog):
    assert talk.cutpoint_plot()(analysis(binomial()))[1] == "NA"
    assert "has no cutpoints" in caplog.text


def test_residuals_are_observed_less_predicted(predicted):
    model = ordinal()
    state = analysis(model)
    assert talk.ordered_residuals_plot()(state)[1] == "pass"
    figure = state.communicate["model_ordered_logistic_model_residuals"]
    left, right = figure.axes
    assert left.get_ylabel() == "observed − predicted (categories)"
    assert sum(bar.get_height() for bar in right.patches) == len(model.features["obs"])


def test_predictions_of_a_check_are_used_where_they_are_there(monkeypatch):
    model = ordinal()
    scores = np.asarray(model.features["obs"])
    bridge.add_group(model.inference_data, "posterior_predictive", {"obs": scores[None, None]})
    monkeypatch.setattr("hibayes.check.simulation._predict", lambda *a, **k: 1 / 0)
    state = analysis(model)
    assert talk.category_frequency_plot()(state)[1] == "pass"
    axis = state.communicate["model_ordered_logistic_model_category_frequencies"].axes[0]
    bars = [bar.get_height() for bar in axis.patches]
    assert bars == pytest.approx([(scores == k).mean() for k in range(5)])
    assert axis.lines[0].get_ydata() == pytest.approx(np.array(bars))


def test_frequencies_without_predictions(monkeypatch):
    monkeypatch.setattr("hibayes.check.simulation._predict", lambda *a, **k: 1 / 0)
    assert talk.category_frequency_plot(show_predictions=False)(analysis(ordinal()))[1] == "pass"


# agreement


def brute_force_alpha(ratings):
    """By pairs of ratings, with the distance of the definition."""
    units = [[v for v in unit if np.isfinite(v)] for unit in np.asarray(ratings, float).T]
    units = [unit for unit in units if len(unit) > 1]
    every = sorted(v for unit in units for v in unit)
    count = {v: every.count(v) for v in every}

    def squared(a, b):
        low, high = min(a, b), max(a, b)
        between = sum(n for v, n in count.items() if low <= v <= high)
        return (between - (count[low] + count[high]) / 2) ** 2 if a != b else 0.0

    within = sum(
        squared(a, b) / (len(unit) - 1)
        for unit in units
        for a, b in itertools.permutations(unit, 2)
    )
    across = sum(squared(a, b) for a, b in itertools.permutations(every, 2))
    return 1 - (within / len(every)) / (across / (len(every) * (len(every) - 1)))


@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_its_definition(seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, 5, size=(3, 12)).astype(float)
    ratings[rng.random(ratings.shape) < 0.2] = np.nan
    assert ordinal_alpha(ratings) == pytest.approx(brute_force_alpha(ratings))


def test_alpha_at_its_ends():
    assert ordinal_alpha([[0, 1, 2], [0, 1, 2]]) == 1.0
    assert np.isnan(ordinal_alpha([[1, 1], [1, 1]]))
    assert np.isnan(ordinal_alpha([[1, np.nan], [np.nan, 2]]))


def test_ratings_of_a_cell_are_its_median():
    cells = _Cells(np.array([0, 0, 0, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1]))
    outcomes = np.array([[1, 5, 3, 3, 2, 2]])
    assert cells.alpha(outcomes)[0] == ordinal_alpha([[3, 2], [3, 2]]) == 1.0


def test_agreement_is_shown_with_and_without_the_graders(predicted):
    state = analysis(ordinal(), binomial())
    worker = talk.krippendorff_alpha(max_draws_per_model=40, title_prefix="Study 4:")
    assert worker(state)[1] == "pass"
    assert list(state.communicate) == [
        "model_ordered_logistic_model_alpha",
        "model_ordered_logistic_model_alpha_table",
    ]
    figure, table = state.communicate.values()
    assert figure.get_suptitle().startswith("Study 4: ordered_logistic_model")
    assert list(table.index) == ["observed", "predicted", "predicted without grader_effects"]
    inner = table.iloc[1:]
    assert (inner["ci_lower"] < inner["alpha"]).all()
    assert (inner["alpha"] < inner["ci_upper"]).all()
    with pytest.raises(UsageError, match="ci_level"):
        talk.krippendorff_alpha(ci_level=95)


# binomial estimands


@pytest.mark.parametrize(
    ("mean", "sd"), [(0.3, 0.0), (-1.0, 0.5), (2.0, 0.99), (2.0, 1.0), (1.0, 9.0)]
)
def test_the_population_mean_equals_adaptive_integration(mean, sd):
    exact, _ = integrate.quad(
        lambda z: expit(mean + sd * z) * stats.norm.pdf(z), -12, 12, epsabs=1e-12, limit=500
    )
    assert logistic_normal_mean([mean], [sd])[0] == pytest.approx(exact, abs=1e-9)


def test_estimands_equal_the_hand_computation():
    model = binomial()
    found = talk.group_binomial_estimands(model)
    draws = bridge.dataset(model.inference_data, "posterior")
    p = expit(np.asarray(draws["group_effects"])).reshape(-1, 4)
    assert len(found) == 400
    np.testing.assert_allclose(found["evaluated_group_mean_probability"], p.mean(axis=1))
    np.testing.assert_allclose(
        found["evaluated_trial_mean_probability"], p @ TRIALS / TRIALS.sum(), rtol=1e-12
    )
    np.testing.assert_allclose(
        found["median_group_probability"], expit(np.asarray(draws["overall_mean"]).ravel())
    )


def test_groups_without_trials_and_repeated_rows():
    model = binomial()
    model.features |= {
        "group_index": np.array([0, 0, 1, 2, 3]),
        "n_total": np.array([10, 30, 60, 80, 0]),
    }
    found = talk.group_binomial_estimands(model)
    p = expit(np.asarray(bridge.dataset(model.inference_data, "posterior")["group_effects"]))
    p = p.reshape(-1, 4)
    np.testing.assert_allclose(found["evaluated_group_mean_probability"], p[:, :3].mean(axis=1))
    np.testing.assert_allclose(
        found["evaluated_trial_mean_probability"], p[:, :3] @ np.array([40, 60, 80]) / 180
    )


def test_the_table_of_estimands():
    state = analysis(binomial("a"), ordinal())
    assert talk.binomial_estimands_table()(state)[1] == "pass"
    assert list(state.communicate) == [f"model_{NAME}a_binomial_estimands"]
    (table,) = state.communicate.values()
    assert list(table.columns) == ["mean", "sd", "ci_lower", "ci_upper"]
    assert list(table.index) == [
        "median_group_probability",
        "evaluated_group_mean_probability",
        "evaluated_trial_mean_probability",
        "population_mean_probability",
    ]
    assert table.loc["evaluated_trial_mean_probability", "mean"] == pytest.approx(
        SUCCESSES.sum() / TRIALS.sum(), abs=0.02
    )


def test_other_models_are_na_and_refused(caplog):
    assert talk.binomial_estimands_table()(analysis(ordinal()))[1] == "NA"
    assert "no fitted model is one of" in caplog.text
    with pytest.raises(UsageError, match="is none of"):
        talk.group_binomial_estimands(ordinal())
    model = binomial()
    del model.features["n_total"]
    with pytest.raises(UsageError, match="Missing required features: n_total"):
        talk.group_binomial_estimands(model)
    with pytest.raises(UsageError, match="credible_interval"):
        talk.binomial_estimands_table(credible_interval=95)
