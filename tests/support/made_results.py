"""Makes files as lm-evaluation-harness and Every Eval Ever write them, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TIME = "2026-01-21T03-44-18.458309"
MODEL = "acme/one-7b"


def write_lines(path: Path, rows: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return path


# -- lm-evaluation-harness ------------------------------------------------------------------------


def results(**changes: Any) -> dict[str, Any]:
    """Give a results file of two tasks in a group, with two filters in one of them."""
    whole = {
        "results": {
            "quiz": {"alias": "quiz", "acc,none": 0.5, "acc_stderr,none": 0.1},
            "quiz_a": {"alias": " - quiz_a", "acc,none": 0.75, "acc_stderr,none": 0.25},
            "sums": {
                "alias": "sums",
                "exact_match,strict": 0.25,
                "exact_match_stderr,strict": "N/A",
                "exact_match,flexible": 0.5,
                "exact_match_stderr,flexible": "N/A",
                "f1,none": "N/A",
            },
        },
        "group_subtasks": {"quiz": ["quiz_a"], "quiz_a": [], "sums": []},
        "configs": {
            "quiz_a": {"task": "quiz_a", "num_fewshot": 5, "metadata": {"version": 1.0}},
            "sums": {
                "task": "sums",
                "metric_list": [
                    {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
                ],
                "metadata": {"version": 2.0},
            },
        },
        "versions": {"quiz": 1.0, "quiz_a": 1.0, "sums": 2.0},
        "n-shot": {"quiz_a": 5, "sums": 0},
        "higher_is_better": {"quiz_a": {"acc": True}},
        "n-samples": {
            "quiz_a": {"original": 100, "effective": 4},
            "sums": {"original": 4, "effective": 4},
        },
        "config": {"model": "hf", "model_args": f"pretrained={MODEL},dtype=auto"},
        "date": 1768964383.8593218,
        "model_name": MODEL,
    }
    return {**whole, **changes}


def sample(doc: int, filter_: str | None = "none", metric: str = "acc", value: Any = 1.0) -> Any:
    row = {
        "doc_id": doc,
        "doc": {"question": f"q{doc}"},
        "target": "a",
        "arguments": {"gen_args_0": {"arg_0": "q"}},
        "resps": [["a"]],
        "filtered_resps": ["a"],
        "filter": filter_,
        "metrics": [metric],
        "doc_hash": f"hash{doc}",
        metric: value,
    }
    if filter_ is None:
        del row["filter"]
    return row


# -- Every Eval Ever ------------------------------------------------------------------------------


def result(name: str, score: Any = 0.5, **changes: Any) -> dict[str, Any]:
    whole = {
        "evaluation_result_id": f"{name}/accuracy",
        "evaluation_name": name,
        "source_data": {"dataset_name": name, "source_type": "url", "url": ["https://x.invalid"]},
        "metric_config": {
            "metric_id": "accuracy",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {"score": score, "uncertainty": {"num_samples": 4}},
        "generation_config": {"generation_args": {"temperature": 0.0, "execution_command": "x"}},
    }
    return {**whole, **changes}


def record(*listed: Any, version: str = "0.3.0", **changes: Any) -> dict[str, Any]:
    whole = {
        "schema_version": version,
        "evaluation_id": "lab/acme_one-7b/1750000000",
        "evaluation_timestamp": "1750000000",
        "retrieved_timestamp": "1750000001",
        "source_metadata": {"source_type": "evaluation_run"},
        "model_info": {"name": "one-7b", "id": MODEL, "developer": "ACME Inc."},
        "evaluation_results": list(listed),
    }
    return {**whole, **changes}


def answer(name: str, sample_id: Any, score: Any, **changes: Any) -> dict[str, Any]:
    whole = {
        "schema_version": "0.3.0",
        "evaluation_id": "lab/acme_one-7b/1750000000",
        "model_id": MODEL,
        "evaluation_name": name,
        "evaluation_result_id": f"{name}/accuracy",
        "sample_id": sample_id,
        "sample_hash": f"hash-{sample_id}",
        "interaction_type": "single_turn",
        "input": {"raw": "q", "reference": ["a"]},
        "answer_attribution": [],
        "evaluation": {"score": score, "is_correct": score == 1},
        "error": None,
    }
    return {**whole, **changes}
