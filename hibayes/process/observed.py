"""Processors that make single features of columns: the observed one, and columns as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hibayes.load.utils import tell
from hibayes.process._process import DataProcessor, process
from hibayes.process.rows import graded
from hibayes.process.utils import (
    are_whole,
    array_of,
    column_values,
    infer_jax_dtype,
    require,
    split,
)
from suites.errors import UsageError, unknown_name

MISSING: tuple[str, ...] = ("error", "drop")


@process
def extract_observed_feature(
    feature_name: str = "score",
    test: str | None = None,
    *,
    missing: str = "error",
    whole_numbers: bool = True,
) -> DataProcessor:
    """Make the observed feature, ``obs``, of a column.

    Parameters
    ----------
    feature_name : str
        The column: numbers, truth values, or grades (C, I, …).
    test : str, optional
        A column of truth values: its true rows become ``test_features``.
    missing : str
        Rows without a value: ``error``, or ``drop`` them (before other features are made).
    whole_numbers : bool
        Make whole numbers of floats that all are whole, as models of grades and counts need.

    Raises
    ------
    UsageError
        If the column is not there, is not numeric, or misses values.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace as Some
    >>> state = Some(data=pd.DataFrame({"score": [1.0, 0.0]}), processed_data=None, features=None)
    >>> extract_observed_feature()(state).features["obs"].tolist()
    [1, 0]
    """
    _known(missing)

    def processor(state: Any, display: Any = None) -> Any:
        message = (
            f"Processed data must contain '{feature_name}' column. Either write a custom "
            "processor, or use map_columns processor to map the columns to this name."
        )
        require(state, [feature_name], display, message)
        without_missing(state, [feature_name], missing, display)
        frame = state.processed_data
        column = frame[feature_name]
        if column.dtype.kind not in "iufb":
            column = graded(column, display)
            frame = state.processed_data = frame.assign(**{feature_name: column})
        values, dtype = column_values(frame, feature_name), infer_jax_dtype(column)
        if whole_numbers and are_whole(values):
            values = values.astype("int64")
            dtype = infer_jax_dtype(column.astype("int64"))
        chosen = split(state, test, display)
        put(state, {"obs": (values, dtype)}, chosen)
        tell(display, f"Extracted '{feature_name}' -> 'obs' with dtype: {np.dtype(dtype).name}")
        return state

    return processor


@process
def extract_features_deprecated(
    feature_names: Sequence[str] | None = None, standardise: bool = False
) -> DataProcessor:
    """Make a feature of each column, under its own name; `extract_features` is the newer one.

    Parameters
    ----------
    feature_names : list of str
        By default ``score``.
    standardise : bool
        Subtract the mean and divide by the standard deviation (of the sample).
    """
    names = ["score"] if feature_names is None else list(feature_names)

    def processor(state: Any, display: Any = None) -> Any:
        message = (
            f"Processed data must contain {names} columns. Either write a custom processor, or "
            "use map_columns processor to map the columns to these names."
        )
        require(state, names, display, message)
        for name in dict.fromkeys(names):
            continuous(state, name, standardise, None, display)
        return state

    return processor


def continuous(
    state: Any, name: str, standardise: bool, test: Any, display: Any
) -> tuple[Any, Any]:
    """Make a feature of a numeric column; give its values and the array's type.

    Standardised, it is (x − mean) / (sd + 1e-8), with the mean and the sample's standard deviation
    (divisor n − 1) of the training rows, and is written back to the processed data.
    """
    frame = state.processed_data
    dtype = infer_jax_dtype(frame[name])
    values = column_values(frame, name)
    gaps = int(np.isnan(values).sum()) if values.dtype.kind == "f" else 0
    if gaps:
        said = (
            f"'{name}' has no value in {gaps} of {len(values)} rows: they stay NaN in its feature"
        )
        tell(display, said, "warning")
    if standardise:
        numbers = values.astype("float64")
        known = numbers if test is None else numbers[~test]
        known = known[~np.isnan(known)]
        mean = float(known.mean()) if len(known) else float("nan")
        sd = float(known.std(ddof=1)) if len(known) > 1 else 0.0
        if sd == 0:
            tell(display, f"'{name}' is constant: standardised, it is only centred", "warning")
        values = (numbers - mean) / (sd + 1e-8 if sd > 0 else 1.0)
        state.processed_data = frame.assign(**{name: values})
        tell(display, f"Standardised continuous '{name}' (mean: {mean:g}, std: {sd:g})")
    if values.dtype.kind == "f":
        dtype = infer_jax_dtype(state.processed_data[name].astype("float64"))
    put(state, {name: (values, dtype)}, test)
    tell(display, f"Extracted continuous '{name}' with dtype: {np.dtype(dtype).name}")
    return values, dtype


def put(state: Any, made: dict[str, tuple[Any, Any]], test: Any) -> None:
    """Add arrays to the state's features; rows of the test set to its test features."""
    features = dict(getattr(state, "features", None) or {})
    test_features = dict(getattr(state, "test_features", None) or {})
    for name, (values, dtype) in made.items():
        features[name] = array_of(values if test is None else values[~test], dtype)
        if test is not None:
            test_features[name] = array_of(values[test], dtype)
    state.features = features
    if test is not None:
        state.test_features = test_features


def without_missing(state: Any, names: Sequence[str], missing: str, display: Any) -> None:
    """Refuse or drop the rows that miss a value of one of these columns.

    Raises
    ------
    UsageError
        Under ``error``, naming the columns; under ``drop``, when features were made already, of
        which the rows would no longer agree.
    """
    frame = state.processed_data
    gaps = {name: int(frame[name].isna().sum()) for name in names}
    said = ", ".join(f"'{name}' in {n}" for name, n in gaps.items() if n)
    if not said:
        return
    if missing == "error":
        raise UsageError(
            f"of {len(frame)} rows, there is no {said}. Drop them: first "
            f"drop_rows_with_missing_features with feature_names: "
            f"{[name for name, n in gaps.items() if n]}, or missing: drop."
        )
    made = [name for name, value in (state.features or {}).items() if np.ndim(value)]
    if made:
        raise UsageError(
            f"missing: drop would drop rows of which {made} were made already. Put "
            "drop_rows_with_missing_features before them."
        )
    state.processed_data = frame.dropna(subset=list(names))
    left = len(state.processed_data)
    tell(display, f"Dropping {len(frame) - left} of {len(frame)} rows: no {said}", "warning")
    if not left:
        raise UsageError(f"Processed data is empty. All {len(frame)} rows miss {said}.")


def _known(missing: str) -> None:
    if missing not in MISSING:
        raise unknown_name("way with missing values", str(missing), MISSING)
