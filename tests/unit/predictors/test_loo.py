"""Leave-one-run-out against refits without each run."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.beta_binomial import BetaBinomial
from predictors.scenario_mean import ScenarioMean

both = pytest.mark.parametrize("cls", [ScenarioMean, BetaBinomial])


def refitted(cls, runs):
    """Log probability of each run's count, or log density, after a refit without it."""
    out = {}
    for i in range(len(runs)):
        run = runs.iloc[i]
        targets = runs.iloc[[i]].drop(columns="value").assign(target="t")
        train = TrainSplit(runs=runs.drop(index=runs.index[i]))
        predictor = cls()
        predictor.fit(train)
        answer = predictor.predict(train, SequesteredTestSplit(targets=targets, k=0))
        if not answer:
            continue
        p, value = answer[0], run["value"]
        if p.pmf is not None:
            out[run["run"]] = np.log(p.pmf[round(value * run["n"])])
        elif p.normal is not None:
            out[run["run"]] = stats.norm.logpdf(value, *p.normal)
        else:
            span = run["upper"] - run["lower"]
            y = min(max((value - run["lower"]) / span, 0.001), 0.999)
            out[run["run"]] = stats.beta.logpdf(y, *p.beta) - np.log(span)
    return out


def assert_equals_refits(cls, runs):
    found = cls().loo(TrainSplit(runs=runs))
    expected = refitted(cls, runs)
    assert sorted(found["run"]) == sorted(expected)
    values = dict(zip(found["run"], found["elpd_loo"], strict=True))
    for run, value in expected.items():
        assert values[run] == pytest.approx(value, rel=1e-10, abs=1e-10)


@both
@pytest.mark.parametrize("kind", ["binary", "bounded", "percent", "unbounded"])
def test_it_equals_refits_without_each_run(cls, kind, grid):
    assert_equals_refits(cls, grid(5, 4, kind=kind, n=40).train_runs)


@both
def test_it_equals_refits_where_columns_have_one_two_or_three_runs(cls, grid):
    assert_equals_refits(cls, grid(4, 4, hold=lambda i, j: j > i).train_runs)
    for kind in ("binary", "bounded", "unbounded"):
        assert_equals_refits(cls, grid(3, 1, kind=kind, hold=lambda i, j: i > 1).train_runs)


@both
def test_it_equals_refits_for_metrics_side_by_side_and_reruns(cls, grid):
    parts = [grid(4, 3, kind=k).train_runs for k in ("binary", "percent", "unbounded")]
    parts.append(parts[0].assign(rerun=1))
    runs = pd.concat(parts, ignore_index=True)
    runs["run"] = [f"run {i}" for i in range(len(runs))]
    assert_equals_refits(cls, runs)


@both
def test_equal_values_and_values_at_the_ends_have_a_figure(cls, grid):
    for value in (0.0, 0.5, 1.0):
        runs = grid(4, 3).train_runs.assign(value=value)
        assert_equals_refits(cls, runs)


@both
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=2, max_size=12))
def test_it_equals_refits_for_any_counts(cls, counts):
    runs = pd.DataFrame(counts, columns=["scenario", "count"])
    runs["run"] = [f"r{i}" for i in range(len(runs))]
    runs = runs.assign(value=runs["count"] / 12, n=12, binary=True)
    assert_equals_refits(cls, runs)


@both
def test_the_table_has_the_columns_of_the_contract(cls, grid):
    train = grid().train()
    loo = cls().loo(train)
    assert list(loo.columns) == ["run", "elpd_loo", "elpd_waic", "pareto_k", "method"]
    assert sorted(loo["run"]) == sorted(train.runs["run"])
    assert set(loo["method"]) == {"exact"}
    assert loo[["elpd_waic", "pareto_k"]].isna().all(axis=None)


@both
def test_the_only_run_of_an_unbounded_metric_is_left_out(cls):
    runs = pd.DataFrame({"run": ["a"], "metric": ["x"], "value": [3.0]})
    assert len(cls().loo(TrainSplit(runs=runs))) == 0
