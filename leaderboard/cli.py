"""The ``leaderboard`` command: rankings of results folders, in a terminal or as a page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results import Results
    from harness.vector_results import VectorResults

__all__ = ["FORMATS", "main"]

FORMATS = ("html", "md", "png", "svg")
"""What `build` writes: pages, a table for a README, figures for papers."""


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
        description="Rank the predictors of an evaluation: a table, JSON, or a page. Of results "
        "on several tasks, the headline sets the tasks side by side.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("results", metavar="RESULTS", help="folder that `harness evaluate` wrote")
    common.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    commands = parser.add_subparsers(title="commands", dest="command", required=True)

    show = commands.add_parser(
        "show",
        parents=[common],
        help="print the ranking",
        description="Print the ranking at every k, with intervals and rank sets; of results on "
        "several tasks the headline, at the smallest k of each.",
    )
    show.add_argument("--task", help="the task to rank on, where the results have several")
    show.add_argument(
        "--by",
        metavar="GROUP",
        help="also the mean losses by closest (relative), scenario, model, organisation, family or "
        "k",
    )
    show.add_argument(
        "--metric",
        help="only targets of this metric (default: all metrics with known bounds, pooled)",
    )
    show.add_argument(
        "--k", type=_ks, metavar="K[,K...]", help="only these numbers of shown responses"
    )
    show.add_argument(
        "--joint",
        action="store_true",
        help="also how predictions of several runs hold together, of all metrics: energy score, "
        "pairwise Brier, Kendall τ",
    )
    show.add_argument("--json", action="store_true", help="print one JSON object instead")
    show.set_defaults(run=_show)

    build = commands.add_parser(
        "build",
        parents=[common],
        help="write pages, or a table or figure for yours",
        description="Write pages (index.html) that open from a file, without a network; or the "
        "ranking as a Markdown table, or as a figure for paper.",
    )
    build.add_argument(
        "--out",
        metavar="SITE",
        help="folder to write the pages into; of other formats the file (Markdown is printed "
        "without it)",
    )
    build.add_argument(
        "--format", choices=FORMATS, default="html", help="what to write (default: html)"
    )
    build.add_argument("--task", help="of results on several tasks, the one to write")
    build.add_argument(
        "--k",
        type=_ks,
        metavar="K[,K...]",
        help="of Markdown only these numbers of shown responses; of a figure the one (default: "
        "the smallest)",
    )
    build.add_argument("--title", help="title of the page")
    build.set_defaults(run=_build)

    from leaderboard.submit import add_submit

    add_submit(commands, common)
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
    """Print a ranking, or the headline of several tasks."""
    from harness.results import Results

    results = _load(args.results)
    if args.by is not None:
        from leaderboard.groups import check_grouping

        check_grouping(args.by)
    if isinstance(results, Results):
        _show_one(results, args, args.task)
    elif args.task is not None:
        _show_one(results.results[results.entry(args.task).folder], args, None)
    else:
        _show_several(results, args)


def _show_one(results: Results, args: argparse.Namespace, task: str | None) -> None:
    """Print the ranking of one task."""
    from harness.ranking import headline_rule, rank
    from leaderboard.terminal import print_ranking, ranking_document

    rule = headline_rule(results.scores)
    ranking = rank(results, k=args.k, metric=args.metric, task=task, rule=rule)
    if args.json:
        document = ranking_document(ranking, results.manifest)
        _print_json({**document, **_joint(results, args.k), **_groups(results, args, task)})
        return
    print_ranking(ranking, results.manifest)
    if args.joint and len(ranking):
        _print_joint(results, [int(k) for k in ranking["k"].unique()])
    if args.by is not None and len(ranking):
        ks = [int(k) for k in ranking["k"].unique()]
        _print_groups(results, args, ks if args.k is not None or args.by == "k" else ks[:1], task)


def _show_several(results: VectorResults, args: argparse.Namespace) -> None:
    """Print the headline of several tasks."""
    from leaderboard import words
    from leaderboard.headline import headline_document, headline_of, print_headline
    from suites.errors import UsageError

    if args.k is not None and len(args.k) > 1:
        raise UsageError("the headline shows one k: give --k one number, or choose a task (--task)")
    k = None if args.k is None else args.k[0]
    if args.json:
        groups = {
            f: {**_joint(one), **_groups(one, args, None)} for f, one in results.results.items()
        }
        document = headline_document(results, k, args.metric)
        for folder, more in groups.items():
            document["rankings"][folder] |= more
        _print_json(document)
        return
    print_headline(results, k, args.metric)
    if args.by is None and not args.joint:
        return
    for column in headline_of(results, results.rankings(args.metric), k).columns:
        if column.k is not None:
            print(f"\n{words.clean(column.entry.heading)}")
            one = results.results[column.entry.folder]
            if args.joint:
                _print_joint(one, [column.k])
            if args.by is not None:
                _print_groups(one, args, column.ks if args.by == "k" else [column.k], None)


def _joint(results: Results, ks: Sequence[int] | None = None) -> dict[str, object]:
    """Give the scores of several targets together as JSON knows them."""
    from harness.joint_ranking import joint_summary
    from leaderboard.terminal import plain

    return {"joint": [plain(row) for row in joint_summary(results, k=ks).to_dict("records")]}


def _print_joint(results: Results, ks: Sequence[int]) -> None:
    """Print the scores of several targets together; of many k, the smallest."""
    from harness.joint_ranking import joint_summary
    from leaderboard.joint import print_joint
    from leaderboard.terminal import FULL_TABLES, new_console

    shown = ks if len(ks) <= FULL_TABLES else ks[:1]
    console = new_console()
    console.print()
    print_joint(joint_summary(results, k=shown), shown, results.manifest.get("reference"), console)
    if len(shown) < len(ks):
        console.print("Another k: leaderboard show … --joint --k K")


def _groups(results: Results, args: argparse.Namespace, task: str | None) -> dict[str, object]:
    """Give the losses by group as JSON knows them; nothing where they are not asked for."""
    if args.by is None:
        return {}
    from harness.ranking import headline_rule
    from leaderboard.groups import grouped
    from leaderboard.terminal import plain

    rule = headline_rule(results.scores)
    table = grouped(results, args.by, metric=args.metric, rule=rule, task=task)
    return {"by": args.by, "groups": [plain(row) for row in table.to_dict("records")]}


def _print_groups(
    results: Results, args: argparse.Namespace, ks: Sequence[int], task: str | None
) -> None:
    """Print the losses by group at some k, predictors in the order of the ranking."""
    from harness.ranking import headline_rule, rank
    from leaderboard import words
    from leaderboard.groups import group_tables, grouped
    from leaderboard.terminal import new_console

    rule = headline_rule(results.scores)
    table = grouped(results, args.by, k=ks, metric=args.metric, rule=rule, task=task)
    console = new_console()
    if table.empty:
        console.print(f"Nothing is known by {args.by}.", markup=False)
        return
    ranking = rank(results, k=ks, metric=args.metric, rule=rule, task=task)
    places = {name: place for place, name in enumerate(dict.fromkeys(ranking["predictor"]))}
    table = table.sort_values("predictor", key=lambda names: names.map(places), kind="stable")
    unit, of = str(ranking["unit"].iloc[0]), words.targets_word(words.of_responses(ranking)) + "s"
    for title, made in group_tables(table, args.by, unit, rule, console.width, of):
        console.print()
        console.print(title, style="bold", markup=False)
        console.print(made)


def _print_json(document: object) -> None:
    """Print JSON that any reader takes."""
    import json

    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _build(args: argparse.Namespace) -> None:
    """Write pages, a table or a figure."""
    from harness.results import Results
    from suites.errors import UsageError

    results = _load(args.results)
    if args.task is not None and not isinstance(results, Results):
        results = results.results[results.entry(args.task).folder]
    if args.format == "html":
        if args.out is None:
            raise UsageError("name a folder to write the pages into: --out SITE")
        if args.k is not None:
            raise UsageError("pages show every k: --k is for --format md, png or svg")
        _build_pages(results, args)
    elif args.format == "md":
        _build_markdown(results, args)
    else:
        _build_figure(results, args)


def _build_pages(results: Results | VectorResults, args: argparse.Namespace) -> None:
    """Write the pages of a task, or of several and one that sets them side by side."""
    from harness.results import Results

    if isinstance(results, Results):
        from leaderboard.page import build

        print(build(results, args.out, title=args.title))
    else:
        from leaderboard.site import build_site

        print(build_site(results, args.out, title=args.title))


def _build_markdown(results: Results | VectorResults, args: argparse.Namespace) -> None:
    """Print or write the ranking, or the headline of several tasks, as Markdown."""
    from harness.ranking import headline_rule, rank
    from harness.results import Results
    from leaderboard.export import headline_markdown, ranking_markdown
    from suites.errors import UsageError

    if isinstance(results, Results):
        rule = headline_rule(results.scores)
        ranking = rank(results, k=args.k, rule=rule, task=args.task)
        text = ranking_markdown(ranking, results.manifest)
    elif args.k is not None and len(args.k) > 1:
        raise UsageError("the headline shows one k: give --k one number, or choose a task (--task)")
    else:
        text = headline_markdown(results, None if args.k is None else args.k[0])
    if args.out is None:
        print(text, end="")
    else:
        _write(Path(args.out), text.encode("utf-8"))


def _build_figure(results: Results | VectorResults, args: argparse.Namespace) -> None:
    """Write the figure of a ranking at one k."""
    from harness.ranking import headline_rule, rank
    from harness.results import Results
    from leaderboard.export import ranking_image
    from suites.errors import UsageError

    if not isinstance(results, Results):
        named = ", ".join(entry.folder for entry in results.entries if entry.evaluated)
        raise UsageError(f"a figure is of one task: choose it with --task ({named})")
    if args.out is None:
        raise UsageError(f"name a file to write the figure into: --out ranking.{args.format}")
    if args.k is not None and len(args.k) > 1:
        raise UsageError("a figure is of one k: give --k one number")
    rule = headline_rule(results.scores)
    ranking = rank(results, k=args.k, rule=rule)
    ranking = ranking[ranking["k"] == ranking["k"].min()]
    _write(Path(args.out), ranking_image(ranking, results.manifest, args.format))


def _write(path: Path, content: bytes) -> None:
    """Write a file, and print where it is."""
    from leaderboard.files import write_bytes
    from suites.errors import UsageError

    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
    print(path)


def _load(folder: str) -> Results | VectorResults:
    """Load a results folder, of one task or of several, or say what is wrong with it."""
    from harness.results import Results
    from harness.vector_results import VectorResults, is_vector
    from suites.errors import UsageError

    path = Path(folder)
    how = "write one with: harness evaluate SOURCE --predictor NAME --out " + folder
    if not path.exists():
        raise UsageError(f"there is no results folder {folder} (looked in {Path.cwd()}); {how}")
    if not path.is_dir():
        raise UsageError(f"{folder} is a file, not a results folder; {how}")
    if is_vector(path):
        return VectorResults.load(path)
    if not (path / "manifest.json").is_file():
        raise UsageError(
            f"{folder} is not a results folder: it has no manifest.json. Name the folder that "
            f"`harness evaluate --out` was given, or {how}"
        )
    return Results.load(path)
