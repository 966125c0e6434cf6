"""Priors that the hierarchical models have in common, as blocks that can draw themselves.

Each block holds the means and variances above one kind of parameter, one row per chain.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hibayes.hierarchical.cells import Array, Grid
from hibayes.hierarchical.gibbs import Levels, draw_inverse_gamma

__all__ = ["Loadings", "ModelScales", "ScenarioEffects", "ScenarioScales", "largest_rank"]


def largest_rank(grid: Grid) -> int:
    """Give the most factors that a grid has room for: fewer than half its models and columns.

    Examples
    --------
    >>> largest_rank(Grid.of(list("abcdefg") * 2, list("stuvwxy") * 2, [0.5] * 14, [0] * 14))
    3
    """
    return max(1, (min(grid.y.shape) - 1) // 2)


class ScenarioEffects:
    r"""Of :math:`b_j \sim N(\mu_{g(j)}, \sigma_b^2)`, :math:`\mu_g \sim N(\mu, \sigma_g^2)`.

    :math:`\mu \sim N(0, 1)`; :math:`\sigma_b^2, \sigma_g^2 \sim IG(1, .3)`.
    """

    dims: ClassVar[dict[str, tuple[str, ...]]] = {
        "overall_mean": (),
        "group_effects": ("group",),
        "scenario_variance": (),
        "group_variance": (),
    }

    def __init__(self, grid: Grid, chains: int) -> None:
        self.levels = Levels(grid.group)
        self.mean = np.zeros(chains)
        self.means = np.zeros((chains, self.levels.count))
        self.within = np.full(chains, 0.5)
        self.between = np.full(chains, 0.3)

    @property
    def centre(self) -> Array:
        """Prior mean of each b_j, shape (C, S)."""
        return self.means[:, self.levels.codes]

    @property
    def variance(self) -> Array:
        """Prior variance of each b_j, shape (C, S, 1)."""
        return np.repeat(self.within[:, None], len(self.levels.codes), axis=1)[..., None]

    def draw(self, rng: np.random.Generator, b: Array) -> None:
        """Draw means and variances given the effects, shape (C, S)."""
        groups = self.levels.count
        self.means = self.levels.draw(rng, b, self.within, self.mean, self.between)
        precision = groups / self.between + 1.0
        centre = self.means.sum(axis=1) / self.between / precision
        self.mean = centre + rng.standard_normal(centre.shape) / np.sqrt(precision)
        off = ((b - self.centre) ** 2).sum(axis=1)
        self.within = draw_inverse_gamma(rng, 1.0 + b.shape[1] / 2, 0.3 + 0.5 * off)
        off = ((self.means - self.mean[:, None]) ** 2).sum(axis=1)
        self.between = draw_inverse_gamma(rng, 1.0 + groups / 2, 0.3 + 0.5 * off)

    def state(self) -> dict[str, Array]:
        """Give what is kept of a draw."""
        return {
            "overall_mean": self.mean,
            "group_effects": self.means,
            "scenario_variance": self.within,
            "group_variance": self.between,
        }


class Loadings:
    r"""Of :math:`V_{jq} \sim N(m_{g(j)q} + f_{f(j)q}, \tau_q^2)`, see `factor.fit_factor`.

    The family means are left out where every column is a family of its own.
    """

    dims: ClassVar[dict[str, tuple[str, ...]]] = {
        "group_loadings": ("group", "factor"),
        "family_loadings": ("family", "factor"),
        "loading_variance": ("factor",),
        "group_loading_variance": ("factor",),
        "family_loading_variance": ("factor",),
    }

    def __init__(self, grid: Grid, chains: int, rank: int) -> None:
        self.groups, self.families = Levels(grid.group), Levels(grid.family)
        self.has_families = self.families.count < len(grid.columns)
        self.of_group = np.zeros((chains, self.groups.count, rank))
        self.of_family = np.zeros((chains, self.families.count, rank))
        self.within = np.full((chains, rank), 0.05)
        self.between_groups = np.full((chains, rank), 0.1)
        self.between_families = np.full((chains, rank), 0.02)

    @property
    def centre(self) -> Array:
        """Prior mean of each loading, shape (C, S, r)."""
        return np.asarray(
            self.of_group[:, self.groups.codes] + self.of_family[:, self.families.codes]
        )

    @property
    def variance(self) -> Array:
        """Prior variance of each loading, shape (C, S, r)."""
        return np.repeat(self.within[:, None], len(self.groups.codes), axis=1)

    def draw(self, rng: np.random.Generator, v: Array) -> None:
        """Draw means and variances given the loadings, shape (C, S, r)."""
        none = np.zeros_like(self.within)
        left = v - self.of_family[:, self.families.codes]
        self.of_group = self.groups.draw(rng, left, self.within, none, self.between_groups)
        if self.has_families:
            left = v - self.of_group[:, self.groups.codes]
            self.of_family = self.families.draw(rng, left, self.within, none, self.between_families)
            squares = (self.of_family**2).sum(axis=1)
            shape = 1.0 + self.families.count / 2
            self.between_families = draw_inverse_gamma(rng, shape, 0.01 + 0.5 * squares)
        squares = ((v - self.centre) ** 2).sum(axis=1)
        self.within = draw_inverse_gamma(rng, 1.0 + v.shape[1] / 2, 0.01 + 0.5 * squares)
        squares = (self.of_group**2).sum(axis=1)
        shape = 1.0 + self.groups.count / 2
        self.between_groups = draw_inverse_gamma(rng, shape, 0.05 + 0.5 * squares)

    def state(self) -> dict[str, Array]:
        """Give what is kept of a draw."""
        return {
            "group_loadings": self.of_group,
            "family_loadings": self.of_family,
            "loading_variance": self.within,
            "group_loading_variance": self.between_groups,
            "family_loading_variance": self.between_families,
        }


class ScenarioScales:
    r"""Of :math:`\log s_j \sim N(l_{g(j)}, \sigma_s^2)`, :math:`l_g \sim N(l, \sigma_l^2)`.

    :math:`l \sim N(-1.8, .7^2)`; :math:`\sigma_s^2, \sigma_l^2 \sim IG(2, .2)`.
    """

    dims: ClassVar[dict[str, tuple[str, ...]]] = {
        "mean_log_residual": (),
        "group_log_residual": ("group",),
        "log_residual_variance": (),
        "group_log_residual_variance": (),
    }

    def __init__(self, grid: Grid, chains: int) -> None:
        self.levels = Levels(grid.group)
        self.mean = np.full(chains, -1.8)
        self.means = np.full((chains, self.levels.count), -1.8)
        self.within = np.full(chains, 0.25)
        self.between = np.full(chains, 0.1)

    def log_density(self, log_s: Array) -> Array:
        """Give the log prior density of each log s_j, less a constant, shape (C, S)."""
        off = log_s - self.means[:, self.levels.codes]
        return np.asarray(-0.5 * off**2 / self.within[:, None])

    def draw(self, rng: np.random.Generator, log_s: Array) -> None:
        """Draw means and variances given the log scales, shape (C, S)."""
        groups = self.levels.count
        self.means = self.levels.draw(rng, log_s, self.within, self.mean, self.between)
        precision = groups / self.between + 1.0 / 0.49
        centre = (self.means.sum(axis=1) / self.between - 1.8 / 0.49) / precision
        self.mean = centre + rng.standard_normal(centre.shape) / np.sqrt(precision)
        off = ((log_s - self.means[:, self.levels.codes]) ** 2).sum(axis=1)
        self.within = draw_inverse_gamma(rng, 2.0 + log_s.shape[1] / 2, 0.2 + 0.5 * off)
        off = ((self.means - self.mean[:, None]) ** 2).sum(axis=1)
        self.between = draw_inverse_gamma(rng, 2.0 + groups / 2, 0.2 + 0.5 * off)

    def state(self) -> dict[str, Array]:
        """Give what is kept of a draw."""
        return {
            "mean_log_residual": self.mean,
            "group_log_residual": self.means,
            "log_residual_variance": self.within,
            "group_log_residual_variance": self.between,
        }


class ModelScales:
    r"""Of :math:`\log \omega_i \sim N(0, \sigma_\omega^2)`, with the variance IG(2, .15)."""

    dims: ClassVar[dict[str, tuple[str, ...]]] = {"model_residual_variance": ()}

    def __init__(self, chains: int) -> None:
        self.variance = np.full(chains, 0.1)

    def log_density(self, log_w: Array) -> Array:
        """Give the log prior density of each log scale, less a constant, shape (C, M)."""
        return np.asarray(-0.5 * log_w**2 / self.variance[:, None])

    def draw(self, rng: np.random.Generator, log_w: Array) -> None:
        """Draw the variance given the log scales, shape (C, M)."""
        squares = (log_w**2).sum(axis=1)
        self.variance = draw_inverse_gamma(rng, 2.0 + log_w.shape[1] / 2, 0.15 + 0.5 * squares)

    def state(self) -> dict[str, Array]:
        """Give what is kept of a draw."""
        return {"model_residual_variance": self.variance}
