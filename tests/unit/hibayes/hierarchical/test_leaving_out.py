"""Leaving a cell out: the closed forms against brute force, and against a refit."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from hibayes.hierarchical.cells import slope
from hibayes.hierarchical.crossed import fit_crossed
from hibayes.hierarchical.factor import fit_factor
from hibayes.hierarchical.gibbs import LEAST_VARIANCE, Schedule
from hibayes.hierarchical.items import JITTER, fit_items
from hibayes.hierarchical.kernels import Kernels
from hibayes.hierarchical.loo import log_likelihood

TINY = Schedule(chains=2, warmup=20, draws=3, thin=1)


def conditional(t, mean, covariance, i):
    """Log density of one component, all others given."""
    others = np.arange(len(t)) != i
    whole = multivariate_normal.logpdf(t, mean, covariance)
    return whole - multivariate_normal.logpdf(
        t[others], mean[others], covariance[np.ix_(others, others)]
    )


def unit(grid, i, j):
    return np.log(slope(grid.y[i, j]) / grid.n[i, j])


def test_the_crossed_model_leaves_a_cell_with_its_residual_out(planted):
    grid = planted(models=6, scenarios=5).grid
    posterior = fit_crossed(grid, TINY)
    found = log_likelihood(posterior, np.array([0]), np.array([1]))[1, 2, 0]
    draw = {name: values[1, 2] for name, values in posterior.draws.items()}
    mean = draw["scenario_effects"][1] + draw["model_effects"][0]
    variance = grid.known_noise[0, 1] + np.exp(2 * draw["log_residual"][1])
    sd = np.sqrt(variance + LEAST_VARIANCE)
    assert found == pytest.approx(norm.logpdf(grid.t[0, 1], mean, sd) + unit(grid, 0, 1))


def test_the_factor_model_leaves_a_cell_out_of_its_models_row(planted):
    grid = planted(models=9, scenarios=7, rank=1).grid
    posterior = fit_factor(grid, TINY, rank=2)
    i = int(np.flatnonzero(~grid.mask.all(axis=1))[0])
    seen = np.flatnonzero(grid.mask[i])
    found = log_likelihood(posterior, np.full(len(seen), i), seen)[0, 1]
    draw = {name: values[0, 1] for name, values in posterior.draws.items()}
    v, b = draw["loadings"][seen], draw["scenario_effects"][seen]
    variance = posterior.phi * grid.known_noise[i, seen]
    variance = variance + np.exp(2 * (draw["log_residual"][seen] + draw["log_model_residual"][i]))
    covariance = v @ v.T + np.diag(variance + LEAST_VARIANCE)
    for place, j in enumerate(seen):
        expected = conditional(grid.t[i, seen], b, covariance, place) + unit(grid, i, j)
        assert found[place] == pytest.approx(expected)


def test_the_model_with_item_kernels_leaves_a_cell_out_of_its_column(planted_items):
    made = planted_items()
    grid, kernels = made.grid, Kernels.of(made.tables, 12)
    posterior = fit_items(grid, kernels, TINY, rank=2)
    j = int(np.flatnonzero(~grid.mask.all(axis=0))[0])
    seen = np.flatnonzero(grid.mask[:, j])
    found = log_likelihood(posterior, seen, np.full(len(seen), j))[1, 0]
    draw = {name: values[1, 0] for name, values in posterior.draws.items()}
    design = np.column_stack([np.ones(12), draw["factors"]])[seen]
    centre = np.concatenate(
        [
            [draw["group_effects"][grid.group[j]]],
            draw["group_loadings"][grid.group[j]] + draw["family_loadings"][grid.family[j]],
        ]
    )
    spread = np.concatenate([[draw["scenario_variance"]], draw["loading_variance"]])
    omega = np.exp(draw["log_model_scale"])
    kernel = (kernels.residual + JITTER * np.eye(12)) * np.outer(omega, omega)
    covariance = np.exp(2 * draw["log_interaction_scale"][j]) * kernel[np.ix_(seen, seen)]
    covariance += np.diag(
        posterior.phi * grid.known_noise[seen, j] + np.exp(2 * draw["log_residual"][j])
    )
    covariance += design @ np.diag(spread) @ design.T
    for place, i in enumerate(seen):
        expected = conditional(grid.t[seen, j], design @ centre, covariance, place)
        assert found[place] == pytest.approx(expected + unit(grid, i, j), abs=1e-3)


def test_leaving_out_agrees_with_a_refit_without_the_cell(planted):
    pytest.importorskip("arviz")
    from hibayes.hierarchical.cells import Grid
    from hibayes.loo import loo_by_run

    made = planted(models=16, scenarios=10, rank=1, held=0.0)
    schedule = Schedule(chains=2, warmup=300, draws=300, thin=3)
    rows, columns = np.nonzero(made.grid.mask)
    names = [f"{i}-{j}" for i, j in zip(rows, columns, strict=True)]
    full = fit_factor(made.grid, schedule, rank=2)
    table = loo_by_run(log_likelihood(full, rows, columns), names).set_index("run")
    assert (table["pareto_k"] < 0.7).mean() > 0.9
    differences = []
    for i, j in [(2, 3), (7, 0), (11, 8), (15, 5)]:
        y = made.grid.y.copy()
        y[i, j] = np.nan
        grid = made.grid
        without = Grid(grid.models, grid.columns, y, grid.n, grid.group, grid.family, grid.maker)
        posterior = fit_factor(without, schedule, rank=2)
        cell = np.array([i]), np.array([j])
        variance = posterior.phi * grid.known_noise[i, j] + posterior.residual_variance(*cell)
        density = norm.pdf(grid.t[i, j], posterior.expected(*cell), np.sqrt(variance))
        exact = np.log(density.mean()) + unit(grid, i, j)
        differences.append(table.loc[f"{i}-{j}", "elpd_loo"] - exact)
    assert np.abs(differences).max() < 0.15, differences
