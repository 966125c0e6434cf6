"""Arithmetic and tolerances that several kinds of distribution share."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

ATOM_TOLERANCE = 1e-9  # of the range: values closer than this are the same value
LEVEL_SLACK = 1.0 - 1e-12  # a cumulative sum short of a level by rounding still reaches it


def dot(a: Array, b: Array) -> float:
    """Return the sum of products, by NumPy: BLAS may round by the number of its threads."""
    return float(np.add.reduce(a * b))


def atom_slack(lower: float | None, upper: float | None) -> float:
    """Return the distance below which a value counts as being at the bound."""
    return 0.0 if lower is None or upper is None else ATOM_TOLERANCE * (upper - lower)
