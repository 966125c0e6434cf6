"""From priors to predictions where the value is no count."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from harness.data_splits import SequesteredTestSplit
from predictors.common.counts import squash
from predictors.common.grid import read_shown, read_targets
from predictors.common.priors import LEVELS, Prior, log_predictive, predictions, update_normal


def ask(prior, values, n=40, bounds=(0.0, 1.0)):
    targets = pd.DataFrame({"target": ["t"], "n": [n], "lower": bounds[0], "upper": bounds[1]})
    responses = pd.DataFrame({"target": "t", "instance": range(len(values)), "value": values})
    split = SequesteredTestSplit(targets=targets, responses=responses, k=len(values))
    cells = read_targets(split)
    return predictions(cells, [prior], read_shown(split, cells))[0]


def test_a_normal_prior_is_updated_in_closed_form():
    # prior N(.5, .2^2), shown .6 .8: mean .7, SS .02; mu = (.5 + 1.4) / 3, v0 = mu (1 - mu);
    # variance of the mean (v0 + .02) / 2 / 2 * (1 - 2 / 40)
    mu = 1.9 / 3
    variance = (mu * (1 - mu) + 0.02) / 4 * 0.95
    weight = 0.04 / (0.04 + variance)
    mean, sd = ask(Prior("normal", 0.5, 0.2), [0.6, 0.8]).normal
    assert mean == pytest.approx(0.5 + weight * 0.2)
    assert sd == pytest.approx(np.sqrt(weight * variance))


def test_an_unbounded_metric_takes_the_variance_of_the_prior_as_one_more_response():
    # prior N(10, 2^2), shown 13, 15: variance of the mean (4 + 2) / 2 / 2 (n unknown)
    mean, sd = ask(Prior("normal", 10.0, 2.0), [13.0, 15.0], n=None, bounds=(None, None)).normal
    assert (mean, sd) == pytest.approx(update_normal(10.0, 2.0, 14.0, 1.5))


def test_units_are_those_of_the_metric():
    unit = ask(Prior("normal", 0.5, 0.2), [0.6, 0.8])
    own = ask(Prior("normal", 0.5, 0.2), [3.4, 4.2], bounds=(1.0, 5.0))
    assert own.normal == pytest.approx((1 + 4 * unit.normal[0], 4 * unit.normal[1]))


def test_quantiles_of_a_squashed_normal_are_mapped_back():
    prediction = ask(Prior("squashed", 0.4, 0.3), [])
    values = np.array([prediction.quantiles[level] for level in LEVELS])
    assert squash(values) == pytest.approx(stats.norm.ppf(LEVELS, 0.4, 0.3))


@pytest.mark.parametrize("kind", ["squashed", "beta"])
def test_the_update_on_a_grid_equals_quadrature(kind):
    a, b = (0.4, 0.5) if kind == "squashed" else (3.0, 2.0)
    shown = [0.2, 0.5, 0.6, 0.3]
    mu = (ask(Prior(kind, a, b), []).quantiles[0.5] if kind == "squashed" else 0.6) + 1.6
    mu /= 5
    variance = (mu * (1 - mu) + np.var(shown) * 4) / 16 * (1 - 4 / 40)

    def density(y):
        if kind == "beta":
            prior = stats.beta.pdf(y, a, b)
        else:
            prior = stats.norm.pdf(squash(y), a, b) * (1 / (y + 0.02) + 1 / (1.02 - y))
        return prior * stats.norm.pdf(0.4, y, np.sqrt(variance))

    total = integrate.quad(density, 0, 1)[0]
    prediction = ask(Prior(kind, a, b), shown)
    mean = integrate.quad(lambda y: y * density(y), 0, 1)[0] / total
    assert prediction.mean == pytest.approx(mean, abs=1e-4)
    for level in LEVELS[5:-5:8]:
        below = integrate.quad(density, 0, prediction.quantiles[level])[0] / total
        assert below == pytest.approx(level, abs=1e-3)


def test_the_levels_are_symmetric_and_reach_into_the_tails():
    assert np.array(LEVELS) == pytest.approx(1 - np.array(LEVELS)[::-1])
    assert 0.5 in LEVELS
    assert min(LEVELS) == 0.001
    assert len(set(LEVELS)) == len(LEVELS) >= 33


def test_densities_are_in_the_units_of_the_metric():
    targets = pd.DataFrame({"run": ["t"], "value": [4.0], "lower": [1.0], "upper": [5.0]})
    from harness.data_splits import TrainSplit
    from predictors.common.grid import read_runs

    cells = read_runs(TrainSplit(runs=targets))
    normal = log_predictive(cells, [Prior("normal", 0.5, 0.2)])[0]
    assert normal == pytest.approx(stats.norm.logpdf(4.0, 3.0, 0.8))
    beta = log_predictive(cells, [Prior("beta", 2.0, 3.0)])[0]
    assert beta == pytest.approx(stats.beta.logpdf(4.0, 2.0, 3.0, loc=1.0, scale=4.0))
