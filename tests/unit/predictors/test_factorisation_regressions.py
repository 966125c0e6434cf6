"""The regressions of columns on each other: what they use, and how sure they are."""

import numpy as np
import pytest
from scipy import stats

from predictors.factorisation import regressions
from predictors.factorisation.regressions import Regressed, regress


def made(models=30, columns=6, *, noise=0.2, seed=0):
    """Make standardised values of two factors."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(models, 2)) @ rng.normal(size=(2, columns))
    z = z + noise * rng.normal(size=z.shape)
    return (z - z.mean(axis=0)) / z.std(axis=0)


def answered(models=30, columns=4, items=60, *, seed=0):
    """Make responses of families that share what they know, and are equally able."""
    rng = np.random.default_rng(seed)
    family = np.arange(models) % 5
    tables = {}
    for j in range(columns):
        own = rng.random((5, items)) < 0.5
        other = rng.random((models, items)) < 0.5
        tables[j] = np.where(rng.random((models, items)) < 0.8, own[family], other).astype(float)
    return tables, family


def test_hidden_values_are_predicted_from_the_other_columns():
    z = made()
    hidden = np.random.default_rng(1).random(z.shape) < 0.15
    told = regress(np.where(hidden, np.nan, z), None, {})
    error = (z - told.mean)[hidden]
    assert np.sqrt(np.mean(error**2)) < 0.5
    u = stats.t(told.df).cdf(error / told.sd[hidden])
    assert 0.75 < np.mean((u > 0.05) & (u < 0.95)) <= 1


def test_responses_to_the_other_columns_tell_families_apart():
    tables, family = answered()
    rng = np.random.default_rng(2)
    z = rng.normal(size=(30, 4))
    z[:, 3] = rng.normal(size=5)[family] + 0.1 * rng.normal(size=30)
    z[:, 3] = (z[:, 3] - z[:, 3].mean()) / z[:, 3].std()
    hidden = np.zeros(z.shape, bool)
    hidden[:5, 3] = True
    known = np.where(hidden, np.nan, z)
    error = {
        name: np.abs(z - regress(known, None, part).mean)[hidden].mean()
        for name, part in (("items", tables), ("values", {}))
    }
    assert error["items"] < 0.6 * error["values"]


def test_no_kernel_of_a_column_is_made_of_its_own_responses():
    tables, _ = answered()
    z = made(columns=4)
    there = np.ones(z.shape, bool)
    changed = {**tables, 2: 1.0 - np.roll(tables[2], 3, axis=0)}
    stacks = []
    for part in (tables, changed):
        items = regressions._Items(part, 30)
        group = np.array([0, 0, 1, 1])
        kernels = regressions._Kernels(z, there, group, items, None, np.ones(z.shape))
        stacks.append([kernels.of(j) for j in range(4)])
    assert stacks[0][2] == pytest.approx(stacks[1][2])
    assert np.abs(stacks[0][1] - stacks[1][1]).max() > 0.1


def test_the_search_follows_the_slope_of_what_it_minimises(monkeypatch):
    z = made(models=12, columns=4)
    asked = []

    def minimize(loss, start, **_):
        asked.append((loss, start))
        return type("Found", (), {"x": start})

    monkeypatch.setattr(regressions, "minimize", minimize)
    regress(z, np.array([0, 0, 1, 1]), answered(models=12)[0])
    loss, start = asked[0]
    for k in range(len(start)):
        step = np.zeros(len(start))
        step[k] = 1e-5
        slope = (loss(start + step)[0] - loss(start - step)[0]) / 2e-5
        assert loss(start)[1][k] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_the_order_of_models_changes_nothing():
    z = made()
    z[3, 2] = z[8, 0] = np.nan
    order = np.random.default_rng(4).permutation(len(z))
    one, other = regress(z, None, {}), regress(z[order], None, {})
    assert other.mean == pytest.approx(one.mean[order], abs=1e-3)
    assert other.sd == pytest.approx(one.sd[order], rel=1e-2)


def test_a_model_of_which_little_is_known_is_less_sure():
    z = made()
    z[4, 0] = z[5, 0] = z[5, 2:] = np.nan
    told = regress(z, None, {})
    assert told.sd[5, 0] > 1.2 * told.sd[4, 0]


def test_the_normals_of_a_t_are_distributed_as_it_is():
    told = Regressed(np.full((1, 1), 0.5), np.full((1, 1), 2.0), 4.0)
    mean, sd = told.normals
    z = np.array([-4.0, 0.5, 2.0, 6.0])
    cdf = stats.norm.cdf((z[:, None] - mean[:, 0, 0]) / sd[:, 0, 0]).mean(axis=1)
    assert cdf == pytest.approx(stats.t(4).cdf((z - 0.5) / 2), abs=0.006)


@pytest.mark.parametrize(("df", "scale"), [(4.0, 0.8), (30.0, 1.2)])
def test_degrees_of_freedom_and_scale_are_those_of_the_residuals(df, scale):
    residual = scale * stats.t(df).rvs(4000, random_state=1)
    found = regressions._shape(residual)
    assert found[0] == df
    assert found[1] == pytest.approx(scale, abs=0.06)
