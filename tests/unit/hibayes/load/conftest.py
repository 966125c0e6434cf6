"""Logs of the generator, and a display that remembers what it was told."""

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]


class Remembers:
    """Stands for a display: keeps messages and statistics."""

    def __init__(self):
        self.said = []
        self.stats = {}
        self.logger = self

    def info(self, text):
        self.said.append(("info", text))

    def warning(self, text):
        self.said.append(("warning", text))

    def error(self, text):
        self.said.append(("error", text))

    def debug(self, text):
        self.said.append(("debug", text))

    def update_stat(self, name, value):
        self.stats[name] = value

    def add_task(self, name, **more):
        self.task = name

    def update_task(self, name, **more):
        assert name == self.task

    def all(self, level=None):
        return "\n".join(text for at, text in self.said if level in (None, at))


@pytest.fixture
def display():
    return Remembers()


@pytest.fixture(scope="session")
def made_logs(tmp_path_factory):
    """Give a function that makes logs by the shared generator, or skips."""
    home = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared")
    tool = home / "tools" / "make_inspect_logs.py"

    def make(name, *args):
        if not tool.is_file():
            pytest.skip(f"the generator of logs is not here: no {tool} (set BENCHCAST_SHARED)")
        spec = importlib.util.spec_from_file_location("make_inspect_logs", tool)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        out = tmp_path_factory.mktemp(name)
        assert module.main([*args, "--out", str(out)]) == 0
        return out

    return make
