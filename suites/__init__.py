"""Read evaluation results: HELM suites, Inspect logs and score tables fill the same tables.

``suites.read(...)`` gives a `Suite` of runs; the HELM objects (`HelmOutputs`, `HelmSuites`,
`HelmSuite`, `HelmRuns`, `HelmRun`) and those of Inspect (`InspectRuns`, `InspectRun`) give HELM's
frames. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suites.errors import BenchcastError, NotInstalled, ReadError, UsageError
    from suites.helm.objects import HelmOutputs, HelmRun, HelmRuns, HelmSuite, HelmSuites
    from suites.identity import Identity
    from suites.inspect.objects import InspectRun, InspectRuns
    from suites.metric_rules import MetricRules
    from suites.problem import Problem
    from suites.reading import read
    from suites.selection import Selection
    from suites.suite import Suite

_HOMES = {
    "BenchcastError": "suites.errors",
    "HelmOutputs": "suites.helm.objects",
    "HelmRun": "suites.helm.objects",
    "HelmRuns": "suites.helm.objects",
    "HelmSuite": "suites.helm.objects",
    "HelmSuites": "suites.helm.objects",
    "Identity": "suites.identity",
    "InspectRun": "suites.inspect.objects",
    "InspectRuns": "suites.inspect.objects",
    "MetricRules": "suites.metric_rules",
    "NotInstalled": "suites.errors",
    "Problem": "suites.problem",
    "ReadError": "suites.errors",
    "Selection": "suites.selection",
    "Suite": "suites.suite",
    "UsageError": "suites.errors",
    "read": "suites.reading",
}

__all__ = [
    "BenchcastError",
    "HelmOutputs",
    "HelmRun",
    "HelmRuns",
    "HelmSuite",
    "HelmSuites",
    "Identity",
    "InspectRun",
    "InspectRuns",
    "MetricRules",
    "NotInstalled",
    "Problem",
    "ReadError",
    "Selection",
    "Suite",
    "UsageError",
    "read",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'suites' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
