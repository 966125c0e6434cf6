"""How far strangers are, learned from the models that are known."""

from dataclasses import replace

import numpy as np
import pytest

from hibayes.hierarchical.cells import Grid
from hibayes.hierarchical.forecast import Evidence, Forecaster
from hibayes.hierarchical.gibbs import Schedule
from hibayes.hierarchical.items import fit_items
from hibayes.hierarchical.kernels import Answers, Kernels, weigh
from hibayes.hierarchical.levels import known_columns, new_row
from hibayes.hierarchical.posterior import Posterior
from hibayes.hierarchical.strangers import rehearse

BRIEF = Schedule(chains=2, warmup=60, draws=30, thin=2)


def made_posterior(makers, u):
    """Give a factor model's posterior that knows factors only, of shape (D, M, r)."""
    models = [f"m{i:02d}" for i in range(len(makers))]
    grid = Grid.of(models, ["s"] * len(models), [0.5] * len(models), [10] * len(models))
    grid = replace(grid, maker=np.asarray(makers))
    schedule = Schedule(chains=1, warmup=0, draws=len(u), thin=1)
    dims = {"factors": ("model", "factor")}
    return Posterior("crossed_factor", grid, 0.4, schedule, {"factors": u[None]}, dims)


def test_spread_and_shift_are_those_of_the_organisations():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(3, 8, 2)) + 1.5
    found = rehearse(made_posterior(np.arange(8), u), None, 0, 10)
    shift = u.sum(axis=1) / (8 + 2)
    off = u - shift[:, None]
    spread = (np.einsum("dmr,dms->drs", off, off) + 2 * np.eye(2)) / (8 + 2)
    assert found.shift == pytest.approx(shift)
    assert found.spread == pytest.approx(spread)


def test_an_organisation_counts_once_however_many_models_it_has():
    rng = np.random.default_rng(1)
    u = rng.normal(size=(2, 6, 3))
    once = rehearse(made_posterior(np.arange(6), u), None, 0, 10)
    many = [0, 0, 0, 1, 2, 3, 4, 5]
    twice = rehearse(made_posterior(many, u[:, many]), None, 0, 10)
    assert twice.spread == pytest.approx(once.spread)
    alone = rehearse(made_posterior(many, u[:, many]), None, 0, 10, alone=True)
    assert not np.allclose(alone.spread, once.spread)


def test_few_organisations_are_no_measure():
    u = np.random.default_rng(2).normal(size=(2, 8, 2))
    few = rehearse(made_posterior(np.arange(8) // 4, u), None, 0, 10)
    each = rehearse(made_posterior(np.arange(8), u), None, 0, 10)
    assert np.array_equal(few.spread, each.spread)


@pytest.fixture(scope="module")
def of_items(planted_items):
    made = planted_items(held=0.0)
    posterior = fit_items(made.grid, Kernels.of(made.tables, 12), BRIEF, rank=2)
    names = {f"i{n}": n for n in range(80)}
    return made, posterior, Answers(made.tables, dict.fromkeys(made.tables, names))


def test_the_more_is_shown_the_less_strange(of_items):
    made, posterior, answers = of_items
    parameters = known_columns(posterior, np.arange(12), 60)
    spread = []
    for shown in (0, 60, 600):
        told = {
            j: np.where(np.arange(80) < shown // 12, x[3], np.nan) for j, x in made.tables.items()
        }
        _, covariance = new_row(
            posterior,
            parameters,
            60,
            columns=list(range(12)),
            row=posterior.extra["kernels"].row_of(made.tables, told),
            stranger=rehearse(posterior, answers, shown, 60),
        )
        spread.append(np.trace(covariance.mean(axis=0)))
    assert spread[0] > spread[1] > spread[2]


def test_what_is_left_open_widens_what_is_said(of_items):
    _, posterior, answers = of_items
    found = rehearse(posterior, answers, 0, 60)
    parameters = known_columns(posterior, np.arange(12), 60)
    columns = list(range(12))
    mean, plain = new_row(posterior, parameters, 60, columns=columns)
    wider = replace(found, spread=4 * np.tile(np.eye(2), (60, 1, 1)))
    moved, wide = new_row(posterior, parameters, 60, columns=columns, stranger=wider)
    inside = np.diagonal(wide - plain, axis1=1, axis2=2)
    share = max(weigh_left(posterior), 0.08)
    assert inside == pytest.approx(3 * share * (parameters.v**2).sum(axis=2))
    assert moved - mean == pytest.approx(np.einsum("djr,dr->dj", parameters.v, found.shift))


def weigh_left(posterior):
    kernels = posterior.extra["kernels"]
    return weigh(kernels.factors, kernels.row_of({}, {}).factors, 1e-6)[1]


def test_rehearsals_depend_on_the_seed_and_nothing_else(of_items):
    _, posterior, answers = of_items
    one, same, other = (rehearse(posterior, answers, 40, 60, seed) for seed in (3, 3, 4))
    assert np.array_equal(one.spread, same.spread)
    assert not np.array_equal(one.spread, other.spread)


def test_a_hard_item_right_says_more_of_a_new_model_than_an_easy_one(of_items):
    made, posterior, answers = of_items
    means = {}
    for name, pick in (("hard", np.argmin), ("easy", np.argmax)):
        forecaster = Forecaster(posterior, answers)
        told = []
        for x in made.tables.values():
            item = f"i{pick(x.mean(axis=0))}"
            told.append(Evidence(80, 1, 1.0, items=[f"i{n}" for n in range(80)], given={item: 1.0}))
        forecasts = forecaster.new_row(list(range(12)), [None] * 12, None, told)
        means[name] = np.mean([f.pmf @ np.arange(81) for f in forecasts])
    assert means["hard"] > means["easy"] + 8


def test_one_that_is_known_is_not_rehearsed_twice(of_items, monkeypatch):
    _, posterior, answers = of_items
    made = []
    monkeypatch.setattr(
        "hibayes.hierarchical.forecast.rehearse",
        lambda *a, **b: made.append(a) or rehearse(*a, **b),
    )
    forecaster = Forecaster(posterior, answers)
    told = [Evidence(80)] * 12
    for maker in (None, None, 1):
        forecaster.new_row(list(range(12)), [None] * 12, maker, told)
    assert len(made) == 2  # of a new organisation, and of one that is known
