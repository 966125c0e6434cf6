"""From normals of latent values to distributions of run values, with what is shown of each.

Of `predictors.profile`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from scipy.special import expit, logit

from hibayes.hierarchical.cells import Array, Index, from_logit, noise
from hibayes.hierarchical.forecast import Evidence, Forecast
from hibayes.hierarchical.kernels import Answers
from hibayes.hierarchical.predictive import mixture_pmf, steps_of
from hibayes.hierarchical.sites import Site, Updated, binomial_site, item_site, update, update_each
from hibayes.hierarchical.update import (
    item_logits,
    log_item_likelihood,
    log_value_likelihood,
)
from predictors.common.agreement_kernels import AgreementKernels
from predictors.common.counts import log_hypergeometric
from predictors.common.shown_items import ItemsOfRun
from predictors.profile.gp import Standard
from predictors.tilted_items.tilt import shifts

__all__ = ["ItemKnowledge", "Items", "forecast"]

_DRAWS = 400
_PASSES = 2  # the logits of items depend on what is expected of the run
_LENGTHS = (0.05, 0.1, 0.2, 0.4, 0.8, 3.2)
_SCALES = (0.3, 0.5, 0.7, 0.85, 1.0)
_SOME_COLUMNS, _SOME_MODELS = 12, 8  # whose known runs the two are chosen by
_TOGETHER = 600  # targets that are updated together, at most

Items = tuple[Array, np.ndarray, Array]
"""Of all items of a run: logits, which are shown, which of these are right."""

AskItems = Callable[[int, float, float], "Items | None"]
"""Gives the items of a target, from the mean and sd that are expected of it."""


class ItemKnowledge:
    """How the train models answered the items of a grid's columns.

    Parameters
    ----------
    answers : Answers
    standard : Standard
    """

    def __init__(self, answers: Answers, standard: Standard) -> None:
        self.answers, self.standard = answers, standard

    @cached_property
    def sharpness(self) -> tuple[float, float]:
        """How fast models' weights fall with their lineage, and what logits are multiplied by.

        Those with which relatives' answers would have foretold the responses of known runs best, in
        log loss, their means being known.
        """
        losses = np.zeros((len(_LENGTHS), len(_SCALES)))
        tables, size = self.answers.tables, len(self.standard.z)
        for j in _some(sorted(tables), _SOME_COLUMNS):
            there = np.flatnonzero(self.standard.mask[:, j])
            # a run's own responses must not say who is its relative
            others = {column: table for column, table in tables.items() if column != j}
            lineage = AgreementKernels.of_tables(others, size).lineage
            for i in _some(there.tolist(), _SOME_MODELS) if len(there) > 2 else ():
                x, rest = tables[j][i], there[there != i]
                at = np.flatnonzero(np.isfinite(x))
                level = logit(np.clip(x[at].mean(), 0.01, 0.99))[None] if len(at) else None
                if level is None or not 0.0 < x[at].mean() < 1.0:
                    continue
                for a, length in enumerate(_LENGTHS):
                    logits = self._logits(j, rest, lineage[i], self.standard.z[i, j], 0.0, length)
                    for b, scale in enumerate(_SCALES):
                        g = scale * logits[at]
                        p = np.clip(expit(g + shifts(g, level)[0]), 1e-6, 1 - 1e-6)
                        loss = x[at] * np.log(p) + (1 - x[at]) * np.log1p(-p)
                        losses[a, b] -= float(loss.mean())
        best = divmod(int(np.argmin(losses)), len(_SCALES))
        return _LENGTHS[best[0]], _SCALES[best[1]]

    def _logits(
        self, column: int, others: Index, lineage: Array, level: float, sd: float, length: float
    ) -> Array:
        return item_logits(
            self.answers.tables[column][others],
            lineage[others],
            self.standard.z[others, column],
            level,
            spread=sd,
            length=length,
        )

    def knows(self, column: int, told: Evidence) -> bool:
        """Say whether a run's items are known one by one, with others' answers to them."""
        return (
            told.k > 0
            and column in self.answers.tables
            and len(told.items) == told.n
            and len(told.given) == told.k
            and set(told.given) <= set(told.items)
            and all(value in (0.0, 1.0) for value in told.given.values())
        )

    def along(self, column: int, told: Evidence) -> Array:
        """Give shown values at the places of a column's items; NaN elsewhere."""
        places = self.answers.items[column]
        out = np.full(len(places), np.nan)
        for item, value in told.given.items():
            if item in places:
                out[places[item]] = value
        return out

    def items(
        self,
        column: int,
        told: Evidence,
        lineage: Array,
        mean: float,
        sd: float,
        model: int | None = None,
    ) -> Items | None:
        """Say how hard each item of a run is for a model, and what is shown of it.

        Parameters
        ----------
        column : int
        told : Evidence
        lineage : ndarray, shape (M,)
            C between the model and those of the grid.
        mean, sd : float
            What is expected of the run, as t.
        model : int, optional
            The model's row of the grid; its own responses say nothing of it.
        """
        if not self.knows(column, told):
            return None
        standard = self.standard
        others = np.flatnonzero(standard.mask[:, column])
        others = others[others != model]
        if not len(others):
            return None
        length, scale = self.sharpness
        unit = standard.sd[column]
        level = (mean - standard.mean[column]) / unit
        logits = scale * self._logits(column, others, lineage, level, sd / unit, length)
        found = ItemsOfRun.of(told, self.answers.items[column], logits)
        return None if found is None else (found.logits, found.shown, found.value)


def forecast(
    mean: Array,
    covariance: Array,
    shown: Sequence[Evidence],
    ask: AskItems,
    *,
    sampling: Array,
    df: float,
    seed: Sequence[int],
    apart: bool = False,
) -> list[Forecast]:
    """Predict runs whose latent values are normal together, each told by what is shown of all.

    The shown responses of a run are likely or not by its latent value (`sites`); the normals are
    updated by all of them. A run's own distribution is Student's t with mean and spread of what the
    others' responses say of it, times the exact likelihood of its own.

    Parameters
    ----------
    mean : ndarray, shape (D, J)
        Under each of D equally likely worlds; as t.
    covariance : ndarray, shape (D, J, J)
        The runs' own parts included, the sampling variance not.
    shown : sequence of Evidence, length J
    ask : callable
        Place, expected mean, sd → items of the run, or None where they are not known.
    sampling : ndarray, shape (J,)
        Share of the binomial variance that each run has.
    df : float
        Degrees of freedom.
    seed : sequence of int
        Of the draws that order the worlds.
    apart : bool
        Whether a run is told by its own responses alone, in one world: for runs that are well
        known without those of others. The draws that order the worlds are told by all.
    """
    size = len(shown)
    if size > _TOGETHER:  # too many to factorise together: in parts, in the order that they have
        found: list[Forecast] = []
        for start in range(0, size, _TOGETHER):
            part = slice(start, start + _TOGETHER)

            def ask_part(place: int, m: float, s: float, start: int = start) -> Items | None:
                return ask(start + place, m, s)

            found += forecast(
                mean[:, part],
                covariance[:, part, part],
                shown[part],
                ask_part,
                sampling=sampling[part],
                df=df,
                seed=seed,
                apart=apart,
            )
        return found
    sites: list[Site | None] = [_binomial(told) for told in shown]
    items: list[Items | None] = [None] * size

    def tell(sites: list[Site | None]) -> Updated:
        if apart:
            return update_each(mean[0], np.diagonal(covariance[0]), sites)
        return update(mean, covariance, sites)

    after = tell([None] * size)
    if any(site is not None for site in sites):
        for _ in range(1 if apart else _PASSES):
            centre, variance = after.overall()
            items = [
                ask(j, float(centre[j]), float(np.sqrt(variance[j]))) if shown[j].k else None
                for j in range(size)
            ]
            if not any(items):
                after = tell(sites)
                break
            by_item = [item_site(*of) if of else s for of, s in zip(items, sites, strict=True)]
            after = tell(by_item)
    world = update(mean, covariance, sites) if apart else after
    order = world.sample(np.random.default_rng(list(seed)), _DRAWS)
    centres, variances = after.without_own()
    forecasts = []
    for j, told in enumerate(shown):
        centre, variance = centres[:, j], variances[:, j]
        sd = np.sqrt(variance + sampling[j] * noise(from_logit(centre), told.n))
        prior = mixture_pmf(steps_of(told.n), centre, sd, after.weights, df=df)
        forecasts.append(Forecast(_times(prior, _likelihood(told, items[j], prior)), order[:, j]))
    return forecasts


def _some(of: list[int], most: int) -> list[int]:
    """Give at most so many, evenly spaced."""
    at = np.unique(np.linspace(0, len(of) - 1, min(len(of), most)).round().astype(int))
    return [of[i] for i in at] if of else []


def _binomial(told: Evidence) -> Site | None:
    if not told.k:
        return None
    return binomial_site(float(told.k), float(np.clip(told.total, 0.0, told.k)))


def _likelihood(told: Evidence, items: Items | None, prior: Array) -> Array | None:
    """Give the log likelihood of each count, or step, by the run's own shown responses."""
    if not told.k:
        return None
    if items is not None:
        return log_item_likelihood(*items)
    if told.n:
        k = min(told.k, told.n)
        return np.asarray(log_hypergeometric(told.n, [min(int(told.total), k)], [k])[0])
    steps = len(prior) - 1
    mean = float(prior @ np.arange(steps + 1)) / steps
    return log_value_likelihood(steps, mean, told.k, told.total, told.squares, told.size)


def _times(prior: Array, log_likelihood: Array | None) -> Array:
    """Multiply a pmf by a likelihood, where there is one that any count can have."""
    if log_likelihood is None or not np.isfinite(log_likelihood).any():
        return prior
    log_p = np.log(np.maximum(prior, 1e-300)) + log_likelihood
    pmf = np.exp(log_p - log_p.max())
    return np.asarray(pmf / pmf.sum())
