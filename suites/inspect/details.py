"""What Inspect logs say beside the common columns: the ``inspect.…`` columns of runs and responses.

Of a run: how it ended, ids, times, token usage, tags, metadata. Of a response: answer, explanation,
error, limit, retries, times, token usage, the sample's metadata.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from suites.identity import canonical_json
from suites.inspect.header import Header, items, mapping, number, text, whole
from suites.inspect.log import Log
from suites.inspect.rows import DetailedRow, DetailedScore
from suites.inspect.values import leaves

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "inspect."

MOST_COLUMNS = 500
"""Columns beside the common ones; of metadata with more keys the later ones are left out."""

_MARKS = ("...\n(content truncated)", "(content truncated)")
_TOKENS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "reasoning_tokens",
    "input_tokens_cache_read",
    "input_tokens_cache_write",
    "total_cost",
)
_LIMITS = ("message_limit", "token_limit", "time_limit", "working_limit", "cost_limit")


def run_details(log: Log, snapshot: str | None) -> dict[str, Any]:
    """Describe a log beside what all runs have.

    Examples
    --------
    >>> from suites.inspect.header import HeaderDocument, read_header
    >>> header = read_header(HeaderDocument(status="error", eval={"task": "t", "model": "m"}))
    >>> run_details(Log("a.eval", header, 10, True), None)["inspect.status"]
    'error'
    """
    header = log.header
    found: dict[str, Any] = {
        "status": header.status,
        "eval_id": header.eval_id,
        "run_id": header.run_id or None,
        "task_id": header.task_id or None,
        "task_version": header.task_version,
        "model_snapshot": snapshot,
        "version": header.package,
        "epochs": header.epochs,
        "reducers": ",".join(header.reducers) or None,
        "total_samples": header.total,
        "completed_samples": header.completed,
        "error": header.error,
        "tags": canonical_json(list(header.tags)) if header.tags else None,
        "started_at": header.started,
        "completed_at": header.ended,
        "file": log.location,
        **{name: whole(header.config.get(name)) for name in _LIMITS},
        **_usage(header.usage, header.model),
        **{f"metadata.{k}": v for k, v in islice(flattened(header.metadata), MOST_COLUMNS)},
    }
    return {PREFIX + name: value for name, value in found.items() if value is not None}


def response_details(
    header: Header, rows: Sequence[DetailedRow], places: Sequence[int], metrics: Sequence[str]
) -> dict[str, pa.Array]:
    """Give further columns of responses.

    Parameters
    ----------
    header : Header
        The log's.
    rows : sequence of DetailedRow
        Its samples.
    places : sequence of int, length R
        Each response's sample.
    metrics : sequence of str, length R
        Each response's metric.

    Returns
    -------
    dict of str to pyarrow.Array of length R
        Named ``inspect.…``; a column that nothing fills is left out.
    """
    of_sample = [dict(_sample(row, header)) for row in rows]
    columns: dict[str, list[Any]] = {}
    for at, (place, metric) in enumerate(zip(places, metrics, strict=True)):
        content = {**of_sample[place], **dict(_of_score(rows[place], metric))}
        for name, value in content.items():
            if value is not None:
                if name not in columns:
                    if len(columns) >= MOST_COLUMNS:
                        continue
                    columns[name] = [None] * len(places)
                columns[name][at] = value
    return {PREFIX + name: typed(values) for name, values in columns.items()}


def instance_hash(row: DetailedRow) -> str | None:
    """Hash a sample's question, target and options; None where the summary cut the text.

    None, too, where there is no question, or one that cannot be written as JSON.

    Examples
    --------
    >>> one, other = DetailedRow(id=1, input="2+2?", target="4"), DetailedRow(id=9, input="2+2?")
    >>> instance_hash(one) == instance_hash(other), len(instance_hash(one))
    (False, 16)
    """
    asked = [_plain(row.input), _plain(row.target), row.choices]
    if any(isinstance(part, str) and part.rstrip().endswith(_MARKS) for part in asked):
        return None
    if row.input is None:
        return None
    whole = _written(asked)
    return whole and hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16]


def flattened(value: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Give the leaves of nested mappings by dotted name; lists as JSON.

    Examples
    --------
    >>> dict(flattened({"level": 1, "nested": {"a": True, "b": [1, 2]}}))
    {'level': 1, 'nested.a': True, 'nested.b': '[1,2]'}
    """
    for key, inner in mapping(value).items():
        name = f"{prefix}{key}"
        if isinstance(inner, dict) and inner and depth < 8:
            yield from flattened(inner, f"{name}.", depth + 1)
        elif isinstance(inner, dict | list):
            yield name, _written(inner)
        elif inner is not None:
            yield name, inner


def typed(values: Sequence[Any]) -> pa.Array:
    """Make a column: bool, int64 or float64 where all values are, else text."""
    import pyarrow as pa

    kinds = {type(v) for v in values if v is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds <= {int, float}:
        if kinds == {int} and all(v is None or abs(v) < 2**63 for v in values):
            return pa.array(values, pa.int64())
        return pa.array([None if v is None else number(v) for v in values], pa.float64())
    return pa.array([None if v is None else _text(v) for v in values], pa.string())


def _sample(row: DetailedRow, header: Header) -> Iterator[tuple[str, Any]]:
    yield "uuid", text(row.uuid)
    yield "error", text(row.error) or text(mapping(row.error).get("message"))
    yield "limit", text(row.limit) or text(mapping(row.limit).get("type"))
    tries = len(items(row.error_retries)) if row.error_retries else whole(row.retries)
    yield "retries", tries
    for name in ("started_at", "completed_at"):
        yield name, text(getattr(row, name))
    for name in ("total_time", "working_time"):
        yield name, number(getattr(row, name))
    yield "message_count", whole(row.message_count)
    yield from _usage(mapping(row.model_usage), header.model).items()
    for name, value in flattened(row.metadata):
        yield f"metadata.{name}", value


def _of_score(row: DetailedRow, metric: str) -> Iterator[tuple[str, Any]]:
    """Say what is said of the score behind a response; nothing where several epochs are."""
    for name, score in (row.scores or {}).items():
        if isinstance(score, DetailedScore) and metric.startswith(name):
            found = dict(leaves(name, score.value))
            if metric in found:
                break
    else:
        return
    leaf = found[metric]
    if isinstance(leaf, str | dict | list) or _is_nan(leaf):
        yield "raw", _written(leaf)
    yield "answer", text(score.answer)
    yield "explanation", text(score.explanation)
    reason = text(score.reason) or text(mapping(score.metadata).get("unscored_reason"))
    yield "unscored_reason", reason


def _usage(usage: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Give the token usage of the evaluated model; graders and others are not counted."""
    own = mapping(usage.get(model))
    return {
        name: number(own.get(name)) if "cost" in name else whole(own.get(name)) for name in _TOKENS
    }


def _plain(value: Any) -> Any:
    """Give the text of an input: a text as it is, messages without their ids."""
    if not isinstance(value, list):
        return value
    return [[m.get("role"), m.get("content")] if isinstance(m, dict) else m for m in value]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return canonical_json(value)


def _written(value: Any) -> str | None:
    """Write JSON; None for what is nested too deeply to be written."""
    try:
        return canonical_json(value)
    except RecursionError:
        return None


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
