"""Summaries and convergence diagnostics: the same table under both generations of ArviZ."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("arviz")

from hibayes import arviz_bridge as bridge
from suites.errors import UsageError

RNG = np.random.default_rng(3)
DRAWS = {"mu": RNG.normal(5, 2, size=(4, 300)), "e": RNG.gamma(2, size=(4, 300, 2))}


def made(**more):
    return bridge.new_data(
        {"posterior": {**DRAWS, **more}}, coords={"k": ["a", "b"]}, dims={"e": ["k"]}
    )


def test_columns_and_labels():
    table = bridge.summary(made())
    assert list(table.index) == ["mu", "e[a]", "e[b]"]
    assert list(table.columns) == [
        "mean", "sd", "hdi_3%", "hdi_97%", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"
    ]  # fmt: skip


def test_moments_and_interval_equal_the_hand_computation():
    row = bridge.summary(made()).loc["mu"]
    flat = np.sort(DRAWS["mu"].ravel())
    assert row["mean"] == pytest.approx(flat.mean())
    assert row["sd"] == pytest.approx(flat.std(ddof=1))
    inside = ((flat >= row["hdi_3%"]) & (flat <= row["hdi_97%"])).mean()
    assert inside == pytest.approx(0.94, abs=2 / len(flat))
    # no interval of as many draws is narrower
    width = int(inside * len(flat)) - 1
    assert row["hdi_97%"] - row["hdi_3%"] <= (flat[width:] - flat[:-width]).min() + 0.02


def test_nothing_is_rounded():
    table = bridge.summary(made())
    assert (table["r_hat"] != table["r_hat"].round(4)).all()
    assert (table["ess_bulk"] != table["ess_bulk"].round()).all()


def test_the_table_is_that_of_arviz():
    az = bridge.package.arviz()
    if bridge.package.is_old(az):
        theirs = az.summary(made(), round_to="none", hdi_prob=0.94)
    else:
        theirs = az.summary(made(), round_to="none", ci_kind="hdi", ci_prob=0.94)
        theirs = theirs.rename(columns={"hdi94_lb": "hdi_3%", "hdi94_ub": "hdi_97%"})
    ours = bridge.summary(made())
    theirs.index = pd.Index([str(label) for label in theirs.index], dtype=object)
    pd.testing.assert_frame_equal(
        ours.astype(float),
        theirs[list(ours.columns)].astype(float),
        rtol=1e-6,
        check_index_type=False,
    )


def test_variables_are_named_whole():
    data = made(e_constrained=DRAWS["mu"])
    assert list(bridge.summary(data, "e").index) == ["e[a]", "e[b]"]
    assert list(bridge.summary(data, ["e_constrained"]).index) == ["e_constrained"]
    with pytest.raises(UsageError, match="the posterior has no f; it has mu, e"):
        bridge.summary(made(), ["f"])


def test_a_constant_is_said_to_be_one():
    data = made(fixed=np.zeros((4, 300)), lost=np.full((4, 300), np.nan))
    assert bridge.constants(data) == {"fixed"}
    assert np.isnan(bridge.summary(data).loc["lost", "r_hat"])


def test_bfmi_equals_the_hand_computation_and_arviz():
    energy = np.array([[1.0, 2.0, 4.0, 3.0], [0.0, 5.0, 0.0, 5.0]])
    data = bridge.new_data({"sample_stats": {"energy": energy}})
    # first chain: steps 1, 2, -1: mean square 2; variance of 1, 2, 4, 3 is 1.25
    assert bridge.bfmi(data) == pytest.approx([2 / 1.25, 25 / 6.25])
    long = RNG.normal(size=(3, 100))
    data = bridge.new_data({"sample_stats": {"energy": long}})
    az = bridge.package.arviz()
    theirs = np.asarray(az.bfmi(long) if bridge.package.is_old(az) else az.bfmi(data)["energy"])
    assert bridge.bfmi(data) == pytest.approx(theirs.ravel(), rel=0.05)


def test_bfmi_without_energy_is_refused():
    with pytest.raises(UsageError, match="no energy"):
        bridge.bfmi(made())
