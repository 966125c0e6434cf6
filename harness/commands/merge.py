"""``harness merge``."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.common import add_command, add_json
from harness.commands.evaluate import show


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "merge", run, "put results of one split together")
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="results folders")
    parser.add_argument("--out", required=True, metavar="DIR", help="the results folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace results at --out")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Merge, and print the ranking."""
    from harness.merging import merge

    results = merge(
        options.results,
        options.out,
        overwrite=options.overwrite,
        command=options.command_line,
    )
    return show(results, options.json)
