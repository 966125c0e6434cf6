"""The built-in extractors; importing this module registers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hibayes.load._extractor import Extractor, extractor
from hibayes.load.scores import main_value, score_number
from suites.errors import UsageError


@extractor
def base_extractor() -> Extractor:
    """Extract what every analysis needs.

    Columns: ``score`` (the first scorer's value as a number; missing where there is none),
    ``target``, ``model`` (without its provider), ``model_raw``, ``dataset``, ``task`` (the
    sample's id; the name of the evaluated task is ``task_name``), ``epoch``, ``num_messages``,
    ``log_path``.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> sample = Some(id=1, epoch=1, target="4", messages=[], scores={"match": Some(value="C")})
    >>> spec = Some(model="openai/gpt-5", dataset=Some(name="sums"))
    >>> found = base_extractor()(sample, Some(eval=spec, location="a.eval"))
    >>> found["score"], found["model"], found["dataset"], found["task"]
    (1.0, 'gpt-5', 'sums', '1')
    """

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        spec = eval_log.eval
        model = spec.model
        try:
            messages = sample.message_count
        except AttributeError:
            messages = len(sample.messages)
        return {
            "score": score_number(main_value(sample, eval_log)),
            "target": str(sample.target),
            "model": model.rpartition("/")[2],
            "model_raw": model,
            "dataset": spec.dataset.name,
            "task": str(sample.id),
            "epoch": sample.epoch,
            "num_messages": messages,
            "log_path": eval_log.location,
        }

    def columns(samples: Sequence[Any], eval_log: Any, values: Sequence[Any]) -> dict[str, Any]:
        """Give the same for all samples of a log at once, given their scores' values."""
        texts = {v: score_number(v) for v in {v for v in values if type(v) is str}}
        spec, length = eval_log.eval, len(samples)
        return {
            "score": [texts[v] if type(v) is str else score_number(v) for v in values],
            "target": [str(sample.target) for sample in samples],
            "model": [spec.model.rpartition("/")[2]] * length,
            "model_raw": [spec.model] * length,
            "dataset": [spec.dataset.name] * length,
            "task": [str(sample.id) for sample in samples],
            "epoch": [sample.epoch for sample in samples],
            "num_messages": [sample.message_count for sample in samples],
            "log_path": [eval_log.location] * length,
        }

    extract.columns = columns  # type: ignore[attr-defined]
    return extract


@extractor
def token_extractor() -> Extractor:
    """Extract the tokens used, summed over all models that a sample called.

    Columns: ``total_tokens, input_tokens, output_tokens, cache_write_tokens,
    cache_read_tokens``; none where the log does not tell.
    """
    fields = {
        "total_tokens": "total_tokens",
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cache_write_tokens": "input_tokens_cache_write",
        "cache_read_tokens": "input_tokens_cache_read",
    }

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        used = sample.model_usage
        if not used:
            return {}
        return {
            name: sum(getattr(usage, field) or 0 for usage in used.values())
            for name, field in fields.items()
        }

    return extract


@extractor
def message_count_extractor(
    include_system: bool = True, include_user: bool = True, include_assistant: bool = True
) -> Extractor:
    """Count messages by who said them.

    Columns: ``system_messages``, ``user_messages``, ``assistant_messages`` as they are asked
    for, and ``total_messages``. Reads the samples in full.
    """
    asked = {"system": include_system, "user": include_user, "assistant": include_assistant}
    wanted = [role for role, included in asked.items() if included]

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        roles = [message.role for message in sample.messages]
        found = {f"{role}_messages": roles.count(role) for role in wanted}
        return {**found, "total_messages": len(roles)}

    return extract


@extractor
def tools_extractor() -> Extractor:
    """Extract the names of the tools that the solvers were given.

    Column: ``tools``, a list; ``[None]`` where there are none.
    """

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        names = []
        for step in eval_log.plan.steps:
            tools = (step.params or {}).get("tools") or []
            for tool in [tools] if isinstance(tools, str | Mapping) else tools:
                name = tool.get("name") if isinstance(tool, Mapping) else tool
                if isinstance(name, str):
                    names.append(name)
        return {"tools": names or [None]}

    return extract


@extractor
def metadata_field_extractor(
    field_path: str, default_value: Any = None, rename_to: str | None = None
) -> Extractor:
    """Extract one field of the sample's metadata.

    Parameters
    ----------
    field_path : str
        Keys joined by dots.
    default_value : any
        For samples where it is missing or null.
    rename_to : str, optional
        The column; by default the path with underscores for dots.
    """
    column = rename_to or field_path.replace(".", "_")

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        metadata = sample.metadata or {}
        found: Any = metadata
        for key in field_path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        if found is None and isinstance(metadata, Mapping):
            found = metadata.get(field_path)  # a key that itself has dots
        return {column: default_value if found is None else found}

    return extract


@extractor
def score_normalizer(
    score_field: str = "score",
    normalize_to_01: bool = True,
    custom_mapping: Mapping[Any, float] | None = None,
    maximum: float | None = None,
) -> Extractor:
    """Extract the score as a number between 0 and 1.

    Parameters
    ----------
    score_field : str
        The column.
    normalize_to_01 : bool
        Divide by the maximum; else numbers stay as they are.
    custom_mapping : mapping, optional
        Your own numbers for values; they are not divided.
    maximum : float, optional
        The greatest possible score. Without it, numbers from 0 to 1 stay as they are and those
        above 10 and up to 100 are percentages; any other is refused, and so is a log that has
        both sorts, since the scale is not known then.

    Raises
    ------
    UsageError
        A ValueError, when the scale of a number is not known.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> def score(value, **settings):
    ...     sample = Some(scores={"judge": Some(value=value)})
    ...     return score_normalizer(**settings)(sample, None)["score"]
    >>> score("P"), score(85.0), score(5, maximum=10), score("A", custom_mapping={"A": 0.9})
    (0.5, 0.85, 0.5, 0.9)
    >>> try:
    ...     score(1.5)
    ... except UsageError as err:
    ...     print(str(err)[:36])
    score_normalizer: 1.5 is neither a f
    """
    if maximum is not None and not maximum > 0:
        raise UsageError(f"score_normalizer: maximum must be above 0, got {maximum!r}.")
    own = dict(custom_mapping or {})
    seen: dict[str, float] = {}

    def scaled(number: float) -> float:
        if maximum is not None:
            if not 0 <= number <= maximum:
                raise UsageError(
                    f"score_normalizer: {number:g} lies outside of 0 to {maximum:g}, the maximum."
                )
            return number / maximum
        if 0 <= number <= 1:
            if number > 0:
                seen.setdefault("fraction", number)
            return number
        if 10 < number <= 100:
            seen.setdefault("percentage", number)
            return number / 100
        seen.setdefault("unknown", number)
        raise _unknown_scale(number)

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        value = main_value(sample, eval_log)
        if isinstance(value, str | int | float) and value in own:
            return {score_field: float(own[value])}
        number = score_number(value)
        measured = not isinstance(value, bool | str) or _is_numeral(value)
        if normalize_to_01 and measured and number == number:
            number = scaled(number)
        return {score_field: number}

    def check() -> None:
        """Refuse, when all samples were seen, scores of an unknown scale."""
        found = dict(seen)
        seen.clear()
        if "unknown" in found:
            raise _unknown_scale(found["unknown"])
        if len(found) > 1:
            raise UsageError(
                f"score_normalizer: there are scores such as {found['fraction']:g} and such as "
                f"{found['percentage']:g}, so that it is not known whether they are fractions or "
                "percentages: state maximum (1 or 100)."
            )

    extract.check = check  # type: ignore[attr-defined]
    return extract


@extractor
def cyber_extractor() -> Extractor:
    """Extract what a cyber challenge's metadata (``challenge_metadata``) says.

    Columns: ``max_messages``, ``category, split, full_name, description, source``, and one for
    each capability with its level; missing where the metadata does not tell.
    """
    texts = ("category", "split", "full_name", "description", "source")

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        challenge = (sample.metadata or {}).get("challenge_metadata")
        if not isinstance(challenge, Mapping) or not challenge:
            return {}
        most = challenge.get("max_messages")
        found: dict[str, Any] = {"max_messages": None if most is None else int(most)}
        for name in texts:
            value = challenge.get(name)
            found[name] = None if value is None else str(value)
        for capability in challenge.get("capabilities") or []:
            if isinstance(capability, Mapping) and capability.get("name") is not None:
                level = capability.get("level")
                found[str(capability["name"])] = None if level is None else str(level)
        return found

    return extract


@extractor
def domains_extractor(
    mapping: Mapping[str, Any] | None = None,
    default_domain: str = "other",
    default_sub_domain: str = "other",
) -> Extractor:
    """Extract the domain of each evaluated task.

    Columns: ``dataset`` (the task's name), ``domain``, ``sub_domain``.

    Parameters
    ----------
    mapping : mapping
        Task → its domain; or ``[domain, sub-domain]``; or ``{domain: …, sub_domain: …}``. A task
        is found by its name with or without its package (``inspect_evals/mbpp``, ``mbpp``).
    default_domain, default_sub_domain : str
        For tasks that are not named.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> extract = domains_extractor({"mbpp": ["coding", "easy"], "boolq": "reasoning"})
    >>> extract(None, Some(eval=Some(task="inspect_evals/mbpp")))
    {'dataset': 'inspect_evals/mbpp', 'domain': 'coding', 'sub_domain': 'easy'}
    """
    known = {str(task): _domain(task, value) for task, value in (mapping or {}).items()}

    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        task = getattr(eval_log.eval, "task", "") or ""
        domain, sub_domain = known.get(task) or known.get(task.rpartition("/")[2]) or (None, None)
        return {
            "dataset": task,
            "domain": default_domain if domain is None else domain,
            "sub_domain": default_sub_domain if sub_domain is None else sub_domain,
        }

    return extract


def _domain(task: str, value: Any) -> tuple[str | None, str | None]:
    if isinstance(value, str):
        return value, None
    if isinstance(value, Mapping) and set(value) <= {"domain", "sub_domain"}:
        return value.get("domain"), value.get("sub_domain")
    if isinstance(value, list | tuple) and len(value) in (1, 2):
        return value[0], value[1] if len(value) > 1 else None
    raise UsageError(
        f"domains_extractor: mapping.{task}: expected a domain, [domain, sub-domain] or "
        f"{{domain: …, sub_domain: …}}, got {value!r}."
    )


def _unknown_scale(number: float) -> UsageError:
    return UsageError(
        f"score_normalizer: {number:g} is neither a fraction nor clearly a percentage: state "
        "maximum, the greatest possible score (as maximum: 10)."
    )


def _is_numeral(value: Any) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
