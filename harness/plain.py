"""`plain`: Python's own kind of a value, and one value for everything that is missing."""

from __future__ import annotations

from typing import Any

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Give Python's own kind of a value; None for every kind of missing one.

    Examples
    --------
    >>> import numpy as np
    >>> plain(np.float64(0.5)), plain(float("nan")) is None
    (0.5, True)
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    return value.item() if hasattr(value, "item") else value
