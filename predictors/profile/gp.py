"""A Gaussian process over models and columns: its covariance, its predictions, what one cell says.

Of `predictors.profile`. All values are on the standardised scale of `Standard`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri

from hibayes.hierarchical.cells import Array, Grid, Index, from_logit, noise
from hibayes.hierarchical.spreads import column_scale
from predictors.common.agreement_kernels import AgreementKernels

__all__ = ["Amounts", "Standard", "TwoWay", "closeness", "inverse", "scenario_covariance"]

_LEAST_EIGENVALUE = 1e-3  # of the columns' correlations
_LEAST_VARIANCE = 1e-4
_BLOCK = 64  # cells
_ROUNDS = 2  # of filling gaps and estimating the columns' correlations
_MOST_SURPRISE = 16.0  # squared, in standard deviations: an outlier tells no more of a spread


@dataclass(frozen=True)
class Amounts:
    r"""The hyper-parameters: variances of the parts, and what they are mixed with.

    Attributes
    ----------
    shared : float
        Of profiles that models which agree on items have in common: :math:`R \otimes G`.
    own : float
        Of a model's own profile: :math:`R \otimes I`.
    lineage : float
        Of what one column has of models alike beyond ability: :math:`I \otimes C`.
    level : float
        Of a column's mean: :math:`I \otimes 11'`.
    rest : float
        Of a cell.
    sampling : float
        The share of the binomial variance that a value has. Below 1: models answer the same items.
    shrink : float
        How far the columns' correlations are drawn to their groups' means, from 0 to 1.
    df : float
        Degrees of freedom of Student's t.
    """

    shared: float
    own: float
    lineage: float
    level: float
    rest: float
    sampling: float
    shrink: float
    df: float


@dataclass(frozen=True, eq=False)
class Standard:
    """The values of a grid in spreads of their columns, from the columns' means.

    Attributes
    ----------
    mean, sd : ndarray of float, shape (S,)
        Of `hibayes.hierarchical.cells.to_logit` of a column's values.
    z : ndarray of float, shape (M, S)
        0 where there is no value.
    mask : ndarray of bool, shape (M, S)
    sampling : ndarray of float, shape (M, S)
        Binomial variance of z; 0 where the value is no count.
    n : ndarray of float, shape (S,)
        The usual number of trials of a column; 0 where values are no counts.
    """

    mean: Array
    sd: Array
    z: Array
    mask: NDArray[np.bool_]
    sampling: Array
    n: Array

    @classmethod
    def of(cls, grid: Grid) -> Standard:
        """Standardise a grid."""
        mean, sd = column_scale(grid)
        z = np.where(grid.mask, (grid.t - mean) / sd, 0.0)
        n = np.where(grid.mask, grid.n, 0.0).max(axis=0, initial=0.0)
        return cls(mean, sd, z, grid.mask, grid.known_noise / sd**2, n)

    def cells(self) -> tuple[Index, Index]:
        """Give row and column of the cells with values, column by column."""
        column, row = np.nonzero(self.mask.T)
        return row, column


def scenario_covariance(
    scatter: Array, shrink: float, group: Index, family: Index
) -> tuple[Array, Array]:
    r"""Draw the columns' correlations to what columns of their kind have.

    .. math:: R = (1 - \rho) A + \rho T

    T has the mean of all correlations, within a scenario group that of the group, and within a
    family at least that of all families; each group's mean counts the overall one as one pair.

    Parameters
    ----------
    scatter : ndarray, shape (S, S)
        A, with ones on its diagonal.
    shrink : float
        ρ.
    group, family : ndarray of int, shape (S,)

    Returns
    -------
    covariance, usual : ndarray, shape (S, S)
        R and T.

    Examples
    --------
    >>> a = np.array([[1.0, 0.9, 0.3], [0.9, 1.0, 0.0], [0.3, 0.0, 1.0]])
    >>> r, usual = scenario_covariance(a, 1.0, np.zeros(3, int), np.arange(3))
    >>> r.round(2).tolist()
    [[1.0, 0.4, 0.4], [0.4, 1.0, 0.4], [0.4, 0.4, 1.0]]
    """
    size = len(scatter)
    apart = ~np.eye(size, dtype=bool)
    overall = float(scatter[apart].mean()) if size > 1 else 0.0
    usual = np.full((size, size), overall)
    for same in (group, family):
        alike = (same[:, None] == same) & apart
        if not alike.any() or alike.sum() == apart.sum():
            continue
        for one in np.unique(same) if same is group else (None,):
            block = alike if one is None else alike & (same == one)
            if block.any():
                pairs = block.sum() / 2.0
                mean = (scatter[block].mean() * pairs + overall) / (pairs + 1.0)
                usual[block] = mean if same is group else np.maximum(usual[block], mean)
    np.fill_diagonal(usual, 1.0)
    usual = _lifted(usual)
    return (1.0 - shrink) * scatter + shrink * usual, usual


class TwoWay:
    r"""The process, given some values of a grid.

    With i, i' models and j, j' columns,

    .. math::

        \mathrm{cov}(z_{ij}, z_{i'j'}) = R_{jj'} (a_1 G_{ii'} + a_2 \delta_{ii'})
            + \delta_{jj'} (a_3 C_{ii'} + a_4)
            + \delta_{ii'} \delta_{jj'} (a_5 + a_6 v_{ij})

    Parameters
    ----------
    standard : Standard
    kernels : AgreementKernels
    scatter : ndarray, shape (S, S)
        The columns' correlations before they are shrunk.
    group, family : ndarray of int, shape (S,)
    amounts : Amounts
    """

    def __init__(
        self,
        standard: Standard,
        kernels: AgreementKernels,
        scatter: Array,
        group: Index,
        family: Index,
        amounts: Amounts,
    ) -> None:
        self.standard, self.kernels, self.amounts = standard, kernels, amounts
        self.scatter, self.group, self.family = scatter, group, family
        self.columns, _ = scenario_covariance(scatter, amounts.shrink, group, family)
        size = len(kernels.agreement)
        self.profile = amounts.shared * kernels.agreement + amounts.own * np.eye(size)
        self.within = amounts.lineage * kernels.lineage + amounts.level
        self.row, self.column = standard.cells()
        noise_of = standard.sampling[self.row, self.column]
        matrix = self.covariance(self.row, self.column)
        matrix.flat[:: len(matrix) + 1] += amounts.rest + amounts.sampling * noise_of
        self.precision = inverse(matrix)
        self.alpha = self.precision @ standard.z[self.row, self.column]

    def covariance(self, row: Index, column: Index) -> Array:
        """Give the covariance of some cells with the known ones, without the cells' own parts."""
        known_row, known_column = self.row, self.column
        out = self.columns[np.ix_(column, known_column)]
        out *= self.profile[np.ix_(row, known_row)]
        _add_within(out, self.within, (row, column), (known_row, known_column))
        return out

    def predict(self, row: Index, column: Index) -> tuple[Array, Array]:
        """Give mean (T,) and covariance (T, T) of cells, without the cells' own parts.

        Mean and variance of a cell are the same to the last digit, whatever else is asked for.
        """
        cross = self.covariance(row, column)
        prior = self.columns[np.ix_(column, column)] * self.profile[np.ix_(row, row)]
        _add_within(prior, self.within, (row, column), (row, column))
        # products of whole blocks, as the edges of others are summed in another order
        padded = np.zeros((-(-len(row) // _BLOCK) * _BLOCK, len(self.row)))
        padded[: len(row)] = cross
        weights = np.concatenate(
            [part @ self.precision for part in padded.reshape(-1, _BLOCK, len(self.row))]
        )
        weights = weights[: len(row)]
        spread = prior - weights @ cross.T
        index = np.arange(len(row))
        variance = prior[index, index] - np.einsum("ij,ij->i", weights, cross)
        spread[index, index] = np.maximum(variance, _LEAST_VARIANCE)
        return np.einsum("ij,j->i", cross, self.alpha), spread

    def left_out(self) -> tuple[Array, Array]:
        """Give mean and variance of each known cell as the others predict it, own parts included.

        References
        ----------
        Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), equations 5.12.
        """
        variance = 1.0 / np.diag(self.precision)
        return self.standard.z[self.row, self.column] - self.alpha * variance, variance

    def filled(self) -> Array:
        """Give z with the gaps at their predicted means, shape (M, S)."""
        column, row = np.nonzero(~self.standard.mask.T)
        z = self.standard.z.copy()
        z[row, column] = self.covariance(row, column) @ self.alpha
        return z

    def spreads(self, weight: float) -> tuple[Array, Array]:
        r"""Give how much more the models' and the columns' cells vary than is said of them.

        Of the squared surprises q of left-out cells, in variances and at most 16, with
        :math:`\bar q` their mean: :math:`(w \bar q + \sum_j q_{ij}) / ((w + n_i) \bar q)` of a
        model, likewise of a column.

        Parameters
        ----------
        weight : float
            w, in cells.
        """
        mean, variance = self.left_out()
        q = (self.standard.z[self.row, self.column] - mean) ** 2 / variance
        q = np.minimum(q, _MOST_SURPRISE)
        usual = max(float(q.mean()), 1e-9)
        found = []
        for index, size in zip((self.row, self.column), self.standard.z.shape, strict=True):
            total, count = np.bincount(index, q, size), np.bincount(index, minlength=size)
            found.append((weight * usual + total) / ((weight + count) * usual))
        return found[0], found[1]

    def sampling_at(self, mean: Array, column: Index, n: Array) -> Array:
        """Give the binomial variance of z at predicted means of n trials."""
        scale = self.standard
        y = from_logit(scale.mean[column] + scale.sd[column] * mean)
        return np.asarray(noise(y, n) / scale.sd[column] ** 2)


def closeness(
    standard: Standard, kernels: AgreementKernels, group: Index, family: Index, amounts: Amounts
) -> Array:
    r"""Estimate how the columns go together, models weighed by how they go together.

    In each of two rounds gaps are filled by the process as it is then, and

    .. math:: A = (Z - 1b')' P (Z - 1b'), \qquad b' = 1'PZ / 1'P1

    is scaled to ones on its diagonal; P is the inverse of the covariance of models within a column,
    :math:`a_1 G + (a_2 + a_3 + a_5 + a_6 \bar v) I`. Models of one family are no independent
    witnesses, and P keeps them from being counted as such.

    Returns
    -------
    ndarray, shape (S, S)
        A.

    References
    ----------
    Dutilleul, "The MLE algorithm for the matrix normal distribution", Journal of Statistical
    Computation and Simulation 64 (1999) (flip-flop).
    """
    z, mask = standard.z, standard.mask
    both = mask.T.astype(float) @ mask
    scatter = _unit(z.T @ z / np.maximum(both, 1.0))
    usual = float(standard.sampling[mask].mean()) if mask.any() else 0.0
    apart = amounts.own + amounts.lineage + amounts.rest + amounts.sampling * usual
    weight = np.linalg.inv(amounts.shared * kernels.agreement + apart * np.eye(len(z)))
    for _ in range(_ROUNDS):
        full = z
        if not mask.all():
            full = TwoWay(standard, kernels, scatter, group, family, amounts).filled()
        mean = weight.sum(axis=0) @ full / weight.sum()
        scatter = _unit((full - mean).T @ weight @ (full - mean))
        if mask.all():
            break
    return scatter


def inverse(matrix: Array) -> Array:
    """Invert a symmetric positive definite matrix, which is overwritten.

    Raises
    ------
    ArithmeticError
        If it is not positive definite.
    """
    factor, info = dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if info != 0:
        raise ArithmeticError(f"a covariance is not positive definite (LAPACK's info = {info}).")
    lower = np.tril(dpotri(factor, lower=1, overwrite_c=1)[0])
    out = lower + lower.T
    out.flat[:: len(out) + 1] *= 0.5
    return np.asarray(out)


def _add_within(
    out: Array, within: Array, one: tuple[Index, Index], other: tuple[Index, Index]
) -> None:
    """Add what models have in common within a column; `other` is sorted by column, or is `one`."""
    for j in np.unique(one[1]):
        rows, columns = np.flatnonzero(one[1] == j), np.flatnonzero(other[1] == j)
        out[np.ix_(rows, columns)] += within[np.ix_(one[0][rows], other[0][columns])]


def _unit(scatter: Array) -> Array:
    scale = np.sqrt(np.maximum(np.diag(scatter), 1e-6))
    raw = np.clip(scatter / scale / scale[:, None], -1.0, 1.0)
    np.fill_diagonal(raw, 1.0)
    return _lifted(raw)


def _lifted(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    lifted = (vectors * np.maximum(values, _LEAST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    out = lifted / scale / scale[:, None]
    return np.asarray((out + out.T) / 2.0)
