"""The beta-binomial predictor against scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.beta_binomial import BetaBinomial, beta_prior
from predictors.common.moments import NOTHING, Moments
from predictors.common.priors import UNIFORM


def test_the_prior_has_the_moments_of_the_column():
    values = np.array([0.2, 0.5, 0.6, 0.8])
    prior = beta_prior(Moments.of(values), NOTHING, True)
    fitted = stats.beta(prior.a, prior.b)
    assert fitted.mean() == pytest.approx(values.mean())
    assert fitted.var() == pytest.approx(values.var(ddof=1))


def test_moments_without_spread_or_at_an_end_are_kept_in_range():
    # m = .001, v = 1e-5: m (1 - m) / v - 1 = 98.9
    prior = beta_prior(Moments.of(np.zeros(3)), NOTHING, True)
    assert (prior.a, prior.b) == pytest.approx((0.001 * 98.9, 0.999 * 98.9))
    # 0 and 1 alone: v = .5 is more than a beta distribution can have, so a + b = .5
    prior = beta_prior(Moments.of(np.array([0.0, 1.0])), NOTHING, True)
    assert (prior.a, prior.b) == pytest.approx((0.25, 0.25))


def test_one_run_borrows_the_variance_of_all():
    one, pool = Moments.of(np.array([0.5])), Moments.of(np.array([0.4, 0.5, 0.6]))
    prior = beta_prior(one, pool, True)
    assert (prior.a, prior.b) == pytest.approx((12.0, 12.0))  # .25 / .01 - 1 = 24
    assert beta_prior(NOTHING, pool, True) == beta_prior(pool, NOTHING, True)
    assert beta_prior(one, one, True) == UNIFORM


def test_shown_responses_update_it_as_a_conjugate_prior():
    # shapes 12, 12; 1 success in 3 of 20: the 17 hidden ones are beta-binomial(13, 14)
    runs = pd.DataFrame({"run": list("abc"), "scenario": "s", "value": [0.4, 0.5, 0.6]})
    shown = pd.DataFrame({"target": "t", "instance": [1, 2, 3], "value": [0.0, 1.0, 0.0]})
    targets = pd.DataFrame({"target": ["t"], "scenario": "s", "n": 20, "binary": True})
    split = SequesteredTestSplit(targets=targets, responses=shown, k=3)
    train = TrainSplit(runs=runs.assign(n=20, binary=True))
    pmf = BetaBinomial().predict(train, split)[0].pmf
    left = stats.betabinom.pmf(np.arange(18), 17, 13, 14)
    assert pmf == pytest.approx([0.0, *left, 0.0, 0.0], abs=1e-12)
