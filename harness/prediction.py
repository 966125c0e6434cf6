"""`RunPrediction`: one predicted run value, as a mean or as a distribution.

The first thirteen fields are those of MAGNET's class, so predictions written for it work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

DISTRIBUTIONS: tuple[str, ...] = ("samples", "quantiles", "normal", "beta", "pmf")
"""The fields that give a distribution; a prediction uses at most one."""


@dataclass(eq=False)
class RunPrediction:
    """The prediction of one held-out value y: the run's value itself, not a probability behind it.

    Name what is predicted either by ``target`` or as MAGNET does, by run, split, metric and
    perturbation. Give a mean, or exactly one distribution.

    Parameters
    ----------
    run_spec_name : str, optional
        The run's name (HELM's ``run_spec.name``), or its id.
    split : str, optional
        HELM's split of the instances: ``test``, ``valid``.
    stat_name : str, optional
        The metric.
    mean : float, optional
        Mean of y, in the metric's unit.
    computed_on : str, optional
        HELM's ``perturbation.computed_on``.
    perturbation_parameters : mapping, optional
        Fields of the perturbation: name, fairness, robustness and its own (``prob`` …).
    count, sum, sum_squared, min, max, variance : float
        Kept for MAGNET's tables; not used.
    stddev : float
        A standard deviation > 0 makes the prediction a normal distribution; 0 a point.
    target : str, optional
        The id of a row of ``sequestered_test_split.targets``.
    samples : array of float, shape (S,), S >= 100
        Draws of y.
    quantiles : mapping of float to float, at least 5
        Level in (0, 1) → quantile of y.
    normal : (float, float)
        Mean and standard deviation; mass beyond the metric's bounds collects at the bounds.
    beta : (float, float)
        Parameters a, b of a beta distribution over the metric's range.
    pmf : array of float, shape (n + 1,)
        Probability of each count 0..n, for binary metrics.
    joint : bool
        The draws of all predictions with ``joint`` belong together, draw by draw.

    Examples
    --------
    >>> RunPrediction("mmlu:subject=anatomy,model=m", "test", "exact_match", 0.7).mean
    0.7
    >>> RunPrediction(target="t1", normal=(0.7, 0.1)).distribution
    'normal'
    """

    run_spec_name: str | None = None
    split: str | None = None
    stat_name: str | None = None
    mean: float | None = None
    computed_on: str | None = None
    perturbation_parameters: Mapping[str, Any] | None = None
    count: float = 1
    sum: float | None = None
    sum_squared: float | None = None
    min: float | None = None
    max: float | None = None
    variance: float = 0.0
    stddev: float = 0.0
    target: str | None = field(default=None, kw_only=True)
    samples: Sequence[float] | NDArray[np.float64] | None = field(default=None, kw_only=True)
    quantiles: Mapping[float, float] | None = field(default=None, kw_only=True)
    normal: tuple[float, float] | None = field(default=None, kw_only=True)
    beta: tuple[float, float] | None = field(default=None, kw_only=True)
    pmf: Sequence[float] | NDArray[np.float64] | None = field(default=None, kw_only=True)
    joint: bool = field(default=False, kw_only=True)

    @property
    def distribution(self) -> str | None:
        """Name of the distribution field that is used; None for a mean alone.

        Raises
        ------
        ValueError
            If more than one is given.
        """
        given = [name for name in DISTRIBUTIONS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"at most one distribution, got {' and '.join(given)}")
        return given[0] if given else None

    @property
    def perturbation(self) -> dict[str, Any]:
        """Fields of the perturbation, with MAGNET's three defaults; all None when unperturbed."""
        fields = {"name": None, "fairness": None, "robustness": None}
        fields.update(self.perturbation_parameters or {})
        return {"computed_on": self.computed_on, **fields}

    @staticmethod
    def to_df(predictions: Sequence[RunPrediction]) -> pd.DataFrame:
        """Give predictions as a frame with the columns of HELM's stats frame (MAGNET's order)."""
        import pandas as pd

        rows = []
        for p in predictions:
            squared = p.sum_squared
            if squared is None and p.sum is not None:
                squared = p.sum**2
            row = {
                "run_spec.name": p.run_spec_name,
                "stats.name.split": p.split,
                "stats.count": p.count,
                "stats.max": p.max,
                "stats.mean": p.mean,
                "stats.min": p.min,
                "stats.name.name": p.stat_name,
                "stats.stddev": p.stddev,
                "stats.sum": p.sum,
                "stats.sum_squared": squared,
                "stats.variance": p.variance,
            }
            row.update({f"stats.name.perturbation.{k}": v for k, v in p.perturbation.items()})
            rows.append(row)
        return pd.DataFrame(rows)
