"""``hibayes-load``: read the data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hibayes.cli.options import command, display_for, exit_code, read_config
from hibayes.cli.plan import dry_run

OPTIONS = ("config", "out", "no_tui", "set", "dry_run", "fail_on")
DESCRIPTION = "Read evaluation logs, or tables, into an analysis state."


def run_load(args: argparse.Namespace) -> int:
    """Load as the arguments say; give the exit code."""
    config = read_config(args)
    if dry_run(args, config, ["data_loader"]):
        return 0
    from hibayes.analysis import load_data

    state = load_data(config.data_loader, display_for(args))
    state.configuration = {"data_loader": config.given.get("data_loader")}
    state.save(Path(args.out))
    return exit_code(state, args.out)


def main(argv: Sequence[str] | None = None) -> int:
    """Be the command."""
    return command("hibayes-load", DESCRIPTION, OPTIONS, run_load, argv)


if __name__ == "__main__":
    sys.exit(main())
