"""What a configuration can hold: a JSON schema made of the sections and the registry."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from hibayes.registry import registry_get, registry_names

__all__ = ["schema"]

_LISTS = {
    "data_process": ("processors", "processor"),
    "check": ("checkers", "checker"),
    "communicate": ("communicators", "communicator"),
}
_PATH = {"type": ["string", "array"], "description": "Python files that define components"}


def schema() -> dict[str, Any]:
    """Give the JSON schema of a configuration file.

    Returns
    -------
    dict
        Draft 2020-12; components with their arguments and defaults, those of files that have been
        imported among them.
    """
    from hibayes.analysis_config import SECTIONS

    properties: dict[str, Any] = {}
    for name, (_, kind) in SECTIONS.items():
        keys: dict[str, Any] = {key: {} for key in kind.allowed}
        if name in _LISTS:
            key, type_ = _LISTS[name]
            keys |= {"path": _PATH, key: _listed(type_)}
        elif name == "data_loader":
            keys["extractors"] = _object({"path": _PATH, "enabled": _listed("extractor")})
            paths = ("files_to_process", "extracted_data", "cache_path", "output_dir")
            keys["paths"] = _object({key: {"type": ["string", "array", "null"]} for key in paths})
        elif name == "model":
            keys |= {"path": _PATH, "models": _models()}
        else:
            keys = _fields(kind)
        properties[name] = _object(keys)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_object(properties)}


def _listed(type_: str) -> dict[str, Any]:
    """Describe a list of components, or a mapping of them."""
    names = registry_names(type_)
    settings = _object({name: _arguments(type_, name) for name in names})
    return {"oneOf": [{"type": "array", "items": {"oneOf": [{"enum": names}, settings]}}, settings]}


def _models() -> dict[str, Any]:
    from hibayes.model import FitConfig, ModelConfig

    own: dict[str, Any] = {key: {} for key in ModelConfig.allowed} | {
        "fit": _object(_fields(FitConfig))
    }
    entries: list[dict[str, Any]] = [{"enum": registry_names("model")}]
    for name in registry_names("model"):
        config = _arguments("model", name)
        config["properties"] = own | config["properties"]
        entries.append(_object({"name": {"const": name}, "config": config}))
    return {"oneOf": [{"type": "array", "items": {"oneOf": entries}}, {"type": "object"}]}


def _arguments(type_: str, name: str) -> dict[str, Any]:
    """Describe the arguments of a component's builder."""
    keys: dict[str, Any] = {}
    anything = False
    builder = registry_get(type_, name)
    for parameter in inspect.signature(builder).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            anything = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            known = parameter.default is not parameter.empty
            keys[parameter.name] = {"default": parameter.default} if known else {}
    doc = (inspect.getdoc(builder) or "").split("\n\n")[0].replace("\n", " ")
    return _object(keys) | {
        "type": ["object", "null"],
        "additionalProperties": anything,
        **({"description": doc} if doc else {}),
    }


def _fields(kind: Any) -> dict[str, Any]:
    """Describe the fields of a dataclass with their defaults."""
    return {
        field.name: {"default": field.default} if field.default is not dataclasses.MISSING else {}
        for field in dataclasses.fields(kind)
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
