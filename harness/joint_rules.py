"""Rules for several targets together: all of a model, or of a scenario.

`energy_score` judges the joint distribution of a model's held-out runs; `pairwise_brier` and
`kendall_tau` judge how a scenario's held-out runs are ordered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.distribution import Distribution
from harness.joint_draws import draws_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.judging import TargetFacts

__all__ = ["JOINT_RULES", "GroupScore", "Groups", "energy_score", "kendall_tau", "pairwise_brier"]

SIZE = 200
"""Draws that are judged: of more, evenly spaced ones; of predictors without draws, so many."""

JOINT_RULES: tuple[str, ...] = ("energy_score", "pairwise_brier", "kendall_tau")

_COLUMN = ("scenario", "condition", "metric", "part", "perturbation")


@dataclass(frozen=True, slots=True)
class GroupScore:
    """A score of several targets together.

    Attributes
    ----------
    by : str
        ``model`` or ``scenario``: what the targets share.
    group : str
        Its name.
    rule : str
        One of `JOINT_RULES`.
    value : float
        Less is better, but for `kendall_tau`.
    targets : int
        How many there are.
    joint : bool
        Whether the predictor gave draws that belong together; else they are independent.
    """

    by: str
    group: str
    rule: str
    value: float
    targets: int
    joint: bool


class Groups:
    """The held-out runs of a fold, by model and by column.

    Parameters
    ----------
    test, train : DataFrame
        Held-out and train runs, with their targets and values.
    """

    def __init__(self, test: pd.DataFrame, train: pd.DataFrame) -> None:
        self._by: list[tuple[str, str, list[str]]] = []
        columns = [column for column in _COLUMN if column in test.columns]
        keys = test[columns].astype(object).where(test[columns].notna(), "")
        column = keys.apply(tuple, axis=1) if len(test) else keys.get("scenario")
        for by, labels in (("model", test["model"].astype(str)), ("scenario", column)):
            for _, rows in test.groupby(labels, sort=True):
                if len(rows) > 1:
                    name = str(rows["model" if by == "model" else "scenario"].iloc[0])
                    self._by.append((by, name, rows["target"].astype(str).tolist()))
        self._scale = _scales(test, train, columns)

    def judge(
        self,
        distributions: Mapping[str, Distribution],
        table: pa.Table,
        facts: Mapping[str, TargetFacts],
    ) -> list[GroupScore]:
        """Score all groups of which at least two targets have a prediction.

        Parameters
        ----------
        distributions : mapping of str to Distribution
            Target → its valid prediction.
        table : pyarrow.Table
            The predictions, for the draws that belong together.
        facts : mapping of str to TargetFacts
            The truth.
        """
        if not self._by:
            return []
        draws, joint = draws_of(distributions, table, size=SIZE)
        out = []
        for by, group, members in self._by:
            there = [t for t in members if t in distributions]
            if len(there) < 2:
                continue
            truth = np.array([facts[t].value for t in there])
            if by == "model":
                scale = np.array([self._scale[t] for t in there])
                known = np.isfinite(scale)
                if known.sum() < 2:
                    continue
                x = np.stack([_thin(draws[t]) for t in there], axis=1)[:, known] / scale[known]
                found = {"energy_score": energy_score(x, truth[known] / scale[known])}
            else:
                x = np.stack([_thin(draws[t]) for t in there], axis=1)
                middle = np.array([float(distributions[t].quantile(0.5)) for t in there])
                found = {
                    "pairwise_brier": pairwise_brier(x, truth),
                    "kendall_tau": kendall_tau(middle, truth),
                }
            out += [
                GroupScore(by, group, rule, value, len(there), joint)
                for rule, value in found.items()
                if value == value
            ]
        return out


def energy_score(draws: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    r"""Give the energy score of joint draws, the fair version.

    .. math:: \frac1D \sum_d \lVert x_d - y \rVert
              - \frac1{2 D (D - 1)} \sum_{d \ne e} \lVert x_d - x_e \rVert

    Parameters
    ----------
    draws : ndarray, shape (D, targets)
        Each value divided by a scale that the truth has no part in.
    y : ndarray, shape (targets,)
        What was observed, divided by the same.

    References
    ----------
    Gneiting & Raftery (2007), doi:10.1198/016214506000001437, eq. 22.

    Examples
    --------
    >>> import numpy as np
    >>> energy_score(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([0.0, 0.0]))
    0.0
    """
    from scipy.spatial.distance import pdist

    off = float(np.linalg.norm(draws - y, axis=1).mean())
    size = len(draws)
    spread = float(pdist(draws).sum()) / (size * (size - 1)) if size > 1 else 0.0
    return off - spread


def pairwise_brier(draws: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Give the mean over pairs of targets of (P(first beats second) − whether it did)².

    Ties count a half, in draws and in what was observed.

    Parameters
    ----------
    draws : ndarray, shape (D, targets)
    y : ndarray, shape (targets,)

    Examples
    --------
    >>> import numpy as np
    >>> pairwise_brier(np.array([[0.1, 0.2], [0.3, 0.2]]), np.array([0.5, 0.4]))
    0.25
    """
    first, second = np.triu_indices(len(y), 1)
    p = (np.sign(draws[:, first] - draws[:, second]) / 2 + 0.5).mean(axis=0)
    return float(np.mean((p - (np.sign(y[first] - y[second]) / 2 + 0.5)) ** 2))


def kendall_tau(predicted: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Give Kendall's tau-b of predicted and observed order; NaN where all of one are equal.

    Examples
    --------
    >>> import numpy as np
    >>> round(kendall_tau(np.array([0.1, 0.2, 0.3]), np.array([1.0, 3.0, 2.0])), 4)
    0.3333
    """
    from scipy.stats import kendalltau

    if np.ptp(predicted) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(kendalltau(predicted, y).statistic)


def _thin(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep evenly spaced draws, so that no predictor gains by giving more."""
    if len(draws) <= SIZE:
        return draws
    return draws[np.linspace(0, len(draws) - 1, SIZE).round().astype(int)]


def _scales(test: pd.DataFrame, train: pd.DataFrame, columns: Sequence[str]) -> dict[str, float]:
    """Give each target the spread of the train values of its column, else of its range's."""
    span = (train["upper"] - train["lower"]).astype(float)
    unit = (train["value"].astype(float) - train["lower"].astype(float)) / span
    overall = float(unit.std(ddof=0)) if unit.notna().sum() > 1 else float("nan")
    known = train[columns].astype(object).where(train[columns].notna(), "").apply(tuple, axis=1)
    spread: Any = train["value"].astype(float).groupby(known).std(ddof=0)
    size: Any = train["value"].groupby(known).size()
    out = {}
    rows = test[columns].astype(object).where(test[columns].notna(), "").itertuples(index=False)
    width = (test["upper"] - test["lower"]).astype(float)
    for target, key, own in zip(test["target"].astype(str), map(tuple, rows), width, strict=True):
        scale = float(spread.get(key, 0.0)) if size.get(key, 0) > 1 else 0.0
        out[target] = scale if scale > 0 else overall * own if overall > 0 else float("nan")
    return out
