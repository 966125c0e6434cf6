"""The built-in communicators; importing this registers them."""

from hibayes.communicate.agreement import krippendorff_alpha
from hibayes.communicate.comparison import model_comparison_plot
from hibayes.communicate.estimands import binomial_estimands_table
from hibayes.communicate.ordinal import (
    category_frequency_plot,
    cutpoint_plot,
    ordered_residuals_plot,
)
from hibayes.communicate.parameters import forest_plot, pair_plot, summary_table, trace_plot

__all__ = [
    "binomial_estimands_table",
    "category_frequency_plot",
    "cutpoint_plot",
    "forest_plot",
    "krippendorff_alpha",
    "model_comparison_plot",
    "ordered_residuals_plot",
    "pair_plot",
    "summary_table",
    "trace_plot",
]
