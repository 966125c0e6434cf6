"""Draw the predictive distribution of a run, before and after what was observed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.distribution import CountPmf, Distribution
from suites.errors import NotInstalled, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.question import Forecast

__all__ = ["check_plot", "plot_forecast"]

FORMATS: tuple[str, ...] = (".png", ".svg")
"""Endings of the files that can be drawn."""

_BEFORE, _AFTER, _KNOWN = "#7F7F7F", "#0072B2", "#D55E00"  # told apart with any colour vision
_CELLS = 200


def check_plot(path: str) -> None:
    """Refuse a plot that cannot be drawn, before anything is computed for it.

    Raises
    ------
    UsageError
        If the file's ending is not known, or its folder is not there.
    NotInstalled
        If matplotlib is not installed.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise UsageError(f"--plot {path}: the file must end in {' or '.join(FORMATS)}.")
    if not Path(path).absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {Path(path).parent}.")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as err:
        raise NotInstalled(
            f"plots need matplotlib, which cannot be imported ({err}). "
            "Install it with: pip install 'benchcast[plot]'"
        ) from err


def plot_forecast(forecast: Forecast, path: str) -> None:
    """Draw a forecast into a file, PNG or SVG.

    Parameters
    ----------
    forecast : Forecast
        Its distributions before and after the observed responses, as far as it has them.
    path : str
        The file; its ending decides the format.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.figure import Figure

    row = forecast.asked.row
    bounded = row["lower"] is not None and row["upper"] is not None
    lower = row["lower"] if bounded else 0.0

    def scaled(x: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray((np.asarray(x) - lower) * forecast.unit)

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    k = forecast.asked.k
    shown = [
        ("before any response", forecast.before, _BEFORE),
        (f"after {k} responses", forecast.after, _AFTER),
    ]
    for label, distribution, colour in shown:
        if distribution is None:
            continue
        edges, height = _heights(distribution)
        low, high = scaled(distribution.quantile(np.array([0.05, 0.95])))
        name = f"{label}: 90 % in {low:.3g} – {high:.3g}"
        axes.stairs(height, scaled(edges), fill=True, color=colour, alpha=0.25)
        axes.stairs(height, scaled(edges), color=colour, label=name)
    if forecast.value is not None:
        value = float(scaled(forecast.value))
        axes.axvline(value, color=_KNOWN, label=f"the source has it: {value:.3g}")
    part = f"@{row['part']}" if row["part"] else ""
    axes.set_xlabel(f"{row['metric']}{part}{', points' if bounded else ''}")
    axes.set_ylabel("probability of a step")
    axes.set_ylim(bottom=0)
    axes.set_title(f"{row['model']} on {row['scenario']}", fontsize="medium")
    axes.legend(fontsize="small")
    # the same forecast gives the same file
    with matplotlib.rc_context({"svg.hashsalt": "benchcast"}):
        metadata = {"Date": None} if path.lower().endswith(".svg") else None
        try:
            figure.savefig(path, dpi=150, metadata=metadata)
        except OSError as err:
            raise UsageError(f"--plot {path}: cannot be written: {err}.") from err


def _heights(distribution: Distribution) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give the edges of steps and the probability of each: of counts, else of equal cells."""
    if isinstance(distribution, CountPmf):
        step = (distribution.upper - distribution.lower) / distribution.n
        places = np.arange(distribution.n + 2) - 0.5
        return distribution.lower + step * places, np.asarray(distribution.pmf, float)
    low, high = distribution.quantile(np.array([0.001, 0.999]))
    margin = 0.05 * (high - low) or 0.01 * max(abs(low), 1.0)
    places = np.arange(_CELLS + 1.0) / _CELLS
    edges: NDArray[np.float64] = low - margin + (high - low + 2 * margin) * places
    return edges, np.diff(distribution.cdf(edges))
