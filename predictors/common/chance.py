"""What guessing scores: one over the number of options, where it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.data_splits import DataSplit

__all__ = ["read_chances"]


def read_chances(split: DataSplit) -> dict[str, float]:
    """Give scenario → chance of a guess, from its number of options.

    Of the metadata of scenarios, else of the responses, where several numbers count as their mean
    chance. Scenarios without a number, as free text, are not in it.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import TrainSplit
    >>> scenarios = pd.DataFrame({"scenario": ["a", "b"], "n_options": [4.0, float("nan")]})
    >>> read_chances(TrainSplit(scenarios=scenarios))
    {'a': 0.25}
    """
    for frame in (split.scenarios, split.responses):
        if frame is None or not {"scenario", "n_options"} <= set(frame.columns):
            continue
        pairs = frame[["scenario", "n_options"]].drop_duplicates()
        chance = 1.0 / pairs["n_options"].to_numpy(dtype=float, na_value=np.nan)
        known = np.isfinite(chance) & (chance > 0.0) & (chance < 1.0)
        if known.any():
            names = pairs["scenario"].astype(str).to_numpy(dtype=object)[known]
            of: dict[str, list[float]] = {}
            for name, value in zip(names, chance[known], strict=True):
                of.setdefault(name, []).append(float(value))
            return {name: float(np.mean(sorted(of[name]))) for name in sorted(of)}
    return {}
