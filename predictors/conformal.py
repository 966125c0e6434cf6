"""`Conformal`: any predictor, with its distributions recalibrated on hidden train cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from harness.rules import uniform_number
from predictors.common.counts import Array
from predictors.common.grid import read_shown, read_targets
from predictors.common.inner_folds import InnerSplit, Question, Train
from predictors.common.members import Fitted, Member, on_grid, possible, stated, steps, uses_of
from predictors.common.recalibration import Recalibration, mid_pit, pit, widened
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["Conformal"]

_TOO_FEW, _TOO_MANY = 0.80, 0.97  # of inner cells in the 90 % interval: what raises the alarm


class Conformal(RunPredictor):
    r"""Recalibrate a predictor's distributions by where known values fell in them.

    .. math:: p'(c) = G(\tilde F(c)) - G(\tilde F(c - 1))

    with :math:`\tilde F` the predictor's distribution function, mixed with a share 1/(B + 1) of
    the uniform distribution over the values that the shown responses leave possible, and G the
    conformal distribution of its randomised PIT values on hidden train cells in B blocks
    (`predictors.common.recalibration.Recalibration`). Where a target's PIT is exchangeable with
    theirs, it falls below each knot of G with the stated probability, however wrong the predictor
    is.

    Parameters
    ----------
    predictor : str
        What is recalibrated, as commands take it: ``"kernel-ridge(ridge=5)"``.
    splits : int
        Inner splits for each kind of question, at most ten: how often it is fitted once more.
    cells : int
        Inner cells, at most, for each kind of question.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    The inner cells are hidden as the targets are (`predictors.common.inner_folds`), with as many
    shown responses, and G is learned for each kind of question and each k. Where model and
    scenario are known, every hidden cell is a block, and every organisation is spread evenly over
    the inner splits. Where the model is new, the organisations are held out in turn, and are the
    blocks: a new one is exchangeable with them, its cells are not. Where the scenario is new, the
    scenarios (groups) are. With fewer than 19 blocks nothing is changed.

    What is promised is the coverage of all targets of a kind together, not of each scenario or
    model, and only to the extent that hidden and asked cells are alike: held-out runs at random
    are, the strongest models or later releases are not. Inner train splits are a tenth smaller
    than the whole, so that inner predictions are slightly worse.

    Metrics without bounds, and joint draws, are not recalibrated: the first are left as they are,
    the second are given as single distributions.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> cells = [(m, s) for m in "abcdef" for s in "tuvwxy"]
    >>> runs = pd.DataFrame(cells, columns=["model", "scenario"])
    >>> runs["run"] = runs["model"] + runs["scenario"]
    >>> y = np.random.default_rng(0).uniform(0.2, 0.8, len(runs))
    >>> train = TrainSplit(runs=runs.assign(value=y, lower=0.0, upper=1.0))
    >>> conformal = Conformal("global-mean")
    >>> conformal.fit(train)
    >>> conformal.checks(train)[["check", "passed"]].values.tolist()
    [['coverage_90_low', True], ['coverage_90_high', True]]
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    uses: ClassVar[tuple[str, ...]] = ("responses",)
    _fold: _Fold | None = None

    def __init__(
        self,
        predictor: str = "kernel-ridge",
        splits: int = 10,
        cells: int = 1000,
        **notebook: Any,
    ) -> None:
        super().__init__(**notebook)
        if not isinstance(predictor, str):
            raise UsageError(f"Conformal: predictor must be the name of one: {predictor!r}.")
        for setting, value in (("splits", splits), ("cells", cells)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(
                    f"Conformal: {setting} must be a whole number from 1 on: {value!r}."
                )
        self.predictor, self.splits, self.cells = predictor, splits, cells
        self._member = Member.of(predictor, "Conformal")
        self.uses = uses_of([self._member])  # type: ignore[misc] # what is asked may use more

    def fit(self, train_split: TrainSplit) -> None:
        """Fit the predictor to all train runs; inner splits wait for what is asked."""
        self._fold = _Fold.of(self, train_split)

    def checks(self, train_split: TrainSplit) -> pd.DataFrame:
        """Judge the predictor that is wrapped: how many values its own 90 % intervals hold.

        Returns
        -------
        DataFrame
            ``coverage_90_low`` and ``coverage_90_high``: the share of hidden train cells (model
            and scenario known, nothing shown) in its 90 % interval, by mid-PIT. They fail below
            .80 and above .97, unless of so few cells that a binomial count of .90 would be as far
            off in one of twenty cases. None where nothing can be hidden.
        """
        import pandas as pd

        calibration = self._fitted(train_split).calibration(Question(), 0)
        inside = (calibration.mid >= 0.05) & (calibration.mid <= 0.95)
        rows: list[dict[str, Any]] = []
        if len(inside):
            hits, value = int(inside.sum()), float(inside.mean())
            fewer = float(bdtr(hits, len(inside), 0.9))  # P(as few, or fewer)
            more = float(bdtrc(hits - 1, len(inside), 0.9)) if hits else 1.0
            said = f"{self.predictor}: {hits} of {len(inside)} hidden train cells"
            for name, limit, passed in (
                ("coverage_90_low", _TOO_FEW, value >= _TOO_FEW or fewer > 0.05),
                ("coverage_90_high", _TOO_MANY, value <= _TOO_MANY or more > 0.05),
            ):
                offenders = "" if passed else f"{said} are in its 90 % intervals"
                rows.append(
                    {
                        "check": name,
                        "value": value,
                        "limit": limit,
                        "passed": passed,
                        "offenders": offenders,
                    }
                )
        return pd.DataFrame(rows, columns=["check", "value", "limit", "passed", "offenders"])

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict each target as the predictor does, recalibrated.

        Raises
        ------
        Exception
            Whatever the predictor raises; `NotApplicable` below its ``min_k``.
        """
        fold = self._fitted(train_split)
        test = sequestered_test_split
        targets = read_targets(test)
        shown = read_shown(test, targets)
        k = int(test.k or 0) if shown.k.any() else 0
        answer = fold.fitted.ask(test, int(self.random_state))
        if answer.error is not None:
            raise answer.error
        out = []
        for t, question in enumerate(fold.train.questions(test.targets)):
            name = targets.id[t]
            if name not in answer.distributions:
                continue
            g = fold.calibration(question, k).g if targets.bounded[t] else None
            if g is not None and g.blocks:
                there = possible(targets, t, shown)
                pmf = on_grid(answer.distributions[name], targets, t)
                cdf = np.cumsum(widened(pmf, there, 1.0 / (g.blocks + 1)))
                cdf[-1] = 1.0
                pmf = np.diff(g(np.concatenate(([0.0], np.minimum(cdf, 1.0)))))
                out.append(stated(targets, t, pmf))
            elif name in answer.predictions:  # as it is
                out.append(answer.predictions[name])
        return out

    def _fitted(self, train_split: TrainSplit) -> _Fold:
        """Give what was learned; learn it, where it was called without fit as in a notebook."""
        return self._fold if self._fold is not None else _Fold.of(self, train_split)


@dataclass(frozen=True, eq=False)
class _Calibration:
    """What hidden train cells tell of a predictor: its recalibration, and mid-PITs of its own."""

    g: Recalibration
    mid: Array


@dataclass(frozen=True, eq=False)
class _Cell:
    """A hidden train cell: what was predicted, what is possible, and what was observed."""

    pmf: Array
    there: NDArray[np.bool_]
    count: int
    name: str
    block: str

    def pit(self, share: float) -> float:
        return pit(widened(self.pmf, self.there, share), self.count, uniform_number(self.name))


@dataclass(eq=False)
class _Fold:
    """What was learned from a train split, and what is learned of it when it is asked for."""

    conformal: Conformal
    train: Train
    fitted: Fitted
    seed: int
    _inner: dict[Question, list[tuple[InnerSplit, Fitted]]] = field(default_factory=dict)
    _found: dict[tuple[Question, int], _Calibration] = field(default_factory=dict)

    @classmethod
    def of(cls, conformal: Conformal, split: TrainSplit) -> _Fold:
        train, seed = Train(split), int(conformal.random_state)
        return cls(conformal, train, Fitted(conformal._member, split, seed), seed)

    def calibration(self, question: Question, k: int) -> _Calibration:
        """Give what is learned for a kind of question and k shown responses."""
        if (question, k) not in self._found:
            self._found[question, k] = self._learned(question, k)
        return self._found[question, k]

    def _learned(self, question: Question, k: int) -> _Calibration:
        cells: list[_Cell] = []
        any_asked = False
        for part, fitted in self._splits(question):
            asked = part.scored & part.asked(k)
            if not asked.any():
                continue
            any_asked = True
            test = part.test(k)
            answer = fitted.ask(test, self.seed)
            # in the order of the split's cells, which the shown responses do not follow
            shown = read_shown(test, part.cells)
            for t in np.flatnonzero(asked).tolist():
                name = part.cells.id[t]
                if name in answer.distributions:
                    pmf = on_grid(answer.distributions[name], part.cells, t)
                    count = round(float(part.cells.y[t]) * steps(part.cells, t))
                    there = possible(part.cells, t, shown)
                    block = name if question == Question() else part.block[t]
                    cells.append(_Cell(pmf, there, count, name, block))
        if not any_asked and k > 0:  # train runs have no responses to show
            return self.calibration(question, 0)
        blocks = len({cell.block for cell in cells})
        g = Recalibration.of(
            [cell.pit(1.0 / (blocks + 1)) for cell in cells], [cell.block for cell in cells]
        )
        return _Calibration(g, np.array([mid_pit(cell.pmf, cell.count) for cell in cells]))

    def _splits(self, question: Question) -> list[tuple[InnerSplit, Fitted]]:
        if question not in self._inner:
            parts = self.train.inner(
                question, splits=self.conformal.splits, cells=self.conformal.cells
            )
            self._inner[question] = [
                (part, Fitted(self.conformal._member, part.train, self.seed)) for part in parts
            ]
        return self._inner[question]
