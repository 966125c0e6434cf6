"""lm-evaluation-harness: its results files, and its samples files beside them.

``results_<time>.json`` has the values of one model on several tasks, and
``samples_<task>_<time>.jsonl`` the single answers of one task; the same time says that they belong
together. The format is that of version 0.4; older results, without filters, are read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

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

_RESULTS = (
    ("results", "configs"),
    ("results", "versions"),
    ("results", "n-shot"),
    ("results", "group_subtasks"),
    ("results", "higher_is_better"),
)
_SAMPLES = (("doc_id", "resps"), ("doc_id", "filtered_resps"), ("doc_id", "doc_hash"))
_FILTERED = re.compile(r"[^,]+,[^,]+")
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}(?:\.[0-9]+)?"
_PACKED = r"(?:\.(?:gz|bz2|zst))?"
_RESULTS_NAME = re.compile(rf"(?:^|_)(?P<time>{_TIME})\.json{_PACKED}$", re.IGNORECASE)
_SAMPLES_NAME = re.compile(
    rf"^samples_(?P<task>.+?)(?:_(?P<time>{_TIME}))?\.jsonl?{_PACKED}$", re.IGNORECASE
)
_NO_FILTER = "none"
_NOT_METRICS = frozenset(["alias", "name", "sample_len", "sample_count", "bypass", ""])
_OF_SAMPLE = frozenset(
    (
        *("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"),
        *("doc_hash", "prompt_hash", "target_hash", "task_name"),
    )
)
_NOT_MEANS = frozenset(
    (
        *("perplexity", "weighted_perplexity", "bits_per_byte", "bleu", "chrf", "ter", "f1"),
        *("matthews_corrcoef", "brier_score", "median", "bypass"),
    )
)
"""lm-eval's own ways to put the answers' values together that are no means of them."""


@dataclass(frozen=True)
class _Results:
    """One results file: whose, and what its samples files need of it."""

    document: Document
    cell: Cell  # without scenario and metric
    tasks: Mapping[str, Cell]  # without metric
    better: Mapping[str, Mapping[str, Any]]  # task → metric → higher is better
    aggregations: Mapping[tuple[str, str], str]
    table: LongTable


def knows(head: Head) -> bool:
    """Say whether a file has results, or samples.

    Examples
    --------
    >>> knows(Head(("results",), ("alias", "acc,none", "acc_stderr,none")))
    True
    >>> knows(Head(("results",), ("accuracy",)))
    False
    """
    return shows(head, (*_RESULTS, *_SAMPLES)) or _is_cut(head)


def _is_cut(head: Head) -> bool:
    """Say whether what was seen of a long file is the beginning of results, or of a sample."""
    if head.whole:
        return False
    is_results = head.has("results") and any(_FILTERED.fullmatch(key) for key in head.deepest)
    return is_results or head.keys[:2] == ("doc_id", "doc")


def read(files: Sequence[Document], is_folder: bool, findings: Findings) -> list[LongTable]:
    """Read results and samples; samples get identity from the results of the same time.

    Parameters
    ----------
    files : sequence of Document
        Results and samples.
    is_folder : bool
        Whether these are all files; else what belongs to the one file is looked for beside it.
    findings : Findings
        Takes what cannot be read.
    """
    samples = [file for file in files if file.head.has("doc_id")]
    documents = [file for file in files if file not in samples]
    only: str | None = None
    if not is_folder and samples:
        documents, only = _results_beside(samples[0])
    results: dict[tuple[str, str | None], list[_Results]] = {}
    tables = []
    for document in documents:
        note = findings.file(document.name)
        content = read_document(document, note)
        found = None if content is None else _results(document, content, only, note)
        if found is None:
            continue
        tables.append(found.table)
        results.setdefault(_place(document), []).append(found)
        if not is_folder and not samples:
            samples = _samples_beside(document, found)
    for file in samples:
        note = findings.file(file.name)
        near = results.get(_place(file), [])
        table = _responses(file, near[0] if len(near) == 1 else None, note)
        if table is not None:
            tables.append(table)
    return [table for table in tables if len(table.number)]


# -- results --------------------------------------------------------------------------------------


def _results(
    document: Document, content: Mapping[str, Any], only: str | None, note: Note
) -> _Results | None:
    """Read a results file; None, and a finding, where it does not say whose they are."""
    model = _model(content)
    if model is None:
        model = _model_of_folder(document.location)
        if model is None:
            note("no-model", "does not name its model; the file is left out", _NAME_HINT)
            return None
        note("model-from-folder", f"does not name its model; by its folder it is {model!r}")
    base = Cell(
        None, model, "", "", date=date_of(content.get("date")) or _date_of_name(document.location)
    )
    tally = Tally(note)
    configs = mapping_of(content.get("configs"))
    groups = mapping_of(content.get("group_subtasks"))
    sizes = mapping_of(content.get("n-samples"))
    tasks: dict[str, Cell] = {}
    better: dict[str, dict[str, Any]] = {}
    aggregations: dict[tuple[str, str], str] = {}
    builder = Builder(document.location, document.name, has_figures=True)
    listed = mapping_of(content.get("results"))
    for place, (task, values) in enumerate(listed.items(), start=1):
        if groups.get(task) or (only is not None and _file_name(task) != _file_name(only)):
            continue
        if not isinstance(values, dict):
            tally.add("bad-content", place, f"{task}: {shown(values)} are no results")
            continue
        config = mapping_of(configs.get(task))
        tasks[task] = replace(
            base, scenario=text_of(task) or "", condition=_condition(content, task, config)
        )
        better[task] = dict(mapping_of(mapping_of(content.get("higher_is_better")).get(task)))
        for entry in config.get("metric_list") or ():
            metric = text_of(mapping_of(entry).get("metric"))
            if metric is not None:
                better[task].setdefault(metric, entry.get("higher_is_better"))
                aggregations[task, metric] = str(entry.get("aggregation"))
        size = sizes.get(task)
        n = number_of(size["effective"] if isinstance(size, dict) and "effective" in size else size)
        for metric, filter_, value, error in _values(task, values, place, tally):
            cell = _with_metric(tasks[task], metric, filter_, better[task])
            builder.add(place, cell, value, n=n, stderr=error)
    if not tasks:
        tally.add("bad-content", None, "has no results of tasks")
    tally.flush()
    return _Results(document, base, tasks, better, aggregations, builder.table())


def _values(
    task: str, values: Mapping[str, Any], place: int, tally: Tally
) -> Iterator[tuple[str, str, float | None, float | None]]:
    """Give the metrics of a task: name, filter, value and standard error."""
    has_filters = any("," in key for key in values)
    for key, raw in values.items():
        metric, _, filter_ = key.partition(",")
        if has_filters != ("," in key) or metric.strip() in _NOT_METRICS:
            continue
        if metric.endswith("_stderr"):
            continue
        value = number_of(raw)
        if value is None and raw not in ("N/A", None):
            tally.add("bad-value", place, f"{task}: {key} is {shown(raw)}, not a number")
        error = values.get(f"{metric}_stderr,{filter_}" if has_filters else f"{metric}_stderr")
        yield metric, filter_ or _NO_FILTER, value, number_of(error)


def _with_metric(cell: Cell, metric: str, filter_: str, better: Mapping[str, Any]) -> Cell:
    direction = better.get(metric)
    return replace(
        cell,
        metric=text_of(metric if filter_ == _NO_FILTER else f"{metric},{filter_}") or metric,
        higher_is_better=float(direction) if isinstance(direction, bool) else None,
    )


def _condition(content: Mapping[str, Any], task: str, config: Mapping[str, Any]) -> str | None:
    """Say how a task was asked: shots and version, and what the user changed for all tasks."""
    shots = mapping_of(content.get("n-shot")).get(task)
    version = mapping_of(content.get("versions")).get(task)
    if version is None:
        version = mapping_of(config.get("metadata")).get("version")
    general = mapping_of(content.get("config"))
    fields = {
        "shots": number_of(shots if shots is not None else config.get("num_fewshot")),
        "version": text_of(version) if isinstance(version, str) else number_of(version),
        # a template is the model's own: that there is one is what can be the same for all
        "chat_template": True if content.get("chat_template") else None,
        "multiturn": True if content.get("fewshot_as_multiturn") is True else None,
        "system_instruction": (text_of(content.get("system_instruction_sha")) or "")[:8] or None,
        "gen_kwargs": general.get("gen_kwargs") or None,
    }
    return condition_text(fields)


def _model(content: Mapping[str, Any]) -> str | None:
    """Find the model's name: as lm-eval took it from the model's arguments, else in these."""
    name = text_of(content.get("model_name"))
    if name is not None:
        return name
    arguments = mapping_of(content.get("config")).get("model_args")
    if isinstance(arguments, str):
        pairs = (part.partition("=") for part in arguments.split(","))
        arguments = {key.strip(): value.strip() for key, _, value in pairs}
    given = mapping_of(arguments)
    return text_of(given.get("pretrained")) or text_of(given.get("model"))


# -- samples --------------------------------------------------------------------------------------


def _responses(file: Document, results: _Results | None, note: Note) -> LongTable | None:
    """Read a samples file; None, and a finding, where it is not clear whose or of what it is."""
    name = _SAMPLES_NAME.match(_name(file.location))
    if name is None:
        said = "its name does not say its task; the file is left out"
        note("no-scenario", said, "lm-eval calls it samples_<task>_<time>.jsonl")
        return None
    task = name["task"]
    if results is not None:
        near = [known for known in results.tasks if _file_name(known) == _file_name(task)]
        task = task if task in near or not near else near[0]
        cell = results.tasks.get(task) or replace(results.cell, scenario=task)
    else:
        model = _model_of_folder(file.location)
        if model is None:
            said = "has no results file of its time beside it, so its model is unknown"
            note("no-model", f"{said}; it is left out", _NAME_HINT)
            return None
        said = f"has no results file of its time beside it; by its folder the model is {model!r}"
        note("model-from-folder", said)
        cell = Cell(None, model, task, "", date=_date_of_name(file.location))
    builder = Builder(file.location, file.name, has_figures=False)
    tally = Tally(note)
    better = results.better.get(task, {}) if results is not None else {}
    cells: dict[tuple[str, str], Cell | None] = {}
    count: dict[tuple[str, str, str], int] = {}
    unfiltered = _only_filter(results, task)
    for number, row in read_lines(file, note, tally):
        instance = text_of(row.get("doc_id"))
        if instance is None:
            tally.add("missing-name", number, "doc_id is missing; the row is left out")
            continue
        filter_ = text_of(row.get("filter")) or unfiltered
        if filter_ is None:
            said = "the row does not say its filter, and the task has several; it is left out"
            tally.add("no-filter", number, said)
            continue
        hash_ = text_of(row.get("doc_hash"))
        for metric in _metrics(row):
            if (metric, filter_) not in cells:
                how = results.aggregations.get((task, metric)) if results is not None else None
                cells[metric, filter_] = None
                if how in _NOT_MEANS:
                    said = f"{metric}: its value is no mean of the samples' values but their {how}"
                    tally.add("not-a-mean", number, f"{said}; these are left out", "", metric)
                else:
                    cells[metric, filter_] = _with_metric(cell, metric, filter_, better)
            found = cells[metric, filter_]
            raw = row.get(metric)
            if found is None or isinstance(raw, list | dict):  # what only all samples together give
                continue
            value = number_of(raw)
            if value is None and raw is not None:
                said = f"{metric} is {shown(raw)}, not a number; it has no value"
                tally.add("bad-value", number, said, "", metric)
            key = (metric, filter_, instance)
            trial = count[key] = count.get(key, -1) + 1
            builder.add(number, found, value, instance=instance, trial=trial, instance_hash=hash_)
    tally.flush()
    if not len(builder):
        note("no-responses", "has no sample with a number for a metric")
    return builder.table()


def _metrics(row: Mapping[str, Any]) -> list[str]:
    """Name a sample's metrics: those it lists, else its numbers."""
    listed = row.get("metrics")
    if isinstance(listed, list):
        names = [name for name in listed if isinstance(name, str)]
    else:
        names = [
            key
            for key, value in row.items()
            if key not in _OF_SAMPLE and isinstance(value, bool | int | float)
        ]
    return [name for name in dict.fromkeys(names) if name.strip() and name not in _NOT_METRICS]


def _only_filter(results: _Results | None, task: str) -> str | None:
    """Give the filter of samples that name none: the task's only one; None if it has several."""
    import pyarrow.compute as pc

    if results is None or task not in results.tasks:
        return _NO_FILTER
    of_task = results.table.table.filter(pc.equal(results.table.table["scenario"], task))
    metrics = pc.unique(of_task["metric"]).to_pylist()
    filters = {metric.partition(",")[2] or _NO_FILTER for metric in metrics}
    return (filters or {_NO_FILTER}).pop() if len(filters) <= 1 else None


# -- names ----------------------------------------------------------------------------------------

_NAME_HINT = "lm-eval keeps it in a folder named like the model, with __ for /"


def _name(location: str) -> str:
    return re.split(r"[/\\]", location)[-1]


def _place(document: Document) -> tuple[str, str | None]:
    """Give folder and time of a file: what results and their samples have in common."""
    name = _name(document.location)
    found = _RESULTS_NAME.search(name) or _SAMPLES_NAME.match(name)
    return document.location[: -len(name)], found["time"] if found is not None else None


def _date_of_name(location: str) -> str | None:
    name = _name(location)
    found = _RESULTS_NAME.search(name) or _SAMPLES_NAME.match(name)
    if found is None or found["time"] is None:
        return None
    day, _, time = found["time"].partition("T")
    return date_of(f"{day}T{time.replace('-', ':')}")


def _file_name(task: str) -> str:
    """Write a task as lm-eval does in a file's name."""
    return re.sub(r"\W", "_", task)


def _model_of_folder(location: str) -> str | None:
    """Give the model that lm-eval names a folder for; None where the name does not look so.

    Examples
    --------
    >>> _model_of_folder("out/meta-llama__Llama-3-8B/samples_qa.jsonl")
    'meta-llama/Llama-3-8B'
    >>> _model_of_folder("downloads/samples_qa.jsonl")
    """
    folder = re.split(r"[/\\]", location)[-2:-1]
    return folder[0].replace("__", "/") if folder and "__" in folder[0].strip("_") else None


def _results_beside(samples: Document) -> tuple[list[Document], str | None]:
    """Find the results file of a samples file's time, and the task they are wanted for."""
    name = _SAMPLES_NAME.match(_name(samples.location))
    if name is None:
        return [], None
    wanted = f"results_{name['time']}.json" if name["time"] else "results.json"
    for packing in ("", ".gz", ".zst"):
        found = beside(samples.location, wanted + packing)
        if is_there(found):
            return [Document(found, wanted + packing, Head())], name["task"]
    return [], None


def _samples_beside(document: Document, results: _Results) -> list[Document]:
    """Find the samples files of a results file's tasks and time."""
    time = _place(document)[1]
    found = []
    for task in results.tasks:
        names = dict.fromkeys(
            f"samples_{name}{f'_{time}' if time else ''}.jsonl{packing}"
            for name in (task, _file_name(task))
            for packing in ("", ".gz", ".zst")
        )
        for name in names:
            if "/" not in name and is_there(beside(document.location, name)):
                found.append(Document(beside(document.location, name), name, Head(("doc_id",))))
                break
    return found
