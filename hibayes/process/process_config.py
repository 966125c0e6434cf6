"""`ProcessConfig`: which processors run, in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from hibayes.configuration import Section, choices, import_paths
from hibayes.process._process import Columns, DataProcessor
from hibayes.registry import registry_get


@dataclass
class ProcessConfig(Section):
    """Which processors run, in which order.

    Attributes
    ----------
    enabled_processors : list of DataProcessor
        None gives the defaults, ``extract_observed_feature`` and ``extract_features``; an empty
        list gives none.
    path : list of str
        Files with processors of one's own, imported first.

    Examples
    --------
    >>> from hibayes.registry import registry_info
    >>> config = ProcessConfig.from_dict({"processors": [
    ...     {"drop_rows_with_missing_features": {"features": ["score"]}},
    ...     "extract_observed_features"]})
    >>> [registry_info(p).name for p in config.enabled_processors]
    ['drop_rows_with_missing_features', 'extract_observed_feature']
    """

    enabled_processors: list[DataProcessor] | None = None
    path: list[str] = field(default_factory=list)

    DEFAULT_PROCESS: ClassVar[list[str]] = ["extract_observed_feature", "extract_features"]
    allowed: ClassVar[tuple[str, ...]] = ("path", "processors")

    def __post_init__(self) -> None:
        if self.enabled_processors is None:
            self.enabled_processors = [
                registry_get("processor", name)() for name in self.DEFAULT_PROCESS
            ]

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        path = import_paths(config.get("path"), f"{where}.path" if where else "path")
        listed = config.get("processors")
        if listed is None:
            return cls(path=path)
        at = f"{where}.processors" if where else "processors"
        return cls([choice.build() for choice in choices("processor", listed, at)], path)

    def use_columns(self, columns: Columns | None) -> None:
        """Let processors that are told no columns take those that the models name.

        Parameters
        ----------
        columns : Columns or None
            As `hibayes.process.columns_of` makes them of a configuration's models.
        """
        for worker in self.enabled_processors or []:
            worker.default_columns = columns  # type: ignore[attr-defined]
