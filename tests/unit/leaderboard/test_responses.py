"""Results of single responses: terminal, page, calibration curves, and beside other tasks."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from page_elements import Page

from harness.ranking import rank
from harness.results import Results
from harness.vector_results import VectorResults
from leaderboard import charts
from leaderboard.calibration import LEFT, SIDE, TOP, calibration
from leaderboard.cli import main
from leaderboard.headline import headline_of
from leaderboard.page import build
from leaderboard.site import build_site
from leaderboard.terminal import ranking_lines


@pytest.fixture(scope="module")
def page(responses, tmp_path_factory):
    site = build(responses, tmp_path_factory.mktemp("site"))
    return Page(site.read_text(encoding="utf-8"))


def four(value):
    return f"{value:.4f}".removeprefix("0")


# -- the terminal ----------------------------------------------------------------------------------


def test_the_table_has_the_rules_of_responses_and_four_decimals(run, responses):
    status, out, err = run("show", responses.path)
    assert (status, err) == (0, "")
    head = next(line for line in out.splitlines() if line.startswith("Rank"))
    assert "MAE" not in out
    assert "50/90" not in out
    columns = ["Rank", "Predictor", "Brier", "Skill %", "− reference", "Pooled", "loss", "AUROC"]
    places = [head.index(column) for column in [*columns, "Failed"]]
    assert places == sorted(places)
    assert "k = 0: 24 runs; intervals: 95 %, clustered by" in out
    assert max(map(len, out.splitlines())) <= 100
    for row in rank(responses, rule="brier").to_dict("records"):
        line = next(
            line
            for line in out.splitlines()
            if row["predictor"] in line and f" {four(row['brier'])} " in line
        )
        assert line.split()[-4:-1] == [
            four(row["pooled"]),
            f"{row['log_loss']:.3f}".removeprefix("0"),
            f"{row['auroc']:.3f}".removeprefix("0"),
        ]
        assert f"[{four(row['brier_low'])}, {four(row['brier_high'])}]" in out


def test_notes_say_what_is_averaged_over_what(run, responses):
    text = " ".join(run("show", responses.path)[1].split())
    assert "Less is better, except for skill and AUROC." in text
    assert "Brier, log loss and AUROC are means over runs, pooled is over all responses" in text
    assert "AUROC is within a run" in text


def test_many_k_and_groups_have_four_decimals_too(run, responses):
    ranking = rank(responses, rule="brier")
    many = pd.concat([ranking[ranking["k"] == 0].assign(k=k) for k in range(5)])
    lines = ranking_lines(many, responses.manifest)
    for value in ranking.loc[ranking["k"] == 0, "brier"]:
        assert any(f"{four(value)} (" in line for line in lines)
    assert any(line.startswith("runs ") for line in lines)
    out = run("show", responses.path, "--k", "0", "--by", "scenario")[1]
    assert re.search(r"^s0 +6 +\.\d{4} +\.\d{4} +\.\d{4}$", out, re.MULTILINE)


def test_runs_have_their_own_columns_still(run, folder):
    out = run("show", folder, "--k", "0")[1]
    assert "MAE" in out
    assert "AUROC" not in out


# -- the page --------------------------------------------------------------------------------------


def test_the_page_is_whole_and_has_what_has_a_meaning(page):
    assert page.faults == []
    assert page.stack == []
    ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    sections = [e["attrs"]["id"] for e in page.all("section")]
    assert "calibration" in sections
    assert not {"coverage", "joint", "loo"} & set(sections)
    words = page.all("main")[0]["text"]
    for word in ("Cover", "MAE", "CRPS"):
        assert word not in words
    assert "single responses of runs that were held out" in page.all("header")[0]["text"]


def test_the_numbers_of_the_page_are_those_of_the_ranking(page, responses):
    columns = ["rank", "brier", "skill", "difference", "p_holm", "detectable"]
    columns += ["pooled", "log_loss", "auroc", "n_failed"]
    ranking = rank(responses, rule="brier")
    for table, k in zip(page.all("table", class_="ranking"), (0, 4), strict=True):
        part = ranking[ranking["k"] == k].set_index("predictor")
        lines = [e for e in page.all("tr") if table in e["parents"] and "tbody" in e["path"]]
        for line, (name, row) in zip(lines, part.iterrows(), strict=True):
            assert name in line["text"]
            wanted = [c for c in columns if name != "item-mean" or c not in columns[2:6]]
            inside = [e for e in page.all("data") if line in e["parents"]]
            found = [float(e["attrs"]["value"]) for e in inside]
            assert found == pytest.approx([row[c] for c in wanted], rel=1e-12, nan_ok=True)
            assert inside[1]["text"] == four(row["brier"])


def test_figures_have_a_name_and_a_text(page):
    figures = [e for e in page.all("svg") if "square" in e["attrs"].get("class", "")]
    assert len(figures) == 2  # at each k
    ids = {e["attrs"].get("id"): e["text"] for e in page.elements}
    for figure in figures:
        assert figure["attrs"]["role"] == "img"
        for name in figure["attrs"]["aria-labelledby"].split():
            assert ids[name]
    assert (
        "288 responses that are right or wrong" in page.all("section", id="calibration")[0]["text"]
    )


# -- calibration curves ----------------------------------------------------------------------------


def curve(*bins, seeds=(0,), name="mine", k=0):
    """Make the table: bins of (responses, predicted, observed)."""
    return pd.DataFrame(
        [(name, seed, k, np.floor(p * 20) / 20, n, p, y) for seed in seeds for n, p, y in bins],
        columns=["predictor", "seed", "k", "lower", "responses", "predicted", "observed"],
    )


def corners(path):
    """Give the points of a path, as shares of the axes."""
    found = re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
    return [((float(x) - LEFT) / SIDE, (TOP + SIDE - float(y)) / SIDE) for x, y in found]


def drawn(table, names=("mine",), k=0, reference=None):
    style = charts.styles(list(names), reference)
    return calibration(table, k, names, style, reference)


def test_a_point_lies_at_what_was_predicted_and_observed():
    figure = drawn(curve((100, 0.2, 0.4), (300, 0.72, 0.7)))
    (line,) = figure.curves
    assert corners(line.path) == [
        pytest.approx((0.2, 0.4), abs=1e-3),
        pytest.approx((0.72, 0.7), abs=1e-3),
    ]
    assert figure.responses == 400
    assert line.points[1][1] == "300 responses predicted at 0.72, 0.70 came true"
    assert "predicts 0.20 and 0.40 come true" in figure.summary


def test_the_area_of_a_point_is_its_number_of_responses():
    figure = drawn(curve((100, 0.2, 0.2), (400, 0.7, 0.7)), ("mine",))
    half = [charts.STYLES[figure.curves[0].style]] * 2
    assert half == ["square", "square"]
    sides = [float(re.search(r"h([\d.]+)", mark).group(1)) for mark, _ in figure.curves[0].points]
    assert sides[1] / sides[0] == pytest.approx(2.0, rel=0.02)  # four times the responses


def test_bins_of_few_responses_are_joined_and_lose_nothing():
    figure = drawn(curve((1, 0.02, 1.0), (1, 0.12, 1.0), (198, 0.5, 0.5), (2, 0.97, 0.0)))
    (line,) = figure.curves
    (point,) = corners(line.path)
    mean = np.average([0.02, 0.12, 0.5, 0.97], weights=[1, 1, 198, 2])
    share = np.average([1.0, 1.0, 0.5, 0.0], weights=[1, 1, 198, 2])
    assert point == pytest.approx((mean, share), abs=1e-3)
    assert figure.responses == 202


def test_seeds_are_added_up_within_a_bin():
    first, second = curve((30, 0.2, 0.1)), curve((10, 0.2, 0.5), seeds=(1,))
    figure = drawn(pd.concat([first, second]))
    assert corners(figure.curves[0].path) == [pytest.approx((0.2, 0.2), abs=1e-3)]
    assert figure.responses == 20  # of one seed


def test_the_best_and_the_reference_are_drawn():
    names = [*(f"p{i}" for i in range(10)), "base"]
    table = pd.concat([curve((9, 0.3, 0.3), name=name) for name in names])
    figure = drawn(table, names, reference="base")
    assert [line.name for line in figure.curves] == [*names[: charts.MAX_LINES - 1], "base"]
    assert figure.left_out == tuple(names[charts.MAX_LINES - 1 : -1])
    assert figure.curves[-1].style == 0
    rows = [line.key_y for line in figure.curves]
    assert rows == sorted(set(rows))
    assert rows[-1] < figure.height


def test_nothing_is_drawn_where_nothing_is_known():
    assert drawn(pd.DataFrame()) is None
    assert drawn(curve((9, 0.3, 0.3)), k=5) is None
    assert drawn(curve((9, 0.3, 0.3)), names=("other",)) is None


def test_results_of_older_versions_have_no_curves(responses, tmp_path):
    for file in responses.path.iterdir():
        if file.stem not in ("calibration", "groups"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    site = build(Results.load(tmp_path), tmp_path / "site")
    page = Page(site.read_text(encoding="utf-8"))
    assert page.all("section", id="calibration") == []
    assert len(page.all("table", class_="ranking")) == 2
    assert json.loads(ranking_json(tmp_path))["joint"] == []


def ranking_json(folder):
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["show", str(folder), "--json"]) == 0
    return out.getvalue()


# -- beside other tasks ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(responses, folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("several")
    for name, source in (("heldout-run", folder), ("instance", responses.path)):
        (path / name).mkdir()
        for file in source.iterdir():
            (path / name / file.name).write_bytes(file.read_bytes())
    tasks = [
        {"task": name, "heading": name, "folder": name} for name in ("heldout-run", "instance")
    ]
    (path / "tasks.json").write_text(json.dumps({"tasks": tasks}), encoding="utf-8")
    return VectorResults.load(path)


def test_the_headline_has_losses_of_both_kinds(run, several):
    status, out, err = run("show", several.path)
    assert (status, err) == (0, "")
    assert "mean CRPS pp or Brier" in out
    assert "24 runs" in out
    assert "84 targets" in out
    ranking = several.rankings()["instance"]
    for value in ranking.loc[ranking["k"] == 0, "brier"]:
        assert f" {four(value)} " in out
    assert headline_of(several, several.rankings()).columns[1].size == "24 runs"


def test_predictors_that_do_not_apply_for_one_reason_share_a_note(several):
    rankings = several.rankings()
    away = rankings["instance"].head(2).assign(ranked=False, reason="does not apply: no")
    lines = headline_of(several, {**rankings, "instance": away}).of_predictors
    names = ", ".join(sorted(away["predictor"]))
    assert f"{names} (instance): does not apply: no." in lines


def test_its_page_and_the_page_of_all_are_linked(several, tmp_path):
    site = build_site(several, tmp_path)
    page = Page(site.read_text(encoding="utf-8"))
    assert page.faults == []
    ranking = several.rankings()["instance"]
    shown = {e["text"] for e in page.all("data")}
    assert {four(value) for value in ranking.loc[ranking["k"] == 0, "brier"]} <= shown
    own = Page((tmp_path / "instance" / "index.html").read_text(encoding="utf-8"))
    assert own.faults == []
    assert len(own.all("section", id="calibration")) == 1
