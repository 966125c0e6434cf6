"""`TiltedRuns`: the level of `TiltedItems` as the distribution of a run's value."""

import numpy as np
import pandas as pd
import pytest
from held_cells import answers, error, split
from scipy.special import expit
from scipy.stats import t as student

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.scenario_mean import ScenarioMean
from predictors.tilted_items import TiltedItems
from predictors.tilted_items.levels import LevelPriors, Reading, logit
from predictors.tilted_items.runs import Surprises, TiltedRuns

MODELS, SCENARIOS, ITEMS = 14, 6, 30
KEYS = {"metric": "acc", "n": ITEMS}


def world(seed=0):
    """Give responses (models, scenarios, items): a strong and a weak half of the models."""
    rng = np.random.default_rng(seed)
    kind = np.arange(MODELS) % 2
    taste = rng.normal(0, 1.5, (2, SCENARIOS, ITEMS))
    skill = rng.normal(0, 1.2, (MODELS, 1, 1)) + rng.normal(0, 0.3, (MODELS, SCENARIOS, 1))
    return (rng.random((MODELS, SCENARIOS, ITEMS)) < expit(taste[kind] + skill)) * 1.0


SOME = {(i, (i * 2) % SCENARIOS) for i in range(MODELS)}


def test_without_shown_responses_it_is_the_prior_of_the_level_on_counts():
    train, test, _ = split(world(), SOME)
    predictor = TiltedRuns()
    found = answers(predictor, train, test)
    learned, surprises = predictor._fold.learned, predictor._fold.surprises
    for target in ("r00-0", "r05-4"):
        row = test.targets.set_index("target").loc[target]
        i, c = learned.rows[row["model"]], int(row["scenario"][1])
        prior = learned.levels.prior(i, c, learned.readings(i))
        mean, sd = learned.likeness.moved(prior, learned.pool, i, c)
        cdf = student.cdf(
            logit((np.arange(ITEMS) + 0.5) / ITEMS, 1e-9),
            surprises.df,
            mean,
            sd * surprises.stretch[c],
        )
        np.testing.assert_allclose(np.cumsum(found[target].pmf)[:-1], cdf, atol=1e-9)


def test_values_nearer_to_the_ends_than_levels_go_are_alike():
    train, test, _ = split(world(), {(0, 0)})
    test = SequesteredTestSplit(targets=test.targets.assign(n=400), k=0)
    pmf = answers(TiltedRuns(), train, test)["r00-0"].pmf
    assert pmf[[1, 2]] == pytest.approx(pmf[3], rel=1e-6)
    assert pmf[[399, 398]] == pytest.approx(pmf[397], rel=1e-6)
    assert pmf[20] > pmf[10] > 1.2 * pmf[5]


@pytest.mark.parametrize(("binary", "upper"), [(True, 1.0), (False, 100.0)])
def test_it_knows_strong_models_and_learns_from_what_is_shown(binary, upper):
    by_k = [split(world(), SOME, k, binary=binary, upper=upper) for k in (0, 10, 25)]
    errors = [error(TiltedRuns(), *case) for case in by_k]
    assert errors[0] < 0.75 * error(ScenarioMean(), *by_k[0])
    assert errors[0] > errors[1] > errors[2]


def test_shown_responses_are_a_part_of_the_value():
    train, test, _ = split(world(), SOME, 12)
    shown = test.responses.groupby("target")["value"].sum()
    for target, prediction in answers(TiltedRuns(), train, test).items():
        possible = np.flatnonzero(prediction.pmf > 1e-15)
        assert possible.min() >= shown[target]
        assert possible.max() <= ITEMS - (12 - shown[target])


def test_hits_on_items_that_are_hard_for_the_kind_say_more():
    train, test, _ = split(world(), {(0, 0)})
    x = world()[2::2, 0].mean(axis=0)  # of the same kind
    order = np.argsort(x)
    means = []
    for at in (order[:6], order[-6:]):
        shown = pd.DataFrame({"target": "r00-0", "instance": [f"q{n:02}" for n in at]})
        given = SequesteredTestSplit(targets=test.targets, responses=shown.assign(value=1.0), k=6)
        means.append(answers(TiltedRuns(), train, given)["r00-0"].mean)
    assert means[0] > means[1] + 0.02


def test_the_mean_of_its_values_goes_with_the_responses_of_tilted_items():
    train, test, _ = split(world(), SOME, 8)
    values = answers(TiltedRuns(), train, test)
    asked = test.targets.explode("instances").rename(columns={"instances": "instance"})
    asked = asked.assign(cell=asked["target"], target=asked["target"] + asked["instance"])
    shown = test.responses.rename(columns={"target": "cell"})
    items = SequesteredTestSplit(targets=asked, responses=shown, k=8)
    p = {q.target: q.mean for q in TiltedItems(rho=0.0).predict(train, items)}
    of_cell = asked.assign(p=asked["target"].map(p)).groupby("cell")["p"].mean()
    ours = np.array([values[cell].mean for cell in of_cell.index])
    assert np.corrcoef(ours, of_cell)[0, 1] > 0.97


def test_a_new_model_is_known_by_the_shown_responses_of_its_other_runs():
    held = {(0, j) for j in range(SCENARIOS)}
    x = world()
    means = []
    for right in (0.0, 1.0):
        changed = x.copy()
        changed[0, 1:, :8] = right  # what is shown of its other runs
        train, test, _ = split(changed, held, 8)
        means.append(answers(TiltedRuns(), train, test)["r00-0"].mean)
    assert means[1] > means[0] + 0.1


def test_a_scenario_without_responses_is_the_scenario_mean_and_says_nothing_of_others():
    train, test, _ = split(world(), SOME, silent={0})
    found, mean = answers(TiltedRuns(), train, test), answers(ScenarioMean(), train, test)
    for target, prediction in found.items():
        same = np.isclose(prediction.mean, mean[target].mean, atol=2e-3)
        assert same == target.endswith("-0")


def test_a_new_scenario_has_the_models_level():
    train, test, truth = split(world(), {(i, 3) for i in range(MODELS)})
    found = answers(TiltedRuns(), train, test)
    ours = [found[t].mean for t in truth]
    assert np.corrcoef(ours, list(truth.values()))[0, 1] > 0.6


def test_a_surprise_is_that_of_a_fit_without_the_run():
    rng = np.random.default_rng(5)
    means = expit(rng.normal(size=(9, 1)) + rng.normal(0, 0.5, (9, 4)))
    level = logit(means)
    readings = [Reading(c, level[2, c]) for c in (0, 2, 3)]
    found = LevelPriors(means).surprise(2, 1, readings)
    without = means.copy()
    without[2, 1] = np.nan
    mean, sd = LevelPriors(without).prior(2, 1, readings)
    assert found == pytest.approx((level[2, 1] - mean) / sd, abs=0.05)


def test_models_that_vary_more_stretch_and_heavy_tails_are_found():
    rng = np.random.default_rng(6)
    items = TiltedItems()

    def of(noise):
        x = expit(rng.normal(0, 1, (40, 1, 1)) + noise[..., None] + np.zeros((40, 8, ITEMS)))
        train, _, _ = split(x, set(), binary=False)
        return Surprises.of(items.learn(train).surprises())

    light, heavy = of(rng.normal(0, 0.4, (40, 8))), of(0.25 * rng.standard_t(2, (40, 8)))
    assert heavy.df < light.df
    wild = rng.normal(0, 0.3, (40, 8))
    wild[:, 0] = 1.5 * rng.standard_normal(40)
    assert np.argmax(of(wild).stretch) == 0


def test_the_order_of_rows_changes_nothing():
    train, test, _ = split(world(), SOME, 5)
    first = answers(TiltedRuns(), train, test)
    mixed = TrainSplit(
        runs=train.runs.sample(frac=1, random_state=0),
        responses=train.responses.sample(frac=1, random_state=1),
    )
    other = SequesteredTestSplit(
        targets=test.targets.sample(frac=1, random_state=2),
        responses=test.responses.sample(frac=1, random_state=3),
        k=5,
    )
    again = answers(TiltedRuns(), mixed, other)
    assert all(np.array_equal(first[t].pmf, again[t].pmf) for t in first)
