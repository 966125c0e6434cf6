from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from readme_blocks import runnable_blocks, script

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("jax", "numpyro", "arviz", "matplotlib", "inspect_ai", "helm", "torch", "pytest")

pytestmark = pytest.mark.install


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Give the python of an environment that holds the wheel and its dependencies alone."""
    folder = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)])
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    uv = Path(sys.executable).parent / "uv"
    if uv.exists():
        _run([str(uv), "pip", "install", "-q", "--python", str(python), str(wheel)])
    else:
        _run([str(python), "-m", "pip", "install", "-q", str(wheel)])
    return python, wheel


def test_the_wheel_alone_runs_the_examples_of_the_readme(installed, tmp_path):
    python, _ = installed
    env = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path / "home"),
        "LANG": "C.UTF-8",
    }
    for command in script(runnable_blocks(ROOT / "README.md"), tmp_path):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "site" / "index.html").is_file()


def test_the_wheel_brings_no_heavy_package(installed):
    python, _ = installed
    code = f"import importlib.util as u; print([n for n in {HEAVY!r} if u.find_spec(n)])"
    assert _run([str(python), "-c", code]).strip() == "[]"


def test_the_import_names_are_ours(installed):
    python, _ = installed
    code = (
        "import harness, predictors, hibayes, suites, leaderboard; "
        "from harness import Predictor, HelmOutputs; print(Predictor.__module__)"
    )
    assert _run([str(python), "-I", "-c", code]).strip() == "harness.predictor"
    assert "no other distribution" in _run([str(python.parent / "harness"), "doctor"])


def test_the_wheel_is_small(installed):
    assert installed[1].stat().st_size < 4_000_000


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
