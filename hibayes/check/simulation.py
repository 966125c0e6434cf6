"""What a model predicts: draws from its prior and from its posterior."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from hibayes import arviz_bridge
from suites.errors import UsageError

logger = logging.getLogger("hibayes.check")


def simulate_prior(
    state: Any, num_samples: int = 1000, options: Mapping[str, Any] | None = None
) -> None:
    """Draw every site of a model from its prior, and keep the group ``prior_predictive``.

    Parameters
    ----------
    state : ModelAnalysisState
        Its features without observations are used; the seed is ``fit.seed``. The group has all
        sites, latent, deterministic and observed, of the shape (1, num_samples, ...).
    num_samples : int
        Draws.
    options : mapping, optional
        For NumPyro's ``Predictive``.

    Raises
    ------
    UsageError
        If an option is not one of NumPyro's.
    """
    drawn = _predict(state, {"num_samples": num_samples, **(options or {})}, seed=_seed(state))
    _keep(state, "prior_predictive", drawn)


def simulate_posterior(
    state: Any, num_samples: int = 500, options: Mapping[str, Any] | None = None
) -> None:
    """Predict the observed sites in some posterior draws: the group ``posterior_predictive``.

    Parameters
    ----------
    state : ModelAnalysisState
        Fitted. The seed is ``fit.seed`` + 1.
    num_samples : int
        How many draws are taken, without replacement, from those of all chains; all where there
        are fewer. The group has the shape (1, num_samples, rows).
    options : mapping, optional
        For NumPyro's ``Predictive``.

    Raises
    ------
    UsageError
        If the model is not fitted, or an option is not one of NumPyro's.
    """
    drawn = posterior_predictions(state, num_samples, options=options)
    _keep(state, "posterior_predictive", drawn)


def posterior_predictions(
    state: Any,
    num_samples: int,
    *,
    without: tuple[str, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """Predict the observed sites in some posterior draws.

    Parameters
    ----------
    state, num_samples, options
        As for `simulate_posterior`.
    without : tuple of str
        Variables that are set to zero: the predictions are those of a world without the effect.
        So are the free coefficients that they are made of (``<name>_constrained``,
        ``<name>_raw``).

    Returns
    -------
    dict
        Site to values, shape (num_samples, rows).
    """
    if "posterior" not in arviz_bridge.groups(state.inference_data):
        raise UsageError(f"{state.model_name} has no posterior: fit it before it predicts.")
    draws = arviz_bridge.dataset(state.inference_data, "posterior")
    total = draws.sizes["chain"] * draws.sizes["draw"]
    seed = _seed(state) + 1
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(total, size=min(int(num_samples), total), replace=False))
    zero = {f"{name}{part}" for name in without for part in ("", "_constrained", "_raw")}
    samples = {}
    for name, values in draws.data_vars.items():
        array = np.asarray(values.transpose("chain", "draw", ...))
        part = array.reshape(total, *array.shape[2:])[chosen]
        samples[str(name)] = np.zeros_like(part) if name in zero else part
    return _predict(state, {**(options or {}), "posterior_samples": samples}, seed=seed)


def _predict(state: Any, options: dict[str, Any], *, seed: int) -> dict[str, Any]:
    """Run NumPyro's Predictive on the features without observations."""
    import jax
    from numpyro.infer import Predictive

    from hibayes.model.labelling import plain_features

    try:
        predictive = Predictive(_over_rows(state), **options)
    except TypeError as err:
        raise UsageError(f"predictive_kwargs: {err}") from err
    found = predictive(jax.random.PRNGKey(seed), plain_features(state.prior_features))
    return {name: np.asarray(values) for name, values in found.items()}


def _over_rows(state: Any) -> Any:
    """Give the model, with an outcome for every row where it would predict a single one.

    Without effects a model's outcomes are alike: nothing but the observations, which it is not
    given here, tells how many there are.
    """
    import jax.numpy as jnp
    from numpyro.primitives import Messenger

    shape = jnp.shape(state.features["obs"]) if "obs" in (state.features or {}) else ()

    class Rows(Messenger):
        def process_message(self, msg: dict[str, Any]) -> None:
            alone = msg["type"] == "sample" and msg["name"] == "obs" and msg["value"] is None
            if alone and msg["fn"].shape() == ():
                msg["fn"] = msg["fn"].expand(shape)

    def program(features: Any) -> None:
        with Rows():
            state.model(features)

    return program


def _keep(state: Any, group: str, drawn: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Put predictions into the state's inference data, labelled as the fit labels them."""
    from hibayes.model.labelling import labels_of

    try:
        named = labels_of(state)
        coords, dims = named.coords, named.dims
    except UsageError as err:  # the fit says so with effect; predictions can do without labels
        logger.warning("%s: %s", state.model_name, err)
        coords, dims = {}, {}
    arrays = {name: values[np.newaxis] for name, values in drawn.items()}
    state.inference_data = arviz_bridge.add_group(state.inference_data, group, arrays, coords, dims)


def _seed(state: Any) -> int:
    """Give the fit's seed."""
    return int(getattr(getattr(state.model_config, "fit", None), "seed", 0) or 0)
