"""Inspect itself is never imported where logs are read, and is asked for by name where it must be.

In a process of its own an importable ``inspect_ai`` lies in the way, so that an import would be
seen even where it is allowed to fail.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from suites.errors import NotInstalled
from suites.inspect.objects import InspectRuns

READ_ALL = """
import sys
import suites

suite = suites.read("demo/inspect")
assert len(suite) and len(suite.responses()) and len(suite.responses(details=True))
suite.verify(), suite.details, suite.problems, suite.models, suite.scenarios
for name in ("run_specs", "scenario_state", "stats", "per_instance_stats"):
    assert len(suite.frame(name)), name
run = suites.InspectRuns("demo/inspect")[0]
run.json.run_spec(), run.log.reductions()
for sample in run.samples():
    sample.prompt, sample.messages, sample.events, sample.completion
seen = sorted(name for name in sys.modules if name.partition(".")[0] == "inspect_ai")
assert not seen, seen
import inspect_ai  # it could have been
"""


def test_reading_logs_imports_no_inspect(tmp_path):
    package = tmp_path / "inspect_ai"
    package.mkdir()
    for name in ("__init__", "log", "analysis", "scorer"):
        (package / f"{name}.py").touch()
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{READ_ALL}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_listing_logs_imports_no_inspect(tmp_path):
    (tmp_path / "inspect_ai.py").write_text("raise SystemExit('inspect_ai was imported')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        "from harness.cli import main; sys.argv[1:] = ['ls', 'demo/inspect', '--json']; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "inspect_ai was imported" not in done.stdout + done.stderr


@pytest.fixture
def no_inspect(monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    monkeypatch.delitem(sys.modules, "inspect_ai.log", raising=False)


def test_inspects_own_log_needs_inspect_and_says_so(no_inspect):
    with pytest.raises(NotInstalled, match=r"benchcast\[inspect\]"):
        _ = InspectRuns("demo/inspect")[0].eval_log


def test_inspects_own_sample_needs_inspect_and_says_so(no_inspect):
    sample = next(InspectRuns("demo/inspect")[0].samples())
    with pytest.raises(NotInstalled, match=r"benchcast\[inspect\]"):
        _ = sample.eval_sample
