"""What shown responses say of latent values, and the update by it."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom, norm

from hibayes.hierarchical.cells import from_logit, to_logit
from hibayes.hierarchical.sites import _GRID, binomial_site, item_site, update, update_each

INSIDE = slice(20, -20)


def responses(n=120, k=30, seed=0):
    rng = np.random.default_rng(seed)
    logits, shown = rng.normal(0.3, 1.5, size=n), np.arange(n) < k
    return logits, shown, np.where(shown & (rng.random(n) < 0.6), 1.0, 0.0)


@pytest.mark.parametrize("site", [binomial_site(30, 18), item_site(*responses())])
def test_the_score_is_the_slope_of_the_log_likelihood(site):
    slope = np.gradient(site.log_likelihood, _GRID)
    # items are tabulated at shifts, and interpolated between them
    assert site.score[INSIDE] == pytest.approx(slope[INSIDE], abs=0.02 * np.ptp(slope[INSIDE]))


def test_the_information_is_the_variance_of_the_score():
    k, x = 12, 100
    p = from_logit(_GRID[x])
    scores = np.array([binomial_site(k, h).score[x] for h in range(k + 1)])
    chance = binom.pmf(np.arange(k + 1), k, p)
    assert chance @ scores == pytest.approx(0, abs=1e-9)
    assert binomial_site(k, 3).information[x] == pytest.approx(chance @ scores**2)


def test_items_that_are_equally_hard_say_what_a_count_says():
    _, shown, right = responses()
    same = item_site(np.full(120, 0.7), shown, right)
    count = binomial_site(30, right.sum())
    for found, expected in zip(same, count, strict=True):
        scale = np.abs(expected[INSIDE]).max()
        assert found[INSIDE] == pytest.approx(expected[INSIDE], abs=0.02 * scale)


def test_the_value_of_a_shift_is_the_mean_over_all_items():
    logits, shown, right = responses(k=120)  # with all shown, the best value is their mean
    site = item_site(logits, shown, right)
    assert _GRID[site.log_likelihood.argmax()] == pytest.approx(to_logit(right.mean()), abs=0.06)


def test_an_easy_item_wrong_lowers_more_than_a_hard_one():
    logits = np.repeat([-2.0, 2.0], 50)
    middle = len(_GRID) // 2
    score = {}
    for name, place in (("hard", 0), ("easy", 99)):
        score[name] = item_site(logits, np.arange(100) == place, np.zeros(100)).score[middle]
    assert score["easy"] < 2 * score["hard"] < 0


def test_a_value_without_its_own_site_is_what_the_others_say():
    mean, covariance = np.array([[0.1, -0.3]]), np.array([[[0.5, 0.4], [0.4, 0.6]]])
    own, other = binomial_site(20, 15), binomial_site(40, 22)
    both, without = update(mean, covariance, [own, other]), update(mean, covariance, [None, other])
    found = both.without_own()
    assert found[0][0, 0] == pytest.approx(without.mean[0, 0], abs=0.03)
    assert found[1][0, 0] == pytest.approx(without.variance[0, 0], rel=0.05)
    assert both.variance[0, 0] < 0.7 * without.variance[0, 0]


def test_mean_and_variance_over_draws_count_their_weights():
    site = binomial_site(50, 37)
    found = update(np.array([[-1.0], [1.0]]), np.full((2, 1, 1), 0.1), [site])
    mean, variance = found.overall()
    expected = found.weights @ found.mean[:, 0]
    assert mean[0] == pytest.approx(expected)
    square = found.weights @ (found.covariance[:, 0, 0] + found.mean[:, 0] ** 2)
    assert variance[0] == pytest.approx(square - expected**2)


def test_one_value_updated_agrees_with_quadrature():
    k, total = 30.0, 21.0
    found = update(np.array([[0.2]]), np.array([[[0.5]]]), [binomial_site(k, total)])
    x = np.linspace(-4, 5, 20001)
    p = np.clip(1.2 * expit(x) - 0.1, 0.004, 0.996)
    density = norm.pdf(x, 0.2, np.sqrt(0.5)) * binom.pmf(total, k, p)
    density /= density.sum()
    mean = density @ x
    assert found.mean[0, 0] == pytest.approx(mean, abs=0.03)
    assert found.covariance[0, 0, 0] == pytest.approx(density @ (x - mean) ** 2, rel=0.1)


def test_draws_are_weighted_by_how_well_they_said_what_is_shown():
    mean, covariance = np.array([[-1.0], [1.0]]), np.full((2, 1, 1), 0.1)
    found = update(mean, covariance, [binomial_site(50, 37)])
    p = []
    for m in mean[:, 0]:
        x = norm(m, np.sqrt(0.1)).ppf((np.arange(4000) + 0.5) / 4000)
        p.append(binom.pmf(37, 50, np.clip(1.2 * expit(x) - 0.1, 0.004, 0.996)).mean())
    assert found.weights == pytest.approx(np.array(p) / np.sum(p), abs=0.02)
    assert 1 <= found.effective <= 2


def test_nothing_shown_changes_nothing():
    mean, covariance = np.zeros((3, 2)), np.tile(np.eye(2), (3, 1, 1))
    found = update(mean, covariance, [None, None])
    assert np.array_equal(found.mean, mean)
    assert found.effective == pytest.approx(3)


def test_what_is_shown_of_one_column_tells_of_the_others():
    mean, covariance = np.zeros((1, 2)), np.array([[[1.0, 0.9], [0.9, 1.0]]])
    found = update(mean, covariance, [binomial_site(100, 80), None])
    assert found.mean[0, 1] == pytest.approx(0.9 * found.mean[0, 0], rel=0.05)


def test_values_told_by_themselves_alone_do_not_depend_on_what_else_is_updated():
    rng = np.random.default_rng(8)
    mean, variance = rng.normal(size=7), rng.uniform(0.05, 2.0, 7)
    sites = [binomial_site(float(k), float(k // 3)) if k else None for k in (0, 3, 9, 0, 30, 7, 60)]
    whole = update_each(mean, variance, sites)
    for j, site in enumerate(sites):
        alone = update_each(mean[[j]], variance[[j]], [site])
        assert whole.mean[0, j] == alone.mean[0, 0]
        assert whole.variance[0, j] == alone.variance[0, 0]
        usual = update(mean[None, [j]], variance[[j]][None, None], [site])
        np.testing.assert_allclose(alone.mean, usual.mean, atol=1e-12)
        np.testing.assert_allclose(alone.without_own(), usual.without_own(), rtol=1e-6, atol=1e-9)
