"""The hyper-parameters of `predictors.profile`, learned from cells that foretell others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import digamma, expit, gammaln, logit

from hibayes.hierarchical.cells import Array, Grid
from predictors.common.agreement_kernels import AgreementKernels, without
from predictors.profile.gp import Amounts, Standard, closeness, scenario_covariance

__all__ = ["START", "START_ALONE", "learn"]

START = Amounts(0.5, 0.1, 0.05, 0.05, 0.05, 0.3, 0.5, 6.0)
"""Where the search begins, and the centres of the priors."""

START_ALONE = replace(START, shared=0.0, own=0.6, lineage=0.0, rest=0.1)
"""The same where no items are shared: models are then alike by their values alone."""

_SD = 1.0  # of the priors of the logarithms, and of the logit of `shrink`
_SD_DF = 0.5
_REACH = 4.0  # of the search, to both sides
_PARTS = 5  # a fifth of the cells is hidden at a time
_ENOUGH = 600  # hidden cells, from which on no further fifth is hidden
_FEWEST = 20  # cells, below which the start is kept
_STEPS = 12
_SHRINK, _DF = 6, 7  # places in Amounts


def learn(
    grid: Grid, tables: Mapping[int, Array] | None, seed: int, start: Amounts | None = None
) -> Amounts:
    r"""Find the amounts under which some train cells foretell the others best.

    A fifth of the cells is hidden, and of their responses too, so that the kernels, the columns'
    means, spreads and correlations know nothing of them. The amounts maximise

    .. math:: \sum_{h} \log t_\nu\Big(\frac{z_h - m_h}{s_h}\Big) - \log s_h
              - \tfrac12 \sum_p (\theta_p - \theta_{p0})^2 / \sigma_p^2

    over the hidden cells h, predicted by the others, with θ the logarithms (of `shrink` the
    logit). Further fifths are hidden in turn until 600 cells were.

    The likelihood of the train cells themselves would not do: kernels and correlations are made of
    the same cells, so it calls them exact.

    Parameters
    ----------
    grid : Grid
    tables : mapping of int to ndarray, shape (M, items), or None
        Responses by column.
    seed : int
        Of which cells are hidden.
    start : Amounts, optional
        Centre of the priors.

    Returns
    -------
    Amounts
    """
    if start is None:
        start = START if tables else START_ALONE
    cells = np.flatnonzero(grid.mask.ravel())
    if len(cells) < _FEWEST:
        return start
    dealt = np.full(grid.mask.size, -1)
    order = np.random.default_rng([seed, 11]).permutation(cells)
    dealt[order] = np.arange(len(cells)) % _PARTS
    part = dealt.reshape(grid.mask.shape)
    share = len(cells) / _PARTS
    rounds = min(_PARTS, int(np.ceil(_ENOUGH / share)))
    hidden = [_Hidden.of(grid, tables, part == p, start) for p in range(rounds)]
    centre = _inside(start)
    free = np.isfinite(centre)
    sd = np.full(len(centre), _SD)
    sd[_DF] = _SD_DF

    def loss(x: Array) -> tuple[float, Array]:
        at = centre.copy()
        at[free] = x
        off = (x - centre[free]) / sd[free]
        value, slope = -0.5 * float(off @ off), -off / sd[free]
        try:
            for one in hidden:
                gain, change = one.log_score(_outside(at))
                value += gain
                slope = slope + (change * _jacobian(at))[free]
        except np.linalg.LinAlgError:  # in single precision, far from the start
            return 1e6, np.zeros(len(x))
        return -value, -slope

    bounds = [(c - _REACH, c + _REACH) for c in centre[free]]
    found = minimize(
        loss, centre[free], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS}
    )
    at = centre.copy()
    at[free] = found.x
    return _outside(at)


@dataclass(frozen=True, eq=False)
class _Hidden:
    """Cells that are hidden, those that are not, and what the process needs to go between."""

    z: NDArray[np.float32]  # known cells, then hidden ones
    sampling: NDArray[np.float32]
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    known: int  # how many
    kernels: AgreementKernels
    scatter: Array
    usual: Array

    @classmethod
    def of(
        cls,
        grid: Grid,
        tables: Mapping[int, Array] | None,
        hide: NDArray[np.bool_],
        start: Amounts,
    ) -> _Hidden:
        hide = hide & grid.mask & (np.cumsum(grid.mask & ~hide, axis=0)[-1] > 0)
        less = replace(grid, y=np.where(hide, np.nan, grid.y))
        standard = Standard.of(less)
        seen = without(tables or {}, ~less.mask)
        kernels = AgreementKernels.of_tables(seen, len(grid.models))
        scatter = closeness(standard, kernels, grid.group, grid.family, start)
        _, usual = scenario_covariance(scatter, 0.0, grid.group, grid.family)
        row, column = standard.cells()
        hidden_column, hidden_row = np.nonzero(hide.T)
        row, column = np.append(row, hidden_row), np.append(column, hidden_column)
        z = ((grid.t - standard.mean) / standard.sd)[row, column]
        sampling = (grid.known_noise / standard.sd**2)[row, column]
        return cls(
            z.astype(np.float32),
            sampling.astype(np.float32),
            row,
            column,
            len(row) - len(hidden_row),
            kernels,
            scatter,
            usual,
        )

    def log_score(self, amounts: Amounts) -> tuple[float, Array]:
        """Give the hidden cells' log density, and its derivatives by the amounts themselves."""
        single = np.float32
        n, size = self.known, len(self.kernels.agreement)
        columns = (1 - amounts.shrink) * self.scatter + amounts.shrink * self.usual
        profile = amounts.shared * self.kernels.agreement + amounts.own * np.eye(size)
        within = amounts.lineage * self.kernels.lineage + amounts.level
        between = self._spread(columns, self.column)
        alike = self._spread(profile, self.row)
        k = between * alike
        for left, right in self._blocks:
            k[np.ix_(left, right)] += within[np.ix_(self.row[left], self.row[right])].astype(single)
        own = (amounts.rest + amounts.sampling * self.sampling).astype(single)
        k.flat[:: k.shape[1] + 1] += own[:n]
        factor = cholesky(k[:, :n], lower=True, check_finite=False)
        b = solve_triangular(factor, k[:, n:], lower=True, check_finite=False)
        u = solve_triangular(factor, self.z[:n], lower=True, check_finite=False)
        prior = (np.diag(profile) + np.diag(within))[self.row[n:]] + own[n:]
        variance = np.maximum(prior - np.einsum("ij,ij->j", b, b), 1e-4).astype(float)
        error = (self.z[n:] - b.T @ u).astype(float)
        value, by_mean, by_variance, by_df = _student(error, variance, amounts.df)
        # what the score says of each covariance: of known with known, and of known with hidden
        w = solve_triangular(factor, b, lower=True, trans=1, check_finite=False)
        alpha = solve_triangular(factor, u, lower=True, trans=1, check_finite=False)
        push, widen = by_mean.astype(single), by_variance.astype(single)
        told = np.empty_like(k)
        weighed = w * widen
        told[:, :n] = weighed @ w.T - np.outer(w @ push, alpha)
        told[:, n:] = np.outer(alpha, push) - 2 * weighed
        of_rows = self._gathered(told * between, self.row, size)
        of_columns = self._gathered(told * alike, self.column, len(columns))
        level = lineage = 0.0
        for left, right in self._blocks:
            block = told[np.ix_(left, right)]
            level += float(block.sum())
            c = self.kernels.lineage[np.ix_(self.row[left], self.row[right])]
            lineage += float((block * c).sum())
        whole = float(by_variance.sum())
        diagonal = np.append(np.diag(told[:, :n]), widen).astype(float)
        slope = [
            float((of_rows * self.kernels.agreement).sum()) + whole,
            float(np.trace(of_rows)) + whole,
            lineage + whole,
            level + whole,
            float(diagonal.sum()),
            float(diagonal @ self.sampling),
            float((of_columns * (self.usual - self.scatter)).sum()),
            by_df,
        ]
        return value, np.array(slope)

    def _spread(self, small: Array, index: NDArray[np.intp]) -> Any:
        """Give the small matrix for known cells by all cells."""
        return small.astype(np.float32)[np.ix_(index[: self.known], index)]

    def _gathered(self, told: Any, index: NDArray[np.intp], size: int) -> Array:
        """Sum over all cells of the same rows, or columns."""
        ones = np.ones(len(index), np.float32)
        place = csr_array((ones, (index, np.arange(len(index)))), (size, len(index)))
        known = place[:, : self.known]
        return np.asarray((place @ (known @ told).T).T, float)

    @cached_property
    def _blocks(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Give, for each column, its known cells and all its cells."""
        found = []
        for j in np.unique(self.column[: self.known]):
            cells = np.flatnonzero(self.column == j)
            found.append((cells[cells < self.known], cells))
        return found


def _student(error: Array, variance: Array, df: float) -> tuple[float, Array, Array, float]:
    """Give Student's log density of errors, and its derivatives by mean, variance and df."""
    q = error**2 / (variance * df)
    tail = (df + 1) / 2
    value = gammaln(tail) - gammaln(df / 2) - 0.5 * np.log(np.pi * df * variance)
    value = value - tail * np.log1p(q)
    pull = tail * q / (1 + q)
    by_mean = (df + 1) * error / (df * variance * (1 + q))
    by_variance = (pull - 0.5) / variance
    by_df = 0.5 * (digamma(tail) - digamma(df / 2) - 1 / df - np.log1p(q)) + pull / df
    return float(value.sum()), by_mean, by_variance, float(by_df.sum())


def _inside(amounts: Amounts) -> Array:
    """Give the amounts without bounds; minus infinity for what is not there."""
    at = np.array(astuple(amounts), float)
    out = np.log(at, out=np.full(len(at), -np.inf), where=at > 0)
    out[_SHRINK] = logit(at[_SHRINK])
    return out


def _outside(at: Array) -> Amounts:
    values = np.exp(at)
    values[_SHRINK] = expit(at[_SHRINK])
    return Amounts(*values.tolist())


def _jacobian(at: Array) -> Array:
    change = np.exp(at)
    change[_SHRINK] = expit(at[_SHRINK]) * expit(-at[_SHRINK])
    return change
