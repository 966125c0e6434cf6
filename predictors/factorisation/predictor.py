"""`Factorisation`: a kernelised factorisation of the table of runs, sampled by Gibbs sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from predictors.common.counts import Array
from predictors.common.grid import Cells, Column, Shown, read_runs, read_shown, read_targets
from predictors.common.hierarchical_grid import read_evidence
from predictors.common.mixtures import MixtureOfDraws, mixture_predictions
from predictors.common.moments import TrainMoments
from predictors.common.priors import Prior, predictions
from predictors.common.scenario_priors import scenario_priors
from predictors.common.size_checks import size_checks
from predictors.common.threads import one_thread
from predictors.factorisation.gridded import Gridded
from predictors.factorisation.metadata_kernels import Traits, column_traits, model_traits
from predictors.factorisation.table import Fit, Table, fit_table
from predictors.profile import Profile
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["Factorisation"]

_RANKS = (6, 8)
_FEWEST = 10  # sweeps

_TOGETHER = 200  # draws that belong together


class Factorisation(RunPredictor):
    r"""Predict a run by a Bayesian factorisation with kernels of what is known beside values.

    Of values alone, on the logit scale and standardised by column,

    .. math:: w_{ij} = c_j + L_j a_i + \sum_q U_{iq} V_{jq} + e_{ij}

    where a and U have a prior covariance between models, L and V one between columns. Both are
    mixtures, with learned weights, of the identity and of what metadata say is alike
    (`metadata_kernels`). Models without train runs follow from these, and from a linear trend in
    their dates. Two chains of Gibbs sweeps, of 6 and of 8 factors, are pooled; their widths are
    calibrated on train cells that are hidden (`sampler`, `table`, `widths`).

    Where models share items, or most cells of the table have a value, the runs of known models and
    columns are predicted by a pool (`members`): matrix normals, whose covariance between models
    comes from how alike they answer items (`grid`), trusted fully, half and not at all, and
    regressions of each column on the others (`regressions`), weighed by the probability that they
    gave to hidden runs.

    Parameters
    ----------
    sweeps : int
        Of each chain, at least 10.
    kernels : bool
        Whether to use metadata and items; without, a factorisation of values alone.
    joint : bool
        Whether to give draws that belong together over the targets in place of single
        distributions.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    A count is updated by the k shown responses: conditional Bernoulli where other models answered
    the same items (each item's logit the mean of `hibayes.hierarchical.update.item_logits` and
    `item_curves`), else hypergeometric; other values as by all predictors of this package. Each
    target is updated by its own responses; those of a model without train runs on the columns of a
    grid are left to `predictors.profile`, which updates them together. Values that are revealed are
    train runs.

    Unbounded columns with 3 values are factorised with the others, in spreads of their own. With
    fewer than 3 models or columns, or with few more values than these, it is the scenario mean.
    Grids of more than 150 models are divided into parts of like ones; in tables with holes, more
    than 300 models, or columns, go without kernels between these. Equal seeds give equal answers;
    numbers are drawn in the order of names.

    It fails where the next models are unlike all before them; of what was released after a cut, a
    fifth lay outside of its 90 % intervals. About 3 s for a fold of 84 models by 133 columns with
    1,700 values, 7 s for 57 by 35 with items, 2 s without.

    References
    ----------
    Salakhutdinov, Mnih, "Bayesian probabilistic matrix factorization using Markov chain Monte
    Carlo", ICML 2008. Zhou, Shan, Banerjee, Sapiro, "Kernelized probabilistic matrix
    factorization", SDM 2012, doi:10.1137/1.9781611972825.35.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> cells = [(m, s) for m in "abcd" for s in "stuv"]
    >>> runs = pd.DataFrame(cells, columns=["model", "scenario"])
    >>> runs["run"] = runs["model"] + runs["scenario"]
    >>> values = [0.2, 0.3, 0.4, 0.5, 0.3, 0.4, 0.5, 0.6, 0.5, 0.6, 0.7, 0.8, 0.6, 0.7, 0.8, 0.9]
    >>> runs = runs.assign(value=values, lower=0, upper=1)
    >>> targets = pd.DataFrame({"target": ["t1"], "model": "d", "scenario": "v"})
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0, upper=1), k=0)
    >>> prediction = Factorisation(sweeps=100).predict(TrainSplit(runs=runs[:-1]), test)[0]
    >>> 0.7 < prediction.quantiles[0.5] < 0.95
    True
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    uses: ClassVar[tuple[str, ...]] = ("responses", "metadata")
    _fold: _Fold | None = None

    def __init__(
        self, sweeps: int = 400, kernels: bool = True, joint: bool = False, **notebook: Any
    ) -> None:
        super().__init__(**notebook)
        if isinstance(sweeps, bool) or not isinstance(sweeps, int) or sweeps < _FEWEST:
            raise UsageError(
                f"Factorisation: sweeps must be a whole number from {_FEWEST} on: {sweeps!r}."
            )
        self.sweeps, self.kernels, self.joint = sweeps, bool(kernels), bool(joint)

    @one_thread
    def fit(self, train_split: TrainSplit) -> None:
        """Sample the train split's table."""
        self._fold = _Fold.of(self, train_split)

    def checks(self, train_split: TrainSplit) -> pd.DataFrame:
        """Say whether there are models, columns and values enough; else it is the scenario mean.

        Returns
        -------
        DataFrame
            Three rows of ``check, value, limit, passed, offenders``.
        """
        fold = self._fold if self._fold is not None else _Fold.of(self, train_split)
        return size_checks(fold.table.sizes)

    @one_thread
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target by the draws and its shown responses."""
        fold = self._fold if self._fold is not None else _Fold.of(self, train_split)
        targets = read_targets(sequestered_test_split)
        shown = read_shown(sequestered_test_split, targets)
        new = fold.newcomers(targets, shown)
        found = fold.mixtures(sequestered_test_split, targets, new)
        rest = [t for t in range(len(targets)) if t not in found]
        priors: list[Prior | None] = [None] * len(targets)
        for t, prior in zip(rest, scenario_priors(fold.moments, targets.take(rest)), strict=True):
            priors[t] = prior
        said = {p.target: p for p in predictions(targets, priors, shown)}
        likelihoods = fold.likelihoods(sequestered_test_split, targets, shown, found)
        told = mixture_predictions(
            targets,
            found,
            shown,
            joint=self.joint,
            likelihoods=likelihoods,
        )
        said |= {targets.id[t]: p for t, p in told.items()}
        if new:
            wanted = {targets.id[t] for t in new}
            other = fold.profile(train_split, joint=self.joint)
            told_by = other.predict(train_split, sequestered_test_split)
            said |= {p.target: _thinned(p) for p in told_by if p.target in wanted}
        return [said[target] for target in targets.id if target in said]


@dataclass(eq=False)
class _Fold:
    """What was learned from a train split."""

    settings: tuple[int, bool, int]  # sweeps, kernels, seed
    moments: TrainMoments
    table: Table
    traits: tuple[Traits, Traits] | None
    gridded: list[Gridded]  # parts of a large grid, by models
    _profile: Profile | None = None

    @classmethod
    def of(cls, predictor: Factorisation, train_split: TrainSplit) -> _Fold:
        runs = read_runs(train_split)
        table = Table.of(runs)
        settings = predictor.sweeps, predictor.kernels, int(predictor.random_state)
        fold = cls(settings, TrainMoments.of(runs), table, None, [])
        if table.large_enough:
            fold.traits = (
                model_traits(list(table.model), train_split, train_split.runs),
                column_traits(list(table.column), train_split),
            )
            fold.gridded = Gridded.parts(train_split, runs, settings)
            if not fold.gridded:
                fold.chains  # noqa: B018 - fitting is to be done here, not in predict
        return fold

    @cached_property
    def chains(self) -> Fit | None:
        """The sampled table, where there is enough of it."""
        if self.traits is None:
            return None
        sweeps, kernels, seed = self.settings
        return fit_table(
            self.table, *self.traits, ranks=_RANKS, sweeps=sweeps, seed=seed, kernels=kernels
        )

    def newcomers(self, targets: Cells, shown: Shown) -> set[int]:
        """Say which targets are of models without train runs of which responses are shown.

        On a grid's columns; what is shown of one run tells of the model's others.
        """
        models = {model for part in self.gridded for model in part.grid.models}
        columns = {column for part in self.gridded for column in part.grid.columns}
        there = [t for t in range(len(targets)) if targets.column[t] in columns]
        told = {targets.model[t] for t in there if shown.k[t] > 0} - models
        return {t for t in there if targets.model[t] in told}

    def profile(self, train_split: TrainSplit, *, joint: bool) -> Profile:
        """Give the predictor that updates all runs of a new model by what is shown of each."""
        if self._profile is None:
            _, kernels, seed = self.settings
            self._profile = Profile(items=kernels, joint=joint)
            self._profile.random_state = seed
            self._profile.fit(train_split)
        return self._profile

    def mixtures(
        self, split: SequesteredTestSplit, targets: Cells, apart: Set[int]
    ) -> dict[int, MixtureOfDraws]:
        """Give the distributions of the targets of which the train runs say more than moments.

        Those `apart` are left out.
        """
        found: dict[int, MixtureOfDraws] = {}
        # in the order of their names, so that the order of rows does not matter
        rows = sorted(set(range(len(targets))) - apart, key=targets.id.__getitem__)
        for part in self.gridded:
            found |= part.mixtures(targets, rows)
        rows = [t for t in rows if t not in found]
        if not rows or self.chains is None:
            return found
        return {**found, **self._of_chains(self.chains, split, targets, rows)}

    def likelihoods(
        self,
        split: SequesteredTestSplit,
        targets: Cells,
        shown: Shown,
        found: Mapping[int, MixtureOfDraws],
    ) -> dict[int, Array]:
        """Give what the shown responses say of counts, where others answered the same items."""
        if not any(part.items for part in self.gridded):
            return {}
        evidence = read_evidence(split, targets, shown, True)
        out: dict[int, Array] = {}
        for part in self.gridded:
            out |= part.likelihoods(targets, evidence, found)
        return out

    def _of_chains(
        self, fit: Fit, split: SequesteredTestSplit, targets: Cells, rows: Sequence[int]
    ) -> dict[int, MixtureOfDraws]:
        row, place = self.table.model, self.table.column
        known: list[int] = []
        of_model: dict[str, list[int]] = {}
        of_column: dict[Column, list[int]] = {}
        for t in rows:
            if targets.column[t] not in place:
                if targets.bounded[t] and self.table.bounded.any():
                    of_column.setdefault(targets.column[t], []).append(t)
            elif targets.model[t] not in row:
                of_model.setdefault(targets.model[t], []).append(t)
            else:
                known.append(t)
        i = np.array([row[targets.model[t]] for t in known], np.intp)
        j = np.array([place[targets.column[t]] for t in known], np.intp)
        found = dict(zip(known, fit.cells(i, j), strict=True)) if known else {}
        asked = [*of_model.values(), *of_column.values()]
        names = sorted({targets.model[t] for part in asked for t in part} - set(row))
        new = fit.new_rows(names, model_traits(names, split, split.targets)) if names else {}
        for model, members in of_model.items():
            j = np.array([place[targets.column[t]] for t in members], np.intp)
            found.update(zip(members, fit.new_model(new[model], j), strict=True))
        for column, members in of_column.items():
            models = [targets.model[t] for t in members]
            traits = column_traits([column], split, list(place))
            told = fit.new_column(column, traits, [new[m] if m in new else row[m] for m in models])
            found.update(zip(members, told, strict=True))
        return found


def _thinned(prediction: RunPrediction) -> RunPrediction:
    """Give as many draws that belong together as the mixtures have."""
    draws = prediction.samples
    if draws is None or len(draws) <= _TOGETHER:
        return prediction
    chosen = (np.arange(_TOGETHER) * len(draws)) // _TOGETHER
    return replace(prediction, samples=np.asarray(draws)[chosen])
