"""``harness compare``."""

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
    from harness.compared import Comparison, Estimate, Pair


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "compare", run, "compare two models on runs, made or not")
    add_source_arguments(parser, by_name=False)
    group = parser.add_argument_group("comparison")
    group.add_argument(
        "--model", dest="models", action="append", required=True, metavar="M", help="twice: A, B"
    )
    group.add_argument(
        "--scenario",
        dest="globs",
        action="append",
        default=[],
        metavar="GLOB",
        help="scenarios to compare on; predictions learn from all",
    )
    group.add_argument(
        "--observed",
        metavar="FILE",
        help="responses of runs that were begun: CSV, Parquet or JSONL with model, scenario, "
        "value and, where known, instance",
    )
    group.add_argument(
        "--predictor",
        metavar="SPEC",
        help="who predicts runs that were not made; by default hibayes in wide grids, else "
        "hibayes-crossed. One with the setting joint is asked for joint draws",
    )
    group.add_argument("--seed", type=int, default=0, help="of what is random")
    group.add_argument("--timeout", type=float, default=600.0, help="seconds for each call")
    add_isolation(group)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Compare two models, and print by how much and how surely one is better."""
    import dataclasses

    from harness.comparison import compare_models
    from harness.observed import read_observed
    from harness.progress import Bar
    from suites.errors import UsageError

    if len(options.models) != 2:
        raise UsageError(f"compare takes --model twice, got it {len(options.models)} times.")
    observed = read_observed(options.observed) if options.observed else None
    suite = read_source(options)
    said = say_problems(suite)
    with Bar() as bar:

        def report(what: str, done: int, total: int) -> None:
            if what == "predicting":
                print(f"predicting what was not run: {total} …", file=sys.stderr)
            else:
                bar(what, done, total)

        found = compare_models(
            suite,
            options.models,
            scenarios=options.globs,
            observed=observed,
            predictor=options.predictor,
            seed=options.seed,
            timeout=options.timeout,
            isolation=options.isolation,
            progress=report,
        )
    say_problems(suite, said)
    for note in [*suite.notes, *found.notes]:
        print(f"note: {note}", file=sys.stderr)
    if options.json:
        content = dataclasses.asdict(found)
        content["notes"] = [*suite.notes, *found.notes]
        print_json(content)
    else:
        _print(found)
    return 0


def _print(found: Comparison) -> None:
    from rich.table import Table

    from harness.console import console

    out = console()
    first, second = found.models
    out.print(
        f"A = {first}, B = {second}; differences in points, in favour of A; 90 % intervals",
        markup=False,
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scenario", overflow="fold")
    for name in ("A", "B", "difference", "on these questions", "questions like these", "P(A > B)"):
        table.add_column(name, justify="right")
    for pair in found.pairs:
        table.add_row(
            pair.scenario,
            _value(pair, 0),
            _value(pair, 1),
            f"{pair.difference.mean:+.1f}",
            _span(pair.difference),
            _span(pair.questions),
            "" if pair.better is None else f"{pair.better:.2f}",
        )
    out.print(table)
    lines = ["A value with ~ is predicted; (k) tells the responses there were of it."]
    if found.predictor is not None:
        how = "joint" if found.joint else "independent"
        lines.append(f"Predicted runs: {found.filled}, by {found.predictor}, {how} draws.")
    else:
        lines.append("All runs were made; nothing is predicted.")
    if found.difference is not None:
        lines += [
            f"Mean of {found.scenarios} scenarios: {found.difference.mean:+.1f}",
            f"  on these questions        {_span(found.difference)}, P(A > B) {found.better:.2f}",
            f"  on questions like these   {_span(found.questions)}",
            f"  on scenarios like these   {_span(found.across)}"
            + (f", {found.clusters} clusters" + (f": {found.flag}" if found.flag else "")),
            f"A is better on {_share(found.wins)} of the scenarios.",
            f"Mean win rate against {found.rivals} models: A {_share(found.win_rates[0])}, "
            f"B {_share(found.win_rates[1])}.",
        ]
    for line in lines:
        out.print(line, markup=False, highlight=False)


def _value(pair: Pair, which: int) -> str:
    made, predicted, k = pair.values[which], pair.predicted[which], pair.observed[which]
    if made is not None:
        return f"{made:.3g}"
    return f"~{predicted:.3g}" + (f" ({k})" if k else "") if predicted is not None else ""


def _span(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "–"
    if estimate.low == estimate.high:
        return "known"
    return f"[{estimate.low:+.1f}, {estimate.high:+.1f}]"


def _share(estimate: Estimate | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "–"
    if estimate.low == estimate.high:
        return f"{estimate.mean:.2f}"
    return f"{estimate.mean:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
