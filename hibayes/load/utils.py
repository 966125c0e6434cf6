"""What loading shares: the check for columns of several types, and telling the user."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("hibayes")


class MixedTypes(UsageError, TypeError):
    """A column holds values of several types."""


def check_mixed_types(df: pd.DataFrame) -> None:
    """Refuse columns that hold values of several types.

    Missing values say nothing; numbers of both sorts are one type.

    Parameters
    ----------
    df : DataFrame
        Of any columns.

    Raises
    ------
    MixedTypes
        A TypeError and a ValueError, which names the columns, their types and an example of each.

    Examples
    --------
    >>> import pandas as pd
    >>> check_mixed_types(pd.DataFrame({"score": [1, 0.5, None], "model": ["a", "b", None]}))
    >>> try:
    ...     check_mixed_types(pd.DataFrame({"level": [1, "two", 3]}))
    ... except TypeError as err:
    ...     print(str(err)[:70])
    Columns with mixed types: 'level' holds int (2, as 1), str (1, as 'two
    """
    said = []
    for name in df.columns:
        values = df[name]
        if str(values.dtype) != "object":
            continue
        seen: dict[str, tuple[int, Any]] = {}
        for value in values:
            if value is None or value is _na() or (isinstance(value, float) and value != value):
                continue
            kind = type(value).__name__
            count, example = seen.get(kind, (0, value))
            seen[kind] = count + 1, example
        if len(seen) > 1 and not set(seen) <= {"int", "float", "int64", "float64"}:
            kinds = ", ".join(f"{k} ({n}, as {v!r:.40})" for k, (n, v) in sorted(seen.items()))
            said.append(f"{name!r} holds {kinds}")
    if said:
        raise MixedTypes(
            f"Columns with mixed types: {'; '.join(said)}. Give each column values of one type."
        )


def _na() -> Any:
    import pandas as pd

    return pd.NA


def tell(display: Any, message: str, level: str = "info") -> None:
    """Say something in the display's log, or in the logger where there is no display."""
    say = getattr(display, "logger", None) or logger
    getattr(say, level)(message)


def count(display: Any, name: str, value: Any) -> None:
    """Set one of the display's statistics."""
    if display is not None:
        display.update_stat(name, value)
