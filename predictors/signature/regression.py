"""Bayesian linear regression by kernels, its amounts learned by the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from hibayes.hierarchical.cells import Index
from predictors.common.counts import Array

__all__ = ["FLAT", "Regression", "learn"]

FLAT = 10.0
"""Prior variance of the mean: of values between -3.93 and 3.93, so nearly flat."""

_JITTER = 1e-6
_REACH = 6.0  # of a logarithm from its prior's centre
_STEPS = 15


@dataclass(frozen=True, eq=False)
class Regression:
    r"""n values as a linear function of features, and noise.

    .. math:: z \sim N\big(0,\; 10 \cdot 11' + \sum_p a_p K_p + s^2 I\big)

    Attributes
    ----------
    kernels : ndarray of float, shape (P, n, n)
        Products of features.
    z : ndarray of float, shape (n,)
    """

    kernels: Array
    z: Array

    def evidence(self, at: Array) -> tuple[float, Array]:
        """Give the log density of the values, and its derivatives.

        Parameters
        ----------
        at : ndarray of float, shape (P + 1,)
            Logarithms of the amounts a, and of s².
        """
        amount = np.exp(at)
        inverse, log_det = self._inverse(amount)
        alpha = inverse @ self.z
        value = -0.5 * (self.z @ alpha + log_det + len(self.z) * np.log(2 * np.pi))
        told = np.outer(alpha, alpha) - inverse
        slope = np.append(np.einsum("pij,ij->p", self.kernels, told), np.trace(told))
        return float(value), np.asarray(0.5 * amount * slope)

    def left_out(self, at: Array) -> tuple[Array, Array]:
        """Give mean and variance of each value as the others predict it.

        References
        ----------
        Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), equations 5.12.

        Examples
        --------
        >>> at = np.array([-np.inf, 0.0])
        >>> both = Regression(np.zeros((1, 2, 2)), np.array([1.0, 3.0]))
        >>> mean, variance = both.left_out(at)
        >>> mean.round(2).tolist(), variance.round(2).tolist()
        ([2.73, 0.91], [1.91, 1.91])
        """
        inverse, _ = self._inverse(np.exp(at))
        variance = 1.0 / np.diag(inverse)
        return self.z - (inverse @ self.z) * variance, variance

    def others(self, at: Array) -> Array:
        """Give the weights with which the others' values predict each value, shape (n, n)."""
        inverse, _ = self._inverse(np.exp(at))
        weights = -inverse / np.diag(inverse)[:, None]
        np.fill_diagonal(weights, 0.0)
        return np.asarray(weights)

    def surprise(self, at: Array, group: Index, weight: float) -> float:
        r"""Give how much more values vary than is said of them by those of other groups.

        :math:`(w + \sum_i q_i) / (w + n)`, q the squared surprise, in variances, of a value that is
        left out with all of its group.

        Parameters
        ----------
        at : ndarray of float, shape (P + 1,)
        group : ndarray of int, shape (n,)
        weight : float
            w.

        Examples
        --------
        >>> pairs = Regression(np.ones((1, 4, 4)), np.array([1.0, 1.0, -1.0, -1.0]))
        >>> round(pairs.surprise(np.log([1.0, 0.1]), np.array([0, 0, 1, 1]), 1.0), 1)
        21.5
        """
        inverse, _ = self._inverse(np.exp(at))
        alpha, total = inverse @ self.z, weight
        for one in np.unique(group):
            members = np.flatnonzero(group == one)
            covariance = np.linalg.inv(inverse[np.ix_(members, members)])
            off = covariance @ alpha[members]
            total += float((off * off / np.diag(covariance)).sum())
        return total / (weight + len(self.z))

    def predict(self, at: Array, cross: Array, own: Array) -> tuple[float, float, Array]:
        """Predict a further value.

        Parameters
        ----------
        at : ndarray of float, shape (P + 1,)
        cross : ndarray of float, shape (P, n)
            Its products with the others.
        own : ndarray of float, shape (P,)
            Its products with itself.

        Returns
        -------
        mean, variance : float
        weights : ndarray of float, shape (n,)
            Those of the values: the mean is their weighted sum.
        """
        amount = np.exp(at)
        k = FLAT + amount[:-1] @ cross
        weights = cho_solve(cho_factor(self._covariance(amount), lower=True), k)
        variance = FLAT + float(amount[:-1] @ own) - float(weights @ k)
        noise = float(amount[-1]) + _JITTER
        return float(weights @ self.z), max(variance, 0.0) + noise, weights

    def _covariance(self, amount: Array) -> Array:
        k = np.tensordot(amount[:-1], self.kernels, 1) + FLAT
        k.flat[:: len(k) + 1] += amount[-1] + _JITTER
        return np.asarray(k)

    def _inverse(self, amount: Array) -> tuple[Array, float]:
        factor = cho_factor(self._covariance(amount), lower=True)
        inverse = cho_solve(factor, np.eye(len(self.z)))
        return inverse, 2.0 * float(np.log(np.diag(factor[0])).sum())


def learn(regressions: Sequence[Regression], centre: Array, width: float) -> Array:
    """Find the amounts that regressions share, the most probable ones.

    Parameters
    ----------
    regressions : sequence of Regression
    centre : ndarray of float, shape (P + 1,)
    width : float
        Means and standard deviation of the normal priors of the logarithms.

    Returns
    -------
    ndarray of float, shape (P + 1,)
        Logarithms of the amounts. Kernels that are 0 keep their centre.
    """

    def loss(at: Array) -> tuple[float, Array]:
        off = (at - centre) / width
        value, slope = 0.5 * float(off @ off), off / width
        for regression in regressions:
            evidence, by_amount = regression.evidence(at)
            value, slope = value - evidence, slope - by_amount
        return value, slope

    bounds = [(c - _REACH, c + _REACH) for c in centre]
    options = {"maxiter": _STEPS}
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x)
