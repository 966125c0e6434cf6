"""What commands share: arguments that name and select a source, numbers, JSON, problems."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from suites.errors import UsageError

if TYPE_CHECKING:
    from harness.vector_results import VectorResults
    from suites.suite import Suite

__all__ = [
    "add_command",
    "add_isolation",
    "add_json",
    "add_source_arguments",
    "folds_of",
    "numbers_of",
    "print_json",
    "read_source",
    "say_problems",
]


def add_command(commands: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    """Declare a command that `run` carries out."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary.capitalize() + "."
    )
    parser.set_defaults(run=run)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_isolation(parser: Any, *, least: bool = False) -> None:
    """Declare ``--isolation``; with `least` also ``--require-isolation``."""
    parser.add_argument(
        "--isolation",
        default="best",
        metavar="LEVEL",
        help="best (default): workers in the best jail of this machine; strong, medium or weak: "
        "in this one; process: in none; none: no workers. harness doctor explains them",
    )
    if least:
        parser.add_argument(
            "--require-isolation", metavar="LEVEL", help="stop unless it is at least this one"
        )


def add_source_arguments(
    parser: argparse.ArgumentParser,
    *,
    table: bool = True,
    by_name: bool = True,
    required: bool = True,
) -> None:
    """Declare sources, how they are read and what of them is selected.

    Parameters
    ----------
    table : bool
        Whether ``--table`` is another name of ``--table-spec``.
    by_name : bool
        Whether ``--model`` and ``--scenario`` select; a command that asks about one declares its
        own, and all runs are read.
    required : bool
        Whether there must be a source.
    """
    many = "+" if required else "*"
    parser.add_argument(
        "sources", nargs=many, metavar="SOURCE", help="folder, file, glob, URL or demo"
    )
    group = parser.add_argument_group("reading")
    names = ["--table-spec", *(["--table"] if table else [])]
    group.add_argument(
        *names, dest="table_spec", metavar="FILE", help="YAML that explains a score table"
    )
    group.add_argument("--identity", metavar="FILE", help="YAML with your own names and groups")
    group.add_argument(
        "--metrics", metavar="FILE", help="YAML with ranges and directions of your own metrics"
    )
    group.add_argument("--strict", action="store_true", help="stop at the first problem")
    group.add_argument(
        "--error-policy", default="as-logged", help="as-logged (default), exclude or incorrect"
    )
    group = parser.add_argument_group("selection")
    kept = (("--model", "models to keep"), ("--scenario", "scenarios to keep"))
    if not by_name:
        parser.set_defaults(model=[], scenario=[])
    for name, what in (
        *(kept if by_name else ()),
        ("--exclude-model", "models to leave out"),
        ("--exclude-scenario", "scenarios to leave out"),
    ):
        group.add_argument(name, action="append", default=[], metavar="GLOB", help=what)
    group.add_argument("--metric", default="main", help="main (default), a metric's name, or '*'")
    group.add_argument("--part", help="HELM's split of the instances: test, valid")
    group.add_argument("--perturbation", help="a perturbation's name, or '*' for all")
    group.add_argument("--condition", help="a condition's hash")
    group.add_argument("--min-instances", type=int, default=0, metavar="N")
    group.add_argument("--complete", action="store_true", help="drop the fewest to fill the grid")
    group.add_argument("--reruns", default="latest", help="latest (default), first, mean or all")
    group.add_argument("--unfinished", action="store_true", help="keep runs that did not finish")


def read_source(options: argparse.Namespace) -> Suite:
    """Read the sources of `add_source_arguments`."""
    from suites.reading import read
    from suites.selection import Selection

    selection = Selection(
        models=options.model,
        scenarios=options.scenario,
        exclude_models=options.exclude_model,
        exclude_scenarios=options.exclude_scenario,
        metric=options.metric,
        part=options.part,
        perturbation=options.perturbation,
        condition=options.condition,
        min_instances=options.min_instances,
        complete=options.complete,
        reruns=options.reruns,
        unfinished=options.unfinished,
    )
    suite = read(
        *options.sources,
        select=selection,
        strict=options.strict,
        identity=options.identity,
        table=options.table_spec,
        metrics=options.metrics,
        error_policy=options.error_policy,
    )
    _ = suite.entries
    return suite


def say_problems(suite: Suite | VectorResults, said: int = 0) -> int:
    """Say aloud, on stderr, what could not be read, but for what was said; give how many."""
    problems = suite.problems.iloc[said:]
    for _, row in problems.head(5).iterrows():
        where = row["run"] if isinstance(row["run"], str) else row["file"]
        print(f"problem: {where}: {row['message']} [{row['code']}]", file=sys.stderr)
    if len(problems) > 5:
        print(f"… {len(problems)} problems; `harness ls --verify` lists them.", file=sys.stderr)
    return said + len(problems)


def numbers_of(text: str | None, option: str) -> list[int] | None:
    """Read whole numbers with commas between."""
    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise UsageError(
            f"{option} takes whole numbers with commas between, such as 0,5,20: got {text!r}."
        ) from None


def folds_of(text: str | None) -> int | str | None:
    """Read how many folds, or a name of folds."""
    if text is None:
        return None
    return int(text) if text.lstrip("-").isdigit() else text


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))
