"""The leaderboard command: what it prints, exit statuses, and what it says to mistakes."""

import json
import re
import subprocess
import sys

import pytest

from harness.ranking import rank
from leaderboard.cli import main
from leaderboard.terminal import print_ranking, ranking_document, ranking_lines


def test_show_prints_a_table_for_each_k_and_what_must_be_known_below(run, folder):
    status, out, err = run("show", folder)
    assert (status, err) == (0, "")
    assert "k = 0: 84 targets; intervals: 95 %, clustered by 12 models × 5 scenario groups" in out
    assert "k = 5: 84 targets" in out
    assert "12 targets of metrics without known bounds are left out" in out
    assert "perturbation: does not apply: the task has no perturbed runs." in out
    assert "Note: The models are stand-ins." in out
    assert max(map(len, out.splitlines())) <= 100


def test_show_agrees_with_the_ranking(results):
    ranking = rank(results)
    lines = ranking_lines(ranking, results.manifest)
    for row in ranking[ranking["ranked"]].to_dict("records"):
        number = f"{row['crps']:.2f} [{row['crps_low']:.2f}, {row['crps_high']:.2f}]"
        assert any(number in line for line in lines)


def test_one_k_and_one_metric_can_be_chosen(run, folder):
    status, out, _ = run("show", folder, "--k", "5", "--metric", "exact_match")
    assert status == 0
    assert "k = 5" in out
    assert "k = 0" not in out
    assert "without known bounds" not in out


def test_a_metric_without_bounds_is_shown_in_its_own_unit(run, folder):
    status, out, _ = run("show", folder, "--k", "0", "--metric", "seconds")
    assert status == 0
    assert "no intervals: 12 models × 1 scenario are too few clusters" in out.replace("\n", " ")
    assert " pp" not in out


def test_many_k_are_shown_as_one_overview(run, make_folder):
    many = make_folder(ks=(0, 1, 2, 5, 10, 20, 50, 100))
    status, out, _ = run("show", many)
    assert status == 0
    assert "CRPS pp (rank set) by k" in out
    assert re.findall(r"k = (\d+)\b", out) == ["0", "1", "2", "5", "10", "20", "50", "100"]
    assert max(map(len, out.splitlines())) <= 100


def test_the_unranked_are_shown_with_their_reason(run, make_folder):
    status, out, _ = run("show", make_folder(failing="hierarchical"))
    assert status == 0
    text = " ".join(out.split())
    assert (
        "hierarchical: not ranked: 28 of 192" in text or "hierarchical: not ranked: 24 of" in text
    )
    assert "missing or not valid" in text


def test_json_holds_the_whole_ranking_and_no_nan(run, folder, results):
    status, out, _ = run("show", folder, "--json")
    assert status == 0
    document = json.loads(out)
    ranking = rank(results)
    assert [row["predictor"] for row in document["ranking"]] == ranking["predictor"].tolist()
    assert document["ranking"][0]["crps"] == ranking["crps"].iloc[0]
    assert document["ranking"][-1]["crps"] is None
    assert set(ranking.columns) == set(document["ranking"][0])
    assert (document["reference"], document["rule"], document["k"]) == (
        "scenario-mean",
        "crps",
        [0, 5],
    )
    assert "NaN" not in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--k", "3"), "k = 3 was not evaluated; the nearest is k = 5. Evaluated: k = 0, 5."),
        (("--metric", "exact-match"), "did you mean 'exact_match'?"),
        (("--task", "new-model"), "Known: heldout-run."),
    ],
)
def test_mistakes_are_one_paragraph_and_status_two(run, folder, options, message):
    status, out, err = run("show", folder, *options)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_missing_folder_says_how_to_make_one(run, tmp_path):
    status, _, err = run("show", tmp_path / "nowhere")
    assert status == 2
    assert "nowhere" in err
    assert "harness evaluate" in err


def test_a_folder_or_file_that_is_no_results_says_so(run, tmp_path):
    status, _, err = run("build", tmp_path, "--out", tmp_path / "site")
    assert status == 2
    assert "manifest.json" in err
    file = tmp_path / "results.csv"
    file.write_text("")
    assert run("show", file)[0] == 2


def test_the_page_is_not_written_over_a_file(run, folder, tmp_path):
    file = tmp_path / "site"
    file.write_text("mine")
    status, _, err = run("build", folder, "--out", file)
    assert status == 2
    assert "is a file" in err
    assert file.read_text() == "mine"


def test_debug_shows_the_traceback(folder):
    with pytest.raises(ValueError, match="k = 3"):
        main(["show", str(folder), "--k", "3", "--debug"])


def test_build_prints_where_the_page_is(run, folder, tmp_path):
    site = tmp_path / "deep" / "site"
    status, out, _ = run("build", folder, "--out", site, "--title", "Mine")
    assert (status, out.strip()) == (0, str(site / "index.html"))
    assert {"index.html", "ranking.csv", "ranking.parquet"} <= {p.name for p in site.iterdir()}


def test_pages_need_a_folder_and_show_every_k(run, folder, tmp_path):
    status, out, err = run("build", folder)
    assert (status, out) == (2, "")
    assert "--out SITE" in err
    status, _, err = run("build", folder, "--out", tmp_path / "site", "--k", "0")
    assert status == 2
    assert "--format md, png or svg" in err
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    "argv", [[], ["show"], ["build", "x", "--format", "pdf"], ["show", "x", "--k", "a"]]
)
def test_wrong_arguments_exit_with_two(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    assert "usage: leaderboard" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from leaderboard.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'rich', 'jinja2', 'pyarrow', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "show" in done.stdout


def test_reading_results_imports_no_reader_and_no_predictor(folder, tmp_path):
    code = (
        "import sys\n"
        "from leaderboard.cli import main\n"
        f"assert main(['build', {str(folder)!r}, '--out', {str(tmp_path / 's')!r}]) == 0\n"
        f"assert main(['show', {str(folder)!r}]) == 0\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('predictors', 'hibayes')\n"
        "       or m.startswith(('suites.helm', 'suites.inspect', 'suites.read'))]\n"
        "sys.exit(', '.join(bad) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_control_characters_in_a_name_do_not_reach_the_terminal(results):
    ranking = rank(results, k=0)
    ranking["predictor"] = "evil\x1b[2J‮name"
    lines = ranking_lines(ranking, results.manifest)
    assert not any("\x1b" in line or "‮" in line for line in lines)


def test_markup_in_a_name_is_shown_as_it_is(results):
    ranking = rank(results, k=0)
    ranking.loc[0, "predictor"] = "[red]x[/red]"
    assert any("[red]x[/red]" in line for line in ranking_lines(ranking, results.manifest))


def test_an_empty_ranking_is_said_to_be_empty(results, capsys):
    empty = rank(results).iloc[:0]
    print_ranking(empty, results.manifest)
    assert "Nothing to rank" in capsys.readouterr().out
    assert ranking_document(empty, results.manifest)["ranking"] == []


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("scale", [1.0, 9.0])
def test_no_number_is_cut_off(results, width, scale):
    ranking = rank(results)
    losses = [c for c in ranking if c.startswith(("crps", "difference", "absolute"))]
    ranking[losses] *= scale
    lines = ranking_lines(ranking, results.manifest, width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    assert sum(line.endswith("  0") for line in lines) == ranking["ranked"].sum()


def test_a_k_without_any_target_is_said_and_has_no_table(results):
    class Longer:
        scores, status, targets = results.scores, results.status, results.targets
        manifest = results.manifest | {"k": [0, 5, 500]}

    lines = ranking_lines(rank(Longer, k=500), Longer.manifest)
    assert lines[0] == "k = 500: 0 targets; nothing is ranked"
    assert "scenario-mean: no target can be scored at k = 500." in lines


def test_results_without_a_score_are_shown_and_built(results, tmp_path):
    from leaderboard.page import build

    class Nothing:
        manifest, targets, loo = results.manifest, results.targets, results.loo
        split = results.split
        scores, status = results.scores.iloc[:0], results.status.iloc[:0]

    lines = ranking_lines(rank(Nothing), Nothing.manifest)
    assert "k = 0: 0 targets; nothing is ranked" in lines
    assert "No target can be scored" in build(Nothing, tmp_path).read_text(encoding="utf-8")
