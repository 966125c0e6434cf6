"""`Scores`: the scores of one log as arrays, by metric; from them come responses and figures.

The metrics of a log are named for its scorers: ``match``; ``judge/clarity`` for a key of a dict;
``steps[0]`` for a position in a list; ``match@pass_at_2`` for values reduced over epochs by another
reducer than the mean, one per instance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suites.inspect.header import Header
from suites.inspect.log import Found, Log
from suites.inspect.reducers import reduce, reducer_known
from suites.inspect.rows import Row
from suites.inspect.values import Scale, leaves, number_of, scale_of
from suites.metric_rules import MetricRules

MOST_METRICS = 1000
"""Metrics of one log; a scorer whose scores have keys has one for each."""

OK, UNSCORED, ERROR, INVALIDATED = range(4)
"""Codes of `suites.schema.STATUSES`, in its order."""

Bounds = Callable[[str], tuple[float | None, float | None, bool | None]]
"""Metric → its lower and upper bound, and whether higher is better; None where unknown."""


@dataclass(frozen=True)
class Column:
    """The responses of one metric.

    Attributes
    ----------
    row : ndarray of int64, shape (R,)
        Place of the sample in `Scores.rows`.
    value : ndarray of float64, shape (R,)
        NaN where there is none.
    status : ndarray of int8, shape (R,)
        `OK`, `UNSCORED`, `ERROR` or `INVALIDATED`.
    weight : ndarray of float64, shape (R,)
        One over the number of scored epochs of the instance: the weighted mean is then Inspect's
        own, the mean over instances of the mean over epochs.
    """

    row: NDArray[np.int64]
    value: NDArray[np.float64]
    status: NDArray[np.int8]
    weight: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """The weighted mean of the values; NaN where there is none."""
        there = np.isfinite(self.value)
        total = float(self.weight[there].sum())
        with np.errstate(over="ignore", invalid="ignore"):  # of values near a float's range
            summed = float((self.weight * self.value)[there].sum())
        return summed / total if total > 0 else float("nan")


@dataclass
class Scores:
    """The scores of one log.

    Attributes
    ----------
    rows : sequence of Row
        Its samples, or what stands for them where only reduced scores were logged.
    header : Header
        The log's.
    raw : dict of str to (list of int, list of any)
        Metric → places of samples, and the values as they stand.
    errored, invalid : ndarray of bool, shape (rows,)
        Samples that failed, and samples that were declared invalid.
    """

    rows: Sequence[Row]
    header: Header
    rules: MetricRules
    error_policy: str
    raw: dict[str, tuple[list[int], list[Any]]] = field(default_factory=dict)
    reduced: bool = False
    left_out: int = 0

    def __post_init__(self) -> None:
        self.errored = np.array([row.error is not None for row in self.rows], bool)
        self.invalid = np.array([row.invalidation is not None for row in self.rows], bool)
        ids: dict[str, int] = {}
        codes = [ids.setdefault(str(row.id), len(ids)) for row in self.rows]
        self.ids = list(ids)
        self.of_id = np.array(codes, np.int64)

    @classmethod
    def read(
        cls,
        log: Log,
        rules: MetricRules,
        error_policy: str,
        *,
        type_: type[Row] = Row,
        found: Found | None = None,
    ) -> Scores:
        """Read the scores of a log.

        Parameters
        ----------
        log : Log
            Which.
        rules : MetricRules
            The user's own numbers for texts.
        error_policy : str
            What a failed sample counts as: ``as-logged``, ``exclude`` or ``incorrect``.
        type_ : type
            `Row`, or `DetailedRow`.
        found : callable, optional
            Takes what is wrong with parts of the log.

        Raises
        ------
        LogError
            If none of its parts can be read.
        """
        rows = log.rows(type_, found)
        if rows:
            scores = cls(rows, log.header, rules, error_policy)
            if not scores._add_plain():
                for i, row in enumerate(rows):
                    for name, score in (row.scores or {}).items():
                        if score is not None:
                            scores._add(name, i, score.value)
        else:
            scores = cls._reduced(log, rules, error_policy, type_)
        if scores.left_out and found is not None:
            what = f"it has more than {MOST_METRICS} metrics; the others are left out"
            found("too-many-metrics", what, "")
        return scores

    @classmethod
    def _reduced(cls, log: Log, rules: MetricRules, policy: str, type_: type[Row]) -> Scores:
        """Take reduced scores for the responses of a log that holds no samples."""
        reductions = log.reductions()
        ids = dict.fromkeys(name for r in reductions for name, _ in r.values)
        place = {name: i for i, name in enumerate(ids)}
        rows = [type_(id=name) for name in ids]
        scores = cls(rows, log.header, rules, policy, reduced=True)
        for reduction in reductions:
            suffix = "" if reduction.reducer in (None, "mean") else f"@{reduction.reducer}"
            before = set(scores.raw)  # of metrics that are there twice the first counts
            for name, value in dict(reduction.values).items():
                for metric, leaf in leaves(reduction.scorer, value):
                    if metric + suffix not in before:
                        scores._add(metric + suffix, place[name], leaf)
        return scores

    def _add_plain(self) -> bool:
        """Add all scores where all samples have the same scorers and plain values; say if so.

        Most logs are so, and it takes a tenth of the time.
        """
        try:
            names = list(self.rows[0].scores)  # type: ignore[arg-type]
            if len(names) > MOST_METRICS or any(len(row.scores) != len(names) for row in self.rows):  # type: ignore[arg-type]
                return False
            found = {n: [row.scores[n].value for row in self.rows] for n in names}  # type: ignore[index,union-attr]
        except (TypeError, KeyError, AttributeError):  # a sample without scores, or without one
            return False
        if any(
            kind in (dict, list) for values in found.values() for kind in set(map(type, values))
        ):
            return False
        self.raw.update((n, (list(range(len(values))), values)) for n, values in found.items())
        return True

    def _add(self, metric: str, row: int, value: Any) -> None:
        if isinstance(value, dict | list):
            for name, leaf in leaves(metric, value):
                self._add_leaf(name, row, leaf)
        else:
            self._add_leaf(metric, row, value)

    def _add_leaf(self, metric: str, row: int, value: Any) -> None:
        pair = self.raw.get(metric)
        if pair is None:
            if len(self.raw) >= MOST_METRICS:
                self.left_out += 1
                return
            pair = self.raw[metric] = ([], [])
        if row not in pair[0][-1:]:  # scorers "a" and "a/b" may both give a metric a/b: the first
            pair[0].append(row)
            pair[1].append(value)

    # ---------- what can be asked for

    @property
    def reducers(self) -> list[str]:
        """The log's reducers beside the mean that can be computed."""
        named = [*self.header.reducers, *(s.reducer for s in self.header.scores if s.reducer)]
        return [r for r in dict.fromkeys(named) if r != "mean" and reducer_known(r)]

    @property
    def metrics(self) -> list[str]:
        """All metrics that there are responses of, those reduced over epochs last."""
        if self.reduced:
            return list(self.raw)
        return [*self.raw, *(f"{m}@{r}" for r in self.reducers for m in self.raw)]

    def scale(self, metric: str) -> Scale:
        """Say what sorts of values a metric has."""
        base = self._base(metric)
        values = self.raw.get(base, ([], []))[1]
        return scale_of(values, self.rules.values(base))

    def columns(
        self, wanted: Collection[str] | None, bounds: Bounds
    ) -> Iterator[tuple[str, Column]]:
        """Give the responses of some metrics, of all by default."""
        for metric in self.metrics:
            if wanted is None or metric in wanted:
                yield metric, self.column(metric, bounds)

    def column(self, metric: str, bounds: Bounds) -> Column:
        """Give the responses of one metric, failed samples treated by the policy."""
        base = self._base(metric)
        row, value, status = self._values(base, bounds)
        if base != metric and not self.reduced:
            return self._reduce(metric.rpartition("@")[2], base, row, value, status)
        return Column(row, value, status, self._weights(row, value))

    # ---------- private

    def _base(self, metric: str) -> str:
        if metric in self.raw:
            return metric
        return metric.rpartition("@")[0] or metric

    def _values(
        self, metric: str, bounds: Bounds
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int8]]:
        places, raw = self.raw[metric]
        own = self.rules.values(metric)
        row = np.array(places, np.int64)
        value = _numbers(raw, own)
        value[np.isinf(value)] = np.nan
        status = np.where(np.isnan(value), UNSCORED, OK).astype(np.int8)
        if not (self.errored.any() or self.invalid.any()):
            return row, value, status
        failed = np.flatnonzero(self.errored)
        without = failed[~np.isin(failed, row)]
        if len(without):
            row = np.concatenate([row, without])
            value = np.concatenate([value, np.full(len(without), np.nan)])
            status = np.concatenate([status, np.full(len(without), ERROR, np.int8)])
            order = np.argsort(row, kind="stable")
            row, value, status = row[order], value[order], status[order]
        bad = self.errored[row]
        status[bad] = ERROR
        if self.error_policy == "exclude":
            value[bad] = np.nan
        elif self.error_policy == "incorrect":
            value[bad] = worst(*bounds(metric))
        invalid = self.invalid[row]
        status[invalid], value[invalid] = INVALIDATED, np.nan
        return row, value, status

    def _weights(self, row: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.float64]:
        if len(self.ids) == len(self.rows):
            return np.ones(len(row))
        of_id = self.of_id[row]
        scored = np.bincount(of_id[np.isfinite(value)], minlength=len(self.ids))
        return np.asarray(1.0 / np.maximum(scored[of_id], 1), np.float64)

    def _reduce(
        self,
        reducer: str,
        base: str,
        row: NDArray[np.int64],
        value: NDArray[np.float64],
        status: NDArray[np.int8],
    ) -> Column:
        """Reduce the values of each instance; what is not to count is left out."""
        raw = dict(zip(*self.raw[base], strict=True))
        own = self.rules.values(base)
        of_id: dict[int, list[int]] = {}
        for i, r in enumerate(row):
            of_id.setdefault(int(self.of_id[r]), []).append(i)
        first = np.array([row[places[0]] for places in of_id.values()], np.int64)
        out = np.empty(len(of_id))
        states = np.empty(len(of_id), np.int8)
        for j, places in enumerate(of_id.values()):
            kept = [
                raw[int(row[i])] if status[i] in (OK, UNSCORED) else float(value[i])
                for i in places
                if status[i] in (OK, UNSCORED) or np.isfinite(value[i])
            ]
            out[j] = reduce(kept, reducer, own) if kept else np.nan
            only = set(status[places].tolist())
            states[j] = only.pop() if len(only) == 1 else (UNSCORED if np.isnan(out[j]) else OK)
        out[np.isinf(out)] = np.nan
        states[(states == OK) & np.isnan(out)] = UNSCORED
        return Column(first, out, states, np.ones(len(out)))


def _numbers(raw: Sequence[Any], own: Mapping[str, float] | None) -> NDArray[np.float64]:
    """Convert values, each text only once."""
    texts = {v: number_of(v, own) for v in {v for v in raw if type(v) is str}}
    made = [texts[v] if type(v) is str else number_of(v, own) for v in raw]
    return np.array(made, np.float64)


def worst(lower: float | None, upper: float | None, higher_is_better: bool | None) -> float:
    """Give what a failed sample counts as, NaN where the metric's worst value is not known."""
    found = upper if higher_is_better is False else lower
    return float("nan") if found is None else found


def unconverted(scores: Scores) -> Mapping[str, Counter[str]]:
    """Count the texts that have no number, by metric: Inspect itself would take them as 0.

    Examples
    --------
    >>> from suites.inspect.header import HeaderDocument, read_header
    >>> header = read_header(HeaderDocument(eval={"task": "t", "model": "m"}))
    >>> scores = Scores([Row(id=1)], header, MetricRules(), "as-logged")
    >>> scores._add("choice", 0, "switch")
    >>> dict(unconverted(scores)["choice"])
    {'switch': 1}
    """
    found: dict[str, Counter[str]] = {}
    for metric, (_, values) in scores.raw.items():
        own = scores.rules.values(metric)
        texts = Counter(v for v in values if isinstance(v, str))
        odd = Counter({t: n for t, n in texts.items() if number_of(t, own) != number_of(t, own)})
        if odd:
            found[metric] = odd
    return found
