"""The Bayesian workbench: models of evaluation results, fitted by sampling.

The workflow of HiBayES, under its names: ``hibayes.load``, ``.process``, ``.model``, ``.check``,
``.communicate``, and `hibayes.analysis` for its stages. `loo_by_run` is the leave-one-run-out
diagnostic that a predictor's ``loo`` takes from its posterior draws.
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
