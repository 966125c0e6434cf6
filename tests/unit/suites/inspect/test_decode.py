"""JSON as Inspect writes it: plain, and with what plain JSON has not."""

import itertools
import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.inspect import decode as module
from suites.inspect.decode import decode, decode_list
from suites.inspect.errors import LogError
from suites.inspect.rows import DetailedRow, Row, row_of, rows_of


def read(data: bytes, type_=dict):
    return decode(data, type_, "a.json", "log.eval")


def refused(data: bytes, type_=dict) -> str:
    with pytest.raises(LogError, match=r"log\.eval: a\.json") as caught:
        read(data, type_)
    return caught.value.code


# ---------- documents


def test_numbers_beyond_plain_json():
    found = read(b'{"a": NaN, "b": Infinity, "c": -Infinity, "d": 1e400, "e": -1e400, "f": [NaN]}')
    assert math.isnan(found["a"])
    assert [found[k] for k in "bcde"] == [math.inf, -math.inf, math.inf, -math.inf]
    assert math.isnan(found["f"][0])
    assert read(b'{"a": 123456789012345678901234567890}')["a"] == 123456789012345678901234567890


@pytest.mark.parametrize("type_", [Row, DetailedRow])
def test_what_is_not_plain_is_a_row_all_the_same(type_):
    data = b'{"id": 1, "epoch": 2, "scores": {"m": {"value": NaN}}, "choices": ["a", "b"]}'
    row = row_of(bytearray(data), type_, "a.json", "log.eval")
    assert row.key == ("1", 2)
    assert math.isnan(row.scores["m"].value)
    assert len(row.choices) == 2


def test_halves_of_surrogate_pairs_become_replacement_characters():
    found = read(b'{"a\\ud800": ["\\udfff", "\\ud83d\\ude00", "\\ud83d"]}')
    assert found == {"a\ufffd": ["\ufffd", "\U0001f600", "\ufffd"]}
    assert json.dumps(found, ensure_ascii=False).encode()


def test_a_mark_of_byte_order_and_bytes_that_are_no_utf_8():
    assert read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert read(b'{"a": "\xff\xfe"}') == {"a": "\ufffd\ufffd"}


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": }', b"nonsense", b'{"a": 1} x', b"\x00" * 9])
def test_what_is_no_json_is_told(data):
    assert refused(data) == "bad-json"


def test_other_json_than_was_wanted_is_told():
    assert refused(b"[1]") == "bad-content"
    assert refused(b'[{"id": NaN}]', Row) == "bad-content"


@pytest.mark.parametrize("depth", [500, 900, 960, 990, 2_000, 100_000])
@pytest.mark.parametrize("core", [b"1", b"NaN", b'"\\ud800"'])
def test_deep_nesting_is_decoded_or_told(depth, core):
    for begin, end in ((b"[", b"]"), (b'{"a":', b"}")):
        data = b'{"id": 1, "x": ' + begin * depth + core + end * depth + b"}"
        for type_ in (dict, Row):
            try:
                read(data, type_)
            except LogError as err:
                assert err.code in ("bad-content", "bad-json")  # noqa: PT017 — or nothing at all


def test_documents_that_would_fill_the_memory_are_refused(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_TOLERANT", 20)
    assert read(b'{"a": "plain, so of any size"}')
    assert refused(b'{"a": "not plain", "b": NaN}') == "too-large"
    monkeypatch.setattr(module, "MOST_MEMORY", 1000)
    monkeypatch.setattr(module, "_LIGHT", 20)
    assert refused(b'{"a": [' + b",".join([b"{}"] * 30) + b"]}") == "too-large"


# ---------- lists, piece by piece


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def plain(part: bytearray) -> list:
    return decode(part, list, "a.json", "log.eval")


ELEMENTS = [
    {"id": 1, "input": 'a text with },{"id": in it', "scores": {}},
    {"id": "b", "messages": [{"id": "x", "n": [{"id": 1}, {"id": 2}]}, {"id": "y"}]},
    {"id": 3, "nothing": "here"},
    {"id": 4, "choices": [{"id": i} for i in range(20)]},
    {"id": 5},
]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("batch", [1, 30, 200, 10**6])
@pytest.mark.parametrize("size", [1, 7, 64, 10**6])
def test_a_list_is_decoded_whole_whatever_the_pieces(indent, batch, size, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", batch)
    data = json.dumps(ELEMENTS * 3, indent=indent).encode()
    parts = list(decode_list(in_pieces(data, size), plain, "a.json", "log.eval"))
    assert [e for part in parts for e in part] == ELEMENTS * 3
    assert len(parts) > 1 or size * batch > 10**4


def test_what_separates_elements_may_be_any_white_space(monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 1)
    data = b'\n[ {"id" : 1}\n\t,\r\n {  "id":2} , {"id":3 }\n ]\n'
    parts = list(decode_list(in_pieces(data, 5), plain, "a.json", "log.eval"))
    assert [e["id"] for part in parts for e in part] == [1, 2, 3]


def test_a_list_is_given_batch_by_batch(monkeypatch):
    """A long list is never held whole."""
    monkeypatch.setattr(module, "_BATCH", 1000)
    data = json.dumps([{"id": i, "text": "x" * 80} for i in range(1000)]).encode()
    parts = list(decode_list(in_pieces(data, 500), plain, "a.json", "log.eval"))
    assert len(parts) > 20
    assert max(map(len, parts)) < 50
    assert [e["id"] for part in parts for e in part] == list(range(1000))


def test_elements_with_many_elements_of_their_own_do_not_make_a_list_too_large(monkeypatch):
    """Their boundaries look like those of the list, and there are more of them."""
    monkeypatch.setattr(module, "_BATCH", 100)
    monkeypatch.setattr(module, "LARGEST_ELEMENT", 20_000)
    element = {"input": [{"id": f"m{i}", "role": "user"} for i in range(100)]}
    data = json.dumps([{"id": i, **element} for i in range(50)]).encode()
    parts = list(decode_list(in_pieces(data, 1000), plain, "a.json", "log.eval"))
    assert [e["id"] for part in parts for e in part] == list(range(50))


def test_an_element_above_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 100)
    monkeypatch.setattr(module, "LARGEST_ELEMENT", 1000)
    data = json.dumps([{"id": 1, "text": "x" * 5000}, {"id": 2}]).encode()
    with pytest.raises(LogError, match="no element that ends within"):
        _ = list(decode_list(in_pieces(data, 100), plain, "a.json", "log.eval"))


def test_a_list_that_is_cut_off_gives_what_came_before_and_the_fault(monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 50)
    data = json.dumps([{"id": i} for i in range(100)]).encode()[:-20]
    found = []
    with pytest.raises(LogError, match="not JSON"):
        found.extend(decode_list(in_pieces(data, 10), plain, "a.json", "log.eval"))
    assert found[0][0] == {"id": 0}


def test_a_batch_that_is_not_plain_does_not_touch_the_others(monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 60)
    data = b'[{"id":1,"scores":{"m":{"value":0.5}}},{"id":2,"scores":{"m":{"value":NaN}}},'
    data += b'{"id":"3\\ud800","scores":{"m":{"value":1}}},{"no":"id"},{"id":4,"scores":7}]'
    parts = rows_of(in_pieces(data, 9), Row, "a.json", "log.eval")
    rows = [row for part in parts for row in part]
    assert [row.id for row in rows] == [1, 2, "3\ufffd", 4]
    assert [row.scores and row.scores["m"].value for row in rows][::2] == [0.5, 1]
    assert math.isnan(rows[1].scores["m"].value)
    assert rows[3].scores is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just('},{"id":'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "x", '"id"']), inner, max_size=3)
    ),
    max_leaves=8,
)
elements = st.builds(lambda key, rest: {"id": key, **rest}, st.integers(), st.dictionaries(
    st.sampled_from(["input", "scores", "n"]), values, max_size=3))  # fmt: skip


@given(
    st.lists(elements, max_size=8),
    st.sampled_from([None, 0, 2]),
    st.lists(st.integers(0, 400)),
    st.sampled_from([1, 20, 100]),
)
def test_any_list_in_any_pieces_is_as_json_decodes_it(items, indent, cuts, batch):
    data = json.dumps(items, indent=indent).encode()
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BATCH", batch)
        parts = list(decode_list(pieces, plain, "a.json", "log.eval"))
    assert [e for part in parts for e in part] == json.loads(data)


def test_structs_skip_what_they_do_not_name():
    row = msgspec.json.decode(b'{"id": 1, "events": [{"deep": [1]}], "new_field": 5}', type=Row)
    assert row.id == 1
