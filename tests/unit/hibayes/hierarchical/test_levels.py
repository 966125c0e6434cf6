"""Models and columns that the fit has not seen."""

import numpy as np
import pytest

from hibayes.hierarchical.crossed import fit_crossed
from hibayes.hierarchical.factor import fit_factor
from hibayes.hierarchical.forecast import Evidence, Forecaster
from hibayes.hierarchical.gibbs import Schedule
from hibayes.hierarchical.items import fit_items
from hibayes.hierarchical.kernels import Answers, Kernels
from hibayes.hierarchical.levels import known_columns, new_row, population

SHORT = Schedule(chains=2, warmup=100, draws=60, thin=2)


def fitted(name, made):
    if name == "items":
        return fit_items(made.grid, Kernels.of(made.tables, len(made.grid.models)), SHORT, rank=2)
    return (fit_crossed if name == "crossed" else fit_factor)(made.grid, SHORT)


def mean_and_sd(forecast):
    at = np.arange(len(forecast.pmf)) / (len(forecast.pmf) - 1)
    mean = forecast.pmf @ at
    return mean, np.sqrt(forecast.pmf @ at**2 - mean**2)


@pytest.mark.parametrize("name", ["crossed", "factor", "items"])
def test_a_new_model_is_found_from_few_responses(name, planted_items):
    made = planted_items(held=0.0)
    posterior = fitted(name, made)
    y = made.y[3]  # as if a model like the fourth came anew
    forecaster = Forecaster(posterior)
    columns = list(range(len(y)))
    errors, spreads = [], []
    for k in (0, 10, 40):
        told = [Evidence(n=80, k=k, total=float(round(k * v))) for v in y]
        forecasts = forecaster.new_row(columns, [None] * len(y), None, told)
        said = np.array([mean_and_sd(f) for f in forecasts])
        errors.append(np.abs(said[:, 0] - y).mean())
        spreads.append(said[:, 1].mean())
    assert spreads[0] > spreads[1] > spreads[2]
    assert errors[2] < errors[0]
    assert errors[2] < 0.08


@pytest.mark.parametrize("name", ["crossed", "factor", "items"])
def test_a_new_column_is_found_from_few_responses(name, planted_items):
    made = planted_items(held=0.0)
    posterior = fitted(name, made)
    y = np.clip(made.y[:, 2] - 0.1, 0, 1)
    rows = np.arange(len(y))
    forecaster = Forecaster(posterior)
    errors, spreads = [], []
    for k in (0, 10, 40):
        told = [Evidence(n=80, k=k, total=float(round(k * v))) for v in y]
        said = np.array([mean_and_sd(f) for f in forecaster.new_column(rows, 0, told)])
        errors.append(np.abs(said[:, 0] - y).mean())
        spreads.append(said[:, 1].mean())
    assert spreads[0] > spreads[1] > spreads[2]
    assert errors[2] < 0.08


@pytest.mark.parametrize("name", ["crossed", "factor", "items"])
def test_a_new_model_on_a_new_column_has_an_answer(name, planted_items):
    made = planted_items(held=0.0)
    forecaster = Forecaster(fitted(name, made))
    told = [Evidence(n=80, k=5, total=3.0), Evidence(n=80), Evidence(n=0, k=3, total=1.4, size=9)]
    forecasts = forecaster.new_row([None, 0, 1], [0, 0, None], None, told)
    for forecast in forecasts:
        mean, sd = mean_and_sd(forecast)
        assert 0.02 < mean < 0.98
        assert sd > 0.005


def test_a_stranger_is_less_sure_than_a_relative(planted_items):
    made = planted_items(held=0.0, seed=1)
    posterior = fitted("items", made)
    kernels = posterior.extra["kernels"]
    names = {f"i{n}": n for n in range(80)}
    answers = Answers(made.tables, dict.fromkeys(made.tables, names))
    shown = {j: np.where(np.arange(80) < 30, made.tables[j][2], np.nan) for j in range(12)}
    parameters = known_columns(posterior, np.arange(12), 50)
    twin = kernels.row_of(answers.tables, shown)
    assert twin.factors.argmax() == 2
    spread = {}
    for name, row in (("twin", twin), ("stranger", None)):
        _, covariance = new_row(posterior, parameters, 50, columns=list(range(12)), row=row)
        spread[name] = np.trace(covariance.mean(axis=0))
    assert spread["twin"] < spread["stranger"]


def test_a_maker_that_is_known_is_used(planted):
    made = planted(models=16, scenarios=8)
    posterior = fit_crossed(made.grid, SHORT)
    parameters = known_columns(posterior, np.arange(8), 50)
    spread = []
    for maker in (None, 3):
        _, covariance = new_row(posterior, parameters, 50, columns=list(range(8)), maker=maker)
        spread.append(covariance.mean(axis=0).trace())
    assert spread[1] < spread[0]


def test_the_population_of_a_group_is_its_own(planted):
    made = planted(models=12, scenarios=12)
    posterior = fit_factor(made.grid, SHORT, rank=2)
    mean, covariance = population(posterior, 1, 40)
    own = posterior.flat("scenario_effects", 40)[:, made.grid.group == 1].mean(axis=1)
    assert mean[:, 0] == pytest.approx(own)
    assert np.linalg.eigvalsh(covariance).min() > 0
