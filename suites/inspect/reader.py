"""The reader of Inspect logs: headers first, samples on request.

Inspect itself is not needed. Who and what a run is of is read from its log, never from the name of
the file.
"""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from suites.errors import UsageError
from suites.helm.folders import RUN_FILES
from suites.identity import condition_of
from suites.inspect.attempts import Candidate, choose
from suites.inspect.details import (
    MOST_COLUMNS,
    instance_hash,
    response_details,
    run_details,
)
from suites.inspect.errors import LogError
from suites.inspect.figures import (
    bounds_of,
    has_mean,
    main_metric,
    metric_of,
    observed,
    published,
    with_scale,
)
from suites.inspect.header import Header, ScoreResult
from suites.inspect.identity import agent_name, condition_fields, scenario_label
from suites.inspect.log import NOT_LOGS, Log, looks_like_log
from suites.inspect.models import ModelName, model_name
from suites.inspect.rows import DetailedRow, Row
from suites.inspect.scores import Scores, unconverted, worst
from suites.inspect.values import Scale
from suites.locations import is_glob, is_url, list_files
from suites.metrics import MetricFacts
from suites.problem import Problem
from suites.reader import Figure, Reader, ReadOptions, RunDescription
from suites.schema import STATUSES, responses_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_RESPONSES = 3_000_000
"""Responses of one log that are given at once; a failed sample has one for each metric."""

_AT_ONCE = 16  # remote logs that are opened at the same time


@dataclass(frozen=True)
class _Named:
    """A log, the source that it was found in, and who and what it is of."""

    source: str
    log: Log
    model: ModelName
    scenario: str
    fields: dict[str, Any]


class InspectReader(Reader):
    """Reads Inspect logs: ``.eval`` and ``.json`` files, folders, globs and URLs of them.

    Parameters
    ----------
    options : ReadOptions
        What the user asked of all readers.
    report : callable
        Is given every problem.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "log.json")
    >>> _ = path.write_text('''{"status": "success",
    ...     "eval": {"task": "sums", "model": "openai/gpt-5", "eval_id": "e1"},
    ...     "results": {"scores": [{"name": "match", "scorer": "match", "scored_samples": 2,
    ...         "metrics": {"accuracy": {"name": "accuracy", "value": 0.5}}}]},
    ...     "samples": [{"id": 1, "epoch": 1, "scores": {"match": {"value": "C"}}},
    ...                 {"id": 2, "epoch": 1, "scores": {"match": {"value": "I"}}}]}''')
    >>> reader = InspectReader.open(str(path), ReadOptions(), print)
    >>> run = next(reader.runs())
    >>> run.run, run.organisation, run.main[:2], run.figures[0].value
    ('sums:model=openai/gpt-5@e1', 'openai', ('match', None), 0.5)
    >>> reader.responses(run).column("value").to_pylist()
    [1.0, 0.0]
    >>> folder.cleanup()
    """

    kind: ClassVar[str] = "inspect"
    together: ClassVar[bool] = True

    def __init__(self, options: ReadOptions, report: Callable[[Problem], None]) -> None:
        self.options = options
        self._report = report
        self._runs: list[RunDescription] = []
        self._logs: dict[str, Log] = {}  # by location
        self._paths: dict[str, str] = {}  # of sources, by the names that the user gave them

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Say whether there are logs of Inspect at the source. Never raises."""
        try:
            return any(map(looks_like_log, _locations(source)))
        except Exception:
            return False

    @classmethod
    def open(
        cls, source: str, options: ReadOptions, report: Callable[[Problem], None]
    ) -> InspectReader:
        """Open one source; see `open_together`."""
        return cls.open_together([(source, source)], options, report)

    @classmethod
    def open_together(
        cls,
        sources: Sequence[tuple[str, str]],
        options: ReadOptions,
        report: Callable[[Problem], None],
    ) -> InspectReader:
        """Read the headers of all logs of all sources.

        Raises
        ------
        UsageError
            If there is no log at all.
        """
        reader = cls(options, report)
        places: dict[str, str] = {}
        for named, path in sources:
            reader._paths[named] = path
            try:
                found = [p for p in _locations(path) if is_url(p) or looks_like_log(p)]
            except OSError as err:
                reader._problem(named, path, "bad-file", f"cannot be listed: {err}")
                continue
            for place in found:
                places.setdefault(place if is_url(place) else os.path.realpath(place), named)
        if not places:
            shown = ", ".join(named for named, _ in sources[:3])
            raise UsageError(f"{shown}: there are no logs of Inspect (.eval, .json).")
        reader._describe(list(reader._opened(places)))
        return reader

    def runs(self) -> Iterator[RunDescription]:
        """Describe the runs, in the order of their places."""
        return iter(self._runs)

    def log(self, run: RunDescription) -> Log:
        """Give the log of a run."""
        return self._logs[run.location]

    def responses(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        """Read one run's responses, metric by metric, by epoch and the order of the dataset."""
        return self._table(run, metrics, Row)

    def detailed(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        """Read one run's responses with the columns ``inspect.…`` and the instances' hashes."""
        return self._table(run, metrics, DetailedRow)

    def frame(self, run: RunDescription, table: str) -> pd.DataFrame | None:
        """Read one of the four HELM frames of a run, made of its log."""
        from suites.inspect.frames import frame

        try:
            log, options = self._logs[run.location], self.options
            return frame(table, run, log, options.metrics, options.error_policy)
        except LogError as err:
            self._refused(run.source, err, run.run)
            return None

    # ---------- descriptions

    def _opened(self, places: dict[str, str]) -> Iterator[tuple[str, Log]]:
        """Open logs, remote ones several at a time; what cannot be opened is reported."""
        remote = sum(map(is_url, places)) > 1
        with ThreadPoolExecutor(_AT_ONCE if remote else 1) as pool:
            tries = pool.map(_try_open, places) if remote else map(_try_open, places)
            for (place, source), outcome in zip(places.items(), tries, strict=True):
                if isinstance(outcome, LogError):
                    # files that only look like a log are not told of
                    if outcome.code != "not-a-log" or place.lower().endswith(".eval"):
                        self._refused(source, outcome)
                    continue
                yield source, outcome

    def _describe(self, opened: Iterable[tuple[str, Log]]) -> None:
        named = [self._identify(source, log) for source, log in opened]
        by_log = {id(each.log): each for each in named}
        candidates = [
            Candidate(n.log, (n.model.model, n.scenario, condition_of(n.fields))) for n in named
        ]
        kept, dropped = choose(candidates, self._scored)
        for lost in dropped:
            source = by_log[id(lost.log)].source
            message = f"{lost.reason}: {os.path.basename(lost.by.location)} is read instead"
            self._problem(source, lost.log.location, lost.code, message)
        undecided: list[tuple[_Named, RunDescription]] = []
        for candidate in kept:
            each = by_log[id(candidate.log)]
            run = self._described(each)
            if run is not None:
                undecided.append((each, run))
        self._runs = self._bounded(undecided)
        self._logs = {each.log.location: each.log for each, _ in undecided}

    def _identify(self, source: str, log: Log) -> _Named:
        header = log.header
        raw = header.model
        if raw in ("none/none", "none"):  # the agent under test called models itself
            spec = header.spec
            raw = agent_name(
                header.task_args, spec.get("solver"), spec.get("solver_args"), header.metadata
            )
        return _Named(
            source,
            log,
            model_name(raw, self.options.identity.merge_routes),
            scenario_label(header.task, header.task_version, header.task_args),
            condition_fields(header.spec, header.plan),
        )

    def _described(self, each: _Named) -> RunDescription | None:
        log, header, own = each.log, each.log.header, self.options.identity
        known = each.model.organisation, each.model.family
        model, organisation, family = own.model(each.model.model, known)
        scenario, group = own.scenario(each.scenario)
        name = f"{scenario}{',' if ':' in scenario else ':'}model={model}@{header.eval_id}"
        figures = published(header, self.options.metrics)
        main = main_metric(header)
        recounts = self._recounts(header)
        replaced = main is None or not header.finished or recounts
        if main is None or replaced or not all(map(has_mean, header.scores)):
            made = self._own_figures(each, figures, recounts)
            if replaced and not made:
                what = "has no scores" if header.finished else f"{_ending(header)}, without scores"
                if header.finished and figures:
                    what = "has no sample that counts; what it publishes counts those that do not"
                self._problem(each.source, log.location, "no-scores", what)
                return None
            first, then = (
                (made, figures if header.finished else []) if replaced else (figures, made)
            )
            have = {figure.metric for figure in first}
            figures = [*first, *(f for f in then if f.metric not in have)]
            if main is None or main[0] not in {f.metric for f in figures}:
                none = "none was published" if main is None else f"{main[0]} has none"
                main = figures[0].metric, f"the first of its responses: {none}"
        return RunDescription(
            run=name,
            name=name,
            source=each.source,
            kind=self.kind,
            location=log.location,
            model=model,
            organisation=organisation,
            family=family,
            scenario=scenario,
            scenario_group=group,
            condition=condition_of(each.fields),
            condition_fields=each.fields,
            figures=figures,
            main=(main[0], None, main[1]),
            date=header.created,
            order=(header.created or dt.datetime.min,),
            unfinished=None if header.finished else _ending(header),
            details=run_details(log, each.model.snapshot),
        )

    def _recounts(self, header: Header) -> bool:
        """Say whether published figures count what shall not count, or leave out what shall.

        They do where samples were declared invalid, where the user has own numbers for texts, and
        where failed samples are treated otherwise.
        """
        if header.invalidated or any(map(self._restated, header.scores)):
            return True
        if self.options.error_policy == "as-logged":
            return False
        return header.total is None or header.completed is None or header.completed < header.total

    def _restated(self, score: ScoreResult) -> bool:
        """Say whether the user has own numbers for a score's texts."""
        return self.options.metrics.values(metric_of(score)) is not None

    def _own_figures(self, each: _Named, figures: Sequence[Figure], recounts: bool) -> list[Figure]:
        """Give the means of a log's responses; those that replace published ones are told of."""
        scores = self._scores(each.log, each.source, Row)
        if scores is None:
            return []
        known = {
            f.metric: MetricFacts(f.metric, f.lower, f.upper, f.higher_is_better, f.binary)
            for f in figures
            if f.lower is not None
        }
        made = [f for f in observed(scores, self.options.metrics, known) if f.value == f.value]
        if self.options.error_policy == "incorrect" and scores.errored.any():
            for figure in made:
                if math.isnan(worst(figure.lower, figure.upper, figure.higher_is_better)):
                    what = f"{figure.metric}: failed samples are missing, its worst is not known"
                    hint = "state its range: --metrics FILE"
                    self._problem(each.source, each.log.location, "no-worst-value", what, hint)
        before = {f.metric: f.value for f in figures}
        for figure in made if recounts and each.log.header.finished else ():
            was = before.get(figure.metric)
            if was is not None and was == was and abs(was - figure.value) > 1e-9:
                if self.options.metrics.values(figure.metric) is not None:
                    why = "texts count as you stated"
                elif scores.invalid.any():
                    why = f"{int(scores.invalid.sum())} invalidated samples are left out"
                else:
                    why = f"{int(scores.errored.sum())} failed samples, {self.options.error_policy}"
                self._problem(
                    each.source,
                    each.log.location,
                    "recomputed",
                    f"{figure.metric}: published {was:.6g}, here {figure.value:.6g}: {why}",
                )
        order = list(before)
        return sorted(
            made, key=lambda f: order.index(f.metric) if f.metric in before else len(order)
        )

    def _bounded(self, runs: list[tuple[_Named, RunDescription]]) -> list[RunDescription]:
        """Fill in ranges that only the values tell, seen over all runs of a scenario.

        Grades and truth values lie from 0 to 1 by definition; numbers that are all 0 or 1
        throughout a scenario are taken to. Only logs whose main metric has no range are read.
        """
        open_ = [(n, r) for n, r in runs if _main_figure(r).lower is None]
        scales: dict[tuple[str, str], Scale] = {}
        for each, run in open_:
            metric = run.main[0]
            scores = self._scores(each.log, each.source, Row) if ":" not in metric else None
            if scores is not None and metric in scores.metrics:
                key = run.scenario, metric
                scales[key] = scales.get(key, Scale(0)) | scores.scale(metric)
        out = []
        for _, run in runs:
            scale = scales.get((run.scenario, run.main[0]))
            if scale is not None and _main_figure(run).lower is None:
                run = replace(
                    run,
                    figures=[
                        self._with_scale(f, scale) if f.metric == run.main[0] else f
                        for f in run.figures
                    ],
                )
            out.append(run)
        return out

    def _with_scale(self, figure: Figure, scale: Scale) -> Figure:
        facts = MetricFacts(figure.metric, None, None, figure.higher_is_better, figure.binary)
        facts = with_scale(facts, scale, self.options.metrics)
        return replace(
            figure, lower=facts.lower, upper=facts.upper, higher_is_better=facts.higher_is_better
        )

    def _scored(self, log: Log) -> int:
        try:
            return sum(row.error is None and bool(row.scores) for row in log.rows(Row))
        except LogError:
            return -1

    # ---------- responses

    def _scores(
        self, log: Log, source: str, type_: type[Row], run: str | None = None
    ) -> Scores | None:
        def found(code: str, what: str, hint: str) -> None:
            self._problem(source, log.location, code, what, hint, run)

        try:
            options = self.options
            return Scores.read(log, options.metrics, options.error_policy, type_=type_, found=found)
        except LogError as err:
            self._refused(source, err, run)
            return None

    def _table(
        self, run: RunDescription, metrics: Collection[str] | None, type_: type[Row]
    ) -> pa.Table | None:
        import numpy as np
        import pyarrow as pa

        log = self._logs[run.location]
        scores = self._scores(log, run.source, type_, run.run)
        if scores is None:
            return None
        bounds = bounds_of(scores, self.options.metrics, run)
        parts = []
        total = 0
        for part in scores.columns(metrics, bounds):
            total += len(part[1].row)
            if total > MOST_RESPONSES:
                what = f"it has more than {MOST_RESPONSES} responses of the wanted metrics"
                hint = "ask for fewer metrics"
                self._problem(run.source, run.location, "too-large", what, hint, run.run)
                return None
            parts.append(part)
        if not parts:
            return responses_table({"run": run.run}, 0)
        sizes = [len(column.row) for _, column in parts]
        ranges = np.array([bounds(name)[:2] for name, _ in parts], np.float64)
        low, high = np.repeat(ranges, sizes, axis=0).T
        rows: Any = np.concatenate([column.row for _, column in parts])
        value = np.concatenate([column.value for _, column in parts])
        self._check(run, scores, value, low, high)
        epochs = np.array([row.epoch for row in scores.rows], np.int64)
        options = np.array([len(_options(row)) for row in scores.rows], np.float64)
        options[options == 0] = np.nan
        status = np.concatenate([column.status for _, column in parts])
        names = np.repeat(np.arange(len(parts), dtype=np.int32), sizes)
        words = pa.array([name for name, _ in parts], pa.string())
        table = responses_table(
            {
                "run": run.run,
                "model": run.model,
                "scenario": run.scenario,
                "condition": run.condition,
                "instance": pa.array(scores.ids, pa.string()).take(pa.array(scores.of_id[rows])),
                "trial": np.clip(epochs - 1, 0, 2**31 - 1)[rows],
                "metric": pa.DictionaryArray.from_arrays(pa.array(names), words),
                "value": value,
                "weight": np.concatenate([column.weight for _, column in parts]),
                "status": pa.DictionaryArray.from_arrays(
                    pa.array(status.astype(np.int32)), pa.array(STATUSES)
                ),
                "lower": low,
                "upper": high,
                "n_options": options[rows],
                "instance_hash": self._hashes(scores, rows) if type_ is DetailedRow else None,
            },
            len(rows),
        )
        if type_ is DetailedRow:
            metric_of = [parts[i][0] for i in names]
            further = response_details(log.header, scores.rows, rows.tolist(), metric_of)  # type: ignore[arg-type]
            for name, column in further.items():
                table = table.append_column(name, column)
            if len(further) >= MOST_COLUMNS:
                what = f"has {MOST_COLUMNS} or more further columns; later ones are left out"
                self._problem(run.source, run.location, "too-many-columns", what, "", run.run)
        return table

    def _hashes(self, scores: Scores, rows: Any) -> list[str | None]:
        of_row = [instance_hash(row) for row in scores.rows]  # type: ignore[arg-type]
        return [of_row[i] for i in rows]

    def _check(self, run: RunDescription, scores: Scores, value: Any, low: Any, high: Any) -> None:
        """Tell of values outside their range, and of texts that have no number."""
        import numpy as np

        outside = int((np.isfinite(value) & ((value < low) | (value > high))).sum())
        if outside:
            what = f"{outside} values lie outside the range of their metric"
            hint = "state the range: --metrics FILE"
            self._problem(run.source, run.location, "out-of-range", what, hint, run.run)
        for metric, texts in unconverted(scores).items():
            shown = ", ".join(repr(t[:30]) for t, _ in texts.most_common(3))
            what = (
                f"{metric}: {sum(texts.values())} scores are texts without a number ({shown}); "
                "they are missing values, where Inspect itself would count 0"
            )
            hint = "say what they count as: --metrics FILE, with values: {text: number}"
            self._problem(run.source, run.location, "non-numeric", what, hint, run.run)

    # ---------- problems

    def _refused(self, source: str, err: LogError, run: str | None = None) -> None:
        self._problem(source, err.location, err.code, err.what, err.hint, run)

    def _problem(
        self,
        source: str,
        location: str,
        code: str,
        message: str,
        hint: str = "",
        run: str | None = None,
    ) -> None:
        file, folder = location, self._paths.get(source, source)
        if not is_url(location) and os.path.isdir(folder):
            file = os.path.relpath(location, os.path.realpath(folder))
        self._report(Problem(source, run, file, None, code, message, hint))


def _try_open(place: str) -> Log | LogError:
    try:
        return Log.open(place)
    except LogError as err:
        return err


def _locations(source: str) -> list[str]:
    """List the files at a source that may be logs, by their names."""
    if is_url(source):
        file = _may_be_log(source.rsplit("/", 1)[-1]) and not is_glob(source)
        return [source] if file else list_files(source, _may_be_log)
    if os.path.isfile(source):
        return [source] if _may_be_log(os.path.basename(source)) else []
    return list_files(source, _may_be_log) if os.path.isdir(source) else []


def _may_be_log(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".eval") or (
        lower.endswith(".json") and lower not in NOT_LOGS and name not in RUN_FILES
    )


def _options(row: Row) -> Sequence[Any]:
    return row.choices if isinstance(row.choices, list) else ()


def _main_figure(run: RunDescription) -> Figure:
    return next(f for f in run.figures if f.metric == run.main[0])


def _ending(header: Header) -> str:
    """Say how an evaluation ended that did not come to its end."""
    how = {
        "error": "ended with an error",
        "cancelled": "was cancelled",
        "started": "did not end: it is running or its process died",
    }.get(header.status, f"has the status {header.status!r}")
    of = f" of {header.total}" if header.total else ""
    done = f" after {header.completed}{of} samples" if header.completed is not None else ""
    return f"{how}{done}"
