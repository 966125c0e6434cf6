"""Successes by group, by subgroup of a group, and by subsubgroup: nested varying intercepts.

The features are named group, subgroup and subsubgroup; `map_columns` renames columns to these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from hibayes.model.effects import check_scales
from hibayes.model.likelihoods import observe_binomial

LEVELS = ("group", "subgroup", "subsubgroup")


@model
def simplified_group_binomial_exponential(
    prior_mu_overall_loc: float = 0.0,
    prior_mu_overall_scale: float = 1.0,
    prior_sigma_group_rate: float = 1.0,
) -> Model:
    r"""Successes by group, the groups' spread exponential.

    .. math::

        \mu &\sim N(\text{loc}, \text{scale}), \quad \sigma \sim \mathrm{Exp}(\text{rate}), \quad
        z_g \sim N(0, 1) \\
        y_i &\sim \mathrm{Binomial}(n_i, \mathrm{logit}^{-1}(\mu + \sigma z_{g(i)}))

    Parameters
    ----------
    prior_mu_overall_loc, prior_mu_overall_scale : float
        Of ``overall_mean``, in log odds.
    prior_sigma_group_rate : float
        Of ``sigma_group``, the standard deviation between groups: its mean is 1 / rate.
    """
    check_scales(
        prior_mu_overall_scale=prior_mu_overall_scale,
        prior_sigma_group_rate=prior_sigma_group_rate,
    )

    def program(features: Features) -> None:
        _check(features, 1)

        import numpyro
        from numpyro import distributions as dist

        mean = numpyro.sample(
            "overall_mean", dist.Normal(prior_mu_overall_loc, prior_mu_overall_scale)
        )
        effects = _nested("group", mean, dist.Exponential(prior_sigma_group_rate), features)
        observe_binomial(effects[features["group_index"]], features)

    return _described(
        program,
        1,
        ("prior_mu_overall_loc", "prior_mu_overall_scale", "prior_sigma_group_rate"),
    )


@model
def two_level_group_binomial(
    prior_mu_overall_loc: float = 0.0,
    prior_mu_overall_scale: float = 1.0,
    prior_sigma_overall_scale: float = 0.5,
    prior_sigma_group_scale: float = 0.1,
) -> Model:
    r"""Successes by group, the groups' spread half-normal.

    .. math::

        \mu &\sim N, \quad \tau \sim N^+(0.5), \quad z_0, z_g \sim N(0, 1), \quad
        \sigma \sim N^+(0.1) \\
        y_i &\sim \mathrm{Binomial}(n_i, \mathrm{logit}^{-1}(\mu + \tau z_0 + \sigma z_{g(i)}))

    Parameters
    ----------
    prior_mu_overall_loc, prior_mu_overall_scale : float
        Of ``mu_overall``, in log odds.
    prior_sigma_overall_scale : float
        Of ``sigma_overall``, which only widens the prior of the overall mean.
    prior_sigma_group_scale : float
        Of ``sigma_group``, the standard deviation between groups. The default draws the groups
        together strongly: use 0.5 or more where groups may differ by log odds of 1.
    """
    check_scales(
        prior_mu_overall_scale=prior_mu_overall_scale,
        prior_sigma_overall_scale=prior_sigma_overall_scale,
        prior_sigma_group_scale=prior_sigma_group_scale,
    )

    def program(features: Features) -> None:
        _check(features, 1)

        import numpyro
        from numpyro import distributions as dist

        mu = numpyro.sample("mu_overall", dist.Normal(prior_mu_overall_loc, prior_mu_overall_scale))
        sigma = numpyro.sample("sigma_overall", dist.HalfNormal(prior_sigma_overall_scale))
        z = numpyro.sample("z_overall", dist.Normal(0.0, 1.0))
        mean = numpyro.deterministic("overall_mean", mu + sigma * z)
        effects = _nested("group", mean, dist.HalfNormal(prior_sigma_group_scale), features)
        observe_binomial(effects[features["group_index"]], features)

    def equivalent(features: Features) -> None:
        # the data know the overall mean alone: it is drawn, and what makes it up is given it
        import jax.numpy as jnp
        import numpyro
        from numpyro import distributions as dist

        loc, scale = prior_mu_overall_loc, prior_mu_overall_scale
        sigma = numpyro.sample("sigma_overall", dist.HalfNormal(prior_sigma_overall_scale))
        both = jnp.hypot(scale, sigma)
        mean = numpyro.sample("overall_mean", dist.Normal(loc, both))
        rest = numpyro.sample("rest", dist.Normal(0.0, 1.0))
        z = numpyro.deterministic("z_overall", (sigma * (mean - loc) / both + scale * rest) / both)
        numpyro.deterministic("mu_overall", mean - sigma * z)
        effects = _nested("group", mean, dist.HalfNormal(prior_sigma_group_scale), features)
        observe_binomial(effects[features["group_index"]], features)

    return _described(
        program,
        1,
        (
            "prior_mu_overall_loc",
            "prior_mu_overall_scale",
            "prior_sigma_overall_scale",
            "prior_sigma_group_scale",
        ),
        equivalent,
    )


@model
def three_level_group_binomial(
    prior_overall_mean_loc: float = 0.0,
    prior_overall_mean_scale: float = 1.0,
    prior_sigma_group_scale: float = 0.1,
    prior_sigma_subgroup_scale: float = 0.1,
    prior_sigma_subsubgroup_scale: float = 0.1,
) -> Model:
    """Successes by group, subgroup and subsubgroup, the spreads half-normal.

    Every combination of the three has an effect, whether there are data of it or not.

    Parameters
    ----------
    prior_overall_mean_loc, prior_overall_mean_scale : float
        Of ``overall_mean``, in log odds.
    prior_sigma_group_scale, prior_sigma_subgroup_scale, prior_sigma_subsubgroup_scale : float
        Of the standard deviations between groups, between the subgroups of a group, and between
        the subsubgroups of a subgroup.
    """
    scales = {
        "prior_sigma_group_scale": prior_sigma_group_scale,
        "prior_sigma_subgroup_scale": prior_sigma_subgroup_scale,
        "prior_sigma_subsubgroup_scale": prior_sigma_subsubgroup_scale,
    }
    check_scales(prior_overall_mean_scale=prior_overall_mean_scale, **scales)

    def half_normal(scale: Any) -> Any:
        from numpyro import distributions as dist

        return dist.HalfNormal(scale)

    return _three_levels(prior_overall_mean_loc, prior_overall_mean_scale, half_normal, scales)


@model
def three_level_group_binomial_exponential(
    prior_overall_mean_loc: float = 0.0,
    prior_overall_mean_scale: float = 1.0,
    prior_sigma_group_rate: float = 1.0,
    prior_sigma_subgroup_rate: float = 1.0,
    prior_sigma_subsubgroup_rate: float = 1.0,
) -> Model:
    """Successes by group, subgroup and subsubgroup, the spreads exponential.

    As `three_level_group_binomial`, with rates in place of scales.

    Parameters
    ----------
    prior_overall_mean_loc, prior_overall_mean_scale : float
        Of ``overall_mean``, in log odds.
    prior_sigma_group_rate, prior_sigma_subgroup_rate, prior_sigma_subsubgroup_rate : float
        Of the standard deviations of the three levels: their means are 1 / rate.
    """
    rates = {
        "prior_sigma_group_rate": prior_sigma_group_rate,
        "prior_sigma_subgroup_rate": prior_sigma_subgroup_rate,
        "prior_sigma_subsubgroup_rate": prior_sigma_subsubgroup_rate,
    }
    check_scales(prior_overall_mean_scale=prior_overall_mean_scale, **rates)

    def exponential(rate: Any) -> Any:
        from numpyro import distributions as dist

        return dist.Exponential(rate)

    return _three_levels(prior_overall_mean_loc, prior_overall_mean_scale, exponential, rates)


def _three_levels(
    loc: Any, scale: Any, spread: Callable[[Any], Any], spreads: dict[str, Any]
) -> Model:
    """Make the program of three nested levels; the priors of the spreads by argument."""

    def program(features: Features) -> None:
        _check(features, 3)

        import numpyro
        from numpyro import distributions as dist

        effects = numpyro.sample("overall_mean", dist.Normal(loc, scale))
        for name, value in zip(LEVELS, spreads.values(), strict=True):
            effects = _nested(name, effects, spread(value), features)
        observe_binomial(effects[tuple(features[f"{name}_index"] for name in LEVELS)], features)

    return _described(program, 3, ("prior_overall_mean_loc", "prior_overall_mean_scale", *spreads))


def _nested(name: str, above: Any, spread: Any, features: Features) -> Any:
    """Draw the effects of a level around those of the level above, whose axes come first."""
    import jax.numpy as jnp
    import numpyro
    from numpyro import distributions as dist

    sigma = numpyro.sample(f"sigma_{name}", spread)
    shape = (*jnp.shape(above), int(features[f"num_{name}"]))
    z = numpyro.sample(f"z_{name}", dist.Normal(0.0, 1.0).expand(shape))
    return numpyro.deterministic(f"{name}_effects", jnp.asarray(above)[..., None] + sigma * z)


def _check(features: Features, depth: int) -> None:
    levels = [part for name in LEVELS[:depth] for part in (f"num_{name}", f"{name}_index")]
    check_features(features, ["obs", *levels, "n_total"])


def _described(
    program: Model,
    depth: int,
    numbers: tuple[str, ...],
    equivalent: Callable[[Features], None] | None = None,
) -> Model:
    """Say which axes the effects of each level have: those of the levels above, and its own."""

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        every = [level_axis(name, features, coords) for name in LEVELS[:depth]]
        found = {}
        for place, name in enumerate(LEVELS[:depth]):
            found[f"{name}_effects"] = found[f"z_{name}"] = every[: place + 1]
        return found

    return describe(
        program,
        axes=axes,
        rows=tuple(f"{name}_index" for name in LEVELS[:depth]),
        likelihood="binomial",
        numbers=numbers,
        pure=True,
        equivalent=equivalent,
    )
