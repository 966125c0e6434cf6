"""Score tables: small ones made here, and the arena's where it lies beside the repository."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import math
import os
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suites.errors import ReadError, UsageError
from suites.identity import Identity, condition_of
from suites.problem import Problem, ProblemLog
from suites.reader import Figure, ReadOptions, RunDescription
from suites.schema import RESPONSE_KEY, arrow_schema
from suites.table.reader import TableReader

REPOSITORY = Path(__file__).parents[3]
SHARED = Path(os.environ.get("BENCHCAST_SHARED", REPOSITORY.parent / "shared")) / "data"

arena = pytest.mark.skipif(
    not (SHARED / "arena" / "openllm2.parquet").is_file(),
    reason="the arena's tables are not there: set BENCHCAST_SHARED to the folder with data/arena",
)


class Opened:
    """A table that was read, with its problems."""

    def __init__(self, source: Path | str, options: ReadOptions | None = None) -> None:
        self.problems: list[Problem] = []
        self.reader = TableReader.open(str(source), options or ReadOptions(), self.problems.append)
        self.runs = {run.run: run for run in self.reader.runs()}

    def figure(self, run: str) -> Figure:
        (figure,) = self.runs[run].figures
        return figure

    def values(self) -> dict[str, float]:
        return {name: self.figure(name).value for name in self.runs}

    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems]

    def column(self, run: str, column: str, metrics: Iterable[str] | None = None) -> list[Any]:
        table = self.reader.responses(self.runs[run], None if metrics is None else list(metrics))
        assert table is not None
        assert table.schema == arrow_schema()
        return table.column(column).to_pylist()


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """Give what writes a CSV file and reads it, explained by keys of a YAML."""

    def read(text: str, *, name: str = "arena.csv", identity: Any = None, **keys: Any) -> Opened:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        options = ReadOptions(
            identity=identity or Identity(),
            table=keys or None,
            table_path=str(tmp_path / "arena.yaml") if keys else None,
        )
        return Opened(path, options)

    return read


ITEMS = """model,task,item,correct
a/m1,qa,10,1
a/m1,qa,9,0
a/m1,qa,2,1
a__m2,qa,2,0
a__m2,qa,9,0
"""


def test_a_long_table_of_items_gives_runs_and_responses(table: Any) -> None:
    opened = table(ITEMS)
    assert opened.problems == []
    run = opened.runs["qa:model=a/m1"]
    assert (run.model, run.organisation, run.scenario, run.kind) == ("a/m1", "a", "qa", "table")
    assert run.name == run.run
    assert run.main == ("accuracy", None, "the table's only metric")
    assert (run.condition, dict(run.condition_fields)) == (condition_of({}), {})
    figure = opened.figure(run.run)
    assert figure == Figure("accuracy", None, None, 2 / 3, 3, True, 0.0, 1.0, True)
    assert opened.column(run.run, "instance") == ["2", "9", "10"]
    assert opened.column(run.run, "value") == [1.0, 0.0, 1.0]
    assert opened.column(run.run, "trial") == [0, 0, 0]
    assert opened.column(run.run, "weight") == [1.0, 1.0, 1.0]
    assert set(opened.column(run.run, "status")) == {"ok"}
    assert set(opened.column(run.run, "upper")) == {1.0}
    assert opened.column(run.run, "value", metrics=["other"]) == []


def test_organisations_come_from_both_habits_of_writing(table: Any) -> None:
    assert {run.organisation for run in table(ITEMS).runs.values()} == {"a"}


def test_a_scenario_with_arguments_gets_a_comma_in_the_name_of_its_runs(table: Any) -> None:
    opened = table("model,scenario,value\nm,mmlu:subject=law,0.5\n")
    (run,) = opened.runs.values()
    assert (run.run, run.scenario_group) == ("mmlu:subject=law,model=m", "mmlu")


def test_items_that_are_not_all_0_or_1_have_no_range_unless_it_is_stated(table: Any) -> None:
    text = "model,scenario,item,value\nm,s,1,0.5\nm,s,2,1\n"
    figure = table(text).figure("s:model=m")
    assert (figure.metric, figure.value, figure.binary) == ("score", 0.75, False)
    assert (figure.lower, figure.upper) == (None, None)
    stated = table(text, scale="proportion", metric="f1", higher_is_better=True)
    figure = stated.figure("s:model=m")
    assert (figure.metric, figure.lower, figure.upper) == ("f1", 0.0, 1.0)
    assert figure.higher_is_better is True


def test_whether_items_are_0_or_1_is_found_by_scenario_and_metric(table: Any) -> None:
    text = "model,scenario,item,value\nm1,s,1,0\nm2,s,1,3\nm1,t,1,1\n"
    opened = table(text)
    assert opened.figure("s:model=m1").upper is None
    assert opened.figure("t:model=m1").binary is True


def test_weights_and_trials_count_in_a_runs_value(table: Any) -> None:
    text = "model,scenario,item,epoch,weight,value\nm,s,1,1,1,0\nm,s,1,2,3,1\nm,s,2,1,,1\n"
    opened = table(text)
    figure = opened.figure("s:model=m")
    assert figure.value == pytest.approx((0 + 3 + 1) / 5)
    assert (figure.n, figure.binary, figure.upper) == (2, False, 1.0)
    assert opened.column("s:model=m", "trial") == [0, 1, 0]
    assert opened.column("s:model=m", "weight") == [1.0, 3.0, 1.0]
    run = opened.runs["s:model=m"]
    again = opened.reader.recompute(run, figure, opened.reader.responses(run))
    assert again == pytest.approx(figure.value)


def test_a_missing_response_is_unscored_and_never_zero(table: Any) -> None:
    opened = table("model,scenario,item,value\nm,s,1,1\nm,s,2,\nm,s,3,nan\n")
    assert opened.problems == []
    figure = opened.figure("s:model=m")
    assert (figure.value, figure.n, figure.binary) == (1.0, 1, True)
    assert opened.column("s:model=m", "value") == [1.0, None, None]
    assert opened.column("s:model=m", "status") == ["ok", "unscored", "unscored"]


def test_values_that_are_no_numbers_are_listed_with_their_row(table: Any) -> None:
    text = "model,scenario,item,value\nm,s,1,1\nm,s,2,n/a\nm,s,3,inf\nm,s,4,95%\nm,s,5, 0 \n"
    opened = table(text)
    assert [(p.code, p.offset, p.run) for p in opened.problems] == [
        ("bad-value", row, "s:model=m") for row in (2, 3, 4)
    ]
    assert "'n/a'" in opened.problems[0].message
    assert "missing" in opened.problems[0].hint
    assert opened.figure("s:model=m").value == 0.5
    assert opened.column("s:model=m", "status").count("unscored") == 3
    quiet = table(text, missing=["n/a", "inf", "95%"])
    assert quiet.problems == []


def test_a_marker_for_missing_values_can_be_a_number(table: Any) -> None:
    opened = table("model,scenario,value\nm,s,-1\nn,s,2\n", missing=[-1])
    assert opened.values() == {"s:model=n": 2.0}


def test_true_and_false_are_one_and_zero(table: Any) -> None:
    opened = table("model,scenario,item,correct\nm,s,1,True\nm,s,2,False\n")
    assert opened.figure("s:model=m").binary is True
    assert opened.column("s:model=m", "value") == [1.0, 0.0]


def test_many_problems_of_one_kind_are_summarised(table: Any) -> None:
    rows = "".join(f"m,s,{i},bad\n" for i in range(50))
    opened = table(f"model,scenario,item,value\nm,s,x,1\n{rows}")
    assert opened.codes() == ["bad-value"] * 21
    assert opened.problems[-1].message == "30 more rows like these"
    assert [p.offset for p in opened.problems[:2]] == [2, 3]


def test_strict_reading_stops_at_the_first_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("model,scenario,value\nm,s,bad\nm,t,1\n")
    with pytest.raises(ReadError, match="bad-value"):
        TableReader.open(str(path), ReadOptions(), ProblemLog(strict=True).add)


def test_values_outside_stated_bounds_are_left_out_and_listed(table: Any) -> None:
    text = "model,scenario,value\nm1,s,0.5\nm2,s,101\nm3,s,100\n"
    opened = table(text, scale="percent")
    assert opened.values() == {"s:model=m1": 0.5, "s:model=m3": 100.0}
    (problem,) = opened.problems
    assert (problem.code, problem.offset) == ("out-of-bounds", 2)
    assert "101.0 is not in 0..100" in problem.message
    figure = opened.figure("s:model=m1")
    assert (figure.lower, figure.upper) == (0.0, 100.0)


def test_duplicate_responses_are_listed_and_the_first_is_kept(table: Any) -> None:
    opened = table("model,scenario,item,value\nm,s,2,1\nm,s,1,1\nm,s,2,0\n")
    (problem,) = opened.problems
    assert (problem.code, problem.offset, problem.run) == ("duplicate-response", 3, "s:model=m")
    assert "row 1" in problem.message
    assert opened.column("s:model=m", "value") == [1.0, 1.0]


def test_the_keys_of_responses_are_unique(table: Any) -> None:
    opened = table(
        "model,scenario,item,trial,part,perturbation,metric,value\n"
        "m,s,1,0,test,,acc,1\nm,s,1,0,valid,,acc,0\nm,s,1,0,test,typos,acc,0\n"
        "m,s,1,0,test,,f1,0.5\nm,s,1,1,test,,acc,1\n"
    )
    (run,) = opened.runs.values()
    keys = opened.reader.responses(run).select(list(RESPONSE_KEY)).to_pylist()
    assert len({tuple(key.items()) for key in keys}) == len(keys) == 5
    assert opened.codes() == ["instance-renamed"]
    figures = {(f.metric, f.part, f.perturbation): f for f in run.figures}
    typos = '{"name":"typos"}'
    assert set(figures) == {
        ("acc", "test", None),
        ("acc", "valid", None),
        ("acc", "test", typos),
        ("f1", "test", None),
    }
    assert run.main[:2] == ("acc", "test")
    for figure in run.figures:
        again = opened.reader.recompute(run, figure, opened.reader.responses(run))
        assert again == pytest.approx(figure.value)


def test_several_metrics_are_figures_and_the_first_to_appear_is_the_main_one(table: Any) -> None:
    text = "model,scenario,item,metric,value\nm,s,1,f1,0.5\nm,s,1,acc,1\nn,s,1,acc,0\n"
    opened = table(text, bounds={"f1": [0, 1]})
    assert opened.runs["s:model=m"].main == ("f1", None, "the first metric in the table")
    assert opened.runs["s:model=n"].main[0] == "acc"
    f1, acc = opened.runs["s:model=m"].figures
    assert (f1.metric, f1.upper, f1.binary) == ("f1", 1.0, False)
    assert (acc.metric, acc.upper, acc.binary) == ("acc", 1.0, True)
    assert opened.column("s:model=m", "metric") == ["f1", "acc"]
    assert opened.column("s:model=m", "value", ["acc"]) == [1.0]


def test_conditions_are_hashed_and_named_only_where_there_are_several(table: Any) -> None:
    opened = table("model,scenario,setting,value\nm,s,0-shot,1\nm,s,5-shot,2\nn,s,5-shot,3\n")
    assert list(opened.runs) == [
        "s:model=m,condition=0-shot",
        "s:model=m,condition=5-shot",
        "s:model=n",
    ]
    run = opened.runs["s:model=n"]
    assert dict(run.condition_fields) == {"condition": "5-shot"}
    assert run.condition == condition_of({"condition": "5-shot"})


def test_values_of_runs_have_no_responses_and_are_no_counts(table: Any) -> None:
    opened = table("model,scenario,value,n\nm,s,0.5,100\nn,s,0.25,\n")
    run = opened.runs["s:model=m"]
    assert opened.reader.responses(run) is None
    assert opened.figure("s:model=m") == Figure("score", None, None, 0.5, 100)
    assert opened.figure("s:model=n").n is None


def test_a_run_given_twice_without_a_date_is_a_problem(table: Any) -> None:
    opened = table("model,scenario,value\nm,s,1\nm,s,2\n")
    assert opened.values() == {"s:model=m": 1.0}
    (problem,) = opened.problems
    assert (problem.code, problem.offset, problem.run) == ("duplicate-run", 2, "s:model=m")


def test_a_run_given_at_two_dates_was_run_twice(table: Any) -> None:
    opened = table("model,scenario,value,date\nm,s,1,2024-02-01\nm,s,2,2023\nn,s,3,2024-02\n")
    assert opened.problems == []
    runs = list(opened.runs.values())
    names = ["s:model=m,date=2023-01-01", "s:model=m,date=2024-02-01", "s:model=n"]
    assert [run.run for run in runs] == names
    assert runs[0].order < runs[1].order
    assert runs[2].date == dt.datetime(2024, 2, 1)


def test_items_answered_on_different_days_are_one_run(table: Any) -> None:
    text = "model,scenario,item,value,date\nm,s,1,1,2024-02-01\nm,s,2,1,2024-02-02\n"
    opened = table(text)
    (run,) = opened.runs.values()
    assert (run.run, run.date) == ("s:model=m", dt.datetime(2024, 2, 2))
    twice = table(text + "m,s,1,0,2024-02-03\n")
    assert len(twice.runs) == 3


def test_a_bad_date_is_listed(table: Any) -> None:
    opened = table("model,scenario,value,date\nm,s,1,soon\n")
    assert opened.codes() == ["bad-date"]
    assert opened.runs["s:model=m"].date is None


def test_rows_without_a_model_are_left_out_and_listed(table: Any) -> None:
    opened = table("model,scenario,item,value\n,s,1,1\nm,s,,1\nm,s,1,1\n")
    assert opened.codes() == ["missing-name", "missing-name"]
    assert opened.figure("s:model=m").n == 1


def test_a_wide_table_has_models_as_rows(table: Any) -> None:
    opened = table("Unnamed: 0,mmlu,gsm8k\nm1,0.5,\nm2,x,0\n")
    assert opened.values() == {"mmlu:model=m1": 0.5, "gsm8k:model=m2": 0.0}
    (problem,) = opened.problems
    assert (problem.code, problem.offset) == ("bad-value", 2)
    assert problem.message.startswith("column 'mmlu': 'x'")


def test_a_wide_table_may_have_models_as_columns_and_its_own_missing_marker(table: Any) -> None:
    opened = table(
        "Metric,m1,m2\nmmlu,0.5,-\nbpb,1.5,2\n",
        layout="wide",
        columns={"scenario": "Metric"},
        missing=["-"],
        scale="proportion",
        scenarios={"bounded": {"bpb": False}, "higher_is_better": {"bpb": False, "*": True}},
    )
    assert opened.problems == []
    assert opened.values() == {"bpb:model=m1": 1.5, "mmlu:model=m1": 0.5, "bpb:model=m2": 2.0}
    bpb, mmlu = opened.figure("bpb:model=m1"), opened.figure("mmlu:model=m1")
    assert (bpb.upper, bpb.higher_is_better) == (None, False)
    assert (mmlu.upper, mmlu.higher_is_better) == (1.0, True)


def test_a_wide_table_may_have_items_as_rows(table: Any) -> None:
    opened = table(
        "task,item,m1,m2\ns,1,1,0\ns,2,,1\n",
        layout="wide",
        columns={"scenario": "task", "instance": "item"},
    )
    assert opened.values() == {"s:model=m1": 1.0, "s:model=m2": 0.5}
    assert opened.column("s:model=m1", "status") == ["ok", "unscored"]


def test_a_wide_table_may_have_metrics_as_columns(table: Any) -> None:
    opened = table("model,task,f1,em\nm,s,0.5,1\n", layout="wide")
    (run,) = opened.runs.values()
    assert [(f.metric, f.value) for f in run.figures] == [("f1", 0.5), ("em", 1.0)]


def test_identity_renames_without_changing_the_ids_of_runs(table: Any) -> None:
    own = Identity(models={"m1": {"model": "acme/one", "family": "one"}}, scenarios={"s": "S/x"})
    opened = table("model,scenario,value\nm1,s,1\n", identity=own)
    (run,) = opened.runs.values()
    assert (run.run, run.model, run.organisation, run.family) == (
        "s:model=m1",
        "acme/one",
        "acme",
        "one",
    )
    assert (run.scenario, run.scenario_group) == ("S/x", "S")


def test_metadata_files_are_joined_by_name(table: Any, tmp_path: Path) -> None:
    (tmp_path / "models.csv").write_text(
        "id,org,size,released,mean\nm1,acme,7,2024-03,0.5\nm2,,70,,0.6\nm2,x,1,,1\n"
    )
    (tmp_path / "tasks.csv").write_text(
        "task,lo,hi,pct,options,better,grp,mean\ns,,,True,4,true,G,1\nt,,,False,0,false,,2\n"
        "u,1,5,True,x,,,3\n"
    )
    opened = table(
        "model,scenario,value\nm1,s,50\nm2,t,1000\nm2,u,3\nm3,u,9\n",
        scale="percent",
        models={
            "file": "models.csv",
            "name": "id",
            "organisation": "org",
            "date": "released",
            "columns": ["size"],
        },
        scenarios={
            "file": "tasks.csv",
            "lower": "lo",
            "upper": "hi",
            "bounded": "pct",
            "n_options": "options",
            "higher_is_better": "better",
            "group": "grp",
            "columns": ["options"],
        },
    )
    assert opened.codes() == ["duplicate-metadata", "no-metadata", "bad-metadata", "out-of-bounds"]
    runs = opened.runs
    assert (runs["s:model=m1"].organisation, runs["s:model=m1"].scenario_group) == ("acme", "G")
    assert runs["s:model=m1"].date == dt.datetime(2024, 3, 1)
    assert (runs["t:model=m2"].organisation, runs["t:model=m2"].scenario_group) == (None, "t")
    ranges = {name: (opened.figure(name).lower, opened.figure(name).upper) for name in runs}
    assert ranges == {
        "s:model=m1": (0.0, 100.0),
        "t:model=m2": (None, None),
        "u:model=m2": (1.0, 5.0),
    }
    models, scenarios = opened.reader.models(), opened.reader.scenarios()
    assert models is not None
    assert scenarios is not None
    assert list(models.columns) == ["model", "id", "size", "organisation", "date"]
    assert models["size"].tolist() == [7, 70]
    assert models["date"].iloc[0] == dt.datetime(2024, 3, 1)
    assert "mean" not in scenarios.columns
    assert scenarios["scenario"].tolist() == ["s", "t", "u"]
    assert scenarios["scenario_group"].iloc[0] == "G"


def test_names_of_metadata_are_text_even_if_they_look_like_numbers(
    table: Any, tmp_path: Path
) -> None:
    (tmp_path / "m.csv").write_text("model,size\n007,1\n")
    opened = table("model,scenario,value\n007,s,1\n", models="m.csv")
    assert opened.problems == []
    assert opened.reader.models().to_dict("list") == {"model": ["007"], "size": [1]}


def test_metadata_may_be_columns_of_the_table_itself(table: Any) -> None:
    opened = table(
        "Model,Family,Size,a,b\nm2,F,7,1,2\nm1,G,8,3,\nm1,H,8,,4\n",
        layout="wide",
        models={"family": "Family", "columns": ["Size"]},
    )
    assert opened.codes() == ["varying-metadata"]
    assert {run.family for run in opened.runs.values()} == {"F", "m1"}
    assert opened.reader.models().to_dict("list")["Size"] == [8, 7]
    assert {run.scenario for run in opened.runs.values()} == {"a", "b"}


def test_the_number_of_options_is_a_column_of_the_responses(table: Any) -> None:
    opened = table(ITEMS, scenarios={"n_options": {"q*": 4}})
    assert set(opened.column("qa:model=a/m1", "n_options")) == {4.0}


def test_folds_come_from_a_column_or_from_a_file(table: Any, tmp_path: Path) -> None:
    inside = table("model,scenario,value,fold\nm,s,1,0\nn,s,2,2\no,s,3,x\n")
    assert [dict(run.folds) for run in inside.runs.values()] == [{"fold": 0}, {"fold": 2}, {}]
    assert inside.codes() == ["bad-fold"]
    (tmp_path / "folds.csv").write_text("i,s1,s2\n0,1,0\n1,0,1\n")
    keys: dict[str, Any] = {"file": "folds.csv", "on": ["i"], "columns": ["s*"]}
    outside = table("i,model,scenario,value\n0,m,s,1\n1,n,s,2\n2,o,s,3\n", folds=keys)
    assert [dict(run.folds) for run in outside.runs.values()] == [
        {"s1": 1, "s2": 0},
        {"s1": 0, "s2": 1},
        {},
    ]
    assert outside.codes() == ["no-fold"]


def test_a_fold_that_differs_within_a_run_is_no_fold(table: Any) -> None:
    opened = table("model,scenario,item,value,fold\nm,s,1,0,1\nm,s,2,1,0\nn,s,1,1,2\n")
    assert opened.codes() == ["bad-fold"]
    assert [dict(run.folds) for run in opened.runs.values()] == [{}, {"fold": 2}]


def test_folds_of_a_wide_table_are_joined_by_role(table: Any, tmp_path: Path) -> None:
    (tmp_path / "folds.csv").write_text("m,b,k\nm1,x,3\nm1,y,4\n")
    opened = table(
        "llm,x,y\nm1,1,2\n",
        columns={"model": "llm"},
        folds={"file": "folds.csv", "on": {"model": "m", "scenario": "b"}, "columns": {"f": "k"}},
    )
    assert {run.scenario: dict(run.folds) for run in opened.runs.values()} == {
        "x": {"f": 3},
        "y": {"f": 4},
    }


def test_a_yaml_can_be_the_source_and_name_several_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("model,task,score\nm,s,1\n")
    pq.write_table(
        pa.table({"score": [2, 1], "task": ["t", "t"], "model": ["m", "m"]}), tmp_path / "b.parquet"
    )
    (tmp_path / "c.csv").write_text("model,task\nm,s\n")
    (tmp_path / "d.csv").write_bytes(b"")
    path = tmp_path / "all.yaml"
    path.write_text("data: [a.csv, b.parquet, c.csv, d.csv]\nscale: percent\n")
    assert TableReader.accepts(str(path))
    opened = Opened(path)
    assert opened.values() == {"s:model=m": 1.0, "t:model=m": 2.0}
    assert opened.codes() == ["bad-file", "missing-column", "duplicate-run"]
    assert (opened.problems[-1].file, opened.problems[-1].offset) == ("b.parquet", 2)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"models": "none.csv"}, r"models\.file: there is no 'none.csv'"),
        ({"models": {"file": "arena.csv", "name": "modle"}}, r"models\.name: unknown column"),
        ({"scenarios": {"file": "arena.csv", "group": "g"}}, r"scenarios\.group: unknown column"),
        ({"models": {"file": "arena.csv", "columns": ["z*"]}}, r"models\.columns: unknown column"),
        ({"models": {"family": "fam"}}, "unknown column 'fam'"),
        ({"folds": {"file": "none.csv", "on": ["i"], "columns": ["s"]}}, r"folds\.file"),
        ({"folds": {"file": "arena.csv", "on": ["i"], "columns": ["item"]}}, r"folds\.on"),
        ({"folds": {"file": "arena.csv", "on": ["item"], "columns": ["s9"]}}, r"folds\.columns"),
    ],
)
def test_a_yaml_that_names_what_is_not_there_is_refused(
    table: Any, keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        table(ITEMS, **keys)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv", "a.csv", "a.parquet", "a.csv.zst"])
def test_formats_give_the_same_runs(tmp_path: Path, name: str) -> None:
    rows = [line.split(",") for line in ITEMS.splitlines()]
    path = tmp_path / name
    if name.endswith(".parquet"):
        columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
        arrays: dict[str, Any] = {key: pa.array(list(column)) for key, column in columns.items()}
        arrays["correct"] = arrays["correct"].cast(pa.uint8())
        arrays["item"] = arrays["item"].cast(pa.int16())
        arrays["model"] = arrays["model"].cast(pa.large_string())
        arrays["task"] = arrays["task"].dictionary_encode()
        pq.write_table(pa.table(arrays), path, row_group_size=2)
    else:
        text = ITEMS.replace(",", "\t") if name.endswith("tsv") else ITEMS
        with pa.output_stream(str(path)) as stream:
            stream.write(text.encode())
    assert TableReader.accepts(str(path))
    opened = Opened(path)
    assert opened.values() == {"qa:model=a/m1": 2 / 3, "qa:model=a__m2": 0.0}
    assert opened.column("qa:model=a/m1", "instance") == ["2", "9", "10"]


def test_semicolons_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffmodel;task;score\nm;s;1\n".encode())
    assert Opened(path).values() == {"s:model=m": 1.0}


def test_latin_1_is_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("model,task,score\nm,frühling,1\n".encode("latin-1"))
    opened = Opened(path)
    assert opened.codes() == ["wrong-encoding"]
    assert list(opened.runs) == ["frühling:model=m"]


def test_ragged_rows_are_left_out_and_rows_keep_their_numbers(table: Any) -> None:
    opened = table("model,task,score\nm,s,1\nm,s\nm,t,1,2\nn,s,bad\nn,t,4\n")
    assert opened.values() == {"s:model=m": 1.0, "t:model=n": 4.0}
    found = [(problem.code, problem.offset) for problem in opened.problems]
    assert found == [("ragged-row", 2), ("ragged-row", 3), ("bad-value", 4)]


def test_a_column_given_twice_is_read_once(table: Any) -> None:
    opened = table("model,task,score,score\nm,s,1,2\n")
    assert opened.codes() == ["duplicate-column"]
    assert opened.values() == {"s:model=m": 1.0}


def test_a_truncated_file_gives_what_can_be_read(tmp_path: Path) -> None:
    draw = random.Random(1).random
    lines = "".join(f"m{i % 20},s,{i},{draw()}\n" for i in range(300_000))
    packed = gzip.compress(b"model,task,item,score\n" + lines.encode(), compresslevel=1)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    opened = Opened(path)
    assert "truncated" in opened.codes()
    assert len(opened.runs) == 20
    assert 0 < sum(opened.figure(run).n or 0 for run in opened.runs) < 300_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"not Parquet"),
        ("a.parquet", b"PAR1PAR1"),
        ("a.csv", b""),
        ("a.csv", b"\n\n"),
        ("a.csv", b"\x00\x01\x02"),
        ("a.csv", b"model,task,score\n"),
        ("a.csv", b"model,task,score\nm,s\n"),
        ("a.csv", b"model,task,score\nm,s,bad\n"),
        ("a.csv.gz", b"not gzip"),
        ("a.yaml", b"layout: long\n"),
        ("a.yaml", b"data: none.csv\n"),
        ("a.yaml", b"- 1\n"),
        ("a.txt", b"model,task,score\nm,s,1\n"),
        ("a.csv", None),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_a_usage_error(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert isinstance(TableReader.accepts(str(path)), bool)
    with pytest.raises(UsageError, match=name):
        Opened(path)


def test_only_tables_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("model,task,score\nm,s,1\n")
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "other.yaml").write_text("model: x\n")
    (tmp_path / "bad.parquet").write_text("x")
    accepted = [p.name for p in sorted(tmp_path.iterdir()) if TableReader.accepts(str(p))]
    assert accepted == ["a.csv"]
    assert not TableReader.accepts(str(tmp_path))
    assert not TableReader.accepts("no/such/file.csv")


def test_a_broken_row_group_costs_only_its_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    models = [f"model-{i}" for i in range(200)]
    content = pa.table(
        {"model": models, "task": ["s"] * 200, "score": [float(i) for i in range(200)]}
    )
    pq.write_table(content, path, row_group_size=100, compression="gzip", use_dictionary=False)
    start = pq.read_metadata(path).row_group(1).column(2).data_page_offset
    broken = bytearray(path.read_bytes())
    broken[start : start + 100] = b"\xff" * 100
    path.write_bytes(broken)
    opened = Opened(path)
    assert opened.codes() == ["bad-row-group"]
    assert opened.problems[0].offset == 101
    assert len(opened.runs) == 100


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".parquet", ".tsv", ".yaml"])
)
def test_no_content_crashes_the_reader(
    content: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"crafted{suffix}"
    path.write_bytes(b"model,task,score\n" * (suffix == ".csv") + content)
    TableReader.accepts(str(path))
    with contextlib.suppress(UsageError):
        Opened(path)


ROW = st.tuples(
    st.sampled_from(["m1", "m2", "m10"]),
    st.sampled_from(["s", "t:x=1"]),
    st.sampled_from(["1", "2", "10", "q2", "q10"]),
    st.integers(0, 1),
    st.sampled_from(["0", "1", "0.5", "", "bad"]),
    st.sampled_from(["2024-01-01", "2024-01-02", ""]),
    st.sampled_from(["1", "2"]),
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(ROW, min_size=1, max_size=30, unique_by=lambda row: row[:4] + row[5:6]),
    data=st.data(),
)
def test_the_order_of_rows_does_not_matter(
    rows: Sequence[tuple[Any, ...]], data: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shuffled = data.draw(st.permutations(rows))
    seen = []
    for order in (rows, shuffled):
        path = tmp_path_factory.getbasetemp() / "shuffled.csv"
        header = "model,task,item,trial,score,date,weight\n"
        path.write_text(header + "".join(",".join(map(str, row)) + "\n" for row in order))
        try:
            opened = Opened(path)
        except UsageError:
            seen.append(None)
            continue
        runs = [_comparable(run) for run in opened.runs.values()]
        tables = [opened.reader.responses(run).to_pylist() for run in opened.runs.values()]
        seen.append((runs, tables, sorted(opened.codes())))
    assert seen[0] == seen[1]


def _comparable(run: RunDescription) -> tuple[Any, ...]:
    """Give a run's description with values that compare equal when both are missing."""
    figures = [
        (f.metric, None if math.isnan(f.value) else f.value, f.n, f.binary) for f in run.figures
    ]
    return (run.run, run.date, run.condition, run.main, figures)


@pytest.fixture
def arena_yaml(tmp_path: Path) -> Any:
    """Give what reads an example of the documents, beside the arena's tables."""

    def read(name: str) -> Opened:
        for folder in ("arena", "benchpress", "tables"):
            for file in (SHARED / folder).iterdir():
                if file.suffix in (".csv", ".parquet") and not (tmp_path / file.name).exists():
                    (tmp_path / file.name).symlink_to(file)
        source = tmp_path / f"{name}.yaml"
        source.write_bytes((REPOSITORY / "docs" / "tables" / source.name).read_bytes())
        assert TableReader.accepts(str(source))
        return Opened(source)

    return read


def shape(opened: Opened) -> tuple[int, int, int]:
    runs = opened.runs.values()
    return len(runs), len({run.model for run in runs}), len({run.scenario for run in runs})


@arena
@pytest.mark.parametrize("with_yaml", [False, True])
def test_the_main_arena_is_read_with_and_without_its_yaml(arena_yaml: Any, with_yaml: bool) -> None:
    opened = arena_yaml("openllm2") if with_yaml else Opened(SHARED / "arena" / "openllm2.parquet")
    assert opened.problems == []
    assert shape(opened) == (1995, 57, 35)
    assert len({run.organisation for run in opened.runs.values()}) == 27
    sizes = [opened.figure(name).n for name in opened.runs]
    assert (min(sizes), max(sizes), sum(sizes)) == (123, 541, 477_774)
    rows = 0
    for run in opened.runs.values():
        (figure,) = run.figures
        responses = opened.reader.responses(run)
        assert responses.num_rows == figure.n
        assert figure.binary is True
        assert opened.reader.recompute(run, figure, responses) == pytest.approx(figure.value)
        rows += responses.num_rows
    assert rows == 477_774
    run = opened.runs["bbh/boolean_expressions:model=Aryanne__SuperHeart"]
    assert run.scenario_group == "bbh"
    assert opened.column(run.run, "instance") == [str(i) for i in range(250)]
    if with_yaml:
        assert set(opened.column(run.run, "n_options")) == {2.0}
        assert list(opened.reader.scenarios().columns) == ["scenario", "n_items", "n_options"]


@arena
def test_half_a_million_responses_are_read_quickly() -> None:
    for name, runs in (("openllm2", 1995), ("psn12", 132)):
        start = time.process_time()
        opened = Opened(SHARED / "arena" / f"{name}.parquet")
        read = time.process_time()
        for run in opened.runs.values():
            opened.reader.responses(run)
        assert len(opened.runs) == runs
        assert read - start < 3.0
        assert time.process_time() - read < 3.0


@arena
def test_the_other_arenas_have_their_published_shapes(arena_yaml: Any) -> None:
    psn, reduced = arena_yaml("psn12"), arena_yaml("openllm1_reduced")
    assert shape(psn) == (132, 12, 11)
    assert sum(psn.figure(name).n for name in psn.runs) == 502_452
    assert shape(reduced) == (1975, 395, 5)
    assert sum(reduced.figure(name).n for name in reduced.runs) == 273_735
    assert psn.problems == reduced.problems == []


@arena
def test_benchpress_has_unbounded_benchmarks_properties_and_thirty_folds(arena_yaml: Any) -> None:
    opened = arena_yaml("benchpress")
    assert opened.problems == []
    assert shape(opened) == (2604, 84, 133)
    runs = opened.runs.values()
    ranges = {run.scenario: (run.figures[0].lower, run.figures[0].upper) for run in runs}
    unbounded = {name for name, found in ranges.items() if found == (None, None)}
    assert unbounded == {
        "chatbot_arena_elo",
        "codeforces_rating",
        "gdpval_aa_elo",
        "swelancer_freelance_dollars",
        "vending_bench_2",
    }
    assert {found for name, found in ranges.items() if name not in unbounded} == {(0.0, 100.0)}
    folds = [pair for run in runs for pair in run.folds.items()]
    assert {name for name, _ in folds} == {f"seed{i}" for i in range(42, 52)}
    assert len(set(folds)) == 30
    for seed in range(42, 52):
        sizes = sorted(folds.count((f"seed{seed}", fold)) for fold in range(3))
        assert sizes == [843, 843, 918]
    assert len({run.organisation for run in runs}) == 13
    assert len({run.scenario_group for run in runs}) == 95
    dates = [run.date for run in runs if run.date]
    assert (min(dates), max(dates)) == (dt.datetime(2024, 1, 25), dt.datetime(2026, 4, 22))
    assert {"min", "max", "n_obs"}.isdisjoint(opened.reader.scenarios().columns)


@arena
def test_small_public_tables_are_read_with_their_yaml(arena_yaml: Any) -> None:
    helm = arena_yaml("helm_core")
    assert shape(helm) == (2602, 88, 56)
    assert helm.figure("The Pile - BPB:model=davinci (175B)").higher_is_better is False
    base = arena_yaml("obsscaling_base")
    assert shape(base)[1:] == (148, 8)
    assert list(base.reader.models().columns) == [
        "model",
        "Model Size (B)",
        "Pretraining Data Size (T)",
        "FLOPs (1E21)",
        "family",
    ]
    crowd = arena_yaml("cpp_crowdsource")
    assert shape(crowd) == (878, 72, 29)
    assert set(crowd.codes()) == {"no-metadata"}
    aggregate = arena_yaml("openllm2_aggregate")
    assert shape(aggregate) == (729 * 6, 707, 6)
    assert helm.problems == base.problems == []


@arena
@pytest.mark.parametrize(
    "name", ["helm_core.csv", "obsscaling_base.csv", "openllm2_aggregate.parquet"]
)
def test_tables_that_need_a_yaml_say_so(name: str) -> None:
    with pytest.raises(UsageError, match="not clear what the columns hold"):
        Opened(SHARED / "tables" / name)
