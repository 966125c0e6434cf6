"""Gaps of the train grid against hand computations."""

import numpy as np

from predictors.common.gaps import centred, other_columns

Z = np.array(
    [[1.0, np.nan, 9.0], [2.0, 4.0, np.nan], [np.nan, np.nan, 5.0], [3.0, 6.0, 7.0]],
)


def test_columns_are_centred_at_the_mean_of_what_is_there():
    deviation, centre = centred(Z)
    assert centre.tolist() == [2.0, 5.0, 7.0]
    assert deviation.tolist() == [[-1, 0, 2], [0, -1, 0], [0, 0, -2], [1, 1, 0]]
    assert centred(np.full((2, 1), np.nan))[1].tolist() == [0.0]


def test_gaps_are_filled_by_the_effect_of_the_model():
    # in the columns but the last, model 0 is 1 below in the one that it has; model 2 has none
    filled = other_columns(Z, centred(Z)[0], 2)
    assert filled.tolist() == [[-1.0, -1 / 2], [0.0, -1.0], [0.0, 0.0], [1.0, 1.0]]


def test_what_fills_a_gap_does_not_know_the_column_that_is_predicted():
    rng = np.random.default_rng(0)
    z = np.where(rng.random((7, 5)) < 0.3, np.nan, rng.normal(size=(7, 5)))
    moved = z.copy()
    moved[:, 3] += 1.0 + np.arange(7)
    for j in range(5):
        before, after = (other_columns(m, centred(m)[0], j) for m in (z, moved))
        assert np.array_equal(before, after) == (j == 3)
