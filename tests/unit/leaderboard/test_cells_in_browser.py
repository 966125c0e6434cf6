"""The page of all cells in a real browser: its choices, their address, and links from the map."""

import pytest

from leaderboard import vega
from leaderboard.cell_page import build_cell_pages
from leaderboard.heat import heat_losses

CHOSEN = "#predictor=normal-2&k=5&show=difference"


@pytest.fixture(scope="module")
def site(board, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build_cell_pages(board, board.ranking(), folder)
    vega.write_scripts(folder)
    return folder


@pytest.fixture
def open_at(opened, site):
    home = (site / "cells" / "index.html").as_uri()
    return lambda address="", width=1280, **options: opened(home + address, width, **options)


@pytest.fixture(scope="module")
def losses(board):
    return heat_losses(board, board.ranking())


def numbers(page):
    """What the table shows, in the order of the cells' numbers."""
    found = page.eval_on_selector_all(
        "data[data-c]", "all => all.map(e => [Number(e.dataset.c), e.value, e.textContent])"
    )
    return [(float(value), text) for _, value, text in sorted(found)]


def test_choices_show_other_losses_and_stand_in_the_address(open_at, losses):
    page = open_at()
    best = losses.predictors[0]
    assert numbers(page) == [(round(x, 2), f"{x:.2f}") for x in losses.loss[0, 0]]
    page.locator("#choose-predictor").select_option("beta-3")
    page.locator("#choose-k").select_option("5")
    p = losses.predictors.index("beta-3")
    found = [value for value, _ in numbers(page)]
    assert found == pytest.approx(losses.loss[p, 1], abs=0.00501)
    assert "beta-3 at k = 5" in page.locator("caption").first.inner_text()
    assert page.url.endswith("#predictor=beta-3&k=5")
    page.go_back()
    assert "beta-3 at k = 0" in page.locator("caption").first.inner_text()
    page.locator("#choose-predictor").select_option(best)
    assert "#" not in page.url.removesuffix("#")
    assert page.heard == []


def test_an_address_is_restored_with_the_difference_to_the_reference(open_at, losses):
    page = open_at(CHOSEN)
    p = losses.predictors.index("normal-2")
    wanted = losses.loss[p, 1] - losses.loss[losses.reference, 1]
    assert [value for value, _ in numbers(page)] == pytest.approx(wanted, abs=0.0101)
    texts = [text for _, text in numbers(page)]
    assert any(text.startswith("−") for text in texts)
    assert any(text.startswith("+") for text in texts)
    assert "normal-2 less scenario-mean" in page.locator("caption").first.inner_text()


def test_what_nobody_can_choose_chooses_nothing(open_at, losses):
    page = open_at("#predictor=%3Cscript%3E&k=77&show=x")
    assert page.locator("#choose-predictor").input_value() == losses.predictors[0]
    assert page.heard == []


@pytest.mark.skipif(not vega.available(), reason="the extra 'pages' is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_is_drawn_as_chosen_and_leads_to_cells(open_at, scheme, board):
    page = open_at(CHOSEN, color_scheme=scheme)
    page.wait_for_selector("[data-drawn]")
    cells = page.locator("#heat svg g.mark-rect.role-mark path")
    assert cells.count() == 30
    assert "less scenario-mean's" in page.locator("#heat svg").text_content()
    cells.first.click()
    page.wait_for_url("**/cells/maker*.html")
    row = board.targets.set_index(["model", "scenario"]).index
    assert page.locator("h1").inner_text().replace(" on ", "|") in {"|".join(c) for c in row}
    assert page.heard == []


def test_without_scripts_the_table_leads_to_cells(open_at):
    page = open_at(java_script_enabled=False)
    assert not page.locator(".choices").is_visible()
    page.locator("table.cells a").first.click()
    assert page.locator("table.strips").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_narrow_window(open_at, scheme):
    page = open_at(width=375, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.locator("table.cells a").first.click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [t.is_visible() for t in page.locator("table.strips").all()] == [True, False]
    page.get_by_label("5", exact=True).check()
    assert [t.is_visible() for t in page.locator("table.strips").all()] == [False, True]
    assert page.heard == []
