"""Inspect's own reading of logs, and how ours differs from it.

Run by a Python that has inspect_ai, it reads logs as Inspect does and writes a line of JSON for
each, of the shape of the stored readings (``oracle.jsonl.zst``)::

    python inspect_oracle.py FOLDER OUT.jsonl [NAME …]

Imported where benchcast is, it compares such lines with what benchcast reads (`compare`). Every
difference has a reason, which is told by a rule from the values that differ, never from the name
of the log; a difference that no rule explains has an empty one.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# ---------- Inspect's side


def main() -> None:
    """Read all logs below a folder, or those that are named, and write what Inspect says."""
    folder, out, *names = sys.argv[1:]
    root = Path(folder)
    found = names or [str(p.relative_to(root)) for p in sorted(root.rglob("*")) if p.is_file()]
    with open(out, "w", encoding="utf-8") as file:
        for name in found:
            file.write(json.dumps(_plain(_reading(root, name)), allow_nan=False) + "\n")


def _reading(root: Path, name: str) -> dict[str, Any]:
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    path = str(root / name)
    out: dict[str, Any] = {"file": name}
    header = _try(out, "header_refused", lambda: read_eval_log(path, header_only=True))
    if header is not None:
        out |= _header(header)
    rows = _try(out, "summaries_refused", lambda: read_eval_log_sample_summaries(path))
    if rows is not None:
        out["rows"] = [_row(row) for row in rows]
    log = _try(out, "full_refused", lambda: read_eval_log(path))
    if log is not None:
        samples = log.samples or []
        out["n_full_samples"] = len(samples)
        out["reductions"] = [_reduction(reduction) for reduction in log.reductions or []]
        invalid = [f"{s.id}@{s.epoch}" for s in samples if s.invalidation is not None]
        if invalid:
            out["invalidated_samples"] = invalid
    return out


def _header(log: Any) -> dict[str, Any]:
    spec, results = log.eval, log.results
    return {
        "version": log.version,
        "status": log.status,
        "invalidated": log.invalidated,
        "eval_id": spec.eval_id,
        "run_id": spec.run_id,
        "task_id": spec.task_id,
        "created": str(spec.created),
        "task": spec.task,
        "task_version": spec.task_version,
        "model": spec.model,
        "inspect": spec.packages.get("inspect_ai"),
        "epochs": spec.config.epochs,
        "epochs_reducer": spec.config.epochs_reducer,
        "dataset": spec.dataset.name,
        "n_dataset": spec.dataset.samples,
        "tags": log.tags,
        "metadata": log.metadata,
        "total_samples": results.total_samples if results else None,
        "completed_samples": results.completed_samples if results else None,
        "results": [
            {
                "name": score.name,
                "scorer": score.scorer,
                "reducer": score.reducer,
                "scored": score.scored_samples,
                "unscored": score.unscored_samples,
                "metrics": {key: metric.value for key, metric in score.metrics.items()},
            }
            for score in (results.scores if results else [])
        ],
    }


def _row(row: Any) -> dict[str, Any]:
    from inspect_ai.scorer import value_to_float

    convert = value_to_float()
    scores = {name: score.value for name, score in (row.scores or {}).items()}
    return {
        "id": row.id,
        "epoch": row.epoch,
        "scores": scores,
        "floats": {k: convert(v) for k, v in scores.items() if not isinstance(v, dict | list)},
        "error": row.error is not None,
        "limit": row.limit,
        "retries": row.retries,
        "uuid": row.uuid,
    }


def _reduction(reduction: Any) -> dict[str, Any]:
    values = {str(sample.sample_id): sample.value for sample in reduction.samples}
    return {
        "scorer": reduction.scorer,
        "reducer": reduction.reducer,
        "n": len(reduction.samples),
        "values": values,
    }


def _try(out: dict[str, Any], key: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as err:
        said = next(iter(str(err).replace(sys.argv[1].rstrip("/") + "/", "").splitlines()), "")
        out[key] = f"{type(err).__name__}: {said}"
        return None


def _plain(value: Any) -> Any:
    """Write numbers that JSON has not as texts: nan, inf, -inf."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


# ---------- the comparison

NO_NUMBER = "a text without a number is a missing value, not 0"
NULL = "null is a missing value, not 0"
INFINITE = "an infinite value is a missing value"
INVALIDATED = "an invalidated sample does not count"
FROM_SAMPLES = "summaries are incomplete or absent: the samples are read"
REFUSED_READ = "Inspect refuses the log; it is read here, as its JSON says"
REFUSED_BOTH = "refused by both; the problem names the file and the cause"
STALE = "the log's reduced scores do not follow from its samples, as Inspect too reads them"


@dataclass(frozen=True)
class Difference:
    """What differs between Inspect's reading of a log and ours.

    Attributes
    ----------
    file, what : str
        The log, and what of it.
    theirs, ours : object
        Both readings.
    reason : str
        Why; empty when no rule explains it.
    """

    file: str
    what: str
    theirs: Any
    ours: Any
    reason: str


def compare(record: dict[str, Any], root: Path) -> tuple[int, list[Difference]]:
    """Compare a reading of Inspect with ours.

    Parameters
    ----------
    record : dict
        One line of the readings.
    root : Path
        The folder that the names of files are relative to.

    Returns
    -------
    (int, list of Difference)
        How many facts were compared, and those that differ.
    """
    from suites.inspect.errors import LogError
    from suites.inspect.log import Log
    from suites.inspect.rows import DetailedRow

    name = record["file"]
    path = str(root / name)
    refused = {k: v for k, v in record.items() if k.endswith("_refused")}
    told: list[tuple[str, str, str]] = []
    try:
        log = Log.open(path)
        rows = log.rows(DetailedRow, lambda *finding: told.append(finding))
    except LogError as err:
        named = err.location == path and bool(err.what) and path in str(err)
        theirs = next(iter(refused.values()), "read")
        reason = REFUSED_BOTH if named and "header_refused" in refused else ""
        return 1, [Difference(name, "log", theirs, f"{err.code}: {err.what}", reason)]
    compared = _Comparison(record, log, rows)
    if "header_refused" not in refused:
        compared.header()
    if refused:
        same = _as_its_json(log, rows)
        compared.count += len(rows)
        for key, value in refused.items():
            read = f"{len(rows)} samples read"
            compared.differ(key.removesuffix("_refused"), value, read, REFUSED_READ if same else "")
    if "rows" in record:
        compared.rows_()
    compared.table()
    if "reductions" in record:
        compared.reductions()
    return compared.count, compared.differences


class _Comparison:
    def __init__(self, record: dict[str, Any], log: Any, rows: list[Any]) -> None:
        self.record = record
        self.log = log
        self.rows = {row.key: row for row in rows}
        self.count = 0
        self.differences: list[Difference] = []

    def differ(self, what: str, theirs: Any, ours: Any, reason: str = "") -> None:
        self.differences.append(Difference(self.record["file"], what, theirs, ours, reason))

    def check(self, what: str, theirs: Any, ours: Any, reason: str = "") -> None:
        self.count += 1
        if not _equal(theirs, ours):
            self.differ(what, theirs, ours, reason)

    def header(self) -> None:
        """Compare what the log says of itself."""
        import datetime as dt

        record, header = self.record, self.log.header
        created = dt.datetime.fromisoformat(record["created"])
        if created.tzinfo:
            created = created.astimezone(dt.UTC).replace(tzinfo=None)
        self.check("created", created, header.created)
        for key in ("version", "status", "invalidated", "eval_id", "task", "model"):
            self.check(key, record[key], getattr(header, key))
        for key in ("run_id", "task_id"):
            self.check(key, record[key] or "", getattr(header, key))
        version = record["task_version"]
        self.check(
            "task_version", None if version in (0, "0") else str(version), header.task_version
        )
        self.check("epochs", record["epochs"] or 1, header.epochs)
        self.check("epochs_reducer", record["epochs_reducer"] or [], list(header.reducers))
        self.check("tags", record["tags"] or [], list(header.tags))
        self.check("metadata", record["metadata"] or {}, _plain(header.metadata))
        self.check("inspect", record["inspect"], header.package)
        self.check("total_samples", record["total_samples"], header.total)
        self.check("completed_samples", record["completed_samples"], header.completed)
        ours = [
            {
                "name": score.name,
                "scorer": score.scorer,
                "reducer": score.reducer,
                "scored": score.scored,
                "unscored": score.unscored,
                "metrics": {key: _plain(value) for key, (value, _) in score.metrics.items()},
            }
            for score in header.scores
        ]
        self.check("results", record["results"] or [], ours)

    def rows_(self) -> None:
        """Compare the samples, their scores as they stand, and what went wrong with them."""
        record = self.record
        theirs = {(str(row["id"]), row["epoch"]): row for row in record["rows"]}
        full = record.get("n_full_samples", 0)
        from_samples = FROM_SAMPLES if len(theirs) < full == len(self.rows) else ""
        self.check("samples", sorted(theirs), sorted(self.rows), from_samples)
        for key, row in theirs.items():
            ours = self.rows.get(key)
            if ours is None:
                continue
            where = f"of sample {key[0]}, epoch {key[1]}"
            scores = {n: s.value for n, s in (ours.scores or {}).items() if s is not None}
            self.check(f"scores {where}", row["scores"], _plain(scores))
            self.check(f"error {where}", row["error"], ours.error is not None)
            self.check(f"uuid {where}", row["uuid"], ours.uuid)
            limit = ours.limit.get("type") if isinstance(ours.limit, dict) else ours.limit
            self.check(f"limit {where}", row["limit"], limit)
            tried = len(ours.error_retries) if ours.error_retries else ours.retries
            self.check(f"retries {where}", row["retries"] or 0, tried or 0)

    def table(self) -> None:
        """Compare the values of the table of responses, and its counts."""
        table = self._responses()
        errored = {(i, e) for i, e, status in table.values_of("error")}
        theirs = {(str(r["id"]), r["epoch"]) for r in self.record.get("rows", ()) if r["error"]}
        if table.metrics:
            self.check("errored samples", len(theirs), len(errored))
        unscored = unscored_here = 0
        reasons = set()
        for row in self.record.get("rows", ()):
            key = str(row["id"]), row["epoch"]
            for scorer, value in row["floats"].items():
                number = _number(value)
                ours = table.value(scorer, *key)
                reason = self._reason(row["scores"][scorer], key)
                missing = math.isnan(number)
                unscored += missing
                unscored_here += ours is None and table.status(scorer, *key) == "unscored"
                what = f"value of {scorer}, sample {key[0]}, epoch {key[1]}"
                before = len(self.differences)
                self.check(what, None if missing else number, ours, reason)
                if len(self.differences) > before and reason != INVALIDATED:
                    reasons.add(reason)
        self.check("unscored values", unscored, unscored_here, ", ".join(sorted(reasons)))

    def _reason(self, raw: Any, key: tuple[str, int]) -> str:
        from suites.inspect.values import number_of

        row = self.rows.get(key)
        if row is not None and row.invalidation is not None:
            return INVALIDATED
        if raw is None:
            return NULL
        if raw in ("inf", "-inf"):
            return INFINITE
        return NO_NUMBER if isinstance(raw, str) and math.isnan(number_of(raw)) else ""

    def reductions(self) -> None:
        """Compare values reduced over epochs: those that were logged, and those of the table."""
        from suites.inspect.reducers import reducer_known
        from suites.inspect.values import leaves, number_of

        logged = {(r.scorer, r.reducer): dict(r.values) for r in self.log.reductions()}
        table = self._responses()
        for reduction in self.record["reductions"]:
            key = reduction["scorer"], reduction["reducer"]
            self.check(f"reductions of {key}", reduction["values"], _plain(logged.get(key)))
            if not reducer_known(key[1]):
                continue
            suffix = "" if key[1] in (None, "mean") else f"@{key[1]}"
            for instance, value in reduction["values"].items():
                for metric, leaf in leaves(key[0], value):
                    number = number_of(_number(leaf))
                    ours = table.reduced(metric + suffix, instance)
                    raw = [
                        leaf
                        for row in self.rows.values()
                        if str(row.id) == instance
                        for leaf in _leaf(row, key[0], metric)
                    ]
                    theirs = None if math.isnan(number) else number
                    reason = self._reduced_reason(instance, raw)
                    if not reason and not suffix and ours == self._mean(key[0], instance):
                        reason = STALE
                    what = f"{metric}, reduced by {key[1] or 'mean'}, sample {instance}"
                    self.check(what, theirs, ours, reason)

    def _reduced_reason(self, instance: str, raw: list[Any]) -> str:
        keys = [key for key in self.rows if key[0] == instance]
        reasons = {self._reason(_plain(v), keys[0]) for v in raw} if keys else set()
        return next((reason for reason in sorted(reasons) if reason), "")

    def _mean(self, scorer: str, instance: str) -> float | None:
        """Give the mean of Inspect's own values of an instance over its epochs."""
        rows = [row for row in self.record.get("rows", ()) if str(row["id"]) == instance]
        found = [_number(row["floats"][scorer]) for row in rows if scorer in row["floats"]]
        return math.fsum(found) / len(found) if found else None

    def _responses(self) -> _Table:
        from suites.inspect.reader import InspectReader
        from suites.reader import ReadOptions

        problems: list[Any] = []
        reader = InspectReader.open(self.log.location, ReadOptions(), problems.append)
        return _Table([reader.responses(run) for run in reader.runs()])


class _Table:
    """The responses of one log by metric, instance and epoch."""

    def __init__(self, tables: list[Any]) -> None:
        self._rows: dict[tuple[str, str, int], tuple[float | None, str]] = {}
        for table in tables:
            columns = table.select(["metric", "instance", "trial", "value", "status"]).to_pydict()
            for metric, instance, trial, value, status in zip(*columns.values(), strict=True):
                self._rows[metric, instance, trial + 1] = value, status
        self.metrics = {metric for metric, _, _ in self._rows}

    def value(self, metric: str, instance: str, epoch: int) -> float | None:
        value = self._rows.get((metric, instance, epoch), (None, ""))[0]
        return None if value is None or math.isnan(value) else value

    def status(self, metric: str, instance: str, epoch: int) -> str | None:
        return self._rows.get((metric, instance, epoch), (None, None))[1]

    def values_of(self, status: str) -> Iterator[tuple[str, int, str]]:
        for (_, instance, epoch), (_, own) in self._rows.items():
            if own == status:
                yield instance, epoch, own

    def reduced(self, metric: str, instance: str) -> float | None:
        """Give the mean over epochs; of a metric that is reduced already, its one value."""
        found = [
            self.value(m, i, epoch) for m, i, epoch in self._rows if (m, i) == (metric, instance)
        ]
        there = [value for value in found if value is not None]
        return math.fsum(there) / len(there) if there else None


def _leaf(row: Any, scorer: str, metric: str) -> Iterator[Any]:
    from suites.inspect.values import leaves

    score = (row.scores or {}).get(scorer)
    if score is not None:
        yield from (leaf for name, leaf in leaves(scorer, score.value) if name == metric)


def _number(value: Any) -> Any:
    return float(value) if value in ("nan", "inf", "-inf") else value


def _equal(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return theirs.keys() == ours.keys() and all(_equal(theirs[k], ours[k]) for k in theirs)
    if isinstance(theirs, list | tuple) and isinstance(ours, list | tuple):
        return len(theirs) == len(ours) and all(map(_equal, theirs, ours))
    if isinstance(theirs, float) and isinstance(ours, float):
        return math.isclose(theirs, ours, rel_tol=1e-12, abs_tol=1e-12)
    if isinstance(theirs, bool) or isinstance(ours, bool):
        return theirs is ours
    return bool(theirs == ours)


# ---------- a second witness, for logs that Inspect refuses


def _as_its_json(log: Any, rows: list[Any]) -> bool:
    """Say whether rows are what the log's JSON says, by Python's own json and no typed decoding."""
    documents = list(_documents(log))
    top = documents.pop(0)
    spec, header = top["eval"], log.header
    if (spec["task"], spec["model"], top["status"]) != (header.task, header.model, header.status):
        return False
    said = {(str(d["id"]), d["epoch"]): (_scores(d), d.get("error") is not None) for d in documents}
    read = {
        row.key: (
            {n: _plain(s.value) for n, s in (row.scores or {}).items() if s is not None},
            row.error is not None,
        )
        for row in rows
    }
    return said == read


def _scores(document: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(s["value"]) for name, s in (document.get("scores") or {}).items()}


def _documents(log: Any) -> Iterator[dict[str, Any]]:
    """Give the header's document, then those of the samples."""
    if not log.zipped:
        top = json.loads(Path(log.location).read_bytes())
        yield from (top, *(top.get("samples") or []))
        return
    import zipfile

    with zipfile.ZipFile(log.location) as archive:
        yield json.loads(_member(archive, "header.json"))
        for name in archive.namelist():
            deepest = 2 if name.endswith("/sample.json") else 1
            if name.startswith("samples/") and name.count("/") <= deepest:
                yield json.loads(_member(archive, name))


def _member(archive: Any, name: str) -> bytes:
    """Read a member by its local header; zipfile before Python 3.14 knows no Zstandard."""
    import io

    import zstandard

    member = archive.getinfo(name)
    if member.compress_type != 93:
        return archive.read(name)
    with open(archive.filename, "rb") as file:
        file.seek(member.header_offset + 26)
        lengths = [int.from_bytes(file.read(2), "little") for _ in range(2)]
        file.seek(sum(lengths), 1)
        packed = io.BytesIO(file.read(member.compress_size))
    return zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True).read()


if __name__ == "__main__":
    main()
