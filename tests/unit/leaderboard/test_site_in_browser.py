"""The site in a real browser: what its scripts add, and that it is open to all readers."""

import json
import shutil

import pytest
from made_board import write_board

from harness.results import Results
from leaderboard import vega
from leaderboard.page import build

NAMES = ("scenario-mean", "quantile-1", "normal-2", "beta-3", "sample-4")
OWN = NAMES[3:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of built-in and other predictors, run in two ways."""
    folder = tmp_path_factory.mktemp("results") / "out"
    write_board(folder, predictors=5, models=8, scenarios=6, ks=(0, 5), n=40)
    manifest = json.loads((folder / "manifest.json").read_text())
    for predictor in manifest["predictors"]:
        own = predictor["name"] in OWN
        predictor |= {"isolation": "none"} if own else {"class": "predictors.made_up:One"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def home(folder, tmp_path_factory):
    return build(Results.load(folder), tmp_path_factory.mktemp("site"))


@pytest.fixture
def open_at(opened, home):
    def open_page(address="index.html", width=1280, **options):
        return opened(f"{home.parent.as_uri()}/{address}", width, **options)

    return open_page


def names(page, table=0):
    """The predictors that a ranking shows, in their order."""
    rows = page.locator("table.ranking").nth(table).locator("tbody tr")
    return [row.get_attribute("data-predictor") for row in rows.all() if row.is_visible()]


def pages_of(home):
    """One page of every kind: (address, what it must hold to be worth a test)."""
    site = home.parent
    cell = sorted(p for p in (site / "cells").glob("*.html") if p.name != "index.html")
    found = [home, *sorted((site / "predictors").glob("*.html"))[:1], site / "cells/index.html"]
    return [path.relative_to(site).as_posix() for path in [*found, *cell[:1]]]


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1280, "light")])
def test_every_kind_of_page_is_accessible_quiet_and_as_wide_as_the_window(
    open_at, home, width, scheme
):
    axe_core = pytest.importorskip("axe_playwright_python.sync_playwright", reason="extra 'dev'")
    addresses = pages_of(home)
    assert len(addresses) >= 3
    for address in addresses:
        page = open_at(address, width, color_scheme=scheme)
        for canvas in page.locator("[data-figure]:visible").all():
            canvas.scroll_into_view_if_needed()
            if vega.available():
                name = canvas.get_attribute("data-figure")
                page.wait_for_selector(f"[data-figure='{name}'][data-drawn]")
        violations = axe_core.Axe().run(page).response["violations"]
        found = [(v["id"], v["nodes"][0]["html"]) for v in violations if is_bad(v)]
        assert found == [], address
        assert page.heard == [], address
        assert all(url.startswith(("file:", "data:")) for url in page.asked), address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def is_bad(violation):
    return violation["impact"] in ("serious", "critical")


@pytest.mark.skipif(not vega.available(), reason="figures are drawn with the extra 'pages'")
def test_the_figure_is_drawn_with_what_the_ranking_says_and_redrawn_in_the_dark(open_at):
    page = open_at(width=1280, color_scheme="light")
    canvas = page.locator("[data-figure='ranking-0']")
    canvas.scroll_into_view_if_needed()
    page.wait_for_selector("[data-figure='ranking-0'][data-drawn]")
    texts = canvas.locator("svg text").all_text_contents()
    assert [text for text in texts if text in NAMES] == names(page)
    assert {"mean CRPS, pp", "skill, %", "rank and rank set"} <= set(texts)
    label = canvas.locator("svg text", has_text="normal-2")
    assert label.get_attribute("fill") == "#1c2024"
    page.emulate_media(color_scheme="dark")
    dark = "[data-figure='ranking-0'] svg text[fill='#e7eaed']"
    page.wait_for_selector(dark, state="attached")
    page.get_by_label("5", exact=True).check()
    page.wait_for_selector("[data-figure='ranking-5'][data-drawn]")
    assert page.heard == []


def test_columns_are_sorted_from_the_keyboard_and_back(open_at):
    page = open_at()
    ranked = names(page)
    head = page.locator("table.ranking").first.locator("thead th").nth(1)
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page) == sorted(NAMES)
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert names(page) == sorted(NAMES, reverse=True)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") is None
    assert names(page) == ranked


def test_numbers_are_sorted_as_numbers_and_what_is_missing_comes_last(open_at):
    page = open_at()
    table = page.locator("table.ranking").first
    for place in (2, 5):
        head = table.locator("thead th").nth(place)
        for way in ("ascending", "descending"):
            head.get_by_role("button").click()
            assert head.get_attribute("aria-sort") == way
            values = table.evaluate(
                """(table, i) => [...table.tBodies[0].rows].map(
                  row => Number(row.cells[i].querySelector("data")?.value ?? NaN))""",
                place,
            )
            known = [value for value in values if value == value]
            assert known == sorted(known, reverse=way == "descending")
            assert len(known) >= 4
            assert all(value != value for value in values[len(known) :])


def test_what_was_chosen_stands_in_the_address_and_is_restored_from_it(open_at, home):
    page = open_at()
    page.get_by_label("5", exact=True).check()
    page.locator("table.ranking").nth(1).get_by_role("button", name="Predictor").click()
    page.get_by_label("Kind").select_option("other")
    assert names(page, 1) == sorted(OWN)
    address = page.url
    other = open_at(address.removeprefix(f"{home.parent.as_uri()}/"))
    assert other.get_by_label("5", exact=True).is_checked()
    assert names(other, 1) == sorted(OWN)
    assert other.get_by_label("Kind").input_value() == "other"
    page.go_back()
    assert len(names(page, 1)) == 5
    page.go_back()
    page.go_back()
    assert page.url == home.as_uri()
    assert page.get_by_label("0", exact=True).is_checked()
    assert not page.locator("th[aria-sort]").count()
    assert page.heard == []


def test_predictors_are_filtered_in_all_tables_by_name_and_facet(open_at):
    page = open_at()
    page.get_by_role("searchbox").fill("2 NORM")
    assert names(page) == ["normal-2"]
    shown = page.locator("#predictors tbody tr:visible")
    assert shown.count() == 1
    assert "1 of 5 predictors" in page.locator(".filters output").text_content()
    page.get_by_role("button", name="Show all").click()
    assert len(names(page)) == 5
    page.get_by_label("Isolation").select_option("none")
    assert sorted(names(page)) == sorted(OWN)
    assert "isolation=none" in page.url
    page.get_by_role("searchbox").press_sequentially("beta")
    assert names(page) == ["beta-3"]
    page.get_by_role("button", name="Show all").click()
    assert "#" not in page.url
    page.go_back()
    assert names(page) == ["beta-3"]
    assert page.get_by_role("searchbox").input_value() == "beta"


def test_what_another_script_wrote_into_the_address_is_kept(open_at):
    page = open_at()
    page.evaluate("history.pushState(null, '', '#show=difference')")
    page.get_by_label("5", exact=True).check()
    assert page.url.endswith("#show=difference&k=5")


def test_an_address_of_something_that_is_not_there_changes_nothing(open_at):
    hash_ = "#k=77&kind=<b>&sort.ranking=Nothing,ascending&q="
    page = open_at(f"index.html{hash_}")
    assert page.get_by_label("0", exact=True).is_checked()
    assert len(names(page)) == 5
    assert not page.locator("th[aria-sort]").count()
    assert page.heard == []


def test_a_place_on_the_page_is_no_state(open_at):
    page = open_at()
    page.get_by_label("5", exact=True).check()
    page.get_by_role("link", name="How to read this").click()
    assert page.url.endswith("#methods")
    assert page.get_by_label("5", exact=True).is_checked()


def test_without_scripts_all_is_there_and_nothing_that_does_nothing(open_at):
    page = open_at(java_script_enabled=False)
    assert len(names(page)) == 5
    assert page.locator("button:visible, input[type=search]:visible, select:visible").count() == 0
    assert page.locator("#summary-ranking-0").is_visible()
    page.locator("details summary").first.click()
    assert page.locator("details table").first.is_visible()


def test_the_chosen_k_goes_along_to_the_page_of_a_predictor(open_at):
    page = open_at()
    page.get_by_label("5", exact=True).check()
    page.locator("table.ranking").nth(1).get_by_role("link", name="normal-2").click()
    assert page.url.endswith("predictors/normal-2.html#k=5")


@pytest.mark.skipif(not vega.available(), reason="figures are drawn with the extra 'pages'")
def test_a_site_that_lost_its_assets_is_still_readable(open_at, home, tmp_path):
    shutil.copytree(
        home.parent, tmp_path / "site", ignore=shutil.ignore_patterns("assets", "cells")
    )
    page = open_at()
    page.goto((tmp_path / "site" / "index.html").as_uri())
    page.locator("#summary-ranking-0").scroll_into_view_if_needed()
    page.wait_for_selector("[data-figure='ranking-0']:not(.empty)", state="attached")
    assert page.locator("#summary-ranking-0").is_visible()
