"""Levels of models that answer alike are off their priors alike."""

import numpy as np
import pytest
from held_cells import error, split
from scipy.special import expit

from predictors.common.item_grid import ItemGrid
from predictors.tilted_items.likeness import LevelLikeness
from predictors.tilted_items.pool import ModelPool
from predictors.tilted_items.runs import TiltedRuns
from predictors.tilted_items.signatures import Signatures

MODELS, COLUMNS, ITEMS = 20, 8, 60


def made(seed=0, kinds=4):
    """Give a pool of models of a few kinds, and the kind of each."""
    rng = np.random.default_rng(seed)
    kind = np.arange(MODELS) % kinds
    taste = rng.normal(0, 1.5, (kinds, COLUMNS, ITEMS))
    y = (rng.random((MODELS, COLUMNS, ITEMS)) < expit(taste[kind])) * 1.0
    grid = ItemGrid([f"m{i:02}" for i in range(MODELS)], {}, list(range(COLUMNS)), [],
                    list(np.swapaxes(y, 0, 1)))  # fmt: skip
    return ModelPool(grid, np.arange(MODELS), Signatures.of(grid), 1.0, 0.2), kind


def of_kinds(kind, share, seed=1):
    """Draw surprises, of which a share is common to a kind."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(kind.max() + 1, COLUMNS))[kind]
    return np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=(MODELS, COLUMNS))


def test_the_share_is_learned_from_surprises_of_models_that_answer_alike():
    pool, kind = made()
    independent = LevelLikeness.of(of_kinds(kind, 0.0), pool)
    common = LevelLikeness.of(of_kinds(kind, 0.8), pool)
    assert independent.share <= 0.25
    assert common.share >= 0.8


def test_a_run_is_moved_as_its_relatives_are_off_and_known_better():
    pool, kind = made()
    off = of_kinds(kind, 0.8)
    truth = off[3, 2]
    off[3, 2] = np.nan
    mean, sd = LevelLikeness.of(off, pool).moved((1.0, 2.0), pool, 3, 2)
    relatives = off[(kind == kind[3]) & np.isfinite(off[:, 2]), 2].mean()
    assert np.sign(mean - 1.0) == np.sign(relatives)
    assert abs(mean - 1.0 - 2.0 * truth) < abs(2.0 * truth)
    assert 0.2 < sd < 1.9


def test_what_is_left_out_is_what_a_run_is_off_when_it_is_moved():
    pool, kind = made()
    off = of_kinds(kind, 0.6)
    likeness = LevelLikeness(off, 0.7)
    found = likeness.left_out(pool)
    for model, column in ((0, 0), (7, 3)):
        mean, sd = likeness.moved((0.0, 1.0), pool, model, column)
        assert found[model, column] == pytest.approx((off[model, column] - mean) / sd, rel=1e-9)


def test_gaps_stay_gaps_and_nothing_in_common_moves_nothing():
    pool, _ = made()
    off = np.full((MODELS, COLUMNS), np.nan)
    assert LevelLikeness.of(off, pool).moved((0.3, 0.7), pool, 2, 1) == (0.3, 0.7)
    off[:, 0] = np.random.default_rng(0).normal(size=MODELS)
    off[5, 0] = np.nan
    left = LevelLikeness(off, 0.5).left_out(pool)
    assert np.isfinite(left).sum() == MODELS - 1
    assert LevelLikeness(off, 0.0).moved((0.3, 0.7), pool, 5, 0) == (0.3, 0.7)


def test_runs_of_families_with_strong_and_weak_scenarios_are_predicted_better():
    rng = np.random.default_rng(4)
    kind = np.arange(16) % 4
    taste = rng.normal(0, 1.2, (4, 6, 40))
    strong = rng.normal(0, 0.8, (4, 6, 1))  # of a family at a scenario
    x = (rng.random((16, 6, 40)) < expit(taste[kind] + strong[kind])) * 1.0
    case = split(x, {(i, (3 * i + i // 6) % 6) for i in range(16)})

    class Alone(TiltedRuns):
        """Without what relatives tell."""

        def __init__(self):
            super().__init__()
            self._items.likeness = lambda learned: LevelLikeness(learned.surprises(), 0.0)

    assert error(TiltedRuns(), *case) < 0.9 * error(Alone(), *case)
