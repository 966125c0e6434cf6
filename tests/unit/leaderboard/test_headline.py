"""The headline of several tasks: terminal, JSON, and the pages; and losses by group."""

import io
import json
import math
import shutil

import pandas as pd
import pytest
from page_elements import Page
from rich.console import Console

from harness.headline import headline
from harness.ranking import by_group, rank
from harness.relatives import by_closest
from harness.results import Results
from harness.vector_results import VectorResults
from leaderboard.headline import headline_of, print_headline
from leaderboard.page import build
from leaderboard.site import build_site

HEADINGS = ["Held-out run", "Family removed", "New scenario", "Next release"]


@pytest.fixture(scope="module")
def rankings(vector):
    return vector.rankings()


# -- the table -------------------------------------------------------------------------------------


def test_rows_are_ordered_by_the_mean_of_ranks_and_not_of_losses(rankings):
    # the best on two tasks is last on the hardest, which an average of losses would follow alone
    base = rankings["heldout-run"].query("k == 0 and predictor in ('hierarchical', 'perturbation')")
    first = base.assign(predictor=["a", "z"])
    second = base.assign(predictor=["b", "z"])

    def task(a, b):
        ranks = [(1, 2), (2, 1)][a > b]
        own = [first.assign(crps=[a, math.nan]), second.assign(crps=[b, math.nan]).iloc[:1]]
        for frame, rank_ in zip(own, ranks, strict=True):
            frame["rank"] = pd.array([rank_, pd.NA][: len(frame)], "Int64")
        return pd.concat(own)

    table = headline({"x": task(1.0, 2.0), "y": task(1.0, 2.0), "z": task(100.0, 3.0)})
    assert table.groupby("predictor")["loss"].mean().to_dict() == {
        "a": 34.0,
        "b": pytest.approx(7 / 3),
        "z": pytest.approx(math.nan, nan_ok=True),
    }
    assert list(dict.fromkeys(table["predictor"])) == ["a", "b", "z"]
    assert table["mean_rank"].tolist()[::3] == pytest.approx([4 / 3, 5 / 3, math.nan], nan_ok=True)
    assert table["n_ranked"].tolist()[::3] == [3, 3, 0]


def test_the_order_of_rows_does_not_decide(rankings):
    shuffled = {task: frame.sample(frac=1.0, random_state=1) for task, frame in rankings.items()}
    pd.testing.assert_frame_equal(headline(shuffled), headline(rankings))


def test_columns_say_how_many_targets_and_at_which_k(vector, rankings):
    shown = headline_of(vector, rankings)
    assert [column.entry.heading for column in shown.columns] == HEADINGS
    assert [column.k for column in shown.columns] == [0, 0, 0, None]
    assert [column.n_targets for column in shown.columns] == [84, 72, 60, 0]
    shown = headline_of(vector, rankings, 1)
    assert [column.k for column in shown.columns] == [None, 1, 1, None]
    assert "Held-out run was not evaluated at this k (evaluated: 0, 5, 20)." in shown.of_tasks


def test_the_terminal_shows_each_number_and_says_the_rest(run, vector_folder, rankings):
    status, out, err = run("show", vector_folder)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 100
    assert "4 tasks at the smallest k of each task: mean CRPS pp, skill %, (rank set)" in out
    for row in headline(rankings).to_dict("records"):
        if row["ranked"]:
            name = row["predictor"].split("(")[0]
            line = next(x for x in out.splitlines() if x.startswith(name))
            assert f"{row['loss']:.1f}" in line or f"{row['loss']:.2f}" in line
    text = " ".join(out.split())
    assert "Losses are never averaged over tasks." in text
    assert "Next release does not apply: nothing has a date." in text
    assert "Family removed: every family is of one model only." in text
    assert "perturbation: does not apply: the task has no perturbed runs." in text
    assert text.count("targets of metrics without known bounds are left out") == 1


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_number_is_cut_off(vector, rankings, width):
    out = io.StringIO()
    print_headline(vector, console=Console(file=out, width=width, color_system=None))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert text.count("…") == 1  # of the command that is named last
    assert text.count("84 targets") == 1


def test_a_predictor_that_is_not_ranked_on_a_task_has_a_dash_there(run, make_vector, make_folder):
    folder, failing = make_vector(), make_folder(ks=(0, 1, 5), failing="hierarchical")
    shutil.rmtree(folder / "new-scenario")
    shutil.copytree(failing, folder / "new-scenario")
    line = next(x for x in run("show", folder)[1].splitlines() if x.startswith("hierarchical"))
    assert line.split()[-2:] == ["–", "–"]
    status, out, _ = run("show", folder, "--json")
    assert status == 0
    document = json.loads(out)
    rows = {(r["task"], r["predictor"]): r for r in document["headline"]}
    assert rows["new-scenario", "hierarchical"]["ranked"] is False
    assert rows["heldout-run", "hierarchical"]["n_ranked"] == 2
    note = next(n for n in document["notes"] if n.startswith("hierarchical"))
    assert note.startswith("hierarchical (New scenario): not ranked: ")


def relisted(folder, change):
    path = folder / "tasks.json"
    content = json.loads(path.read_text())
    content["tasks"] = change(content["tasks"])
    path.write_text(json.dumps(content))
    return folder


def test_text_of_the_list_of_tasks_is_text(run, make_vector, tmp_path):
    hostile = {"heading": "[red]x[/red]\x1b[2J", "note": "<b>n</b>", "summary": "<i>s</i>"}
    folder = relisted(make_vector(), lambda tasks: [tasks[0] | hostile, *tasks[1:]])
    out = run("show", folder, "--by", "closest")[1]
    assert "[red]x[/red]" in out
    assert "\x1b" not in out
    run("build", folder, "--out", tmp_path / "site")
    page = Page((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert page.faults == []
    assert not {"b", "i"} & {e["tag"] for e in page.elements}
    assert "<i>s</i>" in page.all("section", id="tasks")[0]["text"]


def test_nothing_but_tasks_that_do_not_apply_is_shown_and_built(run, make_vector, tmp_path):
    folder = relisted(make_vector(), lambda tasks: tasks[-1:])
    status, out, err = run("show", folder)
    assert (status, err) == (0, "")
    assert "Next release does not apply: nothing has a date." in out
    assert run("build", folder, "--out", tmp_path / "site")[0] == 0


def test_tasks_of_other_smallest_k_are_shown_each_at_its_own(make_vector, make_folder, tmp_path):
    folder, later = make_vector(), make_folder(ks=(2, 5))
    shutil.rmtree(folder / "new-scenario")
    shutil.copytree(later, folder / "new-scenario")
    results = VectorResults.load(folder)
    shown = headline_of(results, results.rankings())
    assert [column.k for column in shown.columns] == [0, 0, 2, None]
    text = build_site(results, tmp_path / "site").read_text(encoding="utf-8")
    page = Page(text)
    switch = [e["text"] for e in page.all("label") if "fieldset" in e["path"]]
    assert switch == ["smallest", "0", "1", "2", "5", "20"]


def test_json_holds_all_and_no_nan(run, vector_folder, vector):
    status, out, _ = run("show", vector_folder, "--json", "--by", "model")
    assert status == 0
    assert "NaN" not in out
    document = json.loads(out)
    assert [task["heading"] for task in document["tasks"]] == HEADINGS
    assert [task["status"] for task in document["tasks"]][-1] == "not_applicable"
    assert set(document["rankings"]) == set(vector.results)
    for folder, ranking in document["rankings"].items():
        assert [row["crps"] for row in ranking["ranking"] if row["ranked"]] == [
            row["crps"] for row in rank(vector.results[folder]).to_dict("records") if row["ranked"]
        ]
        assert {row["group"] for row in ranking["groups"]} == {
            f"maker{i % 4}/m{i}" for i in range(12)
        }


def test_one_task_of_several_is_shown_in_full(run, vector_folder):
    status, out, _ = run("show", vector_folder, "--task", "Family removed", "--k", "1")
    assert status == 0
    assert out.startswith("k = 1: 72 targets; intervals: 95 %")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--k", "3"), "k = 3 was not evaluated on any task; the nearest is k = 1"),
        (("--k", "0,5"), "the headline shows one k"),
        (("--task", "new-scenari"), "did you mean 'new-scenario'"),
        (("--task", "next-release"), "was not evaluated: nothing has a date."),
        (("--metric", "exact-match"), "did you mean 'exact_match'?"),
        (("--by", "modell"), "did you mean 'model'?"),
    ],
)
def test_mistakes_are_one_paragraph_and_status_two(run, vector_folder, options, message):
    status, out, err = run("show", vector_folder, *options)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


# -- the pages -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(vector, tmp_path_factory):
    return build_site(vector, tmp_path_factory.mktemp("site") / "deep").parent


@pytest.fixture(scope="module")
def page(site):
    return Page((site / "index.html").read_text(encoding="utf-8"))


def test_the_site_holds_a_page_for_each_task_and_links_go_both_ways(site, page):
    links = {e["attrs"]["href"] for e in page.all("a")}
    assert links == {
        "headline.csv",
        "heldout-run/index.html",
        "new-model-by-family/index.html",
        "new-scenario/index.html",
    }
    for link in links:
        assert (site / link).is_file()
    task = Page((site / "new-scenario" / "index.html").read_text(encoding="utf-8"))
    back = next(e for e in task.all("a") if e["text"] == "All tasks")["attrs"]["href"]
    assert (site / "new-scenario" / back).resolve() == (site / "index.html").resolve()
    assert task.all("h1")[0]["text"] == "Predictor ranking: New scenario"


def test_the_page_is_whole_escaped_and_comes_from_nowhere_else(page, hostile, site):
    assert page.faults == []
    assert page.stack == []
    ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    assert not {"iframe", "img", "form", "i"} & {e["tag"] for e in page.elements}
    assert page.foreign_scripts() == []
    assert any(hostile in e["text"] for e in page.all("th", scope="row"))
    html = (site / "index.html").read_text(encoding="utf-8")
    assert "://" not in html
    assert "harness '<i>'" in page.all("dl", class_="facts")[0]["text"]
    assert len(page.all("caption")) == len(page.all("table"))


def test_the_page_shows_the_numbers_of_the_headline_at_every_k(page, rankings):
    tables = page.all("table", class_="headline")
    assert len(tables) == 4  # k = 0, 1, 5, 20
    for table, k in zip(tables, (0, 1, 5, 20), strict=True):
        wanted = headline(rankings, k)
        wanted = wanted[wanted["ranked"]]
        found = [float(e["attrs"]["value"]) for e in page.all("data") if table in e["parents"]]
        means = wanted.groupby("predictor")["mean_rank"].first()
        assert sorted(found) == pytest.approx(sorted([*wanted["loss"], *means]), rel=1e-12)


def test_the_page_says_what_does_not_apply(page):
    text = page.all("section", id="tasks")[0]["text"]
    assert "does not apply: nothing has a date." in text
    assert "Every family is of one model only." in text
    notes = page.all("section", id="headline")[0]["text"]
    assert "Next release does not apply: nothing has a date." in notes


def test_the_csv_is_the_headline_at_every_k(site, rankings):
    frame = pd.read_csv(site / "headline.csv")
    wanted = pd.concat([headline(rankings, k) for k in (0, 1, 5, 20)])
    assert frame["k"].tolist() == wanted["k"].tolist()
    assert frame["loss"].to_numpy() == pytest.approx(wanted["loss"].to_numpy(), nan_ok=True)


def test_the_same_results_give_the_same_bytes(site, vector, tmp_path):
    build_site(vector, tmp_path)
    for path in sorted(p for p in tmp_path.rglob("*") if p.is_file()):
        assert path.read_bytes() == (site / path.relative_to(tmp_path)).read_bytes()


def test_the_command_builds_and_does_not_write_over_a_file(run, vector_folder, tmp_path):
    out = tmp_path / "site"
    status, printed, _ = run("build", vector_folder, "--out", out, "--title", "Mine")
    assert (status, printed.strip()) == (0, str(out / "index.html"))
    assert "<h1>Mine</h1>" in (out / "index.html").read_text(encoding="utf-8")
    file = tmp_path / "file"
    file.write_text("mine")
    status, _, err = run("build", vector_folder, "--out", file)
    assert status == 2
    assert "is a file" in err
    assert file.read_text() == "mine"


# -- by group --------------------------------------------------------------------------------------


def test_show_by_closest_relative(run, near):
    status, out, _ = run("show", near, "--by", "closest", "--k", "5")
    assert status == 0
    title = "k = 5: mean CRPS pp by agreement of the closest train model"
    lines = out[out.index(title) :].splitlines()
    assert lines[1].split() == ["Predictor", "<", ".75", ".75–.80", ">", ".90", "unknown"]
    groups = by_closest(Results.load(near), k=5)
    own = groups[groups["predictor"] == "hierarchical"]["loss"]
    row = next(line for line in lines if line.startswith("hierarchical"))
    assert row.split()[1:] == [f"{loss:.2f}" for loss in own]
    assert next(x for x in lines if x.startswith("models")).split()[1:] == ["3", "3", "3", "3"]
    assert next(x for x in lines if x.startswith("targets")).split()[1:] == ["21"] * 4


@pytest.mark.parametrize("by", ["scenario", "model", "organisation", "family"])
def test_show_by_group(run, near, by):
    status, out, _ = run("show", near, "--by", by)
    assert status == 0
    assert max(map(len, out.splitlines())) <= 100
    below = out[out.index(f"k = 0: mean CRPS pp by {by}") :]
    groups = by_group(Results.load(near), by, k=0)
    for loss in groups["loss"]:
        assert f"{loss:.2f}" in below
    assert "k = 5: mean" not in below


def test_results_that_do_not_know_relatives_say_so(run, folder):
    status, out, _ = run("show", folder, "--by", "closest")
    assert status == 0
    assert "Nothing is known by closest." in out


def test_the_page_has_relatives_where_two_bins_are_filled(near, folder, make_folder, tmp_path):
    page = Page(build(Results.load(near), tmp_path / "a").read_text(encoding="utf-8"))
    assert page.faults == []
    section = page.all("section", id="relatives")[0]
    values = [float(e["attrs"]["value"]) for e in page.all("data") if section in e["parents"]]
    groups = by_closest(Results.load(near))
    assert sorted(values) == pytest.approx(sorted(groups["loss"]), rel=1e-12)
    heads = [e["text"] for e in page.all("th", class_="bin") if section in e["parents"]]
    assert heads == ["< .75", ".75–.80", "> .90", "unknown"] * 2
    for other in (folder, make_folder(closest=(0.7, 0.71, None))):
        page = Page(build(Results.load(other), tmp_path / "b").read_text(encoding="utf-8"))
        assert page.all("section", id="relatives") == []
