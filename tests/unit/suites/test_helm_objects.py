from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

from suites.errors import NotInstalled, UsageError
from suites.helm.folders import is_release, is_run
from suites.helm.objects import HelmOutputs, HelmRun, HelmRuns, HelmSuite, HelmSuites
from suites.helm.structs import HelmFileError, Stat, _decoder


@pytest.fixture
def outputs(tmp_path, make_run):
    """Two suites, a link to one, a link that leads nowhere, HELM's folders that are no runs."""
    root = tmp_path / "benchmark_output"
    for suite, models in (("v1", ("one", "two")), ("v2", ("two", "three"))):
        for model in models:
            name = f"toy:model=acme_{model}"
            spec = {"name": name, "adapter_spec": {"model": f"acme/{model}"}}
            make_run(root / "runs" / suite / name, spec=spec)
        (root / "runs" / suite / "groups").mkdir()
        (root / "runs" / suite / "eval_cache").mkdir()
        (root / "runs" / suite / "summary.json").write_text("{}")
    (root / "runs" / "latest").symlink_to("v2")
    (root / "runs" / "gone").symlink_to("/nowhere/at/all")
    return HelmOutputs(root)


def names(runs):
    return [f"{run.path.parent.name}/{run.name.rpartition('_')[2]}" for run in runs]


# ---------- outputs


def test_demo_outputs_have_three_suites_and_my_suite_is_the_first(demo):
    assert [s.name for s in demo.suites()] == ["my-suite", "standin-v1", "standin-v2"]
    assert [len(s.runs()) for s in demo.suites()] == [4, 48, 26]
    assert demo.suites()[0].path == demo.root_dir / "runs" / "my-suite"


@pytest.mark.parametrize("inside", ["", "/", "/runs", "/runs/", "/.."])
def test_outputs_are_found_from_folder_runs_and_parent(demo, inside):
    found = HelmOutputs.coerce(f"{demo.root_dir}{inside}")
    assert os.path.samefile(found.root_dir, demo.root_dir)
    assert HelmOutputs.coerce(Path(found.root_dir)) == found
    assert HelmOutputs.coerce(demo) is demo


def test_outputs_that_are_not_there_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is nothing at"):
        HelmOutputs.coerce("/nowhere/benchmark_output")
    with pytest.raises(FileNotFoundError, match="Unable to find a directory that looks like HELM"):
        HelmOutputs.coerce(tmp_path)
    with pytest.raises(TypeError, match="cannot make HelmOutputs of a int"):
        HelmOutputs.coerce(3)


def test_listing_drops_links_that_would_double_runs_and_links_to_nowhere(outputs):
    assert outputs.list_suites() == ["v1", "v2"]
    assert outputs.list_run_specs() == [f"toy:model=acme_{m}" for m in ("one", "three", "two")]
    assert outputs.list_run_specs("v1") == [f"toy:model=acme_{m}" for m in ("one", "two")]


def test_summary_counts_suites_and_runs(outputs):
    summary = outputs.summarize()
    assert (summary["num_suites"], summary["num_run_specs"]) == (2, 3)
    assert summary["stats"].loc["mean", "num_runs"] == 2


def test_unknown_demo_method_names_the_valid_ones():
    with pytest.raises(UsageError, match="did you mean 'unpack'"):
        HelmOutputs.demo(method="unpak")


# ---------- suites


def test_a_run_is_what_helm_takes_for_one_whatever_its_name(tmp_path, make_run):
    suite = HelmSuite(tmp_path)
    make_run(tmp_path / "no colon here")
    make_run(tmp_path / "groups")
    (make_run(tmp_path / "toy:broken") / "stats.json").unlink()
    assert [run.path.name for run in suite.runs()] == ["no colon here"]
    assert not is_run(tmp_path / "groups")


def test_runs_of_a_suite_are_sorted_and_chosen_by_glob_or_literal_name(demo, tmp_path, make_run):
    suite = demo.suites()[0]
    assert [r.path.name for r in suite.runs()] == sorted(r.path.name for r in suite.runs())
    assert len(suite.runs("*anatomy*")) == 2
    make_run(tmp_path / "toy:a=[1]")
    make_run(tmp_path / "toy:a=1")
    assert [r.path.name for r in HelmSuite(tmp_path).runs("toy:a=[1]")] == ["toy:a=[1]"]


def test_suites_come_from_all_that_names_them(demo, monkeypatch):
    runs = demo.root_dir / "runs"
    every = ["my-suite", "standin-v1", "standin-v2"]
    first = demo.suites()[0]
    for source, wanted in [
        (demo, every),
        (first, every[:1]),
        (HelmSuites([first.path]), every[:1]),
        (str(demo.root_dir), every),
        (demo.root_dir.parent, every),
        (f"{runs}/", every),
        (runs / "standin-v1", every[1:2]),
        (f"{runs}/standin-*", every[1:]),
        (f"{runs}/standin", every[1:]),  # the beginning of a path
        ([runs / "standin-v2", f"{runs}/my*"], [every[2], every[0]]),
        ((first, demo), every),
        (f"['{runs}/my-suite', '{runs}/standin-v2']", [every[0], every[2]]),
        (demo.root_dir / "releases" / "standin-r1", ["standin-r1"]),
    ]:
        assert [s.name for s in HelmSuites.coerce(source)] == wanted, source
    monkeypatch.chdir(runs)
    assert HelmSuites.coerce("my-suite")[0].runs() == HelmSuite.coerce("my-suite").runs()


def test_suites_are_not_counted_twice_through_a_link(outputs):
    assert [s.name for s in HelmSuites.coerce(f"{outputs.root_dir}/runs/*")] == ["v1", "v2"]
    assert [s.name for s in HelmSuites.coerce(f"{outputs.root_dir}/runs/latest")] == ["latest"]
    pair = [f"{outputs.root_dir}/runs/latest", f"{outputs.root_dir}/runs/v2"]
    assert [s.name for s in HelmSuites.coerce(pair)] == ["v2"]


def test_what_is_no_suite_is_refused_with_its_name(demo, tmp_path):
    with pytest.raises(ValueError, match=r"Did not recognize .* as a suite path"):
        HelmSuites.coerce(demo.suites()[0].runs()[0].path)
    with pytest.raises(ValueError, match=r"Did not recognize .* as a suite path"):
        HelmSuites.coerce(tmp_path)
    with pytest.raises(TypeError, match="cannot make HelmSuites of a HelmRun"):
        HelmSuites.coerce(demo.suites()[0].runs()[0])
    with pytest.raises(ValueError, match="names 2 suites"):
        HelmSuite.coerce(f"{demo.root_dir}/runs/standin-*")


def test_suites_slice_iterate_and_keep_the_existing(demo):
    suites = HelmSuites.coerce(demo)
    assert (len(suites), suites[0].name, len(suites[1:])) == (3, "my-suite", 2)
    assert isinstance(suites[1:], HelmSuites)
    assert len(suites.runs("standin_mc*")) == 26
    assert len(HelmSuites([demo.root_dir / "runs" / "no"]).existing()) == 0


# ---------- releases


def test_a_release_is_a_suite_of_the_runs_it_names(demo):
    release = demo.releases()[0]
    assert is_release(release.path)
    assert (release.name, release.is_release, len(release.runs())) == ("standin-r1", True, 72)
    twice = release.runs("simple_mcqa:model=acorn_oak-7b")
    assert len(HelmRuns.coerce(release.path)) == 72
    assert len(twice) == 1
    # v1 and v2 share two runs: the later suite has them, and no run is lost
    suites = [path.parent.name for path in release.runs().paths]
    assert (suites.count("standin-v1"), suites.count("standin-v2")) == (46, 26)


def test_a_release_finds_renamed_runs_and_says_which_are_missing(outputs):
    release = outputs.root_dir / "releases" / "r1"
    release.mkdir(parents=True)
    (release / "runs_to_run_suites.json").write_text(
        '{"toy:model=acme_one": "v1", "toy:model=acme_two": "v2", "toy:model=gone": "v1"}'
    )
    folder = outputs.root_dir / "runs" / "v2" / "toy:model=acme_two"
    folder.rename(folder.with_name("toy-model=acme_two"))
    where = HelmSuite(release).release_runs()
    assert where["toy:model=gone"] is None
    assert where["toy:model=acme_two"].name == "toy-model=acme_two"
    assert names(HelmRuns.coerce(release)) == ["v1/one", "v2/two"]


# ---------- runs


def test_runs_come_from_all_that_names_them(demo):
    suite = demo.suites()[0]
    run = suite.runs()[0]
    for source, wanted in [
        (suite, 4),
        (suite.path, 4),
        (str(suite.path) + "/", 4),
        (HelmSuites([suite.path]), 4),
        (demo, 78),
        (demo.root_dir, 78),
        (demo.root_dir.parent, 78),
        (demo.root_dir / "runs", 78),
        (demo.root_dir / "releases" / "standin-r1", 72),
        (run, 1),
        (run.path, 1),
        (run.path / "run_spec.json", 1),
        (f"{suite.path}/*", 4),  # the json files and groups are passed over
        (f"{demo.root_dir}/**/mmlu:*", 4),
        (f"{suite.path}/mmlu:subject=anatomy", 2),
        (suite.runs(), 4),
        (list(suite.runs()), 4),
        ([suite, run.path, str(run.path)], 4),
        ((run, demo.suites()[2]), 27),
        ([], 0),
    ]:
        assert len(HelmRuns.coerce(source)) == wanted, source


def test_globs_are_sorted_and_lists_keep_their_order(demo):
    suite = demo.suites()[0]
    paths = suite.runs().paths
    assert HelmRuns.coerce(f"{suite.path}/mmlu*").paths == paths
    assert HelmRuns.coerce(paths[::-1]).paths == paths[::-1]


def test_runs_are_not_counted_twice_through_a_link(outputs):
    found = HelmRuns.coerce(f"{outputs.root_dir}/runs/*/toy*")
    assert names(found) == ["v1/one", "v1/two", "v2/three", "v2/two"]
    assert names(HelmRuns.coerce(outputs)) == names(found)


def test_brackets_in_a_path_are_just_letters_where_the_path_exists(tmp_path, make_run):
    folder = tmp_path / "data [v1]" / "runs" / "s"
    make_run(folder / "toy:a=[b]")
    assert len(HelmRuns.coerce(folder)) == 1
    assert len(HelmRuns.coerce(f"{folder}/*")) == 1
    assert len(HelmRuns.coerce(folder / "toy:a=[b]")) == 1


def test_what_is_not_there_is_an_error_that_names_the_nearest(demo):
    runs = demo.root_dir / "runs"
    with pytest.raises(FileNotFoundError, match="did you mean my-suite"):
        HelmRuns.coerce(runs / "my-suit3")
    with pytest.raises(FileNotFoundError, match=r"nothing matches .* has: my-suite"):
        HelmRuns.coerce(f"{runs}/zz*")
    with pytest.raises(FileNotFoundError, match="nothing in it is named 'no'"):
        HelmRuns.coerce(runs / "no" / "such" / "folder")
    with pytest.raises(FileNotFoundError, match="empty path"):
        HelmRuns.coerce(" ")


def test_what_is_no_run_is_refused_with_its_name(demo, tmp_path):
    (tmp_path / "text.txt").write_text("")
    for source in (tmp_path, f"{tmp_path}/*.txt", demo.suites()[0].path / "groups"):
        with pytest.raises(ValueError, match=r"Did not recognize .* as a run path"):
            HelmRuns.coerce(source)
    with pytest.raises(TypeError, match="cannot make HelmRuns of a float"):
        HelmRuns.coerce(0.5)
    with pytest.raises(ValueError, match="names 4 runs, not one"):
        HelmRun.coerce(demo.suites()[0].path)


def test_runs_slice_iterate_and_keep_the_completed(tmp_path, make_run):
    make_run(tmp_path / "toy:a")
    (make_run(tmp_path / "toy:b") / "scenario.json").unlink()
    runs = HelmRuns.coerce(tmp_path)
    assert (len(runs), len(runs[:1]), len(runs.existing())) == (2, 1, 1)
    assert isinstance(runs[:1], HelmRuns)
    assert runs[1].exists()
    assert not HelmRun(tmp_path / "no").exists()
    assert repr(runs) == "HelmRuns(n=2)"
    assert pickle.loads(pickle.dumps(runs)) == runs


def test_the_name_of_a_run_is_that_of_its_spec(tmp_path, make_run):
    run = HelmRun(make_run(tmp_path / "toy-model=acme_one"))
    assert run.name == "toy:model=acme_one"
    (run.path / "run_spec.json").write_text("{")
    assert run.name == "toy-model=acme_one"


# ---------- views


def test_json_view_gives_what_the_files_hold(demo):
    run = HelmRun.demo()
    assert run.json.run_spec()["groups"] == ["mmlu"]
    assert run.json.scenario()["name"] == "mmlu"
    assert len(run.json.scenario_state()["request_states"]) == 7
    assert (len(run.json.stats()), len(run.json.per_instance_stats())) == (162, 7)


def test_msgspec_view_keeps_the_fields_of_every_perturbation(demo):
    run = demo.suites()[1].runs("standin_review*")[0]
    raw = [s["name"].get("perturbation") for s in run.json.stats()]
    typed = [s.name.perturbation for s in run.msgspec.stats()]
    assert [p and p.fields for p in typed] == raw
    gender = next(p for p in typed if p is not None and p.name == "gender")
    assert (gender.mode, gender.target_class, gender.fairness) == ("pronouns", "female", True)
    records = run.msgspec.per_instance_stats()
    assert {r.perturbation.name for r in records if r.perturbation} == {
        "misspellings",
        "lowercase",
        "gender",
    }
    assert any(r.perturbation and r.perturbation.prob == 0.5 for r in records)


def test_msgspec_view_reads_every_run_without_meeting_an_unknown_field(demo):
    for suite in demo.suites():
        for run in suite.runs():
            view = run.msgspec
            _decoder(list[Stat]).decode((run.path / "stats.json").read_bytes())  # the fast way
            assert not view.run_spec().extra
            assert not view.run_spec().adapter_spec.extra
            state = view.scenario_state()
            assert not any(s.extra or s.request.extra for s in state.request_states)


def test_msgspec_view_keeps_fields_that_no_version_so_far_writes(tmp_path, make_run, make_stat):
    stat = {**make_stat(), "median": 0.5}
    run = HelmRun(make_run(tmp_path / "toy:a", spec={"owner": "x"}, stats=[stat]))
    assert run.msgspec.run_spec().extra == {"owner": "x"}
    assert run.msgspec.stats()[0].extra == {"median": 0.5}
    assert run.msgspec.stats()[0].mean == 1.0


def test_msgspec_view_reads_texts_of_helm_0_1(tmp_path, make_run):
    instance = {"input": "q", "references": [{"output": "a", "tags": ["correct"]}], "id": "id0"}
    state = {
        "adapter_spec": {"method": "m"},
        "request_states": [{"instance": instance, "request": {"model": "a/b"}}],
    }
    run = HelmRun(make_run(tmp_path / "toy:a", state=state))
    read = run.msgspec.scenario_state().request_states[0]
    assert (read.instance.input, read.instance.references[0].output) == ("q", "a")


def test_bare_nan_tokens_of_old_files_are_understood(tmp_path, make_run):
    text = '[{"name": {"name": "f1_score", "split": "test"}, "count": 1, "sum": NaN, "mean": NaN}]'
    run = HelmRun(make_run(tmp_path / "toy:a", stats=text))
    assert run.json.stats()[0]["mean"] != run.json.stats()[0]["mean"]
    assert run.msgspec.stats()[0].mean != run.msgspec.stats()[0].mean
    assert run.stats()["stats.mean"].isna().all()


def test_broken_and_missing_files_are_named_with_the_place(tmp_path, make_run):
    run = HelmRun(make_run(tmp_path / "toy:a", stats='[{"name": {"name": "f1'))
    with pytest.raises(HelmFileError, match=r"stats\.json at byte 19: not valid JSON") as caught:
        run.json.stats()
    assert caught.value.offset == 19
    (run.path / "stats.json").write_bytes(b"")
    with pytest.raises(HelmFileError, match="the file is empty"):
        run.stats()
    (run.path / "stats.json").write_bytes(b'["\xff"]')
    with pytest.raises(HelmFileError, match="not UTF-8 text"):
        run.stats()
    (run.path / "stats.json").write_text("[" * 100_000)
    with pytest.raises(HelmFileError, match="JSON"):
        run.json.stats()
    (run.path / "stats.json").write_text("{}")
    with pytest.raises(HelmFileError, match="expected a list, found dict"):
        run.json.stats()
    with pytest.raises(HelmFileError, match="not what HELM writes"):
        run.msgspec.stats()
    (run.path / "stats.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no such file .its folder holds per_instance"):
        run.stats()
    shutil.rmtree(run.path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        run.stats()


def test_errors_about_files_travel_between_processes(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        HelmRun(tmp_path / "no").json.stats()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_dataclass_view_names_the_extra_where_helm_is_not_installed(demo):
    try:
        import helm.common.codec  # noqa: F401
    except ImportError:
        with pytest.raises(NotInstalled, match=r"benchcast\[helm\]"):
            HelmRun.demo().dataclass.run_spec()
    else:
        assert HelmRun.demo().dataclass.run_spec().groups == ["mmlu"]
    with pytest.raises(NotImplementedError, match="no dataclass"):
        HelmRun.demo().dataclass.scenario()
