"""The commands in a terminal and out of one: nothing hangs, and every end has its exit status."""

import json
import os
import select
import subprocess
import sys
import time

import pytest
import yaml

SCRIPT = """
import sys
from hibayes.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
UNSAMPLED = """
import hibayes.analysis
def fit(model_analysis_state, display=None):
    model_analysis_state.is_fitted = True
hibayes.analysis.fit = fit
"""


@pytest.fixture(params=["null", "closed", "silent"])
def stdin(request):
    """Standard input that is no terminal: ``/dev/null``, at its end, or open and silent."""
    if request.param == "null":
        yield subprocess.DEVNULL
        return
    end, other = os.pipe()
    if request.param == "closed":
        os.close(other)
    yield end
    os.close(end)
    if request.param == "silent":
        os.close(other)


def written(folder, sections):
    """Write a configuration; give its name."""
    (folder / "c.yaml").write_text(yaml.safe_dump(sections))
    return "c.yaml"


def ended(folder, stdin, *arguments, script=SCRIPT):
    """Run a command whose output goes to files; give its exit status and what it said."""
    with (folder / "out.txt").open("w") as out, (folder / "err.txt").open("w") as err:
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            stdin=stdin, stdout=out, stderr=err, timeout=60, cwd=folder,
        )  # fmt: skip
    return done.returncode, (folder / "out.txt").read_text(), (folder / "err.txt").read_text()


class Terminal:
    """A command in a pseudo-terminal; its questions are answered one by one."""

    def __init__(self, folder, *arguments, script=SCRIPT, answers=(), seconds=60):
        pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
        primary, secondary = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=secondary, stdout=secondary, stderr=secondary, cwd=folder,
        )  # fmt: skip
        os.close(secondary)
        self.shown, self._answers, self._primary = "", list(answers), primary
        try:
            self._watch(time.monotonic() + seconds)
            self.code = process.wait(timeout=10)
        finally:
            process.kill()
            os.close(primary)

    def _watch(self, until):
        given = 0
        while time.monotonic() < until:
            if not select.select([self._primary], [], [], 1.0)[0]:
                continue
            try:
                part = os.read(self._primary, 65536)
            except OSError:  # Linux says so when the other end is closed
                return
            if not part:
                return
            self.shown += part.decode(errors="replace")
            if self.shown.count("[y/n]") > given and given < len(self._answers):
                os.write(self._primary, self._answers[given].encode() + b"\n")
                given += 1
        raise AssertionError(f"it hangs: {self.shown[-2000:]}")


def test_without_a_terminal_nothing_hangs(sections, tmp_path, stdin):
    file = written(tmp_path, sections)
    code, out, err = ended(tmp_path, stdin, "load", "--config", file, "--out", "o")
    assert code == 0, err
    assert "Saved to o: 3 rows" in out
    assert "== Loading data" in err


def test_without_a_terminal_a_faulty_configuration_is_exit_status_2(tmp_path):
    file = written(tmp_path, {"data_process": {"processors": ["no_such"]}})
    code, out, err = ended(tmp_path, subprocess.DEVNULL, "load", "--config", file, "--out", "o")
    assert (code, out) == (2, "")
    assert "No registered no_such found with @processor" in err
    assert not (tmp_path / "o").exists()


def test_a_question_that_nobody_can_answer_does_not_end_the_run(sections, tmp_path, stdin):
    check = sections["check"] | {"checkers": ["asks", "is_small"]}
    file = written(tmp_path, sections | {"check": check})
    options = ["full", "--config", file, "--out", "o"]
    code, out, err = ended(tmp_path, stdin, *options, script=UNSAMPLED + SCRIPT)
    assert code == 0, err
    assert "hibayes approve o coin_a/asks" in out
    results = json.loads((tmp_path / "o" / "results.json").read_text())
    assert [check["result"] for check in results["models"][0]["checks"]] == ["NA", "pass"]


def test_in_a_terminal_a_faulty_configuration_is_exit_status_2(tmp_path):
    file = written(tmp_path, {"data_process": {"processors": ["no_such"]}})
    seen = Terminal(tmp_path, "full", "--config", file, "--out", "o")
    assert seen.code == 2
    assert "No registered no_such found with @processor" in seen.shown
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("answer", "result"), [("y", "pass"), ("n", "fail")])
def test_in_a_terminal_the_answer_is_taken(sections, tmp_path, answer, result):
    file = written(tmp_path, sections | {"check": sections["check"] | {"checkers": ["asks"]}})
    seen = Terminal(
        tmp_path, "full", "--config", file, "--out", "o",
        script=UNSAMPLED + SCRIPT, answers=[answer],
    )  # fmt: skip
    assert seen.code == 0, seen.shown
    results = json.loads((tmp_path / "o" / "results.json").read_text())
    (check,) = results["models"][0]["checks"]
    assert (check["result"], check["approval"]) == (result, None)


@pytest.mark.slow
def test_the_default_checks_show_plots_in_a_terminal_and_take_the_answers(tmp_path):
    for needed in ("jax", "numpyro", "arviz", "matplotlib"):
        pytest.importorskip(needed, reason="needs benchcast[bayes,plot]")
    rows = [f"{(i * k) % 3 > 0:d},{g}" for k, g in enumerate("abc", 1) for i in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["score,group", *rows]))
    features = {"categorical_features": ["group"], "continuous_features": ["n_total"]}
    fit = {"samples": 200, "warmup": 200, "chains": 2}
    sections = {
        "data_loader": {"paths": {"extracted_data": ["t.csv"]}},
        "data_process": {
            "processors": [
                {"groupby": {"groupby_columns": ["group"]}},
                {"extract_observed_feature": {"feature_name": "n_correct"}},
                {"extract_features": features},
            ]
        },
        "model": {"models": {"two_level_group_binomial": {"fit": fit}}},
        "communicate": {"communicators": []},
    }
    options = ["full", "--config", written(tmp_path, sections), "--out", "o"]
    seen = Terminal(tmp_path, *options, answers=["y", "n"], seconds=240)
    assert seen.code == 0, seen.shown
    assert "prior predictive" in seen.shown
    results = json.loads((tmp_path / "o" / "results.json").read_text())
    checks = {check["checker"]: check["result"] for check in results["models"][0]["checks"]}
    assert "error" not in checks.values()
    assert checks["prior_predictive_plot"] == "pass"
    assert checks["posterior_predictive_plot"] == "fail"
