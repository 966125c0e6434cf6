"""Names of pages: safe, unique, and the same whatever else is there."""

import re

import pytest

from leaderboard.slugs import cell_addresses, predictor_addresses, slugs

HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "a\x00b",
    "<script>alert(1)</script>",
    "con",
    "index",
    "naïve",
    "Naïve",
    "\ud800",
    "x" * 500,
    "x" * 501,
    "-",
    "a-",
    "a--b",
]


def test_slugs_are_safe_and_unique():
    found = slugs(HOSTILE)
    assert list(found) == sorted(HOSTILE)
    assert len({slug.lower() for slug in found.values()}) == len(HOSTILE)
    for slug in found.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
        assert len(slug) < 100
        assert slug not in {"con", "index"}


def test_a_plain_name_is_its_own_slug_and_others_do_not_change_it():
    assert slugs(["kernel-ridge"]) == {"kernel-ridge": "kernel-ridge"}
    assert slugs(["kernel-ridge", "Kernel-Ridge"])["kernel-ridge"] == "kernel-ridge"
    alone = slugs(["b(c=1)"])["b(c=1)"]
    assert slugs(["b(c=1)", "b(c=2)", "b c 1"])["b(c=1)"] == alone


def test_nobody_can_take_the_slug_of_another_by_its_name():
    victim = slugs(["My predictor"])["My predictor"]
    found = slugs(["My predictor", victim, f"{victim}-2"])
    assert found["My predictor"] == victim
    assert len(set(found.values())) == 3


def test_slugs_do_not_depend_on_the_order():
    assert slugs(HOSTILE) == slugs(reversed(HOSTILE))


@pytest.mark.parametrize("names", [["a"], ["A b", "é"]])
def test_predictors_have_a_folder(names):
    assert all(path.startswith("predictors/") for path in predictor_addresses(names).values())


def test_cells_are_told_apart_where_their_names_run_into_each_other():
    found = cell_addresses([("a b", "c"), ("a", "b c"), ("a", "b-c")])
    assert len(set(found.values())) == 3
    assert all(path.startswith("cells/a-b-c-") for path in found.values())
