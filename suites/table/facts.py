"""What holds for a metric of a scenario: range, direction, whether answers are 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suites.metric_rules import MetricRules
from suites.metrics import MetricFacts, known_metric
from suites.table.columns import Coded
from suites.table.rows import Findings, Rows
from suites.table.spec import Bounds, TableSpec

_ROUNDING = 1e-6


@dataclass(frozen=True)
class ScenarioFacts:
    """What the metadata says of one scenario; None where it says nothing.

    Attributes
    ----------
    lower, upper : float or None
        Least and greatest value of its metrics.
    bounded : bool or None
        Whether the table's scale or bounds hold for it.
    n_options : float or None
        Number of options of its questions.
    metric : str or None
        Its metric's name.
    higher_is_better : bool or None
        Its direction.
    group : str or None
        Its scenario group.
    """

    lower: float | None = None
    upper: float | None = None
    bounded: bool | None = None
    n_options: float | None = None
    metric: str | None = None
    higher_is_better: bool | None = None
    group: str | None = None


NOTHING = ScenarioFacts()
"""What is known of a scenario without metadata."""


@dataclass(frozen=True)
class CellFacts:
    """What holds for a metric of a scenario.

    Attributes
    ----------
    bounds : tuple of (float or None, float or None)
        Least and greatest value.
    binary : bool
        Whether all its responses are 0 or 1, and this is its range.
    higher_is_better : bool or None
        Its direction.
    """

    bounds: Bounds = (None, None)
    binary: bool = False
    higher_is_better: bool | None = None


def metrics_of(
    rows: Rows,
    spec: TableSpec,
    facts: Mapping[str, ScenarioFacts],
    scenario: Coded,
    value: NDArray[np.float64],
    keep: NDArray[np.bool_],
    rules: MetricRules,
    findings: Findings,
) -> tuple[Coded, dict[tuple[int, int], CellFacts]]:
    """Name each row's metric, by order of appearance; give what holds for each of a scenario.

    Parameters
    ----------
    rows : Rows
        The table.
    spec : TableSpec
        What the YAML says.
    facts : mapping of str to ScenarioFacts
        What the metadata says of scenarios.
    scenario : Coded
        Each row's scenario.
    value : ndarray of float64, shape (R,)
        Its value.
    keep : ndarray of bool, shape (R,)
        Whether it counts at all.
    rules : MetricRules
        The user's own ranges and directions, which overrule all others.
    findings : Findings
        Takes statements that contradict each other.

    Returns
    -------
    Coded, dict of (int, int) to CellFacts
        The metrics, and (scenario, metric) → facts.
    """
    scored = keep & np.isfinite(value)
    response = scored & ~rows.is_figure
    other = (value != 0) & (value != 1)
    if "metric" in rows.text:
        metric = _by_appearance(rows.text["metric"])
    else:
        in_scenario = scenario.codes[scored]
        is_01 = np.bincount(in_scenario, other[scored], len(scenario.names)) == 0
        has_items = "instance" in rows.text
        default = "accuracy" if rows.layout.roles.get("value", "").lower() == "accuracy" else None
        names = [
            facts.get(name, NOTHING).metric
            or spec.metric
            or default
            or ("accuracy" if has_items and is_01[i] else "score")
            for i, name in enumerate(scenario.names)
        ]
        different = sorted(set(names))
        of_scenario = np.array([*(different.index(name) for name in names), -1], np.int32)
        metric = Coded(of_scenario[scenario.codes], different)
    width = max(len(metric.names), 1)
    cells, at = np.unique(
        scenario.codes[scored].astype(np.int64) * width + metric.codes[scored], return_inverse=True
    )
    size = len(cells)
    responses = np.bincount(at, response[scored], size)
    not_01 = np.bincount(at, (response & other)[scored], size)
    shares, not_shares = (np.bincount(at, found[scored], size) for found in _shares(rows, value))
    stated = {
        role: _stated(rows, role, np.flatnonzero(scored), at, size, findings)
        for role in ("lower", "upper", "higher_is_better")
    }
    known: dict[tuple[int, int], CellFacts] = {}
    for i, cell in enumerate(cells.tolist()):
        s, m = divmod(cell, width)
        is_01 = not_01[i] == 0 if responses[i] else shares[i] > 0 and not_shares[i] == 0
        own = {role: values[i] for role, values in stated.items() if not np.isnan(values[i])}
        fact = facts.get(scenario.names[s], NOTHING)
        known[s, m] = _cell_facts(fact, own, spec, metric.names[m], bool(is_01), rules)
    return metric, known


def _cell_facts(
    fact: ScenarioFacts,
    own: Mapping[str, float],
    spec: TableSpec,
    metric: str,
    is_01: bool,
    rules: MetricRules,
) -> CellFacts:
    """Give range and direction: the user's, the scenario's, the rows' own, the table's, or 0..1.

    A direction that nobody states is that of the metric's name, where the name is known.
    """
    stated = spec.bounds_of(metric)
    if fact.bounded is False:
        stated = (None, None)
    elif stated is None and is_01:
        stated = (0.0, 1.0)
    lower, upper = stated or (None, None)
    lower, upper = own.get("lower", lower), own.get("upper", upper)
    lower = fact.lower if fact.lower is not None else lower
    upper = fact.upper if fact.upper is not None else upper
    better = fact.higher_is_better
    if better is None and "higher_is_better" in own:
        better = bool(own["higher_is_better"])
    if better is None:
        better = spec.direction_of(metric)
    if better is None:
        better = known_metric(metric).higher_is_better
    known = rules.facts(MetricFacts(metric, lower, upper, better))
    bounds = known.lower, known.upper
    return CellFacts(bounds, is_01 and bounds == (0.0, 1.0), known.higher_is_better)


def _shares(rows: Rows, value: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which runs' values their standard errors show to be shares of ones, and which not.

    Among answers in 0..1 with mean p, those that are all 0 or 1 have the greatest variance:
    se² (n - 1) = p (1 - p). A mean of 0 or 1 tells nothing.
    """
    none = np.zeros(len(rows), bool)
    if not {"stderr", "n"} <= set(rows.numbers):
        return none, none
    error, n = rows.numbers["stderr"].values, rows.numbers["n"].values
    with np.errstate(over="ignore", invalid="ignore"):
        observed, greatest = error**2 * (n - 1), value * (1 - value)
        can_tell = rows.is_figure & (n >= 2) & np.isfinite(observed) & np.isfinite(value)
        same = np.abs(observed - greatest) <= _ROUNDING * np.abs(greatest)
    return can_tell & same & (value > 0) & (value < 1), can_tell & ~same


def _stated(
    rows: Rows, role: str, at: NDArray[np.int64], cell: NDArray[np.int64], size: int,
    findings: Findings,
) -> NDArray[np.float64]:  # fmt: skip
    """Give what the rows of each cell state, NaN where nothing; the first of several counts."""
    out = np.full(size, np.nan)
    if role not in rows.numbers:
        return out
    values = rows.numbers[role].values[at]
    says = np.flatnonzero(np.isfinite(values))
    out[cell[says][::-1]] = values[says][::-1]
    differs = says[values[says] != out[cell[says]]]
    first = out[cell[differs]]
    findings.rows(
        "contradiction",
        at[differs],
        lambda i: (
            f"{role} is {values[differs[i]]:g} here, {first[i]:g} in an earlier row of this "
            "scenario and metric; the first is kept"
        ),
    )
    return out


def _by_appearance(column: Coded) -> Coded:
    codes, first = np.unique(column.codes, return_index=True)
    order = codes[np.argsort(first)]
    order = order[order >= 0]
    place = np.full(len(column.names) + 1, -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return Coded(place[column.codes], [column.names[i] for i in order])
