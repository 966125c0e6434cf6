"""Archives of every sort that Inspect writes or that a disk may hold."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_logs import DEFLATED, STORED, ZSTANDARD, zipped

from suites.inspect import archive as module
from suites.inspect.archive import Archive
from suites.inspect.errors import LogError

TEXT = b'{"name": "a long enough text, so that packing it pays"}' * 40


class Bytes:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]


def opened(data: bytes) -> Archive:
    return Archive.read_directory(Bytes(data), "a.eval")


def refused(data: bytes, name: bytes = b"a") -> LogError:
    with pytest.raises(LogError) as caught:
        opened(data).read(name)
    return caught.value


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTANDARD])
@pytest.mark.parametrize("content", [b"", b"x", TEXT])
def test_members_are_inflated(method, content):
    found = opened(zipped([("a", content), ("folder/ä b.json", b"2")], method))
    assert list(found.members) == [b"a", "folder/ä b.json".encode()]
    assert found.read(b"a") == content
    assert b"".join(found.stream(b"a")) == content
    assert found.read("folder/ä b.json".encode()) == b"2"


def test_a_member_of_several_frames_is_read_to_its_end():
    data = zipped([("a", TEXT)], ZSTANDARD, frames=7)
    assert opened(data).read(b"a") == TEXT


def test_what_python_packs_is_read():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zip_:
        zip_.writestr("a", TEXT)
        with zip_.open("b", "w", force_zip64=True) as member:  # as Inspect streams samples
            member.write(TEXT * 2)
    found = opened(file.getvalue())
    assert (found.read(b"a"), found.read(b"b")) == (TEXT, TEXT * 2)


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n" * 10])
@pytest.mark.parametrize("zip64", [False, True])
def test_numbers_of_64_bits_and_what_lies_before(zip64, prefix):
    members = [("a", b"first"), ("b", TEXT), ("c", b"third")]
    found = opened(zipped(members, zip64=zip64, prefix=prefix))
    assert [bytes(found.read(name.encode())) for name, _ in members] == [c for _, c in members]


@pytest.mark.parametrize("comment", [b"", b"from a colleague", b"x" * 0xFFFF])
def test_a_comment_at_the_end(comment):
    assert opened(zipped([("a", TEXT)], comment=comment)).read(b"a") == TEXT


def test_of_two_members_of_one_name_the_last_counts():
    found = opened(zipped([("a", b"old"), ("b", b"2"), ("a", b"new")]))
    assert found.read(b"a") == b"new"
    assert len(found.members) == 2


def test_an_archive_without_members():
    assert opened(zipped([])).members == {}
    assert refused(zipped([])).code == "missing-member"


# ---------- broken ones


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTANDARD])
def test_a_wrong_checksum_is_told(method):
    data = zipped([("a", TEXT)], method, crc=7)
    assert refused(data).code == "bad-checksum"
    pieces = opened(data).stream(b"a")
    with pytest.raises(LogError, match="damaged"):
        _ = list(pieces)


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTANDARD])
@pytest.mark.parametrize(("wrong", "code"), [(-1, "bad-zip"), (1, "bad-checksum")])
def test_a_wrong_size_is_told(method, wrong, code):
    assert refused(zipped([("a", TEXT)], method, size=len(TEXT) + wrong)).code == code


@pytest.mark.parametrize("method", [DEFLATED, ZSTANDARD])
def test_inflating_stops_at_the_declared_size(method, monkeypatch):
    """What swells is refused after a piece, not after it filled the memory."""
    monkeypatch.setattr(module, "_PIECE", 1 << 10)
    given_up = []
    pieces = opened(zipped([("a", bytes(1 << 20))], method, size=3 << 10)).stream(b"a")
    with pytest.raises(LogError, match="more than the 3072 bytes it declares"):
        given_up.extend(pieces)
    assert sum(map(len, given_up)) <= 3 << 10


def test_more_than_the_limit_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_MEMBER", 100)
    monkeypatch.setattr(module, "LARGEST_STREAM", 1000)
    data = zipped([("a", bytes(101)), ("b", bytes(100)), ("c", bytes(1001))])
    assert refused(data).code == "too-large"
    assert len(opened(data).read(b"b")) == 100
    assert len(b"".join(opened(data).stream(b"a"))) == 101
    with pytest.raises(LogError, match="declares"):
        next(opened(data).stream(b"c"))
    assert refused(zipped([("a", b"x")], size=1 << 62, zip64=True)).code == "too-large"


def test_too_many_members_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_MEMBERS", 2)
    members = [(name, b"") for name in "abc"]
    assert len(opened(zipped(members[:2])).members) == 2
    assert refused(zipped(members)).code == "too-large"


def test_encrypted_members_are_refused():
    assert refused(zipped([("a", TEXT)], flags=1)).code == "encrypted"


def test_other_packings_are_refused_by_number():
    error = refused(zipped([("a", TEXT)], 14))
    assert error.code == "bad-zip"
    assert "14" in error.what


@pytest.mark.parametrize("method", [DEFLATED, ZSTANDARD])
def test_what_cannot_be_inflated_is_told(method):
    data = bytearray(zipped([("a", TEXT)], method))
    data[31:41] = b"\xff" * 10  # the packed content begins there
    assert refused(bytes(data)).code == "bad-zip"


@pytest.mark.parametrize("keep", [0, 10, 100, -1, -30])
def test_a_file_that_is_cut_off_is_told(keep):
    data = zipped([("a", TEXT), ("b", TEXT)])
    assert refused(data[:keep]).code == "cut-off"


def test_a_member_beyond_the_end_is_told():
    assert refused(zipped([("a", TEXT)], offset=10**6)).code == "bad-zip"
    assert refused(zipped([("a", TEXT)], offset=1 << 63, zip64=True)).code == "bad-zip"


def test_a_directory_that_is_none_is_told():
    data = bytearray(zipped([("a", b"1")]))
    at = data.find(b"PK\x01\x02")
    data[at : at + 4] = b"PK\x09\x09"
    assert refused(bytes(data)).code == "bad-zip"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 10**6, 0, 0)
    assert refused(b"x" * 50 + end).code == "bad-zip"


@pytest.mark.parametrize("where", [1 << 40, 1 << 63])
def test_a_wide_directory_that_is_elsewhere_is_told(where):
    data = bytearray(zipped([("a", b"1")], zip64=True))
    at = data.find(b"PK\x06\x07")
    data[at + 8 : at + 16] = struct.pack("<Q", where)
    assert opened(bytes(data)).read(b"a") == b"1"  # found before its locator
    data[at - 56 : at - 52] = b"    "
    assert refused(bytes(data)).code == "bad-zip"


@given(st.data())
def test_no_damage_gives_other_content_or_another_error(data):
    whole = zipped([("a", TEXT), ("b", b"2")], data.draw(st.sampled_from([0, 8, 93])))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    try:
        found = opened(damaged)
        content = {name: bytes(found.read(name)) for name in found.members}
    except LogError:
        return
    assert set(content.values()) <= {TEXT, b"2"}
