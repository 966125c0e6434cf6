"""The reader of HELM folders: run_spec.json and stats.json first, answers on request.

HELM itself is not needed. Who and what a run is of is read from its run spec, never from the name
of a folder.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from suites.errors import UsageError, unknown_name
from suites.helm.folders import (
    absolute,
    expand,
    folders_in,
    is_release,
    is_run_like,
    without_links,
)
from suites.helm.main_metric import BY_GROUP, HelmSchema, main_metric
from suites.helm.objects import HelmRun, HelmSuite, suites_at
from suites.helm.structs import (
    AdapterSpec,
    HelmFileError,
    LightRecord,
    LightStat,
    decode_light,
    load_json,
    read_bytes,
)
from suites.helm.texts import hashes_of
from suites.identity import argument_text, canonical_json, condition_of, plain_numbers
from suites.metrics import known_metric
from suites.problem import Problem
from suites.reader import Figure, Reader, ReadOptions, RunDescription
from suites.schema import responses_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_FRAME = {
    "run_specs": "run_spec",
    "run_spec": "run_spec",
    "scenario_state": "scenario_state",
    "stats": "stats",
    "per_instance_stats": "per_instance_stats",
}
"""The names of frames (a split's, and HELM's own) → HELM's file."""

NOT_CONDITION = frozenset({"model", "model_deployment", "max_eval_instances"})
"""Fields of an adapter spec that say who answered or how many questions, not how it was asked."""


# ---------- identity


def scenario_base(class_name: str, groups: Collection[str] = ()) -> str:
    """Name a scenario class in a way that is readable and stable.

    HELM's own classes take the name of their module, or of the class where the two differ: no two
    share one. A class from elsewhere takes its own name when the run's groups confirm it and HELM
    has no group of that name; else it carries its module behind ``@``.

    Parameters
    ----------
    class_name : str
        ``scenario_spec.class_name``.
    groups : collection of str
        ``run_spec.groups``.

    Examples
    --------
    >>> scenario_base("helm.benchmark.scenarios.mmlu_scenario.MMLUScenario")
    'mmlu'
    >>> scenario_base("helm.benchmark.scenarios.simple_scenarios.SimpleMCQAScenario")
    'simple_mcqa'
    >>> scenario_base("my_tests.MMLUScenario")
    'mmlu@my_tests'
    >>> scenario_base("my_tests.RiddlesScenario", groups=["riddles"])
    'riddles'
    """
    module, _, class_ = class_name.rpartition(".")
    own = re.sub(r"_?Scenario$", "", class_) or class_
    name = _snake(own) if own != class_ else class_
    if not module.startswith("helm.benchmark.scenarios."):
        plain = not module or (name in groups and name not in BY_GROUP)
        return name if plain else f"{name}@{module}"
    base = re.sub(r"_scenarios?$", "", module.rpartition(".")[2])
    if own == class_:
        return name
    return base if base.replace("_", "") == name.replace("_", "").lower() else name


def _snake(name: str) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", name)
    return re.sub("_+", "_", name).strip("_").lower()


def scenario_label(class_name: str, args: Mapping[str, Any], groups: Collection[str] = ()) -> str:
    """Name a scenario with its arguments, in one way only.

    Parameters
    ----------
    class_name, args : str, mapping
        ``scenario_spec``. Arguments that are null are as if they were not there.
    groups : collection of str
        ``run_spec.groups``; see `scenario_base`.

    Examples
    --------
    >>> cls = "helm.benchmark.scenarios.math_scenario.MATHScenario"
    >>> scenario_label(cls, {"subject": "algebra", "level": 1, "use_chain_of_thought": True})
    'math:level=1,subject=algebra,use_chain_of_thought=True'
    """
    given = {str(k): v for k, v in args.items() if v is not None}
    base = scenario_base(class_name, groups)
    if not given:
        return base
    return f"{base}:" + ",".join(f"{k}={argument_text(given[k])}" for k in sorted(given))


_DEFAULTS: dict[str, Any] = {
    k: v for k, v in msgspec.structs.asdict(AdapterSpec()).items() if v is not None and k != "extra"
}


def condition_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Say how a run was asked: its adapter spec and its perturbations.

    Who answered and how many questions are no part of it. Fields that the version of HELM that
    wrote the file did not know have their default, so the same condition is equal over versions.

    Parameters
    ----------
    spec : mapping
        A run_spec.json.

    Examples
    --------
    >>> old = {"adapter_spec": {"model": "a/b", "max_train_instances": 5}}
    >>> new = {"adapter_spec": {"model": "a/c", "max_train_instances": 5, "num_trials": 1}}
    >>> condition_fields(old) == condition_fields(new)
    True
    """
    adapter = {k: v for k, v in (spec.get("adapter_spec") or {}).items() if v is not None}
    fields = {**_DEFAULTS, **adapter}
    specs = (spec.get("data_augmenter_spec") or {}).get("perturbation_specs") or []
    fields["perturbation_specs"] = [
        {"class_name": s.get("class_name"), "args": s.get("args") or {}} for s in specs
    ]
    return {k: plain_numbers(fields[k]) for k in sorted(fields) if k not in NOT_CONDITION}


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort names as people do: v2 before v10.

    Examples
    --------
    >>> sorted(["v1.10.0", "v1.9.0", "v1"], key=natural_key)
    ['v1', 'v1.9.0', 'v1.10.0']
    """
    words = re.split(r"(\d+)", name)
    return tuple((0, int(w), "") if w.isdigit() else (1, 0, w) for w in words if w)


# instance, trial, sub-part, perturbation, metric (the key), part, value, weight
_Row = tuple[str, int, str | None, str | None, str, str | None, float | None, float]


# ---------- what a source is


@dataclass
class _Suite:
    """A suite folder and which of its runs are wanted."""

    path: Path
    label: str = ""
    folders: list[Path] = field(default_factory=list)
    releases: list[Path] = field(default_factory=list)  # by which the runs were named


@dataclass
class _Found:
    suites: list[_Suite]
    missing: list[tuple[Path, str]]  # (release, run name)


def _discover(source: str) -> _Found:
    suites: dict[Path, _Suite] = {}
    missing: list[tuple[Path, str]] = []

    def add(folder: Path, release: Path | None = None) -> None:
        at = absolute(folder).parent
        suite = suites.setdefault(at, _Suite(at))
        if folder not in suite.folders:
            suite.folders.append(folder)
        if release is not None and release not in suite.releases:
            suite.releases.append(release)

    for path in expand(source):
        if path.name == "run_spec.json" and path.is_file():
            path = path.parent
        if path.is_dir() and is_run_like(path):
            add(path)
            continue
        for place in suites_at(path):
            if is_release(place):
                for name, folder in sorted(HelmSuite(place).release_runs().items()):
                    if folder is None:
                        missing.append((place, name))
                    else:
                        add(folder, place)
            else:
                for folder in without_links(folders_in(place)):
                    if is_run_like(folder) or ":" in folder.name:
                        add(folder)
    found = [suites[at] for at in sorted(suites, key=str)]
    _label(found)
    return _Found(found, missing)


def _label(suites: list[_Suite]) -> None:
    """Name suites by their folder, with as much of the path before it as tells them apart."""
    names = [s.path.name for s in suites]
    for suite in suites:
        suite.label = suite.path.name
        if names.count(suite.path.name) > 1:
            common = os.path.commonpath([s.path for s in suites if s.path.name == suite.path.name])
            suite.label = os.path.relpath(suite.path, common)


# ---------- the reader


class HelmReader(Reader):
    """Reads HELM folders: outputs, suites, releases, single runs, globs of them.

    Parameters
    ----------
    source : str
        As the user named it.
    options : ReadOptions
        What the user asked of all readers.
    report : callable
        Is given every problem.

    Examples
    --------
    >>> from suites.helm.objects import HelmOutputs
    >>> source = str(HelmOutputs.demo().suites()[0].path)
    >>> reader = HelmReader.open(source, ReadOptions(), print)
    >>> run = next(reader.runs())
    >>> run.model, run.scenario, run.main[:2]
    ('fir/fir-1b', 'mmlu:subject=anatomy', ('exact_match', 'test'))
    >>> reader.responses(run, {"exact_match"}).num_rows
    7
    """

    kind: ClassVar[str] = "helm"

    def __init__(self, source: str, options: ReadOptions, report: Callable[[Problem], None]):
        self.source = source
        self.options = options
        self._report = report
        self._found = _Found([], [])
        self._perturbations: dict[bytes, str | None] = {}
        self._releases: dict[Path, list[tuple[tuple[Any, ...], Mapping[str, Any]]]] = {}
        self._schemas: dict[Path, HelmSchema | None] = {}

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Say whether there are runs of HELM at the source (complete or not). Never raises."""
        try:
            for path in expand(source):
                if path.name == "run_spec.json" or is_run_like(path):
                    return True
                for place in suites_at(path):
                    if is_release(place) or any(map(is_run_like, folders_in(place))):
                        return True
        except Exception:
            return False
        return False

    @classmethod
    def open(
        cls, source: str, options: ReadOptions, report: Callable[[Problem], None]
    ) -> HelmReader:
        """Open a source.

        Raises
        ------
        UsageError
            If there is nothing at it, or no run.
        """
        reader = cls(source, options, report)
        reader._found = _discover(source)
        for release, name in reader._found.missing:
            reader._problem(
                name,
                release / "runs_to_run_suites.json",
                "missing-run",
                f"release {release.name} names a run that is not there",
                "download or copy the run's folder into its suite",
            )
        if not reader._found.suites:
            raise UsageError(
                f"{source} has no runs of HELM: folders with run_spec.json and stats.json."
            )
        return reader

    # ---------- descriptions

    def runs(self) -> Iterator[RunDescription]:
        """Describe the runs, by suite and folder; what is broken is reported and left out."""
        for suite in self._found.suites:
            schema = self._schema(suite)
            seen: dict[str, Path] = {}
            for folder in suite.folders:
                try:
                    run = self._describe(suite, folder, schema)
                except HelmFileError as err:
                    self._file_problem(f"{suite.label}/{folder.name}", err)
                    continue
                except RecursionError:
                    what = "run_spec.json is nested too deeply"
                    self._problem(f"{suite.label}/{folder.name}", folder, "bad-content", what)
                    continue
                if run.name in seen:
                    self._problem(
                        run.run,
                        folder,
                        "duplicate-run",
                        f"has the run name of {seen[run.name].name}, which is kept",
                        "remove one of the two folders, or move it to a suite of its own",
                    )
                    continue
                seen[run.name] = folder
                yield run

    def _describe(self, suite: _Suite, folder: Path, schema: HelmSchema | None) -> RunDescription:
        path = folder / "run_spec.json"
        raw = load_json(path, dict)
        spec = _checked(raw, path)
        name, class_name = spec.name, spec.scenario_spec.class_name
        own = self.options.identity
        model, organisation, family = own.model(_model(spec.adapter_spec, path))
        groups = spec.groups or ()
        label = scenario_label(class_name, spec.scenario_spec.args or {}, groups)
        scenario, group = own.scenario(label)

        path = folder / "stats.json"
        stats = decode_light(read_bytes(path), list[LightStat], path)
        figures = self._figures(stats, schema, f"{suite.label}/{name}", path)

        available: dict[str, list[str | None]] = {}
        for figure in figures:
            if figure.perturbation is None:
                available.setdefault(figure.metric, []).append(figure.part)
        main = main_metric(available, groups, scenario_base(class_name), schema)
        if main is None:
            raise HelmFileError(path, "holds no unperturbed figures", code="no-figures", offset=0)
        fields = condition_fields(raw)
        return RunDescription(
            run=f"{suite.label}/{name}",
            name=name,
            source=self.source,
            kind=self.kind,
            location=str(folder),
            model=model,
            organisation=organisation,
            family=family,
            scenario=scenario,
            scenario_group=group,
            condition=condition_of(fields),
            condition_fields=fields,
            figures=figures,
            main=(main.metric, main.part, main.reason),
            order=self._order(suite, name),
        )

    def _figures(
        self, stats: list[LightStat], schema: HelmSchema | None, run: str, path: Path
    ) -> list[Figure]:
        """Merge the sub-parts of each (metric, part, perturbation), giving each the same weight."""
        instances: dict[tuple[str | None, str | None, str | None], float] = {}
        cells: dict[tuple[str, str | None, str | None], dict[str | None, LightStat]] = {}
        again: set[str] = set()
        for stat in stats:
            name = stat.name
            perturbation = self._canonical(name.perturbation, path)
            if name.name == "num_instances" and (value := _mean(stat)) is not None:
                instances[name.split, name.sub_split, perturbation] = value
            parts = cells.setdefault((name.name, name.split, perturbation), {})
            if name.sub_split in parts:
                again.add(name.name)
            else:
                parts[name.sub_split] = stat
        if again:
            shown = ", ".join(sorted(again)[:3])
            what = f"gives {len(again)} metrics ({shown}) twice; the first is kept"
            self._problem(run, path, "duplicate-figure", what)
        directions = schema.higher_is_better if schema else {}
        figures = []
        for (metric, part, perturbation), parts in cells.items():
            means = [m for stat in parts.values() if (m := _mean(stat)) is not None]
            value = math.fsum(means) / len(means) if means else math.nan
            counted = [instances.get((part, sub, perturbation)) for sub in parts]
            known = [c for c in counted if c is not None]
            n = round(sum(known)) if len(known) == len(counted) else None
            facts = self.options.metrics.facts(known_metric(metric))
            one = len(parts) == 1 and None in parts and next(iter(parts.values())).count == 1
            figures.append(
                Figure(
                    metric=metric,
                    part=part,
                    perturbation=perturbation,
                    value=value,
                    n=n,
                    binary=_binary(facts.binary, value, n, one),
                    lower=facts.lower,
                    upper=facts.upper,
                    higher_is_better=directions.get(metric, facts.higher_is_better),
                )
            )
        return figures

    def _canonical(self, raw: msgspec.Raw, path: Path) -> str | None:
        key = bytes(raw)
        if not key:
            return None
        if key not in self._perturbations:
            value = json.loads(key)
            if value is not None and not isinstance(value, dict):
                what = f"not what HELM writes: a perturbation that is {value!r}"
                raise HelmFileError(path, what, code="bad-content")
            self._perturbations[key] = canonical_json(value) if value else None
        return self._perturbations[key]

    def _schema(self, suite: _Suite) -> HelmSchema | None:
        """Find the schema that decides: the release's that was named, the suite's, a release's."""
        named = [*suite.releases, suite.path]
        others = [path for path in self._release_folders(suite) if self._names_suite(path, suite)]
        for folder in [*named, *reversed(others)]:
            path = folder / "schema.json"
            if path not in self._schemas:
                self._schemas[path] = None
                if path.is_file():
                    try:
                        self._schemas[path] = HelmSchema.load(path)
                    except HelmFileError as err:
                        self._file_problem(None, err)
            if (schema := self._schemas[path]) is not None:
                return schema
        return None

    def _release_folders(self, suite: _Suite) -> list[Path]:
        folders = without_links(folders_in(suite.path.parent.parent / "releases"))
        found = [path for path in folders if is_release(path)]
        return sorted(found, key=lambda p: natural_key(p.name))

    def _names_suite(self, release: Path, suite: _Suite) -> bool:
        return any(s == suite.path.name for s in self._release_map(release).values())

    def _release_map(self, release: Path) -> Mapping[str, Any]:
        for key, mapping in self._release_maps(release.parent):
            if key == natural_key(release.name):
                return mapping
        return {}

    def _release_maps(self, folder: Path) -> list[tuple[tuple[Any, ...], Mapping[str, Any]]]:
        if folder not in self._releases:
            maps = []
            for path in without_links(folders_in(folder)):
                if is_release(path):
                    try:
                        file = path / "runs_to_run_suites.json"
                        maps.append((natural_key(path.name), load_json(file, dict)))
                    except HelmFileError as err:
                        self._file_problem(None, err)
            self._releases[folder] = sorted(maps, key=lambda m: m[0])
        return self._releases[folder]

    def _order(self, suite: _Suite, name: str) -> tuple[Any, ...]:
        """Rank reruns: by the latest release that takes the run from this suite, then by suite."""
        rank = 0
        maps = self._release_maps(suite.path.parent.parent / "releases")
        for number, (_, mapping) in enumerate(maps, 1):
            if mapping.get(name) == suite.path.name:
                rank = number
        return rank, natural_key(suite.path.name)

    # ---------- tables

    def responses(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        """Read a run's answers from per_instance_stats.json.

        Parameters
        ----------
        run : RunDescription
            One of `runs`.
        metrics : collection of str, optional
            Only these metrics; all of them by default.

        Returns
        -------
        pyarrow.Table or None
            One row per instance, trial, perturbation and metric (`suites.schema.RESPONSES`), in the
            file's order: the value is the Stat's mean, its weight the Stat's count. A Stat with
            count 0 has no value and the status ``unscored``. None if the file cannot be read, which
            is reported.
        """
        path = Path(run.location) / "per_instance_stats.json"
        wanted = None if metrics is None else frozenset(metrics)
        try:
            rows, options = self._rows(path, wanted)
        except HelmFileError as err:
            self._file_problem(run.run, err)
            return None
        if len({row[:5] for row in rows}) < len(rows):
            rows = self._first_of_each(rows, run, path)
        columns = list(zip(*rows, strict=True)) if rows else [()] * 8
        instance, trial, sub_part, perturbation, metric, part, value, weight = columns
        facts = {name: self.options.metrics.facts(known_metric(name)) for name in set(metric)}
        choice = str(run.condition_fields.get("method", "")).startswith("multiple_choice")
        asked = zip(instance, perturbation, strict=True)
        return responses_table(
            {
                "run": run.run,
                "model": run.model,
                "scenario": run.scenario,
                "condition": run.condition,
                "instance": instance,
                "trial": trial,
                "part": part,
                "sub_part": sub_part,
                "perturbation": perturbation,
                "metric": metric,
                "value": value,
                "weight": weight,
                "status": ["unscored" if v is None else "ok" for v in value],
                "lower": [facts[name].lower for name in metric],
                "upper": [facts[name].upper for name in metric],
                "n_options": [options.get(key) for key in asked] if choice else None,
            },
            len(rows),
        )

    def _rows(
        self, path: Path, wanted: frozenset[str] | None
    ) -> tuple[list[_Row], dict[tuple[str, str | None], float | None]]:
        """Read the wanted answers, and how many references each question has."""
        rows: list[_Row] = []
        references: dict[tuple[str, str | None], float | None] = {}
        for record in decode_light(read_bytes(path), list[LightRecord], path):
            instance, trial = record.instance_id, record.train_trial_index
            of_record = self._canonical(record.perturbation, path)
            for stat in record.stats:
                name = stat.name
                metric = name.name
                keep = wanted is None or metric in wanted
                if not keep and metric != "num_references":
                    continue
                changed = self._canonical(name.perturbation, path) or of_record
                value = _mean(stat)
                if metric == "num_references":
                    references[instance, changed] = value
                if keep:
                    key = (instance, trial, name.sub_split, changed, metric)
                    rows.append((*key, name.split, value, float(stat.count)))
        return rows, references

    def _first_of_each(self, rows: list[_Row], run: RunDescription, path: Path) -> list[_Row]:
        first: dict[tuple[Any, ...], _Row] = {}
        for row in rows:
            first.setdefault(row[:5], row)
        instance, trial, _, _, metric, *_ = next(r for r in rows if first[r[:5]] is not r)
        self._problem(
            run.run,
            path,
            "duplicate-response",
            f"gives {len(rows) - len(first)} values twice, such as {metric} of instance "
            f"{instance}, trial {trial}; the first are kept",
        )
        return list(first.values())

    def instance_hashes(self, run: RunDescription) -> Mapping[str, str]:
        """Hash the texts of a run's instances, from scenario_state.json; empty without it."""
        try:
            return hashes_of(Path(run.location) / "scenario_state.json")
        except HelmFileError:  # a problem of this run where its frames are asked for, not here
            return {}

    def frame(self, run: RunDescription, table: str) -> pd.DataFrame | None:
        """Read one of the four HELM frames of a run; None if its file cannot be read.

        Raises
        ------
        UsageError
            If there is no frame of that name.
        """
        if table not in _FRAME:
            raise unknown_name("frame", table, _FRAME)
        try:
            frame: pd.DataFrame = getattr(HelmRun(run.location).dataframe, _FRAME[table])()
            return frame
        except HelmFileError as err:
            self._file_problem(run.run, err)
            return None

    def recompute(self, run: RunDescription, figure: Figure, responses: pa.Table) -> float | None:
        """Recompute a figure by HELM's own rule.

        Over the instances of a sub-part and a trial, the sum of the sums over the sum of the
        counts (so an answer that more judges graded counts more); then the mean over trials; then
        the mean over sub-parts, each with the same weight.

        Returns
        -------
        float or None
            None for figures that are not a mean of answers (counts of instances, calibration,
            perplexity, the worst over perturbations …), and where no answer has a value.
        """
        import numpy as np

        changed = json.loads(figure.perturbation) if figure.perturbation else {}
        if changed.get("computed_on") in ("worst", "original"):
            return None
        keep = np.ones(responses.num_rows, bool)
        for column, wanted in (
            ("metric", figure.metric),
            ("part", figure.part),
            ("perturbation", figure.perturbation),
        ):
            keep &= _codes_equal(responses.column(column), wanted)
        if not keep.any():
            return None
        value = responses.column("value").to_numpy(zero_copy_only=False)[keep]
        weight = responses.column("weight").to_numpy(zero_copy_only=False)[keep]
        trial = responses.column("trial").to_numpy(zero_copy_only=False)[keep]
        sub_part = np.array(responses.column("sub_part").to_pylist(), object)[keep]
        ok = np.isfinite(value) & (weight > 0)
        means = []
        for sub in dict.fromkeys(sub_part):
            here = ok & (sub_part == sub)
            per_trial = [
                float(np.dot(value[at], weight[at]) / weight[at].sum())
                for t in np.unique(trial[here])
                if (at := here & (trial == t)).any()
            ]
            if per_trial:
                means.append(math.fsum(per_trial) / len(per_trial))
        return math.fsum(means) / len(means) if means else None

    # ---------- problems

    def _file_problem(self, run: str | None, err: HelmFileError) -> None:
        hint = {
            "missing-file": "copy the file, or run helm-run for this run again",
            "bad-json": "the file was probably cut off while it was written or copied",
        }.get(err.code, "")
        self._problem(run, Path(err.path), err.code, err.what, hint, err.offset)

    def _problem(
        self,
        run: str | None,
        file: Path,
        code: str,
        message: str,
        hint: str = "",
        offset: int | None = None,
    ) -> None:
        name = str(file)
        if os.path.isdir(self.source):
            relative = os.path.relpath(name, self.source)
            name = name if relative.startswith("..") else relative
        self._report(Problem(self.source, run, name, offset, code, message, hint))


class _ScenarioSpec(msgspec.Struct):
    class_name: str
    args: dict[str, Any] | None = None


class _Perturbations(msgspec.Struct):
    perturbation_specs: list[_ScenarioSpec] | None = None


class _Spec(msgspec.Struct):
    """What a description needs of a run_spec.json."""

    name: str
    adapter_spec: dict[str, Any]
    scenario_spec: _ScenarioSpec
    groups: list[str] | None = None
    data_augmenter_spec: _Perturbations | None = None


def _checked(spec: Mapping[str, Any], path: Path) -> _Spec:
    try:
        checked = msgspec.convert(spec, _Spec)
    except msgspec.ValidationError as err:
        what = f"not what HELM writes: {err}"
        raise HelmFileError(path, what, code="bad-content", offset=0) from err
    if not checked.name or not checked.scenario_spec.class_name:
        what = "its name or its scenario's class_name is empty"
        raise HelmFileError(path, what, code="bad-content", offset=0)
    return checked


def _model(adapter: Mapping[str, Any], path: Path) -> str:
    model = adapter.get("model") or adapter.get("model_deployment")
    if isinstance(model, str):
        return model
    what = "neither adapter_spec.model nor adapter_spec.model_deployment is set"
    raise HelmFileError(path, what, code="no-model", offset=0)


def _mean(stat: LightStat) -> float | None:
    """Give a Stat's mean; None where nothing was counted, or where it is not finite."""
    if stat.count <= 0:
        return None
    mean = stat.mean
    if mean is None:
        mean = None if stat.sum is None else stat.sum / stat.count
    return mean if mean is not None and math.isfinite(mean) else None


def _binary(answers: bool | None, value: float, n: int | None, one: bool) -> bool | None:
    """Say whether a value is C/n: answers are 0 or 1, of one trial, in one part, and it fits."""
    if answers is False or not one:
        return False
    if n is None or n <= 0 or math.isnan(value):
        return None
    if abs(value * n - round(value * n)) > 1e-6 or not -1e-9 <= value <= 1 + 1e-9:
        return False
    return answers


def _codes_equal(column: Any, wanted: str | None) -> Any:
    """Say for each row of a dictionary-encoded column whether it is this text (or is null)."""
    import numpy as np
    import pyarrow.compute as pc

    if wanted is None:
        return np.asarray(pc.is_null(column).to_numpy(zero_copy_only=False), bool)
    same = pc.equal(column.cast("string"), wanted)
    return np.asarray(pc.fill_null(same, False).to_numpy(zero_copy_only=False), bool)
