"""The reference of tasks that ask for single responses."""

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.testing import PredictorContract
from predictors.item_mean import ItemMean

KEYS = {"metric": "acc", "part": None, "perturbation": None, "scenario": "s", "condition": "c"}


class TestItemMean(PredictorContract):
    spec = ItemMean
    tolerance = 0.0


def frame(rows, **more) -> pd.DataFrame:
    """Make responses of (instance, value), all else as in `KEYS` or said."""
    table = pd.DataFrame(rows, columns=["instance", "value"])
    return table.assign(**{**KEYS, "status": "ok", **more})


def ask(responses, asked) -> dict[str, float]:
    table = pd.DataFrame(asked).assign(lower=0.0, upper=1.0)
    table["target"] = [f"t{i}" for i in range(len(table))]
    test = SequesteredTestSplit(targets=table, k=0)
    found = ItemMean().predict(TrainSplit(responses=responses), test)
    return {p.target: p.mean for p in found}


def test_it_goes_from_the_instance_to_ever_more_that_is_alike():
    known = pd.concat(
        [
            frame([("q1", 1.0), ("q1", 0.0), ("q2", 1.0)]),
            frame([("q3", 0.0)], condition="other"),
            frame([("q1", 0.0)], scenario="t"),
            frame([("q1", 0.25)], metric="f1"),
        ],
        ignore_index=True,
    )
    asked = [
        {**KEYS, "instance": "q1"},
        {**KEYS, "instance": "q3"},  # under another condition only
        {**KEYS, "instance": "new"},  # the scenario's mean under this condition
        {**KEYS, "instance": "new", "condition": "third"},  # the scenario's mean
        {**KEYS, "instance": "q1", "scenario": "new"},  # the metric's mean
        {**KEYS, "instance": "q1", "metric": "new"},  # the middle of its range
    ]
    expected = [0.5, 0.0, 2 / 3, 2 / 4, 2 / 5, 0.5]
    assert ask(known, asked) == {f"t{i}": pytest.approx(v) for i, v in enumerate(expected)}


def test_responses_without_a_value_do_not_count():
    known = frame([("q1", 1.0), ("q1", np.nan), ("q1", 0.0)])
    known.loc[2, "status"] = "error"
    assert ask(known, [{**KEYS, "instance": "q1"}]) == {"t0": 1.0}


def test_a_perturbed_response_is_not_an_unperturbed_one():
    known = pd.concat([frame([("q1", 1.0)]), frame([("q1", 0.0)], perturbation='{"name":"x"}')])
    asked = [{**KEYS, "instance": "q1"}, {**KEYS, "instance": "q1", "perturbation": '{"name":"x"}'}]
    assert ask(known, asked) == {"t0": 1.0, "t1": 0.0}


def test_without_train_responses_it_says_the_middle_or_nothing():
    table = pd.DataFrame([{**KEYS, "instance": "q", "target": "t", "lower": 1.0, "upper": 5.0}])
    (p,) = ItemMean().predict(TrainSplit(responses=None), SequesteredTestSplit(targets=table, k=0))
    assert p.mean == 3.0
    table = table.assign(lower=np.nan, upper=np.nan)
    assert ItemMean().predict(TrainSplit(responses=None), SequesteredTestSplit(targets=table)) == []
