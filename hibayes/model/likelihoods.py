"""Likelihoods of evaluation results: successes among trials, and ordered outcomes."""

from __future__ import annotations

from typing import Any

from hibayes.model.definition import Axis, Features
from suites.errors import UsageError

CUTPOINT_ARGUMENTS = (
    *("prior_first_cutpoint_loc", "prior_first_cutpoint_scale"),
    *("prior_cutpoint_diffs_loc", "prior_cutpoint_diffs_scale"),
    "min_cutpoint_spacing",
)
"""The arguments of builders that hold the priors of cutpoints."""


def observe_binomial(logits: Any, features: Features) -> None:
    """Observe ``obs`` successes among ``n_total`` trials each of probability sigma(logits)."""
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist

    obs, trials = _counts(features["obs"]), _counts(features["n_total"])
    if obs is not None:
        # of integers, log-factorials would be taken in single precision
        obs, trials = obs.astype(jnp.result_type(float)), trials.astype(jnp.result_type(float))
    numpyro.sample("obs", dist.Binomial(total_count=trials, logits=logits), obs=obs)


def observe_ordered(eta: Any, cutpoints: Any, features: Features) -> None:
    r"""Observe ordered outcomes 0 … K - 1, cut out of a logistic variable of location eta.

    .. math:: P(y \le k) = \sigma(c_k - \eta)

    The probabilities are computed as logarithms, so that they stay finite far from the data:
    :math:`\log(\sigma(a) - \sigma(b)) = \log\sigma(a) + \log\sigma(-b) + \log(1 - e^{b - a})`.

    Parameters
    ----------
    eta : array, shape (R,) or ()
        One location per row.
    cutpoints : array, shape (K - 1,)
        Rising.
    features : mapping
        With ``obs``: whole numbers, or None.

    References
    ----------
    McCullagh (1980), Regression models for ordinal data, Journal of the Royal Statistical
    Society B 42, doi:10.1111/j.2517-6161.1980.tb01109.x.
    """
    import jax.numpy as jnp
    import numpyro
    from jax.nn import log_sigmoid
    from numpyro import distributions as dist

    at = cutpoints - jnp.asarray(eta)[..., None]  # [R, K - 1]
    below, above = log_sigmoid(at), log_sigmoid(-at)
    between = jnp.log(-jnp.expm1(cutpoints[:-1] - cutpoints[1:]))
    inner = below[..., 1:] + above[..., :-1] + between
    logits = jnp.concatenate([below[..., :1], inner, above[..., -1:]], axis=-1)  # [R, K]
    numpyro.sample("obs", dist.Categorical(logits=logits), obs=_counts(features["obs"]))


def draw_cutpoints(
    num_classes: int,
    *,
    first_loc: Any,
    first_scale: Any,
    diffs_loc: Any,
    diffs_scale: Any,
    spacing: Any,
) -> Any:
    """Draw rising cutpoints: the first normal, their distances log-normal above a least one.

    Sites ``first_cutpoint``; ``cutpoint_diffs``, of shape (K - 2,), where K > 2; ``cutpoints``, of
    shape (K - 1,).
    """
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist

    first = numpyro.sample("first_cutpoint", dist.Normal(first_loc, first_scale))
    cutpoints = jnp.reshape(first, (1,))
    if num_classes > 2:
        prior = dist.LogNormal(diffs_loc, diffs_scale).expand([num_classes - 2])
        steps = numpyro.sample("cutpoint_diffs", prior) + spacing
        cutpoints = jnp.append(cutpoints, first + jnp.cumsum(steps))
    return numpyro.deterministic("cutpoints", cutpoints)


def check_classes(num_classes: Any) -> None:
    """Refuse numbers of outcomes that have nothing to part.

    Raises
    ------
    UsageError
        If it is no whole number from 2.
    """
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 2:
        raise UsageError(f"num_classes must be a whole number from 2, got {num_classes!r}.")


def cutpoint_axes(num_classes: int) -> dict[str, list[Axis]]:
    """Give the axes of cutpoints, named by the outcomes that they part.

    Examples
    --------
    >>> cutpoint_axes(3)["cutpoints"]
    [Axis(dim='cutpoint', labels=['0|1', '1|2'])]
    """
    parted = [f"{k}|{k + 1}" for k in range(num_classes - 1)]
    found = {"cutpoints": [Axis("cutpoint", parted)]}
    if num_classes > 2:
        # the distance between two cutpoints is the width of the outcome between them
        found["cutpoint_diffs"] = [Axis("inner_outcome", list(range(1, num_classes - 1)))]
    return found


def _counts(values: Any) -> Any:
    """Give whole numbers as such: scores read from logs are floats."""
    if values is None:
        return None
    import jax.numpy as jnp

    array = jnp.asarray(values)
    return array.astype(jnp.int32) if jnp.issubdtype(array.dtype, jnp.floating) else array
