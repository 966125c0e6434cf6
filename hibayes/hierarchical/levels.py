"""Models and columns that the fit has not seen: a normal per draw, updated by shown responses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp

from hibayes.hierarchical.cells import OFFSET, Array, Index
from hibayes.hierarchical.items import FACTOR_JITTER, JITTER
from hibayes.hierarchical.posterior import Posterior

__all__ = [
    "Parameters",
    "Updated",
    "known_columns",
    "new_column",
    "new_columns",
    "new_row",
    "population",
    "update",
]

_FEW = 3  # columns of a group from which on the group's own mean is used
_POOL = 5.0  # columns that the covariance of all columns counts as beside a group's
_LEAST_P = 0.004
_STEPS, _DAMPING = 12, 0.7
_JITTER = 1e-8
_LEAST = (0.08, 0.05)  # of the conditional variances of a new model's factors and profile


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


@dataclass(frozen=True)
class Updated:
    """Draws of J latent values after the shown responses.

    Attributes
    ----------
    mean : ndarray, shape (D, J)
    covariance : ndarray, shape (D, J, J)
    weights : ndarray, shape (D,)
        Of the draws, summing to 1.
    """

    mean: Array
    covariance: Array
    weights: Array

    @property
    def effective(self) -> float:
        """The number of draws that the weights are worth."""
        return float(1.0 / (self.weights**2).sum())

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        """Draw the J values together, shape (size, J)."""
        count = self.mean.shape[1]
        spread = self.covariance + _JITTER * np.eye(count)
        root = np.linalg.cholesky(spread)
        which = np.searchsorted(np.cumsum(self.weights), (np.arange(size) + 0.5) / size)
        which = np.minimum(which, len(self.weights) - 1)
        z = rng.standard_normal((size, count, 1))
        return np.asarray(self.mean[which] + (root[which] @ z)[..., 0])


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
    mixed with that of all columns, which counts as 5. The prior of the groups' means would forget
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
    return mean, covariance * (1.0 + 1.0 / count) + 0.02 * np.eye(size)


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
    rows: tuple[Array, Array] | None = None,
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
    rows : (ndarray, ndarray), each of shape (M,), optional
        The model's kernel rows (`kernels.Kernels.row_of`); of a stranger by default.

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
        models = len(kernels.factors)
        row_u, row_g = rows if rows is not None else kernels.row_of({}, {})
        a = np.linalg.solve(kernels.factors + FACTOR_JITTER * np.eye(models), row_u)
        mean_u = np.einsum("m,dmr->dr", a, posterior.flat("factors", most))
        var_u = np.full(draws, max(1.0 - float(row_u @ a), _LEAST[0]))
        a = np.linalg.solve(kernels.residual + JITTER * np.eye(models), row_g)
        height = np.exp(parameters.log_h)
        known = [j for j, place in enumerate(columns) if place is not None]
        at = np.array([columns[j] for j in known], np.intp)
        if len(at):
            omega = np.exp(posterior.flat("log_model_scale", most))[:, :, None]
            g = posterior.flat("interaction", most)[:, :, at] / omega  # h_j G_ij
            offset[:, known] = np.einsum("m,dmj->dj", a, g)
        stretch = np.exp(2.0 * posterior.flat("model_scale_variance", most))[:, None]
        rest = rest + max(1.0 - float(row_g @ a), _LEAST[1]) * stretch * height**2
    mean = b + np.einsum("djr,dr->dj", v, mean_u) + offset
    covariance = var_u[:, None, None] * (v @ np.swapaxes(v, 1, 2))
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


def update(mean: Array, covariance: Array, k: Array, total: Array) -> Updated:
    r"""Update normals of latent values by shown responses.

    Under each draw the posterior is approximated by a normal at its mode (12 damped steps of
    Fisher scoring), where the k shown responses have binomial probability

    .. math:: p(x) = 1.2\, \mathrm{sigmoid}(x) - 0.1 \text{, kept inside } [.004, .996];

    the draws are weighted by the approximation's evidence.

    Parameters
    ----------
    mean : ndarray, shape (D, J)
    covariance : ndarray, shape (D, J, J)
    k, total : ndarray, shape (J,)
        Shown responses and the sum of their values in [0, 1]; k = 0 where none are shown.

    Returns
    -------
    Updated

    References
    ----------
    Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), algorithm 3.1.

    Examples
    --------
    >>> after = update(np.zeros((1, 1)), np.ones((1, 1, 1)), np.array([1000.0]), np.array([800.0]))
    >>> round(after.mean[0, 0].item(), 2), after.effective
    (1.1, 1.0)
    """
    draws, size = mean.shape
    if not k.any():
        return Updated(mean, covariance, np.full(draws, 1.0 / draws))
    x, eye = mean.copy(), np.eye(size)
    for step in range(_STEPS + 1):
        p, dp = _success(x)
        root = np.sqrt(k * dp**2 / (p * (1.0 - p)))  # square root of the information
        gradient = (total / p - (k - total) / (1.0 - p)) * dp
        b = root[:, :, None] * covariance * root[:, None, :] + eye
        right = root**2 * (x - mean) + gradient
        pushed = root * (covariance @ right[..., None])[..., 0]
        a = right - root * np.linalg.solve(b, pushed[..., None])[..., 0]
        if step < _STEPS:
            x = x + _DAMPING * (mean + (covariance @ a[..., None])[..., 0] - x)
    left = root[:, :, None] * covariance
    after = covariance - np.swapaxes(left, 1, 2) @ np.linalg.solve(b, left)
    log_likelihood = (total * np.log(p) + (k - total) * np.log1p(-p)).sum(axis=1)
    evidence = log_likelihood - 0.5 * ((x - mean) * a).sum(axis=1)
    evidence -= 0.5 * np.linalg.slogdet(b)[1]
    return Updated(x, after, np.exp(evidence - logsumexp(evidence)))


def _success(x: Array) -> tuple[Array, Array]:
    """Success probability at a latent value, and its derivative."""
    s = expit(x)
    p = np.clip((1.0 + 2.0 * OFFSET) * s - OFFSET, _LEAST_P, 1.0 - _LEAST_P)
    return np.asarray(p), np.asarray((1.0 + 2.0 * OFFSET) * s * (1.0 - s))


def _moments(values: Array) -> tuple[Array, Array]:
    """Mean and covariance (divisor the count) over the second axis."""
    mean = values.mean(axis=1)
    off = values - mean[:, None]
    return mean, np.swapaxes(off, 1, 2) @ off / max(values.shape[1], 1)
