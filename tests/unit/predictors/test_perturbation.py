"""The line through the strengths of a perturbation."""

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.predictor import NotApplicable
from predictors.perturbation import PerturbationLine
from suites.identity import canonical_json


def misspellings(prob, **more):
    return canonical_json({"name": "misspellings", "prob": prob, **more})


def train(perturbations, values, **columns):
    columns = {"lower": 0.0, "upper": 1.0, **columns}
    runs = pd.DataFrame({"perturbation": perturbations, "value": values, **columns})
    return TrainSplit(runs=runs.assign(run=[f"r{i}" for i in range(len(runs))]))


def ask(split, perturbations, **columns):
    columns = {"lower": 0.0, "upper": 1.0, **columns}
    names = [f"t{i}" for i in range(len(perturbations))]
    targets = pd.DataFrame({"target": names, "perturbation": perturbations, **columns})
    predictor = PerturbationLine()
    predictor.fit(split)
    answer = predictor.predict(split, SequesteredTestSplit(targets=targets, k=0))
    return {p.target: p for p in answer}


def test_it_is_the_least_squares_line():
    prob, y = np.array([0.0, 0.1, 0.2, 0.5]), np.array([0.8, 0.78, 0.7, 0.55])
    answer = ask(train([misspellings(p) for p in prob], y), [misspellings(0.3)])
    slope, start = np.polyfit(prob, y, 1)
    residuals = y - start - slope * prob
    expected = (start + 0.3 * slope, np.sqrt((residuals**2).sum() / 2))
    assert answer["t0"].normal == pytest.approx(expected)
    assert answer["t0"].perturbation["prob"] == 0.3


def test_an_unperturbed_target_is_predicted_at_strength_nought():
    known = train([misspellings(0.1), misspellings(0.2)], [0.7, 0.6])
    assert ask(known, [None])["t0"].mean == pytest.approx(0.8)


def test_other_perturbations_and_figures_on_other_instances_are_left_out():
    other = canonical_json({"name": "dialect", "prob": 0.1})
    original = misspellings(0.1, computed_on="original")
    known = train(
        [misspellings(0.1), misspellings(0.2, computed_on="perturbed"), other, original],
        [0.7, 0.6, 0.0, 0.0],
    )
    answer = ask(known, [other, original, misspellings(0.3), "not json"])
    assert {target: p.mean for target, p in answer.items()} == {"t2": pytest.approx(0.5)}


def test_the_line_stops_at_the_bounds():
    known = train([misspellings(0.1), misspellings(0.2)], [0.5, 0.1])
    assert ask(known, [misspellings(0.5)])["t0"].mean == 0.0


def test_an_unbounded_metric_has_its_own_line():
    known = train(
        [misspellings(p) for p in (0.1, 0.2, 0.1, 0.2)],
        [0.7, 0.6, 50.0, 40.0],
        metric=["a", "a", "x", "x"],
        lower=[0.0, 0.0, None, None],
        upper=[1.0, 1.0, None, None],
    )
    unbounded = {"lower": None, "upper": None}
    assert ask(known, [misspellings(0.4)], metric="x", **unbounded)["t0"].mean == (
        pytest.approx(20.0)
    )
    assert ask(known, [misspellings(0.4)], metric="y", **unbounded) == {}


@pytest.mark.parametrize(
    "perturbations",
    [
        [None, None],
        [None, misspellings(0.1)],
        [misspellings(0.1), misspellings(0.1)],
        [misspellings(0.1), canonical_json({"name": "misspellings"})],
        [misspellings(0.1), canonical_json({"name": "dialect", "prob": 0.2})],
        [misspellings(0.1), misspellings("0.2")],
    ],
)
def test_fewer_than_two_strengths_are_not_applicable(perturbations):
    with pytest.raises(NotApplicable, match="two strengths"):
        PerturbationLine().fit(train(perturbations, [0.7, 0.6]))
