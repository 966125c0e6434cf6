"""Score comparisons of models: held-out pairs of runs, and who is said to be better."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.asked_runs import column_keys
from harness.averages import Average, choose_clusters, paired_difference
from harness.joint_draws import draws_of
from harness.judging import TargetFacts
from harness.plain import plain
from harness.prediction_table import COLUMNS, decode
from harness.results import Results
from suites.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["PairScores", "held_out_pairs", "score_pairs"]

LEVEL = 0.9
"""Of the interval of the difference whose coverage is taken."""


@dataclass(frozen=True, eq=False)
class PairScores:
    """How good a predictor's comparisons of held-out pairs are.

    Attributes
    ----------
    table : DataFrame
        One row per pair: ``seed, fold, first, second`` (targets), ``model, rival`` and their
        ``organisation``s, ``scenario, scenario_group, difference`` (points), ``p`` (that the first
        is the better), ``p_baseline``, ``brier``, ``brier_baseline``, ``pit``, ``covered``.
    brier, baseline : Average
        Mean Brier scores.
    difference : Average
        Paired difference of the two; below 0 where the predictor is better.
    coverage : Average
        Share of pairs whose difference lies in its 90 % interval, by the mid-PIT.
    joint : bool
        Whether the draws belong together.
    """

    table: pd.DataFrame
    brier: Average
    baseline: Average
    difference: Average
    coverage: Average
    joint: bool


def held_out_pairs(results: Results, *, pairs: int = 500, seed: int = 0) -> pd.DataFrame:
    """Draw pairs of runs of one scenario that the same fold held out.

    Parameters
    ----------
    results : Results
        Of an evaluation; of several seeds all folds count.
    pairs : int
        How many; all there are where there are fewer.
    seed : int
        Of the choice, and of who comes first in a pair.

    Returns
    -------
    DataFrame
        ``seed, fold, first, second``: the targets.

    Raises
    ------
    UsageError
        If no fold holds out two models of one scenario.
    """
    import pandas as pd

    targets = results.targets.set_index("target")
    known = targets["higher_is_better"].notna() & targets["lower"].notna()
    known &= targets["upper"].notna()
    column = column_keys(targets)
    split = results.split
    test = split[(split["role"] == "test") & split["target"].map(known)]
    test = test.assign(
        column=test["target"].map(column), model=test["target"].map(targets["model"])
    )
    found: list[tuple[Any, Any, str, str]] = []
    for (at, fold, _), group in test.groupby(["seed", "fold", "column"], observed=True):
        rows = sorted(zip(group["target"], group["model"], strict=True))
        found += [(at, fold, a, b) for (a, m), (b, r) in combinations(rows, 2) if m != r]
    if not found:
        raise UsageError(f"no fold of {results.path} holds out two models of one scenario.")
    rng = np.random.default_rng([seed, 31])
    chosen = rng.permutation(len(found))[:pairs]
    turned = rng.random(len(chosen)) < 0.5
    chosen_rows = [
        (at, fold, b, a) if turn else (at, fold, a, b)
        for turn, (at, fold, a, b) in zip(turned, (found[i] for i in chosen), strict=True)
    ]
    return pd.DataFrame(chosen_rows, columns=["seed", "fold", "first", "second"])


def score_pairs(
    results: Results, predictor: str, *, k: int = 0, pairs: int = 500, seed: int = 0
) -> PairScores:
    """Score how well a predictor tells which of two held-out runs is better, and by how much.

    Parameters
    ----------
    results : Results
        Of an evaluation that this predictor was in.
    predictor : str
        Its name there.
    k : int
        Number of shown responses.
    pairs, seed : int
        As `held_out_pairs`.

    Returns
    -------
    PairScores

    Raises
    ------
    UsageError
        If the predictor, or k, is not in the results, or there are no pairs.

    Notes
    -----
    The baseline says of a pair the share of the other scenarios, of those on which both are known
    in that fold, on which the first model has the better value, shrunk as (wins + ½) / (number + 1)
    with ties a half. Of draws the probability is the share in which the first is better, ties a
    half. A pair belongs to two models: averages cluster by the first, then by the second, and the
    wider interval is kept.
    """
    import pandas as pd

    predictions = results.predictions
    names = sorted(set(predictions["predictor"]))
    if predictor not in names:
        raise unknown_name("predictor", predictor, names)
    mine = predictions[(predictions["predictor"] == predictor) & (predictions["k"] == k)]
    if not len(mine):
        raise UsageError(f"{results.path} has no predictions of {predictor} at k = {k}.")
    chosen = held_out_pairs(results, pairs=pairs, seed=seed)
    targets = results.targets.set_index("target")
    rows, joint = [], True
    for (at, fold), group in chosen.groupby(["seed", "fold"], sort=True):
        wanted = sorted({*group["first"], *group["second"]})
        part = mine[(mine["seed"] == at) & (mine["fold"] == fold) & mine["target"].isin(wanted)]
        draws, together = _draws(part, targets, seed)
        joint &= together
        split = results.split
        held = split[(split["seed"] == at) & (split["fold"] == fold)]["target"]
        train = results.targets[~results.targets["target"].isin(set(held))]
        wins = _Wins(train)
        for first, second in zip(group["first"], group["second"], strict=True):
            if first in draws and second in draws:
                a, b = targets.loc[first], targets.loc[second]
                unit = 100.0 / (a["upper"] - a["lower"]) * (1 if a["higher_is_better"] else -1)
                gap = unit * (draws[first] - draws[second])
                truth = float(unit * (a["value"] - b["value"]))
                pit = float(np.mean(gap < truth - 1e-9) + np.mean(np.abs(gap - truth) <= 1e-9) / 2)
                won = 0.5 + 0.5 * float(np.sign(truth)) if abs(truth) > 1e-9 else 0.5
                p = float(np.mean(np.sign(gap) / 2 + 0.5))
                base = wins.share(str(a["model"]), str(b["model"]))
                rows.append(
                    {
                        "seed": at,
                        "fold": fold,
                        "first": first,
                        "second": second,
                        "model": a["model"],
                        "rival": b["model"],
                        "organisation": a["organisation"],
                        "rival_organisation": b["organisation"],
                        "scenario": a["scenario"],
                        "scenario_group": a["scenario_group"],
                        "difference": truth,
                        "p": p,
                        "p_baseline": base,
                        "brier": (p - won) ** 2,
                        "brier_baseline": (base - won) ** 2,
                        "pit": pit,
                        "covered": float(abs(pit - 0.5) <= LEVEL / 2),
                    }
                )
    if not rows:
        raise UsageError(f"{predictor} has no valid predictions of the pairs.")
    table = pd.DataFrame(rows)
    return PairScores(
        table,
        _average(table, "brier"),
        _average(table, "brier_baseline"),
        _average(table, "brier", "brier_baseline"),
        _average(table, "covered"),
        joint,
    )


def _draws(
    part: pd.DataFrame, targets: pd.DataFrame, seed: int
) -> tuple[dict[str, NDArray[np.float64]], bool]:
    import pyarrow as pa

    rows = part.sort_values("target", kind="stable")[list(COLUMNS)]
    table = pa.Table.from_pandas(rows, preserve_index=False)
    facts = {}
    for row in targets.loc[rows["target"].unique()].reset_index().to_dict("records"):
        n, binary = plain(row["n"]), bool(plain(row["binary"]))
        grid = (None if n is None else int(n), binary, float(row["lower"]), float(row["upper"]))
        facts[str(row["target"])] = TargetFacts(float("nan"), *grid, 0)
    given = {t: d for t, d, _ in decode(table, facts) if d is not None}
    return draws_of(given, table, seed=seed)


class _Wins:
    """On how many train columns one model is better than another."""

    def __init__(self, train: pd.DataFrame) -> None:
        frame = train.assign(column=column_keys(train))[train["higher_is_better"].notna()]
        sign = np.where(frame["higher_is_better"].astype(bool), 1.0, -1.0)
        frame = frame.assign(y=frame["value"] * sign)
        grid = frame.pivot_table(index="model", columns="column", values="y", aggfunc="last")
        self._value = {str(model): grid.loc[model].to_numpy(float) for model in grid.index}

    def share(self, first: str, second: str) -> float:
        a, b = self._value.get(first), self._value.get(second)
        if a is None or b is None:
            return 0.5
        gap = a - b
        gap = gap[np.isfinite(gap)]
        won = float(np.sum(np.sign(np.where(np.abs(gap) <= 1e-12, 0.0, gap)) / 2 + 0.5))
        return (won + 0.5) / (len(gap) + 1.0)


def _average(table: pd.DataFrame, column: str, less: str | None = None) -> Average:
    """Average over pairs, clustered by either model of them; the wider interval is kept."""
    found = []
    for model, organisation in (("model", "organisation"), ("rival", "rival_organisation")):
        frame = table[["scenario", "scenario_group"]].assign(
            model=table[model], organisation=table[organisation]
        )
        rows, columns, row_kind, column_kind = choose_clusters(frame)
        values = table[column].to_numpy(float)
        other = np.zeros(len(table)) if less is None else table[less].to_numpy(float)
        average = paired_difference(
            values, other, rows, columns, row_kind=row_kind, column_kind=column_kind
        )
        found.append(average)
    return max(found, key=lambda average: -1.0 if average.se != average.se else average.se)
