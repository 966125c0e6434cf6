"""Who and what a run is of: organisation, family, scenario group, condition.

Names are read by stated habits, never guessed from a folder; a user's YAML file overrides them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suites.errors import UsageError, unknown_name

_SIZE = re.compile(r"^(\d+x)?\d+(\.\d+)?[bmkt]$", re.IGNORECASE)
_DATE = re.compile(r"^(19|20)\d{6}$|^\d{4}$|^(19|20)\d{2}$")
_VARIANT = frozenset(
    [
        "instruct",
        "chat",
        "base",
        "it",
        "sft",
        "dpo",
        "rlhf",
        "turbo",
        "preview",
        "latest",
        "hf",
        "gguf",
        "awq",
        "gptq",
        "fp8",
        "int8",
        "int4",
        "mini",
        "small",
        "medium",
        "large",
        "xl",
        "xxl",
        "nano",
        "micro",
        "tiny",
        "pro",
        "lite",
        "flash",
        "plus",
        "ultra",
        "haiku",
        "sonnet",
        "opus",
        "alpha",
        "beta",
        "v0",
        "thinking",
        "reasoning",
        "tulu",
    ]
)


def organisation_of(model: str) -> str | None:
    """Give the organisation: the text before ``/`` or, in flattened names, before ``__``.

    Examples
    --------
    >>> organisation_of("meta/llama-3-8b"), organisation_of("meta__llama-3-8b")
    ('meta', 'meta')
    >>> organisation_of("gpt-4") is None
    True
    """
    for mark in ("/", "__"):
        head, found, tail = model.partition(mark)
        if found and head and tail:
            return head
    return None


def family_of(model: str) -> str | None:
    """Give the family: the model's own name up to its size, variant or date.

    Examples
    --------
    >>> family_of("meta/llama-3-8b"), family_of("Qwen__Qwen2.5-72B-Instruct")
    ('llama-3', 'Qwen2.5')
    >>> family_of("anthropic/claude-3-opus-20240229")
    'claude-3'
    """
    organisation = organisation_of(model)
    name = model
    if organisation is not None:
        name = model[len(organisation) :].lstrip("/_")
    words = re.split(r"[-_ ]", name)
    kept: list[str] = []
    for word in words:
        if kept and (_SIZE.match(word) or _DATE.match(word) or word.lower() in _VARIANT):
            break
        kept.append(word)
    family = "-".join(word for word in kept if word)
    return family or None


def scenario_group_of(scenario: str) -> str:
    """Give the scenario without its arguments: the text before the first ``:`` or ``/``.

    Examples
    --------
    >>> scenario_group_of("mmlu:subject=anatomy"), scenario_group_of("bbh/navigate")
    ('mmlu', 'bbh')
    """
    return re.split(r"[:/]", scenario, maxsplit=1)[0] or scenario


def canonical_json(value: Any) -> str:
    """Write JSON in one way only: sorted keys, no spaces.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": [True, None]})
    '{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain_numbers(value: Any) -> Any:
    """Write 1.0 as 1, at every depth: versions of a source differ in that.

    Examples
    --------
    >>> plain_numbers({"shots": 5.0, "scale": [0.5, True]})
    {'shots': 5, 'scale': [0.5, True]}
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {k: plain_numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain_numbers(v) for v in value]
    return value


def argument_text(value: Any) -> str:
    """Write the argument of a scenario in one way only.

    Examples
    --------
    >>> argument_text("algebra"), argument_text("a, b"), argument_text(True), argument_text(1.0)
    ('algebra', '"a, b"', 'True', '1')
    """
    if isinstance(value, str):
        return canonical_json(value) if re.search(r'[,\s"]', value) else value
    if isinstance(value, bool):
        return str(value)
    return canonical_json(plain_numbers(value))


def condition_of(fields: Mapping[str, Any]) -> str:
    """Hash the fields of a condition to eight hexadecimal digits, whatever their order.

    Examples
    --------
    >>> condition_of({"shots": 5, "cot": False}) == condition_of({"cot": False, "shots": 5})
    True
    """
    return hashlib.sha256(canonical_json(dict(fields)).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Identity:
    """A user's own names: renames models and scenarios, and groups them.

    Attributes
    ----------
    models : mapping of str to (str or mapping)
        Model name as derived → new name, or a mapping with ``model``, ``organisation``, ``family``.
    scenarios : mapping of str to (str or mapping)
        Likewise, with ``scenario`` and ``scenario_group``.
    merge_routes : bool
        Give a model one name whichever provider served it (Inspect: ``openrouter/openai/gpt-4o``
        and ``openai/gpt-4o-2024-08-06`` are ``openai/gpt-4o``). Off by default: providers differ
        in quantisation and sampling, and snapshots in their weights.

    Examples
    --------
    >>> own = Identity(models={"m1": {"model": "acme/one", "family": "one"}})
    >>> own.model("m1")
    ('acme/one', 'acme', 'one')
    >>> own.scenario("bbh/navigate")
    ('bbh/navigate', 'bbh')
    """

    models: Mapping[str, Any] = field(default_factory=dict)
    scenarios: Mapping[str, Any] = field(default_factory=dict)
    merge_routes: bool = False

    @classmethod
    def load(cls, path: str | Path) -> Identity:
        """Read the YAML file of ``--identity``.

        Raises
        ------
        UsageError
            If it cannot be read, or holds other keys than ``models``, ``scenarios`` and
            ``merge_routes``.
        """
        import yaml

        try:
            raw = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
            raise UsageError(f"cannot read the identity file {path}: {err}") from err
        if not isinstance(raw, dict):
            raise UsageError(f"{path}: expected a mapping with the keys models and scenarios.")
        merge_routes = raw.pop("merge_routes", False)
        if not isinstance(merge_routes, bool):
            raise UsageError(f"{path}: merge_routes must be true or false, got {merge_routes!r}.")
        allowed = {
            "models": {"model", "organisation", "family"},
            "scenarios": {"scenario", "scenario_group"},
        }
        for key, entries in raw.items():
            if key not in allowed:
                known = [*allowed, "merge_routes"]
                raise UsageError(f"{path}: {unknown_name('key', str(key), known)}")
            if not isinstance(entries, dict | None):
                raise UsageError(f"{path}: {key} must map names to new names or to mappings.")
            for name, entry in (entries or {}).items():
                _check_entry(f"{path}: {key}.{name}", entry, allowed[key])
        own = {key: {str(k): v for k, v in (raw.get(key) or {}).items()} for key in allowed}
        return cls(**own, merge_routes=merge_routes)

    def model(
        self, name: str, known: tuple[str | None, str | None] | None = None
    ) -> tuple[str, str | None, str | None]:
        """Give model, organisation and family of a model as it was read.

        Parameters
        ----------
        name : str
            As the reader has it.
        known : (str or None, str or None), optional
            Organisation and family as the reader reads them from this name; by default what any
            name tells (`organisation_of`, `family_of`), as for a model that the user renames.
        """
        entry = self.models.get(name)
        own: Mapping[str, Any] = {"model": entry} if isinstance(entry, str) else entry or {}
        model = str(own.get("model") or name)
        if known is None or model != name:
            known = organisation_of(model), family_of(model)
        return model, own.get("organisation", known[0]), own.get("family", known[1])

    def scenario(self, name: str) -> tuple[str, str]:
        """Give scenario and scenario group of a scenario as it was read."""
        entry = self.scenarios.get(name)
        own: Mapping[str, Any] = {"scenario": entry} if isinstance(entry, str) else entry or {}
        scenario = str(own.get("scenario") or name)
        return scenario, str(own.get("scenario_group") or scenario_group_of(scenario))


def _check_entry(where: str, entry: Any, allowed: set[str]) -> None:
    """Check what a file of names says of one model or scenario."""
    if not isinstance(entry, str | dict):
        raise UsageError(f"{where} must be a new name or a mapping, got {entry!r}.")
    for key, value in entry.items() if isinstance(entry, dict) else ():
        if key not in allowed:
            raise UsageError(f"{where}: {unknown_name('key', str(key), allowed)}")
        if not isinstance(value, str | None):
            raise UsageError(f"{where}.{key} must be text, got {value!r}.")
