"""Vega-Lite figures: their look, the scripts that draw them in a page, and drawing without one.

The scripts (Vega, Vega-Lite, Vega-Embed and Vega's expression interpreter) come from the package
vl-convert-python, of the extra ``pages``. Without it pages show the figures' words and tables.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import markupsafe

from leaderboard.figure import Figure
from leaderboard.palette import LIGHT, coloured
from suites.errors import UsageError

__all__ = ["EXTRA", "FONT", "available", "data_rows", "drawn", "embedded", "write_scripts"]

EXTRA = "pages"
"""The extra that draws figures: ``pip install "benchcast[pages]"``."""

SCRIPT = "assets/vega.js"
"""Where a site has the scripts; `leaderboard/static/figures.js` loads them from there."""

VEGA_LITE = "6.4"
"""The version of Vega-Lite that pages are drawn with."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'

PAPER_FONT = "Liberation Sans, DejaVu Sans, Arial, Helvetica, sans-serif"
"""Fonts of figures in files: what is there on servers, since nothing is there to choose."""

CONFIG: dict[str, Any] = {
    "background": None,
    "aria": False,  # the page says in words what a figure shows
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "--soft",
        "titleColor": "--soft",
        "titleFontWeight": "normal",
        "labelFontSize": 12.5,
        "titleFontSize": 12.5,
        "titlePadding": 8,
        "gridColor": "--rule",
        "domainColor": "--soft",
        "tickColor": "--soft",
    },
    "axisY": {"labelColor": "--ink"},
    "legend": {
        "labelColor": "--ink",
        "titleColor": "--soft",
        "titleFontWeight": "normal",
        "labelFontSize": 12.5,
        "titleFontSize": 12.5,
        "labelLimit": 260,
    },
    "header": {"labelColor": "--ink", "titleColor": "--soft", "labelFontSize": 12.5},
    "title": {"color": "--ink", "fontSize": 13, "fontWeight": 600, "anchor": "start"},
    "text": {"color": "--ink", "fontSize": 12.5},
    "rule": {"color": "--soft"},
    "point": {"filled": True, "size": 70, "stroke": "--paper", "strokeWidth": 1, "opacity": 1},
    "range": {"category": [f"--c{i}" for i in range(1, 8)]},
}
"""The look of all figures; colours by their names in `leaderboard.palette`."""

_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def available() -> bool:
    """Say whether figures can be drawn here: whether the extra ``pages`` is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def write_scripts(folder: Path) -> bool:
    """Write what draws figures into the folder of a site, and the licences of what it contains.

    Parameters
    ----------
    folder : Path
        The site; ``assets/vega.js`` (0.9 MB) and ``assets/LICENCES.txt`` are written.

    Returns
    -------
    bool
        Whether they could be: see `available`.
    """
    if not available():
        return False
    from leaderboard.files import write_text

    target = folder / SCRIPT
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, _bundle())
    licences = resources.files("leaderboard").joinpath("static/vega-licences.txt")
    write_text(target.parent / "LICENCES.txt", licences.read_text(encoding="utf-8"))
    return True


def embedded(figure: Figure) -> markupsafe.Markup:
    r"""Give a figure's specification as JSON that may stand inside a script element of a page.

    Examples
    --------
    >>> print(embedded(Figure("a", {"title": "</script>"}, "Nothing."))[:38])
    {"title":"\u003c/script\u003e","config
    """
    whole = {**figure.spec, "config": {**CONFIG, **figure.spec.get("config", {})}}
    text = json.dumps(whole, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return markupsafe.Markup(text.translate(_UNSAFE))


def data_rows(figure: Figure) -> tuple[list[str], list[list[Any]]]:
    """Give a figure's data as the columns and rows of a table.

    Examples
    --------
    >>> data_rows(Figure("a", {"data": {"values": [{"x": 1, "mean_loss": 2.5}]}}, "Little."))
    (['x', 'mean loss'], [[1, 2.5]])
    """
    values = list(figure.spec.get("data", {}).get("values", ()))
    names = list(dict.fromkeys(name for row in values for name in row))
    rows = [[row.get(name) for name in names] for row in values]
    return [name.replace("_", " ") for name in names], rows


def drawn(spec: Mapping[str, Any], kind: str) -> bytes:
    """Draw a figure for paper, without a browser.

    Parameters
    ----------
    spec : mapping
        Vega-Lite specification.
    kind : str
        ``svg`` or ``png`` (three pixels for each point).

    Returns
    -------
    bytes
        Content of the file; the same for the same specification.

    Raises
    ------
    UsageError
        Without the extra ``pages``.
    """
    if not available():
        raise UsageError(
            f"drawing {kind} needs the package vl-convert-python, which is not installed: "
            f'pip install "benchcast[{EXTRA}]". The page (--format html) and the table '
            "(--format md) do without it."
        )
    import vl_convert

    look = {**CONFIG, "font": PAPER_FONT, "background": "--paper", **spec.get("config", {})}
    whole = coloured({**spec, "config": look}, LIGHT)
    if kind == "svg":
        return str(vl_convert.vegalite_to_svg(whole, vl_version=VEGA_LITE)).encode("utf-8")
    return bytes(vl_convert.vegalite_to_png(whole, vl_version=VEGA_LITE, scale=3.0))


@functools.cache
def _bundle() -> str:
    """Make the scripts as one; it takes a second or two."""
    import vl_convert

    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return f"/* Vega, Vega-Lite, Vega-Embed and what they use: see LICENCES.txt. */\n{text}\n"
