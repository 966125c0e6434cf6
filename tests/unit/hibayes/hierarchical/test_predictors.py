"""The predictors: from splits to predictions."""

import re

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.hibayes_predictors import HibayesCrossed, HibayesFactor, HibayesItems
from suites.errors import NotInstalled, UsageError

ALL = [HibayesCrossed, HibayesFactor, HibayesItems]
MODELS, SCENARIOS, ITEMS = 10, 12, 40


def is_held(i, j):
    return (i + 3 * j) % 7 == 0


@pytest.fixture(scope="module")
def responses():
    rng = np.random.default_rng(2)
    ability, ease = rng.normal(size=MODELS), rng.normal(size=SCENARIOS)
    difficulty = rng.normal(size=(SCENARIOS, ITEMS))
    latent = ability[:, None, None] + ease[:, None] - difficulty
    latent = latent + rng.normal(size=(MODELS // 2, SCENARIOS, ITEMS)).repeat(2, axis=0)
    return (latent > 0).astype(float)


@pytest.fixture
def splits(responses):
    """Give a function that makes train and test for k, with held models or scenarios if named."""

    def make(k=0, *, hold=is_held, unbounded=False, kind="binary"):
        runs, rows, shown = [], [], []
        for i in range(MODELS):
            for j in range(SCENARIOS):
                x = responses[i, j] if kind == "binary" else 0.2 + 0.5 * responses[i, j]
                run = f"r{i:02d}-{j:02d}"
                runs.append(
                    {
                        "run": run,
                        "model": f"o{i // 2}/m{i}",
                        "organisation": f"o{i // 2}",
                        "scenario": f"g{j % 3}/s{j:02d}",
                        "scenario_group": f"g{j % 3}",
                        "metric": "accuracy",
                        "value": x.mean(),
                        "n": ITEMS,
                        "binary": kind == "binary",
                        "lower": None if unbounded else 0.0,
                        "upper": None if unbounded else 1.0,
                    }
                )
                known = range(k) if hold(i, j) else range(ITEMS)
                part = [(run, "accuracy", f"i{n}", x[n]) for n in known]
                (shown if hold(i, j) else rows).extend(part)
        runs = pd.DataFrame(runs)
        held = np.array([hold(i, j) for i in range(MODELS) for j in range(SCENARIOS)])
        names = ["run", "metric", "instance", "value"]
        targets = runs[held].drop(columns=["value"])
        targets = targets.assign(target="t " + targets["run"])
        targets["instances"] = [[f"i{n}" for n in range(ITEMS)]] * len(targets)
        shown = pd.DataFrame(shown, columns=names)
        train = TrainSplit(runs=runs[~held], responses=pd.DataFrame(rows, columns=names))
        test = SequesteredTestSplit(
            targets=targets, responses=shown.assign(target="t " + shown["run"]), k=k
        )
        return train, test, runs.loc[held, "value"].to_numpy()

    return make


def answers(predictor, train, test, fit=True):
    if fit:
        predictor.random_state = 5
        predictor.fit(train)
    return predictor.predict(train, test)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("k", [0, 5])
def test_every_target_has_a_pmf_near_the_truth(cls, k, splits):
    train, test, truth = splits(k)
    predictions = answers(cls(draws=50), train, test)
    assert [p.target for p in predictions] == test.targets["target"].tolist()
    assert all(len(p.pmf) == ITEMS + 1 and np.isclose(p.pmf.sum(), 1) for p in predictions)
    error = np.abs([p.mean for p in predictions] - truth).mean()
    assert error < 0.1


def test_the_models_that_are_fitted_are_those_that_are_named(splits):
    train, test, _ = splits()
    names = []
    for cls in ALL:
        predictor = cls(draws=25)
        answers(predictor, train, test)
        names.append(predictor._fold.posterior.model)
    assert names == ["crossed", "crossed_factor", "crossed_factor_items"]


def test_small_sources_fall_back_to_the_crossed_model(splits):
    train, test, _ = splits()
    few = TrainSplit(runs=train.runs[train.runs["model"].isin(["o0/m0", "o0/m1", "o1/m2"])])
    predictor = HibayesFactor(draws=25)
    predictions = answers(predictor, few, test)
    assert predictor._fold.posterior.model == "crossed"
    assert len(predictions) == len(test.targets)


def test_sources_without_responses_need_no_items(splits):
    train, test, _ = splits(3)
    predictor = HibayesItems(draws=25)
    predictions = answers(predictor, TrainSplit(runs=train.runs), test)
    assert predictor._fold.posterior.model == "crossed_factor"
    assert len(predictions) == len(test.targets)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    "hold",
    [
        pytest.param(lambda i, j: i < 2, id="models"),
        pytest.param(lambda i, j: j == 4, id="scenario"),
        pytest.param(lambda i, j: i == 0 or j == 4, id="both"),
    ],
)
def test_new_models_and_scenarios_are_predicted(cls, hold, splits):
    errors = []
    predictor = cls(draws=50)
    for k in (0, 20):
        train, test, truth = splits(k, hold=hold)
        predictions = answers(predictor, train, test)
        assert len(predictions) == len(truth)
        errors.append(np.abs([p.mean for p in predictions] - truth).mean())
    assert errors[1] < min(errors[0], 0.1)


def test_the_seed_decides(splits):
    train, test, _ = splits(4)
    pmf = []
    for seed in (5, 5, 6):
        predictor = HibayesFactor(draws=25)
        predictor.random_state = seed
        predictor.fit(train)
        predictor.random_state = 1 + len(pmf)  # of predict: no matter
        pmf.append(np.concatenate([p.pmf for p in predictor.predict(train, test)]))
    assert np.array_equal(pmf[0], pmf[1])
    assert not np.array_equal(pmf[0], pmf[2])


@pytest.mark.parametrize("cls", ALL)
def test_what_was_asked_before_does_not_matter(cls, splits):
    train, first, _ = splits(0)
    test = splits(6)[1]
    predictor, other = cls(draws=25), cls(draws=25)
    answers(predictor, train, first)
    one = predictor.predict(train, test)
    two = answers(other, train, test)
    assert all(np.array_equal(a.pmf, b.pmf) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("hold", [is_held, lambda i, j: i < 2], ids=["cells", "models"])
def test_joint_draws_have_the_margins_of_the_pmfs(cls, hold, splits):
    train, test, _ = splits(3, hold=hold)
    alone = answers(cls(draws=50), train, test)
    together = answers(cls(draws=50, joint=True), train, test)
    sizes = {len(p.samples) for p in together}
    assert len(sizes) == 1
    assert sizes.pop() >= 100
    for p, q in zip(alone, together, strict=True):
        assert q.joint
        counts = np.bincount(np.rint(np.asarray(q.samples) * ITEMS).astype(int), minlength=41)
        assert np.abs(np.cumsum(counts / len(q.samples)) - np.cumsum(p.pmf)).max() < 0.02


def test_joint_draws_of_a_models_scenarios_go_together(splits):
    train, test, _ = splits(0, hold=lambda i, j: i == 0)
    predictions = answers(HibayesCrossed(draws=100, joint=True), train, test)
    samples = np.array([p.samples for p in predictions])
    correlation = np.corrcoef(samples)[np.triu_indices(len(samples), 1)]
    assert correlation.mean() > 0.3


def test_values_that_are_no_counts_have_quantiles(splits):
    for k in (0, 6):
        train, test, truth = splits(k, kind="measured")
        predictions = answers(HibayesFactor(draws=25), train, test)
        values = np.array([list(p.quantiles.values()) for p in predictions])
        assert (np.diff(values, axis=1) >= 0).all()
        assert np.abs([p.quantiles[0.5] for p in predictions] - truth).mean() < 0.1


def test_metrics_without_bounds_get_the_scenario_mean(splits):
    train, test, _ = splits(unbounded=True)
    runs = train.runs.assign(binary=False)
    targets = test.targets.assign(binary=False)
    blank = SequesteredTestSplit(targets=targets, k=0)
    predictions = answers(HibayesFactor(draws=25), TrainSplit(runs=runs), blank)
    assert {p.distribution for p in predictions} == {"normal"}
    assert len(predictions) == len(targets)


def test_settings_are_checked():
    for wrong in ({"draws": 3}, {"rank": 0}, {"rank": True}):
        with pytest.raises(UsageError):
            HibayesFactor(**wrong)


@pytest.mark.parametrize("cls", ALL)
def test_train_runs_are_left_out(cls, splits):
    pytest.importorskip("arviz")
    train, test, _ = splits()
    predictor = cls(draws=50)
    answers(predictor, train, test)
    table = predictor.loo(train)
    assert sorted(table["run"]) == sorted(train.runs["run"])
    assert np.isfinite(table[["elpd_loo", "elpd_waic"]].to_numpy()).all()
    counts = table["elpd_loo"].mean()  # nats of a count out of 40
    assert -4.0 < counts < -2.0
    checks = predictor.checks(train)
    assert checks["check"].tolist() == ["r_hat", "ess_bulk", "pareto_k"]


def test_a_rerun_has_no_run_left_out(splits):
    pytest.importorskip("arviz")
    train, test, _ = splits()
    again = train.runs.iloc[[0]].assign(run="again")
    twice = TrainSplit(runs=pd.concat([train.runs, again], ignore_index=True))
    predictor = HibayesCrossed(draws=50)
    answers(predictor, twice, test)
    assert len(predictor.loo(twice)) == len(train.runs) - 1


def test_a_failed_check_names_its_offenders(splits, monkeypatch):
    pytest.importorskip("arviz")
    train, _, _ = splits()
    monkeypatch.setattr("hibayes.hierarchical.checks.MAX_R_HAT", 0.5)
    monkeypatch.setattr("hibayes.hierarchical.checks.MIN_ESS", 0.0)
    predictor = HibayesCrossed(draws=25)
    predictor.fit(train)
    table = predictor.checks(train).set_index("check")
    assert not table.loc["r_hat", "passed"]
    assert re.match(r"o\d/m\d on ", table.loc["r_hat", "offenders"])
    assert table.loc["ess_bulk", "passed"]


def test_without_arviz_it_predicts_and_says_what_is_missing(splits, monkeypatch):
    import builtins

    real = builtins.__import__

    def fail(name, *args, **kwargs):
        if name.split(".")[0] in ("arviz", "jax", "numpyro", "xarray"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    import importlib

    monkeypatch.setattr(builtins, "__import__", fail)
    found = importlib.import_module

    def fail_too(name, package=None):
        if name.split(".")[0] in ("arviz", "jax", "numpyro", "xarray"):
            raise ImportError(name)
        return found(name, package)

    monkeypatch.setattr(importlib, "import_module", fail_too)
    train, test, _ = splits()
    predictor = HibayesCrossed(draws=50)
    assert len(answers(predictor, train, test)) == len(test.targets)
    with pytest.raises(NotInstalled):
        predictor.loo(train)
