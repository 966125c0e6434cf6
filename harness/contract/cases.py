"""What the checks are made on: folds, as `harness.contract.prepare` wrote them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.answering import answer_of, as_wanted
from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.fold_folder import FoldFolder
from harness.predictor import reseed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from harness.contract.said import Said

__all__ = ["Asked", "Case", "Cases"]


@dataclass(frozen=True)
class Case:
    """One fold: a train split, and the targets with k shown responses for a few k.

    Attributes
    ----------
    folder : FoldFolder
        Its input folder.
    calls : Path
        A folder with what comes with the calls: ``shown-<k>``, ``state-<k>``.
    """

    folder: FoldFolder
    calls: Path
    _targets: dict[int, pd.DataFrame] = field(default_factory=dict, repr=False)

    def train(self) -> TrainSplit:
        """Give the train split, fresh from the files."""
        return self.folder.train_split()

    def targets(self, k: int) -> pd.DataFrame:
        """Give the targets that are asked for when k responses are shown, as a copy."""
        if k not in self._targets:
            self._targets[k] = self.folder.targets(k)
        kept = self._targets[k]
        if "instances" not in kept.columns:
            return kept.copy()
        return kept.assign(instances=kept["instances"].map(list))

    def test(self, k: int, targets: pd.DataFrame | None = None) -> SequesteredTestSplit:
        """Give what is seen of the targets (of some of them), fresh from the files."""
        asked = self.targets(k) if targets is None else targets
        return self.folder.test_split(asked, k, self.shown(k), self._bytes(f"state-{k}"))

    def shown(self, k: int) -> bytes | None:
        """Give the shown responses as they come with a call."""
        return self._bytes(f"shown-{k}")

    def _bytes(self, name: str) -> bytes | None:
        path = self.calls / name
        return path.read_bytes() if path.exists() else None


class Cases:
    """All that the checks of one predictor are made on.

    Parameters
    ----------
    path : Path
        The folder that `harness.contract.prepare.prepare` made.

    Attributes
    ----------
    least : int
        The predictor's own ``min_k``: the fewest shown responses that it is asked with.
    ks : list of int
        Greater numbers of shown responses, ascending; a number that some target has is among them.
    first : Case
        A fold.
    second : Case or None
        Another fold of the same runs; None where they make only one.
    unseen : Case or None
        The first fold of runs that differ only in what is not shown of the targets.
    """

    def __init__(self, path: Path) -> None:
        content = json.loads((path / "cases.json").read_text())
        self.least: int = content["least"]
        self.ks: list[int] = content["ks"]
        cases = {
            name: Case(FoldFolder(Path(folder)), path / name)
            for name, folder in content["cases"].items()
        }
        self.first: Case = cases["first"]
        self.second: Case | None = cases.get("second")
        self.unseen: Case | None = cases.get("unseen")


class Asked:
    """A predictor that was fitted to the train split of a case and is asked, as a worker does it.

    Parameters
    ----------
    predictor : object
        The predictor.
    case : Case
        The fold.
    train : callable, optional
        Gives another train split than the case's.
    """

    def __init__(
        self, predictor: Any, case: Case, train: Callable[[], TrainSplit] | None = None
    ) -> None:
        self.predictor, self.case = predictor, case
        fresh = train or case.train
        self._fresh = lambda: as_wanted(fresh(), predictor)
        self.train = self._fresh()
        reseed(predictor, 20_000)
        if callable(getattr(predictor, "fit", None)):
            predictor.fit(self.train)

    def ask(self, k: int, test: SequesteredTestSplit | None = None) -> Said:
        """Ask for all targets, or for those of another test split; give what was said."""
        from harness.contract.said import Said

        test = self.case.test(k) if test is None else test
        asked = test.targets.copy()  # a predictor may ruin its own
        train = self.train if hasattr(self.predictor, "fit") else self._fresh()
        reseed(self.predictor, 20_001 + k)
        return Said(answer_of(self.predictor, train, test, asked))
