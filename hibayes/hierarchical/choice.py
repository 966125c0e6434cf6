"""Which of the three models a grid can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hibayes.hierarchical import crossed, factor, items
from hibayes.hierarchical.cells import Array, Grid
from hibayes.hierarchical.gibbs import Schedule
from hibayes.hierarchical.kernels import Kernels
from hibayes.hierarchical.posterior import Posterior

__all__ = ["MODELS", "choose", "fit"]

MODELS: tuple[str, ...] = ("crossed", "crossed_factor", "crossed_factor_items")

_FACTOR_MODELS, _FACTOR_COLUMNS = 6, 4
_CELLS_PER_EFFECT = 2.0  # train cells for each model and column, on average
_ITEM_COLUMNS = 10  # with fewer, one column's own items are too much of its kernel
_ITEM_MODELS = (6, 250)  # beyond, a sweep of cubic cost takes too long


def choose(model: str, grid: Grid, tables: Mapping[int, Array] | None) -> str:
    """Say which model to fit where this one is wanted: the simpler ones where there is little.

    ``crossed_factor`` needs 6 models, 4 columns and two train cells for each of both together;
    ``crossed_factor_items`` moreover 10 columns with item responses, at least half of all, and at
    most 250 models. What fails its need falls back: to the factor model, to ``crossed``.

    Examples
    --------
    >>> grid = Grid.of(list("aabb"), list("stst"), [0.2, 0.4, 0.6, 0.8], [100] * 4)
    >>> choose("crossed_factor", grid, None)
    'crossed'
    """
    rows, columns = grid.y.shape
    if model == "crossed_factor_items":
        found = len(tables or {})
        fewest, most = _ITEM_MODELS
        if found < max(_ITEM_COLUMNS, columns / 2) or not fewest <= rows <= most:
            model = "crossed_factor"
    if model != "crossed":
        enough = grid.mask.sum() >= _CELLS_PER_EFFECT * (rows + columns)
        if rows < _FACTOR_MODELS or columns < _FACTOR_COLUMNS or not enough:
            model = "crossed"
    return model


def fit(
    model: str,
    grid: Grid,
    tables: Mapping[int, Array] | None = None,
    *,
    rank: int = 6,
    seed: int = 0,
    draws: int | None = None,
) -> Posterior:
    """Fit a model, or the simpler one that `choose` puts in its place.

    Parameters
    ----------
    model : str
        One of `MODELS`.
    grid : Grid
        With at least one value.
    tables : mapping of int to ndarray, optional
        Item responses (`kernels.Answers.tables`).
    rank : int
        Number of factors, at most.
    seed : int
        Of everything random.
    draws : int, optional
        Kept draws of each of 4 chains; the model's own number by default. With fewer than that the
        warm-up is shortened alike.
    """
    model = choose(model, grid, tables)
    module = {"crossed": crossed, "crossed_factor": factor, "crossed_factor_items": items}[model]
    schedule: Schedule = replace(module.SCHEDULE, seed=seed)
    if draws is not None:
        share = min(1.0, draws / schedule.draws)
        schedule = replace(schedule, draws=draws, warmup=max(50, round(schedule.warmup * share)))
    if model == "crossed":
        return crossed.fit_crossed(grid, schedule)
    if model == "crossed_factor":
        return factor.fit_factor(grid, schedule, rank=rank)
    kernels = Kernels.of(tables or {}, len(grid.models))
    return items.fit_items(grid, kernels, schedule, rank=rank)
