"""Statistical models and their fit: names as in HiBayES.

A model is a builder decorated by `model`: its arguments are the settings of a configuration, and it
returns a NumPyro program of the features. `fit` samples the posterior of one.
"""

from hibayes.model.definition import Axis, Model, Structure, check_features, describe, model
from hibayes.model.fitting import fit
from hibayes.model.labelling import Labels, labels_of
from hibayes.model.model_config import (
    INIT_FUNCTION_MAP,
    LINK_FUNCTION_MAP,
    FitConfig,
    Method,
    ModelConfig,
    ModelsToRunConfig,
)
from hibayes.model.models import (
    crossed,
    crossed_factor,
    crossed_factor_items,
    hierarchical_ordered_logistic_model,
    linear_group_binomial,
    ordered_logistic_model,
    pairwise_logistic_model,
    simplified_group_binomial_exponential,
    three_level_group_binomial,
    three_level_group_binomial_exponential,
    two_level_group_binomial,
)
from hibayes.model.utils import create_interaction_effects

__all__ = [
    "INIT_FUNCTION_MAP",
    "LINK_FUNCTION_MAP",
    "Axis",
    "FitConfig",
    "Labels",
    "Method",
    "Model",
    "ModelConfig",
    "ModelsToRunConfig",
    "Structure",
    "check_features",
    "create_interaction_effects",
    "crossed",
    "crossed_factor",
    "crossed_factor_items",
    "describe",
    "fit",
    "hierarchical_ordered_logistic_model",
    "labels_of",
    "linear_group_binomial",
    "model",
    "ordered_logistic_model",
    "pairwise_logistic_model",
    "simplified_group_binomial_exponential",
    "three_level_group_binomial",
    "three_level_group_binomial_exponential",
    "two_level_group_binomial",
]
