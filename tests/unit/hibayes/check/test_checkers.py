"""The built-in checks of convergence and of predictive fit, on draws made by hand."""

import logging
import math
import warnings

import numpy as np
import pytest

pytest.importorskip("arviz")
pytest.importorskip("jax")

from made_states import Asker, binomial

from hibayes import arviz_bridge as bridge
from hibayes import check
from suites.errors import UsageError


def sampled(**posterior):
    """A model with these draws, [chains, draws, ...]."""
    model = binomial()
    model.inference_data = bridge.new_data(
        {"posterior": posterior}, coords={"group": ["a", "b"]}, dims={"e": ["group"]}
    )
    return model


def verdict(model, worker):
    given, result = worker(model)
    assert given is model
    found = model.diagnostics[f"{worker.__name__}_verdict"]
    assert found["result"] == result
    return found


RNG = np.random.default_rng(5)
GOOD = RNG.normal(size=(4, 500))


def with_r_hat(wanted):
    """Draws whose R-hat lies a little below or above a value: chains moved apart."""
    low, high = 0.0, 2.0
    for _ in range(40):
        middle = (low + high) / 2
        draws = GOOD + middle * np.array([[0.5], [-0.5], [0.5], [-0.5]])
        found = bridge.summary(bridge.new_data({"posterior": {"x": draws}})).loc["x", "r_hat"]
        low, high = (middle, high) if found < wanted else (low, middle)
    return draws


# unrounded values


@pytest.mark.parametrize(("wanted", "result"), [(1.006, "pass"), (1.0098, "pass"), (1.011, "fail")])
def test_r_hat_is_not_rounded_before_it_is_compared(wanted, result):
    model = sampled(x=with_r_hat(wanted), y=GOOD)
    found = verdict(model, check.r_hat())
    assert found["result"] == result
    assert model.diagnostics["r_hat"][0] == pytest.approx(wanted, abs=1e-5)
    assert found["threshold"] == 1.01


def test_the_parameters_to_blame_are_named_worst_first_with_values():
    apart = GOOD + np.arange(4)[:, None]
    model = sampled(mu=GOOD, e=np.stack([with_r_hat(1.05), apart], axis=-1))
    found = verdict(model, check.r_hat())
    assert [who["name"] for who in found["offenders"]] == ["e[b]", "e[a]"]
    assert found["n_offenders"] == 2
    assert found["value"] == found["offenders"][0]["value"] > 1.5
    assert "e[b] (" in found["message"]
    assert "2 of 3 parameters" in found["message"]


def test_effective_sample_sizes_are_not_rounded_either():
    model = sampled(x=GOOD)
    table = bridge.summary(model.inference_data)
    for name in ("ess_bulk", "ess_tail"):
        value = float(table.loc["x", name])
        just_above = getattr(check, name)(threshold=value - 1e-6)
        just_below = getattr(check, name)(threshold=value)
        assert verdict(model, just_above)["result"] == "pass"
        assert verdict(model, just_below)["result"] == "fail"
        assert model.diagnostics[name] == pytest.approx([value])


def test_a_level_fixed_for_reference_is_not_held_against_the_model():
    model = sampled(e=np.stack([np.zeros_like(GOOD), GOOD], axis=-1))
    assert verdict(model, check.r_hat())["result"] == "pass"
    assert math.isnan(model.diagnostics["r_hat"][0])
    assert verdict(sampled(x=np.ones((2, 50))), check.r_hat())["result"] == "NA"


def test_draws_that_are_not_finite_are_held_against_it():
    lost = GOOD.copy()
    lost[0, 3] = np.nan
    found = verdict(sampled(x=GOOD, lost=lost), check.r_hat())
    assert found["result"] == "fail"
    assert found["offenders"] == [{"name": "lost", "value": "nan"}]


def test_the_summary_is_computed_once(monkeypatch):
    model = sampled(x=GOOD)
    calls = []
    real = bridge.summary
    monkeypatch.setattr(bridge, "summary", lambda *a, **k: calls.append(1) or real(*a, **k))
    for worker in (check.r_hat(), check.ess_bulk(), check.ess_tail()):
        worker(model)
    assert len(calls) == 1


def test_a_model_that_is_not_fitted_is_refused():
    model = sampled(x=GOOD)
    model.inference_data = bridge.new_data()
    for worker in (check.r_hat(), check.divergences(), check.bfmi()):
        with pytest.raises(UsageError, match="has no posterior"):
            worker(model)


# divergences and energy


def with_stats(**stats):
    model = sampled(x=GOOD)
    bridge.add_group(model.inference_data, "sample_stats", stats)
    return model


@pytest.mark.parametrize(("threshold", "result"), [(0, "fail"), (2, "fail"), (3, "pass")])
def test_divergences_are_counted_by_chain(threshold, result):
    diverging = np.zeros((4, 500), dtype=bool)
    diverging[2, :2] = diverging[0, 7] = True
    model, display = with_stats(diverging=diverging), Asker()
    worker = check.divergences(threshold=threshold)
    assert worker(model, display)[1] == result
    assert model.diagnostics["divergences"] == 3
    assert display.stats == {"Num divergents": 3}
    found = model.diagnostics["divergences_verdict"]
    if result == "fail":
        assert found["offenders"] == [
            {"name": "chain 2", "value": 2},
            {"name": "chain 0", "value": 1},
        ]


def test_no_record_of_divergences_is_na():
    assert verdict(sampled(x=GOOD), check.divergences())["result"] == "NA"


def test_bfmi_rests_on_the_energy_and_not_on_a_name_that_is_not_there():
    walk = np.cumsum(RNG.normal(size=(1, 500)), axis=1)
    model = with_stats(energy=np.concatenate([RNG.normal(size=(3, 500)), walk]))
    found = verdict(model, check.bfmi())
    assert found["result"] == "fail"
    assert [who["name"] for who in found["offenders"]] == ["chain 3"]
    assert model.diagnostics["bfmi"].shape == (4,)
    assert verdict(with_stats(energy=RNG.normal(size=(4, 500))), check.bfmi())["result"] == "pass"
    assert verdict(with_stats(lp=GOOD), check.bfmi())["result"] == "NA"


def test_bfmi_of_an_energy_that_does_not_vary_fails():
    found = verdict(with_stats(energy=np.ones((4, 500))), check.bfmi())
    assert (found["result"], found["value"]) == ("fail", "nan")


# loo and waic


def test_loo_keeps_what_the_interface_names():
    model = binomial()
    found = verdict(model, check.loo())
    kept = model.diagnostics
    assert {"loo", "elpd_loo", "se_elpd_loo", "p_loo", "loo_i", "pareto_k"} <= set(kept)
    assert kept["elpd_loo"] == pytest.approx(kept["loo_i"].sum())
    assert kept["loo"].elpd_loo == kept["elpd_loo"]
    worst = kept["pareto_k"].idxmax()
    assert found["value"] == pytest.approx(kept["pareto_k"].max())
    assert found["offenders"][0]["name"] == f"obs[{worst}]"


def test_loo_passes_where_no_pareto_k_is_too_large():
    assert verdict(binomial(), check.loo(reff_threshold=9.0))["result"] == "pass"


def test_waic_keeps_what_the_interface_names_and_is_na():
    model = binomial()
    assert verdict(model, check.waic())["result"] == "NA"
    assert {"waic", "elpd_waic", "se_elpd_waic", "p_waic", "waic_i"} <= set(model.diagnostics)


@pytest.mark.parametrize("scale", ["log", "negative_log", "deviance"])
@pytest.mark.parametrize("kind", ["loo", "waic"])
def test_the_best_model_is_the_best_on_every_scale(kind, scale):
    from made_states import analysis

    near, far = binomial("near"), binomial("far", shift=1.0)
    for model in (far, near):
        getattr(check, kind)(scale=scale)(model)
    assert analysis(far, near).get_best_model(f"elpd_{kind}") is near
    assert near.diagnostics[kind].value == pytest.approx(
        {"log": 1, "negative_log": -1, "deviance": -2}[scale] * near.diagnostics[f"elpd_{kind}"]
    )
    if scale == "deviance":
        assert "on the deviance scale" in near.diagnostics[f"{kind}_verdict"]["message"]


@pytest.mark.parametrize("kind", ["loo", "waic"])
def test_a_loaded_state_can_be_checked(kind, tmp_path):
    from made_states import analysis

    from hibayes.analysis_state import AnalysisState

    model = binomial()
    worker = getattr(check, kind)()
    _, result = worker(model)
    analysis(model).save(tmp_path)
    loaded = AnalysisState.load(tmp_path).models[0]
    assert loaded.diagnostics[kind] == model.diagnostics[kind]
    assert worker(loaded)[1] == result
    assert loaded.diagnostics[f"elpd_{kind}"] == pytest.approx(model.diagnostics[f"elpd_{kind}"])


@pytest.mark.parametrize("kind", ["loo", "waic"])
def test_without_a_log_likelihood_what_was_kept_is_used(kind):
    model = binomial()
    worker = getattr(check, kind)()
    worker(model)
    kept = model.diagnostics[kind]
    model.inference_data = sampled(x=GOOD).inference_data
    worker(model)
    assert model.diagnostics[kind] == kept
    model.diagnostics[kind] = kept.to_dict()
    worker(model)
    assert model.diagnostics[kind] == kept
    assert verdict(sampled(x=GOOD), worker)["result"] == "NA"


def test_what_fails_is_logged_as_a_warning(caplog):
    with caplog.at_level(logging.INFO, logger="hibayes"):
        check.ess_bulk()(binomial())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "bulk ESS of 10 of 10 parameters is not above 1000" in caplog.text


def test_no_warnings_escape():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("r_hat", "ess_bulk", "ess_tail", "divergences", "loo", "bfmi", "waic"):
            getattr(check, name)()(binomial())
