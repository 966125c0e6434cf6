"""What is known of a run from its scenario alone: the fallback of all other methods."""

from __future__ import annotations

from predictors.common.grid import Cells
from predictors.common.moments import TrainMoments, normal_prior
from predictors.common.priors import Prior

__all__ = ["scenario_priors"]


def scenario_priors(learned: TrainMoments, targets: Cells) -> list[Prior | None]:
    """Give each target the normal prior of its column, as `predictors.scenario_mean` predicts."""
    return [normal_prior(*moments) for moments in learned.of_each(targets)]
