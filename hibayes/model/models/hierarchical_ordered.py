"""Ordered outcomes of graders who belong to types, such as humans and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hibayes.model.definition import (
    Axis,
    Coords,
    Features,
    Model,
    check_features,
    describe,
    level_axis,
    model,
)
from hibayes.model.effects import MainEffects, check_scales, names, pairs, prior_arguments
from hibayes.model.likelihoods import (
    CUTPOINT_ARGUMENTS,
    check_classes,
    cutpoint_axes,
    draw_cutpoints,
    observe_ordered,
)
from suites.errors import UsageError


@model
def hierarchical_ordered_logistic_model(
    main_effects: Sequence[str] | None = None,
    interactions: Sequence[Sequence[str]] | None = None,
    num_classes: int = 11,
    effect_coding_for_main_effects: bool = True,
    prior_intercept_loc: float = 0.0,
    prior_intercept_scale: float = 1.0,
    prior_main_effects_loc: float = 0.0,
    prior_main_effects_scale: float = 1.0,
    prior_interaction_loc: float = 0.0,
    prior_interaction_scale: float = 1.0,
    prior_first_cutpoint_loc: float = -4.0,
    prior_first_cutpoint_scale: float = 0.2,
    prior_cutpoint_diffs_loc: float = -0.5,
    prior_cutpoint_diffs_scale: float = 0.3,
    min_cutpoint_spacing: float = 0.3,
    prior_type_scale: float = 3.0,
    prior_type_sigma_scale: float = 1.0,
    member: str = "grader",
    type_of_member: str = "grader_type",
) -> Model:
    r"""Ordered outcomes by graders, who vary about the mean of their type.

    .. math::

        \mu_t \sim N(0, 3), \quad \sigma_t \sim \mathrm{Cauchy}^+(1), \quad
        \beta_g = \mu_{t(g)} + \sigma_{t(g)} z_g, \quad z_g \sim N(0, 1)

    and the outcome as in `ordered_logistic_model`. Sites, for the default names:
    ``grader_type_effects``, ``grader_type_sigmas``, ``grader_raw_effects``, ``grader_effects``,
    ``grader_type_differences`` (row less column).

    Parameters
    ----------
    main_effects : list of str, optional
        Categorical features. The member and its type may be named, and have their effects
        anyway; others are drawn as in `ordered_logistic_model`.
    interactions : list of pairs of str, optional
        Categorical features: one free effect for each pair of levels.
    num_classes, effect_coding_for_main_effects, prior_intercept_loc, prior_intercept_scale, \
prior_main_effects_loc, prior_main_effects_scale, prior_interaction_loc, prior_interaction_scale, \
prior_first_cutpoint_loc, prior_first_cutpoint_scale, prior_cutpoint_diffs_loc, \
prior_cutpoint_diffs_scale, min_cutpoint_spacing
        As for `ordered_logistic_model`.
    prior_type_scale : float
        Of a type's mean effect.
    prior_type_sigma_scale : float
        Of the half-Cauchy prior of the spread within a type.
    member, type_of_member : str
        The categorical features; each member has one type.
    """
    main = [n for n in names(main_effects, "main_effects") if n not in (member, type_of_member)]
    crossed = pairs(interactions)
    check_classes(num_classes)
    check_scales(
        prior_intercept_scale=prior_intercept_scale,
        prior_main_effects_scale=prior_main_effects_scale,
        prior_interaction_scale=prior_interaction_scale,
        prior_first_cutpoint_scale=prior_first_cutpoint_scale,
        prior_cutpoint_diffs_scale=prior_cutpoint_diffs_scale,
        prior_type_scale=prior_type_scale,
        prior_type_sigma_scale=prior_type_sigma_scale,
    )
    crossed_names = [name for pair in crossed for name in pair]
    used = list(dict.fromkeys([member, type_of_member, *main, *crossed_names]))
    of_main = MainEffects(
        main, prior_main_effects_loc, prior_main_effects_scale, effect_coding_for_main_effects
    )

    def program(features: Features) -> None:
        levels = [part for name in used for part in (f"{name}_index", f"num_{name}")]
        check_features(features, ["obs", *levels])

        import numpyro
        from numpyro import distributions as dist

        eta = numpyro.sample("intercept", dist.Normal(prior_intercept_loc, prior_intercept_scale))
        effects = members(features)
        eta = eta + effects[features[f"{member}_index"]]
        eta = of_main.add_to(eta, features)
        for a, b in crossed:
            shape = [int(features[f"num_{a}"]), int(features[f"num_{b}"])]
            prior = dist.Normal(prior_interaction_loc, prior_interaction_scale).expand(shape)
            matrix = numpyro.sample(f"{a}_{b}_effects", prior)
            eta = eta + matrix[features[f"{a}_index"], features[f"{b}_index"]]
        cutpoints = draw_cutpoints(
            num_classes,
            first_loc=prior_first_cutpoint_loc,
            first_scale=prior_first_cutpoint_scale,
            diffs_loc=prior_cutpoint_diffs_loc,
            diffs_scale=prior_cutpoint_diffs_scale,
            spacing=min_cutpoint_spacing,
        )
        observe_ordered(eta, cutpoints, features)

    def members(features: Features) -> Any:
        """Draw the types' means and spreads, and the members about them."""
        import numpyro
        from numpyro import distributions as dist

        n_types, n = int(features[f"num_{type_of_member}"]), int(features[f"num_{member}"])
        means = numpyro.sample(
            f"{type_of_member}_effects", dist.Normal(0.0, prior_type_scale).expand([n_types])
        )
        sigmas = numpyro.sample(
            f"{type_of_member}_sigmas", dist.HalfCauchy(prior_type_sigma_scale).expand([n_types])
        )
        raw = numpyro.sample(f"{member}_raw_effects", dist.Normal(0.0, 1.0).expand([n]))
        numpyro.deterministic(f"{type_of_member}_differences", means[:, None] - means[None, :])
        kind = _types(features)
        return numpyro.deterministic(f"{member}_effects", means[kind] + sigmas[kind] * raw)

    def _types(features: Features) -> Any:
        """Give the type of each member, from the rows in which it occurs."""
        import jax.numpy as jnp

        given = features.get(f"{member}_{type_of_member}_index")
        if given is not None:
            return given
        start = jnp.zeros(int(features[f"num_{member}"]), dtype=jnp.int32)
        return start.at[features[f"{member}_index"]].max(
            jnp.asarray(features[f"{type_of_member}_index"], dtype=jnp.int32)
        )

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        check_one_type(features, member, type_of_member)
        one, kind = (level_axis(name, features, coords) for name in (member, type_of_member))
        found = {
            f"{type_of_member}_effects": [kind],
            f"{type_of_member}_sigmas": [kind],
            f"{type_of_member}_differences": [kind, Axis(f"{kind.dim}_less", kind.labels)],
            f"{member}_raw_effects": [one],
            f"{member}_effects": [one],
        }
        found |= of_main.axes(features, coords)
        for a, b in crossed:
            found[f"{a}_{b}_effects"] = [level_axis(name, features, coords) for name in (a, b)]
        return found | cutpoint_axes(num_classes)

    return describe(
        program,
        axes=axes,
        rows=tuple(f"{name}_index" for name in used),
        likelihood="ordinal",
        num_classes=num_classes,
        numbers=(
            *prior_arguments("intercept", "main_effects", "interaction"),
            *CUTPOINT_ARGUMENTS,
            "prior_type_scale",
            "prior_type_sigma_scale",
        ),
        pure=True,
    )


def check_one_type(features: Features, member: str, type_of_member: str) -> None:
    """Refuse members that occur with more than one type.

    Raises
    ------
    UsageError
        With their numbers.
    """
    check_features(features, [f"{member}_index", f"{type_of_member}_index"])
    of = np.stack(
        [np.asarray(features[f"{name}_index"]) for name in (member, type_of_member)], axis=1
    )
    occurring, times = np.unique(np.unique(of, axis=0)[:, 0], return_counts=True)
    if (times > 1).any():
        several = occurring[times > 1].tolist()
        raise UsageError(
            f"{member} levels {several} occur with more than one {type_of_member}; each "
            f"{member} must have one."
        )
