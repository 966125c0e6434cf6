"""``harness frames``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from harness.commands.common import add_command, add_source_arguments, read_source


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "frames", run, "write a table of a source to a file")
    add_source_arguments(parser, table=False)
    parser.add_argument(
        "--table",
        required=True,
        metavar="NAME",
        help="run_specs, scenario_state, stats, per_instance_stats, responses or runs",
    )
    parser.add_argument(
        "--columns",
        nargs="+",
        metavar="GLOB",
        help="only these columns; 'inspect.*' are those that Inspect logs add",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help=".parquet or .csv")


def run(options: argparse.Namespace) -> int:
    """Write a table of a source to a file."""
    from harness.listing import write_frame

    rows, columns = write_frame(read_source(options), options.table, options.columns, options.out)
    print(f"{options.out}: {rows} rows × {columns} columns", file=sys.stderr)
    return 0
