"""What every built-in predictor must do, whatever it predicts."""

import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.distribution import from_parts
from harness.predictor import NotApplicable
from harness.testing import PredictorContract
from suites.errors import UsageError

NAMES = {
    "global-mean": "predictors.global_mean:GlobalMean",
    "scenario-mean": "predictors.scenario_mean:ScenarioMean",
    "model-mean": "predictors.model_mean:ModelMean",
    "sample-mean": "predictors.sample_mean:SampleMean",
    "ppi": "predictors.ppi:Ppi",
    "jeffreys": "predictors.jeffreys:Jeffreys",
    "beta-binomial": "predictors.beta_binomial:BetaBinomial",
    "additive-logit": "predictors.additive_logit:AdditiveLogit",
    "kernel-ridge": "predictors.kernel_ridge:KernelRidge",
    "nearest-model": "predictors.nearest_model:NearestModel",
    "low-rank": "predictors.low_rank:LowRank",
    "random-forest": "predictors.random_forest:RandomForest",
    "random": "predictors.random_value:RandomValue",
    "perturbation": "predictors.perturbation:PerturbationLine",
    "hibayes-crossed": "predictors.hibayes_predictors:HibayesCrossed",
    "profile": "predictors.profile.predictor:Profile",
    "signature": "predictors.signature.predictor:Signature",
    "tilted-runs": "predictors.tilted_items.runs:TiltedRuns",
    "hibayes": "predictors.hibayes_predictors:HibayesFactor",
    "hibayes-items": "predictors.hibayes_predictors:HibayesItems",
    "factorisation": "predictors.factorisation.predictor:Factorisation",
    "stack": "predictors.stack:Stack",
    "conformal": "predictors.conformal:Conformal",
}
HIERARCHICAL = ["hibayes-crossed", "hibayes", "hibayes-items"]
UPDATED = [
    *("jeffreys", "beta-binomial", "additive-logit", "kernel-ridge"),
    *("nearest-model", "low-rank", "random-forest", *HIERARCHICAL),
    *("factorisation", "profile", "signature", "tilted-runs", "stack", "conformal"),
]
NEED_ONE = ["sample-mean", "ppi"]  # shown response
YARDSTICKS = ["global-mean", "scenario-mean", "model-mean", "random", "perturbation"]
FEW = {
    **{name: {"draws": 25} for name in HIERARCHICAL},
    "random-forest": {"n_estimators": 5},
    "factorisation": {"sweeps": 20},
    "stack": {"members": ("beta-binomial", "additive-logit"), "splits": 1},
    "conformal": {"predictor": "additive-logit", "splits": 2},
}
MOST = [name for name in NAMES if name != "perturbation"]
KINDS = ["binary", "bounded", "percent", "unbounded"]

every = pytest.mark.parametrize("name", NAMES)
most = pytest.mark.parametrize("name", MOST)
updated = pytest.mark.parametrize("name", UPDATED)


def make(name, **settings):
    module, cls = NAMES[name].split(":")
    return getattr(import_module(module), cls)(**{**FEW.get(name, {}), **settings})


def ask(name, made, k, **more):
    """Fit, predict, and give the predictions by target."""
    predictor, train = make(name), made.train()
    predictor.fit(train)
    answer = predictor.predict(train, made.test(max(k, predictor.min_k), **more))
    return {p.target: p for p in answer}


def distributions(predictions, test):
    """Give the distribution that each prediction states, checked as the harness checks it."""
    rows = {row["target"]: row for row in test.targets.to_dict("records")}
    out = {}
    for target, prediction in predictions.items():
        row, name = rows[target], prediction.distribution
        out[target] = from_parts(
            mean=prediction.mean,
            **({name: getattr(prediction, name)} if name else {}),
            lower=None if pd.isna(row["lower"]) else row["lower"],
            upper=None if pd.isna(row["upper"]) else row["upper"],
            n=int(row["n"]),
            binary=bool(row["binary"]),
        )
    return out


def assert_answers_all(predictions, test):
    assert sorted(predictions) == sorted(test.targets["target"])
    for target, stated in distributions(predictions, test).items():
        assert np.isfinite([stated.mean, stated.sd, predictions[target].mean]).all()


def assert_equal(one, other):
    """Assert equal to the last digit."""
    assert list(one) == list(other) or sorted(one) == sorted(other)
    for target, p in one.items():
        q = other[target]
        assert p.distribution == q.distribution
        assert p.mean == q.mean
        assert p.normal == q.normal
        assert p.beta == q.beta
        assert p.quantiles == q.quantiles
        assert (p.pmf is None) == (q.pmf is None)
        assert p.pmf is None or np.array_equal(p.pmf, q.pmf)


def test_the_registered_predictors_are_these():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    points = project["project"]["entry-points"]
    quick, slow = points["benchcast.predictors"], points["benchcast.predictors.slow"]
    assert {**quick, **slow} == {**NAMES, "hibayes-factor": NAMES["hibayes"]}
    assert not set(quick) & set(slow)


def contract(name):
    """Give the suite of the contract for one predictor; orders may not change the last digit."""
    return type(name, (PredictorContract,), {"make": lambda self: make(name), "tolerance": 0.0})


globals().update({f"Test {name}": contract(name) for name in NAMES})


@every
def test_only_means_of_the_sample_need_a_response(name):
    assert make(name).min_k == (1 if name in NEED_ONE else 0)


@every
def test_it_takes_the_settings_of_the_notebook_contract(name):
    predictor = make(name, num_eval_samples=7, random_seed=3)
    assert (predictor.num_eval_samples, predictor.random_seed) == (7, 3)


@every
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [0, 1, 5, 23])
def test_every_target_gets_a_finite_distribution(name, kind, k, grid):
    made = grid(kind=kind, strengths=(0.1, 0.3))
    assert_answers_all(ask(name, made, k), made.test(k))


@every
def test_predictions_also_have_the_names_of_the_notebook_contract(name, grid):
    made = grid(strengths=(0.1, 0.3))
    prediction = ask(name, made, 1)["target m0-s0-0.3"]
    assert prediction.run_spec_name == "name of m0-s0-0.3"
    assert (prediction.split, prediction.stat_name) == ("test", "binary")
    assert prediction.perturbation["prob"] == 0.3
    assert prediction.perturbation["robustness"] is True


@every
def test_answers_come_in_the_order_of_the_targets(name, grid):
    made = grid(strengths=(0.1, 0.3))
    test = made.test(5)
    test = SequesteredTestSplit(targets=test.targets[::-1], responses=test.responses, k=5)
    answer = make(name).predict(made.train(), test)
    assert [p.target for p in answer] == list(test.targets["target"])


@every
def test_other_targets_do_not_matter(name, grid):
    made = grid(strengths=(0.1, 0.3))
    whole = ask(name, made, 5)
    test = made.test(5)
    predictor = make(name)
    predictor.fit(made.train())
    for row in range(len(test.targets)):
        one = SequesteredTestSplit(targets=test.targets.iloc[[row]], responses=test.responses, k=5)
        alone = {p.target: p for p in predictor.predict(made.train(), one)}
        assert_equal(alone, {target: whole[target] for target in alone})


@every
def test_predict_alone_fits_for_itself(name, grid):
    made = grid(strengths=(0.1, 0.3))
    answer = make(name).predict(made.train(), made.test(5))
    assert_equal({p.target: p for p in answer}, ask(name, made, 5))


@pytest.mark.parametrize("name", YARDSTICKS)
def test_yardsticks_are_the_same_at_all_k(name, grid):
    made = grid(strengths=(0.1, 0.3))
    assert_equal(ask(name, made, 0), ask(name, made, 20))


@updated
@pytest.mark.parametrize("kind", ["binary", "bounded", "percent"])
def test_when_all_but_one_response_is_shown_the_value_is_nearly_known(name, kind, grid):
    made = grid(kind=kind, hold=lambda i, j: j == 0 and i < 3)
    span = {"binary": 1.0, "bounded": 4.0, "percent": 100.0}[kind]
    predictions = ask(name, made, 23)
    for target, stated in distributions(predictions, made.test(23)).items():
        assert abs(predictions[target].mean - made.truth[target]) < span / 24
        assert stated.sd < span / 24


@updated
def test_a_success_more_raises_the_mean(name, grid):
    made = grid(hold=lambda i, j: j == 0 and i < 3)
    test = made.test(4)
    means = []
    for successes in range(5):
        responses = test.responses.copy()
        responses["value"] = (responses.groupby("target").cumcount() < successes).astype(float)
        split = SequesteredTestSplit(targets=test.targets, responses=responses, k=4)
        means.append([p.mean for p in make(name).predict(made.train(), split)])
    assert (np.diff(means, axis=0) > 0).all()


@most
@pytest.mark.parametrize("kind", ["binary", "percent", "unbounded"])
@pytest.mark.parametrize(("models", "scenarios"), [(1, 1), (2, 1), (1, 2), (3, 3)])
def test_tiny_grids_get_an_answer(name, kind, models, scenarios, grid):
    if kind == "unbounded" and models * scenarios == 1:
        return  # nothing at all is known: a test of its own
    made = grid(models, scenarios, kind=kind, hold=lambda i, j: i == 0 and j == 0)
    for k in (0, 2):
        assert_answers_all(ask(name, made, k), made.test(k))


@most
@pytest.mark.parametrize("kind", ["binary", "percent", "unbounded"])
@pytest.mark.parametrize(
    "hold",
    [
        lambda i, j: i == 0,
        lambda i, j: j == 0,
        lambda i, j: i == 0 or j == 0,
        lambda i, j: i > 0 and j < 2,
        lambda i, j: i != j,
        lambda i, j: (i, j) != (1, 1),
    ],
    ids=["model", "scenario", "both", "one run a scenario", "one run a model", "one run"],
)
def test_unknown_models_and_scenarios_get_an_answer(name, kind, hold, grid):
    made = grid(5, 4, kind=kind, hold=hold)
    for k in (0, 3):
        assert_answers_all(ask(name, made, k), made.test(k))


@most
@pytest.mark.parametrize("kind", ["binary", "bounded"])
def test_without_any_train_run_bounded_metrics_get_an_answer(name, kind, grid):
    made = grid(3, 3, kind=kind, hold=lambda i, j: True)
    for k in (0, 2):
        assert_answers_all(ask(name, made, k), made.test(k))


@pytest.mark.parametrize("name", [n for n in MOST if n not in NEED_ONE])
def test_an_unbounded_metric_nothing_is_known_of_is_left_out(name, grid):
    made = grid(3, 3, kind="unbounded", hold=lambda i, j: True)
    assert ask(name, made, 0) == {}


@most
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_runs_that_are_all_alike_leave_some_doubt(name, value, grid):
    made = grid(4, 4)
    made.runs["value"] = value
    predictions = ask(name, made, 0)
    assert_answers_all(predictions, made.test(0))
    if name not in ("sample-mean", "random"):
        stated = distributions(predictions, made.test(0)).values()
        assert all(distribution.sd > 0 for distribution in stated)


@most
@pytest.mark.parametrize("kind", KINDS)
def test_responses_without_a_value_are_not_counted(name, kind, grid):
    made = grid(kind=kind)
    fewer = ask(name, made, 5, without_value=(3, 4))
    assert_equal(fewer, ask(name, made, 3))
    assert_answers_all(ask(name, made, 2, without_value=(0, 1)), made.test(2))


@updated
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_valid_response_nothing_is_updated(name, kind, grid):
    made = grid(kind=kind)
    assert_equal(ask(name, made, 2, without_value=(0, 1)), ask(name, made, 0))


@most
@pytest.mark.parametrize(
    ("kind", "bad"),
    [("binary", np.nan), ("binary", 7.0), ("unbounded", np.inf), ("unbounded", 1e300)],
)
def test_train_runs_without_a_usable_value_do_no_harm(name, kind, bad, grid):
    made = grid(kind=kind)
    made.runs.loc[made.runs["run"] == "m1-s1", "value"] = bad
    assert_answers_all(ask(name, made, 2), made.test(2))


@updated
def test_trials_of_one_instance_count_once(name, grid):
    made = grid()
    test = made.test(4)
    twice = pd.concat([test.responses, test.responses.assign(trial=1)])
    split = SequesteredTestSplit(targets=test.targets, responses=twice, k=4)
    answer = make(name).predict(made.train(), split)
    assert_equal({p.target: p for p in answer}, ask(name, made, 4))


@most
def test_reruns_and_metrics_side_by_side_get_an_answer(name, grid):
    kinds = [grid(4, 3, kind=kind) for kind in KINDS]
    rerun = kinds[0].train_runs.assign(rerun=1)
    rerun["run"] += " again"
    runs = pd.concat(
        [g.train_runs.assign(run=g.train_runs["run"] + g.train_runs["metric"]) for g in kinds]
        + [rerun],
        ignore_index=True,
    )
    train = TrainSplit(runs=runs)
    predictor = make(name)
    predictor.fit(train)
    for made in kinds:
        test = made.test(3)
        assert_answers_all({p.target: p for p in predictor.predict(train, test)}, test)


@every
def test_without_targets_there_is_nothing_to_answer(name, grid):
    made = grid(strengths=(0.1, 0.3))
    test = made.test(5)
    empty = SequesteredTestSplit(targets=test.targets.iloc[:0], responses=test.responses, k=5)
    assert make(name).predict(made.train(), empty) == []


@every
def test_splits_without_runs_or_targets_are_refused_with_the_way_out(name, grid):
    with pytest.raises(UsageError, match=r"harness\.evaluate"):
        make(name).fit(TrainSplit())
    made = grid(strengths=(0.1, 0.3))
    with pytest.raises(UsageError, match=r"harness\.evaluate"):
        make(name).predict(made.train(), SequesteredTestSplit())


def test_only_the_perturbation_line_needs_perturbed_runs(grid):
    with pytest.raises(NotApplicable):
        make("perturbation").fit(grid().train())
