"""How a suite was read, so that it can be read again, here or where its sources lie then."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Origin"]

Option = str | Mapping[str, Any] | None


@dataclass(frozen=True)
class Origin:
    """What `suites.read` was given.

    Attributes
    ----------
    given, absolute : tuple of str
        The sources as they were named, and their absolute paths (of URLs, and of names such as
        ``demo``: themselves).
    identity, table, metrics : str, mapping or None
        The absolute path of the file, or its content.
    error_policy : str
        What a failed response counted as.
    """

    given: tuple[str, ...]
    absolute: tuple[str, ...]
    identity: Option
    table: Option
    metrics: Option
    error_policy: str

    @classmethod
    def of(
        cls,
        sources: Sequence[str],
        *,
        identity: Any,
        table: Any,
        metrics: Any,
        error_policy: str,
    ) -> Origin | None:
        """Note how sources are read; None where an option is an object that no file can hold."""
        options = {"identity": identity, "table": table, "metrics": metrics}
        if any(not isinstance(o, str | Path | Mapping | None) for o in options.values()):
            return None
        kept = {
            name: os.path.abspath(option) if isinstance(option, str | Path) else option
            for name, option in options.items()
        }
        absolute = tuple(_absolute(source) for source in sources)
        return cls(tuple(sources), absolute, error_policy=error_policy, **kept)

    def places(self) -> list[str]:
        """Give where the sources lie: by the names that they were given, if these still hold.

        Runs of one name from two sources are told apart by what the sources were called.
        """
        return [
            given if _absolute(given) == absolute else absolute
            for given, absolute in zip(self.given, self.absolute, strict=True)
        ]

    def options(self) -> dict[str, Any]:
        """Give the options of `suites.read`."""
        names = ("identity", "table", "metrics", "error_policy")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON may hold it.

        Examples
        --------
        >>> options = {"identity": None, "table": None, "metrics": None}
        >>> origin = Origin.of(["demo"], error_policy="as-logged", **options)
        >>> Origin.from_json(origin.to_json()) == origin
        True
        """
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Origin:
        """Make it of what `to_json` gave."""
        places = {name: tuple(content[name]) for name in ("given", "absolute")}
        return cls(**{**content, **places})


def _absolute(place: str) -> str:
    """Give the absolute path of a source that is a path, or a glob of paths."""
    is_local = os.path.exists(place) or (glob.has_magic(place) and "://" not in place)
    return os.path.abspath(place) if is_local else place
