"""Models and columns that the fit has not seen: a normal of their latent values per draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hibayes.hierarchical.cells import Array, Index
from hibayes.hierarchical.items import FACTOR_JITTER, JITTER
from hibayes.hierarchical.kernels import KernelRow, weigh
from hibayes.hierarchical.posterior import Posterior
from hibayes.hierarchical.strangers import LEAST_SHARE, Stranger

__all__ = [
    "Parameters",
    "known_columns",
    "new_column",
    "new_columns",
    "new_row",
    "population",
]

_FEW = 3  # columns of a group from which on the group's own mean is used
_POOL = 1.0  # columns that the covariance of all columns counts as beside a group's
_RIDGE = 0.002  # of a covariance that few columns give
_LEAST_REST = 0.05  # of the conditional variance of what a new model's factors leave


@dataclass(frozen=True)
class Parameters:
    """Of J columns under each of D draws; known ones are taken from the draws.

    Attributes
    ----------
    b : ndarray, shape (D, J)
    v : ndarray, shape (D, J, r)
        Loadings; for the crossed model one column of ones.
    log_s : ndarray, shape (D, J)
    log_h : ndarray or None, shape (D, J)
        Scales of what factors leave, of the model with item kernels.
    """

    b: Array
    v: Array
    log_s: Array
    log_h: Array | None

    def replaced(self, at: list[int], other: Parameters) -> Parameters:
        """Give the same with the columns at these places taken from another, in its order."""
        b, v, log_s = self.b.copy(), self.v.copy(), self.log_s.copy()
        b[:, at], v[:, at], log_s[:, at] = other.b, other.v, other.log_s
        if self.log_h is None or other.log_h is None:
            return Parameters(b, v, log_s, None)
        log_h = self.log_h.copy()
        log_h[:, at] = other.log_h
        return Parameters(b, v, log_s, log_h)


def known_columns(posterior: Posterior, columns: Index, most: int) -> Parameters:
    """Take the parameters of columns of the grid from the draws."""
    b = posterior.flat("scenario_effects", most)[:, columns]
    if "loadings" in posterior.draws:
        v = posterior.flat("loadings", most)[:, columns]
    else:
        v = np.ones((*b.shape, 1))
    log_h = None
    if "log_interaction_scale" in posterior.draws:
        log_h = posterior.flat("log_interaction_scale", most)[:, columns]
    return Parameters(b, v, posterior.flat("log_residual", most)[:, columns], log_h)


def population(posterior: Posterior, group: int | None, most: int) -> tuple[Array, Array]:
    """Give mean and covariance of a new column's (b, V, log s, log h) under each draw.

    They are those of the fitted columns: of its group where that has at least 3, the covariance
    mixed with that of all columns, which counts as one. The prior of the groups' means would forget
    that able models score higher everywhere.

    Parameters
    ----------
    posterior : Posterior
    group : int or None
        The new column's group in the grid; None for a new one.
    most : int
        At most so many draws.

    Returns
    -------
    mean : ndarray, shape (D, P)
    covariance : ndarray, shape (D, P, P)
    """
    grid = posterior.grid
    every = np.arange(len(grid.columns))
    known = known_columns(posterior, every, most)
    parts = [known.b[..., None]]
    if "loadings" in posterior.draws:
        parts.append(known.v)
    parts.append(known.log_s[..., None])
    if known.log_h is not None:
        parts.append(known.log_h[..., None])
    values = np.concatenate(parts, axis=2)  # [D, S, P]
    mean, covariance = _moments(values)
    count = float(len(every))
    mine = every[grid.group == group] if group is not None else every[:0]
    if len(mine) >= _FEW:
        mean, own = _moments(values[:, mine])
        count = float(len(mine))
        covariance = (count * own + _POOL * covariance) / (count + _POOL)
    size = values.shape[2]
    return mean, covariance * (1.0 + 1.0 / count) + _RIDGE * np.eye(size)


def new_columns(
    posterior: Posterior, groups: list[int | None], most: int, rng: np.random.Generator
) -> Parameters:
    """Draw the parameters of new columns from the population of columns."""
    drawn = []
    for group in groups:
        mean, covariance = population(posterior, group, most)
        z = rng.standard_normal(mean.shape)
        drawn.append(mean + (np.linalg.cholesky(covariance) @ z[..., None])[..., 0])
    values = np.stack(drawn, axis=1)  # [D, J, P]
    has_v, has_h = "loadings" in posterior.draws, "log_interaction_scale" in posterior.draws
    end = values.shape[2] - (2 if has_h else 1)
    v = values[:, :, 1:end] if has_v else np.ones((*values.shape[:2], 1))
    return Parameters(values[:, :, 0], v, values[:, :, end], values[:, :, -1] if has_h else None)


def new_row(
    posterior: Posterior,
    parameters: Parameters,
    most: int,
    *,
    columns: list[int | None],
    maker: int | None = None,
    row: KernelRow | None = None,
    stranger: Stranger | None = None,
) -> tuple[Array, Array]:
    """Give the prior of a new model's latent values in J columns, per draw.

    Parameters
    ----------
    posterior : Posterior
    parameters : Parameters
        Of the J columns.
    most : int
        At most so many draws.
    columns : list of int or None, length J
        Places in the grid; None for new columns.
    maker : int or None
        The model's organisation in the grid (crossed model only); None for a new one.
    row : KernelRow, optional
        The model's own (`kernels.Kernels.row_of`); by default that of a stranger.
    stranger : Stranger, optional
        How far new models are from what their kernel rows say (models with factors only); by
        default as far as these say themselves.

    Returns
    -------
    mean : ndarray, shape (D, J)
    covariance : ndarray, shape (D, J, J)
        The cells' own residuals included, the binomial noise not.
    """
    b, v = parameters.b, parameters.v
    rest = np.exp(2.0 * parameters.log_s)
    draws, rank = b.shape[0], v.shape[2]
    mean_u, var_u = np.zeros((draws, rank)), np.ones(draws)
    if posterior.model == "crossed":
        within = posterior.flat("model_variance", most)
        between = posterior.flat("maker_variance", most)
        if maker is not None and bool((between > 0).any()):
            mean_u = posterior.flat("maker_effects", most)[:, maker, None]
            var_u = within
        else:
            var_u = within + between
    if "model_residual_variance" in posterior.draws:
        rest = rest * np.exp(2.0 * posterior.flat("model_residual_variance", most))[:, None]
    offset = np.zeros_like(b)
    if parameters.log_h is not None:
        kernels = posterior.extra["kernels"]
        row = row if row is not None else kernels.row_of({}, {})
        a, left = weigh(kernels.factors, row.factors, FACTOR_JITTER)
        mean_u = np.einsum("m,dmr->dr", a, posterior.flat("factors", most))
        var_u = np.full(draws, max(left, LEAST_SHARE))
        a, left = weigh(kernels.residual, row.residual, JITTER)
        height = np.exp(parameters.log_h)
        known = [j for j, place in enumerate(columns) if place is not None]
        at = np.array([columns[j] for j in known], np.intp)
        if len(at):
            omega = np.exp(posterior.flat("log_model_scale", most))[:, :, None]
            g = posterior.flat("interaction", most)[:, :, at] / omega  # h_j G_ij
            offset[:, known] = np.einsum("m,dmj->dj", a, g)
        stretch = np.exp(2.0 * posterior.flat("model_scale_variance", most))[:, None]
        rest = rest + max(left, _LEAST_REST) * stretch * height**2
    spread_u = var_u[:, None, None] * np.eye(rank)
    if stranger is not None:
        mean_u = mean_u + stranger.shift
        spread_u = var_u[:, None, None] * stranger.spread
    mean = b + np.einsum("djr,dr->dj", v, mean_u) + offset
    covariance = v @ spread_u @ np.swapaxes(v, 1, 2)
    index = np.arange(b.shape[1])
    covariance[:, index, index] += rest
    return np.asarray(mean), np.asarray(covariance)


def new_column(
    posterior: Posterior, rows: Index, group: int | None, most: int
) -> tuple[Array, Array]:
    """Give the prior of known models' latent values in a new column, per draw.

    Parameters
    ----------
    posterior : Posterior
    rows : ndarray of int, shape (J,)
        Models of the grid.
    group : int or None
        The new column's group in the grid.
    most : int
        At most so many draws.

    Returns
    -------
    mean : ndarray, shape (D, J)
    covariance : ndarray, shape (D, J, J)
    """
    mean, covariance = population(posterior, group, most)
    draws = len(mean)
    if "factors" in posterior.draws:
        u = posterior.flat("factors", most)[:, rows]
        rank = u.shape[2]
        design = np.concatenate([np.ones((draws, len(rows), 1)), u], axis=2)
        offset = np.zeros((draws, len(rows)))
    else:
        rank = 0
        design = np.ones((draws, len(rows), 1))
        offset = posterior.flat("model_effects", most)[:, rows]
    p = 1 + rank
    centre = (design @ mean[:, :p, None])[..., 0] + offset
    spread = design @ covariance[:, :p, :p] @ np.swapaxes(design, 1, 2)
    rest = np.exp(2.0 * mean[:, p] + 2.0 * covariance[:, p, p])[:, None] * np.ones(len(rows))
    if "log_model_residual" in posterior.draws:
        rest = rest * np.exp(2.0 * posterior.flat("log_model_residual", most)[:, rows])
    if "log_interaction_scale" in posterior.draws:
        height = np.exp(2.0 * mean[:, p + 1] + 2.0 * covariance[:, p + 1, p + 1])
        omega = np.exp(posterior.flat("log_model_scale", most)[:, rows])
        kernel = posterior.extra["kernels"].residual[np.ix_(rows, rows)]
        spread += height[:, None, None] * omega[:, :, None] * kernel * omega[:, None, :]
    index = np.arange(len(rows))
    spread[:, index, index] += rest
    return np.asarray(centre), np.asarray(spread)


def _moments(values: Array) -> tuple[Array, Array]:
    """Mean and covariance (divisor the count) over the second axis."""
    mean = values.mean(axis=1)
    off = values - mean[:, None]
    return mean, np.swapaxes(off, 1, 2) @ off / max(values.shape[1], 1)
