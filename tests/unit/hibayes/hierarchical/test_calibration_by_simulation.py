"""The crossed model's sampler draws from the posterior that its docstring states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from scipy.stats import norm
from simulation_calibration import departures, p_value, ranks

from hibayes.hierarchical.cells import Grid
from hibayes.hierarchical.crossed import fit_crossed
from hibayes.hierarchical.gibbs import Schedule

MODELS, SCENARIOS = 8, 6
GROUP = np.arange(SCENARIOS) // 2
MAKER = np.arange(MODELS) // 2
PHI = 0.7

# many short chains: they step together, and draws of different ones are independent
BRIEF = Schedule(chains=25, warmup=150, draws=4, thin=15)
LONG = Schedule(chains=25, warmup=400, draws=4, thin=40)


@dataclass(frozen=True, eq=False)
class OnScale(Grid):
    """A grid whose values are given on the models' scale, with their binomial noise."""

    given: np.ndarray
    noise: np.ndarray

    @property
    def t(self):
        return np.where(self.mask, self.given, 0.0)

    @property
    def known_noise(self):
        return np.where(self.mask, self.noise, 0.0)


def simulate(rng, stretch=1.0):
    """Draw all parameters from their priors, and a grid; models' spreads may be stretched."""

    def inverse_gamma(shape, scale):
        return scale / rng.gamma(shape)

    # scenarios: overall mean, groups, scenarios
    between, within = inverse_gamma(1, 0.3), inverse_gamma(1, 0.3)
    mean = rng.normal()
    means = mean + np.sqrt(between) * rng.normal(size=GROUP.max() + 1)
    b = means[GROUP] + np.sqrt(within) * rng.normal(size=SCENARIOS)
    # models: organisations, models
    of_makers, of_models = stretch**2 * inverse_gamma(1, 0.1), stretch**2 * inverse_gamma(1, 0.1)
    makers = np.sqrt(of_makers) * rng.normal(size=MAKER.max() + 1)
    a = makers[MAKER] + np.sqrt(of_models) * rng.normal(size=MODELS)
    # spreads beyond the binomial
    s_between, s_within = inverse_gamma(2, 0.2), inverse_gamma(2, 0.2)
    s_mean = -1.8 + 0.7 * rng.normal()
    s_means = s_mean + np.sqrt(s_between) * rng.normal(size=GROUP.max() + 1)
    log_s = s_means[GROUP] + np.sqrt(s_within) * rng.normal(size=SCENARIOS)

    noise = rng.uniform(0.005, 0.05, size=(MODELS, SCENARIOS))
    eta = a[:, None] + b
    t = eta + np.sqrt(PHI * noise + np.exp(2.0 * log_s)) * rng.normal(size=eta.shape)
    seen = rng.random(eta.shape) < 0.8
    seen[0], seen[:, 0], seen[-1, -1] = True, True, False
    grid = OnScale(
        tuple(f"m{i}" for i in range(MODELS)),
        tuple(f"s{j}" for j in range(SCENARIOS)),
        np.where(seen, 0.5, np.nan),
        np.where(seen, 100.0, 0.0),
        GROUP,
        np.arange(SCENARIOS),
        MAKER,
        t,
        noise,
    )
    truth = quantities(
        {
            "scenario_effects": b,
            "model_effects": a,
            "log_residual": log_s,
            "scenario_variance": np.array(within),
            "group_variance": np.array(between),
            "model_variance": np.array(of_models),
            "maker_variance": np.array(of_makers),
            "log_residual_variance": np.array(s_within),
            "group_log_residual_variance": np.array(s_between),
            "mean_log_residual": np.array(s_mean),
        },
        grid,
    )
    return truth, grid


def quantities(draws, grid):
    """Give what is identified: expected logits, spreads, variances, and the fit to the data."""
    eta = draws["model_effects"][..., :, None] + draws["scenario_effects"][..., None, :]
    log_s = draws["log_residual"]
    spread = np.sqrt(PHI * grid.known_noise + np.exp(2.0 * log_s)[..., None, :])
    fit = (norm.logpdf(grid.t, eta, spread) * grid.mask).sum(axis=(-2, -1))
    return {
        "a seen cell": eta[..., 0, 0],
        "an unseen cell": eta[..., -1, -1],
        "a difference of models": eta[..., 0, 0] - eta[..., 1, 0],
        "a difference of scenarios": eta[..., 0, 0] - eta[..., 0, 1],
        "all cells": eta.mean(axis=(-2, -1)),
        "log residual": log_s[..., 0],
        "mean log residual": log_s.mean(axis=-1),
        "log likelihood": fit,
        **{name: x for name, x in draws.items() if "variance" in name},
        "prior mean of log residuals": draws["mean_log_residual"],
    }


def sample(grid, schedule):
    # one seed for all would tie their ranks to each other
    schedule = replace(schedule, seed=int(1e6 * grid.noise[0, 0]))
    return quantities(fit_crossed(grid, schedule, phi=PHI).draws, grid)


def test_ranks_are_uniform():
    found, size = ranks(simulate, partial(sample, schedule=BRIEF), times=60, seed=1)
    assert size == 100
    assert departures(found, size) == {}


def test_a_prior_twice_as_wide_is_caught():
    wrong = partial(simulate, stretch=2.0)
    found, size = ranks(wrong, partial(sample, schedule=BRIEF), times=60, seed=1)
    assert departures(found, size)


@pytest.mark.slow
def test_ranks_of_many_data_sets_are_uniform():
    found, size = ranks(simulate, partial(sample, schedule=LONG), times=400, seed=2)
    assert departures(found, size) == {}


def test_uniform_ranks_pass_and_others_do_not():
    rng = np.random.default_rng(0)
    passed = [p_value(rng.integers(101, size=200), 100) for _ in range(200)]
    assert np.mean(np.array(passed) < 0.1) < 0.18
    assert p_value(rng.binomial(100, rng.beta(1.5, 1.5, size=1000)), 100) < 1e-3
    assert p_value(rng.binomial(100, rng.beta(1.0, 1.4, size=1000)), 100) < 1e-3
