"""Pareto smoothed importance sampling of log-likelihoods, by ArviZ of either generation."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from hibayes.arviz_bridge.package import arviz, is_old, needed

Array = NDArray[np.float64]


def psis(log_likelihood: Array, efficiency: float | None = None) -> tuple[Array, Array]:
    r"""Estimate leave-one-out log densities by Pareto smoothed importance sampling.

    .. math::

        \widehat{\mathrm{elpd}}_r = \log \sum_s w_{rs}\, p(y_r \mid \theta_s), \qquad
        w_{rs} \propto \mathrm{smoothed}\left( 1 / p(y_r \mid \theta_s) \right)

    Parameters
    ----------
    log_likelihood : ndarray of float, shape (C, S, R)
        Log probability or density of each of R runs under S draws of each of C chains. Finite.
    efficiency : float, optional
        Effective number of draws per draw; of these likelihoods (`relative_efficiency`) by
        default.

    Returns
    -------
    elpd : ndarray of float, shape (R,)
        Natural logarithms.
    pareto_k : ndarray of float, shape (R,)
        Shape of the generalised Pareto distribution fitted to each run's largest weights;
        infinite where it cannot be fitted, as where all draws give the same log-likelihood.

    Raises
    ------
    NotInstalled
        If ArviZ cannot be imported.

    Notes
    -----
    The tail that is smoothed has :math:`\min(S / 5, 3 \sqrt{S / r})` of all S draws; r is
    the efficiency, one for all runs. Where no tail can be fitted the weights stay as they
    are. ArviZ's warnings about large Pareto k are not passed on: the values are returned.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, Journal of
    Machine Learning Research 25(72), arXiv:1507.02646.
    """
    az = arviz()
    if efficiency is None:
        efficiency = relative_efficiency(log_likelihood)
    flat = log_likelihood.reshape(-1, log_likelihood.shape[-1])  # [C S, R]
    n_draws = len(flat)
    # without smoothing: the inverse of the mean of 1 / p
    elpd = np.asarray(math.log(n_draws) - logsumexp(-flat, axis=0), dtype=np.float64)
    pareto_k = np.full(len(elpd), np.inf)
    fitted = _has_tail(flat, math.floor(min(n_draws / 5, 3 * math.sqrt(n_draws / efficiency))))
    if fitted.any():
        smoothed, k = _loo(az, flat[:, fitted], efficiency)
        elpd[fitted] = np.where(np.isfinite(smoothed), smoothed, elpd[fitted])
        pareto_k[fitted] = np.where(np.isfinite(k), k, np.inf)
    return elpd, pareto_k


def relative_efficiency(log_likelihood: Array) -> float:
    """Give the effective number of draws per draw of the runs' likelihoods, a mean over runs.

    Parameters
    ----------
    log_likelihood : ndarray of float, shape (C, S, R)
        As for `psis`.

    Returns
    -------
    float
        Near 1 for independent draws, less where successive draws are alike. 1 for a single
        chain, which is taken to hold independent draws, and where no run's can be estimated.

    Raises
    ------
    NotInstalled
        If ArviZ cannot be imported.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat, Bayesian Analysis 16(2), doi:10.1214/20-BA1221.
    """
    if len(log_likelihood) == 1:
        return 1.0
    az = arviz()
    xr = needed("xarray")
    n_draws = log_likelihood.shape[0] * log_likelihood.shape[1]
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=(0, 1)))  # [C, S, R]
    varies = np.ptp(likelihood, axis=(0, 1)) > 0
    if log_likelihood.shape[1] < 4 or not varies.any():  # ArviZ needs four draws of a chain
        return 1.0
    data = xr.Dataset({"run": (("chain", "draw", "run_index"), likelihood[:, :, varies])})
    effective = np.asarray(az.ess(data, method="mean")["run"], dtype=np.float64)
    effective = effective[np.isfinite(effective) & (effective > 0)]
    return float(effective.mean() / n_draws) if len(effective) else 1.0


def _loo(az: Any, flat: Array, efficiency: float) -> tuple[Array, Array]:
    """Call ArviZ's loo on draws, [C S, R]; elpd and Pareto k, [R]."""
    group = {"run": flat[np.newaxis]}  # one chain: the efficiency is known
    # a fit that fails gives NaN, in the first 1.x with floating-point warnings on the way
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        for message in ("Estimated shape parameter of Pareto", "The point-wise LOO is the same"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        if is_old(az):
            data = az.from_dict(log_likelihood=group)
            found = az.loo(data, pointwise=True, reff=efficiency, scale="log")
            elpd = found.loo_i
        else:
            data = az.from_dict({"log_likelihood": group})
            found = az.loo(data, pointwise=True, reff=efficiency)
            elpd = found.elpd_i
    return np.asarray(elpd, dtype=np.float64), np.asarray(found.pareto_k, dtype=np.float64)


def _has_tail(flat: Array, n_tail: int) -> NDArray[np.bool_]:
    """Say for which runs a Pareto tail can be fitted to the largest weights.

    Where the tail's first quartile is no larger than its least member, by ties or because all but
    a few weights are nothing beside the largest, the versions of ArviZ differ: NaN, an error
    (1.x, when all are the same), or a Pareto k that looks good (1.0).
    """
    quartile = int(n_tail / 4 + 0.5)
    at = [n_tail - quartile, n_tail - 1, n_tail]  # in rising order of log-likelihood
    weights = np.exp(flat.min(axis=0) - np.partition(flat, at, axis=0)[at])
    excess = weights[:2] - weights[2]  # [2, R]
    return np.asarray(excess[0] > np.maximum(excess[1], 1e-290))  # ArviZ divides by it


def _is_old(az: Any) -> bool:
    """Say whether this is ArviZ 0.2x."""
    return str(az.__version__).startswith("0.")
