"""The pieces of the samplers against what they stand for, computed by brute force."""

import numpy as np
import pytest
from scipy.stats import invgamma, multivariate_normal

from hibayes.hierarchical.cells import Grid, from_logit, noise, slope, to_logit
from hibayes.hierarchical.columns import Columns, inverses
from hibayes.hierarchical.gibbs import (
    LEAST_VARIANCE,
    Levels,
    Schedule,
    Walk,
    draw_inverse_gamma,
    draw_normal,
    weigh,
)

RNG = np.random.default_rng(4)


def test_the_scale_and_its_inverse_and_slope():
    y = np.linspace(0, 1, 11)
    assert np.allclose(from_logit(to_logit(y)), y)
    step = 1e-6
    assert np.allclose((to_logit(0.3 + step) - to_logit(0.3 - step)) / (2 * step), slope(0.3))
    assert from_logit(50.0) == 1.0


def test_noise_is_that_of_a_binomial_count_to_first_order():
    drawn = np.random.default_rng(0).binomial(400, 0.3, size=20000) / 400
    assert noise(0.3, 400) == pytest.approx(to_logit(drawn).var(), rel=0.05)


def test_a_grid_does_not_depend_on_the_order_of_the_runs():
    model, column, y = ["b", "a", "a", "a"], ["s", "t", "s", "s"], [0.1, 0.2, 0.3, 0.5]
    grid = Grid.of(model, column, y, [5, 6, 7, 9])
    again = Grid.of(model[::-1], column[::-1], y[::-1], [9, 7, 6, 5])
    assert np.array_equal(grid.y, again.y, equal_nan=True)
    assert grid.y[0, 0] == 0.4
    assert grid.n.tolist() == [[9, 6], [5, 0]]
    assert (grid.known_noise[1, 1], grid.t[1, 1]) == (0, 0)


def test_weigh_integrates_the_coefficients_out():
    n, p = 7, 3
    design, w = RNG.normal(size=(1, n, p)), RNG.uniform(0.5, 2, size=(1, 2, n))
    residual, prior = RNG.normal(size=(1, 2, n)), RNG.uniform(0.5, 2, size=(1, 2, p))
    solved = weigh(design, w, residual, prior)
    for k in range(2):
        covariance = np.diag(1 / w[0, k]) + design[0] @ np.diag(1 / prior[0, k]) @ design[0].T
        density = multivariate_normal.logpdf(residual[0, k], np.zeros(n), covariance)
        found = solved.log_density[0, k] + 0.5 * np.log(w[0, k]).sum()
        found += 0.5 * np.log(prior[0, k]).sum() - 0.5 * n * np.log(2 * np.pi)
        assert found == pytest.approx(density)
    draws = draw_normal(
        np.random.default_rng(0),
        np.repeat(solved.h[:, :1], 40000, axis=1),
        np.repeat(solved.inverse[:, :1], 40000, axis=1),
    )[0]
    q = np.diag(prior[0, 0]) + design[0].T @ np.diag(w[0, 0]) @ design[0]
    mean = np.linalg.solve(q, design[0].T @ (w[0, 0] * residual[0, 0]))
    assert np.allclose(draws.mean(axis=0), mean, atol=0.02)
    assert np.allclose(np.cov(draws.T), np.linalg.inv(q), atol=0.02)


def test_columns_integrate_profile_and_coefficients_out():
    rows, p = 6, 2
    root = RNG.normal(size=(rows, rows))
    kernel = root @ root.T / rows + 0.1 * np.eye(rows)
    mask = np.ones((rows, 1), bool)
    known, scale = RNG.uniform(0.1, 0.3, size=(rows, 1)), RNG.uniform(0.5, 1.5, size=rows)
    columns = Columns(kernel, mask, known)
    log_s, log_h = np.array([-0.7]), np.array([0.2])
    factors = columns.factorise(log_s, log_h, scale)
    sigma = np.exp(0.4) * kernel * np.outer(scale, scale) + np.diag(
        known[:, 0] + np.exp(-1.4) + LEAST_VARIANCE
    )
    assert np.allclose(inverses(factors)[0], np.linalg.inv(sigma))
    design, residual = RNG.normal(size=(rows, p)), RNG.normal(size=(1, rows))
    variance = np.array([[0.5, 2.0]])
    density, _, _ = columns.regress(factors, design, residual, variance)
    whole = sigma + design @ np.diag(variance[0]) @ design.T
    expected = multivariate_normal.logpdf(residual[0], np.zeros(rows), whole)
    shift = -0.5 * rows * np.log(2 * np.pi) - 0.5 * np.log(variance).sum()
    assert density[0] + shift == pytest.approx(expected)


def test_a_cell_without_value_says_nothing():
    mask = np.array([[True], [True], [False]])
    columns = Columns(np.eye(3), mask, np.zeros((3, 1)))
    factors = columns.factorise(np.zeros(1), np.zeros(1), np.ones(3))
    two = Columns(np.eye(2), mask[:2], np.zeros((2, 1)))
    fewer = two.factorise(np.zeros(1), np.zeros(1), np.ones(2))
    residual, prior = np.array([[0.3, -0.2, 0.0]]), np.ones((1, 1))
    _, h, _ = columns.regress(factors, np.ones((3, 1)), residual, prior)
    _, expected, _ = two.regress(fewer, np.ones((2, 1)), residual[:, :2], prior)
    assert h == pytest.approx(expected, abs=1e-5)


def test_draws_of_variances_and_means_have_their_distributions():
    rng = np.random.default_rng(1)
    drawn = draw_inverse_gamma(rng, 3.0, np.full(20000, 2.0))
    assert np.quantile(drawn, [0.1, 0.5, 0.9]) == pytest.approx(
        invgamma(3.0, scale=2.0).ppf([0.1, 0.5, 0.9]), rel=0.05
    )
    levels = Levels(np.array([0, 0, 1]))
    x = np.tile([1.0, 2.0, 5.0], (20000, 1))
    one = np.ones(20000)
    means = levels.draw(rng, x, 0.5 * one, 1.0 * one, 2.0 * one)
    precision = np.array([2 / 0.5 + 0.5, 1 / 0.5 + 0.5])
    centre = np.array([3.0 / 0.5 + 0.5, 5.0 / 0.5 + 0.5]) / precision
    assert means.mean(axis=0) == pytest.approx(centre, abs=0.03)
    assert means.var(axis=0) == pytest.approx(1 / precision, rel=0.05)


def test_a_walk_finds_a_step_with_the_acceptance_aimed_at():
    rng = np.random.default_rng(0)
    walk, x = Walk(np.full((1, 200), 1.9)), np.zeros((1, 200))
    for sweep in range(1500):
        proposed = x + walk.step * rng.standard_normal(x.shape)
        taken = walk.accept(rng, 12.5 * (x**2 - proposed**2), sweep, 1000)
        x = np.where(taken, proposed, x)
    assert walk.acceptance == pytest.approx(0.35, abs=0.06)


def test_a_schedule_keeps_what_it_says():
    schedule = Schedule(warmup=10, draws=5, thin=3)
    assert schedule.sweeps == 25
    assert sum(schedule.keeps(sweep) for sweep in range(schedule.sweeps)) == 5
    assert schedule.keeps(24)
    assert not schedule.keeps(9)


def test_early_luck_does_not_let_a_step_grow_without_end():
    walk = Walk(np.full((1, 3), 0.3))
    for sweep in range(100):
        walk.adapt(np.ones((1, 3), bool), sweep, 100)
    assert walk.step.max() <= 2.0
    for sweep in range(100):
        walk.adapt(np.zeros((1, 3), bool), sweep, 100)
    assert walk.step.min() > 0
