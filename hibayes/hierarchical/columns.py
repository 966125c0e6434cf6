"""Columns of a grid as correlated normals: what is left of a model's profile integrated out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dtrtrs

from hibayes.hierarchical.cells import Array
from hibayes.hierarchical.gibbs import LEAST_VARIANCE

__all__ = ["UNSEEN", "Columns", "cholesky", "inverses", "solve_lower"]

UNSEEN = 1e6
"""The noise variance of a cell without a value: all columns keep one shape."""


def cholesky(matrix: Array) -> Array:
    """Factorise a symmetric positive definite matrix, L L'; only the lower triangle is right.

    Raises
    ------
    ArithmeticError
        If it is not positive definite.
    """
    factor, info = dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if info != 0:
        raise ArithmeticError(f"a covariance is not positive definite (LAPACK's info = {info}).")
    return np.asarray(factor)


def solve_lower(factor: Array, right: Array, transposed: bool = False) -> Array:
    """Solve L x = right, or L' x = right."""
    return np.asarray(dtrtrs(factor, right, lower=1, trans=int(transposed))[0])


def inverses(factors: list[Array], out: Array | None = None) -> Array:
    """Give the inverse of each matrix from its Cholesky factor, shape (S, M, M)."""
    size = len(factors[0])
    if out is None:
        out = np.empty((len(factors), size, size))
    for matrix, factor in zip(out, factors, strict=True):
        lower = np.tril(dpotri(factor, lower=1)[0])
        np.add(lower, lower.T, out=matrix)
        matrix.flat[:: size + 1] *= 0.5
    return out


class Columns:
    r"""The covariances :math:`\Sigma_j = h_j^2 \Omega K \Omega + \mathrm{diag}(\phi v + s_j^2)`.

    Parameters
    ----------
    kernel : ndarray, shape (M, M)
        K, with its jitter.
    mask : ndarray of bool, shape (M, S)
    known : ndarray, shape (M, S)
        :math:`\phi v`.
    """

    def __init__(self, kernel: Array, mask: NDArray[np.bool_], known: Array) -> None:
        self.kernel = kernel
        self.mask = np.ascontiguousarray(mask.T)
        self.known = np.ascontiguousarray(known.T)
        self._diagonal = np.arange(len(kernel))

    def noise(self, log_s: Array) -> Array:
        """Give the diagonal part, shape (S, M)."""
        return np.where(
            self.mask, self.known + np.exp(2.0 * log_s)[:, None] + LEAST_VARIANCE, UNSEEN
        )

    def factorise(
        self, log_s: Array, log_h: Array, scale: Array, out: Array | None = None
    ) -> list[Array]:
        """Give the Cholesky factor of each column.

        Parameters
        ----------
        log_s, log_h : ndarray, shape (S,)
        scale : ndarray, shape (M,)
            The diagonal of Omega.
        out : ndarray, shape (S, M, M), optional
            Where the factors are put; fresh memory costs more than the arithmetic.
        """
        kernel = self.kernel * np.outer(scale, scale)
        covariance = np.multiply(np.exp(2.0 * log_h)[:, None, None], kernel, out=out)
        covariance[:, self._diagonal, self._diagonal] += self.noise(log_s)
        return [cholesky(matrix) for matrix in covariance]

    def regress(
        self, factors: list[Array], design: Array, residual: Array, prior_variance: Array
    ) -> tuple[Array, Array, Array]:
        """Integrate the coefficients of a regression of each column out (as `gibbs.weigh`).

        Parameters
        ----------
        factors : list of ndarray, length S
        design : ndarray, shape (M, P)
        residual : ndarray, shape (S, M)
        prior_variance : ndarray, shape (S, P)

        Returns
        -------
        log_density : ndarray, shape (S,)
        h : ndarray, shape (S, P)
        inverse : ndarray, shape (S, P, P)
        """
        p = design.shape[1]
        moments = np.empty((len(factors), p + 1, p + 1))
        log_det = np.empty(len(factors))
        for j, factor in enumerate(factors):
            white = solve_lower(factor, np.column_stack([design, residual[j]]))
            moments[j] = white.T @ white
            log_det[j] = np.log(factor[self._diagonal, self._diagonal]).sum()
        q = moments[:, :-1, :-1].copy()
        q[:, np.arange(p), np.arange(p)] += 1.0 / prior_variance
        root = np.linalg.cholesky(q)
        inverse = np.linalg.inv(root)
        h = (inverse @ moments[:, :-1, -1:])[..., 0]
        density = -0.5 * (moments[:, -1, -1] - (h * h).sum(-1)) - log_det
        density -= np.log(root[:, np.arange(p), np.arange(p)]).sum(-1)
        return np.asarray(density), np.asarray(h), np.asarray(inverse)
