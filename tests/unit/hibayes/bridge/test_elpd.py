"""LOO, WAIC and the comparison of models, against ArviZ, hand computations and both scales."""

import json
import math

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("arviz")

from hibayes import arviz_bridge as bridge
from suites.errors import UsageError

RNG = np.random.default_rng(11)
Y = RNG.normal(size=40)


def fitted(*, shift=0.0, labels=None):
    """A normal mean; `shift` puts the draws where the data are not."""
    mu = Y.mean() + shift + RNG.normal(size=(4, 250)) / math.sqrt(len(Y))
    return bridge.new_data(
        {
            "posterior": {"mu": mu},
            "log_likelihood": {"obs": stats.norm.logpdf(Y, mu[..., None])},
        },
        coords={"row": labels or list(range(len(Y)))},
        dims={"obs": ["row"]},
    )


def test_loo_is_that_of_arviz():
    data = fitted()
    az = bridge.package.arviz()
    theirs = az.loo(data, pointwise=True)
    ours = bridge.loo(data)
    old = bridge.package.is_old(az)
    points = theirs.loo_i if old else theirs.elpd_i
    assert ours.elpd == pytest.approx(theirs.elpd_loo if old else theirs.elpd, abs=1e-3)
    # the divisor of the variance is n in 0.2x, n - 1 in 1.x and here
    assert ours.se == pytest.approx(theirs.se * (math.sqrt(40 / 39) if old else 1), abs=1e-3)
    assert ours.p == pytest.approx(theirs.p_loo if old else theirs.p, abs=2e-3)
    np.testing.assert_allclose(ours.pointwise["elpd"], np.asarray(points), atol=1e-4)
    np.testing.assert_allclose(ours.pointwise["pareto_k"], np.asarray(theirs.pareto_k), atol=0.03)


def test_loo_and_waic_agree_in_the_easy_case_and_sum_their_points():
    data = fitted()
    loo, waic = bridge.loo(data), bridge.waic(data)
    assert loo.elpd == pytest.approx(waic.elpd, abs=0.05)
    for found in (loo, waic):
        assert found.pointwise["elpd"].sum() == pytest.approx(found.elpd)
        assert found.pointwise["p"].sum() == pytest.approx(found.p)
        assert (found.n_points, found.n_draws) == (40, 1000)
        assert not found.warning


def test_large_data_in_blocks_give_the_same(monkeypatch):
    data = fitted()
    whole = bridge.loo(data)
    monkeypatch.setattr(bridge.elpd, "_BLOCK", 7000)
    parts = bridge.loo(data)
    np.testing.assert_allclose(parts.pointwise, whole.pointwise, rtol=1e-12)


def test_the_scale_moves_the_value_and_not_the_elpd():
    data = fitted()
    log, deviance = bridge.waic(data), bridge.waic(data, scale="deviance")
    assert deviance.elpd == log.elpd
    assert deviance.value == pytest.approx(-2 * log.elpd)
    assert float(deviance.to_frame().loc["elpd_waic", "value"]) == pytest.approx(-2 * log.elpd)
    with pytest.raises(UsageError, match="unknown scale 'devianz'; did you mean 'deviance'"):
        bridge.loo(data, scale="devianz")


@pytest.mark.parametrize("kind", ["loo", "waic"])
def test_a_result_survives_json(kind):
    found = getattr(bridge, kind)(fitted(labels=[f"row {i}" for i in range(40)]), scale="deviance")
    again = bridge.Elpd.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again == found
    assert list(again.pointwise.index) == list(found.pointwise.index)
    assert again.warning == found.warning


def test_arviz_names_work():
    found = bridge.loo(fitted())
    assert found.elpd_loo == found["elpd_loo"] == found.elpd
    assert found.p_loo == found.p
    assert len(found.loo_i) == len(found.pareto_k) == 40
    with pytest.raises(AttributeError, match="elpd_waic"):
        found.elpd_waic  # noqa: B018
    with pytest.raises(KeyError):
        found["nothing"]


def test_observations_that_a_draw_rules_out_are_named():
    data = fitted()
    values = np.array(bridge.dataset(data, "log_likelihood")["obs"])
    values[1, 3, 7] = -np.inf
    bridge.add_group(data, "log_likelihood", {"obs": values})
    for of in (bridge.loo, bridge.waic):
        with pytest.raises(UsageError, match="not finite in some draws of observation 7:"):
            of(data)


def test_no_log_likelihood_and_an_unknown_one():
    with pytest.raises(UsageError, match="no group log_likelihood"):
        bridge.loo(bridge.new_data({"posterior": {"a": np.zeros((2, 5))}}))
    with pytest.raises(UsageError, match="unknown log-likelihood 'y'"):
        bridge.waic(fitted(), var_name="y")


def test_the_only_log_likelihood_is_taken_whatever_its_name():
    data = bridge.new_data({"log_likelihood": {"y": RNG.normal(size=(2, 100, 3))}})
    assert bridge.waic(data).n_points == 3


# several models


@pytest.mark.parametrize("scale", ["log", "negative_log", "deviance"])
@pytest.mark.parametrize("kind", ["loo", "waic"])
def test_the_best_model_is_first_on_every_scale(kind, scale):
    of = getattr(bridge, kind)
    table = bridge.compare({"far": of(fitted(shift=2.0)), "near": of(fitted())}, scale=scale)
    assert list(table.index) == ["near", "far"]
    assert table["rank"].tolist() == [0, 1]
    assert (table["elpd_diff"] >= 0).all()
    assert table["weight"].tolist() == pytest.approx([1.0, 0.0], abs=1e-3)


def test_the_comparison_is_that_of_arviz():
    az = bridge.package.arviz()
    data = {"near": fitted(), "middle": fitted(shift=0.4), "far": fitted(shift=1.0)}
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas' own deprecations
        theirs = az.compare(data)
    ours = bridge.compare({name: bridge.loo(one) for name, one in data.items()})
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours["weight"], theirs["weight"].astype(float), atol=0.02)
    if bridge.package.is_old(az):
        assert list(ours.columns) == list(theirs.columns)
        for column in ("elpd_loo", "elpd_diff"):
            np.testing.assert_allclose(ours[column], theirs[column].astype(float), atol=0.02)
        for column in ("dse", "se"):
            corrected = theirs[column].astype(float) * math.sqrt(40 / 39)
            np.testing.assert_allclose(ours[column], corrected, atol=0.02)


def test_weights_of_two_models_that_share_the_data():
    # each predicts its half with density 3/4 and the other with 1/4: both matter equally
    half = np.log([0.75] * 10 + [0.25] * 10)
    assert bridge.comparison.stacking_weights(np.column_stack([half, half[::-1]])) == pytest.approx(
        [0.5, 0.5], abs=1e-6
    )
    assert bridge.comparison.stacking_weights(half[:, None]).tolist() == [1.0]


def test_what_cannot_be_compared_is_refused():
    loo, waic = bridge.loo(fitted()), bridge.waic(fitted())
    with pytest.raises(UsageError, match="by one criterion only"):
        bridge.compare({"a": loo, "b": waic})
    other = bridge.new_data({"log_likelihood": {"obs": RNG.normal(size=(2, 100, 3))}})
    with pytest.raises(UsageError, match="the same observations"):
        bridge.compare({"a": waic, "b": bridge.waic(other)})
