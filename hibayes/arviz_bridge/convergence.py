"""What draws say of themselves: summaries, R-hat, effective sample sizes, energy."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hibayes.arviz_bridge.container import dataset, groups
from hibayes.arviz_bridge.package import arviz, is_old
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import xarray

Array = NDArray[np.float64]

HDI_PROBABILITY = 0.94
"""The mass of the intervals, as column names ``hdi_3%`` and ``hdi_97%`` have it."""

_COLUMNS = (
    "mean",
    "sd",
    "hdi_3%",
    "hdi_97%",
    "mcse_mean",
    "mcse_sd",
    "ess_bulk",
    "ess_tail",
    "r_hat",
)


def summary(data: Any, var_names: Sequence[str] | str | None = None) -> pd.DataFrame:
    """Summarise the posterior draws, one row per scalar, unrounded.

    Parameters
    ----------
    data : InferenceData or DataTree
        With a group ``posterior``.
    var_names : str or sequence of str, optional
        Variables, each by its whole name; all by default.

    Returns
    -------
    DataFrame
        Index: the variable's name, with the labels of its axes: ``model_effects[a]``. Columns
        mean, sd (divisor S − 1), hdi_3% and hdi_97% (ends of the narrowest interval that holds
        94 % of the draws), mcse_mean and mcse_sd (Monte Carlo standard errors of the first two),
        ess_bulk, ess_tail and r_hat (rank-normalised, split chains). The units are the
        parameter's, in effective sample sizes draws. A scalar that never varies has no R-hat
        (NaN), and neither has one with draws that are not finite.

    Raises
    ------
    UsageError
        If there is no posterior, or a variable is not in it.
    NotInstalled
        If ArviZ is not installed.

    Notes
    -----
    All versions of ArviZ give this table alike; `hibayes` states the interval, since ArviZ 0.2x
    and 1.x have other defaults.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat, Bayesian Analysis 16(2), doi:10.1214/20-BA1221.
    """
    import pandas as pd

    draws = posterior(data, var_names)
    az = arviz()
    prob = {"hdi_prob" if is_old(az) else "prob": HDI_PROBABILITY}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # draws that are not finite: their rows say so
        columns = {
            "mean": _flat(draws.mean(("chain", "draw"))),
            "sd": _flat(draws.std(("chain", "draw"), ddof=1)),
        }
        low, high = _interval(az.hdi(draws, **prob))
        columns |= {"hdi_3%": low, "hdi_97%": high}
        columns["mcse_mean"] = _flat(az.mcse(draws, method="mean"))
        columns["mcse_sd"] = _flat(az.mcse(draws, method="sd"))
        columns["ess_bulk"] = _flat(az.ess(draws, method="bulk"))
        columns["ess_tail"] = _flat(az.ess(draws, method="tail"))
        columns["r_hat"] = _flat(az.rhat(draws, method="rank"))
    return pd.DataFrame(columns, index=pd.Index(labels(draws), dtype=object))[list(_COLUMNS)]


def constants(data: Any) -> set[str]:
    """Name the scalars that are the same finite number in all draws, as `summary` names them.

    So is a level that is fixed for reference: there is nothing to converge.
    """
    draws = posterior(data)
    spread = _flat(draws.max(("chain", "draw")) - draws.min(("chain", "draw")))
    return {name for name, width in zip(labels(draws), spread, strict=True) if width == 0}


def bfmi(data: Any) -> Array:
    r"""Give each chain's Bayesian fraction of missing information.

    .. math::

        \mathrm{BFMI} = \frac{\sum_s (E_s - E_{s-1})^2 / (S - 1)}{\operatorname{Var}_s E_s}

    Parameters
    ----------
    data : InferenceData or DataTree
        With ``energy`` in the group ``sample_stats``, shape (chains, draws).

    Returns
    -------
    ndarray of float, shape (C,)
        Near 1 where the energies of successive draws are independent; below about 0.2 the
        momentum's resampling hardly moves between the energies that the posterior has. NaN for a
        chain whose energy does not vary.

    Raises
    ------
    UsageError
        If there is no energy.

    References
    ----------
    Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte
    Carlo, arXiv:1604.00695.
    """
    stats = dataset(data, "sample_stats") if "sample_stats" in groups(data) else {}
    if "energy" not in stats:
        raise UsageError("there is no energy in the group sample_stats: the sampler kept none.")
    energy = np.asarray(stats["energy"], dtype=np.float64)  # [C, S]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1))


def posterior(data: Any, var_names: Sequence[str] | str | None = None) -> xarray.Dataset:
    """Give the posterior draws of the variables named, in double precision.

    Raises
    ------
    UsageError
        If there is no posterior, or a variable is not in it.
    """
    draws = dataset(data, "posterior")
    if var_names is not None:
        wanted = [var_names] if isinstance(var_names, str) else list(var_names)
        missing = [name for name in wanted if name not in draws]
        if missing:
            raise UsageError(
                f"the posterior has no {', '.join(missing)}; it has {', '.join(map(str, draws))}."
            )
        draws = draws[wanted]
    return draws.astype(np.float64)


def labels(draws: xarray.Dataset) -> list[str]:
    """Name the scalars of a group, in the order of their variables and axes.

    Examples
    --------
    ``["intercept", "model_effects[a]", "model_effects[b]", "model_task_effects[a, math]"]``.
    """
    found: list[str] = []
    for name, values in draws.data_vars.items():
        axes = [dim for dim in values.dims if dim not in ("chain", "draw")]
        levels = [[str(label) for label in _levels(values, str(dim))] for dim in axes]
        if not levels:
            found.append(str(name))
            continue
        found += [f"{name}[{', '.join(of)}]" for of in itertools.product(*levels)]
    return found


def _levels(values: xarray.DataArray, dim: str) -> list[Any]:
    """Give an axis's labels, its numbers where it has none."""
    if dim in values.coords:
        return list(np.asarray(values.coords[dim]).tolist())
    return list(range(values.sizes[dim]))


def _flat(table: xarray.Dataset) -> Array:
    """Lay a Dataset's variables end to end."""
    parts = [np.asarray(table[name], dtype=np.float64).ravel() for name in table.data_vars]
    return np.concatenate(parts) if parts else np.empty(0)


def _interval(found: xarray.Dataset) -> tuple[Array, Array]:
    """Take the lower and upper ends from what ArviZ's hdi gives."""
    name = "hdi" if "hdi" in found.dims else "ci_bound"  # 0.2x, 1.x
    ends = found.transpose(..., name)
    return _flat(ends.isel({name: 0})), _flat(ends.isel({name: 1}))
