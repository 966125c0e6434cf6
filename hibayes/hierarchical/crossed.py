"""The crossed model: an effect of the scenario and one of the model, and nothing between them."""

from __future__ import annotations

import numpy as np

from hibayes.hierarchical.cells import Array, Grid
from hibayes.hierarchical.gibbs import (
    Levels,
    Progress,
    Schedule,
    Walk,
    draw_inverse_gamma,
    draw_normal,
    scales_density,
)
from hibayes.hierarchical.posterior import Posterior
from hibayes.hierarchical.priors import ScenarioEffects, ScenarioScales

__all__ = ["SCHEDULE", "fit_crossed"]

SCHEDULE = Schedule(chains=4, warmup=500, draws=400, thin=3)
"""On a grid of 57 models by 35 scenarios: about 1 s."""


def fit_crossed(
    grid: Grid,
    schedule: Schedule = SCHEDULE,
    *,
    phi: float = 1.0,
    progress: Progress | None = None,
) -> Posterior:
    r"""Sample the crossed model.

    .. math::

        t_{ij} \sim N(b_j + a_i,\; \phi v_{ij} + s_j^2), \qquad
        a_i \sim N(o_{o(i)}, \sigma_a^2), \quad o \sim N(0, \sigma_o^2)

    with t and v of `cells`, o(i) the organisation of a model, :math:`\sigma_a^2, \sigma_o^2 \sim
    IG(1, .1)`, and b_j and s_j as in `factor.fit_factor`. Where every model is an organisation of
    its own, o is left out.

    Parameters
    ----------
    grid : Grid
        At least one cell.
    schedule : Schedule
    phi : float
        What share of the binomial noise a value has.
    progress : callable, optional
        Told how many sweeps were made, now and then.

    Returns
    -------
    Posterior
        Draws ``scenario_effects`` (b), ``model_effects`` (a), ``maker_effects`` (o),
        ``log_residual`` (log s) and the variances. a and b are known up to a common shift only,
        which their priors hold; what is identified is `Posterior.expected`.

    Notes
    -----
    One sweep: log s_j of each scenario by Metropolis with b_j integrated out, then b_j; a_i; then
    the means and variances, all conjugate. All chains take their steps together.

    Examples
    --------
    >>> grid = Grid.of(list("aabb"), list("stst"), [0.2, 0.4, 0.6, 0.8], [100] * 4)
    >>> posterior = fit_crossed(grid, Schedule(chains=2, warmup=20, draws=10, thin=1))
    >>> posterior.draws["model_effects"].shape
    (2, 10, 2)
    """
    rng = np.random.default_rng([schedule.seed, 1])
    chains, (rows, columns) = schedule.chains, grid.y.shape
    t, seen = grid.t, grid.mask.astype(float)
    known = phi * grid.known_noise
    effects, scales, makers = (
        ScenarioEffects(grid, chains),
        ScenarioScales(grid, chains),
        Levels(grid.maker),
    )
    has_makers = makers.count < rows
    a = 0.3 * rng.standard_normal((chains, rows))
    of_maker = np.zeros((chains, makers.count))
    within, between = np.full(chains, 0.3), np.full(chains, 0.3)
    log_s, walk = np.full((chains, columns), -1.0), Walk(np.full((chains, columns), 0.5))
    design, none = np.ones((chains, rows, 1)), np.zeros(chains)
    kept: dict[str, list[Array]] = {}

    for sweep in range(schedule.sweeps):
        residual = t.T - a[:, None] - effects.centre[..., None]  # [C, S, M]

        scenario = scales_density(
            design,
            seen.T,
            known.T,
            np.ones(()),
            residual,
            1.0 / effects.variance,
            scales.log_density,
        )
        log_s, h, inverse = walk.move(rng, log_s, scenario, sweep, schedule.warmup)
        b = effects.centre + draw_normal(rng, h, inverse)[..., 0]

        weight = seen / (known + np.exp(2.0 * log_s)[:, None])  # [C, M, S]
        prior = of_maker[:, grid.maker]
        precision = weight.sum(axis=2) + 1.0 / within[:, None]
        pull = (weight * (t - b[:, None])).sum(axis=2) + prior / within[:, None]
        a = pull / precision + rng.standard_normal(pull.shape) / np.sqrt(precision)
        if has_makers:
            of_maker = makers.draw(rng, a, within, none, between)
            squares = (of_maker**2).sum(axis=1)
            between = draw_inverse_gamma(rng, 1.0 + makers.count / 2, 0.1 + 0.5 * squares)
        squares = ((a - of_maker[:, grid.maker]) ** 2).sum(axis=1)
        within = draw_inverse_gamma(rng, 1.0 + rows / 2, 0.1 + 0.5 * squares)

        effects.draw(rng, b)
        scales.draw(rng, log_s)
        if schedule.keeps(sweep):
            now = {
                "scenario_effects": b,
                "model_effects": a,
                "log_residual": log_s,
                "model_variance": within,
                "maker_effects": of_maker,
                "maker_variance": between if has_makers else none,
                **effects.state(),
                **scales.state(),
            }
            for name, value in now.items():
                kept.setdefault(name, []).append(value.copy())
        schedule.report(sweep, progress)

    draws = {name: np.stack(values, axis=1) for name, values in kept.items()}
    dims = {
        "scenario_effects": ("scenario",),
        "model_effects": ("model",),
        "log_residual": ("scenario",),
        "model_variance": (),
        "maker_effects": ("maker",),
        "maker_variance": (),
        **ScenarioEffects.dims,
        **ScenarioScales.dims,
    }
    stats = {"accepted_scenario_scales": walk.acceptance}
    return Posterior("crossed", grid, phi, schedule, draws, dims, stats)
