"""Components by name: extractors, processors, models, checkers and communicators.

A component is written as a *builder*: a decorated function whose arguments are the settings that a
configuration gives, and which returns the worker. Its name in configurations is the function's.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suites.errors import UsageError, unknown_name

TYPES: tuple[str, ...] = ("extractor", "processor", "model", "checker", "communicator")
"""The kinds of component, as they stand in the registry."""

_REGISTRY: dict[str, Callable[..., Any]] = {}
_INFO = "__registry_info__"
_PARAMS = "__registry_params__"

_HOMES = {
    "extractor": "hibayes.load.extractors",
    "processor": "hibayes.process.processors",
    "model": "hibayes.model.models",
    "checker": "hibayes.check.checkers",
    "communicator": "hibayes.communicate.communicators",
}
"""The modules whose import registers the built-in components."""

_ALIASES = {
    "extractor:base": "base_extractor",
    "processor:extract_observed_features": "extract_observed_feature",
}
"""Spellings that configurations of HiBayES use."""


class UnknownComponent(UsageError, KeyError):
    """A configuration names a component that is not registered."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class RegistryInfo:
    """What a component is registered as.

    Attributes
    ----------
    type : str
        One of `TYPES`.
    name : str
        Its name in configurations.
    metadata : mapping
        What its decorator was told: a checker's ``when``.
    """

    type: str
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def registry_key(type: str, name: str) -> str:
    """Give the key of a component.

    Examples
    --------
    >>> registry_key("model", "linear_group_binomial")
    'model:linear_group_binomial'
    """
    return f"{type}:{name}"


def registry_add(component: Any, info: RegistryInfo) -> None:
    """Register a builder; a later one of the same name takes the place of an earlier.

    Raises
    ------
    TypeError
        If it cannot be called.
    """
    if not callable(component):
        raise TypeError(f"a component must be callable, got {component!r}")
    setattr(component, _INFO, info)
    _REGISTRY[registry_key(info.type, info.name)] = component


def registry_get(type: str, name: str) -> Callable[..., Any]:
    """Give a builder by name.

    Raises
    ------
    UnknownComponent
        If there is none: then it is a KeyError too.

    Examples
    --------
    >>> registry_get("model", "no_such")
    Traceback (most recent call last):
        ...
    hibayes.registry.UnknownComponent: No registered no_such found with @model...
    """
    importlib.import_module(_HOMES[type]) if type in _HOMES else None
    named = _ALIASES.get(registry_key(type, name), name)
    try:
        return _REGISTRY[registry_key(type, named)]
    except KeyError:
        hint = unknown_name(type, name, registry_names(type))
        raise UnknownComponent(f"No registered {name} found with @{type}: {hint}") from None


def registry_names(type: str) -> list[str]:
    """Give the names of all registered components of a kind, the built-in ones among them."""
    importlib.import_module(_HOMES[type]) if type in _HOMES else None
    prefix = f"{type}:"
    return sorted(key.removeprefix(prefix) for key in _REGISTRY if key.startswith(prefix))


def registry_info(component: Any) -> RegistryInfo:
    """Say what a builder, or what it built, is registered as.

    Raises
    ------
    ValueError
        If it is not a component.
    """
    info = getattr(component, _INFO, None)
    if not isinstance(info, RegistryInfo):
        name = getattr(component, "__name__", repr(component))
        raise ValueError(f"{name} is not a registered component: decorate its builder.")
    return info


def registry_params(component: Any) -> dict[str, Any]:
    """Give the arguments that a worker was built with, as JSON has them."""
    return dict(getattr(component, _PARAMS, {}))


def registry_tag(
    builder: Callable[..., Any], built: Any, info: RegistryInfo, /, *args: Any, **kwargs: Any
) -> Any:
    """Mark what a builder built with its registration and the arguments it was built with."""
    try:
        bound = inspect.signature(builder).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
    except (TypeError, ValueError):
        arguments = dict(kwargs)
    try:
        setattr(built, _INFO, info)
        setattr(built, _PARAMS, {key: _plain(value) for key, value in arguments.items()})
    except AttributeError as err:
        raise TypeError(f"{info.name} must build a function, got {built!r}") from err
    return built


def component(
    type: str,
    wrap: Callable[[Callable[..., Any], RegistryInfo], Callable[..., Any]] | None = None,
) -> Callable[..., Any]:
    """Make the decorator of a kind of component.

    Parameters
    ----------
    type : str
        One of `TYPES`.
    wrap : callable, optional
        Given what a builder built and its registration, gives the worker that is used: where the
        checks that all workers of the kind need are added.

    Returns
    -------
    callable
        Usable as ``@decorator``, ``@decorator()`` and ``@decorator(key=value)``; the keywords
        become the registration's metadata.

    Examples
    --------
    >>> shout = component("communicator")
    >>> @shout(loud=True)
    ... def hello(name="you"):
    ...     def communicate(state, display=None):
    ...         return state, f"hello {name}"
    ...     return communicate
    >>> worker = registry_get("communicator", "hello")("all")
    >>> worker(None)[1], registry_info(worker).metadata, registry_params(worker)
    ('hello all', {'loud': True}, {'name': 'all'})
    """

    def decorate(builder: Callable[..., Any], **metadata: Any) -> Callable[..., Any]:
        info = RegistryInfo(type, builder.__name__, metadata)

        @functools.wraps(builder)
        def build(*args: Any, **kwargs: Any) -> Any:
            built = builder(*args, **kwargs)
            worker = wrap(built, info) if wrap is not None else built
            return registry_tag(builder, worker, info, *args, **kwargs)

        registry_add(build, info)
        return build

    def decorator(builder: Callable[..., Any] | None = None, **metadata: Any) -> Any:
        if builder is not None:
            return decorate(builder)
        return functools.partial(decorate, **metadata)

    return decorator


def _import_path(path: str | Path) -> None:
    """Import a file, or a package's folder, once; its components are registered each time.

    Raises
    ------
    UsageError
        If there is none at the path, or it cannot be imported.
    """
    place = Path(path).expanduser().resolve()
    file = place / "__init__.py" if place.is_dir() else place
    if not file.is_file():
        raise UsageError(f"path: there is no Python file or package at {path}.")
    name = str(place)
    if name in sys.modules:
        # imported before; what it registered may have been overwritten by another file since
        for made in vars(sys.modules[name]).values():
            info = getattr(made, _INFO, None)
            if isinstance(info, RegistryInfo) and callable(made):
                registry_add(made, info)
        return
    search = [str(place)] if place.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise UsageError(f"path: {path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as err:
        sys.modules.pop(name, None)
        raise UsageError(f"path: importing {path} failed: {type(err).__name__}: {err}") from err


def source_of(component: Any) -> dict[str, str]:
    """Say where a component's code lies, and its sha256: what a manifest needs of it."""
    builder = _REGISTRY.get(
        registry_key(registry_info(component).type, registry_info(component).name)
    )
    try:
        file = inspect.getsourcefile(inspect.unwrap(builder or component)) or ""
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return {}
    return {"file": file, "sha256": digest}


def _plain(value: Any) -> Any:
    """Give a value as JSON has it; what it cannot hold as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    return repr(value)
