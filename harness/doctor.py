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
    "pages": ("vl-convert-python",),
    "dist": ("dask", "s3fs"),
}
OURS: tuple[str, ...] = ("harness", "predictors", "hibayes", "suites", "leaderboard")


def examine() -> dict[str, dict[str, Any]]:
    """Look at the installation.

    Returns
    -------
    dict of str to dict
        Sections: ``machine``, ``packages``, ``extras`` (what is missing, and how to get it),
        ``isolation`` (what each level leaves open), ``more isolation`` (how to get a better one),
        ``conflicts`` (other distributions with one of our import names),
        ``registered``.

    Examples
    --------
    >>> sorted(examine())
    ['conflicts', 'extras', 'isolation', 'machine', 'more isolation', 'packages', 'registered']
    """
    return {
        "machine": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
            "cache": _cache(),
        },
        "packages": {name: _version(name) or "missing" for name in CORE},
        "extras": {name: _extra(name, needed) for name, needed in EXTRAS.items()},
        "isolation": isolation(),
        "more isolation": _more_isolation(),
        "conflicts": _conflicts(),
        "registered": {
            group: ", ".join(sorted(p.name for p in entry_points(group=f"benchcast.{group}")))
            for group in ("readers", "predictors")
        },
    }


def isolation() -> dict[str, str]:
    """Say of each level of the jail whether it is offered here, and what it leaves open.

    Examples
    --------
    >>> isolation()["process"].startswith("yes; open: ")
    True
    """
    from harness.jail.openings import ATTACKS, Machine, left_open
    from harness.jail.probe import reached

    machine = Machine.here()
    said = {}
    for level, why in reached().items():
        open_ = "; ".join(ATTACKS[name] for name in left_open(level, machine))
        said[level] = f"no: {why}" if why else f"yes; open: {open_ or 'nothing that is known'}"
    return said


def _more_isolation() -> dict[str, str]:
    """Say how to get the better levels, of those that this machine does not offer."""
    from harness.jail.probe import available_levels, reached

    if available_levels()[0] == "strong":
        return {"": "the best level is there"}
    advice = {
        "strong": "needs Linux 5.12 and namespaces. As an ordinary user: `sysctl "
        "user.max_user_namespaces` above 0; older Debian: `sysctl "
        "kernel.unprivileged_userns_clone=1`; Ubuntu 24.04 and newer: `sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0`, or an AppArmor profile for Python. In "
        "Docker or Podman: `--cap-add SYS_ADMIN --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined`, as root.",
        "medium": "needs Linux 6.2 with Landlock: `landlock` among the `lsm=` of the kernel's "
        "command line.",
        "weak": "needs, for root, an interpreter where other users can read it: one in /root is "
        "closed to them. An ordinary user always has it on Linux.",
    }
    return {level: advice[level] for level in advice if reached()[level]}


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
