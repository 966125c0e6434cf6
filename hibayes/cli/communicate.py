"""``hibayes-communicate``, and ``hibayes-comm``: make plots and tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hibayes.cli.options import command, display_for, exit_code, read_config
from hibayes.cli.plan import dry_run, note_sections

OPTIONS = ("config", "analysis_state", "out", "no_tui", "frequent_save", "set", "dry_run",
           "fail_on")  # fmt: skip
DESCRIPTION = "Make plots and tables of the fitted models of an analysis state."


def run_communicate(args: argparse.Namespace) -> int:
    """Communicate as the arguments say; give the exit code."""
    config = read_config(args)
    if dry_run(args, config, ["communicate"]):
        return 0
    from hibayes.analysis import AnalysisState, communicate

    state, out = AnalysisState.load(Path(args.analysis_state)), Path(args.out)
    note_sections(state, config, ["communicate"])
    state = communicate(
        state, config.communicate, display_for(args, state),
        out=out, frequent_save=getattr(args, "frequent_save", True),
    )  # fmt: skip
    state.save(out, incremental=True)
    return exit_code(state, out, getattr(args, "fail_on", "error"))


def main(argv: Sequence[str] | None = None) -> int:
    """Be the command."""
    return command("hibayes-communicate", DESCRIPTION, OPTIONS, run_communicate, argv)


if __name__ == "__main__":
    sys.exit(main())
