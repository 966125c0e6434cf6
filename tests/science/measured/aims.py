"""What is aimed at, and whether it was found: losses at most, intervals that cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from items import POOLS

from measured.figures import THIRDS, Figure, Figures
from measured.jobs import ALONE, BASELINES, PLAIN

RIDGE = "kernel-ridge"
FEW_CELLS = 200  # grids with fewer may cover in `FEW`
FEW_CLUSTERS = 12  # from here on in both directions an interval must tell
SLACK = 0.05  # by how much of the baseline's loss elsewhere a predictor may be worse

WHOLE, PART, FEW = (0.87, 0.93), (0.84, 0.96), (0.80, 0.96)
"""Between what the 90 % intervals are to cover: of all targets, of a part of them, of few."""

NAMES = {"crps": "CRPS", "absolute_error": "MAE"}


@dataclass(frozen=True)
class Aim:
    """A figure of a job that the best predictor is to have.

    Attributes
    ----------
    job, k
        What of.
    what : str
        A rule of the ranking; a figure of folds; ``ratio``: of the CRPS to kernel ridge's.
    most, aim : float
        The limit, and what is hoped for.
    alone : bool
        Only predictors that read nothing but values.
    """

    job: str
    k: int
    what: str
    most: float
    aim: float | None = None
    alone: bool = False


AIMS = (
    Aim("heldout", 0, "crps", 2.45, 2.25),
    Aim("heldout", 0, "absolute_error", 3.40),
    Aim("heldout", 10, "crps", 2.15, 1.95),
    Aim("heldout", 20, "crps", 1.94, 1.75),
    Aim("heldout", 100, "crps", 1.08, 0.98),
    Aim("values", 0, "crps", 2.75, 2.45),
    Aim("thinned", 0, "ratio", 0.88, 0.80),
    Aim("psn12", 0, "ratio", 0.80, 0.70),
    Aim("openllm1", 0, "ratio", 0.88, 0.80),
    Aim("new-model", 1, "crps", 4.95, 4.2),
    Aim("new-model", 5, "crps", 3.33, 3.0),
    Aim("new-model", 10, "crps", 2.82, 2.5),
    Aim("new-scenario", 0, "crps", 10.0, 9.0),
    Aim("new-scenario", 1, "crps", 5.25, 4.8),
    Aim("new-scenario", 10, "crps", 3.2, 2.9),
    Aim("sparse", 0, "MedAE", 3.80, 3.5),
    Aim("sparse", 0, "MedAPE", 6.5, 6.0),
    Aim("sparse", 0, "CRPS", 4.55, 4.2),
    Aim("sparse", 0, "MedAE", 4.15, 3.9, alone=True),
    Aim("sparse", 0, "MedAPE", 7.1, 6.7, alone=True),
    Aim("sparse", 0, "CRPS", 5.0, 4.7, alone=True),
    Aim("release", 0, "MedAE", 13.2, 9.0),
    Aim("release", 1, "MedAE", 6.0, 5.0),
    Aim("release", 5, "MedAE", 4.6, 4.0),
)
ALONE_NAMES = (*BASELINES, ALONE)


@dataclass(frozen=True)
class Verdict:
    """A line of the summary."""

    job: str
    k: int
    what: str
    predictor: str
    figure: Figure
    most: float
    aim: float | None
    digits: int = 2
    least: bool = False  # the limit is a lower one

    @property
    def met(self) -> bool:
        """Whether the figure keeps the limit."""
        return bool(self.figure.mean >= self.most if self.least else self.figure.mean <= self.most)


def verdicts(found: Mapping[str, Figures]) -> Iterator[Verdict]:
    """Hold the figures of the jobs that were measured against the aims."""
    for aim in AIMS:
        if aim.job not in found:
            continue
        figures = found[aim.job]
        name = figures.best(aim.k, ALONE_NAMES if aim.alone else None)
        if name is None:
            continue
        if aim.what == "ratio":
            # the best of those that are compared with it
            name = figures.best(aim.k, [n for n in figures.predictors if n not in (RIDGE, PLAIN)])
            for to in (RIDGE, PLAIN):
                figure = figures.ratio(str(name), to, aim.k)
                yield Verdict(
                    aim.job, aim.k, f"CRPS / that of {to}", str(name), figure, aim.most, aim.aim
                )
            continue
        if aim.what in NAMES:
            figure = figures.mean(name, aim.k, aim.what)
        else:
            figure = figures.of_folds(name, aim.k, aim.what)
        what = NAMES.get(aim.what, aim.what) + (", from values alone" if aim.alone else "")
        yield Verdict(aim.job, aim.k, what, name, figure, aim.most, aim.aim)


def instance_verdicts(
    rankings: Mapping[str, pd.DataFrame], predictor: str, k: int
) -> Iterator[Verdict]:
    """Hold what was found of single responses against the aims of `items`."""
    for pool in POOLS:
        if pool.name not in rankings:
            continue
        table = rankings[pool.name]
        row = table[(table["predictor"] == predictor) & (table["k"] == k)].iloc[0]
        for what, column, limit, least in (
            ("Brier, pooled", "pooled", pool.brier, False),
            ("AUROC within a run", "auroc", pool.auroc, True),
        ):
            figure = Figure(float(row[column]), np.nan, np.nan)
            name = f"instance, pool {pool.name}"
            yield Verdict(name, k, what, predictor, figure, limit, None, 4, least)


@dataclass(frozen=True)
class Covered:
    """How often 90 % intervals hold the value, and between what they are to."""

    part: str
    share: float
    n: int
    low: float
    high: float

    @property
    def held(self) -> bool:
        """Whether the share is within the limits."""
        return self.low <= self.share <= self.high


def coverage(name: str, figures: Figures, k: int, predictor: str) -> list[Covered]:
    """Give the coverage of a predictor at k: of all targets, by difficulty, by closest relative."""
    covered = figures.means("coverage_90", k, predictor)
    n = int(np.isfinite(covered).sum())
    few = (
        (name == "new-scenario" and k <= 5)
        or (name == "new-model" and k == 0)
        or (name == "release" and k <= 1)
        or n < FEW_CELLS
    )
    out = [Covered("all", float(np.nanmean(covered)), n, *(FEW if few else WHOLE))]
    labels = {"difficulty": figures.thirds(), "closest": figures.closest()}
    order = (*THIRDS, "< .80", ".80–.85", "≥ .85")
    for of in labels.values():
        if of is None:
            continue
        table = figures.by_label(of, "coverage_90", k, predictor)
        out += [
            Covered(str(label), float(row["mean"]), int(row["n"]), *(FEW if few else PART))
            for label, row in table.reindex([o for o in order if o in table.index]).iterrows()
        ]
    return out
