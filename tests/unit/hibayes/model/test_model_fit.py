"""The fit: groups, labels, progress, one compilation, equal posteriors however rows are counted."""

from __future__ import annotations

import os
import subprocess
import sys
import types

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")
pytest.importorskip("arviz", reason="needs ArviZ: pip install 'benchcast[bayes]'")

from hibayes import arviz_bridge
from hibayes.model import (
    FitConfig,
    ModelConfig,
    fit,
    linear_group_binomial,
    model,
    ordered_logistic_model,
    pairwise_logistic_model,
    simplified_group_binomial_exponential,
)
from hibayes.model_state import ModelAnalysisState
from suites.errors import UsageError

SHORT = FitConfig(samples=200, warmup=200, chains=2, seed=1)


def counts(**changes):
    features = {
        "obs": np.array([3, 14, 25, 17]),
        "n_total": np.array([30, 30, 30, 30]),
        "group_index": np.array([0, 1, 2, 1]),
        "num_group": 3,
    }
    return features | changes


COORDS = {"group": ["a", "b", "c"]}


def state_of(made, features, config=SHORT, coords=COORDS, **platform):
    return ModelAnalysisState(
        made,
        ModelConfig(fit=config),
        types.SimpleNamespace(**platform) if platform else None,
        features=features,
        coords=coords,
    )


def posterior(state):
    return arviz_bridge.dataset(state.inference_data, "posterior")


class Told:
    """A display that keeps what it was told of a fit."""

    def __init__(self):
        self.told = []

    def set_fit_context(self, method, chains):
        self.told.append(("context", method, chains))

    def add_task(self, description, chain=None, worker=None, total=None):
        self.told.append(("task", description, chain, total))

    def update_task(self, description, advance=1, **kwargs):
        self.told.append(("step", description, advance))

    def steps(self):
        """Give each task's total, and how many steps it was told of."""
        totals = {name: total for kind, name, *_, total in self.told if kind == "task"}
        return {
            name: (total, sum(t[2] for t in self.told if t[:2] == ("step", name)))
            for name, total in totals.items()
        }


@pytest.fixture(scope="module")
def simple():
    """A fitted model of three groups, and what its display was told."""
    display = Told()
    state = state_of(simplified_group_binomial_exponential(), counts())
    before = {"obs": np.zeros((1, 5, 4)), "group_effects": np.zeros((1, 5, 3))}
    state.inference_data = arviz_bridge.new_data({"prior_predictive": before, "posterior": {}})
    state.add_diagnostic("summary", "of an earlier fit")
    fit(state, display)
    return state, display


def test_groups_and_variables_are_those_of_the_contract(simple):
    state, _ = simple
    data = state.inference_data
    assert set(arviz_bridge.groups(data)) == {
        "posterior", "log_likelihood", "sample_stats", "observed_data", "prior_predictive"
    }  # fmt: skip
    assert state.is_fitted
    assert state.diagnostic("summary") is None
    draws = posterior(state)
    assert draws.sizes["chain"] == 2
    assert draws.sizes["draw"] == 200
    assert set(draws.data_vars) == {"overall_mean", "sigma_group", "z_group", "group_effects"}
    assert list(draws["z_group"].coords["group"].values) == ["a", "b", "c"]
    assert draws["group_effects"].dtype == np.float32
    by_row = arviz_bridge.dataset(data, "log_likelihood")["obs"]
    assert by_row.dims == ("chain", "draw", "obs_dim_0")
    assert by_row.shape == (2, 200, 4)
    observed = arviz_bridge.dataset(data, "observed_data")["obs"]
    np.testing.assert_array_equal(observed, counts()["obs"])


def test_log_likelihood_is_that_of_each_row(simple):
    from scipy.special import expit
    from scipy.stats import binom

    state, _ = simple
    effects = posterior(state)["group_effects"].values.astype(float)
    features = counts()
    exact = binom.logpmf(
        features["obs"], features["n_total"], expit(effects[..., features["group_index"]])
    )
    by_row = arviz_bridge.dataset(state.inference_data, "log_likelihood")["obs"]
    np.testing.assert_allclose(by_row, exact, atol=1e-3)


def test_sample_stats_are_of_the_sampler(simple):
    stats = arviz_bridge.dataset(simple[0].inference_data, "sample_stats")
    assert {"diverging", "energy", "lp", "tree_depth", "n_steps", "acceptance_rate"} <= set(stats)
    assert stats["diverging"].dtype == bool
    assert 0.8 < float(stats["acceptance_rate"].mean()) <= 1.0
    steps, depth = stats["n_steps"].values, stats["tree_depth"].values
    assert ((2 ** (depth - 1) <= steps) & (steps < 2**depth)).all()
    # the density of a draw and its kinetic energy make up its energy
    assert (stats["energy"].values + stats["lp"].values > -1e-3).all()


def test_display_hears_of_every_step(simple):
    told = simple[1].told
    assert told[0] == ("context", "parallel", 2)
    assert [t[2:] for t in told if t[0] == "task"] == [("1", 400), ("2", 400)]
    assert list(simple[1].steps().values()) == [(400, 400)] * 2


@pytest.fixture
def compilations():
    """Count the programs that XLA compiles from here on."""
    import jax

    seen = []

    def listen(event, seconds, **kwargs):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.clear_event_listeners()


def test_a_second_fit_of_one_shape_compiles_nothing(simple, compilations):
    """Other data, seed, number of draws and numbers of the priors: the same programs."""
    changes = {"obs": np.array([9, 9, 9, 9])}
    other = state_of(
        simplified_group_binomial_exponential(prior_sigma_group_rate=3.0),
        counts(**changes),
        SHORT.merged(seed=2, samples=150),
    )
    other.model_config.tag = "second"
    fit(other)
    assert compilations == []
    assert posterior(other).sizes["draw"] == 150
    assert float(posterior(other)["sigma_group"].mean()) < 0.6
    assert not np.allclose(posterior(other)["overall_mean"].mean(), 0.3)


def test_one_seed_gives_the_same_draws_another_others(simple):
    again = state_of(simplified_group_binomial_exponential(), counts())
    fit(again)
    np.testing.assert_array_equal(
        posterior(again)["group_effects"], posterior(simple[0])["group_effects"]
    )
    other = state_of(simplified_group_binomial_exponential(), counts(), SHORT.merged(seed=9))
    fit(other)
    assert not np.array_equal(posterior(other)["z_group"], posterior(again)["z_group"])
    assert not np.array_equal(posterior(other)["z_group"][0], posterior(other)["z_group"][1])


def test_chain_methods_agree(simple):
    sequential = state_of(
        simplified_group_binomial_exponential(), counts(), chain_method="sequential"
    )
    fit(sequential)
    np.testing.assert_array_equal(
        posterior(sequential)["group_effects"], posterior(simple[0])["group_effects"]
    )
    together = state_of(
        simplified_group_binomial_exponential(), counts(), chain_method="vectorized"
    )
    display = Told()
    fit(together, display)
    assert display.steps()
    assert all(told == total for total, told in display.steps().values())
    means = [posterior(s)["group_effects"].mean(("chain", "draw")) for s in (simple[0], together)]
    np.testing.assert_allclose(*means, atol=0.15)
    wrong = state_of(simplified_group_binomial_exponential(), counts(), chain_method="paralel")
    with pytest.raises(UsageError, match="parallel, sequential or vectorized"):
        fit(wrong)


def test_hmc_honours_its_options(simple):
    """Acceptance, start and length of trajectories each change what HMC does."""
    made = simplified_group_binomial_exponential()
    accepted, steps = [], []
    for target, length in ((0.6, 1.0), (0.95, 1.0), (0.95, 3.0)):
        config = FitConfig(
            method="HMC", samples=200, warmup=200, chains=1, seed=3, target_accept=target,
            trajectory_length=length, init_strategy="uniform",
        )  # fmt: skip
        state = state_of(made, counts(), config)
        fit(state)
        stats = arviz_bridge.dataset(state.inference_data, "sample_stats")
        assert "tree_depth" not in stats
        accepted.append(float(stats["acceptance_rate"].mean()))
        steps.append(float(stats["n_steps"].mean()))
        assert abs(float(posterior(state)["group_effects"][..., 1].mean()) - 0.05) < 0.4
    assert accepted[0] < accepted[1]
    assert steps[0] < steps[1] < steps[2]


def test_a_small_tree_is_kept_small():
    state = state_of(
        simplified_group_binomial_exponential(), counts(), SHORT.merged(max_tree_depth=2)
    )
    fit(state)
    stats = arviz_bridge.dataset(state.inference_data, "sample_stats")
    assert int(stats["n_steps"].max()) <= 3


def test_rows_of_one_trial_give_the_posterior_of_their_sums():
    """One row per response and one per group: the same program, so the same draws."""
    trials = {
        "obs": np.repeat([1, 0, 1, 0], [8, 4, 3, 9]),
        "n_total": np.ones(24, int),
        "g_index": np.repeat([0, 0, 1, 1], [8, 4, 3, 9]),
        "num_g": 2,
    }
    sums = {
        "obs": np.array([8, 3]),
        "n_total": np.array([12, 12]),
        "g_index": np.array([0, 1]),
        "num_g": 2,
    }
    rows, groups, cells = (
        state_of(linear_group_binomial(["g"]), f, c, coords=None)
        for f, c in ((trials, SHORT), (sums, SHORT), (trials, SHORT.merged(log_likelihood="cells")))
    )
    for state in (rows, groups, cells):
        fit(state)
    np.testing.assert_array_equal(posterior(rows)["g_effects"], posterior(groups)["g_effects"])
    by_row, by_group, by_cell = (
        arviz_bridge.dataset(s.inference_data, "log_likelihood")["obs"].values
        for s in (rows, groups, cells)
    )
    assert by_row.shape[2:] == (24,)
    # twelve ordered trials are less probable than their sum by the number of orders
    orders = np.log([495, 220])
    sums_of_rows = np.stack([by_row[..., :12].sum(-1), by_row[..., 12:].sum(-1)], -1)
    np.testing.assert_allclose(sums_of_rows + orders, by_group, atol=1e-3)
    np.testing.assert_allclose(by_cell, by_group, atol=1e-4)
    groups_of = arviz_bridge.dataset(cells.inference_data, "constant_data")["cell"]
    np.testing.assert_array_equal(groups_of, trials["g_index"])


def judged(**changes):
    rng = np.random.default_rng(0)
    grader = np.repeat([0, 1], 60)
    features = {
        "obs": np.clip(rng.poisson(1.5 + grader), 0, 4).astype(np.float32),
        "grader_index": grader,
        "num_grader": 2,
    }
    return features | changes


def test_whole_scores_read_as_floats_fit_an_ordinal_model():
    """Scores of logs are floats; like outcomes of one grader are computed once."""
    state = state_of(
        ordered_logistic_model(["grader"], num_classes=5),
        judged(),
        SHORT,
        {"grader": ["a", "b"]},
    )
    fit(state)
    assert float(posterior(state)["grader_effects"].sel(grader="b").mean()) > 0
    by_row = arviz_bridge.dataset(state.inference_data, "log_likelihood")["obs"]
    assert by_row.shape == (2, 200, 120)
    # by the definition, in double precision
    from scipy.special import expit

    draws = posterior(state).isel(chain=0, draw=7)
    features = judged()
    eta = float(draws["intercept"]) + draws["grader_effects"].values[features["grader_index"]]
    upto = expit(draws["cutpoints"].values[None].astype(float) - eta[:, None])
    upto = np.hstack([np.zeros((120, 1)), upto, np.ones((120, 1))])
    y = features["obs"].astype(int)
    exact = np.log(upto[np.arange(120), y + 1] - upto[np.arange(120), y])
    np.testing.assert_allclose(by_row[0, 7], exact, atol=1e-4)


def test_pairwise_and_zero_sum_models_fit():
    features = judged(obs=(judged()["obs"] > 1).astype(int))
    features["length_diff"] = np.linspace(-1, 1, 120, dtype=np.float32)
    coords = {"grader": ["a", "b"]}
    state = state_of(pairwise_logistic_model(["grader"]), features, SHORT, coords)
    fit(state)
    assert posterior(state)["grader_length_diff_effects"].dims[2:] == ("grader",)
    even = linear_group_binomial(["group"], [("group", "group2")], sum_to_zero="normal")
    features = counts(group2_index=np.array([0, 1, 0, 1]), num_group2=2)
    state = state_of(even, features, SHORT, {"group": ["a", "b", "c"]})
    fit(state)
    draws = posterior(state)
    np.testing.assert_allclose(draws["group_effects"].sum("group"), 0.0, atol=1e-4)
    np.testing.assert_allclose(draws["group_group2_effects"].sum("group"), 0.0, atol=1e-4)
    np.testing.assert_allclose(draws["group_group2_effects"].sum("group2"), 0.0, atol=1e-4)


def test_custom_models_that_read_values_fit():
    @model
    def of_values(scale: float = 1.0):
        def program(features):
            import numpyro
            from numpyro import distributions as dist

            n = int(np.asarray(features["kind"]).max()) + 1
            level = numpyro.sample("kind_effects", dist.Normal(0.0, scale).expand([n]))
            numpyro.sample("obs", dist.Normal(level[features["kind"]], 0.5), obs=features["obs"])

        return program

    for centre in (1.0, -1.0):  # of one shape: the values must not be those of the first fit
        features = {"obs": np.full(40, centre, np.float32), "kind": np.arange(40) % 2}
        state = state_of(of_values(), features, SHORT, None)
        fit(state)
        assert float(posterior(state)["kind_effects"].mean()) == pytest.approx(centre, abs=0.3)
        by_row = arviz_bridge.dataset(state.inference_data, "log_likelihood")["obs"]
        assert by_row.shape == (2, 200, 40)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"obs": np.array([16, 1, 1, 1]), "n_total": np.array([2] * 4)}, "16 of 2 in row 0"),
        ({"obs": np.array([0.5, 1, 1, 1])}, "must be whole numbers for this model"),
        ({"obs": np.array([np.nan, 1, 1, 1])}, "1 missing or infinite values"),
        ({"group_index": np.array([0, 1, -(2**31), 1])}, "1 values outside 0 … 2"),
        ({"n_total": np.array([30, 30])}, "equally long"),
        ({"obs": np.array([]), "n_total": np.array([]), "group_index": np.array([])}, "is empty"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_sampling(features, message):
    state = state_of(simplified_group_binomial_exponential(), counts(**features))
    with pytest.raises(UsageError, match=message):
        fit(state)
    assert not state.is_fitted


def test_missing_features_and_outcomes_are_named():
    features = counts()
    del features["group_index"]
    with pytest.raises(ValueError, match="Missing required features: group_index"):
        fit(state_of(simplified_group_binomial_exponential(), features))
    made = simplified_group_binomial_exponential()
    with pytest.raises(ValueError, match="Model must have 'obs' in features"):
        made({"num_group": 2})
    outside = state_of(ordered_logistic_model(["grader"], num_classes=3), judged(), coords=None)
    with pytest.raises(UsageError, match=r"between 0 and 2 .*Set num_classes"):
        fit(outside)


def test_devices_do_not_change_the_draws(tmp_path, simple):
    """Two devices, one chain on each: bit for bit what one device gives."""
    code = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1])\n"
        "import jax; assert len(jax.devices()) == 2\n"
        "from hibayes.model import *; from hibayes.model_state import ModelAnalysisState\n"
        "from hibayes import arviz_bridge\n"
        "f = {'obs': np.array([3, 14, 25, 17]), 'n_total': np.array([30] * 4),\n"
        "     'group_index': np.array([0, 1, 2, 1]), 'num_group': 3}\n"
        "c = ModelConfig(fit={'samples': 200, 'warmup': 200, 'chains': 2, 'seed': 1})\n"
        "s = ModelAnalysisState(simplified_group_binomial_exponential(), c, features=f)\n"
        "fit(s); d = arviz_bridge.dataset(s.inference_data, 'posterior')\n"
        "np.save(sys.argv[1] + '/draws.npy', d['group_effects'].values)\n"
    )
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
    np.testing.assert_array_equal(
        np.load(tmp_path / "draws.npy"), posterior(simple[0])["group_effects"]
    )
