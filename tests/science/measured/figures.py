"""Averages, ratios, differences and coverage of what was measured, with clustered intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from harness.averages import Average, choose_clusters, paired_difference, skill
from harness.ranking import rank
from harness.relatives import UNKNOWN, bin_of
from measured.jobs import Measured

CLASSES = {
    "< .75": "< .80",
    ".75–.80": "< .80",
    ".80–.85": ".80–.85",
    ".85–.90": "≥ .85",
    "> .90": "≥ .85",
    UNKNOWN: UNKNOWN,
}
"""Classes of closest relative, of the bins of `harness.relatives`."""

THIRDS = ("hardest", "middle", "easiest")
DRAWS = 400  # of the two-way bootstrap


@dataclass(frozen=True)
class Figure:
    """A number with its interval, NaN where there is none; what clusters it rests on."""

    mean: float
    low: float
    high: float
    rows: int = 0
    columns: int = 0

    @classmethod
    def of(cls, average: Average, scale: float = 1.0, shift: float = 0.0) -> Figure:
        """Take an average, or a linear function of it."""
        low, high = sorted((shift + scale * average.low, shift + scale * average.high))
        return cls(shift + scale * average.mean, low, high, average.rows, average.columns)

    def text(self, digits: int = 2, sign: str = "") -> str:
        """Write it with its interval."""
        number = f"{{:{sign}.{digits}f}}".format
        if not np.isfinite(self.mean):
            return "–"
        if not np.isfinite(self.low):
            return number(self.mean)
        return f"{number(self.mean)} [{number(self.low)}, {number(self.high)}]"


class Figures:
    """What can be said of one job.

    Parameters
    ----------
    measured : Measured
    whole : Figures, optional
        Of the same cells with responses: tells the closest relatives where this has none.
    """

    def __init__(self, measured: Measured, whole: Figures | None = None) -> None:
        self.measured, self.whole = measured, whole
        self.ks = sorted(map(int, measured.scores["k"].unique()))
        self.rankings = {rule: rank(measured, rule=rule) for rule in ("crps", "absolute_error")}
        targets = measured.targets.sort_values("target", ignore_index=True)
        bounded = targets["lower"].notna() & targets["upper"].notna()
        self.targets = targets[bounded.to_numpy()].reset_index(drop=True)
        self.rows, self.columns, self.row_kind, self.column_kind = choose_clusters(self.targets)
        self.means = cache(self._means)

    @property
    def predictors(self) -> list[str]:
        """Names of those that were ranked somewhere, the best at the first k first."""
        ranking = self.rankings["crps"]
        by_mean = ranking[ranking["ranked"]].groupby("predictor", sort=False)["crps"].mean()
        return list(map(str, by_mean.sort_values(kind="stable").index))

    def row(self, predictor: str, k: int, rule: str = "crps") -> pd.Series | None:
        """Give a row of the ranking; None where the predictor was not ranked."""
        table = self.rankings[rule]
        found = table[(table["predictor"] == predictor) & (table["k"] == k) & table["ranked"]]
        return None if found.empty else found.iloc[0]

    def mean(self, predictor: str, k: int, rule: str = "crps") -> Figure:
        """Give a mean loss."""
        row = self.row(predictor, k, rule)
        if row is None:
            return Figure(np.nan, np.nan, np.nan)
        mean, low, high = (float(row[f"{rule}{end}"]) for end in ("", "_low", "_high"))
        return Figure(mean, low, high, int(row["n_rows"]), int(row["n_columns"]))

    def best(self, k: int, among: Sequence[str] | None = None) -> str | None:
        """Give the predictor with the least mean CRPS, of those named."""
        table = self.rankings["crps"]
        table = table[(table["k"] == k) & table["ranked"]]
        if among is not None:
            table = table[table["predictor"].isin(among)]
        order = table.sort_values("crps", kind="stable")["predictor"].tolist()
        return str(order[0]) if order else None

    def ratio(self, predictor: str, to: str, k: int) -> Figure:
        """Give Σ CRPS / Σ CRPS of another, the interval by the delta method."""
        a, b = self.means("crps", k, predictor), self.means("crps", k, to)
        return Figure.of(skill(a, b, self.rows, self.columns), -1.0, 1.0)

    def difference(self, predictor: str, to: str, k: int) -> Figure:
        """Give the mean paired difference of the CRPS from another's."""
        a, b = self.means("crps", k, predictor), self.means("crps", k, to)
        return Figure.of(paired_difference(a, b, self.rows, self.columns))

    def _means(self, rule: str, k: int, predictor: str) -> np.ndarray:
        """Give the values of each target, mean over seeds; NaN where there is none."""
        scores = self.measured.scores
        part = scores[
            (scores["rule"] == rule) & (scores["k"] == k) & (scores["predictor"] == predictor)
        ]
        of_target = part.groupby(part["target"].astype(str))["value"].mean()
        return of_target.reindex(self.targets["target"].astype(str)).to_numpy(dtype=float)

    def closest(self) -> pd.Series | None:
        """Give the class of closest relative of each target; None where nothing is known."""
        split = self.measured.split
        if "closest" not in split or split["closest"].isna().all():
            return self._closest_of_whole()
        mean = split.groupby(split["target"].astype(str))["closest"].mean()
        return bin_of(self.targets["target"].astype(str).map(mean)).map(CLASSES)

    def _closest_of_whole(self) -> pd.Series | None:
        """Give what the same cells have where there are responses; None unless all are there."""
        labels = None if self.whole is None else self.whole.closest()
        if self.whole is None or labels is None:
            return None
        of = dict(zip(_cells(self.whole.targets), labels, strict=True))
        return _cells(self.targets).map(of) if set(_cells(self.targets)) <= set(of) else None

    def thirds(self) -> pd.Series:
        """Give each target's third of the scenarios, by the mean of their values."""
        targets = self.targets
        low, high = (targets[c].astype(float) for c in ("lower", "upper"))
        share = (targets["value"].astype(float) - low) / (high - low)
        mean = share.groupby(targets["scenario"].astype(str)).mean().sort_values(kind="stable")
        place = np.arange(len(mean)) * 3 // max(len(mean), 1)
        of = dict(zip(mean.index, (THIRDS[p] for p in place), strict=True))
        return targets["scenario"].astype(str).map(of)

    def by_label(self, labels: pd.Series, rule: str, k: int, predictor: str) -> pd.DataFrame:
        """Give ``mean`` and ``n`` of a rule, and ``models``, by the targets' labels."""
        frame = pd.DataFrame(
            {
                "label": labels.to_numpy(),
                "value": self.means(rule, k, predictor),
                "model": self.targets["model"].astype(str),
            }
        ).dropna(subset=["value"])
        grouped = frame.groupby("label")
        return pd.DataFrame(
            {
                "mean": grouped["value"].mean(),
                "n": grouped.size(),
                "models": grouped["model"].nunique(),
            }
        )

    def seconds(self) -> dict[str, float]:
        """Give the CPU seconds of each predictor, all folds, seeds and k."""
        timings = self.measured.timings
        of = timings.groupby(timings["predictor"].astype(str))["cpu_s"].sum()
        return {str(name): float(value) for name, value in of.items()}

    def of_folds(self, predictor: str, k: int, what: str) -> Figure:
        """Give a figure of each fold, mean over folds, as papers on tables of scores report it.

        The interval is that of a two-way bootstrap, which draws the clusters of both directions
        with replacement (Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007,
        doi:10.1214/07-AOAS122): medians have no clustered variance.

        Parameters
        ----------
        predictor : str
        k : int
        what : str
            ``MedAE``: the median of |prediction − value| over all cells, in their own unit;
            ``MedAPE``: of its share of |value|, in percent, where this is above 1e-6; ``CRPS``:
            the mean over cells with known bounds, in points.
        """
        targets = self.measured.targets.set_index(self.measured.targets["target"].astype(str))
        scores = self.measured.scores
        rule = "crps" if what == "CRPS" else "absolute_error"
        part = scores[
            (scores["rule"] == rule) & (scores["k"] == k) & (scores["predictor"] == predictor)
        ]
        part = part[part["target"].astype(str).isin(targets.index)]
        of = targets.reindex(part["target"].astype(str))
        spread = (of["upper"].astype(float) - of["lower"].astype(float)).to_numpy()
        value = part["value"].to_numpy(dtype=float)
        if what == "CRPS":
            keep = np.isfinite(spread)
        else:  # scores of bounded metrics are points of their range: back to the metric's own unit
            value = value * np.where(np.isfinite(spread), spread / 100.0, 1.0)
            size = of["value"].astype(float).abs().to_numpy()
            keep = np.full(len(value), True) if what == "MedAE" else size > 1e-6
            if what == "MedAPE":
                value = 100.0 * value / np.maximum(size, 1e-6)
        fold = pd.factorize(part["seed"].astype(str) + "/" + part["fold"].astype(str))[0]
        rows, columns, *_ = choose_clusters(of)
        frame = pd.DataFrame(
            {
                "value": value,
                "fold": fold,
                "row": pd.factorize(rows, sort=True)[0],
                "column": pd.factorize(columns, sort=True)[0],
            }
        )[keep & np.isfinite(value)]
        if frame.empty:
            return Figure(np.nan, np.nan, np.nan)
        frame = frame.sort_values(["fold", "value", "row", "column"], ignore_index=True)
        by_fold = frame.groupby("fold")["value"]
        point = (by_fold.mean() if what == "CRPS" else by_fold.median()).mean()
        draws = _bootstrap(frame, median=what != "CRPS")
        low, high = np.quantile(draws, [0.025, 0.975])
        counts = (frame["row"].nunique(), frame["column"].nunique())
        return Figure(float(point), float(low), float(high), *counts)


def _cells(targets: pd.DataFrame) -> pd.Series:
    return targets["model"].astype(str) + "\x1f" + targets["scenario"].astype(str)


def _bootstrap(frame: pd.DataFrame, median: bool) -> np.ndarray:
    """Give means over folds of (weighted) medians or means, under drawn weights of clusters."""
    rng = np.random.default_rng(0)
    row, column, fold = (frame[c].to_numpy() for c in ("row", "column", "fold"))
    value = frame["value"].to_numpy()
    n_rows, n_columns, n_folds = row.max() + 1, column.max() + 1, fold.max() + 1
    ends = np.searchsorted(fold, np.arange(n_folds), side="right")
    out = np.empty(DRAWS)
    for b in range(DRAWS):
        of_row = rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows))
        of_column = rng.multinomial(n_columns, np.full(n_columns, 1 / n_columns))
        weight = (of_row[row] * of_column[column]).astype(float)
        total = np.bincount(fold, weights=weight, minlength=n_folds)
        drawn = total > 0
        if median:
            sums = np.cumsum(weight)
            half = sums[ends - 1] - total / 2
            place = np.minimum(np.searchsorted(sums, half - 1e-9), len(value) - 1)
            of_fold = value[place]
        else:
            of_fold = np.bincount(fold, weights=weight * value, minlength=n_folds) / np.maximum(
                total, 1
            )
        out[b] = of_fold[drawn].mean()
    return out
