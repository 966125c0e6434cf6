"""The hierarchical models as models of a configuration: the same densities, checks and plots."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hibayes import arviz_bridge
from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.check import r_hat
from hibayes.hierarchical import crossed as crossed_sweeps
from hibayes.hierarchical import factor as factor_sweeps
from hibayes.hierarchical import items as item_sweeps
from hibayes.hierarchical.cells import from_logit
from hibayes.hierarchical.columns import Columns
from hibayes.hierarchical.gibbs import scales_density
from hibayes.hierarchical.items import JITTER
from hibayes.hierarchical.loo import log_likelihood
from hibayes.hierarchical.posterior import Posterior
from hibayes.model import (
    ModelConfig,
    crossed,
    crossed_factor,
    crossed_factor_items,
    fit,
    labels_of,
)
from hibayes.model.model_config import FitConfig
from hibayes.model.models.crossed_grid import Effects, schedule_of
from suites.errors import UsageError

for needed in ("jax", "numpyro", "arviz"):
    pytest.importorskip(needed, reason=f"needs {needed}: pip install 'benchcast[bayes]'")

MODELS, SCENARIOS, ITEMS = 8, 6, 100
GROUP = np.array([0, 0, 0, 1, 1, 1])
MAKER = np.array([0, 0, 1, 1, 2, 2, 2, 0])
FIT = {"samples": 60, "warmup": 60, "chains": 2}


@pytest.fixture
def double():
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def planted(seed=0):
    """Features of a complete grid of counts with a planted rank-one interaction."""
    rng = np.random.default_rng(seed)
    row, column = np.divmod(np.arange(MODELS * SCENARIOS), SCENARIOS)
    eta = 0.7 * rng.normal(size=(MODELS, 1)) + 0.6 * rng.normal(size=SCENARIOS)
    eta = eta + 0.4 * np.outer(rng.normal(size=MODELS), rng.normal(size=SCENARIOS))
    obs = rng.binomial(ITEMS, from_logit(eta + 0.1 * rng.normal(size=eta.shape)))
    near = np.exp(-np.abs(np.subtract.outer(np.arange(MODELS), np.arange(MODELS))) / 4.0)
    return {
        "obs": obs[row, column],
        "n_total": np.full(len(row), ITEMS),
        "model_index": row,
        "num_model": MODELS,
        "scenario_index": column,
        "num_scenario": SCENARIOS,
        "dataset_index": GROUP[column],
        "num_dataset": 2,
        "maker_index": MAKER[row],
        "num_maker": 3,
        "factor_kernel": near,
        "residual_kernel": near**2,
    }


def coords():
    return {
        "model": [f"m{i}" for i in range(MODELS)],
        "scenario": [f"s{j}" for j in range(SCENARIOS)],
        "dataset": ["easy", "hard"],
        "maker": ["x", "y", "z"],
        "kernel_model": [f"m{i}" for i in range(MODELS)],
    }


BUILT = {
    "crossed": lambda **more: crossed(
        group_effect="dataset", organisation_effect="maker", **{"thin": 1, **more}
    ),
    "crossed_factor": lambda **more: crossed_factor(
        group_effect="dataset", rank=2, **{"thin": 1, **more}
    ),
    "crossed_factor_items": lambda **more: crossed_factor_items(
        group_effect="dataset", rank=2, **{"thin": 1, **more}
    ),
}


def state_of(name, features=None, fit=FIT, **more):
    return ModelAnalysisState(
        BUILT[name](**more),
        ModelConfig.from_dict({"fit": fit}),
        features=features or planted(),
        coords=coords(),
    )


def grid_of(features):
    effects = Effects("model", "scenario", "dataset", "maker")
    return effects.grid(features, effects.layout(features))


def point(program, features, seed=0):
    """Draw all latent sites from the prior, the variances tamed."""
    from numpyro import handlers

    sites = handlers.trace(handlers.seed(program, seed)).get_trace(features)
    rng = np.random.default_rng(seed)
    return {
        name: 0.1 + rng.random(np.shape(site["value"]))
        if name.endswith("variance")
        else 0.5 * rng.normal(size=np.shape(site["value"]))
        for name, site in sites.items()
        if site["type"] == "sample" and name != "obs"
    }


def joint(program, features, values):
    from numpyro.infer.util import log_density

    return float(log_density(program, (features,), {}, values)[0])


def log_given(density, log_scale, centre, coefficients):
    """Log density of log scales and their coefficients, as the Gibbs step draws them."""
    value, h, inverse = density(log_scale[None])
    # drawn are inverse' (h + z)
    z = np.linalg.solve(np.swapaxes(inverse[0], -1, -2), (coefficients - centre)[..., None])
    off = z[..., 0] - h[0]
    size = np.log(np.abs(np.linalg.det(inverse[0])))
    return float(value.sum() - 0.5 * (off**2).sum() - size.sum())


@pytest.mark.parametrize("name", ["crossed", "crossed_factor"])
def test_the_scenario_step_draws_from_the_density_of_the_program(name, double):
    features, program = planted(), BUILT[name]()
    grid = grid_of(features)
    phi = 1.0 if name == "crossed" else 0.4
    values = point(program, features)
    rng = np.random.default_rng(3)
    factors = values.get("factors", np.zeros((MODELS, 0)))
    design = np.column_stack([np.ones(MODELS), factors])
    offset = values.get("model_effects", np.zeros(MODELS))
    own = np.exp(2.0 * values.get("log_model_residual", np.zeros(MODELS)))
    centre = values["group_effects"][GROUP][:, None]
    spread = np.full((SCENARIOS, 1), values["scenario_variance"])
    if name == "crossed_factor":
        centre = np.column_stack([centre, values["group_loadings"][GROUP]])
        spread = np.column_stack([spread, np.tile(values["loading_variance"], (SCENARIOS, 1))])

    def log_prior(log_s):
        off = log_s - values["group_log_residual"][GROUP]
        return -0.5 * off**2 / values["log_residual_variance"]

    density = scales_density(
        design[None],
        np.ones((SCENARIOS, MODELS)),
        phi * grid.known_noise.T,
        own[None, None],
        (grid.t.T - offset - centre @ design.T)[None],
        1.0 / spread[None],
        log_prior,
    )
    gaps = []
    for _ in range(4):
        coefficients = rng.normal(size=centre.shape)
        log_s = rng.normal(-1.0, 1.0, size=SCENARIOS)
        values |= {"scenario_effects": coefficients[:, 0], "log_residual": log_s}
        if name == "crossed_factor":
            values["loadings"] = coefficients[:, 1:]
        gibbs = log_given(density, log_s, centre, coefficients)
        gaps.append(joint(program, features, values) - gibbs)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-9)


def test_the_step_of_models_draws_from_the_density_of_the_program(double):
    features, program = planted(), BUILT["crossed_factor"]()
    grid = grid_of(features)
    values = point(program, features)
    rng = np.random.default_rng(3)
    density = scales_density(
        values["loadings"][None],
        np.ones((MODELS, SCENARIOS)),
        0.4 * grid.known_noise,
        np.exp(2.0 * values["log_residual"])[None, None],
        (grid.t - values["scenario_effects"])[None],
        np.ones((1, 1, 2)),
        lambda log_w: -0.5 * log_w**2 / values["model_residual_variance"],
    )
    gaps = []
    for _ in range(4):
        u, log_w = rng.normal(size=(MODELS, 2)), 0.5 * rng.normal(size=MODELS)
        values |= {"factors": u, "log_model_residual": log_w}
        gibbs = log_given(density, log_w, np.zeros_like(u), u)
        gaps.append(joint(program, features, values) - gibbs)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-9)


def test_the_program_with_item_kernels_has_the_covariances_of_its_sampler(double):
    features, program = planted(), BUILT["crossed_factor_items"]()
    grid = grid_of(features)
    kernel = features["residual_kernel"] + JITTER * np.eye(MODELS)
    columns = Columns(kernel, grid.mask, 0.4 * grid.known_noise)
    values = point(program, features)
    rng = np.random.default_rng(3)
    gaps = []
    for _ in range(4):
        b, h = rng.normal(size=SCENARIOS), rng.normal(size=(MODELS, SCENARIOS))
        v, log_w = rng.normal(size=(SCENARIOS, 2)), 0.3 * rng.normal(size=MODELS)
        log_s, log_h = rng.normal(-2.5, 0.5, SCENARIOS), rng.normal(-1.5, 0.5, SCENARIOS)
        values |= {
            "scenario_effects": b,
            "loadings": v,
            "interaction": h,
            "log_residual": log_s,
            "log_interaction_scale": log_h,
            "log_model_scale": log_w,
        }
        off = (grid.t - b - values["factors"] @ v.T).T
        # a column given the rest, H integrated out; then H given the column
        value = 0.0
        for j, factor in enumerate(columns.factorise(log_s, log_h, np.exp(log_w))):
            sigma = np.tril(factor) @ np.tril(factor).T
            prior = np.exp(2.0 * log_h[j]) * kernel * np.outer(np.exp(log_w), np.exp(log_w))
            gain = np.linalg.solve(sigma, prior).T
            value += stats.multivariate_normal(np.zeros(MODELS), sigma).logpdf(off[j])
            given = prior - gain @ prior
            value += stats.multivariate_normal(
                gain @ off[j], (given + given.T) / 2, allow_singular=False
            ).logpdf(h[:, j])
        value += stats.norm(values["group_effects"][GROUP], values["scenario_variance"] ** 0.5
                            ).logpdf(b).sum()  # fmt: skip
        value += stats.norm(values["group_loadings"][GROUP], values["loading_variance"] ** 0.5
                            ).logpdf(v).sum()  # fmt: skip
        value += stats.norm(values["mean_log_residual"], 0.8).logpdf(log_s).sum()
        value += stats.norm(values["mean_log_interaction_scale"], 0.6).logpdf(log_h).sum()
        spread = values["model_scale_variance"] ** 0.5
        value += stats.norm(0.0, spread).logpdf(log_w).sum()
        gaps.append(joint(program, features, values) - value)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-6)


def test_the_prior_of_factors_is_that_of_the_item_kernel(double):
    features, program = planted(), BUILT["crossed_factor_items"]()
    values = point(program, features)
    from numpyro import handlers

    made = handlers.substitute(handlers.seed(program, 0), values)
    site = handlers.trace(made).get_trace(features)["factors"]
    prior = stats.multivariate_normal(
        np.zeros(MODELS), features["factor_kernel"] + 1e-6 * np.eye(MODELS)
    )
    expected = sum(prior.logpdf(values["factors"][:, q]) for q in range(2))
    assert float(site["fn"].log_prob(values["factors"])) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "name", ["crossed", pytest.param("crossed_factor", marks=pytest.mark.slow)]
)
def test_nuts_on_the_program_agrees_with_the_sweeps(name):
    import jax
    from numpyro.infer import MCMC, NUTS

    features = planted()
    swept = state_of(name, fit={"samples": 400, "warmup": 200, "chains": 2},
                     thin=1 if name == "crossed" else 6)  # fmt: skip
    fit(swept)
    mcmc = MCMC(
        NUTS(swept.model, target_accept_prob=0.9, max_tree_depth=6),
        num_warmup=200, num_samples=300, num_chains=2, chain_method="sequential",
        progress_bar=False,
    )  # fmt: skip
    mcmc.run(jax.random.PRNGKey(1), features)
    names = ["expected", "log_residual", "scenario_variance", "log_residual_variance"]
    names += ["model_variance"] if name == "crossed" else ["model_residual_variance"]
    nuts = mcmc.get_samples(group_by_chain=True)
    posterior = arviz_bridge.dataset(swept.inference_data, "posterior")

    # logarithms, for variances have priors without a mean
    def summary(draws):
        kept = {n: np.log(draws[n]) if "variance" in n else np.asarray(draws[n]) for n in names}
        return arviz_bridge.summary(arviz_bridge.new_data({"posterior": kept}))

    one, other = summary(posterior), summary(nuts)
    for what in ("mean", "sd"):
        error = np.hypot(one[f"mcse_{what}"], other[f"mcse_{what}"])
        z = ((one[what] - other[what]) / error).to_numpy()
        assert np.abs(z).max() < 5.0, one.index[np.abs(z).argmax()]
        assert np.sqrt((z**2).mean()) < 1.8


def test_the_log_likelihood_of_a_row_is_that_of_the_program_without_effects(double):
    from numpyro.infer.util import log_likelihood as of_program

    state = state_of("crossed")
    fit(state)
    posterior = arviz_bridge.dataset(state.inference_data, "posterior")
    draws = {
        str(name): np.asarray(values).reshape(-1, *values.shape[2:]).astype(float)
        for name, values in posterior.data_vars.items()
        if name != "expected"
    }
    expected = np.asarray(of_program(state.model, draws, state.features)["obs"])
    kept = arviz_bridge.dataset(state.inference_data, "log_likelihood")["obs"].to_numpy()
    np.testing.assert_allclose(kept.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_a_factor_models_log_likelihood_has_the_rows_effects_integrated_out():
    state = state_of("crossed_factor")
    fit(state)
    draws = {
        str(name): values.to_numpy().astype(float)
        for name, values in arviz_bridge.dataset(
            state.inference_data, "posterior"
        ).data_vars.items()
    }
    grid = grid_of(state.features)
    schedule = schedule_of("crossed_factor", state.model_config.fit, 1)
    posterior = Posterior("crossed_factor", grid, 0.4, schedule, draws, {})
    rows, columns = state.features["model_index"], state.features["scenario_index"]
    expected = log_likelihood(posterior, rows, columns)
    kept = arviz_bridge.dataset(state.inference_data, "log_likelihood")["obs"].to_numpy()
    np.testing.assert_allclose(kept, expected, rtol=1e-3, atol=1e-3)


def test_counts_are_drawn_about_what_is_expected():
    import jax

    from hibayes.model.logit_count import logit_count

    made = logit_count(np.array([0.0, 9.0]), 1e-6, np.array([100, 50]))
    drawn = np.asarray(made.sample(jax.random.PRNGKey(0), (4000,)))
    assert drawn[:, 0].mean() == pytest.approx(50, abs=0.5)
    assert drawn[:, 0].std() == pytest.approx(5.0, rel=0.05)
    assert (drawn == np.round(drawn)).all()
    assert (drawn[:, 1] == 50).all()
    # all counts together have probability one
    total = np.exp(np.asarray(logit_count(0.2, 0.01, 200.0).log_prob(np.arange(201.0)))).sum()
    assert total == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("name", list(BUILT))
def test_variables_are_labelled_by_models_scenarios_and_groups(name):
    found = labels_of(state_of(name))
    assert found.dims["expected"] == ["model", "scenario"]
    assert found.dims["log_residual"] == ["scenario"]
    assert found.dims["group_effects"] == ["dataset"]
    assert found.coords["dataset"] == ["easy", "hard"]
    assert found.coords["model"][:2] == ["m0", "m1"]
    if name != "crossed":
        assert found.dims["factors"] == ["model", "factor"]
        assert found.dims["loadings"] == ["scenario", "factor"]
    else:
        assert found.dims["maker_effects"] == ["maker"]


def test_without_groups_and_organisations_all_scenarios_are_one_group():
    state = state_of("crossed")
    state.model = crossed(thin=1)
    fit(state)
    posterior = arviz_bridge.dataset(state.inference_data, "posterior")
    assert posterior["group_effects"].dims[2:] == ("scenario_group",)
    assert "maker_effects" not in posterior
    assert "maker_variance" not in posterior
    assert not [name for name in posterior if str(name).startswith("family")]


def test_the_same_seed_gives_the_same_draws_and_no_log_likelihood_where_none_is_wanted():
    one, other = (state_of("crossed", fit={**FIT, "log_likelihood": "none"}) for _ in range(2))
    fit(one)
    fit(other)
    a, b = (arviz_bridge.dataset(s.inference_data, "posterior")["expected"] for s in (one, other))
    np.testing.assert_array_equal(a, b)
    assert "log_likelihood" not in arviz_bridge.groups(one.inference_data)


@pytest.mark.parametrize(
    ("name", "own"),
    [("crossed", crossed_sweeps), ("crossed_factor", factor_sweeps),
     ("crossed_factor_items", item_sweeps)],
)  # fmt: skip
def test_sweeps_between_draws_make_up_for_few_draws(name, own):
    wanted = own.SCHEDULE.draws * own.SCHEDULE.thin
    few = schedule_of(name, FitConfig(samples=100, warmup=10))
    assert few.thin == -(-wanted // 100)
    assert few.warmup == 10 * few.thin
    assert schedule_of(name, FitConfig(samples=wanted + 1)).thin == 1


def test_the_display_hears_of_every_step_of_every_chain():
    made = {}
    state = state_of("crossed")
    config = FitConfig(samples=70, warmup=33, chains=2)
    from hibayes.model.definition import structure_of

    def progress(chain, steps):
        made[chain] = made.get(chain, 0) + steps

    structure_of(crossed(thin=3)).sampler(state.features, config, progress)
    assert made == {0: 103, 1: 103}


def test_factors_are_left_out_of_checks_of_convergence(caplog):
    state = state_of("crossed_factor", fit={**FIT, "samples": 20})
    with caplog.at_level(logging.INFO, "hibayes"):
        fit(state)
        r_hat(threshold=1e9)(state)
    assert "whatever fit.method says" in caplog.text
    verdict = state.diagnostic("r_hat_verdict")
    assert "left out: factors, loadings, group_loadings" in verdict["message"]
    assert "(known up to rotation only)" in verdict["message"]
    assert verdict["result"] == "pass"
    assert len(state.diagnostic("r_hat")) == len(state.get_summary())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_index": np.zeros(48, int)}, "groupby with groupby_columns"),
        ({"dataset_index": np.arange(48) // 24}, "dataset must be the same in all rows"),
        ({"obs": np.full(48, 101)}, "between 0 and n_total"),
        ({"n_total": np.zeros(48), "obs": np.zeros(48)}, "at least 1"),
    ],
)
def test_features_that_are_no_grid_of_counts_are_refused(change, said):
    with pytest.raises(UsageError, match=said):
        fit(state_of("crossed", {**planted(), **change}))


def test_fractions_of_graded_scores_are_taken():
    features = planted()
    features["obs"] = np.minimum(features["obs"] + 0.25, ITEMS)
    state = state_of("crossed", features)
    fit(state)
    assert state.is_fitted


def test_a_grid_too_small_for_factors_names_the_model_for_it():
    features = planted()
    keep = features["model_index"] < 4
    small = {
        name: value[keep] if np.shape(value) == (48,) else value for name, value in features.items()
    } | {"num_model": 4}
    state = state_of("crossed_factor", small)
    state.coords["model"] = state.coords["model"][:4]
    with pytest.raises(UsageError, match="Fit the model crossed"):
        fit(state)


def test_kernels_of_other_models_are_refused():
    features = planted()
    without = {name: value for name, value in features.items() if "kernel" not in name}
    with pytest.raises(UsageError, match="item_kernels before groupby"):
        fit(state_of("crossed_factor_items", without))
    state = state_of("crossed_factor_items")
    state.coords["kernel_model"] = state.coords["kernel_model"][::-1]
    with pytest.raises(UsageError, match="category_order"):
        fit(state)
    state.coords["kernel_model"] = ["other", *state.coords["model"][1:]]
    with pytest.raises(UsageError, match="m0, other are not in both"):
        fit(state)
    with pytest.raises(UsageError, match="shape"):
        fit(state_of("crossed_factor_items", {**features, "factor_kernel": np.eye(3)}))


@pytest.mark.parametrize(
    "arguments", [{"phi": 0.0}, {"thin": 0}, {"model_effect": "scenario"}, {"scenario_effect": 3}]
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(UsageError, match=next(iter(arguments))):
        crossed(**arguments)


CONFIG = """
data_loader:
  paths: {files_to_process: [demo/standin-v1]}
data_process:
  processors:
    - item_kernels
    - groupby: {groupby_columns: [model, scenario, dataset]}
    - extract_observed_feature: {feature_name: n_correct}
    - extract_features
model:
  models:
    - name: crossed
      config:
        group_effect: dataset
        thin: 1
        main_effect_params: [model_effects]
        fit: &few {samples: 60, warmup: 60, chains: 2}
    - name: crossed_factor
      config: {group_effect: dataset, rank: 2, thin: 1, fit: *few}
    - name: crossed_factor_items
      config:
        group_effect: dataset
        rank: 2
        thin: 1
        main_effect_params: [log_residual]
        fit: *few
check:
  checkers:
    - prior_predictive_plot: {interactive: false}
    - r_hat
    - ess_bulk
    - loo
    - waic
    - posterior_predictive_plot: {interactive: false}
communicate:
  communicators:
    - forest_plot: {best_model: false}
    - summary_table: {best_model: false}
    - model_comparison_plot
"""


def test_a_configuration_of_all_three_models_runs_and_is_taken_up_again(tmp_path):
    from hibayes.cli.main import main

    (tmp_path / "c.yaml").write_text(CONFIG)
    command = ["full", "--config", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "out"),
               "--no-tui"]  # fmt: skip
    assert main(command) in (0, None)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert "error" not in json.dumps(results["communicate"])
    state = AnalysisState.load(tmp_path / "out")
    assert [one.model_name for one in state.models] == list(BUILT)
    for one in state.models:
        ran = {check["checker"]: check["result"] for check in one.checks}
        assert "error" not in ran.values()
        assert len(ran) == 6
        assert np.isfinite(one.diagnostic("elpd_loo"))
        posterior = arviz_bridge.dataset(one.inference_data, "posterior")
        assert posterior["expected"].dims == ("chain", "draw", "model", "scenario")
        assert "oak-70b" in posterior["model"].to_numpy().tolist()
        # rebuilt by name, it predicts as when it was fitted
        assert labels_of(one).dims["expected"] == ["model", "scenario"]
        assert one.link_function(0.0) == pytest.approx(0.5)
        assert one.link_function(9.0) == 1.0
    assert {"factor_kernel", "residual_kernel"} <= set(state.features)
    shown = sorted(file.name for file in (tmp_path / "out" / "communicate").iterdir())
    assert {"model_crossed_factor__forest.png", "model_comparison.png"} <= set(shown)
    table = pd.read_csv(tmp_path / "out" / "communicate" / "model_comparison_table.csv")
    assert len(table) == 3

    assert main([*command, "--resume"]) in (0, None)
    again = AnalysisState.load(tmp_path / "out")
    said = "\n".join(again.get_stage_logs("model"))
    assert said.count("has been fitted before") == 3


def test_the_item_kernels_survive_being_saved(tmp_path):
    state = state_of("crossed_factor_items")
    fit(state)
    whole = AnalysisState(data=pd.DataFrame({"a": [1]}), features=state.features)
    whole.add_model(state)
    whole.save(tmp_path / "s")
    found = AnalysisState.load(tmp_path / "s").models[0]
    np.testing.assert_array_equal(found.features["factor_kernel"], state.features["factor_kernel"])
    fit(found)
    a, b = (arviz_bridge.dataset(s.inference_data, "posterior")["expected"] for s in (state, found))
    np.testing.assert_array_equal(a, b)
