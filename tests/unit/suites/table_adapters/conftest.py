"""Reading a source; the real files where they are at hand."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from made_results import MODEL, TIME, results, sample, write, write_lines

from suites.problem import Problem
from suites.reader import Figure, ReadOptions, RunDescription
from suites.schema import arrow_schema
from suites.table.reader import TableReader


class Opened:
    """A source that was read, with its problems."""

    def __init__(self, source: Path | str, options: ReadOptions | None = None) -> None:
        assert TableReader.accepts(str(source)) is True
        self.problems: list[Problem] = []
        self.reader = TableReader.open(str(source), options or ReadOptions(), self.problems.append)
        self.runs: dict[str, RunDescription] = {run.run: run for run in self.reader.runs()}

    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems]

    def figure(self, run: str, metric: str | None = None) -> Figure:
        (figure,) = (f for f in self.runs[run].figures if metric in (None, f.metric))
        return figure

    def column(self, run: str, column: str, metric: str | None = None) -> list[Any]:
        wanted = None if metric is None else [metric]
        table = self.reader.responses(self.runs[run], wanted)
        assert table is not None
        assert table.schema == arrow_schema()
        return table.column(column).to_pylist()


@pytest.fixture
def opened():
    return Opened


@pytest.fixture
def lm_eval_folder(tmp_path):
    """Give a folder as lm-eval writes it, with the samples of one task."""
    folder = tmp_path / "out" / MODEL.replace("/", "__")
    write(folder / f"results_{TIME}.json", results())
    rows = [sample(doc, value=value) for doc, value in enumerate([True, False, 1.0, 1])]
    write_lines(folder / f"samples_quiz_a_{TIME}.jsonl", rows)
    return folder


@pytest.fixture(scope="session")
def shared_files(tmp_path_factory):
    """Give the folder of real files, or skip."""
    import zstandard

    root = Path(__file__).resolve().parents[4]
    home = Path(os.environ.get("BENCHCAST_SHARED") or root.parent / "shared")
    archive = home / "data" / "inspect-logs" / "every_eval_ever-tests.tar.zst"
    if not archive.is_file():
        pytest.skip(f"real files are not here: no {archive} (set BENCHCAST_SHARED)")
    folder = tmp_path_factory.mktemp("every_eval_ever")
    with archive.open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(folder, filter="data")
    return folder / "every_eval_ever-tests"
