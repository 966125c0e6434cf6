"""An evaluation that was ended goes on where it was, and finds the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
import suites
from harness.cli import main
from suites.errors import UsageError

METRICS = {"metrics": {"*": {"lower": 0, "upper": 1, "higher_is_better": True}}}
FILES = ("predictions", "scores", "status", "groups", "calibration", "targets", "split", "loo")
MINE = """
from harness.predictor import RunPrediction, RunPredictor
from pathlib import Path


class Mine(RunPredictor):
    needs = ("runs",)

    def predict(self, train_split, sequestered_test_split):
        with Path(__file__).with_name("calls.txt").open("a") as file:
            file.write("x")
        for target in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=target, normal=({mean}, 0.1 + self.random_state / 2**34))
"""


@pytest.fixture
def place(tmp_path):
    rng = np.random.default_rng(2)
    rows = [
        (f"maker{m % 3}/m{m}", f"s{s}", f"q{q}", float(rng.random() < 0.2 + 0.1 * m))
        for m in range(6)
        for s in range(4)
        for q in range(8)
    ]
    frame = pd.DataFrame(rows, columns=["model", "scenario", "item", "score"])
    frame.to_parquet(tmp_path / "arena.parquet", index=False)
    (tmp_path / "mine.py").write_text(MINE.replace("{mean}", "0.5"))
    return tmp_path


def evaluate(place, out="out", stop_after=None, **options):
    """Evaluate; stop as by the keyboard after some units."""

    def progress(what, done, total):
        if what == "predicting" and done == stop_after:
            raise KeyboardInterrupt

    return harness.evaluate(
        suites.read(place / "arena.parquet", metrics=METRICS),
        [f"{place / 'mine.py'}:Mine", "beta-binomial", "jeffreys"],
        out=place / out,
        progress=progress,
        isolation="none",
        **{"k": [0, 3], "folds": 3, **options},
    )


def calls(place) -> int:
    path = place / "calls.txt"
    number = len(path.read_text()) if path.exists() else 0
    path.unlink(missing_ok=True)
    return number


def assert_same(place, one="whole", other="out"):
    for name in FILES:
        a, b = ((place / folder / f"{name}.parquet").read_bytes() for folder in (one, other))
        assert a == b, name


def hidden(place) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("done", [1, 5, 11])
def test_what_was_done_is_not_done_again(place, done):
    evaluate(place, "whole")
    assert calls(place) == 6
    with pytest.raises(KeyboardInterrupt) as caught:
        evaluate(place, stop_after=done)
    before = calls(place)
    assert f"{done} of 12 predictor × fold are done and kept" in caught.value.__notes__[0]
    assert hidden(place) == [".out.partial"]
    assert not (place / "out").exists()
    evaluate(place)
    assert before + calls(place) == 6
    assert_same(place)
    assert hidden(place) == []
    assert sorted(path.name for path in (place / "out").iterdir()) == sorted(
        path.name for path in (place / "whole").iterdir()
    )


def test_an_evaluation_that_ends_before_a_unit_is_done_leaves_nothing(place):
    with pytest.raises(UsageError, match="unknown predictor"):
        harness.evaluate(place / "arena.parquet", "nobody", out=place / "out")
    assert hidden(place) == []


@pytest.mark.parametrize("change", ["code", "k", "data", "task"])
def test_what_would_be_another_evaluation_begins_anew(place, change):
    with pytest.raises(KeyboardInterrupt):
        evaluate(place, stop_after=11)
    calls(place)
    options = {}
    if change == "code":
        (place / "mine.py").write_text(MINE.replace("{mean}", "0.6"))
    elif change == "k":
        options = {"k": [0, 2]}
    elif change == "task":
        options = {"task": "new-model"}
    else:
        frame = pd.read_parquet(place / "arena.parquet")
        frame.loc[0, "score"] = 1.0 - frame.loc[0, "score"]
        frame.to_parquet(place / "arena.parquet", index=False)
    evaluate(place, **options)
    assert calls(place) == 6
    evaluate(place, "whole", **options)
    assert_same(place)


def test_a_unit_that_was_being_written_is_done_again(place):
    evaluate(place, "whole")
    with pytest.raises(KeyboardInterrupt):
        evaluate(place, stop_after=11)
    units = place / ".out.partial" / "units"
    first = sorted(path for path in units.iterdir() if path.is_dir())[0]
    first.rename(units / f".{first.name}")
    evaluate(place)
    assert_same(place)


def test_two_processes_do_not_write_one_folder(place):
    from harness.output_folder import output_folder

    with (
        output_folder(place / "out", False, kept="units"),
        pytest.raises(UsageError, match=r"another process is writing .*out"),
    ):
        evaluate(place)
    evaluate(place)


def test_results_that_are_there_are_replaced_only_by_whole_ones(place):
    evaluate(place, k=0)
    content = (place / "out" / "scores.parquet").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        evaluate(place, stop_after=7, overwrite=True)
    assert (place / "out" / "scores.parquet").read_bytes() == content
    evaluate(place, overwrite=True)
    evaluate(place, "whole")
    assert_same(place)


def test_the_command_says_what_is_kept(place, monkeypatch, capsys):
    from harness import progress

    real = progress.Bar.__call__

    def call(self, what, done, total):
        real(self, what, done, total)
        if what == "predicting" and done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Bar, "__call__", call)
    command = ["evaluate", str(place / "arena.parquet"), "--predictor", "jeffreys", "--folds", "3"]
    command += ["--out", str(place / "out"), "--isolation", "none"]
    assert main(command) == 130
    assert "2 of 6 predictor × fold are done and kept: the same command goes on" in (
        capsys.readouterr().err
    )


def test_several_tasks_go_on_where_they_were(place):
    suite = suites.read(place / "arena.parquet", metrics=METRICS)
    options = {"k": 0, "folds": 3, "isolation": "none", "tasks": ["heldout-run", "new-model"]}
    predictors = [f"{place / 'mine.py'}:Mine"]
    harness.evaluate_all(suite, predictors, out=place / "whole", **options)
    assert calls(place) == 6

    def progress(what, done, total):
        if what == "new-model: predicting" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harness.evaluate_all(suite, predictors, out=place / "out", progress=progress, **options)
    before = calls(place)
    harness.evaluate_all(suite, predictors, out=place / "out", **options)
    assert before + calls(place) == 6
    for task in ("heldout-run", "new-model"):
        assert_same(place, f"whole/{task}", f"out/{task}")
    assert (place / "out" / "tasks.json").read_text() == (
        place / "whole" / "tasks.json"
    ).read_text()
    assert hidden(place) == []


def killed_and_started_again(place, moments):
    """Kill an evaluation with all its workers, again and again, until it ends by itself."""
    command = [sys.executable, "-m", "harness.cli", "evaluate", str(place / "arena.parquet")]
    command += ["--predictor", f"{place / 'mine.py'}:Mine", "--predictor", "additive-logit"]
    command += ["--folds", "6", "--k", "0,3", "--jobs", "2"]
    subprocess.run([*command, "--out", str(place / "whole")], check=True, capture_output=True)
    for moment in moments:
        started = subprocess.Popen(
            [*command, "--out", str(place / "out"), "--overwrite"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moment)
        if started.poll() is None:
            os.kill(started.pid, signal.SIGKILL)
        started.wait()
    done = subprocess.run(
        [*command, "--out", str(place / "out"), "--overwrite"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert_same(place)
    assert hidden(place) == []
    one, other = (
        json.loads((place / folder / "manifest.json").read_text()) for folder in ("whole", "out")
    )
    assert one["sha256"] == other["sha256"]


def test_a_killed_evaluation_goes_on(place):
    killed_and_started_again(place, [2.0, 2.6])


@pytest.mark.slow
def test_an_evaluation_killed_at_fifty_moments_goes_on(place):
    killed_and_started_again(place, np.random.default_rng(50).uniform(0.3, 5.0, 50))
    assert Path(place / "out").is_dir()
