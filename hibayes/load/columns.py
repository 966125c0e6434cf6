"""The base columns of a log's samples, named as Inspect's own data frames name them.

Of the log: ``eval_id, eval_set_id, run_id, task_id, task_name, log, log_status, created, tags,
git_origin, git_commit, packages, metadata, model, model_base_url, model_args,
model_generate_config, model_roles``. Of the sample: ``sample_id, id, epoch, input, choices,
target, metadata_<key>, score_<scorer>, model_usage, total_tokens, total_time, working_time,
message_count, turn_count, token_limit_usage, error, limit, limit_reason, retries, fallbacks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hibayes.load.scores import column_of
from hibayes.load.views import LogRow, RunView, SampleView
from suites.inspect.header import Header, items, mapping, moment, text, whole
from suites.inspect.samples import input_text
from suites.inspect.values import leaves

_ENCODER = msgspec.json.Encoder()
_AS_LOGGED = (
    "total_time",
    "working_time",
    "turn_count",
    "token_limit_usage",
    "limit_reason",
    "fallbacks",
)


def of_log(run: RunView) -> dict[str, Any]:
    """Give the columns that are the same for all samples of a log."""
    header: Header = run.log.header
    spec, revision = header.spec, mapping(header.spec.get("revision"))
    created = moment(text(spec.get("created")))
    return {
        "eval_id": header.eval_id,
        "eval_set_id": text(spec.get("eval_set_id")),
        "run_id": header.run_id or None,
        "task_id": header.task_id or None,
        "task_name": header.task,
        "log": run.location,
        "log_status": header.status,
        "created": created,
        "tags": ",".join(header.tags),
        "git_origin": text(revision.get("origin")),
        "git_commit": text(revision.get("commit")),
        "packages": _json(spec.get("packages")),
        "metadata": _json(dict(header.metadata)),
        "model": header.model,
        "model_base_url": text(spec.get("model_base_url")),
        "model_args": _json(run.eval.model_args) if run.eval.model_args else None,
        "model_generate_config": _json(spec.get("model_generate_config")),
        "model_roles": _json(spec.get("model_roles")) if spec.get("model_roles") else None,
    }


def of_samples(rows: Sequence[LogRow], views: Sequence[SampleView]) -> dict[str, list[Any]]:
    """Give the columns that differ from sample to sample.

    ``metadata_<key>`` has each key of the sample's metadata, nested ones as JSON;
    ``score_<scorer>`` each scorer's value as logged, ``score_<scorer>_<key>`` each of a
    dictionary's or list's.
    """
    columns: dict[str, list[Any]] = {
        "sample_id": [row.uuid for row in rows],
        "id": [str(row.id) for row in rows],
        "epoch": [row.epoch for row in rows],
        "input": [said if type(said := row.input) is str else input_text(said) for row in rows],
        "choices": [_joined(row.choices) for row in rows],
        "target": [_joined(row.target) for row in rows],
    }
    metadata = [
        view.metadata if row.metadata is None else row.metadata
        for row, view in zip(rows, views, strict=True)
    ]
    columns |= _by_key("metadata", metadata)
    columns |= _by_key("score", [_scores(row) for row in rows])
    columns |= {
        "model_usage": [_json(row.model_usage) if row.model_usage else None for row in rows],
        "total_tokens": [_tokens(row.model_usage) for row in rows],
        "message_count": [row.message_count for row in rows],
        "error": [(row.error and _said(row.error, "message")) or "" for row in rows],
        "limit": [row.limit and _said(row.limit, "type") for row in rows],
        "retries": [_retries(row) for row in rows],
    }
    for name in _AS_LOGGED:
        values = [getattr(row, name) for row in rows]
        if any(value is not None for value in values):
            columns[name] = [v if isinstance(v, int | float | str) else None for v in values]
        else:
            columns[name] = values
    return columns


def _by_key(prefix: str, found: Sequence[Mapping[str, Any] | None]) -> dict[str, list[Any]]:
    """Give a column ``<prefix>_<key>`` for each key; what is nested as JSON."""
    keys = dict.fromkeys(key for each in found if each for key in each)
    columns = {}
    for key in keys:
        values = [each.get(key) if each else None for each in found]
        if not {dict, list}.isdisjoint(map(type, values)):
            values = [_json(v) if type(v) in (dict, list) else v for v in values]
        columns[f"{prefix}_{key}"] = values
    return columns


def _scores(row: LogRow) -> dict[str, Any]:
    """Give each scorer's value, or those of its keys and positions."""
    found: dict[str, Any] = {}
    for scorer, score in (row.scores or {}).items():
        if score is None:
            continue
        value = score.value
        if isinstance(value, dict | list):
            found |= {column_of(leaf): inner for leaf, inner in leaves(scorer, value)}
        else:
            found[scorer] = value
    return found


def _json(value: Any) -> str | None:
    return None if value is None else _ENCODER.encode(value).decode()


def _joined(value: Any) -> str | None:
    if isinstance(value, str) or value is None:
        return value
    return ",".join(str(each) for each in items(value)) or None


def _tokens(usage: Any) -> int | None:
    if not isinstance(usage, dict) or not usage:
        return None
    total = 0
    for each in usage.values():
        if isinstance(each, dict):
            total += whole(each.get("total_tokens")) or 0
    return total


def _said(value: Any, field: str) -> str | None:
    return text(value.get(field)) if isinstance(value, Mapping) else text(value)


def _retries(row: LogRow) -> int | None:
    return len(items(row.error_retries)) if row.error_retries else whole(row.retries)
