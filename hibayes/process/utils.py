"""Types, arrays and the order of categories."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes.load.utils import tell
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_WHOLE = 2**31


def infer_jax_dtype(pandas_series: pd.Series) -> Any:
    """Give the type of array that a column becomes.

    Parameters
    ----------
    pandas_series : Series
        Of numbers or truth values.

    Returns
    -------
    jax.numpy type
        Signed whole numbers int32; unsigned ones of up to 4 bytes uint32, wider ones uint64;
        numbers float32; truth values bool. NumPy's type of the name where JAX is not installed.

    Raises
    ------
    UsageError
        A ValueError, for columns of anything else.
    """
    kind, size = pandas_series.dtype.kind, getattr(pandas_series.dtype, "itemsize", 8)
    name = {"i": "int32", "u": "uint32" if size <= 4 else "uint64", "f": "float32", "b": "bool_"}
    if kind not in name:
        raise UsageError(
            f"Unsupported pandas dtype {pandas_series.dtype} of the column "
            f"{pandas_series.name!r}: a feature is made of numbers or truth values."
        )
    return getattr(_arrays(), name[kind])


def get_category_order(
    series: pd.Series,
    feature_name: str,
    reference_category: Any | None = None,
    custom_order: Sequence[Any] | None = None,
) -> pd.Index:
    """Order the categories of a column.

    Parameters
    ----------
    series : Series
        The column; missing values are no category.
    feature_name : str
        For messages.
    reference_category : any, optional
        The category that comes first, the others sorted behind it.
    custom_order : sequence, optional
        The whole order; it wins. Categories that the data lack are left out.

    Returns
    -------
    Index

    Raises
    ------
    UsageError
        If the order lacks a category of the data, or the data the reference.

    Examples
    --------
    >>> import pandas as pd
    >>> get_category_order(pd.Series(["b", "a", "c"]), "x", reference_category="c").tolist()
    ['c', 'a', 'b']
    """
    import pandas as pd

    there = list(series.dropna().unique())
    if custom_order is not None:
        lacking = [each for each in there if each not in custom_order]
        if lacking:
            raise UsageError(
                f"category_order for '{feature_name}' is missing categories found in data: "
                f"{_in_order(lacking)}"
            )
        return pd.Index([each for each in dict.fromkeys(custom_order) if each in there])
    order = _in_order(there)
    if reference_category is None:
        return pd.Index(order)
    if reference_category not in order:
        raise UsageError(
            f"reference_categories['{feature_name}'] = {reference_category!r} not found in data. "
            f"Available categories: {order}"
        )
    return pd.Index([reference_category, *(c for c in order if c != reference_category)])


def array_of(values: Any, dtype: Any) -> Any:
    """Make an array of JAX (of NumPy, where JAX is not installed).

    Raises
    ------
    UsageError
        If whole numbers do not fit the type.
    """
    numbers = np.asarray(values)
    target = np.dtype(dtype)
    if target.kind in "iu" and numbers.size:
        if target.itemsize == 8:  # JAX has 32 bits unless told otherwise
            target = np.dtype("uint32" if target.kind == "u" else "int32")
        limits = np.iinfo(target)
        if numbers.min() < limits.min or numbers.max() > limits.max:
            raise UsageError(
                f"whole numbers from {numbers.min()} to {numbers.max()} do not fit {target}: "
                "divide them, or make the column one of floats."
            )
    return _arrays().asarray(numbers.astype(target))


def column_values(frame: pd.DataFrame, name: str) -> Any:
    """Give a numeric column as a NumPy array, missing values as NaN."""
    column = frame[name]
    if column.dtype.kind == "b" and not column.isna().any():
        return column.to_numpy(dtype=bool)
    if column.dtype.kind in "iu" and not column.isna().any():
        return column.to_numpy(dtype="uint64" if column.dtype.kind == "u" else "int64")
    return column.to_numpy(dtype="float64", na_value=np.nan)


def are_whole(values: Any) -> bool:
    """Say whether these are whole numbers of 32 bits, none missing.

    Examples
    --------
    >>> are_whole(np.array([1.0, 0.0])), are_whole(np.array([0.5])), are_whole(np.array([np.nan]))
    (True, False, False)
    """
    numbers = np.asarray(values)
    if numbers.dtype.kind != "f" or not numbers.size:
        return False
    return bool(
        np.isfinite(numbers).all()
        and (np.abs(numbers) < _WHOLE).all()
        and (numbers == np.floor(numbers)).all()
    )


def require(state: Any, names: Sequence[str], display: Any, message: str = "") -> None:
    """See that columns are there, taking them from the samples' metadata where they are not.

    A column ``grader`` that no extractor made is taken from ``metadata_grader``, which is said.

    Raises
    ------
    UsageError
        A ValueError: ``Processed data missing required columns: […]. Available: […]``.
    """
    frame = state.processed_data
    lacking = []
    for name in dict.fromkeys(names):
        if name in frame.columns:
            continue
        if f"metadata_{name}" in frame.columns:
            frame = frame.assign(**{name: frame[f"metadata_{name}"]})
            tell(display, f"No extractor made '{name}': it is taken from the samples' metadata.")
        else:
            lacking.append(name)
    state.processed_data = frame
    if lacking:
        available = [str(name) for name in frame.columns]
        text = message or f"Processed data missing required columns: {lacking}."
        raise UsageError(
            f"{text} Available: {available}. An extractor, or map_columns, can make a column."
        )


def split(state: Any, test: str | None, display: Any) -> Any:
    """Give a mask of the test rows, None where there is no split.

    Raises
    ------
    UsageError
        If the column is not there, or holds other than truth values (or 0 and 1).
    """
    if test is None:
        return None
    require(state, [test], display)
    column = state.processed_data[test]
    values = set(column.dropna().unique().tolist())
    if column.isna().any() or not values <= {0, 1}:
        shown = sorted(map(repr, values))[:5]
        raise UsageError(
            f"test: the column {test!r} must be true or false (or 1 or 0) in every row; "
            f"it holds {', '.join(shown)}{', and missing values' if column.isna().any() else ''}."
        )
    return column.astype(bool).to_numpy(dtype=bool)


def _arrays() -> Any:
    """Give JAX's module of arrays, NumPy where JAX is not installed."""
    try:
        return importlib.import_module("jax.numpy")
    except ImportError:
        return importlib.import_module("numpy")


def _in_order(categories: Sequence[Any]) -> list[Any]:
    try:
        return sorted(categories)
    except TypeError:  # of several types
        return sorted(categories, key=lambda each: (type(each).__name__, str(each)))
