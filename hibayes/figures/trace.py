"""Chains side by side: their densities, and their draws in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes.figures.canvas import COLOURS, canvas, cut, quiet
from hibayes.figures.density import density

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN: dict[str, Any] = {"compact": True, "combined": False, "legend": True, "divergences": True}
"""Options, as ArviZ's ``plot_trace`` has them, with their defaults."""

KNOWN = (
    "filter_vars", "coords", "kind", "rug", "lines", "circ_var_names", "circ_var_units",
    "compact_prop", "chain_prop", "plot_kwargs", "fill_kwargs", "rug_kwargs", "hist_kwargs",
    "trace_kwargs", "rank_kwargs", "labeller", "axes", "backend", "backend_config",
    "backend_kwargs", "show",
)  # fmt: skip

_MOST = 40
_ROW = 1.9  # inches
_STYLES = ("-", "--", ":", "-.")
_POINTS = 2000  # of a chain are drawn


def trace(
    draws: Mapping[str, Mapping[str, np.ndarray[Any, Any]]],
    *,
    title: str,
    xlabel: str,
    size: Sequence[float] = (10, 5),
    diverging: np.ndarray[Any, Any] | None = None,
    **options: Any,
) -> Figure:
    """Draw densities (left) and draws in order (right), a row for each variable.

    Parameters
    ----------
    draws : mapping of mappings
        Variable to its scalars' labels to their draws, shape (chains, draws).
    title, xlabel : str
        Of the figure; `xlabel` with the units of the values.
    size : pair of float
        Inches; higher where there are many variables.
    diverging : ndarray of bool, shape (chains, draws), optional
        Marked below the draws.
    **options
        Of `DRAWN`. Without ``compact`` each scalar has a row.

    Returns
    -------
    Figure
        Colours tell levels apart where there are several in a row, else chains; then line styles
        tell chains apart.
    """
    chosen = {**DRAWN, **options}
    listed: list[tuple[str, Mapping[str, np.ndarray[Any, Any]]]] = list(draws.items())
    if not chosen["compact"]:
        listed = [(label, {label: part}) for _, of in draws.items() for label, part in of.items()]
    shown = cut(listed, _MOST, title)
    figure, axes = canvas(max(len(shown), 1), 2, size, row_height=_ROW)
    first_single = next((row for row, (_, of) in enumerate(shown) if len(of) == 1), None)
    for row, (name, levels) in enumerate(shown):
        left, right = axes[row]
        several = len(levels) > 1
        for place, (label, values) in enumerate(levels.items()):
            values = np.asarray(values, dtype=np.float64)
            chains = [values.ravel()] if chosen["combined"] else list(values)
            for chain, part in enumerate(chains):
                colour = COLOURS[(place if several else chain) % len(COLOURS)]
                style = _STYLES[chain % len(_STYLES)] if several else "-"
                named = label if several else f"chain {chain}"
                grid, height = density(part)
                first = named if not several or chain == 0 else None
                left.plot(grid, height, color=colour, linestyle=style, linewidth=1.1, label=first)
                step = max(1, len(part) // _POINTS)
                right.plot(np.arange(len(part))[::step], part[::step], color=colour, linewidth=0.5,
                           alpha=0.6)  # fmt: skip
        if chosen["divergences"] and diverging is not None and np.any(diverging):
            at = np.flatnonzero(np.any(diverging, axis=0))
            right.plot(at, np.full(len(at), 0.04), "|", color="black", markersize=9,
                       transform=right.get_xaxis_transform())  # fmt: skip
        left.set_title(name, fontsize="medium")
        right.set_title(f"{name}: draws in order", fontsize="medium")
        left.set_ylabel("density")
        right.set_ylabel("value")
        left.set_ylim(bottom=0)
        quiet(left)
        quiet(right)
        if chosen["legend"] and (1 < len(levels) <= 10 or row == first_single):
            right.legend(*left.get_legend_handles_labels(), fontsize="x-small", frameon=False,
                         loc="upper left", bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    for column, label in enumerate((xlabel, "draw")):
        if len(shown):
            axes[-1, column].set_xlabel(label)
    said = []
    if any(len(levels) > 1 for _, levels in shown) and not chosen["combined"]:
        said.append("where colours are levels, line styles are chains")
    if chosen["divergences"] and diverging is not None and np.any(diverging):
        said.append("black ticks: divergent draws")
    figure.suptitle(title + (f"\n({'; '.join(said)})" if said else ""), fontsize="large")
    return figure
