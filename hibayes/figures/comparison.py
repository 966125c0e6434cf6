"""Models compared by how well they predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hibayes.figures.canvas import COLOURS, canvas, quiet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DRAWN: dict[str, Any] = {
    "plot_standard_error": True,
    "plot_ic_diff": True,
    "legend": True,
    "title": True,
    "figsize": (9, 3),
    "textsize": None,
}
"""Options, as ArviZ's ``plot_compare`` has them, with their defaults."""

KNOWN = (
    "insample_dev", "order_by_rank", "labeller", "plot_kwargs", "ax", "backend", "backend_kwargs",
    "show",
)  # fmt: skip


def comparison(table: pd.DataFrame, kind: str, **options: Any) -> Figure:
    """Draw each model's elpd with its standard error, and its difference to the best.

    Parameters
    ----------
    table : DataFrame
        Of `hibayes.arviz_bridge.compare`.
    kind : str
        ``"loo"`` or ``"waic"``.
    **options
        Of `DRAWN`.

    Returns
    -------
    Figure
        The best model on top.
    """
    chosen = {**DRAWN, **options}
    scale = str(table["scale"].iloc[0])
    size: Sequence[float] = chosen["figsize"] or DRAWN["figsize"]
    figure, axes = canvas(1, 1, size)
    figure.set_figheight(max(figure.get_figheight(), 0.5 * len(table) + 1.8))
    axis = axes[0, 0]
    places = range(len(table))
    values = table[f"elpd_{kind}"].to_numpy(dtype=float)
    errors = table["se"].to_numpy(dtype=float) if chosen["plot_standard_error"] else None
    axis.errorbar(values, places, xerr=errors, fmt="o", color=COLOURS[0], capsize=3,
                  label=f"elpd_{kind} ± 1 standard error")  # fmt: skip
    axis.axvline(values[0], color="#777777", linestyle="--", linewidth=1)
    if chosen["plot_ic_diff"] and len(table) > 1:
        axis.errorbar(values[1:], [p + 0.22 for p in places[1:]],
                      xerr=table["dse"].to_numpy(dtype=float)[1:], fmt="^", color=COLOURS[1],
                      capsize=3, markersize=5,
                      label="difference to the best ± 1 standard error")  # fmt: skip
    axis.set_yticks(list(places), [str(name) for name in table.index], fontsize=chosen["textsize"])
    axis.set_ylim(len(table) - 0.4, -0.6)
    axis.set_ylabel("model")
    better = "larger is better" if scale == "log" else "smaller is better"
    units = {"log": "nats", "negative_log": "−1 × nats", "deviance": "−2 × nats"}[scale]
    axis.set_xlabel(f"elpd_{kind} on the {scale.replace('_', ' ')} scale ({units}; {better})")
    if chosen["title"]:
        given = chosen["title"] if isinstance(chosen["title"], str) else None
        by = "PSIS leave-one-out" if kind == "loo" else "WAIC"
        axis.set_title(given or f"Comparison of models by {by}", fontsize="medium")
    if chosen["legend"]:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    axis.grid(axis="x", alpha=0.3)
    quiet(axis)
    return figure
