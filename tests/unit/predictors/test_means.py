"""The predictors that need moments only: global mean, scenario mean, sample mean, Jeffreys."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.common.moments import MIN_SD
from predictors.global_mean import GlobalMean
from predictors.jeffreys import Jeffreys
from predictors.sample_mean import SampleMean
from predictors.scenario_mean import ScenarioMean


def train(**columns):
    return TrainSplit(runs=pd.DataFrame(columns))


def targets_of(responses=None, **columns):
    targets = pd.DataFrame({"target": ["t"], **columns})
    return SequesteredTestSplit(targets=targets, responses=responses)


def normal(predictor, split, **columns):
    return predictor.predict(split, targets_of(**columns))[0].normal


BOUNDS = {"lower": 0.0, "upper": 1.0}


def test_the_global_mean_pools_bounded_metrics_on_one_scale():
    # .2, (4 - 1) / 4 = .75 and .7: mean .55, sd sqrt((.35^2 + .2^2 + .15^2) / 3)
    known = train(
        run=list("abcd"),
        scenario=list("stuv"),
        metric=["x", "y", "x", "z"],
        value=[0.2, 4.0, 0.7, 1e4],
        lower=[0.0, 1.0, 0.0, None],
        upper=[1.0, 5.0, 1.0, None],
    )
    mean, sd = np.mean([0.2, 0.75, 0.7]), np.std([0.2, 0.75, 0.7])
    assert normal(GlobalMean(), known, scenario="s", **BOUNDS) == pytest.approx((mean, sd))
    assert normal(GlobalMean(), known, lower=1.0, upper=5.0) == pytest.approx(
        (1 + 4 * mean, 4 * sd)
    )


def test_the_scenario_mean_takes_mean_and_sd_of_its_column():
    known = train(run=list("abcd"), scenario=list("ssst"), value=[0.1, 0.3, 0.8, 0.9], **BOUNDS)
    expected = (0.4, np.std([0.1, 0.3, 0.8]))
    assert normal(ScenarioMean(), known, scenario="s", **BOUNDS) == pytest.approx(expected)


def test_a_binary_value_is_discretised_at_half_counts():
    known = train(run=["a", "b"], scenario="s", value=[0.3, 0.7], n=10, binary=True)
    split = targets_of(scenario="s", n=4, binary=True)
    pmf = ScenarioMean().predict(known, split)[0].pmf
    edges = stats.norm.cdf([0.125, 0.375, 0.625, 0.875], 0.5, 0.2)
    assert pmf == pytest.approx(np.diff([0, *edges, 1]), abs=1e-10)


def test_a_scenario_with_one_run_borrows_the_global_sd():
    known = train(run=list("abc"), scenario=list("stt"), value=[0.9, 0.2, 0.4], **BOUNDS)
    expected = (0.9, np.std([0.9, 0.2, 0.4]))
    assert normal(ScenarioMean(), known, scenario="s", **BOUNDS) == pytest.approx(expected)


def test_an_unknown_scenario_borrows_the_global_mean():
    known = train(run=list("abc"), scenario=list("stt"), value=[0.9, 0.2, 0.4], **BOUNDS)
    answer = normal(ScenarioMean(), known, scenario="new", **BOUNDS)
    assert answer == normal(GlobalMean(), known, scenario="new", **BOUNDS)


def test_another_part_condition_or_perturbation_is_another_column():
    known = train(
        run=["a", "b"], scenario="s", part="test", condition="c", value=[0.2, 0.4], **BOUNDS
    )
    same = {"scenario": "s", "part": "test", "condition": "c", **BOUNDS}
    alone = train(run=["a", "b"], scenario="s", value=[0.2, 0.2], **BOUNDS)
    assert normal(ScenarioMean(), known, **same) == pytest.approx((0.3, 0.1))
    assert normal(ScenarioMean(), alone, scenario="s", **BOUNDS) == (0.2, MIN_SD)
    mixed = train(
        run=list("abcd"),
        scenario="s",
        part=["test", "test", "valid", "valid"],
        value=[0.2, 0.4, 0.8, 0.9],
        **BOUNDS,
    )
    assert normal(ScenarioMean(), mixed, scenario="s", part="test", **BOUNDS)[0] == (
        pytest.approx(0.3)
    )


def test_an_unknown_scenario_of_an_unbounded_metric_borrows_the_same_metric_only():
    known = train(run=list("abc"), scenario=list("stu"), metric=list("xxy"), value=[3.0, 5.0, 1e6])
    assert normal(ScenarioMean(), known, scenario="new", metric="x") == pytest.approx((4.0, 1.0))
    assert ScenarioMean().predict(known, targets_of(scenario="new", metric="z")) == []


def test_one_run_of_an_unbounded_metric_is_uncertain_by_its_size():
    known = train(run=["a"], scenario="s", metric="x", value=[-8.0])
    assert normal(ScenarioMean(), known, scenario="s", metric="x") == (-8.0, 8.0)


def test_the_only_run_of_all_has_the_sd_of_a_uniform_distribution():
    known = train(run=["a"], scenario="s", value=[0.3], **BOUNDS)
    expected = (0.3, 1 / np.sqrt(12))
    assert normal(ScenarioMean(), known, scenario="s", **BOUNDS) == pytest.approx(expected)


def test_with_nothing_known_all_counts_are_alike():
    answer = ScenarioMean().predict(train(run=[], value=[]), targets_of(n=4, binary=True))[0]
    assert answer.pmf == pytest.approx([0.2] * 5)
    answer = ScenarioMean().predict(train(run=[], value=[]), targets_of(lower=1.0, upper=5.0))[0]
    assert (answer.beta, answer.mean) == ((1.0, 1.0), 3.0)


def shown(*values):
    return pd.DataFrame({"target": "t", "instance": range(len(values)), "value": values})


@pytest.mark.parametrize(
    ("n", "values", "expected"),
    [
        (10, [1, 0, 1], 0.7),  # 10 * 2/3 = 6.67 -> 7
        (3, [1, 0], 2 / 3),  # 3 / 2 = 1.5 -> 2, the even count
        (100, [0, 0], 0.0),
        (7, [1, np.nan, 1], 1.0),
    ],
)
def test_the_sample_mean_is_rounded_to_a_count(n, values, expected):
    split = targets_of(shown(*values), n=n, binary=True)
    answer = SampleMean().predict(train(run=[], value=[]), split)[0]
    assert (answer.distribution, answer.mean) == (None, pytest.approx(expected))


def test_the_sample_mean_of_no_count_is_the_mean_of_the_shown_values():
    split = targets_of(shown(2.0, 5.0), lower=1.0, upper=5.0, n=10)
    assert SampleMean().predict(train(run=[], value=[]), split)[0].mean == 3.5


def test_without_a_valid_response_the_sample_mean_is_the_scenario_mean():
    known = train(run=["a", "b"], scenario="s", value=[0.2, 0.4], **BOUNDS)
    split = targets_of(shown(np.nan), scenario="s", n=10, **BOUNDS)
    assert SampleMean().predict(known, split)[0].normal == pytest.approx((0.3, 0.1))


def test_jeffreys_equals_the_beta_binomial_of_what_is_left():
    # Under a beta prior the n - k hidden responses are beta-binomial with the updated shapes.
    split = targets_of(shown(1, 1, 0, 1, 0), n=30, binary=True)
    pmf = Jeffreys().predict(train(run=[], value=[]), split)[0].pmf
    left = stats.betabinom.pmf(np.arange(26), 25, 0.5 + 3, 0.5 + 2)
    assert pmf == pytest.approx([0, 0, 0, *left, 0, 0], abs=1e-12)


def test_jeffreys_ignores_the_train_runs_of_bounded_metrics(grid):
    made = grid()
    pmf = {p.target: p.pmf for p in Jeffreys().predict(made.train(), made.test(5))}
    nothing = train(run=[], value=[])
    for p in Jeffreys().predict(nothing, made.test(5)):
        assert np.array_equal(p.pmf, pmf[p.target])
