"""What was asked, and how: scenario and condition of a log, from its header alone.

The header is taken as decoded JSON of any shape: a field of an unexpected type counts as absent,
as does a null, so that versions of Inspect that knew fewer fields agree with later ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from suites.identity import argument_text, condition_of, plain_numbers

_MODEL_VALUED = re.compile(r"(.*_)?(model|grader|judge)s?(_(name|role|args|config|base_url))?")
"""Task arguments that say by which model, not what is asked."""

_INSTANCES = frozenset(
    {
        "limit",
        "n_samples",
        "num_samples",
        "max_samples",
        "sample_limit",
        "samples_limit",
        "sample_count",
        "n_instances",
        "num_instances",
        "max_instances",
        "dataset_limit",
        "epochs",
    }
)
"""Task arguments that say how many questions, or how often."""

_TRANSPORT = frozenset(
    {
        "max_retries",
        "timeout",
        "attempt_timeout",
        "stream_idle_timeout",
        "max_connections",
        "adaptive_connections",
        "max_samples",
        "batch",
        "cache",
        "cache_prompt",
        "extra_headers",
        "logprobs",
        "top_logprobs",
        "prompt_logprobs",
    }
)
"""Fields of Inspect's GenerateConfig (0.3.285) that do not change what a model answers."""

_LIMITS = tuple(f"{what}_limit" for what in ("message", "token", "turn", "time", "working", "cost"))

_SPREADS = frozenset({"stderr", "bootstrap_stderr", "std", "var"})
"""Metrics of how sure or how even, not of how good: their options are no part of a condition."""

_DEEPEST = 64
"""Levels of nesting beyond which a setting counts as absent."""


# ---------- the scenario


def scenario_args(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments a task was called with.

    Examples
    --------
    >>> scenario_args({"task_args": {"k": 1, "n": 2}, "task_args_passed": {"k": 1}})
    {'k': 1}
    >>> scenario_args({"task_args": {"k": 1}})
    {'k': 1}
    """
    spec = _mapping(spec)
    passed = spec.get("task_args_passed")  # logs before 0.3.113 list only these, as task_args
    return dict(passed if isinstance(passed, dict) else _mapping(spec.get("task_args")))


def scenario_label(task: Any, version: Any = None, args: Any = None) -> str:
    """Name a task with its arguments, in one way only.

    Parameters
    ----------
    task : object
        ``eval.task``; the package before a ``/`` is left out, since it comes and goes.
    version : object, optional
        ``eval.task_version``; 0 is none.
    args : object, optional
        The task's arguments (`scenario_args`). Nulls, models and numbers of instances are left out.

    Examples
    --------
    >>> scenario_label("inspect_evals/gpqa", 0, {"cot": True, "domain": None, "limit": 5})
    'gpqa:cot=True'
    >>> scenario_label("gpqa", "2-A", {"subset": "diamond, main", "grader_model": "openai/o3"})
    'gpqa:subset="diamond, main",version=2-A'
    """
    name = _text(task).rstrip("/").rpartition("/")[2] if isinstance(task, str) else ""
    name = name.replace(":", "_") or "unnamed"  # a colon begins the arguments
    given = {k: v for k, v in plain_arguments(args).items() if not _MODEL_VALUED.fullmatch(k)}
    if isinstance(version, str | int | float) and version not in (0, "", "0"):
        given["task_version" if "version" in given else "version"] = _plain(version)
    if not given:
        return name
    return f"{name}:" + ",".join(f"{_key(k)}={argument_text(given[k])}" for k in sorted(given))


def _key(key: str) -> str:
    return re.sub(r'[\s,:="]', "_", key)


def plain_arguments(args: Any) -> dict[str, Any]:
    """Give arguments as plain data, without nulls and numbers of instances.

    Examples
    --------
    >>> plain_arguments({"k": 1.0, "limit": 10, "cot": None})
    {'k': 1}
    >>> plain_arguments("not a mapping")
    {}
    """
    return {k: v for k, v in _fields(args).items() if k not in _INSTANCES}


# ---------- the condition


def condition_fields(spec: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """Say how a task was asked and scored, whoever answered and however many questions.

    Parameters
    ----------
    spec, plan : mapping
        ``eval`` and ``plan`` of a log's header.

    Returns
    -------
    dict
        Plain data, by field: ``dataset``, ``scorers``, ``model_roles.<role>``,
        ``task_args.<name>`` (of models), ``solver``, ``sandbox``, ``approval``, the limits, and
        what was set for generation under Inspect's names. Prompts are there in full.

    Examples
    --------
    >>> plan = {"steps": [{"solver": "generate", "params": {"tool_calls": "loop"},
    ...     "params_passed": {}}], "config": {"temperature": 0.0, "max_connections": 8}}
    >>> spec = {"model": "a/b", "scorers": [{"name": "pkg/match", "options": {"numeric": True}}],
    ...     "config": {"limit": 5, "message_limit": 10}}
    >>> fields = condition_fields(spec, plan)
    >>> {k: fields[k] for k in sorted(fields) if k != "scorers"}
    {'message_limit': 10, 'solver': [{'name': 'generate'}], 'temperature': 0}
    >>> fields["scorers"]
    [{'name': 'match', 'options': {'numeric': True}}]
    """
    spec, plan = _mapping(spec), _mapping(plan)
    generate = {  # what a task or the command sets overrides what the model came with
        **_fields(spec.get("model_generate_config")),
        **_fields(plan.get("config")),
    }
    config = _fields(spec.get("config"))
    fields = {
        **{k: v for k, v in generate.items() if k not in _TRANSPORT},
        **_limits(config),
        **_models(spec),
        "dataset": _plain(_mapping(spec.get("dataset")).get("name")),  # its ids are many
        "scorers": _scorers(spec),
        "solver": _solver(spec, plan),
        "sandbox": _sandbox(spec.get("sandbox")),
        "approval": config.get("approval"),
    }
    return {k: fields[k] for k in sorted(fields) if not _absent(fields[k])}


def _limits(config: Mapping[str, Any]) -> dict[str, Any]:
    limits = {name: config.get(name) for name in _LIMITS}
    if limits["message_limit"] is None:
        limits["message_limit"] = config.get("max_messages")  # its name in 2024
    if limits["token_limit"] is not None:
        limits["token_limit_type"] = config.get("token_limit_type")
    return limits


def _models(spec: Mapping[str, Any]) -> dict[str, Any]:
    """List the models beside the one that is evaluated: graders, attackers, users."""
    roles = _fields(spec.get("model_roles"))
    found = {f"model_roles.{role}": value for role, value in roles.items()}
    evaluated = spec.get("model")
    for name, value in _fields(scenario_args(spec)).items():
        own = name == "model" and evaluated in (value, "none/none")
        if _MODEL_VALUED.fullmatch(name) and not own:
            found[f"task_args.{name}"] = value
    return found


def _scorers(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the scorers: name, options, options of metrics."""
    overall = _metric_options(spec.get("metrics"))  # a task's metrics replace those of its scorers
    scorers = []
    for scorer in _list(spec.get("scorers")):
        if not isinstance(scorer, dict):
            continue
        said = {
            "name": _name(scorer.get("name")),
            "options": _fields(scorer.get("options")),
            "metrics": overall or _metric_options(scorer.get("metrics")),
        }
        scorers.append({k: v for k, v in said.items() if not _absent(v)})
    return scorers


def _metric_options(metrics: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric in _metrics(metrics):
        name, options = _name(metric["name"]), _fields(metric.get("options", metric.get("params")))
        if name and name not in _SPREADS and options:
            found[name] = options
    return found


def _metrics(metrics: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Walk through metrics in their three shapes: a list, a dict of lists, lists of both."""
    if depth > 8:
        return
    if isinstance(metrics, dict) and isinstance(metrics.get("name"), str):
        yield metrics
    elif isinstance(metrics, dict | list):
        for inner in metrics.values() if isinstance(metrics, dict) else metrics:
            yield from _metrics(inner, depth + 1)


def _solver(spec: Mapping[str, Any], plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the steps of the plan; else the solver of the command line, which is its one step."""
    steps = [s for s in _list(plan.get("steps")) if isinstance(s, dict)]
    if isinstance(plan.get("finish"), dict):
        steps.append(plan["finish"])
    if not steps and isinstance(spec.get("solver"), str):
        steps = [{
            "solver": spec["solver"],
            "params": spec.get("solver_args"),
            "params_passed": spec.get("solver_args_passed"),
        }]  # fmt: skip
    return [_step(step) for step in steps]


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    passed = step.get("params_passed")  # logs without it list only these, as params
    params = _fields(passed if isinstance(passed, dict) else step.get("params"))
    name = _name(step.get("solver"))
    if name == "generate":
        params = {k: v for k, v in params.items() if k not in _TRANSPORT}
    if name == "system_message" and "message" in params:  # its name until the autumn of 2024
        params = {**params, "template": params["message"]}
        del params["message"]
    said = {"name": name, "params": {k: v for k, v in params.items() if not _absent(v)}}
    return {k: v for k, v in said.items() if not _absent(v)}


def _sandbox(sandbox: Any) -> str | None:
    """Give the type; what it was built from is a path."""
    if isinstance(sandbox, list) and sandbox:  # [type, config] in 2024
        sandbox = sandbox[0]
    elif isinstance(sandbox, dict):
        sandbox = sandbox.get("type")
    return _text(sandbox) if isinstance(sandbox, str) else None


def agent_name(task_args: Any, solver: Any, solver_args: Any, metadata: Any) -> str:
    """Name an agent that calls models by itself: its log says ``none/none``.

    Runs with the same settings are taken for the same agent. Which models it called need not be in
    the log, so such runs are not sure to be comparable.

    Parameters
    ----------
    task_args, solver, solver_args, metadata : object
        As the log has them, of any type. Numbers of instances and nulls are no part of the name.

    Examples
    --------
    >>> one = agent_name({"agent": "a", "limit": 5}, None, None, None)
    >>> one == agent_name({"agent": "a"}, None, {}, {}), one.partition("#")[0]
    (True, 'none/none')
    >>> one == agent_name({"agent": "b"}, None, None, None)
    False
    """
    fields = {
        "task_args": plain_arguments(task_args),
        "solver": _name(solver),
        "solver_args": plain_arguments(solver_args),
        "metadata": plain_arguments(metadata),
    }
    return f"none/none#{condition_of({k: v for k, v in fields.items() if not _absent(v)})}"


# ---------- plain data


def _fields(value: Any) -> dict[str, Any]:
    """Copy the fields of a mapping that are not null; none if it is no mapping."""
    copy = {_text(k): _plain(v) for k, v in _mapping(value).items() if isinstance(k, str)}
    return {k: v for k, v in copy.items() if v is not None}


def _plain(value: Any) -> Any:
    """Copy decoded JSON without nulls, endless depth and what cannot be written again.

    A description of a model becomes its name, with what was set for its generation.
    """
    return plain_numbers(_copy(value, 0))


def _copy(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 1024 else None  # too long for JSON's writers
    if depth >= _DEEPEST:
        return None
    if isinstance(value, list | tuple):
        return [_copy(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return None
    copy = {_text(k): _copy(v, depth + 1) for k, v in value.items() if isinstance(k, str)}
    copy = {k: v for k, v in copy.items() if v is not None}
    if copy.get("type") == "tool" and isinstance(copy.get("params"), dict):
        copy["params"].pop("instance", None)  # a random name
    return _model(copy) if isinstance(copy.get("model"), str) else copy


_OF_A_MODEL = frozenset({"model", "config", "base_url", "args", "model_args", "role"})


def _model(value: dict[str, Any]) -> Any:
    if not value.keys() <= _OF_A_MODEL:
        return value
    config = {k: v for k, v in _mapping(value.get("config")).items() if k not in _TRANSPORT}
    return {"model": value["model"], "config": config} if config else value["model"]


def _text(text: str) -> str:
    """Make text that can be written as UTF-8: JSON may hold halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _name(name: Any) -> str | None:
    """Give a registered name without its package."""
    return _text(name).rpartition("/")[2] or None if isinstance(name, str) else None


def _absent(value: Any) -> bool:
    return value is None or value == {} or value == []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
