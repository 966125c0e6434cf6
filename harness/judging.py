"""Judge a call's answer: what became of each target, and the scores of those that are ok.

What is kept of a target's truth is a `TargetFacts`; single responses are judged in
`harness.judging_responses`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.distribution import Distribution
from harness.joint_rules import Groups, GroupScore
from harness.prediction_table import decode
from harness.rules import score, uniform

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["STATUSES", "Judged", "Losses", "Said", "TargetFacts", "judge_runs"]

STATUSES: tuple[str, ...] = (
    "ok",
    "missing",
    "duplicate",
    "unknown",
    "invalid",
    "failed",
    "timeout",
    "not_applicable",
)

Losses = dict[str, float]
"""Rule → what it gives a prediction."""

Said = Mapping[str, tuple[str, str]]
"""Target → (status, message), of targets that a worker says are not ok."""


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What scoring needs to know of a target; None where unknown."""

    value: float
    n: int | None
    binary: bool
    lower: float | None
    upper: float | None
    instances: int

    def scores(self, distribution: Distribution, target: str) -> Losses:
        """Score a prediction of this target by all rules that apply (`harness.rules.score`)."""
        return score(
            distribution,
            self.value,
            target=target,
            n=self.n,
            binary=self.binary,
            lower=self.lower,
            upper=self.upper,
        )

    def uniform(self, target: str) -> Losses:
        """Score the uniform distribution; empty where the metric's range is not known."""
        distribution = uniform(self.n, self.binary, self.lower, self.upper)
        return {} if distribution is None else self.scores(distribution, target)


@dataclass
class Judged:
    """What came of one call.

    Attributes
    ----------
    status : list of (target, status, outside, message)
        What became of every target that was asked for, and of answers for others; ``outside`` is
        the mass beyond the metric's bounds.
    scores : list of (target, scores)
        Of the targets that are ok.
    groups : list of GroupScore
        Scores of several targets together (`harness.joint_rules`).
    calibration : list of (bin, number, sum of predictions, sum of values)
        Of single responses of binary metrics: how often what was predicted came true.
    """

    status: list[tuple[str, str, float, str]] = field(default_factory=list)
    scores: list[tuple[str, Losses]] = field(default_factory=list)
    groups: list[GroupScore] = field(default_factory=list)
    calibration: list[tuple[int, int, float, float]] = field(default_factory=list)


def judge_runs(
    table: pa.Table,
    asked: Sequence[str],
    facts: Mapping[str, TargetFacts],
    said: Said,
    groups: Groups | None = None,
) -> Judged:
    """Judge predictions of run values.

    Parameters
    ----------
    table : pyarrow.Table
        As `harness.prediction_table.encode` makes it, but written by a process that may have
        written anything.
    asked : sequence of str
        The targets that were asked for.
    facts : mapping of str to TargetFacts
        Truth and grid of these.
    said : mapping
        What the worker says of targets that are not ok.
    groups : Groups, optional
        Targets that are judged together as well.

    Raises
    ------
    ValueError, or what a damaged table raises
        If the table cannot be read.
    """
    found: dict[str, tuple[str, float, str]] = {}
    scores: dict[str, Losses] = {}
    valid: dict[str, Distribution] = {}
    wanted = {target: facts[target] for target in asked}
    for target, distribution, why in decode(table, wanted):
        if target in found:
            found[target] = ("duplicate", 0.0, "two predictions were returned for it")
            scores.pop(target, None)
            valid.pop(target, None)
        elif distribution is None:
            found[target] = ("unknown" if why == "unknown" else "invalid", 0.0, why)
        else:
            found[target] = ("ok", float(distribution.outside), "")
            scores[target] = wanted[target].scores(distribution, target)
            valid[target] = distribution
    judged = Judged(scores=[(target, scores[target]) for target in asked if target in scores])
    for target in asked:
        state, outside, message = found.get(target, ("missing", 0.0, "no prediction for it"))
        if state == "missing":
            state, message = own_words(target, said, message)
        judged.status.append((target, state, outside, message))
    judged.status += not_asked(said, wanted)
    if groups is not None:
        judged.groups = groups.judge(valid, table, wanted)
    return judged


def own_words(target: str, said: Said, message: str) -> tuple[str, str]:
    """Give the status and the reason that a worker says a target without a prediction has."""
    state, why = said.get(target, ("missing", message))
    return (state if state in STATUSES[1:6] else "missing"), why


def not_asked(said: Said, wanted: Mapping[str, object]) -> list[tuple[str, str, float, str]]:
    """Give the statuses of answers for what nobody asked for."""
    return [
        (target, "unknown", 0.0, message)
        for target, (state, message) in sorted(said.items())
        if target not in wanted and state == "unknown"
    ]
