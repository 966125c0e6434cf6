"""Log-likelihoods of the train cells with the effects of one row or column integrated out."""

from __future__ import annotations

import numpy as np

from hibayes.hierarchical.cells import Array, Index, slope
from hibayes.hierarchical.columns import Columns, inverses
from hibayes.hierarchical.gibbs import LEAST_VARIANCE
from hibayes.hierarchical.items import JITTER
from hibayes.hierarchical.posterior import Posterior

__all__ = ["left_out", "log_likelihood"]

_BLOCK = 100  # draws at a time


def log_likelihood(posterior: Posterior, rows: Index, columns: Index) -> Array:
    r"""Give each train cell's log probability under each draw, for leaving it out.

    A density that is conditional on effects which were fitted to the very cell would judge that
    fit. So these are integrated out in closed form, given the other cells of their row or column:

    - ``crossed``: the cell's residual only;
    - ``crossed_factor``: the residual and the model's factors U_i, given the model's other cells;
    - ``crossed_factor_items``: the residual, the scenario's b_j and V_j, and all H_ij of the
      scenario, given its other cells.

    Parameters
    ----------
    posterior : Posterior
    rows, columns : ndarray of int, shape (R,)
        Cells of the grid that have values.

    Returns
    -------
    ndarray of float, shape (chain, draw, R)
        Of a count: the density of t times the width of a count, :math:`t'(y) / n`, so that it
        compares with a log score of counts. Elsewhere the density of the value in [0, 1].

    Notes
    -----
    What is left to importance sampling are the parameters that many cells share, so that its
    weights are far more even than those of the conditional density, and the estimate is of the
    same thing.

    The kernels of the items' model have seen the left-out cell's own responses; leaving a cell out
    does not recompute them. So it may be too favourable to that model, and says nothing of the
    kernels themselves.

    References
    ----------
    Vehtari, Mononen, Tolvanen, Sivula & Winther, "Bayesian leave-one-out cross-validation
    approximations for Gaussian latent variable models", JMLR 17 (2016).
    """
    grid, schedule = posterior.grid, posterior.schedule
    y, n = grid.y[rows, columns], grid.n[rows, columns]
    unit = np.log(slope(y)) - np.log(np.maximum(n, 1.0))
    density = {
        "crossed": _cells,
        "crossed_factor": _rows,
        "crossed_factor_items": _columns,
    }[posterior.model](posterior, rows, columns)
    return np.asarray((density + unit).reshape(schedule.chains, schedule.draws, len(rows)))


def left_out(precision: Array, pull: Array) -> Array:
    r"""Give the log density of each component of a normal vector, the others given.

    For :math:`x \sim N(m, P^{-1})` and :math:`q = P (x - m)` the component is normal around
    :math:`x_i - q_i / P_{ii}` with variance :math:`1 / P_{ii}`.

    Parameters
    ----------
    precision : ndarray
        The diagonal of P.
    pull : ndarray
        q, of the same shape.

    References
    ----------
    Sundararajan & Keerthi, "Predictive approaches for choosing hyperparameters in Gaussian
    processes", Neural Computation 13 (2001), doi:10.1162/08997660151134343.

    Examples
    --------
    >>> left_out(np.array([4.0]), np.array([0.0])).round(4).tolist()  # log N(0; 0, 1/4)
    [-0.2258]
    """
    return np.asarray(-0.5 * (pull**2 / precision + np.log(2.0 * np.pi) - np.log(precision)))


def _cells(posterior: Posterior, rows: Index, columns: Index) -> Array:
    grid = posterior.grid
    known = posterior.phi * grid.known_noise[rows, columns]
    precision = 1.0 / (known + posterior.residual_variance(rows, columns))
    off = grid.t[rows, columns] - posterior.expected(rows, columns)
    return left_out(precision, precision * off)


def _rows(posterior: Posterior, rows: Index, columns: Index) -> Array:
    """Of the factor model: rows are N(b, V V' + D)."""
    grid = posterior.grid
    known, seen = posterior.phi * grid.known_noise, grid.mask
    b, v = posterior.flat("scenario_effects"), posterior.flat("loadings")
    log_s, log_w = posterior.flat("log_residual"), posterior.flat("log_model_residual")
    rank = v.shape[2]
    out = np.empty((posterior.size, len(rows)))
    for first in range(0, posterior.size, _BLOCK):
        at = slice(first, first + _BLOCK)
        own = np.exp(2.0 * (log_w[at, :, None] + log_s[at, None, :]))
        variance = known + own + LEAST_VARIANCE
        w = seen / variance  # [d, M, S]
        off = np.where(seen, grid.t - b[at, None, :], 0.0)
        products = (v[at, :, :, None] * v[at, :, None, :]).reshape(-1, v.shape[1], rank * rank)
        q = (w @ products).reshape(*w.shape[:2], rank, rank) + np.eye(rank)
        inverse = np.linalg.inv(q)
        right = (w * off) @ v[at]  # [d, M, r]
        fitted = (inverse @ right[..., None])[..., 0] @ np.swapaxes(v[at], 1, 2)
        share = ((v[at, None] @ inverse) * v[at, None]).sum(-1)  # V_j' Q^-1 V_j, [d, M, S]
        precision = (w - w * w * share)[:, rows, columns]
        out[at] = left_out(precision, (w * (off - fitted))[:, rows, columns])
    return out


def _columns(posterior: Posterior, rows: Index, columns: Index) -> Array:
    """Of the model with item kernels: columns are N(A m_j, Sigma_j + A P_j A')."""
    grid = posterior.grid
    kernel = posterior.extra["kernels"].residual + JITTER * np.eye(len(grid.models))
    covariances = Columns(kernel, grid.mask, posterior.phi * grid.known_noise)
    log_s, log_h = posterior.flat("log_residual"), posterior.flat("log_interaction_scale")
    omega, u = np.exp(posterior.flat("log_model_scale")), posterior.flat("factors")
    mean_b = posterior.flat("group_effects")[:, grid.group]
    mean_v = posterior.flat("group_loadings")[:, grid.group]
    mean_v = mean_v + posterior.flat("family_loadings")[:, grid.family]
    centre = np.concatenate([mean_b[..., None], mean_v], axis=2)  # [D, S, 1 + r]
    var_b, var_v = posterior.flat("scenario_variance"), posterior.flat("loading_variance")
    spread = np.concatenate([var_b[:, None], var_v], axis=1)  # [D, 1 + r]
    size = (len(grid.columns), len(grid.models), len(grid.models))
    factors, memory = np.empty(size), np.empty(size)
    out = np.empty((posterior.size, len(rows)))
    for d in range(posterior.size):
        found = covariances.factorise(log_s[d], log_h[d], omega[d], factors)
        p = inverses(found, memory)
        design = np.column_stack([np.ones(size[1]), u[d]])
        off = np.where(grid.mask.T, grid.t.T - centre[d] @ design.T, 0.0)
        pa = p @ design  # [S, M, 1 + r]
        q = np.linalg.inv(design.T @ pa + np.diag(1.0 / spread[d]))
        diagonal = np.diagonal(p, axis1=1, axis2=2) - ((pa @ q) * pa).sum(-1)
        pull = (p @ off[..., None])[..., 0]
        pull = pull - (pa @ (q @ (design.T @ pull[..., None])))[..., 0]
        out[d] = left_out(diagonal[columns, rows], pull[columns, rows])
    return out
