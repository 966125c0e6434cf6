"""`ItemMean`: a response is predicted by what other models made of the same instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness.instance_predictor import InstancePrediction, InstancePredictor

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["ItemMean"]

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("metric", "part", "perturbation", "scenario", "condition", "instance"),
    ("metric", "part", "perturbation", "scenario", "instance"),
    ("metric", "part", "perturbation", "scenario", "condition"),
    ("metric", "scenario"),
    ("metric",),
)
"""What responses must share with the one that is predicted; the first that some train responses
do is used."""


class ItemMean(InstancePredictor):
    r"""Predict a response by the mean of the train responses to the same instance.

    .. math:: \hat y_{ijt} = \frac1{|M_{jt}|} \sum_{m \in M_{jt}} y_{mjt}

    with the train responses :math:`M_{jt}` of all models to instance t of the target's scenario,
    under its condition, metric, part and perturbation; several trials of one model count as
    several. For values 0 and 1 it is the probability of 1.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    The reference of tasks that ask for single responses. It knows how hard an instance is and
    nothing of the model, and is not updated by shown responses. An instance that no train run has
    under this condition is predicted by those under any condition, else by the mean of the
    scenario, of the metric, and by the middle of the metric's range; a response of an unbounded
    metric without train responses is left out.

    Linear in responses and targets.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> keys = {"metric": "acc", "part": None, "perturbation": None, "scenario": "s",
    ...         "condition": "c"}
    >>> known = pd.DataFrame({**keys, "instance": ["q1", "q1", "q2"], "value": [1.0, 0.0, 1.0],
    ...                       "status": "ok"})
    >>> asked = pd.DataFrame({**keys, "instance": ["q1", "q3"], "target": ["a", "b"],
    ...                       "lower": 0.0, "upper": 1.0})
    >>> test = SequesteredTestSplit(targets=asked, k=0)
    >>> found = ItemMean().predict(TrainSplit(responses=known), test)
    >>> [(p.target, round(p.mean, 3)) for p in found]
    [('a', 0.5), ('b', 0.667)]
    """

    needs: ClassVar[tuple[str, ...]] = ("responses",)

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[InstancePrediction]:
        """Give each asked response the mean of its instance."""
        targets = sequestered_test_split.targets
        mean = _means(train_split.responses, targets)
        middle = (targets["lower"].astype(float) + targets["upper"].astype(float)) / 2
        mean = np.where(np.isnan(mean), middle.to_numpy(dtype=float, na_value=np.nan), mean)
        return [
            InstancePrediction(target=target, mean=value)
            for target, value in zip(targets["target"], mean.tolist(), strict=True)
            if value == value
        ]


def _means(responses: pd.DataFrame | None, targets: pd.DataFrame) -> NDArray[np.float64]:
    """Give each target the mean of the first level that has train responses; NaN without any."""
    out = np.full(len(targets), np.nan)
    if responses is None or not len(responses):
        return out
    value = responses["value"].to_numpy(dtype=float, na_value=np.nan)
    ok = np.isfinite(value) & (responses["status"].astype(object) == "ok").to_numpy()
    value = value[ok]
    order = np.argsort(value, kind="stable")  # sums do not depend on the order of rows
    codes = {}
    for name in _LEVELS[0]:
        known, asked = _codes(responses[name], targets[name])
        codes[name] = known[ok][order], asked
    value = value[order]
    for level in _LEVELS:
        if not np.isnan(out).any():
            break
        known, asked = _joined([codes[name] for name in level])
        keys, place = np.unique(known, return_inverse=True)
        n = np.bincount(place)
        mean = np.bincount(place, weights=value) / n
        at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        found = np.isnan(out) & (keys[at] == asked)
        out[found] = mean[at[found]]
    return out


def _codes(known: pd.Series, asked: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the words of two columns the same numbers; 0 where missing, -1 for words not known."""
    first, second = known.astype("category").cat, asked.astype("category").cat
    number = {word: i + 1 for i, word in enumerate(sorted(map(str, first.categories)))}
    out = []
    for column in (first, second):
        words = [number.get(str(word), -1) for word in column.categories]
        out.append(np.array([*words, 0], np.int64)[column.codes])
    return out[0], out[1]


def _joined(
    columns: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Make one number of several columns' numbers; -1 where one of them is."""
    known = np.zeros(len(columns[0][0]), np.int64)
    asked = np.zeros(len(columns[0][1]), np.int64)
    strange = np.zeros(len(asked), bool)
    for of_known, of_asked in columns:
        strange |= of_asked < 0
        both = np.concatenate([known, asked]), np.concatenate([of_known, np.maximum(of_asked, 0)])
        # small again before the next column, so that the product never overflows
        joined = np.unique(both[0] * (both[1].max(initial=0) + 1) + both[1], return_inverse=True)[1]
        known, asked = joined[: len(known)], joined[len(known) :]
    return known, np.where(strange, -1, asked)
