"""Parameters two by two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes.figures.canvas import COLOURS, canvas, cut, quiet
from hibayes.figures.density import density

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN: dict[str, Any] = {
    "kind": "kde",
    "marginals": True,
    "divergences": True,
    "gridsize": 40,
    "textsize": None,
}
"""Options, as ArviZ's ``plot_pair`` has them, with their defaults (but for ``marginals``)."""

KNOWN = (
    "group", "filter_vars", "combine_dims", "coords", "colorbar", "labeller", "ax",
    "divergences_kwargs", "scatter_kwargs", "kde_kwargs", "hexbin_kwargs", "backend",
    "backend_config", "backend_kwargs", "marginal_kwargs", "point_estimate",
    "point_estimate_kwargs", "reference_values", "reference_values_kwargs", "show",
)  # fmt: skip

KINDS = ("kde", "scatter", "hexbin")

_MOST = 10
_POINTS = 2000
_CELLS = 90


def pair(
    draws: Mapping[str, np.ndarray[Any, Any]],
    *,
    title: str,
    size: Sequence[float] = (10, 10),
    diverging: np.ndarray[Any, Any] | None = None,
    **options: Any,
) -> Figure:
    """Draw each pair of scalars, and each scalar's density on the diagonal.

    Parameters
    ----------
    draws : mapping
        The scalar's label to its draws, shape (chains, draws).
    title : str
        Of the figure.
    size : pair of float
        Inches.
    diverging : ndarray of bool, shape (chains, draws), optional
        Draws that are marked.
    **options
        Of `DRAWN`; ``kind`` is one of `KINDS`, or several. The contours of ``kde`` hold 50, 80
        and 95 % of the draws.

    Returns
    -------
    Figure
    """
    chosen = {**DRAWN, **options}
    kinds = [chosen["kind"]] if isinstance(chosen["kind"], str) else list(chosen["kind"])
    varying = [name for name, values in draws.items() if np.nanstd(values) > 0]
    names = cut(varying, _MOST, title)
    n = len(names)
    figure, axes = canvas(max(n, 1), max(n, 1), size)
    marked = np.asarray(diverging, dtype=bool).ravel() if diverging is not None else None
    flat = {name: np.asarray(draws[name], dtype=np.float64).ravel() for name in names}
    text = chosen["textsize"] or ("small" if n <= 5 else "x-small")
    for row in range(n):
        for column in range(n):
            axis = axes[row, column]
            if column > row or (column == row and not chosen["marginals"]):
                axis.set_visible(False)
                continue
            x = flat[names[column]]
            if row == column:
                grid, height = density(x)
                axis.plot(grid, height, color=COLOURS[0])
                axis.set_yticks([])
                axis.set_ylim(bottom=0)
            else:
                _joint(axis, x, flat[names[row]], kinds, int(chosen["gridsize"]))
                if chosen["divergences"] and marked is not None and marked.any():
                    axis.plot(x[marked], flat[names[row]][marked], ".", color=COLOURS[1],
                              markersize=4)  # fmt: skip
            quiet(axis)
            axis.tick_params(labelsize="x-small")
            if row == n - 1:
                axis.set_xlabel(_wrapped(names[column]), fontsize=text)
            else:
                axis.tick_params(labelbottom=False)
            if column == 0 and row > 0:
                axis.set_ylabel(_wrapped(names[row]), fontsize=text)
            elif column > 0 and column != row:
                axis.tick_params(labelleft=False)
            if row == column == 0:
                axis.set_ylabel("density", fontsize=text)
    said = ["contours: 50, 80, 95 % of draws"] if "kde" in kinds else []
    if chosen["divergences"] and marked is not None and marked.any():
        said.append(f"orange: {int(marked.sum())} divergent draws")
    figure.suptitle(title + (f"\n({'; '.join(said)})" if said else ""), fontsize="large")
    return figure


def _joint(axis: Axes, x: Any, y: Any, kinds: Sequence[str], cells: int) -> None:
    """Draw two scalars against each other."""
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    if "scatter" in kinds:
        step = max(1, len(x) // _POINTS)
        axis.plot(x[::step], y[::step], ".", color=COLOURS[6], markersize=2, alpha=0.4)
    if "hexbin" in kinds:
        axis.hexbin(x, y, gridsize=cells, cmap="Blues", mincnt=1)
    if "kde" in kinds:
        from scipy.ndimage import gaussian_filter

        counts, xs, ys = np.histogram2d(x, y, bins=_CELLS, range=[_span(x), _span(y)])
        # Scott's rule, in cells
        widths = [
            max(float(v.std()) * len(v) ** (-1 / 6) / (edges[1] - edges[0]), 0.5)
            for v, edges in ((x, xs), (y, ys))
        ]
        smooth = gaussian_filter(counts, widths, mode="constant").T
        order = np.sort(smooth.ravel())[::-1]
        mass = np.cumsum(order) / order.sum()
        levels = sorted({float(order[np.searchsorted(mass, p)]) for p in (0.95, 0.8, 0.5)})
        middle = [(edges[:-1] + edges[1:]) / 2 for edges in (xs, ys)]
        axis.contourf(*middle, smooth, levels=[*levels, float(order[0]) * 1.001],
                      colors=["#C6DBEF", "#6BAED6", "#2171B5"][-len(levels) :])  # fmt: skip


def _span(values: Any) -> tuple[float, float]:
    """Give the range of the draws with room for the kernel."""
    room = 0.15 * float(np.ptp(values))
    return float(values.min()) - room, float(values.max()) + room


def _wrapped(name: str) -> str:
    """Break a long label at its bracket."""
    return name.replace("[", "\n[") if len(name) > 14 else name
