"""The stack: weights that win on hidden cells, members that fail, draws that belong together."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import harness
from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.prediction import RunPrediction
from harness.predictor import NotApplicable, RunPredictor
from harness.rules import score
from harness.testing import PredictorContract
from predictors.common.inner_folds import Question
from predictors.kernel_ridge import KernelRidge
from predictors.stack import Stack, pool_weights
from suites.errors import UsageError

HERE = __name__


class Sharp(RunPredictor):
    """Says all values are near 0.8, as they are."""

    needs = ("runs",)
    centre, joint = 0.8, False

    def predict(self, train_split, sequestered_test_split):
        for target in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=target, normal=(self.centre, 0.05))


class Wrong(Sharp):
    centre = 0.2


class Raises(Sharp):
    def predict(self, train_split, sequestered_test_split):
        raise RuntimeError("no such luck")


class Declines(Sharp):
    def fit(self, train_split):
        raise NotApplicable("not on this grid")


class Asks(Sharp):
    min_k = 3


class Reads(Sharp):
    needs = ("runs", "frames")


class Looks(Sharp):
    needs = ("runs", "metadata")


class Worlds(Sharp):
    """Joint draws: in even worlds all values are high, in odd ones low."""

    high = 0.9

    def predict(self, train_split, sequestered_test_split):
        draws = np.where(np.arange(200) % 2, 0.5, self.high)
        for target in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=target, samples=draws, joint=True)


class OtherWorlds(Worlds):
    high = 0.95


@pytest.fixture(autouse=True)
def _found_by_name(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "stack_members", sys.modules[HERE])


def named(*classes):
    return tuple(f"stack_members:{cls.__name__}" for cls in classes)


def runs_near(value, models=6, scenarios=5, n=50):
    rng = np.random.default_rng(0)
    cells = [(f"m{i}", f"s{j}") for i in range(models) for j in range(scenarios)]
    frame = pd.DataFrame(cells, columns=["model", "scenario"])
    frame["run"] = frame["model"] + frame["scenario"]
    count = np.rint(np.clip(rng.normal(value, 0.05, len(frame)), 0, 1) * n)
    return frame.assign(value=count / n, n=n, binary=True, lower=0.0, upper=1.0)


def asked(runs, k=0):
    targets = runs.drop(columns="value").assign(target="target " + runs["run"])
    return SequesteredTestSplit(targets=targets, k=k)


def split_of(runs, held=3):
    return TrainSplit(runs=runs[:-held]), asked(runs[-held:])


def weights(stack, train):
    frame = stack.checks(train)
    return frame["value"].to_numpy()


def test_the_weights_are_those_of_a_general_optimiser():
    rng = np.random.default_rng(1)
    log_p = rng.normal(-3, 1, (40, 3))

    def loss(x):
        w = np.exp(x - np.logaddexp.reduce(x))
        return -(np.log(np.exp(log_p) @ w).sum() + 1.7 * np.log(w).sum())

    found = minimize(loss, np.zeros(3), tol=1e-12).x
    expected = np.exp(found - np.logaddexp.reduce(found))
    assert pool_weights(log_p, 1.7) == pytest.approx(expected, abs=1e-5)


def test_a_greater_prior_draws_the_weights_together():
    log_p = np.log([[0.9, 0.1]] * 10)
    spread = [np.ptp(pool_weights(log_p, prior)) for prior in (0.1, 1.0, 100.0)]
    assert spread[0] > spread[1] > spread[2] > 0
    assert spread[2] < 0.1
    assert spread[0] > 0.8


def test_the_member_that_is_right_gets_the_weight():
    train, test = split_of(runs_near(0.8))
    stack = Stack(members=named(Sharp, Wrong), splits=5)
    stack.fit(train)
    right, wrong = weights(stack, train)
    assert right > 0.9
    assert right + wrong == pytest.approx(1)
    assert all(p.mean > 0.7 for p in stack.predict(train, test))


def test_the_pool_is_the_weighted_sum_of_the_members():
    train, test = split_of(runs_near(0.5))
    stack = Stack(members=named(Sharp, Wrong), splits=2)
    stack.fit(train)
    w = weights(stack, train)
    alone = [Stack(members=(m,)).predict(train, test) for m in named(Sharp, Wrong)]
    for t, prediction in enumerate(stack.predict(train, test)):
        expected = w[0] * alone[0][t].pmf + w[1] * alone[1][t].pmf
        assert prediction.pmf == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("member", "says"),
    [(Raises, "no such luck"), (Declines, "not on this grid"), (Asks, "at least k = 3")],
)
def test_a_member_that_does_not_answer_is_left_out_and_said(member, says):
    train, test = split_of(runs_near(0.8))
    stack = Stack(members=named(Sharp, member), splits=2)
    stack.fit(train)
    checks = stack.checks(train)
    assert checks["value"].tolist() == [1.0, 0.0]
    assert checks["passed"].tolist() == [True, False]
    assert says in checks["offenders"][1]
    alone = Stack(members=named(Sharp)).predict(train, test)
    for one, other in zip(stack.predict(train, test), alone, strict=True):
        assert np.array_equal(one.pmf, other.pmf)


def test_where_no_member_answers_nothing_is_said():
    train, test = split_of(runs_near(0.8))
    assert Stack(members=named(Raises)).predict(train, test) == []


def test_each_kind_of_question_has_weights_of_its_own():
    runs = runs_near(0.8)
    train = TrainSplit(runs=runs[runs["model"] != "m5"])
    stack = Stack(members=("scenario-mean", "model-mean"), splits=5)
    stack.fit(train)
    stack.predict(train, asked(runs[runs["model"] == "m5"]))
    stack.predict(train, asked(runs[:1]))
    assert {question for question, _ in stack._fold._weights} == {
        Question("organisation"),
        Question(),
    }


def test_joint_draws_stay_joint_and_have_the_pools_margins():
    runs = runs_near(0.9)
    train, test = split_of(runs)
    stack = Stack(members=named(Worlds, OtherWorlds), splits=2)
    stack.fit(train)
    w = weights(stack, train)
    predictions = stack.predict(train, test)
    assert all(p.joint and len(p.samples) == 200 for p in predictions)
    first = np.asarray(predictions[0].samples)
    assert all(np.array_equal(first, p.samples) for p in predictions)  # one world for all
    low = np.array([np.mean(first == v) for v in (0.9, 0.95)])
    assert low.sum() == pytest.approx(0.5, abs=0.05)
    assert low[0] / low.sum() == pytest.approx(w[0], abs=0.1)


def test_draws_are_not_joint_beside_a_member_without_draws():
    train, test = split_of(runs_near(0.9))
    stack = Stack(members=named(Worlds, Sharp))
    assert all(p.pmf is not None for p in stack.predict(train, test))


def test_unbounded_metrics_are_left_to_the_first_member():
    runs = runs_near(0.8).assign(lower=np.nan, upper=np.nan, binary=False)
    train, test = split_of(runs)
    stack = Stack(members=("kernel-ridge", "additive-logit"))
    first = KernelRidge().predict(train, test)
    said = stack.predict(train, test)
    assert [p.normal for p in said] == [p.normal for p in first]


def test_it_beats_its_worst_member_on_cells_it_never_saw(grid):
    made = grid(12, 8, hold=lambda i, j: (i + j) % 4 == 0)
    losses = {}
    for members in (("global-mean",), ("additive-logit",), ("global-mean", "additive-logit")):
        stack = Stack(members=members, splits=3)
        rows = {r["target"]: r for r in made.test(0).targets.to_dict("records")}
        losses[members] = np.mean(
            [
                score(
                    _distribution(p, rows[p.target]),
                    made.truth[p.target],
                    target=p.target,
                    n=int(rows[p.target]["n"]),
                    binary=True,
                    lower=0.0,
                    upper=1.0,
                )["log_score"]
                for p in stack.predict(made.train(), made.test(0))
            ]
        )
    bad, good, both = losses.values()
    assert both < bad - 0.2
    assert both < good + 0.1


def _distribution(prediction, row):
    from harness.distribution import from_parts

    return from_parts(pmf=prediction.pmf, lower=0.0, upper=1.0, n=int(row["n"]), binary=True)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"members": ()}, "names of predictors"),
        ({"members": "kernel-ridge"}, "names of predictors"),
        ({"members": ("kernel-ridge", "kernel-ridge")}, "twice"),
        ({"members": ("kernel-rigde",)}, "kernel-ridge"),
        ({"members": ("item-mean",)}, "single responses"),
        ({"members": ("stack_members:Reads",)}, "may need"),
        ({"splits": 0}, "splits"),
        ({"cells": 1.5}, "cells"),
        ({"prior": 0}, "prior"),
        ({"prior": "much"}, "prior"),
    ],
)
def test_wrong_settings_are_refused_with_the_way_out(settings, says):
    with pytest.raises(UsageError, match=says):
        Stack(**settings)


def test_it_uses_what_its_members_read():
    assert Stack.needs == ("runs",)
    assert Stack(members=("kernel-ridge",)).uses == ("responses",)
    assert Stack(members=named(Sharp, Looks)).uses == ("responses", "metadata")


def test_it_applies_to_a_source_without_responses(tmp_path):
    """It reads responses where there are some, and does without where there are none."""
    table = runs_near(0.8)[["model", "scenario", "value"]]
    table.to_csv(tmp_path / "scores.csv", index=False)
    stack = Stack(members=("scenario-mean", "model-mean"), splits=1)
    results = harness.evaluate(
        str(tmp_path / "scores.csv"), [stack], k=[0], folds=2, seeds=[0], isolation="none"
    )
    assert set(results.status["status"]) == {"ok"}
    assert results.checks["check"].nunique() == 2


class TestContract(PredictorContract):
    """The contract, with members that are quick."""

    tolerance = 0.0

    def make(self):
        return Stack(members=("scenario-mean", "beta-binomial"), splits=1)
