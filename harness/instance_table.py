"""Predictions of single responses as a table, in the format of `harness.prediction_table`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.distribution import InvalidPrediction
from harness.instance_predictor import ID
from harness.plain import plain
from harness.prediction_table import MOST_UNKNOWN, Answer

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import SequesteredTestSplit

__all__ = ["Requests", "encode_instances", "response_ids"]

_STATE = "scenario_state.request_states."
_LIKE_A_PREDICTION = ("mean", "stddev", "run_spec_name", "instance_predict_id")


def response_ids(
    cells: Iterable[str], instances: Iterable[str], trials: Iterable[int], parts: Iterable[Any]
) -> list[str]:
    """Name responses: the run's target and the instance, and what else tells them apart.

    Parameters
    ----------
    cells, instances, trials, parts : iterable
        Of each response: the run's target, the instance, the trial and the sub-part (or None).

    Examples
    --------
    >>> response_ids(["r#acc"] * 3, ["q1", "q2", "q2"], [0, 0, 1], [None, None, None])
    ['r#acc::q1', 'r#acc::q2::0', 'r#acc::q2::1']
    """
    keys = list(zip(cells, instances, trials, parts, strict=True))
    short: dict[tuple[str, str], int] = {}
    longer: dict[tuple[str, str, int], int] = {}
    for cell, instance, trial, _ in keys:
        short[cell, instance] = short.get((cell, instance), 0) + 1
        longer[cell, instance, trial] = longer.get((cell, instance, trial), 0) + 1
    out = []
    for cell, instance, trial, part in keys:
        name = f"{cell}::{instance}"
        if short[cell, instance] > 1:
            name += f"::{trial}"
            if longer[cell, instance, trial] > 1:
                name += f"::{part}"
        out.append(name)
    return out


class Requests:
    """Finds the response that a number in MAGNET's column ``magnet.instance_predict_id`` means.

    Parameters
    ----------
    targets : DataFrame
        The responses that are asked for.
    split : SequesteredTestSplit
        With scenario_state numbered (or without any); it is read when a prediction is looked up.
    """

    def __init__(self, targets: pd.DataFrame, split: SequesteredTestSplit) -> None:
        self._targets, self._split = targets, split

    @cached_property
    def _asked(self) -> dict[tuple[Any, ...], str]:
        """Run, metric, part, whether perturbed, instance and trial → the target."""
        keys = ["name", "metric", "part", "perturbed", "instance", "trial", "target"]
        rows = self._targets.assign(perturbed=self._targets["perturbation"].notna())[keys]
        return {
            tuple(map(plain, key)): str(target)
            for *key, target in rows.astype(object).itertuples(index=False)
        }

    @cached_property
    def _rows(self) -> dict[int, tuple[Any, ...]]:
        """Number → run, part, whether perturbed, instance and trial."""
        state = self._split.scenario_state
        columns = (
            "run_spec.name",
            f"{_STATE}instance.split",
            f"{_STATE}instance.perturbation.name",
            f"{_STATE}instance.id",
            f"{_STATE}train_trial_index",
        )
        given = [
            state[name].tolist() if name in state.columns else [None] * len(state)
            for name in columns
        ]
        return {
            number: (plain(run), plain(part), plain(altered) is not None, plain(i), plain(trial))
            for number, run, part, altered, i, trial in zip(state[ID].tolist(), *given, strict=True)
        }

    def find(self, prediction: Any) -> tuple[str | None, str]:
        """Give the target that a prediction means, or None and what is wrong; "" if nothing is."""
        if self._split.scenario_state is None:
            return None, "a prediction without target=, and the source has no scenario_state"
        number, metric = prediction.instance_predict_id, prediction.stat_name
        row = self._rows.get(number)
        if row is None:
            return None, f"no row of scenario_state has the {ID} {number!r}"
        run, part, perturbed, instance, trial = row
        if prediction.run_spec_name not in (None, run):
            return None, f"{ID} {number!r} is of {run}, not of {prediction.run_spec_name}"
        for wanted in (part, None):
            target = self._asked.get((run, metric, wanted, perturbed, instance, trial))
            if target is not None:
                return target, ""
        return None, ""  # a shown response, or another metric: right, but not asked for


def encode_instances(
    predictions: Iterable[Any], targets: pd.DataFrame, requests: Requests
) -> Answer:
    """Resolve a predictor's answer to responses, and write it as a table.

    Parameters
    ----------
    predictions : iterable of InstancePrediction
        What `predict` returned.
    targets : DataFrame
        The responses that were asked for.
    requests : Requests
        For predictions by number.

    Returns
    -------
    Answer
        As `harness.prediction_table.encode` gives it.

    Raises
    ------
    TypeError
        If the answer is not an iterable of `InstancePrediction`.
    """
    import pyarrow as pa

    if predictions is None or isinstance(predictions, str | bytes | Mapping):
        raise TypeError(
            f"predict must return a list of InstancePrediction, not {type(predictions).__name__}"
        )
    order = [str(target) for target in targets["target"]]
    place = {target: i for i, target in enumerate(order)}
    points: dict[int, float] = {}
    normals: dict[int, tuple[float, float]] = {}
    times = np.zeros(len(order), int)
    status: dict[str, tuple[str, str]] = {}
    unknown: dict[str, str] = {}
    for p in predictions:
        if not all(hasattr(p, name) for name in _LIKE_A_PREDICTION):
            raise TypeError(
                f"predict must return InstancePrediction objects, not {type(p).__name__}"
            )
        target, why = _resolve(p, requests)
        i = place.get(target, -1) if target is not None else -1
        if i < 0:
            if target is not None:
                why = f"no response that is asked for is {target!r}"
            if why:
                unknown.setdefault(f"unknown: {why}"[:300], why[:2000])
            continue
        times[i] += 1
        try:
            normal = _normal(p)
            if normal is None:
                points[i] = float(p.mean)
            else:
                normals[i] = normal
        except (InvalidPrediction, TypeError, ValueError, OverflowError) as err:
            status[order[i]] = ("invalid", str(err))
    listed = list(unknown.items())[:MOST_UNKNOWN]
    status.update({name: ("unknown", message) for name, message in listed})
    for i in np.flatnonzero(times == 0).tolist():
        status[order[i]] = ("missing", "no prediction was returned for it")
    for i in np.flatnonzero(times > 1).tolist():
        status[order[i]] = ("duplicate", f"{times[i]} predictions were returned for it")
        points.pop(i, None)
        normals.pop(i, None)
    points = {i: value for i, value in points.items() if order[i] not in status}
    normals = {i: pair for i, pair in normals.items() if order[i] not in status}
    of = np.array([*points, *(i for i in normals for _ in range(2))], np.int32)
    kind = np.repeat(np.array([0, 1], np.int32), [len(points), 2 * len(normals)])
    word = np.concatenate([np.zeros(len(points), int), np.tile([1, 2], len(normals))])
    value = np.array([*points.values(), *(v for pair in normals.values() for v in pair)], float)
    by_target = np.argsort(of, kind="stable")
    used, codes = np.unique(of[by_target], return_inverse=True)
    return Answer(
        pa.table(
            {
                "target": _words(codes, [order[i] for i in used.tolist()]),
                "output_type": _words(kind[by_target], ["mean", "normal"]),
                "output_type_id": _words(word[by_target], ["", "mean", "sd"]),
                "value": pa.array(value[by_target], pa.float64()),
            }
        ),
        status,
    )


def _resolve(prediction: Any, requests: Requests) -> tuple[str | None, str]:
    target = getattr(prediction, "target", None)
    return (str(target), "") if target is not None else requests.find(prediction)


def _normal(prediction: Any) -> tuple[float, float] | None:
    """Give mean and standard deviation of a distribution; None for a point or a probability."""
    normal = getattr(prediction, "normal", None)
    if normal is not None:
        if prediction.stddev:
            raise InvalidPrediction("it has a stddev and normal=: give one")
        if len(normal) != 2:
            raise InvalidPrediction(f"normal takes two numbers, got {len(normal)}")
        return float(normal[0]), float(normal[1])
    if prediction.mean is None:
        raise InvalidPrediction("it has neither a mean nor a distribution")
    return (float(prediction.mean), float(prediction.stddev)) if prediction.stddev else None


def _words(codes: Any, words: list[str]) -> Any:
    import pyarrow as pa

    indices = pa.array(np.asarray(codes, np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))
