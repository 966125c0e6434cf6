"""The four frames of HELM, made of a log of Inspect, so that predictors written for HELM run on it.

A column is there where Inspect knows what HELM's column means; ``docs/inspect.md`` has the table.
Inspect's epochs are HELM's train trials. Inspect has no splits: all instances are of ``test``.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suites.helm.frames import frame_of_columns, frame_of_run, no_garbage_collection
from suites.inspect.details import MOST_COLUMNS, flattened
from suites.inspect.errors import LogError
from suites.inspect.figures import bounds_of
from suites.inspect.header import Header, items, mapping, number, text
from suites.inspect.log import Log
from suites.inspect.rows import DetailedRow
from suites.inspect.samples import InspectSample, samples
from suites.inspect.scores import Bounds, Scores
from suites.metric_rules import MetricRules
from suites.reader import Figure, RunDescription

if TYPE_CHECKING:
    import pandas as pd

SPLIT = "test"
"""HELM's name of the split that every instance of Inspect is of."""

MOST_ROWS = 2_000_000
"""Rows of a frame of responses; a failed sample has one for each metric."""

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
    table: str,
    run: RunDescription,
    log: Log,
    rules: MetricRules | None = None,
    policy: str = "as-logged",
) -> pd.DataFrame:
    """Make one of the four frames of a log.

    Parameters
    ----------
    table : str
        ``run_specs``, ``scenario_state``, ``stats`` or ``per_instance_stats``.
    run : RunDescription
        The run; its name is the ``run_spec.name``.
    log : Log
        Its log.
    rules, policy : MetricRules, str
        What texts count as, and what failed samples do.

    Raises
    ------
    LogError
        If the log cannot be read.
    """
    if table == "run_specs":
        return frame_of_run("run_spec", run.name, run_spec(run.name, log.header))
    if table == "scenario_state":
        with no_garbage_collection():
            return frame_of_columns(run.name, _requests(log))
    rules = rules or MetricRules()
    scores = Scores.read(log, rules, policy, type_=DetailedRow)
    bounds = bounds_of(scores, rules, run)
    if table == "stats":
        return frame_of_run("stats", run.name, stats(scores, run.figures, bounds))
    return frame_of_columns(run.name, _per_instance(scores, bounds, log.location))


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
    generate: dict[str, Any] = {}
    # what a task or the command sets overrides what the model came with
    for config in (header.spec.get("model_generate_config"), header.plan.get("config")):
        generate |= {k: v for k, v in mapping(config).items() if v is not None}
    spec: dict[str, Any] = {
        "method": solver or None,
        "model": header.model,
        "model_deployment": header.model,
        "max_eval_instances": len(header.sample_ids) or None,
        "num_train_trials": header.epochs,
    }
    spec |= {field: generate.get(own) for field, own in _ADAPTER.items()}
    return {field: value for field, value in spec.items() if value is not None}


def stats(scores: Scores, figures: Sequence[Figure], bounds: Bounds) -> list[dict[str, Any]]:
    """Give a run's figures as HELM's stats.json does: one value per epoch, merged.

    The mean is that of the run's figure where there is one.
    """
    means = {f.metric: f.value for f in figures}
    out = []
    for metric in scores.metrics:
        column = scores.column(metric, bounds)
        epochs = np.array([scores.rows[r].epoch for r in column.row])
        ok = np.isfinite(column.value)
        with np.errstate(over="ignore"):
            means_of = [column.value[ok & (epochs == e)].mean() for e in np.unique(epochs[ok])]
        by_epoch = [float(mean) for mean in means_of]
        mean = means.pop(metric, column.mean)
        out.append(_stat(metric, by_epoch, mean if math.isfinite(mean) else column.mean))
    out += [_stat(name, [value], value) for name, value in means.items()]
    out.append(_stat("num_instances", [float(len(scores.ids))], float(len(scores.ids))))
    for name, values in _measured(scores).items():
        known = [v for v in values if v is not None]
        if known:
            mean = _sum(known) / len(known)
            out.append(_stat(name, [mean], mean))
    return out


def _sum(values: Iterable[float]) -> float:
    """Add up; NaN where the sum is beyond a float's range."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return math.nan


def _stat(name: str, values: Sequence[float], mean: float) -> dict[str, Any]:
    """Make a Stat of one value per trial."""
    stat: dict[str, Any] = {"name": {"name": name, "split": SPLIT}, "count": len(values)}
    if not values or not math.isfinite(mean):
        return stat | {"count": 0, "sum": 0, "sum_squared": 0}
    n = len(values)
    centre = _sum(values) / n
    variance = _sum((v - centre) ** 2 for v in values) / n
    return stat | {
        "sum": mean * n,
        "sum_squared": _sum(v * v for v in values),
        "min": min(values),
        "max": max(values),
        "mean": mean,
        "variance": variance,
        "stddev": math.sqrt(variance),
    }


def _per_instance(scores: Scores, bounds: Bounds, location: str) -> dict[str, list[Any]]:
    """Give the columns of per_instance_stats: a row for each sample and metric."""
    parts: list[tuple[str, np.ndarray, np.ndarray]] = []
    count = 0
    for metric in scores.metrics:
        column = scores.column(metric, bounds)
        parts.append((metric, column.row, column.value))
        count += len(column.row)
        if count > MOST_ROWS:
            what = f"its frame of responses has more than {MOST_ROWS} rows"
            raise LogError(location, what, code="too-large")
    for metric, measured in _measured(scores).items():
        known = np.array([math.nan if v is None else v for v in measured], np.float64)
        rows = np.flatnonzero(~np.isnan(known))
        parts.append((metric, rows, known[rows]))
    names = np.repeat(np.arange(len(parts)), [len(rows) for _, rows, _ in parts])
    rows = np.concatenate([rows for _, rows, _ in parts])
    order = np.argsort(rows, kind="stable")
    names, rows = names[order].tolist(), rows[order].tolist()
    value = np.concatenate([values for _, _, values in parts])[order]
    there = ~np.isnan(value)
    total = np.where(there, value, 0.0)
    nothing = np.where(there, 0.0, math.nan).tolist()
    with np.errstate(over="ignore"):
        squared = np.square(total).tolist()
    ids = [str(row.id) for row in scores.rows]
    trials = [row.epoch - 1 for row in scores.rows]
    prefix = "per_instance_stats."
    return {
        f"{prefix}instance_id": [ids[row] for row in rows],
        f"{prefix}train_trial_index": [trials[row] for row in rows],
        f"{prefix}stats.name.name": [parts[name][0] for name in names],
        f"{prefix}stats.name.split": [SPLIT] * len(rows),
        f"{prefix}stats.count": there.astype(int).tolist(),
        f"{prefix}stats.sum": total.tolist(),
        f"{prefix}stats.sum_squared": squared,
        f"{prefix}stats.min": value.tolist(),
        f"{prefix}stats.max": value.tolist(),
        f"{prefix}stats.mean": value.tolist(),
        f"{prefix}stats.variance": nothing,
        f"{prefix}stats.stddev": nothing,
    }


def _measured(scores: Scores) -> dict[str, list[float | None]]:
    """Give what was measured of each sample beside its scores, under HELM's names."""
    model = scores.header.model
    out: dict[str, list[float | None]] = {name: [] for name in (*_USAGE, "inference_runtime")}
    for row in scores.rows:
        usage = mapping(row.model_usage) if isinstance(row, DetailedRow) else {}
        own = usage.get(model) or {}
        for name, field in _USAGE.items():
            out[name].append(number(mapping(own).get(field)))
        time = row.working_time if isinstance(row, DetailedRow) else None
        out["inference_runtime"].append(number(time))
    return out


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
                if len(columns) >= MOST_COLUMNS:
                    continue
                column = columns[name] = []
            if len(column) < count:  # samples before had no such field
                column += [math.nan] * (count - len(column))
            column.append(value)
        count += 1
    for column in columns.values():
        column += [math.nan] * (count - len(column))
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
    right = {place for target in targets for place in _right_options(choices, target)}
    return [
        {"output": {"text": option}, "tags": ["correct"] if place in right else []}
        for place, option in enumerate(choices)
    ]


def _right_options(choices: Sequence[str], target: str) -> list[int]:
    """Give the places of the options that a target names: by letters, else by an option's text."""
    letters = string.ascii_uppercase[: len(choices)]
    if len(target) != 1 and target in choices:
        return [choices.index(target)]
    named = [letters.find(letter) for letter in target.replace(",", "").replace(" ", "")]
    if named and min(named) >= 0:
        return named
    return [choices.index(target)] if target in choices else []
