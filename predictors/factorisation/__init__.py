"""A factorisation of scores, sampled by Gibbs sweeps: `docs/predictors/factorisation.md`.

Sparse tables are `table` → `sampler`, `widths`, with kernels of metadata; grids with responses are
`members` → `grid`; `predictor` chooses between them.
"""

from predictors.factorisation.predictor import Factorisation

__all__ = ["Factorisation"]
