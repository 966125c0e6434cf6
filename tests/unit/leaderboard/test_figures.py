"""Figures: their specifications hold the ranking's numbers, and can be drawn or done without."""

import json

import pytest
from page_elements import Page

from harness.ranking import rank
from leaderboard import vega
from leaderboard.figure import Figure
from leaderboard.page import build
from leaderboard.palette import DARK, LIGHT, coloured
from leaderboard.ranking_figure import BEST, OTHER, REFERENCE, ranking_figure
from suites.errors import UsageError

drawing = pytest.mark.skipif(not vega.available(), reason="figures are drawn with 'pages'")


@pytest.fixture(scope="module")
def ranking(results):
    return rank(results, k=5)


@pytest.fixture(scope="module")
def figure(ranking):
    return ranking_figure(ranking, "scenario-mean", "ranking-5")


def test_the_figure_holds_the_numbers_of_the_ranking(figure, ranking):
    rows = figure.spec["data"]["values"]
    ranked = ranking[ranking["ranked"]]
    assert [row["predictor"] for row in rows] == ranked["predictor"].tolist()
    for row, (_, wanted) in zip(rows, ranked.iterrows(), strict=True):
        assert row["loss"] == wanted["crps"]
        assert (row["loss_low"], row["loss_high"]) == (wanted["crps_low"], wanted["crps_high"])
        assert row["skill_%"] == pytest.approx(100 * wanted["skill"])
        assert (row["rank"], row["rank_low"]) == (wanted["rank"], wanted["rank_low"])
        assert row["marginal_rank_high"] == wanted["marginal_rank_high"]
        best = BEST if wanted["rank_low"] == 1 else OTHER
        assert row["standing"] == (REFERENCE if row["predictor"] == "scenario-mean" else best)


def test_the_summary_names_the_best_with_rank_set_and_interval(figure, ranking):
    best = ranking.iloc[0]
    shown = f"{best['crps']:.2f} pp [{best['crps_low']:.2f}, {best['crps_high']:.2f}]"
    assert figure.summary.startswith(f"At k = 5, {best['predictor']} has rank")
    assert shown in figure.summary


def test_there_is_no_figure_of_nothing_and_no_infinity_in_one(ranking):
    assert ranking_figure(ranking.assign(ranked=False), None, "x") is None
    odd = ranking.copy()
    odd.loc[odd.index[0], ["crps_low", "crps_high", "skill"]] = [-float("inf"), float("nan"), 0.1]
    json.dumps(ranking_figure(odd, None, "x").spec, allow_nan=False)


def test_losses_that_differ_much_are_on_a_log_scale(ranking):
    wide = ranking.copy()
    columns = ["crps", "crps_low", "crps_high"]
    wide.loc[wide.index[1], columns] = (40 * wide.loc[wide.index[1], columns]).tolist()
    axes = [
        layer["encoding"]["x"].get("axis", {})
        for layer in ranking_figure(wide, None, "x").spec["hconcat"][0]["layer"]
    ]
    assert any("log scale" in axis.get("title", "") for axis in axes)


def test_colours_are_names_until_it_is_drawn_and_names_in_data_stay(figure):
    assert "#" not in json.dumps(figure.spec)
    assert set(LIGHT) == set(DARK)
    spec = {"mark": {"color": ["--c1", "--other"]}, "datasets": {"a": ["--c1"]}}
    assert coloured(spec, DARK) == {
        "mark": {"color": [DARK["c1"], "--other"]},
        "datasets": {"a": ["--c1"]},
    }


def test_a_specification_cannot_end_its_script(hostile):
    figure = Figure("x", {"data": {"values": [{"name": f"</script>{hostile}&"}]}}, "Nothing.")
    text = str(vega.embedded(figure))
    assert not {"<", ">", "&"} & set(text)
    assert json.loads(text)["data"]["values"] == [{"name": f"</script>{hostile}&"}]


@drawing
@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_it_is_drawn_without_a_browser_the_same_each_time(figure, kind, start):
    content = vega.drawn(figure.spec, kind)
    assert content.startswith(start)
    assert vega.drawn(figure.spec, kind) == content


@drawing
def test_names_that_mean_something_to_javascript_are_drawn_in_the_order_of_ranks(ranking):
    names = ["constructor", "__proto__", "a b&c=d,#", "--ink"]
    odd = ranking[ranking["ranked"]].copy()
    odd["predictor"] = names
    text = vega.drawn(ranking_figure(odd, None, "x").spec, "svg").decode()
    places = [text.index(f">{name.replace('&', '&amp;')}<") for name in names]
    assert places == sorted(places)


@drawing
def test_the_svg_shows_names_as_text(figure, hostile):
    text = vega.drawn(figure.spec, "svg").decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert hostile not in text
    assert LIGHT["c1"] in text


def test_without_the_extra_the_page_says_so_and_keeps_words_and_numbers(
    results, tmp_path, monkeypatch
):
    monkeypatch.setattr("leaderboard.vega.available", lambda: False)
    page = Page(build(results, tmp_path).read_text(encoding="utf-8"))
    assert not (tmp_path / "assets").exists()
    assert not [e for e in page.elements if "data-figure" in e["attrs"]]
    figures = page.all("figure", class_="vega")
    assert len(figures) == 2
    for figure in figures:
        assert 'pip install "benchcast[pages]"' in figure["text"]
        assert "has rank" in figure["text"]
        assert any(figure in e["parents"] for e in page.all("table"))
    with pytest.raises(UsageError, match=r"benchcast\[pages\]"):
        vega.drawn({}, "svg")


@drawing
def test_what_draws_is_written_once_with_its_licences_and_asks_nobody(tmp_path):
    assert vega.write_scripts(tmp_path)
    assert sorted(p.name for p in (tmp_path / "assets").iterdir()) == ["LICENCES.txt", "vega.js"]
    code = (tmp_path / "assets" / "vega.js").read_text(encoding="utf-8")
    assert "window.vegaEmbed=" in code
    assert "sourceMappingURL" not in code
    assert "Trifacta" in (tmp_path / "assets" / "LICENCES.txt").read_text(encoding="utf-8")


def test_nothing_heavy_is_imported_before_it_is_needed():
    import subprocess
    import sys

    code = "import sys, leaderboard.page; sys.exit('vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
