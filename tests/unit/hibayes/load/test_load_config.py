"""The section data_loader, and its cache."""

import datetime as dt
import json
import os

import inspect_logs as made
import pandas as pd
import pytest

from hibayes.load import DataLoaderConfig, ExtractorConfig, get_sample_df
from hibayes.registry import registry_info
from suites.errors import UsageError


def names(config):
    return [registry_info(worker).name for worker in config.enabled_extractors]


def config(**sections):
    return DataLoaderConfig.from_dict({"paths": {"files_to_process": ["logs"]}, **sections})


def test_defaults():
    found = config()
    assert names(found) == ["base_extractor"]
    assert (found.max_workers, found.batch_size, found.cutoff) == (10, 1000, None)
    assert (found.errors, found.scorer, found.unfinished) == ("keep", None, "keep")
    assert names(DataLoaderConfig()) == names(ExtractorConfig()) == ["base_extractor"]


@pytest.mark.parametrize(
    ("enabled", "expected"),
    [
        (["base", "token_extractor"], ["base_extractor", "token_extractor"]),
        ([{"metadata_field_extractor": {"field_path": "x"}}], ["metadata_field_extractor"]),
        ({"base_extractor": None, "tools_extractor": {}}, ["base_extractor", "tools_extractor"]),
        ([], []),
        (None, ["base_extractor"]),
    ],
)
def test_extractors_in_every_form(enabled, expected):
    assert names(config(extractors={"enabled": enabled})) == expected


def test_own_extractors_are_imported_from_a_file(tmp_path):
    (tmp_path / "own.py").write_text(
        "from hibayes.load import extractor\n"
        "@extractor\ndef of_a_file():\n    return lambda sample, eval_log: {'a': 1}\n"
    )
    found = config(extractors={"path": str(tmp_path / "own.py"), "enabled": ["of_a_file"]})
    assert found.enabled_extractors[0](None, None) == {"a": 1}
    own = ExtractorConfig.from_dict({"path": str(tmp_path / "own.py")})
    assert own.path == [str(tmp_path / "own.py")]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"cutof": "2026-01-01"}, "'cutof' (did you mean 'cutoff'?)"),
        ({"path": "x.py"}, "Unknown keys in DataLoaderConfig: 'path'"),
        (
            {"paths": {"files_to_proces": []}},
            "'files_to_proces' (did you mean 'files_to_process'?)",
        ),
        ({"extractors": {"custom": {}}}, "Unknown keys in data_loader.extractors: 'custom'"),
        ({"extractors": {"enabled": ["no_such"]}}, "No registered no_such found with @extractor"),
        ({"extractors": {"enabled": [{"base": {"x": 1}}]}}, "Unknown keys in base: 'x'"),
        ({"cutoff": "yesterday"}, "cutoff: expected a date or time"),
        ({"max_workers": 0}, "max_workers: expected a whole number above 0"),
        ({"batch_size": "many"}, "batch_size: expected a whole number above 0"),
        ({"scorer": 3}, "scorer: expected a name"),
        ({"unfinished": "maybe"}, "unknown policy of unfinished logs 'maybe'"),
        ({"paths": ["logs"]}, "paths: expected a mapping"),
        ({"paths": {"files_to_process": 3}}, "files_to_process: expected a path"),
    ],
)
def test_a_slip_is_said_and_not_ignored(section, message):
    with pytest.raises(UsageError) as caught:
        DataLoaderConfig.from_dict(section, where="c.yaml: data_loader")
    assert message in str(caught.value)
    assert str(caught.value).startswith("c.yaml: data_loader")


def test_settings_of_loading_come_from_yaml(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "paths: {files_to_process: logs, cache_path: c.jsonl, output_dir: out}\n"
        "cutoff: 2026-01-05T12:00:00+00:00\nmax_workers: 3\nbatch_size: 7\nerrors: drop\n"
        "scorer: judge\nunfinished: drop\n"
    )
    found = DataLoaderConfig.from_yaml(path)
    assert found.files_to_process == ["logs"]
    assert found.cutoff == dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    assert (found.max_workers, found.batch_size, found.errors) == (3, 7, "drop")
    assert (found.scorer, found.cache_path, found.output_dir) == ("judge", "c.jsonl", "out")


def test_logs_and_extracted_data_exclude_each_other():
    both = {"files_to_process": ["logs"], "extracted_data": ["a.csv"]}
    with pytest.raises(ValueError, match="Cannot specify both"):
        DataLoaderConfig.from_dict({"paths": both})
    with pytest.raises(ValueError, match="Cannot specify both"):
        DataLoaderConfig(**both)
    assert DataLoaderConfig(extracted_data="a.csv").extracted_data == ["a.csv"]


def test_no_source_at_all_is_said(caplog):
    with caplog.at_level("WARNING", logger="hibayes"):
        empty = DataLoaderConfig.from_dict({})
    assert "No data source specified" in caplog.text
    with pytest.raises(UsageError, match="there is nothing to load"):
        get_sample_df(empty)
    caplog.clear()
    DataLoaderConfig.from_dict({"paths": {"cache_path": "c.jsonl"}})
    assert "No data source specified" not in caplog.text


# ---------- the cache


@pytest.fixture
def cached(tmp_path):
    def load(display=None, paths=None, **settings):
        own = {"files_to_process": [str(tmp_path / "logs")]} if paths is None else paths
        own = {**own, "cache_path": str(tmp_path / "sub" / "data.jsonl")}
        return get_sample_df(DataLoaderConfig.from_dict({"paths": own, **settings}), display)

    samples = [
        made.sample(1, "C", metadata={"level": 1}, total_time=1.5),
        made.sample(2, None, error={"message": "boom"}),
    ]
    made.write(tmp_path / "logs" / "a.eval", made.log(samples))
    return load


def test_the_cache_is_written_and_read_back_as_it_was(cached, tmp_path, display):
    extractors = {"enabled": ["base", "tools_extractor"]}
    first = cached(display, extractors=extractors)
    assert "Written to the cache" in display.all()
    again = cached(display, extractors=extractors)
    assert "Read from the cache" in display.all()
    pd.testing.assert_frame_equal(first, again)
    assert len((tmp_path / "sub" / "data.jsonl").read_text().splitlines()) == 2
    alone = cached(paths={}, extractors=extractors)
    pd.testing.assert_frame_equal(first, alone)


def test_a_cache_whose_sources_changed_is_made_again(cached, tmp_path, display):
    cached()
    made.write(tmp_path / "logs" / "b.eval", made.log([made.sample(1, "C")], id="e2", model="m/b"))
    assert len(cached(display)) == 3
    assert "The sources or settings have changed" in display.all()
    assert len(cached(errors="drop")) == 2
    assert len(cached(extractors={"enabled": []}).columns) < len(cached().columns)
    log = tmp_path / "logs" / "a.eval"
    os.utime(log, ns=(1, 1))
    display.said.clear()
    cached(display)
    assert "The sources or settings have changed" in display.all()


def test_a_file_that_is_no_cache_of_ours_is_neither_used_nor_replaced(cached, tmp_path, display):
    own = tmp_path / "sub" / "data.jsonl"
    own.parent.mkdir()
    own.write_text(json.dumps({"score": 0.9}) + "\n")
    assert len(cached(display)) == 2
    assert "does not say which sources it holds" in display.all()
    assert own.read_text() == '{"score": 0.9}\n'
    assert cached(paths={})["score"].tolist() == [0.9]
    assert cached(paths={"files_to_process": "gone/*.eval"})["score"].tolist() == [0.9]
