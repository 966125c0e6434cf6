"""The built-in models; importing this module registers them."""

from hibayes.model.definition import check_features
from hibayes.model.models.crossed_effects import crossed, crossed_factor, crossed_factor_items
from hibayes.model.models.group_binomial import (
    simplified_group_binomial_exponential,
    three_level_group_binomial,
    three_level_group_binomial_exponential,
    two_level_group_binomial,
)
from hibayes.model.models.hierarchical_ordered import hierarchical_ordered_logistic_model
from hibayes.model.models.linear import linear_group_binomial
from hibayes.model.models.ordered import ordered_logistic_model
from hibayes.model.models.pairwise import pairwise_logistic_model

__all__ = [
    "check_features",
    "crossed",
    "crossed_factor",
    "crossed_factor_items",
    "hierarchical_ordered_logistic_model",
    "linear_group_binomial",
    "ordered_logistic_model",
    "pairwise_logistic_model",
    "simplified_group_binomial_exponential",
    "three_level_group_binomial",
    "three_level_group_binomial_exponential",
    "two_level_group_binomial",
]
