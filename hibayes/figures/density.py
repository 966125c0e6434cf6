"""Densities and intervals of draws."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_CELLS = 1024


def density(
    draws: ArrayLike,
    limits: tuple[float | None, float | None] = (None, None),
    width: float | None = None,
) -> tuple[Array, Array]:
    """Estimate a density by a Gaussian kernel.

    Parameters
    ----------
    draws : array of float
        Values that are not finite are left out.
    limits : pair of float or None
        Where the quantity ends, such as (0, 1): the mass beyond is reflected.
    width : float, optional
        The kernel's standard deviation; `bandwidth` of the draws by default.

    Returns
    -------
    grid : ndarray of float
        Values, in their units.
    height : ndarray of float
        Density, per unit. Empty, as the grid, where there are no draws, or where they do not vary
        and no width is given.

    Examples
    --------
    >>> grid, height = density(np.random.default_rng(0).normal(size=20_000))
    >>> bool(abs(height.max() - 0.399) < 0.02), bool(abs(np.trapezoid(height, grid) - 1) < 0.01)
    (True, True)
    """
    values = np.asarray(draws, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    width = bandwidth(values) if width is None else width
    if len(values) == 0 or not width > 0:
        return np.empty(0), np.empty(0)
    low, high = values.min() - 4 * width, values.max() + 4 * width
    step = (high - low) / _CELLS
    counts, edges = np.histogram(values, bins=_CELLS, range=(low, high))
    reach = min(max(math.ceil(4 * width / step), 1), _CELLS)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    height = np.convolve(counts, kernel / kernel.sum())[reach : reach + _CELLS]
    grid = (edges[:-1] + edges[1:]) / 2
    height = height / (len(values) * step)
    return _reflect(grid, height, limits)


def bandwidth(draws: ArrayLike, n: int | None = None) -> float:
    """Give the width of a Gaussian kernel.

    Parameters
    ----------
    draws : array of float
        Finite.
    n : int, optional
        How many values the kernel will smooth, if not these.

    Returns
    -------
    float
        In the units of the draws; 0 where they do not vary.

    References
    ----------
    Silverman (1986), Density Estimation, eq. 3.31.
    """
    values = np.asarray(draws, dtype=np.float64).ravel()
    if len(values) < 2 or np.ptp(values) == 0:
        return 0.0
    quartiles = np.quantile(values, [0.25, 0.75])
    spread = min(float(values.std(ddof=1)), float(np.ptp(quartiles)) / 1.349 or math.inf)
    return 0.9 * spread * (n or len(values)) ** -0.2


def hdi(draws: ArrayLike, probability: float = 0.94) -> tuple[float, float]:
    """Give the narrowest interval that holds a share of the draws.

    Examples
    --------
    >>> hdi([0.0, 1.0, 1.1, 1.2, 9.0], 0.6)
    (1.0, 1.2)
    """
    values = np.sort(np.asarray(draws, dtype=np.float64).ravel())
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return math.nan, math.nan
    inside = max(math.ceil(probability * len(values)), 1)
    starts = len(values) - inside + 1
    at = int(np.argmin(values[inside - 1 :] - values[:starts]))
    return float(values[at]), float(values[at + inside - 1])


def _reflect(
    grid: Array, height: Array, limits: tuple[float | None, float | None]
) -> tuple[Array, Array]:
    """Fold what lies beyond the limits back."""
    folded = height.copy()
    keep = np.ones(len(grid), dtype=bool)
    for limit, beyond in zip(limits, (np.less, np.greater), strict=True):
        if limit is None:
            continue
        out = beyond(grid, limit)
        order = np.argsort(2 * limit - grid[out])
        mirrored = (2 * limit - grid[out])[order]
        if len(mirrored):
            heights = height[out][order]
            # within half a cell of the limit the mirrored curve has no point of its own
            lower = beyond is np.less
            left, right = (heights[0], 0.0) if lower else (0.0, heights[-1])
            folded += np.interp(grid, mirrored, heights, left=left, right=right)
        keep &= ~out
    return grid[keep], folded[keep]
