"""Inspect's sums: the reducer over a sample's epochs, then the metric over the samples.

Missing values are left out of both, as in Inspect. Where nothing is left there is no number;
Inspect's metrics then say 0.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from suites.inspect.values import NAN, number_of

if TYPE_CHECKING:
    import numpy as np


# ---------- over the epochs of one sample


def reduce(
    values: Sequence[Any], reducer: str | None, own: Mapping[str, float] | None = None
) -> float:
    """Reduce a sample's values over its epochs to one number.

    Parameters
    ----------
    values : sequence of object
        The raw values (leaves) of one metric, one per scored epoch, in the order of the epochs.
    reducer : str or None
        As the log names it: ``mean``, ``median``, ``mode``, ``max``, ``majority``,
        ``at_least_<k>``, ``pass_at_<k>`` (at least one of k is right), ``pass_k_<k>`` (all of k
        are). None is the mean.
    own : mapping of str to float, optional
        As for `suites.inspect.values.number_of`.

    Returns
    -------
    float
        NaN where there is no value, or too few. A value is right if it is at least 1; a log does
        not say when a task set another threshold.

    Raises
    ------
    ValueError
        If the reducer is not one of these: ask `reducer_known` first.

    Notes
    -----
    ``pass_at_k`` is the unbiased estimate of Chen et al. (2021), ``1 - C(n - c, k) / C(n, k)``;
    ``pass_k_k`` that of Yao et al. (2024), ``C(c, k) / C(n, k)``; n values, c of them right.

    Examples
    --------
    >>> [round(reduce(["C", "I", "C"], name), 4) for name in (None, "mode", "pass_k_2")]
    [0.6667, 1.0, 0.3333]
    >>> reduce(["C", float("nan"), float("nan")], "pass_at_2")
    nan
    """
    found = _reducer(reducer)
    if found is None:
        raise ValueError(f"no rule for the reducer {reducer!r}")
    rule, k = found
    return rule(values, k, own)


def reducer_known(name: str | None) -> bool:
    """Say whether `reduce` has a rule for this reducer.

    Examples
    --------
    >>> reducer_known("pass_at_5"), reducer_known(None), reducer_known("my_own")
    (True, True, False)
    """
    return _reducer(name) is not None


_Own = Mapping[str, float] | None
_Rule = Callable[[Sequence[Any], int, _Own], float]


def _numbers(values: Sequence[Any], own: _Own) -> list[float]:
    numbers = [number_of(value, own) for value in values]
    return [number for number in numbers if number == number]


def _mean(values: Sequence[Any], k: int, own: _Own) -> float:
    numbers = _numbers(values, own)
    return sum(numbers) / len(numbers) if numbers else NAN


def _median(values: Sequence[Any], k: int, own: _Own) -> float:
    numbers = _numbers(values, own)
    return statistics.median(numbers) if numbers else NAN


def _max(values: Sequence[Any], k: int, own: _Own) -> float:
    return max(_numbers(values, own), default=NAN)


def _mode(values: Sequence[Any], k: int, own: _Own) -> float:
    return _commonest(values, 0, own)


def _majority(values: Sequence[Any], k: int, own: _Own) -> float:
    return _commonest(values, len(values) // 2 + 1, own)


def _commonest(values: Sequence[Any], least: int, own: _Own) -> float:
    """Give the number of the commonest raw value, the first of several, if it is common enough."""
    there = [v for v in values if isinstance(v, Hashable) and v is not None and v == v]
    if not there:
        return NAN
    value, times = Counter(there).most_common(1)[0]
    return number_of(value, own) if times >= least else NAN


def _counts(values: Sequence[Any], own: _Own) -> tuple[int, int]:
    numbers = _numbers(values, own)
    return len(numbers), sum(number >= 1 for number in numbers)


def _at_least(values: Sequence[Any], k: int, own: _Own) -> float:
    n, right = _counts(values, own)
    return float(right >= k) if n else NAN


def _pass_at(values: Sequence[Any], k: int, own: _Own) -> float:
    n, right = _counts(values, own)
    if n < k or n == 0:
        return NAN
    return 1 - math.comb(n - right, k) / math.comb(n, k)


def _pass_all(values: Sequence[Any], k: int, own: _Own) -> float:
    n, right = _counts(values, own)
    if n < k or n == 0:
        return NAN
    return math.comb(right, k) / math.comb(n, k)


_RULES: dict[str, _Rule] = {
    "mean": _mean,
    "median": _median,
    "mode": _mode,
    "max": _max,
    "majority": _majority,
}
_RULES_OF_K: dict[str, _Rule] = {"at_least": _at_least, "pass_at": _pass_at, "pass_k": _pass_all}
_OF_K = re.compile(r"(at_least|pass_at|pass_k)_(\d{1,9})", re.ASCII)


def _reducer(name: str | None) -> tuple[_Rule, int] | None:
    """Find the rule of a reducer, and its k."""
    name = "mean" if name is None else _bare(name)
    if name in _RULES:
        return _RULES[name], 0
    of_k = _OF_K.fullmatch(name)
    return (_RULES_OF_K[of_k[1]], int(of_k[2])) if of_k else None


def _bare(name: str) -> str:
    return name.removeprefix("inspect_ai/")


# ---------- over the samples


def aggregate(
    metric: str, reduced: Sequence[float] | np.ndarray, params: Mapping[str, Any] | None = None
) -> float | None:
    """Compute one of Inspect's metrics from the reduced values of the samples.

    Parameters
    ----------
    metric : str
        ``accuracy``, ``mean``, ``stderr``, ``std`` or ``var``, with or without ``inspect_ai/``.
    reduced : sequence of float
        One value per sample (`reduce`); NaN is left out.
    params : mapping, optional
        What the task set. Whatever is set changes the metric (``stderr`` by clusters, say), so it
        is not computed.

    Returns
    -------
    float or None
        None if the metric cannot be computed here; NaN if no sample has a value. Spreads have
        n - 1 below, and are 0 for a single value.

    Examples
    --------
    >>> aggregate("inspect_ai/accuracy", [1.0, 0.0, float("nan")])
    0.5
    >>> aggregate("stderr", [1.0, 0.0]), aggregate("stderr", [1.0, 0.0], {"cluster": "topic"})
    (0.5, None)
    """
    rule = _AGGREGATES.get(_bare(metric))
    if rule is None or any(value is not None for value in (params or {}).values()):
        return None
    import numpy as np

    values = np.asarray(reduced, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return NAN
    with np.errstate(invalid="ignore"):  # infinite values have no spread
        return float(rule(values))


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


_AGGREGATES: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy": lambda values: float(values.mean()),
    "mean": lambda values: float(values.mean()),
    "var": _variance,
    "std": lambda values: math.sqrt(_variance(values)),
    "stderr": lambda values: math.sqrt(_variance(values) / len(values)),
}
