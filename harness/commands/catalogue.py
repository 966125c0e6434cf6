"""``harness list``."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.common import add_command, add_json, print_json

_LISTS = ("predictors", "tasks", "metrics", "rules")


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "list", run, "list predictors, tasks, metrics or rules")
    parser.add_argument("what", choices=_LISTS)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """List one kind of thing."""
    from harness.catalogue import catalogue

    rows = catalogue(options.what)
    if options.json:
        print_json(rows)
        return 0
    from rich.table import Table

    from harness.console import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in rows[0] if rows else ():
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for row in rows:
        table.add_row(*("" if v is None else str(v) for v in row.values()))
    console().print(table)
    return 0
