"""The built-in checkers; importing this registers them."""

from hibayes.check.convergence import bfmi, divergences, ess_bulk, ess_tail, r_hat
from hibayes.check.predictive import (
    posterior_predictive_plot,
    prior_predictive_check,
    prior_predictive_plot,
)
from hibayes.check.predictive_fit import loo, waic

__all__ = [
    "bfmi",
    "divergences",
    "ess_bulk",
    "ess_tail",
    "loo",
    "posterior_predictive_plot",
    "prior_predictive_check",
    "prior_predictive_plot",
    "r_hat",
    "waic",
]
