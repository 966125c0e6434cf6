"""The command ``harness``: arguments in, text or JSON out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from suites.errors import UsageError

if TYPE_CHECKING:
    from suites.suite import Suite

_LISTS = ("predictors", "tasks", "metrics", "rules")


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
    except KeyboardInterrupt:
        print("harness: interrupted.", file=sys.stderr)
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

    doctor = _command(commands, "doctor", _doctor, "say what this installation can do")
    _json(doctor)

    listing = _command(commands, "list", _list, "list predictors, tasks, metrics or rules")
    listing.add_argument("what", choices=_LISTS)
    _json(listing)

    ls = _command(commands, "ls", _ls, "show what a source holds: models × scenarios, problems")
    _source_arguments(ls)
    ls.add_argument("--verify", action="store_true", help="recompute every value from responses")
    _json(ls)

    frames = _command(commands, "frames", _frames, "write a table of a source to a file")
    _source_arguments(frames, table=False)
    frames.add_argument(
        "--table",
        required=True,
        metavar="NAME",
        help="run_specs, scenario_state, stats, per_instance_stats, responses or runs",
    )
    frames.add_argument(
        "--columns",
        nargs="+",
        metavar="GLOB",
        help="only these columns; 'inspect.*' are those that Inspect logs add",
    )
    frames.add_argument("--out", required=True, metavar="FILE", help=".parquet or .csv")

    evaluate = _command(commands, "evaluate", _evaluate, "hold runs out, predict and score them")
    _source_arguments(evaluate)
    evaluate.add_argument(
        "--predictor",
        action="append",
        metavar="SPEC",
        help="a registered name, module:Class or path/file.py:Class, with settings as Name(a=1); "
        "repeatable; 'quick' for all registered that take seconds (the default), 'all' for all",
    )
    evaluate.add_argument("--task", default="heldout-run", help="a name or a YAML file")
    evaluate.add_argument("--k", metavar="K,K", help="numbers of shown responses")
    evaluate.add_argument("--folds", help="how many, or the name of folds the source prescribes")
    evaluate.add_argument("--seeds", metavar="S,S", help="seeds of the shufflings")
    evaluate.add_argument("--jobs", type=int, default=1, help="workers at a time")
    evaluate.add_argument("--timeout", type=float, default=600.0, help="seconds for each call")
    evaluate.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="CHECK",
        help="a check that predictors make of their own fits (r_hat, …; 'any' for all): targets "
        "of a fold whose fit does not pass it are failed; repeatable",
    )
    evaluate.add_argument("--isolation", default="process", help="process (default) or none")
    evaluate.add_argument("--out", required=True, metavar="DIR", help="the results folder to make")
    evaluate.add_argument("--overwrite", action="store_true", help="replace results at --out")
    _json(evaluate)
    return parser


class _Version(argparse.Action):
    """Prints the version; reading the metadata only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        from importlib.metadata import version

        print(f"benchcast {version('benchcast')}")
        parser.exit()


def _command(commands: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary.capitalize() + "."
    )
    parser.set_defaults(run=run)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _source_arguments(parser: argparse.ArgumentParser, *, table: bool = True) -> None:
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="folder, file, glob, URL or demo"
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
    for name, what in (
        ("--model", "models to keep"),
        ("--scenario", "scenarios to keep"),
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


def _read(options: argparse.Namespace) -> Suite:
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


def _say_problems(suite: Suite, said: int = 0) -> int:
    """Say aloud, on stderr, what could not be read, but for what was said; give how many."""
    problems = suite.problems.iloc[said:]
    for _, row in problems.head(5).iterrows():
        where = row["run"] if isinstance(row["run"], str) else row["file"]
        print(f"problem: {where}: {row['message']} [{row['code']}]", file=sys.stderr)
    if len(problems) > 5:
        print(f"… {len(problems)} problems; `harness ls --verify` lists them.", file=sys.stderr)
    return said + len(problems)


def _doctor(options: argparse.Namespace) -> int:
    from harness.doctor import examine

    facts = examine()
    if options.json:
        _print_json(facts)
    else:
        for section, rows in facts.items():
            print(section)
            for name, value in rows.items():
                print(f"  {name:<24} {value}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from harness.catalogue import catalogue

    rows = catalogue(options.what)
    if options.json:
        _print_json(rows)
        return 0
    from rich.table import Table

    from harness.console import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in rows[0] if rows else ():
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for row in rows:
        table.add_row(*("" if v is None else str(v) for v in row.values()))
    console().print(table)
    return 0


def _ls(options: argparse.Namespace) -> int:
    from harness.listing import listing, print_listing
    from harness.progress import Bar

    suite = _read(options)
    runs = None
    if options.verify:
        with Bar() as bar:
            runs = suite.verify(lambda done, total: bar("verifying", done, total))
    content = listing(suite, runs)
    if options.json:
        _print_json(content)
    else:
        print_listing(content)
    return 0


def _frames(options: argparse.Namespace) -> int:
    from harness.listing import write_frame

    rows, columns = write_frame(_read(options), options.table, options.columns, options.out)
    print(f"{options.out}: {rows} rows × {columns} columns", file=sys.stderr)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from harness.evaluation import evaluate
    from harness.listing import records
    from harness.progress import Bar
    from harness.spec import expand

    suite = _read(options)
    said = _say_problems(suite)
    predictors = [name for text in options.predictor or ["quick"] for name in expand(text)]
    with Bar() as bar:
        results = evaluate(
            suite,
            predictors,
            task=options.task,
            k=_numbers(options.k, "--k"),
            folds=_folds(options.folds),
            seeds=_numbers(options.seeds, "--seeds"),
            jobs=options.jobs,
            timeout=options.timeout,
            isolation=options.isolation,
            out=options.out,
            overwrite=options.overwrite,
            fail_on=options.fail_on,
            command=options.command_line,
            progress=bar,
        )
    _say_problems(suite, said)  # what came to light when the responses were read
    for note in suite.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.json:
        _print_json({"out": str(results.path), "ranking": records(results.ranking())})
        return 0
    from leaderboard.terminal import print_ranking

    print_ranking(results.ranking(), results.manifest)
    print(f"results: {results.path}")
    return 0


def _numbers(text: str | None, option: str) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise UsageError(
            f"{option} takes whole numbers with commas between, such as 0,5,20: got {text!r}."
        ) from None


def _folds(text: str | None) -> int | str | None:
    if text is None:
        return None
    return int(text) if text.lstrip("-").isdigit() else text


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


if __name__ == "__main__":
    sys.exit(main())
