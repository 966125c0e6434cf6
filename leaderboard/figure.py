"""What a page needs to draw a figure: a Vega-Lite specification, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """A figure that a browser draws from its data.

    Attributes
    ----------
    name : str
        Unique on its page: letters, digits and hyphens.
    spec : mapping
        Vega-Lite specification as plain data, its values inline.
    summary : str
        What the figure shows, in a sentence or two: read aloud in its place, and shown where
        nothing can draw it.
    caption : str
        One line below the figure.
    """

    name: str
    spec: Mapping[str, Any]
    summary: str
    caption: str = ""
