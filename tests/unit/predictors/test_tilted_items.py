"""The predictor of single responses, each of its steps against slow and independent NumPy."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.special import expit

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.testing import PredictorContract
from predictors.common.item_grid import ItemGrid, read_asked
from predictors.item_mean import ItemMean
from predictors.tilted_items import TiltedItems
from predictors.tilted_items.levels import LevelPriors, Reading, logit
from predictors.tilted_items.residuals import (
    ItemResiduals,
    KnownRuns,
    item_update,
    learned_rho,
    standardised,
)
from predictors.tilted_items.signatures import Signatures, drawn_ridge
from predictors.tilted_items.tilt import level_posterior, shifts
from suites.errors import UsageError

KEYS = {"metric": "acc", "condition": "c", "part": None, "perturbation": None}


class TestTiltedItems(PredictorContract):
    spec = TiltedItems
    tolerance = 1e-9


# -- the steps -------------------------------------------------------------------------------------


def test_ridge_by_gram_is_ridge_on_features():
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(5, 40)), rng.normal(size=40), rng.uniform(1, 6, 40)
    beta = drawn_ridge((x * weight) @ x.T, (x * weight) @ y, 7.0, 3.0)
    mean = x.mean(axis=0)
    features = np.vstack([x, 3 * np.sqrt(5) * mean])  # 3/√n of the sum
    rows = np.vstack([(features * np.sqrt(weight)).T, np.sqrt(7.0) * np.eye(6)])
    values = np.concatenate([(y - mean) * np.sqrt(weight), np.zeros(6)])
    theta = np.linalg.lstsq(rows, values, rcond=None)[0]
    assert beta @ x == pytest.approx(mean + theta @ features)


def test_residuals_leave_each_model_out():
    rng = np.random.default_rng(1)
    x, more = rng.normal(size=(4, 15)), rng.normal(size=(4, 30))
    gram = x @ x.T + more @ more.T
    found = ItemResiduals(x, gram, 2.0)
    for i in range(4):
        others = np.delete(np.arange(4), i)
        beta = np.linalg.solve(gram[np.ix_(others, others)] + 2.0 * np.eye(3), gram[others, i])
        assert found.rows[i] == pytest.approx(x[i] - beta @ x[others])
        again = ItemResiduals(x[others], gram[np.ix_(others, others)], 2.0)
        assert found.without(i) == pytest.approx(again.rows)


@pytest.mark.parametrize("spread", [0.1, 3.0, 12.0])
def test_shifted_items_have_the_mean_of_the_level(spread):
    logits = np.random.default_rng(2).normal(0, spread, 30)
    levels = np.array([-6.0, -1.0, 0.0, 2.5, 6.0])
    delta = shifts(logits, levels)
    assert expit(logits + delta[:, None]).mean(axis=1) == pytest.approx(expit(levels), abs=2e-9)


def test_one_item_and_equal_items_are_shifted_too():
    assert shifts(np.array([2.0]), np.array([-1.0])) == pytest.approx([-3.0])
    assert shifts(np.full(5, 2.0), np.array([0.0, 4.0])) == pytest.approx([-2.0, 2.0])


@pytest.mark.parametrize("phi", [1.0, 0.3])
def test_the_posterior_of_the_level_is_that_of_brute_force(phi):
    rng = np.random.default_rng(3)
    logits, own, y = rng.normal(size=12), np.array([1, 4, 9]), np.array([1.0, 0.0, 0.7])
    total, expected = 0.0, np.zeros(12)
    for z in np.linspace(-3.5, 3.5, 29):
        goal = expit(0.4 + 0.8 * z)
        delta = brentq(lambda d, goal=goal: expit(logits + d).mean() - goal, -60, 60, xtol=1e-12)
        p = expit(logits + delta)
        likelihood = np.prod(p[own] ** y * (1 - p[own]) ** (1 - y)) ** (1 / phi)
        weight = np.exp(-z * z / 2) * likelihood
        total, expected = total + weight, expected + weight * p
    p, levels, weights = level_posterior(logits, (0.4, 0.8), own, y, phi)
    assert p == pytest.approx(expected / total, abs=1e-7)
    assert weights @ expit(levels) == pytest.approx(p.mean())


def test_the_update_is_the_recipes_covariance_step():
    rng = np.random.default_rng(4)
    rows, p = rng.normal(size=(6, 8)), rng.uniform(0.2, 0.8, 8)
    own, y, rho = np.array([2, 5]), np.array([1.0, 0.0]), 0.35
    unit = rows / np.sqrt((rows**2).mean(axis=1, keepdims=True))
    c = unit.T @ unit / 6
    scaled = np.array([[c[t, u] / np.sqrt((c[t, t] + 0.2) * (c[u, u] + 0.2)) for u in range(8)]
                       for t in range(8)])  # fmt: skip
    k = np.array([[1.0, rho * scaled[2, 5]], [rho * scaled[5, 2], 1.0]])
    r = np.linalg.inv(k) @ ((y - p[own]) / np.sqrt(p[own] * (1 - p[own])))
    expected = p + np.sqrt(p * (1 - p)) * rho * (scaled[:, own] @ r)
    found = item_update(p, standardised(rows, 0.2), own, y, rho)
    assert found == pytest.approx(np.clip(expected, 0.01, 0.99))
    assert not np.allclose(found, p, atol=0.02)


def test_the_level_is_a_normal_given_its_other_readings():
    rng = np.random.default_rng(5)
    means = expit(rng.normal(size=(9, 1)) + rng.normal(0, 0.5, (9, 4)))
    level = logit(means)
    priors = LevelPriors(means)
    squares = ((level - level.mean(axis=0)) ** 2).sum(axis=0)
    sd = np.sqrt((squares + squares.sum() / (4 * 8)) / 9) + 0.15
    z = (level - level.mean(axis=0)) / sd
    others = z[1:]
    k = (others.T @ others + 2 * np.eye(4)) / (8 + 2)
    at = [0, 2, 3]  # the column itself, one with a whole run, one with shown responses
    joint = k[np.ix_(at, at)] + np.diag([0.0, 0.3, 0.15 + 0.2 / sd[3] ** 2])
    precision = np.linalg.inv(joint)
    readings = [Reading(2, level[0, 2]), Reading(3, 0.5, 0.2)]
    seen = np.array([z[0, 2], (0.5 - level[:, 3].mean()) / sd[3]])
    mean, spread = priors.prior(0, 0, readings)
    assert mean == pytest.approx(
        level[:, 0].mean() - sd[0] * precision[0, 1:] @ seen / precision[0, 0]
    )
    assert spread == pytest.approx(sd[0] * np.sqrt(max(1 / precision[0, 0], 0.03) + 1 / 9))
    assert priors.prior(0, 0, [])[0] == pytest.approx(level[:, 0].mean())


@pytest.mark.parametrize(("alike", "most", "least"), [(True, 0.5, 0.2), (False, 0.1, 0.0)])
def test_rho_is_learned_from_known_runs(alike, most, least):
    rng = np.random.default_rng(6)
    columns = []
    for _ in range(6):
        parts = rng.integers(0, 4, 60)
        strength = rng.normal(0, 0.9 if alike else 0.0, (14, 4))[:, parts]
        y = (expit(strength * 2) > rng.random((14, 60))).astype(float)
        x = y - y.mean(axis=1, keepdims=True)
        residuals = ItemResiduals(x, x @ x.T, 100.0)
        columns.append(KnownRuns(residuals, x, y))
    assert least <= learned_rho(columns, 20, 0.2, 0.02) <= most
    assert learned_rho([], 20, 0.2, 0.02) == 0.0


def test_the_dispersion_is_that_of_beta_values():
    rng = np.random.default_rng(7)
    p = np.tile(rng.uniform(0.2, 0.8, 400), (3, 1))
    y = rng.beta(4 * p, 4 * (1 - p))  # variance p (1 - p) / 5
    residuals = ItemResiduals(y - p, np.zeros((3, 3)), 1.0)
    assert residuals.dispersion(y) == pytest.approx(0.2, rel=0.1)


# -- the whole -------------------------------------------------------------------------------------


def made(models=8, scenarios=4, size=40, seed=0) -> pd.DataFrame:
    """Make responses of two kinds of models, each good at another half of each scenario."""
    rng = np.random.default_rng(seed)
    rows = []
    for m in range(models):
        for s in range(scenarios):
            skill = np.where((np.arange(size) % 2 == 0) == (m % 2 == 0), 2.0, -1.0) + 0.2 * s
            right = rng.random(size) < expit(skill)
            rows += [(f"m{m}", f"s{s}", f"q{q:02d}", float(right[q])) for q in range(size)]
    frame = pd.DataFrame(rows, columns=["model", "scenario", "instance", "value"])
    frame["run"] = frame["model"] + "-" + frame["scenario"]
    return frame.assign(status="ok", scenario_group="all", trial=0, **KEYS)


def split(frame, held, k, *, lower=0.0, upper=1.0, binary=True):
    """Hold runs out and show the first k instances of each."""
    facts = {"lower": lower, "upper": upper, "binary": binary}
    of = frame["run"].isin(held)
    runs = frame[~of].groupby("run", as_index=False).first().drop(columns=["instance", "value"])
    value = frame[~of].groupby("run")["value"].mean()
    runs = runs.assign(value=value.reindex(runs["run"]).to_numpy(), n=40, **facts)
    test = frame[of].assign(cell=frame["run"], n=40, **facts)
    rank = test.groupby(["run", "trial"]).cumcount()
    shown = test[rank < k].drop(columns=["n", "binary"])
    asked = test[rank >= k].drop(columns=["value", "status"])
    asked = asked.assign(target=asked["run"] + asked["instance"] + asked["trial"].astype(str))
    train = TrainSplit(runs=runs, responses=frame[~of].reset_index(drop=True))
    truth = dict(zip(asked["target"], test.loc[rank >= k, "value"], strict=True))
    return train, SequesteredTestSplit(targets=asked, responses=shown, k=k), truth


def answers(train, test, **settings) -> dict[str, float]:
    return {p.target: p.mean for p in TiltedItems(**settings).predict(train, test)}


def loss(found, truth) -> float:
    return float(np.mean([(found[t] - truth[t]) ** 2 for t in truth]))


@pytest.mark.parametrize("held", [["m0-s1"], [f"m1-s{s}" for s in range(4)]], ids=["run", "new"])
def test_it_finds_the_models_that_answer_alike(held):
    train, test, truth = split(made(), held, 10)
    found = answers(train, test)
    mean = {p.target: p.mean for p in ItemMean().predict(train, test)}
    assert loss(found, truth) < 0.75 * loss(mean, truth)


def test_shown_responses_move_the_level():
    frame = made()
    frame.loc[frame["run"] == "m0-s1", "value"] = 1.0
    means = []
    for k in (0, 5, 20):
        train, test, _ = split(frame, ["m0-s1"], k)
        means.append(np.mean(list(answers(train, test).values())))
    assert means[0] < means[1] < means[2]


def test_unseen_responses_never_enter_even_if_the_train_table_had_them():
    frame, held = made(), ["m0-s1", "m3-s1", "m0-s2"]
    hidden = frame["run"].isin(held) & (frame.groupby("run").cumcount() >= 10)
    mixed = frame.assign(value=frame["value"].where(~hidden, 1.0 - frame["value"]))
    train, test, _ = split(frame, held, 10)
    expected = answers(train, test)
    for table in (frame, mixed):  # their runs are no train runs
        assert answers(TrainSplit(runs=train.runs, responses=table), test) == expected


def test_the_order_of_rows_does_not_matter_and_no_call_leaves_a_trace():
    frame = made()
    held = ["m0-s1", "m3-s1", "m0-s2"]
    train, test, _ = split(frame, held, 10)
    mixed = TrainSplit(
        runs=train.runs.sample(frac=1, random_state=1),
        responses=train.responses.sample(frac=1, random_state=2),
    )
    other = SequesteredTestSplit(
        targets=test.targets.sample(frac=1, random_state=3),
        responses=test.responses.sample(frac=1, random_state=4),
        k=10,
    )
    first = answers(train, test)
    predictor = TiltedItems()
    predictor.fit(mixed)
    predictor.predict(mixed, split(frame, held, 0)[1])
    assert {p.target: p.mean for p in predictor.predict(mixed, other)} == first


def test_a_new_model_of_which_nothing_is_shown_is_the_pools_mean_item_by_item():
    frame = made()
    train, test, _ = split(frame, [f"m0-s{s}" for s in range(4)], 0)
    found, mean = answers(train, test), {p.target: p.mean for p in ItemMean().predict(train, test)}
    of = test.targets.set_index("target")
    for _, part in of.groupby("run"):
        ours, theirs = [found[t] for t in part.index], [mean[t] for t in part.index]
        assert np.corrcoef(ours, theirs)[0, 1] > 0.99
        assert np.mean(ours) == pytest.approx(np.mean(theirs), abs=0.05)


def test_a_scenario_without_train_runs_has_the_level_alone():
    frame = made()
    held = [f"m{m}-s1" for m in range(8)]
    by_k = [np.array(list(answers(*split(frame, held, k)[:2]).values())) for k in (0, 10)]
    assert np.unique(by_k[0].round(12)).size == 8  # one for each run, from its other runs
    assert 0.3 < by_k[0].min() < by_k[0].max() < 0.9
    frame.loc[frame["run"] == "m0-s1", "value"] = 0.0
    low = answers(*split(frame, held, 10)[:2])
    assert max(v for t, v in low.items() if t.startswith("m0")) < by_k[1].min()


def test_other_conditions_stand_in_for_one_that_no_train_run_has():
    frame = made()
    frame.loc[frame["run"] == "m0-s1", "condition"] = "other"
    train, test, truth = split(frame, ["m0-s1"], 10)
    found = answers(train, test)
    assert loss(found, truth) < 0.2
    again = frame[frame["run"] == "m0-s1"].assign(condition="c", run="m0-s1-c")
    train, test, _ = split(pd.concat([frame, again], ignore_index=True), ["m0-s1"], 10)
    assert loss(answers(train, test), truth) < loss(found, truth)  # its run under the other


def test_without_any_train_run_only_shown_responses_speak():
    frame = made(1, 1)
    train, test, _ = split(frame, ["m0-s0"], 0)
    assert list(answers(train, test).values()) == pytest.approx([0.5] * 40)
    frame["value"] = 1.0
    train, test, _ = split(frame, ["m0-s0"], 20)
    assert min(answers(train, test).values()) > 0.85


@pytest.mark.parametrize("models", [1, 2, 3])
@pytest.mark.parametrize("k", [0, 1, 20])
def test_few_models_and_one_scenario_are_enough(models, k):
    frame = made(models + 1, 1)
    train, test, truth = split(frame, ["m0-s0"], k)
    found = answers(train, test)
    assert sorted(found) == sorted(truth)
    assert all(0.01 <= p <= 0.99 for p in found.values())


def test_items_that_some_models_have_not_answered():
    frame = made()
    gone = frame["instance"].isin(["q30", "q33"]) & (frame["run"] != "m0-s1")
    gone |= (frame["model"] == "m5") & (frame["instance"] < "q20")
    train, test, truth = split(frame[~gone], ["m0-s1"], 10)
    found = answers(train, test)
    assert sorted(found) == sorted(truth)
    unknown = [found["m0-s1q300"], found["m0-s1q330"]]
    assert unknown[0] == pytest.approx(unknown[1])
    assert loss(found, truth) < 0.22


def test_graded_metrics_are_the_same_in_any_units():
    frame = made()
    rng = np.random.default_rng(8)
    frame["value"] = np.clip(frame["value"] * 0.5 + 0.25 + rng.normal(0, 0.1, len(frame)), 0, 1)
    train, test, truth = split(frame, ["m0-s1"], 10, binary=False)
    found = answers(train, test)
    other = split(
        frame.assign(value=1 + 4 * frame["value"]),
        ["m0-s1"],
        10,
        lower=1.0,
        upper=5.0,
        binary=False,
    )
    scaled = answers(*other[:2])
    assert {t: (v - 1) / 4 for t, v in scaled.items()} == pytest.approx(found)
    mean = {p.target: p.mean for p in ItemMean().predict(train, test)}
    assert loss(found, truth) < 0.85 * loss(mean, truth)


def test_graded_values_tell_more_of_the_level_than_right_and_wrong():
    frame = made().assign(value=lambda f: 0.45 + 0.1 * f["value"])
    frame.loc[frame["run"] == "m0-s1", "value"] += 0.1
    errors = []
    for binary in (False, True):
        train, test, truth = split(frame, ["m0-s1"], 10, binary=binary)
        mean = np.mean(list(answers(train, test).values()))
        errors.append(abs(mean - np.mean(list(truth.values()))))
    assert errors[0] < 0.6 * errors[1]


def test_a_gap_in_a_run_is_what_others_made_of_the_item_and_a_missing_run_is_flat():
    y = [np.array([[1.0, 0.0], [1.0, np.nan]]), np.array([[1.0, 0.0], [np.nan, np.nan]])]
    columns = {(s, "", "", "", "", True): i for i, s in enumerate("st")}
    grid = ItemGrid(["a", "b"], columns, ["s", "t"], [np.array(["p", "q"], object)] * 2, y)
    x = Signatures.of(grid).x
    assert x[0].tolist() == [[0.5, -0.5], [0.0, -0.5]]
    assert x[1].tolist() == [[0.5, -0.5], [0.0, 0.0]]


def test_trials_count_by_their_mean_and_get_one_prediction():
    frame = made()
    twice = pd.concat([frame, frame.assign(trial=1)], ignore_index=True)
    once, both = (answers(*split(f, ["m0-s1"], 10)[:2]) for f in (frame, twice))
    assert len(both) == 2 * len(once)
    assert {t[:-1]: v for t, v in both.items()} == pytest.approx(
        {t[:-1]: v for t, v in once.items()}
    )


def test_metrics_without_bounds_are_the_item_means():
    frame = made().assign(value=lambda f: 40 * f["value"] - 7)
    train, test, _ = split(frame, ["m0-s1"], 10, lower=np.nan, upper=np.nan, binary=False)
    assert answers(train, test) == {p.target: p.mean for p in ItemMean().predict(train, test)}


def test_of_many_models_those_that_go_along_are_used():
    train, test, truth = split(made(30), ["m0-s1"], 10)
    few, whole = answers(train, test, most_models=8), answers(train, test)
    assert few != whole
    assert loss(few, truth) < 1.2 * loss(whole, truth)
    grid = ItemGrid.read(train)
    signatures, row = Signatures.of(grid), grid.models.index("m10")
    near = signatures.nearest(sum(x @ x[row] for x in signatures.x), 8, row)
    assert row in near
    assert [int(grid.models[i][1:]) % 2 for i in near] == [0] * 8


def test_what_is_asked_is_read_by_cell():
    _, test, _ = split(made(), ["m0-s1", "m3-s2"], 10)
    first, second = read_asked(test)
    assert (first.model, second.model) == ("m0", "m3")
    assert first.labels[first.own].tolist() == [f"q{q:02d}" for q in range(10)]
    assert set(first.labels[first.item]) == {f"q{q:02d}" for q in range(10, 40)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ridge": 0}, "ridge must be a number above 0"),
        ({"rho": 1.0}, "rho must be None, or a number from 0 to below 1"),
        ({"points": 7.5}, "points must be a whole number"),
        ({"own_weight": "much"}, "own_weight must be a number from 0 on"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        TiltedItems(**settings)
