"""Processors of rows and columns."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hibayes.process import (
    add_categorical_column,
    drop_rows_with_missing_features,
    groupby,
    map_columns,
    merge_scout_results,
)
from suites.errors import NotInstalled, UsageError

DATA = {
    "score": [1.0, 0.0, 1.0, np.nan],
    "model": ["a", "a", "b", "c"],
    "task": ["x", "x", "y", "y"],
    "metadata_domain": ["p", "p", "q", "q"],
}


# ---------- groupby


def test_groups_are_counted(state, display):
    found = groupby(["model", "task"])(state(DATA), display).processed_data
    assert found.to_dict("list") == {
        "model": ["a", "b"],
        "task": ["x", "y"],
        "n_correct": [1, 1],
        "n_total": [2, 1],
    }
    assert found["n_correct"].dtype == np.int64
    assert "Dropping 1 groups that have no score" in display.all()
    assert "4 rows became 2" in display.all()


def test_scores_that_are_no_counts_are_refused(state):
    with pytest.raises(UsageError, match=r"there are 2 others, from 6 to 10"):
        groupby(["model"])(state({"score": [6, 10, 1], "model": ["a", "a", "b"]}))
    with pytest.raises(UsageError, match="from -1 to -1"):
        groupby(["model"])(state({"score": [-1, 1], "model": ["a", "b"]}))


def test_fractions_are_summed_and_said(state, display):
    found = groupby("model")(state({"score": [0.5, 1.0], "model": ["a", "a"]}), display)
    assert found.processed_data["n_correct"].tolist() == [1.5]
    assert "1 scores lie between 0 and 1" in display.all()


def test_grades_and_truth_values_are_counted(state):
    data = {"score": ["C", "I", None], "model": ["a", "a", "a"]}
    assert groupby(["model"])(state(data)).processed_data["n_total"].tolist() == [2]
    truth = {"score": [True, False], "model": ["a", "a"]}
    assert groupby(["model"])(state(truth)).processed_data["n_correct"].tolist() == [1]


def test_rows_that_miss_their_group_are_refused_or_dropped_when_that_is_said(state, display):
    data = {"score": [1, 0], "model": ["a", None]}
    with pytest.raises(UsageError, match="1 of 2 rows miss one of"):
        groupby(["model"])(state(data))
    found = groupby(["model"], dropna=True)(state(data), display)
    assert found.processed_data["n_total"].tolist() == [1]
    assert "Dropping 1 rows that miss one of ['model']" in display.all()


def test_groups_need_their_columns(state):
    with pytest.raises(ValueError, match=r"must both contain \['model', 'none'\] and score"):
        groupby(["model", "none"])(state(DATA))
    assert "n_total" in groupby(["domain"])(state(DATA)).processed_data
    same = groupby()(state(DATA)).processed_data
    assert same["model"].tolist() == DATA["model"]
    unsorted = groupby(["model"], sort=False)(state({"score": [1, 1], "model": ["b", "a"]}))
    assert unsorted.processed_data["model"].tolist() == ["b", "a"]


# ---------- renaming and dropping


def test_columns_are_renamed_and_slips_said(state, display):
    mapping = {"model": "group", "domain": "subgroup", "taks": "subsubgroup"}
    found = map_columns(mapping)(state(DATA), display).processed_data
    assert {"group", "subgroup", "task"} <= set(found.columns)
    assert "There is no column 'taks' to rename; did you mean 'task'?" in display.all()
    assert map_columns()(state(DATA)).processed_data.columns.tolist() == list(DATA)
    with pytest.raises(UsageError, match="two columns would be named 'task'"):
        map_columns({"model": "task"})(state(DATA))


@pytest.mark.parametrize("name", ["feature_names", "features"])
def test_rows_are_dropped_under_either_name_of_the_argument(state, display, name):
    found = drop_rows_with_missing_features(**{name: ["score", "domain"]})(state(DATA), display)
    assert found.processed_data.index.tolist() == [0, 1, 2]
    assert "1 of 4 rows dropped (score: 1)" in display.all()
    assert len(found.data) == 4


def test_dropping_names_what_is_not_there(state):
    with pytest.raises(ValueError, match=r"missing required columns: \['none'\]"):
        drop_rows_with_missing_features(["none"])(state(DATA))
    with pytest.raises(UsageError, match="one argument"):
        drop_rows_with_missing_features(["model"], ["task"])
    assert len(drop_rows_with_missing_features()(state(DATA)).processed_data) == 4


# ---------- categories by patterns


def test_categories_are_made_by_patterns(state, display):
    data = {"grader": ["Human X", "LLM A", "other", None]}
    rules = {"human": "person", "llm": "model"}
    found = add_categorical_column("kind", "grader", rules)(state(data), display)
    assert found.processed_data["kind"].tolist()[:3] == ["person", "model", "unknown"]
    assert found.processed_data["kind"].isna().tolist() == [False, False, False, True]
    exact = add_categorical_column("kind", "grader", rules, "none", case_sensitive=True)
    assert exact(state(data)).processed_data["kind"].tolist()[0] == "none"
    with pytest.raises(UsageError, match="missing required columns"):
        add_categorical_column("kind", "none", rules)(state(data))


# ---------- Inspect Scout


@pytest.fixture
def scout(monkeypatch):
    results = pd.DataFrame(
        {
            "transcript_id": ["t1", "t2"],
            "value": [True, False],
            "explanation": ["yes", "no"],
            "transcript_metadata": ['{"sample": 1}', {"sample": 2}],
        }
    )
    found = SimpleNamespace(scanners={"refusal": results})
    module = SimpleNamespace(scan_results_df=lambda path: found)
    monkeypatch.setitem(sys.modules, "inspect_scout", module)
    return results


def test_results_of_a_scan_are_merged(state, display, scout):
    data = {"score": [1, 0, 1], "transcript_id": ["t2", "t1", "t9"], "sample": [1, 2, 3]}
    found = merge_scout_results("scan", "refusal")(state(data), display).processed_data
    assert found["refusal_value"].tolist()[:2] == [False, True]
    assert found["refusal_explanation"].isna().tolist() == [False, False, True]
    assert "2 of 3 rows have a result" in display.all()
    kept = {"columns_to_keep": ["value"], "prefix": "r"}
    other = merge_scout_results("scan", "refusal", "sample", "sample", **kept)(state(data))
    assert other.processed_data["r_value"].tolist()[:2] == [True, False]
    assert "r_explanation" not in other.processed_data


def test_what_a_scan_does_not_hold_is_said(state, scout):
    data = {"transcript_id": ["t1"]}
    with pytest.raises(UsageError, match="unknown scanner 'refusl'; did you mean 'refusal'"):
        merge_scout_results("scan", "refusl")(state(data))
    with pytest.raises(UsageError, match="has no columns"):
        merge_scout_results("scan", "refusal", columns_to_keep=["none"])(state(data))
    with pytest.raises(UsageError, match="the data have"):
        merge_scout_results("scan", "refusal")(state({**data, "refusal_value": [1]}))
    scout["transcript_id"] = "t1"
    with pytest.raises(UsageError, match="several results of refusal"):
        merge_scout_results("scan", "refusal")(state(data))


def test_without_scout_its_processor_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_scout", None)
    with pytest.raises(ImportError, match="pip install inspect-scout"):
        merge_scout_results("scan", "refusal")
    assert issubclass(NotInstalled, ImportError)
