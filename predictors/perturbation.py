"""`PerturbationLine`: the value falls in a line with the strength of the perturbation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.prediction import RunPrediction
from harness.predictor import NotApplicable, RunPredictor
from predictors.common.counts import Array
from predictors.common.grid import Cells, perturbation_fields, read_runs, read_targets
from predictors.common.moments import least_sd
from predictors.common.priors import Prior, predictions

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["PerturbationLine"]

_NAME = "misspellings"


class PerturbationLine(RunPredictor):
    r"""Predict a perturbed run by a line through the strengths of the perturbation.

    .. math:: y \sim N(\alpha + \beta\, prob, s^2)

    fitted by least squares to the train runs whose instances had misspellings, ``prob`` being
    the share of misspelt words; s is the sd of the residuals (ddof 2, at least .01 of the range).
    All bounded metrics share one line on the scale (value - lower) / (upper - lower); an
    unbounded metric has its own.

    Parameters
    ----------
    **notebook
        Those of `harness.predictor.Predictor`.

    Raises
    ------
    NotApplicable
        By `fit`, when the train split has fewer than two strengths of misspellings of any metric.

    Notes
    -----
    After MAGNET's second example. An unperturbed target is predicted at strength 0; targets with
    other perturbations, or figures computed on other instances than the perturbed ones, are left
    out, as are unbounded metrics without a line. It knows neither model nor scenario and is not
    updated by shown responses. Linear in runs and targets.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> def noise(prob):
    ...     return '{"name":"misspellings","prob":%s}' % prob
    >>> runs = pd.DataFrame({"run": ["a", "b", "c"], "value": [0.8, 0.7, 0.6]})
    >>> runs["perturbation"] = [noise(0), noise(0.1), noise(0.2)]
    >>> targets = pd.DataFrame({"target": ["t1"], "perturbation": [noise(0.3)]})
    >>> train = TrainSplit(runs=runs.assign(lower=0, upper=1))
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    >>> round(PerturbationLine().predict(train, test)[0].mean, 3)
    0.5
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)

    def __init__(self, **notebook: Any) -> None:
        super().__init__(**notebook)
        self._learned: dict[str | None, _Line] | None = None

    def fit(self, train_split: TrainSplit) -> None:
        """Fit the lines."""
        self._learned = _lines(read_runs(train_split))

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target at its strength."""
        learned = _lines(read_runs(train_split)) if self._learned is None else self._learned
        targets = read_targets(sequestered_test_split)
        priors: list[Prior | None] = []
        for column, pool in zip(targets.column, targets.pool, strict=True):
            strength = _strength(column[4]) if column[4] else 0.0
            line = learned.get(pool)
            priors.append(None if strength is None or line is None else line.at(strength))
        return predictions(targets, priors)


@dataclass(frozen=True)
class _Line:
    start: float
    slope: float
    sd: float
    bounded: bool

    @classmethod
    def of(cls, prob: Array, y: Array, bounded: bool) -> _Line:
        from sklearn.linear_model import LinearRegression

        fitted = LinearRegression().fit(prob[:, None], y)
        if len(y) > 2:
            residuals = y - fitted.predict(prob[:, None])
            sd = math.sqrt(float(residuals @ residuals) / (len(y) - 2))
        else:  # no residual is left: the values' own spread
            sd = float(np.std(y))
        sd = max(sd, least_sd(float(np.mean(y)), bounded))
        return cls(float(fitted.intercept_), float(fitted.coef_[0]), sd, bounded)

    def at(self, prob: float) -> Prior:
        mean = self.start + self.slope * prob
        return Prior("normal", min(max(mean, 0.0), 1.0) if self.bounded else mean, self.sd)


def _lines(runs: Cells) -> dict[str | None, _Line]:
    points: dict[str | None, list[tuple[float, float]]] = {}
    for column, pool, y in zip(runs.column, runs.pool, runs.y.tolist(), strict=True):
        strength = _strength(column[4])
        if strength is not None:
            points.setdefault(pool, []).append((strength, y))
    lines = {}
    for pool, pairs in points.items():
        prob, y = np.array(pairs).T
        if len(np.unique(prob)) >= 2:
            lines[pool] = _Line.of(prob, y, pool is None)
    if not lines:
        raise NotApplicable(
            "the train split has fewer than two strengths (prob) of the perturbation "
            f"'{_NAME}', so there is no line to fit."
        )
    return lines


def _strength(perturbation: str) -> float | None:
    """Give ``prob`` of misspellings; None for anything else."""
    fields = perturbation_fields(perturbation)
    if fields.get("name") != _NAME or fields.get("computed_on", "perturbed") != "perturbed":
        return None
    prob = fields.get("prob")
    if isinstance(prob, bool) or not isinstance(prob, int | float) or not math.isfinite(prob):
        return None
    return float(prob)
