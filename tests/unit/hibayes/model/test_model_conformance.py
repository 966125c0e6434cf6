"""Densities and posteriors of the models, against those that HiBayES computes."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")

NAMES = [
    "two_level_default",
    "two_level_loose",
    "simplified_default",
    "simplified_rate3",
    "three_level_default",
    "three_level_exponential_default",
    "linear_intercept_only",
    "linear_effect_main",
    "linear_effect_interaction",
    "linear_dummy_interaction",
    "ordered_effect_main",
    "ordered_effect_interaction",
    "ordered_dummy_main",
    "ordered_continuous",
    "ordered_two_classes",
    "example_q1",
    "example_q2_with_interaction",
    "example_q2_without_interaction",
    "example_q4",
]


@pytest.fixture
def double():
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("name", NAMES)
def test_densities_equal_the_reference(name, made, double):
    from numpyro import handlers

    state, known = made(name)
    assert len(known["points"]) == 3
    for point in known["points"]:
        values = {site: np.asarray(value, np.float64) for site, value in point["values"].items()}
        program = handlers.substitute(handlers.seed(state.model, 0), data=values)
        sites = handlers.trace(program).get_trace(state.features)

        drawn = [s for s, v in sites.items() if v["type"] == "sample" and not v["is_observed"]]
        # the same sites in the same order as the program of HiBayES
        assert drawn == list(point["log_prior_by_site"]) == list(known["latent_sites"])
        priors = {s: float(sites[s]["fn"].log_prob(values[s]).sum()) for s in drawn}
        assert priors == pytest.approx(point["log_prior_by_site"], abs=1e-5)

        by_row = np.asarray(sites["obs"]["fn"].log_prob(sites["obs"]["value"]))
        np.testing.assert_allclose(by_row, point["pointwise_log_lik"], atol=1e-5)
        # the archive's sums are of single-precision terms where rows are hundreds
        assert by_row.sum() == pytest.approx(point["log_lik"], abs=1e-4)
        assert sum(priors.values()) + by_row.sum() == pytest.approx(point["log_joint"], abs=1e-4)

        det = [s for s, v in sites.items() if v["type"] == "deterministic"]
        assert set(det) == set(point["deterministics"])
        for site in det:
            np.testing.assert_allclose(
                sites[site]["value"], point["deterministics"][site], atol=1e-5
            )


@pytest.mark.parametrize("name", NAMES)
def test_sampled_density_is_that_of_the_rows_up_to_a_constant(name, made, double):
    """Counting like rows together changes the log density by the same at every point."""
    import jax.numpy as jnp
    from numpyro import handlers
    from numpyro.infer.util import log_density

    from hibayes.model.aggregation import cells
    from hibayes.model.definition import structure_of

    state, known = made(name)
    made_cells = cells(state.features, structure_of(state.model))
    assert made_cells is not None
    assert len(made_cells.features["obs"]) <= len(state.features["obs"])
    differences = []
    for point in known["points"]:
        values = {site: jnp.asarray(value) for site, value in point["values"].items()}
        program = handlers.substitute(handlers.seed(state.model, 0), data=values)
        sites = handlers.trace(program).get_trace(made_cells.features)
        by_cell = sites["obs"]["fn"].log_prob(sites["obs"]["value"])
        if made_cells.weights is not None:
            by_cell = by_cell * made_cells.weights
        of_rows, _ = log_density(state.model, (state.features,), {}, values)
        prior = sum(point["log_prior_by_site"].values())
        differences.append(float(of_rows) - prior - float(by_cell.sum()))
    np.testing.assert_allclose(differences, differences[0], atol=1e-4)


def _reference_rows(folder, name):
    """Read a table of posteriors: (variable, number of the element) to mean, sd, … in order."""
    found: dict[str, list[dict[str, float]]] = {}
    with (folder / "posteriors" / f"{name}.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            variable = re.sub(r"\[.*", "", row.pop("parameter"))
            found.setdefault(variable, []).append({k: float(v) for k, v in row.items()})
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_posteriors_equal_the_reference(name, made, reference):
    """Every mean within 4 standard errors of the two runs, every sd within 4 of its own."""
    pytest.importorskip("arviz")
    from hibayes import arviz_bridge
    from hibayes.model import fit

    state, _ = made(name)
    fit(state)
    table = arviz_bridge.summary(state.inference_data)
    ours: dict[str, list[dict[str, float]]] = {}
    for label, row in table.iterrows():
        ours.setdefault(re.sub(r"\[.*", "", str(label)), []).append(row.to_dict())
    theirs = _reference_rows(reference, name)
    assert set(ours) == set(theirs)
    off = []
    for variable, rows in theirs.items():
        assert len(ours[variable]) == len(rows)
        for place, (mine, known) in enumerate(zip(ours[variable], rows, strict=True)):
            if known["sd"] < 1e-6:
                continue
            least = min(mine["ess_bulk"], known["ess_bulk"])
            error = 4 * np.hypot(mine["mcse_mean"], known["mcse_mean"])
            error += 0.02 if least < 600 else 0.0
            spread = 4 * np.hypot(mine["mcse_sd"], known["mcse_sd"])
            if abs(mine["mean"] - known["mean"]) > error:
                off.append((variable, place, "mean", mine["mean"], known["mean"], error))
            if abs(mine["sd"] - known["sd"]) > spread:
                off.append((variable, place, "sd", mine["sd"], known["sd"], spread))
    assert not off
