"""Predictors that another predictor asks: found by name, fitted, asked, and forgiven.

What they answer is read as the harness reads it, and put on a grid of counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.distribution import Distribution, discretise
from harness.instance_predictor import InstancePredictor
from harness.loading import load_class
from harness.prediction import RunPrediction
from harness.prediction_table import decode, encode
from harness.predictor import NotApplicable, reseed
from harness.spec import parse_spec
from predictors.common.counts import Array
from predictors.common.grid import Cells, Shown, read_targets
from predictors.common.priors import LEVELS, label
from suites.errors import UsageError

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = [
    "Answers",
    "Fitted",
    "Member",
    "on_grid",
    "possible",
    "reason",
    "stated",
    "steps",
    "uses_of",
]

READABLE: tuple[str, ...] = ("runs", "responses", "metadata")
"""What of `needs` and `uses` there is of train runs that are held out from others."""

_STEPS = 1000  # of the range of a value that is no count
_NAMES = ("target", "run", "name", "metric", "part", "perturbation")


@dataclass(frozen=True)
class Member:
    """A predictor that is asked by another.

    Attributes
    ----------
    name : str
        As it was named.
    cls : type
    settings : dict
    """

    name: str
    cls: Any
    settings: dict[str, Any]

    @classmethod
    def of(cls, text: str, asks: str) -> Member:
        """Find a predictor by name.

        Parameters
        ----------
        text : str
            A registered name or ``module:Class``, with settings as commands take them.
        asks : str
            Who asks; errors name it.

        Raises
        ------
        UsageError
            If there is none of that name, it predicts single responses, or it reads what inner
            splits do not have.

        Examples
        --------
        >>> Member.of("kernel-ridge(ridge=5)", "Stack").make().ridge
        5
        """
        spec = parse_spec(str(text))
        found = load_class(spec.load_message()["spec"])
        member = cls(str(text), found, dict(spec.settings))
        needs = getattr(found, "needs", None)
        if issubclass(found, InstancePredictor):
            raise UsageError(f"{asks}: {text} predicts single responses, no run values.")
        if needs is None or not {*needs, *_uses(found)} <= set(READABLE):
            reads = "what it does not declare" if needs is None else ", ".join(needs)
            raise UsageError(
                f"{asks}: {text} reads {reads}; it is asked on train runs that are held out, and "
                f"may need {', '.join(READABLE)} only. Declare needs in its class."
            )
        return member

    def make(self) -> Any:
        """Give a new object."""
        return self.cls(**self.settings)


@dataclass
class Answers:
    """What a member said of targets.

    Attributes
    ----------
    predictions : dict of str to RunPrediction
        As it gave them, of the targets that it named by their id and gave a valid one for.
    distributions : dict of str to Distribution
        What they state.
    error : Exception or None
        What it raised instead.
    """

    predictions: dict[str, RunPrediction] = field(default_factory=dict)
    distributions: dict[str, Distribution] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def why(self) -> str:
        """Why there is no answer; empty where there is one."""
        if self.error is None and not self.distributions:
            return "it gave no valid prediction"
        return reason(self.error)

    def draws(self, target: str) -> Array | None:
        """Give the draws of a target, in their order, where they belong to those of others."""
        prediction = self.predictions.get(target)
        if prediction is None or not prediction.joint or prediction.samples is None:
            return None
        return np.asarray(prediction.samples, float)


class Fitted:
    """A member that learned from a train split; what it raises is kept.

    Parameters
    ----------
    member : Member
    train : TrainSplit
    seed : int
        Of what is random in its fit.
    """

    def __init__(self, member: Member, train: TrainSplit, seed: int) -> None:
        self.member, self._train = member, train
        self.error: Exception | None = None
        self._predictor: Any = None
        try:
            self._predictor = member.make()
            reseed(self._predictor, seed)
            if callable(getattr(self._predictor, "fit", None)):
                self._predictor.fit(train)
        except Exception as err:  # one that fails is left out, whatever it raises
            self.error = err

    def ask(self, test: SequesteredTestSplit, seed: int) -> Answers:
        """Let it predict the targets of a test split."""
        if self.error is not None:
            return Answers(error=self.error)
        least = int(getattr(self.member.cls, "min_k", 0))
        if int(test.k or 0) < least:
            return Answers(error=NotApplicable(f"it needs at least k = {least} shown responses"))
        asked = test.targets.reindex(columns=list(dict.fromkeys([*test.targets.columns, *_NAMES])))
        facts = _facts(read_targets(test))
        try:
            reseed(self._predictor, seed)
            said = list(self._predictor.predict(self._train, test))
            table = encode(said, asked).table
        except Exception as err:
            return Answers(error=err)
        found = Answers()
        by_target = {p.target: p for p in said if p.target is not None}
        for target, distribution, _ in decode(table, facts):
            if distribution is None:
                continue
            found.distributions[target] = distribution
            if target in by_target:
                found.predictions[target] = by_target[target]
        return found


def reason(error: Exception | None) -> str:
    """Say what was raised, short; empty where nothing was.

    Examples
    --------
    >>> reason(ValueError("no such column")), reason(None)
    ('ValueError: no such column', '')
    """
    return "" if error is None else f"{type(error).__name__}: {error}"[:300]


def steps(cells: Cells, row: int) -> int:
    """Give the number of steps of a target's grid: its counts, or 1000 steps of the range."""
    return int(cells.n[row]) if cells.counted[row] else _STEPS


def on_grid(distribution: Distribution, cells: Cells, row: int) -> Array:
    """Put a distribution of a bounded metric's value onto its grid.

    Returns
    -------
    ndarray of float, shape (steps + 1,)
        Probabilities; draws are smoothed (`harness.distribution.discretise`).
    """
    lower = float(cells.lower[row])
    size = steps(cells, row)
    return discretise(distribution, size, lower, lower + float(cells.span[row])).pmf


def possible(cells: Cells, row: int, shown: Shown | None) -> NDArray[np.bool_]:
    """Say which steps of the grid the shown responses leave possible.

    The value is the mean of n responses inside the range, the shown ones among them.
    """
    size, n = steps(cells, row), int(cells.n[row])
    there = np.ones(size + 1, bool)
    if shown is None or n == 0 or not 0 < int(shown.k[row]) <= n:
        return there
    low = float(shown.total[row]) / n
    place, slack = np.arange(size + 1) / size, 0.5 / size if cells.counted[row] else 1.0 / size
    there = (place > low - slack) & (place < low + 1.0 - int(shown.k[row]) / n + slack)
    return there if there.any() else np.ones(size + 1, bool)


def stated(cells: Cells, row: int, pmf: Array) -> RunPrediction:
    """State probabilities on a target's grid: a pmf of the count, else quantiles."""
    size = len(pmf) - 1
    lower, span = float(cells.lower[row]), float(cells.span[row])
    mean = lower + span * float(pmf @ np.arange(size + 1)) / size
    if cells.counted[row]:
        return label(cells, row, mean=mean, pmf=pmf / pmf.sum())
    edges = np.concatenate(([0.0], (np.arange(size) + 0.5) / size, [1.0]))
    cdf = np.concatenate(([0.0], np.cumsum(pmf) / pmf.sum()))
    values = lower + span * np.interp(LEVELS, cdf, edges)
    quantiles = dict(zip(LEVELS, np.maximum.accumulate(values).tolist(), strict=True))
    return label(cells, row, mean=mean, quantiles=quantiles)


def _facts(cells: Cells) -> dict[str, Any]:
    """Describe targets as a distribution is read: n, binary and bounds."""
    return {
        target: SimpleNamespace(
            n=int(cells.n[t]) or None,
            binary=bool(cells.counted[t]),
            lower=float(cells.lower[t]) if cells.bounded[t] else None,
            upper=float(cells.lower[t] + cells.span[t]) if cells.bounded[t] else None,
        )
        for t, target in enumerate(cells.id)
    }


def uses_of(members: Sequence[Member]) -> tuple[str, ...]:
    """Give what members read besides runs, and the responses that inner splits show."""
    read = {name for member in members for name in (*member.cls.needs, *_uses(member.cls))}
    return tuple(name for name in READABLE if name in read | {"responses"} and name != "runs")


def _uses(cls: Any) -> tuple[str, ...]:
    return tuple(getattr(cls, "uses", ()))
