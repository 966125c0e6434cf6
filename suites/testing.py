"""What every reader must do: checks to run on a reader of your own, in pytest or by hand.

>>> from suites import HelmOutputs, testing
>>> from suites.helm.reader import HelmReader
>>> testing.check_reader(HelmReader, HelmOutputs.demo().suites()[0].path)
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suites.errors import UsageError
from suites.identity import condition_of
from suites.problem import ProblemLog
from suites.reader import FRAMES, Figure, Reader, ReadOptions, RunDescription
from suites.schema import RESPONSE_KEY, RUNS, STATUSES, arrow_schema
from suites.selection import Selection
from suites.suite import Suite

if TYPE_CHECKING:
    import pyarrow as pa

_NO_SOURCES = ("", "\0", "x" * 5000, "no such file", "no such folder/a.json", "nosuch://x")


def check_reader(
    kind: type[Reader], source: str | os.PathLike[str], options: ReadOptions | None = None
) -> None:
    """Check a reader on a source that it can read.

    What is checked: that sources are accepted or not without an error; that two readings are
    equal; that runs have unique ids, an identity and a main metric; that responses follow
    `suites.schema`, have unique keys, and a value where their status says so; that published
    figures follow from the responses or that a problem is reported; that runs are found by
    location and name; that damaged and missing files are problems, not errors.

    Parameters
    ----------
    kind : type
        The reader.
    source : str or path
        A small source that is in order: a file or a folder, which is copied, or a URL.
    options : ReadOptions, optional
        What the reader needs to read it.

    Raises
    ------
    AssertionError
        With what is wrong, and where.
    """
    place, own = os.fspath(source), options or ReadOptions()
    _check_accepting(kind, place)
    reader, problems = _opened(kind, place, own)
    runs = list(reader.runs())
    assert runs, f"{place}: the source has no runs"
    # compared by their texts: a figure without a value (NaN) is no equal of itself
    assert repr(runs) == repr(list(reader.runs())), "runs: a second time they are others"
    again, _ = _opened(kind, place, own)
    assert repr(runs) == repr(list(again.runs())), "open: a second reader describes other runs"
    _check_runs(kind, runs)
    for run in runs:
        with _about(run):
            _check_run(run)
            table = reader.responses(run)
            assert _same(table, again.responses(run)), "responses: a second time they are others"
            if table is not None:
                _check_responses(reader, run, table, problems)
            _check_found(reader, run, table)
            _check_frames(reader, run)
    _check_metadata(reader, runs)
    _check_figures(reader, runs, problems)
    if os.path.exists(place):
        _check_missing_files(kind, Path(place), own)
        _check_damaged_files(kind, Path(place), own)


# ---------- sources


def _check_accepting(kind: type[Reader], place: str) -> None:
    for other in (place, *_NO_SOURCES):
        answer = kind.accepts(other)
        assert isinstance(answer, bool), f"accepts({other[:30]!r}) gives {answer!r}, no bool"
    assert kind.accepts(place), f"accepts: it does not accept {place}"
    for other in _NO_SOURCES[:4]:
        assert not kind.accepts(other), f"accepts: it accepts {other[:30]!r}, which is nothing"
    with tempfile.TemporaryDirectory() as empty:
        assert not kind.accepts(empty), "accepts: it accepts an empty folder"


def _opened(kind: type[Reader], place: str, options: ReadOptions) -> tuple[Reader, ProblemLog]:
    problems = ProblemLog()
    if kind.together:
        return kind.open_together([(place, place)], options, problems.add), problems
    return kind.open(place, options, problems.add), problems


# ---------- descriptions


def _check_runs(kind: type[Reader], runs: list[RunDescription]) -> None:
    ids = [run.run for run in runs]
    assert len(set(ids)) == len(ids), "runs: two have the same id"
    places = [(run.location, run.name) for run in runs]
    assert len(set(places)) == len(places), "runs: two have the same location and name"
    assert {run.kind for run in runs} == {kind.kind}, f"runs: their kind is not {kind.kind!r}"
    cells: dict[tuple[str, ...], list[Any]] = {}
    for run in runs:
        cells.setdefault((run.model, run.scenario, run.condition), []).append(run.order)
    for orders in cells.values():
        sorted(orders)  # reruns of a cell are sorted by it


def _check_run(run: RunDescription) -> None:
    for name in ("run", "name", "source", "location", "model", "scenario", "scenario_group"):
        value = getattr(run, name)
        assert isinstance(value, str), f"{name} is no text: {value!r}"
        assert value, f"{name} is empty"
    for name in ("organisation", "family", "unfinished"):
        assert getattr(run, name) != "", f"{name} is empty; None says that it is not known"
    assert run.condition == condition_of(run.condition_fields), "condition: not that of its fields"
    json.dumps(dict(run.condition_fields))
    assert run.date is None or (isinstance(run.date, dt.datetime) and run.date.tzinfo is None), (
        f"date: {run.date!r} is no time in UTC without zone"
    )
    figures = [(f.metric, f.part, f.perturbation) for f in run.figures]
    assert len(set(figures)) == len(figures), "figures: two have the same metric and part"
    metric, part, why = run.main
    assert (metric, part) in {f[:2] for f in figures}, f"main: there is no figure {run.main[:2]}"
    assert why, "main: it does not say why"
    for figure in run.figures:
        _check_figure(figure)


def _check_figure(figure: Figure) -> None:
    about = f"figure {figure.metric}"
    assert isinstance(figure.value, float), f"{about}: the value {figure.value!r} is no float"
    assert not math.isinf(figure.value), f"{about}: the value is infinite"
    assert figure.n is None or figure.n >= 0, f"{about}: n is {figure.n}"
    if figure.lower is not None and figure.upper is not None:
        assert figure.lower < figure.upper, f"{about}: lower is not below upper"
    if figure.binary:
        assert (figure.lower, figure.upper) == (0, 1), f"{about}: binary, but not from 0 to 1"


# ---------- responses


def _check_responses(
    reader: Reader, run: RunDescription, table: pa.Table, problems: ProblemLog
) -> None:
    import numpy as np
    import pyarrow.compute as pc

    assert table.schema.equals(arrow_schema()), "responses: the columns are not those of the schema"
    for name in ("run", "model", "scenario", "condition"):
        found = set(table.column(name).to_pylist())
        assert found <= {getattr(run, name)}, f"responses: {name} is {found}, not the run's"
    for name in ("instance", "metric"):
        assert not table.column(name).null_count, f"responses: {name} is null"
    keys = list(zip(*(table.column(name).to_pylist() for name in RESPONSE_KEY), strict=True))
    assert len(set(keys)) == len(keys), f"responses: two have the same {', '.join(RESPONSE_KEY)}"

    value = table.column("value").to_numpy(zero_copy_only=False)
    status = np.array(table.column("status").to_pylist(), object)
    assert set(status) <= set(STATUSES), f"responses: a status is none of {STATUSES}"
    there = np.isfinite(value)
    assert not np.isinf(value).any(), "responses: a value is infinite"
    assert there[status == "ok"].all(), "responses: the status is ok, but there is no value"
    none = np.isin(status, ("unscored", "invalidated"))
    assert not there[none].any(), "responses: a value where the status says that there is none"
    weight = table.column("weight").to_numpy(zero_copy_only=False)
    assert (weight[there] > 0).all(), "responses: a weight is not above 0"
    assert (pc.min(table.column("trial")).as_py() or 0) >= 0, "responses: a trial is below 0"
    lower, upper = (table.column(c).to_numpy(zero_copy_only=False) for c in ("lower", "upper"))
    assert not (lower >= upper).any(), "responses: lower is not below upper"
    outside = ((value < lower) | (value > upper)).any()
    told = any(p.code == "out-of-range" for p in problems)
    assert told or not outside, "responses: a value is out of its range, and no problem says so"

    metrics = pc.unique(table.column("metric").cast("string")).to_pylist()
    for metric in metrics[:3]:
        only = reader.responses(run, [metric])
        wanted = table.filter(pc.equal(table.column("metric").cast("string"), metric))
        assert _same(only, wanted), f"responses: those of {metric!r} alone are others"
    none_of_them = reader.responses(run, [])
    assert none_of_them is None or not none_of_them.num_rows, "responses: some for no metric"
    more = reader.detailed(run)
    assert more is not None, "detailed: nothing, where there are responses"
    # instances are hashed only where texts are read
    common = [c for c in table.column_names if c != "instance_hash"]
    assert _same(more.select(common), table.select(common)), "detailed: other responses"
    further = set(more.column_names) - set(table.column_names)
    assert all("." in name for name in further), "detailed: a name does not begin with the kind's"


def _check_found(reader: Reader, run: RunDescription, table: pa.Table | None) -> None:
    """Another source may have a run of the same id, so ids may be changed."""
    renamed = replace(run, run=f"source::{run.run}")
    found = reader.responses(renamed)
    assert (found is None) == (table is None), "responses: a run is found by its id alone"
    if found is not None and table is not None:
        assert found.num_rows == table.num_rows, "responses: a run is found by its id alone"
        if found.num_rows:
            assert set(found.column("run").to_pylist()) == {renamed.run}, "responses: the old id"


def _check_figures(reader: Reader, runs: list[RunDescription], problems: ProblemLog) -> None:
    """Every figure follows from its responses, or a problem says that it does not."""
    select = Selection(metric="*", perturbation="*", reruns="all", unfinished=True)
    suite = Suite([(reader, run) for run in runs], problems, select)
    verified = suite.verify()
    assert verified.columns.tolist() == [c.name for c in RUNS]
    told = set(suite.problems.loc[suite.problems["code"] == "not-recomputed", "run"])
    for row in verified[["run", "metric", "value", "recomputed"]].to_dict("records"):
        value, recomputed = float(row["value"]), float(row["recomputed"])
        near = not abs(recomputed - value) > 1e-6 * max(1.0, abs(value))  # NaN: not recomputed
        assert near or row["run"] in told, (
            f"{row['run']}: {row['metric']} is {value}, from its responses {recomputed}"
        )


# ---------- frames and metadata


def _check_frames(reader: Reader, run: RunDescription) -> None:
    for table in FRAMES:
        frame = reader.frame(run, table)
        if frame is not None:
            assert frame.columns.is_unique, f"frame {table}: two columns have one name"
            assert frame.columns[0] == "run_spec.name", f"frame {table}: no run_spec.name first"
            found = set(frame["run_spec.name"])
            assert found <= {run.name}, f"frame {table}: run_spec.name is {found}, not {run.name}"


def _check_metadata(reader: Reader, runs: list[RunDescription]) -> None:
    for method, key in (("models", "model"), ("scenarios", "scenario")):
        frame = getattr(reader, method)()
        if frame is not None:
            assert key in frame.columns, f"{method}: no column {key}"
            known = {getattr(run, key) for run in runs}
            assert known & set(frame[key]), f"{method}: none of them has a run"


# ---------- files that are not as they should be


def _check_missing_files(kind: type[Reader], place: Path, options: ReadOptions) -> None:
    """Require that a file that goes away after the opening is a problem, and no responses."""
    with _copied(place) as copy:
        if not kind.accepts(str(copy)):
            return
        reader, problems = _opened(kind, str(copy), options)
        runs = list(reader.runs())
        if copy.is_dir():
            shutil.rmtree(copy)
        else:
            copy.unlink()
        for run in runs:
            with _about(run):
                _quietly(partial(_read_all, reader, run), "a missing file")
        there = [reader.responses(run) for run in runs]
        gone = any(table is None or not table.num_rows for table in there)
        had = any(_responses_of(kind, place, options))
        assert not (gone and had) or len(problems), "a missing file: no problem says so"


def _check_damaged_files(kind: type[Reader], place: Path, options: ReadOptions) -> None:
    """Require that files which are cut off, empty or hold something else are problems."""
    damages: list[Callable[[bytes], bytes]] = [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"\0[{\xff",
    ]
    for damage in damages:
        with _copied(place) as copy:
            files = [copy] if copy.is_file() else sorted(p for p in copy.rglob("*") if p.is_file())
            for file in files[::2]:  # with some that are whole beside them
                file.write_bytes(damage(file.read_bytes()))

            def read(copy: Path = copy) -> None:
                if kind.accepts(str(copy)):
                    reader, _ = _opened(kind, str(copy), options)
                    for run in reader.runs():
                        _read_all(reader, run)

            _quietly(read, "a damaged file")


def _read_all(reader: Reader, run: RunDescription) -> None:
    reader.responses(run)
    reader.detailed(run)
    for table in FRAMES:
        reader.frame(run, table)


def _responses_of(kind: type[Reader], place: Path, options: ReadOptions) -> Iterator[bool]:
    reader, _ = _opened(kind, str(place), options)
    for run in reader.runs():
        table = reader.responses(run)
        yield table is not None and table.num_rows > 0


def _quietly(read: Callable[[], None], what: str) -> None:
    try:
        read()
    except UsageError:
        pass  # nothing of the source can be read, and the user can mend that
    except Exception as err:
        raise AssertionError(f"{what} raises {type(err).__name__}: {err}") from err


@contextmanager
def _copied(place: Path) -> Iterator[Path]:
    """Copy a source, with the names of the folders above it, which may say what it is."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, *place.resolve().parts[-3:])
        copy.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, copy)
        else:
            shutil.copy(place, copy)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o600)
        yield copy


# ---------- helpers


@contextmanager
def _about(run: RunDescription) -> Iterator[None]:
    """Say which run a failed check is about."""
    try:
        yield
    except AssertionError as err:
        raise AssertionError(f"run {run.run}: {err}") from err


def _same(one: pa.Table | None, other: pa.Table | None) -> bool:
    """Say whether two tables hold the same, NaN being equal to NaN."""
    if one is None or other is None:
        return one is other
    if one.column_names != other.column_names or one.num_rows != other.num_rows:
        return False
    return bool(one.to_pandas().astype(object).equals(other.to_pandas().astype(object)))


__all__ = ["check_reader"]
