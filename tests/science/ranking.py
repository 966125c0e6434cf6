"""Simulate what is said of rankings: error rates, widths, power; write it into docs/statistics.md.

    python tests/science/ranking.py [--write FILE] [--seed 0] [--quick]

Losses are drawn with known means; nothing is read. It takes some minutes of one core. What is
written is what stands in FILE between the two comments `figures`; the text around them is kept.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from threadpoolctl import threadpool_limits

from harness.averages import clustered_average
from harness.power import minimum_detectable_difference
from harness.rank_sets import RankSets, simultaneous_rank_sets
from suites.errors import UsageError

SIZES = ((57, 35), (20, 15), (12, 8), (6, 5))
SD = (0.3, 0.3, 1.0)  # of a difference of two predictors: row, column, residual
GAIN = 1.0
MISSING = 0.4
MEANS = {  # mean losses of eight predictors
    "some equal": (0.0, 0.0, 0.1, 0.2, 0.2, 0.4, 0.8, 0.8),
    "all apart": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.4, 0.6),
    "all equal": (0.0,) * 8,
}
RESAMPLES = 400

MAX_ERRORS = 0.065
MAX_WIDTH = {(57, 35): 1.10, (20, 15): 1.15, (12, 8): 1.35, (6, 5): 1.60}
MIN_COVERAGE = {"some equal": 0.95, "all apart": 0.95, "all equal": 1.0 - MAX_ERRORS}
MAX_SET_WIDTH = 1.15  # at the greatest size, relative to sets that know the covariance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairFigures:
    """What became of the test of two equal predictors at one size."""

    size: tuple[int, int]
    errors: float
    errors_missing: float
    errors_naive: float
    half: float
    oracle_half: float
    power: float  # for a gain of 1
    detectable: float  # the median of what the task says
    power_there: float  # and the power for that gain


@dataclass(frozen=True)
class SetFigures:
    """How the rank sets of predictors with known means did: shares that hold together, widths."""

    size: tuple[int, int]
    kind: str  # of MEANS
    held: float
    width: float
    held_marginal: float
    width_marginal: float
    held_oracle: float
    width_oracle: float
    held_iid: float
    width_iid: float


class Ranks(NamedTuple):
    """Lowest and highest rank of each predictor, of shape [P]."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]

    def cover(self, truth: Ranks) -> bool:
        return bool((self.low <= truth.low).all() and (self.high >= truth.high).all())

    @property
    def width(self) -> float:
        return float((self.high - self.low + 1).mean())


def main() -> int:
    """Simulate, print the figures, and write them when asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a tenth of the simulations")
    options = parser.parse_args()
    if options.write:
        _with_figures(Path(options.write), "")  # refused now rather than after minutes
    less = 10 if options.quick else 1
    with threadpool_limits(1):
        pairs = [pair_figures(size, 2000 // less, options.seed) for size in SIZES]
        sets = [
            set_figures(size, kind, 1000 // less, options.seed)
            for kind in MEANS
            for size in (SIZES[0], SIZES[2])
        ]
    failed, text = page(pairs, sets, 2000 // less, 1000 // less, options.seed)
    print(text)
    for what in failed:
        print(f"not met: {what}", file=sys.stderr)
    if options.write:
        path = Path(options.write)
        path.write_text(_with_figures(path, text), encoding="utf-8")
    return 1 if failed else 0


def pair_figures(size: tuple[int, int], simulations: int, seed: int) -> PairFigures:
    """Test two equal predictors on grids of one size, over and over."""
    rng = np.random.default_rng([seed, *size])
    rows, columns = _grid(size)
    n = len(rows)
    mean, half, detectable, missing = (np.empty(simulations) for _ in range(4))
    naive = np.empty(simulations, dtype=bool)
    critical = stats.t.ppf(0.975, n - 1)
    for s in range(simulations):
        d = effects(rng, size, SD)
        average = clustered_average(d, rows, columns)
        mean[s], half[s] = average.mean, average.high - average.mean
        naive[s] = abs(d.mean()) > critical * d.std(ddof=1) / np.sqrt(n)
        detectable[s] = minimum_detectable_difference([d, 0.0 * d], 1, rows, columns).median
        holes = np.where(rng.random(n) < MISSING, np.nan, d)
        sparse = clustered_average(holes, rows, columns)
        # Without an interval nothing is called different.
        missing[s] = sparse.low > 0.0 or sparse.high < 0.0
    typical = float(np.median(detectable))
    return PairFigures(
        size=size,
        errors=float((np.abs(mean) > half).mean()),
        errors_missing=float(missing.mean()),
        errors_naive=float(naive.mean()),
        half=float(half.mean()),
        oracle_half=float(stats.norm.ppf(0.975)) * true_se(size, SD),
        power=float((mean + GAIN > half).mean()),
        detectable=typical,
        power_there=float((mean + typical > half).mean()),
    )


def set_figures(size: tuple[int, int], kind: str, simulations: int, seed: int) -> SetFigures:
    """Make the rank sets of predictors with known means, over and over."""
    means = MEANS[kind]
    rng = np.random.default_rng([seed, *size, len(set(means))])
    rows, columns = _grid(size)
    truth = true_ranks(means)
    critical = oracle_critical(len(means))
    kinds: dict[str, list[Ranks]] = {"sets": [], "marginal": [], "oracle": [], "iid": []}
    for _ in range(simulations):
        losses = predictor_losses(rng, size, means)
        sets = simultaneous_rank_sets(losses, rows, columns)
        kinds["sets"].append(Ranks(sets.low, sets.high))
        kinds["marginal"].append(Ranks(sets.marginal_low, sets.marginal_high))
        kinds["oracle"].append(oracle_ranks(sets, critical * true_se(size, SD)))
        kinds["iid"].append(bootstrap_ranks(losses, rng))
    held = {name: np.mean([ranks.cover(truth) for ranks in many]) for name, many in kinds.items()}
    width = {name: np.mean([ranks.width for ranks in many]) for name, many in kinds.items()}
    return SetFigures(
        size=size,
        kind=kind,
        held=float(held["sets"]),
        width=float(width["sets"]),
        held_marginal=float(held["marginal"]),
        width_marginal=float(width["marginal"]),
        held_oracle=float(held["oracle"]),
        width_oracle=float(width["oracle"]),
        held_iid=float(held["iid"]),
        width_iid=float(width["iid"]),
    )


def effects(
    rng: np.random.Generator, size: tuple[int, int], sd: tuple[float, float, float]
) -> Floats:
    """Row effect + column effect + residual, of shape [rows · columns]."""
    rows, columns = size
    grid = sd[0] * rng.standard_normal((rows, 1)) + sd[1] * rng.standard_normal(columns)
    return np.asarray(grid + sd[2] * rng.standard_normal(size)).ravel()


def predictor_losses(
    rng: np.random.Generator, size: tuple[int, int], means: tuple[float, ...]
) -> Floats:
    """Losses [P, T] of predictors whose differences have the standard deviations SD."""
    shared = effects(rng, size, (1.0, 1.0, 1.0))  # what is hard is hard for all
    own = tuple(sd / np.sqrt(2.0) for sd in SD)
    return np.stack([mean + shared + effects(rng, size, own) for mean in means])


def true_se(size: tuple[int, int], sd: tuple[float, float, float]) -> float:
    """Standard error of the mean of `effects`."""
    rows, columns = size
    return float(np.sqrt(sd[0] ** 2 / rows + sd[1] ** 2 / columns + sd[2] ** 2 / (rows * columns)))


def true_ranks(means: tuple[float, ...]) -> Ranks:
    """The ranks of known means; equal ones share a range."""
    m = np.asarray(means)
    low, worse = (m[None, :] < m[:, None]).sum(axis=1), (m[None, :] > m[:, None]).sum(axis=1)
    return Ranks(1 + low, len(m) - worse)


def oracle_critical(size: int) -> float:
    """The .95 quantile of the greatest |difference| of independent normals, in its sd."""
    z = np.random.default_rng(0).standard_normal((400_000, size))
    return float(np.quantile(np.ptp(z, axis=1), 0.95) / np.sqrt(2.0))


def oracle_ranks(sets: RankSets, least: float) -> Ranks:
    """The ranks that are left open where it is known which differences are sure."""
    low = 1 + (sets.difference > least).sum(axis=1)
    return Ranks(low, len(low) - (sets.difference < -least).sum(axis=1))


def bootstrap_ranks(losses: Floats, rng: np.random.Generator) -> Ranks:
    """The 2.5 % and 97.5 % percentiles of ranks when single cells are drawn again."""
    n = losses.shape[1]
    weights = rng.multinomial(n, np.full(n, 1.0 / n), size=RESAMPLES)
    ranks = stats.rankdata(weights @ losses.T, axis=1)
    low, high = np.quantile(ranks, [0.025, 0.975], axis=0, method="nearest").astype(np.int64)
    return Ranks(low, high)


def page(
    pairs: list[PairFigures], sets: list[SetFigures], n_pairs: int, n_sets: int, seed: int
) -> tuple[list[str], str]:
    """Write the figures as Markdown, and list what is aimed at and was not met."""
    failed = []
    for f in pairs:
        at = f"{f.size[0]} × {f.size[1]}"
        ratio = f.half / f.oracle_half
        if f.errors > MAX_ERRORS:
            failed.append(f"equal predictors called different at {at}: {_share(f.errors)}")
        if ratio > MAX_WIDTH[f.size]:
            failed.append(f"half-width at {at}: {ratio:.2f} of the oracle's")
        if f.errors_naive <= MAX_ERRORS:
            failed.append(f"the naive test should fail at {at}: {_share(f.errors_naive)}")
    for g in sets:
        at = f"{g.size[0]} × {g.size[1]}"
        at += f", {g.kind}"
        if g.held < MIN_COVERAGE[g.kind]:
            failed.append(f"true ranks in all sets at {at}: {_share(g.held)}")
        if g.size == SIZES[0] and g.width > MAX_SET_WIDTH * g.width_oracle:
            failed.append(f"width of sets at {at}: {g.width / g.width_oracle:.2f} of the oracle's")
        if g.held_iid >= MIN_COVERAGE[g.kind]:
            failed.append(f"the iid bootstrap should fail at {at}: {_share(g.held_iid)}")
    lines = [
        "### Two equal predictors",
        "",
        f"{n_pairs:,} simulations a row (seed {seed}): loss differences "
        "*a*ᵢ + *b*ⱼ + *e* in percentage points, with standard deviations "
        f"{SD[0]:g}, {SD[1]:g} and {SD[2]:g}. Called different at 95 %, though they are equal:",
        "",
        "| models × scenarios | clustered | with 40 % of the cells missing | naive, over cells "
        "| half-width, pp | of the oracle's |",
        "|---|---|---|---|---|---|",
        *(
            f"| {f.size[0]} × {f.size[1]} | {_share(f.errors)} | {_share(f.errors_missing)} "
            f"| **{_share(f.errors_naive)}** | {f.half:.3f} | {f.half / f.oracle_half:.2f} |"
            for f in pairs
        ),
        "",
        f"Wanted: at most {_share(MAX_ERRORS)}, which the naive test must miss, and half-widths of "
        f"at most {', '.join(f'{limit:g}' for limit in MAX_WIDTH.values())} times those of an "
        "oracle that knows the variances.",
        "",
        "### What can be found",
        "",
        f"The same differences, with a true gain of {GAIN:g} pp, and of what the task says it can "
        "show (median over simulations):",
        "",
        "| models × scenarios | power for 1 pp | minimum detectable difference, pp | power there |",
        "|---|---|---|---|",
        *(
            f"| {f.size[0]} × {f.size[1]} | {_share(f.power)} | {f.detectable:.2f} "
            f"| {_share(f.power_there)} |"
            for f in pairs
        ),
        "",
        "### Rank sets",
        "",
        f"{n_sets:,} simulations a row: eight predictors whose differences are as above, with mean "
        "losses in percentage points of "
        + "; ".join(f"*{kind}*: {_listed(MEANS[kind])}" for kind in MEANS)
        + ". How often the true ranks of all eight lie in their sets together (of equal ones: all "
        "the ranks that they share), and the mean number of ranks in a set:",
        "",
        "| models × scenarios | means | simultaneous | marginal | oracle | iid bootstrap |",
        "|---|---|---|---|---|---|",
        *(
            f"| {g.size[0]} × {g.size[1]} | {g.kind} "
            f"| {_share(g.held)}, {g.width:.2f} "
            f"| {_share(g.held_marginal)}, {g.width_marginal:.2f} "
            f"| {_share(g.held_oracle)}, {g.width_oracle:.2f} "
            f"| **{_share(g.held_iid)}**, {g.width_iid:.2f} |"
            for g in sets
        ),
        "",
        "The oracle knows the covariance of the mean losses. The bootstrap draws single cells "
        f"again, {RESAMPLES} times; its ranges are the middle 95 % of the ranks. Wanted: at least "
        f"95 % together ({_share(MIN_COVERAGE['all equal'])} where all are equal: there it is 95 % "
        "exactly, and a simulation may fall on either side), which the bootstrap must miss, and "
        f"sets of at most {MAX_SET_WIDTH:g} times the oracle's width at "
        f"{SIZES[0][0]} × {SIZES[0][1]}. "
        + ("All of this was found." if not failed else f"**Not met:** {'; '.join(failed)}."),
    ]
    return failed, "\n".join(lines)


def _grid(size: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each cell."""
    return np.repeat(np.arange(size[0]), size[1]), np.tile(np.arange(size[1]), size[0])


def _listed(means: tuple[float, ...]) -> str:
    """Format mean losses; one number says that all are the same."""
    return ", ".join(f"{m:g}" for m in (means if len(set(means)) > 1 else means[:1]))


def _share(value: float) -> str:
    """Format a share in per cent."""
    return f"{100 * value:.1f} %"


def _with_figures(path: Path, text: str) -> str:
    """Return a page with the figures between its two comments."""
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    pattern = r"(<!-- figures -->\n).*?(<!-- /figures -->)"
    new, n = re.subn(pattern, lambda m: f"{m[1]}\n{text}\n\n{m[2]}", old, flags=re.DOTALL)
    if n != 1:
        raise UsageError(
            f"{path} has no place for the figures: it must hold the lines `<!-- figures -->` and "
            "`<!-- /figures -->` once"
        )
    return new


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as err:
        sys.exit(f"ranking.py: {err}")
