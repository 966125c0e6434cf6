"""HELM's results: the objects that walk its folders, its four frames, its reader.

The reader never needs HELM itself. What stands here is imported when it is touched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suites.helm.frames import DotDictDataFrame
    from suites.helm.objects import HelmOutputs, HelmRun, HelmRuns, HelmSuite, HelmSuites
    from suites.helm.reader import HelmReader

__all__ = [
    "DotDictDataFrame",
    "HelmOutputs",
    "HelmReader",
    "HelmRun",
    "HelmRuns",
    "HelmSuite",
    "HelmSuites",
]

_HOME = {
    "DotDictDataFrame": "suites.helm.frames",
    "HelmOutputs": "suites.helm.objects",
    "HelmReader": "suites.helm.reader",
    "HelmRun": "suites.helm.objects",
    "HelmRuns": "suites.helm.objects",
    "HelmSuite": "suites.helm.objects",
    "HelmSuites": "suites.helm.objects",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
