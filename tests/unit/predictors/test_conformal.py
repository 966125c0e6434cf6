"""Conformal: coverage from any base where cells are exchangeable, none where truth is shuffled."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.prediction import RunPrediction
from harness.predictor import NotApplicable, RunPredictor
from harness.testing import PredictorContract
from predictors.common.inner_folds import Question
from predictors.common.recalibration import Recalibration, mid_pit
from predictors.conformal import Conformal
from suites.errors import UsageError

N = 200
SPREAD = 0.1  # of the made values about what the bases say


class Narrow(RunPredictor):
    """Right on average, with an sd that is a fourth of what it must be."""

    needs = ("runs",)
    sd = SPREAD / 4

    def predict(self, train_split, sequestered_test_split):
        for row in sequestered_test_split.targets.itertuples():
            centre = 0.3 + 0.05 * int(row.scenario[1:])
            yield RunPrediction(target=row.target, normal=(centre, self.sd))


class Right(Narrow):
    sd = SPREAD


class Wide(Narrow):
    sd = 4 * SPREAD


class Raises(Narrow):
    def predict(self, train_split, sequestered_test_split):
        raise RuntimeError("no such luck")


@pytest.fixture(autouse=True)
def _found_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "conformal_bases", sys.modules[__name__])


def made(models=30, scenarios=8, *, seed=0, own=0.0, binary=True, shuffled=False):
    """Make exchangeable cells: 0.3 + 0.05 j plus noise, of which a part is the model's own."""
    rng = np.random.default_rng(seed)
    cells = [(i, j) for i in range(models) for j in range(scenarios)]
    i, j = np.array(cells).T
    effect = rng.normal(0, own, models)[i]
    y = 0.3 + 0.05 * j + effect + rng.normal(0, np.sqrt(SPREAD**2 - own**2), len(cells))
    y = np.clip(y, 0, 1)
    y = np.rint(y * N) / N if binary else y
    frame = pd.DataFrame(
        {
            "run": [f"r{a}-{b}" for a, b in cells],
            "model": [f"o{a}/m" for a in i],
            "organisation": [f"o{a}" for a in i],
            "scenario": [f"s{b}" for b in j],
            "value": rng.permutation(y) if shuffled else y,
            "n": N,
            "binary": binary,
            "lower": 0.0,
            "upper": 1.0,
        }
    )
    return frame


def asked(runs):
    targets = runs.drop(columns="value").assign(target="target " + runs["run"])
    return SequesteredTestSplit(targets=targets, k=0)


def covered(predictions, runs, level=0.9):
    """Count the values within the central intervals, by mid-PIT."""
    value = dict(zip("target " + runs["run"], runs["value"], strict=True))
    u = np.array([mid_pit(p.pmf, round(value[p.target] * N)) for p in predictions])
    return int((np.abs(u - 0.5) <= level / 2).sum())


def hold(runs, seed=1, size=100):
    """Hold out cells at random; the rest is the train split."""
    test = np.zeros(len(runs), bool)
    test[np.random.default_rng(seed).permutation(len(runs))[:size]] = True
    return runs[test], TrainSplit(runs=runs[~test].reset_index(drop=True))


@pytest.mark.parametrize("base", ["Narrow", "Right", "Wide"])
def test_exchangeable_cells_are_covered_whatever_the_base_says(base):
    hits = {0.5: 0, 0.8: 0, 0.9: 0}
    size = 0
    for seed in range(6):
        test, train = hold(made(seed=seed), seed)
        predictions = Conformal(f"conformal_bases:{base}", splits=4).predict(train, asked(test))
        size += len(predictions)
        for level in hits:
            hits[level] += covered(predictions, test, level)
    assert size == 600
    for level, count in hits.items():
        # two errors: of the test cells, and of the 70 or so calibration cells of each seed
        assert binom.cdf(count, size, level) > 0.005, (level, count / size)
        assert count / size < level + 0.07, (level, count / size)


def test_the_base_alone_does_not_cover_them():
    test, train = hold(made())
    said = Narrow().predict(train, asked(test))
    u = [(v - p.normal[0]) / p.normal[1] for v, p in zip(test["value"], said, strict=True)]
    assert np.mean(np.abs(u) < 1.645) < 0.5


def test_with_the_truth_of_the_calibration_cells_shuffled_coverage_fails():
    """What it learns is where the values fell: with others in their place it learns otherwise."""
    runs = made(scenarios=14)
    test, _ = hold(runs)
    other = made(scenarios=14, shuffled=True)
    train = TrainSplit(runs=other[~other["run"].isin(test["run"])].reset_index(drop=True))
    right = TrainSplit(runs=runs[~runs["run"].isin(test["run"])].reset_index(drop=True))
    size = len(test)
    good, bad = (
        covered(Conformal("conformal_bases:Right", splits=4).predict(t, asked(test)), test, 0.5)
        for t in (right, train)
    )
    assert binom.cdf(good, size, 0.5) > 0.01
    assert binom.sf(good, size, 0.5) > 0.01
    assert binom.sf(bad, size, 0.5) < 1e-4  # calibrated to a spread that is not there


def test_a_new_organisation_is_covered_though_its_cells_hang_together():
    """Blocks count, not cells: most of a value's deviation is its model's own."""
    hits, size = 0, 0
    for seed in range(8):
        runs = made(models=24, scenarios=5, seed=seed, own=0.09)
        new = runs["model"].isin(["o0/m", "o1/m"])
        train = TrainSplit(runs=runs[~new].reset_index(drop=True))
        conformal = Conformal("conformal_bases:Narrow", splits=10)
        conformal.fit(train)
        predictions = conformal.predict(train, asked(runs[new]))
        found = conformal._fold.calibration(Question("organisation"), 0)
        assert found.g.blocks == 22
        hits += covered(predictions, runs[new])
        size += len(predictions)
    # as if every model's cells were half a dozen copies of one value
    assert binom.cdf(hits // 5, size // 5, 0.9) > 0.01, hits / size


@pytest.mark.parametrize("models", [2, 18])
def test_with_too_few_organisations_nothing_is_changed(models):
    runs = made(models=models + 1, scenarios=4)
    new = runs["model"] == "o0/m"
    train = TrainSplit(runs=runs[~new].reset_index(drop=True))
    said = Conformal("conformal_bases:Narrow").predict(train, asked(runs[new]))
    base = list(Narrow().predict(train, asked(runs[new])))
    assert [p.normal for p in said] == [p.normal for p in base]
    one, other = (
        Recalibration.of(np.linspace(0.4, 0.6, b), list(range(b))).blocks for b in (18, 19)
    )
    assert (one, other) == (0, 19)


def test_ranks_are_those_of_conformal_prediction():
    u = np.random.default_rng(0).random(99) ** 3
    g = Recalibration.of(u, list(range(99)))
    ordered = np.sort(u)
    at = [1, 2, 4, 8, 16, 32]
    assert g(ordered[np.array(at) - 1]) == pytest.approx(np.array(at) / 100)
    assert g(ordered[-np.array(at)]) == pytest.approx(1 - np.array(at) / 100)
    assert g([0.0, 1.0]).tolist() == [0.0, 1.0]
    assert (np.diff(g(np.linspace(0, 1, 1001))) >= 0).all()


def test_the_order_of_values_does_not_matter_and_blocks_weigh_alike():
    rng = np.random.default_rng(0)
    u, block = rng.random(60), np.repeat(np.arange(20), 3)
    order = rng.permutation(60)
    one, other = (
        Recalibration.of(u, block.tolist()),
        Recalibration.of(u[order], block[order].tolist()),
    )
    assert np.array_equal(one.u, other.u)
    assert one.level == pytest.approx(other.level)
    # one block that is ten times as large moves the map no further
    many = np.concatenate((u, np.full(27, u[0])))
    large = Recalibration.of(many, [*block.tolist(), *[0] * 27])
    grid = np.linspace(0, 1, 201)
    assert np.abs(large(grid) - one(grid)).max() < 2.5 / 21


@pytest.mark.parametrize(
    ("base", "failed"),
    [("Narrow", "coverage_90_low"), ("Wide", "coverage_90_high"), ("Right", None)],
)
def test_the_alarm_tells_a_base_whose_intervals_are_wrong(base, failed):
    train = TrainSplit(runs=made())
    conformal = Conformal(f"conformal_bases:{base}", splits=4)
    conformal.fit(train)
    checks = conformal.checks(train)
    assert checks.loc[~checks["passed"], "check"].tolist() == ([failed] if failed else [])
    for row in checks[~checks["passed"]].itertuples():
        assert f"of {4 * 24} hidden train cells" in row.offenders
        assert row.value < 0.8 or row.value > 0.97


def test_few_cells_raise_no_alarm_by_chance():
    conformal = Conformal("conformal_bases:Wide", splits=1)
    train = TrainSplit(runs=made(models=10, scenarios=10))
    conformal.fit(train)
    assert conformal.checks(train)["passed"].all()  # ten of ten


def test_where_nothing_can_be_hidden_there_are_no_checks():
    train = TrainSplit(runs=made(models=1, scenarios=1))
    conformal = Conformal("scenario-mean")
    conformal.fit(train)
    assert len(conformal.checks(train)) == 0


@pytest.mark.parametrize("k", [0, 4])
def test_what_the_shown_responses_rule_out_stays_out(k, grid):
    made_grid = grid(10, 8)
    conformal = Conformal("additive-logit")
    for p in conformal.predict(made_grid.train(), made_grid.test(k)):
        of = made_grid.test(k).responses
        mine = of[of["target"] == p.target]["value"]
        hits = int(mine.sum())
        assert p.pmf[:hits].sum() == 0
        assert p.pmf[len(p.pmf) - (k - hits) :].sum() == 0
        assert p.pmf.sum() == pytest.approx(1)


def test_measured_values_get_quantiles_in_their_own_units(grid):
    made_grid = grid(10, 8, kind="percent")
    for p in Conformal("additive-logit").predict(made_grid.train(), made_grid.test(0)):
        values = np.array(list(p.quantiles.values()))
        assert (np.diff(values) >= 0).all()
        assert values.min() >= 0
        assert values.max() <= 100
        assert values.max() > 1


def test_unbounded_metrics_are_left_as_they_are(grid):
    made_grid = grid(8, 6, kind="unbounded")
    said = Conformal("scenario-mean").predict(made_grid.train(), made_grid.test(0))
    from predictors.scenario_mean import ScenarioMean

    base = ScenarioMean().predict(made_grid.train(), made_grid.test(0))
    assert [p.normal for p in said] == [p.normal for p in base]


def test_what_the_base_raises_is_raised():
    test, train = hold(made())
    with pytest.raises(RuntimeError, match="no such luck"):
        Conformal("conformal_bases:Raises").predict(train, asked(test))
    with pytest.raises(NotApplicable, match="k = 1"):
        Conformal("sample-mean").predict(train, asked(test))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"predictor": 3}, "name"),
        ({"predictor": "kernel-rigde"}, "kernel-ridge"),
        ({"predictor": "tilted-items"}, "single responses"),
        ({"splits": 0}, "splits"),
        ({"cells": True}, "cells"),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(settings, says):
    with pytest.raises(UsageError, match=says):
        Conformal(**settings)


class TestContract(PredictorContract):
    """The contract, with a base that is quick and few inner splits."""

    tolerance = 0.0

    def make(self):
        return Conformal("beta-binomial", splits=2)
