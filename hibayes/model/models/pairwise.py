"""Which of two answers a grader prefers, and whether it prefers the longer: a logistic model."""

from __future__ import annotations

from collections.abc import Sequence

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
from hibayes.model.effects import MainEffects, check_scales, names, prior_arguments


@model
def pairwise_logistic_model(
    main_effects: Sequence[str] | None = None,
    effect_coding_for_main_effects: bool = True,
    prior_intercept_loc: float = 0.0,
    prior_intercept_scale: float = 1.0,
    prior_main_effects_loc: float = 0.0,
    prior_main_effects_scale: float = 1.0,
    prior_length_slope_mean_loc: float = 0.0,
    prior_length_slope_mean_scale: float = 0.5,
    prior_length_slope_sigma_scale: float = 1.0,
    grader: str = "grader",
    covariate: str = "length_diff",
) -> Model:
    r"""Preference for the first of two answers, with a slope of each grader on a covariate.

    .. math::

        y_i \sim \mathrm{Bernoulli}(\mathrm{logit}^{-1}(
            \alpha + \sum_e \beta^e_{e(i)} + \lambda_{g(i)} x_i)), \qquad
        \lambda_g \sim N(m, s), \; m \sim N(0, 0.5), \; s \sim N^+(1)

    Sites of the slopes, for the default names: ``length_slope_mean``, ``length_slope_sigma`` and
    ``grader_length_diff_effects``.

    Parameters
    ----------
    main_effects : list of str, optional
        Categorical features.
    effect_coding_for_main_effects : bool
        Main effects sum to zero; else, differences from the first level.
    prior_intercept_loc, prior_intercept_scale : float
        In log odds; so are the next.
    prior_main_effects_loc, prior_main_effects_scale : float
        Of a free main effect.
    prior_length_slope_mean_loc, prior_length_slope_mean_scale : float
        Of the mean slope of all graders.
    prior_length_slope_sigma_scale : float
        Half-normal, of the standard deviation of the graders' slopes.
    grader, covariate : str
        The categorical feature that slopes vary by, and the continuous one.
    """
    main = names(main_effects, "main_effects")
    check_scales(
        prior_intercept_scale=prior_intercept_scale,
        prior_main_effects_scale=prior_main_effects_scale,
        prior_length_slope_mean_scale=prior_length_slope_mean_scale,
        prior_length_slope_sigma_scale=prior_length_slope_sigma_scale,
    )
    used = list(dict.fromkeys([*main, grader]))
    of_main = MainEffects(
        main, prior_main_effects_loc, prior_main_effects_scale, effect_coding_for_main_effects
    )

    def program(features: Features) -> None:
        levels = [part for name in used for part in (f"{name}_index", f"num_{name}")]
        check_features(features, ["obs", covariate, *levels])

        import jax.numpy as jnp
        import numpyro
        from numpyro import distributions as dist

        logits = numpyro.sample(
            "intercept", dist.Normal(prior_intercept_loc, prior_intercept_scale)
        )
        logits = of_main.add_to(logits, features)
        mean = numpyro.sample(
            "length_slope_mean",
            dist.Normal(prior_length_slope_mean_loc, prior_length_slope_mean_scale),
        )
        sigma = numpyro.sample(
            "length_slope_sigma", dist.HalfNormal(prior_length_slope_sigma_scale)
        )
        size = int(features[f"num_{grader}"])
        slopes = numpyro.sample(
            f"{grader}_{covariate}_effects", dist.Normal(mean, sigma).expand([size])
        )
        logits = logits + slopes[features[f"{grader}_index"]] * features[covariate]
        obs = features["obs"]
        obs = None if obs is None else jnp.asarray(obs, dtype=jnp.int32)
        numpyro.sample("obs", dist.Bernoulli(logits=logits), obs=obs)

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        found = {f"{grader}_{covariate}_effects": [level_axis(grader, features, coords)]}
        found |= of_main.axes(features, coords)
        return found

    return describe(
        program,
        axes=axes,
        rows=(covariate, *(f"{name}_index" for name in used)),
        likelihood="bernoulli",
        numbers=(
            *prior_arguments("intercept", "main_effects", "length_slope_mean"),
            "prior_length_slope_sigma_scale",
        ),
        pure=True,
    )
