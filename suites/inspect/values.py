"""Inspect's score values as numbers.

Inspect's own rule (``value_to_float``) with one deviation: what it cannot convert counts as 0 there
and is missing here, because a text nobody gave a number is no wrong answer.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

NAN = math.nan

_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def number_of(value: Any, own: Mapping[str, float] | None = None) -> float:
    """Convert a score's value to a number, in Inspect's order of tests.

    Parameters
    ----------
    value : object
        As the log has it: one number, text or truth value (of a dict or a list: one of its leaves).
    own : mapping of str to float, optional
        A user's numbers for texts, compared exactly; they come before the rules.

    Returns
    -------
    float
        ``C`` 1, ``P`` 0.5, ``I`` and ``N`` 0; numbers and truth values as they are; yes, true, no
        and false in any case; texts of finite numbers. NaN for all else: other texts, null, lists
        and dicts.

    Examples
    --------
    >>> [number_of(value) for value in ("C", "P", "I", True, 0.25, "Yes", "1e3", "switch")]
    [1.0, 0.5, 0.0, 1.0, 0.25, 1.0, 1000.0, nan]
    >>> number_of("switch", own={"switch": 1, "stay": 0})
    1.0
    """
    if isinstance(value, str):
        if own is not None and (number := own.get(value)) is not None:
            return float(number)
        number = _GRADES.get(value)
        return number if number is not None else _of_text(value)
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:  # as JSON's 1e400 is read
            return math.inf if value > 0 else -math.inf
    return NAN


def _of_text(text: str) -> float:
    word = _WORDS.get(text.lower())
    if word is not None:
        return word
    try:
        number = float(text)
    except ValueError:
        return NAN
    return number if math.isfinite(number) else NAN


def leaves(scorer: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Name the metrics of one score: its own, or one for each key or position.

    What is nested deeper stays as it is: it has no number.

    Examples
    --------
    >>> list(leaves("match", "C"))
    [('match', 'C')]
    >>> list(leaves("judge", {"clear": 4, "true": "C"}))
    [('judge/clear', 4), ('judge/true', 'C')]
    >>> list(leaves("steps", [1, 0]))
    [('steps[0]', 1), ('steps[1]', 0)]
    """
    if isinstance(value, dict):
        for key, leaf in value.items():
            yield f"{scorer}/{key}", leaf
    elif isinstance(value, list):
        for position, leaf in enumerate(value):
            yield f"{scorer}[{position}]", leaf
    else:
        yield scorer, value


class Scale(enum.Flag):
    """What sorts of values a metric was seen to have; the scales of several logs are or-ed.

    Missing values (NaN, null) say nothing.

    Examples
    --------
    >>> seen = scale_of(["C", "I"]) | scale_of([True, None])
    >>> seen.graded, seen.zero_one
    (True, True)
    >>> scale_of(["C", "P"]).zero_one, scale_of([1, 0.0]).graded, scale_of([3]).zero_one
    (False, False, False)
    """

    GRADE = enum.auto()
    """C, I, N, true, false."""
    PARTIAL = enum.auto()
    """P: half right."""
    ZERO_ONE = enum.auto()
    """Numbers and other texts that are 0 or 1."""
    OTHER = enum.auto()
    """Anything else, texts without a number among them."""

    @property
    def graded(self) -> bool:
        """Whether all are Inspect's grades or truth values: from 0 to 1, higher is better."""
        return bool(self) and not self & (Scale.ZERO_ONE | Scale.OTHER)

    @property
    def zero_one(self) -> bool:
        """Whether all are 0 or 1, whichever of them is the better."""
        return bool(self) and not self & (Scale.PARTIAL | Scale.OTHER)


_SCALES = {"C": Scale.GRADE, "I": Scale.GRADE, "N": Scale.GRADE, "P": Scale.PARTIAL}


def scale_of(values: Iterable[Any], own: Mapping[str, float] | None = None) -> Scale:
    """Tell what sorts of values these are.

    Parameters
    ----------
    values : iterable of object
        Leaves as the log has them (`leaves`).
    own : mapping of str to float, optional
        As for `number_of`. A text that a user gave a number is no longer a grade.

    Examples
    --------
    >>> scale_of(["C", "I", "C"])
    <Scale.GRADE: 1>
    >>> scale_of(["switch", "stay"], own={"switch": 1, "stay": 0})
    <Scale.ZERO_ONE: 4>
    >>> scale_of([float("nan"), None])
    <Scale: 0>
    """
    seen: set[tuple[type, Any]] = set()
    scale = Scale(0)
    for value in values:
        if isinstance(value, str | int | float):
            seen.add((type(value), value))  # true is not 1 here
        elif value is not None:
            scale |= Scale.OTHER
    for _, value in seen:
        scale |= _scale_of_one(value, own)
    return scale


def _scale_of_one(value: str | int | float, own: Mapping[str, float] | None) -> Scale:
    if isinstance(value, bool):
        return Scale.GRADE
    if isinstance(value, str):
        if (own is None or own.get(value) is None) and value in _SCALES:
            return _SCALES[value]
        number = number_of(value, own)
    elif value != value:
        return Scale(0)
    else:
        number = value
    return Scale.ZERO_ONE if number in (0, 1) else Scale.OTHER
