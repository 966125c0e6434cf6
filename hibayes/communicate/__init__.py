"""Plots and tables of what models found: names as in HiBayES.

A communicator is a builder decorated by `communicate`, whose worker takes the state of an analysis
and adds figures and tables to it.
"""

from hibayes.communicate.communicators import (
    binomial_estimands_table,
    category_frequency_plot,
    cutpoint_plot,
    forest_plot,
    krippendorff_alpha,
    model_comparison_plot,
    ordered_residuals_plot,
    pair_plot,
    summary_table,
    trace_plot,
)
from hibayes.communicate.configuration import CommunicateConfig
from hibayes.communicate.definition import CommunicateResult, Communicator, communicate
from hibayes.communicate.estimands import group_binomial_estimands
from hibayes.communicate.utils import drop_not_present_vars, resolve_models_to_run

__all__ = [
    "CommunicateConfig",
    "CommunicateResult",
    "Communicator",
    "binomial_estimands_table",
    "category_frequency_plot",
    "communicate",
    "cutpoint_plot",
    "drop_not_present_vars",
    "forest_plot",
    "group_binomial_estimands",
    "krippendorff_alpha",
    "model_comparison_plot",
    "ordered_residuals_plot",
    "pair_plot",
    "resolve_models_to_run",
    "summary_table",
    "trace_plot",
]
