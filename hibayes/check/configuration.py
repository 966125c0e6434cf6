"""The section ``check`` of a configuration: which checks run, with what settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from hibayes.check.definition import Checker, when_of
from hibayes.configuration import Section, choices, import_paths
from hibayes.registry import registry_get

DEFAULT_CHECKERS: tuple[str, ...] = (
    "prior_predictive_plot",
    "r_hat",
    "divergences",
    "ess_bulk",
    "ess_tail",
    "loo",
    "bfmi",
    "posterior_predictive_plot",
    "waic",
)
"""What runs where a configuration has no list of checkers."""


def _default() -> list[Checker]:
    return [registry_get("checker", name)() for name in DEFAULT_CHECKERS]


@dataclass
class CheckerConfig(Section):
    """Which checks run.

    Attributes
    ----------
    enabled_checkers : list of Checker
        In the order in which they run; `DEFAULT_CHECKERS` unless a list is given. An empty list
        means that nothing is checked.
    path : list of str
        Files with checkers of one's own, imported first.

    Examples
    --------
    >>> config = CheckerConfig.from_dict({"checkers": ["r_hat", {"divergences": {"threshold": 5}}]})
    >>> [check.__name__ for check in config.enabled_checkers]
    ['r_hat', 'divergences']
    >>> CheckerConfig.from_dict({"checkers": []}).enabled_checkers
    []
    """

    allowed: ClassVar[tuple[str, ...]] = ("path", "checkers")

    enabled_checkers: list[Checker] = field(default_factory=_default)
    path: list[str] = field(default_factory=list)

    @property
    def before(self) -> list[Checker]:
        """The checks that run before the fit."""
        return [check for check in self.enabled_checkers if when_of(check) == "before"]

    @property
    def after(self) -> list[Checker]:
        """The checks that run after the fit."""
        return [check for check in self.enabled_checkers if when_of(check) == "after"]

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        path = import_paths(config.get("path"), f"{where}.path" if where else "path")
        listed = config.get("checkers")
        if listed is None:
            return cls(path=path)
        at = f"{where}.checkers" if where else "checkers"
        return cls([choice.build() for choice in choices("checker", listed, at)], path)
