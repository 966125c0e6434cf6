"""The four frames of HELM, made of a log of Inspect, so that predictors written for HELM run on it.

A column is there where Inspect knows what HELM's column means; ``docs/inspect.md`` has the table.
Inspect's epochs are HELM's train trials. Inspect has no splits: all instances are of ``test``.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suites.helm.frames import frame_of_columns, frame_of_run
from suites.inspect.details import flattened
from suites.inspect.figures import facts_of, published
from suites.inspect.header import Header, items, mapping, number, text
from suites.inspect.log import Log
from suites.inspect.rows import DetailedRow
from suites.inspect.samples import InspectSample, samples
from suites.inspect.scores import Scores
from suites.metric_rules import MetricRules

if TYPE_CHECKING:
    import pandas as pd

SPLIT = "test"
"""HELM's name of the split that every instance of Inspect is of."""

_STATE = "scenario_state.request_states"
_ADAPTER = {  # HELM's field → Inspect's, of the generation config
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "num_outputs": "num_choices",
    "stop_sequences": "stop_seqs",
    "top_p": "top_p",
    "top_k": "top_k",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "random": "seed",
    "reasoning_effort": "reasoning_effort",
}
_REQUEST = ("temperature", "max_tokens", "top_p", "frequency_penalty", "presence_penalty")
_USAGE = {"num_prompt_tokens": "input_tokens", "num_output_tokens": "output_tokens"}


def frame(
    table: str, name: str, log: Log, rules: MetricRules | None = None, policy: str = "as-logged"
) -> pd.DataFrame:
    """Make one of the four frames of a log.

    Parameters
    ----------
    table : str
        ``run_specs``, ``scenario_state``, ``stats`` or ``per_instance_stats``.
    name : str
        The run's ``run_spec.name``.
    log : Log
        The log.
    rules, policy : MetricRules, str
        What texts count as, and what failed samples do.

    Raises
    ------
    LogError
        If the log cannot be read.
    """
    if table == "run_specs":
        return frame_of_run("run_spec", name, run_spec(name, log.header))
    if table == "scenario_state":
        return frame_of_columns(name, _requests(log))
    scores = Scores.read(log, rules or MetricRules(), policy, type_=DetailedRow)
    if table == "stats":
        return frame_of_run("stats", name, stats(scores))
    return frame_of_columns(name, _per_instance(scores))


def run_spec(name: str, header: Header) -> dict[str, Any]:
    """Describe a run as HELM's run_spec.json does.

    Examples
    --------
    >>> from suites.inspect.header import HeaderDocument, read_header
    >>> header = read_header(HeaderDocument(eval={"task": "a/sums", "model": "openai/gpt-5"}))
    >>> spec = run_spec("r", header)
    >>> spec["scenario_spec"]["class_name"], spec["adapter_spec"]["model"], spec["groups"]
    ('a/sums', 'openai/gpt-5', ['sums'])
    """
    scorers = [mapping(s) for s in items(header.spec.get("scorers"))]
    return {
        "name": name,
        "scenario_spec": {
            "class_name": text(header.spec.get("task_registry_name")) or header.task,
            "args": dict(header.task_args),
        },
        "adapter_spec": adapter_spec(header),
        "metric_specs": [
            {"class_name": text(s.get("name")), "args": dict(mapping(s.get("options")))}
            for s in scorers
        ],
        "data_augmenter_spec": {},
        "groups": [header.task.rpartition("/")[2]],
    }


def adapter_spec(header: Header) -> dict[str, Any]:
    """Say how a run was asked, in HELM's fields; what Inspect does not know is absent."""
    steps = [text(mapping(s).get("solver")) for s in items(header.plan.get("steps"))]
    solver = text(header.spec.get("solver")) or ",".join(s for s in steps if s)
    generate = {
        **mapping(mapping(header.plan.get("config"))),
        **mapping(header.spec.get("model_generate_config")),
    }
    spec: dict[str, Any] = {
        "method": solver or None,
        "model": header.model,
        "model_deployment": header.model,
        "max_eval_instances": len(header.sample_ids) or None,
        "num_train_trials": header.epochs,
    }
    spec |= {field: generate.get(own) for field, own in _ADAPTER.items()}
    return {field: value for field, value in spec.items() if value is not None}


def stats(scores: Scores) -> list[dict[str, Any]]:
    """Give a run's figures as HELM's stats.json does: one value per epoch, merged.

    The mean is the published one where there is one.
    """
    header = scores.header
    means = {f.metric: f.value for f in published(header, scores.rules)}
    out = []
    for metric in scores.metrics:
        column = scores.column(metric, lambda m: _bounds(scores, m))
        epochs = np.array([scores.rows[r].epoch for r in column.row])
        ok = np.isfinite(column.value)
        by_epoch = [float(column.value[ok & (epochs == e)].mean()) for e in np.unique(epochs[ok])]
        mean = means.pop(metric, column.mean)
        out.append(_stat(metric, by_epoch, mean if math.isfinite(mean) else column.mean))
    out += [_stat(name, [value], value) for name, value in means.items()]
    out.append(_stat("num_instances", [float(len(scores.ids))], float(len(scores.ids))))
    for name, values in _measured(scores).items():
        known = [v for v in values if v is not None]
        if known:
            out.append(_stat(name, [math.fsum(known) / len(known)], math.fsum(known) / len(known)))
    return out


def _stat(name: str, values: Sequence[float], mean: float) -> dict[str, Any]:
    """Make a Stat of one value per trial."""
    stat: dict[str, Any] = {"name": {"name": name, "split": SPLIT}, "count": len(values)}
    if not values or not math.isfinite(mean):
        return stat | {"count": 0, "sum": 0, "sum_squared": 0}
    n = len(values)
    variance = math.fsum((v - math.fsum(values) / n) ** 2 for v in values) / n
    return stat | {
        "sum": mean * n,
        "sum_squared": math.fsum(v * v for v in values),
        "min": min(values),
        "max": max(values),
        "mean": mean,
        "variance": variance,
        "stddev": math.sqrt(variance),
    }


def _per_instance(scores: Scores) -> dict[str, list[Any]]:
    """Give the columns of per_instance_stats: a row for each sample and metric."""
    by_row: dict[int, list[tuple[str, float | None]]] = {i: [] for i in range(len(scores.rows))}
    for metric in scores.metrics:
        column = scores.column(metric, lambda m: _bounds(scores, m))
        for row, value in zip(column.row.tolist(), column.value.tolist(), strict=True):
            by_row[row].append((metric, value if value == value else None))
    for metric, values in _measured(scores).items():
        for row, value in enumerate(values):
            if value is not None:
                by_row[row].append((metric, value))
    rows = [(row, m, v) for row, pairs in by_row.items() for m, v in pairs]
    value = [math.nan if v is None else v for _, _, v in rows]
    there = [v is not None for _, _, v in rows]
    nothing = [0.0 if t else math.nan for t in there]
    prefix = "per_instance_stats."
    return {
        f"{prefix}instance_id": [str(scores.rows[r].id) for r, _, _ in rows],
        f"{prefix}train_trial_index": [scores.rows[r].epoch - 1 for r, _, _ in rows],
        f"{prefix}stats.name.name": [metric for _, metric, _ in rows],
        f"{prefix}stats.name.split": [SPLIT] * len(rows),
        f"{prefix}stats.count": [int(t) for t in there],
        f"{prefix}stats.sum": [0.0 if not t else v for t, v in zip(there, value, strict=True)],
        f"{prefix}stats.sum_squared": [
            0.0 if not t else v * v for t, v in zip(there, value, strict=True)
        ],
        f"{prefix}stats.min": value,
        f"{prefix}stats.max": value,
        f"{prefix}stats.mean": value,
        f"{prefix}stats.variance": nothing,
        f"{prefix}stats.stddev": nothing,
    }


def _measured(scores: Scores) -> dict[str, list[float | None]]:
    """Give what was measured of each sample beside its scores, under HELM's names."""
    model = scores.header.model
    out: dict[str, list[float | None]] = {name: [] for name in (*_USAGE, "inference_runtime")}
    for row in scores.rows:
        usage = mapping(row.model_usage) if isinstance(row, DetailedRow) else {}
        own = mapping(usage.get(model))
        for name, field in _USAGE.items():
            out[name].append(number(own.get(field)))
        time = row.working_time if isinstance(row, DetailedRow) else None
        out["inference_runtime"].append(number(time))
    return out


def _bounds(scores: Scores, metric: str) -> tuple[float | None, float | None, bool | None]:
    facts = facts_of(scores, metric, scores.rules)
    return facts.lower, facts.upper, facts.higher_is_better


# ---------- scenario_state


def _requests(log: Log) -> dict[str, list[Any]]:
    """Give the columns of scenario_state: a row for each sample."""
    header = log.header
    adapter = adapter_spec(header)
    request: dict[str, Any] = {k: adapter[k] for k in _REQUEST if k in adapter}
    request |= {"model": header.model, "model_deployment": header.model}
    request["num_completions"] = adapter.get("num_outputs", 1)
    request["stop_sequences"] = adapter.get("stop_sequences", [])
    columns: dict[str, list[Any]] = {"instance.id": []}
    count = 0
    for sample in samples(log):
        for name, value in _request(sample).items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [math.nan] * count
            column.append(value)
        count += 1
        for column in columns.values():
            if len(column) < count:
                column.append(math.nan)
    out = {f"{_STATE}.{name}": values for name, values in columns.items()}
    out |= {f"{_STATE}.request.{name}": [value] * count for name, value in request.items()}
    out |= {f"scenario_state.adapter_spec.{name}": [v] * count for name, v in adapter.items()}
    return out


def _request(sample: InspectSample) -> Mapping[str, Any]:
    document = sample.document
    choices, completion, stop = sample.choices, sample.completion, sample.stop_reason
    answer: dict[str, Any] = {"text": completion or "", "logprob": 0, "tokens": []}
    if stop is not None:
        answer["finish_reason"] = {"reason": stop}
    error = text(document.error) or text(mapping(document.error).get("message"))
    row: dict[str, Any] = {
        "instance.id": sample.id,
        "instance.input.text": sample.input,
        "instance.references": _references(choices, sample.targets),
        "instance.split": SPLIT,
        "train_trial_index": sample.epoch - 1,
        "num_train_instances": 0,
        "prompt_truncated": False,
        "request.prompt": sample.prompt,
        "result.success": error is None,
        "result.cached": False,
        "result.completions": [] if completion is None else [answer],
    }
    for letter, option in zip(string.ascii_uppercase, choices, strict=False):
        row[f"output_mapping.{letter}"] = option
    for name, value in flattened(document.metadata):
        row[f"instance.extra_data.{name}"] = value
    if error is not None:
        row["result.error"] = error
    time = number(mapping(document.output).get("time"))
    if time is not None or (time := number(document.working_time)) is not None:
        row["result.request_time"] = time
    return row


def _references(choices: Sequence[str], targets: Sequence[str]) -> list[dict[str, Any]]:
    """Give HELM's references: the options with the right ones marked, else the targets."""
    if not choices:
        return [{"output": {"text": t}, "tags": ["correct"]} for t in targets]
    right = {t for target in targets for t in ([target] if len(target) == 1 else [target, *target])}
    letters = string.ascii_uppercase
    return [
        {
            "output": {"text": option},
            "tags": ["correct"] if _is_right(i, option, right, letters) else [],
        }
        for i, option in enumerate(choices)
    ]


def _is_right(place: int, option: str, right: set[str], letters: str) -> bool:
    return option in right or (place < len(letters) and letters[place] in right)
