"""``harness ls``."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.common import (
    add_command,
    add_json,
    add_source_arguments,
    print_json,
    read_source,
)


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(
        commands, "ls", run, "show what a source holds: models × scenarios, problems"
    )
    add_source_arguments(parser)
    parser.add_argument(
        "--verify", action="store_true", help="recompute every value from responses"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Show what a source holds."""
    from harness.listing import listing, print_listing
    from harness.progress import Bar

    suite = read_source(options)
    runs = None
    if options.verify:
        with Bar() as bar:
            runs = suite.verify(lambda done, total: bar("verifying", done, total))
    content = listing(suite, runs)
    if options.json:
        print_json(content)
    else:
        print_listing(content)
    return 0
