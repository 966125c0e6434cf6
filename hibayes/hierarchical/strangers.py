"""How far a new model is from what the known ones say of it, learned by leaving known ones out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hibayes.hierarchical.cells import Array, Grid, Index
from hibayes.hierarchical.items import FACTOR_JITTER
from hibayes.hierarchical.kernels import Answers, weigh
from hibayes.hierarchical.posterior import Posterior

__all__ = ["LEAST_SHARE", "Stranger", "rehearse"]

LEAST_SHARE = 0.08
"""Of a new model's factors, the least share of their variance that its relatives leave open."""

_FEW = 5  # organisations; with fewer, models are left out one by one
_MOST = 100  # models that are left out, at most


@dataclass(frozen=True, eq=False)
class Stranger:
    r"""What is to be expected of a new model's factors beside what its kernel row says.

    Attributes
    ----------
    shift : ndarray, shape (D, r)
        Mean of :math:`u - a'U`.
    spread : ndarray, shape (D, r, r)
        Covariance of the same about the shift, in units of the conditional variance
        :math:`1 - k'a`.
    """

    shift: Array
    spread: Array


def rehearse(
    posterior: Posterior,
    answers: Answers | None,
    shown: int,
    most: int,
    seed: int = 0,
    *,
    alone: bool = False,
) -> Stranger:
    r"""Let known models play the stranger, organisation by organisation.

    All models of an organisation are left out together. Each of them is then known by as many of
    its responses, drawn at random, as are shown of the new model; they give it a kernel row k to
    the other models, and :math:`a = K^{-1} k`. What its factors are off by, under each draw, is
    :math:`r_i = U_i - a_i' U`. With the weight 1 of each of the n organisations shared by its
    models,

    .. math::

        m = \frac{\sum w_i r_i}{n + q}, \qquad
        W = \frac{\sum w_i (r_i - m)(r_i - m)' / (1 - k_i'a_i) + q I}{n + q}

    so that the model's own statement, 0 and I, counts as much as q organisations, q the number of
    factors. Without item kernels a = 0 and k'a = 0.

    Parameters
    ----------
    posterior : Posterior
        Of a model with factors.
    answers : Answers or None
        Item responses of the train runs, of the model with item kernels.
    shown : int
        Shown responses of the new model, in all.
    most : int
        At most so many draws.
    seed : int
        Of the responses that the known models are known by.
    alone : bool
        Leave models out one by one, for a new model whose organisation is known.

    Returns
    -------
    Stranger

    Notes
    -----
    Nothing is refitted: the draws of the known models' factors, and the loadings that give them
    their meaning, were made with all organisations there. With fewer than 5 organisations models
    are left out one by one; of more than 100 models every so many are.
    """
    grid, rank = posterior.grid, posterior.draws["factors"].shape[-1]
    u = posterior.flat("factors", most)
    rng = np.random.default_rng([seed, 9, shown])
    shift, weight, cases = np.zeros((len(u), rank)), 0.0, []
    for members, rest in _left_out(grid, alone):
        if answers is not None:
            kernels = posterior.extra["kernels"].among(rest)
            tables = {j: table[rest] for j, table in answers.tables.items()}
        for i in members:
            expected, share = np.zeros((len(u), rank)), 1.0
            if answers is not None:
                row = kernels.row_of(tables, _known_by(rng, answers, i, shown)).factors
                a, share = weigh(kernels.factors, row, FACTOR_JITTER)
                expected = np.einsum("m,dmr->dr", a, u[:, rest])
                share = max(share, LEAST_SHARE)
            off = u[:, i] - expected
            shift += off / len(members)
            cases.append((off, len(members) * share))
        weight += 1.0
    shift /= weight + rank
    spread = np.tile(float(rank) * np.eye(rank), (len(u), 1, 1))
    for off, unit in cases:
        spread += (off - shift)[:, :, None] * (off - shift)[:, None, :] / unit
    return Stranger(shift, spread / (weight + rank))


def _left_out(grid: Grid, alone: bool) -> Iterator[tuple[Index, Index]]:
    """Say which models are left out together, and which are there then."""
    count = len(grid.models)
    together = not alone and grid.maker.max() + 1 >= _FEW
    maker = grid.maker if together else np.arange(count)
    chosen = np.zeros(count, bool)
    chosen[np.linspace(0, count - 1, min(count, _MOST)).round().astype(int)] = True
    for one in np.unique(maker):
        members = np.flatnonzero((maker == one) & chosen)
        if len(members):
            yield members, np.flatnonzero(maker != one)


def _known_by(rng: np.random.Generator, answers: Answers, row: int, shown: int) -> dict[int, Array]:
    """Draw responses of a known model, by column; NaN where one is not drawn."""
    there = {j: np.flatnonzero(np.isfinite(table[row])) for j, table in answers.tables.items()}
    column = np.concatenate([np.full(len(at), j) for j, at in there.items()])
    place = np.concatenate(list(there.values()))
    drawn = rng.permutation(len(place))[:shown]
    found: dict[int, Array] = {}
    for j, table in answers.tables.items():
        at = place[drawn[column[drawn] == j]]
        if len(at):
            found[j] = np.full(table.shape[1], np.nan)
            found[j][at] = table[row, at]
    return found
