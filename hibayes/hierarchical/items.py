"""The factor model with item kernels: models that answer alike have alike profiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hibayes.hierarchical.cells import Array, Grid
from hibayes.hierarchical.columns import Columns, cholesky, inverses, solve_lower
from hibayes.hierarchical.gibbs import (
    Progress,
    Schedule,
    Walk,
    draw_inverse_gamma,
    draw_normal,
    start,
)
from hibayes.hierarchical.kernels import Kernels
from hibayes.hierarchical.posterior import Posterior
from hibayes.hierarchical.priors import Loadings, ScenarioEffects, largest_rank

__all__ = [
    "FACTOR_JITTER",
    "JITTER",
    "LOG_INTERACTION",
    "LOG_RESIDUAL",
    "SCHEDULE",
    "fit_items",
]

SCHEDULE = Schedule(chains=4, warmup=400, draws=250, thin=8)
"""On a grid of 57 models by 35 scenarios: about 45 s."""

JITTER = 1e-4
"""Added to the diagonal of the kernel of what factors leave."""

FACTOR_JITTER = 1e-6
"""Added to the diagonal of the kernel of the factors."""

LOG_RESIDUAL = (-2.5, 0.5, 0.8**2)
"""Of log s_j: the mean and variance of its mean, and its variance."""

LOG_INTERACTION = (-1.8, 0.5, 0.6**2)
"""The same of log h_j."""


def fit_items(
    grid: Grid,
    kernels: Kernels,
    schedule: Schedule = SCHEDULE,
    *,
    rank: int = 6,
    phi: float = 0.4,
    progress: Progress | None = None,
) -> Posterior:
    r"""Sample the factor model with item kernels.

    .. math::

        t_{ij} = b_j + U_i \cdot V_j + \omega_i h_j G_{ij} + e_{ij}, \qquad
            e_{ij} \sim N(0, \phi v_{ij} + s_j^2) \\
        U_{\cdot q} \sim N(0, K_1), \qquad G_{\cdot j} \sim N(0, K_2 + 10^{-4} I) \\
        \log s_j \sim N(m_s, .8^2), \quad m_s \sim N(-2.5, .5), \qquad
        \log h_j \sim N(m_h, .6^2), \quad m_h \sim N(-1.8, .5) \\
        \log \omega_i \sim N(0, \sigma_\omega^2), \quad \sigma_\omega^2 \sim IG(2, .15)

    with the kernels of `kernels.Kernels`, and b and V as in `factor.fit_factor`.

    Parameters
    ----------
    grid : Grid
    kernels : Kernels
        Of the grid's models, in its order.
    schedule : Schedule
    rank : int
        Number of factors; at most half of the models less one, and of the columns.
    phi : float
        What share of the binomial noise a value has. It cannot be learned here: the kernels come
        from the same responses, and the posterior of a free phi goes to 0.
    progress : callable, optional
        Told how many sweeps were made, now and then.

    Returns
    -------
    Posterior
        Draws as of `factor.fit_factor` without the models' scales, and ``interaction`` (H with
        H_ij = ω_i h_j G_ij), ``log_interaction_scale`` (log h), ``log_model_scale`` (log ω).

    Notes
    -----
    One sweep, with :math:`\Sigma_j` of `columns.Columns`: (log s_j, log h_j) of each scenario by
    Metropolis with b_j, V_j and G integrated out, then (b_j, V_j) with G integrated out; U, all
    models and factors in one block, with G integrated out too: its precision is :math:`I \otimes
    K_1^{-1} + \sum_j V_j V_j' \otimes \Sigma_j^{-1}`, which is what lets the chain move along the
    ridge between U V' and H; then H by Matheron's rule, log ω given H and given G in turn, means
    and variances.

    References
    ----------
    Yu & Meng, "To center or not to center: that is not the question", Journal of Computational
    and Graphical Statistics 20 (2011), doi:10.1198/jcgs.2011.203main (given H and given G in
    turn). Wilson et al., "Efficiently sampling functions from Gaussian process posteriors", ICML
    2020 (Matheron's rule).
    """
    return _Sampler(grid, kernels, schedule, rank, phi).run(progress)


@dataclass
class _Chain:
    """Where one chain is."""

    rng: np.random.Generator
    u: Array  # [M, r]
    log_s: Array  # [S]
    log_h: Array  # [S]
    log_w: Array  # [M]


class _Sampler:
    def __init__(
        self, grid: Grid, kernels: Kernels, schedule: Schedule, rank: int, phi: float
    ) -> None:
        self.grid, self.kernels, self.schedule, self.phi = grid, kernels, schedule, phi
        self.rank = min(rank, largest_rank(grid))
        chains, (rows, columns) = schedule.chains, grid.y.shape
        self.t = np.ascontiguousarray(grid.t.T)  # [S, M]
        self.seen = np.ascontiguousarray(grid.mask.T)
        kernel = kernels.residual + JITTER * np.eye(rows)
        self.columns = Columns(kernel, grid.mask, phi * grid.known_noise)
        self.root = np.linalg.cholesky(kernel)
        self.memory = np.empty((3, columns, rows, rows))
        self.kernel_inverse = np.linalg.inv(kernel)
        prior = np.linalg.inv(kernels.factors + FACTOR_JITTER * np.eye(rows))
        self.prior_u = np.kron(np.eye(self.rank), prior)  # factor by factor
        self.rng = np.random.default_rng([schedule.seed, 3])
        _, u, _ = start(grid.t, grid.mask, self.rank, chains, self.rng)
        self.effects = ScenarioEffects(grid, chains)
        self.loadings = Loadings(grid, chains, self.rank)
        self.chains = [
            _Chain(
                np.random.default_rng([schedule.seed, 3, c]),
                u[c],
                np.full(columns, LOG_RESIDUAL[0]),
                np.full(columns, LOG_INTERACTION[0]),
                np.zeros(rows),
            )
            for c in range(chains)
        ]
        self.mean_s, self.mean_h = (
            np.full(chains, LOG_RESIDUAL[0]),
            np.full(chains, LOG_INTERACTION[0]),
        )
        self.var_w = np.full(chains, 0.05)
        self.walk_scales = Walk(np.full((chains, columns), 0.4), target=0.3)
        self.walk_given_h = Walk(np.full((chains, rows), 0.3), target=0.4)
        self.walk_given_g = Walk(np.full((chains, rows), 0.3), target=0.4)

    def run(self, progress: Progress | None) -> Posterior:
        kept: dict[str, list[Array]] = {}
        for sweep in range(self.schedule.sweeps):
            parts = [self._profile(c, sweep) for c in range(self.schedule.chains)]
            b, v, fitted, h = (np.stack(part) for part in zip(*parts, strict=True))
            h = self._model_scales(fitted, h, sweep)
            self.effects.draw(self.rng, b)
            self.loadings.draw(self.rng, v)
            log_s = np.stack([chain.log_s for chain in self.chains])
            log_h = np.stack([chain.log_h for chain in self.chains])
            self.mean_s = self._draw_mean(log_s, LOG_RESIDUAL)
            self.mean_h = self._draw_mean(log_h, LOG_INTERACTION)
            if self.schedule.keeps(sweep):
                now = {
                    "scenario_effects": b,
                    "factors": np.stack([chain.u for chain in self.chains]),
                    "loadings": v,
                    "interaction": np.swapaxes(h, 1, 2),
                    "log_residual": log_s,
                    "log_interaction_scale": log_h,
                    "log_model_scale": np.stack([chain.log_w for chain in self.chains]),
                    "mean_log_residual": self.mean_s,
                    "mean_log_interaction_scale": self.mean_h,
                    "model_scale_variance": self.var_w,
                    **self.effects.state(),
                    **self.loadings.state(),
                }
                for name, value in now.items():
                    kept.setdefault(name, []).append(value.copy())
            self.schedule.report(sweep, progress)
        draws = {name: np.stack(values, axis=1) for name, values in kept.items()}
        dims = {
            "scenario_effects": ("scenario",),
            "factors": ("model", "factor"),
            "loadings": ("scenario", "factor"),
            "interaction": ("model", "scenario"),
            "log_residual": ("scenario",),
            "log_interaction_scale": ("scenario",),
            "log_model_scale": ("model",),
            "mean_log_residual": (),
            "mean_log_interaction_scale": (),
            "model_scale_variance": (),
            **ScenarioEffects.dims,
            **Loadings.dims,
        }
        stats = {
            "rank": float(self.rank),
            "accepted_scenario_scales": self.walk_scales.acceptance,
            "accepted_model_scales": self.walk_given_h.acceptance,
        }
        return Posterior(
            "crossed_factor_items",
            self.grid,
            self.phi,
            self.schedule,
            draws,
            dims,
            stats,
            {"kernels": self.kernels},
        )

    def _profile(self, c: int, sweep: int) -> tuple[Array, Array, Array, Array]:
        """Draw what a chain knows of scenarios and models; b, V, their sum (S, M), and H."""
        chain, columns = self.chains[c], self.columns
        rng, scale = chain.rng, np.exp(chain.log_w)
        design = np.column_stack([np.ones(len(chain.u)), chain.u])
        centre = np.column_stack([self.effects.centre[c], self.loadings.centre[c]])
        variance = np.concatenate([self.effects.variance[c], self.loadings.variance[c]], axis=1)
        residual = np.where(self.seen, self.t - centre @ design.T, 0.0)

        def at(log_s: Array, log_h: Array, out: Array) -> tuple[list[Array], Array, Array, Array]:
            factors = columns.factorise(log_s, log_h, scale, out)
            density, h, inverse = columns.regress(factors, design, residual, variance)
            density -= 0.5 * (log_s - self.mean_s[c]) ** 2 / LOG_RESIDUAL[2]
            density -= 0.5 * (log_h - self.mean_h[c]) ** 2 / LOG_INTERACTION[2]
            return factors, density, h, inverse

        step = self.walk_scales.step[c]
        log_s = chain.log_s + step * rng.standard_normal(step.shape)
        log_h = chain.log_h + step * rng.standard_normal(step.shape)
        factors, old, h, inverse = at(chain.log_s, chain.log_h, self.memory[0])
        new_factors, new, new_h, new_inverse = at(log_s, log_h, self.memory[1])
        taken = np.log(rng.random(len(old))) < new - old
        self.walk_scales.adapt(taken, sweep, self.schedule.warmup, at=c)
        chain.log_s = np.where(taken, log_s, chain.log_s)
        chain.log_h = np.where(taken, log_h, chain.log_h)
        h = np.where(taken[:, None], new_h, h)
        inverse = np.where(taken[:, None, None], new_inverse, inverse)
        factors = [b if yes else a for a, b, yes in zip(factors, new_factors, taken, strict=True)]
        coefficients = centre + draw_normal(rng, h, inverse)
        b, v = coefficients[:, 0], coefficients[:, 1:]

        precision = inverses(factors, self.memory[2])  # [S, M, M]
        chain.u = self._factors(rng, precision, v, np.where(self.seen, self.t - b[:, None], 0.0))
        fitted = b[:, None] + v @ chain.u.T
        return b, v, fitted, self._interaction(chain, precision, fitted, scale)

    def _factors(self, rng: np.random.Generator, precision: Array, v: Array, left: Array) -> Array:
        """Draw U, shape (M, r), given b and V."""
        (count, rank), rows = v.shape, precision.shape[1]
        products = (v[:, :, None] * v[:, None, :]).reshape(count, -1)
        q = (products.T @ precision.reshape(count, -1)).reshape(rank, rank, rows, rows)
        q = q.transpose(0, 2, 1, 3).reshape(rank * rows, rank * rows) + self.prior_u
        right = (v.T @ (precision @ left[..., None])[..., 0]).ravel()
        factor = cholesky(q)
        z = solve_lower(factor, right) + rng.standard_normal(rank * rows)
        return solve_lower(factor, z, transposed=True).reshape(rank, rows).T

    def _interaction(self, chain: _Chain, precision: Array, fitted: Array, scale: Array) -> Array:
        """Draw H, shape (S, M): a prior draw, moved by what it and its noise leave unexplained."""
        rng, height = chain.rng, np.exp(chain.log_h)[:, None]
        prior = height * scale * (rng.standard_normal(fitted.shape) @ self.root.T)
        noise = np.sqrt(self.columns.noise(chain.log_s)) * rng.standard_normal(fitted.shape)
        off = np.where(self.seen, self.t - fitted, 0.0) - prior - noise
        pull = (precision @ off[..., None])[..., 0] * scale
        return np.asarray(prior + height**2 * scale * (pull @ self.columns.kernel))

    def _model_scales(self, fitted: Array, h: Array, sweep: int) -> Array:
        """Draw log ω, given H and then given G; H is moved along with the latter."""
        log_w = np.stack([chain.log_w for chain in self.chains])  # [C, M]
        height = np.exp(np.stack([chain.log_h for chain in self.chains]))
        log_s = np.stack([chain.log_s for chain in self.chains])
        unit = h / height[..., None]  # [C, S, M]
        form = self.kernel_inverse * (np.swapaxes(unit, 1, 2) @ unit)  # u'Bu, u = 1 / omega
        log_w = self._given_h(log_w, form, sweep)

        g = h * np.exp(-log_w)[:, None]  # h_j G_ij
        noise = np.stack([self.columns.noise(s) for s in log_s])
        off = np.where(self.seen, self.t - fitted, 0.0)
        proposed = log_w + self.walk_given_g.step * self.rng.standard_normal(log_w.shape)
        new, old = np.exp(proposed)[:, None] * g, np.exp(log_w)[:, None] * g
        change = np.where(self.seen, ((off - new) ** 2 - (off - old) ** 2) / noise, 0.0)
        gain = -0.5 * change.sum(axis=1)
        gain -= 0.5 * (proposed**2 - log_w**2) / self.var_w[:, None]
        taken = self.walk_given_g.accept(self.rng, gain, sweep, self.schedule.warmup)
        log_w = np.where(taken, proposed, log_w)
        squares = (log_w**2).sum(axis=1)
        self.var_w = draw_inverse_gamma(self.rng, 2.0 + log_w.shape[1] / 2, 0.15 + 0.5 * squares)
        for chain, mine in zip(self.chains, log_w, strict=True):
            chain.log_w = mine
        return np.asarray(np.exp(log_w)[:, None] * g)

    def _given_h(self, log_w: Array, form: Array, sweep: int) -> Array:
        """Take one Metropolis step per model, one after the other, for all chains at once."""
        columns = self.t.shape[0]
        log_w, u = log_w.copy(), np.exp(-log_w)
        pulls = (form @ u[..., None])[..., 0]  # B u
        steps = self.walk_given_h.step * self.rng.standard_normal(log_w.shape)
        chance = np.log(self.rng.random(log_w.shape))
        taken = np.zeros(log_w.shape, bool)
        for i in range(log_w.shape[1]):
            now, new = log_w[:, i], log_w[:, i] + steps[:, i]
            du = np.exp(-new) - u[:, i]
            gain = -0.5 * (form[:, i, i] * du + 2.0 * pulls[:, i]) * du - columns * steps[:, i]
            gain -= 0.5 * (new * new - now * now) / self.var_w
            yes = chance[:, i] < gain
            du = np.where(yes, du, 0.0)
            taken[:, i] = yes
            log_w[:, i] = np.where(yes, new, now)
            u[:, i] += du
            pulls += form[:, :, i] * du[:, None]
        self.walk_given_h.adapt(taken, sweep, self.schedule.warmup)
        return log_w

    def _draw_mean(self, log_scales: Array, prior: tuple[float, float, float]) -> Array:
        mean, between, within = prior
        precision = log_scales.shape[1] / within + 1.0 / between
        centre = (log_scales.sum(axis=1) / within + mean / between) / precision
        return np.asarray(centre + self.rng.standard_normal(len(centre)) / np.sqrt(precision))
