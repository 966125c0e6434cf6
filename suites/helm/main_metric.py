"""Which of a run's many numbers is its score.

HELM does not say it in the run's folder: a leaderboard's schema does, by run group. The table here
holds what the schemas and the scenarios' metadata of crfm-helm 0.5.16 say; a suite's own
schema.json goes before it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from suites.helm.structs import HelmFileError, load_json


class MainMetric(NamedTuple):
    """A run's main metric, the part it is read at, and why."""

    metric: str
    part: str | None
    reason: str


# schema | metric @ part | run groups. Schemas that come first are asked first: lite and classic
# disagree on gsm, for one. "*" stands for any text; whole names go before patterns.
_TABLE = """
lite | f1_score@test | narrative_qa
lite | f1_score@valid | natural_qa_closedbook natural_qa_openbook_longans
lite | exact_match@test | openbookqa mmlu
lite | final_number_exact_match@test | gsm
lite | math_equiv_chain_of_thought@test | math_chain_of_thought
lite | quasi_exact_match@test | legalbench med_qa
lite | bleu_4@test | wmt_14
mmlu | exact_match@test | mmlu mmlu_*
capabilities | chain_of_thought_correctness@test | mmlu_pro gpqa
capabilities | ifeval_strict_accuracy@test | ifeval
capabilities | wildbench_score_rescaled@test | wildbench
capabilities | omni_math_accuracy@test | omni_math
safety | safety_score@test | harm_bench harm_bench_gcg_transfer simple_safety_tests xstest
safety | safety_score@test | anthropic_red_team
safety | bbq_accuracy@test | bbq
air_bench | air_score@test | air_bench_2024
medhelm | exact_match@test | clear ehrshot head_qa medbullets med_qa pubmed_qa race_based_med
medhelm | exact_match@test | n2c2_ct_matching medhallu shc_*_med
medhelm | exact_match@valid | med_mcqa
medhelm | medcalc_bench_accuracy@test | medcalc_bench
medhelm | medec_error_flag_accuracy@test | medec
medhelm | ehr_sql_execution_accuracy@test | ehr_sql
medhelm | mimiciv_billing_code_f1@test | mimiciv_billing_code
medhelm | mtsamples_replicate_accuracy@test | mtsamples_replicate
medhelm | medalign_accuracy@test | medalign
medhelm | dischargeme_accuracy@test | dischargeme
medhelm | aci_bench_accuracy@test | aci_bench
medhelm | mtsamples_procedures_accuracy@test | mtsamples_procedures
medhelm | mimic_rrs_accuracy@test | mimic_rrs
medhelm | mimic_bhc_accuracy@test | mimic_bhc
medhelm | chw_care_plan_accuracy@test | chw_care_plan
medhelm | medication_qa_accuracy@test | medication_qa
medhelm | starr_patient_instructions_accuracy@test | starr_patient_instructions
medhelm | med_dialog_accuracy@test | med_dialog
medhelm | medi_qa_accuracy@test | medi_qa
medhelm | mental_health_accuracy@test | mental_health
classic | quasi_exact_match@valid | boolq imdb
classic | f1_score@valid | quac
classic | exact_match@valid | hellaswag truthful_qa
classic | exact_match@test | blimp thai_exam cleva_*
classic | RR@10@valid | msmarco_regular
classic | NDCG@10@valid | msmarco_trec
classic | rouge_2@test | summarization_cnndm summarization_xsum summarization_xsum_sampled
classic | rouge_2@test | *_legal_summarization
classic | quasi_exact_match@test | raft civil_comments wikifact babi_qa synthetic_reasoning
classic | quasi_exact_match@test | legalbench legal_support lsat_qa med_qa entity_matching
classic | quasi_exact_match@test | entity_data_imputation bbq decodingtrust_adv_robustness
classic | quasi_exact_match@test | decodingtrust_adv_demonstration decodingtrust_ood_robustness
classic | quasi_exact_match@test | decodingtrust_fairness decodingtrust_privacy
classic | quasi_exact_match@test | decodingtrust_machine_ethics
classic | bits_per_byte@test | ice the_pile twitter_aae twitter_aae_aa twitter_aae_white
classic | bits_per_byte@test | cleva_language_modeling
classic | cleva_top1_accuracy@test | cleva_conceptual_generalization
classic | chinese_bleu_1@test | cleva_data_to_text_generation cleva_dialogue_generation
classic | chinese_bleu_1@test | cleva_pinyin_transliteration
classic | cleva_math_result_match@test | cleva_mathematical_reasoning
classic | chinese_ibleu@test | cleva_paraphrase_generation
classic | chinese_rouge_2@test | cleva_summarization
classic | cleva_machine_translation_bleu@test | cleva_translation
classic | exact_match_indicator@test | dyck_language gsm
classic | f1_set_match@test | synthetic_reasoning_natural
classic | math_equiv@test | math_regular
classic | test_avg@test | code_apps
classic | pass@test | code_humaneval
classic | classification_macro_f1@test | lextreme lex_glue
arabic | exact_match@test | alghafa arabic_mmlu arabic_exams madinah_qa aratrust
arabic | exact_match@test | mbzuai_human_translated_arabic_mmlu
arabic | alrage_score@test | alrage
arabic_enterprise | arabic_content_generation_score@test | arabic_content_generation
arabic_enterprise | calculation_accuracy@test | arabic_finance_calculation
arabic_enterprise | exact_match@test | arabic_finance_mcq
arabic_enterprise | quasi_exact_match@test | arabic_finance_bool
arabic_enterprise | model_judged_score@test | arabic_legal_qa arabic_legal_rag
autobencher | annotation_autobencher_capabilities_score@test | autobencher_*
enterprise | classification_weighted_f1@test | financial_phrasebank gold_commodity_news
enterprise | classification_weighted_f1@test | echr_judgment_classification
enterprise | float_equiv@valid | conv_fin_qa_calc
enterprise | adjusted_macro_f1_score@test | kpi_edgar
enterprise | rouge_l@test | legal_contract_summarization sumosum
enterprise | quasi_exact_match@test | casehold legal_opinion_sentiment_classification
enterprise | quasi_exact_match@test | cti_to_mitre
others | exact_match@test | ewok ewok_* enem_challenge tweetsentbr winogrande_afr winogrande_afr_*
others | exact_match@test | thai_exam_* audio_mnist
others | quasi_exact_match@test | iemocap_audio
others | f1_score@test | msr_vtt
finance | program_accuracy@test | fin_qa
finance | annotation_financebench_label_correct_answer@test | financebench
finance | quasi_exact_match@test | banking77
instruction_following | Helpfulness@test | anthropic_hh_rlhf grammar koala vicuna self_instruct
instruction_following | Helpfulness@valid | open_assistant
long_context | ruler_string_match_part@valid | ruler_squad ruler_hotpotqa
long_context | exact_match@test | infinite_bench_en_mc
long_context | rouge_l@test | infinite_bench_en_sum
long_context | openai_mrcr_accuracy@test | openai_mrcr
sql | execution_accuracy@valid | spider bird_sql
czech_bank | error_rate@test | czech_bank_qa
seahelm | exact_match@test | indicxnli indonli lindsea_* xcopa_* xnli_*
seahelm | chr_f_plus_plus@test | flores_*
seahelm | classification_macro_f1@test | indicsentiment mlhsd nusax thaitoxicitytweets uitvsfc
seahelm | classification_macro_f1@test | vihsd wisesight
seahelm | squad_f1_score@test | indicqa tydiqa xquad_*
melt | RR@10@valid | melt_information_retrieval_mmarco
melt | NDCG@10@valid | melt_information_retrieval_mrobust
melt | rouge_2@test | melt_summarization_*
melt | math_equiv@test | melt_math_regular
melt | math_equiv_chain_of_thought@test | melt_math_chain_of_thought
melt | f1_set_match@test | melt_synthetic_reasoning_natural
melt | quasi_exact_match@test | melt_*
decodingtrust | quasi_exact_match@valid | adv_demonstration adv_robustness fairness
decodingtrust | quasi_exact_match@valid | ood_robustness
decodingtrust | quasi_exact_match@test | machine_ethics privacy
torr | rougeL@test | numeric_nlg qtsumm scigen tablebench_*
torr | accuracy@test | tab_fact
torr | f1_micro@test | turl_col_type
torr | f1_strings@test | wikitq
unitxt | accuracy@test | unitxt_cards.amazon_mass.* unitxt_cards.xnli.*
unitxt | rougeL@test | unitxt_cards.mlsum.* unitxt_cards.xlsum.*
slp | classification_micro_f1@test | disorder_diagnosis disorder_type_diagnosis symptom_diagnosis
slp | classification_macro_f1@test | slphelm_*
slp | wer@test | slphelm_asr_transcription
slp | wer_score@test | transcription
audio | quasi_exact_match@test | air_bench_foundation mustard mutox parade voxceleb2
audio | gpt4_audio_critique@test | air_bench_chat_* audiocaps
audio | wer_score@test | multilingual_librispeech fleurs fleurs_fairness speech_robust_bench ami
audio | wer_score@test | librispeech librispeech_fairness
audio | bleu@test | covost2
audio | quasi_prefix_exact_match@test | vocal_sound meld_audio corebench
audio | refusal_rate@test | voice_jailbreak_attacks
vhelm | quasi_prefix_exact_match@valid | a_okvqa* mm_star* blink* gqa viz_wiz vqa vqa* mmmu
vhelm | quasi_prefix_exact_match@valid | fair_face
vhelm | quasi_prefix_exact_match@test | hateful_memes unicorn pope seed_bench mme pairs exams_v
vhelm | prometheus_vision@test | bingo bingo_* crossmodal_3600 flickr30k mementos vibe_eval
vhelm | toxic_frac@test | mm_safety_bench
vhelm | quasi_leave_articles_exact_match@test | real_world_qa
vhelm | exact_match@test | math_vista
image2struct | earth_mover_similarity@valid | image2webpage* image2latex* image2musicsheet*
elsewhere | exact_match@test | alrage
elsewhere | exact_match@valid | mmmu
elsewhere | quasi_exact_match@valid | viz_wiz vqa
elsewhere | quasi_exact_match@test | meld_audio
"""

PREFERRED: tuple[str, ...] = (
    "exact_match",
    "quasi_exact_match",
    "f1_score",
    "chain_of_thought_correctness",
    "safety_score",
    "quasi_prefix_exact_match",
    "prefix_exact_match",
    "final_number_exact_match",
    "exact_match_indicator",
    "math_equiv_chain_of_thought",
    "math_equiv",
    "classification_macro_f1",
    "rouge_2",
    "rouge_l",
    "bleu_4",
    "RR@10",
    "NDCG@10",
    "bits_per_byte",
    "toxic_frac",
)
"""What is tried, in this order, when no schema and no group tells a run's main metric."""

_BOOKKEEPING = (
    "num_*",
    "finish_reason_*",
    "inference_*",
    "training_*",
    "batch_size",
    "prompt_truncated",
    "predicted_index",
    "max_prob",
    "logprob*",
    "perplexity",
    "*ece_*",
    "platt_*",
    "selective_*",
    "estimated_*",
)


def _parse(text: str) -> dict[str, list[tuple[str, str, str]]]:
    table: dict[str, list[tuple[str, str, str]]] = {}
    for line in text.strip().splitlines():
        schema, figure, groups = (cell.strip() for cell in line.split("|"))
        metric, _, part = figure.rpartition("@")
        for group in groups.split():
            table.setdefault(group, []).append((schema, metric, part))
    return table


BY_GROUP: Mapping[str, Sequence[tuple[str, str, str]]] = _parse(_TABLE)
"""Run group (or pattern) → (schema, metric, part), the schema to ask first first."""


@dataclass(frozen=True)
class HelmSchema:
    """What a schema.json says.

    Attributes
    ----------
    path : str
        Where it lies.
    main : mapping of str to (str, str or None)
        Run group → main metric and its part.
    higher_is_better : mapping of str to bool
        Metric → direction, for those that the schema tells.
    """

    path: str
    main: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    higher_is_better: Mapping[str, bool] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> HelmSchema:
        """Read a schema.json.

        Raises
        ------
        HelmFileError
            If it is missing or broken.
        """
        raw = load_json(path, dict)
        try:
            return cls(str(path), dict(_groups(raw)), dict(_directions(raw)))
        except (TypeError, AttributeError) as err:
            what = f"not a schema as HELM writes it: {err}"
            raise HelmFileError(path, what, code="bad-content") from err


def _groups(raw: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, str | None]]]:
    for group in raw.get("run_groups") or ():
        environment = group.get("environment") or {}
        name = environment.get("main_name")
        if isinstance(name, str) and name not in ("", "unknown"):
            part = environment.get("main_split")
            yield str(group.get("name")), (name, part if isinstance(part, str) else None)


def _directions(raw: Mapping[str, Any]) -> Iterable[tuple[str, bool]]:
    for metric in raw.get("metrics") or ():
        lower = metric.get("lower_is_better")
        if isinstance(lower, bool):
            yield str(metric.get("name")), not lower


def main_metric(
    available: Mapping[str, Collection[str | None]],
    groups: Sequence[str] = (),
    scenario: str | None = None,
    schema: HelmSchema | None = None,
) -> MainMetric | None:
    """Choose a run's main metric.

    Asked in this order; what the run does not have is passed over:

    1. the suite's schema, by the run's groups, the last (most specific) first;
    2. the table of HELM's own schemas, by group likewise, then by the scenario's name;
    3. the first of `PREFERRED`;
    4. the first metric that is not mere bookkeeping, then the first of all.

    As in HELM, `exact_match` stands in for a `quasi_exact_match` that is not there. The part is the
    one that was named if it has the metric, else ``test``, else ``valid``, else the first there is.

    Parameters
    ----------
    available : mapping of str to collection of (str or None)
        The run's unperturbed metrics, in its order, with the parts of each.
    groups : sequence of str
        ``groups`` of its run spec.
    scenario : str, optional
        Its scenario, without arguments.
    schema : HelmSchema, optional
        Of the suite or the release.

    Returns
    -------
    MainMetric or None
        None only if there are no metrics.

    Examples
    --------
    >>> main_metric({"exact_match": ["valid", "test"]}, ["mmlu", "mmlu_anatomy"])[:2]
    ('exact_match', 'test')
    >>> main_metric({"own": ["valid"]})
    MainMetric(metric='own', part='valid', reason='the first metric of the run')
    """
    for name, part, reason in _candidates(groups, scenario, schema):
        standing_in = name == "quasi_exact_match" and name not in available
        metric = "exact_match" if standing_in else name
        if metric in available:
            if standing_in:
                reason += "; exact_match stands in for quasi_exact_match"
            return _at_part(metric, part, available[metric], reason)
    for metric in available:
        if not any(fnmatch.fnmatchcase(metric, glob) for glob in _BOOKKEEPING):
            return _at_part(metric, None, available[metric], "the first metric of the run")
    for metric in available:
        return _at_part(metric, None, available[metric], "the run has bookkeeping metrics only")
    return None


def _candidates(
    groups: Sequence[str], scenario: str | None, schema: HelmSchema | None
) -> Iterable[tuple[str, str | None, str]]:
    for group in reversed(groups):
        if schema is not None and group in schema.main:
            yield *schema.main[group], f"{Path(schema.path).name} of the suite, group {group}"
    named = [*((g, f"group {g}") for g in reversed(groups))]
    if scenario is not None:
        named.append((scenario, f"scenario {scenario}"))
    for name, how in named:
        for source, metric, part in _look_up(name):
            yield metric, part, f"HELM's schema {source}, {how}"
    for metric in PREFERRED:
        yield metric, None, "the first of the preferred metrics that the run has"


def _look_up(group: str) -> Sequence[tuple[str, str, str]]:
    if group in BY_GROUP:
        return BY_GROUP[group]
    for pattern, rows in BY_GROUP.items():
        if "*" in pattern and fnmatch.fnmatchcase(group, pattern):
            return rows
    return ()


def _at_part(
    metric: str, part: str | None, parts: Collection[str | None], reason: str
) -> MainMetric:
    for choice in (part, "test", "valid"):
        if choice is not None and choice in parts:
            told = part is None or choice == part
            note = "" if told else f"; at {choice}, for it has none at {part}"
            return MainMetric(metric, choice, reason + note)
    return MainMetric(metric, sorted(parts, key=str)[0] if parts else None, reason)
