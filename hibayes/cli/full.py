"""``hibayes-full``: all stages, one after the other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hibayes.cli.options import command, display_for, exit_code, read_config
from hibayes.cli.plan import dry_run, earlier_models

OPTIONS = ("config", "out", "no_tui", "frequent_save", "resume", "seed", "set", "dry_run",
           "fail_on")  # fmt: skip
DESCRIPTION = "Load, process, model, check and communicate."


def run_full(args: argparse.Namespace) -> int:
    """Run all stages as the arguments say; give the exit code."""
    config = read_config(args)
    if dry_run(args, config, None):
        return 0
    from hibayes.analysis import communicate, load_data, process_data, resume_model
    from hibayes.platform import configure_computation_platform

    out, display = Path(args.out), display_for(args)
    frequent = getattr(args, "frequent_save", True)
    configure_computation_platform(config.platform, display, chains=config.chains())
    state = load_data(config.data_loader, display)
    state = process_data(config.data_process, display, analysis_state=state)
    state.configuration = config.given
    fitted = earlier_models(out) if getattr(args, "resume", False) else []
    if not fitted:  # the first save would take the fits that are to be kept
        state.save(out)
    state = resume_model(
        state, config.models, config.checkers, config.platform, display,
        out=out, frequent_save=frequent, fitted=fitted,
    )  # fmt: skip
    state.save(out, incremental=True)
    state = communicate(state, config.communicate, display, out=out, frequent_save=frequent)
    state.save(out, incremental=True)
    return exit_code(state, out, getattr(args, "fail_on", "error"))


def main(argv: Sequence[str] | None = None) -> int:
    """Be the command."""
    return command("hibayes-full", DESCRIPTION, OPTIONS, run_full, argv)


if __name__ == "__main__":
    sys.exit(main())
