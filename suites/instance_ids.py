"""Whether instance ids can be right: questions that are hard for one model are hard for others.

Where the ids of a run name other questions than those of the other runs (rows were shuffled, or
numbered anew after filtering), its responses go together with theirs no more than by chance.
Whoever predicts by items is misled then, and nothing else would tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["InstanceIds"]

Array: TypeAlias = NDArray[np.float64]

_LEAST_RUNS = 3
_CHANCE, _SURE = 2.0, 6.0  # of a run: standard deviations taken for chance, and for none
_ALL_CHANCE, _ALL_SURE = 3.0, 8.0  # of all runs together
_WEAK = 0.05  # a correlation so small would be found where all runs are judged together


class InstanceIds:
    """Gathers the responses of runs, and says which ids are doubtful.

    Examples
    --------
    >>> import pyarrow as pa
    >>> rng, ids = np.random.default_rng(0), [f"q{i}" for i in range(200)]
    >>> ease = 2 * rng.normal(size=200)
    >>> gathered = InstanceIds()
    >>> for m in range(5):
    ...     y = (ease + rng.normal(size=200) > 0).astype(float)
    ...     y = rng.permutation(y) if m == 2 else y
    ...     gathered.add("s", f"m{m}", m, pa.table({"instance": ids, "value": y}))
    >>> [label for label, _ in gathered.doubts()]
    [2]
    """

    def __init__(self) -> None:
        self._cells: dict[Any, dict[str, _Run]] = {}

    def add(
        self, cell: Any, model: str, label: Any, responses: pa.Table, *, more_is_worse: bool = False
    ) -> None:
        """Note a run; of several of one model in one cell, the first.

        Parameters
        ----------
        cell : hashable
            What was measured: runs of one cell have the same questions.
        model : str
        label : object
            What the run is called in `doubts`.
        responses : pyarrow.Table
            Columns ``instance`` and ``value``.
        more_is_worse : bool
            Whether smaller values are better.
        """
        runs = self._cells.setdefault(cell, {})
        if model in runs or not responses.num_rows:
            return
        names = pd.Series(responses.column("instance").to_pandas()).astype("category")
        value = responses.column("value").to_pandas().to_numpy(dtype=float, na_value=np.nan)
        there = np.isfinite(value) & (names.cat.codes >= 0).to_numpy(bool)
        if there.sum() < 2:
            return
        hashes = pd.util.hash_array(names.cat.categories.to_numpy(dtype=object))
        items, at = np.unique(hashes[names.cat.codes[there]], return_inverse=True)
        means = np.bincount(at, weights=value[there]) / np.bincount(at)
        scale = float(np.abs(means).max()) or 1.0
        mean = float(means.mean())
        runs[model] = _Run(label, items, (means - mean) / scale, -mean if more_is_worse else mean)

    def doubts(self) -> Iterator[tuple[Any, str]]:
        r"""Give the runs whose ids are doubtful, and why.

        With :math:`e_{mi}` what run m got on instance i, less its mean, :math:`r_m` is the
        correlation over instances of :math:`e_{mi}` and :math:`\sum_{l \ne m} e_{li}`, the rest;
        were the ids of run m in a random order, it would have mean 0 and standard deviation
        :math:`1 / \sqrt{I - 1}`. A run is doubtful where it is within 2 of these of 0, the median
        run is beyond 6, and its mean is not among the worst quarter (who answers at random is). All
        runs of a cell are, where :math:`\sum_{l < m} e_l \cdot e_m` is within 3 standard
        deviations of 0 (of orders that are all random: :math:`\sum_{l < m} |e_l|^2 |e_m|^2 /
        (I - 1)` squared) and a mean correlation of .05 would be beyond 8.

        Yields
        ------
        (object, str)
            The run's label (of a whole cell: that of its first run), and a sentence.
        """
        for runs in self._cells.values():
            if len(runs) >= _LEAST_RUNS:
                yield from _doubts(list(runs.values()))


@dataclass(frozen=True, eq=False)
class _Run:
    """What one model got: its instances, hashed; on each, less the mean; how good it is."""

    label: Any
    items: NDArray[np.uint64]
    e: Array
    mean: float


def _doubts(runs: list[_Run]) -> Iterator[tuple[Any, str]]:
    items = np.unique(np.concatenate([run.items for run in runs]))
    total = np.zeros(len(items))
    for run in runs:
        total[np.searchsorted(items, run.items)] += run.e
    squares = np.array([run.e @ run.e for run in runs])
    sizes = np.array([len(run.e) for run in runs])
    rests = [total[np.searchsorted(items, run.items)] - run.e for run in runs]
    along = np.array([run.e @ rest for run, rest in zip(runs, rests, strict=True)])
    usual = np.sqrt(squares * np.array([float(((r - r.mean()) ** 2).sum()) for r in rests]))
    with np.errstate(invalid="ignore", divide="ignore"):
        agreement = np.where(usual > 0, along / usual, np.nan)  # item-rest correlations
    known = np.isfinite(agreement)
    if known.sum() < _LEAST_RUNS:
        return
    size = float(np.median(sizes)) - 1
    pairs = float(((squares.sum()) ** 2 - (squares**2).sum()) / 2)
    roots = np.sqrt(squares)
    weight = float((roots.sum() ** 2 - squares.sum()) / 2)
    together, chance = float(along.sum() / 2), np.sqrt(pairs / size)
    mean = together / weight
    if together < _ALL_CHANCE * chance:
        if _WEAK * weight > _ALL_SURE * chance:
            yield (
                runs[0].label,
                f"the responses of {len(runs)} models to its {len(items)} instances go together "
                f"no more than by chance (mean correlation {mean:.3f}): the ids may name other "
                "questions in each run",
            )
        return
    middle = float(np.median(agreement[known]))
    low = float(np.quantile([run.mean for run in runs], 0.25))
    for run, own, n in zip(runs, agreement, sizes, strict=True):
        root = float(np.sqrt(n - 1))
        if abs(own) * root < _CHANCE and middle * root > _SURE and run.mean > low:
            yield (
                run.label,
                f"its responses go along with those of the other models no more than by chance "
                f"(correlation with the rest {own:.2f}, of the median model {middle:.2f}), "
                "though it scores as they do: its ids may name other questions",
            )
