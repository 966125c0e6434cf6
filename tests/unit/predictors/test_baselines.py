"""Model mean, nearest model, low rank and random forest against hand computations."""

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors import low_rank
from predictors.common.counts import squash, unsquash
from predictors.common.gaps import centred, other_columns
from predictors.common.grid import read_runs, read_targets
from predictors.common.moments import MIN_SD, column_sd
from predictors.low_rank import LowRank, _Factors
from predictors.model_mean import ModelMean
from predictors.nearest_model import NearestModel, _Neighbours
from predictors.random_forest import RandomForest, _Forests, _grow
from predictors.scenario_mean import ScenarioMean
from suites.errors import UsageError

BOUNDS = {"lower": 0.0, "upper": 1.0}


def train(**columns):
    columns = {"run": [f"r{i}" for i in range(len(columns["value"]))], **BOUNDS, **columns}
    return TrainSplit(runs=pd.DataFrame(columns))


def prediction(predictor, known, **columns):
    targets = pd.DataFrame({"target": ["t"], **BOUNDS, **columns})
    return predictor.predict(known, SequesteredTestSplit(targets=targets, k=0))[0]


def wide(made):
    """The train values, models by scenarios; NaN where held out."""
    return made.train_runs.pivot(index="model", columns="scenario", values="value").to_numpy()


def place(model, column):
    return int(model[1:]), int(column[0][1:])


# ---------- what they share


def test_the_sd_of_a_column_is_drawn_to_all_by_two_deviations():
    deviations = np.array([[1.0, 4.0, np.nan], [2.0, np.nan, np.nan], [3.0, np.nan, np.nan]])
    pool = (1 + 4 + 9 + 16) / 4
    expected = [(14 + 2 * pool) / 5, (16 + 2 * pool) / 3, pool]
    assert column_sd(deviations) ** 2 == pytest.approx(expected)
    both = column_sd(np.stack([deviations, 2 * deviations]))
    assert both[1] == pytest.approx(2 * np.sqrt(expected))
    assert np.isnan(column_sd(np.full((3, 2), np.nan))).all()


@pytest.mark.parametrize(
    ("better", "share"),
    [(NearestModel(), 0.85), (LowRank(), 0.6), (RandomForest(n_estimators=20), 0.6)],
    ids=["nearest", "low-rank", "forest"],
)
def test_knowing_the_model_is_better_than_not_knowing_it(better, share, grid):
    made = grid(20, 12, n=300)
    errors = []
    for predictor in (better, ScenarioMean()):
        answer = predictor.predict(made.train(), made.test(0))
        errors.append(np.mean([abs(p.mean - made.truth[p.target]) for p in answer]))
    assert errors[0] < share * errors[1]


@pytest.mark.parametrize("predictor", [ModelMean(), NearestModel()], ids=["mean", "nearest"])
def test_an_unknown_model_is_predicted_by_the_scenario(predictor, grid):
    made = grid(7, 5, hold=lambda i, j: i == 0)
    for p, q in zip(
        predictor.predict(made.train(), made.test(0)),
        ScenarioMean().predict(made.train(), made.test(0)),
        strict=True,
    ):
        assert np.array_equal(p.pmf, q.pmf)


# ---------- model-mean


def test_the_model_mean_takes_mean_and_sd_of_the_model_on_one_scale():
    known = train(
        model=list("mmmn"),
        scenario=list("stuv"),
        value=[0.2, 4.0, 1e4, 0.9],
        lower=[0.0, 1.0, None, 0.0],
        upper=[1.0, 5.0, None, 1.0],
    )
    values = [0.2, (4 - 1) / 4]
    answer = prediction(ModelMean(), known, model="m", scenario="v")
    assert answer.normal == pytest.approx((np.mean(values), np.std(values)))
    answer = prediction(ModelMean(), known, model="m", scenario="new", lower=1.0, upper=5.0)
    assert answer.normal == pytest.approx((1 + 4 * np.mean(values), 4 * np.std(values)))


def test_a_model_with_one_run_borrows_the_sd_of_all():
    known = train(model=list("mnn"), scenario=list("sst"), value=[0.9, 0.2, 0.4])
    answer = prediction(ModelMean(), known, model="m", scenario="t")
    assert answer.normal == pytest.approx((0.9, np.std([0.9, 0.2, 0.4])))


def test_an_unbounded_metric_is_predicted_by_its_scenario():
    none = {"lower": None, "upper": None}
    known = train(model=list("mnm"), scenario=list("ssu"), value=[3.0, 5.0, 90.0], **none)
    answer = prediction(ModelMean(), known, model="m", scenario="s", **none)
    assert answer.normal == pytest.approx((4.0, 1.0))


# ---------- nearest-model


def test_the_nearest_model_is_that_with_the_least_mean_difference():
    # a differs from c by .1 twice, b by .02 and .3: a is nearer on the logit scale
    known = train(
        model=list("aaabbbcc"),
        scenario=list("stustust"),
        value=[0.4, 0.6, 0.8, 0.52, 0.2, 0.3, 0.5, 0.5],
    )
    answer = prediction(NearestModel(), known, model="c", scenario="u")
    assert answer.mean == pytest.approx(0.8)


def test_one_common_column_does_not_make_a_model_the_nearest():
    # b equals c in the only column they share; a is close to c in three of them
    known = train(
        model=list("aaaabbccc"),
        scenario=list("stuvsvstu"),
        value=[0.45, 0.55, 0.65, 0.7, 0.5, 0.1, 0.5, 0.6, 0.7],
    )
    assert prediction(NearestModel(), known, model="c", scenario="v").mean == pytest.approx(0.7)


def test_of_models_equally_near_the_first_by_name_is_taken():
    rows = {"model": list("ddbbaaca"), "scenario": list("svsvstst"), "value": [0.5] * 8}
    rows["value"] = [0.5, 0.9, 0.5, 0.2, 0.5, 0.4, 0.5, 0.4]
    assert prediction(NearestModel(), train(**rows), model="c", scenario="v").mean == (
        pytest.approx(0.2)
    )


def test_without_a_common_column_the_nearest_is_unknown():
    known = train(model=list("aabbc"), scenario=list("svsvt"), value=[0.2, 0.3, 0.5, 0.7, 0.9])
    answer = prediction(NearestModel(), known, model="c", scenario="v")
    assert answer.normal == prediction(ScenarioMean(), known, scenario="v").normal


def test_nearest_models_and_errors_equal_a_loop_over_cells(grid):
    made = grid(7, 5)
    y = wide(made)
    z = squash(y)
    models, columns = z.shape

    def gaps(i, r, without=None):
        return [abs(z[i, c] - z[r, c]) for c in range(columns) if c != without]

    pairs = [g for i in range(models) for r in range(i) for g in gaps(i, r) if g == g]
    mean = np.full(z.shape, np.nan)
    for i in range(models):
        for j in range(columns):
            best = np.inf
            for r in range(models):
                common = [g for g in gaps(i, r, without=j) if g == g]
                if r == i or np.isnan(z[r, j]) or not common:
                    continue
                distance = (sum(common) + np.mean(pairs)) / (len(common) + 1)
                if distance < best:
                    best, mean[i, j] = distance, y[r, j]
    squares = (y - mean) ** 2
    targets = read_targets(made.test(0))
    learned = _Neighbours.of(read_runs(made.train()))
    for prior, model, column in zip(
        learned.priors(targets), targets.model, targets.column, strict=True
    ):
        i, j = place(model, column)
        n = np.isfinite(squares[:, j]).sum()
        variance = (np.nansum(squares[:, j]) + 2 * np.nanmean(squares)) / (n + 2)
        assert prior.kind == "normal"
        assert prior.a == pytest.approx(mean[i, j])
        assert prior.b == pytest.approx(max(np.sqrt(variance), MIN_SD))


# ---------- low-rank


def test_factors_equal_a_loop_over_rows_and_columns(grid, monkeypatch):
    monkeypatch.setattr(low_rank, "_STARTS", 1)
    monkeypatch.setattr(low_rank, "_SWEEPS", 3)
    made = grid(7, 5)
    z, rank, ridge = squash(wide(made)), 2, 0.3
    centre = np.nanmean(z, axis=0)
    scale = column_sd(z - centre)
    w = (z - centre) / scale
    u = np.random.default_rng(0).normal(0, 0.1, (1, 7, rank))[0]
    a, c, v = np.zeros(7), np.zeros(5), np.zeros((5, rank))

    def regress(values, effects, factors):
        rows = np.flatnonzero(np.isfinite(values))
        x = np.column_stack([np.ones(len(rows)), factors[rows]])
        lhs = x.T @ x + ridge * np.eye(rank + 1)
        solution = np.linalg.solve(lhs, x.T @ (values[rows] - effects[rows]))
        return solution[0], solution[1:]

    for _ in range(3):
        for j in range(5):
            c[j], v[j] = regress(w[:, j], a, u)
        for i in range(7):
            a[i], u[i] = regress(w[i], c, v)
    expected = np.clip(centre + scale * (a[:, None] + c + u @ v.T), squash(0.0), squash(1.0))
    learned = _Factors.of(read_runs(made.train()), rank, ridge)
    assert learned.fit == pytest.approx(expected)
    targets = read_targets(made.test(0))
    for prior, model, column in zip(
        learned.priors(targets), targets.model, targets.column, strict=True
    ):
        i, j = place(model, column)
        assert (prior.kind, prior.a) == ("squashed", pytest.approx(expected[i, j]))
        assert prior.b == pytest.approx(learned.sd[j])


def test_a_grid_of_one_strength_is_completed():
    ability, demand = np.linspace(-1, 1, 12), np.linspace(0.5, 2, 8)
    values = unsquash(0.2 + np.outer(ability, demand))
    cells = [(i, j) for i in range(12) for j in range(8) if (i + j) % 4]
    known = train(
        model=[f"m{i}" for i, _ in cells],
        scenario=[f"s{j}" for _, j in cells],
        value=[values[c] for c in cells],
    )
    for i, j in [(0, 0), (0, 4), (11, 5), (5, 7)]:
        answer = prediction(LowRank(rank=1), known, model=f"m{i}", scenario=f"s{j}")
        assert answer.mean == pytest.approx(values[i, j], abs=0.01)


def test_a_held_out_cell_of_an_inner_fold_does_not_touch_its_own_prediction(grid):
    z = squash(wide(grid(7, 5)))
    there = np.isfinite(z)
    folds = low_rank._inner_folds(there)
    assert set(folds[there]) == set(range(10))
    assert (folds[~there] == -1).all()
    masks = np.stack([there & (folds != 3), there])
    filled = np.where(there, z, 0.0)
    moved = np.where(folds == 3, filled + 1.0, filled)
    before, after = (low_rank._fit(cells, masks, 2, 0.1) for cells in (filled, moved))
    assert np.array_equal(before[0], after[0])
    assert not np.allclose(before[1], after[1])


def test_errors_of_low_rank_are_those_of_the_inner_folds(grid):
    made = grid(7, 5)
    z = squash(wide(made))
    there = np.isfinite(z)
    folds = low_rank._inner_folds(there)
    errors = np.full(z.shape, np.nan)
    for q in range(10):
        mask = there & (folds != q)
        fit = low_rank._fit(np.where(there, z, 0.0), mask[None], 2, 0.1)[0]
        assert mask.any(axis=0).all()
        assert mask.any(axis=1).all()
        errors[folds == q] = (z - fit)[folds == q]
    learned = _Factors.of(read_runs(made.train()), 2, 0.1)
    assert learned.sd == pytest.approx(column_sd(errors))
    assert learned.pooled == pytest.approx(np.sqrt(np.nanmean(errors**2)))


def test_blocks_do_not_change_a_fit(grid, monkeypatch):
    runs = read_runs(grid(7, 5).train())
    whole = _Factors.of(runs, 2, 0.1)
    monkeypatch.setattr(low_rank, "_BLOCK", 1)
    assert _Factors.of(runs, 2, 0.1).fit == pytest.approx(whole.fit)


def test_low_rank_takes_unknown_models_and_scenarios_for_ones_at_random(grid):
    made = grid(7, 5, hold=lambda i, j: i == 0 or j == 2)
    learned = _Factors.of(read_runs(made.train()), 2, 0.1)
    targets = read_targets(made.test(0))
    seen = set()
    for prior, model, column in zip(
        learned.priors(targets), targets.model, targets.column, strict=True
    ):
        i, j = learned.matrix.model.get(model), learned.matrix.column.get(column)
        seen.add((i is None, j is None))
        cells = learned.fit if i is None else learned.fit[i]
        cells = cells if j is None else cells[..., j]
        error = learned.pooled if j is None else learned.sd[j]
        assert prior.a == pytest.approx(np.mean(cells))
        assert prior.b**2 == pytest.approx(error**2 + np.var(cells, ddof=1))
    assert seen == {(True, False), (False, True), (True, True)}


# ---------- random-forest


def test_a_tree_does_not_know_the_models_outside_its_sample():
    rng = np.random.default_rng(0)
    features, z = rng.normal(size=(12, 4)), rng.normal(size=12)
    z[3] = np.nan
    before, outside = _grow(features, z, 40, 0)
    moved = z.copy()
    moved[7] += 5.0
    after, again = _grow(features, moved, 40, 0)
    same = np.isclose(before, after).all(axis=1)
    assert np.array_equal(outside, again)
    assert 0 < same.sum() < 40
    assert np.array_equal(same, outside[:, 7] == 1)
    assert not outside[:, 3].any()  # it has no value, so no error


def test_a_forest_is_the_mean_of_its_trees_with_the_out_of_bag_error(grid):
    made = grid(7, 5)
    z = squash(wide(made))
    deviation, _ = centred(z)
    learned = _Forests.of(read_runs(made.train()), 15, 4)
    mean, errors = np.empty(z.shape), np.full(z.shape, np.nan)
    for j in range(5):
        by_tree, outside = _grow(other_columns(z, deviation, j), z[:, j], 15, 4)
        mean[:, j] = by_tree.mean(axis=0)
        for i in np.flatnonzero(outside.any(axis=0)):
            errors[i, j] = z[i, j] - by_tree[outside[:, i] == 1, i].mean()
    assert learned.mean[:-1] == pytest.approx(mean)
    assert learned.sd[:-1] == pytest.approx(np.tile(column_sd(errors), (7, 1)))


def test_a_model_without_other_runs_has_mean_and_sd_of_the_column(grid):
    # m0 is in the train split by a rerun of the target's own column only; m7 not at all
    made = grid(7, 5, hold=lambda i, j: i == 0 and j > 0)
    z = squash(wide(made)[:, 0])
    targets = grid(8, 5, hold=lambda i, j: i in (0, 7) and j == 0).test(0)
    priors = _Forests.of(read_runs(made.train()), 5, 0).priors(read_targets(targets))
    assert [(p.a, p.b) for p in priors] == [(pytest.approx(z.mean()), pytest.approx(z.std()))] * 2


def test_a_forest_depends_on_its_random_state_only(grid):
    made = grid(7, 5)

    def means(state):
        predictor = RandomForest(n_estimators=10)
        predictor.random_state = state
        predictor.fit(made.train())
        predictor.random_state = 99  # set anew before each call: not used to predict
        return [p.mean for p in predictor.predict(made.train(), made.test(0))]

    assert means(1) == means(1)
    assert means(1) != means(2)
    assert means(2**63 + 1) == means(1)


# ---------- settings


def test_settings_are_stored_under_their_names():
    assert (LowRank().rank, LowRank().ridge) == (2, 0.1)
    assert (LowRank(rank=3, ridge=1).rank, LowRank(rank=3, ridge=1).ridge) == (3, 1)
    assert RandomForest().n_estimators == 100
    assert RandomForest(n_estimators=7).n_estimators == 7


@pytest.mark.parametrize("settings", [{"rank": 1}, {"ridge": 3.0}])
def test_settings_of_low_rank_have_an_effect(settings, grid):
    made = grid(7, 5)
    plain = LowRank().predict(made.train(), made.test(0))[0].mean
    assert LowRank(**settings).predict(made.train(), made.test(0))[0].mean != plain


@pytest.mark.parametrize("number", [0, -1, 2.5, "3", True])
def test_numbers_that_cannot_be_are_refused(number):
    with pytest.raises(UsageError, match="rank"):
        LowRank(rank=number)
    with pytest.raises(UsageError, match="n_estimators"):
        RandomForest(n_estimators=number)


@pytest.mark.parametrize("ridge", [0, -1.0, float("nan"), float("inf"), "10", True])
def test_a_ridge_that_cannot_be_is_refused(ridge):
    with pytest.raises(UsageError, match="ridge"):
        LowRank(ridge=ridge)
