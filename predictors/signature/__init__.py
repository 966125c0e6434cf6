"""Run values regressed on single responses: which items a model gets right tells how it does.

`features` makes kernels of models from their responses, `regression` is the regression, with its
amounts learned; `predictor` asks them for each target.
"""

from predictors.signature.predictor import Signature

__all__ = ["Signature"]
