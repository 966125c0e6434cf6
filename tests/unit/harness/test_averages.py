"""Clustered averages: hand-computed cases, invariances, and a simulation of their error rate."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.averages import choose_clusters, clustered_average, paired_difference, skill


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows)


def test_three_by_three_equals_the_hand_computation():
    # 0 1 2 / 3 4 5 / 6 7 8: mean 4, row sums of residuals -9 0 9, column sums -3 0 3.
    # V_I = 3/2 * 162/81 = 3, V_J = 3/2 * 18/81 = 1/3, V_0 = 9/8 * 60/81 = 5/6; V = 3 + 1/3 - 5/6,
    # below V_I = 3, so the floor holds: se = sqrt(3), half-width t_2(.975) = 4.30265 times that.
    rows, columns = grid(3, 3)
    average = clustered_average(np.arange(9.0), rows, columns)
    assert average.mean == 4.0
    assert average.se == pytest.approx(math.sqrt(3.0))
    assert average.high == pytest.approx(4.0 + 4.302652729911275 * math.sqrt(3.0))
    assert average.low == pytest.approx(8.0 - average.high)
    assert (average.n, average.rows, average.columns, average.flag) == (9, 3, 3, "few clusters")


def test_five_by_five_without_the_floor_equals_the_hand_computation():
    # d_ij = i + j: row and column sums of residuals 5 (i - 2), so V_I = V_J = 5/4 * 250/625 = 1/2;
    # sum of e^2 = 100, so V_0 = 25/24 * 100/625 = 1/6; V = 5/6.
    rows, columns = grid(5, 5)
    average = clustered_average((rows + columns).astype(float), rows, columns)
    assert average.se == pytest.approx(math.sqrt(5.0 / 6.0))
    assert average.high - average.mean == pytest.approx(stats.t.ppf(0.975, 4) * average.se)
    assert average.flag == ""


def test_variance_is_never_below_one_way_clustering():
    # A checkerboard: every row and column sums to zero, V_I = V_J = 0 < V_0.
    rows, columns = grid(6, 6)
    average = clustered_average((-1.0) ** (rows + columns), rows, columns)
    assert (average.se, average.low, average.high) == (0.0, 0.0, 0.0)


def test_values_that_share_a_pair_of_clusters_are_summed_before_squaring():
    # Every value twice is the same as every value once: nothing new was observed.
    rng = np.random.default_rng(1)
    rows, columns = grid(7, 6)
    values = rng.normal(size=42)
    once = clustered_average(values, rows, columns)
    twice = clustered_average(np.tile(values, 2), np.tile(rows, 2), np.tile(columns, 2))
    assert twice.se == pytest.approx(once.se)
    assert twice.n == 84


@pytest.mark.parametrize(("rows", "columns"), [(2, 9), (9, 2), (1, 1), (1, 9)])
def test_below_three_clusters_there_is_no_interval(rows, columns):
    r, c = grid(rows, columns)
    average = clustered_average(np.arange(float(rows * columns)), r, c)
    assert average.flag == "no interval"
    assert math.isnan(average.low)
    assert math.isnan(average.high)
    assert average.mean == pytest.approx((rows * columns - 1) / 2)


@pytest.mark.parametrize(("size", "flag"), [(3, "few clusters"), (4, "few clusters"), (5, "")])
def test_three_or_four_clusters_are_flagged(size, flag):
    rows, columns = grid(size, 8)
    assert clustered_average(np.sin(np.arange(size * 8.0)), rows, columns).flag == flag


def test_missing_cells_are_left_out():
    rng = np.random.default_rng(2)
    rows, columns = grid(8, 7)
    values = rng.normal(size=56)
    keep = rng.random(56) > 0.4
    holes = np.where(keep, values, np.nan)
    assert clustered_average(holes, rows, columns) == clustered_average(
        values[keep], rows[keep], columns[keep]
    )


def test_a_cluster_whose_cells_are_all_missing_is_not_counted():
    rows, columns = grid(6, 6)
    values = np.where(rows == 0, np.nan, np.sin(np.arange(36.0)))
    average = clustered_average(values, rows, columns)
    assert (average.rows, average.columns, average.n) == (5, 6, 30)


def test_order_and_names_of_cells_do_not_matter():
    rng = np.random.default_rng(3)
    rows, columns = grid(9, 6)
    values = rng.normal(size=54)
    order = rng.permutation(54)
    plain = clustered_average(values, rows, columns)
    names = pd.Series([f"model {r}" for r in rows[order]], dtype="category")
    moved = clustered_average(values[order], names, list(columns[order]))
    assert moved.mean == pytest.approx(plain.mean, rel=1e-12)
    assert moved.se == pytest.approx(plain.se, rel=1e-12)


def test_nothing_and_infinity_have_no_interval():
    empty = clustered_average([], [], [])
    assert math.isnan(empty.mean)
    assert (empty.n, empty.flag) == (0, "no interval")
    rows, columns = grid(5, 5)
    values = np.where(rows + columns == 0, np.inf, 1.0)
    infinite = clustered_average(values, rows, columns)
    assert infinite.mean == math.inf
    assert infinite.flag == "no interval"


def test_missing_labels_and_wrong_lengths_are_refused():
    with pytest.raises(ValueError, match="rows has missing labels"):
        clustered_average([1.0, 2.0], ["a", None], ["s", "t"])
    with pytest.raises(ValueError, match="columns has 1 labels for 2 values"):
        clustered_average([1.0, 2.0], ["a", "b"], ["s"])
    with pytest.raises(ValueError, match="shapes"):
        paired_difference([1.0], [1.0, 2.0], ["a", "b"], ["s", "t"])
    with pytest.raises(ValueError, match="between 0 and 1"):
        clustered_average([1.0], ["a"], ["s"], level=95)


def test_false_positive_rate_is_held_where_the_naive_one_is_not():
    # 600 data sets without a true difference; rows .3, columns .3, residual 1. The nominal rate is
    # 5 %, its Monte-Carlo standard error .9 %; published for this design: 4.4 % and 30.4 %.
    rng = np.random.default_rng(20)
    rows, columns = grid(20, 15)
    critical = stats.t.ppf(0.975, 299)
    clustered = naive = 0
    for _ in range(600):
        table = (0.3 * rng.normal(size=(20, 1)) + 0.3 * rng.normal(size=(1, 15))) + rng.normal(
            size=(20, 15)
        )
        losses = table.ravel()
        average = clustered_average(losses, rows, columns)
        clustered += not average.low <= 0.0 <= average.high
        naive += abs(losses.mean()) > critical * losses.std(ddof=1) / math.sqrt(300)
    assert clustered / 600 <= 0.07
    assert naive / 600 > 0.15


def test_paired_difference_is_over_the_cells_that_both_have():
    rows, columns = grid(5, 6)
    a, b = np.arange(30.0), np.arange(30.0) + 1.0
    a[3], b[7] = np.nan, np.nan
    difference = paired_difference(a, b, rows, columns)
    assert (difference.mean, difference.n) == (-1.0, 28)


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(4)
    rows, columns = grid(10, 8)
    shared = 5.0 * rng.normal(size=80)
    a, b = shared + rng.normal(0.0, 0.1, 80), shared + 0.5 + rng.normal(0.0, 0.1, 80)
    difference = paired_difference(a, b, rows, columns)
    assert difference.high < 0.0
    assert difference.se < clustered_average(a, rows, columns).se / 10.0


def test_skill_is_a_ratio_of_sums():
    rows, columns = grid(5, 5)
    losses, reference = np.ones(25), np.ones(25)
    losses[0], reference[0] = 0.0, 26.0  # sums 24 and 50; the mean of ratios would be .96
    assert skill(losses, reference, rows, columns).mean == pytest.approx(1.0 - 24.0 / 50.0)


def test_skill_interval_agrees_with_the_delete_one_cluster_jackknife():
    # An independent road to the same variance: jackknife the ratio over rows and columns.
    rng = np.random.default_rng(5)
    rows, columns = grid(30, 25)
    row_effect, column_effect = rng.gamma(20.0, 0.05, 30), rng.gamma(20.0, 0.05, 25)
    reference = row_effect[rows] * column_effect[columns] * rng.gamma(8.0, 0.5, 750)
    losses = reference * 0.7 * rng.gamma(20.0, 0.05, 30)[rows] * rng.gamma(20.0, 0.05, 750)

    def jackknife(codes):
        left_out = [
            losses[codes != g].sum() / reference[codes != g].sum() for g in np.unique(codes)
        ]
        groups = len(left_out)
        return (groups - 1) ** 2 / groups * np.var(left_out, ddof=1)

    one_way = jackknife(rows), jackknife(columns)
    two_way = sum(one_way) - jackknife(np.arange(750))
    se = math.sqrt(max(two_way, *one_way))
    assert skill(losses, reference, rows, columns).se == pytest.approx(se, rel=0.03)


def test_skill_of_the_reference_is_exactly_zero():
    rows, columns = grid(5, 5)
    losses = np.abs(np.sin(np.arange(25.0)))
    result = skill(losses, losses, rows, columns)
    assert (result.mean, result.low, result.high) == (0.0, 0.0, 0.0)


def test_skill_against_losses_of_zero_is_undefined():
    rows, columns = grid(5, 5)
    result = skill(np.ones(25), np.zeros(25), rows, columns)
    assert math.isnan(result.mean)
    assert math.isnan(result.low)


def targets(organisations, groups):
    n = len(organisations)
    return pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(n)],
            "organisation": organisations,
            "scenario": [f"s{i}" for i in range(n)],
            "scenario_group": groups,
        },
        index=[f"t{i}" for i in range(n)],
    )


def test_five_known_organisations_are_the_rows_and_strangers_their_own():
    frame = targets(["a", "b", "c", "d", "e", "e", None, None], ["g", "g", "h", "h"] * 2)
    rows, columns, row_kind, column_kind = choose_clusters(frame)
    assert (row_kind, column_kind) == ("organisation", "scenario")
    assert rows.nunique() == 7
    assert rows["t4"] == rows["t5"]
    assert list(rows.index) == list(frame.index)
    assert columns.nunique() == 8


def test_four_known_organisations_leave_the_models_as_rows():
    frame = targets(["a", "b", "c", "d", "d", "d"], list("uvwxyz"))
    rows, columns, row_kind, column_kind = choose_clusters(frame.astype("category"))
    assert (row_kind, column_kind) == ("model", "scenario group")
    assert (rows.nunique(), columns.nunique()) == (6, 6)


def test_a_model_is_not_taken_for_an_organisation_of_its_name():
    frame = targets(["m5", "b", "c", "d", "e", None], list("uvwxyz"))
    rows, _, row_kind, _ = choose_clusters(frame)
    assert row_kind == "organisation"
    assert rows.nunique() == 6
