"""Probabilities that a binomial group model estimates, each said by name."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr

from hibayes import arviz_bridge
from hibayes.communicate.definition import CommunicateResult, Communicator, communicate
from hibayes.communicate.utils import resolve_models_to_run
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("hibayes.communicate")

SUPPORTED: tuple[str, ...] = ("simplified_group_binomial_exponential", "two_level_group_binomial")

Array = NDArray[np.float64]

_BLOCK = 2000  # draws integrated at once


@communicate
def binomial_estimands_table(
    best_model: bool = False, credible_interval: float = 0.95
) -> Communicator:
    """Make a table of the probabilities that binomial group models estimate.

    Parameters
    ----------
    best_model : bool, default False
        See `resolve_models_to_run`.
    credible_interval : float, default 0.95
        Mass of the equal-tailed intervals.

    Notes
    -----
    Each model of `SUPPORTED` gets a table ``model_<model_name>_binomial_estimands``: columns
    mean, sd, ci_lower, ci_upper, one row per column of `group_binomial_estimands`. NA where there
    is no such model.
    """
    if not 0 < credible_interval < 1:
        raise UsageError(
            "binomial_estimands_table: credible_interval must lie in (0, 1), not be "
            f"{credible_interval!r}."
        )

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        import pandas as pd

        made = 0
        tail = (1 - credible_interval) / 2
        for model in resolve_models_to_run(state, best_model, display):
            if _function(model) not in SUPPORTED:
                continue
            draws = group_binomial_estimands(model)
            table = pd.DataFrame(
                {
                    "mean": draws.mean(),
                    "sd": draws.std(ddof=1),
                    "ci_lower": draws.quantile(tail),
                    "ci_upper": draws.quantile(1 - tail),
                }
            )
            name = f"model_{model.model_name}_binomial_estimands"
            state.add_table(table=table, table_name=name)
            made += 1
        if not made:
            logger.warning(
                "binomial_estimands_table: no fitted model is one of %s.", ", ".join(SUPPORTED)
            )
        return state, "pass" if made else "NA"

    return communicate


def group_binomial_estimands(model_analysis: Any) -> pd.DataFrame:
    r"""Give the probabilities that a binomial group model estimates, draw by draw.

    Parameters
    ----------
    model_analysis : ModelAnalysisState
        A fitted model of `SUPPORTED`, with the features group_index and n_total.

    Returns
    -------
    DataFrame
        One row per draw, chains laid end to end. Columns: median_group_probability,
        :math:`\sigma(\mu)`, that of the middle group of the population;
        evaluated_group_mean_probability, the mean over the groups that have trials;
        evaluated_trial_mean_probability, the same weighted by trials; and
        population_mean_probability, :math:`\mathrm{E}_z\, \sigma(\mu + \tau z)`, that of a new
        group drawn from the population.

    Raises
    ------
    UsageError
        If the model is another, not fitted, or a feature is missing.
    """
    import pandas as pd

    name = model_analysis.model_name
    if _function(model_analysis) not in SUPPORTED:
        raise UsageError(f"{name} is none of {', '.join(SUPPORTED)}.")
    if not model_analysis.is_fitted:
        raise UsageError(f"{name} is not fitted.")
    missing = [f for f in ("group_index", "n_total") if model_analysis.features.get(f) is None]
    if missing:
        raise UsageError(f"Missing required features: {', '.join(missing)}.")
    draws = arviz_bridge.dataset(model_analysis.inference_data, "posterior")
    mean, spread, effects = (
        _flat(draws[variable]) for variable in ("overall_mean", "sigma_group", "group_effects")
    )
    groups = np.asarray(model_analysis.features["group_index"], dtype=np.int64)
    trials = np.bincount(
        groups, np.asarray(model_analysis.features["n_total"], float), minlength=effects.shape[1]
    )
    if not trials.sum() > 0:
        raise UsageError(f"{name}: n_total is 0 in all rows.")
    probability = expit(effects)  # [S, G]
    return pd.DataFrame(
        {
            "median_group_probability": expit(mean[:, 0]),
            "evaluated_group_mean_probability": probability[:, trials > 0].mean(axis=1),
            "evaluated_trial_mean_probability": probability @ (trials / trials.sum()),
            "population_mean_probability": logistic_normal_mean(mean[:, 0], spread[:, 0]),
        }
    )


def logistic_normal_mean(mean: ArrayLike, sd: ArrayLike) -> Array:
    r"""Compute :math:`\mathrm{E}\, \sigma(\mu + \tau z)` for standard normal z.

    Parameters
    ----------
    mean, sd : array of float, shape (S,)
        :math:`\mu` and :math:`\tau \ge 0`, log odds.

    Returns
    -------
    ndarray of float, shape (S,)
        To about 1e-9.

    Notes
    -----
    The trapezoidal rule, which converges geometrically for functions that are analytic in a strip
    and vanish at both ends. For :math:`\tau < 1` over z; else over a logistic u, as
    :math:`\mathrm{E}\, \Phi((\mu + u) / \tau)`, where the integrand is the smoother one.

    Examples
    --------
    >>> logistic_normal_mean([0.0, 2.0, 1.0], [3.0, 0.0, 8.0]).round(4).tolist()
    [0.5, 0.8808, 0.5485]
    """
    mu, tau = (np.asarray(v, dtype=np.float64).ravel() for v in (mean, sd))
    found = np.empty(len(mu))
    z = np.linspace(-9.0, 9.0, 181)
    by_z = np.exp(-0.5 * z**2)
    u = np.linspace(-40.0, 40.0, 641)
    by_u = expit(u) * expit(-u)
    for start in range(0, len(mu), _BLOCK):
        part = slice(start, start + _BLOCK)
        m, s = mu[part, np.newaxis], tau[part, np.newaxis]
        narrow = expit(m + s * z) @ (by_z / by_z.sum())
        wide = ndtr((m + u) / np.maximum(s, 1.0)) @ (by_u / by_u.sum())
        found[part] = np.where(s[:, 0] < 1.0, narrow, wide)
    return found


def _function(model: Any) -> str:
    """Give the name of the model's builder."""
    return str(getattr(model, "function_name", None) or model.model_name)


def _flat(values: Any) -> Array:
    """Lay chains end to end, [S, K]."""
    array = np.asarray(values.transpose("chain", "draw", ...), dtype=np.float64)
    return array.reshape(array.shape[0] * array.shape[1], -1)
