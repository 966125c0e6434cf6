"""Let a predictor predict, and write down what it returned."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

from harness.data_splits import DataSplit, SequesteredTestSplit, TrainSplit
from harness.instance_predictor import InstancePredictor, numbered
from harness.instance_table import Requests, encode_instances
from harness.prediction_table import Answer, encode

if TYPE_CHECKING:
    import pandas as pd

_Split = TypeVar("_Split", bound=DataSplit)

__all__ = ["answer_of", "as_wanted"]


def as_wanted(split: _Split, predictor: Any) -> _Split:
    """Give a split as a predictor's kind wants it: those of responses get numbered requests."""
    return numbered(split) if isinstance(predictor, InstancePredictor) else split


def answer_of(
    predictor: Any, train: TrainSplit, test: SequesteredTestSplit, targets: pd.DataFrame
) -> Answer:
    """Call `predict`, and resolve what it returns to targets.

    Parameters
    ----------
    predictor : object
        A predictor of run values, or an `InstancePredictor`.
    train, test
        What it is given; ``train`` as `as_wanted` gives it.
    targets : DataFrame
        What is asked for, in a frame that the predictor does not have.
    """
    if not isinstance(predictor, InstancePredictor):
        return encode(predictor.predict(train, test), targets)
    # a predictor may change the frames that it was given
    requests = Requests(targets, numbered(copy.copy(test)))
    return encode_instances(predictor.predict(train, numbered(test)), targets, requests)
