"""``harness evaluate``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from harness.commands.common import (
    add_command,
    add_isolation,
    add_json,
    add_source_arguments,
    folds_of,
    numbers_of,
    print_json,
    read_source,
    say_problems,
)

if TYPE_CHECKING:
    from harness.results import Results
    from harness.vector_results import VectorResults


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "evaluate", run, "hold runs out, predict and score them")
    add_source_arguments(parser)
    parser.add_argument(
        "--predictor",
        action="append",
        metavar="SPEC",
        help="a registered name, module:Class or path/file.py:Class, with settings as Name(a=1); "
        "repeatable; 'quick' for all registered that take seconds (the default), 'all' for all",
    )
    parser.add_argument(
        "--task",
        action="append",
        metavar="TASK",
        help="a name or a YAML file (default: heldout-run); 'all' for the tasks of a fair "
        "headline, from held-out runs to the next release; repeatable: then --out holds results "
        "for each",
    )
    parser.add_argument("--k", metavar="K,K", help="numbers of shown responses")
    parser.add_argument("--folds", help="how many, or the name of folds the source prescribes")
    parser.add_argument("--seeds", metavar="S,S", help="seeds of the shufflings")
    parser.add_argument("--jobs", type=int, default=1, help="workers at a time")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each call")
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="CHECK",
        help="a check that predictors make of their own fits (r_hat, …; 'any' for all): targets "
        "of a fold whose fit does not pass it are failed; repeatable",
    )
    parser.add_argument(
        "--leaks",
        default="block",
        help="block (default): what is the same under two names is held out together; strict: "
        "near-duplicate models too; report: neither",
    )
    add_isolation(parser, least=True)
    parser.add_argument("--out", required=True, metavar="DIR", help="the results folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace results at --out")
    parser.add_argument(
        "--only-failed",
        action="store_true",
        help="evaluate the predictors of the results at --out again that failed on some target, "
        "and keep the others; with --predictor: only those named",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate, and print the ranking."""
    from harness.evaluation import evaluate
    from harness.mending import evaluate_failed
    from harness.progress import Bar
    from harness.spec import expand
    from harness.task import Task, load_task
    from harness.vector import evaluate_all, tasks_named
    from suites.errors import UsageError

    tasks = tasks_named(options.task or ["heldout-run"])
    if options.only_failed and len(tasks) > 1:
        raise UsageError("--only-failed mends the results of one task: name its --task and --out.")
    suite = read_source(options)
    said = say_problems(suite)
    asked = {
        task.predicts if isinstance(task, Task) else load_task(task).predicts for task, _ in tasks
    }
    given = options.predictor or ["quick"]
    predictors = [name for text in given for name in expand(text, asked)]
    with Bar() as bar:
        common: dict[str, Any] = {
            "k": numbers_of(options.k, "--k"),
            "folds": folds_of(options.folds),
            "seeds": numbers_of(options.seeds, "--seeds"),
            "jobs": options.jobs,
            "timeout": options.timeout,
            "isolation": options.isolation,
            "require_isolation": options.require_isolation,
            "fail_on": options.fail_on,
            "leaks": options.leaks,
            "command": options.command_line,
            "progress": bar,
        }
        place: dict[str, Any] = {"out": options.out, "overwrite": options.overwrite}
        if len(tasks) > 1:
            recipes = [task for task, _ in tasks]
            several = evaluate_all(suite, predictors, tasks=recipes, **common, **place)
        elif options.only_failed:
            named = predictors if options.predictor else ()
            results = evaluate_failed(suite, options.out, named, task=tasks[0][0], **common)
        else:
            results = evaluate(suite, predictors, task=tasks[0][0], **common, **place)
    if len(tasks) > 1:
        say_problems(several, said)
        return show_several(several, options.json)
    say_problems(suite, said)  # what came to light when the responses were read
    return show(results, options.json)


def show(results: Results, as_json: bool) -> int:
    """Print the ranking, and what was decided on the way."""
    from harness.listing import records

    for note in results.manifest["notes"]:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json({"out": str(results.path), "ranking": records(results.ranking())})
        return 0
    from leaderboard.terminal import print_ranking

    print_ranking(results.ranking(), results.manifest)
    print(f"results: {results.path}")
    return 0


def show_several(results: VectorResults, as_json: bool) -> int:
    """Print the headline of several tasks, and what was decided on the way."""
    from leaderboard.headline import headline_document, print_headline

    notes = [note for one in results.results.values() for note in one.manifest["notes"]]
    for note in dict.fromkeys(notes):
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json({"out": str(results.path), **headline_document(results)})
        return 0
    print_headline(results)
    print(f"results: {results.path}")
    return 0
