"""Scoring rules: what a predictive distribution is worth once the value is known.

Formulas: Gneiting & Raftery (2007) for the losses, Czado, Gneiting & Held (2009) for PIT values.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.distribution import (
    ATOM_TOLERANCE,
    Beta,
    CountPmf,
    Distribution,
    Draws,
    discretise,
    grid_count,
)

__all__ = ["RULES", "Rule", "score", "uniform", "uniform_number"]

LOG_SCORE_MIX = 1e-3  # weight of the uniform distribution in the log score
LOG_SCORE_FLOOR = 1e-9
COVERAGE_SLACK = 1e-9  # a mid-PIT on the border of an interval is inside, whatever the rounding

POINTS = "percentage points of the metric's range; the metric's own unit where it has no bounds"
SQUARED = "squared percentage points; the metric's own unit squared where it has no bounds"


@dataclass(frozen=True, slots=True)
class Rule:
    """One scoring rule, as `harness list rules` shows it.

    Attributes
    ----------
    name : str
        Its name in results, commands and pages.
    unit : str
        What a number of it counts.
    meaning : str
        One line.
    is_loss : bool
        Whether less is better; false for the checks of calibration and sharpness.
    proper : bool
        Whether, in expectation, no prediction beats the true distribution.
    """

    name: str
    unit: str
    meaning: str
    is_loss: bool
    proper: bool


def _interval_rules() -> tuple[Rule, ...]:
    rules = [
        Rule(
            f"interval_score_{level}",
            POINTS,
            f"width of the central {level} % interval, plus 2/alpha times the distance of a miss",
            is_loss=True,
            proper=True,
        )
        for level in (50, 80, 90)
    ]
    rules += [
        Rule(
            f"coverage_{level}",
            "0 or 1",
            f"whether the value is in the central {level} % interval, by its mid-PIT",
            is_loss=False,
            proper=False,
        )
        for level in (50, 80, 90)
    ]
    rules += [
        Rule(
            f"width_{level}",
            POINTS,
            f"width of the central {level} % interval",
            is_loss=False,
            proper=False,
        )
        for level in (50, 80, 90)
    ]
    return tuple(rules)


RULES: tuple[Rule, ...] = (
    Rule(
        "crps",
        POINTS,
        "continuous ranked probability score: the headline; of draws, the fair version",
        is_loss=True,
        proper=True,
    ),
    Rule(
        "log_score",
        "nats",
        "-log probability of the count, mixed with 0.001 of a uniform (proper to within 0.001 "
        "nats); binary metrics only",
        is_loss=True,
        proper=True,
    ),
    Rule(
        "absolute_error",
        POINTS,
        "distance of the median from the value",
        is_loss=True,
        proper=True,
    ),
    Rule(
        "squared_error",
        SQUARED,
        "squared distance of the mean from the value",
        is_loss=True,
        proper=True,
    ),
    *_interval_rules(),
    Rule(
        "pit",
        "probability",
        "where the value fell in the distribution, at random within an atom: uniform if calibrated",
        is_loss=False,
        proper=False,
    ),
    Rule(
        "pit_mid",
        "probability",
        "where the value fell in the distribution, at the middle of an atom",
        is_loss=False,
        proper=False,
    ),
    Rule(
        "brier",
        "squared share of the metric's range",
        "of single responses: squared distance of the mean from the value, mean over a run's "
        "unseen responses; of values 0 and 1 the Brier score",
        is_loss=True,
        proper=True,
    ),
    Rule(
        "log_loss",
        "nats",
        "of single responses: -log of the probability of what was observed, at least 0.01, mean "
        "over a run's unseen responses; values at the ends of the range only",
        is_loss=True,
        proper=True,
    ),
    Rule(
        "auroc",
        "probability",
        "of single responses: how often a right response of a run was given the greater probability"
        " than a wrong one of the same run; no number where all are right, or all wrong",
        is_loss=False,
        proper=False,
    ),
    Rule(
        "responses",
        "number",
        "of single responses: how many of a run were scored, the weights of pooled averages",
        is_loss=False,
        proper=False,
    ),
    Rule(
        "energy_score",
        "standard deviations of the scenarios' train values",
        "of a model's held-out runs of a fold together: the energy score of their joint draws",
        is_loss=True,
        proper=True,
    ),
    Rule(
        "pairwise_brier",
        "squared probability",
        "of a scenario's held-out runs of a fold: squared distance of P(one beats the other) from "
        "what was observed, mean over pairs",
        is_loss=True,
        proper=True,
    ),
    Rule(
        "kendall_tau",
        "rank correlation",
        "of a scenario's held-out runs of a fold: Kendall's tau-b of medians and values; no number "
        "where all of one are equal",
        is_loss=False,
        proper=False,
    ),
)

# lower ends of the 90, 80 and 50 % intervals, the median, the upper ends
_LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
_LEVELS.flags.writeable = False


def score(
    distribution: Distribution,
    y: float,
    *,
    target: str,
    n: int | None = None,
    binary: bool = False,
    lower: float | None = None,
    upper: float | None = None,
) -> dict[str, float]:
    r"""Score one predictive distribution by every rule that applies.

    With F the distribution function, :math:`q_\tau` its quantiles (generalised inverse), and
    :math:`V \in (0, 1)` a number drawn from the target's id:

    - ``crps``: :math:`\int (F(u) - 1\{y \le u\})^2 du`, exact; of draws, the fair version;
    - ``log_score`` (binary metrics): :math:`-\log((1 - \epsilon) p(C) + \epsilon/(N + 1))`,
      :math:`\epsilon = 0.001`, the argument at least 1e-9; draws smoothed (see `discretise`);
    - ``absolute_error``: :math:`|q_{.5} - y|`; ``squared_error``: (mean - y)²;
    - ``interval_score_L`` with :math:`\alpha = 1 - L/100`, :math:`l = q_{\alpha/2}`,
      :math:`u = q_{1-\alpha/2}`: :math:`u - l + \frac2\alpha (l - y)_+ +
      \frac2\alpha (y - u)_+`; ``width_L``: :math:`u - l`;
    - ``pit``: :math:`F(y-) + V (F(y) - F(y-))`; ``pit_mid``: :math:`V = 1/2` instead; of K draws
      :math:`(\#\{x < y\} + V (1 + \#\{x = y\}))/(K + 1)`;
    - ``coverage_L``: 1 if ``pit_mid`` is in :math:`[\alpha/2, 1 - \alpha/2]` (to 1e-9), else 0.

    Parameters
    ----------
    distribution : Distribution
        The prediction, metric units. On binary metrics whatever is neither `CountPmf` nor `Draws`
        is discretised first.
    y : float
        The observed value, metric units.
    target : str
        The target's id; it alone decides the randomness of ``pit``.
    n : int or None
        Number of trials; needed for binary metrics, unused elsewhere.
    binary : bool
        Whether the value is a count out of `n`.
    lower, upper : float or None
        The metric's bounds, metric units; None where unknown. Needed for binary metrics.

    Returns
    -------
    dict of str to float
        By rule name, in the order of `RULES`; a rule that does not apply is absent. Where both
        bounds are known, losses and widths are in percentage points (times 100/(upper - lower),
        ``squared_error`` times its square); elsewhere in the metric's unit.

    Raises
    ------
    ValueError
        `y` is not finite; a binary metric without `n` or bounds, or with a `y` that is no count
        of `n` (see `grid_tolerance`); a `CountPmf` of another grid, or of a metric that is not
        binary.

    Notes
    -----
    Values closer than 1e-9 of a known range are the same value for ``pit`` and ``coverage``
    (0.1 + 0.2 hits a draw of 0.3). The mixing makes ``log_score`` finite and proper up to
    :math:`-\log(1 - \epsilon) \approx 0.001` nats. ``coverage`` by mid-PIT is conservative for
    small n.

    References
    ----------
    Gneiting & Raftery (2007), doi:10.1198/016214506000001437.
    Czado, Gneiting & Held (2009), doi:10.1111/j.1541-0420.2009.01191.x.

    Examples
    --------
    >>> from harness.distribution import CountPmf, Normal
    >>> s = score(CountPmf([0.2, 0.5, 0.3]), 1.0, target="t", n=2, binary=True, lower=0, upper=1)
    >>> round(s["crps"], 6), round(s["log_score"], 4), s["absolute_error"], round(s["pit_mid"], 6)
    (26.5, 1.2039, 50.0, 0.85)
    >>> s = score(Normal(1200, 50), 1250, target="t")  # an Elo rating: no bounds, no points
    >>> round(s["crps"], 4), "log_score" in s
    (30.1221, False)
    """
    if binary:
        if n is None or lower is None or upper is None:
            raise ValueError("a binary metric needs n and both bounds")
        if not isinstance(distribution, Draws):
            grid = discretise(distribution, n, lower, upper)
            if isinstance(distribution, CountPmf) and grid is not distribution:
                raise ValueError(
                    f"the distribution is on the counts 0..{distribution.n} between "
                    f"{distribution.lower:g} and {distribution.upper:g}, the metric on 0..{n} "
                    f"between {lower:g} and {upper:g}"
                )
            return _score_counts(grid, y, target)
        count = grid_count(y, n, lower, upper)
        y = lower + (upper - lower) * count / n
    elif isinstance(distribution, CountPmf):
        raise ValueError("a CountPmf is a prediction of a binary metric; pass binary=True and n")
    if not math.isfinite(y):
        raise ValueError(f"the observed value is {float(y)!r}; it must be finite")

    slack = 0.0 if lower is None or upper is None else ATOM_TOLERANCE * (upper - lower)
    below, at_or_below = distribution.cdf_left(y - slack), distribution.cdf(y + slack)
    if isinstance(distribution, Draws):
        k = len(distribution.samples)
        below, at_or_below = below * k / (k + 1), (at_or_below * k + 1) / (k + 1)
    p_count = None
    if binary and n is not None and lower is not None and upper is not None:
        assert isinstance(distribution, Draws)
        p_count = n, distribution.probability_of_count(count, n, lower, upper)
    return _assemble(
        y,
        target,
        crps=distribution.crps(y),
        mean=distribution.mean,
        quantiles=distribution._quantile(_LEVELS).tolist(),
        below=below,
        at_or_below=at_or_below,
        p_count=p_count,
        scale=1.0 if lower is None or upper is None else 100.0 / (upper - lower),
    )


def _score_counts(grid: CountPmf, y: float, target: str) -> dict[str, float]:
    """Score a distribution of counts; `y` is moved to the count it stands for."""
    count = grid.count(y)
    return _assemble(
        grid.lower + (grid.upper - grid.lower) * count / grid.n,
        target,
        crps=grid.crps_of_count(count),
        mean=grid.mean,
        quantiles=grid._quantile(_LEVELS).tolist(),
        below=float(grid.cumulative[count - 1]) if count else 0.0,
        at_or_below=float(grid.cumulative[count]),
        p_count=(grid.n, float(grid.pmf[count])),
        scale=100.0 / (grid.upper - grid.lower),
    )


def _assemble(
    y: float,
    target: str,
    *,
    crps: float,
    mean: float,
    quantiles: list[float],
    below: float,
    at_or_below: float,
    p_count: tuple[int, float] | None,
    scale: float,
) -> dict[str, float]:
    """Return every rule from what it needs; `scale` turns metric units into reported ones."""
    low_90, low_80, low_50, median, high_50, high_80, high_90 = quantiles
    error = (mean - y) * scale
    atom = max(at_or_below - below, 0.0)
    pit_mid = below + 0.5 * atom
    scores = {"crps": crps * scale}
    if p_count is not None:
        scores["log_score"] = _log_score(*p_count)
    scores["absolute_error"] = abs(median - y) * scale
    scores["squared_error"] = error * error
    scores["interval_score_50"] = _interval_score(low_50, high_50, y, 0.5) * scale
    scores["interval_score_80"] = _interval_score(low_80, high_80, y, 0.2) * scale
    scores["interval_score_90"] = _interval_score(low_90, high_90, y, 0.1) * scale
    off_centre = abs(pit_mid - 0.5) - COVERAGE_SLACK
    scores["coverage_50"] = 1.0 if off_centre <= 0.25 else 0.0
    scores["coverage_80"] = 1.0 if off_centre <= 0.4 else 0.0
    scores["coverage_90"] = 1.0 if off_centre <= 0.45 else 0.0
    scores["width_50"] = (high_50 - low_50) * scale
    scores["width_80"] = (high_80 - low_80) * scale
    scores["width_90"] = (high_90 - low_90) * scale
    scores["pit"] = below + uniform_number(target) * atom
    scores["pit_mid"] = pit_mid
    return scores


def _log_score(n: int, p: float) -> float:
    mixed = (1.0 - LOG_SCORE_MIX) * p + LOG_SCORE_MIX / (n + 1)
    return -math.log(max(mixed, LOG_SCORE_FLOOR))


def _interval_score(low: float, high: float, y: float, alpha: float) -> float:
    miss = low - y if y < low else max(y - high, 0.0)
    return high - low + 2.0 / alpha * miss


def uniform_number(target: str) -> float:
    """Return the number in (0, 1) that belongs to a target, the V of the randomised PIT.

    The first 52 bits of BLAKE2b of the id (UTF-8), moved to the middle of their cell: the same
    on every machine and in every process, and independent of what else is scored.

    Parameters
    ----------
    target : str
        The target's id.

    Returns
    -------
    float
        Strictly between 0 and 1.

    Examples
    --------
    >>> round(uniform_number("a target"), 6) == round(uniform_number("a target"), 6)
    True
    """
    digest = hashlib.blake2b(target.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2.0**52


def uniform(
    n: int | None, binary: bool, lower: float | None, upper: float | None
) -> Distribution | None:
    """Return the uniform distribution over the metric's range, or over its counts.

    Parameters
    ----------
    n : int or None
        Number of trials; needed for binary metrics.
    binary : bool
        Whether the value is a count out of `n`.
    lower, upper : float or None
        The metric's bounds, metric units; None where unknown.

    Returns
    -------
    Distribution or None
        A `CountPmf` with 1/(n + 1) each for binary metrics, else ``Beta(1, 1)`` on the range;
        None where a bound is unknown.

    Raises
    ------
    ValueError
        A binary metric without `n`.

    Examples
    --------
    >>> uniform(4, True, 0, 1).pmf.tolist()
    [0.2, 0.2, 0.2, 0.2, 0.2]
    >>> uniform(None, False, 0, None) is None
    True
    """
    if lower is None or upper is None:
        return None
    if not binary:
        return Beta(1.0, 1.0, lower, upper)
    if n is None or n < 1:
        raise ValueError(f"a binary metric needs the number of trials n, at least 1; got {n!r}")
    return _uniform_counts(n, float(lower), float(upper))


@lru_cache(maxsize=32)
def _uniform_counts(n: int, lower: float, upper: float) -> CountPmf:
    return CountPmf(np.full(n + 1, 1.0 / (n + 1)), lower, upper)
