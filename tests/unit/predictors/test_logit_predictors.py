"""Additive logit and kernel ridge against plain loops over cells."""

import numpy as np
import pytest

from predictors.additive_logit import MIN_SQUASHED_SD, AdditiveLogit, _Effects
from predictors.common.counts import squash
from predictors.common.grid import read_runs, read_targets
from predictors.kernel_ridge import KernelRidge, _Regressions
from suites.errors import UsageError


def matrix(made):
    """The grid of train values on the logit scale, models by scenarios; NaN where held out."""
    wide = made.train_runs.pivot(index="model", columns="scenario", values="value")
    return squash(wide.to_numpy())


def test_additive_effects_equal_a_loop_over_cells(grid):
    made = grid(7, 5)
    z = matrix(made)
    models, columns = z.shape
    there = ~np.isnan(z)
    a = np.zeros(models)
    b = [np.mean([z[i, j] for i in range(models) if there[i, j]]) for j in range(columns)]
    for _ in range(30):
        for i in range(models):
            row = [z[i, j] - b[j] for j in range(columns) if there[i, j]]
            a[i] = sum(row) / (len(row) + 1)
        for j in range(columns):
            b[j] = np.mean([z[i, j] - a[i] for i in range(models) if there[i, j]])
    targets = read_targets(made.test(0))
    learned = _Effects.of(read_runs(made.train()), 30)
    for prior, model, column in zip(
        learned.priors(targets), targets.model, targets.column, strict=True
    ):
        i, j = int(model[1:]), int(column[0][1:])
        residuals = [z[m, j] - a[m] - b[j] for m in range(models) if there[m, j]]
        assert prior.a == pytest.approx(a[i] + b[j])
        assert prior.b == pytest.approx(np.sqrt(1.05 * np.mean(np.square(residuals))))


@pytest.mark.parametrize(("ridge", "gaps"), [(10.0, "effect"), (0.3, "effect"), (10.0, "mean")])
def test_kernel_ridge_equals_primal_ridge_and_refits_without_each_model(grid, ridge, gaps):
    made = grid(7, 5)
    z = matrix(made)
    there = ~np.isnan(z)
    deviation = z - np.nanmean(z, axis=0)
    targets = read_targets(made.test(0))
    learned = _Regressions.of(read_runs(made.train()), ridge, gaps)
    for prior, model, column in zip(
        learned.priors(targets), targets.model, targets.column, strict=True
    ):
        i, j = int(model[1:]), int(column[0][1:])
        x, w = np.delete(deviation, j, axis=1), np.flatnonzero(there[:, j])
        for m in range(len(x)):  # a gap stands for as much as the model is above the others, or 0
            known = x[m][~np.isnan(x[m])]
            effect = known.sum() / (len(known) + 1)
            x[m, np.isnan(x[m])] = effect if gaps == "effect" else 0.0

        def slope(rows, x=x, j=j):
            lhs = x[rows].T @ x[rows] + ridge * np.eye(x.shape[1])
            return np.linalg.solve(lhs, x[rows].T @ deviation[rows, j])

        assert prior.a == pytest.approx(np.nanmean(z[:, j]) + x[i] @ slope(w))
        left_out = [deviation[m, j] - x[m] @ slope(w[w != m]) for m in w]
        assert prior.b == pytest.approx(np.sqrt(np.mean(np.square(left_out))))


def test_kernel_ridge_predicts_an_unknown_model_by_the_column(grid):
    made = grid(7, 5, hold=lambda i, j: i == 0)
    z = matrix(made)
    targets = read_targets(made.test(0))
    priors = _Regressions.of(read_runs(made.train()), 10.0).priors(targets)
    for prior, column in zip(priors, targets.column, strict=True):
        j = int(column[0][1:])
        assert prior.a == pytest.approx(z[:, j].mean())
        assert prior.b == pytest.approx(max(z[:, j].std(), MIN_SQUASHED_SD))


def test_kernel_ridge_knows_that_a_model_without_other_runs_is_unknown(grid):
    # m0 is in the train split by a rerun of the target's own column only
    made = grid(7, 5, hold=lambda i, j: i == 0 and j > 0)
    targets = read_targets(grid(7, 5, hold=lambda i, j: i == 0 and j == 0).test(0))
    prior = _Regressions.of(read_runs(made.train()), 10.0).priors(targets)[0]
    z = matrix(made)[:, 0]
    assert (prior.a, prior.b) == (pytest.approx(z.mean()), pytest.approx(z.std()))


def test_additive_logit_gives_an_unknown_model_the_variance_of_models(grid):
    made = grid(7, 5, hold=lambda i, j: i == 0)
    learned = _Effects.of(read_runs(made.train()), 30)
    targets = read_targets(made.test(0))
    for prior, column in zip(learned.priors(targets), targets.column, strict=True):
        j = learned.matrix.column[column]
        assert prior.a == pytest.approx(learned.a.mean() + learned.b[j])
        assert prior.b**2 == pytest.approx(learned.variance[j] + learned.a.var(ddof=1))


def test_additive_logit_knows_a_good_model_on_an_unknown_scenario(grid):
    made = grid(7, 5, hold=lambda i, j: j == 2)
    learned = _Effects.of(read_runs(made.train()), 30)
    priors = learned.priors(read_targets(made.test(0)))
    assert np.argsort([p.a for p in priors]).tolist() == np.argsort(learned.a).tolist()


@pytest.mark.parametrize("better", [AdditiveLogit, KernelRidge])
def test_knowing_the_model_is_better_than_not_knowing_it(better, grid):
    from predictors.scenario_mean import ScenarioMean

    made = grid(20, 12, n=300)
    errors = {}
    for cls in (better, ScenarioMean):
        answer = cls().predict(made.train(), made.test(0))
        errors[cls] = np.mean([abs(p.mean - made.truth[p.target]) for p in answer])
    assert errors[better] < 0.6 * errors[ScenarioMean]


def test_settings_are_stored_under_their_names():
    assert AdditiveLogit().sweeps == 30
    assert AdditiveLogit(sweeps=5).sweeps == 5
    assert KernelRidge().ridge == 10.0
    assert KernelRidge(ridge=1).ridge == 1


def test_settings_have_an_effect(grid):
    made = grid(7, 5)
    plain = KernelRidge().predict(made.train(), made.test(0))[0].mean
    assert KernelRidge(ridge=1.0).predict(made.train(), made.test(0))[0].mean != plain
    assert KernelRidge(gaps="mean").predict(made.train(), made.test(0))[0].mean != plain
    plain = AdditiveLogit().predict(made.train(), made.test(0))[0].mean
    assert AdditiveLogit(sweeps=1).predict(made.train(), made.test(0))[0].mean != plain


@pytest.mark.parametrize("ridge", [0, -1.0, float("nan"), float("inf"), "10", True])
def test_a_ridge_that_cannot_be_is_refused(ridge):
    with pytest.raises(UsageError, match="ridge"):
        KernelRidge(ridge=ridge)


def test_an_unknown_way_to_fill_gaps_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="effect"):
        KernelRidge(gaps="means")


@pytest.mark.parametrize("sweeps", [0, -1, 2.5, "3", True])
def test_sweeps_that_cannot_be_are_refused(sweeps):
    with pytest.raises(UsageError, match="sweeps"):
        AdditiveLogit(sweeps=sweeps)
