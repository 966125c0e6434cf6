"""Small made grids with a planted truth, and item responses that go with them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from hibayes.hierarchical import factor
from hibayes.hierarchical import items as item_model
from hibayes.hierarchical.cells import Grid, from_logit


@dataclass
class Planted:
    """A grid, the expected logits behind it, and the item responses (None where not made)."""

    grid: Grid
    eta: np.ndarray
    y: np.ndarray  # complete
    tables: dict[int, np.ndarray] | None = None


def plant(models=14, scenarios=10, rank=0, items=200, held=0.1, seed=0, spread=0.1):
    """Make counts of items about effects of models and scenarios, and `rank` interactions."""
    rng = np.random.default_rng(seed)
    eta = 0.7 * rng.normal(size=(models, 1)) + 0.6 * rng.normal(size=scenarios)
    for _ in range(rank):
        eta = eta + 0.5 * np.outer(rng.normal(size=models), rng.normal(size=scenarios))
    p = from_logit(eta + spread * rng.normal(size=eta.shape))
    y = rng.binomial(items, p) / items
    keep = rng.random(eta.shape) >= held
    keep[0], keep[:, 0] = True, True
    grid = grid_of(y, keep, items)
    order = [int(name.split("/s")[1]) for name in grid.columns]
    return Planted(grid, eta[:, order], y[:, order])


def grid_of(y, keep, items):
    rows, columns = np.nonzero(keep)
    return Grid.of(
        [f"m{i:02d}" for i in rows],
        [f"g{j % 3}/s{j:02d}" for j in columns],
        y[rows, columns],
        np.full(len(rows), items),
        groups={f"g{j % 3}/s{j:02d}": f"g{j % 3}" for j in range(y.shape[1])},
        makers={f"m{i:02d}": f"o{i // 2}" for i in range(y.shape[0])},
    )


def plant_items(models=12, scenarios=12, items=80, held=0.1, seed=0):
    """Make responses of models in four families that answer alike within each."""
    rng = np.random.default_rng(seed)
    family = np.arange(models) % 4
    ability, ease = rng.normal(size=models), rng.normal(size=scenarios)
    tables, y = {}, np.empty((models, scenarios))
    for j in range(scenarios):
        shared = rng.normal(size=(4, items))
        own = rng.normal(size=(models, items))
        difficulty = rng.normal(size=items)
        latent = ability[:, None] + ease[j] - difficulty + 1.5 * shared[family] + 0.5 * own
        x = (latent > 0).astype(float)
        y[:, j] = x.mean(axis=1)
        tables[j] = x
    keep = rng.random(y.shape) >= held
    keep[0], keep[:, 0] = True, True
    grid = grid_of(y, keep, items)
    order = [int(name.split("/s")[1]) for name in grid.columns]
    kept = {}
    for place, j in enumerate(order):
        kept[place] = np.where(keep[:, j, None], tables[j], np.nan)
    return Planted(grid, np.full(y.shape, np.nan), y[:, order], kept)


@pytest.fixture(autouse=True)
def _few_sweeps(monkeypatch):
    """Sample briefly where a predictor chooses how long."""
    for module in (factor, item_model):
        schedule = replace(module.SCHEDULE, warmup=module.SCHEDULE.warmup // 2, thin=2)
        monkeypatch.setattr(module, "SCHEDULE", schedule)


@pytest.fixture(scope="session")
def planted():
    return plant


@pytest.fixture(scope="session")
def planted_items():
    return plant_items
