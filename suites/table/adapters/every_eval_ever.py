"""Every Eval Ever: records of published results, and their rows of single answers.

A record (JSON) has the results of one model in one evaluation; its rows (JSONL) the answers behind
them. Schema versions 0.2 and 0.3 are read alike: what one lacks is null.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from suites.identity import argument_text
from suites.table.adapters.documents import (
    Document,
    Tally,
    beside,
    date_of,
    is_there,
    mapping_of,
    number_of,
    read_document,
    read_lines,
    shown,
    text_of,
)
from suites.table.adapters.head import Head, shows
from suites.table.adapters.long_table import Builder, Cell, LongTable, condition_text
from suites.table.file import Note
from suites.table.rows import Findings

_RECORD = (("evaluation_id", "evaluation_results"), ("evaluation_id", "model_info"))
_ROWS = (("evaluation_id", "sample_id", "model_id"), ("evaluation_id", "sample_id", "evaluation"))
_UNNAMED_METRIC = "score"
_SETTINGS = ("temperature", "top_p", "top_k", "max_tokens", "reasoning", "max_attempts")
_DETAILS = ("agent_scaffold", "inference_effort")


@dataclass(frozen=True)
class _Result:
    """One result of a record, with what tells evaluations of one name apart."""

    row: int
    id: str | None
    name: str
    dataset: str | None
    benchmark: str | None
    cell: Cell
    value: float | None
    n: float | None
    stderr: float | None


@dataclass(frozen=True)
class _Record:
    document: Document
    id: str | None
    results: list[_Result]


def knows(head: Head) -> bool:
    """Say whether a file is a record, or has the rows of one.

    Examples
    --------
    >>> knows(Head(("schema_version", "evaluation_id", "model_info", "evaluation_results")))
    True
    """
    return shows(head, (*_RECORD, *_ROWS))


def read(files: Sequence[Document], is_folder: bool, findings: Findings) -> list[LongTable]:
    """Read records and rows; rows get what their record says of them.

    Parameters
    ----------
    files : sequence of Document
        Records and rows.
    is_folder : bool
        Whether these are all files; else a record's rows, or the rows' record, are looked for
        beside the one file.
    findings : Findings
        Takes what cannot be read.
    """
    rows = [file for file in files if shows(file.head, _ROWS)]
    documents = [file for file in files if file not in rows]
    if not is_folder and rows:
        documents = _record_beside(rows[0])
    records = []
    for document in documents:
        note = findings.file(document.name)
        content = read_document(document, note)
        if content is None:
            continue
        records.append(_record(document, content, note))
        if not is_folder and not rows:
            rows = _rows_beside(document, content, note)
    _tell_apart(records)
    tables = [_figures(record) for record in records]
    known = {record.id: record for record in records if record.id is not None}
    tables += [_responses(file, known, findings.file(file.name)) for file in rows]
    return [table for table in tables if len(table.number)]


def _record(document: Document, content: Mapping[str, Any], note: Note) -> _Record:
    tally = Tally(note)
    label = text_of(content.get("evaluation_id"))
    info = mapping_of(content.get("model_info"))
    model = text_of(info.get("id")) or text_of(info.get("name"))
    of_model = mapping_of(info.get("additional_details"))
    listed = content.get("evaluation_results")
    results = []
    if model is None:
        tally.add("no-model", None, "model_info.id is missing; the record is left out")
    elif not isinstance(listed, list) or not listed:
        tally.add("bad-content", None, "evaluation_results is not a list of results")
    else:
        base = Cell(
            label,
            model,
            "",
            "",
            organisation=_organisation(info.get("developer")),
            date=date_of(content.get("evaluation_timestamp")),
        )
        for i, raw in enumerate(listed, start=1):
            result = _result(i, mapping_of(raw), base, of_model, tally)
            if result is not None:
                results.append(result)
    tally.flush()
    return _Record(document, label, results)


def _result(
    row: int, raw: Mapping[str, Any], base: Cell, of_model: Mapping[str, Any], tally: Tally
) -> _Result | None:
    """Read one result; None where it does not say of what it is."""
    name = text_of(raw.get("evaluation_name"))
    if name is None:
        tally.add("missing-name", row, "evaluation_name is missing; the result is left out")
        return None
    config = mapping_of(raw.get("metric_config"))
    details = mapping_of(raw.get("score_details"))
    data = mapping_of(raw.get("source_data"))
    spread = mapping_of(details.get("uncertainty"))
    error = spread.get("standard_error")
    n = number_of(spread.get("num_samples"))
    lower, upper = _bound(config.get("min_score")), _bound(config.get("max_score"))
    if lower is not None and upper is not None and lower >= upper:
        said = f"the least score {lower:g} is not below the greatest {upper:g}; both are left out"
        tally.add("bad-metadata", row, said)
        lower = upper = None
    value = number_of(details.get("score"))
    if value is None:
        said = f"{name}: the score is {shown(details.get('score'))}, not a number"
        tally.add("bad-value", row, said)
    if config.get("has_unknown_level") is True and value == -1:
        value = None  # a level that stands for 'unknown'
    down = config.get("lower_is_better")
    metric = (
        text_of(config.get("metric_id"))
        or text_of(config.get("metric_name"))
        or text_of(config.get("evaluation_description"))
        or name
    )
    cell = replace(
        base,
        scenario=name,
        metric=metric,
        condition=_condition(mapping_of(raw.get("generation_config")), of_model),
        date=date_of(raw.get("evaluation_timestamp")) or base.date,
        lower=lower,
        upper=upper,
        higher_is_better=float(not down) if isinstance(down, bool) else None,
    )
    parts = (base.run or "").split("/")
    return _Result(
        row,
        text_of(raw.get("evaluation_result_id")),
        name,
        text_of(data.get("dataset_name")),
        parts[0] if len(parts) > 2 else None,
        cell,
        value,
        n if n is not None else number_of(data.get("samples_number")),
        number_of(error["value"] if isinstance(error, dict) and "value" in error else error),
    )


def _organisation(developer: Any) -> str | None:
    name = text_of(developer)
    return None if name is None or name.lower() == "unknown" else name


def _bound(value: Any) -> float | None:
    """Give a least or greatest score; infinities, also as text, are none."""
    number = number_of(value)
    return (
        number if number is not None and abs(number) != float("inf") and number == number else None
    )


def _condition(config: Mapping[str, Any], of_model: Mapping[str, Any]) -> str | None:
    """Say how it was asked, by the settings that do not depend on the model or the machine."""
    settings = mapping_of(config.get("generation_args"))
    more = {**of_model, **mapping_of(config.get("additional_details"))}
    fields = {key: settings.get(key) for key in _SETTINGS}
    fields |= {key: text_of(more.get(key)) for key in _DETAILS}
    shots = text_of(more.get("num_fewshot"))
    fields["shots"] = int(shots) if shots and re.fullmatch("[0-9]{1,9}", shots) else shots
    plain = {k: v for k, v in fields.items() if isinstance(v, str | bool | int | float)}
    return condition_text(plain)


def _tell_apart(records: Sequence[_Record]) -> None:
    """Name the dataset, or the benchmark, in scenarios that would else have one name."""
    datasets: dict[str, set[str | None]] = {}
    benchmarks: dict[tuple[str, str | None], set[str | None]] = {}
    for record in records:
        for result in record.results:
            datasets.setdefault(result.name, set()).add(result.dataset)
            benchmarks.setdefault((result.name, result.dataset), set()).add(result.benchmark)
    for record in records:
        for i, result in enumerate(record.results):
            marks = []
            if result.dataset and len(datasets[result.name]) > 1:
                marks.append(f"dataset={argument_text(result.dataset)}")
            if result.benchmark and len(benchmarks[result.name, result.dataset]) > 1:
                marks.append(f"benchmark={argument_text(result.benchmark)}")
            if marks:
                cell = replace(result.cell, scenario=f"{result.name}:{','.join(marks)}")
                record.results[i] = replace(result, cell=cell)


def _figures(record: _Record) -> LongTable:
    builder = Builder(record.document.location, record.document.name, has_figures=True)
    for result in record.results:
        builder.add(result.row, result.cell, result.value, n=result.n, stderr=result.stderr)
    return builder.table()


def _responses(file: Document, known: Mapping[str, _Record], note: Note) -> LongTable:
    """Read the rows of single answers; repeats of a sample are trials."""
    builder = Builder(file.location, file.name, has_figures=False)
    tally = Tally(note)
    cells: dict[tuple[str | None, ...], Cell | None] = {}
    count: dict[tuple[Cell, str], int] = {}
    for number, row in read_lines(file, note, tally):
        key = tuple(
            text_of(row.get(name))
            for name in ("evaluation_id", "model_id", "evaluation_name", "evaluation_result_id")
        )
        if key not in cells:
            cells[key] = _cell(key, known.get(key[0] or ""), number, tally)
        cell = cells[key]
        sample = text_of(row.get("sample_id"))
        if cell is None or sample is None:
            said = "model_id, evaluation_name or sample_id is missing; the row is left out"
            tally.add("missing-name", number, said)
            continue
        score = mapping_of(row.get("evaluation")).get("score")
        value, status = number_of(score), None
        if row.get("error"):
            value, status = None, "error"
            tally.add("failed-response", number, "the answer failed; it has no value")
        elif value is None and score is not None:
            said = f"the score is {shown(score)}, not a number; the row has no value"
            tally.add("bad-value", number, said)
        trial = count[cell, sample] = count.get((cell, sample), -1) + 1
        hash_ = text_of(row.get("sample_hash"))
        builder.add(
            number, cell, value, instance=sample, trial=trial, instance_hash=hash_, status=status
        )
    tally.flush()
    return builder.table()


def _cell(
    key: tuple[str | None, ...], record: _Record | None, number: int, tally: Tally
) -> Cell | None:
    """Find the result that rows belong to: by its id, else by the evaluation's name."""
    label, model, name, result_id = key
    results = record.results if record is not None else []
    found = [r for r in results if result_id is not None and r.id == result_id]
    found = found or [r for r in results if name is not None and r.name == name]
    if len({result.cell for result in found}) == 1:
        return found[0].cell
    if model is None or name is None:
        return None
    if found:
        said = f"{name}: the rows do not say which of its {len(found)} metrics they have"
        hint = "evaluation_result_id says it"
        tally.add("unclear-metric", number, f"{said}; it is called {_UNNAMED_METRIC}", hint, name)
        return replace(
            found[0].cell, metric=_UNNAMED_METRIC, lower=None, upper=None, higher_is_better=None
        )
    if results:
        said = f"{name}: the record has no such evaluation"
        tally.add("no-figure", number, said, "", name)
        return replace(Cell(label, results[0].cell.model, name, _UNNAMED_METRIC),
                       organisation=results[0].cell.organisation)  # fmt: skip
    return Cell(label, model, name, _UNNAMED_METRIC)


def _rows_beside(record: Document, content: Mapping[str, Any], note: Note) -> list[Document]:
    """Find the rows that a record names, beside it."""
    named = text_of(mapping_of(content.get("detailed_evaluation_results")).get("file_path"))
    if named is None:
        return []
    name = posixpath.basename(named.replace("\\", "/"))
    location = beside(record.location, name)
    if not is_there(location):
        said = f"its single answers are in {named}, which is not beside it"
        note("missing-file", said, "put it into the same folder")
        return []
    return [Document(location, name, Head())]


def _record_beside(rows: Document) -> list[Document]:
    """Find the record that rows belong to: of the same name, beside them."""
    name = re.split(r"[/\\]", rows.location)[-1]
    stem = re.sub(r"(_samples)?\.jsonl(\.(gz|bz2|zst))?$", "", name, flags=re.IGNORECASE)
    found = beside(rows.location, f"{stem}.json")
    return [Document(found, f"{stem}.json", Head())] if is_there(found) else []
