from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from suites.errors import UsageError
from suites.helm.frames import DotDictDataFrame, frame_of_run, frame_of_runs
from suites.helm.objects import HelmRuns

TABLES = ("run_spec", "scenario_state", "stats", "per_instance_stats")
OBJECT = np.dtype(object)


def shapes(runs):
    return [getattr(runs, table)().shape for table in TABLES]


# ---------- shapes, as in MAGNET


def test_my_suite_has_the_shapes_of_the_seed_notebook(demo):
    runs = demo.suites()[0].runs()
    for run in runs:
        assert shapes(run) == [(1, 39), (7, 58), (162, 15), (189, 13)]
    assert shapes(runs) == [(4, 39), (28, 58), (648, 15), (756, 13)]
    assert shapes(runs[:3]) == [(3, 39), (21, 58), (486, 15), (567, 13)]


@pytest.mark.parametrize(
    ("glob", "spec", "state", "stats", "per_instance"),
    [
        ("standin_mc*", (1, 39), (84, 58), {132, 152, 154}, (1932, 13)),
        ("simple_mcqa*", (1, 38), (79, 56), {63, 78, 89}, (2133, 13)),
        ("standin_review*", (1, 38), (320, 64), {540, 620, 626, 628}, (7360, 23)),
        ("standin_recall*", (1, 38), (140, 54), {63, 74, 78}, (3080, 13)),
        ("standin_judge*", (1, 39), (64, 61), {114}, (1273, 14)),
    ],
)
def test_standin_scenarios_have_their_shapes(demo, glob, spec, state, stats, per_instance):
    run = demo.suites()[1].runs(glob)[2]  # acorn/oak-7b, whose shapes are the usual ones
    found = shapes(run)
    assert found[:2] == [spec, state]
    assert found[2][0] in stats
    if glob != "standin_judge*":
        assert found[3] == per_instance
    else:  # a judge's failures leave Stats out, so the number of rows is the model's own
        assert found[3][1] == per_instance[1]
        assert (1273, 14) in {r.per_instance_stats().shape for r in demo.suites()[1].runs(glob)}


def test_real_llama_runs_have_their_shapes(shared_helm):
    runs = HelmRuns.coerce(shared_helm("mmlu-llama3"))
    run = next(r for r in runs if "groq_llama3-70b" in str(r.path))
    assert shapes(run) == [(1, 37), (20, 56), (162, 15), (540, 13)]


# ---------- columns, order, index


def test_run_spec_keeps_the_order_of_the_file(demo):
    columns = list(demo.suites()[0].runs().run_spec().columns)
    assert columns[:3] == [
        "run_spec.name",
        "run_spec.scenario_spec.class_name",
        "run_spec.scenario_spec.args.subject",
    ]
    assert columns[-1] == "run_spec.groups"
    assert sum(c.startswith("run_spec.data_augmenter_spec.") for c in columns) == 8


def test_the_other_frames_have_the_key_first_and_the_rest_sorted(demo):
    run = demo.suites()[0].runs()[0]
    for table in TABLES[1:]:
        first, *rest = getattr(run, table)().columns
        assert first == "run_spec.name"
        assert rest == sorted(rest)
    names = (
        "count max mean min name.name name.perturbation.computed_on name.perturbation.fairness "
        "name.perturbation.name name.perturbation.robustness name.split stddev sum sum_squared "
        "variance"
    )
    assert list(run.stats().columns[1:]) == [f"stats.{name}" for name in names.split()]


def test_index_labels_start_again_with_each_run(demo):
    runs = demo.suites()[0].runs()[:3]
    assert list(runs.run_spec().index) == [0, 0, 0]
    assert list(runs.scenario_state().index) == list(range(7)) * 3
    assert list(runs[0].stats().index) == list(range(162))


def test_rows_are_in_the_order_of_the_files(demo):
    runs = demo.suites()[0].runs()
    anatomy, philosophy = runs[0].scenario_state(), runs[3].scenario_state()
    ids = "scenario_state.request_states.instance.id"
    assert list(anatomy[ids]) == ["id138", "id114", "id64", "id85", "id12", "id109", "id145"]
    assert list(philosophy[ids]) == ["id147", "id11", "id65", "id344", "id59", "id291", "id131"]
    stats = runs[2].stats()
    assert list(stats["stats.name.name"][:5]) == [
        "num_references",
        "num_train_trials",
        "num_prompt_tokens",
        "num_completion_tokens",
        "num_output_tokens",
    ]
    assert list(stats["stats.name.name"][157:]) == [
        "num_perplexity_tokens",
        "num_bytes",
        "num_bytes",
        "num_instances",
        "num_instances",
    ]
    assert list(stats["stats.mean"][160:]) == [6, 1]


def test_exact_match_of_my_suite_is_what_was_measured(demo):
    frame = demo.suites()[0].runs().stats()
    plain = frame[
        (frame["stats.name.name"] == "exact_match") & frame["stats.name.perturbation.name"].isna()
    ]
    means = plain.groupby("stats.name.split")["stats.mean"].apply(list).to_dict()
    assert means == {"test": [3 / 6, 3 / 6, 4 / 6, 3 / 6], "valid": [0, 0, 1, 1]}


def test_columns_of_later_runs_come_last(demo):
    suite = demo.suites()[1]
    runs = HelmRuns([suite.runs("standin_mc*")[0].path, suite.runs("standin_judge*")[0].path])
    frame = runs.stats()
    assert list(frame.columns)[-1] == "stats.name.sub_split"
    assert frame["stats.name.sub_split"].isna().sum() == len(runs[0].stats())


# ---------- dtypes and missing values


def test_dtypes_are_those_of_pandas_2_under_every_pandas(demo):
    frame = demo.suites()[0].runs().stats()
    assert frame["run_spec.name"].dtype == OBJECT
    assert frame["stats.name.name"].dtype == OBJECT
    assert frame["stats.name.perturbation.fairness"].dtype == OBJECT  # bool with gaps
    assert frame["stats.count"].dtype == np.int64
    assert frame["stats.mean"].dtype == np.float64
    assert frame.columns.dtype == OBJECT
    state = demo.suites()[0].runs()[0].scenario_state()
    assert state["scenario_state.request_states.result.success"].dtype == bool
    assert state["scenario_state.request_states.request.top_p"].dtype == np.int64
    assert state["scenario_state.request_states.request.temperature"].dtype == np.float64


def rows(*extras):
    return {"adapter_spec": {"m": 1}, "request_states": [{"e": extra} for extra in extras]}


def column(content, name="x"):
    frame = frame_of_run("scenario_state", "r", content)
    return frame[f"scenario_state.request_states.e.{name}"]


def test_a_missing_key_is_nan_and_a_null_is_none_where_there_is_text():
    found = column(rows({"x": "a"}, {"x": None}, {}))
    assert found.dtype == OBJECT
    assert found[1] is None
    assert isinstance(found[2], float)
    assert math.isnan(found[2])


def test_a_null_among_numbers_is_nan_and_nulls_alone_stay_none():
    assert column(rows({"x": 1}, {"x": None})).dtype == np.float64
    assert column(rows({"x": None}, {"x": None})).tolist() == [None, None]
    assert column(rows({"x": True}, {"x": False})).dtype == bool
    assert column(rows({"x": True}, {})).dtype == OBJECT
    assert column(rows({"x": 2**63}, {"x": 1})).dtype == np.uint64
    assert column(rows({"x": 2**70}, {"x": 1})).dtype == OBJECT


def test_flattening_keeps_lists_and_drops_empty_objects():
    nested = {"a": {}, "b": [], "c": {"d": {"e": 1}, "f": [{"g": 1}], "h": None}}
    frame = frame_of_run("run_spec", "r", {"name": "r", **nested})
    wanted = [f"run_spec.{c}" for c in ("name", "b", "c.d.e", "c.f", "c.h")]
    assert list(frame.columns) == wanted
    assert frame["run_spec.c.f"][0] == [{"g": 1}]
    assert frame["run_spec.c.h"][0] is None


def test_a_key_with_a_dot_and_a_nested_one_share_their_column():
    frame = frame_of_run("run_spec", "r", {"a": {"b": 1}, "a.b": 2})
    assert frame.to_dict("list") == {"run_spec.a.b": [2]}


def test_texts_of_helm_0_1_are_columns_of_their_own(tmp_path, make_run):
    state = {"adapter_spec": {}, "request_states": [{"instance": {"input": "q", "id": "id0"}}]}
    runs = HelmRuns.coerce([make_run(tmp_path / "a:1", state=state), make_run(tmp_path / "b:1")])
    frame = runs.scenario_state()
    assert frame["scenario_state.request_states.instance.input"].iloc[0] == "q"
    assert frame["scenario_state.request_states.instance.input.text"].iloc[1] == "q"


def test_an_empty_list_gives_the_key_column_alone():
    assert frame_of_run("stats", "r", []).shape == (0, 1)
    assert frame_of_run("per_instance_stats", "r", []).shape == (0, 1)
    assert frame_of_run("scenario_state", "r", {"request_states": []}).shape == (0, 1)


def test_an_empty_run_between_others_is_a_gap():
    stat = {"name": {"name": "f1"}, "count": 1, "mean": 0.5, "ok": True}
    frame = frame_of_runs("stats", [("a", [stat]), ("b", []), ("c", [stat])])
    assert list(frame["run_spec.name"]) == ["a", "c"]
    assert [frame[f"stats.{c}"].dtype for c in ("count", "ok")] == [np.float64, OBJECT]


def test_dtypes_of_runs_that_differ_are_joined_as_pandas_2_does():
    def stat(value):
        return [{"name": {"name": "f1"}, **({} if value is ... else {"x": value})}]

    def joined(*values):
        found = frame_of_runs("stats", [(str(i), stat(v)) for i, v in enumerate(values)])
        return found["stats.x"]

    assert joined(1, 2).dtype == np.int64
    assert joined(1, 0.5).dtype == np.float64
    assert joined(1, ...).dtype == np.float64
    assert joined(True, ...).tolist()[0] is True
    assert joined(True, 1).dtype == OBJECT
    assert joined("a", 1).tolist() == ["a", 1]
    assert joined(None, "a").tolist() == [None, "a"]
    assert joined(1, None).tolist() == [1, None]
    assert joined(0.5, None).dtype == np.float64
    assert joined(1, None, ...).dtype == np.float64
    assert joined(1, None, 0.5).dtype == np.float64


def test_the_perturbation_of_a_record_stays_an_object_in_one_cell(demo):
    frame = demo.suites()[1].runs("standin_review*")[0].per_instance_stats()
    cells = frame["per_instance_stats.perturbation"].dropna()
    assert {cell["name"] for cell in cells} == {"misspellings", "lowercase", "gender"}


def test_no_runs_make_no_frame():
    with pytest.raises(ValueError, match="nothing to concatenate"):
        HelmRuns([]).stats()
    with pytest.raises(ValueError, match="no such frame"):
        frame_of_run("instances", "r", [])


def test_content_that_is_no_helm_is_refused_and_not_a_bug():
    for table, content in [
        ("stats", [1, 2]),
        ("per_instance_stats", [{"instance_id": "id0"}]),
        ("per_instance_stats", [{"stats": [None]}]),
        ("scenario_state", {"request_states": [[]]}),
        ("scenario_state", {"request_states": 3}),
    ]:
        with pytest.raises(UsageError, match="not what HELM writes"):
            frame_of_run(table, "r", content)


def test_one_text_is_one_object_however_often_it_stands_in_a_frame(demo):
    frame = demo.suites()[0].runs().per_instance_stats()
    metrics = frame["per_instance_stats.stats.name.name"]
    assert len({id(v) for v in metrics}) == metrics.nunique()
    assert len({id(v) for v in frame["run_spec.name"]}) == 4


# ---------- DotDictDataFrame


@pytest.fixture
def dotted():
    return DotDictDataFrame(
        {"id": [1, 2], "p.m.f1": [0.5, 0.5], "p.fit.seed": [1, 2], "p.data.seed": [3, 3]}
    )


def test_slices_and_joins_keep_the_class(dotted):
    for frame in (
        dotted[dotted["id"] > 1],
        dotted.loc[:, ["id"]],
        dotted.copy(),
        dotted.head(1),
        pd.concat([dotted, dotted]),
        dotted.merge(dotted, on="id"),
        dotted.rename(columns={"id": "x"}),
        dotted.prefix["p"],
    ):
        assert isinstance(frame, DotDictDataFrame)


def test_columns_are_found_by_either_end(dotted):
    assert list(dotted.prefix["p.fit"].columns) == ["p.fit.seed"]
    assert list(dotted.prefix[["id", "p.m"]].columns) == ["id", "p.m.f1"]
    assert list(dotted.suffix["seed"].columns) == ["p.fit.seed", "p.data.seed"]
    assert list(dotted.suffix[["id", "m.f1"]].columns) == ["id", "p.m.f1"]
    assert list(dotted.prefix_subframe(["p", "p.fit"], drop_prefix=True).columns) == [
        "m.f1",
        "seed",
        "data.seed",
    ]
    assert list(dotted.prefix["p.f"].columns) == []


def test_names_are_lengthened_and_shortened(dotted):
    assert dotted.insert_prefix("x").columns[0] == "x.id"
    with pytest.raises(UsageError, match="without the dot"):
        dotted.insert_prefix("x.")
    short, mapping = dotted.shorten_columns(return_mapping=True)
    assert list(short.columns) == ["id", "f1", "fit.seed", "data.seed"]
    assert mapping["p.m.f1"] == "f1"
    assert list(dotted.shorten_columns(min_length=2).columns)[1] == "m.f1"


def test_order_changes_only_what_is_named(dotted):
    moved = dotted.reorder(head=["p.m.f1"], tail=["id"], axis=1)
    assert list(moved.columns) == ["p.m.f1", "p.fit.seed", "p.data.seed", "id"]
    assert list(dotted.reorder([1]).index) == [1, 0]
    assert list(dotted.reorder(["no"], axis=1, missing="drop").columns) == list(dotted.columns)
    assert dotted.reorder(["no"], axis=1, missing="fill").columns[0] == "no"
    with pytest.raises(ValueError, match="no such labels"):
        dotted.reorder(["no"], axis=1)
    with pytest.raises(ValueError, match="both head and tail"):
        dotted.reorder(["id"], ["id"], axis=1)
    with pytest.raises(ValueError, match="missing must be"):
        dotted.reorder(["id"], axis=1, missing="maybe")
    assert dotted.safe_drop(["id", "no"], axis=1).columns[0] == "p.m.f1"


def test_columns_match_globs_and_regular_expressions(dotted):
    assert dotted.match_columns("p.*.seed") == ["p.fit.seed", "p.data.seed"]
    assert dotted.match_columns("seed") == []
    assert dotted.search_columns("seed") == ["p.fit.seed", "p.data.seed"]
    assert dotted.match_columns(r"p\.[a-z]\.", hint="regex") == ["p.m.f1"]
    assert dotted.search_columns(re.compile("fit|m")) == ["p.m.f1", "p.fit.seed"]
    assert dotted.match_columns("id", hint="strict") == ["id"]
    with pytest.raises(ValueError, match="hint must be"):
        dotted.match_columns("id", hint="fuzzy")


def test_varied_values_count_nan_once_and_lists_as_tuples():
    frame = DotDictDataFrame(
        {"a": [1, 1], "b": [float("nan"), float("nan")], "c": [[1], [1]], "d": [{}, 1]}
    ).astype({"d": object})
    with pytest.raises(TypeError) as caught:
        frame.varied_values()
    assert "in column 'd'" in caught.value.__notes__[0]
    counts = frame.varied_value_counts(on_error="ignore")
    assert counts["a"] == {1: 2}
    assert list(counts["b"].values()) == [2]
    assert counts["c"] == {(1,): 2}
    assert frame.varied_values(on_error="placeholder")["d"] == {"{}", 1}
    assert list(frame.varied_values(2, on_error="placeholder")) == ["d"]
    assert frame.varied_values(on_error="ignore", dropna=True)["b"] == set()
    assert "d" not in frame.varied_values(0, 1, on_error="placeholder")


def test_a_wide_frame_prints(demo):
    frame = demo.suites()[0].runs().scenario_state()
    assert "[28 rows x 58 columns]" in repr(frame)
    assert "<table" in frame._repr_html_()
