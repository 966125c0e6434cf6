"""Processing: from one row for each sample to the features, coordinates and dims of models.

A *processor* changes an analysis state; `ProcessConfig` says which run, in which order.
"""

from hibayes.process._process import (
    Columns,
    Coords,
    DataProcessor,
    Dims,
    Features,
    columns_of,
    default_columns,
    process,
    use_columns,
)
from hibayes.process.coordinates import fitting_dims
from hibayes.process.process_config import ProcessConfig
from hibayes.process.processors import (
    add_categorical_column,
    drop_rows_with_missing_features,
    extract_features,
    extract_features_deprecated,
    extract_observed_feature,
    extract_predictors_deprecated,
    groupby,
    item_kernels,
    map_columns,
    merge_scout_results,
)

__all__ = [
    "Columns",
    "Coords",
    "DataProcessor",
    "Dims",
    "Features",
    "ProcessConfig",
    "add_categorical_column",
    "columns_of",
    "default_columns",
    "drop_rows_with_missing_features",
    "extract_features",
    "extract_features_deprecated",
    "extract_observed_feature",
    "extract_predictors_deprecated",
    "fitting_dims",
    "groupby",
    "item_kernels",
    "map_columns",
    "merge_scout_results",
    "process",
    "use_columns",
]
