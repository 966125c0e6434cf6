"""Pages of predictors: what they are, and numbers that are those of the results."""

import re

import numpy as np
import pandas as pd
import pytest
from page_elements import Page

from harness.averages import clustered_average
from harness.ranking import by_group, loo_summary
from harness.results import Results
from leaderboard.cell_page import build_cell_pages
from leaderboard.pit import histogram
from leaderboard.predictor_page import WORST, build_predictor_pages


def build(results, folder):
    addresses = build_predictor_pages(results, results.ranking(), folder)
    return {name: read(folder / path) for name, path in addresses.items()}


def read(path):
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pages(board, tmp_path_factory):
    return build(board, tmp_path_factory.mktemp("predictors"))


@pytest.fixture(scope="module")
def of_old_results(results, tmp_path_factory):
    """Pages of results without predictions, and with a predictor that does not apply."""
    return build(results, tmp_path_factory.mktemp("older"))


def inside(page, name):
    return page.all("section", id=name)[0]


def lines(page, section, index=0):
    """The rows of a section's table: what stands in each, and its numbers."""
    tables = [e for e in page.all("table") if section in e["parents"]]
    out = []
    for line in page.all("tr"):
        if tables[index] in line["parents"] and "tbody" in line["path"]:
            numbers = [e for e in page.all("data") if line in e["parents"]]
            out.append((line["text"], [float(e["attrs"]["value"]) for e in numbers]))
    return out


def test_every_predictor_has_a_page_of_closed_elements(results, pages, of_old_results):
    assert set(of_old_results) == {p["name"] for p in results.manifest["predictors"]}
    for page in [*pages.values(), *of_old_results.values()]:
        assert page.faults == []
        assert page.stack == []
        assert page.foreign_scripts() == []
        ids = [e["attrs"]["id"] for e in page.elements if "id" in e["attrs"]]
        assert len(ids) == len(set(ids))
        assert len(page.all("caption")) == len(page.all("table"))
        assert all(e["attrs"].get("scope") in ("row", "col") for e in page.all("th"))
        for region in page.all("div", role="region"):
            assert region["attrs"]["tabindex"] == "0"
            assert region["attrs"]["aria-label"]


@pytest.mark.parametrize("name", ["scenario-mean", "beta-3"])
def test_losses_by_k_are_those_of_the_ranking(board, pages, name):
    columns = ["crps", "skill", "difference", "p_holm", "absolute_error", "log_score"]
    columns += ["n_targets", "n_failed"]
    if name == "scenario-mean":
        columns = ["crps", *columns[4:]]
    ranking = board.ranking()
    own = ranking[ranking["predictor"] == name]
    page = pages[name]
    found = lines(page, inside(page, "by-k"))
    assert len(found) == len(own) == 2
    for (text, numbers), row in zip(found, own.to_dict("records"), strict=True):
        assert numbers == pytest.approx([row[c] for c in columns], nan_ok=True)
        assert f"[{row['crps_low']:.2f}, {row['crps_high']:.2f}]" in text
    cover = lines(page, inside(page, "calibration"))
    for (text, numbers), row in zip(cover, own.to_dict("records"), strict=True):
        assert numbers == pytest.approx([row[f"coverage_{level}"] for level in (50, 80, 90)])
        low, high = row["coverage_80_low"], row["coverage_80_high"]
        assert np.isnan(low) or f"[{100 * low:.0f}, {100 * high:.0f}]" in text


@pytest.mark.parametrize("by", ["scenario", "model", "organisation"])
def test_losses_by_group_are_those_of_the_ranking(results, of_old_results, by):
    table = by_group(results, by)
    name = "hierarchical"
    page = of_old_results[name]
    found = lines(page, inside(page, f"by-{by}"))
    losses = {(r.group, r.predictor, r.k): (r.loss, r.n_targets) for r in table.itertuples()}
    groups = sorted(set(table["group"]))
    assert len(found) == len(groups)
    for (text, numbers), group in zip(found, groups, strict=True):
        wanted = [losses[group, name, k] for k in (0, 5)]
        assert numbers == pytest.approx([loss for loss, _ in wanted])
        assert text.strip().startswith(f"{group}{wanted[0][1]}")
        for k in (0, 5):
            less = losses[group, name, k][0] - losses[group, "scenario-mean", k][0]
            assert f"{less:+.2f}".replace("-", "−") in text


def test_the_reference_is_not_compared_with_itself(pages):
    assert "This is the reference" in pages["scenario-mean"].all("header")[0]["text"]
    assert "Skill" not in inside(pages["scenario-mean"], "by-k")["text"]
    assert "less than" not in inside(pages["scenario-mean"], "by-model")["text"]
    assert "scenario-mean" in inside(pages["beta-3"], "by-k")["text"]


def test_what_it_is_is_said(board, changed_board, tmp_path):
    def submitted(manifest):
        entry = manifest["predictors"][2]
        entry |= {"author": "A & B", "submitted": "2026-11-01", "isolation": {"jail": "strong"}}
        entry |= {"loo_error": "it needs more draws", "spec": "mine.py:Mine"}
        failed = {"check": "r_hat", "failed": 2, "of": 10, "value": 1.3, "limit": 1.05}
        entry["failed_checks"] = [failed | {"offenders": "<b>"}]
        return manifest  # its entry is changed in place

    pages = build(changed_board(manifest=submitted), tmp_path)
    header = pages["normal-2"].all("header")[0]["text"]
    for text in ("A & B", "2026-11-01", "jail: strong", "mine.py:Mine", "made.up:Predictor2"):
        assert text in header
    for text in (f"{2:064x}", f"{2:012x}", "strength = 2", "Predict by rule number 2"):
        assert text in header
    assert "r_hat failed in 2 of 10 folds, at worst 1.3 (limit 1.05): <b>" in header
    assert "leave-one-run-out could not be made: it needs more draws" in header
    other = pages["beta-3"].all("header")[0]["text"]
    assert "Isolationprocess" in re.sub(r"\s", "", other)
    assert "Author" not in other


def test_the_worst_misses_are_the_greatest_losses_and_lead_to_their_cells(board, tmp_path):
    pages = build(board, tmp_path)
    addresses = build_cell_pages(board, board.ranking(), tmp_path)
    page = pages["sample-4"]
    scores = board.scores[board.scores["rule"] == "crps"]
    for i, k in enumerate((0, 5)):
        own = scores[(scores["predictor"] == "sample-4") & (scores["k"] == k)]
        losses = own.groupby("target", observed=True)["value"].mean().sort_values(ascending=False)
        base = scores[(scores["predictor"] == "scenario-mean") & (scores["k"] == k)]
        base = base.groupby("target", observed=True)["value"].mean()
        found = lines(page, inside(page, "misses"), i)
        assert len(found) == WORST
        described = board.targets.set_index("target")
        for (text, numbers), target in zip(found, losses.index[:WORST], strict=True):
            row = described.loc[target]
            assert text.startswith(f"{row['model']}{row['scenario']}")
            assert numbers == pytest.approx([row["value"], losses[target], base[target]])
    links = [e for e in page.all("a") if inside(page, "misses") in e["parents"]]
    assert len(links) == 2 * WORST
    found = {e["attrs"]["href"].removeprefix("../") for e in links}
    assert found <= set(addresses.values())
    link = next(e for e in page.all("a") if e["text"] == "The heat map")["attrs"]["href"]
    assert link == "../cells/index.html#predictor=sample-4"


def test_statuses_messages_and_times_are_counted(changed_board, tmp_path):
    def fail(status):
        bad = (status["predictor"] == "pmf-6") & (status["k"] == 5) & (status["seed"] == 1)
        bad &= status["target"].astype(str).str.contains("subject0")
        kinds = status["status"].astype(str).where(~bad, "failed")
        return status.assign(status=kinds, message=np.where(bad, "ValueError: <i>no</i>", None))

    pages = build(changed_board(status=fail), tmp_path)
    page = pages["pmf-6"]
    section = inside(page, "statuses")
    assert lines(page, section) == [("060" + "0", [60.0, 0.0]), ("5546", [54.0, 6.0])]
    assert "6 × failed: ValueError: <i>no</i>" in section["text"]
    assert (
        "Not ranked at k = 5: 6 of 60 predictions are missing or not valid"
        in (inside(page, "by-k")["text"])
    )
    times = dict(zip(("load", "fit", "predict", "all"), lines(page, inside(page, "timings"))))  # noqa: B905
    # each of the 10 folds: load, fit, and predict at two k, 6.5 s each
    assert times["load"][1] == pytest.approx([10, 65, 6.5, 6.5, 64])
    assert times["predict"][1] == pytest.approx([20, 130, 6.5, 6.5, 128])
    assert times["all"][1][:2] == [40, 260]
    assert (
        "260.00 seconds in all; of 10 folds the median takes 26.00"
        in (inside(page, "timings")["text"])
    )
    assert "failed" not in inside(pages["beta-3"], "statuses")["text"]


def test_who_does_not_apply_has_a_page_that_says_so(of_old_results):
    page = of_old_results["perturbation"]
    text = page.all("header")[0]["text"] + page.all("main")[0]["text"]
    assert "the task has no perturbed runs" in text
    assert "It has no loss at any k." in text
    assert "It was asked for nothing." in text
    assert "No times are recorded." in text
    assert page.all("svg") == []


def test_loo_stands_beside_the_held_out_log_score(results, of_old_results):
    page = of_old_results["hierarchical"]
    row = loo_summary(results.loo, results.ranking(), results.targets).iloc[0]
    columns = ["elpd_loo", "elpd_waic", "held_out", "gap", "share_high_pareto_k"]
    ((_, numbers),) = lines(page, inside(page, "loo"))
    assert numbers == pytest.approx([row[c] for c in columns])
    assert "never ranked by" in inside(page, "loo")["text"]
    assert of_old_results["scenario-mean"].all("section", id="loo") == []


def test_a_hostile_name_is_text(of_old_results, hostile):
    page = of_old_results[hostile]
    assert page.all("h1")[0]["text"] == hostile
    assert page.all("title")[0]["text"] == hostile


def test_single_responses_have_calibration_curves_and_no_distributions(responses, tmp_path):
    pages = build(responses, tmp_path)
    for name, page in pages.items():
        assert page.faults == []
        assert "PIT" not in page.all("main")[0]["text"]
        assert "Coverage" not in page.all("main")[0]["text"]
        curves = [e for e in page.all("svg") if e["attrs"].get("class") == "square"]
        assert len(curves) == 2
        row = responses.ranking(k=0).set_index("predictor").loc[name]
        assert lines(page, inside(page, "by-k"))[0][1][0] == pytest.approx(row["brier"])
        links = [e["attrs"]["href"] for e in page.all("a") if "tbody" in e["path"]]
        assert links == []


def test_one_scenario_and_few_models_have_no_intervals(make_folder, tmp_path):
    results = Results.load(make_folder(models=2, scenarios=2, ks=(0,), loo=False))
    pages = build(results, tmp_path / "site")
    text = pages["kernel-ridge(ridge=5)"].all("main")[0]["text"]
    assert "too few clusters" in text
    assert pages["kernel-ridge(ridge=5)"].all("line", class_="whisker") == []
    assert pages["kernel-ridge(ridge=5)"].all("fieldset") == []


def test_the_same_results_give_the_same_bytes(board, board_folder, tmp_path):
    mixed = Results.load(board_folder)
    for name in ("scores", "status", "targets", "timings"):
        table = getattr(mixed, name).sample(frac=1, random_state=3)
        mixed.__dict__[name] = table.reset_index(drop=True)
    for place, results in (("a", board), ("b", mixed)):
        build(results, tmp_path / place)
    for one in sorted((tmp_path / "a" / "predictors").iterdir()):
        assert one.read_bytes() == (tmp_path / "b" / "predictors" / one.name).read_bytes()


# -- PIT histograms ---------------------------------------------------------------------------


def test_shares_of_bins_are_counted_once_a_target_with_clustered_intervals():
    rng = np.random.default_rng(2)
    pit = rng.random((2, 120))
    pit[1, :30] = np.nan
    pit[:, 30] = np.nan
    pit[0, 31] = 1.0
    rows, columns = np.arange(120) % 8, np.arange(120) // 20
    found = histogram(pit, rows, columns)
    assert found.n == 119
    for b, bar in enumerate(found.bars):
        place = np.minimum(np.floor(pit * 10), 9)
        inside = np.where(np.isnan(pit), np.nan, place == b)
        mean = pd.DataFrame(inside).mean().to_numpy()
        wanted = clustered_average(mean, rows, columns)
        assert bar.share == pytest.approx(wanted.mean)
        assert bar.share_low == pytest.approx(max(wanted.low, 0.0))
        assert bar.share_high == pytest.approx(wanted.high)
        assert bar.height == pytest.approx((found.bottom - found.even) * bar.share / 0.1)
    assert sum(bar.share for bar in found.bars) == pytest.approx(1.0)


def test_few_values_have_few_bins_and_none_no_figure():
    few = histogram(np.array([[0.1, 0.5, 0.9]]), [0, 1, 2], [0, 0, 0])
    assert len(few.bars) == 5
    assert all(bar.whisker is None for bar in few.bars)
    assert "67 % of the values fell in the two outermost of 5 bins" in few.summary
    assert histogram(np.array([[np.nan]]), [0], [0]) is None


def test_the_histogram_of_a_page_has_the_targets_of_the_ranking(board, pages):
    page = pages["pmf-6"]
    row = board.ranking(k=0).set_index("predictor").loc["pmf-6"]
    figure = inside(page, "calibration")
    assert f"where {row['n_targets']} values fell" in figure["text"]
    found = [share for _, (share,) in lines(page, figure, 1)]
    pit = board.scores[(board.scores["rule"] == "pit") & (board.scores["predictor"] == "pmf-6")]
    pit = pit[pit["k"] == 0]
    wanted = np.histogram(pit["value"], bins=5, range=(0, 1))[0] / len(pit)
    assert found == pytest.approx(wanted)
