"""What a check works with: a predictor, the cases it is asked on, and its usual answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.contract.cases import Asked, Case, Cases
from harness.contract.said import Said, difference
from harness.predictor import NotApplicable

if TYPE_CHECKING:
    from types import TracebackType

    from harness.data_splits import SequesteredTestSplit, TrainSplit

__all__ = ["OUTCOMES", "Broken", "Context", "Finding", "NotChecked"]

OUTCOMES: tuple[str, ...] = ("pass", "fail", "not applicable")


class Broken(AssertionError):
    """A predictor does not do what the contract asks, with what it does."""


class NotChecked(Exception):
    """There is nothing to check, with why."""


class Finding(NamedTuple):
    """What came of a check.

    Attributes
    ----------
    check : str
        Its name.
    outcome : str
        One of `OUTCOMES`.
    message : str
        What was found, or why there was nothing to check.
    mend : str
        What to do about it; empty unless it fails.
    """

    check: str
    outcome: str
    message: str
    mend: str = ""


class Context:
    """A predictor and what it is checked on; the answers that several checks compare with.

    Parameters
    ----------
    make : callable
        Gives a new object of the predictor.
    cases : Cases
        The folds.
    tolerance : float
        How much numbers may differ where only the order of rows does: sums differ in their last
        digits. Where a call is repeated, they may not differ at all.
    """

    def __init__(self, make: Callable[[], Any], cases: Cases, tolerance: float = 1e-6) -> None:
        self.make, self.cases, self.tolerance = make, cases, tolerance
        self._usual: Asked | Exception | None = None
        self._raised_at: TracebackType | None = None
        self.answers: dict[int, Said] = {}
        self.seconds: list[float] = []  # to fit, and for each k

    def usual(self) -> dict[int, Said]:
        """Give the answers of a new object on the first fold, k → what it said.

        Raises
        ------
        NotChecked
            If it has none: another check says why.
        """
        try:
            self.asked()
        except NotApplicable:
            raise
        except Exception as err:
            raise NotChecked("it does not answer: see the check answers") from err
        if not any(said.kind for said in self.answers.values()):
            raise NotChecked("it has no valid answer: see the check answers")
        return self.answers

    def asked(self) -> Asked:
        """Give the object that gave these answers; raise what it raises."""
        if self._usual is None:
            try:
                times = [time.perf_counter()]
                asked = Asked(self.make(), self.cases.first)
                times.append(time.perf_counter())
                for k in self.cases.ks:
                    self.answers[k] = asked.ask(k)
                    times.append(time.perf_counter())
                self._usual, self.seconds = asked, np.diff(times).tolist()
            except Exception as err:
                self._usual, self._raised_at = err, err.__traceback__
        if isinstance(self._usual, Exception):
            raise self._usual.with_traceback(self._raised_at)
        return self._usual

    def said(
        self,
        case: Case,
        *,
        train: Callable[[], TrainSplit] | None = None,
        test: Callable[[int], SequesteredTestSplit] | None = None,
    ) -> dict[int, Said]:
        """Let a new object learn once and ask it for each k, ascending."""
        asked = Asked(self.make(), case, train)
        return {k: asked.ask(k, None if test is None else test(k)) for k in self.cases.ks}

    def require_same(self, found: dict[int, Said], why: str, *, tolerance: float = 0.0) -> None:
        """Compare answers with the usual ones.

        Raises
        ------
        Broken
            If they differ.
        NotChecked
            If the same call made twice differs as well: that is another check's.
        """
        usual = self.usual()
        for k, said in found.items():
            if differs := difference(usual[k], said, tolerance):
                again = self.said(self.cases.first)
                if any(difference(usual[k], again[k]) for k in usual):
                    raise NotChecked("the same call gives other answers: see the check seed")
                raise Broken(f"{why}, k = {k}: {differs}")
