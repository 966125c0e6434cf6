"""A Gaussian process over models and scenarios: `docs/predictors/profile.md`.

`predictor` splits a table into parts and asks a `part` for each; `gp` is the process itself,
`learning` its hyper-parameters, `levels` what is new in a fold, `forecast` the predictions.
"""

from predictors.profile.predictor import Profile

__all__ = ["Profile"]
