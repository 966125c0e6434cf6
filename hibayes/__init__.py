"""The Bayesian workbench: models of evaluation results, fitted by sampling.

It holds one piece today, the leave-one-run-out diagnostics that a predictor's ``loo`` takes from
its posterior draws: `loo_by_run`. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hibayes.loo import loo_by_run

_HOMES = {"loo_by_run": "hibayes.loo"}

__all__ = ["loo_by_run"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'hibayes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
