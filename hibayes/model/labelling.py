"""The labels of a model's variables: what each axis counts, known before anything is sampled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hibayes.model.definition import structure_of
from suites.errors import UsageError

logger = logging.getLogger("hibayes")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Labels:
    """The labels of a model's variables.

    Attributes
    ----------
    coords : dict
        Dimension to its labels.
    dims : dict
        Variable to its dimensions, without chain and draw.
    """

    coords: dict[str, list[Any]]
    dims: dict[str, list[str]]


def labels_of(state: Any) -> Labels:
    """Give the labels of the variables of a model's state, fitted or not.

    Parameters
    ----------
    state : ModelAnalysisState
        Its model, features, coords and dims.

    Returns
    -------
    Labels
        For all variables that the model makes, latent, deterministic and observed; what `fit` puts
        on the posterior, and what predictions are to be labelled with.

    Raises
    ------
    UsageError
        If labels and levels are not as many.
    """
    features = plain_features(state.features or {})
    sites = shapes(state.model, features)
    return labels(state.model, features, state.coords, state.dims, sites)


def labels(
    model: Any,
    features: Mapping[str, Any],
    coords: Mapping[str, Any] | None,
    dims: Mapping[str, Any] | None,
    sites: Mapping[str, Shape],
) -> Labels:
    """Give the labels of a model's variables.

    What the model says of itself comes first: it knows its axes. For a variable of which it says
    nothing the dims of the state are used where they are as many as the axes (those that processors
    made from features' names may not be), with their labels.

    Parameters
    ----------
    model : callable
        The model.
    features : mapping
        Its features.
    coords, dims : mapping, optional
        Of the state.
    sites : mapping
        Variable to shape; see `shapes`.

    Raises
    ------
    UsageError
        If a dimension has more or fewer labels than the axis has places. Nothing has been sampled
        then.

    Examples
    --------
    >>> from hibayes.model import two_level_group_binomial
    >>> found = labels(two_level_group_binomial(), {"num_group": 2}, {"group": ["a", "b"]}, None,
    ...                {"group_effects": (2,), "z_group": (2,)})
    >>> found.dims
    {'group_effects': ['group'], 'z_group': ['group']}
    """
    known = {name: list(values) for name, values in (coords or {}).items() if values is not None}
    axes = structure_of(model).axes(features, known)
    found_dims: dict[str, list[str]] = {}
    found_coords: dict[str, list[Any]] = {}
    for name, shape in sites.items():
        if not shape or name == "obs":
            continue
        if name in axes:
            if len(axes[name]) != len(shape):
                raise UsageError(
                    f"{name} has {len(shape)} axes, and its model describes {len(axes[name])}."
                )
            for axis, size in zip(axes[name], shape, strict=True):
                _keep(found_coords, axis.dim, axis.labels, name, size)
            found_dims[name] = [axis.dim for axis in axes[name]]
            continue
        named = [str(dim) for dim in (dims or {}).get(name) or ()]
        if not named:
            continue
        if len(named) != len(shape):
            logger.warning(
                "%s has %d axes, and the dims %s that were set for it are %d: its places are "
                "numbered. A model can say which axes its variables have: hibayes.model.describe.",
                name,
                len(shape),
                named,
                len(named),
            )
            continue
        for dim, size in zip(named, shape, strict=True):
            _keep(found_coords, dim, known.get(dim, list(range(size))), name, size)
        found_dims[name] = named
    return Labels(found_coords, found_dims)


def shapes(model: Any, features: Mapping[str, Any]) -> dict[str, Shape]:
    """Give the shapes of all sites that a model makes, without computing any.

    Returns
    -------
    dict
        Site to shape, in the order of the program.
    """
    import jax
    import numpyro
    from numpyro import handlers

    fixed, arrays = split_features(features)
    pure = structure_of(model).pure

    def run(arrays: Mapping[str, Any]) -> dict[str, Any]:
        key = jax.random.PRNGKey(0)
        with handlers.block(), numpyro.validation_enabled(False):
            seeded = handlers.seed(model, key)
            made = handlers.trace(seeded).get_trace({**fixed, **arrays})
        return {
            name: site["value"]
            for name, site in made.items()
            if site["type"] in ("sample", "deterministic") and site["value"] is not None
        }

    # a program that may read values is given them
    values = jax.eval_shape(run, arrays) if pure else jax.eval_shape(lambda: run(arrays))
    return {name: tuple(value.shape) for name, value in values.items()}


def plain_features(features: Mapping[str, Any]) -> dict[str, Any]:
    """Give features with numbers of levels as int, however they were stored."""
    found: dict[str, Any] = {}
    for name, value in features.items():
        whole = name.startswith("num_") and getattr(value, "ndim", None) == 0
        if isinstance(value, np.generic):
            value = value.item()
        found[name] = int(value) if whole else value
    return found


def split_features(features: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part features into those that decide shapes, and arrays."""
    arrays = {
        name: value
        for name, value in features.items()
        if hasattr(value, "shape") and hasattr(value, "dtype")
    }
    return {name: value for name, value in features.items() if name not in arrays}, arrays


def _keep(
    coords: dict[str, list[Any]], dim: str, given: Sequence[Any], variable: str, size: int
) -> None:
    """Keep the labels of a dimension, if there are as many as places."""
    if len(given) != size:
        raise UsageError(
            f"{variable} has {size} levels along {dim!r}, and coords[{dim!r}] has {len(given)} "
            "labels. Check the processor that made the coords."
        )
    if dim in coords and coords[dim] != list(given):
        raise UsageError(f"{variable}: the dimension {dim!r} is used with two sets of labels.")
    coords[dim] = list(given)
