"""Decoding of Inspect's JSON: fast where it is plain JSON, tolerant where it is not.

Inspect writes NaN and Infinity, and logs hold lone surrogates and numbers beyond a float's range:
msgspec refuses these, so what it refuses is decoded again by Python's own json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from suites.inspect.errors import LogError

T = TypeVar("T")

LARGEST_TOLERANT = 128 << 20
"""Bytes of a document that the tolerant decoder takes; its objects need several times as much."""

LARGEST_ELEMENT = 64 << 20
"""Bytes of one element of a list that is decoded piece by piece."""

_MOST_MEMORY = 1 << 30  # of decoded objects, roughly
_BATCH = 4 << 20
_BETWEEN = re.compile(rb'\}\s*,\s*(?=\{\s*"id"\s*:)')
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}]', re.DOTALL)  # texts and brackets
_SURROGATE = re.compile(rb"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


def decode(data: bytes | bytearray | memoryview, type_: type[T], where: str, location: str) -> T:
    """Decode a document.

    Parameters
    ----------
    data : bytes-like
        The document, UTF-8.
    type_ : type
        What it should be; a struct's unknown fields are skipped.
    where, location : str
        The member and the log, for messages.

    Raises
    ------
    LogError
        If it is no JSON (``bad-json``), is other JSON than Inspect writes (``bad-content``) or
        would fill the memory (``too-large``).

    Examples
    --------
    >>> decode(b'[1, NaN]', list, "a.json", "log.eval")
    [1, nan]
    """
    _guard(data, where, location)
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    except RecursionError:
        raise _too_deep(where, location) from None
    return convert(tolerant(data, where, location), type_, where, location)


def tolerant(data: bytes | bytearray | memoryview, where: str, location: str) -> Any:
    """Decode a document that holds what msgspec refuses.

    Raises
    ------
    LogError
        As `decode`.
    """
    if len(data) > LARGEST_TOLERANT:
        what = (
            f"{where} holds other than plain JSON, and is larger than {LARGEST_TOLERANT >> 20} MiB"
        )
        raise LogError(location, what, code="too-large")
    raw = bytes(data)
    try:
        value = json.loads(raw.decode("utf-8-sig", "replace"))
        return _without_surrogates(value) if _SURROGATE.search(raw) else value
    except RecursionError:
        raise _too_deep(where, location) from None
    except ValueError as err:
        what = f"{where} is not JSON: {str(err)[:120]}"
        raise LogError(location, what, code="bad-json") from None


def convert(value: Any, type_: type[T], where: str, location: str) -> T:
    """Turn decoded JSON into a struct.

    Raises
    ------
    LogError
        ``bad-content``, if it is something else.
    """
    try:
        return msgspec.convert(value, type=type_)
    except (msgspec.ValidationError, RecursionError) as err:
        what = f"{where} is not what Inspect writes: {str(err)[:160]}"
        raise LogError(location, what, code="bad-content") from None


def decode_list(
    pieces: Iterable[bytes],
    decoder: Callable[[bytearray], list[T]],
    where: str,
    location: str,
) -> Iterator[list[T]]:
    """Decode a list of objects piece by piece, so that a list of any length fits the memory.

    Parameters
    ----------
    pieces : iterable of bytes
        The document, in pieces of any size. Its elements are objects whose first key is ``id``,
        as Inspect writes them; others are decoded too, but only as a whole.
    decoder : callable
        Decodes a list of some of the elements; raises `LogError` (``bad-json``) for what is no
        JSON.
    where, location : str
        For messages.

    Yields
    ------
    list
        What the decoder made of some elements, in order.

    Raises
    ------
    LogError
        As the decoder; elements before the fault may have been given.

    Examples
    --------
    >>> parts = decode_list([b'[{"id":1},', b'{"id":2}]'], msgspec.json.decode, "a.json", "log")
    >>> list(parts)
    [[{'id': 1}, {'id': 2}]]
    """
    buffer = bytearray()
    first = True
    for piece in pieces:
        buffer += piece
        if len(buffer) < _BATCH:
            continue
        done = _complete_part(buffer, decoder, first=first)
        if done is not None:
            elements, used = done
            del buffer[:used]
            first = False
            yield elements
        elif len(buffer) > LARGEST_ELEMENT:
            what = f"{where} has no element that ends within {LARGEST_ELEMENT >> 20} MiB"
            raise LogError(location, what, code="too-large")
    if not first:
        buffer[:0] = b"["
    yield decoder(buffer)


def _complete_part(
    buffer: bytearray, decoder: Callable[[bytearray], list[T]], *, first: bool
) -> tuple[list[T], int] | None:
    """Decode up to the last boundary between elements; give them and the bytes they took.

    What looks like a boundary may lie within an element; then the part is no JSON, and an earlier
    one is tried. Where elements are full of such, brackets are counted.
    """
    bounds = [(m.start() + 1, m.end()) for m in _BETWEEN.finditer(buffer, len(buffer) // 2)]
    for end, used in reversed(bounds[-3:]):
        try:
            return decoder(_list_of(buffer, end, first=first)), used
        except LogError as err:
            if err.code != "bad-json":
                raise
    found = _last_boundary(buffer, depth=0 if first else 1) if bounds else None
    if found is None:
        return None
    end, used = found
    return decoder(_list_of(buffer, end, first=first)), used


def _list_of(buffer: bytearray, end: int, *, first: bool) -> bytearray:
    part = bytearray(b"" if first else b"[")
    part += buffer[:end]
    part += b"]"
    return part


def _last_boundary(buffer: bytearray, depth: int) -> tuple[int, int] | None:
    """Find where the last complete element ends and the next begins, by counting brackets."""
    last = end = None
    for token in _TOKEN.finditer(buffer):
        sort = buffer[token.start()]
        if sort in b"[{":
            if end is not None:
                last, end = (end, token.start()), None
            depth += 1
        elif sort in b"]}":
            depth -= 1
            if depth == 1:
                end = token.end()
        elif token.end() == token.start() + 1:
            break  # the part ends within a text
    return last


def _guard(data: bytes | bytearray | memoryview, where: str, location: str) -> None:
    """Refuse a document whose many small objects would fill the memory."""
    if len(data) < _MOST_MEMORY // 64:
        return
    raw = data if isinstance(data, bytes | bytearray) else bytes(data)
    if 200 * raw.count(b"{") + 60 * raw.count(b",") > 4 * _MOST_MEMORY:
        what = f"{where} holds so many objects that they would fill the memory"
        raise LogError(location, what, code="too-large")


def _too_deep(where: str, location: str) -> LogError:
    return LogError(location, f"{where} is nested too deeply", code="bad-content")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(v) for v in value]
    return value
