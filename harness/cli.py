"""The command ``harness``: arguments in, text or JSON out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from harness.commands import (
    catalogue,
    check_predictor,
    compare,
    doctor,
    evaluate,
    explain_task,
    frames,
    ls,
    merge,
    predict,
    score,
    split,
)
from suites.errors import UsageError

COMMANDS = (
    doctor,
    catalogue,
    ls,
    frames,
    explain_task,
    check_predictor,
    evaluate,
    predict,
    split,
    score,
    merge,
    compare,
)
"""Modules of commands, in the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        0; 2 for what the user can mend, after one paragraph on stderr.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(arguments)
    options.command_line = ["harness", *arguments]
    try:
        return int(options.run(options) or 0)
    except UsageError as err:
        if options.debug:
            raise
        print(f"harness: {err}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as err:
        notes = getattr(err, "__notes__", ())
        print(" ".join(["harness: interrupted.", *notes]), file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness",
        description="Predict held-out evaluation runs, and rank the predictors.",
        epilog="Sources are HELM folders, Inspect logs, score tables, globs, URLs, or 'demo'.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version; reading the metadata only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        from importlib.metadata import version

        print(f"benchcast {version('benchcast')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
