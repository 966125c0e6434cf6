from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suites.errors import UsageError
from suites.helm.demo import cache_dir, unpack_demo
from suites.helm.objects import HelmOutputs


def test_the_cache_is_the_users_unless_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCHCAST_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("BENCHCAST_CACHE")
    assert cache_dir().name == "benchcast"


def test_demo_data_are_unpacked_once(demo):
    before = (demo.root_dir / "runs").stat().st_mtime_ns
    again = HelmOutputs.demo()
    assert again == demo
    assert (again.root_dir / "runs").stat().st_mtime_ns == before
    assert demo.root_dir.parent.name.startswith("helm-demo-")
    assert not list(cache_dir().glob("unpacking-*"))


def _little(data: bytes, folder: Path) -> None:
    """Stand in for the real unpacking."""
    (folder / "benchmark_output" / "runs").mkdir(parents=True)
    (folder / "benchmark_output" / "done").write_text(str(os.getpid()))


WORKER = """
import os, time
from suites.helm import demo

def little(data, folder):
    (folder / "benchmark_output" / "runs").mkdir(parents=True)
    time.sleep(1)
    (folder / "benchmark_output" / "done").write_text(str(os.getpid()))

demo._unpack = little
print(demo.unpack_demo())
"""


def test_processes_that_unpack_at_once_agree(tmp_path):
    root = str(Path(__file__).resolve().parents[3])
    env = {**os.environ, "BENCHCAST_CACHE": str(tmp_path), "PYTHONPATH": root}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True, env=env)
        for _ in range(3)
    ]
    answers = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert (Path(answers[0]) / "benchmark_output" / "done").is_file()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_unpacking_left_is_removed_later(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHCAST_CACHE", str(tmp_path))
    monkeypatch.setattr("suites.helm.demo._unpack", _little)
    old, young = tmp_path / "unpacking-old", tmp_path / "unpacking-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (1, 1))
    unpack_demo()
    assert not old.exists()
    assert young.exists()


def test_a_cache_that_cannot_be_written_is_said_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCHCAST_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(UsageError, match="set BENCHCAST_CACHE to a folder that can be written"):
        unpack_demo()
