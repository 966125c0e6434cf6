"""`Row`: one sample of a log as scoring needs it, from a summary or from the sample itself.

Only the fields that are named here are decoded; texts, messages and events are skipped over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from suites.inspect.decode import (
    MOST_MEMORY,
    decode,
    decode_list,
    tolerant,
    too_heavy,
    weight,
)
from suites.inspect.errors import LogError
from suites.inspect.header import items, mapping, whole

MOST_ROWS = 1_000_000
"""Samples of one log; what is above is refused."""

_LIGHT = 12 << 20  # bytes of a list whose objects are not counted
_MOST_EPOCHS = 2**31 - 1


class Score(msgspec.Struct, gc=False):
    """A score's value, of any type."""

    value: Any = None


class Row(msgspec.Struct, gc=False):
    """A sample: its key, its scores and what went wrong.

    Attributes
    ----------
    id, epoch : str or int, int
        The key; epochs count from 1.
    scores : dict of str to Score, or None
        By name of the scorer; a scorer that gave nothing is absent.
    error : any
        A message in a summary, an object in a sample, None when there was none.
    uuid : any
        The sample's own id, in logs since 0.3.70.
    choices : list or None
        The options of a multiple choice; only counted.
    invalidation : any
        Who declared the sample invalid and why; in samples only.
    """

    id: Any = None
    epoch: Any = 1
    scores: dict[str, Score | None] | None = None
    score: Score | None = None
    error: Any = None
    uuid: Any = None
    choices: list[msgspec.Raw] | None = None
    invalidation: Any = None

    @property
    def key(self) -> tuple[str, int]:
        """The sample's id as text, and its epoch: what tells samples of a log apart."""
        return str(self.id), self.epoch


class DetailedScore(Score, gc=False):
    """A score with what was said of it."""

    answer: Any = None
    explanation: Any = None
    reason: Any = None
    metadata: Any = None


class DetailedRow(Row, gc=False):
    """A sample with everything that a summary holds."""

    scores: dict[str, DetailedScore | None] | None = None  # type: ignore[assignment]
    score: DetailedScore | None = None
    choices: Any = None
    input: Any = None
    target: Any = None
    metadata: Any = None
    model_usage: Any = None
    started_at: Any = None
    completed_at: Any = None
    total_time: Any = None
    working_time: Any = None
    limit: Any = None
    retries: Any = None
    error_retries: Any = None
    message_count: Any = None


R = TypeVar("R", bound=Row)


def rows_of(
    pieces: Iterable[bytes], type_: type[R], where: str, location: str
) -> Iterator[list[R]]:
    """Decode a list of samples or summaries, piece by piece.

    Parameters
    ----------
    pieces : iterable of bytes
        A JSON list.
    type_ : type
        `Row` or `DetailedRow`.
    where, location : str
        For messages.

    Yields
    ------
    list of Row
        Samples that have an id. Elements that are none are left out.

    Raises
    ------
    LogError
        If it cannot be decoded.
    """
    count = 0
    for rows in decode_list(pieces, _decoder(type_, where, location), where, location):
        count += len(rows)
        if count > MOST_ROWS:
            what = f"{where} has more than {MOST_ROWS} samples"
            raise LogError(location, what, code="too-large")
        yield rows


def row_of(data: bytes | bytearray, type_: type[R], where: str, location: str) -> R | None:
    """Decode one sample; None when it has no id.

    Raises
    ------
    LogError
        If it cannot be decoded.
    """
    try:
        row = decode(data, type_, where, location)
    except LogError as err:
        if err.code != "bad-content":
            raise
        return lenient(tolerant(data, where, location), type_)
    return row if _settle(row) else None


def _decoder(type_: type[R], where: str, location: str) -> Callable[[bytearray], list[R]]:
    many: type[list[R]] = list.__class_getitem__(type_)  # type: ignore[assignment]
    size = used = 0

    def decoder(part: bytearray) -> list[R]:
        nonlocal size, used
        rows = decoded(part)
        size += len(part)
        if size > _LIGHT:  # a longer list is counted
            used += weight(part, many)
            if used > MOST_MEMORY:
                raise too_heavy(where, location)
        return rows

    def decoded(part: bytearray) -> list[R]:
        try:
            rows = decode(part, many, where, location)
        except LogError as err:
            if err.code != "bad-content":
                raise
            made = (lenient(item, type_) for item in items(tolerant(part, where, location)))
            return [row for row in made if row is not None]
        for row in rows:
            if type(row.epoch) is not int or not 1 <= row.epoch <= _MOST_EPOCHS:
                row.epoch = _epoch(row.epoch)
        return [row for row in rows if isinstance(row.id, str | int | float)]

    return decoder


def _settle(row: Row) -> bool:
    """Bring what versions write differently into one form; say whether the row has a key."""
    row.epoch = _epoch(row.epoch)
    return isinstance(row.id, str | int | float)


def _epoch(value: Any) -> int:
    """Give the number of an epoch; what cannot be one counts as the first."""
    epoch = whole(value)
    return epoch if epoch is not None and 1 <= epoch <= _MOST_EPOCHS else 1


def lenient(value: Any, type_: type[R]) -> R | None:
    """Make a row of an object in which a field may have another type than Inspect writes.

    Examples
    --------
    >>> row = lenient({"id": 1, "epoch": 2, "scores": {"match": {"value": "C"}, "x": 5}}, Row)
    >>> row.key, row.scores
    (('1', 2), {'match': Score(value='C'), 'x': None})
    """
    content = mapping(value)
    row = type_(id=content.get("id"), epoch=content.get("epoch"))
    typed = {"id", "epoch", "scores", "score", "choices"}
    for name in row.__struct_fields__:
        if name in content and name not in typed:
            setattr(row, name, content[name])
    kind = DetailedScore if isinstance(row, DetailedRow) else Score
    scores = content.get("scores")
    if isinstance(scores, dict):
        row.scores = {str(name): _score(score, kind) for name, score in scores.items()}
    row.score = _score(content.get("score"), kind)
    choices = content.get("choices")
    row.choices = choices if isinstance(choices, list) else None
    return row if _settle(row) else None


def _score(value: Any, kind: type[Score]) -> Any:
    if not isinstance(value, dict) or "value" not in value:
        return None
    return kind(**{name: value[name] for name in kind.__struct_fields__ if name in value})


def merged(rows: Iterable[R], ids: Sequence[str] = ()) -> list[R]:
    """Keep the last row of each key, sorted by epoch, then by the order of ids, then by id.

    Parameters
    ----------
    rows : iterable of Row
        Later ones win.
    ids : sequence of str
        The ids of the selected samples, where the log has them.

    Examples
    --------
    >>> rows = [Row(id="b"), Row(id="a", error="x"), Row(id="a")]
    >>> [(row.id, row.error) for row in merged(rows, ["a", "b"])]
    [('a', None), ('b', None)]
    """
    given = list(rows)
    if len(given) == len(ids) and all(row.epoch == 1 for row in given):
        by_id = {str(row.id): row for row in given}
        if len(by_id) == len(ids) and by_id.keys() == set(ids):  # a whole log of one epoch
            return [by_id[name] for name in ids]
    last = {(str(row.id), row.epoch): row for row in given}
    place = {name: i for i, name in enumerate(ids)}
    after = len(place)
    order = sorted(last, key=lambda key: (key[1], place.get(key[0], after), key[0].zfill(20)))
    return [last[key] for key in order]
