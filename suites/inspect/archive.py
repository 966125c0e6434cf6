"""`Archive`: the members of an ``.eval`` file, a zip archive of JSON documents.

Inspect compresses members with deflate or, today, with Zstandard (zip method 93), at times in
several frames, which Python's zipfile does not read before 3.14. The directory is read here, and
members are inflated here, within limits: nothing is ever unpacked to disk, and an archive that
declares or holds more than the limits is refused before it fills the memory.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from suites.inspect.errors import LogError
from suites.locations import ByteFile

LARGEST_MEMBER = 512 << 20
"""Bytes of a member that is decoded whole, inflated; a larger one is refused."""

LARGEST_HEADER = 64 << 20
"""Bytes of a member that says what was evaluated, inflated."""

LARGEST_STREAM = 4 << 30
"""Bytes of a member that is read piece by piece (the sample summaries), inflated."""

MOST_MEMBERS = 1_000_000
"""Entries of a directory."""

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_LENGTHS = struct.Struct("<3H")  # of name, extra field and comment, 28 bytes into an entry
_HEAD_LENGTHS = struct.Struct("<2H")  # of name and extra field, 26 bytes into a local header
_PIECE = 1 << 20
_STORED, _DEFLATED, _ZSTANDARD = 0, 8, 93


class _Member(NamedTuple):
    """Where a member lies and how it is packed."""

    offset: int  # of its local header
    packed: int
    size: int
    method: int
    crc: int
    flags: int


@dataclass(frozen=True)
class Archive:
    """A zip archive whose directory was read.

    Attributes
    ----------
    location : str
        For messages.
    members : dict of bytes to int
        Names of the members → place of the entry in the directory; entries are decoded when they
        are read, since most of a large log's never are. Of several entries of one name the last
        counts: Inspect appends a changed member.

    Examples
    --------
    >>> import io, pathlib, tempfile, zipfile
    >>> from suites.locations import open_bytes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = str(pathlib.Path(folder, "a.eval"))
    ...     with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_:
    ...         zip_.writestr("header.json", b"{}")
    ...     with open_bytes(path) as file:
    ...         archive = Archive.read_directory(file, path)
    ...         list(archive.members), bytes(archive.read(b"header.json"))
    ([b'header.json'], b'{}')
    """

    location: str
    members: dict[bytes, int]
    _file: ByteFile | None
    _directory: bytes
    _shift: int  # of all offsets in the directory

    @classmethod
    def read_directory(cls, file: ByteFile, location: str) -> Archive:
        """Read the directory of an archive.

        Raises
        ------
        LogError
            If it has none (``cut-off``), or one that is broken or too large.
        """
        start, stop, shift = _find_directory(file, location)
        data = file.read(start, stop)
        return cls(location, _entries(data, location), file, data, shift)

    def read(self, name: bytes, most: int | None = None) -> bytes | bytearray:
        """Inflate a member.

        Raises
        ------
        LogError
            If it is not there, is broken, or is larger than ``most`` bytes, by default
            `LARGEST_MEMBER`.
        """
        member = self._member(name, LARGEST_MEMBER if most is None else most)
        label = name.decode("utf-8", "replace")
        if member.size < _PIECE:
            return self._small(label, member)
        data = bytearray()  # grows in place: pieces and their sum are never held together
        for piece in self._inflate(label, member, self._packed(label, member)):
            data += piece
        self._check(label, member, len(data), zlib.crc32(data))
        return data

    def stream(self, name: bytes) -> Iterator[bytes]:
        """Inflate a member piece by piece, up to `LARGEST_STREAM`.

        Raises
        ------
        LogError
            As `read`; what is wrong with its end is raised after its pieces were given.
        """
        member = self._member(name, LARGEST_STREAM)
        label = name.decode("utf-8", "replace")
        size = crc = 0
        for piece in self._inflate(label, member, self._packed(label, member)):
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            yield piece
        self._check(label, member, size, crc)

    def excerpt(self, names: Iterable[bytes]) -> Archive:
        """Keep the entries of some members, without the file.

        With the file put back (``on``) these members can be read, and the directory, which is large
        where samples are many, is not read again.
        """
        members: dict[bytes, int] = {}
        data = bytearray()
        for name in names:
            at = self.members.get(name)
            if at is not None:
                members[name] = len(data)
                data += self._directory[
                    at : at + 46 + sum(_LENGTHS.unpack_from(self._directory, at + 28))
                ]
        return Archive(self.location, members, None, bytes(data), self._shift)

    def on(self, file: ByteFile) -> Archive:
        """Give the same archive, read from a file."""
        return replace(self, _file=file)

    # ---------- private

    def _member(self, name: bytes, most: int) -> _Member:
        at, label = self.members.get(name), name.decode("utf-8", "replace")
        if at is None:
            raise self._error(f"it has no member {label}", "missing-member")
        member = _entry(self._directory, at, self._shift)
        if member.flags & 1:
            raise self._error(f"its member {label} is encrypted", "encrypted", "decrypt the log")
        if member.method not in (_STORED, _DEFLATED, _ZSTANDARD):
            what = f"its member {label} is packed by method {member.method}, not one of Inspect's"
            raise self._error(what, "bad-zip")
        if max(member.size, member.packed) > most:
            what = f"its member {label} declares {member.size >> 20} MiB, above {most >> 20} MiB"
            raise self._error(what, "too-large")
        return member

    def _packed(self, name: str, member: _Member) -> bytes:
        assert self._file is not None, "an excerpt has no file"
        # of a small member all at once: its head is as long as its name, and a little
        first = 30 + len(name) + 64 + (member.packed if member.packed < _PIECE else 0)
        head = self._file.read(member.offset, member.offset + first)
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise self._error(f"its member {name} is not where the directory says", "bad-zip")
        name_size, extra_size = _HEAD_LENGTHS.unpack_from(head, 26)
        skip = 30 + name_size + extra_size
        if skip + member.packed <= len(head):
            return head[skip : skip + member.packed]
        start = member.offset + skip
        packed = self._file.read(start, start + member.packed)
        if len(packed) < member.packed:
            raise self._error(f"it ends within its member {name}", "cut-off")
        return packed

    def _small(self, name: str, member: _Member) -> bytes:
        """Inflate a small member at once: nearly all samples are such."""
        packed = self._packed(name, member)
        data = None
        if member.method == _DEFLATED:
            inflater = zlib.decompressobj(-15)
            try:
                data = inflater.decompress(packed, member.size + 1)
            except zlib.error:
                data = None
            if not inflater.eof:
                data = None
        elif member.method == _ZSTANDARD:
            data = _one_frame(packed, member.size)
        if data is None or len(data) != member.size:  # the way by pieces says what is wrong
            data = b"".join(self._inflate(name, member, packed))
        self._check(name, member, len(data), zlib.crc32(data))
        return data

    def _inflate(self, name: str, member: _Member, packed: bytes) -> Iterator[bytes]:
        """Inflate, never beyond the size that the directory declares."""
        unpack = {_STORED: _plain, _DEFLATED: _inflated, _ZSTANDARD: _zstandard}[member.method]
        left = member.size
        try:
            for piece in unpack(packed):
                left -= len(piece)
                if left < 0:
                    what = f"its member {name} holds more than the {member.size} bytes it declares"
                    raise self._error(what, "bad-zip")
                yield piece
        except (zlib.error, _zstd_error()) as err:
            raise self._error(f"its member {name} cannot be inflated: {err}", "bad-zip") from err

    def _check(self, name: str, member: _Member, size: int, crc: int) -> None:
        if size != member.size or crc != member.crc:
            raise self._error(
                f"its member {name} is damaged: its checksum or size is not the declared one",
                "bad-checksum",
                "copy the log again",
            )

    def _error(self, what: str, code: str, hint: str = "") -> LogError:
        return LogError(self.location, what, code=code, hint=hint)


# ---------- inflating


def _plain(packed: bytes) -> Iterator[bytes]:
    for start in range(0, len(packed), _PIECE):
        yield packed[start : start + _PIECE]


def _inflated(packed: bytes) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-15)
    while packed and not inflater.eof:
        yield inflater.decompress(packed, _PIECE)
        packed = inflater.unconsumed_tail
    yield inflater.flush()
    if not inflater.eof:
        raise zlib.error("it ends too early")


_own = threading.local()  # a decompressor for each thread: making one takes longer than its work


def _one_frame(packed: bytes, size: int) -> bytes | None:
    """Inflate what is one frame, of this size or of none declared; None for all else."""
    import zstandard

    try:
        if zstandard.frame_content_size(packed) not in (-1, size):
            return None
        if not hasattr(_own, "zstandard"):
            _own.zstandard = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        data: bytes = _own.zstandard.decompress(
            packed, max_output_size=size, allow_extra_data=False
        )
        return data
    except zstandard.ZstdError:
        return None


def _zstandard(packed: bytes) -> Iterator[bytes]:
    import zstandard

    inflater = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    reader: Any = inflater.stream_reader(packed, read_size=_PIECE, read_across_frames=True)
    while piece := reader.read(_PIECE):
        yield piece


def _zstd_error() -> type[Exception]:
    import zstandard

    error: type[Exception] = zstandard.ZstdError
    return error


# ---------- the directory


def _find_directory(file: ByteFile, location: str) -> tuple[int, int, int]:
    """Give start and end of the directory, and by how much offsets in it are shifted."""

    def fail(what: str, code: str = "bad-zip") -> LogError:
        return LogError(location, what, code=code, hint="copy the log again")

    base = max(0, file.size - (1 << 16) - _END.size)
    tail = file.read(base, file.size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise fail("it ends before its directory: the file is cut off", "cut-off")
    _, _, _, _, count, size, offset, _ = _END.unpack_from(tail, at)
    stop = base + at
    if count == 0xFFFF or size == 0xFFFFFFFF or offset == 0xFFFFFFFF:
        locator = file.read(stop - 20, stop) if stop >= 20 else b""
        if locator[:4] == b"PK\x06\x07":
            (where,) = struct.unpack_from("<Q", locator, 8)
            # where something lies before the archive, it is not there but before the locator
            for place in (where, stop - 20 - _END64.size):
                record = file.read(place, place + _END64.size) if 0 <= place < file.size else b""
                if len(record) == _END64.size and record[:4] == b"PK\x06\x06":
                    stop = place
                    break
            else:
                raise fail("its zip64 directory is not where it says")
            count, size, offset = _END64.unpack(record)[7:10]
    start = stop - size
    if start < 0 or offset > start:
        raise fail("its directory is larger than the file")
    if count > MOST_MEMBERS or size > MOST_MEMBERS * 128:
        raise fail(f"its directory declares {count} members, above {MOST_MEMBERS}", "too-large")
    return start, stop, start - offset


def _entries(data: bytes, location: str) -> dict[bytes, int]:
    """Give the place of each entry by the member's name."""
    places: dict[bytes, int] = {}
    at, end, lengths = 0, len(data), _LENGTHS.unpack_from
    while at + 46 <= end:
        if data[at : at + 4] != b"PK\x01\x02":
            what = "its directory is damaged"
            raise LogError(location, what, code="bad-zip", hint="copy the log again")
        name, extra, comment = lengths(data, at + 28)
        places[data[at + 46 : at + 46 + name]] = at
        at += 46 + name + extra + comment
    return places


def _entry(data: bytes, at: int, shift: int) -> _Member:
    entry = _ENTRY.unpack_from(data, at)
    flags, method = entry[5], entry[6]
    crc, packed, size, name, extra = entry[9:14]
    offset = entry[18]
    if 0xFFFFFFFF in (packed, size, offset):
        start = at + 46 + name
        size, packed, offset = _large(data[start : start + extra], size, packed, offset)
    return _Member(offset + shift, packed, size, method, crc, flags)


def _large(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Take sizes that do not fit into 32 bits from the extra field of an entry."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            body = extra[at + 4 : at + 4 + length]
            wide = [v for (v,) in struct.iter_unpack("<Q", body[: len(body) // 8 * 8])]
            fields = []
            for value in (size, packed, offset):
                fields.append(wide.pop(0) if value == 0xFFFFFFFF and wide else value)
            return fields[0], fields[1], fields[2]
        at += 4 + length
    return size, packed, offset
