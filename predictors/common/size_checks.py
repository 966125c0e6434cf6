"""What a predictor says of a train split that is too small for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["size_checks"]


def size_checks(
    found: Mapping[str, tuple[int, int]], instead: str = "as scenario-mean does"
) -> pd.DataFrame:
    """Say of what there is too little, as an answer of `harness.predictor.Predictor.checks`.

    Parameters
    ----------
    found : mapping of str to (int, int)
        What is counted → how many there are, and how many are needed.
    instead : str
        How it predicts where there is too little.

    Examples
    --------
    >>> size_checks({"models": (2, 3)})[["check", "passed", "offenders"]].values.tolist()
    [['models', False, '2 of at least 3 models: it predicts as scenario-mean does']]
    """
    import pandas as pd

    rows = []
    for name, (count, least) in found.items():
        said = (
            "" if count >= least else f"{count} of at least {least} {name}: it predicts {instead}"
        )
        rows.append((name, float(count), float(least), count >= least, said))
    return pd.DataFrame(rows, columns=["check", "value", "limit", "passed", "offenders"])
