from __future__ import annotations

import collections
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from suites.errors import UsageError
from suites.helm.objects import HelmRuns
from suites.helm.reader import (
    HelmReader,
    condition_fields,
    natural_key,
    scenario_base,
    scenario_label,
)
from suites.identity import Identity, canonical_json, condition_of
from suites.reader import FRAMES, ReadOptions
from suites.schema import RESPONSES, to_pandas

HELM = "helm.benchmark.scenarios."


def read(source, **options):
    problems = []
    reader = HelmReader.open(str(source), ReadOptions(**options), problems.append)
    return reader, list(reader.runs()), problems


def main_figure(run):
    metric, part, _ = run.main
    [figure] = [
        f for f in run.figures if (f.metric, f.part, f.perturbation) == (metric, part, None)
    ]
    return figure


def find(runs, name):
    return next(run for run in runs if run.run == name)


@pytest.fixture(scope="module")
def everything(demo):
    return read(demo.root_dir)


# ---------- what is accepted


def test_it_accepts_what_holds_runs_and_nothing_else(demo, tmp_path):
    suite = demo.suites()[0]
    run = suite.runs()[0].path
    release = demo.releases()[0].path
    for source in (
        demo.root_dir,
        demo.root_dir.parent,
        demo.root_dir / "runs",
        suite.path,
        f"{suite.path}/",
        release,
        run,
        run / "run_spec.json",
        f"{suite.path}/*anatomy*",
        f"{demo.root_dir}/runs/standin-*",
    ):
        assert HelmReader.accepts(str(source)), source
    (tmp_path / "runs").mkdir()
    (tmp_path / "scores.csv").write_text("model,score\n")
    for source in (
        tmp_path,
        tmp_path / "scores.csv",
        "/nowhere",
        "s3://bucket/x",
        "",
        "\0",
        "[",
        "*",
    ):
        assert not HelmReader.accepts(str(source)), source


def test_a_broken_run_is_still_helms(tmp_path, make_run):
    (make_run(tmp_path / "s" / "toy:a") / "run_spec.json").unlink()
    assert HelmReader.accepts(str(tmp_path / "s"))


def test_nothing_to_read_is_an_error_a_user_can_mend(tmp_path):
    (tmp_path / "runs" / "suite").mkdir(parents=True)
    with pytest.raises(UsageError, match="has no runs of HELM"):
        read(tmp_path)
    with pytest.raises(UsageError, match="there is nothing at"):
        read(tmp_path / "no")


def test_reading_imports_neither_helm_nor_anything_else_that_is_heavy(demo):
    code = (
        "import sys; from suites.helm.reader import HelmReader, ReadOptions\n"
        f"reader = HelmReader.open({str(demo.suites()[0].path)!r}, ReadOptions(), print)\n"
        "run = next(reader.runs()); reader.responses(run); reader.frame(run, 'stats')\n"
        "heavy = {'helm', 'inspect_ai', 'jax', 'sklearn', 'scipy', 'matplotlib'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=_environment()
    )
    assert done.returncode == 0, done.stderr


def _environment():
    root = str(Path(__file__).resolve().parents[3])
    return {**os.environ, "PYTHONPATH": root}


# ---------- descriptions


def test_all_runs_of_the_demo_data_are_described_in_a_stable_order(demo, everything):
    _, runs, problems = everything
    assert problems == []
    assert len(runs) == 78
    assert [r.run for r in runs] == [r.run for r in read(demo.root_dir)[1]]
    assert collections.Counter(r.run.partition("/")[0] for r in runs) == {
        "my-suite": 4,
        "standin-v1": 48,
        "standin-v2": 26,
    }
    assert len({r.model for r in runs}) == 14
    run = runs[0]
    assert (run.model, run.organisation, run.family) == ("fir/fir-1b", "fir", "fir")
    assert (run.scenario, run.scenario_group) == ("mmlu:subject=anatomy", "mmlu")
    assert run.run == f"my-suite/{run.name}"
    assert run.condition == condition_of(run.condition_fields)


def test_figures_are_the_published_ones_with_n_bounds_and_direction(everything):
    _, runs, _ = everything
    figure = main_figure(runs[2])
    assert (figure.value, figure.n, figure.binary) == (4 / 6, 6, True)
    assert (figure.lower, figure.upper, figure.higher_is_better) == (0, 1, True)
    assert len(runs[0].figures) == 162
    costs = [f for f in runs[0].figures if f.metric == "training_co2_cost"]
    assert all(math.isnan(f.value) and f.binary is not True for f in costs)


def test_sub_parts_are_merged_with_equal_weight_and_count_together(everything):
    _, runs, _ = everything
    run = find(runs, "standin-v1/standin_judge:model=acorn_oak-1b")
    figure = main_figure(run)
    assert figure.value == pytest.approx((0.2903225806451613 + 0.5) / 2, abs=1e-15)
    assert (figure.n, figure.binary) == (64, False)


def test_two_trials_are_no_count_over_n(everything):
    _, runs, _ = everything
    run = find(runs, "standin-v1/standin_recall:model=acorn_oak-7b")
    [exact] = [f for f in run.figures if f.metric == "exact_match" and f.perturbation is None]
    assert (exact.n, exact.binary) == (70, False)
    assert main_figure(run).binary is False


def test_perturbed_figures_carry_all_fields_of_their_perturbation(everything):
    _, runs, _ = everything
    run = next(r for r in runs if "standin_review" in r.run)
    found = [f for f in run.figures if f.metric == "exact_match" and f.part == "test"]
    by = {f.perturbation: f for f in found}
    assert len(by) == len(found)
    misspelt = canonical_json(
        {
            "name": "misspellings",
            "robustness": True,
            "fairness": False,
            "computed_on": "perturbed",
            "prob": 0.5,
        }
    )
    assert (by[misspelt].n, by[misspelt].binary) == (60, True)
    worst = [f for p, f in by.items() if p and json.loads(p)["computed_on"] == "worst"]
    assert all(f.n is None and f.binary is None for f in worst)


def test_real_llama_runs_have_the_means_that_are_known(shared_helm):
    _, runs, problems = read(shared_helm("mmlu-llama3"))
    assert (problems, len(runs)) == ([], 184)
    values = collections.defaultdict(list)
    for run in runs:
        assert run.main[:2] == ("exact_match", "test")
        assert main_figure(run).binary
        values[run.model].append(main_figure(run).value)
    means = {model: (round(float(np.mean(v)), 3), len(v)) for model, v in values.items()}
    assert means == {
        "groq/llama3-70b-8192": (0.730, 36),
        "groq/llama3-8b-8192": (0.382, 37),
        "huggingface/Meta-Llama-3-8B": (0.636, 37),
        "together/Llama-3-70b-chat-hf": (0.750, 37),
        "together/Llama-3-8b-chat-hf": (0.542, 37),
    }


def test_real_runs_without_suite_or_colon_are_read(shared_helm):
    reader, runs, problems = read(shared_helm("eee-tests"))
    assert problems == []
    assert {(r.model, r.scenario, *r.main[:2]) for r in runs} == {
        ("eleutherai/pythia-1b-v0", "hella_swag", "exact_match", "valid"),
        ("openai/gpt2", "mmlu:subject=philosophy", "exact_match", "test"),
        ("openai/gpt2", "narrativeqa", "f1_score", "test"),
    }
    for run in runs:
        table = reader.responses(run, {run.main[0]})
        assert reader.recompute(run, main_figure(run), table) == pytest.approx(
            main_figure(run).value, abs=1e-9
        )


# ---------- responses


def test_every_main_figure_is_recomputed_from_its_answers(everything):
    reader, runs, _ = everything
    for run in runs:
        figure = main_figure(run)
        table = reader.responses(run, {figure.metric})
        assert abs(reader.recompute(run, figure, table) - figure.value) < 1e-9, run.run


def test_every_figure_that_is_a_mean_of_answers_is_recomputed(demo, everything):
    reader, runs, _ = everything
    first_of_each = {run.scenario: run for run in runs}.values()
    done = 0
    for run in first_of_each:
        table = reader.responses(run)
        for figure in run.figures:
            again = reader.recompute(run, figure, table)
            if again is not None:
                done += 1
                assert again == pytest.approx(figure.value, abs=1e-9), (run.run, figure)
            elif figure.perturbation is None and not math.isnan(figure.value):
                assert figure.metric.startswith(
                    ("num_instances", "perplexity", "bits_", "logprob_per", "ece_", "platt_", "sel")
                )
    assert done > 400


def test_responses_have_the_declared_columns_and_the_files_rows(everything):
    reader, runs, _ = everything
    run = runs[0]
    table = reader.responses(run)
    assert table.column_names == [c.name for c in RESPONSES]
    frame = to_pandas(table)
    assert len(frame) == 189
    assert set(frame["status"]) == {"ok", "unscored"}
    unscored = frame[frame["status"] == "unscored"]
    assert set(unscored["metric"]) == {"training_co2_cost", "training_energy_cost"}
    assert unscored["value"].isna().all()
    assert (unscored["weight"] == 0).all()
    one = to_pandas(reader.responses(run, {"exact_match"}))
    assert list(one["instance"]) == ["id138", "id114", "id64", "id85", "id12", "id109", "id145"]
    assert list(one["part"]) == ["test"] * 4 + ["valid"] + ["test"] * 2
    assert set(one["n_options"]) == {4.0}
    assert reader.responses(run, {"no_such_metric"}).num_rows == 0


def test_answers_keep_trial_sub_part_perturbation_and_weight(everything):
    reader, runs, _ = everything
    recall = next(r for r in runs if "standin_recall" in r.run)
    frame = to_pandas(reader.responses(recall, {"f1_score"}))
    assert (len(frame), set(frame["trial"])) == (140, {0, 1})
    assert frame["n_options"].isna().all()
    judge = next(r for r in runs if "standin_judge" in r.run)
    frame = to_pandas(reader.responses(judge, {"safety_score"}))
    assert frame["sub_part"].value_counts().to_dict() == {"harmful": 32, "benign": 32}
    assert set(frame["weight"]) == {1.0, 2.0}
    review = next(r for r in runs if "standin_review" in r.run)
    frame = to_pandas(reader.responses(review, {"exact_match"}))
    assert len(frame) == 320
    assert frame["perturbation"].isna().sum() == 80
    gender = next(p for p in frame["perturbation"].cat.categories if '"gender"' in p)
    assert json.loads(gender) == {
        "name": "gender",
        "robustness": False,
        "fairness": True,
        "computed_on": "perturbed",
        "mode": "pronouns",
        "prob": 1.0,
        "source_class": "male",
        "target_class": "female",
        "bidirectional": False,
    }


def test_weights_are_counts_so_a_run_is_no_mean_of_means(tmp_path, make_run, make_stat):
    # two judges said 1 of id0, one said 0 of id1: 2/3, not 1/2
    stats = [make_stat("safety_score", 1.0, 2), make_stat("safety_score", 0.0, 1)]
    stats.append(make_stat("safety_score", count=0))
    records = [
        {"instance_id": f"id{i}", "train_trial_index": 0, "stats": [stat]}
        for i, stat in enumerate(stats)
    ]
    published = [make_stat("safety_score", 2 / 3)]
    make_run(tmp_path / "s" / "a:1", stats=published, records=records)
    reader, [run], _ = read(tmp_path / "s")
    table = reader.responses(run)
    assert reader.recompute(run, main_figure(run), table) == pytest.approx(2 / 3)
    assert table.column("status").to_pylist() == ["ok", "ok", "unscored"]


def test_an_answer_that_stands_twice_is_reported_and_the_first_kept(tmp_path, make_run, make_stat):
    record = {"instance_id": "id0", "train_trial_index": 0}
    records = [{**record, "stats": [make_stat(value=v)]} for v in (1.0, 0.0)]
    make_run(tmp_path / "s" / "a:1", records=records)
    reader, [run], problems = read(tmp_path / "s")
    table = reader.responses(run)
    assert table.column("value").to_pylist() == [1.0]
    [problem] = problems
    assert problem.code == "duplicate-response"
    assert "exact_match of instance id0, trial 0" in problem.message


def test_bare_nan_is_unscored(tmp_path, make_run):
    records = (
        '[{"instance_id": "id0", "train_trial_index": 0, "stats": [{"name": {"name": "f1_score",'
        ' "split": "test"}, "count": 1, "sum": NaN, "mean": NaN}]}]'
    )
    make_run(tmp_path / "s" / "a:1", records=records)
    reader, [run], problems = read(tmp_path / "s")
    assert reader.responses(run).column("status").to_pylist() == ["unscored"]
    assert problems == []


def test_frames_are_those_of_the_objects(demo, everything):
    reader, runs, _ = everything
    shapes = [reader.frame(runs[0], table).shape for table in FRAMES]
    assert shapes == [(1, 39), (7, 58), (162, 15), (189, 13)]
    with pytest.raises(UsageError, match="unknown frame 'stat'; did you mean 'stats'"):
        reader.frame(runs[0], "stat")


# ---------- identity


def test_scenarios_are_named_by_module_or_class_and_never_share_a_name():
    assert scenario_base(f"{HELM}commonsense_scenario.CommonSenseScenario") == "commonsense"
    assert scenario_base(f"{HELM}vision_language.a_okvqa_scenario.AOKVQAScenario") == "a_okvqa"
    assert scenario_base(f"{HELM}gsm_scenario.GSM8KScenario") == "gsm8k"
    assert scenario_base(f"{HELM}dialogue_scenarios.EmpatheticDialoguesScenario") == (
        "empathetic_dialogues"
    )
    classes = [
        f"{HELM}simple_scenarios.SimpleMCQAScenario",
        f"{HELM}simple_scenarios.SimpleClassificationScenario",
        "mine.SimpleMCQAScenario",
        "mine.too.SimpleMCQAScenario",
    ]
    names = [scenario_base(c) for c in classes]
    assert names[:3] == ["simple_mcqa", "simple_classification", "simple_mcqa@mine"]
    assert len(set(names[:4])) == 4


def test_a_scenario_from_elsewhere_takes_its_own_name_when_the_groups_confirm_it():
    assert scenario_base("mine.RiddlesScenario", ["riddles"]) == "riddles"
    assert scenario_base("mine.RiddlesScenario", ["puzzles"]) == "riddles@mine"
    assert scenario_base("mine.MMLUScenario", ["mmlu"]) == "mmlu@mine"  # HELM has that name


def test_arguments_of_a_scenario_are_written_in_one_way():
    math_ = f"{HELM}math_scenario.MATHScenario"
    first = scenario_label(math_, {"subject": "a", "level": 1, "null": None})
    assert (
        first == scenario_label(math_, {"level": 1.0, "subject": "a"}) == "math:level=1,subject=a"
    )
    assert scenario_label(math_, {}) == "math"
    assert scenario_label(math_, {"x": "1,y=2"}) != scenario_label(math_, {"x": "1", "y": "2"})
    assert scenario_label(math_, {"x": [1, {"b": 2.0, "a": True}]}) == 'math:x=[1,{"a":true,"b":2}]'


def test_a_condition_is_the_same_over_versions_models_and_numbers_of_instances():
    old = {"method": "m", "model": "a/b", "temperature": 0, "max_eval_instances": 20}
    new = {
        "method": "m",
        "model": "a/c",
        "model_deployment": "h/c",
        "temperature": 0.0,
        "max_eval_instances": 1000,
        "global_suffix": "",
        "num_trials": 1,
        "sample_train": True,
        "multi_label": False,
        "chain_of_thought_prefix": "",
        "chain_of_thought_suffix": "\n",
        "eval_splits": None,
    }
    fields = condition_fields({"adapter_spec": old})
    assert fields == condition_fields({"adapter_spec": new, "data_augmenter_spec": {}})
    assert not {"model", "model_deployment", "max_eval_instances"} & set(fields)
    for change in ({"max_train_instances": 0}, {"temperature": 0.5}, {"eval_splits": ["test"]}):
        assert condition_fields({"adapter_spec": {**old, **change}}) != fields
    perturbed = {"perturbation_specs": [{"class_name": "m.P", "args": {"prob": 0.5}}]}
    changed = condition_fields({"adapter_spec": old, "data_augmenter_spec": perturbed})
    assert changed["perturbation_specs"] == [{"class_name": "m.P", "args": {"prob": 0.5}}]
    assert changed != fields


def test_all_models_of_a_scenario_share_its_condition(everything):
    _, runs, _ = everything
    conditions = collections.defaultdict(set)
    for run in runs:
        conditions[run.scenario].add(run.condition)
    assert {len(c) for c in conditions.values()} == {1}


def test_the_deployment_stands_in_where_there_is_no_model(tmp_path, make_run):
    spec = {"adapter_spec": {"model_deployment": "host/one"}}
    make_run(tmp_path / "s" / "a:1", spec=spec)
    _, [run], _ = read(tmp_path / "s")
    assert run.model == "host/one"


def test_the_users_own_names_are_used(demo):
    own = Identity(
        models={"fir/fir-1b": {"model": "forest/fir", "family": "conifers"}},
        scenarios={"mmlu:subject=anatomy": {"scenario": "bones", "scenario_group": "medicine"}},
    )
    _, runs, _ = read(demo.suites()[0].path, identity=own)
    assert (runs[0].model, runs[0].organisation, runs[0].family) == (
        "forest/fir",
        "forest",
        "conifers",
    )
    assert (runs[0].scenario, runs[0].scenario_group) == ("bones", "medicine")
    assert runs[0].name.endswith("model=fir_fir-1b")


# ---------- releases, reruns, duplicates


def test_reruns_are_ordered_by_release_then_naturally(everything, tmp_path, make_run):
    _, runs, _ = everything
    names = collections.Counter(r.name for r in runs)
    for name in (name for name, times in names.items() if times == 2):
        twice = sorted((r for r in runs if r.name == name), key=lambda r: r.order)
        assert [r.run.partition("/")[0] for r in twice] == ["standin-v1", "standin-v2"]
    assert sorted(names.values())[-3:] == [1, 2, 2]
    for suite in ("v2", "v10", "v9"):
        make_run(tmp_path / "runs" / suite / "a:1")
    _, found, _ = read(tmp_path)
    latest_last = [r.run.partition("/")[0] for r in sorted(found, key=lambda r: r.order)]
    assert latest_last == ["v2", "v9", "v10"]
    release = tmp_path / "releases" / "r1"
    release.mkdir(parents=True)
    (release / "runs_to_run_suites.json").write_text('{"toy:model=acme_one": "v2"}')
    _, found, _ = read(tmp_path)
    assert max(found, key=lambda r: r.order).run.startswith("v2/")
    assert natural_key("v1.9") < natural_key("v1.10") < natural_key("v1.10a")


def test_a_release_is_read_as_the_runs_it_names(demo, tmp_path, make_run):
    _, runs, problems = read(demo.releases()[0].path)
    assert (len(runs), problems) == (72, [])
    make_run(tmp_path / "runs" / "v1" / "toy:model=acme_one")
    release = tmp_path / "releases" / "r1"
    release.mkdir(parents=True)
    where = '{"toy:model=acme_one": "v1", "toy:model=gone": "v1"}'
    (release / "runs_to_run_suites.json").write_text(where)
    _, runs, problems = read(release)
    assert [r.run for r in runs] == ["v1/toy:model=acme_one"]
    assert [(p.code, p.run) for p in problems] == [("missing-run", "toy:model=gone")]


def test_the_schema_of_a_release_decides_for_its_suites(tmp_path, make_run, make_stat):
    stats = [make_stat(), make_stat("own")]
    make_run(tmp_path / "runs" / "v1" / "toy:model=acme_one", stats=stats)
    release = tmp_path / "releases" / "r1"
    release.mkdir(parents=True)
    (release / "runs_to_run_suites.json").write_text('{"toy:model=acme_one": "v1"}')
    group = {"name": "toy", "environment": {"main_name": "own", "main_split": "test"}}
    (release / "schema.json").write_text(json.dumps({"run_groups": [group]}))
    for source in (release, tmp_path, tmp_path / "runs" / "v1"):
        assert read(source)[1][0].main[0] == "own"


def test_a_run_name_that_stands_twice_in_a_suite_is_reported(tmp_path, make_run):
    for folder in ("a:1", "b:1"):
        make_run(tmp_path / "s" / folder)
    make_run(tmp_path / "s" / "c:1", spec={"name": "other"})
    _, runs, problems = read(tmp_path / "s")
    assert [r.location.rpartition("/")[2] for r in runs] == ["a:1", "c:1"]
    [problem] = problems
    assert (problem.code, problem.file) == ("duplicate-run", "b:1")
    assert "a:1" in problem.message


def test_suites_of_one_name_are_told_apart(tmp_path, make_run):
    for project in ("lite", "mmlu"):
        make_run(tmp_path / project / "benchmark_output" / "runs" / "v1" / "a:1")
    _, runs, problems = read(f"{tmp_path}/*/benchmark_output/runs/v1")
    assert problems == []
    assert [r.run for r in runs] == [
        "lite/benchmark_output/runs/v1/toy:model=acme_one",
        "mmlu/benchmark_output/runs/v1/toy:model=acme_one",
    ]


def test_a_latest_link_doubles_nothing(tmp_path, make_run):
    make_run(tmp_path / "runs" / "v1" / "a:1")
    (tmp_path / "runs" / "latest").symlink_to("v1")
    for source in (tmp_path, f"{tmp_path}/runs/*", f"{tmp_path}/runs/*/*"):
        assert [r.run for r in read(source)[1]] == ["v1/toy:model=acme_one"]


# ---------- problems, not crashes


@pytest.mark.parametrize(
    ("file", "content", "code"),
    [
        ("run_spec.json", None, "missing-file"),
        ("stats.json", None, "missing-file"),
        ("run_spec.json", '{"name": "toy', "bad-json"),
        ("stats.json", '[{"name"', "bad-json"),
        ("stats.json", "", "bad-json"),
        ("stats.json", "\ufeff[", "bad-json"),
        ("stats.json", "[" * 50_000, "bad-json"),
        ("stats.json", "[]", "no-figures"),
        ("stats.json", "{}", "bad-content"),
        ("stats.json", '[{"name": 3}]', "bad-content"),
        ("stats.json", '[{"name": {"name": "x"}, "mean": "high"}]', "bad-content"),
        ("stats.json", '[{"name": {"name": "x", "perturbation": 7}, "count": 1}]', "bad-content"),
        ("run_spec.json", "[]", "bad-content"),
        ("run_spec.json", "{}", "bad-content"),
        ("run_spec.json", '{"name": "a", "adapter_spec": {}}', "bad-content"),
        (
            "run_spec.json",
            '{"name": "a", "adapter_spec": {}, "scenario_spec": {"class_name": "m.C"}}',
            "no-model",
        ),
        (
            "run_spec.json",
            '{"name": "a", "adapter_spec": {"model": "m"}, "scenario_spec": {"class_name": "m.C",'
            ' "args": [1]}, "groups": 3, "data_augmenter_spec": []}',
            "bad-content",
        ),
    ],
)
def test_a_broken_run_is_reported_and_left_out_and_the_rest_goes_on(
    tmp_path, make_run, file, content, code
):
    broken = make_run(tmp_path / "s" / "a:broken")
    make_run(tmp_path / "s" / "b:whole")
    (broken / file).unlink()
    if content is not None:
        (broken / file).write_text(content)
    _, runs, problems = read(tmp_path / "s")
    assert [r.location.rpartition("/")[2] for r in runs] == ["b:whole"]
    [problem] = problems
    assert (problem.code, problem.file, problem.run) == (code, f"a:broken/{file}", "s/a:broken")
    if code == "bad-json":
        assert problem.offset is not None


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "missing-file"),
        ('[{"instance_id": "id0"', "bad-json"),
        ('[{"instance_id": "id0"}]', "bad-content"),
        ('[{"instance_id": 3, "stats": []}]', "bad-content"),
        ("{}", "bad-content"),
    ],
)
def test_broken_answers_are_reported_when_they_are_asked_for(tmp_path, make_run, content, code):
    folder = make_run(tmp_path / "s" / "a:1")
    (folder / "per_instance_stats.json").unlink()
    if content is not None:
        (folder / "per_instance_stats.json").write_text(content)
    reader, [run], problems = read(tmp_path / "s")
    assert problems == []
    assert reader.responses(run) is None
    assert reader.frame(run, "per_instance_stats") is None or code == "bad-content"
    assert problems[0].code == code
    assert reader.frame(run, "stats") is not None


def test_a_folder_that_looks_like_a_run_but_is_empty_is_reported(tmp_path, make_run):
    make_run(tmp_path / "s" / "b:1")
    (tmp_path / "s" / "a:1").mkdir()
    (tmp_path / "s" / "groups").mkdir()
    _, runs, problems = read(tmp_path / "s")
    assert (len(runs), [p.run for p in problems]) == (1, ["s/a:1"])


def test_single_runs_and_globs_are_read(demo):
    suite = demo.suites()[0]
    path = suite.runs()[0].path
    assert [r.run for r in read(path)[1]] == [f"my-suite/{path.name}"]
    assert len(read(f"{suite.path}/*anatomy*")[1]) == 2
    assert len(HelmRuns.coerce(f"{suite.path}/*anatomy*")) == 2
