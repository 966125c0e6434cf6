"""Which sources are known, and what becomes of those that cannot be read."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from made_results import MODEL, TIME, answer, record, result, results, sample, write, write_lines

import suites
from suites.errors import ReadError, UsageError
from suites.problem import Problem
from suites.reader import ReadOptions
from suites.table.adapters import adapter_of
from suites.table.adapters.head import HEAD_BYTES, Head
from suites.table.reader import TableReader

LM_EVAL, EEE = "lm-evaluation-harness", "Every Eval Ever"


def adapter(content: Any) -> str | None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    found = adapter_of(Head.parse(data[:HEAD_BYTES]))
    return None if found is None else found.name


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (results(), LM_EVAL),
        (sample(0), LM_EVAL),
        (sample(0, None), LM_EVAL),
        (
            {"results": {f"task{i}": {"acc,none": 0.5} for i in range(9999)}, "versions": {}},
            LM_EVAL,
        ),
        ({"doc_id": 0, "doc": {"text": "x" * 99999}, "resps": []}, LM_EVAL),
        (record(result("a")), EEE),
        (answer("a", 1, 1), EEE),
        (b"\xef\xbb\xbf" + json.dumps(record()).encode(), EEE),
        ({"version": 2, "status": "success", "eval": {}, "results": {}, "versions": {}}, None),
        ({"results": [1, 2], "config": {}}, None),
        ({"results": {"a": {"accuracy": 1}}}, None),
        ([record(result("a"))], None),
        ({"a": record(result("a"))}, None),
        ({}, None),
        (b"", None),
        (b"   ", None),
        (b"model,task,value\n", None),
        (b'"' * 70000, None),
        (b"[" * 70000, None),
        (b'{"a":' * 20000, None),
        (b"\x00\xff\xfe", None),
    ],
)
def test_a_file_is_known_by_its_content(content: Any, expected: str | None) -> None:
    assert adapter(content) == expected


@given(st.binary(max_size=200))
def test_any_bytes_have_a_head(data: bytes) -> None:
    adapter_of(Head.parse(b'{"results": ' + data))


def test_a_files_name_does_not_matter_but_its_kind_does(tmp_path) -> None:
    assert TableReader.accepts(str(write(tmp_path / "notes", results()))) is True
    assert TableReader.accepts(str(write(tmp_path / "a.csv", results()))) is True  # one odd header
    assert TableReader.accepts(str(tmp_path / "none.json")) is False
    assert TableReader.accepts("nowhere://a/b.json") is False
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
        assert TableReader.accepts(str(tmp_path / "pipe.json")) is False


def test_a_folder_is_known_by_its_files(tmp_path) -> None:
    assert TableReader.accepts(str(tmp_path)) is False
    write(tmp_path / "a" / "other.json", {"a": 1})
    write(tmp_path / ".cache" / "results.json", results())
    assert TableReader.accepts(str(tmp_path)) is False
    write(tmp_path / "z" / "results.json", results())
    assert TableReader.accepts(str(tmp_path)) is True
    write(tmp_path / "z" / "run_spec.json", {})
    assert TableReader.accepts(str(tmp_path)) is False


def test_what_else_is_in_a_folder_is_listed(opened, tmp_path) -> None:
    write(tmp_path / "a.json", record(result("maths")))
    write(tmp_path / "b" / f"results_{TIME}.json", results())
    write(tmp_path / "b" / "summary.csv", "model,task,value\nm,t,1\n")
    write(tmp_path / "c" / "config.json", {"a": 1})
    write(tmp_path / "c" / "notes.md", "text")
    write(tmp_path / "c" / "log.json", {"version": 2, "status": "success", "eval": {}})
    read = opened(tmp_path)
    assert {run.scenario for run in read.runs.values()} == {"maths", "quiz_a", "sums"}
    assert [(problem.code, problem.file) for problem in read.problems] == [
        ("unknown-file", "c/config.json"),
        ("other-table", None),
    ]
    assert "b/summary.csv is a table of its own" in read.problems[1].message


@pytest.mark.parametrize(
    ("name", "pack"), [("gz", gzip.compress), ("zst", zstandard.ZstdCompressor().compress)]
)
def test_files_may_be_packed(opened, lm_eval_folder, name: str, pack: Any) -> None:
    for path in list(lm_eval_folder.iterdir()):
        path.with_name(f"{path.name}.{name}").write_bytes(pack(path.read_bytes()))
        path.unlink()
    for source in (lm_eval_folder, next(lm_eval_folder.glob("results*"))):
        read = opened(source)
        assert read.problems == []
        assert len(read.column(f"quiz_a:model={MODEL}", "value")) == 4
    rows = [{**sample(doc), "doc": {"text": os.urandom(50).hex()}} for doc in range(2000)]
    whole = pack("\n".join(map(json.dumps, rows)).encode())
    next(lm_eval_folder.glob("samples*")).write_bytes(whole[:-9000])
    read = opened(lm_eval_folder)
    assert "truncated" in read.codes()
    assert len(read.column(f"quiz_a:model={MODEL}", "value")) > 100
    next(lm_eval_folder.glob("samples*")).write_bytes(whole[:9])
    assert opened(lm_eval_folder).codes() == ["bad-file"]


def test_files_may_be_at_a_url(opened, lm_eval_folder, tmp_path) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for path in lm_eval_folder.iterdir():
        system.pipe(f"/adapters/acme__one-7b/{path.name}", path.read_bytes())
    system.pipe("/adapters/acme__one-7b/other.json", b"{}")
    base = "memory://adapters/acme__one-7b"
    for source in (base, f"{base}/results_{TIME}.json", f"{base}/samples_quiz_a_{TIME}.jsonl"):
        read = opened(source)
        assert read.column(f"quiz_a:model={MODEL}", "value") == [1.0, 0.0, 1.0, 1.0]
        assert {(p.code, p.file) for p in read.problems} <= {("unknown-file", "other.json")}
    suite = suites.read(base)
    assert len(suite) == 2


BROKEN = [
    json.dumps(results())[:-40],
    json.dumps(record(result("maths")))[:-40],
    json.dumps(results())[:-1] + ', "deep": ' + "[" * 100_000 + "]" * 100_000 + "}",
    json.dumps(results()) + json.dumps(results()),
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_listed_and_the_rest_is_read(opened, tmp_path, content: str) -> None:
    broken = write(tmp_path / "broken.json", content)
    read = opened(broken)
    assert (read.codes(), list(read.runs)) == (["bad-json"], [])
    suite = suites.read(str(broken))
    assert (len(suite), len(suite.responses()), suite.models.empty) == (0, 0, True)
    with pytest.raises(ReadError):
        suites.read(str(broken), strict=True)
    write(tmp_path / "fine.json", record(result("maths")))
    read = opened(tmp_path)
    assert (read.codes(), len(read.runs)) == (["bad-json"], 1)
    assert read.problems[0].file == "broken.json"


def test_broken_lines_are_passed_over_and_counted(opened, tmp_path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [answer("maths", i, 1) for i in range(2)])
    good = path.read_bytes().splitlines()
    lines = [
        good[0],
        b"",
        b'{"evaluation_id": ',
        b"\xff\xfe",
        b"[1]",
        b"[" * 100_000,
        good[1].replace(b"1}", b"NaN}", 1),
        good[1].replace(b'"hash-1"', b'"\\ud800"'),
        good[1][:-1] + b', "huge": 1' + b"0" * 5000 + b"}",
        json.dumps(answer("maths", None, 1)).encode(),
        json.dumps(answer("maths", 4, "yes")).encode(),
        good[1][:-3],
    ]
    path.write_bytes(b"\r\n".join(lines))
    read = opened(path)
    said = {problem.code: problem for problem in read.problems}
    assert set(said) == {"bad-json", "bad-content", "missing-name", "bad-value"}
    assert said["bad-json"].offset == 3
    assert said["bad-json"].message.endswith("the line is left out (and 4 more like this)")
    (run,) = read.runs
    assert read.column(run, "instance") == ["0", "1", "1", "4"]


def test_a_line_beyond_all_measure_is_passed_over(opened, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("suites.table.adapters.documents._LARGEST_LINE", 1000)
    monkeypatch.setattr("suites.table.adapters.documents._PIECE", 64)
    path = tmp_path / "a.jsonl"
    rows = [answer("maths", 0, 1), answer("maths", 1, 1, output="x" * 2000), answer("maths", 2, 1)]
    write_lines(path, rows)
    read = opened(path)
    assert [(problem.code, problem.offset) for problem in read.problems] == [("too-large", 2)]
    (run,) = read.runs
    assert read.column(run, "instance") == ["0", "2"]


def test_files_with_nothing_in_them_are_listed(opened, tmp_path) -> None:
    for content in (results(results={}), results(results=None), record(), record(model_info=3)):
        read = opened(write(tmp_path / "a.json", content))
        assert (list(read.runs), len(read.problems)) == ([], 1)
    nothing = results(results={"quiz_a": {"acc,none": "N/A"}})
    read = opened(write(tmp_path / "a.json", nothing))
    assert (list(read.runs), read.codes()) == ([], ["no-value"])
    (tmp_path / "b.json").touch()
    assert TableReader.accepts(str(tmp_path / "b.json")) is False
    with pytest.raises(UsageError, match=r"b\.json"):
        suites.read(str(tmp_path / "b.json"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths(inner, (*at, key))
    elif isinstance(value, list):
        for key, inner in enumerate(value):
            found += paths(inner, (*at, key))
    return found


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    whole = json.loads(json.dumps(value))
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return whole


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"results_{TIME}.json", results()),
        (f"samples_quiz_a_{TIME}.jsonl", sample(0)),
        ("a.json", record(result("maths"), result("law"))),
        ("a_samples.jsonl", answer("maths", 1, 1)),
    ],
)
@settings(max_examples=60)
@given(data=st.data())
def test_whatever_a_member_holds_nothing_breaks(
    tmp_path_factory, name: str, content: Any, data: Any
) -> None:
    folder = tmp_path_factory.mktemp("acme__one")
    path = data.draw(st.sampled_from(paths(content)))
    text = json.dumps(changed(content, path, data.draw(JSON)))
    (folder / name).write_text(text + "\n" + json.dumps(content))
    if name.endswith(".json"):
        (folder / name).write_text(text)
    problems: list[Problem] = []
    if TableReader.accepts(str(folder)):
        reader = TableReader.open(str(folder), ReadOptions(), problems.append)
        runs = list(reader.runs())
        assert runs or problems
        for run in runs:
            reader.responses(run)


def test_the_other_real_files_are_left_to_their_reader(shared_files: Path) -> None:
    logs = sorted((shared_files / "inspect").glob("*.json"))
    assert logs
    assert not any(TableReader.accepts(str(log)) for log in logs)
    assert TableReader.accepts(str(shared_files / "inspect")) is False
    assert TableReader.accepts(str(shared_files)) is True


ROLES = """who,what,item,kind,v,tag,how,low,high,up
m,s,1,acc,1,r1,,0,2,true
m,s,2,acc,0,r1,error,0,2,true
m,s,1,acc,2,r2,odd,0,5,
"""


def test_a_yaml_may_name_runs_status_range_and_direction(tmp_path) -> None:
    path = write(tmp_path / "a.csv", ROLES)
    columns = {
        "model": "who", "scenario": "what", "instance": "item", "metric": "kind", "value": "v",
        "run": "tag", "status": "how", "lower": "low", "upper": "high", "higher_is_better": "up",
    }  # fmt: skip
    problems: list[Problem] = []
    options = ReadOptions(table={"columns": columns})
    reader = TableReader.open(str(path), options, problems.append)
    runs = {run.run: run for run in reader.runs()}
    assert set(runs) == {"r1", "r2"}
    (figure,) = runs["r1"].figures
    assert (figure.value, figure.n, figure.lower, figure.upper) == (1.0, 1, 0.0, 2.0)
    assert figure.higher_is_better is True
    table = reader.responses(runs["r1"])
    assert table is not None
    assert table.column("status").to_pylist() == ["ok", "error"]
    assert sorted(problem.code for problem in problems) == ["bad-status", "contradiction"]
