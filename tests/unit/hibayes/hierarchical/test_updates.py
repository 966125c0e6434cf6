"""Shown responses of known cells: identities of the likelihoods."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import betabinom, hypergeom

from hibayes.hierarchical.crossed import fit_crossed
from hibayes.hierarchical.forecast import Evidence, Forecaster, log_hypergeometric
from hibayes.hierarchical.gibbs import Schedule
from hibayes.hierarchical.items import fit_items
from hibayes.hierarchical.kernels import Answers, Kernels
from hibayes.hierarchical.predictive import mixture_pmf
from hibayes.hierarchical.update import item_logits, log_item_likelihood

TINY = Schedule(chains=2, warmup=50, draws=50, thin=1)


def normalised(log_p):
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


def test_the_hypergeometric_likelihood_is_that():
    n, k, h = 30, 8, 3
    expected = np.array([hypergeom(n, c, k).pmf(h) for c in range(n + 1)])
    assert normalised(log_hypergeometric(n, h, k)) == pytest.approx(expected / expected.sum())


def test_updating_a_beta_binomial_is_drawing_the_rest_from_the_updated_beta():
    n, k, h, a, b = 40, 12, 9, 2.0, 3.0
    prior = betabinom(n, a, b).pmf(np.arange(n + 1))
    after = normalised(np.log(prior) + log_hypergeometric(n, h, k))
    rest = betabinom(n - k, a + h, b + k - h).pmf(np.arange(n - k + 1))
    assert after[h : h + n - k + 1] == pytest.approx(rest, abs=1e-12)


@pytest.mark.parametrize("h", [2, 10, 19])
def test_equal_items_give_the_hypergeometric_likelihood(h):
    n, k = 200, 20
    shown = np.arange(n) < k
    right = (np.arange(n) < h).astype(float)
    found = normalised(log_item_likelihood(np.zeros(n), shown, right))
    expected = normalised(log_hypergeometric(n, h, k))
    assert np.abs(found - expected).sum() < 0.05


def test_easy_items_shown_right_say_less_than_hard_ones():
    n = 100
    logits = np.where(np.arange(n) < 50, 3.0, -3.0)
    mean = {}
    for name, items in (("easy", range(10)), ("hard", range(50, 60))):
        shown = np.isin(np.arange(n), list(items))
        pmf = normalised(log_item_likelihood(logits, shown, shown.astype(float)))
        mean[name] = pmf @ np.arange(n + 1)
    assert mean["hard"] > mean["easy"] + 10


def test_a_common_shift_of_the_logits_changes_nothing():
    rng = np.random.default_rng(0)
    logits, shown = rng.normal(size=60), np.arange(60) < 20
    right = np.where(shown, rng.random(60) < 0.6, 0.0)
    one, two = (log_item_likelihood(logits + shift, shown, right) for shift in (0.0, 0.5))
    assert normalised(one) == pytest.approx(normalised(two), abs=0.01)


def test_item_logits_follow_the_nearest_relative():
    table = np.array([[1.0, 0.0, np.nan], [0.0, 1.0, 1.0]])
    near = item_logits(table, np.array([0.95, 0.1]), np.zeros(2), 0.0)
    assert near[0] > 1 > -1 > near[1]
    assert near[2] == pytest.approx(logit((1e-6 + 0.3 * 2 / 3) / (1e-6 + 0.3)), abs=0.2)


def test_a_mixture_is_the_mean_of_its_parts():
    mean, sd = np.array([-1.0, 0.5]), np.array([0.3, 0.6])
    parts = [mixture_pmf(20, mean[d : d + 1], sd[d : d + 1]) for d in range(2)]
    weights = np.array([0.25, 0.75])
    assert mixture_pmf(20, mean, sd, weights) == pytest.approx(
        0.25 * parts[0] + 0.75 * parts[1], abs=1e-9
    )


def test_shown_responses_narrow_and_at_last_fix_the_count(planted):
    made = planted(models=8, scenarios=6)
    forecaster = Forecaster(fit_crossed(made.grid, TINY))
    i, j = np.array([0]), np.array([0])
    spread, support = [], np.arange(201)
    for k in (0, 20, 199, 200):
        told = Evidence(n=200, k=k, total=k // 2)
        pmf = forecaster.cells(i, j, [told])[0].pmf
        assert pmf.sum() == pytest.approx(1)
        spread.append(np.sqrt(pmf @ support**2 - (pmf @ support) ** 2))
        assert pmf[: k // 2].sum() == pytest.approx(0)
    assert spread[0] > spread[1] > spread[2] > spread[3] == pytest.approx(0, abs=1e-4)


def test_items_that_are_known_one_by_one_are_used_and_others_are_not(planted_items):
    made = planted_items()
    kernels = Kernels.of(made.tables, 12)
    posterior = fit_items(made.grid, kernels, TINY, rank=2)
    names = [f"i{n}" for n in range(80)]
    places = {name: n for n, name in enumerate(names)}
    answers = Answers(made.tables, dict.fromkeys(made.tables, places))
    i, j = (int(v[0]) for v in np.nonzero(~made.grid.mask))
    told = {
        "named": Evidence(
            80, 20, 12.0, items=names, given={n: float(k < 12) for k, n in enumerate(names[:20])}
        ),
        "counted": Evidence(80, 20, 12.0),
        "partial": Evidence(80, 20, 12.0, items=names[:50], given={names[0]: 1.0}),
    }
    forecaster = Forecaster(posterior, answers)
    pmf = {
        name: forecaster.cells(np.array([i]), np.array([j]), [shown])[0].pmf
        for name, shown in told.items()
    }
    assert np.array_equal(pmf["counted"], pmf["partial"])
    assert np.abs(pmf["counted"] - pmf["named"]).sum() > 0.01
    plain = Forecaster(posterior).cells(np.array([i]), np.array([j]), [told["named"]])[0].pmf
    assert np.array_equal(plain, pmf["counted"])


def test_what_is_asked_together_does_not_matter(planted):
    made = planted(models=8, scenarios=6, held=0.2)
    posterior = fit_crossed(made.grid, TINY)
    rows, columns = np.nonzero(~made.grid.mask)
    told = [Evidence(n=200, k=10, total=4.0)] * len(rows)
    together = Forecaster(posterior).cells(rows, columns, told)
    for place in range(len(rows)):
        at = slice(place, place + 1)
        alone = Forecaster(posterior).cells(rows[at], columns[at], told[at])[0]
        assert np.array_equal(alone.pmf, together[place].pmf)
        assert np.array_equal(alone.order, together[place].order)
