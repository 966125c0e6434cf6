"""Intervals of many parameters, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes.figures.canvas import COLOURS, canvas, cut, quiet
from hibayes.figures.density import hdi

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN: dict[str, Any] = {
    "combined": False,
    "hdi_prob": 0.94,
    "quartiles": True,
    "rope": None,
    "colors": None,
    "linewidth": None,
    "markersize": None,
    "textsize": None,
}
"""Options, as ArviZ's ``plot_forest`` has them, with their defaults."""

KNOWN = (
    "kind", "model_names", "filter_vars", "coords", "combine_dims", "ess", "r_hat", "legend",
    "labeller", "ridgeplot_alpha", "ridgeplot_overlap", "ridgeplot_kind", "ridgeplot_truncate",
    "ridgeplot_quantiles", "ax", "backend", "backend_config", "backend_kwargs", "show",
)  # fmt: skip

_MOST = 300
_ROW = 0.27  # inches


def forest(
    draws: Mapping[str, np.ndarray[Any, Any]],
    *,
    title: str,
    xlabel: str,
    size: Sequence[float] = (10, 5),
    vertical_line: float | None = None,
    **options: Any,
) -> Figure:
    """Draw medians and intervals, one row per scalar.

    Parameters
    ----------
    draws : mapping
        The scalar's label to its draws, shape (chains, draws).
    title, xlabel : str
        Of the figure; `xlabel` with the units.
    size : pair of float
        Inches.
    vertical_line : float, optional
        Where a reference line stands.
    **options
        Of `DRAWN`.

    Returns
    -------
    Figure
    """
    chosen = {**DRAWN, **options}
    names = cut(list(draws), _MOST, title)
    figure, axes = canvas(1, 1, size)
    figure.set_figheight(max(figure.get_figheight(), _ROW * len(names) + 1.4))
    axis = axes[0, 0]
    width = float(chosen["linewidth"] or 1.6)
    dot = float(chosen["markersize"] or 5)
    colours = _colours(chosen["colors"])
    if chosen["rope"] is not None:
        axis.axvspan(*chosen["rope"], color="#E69F00", alpha=0.2, zorder=0)
    if vertical_line is not None:
        axis.axvline(float(vertical_line), color="#555555", linestyle="--", linewidth=1, zorder=1)
    for place, name in enumerate(names):
        values = np.asarray(draws[name], dtype=np.float64)
        parts = [values.ravel()] if chosen["combined"] else list(values)
        for chain, part in enumerate(parts):
            offset = 0.0 if len(parts) == 1 else 0.5 * (chain / (len(parts) - 1) - 0.5)
            colour = colours[chain % len(colours)]
            low, high = hdi(part, chosen["hdi_prob"])
            axis.plot([low, high], [place + offset] * 2, color=colour, linewidth=width)
            if chosen["quartiles"]:
                inner = np.nanquantile(part, [0.25, 0.75]) if np.isfinite(part).any() else ()
                if len(inner):
                    axis.plot(inner, [place + offset] * 2, color=colour, linewidth=2.6 * width)
            middle = np.nanmedian(part) if np.isfinite(part).any() else np.nan
            axis.plot(middle, place + offset, "o", markersize=dot, color="white",
                      markeredgecolor=colour, markeredgewidth=width)  # fmt: skip
    axis.set_yticks(range(len(names)), names, fontsize=chosen["textsize"])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_ylabel("parameter")
    axis.set_xlabel(xlabel)
    axis.grid(axis="x", alpha=0.3)
    quiet(axis)
    of = "" if chosen["combined"] else "one line per chain; "
    thick = "thick: middle 50 %, " if chosen["quartiles"] else ""
    axis.set_title(
        f"{title}\n({of}circle: median, {thick}line: {100 * chosen['hdi_prob']:g} % HDI)",
        fontsize="medium",
    )
    return figure


def _colours(given: Any) -> Sequence[str]:
    """Read the colours: one, several, or ArviZ's ``cycle``."""
    if given is None or given == "cycle":
        return COLOURS
    return [given] if isinstance(given, str) else list(given)
