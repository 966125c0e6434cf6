"""What an installation can do, for ``harness doctor``."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib.metadata import PackageNotFoundError, entry_points, packages_distributions, version
from typing import Any

CORE: tuple[str, ...] = (
    "benchcast",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "msgspec",
    "zstandard",
)
EXTRAS: dict[str, tuple[str, ...]] = {
    "bayes": ("numpyro", "jax", "arviz"),
    "inspect": ("inspect-ai",),
    "helm": ("crfm-helm",),
    "plot": ("matplotlib",),
    "dist": ("dask", "s3fs"),
}
OURS: tuple[str, ...] = ("harness", "predictors", "hibayes", "suites", "leaderboard")


def examine() -> dict[str, dict[str, Any]]:
    """Look at the installation.

    Returns
    -------
    dict of str to dict
        Sections: ``machine``, ``packages``, ``extras`` (what is missing, and how to get it),
        ``isolation``, ``conflicts`` (other distributions with one of our import names),
        ``registered``.

    Examples
    --------
    >>> sorted(examine())
    ['conflicts', 'extras', 'isolation', 'machine', 'packages', 'registered']
    """
    fork = hasattr(os, "fork")
    return {
        "machine": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
            "cache": _cache(),
        },
        "packages": {name: _version(name) or "missing" for name in CORE},
        "extras": {name: _extra(name, needed) for name, needed in EXTRAS.items()},
        "isolation": {
            "process": "yes: workers are forked from a clean process" if fork else "no fork here",
            "none": "yes, for classes of a notebook",
        },
        "conflicts": _conflicts(),
        "registered": {
            group: ", ".join(sorted(p.name for p in entry_points(group=f"benchcast.{group}")))
            for group in ("readers", "predictors")
        },
    }


def _extra(name: str, needed: tuple[str, ...]) -> str:
    there = {package: _version(package) for package in needed}
    if all(there.values()):
        return ", ".join(f"{package} {number}" for package, number in there.items())
    return f"not installed: pip install 'benchcast[{name}]'"


def _conflicts() -> dict[str, str]:
    owners = packages_distributions()
    found = {}
    for name in OURS:
        others = sorted(set(owners.get(name, ())) - {"benchcast"})
        if others:
            found[name] = f"also installed by {', '.join(others)}: uninstall one of them"
        elif importlib.util.find_spec(name) is None:
            found[name] = "cannot be imported: reinstall benchcast"
    return found or {"none": "no other distribution uses our import names"}


def _cache() -> str:
    from suites.demo_data import cache_dir

    return str(cache_dir())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
