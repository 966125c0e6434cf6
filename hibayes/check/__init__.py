"""Checks of a model before it is fitted and after: names as in HiBayES.

A check is a builder decorated by `checker`, whose worker takes a model's state and gives it back
with a result: pass, fail, error or NA.
"""

from hibayes.check.checkers import (
    bfmi,
    divergences,
    ess_bulk,
    ess_tail,
    loo,
    posterior_predictive_plot,
    prior_predictive_check,
    prior_predictive_plot,
    r_hat,
    waic,
)
from hibayes.check.configuration import CheckerConfig
from hibayes.check.definition import Checker, CheckerResult, checker, when_of

__all__ = [
    "Checker",
    "CheckerConfig",
    "CheckerResult",
    "bfmi",
    "checker",
    "divergences",
    "ess_bulk",
    "ess_tail",
    "loo",
    "posterior_predictive_plot",
    "prior_predictive_check",
    "prior_predictive_plot",
    "r_hat",
    "waic",
    "when_of",
]
