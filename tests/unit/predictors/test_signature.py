"""`Signature`: a regression by kernels against one on features, and its leave-one-run-out."""

import held_cells
import numpy as np
import pytest
from held_cells import answers, error
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal, norm

from harness.data_splits import SequesteredTestSplit, TrainSplit
from hibayes.hierarchical.forecast import Evidence
from predictors.beta_binomial import BetaBinomial
from predictors.common.counts import squash
from predictors.common.shown_items import ItemsOfRun, told_pmf
from predictors.scenario_mean import ScenarioMean
from predictors.signature import Signature
from predictors.signature.features import Features, Scale
from predictors.signature.regression import FLAT, Regression, learn
from suites.errors import UsageError

MODELS, SCENARIOS, ITEMS = 16, 5, 30


def world(models=MODELS, seed=0):
    """Give responses (models, scenarios, items): four kinds of models, alike everywhere."""
    rng = np.random.default_rng(seed)
    kind = np.arange(models) % 4
    taste = rng.normal(0, 2, (4, SCENARIOS, ITEMS)) + rng.normal(0, 2, (4, SCENARIOS, 1))
    ability = rng.normal(0, 0.3, (models, 1, 1))
    return (rng.random((models, SCENARIOS, ITEMS)) < 1 / (1 + np.exp(-taste[kind] - ability))) * 1.0


def split(x, held, k=0, *, responses=True, **facts):
    """Hold cells out; three scenarios are a group."""
    silent = () if responses else range(SCENARIOS)
    return held_cells.split(x, held, k, silent=silent, group=lambda j: f"g{j // 3}", **facts)


SOME = {(i, (i * 2) % SCENARIOS) for i in range(MODELS)}


# -- the regression ------------------------------------------------------------------------------


def test_kernels_are_the_covariance_of_a_regression_with_shared_weights():
    rng = np.random.default_rng(0)
    tables = {0: rng.normal(size=(6, 7)), 2: rng.normal(size=(6, 4))}
    seen = np.ones((6, 3), bool)
    far, means, near = Features(tables, seen).kernels([0, 2], [2])
    features = [np.hstack([e / np.sqrt(2 * e.shape[1]) for e in tables.values()])]
    features.append(np.stack([e.mean(axis=1) for e in tables.values()], axis=1) / np.sqrt(2))
    features.append(tables[2] / 2)
    for kernel, feature in zip((far, means, near), features, strict=True):
        np.testing.assert_allclose(kernel, feature @ feature.T)


def test_a_missing_run_stands_for_the_models_mean_in_its_others():
    rng = np.random.default_rng(1)
    tables = {j: rng.normal(size=(5, 6)) for j in range(3)}
    seen = np.ones((5, 3), bool)
    seen[2, 1] = False
    tables[1][2] = 0.0
    filled = {**tables, 1: tables[1].copy()}
    filled[1][2] = (tables[0][2].mean() + tables[2][2].mean()) / 3
    found = Features(tables, seen).kernels([0, 1, 2], [1])
    expected = Features(filled, np.ones((5, 3), bool)).kernels([0, 1, 2], [1])
    np.testing.assert_allclose(found, expected)


def test_the_evidence_is_that_of_a_normal_and_its_slope_is_right():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(2, 8, 3))
    regression = Regression(features @ features.transpose(0, 2, 1), rng.normal(size=8))
    at = np.log([0.5, 0.2, 0.3])
    covariance = FLAT + 0.5 * regression.kernels[0] + 0.2 * regression.kernels[1]
    covariance += (0.3 + 1e-6) * np.eye(8)
    value, _ = regression.evidence(at)
    assert value == pytest.approx(multivariate_normal.logpdf(regression.z, cov=covariance))
    apart = check_grad(lambda a: regression.evidence(a)[0], lambda a: regression.evidence(a)[1], at)
    assert apart < 1e-4


def test_leaving_out_is_predicting_from_the_others_and_weighs_their_values():
    rng = np.random.default_rng(3)
    feature = rng.normal(size=(7, 4))
    kernel = (feature @ feature.T)[None]
    at, z = np.log([0.4, 0.1]), rng.normal(size=7)
    whole = Regression(kernel, z)
    mean, variance = whole.left_out(at)
    for i in range(7):
        rest = np.delete(np.arange(7), i)
        other = Regression(kernel[:, rest[:, None], rest], z[rest])
        m, v, weights = other.predict(at, kernel[:, rest, i], kernel[:, i, i])
        assert (m, v) == pytest.approx((mean[i], variance[i]), abs=1e-5)
        assert m == pytest.approx(weights @ z[rest])
        np.testing.assert_allclose(np.delete(whole.others(at)[i], i), weights, atol=1e-5)


def test_amounts_are_told_by_the_values():
    rng = np.random.default_rng(4)
    feature = rng.normal(size=(60, 5))
    kernel = (feature @ feature.T)[None]
    centre = np.log([0.1, 0.1])
    steep = learn([Regression(kernel, feature @ rng.normal(0, 2, 5))], centre, 2.0)
    none = learn([Regression(kernel, rng.normal(0, 2, 60))], centre, 2.0)
    assert steep[0] - steep[1] > 3 > 0 > none[0] - none[1]


def test_scaled_responses_have_the_items_mean_and_spread():
    table = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, np.nan]])
    e = Scale(table)(table)
    assert e[0, 0] == pytest.approx((1 - 2 / 3) / np.sqrt(2 / 9 + 0.02))
    assert e[2, 0] == e[2, 1]  # a gap is the run's mean
    assert Scale(table)(np.full((1, 2), np.nan)).tolist() == [[0.0, 0.0]]


# -- shown responses -----------------------------------------------------------------------------


def test_hard_items_shown_tell_more_of_the_value_than_easy_ones():
    logits = np.linspace(-3, 3, 30)
    shown, right = np.zeros(30, bool), np.ones(30)
    means = []
    for at in (slice(0, 5), slice(25, 30)):  # hard ones, easy ones: all right
        which = shown.copy()
        which[at] = True
        items = ItemsOfRun(logits, which, right * which)
        told = Evidence(n=30, k=5, total=5.0)
        means.append(told_pmf(np.ones(31), told, items) @ np.arange(31) / 30)
    even = told_pmf(np.ones(31), Evidence(n=30, k=5, total=5.0), None) @ np.arange(31) / 30
    assert means[0] > even > means[1]


def test_graded_values_are_told_by_their_sum_over_what_is_expected_there():
    rng = np.random.default_rng(5)
    logits = rng.normal(size=40)
    p = 1 / (1 + np.exp(-logits - 0.7))
    which = np.arange(40) < 10
    items = ItemsOfRun(logits, which, np.where(which, p, 0.0), 0.1)
    likelihood = items.log_likelihood(1000)
    assert likelihood.argmax() / 1000 == pytest.approx(p.mean(), abs=0.02)
    sharper = ItemsOfRun(logits, np.arange(40) < 39, np.where(np.arange(40) < 39, p, 0.0), 0.1)
    at = round(1000 * p.mean())
    drop = likelihood[at] - likelihood[at + 50]
    assert sharper.log_likelihood(1000)[at] - sharper.log_likelihood(1000)[at + 50] > 10 * drop


# -- the whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("binary", "lower", "upper"), [(True, 0.0, 1.0), (False, 1.0, 5.0)])
def test_it_finds_the_models_that_answer_alike(binary, lower, upper):
    case = split(world(), SOME, binary=binary, lower=lower, upper=upper)
    assert error(Signature(), *case) < 0.6 * error(ScenarioMean(), *case)


def test_a_new_model_is_known_by_what_is_shown_of_it():
    held = {(i, j) for i in (1, 6) for j in range(SCENARIOS)}
    cases = [split(world(32, seed), held, 6) for seed in (40, 41, 42)]
    ours, theirs = ([error(p(), *case) for case in cases] for p in (Signature, BetaBinomial))
    assert np.mean(ours) < 0.85 * np.mean(theirs)


def test_strangers_are_less_sure_than_models_of_known_organisations():
    held = {(i, j) for i in (1, 6) for j in range(SCENARIOS)}
    train, test, _ = split(world(32), held, 6)
    train.runs["organisation"] = "o" + (train.runs["model"].str[1:].astype(int) % 4).astype(str)
    sds = []
    for name in ("o1", "elsewhere"):
        targets = test.targets.assign(organisation=name)
        other = SequesteredTestSplit(targets=targets, responses=test.responses, k=6)
        found = answers(Signature(), train, other).values()
        counts = np.arange(ITEMS + 1)
        sds.append(np.mean([np.sqrt(p.pmf @ counts**2 - (p.pmf @ counts) ** 2) for p in found]))
    assert sds[1] > 1.05 * sds[0]


def test_responses_that_are_shown_are_a_part_of_the_value():
    train, test, _ = split(world(), SOME, 12)
    shown = test.responses.groupby("target")["value"].sum()
    for target, prediction in answers(Signature(), train, test).items():
        possible = np.flatnonzero(prediction.pmf > 1e-15)
        assert possible.min() >= shown[target]
        assert possible.max() <= ITEMS - (12 - shown[target])


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_runs_that_are_all_alike_leave_some_doubt(value):
    train, test, _ = split(np.full((8, SCENARIOS, ITEMS), value), {(0, 1), (3, 2), (5, 0)}, 2)
    for case in (test, SequesteredTestSplit(targets=test.targets, k=0)):
        for prediction in answers(Signature(), train, case).values():
            assert abs(prediction.mean - value) < 0.02
            assert 0 < prediction.pmf[ITEMS // 2] < prediction.pmf[round(value * ITEMS)] < 1


def test_a_new_scenario_has_its_groups_values():
    held = {(i, 1) for i in range(MODELS)}
    train, test, _ = split(world(), held)
    found = answers(Signature(), train, test)
    group = train.runs.loc[train.runs["scenario_group"] == "g0", "value"]
    for prediction in found.values():
        below = np.cumsum(prediction.pmf)[: ITEMS // 2].max()
        edge = (ITEMS // 2 - 0.5) / ITEMS
        assert below == pytest.approx(norm.cdf(edge, group.mean(), group.std(ddof=0)), abs=1e-6)


def test_without_responses_it_is_the_scenario_mean_updated():
    train, test, _ = split(world(), SOME, 4, responses=False)
    found = answers(Signature(), train, test)
    mean = answers(ScenarioMean(), train, SequesteredTestSplit(targets=test.targets, k=0))
    none = answers(Signature(), train, SequesteredTestSplit(targets=test.targets, k=0))
    assert {t: p.mean for t, p in none.items()} == pytest.approx(
        {t: p.pmf @ np.arange(ITEMS + 1) / ITEMS for t, p in mean.items() if p.pmf is not None}
    )
    assert found.keys() == none.keys()
    assert all(found[t].mean != none[t].mean for t in none)


def test_leaving_a_run_out_is_refitting_without_it_with_the_same_amounts():
    x = world(10)
    train, _, _ = split(x, {(0, 1), (3, 2), (9, 2)})
    predictor = Signature()
    predictor.fit(train)
    loo = predictor.loo(train).set_index("run")["elpd_loo"]
    amounts = predictor._learned.fold.amounts
    assert sorted(loo.index) == sorted(train.runs["run"])
    for i, j in [(0, 0), (3, 4), (7, 2), (9, 1)]:
        less, test, truth = split(x, {(0, 1), (3, 2), (9, 2), (i, j)})
        one = test.targets[test.targets["target"] == f"r{i:02}-{j}"]
        test = SequesteredTestSplit(targets=one, k=0)
        again = Signature()
        again.fit(less)
        again._learned.fold.amounts = amounts
        (found,) = again.predict(less, test)
        count = round(truth[found.target] * ITEMS)
        assert loo[found.target] == pytest.approx(np.log(found.pmf[count]), abs=1e-6)


def test_a_left_out_value_that_is_no_count_has_a_density_in_its_units():
    x = 0.2 + 0.6 * world(10)
    scores = [
        Signature().loo(split(x, set(), binary=False, upper=upper)[0])["elpd_loo"].to_numpy()
        for upper in (1.0, 100.0)
    ]
    np.testing.assert_allclose(scores[0] - np.log(100.0), scores[1], atol=1e-6)
    y = np.linspace(0.0, 1.0, 2001)
    slope = np.gradient(squash(y), y)
    assert np.trapezoid(norm.pdf(squash(y), 0.3, 0.5) * slope, y) == pytest.approx(1.0, abs=1e-3)


def test_the_order_of_rows_changes_nothing():
    train, test, _ = split(world(), SOME, 4)
    first = answers(Signature(), train, test)
    mixed = TrainSplit(
        runs=train.runs.sample(frac=1, random_state=0),
        responses=train.responses.sample(frac=1, random_state=1),
    )
    other = SequesteredTestSplit(
        targets=test.targets.sample(frac=1, random_state=2),
        responses=test.responses.sample(frac=1, random_state=3),
        k=4,
    )
    again = answers(Signature(), mixed, other)
    assert all(np.array_equal(first[t].pmf, again[t].pmf) for t in first)


@pytest.mark.parametrize("most_models", [400, 6])
def test_another_question_is_answered_as_by_a_predictor_that_was_asked_nothing_before(most_models):
    cases = [split(world(), SOME, k) for k in (0, 6)]
    asked_before = Signature(most_models=most_models)
    answers(asked_before, *cases[0][:2])
    again = {p.target: p for p in asked_before.predict(*cases[1][:2])}
    fresh = answers(Signature(most_models=most_models), *cases[1][:2])
    for target, prediction in fresh.items():
        np.testing.assert_array_equal(again[target].pmf, prediction.pmf)


def test_of_many_models_those_that_answer_alike_are_enough():
    case = split(world(32), {(i, (i * 2) % SCENARIOS) for i in range(32)})
    few, whole = error(Signature(most_models=12), *case), error(Signature(), *case)
    assert few != whole
    assert few < 0.7 * error(ScenarioMean(), *case)


@pytest.mark.parametrize("models", [2, 10.5, True, "all"])
def test_a_number_of_models_without_a_meaning_is_refused(models):
    with pytest.raises(UsageError, match="most_models must be"):
        Signature(most_models=models)
