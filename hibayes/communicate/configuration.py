"""The section ``communicate`` of a configuration: which plots and tables are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from hibayes.communicate.definition import Communicator
from hibayes.configuration import Section, choices, import_paths
from hibayes.registry import registry_get

DEFAULT_COMMUNICATORS: tuple[str, ...] = (
    "trace_plot",
    "forest_plot",
    "pair_plot",
    "model_comparison_plot",
    "summary_table",
)
"""What is made where a configuration has no list of communicators."""


def _default() -> list[Communicator]:
    return [registry_get("communicator", name)() for name in DEFAULT_COMMUNICATORS]


@dataclass
class CommunicateConfig(Section):
    """Which plots and tables are made.

    Attributes
    ----------
    enabled_communicators : list of Communicator
        In order; `DEFAULT_COMMUNICATORS` unless a list is given. An empty list means none.
    path : list of str
        Files with communicators of one's own, imported first.

    Examples
    --------
    >>> config = CommunicateConfig.from_dict(
    ...     {"communicators": ["summary_table", {"forest_plot": {"combined": True}}]}
    ... )
    >>> [worker.__name__ for worker in config.enabled_communicators]
    ['summary_table', 'forest_plot']
    """

    allowed: ClassVar[tuple[str, ...]] = ("path", "communicators")

    enabled_communicators: list[Communicator] = field(default_factory=_default)
    path: list[str] = field(default_factory=list)

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        path = import_paths(config.get("path"), f"{where}.path" if where else "path")
        listed = config.get("communicators")
        if listed is None:
            return cls(path=path)
        at = f"{where}.communicators" if where else "communicators"
        return cls([choice.build() for choice in choices("communicator", listed, at)], path)
