"""`ExtractorConfig`: which extractors are used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from hibayes.configuration import Section, choices, import_paths
from hibayes.load._extractor import Extractor
from hibayes.registry import registry_get

DEFAULT_EXTRACTORS: tuple[str, ...] = ("base_extractor",)


@dataclass
class ExtractorConfig(Section):
    """Which extractors are used.

    Attributes
    ----------
    enabled_extractors : list of Extractor
        In the order in which they are applied; later ones win. None gives the default,
        ``base_extractor``; an empty list gives none.
    path : list of str
        Files with extractors of one's own, imported first.

    Examples
    --------
    >>> from hibayes.registry import registry_info
    >>> config = ExtractorConfig.from_dict({"enabled": ["base", "token_extractor"]})
    >>> [registry_info(e).name for e in config.enabled_extractors]
    ['base_extractor', 'token_extractor']
    """

    enabled_extractors: list[Extractor] | None = None
    path: list[str] = field(default_factory=list)

    allowed: ClassVar[tuple[str, ...]] = ("path", "enabled", "extractors")

    def __post_init__(self) -> None:
        if self.enabled_extractors is None:
            self.enabled_extractors = default_extractors()

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        path = import_paths(config.get("path"), f"{where}.path" if where else "path")
        key = "enabled" if config.get("enabled") is not None else "extractors"
        listed = config.get(key)
        if listed is None:
            return cls(path=path)
        at = f"{where}.{key}" if where else key
        return cls([choice.build() for choice in choices("extractor", listed, at)], path)


def default_extractors() -> list[Extractor]:
    """Build the extractors that are used when none is named."""
    return [registry_get("extractor", name)() for name in DEFAULT_EXTRACTORS]
