"""Paths and URLs: parts of files, folders, lists of sources."""

import json
import logging
import os
import socket
import time

import fsspec
import pandas as pd
import pytest
from inspect_logs import log, sample, write

import suites
from harness.cli import main
from suites.errors import NotInstalled, UsageError
from suites.locations import (
    file_system,
    is_url,
    list_files,
    manifest,
    open_bytes,
    require_reachable,
)
from suites.selection import Selection


@pytest.fixture
def logs(tmp_path):
    """Write a grid of logs, three models on two tasks, with a HELM-like noise of other files."""
    folder = tmp_path / "logs"
    for i, model in enumerate(("openai/a", "openai/b", "mistral/c")):
        for j, task in enumerate(("sums", "words")):
            samples = [sample(n, "C" if n % (2 + i + j) else "I") for n in range(6)]
            made = log(samples, model=model, task=task, id=f"{i}{j}")
            write(folder / f"{task}" / f"{i}.{'json' if i == 2 else 'eval'}", made)
    (folder / "notes.md").write_text("not a log")
    return folder


@pytest.fixture
def memory(logs):
    """Give the URL of the same logs in fsspec's memory."""
    system = fsspec.filesystem("memory")
    system.put(f"{logs}/", "/shelf/logs/", recursive=True)
    yield "memory://shelf/logs"
    system.rm("/shelf", recursive=True)


@pytest.fixture(scope="module")
def server():
    """Run a server of S3 on this machine."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").disabled = True
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "anyone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        fsspec.filesystem("s3").clear_instance_cache()
        yield
        fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


@pytest.fixture
def s3(server, logs):
    """Give the URL of the same logs in a bucket."""
    system = fsspec.filesystem("s3")
    system.mkdir("shelf")
    system.put(f"{logs}/", "shelf/logs/", recursive=True)
    yield "s3://shelf/logs"
    system.rm("shelf", recursive=True)
    system.invalidate_cache()


@pytest.fixture(params=["memory", "s3"])
def url(request):
    return request.getfixturevalue(request.param)


# ---------- files


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("s3://b/x", True), ("memory://x", True), ("https://h/x?y", True), ("x+y://z", True),
     ("logs", False), ("/logs", False), ("C:/logs", False), ("C:\\logs", False), ("a//b", False),
     ("", False), ("://x", False)],
)  # fmt: skip
def test_what_is_a_url(text, is_one):
    assert is_url(text) is is_one


@pytest.mark.parametrize("size", [0, 10, 300_000, 600_000])
def test_parts_of_a_file_are_the_same_near_and_far(tmp_path, size):
    """The end of a remote file is fetched at once; borders must not show."""
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    system = fsspec.filesystem("memory")
    system.pipe("/parts/a", data)
    edges = sorted({0, 1, 5, size // 2, size - 262_144, size - 262_143, size - 1, size, size + 9})
    edges = [e for e in edges if e >= 0]
    with open_bytes(str(tmp_path / "a")) as near, open_bytes("memory://parts/a") as far:
        assert near.size == far.size == size
        for start in edges:
            for stop in edges:
                wanted = data[start:stop] if start < stop else b""
                assert near.read(start, stop) == wanted, (start, stop)
                assert far.read(start, stop) == wanted, (start, stop)
        assert near.read(1 << 63, 1 << 64) == far.read(1 << 63, 1 << 64) == b""
    system.rm("/parts", recursive=True)


def test_what_is_not_there(tmp_path):
    for place in (str(tmp_path / "none"), "memory://none/at/all"):
        with pytest.raises(FileNotFoundError):
            open_bytes(place)
    with pytest.raises(OSError, match="director"):
        open_bytes(str(tmp_path))


def test_files_of_a_folder_are_listed_in_order(tmp_path):
    for name in ("b/2.x", "b/1.x", "a.x", "a.y", ".hidden/c.x", "b/.d.x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "b" / "again").symlink_to(tmp_path)
    found = list_files(str(tmp_path), lambda name: name.endswith(".x"))
    assert [os.path.relpath(f, tmp_path) for f in found] == ["a.x", "b/.d.x", "b/1.x", "b/2.x"]


def test_files_at_a_url_are_listed_in_order(url):
    def listed(more, end=".eval"):
        return [
            u.removeprefix(f"{url}/") for u in list_files(url + more, lambda n: n.endswith(end))
        ]

    two = ["sums/0.eval", "sums/1.eval"]
    assert listed("") == [*two, "words/0.eval", "words/1.eval"]
    assert listed("/sums") == listed("/sums/") == listed("/sums/*") == listed("/s*") == two
    assert listed("/sums/0.eval") == listed("/sums/[0].eval") == listed("/*/0.eval")[:1] == two[:1]
    assert listed("/**/1.eval") == ["sums/1.eval", "words/1.eval"]
    assert listed("/none") == listed("/none*") == []
    assert listed("", ".md") == ["notes.md"]


# ---------- protocols and servers


def test_a_protocol_that_nobody_knows_is_refused():
    for way in (file_system, require_reachable, suites.read):
        with pytest.raises(UsageError, match=r"nosuch://x/y\.eval: Protocol not known: nosuch"):
            way("nosuch://x/y.eval")
    assert main(["ls", "nosuch://x"]) == 2


def test_a_protocol_whose_package_is_missing_is_refused(monkeypatch):
    def missing(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(NotInstalled, match=r"s3:// needs .* \(Install s3fs .*benchcast\[dist\]"):
        suites.read("s3://bucket/logs")


@pytest.mark.parametrize("what", ["logs", "a.eval", "*.eval", "list.txt", "table.csv"])
def test_a_server_that_does_not_answer_is_told_at_once(server, monkeypatch, what):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    fsspec.filesystem("s3").clear_instance_cache()
    start = time.monotonic()
    with pytest.raises(UsageError, match=rf"{port}"):
        suites.read(f"s3://bucket/{what}")
    assert time.monotonic() - start < 5
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.mark.parametrize("what", ["none", "none.eval", "none*.eval", "none/logs"])
def test_nothing_at_a_url_is_told(url, what):
    with pytest.raises(UsageError, match=r"there is nothing there|nothing matches it"):
        suites.read(f"{url}/{what}")


def test_a_bucket_that_is_not_there_is_told(server):
    with pytest.raises(UsageError, match="s3://nosuchbucket"):
        suites.read("s3://nosuchbucket/logs")


def test_a_folder_of_other_files_at_a_url_is_told(memory):
    fsspec.filesystem("memory").pipe("/shelf/other/a.bin", b"x")
    with pytest.raises(UsageError, match="none of the 1 files there can be read"):
        suites.read("memory://shelf/other")


# ---------- logs at a URL


def test_logs_at_a_url_are_read_as_those_of_a_folder(url, logs):
    near, far = suites.read(logs), suites.read(url)
    assert near.runs.drop(columns="source").equals(far.runs.drop(columns="source"))
    assert set(far.runs["source"]) == {url}
    assert near.responses().equals(far.responses())
    assert len(far.problems) == 0
    assert far.details["inspect.file"].str.startswith(url).all()
    assert near.frame("stats").equals(far.frame("stats"))
    state = far.frame("scenario_state")
    assert len(state) == len(far.responses()) == 36


def test_a_file_and_a_glob_at_a_url(url):
    assert len(suites.read(f"{url}/sums/0.eval")) == 1
    assert len(suites.read(f"{url}/sums/2.json")) == 1
    assert len(suites.read(f"{url}/*/0.eval")) == 2
    assert len(suites.read(f"{url}/sums/[01].eval")) == 2
    both = suites.read(f"{url}/sums", f"{url}/sums/0.eval", f"{url}/*/*.eval")
    assert len(both) == 5
    assert len(both.problems) == 0


def test_a_broken_log_at_a_url_is_listed_and_the_rest_goes_on(url):
    system, path = file_system(url)
    system.pipe(f"{path}/cut.eval", b"PK\x03\x04 cut")
    system.pipe(f"{path}/empty.eval", b"")
    suite = suites.read(url, select=Selection(reruns="all"))
    found = dict(zip(suite.problems["file"], suite.problems["code"], strict=True))
    assert found == {f"{url}/cut.eval": "cut-off", f"{url}/empty.eval": "empty-file"}
    assert len(suite) == 6


def test_a_log_that_went_away_from_a_url_is_told(url):
    suite = suites.read(f"{url}/sums")
    system, path = file_system(url)
    system.rm(f"{path}/sums/0.eval")
    assert len(suite.responses()) == 12
    assert suite.problems["code"].tolist() == ["missing-file"]


def test_a_table_at_a_url(memory):
    system = fsspec.filesystem("memory")
    system.pipe("/shelf/t.csv", b"model,scenario,score\na,s,0.5\nb,s,0.25\n")
    suite = suites.read("memory://shelf/t.csv")
    assert suite.runs["kind"].tolist() == ["table"] * 2


def test_the_commands_read_logs_at_a_url(s3, tmp_path, capsys):
    assert main(["ls", s3, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["runs"]) == 6
    out = tmp_path / "out"
    assert main([
        "evaluate", f"{s3}/*/*.eval", f"{s3}/sums/2.json", f"{s3}/words/2.json",
        "--predictor", "sample-mean", "--k", "0,2", "--folds", "2", "--jobs", "1",
        "--out", str(out),
    ]) == 0  # fmt: skip
    capsys.readouterr()
    status = pd.read_parquet(out / "status.parquet")
    status = status[status["k"] == 2]
    assert set(status["status"].astype(str)) == {"ok"}
    assert status["target"].nunique() == 6


# ---------- lists of sources


def test_what_a_list_may_hold(tmp_path, logs):
    path = tmp_path / "list.txt"
    path.write_text(
        "\ufeff# all that was run in May\n"
        "\n"
        "  logs/sums/0.eval   # the first\n"
        "logs/words/*.eval\n"
        f"{logs}/sums/1.eval\r\n"
        "logs/sums/0.eval\n"
        "memory://shelf/a#b.eval\n",
        encoding="utf-8",
    )
    assert manifest(str(path)) == [
        f"{tmp_path}/logs/sums/0.eval",
        f"{tmp_path}/logs/words/*.eval",
        f"{logs}/sums/1.eval",
        "memory://shelf/a#b.eval",
    ]


def test_a_list_is_read_from_any_folder(tmp_path, logs, monkeypatch):
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "list.txt"
    path.write_text("../logs/sums\nlogs/words/0.eval\n")
    monkeypatch.chdir(tmp_path)  # what does not lie beside the list may lie here
    suite = suites.read(path)
    assert len(suite) == 4
    assert set(suite.runs["scenario"]) == {"sums", "words"}


def test_sources_of_all_kinds_in_one_list(tmp_path, logs, demo):
    table = tmp_path / "arena.csv"
    pd.DataFrame({"model": ["x", "y"], "scenario": ["s", "s"], "score": [0.1, 0.2]}).to_csv(
        table, index=False
    )
    suite_path = next(s.path for s in demo.suites() if s.name == "my-suite")
    inner = tmp_path / "more.txt"
    inner.write_text("arena.csv\n")
    path = tmp_path / "list.txt"
    path.write_text(f"{suite_path}\nlogs\nmore.txt\n")
    suite = suites.read(path)
    assert suite.runs["kind"].value_counts().to_dict() == {"inspect": 6, "helm": 4, "table": 2}
    assert len(suite.problems) == 0


def test_a_list_at_a_url(memory):
    system = fsspec.filesystem("memory")
    system.pipe("/shelf/list.txt", b"logs/sums # beside it\nmemory://shelf/logs/words/0.eval\n")
    assert len(suites.read("memory://shelf/list.txt")) == 4


def test_tries_are_told_apart_over_the_entries_of_a_list(tmp_path):
    write(tmp_path / "a.eval", log([sample(1, "I")], id="a", task_id="t", status="error"))
    write(tmp_path / "b.eval", log([sample(1, "C")], id="b", task_id="t"))
    path = tmp_path / "list.txt"
    path.write_text("a.eval\nb.eval\n")
    suite = suites.read(path)
    assert suite.runs["value"].tolist() == [1.0]
    assert suite.problems["code"].tolist() == ["superseded"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names none"),
        ("# nothing\n\n", "names none"),
        ("none.eval\n", r"in the list .*list\.txt: there is nothing at .*none\.eval"),
        ("none*.eval\n", r"in the list .*list\.txt: there is nothing at"),
        ("notes.md\n", r"in the list .*is of no kind"),
        ("nosuch://x\n", r"in the list .*Protocol not known"),
        ("list.txt\n", r"names itself"),
        ("./list.txt\n", r"names itself"),
        ("sub/../list.txt\n", r"names itself"),
        ("other.txt\n", r"names itself"),
        ("link.txt\n", r"names itself"),
        ("*.txt\n", r"names itself"),
    ],
)
def test_a_list_that_cannot_be_followed_is_refused(tmp_path, content, message):
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "other.txt").write_text("list.txt\n")
    (tmp_path / "link.txt").symlink_to(tmp_path / "list.txt")
    path = tmp_path / "list.txt"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        suites.read(path)


def test_a_list_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot read this list"):
        suites.read(tmp_path / "list.txt")
