"""The readers of this package pass the checks that are there for others, and wrong ones do not."""

import dataclasses
import math

import pyarrow as pa
import pytest
from inspect_logs import log, sample, write

from suites import testing
from suites.helm.reader import HelmReader
from suites.inspect.reader import InspectReader
from suites.reader import Figure, ReadOptions
from suites.schema import responses_table
from suites.table.reader import TableReader


@pytest.fixture
def logs(tmp_path):
    """Give a folder of logs of several shapes."""
    folder = tmp_path / "logs"
    plain = [sample(1, "C"), sample(2, "I"), sample(3, math.nan), sample(4, error="boom")]
    epochs = [sample(i, v, e) for i, e, v in ((1, 1, "C"), (1, 2, "I"), (2, 1, "C"))]
    judged = [sample(i, scores={"judge": {"a": i, "b": True}, "steps": [1, 0]}) for i in (1, 2)]
    write(folder / "a.eval", log(plain, id="a"))
    write(folder / "b.eval", log(epochs, id="b", model="openai/b", reducers=["mean", "max"]))
    write(folder / "c.json", log(judged, id="c", task="judged", scores=[]))
    write(folder / "d.eval", log(plain, id="d", model="openai/d", status="error"))
    write(folder / "e.eval", log(plain, id="e"))
    return folder


def test_helm(demo):
    testing.check_reader(HelmReader, demo.suites()[0].path)


@pytest.mark.parametrize("policy", ["as-logged", "exclude", "incorrect"])
def test_inspect(logs, policy):
    testing.check_reader(InspectReader, logs, ReadOptions(error_policy=policy))


def test_one_log(logs):
    testing.check_reader(InspectReader, logs / "b.eval")


def test_a_table_of_values(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("model,scenario,score\na,s,0.5\nb,s,0.25\na,t,0.125\n")
    testing.check_reader(TableReader, path)


def test_a_table_of_responses(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{m},s,{i},{(i + len(m)) % 2}" for m in ("a", "bb") for i in range(5)]
    path.write_text("\n".join(["model,scenario,instance,score", *rows]))
    testing.check_reader(TableReader, path)


# ---------- what a wrong reader is told


class Base(InspectReader):
    """A reader that is right but for what a test changes."""


def change_runs(**changes):
    class Wrong(Base):
        def runs(self):
            for run in super().runs():
                yield dataclasses.replace(run, **changes)

    return Wrong


def change_table(change):
    class Wrong(Base):
        def responses(self, run, metrics=None):
            return change(super().responses(run, metrics))

    return Wrong


def replaced(name, values):
    def change(table):
        columns = {c: table.column(c) for c in table.column_names}
        columns[name] = values(table.column(name).to_pylist())
        return responses_table(columns, table.num_rows)

    return change


class Unstable(Base):
    count = 0

    def runs(self):
        type(self).count += 1
        return (dataclasses.replace(r, name=f"{r.name}{self.count}") for r in super().runs())


class ById(Base):
    def responses(self, run, metrics=None):
        known = {r.run for r in super().runs()}
        return super().responses(run, metrics) if run.run in known else None


class Crashing(Base):
    def responses(self, run, metrics=None):
        open(run.location).close()
        return super().responses(run, metrics)


class Silent(Base):
    def _problem(self, *args, **more):
        pass


class Accepting(Base):
    @classmethod
    def accepts(cls, source):
        return True


class Raising(Base):
    @classmethod
    def accepts(cls, source):
        import os

        return bool(os.listdir(source))


FIGURE = Figure("match", None, None, 0.9, 4, None, 0.0, 1.0, True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Accepting, "which is nothing"),
        (Raising, None),
        (Unstable, "a second time they are others"),
        (change_runs(run="x"), "two have the same id"),
        (change_runs(location="x", name="y"), "the same location and name"),
        (change_runs(kind="helm"), "their kind is not 'inspect'"),
        (change_runs(model=""), "model is empty"),
        (change_runs(condition="0"), "not that of its fields"),
        (change_runs(main=("none", None, "so")), "there is no figure"),
        (change_runs(figures=[FIGURE, FIGURE]), "two have the same metric"),
        (change_runs(figures=[dataclasses.replace(FIGURE, value=math.inf)]), "infinite"),
        (change_runs(figures=[dataclasses.replace(FIGURE, lower=2.0)]), "lower is not below"),
        (change_table(lambda t: t.drop_columns(["weight"])), "not those of the schema"),
        (change_table(lambda t: pa.concat_tables([t, t])), "two have the same run, instance"),
        (change_table(replaced("run", lambda v: ["x"] * len(v))), "run is {'x'}"),
        (change_table(replaced("status", lambda v: ["fine"] * len(v))), "status is none of"),
        (change_table(replaced("status", lambda v: ["ok"] * len(v))), "but there is no value"),
        (change_table(replaced("value", lambda v: [1.0] * len(v))), "says that there is none"),
        (change_table(replaced("value", lambda v: [x and 7.0 for x in v])), "out of its range"),
        (change_table(replaced("weight", lambda v: [0.0] * len(v))), "not above 0"),
        (change_table(replaced("trial", lambda v: [-1 - i for i in range(len(v))])), "below 0"),
        (ById, "found by its id alone"),
        (Crashing, "a missing file raises FileNotFoundError"),
        (Silent, "no problem says so"),
    ],
)
def test_a_wrong_reader_is_told(logs, wrong, message):
    (logs / "c.json").unlink()
    expected = AssertionError if message else OSError
    with pytest.raises(expected, match=message):
        testing.check_reader(wrong, logs)
