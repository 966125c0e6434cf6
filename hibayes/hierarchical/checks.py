"""Whether the draws can be relied on, judged on what is identified: the cells' expected logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes import arviz_bridge
from hibayes.hierarchical.posterior import Posterior

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MAX_R_HAT", "MIN_ESS", "SHARE", "diagnostics", "judge", "to_container"]

MAX_R_HAT = 1.05
MIN_ESS = 100.0
SHARE = 0.99
"""The share of the cells that must keep to both limits."""

_OFFENDERS = 5
_IDENTIFIED = ("overall_mean", "scenario_variance", "group_variance", "mean_log_residual")


def to_container(posterior: Posterior) -> Any:
    """Give the identified quantities of a posterior in ArviZ's container.

    ``expected`` holds the expected logits of the cells without a value (of all, where none is
    empty), labelled ``model, scenario``; beside it the means and variances of the effects. Factors
    and loadings are left out: they are known up to rotation only, and their R-hat says nothing.

    Raises
    ------
    NotInstalled
        If ArviZ is not installed.
    """
    rows, columns = posterior.unobserved()
    grid, schedule = posterior.grid, posterior.schedule
    shape = (schedule.chains, schedule.draws, len(rows))
    names = grid.labels
    labels = [f"{grid.models[i]}, {names[j]}" for i, j in zip(rows, columns, strict=True)]
    named = {name: posterior.draws[name] for name in _IDENTIFIED if name in posterior.draws}
    expected = posterior.expected(rows, columns).reshape(shape)
    return arviz_bridge.new_data(
        {"posterior": {"expected": expected, **named}},
        coords={"cell": labels},
        dims={"expected": ["cell"]},
    )


def diagnostics(posterior: Posterior) -> pd.DataFrame:
    """Give R-hat and bulk ESS of each cell without a value (of all cells, where none is empty).

    Returns
    -------
    DataFrame
        Columns model, scenario, r_hat (rank-normalised, split chains), ess_bulk (draws).

    Raises
    ------
    NotInstalled
        If ArviZ is not installed.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat, Bayesian Analysis 16(2), doi:10.1214/20-BA1221.
    """
    import pandas as pd

    rows, columns = posterior.unobserved()
    table = arviz_bridge.summary(to_container(posterior), "expected")
    scenario = posterior.grid.labels
    return pd.DataFrame(
        {
            "model": [posterior.grid.models[i] for i in rows],
            "scenario": [scenario[j] for j in columns],
            "r_hat": table["r_hat"].to_numpy(float),
            "ess_bulk": table["ess_bulk"].to_numpy(float),
        }
    )


def judge(
    table: pd.DataFrame, pareto_k: np.typing.NDArray[np.float64] | None = None
) -> pd.DataFrame:
    """Judge diagnostics: one row per check.

    Parameters
    ----------
    table : DataFrame
        As of `diagnostics`.
    pareto_k : ndarray of float, optional
        Of leaving each train run out.

    Returns
    -------
    DataFrame
        ``check`` (r_hat, ess_bulk, pareto_k), ``value`` (the 99 % quantile of R-hat, the 1 %
        quantile of the ESS; the share of runs whose Pareto k is above .7), ``limit``, ``passed``,
        and ``offenders``: the worst cells beyond the limit.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"model": ["a"], "scenario": ["s"], "r_hat": [1.2], "ess_bulk": [900]})
    >>> judge(table)[["check", "passed", "offenders"]].values.tolist()
    [['r_hat', False, 'a on s (1.200)'], ['ess_bulk', True, '']]
    """
    import pandas as pd

    rows = []
    for name, limit, worse in (("r_hat", MAX_R_HAT, 1.0), ("ess_bulk", MIN_ESS, -1.0)):
        value = table[name].to_numpy(float)
        at = np.nanquantile(value, SHARE if worse > 0 else 1.0 - SHARE) if len(value) else np.nan
        beyond = np.flatnonzero(worse * value > worse * limit)
        beyond = beyond[np.argsort(-worse * value[beyond], kind="stable")][:_OFFENDERS]
        form = "{:.3f}" if worse > 0 else "{:.0f}"
        worst = [
            f"{table['model'].iloc[i]} on {table['scenario'].iloc[i]} ({form.format(value[i])})"
            for i in beyond
        ]
        passed = bool(worse * at <= worse * limit) or not len(value)
        rows.append((name, float(at), limit, passed, "; ".join(worst)))
    if pareto_k is not None and len(pareto_k):
        share = float(np.mean(pareto_k > 0.7))
        rows.append(("pareto_k", share, 0.05, share <= 0.05, ""))
    return pd.DataFrame(rows, columns=["check", "value", "limit", "passed", "offenders"])
