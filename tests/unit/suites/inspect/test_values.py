"""Inspect's values as numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.inspect.values import Scale, leaves, number_of, scale_of

NAN, INF = math.nan, math.inf
TEXTS = ["", "c", " C", "A", "switch", " yes", "nan", "inf", "-Infinity", "1e400", "0x1", "1,5"]


# what inspect_ai 0.3.285 gives, but for those that it cannot convert
@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("C", 1.0),
        ("P", 0.5),
        ("I", 0.0),
        ("N", 0.0),
        (True, 1.0),
        (False, 0.0),
        (3, 3.0),
        (-0.5, -0.5),
        (INF, INF),
        (-INF, -INF),
        (10**400, INF),
        (-(10**400), -INF),
        ("yes", 1.0),
        ("YES", 1.0),
        ("True", 1.0),
        ("no", 0.0),
        ("FALSE", 0.0),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("-2", -2.0),
        ("+3", 3.0),
        (" 1 ", 1.0),
        ("12\n", 12.0),
        ("1_0", 10.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-400", 0.0),
    ],
)
def test_what_inspect_converts(value, number):
    assert number_of(value) == number


@pytest.mark.parametrize(
    "value",
    [*TEXTS, None, NAN, [], ["C"], {}, {"a": 1}, object()],
)
def test_what_has_no_number_is_missing(value):
    assert math.isnan(number_of(value))


def test_own_numbers_come_before_the_rules():
    own = {"switch": 1, "C": 0.25, "yes": 0, "2": 7}
    assert [number_of(v, own) for v in ("switch", "C", "yes", "2")] == [1.0, 0.25, 0.0, 7.0]
    assert [number_of(v, own) for v in ("I", "YES", 2, True)] == [0.0, 1.0, 2.0, 1.0]
    assert isinstance(number_of("switch", own), float)
    assert math.isnan(number_of("Switch", own))


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary())
def test_any_value_gives_a_float(value):
    assert type(number_of(value)) is float
    assert type(number_of(value, {})) is float


def test_leaves():
    assert list(leaves("s", None)) == [("s", None)]
    assert list(leaves("s", {"a": 1, "b": None, "c": {"d": 2}})) == [
        ("s/a", 1),
        ("s/b", None),
        ("s/c", {"d": 2}),
    ]
    assert list(leaves("s", ["C", [1]])) == [("s[0]", "C"), ("s[1]", [1])]
    assert list(leaves("s", {})) == list(leaves("s", [])) == []


@pytest.mark.parametrize(
    ("values", "graded", "zero_one"),
    [
        (["C", "I", "N", True, False], True, True),
        (["C", "P"], True, False),
        ([True], True, True),
        ([0, 1, 0.0, 1.0], False, True),
        (["C", 1], False, True),
        (["C", 1.0, True], False, True),
        ([1, True], False, True),
        (["yes", "no"], False, True),
        (["1", "0"], False, True),
        ([0.5], False, False),
        (["C", 0.5], False, False),
        (["C", "x"], False, False),
        ([INF], False, False),
        ([["C"]], False, False),
        ([10**400], False, False),
        (["C", NAN, None], True, True),
        ([0, NAN], False, True),
        ([], False, False),
        ([NAN, None], False, False),
    ],
)
def test_the_scale_of_values(values, graded, zero_one):
    scale = scale_of(values)
    assert (scale.graded, scale.zero_one) == (graded, zero_one)
    apart = Scale(0)
    for value in values:
        apart |= scale_of([value])
    assert apart == scale


def test_own_numbers_are_no_grades():
    assert scale_of(["C", "I"], {"C": 3}) == Scale.GRADE | Scale.OTHER
    assert scale_of(["switch", "stay"], {"switch": 1, "stay": 0}).zero_one
    assert not scale_of(["switch", "stay"], {"switch": 1, "stay": 0}).graded
