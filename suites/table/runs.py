"""From the rows of a table to its runs: metrics, ranges, reruns, duplicates, order, figures.

Nothing here depends on the order of the rows, save which of two contradicting rows is the first
and which metric is named first.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suites.identity import canonical_json
from suites.metric_rules import MetricRules
from suites.reader import Figure
from suites.schema import STATUSES
from suites.table.columns import Coded
from suites.table.facts import CellFacts, ScenarioFacts, metrics_of
from suites.table.rows import Findings, Rows, in_natural_order
from suites.table.spec import TableSpec

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MARKER_HINT = "a text that stands for 'no value' belongs in the YAML under missing"


@dataclass(frozen=True)
class Run:
    """One run: its place among the sorted rows, and what is common to them.

    Attributes
    ----------
    model, scenario, condition, label : int
        Positions in `Runs.models`, `Runs.scenarios`, `Runs.conditions`, `Runs.labels` (−1: none).
    date : datetime or None
        When it ran; of several dates the latest.
    is_split : bool
        Whether the cell has several runs, told apart by date.
    first, start, stop : int
        Its rows: ``Runs.rows[first:stop]``; its responses are those from ``start`` on.
    figures : tuple of Figure
        Its figures, by metric in order of appearance.
    """

    model: int
    scenario: int
    condition: int
    label: int
    date: dt.datetime | None
    is_split: bool
    first: int
    start: int
    stop: int
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Runs:
    """The runs of a table, and their rows sorted by run, instance, trial.

    Attributes
    ----------
    runs : list of Run
        By model, scenario, condition, label and date, names in natural order.
    models, scenarios, conditions, labels, parts, perturbations, metrics : list of str
        Names behind the codes.
    rows : ndarray of int64, shape (S,)
        Position of each sorted row in the list of rows that was read.
    value, weight : ndarray of float64, shape (S,)
        Value (NaN: none) and weight.
    instance, hash : Coded or None
        Ids of the instances and hashes of their texts; None for a table of run values.
    status : Coded
        What became of each response, where the table says it.
    trial, part, perturbation, metric : ndarray of int32, shape (S,)
        Numbers of trials, and codes.
    known : dict of (int, int) to CellFacts
        (scenario, metric) → range and direction.
    run_of : ndarray of int64, shape (R,)
        The run of each row that was read, −1 where it has none.
    """

    runs: list[Run]
    models: list[str]
    scenarios: list[str]
    conditions: list[str]
    labels: list[str]
    parts: list[str]
    perturbations: list[str]
    metrics: list[str]
    rows: Ints
    value: Floats
    weight: Floats
    instance: Coded | None
    hash: Coded | None
    status: Coded
    trial: NDArray[np.int32]
    part: NDArray[np.int32]
    perturbation: NDArray[np.int32]
    metric: NDArray[np.int32]
    known: dict[tuple[int, int], CellFacts]
    run_of: Ints


def make_runs(
    rows: Rows,
    spec: TableSpec,
    facts: Mapping[str, ScenarioFacts],
    rules: MetricRules,
    findings: Findings,
) -> Runs:
    """Sort the rows of a table into runs.

    Parameters
    ----------
    rows : Rows
        What was read.
    spec : TableSpec
        What the YAML says.
    facts : mapping of str to ScenarioFacts
        What the metadata says of scenarios, by name as read.
    rules : MetricRules
        What the user says of metrics.
    findings : Findings
        Takes what is wrong with rows.

    Notes
    -----
    Rows of one model, scenario and condition under several dates are several runs when the same
    response (or, without items, the same figure) is there under more than one date; else they are
    one run with the latest date. A column of labels tells runs apart in any case. A figure is
    Σ weight·value / Σ weight over all responses that have a value, whatever their trial, unless
    the run's value itself is among the rows.
    """
    size = len(rows)
    has_items = "instance" in rows.text
    keep = _named_rows(rows, findings)
    status = rows.text.get("status", _none(size))
    value, weight = _values(rows, status, findings)
    model = in_natural_order(rows.text["model"])
    scenario = in_natural_order(rows.text["scenario"])
    condition = in_natural_order(rows.text.get("condition", _none(size)))
    label = in_natural_order(rows.text.get("run", _none(size)))
    part = in_natural_order(rows.text.get("part", _none(size)))
    perturbation = _perturbation(rows.text.get("perturbation", _none(size)))
    metric, known = metrics_of(rows, spec, facts, scenario, value, keep, rules, findings)
    value = _inside(value, scenario, metric, known, findings)
    keep &= np.isfinite(value) | ~rows.is_figure
    trial, trial_bad = _trials(rows.text.get("trial", _none(size)))
    findings.rows("bad-trial", trial_bad, lambda i: "the trial is not a whole number; read as 0")
    date, days = _dates(rows.text.get("date", _none(size)), findings)
    instance = in_natural_order(rows.text["instance"]) if has_items else _none(size)
    instance = _apart(instance, part, keep, model, scenario, condition, trial, findings)

    at = np.flatnonzero(keep)
    inner = [instance.codes, trial, part.codes, perturbation.codes, metric.codes]
    if has_items:
        inner = [instance.codes, trial, perturbation.codes, metric.codes, part.codes]
    cell = _combine([c.codes[at] for c in (model, scenario, condition, label)])
    key = _combine([column[at] for column in inner])
    split = _reruns(cell, key, date[at])
    run = _combine([cell, np.where(split, date[at] + 1, 0)])
    whole = _combine([run, key])
    order = np.argsort(whole, kind="stable")
    whole, at, run = whole[order], at[order], run[order]
    run_of = np.full(size, -1, np.int64)
    run_of[at] = np.cumsum(np.r_[0, run[1:] != run[:-1]])[: len(at)]
    again = np.flatnonzero(np.r_[False, whole[1:] == whole[:-1]][: len(at)])
    _say_duplicates(rows, at, again, whole, value, findings)
    left = np.ones(len(at), bool)
    left[again] = False
    at, run, split = at[left], run[left], split[order][left]

    start = np.flatnonzero(np.r_[True, run[1:] != run[:-1]][: len(run)])
    stop = np.r_[start[1:], len(run)].astype(np.int64)[: len(start)]
    figures = _figures(
        rows, at, start, stop, value, weight, instance, trial, part, perturbation, metric,
        scenario, known, findings,
    )  # fmt: skip
    # a figure has no instance, so a run's figures stand before its responses
    alone = rows.is_figure[at].astype(np.int64) if has_items else np.zeros(len(at), np.int64)
    own = np.add.reduceat(alone, start) if len(at) else alone
    runs = []
    for i, (a, b) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
        row = int(at[a])
        latest = int(date[at[a:b]].max())
        runs.append(
            Run(
                int(model.codes[row]),
                int(scenario.codes[row]),
                int(condition.codes[row]),
                int(label.codes[row]),
                days[latest] if latest >= 0 else None,
                bool(split[a]),
                a,
                a + int(own[i]),
                b,
                figures[i],
            )
        )
    return Runs(
        runs, model.names, scenario.names, condition.names, label.names, part.names,
        perturbation.names, metric.names, at, value[at], weight[at],
        instance.take(at) if has_items else None,
        rows.text["instance_hash"].take(at) if "instance_hash" in rows.text else None,
        status.take(at), trial[at], part.codes[at], perturbation.codes[at], metric.codes[at],
        known, run_of,
    )  # fmt: skip


def _none(size: int) -> Coded:
    return Coded(np.full(size, -1, np.int32), [])


def _combine(columns: Sequence[NDArray[Any]]) -> Ints:
    """Give one number for each combination of codes (−1 and up), in the order of the columns."""
    total = np.zeros(len(columns[0]), np.int64)
    most = 1
    for column in columns:
        codes = column.astype(np.int64) + 1
        width = int(codes.max(initial=0)) + 1
        if width == 1:
            continue
        if most * width >= 1 << 62:
            different, total = np.unique(total, return_inverse=True)
            most = len(different)
            if most * width >= 1 << 62:
                different, codes = np.unique(codes, return_inverse=True)
                width = len(different)
        total = total * width + codes
        most *= width
    return total


def _named_rows(rows: Rows, findings: Findings) -> NDArray[np.bool_]:
    """Keep the rows that say whose and of what they are."""
    keep = np.ones(len(rows), bool)
    for role in ("model", "scenario", "instance", "metric"):
        if role in rows.text:
            absent = (rows.text[role].codes < 0) & keep
            if role == "instance":
                absent &= ~rows.is_figure
            message = f"the {role} is empty; the row is left out"
            findings.rows("missing-name", np.flatnonzero(absent), functools.partial(_say, message))
            keep &= ~absent
    return keep


def _values(rows: Rows, status: Coded, findings: Findings) -> tuple[Floats, Floats]:
    """Give values and weights; what is no number is listed. Only a status of ok has a value."""
    column = rows.numbers["value"]
    texts = column.texts
    unknown = np.array([*(name not in STATUSES for name in status.names), False])[status.codes]
    strange = np.flatnonzero(unknown)
    findings.rows(
        "bad-status",
        strange,
        lambda i: f"{_short(status.text(int(strange[i])) or '')} is not a status; read as ok",
        f"known are {', '.join(STATUSES)}",
    )
    failed = [name in STATUSES and name != "ok" for name in status.names]
    values = np.where(np.array([*failed, False])[status.codes], np.nan, column.values)
    findings.rows(
        "bad-value",
        column.bad,
        lambda i: f"{_short(texts[i])} is not a finite number; the value is left out",
        MARKER_HINT,
    )
    if "n" in rows.numbers:
        sizes = rows.numbers["n"]
        findings.rows(
            "bad-n",
            sizes.bad,
            lambda i: f"{_short(sizes.texts[i])} is not a number of instances; it is left out",
        )
    if "weight" not in rows.numbers:
        return values, np.ones(len(rows))
    weights = rows.numbers["weight"]
    weight = np.where(np.isnan(weights.values), 1.0, weights.values)
    wrong = weight < 0
    wrong[weights.bad] = True
    findings.rows(
        "bad-weight",
        np.flatnonzero(wrong),
        lambda i: "the weight is not a number of at least 0; the value is left out",
    )
    return np.where(wrong, np.nan, values), np.where(wrong, 1.0, weight)


def _perturbation(column: Coded) -> Coded:
    """Write each perturbation as canonical JSON: an object as it is, a name as ``{"name": …}``."""
    names = []
    for text in column.names:
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            raw = None
        names.append(canonical_json(raw if isinstance(raw, dict) else {"name": text}))
    different = sorted(set(names))
    place = {name: i for i, name in enumerate(different)}
    new = np.array([*(place[name] for name in names), -1], np.int32)
    return Coded(new[column.codes], different)


def _inside(
    value: Floats,
    scenario: Coded,
    metric: Coded,
    known: Mapping[tuple[int, int], CellFacts],
    findings: Findings,
) -> Floats:
    """Leave out the values outside their stated range."""
    width = max(len(metric.names), 1)
    stated = sorted((s * width + m, fact.bounds) for (s, m), fact in known.items())
    cells = np.array([cell for cell, _ in stated], np.int64)
    lower = np.array([-np.inf if b[0] is None else b[0] for _, b in stated])
    upper = np.array([np.inf if b[1] is None else b[1] for _, b in stated])
    if not (np.isfinite(lower).any() or np.isfinite(upper).any()):
        return value
    cell = scenario.codes.astype(np.int64) * width + metric.codes
    both = np.minimum(np.searchsorted(cells, cell), len(cells) - 1)
    is_out = (value < lower[both]) | (value > upper[both])
    outside = np.flatnonzero(is_out & (cells[both] == cell))
    if not len(outside):
        return value

    def say(i: int) -> str:
        low, high = lower[both[outside[i]]], upper[both[outside[i]]]
        return f"{float(kept[i])!r} is not in {low:g}..{high:g}; the value is left out"

    kept = value[outside].copy()
    value = value.copy()
    value[outside] = np.nan
    findings.rows("out-of-bounds", outside, say, "correct the scale or the bounds in the YAML")
    return value


def _trials(column: Coded) -> tuple[NDArray[np.int32], Ints]:
    """Give trials from 0 on; texts that are no whole numbers count in natural order."""
    if not column.names:
        return np.zeros(len(column.codes), np.int32), np.empty(0, np.int64)
    numbers: list[int | None] = []
    for name in column.names:
        found = re.fullmatch(r"\s*([0-9]{1,9})(\.0*)?\s*", name)
        numbers.append(int(found[1]) if found else None)
    if all(number is None for number in numbers):
        column = in_natural_order(column)
        return np.maximum(column.codes, 0), np.empty(0, np.int64)
    least = min(number for number in numbers if number is not None)
    of_code = np.array([0 if n is None else n - least for n in numbers] + [0], np.int32)
    bad = np.array([n is None for n in numbers] + [False])
    return of_code[column.codes], np.flatnonzero(bad[column.codes])


def _dates(column: Coded, findings: Findings) -> tuple[Ints, list[dt.datetime]]:
    """Give each row's date as a position (−1: none) among the different dates, sorted."""
    dates = [parse_date(name) for name in column.names]
    wrong = np.array([*(d is None for d in dates), False])[column.codes]
    bad = np.flatnonzero(wrong)
    findings.rows(
        "bad-date",
        bad,
        lambda i: f"{_short(column.text(int(bad[i])) or '')} is not a date; it is left out",
        "write dates as 2024-01-31",
    )
    different = sorted({d for d in dates if d is not None})
    place = {d: i for i, d in enumerate(different)}
    new = np.array([*(-1 if d is None else place[d] for d in dates), -1], np.int64)
    return new[column.codes], different


def parse_date(text: str) -> dt.datetime | None:
    """Read an ISO date, or a year or month (its first day), without time zone (UTC).

    Examples
    --------
    >>> parse_date("2024-09"), parse_date("2024-05-05T12:22:44Z")
    (datetime.datetime(2024, 9, 1, 0, 0), datetime.datetime(2024, 5, 5, 12, 22, 44))
    >>> parse_date("soon") is None
    True
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{4}", text):
        text += "-01-01"
    elif re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        text += "-01"
    try:
        date = dt.datetime.fromisoformat(text)
        return date.astimezone(dt.UTC).replace(tzinfo=None) if date.tzinfo else date
    except (ValueError, OverflowError):
        return None


def _apart(
    instance: Coded,
    part: Coded,
    keep: NDArray[np.bool_],
    model: Coded,
    scenario: Coded,
    condition: Coded,
    trial: NDArray[np.int32],
    findings: Findings,
) -> Coded:
    """Tell instances apart whose ids begin anew in each part: ``test/0``, ``valid/0``."""
    if not instance.names or len(part.names) < 2:
        return instance
    columns = [c.codes[keep] for c in (model, scenario, condition, instance)] + [trial[keep]]
    where = part.codes[keep]
    key = _combine(columns)
    if len(np.unique(key)) == len(np.unique(_combine([key, where]))):
        return instance
    both = _combine([part.codes, instance.codes])
    _, first, codes = np.unique(both, return_index=True, return_inverse=True)
    names = [f"{part.text(i) or ''}/{instance.text(i) or ''}" for i in first.tolist()]
    findings.plain(
        "instance-renamed",
        ["instances of different parts have one id; they are called part/instance"],
    )
    return in_natural_order(Coded(codes.astype(np.int32), names))


def _reruns(cell: Ints, key: Ints, date: Ints) -> NDArray[np.bool_]:
    """Say of each row whether its cell has the same key under more than one date."""
    if not len(date) or date.min() == date.max():
        return np.zeros(len(date), bool)
    whole = _combine([cell, key])
    order = np.lexsort((date, whole))
    same = whole[order][1:] == whole[order][:-1]
    twice = same & (date[order][1:] != date[order][:-1])
    return np.isin(cell, cell[order][1:][twice])


def _say_duplicates(
    rows: Rows, at: Ints, again: Ints, whole: Ints, value: Floats, findings: Findings
) -> None:
    """List the rows that say again what an earlier row said; rows are sorted by key."""
    if not len(again):
        return
    first = np.maximum.accumulate(
        np.where(np.r_[True, whole[1:] != whole[:-1]], np.arange(len(at)), 0)
    )
    file_order = np.argsort(at[again], kind="stable")
    both = np.stack([at[again], at[first[again]]])[:, file_order]
    for what, hint in (
        ("response", ""),
        ("run", "a date or condition column tells reruns apart"),
    ):
        later, earlier = both[:, rows.is_figure[both[0]] == (what == "run")]
        say = functools.partial(_say_again, rows, later, earlier, value, what)
        findings.rows(f"duplicate-{what}", later, say, hint)


def _say_again(rows: Rows, later: Ints, earlier: Ints, value: Floats, what: str, i: int) -> str:
    a, b = float(value[earlier[i]]), float(value[later[i]])
    same = "with the same value" if a == b or (a != a and b != b) else f"{a:g} there, {b:g} here"
    where = f"row {rows.number[earlier[i]]}"
    if rows.file[earlier[i]] != rows.file[later[i]]:
        where += f" of {rows.files[rows.file[earlier[i]]][0]}"
    return f"{where} is the same {what} ({same}); the first is kept"


def _figures(
    rows: Rows,
    at: Ints,
    start: Ints,
    stop: Ints,
    value: Floats,
    weight: Floats,
    instance: Coded,
    trial: NDArray[np.int32],
    part: Coded,
    perturbation: Coded,
    metric: Coded,
    scenario: Coded,
    known: Mapping[tuple[int, int], CellFacts],
    findings: Findings,
) -> list[tuple[Figure, ...]]:
    """Give the figures of each run, rows sorted by run."""
    if not len(at):
        return []
    run = np.repeat(np.arange(len(start)), stop - start)
    key = _combine([run, metric.codes[at], part.codes[at], perturbation.codes[at]])
    _, first, figure = np.unique(key, return_index=True, return_inverse=True)
    count = len(first)
    given = np.full(count, -1, np.int64)  # the row that has the run's own value
    alone = rows.is_figure[at]
    given[figure[alone]] = at[alone]
    ok = np.isfinite(value[at]) & ~alone
    w = np.where(ok, weight[at], 0.0)
    total = np.bincount(figure, w, count)
    sums = np.bincount(figure, w * np.where(ok, value[at], 0.0), count)
    means = np.divide(sums, total, out=np.full(count, np.nan), where=total > 0)
    scored = np.bincount(figure[ok], minlength=count)
    plain = np.bincount(figure[ok], (weight[at][ok] != 1).astype(float), count) == 0
    items = scored
    if trial[at].any():
        pairs = np.unique(_combine([figure, instance.codes[at]])[ok], return_index=True)[1]
        items = np.bincount(figure[ok][pairs], minlength=count)
    sizes = _sizes(rows, given)
    few = np.flatnonzero((items > 0) & (items < sizes))
    findings.rows(
        "incomplete-responses",
        given[few],
        lambda i: (
            f"the value is of {int(sizes[few[i]])} instances, of which "
            f"{int(items[few[i]])} have a response with a value here"
        ),
    )
    out: list[list[Figure]] = [[] for _ in start]
    for i in range(count):
        row = int(at[first[i]])
        fact = known.get((int(scenario.codes[row]), int(metric.codes[row])), CellFacts())
        n: int | None = int(items[i])
        is_count: bool | None = bool(fact.binary and plain[i] and items[i] == scored[i])
        if given[i] >= 0:
            if sizes[i] >= 0:
                n = int(sizes[i])
            elif not n or abs(means[i] - value[given[i]]) > 1e-6 * max(1.0, abs(means[i])):
                n = None  # these are not the responses behind it, or not all
            whole = is_count and not 0 < items[i] < sizes[i]
            is_count = _is_count(float(value[given[i]]), n) if whole else None
        out[int(run[first[i]])].append(
            Figure(
                metric=metric.names[metric.codes[row]],
                part=part.text(row),
                perturbation=perturbation.text(row),
                value=float(value[given[i]] if given[i] >= 0 else means[i]),
                n=n,
                binary=is_count,
                lower=fact.bounds[0],
                upper=fact.bounds[1],
                higher_is_better=fact.higher_is_better,
            )
        )
    return [tuple(figures) for figures in out]


def _sizes(rows: Rows, given: Ints) -> Floats:
    """Give the numbers of instances that rows state, −1 where there is none."""
    if "n" not in rows.numbers:
        return np.full(len(given), -1.0)
    sizes = np.where(given >= 0, rows.numbers["n"].values[given], -1.0)
    return np.where((sizes >= 0) & (sizes < 1 << 53), np.floor(sizes), -1.0)


def _is_count(value: float, n: int | None) -> bool | None:
    """Say whether a share of n is that of a whole number; None where it cannot be told."""
    if not n:
        return None
    return True if abs(value * n - round(value * n)) <= 1e-6 * n else None


def _say(message: str, i: int) -> str:
    """Give the same message for every row."""
    return message


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
