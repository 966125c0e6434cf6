"""The colours of pages and figures, in one place: names that style sheets and figures use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["DARK", "LIGHT", "coloured"]

LIGHT: dict[str, str] = {
    "paper": "#ffffff",
    "panel": "#f6f7f8",
    "ink": "#1c2024",
    "soft": "#575e66",
    "rule": "#d9dde1",
    "link": "#0b5394",
    "c0": "#4a4f55",
    "c1": "#0072b2",
    "c2": "#c24a00",
    "c3": "#00795a",
    "c4": "#a33b7c",
    "c5": "#8a6500",
    "c6": "#5b4fc4",
    "c7": "#7d3f1d",
}
"""Name → colour on white paper. ``c0`` is the reference's; ``c1`` … ``c7`` are told apart by people
who do not see all colours, with markers beside them."""

DARK: dict[str, str] = {
    "paper": "#14171a",
    "panel": "#1d2125",
    "ink": "#e7eaed",
    "soft": "#a5adb5",
    "rule": "#363c42",
    "link": "#8ec5f5",
    "c0": "#c3c9cf",
    "c1": "#5cb8ee",
    "c2": "#ff9457",
    "c3": "#45cda5",
    "c4": "#ea92c6",
    "c5": "#e3bd4f",
    "c6": "#ada6ff",
    "c7": "#d9a27f",
}
"""The same where the reader prefers dark pages."""


def coloured(spec: Any, colours: Mapping[str, str]) -> Any:
    """Put colours in the place of their names (``"--ink"``) in a specification, but for its data.

    In a page a script does the same, by the style sheet's colours at that moment.

    Parameters
    ----------
    spec : mapping, list or value
        Vega-Lite specification, or a part of it.
    colours : mapping of str to str
        `LIGHT` or `DARK`.

    Examples
    --------
    >>> coloured({"mark": {"color": "--ink"}, "data": {"values": [{"name": "--ink"}]}}, LIGHT)
    {'mark': {'color': '#1c2024'}, 'data': {'values': [{'name': '--ink'}]}}
    """
    if isinstance(spec, Mapping):
        return {
            name: inner if name in ("data", "datasets") else coloured(inner, colours)
            for name, inner in spec.items()
        }
    if isinstance(spec, (list, tuple)):
        return [coloured(inner, colours) for inner in spec]
    if isinstance(spec, str) and spec.startswith("--"):
        return colours.get(spec[2:], spec)
    return spec
