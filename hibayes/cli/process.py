"""``hibayes-process``: make features of the data."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hibayes.cli.options import command, display_for, exit_code, read_config
from hibayes.cli.plan import dry_run, note_sections

OPTIONS = ("config", "analysis_state", "out", "no_tui", "set", "dry_run", "fail_on")
DESCRIPTION = "Make a model's features of the data of an analysis state."


def run_process(args: argparse.Namespace) -> int:
    """Process as the arguments say; give the exit code."""
    config = read_config(args)
    if dry_run(args, config, ["data_process"]):
        return 0
    from hibayes.analysis import AnalysisState, process_data

    state = AnalysisState.load(Path(args.analysis_state))
    state = process_data(config.data_process, display_for(args, state), analysis_state=state)
    note_sections(state, config, ["data_process"])
    state.save(Path(args.out))
    return exit_code(state, args.out)


def main(argv: Sequence[str] | None = None) -> int:
    """Be the command."""
    return command("hibayes-process", DESCRIPTION, OPTIONS, run_process, argv)


if __name__ == "__main__":
    sys.exit(main())
