"""Chains: starts, threads, what stops them."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")

from hibayes.model import FitConfig, chains
from hibayes.model import sampler as sampling
from suites.errors import UsageError

BRIEF = FitConfig(samples=150, warmup=100, chains=3)
FEATURES = {"obs": np.array([0.3, -0.2, 0.9])}


def normal(features):
    import numpyro
    from numpyro import distributions as dist

    mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
    numpyro.sample("obs", dist.Normal(mean, 1.0), obs=features["obs"])


def made(program, fit=BRIEF):
    data = sampling.data_of(program, FEATURES)
    return sampling.sampler_of(program, FEATURES, fit, data), data


def test_progress_is_told_by_the_thread_that_asked():
    sampler, data = made(normal)
    told = []
    draws = chains.run(
        sampler, data, BRIEF, progress=lambda c, n: told.append((threading.current_thread(), c, n))
    )
    assert draws.z.shape == (3, 150, 1)
    assert {thread for thread, _, _ in told} == {threading.current_thread()}
    for chain in range(3):
        assert [n for _, c, n in told if c == chain] == [100, 100, 50]
    assert abs(draws.z.mean() - 0.25) < 0.2


def test_what_the_display_raises_stops_all_chains():
    sampler, data = made(normal)
    before = threading.active_count()

    def interrupt(chain, n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        chains.run(sampler, data, BRIEF, progress=interrupt)
    assert threading.active_count() == before


def test_chains_differ_and_a_seed_of_any_size_is_taken():
    sampler, data = made(normal)
    draws = chains.run(sampler, data, BRIEF.merged(seed=2**40 + 1))
    assert not np.array_equal(draws.z[0], draws.z[1])
    again = chains.run(sampler, data, BRIEF.merged(seed=2**40 + 1), method="sequential")
    np.testing.assert_array_equal(draws.z, again.z)


def test_a_discrete_parameter_is_refused():
    def program(features):
        import numpyro
        from numpyro import distributions as dist

        count = numpyro.sample("count", dist.Poisson(3.0))
        numpyro.sample("obs", dist.Normal(count, 1.0), obs=features["obs"])

    with pytest.raises(UsageError, match="'count' of the model is discrete"):
        made(program)


def test_a_model_without_parameters_is_refused():
    def program(features):
        import numpyro
        from numpyro import distributions as dist

        numpyro.sample("obs", dist.Normal(0.0, 1.0), obs=features["obs"])

    with pytest.raises(UsageError, match="draws no parameters"):
        made(program)


def test_an_impossible_observation_is_refused_before_sampling():
    def program(features):
        import numpyro
        from numpyro import distributions as dist

        scale = numpyro.sample("scale", dist.HalfNormal(1.0))
        observed = dist.Exponential(scale, validate_args=False)
        numpyro.sample("obs", observed.mask(True), obs=features["obs"] * np.nan)

    sampler, data = made(program)
    with pytest.raises(UsageError, match="no starting point"):
        chains.run(sampler, data, BRIEF)


def test_options_that_the_compiler_does_not_know_are_left_out():
    known = ("xla_backend_optimization_level", 0)
    assert sampling._allowed((known, ("xla_of_another_time", True))) == dict([known])
