"""Broken logs of Inspect, made of whole ones by a seed, and what reading them does.

A `MUTATIONS` function takes a random generator and a whole log and gives the bytes of a broken one.
`BOMBS` are small files that would fill the memory, or take forever, where nothing bounds them; each
is to be read in a process of its own. Run as a program, it reads broken logs and writes a line of
JSON for each::

    python mutate.py mutations SEED START STOP WORK SOURCE …
    python mutate.py bomb NAME WORK SOURCE …

Only `suites.UsageError` may be raised; a warning counts as an error. One call that takes more than
`SECONDS` of the processor ends the process, and says where it was.
"""

from __future__ import annotations

import faulthandler
import io
import json
import random
import re
import signal
import struct
import sys
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zstandard

SECONDS = 30
MOST_MEMORY = 1 << 30

STORED, DEFLATED, ZSTANDARD = 0, 8, 93


# ---------- archives that say what they like


@dataclass(frozen=True)
class Member:
    """A member of an archive; what is None is as it should be."""

    name: bytes
    data: bytes
    method: int = ZSTANDARD
    packed: bytes | None = None
    declared_method: int | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    flags: int = 0
    offset: int | None = None
    extra: bytes = b""
    local_extra_size: int | None = None


@dataclass(frozen=True)
class Source:
    """A whole log.

    Attributes
    ----------
    data : bytes
        The file.
    zipped : bool
        Whether it is an ``.eval`` archive.
    members : tuple of Member
        Its members; of a ``.json`` log one, without a name.
    """

    data: bytes
    zipped: bool
    members: tuple[Member, ...]

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a log."""
        data = path.read_bytes()
        if data[:4] != b"PK\x03\x04":
            return cls(data, False, (Member(b"", data, STORED),))
        return cls(data, True, tuple(_members(data)))


def pack(data: bytes, method: int, frames: int = 1) -> bytes:
    """Compress; with Zstandard into several frames if asked to."""
    if method == DEFLATED:
        deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
        return deflater.compress(data) + deflater.flush()
    if method == ZSTANDARD:
        step = max(1, -(-len(data) // frames))
        parts = [data[i : i + step] for i in range(0, len(data), step)] or [b""]
        return b"".join(zstandard.ZstdCompressor(level=1).compress(part) for part in parts)
    return data


def archive(members: list[Member], **end: Any) -> bytes:
    """Write an archive; ``count, size, offset, comment, tail`` overwrite what its end says."""
    out, directory = bytearray(), bytearray()
    for m in members:
        packed = pack(m.data, m.method) if m.packed is None else m.packed
        method = m.method if m.declared_method is None else m.declared_method
        crc = zlib.crc32(m.data) if m.crc is None else m.crc
        size = len(m.data) if m.size is None else m.size
        packed_size = len(packed) if m.packed_size is None else m.packed_size
        offset = len(out) if m.offset is None else m.offset
        name = m.name[:65535]
        extra = m.extra
        wide = [v for v in (size, packed_size, offset) if v >= 0xFFFFFFFF]
        if wide:
            extra += struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide)
        small = [min(v, 0xFFFFFFFF) for v in (crc, packed_size, size)]
        local = 0 if m.local_extra_size is None else m.local_extra_size
        out += struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, m.flags, method, 0, 33, *small, len(name), local
        )
        out += name + packed
        versions = (20, 20, m.flags, method, 0, 33)
        rest = (len(name), len(extra), 0, 0, 0, 0, min(offset, 0xFFFFFFFF))
        directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *versions, *small, *rest)
        directory += name + extra
    count, size = end.get("count", len(members)), end.get("size", len(directory))
    offset, comment = end.get("offset", len(out)), end.get("comment", b"")
    out += directory + end.get("tail", b"")
    out += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF),
                       size & 0xFFFFFFFF, offset & 0xFFFFFFFF, len(comment))  # fmt: skip
    return bytes(out + comment)


def _members(data: bytes) -> Iterator[Member]:
    at = data.rfind(b"PK\x05\x06")
    count, _, at = struct.unpack_from("<H2L", data, at + 10)
    for _ in range(count):
        entry = struct.unpack_from("<4s4B4H3L5H2L", data, at)
        method, packed, size, offset = entry[6], entry[10], entry[11], entry[18]
        lengths = struct.unpack_from("<3H", data, at + 28)
        name = data[at + 46 : at + 46 + lengths[0]]
        at += 46 + sum(lengths)
        start = offset + 30 + sum(struct.unpack_from("<2H", data, offset + 26))
        content = data[start : start + packed]
        if method == DEFLATED:
            content = zlib.decompress(content, -15)
        elif method == ZSTANDARD:
            stream = zstandard.ZstdDecompressor().stream_reader(
                io.BytesIO(content), read_across_frames=True
            )
            content = stream.read()
        if len(content) == size:
            yield Member(name, content, method)


# ---------- broken bytes

Mutation = Callable[[random.Random, Source], bytes]
MUTATIONS: dict[str, Mutation] = {}


def _mutation(make: Mutation) -> Mutation:
    MUTATIONS[make.__name__.strip("_")] = make
    return make


@_mutation
def _truncated(rng: random.Random, source: Source) -> bytes:
    return source.data[: rng.randrange(len(source.data))]


@_mutation
def _a_little_truncated(rng: random.Random, source: Source) -> bytes:
    return source.data[: -rng.randrange(1, min(200, len(source.data)))]


@_mutation
def _beginning_lost(rng: random.Random, source: Source) -> bytes:
    return source.data[rng.randrange(1, len(source.data)) :]


@_mutation
def _hole(rng: random.Random, source: Source) -> bytes:
    start = rng.randrange(len(source.data))
    return source.data[:start] + source.data[start + rng.randrange(1, 5000) :]


@_mutation
def _bits_flipped(rng: random.Random, source: Source) -> bytes:
    data = bytearray(source.data)
    for _ in range(rng.choice((1, 1, 4, 32, 256))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


@_mutation
def _bits_of_directory_flipped(rng: random.Random, source: Source) -> bytes:
    data = bytearray(source.data)
    start = max(0, data.find(b"PK\x01\x02")) if source.zipped else len(data) // 2
    for _ in range(rng.choice((1, 2, 8))):
        data[rng.randrange(start, len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


@_mutation
def _overwritten(rng: random.Random, source: Source) -> bytes:
    data = bytearray(source.data)
    start, length = rng.randrange(len(data)), rng.randrange(1, 4096)
    data[start : start + length] = rng.choice((rng.randbytes(length), bytes(length), b" " * length))
    return bytes(data)


@_mutation
def _blocks_swapped(rng: random.Random, source: Source) -> bytes:
    a, b = sorted(rng.randrange(len(source.data)) for _ in range(2))
    d = source.data
    return d[:a] + d[b : b + (b - a)] + d[a:b] + d[b + (b - a) :]


@_mutation
def _inserted(rng: random.Random, source: Source) -> bytes:
    at = rng.choice((0, len(source.data), rng.randrange(len(source.data))))
    new = rng.choice(
        (rng.randbytes(100), b"PK\x05\x06" + bytes(18), b"PK\x03\x04", b"\xef\xbb\xbf", b"{")
    )
    return source.data[:at] + new + source.data[at:]


@_mutation
def _twice(rng: random.Random, source: Source) -> bytes:
    return source.data * rng.randrange(2, 4)


@_mutation
def _no_log_at_all(rng: random.Random, source: Source) -> bytes:
    return rng.choice(
        (
            b"",
            bytes(rng.randrange(1, 5000)),
            b" " * 5000,
            rng.randbytes(3000),
            b"version https://git-lfs.github.com/spec/v1\noid sha256:"
            + b"a" * 64
            + b"\nsize 12345\n",
            b"<html><body>Not found</body></html>",
            b"{}",
            b"[]",
            b"null",
            b'{"eval": {"task": "t", "model": "m"}, "status": "success"}',
            b'{"eval": null, "status": "success"}',
            b'{"eval": {"a": 1}, "status": "x", "samples": 5}',
            b"PK\x05\x06" + bytes(18),
            b"PK\x03\x04" + bytes(100),
        )
    )


# ---------- broken archives


def _archived(source: Source) -> list[Member]:
    """Give the members of a log; a ``.json`` log is taken apart into such as Inspect writes."""
    if source.zipped:
        return list(source.members)
    try:
        log = json.loads(source.data)
        samples = log.pop("samples", None) or []
        start = {"version": 2, "eval": log["eval"], "plan": log.get("plan")}
    except (ValueError, KeyError, AttributeError):
        return [Member(b"header.json", source.data)]
    made = [Member(b"_journal/start.json", json.dumps(start).encode())]
    for s in samples:
        name = f"samples/{s.get('id')}_epoch_{s.get('epoch')}.json"
        made.append(Member(name.encode(), json.dumps(s).encode()))
    keys = ("id", "epoch", "input", "target", "scores", "uuid", "error", "metadata")
    rows = [{k: s[k] for k in keys if k in s} for s in samples]
    made.append(Member(b"summaries.json", json.dumps(rows).encode()))
    return [*made, Member(b"header.json", json.dumps(log).encode())]


def _one(rng: random.Random, members: list[Member]) -> int:
    """Choose a member, those that are read first more often."""
    named = [i for i, m in enumerate(members) if m.name in (b"header.json", b"summaries.json")]
    return rng.choice(named) if named and rng.random() < 0.7 else rng.randrange(len(members))


def _changed(rng: random.Random, source: Source, *ways: Callable[[Member], Member]) -> bytes:
    members = _archived(source)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = _one(rng, members)
        members[at] = rng.choice(ways)(members[at])
    return archive(members)


@_mutation
def _members_deleted(rng: random.Random, source: Source) -> bytes:
    members = _archived(source)
    how = rng.randrange(5)
    if how == 0:
        kept = [m for m in members if m.name != b"header.json"]
    elif how == 1:
        kept = [m for m in members if m.name != b"summaries.json"]
    elif how == 2:
        kept = [m for m in members if not m.name.startswith(b"samples/") or rng.random() < 0.5]
    elif how == 3:
        kept = [m for m in members if b"summaries" not in m.name]
    else:
        kept = [m for m in members if rng.random() < 0.5]
    return archive(kept)


@_mutation
def _members_twice(rng: random.Random, source: Source) -> bytes:
    members = _archived(source)
    for _ in range(rng.randrange(1, 6)):
        one = members[_one(rng, members)]
        data = rng.choice((one.data, b"{}", b"[]", b"null", b"", one.data[:-1]))
        members.insert(rng.randrange(len(members) + 1), replace(one, data=data))
    return archive(members)


@_mutation
def _members_shuffled(rng: random.Random, source: Source) -> bytes:
    members = _archived(source)
    names = [m.name for m in members]
    rng.shuffle(names)
    return archive([replace(m, name=name) for m, name in zip(members, names, strict=True)])


@_mutation
def _compression_swapped(rng: random.Random, source: Source) -> bytes:
    members = [
        replace(m, method=rng.choice((STORED, DEFLATED, ZSTANDARD))) for m in _archived(source)
    ]
    at = _one(rng, members)
    frames = rng.randrange(2, 9)
    members[at] = replace(
        members[at], method=ZSTANDARD, packed=pack(members[at].data, ZSTANDARD, frames)
    )
    return archive(members)


@_mutation
def _compression_declared_wrongly(rng: random.Random, source: Source) -> bytes:
    methods = (0, 8, 93, 1, 9, 12, 14, 20, 95, 98, 99, 65535)
    return _changed(rng, source, lambda m: replace(m, declared_method=rng.choice(methods)))


@_mutation
def _wrong_checksum(rng: random.Random, source: Source) -> bytes:
    return _changed(rng, source, lambda m: replace(m, crc=rng.getrandbits(32)))


@_mutation
def _wrong_size(rng: random.Random, source: Source) -> bytes:
    def wrong(m: Member) -> Member:
        n = len(m.data)
        sizes = (0, 1, n - 1, n + 1, n * 2, 2**20, 2**31, 2**32 - 2, 2**40, 2**63, 2**64 - 1)
        return replace(m, size=max(0, rng.choice(sizes)))

    return _changed(rng, source, wrong)


@_mutation
def _wrong_packed_size(rng: random.Random, source: Source) -> bytes:
    sizes = (0, 1, 100, 2**16, 2**31, 2**32 - 2, 2**40, 2**63, 2**64 - 1)
    return _changed(rng, source, lambda m: replace(m, packed_size=rng.choice(sizes)))


@_mutation
def _wrong_offset(rng: random.Random, source: Source) -> bytes:
    places = (0, 1, 30, len(source.data), 2**31, 2**32 - 2, 2**40, 2**63, 2**64 - 1)
    return _changed(
        rng,
        source,
        lambda m: replace(m, offset=rng.choice((*places, rng.randrange(len(source.data))))),
    )


@_mutation
def _encrypted(rng: random.Random, source: Source) -> bytes:
    return _changed(rng, source, lambda m: replace(m, flags=rng.choice((1, 9, 0x41, 0xFFFF))))


@_mutation
def _odd_extra_fields(rng: random.Random, source: Source) -> bytes:
    fields = (b"\x01\x00\x08\x00", b"\x01\x00\xff\xff", b"\x01", rng.randbytes(40), bytes(60000))
    return _changed(
        rng,
        source,
        lambda m: replace(m, extra=rng.choice(fields)),
        lambda m: replace(m, local_extra_size=rng.choice((1, 100, 65535))),
    )


@_mutation
def _odd_names(rng: random.Random, source: Source) -> bytes:
    digits = b"9" * 5000
    names = (
        b"../../etc/passwd",
        b"/header.json",
        b"samples/../../x_epoch_1.json",
        b"samples/a\x00b_epoch_1.json",
        b"samples/\xff\xfe_epoch_1.json",
        b"samples/_epoch_1.json",
        b"samples/a_epoch_" + digits + b".json",
        b"samples/a_epoch_1/sample.json",
        b"samples/a_epoch_1/messages/" + digits + b".json",
        b"_journal/summaries/" + digits + b".json",
        b"_journal/summaries/-1.json",
        b"_journal/summaries/1.json",
        b"",
        b"x" * 65535,
        b"samples/" + b"_epoch_1" * 5000 + b".json",
        b"samples\\a_epoch_1.json",
        b"HEADER.JSON",
        b"header.json/",
    )
    return _changed(
        rng,
        source,
        lambda m: replace(m, name=rng.choice(names)),
        lambda m: replace(m, name=b"samples/" + m.name),
    )


@_mutation
def _odd_end(rng: random.Random, source: Source) -> bytes:
    members = _archived(source)
    record = struct.pack(
        "<4sQ2H2L4Q",
        b"PK\x06\x06",
        44,
        45,
        45,
        0,
        0,
        *(rng.choice((1, 2**40, 2**63)) for _ in range(4)),
    )
    where = rng.choice((0, 10, 2**40, 2**64 - 1))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, where, 1)
    ends: tuple[dict[str, Any], ...] = (
        {"count": 0},
        {"count": 70000},
        {"count": 70000, "tail": locator},
        {"count": 70000, "tail": record + locator},
        {"size": 0},
        {"size": 2**32 - 1},
        {"size": 2**31},
        {"offset": 0},
        {"offset": 2**32 - 1},
        {"offset": 2**32 - 1, "tail": record + locator},
        {"size": 10},
        {"comment": b"PK\x05\x06" * 10},
        {"comment": b"x" * 65535},
        {"tail": rng.randbytes(60)},
    )
    return archive(members, **rng.choice(ends))


# ---------- broken documents

_RAW = "\ue000raw{}\ue000"
_RAW_IN_JSON = re.compile(rb'"\xee\x80\x80raw(\d+)\xee\x80\x80"')


def _tokens() -> list[bytes]:
    """Give what JSON may hold, and what it may not but files do."""
    nested = [b"[" * n + b"]" * n for n in (50, 300, 900, 3000, 100_000)]
    nested += [b'{"a":' * n + b"1" + b"}" * n for n in (50, 300, 900, 3000, 100_000)]
    return [
        *(b"null", b"true", b"false", b"0", b"-1", b"1.5", b"-0.0", b"1e308", b"-1e308", b"5e-324"),
        *(b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"9007199254740993"),
        *(str(2**31).encode(), str(2**63).encode(), str(-(2**63)).encode(), str(2**64).encode()),
        *(b"1" + b"0" * 400, b"1" + b"0" * 5000, b"-1" + b"0" * 400),
        *(b'""', b'"x"', b'"C"', b'"nan"', b'"1e400"', b'"-5"', b'"\\u0000"', b'"\\ud800"'),
        *(b'"\\udc00\\ud800"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"attachment://0"', b'"@"'),
        *(
            b'"' + b"long " * 200_000 + b'"',
            b'"2026-13-45T99:99:99Z"',
            b'"0001-01-01T00:00:00+14:00"',
        ),
        *(b"[]", b"{}", b"[[]]", b"[{}]", b"[null]", b"[1,2,3]", b'{"":""}', b'{"value":null}'),
        *(b'{"a":1,"a":2}', b'{"id":1}', b'[{"id":[]}]', b'{"value":{"value":{"value":1}}}'),
        *(
            b'{"\\ud800":1}',
            b'{"a":NaN}',
            b'["\\ud83d"]',
            b"[1e400]",
            b'[{"role":5,"content":[5]}]',
        ),
        *(b"tru", b"'x'", b"01", b"1,", b"[1,]", b"{1:2}", b"/*x*/1", b'"\x01"', b"\x00", b""),
        *nested,
    ]


TOKENS = _tokens()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if len(path) > 12:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:30]):
            yield from _places(inner, (*path, i))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


def _broken(
    rng: random.Random, data: bytes, wanted: str | None = None, tokens: list[bytes] | None = None
) -> bytes:
    """Replace some values of a document, of keys that match a pattern where one is given."""
    try:
        document = json.loads(data)
    except ValueError:
        return data
    places = list(_places(document))
    if wanted is not None:
        places = [
            p for p in places if any(re.fullmatch(wanted, str(key)) for key in p[-2:])
        ] or places
    if not places:
        return rng.choice(TOKENS)
    used: list[bytes] = []
    for _ in range(rng.choice((1, 1, 1, 3, 10))):
        path = rng.choice(places)
        used.append(rng.choice(tokens or TOKENS))
        try:
            _put(document, path, _RAW.format(len(used) - 1))
        except (TypeError, KeyError, IndexError):  # within what was replaced before
            continue
    text = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return _RAW_IN_JSON.sub(lambda m: used[int(m[1])], text)


def _documents(
    rng: random.Random,
    source: Source,
    names: str,
    wanted: str | None,
    tokens: list[bytes] | None = None,
) -> bytes:
    """Break the documents whose names match; of a ``.json`` log the whole."""
    if not source.zipped:
        return _broken(rng, source.data, wanted, tokens)
    members = list(source.members)
    chosen = [
        i for i, m in enumerate(members) if re.fullmatch(names, m.name.decode("utf-8", "replace"))
    ]
    for at in rng.sample(chosen, min(len(chosen), rng.choice((1, 2, 100)))):
        members[at] = replace(members[at], data=_broken(rng, members[at].data, wanted, tokens))
    if rng.random() < 0.3:  # so that samples are read in their place
        members = [m for m in members if b"summaries" not in m.name]
    return archive(members)


_HEADERS = r"header\.json|_journal/start\.json"
_SUMMARIES = r"summaries\.json|_journal/summaries/.*|samples/.*"


@_mutation
def _odd_header(rng: random.Random, source: Source) -> bytes:
    return _documents(rng, source, r"header\.json|_journal/start\.json", None)


@_mutation
def _odd_settings(rng: random.Random, source: Source) -> bytes:
    keys = (
        r"eval|config|epochs|epochs_reducer|dataset|sample_ids|scorers|task_args.*|plan|"
        r"steps"
    )
    return _documents(rng, source, _HEADERS, keys)


@_mutation
def _odd_results(rng: random.Random, source: Source) -> bytes:
    keys = (
        r"results|scores|metrics|value|reducer|params|name|scorer|headline|stats|"
        r".*_samples"
    )
    return _documents(rng, source, _HEADERS, keys)


@_mutation
def _odd_identity(rng: random.Random, source: Source) -> bytes:
    keys = (
        r"task|model|task_id|run_id|eval_id|created|model_roles|tags|metadata|status|"
        r"version"
    )
    return _documents(rng, source, _HEADERS, keys)


@_mutation
def _odd_ids(rng: random.Random, source: Source) -> bytes:
    return _documents(rng, source, _SUMMARIES, "id|uuid")


@_mutation
def _odd_epochs(rng: random.Random, source: Source) -> bytes:
    numbers = [t for t in TOKENS if t[:1] in b"-0123456789NI" and t]
    return _documents(rng, source, _SUMMARIES, "epoch", numbers)


@_mutation
def _odd_scores(rng: random.Random, source: Source) -> bytes:
    return _documents(rng, source, _SUMMARIES, "scores|score|value|answer|explanation|history")


@_mutation
def _odd_details(rng: random.Random, source: Source) -> bytes:
    keys = (
        r"metadata|error|limit|retries|error_retries|model_usage|.*_time|.*_at|choices|"
        r"target|input|invalidation"
    )
    return _documents(rng, source, _SUMMARIES, keys)


@_mutation
def _odd_texts(rng: random.Random, source: Source) -> bytes:
    keys = (
        r"messages|content|role|output|completion|stop_reason|message|attachments|events|"
        r"events_data|input_refs|call|.*_refs"
    )
    return _documents(rng, source, r"samples/.*", keys)


@_mutation
def _values_near_the_end_of_floats(rng: random.Random, source: Source) -> bytes:
    def large(m: Member) -> Member:
        value = rng.choice((b"1.7e308", b"-1.7e308", b"1e200", b"5e-324"))
        found = rb'("(?:value|working_time|total_time|\w+_tokens)"\s*:\s*)("[A-Z]"|-?[\d.]+)'
        return replace(m, data=re.sub(found, lambda hit: hit[1] + value, m.data))

    if not source.zipped:
        return large(source.members[0]).data
    return archive([large(m) for m in source.members])


@_mutation
def _odd_reductions(rng: random.Random, source: Source) -> bytes:
    if not source.zipped:
        return _documents(rng, source, ".*", "reductions|sample_id|value|reducer|scorer")
    members = [
        m
        for m in source.members
        if b"summaries" not in m.name and not m.name.startswith(b"samples/")
    ]
    at = next((i for i, m in enumerate(members) if m.name == b"reductions.json"), None)
    if at is None:
        row = b'[{"scorer":"match","reducer":null,"samples":[{"sample_id":1,"value":"C"}]}]'
        members.append(Member(b"reductions.json", row))
        at = len(members) - 1
    members[at] = replace(members[at], data=_broken(rng, members[at].data))
    return archive(members)


@_mutation
def _odd_anything(rng: random.Random, source: Source) -> bytes:
    return _documents(rng, source, ".*", None)


@_mutation
def _nested_deeply(rng: random.Random, source: Source) -> bytes:
    deep = [t for t in TOKENS if t[:2] in (b"[[", b'{"') and len(t) > 90]
    return _documents(
        rng,
        source,
        ".*",
        "scores|value|metadata|content|results|task_args|input|target|id|output",
        deep,
    )


@_mutation
def _documents_are_others(rng: random.Random, source: Source) -> bytes:
    if not source.zipped:
        return rng.choice(TOKENS)
    return _changed(rng, source, lambda m: replace(m, data=rng.choice(TOKENS)))


@_mutation
def _texts_of_documents_broken(rng: random.Random, source: Source) -> bytes:
    def broken(m: Member) -> Member:
        data = bytearray(m.data or b"{}")
        at = rng.randrange(len(data))
        data[at : at + rng.choice((0, 1, 10))] = rng.choice(
            (b"\xff", b"\x00", b'"', b"}", b"{", b",", b"\\u", b"\xef\xbb\xbf")
        )
        return replace(m, data=bytes(data))

    if not source.zipped:
        return broken(source.members[0]).data
    return _changed(rng, source, broken)


@_mutation
def _another_encoding(rng: random.Random, source: Source) -> bytes:
    encoding = rng.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le"))

    def encoded(m: Member) -> Member:
        return replace(m, data=m.data.decode("utf-8", "replace").encode(encoding))

    if not source.zipped:
        return encoded(source.members[0]).data
    return _changed(rng, source, encoded)


@_mutation
def _keys_lost(rng: random.Random, source: Source) -> bytes:
    def less(m: Member) -> Member:
        keys = re.findall(rb'"(\w+)"\s*:', m.data)
        if not keys:
            return m
        key = rng.choice(keys)
        return replace(m, data=m.data.replace(b'"' + key + b'"', b'"_' + key + b'"'))

    if not source.zipped:
        return less(source.members[0]).data
    return _changed(rng, source, less)


# ---------- bombs

GIB = 1 << 30
BOMBS: dict[str, Callable[[], bytes]] = {}

HEADER = {
    "version": 2,
    "status": "success",
    "eval": {
        "task": "t",
        "model": "m/x",
        "eval_id": "e",
        "task_id": "i",
        "created": "2026-01-01T00:00:00Z",
    },
    "results": {
        "scores": [{"name": "match", "scorer": "match", "metrics": {"accuracy": {"value": 0.5}}}]
    },
}


def _bomb(make: Callable[[], bytes]) -> Callable[[], bytes]:
    BOMBS[make.__name__.strip("_")] = make
    return make


def _repeated(
    part: bytes, times: int, method: int, first: bytes = b"", last: bytes = b""
) -> Member:
    """Pack a part many times over, without ever having all of it."""
    block = part * max(1, (1 << 20) // len(part))
    whole, rest = divmod(times * len(part), len(block))
    crc = size = 0
    packed = bytearray()
    if method == DEFLATED:
        deflater: Any = zlib.compressobj(9, zlib.DEFLATED, -15)
    else:
        deflater = zstandard.ZstdCompressor(level=3).compressobj()
    for piece in (first, *(block for _ in range(whole)), block[:rest], last):
        crc, size = zlib.crc32(piece, crc), size + len(piece)
        packed += deflater.compress(piece)
    packed += deflater.flush()
    return Member(b"", b"", method, bytes(packed), None, size, None, crc)


def _with(*members: tuple[bytes, Member | bytes]) -> bytes:
    made = [Member(b"header.json", json.dumps(HEADER).encode())]
    for name, member in members:
        member = Member(name, member) if isinstance(member, bytes) else replace(member, name=name)
        made = [m for m in made if m.name != name] + [member]
    return archive(made)


@_bomb
def _zstandard_of_5_gib_declared() -> bytes:
    return _with((b"summaries.json", _repeated(b" ", 5 * GIB, ZSTANDARD)))


@_bomb
def _zstandard_of_3_gib_within_the_limit_of_streams() -> bytes:
    return _with((b"summaries.json", _repeated(b" ", 3 * GIB, ZSTANDARD, b"[", b"]")))


@_bomb
def _zstandard_of_3_gib_declared_as_little() -> bytes:
    return _with((b"summaries.json", replace(_repeated(b" ", 3 * GIB, ZSTANDARD), size=1000)))


@_bomb
def _header_of_3_gib_declared_as_little() -> bytes:
    return _with((b"header.json", replace(_repeated(b" ", 3 * GIB, ZSTANDARD), size=400 << 20)))


@_bomb
def _deflate_of_2_gib_declared() -> bytes:
    return _with((b"header.json", _repeated(b"\0", 2 * GIB, DEFLATED)))


@_bomb
def _deflate_of_1_gib_declared_as_little() -> bytes:
    return _with((b"summaries.json", replace(_repeated(b"[", GIB, DEFLATED), size=5000)))


@_bomb
def _header_of_500_mib_of_blanks() -> bytes:
    return _with((b"header.json", _repeated(b" ", 500 << 20, DEFLATED, b"{", b"}")))


@_bomb
def _header_with_a_text_of_500_mib() -> bytes:
    start = json.dumps(HEADER).encode()[:-1] + b',"metadata":{"a":"'
    return _with((b"header.json", _repeated(b"x", 500 << 20, ZSTANDARD, start, b'"}}')))


@_bomb
def _header_with_40_million_numbers() -> bytes:
    start = json.dumps(HEADER).encode()[:-1] + b',"metadata":{"a":[0'
    return _with((b"header.json", _repeated(b",0", 40_000_000, ZSTANDARD, start, b"]}}")))


@_bomb
def _header_with_30_million_lists() -> bytes:
    start = json.dumps(HEADER).encode()[:-1] + b',"metadata":{"a":[[]'
    return _with((b"header.json", _repeated(b",[]", 30_000_000, ZSTANDARD, start, b"]}}")))


@_bomb
def _header_with_5_million_objects_just_below_the_guard() -> bytes:
    start = json.dumps(HEADER).encode()[:-1] + b',"metadata":{"a":[{}'
    return _with((b"header.json", _repeated(b",{}", 5_000_000, ZSTANDARD, start, b"]}}")))


@_bomb
def _header_with_nan_and_many_objects() -> bytes:
    start = json.dumps(HEADER).encode()[:-1] + b',"metadata":{"b":NaN,"a":[{}'
    return _with((b"header.json", _repeated(b",{}", 5_000_000, ZSTANDARD, start, b"]}}")))


@_bomb
def _summaries_of_100_million_empty_objects() -> bytes:
    return _with((b"summaries.json", _repeated(b"{},", 100_000_000, ZSTANDARD, b"[", b"{}]")))


@_bomb
def _summaries_of_a_million_rows_with_an_id_alone() -> bytes:
    rows = b",".join(b'{"id":%d}' % i for i in range(1_000_000))
    return _with((b"summaries.json", b"[" + rows + b"]"))


@_bomb
def _summaries_of_20_million_equal_rows() -> bytes:
    row = b'{"id":1,"epoch":1,"scores":{"match":{"value":"C"}}},'
    return _with((b"summaries.json", _repeated(row, 20_000_000, ZSTANDARD, b"[", row[:-1] + b"]")))


@_bomb
def _summaries_of_empty_lists() -> bytes:
    return _with((b"summaries.json", _repeated(b"[],", 100_000_000, ZSTANDARD, b"[", b"[]]")))


@_bomb
def _a_summary_with_many_objects() -> bytes:
    row = b'[{"id":1,"epoch":1,"scores":{"match":{"value":"C"}},"metadata":{"a":[{}'
    return _with((b"summaries.json", _repeated(b",{}", 20_000_000, ZSTANDARD, row, b"]}}]")))


@_bomb
def _a_score_with_many_leaves() -> bytes:
    row = b'[{"id":1,"epoch":1,"scores":{"match":{"value":[0'
    return _with((b"summaries.json", _repeated(b",0", 10_000_000, ZSTANDARD, row, b"]}}}]")))


@_bomb
def _a_scorer_for_each_sample_and_all_failed() -> bytes:
    rows = b",".join(
        b'{"id":%d,"epoch":1,"error":"x","scores":{"s%d":{"value":1}}}' % (i, i)
        for i in range(20_000)
    )
    return _with((b"summaries.json", b"[" + rows + b"]"))


@_bomb
def _samples_with_many_fields_of_their_own() -> bytes:
    rows = b",".join(
        b'{"id":%d,"epoch":1,"scores":{"match":{"value":1}},"metadata":{"k%d":1}}' % (i, i)
        for i in range(20_000)
    )
    return _with((b"summaries.json", b"[" + rows + b"]"))


@_bomb
def _a_billion_epochs() -> bytes:
    reducers = ["pass_at_999999999", "at_least_99999999"]
    spec = {
        **HEADER["eval"],  # type: ignore[dict-item]
        "config": {"epochs": 10**9, "epochs_reducer": reducers},
        "dataset": {"sample_ids": list(range(2000))},
    }
    row = {"id": 1, "epoch": 10**9, "scores": {"match": {"value": "C"}}}
    return _with(
        (b"header.json", json.dumps({**HEADER, "eval": spec}).encode()),
        (b"samples/1_epoch_1000000000.json", json.dumps(row).encode()),
        (b"summaries.json", json.dumps([row]).encode()),
    )


@_bomb
def _a_directory_of_a_million_members() -> bytes:
    header = json.dumps(HEADER).encode()
    empty = b"{}"
    members = [Member(b"samples/%d_epoch_1.json" % i, empty, STORED) for i in range(1_000_000)]
    return archive([*members[:65_000], Member(b"header.json", header)]) + b""


@_bomb
def _a_sample_with_many_objects() -> bytes:
    row = b'{"id":1,"epoch":1,"scores":{"match":{"value":"C"}},"events":[{}'
    return _with((b"samples/1_epoch_1.json", _repeated(b",{}", 20_000_000, ZSTANDARD, row, b"]}")))


@_bomb
def _a_sample_with_5_million_messages() -> bytes:
    row = b'{"id":1,"epoch":1,"scores":{"match":{"value":"C"}},"messages":[{}'
    return _with((b"samples/1_epoch_1.json", _repeated(b",{}", 5_000_000, ZSTANDARD, row, b"]}")))


@_bomb
def _one_attachment_in_place_of_all_messages() -> bytes:
    """A pool's messages, taken again and again: 20 MB of references to 1 MB of text."""
    refs = ",".join(["[0,100]"] * 500_000)
    pool = ",".join(['{"role":"user","content":"attachment://a"}'] * 100)
    sample = (
        '{"id":1,"epoch":1,"scores":{"match":{"value":"C"}},"attachments":{"a":"'
        + "x" * (1 << 20)
        + '"},'
        f'"events_data":{{"messages":[{pool}],"calls":[]}},"events":[{{"event":"model","input_refs":[{refs}]}}]}}'
    )
    return _with((b"samples/1_epoch_1.json", sample.encode()))


@_bomb
def _json_log_with_100_million_empty_samples() -> bytes:
    start = json.dumps(HEADER).encode()[:-1] + b',"samples":['
    return start + b"{}," * 100_000_000 + b"{}]}"


@_bomb
def _json_log_of_900_mib_of_blanks() -> bytes:
    return json.dumps(HEADER).encode()[:-1] + b" " * (900 << 20) + b"}"


@_bomb
def _json_log_with_numbers_and_nan() -> bytes:
    start = json.dumps(HEADER).encode()[:-1] + b',"samples":[{"id":1,"x":NaN,"y":[0'
    return start + b",0" * 50_000_000 + b"]}]}"


# ---------- reading them


TEXTS = (
    *("input", "prompt", "messages", "events", "completion"),
    *("choices", "targets", "stop_reason"),
)


def exercise(path: Path, *, once: bool = False) -> str:
    """Read all there is of a log, as a program would; give what came of it.

    Parameters
    ----------
    path : Path
        The log.
    once : bool
        Read it under the default selection only, not under one of all there is too.
    """
    import suites
    from suites.inspect.objects import InspectRuns

    read: list[Any] = []

    def steps() -> Iterator[Callable[[], Any]]:
        yield lambda: read.append(suites.read(path))
        (suite,) = read
        everything = suite.select(metric="*", unfinished=True, reruns="all")
        for selected in (suite,) if once else (suite, everything):
            yield lambda s=selected: (s.problems, s.runs, s.details)
            yield selected.verify
            yield selected.responses
            yield lambda s=selected: s.responses(details=True)
            for table in ("run_specs", "scenario_state", "stats", "per_instance_stats"):
                yield lambda s=selected, t=table: s.frame(t)
        for run in InspectRuns(path):
            yield run.log.reductions
            for sample in run.samples():
                for name in TEXTS:
                    yield lambda s=sample, n=name: getattr(s, n)

    refused = False
    try:
        for step in steps():
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            faulthandler.dump_traceback_later(20 * SECONDS, exit=True)  # where it waits
            try:
                step()
            except suites.UsageError as err:
                if str(path) not in str(err):
                    raise AssertionError(f"the log is not named: {err}") from err
                refused = True
                if not read:
                    break
    except suites.UsageError as err:  # of the samples themselves
        if str(path) not in str(err):
            raise AssertionError(f"the log is not named: {err}") from err
        refused = True
    if refused:
        return "refused"
    return "problems told" if len(read[0].problems) else "read"


def peak() -> int:
    """Give the most memory that this process had, in bytes; what came before it does not count."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) << 10  # type: ignore[index]
    except (OSError, TypeError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def mutation(seed: int, number: int, sources: list[Path]) -> tuple[str, Path, bytes]:
    """Make one broken log: its kind, the whole one, its bytes."""
    rng = random.Random(f"{seed}-{number}")
    kinds = list(MUTATIONS)
    kind = kinds[number % len(kinds)]
    path = rng.choice(sources)
    return kind, path, MUTATIONS[kind](rng, Source.read(path))


def _try(path: Path, *, once: bool = False, **facts: Any) -> None:
    started = time.monotonic()
    error = None
    try:
        outcome = exercise(path, once=once)
    except Exception:
        outcome, error = "raised", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    seconds = round(time.monotonic() - started, 2)
    line = {**facts, "outcome": outcome, "seconds": seconds, "peak": peak() >> 20, "error": error}
    _say(line)


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read broken logs; see the module."""
    what, *words = sys.argv[1:]
    warnings.simplefilter("error")
    faulthandler.register(signal.SIGPROF, chain=True)  # and then it ends the process
    if what == "bomb":
        name, work = words
        _try(Path(work), once=True, kind=name)
        return
    seed, start, stop = map(int, words[:3])
    work, sources = Path(words[3]), [Path(word) for word in words[4:]]
    for number in range(start, stop):
        kind, source, data = mutation(seed, number, sources)
        ending = ".json" if data[:1] == b"{" else ".eval"
        path = work / f"{number}{ending}"
        path.write_bytes(data)
        _say({"number": number, "kind": kind})
        _try(path, number=number, kind=kind, source=source.name)
        path.unlink()


if __name__ == "__main__":
    main()
