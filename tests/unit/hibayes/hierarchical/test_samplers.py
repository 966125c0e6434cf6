"""The three samplers: what they recover, and that a seed is all that decides their draws."""

import numpy as np
import pytest

from hibayes.hierarchical.cells import Grid, from_logit, noise
from hibayes.hierarchical.crossed import fit_crossed
from hibayes.hierarchical.factor import fit_factor
from hibayes.hierarchical.gibbs import Schedule
from hibayes.hierarchical.items import fit_items
from hibayes.hierarchical.kernels import Kernels

SHORT = Schedule(chains=2, warmup=200, draws=200, thin=1)
TINY = Schedule(chains=2, warmup=10, draws=10, thin=1)


def test_the_crossed_model_recovers_what_was_planted(planted):
    made = planted(rank=0, spread=0.1)
    posterior = fit_crossed(made.grid, SHORT)
    rows, columns = posterior.unobserved()
    eta = posterior.expected(rows, columns)
    truth = made.eta[rows, columns]
    assert len(rows) > 5
    assert np.abs(eta.mean(axis=0) - truth).mean() < 0.15
    inside = (np.quantile(eta, 0.02, axis=0) < truth) & (truth < np.quantile(eta, 0.98, axis=0))
    assert inside.mean() > 0.8
    assert abs(np.exp(posterior.flat("log_residual")).mean() - 0.1) < 0.08


def test_the_factor_model_sees_interactions_that_the_crossed_model_cannot(planted):
    made = planted(models=24, scenarios=16, rank=2, spread=0.05)
    rows, columns = np.nonzero(~made.grid.mask)
    truth = made.eta[rows, columns]
    error = {}
    for fit in (fit_crossed, fit_factor):
        eta = fit(made.grid, SHORT).expected(rows, columns)
        error[fit.__name__] = np.abs(eta.mean(axis=0) - truth).mean()
    assert error["fit_factor"] < 0.5 * error["fit_crossed"]


@pytest.mark.parametrize("rank", [0, 2])
def test_ninety_per_cent_intervals_hold_about_ninety_per_cent_of_unseen_values(planted, rank):
    hits = []
    for seed in range(3):
        made = planted(models=20, scenarios=12, rank=rank, held=0.2, seed=seed)
        posterior = (fit_factor if rank else fit_crossed)(made.grid, SHORT, phi=1.0)
        rows, columns = np.nonzero(~made.grid.mask)
        eta = posterior.expected(rows, columns)
        variance = noise(from_logit(eta), 200) + posterior.residual_variance(rows, columns)
        rng = np.random.default_rng(seed)
        drawn = from_logit(eta + np.sqrt(variance) * rng.normal(size=eta.shape))
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
        y = made.y[rows, columns]
        hits += ((low <= y) & (y <= high)).tolist()
    assert 0.82 < np.mean(hits) < 0.97


def test_item_kernels_help_where_models_have_relatives(planted_items):
    error = {"factor": [], "items": []}
    for seed in range(2):
        made = planted_items(seed=seed)
        rows, columns = np.nonzero(~made.grid.mask)
        kernels = Kernels.of(made.tables, len(made.grid.models))
        for name, posterior in (
            ("factor", fit_factor(made.grid, SHORT)),
            ("items", fit_items(made.grid, kernels, SHORT, rank=3)),
        ):
            y = from_logit(posterior.expected(rows, columns)).mean(axis=0)
            error[name] += np.abs(y - made.y[rows, columns]).tolist()
    assert np.mean(error["items"]) < np.mean(error["factor"])


@pytest.mark.parametrize("name", ["crossed", "factor", "items"])
def test_a_seed_decides_the_draws(name, planted_items):
    made = planted_items()
    kernels = Kernels.of(made.tables, len(made.grid.models))

    def fit(seed):
        schedule = Schedule(chains=2, warmup=10, draws=10, thin=1, seed=seed)
        if name == "items":
            return fit_items(made.grid, kernels, schedule, rank=2)
        return (fit_crossed if name == "crossed" else fit_factor)(made.grid, schedule)

    one, same, other = fit(1), fit(1), fit(2)
    for key, draws in one.draws.items():
        assert np.array_equal(draws, same.draws[key]), key
    assert not np.array_equal(one.draws["scenario_effects"], other.draws["scenario_effects"])


def test_draws_have_the_axes_that_they_say(planted_items):
    made = planted_items()
    kernels = Kernels.of(made.tables, len(made.grid.models))
    for posterior in (
        fit_crossed(made.grid, TINY),
        fit_factor(made.grid, TINY),
        fit_items(made.grid, kernels, TINY, rank=2),
    ):
        coords = posterior.coords
        assert posterior.draws.keys() == posterior.dims.keys()
        for name, draws in posterior.draws.items():
            axes = [len(coords[dim]) for dim in posterior.dims[name]]
            assert draws.shape == (2, 10, *axes), name
            assert np.isfinite(draws).all(), name


def test_chains_agree(planted):
    from hibayes.hierarchical.checks import diagnostics, judge

    pytest.importorskip("arviz")
    made = planted(models=20, scenarios=12, rank=2)
    posterior = fit_factor(made.grid, Schedule(chains=4, warmup=500, draws=250, thin=4))
    table = judge(diagnostics(posterior))
    assert table["check"].tolist() == ["r_hat", "ess_bulk"]
    assert table["passed"].all(), table


@pytest.mark.parametrize("seed", range(4))
def test_values_that_are_no_counts_and_hardly_vary_are_survived(seed):
    rng = np.random.default_rng(seed)
    y = np.clip(0.5 + 0.3 * rng.normal(size=(9, 7)), 0, 1)
    y[:, 2] = 0.25  # a column without any spread
    y[:, 3] = [0.0, 1.0] * 4 + [0.0]
    rows, columns = np.nonzero(rng.random(y.shape) < 0.9)
    grid = Grid.of(
        [f"m{i}" for i in rows], [f"s{j}" for j in columns], y[rows, columns], np.zeros(len(rows))
    )
    kernels = Kernels.of({}, 9)
    schedule = Schedule(chains=2, warmup=60, draws=30, thin=1, seed=seed)
    for posterior in (
        fit_crossed(grid, schedule),
        fit_factor(grid, schedule),
        fit_items(grid, kernels, schedule, rank=2),
    ):
        assert all(np.isfinite(draws).all() for draws in posterior.draws.values())
