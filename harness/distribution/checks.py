"""Checks of the numbers that a distribution is given; what is wrong is named."""

from __future__ import annotations

import math

import numpy as np

from harness.distribution.base import InvalidPrediction
from harness.distribution.numerics import Array

MAX_SIZE = 1e150  # of any stated number: squares and sums of larger ones overflow


def number(value: object, name: str) -> float:
    """Return a finite float, or raise InvalidPrediction that names it."""
    if type(value) is not float:
        is_text = isinstance(value, str | bytes | bytearray)
        if is_text or getattr(value, "ndim", 0) != 0:
            raise InvalidPrediction(f"{name} is {shortened(value)}, not a number")
        try:
            value = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError) as err:
            raise InvalidPrediction(f"{name} is {shortened(value)}, not a number") from err
    if not abs(value) <= MAX_SIZE:
        raise InvalidPrediction(f"{name} is {value!r}, {_size_fault(value)}")
    return value


def vector(values: object, name: str) -> Array:
    """Return a one-dimensional array of finite floats, or raise InvalidPrediction."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError("not numbers")
        if array.dtype.kind == "O" and any(isinstance(v, str | bytes) for v in array.flat):
            raise TypeError("not numbers")
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as err:
        raise InvalidPrediction(f"{name}: {shortened(values)} is no array of numbers") from err
    if array.ndim != 1:
        raise InvalidPrediction(f"{name} has {array.ndim} dimensions instead of one")
    usable = np.abs(array) <= MAX_SIZE
    if not usable.all():
        where = int(np.argmin(usable))
        value = float(array[where])
        raise InvalidPrediction(f"{name}[{where}] is {value!r}, {_size_fault(value)}")
    return array


def _size_fault(value: float) -> str:
    return f"beyond {MAX_SIZE:g}" if math.isfinite(value) else "it must be finite"


def bounds(lower: float | None, upper: float | None) -> tuple[float | None, float | None]:
    """Return the bounds as floats; raise ValueError unless finite and increasing."""
    low = None if lower is None else float(lower)
    high = None if upper is None else float(upper)
    for bound in (low, high):
        if bound is not None and not math.isfinite(bound):
            raise ValueError(f"bounds are finite, or None where unknown; got {bound!r}")
    if low is not None and high is not None and not low < high:
        raise ValueError(f"the lower bound {low!r} is not below the upper bound {high!r}")
    return low, high


def observed(y: float) -> float:
    """Return the observed value as a float; raise ValueError unless finite."""
    if not math.isfinite(y):
        raise ValueError(f"the observed value is {float(y)!r}; it must be finite")
    return float(y)


def shortened(value: object) -> str:
    """Return the text of a value for a message, cut at 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
