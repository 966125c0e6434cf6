"""Names of pages: safe for file systems, unique and lasting, whatever a predictor is called."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

__all__ = ["cell_addresses", "predictor_addresses", "slugs"]

LONGEST = 64
"""Characters of a slug, without its hash: file systems take 255 bytes, people fewer."""

_PLAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HASHED = re.compile(r".*-[0-9a-f]{12}(-[0-9]+)?")
_TAKEN = re.compile(r"index|con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""Names of our own, and of devices where the file system is Windows's."""


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Give every name a file name without its ending.

    A name of small letters, digits and single hyphens is its own slug. Any other keeps what of it
    is such, and is told apart by a hash of the whole name: so the slug of a name is the same
    whatever other names there are (but for two whose hashes collide, which are numbered).

    Parameters
    ----------
    names : iterable of str
        Untrusted; repeated ones count once.

    Returns
    -------
    dict of str to str
        Name → slug of ``a-z``, ``0-9`` and hyphens; all different, also where the file system does
        not tell small letters from capitals.

    Examples
    --------
    >>> slugs(["kernel-ridge", "Kernel-Ridge(ridge=5)", "../index"])["kernel-ridge"]
    'kernel-ridge'
    >>> slugs(["Kernel-Ridge(ridge=5)"])
    {'Kernel-Ridge(ridge=5)': 'kernel-ridge-ridge-5-2fc77b45d081'}
    """
    out: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(set(names)):
        slug, number = _slug(name), 1
        free = slug
        while free in taken:
            number += 1
            free = f"{slug}-{number}"
        taken.add(free)
        out[name] = free
    return out


def predictor_addresses(names: Iterable[str]) -> dict[str, str]:
    """Give the addresses of predictors' pages, relative to the site.

    Examples
    --------
    >>> predictor_addresses(["kernel-ridge"])
    {'kernel-ridge': 'predictors/kernel-ridge.html'}
    """
    return {name: f"predictors/{slug}.html" for name, slug in slugs(names).items()}


def cell_addresses(cells: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Give the addresses of the pages of cells, (model, scenario), relative to the site.

    Examples
    --------
    >>> cell_addresses([("meta/llama-3", "mmlu")])
    {('meta/llama-3', 'mmlu'): 'cells/meta-llama-3-mmlu-dc908e5a840b.html'}
    """
    names = {cell: "\x1f".join(cell) for cell in cells}
    found = slugs(names.values())
    return {cell: f"cells/{found[name]}.html" for cell, name in names.items()}


def _slug(name: str) -> str:
    """Give a name's slug, not looking at other names."""
    if (
        len(name) <= LONGEST
        and _PLAIN.fullmatch(name)
        and not _HASHED.fullmatch(name)
        and not _TAKEN.fullmatch(name)
    ):
        return name
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST].rstrip("-")
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{kept or 'x'}-{digest}"
