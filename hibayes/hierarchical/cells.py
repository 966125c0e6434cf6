"""The grid of train runs that hierarchical models are fitted to, and its logit-like scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]
Index: TypeAlias = NDArray[np.intp]

OFFSET = 0.1
"""What keeps the logit finite at 0 and 1."""

_WIDTH = 1.0 + 2.0 * OFFSET
_ENDS = (0.005, 0.995)  # a predicted mean is kept inside them where its noise is evaluated

__all__ = ["OFFSET", "Array", "Grid", "Index", "family", "from_logit", "noise", "slope", "to_logit"]


def to_logit(y: ArrayLike) -> Array:
    r"""Put values in [0, 1] on the models' scale.

    .. math:: t(y) = \log\frac{y + 0.1}{1.1 - y}

    Examples
    --------
    >>> to_logit([0.0, 0.3, 1.0]).round(3).tolist()
    [-2.398, -0.693, 2.398]
    """
    y = np.asarray(y, float)
    return np.asarray(np.log((y + OFFSET) / (1.0 + OFFSET - y)))


def from_logit(t: ArrayLike) -> Array:
    """Invert `to_logit`; what lies beyond t(0) or t(1) becomes 0 or 1.

    Examples
    --------
    >>> from_logit([-9.0, 0.0, to_logit(0.3).item()]).round(12).tolist()
    [0.0, 0.5, 0.3]
    """
    inside = np.clip(np.asarray(t, float), -30.0, 30.0)
    return np.asarray(np.clip(_WIDTH / (1.0 + np.exp(-inside)) - OFFSET, 0.0, 1.0))


def slope(y: ArrayLike) -> Array:
    """Give the derivative of `to_logit` at y.

    Examples
    --------
    >>> round(slope(0.5).item(), 4)
    3.3333
    """
    y = np.asarray(y, float)
    return np.asarray(1.0 / (y + OFFSET) + 1.0 / (1.0 + OFFSET - y))


def noise(y: ArrayLike, n: ArrayLike) -> Array:
    r"""Give the variance of t(C/n) when C is binomial with success probability y, to first order.

    .. math:: v = \frac{y (1 - y)}{n} \, t'(y)^2

    Parameters
    ----------
    y : array of float
        Probabilities, kept inside [.005, .995].
    n : array of float
        Number of trials; 0 where the value is no count, and then v is 0.

    Examples
    --------
    >>> noise([0.5, 0.5], [100, 0]).round(4).tolist()
    [0.0278, 0.0]
    """
    p: Array = np.clip(np.asarray(y, float), *_ENDS)
    trials = np.asarray(n, float)
    each = p * (1.0 - p) * slope(p) ** 2
    return np.asarray(np.where(trials > 0, each / np.maximum(trials, 1.0), 0.0))


def family(scenario: str) -> str:
    """Name the family of a scenario: its name up to the last two words that underscores join.

    Examples
    --------
    >>> family("bbh/logical_deduction_five_objects"), family("musr/murder_mysteries")
    ('bbh/logical_deduction', 'musr/murder_mysteries')
    """
    head, slash, name = scenario.rpartition("/")
    words = name.split("_")
    return head + slash + ("_".join(words[:-2]) if len(words) > 2 else name)


@dataclass(frozen=True, eq=False)
class Grid:
    """Run values of M models on S columns, some of them missing.

    A column is what a score is compared over: a scenario under one condition and metric.

    Attributes
    ----------
    models : tuple of str, length M
    columns : tuple, length S
        Any labels that can be dictionary keys.
    y : ndarray of float, shape (M, S)
        Values in [0, 1]; NaN where there is none.
    n : ndarray of float, shape (M, S)
        The number of trials that the value is a count of; 0 where it is no count.
    group, family : ndarray of int, shape (S,)
        Of each column: its scenario group, and its family within the group. From 0, none left out.
    maker : ndarray of int, shape (M,)
        Organisation of each model. From 0, none left out.
    """

    models: tuple[str, ...]
    columns: tuple[Any, ...]
    y: Array
    n: Array
    group: Index
    family: Index
    maker: Index

    @classmethod
    def of(
        cls,
        model: Sequence[str],
        column: Sequence[Hashable],
        y: Sequence[float] | Array,
        n: Sequence[float] | NDArray[np.intp] | Array,
        *,
        groups: Mapping[Any, str] | None = None,
        families: Mapping[Any, str] | None = None,
        makers: Mapping[str, str] | None = None,
    ) -> Grid:
        """Arrange runs; a cell with several has their mean, and the n of the largest.

        Parameters
        ----------
        model, column, y, n : sequence, length R
            Of each run; columns are sorted by their text.
        groups, families : mapping of column to str, optional
            Without them all columns are one group, each its own family.
        makers : mapping of model to str, optional
            Without it each model is its own organisation.

        Examples
        --------
        >>> grid = Grid.of(["a", "a", "b"], ["s", "t", "s"], [0.2, 0.4, 0.6], [10, 10, 10])
        >>> grid.y.tolist(), grid.mask.tolist()
        ([[0.2, 0.4], [0.6, nan]], [[True, True], [True, False]])
        """
        models = tuple(sorted(set(model)))
        columns = tuple(sorted(set(column), key=str))
        row = {name: i for i, name in enumerate(models)}
        place = {name: j for j, name in enumerate(columns)}
        shape = (len(models), len(columns))
        total, runs, trials = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for m, c, value, size in zip(model, column, y, n, strict=True):
            at = row[m], place[c]
            total[at] += value
            runs[at] += 1
            trials[at] = max(trials[at], size)
        values = np.where(runs > 0, total / np.maximum(runs, 1), np.nan)
        return cls(
            models,
            columns,
            values,
            trials,
            _codes(["" if groups is None else groups.get(c, str(c)) for c in columns]),
            _codes([str(c) if families is None else families.get(c, str(c)) for c in columns]),
            _codes([m if makers is None else makers.get(m, m) for m in models]),
        )

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where there is a value."""
        return np.isfinite(self.y)

    @property
    def t(self) -> Array:
        """`to_logit` of the values; 0 where there is none."""
        return np.where(self.mask, to_logit(np.where(self.mask, self.y, 0.5)), 0.0)

    @property
    def known_noise(self) -> Array:
        r"""The binomial part of each value's variance on the scale of `t`; 0 where no count.

        `noise` at (c + 1/2) / (n + 1), which is never 0 or 1.
        """
        y = (self.n * np.where(self.mask, self.y, 0.5) + 0.5) / (self.n + 1.0)
        return np.asarray(np.where(self.mask & (self.n > 0), noise(y, self.n), 0.0))

    @property
    def row(self) -> dict[str, int]:
        """Row of each model."""
        return {name: i for i, name in enumerate(self.models)}

    @property
    def labels(self) -> list[str]:
        """Name each column: by the first part of its label alone, where that tells it apart.

        Examples
        --------
        >>> Grid.of(["a", "a"], [("s", "c1"), ("t", "c1")], [0.5, 0.5], [1, 1]).labels
        ['s', 't']
        """
        parts = [c if isinstance(c, tuple) else (c,) for c in self.columns]
        first = [str(part[0]) for part in parts]
        if len(set(first)) == len(first):
            return first
        return [" ".join(str(word) for word in part if word not in ("", True)) for part in parts]

    @property
    def column(self) -> dict[Any, int]:
        """Place of each column."""
        return {name: j for j, name in enumerate(self.columns)}


def _codes(labels: Sequence[str]) -> Index:
    return np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True)[1].reshape(-1)
