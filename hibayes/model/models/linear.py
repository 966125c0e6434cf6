"""Successes by any categorical features and their interactions: a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

from hibayes.model.definition import Axis, Coords, Features, Model, check_features, describe, model
from hibayes.model.effects import (
    check_scales,
    check_sum_to_zero,
    interaction,
    interaction_axes,
    main_effect,
    main_effect_axes,
    names,
    pairs,
)
from hibayes.model.likelihoods import observe_binomial


@model
def linear_group_binomial(
    main_effects: Sequence[str] | None = None,
    interactions: Sequence[Sequence[str]] | None = None,
    effect_coding_for_main_effects: bool = True,
    prior_intercept_loc: float = 0.0,
    prior_intercept_scale: float = 1.0,
    prior_main_effects_loc: float = 0.0,
    prior_main_effects_scale: float = 0.5,
    prior_interaction_loc: float = 0.0,
    prior_interaction_scale: float = 0.3,
    sum_to_zero: str = "last",
) -> Model:
    r"""Successes by categorical features.

    .. math::

        \mathrm{logit}\, p_i &= \alpha + \sum_e \beta^e_{e(i)}
            + \sum_{(a, b)} \gamma^{ab}_{a(i) b(i)} \\
        y_i &\sim \mathrm{Binomial}(n_i, p_i)

    Parameters
    ----------
    main_effects : list of str, optional
        Categorical features.
    interactions : list of pairs of str, optional
        Their effects sum to zero along both axes, whatever the coding of the main effects.
    effect_coding_for_main_effects : bool
        Main effects sum to zero; else, differences from the first level.
    prior_intercept_loc, prior_intercept_scale : float
        In log odds; so are the next.
    prior_main_effects_loc, prior_main_effects_scale : float
        Of a free main effect.
    prior_interaction_loc, prior_interaction_scale : float
        Of a free interaction effect.
    sum_to_zero : {"last", "normal"}
        How effects that sum to zero are drawn. ``last``: all but the last level freely, so that the
        last, minus their sum, has a prior sqrt(L - 1) times as wide; ``normal``: all levels alike.
    """
    main = names(main_effects, "main_effects")
    crossed = pairs(interactions)
    check_sum_to_zero(sum_to_zero, prior_main_effects_loc, prior_interaction_loc)
    check_scales(
        prior_intercept_scale=prior_intercept_scale,
        prior_main_effects_scale=prior_main_effects_scale,
        prior_interaction_scale=prior_interaction_scale,
    )
    used = list(dict.fromkeys([*main, *(name for pair in crossed for name in pair)]))

    def program(features: Features) -> None:
        levels = [part for name in used for part in (f"{name}_index", f"num_{name}")]
        check_features(features, ["obs", "n_total", *levels])

        import numpyro
        from numpyro import distributions as dist

        logits = numpyro.sample(
            "intercept", dist.Normal(prior_intercept_loc, prior_intercept_scale)
        )
        for name in main:
            effects = main_effect(
                name,
                features,
                prior_main_effects_loc,
                prior_main_effects_scale,
                effect_coding=effect_coding_for_main_effects,
                sum_to_zero=sum_to_zero,
            )
            logits = logits + effects[features[f"{name}_index"]]
        for a, b in crossed:
            matrix = interaction(
                (a, b),
                features,
                prior_interaction_loc,
                prior_interaction_scale,
                sum_to_zero=sum_to_zero,
            )
            logits = logits + matrix[features[f"{a}_index"], features[f"{b}_index"]]
        observe_binomial(logits, features)

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        found: dict[str, list[Axis]] = {}
        for name in main:
            found |= main_effect_axes(
                name,
                features,
                coords,
                effect_coding=effect_coding_for_main_effects,
                sum_to_zero=sum_to_zero,
            )
        for pair in crossed:
            found |= interaction_axes(pair, features, coords, sum_to_zero=sum_to_zero)
        return found

    return describe(
        program,
        axes=axes,
        rows=tuple(f"{name}_index" for name in used),
        likelihood="binomial",
        numbers=(
            "prior_intercept_loc",
            "prior_intercept_scale",
            "prior_main_effects_loc",
            "prior_main_effects_scale",
            "prior_interaction_loc",
            "prior_interaction_scale",
        ),
        pure=True,
    )
