"""The factor model: effects of scenarios, and a low-rank interaction of models and scenarios."""

from __future__ import annotations

import numpy as np

from hibayes.hierarchical.cells import Array, Grid
from hibayes.hierarchical.gibbs import (
    Progress,
    Schedule,
    Walk,
    draw_normal,
    scales_density,
    start,
)
from hibayes.hierarchical.posterior import Posterior
from hibayes.hierarchical.priors import (
    Loadings,
    ModelScales,
    ScenarioEffects,
    ScenarioScales,
    largest_rank,
)

__all__ = ["SCHEDULE", "fit_factor"]

SCHEDULE = Schedule(chains=4, warmup=4000, draws=400, thin=60)
"""On a grid of 57 models by 35 scenarios: about 45 s."""


def fit_factor(
    grid: Grid,
    schedule: Schedule = SCHEDULE,
    *,
    rank: int = 6,
    phi: float = 0.4,
    progress: Progress | None = None,
) -> Posterior:
    r"""Sample the factor model.

    .. math::

        t_{ij} &\sim N(b_j + U_i \cdot V_j,\; \phi v_{ij} + \omega_i^2 s_j^2), \qquad
            U_{iq} \sim N(0, 1) \\
        V_{jq} &\sim N(m_{g(j)q} + f_{f(j)q}, \tau_q^2), \quad
            m_{gq} \sim N(0, \tau_{m,q}^2), \quad f_{fq} \sim N(0, \tau_{f,q}^2) \\
        b_j &\sim N(\mu_{g(j)}, \sigma_b^2), \quad \mu_g \sim N(\mu, \sigma_g^2), \quad
            \mu \sim N(0, 1) \\
        \log s_j &\sim N(l_{g(j)}, \sigma_s^2), \quad l_g \sim N(l, \sigma_l^2), \quad
            l \sim N(-1.8, 0.7^2), \quad \log \omega_i \sim N(0, \sigma_\omega^2)

    with t and v of `cells`, g(j) the group and f(j) the family of a scenario; :math:`\tau_q^2,
    \tau_{f,q}^2 \sim IG(1, .01)`, :math:`\tau_{m,q}^2 \sim IG(1, .05)`, :math:`\sigma_b^2,
    \sigma_g^2 \sim IG(1, .3)`, :math:`\sigma_s^2, \sigma_l^2 \sim IG(2, .2)`,
    :math:`\sigma_\omega^2 \sim IG(2, .15)`. The scales of each factor let superfluous factors
    shrink.

    Parameters
    ----------
    grid : Grid
        At least 3 models and 3 columns.
    schedule : Schedule
    rank : int
        Number of factors; at most half of the models less one, and of the columns.
    phi : float
        What share of the binomial noise a value has. Models answer the same items, some easy for
        all and some hard, so a score spreads less than a binomial count about what the model can.
        .4 was chosen among .4 and 1 on seed 0 of the 57-model grid, where both are close.
    progress : callable, optional
        Told how many sweeps were made, now and then.

    Returns
    -------
    Posterior
        Draws ``scenario_effects`` (b), ``factors`` (U), ``loadings`` (V), ``log_residual``
        (log s), ``log_model_residual`` (log ω) and the variances. U and V are known up to
        rotation only; what is identified are `Posterior.expected` and the variances of cells.

    Notes
    -----
    One sweep: (log s_j) of each scenario by Metropolis with (b_j, V_j) integrated out, then
    (b_j, V_j); (log ω_i) of each model with U_i integrated out, then U_i; then the means and
    variances, all conjugate. All chains take their steps together.

    References
    ----------
    Salakhutdinov & Mnih, "Bayesian probabilistic matrix factorization using Markov chain Monte
    Carlo", ICML 2008, is the same without levels and without noise that differs between cells.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> cells = [(f"m{i}", f"s{j}") for i in range(8) for j in range(6)]
    >>> model, column = zip(*cells)
    >>> y = 0.5 + 0.05 * rng.normal(size=48)
    >>> grid = Grid.of(model, column, y, [200] * 48)
    >>> posterior = fit_factor(grid, Schedule(chains=2, warmup=20, draws=10, thin=1), rank=2)
    >>> posterior.draws["factors"].shape, posterior.dims["factors"]
    ((2, 10, 8, 2), ('model', 'factor'))
    """
    rng = np.random.default_rng([schedule.seed, 2])
    rank = min(rank, largest_rank(grid))
    chains, (rows, columns) = schedule.chains, grid.y.shape
    t, seen = grid.t, grid.mask.astype(float)
    known = phi * grid.known_noise
    b, u, v = start(t, grid.mask, rank, chains, rng)
    effects, loadings = ScenarioEffects(grid, chains), Loadings(grid, chains, rank)
    scales, model_scales = ScenarioScales(grid, chains), ModelScales(chains)
    log_s, walk_s = np.full((chains, columns), -1.5), Walk(np.full((chains, columns), 0.5))
    log_w, walk_w = np.zeros((chains, rows)), Walk(np.full((chains, rows), 0.3))
    prior_u = np.ones((1, 1, rank))
    kept: dict[str, list[Array]] = {}

    for sweep in range(schedule.sweeps):
        # scenarios: scales, then effects and loadings
        design = np.concatenate([np.ones((chains, rows, 1)), u], axis=2)  # [C, M, 1 + r]
        centre = np.concatenate([effects.centre[..., None], loadings.centre], axis=2)
        spread = np.concatenate([effects.variance, loadings.variance], axis=2)
        residual = t.T - centre @ np.swapaxes(design, 1, 2)  # [C, S, M]
        own = np.exp(2.0 * log_w)[:, None]  # [C, 1, M]

        scenario = scales_density(
            design, seen.T, known.T, own, residual, 1.0 / spread, scales.log_density
        )
        log_s, h, inverse = walk_s.move(rng, log_s, scenario, sweep, schedule.warmup)
        coefficients = centre + draw_normal(rng, h, inverse)
        b, v = coefficients[..., 0], coefficients[..., 1:]

        # models: scales, then factors
        left = t - b[:, None]  # [C, M, S]
        shared = np.exp(2.0 * log_s)[:, None]  # [C, 1, S]

        model = scales_density(v, seen, known, shared, left, prior_u, model_scales.log_density)
        log_w, h, inverse = walk_w.move(rng, log_w, model, sweep, schedule.warmup)
        u = draw_normal(rng, h, inverse)

        model_scales.draw(rng, log_w)
        effects.draw(rng, b)
        loadings.draw(rng, v)
        scales.draw(rng, log_s)
        if schedule.keeps(sweep):
            now = {
                "scenario_effects": b,
                "factors": u,
                "loadings": v,
                "log_residual": log_s,
                "log_model_residual": log_w,
                **effects.state(),
                **loadings.state(),
                **scales.state(),
                **model_scales.state(),
            }
            for name, value in now.items():
                kept.setdefault(name, []).append(value.copy())
        schedule.report(sweep, progress)

    draws = {name: np.stack(values, axis=1) for name, values in kept.items()}
    dims = {
        "scenario_effects": ("scenario",),
        "factors": ("model", "factor"),
        "loadings": ("scenario", "factor"),
        "log_residual": ("scenario",),
        "log_model_residual": ("model",),
        **ScenarioEffects.dims,
        **Loadings.dims,
        **ScenarioScales.dims,
        **ModelScales.dims,
    }
    stats = {
        "rank": float(rank),
        "accepted_scenario_scales": walk_s.acceptance,
        "accepted_model_scales": walk_w.acceptance,
    }
    return Posterior("crossed_factor", grid, phi, schedule, draws, dims, stats)
