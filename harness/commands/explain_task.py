"""``harness explain-task``."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.common import (
    add_command,
    add_json,
    add_source_arguments,
    folds_of,
    numbers_of,
    print_json,
    read_source,
)


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(
        commands, "explain-task", run, "say what a task would hold out of a source, and what leaks"
    )
    parser.add_argument("task", metavar="TASK", help="a name, with settings as name(key=value)")
    add_source_arguments(parser)
    parser.add_argument("--folds", help="how many, 'each', or the name of prescribed folds")
    parser.add_argument("--seeds", metavar="S,S", help="seeds of the shufflings")
    parser.add_argument("--leaks", default="block", help="block (default), strict or report")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Explain a task on a source."""
    import tempfile
    from pathlib import Path

    from harness.evaluation import LEAKS, selected
    from harness.explanation import explain
    from harness.held_out import HeldOut
    from harness.progress import Bar
    from harness.task import load_task
    from suites.errors import unknown_name
    from suites.suite import require_runs

    task = load_task(options.task)
    if options.leaks not in LEAKS:
        raise unknown_name("treatment of leaks", options.leaks, LEAKS)
    folds = folds_of(options.folds)
    seeds = numbers_of(options.seeds, "--seeds") or list(task.seeds)
    suite = selected(read_source(options), task)
    require_runs(suite, "explain")
    with tempfile.TemporaryDirectory(prefix="benchcast-") as folder:
        with Bar() as bar:
            held = HeldOut(
                suite,
                Path(folder) / "work",
                frames=False,
                progress=lambda done, total: bar("reading", done, total),
            )
        made = held.folds(task, task.folds if folds is None else folds, seeds, leaks=options.leaks)
        content = explain(task, held, made, options.leaks)
    content["notes"] = list(suite.notes)
    if options.json:
        print_json(content)
    else:
        _print(content)
    return 0


def _print(content: dict[str, Any]) -> None:
    print(f"{content['task'].pop('name')}: {content['task'].pop('summary')}")
    for name, value in (*content["task"].items(), *content["held_out"].items()):
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        print(f"  {name:<22} {text}")
    left = content["left_out"]
    if left["why"]:
        print(f"  {'left out':<22} {left['runs']} runs: {left['why']}")
    together = content["together"]
    print(f"The same under two names ({together['treatment']}):")
    for finding in together["findings"]:
        print(f"  {' = '.join(finding['members'])}: {finding['rule']}, {finding['evidence']}")
    if not together["findings"]:
        print("  nothing found")
    print("What could still be learned from:")
    for line in content["remaining"]:
        print(f"  - {line}")
    for note in content["notes"]:
        print(f"note: {note}")
