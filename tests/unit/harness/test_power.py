"""Components of variance and what a task can show: brute force, and as often as it says."""

import math

import numpy as np
import pytest

from harness.averages import clustered_average
from harness.power import minimum_detectable_difference, variance_components


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows)


def crossed(rng, rows, columns, sd=(0.3, 0.3, 1.0)):
    """One value per cell: row effect + column effect + residual."""
    values = sd[0] * rng.normal(size=(rows, 1)) + sd[1] * rng.normal(size=(1, columns))
    return (values + sd[2] * rng.normal(size=(rows, columns))).ravel()


def made(means, rows=20, columns=15, seed=0):
    """Losses of predictors with these means, whose differences have the sd .3, .3 and 1."""
    rng = np.random.default_rng(seed)
    shared = crossed(rng, rows, columns, (1.0, 1.0, 1.0))
    own = [crossed(rng, rows, columns) / math.sqrt(2.0) for _ in means]
    return np.asarray(means, dtype=float)[:, None] + shared + own


def test_components_of_a_whole_grid_are_the_analysis_of_variance():
    rows, columns = grid(9, 7)
    d = crossed(np.random.default_rng(3), 9, 7, (2.0, 1.5, 1.0)).reshape(9, 7)
    by_row, by_column = d.mean(axis=1), d.mean(axis=0)
    left = d - by_row[:, None] - by_column + d.mean()
    residual = (left**2).sum() / (8 * 6)
    found = variance_components(d.ravel(), rows, columns)
    assert found.residual == pytest.approx(residual)
    assert found.row == pytest.approx(by_row.var(ddof=1) - residual / 7)
    assert found.column == pytest.approx(by_column.var(ddof=1) - residual / 9)
    assert found.of_mean == pytest.approx(
        found.row / 9 + found.column / 7 + residual / 63  # of the mean over cells
    )


def test_components_with_gaps_are_those_the_data_were_made_with():
    rng = np.random.default_rng(4)
    rows, columns = grid(25, 20)
    gaps = rng.random(500) < np.where(rows < 10, 0.8, 0.2)  # some rows have few cells
    found = []
    for _ in range(150):
        d = np.where(gaps, np.nan, crossed(rng, 25, 20, (0.8, 0.6, 1.0)))
        parts = variance_components(d, rows, columns)
        found.append((parts.row, parts.column, parts.residual, parts.of_mean, np.nanmean(d)))
    row, column, residual, of_mean, mean = np.array(found).T
    assert row.mean() == pytest.approx(0.64, rel=0.12)
    assert column.mean() == pytest.approx(0.36, rel=0.12)
    assert residual.mean() == pytest.approx(1.0, rel=0.03)
    n_i, n_j = np.bincount(rows[~gaps]), np.bincount(columns[~gaps])
    n = (~gaps).sum()
    truth = (0.64 * (n_i**2).sum() + 0.36 * (n_j**2).sum() + n) / n**2
    assert of_mean.mean() == pytest.approx(truth, rel=0.1)
    assert mean.var() == pytest.approx(truth, rel=0.35)


def test_components_with_gaps_solve_what_is_expected_of_the_sums_of_squares():
    # Brute force: each sum of squares is d'Ad, and is expected to be the trace of A times the
    # covariance of d.
    rng = np.random.default_rng(12)
    rows, columns = grid(8, 6)
    keep = rng.random(48) < np.where(rows < 4, 0.45, 0.95)
    d, rows, columns = crossed(rng, 8, 6, (3.0, 2.0, 1.0))[keep], rows[keep], columns[keep]
    same_row = (rows[:, None] == rows) * 1.0
    same_column = (columns[:, None] == columns) * 1.0
    one = np.eye(len(d))
    forms = [one - a / a.sum(axis=1) for a in (same_row, same_column, np.ones_like(one))]
    expected = [[np.trace(a @ v) for v in (same_row, same_column, one)] for a in forms]
    truth = np.linalg.solve(expected, [d @ a @ d for a in forms])
    parts = variance_components(d, rows, columns)
    assert (truth > 0.0).all()
    np.testing.assert_allclose([parts.row, parts.column, parts.residual], truth, rtol=1e-9)


def test_values_that_share_a_pair_of_clusters_are_one():
    rows, columns = grid(9, 7)
    d = crossed(np.random.default_rng(3), 9, 7)
    once = variance_components(d, rows, columns)
    twice = variance_components(np.tile(d, 2), np.tile(rows, 2), np.tile(columns, 2))
    assert twice.of_mean == pytest.approx(once.of_mean)
    assert twice.residual == pytest.approx(once.residual)


def test_components_that_cannot_be_told_apart_leave_the_clustered_variance():
    diagonal = np.arange(8)
    d = np.sin(np.arange(8.0))
    parts = variance_components(d, diagonal, diagonal)
    assert math.isnan(parts.row)
    assert parts.of_mean == pytest.approx(clustered_average(d, diagonal, diagonal).se ** 2)


def test_too_few_clusters_have_no_components():
    rows, columns = grid(2, 9)
    assert math.isnan(variance_components(np.arange(18.0), rows, columns).of_mean)
    found = minimum_detectable_difference(np.ones((2, 18)), 0, rows, columns)
    assert np.isnan(found.by_predictor).all()
    assert math.isnan(found.median)


def test_the_detectable_difference_is_found_as_often_as_it_says():
    rng = np.random.default_rng(9)
    rows, columns = grid(12, 8)
    parts = (0.3**2 / 12, 0.3**2 / 8, 1.0 / 96)
    stated, mean, half = [], [], []
    for _ in range(300):
        d = crossed(rng, 12, 8)
        stated.append(minimum_detectable_difference([d, 0.0 * d], 1, rows, columns).median)
        average = clustered_average(d, rows, columns)
        mean.append(average.mean)
        half.append(average.high - average.mean)
    power = np.mean(np.array(mean) + np.median(stated) > half)
    assert 0.73 <= power <= 0.87
    noncentral = np.median(stated) / math.sqrt(sum(parts))
    assert noncentral == pytest.approx(3.27, rel=0.1)  # 2.80 would be that of many clusters


def test_the_detectable_difference_is_by_predictor_and_its_median_of_those_that_differ():
    rows, columns = grid(12, 8)
    losses = made([0.0, 0.1, 0.0, 0.0], 12, 8)
    losses[2] = losses[0]
    losses[3] = losses[0] + 3.0 * (losses[1] - losses[0])
    found = minimum_detectable_difference(losses, 0, rows, columns)
    assert math.isnan(found.by_predictor[0])
    assert found.by_predictor[2] == 0.0
    assert found.by_predictor[3] == pytest.approx(3.0 * found.by_predictor[1])
    assert found.median == pytest.approx(2.0 * found.by_predictor[1])
    more = minimum_detectable_difference(losses, 0, rows, columns, power=0.9)
    assert more.median > found.median
    with pytest.raises(ValueError, match="the power is between 0 and 1, not 80"):
        minimum_detectable_difference(losses, 0, rows, columns, power=80)


def test_more_clusters_show_smaller_differences():
    medians = [
        minimum_detectable_difference(made([0.0, 0.0], *size), 0, *grid(*size)).median
        for size in ((6, 5), (20, 15), (57, 35))
    ]
    assert medians == sorted(medians, reverse=True)
    assert medians[0] > 2.0 * medians[2]
