"""Logs of Inspect made up for a test, small and of any shape.

`sample` makes a sample, `log` a whole log as one JSON document, `write` puts it into a file as
Inspect would, ``.eval`` or ``.json`` by the file's name. `zipped` packs members into an archive
of any sort, broken ones too.

>>> made = log([sample(1, "C"), sample(2, "I")], task="sums")
>>> made["results"]["scores"][0]["metrics"]["accuracy"]["value"]
0.5
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import zstandard

from suites.inspect.values import number_of

STORED, DEFLATED, ZSTANDARD = 0, 8, 93
CREATED = "2026-03-01T10:00:00+00:00"


# ---------- samples and logs


def sample(id: Any, value: Any = None, epoch: int = 1, **fields: Any) -> dict[str, Any]:
    """Make a sample of the scorer ``match``; ``scores={scorer: value}`` gives it others.

    A value of None, and no ``scores``, is a sample without scores.
    """
    scores = fields.pop("scores", {} if value is None else {"match": value})
    return {
        "id": id,
        "epoch": epoch,
        "input": f"question {id}",
        "target": "yes",
        "scores": {name: {"value": v} for name, v in scores.items()},
        "uuid": f"uuid-{id}-{epoch}",
        **fields,
    }


def log(
    samples: Sequence[dict[str, Any]],
    *,
    task: str = "sums",
    model: str = "openai/gpt-5",
    id: str = "e1",
    task_id: str | None = None,
    created: str = CREATED,
    status: str = "success",
    epochs: int | None = None,
    reducers: Sequence[str] | None = None,
    scores: Sequence[dict[str, Any]] | None = None,
    metric: str = "accuracy",
    eval: dict[str, Any] | None = None,
    **top: Any,
) -> dict[str, Any]:
    """Make a log; its published figures follow Inspect's rule unless ``scores`` gives others.

    Parameters
    ----------
    samples : sequence of dict
        See `sample`.
    task, model, id, task_id, created, status : str
        Of the header. The task's id is the log's unless it is given.
    epochs, reducers : int, sequence of str
        Of the configuration; by default as many epochs as the samples have.
    scores : sequence of dict, optional
        ``results.scores``, see `score`; by default one for each scorer, the mean under ``metric``.
    eval : dict, optional
        Further fields of ``eval``, or others in place of these.
    **top
        Further fields of the log.
    """
    ids = list(dict.fromkeys(s["id"] for s in samples))
    most = max((s["epoch"] for s in samples), default=1)
    if scores is None:
        names = dict.fromkeys(name for s in samples for name in s["scores"] or {})
        scores = [score(name, {metric: mean(samples, name)}, len(ids)) for name in names]
    config = {"epochs": epochs or most}
    if reducers is not None:
        config["epochs_reducer"] = list(reducers)
    finished = status == "success"
    results = {
        "total_samples": len(ids) * (epochs or most),
        "completed_samples": sum(not s.get("error") for s in samples),
        "scores": list(scores),
    }
    return {
        "version": 2,
        "status": status,
        "eval": {
            "eval_id": id,
            "run_id": f"run-of-{id}",
            "created": created,
            "task": task,
            "task_id": task_id or f"task-of-{id}",
            "task_version": 0,
            "task_args": {},
            "dataset": {"name": task, "samples": len(ids), "sample_ids": ids},
            "model": model,
            "config": config,
            **(eval or {}),
        },
        "plan": {"steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": results if finished else None,
        "stats": {"started_at": created, "completed_at": created, "model_usage": {}},
        **top,
        "samples": list(samples),
    }


def score(
    name: str,
    metrics: dict[str, float],
    scored: int | None = None,
    *,
    scorer: str | None = None,
    reducer: str | None = None,
) -> dict[str, Any]:
    """Make one entry of ``results.scores``."""
    return {
        "name": name,
        "scorer": scorer or name,
        "reducer": reducer,
        "scored_samples": scored,
        "unscored_samples": 0,
        "metrics": {k: {"name": k, "value": v, "params": {}} for k, v in metrics.items()},
    }


def mean(samples: Iterable[dict[str, Any]], scorer: str) -> float:
    """Give the mean over instances of the mean over epochs, as Inspect's ``accuracy``."""
    of_id: dict[Any, list[float]] = {}
    for each in samples:
        number = number_of((each["scores"] or {}).get(scorer, {}).get("value"))
        if number == number:
            of_id.setdefault(each["id"], []).append(number)
    means = [sum(values) / len(values) for values in of_id.values()]
    return sum(means) / len(means) if means else 0.0


# ---------- files


def write(path: Path | str, log: dict[str, Any], **shape: Any) -> Path:
    """Write a log, as an archive or as JSON by the name's end; ``shape`` goes to `members`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(log), encoding="utf-8")
    else:
        method = shape.pop("method", DEFLATED)
        path.write_bytes(zipped(members(log, **shape), method))
    return path


def members(
    log: dict[str, Any],
    *,
    header: bool = True,
    summaries: bool = True,
    journal: Sequence[Sequence[dict[str, Any]]] = (),
    samples: bool = True,
    reductions: Sequence[dict[str, Any]] | None = None,
) -> list[tuple[str, bytes]]:
    """Give the members of an ``.eval`` archive in the order in which Inspect writes them.

    Parameters
    ----------
    log : dict
        See `log`.
    header, summaries, samples : bool
        Whether header.json, summaries.json and the samples are there; without its header a log
        is unfinished.
    journal : sequence of sequences of samples
        Batches of summaries, numbered from 1.
    reductions : sequence of dict, optional
        reductions.json.
    """
    head = {k: v for k, v in log.items() if k not in ("samples", "reductions")}
    start = {k: head[k] for k in ("version", "eval", "plan") if k in head}
    out: list[tuple[str, Any]] = [("_journal/start.json", start)]
    if samples:
        out += [(f"samples/{s['id']}_epoch_{s['epoch']}.json", s) for s in log["samples"]]
    out += [
        (f"_journal/summaries/{number}.json", [summary(s) for s in batch])
        for number, batch in enumerate(journal, start=1)
    ]
    if summaries:
        out.append(("summaries.json", [summary(s) for s in log["samples"]]))
    if reductions is not None:
        out.append(("reductions.json", list(reductions)))
    if header:
        out.append(("header.json", head))
    return [(name, json.dumps(content).encode()) for name, content in out]


def summary(sample: dict[str, Any]) -> dict[str, Any]:
    """Give what a summary keeps of a sample: no invalidation, of an error the message."""
    kept = {
        k: v
        for k, v in sample.items()
        if k not in ("messages", "output", "events", "attachments", "invalidation", "error_retries")
    }
    for name, part in (("error", "message"), ("limit", "type")):
        if isinstance(kept.get(name), dict):
            kept[name] = kept[name][part]
    return kept


# ---------- archives


def zipped(
    members: Iterable[tuple[str, bytes]],
    method: int = DEFLATED,
    *,
    frames: int = 1,
    flags: int = 0,
    zip64: bool = False,
    size: int | None = None,
    crc: int | None = None,
    offset: int | None = None,
    prefix: bytes = b"",
    comment: bytes = b"",
) -> bytes:
    """Pack members into an archive; a name that comes twice is in it twice.

    Parameters
    ----------
    members : iterable of (str, bytes)
        Names and contents.
    method : int
        0, 8 or 93; another one is written as it is, its content stored.
    frames : int
        Frames of Zstandard of each member.
    flags : int
        Of each entry; 1 says that it is encrypted.
    zip64 : bool
        Sizes and places as 64-bit numbers, as archives above 4 GiB have.
    size, crc, offset : int, optional
        What the directory declares of each member, in place of the truth.
    prefix, comment : bytes
        Before and at the end of the archive.
    """
    body, directory, count = bytearray(), bytearray(), 0
    for name, data in members:
        raw, packed = name.encode("utf-8", "replace"), _pack(data, method, frames)
        sums = crc if crc is not None else zlib.crc32(data)
        declared = len(data) if size is None else size
        place = len(body) if offset is None else offset
        body += struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 45, flags, method, 0, 0, sums, len(packed), len(data),
            len(raw), 0,
        )  # fmt: skip
        body += raw + packed
        wide = struct.pack("<2H3Q", 1, 24, declared, len(packed), place) if zip64 else b""
        three = [0xFFFFFFFF] * 3 if zip64 else [len(packed), declared, place]
        directory += struct.pack(
            "<4s4B4H3L5H2L", b"PK\x01\x02", 45, 3, 45, 0, flags, method, 0, 0, sums, three[0],
            three[1], len(raw), len(wide), 0, 0, 0, 0, three[2],
        )  # fmt: skip
        directory += raw + wide
        count += 1
    start, end = len(body), bytearray()
    if zip64:
        end += struct.pack(
            "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start
        )
        end += struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
    told = [0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF] if zip64 else [count, len(directory), start]
    end += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, told[0], *told, len(comment)) + comment
    return bytes(prefix + body + directory + end)


def _pack(data: bytes, method: int, frames: int) -> bytes:
    if method == DEFLATED:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(data) + deflate.flush()
    if method == ZSTANDARD:
        step = -(-len(data) // frames) or 1
        parts = [data[at : at + step] for at in range(0, len(data), step)] or [b""]
        return b"".join(zstandard.ZstdCompressor().compress(part) for part in parts)
    return data
