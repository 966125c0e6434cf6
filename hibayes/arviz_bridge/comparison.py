"""Several models of the same data, ranked by how well they predict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hibayes.arviz_bridge.elpd import SCALES, Elpd, check_scale, standard_error
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


def compare(models: Mapping[str, Elpd], *, scale: str = "log") -> pd.DataFrame:
    """Rank models by their expected predictive density, the best first.

    Parameters
    ----------
    models : mapping of Elpd
        By name; all of one kind, with pointwise tables over the same observations.
    scale : str
        ``"log"``, ``"negative_log"`` or ``"deviance"``: the scale of elpd, its difference and
        their standard errors. The best model is first on all.

    Returns
    -------
    DataFrame
        Index: name. Columns rank (0 is best), elpd_<kind>, p_<kind>, elpd_diff (to the best: 0
        or more, in size), weight, se, dse (standard error of the difference), warning (bool:
        an observation's estimate is not reliable) and scale: those of ArviZ 0.2x.

    Raises
    ------
    UsageError
        If the kinds differ, or the observations do, or a pointwise table is missing.

    Notes
    -----
    The weights are those of stacking: on the simplex, they maximise the sum over observations of
    the log of the weighted mean density. ArviZ has no comparison by WAIC from 1.0 on, so that
    the comparison is made here, alike for all versions; it agrees with ArviZ's.

    References
    ----------
    Yao, Vehtari, Simpson & Gelman (2018), Using stacking to average Bayesian predictive
    distributions, Bayesian Analysis 13(3), doi:10.1214/17-BA1091.

    Examples
    --------
    >>> from hibayes.arviz_bridge.elpd import _table
    >>> def made(points):
    ...     table = _table({"elpd": np.array(points), "p": np.zeros(len(points))})
    ...     return Elpd("loo", sum(points), 1.0, 0.0, len(points), 400, pointwise=table)
    >>> ranked = compare({"flat": made([-1.0, -1.0]), "bent": made([-0.5, -0.7])})
    >>> ranked[["rank", "elpd_diff"]].round(3).to_dict("index")
    {'bent': {'rank': 0, 'elpd_diff': 0.0}, 'flat': {'rank': 1, 'elpd_diff': 0.8}}
    """
    import pandas as pd

    check_scale(scale)
    kinds = {found.kind for found in models.values()}
    if len(kinds) != 1:
        raise UsageError(f"models can be compared by one criterion only, not by {sorted(kinds)}.")
    kind = kinds.pop()
    sizes = {name: len(found.pointwise) for name, found in models.items()}
    if len(set(sizes.values())) > 1 or 0 in sizes.values():
        raise UsageError(
            f"models can be compared only on the same observations; they have {sizes} of them."
        )
    best_first = sorted(models, key=lambda name: -_number(models[name].elpd))
    points = np.column_stack([models[name].pointwise["elpd"] for name in best_first])  # [n, M]
    weights = stacking_weights(points)
    factor = SCALES[scale]
    rows = []
    for rank, name in enumerate(best_first):
        found = models[name]
        difference = points[:, 0] - points[:, rank]
        rows.append(
            {
                "rank": rank,
                f"elpd_{kind}": factor * found.elpd,
                f"p_{kind}": found.p,
                "elpd_diff": abs(factor) * float(difference.sum()),
                "weight": float(weights[rank]),
                "se": abs(factor) * found.se,
                "dse": abs(factor) * standard_error(difference) if rank else 0.0,
                "warning": found.warning,
                "scale": scale,
            }
        )
    return pd.DataFrame(rows, index=pd.Index(best_first))


def stacking_weights(points: Array) -> Array:
    """Find the weights that make the best mixture of predictive densities.

    Parameters
    ----------
    points : ndarray of float, shape (n, M)
        Log predictive density of each observation under each model.

    Returns
    -------
    ndarray of float, shape (M,)
        Non-negative, with sum 1.

    Notes
    -----
    The logarithm of the mixture is concave in the weights: there is one maximum.
    """
    from scipy.optimize import minimize

    n_models = points.shape[1]
    if n_models == 1:
        return np.ones(1)
    density = np.exp(points - points.max(axis=1, keepdims=True))
    density = np.where(np.isfinite(density), density, 0.0)

    def loss(weights: Array) -> tuple[float, Array]:
        mixed = np.maximum(density @ weights, 1e-300)
        return float(-np.log(mixed).mean()), -(density / mixed[:, np.newaxis]).mean(axis=0)

    found = minimize(
        loss,
        np.full(n_models, 1.0 / n_models),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n_models,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1.0,
            "jac": lambda _: np.ones(n_models),
        },
        options={"ftol": 1e-10, "maxiter": 1000},
    )
    weights = np.clip(found.x, 0.0, None)
    return np.asarray(weights / weights.sum())


def _number(value: float) -> float:
    """Put what is not a number last."""
    return value if not math.isnan(value) else -math.inf
