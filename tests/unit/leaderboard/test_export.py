"""The ranking for other people's pages: Markdown, and figures for papers."""

import re

import pytest

from harness.ranking import rank
from leaderboard import vega
from leaderboard.export import headline_markdown, ranking_markdown

drawing = pytest.mark.skipif(not vega.available(), reason="figures are drawn with 'pages'")


def rows(text):
    """The cells of every row of Markdown tables, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[cell.strip() for cell in row] for row in cells]


def test_the_table_has_the_numbers_of_the_ranking(run, folder, results):
    status, out, _ = run("build", folder, "--format", "md", "--k", "5")
    assert status == 0
    ranking = rank(results, k=5)
    shown = ranking[ranking["crps"].notna()]
    table = rows(out)[2:]
    assert len(table) == len(shown)
    for cells, (_, row) in zip(table, shown.iterrows(), strict=True):
        assert len(cells) == 8
        assert cells[2].startswith(f"{row['crps']:.2f} [{row['crps_low']:.2f}, ")
    assert "**k = 5: 84 targets; intervals: 95 %" in out
    assert "k = 0" not in out
    assert "perturbation: does not apply" in out


def test_names_are_text_whatever_they_hold(results):
    ranking = rank(results, k=0)
    name = "a|b_*c*`d`<i>[x](y) \x1b#$~"
    ranking.loc[0, "predictor"] = name
    text = ranking_markdown(ranking, {"note": "<script>", "reference": name})
    assert {len(row) for row in rows(text)} == {8}
    assert "a\\|b\\_\\*c\\*\\`d\\`&lt;i&gt;[x\\](y) \N{REPLACEMENT CHARACTER}" in text
    assert "<" not in text


def test_it_is_written_to_a_file_where_one_is_named(run, folder, tmp_path):
    file = tmp_path / "deep" / "ranking.md"
    status, out, _ = run("build", folder, "--format", "md", "--out", file)
    assert (status, out.strip()) == (0, str(file))
    assert file.read_text(encoding="utf-8") == run("build", folder, "--format", "md")[1]
    status, _, err = run("build", folder, "--format", "md", "--out", tmp_path)
    assert status == 2
    assert "is a folder" in err


def test_several_tasks_are_one_table_or_one_of_them(run, vector, vector_folder):
    status, out, _ = run("build", vector_folder, "--format", "md", "--k", "5")
    assert status == 0
    assert out == headline_markdown(vector, 5)
    table = rows(out)
    assert "Held-out run" in table[0][2]
    assert {len(row) for row in table} == {5}
    status, out, _ = run("build", vector_folder, "--format", "md", "--task", "new-scenario")
    assert status == 0
    assert "**k = 1: " in out
    status, _, err = run("build", vector_folder, "--format", "md", "--k", "0,5")
    assert status == 2
    assert "one k" in err


@drawing
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_figure_is_of_one_task_and_one_k(run, folder, vector_folder, tmp_path, kind):
    file = tmp_path / f"ranking.{kind}"
    status, out, _ = run("build", folder, "--format", kind, "--out", file, "--k", "5")
    assert (status, out.strip()) == (0, str(file))
    assert file.stat().st_size > 5000
    for options, said in (
        ((folder, "--k", "0,5", "--out", file), "one k"),
        ((folder,), "--out ranking."),
        ((vector_folder, "--out", file), "--task (heldout-run, new-model-by-family, new-scenario)"),
    ):
        status, _, err = run("build", *options, "--format", kind)
        assert status == 2
        assert said in err


def test_without_the_extra_a_figure_is_refused_in_one_paragraph(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("leaderboard.vega.available", lambda: False)
    status, out, err = run("build", folder, "--format", "svg", "--out", tmp_path / "a.svg")
    assert (status, out) == (2, "")
    assert 'pip install "benchcast[pages]"' in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "a.svg").exists()


def test_losses_are_shown_by_k(run, folder, vector_folder, results):
    status, out, _ = run("show", folder, "--by", "k")
    assert status == 0
    assert "Mean CRPS pp by k" in out
    table = out[out.index("Mean CRPS pp by k") :]
    assert re.search(r"k = 0 +k = 5", table)
    means = rank(results).set_index(["predictor", "k"])["crps"]
    wanted = [f"{means['hierarchical', k]:.2f}" for k in (0, 5)]
    assert re.search(rf"hierarchical +{wanted[0]} +{wanted[1]}", table)
    status, out, _ = run("show", vector_folder, "--by", "k")
    assert status == 0
    assert out.count("Mean CRPS pp by k") == 3
