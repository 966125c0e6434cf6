"""Which models of an earlier run need not be fitted again."""

from __future__ import annotations

from typing import Any

import numpy as np

from hibayes.model_state import ModelAnalysisState
from hibayes.storage.codec import encode
from hibayes.storage.saving import config_record, model_record

__all__ = ["same_fit"]


def same_fit(planned: ModelAnalysisState, earlier: ModelAnalysisState) -> bool:
    """Say whether a model has been fitted: same code, arguments, settings, features, labels.

    Parameters
    ----------
    planned : ModelAnalysisState
        The model that is to be fitted.
    earlier : ModelAnalysisState
        A model of a saved state.
    """
    return (
        earlier.is_fitted
        and earlier.model_name == planned.model_name
        and model_record(earlier) == model_record(planned)
        and _fit(earlier) == _fit(planned)
        and _same_features(earlier.features, planned.features)
        and (earlier.coords or {}) == (planned.coords or {})
        and (earlier.dims or {}) == (planned.dims or {})
    )


def _fit(model: ModelAnalysisState) -> Any:
    return config_record(model.model_config)["fit"] | {"progress_bar": None}


def _same_features(one: dict[str, Any], other: dict[str, Any]) -> bool:
    arrays: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    encoded = [
        {name: encode(value, name, kept) for name, value in features.items()}
        for features, kept in zip((one, other), arrays, strict=True)
    ]
    return encoded[0] == encoded[1] and all(
        array.dtype == arrays[1][name].dtype and np.array_equal(array, arrays[1][name])
        for name, array in arrays[0].items()
    )
