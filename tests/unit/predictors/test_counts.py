"""Probabilities of counts: hand computations, second implementations, and what always holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from predictors.common.counts import (
    FLOOR,
    leave_one_out,
    log_hypergeometric,
    log_pmf_beta,
    log_pmf_normal,
    log_pmf_squashed,
    squash,
    unsquash,
    update,
)

sizes = st.integers(1, 60)
unit = st.floats(0.0, 1.0)


def test_squash_equals_the_hand_computation():
    # tr(.3) = log(.32 / .72), tr(0) = log(.02 / 1.02)
    assert squash(0.3) == pytest.approx(np.log(0.32 / 0.72))
    assert squash(0.0) == pytest.approx(np.log(0.02 / 1.02))


@given(unit)
def test_unsquash_inverts_squash(y):
    assert unsquash(squash(y)) == pytest.approx(y, abs=1e-12)


def test_beyond_the_ends_unsquash_stays_in_the_range():
    assert unsquash([-1e9, -3.94, 3.94, 1e9]).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_normal_counts_take_the_mass_between_half_counts_and_the_ends_take_the_tails():
    # n = 4, N(.5, .25): edges .125 .375 .625 .875 lie at -1.5, -.5, .5, 1.5 sd;
    # Phi(-1.5) = .0668, Phi(-.5) = .3085.
    pmf = np.exp(log_pmf_normal(4, [0.5], [0.25]))[0]
    assert pmf == pytest.approx([0.0668, 0.2417, 0.3829, 0.2417, 0.0668], abs=5e-5)


def test_squashed_counts_have_their_edges_on_the_logit_scale():
    # n = 2: edges tr(.25) = log(.27/.77), tr(.75) = -tr(.25); N(.5, 1)
    edge = np.log(0.27 / 0.77)
    expected = np.diff([0, *stats.norm.cdf([edge, -edge], 0.5, 1.0), 1])
    assert np.exp(log_pmf_squashed(2, [0.5], [1.0]))[0] == pytest.approx(expected)


def test_no_count_under_a_normal_is_impossible():
    for pmf in (log_pmf_normal(50, [0.9], [0.001]), log_pmf_squashed(50, [-3.9], [0.01])):
        assert np.exp(pmf.min()) == pytest.approx(FLOOR, rel=1e-6)


@given(sizes, st.floats(1e-3, 1e5), st.floats(1e-3, 1e5))
def test_beta_counts_equal_scipy(n, a, b):
    expected = stats.betabinom.logpmf(np.arange(n + 1), n, a, b)
    assert log_pmf_beta(n, [a], [b])[0] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_jeffreys_counts_of_two_equal_the_hand_computation():
    # C(2,c) B(c+1/2, 5/2-c) / B(1/2, 1/2) = 3/8, 1/4, 3/8
    assert np.exp(log_pmf_beta(2, 0.5, 0.5))[0] == pytest.approx([0.375, 0.25, 0.375])


@given(st.data())
def test_the_hypergeometric_equals_scipy(data):
    n = data.draw(sizes)
    k = data.draw(st.integers(0, n))
    h = data.draw(st.integers(0, k))
    expected = [stats.hypergeom.pmf(h, n, c, k) for c in range(n + 1)]
    assert np.exp(log_hypergeometric(n, [h], [k]))[0] == pytest.approx(expected, abs=1e-9)


def test_an_update_equals_the_hand_computation():
    # uniform over 0..4; one success in two draws: C(c,1) C(4-c,1) = 0, 3, 4, 3, 0
    pmf = np.exp(update(log_pmf_beta(4, [1.0], [1.0]), [1], [2]))[0]
    assert pmf == pytest.approx([0.0, 0.3, 0.4, 0.3, 0.0])


@given(st.data())
def test_an_update_is_a_pmf_without_impossible_counts(data):
    n = data.draw(st.integers(1, 400))
    k = data.draw(st.integers(0, n))
    h = data.draw(st.integers(0, k))
    mean, sd = data.draw(unit), data.draw(st.floats(0.01, 3.0))
    pmf = np.exp(update(log_pmf_normal(n, [mean], [sd]), [h], [k]))[0]
    assert pmf.sum() == pytest.approx(1.0)
    assert not pmf[:h].any()
    assert not pmf[n - (k - h) + 1 :].any()


@given(st.data())
def test_two_updates_equal_one_by_all_that_was_shown(data):
    # The second draw is from what the first has left: c - h of n - k, hence a smaller pmf.
    n = data.draw(st.integers(2, 40))
    k = data.draw(st.integers(0, n - 1))
    h = data.draw(st.integers(0, k))
    first = update(log_pmf_beta(n, [2.0], [3.0]), [h], [k])[:, h : n - (k - h) + 1]
    k2 = data.draw(st.integers(0, n - k))
    h2 = data.draw(st.integers(0, k2))
    second = np.exp(update(first, [h2], [k2]))[0]
    whole = np.exp(update(log_pmf_beta(n, [2.0], [3.0]), [h + h2], [k + k2]))[0]
    assert second == pytest.approx(whole[h : n - (k - h) + 1], abs=1e-9)


def test_nothing_shown_changes_nothing():
    prior = log_pmf_normal(30, [0.3, 0.6], [0.1, 0.2])
    assert update(prior, [0, 0], [0, 0]) == pytest.approx(prior, abs=1e-12)


def test_when_all_are_shown_the_count_is_known():
    pmf = np.exp(update(log_pmf_normal(20, [0.9], [0.01]), [2], [20]))[0]
    assert pmf.tolist() == [0.0, 0.0, 1.0] + [0.0] * 18


def test_many_targets_at_once_equal_one_by_one():
    mean, sd, h, k = [0.2, 0.8, 0.5], [0.1, 0.3, 0.05], [0, 3, 5], [1, 3, 10]
    together = update(log_pmf_normal(17, mean, sd), h, k)
    for i in range(3):
        alone = update(log_pmf_normal(17, [mean[i]], [sd[i]]), [h[i]], [k[i]])
        assert np.array_equal(together[i], alone[0])


def test_large_runs_neither_overflow_nor_underflow():
    pmf = np.exp(update(log_pmf_beta(20_000, [500.0], [0.5]), [3], [400]))
    assert pmf.sum() == pytest.approx(1.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_moments_without_each_value_equal_those_of_the_rest(values):
    mean, squares = leave_one_out(values)
    scale = max(1.0, max(map(abs, values)))
    for i in range(len(values)):
        rest = np.delete(values, i)
        assert mean[i] == pytest.approx(rest.mean(), abs=1e-12 * scale)
        assert squares[i] == pytest.approx(
            ((rest - rest.mean()) ** 2).sum(), rel=1e-9, abs=1e-20 * scale**2
        )


def test_leaving_the_odd_one_out_leaves_no_spread():
    _, squares = leave_one_out([0.1, 0.1, 0.1, 1e6])
    assert squares[3] < 1e-30


def test_one_value_leaves_nothing():
    assert [a.tolist() for a in leave_one_out([3.0])] == [[0.0], [0.0]]
    assert [a.tolist() for a in leave_one_out([])] == [[], []]
