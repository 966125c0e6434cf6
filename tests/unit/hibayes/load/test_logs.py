"""Loading logs: base columns, scores of every kind, what fails and what is left out."""

import datetime as dt
import subprocess
import sys

import inspect_logs as made
import numpy as np
import pandas as pd
import pytest

from hibayes.load import DataLoaderConfig, extractor, get_sample_df
from hibayes.load.load import _apply_cutoff, _apply_extractors, get_file_list, is_after_timestamp
from hibayes.load.utils import MixedTypes, check_mixed_types
from suites.errors import UsageError


def load(*places, display=None, extractors=None, **settings):
    config = DataLoaderConfig.from_dict(
        {
            "paths": {"files_to_process": [str(p) for p in places]},
            **({} if extractors is None else {"extractors": {"enabled": extractors}}),
            **settings,
        }
    )
    return get_sample_df(config, display)


def write(folder, *samples, name="a.eval", **fields):
    return made.write(folder / name, made.log(list(samples), **fields))


# ---------- against the generator's own table


@pytest.mark.parametrize("form", ["eval", "json"])
def test_rows_are_those_that_the_generator_made(made_logs, form):
    out = made_logs("binary", "--models", "3", "--tasks", "2", "--samples", "8", "--format", form)
    frame, truth = load(out / "logs"), pd.read_csv(out / "samples.csv")
    assert len(frame) == len(truth) == 48
    key = ["model_raw", "dataset", "task", "epoch"]
    left = frame.sort_values(key).reset_index(drop=True)
    right = truth.sort_values(key).reset_index(drop=True)
    for name in ("score", "target", "model", "model_raw", "dataset", "task", "epoch"):
        assert left[name].tolist() == right[name].tolist(), name
    assert left["metadata_domain"].tolist() == right["domain"].tolist()
    assert left["metadata_difficulty"].tolist() == right["difficulty"].tolist()
    assert left["task_name"].tolist() == right["eval_task"].tolist()
    assert set(frame["num_messages"]) == {3}
    assert frame["log_path"].str.endswith(form).all()


def test_samples_without_a_score_keep_their_rows_and_columns(made_logs, display):
    asked = ("--models", "2", "--tasks", "2", "--samples", "30", "--unscored", "0.2")
    out = made_logs("dirty", "--kind", "binary", *asked, "--errors", "0.1")
    frame, truth = load(out / "logs", display=display), pd.read_csv(out / "samples.csv")
    assert len(frame) == len(truth) == 120
    key = ["model_raw", "dataset", "task", "epoch"]
    left = frame.sort_values(key).reset_index(drop=True)
    right = truth.sort_values(key).reset_index(drop=True)
    np.testing.assert_array_equal(left["score"], right["score"])
    assert 0 < left["score"].isna().sum() < 60
    assert left[key].notna().all(axis=None)
    assert display.stats["Extractor errors"] == 0
    assert len(display.all("error")) == 0


def test_base_columns_are_those_of_inspects_frames(tmp_path):
    write(
        tmp_path,
        made.sample(
            1,
            "C",
            metadata={"level": 2, "nested": {"a": [1]}},
            model_usage={"m": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}},
            total_time=1.5,
            message_count=2,
        ),
        eval={"packages": {"inspect_ai": "0.3.199"}, "revision": {"commit": "abc", "origin": "o"}},
        tags=["one", "two"],
    )
    row = load(tmp_path).iloc[0]
    assert row["metadata_level"] == 2
    assert row["metadata_nested"] == '{"a":[1]}'
    assert row["score_match"] == "C"
    assert row["total_tokens"] == 7
    assert row["total_time"] == 1.5
    assert row["tags"] == "one,two"
    assert row["packages"] == '{"inspect_ai":"0.3.199"}'
    assert (row["git_commit"], row["git_origin"]) == ("abc", "o")
    assert row["eval_id"] == "e1"
    assert row["sample_id"] == "uuid-1-1"
    assert row["created"] == pd.Timestamp("2026-03-01 10:00")
    assert row["error"] == ""
    for name in (
        *("eval_set_id", "run_id", "task_id", "log", "metadata", "model_base_url", "model_args"),
        *("model_generate_config", "model_roles", "id", "input", "choices", "model_usage"),
        *("working_time", "message_count", "turn_count", "token_limit_usage", "limit"),
        *("limit_reason", "retries", "fallbacks"),
    ):
        assert name in row.index, name


def test_neither_inspect_nor_any_heavy_package_is_imported():
    code = (
        "import sys, hibayes.load, hibayes.process.processors\n"
        "from hibayes.load import *\n"
        "get_sample_df(DataLoaderConfig(files_to_process=['demo/inspect']))\n"
        "heavy = {'inspect_ai', 'jax', 'numpyro', 'arviz', 'xarray', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------- what failed


def dirty(folder):
    return write(
        folder,
        made.sample(1, "C", message_count=3),
        made.sample(2, None, error={"message": "boom"}, message_count=2),
        made.sample(3, None, message_count=3),
        made.sample(4, "I", message_count=3),
    )


def test_failed_and_unscored_samples_keep_all_other_columns(tmp_path, display):
    dirty(tmp_path)
    frame = load(tmp_path, display=display)
    assert frame["score"].isna().tolist() == [False, True, True, False]
    assert frame["error"].tolist() == ["", "boom", "", ""]
    for name in ("model", "dataset", "task", "target", "log_path"):
        assert frame[name].notna().all()
    assert str(frame["epoch"].dtype) == "int64"
    assert str(frame["num_messages"].dtype) == "int64"
    assert "2 of 4 samples failed or have no score: kept" in display.all("warning")
    assert display.stats["Sample errors"] == 2
    assert display.stats["Extractor errors"] == 0


def test_failed_samples_are_dropped_or_counted_as_wrong_when_that_is_said(tmp_path):
    dirty(tmp_path)
    assert load(tmp_path, errors="drop")["task"].tolist() == ["1", "4"]
    assert load(tmp_path, errors="incorrect")["score"].tolist() == [1.0, 0.0, 0.0, 0.0]
    with pytest.raises(UsageError, match="unknown errors policy 'dorp'; did you mean 'drop'"):
        load(tmp_path, errors="dorp")


def test_invalidated_samples_are_left_out(tmp_path, display):
    write(
        tmp_path,
        made.sample(1, "C"),
        made.sample(2, "C", invalidation={"author": "a", "reason": "leaked"}),
        invalidated=True,
    )
    assert load(tmp_path, display=display)["task"].tolist() == ["1"]
    assert "1 samples were declared invalid" in display.all("warning")


def test_of_several_tries_the_last_counts(tmp_path, display):
    samples = made.sample(1, "I"), made.sample(2, "I")
    write(tmp_path, *samples, name="a.eval", id="e1", task_id="t", status="error")
    write(tmp_path, made.sample(1, "C"), made.sample(2, "C"), name="b.eval", id="e2", task_id="t")
    assert load(tmp_path, display=display)["score"].tolist() == [1.0, 1.0]
    assert "another try of the same evaluation" in display.all("warning")


def test_unfinished_logs_are_kept_and_said_or_dropped(tmp_path, display):
    write(tmp_path, made.sample(1, "C"), status="error")
    write(tmp_path, made.sample(1, "C"), name="b.eval", id="e2", model="openai/gpt-6")
    assert len(load(tmp_path, display=display)) == 2
    assert "did not come to its end (error); it is kept" in display.all("warning")
    assert load(tmp_path, unfinished="drop")["model"].tolist() == ["gpt-6"]


def test_a_broken_log_is_told_and_the_rest_is_read(tmp_path, display):
    write(tmp_path, made.sample(1, "C"))
    (tmp_path / "broken.eval").write_bytes(b"PK\x03\x04 cut off")
    assert len(load(tmp_path, display=display)) == 1
    assert "broken.eval" in display.all("warning")


# ---------- scores


def test_values_of_every_kind_become_numbers_or_are_missing(tmp_path, display):
    values = ["C", "I", "P", "N", "yes", "no", True, 0.25, 7, "1e1", "switch", {"a": 1}, [1, 0]]
    write(tmp_path, *(made.sample(i, v) for i, v in enumerate(values)))
    frame = load(tmp_path, display=display)
    expected = [1, 0, 0.5, 0, 1, 0, 1, 0.25, 7, 10, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(frame["score"], expected)
    assert frame["task"].notna().all()
    assert display.stats["Extractor errors"] == 0
    assert "1 scores are texts without a number ('switch')" in display.all("warning")
    assert frame["score_match_a"].tolist()[11] == 1
    assert frame["score_match_0"].tolist()[12] == 1


def test_every_scorer_has_a_column_and_the_first_is_said(tmp_path, display):
    write(
        tmp_path,
        made.sample(1, scores={"match": "C", "judge": {"clarity": 4, "depth": 2}}),
        made.sample(2, scores={"match": "I", "judge": {"clarity": 5, "depth": 1}}),
    )
    frame = load(tmp_path, display=display)
    assert frame["score"].tolist() == [1.0, 0.0]
    assert frame["score_match"].tolist() == ["C", "I"]
    assert frame["score_judge_clarity"].tolist() == [4, 5]
    assert frame["score_judge_depth"].tolist() == [2, 1]
    assert "1 logs have 2 scorers (match, judge): score is that of match" in display.all("info")


@pytest.mark.parametrize("named", ["judge/clarity", "judge_clarity"])
def test_the_scorer_can_be_chosen(tmp_path, display, named):
    write(
        tmp_path,
        made.sample(1, scores={"match": "C", "judge": {"clarity": 4}}),
        made.sample(2, scores={"match": "I"}),
    )
    np.testing.assert_array_equal(load(tmp_path, scorer=named)["score"], [4, np.nan])
    assert load(tmp_path, scorer="match")["score"].tolist() == [1.0, 0.0]
    with pytest.raises(UsageError, match="unknown scorer 'macth'; did you mean 'match'"):
        load(tmp_path, scorer="macth")


def test_a_sample_that_lacks_the_first_scorer_does_not_get_anothers_value(tmp_path):
    write(tmp_path, made.sample(1, scores={"a": 1, "b": 0}), made.sample(2, scores={"b": 0.5}))
    np.testing.assert_array_equal(load(tmp_path)["score"], [1, np.nan])


# ---------- extractors


def test_extractors_merge_in_order_and_replace_base_columns(tmp_path):
    write(tmp_path, made.sample(1, "C", metadata={"input": "x", "level": 3}))
    rename = {"metadata_field_extractor": {"field_path": "level", "rename_to": "score"}}
    assert load(tmp_path, extractors=["base", rename])["score"].tolist() == [3]
    assert load(tmp_path, extractors=[rename, "base"])["score"].tolist() == [1.0]
    bare = load(tmp_path, extractors=[])
    assert "score" not in bare
    assert bare["model"].tolist() == ["openai/gpt-5"]


def test_a_failing_extractor_loses_only_its_own_columns(tmp_path, display):
    @extractor
    def fails_for_two():
        def extract(sample, eval_log):
            if sample.id == 2:
                raise RuntimeError("bang")
            return {"own": sample.id}

        return extract

    write(tmp_path, *(made.sample(i, "C") for i in (1, 2, 3)))
    frame = load(tmp_path, extractors=["base_extractor", "fails_for_two"], display=display)
    assert frame["own"].isna().tolist() == [False, True, False]
    assert str(frame["own"].dtype) == "Int64"
    assert frame["score"].tolist() == [1.0, 1.0, 1.0]
    assert display.stats["Extractor errors"] == 1
    assert display.all("error") == "fails_for_two failed for 1 samples: RuntimeError: bang"
    assert "sample 2, epoch 1" in display.all("debug")


def test_a_column_of_several_types_is_refused_with_its_types(tmp_path):
    @extractor
    def mixes():
        def extract(sample, eval_log):
            return {"own": 1 if sample.id == 1 else "two"}

        return extract

    write(tmp_path, made.sample(1, "C"), made.sample(2, "C"))
    with pytest.raises(TypeError, match=r"'own' holds int \(1, as 1\), str \(1, as 'two'\)"):
        load(tmp_path, extractors=["mixes"])
    with pytest.raises(MixedTypes, match="Give each column values of one type"):
        check_mixed_types(pd.DataFrame({"a": [1, "x", None]}))
    check_mixed_types(pd.DataFrame({"a": [1, 2.5, None], "b": ["x", None, None]}))


def test_metadata_of_several_types_becomes_text(tmp_path):
    write(
        tmp_path,
        made.sample(1, "C", metadata={"level": 1}),
        made.sample(2, "C", metadata={"level": "two"}),
    )
    assert load(tmp_path)["metadata_level"].tolist() == ["1", "two"]


# ---------- cut-off and the functions that tests and tools use


def test_only_logs_completed_after_the_cutoff_are_kept(tmp_path, display):
    write(tmp_path, made.sample(1, "C"), created="2026-03-01T10:00:00+00:00")
    write(
        tmp_path,
        made.sample(1, "I"),
        name="b.eval",
        id="e2",
        model="m/late",
        created="2026-03-02T10:00:00+02:00",
    )
    kept = load(tmp_path, cutoff="2026-03-01T10:00:00", display=display)
    assert kept["model"].tolist() == ["late"]
    assert "1 of 2 logs were not completed after" in display.all("warning")
    assert len(load(tmp_path, cutoff=dt.date(2026, 3, 1))) == 2
    with pytest.raises(UsageError, match="there are no samples to load"):
        load(tmp_path, cutoff=dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC))
    frame = load(tmp_path)
    assert _apply_cutoff(frame, dt.datetime(2026, 3, 2))["model"].tolist() == ["late"]


def test_is_after_timestamp_takes_any_zone():
    log = type("Log", (), {"stats": type("Stats", (), {"completed_at": "2024-05-01T12:00:00Z"})})
    assert is_after_timestamp(None, log)
    assert is_after_timestamp(dt.datetime(2024, 5, 1, 11), log)
    assert not is_after_timestamp(dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC), log)
    log.stats.completed_at = ""
    assert not is_after_timestamp(dt.datetime(2024, 5, 1), log)


def test_lists_are_put_in_place_and_repeats_dropped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.eval", "sub/b.eval"):
        write(tmp_path, made.sample(1, "C"), name=name, id=name)
    (tmp_path / "sub" / "logs.txt").write_text("b.eval\n\n# a comment\na.eval\n")
    assert get_file_list(["a.eval", "sub/logs.txt", "a.eval"]) == ["a.eval", "sub/b.eval"]
    assert get_file_list([]) == []
    assert len(load("sub/logs.txt")) == 2
    assert len(load("a.eval", "./a.eval", tmp_path)) == 2


def test_extractors_can_be_applied_to_rows_that_name_their_samples(tmp_path):
    write(tmp_path, made.sample("x", "C"), made.sample("y", "I"))
    frame = load(tmp_path)[["log", "id", "epoch"]].iloc[::-1]

    def mark(sample, eval_log):
        return {"mark": f"{sample.id} of {eval_log.eval.task}"}

    assert _apply_extractors(frame, [mark])["mark"].tolist() == ["y of sums", "x of sums"]
