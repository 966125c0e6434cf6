"""What a model predicts, beside what was observed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hibayes.figures.canvas import OBSERVED, PREDICTED, canvas, quiet
from hibayes.figures.density import bandwidth, density

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Curve = tuple[Array, Array]

DRAWN: dict[str, Any] = {
    "alpha": None,
    "mean": True,
    "observed": True,
    "num_pp_samples": 50,
    "random_seed": 0,
    "legend": True,
    "textsize": None,
    "colors": None,
}
"""Options, as ArviZ's ``plot_ppc`` has them, with their defaults."""

KNOWN = (
    "kind", "figsize", "group", "backend", "data_pairs", "var_names", "filter_vars", "coords",
    "flatten", "flatten_pp", "observed_rug", "jitter", "animated", "animation_kwargs", "labeller",
    "ax", "backend_kwargs", "show",
)  # fmt: skip

KINDS = ("kde", "hist", "cumulative", "scatter")

_MOST_VALUES = 60  # whole numbers that are shown one by one
_MOST_TICKS = 27  # and that have a tick each


def predictive(
    predicted: ArrayLike,
    data: ArrayLike | None = None,
    /,
    *,
    title: str,
    xlabel: str,
    kind: str = "kde",
    size: Sequence[float] = (12, 8),
    limits: tuple[float | None, float | None] = (None, None),
    source: str = "posterior",
    **options: Any,
) -> Figure:
    """Draw the distribution of predicted values, draw by draw, and that of the observed ones.

    Parameters
    ----------
    predicted : array of float, shape (draws, ...)
        Values that the model predicts in each draw.
    data : array of float, optional
        The observed values.
    title, xlabel : str
        Of the figure; `xlabel` with the units.
    kind : str
        ``"kde"`` (densities; for whole numbers the share of each), ``"hist"``, ``"cumulative"``.
        ``"scatter"`` is drawn as ``"kde"``.
    size : pair of float
        Inches.
    limits : pair of float or None
        Where the quantity ends: (0, 1) for a proportion.
    source : str
        ``"prior"`` or ``"posterior"``: what the draws are of.
    **options
        Of `DRAWN`; ``num_pp_samples`` is the number of draws that have a line of their own.

    Returns
    -------
    Figure
    """
    chosen = {**DRAWN, **options}
    draws = np.asarray(predicted, dtype=np.float64)
    draws = draws.reshape(len(draws), -1)
    seen = np.asarray(data, dtype=np.float64).ravel() if data is not None else None
    figure, axes = canvas(1, 1, size)
    axis = axes[0, 0]
    whole, grid = _whole(draws, seen)
    curve = _curve(kind, whole, grid, limits, draws)
    apart = whole and kind != "cumulative"
    drawn = "steps-mid" if apart else "default"
    colour = (chosen["colors"] or [PREDICTED])[0]
    n_lines = min(int(chosen["num_pp_samples"] or 0), len(draws))
    if draws.shape[1] > 1 and n_lines:
        rng = np.random.default_rng(chosen["random_seed"])
        alpha = chosen["alpha"] or max(0.15, min(0.6, 12 / n_lines))
        for place, at in enumerate(np.sort(rng.choice(len(draws), n_lines, replace=False))):
            label = f"{n_lines} of {len(draws)} {source} draws" if place == 0 else None
            x, y = _levels(*curve(draws[at])) if apart else curve(draws[at])
            axis.plot(x, y, color=colour, alpha=alpha, linewidth=0.8, label=label)
    if chosen["mean"] or draws.shape[1] == 1:
        x, y = curve(draws.ravel())
        named = f"all {source} draws together"
        axis.plot(x, y, color=colour, linewidth=2, linestyle="--", drawstyle=drawn, label=named)
    if seen is not None and chosen["observed"]:
        x, y = curve(seen)
        axis.plot(x, y, color=OBSERVED, linewidth=2, drawstyle=drawn, label="observed")
    _labels(axis, kind, whole, title, xlabel, chosen)
    if limits == (0.0, 1.0):
        axis.set_xlim(-0.02, 1.02)
    if whole and len(grid) <= _MOST_TICKS:
        axis.set_xticks(grid[1:-1])
    return figure


def _labels(
    axis: Axes, kind: str, whole: bool, title: str, xlabel: str, chosen: dict[str, Any]
) -> None:
    """Write what the axes are."""
    height = "share of values" if whole or kind == "hist" else "density"
    axis.set_ylabel("cumulative share" if kind == "cumulative" else height)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(xlabel)
    axis.set_title(title, fontsize=chosen["textsize"] or "large")
    if chosen["legend"]:
        for handle in axis.legend(frameon=False).get_lines():
            handle.set_alpha(1.0)  # a faint line cannot be told in a legend
    quiet(axis)


def _whole(draws: Array, data: Array | None) -> tuple[bool, Array]:
    """Say whether values are few whole numbers, and which."""
    parts = [draws.ravel()] + ([data] if data is not None else [])
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    if len(values) == 0 or np.any(values != np.rint(values)):
        return False, np.empty(0)
    low, high = float(values.min()), float(values.max())
    if high - low >= _MOST_VALUES:
        return False, np.empty(0)
    return True, np.arange(low - 1, high + 2)


def _curve(
    kind: str,
    whole: bool,
    grid: Array,
    limits: tuple[float | None, float | None],
    draws: Array,
) -> Callable[[Array], Curve]:
    """Give what turns values into a line."""
    if kind == "cumulative":
        return lambda values: (
            np.sort(values[np.isfinite(values)]),
            np.arange(1, np.isfinite(values).sum() + 1) / max(np.isfinite(values).sum(), 1),
        )
    if whole:
        edges = np.append(grid - 0.5, grid[-1] + 0.5)
        return lambda values: (grid, _shares(values, edges))
    if kind == "hist":
        finite = draws[np.isfinite(draws)]
        span = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        n_bins = int(np.clip(3 * draws.shape[1] ** (1 / 3), 10, 40))
        bins = np.linspace(*span, n_bins + 1)
        if span[1] == span[0]:
            bins = np.array([span[0] - 1, span[0] + 1])
        return lambda values: (np.repeat(bins, 2)[1:-1], np.repeat(_shares(values, bins), 2))
    # one width for all: a draw whose rows happen to lie close is no spike
    width = bandwidth(draws[np.isfinite(draws)], draws.shape[1] if draws.shape[1] > 1 else None)
    return lambda values: density(values, limits, width)


def _levels(grid: Array, shares: Array) -> Curve:
    """Give each whole number's share as a level of its own.

    The sides of steps coincide in all draws, and would stand out as if they were data.
    """
    ends = np.column_stack([grid - 0.5, grid + 0.5, np.full(len(grid), np.nan)])[1:-1]
    return ends.ravel(), np.repeat(shares[1:-1], 3)


def _shares(values: Array, edges: Array) -> Array:
    """Give the share of values in each cell."""
    counts = np.histogram(values, bins=edges)[0]
    return np.asarray(counts / max(int(np.isfinite(values).sum()), 1))
