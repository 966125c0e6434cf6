"""Judge predictions of single responses, run by run.

A run's responses are scored together, since their errors are not independent: `brier` and
`log_loss` are means over the run's unseen responses, `auroc` is within the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.distribution import Distribution
from harness.judging import Judged, Losses, Said, not_asked, own_words
from harness.prediction_table import decode

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["BINS", "CLIP", "CellResponses", "auroc", "judge_responses"]

CLIP = 0.01
"""For `log_loss`, probabilities are at least this and at most one less this."""

BINS = 20
"""Bins of equal width of the calibration curve."""


@dataclass(frozen=True, slots=True)
class CellResponses:
    """The responses of one run that are asked for, with their truth.

    Attributes
    ----------
    targets : list of str
        A name for each.
    values : ndarray of float, shape (responses,)
        What was observed, metric units.
    lower, upper : float or None
        The metric's range.
    """

    targets: list[str]
    values: NDArray[np.float64]
    lower: float | None
    upper: float | None

    n = None  # a response has no count, for whoever reads predictions of it
    binary = False

    @property
    def range(self) -> tuple[float, float] | None:
        """The lower end of the metric's range and its width; None where it is not known."""
        if self.lower is None or self.upper is None:
            return None
        return self.lower, self.upper - self.lower

    def moved(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move values by the metric's range to [0, 1]."""
        assert self.range is not None
        lower, width = self.range
        return np.asarray((values - lower) / width)

    @property
    def is_right_or_wrong(self) -> bool:
        """Whether every value is one end of the range."""
        if self.lower is None or self.upper is None:
            return False
        return bool(np.isin(self.values, [self.lower, self.upper]).all())

    def uniform(self) -> Losses:
        """Score the prediction that knows nothing: a half, or the uniform distribution."""
        if self.range is None:
            return {}
        lower, width = self.range
        middle = np.full(len(self.values), lower + width / 2)
        y = self.moved(self.values)
        return self.scores(middle, (y**3 + (1 - y) ** 3) / 3 * width)  # the integral of its CRPS

    def scores(self, mean: NDArray[np.float64], crps: NDArray[np.float64] | None = None) -> Losses:
        r"""Score predictions of all responses by the rules that apply.

        With p the predicted mean and y the value, both moved to [0, 1] by the metric's range:

        - ``brier``: mean of (p − y)², for metrics with a range (of values 0 and 1 the Brier score,
          of others the squared error of the mean);
        - ``log_loss``: mean of −log of the probability of what was observed, p in [.01, .99], where
          all values are ends of the range; ``auroc`` there too, where both ends occur;
        - ``crps`` (in points of the range, or the metric's unit) and ``squared_error`` elsewhere;
        - ``responses``: how many there are.

        Parameters
        ----------
        mean : ndarray of float, shape (responses,)
            Predicted means, metric units, within the range.
        crps : ndarray of float, shape (responses,), optional
            The CRPS of each prediction, metric units; that of points by default.
        """
        out: Losses = {}
        width = None if self.range is None else self.range[1]
        if width is not None:
            p, y = self.moved(mean), self.moved(self.values)
            out["brier"] = float(np.mean((p - y) ** 2))
        if self.is_right_or_wrong:
            likely = np.clip(p, CLIP, 1 - CLIP)
            out["log_loss"] = float(-np.mean(np.log(np.where(y == 1, likely, 1 - likely))))
            area = auroc(p, y == 1)
            if area is not None:
                out["auroc"] = area
        else:
            scale = 1.0 if width is None else 100.0 / width
            loss = np.abs(mean - self.values) if crps is None else crps
            out["crps"] = float(np.mean(loss)) * scale
            out["squared_error"] = float(np.mean((mean - self.values) ** 2)) * scale**2
        out["responses"] = float(len(self.values))
        return out


def judge_responses(table: pa.Table, cells: Mapping[str, CellResponses], said: Said) -> Judged:
    """Judge predictions of single responses.

    Parameters
    ----------
    table : pyarrow.Table
        As `harness.instance_table.encode_instances` makes it, but written by a process that may
        have written anything.
    cells : mapping of str to CellResponses
        The run's target → its responses that were asked for.
    said : mapping
        What the worker says of responses that are not ok.

    Returns
    -------
    Judged
        A status and scores of each run: ok when every response has one valid prediction.

    Raises
    ------
    ValueError, or what a damaged table raises
        If the table cannot be read.
    """
    names = [name for cell in cells.values() for name in cell.targets]
    place = {name: i for i, name in enumerate(names)}
    of_cell = np.repeat(np.arange(len(cells)), [len(cell.targets) for cell in cells.values()])
    every = list(cells.values())
    mean, crps, times = np.full(len(names), np.nan), np.full(len(names), np.nan), Counter[int]()
    wrong: dict[int, tuple[str, str]] = {}
    outside = np.zeros(len(names))
    rest, at, given = _points(table, place)
    times.update(at.tolist())
    mean[at] = given
    wanted = {name: every[of_cell[i]] for name, i in place.items()} if rest.num_rows else {}
    for name, distribution, why in decode(rest, wanted):
        i = place.get(name)
        if i is None:
            continue
        times[i] += 1
        if distribution is None:
            wrong[i] = ("invalid", why)
        else:
            mean[i], outside[i] = distribution.mean, distribution.outside
            crps[i] = _crps(distribution, every[of_cell[i]], i, of_cell)
    for i in np.flatnonzero(~np.isfinite(mean)).tolist():
        if times[i] == 1 and i not in wrong:
            wrong[i] = ("invalid", f"its mean is {mean[i]}, it must be finite")
        elif times[i] == 0:
            wrong[i] = own_words(names[i], said, "no prediction for it")
    for i, number in times.items():
        if number > 1:
            wrong[i] = ("duplicate", f"{number} predictions were returned for it")

    judged = Judged()
    starts = np.searchsorted(of_cell, np.arange(len(cells) + 1))
    bins = np.zeros((BINS, 3))
    for c, (target, cell) in enumerate(cells.items()):
        part = slice(int(starts[c]), int(starts[c + 1]))
        bad = [wrong[i] for i in range(part.start, part.stop) if i in wrong]
        p, beyond = _within(mean[part], cell)
        beyond = np.maximum(beyond, outside[part])
        if bad:
            state, why = Counter(bad).most_common(1)[0][0]
            message = f"{len(bad)} of {len(cell.targets)} responses: {why}"
            judged.status.append((target, state, 0.0, message))
            continue
        judged.status.append((target, "ok", float(beyond.mean()), ""))
        points = np.abs(p - cell.values)
        losses = np.where(np.isnan(crps[part]), points, crps[part])
        judged.scores.append((target, cell.scores(p, losses)))
        if cell.is_right_or_wrong:
            bins += _binned(cell.moved(p), cell.values == cell.upper)
    judged.calibration = [
        (b, int(n), float(of_p), float(of_y)) for b, (n, of_p, of_y) in enumerate(bins) if n
    ]
    judged.status += not_asked(said, {**place, **cells})
    return judged


def auroc(p: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Give the area under the ROC curve: how often a right response has the greater prediction.

    Ties count a half (the Mann–Whitney statistic). None where all are right, or all wrong.

    Examples
    --------
    >>> import numpy as np
    >>> auroc(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    from scipy.stats import rankdata

    ones = int(right.sum())
    zeros = len(right) - ones
    if not ones or not zeros:
        return None
    ranks = rankdata(p)[right].sum()
    return float((ranks - ones * (ones + 1) / 2) / (ones * zeros))


def _points(
    table: pa.Table, place: Mapping[str, int]
) -> tuple[pa.Table, NDArray[np.int64], NDArray[np.float64]]:
    """Part the means of known responses from what else a table holds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = table.column("output_type").cast(pa.string())
    is_mean = pc.fill_null(pc.equal(kind, "mean"), False)
    means = table.filter(is_mean)
    column = means.column("target").combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    words = column.dictionary.cast(pa.string()).to_pylist()
    at = np.array([place.get(word, -1) for word in words] + [-1], np.int64)
    codes = at[column.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)]
    value = means.column("value").cast(pa.float64()).to_numpy()
    known = codes >= 0
    return table.filter(pc.invert(is_mean)), codes[known], value[known]


def _within(
    mean: NDArray[np.float64], cell: CellResponses
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move means beyond the metric's range to its ends; say which were."""
    low = -np.inf if cell.lower is None else cell.lower
    high = np.inf if cell.upper is None else cell.upper
    return np.clip(mean, low, high), ((mean < low) | (mean > high)).astype(float)


def _crps(
    distribution: Distribution, cell: CellResponses, i: int, of_cell: NDArray[np.int64]
) -> float:
    first = int(np.searchsorted(of_cell, of_cell[i]))
    return float(distribution.crps(float(cell.values[i - first])))


def _binned(p: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give, for each bin of predictions, how many there are, their sum, and how many are right."""
    at = np.minimum((p * BINS).astype(int), BINS - 1)
    sums = [np.bincount(at, weights=w, minlength=BINS) for w in (np.ones(len(p)), p, right)]
    return np.stack(sums, axis=1)
