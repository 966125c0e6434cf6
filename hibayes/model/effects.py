"""Effects of categorical features, as models draw them: coded by a constraint or a reference."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hibayes.model.definition import Axis, Coords, Features, level_axis
from hibayes.model.utils import create_interaction_effects
from suites.errors import UsageError, unknown_name

Pair = tuple[str, str]

SUM_TO_ZERO = ("last", "normal")
"""How effects that sum to zero are drawn; see `main_effect`."""


def main_effect(
    name: str, features: Features, loc: Any, scale: Any, *, effect_coding: bool, sum_to_zero: str
) -> Any:
    r"""Draw one effect for each level of a categorical feature.

    Sites, for L levels: with effect coding ``<name>_effects_constrained``, of shape (L - 1,), all
    normal, and ``<name>_effects``, of shape (L,), whose last is minus the sum of the others; with
    dummy coding, ``<name>_effects_raw`` and ``<name>_effects``, whose first is 0. With
    ``sum_to_zero="normal"`` in place of the former, one site ``<name>_effects`` which is normal
    within the plane of zero sum, and treats all levels alike:
    :math:`\mathrm{N}(0, s^2 (I - J / L))`. A feature of one level has no effect: zero.

    Parameters
    ----------
    name : str
        The feature; ``num_<name>`` holds its number of levels.
    features : mapping
        The features.
    loc, scale : float
        Of the normal prior of a free effect.
    effect_coding : bool
        Effects that sum to zero; else, differences from the first level.
    sum_to_zero : {"last", "normal"}
        How.

    Returns
    -------
    jax.Array, shape (L,)
    """
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist

    size = int(features[f"num_{name}"])
    site = f"{name}_effects"
    if size == 1:
        return numpyro.deterministic(site, jnp.zeros(1))
    if effect_coding and sum_to_zero == "normal":
        return numpyro.sample(site, dist.ZeroSumNormal(scale, event_shape=(size,)))
    prior = dist.Normal(loc, scale).expand([size - 1])
    if effect_coding:
        free = numpyro.sample(f"{site}_constrained", prior)
        return numpyro.deterministic(site, jnp.append(free, -free.sum()))
    raw = numpyro.sample(f"{site}_raw", prior)
    return numpyro.deterministic(site, jnp.append(jnp.zeros(1), raw))


def interaction(
    pair: Pair, features: Features, loc: Any, scale: Any, *, sum_to_zero: str = "last"
) -> Any:
    """Draw one effect for each pair of levels, summing to zero along both axes.

    As `hibayes.model.utils.create_interaction_effects`; with ``sum_to_zero="normal"``, one site
    that is normal on the matrices whose rows and columns sum to zero.
    """
    import numpyro
    from numpyro import distributions as dist

    shape = tuple(int(features[f"num_{name}"]) for name in pair)
    if sum_to_zero == "normal" and min(shape) > 1:
        site = f"{pair[0]}_{pair[1]}_effects"
        return numpyro.sample(site, dist.ZeroSumNormal(scale, event_shape=shape))
    return create_interaction_effects(*pair, features, dist.Normal(loc, scale))


def main_effect_axes(
    name: str, features: Features, coords: Coords, *, effect_coding: bool, sum_to_zero: str
) -> dict[str, list[Axis]]:
    """Give the axes of the sites of `main_effect`.

    Examples
    --------
    >>> axes = main_effect_axes("grader", {"num_grader": 3}, {"grader": ["a", "b", "c"]},
    ...                         effect_coding=False, sum_to_zero="last")
    >>> axes["grader_effects_raw"]
    [Axis(dim='grader_compared', labels=['b', 'c'])]
    """
    axis = level_axis(name, features, coords)
    found = {f"{name}_effects": [axis]}
    if len(axis.labels) > 1 and not effect_coding:
        found[f"{name}_effects_raw"] = [Axis(f"{name}_compared", axis.labels[1:])]
    elif len(axis.labels) > 1 and sum_to_zero == "last":
        found[f"{name}_effects_constrained"] = [Axis(f"{name}_constrained", axis.labels[:-1])]
    return found


def interaction_axes(
    pair: Pair, features: Features, coords: Coords, *, sum_to_zero: str = "last"
) -> dict[str, list[Axis]]:
    """Give the axes of the sites of `interaction`, in the order of the pair."""
    one, two = (level_axis(name, features, coords) for name in pair)
    if min(len(one.labels), len(two.labels)) == 1:
        return {}
    site = f"{pair[0]}_{pair[1]}_effects"
    if pair[0] == pair[1]:
        two = Axis(f"{two.dim}_2", two.labels)
    found = {site: [one, two]}
    if sum_to_zero == "last":
        free = itertools.product(one.labels[:-1], two.labels[:-1])  # row by row
        labels = [f"{a}, {b}" for a, b in free]
        found[f"{site}_constrained"] = [Axis(f"{pair[0]}_{pair[1]}_constrained", labels)]
    return found


def names(given: Any, argument: str) -> list[str]:
    """Read a list of features' names; one name is a list of one, None an empty one.

    Raises
    ------
    UsageError
        If it is something else, or names one twice.
    """
    listed = [given] if isinstance(given, str) else list(given or [])
    if not all(isinstance(name, str) for name in listed):
        raise UsageError(f"{argument} must be a list of names, got {given!r}.")
    if len(set(listed)) < len(listed):
        raise UsageError(f"{argument} names a feature twice: {listed}.")
    return listed


def pairs(given: Any, argument: str = "interactions") -> list[Pair]:
    """Read a list of pairs of names; one flat pair is a list of one.

    Raises
    ------
    UsageError
        If it is something else.

    Examples
    --------
    >>> pairs([["grader", "LLM"]]), pairs(["model", "capability"])
    ([('grader', 'LLM')], [('model', 'capability')])
    """
    listed = list(given or [])
    if len(listed) == 2 and all(isinstance(name, str) for name in listed):
        listed = [listed]
    found: list[Pair] = []
    for item in listed:
        if isinstance(item, str) or not isinstance(item, Sequence) or len(item) != 2:
            raise UsageError(
                f"{argument} must be a list of pairs of names, [[a, b], …], got {given!r}."
            )
        found.append((str(item[0]), str(item[1])))
    return found


def check_sum_to_zero(choice: str, *locs: Any) -> None:
    """Refuse an unknown way of summing to zero, and a prior mean that it cannot have."""
    if choice not in SUM_TO_ZERO:
        raise UsageError(f"sum_to_zero: {unknown_name('choice', str(choice), SUM_TO_ZERO)}")
    if choice == "normal" and any(isinstance(loc, int | float) and loc != 0 for loc in locs):
        raise UsageError("sum_to_zero: normal has effects of mean 0; a prior's loc is not.")


def check_scales(**scales: Any) -> None:
    """Refuse scales and rates that are not above zero.

    Raises
    ------
    UsageError
        With the argument's name.
    """
    for name, value in scales.items():
        # inside a compiled sampler the values are not known, and were checked before
        if isinstance(value, int | float | str | bool) and not (
            isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        ):
            raise UsageError(f"{name} must be above 0, got {value!r}.")
