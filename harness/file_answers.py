"""Predictions of a file in a worker's place: they answer what a unit asks of a predictor.

So they are checked, given statuses and scored as any predictor's, by the same code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import prediction_files
from harness.fold_folder import FoldFolder
from harness.pool import CallFailed
from harness.prediction_files import PredictionFiles
from harness.prediction_table import MOST_UNKNOWN, Answer, to_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["FileAnswers", "resolve"]


class FileAnswers:
    """Gives sessions that answer with one predictor's predictions.

    Parameters
    ----------
    files : PredictionFiles
        What was read.
    predictor : str
        One of its predictors.
    kind : str
        ``run`` or ``instance``: what its predictions are of.
    """

    def __init__(self, files: PredictionFiles, predictor: str, kind: str = "run") -> None:
        self._files = files
        self._predictor = predictor
        self._kind = kind

    def start(self, name: str, data: Sequence[Path] = (), code: Sequence[Path] = ()) -> FileSession:
        """Start a session; it learns from its messages which fold it is of."""
        return FileSession(self._files, self._predictor, self._kind)


class FileSession:
    """One predictor on one fold; use as a context manager."""

    def __init__(self, files: PredictionFiles, predictor: str, kind: str) -> None:
        self._files = files
        self._predictor = predictor
        self._kind = kind
        self._folder: FoldFolder | None = None

    def __enter__(self) -> FileSession:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def call(
        self, message: dict[str, Any], blobs: tuple[bytes, ...] = (), *, timeout: float | None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Answer a message as a worker does (`harness.worker.answer`).

        Raises
        ------
        CallFailed
            If there are too many numbers for one fold and k.
        """
        if message["call"] == "describe":
            return self._describe(), []
        if message["call"] == "fit":
            self._folder = FoldFolder(Path(message["folder"]))
        if message["call"] != "predict":
            return {}, []
        answer = self._predict(message["k"])
        return {}, [to_bytes(answer.table), json.dumps(answer.status).encode()]

    def _describe(self) -> dict[str, Any]:
        return {
            "class": "predictions made elsewhere",
            "kind": self._kind,
            "needs": [],
            "min_k": 0,
            "tasks": None,
            "diagnostics": [],
            "settings": [],
            "magnet": False,
            "summary": "Predictions that were read from a file.",
            "code_hash": self._files.digest,
        }

    def _predict(self, k: int) -> Answer:
        assert self._folder is not None
        seed, fold = map(int, self._folder.path.name.split("-"))
        unit, most = (seed, fold, k), prediction_files.MAX_ROWS
        if self._files.rows(self._predictor, unit) > most:
            raise CallFailed("failed", f"it has more than {most} numbers for one fold and k")
        asked = [str(target) for target in self._folder.targets(k)["target"]]
        known = [str(target) for target in self._folder.targets(0)["target"]]
        return resolve(self._files.table(self._predictor, unit), asked, known)


def resolve(table: pa.Table | None, asked: Sequence[str], known: Sequence[str]) -> Answer:
    """Arrange rows in any order as a worker writes them, and say what is wrong with some.

    Parameters
    ----------
    table : pyarrow.Table or None
        As `PredictionFiles.table` gives it.
    asked : sequence of str
        The targets that are asked for.
    known : sequence of str
        All targets of the fold: predictions of those that are not asked for are ignored.

    Returns
    -------
    Answer
        By target in the order of ``asked``, each one's rows by the number (or word) of their
        ``output_type_id``. A target that has two rows of one output type and id is ``duplicate``
        and keeps none; a mean beside another output type is dropped, as the mean of a
        `RunPrediction` is.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rows = {"target": ["b", "a", "x"], "output_type": ["mean"] * 3,
    ...         "output_type_id": [""] * 3, "value": [0.5, 0.25, 0.75]}
    >>> answer = resolve(pa.table(rows), ["a", "b"], ["a", "b"])
    >>> answer.table["target"].to_pylist(), answer.status
    (['a', 'b'], {'unknown: x': ('unknown', "no target of this fold is 'x'")})
    """
    import pyarrow as pa

    if table is None:
        empty = pa.array([], pa.string()).dictionary_encode()
        words = dict.fromkeys(("target", "output_type", "output_type_id"), empty)
        return Answer(pa.table(words | {"value": pa.array([], pa.float64())}), {})
    names, of_name = _encoded(table, "target")
    types, of_type = _encoded(table, "output_type")
    ids, of_id = _encoded(table, "output_type_id")
    value = table.column("value").to_numpy()
    status = _unknown([names[i] for i in np.unique(of_name).tolist()], {*known, *asked})
    place = {target: i for i, target in enumerate(asked)}
    target = np.array([place.get(name, -1) for name in names], np.int64)[of_name]
    rank = _ranks(ids)[of_id]
    order = np.lexsort((rank, of_type, target))
    order = order[target[order] >= 0]
    target, of_type, of_id = target[order], of_type[order], of_id[order]
    rank, value = rank[order], value[order]

    bad = np.zeros(len(asked), bool)
    again = (np.diff(target) == 0) & (np.diff(of_type) == 0) & (np.diff(rank) == 0)
    for i in np.flatnonzero(again).tolist():
        if not bad[target[i]]:
            bad[target[i]] = True
            what = " ".join(word for word in (types[of_type[i]], ids[of_id[i]]) if word)
            status[asked[target[i]]] = ("duplicate", f"it has several rows for its {what}")
    points = _points(target, of_type, types)
    for i in np.flatnonzero(points & ~np.isfinite(value) & ~bad[target]).tolist():
        bad[target[i]] = True
        status[asked[target[i]]] = ("invalid", f"its mean is {value[i]}, it must be finite")
    kept = ~bad[target] & ~points
    return Answer(
        pa.table(
            {
                "target": _dictionary(target[kept], asked),
                "output_type": _dictionary(of_type[kept], types),
                "output_type_id": _dictionary(of_id[kept], ids),
                "value": pa.array(value[kept]),
            }
        ),
        status,
    )


def _unknown(names: Sequence[str], known: set[str]) -> dict[str, tuple[str, str]]:
    """List the names that are no target's."""
    wrong = sorted(name for name in names if name not in known)
    status = {
        f"unknown: {name}"[:300]: ("unknown", f"no target of this fold is {name!r}"[:2000])
        for name in wrong[:MOST_UNKNOWN]
    }
    if len(wrong) > MOST_UNKNOWN:
        more = f"{len(wrong) - MOST_UNKNOWN} more predictions of nothing that was asked for"
        status["unknown: more"] = ("unknown", more)
    return status


def _points(
    target: NDArray[np.int64], of_type: NDArray[np.int64], types: Sequence[str]
) -> NDArray[np.bool_]:
    """Say which rows are a mean beside one other output type of the same target."""
    if "mean" not in types:
        return np.zeros(len(target), bool)
    is_mean = of_type == types.index("mean")
    pairs = np.unique(np.stack([target, of_type]), axis=1)
    several = np.bincount(pairs[0], minlength=int(target.max(initial=0)) + 1) == 2
    return np.asarray(is_mean & several[target], bool)


def _ranks(ids: Sequence[str]) -> NDArray[np.int64]:
    """Give equal ranks to ids that are the same number, or word; numbers come first."""
    keys = []
    for word in ids:
        try:
            number = float(word)
        except ValueError:
            number = float("nan")
        keys.append((1, 0.0, word) if number != number else (0, number, ""))
    place = {key: i for i, key in enumerate(sorted(set(keys)))}
    return np.array([place[key] for key in keys], np.int64)


def _encoded(table: pa.Table, name: str) -> tuple[list[str], NDArray[np.int64]]:
    """Give the words of a column, sorted, and each row's place among them."""
    import pyarrow as pa

    column = table.column(name).combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words: list[str] = column.dictionary.to_pylist()
    known = sorted(set(words))
    place = {word: i for i, word in enumerate(known)}
    codes = np.array([place[word] for word in words], np.int64)
    return known, codes[column.indices.to_numpy()]


def _dictionary(codes: NDArray[np.int64], words: Sequence[str]) -> pa.DictionaryArray:
    """Encode a column with the words that it uses, in their order."""
    import pyarrow as pa

    used, codes = np.unique(codes, return_inverse=True)
    names = pa.array([words[i] for i in used.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names)
