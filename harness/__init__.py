"""Predict held-out evaluation runs, and score the predictions.

``harness.evaluate(...)`` runs predictors over a suite; `RunPredictor` and `InstancePredictor` are
the contract they are written against. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.comparison import compare_models
    from harness.data_splits import DataSplit, SequesteredTestSplit, TestSplit, TrainSplit
    from harness.evaluation import evaluate
    from harness.instance_predictor import InstancePrediction, InstancePredictor
    from harness.mending import evaluate_failed
    from harness.merging import merge
    from harness.predictor import Predictor, RunPrediction, RunPredictor
    from harness.question import Question, predict_run
    from harness.results import Results
    from harness.scoring import score_predictions
    from harness.split_folder import write_split
    from harness.submitting import submit
    from harness.vector import evaluate_all
    from harness.vector_results import VectorResults
    from suites.helm.objects import HelmOutputs, HelmRun, HelmRuns, HelmSuite, HelmSuites

_HOMES = {
    "DataSplit": "harness.data_splits",
    "HelmOutputs": "suites.helm.objects",
    "HelmRun": "suites.helm.objects",
    "HelmRuns": "suites.helm.objects",
    "HelmSuite": "suites.helm.objects",
    "HelmSuites": "suites.helm.objects",
    "InstancePrediction": "harness.instance_predictor",
    "InstancePredictor": "harness.instance_predictor",
    "Predictor": "harness.predictor",
    "Results": "harness.results",
    "RunPrediction": "harness.predictor",
    "RunPredictor": "harness.predictor",
    "SequesteredTestSplit": "harness.data_splits",
    "TestSplit": "harness.data_splits",
    "TrainSplit": "harness.data_splits",
    "VectorResults": "harness.vector_results",
    "Question": "harness.question",
    "compare_models": "harness.comparison",
    "evaluate": "harness.evaluation",
    "evaluate_all": "harness.vector",
    "evaluate_failed": "harness.mending",
    "merge": "harness.merging",
    "predict_run": "harness.question",
    "score_predictions": "harness.scoring",
    "submit": "harness.submitting",
    "write_split": "harness.split_folder",
}

__all__ = [
    "DataSplit",
    "HelmOutputs",
    "HelmRun",
    "HelmRuns",
    "HelmSuite",
    "HelmSuites",
    "InstancePrediction",
    "InstancePredictor",
    "Predictor",
    "Question",
    "Results",
    "RunPrediction",
    "RunPredictor",
    "SequesteredTestSplit",
    "TestSplit",
    "TrainSplit",
    "VectorResults",
    "compare_models",
    "evaluate",
    "evaluate_all",
    "evaluate_failed",
    "merge",
    "predict_run",
    "score_predictions",
    "submit",
    "write_split",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
