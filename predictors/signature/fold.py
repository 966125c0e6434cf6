"""What a train split teaches `Signature`, and what it says of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.special import expit, logit

from hibayes.hierarchical.cells import Grid, Index
from hibayes.hierarchical.forecast import Evidence
from hibayes.hierarchical.kernels import Answers
from predictors.additive_logit import MIN_SQUASHED_SD
from predictors.common.counts import Array, squash
from predictors.common.shown_items import ItemsOfRun
from predictors.signature.features import Features, Scale
from predictors.signature.regression import Regression, learn
from predictors.tilted_items.tilt import shifts

__all__ = ["Fold", "Foretold", "Known"]

_LEAST_MODELS = 3  # with a run in the column: fewer say nothing of what goes with what
_CENTRE = (0.3, 0.3, 0.2, 0.2)  # of the amounts and the noise, in variances of a column
_VAGUE, _NEAR = 2.0, 1.0  # prior sd of the logarithms, and around what all columns share
_SCALES = (0.3, 0.5, 0.7, 0.85, 1.0, 1.2)
_SOME_COLUMNS, _SOME_MODELS = 12, 8  # whose known runs the scale of logits is chosen by
_STRANGE = 10.0  # runs that the usual surprise by a new organisation counts as
_ENDS = (0.02, 0.98)


@dataclass(frozen=True, eq=False)
class Foretold:
    """What is said of a run before its own shown responses.

    Attributes
    ----------
    mean, sd : float
        Of the value, on the scale of `predictors.common.counts.squash`.
    items : ItemsOfRun or None
        How hard each item is for the model; None where that is not known, or nothing is shown.
    """

    mean: float
    sd: float
    items: ItemsOfRun | None = None


@dataclass(eq=False)
class Fold:
    """Values and responses of a train split.

    Parameters
    ----------
    grid : Grid
    answers : Answers
    most_models : int
        That a regression is made on: of more, those that answer most like the target's.

    Attributes
    ----------
    tables : dict of int to ndarray of float, shape (M, I)
        By column: standardised responses.
    seen : ndarray of bool, shape (M, S)
        Which model has responses in which column.
    z : ndarray of float, shape (M, S)
        The values as `squash` gives them; NaN where there is none.
    amounts : Amounts
    """

    grid: Grid
    answers: Answers
    most_models: int
    _pools: dict[int, Pool] = field(init=False, default_factory=dict)
    _regressed: dict[int, dict[int, Regressed | None]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.scales = {c: Scale(table) for c, table in self.answers.tables.items()}
        self.tables = {c: self.scales[c](table) for c, table in self.answers.tables.items()}
        self.seen = np.zeros(self.grid.y.shape, bool)
        for c, table in self.answers.tables.items():
            self.seen[:, c] = np.isfinite(table).any(axis=1)
        self.z = squash(np.clip(self.grid.y, 0.0, 1.0))
        size = len(self.grid.models)
        rows = np.linspace(0, size - 1, min(size, self.most_models)).round().astype(np.intp)
        self.base = Pool(self, rows, self._features(rows))
        self.amounts = Amounts(self)

    def of_model(self, row: int) -> Known | None:
        """Give what is known of a model by its runs; None where it has no responses."""
        columns = np.flatnonzero(self.seen[row]).tolist()
        if not columns:
            return None
        done = self._regressed.setdefault(row, {})
        return Known(self, columns, lambda: self._placed(row, columns), done=done)

    def of_base(self, place: int, columns: list[int]) -> Known:
        """Give what is known by some columns of a model of `base`, by its place there."""
        return Known(self, columns, lambda: (self.base, place))

    def of_shown(self, shown: Mapping[int, Evidence], is_strange: bool) -> Known:
        """Give what is known of a model by shown responses alone, by column.

        A strange model is of an organisation without train runs.
        """
        parts: dict[int, tuple[Index, Array]] = {}
        for c in sorted(shown.keys() & self.answers.items.keys()):
            places = self.answers.items[c]
            found = sorted((places[i], y) for i, y in shown[c].given.items() if i in places)
            if found:
                at = np.array([place for place, _ in found], np.intp)
                parts[c] = at, self.scales[c](np.array([[y for _, y in found]]), at)
        towards = [self.tables[c][:, at] @ e[0] for c, (at, e) in parts.items()]
        rows = self._nearest(np.sum(towards, axis=0)) if towards else self.base.rows
        tables = {
            c: np.vstack([self.tables[c][np.ix_(rows, at)], e]) for c, (at, e) in parts.items()
        }
        own = np.isin(np.arange(len(self.grid.columns)), list(parts))
        features = Features(tables, np.vstack([self.seen[rows], own]))
        pool = Pool(self, rows, features)
        return Known(self, sorted(parts), lambda: (pool, len(rows)), True, is_strange)

    def near(self, column: int, columns: Iterable[int]) -> tuple[list[int], list[int], bool]:
        """Give the columns that a column is regressed on, the near ones, and their kind.

        Near are the scenario's own under another condition, metric or perturbation, where there
        are any; else those of its scenario group.
        """
        others = [c for c in columns if c != column]
        labels = self.grid.columns
        same = [c for c in others if labels[c][0] == labels[column][0]]
        if same:
            return others, same, True
        group = self.grid.group
        return others, [c for c in others if group[c] == group[column]], False

    def logits(self, column: int, rows: Index, weights: Array) -> Array:
        r"""Predict a model's responses as its value is predicted, before they are scaled.

        .. math:: p_t = \sum_i w_i x_{it} + \Big(1 - \sum_i w_i\Big) \bar x_t

        Parameters
        ----------
        column : int
            With responses.
        rows : ndarray of int, shape (n,)
            Models of the grid.
        weights : ndarray of float, shape (n,)
            w, with which their values predict the model's.

        Returns
        -------
        ndarray of float, shape (I,)
            Logits of p, which is kept inside [.02, .98].
        """
        table = self.answers.tables[column][rows]
        there = np.isfinite(table)
        usual = (np.where(there, table, 0.0).sum(axis=0) + 0.5) / (there.sum(axis=0) + 1.0)
        p = weights @ np.where(there, table, usual) + (1.0 - weights.sum()) * usual
        return np.asarray(logit(np.clip(p, *_ENDS)))

    @cached_property
    def sharpness(self) -> float:
        """What logits are multiplied by.

        That with which responses of known runs would have been foretold best by the others', in
        log loss, the runs' means being known.
        """
        losses = np.zeros(len(_SCALES))
        for j in _some(sorted(self.tables), _SOME_COLUMNS):
            for x, g in self._rehearsed(j, _SOME_MODELS):
                if not 0.0 < x.mean() < 1.0:
                    continue
                level = logit(np.clip(x.mean(keepdims=True), 0.01, 0.99))
                for s, scale in enumerate(_SCALES):
                    p = np.clip(expit(scale * g + shifts(scale * g, level)[0]), 1e-6, 1 - 1e-6)
                    losses[s] -= float(np.mean(x * np.log(p) + (1 - x) * np.log1p(-p)))
        return _SCALES[int(np.argmin(losses))] if losses.any() else 1.0

    def dispersion(self, column: int) -> float:
        """Give φ of a column, by moments: 1 for values 0 and 1."""
        if column not in self._dispersions:
            squares, whole = 0.0, 0.0
            for x, g in self._rehearsed(column, _SOME_MODELS):
                g = self.sharpness * g
                p = expit(g + shifts(g, logit(np.clip(x.mean(keepdims=True), *_ENDS)))[0])
                squares += float(np.sum((x - p) ** 2))
                whole += float(np.sum(p * (1 - p)))
            self._dispersions[column] = float(np.clip(squares / whole, 0.01, 1)) if whole else 1.0
        return self._dispersions[column]

    @cached_property
    def _dispersions(self) -> dict[int, float]:
        return {}

    def _rehearsed(self, column: int, most: int) -> Iterable[tuple[Array, Array]]:
        """Give the responses of some known runs, and their logits as the others foretell them."""
        z = self.z[self.base.rows, column]
        at = np.flatnonzero(np.isfinite(z))
        if len(at) < _LEAST_MODELS:
            return
        regression = self.amounts.regression(column, has_same=False)
        assert regression is not None
        weights = regression.others(self.amounts.of(column, has_same=False))
        for i in _some(range(len(at)), most):
            rows = self.base.rows[at]
            x, others = self.answers.tables[column][rows[i]], np.arange(len(at)) != i
            there = np.isfinite(x)
            if there.any():
                yield x[there], self.logits(column, rows[others], weights[i, others])[there]

    def _placed(self, row: int, columns: Sequence[int]) -> tuple[Pool, int]:
        """Give the models that a model is regressed on with it, and its place among them."""
        if len(self.grid.models) <= self.most_models:
            return self.base, row
        if row not in self._pools:
            towards = [self.tables[c] @ self.tables[c][row] for c in columns]
            rows = self._nearest(np.sum(towards, axis=0), keep=row)
            self._pools = {row: Pool(self, rows, self._features(rows))}  # the last: they are large
        pool = self._pools[row]
        return pool, int(np.searchsorted(pool.rows, row))

    def _features(self, rows: Index) -> Features:
        tables = {c: e[rows] for c, e in self.tables.items()}
        return Features(tables, self.seen[rows])

    def _nearest(self, towards: Array, keep: int | None = None) -> Index:
        if len(towards) <= self.most_models:
            return np.arange(len(towards))
        squares = [np.einsum("mi,mi->m", e, e) for e in self.tables.values()]
        likeness = towards / np.sqrt(np.sum(squares, axis=0) + 1e-9)
        if keep is not None:
            likeness[keep] = np.inf
        return np.sort(np.argsort(-likeness, kind="stable")[: self.most_models])


@dataclass(eq=False)
class Pool:
    """Some models of a fold and products of their responses; a new model's may be the last."""

    fold: Fold
    rows: Index
    features: Features

    def regression(self, column: int, kernels: Array) -> tuple[Regression, Index]:
        """Give the regression of a column's values, and its models' places in the pool."""
        z = self.fold.z[self.rows, column]
        at = np.flatnonzero(np.isfinite(z))
        return Regression(kernels[:, at[:, None], at], z[at]), at


class Amounts:
    """The amounts of each column's regression, learned by the evidence on a fold's models.

    Their logarithms are normal around those that all columns share.
    """

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._of: dict[tuple[int, bool], Array] = {}
        self._shared: dict[bool, Array] = {}
        self._made: dict[tuple[int, bool], Regression | None] = {}

    def of(self, column: int, has_same: bool) -> Array:
        """Give those of a column: of the kernels of `Features.kernels`, and of the noise.

        Parameters
        ----------
        column : int
        has_same : bool
            Whether the target's model has runs of the same scenario in other columns.
        """
        key = column, has_same
        if key not in self._of:
            made = self.regression(column, has_same)
            centre = self._centre(has_same)
            self._of[key] = centre if made is None else learn([made], centre, _NEAR)
        return self._of[key]

    def regression(self, column: int, has_same: bool) -> Regression | None:
        """Give the regression that they are learned from; None where too few models are there."""
        key = column, has_same
        if key not in self._made:
            fold, features = self._fold, self._fold.base.features
            others, near, same = fold.near(column, features.columns)
            if same and not has_same:  # as for a target that has none of them
                others, near, same = fold.near(column, [c for c in others if c not in near])
            made, at = fold.base.regression(column, features.kernels(others, near))
            usable = same == has_same and len(at) >= _LEAST_MODELS
            self._made[key] = made if usable else None
        return self._made[key]

    def _centre(self, has_same: bool) -> Array:
        if has_same not in self._shared:
            fold = self._fold
            made = [self.regression(j, has_same) for j in range(fold.z.shape[1])]
            found = [regression for regression in made if regression is not None]
            squares = [float(np.var(r.z)) for r in found]
            scale = max(float(np.mean(squares)) if squares else 1.0, 1e-3)
            self._shared[has_same] = learn(found, np.log(np.array(_CENTRE) * scale), _VAGUE)
        return self._shared[has_same]


@dataclass(frozen=True, eq=False)
class Regressed:
    """What a column's regression says of a model's value.

    Attributes
    ----------
    mean, variance : float
        On the scale of `predictors.common.counts.squash`.
    rows : ndarray of int, shape (n,)
        Models of the grid whose values predict it.
    weights : ndarray of float, shape (n,)
    """

    mean: float
    variance: float
    rows: Index
    weights: Array


@dataclass(eq=False)
class Known:
    """What is known of a model: a row of a pool, and the columns of its responses.

    The pool is made when it is needed; what was found is kept in `done`, by column.
    """

    fold: Fold
    columns: list[int]
    placed: Callable[[], tuple[Pool, int]]
    is_new: bool = False
    is_strange: bool = False  # no train run is of its organisation
    done: dict[int, Regressed | None] = field(default_factory=dict)

    def ask(self, column: int, told: Evidence) -> Foretold | None:
        """Say what a run's value will be; None where too few models have a run of the column."""
        fold = self.fold
        if column not in self.done:
            self.done[column] = self._regress(column)
        said = self.done[column]
        if said is None:
            return None
        items = None
        if told.k and column in fold.tables:
            logits = fold.sharpness * fold.logits(column, said.rows, said.weights)
            phi = 1.0 if told.n else fold.dispersion(column)
            items = ItemsOfRun.of(told, fold.answers.items[column], logits, phi)
        return Foretold(said.mean, max(float(np.sqrt(said.variance)), MIN_SQUASHED_SD), items)

    def _regress(self, column: int) -> Regressed | None:
        fold = self.fold
        pool, row = self.placed()
        others, near, has_same = fold.near(column, self.columns)
        kernels = pool.features.kernels(others, near)
        regression, at = pool.regression(column, kernels)
        if len(at) < _LEAST_MODELS:
            return None
        amounts = self._amounts(column, has_same, regression, others)
        products = kernels[:, at, row], kernels[:, row, row]
        mean, variance, weights = regression.predict(amounts, *products)
        if self.is_strange:
            makers = fold.grid.maker[pool.rows[at]]
            variance *= regression.surprise(amounts, makers, _STRANGE)
        return Regressed(mean, variance, pool.rows[at], weights)

    def left_out(self, column: int) -> dict[int, tuple[float, float]]:
        """Give what is said of each known run of a column, were it not known.

        Of models whose responses are known in the same columns as this one's.

        Returns
        -------
        dict of int to (float, float)
            Model of the grid → mean and sd, as of `Foretold`.
        """
        pool, _ = self.placed()
        others, near, has_same = self.fold.near(column, self.columns)
        regression, at = pool.regression(column, pool.features.kernels(others, near))
        if len(at) <= _LEAST_MODELS:
            return {}
        amounts = self._amounts(column, has_same, regression, others)
        mean, variance = regression.left_out(amounts)
        rows = pool.rows[at]
        sd = np.maximum(np.sqrt(variance), MIN_SQUASHED_SD)
        pairs = zip(mean.tolist(), sd.tolist(), strict=True)
        return dict(zip(rows.tolist(), pairs, strict=True))

    def _amounts(
        self, column: int, has_same: bool, regression: Regression, others: Sequence[int]
    ) -> Array:
        amounts = self.fold.amounts.of(column, has_same)
        if others and not self.is_new:
            return amounts
        # few responses are features of another kind, and leave more to noise
        variance = max(float(np.var(regression.z)), 1e-3)
        centre = np.append(amounts[:-1], np.log(_CENTRE[-1] * variance))
        return learn([regression], centre, _VAGUE)


def _some(of: Sequence[int], most: int) -> list[int]:
    """Give at most so many, evenly spaced."""
    at = np.unique(np.linspace(0, len(of) - 1, min(len(of), most)).round().astype(int))
    return [of[i] for i in at] if len(of) else []
