"""What a configuration says of models: which, with what arguments, and how each is fitted."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Self

from hibayes.configuration import Choice, Section, check_keys, import_paths
from hibayes.model.definition import structure_of
from hibayes.model.utils import (
    cloglog_to_prob,
    identity,
    link_to_key,
    logit_to_prob,
    offset_logit_to_share,
    probit_to_prob,
)
from suites.errors import UsageError, unknown_name

__all__ = [
    "INIT_FUNCTION_MAP",
    "LINK_FUNCTION_MAP",
    "FitConfig",
    "Method",
    "ModelConfig",
    "ModelsToRunConfig",
]

DEFAULT_MODEL = "two_level_group_binomial"

LINK_FUNCTION_MAP: dict[str, Callable[[Any], Any]] = {
    "identity": identity,
    "logit": logit_to_prob,
    "sigmoid": logit_to_prob,
    "probit": probit_to_prob,
    "cloglog": cloglog_to_prob,
    "offset_logit": offset_logit_to_share,
}
"""Inverse links, from the scale of a parameter to that of a probability; for plots only."""


class Method(StrEnum):
    """How the posterior is sampled."""

    NUTS = "NUTS"
    HMC = "HMC"


class _InitFunctions(Mapping[str, Callable[..., Any]]):
    """NumPyro's strategies by name, imported when one is asked for."""

    _names = ("median", "mean", "uniform")

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if name not in self._names:
            raise KeyError(name)
        from numpyro.infer import initialization

        return getattr(initialization, f"init_to_{name}")

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


INIT_FUNCTION_MAP: Mapping[str, Callable[..., Any]] = _InitFunctions()
"""Where chains start: ``median`` or ``mean`` of the prior, or ``uniform`` over the unit scale."""

_PER_ROW = ("rows", "cells", "none")


@dataclass(frozen=True)
class FitConfig:
    """How a model is fitted.

    Attributes
    ----------
    method : {"NUTS", "HMC"}
        The sampler.
    samples, warmup : int
        Draws per chain that are kept, and draws before them that adapt the sampler.
    chains : int
        Independent chains.
    seed : int
        Of all random numbers of the fit.
    progress_bar : bool
        Whether the display hears how far the chains are.
    target_accept : float
        The mean acceptance that the step size is adapted to, in (0, 1).
    max_tree_depth : int
        NUTS takes at most 2**max_tree_depth - 1 leapfrog steps for a draw.
    init_strategy : {"median", "mean", "uniform"}
        Where chains start.
    trajectory_length : float, optional
        Length of HMC's trajectories; 2 pi where it is not given. NUTS finds its own.
    dense_mass : bool, optional
        Whether a full mass matrix is adapted instead of a diagonal one. Where it is not given: for
        up to 40 unconstrained parameters, with 20 steps of warm-up for each.
    log_likelihood : {"rows", "cells", "none"}
        Whether the pointwise log-likelihood is kept for each row of the data, for each group of
        like rows that is counted together (then leave-one-out leaves out a cell), or not at all.

    Raises
    ------
    UsageError
        If a value is out of its range, or does not belong to the method.

    Examples
    --------
    >>> FitConfig(samples=500).merged(chains=2).samples
    500
    >>> FitConfig(method="SMC")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    suites.errors.UsageError: fit.method: unknown method 'SMC'; did you mean 'HMC'? ...
    """

    method: str = Method.NUTS
    samples: int = 2000
    warmup: int = 1000
    chains: int = 4
    seed: int = 0
    progress_bar: bool = True
    target_accept: float = 0.95
    max_tree_depth: int = 10
    init_strategy: str = "median"
    trajectory_length: float | None = None
    dense_mass: bool | None = None
    log_likelihood: str = "rows"

    def __post_init__(self) -> None:
        if self.method not in [m.value for m in Method]:
            raise UsageError(
                f"fit.method: {unknown_name('method', str(self.method), [m.value for m in Method])}"
            )
        object.__setattr__(self, "method", Method(self.method))
        if self.init_strategy not in INIT_FUNCTION_MAP:
            hint = unknown_name("init_strategy", str(self.init_strategy), INIT_FUNCTION_MAP)
            raise UsageError(f"fit.init_strategy: {hint}")
        if self.log_likelihood not in _PER_ROW:
            hint = unknown_name("choice", str(self.log_likelihood), _PER_ROW)
            raise UsageError(f"fit.log_likelihood: {hint}")
        least = {"samples": 1, "warmup": 0, "chains": 1, "seed": 0, "max_tree_depth": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise UsageError(f"fit.{name} must be a whole number from {low}, got {value!r}.")
        for name in ("progress_bar", "dense_mass"):
            value = getattr(self, name)
            if not isinstance(value, bool) and (name, value) != ("dense_mass", None):
                raise UsageError(f"fit.{name} must be true or false, got {value!r}.")
        if not _is_number(self.target_accept) or not 0 < self.target_accept < 1:
            raise UsageError(
                f"fit.target_accept must lie between 0 and 1, got {self.target_accept!r}."
            )
        self._check_method()

    def _check_method(self) -> None:
        """Refuse options that the method does not have, rather than leave them without effect."""
        if self.method == Method.NUTS and self.trajectory_length is not None:
            raise UsageError("fit.trajectory_length is an option of HMC; NUTS finds its own.")
        if self.method == Method.HMC and self.max_tree_depth != 10:
            raise UsageError(
                "fit.max_tree_depth is an option of NUTS; HMC takes trajectory_length."
            )
        length = self.trajectory_length
        if length is not None and not (_is_number(length) and 0 < length < math.inf):
            raise UsageError(f"fit.trajectory_length must be above 0, got {length!r}.")

    def merged(self, **updates: Any) -> FitConfig:
        """Give the same configuration with some values changed.

        Raises
        ------
        TypeError
            For an unknown name: a UsageError too, naming the nearest.
        """
        _check_fit_keys(updates)
        return dataclasses.replace(self, **updates)

    def to_dict(self) -> dict[str, Any]:
        """Give the values as JSON has them."""
        return dataclasses.asdict(self) | {"method": str(self.method)}


class UnknownFitKey(UsageError, TypeError):
    """A fit is configured with a key that nothing reads."""


def _check_fit_keys(given: Mapping[str, Any], where: str = "") -> None:
    try:
        check_keys(given, [f.name for f in dataclasses.fields(FitConfig)], "FitConfig", where)
    except UsageError as err:
        raise UnknownFitKey(str(err)) from None


@dataclass
class ModelConfig(Section):
    """How a model is fitted and shown.

    Attributes
    ----------
    fit : FitConfig
        How it is sampled; a mapping is read as one.
    main_effect_params : list of str, optional
        The variables that plots and tables show where they are not told which.
    tag : str, optional
        Follows the model's name, to tell several of one kind apart.
    link_function : callable
        Inverse link for plots; a name of `LINK_FUNCTION_MAP` is read as one.
    extra_kwargs : dict
        Anything that custom components want to find.

    Examples
    --------
    >>> ModelConfig.from_dict({"tag": "wide", "fit": {"chains": 2}}).fit.chains
    2
    """

    allowed: ClassVar[tuple[str, ...]] = (
        "fit",
        "main_effect_params",
        "tag",
        "link_function",
        "extra_kwargs",
    )

    fit: FitConfig = field(default_factory=FitConfig)
    main_effect_params: list[str] | None = None
    tag: str | None = None
    link_function: Any = logit_to_prob
    extra_kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.fit is None or isinstance(self.fit, Mapping):
            _check_fit_keys(self.fit or {})
            self.fit = FitConfig(**(self.fit or {}))
        if isinstance(self.link_function, str):
            if self.link_function not in LINK_FUNCTION_MAP:
                raise UsageError(
                    str(unknown_name("link_function", self.link_function, LINK_FUNCTION_MAP))
                )
            self.link_function = LINK_FUNCTION_MAP[self.link_function]
        if isinstance(self.main_effect_params, str):
            self.main_effect_params = [self.main_effect_params]
        self.tag = None if self.tag is None else str(self.tag)
        self.extra_kwargs = dict(self.extra_kwargs or {})

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        if config.get("fit") is not None and not isinstance(config["fit"], Mapping):
            raise UsageError(f"{where}.fit: expected a mapping, got {config['fit']!r}.")
        _check_fit_keys(config.get("fit") or {}, f"{where}.fit" if where else "")
        try:
            return cls(**config)
        except UsageError as err:
            raise UsageError(f"{where}: {err}" if where else str(err)) from err

    def to_dict(self) -> dict[str, Any]:
        """Give the configuration as JSON has it; what ``from_dict`` reads."""
        return {
            "fit": self.fit.to_dict(),
            "main_effect_params": self.main_effect_params,
            "tag": self.tag,
            "link_function": link_to_key(self.link_function, LINK_FUNCTION_MAP),
            "extra_kwargs": self.extra_kwargs,
        }


@dataclass
class ModelsToRunConfig(Section):
    """The models that an analysis fits, in order.

    Attributes
    ----------
    enabled_models : list of (callable, ModelConfig)
        What the builders built, and how each is fitted.
    path : list of str
        The Python files that were imported for their models.

    Notes
    -----
    Without ``models`` the default is `two_level_group_binomial`; an empty list fits none.

    Examples
    --------
    >>> main = {"main_effects": ["model"], "tag": "_main"}
    >>> config = ModelsToRunConfig.from_dict({"models": [
    ...     {"name": "linear_group_binomial", "config": main}, "two_level_group_binomial",
    ... ]})
    >>> [(model.__name__, config.tag) for model, config in config.enabled_models]
    [('linear_group_binomial', '_main'), ('two_level_group_binomial', None)]
    """

    allowed: ClassVar[tuple[str, ...]] = ("path", "models")

    enabled_models: list[tuple[Any, ModelConfig]] | None = None
    path: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.enabled_models is None:
            self.enabled_models = [_entry(DEFAULT_MODEL, {}, "")]

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        paths = import_paths(config.get("path"), f"{where}.path" if where else "path")
        listed = config.get("models")
        if listed is None:
            return cls(path=paths)
        at = f"{where}.models" if where else "models"
        models = [_entry(*entry) for entry in _entries(listed, at)]
        _check_names(models, at)
        return cls(models, paths)


def _entries(listed: Any, where: str) -> list[tuple[str, Mapping[str, Any], str]]:
    """Read the list of models, or the mapping of them: name, configuration, place."""
    if isinstance(listed, str):
        listed = [listed]
    if isinstance(listed, Mapping):
        return [(str(n), _mapping(c, f"{where}.{n}"), f"{where}.{n}") for n, c in listed.items()]
    if not isinstance(listed, Sequence):
        raise UsageError(f"{where}: expected a list of models, got {listed!r}.")
    found: list[tuple[str, Mapping[str, Any], str]] = []
    for place, item in enumerate(listed):
        at = f"{where}[{place}]"
        if isinstance(item, str):
            found.append((item, {}, at))
        elif isinstance(item, Mapping) and "name" in item:
            try:
                check_keys(item, ["name", "config"], "model", at)
            except UsageError as err:
                raise UsageError(f"{err} Arguments of the model stand under config.") from None
            found.append((str(item["name"]), _mapping(item.get("config"), f"{at}.config"), at))
        elif isinstance(item, Mapping) and len(item) == 1:
            ((name, config),) = item.items()
            found.append((str(name), _mapping(config, f"{at}.{name}"), at))
        else:
            raise UsageError(f"{at}: expected a name or {{name, config}}, got {item!r}.")
    return found


def _mapping(config: Any, where: str) -> Mapping[str, Any]:
    if config is not None and not isinstance(config, Mapping):
        raise UsageError(f"{where}: expected a mapping, got {config!r}.")
    return config or {}


def _entry(name: str, config: Mapping[str, Any], where: str) -> tuple[Any, ModelConfig]:
    """Build a model: the keys that are not of the fit are its builder's arguments."""
    own = {key: value for key, value in config.items() if key in ModelConfig.allowed}
    arguments = {key: value for key, value in config.items() if key not in own}
    # the arguments that users most often misspell are those of the fit
    choice = Choice("model", name, arguments, where)
    try:
        built = choice.build()
    except UsageError as err:
        stray = [key for key in arguments if key in inspect.signature(FitConfig).parameters]
        hint = f" {', '.join(stray)} belong under fit." if stray else ""
        if isinstance(err, KeyError) or not hint:
            raise
        raise UsageError(f"{err}{hint}") from err
    usual = {"link_function": structure_of(built).link}
    return built, ModelConfig.from_dict(usual | own, where=where)


def _check_names(models: Sequence[tuple[Any, ModelConfig]], where: str) -> None:
    """Refuse two models of one name: one would be saved over the other."""
    names = [f"{built.__name__}{config.tag or ''}" for built, config in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{where}: {', '.join(twice)} stands there more than once. Give each its own tag."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
