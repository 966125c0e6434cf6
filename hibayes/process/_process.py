"""`process`: the decorator of what turns data into features."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from hibayes.registry import RegistryInfo, component
from suites.errors import UsageError

Features: TypeAlias = dict[str, Any]
"""Name → array, or a count (``num_model``): what a model is given."""

Coords: TypeAlias = dict[str, list[Any]]
"""Dimension → its labels, in order."""

Dims: TypeAlias = dict[str, list[str]]
"""Variable of a model → its dimensions."""


@runtime_checkable
class DataProcessor(Protocol):
    """Works on an analysis state: its processed data, features, coords and dims."""

    def __call__(self, state: Any, display: Any = None) -> Any:
        """Change the state in place and give it back."""


@dataclass(frozen=True)
class Columns:
    """The columns that models name, for a processor that is told none.

    Attributes
    ----------
    categorical, continuous : tuple of str
        Effects of categories and of numbers.
    interactions : tuple of (str, str)
        Pairs of these.
    effect_coding : bool
        Whether a model's main effects sum to zero.
    optional : tuple of str
        Continuous columns that are taken where they are there (``n_total``).
    """

    categorical: tuple[str, ...] = ()
    continuous: tuple[str, ...] = ()
    interactions: tuple[tuple[str, str], ...] = ()
    effect_coding: bool = False
    optional: tuple[str, ...] = ()


_named: contextvars.ContextVar[Columns | None] = contextvars.ContextVar("columns", default=None)


def default_columns() -> Columns | None:
    """Give the columns that the models of this run name; None where that is not known."""
    return _named.get()


@contextmanager
def use_columns(columns: Columns | None) -> Iterator[None]:
    """Let processors that are told no columns take these.

    Examples
    --------
    >>> with use_columns(Columns(categorical=("grader",))):
    ...     default_columns().categorical
    ('grader',)
    """
    token = _named.set(columns)
    try:
        yield
    finally:
        _named.reset(token)


def columns_of(models: Any) -> Columns:
    """Collect the columns that a configuration's models name.

    Parameters
    ----------
    models : mapping or list
        The section ``model`` of a configuration, or its ``models``: in any of its forms.

    Examples
    --------
    >>> columns_of([{"name": "ordered_logistic_model", "config": {
    ...     "main_effects": ["grader", "LLM"], "interactions": [["grader", "LLM"]]}}]).categorical
    ('grader', 'LLM')
    >>> columns_of(["two_level_group_binomial", "crossed"]).categorical
    ('group', 'model', 'scenario')
    """
    listed = models.get("models", models) if isinstance(models, Mapping) else models
    if isinstance(listed, Mapping):
        listed = [{"name": name, "config": config} for name, config in listed.items()]
    if isinstance(listed, str):
        listed = [listed]
    categorical: dict[str, None] = {}
    continuous: dict[str, None] = {}
    pairs: dict[tuple[str, str], None] = {}
    coded = False
    for entry in listed or []:
        name = entry.get("name") if isinstance(entry, Mapping) else entry
        config = (entry.get("config") if isinstance(entry, Mapping) else None) or {}
        if not isinstance(config, Mapping):
            continue
        own = [*_names(config.get("main_effects"))]
        pairs.update(dict.fromkeys(pairs_of(config.get("interactions") or [])))
        continuous.update(dict.fromkeys(_names(config.get("continuous_effects"))))
        own += _GROUPS.get(str(name), ())
        categorical.update(dict.fromkeys(own))
        for argument, usual in _CROSSED.items() if str(name).startswith("crossed") else ():
            categorical.update(dict.fromkeys(_names(config.get(argument, usual))))
        coded = coded or bool(own and config.get("effect_coding_for_main_effects", True))
    for pair in pairs:
        categorical.update((each, None) for each in pair if each not in continuous)
    kept = tuple(name for name in categorical if name not in continuous)
    return Columns(kept, tuple(continuous), tuple(pairs), coded, ("n_total",))


def pairs_of(interactions: Any) -> list[tuple[str, str]]:
    """Read pairs of effects; one pair may stand for itself.

    Examples
    --------
    >>> pairs_of(["model", "task"]), pairs_of([["a", "b"], ["a", "c"]])
    ([('model', 'task')], [('a', 'b'), ('a', 'c')])
    """
    if not isinstance(interactions, list | tuple):
        raise UsageError(f"interactions: expected pairs of columns, got {interactions!r}.")
    given = list(interactions)
    if len(given) == 2 and all(isinstance(each, str) for each in given):
        given = [given]
    for pair in given:
        good = isinstance(pair, list | tuple) and len(pair) == 2
        if not good or not all(isinstance(each, str) for each in pair) or pair[0] == pair[1]:
            raise UsageError(
                f"interactions: expected pairs of two columns, [[a, b], [a, c]], got {pair!r}."
            )
    return [(pair[0], pair[1]) for pair in given]


_GROUPS = {
    "simplified_group_binomial_exponential": ("group",),
    "two_level_group_binomial": ("group",),
    "three_level_group_binomial": ("group", "subgroup", "subsubgroup"),
    "three_level_group_binomial_exponential": ("group", "subgroup", "subsubgroup"),
}
"""The columns that models of groups need."""

_CROSSED = {
    "model_effect": "model",
    "scenario_effect": "scenario",
    "group_effect": None,
    "organisation_effect": None,
}
"""The arguments of the crossed models that name columns, and their defaults."""


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value or [] if isinstance(each, str)]


def _checked(built: Callable[..., Any], info: RegistryInfo) -> Callable[..., Any]:
    """Give the processor a copy of the data to work on, and check what it leaves."""
    if not callable(built):
        raise TypeError(f"{info.name} must build a function processor(state, display).")

    @functools.wraps(built)
    def processor(state: Any, display: Any = None) -> Any:
        if state.processed_data is None:
            state.processed_data = state.data.copy()
        if not len(state.processed_data):
            raise UsageError(
                f"Processed data is empty. {info.name} has no rows to work on: an earlier "
                "processor, or loading, left none."
            )
        columns = getattr(processor, "default_columns", None)
        with use_columns(columns if columns is not None else default_columns()):
            found = built(state, display)
        if found is None:
            raise UsageError(f"{info.name}: a processor must return the state, got None.")
        return found

    processor.__name__ = info.name
    return processor


process = component("processor", wrap=_checked)
"""Decorator of a builder of processors.

Examples
--------
>>> from hibayes.process import process
>>> @process
... def keep_one_model(name):
...     def processor(state, display=None):
...         state.processed_data = state.processed_data[state.processed_data["model"] == name]
...         return state
...     return processor
"""
