"""`read`: from sources to a `Suite`. What a path is, is told from its content."""

from __future__ import annotations

import glob as globbing
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from suites.errors import ReadError, UsageError, unknown_name
from suites.identity import Identity
from suites.locations import is_url, list_files, manifest, require_reachable
from suites.metric_rules import MetricRules
from suites.origin import Origin
from suites.problem import Problem, ProblemLog
from suites.reader import Reader, ReadOptions, RunDescription
from suites.selection import Selection
from suites.suite import Suite

_DEMO_LOGS = {"inspect": "inspect-standin", "judges": "judge-standin"}

ERROR_POLICIES: tuple[str, ...] = ("as-logged", "exclude", "incorrect")


def read(
    *sources: Any,
    select: Selection | None = None,
    strict: bool = False,
    identity: str | Path | Identity | None = None,
    table: str | Path | Mapping[str, Any] | None = None,
    metrics: str | Path | Mapping[str, Any] | None = None,
    error_policy: str = "as-logged",
) -> Suite:
    """Read evaluation results: HELM folders, Inspect logs, score tables, mixed as you like.

    Parameters
    ----------
    *sources : str, path, HelmOutputs, HelmSuite, HelmRuns, HelmRun, InspectRuns, or lists of these
        Folders, files, globs, URLs, or a text file that lists such (``.txt``); ``"demo"``,
        ``"demo/<suite>"``, ``"demo/inspect"`` and ``"demo/judges"`` are the sets that come with
        the package.
    select : Selection, optional
        Which runs and which number of each; by default the main metric of every run.
    strict : bool
        Raise the first problem instead of listing it.
    identity : path or Identity, optional
        The user's own names of models and scenarios.
    table : path or mapping, optional
        The YAML file, or its content, that explains a score table.
    metrics : path or mapping, optional
        The YAML file, or its content, with your own facts of metrics: ranges, directions, and
        what texts count as (`suites.metric_rules.MetricRules`).
    error_policy : str
        ``as-logged``, ``exclude`` or ``incorrect``: what a failed response counts as.

    Returns
    -------
    Suite
        Its descriptions are read; its tables are read when they are asked for.

    Raises
    ------
    UsageError
        If a source does not exist or is of no known kind.
    ReadError
        Under ``strict``, the first problem.

    Examples
    --------
    >>> import suites
    >>> suites.read("demo/my-suite")
    <Suite: 4 runs, 2 models, 2 scenarios, 0 problems>
    """
    if error_policy not in ERROR_POLICIES:
        raise unknown_name("error policy", error_policy, ERROR_POLICIES)
    places = list(_flatten(sources))
    if not places:
        raise UsageError("nothing to read: name at least one folder, file or glob.")
    own = identity if isinstance(identity, Identity) else None
    options = ReadOptions(
        identity=own or (Identity.load(identity) if identity else Identity()),  # type: ignore[arg-type]
        metrics=_metric_rules(metrics),
        error_policy=error_policy,
        table=_mapping(table),
        table_path=str(table) if isinstance(table, str | Path) else None,
    )
    problems = ProblemLog(strict=strict)
    kinds = readers()
    described: list[tuple[Reader, RunDescription]] = []
    together: dict[type[Reader], list[tuple[str, str]]] = {}
    for source in places:
        for kind, path in _detect(demo_path(source), kinds):
            named = (
                source if path == demo_path(source) else path
            )  # a glob's matches name themselves
            if kind.together:
                together.setdefault(kind, []).append((named, path))
                continue
            reader = kind.open(path, options, problems.add)
            described += [(reader, replace(run, source=named)) for run in reader.runs()]
    for kind, given in together.items():
        reader = kind.open_together(given, options, problems.add)
        described += [(reader, run) for run in reader.runs()]
    origin = Origin.of(
        places, identity=identity, table=table, metrics=metrics, error_policy=error_policy
    )
    return Suite(_unique(described, problems), problems, select or Selection(), origin)


def readers() -> dict[str, type[Reader]]:
    """Give the registered readers by kind.

    Examples
    --------
    >>> sorted(readers())
    ['helm', 'inspect', 'table']
    """
    return dict(_registered())


@cache
def _registered() -> dict[str, type[Reader]]:
    # once: looking through all installed packages takes longer than reading a log
    points = sorted(entry_points(group="benchcast.readers"), key=lambda point: point.name)
    return {point.name: point.load() for point in points}


def _flatten(sources: Iterable[Any]) -> Iterable[str]:
    for source in sources:
        if isinstance(source, str | os.PathLike):
            yield os.fspath(source)
            continue
        path = getattr(source, "root_dir", None) or getattr(source, "path", None)
        if isinstance(path, str | os.PathLike):  # HelmOutputs, HelmSuite, HelmRun, InspectRun
            yield os.fspath(path)
        elif isinstance(source, Iterable):
            yield from _flatten(source)
        else:
            raise UsageError(
                f"cannot read a {type(source).__name__}: a source is a path, a glob, a HELM "
                "object, or a list of these."
            )


def demo_path(source: str) -> str:
    """Give the path of what comes with the package, when that is named; else the source."""
    name, _, suite = source.partition("/")
    if name != "demo" or os.path.exists(source):
        return source
    if suite in _DEMO_LOGS:
        from suites.demo_data import unpack

        archive = _DEMO_LOGS[suite]
        return str(unpack(archive) / archive / "logs")
    from suites.helm.objects import HelmOutputs

    outputs = HelmOutputs.demo()
    if not suite:
        return str(outputs.root_dir)
    for candidate in outputs.suites():
        if candidate.name == suite:
            return str(candidate.path)
    raise unknown_name("demo suite", suite, [*(s.name for s in outputs.suites()), *_DEMO_LOGS])


def _detect(
    source: str, kinds: Mapping[str, type[Reader]], lists: tuple[str, ...] = ()
) -> list[tuple[type[Reader], str]]:
    """Give the readers of a source and their paths; a folder may be of several kinds."""
    if is_url(source):
        require_reachable(source)  # once: each reader would wait for the server by itself
    if source.lower().endswith(".txt") and (is_url(source) or os.path.isfile(source)):
        place = source if is_url(source) else os.path.realpath(source)
        if place in lists:
            raise UsageError(f"{source}: this list of sources names itself.")
        pairs = []
        for path in manifest(source):
            try:
                pairs += _detect(demo_path(path), kinds, (*lists, place))
            except UsageError as err:
                raise UsageError(f"in the list {source}: {err}") from err
        return pairs
    accepting = [kind for kind in kinds.values() if kind.accepts(source)]
    if accepting:
        return [(kind, source) for kind in accepting]
    if is_url(source):
        raise _nothing_at(source)
    if os.path.exists(source):
        raise UsageError(
            f"{source} is of no kind that can be read: a HELM folder has runs with run_spec.json, "
            "an Inspect log is an .eval file or a .json file with the keys eval and status, a "
            "score table is a Parquet or CSV file, a YAML file with the key data, or results of "
            "lm-evaluation-harness or Every Eval Ever (.json, .jsonl, folders of them)."
        )
    found = sorted(globbing.glob(source, recursive=True)) if globbing.has_magic(source) else []
    found = [path for path in found if os.path.exists(path)]  # links may lead nowhere
    if found:
        return [pair for path in found for pair in _detect(path, kinds, lists)]
    parent = os.path.dirname(source.rstrip("/")) or "."
    near = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
    shown = unknown_name("entry", os.path.basename(source.rstrip("/")), near) if near else ""
    raise UsageError(f"there is nothing at {source}. {f'In {parent}: {shown}' if near else ''}")


def _nothing_at(url: str) -> UsageError:
    """Say why nothing can be read at a URL: what failed, or what is there."""
    try:
        there = len(list_files(url, lambda name: True))
    except OSError as err:
        return UsageError(f"{err}.")
    what = f"none of the {there} files there can be read" if there else "there is nothing there"
    return UsageError(
        f"{url}: {what}. By URL, Inspect logs (.eval, .json, folders of them) and score tables "
        "can be read."
    )


def _metric_rules(metrics: str | Path | Mapping[str, Any] | None) -> MetricRules:
    if metrics is None:
        return MetricRules()
    if isinstance(metrics, Mapping):
        return MetricRules.parse(metrics, "metrics")
    return MetricRules.load(metrics)


def _mapping(table: str | Path | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if table is None or isinstance(table, Mapping):
        return table
    import yaml

    try:
        raw = yaml.safe_load(Path(table).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise UsageError(f"cannot read the table description {table}: {err}") from err
    if not isinstance(raw, dict):
        raise UsageError(f"{table}: expected a mapping of keys such as columns, layout, metric.")
    return raw


def _unique(
    described: list[tuple[Reader, RunDescription]], problems: ProblemLog
) -> list[tuple[Reader, RunDescription]]:
    """Drop a run that was named twice; tell apart runs of one id from different places."""
    places: dict[str, set[tuple[str, str]]] = {}
    once: dict[tuple[str, str, str], tuple[Reader, RunDescription]] = {}
    for reader, run in described:
        place = (run.location if is_url(run.location) else os.path.realpath(run.location), run.run)
        if (*place, run.kind) in once:
            problems.add(
                Problem(
                    run.source,
                    run.run,
                    None,
                    None,
                    "duplicate-run",
                    "the same run is named twice; it is read once",
                )
            )
            continue
        once[(*place, run.kind)] = (reader, run)
        places.setdefault(run.run, set()).add(place)
    return [
        (reader, run)
        if len(places[run.run]) == 1
        else (reader, replace(run, run=f"{run.source.rstrip('/')}::{run.run}"))
        for reader, run in once.values()
    ]


__all__ = ["ERROR_POLICIES", "ReadError", "read", "readers"]
