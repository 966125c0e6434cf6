"""What every predictive distribution of a run's value can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.distribution.numerics import Array


class InvalidPrediction(ValueError):
    """A prediction that is no distribution; the message names the number that is wrong."""

    __module__ = "harness.distribution"  # as tracebacks call it


class Distribution(ABC):
    """Predictive distribution of one run's value :math:`y`.

    Attributes
    ----------
    lower, upper : float or None
        Bounds of the metric, in its own units; None where unknown. No mass lies beyond a known
        bound: what a prediction had put there is collected *at* the bound (never renormalised).
    outside : float in [0, 1]
        The mass that was collected so.

    Notes
    -----
    Instances are immutable. Values `x` and `y` are in the metric's own units throughout, and
    anything that takes `x` or `level` takes a number (a float comes back) or an array (an array
    of the same shape comes back). A NaN `x` gives NaN; a NaN or infinite `y` is a ValueError.
    """

    __slots__ = ()

    lower: float | None
    upper: float | None
    outside: float

    @overload
    def cdf(self, x: float) -> float: ...
    @overload
    def cdf(self, x: NDArray[Any] | Sequence[float]) -> Array: ...
    def cdf(self, x: ArrayLike) -> float | Array:
        r"""Return the distribution function :math:`F(x) = P(Y \le x)`.

        Parameters
        ----------
        x : float or array of float, any shape
            Values, metric units.

        Returns
        -------
        float or ndarray of float, same shape
            Probabilities in [0, 1].
        """
        return _apply(self._cdf, x)

    @overload
    def cdf_left(self, x: float) -> float: ...
    @overload
    def cdf_left(self, x: NDArray[Any] | Sequence[float]) -> Array: ...
    def cdf_left(self, x: ArrayLike) -> float | Array:
        """Return :math:`F(x-) = P(Y < x)`; differs from `cdf` where there is an atom.

        Parameters
        ----------
        x : float or array of float, any shape
            Values, metric units.

        Returns
        -------
        float or ndarray of float, same shape
            Probabilities in [0, 1].
        """
        return _apply(self._cdf_left, x)

    @overload
    def quantile(self, level: float) -> float: ...
    @overload
    def quantile(self, level: NDArray[Any] | Sequence[float]) -> Array: ...
    def quantile(self, level: ArrayLike) -> float | Array:
        r"""Return the generalised inverse :math:`\inf\{x: F(x) \ge level\}`.

        Level 0 gives the lower end of the support, level 1 the upper end. On discrete
        distributions a cumulative sum that misses the level by rounding (1e-12) reaches it.

        Parameters
        ----------
        level : float or array of float in [0, 1], any shape
            Probabilities.

        Returns
        -------
        float or ndarray of float, same shape
            Values, metric units.

        Raises
        ------
        ValueError
            A level is outside [0, 1] or NaN.
        """
        levels = np.asarray(level, dtype=np.float64)
        if not np.all((levels >= 0.0) & (levels <= 1.0)):
            raise ValueError(f"quantile levels are probabilities in [0, 1], got {level!r}")
        return _apply(self._quantile, levels)

    @property
    @abstractmethod
    def mean(self) -> float:
        """Mean, metric units."""

    @property
    @abstractmethod
    def sd(self) -> float:
        """Standard deviation, metric units."""

    @abstractmethod
    def crps(self, y: float) -> float:
        r"""Return the continuous ranked probability score of `y`, in metric units.

        .. math:: \int (F(u) - 1\{y \le u\})^2 du = E|Y - y| - E|Y - Y'| / 2

        Parameters
        ----------
        y : float
            The observed value, metric units.

        Returns
        -------
        float
            At least 0; less is better; :math:`|x - y|` for a point mass at x.

        Raises
        ------
        ValueError
            `y` is not finite, or (on a count grid) not on the grid.

        References
        ----------
        Gneiting & Raftery (2007), doi:10.1198/016214506000001437.
        """

    def log_pmf(self, y: float) -> float:
        """Return the log probability of the count behind `y` (count grids only), in nats.

        Parameters
        ----------
        y : float
            The observed value, metric units.

        Raises
        ------
        TypeError
            The distribution is not on a count grid.
        ValueError
            `y` is not on the grid.
        """
        raise TypeError(
            f"{type(self).__name__} is not on a count grid, so it has no log_pmf; "
            "put it there with discretise(distribution, n, lower, upper)"
        )

    def log_density(self, y: float) -> float:
        """Return the log density at `y`, in nats per metric unit.

        At a known bound that holds an atom it is the log of the atom's mass (the density with
        respect to Lebesgue measure plus a unit mass at each bound).

        Parameters
        ----------
        y : float
            The observed value, metric units.

        Raises
        ------
        TypeError
            The distribution has no density.
        """
        raise TypeError(f"{type(self).__name__} has no density")

    @abstractmethod
    def _cdf(self, x: Array) -> Array: ...

    @abstractmethod
    def _cdf_left(self, x: Array) -> Array: ...

    @abstractmethod
    def _quantile(self, level: Array) -> Array: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean:.6g}, sd={self.sd:.6g})"


def _apply(function: Any, x: ArrayLike) -> float | Array:
    array = np.asarray(x, dtype=np.float64)
    result: Array = function(array)
    return float(result) if array.ndim == 0 else result
