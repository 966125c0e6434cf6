"""Reading JSON and JSONL that others wrote: tolerant of NaN, told of everything else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from suites.errors import UsageError
from suites.locations import file_system, is_url
from suites.table.adapters.head import Head
from suites.table.file import Note, open_text, readable

_LARGEST_DOCUMENT = 1 << 29  # bytes, unpacked
_LARGEST_LINE = 1 << 26
_PIECE = 1 << 16


@dataclass(frozen=True)
class Document:
    """A file of a known format.

    Attributes
    ----------
    location : str
        Path or URL.
    name : str
        Its place in the source, for messages.
    head : Head
        What it begins with.
    """

    location: str
    name: str
    head: Head


class Tally:
    """Counts what is wrong in a file, and says it once: the first case and how many there are.

    Parameters
    ----------
    note : Note
        Takes each finding in the end.

    Examples
    --------
    >>> tally = Tally(lambda code, message, hint="", row=None: print(row, message))
    >>> for row in (3, 5):
    ...     tally.add("bad-json", row, "is not JSON")
    >>> tally.flush()
    3 is not JSON (and 1 more like this)
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._found: dict[tuple[str, str], tuple[int | None, str, str]] = {}
        self._count: dict[tuple[str, str], int] = {}

    def add(self, code: str, row: int | None, message: str, hint: str = "", kind: str = "") -> None:
        """Count a case; those of one code and kind are said together."""
        key = (code, kind)
        self._found.setdefault(key, (row, message, hint))
        self._count[key] = self._count.get(key, 0) + 1

    def flush(self) -> None:
        """Say what was counted."""
        for (code, kind), (row, message, hint) in self._found.items():
            more = self._count[code, kind] - 1
            self._note(code, message + (f" (and {more} more like this)" if more else ""), hint, row)
        self._found.clear()


def decode(data: bytes) -> Any:
    """Decode JSON; NaN and infinities are allowed.

    Raises
    ------
    ValueError
        If it is not JSON, or nested too deeply.

    Examples
    --------
    >>> decode(b'{"a": NaN}')
    {'a': nan}
    """
    import msgspec

    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_document(document: Document, note: Note) -> dict[str, Any] | None:
    """Read a file that is one object; None, and a finding, where that cannot be done."""
    try:
        with readable(document.location), open_text(document.location) as stream:
            data = bytes(stream.read(_LARGEST_DOCUMENT + 1))
    except UsageError as err:
        note("bad-file", f"{err}")
        return None
    if len(data) > _LARGEST_DOCUMENT:
        note("too-large", f"is larger than {_LARGEST_DOCUMENT >> 20} MiB; it is left out")
        return None
    try:
        content = decode(data)
    except ValueError as err:
        note("bad-json", f"is not JSON: {one_line(err)}; the file is left out", "write it again")
        return None
    if not isinstance(content, dict):
        note("bad-content", "is not a JSON object; the file is left out")
        return None
    return content


def read_lines(
    document: Document, note: Note, tally: Tally
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read a file with an object per line.

    Yields
    ------
    int, dict
        The line's number, from 1, and its content. Empty lines are passed over; what is no object
        is counted in ``tally``.
    """
    number = 0
    try:
        with readable(document.location), open_text(document.location) as stream:
            for line in _lines(stream):
                number += 1
                if line is None:
                    said = f"is longer than {_LARGEST_LINE >> 20} MiB; the line is left out"
                    tally.add("too-large", number, said)
                    continue
                if not line.strip():
                    continue
                try:
                    content = decode(line)
                except ValueError as err:
                    said = f"is not JSON: {one_line(err)}; the line is left out"
                    tally.add("bad-json", number, said)
                    continue
                if isinstance(content, dict):
                    yield number, content
                else:
                    tally.add("bad-content", number, "is not an object; the line is left out")
    except UsageError as err:
        note("truncated", f"ends too early or is broken: {err}", "", number)


def _lines(stream: Any) -> Iterator[bytes | None]:
    """Give the lines of a stream, None for one that is too long.

    It is read in small pieces: where it is broken, the piece is lost.
    """
    parts: list[bytes] = []
    size = 0
    while piece := bytes(stream.read(_PIECE)):
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield None if size > _LARGEST_LINE else b"".join([*parts, end])
            parts, size = [], 0
        size += len(rest)
        if size <= _LARGEST_LINE:
            parts.append(rest)
        else:
            parts = []
    if size:
        yield None if size > _LARGEST_LINE else b"".join(parts)


def one_line(err: BaseException) -> str:
    """Give an error's text in one line of at most 160 characters."""
    return " ".join(str(err).split())[:160]


def is_there(location: str) -> bool:
    """Say whether there is a file."""
    try:
        if not is_url(location):
            return os.path.isfile(location)
        system, path = file_system(location)
        return bool(system.isfile(path))
    except Exception:  # a remote file system may raise anything
        return False


def beside(location: str, name: str) -> str:
    """Give the path or URL of another file in the same folder."""
    folder, mark, _ = location.rpartition("/")
    if not is_url(location):
        return os.path.join(os.path.dirname(location), name)
    return f"{folder}{mark}{name}"


def text_of(value: Any) -> str | None:
    """Give a name: a text or a whole number; None where there is none.

    Examples
    --------
    >>> text_of("a"), text_of(7), text_of(""), text_of(None), text_of([])
    ('a', '7', None, None, None)
    """
    if isinstance(value, str):
        # half of a surrogate pair is no text
        return value.encode("utf-8", "replace").decode().strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        return str(value)
    except ValueError:  # too many digits
        return None


def number_of(value: Any) -> float | None:
    """Give a number, true as 1 and false as 0; None for anything else.

    Examples
    --------
    >>> number_of(True), number_of(2), number_of("2"), number_of(None)
    (1.0, 2.0, None, None)
    """
    if not isinstance(value, bool | int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def shown(value: Any) -> str:
    """Write a value for a message, at most 40 characters of it.

    Examples
    --------
    >>> shown("a" * 50)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # too many digits, nested too deeply
        text = type(value).__name__
    return text if len(text) <= 40 else text[:39] + "…"


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Give an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def date_of(value: Any) -> str | None:
    """Give a time as ISO text: Unix seconds, as number or text, or what is ISO text already.

    Examples
    --------
    >>> date_of("1770463617.0"), date_of("2026-01-21"), date_of("soon")
    ('2026-02-07T11:26:57', '2026-01-21', None)
    """
    import datetime as dt

    from suites.table.runs import parse_date

    text = text_of(value)
    if text is None:
        return None
    try:
        date = dt.datetime.fromtimestamp(float(text), dt.UTC).replace(tzinfo=None, microsecond=0)
        return date.isoformat() if date.year >= 1990 else None
    except (ValueError, OverflowError, OSError):
        return text if parse_date(text) is not None else None
