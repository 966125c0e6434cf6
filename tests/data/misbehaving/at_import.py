"""A predictor whose file cannot be imported."""

from harness.predictor import RunPredictor

raise RuntimeError("not on this machine")


class Never(RunPredictor):
    pass
