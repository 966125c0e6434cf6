"""Quantiles of all predictions of a results folder at once, read piece by piece.

`harness.distribution` builds one distribution at a time, with all that scores need; pages of
thousands of cells need five quantiles of each of half a million. They are the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from harness.distribution.numerics import LEVEL_SLACK
from leaderboard.arrays import Arrays

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LEVELS", "Facts", "spreads"]

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Ends of the 90 and 50 % intervals, and the median between them."""

COLUMNS = ("predictor", "seed", "k", "target", "output_type", "output_type_id", "value")

ROWS = 1 << 20
"""Rows that are worked on at once, and numbers of a matrix that is made of them."""

TIE = 1e-9
"""In counts: values so close to the middle between two counts belong to the lower one."""

_SLOTS = {"sd": 1, "b": 1}
"""Rows of a normal or a beta distribution that hold its second number; others hold the first."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of targets: arrays of one length; NaN bounds are unknown.

    Attributes
    ----------
    lower, upper : array of float
        Bounds.
    n : array of float
        Number of instances.
    counts : array of bool
        Whether the value is a count out of `n`.
    """

    lower: Floats
    upper: Floats
    n: Floats
    counts: NDArray[np.bool_]

    @classmethod
    def of(cls, targets: pd.DataFrame) -> Facts:
        """Read the columns n, binary, lower and upper."""
        lower, upper, n = (
            pd.to_numeric(targets[c]).to_numpy(dtype=np.float64, na_value=np.nan)
            for c in ("lower", "upper", "n")
        )
        binary = targets["binary"].eq(True).to_numpy(dtype=np.bool_)
        return cls(lower, upper, n, binary & np.isfinite(lower + upper + n))

    def at(self, places: Ints) -> Facts:
        """Give those of some targets."""
        return Facts(self.lower[places], self.upper[places], self.n[places], self.counts[places])

    def clipped(self, values: Floats) -> Floats:
        """Move values, [N, levels], to the bounds."""
        low = np.where(np.isnan(self.lower), -np.inf, self.lower)[:, None]
        high = np.where(np.isnan(self.upper), np.inf, self.upper)[:, None]
        return np.clip(values, low, high)


def spreads(results: object, arrays: Arrays) -> Floats:
    """Give the quantiles at `LEVELS` of every valid prediction, mean over seeds.

    They are those of `harness.distribution.Distribution.quantile`: on the count grid for metrics
    that count, but for draws.

    Parameters
    ----------
    results : object
        With the method ``batches`` of `harness.results.Results`.
    arrays : Arrays
        The same results.

    Returns
    -------
    array of float, shape (P, K, T, 5)
        In the metrics' units; NaN where there is no valid prediction.
    """
    n_p, n_k, n_s, n_t = arrays.valid.shape
    total = np.zeros((n_p * n_k * n_t, len(LEVELS)))
    count = np.zeros(n_p * n_k * n_t)
    batches: Callable[..., Iterable[pa.RecordBatch]] | None = getattr(results, "batches", None)
    if batches is not None:
        facts = Facts.of(arrays.targets)
        for block in _blocks(batches("predictions", COLUMNS), arrays):
            starts, values = block.quantiles(facts, n_t)
            pk, target = np.divmod(starts, n_s * n_t)
            place = pk * n_t + target % n_t
            np.add.at(total, place, values)
            np.add.at(count, place, 1.0)
    out = np.full(total.shape, np.nan)
    np.divide(total, count[:, None], out=out, where=count[:, None] > 0)
    return out.reshape(n_p, n_k, n_t, len(LEVELS))


@dataclass(eq=False)
class _Block:
    """Rows of whole predictions: key (P, K, S, T flattened), type, number and slot of id, value."""

    key: Ints
    kind: Ints
    number: Floats
    slot: Ints
    value: Floats
    kinds: Sequence[str]

    def rows(self, part: Any) -> _Block:
        return _Block(
            self.key[part],
            self.kind[part],
            self.number[part],
            self.slot[part],
            self.value[part],
            self.kinds,
        )

    def quantiles(self, facts: Facts, n_targets: int) -> tuple[Ints, Floats]:
        """Give the keys of the predictions, and their quantiles."""
        starts = np.flatnonzero(np.diff(self.key, prepend=-1))
        size = np.diff(starts, append=len(self.key))
        out = np.full((len(starts), len(LEVELS)), np.nan)
        for code in np.unique(self.kind[starts]):
            for length, part in _of_one_length(starts, size, self.kind[starts] == code):
                at = starts[part]
                own = facts.at(self.key[at] % n_targets)
                rows = at[:, None] + np.arange(length)
                there = np.arange(length) < size[part][:, None]
                rows = np.where(there, rows, at[:, None])
                numbers, slots, values = self.number[rows], self.slot[rows], self.value[rows]
                out[part] = _quantiles(
                    self.kinds[code], numbers, slots, np.where(there, values, 0.0), there, own
                )
        return self.key[starts], out


def _of_one_length(
    starts: Ints, size: Ints, wanted: NDArray[np.bool_]
) -> Iterator[tuple[int, Ints]]:
    """Give predictions of like numbers of rows together, at most `ROWS` numbers at once."""
    order = np.flatnonzero(wanted)
    order = order[np.argsort(size[order], kind="stable")]
    start = 0
    while start < len(order):
        end = min(start + max(ROWS // int(size[order[start]]), 1), len(order))
        length = int(size[order[end - 1]])
        while end - start > 1 and (end - start) * length > 2 * ROWS:
            end = start + (end - start) // 2
            length = int(size[order[end - 1]])
        yield length, order[start:end]
        start = end


def _quantiles(
    kind: str, numbers: Floats, slots: Ints, values: Floats, there: NDArray[np.bool_], facts: Facts
) -> Floats:
    """Give the quantiles, [N, 5], of predictions of one type; what they state is [N, L]."""
    levels = np.array(LEVELS)
    if kind == "pmf":
        return _of_counts(numbers, values, there, facts)
    if kind in ("sample", "joint_sample"):
        draws = np.sort(np.where(there, values, np.inf), axis=1)
        rank = np.ceil(levels * LEVEL_SLACK * there.sum(axis=1)[:, None]).astype(np.int64)
        return facts.clipped(np.take_along_axis(draws, np.maximum(rank, 1) - 1, axis=1))
    if kind == "quantile":
        out = np.full((len(values), len(levels)), np.nan)
        for length in np.unique(there.sum(axis=1)):
            same = there.sum(axis=1) == length
            part = facts.at(np.flatnonzero(same))
            out[same] = _of_levels(numbers[same, :length], values[same, :length], part)
    elif kind == "mean":
        out = np.repeat(values[:, :1], len(levels), axis=1)
    elif kind in ("normal", "beta"):
        first = np.where(slots[:, :1] == 0, values[:, :1], values[:, 1:2])
        second = np.where(slots[:, :1] == 0, values[:, 1:2], values[:, :1])
        if kind == "normal":
            out = first + second * special.ndtri(levels)
        else:
            unit = np.clip(special.betaincinv(first, second, levels), 0.0, 1.0)
            out = facts.lower[:, None] + (facts.upper - facts.lower)[:, None] * unit
    else:  # of a later version
        return np.full((len(values), len(levels)), np.nan)
    return np.where(facts.counts[:, None], _on_grid(out, facts), facts.clipped(out))


def _on_grid(values: Floats, facts: Facts) -> Floats:
    """Move quantiles to counts: the least c with F(c + 1/2) at the level (see `discretise`)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        width = (facts.upper - facts.lower)[:, None]
        place = (values - facts.lower[:, None]) * (facts.n[:, None] / width)
        count = np.clip(np.ceil(place - 0.5 - TIE), 0.0, facts.n[:, None])
        return facts.lower[:, None] + width * count / facts.n[:, None]


def _of_counts(counts: Floats, values: Floats, there: NDArray[np.bool_], facts: Facts) -> Floats:
    """Quantiles of probabilities of counts, as `harness.distribution.CountPmf` has them."""
    order = np.argsort(np.where(there, counts, np.inf), axis=1, kind="stable")
    counts = np.take_along_axis(counts, order, axis=1)
    running = np.cumsum(np.take_along_axis(values, order, axis=1), axis=1)
    running /= running[:, -1:]
    last = there.sum(axis=1) - 1
    out = np.empty((len(values), len(LEVELS)))
    for i, level in enumerate(LEVELS):
        reached = np.minimum((running < level * LEVEL_SLACK).sum(axis=1), last)
        count = np.take_along_axis(counts, reached[:, None], axis=1)[:, 0]
        out[:, i] = facts.lower + (facts.upper - facts.lower) * count / facts.n
    return out


def _of_levels(levels: Floats, values: Floats, facts: Facts) -> Floats:
    """Quantiles of the line through stated ones, as `harness.distribution.Quantiles` has them."""
    order = np.argsort(levels, axis=1, kind="stable")
    p, x = (np.take_along_axis(a, order, axis=1) for a in (levels, values))
    # Beyond a known bound it does not matter how the mass is spread: it collects at the bound.
    start = np.where(
        np.isnan(facts.lower),
        x[:, 0] - p[:, 0] * (x[:, 1] - x[:, 0]) / (p[:, 1] - p[:, 0]),
        np.fmin(facts.lower, x[:, 0]),
    )
    end = np.where(
        np.isnan(facts.upper),
        x[:, -1] + (1.0 - p[:, -1]) * (x[:, -1] - x[:, -2]) / (p[:, -1] - p[:, -2]),
        np.fmax(facts.upper, x[:, -1]),
    )
    x = np.column_stack([start, x, end])
    p = np.column_stack([np.zeros(len(p)), p, np.ones(len(p))])
    out = np.empty((len(x), len(LEVELS)))
    for i, level in enumerate(LEVELS):
        right = np.clip((p < level).sum(axis=1), 1, p.shape[1] - 1)[:, None]
        p0, p1 = (np.take_along_axis(p, at, axis=1)[:, 0] for at in (right - 1, right))
        x0, x1 = (np.take_along_axis(x, at, axis=1)[:, 0] for at in (right - 1, right))
        share = (level - p0) / (p1 - p0)
        out[:, i] = np.where(share >= 1.0, x1, x0 + share * (x1 - x0))
    return out


def _blocks(batches: Iterable[pa.RecordBatch], arrays: Arrays) -> Iterator[_Block]:
    """Give blocks of whole predictions that are valid, with numbers for what they are of."""
    valid = arrays.valid.reshape(-1)
    words: dict[str, Mapping[Any, int]] = {
        "predictor": {name: i for i, name in enumerate(arrays.predictors)},
        "target": {str(name): i for i, name in enumerate(arrays.targets["target"])},
    }
    kinds: dict[str, int] = {}
    waiting: list[_Block] = []
    held = 0
    for batch in batches:
        columns = {name: batch.column(name) for name in COLUMNS}
        seed, k = (
            _places(columns[c], places) for c, places in (("seed", arrays.seeds), ("k", arrays.ks))
        )
        at = [
            _coded(columns["predictor"], lambda word: words["predictor"].get(word, -1)),
            k,
            seed,
            _coded(columns["target"], lambda word: words["target"].get(word, -1)),
        ]
        known = np.logical_and.reduce([place >= 0 for place in at])
        key = np.ravel_multi_index([np.maximum(place, 0) for place in at], arrays.valid.shape)
        known &= valid[key]
        if not known.any():
            continue
        block = _Block(
            key,
            _coded(columns["output_type"], lambda word: kinds.setdefault(word, len(kinds))),
            _coded(columns["output_type_id"], _number, np.float64),
            _coded(columns["output_type_id"], lambda word: _SLOTS.get(word, 0)),
            columns["value"].to_numpy(zero_copy_only=False),
            (),
        )
        waiting.append(block if known.all() else block.rows(known))
        held += len(waiting[-1].key)
        if held >= ROWS:
            whole, rest = _cut(waiting, kinds)
            waiting, held = [rest], len(rest.key)
            if len(whole.key):
                yield whole
    if held:
        yield _joined(waiting, kinds)


def _cut(waiting: Sequence[_Block], kinds: Iterable[str]) -> tuple[_Block, _Block]:
    """Part the last prediction, whose rows may go on, from those before it."""
    joined = _joined(waiting, kinds)
    changes = np.flatnonzero(np.diff(joined.key))
    end = int(changes[-1]) + 1 if len(changes) else 0
    return joined.rows(slice(0, end)), joined.rows(slice(end, None))


def _joined(waiting: Sequence[_Block], kinds: Iterable[str]) -> _Block:
    """Put blocks together."""
    return _Block(
        np.concatenate([b.key for b in waiting]),
        np.concatenate([b.kind for b in waiting]),
        np.concatenate([b.number for b in waiting]),
        np.concatenate([b.slot for b in waiting]),
        np.concatenate([b.value for b in waiting]),
        tuple(kinds),
    )


def _coded(column: pa.Array, number: Callable[[str], float], kind: Any = np.int64) -> Any:
    """Give a number for each word of a column, asked for once a word."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    of_word = np.array([number(str(word)) for word in column.dictionary.to_pylist()], dtype=kind)
    return of_word[column.indices.to_numpy(zero_copy_only=False)]


def _places(column: pa.Array, known: Sequence[int]) -> Ints:
    """Give the place of each number among the known ones, ascending; −1 where it is none."""
    values = column.to_numpy(zero_copy_only=False).astype(np.int64)
    if not known:
        return np.full(len(values), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(np.asarray(known)[at] == values, at, -1)


def _number(word: str) -> float:
    """Read a level or a count; NaN for the name of a parameter."""
    try:
        return float(word)
    except ValueError:
        return np.nan
