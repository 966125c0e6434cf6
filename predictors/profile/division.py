"""A grid that is too large for one process, divided so that models stay with those like them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

from hibayes.hierarchical.cells import Array, Grid, Index
from predictors.common.agreement_kernels import standardised
from predictors.profile.gp import Standard

__all__ = ["divide"]

_FEATURES = 256  # that a model's responses are projected to
_MOST_LINKED = 8000  # models: the tree takes the square of their number
_LEAST = 1e-9  # length of a model's features


def divide(grid: Grid, tables: Mapping[int, Array] | None, most: int) -> list[Index]:
    """Divide the models of a grid into parts of like models.

    Models are ordered as the leaves of a tree (Ward's linkage of their responses beyond their
    levels, projected at random to 256 dimensions, or where there are no responses of their values
    less their own means), and the order is cut into parts of equal size. More than 8,000 models are
    first halved along the first principal component, and again.

    Parameters
    ----------
    grid : Grid
    tables : mapping of int to ndarray, shape (M, items), or None
        Responses by column; NaN where a model has none.
    most : int
        Values of a part, about.

    Returns
    -------
    list of ndarray of int
        Rows of the grid, ascending: each in one part.

    Examples
    --------
    >>> cells = [(m, s) for m in "abcd" for s in "stu"]
    >>> y = [0.1, 0.2, 0.9, 0.9, 0.2, 0.1, 0.2, 0.3, 1.0, 1.0, 0.3, 0.2]
    >>> grid = Grid.of([m for m, _ in cells], [s for _, s in cells], y, [0] * 12)
    >>> [rows.tolist() for rows in divide(grid, None, 6)]
    [[0, 2], [1, 3]]
    """
    everyone = np.arange(len(grid.models))
    count = min(-(-int(grid.mask.sum()) // most), len(everyone))
    if count < 2:
        return [everyone]
    features = _of_responses(tables) if tables else _of_values(grid)
    size = np.sqrt((features**2).sum(axis=1, keepdims=True))
    parts = _parts(features / np.maximum(size, _LEAST), everyone, count)
    parts = [np.sort(part) for part in parts]
    return sorted(parts, key=lambda part: int(part[0]))


def _of_responses(tables: Mapping[int, Array]) -> Array:
    rng = np.random.default_rng(0)
    out = np.zeros((len(next(iter(tables.values()))), _FEATURES))
    for j in sorted(tables):
        _, beyond, _ = standardised(tables[j])
        out += beyond @ rng.normal(size=(beyond.shape[1], _FEATURES))
    return out


def _of_values(grid: Grid) -> Array:
    standard = Standard.of(grid)
    there = standard.mask
    z = np.where(there, standard.z, 0.0)
    level = z.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return np.where(there, z - level[:, None], 0.0)


def _parts(features: Array, rows: Index, count: int) -> list[Index]:
    if len(rows) > _MOST_LINKED and count > 1:
        own = features[rows] - features[rows].mean(axis=0)
        direction = np.linalg.svd(own, full_matrices=False)[2][0]
        direction *= np.sign(direction[np.argmax(np.abs(direction))])
        order = rows[np.argsort(own @ direction, kind="stable")]
        first = count // 2
        cut = round(len(rows) * first / count)
        return [
            *_parts(features, order[:cut], first),
            *_parts(features, order[cut:], count - first),
        ]
    order = rows[leaves_list(linkage(features[rows], method="ward"))]
    return np.array_split(order, count)
