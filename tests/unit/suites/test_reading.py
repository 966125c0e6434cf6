"""From sources to a suite."""

import shutil

import pandas as pd
import pytest

import suites
from suites.errors import ReadError, UsageError
from suites.identity import Identity
from suites.reading import read, readers
from suites.selection import Selection


@pytest.fixture(scope="module")
def suite_path(demo):
    return demo.suites()[0].path


def write_table(path, models=("a/m1", "a/m2"), scenarios=("s1", "s2")):
    rows = [
        (m, s, 0.1 * i + 0.3 * j) for i, m in enumerate(models) for j, s in enumerate(scenarios)
    ]
    pd.DataFrame(rows, columns=["model", "scenario", "score"]).to_csv(path, index=False)
    return path


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path / "arena.csv")


def test_readers_are_found_by_their_entry_points():
    assert {"helm", "table"} <= set(readers())


def test_a_source_may_be_named_in_any_way(demo, suite_path):
    runs = demo.suites()[0].runs()
    ways = [
        suite_path,
        str(suite_path),
        f"{suite_path}/",
        demo.suites()[0],
        runs,
        list(runs),
        [str(path) for path in runs.paths],
        f"{suite_path}/*anatomy*",
        f"{suite_path}/*",
        "demo/my-suite",
        (p for p in runs.paths),
    ]
    names = {run.name for run in runs}
    for way in ways:
        found = set(read(way).runs["name"])
        assert found == names or (found < names and "anatomy" in str(way)), way


def test_the_demo_is_read_by_name_and_a_folder_of_that_name_comes_first(
    demo, tmp_path, monkeypatch
):
    assert len(read("demo")) > len(read("demo/my-suite")) == 4
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "t.csv")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "my-suite").mkdir()
    with pytest.raises(UsageError, match="is of no kind that can be read"):
        read("demo/my-suite")


def test_an_unknown_demo_suite_is_refused_with_the_nearest(demo):
    with pytest.raises(UsageError, match="unknown demo suite 'my-suit'; did you mean 'my-suite'"):
        read("demo/my-suit")


def test_sources_of_different_kinds_are_read_together(suite_path, table):
    suite = read(suite_path, table)
    assert suite.runs["kind"].value_counts().to_dict() == {"helm": 4, "table": 4}
    assert suite.runs["run"].is_unique


def test_a_run_that_is_named_twice_is_read_once_and_told(suite_path):
    suite = read(
        suite_path,
        suite_path / "mmlu:subject=anatomy,method=multiple_choice_joint,model=fir_fir-1b",
    )
    assert len(suite) == 4
    assert suite.problems["code"].tolist() == ["duplicate-run"]


def test_a_source_that_is_named_twice_is_read_once(table):
    suite = read(table, table)
    assert len(suite) == 4
    assert set(suite.problems["code"]) == {"duplicate-run"}


def test_runs_of_one_name_from_different_places_are_told_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_table(tmp_path / folder / "arena.csv")
    suite = read(
        tmp_path / "a" / "arena.csv", tmp_path / "b" / "arena.csv", select=Selection(reruns="all")
    )
    assert len(suite) == 8
    assert suite.runs["run"].is_unique
    assert sorted(suite.runs["rerun"]) == [0] * 4 + [1] * 4


def test_copies_of_a_helm_suite_are_told_apart(suite_path, tmp_path):
    copy = tmp_path / "benchmark_output" / "runs" / "my-suite"
    shutil.copytree(suite_path, copy)
    suite = read(suite_path, copy, select=Selection(reruns="all"))
    assert len(suite) == 8
    assert suite.runs["run"].is_unique
    assert len(suite.responses()) == 2 * 24
    assert suite.frame("stats")["run_spec.name"].nunique() == 4


def test_names_of_ones_own_are_given_to_all_sources(suite_path, tmp_path):
    path = tmp_path / "names.yaml"
    path.write_text("models:\n  fir/fir-1b: acme/tree-1b\n")
    for identity in (path, str(path), Identity(models={"fir/fir-1b": "acme/tree-1b"})):
        runs = read(suite_path, identity=identity).runs
        own = runs[runs["model"] == "acme/tree-1b"]
        assert len(own) == 2
        assert set(own["organisation"]) == {"acme"}
        assert "fir/fir-1b" not in set(runs["model"])


def test_a_table_is_explained_by_a_mapping_or_a_file(tmp_path):
    path = tmp_path / "t.csv"
    pd.DataFrame({"who": ["a", "b"], "what": ["s", "s"], "much": [10.0, 20.0]}).to_csv(
        path, index=False
    )
    spec = {"columns": {"model": "who", "scenario": "what", "value": "much"}, "scale": "percent"}
    (tmp_path / "t.yaml").write_text(
        "columns: {model: who, scenario: what, value: much}\nscale: percent\n"
    )
    for way in (spec, tmp_path / "t.yaml", str(tmp_path / "t.yaml")):
        runs = read(path, table=way).runs
        assert runs["model"].tolist() == ["a", "b"]
        assert runs["upper"].tolist() == [100.0, 100.0]


def test_what_cannot_be_read_is_listed_and_the_rest_goes_on(suite_path, tmp_path):
    copy = tmp_path / "benchmark_output" / "runs" / "my-suite"
    shutil.copytree(suite_path, copy)
    broken = next(copy.glob("*anatomy*fir*"))
    (broken / "stats.json").write_text('[{"name": ')
    suite = read(copy)
    assert len(suite) == 3
    assert len(suite.problems) == 1
    problem = suite.problems.iloc[0]
    assert "stats.json" in problem["file"]
    assert problem["message"]
    with pytest.raises(ReadError, match=r"stats\.json"):
        _ = read(copy, strict=True).runs


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{here}/nowhere", "there is nothing at"),
        ("{here}/aren.csv", "did you mean 'arena.csv'"),
        ("{here}/*.parquet", "there is nothing at"),
        ("{here}/notes.md", "is of no kind that can be read"),
        ("{here}/empty", "is of no kind that can be read"),
        ("", "there is nothing at"),
        ("\0", "there is nothing at"),
        ("x" * 5000, "there is nothing at"),
    ],
)
def test_a_source_that_is_none_is_refused(table, source, message):
    here = table.parent
    (here / "notes.md").write_text("x")
    (here / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        read(source.format(here=here))


def test_a_glob_that_meets_what_cannot_be_read_says_which(table):
    (table.parent / "notes.md").write_text("x")
    with pytest.raises(UsageError, match=r"notes\.md"):
        read(f"{table.parent}/*")


@pytest.mark.parametrize("sources", [(), (3,), (None,), ([1],), (object(),)])
def test_what_is_no_source_at_all_is_refused(sources):
    with pytest.raises(UsageError, match=r"nothing to read|cannot read a"):
        read(*sources)


def test_an_empty_list_is_refused():
    with pytest.raises(UsageError, match="nothing to read"):
        read([])


def test_an_unknown_error_policy_is_refused(table):
    with pytest.raises(UsageError, match="unknown error policy 'ignore'"):
        read(table, error_policy="ignore")


@pytest.mark.parametrize("content", ["[1, 2]", "columns: [", "3"])
def test_a_wrong_explanation_of_a_table_is_refused(table, content):
    path = table.parent / "t.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"t\.yaml"):
        read(table, table=path)


def test_reading_is_lazy(suite_path, tmp_path):
    copy = tmp_path / "benchmark_output" / "runs" / "my-suite"
    shutil.copytree(suite_path, copy)
    for name in ("per_instance_stats.json", "scenario_state.json"):
        for file in copy.rglob(name):
            file.write_text("broken")
    assert len(read(copy)) == 4


def test_exported_names_are_those_that_can_be_imported():
    for name in suites.__all__:
        assert getattr(suites, name) is not None
    assert dir(suites) == sorted(suites.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = suites.nothing
