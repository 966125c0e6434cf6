"""From a posterior to distributions of run values, known cells and new levels alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from hibayes.hierarchical.cells import Array, Index, from_logit, noise
from hibayes.hierarchical.kernels import Answers, KernelRow
from hibayes.hierarchical.levels import known_columns, new_column, new_columns, new_row
from hibayes.hierarchical.posterior import Posterior
from hibayes.hierarchical.predictive import cell_pmf, mixture_pmf, steps_of
from hibayes.hierarchical.sites import Site, Updated, binomial_site, item_site, update
from hibayes.hierarchical.spreads import column_scale
from hibayes.hierarchical.strangers import Stranger, rehearse
from hibayes.hierarchical.update import item_logits, log_item_likelihood, log_value_likelihood

__all__ = ["Evidence", "Forecast", "Forecaster"]

CELL_DRAWS = 400
"""Draws that a known cell's distribution is made of, at most."""

LEVEL_DRAWS = 100
"""Draws that a new model's or column's distributions are made of, at most."""

_TAIL = 8.0  # degrees of freedom for new levels, whose spread is less well known
_PASSES = 2  # of a new model's items, whose logits depend on what is expected of it
_LENGTH = 0.15  # of the lineage kernel of a new model, whose lineage is estimated
_DIGITS = 2  # of the number of shown responses that a stranger is rehearsed with


Items: TypeAlias = tuple[Array, NDArray[np.bool_], Array]
"""Of all items of a run: logits, which are shown, which of these are right."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is shown of a run.

    Attributes
    ----------
    n : int
        Trials that its value counts; 0 where the value is no count.
    k : int
        Shown items.
    total, squares : float
        Sum of their values in [0, 1] (successes of a count), and of squares about their mean.
    size : int
        Items in all, where the value is no count; 0 where unknown.
    items : sequence of str
        All items of the run; empty where unknown.
    given : mapping of str to float
        Item → shown value.
    """

    n: int
    k: int = 0
    total: float = 0.0
    squares: float = 0.0
    size: int = 0
    items: Sequence[str] = ()
    given: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Forecast:
    """The distribution of one value.

    Attributes
    ----------
    pmf : ndarray, shape (steps + 1,)
        Of a count 0..n, or on equal steps of [0, 1].
    order : ndarray, shape (D,)
        Draws of its latent value, one for each draw of the same latent world: their ranks over
        several forecasts are the dependence of these.
    """

    pmf: Array
    order: Array

    def sample(self) -> Array:
        """Give one value per draw: quantiles of the distribution, in the order of the draws.

        References
        ----------
        Clark et al., "The Schaake shuffle", Journal of Hydrometeorology 5 (2004).

        Examples
        --------
        >>> Forecast(np.array([0.5, 0.0, 0.5]), np.array([3.0, 1.0])).sample().tolist()
        [1.0, 0.0]
        """
        steps = len(self.pmf) - 1
        rank = np.argsort(np.argsort(self.order, kind="stable"), kind="stable")
        cumulative = np.cumsum(self.pmf)
        level = (rank + 0.5) / len(rank) * cumulative[-1]
        return np.asarray(np.minimum(np.searchsorted(cumulative, level), steps) / steps)

    def quantiles(self, levels: Sequence[float]) -> Array:
        """Give quantiles of a value that is no count, each step's mass spread over the step."""
        steps = len(self.pmf) - 1
        edges = np.concatenate(([0.0], (np.arange(steps) + 0.5) / steps, [1.0]))
        values = np.interp(levels, np.concatenate(([0.0], np.cumsum(self.pmf))), edges)
        return np.asarray(np.maximum.accumulate(values))


class Forecaster:
    """Predicts by one posterior; what does not depend on what is shown is computed once.

    Parameters
    ----------
    posterior : Posterior
    answers : Answers, optional
        Item responses of the train runs, of the model with item kernels.
    seed : int
        Of what is drawn for new columns and for the order of draws.
    """

    def __init__(self, posterior: Posterior, answers: Answers | None = None, seed: int = 0) -> None:
        self.posterior, self.seed = posterior, seed
        self.answers = answers if posterior.model == "crossed_factor_items" else None
        self._cells: dict[tuple[int, int, int], tuple[Array, float, Array]] = {}
        self._logits: dict[tuple[int, int], Array] = {}
        self._strangers: dict[tuple[int, bool], Stranger] = {}

    # -- models and columns of the grid ----------------------------------------------------------

    def cells(self, rows: Index, columns: Index, shown: Sequence[Evidence]) -> list[Forecast]:
        """Predict cells of the grid, each updated by its own shown responses.

        Of a count, the likelihood of the shown responses is conditional Bernoulli where they are
        known item by item and others' answers are too (`update.log_item_likelihood`), else
        hypergeometric; both are exact for a random sample without return.
        """
        keys = [(int(i), int(j), told.n) for i, j, told in zip(rows, columns, shown, strict=True)]
        new = sorted(set(keys) - self._cells.keys())
        if new:
            i, j, n = np.array(new, np.intp).T
            pmf, expected = cell_pmf(self.posterior, i, j, n, CELL_DRAWS)
            eta = self.posterior.expected(i, j, CELL_DRAWS)
            sd = np.sqrt(self.posterior.residual_variance(i, j, CELL_DRAWS))
            for k, key in enumerate(new):
                rng = np.random.default_rng([self.seed, 7, *key])
                order = eta[:, k] + sd[:, k] * rng.standard_normal(len(eta))
                self._cells[key] = (pmf[k], float(expected[k]), order)
        forecasts = []
        for key, told in zip(keys, shown, strict=True):
            prior, expected_logit, order = self._cells[key]
            likelihood = self._log_likelihood(key[0], key[1], told, prior, expected_logit)
            forecasts.append(Forecast(_times(prior, likelihood), order))
        return forecasts

    def _log_likelihood(
        self, i: int, j: int, told: Evidence, prior: Array, expected: float
    ) -> Array | None:
        if told.k == 0:
            return None
        if not told.n:
            return _value_likelihood(told, prior)
        items = None
        if self._is_itemised(j, told):
            items = self._along_run(j, told, self._item_logits(i, j, expected))
        return _count_likelihood(told, items)

    def _is_itemised(self, j: int | None, told: Evidence) -> bool:
        """Say whether a run's items are known one by one, with others' answers to them."""
        return (
            self.answers is not None
            and j in self.answers.tables
            and len(told.items) == told.n
            and len(told.given) == told.k
            and set(told.given) <= set(told.items)
            and all(value in (0.0, 1.0) for value in told.given.values())
        )

    def _along_run(self, j: int, told: Evidence, logits: Array) -> Items:
        """Arrange what is known of a run's items in the run's own order."""
        assert self.answers is not None
        places = self.answers.items[j]
        at = np.array([places.get(item, -1) for item in told.items], np.intp)
        usual = float(np.mean(logits))  # of an item that no train run has
        full = np.where(at >= 0, logits[at], usual)
        is_shown = np.array([item in told.given for item in told.items])
        right = np.array([told.given.get(item, 0.0) for item in told.items])
        return full, is_shown, right

    def _item_logits(self, i: int, j: int, expected: float) -> Array:
        if (i, j) not in self._logits:
            assert self.answers is not None
            grid = self.posterior.grid
            mean, spread = column_scale(grid)
            others = np.flatnonzero(grid.mask[:, j])
            others = others[others != i]
            level = (grid.t[others, j] - mean[j]) / spread[j]
            lineage = self.posterior.extra["kernels"].lineage[i, others]
            z = (expected - mean[j]) / spread[j]
            self._logits[i, j] = item_logits(self.answers.tables[j][others], lineage, level, z)
        return self._logits[i, j]

    # -- new levels ------------------------------------------------------------------------------

    def new_column(
        self, rows: Index, group: int | None, shown: Sequence[Evidence]
    ) -> list[Forecast]:
        """Predict known models on a column that the grid does not have, all told by all shown.

        Parameters
        ----------
        rows : ndarray of int, shape (J,)
            Models of the grid.
        group : int or None
            Number of the column's group in the grid.
        shown : sequence of Evidence, length J
        """
        mean, covariance = new_column(self.posterior, rows, group, LEVEL_DRAWS)
        after = update(mean, covariance, [_binomial(told) for told in shown])
        return self._level(after, shown, [None] * len(shown))

    def new_row(
        self,
        columns: Sequence[int | None],
        groups: Sequence[int | None],
        maker: int | None,
        shown: Sequence[Evidence],
    ) -> list[Forecast]:
        """Predict a model that the grid does not have, on all its columns together.

        Parameters
        ----------
        columns : sequence of int or None, length J
            Places in the grid; None for columns that it does not have either.
        groups : sequence of int or None, length J
            Numbers of the columns' groups in the grid; read for new columns.
        maker : int or None
            Number of the model's organisation in the grid.
        shown : sequence of Evidence, length J
        """
        at = np.array([0 if j is None else j for j in columns], np.intp)
        parameters = known_columns(self.posterior, at, LEVEL_DRAWS)
        strange = [place for place, j in enumerate(columns) if j is None]
        if strange:
            rng = np.random.default_rng([self.seed, 5])
            wanted = [groups[place] for place in strange]
            drawn = new_columns(self.posterior, wanted, LEVEL_DRAWS, rng)
            parameters = parameters.replaced(strange, drawn)
        row: KernelRow | None = None
        told_of = 0  # items that kernels are estimated from
        if self.answers is not None:
            seen = {
                j: _along(told.given, self.answers.items[j])
                for j, told in zip(columns, shown, strict=True)
                if j is not None and j in self.answers.items
            }
            row = self.posterior.extra["kernels"].row_of(self.answers.tables, seen)
            told_of = sum(int(np.isfinite(values).sum()) for values in seen.values())
        mean, covariance = new_row(
            self.posterior,
            parameters,
            LEVEL_DRAWS,
            columns=list(columns),
            maker=maker,
            row=row,
            stranger=self._stranger(told_of, maker is not None),
        )
        items: list[Items | None] = [None] * len(shown)
        sites = [_binomial(told) for told in shown]
        if row is None or not any(map(self._is_itemised, columns, shown)):
            return self._level(update(mean, covariance, sites), shown, items)
        after = update(mean, covariance, [None] * len(shown))
        for _ in range(_PASSES):
            items = self._row_items(columns, shown, row, after)
            sites = [item_site(*of) if of else s for of, s in zip(items, sites, strict=True)]
            after = update(mean, covariance, sites)
        return self._level(after, shown, items)

    def _stranger(self, shown: int, alone: bool) -> Stranger | None:
        """Give what is learned of strangers that as much is shown of."""
        if "factors" not in self.posterior.draws:
            return None
        key = int(float(f"{shown:.{_DIGITS}g}")), alone
        if key not in self._strangers:
            self._strangers[key] = rehearse(
                self.posterior, self.answers, key[0], LEVEL_DRAWS, self.seed, alone=alone
            )
        return self._strangers[key]

    def _row_items(
        self,
        columns: Sequence[int | None],
        shown: Sequence[Evidence],
        row: KernelRow,
        after: Updated,
    ) -> list[Items | None]:
        """Say how hard a new model's shown items are for it, as far as its level is known."""
        assert self.answers is not None
        grid = self.posterior.grid
        centre, unit = column_scale(grid)
        expected, variance = after.overall()
        found: list[Items | None] = [None] * len(shown)
        for place, (j, told) in enumerate(zip(columns, shown, strict=True)):
            if j is None or not told.k or not self._is_itemised(j, told):
                continue
            others = np.flatnonzero(grid.mask[:, j])
            logits = item_logits(
                self.answers.tables[j][others],
                row.lineage[others],
                (grid.t[others, j] - centre[j]) / unit[j],
                (expected[place] - centre[j]) / unit[j],
                spread=float(np.sqrt(variance[place])) / unit[j],
                length=_LENGTH,
            )
            found[place] = self._along_run(j, told, logits)
        return found

    def _level(
        self, after: Updated, shown: Sequence[Evidence], items: Sequence[Items | None]
    ) -> list[Forecast]:
        """Predict each run by what is shown of the others, and update it by its own."""
        rng = np.random.default_rng([self.seed, 6])
        order = after.sample(rng, min(CELL_DRAWS, self.posterior.size))
        centres, variances = after.without_own()
        forecasts = []
        for place, told in enumerate(shown):
            centre, variance = centres[:, place], variances[:, place]
            sd = np.sqrt(variance + self.posterior.phi * noise(from_logit(centre), told.n))
            prior = mixture_pmf(steps_of(told.n), centre, sd, after.weights, df=_TAIL)
            if not told.k:
                likelihood = None
            elif told.n:
                likelihood = _count_likelihood(told, items[place])
            else:
                likelihood = _value_likelihood(told, prior)
            forecasts.append(Forecast(_times(prior, likelihood), order[:, place]))
        return forecasts


def _binomial(told: Evidence) -> Site | None:
    if not told.k:
        return None
    return binomial_site(float(told.k), float(np.clip(told.total, 0.0, told.k)))


def _count_likelihood(told: Evidence, items: Items | None) -> Array:
    """Give the log likelihood of a count by its shown responses; of their items, where known."""
    if items is not None:
        return log_item_likelihood(*items)
    k = min(told.k, told.n)
    return log_hypergeometric(told.n, min(int(told.total), k), k)


def _value_likelihood(told: Evidence, prior: Array) -> Array:
    """Give the log likelihood of a value that is no count."""
    steps = len(prior) - 1
    mean = float(prior @ np.arange(steps + 1)) / steps
    return log_value_likelihood(steps, mean, told.k, told.total, told.squares, told.size)


def log_hypergeometric(n: int, h: int, k: int) -> Array:
    """Give the log probability of h successes in k draws without return, for each count of n.

    Up to a constant; minus infinity at counts that are not possible.

    Examples
    --------
    >>> likelihood = np.exp(log_hypergeometric(4, 1, 2))
    >>> (likelihood / likelihood.max()).round(3).tolist()
    [0.0, 0.75, 1.0, 0.75, 0.0]
    """
    c = np.arange(n + 1.0)
    possible = (c >= h) & (n - c >= k - h)
    left = np.where(possible, c - h, 0.0)
    missed = np.where(possible, n - c - (k - h), 0.0)
    log_p = gammaln(c + 1.0) - gammaln(left + 1.0) + gammaln(n - c + 1.0) - gammaln(missed + 1.0)
    return np.where(possible, log_p, -np.inf)


def _along(given: Mapping[str, float], places: Mapping[str, int]) -> NDArray[np.float64]:
    """Give shown values at the places of a column's items; NaN elsewhere."""
    out = np.full(len(places), np.nan)
    for item, value in given.items():
        if item in places:
            out[places[item]] = value
    return out


def _times(prior: Array, log_likelihood: Array | None) -> Array:
    """Multiply a pmf by a likelihood, where there is one that any count can have."""
    if log_likelihood is None or not np.isfinite(log_likelihood).any():
        return prior
    log_p = np.log(np.maximum(prior, 1e-300)) + log_likelihood
    pmf = np.exp(log_p - log_p.max())
    return np.asarray(pmf / pmf.sum())
