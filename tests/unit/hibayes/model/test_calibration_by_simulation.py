"""Fits draw from the posterior of the model as its docstring states it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from simulation_calibration import departures, ranks

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")
pytest.importorskip("arviz", reason="needs ArviZ: pip install 'benchcast[bayes]'")

from scipy.special import expit
from scipy.stats import binom

TRIALS = np.array([5, 20, 40])
PRIORS = {
    "prior_mu_overall_loc": 0.3,
    "prior_mu_overall_scale": 1.0,
    "prior_sigma_overall_scale": 0.8,
    "prior_sigma_group_scale": 1.0,
}
THIN = 10


def simulate(rng, stretch=1.0):
    """Draw all parameters from their priors, and successes; the groups' spread may be stretched."""
    mu = PRIORS["prior_mu_overall_loc"] + PRIORS["prior_mu_overall_scale"] * rng.normal()
    tau = PRIORS["prior_sigma_overall_scale"] * abs(rng.normal())
    sigma = stretch * PRIORS["prior_sigma_group_scale"] * abs(rng.normal())
    z_overall, z = rng.normal(), rng.normal(size=len(TRIALS))
    mean = mu + tau * z_overall
    effects = mean + sigma * z
    successes = rng.binomial(TRIALS, expit(effects))
    drawn = {
        "mu_overall": mu,
        "sigma_overall": tau,
        "z_overall": z_overall,
        "overall_mean": mean,
        "sigma_group": sigma,
        "z_group": z,
        "group_effects": effects,
    }
    return quantities({name: np.asarray(x) for name, x in drawn.items()}, successes), successes


def quantities(draws, successes):
    """Give each parameter, of vectors the first element, and the fit to the data."""
    fit = binom.logpmf(successes, TRIALS, expit(draws["group_effects"])).sum(axis=-1)
    vectors = ("z_group", "group_effects")
    found = {name: x[..., 0] if name in vectors else x for name, x in draws.items()}
    return {**found, "log likelihood": fit}


def sample(successes):
    """Fit, and give draws far enough apart to be independent."""
    from hibayes import arviz_bridge
    from hibayes.model import FitConfig, ModelConfig, fit, two_level_group_binomial
    from hibayes.model_state import ModelAnalysisState

    features = {
        "obs": successes,
        "n_total": TRIALS,
        "group_index": np.arange(len(TRIALS)),
        "num_group": len(TRIALS),
    }
    # the same seed for all would tie the ranks of like data sets
    seed = int(np.random.default_rng([*successes, 5]).integers(2**31))
    config = FitConfig(samples=300, warmup=500, chains=4, seed=seed, log_likelihood="none")
    state = ModelAnalysisState(
        two_level_group_binomial(**PRIORS), ModelConfig(fit=config), features=features
    )
    fit(state)
    posterior = arviz_bridge.dataset(state.inference_data, "posterior")
    draws = {str(name): posterior[name].values[:, ::THIN] for name in posterior.data_vars}
    return quantities(draws, successes)


@pytest.mark.slow
def test_ranks_are_uniform():
    found, size = ranks(simulate, sample, times=400, seed=1)
    assert size == 120
    assert departures(found, size) == {}


@pytest.mark.slow
def test_a_prior_twice_as_wide_is_caught():
    found, size = ranks(partial(simulate, stretch=2.0), sample, times=400, seed=1)
    assert departures(found, size)
