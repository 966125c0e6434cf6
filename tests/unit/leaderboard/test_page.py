"""The page: complete, escaped, without anything from outside, and equal to the ranking."""

import csv
import itertools
import json
import re

import pandas as pd
import pytest
from page_elements import Page

from harness.ranking import by_group, rank
from harness.results import Results
from leaderboard import charts
from leaderboard.loo import loo_agreement
from leaderboard.page import build


@pytest.fixture(scope="module")
def site(results, tmp_path_factory):
    return build(results, tmp_path_factory.mktemp("site")).parent


@pytest.fixture(scope="module")
def html(site):
    return (site / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_every_element_is_closed_and_ids_are_unique(page):
    assert page.faults == []
    assert page.stack == []
    ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))


def test_nothing_comes_from_outside(page, html, site):
    for element in page.elements:
        assert element["tag"] not in {"iframe", "object", "embed", "img", "base", "form"}
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            value = element["attrs"].get(name)
            if value not in (None, "data:,") and not value.startswith("#"):
                assert (site / value).is_file(), (element["tag"], value)
        assert not any(name.startswith("on") for name in element["attrs"])
    assert page.foreign_scripts() == []
    assert "://" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_the_security_policy_allows_our_scripts_alone(page):
    policy = page.policy()
    assert policy["default-src"] == ["'none'"]
    assert policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert policy["script-src"][0] == "'strict-dynamic'"
    assert all(source.startswith("'sha256-") for source in policy["script-src"][1:])
    assert set(policy) == {
        *("default-src", "script-src", "style-src", "img-src", "base-uri", "form-action")
    }


def test_a_hostile_name_is_text(page, html, hostile):
    assert hostile not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\\u003cscript\\u003ealert(1)" in html  # in the data of a figure
    assert any(hostile in e["text"] for e in page.all("th", scope="row"))
    assert any(e["attrs"].get("data-predictor") == hostile for e in page.all("tr"))


def test_text_of_the_manifest_is_escaped(results, tmp_path):
    class Hostile:
        scores, status, targets, loo = results.scores, results.status, results.targets, results.loo
        split = results.split
        manifest = results.manifest | {
            "note": "<img src=x onerror=alert(1)>",
            "command": ["harness", "<b>", "a b"],
            "task": "heldout-run",
            "sources": [{"source": "</style><script>", "kind": "helm"}],
            "isolation": {"process": True, "network": "<i>"},
        }

    text = build(Hostile, tmp_path, title="</title><script>x</script>").read_text(encoding="utf-8")
    page = Page(text)
    assert page.faults == []
    assert not {"img", "b", "i"} & {e["tag"] for e in page.elements}
    assert page.foreign_scripts() == []
    assert page.all("title")[0]["text"] == "</title><script>x</script>"
    assert "harness '<b>' 'a b'" in page.all("dl", class_="facts")[0]["text"]


def test_all_predictors_are_listed_with_what_they_are(page, results):
    section = page.all("section", id="predictors")[0]["text"]
    for predictor in results.manifest["predictors"]:
        assert predictor["name"] in section
        assert predictor["summary"] in section
        assert predictor["code_hash"][:12] in section
    assert "not applicable: the task has no perturbed runs" in section


def contents(folder):
    """All files of a folder: path -> bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def cells(page, k_index):
    """The ranking's table at one k: predictor -> numbers."""
    tables = page.all("table", class_="ranking")
    table = tables[k_index]
    out = {}
    for row in (e for e in page.all("tr") if table in e["parents"] and "tbody" in e["path"]):
        inside = [e for e in page.elements if row in e["parents"]]
        numbers = [float(e["attrs"]["value"]) for e in inside if e["tag"] == "data"]
        out[row["attrs"]["data-predictor"]] = numbers
    return out


def test_numbers_are_those_of_the_ranking(page, results):
    columns = [
        "rank",
        "crps",
        "skill",
        "difference",
        "p_holm",
        "detectable",
        "absolute_error",
        "coverage_50",
        "coverage_90",
        "log_score",
        "n_failed",
    ]
    ranking = rank(results)
    for index, k in enumerate((0, 5)):
        part = ranking[(ranking["k"] == k) & ranking["ranked"]].set_index("predictor")
        found = cells(page, index)
        assert list(found) == list(part.index)
        for name, row in part.iterrows():
            wanted = [c for c in columns if name != "scenario-mean" or c not in columns[2:6]]
            assert found[name] == pytest.approx([row[c] for c in wanted], rel=1e-12)
            shown = f"[{row['crps_low']:.2f}, {row['crps_high']:.2f}]"
            assert any(shown in e["text"] for e in page.all("small"))


def test_numbers_of_scenarios_are_those_of_the_groups(page, results):
    section = page.all("section", id="scenarios")[0]
    values = [float(e["attrs"]["value"]) for e in page.all("data") if section in e["parents"]]
    groups = by_group(results, "scenario")
    assert sorted(values) == pytest.approx(sorted(groups["loss"]), rel=1e-12)


def test_tables_have_captions_and_headings_have_scope(page):
    tables = page.all("table")
    captions = page.all("caption")
    assert len(captions) == len(tables)
    assert all(e["attrs"].get("scope") in ("row", "col") for e in page.all("th"))


def test_figures_have_a_name_and_a_text(page):
    figures = page.all("svg")
    assert len(figures) == 3  # losses by k, and coverage at each of two k
    ids = {e["attrs"].get("id"): e["text"] for e in page.elements}
    for figure in figures:
        assert figure["attrs"]["role"] == "img"
        for name in figure["attrs"]["aria-labelledby"].split():
            assert ids[name]


def test_what_was_evaluated_and_the_note_are_said(page):
    header = page.all("header")[0]["text"]
    for text in ("heldout-run", "demo (helm)", "96 targets, 12 models, 8 scenarios", "stand-ins"):
        assert text in header
    text = page.all("main")[0]["text"]
    assert "12 targets of metrics without known bounds" in text
    assert "clustered by 12 models × 5 scenario groups" in text


def test_loo_stands_beside_the_held_out_log_score_as_a_diagnostic(page):
    text = page.all("section", id="loo")[0]["text"]
    assert "never ranked by" in text
    assert "hierarchical" in text
    assert "psis" in text


def test_failed_checks_stand_beside_the_predictors_row(make_folder, tmp_path):
    folder = make_folder()
    manifest = json.loads((folder / "manifest.json").read_text())
    failed = {"check": "r_hat", "failed": 2, "of": 10, "value": 1.3, "limit": 1.05}
    hostile = {**failed, "check": "<b>", "value": None, "offenders": "<i>x</i>"}
    manifest["predictors"][2] |= {
        "failed_checks": [{**failed, "offenders": "a on s (1.300)"}, hostile],
        "checks_error": None,
        "loo_error": "it needs more draws",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    page = Page(build(Results.load(folder), tmp_path / "site").read_text(encoding="utf-8"))
    assert page.faults == []
    marked = [e["text"] for e in page.all("th", class_="name") if "check of its fit" in e["text"]]
    assert len(marked) == 2  # one row at each k
    assert all("hierarchical" in text for text in marked)
    text = page.all("section", id="predictors")[0]["text"]
    assert "r_hat failed in 2 of 10 folds, at worst 1.3 (limit 1.05): a on s (1.300)" in text
    assert "<b> failed in 2 of 10 folds, at worst – (limit 1.05): <i>x</i>" in text
    assert "leave-one-run-out could not be made: it needs more draws" in text


def test_the_csv_is_the_ranking(results, tmp_path):
    build(results, tmp_path)
    frame = pd.read_csv(tmp_path / "ranking.csv", keep_default_na=True)
    ranking = rank(results)
    assert frame["predictor"].tolist() == ranking["predictor"].tolist()
    assert frame["crps"].to_numpy() == pytest.approx(ranking["crps"].to_numpy(), nan_ok=True)
    assert frame.columns.tolist() == ranking.columns.tolist()


def test_a_name_that_a_spreadsheet_would_run_is_quoted(make_folder, tmp_path):
    names = ("scenario-mean", "=HYPERLINK(1)")
    build(Results.load(make_folder(predictors=names)), tmp_path / "site")
    with (tmp_path / "site" / "ranking.csv").open(encoding="utf-8") as file:
        assert "'=HYPERLINK(1)" in {row["predictor"] for row in csv.DictReader(file)}


def test_the_same_results_give_the_same_bytes_and_leave_other_files_alone(results, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    build(results, tmp_path)
    first = contents(tmp_path)
    build(results, tmp_path)
    assert contents(tmp_path) == first
    build(results, tmp_path / "other")
    del first["mine.txt"]
    assert contents(tmp_path / "other") == first
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_one_k_has_no_switch_and_no_figure_by_k(make_folder, tmp_path):
    results = Results.load(make_folder(ks=(0,), loo=False))
    page = Page(build(results, tmp_path / "site").read_text(encoding="utf-8"))
    assert page.all("fieldset") == []
    assert page.all("section", id="by-k") == []
    assert page.all("section", id="loo") == []


def test_few_clusters_and_unranked_predictors_are_said(make_folder, tmp_path):
    results = Results.load(make_folder(models=2, failing="hierarchical"))
    text = Page(build(results, tmp_path / "site").read_text(encoding="utf-8")).all("main")[0][
        "text"
    ]
    assert "no intervals: 2 models × 5 scenario groups are too few clusters" in text
    assert "without bands, since there are too few clusters" in text
    assert "hierarchical (not ranked)" in text


def test_many_predictors_are_not_all_drawn_but_all_listed(make_folder, tmp_path):
    names = ["scenario-mean", *(f"p{i}" for i in range(12))]
    results = Results.load(make_folder(predictors=names, ks=(0, 1, 5)))
    text = build(results, tmp_path / "site").read_text(encoding="utf-8")
    page = Page(text)
    lines = [e for e in page.all("path") if re.fullmatch("line", e["attrs"].get("class", ""))]
    assert len(lines) == charts.MAX_LINES
    styles = {e["parents"][-1]["attrs"]["class"] for e in lines}
    assert len(styles) == charts.MAX_LINES
    assert "Not drawn:" in text
    assert len(cells(page, 0)) == 13


def test_labels_are_kept_apart_and_inside():
    places = charts.spread([10.0, 11.0, 12.0, 95.0, 96.0, 99.0], 10.0, 5.0, 100.0)
    assert min(b - a for a, b in itertools.pairwise(places)) >= 10.0 - 1e-9
    assert min(places) >= 5.0
    assert max(places) <= 100.0


@pytest.mark.parametrize("low", [0.0, 0.003, 2.0])
@pytest.mark.parametrize("width", [0.01, 1.0, 37.0])
def test_ticks_span_the_values(low, width):
    ticks = charts.linear_ticks(low, low + width)
    assert ticks[0] <= low
    assert ticks[-1] >= low + width
    assert 3 <= len(ticks) <= 9


def test_the_ranking_is_offered_as_tables_and_the_results_tables_beside_it(results, site, page):
    frame = pd.read_parquet(site / "ranking.parquet")
    pd.testing.assert_frame_equal(frame, rank(results))
    links = {e["attrs"].get("href") for e in page.all("a")}
    for name in ("scores", "targets", "status"):
        assert f"data/{name}.parquet" in links
        copied = (site / "data" / f"{name}.parquet").read_bytes()
        assert copied == (results.path / f"{name}.parquet").read_bytes()


def test_tables_that_are_too_large_are_named_and_not_copied(results, tmp_path, monkeypatch):
    monkeypatch.setattr("leaderboard.downloads.LARGEST", 20_000)
    page = Page(build(results, tmp_path).read_text(encoding="utf-8"))
    assert not (tmp_path / "data" / "scores.parquet").exists()
    assert (tmp_path / "data" / "targets.parquet").exists()
    assert "in the results folder, too large to be copied" in page.all("main")[0]["text"]


def test_who_made_a_predictor_and_how_it_was_run_is_said(make_folder, tmp_path, hostile):
    folder = make_folder(loo=False, ks=(0,))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["predictors"][1] |= {"author": "<b>Ada</b>", "submitted": "2026-03-01"}
    manifest["predictors"][1]["isolation"] = {"process": True, "network": "none"}
    manifest["predictors"][2]["class"] = "mine:Own"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    page = Page(build(Results.load(folder), tmp_path / "site").read_text(encoding="utf-8"))
    assert "b" not in {e["tag"] for e in page.elements}
    rows = {e["attrs"]["data-predictor"]: e for e in page.all("tr") if "data-kind" in e["attrs"]}
    kinds = {name: row["attrs"]["data-kind"] for name, row in rows.items()}
    assert kinds["scenario-mean"] == "reference"
    assert kinds["kernel-ridge(ridge=5)"] == kinds[hostile] == "built-in"
    assert kinds["hierarchical"] == "other"
    text = rows["kernel-ridge(ridge=5)"]["text"]
    assert "<b>Ada</b>, 2026-03-01" in text
    assert "process: True; network: none" in text
    header = page.all("header")[0]["text"]
    assert "process: True; network: none: kernel-ridge(ridge=5)" in header
    choices = {e["attrs"].get("data-filter") for e in page.all("select")}
    assert choices == {"kind", "isolation"}
    ranking = page.all("table", class_="ranking")[0]["text"]
    assert "by <b>Ada</b>" in ranking


def test_the_best_are_marked_in_words_and_what_the_task_can_show_is_said(results, page):
    ranking = rank(results)
    for index, k in enumerate((0, 5)):
        part = ranking[ranking["k"] == k]
        table = page.all("table", class_="ranking")[index]
        best = set(part.loc[(part["rank_low"] == 1).fillna(False), "predictor"])
        alone = len(best) == 1
        marked = {
            e["attrs"]["data-predictor"]
            for e in page.all("tr")
            if table in e["parents"] and ("the best" in e["text"])
        }
        assert marked == best
        assert ("not told from the best" in table["text"]) == (not alone)
        shown = f"{part['task_detectable'].iloc[0]:.2f} pp"
        assert f"differ from the reference by {shown}" in page.all("main")[0]["text"]


def test_predictors_are_linked_to_their_pages(page, site, results):
    links = {
        e["text"]: e["attrs"]["href"] for e in page.all("a") if "predictors/" in e["attrs"]["href"]
    }
    assert set(links) == {p["name"] for p in results.manifest["predictors"]}
    assert all((site / href).is_file() for href in links.values())


def test_leave_one_run_out_orders_are_compared_with_the_held_out_ones():
    summary = pd.DataFrame(
        {
            "elpd_loo": [-3.0, -3.2, -3.4, -3.6],
            "elpd_waic": [-3.6, -3.4, -3.2, -3.0],
            "held_out": [-4.0, -4.1, -4.3, -4.2],
        }
    )
    assert loo_agreement(summary).splitlines() == [
        "LOO orders 5 of 6 pairs of predictors as their held-out log scores do (Kendall τ 0.67).",
        "WAIC orders 1 of 6 pairs of predictors as their held-out log scores do (Kendall τ −0.67).",
    ]
    assert loo_agreement(summary.iloc[:1]) == ""
    assert "(" not in loo_agreement(summary.iloc[:2])
