"""The notebook that MAGNET's users know, with ``import harness`` for ``import magnet``."""

import contextlib
import shutil
import time
import warnings

import pandas as pd
import pytest

import harness
from harness.predictor import Predictor, RunPrediction, RunPredictor
from suites.errors import UsageError

NAME = "run_spec.name"
INSTANCE = "scenario_state.request_states.instance.id"
RUNS = [
    f"mmlu:subject={subject},method=multiple_choice_joint,model={model}"
    for subject in ("anatomy", "philosophy")
    for model in ("fir_fir-1b", "gum_gum-1b")
]


class Notebook:
    """The variables that the cells make, cell by cell as a user writes them."""

    def __init__(self):
        # In [2]
        outputs = harness.HelmOutputs.demo()
        suite_path = outputs.suites()[0].path

        # In [3]
        base_predictor = Predictor(num_eval_samples=5)
        prepared_predict_inputs = base_predictor.prepare_predict_inputs(suite_path)

        train_split, sequestered_test_split = prepared_predict_inputs

        train_run_specs_df = train_split.run_specs
        train_scenario_states_df = train_split.scenario_state
        train_stats_df = train_split.stats
        train_per_instance_stats_df = train_split.per_instance_stats

        eval_run_specs_df = sequestered_test_split.run_specs
        eval_scenario_states_df = sequestered_test_split.scenario_state

        vars(self).update(locals())


@pytest.fixture(scope="module")
def cells(demo) -> Notebook:
    return Notebook()


@pytest.fixture(scope="module")
def suite(demo):
    return demo.suites()[0]


def starts(frame: pd.DataFrame, *names: str) -> bool:
    return frame.columns[: len(names)].tolist() == list(names)


def test_cell_4_train_run_specs(cells):
    frame = cells.train_run_specs_df
    assert frame.shape == (3, 39)
    assert frame.index.tolist() == [0, 0, 0]
    assert frame[NAME].tolist() == RUNS[:3]
    assert starts(
        frame,
        "run_spec.name",
        "run_spec.scenario_spec.class_name",
        "run_spec.scenario_spec.args.subject",
        "run_spec.adapter_spec.method",
        "run_spec.adapter_spec.global_prefix",
        "run_spec.adapter_spec.global_suffix",
        "run_spec.adapter_spec.instructions",
        "run_spec.adapter_spec.input_prefix",
        "run_spec.adapter_spec.input_suffix",
        "run_spec.adapter_spec.reference_prefix",
    )
    assert frame.columns[-10:].tolist() == [
        "run_spec.metric_specs",
        "run_spec.data_augmenter_spec.perturbation_specs",
        "run_spec.data_augmenter_spec.should_augment_train_instances",
        "run_spec.data_augmenter_spec.should_include_original_train",
        "run_spec.data_augmenter_spec.should_skip_unchanged_train",
        "run_spec.data_augmenter_spec.should_augment_eval_instances",
        "run_spec.data_augmenter_spec.should_include_original_eval",
        "run_spec.data_augmenter_spec.should_skip_unchanged_eval",
        "run_spec.data_augmenter_spec.seeds_per_instance",
        "run_spec.groups",
    ]
    assert isinstance(frame["run_spec.metric_specs"].iloc[0], list)
    assert "mmlu" in frame["run_spec.groups"].iloc[0]


def test_cell_5_train_scenario_states(cells):
    frame = cells.train_scenario_states_df
    assert frame.shape == (21, 58)
    assert frame.index.tolist() == [*range(7)] * 3
    assert starts(
        frame,
        NAME,
        "scenario_state.adapter_spec.chain_of_thought_prefix",
        "scenario_state.adapter_spec.chain_of_thought_suffix",
        "scenario_state.adapter_spec.global_prefix",
        "scenario_state.adapter_spec.global_suffix",
        "scenario_state.adapter_spec.input_prefix",
        "scenario_state.adapter_spec.input_suffix",
        "scenario_state.adapter_spec.instance_prefix",
        "scenario_state.adapter_spec.instructions",
        "scenario_state.adapter_spec.max_eval_instances",
    )
    assert frame.columns[-10:].tolist() == [
        f"scenario_state.request_states.{end}"
        for end in (
            "request.temperature",
            "request.top_k_per_token",
            "request.top_p",
            "result.cached",
            "result.completions",
            "result.embedding",
            "result.request_datetime",
            "result.request_time",
            "result.success",
            "train_trial_index",
        )
    ]
    assert frame.columns[1:].tolist() == sorted(frame.columns[1:])


def test_cell_6_train_stats(cells):
    frame = cells.train_stats_df
    assert frame.shape == (486, 15)
    assert frame.index.tolist() == [*range(162)] * 3
    assert frame.columns.tolist() == [
        "run_spec.name",
        "stats.count",
        "stats.max",
        "stats.mean",
        "stats.min",
        "stats.name.name",
        "stats.name.perturbation.computed_on",
        "stats.name.perturbation.fairness",
        "stats.name.perturbation.name",
        "stats.name.perturbation.robustness",
        "stats.name.split",
        "stats.stddev",
        "stats.sum",
        "stats.sum_squared",
        "stats.variance",
    ]
    names = frame["stats.name.name"].tolist()
    assert names[:5] == [
        "num_references",
        "num_train_trials",
        "num_prompt_tokens",
        "num_completion_tokens",
        "num_output_tokens",
    ]
    last = frame.iloc[-5:]
    assert last["stats.name.name"].tolist() == [
        "num_perplexity_tokens",
        "num_bytes",
        "num_bytes",
        "num_instances",
        "num_instances",
    ]
    assert last["stats.name.perturbation.name"].tolist()[:3] == [
        "fairness",
        "robustness",
        "fairness",
    ]
    assert last["stats.mean"].tolist()[3:] == [6.0, 1.0]


def test_cell_7_train_per_instance_stats(cells):
    frame = cells.train_per_instance_stats_df
    assert frame.shape == (567, 13)
    assert frame.index.tolist() == [*range(189)] * 3
    assert frame.columns.tolist() == [
        "run_spec.name",
        "per_instance_stats.instance_id",
        "per_instance_stats.stats.count",
        "per_instance_stats.stats.max",
        "per_instance_stats.stats.mean",
        "per_instance_stats.stats.min",
        "per_instance_stats.stats.name.name",
        "per_instance_stats.stats.name.split",
        "per_instance_stats.stats.stddev",
        "per_instance_stats.stats.sum",
        "per_instance_stats.stats.sum_squared",
        "per_instance_stats.stats.variance",
        "per_instance_stats.train_trial_index",
    ]
    ids = frame["per_instance_stats.instance_id"]
    assert (ids.iloc[0], ids.iloc[-1]) == ("id138", "id131")


def test_cell_8_eval_run_specs(cells):
    frame = cells.eval_run_specs_df
    assert frame.shape == (1, 39)
    assert frame.columns.tolist() == cells.train_run_specs_df.columns.tolist()
    assert frame[NAME].tolist() == [RUNS[3]]


def test_cell_9_eval_scenario_states(cells):
    frame = cells.eval_scenario_states_df
    assert frame.shape == (5, 58)
    assert frame.columns.tolist() == cells.train_scenario_states_df.columns.tolist()
    assert frame.index.tolist() == [0, 2, 3, 4, 5]
    assert frame[INSTANCE].tolist() == ["id147", "id65", "id344", "id59", "id291"]


def test_the_sequestered_split_has_no_values(cells):
    assert cells.sequestered_test_split.stats is None
    assert cells.sequestered_test_split.per_instance_stats is None
    with pytest.raises(ValueError, match="cannot hold stats"):
        harness.SequesteredTestSplit(stats=cells.train_stats_df)


def test_frames_are_shown_at_once(cells):
    names = ["train_run_specs_df", "train_scenario_states_df", "train_stats_df"]
    names += ["train_per_instance_stats_df", "eval_run_specs_df", "eval_scenario_states_df"]
    for name in names:
        frame = getattr(cells, name)
        for show in (repr, lambda f: f._repr_html_()):
            started = time.process_time()
            assert NAME in show(frame)
            assert time.process_time() - started < 0.5, name


def test_frames_have_the_types_that_magnets_have(cells):
    stats, state = cells.train_stats_df, cells.train_scenario_states_df
    kinds = {c: str(stats[c].dtype) for c in ("stats.count", "stats.mean", "stats.name.name")}
    assert kinds == {
        "stats.count": "int64",
        "stats.mean": "float64",
        "stats.name.name": "object",
    }
    assert state["scenario_state.request_states.result.success"].dtype == bool
    assert state["scenario_state.request_states.request.top_p"].dtype == "int64"
    assert isinstance(state["scenario_state.request_states.result.completions"].iloc[0], list)


@pytest.mark.parametrize(
    ("seed", "run", "labels"),
    [
        (1, 3, [0, 2, 3, 4, 5]),
        (2, 1, [1, 2, 3, 4, 6]),
        (3, 3, [0, 2, 3, 4, 6]),
        (4, 2, [0, 1, 3, 4, 6]),
        (5, 0, [0, 1, 3, 5, 6]),
    ],
)
def test_a_seed_draws_the_run_and_the_instances_that_magnet_draws(suite, seed, run, labels):
    predictor = Predictor(num_eval_samples=5, random_seed=seed)
    train, test = predictor.prepare_predict_inputs(suite)
    assert test.run_specs[NAME].tolist() == [RUNS[run]]
    assert train.run_specs[NAME].tolist() == [r for i, r in enumerate(RUNS) if i != run]
    assert test.scenario_state.index.tolist() == labels


def test_a_source_may_be_named_in_any_way(suite):
    runs = [str(path) for path in suite.runs().paths]
    sources = [
        suite,
        suite.path,
        str(suite.path),
        suite.runs(),
        f"{suite.path}/*:*",
        runs,
        suite.runs().paths,
        [f"{suite.path}/*anatomy*", f"{suite.path}/*philosophy*"],
        list(suite.runs()),
    ]
    for source in sources:
        train, test = Predictor(num_eval_samples=5).prepare_predict_inputs(source)
        assert test.run_specs[NAME].tolist() == [RUNS[3]], source
        assert train.run_specs[NAME].tolist() == RUNS[:3]


def test_runs_may_be_filtered_by_their_spec(suite):
    class Anatomy(Predictor):
        def run_spec_filter(self, run_spec):
            assert isinstance(run_spec["adapter_spec"], dict)  # the file's own content
            return "anatomy" in run_spec["name"]

    train, test = Anatomy(num_example_runs=1, num_eval_samples=5).prepare_predict_inputs(suite)
    assert sorted([*train.run_specs[NAME], *test.run_specs[NAME]]) == RUNS[:2]


def test_runs_may_be_filtered_by_their_row(suite):
    class Fir(Predictor):
        def run_spec_dataframe_filter(self, row):
            return row["run_spec.adapter_spec.model"] == "fir/fir-1b"

    train, test = Fir(num_example_runs=1, num_eval_samples=5).prepare_predict_inputs(suite)
    assert sorted([*train.run_specs[NAME], *test.run_specs[NAME]]) == [RUNS[0], RUNS[2]]


@pytest.mark.parametrize(("example_runs", "left"), [(4, 4), (20, 4)])
def test_too_few_runs_are_refused_with_how_many_are_needed(suite, example_runs, left):
    message = f"needs at least {example_runs + 1} runs, but {left} are left of the 4"
    with pytest.raises(UsageError, match=message):
        Predictor(num_example_runs=example_runs).prepare_predict_inputs(suite)


def test_no_runs_left_are_refused(suite):
    class Nothing(Predictor):
        def run_spec_filter(self, run_spec):
            return False

    with pytest.raises(UsageError, match="0 are left of the 4"):
        Nothing().prepare_predict_inputs(suite)


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises((UsageError, FileNotFoundError, ValueError)):
        Predictor().prepare_predict_inputs(tmp_path / "nowhere")


def test_runs_of_one_name_are_refused(demo):
    suites = [s for s in demo.suites() if s.name.startswith("standin-")]
    with pytest.raises(UsageError, match="Give one suite at a time"):
        Predictor().prepare_predict_inputs([str(s.path) + "/*:*" for s in suites])


def test_too_few_instances_are_warned_of_and_all_are_shown(suite):
    with pytest.warns(UserWarning, match="7 instances, fewer than the num_eval_samples=20"):
        _, test = Predictor().prepare_predict_inputs(suite)
    assert len(test.scenario_state) == 7


def test_too_few_instances_may_be_an_error_or_ignored(suite):
    def predictor(policy):
        return Predictor(num_eval_samples=8, insufficient_eval_sample_policy=policy)

    with pytest.raises(UsageError, match="7 instances"):
        predictor("error").prepare_predict_inputs(suite)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, test = predictor("ignore").prepare_predict_inputs(suite)
    assert len(test.scenario_state) == 7
    with pytest.raises(UsageError, match="must be one of"):
        predictor("shout").prepare_predict_inputs(suite)


def test_exactly_as_many_instances_as_asked_for_are_no_reason_to_warn(suite):
    _, test = Predictor(num_eval_samples=7).prepare_predict_inputs(suite)
    assert test.scenario_state.index.tolist() == [*range(7)]


def test_all_perturbations_of_a_sampled_instance_are_kept_in_the_order_of_the_file(demo):
    suite = next(s for s in demo.suites() if s.name == "standin-v1")
    runs = suite.runs("standin_review*")
    _, test = Predictor(num_eval_samples=5).prepare_all_dataframes(runs)
    whole = runs[0].scenario_state()
    per_instance = len(whole) // whole[INSTANCE].nunique()
    assert per_instance > 1
    assert test.scenario_state[INSTANCE].nunique() == 5
    assert len(test.scenario_state) == 5 * per_instance
    assert test.scenario_state.index.is_monotonic_increasing
    ids = set(test.scenario_state[INSTANCE])
    assert set(test.per_instance_stats["per_instance_stats.instance_id"]) == ids
    assert len(test.stats) == len(runs[0].stats())  # of all instances, not of the sample


def test_a_split_reads_only_what_is_touched(suite, tmp_path):
    copy = tmp_path / "benchmark_output" / "runs" / "my-suite"
    shutil.copytree(suite.path, copy)
    for file in copy.rglob("per_instance_stats.json"):
        file.write_text("broken")
    train, _ = Predictor(num_eval_samples=5).prepare_predict_inputs(copy)
    assert len(train.stats) == 486
    with pytest.raises(UsageError, match=r"per_instance_stats\.json"):
        _ = train.per_instance_stats


# -- a predictor that is called ------------------------------------------------------------------


class Half(RunPredictor):
    """Predicts two figures of the evaluation run, and one that it does not have."""

    def predict(self, train_split, sequestered_test_split):
        assert isinstance(train_split, harness.TrainSplit)
        assert isinstance(sequestered_test_split, harness.SequesteredTestSplit)
        assert sequestered_test_split.stats is None
        (run,) = sequestered_test_split.run_specs[NAME]
        return [
            RunPrediction(run, "test", "exact_match", 0.25),
            RunPrediction(run, "valid", "exact_match", 0.5),
            RunPrediction(run, "test", "no_such_metric", 0.5),
        ]


@pytest.mark.parametrize("keyword", ["helm_runs", "helm_suites"])
def test_a_call_prints_and_returns_predicted_beside_actual_means(suite, keyword, capsys):
    table = Half(num_eval_samples=5)(**{keyword: suite.path})
    assert table.columns.tolist()[:5] == [
        "run_spec",
        "split",
        "stat_name",
        "predicted_mean",
        "actual_mean",
    ]
    assert table["run_spec"].tolist() == [RUNS[3]] * 2
    assert table["predicted_mean"].tolist() == [0.25, 0.5]
    assert table["actual_mean"].tolist() == [0.5, 1.0]
    words = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert words == [
        table.columns[:5].tolist(),
        [RUNS[3], "test", "exact_match", "0.25", "0.5"],
        [RUNS[3], "valid", "exact_match", "0.5", "1.0"],
    ]


def test_a_call_takes_exactly_one_source_by_keyword(suite):
    predictor = Half(num_eval_samples=5)
    for args, kwargs in [
        ((suite,), {}),
        ((), {}),
        ((), {"helm_runs": suite, "helm_suites": suite}),
        ((), {"runs": suite}),
        ((suite,), {"helm_runs": suite}),
    ]:
        with pytest.raises(ValueError, match="exactly one of"):
            predictor(*args, **kwargs)


def test_a_predictor_that_predicts_nothing_says_what_to_derive_from(suite):
    with pytest.raises(UsageError, match="derive it from RunPredictor"):
        Predictor(num_eval_samples=5)(helm_runs=suite)
    with pytest.raises(TypeError):
        RunPredictor()


def test_no_predictions_are_an_empty_table(suite, capsys):
    class Silent(RunPredictor):
        def predict(self, train_split, sequestered_test_split):
            return []

    with contextlib.redirect_stdout(None):
        table = Silent(num_eval_samples=5)(helm_runs=suite)
    assert (len(table), table.columns.tolist()[-1]) == (0, "actual_mean")


def test_predictions_as_a_frame_have_magnets_columns():
    frame = RunPrediction.to_df(
        [RunPrediction("r", "test", "em", 0.5, sum=3, perturbation_parameters={"prob": 0.1})]
    )
    assert frame.columns.tolist() == [
        "run_spec.name",
        "stats.name.split",
        "stats.count",
        "stats.max",
        "stats.mean",
        "stats.min",
        "stats.name.name",
        "stats.stddev",
        "stats.sum",
        "stats.sum_squared",
        "stats.variance",
        "stats.name.perturbation.computed_on",
        "stats.name.perturbation.name",
        "stats.name.perturbation.fairness",
        "stats.name.perturbation.robustness",
        "stats.name.perturbation.prob",
    ]
    assert frame["stats.sum_squared"].tolist() == [9]
