"""Small pieces that models and plots share: inverse links, interaction matrices, dtypes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from suites.errors import unknown_name

__all__ = [
    "cloglog_to_prob",
    "create_interaction_effects",
    "identity",
    "infer_jax_dtype",
    "link_to_key",
    "logit_to_prob",
    "offset_logit_to_share",
    "probit_to_prob",
]


def identity(x: Any) -> Any:
    """Give the value itself."""
    return x


def logit_to_prob(x: Any) -> Any:
    r"""Give the probability of log odds, :math:`1 / (1 + e^{-x})`.

    Examples
    --------
    >>> float(logit_to_prob(0.0))
    0.5
    """
    if _is_jax(x):
        from jax.nn import sigmoid

        return sigmoid(x)
    from scipy.special import expit

    return _like(x, expit(x))


def probit_to_prob(x: Any) -> Any:
    r"""Give the probability of a probit, :math:`\Phi(x)`.

    Examples
    --------
    >>> float(probit_to_prob(0.0))
    0.5
    """
    if _is_jax(x):
        from jax.scipy.stats.norm import cdf

        return cdf(x)
    from scipy.special import ndtr

    return _like(x, ndtr(x))


def cloglog_to_prob(x: Any) -> Any:
    r"""Give the probability of a complementary log-log, :math:`1 - e^{-e^x}`.

    Examples
    --------
    >>> round(float(cloglog_to_prob(0.0)), 6)
    0.632121
    """
    if _is_jax(x):
        import jax.numpy as jnp

        return -jnp.expm1(-jnp.exp(x))
    return _like(x, -np.expm1(-np.exp(x)))


def offset_logit_to_share(x: Any) -> Any:
    """Give the share whose log((y + .1) / (1.1 - y)) is x: the scale of the crossed models.

    Examples
    --------
    >>> float(offset_logit_to_share(0.0)), float(offset_logit_to_share(9.0))
    (0.5, 1.0)
    """
    from hibayes.hierarchical.cells import from_logit

    return _like(x, from_logit(x))


def link_to_key(link: Callable[..., Any] | str, links: Mapping[str, Any] | None = None) -> str:
    """Give the name under which an inverse link stands in configurations.

    Examples
    --------
    >>> link_to_key(probit_to_prob)
    'probit'
    """
    from hibayes.model.model_config import LINK_FUNCTION_MAP

    known = LINK_FUNCTION_MAP if links is None else links
    for name, function in known.items():
        if link == name or link is function:
            return name
    raise unknown_name("link function", str(getattr(link, "__name__", link)), known)


def infer_jax_dtype(values: Any) -> Any:
    """Give the JAX dtype of a column, as `hibayes.process.utils.infer_jax_dtype` does."""
    from hibayes.process.utils import infer_jax_dtype as infer

    return infer(values)


def create_interaction_effects(
    name1: str, name2: str, features: Mapping[str, Any], prior: Any
) -> Any:
    """Draw the effects of each pair of levels, which sum to zero along both axes.

    Makes the sites ``<name1>_<name2>_effects_constrained``, of shape ((A - 1)(B - 1),), and
    ``<name1>_<name2>_effects``, of shape (A, B), for A and B levels. The free effects are drawn
    from the prior; the last row and the last column follow. Where one of the two has a single level
    there is nothing to draw: no sites, zeros.

    Parameters
    ----------
    name1, name2 : str
        Categorical features: ``num_<name>`` holds their numbers of levels.
    features : mapping
        The features.
    prior : numpyro.distributions.Distribution
        Of one free effect.

    Returns
    -------
    jax.Array, shape (A, B)
    """
    import jax.numpy as jnp
    import numpyro

    a, b = int(features[f"num_{name1}"]), int(features[f"num_{name2}"])
    if a == 1 or b == 1:
        return jnp.zeros((a, b))
    site = f"{name1}_{name2}_effects"
    free = numpyro.sample(f"{site}_constrained", prior.expand([(a - 1) * (b - 1)]))
    upper = free.reshape(a - 1, b - 1)
    rows = jnp.concatenate([upper, -upper.sum(axis=0, keepdims=True)], axis=0)
    matrix = jnp.concatenate([rows, -rows.sum(axis=1, keepdims=True)], axis=1)
    numpyro.deterministic(site, matrix)
    return matrix


def _is_jax(x: Any) -> bool:
    # without JAX loaded, nothing can be one of its arrays
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(x, jax.Array)


def _like(x: Any, value: Any) -> Any:
    """Keep the labels of an xarray or pandas object that NumPy's functions give back bare."""
    if isinstance(value, np.ndarray) and hasattr(x, "copy") and hasattr(x, "dims"):
        return x.copy(data=value)
    return value
