"""What a model is: a builder that returns a NumPyro program, and what it says of itself.

The program reads the features, draws its parameters and observes ``obs``. Beside it a model may
describe its structure: the axes of its variables, so that they are labelled rightly, and which
features its rows share, so that like rows are counted rather than repeated.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from hibayes.registry import RegistryInfo, component
from suites.errors import UsageError

Features = Mapping[str, Any]
Coords = Mapping[str, Sequence[Any]]

_STRUCTURE = "__model_structure__"
_ORIGIN = "__model_origin__"


class Model(Protocol):
    """A NumPyro program: ``model(features)`` makes sites and returns nothing.

    The observed site is named ``obs`` and observes ``features["obs"]``, which is None where the
    model is run to predict.
    """

    def __call__(self, features: Features) -> None:
        """Run the program."""
        ...


class Axis(NamedTuple):
    """One axis of a variable.

    Attributes
    ----------
    dim : str
        Its name.
    labels : list
        One label per place.
    """

    dim: str
    labels: list[Any]


def _no_axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
    return {}


@dataclass(frozen=True)
class Drawn:
    """What a model's own sampler gives.

    Attributes
    ----------
    posterior : dict of str to ndarray, shape (chain, draw, …)
        Every latent and deterministic site of the program.
    log_likelihood : ndarray, shape (chain, draw, rows), or None
        Of each row; None where the configuration wants none.
    sample_stats : dict of str to ndarray, shape (chain, draw)
        What the sampler says of itself.
    """

    posterior: dict[str, Any]
    log_likelihood: Any = None
    sample_stats: dict[str, Any] = field(default_factory=dict)


OwnSampler = Callable[[Features, Any, Callable[[int, int], None] | None], Drawn]
"""``sampler(features, fit_config, progress)``; progress is told a chain and its new steps."""


@dataclass(frozen=True)
class Structure:
    """What a model says of itself.

    Attributes
    ----------
    axes : callable
        ``axes(features, coords) -> {variable: [Axis, …]}`` for the variables that are arrays.
    rows : tuple of str
        All features with one value per row that the likelihood reads, beside ``obs`` and
        ``n_total``.
    likelihood : {"binomial", "ordinal", "bernoulli"} or None
        How rows are counted together: successes and trials summed, or like outcomes weighted.
        None: rows stay as they are.
    num_classes : int, optional
        Outcomes of an ordinal likelihood are 0 … num_classes - 1.
    numbers : tuple of str
        Arguments of the builder whose values only enter densities, so that models which differ
        in them alone share one compiled sampler.
    pure : bool
        The program reads arrays among the features by array operations only, so that data of one
        shape share one compiled sampler.
    equivalent : callable, optional
        A program of the same density in other coordinates, through which chains move more easily.
        It makes all sites of the first, and is sampled in its place.
    sampler : callable, optional
        Draws the posterior in place of NUTS and HMC, for models that have sweeps of their own.
    unidentified : tuple of str
        Variables that are known up to rotation only: chains need not agree on them, and checks of
        convergence and plots of all parameters leave them out.
    link : str
        The link of its parameters' scale, for plots, where a configuration names none.
    """

    axes: Callable[[Features, Coords], dict[str, list[Axis]]] = _no_axes
    rows: tuple[str, ...] = ()
    likelihood: Literal["binomial", "ordinal", "bernoulli"] | None = None
    num_classes: int | None = None
    numbers: tuple[str, ...] = ()
    pure: bool = False
    equivalent: Callable[..., None] | None = None
    sampler: OwnSampler | None = None
    unidentified: tuple[str, ...] = ()
    link: str = "logit"


@dataclass(frozen=True)
class Origin:
    """How a model was built: the undecorated builder and all its arguments."""

    builder: Callable[..., Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def describe(program: Callable[..., None], **structure: Any) -> Callable[..., None]:
    """Attach a `Structure` to a program, for a builder to return.

    Parameters
    ----------
    program : callable
        The NumPyro program.
    **structure
        Attributes of `Structure`.

    Examples
    --------
    A model of one effect for each grader, whose axis takes the graders' names:

    >>> @model
    ... def graders(scale=1.0):
    ...     def program(features):
    ...         import numpyro
    ...         from numpyro import distributions as dist
    ...         with numpyro.plate("graders", features["num_grader"]):
    ...             effect = numpyro.sample("ability", dist.Normal(0.0, scale))
    ...         mean = effect[features["grader_index"]]
    ...         numpyro.sample("obs", dist.Normal(mean, 1.0), obs=features["obs"])
    ...     def axes(features, coords):
    ...         return {"ability": [level_axis("grader", features, coords)]}
    ...     return describe(program, axes=axes)
    >>> structure_of(graders()).axes({"num_grader": 2}, {"grader": ["human", "model"]})
    {'ability': [Axis(dim='grader', labels=['human', 'model'])]}
    """
    setattr(program, _STRUCTURE, Structure(**structure))
    return program


def structure_of(program: Any) -> Structure:
    """Give what a model says of itself; nothing, for one that says nothing."""
    found = getattr(program, _STRUCTURE, None)
    return found if isinstance(found, Structure) else Structure()


def unidentified_in(state: Any) -> tuple[str, ...]:
    """Give the variables of a model's state that are known up to rotation only.

    None, where the state was loaded and its model's builder is not registered.
    """
    try:
        return structure_of(state.model).unidentified
    except UsageError:
        return ()


def origin_of(program: Any) -> Origin:
    """Say how a model was built; without a builder, for a bare function."""
    found = getattr(program, _ORIGIN, None)
    return found if isinstance(found, Origin) else Origin()


def check_features(features: Features, required: Sequence[str]) -> None:
    """Refuse features among which a required one is missing.

    Raises
    ------
    UsageError
        A ValueError that names all that are missing.

    Examples
    --------
    >>> check_features({"obs": [1]}, ["obs", "n_total"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    suites.errors.UsageError: Missing required features: n_total. Add a data processor to ...
    """
    missing = [name for name in dict.fromkeys(required) if name not in features]
    if missing:
        raise UsageError(
            f"Missing required features: {', '.join(missing)}. Add a data processor to extract "
            f"these features. Current features: {list(features)}"
        )


def level_axis(name: str, features: Features, coords: Coords, dim: str | None = None) -> Axis:
    """Give the axis of a categorical feature: its labels, or numbers where it has none.

    Raises
    ------
    UsageError
        If there are more or fewer labels than levels.

    Examples
    --------
    >>> level_axis("grader", {"num_grader": 2}, {})
    Axis(dim='grader', labels=[0, 1])
    """
    check_features(features, [f"num_{name}"])
    size = int(features[f"num_{name}"])
    labels = list(coords[name]) if coords.get(name) is not None else list(range(size))
    if len(labels) != size:
        raise UsageError(
            f"coords[{name!r}] has {len(labels)} labels, and num_{name} is {size}: the labels of "
            "the states and the features come from different data."
        )
    return Axis(dim or name, labels)


def _wrap(built: Callable[..., None], info: RegistryInfo) -> Callable[..., None]:
    """Make the worker: the program, which refuses features without an outcome."""
    if not callable(built):
        raise TypeError(f"{info.name} must build a function of the features, got {built!r}")

    @functools.wraps(built)
    def program(features: Features) -> None:
        if "obs" not in features:
            raise UsageError(
                "Model must have 'obs' in features. Add the processor extract_observed_feature."
            )
        built(features)

    # the name in configurations, whatever the inner function is called
    program.__name__ = program.__qualname__ = info.name
    return program


_component = component("model", wrap=_wrap)


def model(builder: Callable[..., Any] | None = None, **metadata: Any) -> Any:
    """Register a builder of models; usable as ``@model`` and ``@model()``.

    The builder's name is the model's name in configurations, its arguments are the settings.

    Examples
    --------
    >>> @model
    ... def coin(prior_a=1.0):
    ...     def program(features):
    ...         ...
    ...     return program
    >>> coin(prior_a=2.0).__name__
    'coin'
    """
    if builder is None:
        return functools.partial(model, **metadata)

    @functools.wraps(builder)
    def build(*args: Any, **kwargs: Any) -> Any:
        built = builder(*args, **kwargs)
        bound = inspect.signature(builder).bind(*args, **kwargs)
        bound.apply_defaults()
        if callable(built):
            # wraps() hands it on to the worker
            built.__dict__[_ORIGIN] = Origin(builder, _arguments(builder, bound.arguments))
        return built

    return _component(**metadata)(build) if metadata else _component(build)


def _arguments(builder: Callable[..., Any], bound: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a builder's keyword rest into its arguments."""
    flat: dict[str, Any] = {}
    for name, value in bound.items():
        kind = inspect.signature(builder).parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            flat.update(value)
        else:
            flat[name] = value
    return flat
