"""Decoding of Inspect's JSON: fast where it is plain JSON, tolerant where it is not.

Inspect writes NaN and Infinity, and logs hold lone surrogates and numbers beyond a float's range:
msgspec refuses these, so what it refuses is decoded again by Python's own json.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from suites.inspect.errors import LogError

T = TypeVar("T")

LARGEST_TOLERANT = 64 << 20
"""Bytes of a document that the tolerant decoder takes; its objects need several times as much."""

LARGEST_ELEMENT = 64 << 20
"""Bytes of one element of a list that is decoded piece by piece."""

MOST_MEMORY = 384 << 20
"""Bytes that the objects of one document, or of one list, may fill, roughly."""

_LIGHT = 4 << 20  # bytes of a document that is decoded whatever it holds
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
    _guard(data, type_, where, location)
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
    first, enough = True, _BATCH
    for piece in pieces:
        buffer += piece
        if len(buffer) < enough:
            continue
        done = _complete_part(buffer, decoder, first=first)
        if done is not None:
            elements, used = done
            del buffer[:used]
            first, enough = False, _BATCH
            yield elements
        elif len(buffer) > LARGEST_ELEMENT:
            what = f"{where} has no element that ends within {LARGEST_ELEMENT >> 20} MiB"
            raise LogError(location, what, code="too-large")
        else:
            # not to look through it again with every piece
            enough = min(2 * len(buffer), LARGEST_ELEMENT + 1)
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
    for end, used in reversed(bounds[-2:]):
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


def _guard(data: bytes | bytearray | memoryview, type_: Any, where: str, location: str) -> None:
    """Refuse a document whose many small objects would fill the memory."""
    if len(data) > _LIGHT and _bound(data) > MOST_MEMORY and weight(data, type_) > MOST_MEMORY:
        raise too_heavy(where, location)


def too_heavy(where: str, location: str) -> LogError:
    """Make the error that tells of a document with too many objects."""
    what = f"{where} holds so many objects that they would fill the memory"
    return LogError(location, what, code="too-large")


def weight(data: bytes | bytearray | memoryview, type_: Any) -> int:
    """Estimate the bytes of the objects that decoding makes, never much too low.

    What a struct has no field for, or keeps as it stands, makes no objects.

    Examples
    --------
    >>> no_field = msgspec.defstruct("NoField", [])
    >>> [weight(b'{"a": [%s]}' % (b"1," * 999 + b"1"), type_) for type_ in (dict, no_field)]
    [42280, 500]
    """
    shape = _shape(type_)
    if shape is None:
        return _bound(data)
    try:
        found = msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _bound(data)  # decoded by Python's json, and as a whole
    structs = found if isinstance(found, list) else [found]
    raws = [raw for struct in structs for raw in msgspec.structs.astuple(struct)]
    return 500 * len(structs) + _bound(b" ".join(map(bytes, raws)))


def _bound(data: bytes | bytearray | memoryview) -> int:
    """Estimate the bytes of all that a document holds."""
    if len(data) > MOST_MEMORY:
        return len(data)
    raw = data if isinstance(data, bytes | bytearray) else bytes(data)
    wide = 1 if raw.isascii() and b"\\u" not in raw else 2
    return wide * len(raw) + 240 * raw.count(b"{") + 72 * raw.count(b"[") + 40 * raw.count(b",")


@lru_cache(maxsize=64)
def _shape(type_: Any) -> Any:
    """Give a struct's type, or that of a list of structs, with all its fields as they stand."""
    if typing.get_origin(type_) is list:
        inner = _shape(typing.get_args(type_)[0])
        return None if inner is None else list.__class_getitem__(inner)
    if not (isinstance(type_, type) and issubclass(type_, msgspec.Struct)):
        return None
    fields: list[Any] = [
        (field.name, msgspec.Raw, msgspec.Raw())
        for field in msgspec.structs.fields(type_)
        if field.type is not msgspec.Raw
    ]
    return msgspec.defstruct(f"{type_.__name__}Shape", fields, gc=False)


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
