"""Shares of models by scenarios: crossed effects, alone or with a low-rank interaction.

The same models as in `hibayes.hierarchical`, as programs with the same sites and priors. They are
sampled by the Gibbs sweeps there, whatever ``fit.method`` says.
"""

from __future__ import annotations

from typing import Any

from hibayes.model.definition import (
    Axis,
    Coords,
    Features,
    Model,
    describe,
    level_axis,
    model,
)
from hibayes.model.effects import check_scales
from hibayes.model.logit_count import logit_count
from hibayes.model.models.crossed_grid import Effects, Layout, Sweep, sampler
from hibayes.model.models.crossed_kernels import check_order, read_kernels, root_of
from suites.errors import UsageError

_ROTATED = (
    "factors",
    "loadings",
    "group_loadings",
    "loading_variance",
    "group_loading_variance",
)


@model
def crossed(
    model_effect: str = "model",
    scenario_effect: str = "scenario",
    group_effect: str | None = None,
    organisation_effect: str | None = None,
    phi: float = 1.0,
    thin: int | None = None,
) -> Model:
    r"""Shares by model and by scenario, without an interaction of the two.

    .. math::

        t(c_{ij} / n_{ij}) \sim N(b_j + a_i,\; \phi v_{ij} + s_j^2)

    with the priors of `hibayes.hierarchical.crossed.fit_crossed`, t of
    `hibayes.hierarchical.cells.to_logit` and v the binomial variance on its scale. One row per
    cell is needed: ``groupby`` makes them.

    Parameters
    ----------
    model_effect, scenario_effect : str
        Categorical features.
    group_effect : str, optional
        A categorical feature of scenarios, whose effects and scales are then drawn towards those
        of their group; without it all are of one.
    organisation_effect : str, optional
        A categorical feature of models, which are then drawn towards the others of it.
    phi : float
        What share of the binomial variance a share has.
    thin : int, optional
        Sweeps for each draw that is kept; by default so many that a chain makes no fewer sweeps
        than the schedule of `hibayes.hierarchical.crossed` has. The warm-up takes ``fit.warmup``
        times as many.

    Notes
    -----
    It is sampled by Gibbs sweeps: of ``fit``, ``samples``, ``warmup``, ``chains``, ``seed``,
    ``progress_bar`` and ``log_likelihood`` count, and ``method`` and its options do not.
    """
    effects = Effects(model_effect, scenario_effect, group_effect, organisation_effect)
    _check(phi, thin)

    def program(features: Features) -> None:
        layout = effects.layout(features)
        import numpyro
        from numpyro import distributions as dist

        b = _scenario_effects(layout)
        centre: Any = 0.0
        if layout.has_makers:
            between = numpyro.sample("maker_variance", dist.InverseGamma(1.0, 0.1))
            makers = dist.Normal(0.0, between**0.5).expand([layout.organisations])
            centre = numpyro.sample("maker_effects", makers)[layout.organisation]
        within = numpyro.sample("model_variance", dist.InverseGamma(1.0, 0.1))
        models = dist.Normal(centre, within**0.5).expand([layout.models])
        a = numpyro.sample("model_effects", models)
        log_sd = _scenario_scales(layout)
        _observe(b + a[:, None], log_sd[layout.column], features, layout, phi)

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        found = _axes(effects, features, coords)
        found["model_effects"] = [effects.model_axis(features, coords)]
        if organisation_effect is not None:
            found["maker_effects"] = [level_axis(organisation_effect, features, coords)]
        return found

    def sweep(features: Features) -> Sweep:
        from hibayes.hierarchical.crossed import fit_crossed

        return lambda grid, schedule, tell: fit_crossed(grid, schedule, phi=phi, progress=tell)

    return describe(
        program,
        axes=axes,
        sampler=sampler("crossed", effects, thin, sweep),
        link="offset_logit",
    )


@model
def crossed_factor(
    model_effect: str = "model",
    scenario_effect: str = "scenario",
    group_effect: str | None = None,
    rank: int = 6,
    phi: float = 0.4,
    thin: int | None = None,
) -> Model:
    r"""Shares by scenario, with a low-rank interaction of models and scenarios.

    .. math::

        t(c_{ij} / n_{ij}) \sim N(b_j + U_i \cdot V_j,\; \phi v_{ij} + \omega_i^2 s_j^2)

    with the priors of `hibayes.hierarchical.factor.fit_factor`, each scenario a family of its own.

    Parameters
    ----------
    model_effect, scenario_effect, group_effect, phi
        As of `crossed`.
    rank : int
        Number of factors, at most: fewer than half of the models, and of the scenarios. Factors
        that are too many shrink.
    thin : int, optional
        As of `crossed`.

    Notes
    -----
    Sampled as `crossed` is. ``factors`` and ``loadings`` are known up to rotation only: what is to
    be looked at is ``expected``, the expected logits of all models and scenarios.
    """
    effects = Effects(model_effect, scenario_effect, group_effect)
    _check(phi, thin, rank)

    def program(features: Features) -> None:
        layout = effects.layout(features)
        import numpyro
        from numpyro import distributions as dist

        count = _rank(rank, layout.models, layout.scenarios)
        b = _scenario_effects(layout)
        v = _loadings(layout, count)
        u = numpyro.sample("factors", dist.Normal(0.0, 1.0).expand([layout.models, count]))
        variance = numpyro.sample("model_residual_variance", dist.InverseGamma(2.0, 0.15))
        scales = dist.Normal(0.0, variance**0.5).expand([layout.models])
        log_w = numpyro.sample("log_model_residual", scales)
        log_sd = _scenario_scales(layout)[layout.column] + log_w[layout.row]
        _observe(b + u @ v.T, log_sd, features, layout, phi)

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        found = _factor_axes(effects, rank, features, coords)
        found["log_model_residual"] = [effects.model_axis(features, coords)]
        return found

    def sweep(features: Features) -> Sweep:
        from hibayes.hierarchical.factor import fit_factor

        return lambda grid, schedule, tell: fit_factor(
            grid, schedule, rank=rank, phi=phi, progress=tell
        )

    return describe(
        program,
        axes=axes,
        sampler=sampler("crossed_factor", effects, thin, sweep),
        unidentified=_ROTATED,
        link="offset_logit",
    )


@model
def crossed_factor_items(
    model_effect: str = "model",
    scenario_effect: str = "scenario",
    group_effect: str | None = None,
    rank: int = 6,
    phi: float = 0.4,
    thin: int | None = None,
) -> Model:
    r"""As `crossed_factor`, with models alike that answer the same items alike.

    .. math::

        t(c_{ij} / n_{ij}) \sim N(b_j + U_i \cdot V_j + H_{ij},\; \phi v_{ij} + s_j^2)

    with the priors of `hibayes.hierarchical.items.fit_items`: the covariances of U and H between
    models come from their item responses. The processor ``item_kernels`` computes them, before
    ``groupby``.

    Parameters
    ----------
    model_effect, scenario_effect, group_effect, rank, phi
        As of `crossed_factor`.
    thin : int, optional
        As of `crossed`.

    Notes
    -----
    Sampled as `crossed` is; a sweep takes time with the cube of the number of models. The kernels
    come from the same responses that the shares are of, so that ``loo`` may be too favourable to
    this model beside others.
    """
    effects = Effects(model_effect, scenario_effect, group_effect)
    _check(phi, thin, rank)

    def program(features: Features) -> None:
        layout = effects.layout(features)
        kernels = read_kernels(features, layout.models)
        import jax.numpy as jnp
        import numpyro
        from numpyro import distributions as dist

        from hibayes.hierarchical.items import (
            FACTOR_JITTER,
            JITTER,
            LOG_INTERACTION,
            LOG_RESIDUAL,
        )

        def scales(mean: str, name: str, prior: tuple[float, float, float]) -> Any:
            centre, between, within = prior
            middle = numpyro.sample(mean, dist.Normal(centre, between**0.5))
            each = dist.Normal(middle, within**0.5).expand([layout.scenarios])
            return numpyro.sample(name, each)

        count = _rank(rank, layout.models, layout.scenarios)
        size = (layout.models, count)
        b = _scenario_effects(layout)
        v = _loadings(layout, count)
        root = root_of(kernels.factors, FACTOR_JITTER)
        u = numpyro.sample("factors", dist.MatrixNormal(jnp.zeros(size), root, jnp.eye(count)))
        log_s = scales("mean_log_residual", "log_residual", LOG_RESIDUAL)
        log_h = scales("mean_log_interaction_scale", "log_interaction_scale", LOG_INTERACTION)
        variance = numpyro.sample("model_scale_variance", dist.InverseGamma(2.0, 0.15))
        own = dist.Normal(0.0, variance**0.5).expand([layout.models])
        log_w = numpyro.sample("log_model_scale", own)
        rows = jnp.exp(log_w)[:, None] * root_of(kernels.residual, JITTER)
        nothing = jnp.zeros((layout.models, layout.scenarios))
        prior = dist.MatrixNormal(nothing, rows, jnp.diag(jnp.exp(log_h)))
        h = numpyro.sample("interaction", prior)
        _observe(b + u @ v.T + h, log_s[layout.column], features, layout, phi)

    def axes(features: Features, coords: Coords) -> dict[str, list[Axis]]:
        found = _factor_axes(effects, rank, features, coords)
        models = effects.model_axis(features, coords)
        check_order(coords, models)
        scenarios = effects.scenario_axis(features, coords)
        return found | {
            "interaction": [models, scenarios],
            "log_interaction_scale": [scenarios],
            "log_model_scale": [models],
        }

    def sweep(features: Features) -> Sweep:
        from hibayes.hierarchical.items import fit_items

        kernels = read_kernels(features, int(features[f"num_{model_effect}"]))
        return lambda grid, schedule, tell: fit_items(
            grid, kernels, schedule, rank=rank, phi=phi, progress=tell
        )

    return describe(
        program,
        axes=axes,
        sampler=sampler("crossed_factor_items", effects, thin, sweep),
        unidentified=_ROTATED,
        link="offset_logit",
    )


def _scenario_effects(layout: Layout) -> Any:
    """Draw b, as `hibayes.hierarchical.priors.ScenarioEffects`."""
    import numpyro
    from numpyro import distributions as dist

    mean = numpyro.sample("overall_mean", dist.Normal(0.0, 1.0))
    between = numpyro.sample("group_variance", dist.InverseGamma(1.0, 0.3))
    groups = dist.Normal(mean, between**0.5).expand([layout.groups])
    centre = numpyro.sample("group_effects", groups)[layout.group]
    within = numpyro.sample("scenario_variance", dist.InverseGamma(1.0, 0.3))
    return numpyro.sample("scenario_effects", dist.Normal(centre, within**0.5))


def _scenario_scales(layout: Layout) -> Any:
    """Draw log s, as `hibayes.hierarchical.priors.ScenarioScales`."""
    import numpyro
    from numpyro import distributions as dist

    mean = numpyro.sample("mean_log_residual", dist.Normal(-1.8, 0.7))
    between = numpyro.sample("group_log_residual_variance", dist.InverseGamma(2.0, 0.2))
    groups = dist.Normal(mean, between**0.5).expand([layout.groups])
    centre = numpyro.sample("group_log_residual", groups)[layout.group]
    within = numpyro.sample("log_residual_variance", dist.InverseGamma(2.0, 0.2))
    return numpyro.sample("log_residual", dist.Normal(centre, within**0.5))


def _loadings(layout: Layout, rank: int) -> Any:
    """Draw V, as `hibayes.hierarchical.priors.Loadings` where each scenario is its own family."""
    import numpyro
    from numpyro import distributions as dist

    among = dist.InverseGamma(1.0, 0.05).expand([rank])
    between = numpyro.sample("group_loading_variance", among)
    groups = dist.Normal(0.0, between**0.5).expand([layout.groups, rank])
    centre = numpyro.sample("group_loadings", groups)[layout.group]
    within = numpyro.sample("loading_variance", dist.InverseGamma(1.0, 0.01).expand([rank]))
    return numpyro.sample("loadings", dist.Normal(centre, within**0.5))


def _observe(expected: Any, log_sd: Any, features: Features, layout: Layout, phi: float) -> None:
    """Keep the expected logits of all cells, and observe the counts of those with rows."""
    import jax.numpy as jnp
    import numpyro

    from hibayes.hierarchical.gibbs import LEAST_VARIANCE

    expected = numpyro.deterministic("expected", expected)
    obs = features["obs"]
    counts = logit_count(
        expected[layout.row, layout.column],
        jnp.exp(2.0 * log_sd) + LEAST_VARIANCE,
        features["n_total"],
        phi,
    )
    if obs is not None:
        obs = jnp.asarray(obs, dtype=jnp.result_type(float))
    numpyro.sample("obs", counts, obs=obs)


def _axes(effects: Effects, features: Features, coords: Coords) -> dict[str, list[Axis]]:
    """Give the axes that all three models have."""
    scenarios = effects.scenario_axis(features, coords)
    groups = effects.group_axis(features, coords)
    return {
        "scenario_effects": [scenarios],
        "log_residual": [scenarios],
        "group_effects": [groups],
        "group_log_residual": [groups],
        "expected": [effects.model_axis(features, coords), scenarios],
    }


def _factor_axes(
    effects: Effects, rank: int, features: Features, coords: Coords
) -> dict[str, list[Axis]]:
    found = _axes(effects, features, coords)
    models, scenarios = found["expected"]
    factors = Axis("factor", list(range(_rank(rank, len(models.labels), len(scenarios.labels)))))
    return found | {
        "factors": [models, factors],
        "loadings": [scenarios, factors],
        "group_loadings": [*found["group_effects"], factors],
        "loading_variance": [factors],
        "group_loading_variance": [factors],
    }


def _rank(rank: int, models: int, scenarios: int) -> int:
    """Give the number of factors, as `hibayes.hierarchical.priors.largest_rank` bounds it."""
    return min(rank, max(1, (min(models, scenarios) - 1) // 2))


def _check(phi: Any, thin: Any, rank: Any = 1) -> None:
    """Refuse arguments out of range."""
    check_scales(phi=phi)
    for name, value in (("thin", thin), ("rank", rank)):
        if name == "thin" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UsageError(f"{name} must be a whole number from 1, got {value!r}.")
