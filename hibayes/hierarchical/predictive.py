"""Distributions of run values from draws of their expected logit."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtr

from hibayes.hierarchical.cells import Array, Index, from_logit, noise, to_logit
from hibayes.hierarchical.posterior import Posterior

__all__ = ["FLOOR", "cell_pmf", "mixture_pmf", "steps_of"]

FLOOR = 1e-12
"""The least probability of a count, before the pmf is normalised."""

STEPS = 1000
"""Steps of the range on which a value that is no count is described."""


def steps_of(n: int) -> int:
    """Give the number of steps that a value is described on: n for a count, else `STEPS`."""
    return n if n > 0 else STEPS


def mixture_pmf(
    steps: int,
    mean: Array,
    sd: Array,
    weights: Array | None = None,
    df: float | None = None,
) -> Array:
    r"""Give the pmf of a count under a mixture of normals on the logit-like scale.

    .. math:: p(c) = \sum_d w_d \Big[ F\Big(\frac{t((c + 1/2)/n) - m_d}{s_d}\Big)
                                    - F\Big(\frac{t((c - 1/2)/n) - m_d}{s_d}\Big) \Big]

    The counts 0 and n take the tails; p is at least `FLOOR` and is then normalised.

    Parameters
    ----------
    steps : int
        n, at least 1.
    mean, sd : ndarray, shape (D,)
        Of each component, on the scale of `cells.to_logit`.
    weights : ndarray, shape (D,), optional
        Summing to 1; equal by default.
    df : float, optional
        Degrees of freedom, for Student's t in place of the normal.

    Returns
    -------
    ndarray of float, shape (n + 1,)

    Examples
    --------
    >>> mixture_pmf(1, np.zeros(2), np.ones(2)).round(3).tolist()
    [0.5, 0.5]
    """
    edges = to_logit((np.arange(steps) + 0.5) / steps)
    z = (edges - mean[:, None]) / sd[:, None]
    inside = ndtr(z) if df is None else stdtr(df, z)
    cdf = np.zeros(steps + 2)
    cdf[1:-1] = inside.mean(axis=0) if weights is None else weights @ inside
    cdf[-1] = 1.0
    pmf = np.maximum(np.diff(cdf), FLOOR)
    return np.asarray(pmf / pmf.sum())


def cell_pmf(
    posterior: Posterior, rows: Index, columns: Index, n: Index, most: int
) -> tuple[list[Array], Array]:
    """Predict cells of the grid without any response of them.

    Parameters
    ----------
    posterior : Posterior
    rows, columns : ndarray of int, shape (T,)
    n : ndarray of int, shape (T,)
        Trials of each; 0 where the value is no count.
    most : int
        At most so many draws.

    Returns
    -------
    pmf : list of ndarray, length T
        On the counts 0..n, or on `STEPS` steps.
    expected : ndarray, shape (T,)
        Posterior means of the expected logits.
    """
    eta = posterior.expected(rows, columns, most)
    rest = posterior.residual_variance(rows, columns, most)
    known = posterior.phi * noise(from_logit(eta), n)
    sd = np.sqrt(known + rest)
    pmf = [mixture_pmf(steps_of(int(n[t])), eta[:, t], sd[:, t]) for t in range(len(rows))]
    return pmf, np.asarray(eta.mean(axis=0))
