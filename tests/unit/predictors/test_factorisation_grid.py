"""The factorisation of grids whose items are known: its sampler, its members, what is shown."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.data_splits import SequesteredTestSplit, TrainSplit
from hibayes.hierarchical.cells import Grid
from hibayes.hierarchical.kernels import Answers
from predictors.common.item_curves import ItemCurves
from predictors.common.mixtures import Link, MixtureOfDraws
from predictors.factorisation import Factorisation
from predictors.factorisation.grid import MatrixChain
from predictors.factorisation.members import REGRESSIONS, fit_grid, pooled
from predictors.factorisation.predictor import _Fold

REPLICATES, SWEEPS = 700, 3
SIZE, WIDTH = 4, 3


def correlated(size, seed):
    x = np.random.default_rng(seed).normal(size=(size, 3))
    x /= np.linalg.norm(x, axis=1)[:, None]
    return (x @ x.T) ** 2


@cache
def after_sweeps():
    """Draw everything and a grid from the prior, then sweep: the prior must come out again."""
    rng = np.random.default_rng(3)
    rows = [np.eye(SIZE), correlated(SIZE, 0)]
    columns = [np.eye(WIDTH), np.ones((WIDTH, WIDTH))]
    chain = MatrixChain(np.zeros((SIZE, WIDTH)), rows, columns, True, rng)
    holes = np.zeros((SIZE, WIDTH), bool)
    holes[[0, 1, 3], [0, 2, 1]] = True
    found = {}
    for _ in range(REPLICATES):
        chain.draw_prior()
        chain.observe(np.where(holes, np.nan, chain.z))
        for _ in range(SWEEPS):
            chain.sweep()
        error = chain.z - chain.c - chain.f
        noise = error * np.sqrt(chain.lam / (chain.tau * chain.g[:, None]))
        scatter = chain.f @ chain.precision @ chain.f.T
        wishart = chain.nu * np.sum(chain._target() * chain.precision)
        log_nu = stats.norm(np.log(30), 1)
        low, high = log_nu.cdf(np.log([2, 500]))
        values = {
            "F": stats.chi2(SIZE * WIDTH).cdf(np.sum(chain.inverse * scatter)),
            "R": stats.chi2((chain.nu + WIDTH + 1) * WIDTH).cdf(wishart),
            "nu": (log_nu.cdf(np.log(chain.nu)) - low) / (high - low),
            "s": stats.norm.cdf(np.log(chain.scale)),
            "u": stats.beta(0.5, 0.5).cdf(chain.u[1] / chain.u.sum()),
            "w": stats.beta(0.5, 0.5).cdf(chain.w[1] / chain.w.sum()),
            "c": stats.norm(0, 0.5).cdf(chain.c[0]),
            "b": stats.expon.cdf(chain.rate),
            "tau": stats.gamma(2, scale=1 / chain.rate).cdf(1 / chain.tau[1]),
            "g": stats.gamma(3, scale=1 / 3).cdf(1 / chain.g[0]),
            "lambda": stats.gamma(chain.df / 2, scale=2 / chain.df).cdf(chain.lam[2, 2]),
            "noise": stats.norm.cdf(noise[2, 2]),
            "level": stats.norm.cdf(np.sum(noise[~holes]) / np.sqrt(np.sum(~holes))),
            "df": chain.df,
        }
        for name, value in values.items():
            found.setdefault(name, []).append(float(value))
    return found


@pytest.mark.parametrize(
    "name",
    ["F", "R", "nu", "s", "u", "w", "c", "b", "tau", "g", "lambda", "noise", "level"],
)
def test_sweeps_leave_the_joint_distribution_of_parameters_and_grid_as_it_is(name):
    assert stats.kstest(after_sweeps()[name], "uniform").pvalue > 1e-3


def test_sweeps_leave_the_degrees_of_freedom_alike():
    counts = np.unique(after_sweeps()["df"], return_counts=True)[1]
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-3


def test_one_draw_of_a_cell_is_distributed_as_its_mean_and_sd_say():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(8, 1)) + 0.3 * rng.normal(size=(8, 6))
    z[0, 0] = np.nan
    draws = MatrixChain(z, [], [np.eye(6), np.ones((6, 6))], False, rng).run(1500, 100)
    location, draw = draws.mean[:, 0, 0], draws.draw[:, 0, 0]
    assert np.mean(draw) == pytest.approx(np.mean(location), abs=0.1)
    assert np.std(draw) == pytest.approx(
        np.sqrt(np.var(location) + np.mean(draws.sd[:, 0, 0] ** 2)), rel=0.15
    )
    assert location.mean() == pytest.approx(z[0, 1:].mean(), abs=0.35)


# ---------- members


def answered(models=12, scenarios=6, items=30, *, families=4, shared=0.9, seed=0):
    """Make responses of models of families whose members mostly answer alike."""
    rng = np.random.default_rng(seed)
    tables = {}
    for j in range(scenarios):
        p = 1 / (1 + np.exp(-rng.normal(size=(families, 1)) - rng.normal(size=items)))
        base = (rng.random((families, items)) < p).astype(float)
        own = base[np.arange(models) % families]
        noise = (rng.random((models, items)) < p[np.arange(models) % families]).astype(float)
        tables[j] = np.where(rng.random((models, items)) < shared, own, noise)
    return tables


def grid_of(tables):
    y = np.stack([t.mean(axis=1) for t in tables.values()], axis=1)
    models = tuple(f"m{i:02d}" for i in range(len(y)))
    columns = tuple(f"s{j}" for j in range(y.shape[1]))
    n = np.full(y.shape, float(tables[0].shape[1]))
    index = np.arange(y.shape[1])
    return Grid(models, columns, y, n, np.zeros_like(index), index, np.arange(len(y)))


def test_members_are_weighed_by_what_they_say_of_hidden_runs():
    tables = answered()
    grid = grid_of(tables)
    places = {f"q{n}": n for n in range(30)}
    alike = fit_grid(grid, Answers(tables, dict.fromkeys(tables, places)), sweeps=60, seed=0)
    rng = np.random.default_rng(1)
    moved = {j: rng.permuted(t, axis=1) for j, t in tables.items()}  # values kept, items mixed up
    mixed = fit_grid(grid, Answers(moved, dict.fromkeys(tables, places)), sweeps=60, seed=0)
    assert list(alike.weights) == ["full", "half", "id", REGRESSIONS]
    assert sum(alike.weights.values()) == pytest.approx(1)
    assert alike.weights["id"] < mixed.weights["id"]


def test_without_shared_items_only_values_have_members():
    tables = answered(models=4, scenarios=4)
    apart = np.eye(4, dtype=bool)
    alone = {j: np.where(apart[:, [j]], t, np.nan) for j, t in tables.items()}
    for answers in (Answers(alone, {j: {} for j in alone}), None):
        fit = fit_grid(grid_of(tables), answers, sweeps=20, seed=0)
        assert list(fit.weights) == ["id", REGRESSIONS]


def test_the_pool_is_the_weighted_mean_of_its_members():
    fit = fit_grid(grid_of(answered()), None, sweeps=20, seed=0)
    i, j, z = np.array([2]), np.array([3]), np.linspace(-2, 2, 5)
    (pool,) = fit.cells(i, j)
    each = [w * fit.alone(name).cells(i, j)[0].cdf(z) for name, w in fit.weights.items()]
    assert pool.cdf(z) == pytest.approx(sum(each))


def test_weights_go_to_the_member_that_knew_and_never_to_nothing():
    logs = np.log(np.array([[0.5] * 20, [0.01] * 20, [0.01] * 20]))
    weights = pooled(logs)
    assert weights[0] > 0.85
    assert weights[1] == weights[2] > 0.02
    assert pooled(logs[:, :0]) == pytest.approx(1 / 3)


# ---------- items


def test_curves_know_hard_items_and_relatives():
    tables = answered(models=24, items=40, scenarios=8)
    y = np.stack([t.mean(axis=1) for t in tables.values()], axis=1)
    z = (y - y.mean(axis=0)) / y.std(axis=0)
    mask = np.ones(y.shape, bool)
    mask[5, 3] = False
    hidden = tables[3][5].copy()
    tables[3] = tables[3].copy()
    tables[3][5] = np.nan
    curves = ItemCurves.of(tables, z, mask)
    logits = curves.logits(5, 3, z[5, 3], mask)
    usual = np.nanmean(tables[3], axis=0)
    told = np.mean((1 / (1 + np.exp(-logits)) - hidden) ** 2)
    assert told < 0.5 * np.mean((usual - hidden) ** 2)
    relatives = curves.kernel[3][5, [1, 9, 13, 17, 21]]  # models of one family differ by four
    assert relatives.min() > np.delete(curves.kernel[3][5], [1, 5, 9, 13, 17, 21]).max()


def test_curves_find_the_slopes_and_intercepts_that_made_the_responses():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 2))
    slope, intercept = rng.uniform(0.5, 2, 60), rng.normal(size=60)
    p = 1 / (1 + np.exp(-(intercept + np.outer(z[:, 0], slope))))
    x = (rng.random(p.shape) < p).astype(float)
    curves = ItemCurves.of({0: x}, z, np.ones(z.shape, bool))
    assert np.corrcoef(curves.slope[0], slope)[0, 1] > 0.85
    assert np.abs(curves.intercept[0] - intercept).mean() < 0.2


def test_pooled_draws_count_by_their_weights():
    location, one = np.array([0.0, 3.0]), np.ones(2)
    pool = MixtureOfDraws(Link(None), location, one, np.inf, weight=np.array([0.9, 0.1]))
    assert pool.cdf(np.array([0.0]))[0] == pytest.approx(0.45 + 0.1 * stats.norm.cdf(-3))
    assert pool.moments[0] == pytest.approx(0.3)
    assert pool.moments[1] == pytest.approx(np.sqrt(1 + 0.09 * 9))


# ---------- the predictor on runs with items


def splits(tables, held, k, *, order=None):
    """Hold out runs (model, scenario), and show the first k items of each."""
    rows, items = [], []
    for j, table in tables.items():
        for i, answers in enumerate(table):
            run = f"m{i:02d}-s{j}"
            rows.append((run, f"m{i:02d}", f"s{j}", answers.mean(), len(answers)))
            items += [(run, f"q{n}", value) for n, value in enumerate(answers)]
    runs = pd.DataFrame(rows, columns=["run", "model", "scenario", "value", "n"])
    runs = runs.assign(binary=True, lower=0.0, upper=1.0)
    responses = pd.DataFrame(items, columns=["run", "instance", "value"])
    names = [f"m{i:02d}-s{j}" for i, j in held]
    hidden = runs["run"].isin(names)
    targets = runs[hidden].rename(columns={"run": "target"}).drop(columns="value")
    targets["instances"] = [[f"q{n}" for n in range(n)] for n in targets["n"]]
    shown = responses[responses["run"].isin(names)].rename(columns={"run": "target"})
    shown = shown[shown.groupby("target").cumcount() < k]
    train = responses[~responses["run"].isin(names)]
    if order is not None:
        runs = runs.sample(frac=1.0, random_state=order)
        hidden = runs["run"].isin(names)
        train = train.sample(frac=1.0, random_state=order)
    return (
        TrainSplit(runs=runs[~hidden], responses=train),
        SequesteredTestSplit(targets=targets, responses=shown, k=k),
    )


HELD = [(0, 0), (5, 2), (7, 4), (10, 5)]


@cache
def answer(k, sweeps=60, order=None, **settings):
    train, test = splits(answered(), HELD, k, order=order)
    return Factorisation(sweeps=sweeps, **settings).predict(train, test)


def test_models_that_answer_alike_are_predicted_alike():
    tables = answered()
    truth = [tables[j][i].mean() for i, j in HELD]
    usual = [np.delete(tables[j], i, axis=0).mean() for i, j in HELD]
    error = np.abs(np.array([p.mean for p in answer(0)]) - truth).mean()
    assert error < 0.7 * np.abs(np.array(usual) - truth).mean()


def test_a_large_grid_is_divided_so_that_relatives_stay_together(monkeypatch):
    monkeypatch.setattr("predictors.factorisation.gridded._MOST_MODELS", 6)
    tables = answered(families=2)
    train, test = splits(tables, HELD, 5)
    predictor = Factorisation(sweeps=60)
    predictor.fit(train)
    parts = [{int(model[1:]) % 2 for model in part.grid.models} for part in predictor._fold.gridded]
    assert sorted(parts, key=min) == [{0}, {1}]
    said = {p.target: p.mean for p in predictor.predict(train, test)}
    error = [abs(said[f"m{i:02d}-s{j}"] - tables[j][i].mean()) for i, j in HELD]
    usual = [abs(np.delete(tables[j], i, axis=0).mean() - tables[j][i].mean()) for i, j in HELD]
    assert np.mean(error) < 0.7 * np.mean(usual)


def test_successes_on_items_that_relatives_failed_say_more():
    tables = answered()
    train, test = splits(tables, HELD, 0)
    others = np.delete(tables[0], 0, axis=0).mean(axis=0)
    means = []
    for items in (np.argsort(others)[-5:], np.argsort(others)[:5]):
        shown = pd.DataFrame({"target": "m00-s0", "instance": [f"q{n}" for n in items]})
        responses = shown.assign(value=1.0)
        one = SequesteredTestSplit(targets=test.targets, responses=responses, k=5)
        means.append(Factorisation(sweeps=60).predict(train, one)[0].mean)
    assert means[1] > means[0] + 0.02


def test_the_order_of_rows_changes_nothing():
    assert all(
        np.array_equal(p.pmf, q.pmf) for p, q in zip(answer(5), answer(5, order=4), strict=True)
    )


def test_joint_draws_have_the_margins_of_the_single_ones():
    for single, joint in zip(answer(5), answer(5, sweeps=150, joint=True), strict=True):
        assert len(joint.samples) >= 100
        assert np.mean(joint.samples) == pytest.approx(single.mean, abs=0.04)


def test_an_unknown_model_is_left_to_the_factorisation_of_values():
    tables = answered()
    held = [(3, j) for j in range(6)]
    train, test = splits(tables, held, 0)
    predictions = Factorisation(sweeps=60).predict(train, test)
    assert len(predictions) == 6
    spread = [p.pmf @ (np.arange(31) / 30 - p.mean) ** 2 for p in predictions]
    assert min(spread) > 0.005


def test_what_is_shown_of_one_run_of_a_new_model_tells_of_its_others():
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-np.linspace(-2, 2, 12)[:, None] - rng.normal(size=30)))
    tables = {j: (rng.random(p.shape) < p).astype(float) for j in range(6)}
    train, test = splits(tables, [(3, j) for j in range(6)], 0)
    means = []
    for value in (0.0, 1.0):
        items = [(f"m03-s{j}", f"q{n}", value) for j in range(3) for n in range(6)]
        shown = pd.DataFrame(items, columns=["target", "instance", "value"])
        one = SequesteredTestSplit(targets=test.targets, responses=shown, k=6)
        told = Factorisation(sweeps=10).predict(train, one)
        means.append(np.array([p.mean for p in told]))
    assert (means[1] - means[0])[3:].min() > 0.1  # nothing is shown of these runs


# ---------- values alone


def values(share, *, models=14, scenarios=8, seed=0):
    """Make a table without responses in which a share of the cells has a value."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(models, 2)) @ rng.normal(size=(2, scenarios))
    y = 1 / (1 + np.exp(-z - 0.1 * rng.normal(size=z.shape)))
    cells = [(f"m{i:02d}", f"s{j}") for i in range(models) for j in range(scenarios)]
    runs = pd.DataFrame(cells, columns=["model", "scenario"]).assign(value=y.ravel())
    runs["run"] = runs["model"] + runs["scenario"]
    runs = runs.assign(lower=0.0, upper=1.0)
    kept = rng.random(len(runs)) < share
    targets = runs[~kept].rename(columns={"run": "target"})
    return runs[kept], targets.drop(columns="value"), targets.set_index("target")["value"]


@pytest.mark.parametrize(("share", "dense"), [(0.85, True), (0.4, False)])
def test_a_table_without_items_is_a_grid_where_it_is_full(share, dense):
    runs, _, _ = values(share)
    fold = _Fold.of(Factorisation(sweeps=10), TrainSplit(runs=runs))
    assert bool(fold.gridded) == dense


def test_the_holes_of_a_full_table_are_predicted_from_the_other_values():
    runs, targets, truth = values(0.85)
    test = SequesteredTestSplit(targets=targets, k=0)
    usual = targets["scenario"].map(runs.groupby("scenario")["value"].mean()).to_numpy()
    for settings in ({}, {"kernels": False}):
        told = Factorisation(sweeps=60, **settings).predict(TrainSplit(runs=runs), test)
        found = np.array([p.quantiles[0.5] for p in told])
        own = truth[[p.target for p in told]].to_numpy()
        assert np.abs(found - own).mean() < 0.45 * np.abs(usual - own).mean()
    again = runs.sample(frac=1.0, random_state=3)
    same = Factorisation(sweeps=60, kernels=False).predict(TrainSplit(runs=again), test)
    assert [p.quantiles for p in same] == [p.quantiles for p in told]
