"""Responses from like models' responses to their items, tilted to the run's level; and that level.

`signatures`, `levels` and `likeness` are the regressions, `tilt` brings them together, `residuals`
takes in the shown responses, `pool` what all scenarios share; `predictor` asks them in turn. `runs`
gives the level as the run's value.
"""

from predictors.tilted_items.predictor import TiltedItems
from predictors.tilted_items.runs import TiltedRuns

__all__ = ["TiltedItems", "TiltedRuns"]
