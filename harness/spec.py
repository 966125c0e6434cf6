"""`Spec`: how a predictor is named, and with which settings.

``name``, ``module:Class`` or ``path/file.py:Class``, each with settings as ``Name(a=1)``. Parsing
imports nothing: a predictor's code runs in a worker only.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness.settings import settings_text, split_settings
from suites.errors import UsageError, unknown_name

GROUP = "benchcast.predictors"
"""Entry points of predictors."""

SLOW = "benchcast.predictors.slow"
"""Entry points of predictors that take a minute a fold, or more, on a large grid."""

INSTANCE = "benchcast.predictors.instance"
"""Entry points of predictors of single responses."""

SETS: tuple[str, ...] = ("quick", "all")
"""What stands for several predictors: the registered ones without the slow, and all of them."""


@dataclass(frozen=True)
class Spec:
    """A predictor to evaluate.

    Attributes
    ----------
    name : str
        What it is called in results: a registered name or the class's, with its settings.
    module : str or None
        Importable module of the class; None when it comes from a file.
    file : str or None
        Absolute path of the file of the class; None when it comes from a module.
    cls : str
        Name of the class.
    settings : mapping
        Keyword arguments of its constructor.
    instance : object
        A ready object, for isolation ``none`` only.
    answers : object
        What answers in place of a worker: predictions that were made before
        (`harness.file_answers`).
    """

    name: str
    module: str | None
    file: str | None
    cls: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    instance: Any = field(default=None, compare=False, repr=False)
    answers: Any = field(default=None, compare=False, repr=False)

    @property
    def folders(self) -> list[Path]:
        """Where its code lies, if it comes from a file."""
        return [Path(self.file).parent] if self.file else []

    @property
    def text(self) -> str:
        """The spec as it can be given to a command."""
        home = self.module or self.file or "notebook"
        return f"{home}:{self.cls}{settings_text(self.settings)}"

    @cached_property
    def settings_hash(self) -> str:
        """Twelve hexadecimal digits of the settings, whatever their order."""
        try:
            text = json.dumps(dict(self.settings), sort_keys=True, default=repr)
        except TypeError:  # a mapping whose keys cannot be sorted
            text = settings_text(self.settings)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def load_message(self) -> dict[str, Any]:
        """Give the message that makes a worker load the class (see `harness.worker.Session`)."""
        spec = {
            "module": self.module,
            "file": self.file,
            "cls": self.cls,
            "settings": repr(dict(self.settings)),
        }
        message: dict[str, Any] = {"call": "load", "spec": spec}
        return message if self.instance is None else {**message, "instance": self.instance}


def registered() -> dict[str, str]:
    """Give the registered predictors: name → ``module:Class``.

    Examples
    --------
    >>> registered()["scenario-mean"]
    'predictors.scenario_mean:ScenarioMean'
    """
    points = [p for group in (GROUP, SLOW, INSTANCE) for p in entry_points(group=group)]
    return {point.name: point.value for point in sorted(points, key=lambda p: p.name)}


def _name_of(value: str) -> str | None:
    """Give the first name that a class is registered by."""
    return next((name for name, other in registered().items() if other == value), None)


def expand(text: str, predicts: Collection[str] = ("run",)) -> list[str]:
    """Give the predictors that a word of `SETS` stands for, one name for each class; else itself.

    Parameters
    ----------
    text : str
        A word of `SETS`, or a predictor.
    predicts : collection of str
        What the tasks ask for: ``run``, ``instance`` or both.

    Examples
    --------
    >>> expand("kernel-ridge(ridge=5)")
    ['kernel-ridge(ridge=5)']
    >>> sorted(set(expand("all")) - set(expand("quick")))
    ['conformal', 'factorisation', 'hibayes', 'hibayes-items', 'stack']
    >>> "item-mean" in expand("quick"), "item-mean" in expand("quick", ["instance"])
    (False, True)
    """
    if text not in SETS:
        return [text]
    groups = {"run": (GROUP, SLOW) if text == "all" else (GROUP,), "instance": (INSTANCE,)}
    wanted = {
        point.value
        for kind in predicts
        for group in groups[kind]
        for point in entry_points(group=group)
    }
    first: dict[str, str] = {}
    for name, value in registered().items():
        if value in wanted:
            first.setdefault(value, name)
    return list(first.values())


def parse_spec(text: str) -> Spec:
    """Read a SPEC as it is given to a command.

    Parameters
    ----------
    text : str
        ``name``, ``module:Class`` or ``path/file.py:Class``; settings as ``…(a=1, b="x")`` with
        literal values.

    Raises
    ------
    UsageError
        If it is none of these; the message names the nearest registered name.

    Examples
    --------
    >>> parse_spec("kernel-ridge(ridge=5)")
    Spec(name='kernel-ridge(ridge=5)', module='predictors.kernel_ridge', file=None, \
cls='KernelRidge', settings={'ridge': 5})
    """
    home, settings = split_settings(text.strip())
    suffix = settings_text(settings)
    names = registered()
    if ":" not in home:
        by_class = {value.rpartition(":")[2]: value for value in names.values()}
        value = names.get(home) or by_class.get(home)
        if value is None:
            error = unknown_name("predictor", home, [*names, *SETS])
            raise UsageError(f"{error} A class of your own is module:Class or path/file.py:Class.")
        module, _, cls = value.partition(":")
        name = home if home in names else _name_of(value) or cls
        return Spec(name + suffix, module, None, cls, settings)
    place, _, cls = home.rpartition(":")
    if not cls.isidentifier() or not place:
        raise UsageError(
            f"{text!r} does not name a class: write module:Class or path/file.py:Class."
        )
    if place.endswith(".py") or "/" in place:
        path = Path(place).expanduser()
        if not path.is_file():
            raise UsageError(f"there is no file {place} (looked for the predictor {text!r}).")
        return Spec(cls + suffix, None, str(path.resolve()), cls, settings)
    return Spec(cls + suffix, place, None, cls, settings)


def spec_of(predictor: Any) -> Spec:
    """Make a `Spec` of whatever `harness.evaluate` is given: a string, a class or an object.

    Parameters
    ----------
    predictor : str, class, object or Spec
        An object's settings are read from its attributes, by the names of its constructor's
        arguments.
    """
    if isinstance(predictor, Spec):
        return predictor
    if isinstance(predictor, str):
        return parse_spec(predictor)
    cls = predictor if inspect.isclass(predictor) else type(predictor)
    settings = {} if inspect.isclass(predictor) else _settings_of(predictor)
    value = f"{cls.__module__}:{cls.__qualname__}"
    name = _name_of(value) or cls.__name__
    name += settings_text(settings)
    portable = cls.__module__ != "__main__" and _found_by_name(cls)
    instance = None if portable else (predictor if not inspect.isclass(predictor) else cls)
    return Spec(
        name, cls.__module__ if portable else None, None, cls.__qualname__, settings, instance
    )


def _found_by_name(cls: type) -> bool:
    """Whether a worker that imports the class's module would find the class."""
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cls


def unique_names(specs: Iterable[Spec]) -> list[Spec]:
    """Drop specs given twice, and tell apart different ones of one name by a number.

    Examples
    --------
    >>> twice = [parse_spec("random"), parse_spec("random")]
    >>> [spec.name for spec in unique_names(twice)]
    ['random']
    """
    from dataclasses import replace

    out: list[Spec] = []
    for spec in specs:
        if any(spec == other and spec.instance is other.instance for other in out):
            continue
        taken = {other.name for other in out}
        name, number = spec.name, 2
        while name in taken:
            name, number = f"{spec.name} #{number}", number + 1
        out.append(replace(spec, name=name))
    return out


def _settings_of(predictor: Any) -> dict[str, Any]:
    settings = {}
    for name, parameter in inspect.signature(type(predictor).__init__).parameters.items():
        if name == "self" or parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            continue
        value = getattr(predictor, name, parameter.default)
        if value is not parameter.default and value != parameter.default:
            settings[name] = value
    return settings
