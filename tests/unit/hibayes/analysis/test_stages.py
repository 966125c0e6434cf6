"""The stages: in order, saving as they go, and not ended by a check that breaks down."""

import json

import numpy as np
import pandas as pd
import pytest

from hibayes.analysis import (
    AnalysisConfig,
    AnalysisState,
    _load_extracted_data,
    communicate,
    load_data,
    model,
    model_checks,
    process_data,
    resume_model,
)
from suites.errors import UsageError


def run(sections, display, out=None, frequent_save=False, **changes):
    config = AnalysisConfig.from_dict(sections | changes)
    state = load_data(config.data_loader, display)
    state = process_data(config.data_process, display, analysis_state=state)
    model(state, config.models, config.checkers, config.platform, display, out, frequent_save)
    return communicate(state, config.communicate, display, out, frequent_save)


def checkers(sections, *listed):
    return sections["check"] | {"checkers": list(listed)}


def test_all_stages(sections, display, fits):
    state = run(sections, display)
    assert state.data["score"].tolist() == [0, 1, 1]
    assert state.features["obs"].tolist() == [0, 1, 1]
    assert fits == ["coin_a"]
    assert state.models[0].coords == {"group": ["a"]}
    assert state.communicate["count"]["n"].tolist() == [1]
    assert list(state.logs) == ["load", "process", "model", "communicate"]
    assert state.display_stats["Samples found"] == 3
    assert not display.is_live


def test_a_stages_log_holds_its_own_messages_only(sections, display, fits):
    state = run(sections, display)
    assert any("Loaded" in entry for entry in state.logs["load"])
    assert not any("Loaded" in entry for entry in state.logs["process"])
    assert any("is_small" in entry for entry in state.logs["model"])


def test_checks_have_records(sections, display, fits):
    listed = checkers(sections, {"always": {"result": "NA", "value": 3}}, "is_small")
    before, after = run(sections, display, check=listed).models[0].checks
    assert (before["checker"], before["when"], before["result"]) == ("always", "before", "NA")
    assert before["value"] == 3
    assert (after["when"], after["result"], after["value"]) == ("after", "pass", 1.5)
    assert (after["threshold"], after["arguments"]) == (2, {"threshold": 2})


def test_a_verdict_that_a_checker_leaves_is_taken(sections, display, fits):
    config = AnalysisConfig.from_dict(sections | {"check": {"checkers": []}})
    state = load_data(config.data_loader, display)
    process_data(config.data_process, display, analysis_state=state)
    model(state, config.models, config.checkers, config.platform, display)
    from hibayes.check import CheckerConfig
    from hibayes.check import checker as register

    @register
    def with_verdict(threshold=1.01):
        def check(state, display=None):
            found = {"value": 1.2, "threshold": threshold, "message": "mu is not",
                     "offenders": [{"name": "mu", "value": 1.2}]}  # fmt: skip
            state.add_diagnostic("with_verdict_verdict", found)
            return state, "fail"

        return check

    model_checks(state.models[0], CheckerConfig([with_verdict()]), display)
    record = state.models[0].checks[0]
    assert (record["value"], record["threshold"], record["message"]) == (1.2, 1.01, "mu is not")
    assert record["offenders"] == [{"name": "mu", "value": 1.2}]


def test_a_checker_that_breaks_down_is_an_error_and_the_run_goes_on(sections, display, fits):
    state = run(sections, display, check=checkers(sections, "breaks", "is_small"))
    broken, fine = state.models[0].checks
    assert (broken["result"], broken["message"]) == ("error", "RuntimeError: out of order")
    assert fine["result"] == "pass"
    assert state.communicate["count"]["n"].tolist() == [1]
    assert any("Traceback" in entry for entry in state.logs["model"])
    assert state.display_stats["Checks errored"] == 1


def test_a_fit_is_saved_before_its_checks(sections, display, fits, tmp_path, monkeypatch):
    seen = []
    import hibayes.verdict

    real = hibayes.verdict._outcome

    def outcome(worker, state, *more):
        seen.append((tmp_path / "out/models/coin_a/metadata.json").exists())
        return real(worker, state, *more)

    monkeypatch.setattr(hibayes.verdict, "_outcome", outcome)
    run(sections, display, tmp_path / "out", True, check=checkers(sections, "is_small"))
    assert seen[0]


def test_a_killed_checker_leaves_the_fit_on_disk(sections, display, fits, tmp_path, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("hibayes.verdict._outcome", killed)
    with pytest.raises(KeyboardInterrupt):
        run(sections, display, tmp_path, True, check=checkers(sections, "is_small"))
    assert AnalysisState.load(tmp_path).models[0].is_fitted
    assert not display.is_live


def test_a_communicator_that_breaks_down_is_an_error(sections, display, fits):
    listed = sections["communicate"] | {"communicators": ["breaks_too", "count_models"]}
    state = run(sections, display, communicate=listed)
    broken, fine = state.communications
    assert (broken["result"], broken["message"]) == (
        "error", "ZeroDivisionError: division by zero",
    )  # fmt: skip
    assert (fine["result"], fine["outputs"]) == ("pass", ["count"])


def test_a_question_does_not_block_and_waits(sections, display, fits, tmp_path):
    state = run(sections, display, tmp_path, True, check=checkers(sections, "asks"))
    record = state.models[0].checks[0]
    assert record["result"] == "NA"
    assert record["approval"] == {"questions": ["Is this fine?"], "answer": None}
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["pending_approvals"][0]["name"] == "coin_a/asks"


def test_a_question_left_with_the_state_waits(sections, display, fits):
    from hibayes.check import CheckerConfig
    from hibayes.check import checker as register

    @register
    def leaves():
        def check(state, display=None):
            state.request_approval("And this?")
            return state, "NA"

        return check

    state = run(sections, display)
    model_checks(state.models[0], CheckerConfig([leaves()]), display)
    assert state.models[0].checks[-1]["approval"]["questions"] == ["And this?"]


def test_checks_that_run_again_are_counted_once(sections, display, fits):
    config = AnalysisConfig.from_dict(sections)
    state = run(sections, display)
    model_checks(state.models[0], config.checkers, display)
    assert [record["checker"] for record in state.models[0].checks] == ["always", "is_small"]


def test_two_models_of_one_name_are_refused_before_sampling(sections, display, fits):
    from hibayes.model import ModelsToRunConfig

    config = AnalysisConfig.from_dict(sections)
    state = load_data(config.data_loader, display)
    process_data(config.data_process, display, analysis_state=state)
    twice = ModelsToRunConfig(config.models.enabled_models * 2)
    with pytest.raises(UsageError, match="give each a `tag`"):
        model(state, twice, config.checkers, config.platform, display)
    assert fits == []


def test_the_state_may_stand_third(sections, display):
    config = AnalysisConfig.from_dict(sections)
    state = load_data(config.data_loader, display)
    assert process_data(config.data_process, display, state) is state
    assert state.features["obs"].tolist() == [0, 1, 1]


def test_a_folder_or_a_frame_may_stand_third(sections, display, tmp_path):
    config = AnalysisConfig.from_dict(sections)
    state = load_data(config.data_loader, display)
    state.save(tmp_path / "s")
    for given in (str(tmp_path / "s"), tmp_path / "s", state.data):
        found = process_data(config.data_process, display, given)
        assert found.features["obs"].tolist() == [0, 1, 1]


def test_data_and_state_exclude_each_other(sections, display):
    config = AnalysisConfig.from_dict(sections).data_process
    frame = pd.DataFrame({"score": [1]})
    with pytest.raises(ValueError, match="Provide either 'data' or 'analysis_state', not both"):
        process_data(config, display, frame, AnalysisState(frame))
    with pytest.raises(ValueError, match="Must provide either 'data' or 'analysis_state'"):
        process_data(config, display)


def test_frequent_saves_need_a_folder(sections, display, fits):
    config = AnalysisConfig.from_dict(sections)
    state = AnalysisState(pd.DataFrame({"score": [1]}), features={"obs": np.ones(1)})
    expected = "'out' path must be provided when frequent_save=True"
    with pytest.raises(ValueError, match=expected):
        model(state, config.models, config.checkers, config.platform, display, None, True)
    with pytest.raises(ValueError, match=expected):
        communicate(state, config.communicate, display, frequent_save=True)


def test_a_loaded_states_tables_are_replaced_not_numbered(sections, display, fits, tmp_path):
    run(sections, display, tmp_path, True)
    config = AnalysisConfig.from_dict(sections)
    for _ in range(2):
        state = AnalysisState.load(tmp_path)
        communicate(state, config.communicate, display, tmp_path, True)
    assert list(state.communicate) == ["count"]
    assert len(state.communications) == 1
    assert [p.name for p in (tmp_path / "communicate").iterdir()] == ["count.csv"]
    assert list(AnalysisState.load(tmp_path).communicate["count"].columns) == ["n"]


def test_a_model_of_a_loaded_state_is_replaced(sections, display, fits, tmp_path):
    run(sections, display, tmp_path, True)
    config = AnalysisConfig.from_dict(sections)
    state = AnalysisState.load(tmp_path)
    model(state, config.models, config.checkers, config.platform, display)
    assert [one.model_name for one in state.models] == ["coin_a"]
    assert fits == ["coin_a", "coin_a"]


def test_counts_of_checks_do_not_grow_over_runs(sections, display, fits, tmp_path):
    from hibayes.ui import ModellingDisplay

    state = run(sections, display)
    assert state.display_stats["Checks passed"] == 2
    again = ModellingDisplay(initial_stats=state.display_stats)
    assert "Checks passed" not in again.stats
    assert again.stats["Samples found"] == 3


def test_resuming_keeps_what_would_be_fitted_the_same(sections, display, fits, tmp_path):
    two = sections["model"] | {"models": [{"name": "coin", "config": {"tag": t}} for t in "ab"]}
    run(sections, display, tmp_path, True, model=two)
    fits.clear()
    changed = sections["model"] | {
        "models": [
            {"name": "coin", "config": {"tag": "new"}},
            {"name": "coin", "config": {"tag": "a", "fit": {"seed": 1}}},
            {"name": "coin", "config": {"tag": "b"}},
        ]
    }
    config = AnalysisConfig.from_dict(sections | {"model": changed})
    state = load_data(config.data_loader, display)
    process_data(config.data_process, display, analysis_state=state)
    resume_model(
        state, config.models, config.checkers, config.platform, display,
        out=tmp_path, frequent_save=True, fitted=AnalysisState.load(tmp_path).models,
    )  # fmt: skip
    assert fits == ["coinnew", "coina"]
    assert [one.model_name for one in state.models] == ["coinnew", "coina", "coinb"]
    assert [one.model_name for one in AnalysisState.load(tmp_path).models] == [
        "coinnew", "coina", "coinb",
    ]  # fmt: skip


def test_resuming_with_other_data_fits_again(sections, display, fits, tmp_path):
    run(sections, display, tmp_path, True)
    fits.clear()
    config = AnalysisConfig.from_dict(sections)
    state = AnalysisState(pd.DataFrame({"score": [0, 0, 0]}))
    process_data(config.data_process, display, analysis_state=state)
    resume_model(state, config.models, config.checkers, config.platform, display,
                 fitted=AnalysisState.load(tmp_path).models)  # fmt: skip
    assert fits == ["coin_a"]


def test_resuming_runs_the_checks_that_are_new_only(sections, display, fits, tmp_path):
    run(sections, display, tmp_path, True)
    listed = checkers(sections, "always", {"is_small": {"threshold": 1}})
    config = AnalysisConfig.from_dict(sections | {"check": listed})
    state = AnalysisState.load(tmp_path)
    display.checks.clear()
    resume_model(state, config.models, config.checkers, config.platform, display,
                 fitted=AnalysisState.load(tmp_path).models)  # fmt: skip
    assert [(name, result) for _, name, result in display.checks] == [("is_small", "fail")]
    assert [r["result"] for r in state.models[0].checks] == ["pass", "fail"]


def test_tables_are_read_one_under_the_other(tmp_path):
    (tmp_path / "a.csv").write_text("score,model\n0.1,a\n")
    pd.DataFrame({"score": [0.2], "model": ["b"]}).to_parquet(tmp_path / "b.parquet")
    (tmp_path / "c.jsonl").write_text('{"score": 0.3, "model": "c"}\n{"score": 0.4}\n')
    (tmp_path / "d.json").write_text('[{"score": 0.5, "model": "d"}]')
    found = _load_extracted_data(
        [tmp_path / n for n in ("a.csv", "b.parquet", "c.jsonl", "d.json")]
    )
    assert found["score"].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert found.index.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "said"), [("a.xlsx", "Unsupported file extension: .xlsx"), ("a.csv", "cannot read")]
)
def test_a_table_that_cannot_be_read_is_said(tmp_path, name, said):
    with pytest.raises(ValueError, match=said):
        _load_extracted_data([str(tmp_path / name)])


@pytest.mark.parametrize(
    "files",
    [
        {"a.jsonl": '{"level": 1}\n{"level": "two"}\n'},
        {"a.csv": "level\n1\n", "b.csv": "level\ntwo\n"},
    ],
)
def test_a_column_of_several_types_is_refused_with_its_name_and_types(tmp_path, files):
    paths = []
    for name, text in files.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(text)
    with pytest.raises(UsageError, match=r"'level' holds int \(1, as 1\), str \(1, as 'two'\)"):
        _load_extracted_data(paths)


def test_a_long_table_has_one_type_from_end_to_end(tmp_path):
    # pandas reads long tables in pieces, and gives each piece a type of its own
    rows = [*map(str, range(300_000)), "last"]
    (tmp_path / "long.csv").write_text("\n".join(["level", *rows]))
    found = _load_extracted_data([tmp_path / "long.csv"])["level"]
    assert found.iloc[[0, -1]].tolist() == ["0", "last"]


def test_no_tables_is_said():
    with pytest.raises(ValueError, match="No data files were loaded"):
        _load_extracted_data([])
