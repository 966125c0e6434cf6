"""The same settings on other grids, against kernel ridge and the best baseline."""

from __future__ import annotations

from collections.abc import Sequence

from measured.aims import FEW_CLUSTERS, RIDGE, SLACK
from measured.figures import Figure, Figures
from measured.jobs import BASELINES, Job
from measured.sections import COMMAND

TAKEN = "factorisation"
HEADS = (
    *("grid", "cells", "clusters", "predictor", "CRPS"),
    *("− kernel-ridge", "", "− best baseline", "", "as aimed"),
)


class Transfer:
    """How the predictor that a user would take does on another grid.

    Parameters
    ----------
    job : Job
    figures : Figures
    """

    def __init__(self, job: Job, figures: Figures) -> None:
        self.job, self.figures = job, figures
        self.baseline = figures.best(0, BASELINES)
        self.against = [n for n in (RIDGE, self.baseline) if n is not None]

    @property
    def clusters(self) -> tuple[int, int]:
        """Numbers of clusters in both directions."""
        return self.figures.rows.nunique(), self.figures.columns.nunique()

    def verdict(self, predictor: str, other: str) -> tuple[Figure, str, bool]:
        """Compare with another: the difference, what it is called, whether it is as aimed at."""
        apart = self.figures.difference(predictor, other, 0)
        if min(self.clusters) >= FEW_CLUSTERS:
            if apart.high < 0:
                return apart, "beats", True
            return apart, "worse" if apart.low > 0 else "undecided", False
        base = self.figures.mean(other, 0).mean
        within = bool(apart.mean <= SLACK * base)
        return apart, f"{100 * apart.mean / base:+.0f} %", within

    @property
    def held(self) -> bool:
        """Whether it is as aimed at against kernel ridge and the best baseline."""
        return bool(self.against) and all(self.verdict(TAKEN, o)[2] for o in self.against)


def section(transfers: Sequence[Transfer]) -> list[str]:
    """Write the table of all grids."""
    if not transfers:
        return []
    lines = [
        "## Other grids, the same settings",
        "",
        "CRPS at k = 0. psn12 and openllm1_reduced as above; of the tables one draw of at most 120 "
        "models in five folds, by the second seed: that `factorisation` is the one to take was "
        "found by the first. The real HELM runs and Inspect logs, which are few, in five folds by "
        "every seed, since by the second alone they had missed the aim (+17 and +12 % of the best "
        "baselines, before columns had moderated variances). Values with unknown bounds are left "
        "out. `sparse-matrix` where tables "
        "have holes, else `heldout-run`. Differences are paired, with 95 % intervals; "
        f"with at least {FEW_CLUSTERS} clusters in both directions the aim is an interval below "
        "zero (*beats*), with fewer a CRPS not above the other's by more than 5 % (the difference "
        "in percent is printed). The other real HELM runs and Inspect logs at hand are three runs "
        f"each: nothing to predict them from. `{COMMAND} --only NAME`",
        "",
        f"| {' | '.join(HEADS)} |",
        "|---|" + "---|" * (len(HEADS) - 1),
    ]
    for t in transfers:
        rows, columns = t.clusters
        n = len(t.figures.targets)
        for name in ("profile", "factorisation"):
            taken = " (taken)" if name == TAKEN else ""
            head = (
                f"| {t.job.title} (`{t.job.name}`) | {n:,} | {rows} × {columns} | {name}{taken} "
                f"| {t.figures.mean(name, 0).text()} "
            )
            cells = []
            for other in (RIDGE, t.baseline):
                if other is None or t.figures.row(name, 0) is None:
                    cells += ["–", "–"]
                    continue
                apart, word, _ = t.verdict(name, other)
                label = "" if other == RIDGE else f"{other}: "
                cells += [f"{label}{apart.text(2, '+')}", word]
            ok = all(t.verdict(name, o)[2] for o in t.against) if t.against else False
            lines.append(f"{head}| {' | '.join(cells)} | {'yes' if ok else '**no**'} |")
    return [*lines, ""]
