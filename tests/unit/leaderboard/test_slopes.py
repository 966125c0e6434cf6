"""The figure of skill by task: what is drawn, and where."""

import itertools
import re

import pytest
from page_elements import Page

from harness.vector_results import TaskEntry
from leaderboard.charts import MAX_LINES, styles
from leaderboard.headline import Column, Headline
from leaderboard.site import build_site
from leaderboard.slopes import LOWEST, slopes


def shown(skills, heads=("A", "B", "C"), ks=(0, 0, 0)):
    """Make a headline of predictors with these skills; None where one is not ranked."""
    columns = [
        Column(TaskEntry(h, h, h.lower()), k, [0], 9, "crps", "pp", "")
        for h, k in zip(heads, ks, strict=True)
    ]
    rows = [
        {
            "predictor": name,
            "mean_rank": 1.0,
            "n_ranked": 3,
            "cells": [None if skill is None else {"skill": skill} for skill in own],
        }
        for name, own in skills.items()
    ]
    return Headline(None, columns, rows, [], [])


def drawn(skills, **options):
    figure = slopes(shown(skills, **options), styles(list(skills), None), {"base"})
    return figure, {line.name: line for line in figure.lines} if figure else {}


def points(line):
    found = re.findall(r"([ML])([\d.]+) ([\d.]+)", line.path)
    return [(letter, float(x), float(y)) for letter, x, y in found]


def test_skill_is_height_and_tasks_go_from_left_to_right():
    figure, lines = drawn({"one": (0.4, 0.0, 0.2), "base": (0.0, 0.0, 0.0)})
    assert list(lines) == ["one"]  # the reference is the line at zero
    (_, x0, y0), (_, x1, y1), (_, x2, y2) = points(lines["one"])
    assert x0 < x1 < x2
    assert (x0 + x2) / 2 == pytest.approx(x1, abs=0.1)
    assert y1 == pytest.approx(figure.zero, abs=0.06)
    assert figure.zero - y0 == pytest.approx(2 * (figure.zero - y2), abs=0.2)
    assert figure.summary == "The skill of one is 40 % on A, 0 % on B and 20 % on C."


def test_a_task_without_a_rank_parts_the_line():
    _, lines = drawn({"one": (0.4, None, 0.2), "two": (None, 0.1, 0.3)})
    assert [letter for letter, _, _ in points(lines["one"])] == ["M", "M"]
    assert [letter for letter, _, _ in points(lines["two"])] == ["M", "L"]


def test_what_is_far_below_lies_on_the_lower_edge_and_is_said():
    figure, lines = drawn({"one": (0.4, 0.1, 0.2), "bad": (-2.0, 0.1, 0.2)})
    assert figure.is_cut
    assert points(lines["bad"])[0][2] == pytest.approx(figure.bottom, abs=0.1)
    assert figure.y[0].at == pytest.approx(figure.bottom)
    assert not drawn({"one": (0.4, LOWEST, 0.2)})[0].is_cut


def test_the_best_are_drawn_and_the_others_named():
    names = {f"p{i}": (0.1, 0.2, 0.01 * i) for i in range(10)}
    figure, lines = drawn(names)
    assert list(lines) == list(names)[: MAX_LINES - 1]
    assert figure.left_out == tuple(names)[MAX_LINES - 1 :]
    heights = sorted(line.label_y for line in figure.lines)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 17.0 - 1e-9
    assert len({line.style for line in figure.lines}) == MAX_LINES - 1


@pytest.mark.parametrize(
    ("skills", "ks"),
    [
        ({"one": (0.1, 0.2, 0.3)}, (0, None, None)),
        ({"base": (0.0, 0.0, 0.0)}, (0, 0, 0)),
        ({"one": (None, float("nan"), None)}, (0, 0, 0)),
    ],
)
def test_without_two_tasks_or_anybody_there_is_no_figure(skills, ks):
    assert drawn(skills, ks=ks)[0] is None


def test_the_page_has_a_figure_for_every_k(vector, tmp_path, hostile):
    page = Page(build_site(vector, tmp_path).read_text(encoding="utf-8"))
    figures = page.all("svg")
    assert len(figures) == 3  # k = 20 was evaluated on one task only
    ids = {e["attrs"].get("id"): e["text"] for e in page.elements}
    for figure in figures:
        for name in figure["attrs"]["aria-labelledby"].split():
            assert ids[name]
        assert any(hostile in e["text"] for e in page.all("title") if figure in e["parents"])
