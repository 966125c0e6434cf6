"""A predictor added to results that are there, and what failed evaluated again."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import harness
import suites
from harness.cli import main
from harness.jail.probe import available_levels
from harness.mending import evaluate_failed, failed_in
from harness.results import Results
from harness.submitting import submit
from leaderboard.cli import main as leaderboard
from suites.errors import UsageError

OPTIONS = {"k": [0, 3], "folds": 3, "seeds": [0, 1]}

MINE = """
from harness.predictor import RunPrediction, RunPredictor


class Mine(RunPredictor):
    needs = ("runs",)

    def predict(self, train_split, sequestered_test_split):
        for target in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=target, normal=({mean}, 0.2))
"""


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """A table of single responses."""
    rng = np.random.default_rng(0)
    rows = [
        (f"maker{i % 3}/m{i}", f"s{j}", n, int(rng.uniform() < 0.2 + 0.1 * i))
        for i in range(5)
        for j in range(3)
        for n in range(12)
    ]
    path = tmp_path_factory.mktemp("items") / "items.csv"
    frame = pd.DataFrame(rows, columns=["model", "scenario", "instance", "score"])
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def made(items):
    """Results, to be copied."""
    out = items.parent / "made"
    harness.evaluate(str(items), "jeffreys", out=out, isolation="process", **OPTIONS)
    return out


@pytest.fixture
def board(made, tmp_path):
    shutil.copytree(made, tmp_path / "board")
    return tmp_path / "board"


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "code").mkdir()
    path = tmp_path / "code" / "mine.py"
    path.write_text(MINE.replace("{mean}", "0.5"))
    return path


def add(board, spec, **options):
    return submit(
        board, str(spec), **{"isolation": "process", "require_isolation": None, **options}
    )


def plain(frame) -> pd.DataFrame:
    texts = {c: str for c, t in frame.dtypes.items() if t == "category"}
    return frame.astype(texts)


# -- submitting -----------------------------------------------------------------------------------


def test_its_rows_are_those_of_an_evaluation_of_all(board, items, mine):
    (board / "notes.txt").write_text("mine")
    (board / "site").mkdir()
    added = add(board, f"{mine}:Mine", name="Half", author="Ann <a@b>")
    both = harness.evaluate(
        str(items), ["jeffreys", f"{mine}:Mine"], isolation="process", **OPTIONS
    )
    for table in ("targets", "split", "predictions", "scores", "status", "groups"):
        found, wanted = plain(getattr(added, table)), plain(getattr(both, table))
        renamed = (
            wanted.replace({"predictor": {"Mine": "Half"}}) if "predictor" in wanted else wanted
        )
        pd.testing.assert_frame_equal(found, renamed, check_exact=True)
    entry = added.manifest["predictors"][-1]
    assert (entry["name"], entry["author"]) == ("Half", "Ann <a@b>")
    assert entry["submitted"] == pd.Timestamp.now("UTC").date().isoformat()
    assert entry["isolation"] == "process"
    assert "author" not in added.manifest["predictors"][0]
    assert (board / "notes.txt").read_text() == "mine"
    assert (board / "site").is_dir()


def test_several_are_added_one_after_another(board):
    for spec in ("beta-binomial", "global-mean"):
        added = add(board, spec, author=spec)
    names = [entry["name"] for entry in added.manifest["predictors"]]
    assert names == ["scenario-mean", "jeffreys", "beta-binomial", "global-mean"]
    assert [e.get("author") for e in added.manifest["predictors"][2:]] == names[2:]
    assert len(added.manifest["merged"]) == 3
    assert set(added.ranking()["predictor"]) == set(names)


def test_it_is_jailed(board, made):
    level = available_levels()[0]
    if level != "strong":
        pytest.skip("this machine has no level strong")
    added = submit(board, "beta-binomial", require_isolation="strong")
    assert [e["isolation"] for e in added.manifest["predictors"]] == [
        "process",
        "process",
        "strong",
    ]


def test_less_isolation_than_required_is_refused(board):
    with pytest.raises(UsageError, match="isolation medium is required, and process is"):
        submit(board, "beta-binomial", isolation="process")


@pytest.mark.parametrize(
    ("spec", "options", "why"),
    [
        ("jeffreys", {}, "has a predictor jeffreys already"),
        ("beta-binomial", {"name": "jeffreys"}, "has a predictor jeffreys already"),
        ("quick", {}, "one predictor at a time"),
        ("nobody.py:Mine", {}, "nobody.py"),
        ("item-mean", {}, "does not apply to this task: it predicts single responses"),
        ("beta-binomial", {"name": "\x1b[2J"}, "cannot be shown"),
    ],
)
def test_what_cannot_be_added_leaves_the_folder_as_it_is(board, spec, options, why):
    before = {path.name: path.read_bytes() for path in board.iterdir()}
    with pytest.raises(UsageError, match=why):
        add(board, spec, **options)
    assert {path.name: path.read_bytes() for path in board.iterdir()} == before


def test_other_sources_are_refused_and_moved_ones_are_found(board, items, tmp_path):
    content = json.loads((board / "manifest.json").read_text())
    content["made_of"]["origin"]["absolute"] = content["made_of"]["origin"]["given"] = ["/gone.csv"]
    (board / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"/gone\.csv.* If the sources lie elsewhere now"):
        add(board, "beta-binomial")
    moved = tmp_path / items.name
    shutil.copy(items, moved)
    assert len(add(board, "beta-binomial", sources=[moved]).manifest["predictors"]) == 3
    frame = pd.read_csv(moved)
    frame.assign(score=1 - frame["score"]).to_csv(moved, index=False)
    with pytest.raises(UsageError, match="do not give what was expected"):
        add(board, "global-mean", sources=[moved])


def test_results_of_objects_in_memory_are_refused(items, tmp_path):
    suite = suites.read(str(items)).through(lambda reader, run: (reader, run))
    harness.evaluate(suite, "jeffreys", out=tmp_path / "out", isolation="none", **OPTIONS)
    with pytest.raises(UsageError, match="made of objects in memory"):
        add(tmp_path / "out", "beta-binomial")


def test_the_command_adds_a_row_and_shows_it(board, mine, capsys):
    shared = ["--isolation", "process", "--require-isolation", "process"]
    mine.write_text(MINE.replace("{mean}", "float('nan')"))
    assert leaderboard(["submit", str(board), f"{mine}:Mine", "--author", "Ann", *shared]) == 0
    said = capsys.readouterr()
    assert "Mine" in said.out
    assert said.err.startswith("note: Mine: ")
    assert leaderboard(["submit", str(board), f"{mine}:Mine", *shared]) == 2
    assert "has a predictor Mine already" in capsys.readouterr().err


# -- mending --------------------------------------------------------------------------------------


def test_what_failed_is_evaluated_again_and_the_rest_is_kept(items, mine, tmp_path):
    out = tmp_path / "out"
    mine.write_text(MINE.replace("{mean}", "float('nan')"))
    specs = ["jeffreys", f"{mine}:Mine"]
    options = {**OPTIONS, "isolation": "process"}
    broken = harness.evaluate(str(items), specs, out=out, **options)
    assert failed_in(broken) == ["Mine"]
    kept = plain(broken.timings)

    mine.write_text(MINE.replace("{mean}", "0.5"))
    mended = evaluate_failed(str(items), out, **options)
    assert failed_in(mended) == []
    whole = harness.evaluate(str(items), specs, **options)
    for table in ("predictions", "scores", "status", "groups"):
        found, wanted = plain(getattr(mended, table)), plain(getattr(whole, table))
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    names = [entry["name"] for entry in mended.manifest["predictors"]]
    assert names == ["scenario-mean", "jeffreys", "Mine"]
    hashes = [
        {e["name"]: e["code_hash"] for e in r.manifest["predictors"]} for r in (broken, whole)
    ]
    assert hashes[0]["Mine"] != hashes[1]["Mine"]
    assert {e["name"]: e["code_hash"] for e in mended.manifest["predictors"]} == hashes[1]
    now = plain(mended.timings)
    rows = [t[t["predictor"] == "jeffreys"].reset_index(drop=True) for t in (kept, now)]
    pd.testing.assert_frame_equal(*rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code", "out"]


def test_where_nothing_failed_nothing_is_done(board, items):
    before = (board / "manifest.json").stat().st_ino
    kept = evaluate_failed(str(items), board, isolation="process", **OPTIONS)
    assert kept.path == board
    assert (board / "manifest.json").stat().st_ino == before


def test_the_command_mends_and_adds(board, items, mine, capsys):
    shared = ["--k", "0,3", "--folds", "3", "--seeds", "0,1", "--isolation", "process"]
    command = ["evaluate", str(items), *shared, "--out", str(board), "--only-failed"]
    assert main([*command, "--predictor", f"{mine}:Mine", "--predictor", "jeffreys"]) == 0
    assert "Mine" in capsys.readouterr().out
    names = [entry["name"] for entry in Results.load(board).manifest["predictors"]]
    assert names == ["scenario-mean", "jeffreys", "Mine"]
    assert main([*command[:-1], "--task", "all", "--only-failed"]) == 2
    assert "of one task" in capsys.readouterr().err
