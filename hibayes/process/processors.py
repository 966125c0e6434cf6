"""The built-in processors; importing this module registers them."""

from hibayes.process._process import Coords, Dims, Features
from hibayes.process.features import extract_features, extract_predictors_deprecated
from hibayes.process.item_kernels import item_kernels
from hibayes.process.observed import extract_features_deprecated, extract_observed_feature
from hibayes.process.rows import (
    add_categorical_column,
    drop_rows_with_missing_features,
    groupby,
    map_columns,
)
from hibayes.process.scout import merge_scout_results

__all__ = [
    "Coords",
    "Dims",
    "Features",
    "add_categorical_column",
    "drop_rows_with_missing_features",
    "extract_features",
    "extract_features_deprecated",
    "extract_observed_feature",
    "extract_predictors_deprecated",
    "groupby",
    "item_kernels",
    "map_columns",
    "merge_scout_results",
]
