"""From a distribution before the shown responses to a `RunPrediction` after them.

A prior says what a method believes of one value before it sees any response of it. The update by
shown responses, the form of the prediction and its name are the same for all methods.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc, betaln, ndtri

from harness.prediction import RunPrediction
from predictors.common.counts import (
    FLOOR,
    Array,
    log_pmf_beta,
    log_pmf_normal,
    log_pmf_squashed,
    unsquash,
    update,
)
from predictors.common.grid import Cells, Shown, perturbation_fields

__all__ = [
    "LEVELS",
    "UNIFORM",
    "Prior",
    "label",
    "log_predictive",
    "loo_frame",
    "predictions",
    "update_normal",
]

Kind: TypeAlias = Literal["normal", "squashed", "beta"]

LEVELS: tuple[float, ...] = (
    *(0.001, 0.0025, 0.005, 0.01, 0.02),
    *(round(0.03 + 0.0235 * i, 4) for i in range(41)),
    *(0.98, 0.99, 0.995, 0.9975, 0.999),
)
"""The levels at which a distribution is given that is neither normal, beta nor of a count."""

_STEPS = 1000  # of the range: the resolution at which such a distribution is updated
_EDGES = np.concatenate(([0.0], (np.arange(_STEPS) + 0.5) / _STEPS, [1.0]))
_BLOCK = 4_000_000  # numbers in one array, at most

_LOG_PMF = {"normal": log_pmf_normal, "squashed": log_pmf_squashed, "beta": log_pmf_beta}


@dataclass(frozen=True, slots=True)
class Prior:
    """A distribution of one value on the scale of `Cells.y`.

    Attributes
    ----------
    kind : str
        ``normal``: a is the mean, b the sd of the value. ``squashed``: a is the mean, b the sd of
        tr(value), bounded metrics only. ``beta``: a and b are the shapes of the success
        probability of a count, or of the value itself where it is no count; bounded metrics only.
    a, b : float
        Finite; an sd or a shape is positive.
    """

    kind: Kind
    a: float
    b: float

    @property
    def mean(self) -> float:
        """The mean; for ``squashed`` the median."""
        if self.kind == "normal":
            return self.a
        return self.a / (self.a + self.b) if self.kind == "beta" else float(unsquash(self.a))


UNIFORM = Prior("beta", 1.0, 1.0)
"""All counts, or all values of a bounded metric, alike."""


def predictions(
    targets: Cells, priors: Sequence[Prior | None], shown: Shown | None = None
) -> list[RunPrediction]:
    r"""Turn priors into predictions, after an update by the shown responses.

    A count out of n is given as ``pmf``, updated by the hypergeometric probability of the shown
    successes. Where the value is no count, the mean of the k shown values is taken as normal
    around the value y with the variance :math:`\frac{v}{k} (1 - \frac{k}{n})` of a mean drawn
    without return (no correction where n is unknown); a normal prior becomes the conjugate
    normal, the others are multiplied by that likelihood on 1000 steps of the range and given as
    quantiles. v is estimated by :math:`(v_0 + \sum_i (x_i - \bar x)^2) / k`, where v0 stands for
    one more response: :math:`\mu (1 - \mu)`, the largest variance of a value in [0, 1] with mean
    :math:`\mu` = the mean of the shown values and the prior's, kept inside [.05, .95]; for
    unbounded metrics the prior's variance.

    Parameters
    ----------
    targets : Cells
        T targets.
    priors : sequence of Prior or None, length T
        None leaves the target out.
    shown : Shown, optional
        The shown responses; None for predictors that are not updated.

    Returns
    -------
    list of RunPrediction
        In the order of the targets.

    References
    ----------
    Cochran, Sampling Techniques, 3rd ed. (1977), theorem 2.2 (variance of the mean of a sample
    drawn without return).
    """
    out: dict[int, RunPrediction] = {}
    known = [i for i, prior in enumerate(priors) if prior is not None]
    for rows, kind, n in _groups(targets, priors, [i for i in known if targets.counted[i]]):
        log_p = _LOG_PMF[kind](n, *_shapes(priors, rows))
        if shown is not None and shown.k[rows].any():
            k = np.minimum(shown.k[rows], n)
            log_p = update(log_p, np.minimum(shown.total[rows], k), k)
        pmf = np.exp(log_p)
        pmf /= pmf.sum(axis=1, keepdims=True)
        means = (pmf * np.arange(n + 1)).sum(axis=1) / n
        for row, p, mean in zip(rows, pmf, means, strict=True):
            out[row] = label(targets, row, mean=_own(targets, row, mean), pmf=p)
    for row in known:
        if row not in out:
            prior = priors[row]
            assert prior is not None
            out[row] = _measured(targets, row, prior, shown)
    return [out[row] for row in known]


def _measured(targets: Cells, row: int, prior: Prior, shown: Shown | None) -> RunPrediction:
    """Predict a value that is no count."""
    k = 0 if shown is None else int(shown.k[row])
    if prior.kind == "normal":
        mean, sd = prior.a, prior.b
        if shown is not None and k > 0:
            centre, variance = _likelihood(targets, row, prior, shown)
            mean, sd = update_normal(mean, sd, centre, variance)
        span = float(targets.span[row])
        mean = _own(targets, row, mean)
        return label(targets, row, mean=mean, normal=(mean, span * sd))
    if prior.kind == "squashed":
        log_p = log_pmf_squashed(_STEPS, [prior.a], [prior.b])[0]
    else:
        cdf = betainc(prior.a, prior.b, _EDGES)
        log_p = np.log(np.maximum(np.diff(cdf), FLOOR))
    steps = np.arange(_STEPS + 1) / _STEPS
    if shown is not None and k > 0:
        centre, variance = _likelihood(targets, row, prior, shown)
        log_p = log_p - (steps - centre) ** 2 / (2.0 * variance)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = _own(targets, row, float(p @ steps))
    if k == 0 and prior.kind == "beta":
        mean = _own(targets, row, prior.mean)
        return label(targets, row, mean=mean, beta=(prior.a, prior.b))
    if k == 0:
        values = unsquash(prior.a + prior.b * ndtri(LEVELS))
    else:
        values = np.interp(LEVELS, np.concatenate(([0.0], np.cumsum(p))), _EDGES)
    own = targets.lower[row] + targets.span[row] * values
    quantiles = dict(zip(LEVELS, np.maximum.accumulate(own).tolist(), strict=True))
    return label(targets, row, mean=mean, quantiles=quantiles)


def _likelihood(targets: Cells, row: int, prior: Prior, shown: Shown) -> tuple[float, float]:
    """Mean of the shown values, and its variance around the run's value."""
    k, n = int(shown.k[row]), int(targets.n[row])
    mean = float(shown.total[row]) / k
    if targets.bounded[row]:
        centre = min(max((prior.mean + k * mean) / (k + 1), 0.05), 0.95)
        guess = centre * (1.0 - centre)
    else:
        guess = prior.b**2
    variance = (guess + float(shown.squares[row])) / k
    correction = max(1.0 - k / n, 1e-6) if n else 1.0
    return mean, variance / k * correction


def update_normal(mean: float, sd: float, centre: float, variance: float) -> tuple[float, float]:
    """Update a normal by an observed mean with a known variance.

    Examples
    --------
    >>> update_normal(0.0, 1.0, 4.0, 1.0 / 3.0)
    (3.0, 0.5)
    """
    weight = sd**2 / (sd**2 + variance)
    return mean + weight * (centre - mean), math.sqrt(weight * variance)


def log_predictive(runs: Cells, priors: Sequence[Prior | None]) -> Array:
    """Give the log probability of each run's count, or the log density of its value.

    Parameters
    ----------
    runs : Cells
        R runs with their values.
    priors : sequence of Prior or None, length R
        Kinds ``normal`` and ``beta`` where the value is no count.

    Returns
    -------
    ndarray of float, shape (R,)
        Natural logarithms; densities in the metric's own units, a beta's taken no nearer than
        .001 to the ends of the range, where it may be infinite. NaN where the prior is None.
    """
    out = np.full(len(runs), np.nan)
    known = [i for i, prior in enumerate(priors) if prior is not None]
    for rows, kind, n in _groups(runs, priors, [i for i in known if runs.counted[i]]):
        count = np.rint(runs.y[rows] * n).astype(np.intp)
        out[rows] = _LOG_PMF[kind](n, *_shapes(priors, rows))[np.arange(len(rows)), count]
    for row in known:
        if runs.counted[row]:
            continue
        prior = priors[row]
        assert prior is not None
        y = float(runs.y[row])
        if prior.kind == "normal":
            density = -0.5 * ((y - prior.a) / prior.b) ** 2 - math.log(prior.b)
            density -= 0.5 * math.log(2.0 * math.pi)
        else:
            y = min(max(y, 0.001), 0.999)
            density = (prior.a - 1.0) * math.log(y) + (prior.b - 1.0) * math.log1p(-y)
            density -= float(betaln(prior.a, prior.b))
        out[row] = density - math.log(runs.span[row])
    return out


def loo_frame(runs: Cells, elpd: Array) -> pd.DataFrame:
    """Give the table of an exact leave-one-run-out; runs without a figure are left out."""
    known = np.isfinite(elpd)
    return pd.DataFrame(
        {
            "run": [run for run, keep in zip(runs.id, known, strict=True) if keep],
            "elpd_loo": elpd[known],
            "elpd_waic": np.full(int(known.sum()), np.nan),
            "pareto_k": np.full(int(known.sum()), np.nan),
            "method": ["exact"] * int(known.sum()),
        }
    )


def label(cells: Cells, row: int, **parts: Any) -> RunPrediction:
    """Make a prediction for a target, named both by its id and as MAGNET names it."""
    _, _, metric, part, perturbation, _ = cells.column[row]
    fields = perturbation_fields(perturbation)
    computed_on = fields.pop("computed_on", None)
    return RunPrediction(
        cells.name[row] or None,
        part or None,
        metric or None,
        target=cells.id[row],
        computed_on=computed_on,
        perturbation_parameters=fields or None,
        **parts,
    )


def _own(cells: Cells, row: int, y: float) -> float:
    return float(cells.lower[row] + cells.span[row] * y)


def _groups(
    cells: Cells, priors: Sequence[Prior | None], rows: list[int]
) -> Iterator[tuple[list[int], Kind, int]]:
    """Put together the rows with the same kind of prior and the same n, in bounded blocks."""
    groups: dict[tuple[Kind, int], list[int]] = {}
    for row in rows:
        prior = priors[row]
        assert prior is not None
        groups.setdefault((prior.kind, int(cells.n[row])), []).append(row)
    for (kind, n), members in groups.items():
        size = max(1, _BLOCK // (n + 1))
        for start in range(0, len(members), size):
            yield members[start : start + size], kind, n


def _shapes(priors: Sequence[Prior | None], rows: Sequence[int]) -> NDArray[np.float64]:
    return np.array([(p.a, p.b) for p in (priors[row] for row in rows) if p is not None]).T
