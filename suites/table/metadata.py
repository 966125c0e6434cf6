"""Properties of a table's models and scenarios, and its prescribed folds, joined by name.

Properties come from a file of their own or from columns of the table; only the columns that the
YAML allows are ever shown to predictors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suites.errors import UsageError, unknown_name
from suites.table.columns import Coded, coded_of, plain_series
from suites.table.facts import ScenarioFacts
from suites.table.file import TableFile
from suites.table.roles import find_column
from suites.table.rows import Findings, Rows, natural_key
from suites.table.runs import parse_date
from suites.table.spec import FoldsSpec, MetadataSpec, TableSpec, locate, matching

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Properties:
    """Properties of models or scenarios.

    Attributes
    ----------
    frame : pandas.DataFrame
        Those that predictors may see: one row per name, which is the index, as read.
    attributes : mapping of str to (mapping of str to object)
        Attribute → name as read → value, where there is one.
    """

    frame: pd.DataFrame
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def get(self, attribute: str, name: str) -> Any:
        """Give an attribute of a model or scenario, None where unknown."""
        return self.attributes.get(attribute, {}).get(name)


def read_properties(
    kind: str, table: TableSpec, source: str, rows: Rows, findings: Findings
) -> Properties | None:
    """Read the properties of models or scenarios that a YAML names.

    Parameters
    ----------
    kind : str
        ``model`` or ``scenario``.
    table : TableSpec
        What the YAML says.
    source : str
        The source; a file may lie beside it.
    rows : Rows
        The table.
    findings : Findings
        Takes what is wrong.

    Returns
    -------
    Properties or None
        None where the YAML names none.

    Raises
    ------
    UsageError
        If the file is not there or cannot be read, or a column is not there.
    """
    spec = table.models if kind == "model" else table.scenarios
    if spec is None:
        return None
    where = f"{table.path or 'the explanation of the table'}: {kind}s"
    names = rows.text[kind].names
    if spec.file is None:
        frame = _own_columns(kind, spec, rows, findings)
        given = matching(spec.columns or (), list(frame.columns))
    else:
        location = locate(spec.file, table.path, source)
        if location is None:
            raise UsageError(
                f"{where}.file: there is no {spec.file!r} beside {table.path or source}"
                f"{'' if table.path in (None, source) else f' or beside {source}'}."
            )
        frame = _from_file(kind, spec, location, where, findings)
        shown = list(frame.columns)
        given = shown if spec.columns is None else matching(spec.columns, shown)
        absent = sorted(set(names) - set(frame.index))
        findings.plain(
            "no-metadata",
            [f"the {kind} {name!r} is not in {spec.file}" for name in absent],
            f"add it, or correct {kind}s.name in the YAML",
            spec.file,
        )
    for glob in spec.columns or ():
        if not matching([glob], [*map(str, frame.columns), str(frame.index.name)]):
            raise UsageError(f"{where}.columns: {unknown_name('column', glob, frame.columns)}")
    attributes: dict[str, dict[str, Any]] = {}
    for key, attribute in spec.attributes.items():
        if attribute.column is not None:
            if attribute.column not in frame.columns:
                message = unknown_name("column", attribute.column, frame.columns)
                raise UsageError(f"{where}.{key}: {message}")
            found = dict(zip(frame.index, frame[attribute.column], strict=True))
        else:
            found = {name: attribute.constant(name) for name in {*names, *frame.index}}
        attributes[key] = _typed(key, found, findings, spec.file or "")
    return Properties(frame[given], attributes)


def scenario_facts(
    properties: Properties | None, names: Sequence[str], findings: Findings
) -> dict[str, ScenarioFacts]:
    """Give what the metadata says of each scenario, by name as read."""
    if properties is None:
        return {}
    facts = {}
    for name in names:
        known = {key: properties.get(key, name) for key in properties.attributes}
        lower, upper = known.get("lower"), known.get("upper")
        if lower is not None and upper is not None and lower >= upper:
            said = f"{name!r}: the least value {lower:g} is not below the greatest {upper:g}"
            findings.plain("bad-metadata", [f"{said}; both are left out"])
            known["lower"] = known["upper"] = None
        facts[name] = ScenarioFacts(**known)
    return facts


def fold_columns(
    rows: Rows, sorted_rows: NDArray[Any], starts: NDArray[Any], findings: Findings
) -> dict[str, Coded]:
    """Give the table's own fold columns, one value per run.

    Parameters
    ----------
    rows : Rows
        The table.
    sorted_rows : ndarray of int64, shape (S,)
        Its rows by run.
    starts : ndarray of int64, shape (R,)
        Where each run starts among them.
    findings : Findings
        Takes the folds that differ within a run; such a run has none.
    """
    folds = {}
    for fold, column in rows.layout.folds.items():
        codes = rows.extra[column].codes[sorted_rows]
        least, most = np.minimum.reduceat(codes, starts), np.maximum.reduceat(codes, starts)
        differs = int((least != most).sum())
        if differs:
            said = f"{fold}: differs within {differs} runs, which have no such fold"
            findings.plain("bad-fold", [said])
        folds[fold] = Coded(np.where(least == most, least, np.int32(-1)), rows.extra[column].names)
    return folds


def join_folds(
    spec: FoldsSpec,
    table: TableSpec,
    source: str,
    rows: Rows,
    firsts: NDArray[Any],
    findings: Findings,
) -> dict[str, Coded]:
    """Look each run up in a separate file of folds.

    Parameters
    ----------
    spec : FoldsSpec
        Which file, and how its rows are found.
    table, source, rows, findings
        As in `read_properties`.
    firsts : ndarray of int64, shape (R,)
        A row of each run.

    Returns
    -------
    dict of str to Coded
        Name of a fold → its text for each run.

    Raises
    ------
    UsageError
        If the file or a column is not there.
    """
    where = f"{table.path or 'the explanation of the table'}: folds"
    location = locate(spec.file, table.path, source)
    if location is None:
        raise UsageError(f"{where}.file: there is no {spec.file!r} beside {table.path or source}.")
    file = TableFile.open(location)
    columns: dict[str, str] = {}
    for name, glob in spec.columns:
        found = matching([glob], file.columns)
        if not found:
            raise UsageError(f"{where}.columns: {unknown_name('column', glob, file.columns)}")
        columns.update({name if name is not None else column: column for column in found})
    mine: list[Coded] = []
    for ours, theirs in spec.on:
        if theirs not in file.columns:
            raise UsageError(f"{where}.on: {unknown_name('column', theirs, file.columns)}")
        column = rows.extra.get(ours, rows.text.get(ours))
        if column is None:
            known = [*rows.extra, *rows.text]
            raise UsageError(f"{where}.on: {unknown_name('column of the table', ours, known)}")
        mine.append(column.take(firsts))
    keys = [theirs for _, theirs in spec.on]
    needed = list(dict.fromkeys([*keys, *columns.values()]))
    content, _ = file.read(needed, findings.file(file.name))
    texts = {name: coded_of(content.column(name)) for name in needed}
    place: dict[tuple[str | None, ...], int] = {}
    repeated = 0
    for row in range(content.num_rows):
        key = tuple(texts[name].text(row) for name in keys)
        repeated += place.setdefault(key, row) != row
    if repeated:
        said = f"{repeated} rows repeat the keys {', '.join(keys)} of another; the first is kept"
        findings.plain("duplicate-fold", [said], file=file.name)
    found_at = [
        place.get(tuple(column.text(run) for column in mine), -1) for run in range(len(firsts))
    ]
    rows_found = np.array(found_at, np.int64)
    lost = int((rows_found < 0).sum())
    if lost:
        said = f"{lost} of {len(firsts)} runs are not in the file of folds"
        findings.plain("no-fold", [said], "check folds.on in the YAML", file.name)
    return {
        fold: Coded(
            np.where(rows_found < 0, np.int32(-1), texts[c].codes[rows_found]), texts[c].names
        )
        for fold, c in columns.items()
    }


def folds_of_runs(
    folds: Mapping[str, Coded], size: int, findings: Findings
) -> list[dict[str, int]]:
    """Give each run its folds as whole numbers; what is none is listed and left out.

    Examples
    --------
    >>> import numpy as np
    >>> quiet = Findings("t.csv", lambda problem: None)
    >>> folds_of_runs({"seed0": Coded(np.array([0, 1], np.int32), ["2", "x"])}, 2, quiet)
    [{'seed0': 2}, {}]
    """
    out: list[dict[str, int]] = [{} for _ in range(size)]
    for fold, column in folds.items():
        numbers: list[int | None] = []
        for name in column.names:
            found = re.fullmatch(r"\s*([0-9]{1,9})(\.0*)?\s*", name)
            numbers.append(int(found[1]) if found else None)
        wrong = [name for name, number in zip(column.names, numbers, strict=True) if number is None]
        findings.plain(
            "bad-fold",
            [f"{fold}: {name[:40]!r} is not a whole number; these runs have no such fold"
             for name in wrong],
        )  # fmt: skip
        for run, code in enumerate(column.codes.tolist()):
            number = numbers[code] if code >= 0 else None
            if number is not None:
                out[run][fold] = number
    return out


def _own_columns(kind: str, spec: MetadataSpec, rows: Rows, findings: Findings) -> pd.DataFrame:
    """Read properties from columns of the table itself; they must not differ within a name."""
    import pandas as pd
    import pyarrow as pa

    owner = rows.text[kind]
    named = owner.codes >= 0
    names = np.unique(owner.codes[named])
    wanted = {a.column for a in spec.attributes.values() if a.column is not None}
    wanted |= set(matching(spec.columns or (), list(rows.extra)))
    index = pd.Index([owner.names[code] for code in names], name=kind)
    columns = {}
    for name, column in rows.extra.items():
        if name not in wanted:
            continue
        says = np.flatnonzero(named & (column.codes >= 0))
        place = np.searchsorted(names, owner.codes[says])
        values = np.full(len(names), -1, np.int32)
        values[place[::-1]] = column.codes[says][::-1]  # the first that a name has
        differs = says[column.codes[says] != values[place]]
        unsure = np.unique(owner.codes[differs])
        findings.plain(
            "varying-metadata",
            [f"{name}: differs within the {kind} {owner.names[c]!r}; left out" for c in unsure],
        )
        values[np.isin(names, unsure)] = -1
        texts = [column.names[code] if code >= 0 else None for code in values]
        series = plain_series(pa.chunked_array([pa.array(texts, pa.string())]))
        columns[name] = series.set_axis(index)
    frame = pd.DataFrame(columns, index=index)
    return frame.loc[sorted(index, key=natural_key)]


def _from_file(
    kind: str, spec: MetadataSpec, location: str, where: str, findings: Findings
) -> pd.DataFrame:
    import pandas as pd

    file = TableFile.open(location)
    if spec.name is not None:
        if spec.name not in file.columns:
            raise UsageError(f"{where}.name: {unknown_name('column', spec.name, file.columns)}")
        name = spec.name
    else:
        found = find_column(kind, file.columns)
        if len(found) != 1:
            shown = ", ".join(map(repr, file.columns))
            raise UsageError(
                f"{where}.name: say which column of {file.name} has the {kind}s' names: {shown}."
            )
        name = found[0]
    table, _ = file.read(file.columns, findings.file(file.name))
    owner = coded_of(table.column(name))
    frame = pd.DataFrame(
        {c: plain_series(table.column(c)) for c in file.columns if c != name},
        index=pd.RangeIndex(table.num_rows),
    )
    frame.index = pd.Index([owner.text(row) for row in range(len(owner.codes))], name=name)
    frame = frame[frame.index.notna()]
    repeated = frame.index[frame.index.duplicated()].unique()
    findings.plain(
        "duplicate-metadata",
        [f"the {kind} {n!r} has several rows; the first is kept" for n in repeated],
        file=file.name,
    )
    return frame[~frame.index.duplicated()]


def _typed(key: str, found: Mapping[str, Any], findings: Findings, file: str) -> dict[str, Any]:
    """Give the values of an attribute their type; what does not fit is listed and left out."""
    read = _TYPES.get(key, _as_text)
    none = (0, "0") if key == "n_options" else ()  # 0 options: the answer is free text
    out: dict[str, Any] = {}
    wrong = []
    for name, raw in found.items():
        if raw is None or _is_missing(raw) or raw in none:
            continue
        value = read(raw)
        if value is None:
            wrong.append(f"{name!r}: {key} cannot be {str(raw)[:40]!r}; it is left out")
        else:
            out[name] = value
    findings.plain("bad-metadata", wrong, file=file)
    return out


def _is_missing(raw: Any) -> bool:
    import pandas as pd

    return raw is pd.NA or (isinstance(raw, float) and raw != raw)


def _as_text(raw: Any) -> str | None:
    return str(raw).strip() or None


def _as_number(raw: Any) -> float | None:
    try:
        value = float(raw)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def _as_options(raw: Any) -> float | None:
    value = _as_number(raw)
    return value if value is not None and value >= 1 else None


def _as_flag(raw: Any) -> bool | None:
    words = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
    return words.get(str(raw).strip().lower())


_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "lower": _as_number,
    "upper": _as_number,
    "n_options": _as_options,
    "bounded": _as_flag,
    "higher_is_better": _as_flag,
    "date": lambda raw: parse_date(str(raw)),
}
