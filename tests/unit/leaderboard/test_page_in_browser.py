"""The page in a real browser: no error, no request, no overflow, and a switch without script."""

import pytest

from leaderboard.page import build
from leaderboard.site import build_site


@pytest.fixture(scope="module")
def site(results, tmp_path_factory):
    return build(results, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def headline(vector, tmp_path_factory):
    return build_site(vector, tmp_path_factory.mktemp("several"))


@pytest.fixture(scope="module")
def of_responses(responses, tmp_path_factory):
    return build(responses, tmp_path_factory.mktemp("responses"))


@pytest.fixture(scope="module")
def of_several_targets(together, tmp_path_factory):
    return build(together, tmp_path_factory.mktemp("together"))


@pytest.fixture
def open_page(opened, site):
    return lambda width, at=site, **options: opened(at.as_uri(), width, **options)


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_error_no_request_and_no_sideways_overflow(open_page, site, width, scheme):
    page = open_page(width, color_scheme=scheme)
    page.wait_for_timeout(200)
    assert page.heard == []
    assert all(url.startswith(("file:", "data:")) for url in page.asked)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_calibration_curves_fit_the_window_and_follow_the_switch(
    open_page, of_responses, width, scheme
):
    page = open_page(width, at=of_responses, color_scheme=scheme)
    assert page.heard == []
    assert all(url.startswith(("file:", "data:")) for url in page.asked)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    figures = page.locator("#calibration svg")
    assert [figures.nth(i).is_visible() for i in range(2)] == [True, False]
    page.get_by_label("4", exact=True).check()
    assert [figures.nth(i).is_visible() for i in range(2)] == [False, True]
    box = figures.nth(1).bounding_box()
    assert box["x"] + box["width"] <= width
    texts = figures.nth(1).locator("text").all()
    assert all(text.bounding_box()["height"] >= 10 for text in texts)  # legible unscrolled


def test_tables_of_joint_predictions_follow_the_switch(open_page, of_several_targets):
    page = open_page(390, at=of_several_targets)
    assert page.heard == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    tables = page.locator("#joint table")
    page.get_by_label("3", exact=True).check()
    assert [tables.nth(i).is_visible() for i in range(2)] == [False, True]


@pytest.mark.parametrize("script", [True, False])
def test_the_switch_shows_one_k_with_and_without_javascript(open_page, script):
    page = open_page(1280, java_script_enabled=script)
    tables = page.locator("table.ranking")
    assert [tables.nth(i).is_visible() for i in range(2)] == [True, False]
    page.get_by_label("5", exact=True).check()
    assert [tables.nth(i).is_visible() for i in range(2)] == [False, True]


def test_the_switch_works_from_the_keyboard(open_page):
    page = open_page(1280)
    page.get_by_label("0", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_label("5", exact=True).is_checked()
    assert page.locator("table.ranking").nth(1).is_visible()


def test_text_has_enough_contrast_in_both_schemes(open_page):
    # WCAG 2.2, 1.4.3: 4.5 to 1 for text; 1.4.11: 3 to 1 for what a figure is read from.
    measure = """() => {
      const style = getComputedStyle(document.documentElement);
      const get = name => style.getPropertyValue(name).trim();
      const light = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
        .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
      const ratio = (a, b) => { const [x, y] = [light(get(a)), light(get(b))].sort((p, q) => q - p);
        return (x + .05) / (y + .05); };
      const names = ['--ink', '--soft', '--link', ...[0,1,2,3,4,5,6,7].map(i => '--c' + i)];
      const least = n => Math.min(ratio(n, '--paper'), ratio(n, '--panel'));
      return Object.fromEntries(names.map(n => [n, least(n)]));
    }"""
    for scheme in ("light", "dark"):
        ratios = open_page(800, color_scheme=scheme).evaluate(measure)
        for name, ratio in ratios.items():
            assert ratio >= (3.0 if name.startswith("--c") else 4.5), (scheme, name, ratio)


def test_all_k_are_printed(open_page):
    page = open_page(1000)
    page.emulate_media(media="print")
    tables = page.locator("table.ranking")
    assert [tables.nth(i).is_visible() for i in range(2)] == [True, True]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_headline_opens_like_the_page(open_page, headline, width, scheme):
    page = open_page(width, at=headline, color_scheme=scheme, java_script_enabled=True)
    assert page.heard == []
    assert all(url.startswith(("file:", "data:")) for url in page.asked)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_label("5", exact=True).check()
    tables = page.locator("table.headline")
    assert [tables.nth(i).is_visible() for i in range(4)] == [False, False, True, False]


def test_names_stay_in_sight_when_a_narrow_headline_is_scrolled(open_page, headline):
    page = open_page(390, at=headline)
    region = page.locator(".scroll").first
    region.evaluate("element => { element.scrollLeft = 400; }")
    assert region.evaluate("element => element.scrollLeft") > 100
    name = page.locator("table.headline tbody th").first
    assert name.bounding_box()["x"] >= 0


def test_links_lead_to_a_task_and_back(open_page, headline):
    page = open_page(1280, at=headline)
    page.get_by_role("link", name="New scenario").first.click()
    assert page.url.endswith("/new-scenario/index.html")
    page.get_by_role("link", name="All tasks").click()
    assert page.url == headline.as_uri()
