"""Compare two models over scenarios, with predictions where a run was not made.

The estimand is the realised value on each scenario's own fixed questions: of a pair of runs that
were both made it is known, and has no uncertainty. What questions like these, or scenarios like
these, would give stands beside it, with intervals of their own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from harness.averages import choose_clusters, clustered_average
from harness.compared import (
    LEVEL,
    Comparison,
    Estimate,
    Pair,
    Paired,
    estimate_of,
    half_of,
    share_above,
)
from harness.comparison_grid import ComparedColumn, ComparisonGrid
from harness.held_out import HeldOut
from harness.known_runs import instance_values
from harness.observed import Observed
from harness.plain import plain
from harness.question import WIDE
from suites.errors import UsageError
from suites.suite import Suite, require_runs

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["compare_models"]

_IMPUTED = 100  # draws for which the variance between scenarios is computed


def default_predictor(runs: pd.DataFrame) -> str:
    """Choose the predictor of holes where none is named: it must give joint draws.

    ``hibayes`` where the source has at least 20 models and 10 scenarios
    (`harness.question.WIDE`), else ``hibayes-crossed``, which takes seconds.

    Examples
    --------
    >>> import pandas as pd
    >>> default_predictor(pd.DataFrame({"model": ["a", "b"], "scenario": ["s", "t"]}))
    'hibayes-crossed'
    """
    wide = runs["model"].nunique() >= WIDE[0] and runs["scenario"].nunique() >= WIDE[1]
    return "hibayes" if wide else "hibayes-crossed"


def compare_models(
    suite: Suite,
    models: Sequence[str],
    *,
    scenarios: Sequence[str] = (),
    observed: Observed | None = None,
    predictor: str | None = None,
    seed: int = 0,
    timeout: float | None = 600.0,
    isolation: str = "best",
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Compare two models on the scenarios of a source, made or not.

    Parameters
    ----------
    suite : Suite
        The runs that are known.
    models : sequence of two str
        Which; one that the source does not know is predicted as a new model.
    scenarios : sequence of str
        Globs of the scenarios to compare on; all by default. Predictions learn from all.
    observed : Observed, optional
        Responses of runs that were begun, with their ``model`` and ``scenario``.
    predictor : str, optional
        SPEC; asked for joint draws where it can give them. that of `default_predictor` without one.
    seed : int
        For what is random.
    timeout : float or None
        Seconds of wall time for each call of the predictor.
    isolation : str
        As `harness.evaluate` takes it.
    progress : callable, optional
        Called with (what, done, in all).

    Returns
    -------
    Comparison

    Raises
    ------
    UsageError
        For whatever the user can mend.

    Notes
    -----
    Paired differences and their errors: Miller (2024), Adding error bars to evals,
    arXiv:2411.00640. The interval over scenarios adds the variance between draws to the clustered
    variance between scenarios (`harness.averages.clustered_average`) as for multiple imputations
    (Rubin 1987): T = W + (1 + 1/m) B. Win rates are HELM's, but that ties count a half.

    Examples
    --------
    >>> import suites
    >>> both = compare_models(suites.read("demo/my-suite"), ["fir/fir-1b", "gum/gum-1b"])
    >>> len(both.pairs), both.filled, both.win_rates[0].low == both.win_rates[0].high
    (2, 0, True)
    """
    require_runs(suite, "compare")
    if len(models) != 2 or models[0] == models[1]:
        raise UsageError("a comparison takes two different models: --model A --model B.")
    report = progress or (lambda what, done, total: None)
    with tempfile.TemporaryDirectory(prefix="benchcast-") as folder:
        held = HeldOut(
            suite,
            Path(folder),
            frames=False,
            progress=lambda done, total: report("reading", done, total),
        )
        grid = ComparisonGrid(held, (models[0], models[1]), scenarios, observed)
        if grid.asked:
            report("predicting", 0, len(grid.asked))
            grid.fill(predictor or default_predictor(held.runs), seed, timeout, isolation)
        return _compare(grid)


def _compare(grid: ComparisonGrid) -> Comparison:
    pairs, gaps, stretched, errors, groups = [], [], [], [], []
    for scenario, column in grid.columns.items():
        first, second = (grid.value(m, scenario) for m in grid.models)
        if first is None or second is None:
            continue
        gap = column.points(first) - column.points(second)
        wide = (
            gap.mean() + grid.wide(grid.models[0], scenario) - grid.wide(grid.models[1], scenario)
        )
        pair, error = _pair(grid, scenario, column, gap, wide)
        pairs.append(pair)
        if pair.ranked:
            gaps.append(gap)
            stretched.append(wide)
            errors.append(error)
            groups.append((scenario, plain(column.rows["scenario_group"].iloc[0])))
    unknown = [p.scenario for p in pairs if p.better is None]
    if unknown:
        grid.notes.append(
            f"whether more is better is not known of {len(unknown)} scenarios, such as "
            f"{unknown[0]}: they do not count over scenarios (--metrics says it)."
        )
    free = sum(p.unit == "metric" for p in pairs)
    if free:
        grid.notes.append(f"{free} scenarios have no bounds: they do not count in averages.")
    overall = _overall(grid, np.array(gaps), np.array(stretched), errors, groups)
    return Comparison(
        models=grid.models,
        pairs=pairs,
        scenarios=len(gaps),
        predictor=grid.predictor,
        joint=grid.joint,
        filled=len(grid.drawn),
        notes=grid.notes,
        **overall,
    )


def _pair(
    grid: ComparisonGrid, scenario: str, column: ComparedColumn, gap: Array, wide: Array
) -> tuple[Pair, float | None]:
    rows = [column.row_of(m) for m in grid.models]
    drawn = [grid.drawn.get((m, scenario)) for m in grid.models]
    asked = [grid.asked.get((m, scenario)) for m in grid.models]
    paired, error = _errors(grid, column, rows)
    mean = float(gap.mean())
    questions = None
    if error is not None:
        half = half_of(float(np.var(wide)) + error**2)
        questions = Estimate(mean, mean - half, mean + half)
    known = column.ranked or (column.rows["higher_is_better"].notna().any())
    values = [None if row is None else float(row["value"]) for row in rows]
    means = [None if d is None else float(d.mean()) for d in drawn]
    counts = [0 if run is None else run.k for run in asked]
    pair = Pair(
        scenario=scenario,
        metric=str(column.rows["metric"].iloc[0]),
        part=plain(column.rows["part"].iloc[0]),
        unit="points" if column.bounded else "metric",
        ranked=column.ranked,
        values=(values[0], values[1]),
        predicted=(means[0], means[1]),
        observed=(counts[0], counts[1]),
        paired=paired,
        difference=estimate_of(gap),
        questions=questions,
        better=share_above(gap) if known else None,
    )
    return pair, error


def _errors(
    grid: ComparisonGrid, column: ComparedColumn, rows: Sequence[Mapping[str, Any] | None]
) -> tuple[Paired | None, float | None]:
    """Give the paired difference, and the error by sampling questions of what was made.

    None for the error where a run was made of which no spread of responses is known.
    """
    answers = [None if row is None else instance_values(grid.held, row) for row in rows]
    variances: list[float] = []
    for row, values in zip(rows, answers, strict=True):
        if row is None:
            variances.append(0.0)
        elif values is not None and len(values) > 1:
            variances.append(float(values.var(ddof=1)) / len(values))
        elif plain(row["binary"]) and plain(row["n"]):
            share = (float(row["value"]) - float(row["lower"])) / (
                float(row["upper"]) - float(row["lower"])
            )
            span = float(row["upper"]) - float(row["lower"])
            variances.append(span**2 * share * (1.0 - share) / int(row["n"]))
        else:
            return None, None
    apart = column.unit * float(np.sqrt(sum(variances)))
    first, second = answers
    if first is None or second is None:
        return None, apart
    gap = (first - second).dropna().to_numpy(float)
    if len(gap) < 2:
        return None, apart
    se = column.unit * float(gap.std(ddof=1)) / len(gap) ** 0.5
    mean = column.sign * column.unit * float(gap.mean())
    return Paired(len(gap), mean, se, apart), se


def _overall(
    grid: ComparisonGrid,
    gaps: Array,
    stretched: Array,
    errors: Sequence[float | None],
    groups: Sequence[tuple[str, Any]],
) -> dict[str, Any]:
    if not len(gaps):
        none = dict.fromkeys(("difference", "questions", "across", "better", "wins"))
        return {**none, "clusters": 0, "flag": "", "win_rates": [], "rivals": 0}
    import pandas as pd

    mean = gaps.mean(axis=0)
    centre = float(mean.mean())
    questions = None
    told = [error for error in errors if error is not None]
    if len(told) == len(errors):
        sampled = sum(error**2 for error in told) / len(errors) ** 2
        half = half_of(float(np.var(stretched.mean(axis=0))) + sampled)
        questions = Estimate(centre, centre - half, centre + half)
    frame = pd.DataFrame(groups, columns=["scenario", "scenario_group"]).assign(model="")
    _, labels, _, _ = choose_clusters(frame)
    places = np.unique(np.linspace(0, grid.size - 1, min(grid.size, _IMPUTED)).astype(int))
    found = [clustered_average(gaps[:, i], labels, labels, LEVEL) for i in places]
    within = float(np.mean([average.se**2 for average in found]))
    between = float(np.var(mean, ddof=1)) if grid.size > 1 else 0.0
    across, clusters = Estimate(centre, None, None), found[0].columns
    if found[0].flag != "no interval":
        total = within + (1.0 + 1.0 / max(grid.size, 1)) * between
        half = float(stdtrit(clusters - 1, 0.5 + LEVEL / 2)) * total**0.5
        across = Estimate(centre, centre - half, centre + half)
    wins = (np.sign(gaps) / 2.0 + 0.5).mean(axis=0)
    return {
        "difference": estimate_of(mean),
        "questions": questions,
        "across": across,
        "clusters": clusters,
        "flag": found[0].flag,
        "better": share_above(mean),
        "wins": estimate_of(wins),
        "win_rates": [estimate_of(_win_rate(grid, m)) for m in grid.models],
        "rivals": len(grid.rivals) - 1,
    }


def _win_rate(grid: ComparisonGrid, model: str) -> Array:
    """Give the mean win rate of a model over the scenarios that count, for each draw."""
    rates = []
    for scenario, column in grid.columns.items():
        own = grid.value(model, scenario)
        if not column.ranked or own is None:
            continue
        others = [grid.value(m, scenario) for m in grid.rivals if m != model]
        beaten = [
            np.sign(column.points(own) - column.points(o)) / 2.0 + 0.5
            for o in others
            if o is not None
        ]
        if beaten:
            rates.append(np.mean(beaten, axis=0))
    return np.mean(rates, axis=0) if rates else np.full(grid.size, np.nan)
