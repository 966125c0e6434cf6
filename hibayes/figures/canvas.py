"""What all figures share: the canvas, colours, options that configurations give."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from suites.errors import NotInstalled, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

COLOURS: tuple[str, ...] = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F7F7F",
    "#B8A800",
)
"""Told apart by people with any colour vision (Okabe & Ito)."""

OBSERVED = "#111111"
PREDICTED = COLOURS[0]

_TALLEST = 100.0  # inches; at 300 dots per inch matplotlib's limit is 218


def canvas(
    rows: int = 1,
    columns: int = 1,
    size: Sequence[float] = (8, 5),
    *,
    row_height: float = 0.0,
    **options: Any,
) -> tuple[Figure, Any]:
    """Make a figure and its axes.

    Parameters
    ----------
    rows, columns : int
        Of axes.
    size : sequence of float
        Width and height, inches; the height grows where rows need more.
    row_height : float
        Inches that a row of axes needs.
    **options
        For matplotlib's ``subplots``.

    Returns
    -------
    figure : Figure
    axes : ndarray of Axes, shape (rows, columns)

    Raises
    ------
    NotInstalled
        If matplotlib cannot be imported.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as err:
        raise NotInstalled(
            f"plots need matplotlib, which cannot be imported ({err}). "
            "Install it with: pip install 'benchcast[plot]'"
        ) from err
    width, height = pair_of(size, "figsize")
    height = min(max(height, rows * row_height + 1.0), max(_TALLEST, height))
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def pair_of(value: Any, name: str) -> tuple[float, float]:
    """Read two positive numbers.

    Raises
    ------
    UsageError
        If they are not.
    """
    try:
        width, height = (float(part) for part in value)
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be two numbers, width and height, not {value!r}.") from None
    if not (width > 0 and height > 0):
        raise UsageError(f"{name} must be two positive numbers, not {value!r}.")
    return width, height


def options(
    given: Mapping[str, Any], drawn: Mapping[str, Any], known: Sequence[str], owner: str
) -> dict[str, Any]:
    """Read the options of a plot.

    Parameters
    ----------
    given : mapping
        What a configuration gives.
    drawn : mapping
        Options that the figure honours, with their defaults.
    known : sequence of str
        Options of ArviZ's plot that it does not honour: a warning says that they are ignored.
    owner : str
        The component, for messages.

    Raises
    ------
    UsageError
        For an option that is neither.

    Examples
    --------
    >>> options({"combined": True}, {"combined": False, "hdi_prob": 0.94}, [], "forest_plot")
    {'combined': True, 'hdi_prob': 0.94}
    """
    for name in given:
        if name in drawn:
            continue
        if name in known:
            logger.warning("%s: the option %r is not supported and is ignored.", owner, name)
            continue
        near = difflib.get_close_matches(name, [*drawn, *known], n=1, cutoff=0.6)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UsageError(f"{owner}: unknown option {name!r}{hint}. Options: {sorted(drawn)}")
    return {**drawn, **{name: value for name, value in given.items() if name in drawn}}


def quiet(axes: Axes) -> None:
    """Take away the frame's upper and right sides."""
    axes.spines[["top", "right"]].set_visible(False)


def cut(listed: Sequence[Any], most: int, what: str) -> list[Any]:
    """Take the first of many, and say so."""
    if len(listed) > most:
        logger.warning(
            "%s: the first %d of %d are drawn; name variables with `vars` to choose.",
            what,
            most,
            len(listed),
        )
    return list(listed[:most])
