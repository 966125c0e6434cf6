"""Continuous features in the binomial model: slopes, and slopes that differ between levels."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")

from scipy import stats
from scipy.special import expit

from hibayes.model import ModelsToRunConfig, labels_of, linear_group_binomial
from hibayes.model.aggregation import cells, check_outcomes
from hibayes.model.definition import structure_of
from hibayes.model_state import ModelAnalysisState
from hibayes.process import columns_of
from suites.errors import UsageError

LENGTH = np.array([-1.0, 0.5, 0.5, 2.0], np.float32)
COST = np.array([1.0, 0.0, 0.0, 3.0], np.float32)
FEATURES = {
    "obs": np.array([3, 1, 2, 5]), "n_total": np.array([5, 4, 4, 5]),
    "model_index": np.array([0, 1, 1, 2]), "num_model": 3, "length": LENGTH, "cost": COST,
}  # fmt: skip


def made(**settings):
    return linear_group_binomial(
        ["model"], [("model", "length"), ("length", "cost")],
        continuous_effects=["length", "cost"], **settings,
    )  # fmt: skip


def test_the_density_is_that_of_its_formula():
    from numpyro.infer.util import log_density

    at = {
        "intercept": 0.3, "model_effects_constrained": np.array([0.4, -0.1]),
        "length_coef": 0.7, "cost_coef": -0.2, "model_length_effects": np.array([0.1, 0.2, -0.3]),
        "length_cost_effects": 0.05,
    }  # fmt: skip
    program = made(prior_continuous_loc=0.1, prior_continuous_scale=0.8)
    density, _ = log_density(program, (FEATURES,), {}, at)
    model = FEATURES["model_index"]
    logit = 0.3 + np.array([0.4, -0.1, -0.3])[model] + 0.7 * LENGTH - 0.2 * COST
    logit = logit + at["model_length_effects"][model] * LENGTH + 0.05 * LENGTH * COST
    expected = (
        stats.binom.logpmf(FEATURES["obs"], FEATURES["n_total"], expit(logit)).sum()
        + stats.norm.logpdf(0.3)
        + stats.norm.logpdf([0.4, -0.1], 0, 0.5).sum()
        + stats.norm.logpdf([0.7, -0.2], 0.1, 0.8).sum()
        + stats.norm.logpdf([0.1, 0.2, -0.3, 0.05], 0, 0.3).sum()
    )
    assert float(density) == pytest.approx(expected, rel=1e-5)


def test_rows_are_counted_together_only_where_they_agree_in_continuous_features():
    found = cells(FEATURES, structure_of(made()))
    assert found.number == 3
    assert found.features["obs"].tolist() == [3, 3, 5]
    np.testing.assert_array_equal(found.features["length"], LENGTH[[0, 1, 3]])
    other = cells(FEATURES | {"cost": np.arange(4.0)}, structure_of(made()))
    assert other.number == 4


def test_a_missing_value_is_refused_before_sampling():
    missing = FEATURES | {"length": np.array([1.0, np.nan, 0.0, 2.0])}
    with pytest.raises(UsageError, match=r"length.*missing"):
        check_outcomes(missing, structure_of(made()))


def test_slopes_of_levels_are_labelled():
    labels = {"model": ["a", "b", "c"]}
    found = labels_of(ModelAnalysisState(made(), None, features=FEATURES, coords=labels))
    assert found.dims["model_effects"] == found.dims["model_length_effects"] == ["model"]
    assert "length_cost_effects" not in found.dims


def test_a_configuration_names_its_columns():
    section = {
        "linear_group_binomial": {"main_effects": ["model"], "continuous_effects": ["length"]}
    }
    ((program, _),) = ModelsToRunConfig.from_dict({"models": section}).enabled_models
    assert columns_of(section).continuous == ("length",)
    with pytest.raises(ValueError, match="Missing required features: n_total, model_index"):
        program({"obs": [1]})
    with pytest.raises(UsageError, match="length cannot be in both"):
        linear_group_binomial(["length"], continuous_effects=["length"])
