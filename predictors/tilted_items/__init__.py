"""Responses from like models' responses to their items, tilted to the run's level.

`signatures` and `levels` are the regressions, `tilt` brings them together, `residuals` takes in
the shown responses, `pool` what all scenarios share; `predictor` asks them in turn.
"""

from predictors.tilted_items.predictor import TiltedItems

__all__ = ["TiltedItems"]
