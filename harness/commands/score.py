"""``harness score``."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.common import add_command, add_isolation, add_json
from harness.commands.evaluate import show


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "score", run, "score predictions that another tool made")
    parser.add_argument(
        "predictions",
        nargs="+",
        metavar="PREDICTIONS",
        help="Parquet or CSV file: the README.md of a split describes it",
    )
    parser.add_argument(
        "--split", required=True, metavar="DIR", help="the folder that harness split made"
    )
    parser.add_argument("--name", help="the predictor's name; default: the file's")
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="SPEC",
        help="a predictor to evaluate beside the task's reference, as harness evaluate takes them; "
        "repeatable",
    )
    group = parser.add_argument_group("what was moved since the split was made")
    group.add_argument(
        "--source", action="append", metavar="SOURCE", help="where the sources lie; repeatable"
    )
    group.add_argument("--identity", metavar="FILE", help="YAML with your own names and groups")
    group.add_argument("--table-spec", metavar="FILE", help="YAML that explains a score table")
    group.add_argument("--metrics", metavar="FILE", help="YAML with facts of your own metrics")
    parser.add_argument("--jobs", type=int, default=1, help="workers at a time")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each call")
    add_isolation(parser, least=True)
    parser.add_argument("--out", required=True, metavar="DIR", help="the results folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace results at --out")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Score, and print the ranking."""
    from harness.progress import Bar
    from harness.scoring import score_predictions
    from harness.spec import expand
    from harness.split_folder import Split

    split = Split.load(options.split)
    asked = [split.task.predicts]
    with Bar() as bar:
        results = score_predictions(
            options.predictions,
            split,
            name=options.name,
            against=[name for text in options.against for name in expand(text, asked)],
            sources=options.source,
            identity=options.identity,
            table=options.table_spec,
            metrics=options.metrics,
            jobs=options.jobs,
            timeout=options.timeout,
            isolation=options.isolation,
            require_isolation=options.require_isolation,
            out=options.out,
            overwrite=options.overwrite,
            command=options.command_line,
            progress=bar,
        )
    return show(results, options.json)
