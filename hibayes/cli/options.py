"""What the commands share: their options, how they end, and what they say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hibayes.cli import setup_platform
from suites.errors import UsageError

if TYPE_CHECKING:
    from hibayes.analysis_config import AnalysisConfig
    from hibayes.analysis_state import AnalysisState

__all__ = ["FAILED", "add_options", "command", "display_for", "exit_code", "read_config", "say"]

DONE, FAILED, USAGE = 0, 1, 2

_OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "config": (
        ("--config",),
        {"required": True, "metavar": "FILE", "help": "the configuration, a YAML file"},
    ),
    "out": (
        ("--out",),
        {"required": True, "metavar": "DIR", "help": "the folder that the state is saved to"},
    ),
    "analysis_state": (
        ("--analysis-state",),
        {"required": True, "metavar": "DIR", "help": "the folder of the state to go on with"},
    ),
    "no_tui": (
        ("--no-tui",),
        {"action": "store_true", "help": "accepted for scripts; there is no full-screen interface"},
    ),
    "frequent_save": (
        ("--no-frequent-save",),
        {"dest": "frequent_save", "action": "store_false",
         "help": "save at the end only, not after each model and communicator"},
    ),
    "resume": (
        ("--resume",),
        {"action": "store_true", "help": "keep the models in --out that would be fitted the same"},
    ),
    "seed": (
        ("--seed",),
        {"type": int, "metavar": "N", "help": "the seed of every model, whatever the file says"},
    ),
    "set": (
        ("--set",),
        {"action": "append", "default": [], "metavar": "KEY=VALUE",
         "help": "set one value, as in --set check.checkers.r_hat.threshold=1.05; may be repeated"},
    ),
    "dry_run": (
        ("--dry-run",),
        {"action": "store_true", "help": "say what would be done, and do nothing"},
    ),
    "fail_on": (
        ("--fail-on",),
        {"choices": ("fail", "error", "never"), "default": "error",
         "help": "exit with 1 if a check fails (fail), if a check or communicator breaks down "
         "(error, the default), or never"},
    ),
}  # fmt: skip


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add options by name."""
    for name in names:
        flags, settings = _OPTIONS[name]
        parser.add_argument(*flags, **settings)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def command(
    name: str,
    description: str,
    options: Sequence[str],
    run: Callable[[argparse.Namespace], int],
    argv: Sequence[str] | None,
) -> int:
    """Be a command of its own: read its arguments, run it, give its exit code."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    add_options(parser, *options)
    return guarded(run, parser.parse_args(argv))


def guarded(run: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Run, with one paragraph and exit code 2 for what the user can mend."""
    try:
        return run(args)
    except UsageError as err:
        if args.debug:
            raise
        sys.stderr.write(f"hibayes: {err}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write("hibayes: interrupted.\n")
        return 130


def read_config(args: argparse.Namespace) -> AnalysisConfig:
    """Read the configuration with what ``--set`` and ``--seed`` change of it."""
    from hibayes.configuration import load_yaml

    given = load_yaml(args.config)
    setup_platform(given)  # before anything imports JAX
    from hibayes.analysis_config import AnalysisConfig, named_sections, override

    settings = getattr(args, "set", None) or []
    sections = override(named_sections(given, str(args.config)), settings)
    setup_platform(sections)
    config = AnalysisConfig.from_dict(sections, where=str(args.config))
    seed = getattr(args, "seed", None)
    return config if seed is None else config.with_seed(seed)


def display_for(args: argparse.Namespace, state: AnalysisState | None = None) -> Any:
    """Give the display of a command, with the statistics of earlier stages."""
    from hibayes.ui import ModellingDisplay

    shown = getattr(args, "display", None)
    return shown or ModellingDisplay(initial_stats=state.display_stats if state else None)


def say(text: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(text + "\n")


def exit_code(state: AnalysisState, out: str | Path, fail_on: str = "error") -> int:
    """Say what a run came to, and give its exit code."""
    from hibayes.storage.results import pending, tally

    models: list[dict[str, Any]] = [
        {"model": m.model_name, "checks": m.checks} for m in state.models
    ]
    counts = tally(models, state.communications)
    said = [f"{number} {result}" for result, number in counts.items() if number]
    say(f"Saved to {out}: {len(state.data)} rows, {len(state.models)} model(s)"
        + (f"; {', '.join(said)}" if said else "") + ".")  # fmt: skip
    for model in models:
        for check in model["checks"]:
            if check["result"] in ("fail", "error"):
                message = f": {check['message']}" if check["message"] else ""
                say(f"  {model['model']}: {check['checker']} {check['result']}{message}")
    for record in state.communications:
        if record["broke_down"]:
            say(f"  {record['communicator']} error: {record['message']}")
    for item in pending(models):
        say(f"  {item['name']} waits for approval: hibayes approve {out} {item['name']}")
    errors = counts["error"] + counts["communicators broke down"]
    failed = errors + (counts["fail"] if fail_on == "fail" else 0)
    return FAILED if failed and fail_on != "never" else DONE
