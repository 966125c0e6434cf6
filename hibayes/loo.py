"""Leave-one-run-out from posterior draws: PSIS-LOO and WAIC, one row per run.

After Vehtari, Gelman & Gabry (2017), doi:10.1007/s11222-016-9696-4.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from hibayes import arviz_bridge
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["good_k", "loo_by_run", "waic"]

Array = NDArray[np.float64]

_FEWEST_DRAWS = 100


def loo_by_run(log_likelihood: ArrayLike, runs: Iterable[str]) -> pd.DataFrame:
    r"""Estimate how well each run is predicted by a model fitted to the other runs.

    The expected log predictive density of run r, left out, is

    .. math::

        \mathrm{elpd}_r = \log p(y_r \mid y_{-r})
                        = \log \int p(y_r \mid \theta)\, p(\theta \mid y_{-r})\, d\theta .

    It is estimated from draws of :math:`p(\theta \mid y)`, without a refit: by Pareto smoothed
    importance sampling and, beside it, by WAIC (see `waic`).

    Parameters
    ----------
    log_likelihood : array of float, shape (S, R) or (C, S, R)
        Natural logarithm of the probability (of the density, where the value is not a count) of
        each of R train runs under each of S posterior draws, or S draws of each of C chains. The
        effects that only one run has are integrated out: a run conditioned on an effect that was
        fitted to it alone is not left out by reweighting. At least 100 draws in all. The chains
        are used to see how far successive draws repeat each other; without them, draws count as
        independent.
    runs : iterable of str, length R
        The run of each column. Each run once: the values of one run are left out together, so
        their log probability is a joint one.

    Returns
    -------
    DataFrame
        One row per run, in the order given: run, elpd_loo and elpd_waic (nats; in densities of
        the metric's own units), pareto_k, and method: ``"psis"``, or ``"psis: unreliable"`` where
        pareto_k is above `good_k` of the number of draws, or could not be fitted (infinite: as
        where all draws give a run the same log-likelihood). No runs give no rows.

    Raises
    ------
    UsageError
        If the shape is another, there are under 100 draws, a run is named twice, or a
        log-likelihood is NaN or infinite.
    NotInstalled
        If ArviZ is not installed (``pip install 'benchcast[bayes]'``).

    Notes
    -----
    Where pareto_k is too large, one run moves the posterior so far that the draws hardly cover
    the posterior without it: elpd_loo is then most often too high, and elpd_waic, from the same
    draws, is no check of it. Such a run is a surprise to the model, or decides a parameter by
    itself; refit without it.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC, Statistics and Computing 27, doi:10.1007/s11222-016-9696-4.

    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, Journal of
    Machine Learning Research 25(72), arXiv:1507.02646.

    Examples
    --------
    A normal mean with a flat prior; ``y`` holds one value per run::

        rng = np.random.default_rng(0)
        mu = y.mean() + rng.normal(size=4000) / len(y) ** 0.5   # posterior draws, unit variance
        loo_by_run(scipy.stats.norm.logpdf(y, mu[:, None], 1.0), runs)

    What cannot be used is refused by name:

    >>> log_likelihood = np.full((400, 2), -1.5)
    >>> log_likelihood[7, 1] = -np.inf
    >>> loo_by_run(log_likelihood, ["mmlu:model=a", "mmlu:model=b"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    suites.errors.UsageError: log_likelihood must be finite, and is not in 1 of 400 draws of ...
    """
    import pandas as pd

    names = [str(run) for run in runs]
    draws = _chains(log_likelihood, len(names))  # [C, S, R]
    _check_runs(draws, names)
    n_draws = draws.shape[0] * draws.shape[1]
    if names:
        elpd_loo, pareto_k = arviz_bridge.psis(draws)
    else:
        elpd_loo, pareto_k = np.empty(0), np.empty(0)
    reliable = pareto_k <= good_k(n_draws)
    return pd.DataFrame(
        {
            "run": names,
            "elpd_loo": elpd_loo,
            "elpd_waic": _waic(draws),
            "pareto_k": pareto_k,
            "method": ["psis" if good else "psis: unreliable" for good in reliable.tolist()],
        }
    )


def waic(log_likelihood: ArrayLike) -> Array:
    r"""Give the widely applicable information criterion of each run, as a log density.

    .. math::

        \mathrm{elpd}^{\mathrm{waic}}_r = \log \frac{1}{S} \sum_{s=1}^{S} p(y_r \mid \theta_s)
            - \operatorname{Var}_s\left[ \log p(y_r \mid \theta_s) \right]

    with the sample variance (divisor S - 1). Higher is better; the information criterion in its
    older form is -2 times this.

    Parameters
    ----------
    log_likelihood : array of float, shape (S, R) or (C, S, R)
        As for `loo_by_run`.

    Returns
    -------
    ndarray of float, shape (R,)
        Nats.

    Raises
    ------
    UsageError
        If the shape is another, there are under 100 draws, or a log-likelihood is NaN or
        infinite.

    Notes
    -----
    The mean is taken on the log scale, so that likelihoods below the least float are not lost.
    A variance above 0.4 says that WAIC is not to be trusted for the run.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), section 2.2, doi:10.1007/s11222-016-9696-4.

    Examples
    --------
    A run with probability 0.2 in half of the draws and 0.4 in the others: log 0.3, less the
    variance of the two logarithms.

    >>> draws = np.log([[0.2], [0.4]] * 100)
    >>> waic(draws).round(4)
    array([-1.3247])
    """
    draws = _chains(log_likelihood, None)
    _check_runs(draws, None)
    return _waic(draws)


def good_k(n_draws: int) -> float:
    r"""Give the Pareto k up to which a PSIS estimate from so many draws is reliable.

    .. math:: \min\left( 1 - 1 / \log_{10} S,\; 0.7 \right)

    Parameters
    ----------
    n_draws : int
        Draws of all chains, at least 2.

    Returns
    -------
    float
        0.7 from 2155 draws on.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, Journal of
    Machine Learning Research 25(72), arXiv:1507.02646.

    Examples
    --------
    >>> [round(good_k(n), 3) for n in (100, 1000, 4000)]
    [0.5, 0.667, 0.7]
    """
    return min(1.0 - 1.0 / math.log10(n_draws), 0.7)


def _waic(draws: Array) -> Array:
    """Compute `waic` of checked draws, [C, S, R]."""
    if draws.shape[-1] == 0:
        return np.empty(0)
    flat = draws.reshape(-1, draws.shape[-1])  # [C S, R]
    lppd = logsumexp(flat, axis=0) - math.log(len(flat))
    return np.asarray(lppd - flat.var(axis=0, ddof=1), dtype=np.float64)


def _chains(log_likelihood: ArrayLike, n_runs: int | None) -> Array:
    """Give the log-likelihood as (C, S, R), with the number of runs expected."""
    try:
        draws = np.asarray(log_likelihood, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise UsageError(f"log_likelihood must be an array of numbers: {err}") from err
    expected = "(draws, runs) or (chains, draws, runs)"
    if draws.ndim not in (2, 3):
        raise UsageError(f"log_likelihood must have the shape {expected}, not {draws.shape}.")
    if n_runs is not None and draws.shape[-1] != n_runs:
        raise UsageError(
            f"log_likelihood has the shape {draws.shape}, which does not end in the {n_runs} runs "
            f"named; it must be {expected}."
        )
    draws = draws[np.newaxis] if draws.ndim == 2 else draws
    n_draws = draws.shape[0] * draws.shape[1]
    if n_draws < _FEWEST_DRAWS:
        raise UsageError(
            f"log_likelihood has {n_draws} draws; at least {_FEWEST_DRAWS} are needed to see the "
            f"tail of the importance weights. Its shape {draws.shape} is read as "
            "(chains, draws, runs)."
        )
    return draws


def _check_runs(draws: Array, names: list[str] | None) -> None:
    """Refuse runs that are named twice, or that have a log-likelihood that is not finite."""
    if names is not None and len(set(names)) < len(names):
        twice = [name for name, times in Counter(names).items() if times > 1]
        raise UsageError(
            f"runs names {_listed(twice)} more than once. A run is left out as a whole: give one "
            "column per run, the joint log probability of its values."
        )
    bad = (~np.isfinite(draws)).sum(axis=(0, 1))  # [R]
    if not bad.any():
        return
    which = np.flatnonzero(bad).tolist()
    worst = max(which, key=lambda r: int(bad[r]))
    called = [names[r] if names is not None else f"column {r}" for r in which]
    several = "up to " if len(which) > 1 else ""
    raise UsageError(
        f"log_likelihood must be finite, and is not in {several}{int(bad[worst])} of "
        f"{draws.shape[0] * draws.shape[1]} draws of {_listed(called)}. An infinite value says "
        "that a draw rules a run out: give the run's probability a floor, or look for a draw "
        "where the sampler diverged."
    )


def _listed(names: list[str], most: int = 5) -> str:
    """Write names out, the first few of many."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
