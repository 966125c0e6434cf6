"""``harness predict``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from harness.commands.common import (
    add_command,
    add_isolation,
    add_json,
    add_source_arguments,
    print_json,
    read_source,
    say_problems,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from harness.distribution import Distribution
    from harness.question import Forecast

_SHOWN = 5  # neighbours on the terminal; --json has all


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "predict", run, "predict one run that was not made")
    add_source_arguments(parser, by_name=False)
    group = parser.add_argument_group("question")
    group.add_argument("--model", dest="asked_model", required=True, metavar="M", help="who")
    group.add_argument("--scenario", dest="asked_scenario", required=True, metavar="S", help="what")
    group.add_argument("--n", type=int, metavar="N", help="instances, where not the usual number")
    group.add_argument(
        "--observed",
        metavar="FILE",
        help="responses there are already: CSV, Parquet or JSONL with value and, where known, "
        "instance; or 7/10",
    )
    group.add_argument(
        "--target-width",
        type=float,
        metavar="X",
        help="say how many more responses make the 90 %% interval ± X points",
    )
    group.add_argument(
        "--predictor",
        metavar="SPEC",
        help="who predicts; by default kernel-ridge in wide grids, else hibayes-crossed",
    )
    group.add_argument(
        "--why",
        action="store_true",
        help="ask again without the nearest runs, and say how far the prediction moves",
    )
    group.add_argument("--seed", type=int, default=0, help="of what is random")
    group.add_argument("--timeout", type=float, default=600.0, help="seconds for each call")
    add_isolation(group)
    group.add_argument("--plot", metavar="FILE", help="draw the distribution: .png or .svg")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Predict a run, and print what is known of it."""
    from harness.forecast_plot import check_plot, plot_forecast
    from harness.observed import read_observed
    from harness.progress import Bar
    from harness.question import Question, predict_run
    from suites.errors import UsageError

    if options.n is not None and options.n < 1:
        raise UsageError(f"--n must be at least 1, got {options.n}.")
    if options.target_width is not None and not options.target_width > 0:
        raise UsageError(f"--target-width must be more than 0, got {options.target_width:g}.")
    if options.plot:
        check_plot(options.plot)
    question = Question(
        options.asked_model,
        options.asked_scenario,
        n=options.n,
        observed=read_observed(options.observed) if options.observed else None,
        predictor=options.predictor,
        target_width=options.target_width,
        seed=options.seed,
        why=options.why,
    )
    suite = read_source(options)
    said = say_problems(suite)
    with Bar() as bar:
        forecast = predict_run(
            suite,
            question,
            timeout=options.timeout,
            isolation=options.isolation,
            progress=bar,
        )
    say_problems(suite, said)
    for note in [*suite.notes, *forecast.notes]:
        print(f"note: {note}", file=sys.stderr)
    if options.plot:
        plot_forecast(forecast, options.plot)
    if options.json:
        print_json({**summary(forecast), "notes": [*suite.notes, *forecast.notes]})
    else:
        _print(forecast)
        if options.plot:
            print(f"plot: {options.plot}")
    return 0


def summary(forecast: Forecast) -> dict[str, Any]:
    """Give a forecast as what JSON can hold; values in the metric's units."""
    import dataclasses

    row = forecast.asked.row
    names = ("model", "scenario", "condition", "metric", "part", "perturbation", "n", "binary")
    return {
        **{name: row[name] for name in (*names, "lower", "upper", "higher_is_better")},
        "predictor": forecast.predictor,
        "why_predictor": forecast.why_predictor,
        "train_runs": forecast.train,
        "observed": forecast.asked.k,
        "before": _numbers(forecast.before),
        "after": _numbers(forecast.after),
        "known_value": forecast.value,
        "known": forecast.known,
        "further": None if forecast.further is None else dataclasses.asdict(forecast.further),
        "leaned_on": [dataclasses.asdict(one) for one in forecast.leaned],
        "nearest_models": forecast.models,
        "nearest_scenarios": forecast.scenarios,
    }


def _numbers(distribution: Distribution | None) -> dict[str, Any] | None:
    if distribution is None:
        return None
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    at = {level: float(distribution.quantile(level)) for level in levels}
    return {
        "mean": distribution.mean,
        "sd": distribution.sd,
        "median": at[0.5],
        "interval_50": [at[0.25], at[0.75]],
        "interval_90": [at[0.05], at[0.95]],
    }


def _print(forecast: Forecast) -> None:
    from rich.table import Table

    from harness.console import console

    out, row, unit = console(), forecast.asked.row, forecast.unit
    lower = row["lower"] if unit != 1.0 and row["lower"] is not None else 0.0
    bounded = row["lower"] is not None and row["upper"] is not None

    def points(value: float) -> str:
        return f"{(value - lower) * unit:.1f}" if bounded else f"{value:.4g}"

    part = f"@{row['part']}" if row["part"] else ""
    size = "an unknown number of" if row["n"] is None else row["n"]
    out.print(
        f"{row['model']} on {row['scenario']}: {row['metric']}{part}, {size} instances"
        f"{', in points of its range' if bounded else ''}",
        markup=False,
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("predicted")
    for name in ("mean", "median", "50 % interval", "90 % interval"):
        table.add_column(name, justify="right")
    k = forecast.asked.k
    rows = [("before any response", forecast.before), (f"after {k} responses", forecast.after)]
    for name, distribution in rows:
        numbers = _numbers(distribution)
        if numbers is not None:
            spans = [
                f"{points(low)} – {points(high)}"
                for low, high in (numbers["interval_50"], numbers["interval_90"])
            ]
            table.add_row(name, points(numbers["mean"]), points(numbers["median"]), *spans)
    out.print(table)
    why = f" ({forecast.why_predictor})" if forecast.why_predictor else ""
    lines = [f"predictor: {forecast.predictor}{why}, from {forecast.train} known runs"]
    if forecast.value is not None:
        lines.append(
            f"the source has this run: {points(forecast.value)}; "
            f"it was predicted as if it were not known ({len(forecast.known)} held out)"
        )
    if forecast.further is not None:
        lines.append(_further(forecast, bounded))
    for line in lines:
        out.print(line, markup=False, highlight=False)
    if forecast.leaned:
        out.print(_leaned(forecast, points))
    for title, known, name in (
        ("known runs of the same scenario, nearest models first", forecast.models, "model"),
        ("known runs of the same model, nearest scenarios first", forecast.scenarios, "scenario"),
    ):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in (title, "value", "mean difference", "common cells"):
            table.add_column(heading, justify="left" if heading == title else "right")
        for near in known[:_SHOWN]:
            distance = near["distance"]
            table.add_row(
                near[name],
                f"{near['value']:.4g}" if near["points"] is None else f"{near['points']:.1f}",
                "" if distance is None else f"{distance:.1f}",
                str(near["common"]),
            )
        if known:
            out.print(table)
        if len(known) > _SHOWN:
            out.print(f"  … and {len(known) - _SHOWN} more; --json lists all.", highlight=False)


def _leaned(forecast: Forecast, points: Callable[[float], str]) -> Table:
    """Show how far the prediction moves without some runs."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("without", "runs", "mean", "moves by"):
        table.add_column(heading, justify="left" if heading == "without" else "right")
    for one in forecast.leaned:
        now = "nothing said" if one.mean is None else points(one.mean)
        moved = "" if one.moved is None else f"{one.moved:+.2f}"
        table.add_row(one.without, str(len(one.runs)), now, moved)
    return table


def _further(forecast: Forecast, bounded: bool) -> str:
    found = forecast.further
    assert found is not None
    wanted = f"± {found.target:g}{' points' if bounded else ''}"
    if found.expected == 0:
        return f"the 90 % interval is ± {found.now:.1f} already, as narrow as {wanted}"
    left = "" if found.left is None else f" of the {found.left} left"
    if found.expected is None:
        return f"no number of further responses{left} is known to make the 90 % interval {wanted}"
    more = f"{found.expected} more responses{left} make the 90 % interval {wanted} on average"
    if found.sure is not None and found.sure != found.expected:
        more += f", {found.sure} in 9 of 10 futures"
    return f"{more} (now ± {found.now:.1f}; {found.method})"
