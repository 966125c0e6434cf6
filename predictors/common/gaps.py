"""What stands for the missing cells of the train grid when models are compared by columns."""

from __future__ import annotations

import numpy as np

from predictors.common.counts import Array

__all__ = ["centred", "other_columns"]


def centred(z: Array) -> tuple[Array, Array]:
    """Give z less the mean of its column, 0 where missing, and these means.

    Parameters
    ----------
    z : ndarray of float, shape (M, S)
        Models by columns; NaN where missing.

    Returns
    -------
    deviation : ndarray of float, shape (M, S)
    centre : ndarray of float, shape (S,)
        0 for a column without values.

    Examples
    --------
    >>> deviation, centre = centred(np.array([[1.0, np.nan], [3.0, 5.0]]))
    >>> deviation.tolist(), centre.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [2.0, 5.0])
    """
    there = np.isfinite(z)
    centre = np.where(there, z, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.where(there, z - centre, 0.0), centre


def other_columns(z: Array, deviation: Array, j: int) -> Array:
    r"""Give the deviations of the columns but j, gaps filled by the models' effects.

    The effect of model i is :math:`a_i = \sum_c (z_{ic} - \bar z_c) / (n_i + 1)`, the sum over its
    :math:`n_i` train columns but j: its mean deviation there, drawn to 0 by the weight of one
    column. A gap at 0 would call a model average where nothing is known of it, and draw every
    model with few runs to the mean.

    Parameters
    ----------
    z, deviation : ndarray of float, shape (M, S)
        The grid, NaN where missing, and what `centred` gives of it.
    j : int
        The column that is predicted; nothing of it is used.

    Returns
    -------
    ndarray of float, shape (M, S - 1)

    Examples
    --------
    >>> z = np.array([[1.0, np.nan, 7.0], [3.0, 5.0, 9.0]])
    >>> other_columns(z, centred(z)[0], 2).tolist()
    [[-1.0, -0.5], [1.0, 0.0]]
    """
    columns = np.arange(z.shape[1]) != j
    there, known = np.isfinite(z[:, columns]), deviation[:, columns]
    effect = known.sum(axis=1) / (there.sum(axis=1) + 1)
    filled: Array = np.where(there, known, effect[:, None])
    return filled
