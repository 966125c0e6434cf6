"""The contract of predictors of single responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from harness.data_splits import DataSplit, SequesteredTestSplit, TestSplit, TrainSplit
from harness.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd

ID = "magnet.instance_predict_id"
"""The key column's name in MAGNET's frames, kept so that classes written for it find it."""

_Split = TypeVar("_Split", bound=DataSplit)

__all__ = ["InstancePrediction", "InstancePredictor"]


@dataclass(eq=False)
class InstancePrediction:
    """The prediction of one response's value.

    Parameters
    ----------
    run_spec_name : str, optional
        The run's name.
    instance_predict_id : int, optional
        The row of the sequestered scenario_state, its column ``magnet.instance_predict_id``.
    stat_name : str, optional
        The metric.
    mean : float, optional
        Mean of the value; for values 0 and 1, the probability of 1.
    count, sum, sum_squared, min, max, variance, stddev : float
        Kept for MAGNET's tables; a stddev > 0 makes it a normal distribution.
    target : str, optional
        The id of a row of ``sequestered_test_split.targets``.
    normal : (float, float), optional
        Mean and standard deviation of the value.

    Examples
    --------
    >>> InstancePrediction("run", 3, "exact_match", 0.9).mean
    0.9
    """

    run_spec_name: str | None = None
    instance_predict_id: int | None = None
    stat_name: str | None = None
    mean: float | None = None
    count: float = 1
    sum: float | None = None
    sum_squared: float | None = None
    min: float | None = None
    max: float | None = None
    variance: float = 0.0
    stddev: float = 0.0
    target: str | None = field(default=None, kw_only=True)
    normal: tuple[float, float] | None = field(default=None, kw_only=True)

    @staticmethod
    def to_df(predictions: Sequence[InstancePrediction]) -> pd.DataFrame:
        """Give predictions as a frame with the columns of the per_instance_stats frame."""
        import pandas as pd

        rows = []
        for p in predictions:
            squared = p.sum_squared
            if squared is None and p.sum is not None:
                squared = p.sum**2
            rows.append(
                {
                    ID: p.instance_predict_id,
                    "run_spec.name": p.run_spec_name,
                    "per_instance_stats.stats.count": p.count,
                    "per_instance_stats.stats.max": p.max,
                    "per_instance_stats.stats.mean": p.mean,
                    "per_instance_stats.stats.min": p.min,
                    "per_instance_stats.stats.name.name": p.stat_name,
                    "per_instance_stats.stats.stddev": p.stddev,
                    "per_instance_stats.stats.sum": p.sum,
                    "per_instance_stats.stats.sum_squared": squared,
                    "per_instance_stats.stats.variance": p.variance,
                }
            )
        return pd.DataFrame(rows)


class InstancePredictor(Predictor, ABC):
    """Predicts single responses of held-out runs.

    In the splits of `prepare_all_dataframes`, scenario_state is numbered from 0 and both it and
    per_instance_stats have the key ``magnet.instance_predict_id`` as first column.
    """

    @abstractmethod
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[InstancePrediction]:
        """Predict responses; one `InstancePrediction` for each row and metric of interest."""

    def prepare_all_dataframes(self, helm_runs: object) -> tuple[TrainSplit, TestSplit]:
        """Split runs as `Predictor.prepare_all_dataframes`, and number the requests."""
        train, test = super().prepare_all_dataframes(helm_runs)
        for split in (train, test):
            split.scenario_state, split.per_instance_stats = number_requests(
                split.scenario_state, split.per_instance_stats
            )
        return train, test

    def _compare(self, train: TrainSplit, test: TestSplit) -> pd.DataFrame:
        import pandas as pd

        name = "per_instance_stats.stats.name.name"
        columns = [
            "run_spec",
            "instance_id",
            "prediction_id",
            "stat_name",
            "predicted_mean",
            "actual_mean",
        ]
        predictions = self.predict(train, test.sequester())
        if not predictions:
            return pd.DataFrame(columns=columns)
        both = InstancePrediction.to_df(predictions).merge(
            test.per_instance_stats,
            on=["run_spec.name", ID, name],
            how="inner",
            suffixes=("_predicted", "_actual"),
        )
        values = [
            both["run_spec.name"],
            both["per_instance_stats.instance_id"],
            both[ID],
            both[name],
            both["per_instance_stats.stats.mean_predicted"],
            both["per_instance_stats.stats.mean_actual"],
        ]
        return pd.DataFrame(dict(zip(columns, values, strict=True)))


def numbered(split: _Split) -> _Split:
    """Let a split number its requests (`number_requests`) when its frames are first touched.

    Parameters
    ----------
    split : TrainSplit or SequesteredTestSplit
        It is changed, and given back.
    """
    unread = vars(split)
    state, stats = unread.get("scenario_state"), unread.get("per_instance_stats")

    @cache
    def both() -> tuple[Any, Any]:
        frames: list[Any] = [f() if callable(f) else f for f in (state, stats)]
        return number_requests(*frames)

    if state is not None:
        split.scenario_state = lambda: both()[0]
        split.per_instance_stats = None if stats is None else lambda: both()[1]
    return split


def number_requests(
    scenario_state: pd.DataFrame, per_instance_stats: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Give each request a number from 0, and each per-instance statistic its request's.

    Requests and statistics are matched by run, instance, part, perturbation and train trial.

    Parameters
    ----------
    scenario_state, per_instance_stats : DataFrame
        HELM's frames of the same runs; of held-out runs only the first is seen.

    Returns
    -------
    (DataFrame, DataFrame or None)
        The same with the column ``magnet.instance_predict_id`` in front.
    """
    state = scenario_state.reset_index(drop=True)
    state.insert(0, ID, range(len(state)))
    if per_instance_stats is None:
        return state, None
    pairs = {
        "run_spec.name": "run_spec.name",
        "scenario_state.request_states.instance.id": "per_instance_stats.instance_id",
        "scenario_state.request_states.train_trial_index": "per_instance_stats.train_trial_index",
        "scenario_state.request_states.instance.split": "per_instance_stats.stats.name.split",
    }
    left_start = "scenario_state.request_states.instance.perturbation."
    right_start = "per_instance_stats.stats.name.perturbation."
    for column in state.columns:
        if column.startswith(left_start):
            pairs[column] = right_start + column.removeprefix(left_start)
    pairs = {
        a: b for a, b in pairs.items() if a in state.columns and b in per_instance_stats.columns
    }
    left = state[[ID, *pairs]].rename(columns=pairs).drop_duplicates(list(pairs.values()))
    right = per_instance_stats.copy()
    for key in pairs.values():
        for frame in (left, right):
            text = frame[key].astype(object)
            frame[key] = text.where(text.notna(), None)
    numbered = right[list(pairs.values())].merge(left, on=list(pairs.values()), how="left")
    known = numbered[ID].notna().to_numpy()
    stats = per_instance_stats[known].copy()
    stats.insert(0, ID, numbered.loc[known, ID].astype(int).to_numpy())
    return state, stats.reset_index(drop=True)
