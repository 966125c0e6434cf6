"""`Stack`: a linear pool of predictors, weighted by their log score on hidden train cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import logsumexp

from harness.prediction import RunPrediction
from harness.predictor import RunPredictor
from harness.rules import LOG_SCORE_MIX
from predictors.common.counts import Array
from predictors.common.grid import Cells, read_shown, read_targets
from predictors.common.inner_folds import InnerSplit, Question, Train
from predictors.common.members import (
    Answers,
    Fitted,
    Member,
    on_grid,
    reason,
    stated,
    steps,
    uses_of,
)
from predictors.common.priors import label
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["Stack", "pool_weights"]

_ENOUGH = 1e-10  # of a weight: the change of a sweep that ends the search
_SWEEPS = 5000


class Stack(RunPredictor):
    r"""Pool the distributions of several predictors, by weights learned on hidden train cells.

    .. math:: p(c) = \sum_m w_m p_m(c), \qquad
              w = \arg\max \sum_i \log \sum_m w_m \tilde p_{mi} + a \sum_m \log w_m

    where :math:`\tilde p_{mi} = (1 - \epsilon) p_{mi} + \epsilon / (N_i + 1)` is what member m,
    fitted without the inner cell i and what belongs to it, gives to the count that was observed
    (of a value that is no count: to its thousandth of the range), as the log score has it. The
    second term is a Dirichlet prior of a pseudo-cells for each member: it draws the weights to
    equal ones.

    Parameters
    ----------
    members : sequence of str
        Predictors, as commands take them: ``("profile", "low-rank(ridge=1)")``.
    splits : int
        Inner splits, at most, for each kind of question: how often each member is fitted once more.
    cells : int
        Inner cells of known models and scenarios that are enough: no split follows them; and the
        most that are scored of any one split.
    prior : float
        a, positive.
    **notebook
        Those of `harness.predictor.Predictor`.

    Notes
    -----
    Weights are learned for each kind of question that the targets put (is the model known, or its
    organisation; the scenario, or its group: `predictors.common.inner_folds.Question`), and for
    each k, from inner splits of the same kind and with as many shown responses; where train runs
    have no responses, those of k = 0 are taken, and where nothing can be hidden, all are equal.
    Members are then fitted to all train runs. One that raises, answers nothing or needs more
    responses gets no weight (`checks` says why); a target it does not answer is pooled of the
    others.

    Draws stay joint where every member with a weight gives joint draws: world s is world s of one
    member for all targets with the same weights. Metrics without bounds are predicted by the
    first member that does.

    Costs (splits + 1) fits of every member, and more for each further kind of question.

    References
    ----------
    Yao, Vehtari, Simpson, Gelman, "Using stacking to average Bayesian predictive distributions",
    Bayesian Analysis 13 (2018), doi:10.1214/17-BA1091. Linear pool: Stone, "The opinion pool",
    Annals of Mathematical Statistics 32 (1961), doi:10.1214/aoms/1177704873.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import SequesteredTestSplit, TrainSplit
    >>> cells = [(m, s) for m in "abcd" for s in "tuvw"]
    >>> runs = pd.DataFrame(cells, columns=["model", "scenario"])
    >>> runs["run"] = runs["model"] + runs["scenario"]
    >>> strength = runs["model"].map({"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8})
    >>> runs = runs.assign(value=strength, lower=0.0, upper=1.0)
    >>> targets = pd.DataFrame({"target": ["t1"], "model": "d", "scenario": "w"})
    >>> test = SequesteredTestSplit(targets=targets.assign(lower=0.0, upper=1.0), k=0)
    >>> stack = Stack(members=("scenario-mean", "additive-logit"), splits=5)
    >>> stack.fit(TrainSplit(runs=runs[:-1]))
    >>> 0.6 < stack.predict(TrainSplit(runs=runs[:-1]), test)[0].quantiles[0.5] < 0.8
    True
    """

    needs: ClassVar[tuple[str, ...] | None] = ("runs",)
    uses: ClassVar[tuple[str, ...]] = ("responses",)
    _fold: _Fold | None = None

    def __init__(
        self,
        members: Sequence[str] = ("profile", "factorisation", "signature"),
        splits: int = 3,
        cells: int = 150,
        prior: float = 1.0,
        **notebook: Any,
    ) -> None:
        super().__init__(**notebook)
        if isinstance(members, str) or not members:
            raise UsageError(f"Stack: members must be names of predictors: {members!r}.")
        if len(set(members)) < len(members):
            raise UsageError(f"Stack: a member is named twice: {members!r}.")
        for setting, value in (("splits", splits), ("cells", cells)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"Stack: {setting} must be a whole number from 1 on: {value!r}.")
        if isinstance(prior, bool) or not isinstance(prior, int | float):
            raise UsageError(f"Stack: prior must be a number: {prior!r}.")
        if not (math.isfinite(prior) and prior > 0):
            raise UsageError(f"Stack: prior must be positive: {prior!r}.")
        self.members, self.splits, self.cells, self.prior = tuple(members), splits, cells, prior
        self._members = [Member.of(name, "Stack") for name in self.members]
        self.uses = uses_of(self._members)  # type: ignore[misc] # what is asked may use more

    def fit(self, train_split: TrainSplit) -> None:
        """Fit the members to all train runs; inner splits wait for what is asked."""
        self._fold = _Fold.of(self, train_split)

    def checks(self, train_split: TrainSplit) -> pd.DataFrame:
        """Say what each member weighs for a known model and scenario without a shown response.

        Returns
        -------
        DataFrame
            One row for each member, ``check`` its name, ``value`` its weight; ``passed`` is false
            for one that was left out, and ``offenders`` says why.
        """
        import pandas as pd

        fold = self._fitted(train_split)
        weights, why = fold.weights(Question(), 0)
        rows = []
        for name, fitted, weight in zip(self.members, fold.fitted, weights, strict=True):
            said = reason(fitted.error) or why.get(name, "")
            rows.append((f"weight of {name}", float(weight), 0.0, not said, said))
        return pd.DataFrame(rows, columns=["check", "value", "limit", "passed", "offenders"])

    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Pool what the members say of each target."""
        fold = self._fitted(train_split)
        test = sequestered_test_split
        targets = read_targets(test)
        k = int(test.k or 0) if read_shown(test, targets).k.any() else 0
        seed = int(self.random_state)
        answers = [fitted.ask(test, seed) for fitted in fold.fitted]
        out = []
        joint = _Joint(targets, answers)
        for t, question in enumerate(fold.train.questions(test.targets)):
            weights, _ = fold.weights(question, k)
            prediction = _pooled(targets, t, answers, weights, joint)
            if prediction is not None:
                out.append(prediction)
        return out

    def _fitted(self, train_split: TrainSplit) -> _Fold:
        """Give what was learned; learn it, where it was called without fit as in a notebook."""
        return self._fold if self._fold is not None else _Fold.of(self, train_split)


@dataclass(eq=False)
class _Fold:
    """What was learned from a train split, and what is learned of it when it is asked for."""

    stack: Stack
    train: Train
    fitted: list[Fitted]
    seed: int
    _inner: dict[Question, list[tuple[InnerSplit, list[Fitted]]]] = field(default_factory=dict)
    _weights: dict[tuple[Question, int], tuple[Array, dict[str, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack, split: TrainSplit) -> _Fold:
        train, seed = Train(split), int(stack.random_state)
        return cls(stack, train, [Fitted(m, split, seed) for m in stack._members], seed)

    def weights(self, question: Question, k: int) -> tuple[Array, dict[str, str]]:
        """Give the members' weights for a kind of question, and why one has none."""
        if (question, k) not in self._weights:
            self._weights[question, k] = self._learned(question, k)
        return self._weights[question, k]

    def _learned(self, question: Question, k: int) -> tuple[Array, dict[str, str]]:
        rows: list[Array] = []
        why: dict[str, str] = {}
        answered = np.zeros(len(self.fitted), bool)
        for part, members in self._splits(question):
            asked = part.scored & part.asked(k)
            if not asked.any():
                continue
            test = part.test(k)
            said = [member.ask(test, self.seed) for member in members]
            for m, answer in enumerate(said):
                answered[m] |= bool(answer.distributions)
                if answer.why:
                    why.setdefault(self.stack.members[m], answer.why)
            rows += [_given(part.cells, t, said) for t in np.flatnonzero(asked).tolist()]
        if not rows:
            if k > 0:  # train runs have no responses to show
                return self.weights(question, 0)
            return np.full(len(self.fitted), 1.0 / len(self.fitted)), {}
        if not answered.any():
            return np.full(len(self.fitted), 1.0 / len(self.fitted)), why
        weights = np.zeros(len(self.fitted))
        weights[answered] = pool_weights(np.array(rows)[:, answered], self.stack.prior)
        left_out = {
            name for name, there in zip(self.stack.members, answered, strict=True) if not there
        }
        return weights, {name: said for name, said in why.items() if name in left_out}

    def _splits(self, question: Question) -> list[tuple[InnerSplit, list[Fitted]]]:
        if question not in self._inner:
            splits, cells = self.stack.splits, self.stack.cells
            parts = self.train.inner(question, splits=splits, cells=splits * cells)
            if question == Question():  # else what is hidden together tells less than its cells
                counts = np.cumsum([int(part.scored.sum()) for part in parts])
                parts = parts[: int(np.searchsorted(counts, cells)) + 1]
            self._inner[question] = [
                (part, [Fitted(m, part.train, self.seed) for m in self.stack._members])
                for part in parts
            ]
        return self._inner[question]


def pool_weights(log_p: Array, prior: float) -> Array:
    r"""Give the weights of a linear pool with the greatest mean log score.

    Maximises :math:`\sum_i \log \sum_m w_m p_{im} + a \sum_m \log w_m`, which is concave, by the
    EM algorithm.

    Parameters
    ----------
    log_p : ndarray of float, shape (cells, members)
        Log probability that each member gave to what was observed; finite.
    prior : float
        a: pseudo-cells of each member.

    Returns
    -------
    ndarray of float, shape (members,)
        Positive, with sum 1.

    References
    ----------
    Dempster, Laird, Rubin, "Maximum likelihood from incomplete data via the EM algorithm",
    Journal of the Royal Statistical Society B 39 (1977).

    Examples
    --------
    >>> pool_weights(np.log([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]), 1.0).round(3).tolist()
    [0.601, 0.399]
    """
    cells, members = log_p.shape
    log_w = np.full(members, -math.log(members))
    for _ in range(_SWEEPS):
        share = log_p + log_w
        share = np.exp(share - logsumexp(share, axis=1, keepdims=True))
        weights = (share.sum(axis=0) + prior) / (cells + members * prior)
        change = float(np.abs(weights - np.exp(log_w)).max())
        log_w = np.log(weights)
        if change < _ENOUGH:
            break
    return np.exp(log_w)


def _given(cells: Cells, t: int, said: Sequence[Answers]) -> Array:
    """Give the log probability that each member gave to a known value; uniform for no answer."""
    size, name = steps(cells, t), cells.id[t]
    observed = round(float(cells.y[t]) * size)
    p = [
        on_grid(answer.distributions[name], cells, t)[observed]
        if name in answer.distributions
        else 1.0 / (size + 1)
        for answer in said
    ]
    out: Array = np.log((1.0 - LOG_SCORE_MIX) * np.array(p) + LOG_SCORE_MIX / (size + 1))
    return out


class _Joint:
    """Draws that belong together, where all members that answer give such."""

    def __init__(self, targets: Cells, answers: Sequence[Answers]) -> None:
        self.answers = answers
        draws = [
            answer.draws(targets.id[t])
            for answer in answers
            for t in np.flatnonzero(targets.bounded).tolist()
            if targets.id[t] in answer.distributions
        ]
        sizes = [len(d) for d in draws if d is not None]
        self.size = min(sizes) if sizes and len(sizes) == len(draws) else 0

    def pooled(self, target: str, members: Sequence[int], weights: Array) -> Array:
        """Take each world from one member: from each as many as its weight asks, spread evenly."""
        share = weights * self.size
        count = np.floor(share).astype(int)
        rest = np.argsort(-(share - count), kind="stable")[: self.size - int(count.sum())]
        count[rest] += 1
        place = np.concatenate([(np.arange(c) + 0.5) / c for c in count if c])
        of = np.repeat(np.arange(len(members)), count)[np.argsort(place, kind="stable")]
        out = np.empty(self.size)
        for m, member in enumerate(members):
            draws = self.answers[member].draws(target)
            assert draws is not None
            out[of == m] = draws[: self.size][of == m]
        return out


def _pooled(
    targets: Cells, t: int, answers: Sequence[Answers], weights: Array, joint: _Joint
) -> RunPrediction | None:
    name = targets.id[t]
    if not targets.bounded[t]:
        return next((a.predictions[name] for a in answers if name in a.predictions), None)
    there = [m for m, answer in enumerate(answers) if name in answer.distributions]
    if not there:
        return None
    own = weights[there]
    # those that alone answer were left out on inner cells: then they count alike
    own = own / own.sum() if own.sum() > 0 else np.full(len(there), 1.0 / len(there))
    used = [m for m, w in zip(there, own, strict=True) if w > 0]
    own = own[own > 0]
    if joint.size:
        samples = joint.pooled(name, used, own)
        return label(targets, t, mean=float(samples.mean()), samples=samples, joint=True)
    pmf = sum(
        w * on_grid(answers[m].distributions[name], targets, t)
        for m, w in zip(used, own, strict=True)
    )
    return stated(targets, t, np.asarray(pmf))
