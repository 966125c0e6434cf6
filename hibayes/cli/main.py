"""``hibayes``: one command with a subcommand for each stage, and for looking at configurations."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hibayes.cli import communicate, full, load, model, process
from hibayes.cli.options import add_options, guarded, read_config, say
from hibayes.cli.plan import explained, missing_files, plan
from suites.errors import UsageError

_STAGES: dict[str, tuple[Any, Callable[[argparse.Namespace], int]]] = {
    "load": (load, load.run_load),
    "process": (process, process.run_process),
    "model": (model, model.run_model),
    "communicate": (communicate, communicate.run_communicate),
    "full": (full, full.run_full),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Be the command."""
    parser = argparse.ArgumentParser(
        prog="hibayes", description="Bayesian analysis of evaluation results, by stages."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, run) in _STAGES.items():
        one = commands.add_parser(
            name,
            help=module.DESCRIPTION,
            description=module.DESCRIPTION,
            aliases=["comm"] if name == "communicate" else [],
        )
        add_options(one, *module.OPTIONS)
        one.set_defaults(run=run)
    _add_tools(commands)
    args = parser.parse_args(argv)
    return guarded(args.run, args)


def _add_tools(commands: Any) -> None:
    for name, run, words in (
        ("validate", run_validate, "Say whether a configuration can be run."),
        ("explain", run_explain, "Say what a configuration would do, with all defaults."),
    ):
        one = commands.add_parser(name, help=words, description=words)
        one.add_argument("config", metavar="FILE", help="the configuration, a YAML file")
        one.add_argument("--json", action="store_true", help="write JSON")
        add_options(one, "set", "seed")
        one.set_defaults(run=run)
    words = "List sections, keys, components and their arguments, as JSON."
    one = commands.add_parser("schema", help=words, description=words)
    one.add_argument("--path", action="append", default=[], metavar="FILE",
                     help="a Python file with components of your own; may be repeated")  # fmt: skip
    add_options(one)
    one.set_defaults(run=run_schema)
    words = "Answer a question that a check left, as for a prior predictive plot."
    one = commands.add_parser("approve", help=words, description=words)
    one.add_argument("out", metavar="OUT", help="the folder of the state")
    one.add_argument("name", metavar="NAME", nargs="?",
                     help="model/checker, or the checker where one model waits; "
                     "without it, what waits is listed")  # fmt: skip
    one.add_argument("--reject", action="store_true", help="the check fails")
    add_options(one)
    one.set_defaults(run=run_approve)


def run_validate(args: argparse.Namespace) -> int:
    """Read a configuration, and look for the files that it names."""
    config = read_config(args)
    missing = missing_files(config)
    if missing:
        raise UsageError(f"{args.config}: data_loader: there is no {', '.join(missing)}.")
    found = plan(config)
    models = [item["name"] + (item["config"].get("tag") or "") for item in found["model"]["models"]]
    if args.json:
        say(json.dumps({"valid": True, "models": models}))
    else:
        say(f"{args.config} can be run; models: {', '.join(models) or 'none'}.")
    return 0


def run_explain(args: argparse.Namespace) -> int:
    """Write out what a configuration would do."""
    found = plan(read_config(args))
    say(json.dumps(found, indent=2, default=str) if args.json else explained(found))
    return 0


def run_schema(args: argparse.Namespace) -> int:
    """Write out what a configuration can hold."""
    from hibayes.cli.schema import schema
    from hibayes.configuration import import_paths

    import_paths(args.path)
    say(json.dumps(schema(), indent=2, default=str))
    return 0


def run_approve(args: argparse.Namespace) -> int:
    """Answer a question that a check left, or list those that wait."""
    from hibayes.storage import approve, waiting

    if args.name is None:
        items = waiting(Path(args.out))
        for item in items:
            say(f"{item['name']}: {' '.join(item['questions'])}")
        if not items:
            say("Nothing waits for approval.")
        return 0
    record = approve(Path(args.out), args.name, accepted=not args.reject)
    say(f"{record['checker']}: {record['result']}.")
    return 0


def _version() -> str:
    from importlib import metadata

    try:
        return f"hibayes of benchcast {metadata.version('benchcast')}"
    except metadata.PackageNotFoundError:
        return "hibayes of benchcast"


if __name__ == "__main__":
    sys.exit(main())
