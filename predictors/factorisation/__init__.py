"""A factorisation of scores, sampled by Gibbs sweeps: `docs/predictors/factorisation.md`.

Tables with holes are `table` → `sampler`, `widths`, with kernels of metadata; grids are
`gridded` → `members` → `grid`, `regressions`; `predictor` chooses between them.
"""

from predictors.factorisation.predictor import Factorisation

__all__ = ["Factorisation"]
