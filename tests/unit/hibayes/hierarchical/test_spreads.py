"""Variances of columns with few values are drawn to the usual one, by as much as they differ."""

import numpy as np
import pytest

from hibayes.hierarchical.cells import Grid
from hibayes.hierarchical.spreads import column_scale, moderated_variances

COLUMNS = 400


def drawn(df, shared, usual=2.0, seed=0):
    """Draw true variances with so many degrees of freedom, and sums of squares around them."""
    rng = np.random.default_rng(seed)
    true = shared * usual / rng.chisquare(shared, COLUMNS)
    return true, true * rng.chisquare(df, COLUMNS)


@pytest.mark.parametrize(("df", "shared"), [(2, 4.0), (4, 10.0), (10, 3.0), (3, 60.0)])
def test_they_are_nearer_to_the_truth_than_each_by_itself_and_than_one_for_all(df, shared):
    true, squares = drawn(df, shared)
    found = moderated_variances(squares, np.full(COLUMNS, df))

    def loss(variance):
        return float(np.mean(np.log(variance / true) ** 2))

    assert loss(found) < loss(squares / df)
    assert loss(found) < 1.02 * loss(np.full(COLUMNS, np.mean(squares / df)))
    oracle = (shared * 2.0 + squares) / (shared + df)
    assert loss(found) < 1.2 * loss(oracle)


def test_columns_with_many_values_keep_their_own():
    _, squares = drawn(500, 4.0)
    found = moderated_variances(squares, np.full(COLUMNS, 500))
    np.testing.assert_allclose(found, squares / 500, rtol=0.1)


def test_a_column_of_one_value_has_the_usual_variance():
    found = moderated_variances(np.array([8.0, 9.0, 10.0, 0.0]), np.array([4, 4, 4, 0]))
    assert found.min() <= found[3] <= found.max()


@pytest.mark.parametrize("squares", [[0.0, 0.0], [0.0], [3.0], []])
def test_they_are_above_zero_whatever_there_is(squares):
    found = moderated_variances(np.array(squares), np.full(len(squares), 5))
    assert np.isfinite(found).all()
    assert (found > 0).all()


def test_without_two_values_in_any_column_they_are_one():
    assert moderated_variances(np.zeros(3), np.array([0, 0, -1])).tolist() == [1.0, 1.0, 1.0]


def test_the_scale_of_a_grid_does_not_see_its_gaps():
    whole = Grid.of(["a", "b", "c"] * 2, ["s"] * 3 + ["t"] * 3, [0.2, 0.5, 0.8] * 2, [9] * 6)
    gap = Grid.of(
        ["a", "b", "c", "a", "b"], ["s"] * 3 + ["t"] * 2, [0.2, 0.5, 0.8, 0.2, 0.5], [9] * 5
    )
    mean, spread = column_scale(whole)
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)
    assert spread[0] == spread[1]
    mean, _ = column_scale(gap)
    assert mean[1] == pytest.approx(float(gap.t[:2, 1].mean()))
