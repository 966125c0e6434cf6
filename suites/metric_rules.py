"""A user's own facts on metrics: range, direction, numbers for texts.

What is known of a metric by its name, or by a log, is overridden by what the user states.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from suites.errors import UsageError, unknown_name
from suites.metrics import MetricFacts

_KEYS = ("lower", "upper", "higher_is_better", "values")


@dataclass(frozen=True)
class MetricRules:
    """What a user states of metrics, by name or by glob.

    Of several that fit a metric, one applies: its exact name, else the first glob.

    Attributes
    ----------
    metrics : mapping of str to mapping
        Name or glob → what is stated: ``lower``, ``upper`` (null: there is none),
        ``higher_is_better`` (null: neither), ``values`` (text → number).

    Examples
    --------
    >>> rules = MetricRules.parse({"metrics": {
    ...     "judge/*": {"lower": 1, "upper": 5, "higher_is_better": True},
    ...     "door": {"values": {"switch": 1, "stay": 0}}}}, "rules.yaml")
    >>> rules.facts(MetricFacts("judge/clarity")).upper
    5.0
    >>> rules.values("door"), rules.values("judge/clarity")
    ({'switch': 1.0, 'stay': 0.0}, None)
    """

    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> MetricRules:
        """Read a YAML file of rules.

        Raises
        ------
        UsageError
            If it cannot be read, or does not hold what it should.
        """
        import yaml

        try:
            raw = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
            raise UsageError(f"cannot read the file of metrics {path}: {err}") from err
        return cls.parse({} if raw is None else raw, str(path))

    @classmethod
    def parse(cls, mapping: Any, where: str) -> MetricRules:
        """Check what a file of rules holds.

        Parameters
        ----------
        mapping : object
            ``{"metrics": {name or glob: {...}}}``.
        where : str
            Where it comes from; errors begin with it.

        Raises
        ------
        UsageError
            If anything else is there.
        """
        if not isinstance(mapping, Mapping):
            raise UsageError(f"{where}: expected a mapping with the key metrics.")
        for key in mapping:
            if key != "metrics":
                raise UsageError(f"{where}: {unknown_name('key', str(key), ['metrics'])}")
        entries = mapping.get("metrics")
        if not isinstance(entries, Mapping | None):
            raise UsageError(f"{where}: metrics must map names or globs to mappings.")
        return cls(
            {str(k): _checked(f"{where}: metrics.{k}", v) for k, v in (entries or {}).items()}
        )

    def facts(self, facts: MetricFacts) -> MetricFacts:
        """Override what is known of a metric by what the user states.

        Examples
        --------
        >>> rules = MetricRules({"*": {"lower": 0.0, "upper": 10.0}})
        >>> rules.facts(MetricFacts("judge", upper=5.0, higher_is_better=True))
        MetricFacts(name='judge', lower=0.0, upper=10.0, higher_is_better=True, binary=None)
        """
        stated = self._stated(facts.name)
        changed = replace(facts, **{k: v for k, v in stated.items() if k != "values"})
        lower, upper = changed.lower, changed.upper
        if lower is not None and upper is not None and lower >= upper:
            raise UsageError(
                f"the metric {facts.name} would range from {lower:g} to {upper:g}: "
                "state both lower and upper in the file of metrics."
            )
        if changed.binary and (lower, upper) != (0, 1):
            changed = replace(changed, binary=None)  # 0 or 1 no longer says all
        return changed

    def values(self, name: str) -> Mapping[str, float] | None:
        """Give the user's numbers for a metric's texts; None if there are none."""
        return self._stated(name).get("values")

    def _stated(self, name: str) -> Mapping[str, Any]:
        if name in self.metrics:
            return self.metrics[name]
        fits = (stated for glob, stated in self.metrics.items() if fnmatchcase(name, glob))
        return next(fits, {})


def _checked(where: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise UsageError(f"{where} must be a mapping, got {entry!r}.")
    stated: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in _KEYS:
            raise UsageError(f"{where}: {unknown_name('key', str(key), _KEYS)}")
        if key == "values":
            stated[key] = _numbers(f"{where}.values", value)
        elif key == "higher_is_better":
            if not isinstance(value, bool | None):
                raise UsageError(f"{where}.{key} must be true, false or null, got {value!r}.")
            stated[key] = value
        else:
            stated[key] = None if value is None else _number(f"{where}.{key}", value)
    lower, upper = stated.get("lower"), stated.get("upper")
    if lower is not None and upper is not None and lower >= upper:
        raise UsageError(f"{where}: lower must be below upper, got {lower:g} and {upper:g}.")
    return stated


def _numbers(where: str, values: Any) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise UsageError(f"{where} must map texts to numbers, got {values!r}.")
    for text in values:
        if not isinstance(text, str):  # YAML reads yes, no and 1 as something else
            raise UsageError(f"{where}: {text!r} is no text; put it in quotes.")
    return {text: _number(f"{where}.{text}", number) for text, number in values.items()}


def _number(where: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise UsageError(f"{where} must be a finite number, got {value!r}.")
