"""``harness split``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from harness.commands.common import (
    add_command,
    add_json,
    add_source_arguments,
    folds_of,
    numbers_of,
    print_json,
    read_source,
    say_problems,
)


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(commands, "split", run, "write what is held out, for tools of any kind")
    add_source_arguments(parser)
    parser.add_argument("--task", default="heldout-run", help="a name or a YAML file")
    parser.add_argument("--k", metavar="K,K", help="numbers of shown responses")
    parser.add_argument("--folds", help="how many, 'each', or the name of prescribed folds")
    parser.add_argument("--seeds", metavar="S,S", help="seeds of the shufflings")
    parser.add_argument("--leaks", default="block", help="block (default), strict or report")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace a split at --out")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Write a split, and say what it holds."""
    from harness.progress import Bar
    from harness.split_folder import write_split

    suite = read_source(options)
    said = say_problems(suite)
    with Bar() as bar:
        split = write_split(
            options.sources,
            options.out,
            task=options.task,
            k=numbers_of(options.k, "--k"),
            folds=folds_of(options.folds),
            seeds=numbers_of(options.seeds, "--seeds"),
            leaks=options.leaks,
            identity=options.identity,
            table=options.table_spec,
            metrics=options.metrics,
            error_policy=options.error_policy,
            suite=suite,
            overwrite=options.overwrite,
            command=options.command_line,
            progress=bar,
        )
    say_problems(suite, said)
    manifest = split.manifest
    for note in manifest["notes"]:
        print(f"note: {note}", file=sys.stderr)
    targets = len(set(split.targets()))
    if options.json:
        kept = ("task", "k", "seeds", "units", "runs", "notes", "sha256")
        content = {"out": str(split.path), "targets": targets}
        print_json(content | {name: manifest[name] for name in kept})
        return 0
    print(
        f"split: {split.path}: {targets} targets in {len(split.units)} folds, "
        f"k = {', '.join(map(str, split.k))}; its README.md says how to answer"
    )
    return 0
