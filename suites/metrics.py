"""What is known of metrics by their names: range, direction, whether answers count 0 or 1.

What is not known is None and is never assumed. The facts are those of HELM's own metrics
(crfm-helm 0.5.16: metric metadata, leaderboard schemas, and the ranges its code can give).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class MetricFacts:
    """What is known of a metric.

    Attributes
    ----------
    name : str
        The metric.
    lower, upper : float or None
        Its least and greatest possible value; None where there is none, or where it is unknown.
    higher_is_better : bool or None
        Its direction; None where unknown, or where it has none (counts, say).
    binary : bool or None
        Whether a single answer's value is always 0 or 1; None where unknown.
    """

    name: str
    lower: float | None = None
    upper: float | None = None
    higher_is_better: bool | None = None
    binary: bool | None = None


# Each line: lower, upper, direction (+ higher is better, - lower, . none), answers (0/1 or any),
# ? for what is unknown or not there, then names: whole, or regular expressions that hold ^ or $.
_FACTS = r"""
0 1 + 0/1 exact_match quasi_exact_match prefix_exact_match quasi_prefix_exact_match
0 1 + 0/1 quasi_leave_articles_exact_match exact_match_indicator final_number_exact_match
0 1 + 0/1 exact_set_match math_equiv math_equiv_chain_of_thought cleva_math_result_match
0 1 + 0/1 chain_of_thought_correctness bbq_accuracy code_eval_acc pass float_equiv
0 1 + 0/1 medcalc_bench_accuracy medec_error_flag_accuracy medec_error_sentence_accuracy
0 1 + 0/1 ehr_sql_execution_accuracy ehr_sql_query_validity program_accuracy execution_accuracy
0 1 + 0/1 annotation_financebench_label_correct_answer
0 1 + any f1_score f1_set_match iou_set_match rouge_1 rouge_2 rouge_l rouge-2 rouge-l
0 1 + any bleu_1 bleu_4 chinese_bleu_1 chinese_rouge_1 chinese_rouge_2 test_avg
0 1 + any classification_macro_f1 classification_micro_f1 classification_weighted_f1
0 1 + any adjusted_macro_f1_score word_macro_f1_score
0 1 + any mimiciv_billing_code_precision mimiciv_billing_code_recall mimiciv_billing_code_f1
0 1 + any ehr_sql_precision_answerable ehr_sql_recall_answerable
0 1 + any ifeval_strict_accuracy wildbench_score_rescaled openai_mrcr_accuracy
0 1 + ? ruler_string_match_part ruler_string_match_all omni_math_accuracy
0 1 + any safety_score air_score ^air_category_[0-9_]+_score$ ^safety_\w+_score$
0 1 . 0/1 ^safety_\w+_annotator_success$ ^finish_reason_ prompt_truncated
0 1 + any ^RR(@|$) ^NDCG(@|$) ^recall(@|$) earth_mover_similarity
0 1 + any ^selective_acc(@|$) selective_cov_acc_area
0 1 + any max_prob
0 1 - any ^(platt_)?ece_ expected_max_toxicity max_toxicity_probability toxic_frac mer_score
0 1 - any chinese_mer_score
0 1 - ? edit_similarity
0 ? - any wer_score cer_score chinese_wer_score chinese_cer_score longest_common_prefix_length
0 ? - any absolute_value_difference ^inference_(\w+_)?runtime$ ^training_\w+_cost$
0 ? - any bits_per_byte fid
1 ? - any perplexity
? 0 + any logprob logprob_per_byte
1 5 + any Helpfulness Understandability Completeness Conciseness Harmlessness
1 5 + any mtsamples_replicate_accuracy medalign_accuracy dischargeme_accuracy aci_bench_accuracy
1 5 + any mtsamples_procedures_accuracy mimic_rrs_accuracy mimic_bhc_accuracy
1 5 + any chw_care_plan_accuracy medication_qa_accuracy starr_patient_instructions_accuracy
1 5 + any med_dialog_accuracy medi_qa_accuracy mental_health_accuracy
1 10 + any wildbench_score
0 ? . ? num_instances num_references num_train_instances num_train_trials num_trials
0 ? . ? ^num_\w+_tokens$ num_bytes num_completions batch_size predicted_index
? ? - ? error_rate distance ^bias_metric: ^bbq_metric_\w+_bias$ _imbalance$
? ? - ? equalized_odds_difference demographic_parity_difference
? ? + ? alrage_score arabic_content_generation_score calculation_accuracy live_qa_score cider
? ? + ? chr_f_plus_plus wip_score chinese_wip_score accuracy acc acc_norm squad_f1_score bleu
? ? + ? annotation_autobencher_capabilities_score model_judged_score prometheus_vision
? ? + ? summac QAFactEval ^BERTScore- ^HumanEval- platt_coef platt_intercept
"""

_DIRECTION = {"+": True, "-": False, ".": None}
_ANSWERS = {"0/1": True, "any": False, "?": None}

_Facts = tuple[float | None, float | None, bool | None, bool | None]


def _parse(text: str) -> tuple[dict[str, _Facts], list[tuple[re.Pattern[str], _Facts]]]:
    whole: dict[str, _Facts] = {}
    patterns = []
    for line in text.strip().splitlines():
        lower, upper, direction, answers, *names = line.split()
        low, high = (None if bound == "?" else float(bound) for bound in (lower, upper))
        facts = (low, high, _DIRECTION[direction], _ANSWERS[answers])
        for name in names:
            if re.search(r"[\^$]", name):
                patterns.append((re.compile(name), facts))
            else:
                whole[name] = facts
    return whole, patterns


_WHOLE, _PATTERNS = _parse(_FACTS)

# The best of k completions: same range and direction, still 0 or 1.
_BEST_OF = re.compile(r"^(.+)@\d+$")


@lru_cache(maxsize=4096)
def known_metric(name: str) -> MetricFacts:
    """Look up what is known of a metric.

    Parameters
    ----------
    name : str
        As HELM writes it; ``exact_match@5`` is the best of five completions.

    Returns
    -------
    MetricFacts
        With None for all that is not known.

    Examples
    --------
    >>> known_metric("exact_match@5")
    MetricFacts(name='exact_match@5', lower=0.0, upper=1.0, higher_is_better=True, binary=True)
    >>> known_metric("my_own_metric").upper is None
    True
    """
    facts = _WHOLE.get(name) or next((f for p, f in _PATTERNS if p.search(name)), None)
    if facts is None and (best := _BEST_OF.match(name)):
        facts = _WHOLE.get(best.group(1))
    return MetricFacts(name, *facts) if facts is not None else MetricFacts(name)


def listed_metrics() -> list[MetricFacts]:
    """List all metrics that something is known of, by name or by regular expression.

    Examples
    --------
    >>> [facts.upper for facts in listed_metrics() if facts.name == "Helpfulness"]
    [5.0]
    """
    whole = [MetricFacts(name, *facts) for name, facts in _WHOLE.items()]
    return whole + [MetricFacts(pattern.pattern, *facts) for pattern, facts in _PATTERNS]
