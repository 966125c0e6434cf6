"""Effects of categorical features, as models draw them: coded by a constraint or a reference."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hibayes.model.definition import Axis, Coords, Features, level_axis
from hibayes.model.utils import create_interaction_effects
from suites.errors import UsageError, unknown_name

Pair = tuple[str, str]

SUM_TO_ZERO = ("last", "normal")
"""How effects that sum to zero are drawn; see `main_effect`."""


@dataclass(frozen=True)
class MainEffects:
    """The main effects of a model.

    Attributes
    ----------
    names : sequence of str
        Their features.
    loc, scale, effect_coding, sum_to_zero
        As for `main_effect`, the same for all.
    """

    names: Sequence[str]
    loc: Any
    scale: Any
    effect_coding: bool
    sum_to_zero: str = "last"

    def add_to(self, location: Any, features: Features) -> Any:
        """Draw them, and add to each row's location the effects of its levels."""
        for name in self.names:
            effects = main_effect(
                name, features, self.loc, self.scale,
                effect_coding=self.effect_coding, sum_to_zero=self.sum_to_zero,
            )  # fmt: skip
            location = location + effects[features[f"{name}_index"]]
        return location

    def axes(self, features: Features, coords: Coords) -> dict[str, list[Axis]]:
        """Give the axes of their sites."""
        found: dict[str, list[Axis]] = {}
        for name in self.names:
            found |= main_effect_axes(
                name, features, coords,
                effect_coding=self.effect_coding, sum_to_zero=self.sum_to_zero,
            )  # fmt: skip
        return found


Normal = tuple[Any, Any]
"""Location and scale of a normal prior."""


@dataclass(frozen=True)
class LinearPredictor:
    """What a model adds to each row's location: main effects, slopes and interactions.

    See `linear_predictor`.
    """

    main: MainEffects
    slopes: Sequence[str]
    crossed: Sequence[Pair]
    slope: Normal
    crossing: Normal

    @property
    def used(self) -> list[str]:
        """All features that it names."""
        in_pairs = [name for pair in self.crossed for name in pair]
        return list(dict.fromkeys([*self.main.names, *self.slopes, *in_pairs]))

    @property
    def rows(self) -> tuple[str, ...]:
        """The features with one value per row that it reads."""
        return tuple(name if name in self.slopes else f"{name}_index" for name in self.used)

    @property
    def needed(self) -> list[str]:
        """All features that it reads."""
        return [
            part
            for name in self.used
            for part in ([name] if name in self.slopes else [f"{name}_index", f"num_{name}"])
        ]

    def add_to(self, location: Any, features: Features) -> Any:
        """Draw its effects, and add them to the location of each row."""
        import numpyro
        from numpyro import distributions as dist

        location = self.main.add_to(location, features)
        for name in self.slopes:
            slope = numpyro.sample(f"{name}_coef", dist.Normal(*self.slope))
            location = location + slope * features[name]
        for pair in self.crossed:
            location = location + self._crossing(pair, features)
        return location

    def axes(self, features: Features, coords: Coords) -> dict[str, list[Axis]]:
        """Give the axes of its sites."""
        found = self.main.axes(features, coords)
        for pair in self.crossed:
            groups = [name for name in pair if name not in self.slopes]
            if len(groups) == 2:
                found |= interaction_axes(pair, features, coords, sum_to_zero=self.main.sum_to_zero)
            elif groups:
                found[f"{pair[0]}_{pair[1]}_effects"] = [level_axis(groups[0], features, coords)]
        return found

    def _crossing(self, pair: Pair, features: Features) -> Any:
        """Draw an interaction; give what it adds to each row."""
        import numpyro
        from numpyro import distributions as dist

        a, b = pair
        site, prior = f"{a}_{b}_effects", dist.Normal(*self.crossing)
        if a in self.slopes and b in self.slopes:
            return numpyro.sample(site, prior) * features[a] * features[b]
        if a in self.slopes or b in self.slopes:
            x, group = (a, b) if a in self.slopes else (b, a)
            effects = numpyro.sample(site, prior.expand([int(features[f"num_{group}"])]))
            return effects[features[f"{group}_index"]] * features[x]
        matrix = interaction(pair, features, *self.crossing, sum_to_zero=self.main.sum_to_zero)
        return matrix[features[f"{a}_index"], features[f"{b}_index"]]


def linear_predictor(
    main_effects: Any,
    continuous_effects: Any,
    interactions: Any,
    *,
    main: Normal,
    slope: Normal,
    crossing: Normal,
    effect_coding: bool,
    sum_to_zero: str,
) -> LinearPredictor:
    """Read what a configuration names.

    Parameters
    ----------
    main_effects, continuous_effects : list of str or None
        Categorical features, and continuous ones, whose slopes are the sites ``<name>_coef``.
    interactions : list of pairs of str or None
        Two categorical features: effects that sum to zero along both axes; a categorical and a
        continuous one: a free slope for each level; two continuous ones: one slope of their
        product. Sites ``<a>_<b>_effects``.
    main, slope, crossing : (float, float)
        Priors of a free main effect, a slope, a free interaction effect.
    effect_coding, sum_to_zero
        As for `main_effect`.

    Raises
    ------
    UsageError
        If a feature is named as both, or twice, or the priors cannot sum to zero.

    Examples
    --------
    >>> found = linear_predictor(["model"], ["length"], ["model", "length"], main=(0, 1),
    ...     slope=(0, 1), crossing=(0, 1), effect_coding=True, sum_to_zero="last")
    >>> found.rows, found.needed
    (('model_index', 'length'), ['model_index', 'num_model', 'length'])
    """
    levels = names(main_effects, "main_effects")
    slopes = names(continuous_effects, "continuous_effects")
    both = sorted(set(levels) & set(slopes))
    if both:
        raise UsageError(
            f"{', '.join(both)} cannot be in both main_effects and continuous_effects."
        )
    check_sum_to_zero(sum_to_zero, main[0], crossing[0])
    effects = MainEffects(levels, *main, effect_coding, sum_to_zero)
    return LinearPredictor(effects, slopes, pairs(interactions), slope, crossing)


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


def prior_arguments(*names: str) -> tuple[str, ...]:
    """Name the arguments of builders that hold normal priors.

    Examples
    --------
    >>> prior_arguments("intercept")
    ('prior_intercept_loc', 'prior_intercept_scale')
    """
    return tuple(f"prior_{name}_{part}" for name in names for part in ("loc", "scale"))


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
