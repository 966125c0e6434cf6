"""Predictions as a table: one row per number, in the long format of the forecast hubs.

Columns: ``target``, ``output_type`` (mean, quantile, sample, joint_sample, pmf, and the parametric
normal and beta), ``output_type_id`` (always a string: the level, the draw, the count, the
parameter), ``value``. Workers answer with it, results store it, and scores are made from it alone.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.distribution import Distribution, InvalidPrediction, from_parts
from harness.prediction import RunPrediction

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

COLUMNS: tuple[str, ...] = ("target", "output_type", "output_type_id", "value")

LEAST_PROBABILITY = 1e-9
"""Probabilities of counts below this are not stored; what is left is scaled to sum to 1."""

_LIKE_A_PREDICTION = ("mean", "stddev", "run_spec_name", "perturbation")

MOST_UNKNOWN = 1000
"""How many predictions of nothing that was asked for are listed one by one."""


@dataclass
class Answer:
    """What a predictor returned, resolved to targets.

    Attributes
    ----------
    table : pyarrow.Table
        The valid predictions, in the order of the targets.
    status : dict of str to (str, str)
        Target → (status, message), for targets that are not simply ok; predictions of nothing
        that was asked for stand under the name they gave, with status ``unknown``.
    """

    table: pa.Table
    status: dict[str, tuple[str, str]]


def encode(predictions: Iterable[Any], targets: pd.DataFrame) -> Answer:
    """Resolve a predictor's answer to targets, and write it as a table.

    Parameters
    ----------
    predictions : iterable of RunPrediction
        What `predict` returned.
    targets : DataFrame
        The targets that were asked for.

    Returns
    -------
    Answer
        A target that nothing was predicted for is ``missing``; one predicted twice is
        ``duplicate`` and keeps neither; what cannot be read as numbers is ``invalid``.

    Raises
    ------
    TypeError
        If the answer is not an iterable of `RunPrediction`.
    """
    if predictions is None or isinstance(predictions, str | bytes | Mapping):
        raise TypeError(
            f"predict must return a list of RunPrediction, not {type(predictions).__name__}"
        )
    index = _Index(targets)
    found: dict[str, list[RunPrediction]] = {}
    status: dict[str, tuple[str, str]] = {}
    unknown: dict[str, str] = {}
    for prediction in predictions:
        if not all(hasattr(prediction, name) for name in _LIKE_A_PREDICTION):
            raise TypeError(
                f"predict must return RunPrediction objects, not {type(prediction).__name__}"
            )
        target, why = index.resolve(prediction)
        if target is None:
            unknown.setdefault(f"unknown: {why}"[:300], f"no target is {why}"[:2000])
        else:
            found.setdefault(target, []).append(prediction)
    listed = list(unknown.items())[:MOST_UNKNOWN]
    status.update({name: ("unknown", message) for name, message in listed})
    if len(unknown) > MOST_UNKNOWN:
        more = f"{len(unknown) - MOST_UNKNOWN} more predictions of nothing that was asked for"
        status["unknown: more"] = ("unknown", more)
    writer = _Writer()
    for target in index.order:
        given = found.get(target, [])
        if not given:
            status[target] = ("missing", "no prediction was returned for it")
        elif len(given) > 1:
            status[target] = ("duplicate", f"{len(given)} predictions were returned for it")
        else:
            try:
                writer.add(target, given[0])
            except (InvalidPrediction, TypeError, ValueError, OverflowError) as err:
                status[target] = ("invalid", str(err))
    return Answer(writer.table(index.order), status)


class _Index:
    """Finds the target that a prediction means."""

    def __init__(self, targets: pd.DataFrame) -> None:
        import json

        self.order = [str(t) for t in targets["target"]]
        self.known = set(self.order)
        self.by_name: dict[tuple[Any, ...], list[str]] = {}
        for row in targets.itertuples(index=False):
            raw = _text(row.perturbation)
            fields = json.loads(raw) if raw is not None else {}
            part = _text(row.part)
            # where there are no parts, the HELM frames call them all "test"
            parts = {part} if part is not None else {None, "test"}
            for name, part in product({_text(row.run), _text(row.name)}, parts):
                key = (name, part, _text(row.metric), _perturbation(fields))
                self.by_name.setdefault(key, []).append(str(row.target))

    def resolve(self, prediction: RunPrediction) -> tuple[str | None, str]:
        target = getattr(prediction, "target", None)
        if target is not None:
            target = str(target)
            return (target, "") if target in self.known else (None, repr(target))
        fields = dict(prediction.perturbation)
        key = (
            _text(prediction.run_spec_name),
            _text(prediction.split),
            _text(prediction.stat_name),
            _perturbation(fields),
        )
        matches = self.by_name.get(key, [])
        if len(matches) == 1:
            return matches[0], ""
        many = f" ({len(matches)} targets have that name; use target=)" if matches else ""
        shown = ", ".join("none" if part is None else str(part) for part in key[:3])
        return None, f"{shown}{' perturbed' if key[3] else ''}{many}"


def _perturbation(fields: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((k, v) for k, v in fields.items() if v is not None and k != "seed"))


def _text(value: Any) -> str | None:
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    return str(value)


class _Writer:
    """Collects rows as arrays, one block per prediction."""

    def __init__(self) -> None:
        self.targets: list[tuple[str, int]] = []
        self.types: list[tuple[str, int]] = []
        self.ids: list[NDArray[Any]] = []
        self.values: list[NDArray[Any]] = []

    def add(self, target: str, prediction: RunPrediction) -> None:
        kind, ids, values = _numbers(prediction)
        if not len(values):
            raise InvalidPrediction(f"its {kind} is empty")
        self.targets.append((target, len(values)))
        self.types.append((kind, len(values)))
        self.ids.append(ids)
        self.values.append(values)

    def table(self, order: list[str]) -> pa.Table:
        import pyarrow as pa

        return pa.table(
            {
                "target": _repeated(self.targets),
                "output_type": _repeated(self.types),
                "output_type_id": _ids(self.ids),
                "value": pa.array(
                    np.concatenate(self.values) if self.values else np.empty(0), pa.float64()
                ),
            }
        )


def _numbers(p: RunPrediction) -> tuple[str, NDArray[Any], NDArray[np.float64]]:
    """Give a prediction's output type, the ids of its numbers (whole, or text), the numbers."""
    kind = p.distribution
    if kind is None:
        if p.mean is None:
            raise InvalidPrediction("it has neither a mean nor a distribution")
        if p.stddev:
            return "normal", np.array(["mean", "sd"]), _floats([p.mean, p.stddev])
        return "mean", np.array([""]), _floats([p.mean])
    given: Any = getattr(p, kind)
    if kind == "pmf":
        pmf = _floats(given)
        kept = np.flatnonzero(~(np.abs(pmf) < LEAST_PROBABILITY))
        kept = np.union1d(kept, np.arange(len(pmf))[-1:])  # the last tells the length
        return "pmf", kept, pmf[kept]
    if kind == "samples":
        draws = _floats(given)
        return "joint_sample" if p.joint else "sample", np.arange(len(draws)), draws
    if kind == "quantiles":
        pairs = sorted((float(level), float(value)) for level, value in dict(given).items())
        levels = np.array([repr(level) for level, _ in pairs])
        return "quantile", levels, _floats([value for _, value in pairs])
    if len(given) != 2:
        raise InvalidPrediction(f"{kind} takes two numbers, got {len(given)}")
    return kind, np.array(["mean", "sd"] if kind == "normal" else ["a", "b"]), _floats(given)


def _floats(numbers: Any) -> NDArray[np.float64]:
    array = np.asarray(numbers, dtype=np.float64)
    if array.ndim != 1:
        raise InvalidPrediction(f"a row of numbers is needed, got shape {array.shape}")
    return array


def _repeated(words: list[tuple[str, int]]) -> pa.DictionaryArray:
    import pyarrow as pa

    names = list(dict.fromkeys(word for word, _ in words))
    codes = {name: code for code, name in enumerate(names)}
    flat = np.repeat(
        np.array([codes[word] for word, _ in words], dtype=np.int32),
        [count for _, count in words],
    )
    return pa.DictionaryArray.from_arrays(pa.array(flat), pa.array(names, pa.string()))


def _ids(blocks: list[NDArray[Any]]) -> pa.DictionaryArray:
    import pyarrow as pa

    numbers = [b for b in blocks if b.dtype.kind in "iu"]
    top = max((int(b.max()) for b in numbers if len(b)), default=-1) + 1
    words = [str(i) for i in range(top)]
    codes: dict[str, int] = {}
    flat = []
    for block in blocks:
        if block.dtype.kind in "iu":
            flat.append(block.astype(np.int32))
        else:
            for word in block.tolist():
                codes.setdefault(word, top + len(codes))
            flat.append(np.array([codes[w] for w in block.tolist()], dtype=np.int32))
    words += list(codes)
    indices = np.concatenate(flat) if flat else np.empty(0, np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(words, pa.string()))


def to_bytes(table: pa.Table) -> bytes:
    """Write a table as an Arrow IPC stream."""
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def from_bytes(data: bytes, columns: tuple[str, ...] | None = None) -> pa.Table:
    """Read an Arrow IPC stream.

    Raises
    ------
    ValueError
        If it is none, or does not have exactly these columns.
    """
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(data) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowInvalid, OSError, ValueError) as err:
        raise ValueError(f"not an Arrow table: {err}") from err
    if columns is not None and tuple(table.column_names) != columns:
        raise ValueError(f"expected the columns {columns}, got {table.column_names}")
    return table


def decode(
    table: pa.Table, targets: Mapping[str, Any]
) -> Iterator[tuple[str, Distribution | None, str]]:
    """Read predictions, target by target.

    Parameters
    ----------
    table : pyarrow.Table
        Columns of `COLUMNS`; the rows of one target stand together.
    targets : mapping of str to object
        Target id → an object with ``n, binary, lower, upper`` (None where unknown).

    Yields
    ------
    (str, Distribution or None, str)
        Target, its distribution, and "" or why there is none. A target whose rows stand in two
        places is given twice.
    """
    names, codes = _words(table, "target")
    types, type_codes = _words(table, "output_type")
    ids, id_codes = _words(table, "output_type_id")
    numbers = np.array([_number(word) for word in ids]) if ids else np.empty(0)
    values = table.column("value").to_numpy()
    edges = np.flatnonzero(np.diff(codes)) + 1
    starts = np.concatenate([[0], edges]) if len(codes) else np.empty(0, int)
    ends = np.concatenate([edges, [len(codes)]]) if len(codes) else np.empty(0, int)
    for a, b in zip(starts.tolist(), ends.tolist(), strict=True):
        name = names[codes[a]]
        target = targets.get(name)
        if target is None:
            yield name, None, "unknown"
            continue
        kind = types[type_codes[a]]
        try:
            if (type_codes[a:b] != type_codes[a]).any():
                raise InvalidPrediction("it mixes output types")
            parts = _parts(kind, id_codes[a:b], ids, numbers, values[a:b], target.n)
            distribution = from_parts(
                **parts,
                lower=target.lower,
                upper=target.upper,
                n=target.n,
                binary=bool(target.binary),
            )
        except (InvalidPrediction, ValueError, OverflowError) as err:
            yield name, None, str(err)
        else:
            yield name, distribution, ""


def _parts(
    kind: str,
    id_codes: NDArray[Any],
    ids: list[str],
    numbers: NDArray[Any],
    values: NDArray[Any],
    n: int | None,
) -> dict[str, Any]:
    if kind == "pmf":
        counts = numbers[id_codes]
        if n is None:
            raise InvalidPrediction("a pmf over counts, but the number of instances is unknown")
        whole = np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts))
        if not whole.all() or counts.max() > n:
            raise InvalidPrediction(f"a pmf over counts other than 0..{n}")
        if counts.max() != n:
            raise InvalidPrediction(
                f"a pmf over 0..{int(counts.max())}, but the run has n = {n} instances"
            )
        if len(np.unique(counts)) != len(counts):
            raise InvalidPrediction("a count has two probabilities")
        pmf = np.zeros(n + 1)
        pmf[counts.astype(int)] = values
        return {"pmf": pmf}
    if kind in ("sample", "joint_sample"):
        return {"samples": values}
    if kind == "quantile":
        return {"quantiles": dict(zip(numbers[id_codes].tolist(), values.tolist(), strict=True))}
    given = {ids[code]: float(value) for code, value in zip(id_codes, values, strict=True)}
    if kind == "mean" and len(values) == 1:
        return {"mean": float(values[0])}
    if kind == "normal" and set(given) == {"mean", "sd"}:
        return {"normal": (given["mean"], given["sd"])}
    if kind == "beta" and set(given) == {"a", "b"}:
        return {"beta": (given["a"], given["b"])}
    raise InvalidPrediction(f"output type {kind!r} with ids {sorted(given)[:4]}")


def _words(table: pa.Table, column: str) -> tuple[list[str], NDArray[Any]]:
    import pyarrow as pa

    array = table.column(column).combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if len(codes) and codes.min() < 0:
        raise ValueError(f"column {column} has missing values")
    return [str(word) for word in array.dictionary.to_pylist()], codes


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
