"""`Header`: what a log says of itself: who was evaluated on what, how it ended, what came out.

Header documents differ over the years and may hold anything; every field is read for itself, and
one of another type than Inspect writes counts as absent.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

UNFINISHED = ("started", "cancelled", "error")
"""The states of a log whose evaluation did not come to its end."""

_BASE57 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class HeaderDocument(msgspec.Struct, gc=False):
    """The fields of header.json, of start.json and of a ``.json`` log that are used."""

    eval: Any = None
    status: Any = None
    version: Any = None
    plan: Any = None
    results: Any = None
    stats: Any = None
    error: Any = None
    invalidated: Any = None
    tags: Any = None
    metadata: Any = None
    log_updates: Any = None


@dataclass(frozen=True)
class ScoreResult:
    """The published figures of one scorer, or of one key of its scores, under one reducer.

    Attributes
    ----------
    name, scorer : str
        Name of the score and of the scorer that gave it.
    reducer : str or None
        How epochs were reduced; None for the implicit mean.
    scored, unscored : int or None
        Instances with and without a value.
    metrics : mapping of str to (float, mapping)
        Metric → value and parameters.
    """

    name: str
    scorer: str
    reducer: str | None
    scored: int | None
    unscored: int | None
    metrics: Mapping[str, tuple[float, Mapping[str, Any]]]


@dataclass(frozen=True)
class Header:
    """What a log says of itself.

    Attributes
    ----------
    version : int
        Of the format.
    status : str
        ``success``, ``started`` (unfinished, or its process died), ``cancelled`` or ``error``.
    eval_id : str
        The log's own id; where a version wrote none, a hash of run, task and time.
    run_id, task_id : str
        Of the call that made it; of the task, equal over retries.
    task, task_version, task_args : str, str or None, mapping
        What was asked. Arguments are those that were passed, where the log tells these apart.
    model : str
        As Inspect names it, with its provider.
    created : datetime or None
        UTC, without zone.
    spec, plan : mapping
        ``eval`` (without the arguments of the model's provider) and ``plan`` as they stand.
    sample_ids : list of str
        Ids of the selected samples, where the log has them.
    epochs, reducers : int, tuple of str
        Answers to each instance, and how they are reduced.
    total, completed : int or None
        Planned and completed samples, epochs counted.
    scores : sequence of ScoreResult
        Published figures.
    headline : mapping of str to str
        Which figure Inspect shows first, by ``scorer, score, metric, reducer``; what is not said
        is absent.
    invalidated : bool
        Whether samples were declared invalid afterwards.
    tags, metadata : list of str, mapping
        After later edits.
    error : str or None
        Why it failed.
    usage : mapping
        Model → token usage of the whole log.
    started, ended : str or None
        Times of the evaluation, as they stand.
    edited : bool
        Whether the log was edited after it was written.
    """

    version: int
    status: str
    eval_id: str
    run_id: str
    task_id: str
    task: str
    task_version: str | None
    task_args: Mapping[str, Any]
    model: str
    created: dt.datetime | None
    spec: Mapping[str, Any]
    plan: Mapping[str, Any]
    sample_ids: Sequence[str]
    epochs: int
    reducers: tuple[str, ...]
    total: int | None
    completed: int | None
    scores: Sequence[ScoreResult]
    headline: Mapping[str, str]
    invalidated: bool
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    error: str | None
    usage: Mapping[str, Any]
    started: str | None
    ended: str | None
    edited: bool = field(default=False)

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration of the evaluation (``eval.config``)."""
        return mapping(self.spec.get("config"))

    @property
    def package(self) -> str | None:
        """The version of Inspect that wrote the log."""
        return text(mapping(self.spec.get("packages")).get("inspect_ai"))

    @property
    def finished(self) -> bool:
        """Whether the evaluation came to its end."""
        return self.status == "success"


def read_header(document: HeaderDocument, *, unfinished: bool = False) -> Header | None:
    """Make a header of a document.

    Parameters
    ----------
    document : HeaderDocument
        header.json, start.json, or the top level of a ``.json`` log.
    unfinished : bool
        It is start.json: the log has no end, and its status is ``started``.

    Returns
    -------
    Header or None
        None when it names neither task nor model: then it is no log of Inspect.

    Examples
    --------
    >>> document = HeaderDocument(status="success", eval={"task": "a/b", "model": "openai/gpt-5"})
    >>> header = read_header(document)
    >>> header.task, header.model, header.epochs, header.finished
    ('a/b', 'openai/gpt-5', 1, True)
    """
    # what only the model's provider and the log viewer use, and may be large, is let go
    let_go = ("model_args", "viewer")
    spec = {k: v for k, v in mapping(document.eval).items() if k not in let_go or not v}
    task, model = text(spec.get("task")), text(spec.get("model"))
    if task is None or model is None:
        return None
    config, dataset = mapping(spec.get("config")), mapping(spec.get("dataset"))
    results, stats = mapping(document.results), mapping(document.stats)
    passed = spec.get("task_args_passed")
    args = mapping(passed if isinstance(passed, Mapping) else spec.get("task_args"))
    run_id, created = text(spec.get("run_id")) or "", moment(text(spec.get("created")))
    task_id = text(spec.get("task_id")) or ""
    status = "started" if unfinished else (text(document.status) or "started")
    tags, metadata = _effective(spec, document)
    own = text(spec.get("eval_id"))
    return Header(
        version=whole(document.version) or 0,
        status=status,
        eval_id=own or _made_id(run_id, task_id, f"{created.isoformat()}+00:00" if created else ""),
        run_id=run_id,
        task_id=task_id,
        task=task,
        task_version=_version(spec.get("task_version")),
        task_args=args,
        model=model,
        created=created,
        spec=spec,
        plan=mapping(document.plan),
        sample_ids=[str(i) for i in items(dataset.get("sample_ids"))],
        epochs=max(1, whole(config.get("epochs")) or 1),
        reducers=tuple(r for r in map(text, items(config.get("epochs_reducer"))) if r),
        total=whole(results.get("total_samples")),
        completed=whole(results.get("completed_samples")),
        scores=_scores(results),
        headline=_headline(results, spec),
        invalidated=document.invalidated is True,
        tags=tags,
        metadata=metadata,
        error=text(mapping(document.error).get("message")) or text(document.error),
        usage=mapping(stats.get("model_usage")),
        started=text(stats.get("started_at")),
        ended=text(stats.get("completed_at")),
        edited=bool(items(document.log_updates)),
    )


def _made_id(*parts: str) -> str:
    """Make the id that Inspect gives to logs without one: 128 bits of BLAKE2s in base 57."""
    digest = hashlib.blake2s("".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
    value, out = int.from_bytes(digest, "big"), ""
    while value:
        value, digit = divmod(value, 57)
        out = _BASE57[digit] + out
    return out[-22:].rjust(22, _BASE57[0])


def _version(value: Any) -> str | None:
    if isinstance(value, bool) or value in (0, "0", "", None):
        return None
    return str(value) if isinstance(value, int | float | str) else None


def _scores(results: Mapping[str, Any]) -> list[ScoreResult]:
    found = [_score(mapping(entry)) for entry in items(results.get("scores"))]
    if not found and mapping(results.get("metrics")):  # logs of early 2024 have one scorer
        scorer = text(mapping(results.get("scorer")).get("name")) or text(results.get("scorer"))
        found = [_score({"name": scorer or "score", "metrics": results.get("metrics")})]
    return [score for score in found if score is not None]


def _score(entry: Mapping[str, Any]) -> ScoreResult | None:
    name = text(entry.get("name"))
    if name is None:
        return None
    metrics: dict[str, tuple[float, Mapping[str, Any]]] = {}
    for key, metric in mapping(entry.get("metrics")).items():
        content = mapping(metric)
        value = number(content.get("value"))
        if value is not None:
            params = content.get("params", content.get("options"))
            metrics[str(key)] = (value, mapping(params))
    return ScoreResult(
        name=name,
        scorer=text(entry.get("scorer")) or name,
        reducer=text(entry.get("reducer")),
        scored=whole(entry.get("scored_samples")),
        unscored=whole(entry.get("unscored_samples")),
        metrics=metrics,
    )


def _headline(results: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, str]:
    for candidate in (results.get("headline"), spec.get("headline_metric")):
        said = {
            k: text(mapping(candidate).get(k)) for k in ("scorer", "score", "metric", "reducer")
        }
        found = {k: v for k, v in said.items() if v is not None}
        if found:
            return found
    return {}


def _effective(
    spec: Mapping[str, Any], document: HeaderDocument
) -> tuple[list[str], Mapping[str, Any]]:
    """Give tags and metadata as they are after edits.

    Logs since 0.3.195 carry the outcome at their top level; before, the edits are replayed.
    """
    tags = [t for t in map(text, items(spec.get("tags"))) if t]
    metadata = dict(mapping(spec.get("metadata")))
    for update in items(document.log_updates):
        for edit in items(mapping(update).get("edits")):
            change = mapping(edit)
            removed = {t for t in map(text, items(change.get("tags_remove"))) if t}
            tags = [t for t in tags if t not in removed]
            tags += [t for t in map(text, items(change.get("tags_add"))) if t and t not in tags]
            for key in items(change.get("metadata_remove")):
                metadata.pop(str(key), None)
            metadata |= mapping(change.get("metadata_set"))
    if isinstance(document.tags, list):
        tags = [t for t in map(text, document.tags) if t]
    if isinstance(document.metadata, dict):
        metadata = document.metadata
    return tags, metadata


# ---------- fields of any type


def text(value: Any) -> str | None:
    """Give a text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def whole(value: Any) -> int | None:
    """Give a whole number within 64 bits, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, int) and abs(value) < 2**63 else None


def number(value: Any) -> float | None:
    """Give a number, NaN and infinities among them, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def mapping(value: Any) -> Mapping[str, Any]:
    """Give a mapping, an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> Sequence[Any]:
    """Give a list, an empty one in place of anything else; a text is a list of one."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []


def moment(value: str | None) -> dt.datetime | None:
    """Read an ISO time with any offset as UTC without zone; None where it is none.

    Examples
    --------
    >>> moment("2025-05-12T20:27:36-04:00")
    datetime.datetime(2025, 5, 13, 0, 27, 36)
    """
    try:
        time = dt.datetime.fromisoformat(value or "")
        return time.astimezone(dt.UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        return None
