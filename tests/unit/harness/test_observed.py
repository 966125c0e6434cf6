"""Responses of a run that was only begun."""

import json

import pandas as pd
import pytest

from harness.observed import read_observed
from suites.errors import UsageError

ROWS = pd.DataFrame({"instance": ["q1", "q2", "q3"], "correct": [True, False, True]})


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl"])
def test_every_kind_of_file_gives_the_same(tmp_path, suffix):
    path = tmp_path / f"some.{suffix}"
    if suffix == "parquet":
        ROWS.to_parquet(path)
    elif suffix == "jsonl":
        path.write_text("\n".join(json.dumps(r) for r in ROWS.to_dict("records")) + "\n")
    else:
        ROWS.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    found = read_observed(str(path))
    assert found.rows["value"].tolist() == [1.0, 0.0, 1.0]
    assert found.rows["instance"].tolist() == ["q1", "q2", "q3"]
    assert found.rows["model"].isna().all()


def test_a_count_is_so_many_right_answers():
    assert read_observed(" 7 / 10 ").rows["value"].sum() == 7
    assert len(read_observed("7/10").rows) == 10


def test_a_file_whose_name_looks_like_a_count_is_a_file(tmp_path, monkeypatch):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "10").write_text("value\n1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="suffix"):
        read_observed("7/10")


def test_rows_without_a_value_are_counted_and_left_out(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("item,score\na,1\nb,\nc,0\n")
    found = read_observed(str(path))
    assert (len(found.rows), found.unanswered) == (2, 1)


def test_rows_of_other_runs_are_told_apart(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("model,scenario,value\na,s,1\nb,s,0\na,t,0\n")
    assert read_observed(str(path)).of("a", "s")["value"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "instance\nq1\n", "no column of values"),
        ("a.csv", "value\nyes please\n", "'yes please' in row 1"),
        ("a.csv", "value\n\n", "no response with a value"),
        ("a.csv", "value,correct\n1,1\n", None),
        ("a.csv", "score,correct\n1,1\n", "could each be the value"),
        ("a.jsonl", "{bad\n", "line 1 is no JSON"),
        ("a.jsonl", "[1]\n", "no JSON object"),
        ("a.txt", "value\n1\n", "suffix"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    if message is None:
        assert read_observed(str(path)).rows["value"].tolist() == [1.0]
        return
    with pytest.raises(UsageError, match=message):
        read_observed(str(path))


@pytest.mark.parametrize("text", ["11/10", "0/0", "none.csv", "7:10"])
def test_what_is_neither_a_file_nor_a_count_is_refused(text):
    with pytest.raises(UsageError, match="--observed"):
        read_observed(text)
