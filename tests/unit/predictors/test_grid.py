"""How the tables of a split are read."""

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.common.grid import Matrix, read_runs, read_shown, read_targets


def runs(**columns):
    return read_runs(TrainSplit(runs=pd.DataFrame(columns)))


def shown(targets, responses):
    split = SequesteredTestSplit(
        targets=pd.DataFrame(targets), responses=pd.DataFrame(responses), k=2
    )
    return read_shown(split, read_targets(split))


def test_bounded_values_are_put_on_the_unit_scale():
    cells = runs(run=["a", "b"], value=[4.0, 80.0], lower=[1.0, 0.0], upper=[5.0, 100.0])
    assert cells.y.tolist() == [0.75, 0.8]
    assert cells.bounded.all()
    assert not cells.counted.any()


def test_values_beyond_the_bounds_count_as_the_bound():
    cells = runs(run=["a", "b"], value=[-0.1, 1.2], lower=0.0, upper=1.0)
    assert cells.y.tolist() == [0.0, 1.0]


def test_a_metric_with_one_bound_is_unbounded():
    cells = runs(run=["a", "b"], value=[4.0, 80.0], lower=[1.0, None], upper=[None, 100.0])
    assert not cells.bounded.any()
    assert cells.y.tolist() == [4.0, 80.0]


def test_a_binary_metric_without_bounds_lies_between_0_and_1():
    cells = runs(run=["a"], value=[0.5], n=[10], binary=[True])
    assert (cells.bounded[0], cells.counted[0], cells.span[0]) == (True, True, 1.0)


def test_a_binary_metric_without_n_is_no_count():
    cells = runs(run=["a"], value=[0.5], n=[None], binary=[True], lower=[0], upper=[1])
    assert (cells.bounded[0], cells.counted[0]) == (True, False)


def test_perturbed_runs_are_a_column_of_their_own():
    cells = runs(run=["a", "b"], value=[0.5, 0.6], scenario="s", perturbation=[None, "{}"])
    assert cells.column[0] != cells.column[1]
    assert cells.column[0][:1] == cells.column[1][:1] == ("s",)


def test_runs_are_sorted_and_those_without_a_value_left_out():
    cells = runs(run=["c", "a", "b", "d"], value=[0.1, 0.2, None, np.inf])
    assert cells.id == ["a", "c"]


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_text_columns_of_any_type_are_read_alike(dtype):
    cells = runs(run=["a", "b"], value=[1.0, 2.0], part=pd.Series(["test", None], dtype=dtype))
    assert [column[3] for column in cells.column] == ["test", ""]


def test_shown_successes_are_counted_by_target():
    seen = shown(
        {"target": ["t", "u"], "n": [10, 10], "binary": [True, True]},
        {
            "target": ["u", "t", "t", "elsewhere"],
            "instance": ["1", "1", "2", "1"],
            "value": [1.0, 1.0, 0.0, 1.0],
        },
    )
    assert seen.k.tolist() == [2, 1]
    assert seen.total.tolist() == [1.0, 1.0]


def test_shown_values_have_their_sum_of_squares():
    # on the unit scale of 1..5: .25, .75, mean .5, squares 2 * .25^2
    seen = shown(
        {"target": ["t"], "lower": [1.0], "upper": [5.0]},
        {"target": ["t", "t"], "instance": ["1", "2"], "value": [2.0, 4.0]},
    )
    assert (seen.k[0], seen.total[0], seen.squares[0]) == (2, 1.0, 0.125)


def test_trials_are_averaged_within_their_instance():
    seen = shown(
        {"target": ["t"], "lower": [0.0], "upper": [1.0]},
        {"target": ["t"] * 3, "instance": ["1", "1", "2"], "value": [0.0, 1.0, 1.0]},
    )
    assert (seen.k[0], seen.total[0]) == (2, 1.5)


def test_no_responses_are_no_responses():
    targets = {"target": ["t"], "lower": [0.0], "upper": [1.0]}
    for responses in (None, {}, {"target": ["t"], "instance": ["1"], "value": [None]}):
        assert shown(targets, responses).k.tolist() == [0]


def test_the_matrix_has_the_mean_of_reruns_and_holes():
    cells = runs(
        run=["a", "b", "c"],
        model=["m", "m", "n"],
        scenario=["s", "s", "t"],
        value=[0.2, 0.4, 0.5],
        lower=0.0,
        upper=1.0,
    )
    matrix = Matrix.of(cells)
    assert list(matrix.model) == ["m", "n"]
    # tr(.3) = log(.32 / .72), tr(.5) = 0
    assert matrix.z[0, 0] == pytest.approx(np.log(0.32 / 0.72))
    assert matrix.z[1, 1] == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(matrix.z[0, 1])


def test_the_matrix_leaves_unbounded_metrics_out():
    assert Matrix.of(runs(run=["a"], value=[3.0])).z.shape == (0, 0)
