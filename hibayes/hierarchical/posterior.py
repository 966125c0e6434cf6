"""Posterior draws by name, with labelled axes, and the expected values they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hibayes.hierarchical.cells import Array, Grid, Index
from hibayes.hierarchical.gibbs import LEAST_VARIANCE, Schedule

__all__ = ["Posterior"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """What a sampler gives.

    Attributes
    ----------
    model : str
        ``crossed``, ``crossed_factor`` or ``crossed_factor_items``.
    grid : Grid
        What it was fitted to.
    phi : float
        The share of the binomial noise that a value has (see `factor.fit_factor`).
    schedule : Schedule
        How it was sampled.
    draws : dict of str to ndarray, shape (chain, draw, …)
        By name; those of the factors are known up to rotation only.
    dims : dict of str to tuple of str
        The axes of each after chain and draw: ``model``, ``scenario``, ``factor``, ``group`` ….
    stats : dict of str to float
        Acceptance of the Metropolis steps, the rank, what else the sampler says of itself.
    extra : dict of str to object
        What the sampler of items needs again: its kernels.
    """

    model: str
    grid: Grid
    phi: float
    schedule: Schedule
    draws: dict[str, Array]
    dims: dict[str, tuple[str, ...]]
    stats: dict[str, float] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def coords(self) -> dict[str, list[Any]]:
        """Labels of the axes, as ArviZ takes them."""
        labels: dict[str, list[Any]] = {
            "model": list(self.grid.models),
            "scenario": list(self.grid.labels),
        }
        for name, dims in self.dims.items():
            for axis, dim in enumerate(dims):
                labels.setdefault(dim, list(range(self.draws[name].shape[axis + 2])))
        return labels

    @property
    def size(self) -> int:
        """Draws of all chains together."""
        return self.schedule.chains * self.schedule.draws

    def flat(self, name: str, most: int | None = None) -> Array:
        """Give the draws of all chains one after the other, evenly thinned to at most `most`."""
        draws = self.draws[name]
        draws = draws.reshape(-1, *draws.shape[2:])
        return draws if most is None else draws[self.thinned(most)]

    def thinned(self, most: int) -> Index:
        """Say which of the draws `flat` keeps."""
        return np.linspace(0, self.size - 1, min(most, self.size)).round().astype(np.intp)

    def expected(self, rows: Index, columns: Index, most: int | None = None) -> Array:
        """Give the expected logit (without the cell's own residual) of cells, per draw.

        Parameters
        ----------
        rows, columns : ndarray of int, shape (T,)
            Cells of the grid.
        most : int, optional
            At most so many draws.

        Returns
        -------
        ndarray of float, shape (D, T)
        """
        eta = self.flat("scenario_effects", most)[:, columns]
        if "model_effects" in self.draws:
            eta = eta + self.flat("model_effects", most)[:, rows]
        if "factors" in self.draws:
            u, v = self.flat("factors", most), self.flat("loadings", most)
            eta = eta + np.einsum("dtq,dtq->dt", u[:, rows], v[:, columns])
        if "interaction" in self.draws:
            eta = eta + self.flat("interaction", most)[:, rows, columns]
        return np.asarray(eta)

    def residual_variance(self, rows: Index, columns: Index, most: int | None = None) -> Array:
        """Give the variance of the cells' residuals beyond the known noise, shape (D, T)."""
        log_sd = self.flat("log_residual", most)[:, columns]
        if "log_model_residual" in self.draws:
            log_sd = log_sd + self.flat("log_model_residual", most)[:, rows]
        return np.asarray(np.exp(2.0 * log_sd) + LEAST_VARIANCE)

    def unobserved(self) -> tuple[Index, Index]:
        """Give rows and columns of the cells without a value; of all cells where none is empty."""
        empty = ~self.grid.mask
        return np.nonzero(empty if empty.any() else np.ones_like(empty))  # type: ignore[return-value]
