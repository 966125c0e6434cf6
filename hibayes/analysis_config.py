"""The whole configuration: one YAML file with a section for each stage."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hibayes.check import CheckerConfig
from hibayes.communicate import CommunicateConfig
from hibayes.configuration import check_keys, load_yaml
from hibayes.load import DataLoaderConfig
from hibayes.model import ModelsToRunConfig
from hibayes.model.model_config import DEFAULT_MODEL
from hibayes.platform import PlatformConfig
from hibayes.process import ProcessConfig, columns_of
from suites.errors import UsageError

__all__ = ["ALIASES", "SECTIONS", "AnalysisConfig", "named_sections", "override"]

SECTIONS: dict[str, tuple[str, Any]] = {
    "data_loader": ("data_loader", DataLoaderConfig),
    "data_process": ("data_process", ProcessConfig),
    "model": ("models", ModelsToRunConfig),
    "check": ("checkers", CheckerConfig),
    "communicate": ("communicate", CommunicateConfig),
    "platform": ("platform", PlatformConfig),
}
"""The sections of the file: the attribute of `AnalysisConfig` and the class of each."""

ALIASES = {
    "load": "data_loader",
    "process": "data_process",
    "modelling": "model",
    "checks": "check",
    "communication": "communicate",
}
"""Other names that sections may have."""


@dataclass
class AnalysisConfig:
    """What each stage is to do.

    Attributes
    ----------
    data_loader, data_process, models, checkers, communicate, platform
        The sections; those that a file does not have hold their defaults.
    given : dict
        The sections as they were given, for ``configuration.json``.

    Examples
    --------
    >>> AnalysisConfig.from_dict({"chek": {}})
    Traceback (most recent call last):
        ...
    suites.errors.UsageError: Unknown keys in AnalysisConfig: 'chek' (did you mean 'check'?)...
    """

    data_loader: DataLoaderConfig
    data_process: ProcessConfig
    models: ModelsToRunConfig
    checkers: CheckerConfig
    communicate: CommunicateConfig
    platform: PlatformConfig
    given: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a YAML file; see `from_dict`."""
        return cls.from_dict(load_yaml(path), where=str(path))

    @classmethod
    def from_dict(cls, config: Mapping[str, Any] | None, *, where: str = "") -> Self:
        """Read the sections.

        Parameters
        ----------
        config : mapping or None
            Section to content; None and what is left out give defaults.
        where : str
            What messages begin with: the file.

        Raises
        ------
        UsageError
            A ValueError: for unknown sections and keys at any depth, unknown components, and
            arguments that these do not take.
        """
        sections = named_sections(config or {}, where)
        made = {}
        for name, (attribute, kind) in SECTIONS.items():
            at = f"{where}: {name}" if where else name
            made[attribute] = kind.from_dict(sections.get(name), where=at)
        listed = (sections.get("model") or {}).get("models")
        made["data_process"].use_columns(columns_of([DEFAULT_MODEL] if listed is None else listed))
        return cls(**made, given=copy.deepcopy(sections))

    def with_seed(self, seed: int) -> Self:
        """Give the same with another seed for every model."""
        models = [
            (model, dataclasses.replace(config, fit=config.fit.merged(seed=seed)))
            for model, config in self.models.enabled_models or []
        ]
        return dataclasses.replace(
            self, models=dataclasses.replace(self.models, enabled_models=models)
        )

    def chains(self) -> int:
        """Give the most chains of any model."""
        return max((c.fit.chains for _, c in self.models.enabled_models or []), default=1)


def named_sections(config: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Give the sections under their own names.

    Raises
    ------
    UsageError
        For names that are no section's, and for a section that stands there under two names.

    Examples
    --------
    >>> named_sections({"process": {"processors": []}})
    {'data_process': {'processors': []}}
    """
    if not isinstance(config, Mapping):
        raise UsageError(f"{where or 'configuration'}: expected a mapping, got {config!r}.")
    allowed = [*SECTIONS, *(name for name in ALIASES if name in config)]
    check_keys(config, allowed, "AnalysisConfig", where)
    sections: dict[str, Any] = {}
    for name, content in config.items():
        section = ALIASES.get(name, name)
        if section in sections:
            raise UsageError(
                f"{where + ': ' if where else ''}{name} is another name of {section}, which is "
                "there too: keep one of them."
            )
        sections[section] = content
    return sections


def override(config: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Give a configuration with some values set.

    Parameters
    ----------
    config : mapping
        Section to content.
    settings : iterable of str
        ``section.key.key=value``: keys divided by dots, places in lists as numbers, the value in
        YAML. A component of a list may be named: ``check.checkers.r_hat.threshold=1.05``, and so
        may a model: ``model.models.linear_group_binomial.config.tag=_b``.

    Returns
    -------
    dict
        A copy; keys that were not there are made.

    Raises
    ------
    UsageError
        If a setting is not of this form, or leads through what has no keys.

    Examples
    --------
    >>> override({"check": {"checkers": ["r_hat", "loo"]}}, ["check.checkers.r_hat.threshold=1.05"])
    {'check': {'checkers': [{'r_hat': {'threshold': 1.05}}, 'loo']}}
    >>> override({}, ["platform.chain_method=sequential"])
    {'platform': {'chain_method': 'sequential'}}
    """
    import yaml

    changed = copy.deepcopy(dict(config))
    for setting in settings:
        path, equals, text = setting.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise UsageError(f"--set {setting}: expected section.key=value.")
        keys[0] = ALIASES.get(keys[0], keys[0])
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as err:
            raise UsageError(f"--set {setting}: {text!r} is not YAML.") from err
        place: Any = changed
        for key in keys[:-1]:
            place = _step(place, key, setting)
        if isinstance(place, list):
            place[_place(place, keys[-1], setting)] = value
        else:
            place[keys[-1]] = value
    return changed


def _step(place: Any, key: str, setting: str) -> Any:
    """Go one key down, making a mapping where there is nothing."""
    if isinstance(place, list):
        at = _place(place, key, setting)
        item = place[at]
        if isinstance(item, str):  # a component without arguments
            place[at] = {item: {}}
        if isinstance(place[at], dict) and not key.isdigit() and "name" not in place[at]:
            if place[at][key] is None:
                place[at][key] = {}
            return place[at][key]
        return place[at]
    if place.get(key) is None:
        place[key] = {}
    if not isinstance(place[key], dict | list):
        raise UsageError(f"--set {setting}: {key} holds {place[key]!r}, which has no keys.")
    return place[key]


def _place(items: list[Any], key: str, setting: str) -> int:
    """Find a place in a list, by its number or by the name of the component there."""
    if key.isdigit() and int(key) < len(items):
        return int(key)
    for at, item in enumerate(items):
        if item == key or (isinstance(item, dict) and (key in item or item.get("name") == key)):
            return at
    raise UsageError(f"--set {setting}: {key} is not in the list, which has {len(items)} items.")
