"""Splits that hold the same otherwise: other orders, undeclared tables out of reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.data_splits import DataSplit, TrainSplit
from suites.reader import FRAMES

if TYPE_CHECKING:
    import pandas as pd

_Split = TypeVar("_Split", bound=DataSplit)

__all__ = ["changed", "guarded", "shuffle", "shuffled", "turned"]

_TEXTS = ("run_specs", "scenario_state")  # what prompts and completions are in
_TABLES: dict[str, str] = {
    "runs": "runs",
    "responses": "responses",
    "models": "metadata",
    "scenarios": "metadata",
    **dict.fromkeys(FRAMES, "frames"),
}
"""Table → the need that it belongs to."""


def shuffle(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of a frame in another order, as another order of files would."""
    order = np.random.default_rng(len(frame)).permutation(len(frame))
    return frame.iloc[order].reset_index(drop=True)


def shuffled(split: _Split) -> _Split:
    """Put the rows of all tables but the targets in another order."""
    return _changed_tables(split, shuffle)


def turned(split: _Split) -> _Split:
    """Put the columns of all tables in another order."""
    _changed_tables(split, _turn)
    if "targets" in split.__dict__:
        split.targets = _turn(split.targets)  # type: ignore[attr-defined]
    return split


def _turn(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame.columns[::-1]]


def _changed_tables(split: _Split, change: Callable[[Any], Any]) -> _Split:
    def later(read: Any) -> Callable[[], Any]:
        def table() -> Any:
            frame = read() if callable(read) else read
            return None if frame is None else change(frame)

        return table

    for name in _TABLES:
        read = split.__dict__.get(name)
        if read is not None:
            setattr(split, name, later(read))
    return split


def guarded(split: _Split, needs: Sequence[str], touched: list[str]) -> _Split:
    """Put the tables that are not declared out of reach: to touch one is an error, and noted.

    Parameters
    ----------
    split : DataSplit
        Shown responses and descriptions of the targets need no declaration.
    needs : sequence of str
        What is declared.
    touched : list of str
        Where the names of such tables go when they are touched.
    """
    train = isinstance(split, TrainSplit)

    def trap(name: str) -> Callable[[], Any]:
        def read() -> Any:
            touched.append(f"{'train_split' if train else 'sequestered_test_split'}.{name}")
            raise LookupError(f"{name} is not declared in needs")

        return read

    texts = {"prompts", "completions"} & set(needs)
    for name, need in _TABLES.items():
        given = not train and name in ("runs", "responses")
        if not (given or need in needs or (texts and name in _TEXTS)):
            setattr(split, name, trap(name))
    return split


def changed(split: DataSplit, fresh: DataSplit) -> str:
    """Name the first table of a split that is not as in a fresh one; empty where all are.

    Tables that were never touched are as they were.
    """
    import pandas as pd

    for name in fresh.__dict__:
        if callable(split.__dict__.get(name)):
            continue
        value: Any = getattr(split, name, None)
        wanted: Any = getattr(fresh, name)
        if not isinstance(wanted, pd.DataFrame):
            if value is not wanted and value != wanted:
                return name
            continue
        try:
            pd.testing.assert_frame_equal(value, wanted)
        except (AssertionError, TypeError, ValueError):
            return name
    return ""
