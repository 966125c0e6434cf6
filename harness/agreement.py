"""How alike models answer: agreement item by item, and what their accuracies leave unexplained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.shards import read_table, shard_name
from suites.suite import behind

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["NEAR_DUPLICATE", "Agreement", "agreement_of"]

NEAR_DUPLICATE = 0.6
"""Unexplained correlation from which on two models are called near-duplicates."""

_MOST_KINDS = 20  # responses of more different values are not compared for being equal
_SPREAD = 0.02  # added to an item's variance: items that nearly all answer alike say little


@dataclass(frozen=True)
class Agreement:
    """How alike the models of a source answer the instances that both answered.

    Attributes
    ----------
    models : tuple of str, length M
    equal : ndarray of float, shape (M, M)
        Share of equal responses among all that both gave, in scenarios whose responses are of few
        different values; NaN where there is none.
    unexplained : ndarray of float, shape (M, M)
        Correlation of what is left of the responses when each instance's mean and each model's own
        mean in the scenario are taken away: 0 where accuracies explain the agreement, 1 for copies.
    shared : ndarray of float, shape (M, M)
        Number of instances that both answered.
    """

    models: tuple[str, ...]
    equal: Floats
    unexplained: Floats
    shared: Floats

    def near_duplicates(self, least: int = 100) -> list[tuple[str, str, float]]:
        """Give the pairs that share at least so many instances and are near-duplicates."""
        rows, columns = np.triu_indices(len(self.models), 1)
        value = self.unexplained[rows, columns]
        keep = (self.shared[rows, columns] >= least) & (value >= NEAR_DUPLICATE)
        pairs = zip(rows[keep], columns[keep], value[keep], strict=True)
        return [(self.models[i], self.models[j], float(v)) for i, j, v in pairs]

    def closest(self, train: NDArray[np.bool_]) -> Floats:
        """Give each model's greatest agreement with another model of `train`, shape (M,)."""
        equal = np.where(np.isfinite(self.equal), self.equal, -1.0)
        np.fill_diagonal(equal, -1.0)
        best = equal[:, train].max(axis=1, initial=-1.0)
        return np.where(best >= 0, best, np.nan)


def agreement_of(runs: pd.DataFrame, shards: Path) -> Agreement:
    """Compare all pairs of models by their responses.

    Parameters
    ----------
    runs : DataFrame
        Columns of `suites.schema.RUNS`; unperturbed runs are used.
    shards : Path
        Where their responses lie (`harness.held_out.HeldOut.shards`).
    """
    models = tuple(sorted({str(model) for model in runs["model"]}))
    row = {name: i for i, name in enumerate(models)}
    size = (len(models), len(models))
    equal, counted, gram, both = (np.zeros(size) for _ in range(4))
    plain = runs[runs["perturbation"].isna()]
    keys = [plain[name].fillna("") for name in ("scenario", "metric", "part")]
    for _, part in plain.groupby(keys, sort=True):
        table = _responses(part, row, shards, len(models))
        if table is None:
            continue
        seen = np.isfinite(table)
        x = np.where(seen, table, 0.0)
        pair = seen.astype(float) @ seen.T.astype(float)
        both += pair
        kinds = np.unique(x[seen])
        if len(kinds) <= _MOST_KINDS:
            counted += pair
            for value in kinds:
                is_value = (seen & (x == value)).astype(float)
                equal += is_value @ is_value.T
        count = np.maximum(seen.sum(axis=0), 1)
        mean = x.sum(axis=0) / count
        spread = np.where(seen, (x - mean) ** 2, 0.0).sum(axis=0) / count
        e = np.where(seen, (x - mean) / np.sqrt(spread + _SPREAD), 0.0)
        own = e.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        left = np.where(seen, e - own[:, None], 0.0)
        gram += left @ left.T
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = gram / both
        scale = np.sqrt(np.diag(scaled))
        return Agreement(models, equal / counted, scaled / scale / scale[:, None], both)


def _responses(part: pd.DataFrame, row: dict[str, int], shards: Path, models: int) -> Floats | None:
    """Arrange the responses to one scenario, models by instances; of reruns the last counts."""
    names: dict[str, int] = {}
    found: list[tuple[int, list[int], Floats]] = []
    for run in part.to_dict("records"):
        path = shards / f"{shard_name(str(run['run']))}.responses.arrow"
        if not path.exists():
            continue
        of_part = None if run["part"] is None or run["part"] != run["part"] else str(run["part"])
        table = behind(read_table(path), str(run["metric"]), of_part, None)
        places = [
            names.setdefault(str(n), len(names)) for n in table.column("instance").to_pylist()
        ]
        found.append((row[str(run["model"])], places, table.column("value").to_numpy()))
    if not names:
        return None
    out = np.full((models, len(names)), np.nan)
    for at, places, value in found:
        out[at, places] = value
    return out
