"""Reads score tables: Parquet or CSV, long or wide, responses or values of runs.

Column names say what a table holds, or a YAML file does (``docs/tables.md``). Files of some other
tools are read as such tables too (`suites.table.adapters`). A table is read once, when it is
opened; a run's responses are a slice of it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suites.errors import UsageError
from suites.identity import Identity, canonical_json, condition_of
from suites.problem import Problem
from suites.reader import Figure, Reader, ReadOptions, RunDescription
from suites.schema import STATUSES, responses_table
from suites.table import adapters
from suites.table.adapters.long_table import SPEC
from suites.table.facts import NOTHING, CellFacts, ScenarioFacts
from suites.table.file import Opened, TableFile, is_table_name
from suites.table.metadata import (
    Properties,
    fold_columns,
    folds_of_runs,
    join_folds,
    read_properties,
    scenario_facts,
)
from suites.table.rows import Findings, read_rows
from suites.table.runs import Runs, make_runs
from suites.table.spec import TableSpec, load_yaml, locate

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class TableReader(Reader):
    r"""Reads one score table, or the tables that a YAML file names.

    A table has one value per row (long), or one row per model or scenario and a column for each
    value (wide). With a column of instances its values are responses; a run's value is then
    Σ weight·value / Σ weight over all its responses that have a value. Without one, each value is
    a run's, and there are no responses.

    Nothing is assumed of a metric's range: responses that are all 0 or 1 within a scenario and
    metric have the range 0..1; any other range must be stated in the YAML. Values are kept as they
    are: a percentage stays one.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "arena.csv")
    >>> _ = path.write_text("model,task,item,correct\na/m1,qa,1,1\na/m1,qa,2,0\n")
    >>> reader = TableReader.open(str(path), ReadOptions(), print)
    >>> run = next(reader.runs())
    >>> run.run, run.organisation, run.figures[0].value, run.figures[0].n
    ('qa:model=a/m1', 'a', 0.5, 2)
    >>> reader.responses(run).column("instance").to_pylist()
    ['1', '2']
    >>> folder.cleanup()
    """

    kind = "table"

    def __init__(
        self,
        source: str,
        location: str,
        runs: Runs | None,
        descriptions: Sequence[RunDescription],
        facts: Mapping[str, ScenarioFacts],
        models: pd.DataFrame | None,
        scenarios: pd.DataFrame | None,
    ) -> None:
        self.source = source
        self.location = location
        self._table = runs
        self._descriptions = list(descriptions)
        self._place = {description.name: i for i, description in enumerate(descriptions)}
        self._facts = facts
        self._models = models
        self._scenarios = scenarios

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Say whether the source is a Parquet or CSV file, or a YAML with the key ``data``.

        Or of a format that `suites.table.adapters` knows: a file, or a folder with such files.
        """
        try:
            if is_table_name(source):
                return bool(TableFile.open(source).columns)
            if _is_yaml(source):
                raw = load_yaml(source)
                return isinstance(raw, Mapping) and "data" in raw
        except Exception:  # whatever a foreign file holds, the answer is no
            return False
        return adapters.accepts(source)

    @classmethod
    def open(
        cls, source: str, options: ReadOptions, report: Callable[[Problem], None]
    ) -> TableReader:
        """Read a table.

        Parameters
        ----------
        source : str
            A Parquet or CSV file, or a YAML file that names its tables under ``data``. Such a
            file explains itself: ``options.table`` is for sources that are tables. Or a file or
            folder that `suites.table.adapters` knows; where nothing of it can be read, there are
            no runs, and the problems say why.
        options : ReadOptions
            The user's own names, and the YAML that explains the table.
        report : callable
            Takes each problem.

        Raises
        ------
        UsageError
            If nothing can be read, the YAML is wrong, or it is not clear what the columns hold.
        """
        findings = Findings(source, report)
        files: list[Opened]
        is_table = not adapters.accepts(source)
        if is_table:
            files, spec = _open_tables(source, options, findings)
        else:
            files, spec = [*adapters.read(source, findings)], SPEC
            if not files:  # then the findings say why
                return cls(source, source, None, [], {}, None, None)
        rows = read_rows(files, spec, findings)
        models = read_properties("model", spec, source, rows, findings)
        scenarios = read_properties("scenario", spec, source, rows, findings)
        facts = scenario_facts(scenarios, rows.text["scenario"].names, findings)
        runs = make_runs(rows, spec, facts, options.metrics, findings)
        ids = _run_ids(runs)
        findings.flush(rows, runs.run_of, ids)
        if not runs.runs:
            if is_table:
                raise UsageError(f"{source}: none of its {len(rows)} rows has a value.")
            findings.plain("no-value", [f"none of its {len(rows)} rows has a value"])
            return cls(source, source, None, [], {}, None, None)
        starts = np.array([run.first for run in runs.runs], np.int64)
        firsts = runs.rows[starts]
        folds = fold_columns(rows, runs.rows, starts, findings)
        if spec.folds is not None:
            folds |= join_folds(spec.folds, spec, source, rows, firsts, findings)
        of_runs = folds_of_runs(folds, len(ids), findings)
        own = options.identity
        places = [rows.files[file][1] for file in rows.file[firsts].tolist()]
        described = _describe(source, places, runs, ids, facts, models, of_runs, own)
        return cls(
            source,
            files[0].location,
            runs,
            described,
            facts,
            _frame("model", models, own),
            _frame("scenario", scenarios, own),
        )

    def runs(self) -> Iterator[RunDescription]:
        """Describe the runs, by model, scenario, condition and date in natural order."""
        return iter(self._descriptions)

    def responses(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        """Give one run's responses by instance in natural order, then trial.

        Parameters
        ----------
        run : RunDescription
            One of `runs`.
        metrics : collection of str, optional
            Only these metrics; all of them by default.

        Returns
        -------
        pyarrow.Table or None
            Columns of `suites.schema.RESPONSES`; None for a table of run values.

        Raises
        ------
        KeyError
            If the run is not one of this table's.
        """
        import pyarrow as pa

        i = self._place[run.name]  # the id may have been made longer
        table = self._table
        assert table is not None
        a, b = table.runs[i].start, table.runs[i].stop
        if table.instance is None or a == b:
            return None
        pick: Any = slice(a, b)
        if metrics is not None:
            codes = [m for m, name in enumerate(table.metrics) if name in metrics]
            pick = a + np.flatnonzero(np.isin(table.metric[a:b], codes))
        value = table.value[pick]
        scored = np.isfinite(value)
        metric, lower, upper = self._metric(table.runs[i].scenario, table.metric[pick])
        columns: dict[str, Any] = {
            "run": run.run,
            "model": run.model,
            "scenario": run.scenario,
            "condition": run.condition,
            "instance": self._instances.take(pa.array(table.instance.codes[pick])),
            "trial": table.trial[pick],
            "part": _column(table.part[pick], table.parts),
            "perturbation": _column(table.perturbation[pick], table.perturbations),
            "metric": metric,
            "value": value,
            "weight": table.weight[pick],
            "status": "ok" if scored.all() else self._status(pick, scored),
            "lower": lower,
            "upper": upper,
            "n_options": self._facts.get(
                table.scenarios[table.runs[i].scenario], NOTHING
            ).n_options,
        }
        if table.hash is not None:
            hashes = table.hash.codes[pick]
            names = pa.array(table.hash.names, pa.string())
            columns["instance_hash"] = names.take(pa.array(hashes, mask=hashes < 0))
        return responses_table(columns, len(value))

    def models(self) -> pd.DataFrame | None:
        """Give the models' properties that the YAML allows, a column ``model`` and others."""
        return None if self._models is None else self._models.copy()

    def scenarios(self) -> pd.DataFrame | None:
        """Give the scenarios' properties that the YAML allows, ``scenario`` and others."""
        return None if self._scenarios is None else self._scenarios.copy()

    def recompute(self, run: RunDescription, figure: Figure, responses: pa.Table) -> float | None:
        """Recompute a figure: the weighted mean of its metric, part and perturbation."""
        import pyarrow.compute as pc

        keep = pc.equal(responses.column("metric"), figure.metric)
        for name in ("part", "perturbation"):
            wanted = getattr(figure, name)
            column = responses.column(name)
            same = pc.is_null(column) if wanted is None else pc.equal(column, wanted)
            keep = pc.and_(keep, pc.fill_null(same, False))
        return super().recompute(run, figure, responses.filter(keep))

    @property
    def _instances(self) -> pa.Array:
        import pyarrow as pa

        if not hasattr(self, "_instance_names"):
            assert self._table is not None
            assert self._table.instance is not None
            self._instance_names = pa.array(self._table.instance.names, pa.string())
        return self._instance_names

    def _metric(self, scenario: int, codes: Any) -> tuple[Any, Any, Any]:
        """Give the columns metric, lower and upper: scalars when the run has one metric."""
        table = self._table
        assert table is not None
        different = np.unique(codes)
        ranges = [table.known.get((scenario, int(m)), CellFacts()).bounds for m in different]
        if len(different) == 1:
            return table.metrics[different[0]], *ranges[0]
        at = np.searchsorted(different, codes)
        low, high = np.array(ranges, np.float64).reshape(-1, 2).T
        return _column(codes, table.metrics), low[at], high[at]

    def _status(self, pick: Any, scored: Any) -> Any:
        """Give the column status: what the table says of responses without a value."""
        assert self._table is not None
        said = self._table.status
        words = np.array([*said.names, "unscored"], dtype=object)[said.codes[pick]]
        known = np.isin(words, [status for status in STATUSES if status != "ok"])
        return np.where(scored, "ok", np.where(known, words, "unscored"))


def _open_tables(
    source: str, options: ReadOptions, findings: Findings
) -> tuple[list[Opened], TableSpec]:
    """Open a table, or those that a YAML names, with what explains it."""
    if _is_yaml(source):
        spec = TableSpec.load(source)
        if not spec.data:
            raise UsageError(f"{source}: the key data is missing: which file is the table?")
        locations = [_find(name, spec, source) for name in spec.data]
    else:
        raw = options.table
        spec = TableSpec() if raw is None else TableSpec.parse(raw, options.table_path)
        locations = [source]
    files: list[Opened] = []
    for location in locations:
        try:
            files.append(TableFile.open(location))
        except UsageError as err:
            if len(locations) == 1:
                raise
            findings.plain("bad-file", [str(err)], file=location)
    if not files:
        raise UsageError(f"{source}: none of its files can be read.")
    return files, spec


def _is_yaml(source: str) -> bool:
    return source.lower().endswith((".yaml", ".yml"))


def _find(name: str, spec: TableSpec, source: str) -> str:
    location = locate(name, spec.path, source)
    if location is None:
        raise UsageError(f"{source}: data: there is no file {name!r} beside it.")
    return location


def _column(codes: Any, names: Sequence[str]) -> Any:
    """Give a column of categories: a scalar where there is only one."""
    import pyarrow as pa

    if not len(codes) or (codes[0] == codes[-1] and (codes == codes[0]).all()):
        return names[codes[0]] if len(codes) and codes[0] >= 0 else None
    used, places = np.unique(codes, return_inverse=True)
    words = [names[code] for code in used if code >= 0]
    places = (places - (used[0] < 0)).astype(np.int32)
    indices = pa.array(places, mask=places < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _run_ids(runs: Runs) -> list[str]:
    """Name the runs.

    ``scenario:model=…``, or by the table's own labels (with the scenario where a label has several
    runs); with condition and date where these tell them apart.
    """
    conditions: dict[tuple[int, int, int], set[int]] = {}
    labelled: dict[int, int] = {}
    for run in runs.runs:
        conditions.setdefault((run.label, run.model, run.scenario), set()).add(run.condition)
        labelled[run.label] = labelled.get(run.label, 0) + 1
    ids: dict[str, None] = {}
    for run in runs.runs:
        scenario = runs.scenarios[run.scenario]
        if run.label >= 0:
            name = runs.labels[run.label] + (f":{scenario}" if labelled[run.label] > 1 else "")
        else:
            name = f"{scenario}{',' if ':' in scenario else ':'}model={runs.models[run.model]}"
        if len(conditions[run.label, run.model, run.scenario]) > 1:
            text = runs.conditions[run.condition] if run.condition >= 0 else ""
            name += f",condition={_condition_label(text)}"
        if run.is_split:
            name += f",date={_date_text(run.date)}"
        unique, copy = name, 2
        while unique in ids:
            unique, copy = f"{name}~{copy}", copy + 1
        ids[unique] = None
    return list(ids)


def _condition_fields(text: str) -> dict[str, Any]:
    """Give a condition's fields: those of a JSON object, else the text as one field.

    Examples
    --------
    >>> _condition_fields('{"shots": 5}'), _condition_fields("5-shot")
    ({'shots': 5}, {'condition': '5-shot'})
    """
    try:
        raw = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        raw = None
    return raw if isinstance(raw, dict) else {"condition": text}


def _condition_label(text: str) -> str:
    """Write a condition for the name of a run."""
    fields = _condition_fields(text)
    if set(fields) == {"condition"}:
        return text
    words = (v if isinstance(v, str) else canonical_json(v) for v in fields.values())
    return ";".join(f"{key}={word}" for key, word in zip(fields, words, strict=True))


def _date_text(date: dt.datetime | None) -> str:
    if date is None:
        return "unknown"
    return date.date().isoformat() if date.time() == dt.time() else date.isoformat()


def _describe(
    source: str,
    places: Sequence[str],
    runs: Runs,
    ids: Sequence[str],
    facts: Mapping[str, ScenarioFacts],
    properties: Properties | None,
    folds: Sequence[Mapping[str, int]],
    own: Identity,
) -> list[RunDescription]:
    models = [_model(name, properties, own) for name in runs.models]
    scenarios = [_scenario(name, facts.get(name, NOTHING), own) for name in runs.scenarios]
    fields: list[dict[str, Any]] = [*map(_condition_fields, runs.conditions), {}]
    hashes = [condition_of(each) for each in fields]
    out = []
    for i, run in enumerate(runs.runs):
        model, organisation, family, released = models[run.model]
        scenario, group = scenarios[run.scenario]
        date = run.date or released
        out.append(
            RunDescription(
                run=ids[i],
                name=ids[i],
                source=source,
                kind=TableReader.kind,
                location=places[i],
                model=model,
                organisation=organisation,
                family=family,
                scenario=scenario,
                scenario_group=group,
                condition=hashes[run.condition],
                condition_fields=fields[run.condition],
                figures=run.figures,
                main=_main(run.figures),
                date=date,
                order=(date or dt.datetime.min,),
                folds=folds[i],
            )
        )
    return out


def _model(
    name: str, properties: Properties | None, own: Identity
) -> tuple[str, str | None, str | None, dt.datetime | None]:
    """Give model, organisation, family and release date; the user's own names come first."""
    model, organisation, family = own.model(name)
    if properties is None:
        return model, organisation, family, None
    entry = own.models.get(name)
    said = entry if isinstance(entry, Mapping) else {}
    if "organisation" not in said:
        organisation = properties.get("organisation", name) or organisation
    if "family" not in said:
        family = properties.get("family", name) or family
    return model, organisation, family, properties.get("date", name)


def _scenario(name: str, facts: ScenarioFacts, own: Identity) -> tuple[str, str]:
    scenario, group = own.scenario(name)
    entry = own.scenarios.get(name)
    if facts.group and not (isinstance(entry, Mapping) and "scenario_group" in entry):
        group = facts.group
    return scenario, group


def _main(figures: Sequence[Figure]) -> tuple[str, str | None, str]:
    """Choose the main metric: the only one, else the first by order of appearance."""
    plain = [figure for figure in figures if figure.perturbation is None] or list(figures)
    metric = plain[0].metric
    only = all(figure.metric == metric for figure in figures)
    why = "the table's only metric" if only else "the first metric in the table"
    parts = [figure.part for figure in plain if figure.metric == metric]
    part = "test" if "test" in parts else parts[0]
    if len(set(parts)) > 1:
        why += ", the part called test" if part == "test" else ", its first part by name"
    return metric, part, why


def _frame(kind: str, properties: Properties | None, own: Identity) -> pd.DataFrame | None:
    """Give the properties under the names that runs have, with those that have a meaning."""
    if properties is None:
        return None
    rename = own.model if kind == "model" else own.scenario
    names = [str(name) for name in properties.frame.index]
    standard = {"group": "scenario_group"}
    frame = properties.frame.copy()
    for key in properties.attributes:
        column = standard.get(key, key)
        if key in ("bounded", "metric"):
            continue
        frame[column] = _series([properties.get(key, name) for name in names], frame.index)
    index_name = properties.frame.index.name
    frame = frame.rename(columns={kind: f"{kind}_in_file"}).reset_index(drop=True)
    frame.insert(0, kind, [rename(name)[0] for name in names])
    frame[kind] = frame[kind].astype("string")
    if index_name not in (None, kind, *frame.columns):
        frame.insert(1, index_name, names)
        frame[index_name] = frame[index_name].astype("string")
    return frame


def _series(values: Sequence[Any], index: Any) -> pd.Series:
    import pandas as pd

    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return pd.Series(values, index=index, dtype="boolean")
    if known and all(isinstance(value, dt.datetime) for value in known):
        return pd.Series(values, index=index, dtype="datetime64[us]")
    if all(isinstance(value, float) for value in known):
        return pd.Series(values, index=index, dtype="float64")
    return pd.Series(values, index=index, dtype="string")
