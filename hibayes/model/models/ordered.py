"""Ordered outcomes, such as grades of 0 to 10, by categorical and continuous features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hibayes.model.definition import Axis, Coords, Features, Model, check_features, describe, model
from hibayes.model.effects import check_scales, linear_predictor, prior_arguments
from hibayes.model.likelihoods import (
    CUTPOINT_ARGUMENTS,
    check_classes,
    cutpoint_axes,
    draw_cutpoints,
    observe_ordered,
)
from suites.errors import UsageError, unknown_name

PRESETS = ("default", "boundary")


@model
def ordered_logistic_model(
    main_effects: Sequence[str] | None = None,
    continuous_effects: Sequence[str] | None = None,
    interactions: Sequence[Sequence[str]] | None = None,
    num_classes: int = 11,
    effect_coding_for_main_effects: bool = True,
    prior_intercept_loc: float = 0.0,
    prior_intercept_scale: float | None = None,
    prior_main_effects_loc: float = 0.0,
    prior_main_effects_scale: float = 1.0,
    prior_continuous_loc: float = 0.0,
    prior_continuous_scale: float = 1.0,
    prior_interaction_loc: float = 0.0,
    prior_interaction_scale: float = 1.0,
    prior_first_cutpoint_loc: float | None = None,
    prior_first_cutpoint_scale: float = 0.2,
    prior_cutpoint_diffs_loc: float = -0.5,
    prior_cutpoint_diffs_scale: float = 0.3,
    min_cutpoint_spacing: float = 0.3,
    prior_preset: str = "default",
    sum_to_zero: str = "last",
) -> Model:
    r"""Ordered outcomes 0 … K - 1, cut out of a logistic variable.

    .. math::

        \eta_i = \alpha + \sum_e \beta^e_{e(i)} + \sum_x \theta^x x_i + \ldots, \qquad
        P(y_i \le k) = \mathrm{logit}^{-1}(c_k - \eta_i)

    Parameters
    ----------
    main_effects : list of str, optional
        Categorical features.
    continuous_effects : list of str, optional
        Continuous features; the slope of x is the site ``x_coef``.
    interactions : list of pairs of str, optional
        Two categorical features: effects that sum to zero along both axes; a categorical and a
        continuous one: a free slope for each level; two continuous ones: one slope of their
        product.
    num_classes : int
        K, the number of outcomes.
    effect_coding_for_main_effects : bool
        Main effects sum to zero; else, differences from the first level.
    prior_intercept_loc, prior_intercept_scale : float
        On the scale of eta, as all that follow. The scale is 1, with the preset ``boundary`` 5.
    prior_main_effects_loc, prior_main_effects_scale : float
        Of a free main effect.
    prior_continuous_loc, prior_continuous_scale : float
        Of a slope.
    prior_interaction_loc, prior_interaction_scale : float
        Of a free interaction effect.
    prior_first_cutpoint_loc, prior_first_cutpoint_scale : float
        The location is -4; with the preset ``boundary``, the one that sets the cutpoints evenly
        about 0.
    prior_cutpoint_diffs_loc, prior_cutpoint_diffs_scale : float
        Log-normal, of the distance between cutpoints beyond the least one.
    min_cutpoint_spacing : float
        The least distance.
    prior_preset : {"default", "boundary"}
        ``boundary`` suits outcomes that crowd at either end of the scale.
    sum_to_zero : {"last", "normal"}
        As for `linear_group_binomial`.
    """
    check_classes(num_classes)
    if prior_preset not in PRESETS:
        raise UsageError(f"prior_preset: {unknown_name('preset', str(prior_preset), PRESETS)}")
    boundary = prior_preset == "boundary"
    if prior_intercept_scale is None:
        prior_intercept_scale = 5.0 if boundary else 1.0
    predictor = linear_predictor(
        main_effects,
        continuous_effects,
        interactions,
        main=(prior_main_effects_loc, prior_main_effects_scale),
        slope=(prior_continuous_loc, prior_continuous_scale),
        crossing=(prior_interaction_loc, prior_interaction_scale),
        effect_coding=effect_coding_for_main_effects,
        sum_to_zero=sum_to_zero,
    )
    check_scales(
        prior_intercept_scale=prior_intercept_scale,
        prior_main_effects_scale=prior_main_effects_scale,
        prior_continuous_scale=prior_continuous_scale,
        prior_interaction_scale=prior_interaction_scale,
        prior_first_cutpoint_scale=prior_first_cutpoint_scale,
        prior_cutpoint_diffs_scale=prior_cutpoint_diffs_scale,
    )

    def first_location() -> Any:
        if prior_first_cutpoint_loc is not None:
            return prior_first_cutpoint_loc
        if not boundary:
            return -4.0
        import jax.numpy as jnp

        step = jnp.exp(prior_cutpoint_diffs_loc + prior_cutpoint_diffs_scale**2 / 2)
        return -(num_classes - 2) * (step + min_cutpoint_spacing) / 2

    def program(features: Features) -> None:
        check_features(features, ["obs", *predictor.needed])

        import numpyro
        from numpyro import distributions as dist

        eta = numpyro.sample("intercept", dist.Normal(prior_intercept_loc, prior_intercept_scale))
        eta = predictor.add_to(eta, features)
        cutpoints = draw_cutpoints(
            num_classes,
            first_loc=first_location(),
            first_scale=prior_first_cutpoint_scale,
            diffs_loc=prior_cutpoint_diffs_loc,
            diffs_scale=prior_cutpoint_diffs_scale,
            spacing=min_cutpoint_spacing,
        )
        observe_ordered(eta, cutpoints, features)

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        return cutpoint_axes(num_classes) | predictor.axes(features, coords)

    return describe(
        program,
        axes=axes,
        rows=predictor.rows,
        likelihood="ordinal",
        num_classes=num_classes,
        numbers=(
            *prior_arguments("intercept", "main_effects", "continuous", "interaction"),
            *CUTPOINT_ARGUMENTS,
        ),
        pure=True,
    )
