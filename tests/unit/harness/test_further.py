"""How many further responses are needed."""

from math import comb

import numpy as np
import pytest

from harness.distribution import CountPmf, Normal
from harness.further import further_responses
from suites.errors import UsageError


def uniform(n: int) -> CountPmf:
    return CountPmf(np.full(n + 1, 1 / (n + 1)), 0.0, 1.0)


def exact_mean_half_width(prior: np.ndarray, more: int) -> float:
    """Enumerate all futures: counts c, hits h among `more` of n."""
    n = len(prior) - 1
    total = 0.0
    for h in range(more + 1):
        joint = np.array(
            [prior[c] * comb(c, h) * comb(n - c, more - h) / comb(n, more) for c in range(n + 1)]
        )
        mass = joint.sum()
        if mass > 0:
            cdf = np.cumsum(joint / mass)
            low, high = (int((cdf < level - 1e-12).sum()) for level in (0.05, 0.95))
            total += mass * (high - low) / 2 / n
    return float(total)


@pytest.mark.parametrize("target", [5.0, 10.0, 20.0])
def test_the_expected_number_is_that_of_all_futures_enumerated(target):
    n = 60
    prior = np.random.default_rng(3).dirichlet(np.ones(n + 1))
    found = further_responses(CountPmf(prior, 0.0, 1.0), target, n=n, shown=np.empty(0), unit=100.0)
    widths = [100 * exact_mean_half_width(prior, more) for more in range(1, n + 1)]
    exact = 1 + next(i for i, width in enumerate(widths) if width <= target)
    assert abs(found.expected - exact) <= 2
    assert found.expected <= found.sure <= n


def test_nothing_more_is_needed_where_the_interval_is_narrow_already():
    found = further_responses(Normal(0.5, 0.01, 0, 1), 5.0, n=50, shown=np.empty(0), unit=100.0,
                              variance=0.1)  # fmt: skip
    assert (found.expected, found.sure) == (0, 0)


def test_all_that_is_left_makes_a_count_certain():
    shown = np.array([1.0, 0.0, 1.0])
    found = further_responses(uniform(10), 1e-6, n=10, shown=shown, unit=100.0)
    # one response that is not known leaves two counts
    assert (found.expected, found.left) == (7, 7)


def test_of_a_normal_value_the_number_solves_its_equation():
    k, n, v, sd, target = 4, 200, 0.04, 0.08, 2.0
    shown = np.full(k, 0.5)
    found = further_responses(Normal(0.5, sd), target, n=n, shown=shown, unit=100.0, variance=v)
    z = 1.6448536269514722

    def half(more):
        seen = ((n - k) / n) ** 2 * v / more * (1 - more / (n - k))
        return 100 * z * (1 / (1 / sd**2 + 1 / seen)) ** 0.5

    assert half(found.expected) <= target < half(found.expected - 1)


def test_more_is_never_needed_for_less():
    numbers = [
        further_responses(uniform(80), x, n=80, shown=np.empty(0), unit=100.0).expected
        for x in (2.0, 5.0, 10.0, 20.0, 40.0)
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 5


def test_a_prediction_that_excludes_what_was_shown_still_has_an_answer():
    pmf = np.zeros(11)
    pmf[0] = 1.0
    sure_of_none = CountPmf(pmf, 0.0, 1.0)
    found = further_responses(sure_of_none, 10.0, n=10, shown=np.ones(2), unit=100.0)
    assert found.expected == 0  # it states no uncertainty


@pytest.mark.parametrize("target", [0.0, -1.0, float("nan")])
def test_a_width_that_is_none_is_refused(target):
    with pytest.raises(UsageError, match="target-width"):
        further_responses(uniform(4), target, n=4, shown=np.empty(0))


def test_without_any_spread_nothing_can_be_said():
    with pytest.raises(UsageError, match="no responses"):
        further_responses(Normal(3.0, 1.0), 0.1, n=None, shown=np.empty(0))


def test_the_seed_alone_decides():
    prior = CountPmf(np.random.default_rng(1).dirichlet(np.ones(301)), 0.0, 1.0)
    found = [
        further_responses(prior, 3.3, n=300, shown=np.empty(0), unit=100.0, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1]
    assert abs(found[0].expected - found[2].expected) <= 5
