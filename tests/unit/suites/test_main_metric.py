from __future__ import annotations

import json

import pytest

from suites.helm.main_metric import BY_GROUP, PREFERRED, HelmSchema, main_metric
from suites.helm.reader import HelmReader
from suites.helm.structs import HelmFileError
from suites.metrics import known_metric
from suites.reader import ReadOptions

BOTH = ("test", "valid")


@pytest.mark.parametrize(
    ("groups", "available", "wanted"),
    [
        # rows of the table, one of each kind of HELM's schemas
        (["mmlu", "mmlu_anatomy"], ["exact_match", "quasi_exact_match"], ("exact_match", "test")),
        (["narrative_qa"], ["exact_match", "f1_score"], ("f1_score", "test")),
        (["natural_qa_closedbook"], ["exact_match", "f1_score"], ("f1_score", "valid")),
        (["legalbench"], ["exact_match", "quasi_exact_match"], ("quasi_exact_match", "test")),
        (["hellaswag"], ["exact_match"], ("exact_match", "valid")),
        (["msmarco_regular"], ["RR@10"], ("RR@10", "valid")),
        (["the_pile"], ["bits_per_byte", "exact_match"], ("bits_per_byte", "test")),
        (["mmlu_pro"], ["chain_of_thought_correctness"], ("chain_of_thought_correctness", "test")),
        (["wildbench"], ["wildbench_score_rescaled"], ("wildbench_score_rescaled", "test")),
        (["xstest"], ["exact_match", "safety_score"], ("safety_score", "test")),
        (["med_dialog"], ["med_dialog_accuracy"], ("med_dialog_accuracy", "test")),
        (["shc_bmt_med"], ["exact_match"], ("exact_match", "test")),
        (["billsum_legal_summarization"], ["rouge_1", "rouge_2"], ("rouge_2", "test")),
        (["spider"], ["execution_accuracy"], ("execution_accuracy", "valid")),
        # lite and classic disagree: the one whose metric the run has
        (["gsm"], ["exact_match_indicator", "final_number_exact_match"],
         ("final_number_exact_match", "test")),
        (["gsm"], ["exact_match", "exact_match_indicator"], ("exact_match_indicator", "test")),
        # medhelm's exact_match where lite's quasi_exact_match is not there
        (["med_qa"], ["exact_match"], ("exact_match", "test")),
    ],
)  # fmt: skip
def test_groups_choose_the_main_metric_of_helms_own_schemas(groups, available, wanted):
    assert main_metric(dict.fromkeys(available, BOTH), groups)[:2] == wanted


def test_the_most_specific_group_is_asked_first():
    found = main_metric({"exact_match": BOTH, "f1_score": BOTH}, ["mmlu", "narrative_qa"])
    assert found.metric == "f1_score"
    assert "group narrative_qa" in found.reason


def test_the_scenario_is_asked_where_the_groups_say_nothing():
    found = main_metric({"exact_match": BOTH, "f1_score": BOTH}, ["my_group"], "quac")
    assert found == ("f1_score", "valid", "HELM's schema classic, scenario quac")


def test_the_named_part_else_test_else_valid_else_what_there_is():
    assert main_metric({"f1_score": ["test"]}, ["quac"])[1] == "test"
    assert "for it has none at valid" in main_metric({"f1_score": ["test"]}, ["quac"]).reason
    assert main_metric({"exact_match": ["valid"]}, ["mmlu"])[1] == "valid"
    assert main_metric({"exact_match": ["train"]}, ["mmlu"])[1] == "train"
    assert main_metric({"exact_match": [None]}, ["mmlu"])[1] is None


def test_exact_match_stands_in_for_a_missing_quasi_exact_match():
    found = main_metric({"exact_match": ["valid"]}, ["boolq"])
    assert found[:2] == ("exact_match", "valid")
    assert "stands in" in found.reason


def test_preferred_metrics_then_the_first_that_is_no_bookkeeping():
    assert main_metric({"rouge_2": BOTH, "f1_score": BOTH})[0] == "f1_score"
    assert main_metric({"num_bytes": BOTH, "own": BOTH})[0] == "own"
    assert main_metric({"num_bytes": BOTH})[0] == "num_bytes"
    assert main_metric({}) is None


def test_the_schema_of_the_suite_goes_first_and_what_it_lacks_falls_through(tmp_path):
    path = tmp_path / "schema.json"
    group = {"name": "mmlu", "environment": {"main_name": "f1_score", "main_split": "valid"}}
    other = {"name": "own", "environment": {"main_name": "not_there", "main_split": "test"}}
    metrics = [{"name": "own_cost", "lower_is_better": True}, {"name": "num_instances"}]
    path.write_text(json.dumps({"run_groups": [group, other, {"name": "all"}], "metrics": metrics}))
    schema = HelmSchema.load(path)
    assert schema.higher_is_better == {"own_cost": False}
    available = {"exact_match": BOTH, "f1_score": BOTH}
    found = main_metric(available, ["mmlu"], schema=schema)
    assert found == ("f1_score", "valid", "schema.json of the suite, group mmlu")
    assert main_metric(available, ["mmlu", "own"], schema=schema)[0] == "f1_score"
    assert main_metric(available, ["own"], schema=schema)[0] == "exact_match"


def test_a_schema_that_is_none_is_refused(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text('{"run_groups": ["mmlu"]}')
    with pytest.raises(HelmFileError, match="not a schema"):
        HelmSchema.load(path)


def test_the_table_names_no_metric_at_a_part_that_helm_does_not_have():
    for rows in BY_GROUP.values():
        assert {part for _, _, part in rows} <= set(BOTH)


def test_every_run_of_the_demo_data_has_the_main_metric_of_its_schema(demo):
    reader = HelmReader.open(str(demo.root_dir), ReadOptions(), pytest.fail)
    wanted = {"standin_recall": "f1_score", "standin_judge": "safety_score"}
    for run in reader.runs():
        metric = wanted.get(run.name.partition(":")[0], "exact_match")
        assert run.main[:2] == (metric, "test")
        assert run.main[2].startswith("schema.json of the suite, group ")


# ---------- what is known of metrics


def test_facts_are_known_by_name_by_pattern_and_for_the_best_of_k():
    assert known_metric("exact_match").binary is True
    assert known_metric("exact_match@5").upper == 1
    assert (known_metric("safety_gpt_score").lower, known_metric("safety_score").binary) == (
        0,
        False,
    )
    assert known_metric("air_category_1_1_3_score").higher_is_better is True
    assert (known_metric("Helpfulness").lower, known_metric("Helpfulness").upper) == (1, 5)
    assert known_metric("RR@10").binary is False
    assert known_metric("ece_10_bin").higher_is_better is False
    assert known_metric("bbq_metric_ambiguous_bias").higher_is_better is False


def test_bounds_that_there_are_not_or_that_are_unknown_are_none():
    assert known_metric("bits_per_byte").upper is None
    assert known_metric("logprob").lower is None
    unknown = known_metric("something_new")
    assert (unknown.lower, unknown.upper, unknown.higher_is_better, unknown.binary) == (None,) * 4
    assert known_metric("num_instances").higher_is_better is None


def test_preferred_metrics_are_known_with_their_direction():
    for metric in PREFERRED:
        assert known_metric(metric).higher_is_better is not None, metric
