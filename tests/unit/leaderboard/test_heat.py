"""The heat map and its page: losses of the results, links that lead somewhere, small data."""

import json

import numpy as np
import pytest
from page_elements import Page

from harness.results import Results
from leaderboard.cell_page import build_cell_pages
from leaderboard.heat import Heat, colours, heat, heat_losses, packed, write_index
from leaderboard.slugs import cell_addresses


def built(results, folder):
    addresses = build_cell_pages(results, results.ranking(), folder)
    text = (folder / "cells" / "index.html").read_text(encoding="utf-8")
    return Page(text), addresses


def table_of(results, rule="crps"):
    """Mean losses by predictor, k, model and scenario, the long way."""
    scores = results.scores[results.scores["rule"] == rule]
    cells = scores.astype({"target": str, "predictor": str}).merge(
        results.targets[["target", "model", "scenario", "upper"]], on="target"
    )
    cells = cells[cells["upper"].notna()]
    keys = ["predictor", "k", "model", "scenario"]
    return cells.groupby([*keys, "target"])["value"].mean().groupby(keys).mean()


@pytest.mark.parametrize("which", ["results", "board"])
def test_losses_are_means_of_the_scores(which, request):
    results = request.getfixturevalue(which)
    found = heat_losses(results, results.ranking())
    wanted = table_of(results)
    assert wanted.size == (~np.isnan(found.loss)).sum()
    for p, predictor in enumerate(found.predictors):
        for i, k in enumerate(found.ks):
            for c in range(found.loss.shape[2]):
                cell = (found.models[found.row[c]], found.scenarios[found.column[c]])
                assert found.loss[p, i, c] == pytest.approx(wanted[(predictor, k, *cell)])


def test_the_hardest_stand_first(board):
    found = heat_losses(board, board.ranking())
    mean = found.loss.mean(axis=(0, 1))
    for place, names in ((found.row, found.models), (found.column, found.scenarios)):
        means = [mean[place == i].mean() for i in range(len(names))]
        assert means == sorted(means, reverse=True)


def test_the_figure_shows_one_predictor_with_links(board):
    found = heat_losses(board, board.ranking())
    cells = zip(board.targets["model"], board.targets["scenario"], strict=True)
    figure = heat(found, 2, 1, cell_addresses(cells))
    values = figure.spec["data"]["values"]
    assert len(values) == 30
    base = found.loss[found.reference, 1]
    for c, value in enumerate(values):
        assert value["loss"] == pytest.approx(found.loss[2, 1, c], abs=0.005)
        assert value["difference"] == pytest.approx(found.loss[2, 1, c] - base[c], abs=0.005)
        assert value["href"].startswith("cells/maker")
    encoding = figure.spec["encoding"]
    assert encoding["y"]["sort"]["field"] == "row"
    assert all(value["model"] == found.models[value["row"]] for value in values)
    assert all(value["scenario"] == found.scenarios[value["column"]] for value in values)
    assert encoding["href"] == {"field": "href"}
    assert {field["field"] for field in encoding["tooltip"]} >= {"model", "scenario", "loss"}
    assert found.predictors[2] in figure.summary
    assert f"{max(v['loss'] for v in values):.2f}" in figure.summary


def test_without_a_reference_there_is_no_difference(changed_board):
    board = changed_board(manifest=lambda manifest: {**manifest, "reference": None})
    found = heat_losses(board, board.ranking())
    assert found.reference is None
    assert set(colours(found)) == {"loss"}
    values = heat(found, 0, 0, {}).spec["data"]["values"]
    assert all(value["difference"] is None for value in values)


def test_the_page_has_the_best_predictors_losses_as_a_table(board, tmp_path):
    page, addresses = built(board, tmp_path)
    assert page.faults == []
    assert page.foreign_scripts() == []
    ranking = board.ranking(k=0)
    found = heat_losses(board, board.ranking())
    assert f"of {found.predictors[0]} at k = 0" in page.all("caption")[0]["text"]
    assert found.predictors[0] in set(ranking["predictor"])
    shown = {int(e["attrs"]["data-c"]): e for e in page.all("data") if "data-c" in e["attrs"]}
    assert len(shown) == 30
    wanted = table_of(board)
    for c, element in shown.items():
        cell = (found.models[found.row[c]], found.scenarios[found.column[c]])
        loss = wanted[(found.predictors[0], 0, *cell)]
        assert element["text"] == f"{loss:.2f}"
        link = element["parents"][-1]
        assert f"cells/{link['attrs']['href']}" == addresses[cell]
        assert (tmp_path / addresses[cell]).is_file()
    assert all(e["attrs"].get("scope") in ("row", "col") for e in page.all("th"))


def test_the_page_holds_all_losses_for_its_script(board, tmp_path):
    page, _ = built(board, tmp_path)
    data = json.loads(page.all("script", id="heat-data")[0]["text"])
    found = heat_losses(board, board.ranking())
    assert data["predictors"] == list(found.predictors)
    assert data["ks"] == [0, 5]
    np.testing.assert_allclose(np.array(data["loss"]) / 100, found.loss, atol=0.005001)
    options = [e["text"] for e in page.all("option")]
    assert options[: len(found.predictors)] == list(found.predictors)


def test_half_a_million_numbers_are_small():
    rng = np.random.default_rng(0)
    row, column = np.divmod(np.arange(2000), 40)
    losses = Heat(
        models=tuple(f"maker/model-{i}" for i in range(50)),
        scenarios=tuple(f"scenario:subject={i}" for i in range(40)),
        row=row,
        column=column,
        predictors=tuple(f"predictor-{i}" for i in range(30)),
        ks=tuple(range(8)),
        loss=rng.gamma(2.0, 4.0, (30, 8, 2000)),
        n_targets=np.ones((30, 8, 2000), dtype=np.int64),
        reference=0,
        rule="crps",
        unit="pp",
    )
    assert len(packed(losses)) < 2.6e6


def test_cells_without_a_common_loss_are_listed(changed_board, tmp_path):
    def unbounded(targets):
        of = targets["scenario"] == targets["scenario"].iloc[0]
        return targets.assign(upper=targets["upper"].where(~of), binary=targets["binary"] & ~of)

    board = changed_board(targets=unbounded)
    page, addresses = built(board, tmp_path)
    assert len(addresses) == 30
    others = page.all("section", id="others")[0]
    links = [e["attrs"]["href"] for e in page.all("a") if others in e["parents"]]
    assert len(links) == 6
    assert all((tmp_path / "cells" / link).is_file() for link in links)
    assert "6 targets of metrics without known bounds" in page.all("caption")[0]["text"]


def test_hostile_names_are_text(changed_board, tmp_path):
    bad = "</script><script>alert(1)</script>"
    board = changed_board(
        targets=lambda t: t.assign(scenario=t["scenario"].str.replace("subject=", bad))
    )
    page, addresses = built(board, tmp_path)
    assert page.faults == []
    assert page.foreign_scripts() == []
    assert any(bad in e["text"] for e in page.all("th", scope="col"))
    assert all("<" not in path for path in addresses.values())


def test_single_responses_have_a_map_without_links(responses, tmp_path):
    page, addresses = built(responses, tmp_path)
    assert addresses == {}
    assert [p.name for p in (tmp_path / "cells").iterdir()] == ["index.html"]
    shown = [e for e in page.all("data") if "data-c" in e["attrs"]]
    assert len(shown) == 24
    wanted = table_of(responses, "brier")
    values = sorted(float(e["text"]) for e in shown)
    best = heat_losses(responses, responses.ranking()).predictors[0]
    assert values == pytest.approx(sorted(wanted[best, 0]), abs=0.00006)
    assert all(e["parents"][-1]["tag"] == "td" for e in shown)


def test_one_scenario_and_nothing_scored(make_folder, tmp_path):
    results = Results.load(make_folder(scenarios=1))
    assert heat_losses(results, results.ranking()) is None  # its one metric has no bounds
    path = write_index(results, results.ranking(), tmp_path_with_cells(tmp_path), {})
    assert "Nothing is scored." in path.read_text(encoding="utf-8")


def tmp_path_with_cells(folder):
    (folder / "cells").mkdir()
    return folder


def test_the_same_results_give_the_same_bytes(board, board_folder, tmp_path):
    mixed = Results.load(board_folder)
    for name in ("scores", "status", "targets"):
        table = getattr(mixed, name).sample(frac=1, random_state=3)
        mixed.__dict__[name] = table.reset_index(drop=True)
    pages = []
    for results, place in ((board, "a"), (mixed, "b")):
        built(results, tmp_path / place)
        files = sorted((tmp_path / place / "cells").iterdir())
        pages.append([(path.name, path.read_bytes()) for path in files])
    assert pages[0] == pages[1]
