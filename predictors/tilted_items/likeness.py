"""What the levels of models that answer alike tell of a run's level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predictors.common.counts import Array
from predictors.tilted_items.pool import ModelPool

__all__ = ["LevelLikeness"]

_SHARES = (0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.995)


@dataclass(frozen=True, eq=False)
class LevelLikeness:
    r"""Surprises of models that answer other columns' items alike go together.

    With e how many standard deviations the runs of a column are off their levels' priors
    (`predictors.tilted_items.levels.LevelPriors.surprise`), and R the correlations of the models'
    centred responses to the items of all other columns,

    .. math:: e \sim N\big(0,\; s^2 (\kappa R + (1 - \kappa) I)\big)

    for every column, so that a held-out run is expected to be off its prior as its relatives are.

    Attributes
    ----------
    off : ndarray of float, shape (M, C)
        e, of all models; NaN where there is no run.
    share : float
        κ: of 0 to .995 the most likely one, with s.
    """

    off: Array
    share: float

    @classmethod
    def of(cls, off: Array, pool: ModelPool) -> LevelLikeness:
        """Learn κ from the models of a pool.

        Examples
        --------
        Models a and b answer alike, and c and d; so do their levels differ from what is usual.

        >>> from predictors.common.item_grid import ItemGrid
        >>> from predictors.tilted_items.signatures import Signatures
        >>> y = np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0],
        ...               [0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
        >>> grid = ItemGrid(list("abcd"), {}, ["s", "t", "u"], [], [y, y, y])
        >>> pool = ModelPool(grid, np.arange(4), Signatures.of(grid), ridge=1.0, floor=0.2)
        >>> off = np.outer([1.0, 1.1, -1.1, np.nan], [1.0, -1.0, 0.9])
        >>> likeness = LevelLikeness.of(off, pool)
        >>> likeness.share > 0.9, likeness.moved((0.0, 1.0), pool, 3, 0)[0] < -0.8
        (True, True)
        """
        blocks = []
        for column in range(off.shape[1]):
            e = off[pool.rows, column]
            at = np.flatnonzero(np.isfinite(e))
            if len(at) > 1:
                values, vectors = np.linalg.eigh(pool.alike(column)[np.ix_(at, at)])
                blocks.append((values, (vectors.T @ e[at]) ** 2))
        if not blocks:
            return cls(off, 0.0)
        found, size = [], sum(len(values) for values, _ in blocks)
        for share in _SHARES:
            each = [np.maximum(share * values + 1.0 - share, 1e-9) for values, _ in blocks]
            squares = sum(float(np.sum(p / v)) for v, (_, p) in zip(each, blocks, strict=True))
            log_det = sum(float(np.log(v).sum()) for v in each)
            found.append(-log_det - size * np.log(max(squares, 1e-9)))
        return cls(off, _SHARES[int(np.argmax(found))])

    def moved(
        self, prior: tuple[float, float], pool: ModelPool, model: int, column: int
    ) -> tuple[float, float]:
        """Give mean and standard deviation of a level, given the surprises of others' runs.

        Parameters
        ----------
        prior : (float, float)
            The same without them.
        pool : ModelPool
            The models that are asked, and the run's own.
        model : int
            The run's, of all models.
        column : int
        """
        own = pool.place(model)
        e = self.off[pool.rows, column]
        at = np.flatnonzero(np.isfinite(e) & (np.arange(len(e)) != own))
        if not self.share or not len(at):
            return prior
        alike = pool.alike(column)
        with_it = self.share * alike[at, own]
        weights = np.linalg.solve(self._covariance(alike[np.ix_(at, at)]), with_it)
        variance = max(1.0 - float(weights @ with_it), 1.0 - self.share)
        mean, sd = prior
        return mean + sd * float(weights @ e[at]), sd * float(np.sqrt(variance))

    def left_out(self, pool: ModelPool) -> Array:
        """Give how many standard deviations each run of a pool is off what others say of it.

        Returns
        -------
        ndarray of float, shape (M, C)
            NaN where there is no run, and of models that are not in the pool.
        """
        out = np.full(self.off.shape, np.nan)
        for column in range(self.off.shape[1]):
            e = self.off[pool.rows, column]
            at = np.flatnonzero(np.isfinite(e))
            inverse = np.linalg.inv(self._covariance(pool.alike(column)[np.ix_(at, at)]))
            out[pool.rows[at], column] = (inverse @ e[at]) / np.sqrt(np.diag(inverse))
        return out

    def _covariance(self, alike: Array) -> Array:
        return np.asarray(self.share * alike + (1.0 - self.share) * np.eye(len(alike)))
