"""Pages of cells: distributions beside the truth, and the same numbers as a table."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from made_board import write_board
from page_elements import Page

import harness
from harness.results import Results
from leaderboard.arrays import Arrays
from leaderboard.cell_page import WIDTH, Axis, build_cell_pages


def build(results, folder):
    addresses = build_cell_pages(results, results.ranking(), folder)
    return {cell: folder / path for cell, path in addresses.items()}


def read(path):
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pages(board, tmp_path_factory):
    return build(board, tmp_path_factory.mktemp("cells"))


@pytest.fixture(scope="module")
def arrays(board):
    return Arrays.of(board, board.ranking())


def rows(page, index=0):
    """The rows of one of the tables: predictor -> texts of its cells, and its drawing."""
    table = page.all("table", class_="strips")[index]
    out = {}
    for line in (e for e in page.all("tr") if table in e["parents"] and "tbody" in e["path"]):
        inside = [e for e in page.elements if line in e["parents"]]
        texts = [e["text"] for e in inside if e["tag"] == "td"]
        name = next(e["text"] for e in inside if e["tag"] == "th")
        out[name] = texts, {e["attrs"]["class"]: e["attrs"] for e in inside if e["tag"] == "path"}
    return out


def number(text):
    return float(text.replace("−", "-"))


def test_every_cell_has_a_page_of_closed_elements(board, pages):
    assert set(pages) == set(zip(board.targets["model"], board.targets["scenario"], strict=True))
    for path in pages.values():
        page = read(path)
        assert page.faults == []
        assert page.stack == []
        assert page.foreign_scripts() == []


@pytest.mark.parametrize("i", [0, 1])
def test_the_numbers_are_those_of_the_results(board, pages, arrays, i):
    k = arrays.ks[i]
    scores = board.scores[(board.scores["rule"] == "crps") & (board.scores["k"] == k)]
    for t in (0, 13, 29):
        row = arrays.targets.iloc[t]
        page = read(pages[(row["model"], row["scenario"])])
        found = rows(page, i)
        own = scores[scores["target"] == row["target"]]
        losses = own.groupby("predictor", observed=True)["value"].mean().sort_values()
        assert list(found) == list(losses.index)
        places = np.array(losses).searchsorted(np.array(losses)) + 1
        for (name, (texts, _)), rank in zip(found.items(), places, strict=True):
            low, quarter, median, three, high = arrays.quantiles[
                arrays.predictors.index(name), i, t
            ]
            assert int(texts[0]) == rank
            assert number(texts[2]) == pytest.approx(median, abs=0.00051)
            ends = [number(part) for cell in texts[3:5] for part in cell.split(" – ")]
            assert ends == pytest.approx([quarter, three, low, high], abs=0.00051)
            assert number(texts[5]) == pytest.approx(losses[name], abs=0.0051)


def test_the_drawing_has_the_numbers_places(board, pages, arrays):
    row = arrays.targets.iloc[7]
    page = read(pages[(row["model"], row["scenario"])])
    quantiles = arrays.quantiles[:, :, 7]
    axis = Axis(np.append(quantiles, row["value"]), 0.0, 1.0)
    ends = page.all("th", class_="axis")[0]["text"].split()
    assert [number(end) for end in ends] == pytest.approx([axis.low, axis.high], abs=0.0006)

    def place(value):
        return (value - axis.low) / (axis.high - axis.low) * WIDTH

    for i in range(2):
        for name, (_, drawn) in rows(page, i).items():
            low, quarter, median, three, high = quantiles[arrays.predictors.index(name), i]
            d = {c: [float(x) for x in re.findall(r"\d+", a["d"])] for c, a in drawn.items()}
            assert d["o"][::2] == pytest.approx([place(low), place(high)], abs=0.51)
            assert d["i"][::2] == pytest.approx([place(quarter), place(three)], abs=0.51)
            assert d["m"][0] == pytest.approx(place(median), abs=0.51)
            assert d["t"][0] == pytest.approx(place(row["value"]), abs=0.51)


def test_what_the_target_is_and_its_neighbours(board, pages):
    row = board.targets.iloc[3]
    path = pages[(row["model"], row["scenario"])]
    page = read(path)
    facts = page.all("dl", class_="facts")[0]["text"]
    for text in (row["run"], "120", "0 to 1", "c0", "test", f"{row['value']:.4f}"):
        assert text in facts
    assert "means over 2 seeds" in page.all("caption")[0]["text"]
    links = {e["text"]: e["attrs"]["href"] for e in page.all("a") if "nav" in e["path"]}
    assert set(board.targets["model"]) | set(board.targets["scenario"]) == set(links)
    for href in links.values():
        assert (path.parent / href).is_file()
    predictors = [e["attrs"]["href"] for e in page.all("a") if "tbody" in e["path"]]
    assert "../predictors/scenario-mean.html" in predictors


def test_tables_are_legible_without_sight_of_the_drawing(pages):
    page = read(next(iter(pages.values())))
    assert len(page.all("caption")) == len(page.all("table")) == 2
    assert all(e["attrs"].get("scope") in ("row", "col") for e in page.all("th"))
    assert all(e["attrs"]["aria-hidden"] == "true" for e in page.all("svg"))
    regions = page.all("div", role="region")
    assert all(e["attrs"]["tabindex"] == "0" and e["attrs"]["aria-label"] for e in regions)


def test_failures_are_charged_and_marked(changed_board, tmp_path):
    def fail(status):
        bad = (status["predictor"] == "normal-2") & (status["k"] == 0)
        return status.assign(status=status["status"].astype(str).where(~bad, "failed"))

    def away(scores):
        return scores[~((scores["predictor"] == "beta-3") & (scores["k"] == 5))]

    board = changed_board(status=fail, scores=away)
    page = read(next(iter(build(board, tmp_path).values())))
    texts, drawn = rows(page, 0)["normal-2"]
    assert texts[2:5] == ["–"] * 3
    assert texts[5].endswith("*")
    assert set(drawn) == {"t"}
    assert "no valid prediction" in page.all("caption")[0]["text"]
    assert "no valid prediction" not in page.all("caption")[1]["text"]
    assert "normal-2" in rows(page, 1)
    assert "beta-3" not in rows(page, 1)
    (without,) = page.all("p", class_="soft")
    assert without["text"] == "Not asked at k = 5, or without a score: beta-3."


def test_metrics_without_bounds_have_an_axis_of_their_own(changed_board, tmp_path):
    open_ended = {"binary": False, "lower": np.nan, "upper": np.nan, "part": None}
    board = changed_board(targets=lambda t: t.assign(value=t["value"] - 0.9, **open_ended))
    page = read(next(iter(build(board, tmp_path).values())))
    assert "Range" not in page.all("dl", class_="facts")[0]["text"]
    ends = [number(text) for text in page.all("th", class_="axis")[0]["text"].split()]
    assert ends[0] < 0 < ends[1]
    assert "own unit" in page.all("thead")[0]["text"]
    assert "\N{MINUS SIGN}" in page.all("caption")[0]["text"]


def test_several_targets_of_a_cell_are_on_one_page(changed_board, tmp_path):
    def merged(targets):
        return targets.assign(
            scenario=targets["scenario"].iloc[0], metric=targets["scenario"].str[-8:]
        )

    pages = build(changed_board(targets=merged), tmp_path)
    assert len(pages) == 6
    page = read(next(iter(pages.values())))
    assert page.faults == []
    sections = page.all("section")
    assert [s["attrs"]["id"] for s in sections] == [f"target-{i}" for i in range(1, 6)]
    assert len(page.all("table", class_="strips")) == 10


def test_hostile_names_are_text(changed_board, tmp_path):
    bad = "<script>alert(1)</script>"

    def targets(table):
        return table.assign(
            model=bad + table["model"], scenario=table["scenario"] + '"><img src=x onerror=x>'
        )

    def named(table):
        return table.assign(
            predictor=table["predictor"].astype(str).replace("normal-2", f"{bad}(a='</svg>')")
        )

    def manifest(content):
        text = json.dumps(content).replace('"normal-2"', json.dumps(f"{bad}(a='</svg>')"))
        return json.loads(text)

    board = changed_board(
        targets=targets, scores=named, status=named, predictions=named, manifest=manifest
    )
    for cell, path in build(board, tmp_path).items():
        page = read(path)
        assert page.faults == []
        assert page.foreign_scripts() == []
        assert page.all("img") == []
        assert cell[0] in page.all("h1")[0]["text"]
        assert f"{bad}(a='</svg>')" in rows(page)
        assert re.fullmatch(r"[a-z0-9-]+\.html", path.name)


def test_results_without_distributions_have_no_pages(results, responses, tmp_path):
    for i, one in enumerate((results, responses)):
        assert build(one, tmp_path / str(i)) == {}
        assert [p.name for p in (tmp_path / str(i) / "cells").iterdir()] == ["index.html"]


def test_one_seed_is_not_called_a_mean(tmp_path):
    folder = write_board(tmp_path / "one", predictors=3, models=3, scenarios=2, ks=(0,))
    pages = build(Results.load(folder), tmp_path / "site")
    page = read(next(iter(pages.values())))
    assert "seeds" not in page.all("caption")[0]["text"]
    assert page.all("fieldset") == []  # one k needs no switch


def test_merged_results_have_the_numbers_of_their_parts(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        [
            (f"lab{m % 2}/m{m}", f"s{s}", f"q{q}", float(rng.random() < 0.3 + 0.1 * m))
            for m in range(4)
            for s in range(3)
            for q in range(10)
        ],
        columns=["model", "scenario", "item", "score"],
    )
    frame.to_csv(tmp_path / "table.csv", index=False)
    options = {"k": [0, 3], "folds": 2, "isolation": "none"}
    parts = [
        harness.evaluate(str(tmp_path / "table.csv"), name, **options)
        for name in ("model-mean", "jeffreys")
    ]
    merged = harness.merge(parts)
    whole = Arrays.of(merged, merged.ranking())
    for part in parts:
        own = Arrays.of(part, part.ranking())
        for p, name in enumerate(own.predictors):
            np.testing.assert_array_equal(
                own.quantiles[p], whole.quantiles[whole.predictors.index(name)]
            )
    pages = build(merged, tmp_path / "site")
    assert len(pages) == 12
    assert set(rows(read(next(iter(pages.values()))))) == set(whole.predictors)
