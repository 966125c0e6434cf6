"""The random predictor."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.random_value import RandomValue

NOTHING = TrainSplit(runs=pd.DataFrame({"run": [], "value": []}))


def draw(names, seed=0, train=NOTHING, **columns):
    predictor = RandomValue()
    predictor.random_state = seed
    targets = pd.DataFrame({"target": names, **columns})
    answer = predictor.predict(train, SequesteredTestSplit(targets=targets, k=0))
    return {p.target: p.mean for p in answer}


def test_draws_are_uniform_over_the_range():
    draws = draw([f"t{i}" for i in range(2000)], lower=1.0, upper=5.0)
    # D of 2000 draws is above .043 with probability .001
    assert stats.kstest(list(draws.values()), stats.uniform(1, 4).cdf).statistic < 0.043


def test_a_draw_depends_on_seed_and_target_only():
    few, many = draw(["t1", "t2"], lower=0, upper=1), draw(["t0", "t2", "t1"], lower=0, upper=1)
    assert few == {t: many[t] for t in few}
    assert few != draw(["t1", "t2"], seed=1, lower=0, upper=1)
    assert few["t1"] != few["t2"]


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_any_whole_number_is_a_seed(seed):
    assert 0 <= draw(["t"], seed=seed, lower=0, upper=1)["t"] <= 1


def test_an_unbounded_metric_is_drawn_between_its_train_values():
    runs = pd.DataFrame({"run": list("abc"), "metric": list("xxy"), "value": [-3.0, 9.0, 1e6]})
    draws = draw([f"t{i}" for i in range(200)], train=TrainSplit(runs=runs), metric="x")
    assert -3.0 <= min(draws.values()) < max(draws.values()) <= 9.0
    assert np.ptp(list(draws.values())) > 10
    assert draw(["t"], train=TrainSplit(runs=runs), metric="z") == {}


def test_the_prediction_has_the_target_s_own_part_and_metric():
    targets = pd.DataFrame(
        {"target": ["t"], "name": "run", "part": "test", "metric": "f1", "lower": 0, "upper": 1}
    )
    p = RandomValue().predict(NOTHING, SequesteredTestSplit(targets=targets, k=0))[0]
    assert (p.run_spec_name, p.split, p.stat_name) == ("run", "test", "f1")
    assert p.distribution is None
