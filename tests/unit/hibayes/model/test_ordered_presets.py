"""The presets of the ordered model's priors, and its likelihood near the ends of the scale."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")

from hibayes.model import ordered_logistic_model
from suites.errors import UsageError


def priors(**arguments):
    """Give the location and scale of the priors of intercept and first cutpoint."""
    from numpyro import handlers

    program = handlers.seed(ordered_logistic_model(**arguments), 0)
    sites = handlers.trace(program).get_trace({"obs": np.array([0, 1])})
    return {
        name: (float(sites[name]["fn"].loc), float(sites[name]["fn"].scale))
        for name in ("intercept", "first_cutpoint")
    }


def test_the_default_preset_is_that_of_old():
    expected = {"intercept": (0, 1), "first_cutpoint": (-4, pytest.approx(0.2))}
    assert priors() == priors(prior_preset="default") == expected


@pytest.mark.parametrize("num_classes", [2, 5, 11])
def test_the_boundary_preset_sets_the_cutpoints_about_zero(num_classes):
    found = priors(prior_preset="boundary", num_classes=num_classes)
    assert found["intercept"] == (0, 5)
    step = np.exp(-0.5 + 0.3**2 / 2) + 0.3
    assert found["first_cutpoint"][0] == pytest.approx(-(num_classes - 2) * step / 2, abs=1e-5)
    wide = priors(
        prior_preset="boundary", num_classes=num_classes, min_cutpoint_spacing=0.5,
        prior_cutpoint_diffs_loc=0.1, prior_cutpoint_diffs_scale=0.4,
    )  # fmt: skip
    step = np.exp(0.1 + 0.4**2 / 2) + 0.5
    assert wide["first_cutpoint"][0] == pytest.approx(-(num_classes - 2) * step / 2, abs=1e-5)


@pytest.mark.parametrize("preset", ["default", "boundary"])
def test_what_is_stated_goes_before_the_preset(preset):
    found = priors(prior_preset=preset, prior_intercept_scale=2.5, prior_first_cutpoint_loc=-1.5)
    assert found["intercept"][1] == 2.5
    assert found["first_cutpoint"][0] == -1.5


def test_another_preset_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="unknown preset 'boundry'; did you mean 'boundary'"):
        ordered_logistic_model(prior_preset="boundry")


def test_the_likelihood_is_finite_where_probabilities_vanish():
    from numpyro.infer.util import log_density

    program = ordered_logistic_model(num_classes=3)
    at = {"first_cutpoint": -4.0, "cutpoint_diffs": np.array([0.5]), "intercept": 0.0}
    values = []
    for intercept in (0.0, 60.0, 200.0):
        _, sites = log_density(
            program, ({"obs": np.array([0, 1])},), {}, at | {"intercept": intercept}
        )
        found = sites["obs"]["fn"].log_prob(sites["obs"]["value"])
        assert np.isfinite(np.asarray(found)).all()
        values.append(float(found[0]))
    # log P(0) = log sigma(c - eta), which is c - eta far from the data
    assert values[1:] == pytest.approx([-64.0, -204.0])
