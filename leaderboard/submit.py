"""``leaderboard submit``: add a predictor to results that are there."""

from __future__ import annotations

import argparse
import sys
from typing import Any

__all__ = ["add_submit"]


def add_submit(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to a parser's commands.

    Parameters
    ----------
    commands : action of subparsers
    common : ArgumentParser
        Declares RESULTS.
    """
    parser = commands.add_parser(
        "submit",
        parents=[common],
        help="evaluate a predictor on the split of the results, and add its row",
        description="Evaluate a predictor, jailed, as those of the results were evaluated, and add "
        "its row to them.",
    )
    parser.add_argument(
        "spec", metavar="SPEC", help="path/file.py:Class, module:Class or a registered name"
    )
    parser.add_argument("--name", help="what it is called (default: its class's name)")
    parser.add_argument("--author", help="who made it")
    parser.add_argument(
        "--source", action="append", metavar="SOURCE", help="where the sources lie now; repeatable"
    )
    parser.add_argument("--jobs", type=int, default=1, help="workers at a time")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each call")
    parser.add_argument(
        "--isolation", default="best", metavar="LEVEL", help="as for harness evaluate"
    )
    parser.add_argument(
        "--require-isolation",
        default="medium",
        metavar="LEVEL",
        help="stop unless it is at least this one (default: medium)",
    )
    parser.set_defaults(run=_submit)


def _submit(args: argparse.Namespace) -> None:
    """Evaluate, add, and print the ranking."""
    from harness.progress import Bar
    from harness.submitting import submit
    from leaderboard.terminal import print_ranking

    with Bar() as bar:
        results = submit(
            args.results,
            args.spec,
            name=args.name,
            author=args.author,
            sources=args.source,
            jobs=args.jobs,
            timeout=args.timeout,
            isolation=args.isolation,
            require_isolation=args.require_isolation,
            progress=bar,
        )
    entry = results.manifest["predictors"][-1]
    if entry["reason"]:
        sys.stderr.write(f"note: {entry['name']}: {entry['status']}: {entry['reason']}\n")
    print_ranking(results.ranking(), results.manifest)
