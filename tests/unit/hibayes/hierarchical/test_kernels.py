"""Kernels from item responses, and which model a grid can carry."""

import numpy as np

from hibayes.hierarchical.cells import Grid, family
from hibayes.hierarchical.choice import choose, fit
from hibayes.hierarchical.kernels import Answers, Kernels


def test_relatives_are_alike_in_both_kernels(planted_items):
    kernels = Kernels.of(planted_items().tables, 12)
    relative = np.equal.outer(np.arange(12) % 4, np.arange(12) % 4) & ~np.eye(12, dtype=bool)
    for kernel in (kernels.agreement, kernels.lineage, kernels.factors, kernels.residual):
        assert np.allclose(kernel, kernel.T)
        assert np.linalg.eigvalsh(kernel).min() > 0
        assert kernel[relative].mean() > kernel[~relative & ~np.eye(12, dtype=bool)].mean() + 0.1
    assert np.allclose(np.diag(kernels.factors), 1)


def test_a_common_level_is_agreement_but_no_lineage():
    rng = np.random.default_rng(0)
    easy, hard = rng.random((2, 400)) < 0.9, rng.random((4, 400)) < 0.2
    kernels = Kernels.of({0: np.vstack([easy, hard]).astype(float)}, 6)
    assert kernels.agreement[0, 1] > 0.4
    assert abs(kernels.lineage[0, 1]) < 0.2


def test_missing_responses_count_for_nothing():
    rng = np.random.default_rng(1)
    table = (rng.random((5, 300)) < 0.6).astype(float)
    gaps = np.where(rng.random(table.shape) < 0.1, np.nan, table)
    full, found = Kernels.of({0: table}, 5), Kernels.of({0: gaps}, 5)
    assert np.abs(full.agreement - found.agreement).max() < 0.2
    nothing = Kernels.of({0: np.full((3, 4), np.nan)}, 3)
    assert np.isfinite(nothing.factors).all()


def test_a_row_is_estimated_from_shown_items(planted_items):
    tables = planted_items(held=0.0).tables
    kernels = Kernels.of(tables, 12)
    shown = {j: np.where(np.arange(80) < 40, x[5], np.nan) for j, x in tables.items()}
    factors, residual, _ = kernels.row_of(tables, shown)
    assert factors.argmax() == 5
    assert residual.argmax() == 5
    crowd = kernels.row_of(tables, {}).factors
    assert np.ptp(crowd) < np.ptp(factors)


def test_answers_do_not_depend_on_the_order_of_rows():
    grid = Grid.of(list("aabb"), list("stst"), [0.5] * 4, [4] * 4)
    rng = np.random.default_rng(0)
    rows = [(m, s, f"i{n}", rng.random()) for m in "ab" for s in "st" for n in range(4)]
    rows += [("a", "s", "i0", 0.25), ("c", "s", "i0", 1.0), ("a", "s", "i9", np.nan)]
    one = Answers.of(grid, *zip(*rows, strict=True))
    rng.shuffle(rows)
    two = Answers.of(grid, *zip(*rows, strict=True))
    assert one.items == two.items
    assert all(np.array_equal(one.tables[j], two.tables[j], equal_nan=True) for j in (0, 1))
    assert one.tables[0].shape == (2, 4)


def test_families_are_named_without_their_last_words():
    assert family("bbh/tracking_shuffled_objects_five_objects") == "bbh/tracking_shuffled_objects"
    assert family("a_b") == "a_b"


def test_little_data_takes_the_simpler_model(planted, planted_items):
    made = planted_items()
    assert choose("crossed_factor_items", made.grid, made.tables) == "crossed_factor_items"
    some = {j: made.tables[j] for j in range(9)}
    assert choose("crossed_factor_items", made.grid, some) == "crossed_factor"
    assert choose("crossed_factor_items", made.grid, None) == "crossed_factor"
    small = planted(models=5, scenarios=9).grid
    assert choose("crossed_factor_items", small, None) == "crossed"
    sparse = planted(models=10, scenarios=10, held=0.75).grid
    assert choose("crossed_factor", sparse, None) == "crossed"
    assert fit("crossed_factor_items", small, draws=10).model == "crossed"


def test_fewer_draws_shorten_the_warm_up():
    grid = Grid.of(list("aabb"), list("stst"), [0.5] * 4, [4] * 4)
    posterior = fit("crossed", grid, draws=40)
    assert (posterior.schedule.draws, posterior.schedule.warmup) == (40, 50)
    assert fit("crossed", grid).schedule.warmup == 500


def test_one_cell_is_enough():
    grid = Grid.of(["a"], ["s"], [0.3], [10])
    posterior = fit("crossed_factor_items", grid, draws=25)
    assert np.isfinite(posterior.expected(np.array([0]), np.array([0]))).all()
