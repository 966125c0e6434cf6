"""``hibayes-model``: fit models and check them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hibayes.cli.options import command, display_for, exit_code, read_config
from hibayes.cli.plan import dry_run, earlier_models, note_sections

OPTIONS = ("config", "analysis_state", "out", "no_tui", "frequent_save", "resume", "seed", "set",
           "dry_run", "fail_on")  # fmt: skip
DESCRIPTION = "Fit models to the features of an analysis state, and check the fits."


def run_model(args: argparse.Namespace) -> int:
    """Fit and check as the arguments say; give the exit code."""
    config = read_config(args)
    if dry_run(args, config, ["model", "check", "platform"]):
        return 0
    from hibayes.analysis import AnalysisState, resume_model
    from hibayes.platform import configure_computation_platform

    state, out = AnalysisState.load(Path(args.analysis_state)), Path(args.out)
    display = display_for(args, state)
    configure_computation_platform(config.platform, display, chains=config.chains())
    note_sections(state, config, ["model", "check", "platform"])
    fitted = earlier_models(out) if getattr(args, "resume", False) else []
    state = resume_model(
        state, config.models, config.checkers, config.platform, display,
        out=out, frequent_save=getattr(args, "frequent_save", True), fitted=fitted,
    )  # fmt: skip
    state.save(out, incremental=True)
    return exit_code(state, out, getattr(args, "fail_on", "error"))


def main(argv: Sequence[str] | None = None) -> int:
    """Be the command."""
    return command("hibayes-model", DESCRIPTION, OPTIONS, run_model, argv)


if __name__ == "__main__":
    sys.exit(main())
