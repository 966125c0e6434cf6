"""The template environment of all pages: escaping, number formats, scripts and their policy."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2
import markupsafe

from leaderboard import palette, vega, words

__all__ = ["environment", "policy", "script", "text_of"]


@functools.cache
def environment() -> jinja2.Environment:
    """Make the template environment, once: everything is escaped, nothing may be undefined."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leaderboard", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": words.number,
        "signed": words.signed,
        "percent": words.percent,
        "p_value": words.p_value,
        "listing": words.listing,
        "text": text_of,
        "breakable": _breakable,
        "px": lambda value: f"{value:.1f}".removesuffix(".0"),
        "thousands": lambda value: f"{value:,}",
        "vega_json": vega.embedded,
        "data_rows": vega.data_rows,
        "plain_cell": _plain_cell,
    }
    environment.globals |= {
        "rank_set": words.rank_set,
        "number": words.number,
        "signed": words.signed,
        "palette": palette,
        "script": script,
        "policy": policy,
        "vega_available": lambda: vega.available(),  # asked when a page is made
        "vega_extra": vega.EXTRA,
    }
    return environment


def script(name: str) -> markupsafe.Markup:
    """Give one of our scripts, ``leaderboard/static/NAME.js``, as an element of a page."""
    return markupsafe.Markup("<script>{}</script>").format(markupsafe.Markup(_code(name)))


@functools.cache
def policy() -> str:
    """Give the content security policy of all pages.

    Scripts run only if they are ours (by their hashes) or loaded by them from the site's own files;
    nothing is evaluated, and nothing may be asked of any network.
    """
    names = sorted(
        entry.name.removesuffix(".js")
        for entry in resources.files("leaderboard").joinpath("static").iterdir()
        if entry.name.endswith(".js")
    )
    digests = (hashlib.sha256(_code(name).encode("utf-8")).digest() for name in names)
    hashes = " ".join(f"'sha256-{base64.b64encode(d).decode('ascii')}'" for d in digests)
    return (
        f"default-src 'none'; script-src 'strict-dynamic' {hashes}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@functools.cache
def _code(name: str) -> str:
    """Read one of our scripts."""
    path = resources.files("leaderboard").joinpath("static", f"{name}.js")
    return path.read_text(encoding="utf-8")


def text_of(value: Any) -> str:
    """Return any value of the manifest as text.

    Examples
    --------
    >>> text_of({"process": True, "seeds": [0, 1]})
    'process: True; seeds: 0, 1'
    """
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {text_of(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(text_of(inner) for inner in value)
    return words.clean(value)


def _plain_cell(value: Any) -> str:
    """Show a value of a figure's data: numbers with four digits that count."""
    if value is None or value != value:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return text_of(value)


def _breakable(name: str) -> markupsafe.Markup:
    """Return a name, escaped, that a browser may break before its settings."""
    head, bracket, settings = words.clean(name).partition("(")
    escape = markupsafe.escape
    return escape(head) + markupsafe.Markup("<wbr>" if bracket else "") + escape(bracket + settings)
