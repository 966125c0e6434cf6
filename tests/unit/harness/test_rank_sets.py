"""Rank sets, Holm: formulas against brute force, invariances, simulations that can fail."""

import itertools
import math
import time

import numpy as np
import pytest
from scipy import stats

from harness.averages import paired_difference
from harness.multiplicity import against_reference, holm
from harness.rank_sets import simultaneous_rank_sets


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


def spans(sets, kind=""):
    low, high = (getattr(sets, f"{kind}{end}") for end in ("low", "high"))
    return list(zip(low.tolist(), high.tolist(), strict=True))


# -- every pair is the paired difference of harness.averages -----------------------------------


def coarse(rows, columns):
    """Clusters in which several cells share a pair."""
    return rows // 2, columns // 3


@pytest.mark.parametrize("clusters", [lambda r, c: (r, c), coarse])
def test_each_pair_is_the_paired_difference(clusters):
    rows, columns = clusters(*grid(12, 15))
    losses = made([0.0, 0.2, 1.0, 3.0], 12, 15)
    sets = simultaneous_rank_sets(losses, rows, columns)
    assert (sets.rows, sets.columns, sets.n) == (rows.max() + 1, columns.max() + 1, 180)
    for p, q in itertools.permutations(range(4), 2):
        pair = paired_difference(losses[p], losses[q], rows, columns)
        assert sets.difference[p, q] == pytest.approx(pair.mean)
        assert sets.se[p, q] == pytest.approx(pair.se)
        half = sets.marginal_critical * sets.se[p, q]
        assert sets.difference[p, q] - half == pytest.approx(pair.low)


def test_the_ranks_count_who_is_surely_better_and_worse():
    rows, columns = grid(20, 15)
    losses = made([0.0, 0.3, 0.35, 0.8, 1.5, 1.6])
    sets = simultaneous_rank_sets(losses, rows, columns)
    for kind, critical in (("", sets.critical), ("marginal_", sets.marginal_critical)):
        expected = []
        for p in range(6):
            t = [sets.difference[p, q] / sets.se[p, q] for q in range(6) if q != p]
            expected.append((1 + sum(x > critical for x in t), 6 - sum(x < -critical for x in t)))
        assert spans(sets, kind) == expected
    assert sets.best == [p for p in range(6) if sets.low[p] == 1]
    assert len(sets.best) > 0
    assert sets.low[4] > 2


def test_simultaneous_sets_hold_the_marginal_ones_and_are_wider_somewhere():
    rows, columns = grid(20, 15)
    sets = simultaneous_rank_sets(made(np.linspace(0.0, 2.0, 10)), rows, columns)
    assert (sets.low <= sets.marginal_low).all()
    assert (sets.high >= sets.marginal_high).all()
    assert (sets.high - sets.low).sum() > (sets.marginal_high - sets.marginal_low).sum()


# -- the critical value ------------------------------------------------------------------------


def test_with_independent_equal_predictors_it_is_the_studentised_range():
    # Interactions only, so that the covariance is nearly that of independent means with equal
    # variances; then max |t| over pairs is Tukey's studentised range / sqrt(2).
    rows, columns = grid(80, 60)
    losses = np.random.default_rng(0).normal(size=(5, 4800))
    sets = simultaneous_rank_sets(losses, rows, columns)
    tukey = stats.studentized_range.ppf(0.95, 5, sets.df) / math.sqrt(2.0)
    assert sets.critical == pytest.approx(tukey, rel=0.02)


def test_it_knows_how_the_comparisons_depend_on_each_other():
    # Seven copies of one predictor, apart by next to nothing: there is one comparison to make, and
    # the critical value is that for one, far below Bonferroni's for 28.
    rows, columns = grid(20, 15)
    rng = np.random.default_rng(1)
    losses = np.vstack([made([0.0]), np.tile(made([0.0], seed=2), (7, 1))])
    alone = simultaneous_rank_sets(losses, rows, columns)
    assert alone.critical == pytest.approx(alone.marginal_critical, rel=0.02)
    other = simultaneous_rank_sets(rng.normal(size=(8, 300)), rows, columns)
    assert other.critical > 1.4 * alone.critical


def covariance(losses, codes):
    """One-way clustered covariance of the mean losses, cluster by cluster."""
    residuals = losses - losses.mean(axis=1, keepdims=True)
    groups = np.unique(codes)
    sums = [residuals[:, codes == g].sum(axis=1) for g in groups]
    outer = sum(np.outer(s, s) for s in sums)
    return len(groups) / (len(groups) - 1) * outer / losses.shape[1] ** 2


def test_it_is_the_quantile_of_the_greatest_t_under_the_clustered_covariance():
    # Strong rows and columns, so that no floor holds; one predictor is six times as noisy.
    rng = np.random.default_rng(11)
    rows, columns = grid(16, 12)
    scale = np.array([1.0, 1.0, 6.0, 0.3])
    losses = np.stack([s * crossed(rng, 16, 12, (1.0, 1.0, 0.5)) for s in scale])
    losses[3] += losses[0]
    cell = np.arange(192)
    v = covariance(losses, rows) + covariance(losses, columns) - covariance(losses, cell)
    draws = stats.multivariate_t(shape=v, df=11, allow_singular=True).rvs(40_000, random_state=0)
    greatest = np.zeros(len(draws))
    for p, q in itertools.combinations(range(4), 2):
        sd = math.sqrt(v[p, p] + v[q, q] - 2.0 * v[p, q])
        greatest = np.maximum(greatest, np.abs(draws[:, p] - draws[:, q]) / sd)
    sets = simultaneous_rank_sets(losses, rows, columns)
    assert sets.se[0, 2] ** 2 == pytest.approx(v[0, 0] + v[2, 2] - 2.0 * v[0, 2])
    assert sets.critical == pytest.approx(np.quantile(greatest, 0.95), rel=0.02)


def test_few_draws_do_not_lead_out_of_what_is_possible():
    rows, columns = grid(20, 15)
    losses = made(np.zeros(5))
    alone, bonferroni = stats.t.ppf([0.975, 1.0 - 0.025 / 10], 14)
    found = [simultaneous_rank_sets(losses, rows, columns, seed=s, draws=3) for s in range(40)]
    assert min(sets.critical for sets in found) == pytest.approx(alone)
    assert max(sets.critical for sets in found) == pytest.approx(bonferroni)


def test_two_predictors_need_no_draws():
    rows, columns = grid(20, 15)
    sets = simultaneous_rank_sets(made([0.0, 0.25]), rows, columns, draws=0)
    assert sets.critical == sets.marginal_critical == pytest.approx(stats.t.ppf(0.975, 14))
    assert spans(sets) == spans(sets, "marginal_")


def test_a_higher_level_is_more_careful_and_seeds_agree():
    rows, columns = grid(20, 15)
    losses = made(np.linspace(0.0, 1.0, 6))
    low, high = (simultaneous_rank_sets(losses, rows, columns, level) for level in (0.8, 0.99))
    assert low.critical < high.critical
    again = [simultaneous_rank_sets(losses, rows, columns, seed=s).critical for s in (0, 0, 1)]
    assert again[0] == again[1] != again[2]
    assert again[2] == pytest.approx(again[0], rel=0.02)


# -- what must not matter ----------------------------------------------------------------------


def test_order_of_predictors_and_cells_and_names_of_clusters_do_not_matter():
    rows, columns = grid(20, 15)
    losses = made([0.0, 0.1, 0.4, 0.4, 0.9])
    plain = simultaneous_rank_sets(losses, rows, columns)
    rng = np.random.default_rng(5)
    p, t = rng.permutation(5), rng.permutation(300)
    names = [f"model {20 - r}" for r in rows[t]]
    moved = simultaneous_rank_sets(losses[p][:, t], names, columns[t])
    assert moved.critical == pytest.approx(plain.critical, rel=1e-9)
    np.testing.assert_allclose(moved.se, plain.se[np.ix_(p, p)], rtol=1e-9)
    assert spans(moved) == [spans(plain)[i] for i in p]
    turned = simultaneous_rank_sets(losses, columns, rows)
    assert turned.critical == pytest.approx(plain.critical, rel=1e-9)


def test_what_all_predictors_share_and_the_unit_do_not_matter():
    rows, columns = grid(20, 15)
    losses = made([0.0, 0.1, 0.4, 0.9])
    plain = simultaneous_rank_sets(losses, rows, columns)
    shared = 50.0 * np.random.default_rng(6).normal(size=300)
    for other, scale in ((losses + shared, 1.0), (1e-12 * losses, 1e-12)):
        sets = simultaneous_rank_sets(other, rows, columns)
        np.testing.assert_allclose(sets.se, scale * plain.se, rtol=1e-9)
        assert sets.critical == pytest.approx(plain.critical, rel=1e-6)
        assert spans(sets) == spans(plain)


def test_a_predictor_with_huge_losses_does_not_blur_the_others():
    rows, columns = grid(20, 15)
    losses = made([0.0, 0.1, 0.9])
    wild = np.vstack([losses, 1e9 * np.random.default_rng(7).normal(size=300)])
    plain = simultaneous_rank_sets(losses, rows, columns)
    sets = simultaneous_rank_sets(wild, rows, columns)
    np.testing.assert_allclose(sets.se[:3, :3], plain.se, rtol=1e-9)


def test_predictors_that_say_the_same_are_never_apart():
    rows, columns = grid(20, 15)
    losses = made([0.0, 0.0, 2.0])
    losses[1] = losses[0] + 1e-15
    sets = simultaneous_rank_sets(losses, rows, columns)
    assert sets.difference[0, 1] == 0.0
    assert spans(sets) == [(1, 2), (1, 2), (3, 3)]
    assert against_reference(sets, 0)[1] == 1.0


# -- little data -------------------------------------------------------------------------------


def test_all_are_compared_on_the_cells_that_every_predictor_has():
    rows, columns = grid(12, 10)
    losses = made([0.0, 0.3, 1.0], 12, 10)
    gaps = np.random.default_rng(8).random(losses.shape) < 0.15
    holes = np.where(gaps, np.nan, losses)
    keep = ~gaps.any(axis=0)
    sets = simultaneous_rank_sets(holes, rows, columns)
    whole = simultaneous_rank_sets(losses[:, keep], rows[keep], columns[keep])
    assert sets.n == keep.sum() < 120
    np.testing.assert_array_equal(sets.se, whole.se)
    assert sets.critical == whole.critical


@pytest.mark.parametrize(("rows", "columns"), [(2, 9), (9, 2), (1, 1)])
def test_below_three_clusters_all_ranks_are_open(rows, columns):
    losses = np.add.outer([0.0, 5.0, 90.0], np.zeros(rows * columns))
    sets = simultaneous_rank_sets(losses, *grid(rows, columns))
    assert sets.flag == "no interval"
    assert spans(sets) == spans(sets, "marginal_") == [(1, 3)] * 3
    assert sets.best == [0, 1, 2]
    assert math.isnan(sets.critical)
    assert np.isnan(against_reference(sets, 0)).all()


@pytest.mark.parametrize(("size", "flag"), [(3, "few clusters"), (4, "few clusters"), (5, "")])
def test_three_or_four_clusters_are_flagged(size, flag):
    assert simultaneous_rank_sets(made([0.0, 1.0], size, 8), *grid(size, 8)).flag == flag


def test_one_predictor_none_and_no_common_cell():
    rows, columns = grid(6, 5)
    alone = simultaneous_rank_sets(made([0.0], 6, 5), rows, columns)
    assert (spans(alone), alone.best) == ([(1, 1)], [0])
    assert spans(simultaneous_rank_sets(np.empty((0, 30)), rows, columns)) == []
    apart = np.where([rows < 3, rows >= 3], 1.0, np.nan)
    sets = simultaneous_rank_sets(apart, rows, columns)
    assert (sets.n, sets.flag, spans(sets)) == (0, "no interval", [(1, 2)] * 2)


def test_an_infinite_loss_leaves_all_ranks_open():
    rows, columns = grid(6, 5)
    losses = made([0.0, 5.0], 6, 5)
    losses[1, 3] = np.inf
    sets = simultaneous_rank_sets(losses, rows, columns)
    assert (sets.flag, spans(sets)) == ("no interval", [(1, 2)] * 2)
    assert sets.difference[1, 0] == np.inf


def test_a_difference_that_never_varies_is_sure():
    rows, columns = grid(6, 5)
    base = np.arange(30.0)
    sets = simultaneous_rank_sets(np.stack([base, base + 1.0, base]), rows, columns)
    assert spans(sets) == [(1, 2), (3, 3), (1, 2)]
    assert against_reference(sets, 0)[1:].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("losses", "labels", "options", "message"),
    [
        (np.ones(30), 30, {}, "two dimensions, not 1"),
        (np.ones((2, 30)), 29, {}, "columns has 29 labels for 30"),
        (np.ones((2, 30)), 30, {"level": 95}, "between 0 and 1, not 95"),
    ],
)
def test_wrong_shapes_and_levels_are_refused(losses, labels, options, message):
    rows, columns = grid(6, 5)
    with pytest.raises(ValueError, match=message):
        simultaneous_rank_sets(losses, rows, columns[:labels], **options)


def test_thirty_predictors_on_two_thousand_cells_take_less_than_a_second():
    losses = made(np.linspace(0.0, 1.0, 30), 50, 40)
    start = time.process_time()
    simultaneous_rank_sets(losses, *grid(50, 40))
    assert time.process_time() - start < 1.0


# -- error rates: the same figures fail where the clustering is switched off --------------------


def each_cell_its_own_cluster(n):
    """Clusters that switch the clustering off."""
    return np.arange(n), np.arange(n)


def test_two_equal_predictors_are_seldom_called_different():
    rng = np.random.default_rng(20)
    clusters, off = grid(20, 15), each_cell_its_own_cluster(300)
    found = {"clustered": 0, "off": 0}
    for _ in range(400):
        losses = np.stack([crossed(rng, 20, 15), np.zeros(300)])
        for name, labels in (("clustered", clusters), ("off", off)):
            found[name] += simultaneous_rank_sets(losses, *labels).best != [0, 1]
    assert found["clustered"] / 400 <= 0.065
    assert found["off"] / 400 > 0.2  # published for this design: 4.4 % and 30.4 %


def test_the_true_ranks_of_all_lie_in_their_sets_together():
    means = np.array([0.0, 0.0, 0.1, 0.2, 0.2, 0.4, 0.8, 0.8])
    low = 1 + (means < means[:, None]).sum(axis=1)
    high = 8 - (means > means[:, None]).sum(axis=1)
    clusters, off = grid(20, 15), each_cell_its_own_cluster(300)
    held = {"clustered": 0, "marginal": 0, "off": 0}
    for seed in range(150):
        losses = made(means, seed=seed)
        sets = simultaneous_rank_sets(losses, *clusters, draws=4000)
        held["clustered"] += ((sets.low <= low) & (sets.high >= high)).all()
        held["marginal"] += ((sets.marginal_low <= low) & (sets.marginal_high >= high)).all()
        sets = simultaneous_rank_sets(losses, *off, draws=4000)
        held["off"] += ((sets.low <= low) & (sets.high >= high)).all()
    assert held["clustered"] / 150 >= 0.95
    assert held["marginal"] / 150 < 0.95
    assert held["off"] / 150 < 0.90


# -- against one reference ---------------------------------------------------------------------


def test_p_values_are_below_the_level_just_where_the_interval_excludes_zero():
    rows, columns = grid(20, 15)
    losses = made([0.0, 0.1, 0.3, 0.4, 1.0])
    sets = simultaneous_rank_sets(losses, rows, columns)
    p = against_reference(sets, 2)
    assert math.isnan(p[2])
    for q in (0, 1, 3, 4):
        pair = paired_difference(losses[q], losses[2], rows, columns)
        t = pair.mean / pair.se
        assert p[q] == pytest.approx(2.0 * stats.t.sf(abs(t), 14))
        assert (p[q] < 0.05) == (not pair.low <= 0.0 <= pair.high)


def test_holm_is_the_closed_test_of_bonferroni():
    # Brute force: the adjusted p-value of i is the largest Bonferroni p-value of any set with i.
    p = np.array([0.011, 0.02, 0.3, 0.004, 0.02, 0.8])
    closed = [
        max(
            min(1.0, len(chosen) * p[list(chosen)].min())
            for size in range(1, 7)
            for chosen in itertools.combinations(range(6), size)
            if i in chosen
        )
        for i in range(6)
    ]
    np.testing.assert_allclose(holm(p), closed)
    with_gaps = holm(np.insert(p, 2, np.nan))
    assert math.isnan(with_gaps[2])
    np.testing.assert_allclose(np.delete(with_gaps, 2), closed)
    assert holm([]).shape == (0,)
