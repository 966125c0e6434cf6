"""What the shown responses of a run say of its value, item by item.

For predictors that say how hard each item of a run is for its model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from hibayes.hierarchical.forecast import Evidence
from hibayes.hierarchical.update import SHIFTS, log_item_likelihood, log_value_likelihood
from predictors.common.counts import FLOOR, Array, log_hypergeometric

__all__ = ["ItemsOfRun", "told_pmf"]


@dataclass(frozen=True, eq=False)
class ItemsOfRun:
    """All items of a run.

    Attributes
    ----------
    logits : ndarray of float, shape (n,)
        Of the probability of a success, or of the mean value; a common shift does not matter.
    shown : ndarray of bool, shape (n,)
    value : ndarray of float, shape (n,)
        In [0, 1]; 0 where not shown.
    dispersion : float
        φ: values have the variance φ p (1 - p); 1 for values 0 and 1.
    """

    logits: Array
    shown: NDArray[np.bool_]
    value: Array
    dispersion: float = 1.0

    @classmethod
    def of(
        cls, told: Evidence, places: Mapping[str, int], logits: Array, dispersion: float = 1.0
    ) -> ItemsOfRun | None:
        """Arrange what is known of a run; None where its items are not known one by one.

        Parameters
        ----------
        told : Evidence
        places : mapping of str to int
            Item → place in the logits; an item without one is as hard as the others are.
        logits : ndarray of float
        dispersion : float

        Examples
        --------
        >>> told = Evidence(n=2, k=1, total=1.0, items=["p", "q"], given={"q": 1.0})
        >>> items = ItemsOfRun.of(told, {"p": 0}, np.array([0.5]))
        >>> items.logits.tolist(), items.shown.tolist()
        ([0.5, 0.5], [False, True])
        """
        whole = told.n or told.size
        known = len(told.items) == whole and len(told.given) == told.k
        if not (told.k and known and len(logits) and set(told.given) <= set(told.items)):
            return None
        if told.n and not all(value in (0.0, 1.0) for value in told.given.values()):
            return None
        at = np.array([places.get(item, -1) for item in told.items], np.intp)
        return cls(
            np.where(at >= 0, logits[at], float(np.mean(logits))),
            np.array([item in told.given for item in told.items]),
            np.array([told.given.get(item, 0.0) for item in told.items]),
            dispersion,
        )

    def log_likelihood(self, steps: int) -> Array:
        r"""Give the log likelihood of each value 0, 1/steps … 1, that is no count.

        At each shift of all logits, the sum of the shown values lies around what is expected with

        .. math:: \sum_{shown} (y_t - p_t) \sim N\Big(0,\;
                  \phi \sum_{shown} p_t (1 - p_t) \Big(1 - \frac kn\Big)\Big),

        and the run's value is the mean of p.

        Returns
        -------
        ndarray of float, shape (steps + 1,)

        Examples
        --------
        >>> half = ItemsOfRun(np.zeros(8), np.arange(8) < 4, np.full(8, 0.3), 0.2)
        >>> int(half.log_likelihood(10).argmax())
        3
        """
        p = np.clip(expit(self.logits + SHIFTS[:, None]), 1e-9, 1 - 1e-9)
        own, k, n = p[:, self.shown], int(self.shown.sum()), len(self.logits)
        variance = self.dispersion * (own * (1 - own)).sum(axis=1) * max(1 - k / n, 1e-3)
        off = (self.value[self.shown] - own).sum(axis=1)
        log_l = -0.5 * (off * off / variance + np.log(variance))
        return np.interp(np.arange(steps + 1) / steps, p.mean(axis=1), log_l)


def told_pmf(prior: Array, told: Evidence, items: ItemsOfRun | None) -> Array:
    """Update the probabilities of a run's values by its own shown responses.

    Item by item where the items are known; else hypergeometric for counts, and for other values
    by their mean.

    Parameters
    ----------
    prior : ndarray of float, shape (steps + 1,)
        Of a count 0..n, or on equal steps of [0, 1].
    told : Evidence
    items : ItemsOfRun or None

    Returns
    -------
    ndarray of float, shape (steps + 1,)

    Examples
    --------
    >>> told_pmf(np.full(3, 1 / 3), Evidence(n=2, k=1, total=1.0), None).round(3).tolist()
    [0.0, 0.333, 0.667]
    """
    prior = np.maximum(prior, FLOOR)
    prior = prior / prior.sum()
    if not told.k:
        return prior
    steps = len(prior) - 1
    if told.n and items is not None:
        log_l = log_item_likelihood(items.logits, items.shown, items.value)
    elif told.n:
        k = min(told.k, told.n)
        log_l = log_hypergeometric(told.n, [min(int(told.total), k)], [k])[0]
    elif items is not None:
        log_l = items.log_likelihood(steps)
    else:
        mean = float(prior @ np.arange(steps + 1)) / steps
        log_l = log_value_likelihood(steps, mean, told.k, told.total, told.squares, told.size)
    log_p = np.log(prior) + log_l
    pmf = np.exp(log_p - log_p.max())
    return np.asarray(pmf / pmf.sum())
