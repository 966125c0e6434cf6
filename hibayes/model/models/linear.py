"""Successes by any features and their interactions: a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

from hibayes.model.definition import Features, Model, check_features, describe, model
from hibayes.model.effects import check_scales, linear_predictor, prior_arguments
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
    continuous_effects: Sequence[str] | None = None,
    prior_continuous_loc: float = 0.0,
    prior_continuous_scale: float = 0.5,
) -> Model:
    r"""Successes by categorical features, and by continuous ones.

    .. math::

        \mathrm{logit}\, p_i &= \alpha + \sum_e \beta^e_{e(i)} + \sum_x \theta^x x_i
            + \sum_{(a, b)} \gamma^{ab}_{a(i) b(i)} \\
        y_i &\sim \mathrm{Binomial}(n_i, p_i)

    Parameters
    ----------
    main_effects : list of str, optional
        Categorical features.
    interactions : list of pairs of str, optional
        Of two categorical features, effects that sum to zero along both axes, whatever the coding
        of the main effects; with a continuous one, as for `ordered_logistic_model`.
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
    continuous_effects : list of str, optional
        Continuous features, such as the length of an answer; the slope of x is the site
        ``x_coef``. Rows are counted together only where they agree in these as well.
    prior_continuous_loc, prior_continuous_scale : float
        Of a slope.
    """
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
        prior_interaction_scale=prior_interaction_scale,
        prior_continuous_scale=prior_continuous_scale,
    )

    def program(features: Features) -> None:
        check_features(features, ["obs", "n_total", *predictor.needed])

        import numpyro
        from numpyro import distributions as dist

        logits = numpyro.sample(
            "intercept", dist.Normal(prior_intercept_loc, prior_intercept_scale)
        )
        observe_binomial(predictor.add_to(logits, features), features)

    return describe(
        program,
        axes=predictor.axes,
        rows=predictor.rows,
        likelihood="binomial",
        numbers=prior_arguments("intercept", "main_effects", "continuous", "interaction"),
        pure=True,
    )
