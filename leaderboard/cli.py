"""The ``leaderboard`` command: rankings of results folders, in a terminal or as a page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results import Results

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``leaderboard`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the command's name; those of the process by default.

    Returns
    -------
    int
        Exit status: 0 done, 2 something that the user can mend (one paragraph on standard error).
    """
    parser = _parser()
    args = parser.parse_args(argv)
    from suites.errors import UsageError

    try:
        args.run(args)
    except UsageError as error:
        if args.debug:
            raise
        print(f"leaderboard: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `leaderboard show … | head`: nobody reads on
        sys.stdout = None
    return 0


def _parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="leaderboard",
        description="Rank the predictors of an evaluation: a table, JSON, or a page.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("results", metavar="RESULTS", help="folder that `harness evaluate` wrote")
    common.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    commands = parser.add_subparsers(title="commands", dest="command", required=True)

    show = commands.add_parser(
        "show",
        parents=[common],
        help="print the ranking",
        description="Print the ranking at every k, with intervals and rank ranges.",
    )
    show.add_argument("--task", help="the task to rank on, where the results have several")
    show.add_argument(
        "--metric",
        help="only targets of this metric (default: all metrics with known bounds, pooled)",
    )
    show.add_argument(
        "--k", type=_ks, metavar="K[,K...]", help="only these numbers of shown responses"
    )
    show.add_argument("--json", action="store_true", help="print one JSON object instead")
    show.set_defaults(run=_show)

    build = commands.add_parser(
        "build",
        parents=[common],
        help="write a page",
        description="Write a page (index.html) that opens from a file, without a network.",
    )
    build.add_argument("--out", required=True, metavar="SITE", help="folder to write into")
    build.add_argument("--title", help="title of the page")
    build.set_defaults(run=_build)
    return parser


def _ks(text: str) -> list[int]:
    """Parse ``0,5,20``."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of whole numbers such as 0,5,20"
        ) from None


def _show(args: argparse.Namespace) -> None:
    """Print a ranking."""
    from harness.ranking import headline_rule, rank
    from leaderboard.terminal import print_ranking, ranking_document

    results = _load(args.results)
    rule = headline_rule(results.scores)
    ranking = rank(results, k=args.k, metric=args.metric, task=args.task, rule=rule)
    if args.json:
        import json

        document = ranking_document(ranking, results.manifest)
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print_ranking(ranking, results.manifest)


def _build(args: argparse.Namespace) -> None:
    """Write a page."""
    from leaderboard.page import build

    print(build(_load(args.results), args.out, title=args.title))


def _load(folder: str) -> Results:
    """Load a results folder, or say what is wrong with it."""
    from harness.results import Results
    from suites.errors import UsageError

    path = Path(folder)
    how = "write one with: harness evaluate SOURCE --predictor NAME --out " + folder
    if not path.exists():
        raise UsageError(f"there is no results folder {folder} (looked in {Path.cwd()}); {how}")
    if not path.is_dir():
        raise UsageError(f"{folder} is a file, not a results folder; {how}")
    if not (path / "manifest.json").is_file():
        raise UsageError(
            f"{folder} is not a results folder: it has no manifest.json. Name the folder that "
            f"`harness evaluate --out` was given, or {how}"
        )
    return Results.load(path)
