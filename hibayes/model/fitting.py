"""The fit of a model: chains, the posterior of every site, and the log-likelihood by row."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from hibayes import arviz_bridge
from hibayes.model import chains
from hibayes.model import sampler as sampling
from hibayes.model.aggregation import Cells, cells, check_outcomes, distinct
from hibayes.model.definition import OwnSampler, structure_of
from hibayes.model.labelling import Labels, labels, plain_features, shapes
from hibayes.model.model_config import FitConfig, Method
from suites.errors import NotInstalled, UsageError

__all__ = ["fit"]

logger = logging.getLogger("hibayes")

_BEFORE = ("prior", "prior_predictive")
"""Groups made by checks before the fit, which stay."""


def fit(model_analysis_state: Any, display: Any = None) -> None:
    r"""Sample the posterior of a model, and keep it in the state.

    Rows that the likelihood cannot tell apart are counted together: trials summed, like ordered
    outcomes weighted. That changes the density by a constant at most, and the time a lot.

    Parameters
    ----------
    model_analysis_state : ModelAnalysisState
        With a model, its configuration and features. Gets ``inference_data`` and ``is_fitted``;
        the groups that checks made before (``prior_predictive``) stay in the data.
    display : Display, optional
        Told how far the chains are, after every 100 steps.

    Raises
    ------
    UsageError
        A ValueError: if features are missing or not such as the model's likelihood takes, labels
        and levels are not as many, or the density is not finite where chains start. Nothing has
        been sampled then.
    NotInstalled
        If JAX or NumPyro is not installed (``pip install 'benchcast[bayes]'``).

    Notes
    -----
    Groups of ``inference_data``: ``posterior`` (every latent and deterministic site),
    ``log_likelihood`` (``obs``, with ``fit.log_likelihood`` one value for each row, in the order of
    the features, or for each cell: then ``cell`` in ``constant_data`` says which cell each row is
    of), ``sample_stats`` (diverging, energy, lp, tree_depth, n_steps, acceptance_rate, step_size)
    and ``observed_data`` (``obs``). ``lp`` is the log density of the unconstrained parameters that
    were sampled, up to a constant: a model may be sampled in other coordinates.

    Numbers are float32, unless ``jax_enable_x64`` is set. The same seed gives the same draws on
    the same machine and versions, whatever the number of devices; ``vectorized`` chains round
    otherwise.
    A second fit of one model and shape in a process, with other data, priors' numbers, seed or
    number of draws, compiles nothing.
    """
    _check_installed()
    state = model_analysis_state
    config = _fit_config(state)
    features = plain_features(state.features or {})
    model = state.model
    structure = structure_of(model)
    check_outcomes(features, structure)
    sites = shapes(model, features)
    named = labels(model, features, state.coords, state.dims, sites)

    if structure.sampler is not None:
        _keep(state, _swept(state, structure.sampler, config, features, display), named)
        return
    grouped = cells(features, structure)
    used, weights = (grouped.features, grouped.weights) if grouped else (features, None)
    data = sampling.data_of(model, used, weights)
    compiled = sampling.sampler_of(model, used, config, data)
    _say(state, config, features, grouped.number if grouped else np.size(features["obs"]))
    with _Progress(display, config, state) as progress:
        draws = chains.run(compiled, data, config, method=_chain_method(state), progress=progress)
    made = chains.evaluate(compiled.sites, draws.z, data, np.size(used["obs"]))
    # an equivalent program has sites of its own beside those of the model
    posterior = {name: made[name] for name in sites if name in made}
    groups = {
        "posterior": posterior,
        "log_likelihood": {},
        "sample_stats": _sample_stats(draws.stats, config),
        "observed_data": {"obs": np.asarray(features["obs"])},
    }
    if config.log_likelihood != "none":
        groups["log_likelihood"] = {
            "obs": _pointwise(model, features, config, draws, compiled, data, grouped)
        }
        if config.log_likelihood == "cells" and grouped is not None:
            groups["observed_data"] = {"obs": np.asarray(used["obs"])[: grouped.number]}
            groups["constant_data"] = {"cell": grouped.cell}
    else:
        del groups["log_likelihood"]
    _keep(state, groups, named)


def _swept(
    state: Any, sampler: OwnSampler, config: FitConfig, features: Mapping[str, Any], display: Any
) -> dict[str, Any]:
    """Give the groups of a model that is sampled by its own sweeps."""
    name = getattr(state, "model_name", "model")
    logger.info(
        "%s: %d rows; its own sweeps, whatever fit.method says, %d chains of %d draws after %d of "
        "warm-up.",
        *(name, np.size(features["obs"]), config.chains, config.samples, config.warmup),
    )
    with _Progress(display, config, state) as progress:
        drawn = sampler(features, config, progress)
    for stat, values in drawn.sample_stats.items():
        logger.info("%s: %s: %.2f.", name, stat, float(np.mean(values)))
    groups = {
        "posterior": drawn.posterior,
        "log_likelihood": {} if drawn.log_likelihood is None else {"obs": drawn.log_likelihood},
        "sample_stats": drawn.sample_stats,
        "observed_data": {"obs": np.asarray(features["obs"])},
    }
    return {group: values for group, values in groups.items() if values}


def _keep(state: Any, groups: Mapping[str, Any], named: Labels) -> None:
    """Put a fit into the state."""
    made = arviz_bridge.new_data(groups, dict(named.coords), dict(named.dims))
    for name in _BEFORE:
        if name in arviz_bridge.groups(state.inference_data):
            arviz_bridge.add_group(made, name, arviz_bridge.dataset(state.inference_data, name))
    state.inference_data = made
    # a summary of an earlier fit would be taken for this one's
    (state.diagnostics or {}).pop("summary", None)
    state.is_fitted = True


def _pointwise(
    model: Any,
    features: Mapping[str, Any],
    config: FitConfig,
    draws: Any,
    compiled: sampling.Sampler,
    data: Any,
    grouped: Cells | None,
) -> Any:
    """Give the log-likelihood of each row, or of each cell, under each draw."""
    n = np.size(features["obs"])
    if grouped is None:
        return _only(chains.evaluate(compiled.pointwise, draws.z, data, n))
    if config.log_likelihood == "cells":
        values = _only(chains.evaluate(compiled.pointwise, draws.z, data, n))
        # an observation that stands for several is left out with all of them
        if grouped.weights is not None:
            values = values * grouped.weights.astype(values.dtype)
        return values[..., : grouped.number]
    rows = distinct(features, structure_of(model))
    assert rows is not None
    own = sampling.data_of(model, rows.features)
    program = sampling.sampler_of(model, rows.features, config, own)
    values = _only(chains.evaluate(program.pointwise, draws.z, own, n))
    return values[..., rows.cell]


def _only(values: Mapping[str, Any]) -> Any:
    """Give the log-likelihood of ``obs``, of models that observe other sites too."""
    if "obs" not in values:
        raise UsageError(f"the model must observe a site 'obs'; it observes {sorted(values)}.")
    found = values["obs"]
    return found[..., np.newaxis] if found.ndim == 2 else found


def _sample_stats(stats: Mapping[str, Any], config: FitConfig) -> dict[str, Any]:
    found = {
        "diverging": stats["diverging"],
        "energy": stats["energy"],
        "lp": -stats["potential_energy"],
        "n_steps": stats["n_steps"],
        "acceptance_rate": stats["acceptance_rate"],
        "step_size": stats["step_size"],
    }
    if config.method == Method.NUTS:
        # a tree of depth d takes up to 2^d - 1 steps, and more than a finished one of depth d - 1
        found["tree_depth"] = np.ceil(np.log2(stats["n_steps"] + 1)).astype(np.int64)
    return found


def _fit_config(state: Any) -> FitConfig:
    found = getattr(state.model_config, "fit", None)
    return found if isinstance(found, FitConfig) else FitConfig()


def _chain_method(state: Any) -> str:
    platform = getattr(state, "platform_config", None)
    method = getattr(platform, "chain_method", None) or "parallel"
    if method not in ("parallel", "sequential", "vectorized"):
        raise UsageError(
            f"platform.chain_method must be parallel, sequential or vectorized, got {method!r}."
        )
    return str(method)


def _say(state: Any, config: FitConfig, features: Any, after: int) -> None:
    rows = np.size(features["obs"])
    together = f" ({after} after counting like rows together)" if after < rows else ""
    logger.info(
        "%s: %d rows%s; %s, %d chains of %d draws after %d of warm-up.",
        getattr(state, "model_name", "model"),
        rows,
        together,
        config.method,
        config.chains,
        config.samples,
        config.warmup,
    )


def _check_installed() -> None:
    try:
        import jax  # noqa: F401
        import numpyro  # noqa: F401
    except ImportError as err:
        raise NotInstalled(
            f"fitting a model needs JAX and NumPyro, which cannot be imported ({err}). Install "
            "them with: pip install 'benchcast[bayes]'"
        ) from err


class _Progress:
    """Tells a display how far the chains are: one task for each."""

    def __init__(self, display: Any, config: FitConfig, state: Any) -> None:
        self._display: Any = display if config.progress_bar else None
        self._config = config
        self._method = _chain_method(state)
        self._name = getattr(state, "model_name", "model")

    def __enter__(self) -> chains.Progress | None:
        if self._display is None:
            return None
        config = self._config
        self._display.set_fit_context(self._method, config.chains)
        for chain in range(config.chains):
            total = config.samples + config.warmup
            self._display.add_task(self._task(chain), chain=str(chain + 1), total=total)
        return self.step

    def step(self, chain: int, n: int) -> None:
        """Count the steps that a chain made."""
        self._display.update_task(self._task(chain), advance=n)

    def _task(self, chain: int) -> str:
        return f"{self._name}, chain {chain + 1}"

    def __exit__(self, *error: object) -> None:
        return None
