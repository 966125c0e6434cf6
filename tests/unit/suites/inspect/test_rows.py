"""Samples and summaries as rows."""

import json

import pytest

from suites.inspect import rows as module
from suites.inspect.errors import LogError
from suites.inspect.rows import DetailedRow, Row, merged, row_of, rows_of


def one(type_=Row, **fields):
    return row_of(bytearray(json.dumps(fields).encode()), type_, "a sample", "log.eval")


def many(content, type_=Row) -> list:
    parts = rows_of([json.dumps(content).encode()], type_, "summaries.json", "log.eval")
    return [row for part in parts for row in part]


@pytest.mark.parametrize(
    ("epoch", "number"),
    [
        (1, 1),
        (3, 3),
        (2.0, 2),
        ("2", 1),
        (None, 1),
        (True, 1),
        (0, 1),
        (-4, 1),
        (2**70, 1),
        ([], 1),
    ],
)
def test_what_is_no_epoch_counts_as_the_first(epoch, number):
    assert one(id="a", epoch=epoch).key == ("a", number)
    assert many([{"id": "a", "epoch": epoch}])[0].key == ("a", number)
    # a field of another type than Inspect's takes the lenient way
    assert one(id="a", epoch=epoch, scores=5).key == ("a", number)


@pytest.mark.parametrize("id", [None, [], {}, ["a"]])
def test_what_has_no_id_is_no_sample(id):
    assert one(id=id) is None
    assert one(id=id, scores=5) is None
    assert many([{"id": id}, {"id": 1}])[0].id == 1


def test_elements_that_are_no_samples_are_left_out():
    elements = [5, None, "x", [], {"id": 1}, {}, {"id": "b", "scores": []}]
    assert [row.id for row in many(elements)] == [1, "b"]
    assert many({"id": 1}) == []
    assert many([]) == []


@pytest.mark.parametrize("type_", [Row, DetailedRow])
def test_scores_of_another_shape_are_absent_and_the_others_stay(type_):
    scores = {"good": {"value": "C", "answer": "yes"}, "none": None, "bare": 1, "empty": {}}
    row = one(type_, id=1, scores=scores)
    assert row.scores["good"].value == "C"
    assert row.scores["none"] is row.scores["bare"] is row.scores["empty"] is None
    if type_ is DetailedRow:
        assert row.scores["good"].answer == "yes"


def test_fields_of_another_type_leave_the_rest_of_a_row():
    row = one(id=1, choices="A or B", error={"message": "x"}, uuid=7, scores={"m": {"value": 1}})
    assert row.choices is None
    assert row.error == {"message": "x"}
    assert row.scores["m"].value == 1


def test_more_samples_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    assert len(many([{"id": i} for i in range(3)])) == 3
    with pytest.raises(LogError, match="more than 3 samples"):
        many([{"id": i} for i in range(4)])


def test_rows_are_sorted_by_epoch_and_the_order_of_the_dataset():
    keys = [("b", 2), (10, 1), ("a", 1), (9, 1), ("b", 1), ("new", 1)]
    rows = [Row(id=id, epoch=epoch) for id, epoch in keys]
    found = [row.key for row in merged(rows, ["b", "a"])]
    assert found == [("b", 1), ("a", 1), ("9", 1), ("10", 1), ("new", 1), ("b", 2)]
    assert [row.key for row in merged(reversed(rows), ["b", "a"])] == found


@pytest.mark.parametrize("ids", [[], ["1"], ["1", "2"], ["2", "1"], ["1", "1"]])
def test_of_equal_keys_the_last_counts(ids):
    rows = [Row(id=1, error="old"), Row(id="2"), Row(id="1", error="new")]
    found = merged(rows, ids)
    assert {row.key: row.error for row in found} == {("1", 1): "new", ("2", 1): None}
    assert len(found) == 2
