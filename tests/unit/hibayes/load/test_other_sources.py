"""HELM suites and score tables as data to model."""

import inspect_logs as made
import numpy as np
import pandas as pd
import pytest

from hibayes.load import DataLoaderConfig, extractor, get_sample_df
from suites.errors import UsageError


def load(*places, display=None, **settings):
    return get_sample_df(
        DataLoaderConfig.from_dict(
            {"paths": {"files_to_process": [str(p) for p in places]}, **settings}
        ),
        display,
    )


def test_a_helm_suite_gives_a_row_for_each_response():
    frame = load("demo/my-suite")
    import suites

    responses = suites.read("demo/my-suite").responses()
    assert len(frame) == len(responses) == 24
    assert frame["score"].tolist() == responses["value"].tolist()
    assert frame["model"].iloc[0] == "fir-1b"
    assert frame["model_raw"].iloc[0] == "fir/fir-1b"
    assert set(frame["metric"]) == {"exact_match"}
    for name in ("dataset", "task", "epoch", "log_path", "scenario", "condition", "part"):
        assert frame[name].notna().all(), name
    assert frame["target"].isna().all()


def test_the_metric_of_a_helm_suite_can_be_chosen():
    every = load("demo/my-suite", scorer="*")
    assert every["metric"].nunique() > 1
    one = next(m for m in every["metric"].unique() if m != "exact_match")
    assert set(load("demo/my-suite", scorer=one)["metric"]) == {one}


def test_a_score_table_gives_a_row_for_each_response(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("model,scenario,instance,score\na/x,sums,1,1\na/x,sums,2,\na/y,sums,1,0\n")
    frame = load(path)
    assert frame["model"].tolist() == ["x", "x", "y"]
    np.testing.assert_array_equal(frame["score"], [1, np.nan, 0])
    assert load(path, errors="drop")["task"].tolist() == ["1", "1"]
    assert load(path, errors="incorrect")["score"].tolist() == [1, 0, 0]


def test_responses_of_an_unknown_date_are_not_after_a_cutoff(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(
        "model,scenario,instance,score,date\na,s,1,1,2026-01-01\nb,s,1,0,2026-03-01\nc,s,1,0,\n"
    )
    assert load(path, cutoff="2026-02-01T00:00:00+00:00")["model"].tolist() == ["b"]


def test_values_of_whole_runs_are_no_responses(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("model,scenario,score\na,sums,0.5\nb,sums,0.4\n")
    with pytest.raises(UsageError, match="no responses to model"):
        load(path)


def test_own_extractors_see_what_is_known_of_responses():
    @extractor
    def of_scenario():
        def extract(sample, eval_log):
            return {"of": eval_log.eval.task, "right": sample.scores is not None}

        return extract

    domains = {"domains_extractor": {"mapping": {}, "default_domain": "d"}}
    frame = load("demo/my-suite", extractors={"enabled": ["base", "of_scenario", domains]})
    assert frame["of"].tolist() == frame["scenario"].tolist()
    assert set(frame["domain"]) == {"d"}


def test_logs_and_suites_are_read_together(tmp_path):
    made.write(tmp_path / "a.eval", made.log([made.sample(1, "C")]))
    frame = load(tmp_path, "demo/my-suite")
    assert len(frame) == 25
    assert frame["score"].notna().all()
    assert isinstance(frame, pd.DataFrame)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="there is nothing at"):
        load(tmp_path / "missing")
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(UsageError, match="of no kind that can be read"):
        load(tmp_path / "notes.md")


def test_logs_at_a_url_are_read():
    import fsspec

    log = made.zipped(made.members(made.log([made.sample(1, "C")])))
    system = fsspec.filesystem("memory")
    system.pipe("/loading/a.eval", log)
    try:
        frame = load("memory://loading/")
        assert frame["score"].tolist() == [1.0]
        assert frame["log_path"].iloc[0].startswith("memory://")
    finally:
        system.rm("/loading", recursive=True)
