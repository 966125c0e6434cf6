"""Processors of rows and columns: renaming, dropping, counting, adding."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hibayes.load.scores import score_number
from hibayes.load.utils import tell
from hibayes.process._process import DataProcessor, process
from hibayes.process.utils import are_whole, require
from suites.errors import UsageError


@process
def map_columns(column_mapping: Mapping[str, str] | None = None) -> DataProcessor:
    """Rename columns.

    Parameters
    ----------
    column_mapping : mapping, optional
        Old name → new one. Old names that are not there are passed over, which is said.

    Raises
    ------
    UsageError
        If two columns would get one name.
    """

    def processor(state: Any, display: Any = None) -> Any:
        wanted = dict(column_mapping or {})
        frame = state.processed_data
        for name in wanted:
            if name not in frame.columns and f"metadata_{name}" in frame.columns:
                require(state, [name], display)
                frame = state.processed_data
        there = {old: new for old, new in wanted.items() if old in frame.columns}
        for name in wanted:
            if name not in there:
                near = difflib.get_close_matches(name, list(map(str, frame.columns)), n=1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                tell(display, f"There is no column '{name}' to rename{hint}", "warning")
        names = [there.get(name, name) for name in frame.columns]
        twice = sorted({str(name) for name in there.values() if names.count(name) > 1})
        if twice:
            raise UsageError(
                f"map_columns: two columns would be named {', '.join(map(repr, twice))}. "
                "Rename or drop the one that is there."
            )
        state.processed_data = frame.rename(columns=there)
        if there:
            tell(display, f"Mapping columns: {there}")
        return state

    return processor


@process
def drop_rows_with_missing_features(
    feature_names: Sequence[str] | None = None, features: Sequence[str] | None = None
) -> DataProcessor:
    """Drop the rows that miss a value of one of these columns; the index is kept.

    Parameters
    ----------
    feature_names : list of str
        By default ``model`` and ``task``.
    features : list of str
        Another name of the same argument.
    """
    if feature_names is not None and features is not None:
        raise UsageError("feature_names and features are one argument: give one of them.")
    given = feature_names if feature_names is not None else features
    names = (
        [given] if isinstance(given, str) else list(["model", "task"] if given is None else given)
    )

    def processor(state: Any, display: Any = None) -> Any:
        require(state, names, display)
        frame = state.processed_data
        kept = frame.dropna(subset=names)
        by_column = {name: int(frame[name].isna().sum()) for name in names}
        said = ", ".join(f"{name}: {n}" for name, n in by_column.items() if n) or "none is missing"
        tell(
            display,
            f"Dropping rows with missing features: {names}; "
            f"{len(frame) - len(kept)} of {len(frame)} rows dropped ({said})",
        )
        state.processed_data = kept
        return state

    return processor


@process
def groupby(
    groupby_columns: Sequence[str] | str | None = None, *args: Any, **kwargs: Any
) -> DataProcessor:
    """Count the rows and the correct ones in each group.

    The data become one row for each group: its columns, ``n_correct`` (sum of ``score``) and
    ``n_total`` (rows that have a score).

    Parameters
    ----------
    groupby_columns : list of str, optional
        What makes a group; None does nothing.
    *args, **kwargs
        Of pandas' ``groupby``. ``dropna: true`` drops rows that miss a group, which is an error
        else.

    Raises
    ------
    UsageError
        If a column is not there, a row misses its group, or a score is not between 0 and 1, so
        that it is no count.
    """
    listed = [groupby_columns] if isinstance(groupby_columns, str) else groupby_columns
    names = None if listed is None else list(listed)

    def processor(state: Any, display: Any = None) -> Any:
        if names is None:
            return state
        message = (
            f"Processed data must both contain {names} and score columns. Either write a custom "
            "processor, or use map_columns processor to map the columns to these names."
        )
        require(state, [*names, "score"], display, message)
        frame = state.processed_data
        missing = frame[names].isna().any(axis=1)
        if missing.any() and "dropna" not in kwargs:
            raise UsageError(
                f"groupby: {int(missing.sum())} of {len(frame)} rows miss one of {names}. Drop "
                "them: drop_rows_with_missing_features, or groupby with dropna: true."
            )
        if missing.any() and kwargs["dropna"]:
            tell(display, f"Dropping {int(missing.sum())} rows that miss one of {names}", "warning")
        scores = _numbers(frame["score"], display)
        outside = scores[(scores < 0) | (scores > 1)]
        if len(outside):
            raise UsageError(
                f"groupby: scores must be between 0 and 1 to be counted as correct; there are "
                f"{len(outside)} others, from {outside.min():g} to {outside.max():g}. Model graded "
                "scores row by row (ordered_logistic_model), or say what is correct first "
                "(score_normalizer with maximum)."
            )
        fractions = int(((scores > 0) & (scores < 1)).sum())
        if fractions:
            tell(
                display,
                f"{fractions} scores lie between 0 and 1: n_correct is a sum of fractions, which "
                "the binomial models take as a count",
                "warning",
            )
        grouped = frame.assign(score=scores).groupby(names, *args, **kwargs)["score"]
        counts = grouped.agg(n_correct="sum", n_total="count").reset_index()
        empty = counts["n_total"] == 0
        if empty.any():
            tell(display, f"Dropping {int(empty.sum())} groups that have no score", "warning")
            counts = counts[~empty].reset_index(drop=True)
        if are_whole(counts["n_correct"].to_numpy()):
            counts["n_correct"] = counts["n_correct"].astype("int64")
        tell(display, f"Grouping data by: {names}; {len(frame)} rows became {len(counts)}")
        state.processed_data = counts
        return state

    return processor


@process
def add_categorical_column(
    new_column: str,
    source_column: str,
    mapping_rules: Mapping[str, str],
    default_value: str = "unknown",
    case_sensitive: bool = False,
) -> DataProcessor:
    """Add a column of categories, by what the text of another column contains.

    Parameters
    ----------
    new_column, source_column : str
        The column that is made, and of which.
    mapping_rules : mapping
        Pattern → category: the first pattern that the text contains decides.
    default_value : str
        The category of texts that contain none.
    case_sensitive : bool
        Whether capitals matter.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace as Some
    >>> state = Some(data=pd.DataFrame({"grader": ["Human X", "LLM A"]}), processed_data=None)
    >>> add = add_categorical_column("grader_type", "grader", {"human": "human", "llm": "LLM"})
    >>> add(state).processed_data["grader_type"].tolist()
    ['human', 'LLM']
    """
    rules = [(str(p) if case_sensitive else str(p).lower(), c) for p, c in mapping_rules.items()]

    def category(value: Any) -> Any:
        if value is None or value != value:
            return None
        text = str(value) if case_sensitive else str(value).lower()
        return next((c for pattern, c in rules if pattern in text), default_value)

    def processor(state: Any, display: Any = None) -> Any:
        require(state, [source_column], display)
        frame = state.processed_data
        source = frame[source_column].astype("object")
        made = source.where(source.notna(), None).map(category)
        state.processed_data = frame.assign(**{new_column: made})
        found = made.value_counts().to_dict()
        tell(display, f"Added '{new_column}' of '{source_column}': {found}")
        return state

    return processor


def _numbers(column: Any, display: Any) -> Any:
    """Give scores as numbers; grades (C, I, …) are converted, other texts refused."""
    if column.dtype.kind in "iufb":
        return column.astype("float64")
    return graded(column, display)


def graded(column: Any, display: Any) -> Any:
    """Convert a column of grades to numbers.

    Raises
    ------
    UsageError
        If a text has no number.
    """
    there = column[column.notna()]
    values = {v: score_number(v) for v in there.unique().tolist()}
    without = [v for v, number in values.items() if number != number]
    if without:
        shown = ", ".join(repr(v)[:30] for v in without[:3])
        raise UsageError(
            f"Unsupported pandas dtype {column.dtype} of the column {column.name!r}: it holds what "
            f"has no number ({shown})."
        )
    tell(display, f"The grades of '{column.name}' are converted to numbers")
    return column.map(lambda v: values.get(v, np.nan) if v == v else np.nan).astype("float64")
