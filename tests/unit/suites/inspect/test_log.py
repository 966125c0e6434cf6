"""Log files: from which part their rows come, and what is no log."""

import json

import pytest
from inspect_logs import DEFLATED, STORED, ZSTANDARD, log, members, sample, summary, write, zipped

from suites.inspect import log as module
from suites.inspect.errors import LogError
from suites.inspect.log import Log, looks_like_log
from suites.inspect.rows import DetailedRow

THREE = [sample(1, "C"), sample("b", "I"), sample(3, "P")]


def values(path, told=None):
    """Give the score of each sample by its key."""
    found = (lambda *problem: told.append(problem)) if told is not None else None
    rows = Log.open(str(path)).rows(found=found)
    assert len({row.key for row in rows}) == len(rows)
    return {row.key: (row.scores or {}).get("match") and row.scores["match"].value for row in rows}


WHOLE = {("1", 1): "C", ("b", 1): "I", ("3", 1): "P"}


# ---------- the ways to the rows


@pytest.mark.parametrize("method", [STORED, DEFLATED, ZSTANDARD])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"samples": False},
        {"summaries": False},
        {"summaries": False, "journal": [THREE[:2], THREE[2:]]},
        {"summaries": False, "samples": False, "journal": [THREE[:2], THREE[2:]]},
        {"journal": [[sample(1, "I")]]},  # what it says was told again by summaries.json
    ],
)
def test_every_part_that_is_whole_gives_the_same_rows(shape, method, tmp_path):
    path = write(tmp_path / "a.eval", log(THREE), method=method, **shape)
    assert values(path) == WHOLE
    assert list(values(path)) == list(WHOLE)  # in the order of the dataset


def test_a_json_log_gives_the_same_rows(tmp_path):
    path = write(tmp_path / "a.json", log(THREE))
    assert values(path) == WHOLE
    told = Log.open(str(path))
    assert (told.zipped, told.header.task) == (False, "sums")


def test_samples_are_not_opened_where_the_summaries_are_whole(tmp_path):
    parts = [(n, b"broken" if n.startswith("samples/") else d) for n, d in members(log(THREE))]
    path = tmp_path / "a.eval"
    path.write_bytes(zipped(parts))
    told = []
    assert values(path, told) == WHOLE
    assert told == []


def test_the_journal_is_read_in_the_order_of_its_numbers(tmp_path):
    batches = [[sample(1, f"version {n}")] for n in range(1, 13)]
    made = log([sample(1, "sample")])
    path = write(tmp_path / "a.eval", made, summaries=False, samples=False, journal=batches)
    assert values(path) == {("1", 1): "version 12"}


def test_an_unfinished_log_is_read_from_its_journal_and_its_samples(tmp_path):
    """Samples are written before their batch of summaries, which a killed process never wrote."""
    made = log(THREE, status="started")
    path = write(tmp_path / "a.eval", made, header=False, summaries=False, journal=[THREE[:1]])
    assert values(path) == WHOLE
    header = Log.open(str(path)).header
    assert (header.status, header.finished, header.scores) == ("started", False, [])


def test_of_a_summary_and_its_sample_the_sample_counts(tmp_path):
    made = log([sample(1, "C"), sample(2, "C"), sample(3, "C")])
    parts = [
        (n, json.dumps([summary(sample(2, "I")), summary(sample(4, "P"))]).encode())
        if n == "summaries.json"
        else (n, d)
        for n, d in members(made)
    ]
    path = tmp_path / "a.eval"
    path.write_bytes(zipped(parts))
    assert values(path) == {("1", 1): "C", ("2", 1): "C", ("3", 1): "C", ("4", 1): "P"}


def test_of_samples_and_summaries_that_come_twice_the_last_counts(tmp_path):
    old, new = sample(1, "I"), sample(1, "C")
    parts = members(log([old]), summaries=False)
    parts.append((f"samples/{new['id']}_epoch_1.json", json.dumps(new).encode()))
    (tmp_path / "members.eval").write_bytes(zipped(parts))
    assert values(tmp_path / "members.eval") == {("1", 1): "C"}
    write(tmp_path / "rows.eval", log([old, sample("1", "C")]), samples=False)
    assert values(tmp_path / "rows.eval") == {("1", 1): "C"}
    write(tmp_path / "rows.json", log([old, new]))
    assert values(tmp_path / "rows.json") == {("1", 1): "C"}


def test_ids_may_hold_what_paths_hold(tmp_path):
    odd = ["a/b", "ü ñ", "../x", "a_epoch_2", "x\ny", "a_epoch_1.json"]
    path = write(tmp_path / "a.eval", log([sample(i, "C") for i in odd]), summaries=False)
    assert values(path) == {(i, 1): "C" for i in odd}


def test_a_broken_summary_is_told_and_the_samples_are_read(tmp_path):
    parts = [(n, d[:-9] if n == "summaries.json" else d) for n, d in members(log(THREE))]
    (tmp_path / "a.eval").write_bytes(zipped(parts))
    told = []
    assert values(tmp_path / "a.eval", told) == WHOLE
    assert [code for code, _, _ in told] == ["bad-json"]


def test_a_broken_sample_is_told_and_the_others_are_read(tmp_path):
    made = members(log(THREE), summaries=False)
    parts = [(n, b"{" if n == "samples/b_epoch_1.json" else d) for n, d in made]
    (tmp_path / "a.eval").write_bytes(zipped(parts))
    told = []
    assert values(tmp_path / "a.eval", told) == {("1", 1): "C", ("3", 1): "P"}
    assert [code for code, _, _ in told] == ["bad-json"]
    assert "samples/b_epoch_1.json" in told[0][1]


def test_what_only_samples_tell_is_read_from_them(tmp_path):
    """Who is invalid is not in the summaries; the header says that someone is."""
    bad = sample(1, "C", invalidation={"reason": "a leak"})
    for flag, found in ((True, {"reason": "a leak"}), (False, None)):
        path = write(tmp_path / f"{flag}.eval", log([bad], invalidated=flag))
        assert Log.open(str(path)).rows()[0].invalidation == found
    path = write(tmp_path / "a.json", log([bad], invalidated=True))
    assert Log.open(str(path)).rows()[0].invalidation == {"reason": "a leak"}


def test_thin_summaries_of_2024_do_not_hide_errors(tmp_path):
    """Before uuids were written, a summary did not say that its sample failed."""
    failed = sample(2, error={"message": "boom", "traceback": "…"})
    parts = []
    for name, data in members(log([sample(1, "C"), failed])):
        content = json.loads(data)
        if name == "summaries.json":
            keep = ("id", "epoch", "input", "target", "scores")
            content = [{k: row[k] for k in keep} for row in content]
        elif name.startswith("samples/"):
            del content["uuid"]
        parts.append((name, json.dumps(content).encode()))
    (tmp_path / "a.eval").write_bytes(zipped(parts))
    rows = Log.open(str(tmp_path / "a.eval")).rows()
    assert [row.error is not None for row in rows] == [False, True]


def test_the_single_score_of_early_2024_is_named_for_its_scorer(tmp_path):
    made = log([sample(1, "C")])
    for each in made["samples"]:
        each["score"] = each.pop("scores")["match"]
    assert values(write(tmp_path / "a.json", made)) == {("1", 1): "C"}
    made["results"]["scores"] = []
    rows = Log.open(str(write(tmp_path / "b.json", made))).rows()
    assert list(rows[0].scores) == ["score"]


def test_a_sample_in_chunks_is_a_sample(tmp_path):
    made = log(THREE)
    parts = members(made, samples=False, summaries=False)
    for each in made["samples"]:
        stem = f"samples/{each['id']}_epoch_{each['epoch']}"
        parts.append((f"{stem}/sample.json", json.dumps(each).encode()))
        parts.append((f"{stem}/messages/0.json", b"[]"))
    # one that was written in both ways is read whole
    parts.append(("samples/3_epoch_1.json", json.dumps(sample(3, "I")).encode()))
    (tmp_path / "a.eval").write_bytes(zipped(parts))
    assert values(tmp_path / "a.eval") == {**WHOLE, ("3", 1): "I"}


def test_a_log_without_samples_has_reduced_scores(tmp_path):
    reduced = [
        {
            "scorer": "match",
            "reducer": "mean",
            "samples": [{"sample_id": 1, "value": 0.5}, {"sample_id": "b", "value": 1.0}],
        },
        {"scorer": "judge", "reducer": None, "samples": [{"sample_id": 1, "value": {"x": 2.0}}]},
        {"no": "scorer"},
    ]
    made = log([], scores=[])
    one = Log.open(str(write(tmp_path / "a.eval", made, reductions=reduced)))
    other = Log.open(str(write(tmp_path / "a.json", {**made, "reductions": reduced})))
    old = {**made, "results": {**made["results"], "sample_reductions": reduced}}
    oldest = Log.open(str(write(tmp_path / "b.json", old)))
    for found in (one, other, oldest):
        assert found.rows() == []
        assert [(r.scorer, r.reducer, r.values) for r in found.reductions()] == [
            ("match", "mean", [("1", 0.5), ("b", 1.0)]),
            ("judge", None, [("1", {"x": 2.0})]),
        ]
    assert Log.open(str(write(tmp_path / "c.eval", made))).reductions() == []


def test_json_logs_that_are_not_plain_are_read(tmp_path):
    made = log([sample(1, float("nan")), sample("b\ud800", float("inf")), sample(3, 0.5)])
    path = tmp_path / "a.json"
    path.write_text("\ufeff" + json.dumps(made), encoding="utf-8")
    found = values(path)
    assert found["1", 1] != found["1", 1]
    assert found["b\ufffd", 1] == float("inf")
    assert found["3", 1] == 0.5


@pytest.mark.parametrize("core", ["NaN", '"\\ud800"', "1"])
def test_nesting_of_any_depth_ends_in_rows_or_in_a_log_error(core, tmp_path):
    for depth in (400, 800, 900, 950, 980, 5000):
        for begin, end in (("[", "]"), ('{"a":', "}")):
            deep = begin * depth + core + end * depth
            text = json.dumps(log([sample(1, "C", metadata={"x": 0}), sample(2, "I")]))
            path = tmp_path / "a.json"
            path.write_text(text.replace('"metadata": {"x": 0}', f'"metadata": {{"x": {deep}}}'))
            for type_ in (None, DetailedRow):
                try:
                    found = Log.open(str(path))
                    rows = found.rows(type_) if type_ else found.rows()
                except LogError as err:
                    assert err.code in ("bad-content", "bad-json")  # noqa: PT017 — or rows
                else:
                    assert [row.id for row in rows] in ([1, 2], [2])


# ---------- what is a log


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.eval", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "lfs-pointer"),
        ("a.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "lfs-pointer"),
        ("a.eval", b"", "empty-file"),
        ("a.eval", b"\x00" * 100, "empty-file"),
        ("a.eval", b"PK\x03\x04 and then nothing", "cut-off"),
        ("a.eval", b"{", "bad-json"),
        ("a.json", b'{"eval": {}, "status": "success"}', "not-a-log"),
        ("a.eval", zipped([("x", b"1")]), "missing-member"),
        ("a.eval", zipped([("header.json", b'{"eval": {}}')]), "not-a-log"),
        ("a.eval", zipped([("header.json", b"[1]")]), "bad-content"),
    ],
)
def test_what_is_no_log_is_refused_by_its_reason(name, content, code, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LogError) as caught:
        Log.open(str(path))
    assert caught.value.code == code
    assert caught.value.location == str(path)


def test_a_log_that_is_not_there_or_is_a_folder_is_refused(tmp_path):
    for path, code in ((tmp_path / "a.eval", "missing-file"), (tmp_path, "bad-file")):
        with pytest.raises(LogError) as caught:
            Log.open(str(path))
        assert caught.value.code == code


def test_the_kind_of_a_file_is_told_by_its_content_not_its_end(tmp_path):
    path = write(tmp_path / "a.json", log(THREE)).rename(tmp_path / "b.eval")
    assert values(path) == WHOLE


def test_a_json_log_above_the_limit_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "a.json", log(THREE))
    monkeypatch.setattr(module, "LARGEST_JSON", 100)
    with pytest.raises(LogError) as caught:
        Log.open(str(path))
    assert (caught.value.code, caught.value.hint[:10]) == ("too-large", "convert it")


def test_which_files_look_like_logs(tmp_path):
    made = json.dumps(log(THREE))
    files = {
        "any name.json": (made, True),
        "2026-01-01T10-00-00+00-00_sums_x.json": (made, True),
        "empty.eval": ("", True),  # to be told of
        "UPPER.EVAL": ("", True),
        "listing.json": (made, False),
        "logs.json": (made, False),
        "other.json": ('{"eval": 5, "status": "x"}', False),
        "list.json": ("[1]", False),
        "log.txt": (made, False),
        "late.json": ('{"x": "' + "y" * 70_000 + '", "eval": {}, "status": "success"}', True),
    }
    for name, (content, is_log) in files.items():
        (tmp_path / name).write_text(content)
        assert looks_like_log(str(tmp_path / name)) is is_log, name
    assert looks_like_log(str(tmp_path / "none.json")) is False
    assert looks_like_log("\0.json") is False


def test_a_log_that_changed_after_it_was_opened_is_read_as_it_is(tmp_path):
    path = write(tmp_path / "a.eval", log(THREE))
    opened = Log.open(str(path))
    write(path, log([sample(1, "I"), sample(2, "I"), sample(4, "I", input="a longer question")]))
    assert {row.key[0] for row in opened.rows()} == {"1", "2", "4"}
