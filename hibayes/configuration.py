"""What all sections of a configuration share: strict keys, lists of components, YAML files.

Every key is checked, at every depth: one that nothing reads would be a choice silently not made.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from hibayes.registry import _import_path, registry_get
from suites.errors import UsageError


class NoConfiguration(UsageError, FileNotFoundError):
    """There is no file at a configuration's path."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Choice:
    """A component that a configuration names, with its arguments.

    Attributes
    ----------
    type, name : str
        Which component.
    arguments : mapping
        Its settings.
    where : str
        Where it stands in the configuration, for messages.
    """

    type: str
    name: str
    arguments: Mapping[str, Any]
    where: str = ""

    def build(self) -> Any:
        """Build the worker.

        Raises
        ------
        UsageError
            If there is no such component, or it does not take these arguments.
        """
        try:
            builder = registry_get(self.type, self.name)
        except UsageError as err:
            if self.where:
                err.args = (f"{self.where}: {err}",)
            raise
        known = inspect.signature(builder).parameters
        takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
        if not takes_any:
            check_keys(self.arguments, list(known), self.name, self.where)
        try:
            return builder(**self.arguments)
        except (TypeError, ValueError) as err:
            prefix = f"{self.where}: " if self.where else ""
            raise UsageError(f"{prefix}{self.name}: {err}") from err


class Section:
    """A section of the configuration: ``from_dict``, ``from_yaml`` and strict keys.

    Subclasses are dataclasses and give `allowed` and `_from`.
    """

    allowed: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_dict(cls, config: Mapping[str, Any] | None, *, where: str = "") -> Self:
        """Read a section; None and an empty mapping give its defaults.

        Parameters
        ----------
        config : mapping or None
            The section.
        where : str
            Where it stands, for messages: ``config.yaml: check``.

        Raises
        ------
        UsageError
            A ValueError: for unknown keys, unknown components, arguments that these do not take.
        """
        if config is not None and not isinstance(config, Mapping):
            raise UsageError(f"{where or cls.__name__}: expected a mapping, got {config!r}.")
        check_keys(config or {}, cls.allowed, cls.__name__, where)
        return cls._from(dict(config or {}), where)

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a section from a YAML file that holds nothing else."""
        return cls.from_dict(load_yaml(path), where=str(path))

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        raise NotImplementedError


def check_keys(given: Iterable[Any], allowed: Sequence[str], owner: str, where: str = "") -> None:
    """Refuse keys that are not allowed, naming the nearest one that is.

    Raises
    ------
    UsageError
        A ValueError: ``Unknown keys in ProcessConfig: 'processor' (did you mean 'processors'?).
        Allowed keys are: […]``.

    Examples
    --------
    >>> try:
    ...     check_keys({"processor": 1}, ["path", "processors"], "ProcessConfig", "c.yaml")
    ... except UsageError as err:
    ...     print(str(err).split("?")[0])
    c.yaml: Unknown keys in ProcessConfig: 'processor' (did you mean 'processors'
    """
    unknown = [str(key) for key in given if key not in allowed]
    if not unknown:
        return
    said = []
    for key in unknown:
        near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
        said.append(f"{key!r} (did you mean {near[0]!r}?)" if near else repr(key))
    prefix = f"{where}: " if where else ""
    raise UsageError(
        f"{prefix}Unknown keys in {owner}: {', '.join(said)}. Allowed keys are: {list(allowed)}"
    )


def choices(type: str, listed: Any, where: str = "") -> list[Choice]:
    """Read a list of components in any of the forms that configurations use.

    Parameters
    ----------
    type : str
        The kind of component.
    listed : list or mapping
        Names; one-key mappings ``{name: {argument: value}}`` (several keys are several
        components, arguments may be null); or one such mapping.
    where : str
        Where it stands, for messages.

    Examples
    --------
    >>> found = choices("checker", ["r_hat", {"divergences": {"threshold": 5}, "loo": None}])
    >>> [(c.name, dict(c.arguments)) for c in found]
    [('r_hat', {}), ('divergences', {'threshold': 5}), ('loo', {})]
    """
    if isinstance(listed, str):
        listed = [listed]
    if isinstance(listed, Mapping):
        listed = [{name: arguments} for name, arguments in listed.items()]
    if not isinstance(listed, Sequence):
        raise UsageError(f"{where or type}: expected a list of names, got {listed!r}.")
    found = []
    for place, item in enumerate(listed):
        at = f"{where}[{place}]"
        if isinstance(item, str):
            found.append(Choice(type, item, {}, at))
            continue
        if not isinstance(item, Mapping):
            raise UsageError(f"{at}: expected a name or {{name: arguments}}, got {item!r}.")
        for name, arguments in item.items():
            if arguments is not None and not isinstance(arguments, Mapping):
                raise UsageError(f"{at}.{name}: arguments must be a mapping, got {arguments!r}.")
            found.append(Choice(type, str(name), dict(arguments or {}), f"{at}.{name}"))
    return found


def import_paths(value: Any, where: str = "") -> list[str]:
    """Import the files that a section's ``path`` names; give their paths."""
    paths = [value] if isinstance(value, str | Path) else list(value or [])
    for path in paths:
        try:
            _import_path(path)
        except UsageError as err:
            raise UsageError(f"{where}: {err}" if where else str(err)) from err
    return [str(path) for path in paths]


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; an empty file is an empty one.

    Raises
    ------
    UsageError
        If it cannot be read, is not YAML, or holds something else.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that stands twice: one of the two would be silently dropped."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            merge = "tag:yaml.org,2002:merge"  # "<<: *other": what is merged in may be overruled
            own = [key for key, _ in node.value if key.tag != merge]
            keys = [self.construct_object(key, deep=True) for key in own]
            for place, key in enumerate(keys):
                if key in keys[:place]:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} stands twice", node.start_mark
                    )
            return super().construct_mapping(node, deep)

    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader)
    except FileNotFoundError:
        raise NoConfiguration(f"there is no configuration at {path}.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise UsageError(f"cannot read the configuration {path}: {err}") from err
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected a mapping of sections.")
    return content
