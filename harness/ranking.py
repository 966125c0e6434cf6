"""Rank predictors from the tables of a results folder, with rank sets instead of bare ranks.

Owns which targets predictors are compared on, who is ranked, and why somebody is not. Pure
functions of frames; the statistics are those of `harness.averages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.averages import (
    Average,
    choose_clusters,
    clustered_average,
    paired_difference,
    skill,
)
from harness.multiplicity import against_reference, holm
from harness.power import minimum_detectable_difference
from harness.rank_sets import simultaneous_rank_sets
from suites.errors import UsageError, unknown_name

__all__ = [
    "FAILED",
    "LOSSES",
    "MAX_FAILED_SHARE",
    "MIN_APPLICABLE_SHARE",
    "ResultsLike",
    "by_group",
    "checked_ks",
    "headline_rule",
    "loo_summary",
    "rank",
]

FAILED = ("missing", "duplicate", "unknown", "invalid", "failed", "timeout")
"""Statuses of a target that was asked for and got no valid prediction."""

LOSSES = (
    "crps",
    "log_score",
    "absolute_error",
    "squared_error",
    "interval_score_50",
    "interval_score_80",
    "interval_score_90",
    "brier",
    "log_loss",
)
"""Rules to rank by: less is better. Coverage, width and PIT describe, they do not rank."""

MAX_FAILED_SHARE = 0.05
"""A predictor with more targets than this without a valid prediction is not ranked."""

MIN_APPLICABLE_SHARE = 0.5
"""A predictor with losses for less than this share of the targets is not ranked: all are compared
on the targets that every ranked one has, and it would take most of them away."""

_NAN = float("nan")
_RANKS = ("rank", "rank_low", "rank_high", "marginal_rank_low", "marginal_rank_high")
_COVERAGES = ("coverage_50", "coverage_80", "coverage_90")
_OF_RESPONSES = ("log_loss", "auroc", "responses")


class ResultsLike(Protocol):
    """What `rank` needs of results: `harness.results.Results` has it, and so may anything else."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest, with the keys reference and predictors."""

    @property
    def targets(self) -> pd.DataFrame:
        """One row per target: identity, metric, lower, upper."""

    @property
    def scores(self) -> pd.DataFrame:
        """Columns predictor, task, seed, fold, k, target, rule, value."""

    @property
    def status(self) -> pd.DataFrame:
        """Columns predictor, task, seed, fold, k, target, status, message."""


def rank(
    results: ResultsLike,
    *,
    k: int | Iterable[int] | None = None,
    metric: str | None = None,
    rule: str = "crps",
    task: str | None = None,
) -> pd.DataFrame:
    r"""Rank the predictors at every k by their mean loss, with intervals and rank sets.

    Seeds are averaged within a target first; targets then weigh equally. At each k all ranked
    predictors are compared on the same targets: those for which every one of them has a loss.
    Intervals are 95 %, two-way clustered (`harness.averages.clustered_average`).

    Parameters
    ----------
    results : ResultsLike
        Has manifest, targets, scores and status.
    k : int or iterable of int, optional
        Numbers of shown responses to rank at; all of them by default.
    metric : str, optional
        Only targets of this metric. By default targets of all metrics with known bounds are pooled,
        since their losses are in percentage points; metrics without bounds stay out and are
        counted in `n_unbounded`.
    rule : str
        One of `LOSSES`: what is averaged, ranked and compared with the reference.
    task : str, optional
        Needed only where the scores are of several tasks.

    Returns
    -------
    DataFrame
        One row per predictor and k, by k, the ranked first by mean loss, then the unranked, then
        those that do not apply. Columns:

        - k : int.
        - rank, rank_low, rank_high : Int64, NA when unranked. The rank set goes from 1 + the number
          of ranked predictors that are surely better to their number − the number that are surely
          worse; with 95 % confidence the true ranks of all lie in their sets *together*
          (`harness.rank_sets.simultaneous_rank_sets`).
        - marginal_rank_low, marginal_rank_high : Int64, the same with each comparison at its own
          95 %: right for one pair chosen beforehand; among many predictors some will be chance.
        - predictor : str.
        - crps, crps_low, crps_high : float, percentage points for bounded metrics, else the
          metric's unit. With another rule, columns of its name follow with `_low` and `_high`.
        - skill, skill_low, skill_high : float, 1 − Σ loss / Σ reference's loss.
        - difference, difference_low, difference_high : float, mean paired loss − reference's.
        - p_holm : float, the p-value of that difference, adjusted by Holm's method for the number
          of ranked predictors; NaN for the reference, for unranked ones, and without intervals.
        - detectable, task_detectable : float, in the rule's unit: the true difference from the
          reference that a 95 % interval would find in 80 % of such tasks, and its median over the
          ranked predictors, the same in all rows of a k (`harness.power`); NaN as `p_holm`.
        - absolute_error : float, as crps.
        - coverage_50, coverage_80, coverage_90 : float in [0, 1], each with `_low` and `_high`
          (NaN where all or none of the targets are covered: their spread cannot be estimated).
        - log_score : float, nats, over the targets that have one; NaN without any.
        - log_loss, auroc, pooled : float, of single responses (elsewhere these columns are absent):
          as log_score, and the rule's mean over all responses rather than over runs.
        - n_targets : int, targets in the averages.
        - n_failed, n_asked, failed_share : predictions (target × seed) without a valid answer,
          those asked for where the predictor applies, and their ratio.
        - n_unknown : int, answers for targets that nobody asked for.
        - ranked : bool; reason : str, why not, else empty.
        - flag : str, `harness.averages.Average.flag` of the mean.
        - n_rows, n_columns, row_kind, column_kind : the clusters.
        - n_unbounded : int, targets left out because their metric has no known bounds.
        - rule, unit : str, the rule, and ``"pp"``, ``"nats"``, ``"pp²"`` or ``""`` (own unit).

    Raises
    ------
    UsageError
        For a k, metric, rule or task that the results do not have, naming those they have.

    See Also
    --------
    by_group : The same mean losses by scenario, model or organisation.

    Notes
    -----
    Not ranked are predictors without a valid prediction for more than 5 % of what they were asked,
    with a mean that is not finite, or with losses for less than half of the targets. They are
    averaged over the compared targets that they have.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> cells = [(m, s) for m in "abcde" for s in "uvwxy"]
    >>> targets = pd.DataFrame({
    ...     "target": [m + s for m, s in cells], "model": [m for m, _ in cells],
    ...     "scenario": [s for _, s in cells], "metric": "accuracy", "lower": 0.0, "upper": 1.0})
    >>> scores = pd.concat(pd.DataFrame({
    ...     "predictor": name, "task": "t", "seed": 0, "fold": 0, "k": 0,
    ...     "target": targets["target"], "rule": "crps", "value": value})
    ...     for name, value in [("mean", 4.0), ("mine", 3.0)])
    >>> status = scores[["predictor", "task", "seed", "fold", "k", "target"]].assign(
    ...     status="ok", message=None)
    >>> results = SimpleNamespace(
    ...     manifest={"reference": "mean"}, targets=targets, scores=scores, status=status)
    >>> rank(results)[["rank", "predictor", "crps", "skill", "difference"]]
       rank predictor  crps  skill  difference
    0     1      mine   3.0   0.25        -1.0
    1     2      mean   4.0   0.00         0.0
    """
    cells = _Cells.of(results, task=task, metric=metric, rule=rule)
    wanted = cells.ks if k is None else checked_ks(k, cells.ks)
    rows = [row for one in wanted for row in _rank_at(cells, one, rule)]
    return _frame(rows, rule)


def by_group(
    results: ResultsLike,
    by: str,
    *,
    k: int | Iterable[int] | None = None,
    metric: str | None = None,
    rule: str = "crps",
    task: str | None = None,
) -> pd.DataFrame:
    """Average the losses within each scenario, model, or other group of targets.

    Parameters
    ----------
    results : ResultsLike
        Has manifest, targets, scores and status.
    by : str
        A column of targets, such as ``"scenario"`` or ``"organisation"``. Targets where it is
        missing are left out.
    k, metric, rule, task
        As in `rank`.

    Returns
    -------
    DataFrame
        Columns k, group, predictor, loss (float, as in `rank`), n_targets. The targets are those
        that `rank` compares on; of unranked predictors those of them that they have.

    Raises
    ------
    UsageError
        As `rank`, and for a column that targets does not have.
    """
    if by not in results.targets.columns:
        raise unknown_name("column of targets", by, map(str, results.targets.columns))
    cells = _Cells.of(results, task=task, metric=metric, rule=rule)
    wanted = cells.ks if k is None else checked_ks(k, cells.ks)
    labels = cells.targets[by].astype(object)
    codes, groups = pd.factorize(labels, sort=True)
    rows = []
    for one in wanted:
        losses = cells.losses(one, rule)
        _, compared, _ = _who_is_compared(cells, one, losses)
        for p, predictor in enumerate(cells.predictors):
            inside = compared & ~np.isnan(losses[p]) & (codes >= 0)
            if not inside.any():
                continue
            n = np.bincount(codes[inside], minlength=len(groups))
            total = np.bincount(codes[inside], weights=losses[p][inside], minlength=len(groups))
            rows += [
                (one, groups[int(g)], predictor, total[g] / n[g], int(n[g])) for g in n.nonzero()[0]
            ]
    return pd.DataFrame(rows, columns=["k", "group", "predictor", "loss", "n_targets"])


def headline_rule(scores: pd.DataFrame) -> str:
    """Return the rule that a ranking is made by.

    ``brier`` of single responses; of run values ``crps``, or the first of `LOSSES` there is.

    Examples
    --------
    >>> import pandas as pd
    >>> headline_rule(pd.DataFrame({"rule": ["log_loss", "brier", "auroc"]}))
    'brier'
    """
    there = set(scores["rule"].unique())
    if "brier" in there:
        return "brier"
    return next((rule for rule in LOSSES if rule in there), "crps")


def loo_summary(
    loo: pd.DataFrame,
    ranking: pd.DataFrame,
    targets: pd.DataFrame | None = None,
    *,
    threshold: float = 0.7,
) -> pd.DataFrame:
    """Set the predictors' own leave-one-run-out diagnostics beside their held-out log score.

    Parameters
    ----------
    loo : DataFrame
        Columns predictor, run, elpd_loo, elpd_waic, pareto_k, method: one row per train run, seed
        and fold. May be empty.
    ranking : DataFrame
        As `rank` returns; its log_score at the smallest k is used.
    targets : DataFrame, optional
        Columns run, binary. Then only runs of binary metrics count: the log score is of their
        counts alone, and the density of other runs is on another scale.
    threshold : float
        Pareto k above which an importance-sampled value is not to be trusted (0.7: Vehtari,
        Simpson, Gelman, Yao & Gabry 2024, arXiv:1507.02646).

    Returns
    -------
    DataFrame
        One row per predictor that returned any: predictor, elpd_loo (nats per run, mean over runs;
        seeds and folds are averaged within a run first), elpd_waic, n_runs, share_high_pareto_k
        (NaN for exact values), method, k, held_out (minus the mean log score at that k; NaN where
        there is none) and gap (elpd_loo − held_out). A diagnostic: never ranked by.
    """
    columns = [
        "predictor",
        "elpd_loo",
        "elpd_waic",
        "n_runs",
        "share_high_pareto_k",
        "method",
        "k",
        "held_out",
        "gap",
    ]
    if targets is not None and len(loo):
        of_counts = targets.loc[targets["binary"].eq(True), "run"].astype(str)
        loo = loo[loo["run"].astype(str).isin(set(of_counts))]
    if loo.empty:
        return pd.DataFrame(columns=columns)
    smallest = int(ranking["k"].min()) if len(ranking) else 0
    first = ranking[ranking["k"] == smallest].set_index("predictor")["log_score"]
    rows = []
    for predictor, own in loo.groupby(loo["predictor"].astype(str), sort=True):
        runs = own.groupby(own["run"].astype(str))[["elpd_loo", "elpd_waic"]].mean()
        elpd = float(runs["elpd_loo"].mean())
        pareto = pd.to_numeric(own["pareto_k"], errors="coerce").dropna()
        held_out = -float(first.get(predictor, _NAN))
        rows.append(
            (
                predictor,
                elpd,
                float(runs["elpd_waic"].mean()),
                len(runs),
                float((pareto > threshold).mean()) if len(pareto) else _NAN,
                ", ".join(sorted(own["method"].dropna().astype(str).unique())),
                smallest,
                held_out,
                elpd - held_out,
            )
        )
    return pd.DataFrame(rows, columns=columns)


@dataclass
class _Cells:
    """The selected part of results, as codes: losses by (k, rule) are dense matrices."""

    predictors: list[str]
    reference: str | None
    manifest: dict[str, Mapping[str, Any]]
    ks: list[int]
    targets: pd.DataFrame
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    row_kind: str
    column_kind: str
    n_unbounded: int
    bounded: bool
    rules: list[str]
    k: NDArray[np.int64]
    rule: NDArray[np.int64]
    predictor: NDArray[np.int64]
    target: NDArray[np.int64]
    value: NDArray[np.float64]
    status: pd.DataFrame
    starts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        """Sort the scores by k and rule, so that a matrix is filled from one slice."""
        key = self.k * len(self.rules) + self.rule
        order = np.argsort(key, kind="stable")
        self.predictor, self.target = self.predictor[order], self.target[order]
        self.value = self.value[order]
        self.starts = np.searchsorted(key[order], np.arange(len(self.ks) * len(self.rules) + 1))

    @classmethod
    def of(cls, results: ResultsLike, *, task: str | None, metric: str | None, rule: str) -> _Cells:
        """Select by task and metric, drop pooled metrics without bounds, and number everything."""
        if rule not in LOSSES:
            raise unknown_name("rule to rank by", rule, LOSSES)
        manifest, scores, status = results.manifest, results.scores, results.status
        scores, status = _of_task(scores, status, task, manifest.get("task"))
        wanted = _wanted_rules(scores, rule)
        targets = _of_metric(results.targets, metric)
        # A metric of its own may be averaged in its own unit; several may be pooled only in points.
        bounded = _has_bounds(targets)
        n_unbounded = int((~bounded).sum())
        pooled = metric is None or bool(bounded.any())
        if pooled:
            targets = targets[bounded]
        else:
            n_unbounded = 0
        targets = targets.sort_values("target", kind="stable", ignore_index=True)
        described = {str(p["name"]): p for p in manifest.get("predictors") or ()}
        others = {*_distinct(scores["predictor"]), *_distinct(status["predictor"])}
        predictors = [*described, *sorted(others - set(described))]
        ks = sorted(
            {int(x) for x in manifest.get("k") or ()}
            | {int(x) for x in _distinct(scores["k"])}
            | {int(x) for x in _distinct(status["k"])}
        )
        rules = _codes(scores["rule"], wanted)
        value = scores["value"].to_numpy(dtype=np.float64)
        target = _codes(scores["target"], targets["target"])
        keep = (rules >= 0) & (target >= 0) & ~np.isnan(value)
        scores = scores[keep]
        rows, columns, row_kind, column_kind = choose_clusters(targets)
        return cls(
            predictors=predictors,
            reference=manifest.get("reference"),
            manifest=described,
            ks=ks,
            targets=targets,
            rows=np.asarray(pd.factorize(rows)[0], dtype=np.int64),
            columns=np.asarray(pd.factorize(columns)[0], dtype=np.int64),
            row_kind=row_kind,
            column_kind=column_kind,
            n_unbounded=n_unbounded,
            bounded=pooled,
            rules=wanted,
            k=_codes(scores["k"], ks),
            rule=rules[keep],
            predictor=_codes(scores["predictor"], predictors),
            target=target[keep],
            value=value[keep],
            status=_coded_status(status, predictors, targets["target"]),
        )

    def losses(self, k: int, rule: str) -> NDArray[np.float64]:
        """Return the values of a rule at k, mean over seeds: shape (P, T), NaN where none."""
        shape = (len(self.predictors), len(self.targets))
        if rule not in self.rules:
            return np.full(shape, np.nan)
        at = self.ks.index(k) * len(self.rules) + self.rules.index(rule)
        part = slice(self.starts[at], self.starts[at + 1])
        flat = self.predictor[part] * shape[1] + self.target[part]
        size = shape[0] * shape[1]
        n = np.bincount(flat, minlength=size)
        total = np.bincount(flat, weights=self.value[part], minlength=size)
        mean = np.full(size, np.nan)
        np.divide(total, n, out=mean, where=n > 0)
        return mean.reshape(shape)

    def average(self, values: NDArray[np.float64]) -> Average:
        """Average values of all targets (NaN where they do not count), shape (T,)."""
        return clustered_average(
            values, self.rows, self.columns, row_kind=self.row_kind, column_kind=self.column_kind
        )

    def unit(self, rule: str) -> str:
        """Return the unit of a rule's values; empty for a metric's own."""
        if rule in ("log_score", "log_loss"):
            return "nats"
        if rule == "brier" or not self.bounded:
            return ""
        return "pp²" if rule == "squared_error" else "pp"


@dataclass(frozen=True)
class _Answers:
    """What became of what one predictor was asked at one k."""

    asked: int = 0
    failed: int = 0
    unknown: int = 0
    applicable: bool = True
    message: str = ""
    by_status: Mapping[str, int] = field(default_factory=dict)

    @property
    def too_many_failed(self) -> bool:
        return self.failed > MAX_FAILED_SHARE * self.asked + 1e-9


def _rank_at(cells: _Cells, k: int, rule: str) -> list[dict[str, Any]]:
    """Make the rows of one k."""
    losses = cells.losses(k, rule)
    answers, compared, ranked = _who_is_compared(cells, k, losses)
    names = cells.predictors
    reference = names.index(cells.reference) if cells.reference in names else None
    at_k = np.where(compared, losses, np.nan)
    secondary = {
        name: at_k if name == rule else np.where(compared, cells.losses(k, name), np.nan)
        for name in ("crps", "absolute_error", "log_score")
    }
    for name, matrix in secondary.items():
        having = [p for p in ranked if not np.isnan(matrix[p]).all()]
        if name != rule and having:
            common = ~np.isnan(matrix[having]).any(axis=0)
            secondary[name] = np.where(common, matrix, np.nan)
    coverages = {name: np.where(compared, cells.losses(k, name), np.nan) for name in _COVERAGES}
    responses = None
    if "responses" in cells.rules:
        responses = {
            name: np.where(compared, cells.losses(k, name), np.nan) for name in _OF_RESPONSES
        }
    comparisons, task_detectable = _compare_ranked(cells, at_k, ranked, reference)
    means = {p: cells.average(at_k[p]) for p in range(len(names))}
    rows = []
    for p, predictor in enumerate(names):
        mean, own = means[p], answers[p]
        is_ranked, compared_with = p in comparisons, comparisons.get(p, {})
        row: dict[str, Any] = {
            "k": k,
            **{name: compared_with.get(name, pd.NA) for name in _RANKS},
            "predictor": predictor,
        }
        if is_ranked:
            row["rank"] = 1 + sum(means[q].mean < mean.mean for q in ranked)
        crps = mean if rule == "crps" else cells.average(secondary["crps"][p])
        row |= _with_interval("crps", crps)
        if rule != "crps":
            row |= _with_interval(rule, mean)
        if reference is None:
            row |= _with_interval("skill", None) | _with_interval("difference", None)
        else:
            pair = (at_k[p], at_k[reference], cells.rows, cells.columns)
            row |= _with_interval("skill", skill(*pair))
            row |= _with_interval("difference", paired_difference(*pair))
        row |= {name: compared_with.get(name, _NAN) for name in ("p_holm", "detectable")}
        row["task_detectable"] = task_detectable
        if rule != "absolute_error":
            row["absolute_error"] = cells.average(secondary["absolute_error"][p]).mean
        for name, matrix in coverages.items():
            row |= _with_interval(name, _as_share(cells.average(matrix[p])))
        if rule != "log_score":
            row["log_score"] = cells.average(secondary["log_score"][p]).mean
        if responses is not None:
            weight = responses["responses"][p]
            row["pooled"] = _weighted(at_k[p], weight)
            for name in ("log_loss", "auroc"):
                if name != rule:
                    row[name] = cells.average(responses[name][p]).mean
        row |= {
            "n_targets": mean.n,
            "n_failed": own.failed,
            "n_asked": own.asked,
            "failed_share": own.failed / own.asked if own.asked else 0.0,
            "n_unknown": own.unknown,
            "ranked": is_ranked,
            "reason": "" if is_ranked else _reason(cells, k, p, own, losses),
            "flag": mean.flag,
            "n_rows": mean.rows,
            "n_columns": mean.columns,
            "row_kind": cells.row_kind,
            "column_kind": cells.column_kind,
            "n_unbounded": cells.n_unbounded,
            "rule": rule,
            "unit": cells.unit(rule),
        }
        rows.append(row)
    order = sorted(range(len(names)), key=lambda p: _place(rows[p], means[p].mean))
    return [rows[p] for p in order]


def _weighted(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the mean of the values that have a weight."""
    known = ~(np.isnan(values) | np.isnan(weights))
    return float(np.average(values[known], weights=weights[known])) if known.any() else _NAN


def _who_is_compared(
    cells: _Cells, k: int, losses: NDArray[np.float64]
) -> tuple[list[_Answers], NDArray[np.bool_], list[int]]:
    """Return every predictor's answers, the compared targets [T] and the ranked predictors."""
    answers = _answers(cells, k)
    has = ~np.isnan(losses)
    n = has.sum(axis=1)
    ranked = [
        p
        for p in range(len(cells.predictors))
        if n[p] and not answers[p].too_many_failed and np.isfinite(losses[p][has[p]]).all()
    ]
    most = max((n[p] for p in ranked), default=0)
    ranked = [p for p in ranked if n[p] >= MIN_APPLICABLE_SHARE * most]
    while len(ranked) > 1 and not has[ranked].all(axis=0).any():
        ranked.remove(min(ranked, key=lambda p: (n[p], cells.predictors[p] == cells.reference)))
    compared = has[ranked].all(axis=0) if ranked else has.any(axis=0)
    return answers, np.asarray(compared, dtype=np.bool_), ranked


def _compare_ranked(
    cells: _Cells, losses: NDArray[np.float64], ranked: Sequence[int], reference: int | None
) -> tuple[dict[int, dict[str, Any]], float]:
    """Compare the ranked with each other and the reference: columns of each, the task's power."""
    among = losses[list(ranked)]
    sets = simultaneous_rank_sets(among, cells.rows, cells.columns)
    columns: dict[str, NDArray[Any]] = {
        "rank_low": sets.low,
        "rank_high": sets.high,
        "marginal_rank_low": sets.marginal_low,
        "marginal_rank_high": sets.marginal_high,
    }
    median = _NAN
    if reference is not None and reference in ranked:
        at = list(ranked).index(reference)
        found = minimum_detectable_difference(among, at, cells.rows, cells.columns)
        columns |= {"p_holm": holm(against_reference(sets, at)), "detectable": found.by_predictor}
        median = found.median
    rows = {
        p: {name: values[i].item() for name, values in columns.items()}
        for i, p in enumerate(ranked)
    }
    return rows, median


def _answers(cells: _Cells, k: int) -> list[_Answers]:
    """Count the statuses at k, for each predictor."""
    at_k = cells.status[cells.status["k"] == k]
    found = dict(iter(at_k.groupby("predictor")))
    return [_count(found[p]) if p in found else _Answers() for p in range(len(cells.predictors))]


def _count(own: pd.DataFrame) -> _Answers:
    """Count the statuses of one predictor at one k."""
    asked_for = own["known"]
    applicable = asked_for & (own["status"] != "not_applicable")
    failed = own.loc[applicable & own["status"].isin(FAILED), "status"].value_counts()
    messages = own.loc[own["status"] == "not_applicable", "message"].dropna()
    messages = messages[messages != ""]
    return _Answers(
        asked=int(applicable.sum()),
        failed=int(failed.sum()),
        unknown=int((~asked_for & (own["status"] == "unknown")).sum()),
        applicable=bool(applicable.any()) or not (own["status"] == "not_applicable").any(),
        message=str(messages.mode().iloc[0]) if len(messages) else "",
        by_status={str(name): int(n) for name, n in sorted(failed.items())},
    )


def _reason(cells: _Cells, k: int, p: int, own: _Answers, losses: NDArray[np.float64]) -> str:
    """Say why a predictor is not ranked."""
    described = cells.manifest.get(cells.predictors[p], {})
    state, said = described.get("status"), str(described.get("reason") or "").strip().rstrip(".")
    n = int((~np.isnan(losses[p])).sum())
    if n == 0 and state == "failed":
        return f"could not be evaluated: {said}" if said else "could not be evaluated"
    if n == 0 and (state == "not_applicable" or not own.applicable):
        why = own.message.rstrip(".") or said
        return f"does not apply: {why}" if why else f"does not apply at k = {k}"
    if own.too_many_failed:
        kinds = ", ".join(f"{name} {count:,}" for name, count in own.by_status.items())
        return (
            f"{own.failed:,} of {own.asked:,} predictions are missing or not valid ({kinds}): "
            f"{100 * own.failed / own.asked:.1f} %, and at most {100 * MAX_FAILED_SHARE:.0f} % "
            "is ranked"
        )
    if n == 0:
        if np.isnan(losses).all():
            return f"no target can be scored at k = {k}"
        return f"no scores at k = {k}"
    if not np.isfinite(losses[p][~np.isnan(losses[p])]).all():
        return "its mean loss is not finite"
    most = int((~np.isnan(losses)).sum(axis=1).max())
    return f"applies to {n:,} of {most:,} targets: too few to compare the others on"


def _place(row: Mapping[str, Any], mean: float) -> tuple[int, float, str]:
    """Sort key: ranked, then unranked with a loss, then the rest; by loss, then name."""
    if row["ranked"]:
        return 0, mean, row["predictor"]
    return (2, 0.0, row["predictor"]) if np.isnan(mean) else (1, mean, row["predictor"])


def _with_interval(name: str, average: Average | None) -> dict[str, float]:
    """Return a mean and the ends of its interval as columns."""
    if average is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), _NAN)
    return {name: average.mean, f"{name}_low": average.low, f"{name}_high": average.high}


def _as_share(average: Average) -> Average:
    """Keep the interval of a share in [0, 1]; none where nothing varies."""
    varies = average.se > 0.0
    return Average(
        mean=average.mean,
        low=max(average.low, 0.0) if varies else _NAN,
        high=min(average.high, 1.0) if varies else _NAN,
        se=average.se,
        n=average.n,
        rows=average.rows,
        columns=average.columns,
    )


def _frame(rows: list[dict[str, Any]], rule: str) -> pd.DataFrame:
    """Make the ranking's frame; without rows, its columns."""
    if not rows:
        names = ["k", *_RANKS, "predictor", rule, "reason"]
        return pd.DataFrame(columns=names)
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(_RANKS, "Int64"))


def checked_ks(k: int | Iterable[int], known: Sequence[int]) -> list[int]:
    """Return the wanted k; one that was not evaluated is a `UsageError`."""
    wanted = [int(k)] if isinstance(k, (int, np.integer)) else [int(x) for x in k]
    for one in wanted:
        if one not in known:
            near = min(known, key=lambda x: (abs(x - one), x), default=None)
            hint = "" if near is None else f"; the nearest is k = {near}"
            there = ", ".join(map(str, known)) or "none"
            raise UsageError(f"k = {one} was not evaluated{hint}. Evaluated: k = {there}.")
    return wanted


def _of_task(
    scores: pd.DataFrame, status: pd.DataFrame, task: str | None, named: str | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores and statuses of one task."""
    tasks = sorted(map(str, {*_distinct(scores["task"]), *_distinct(status["task"])}))
    if task is None:
        if len(tasks) <= 1:
            return scores, status
        raise UsageError(
            f"these results are of {len(tasks)} tasks ({', '.join(tasks)}), which are ranked one "
            "at a time: choose one by name."
        )
    known = tasks or [str(named)]
    if task not in known:
        raise unknown_name("task", task, known)
    if len(tasks) <= 1:
        return scores, status
    return scores[scores["task"] == task], status[status["task"] == task]


def _of_metric(targets: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """Return the targets of one metric, or all."""
    if metric is None:
        return targets
    known = [str(name) for name in _distinct(targets["metric"])]
    if metric not in known:
        raise unknown_name("metric", metric, known)
    return targets[targets["metric"].astype(object) == metric]


def _has_bounds(targets: pd.DataFrame) -> pd.Series:
    """Say which targets have both bounds, so that their losses are percentage points."""
    low = pd.to_numeric(targets["lower"]).astype(float)
    high = pd.to_numeric(targets["upper"]).astype(float)
    return pd.Series(np.isfinite(high - low) & (high > low), index=targets.index)


def _wanted_rules(scores: pd.DataFrame, rule: str) -> list[str]:
    """Return the rules a ranking reads; the one to rank by must be among the scores."""
    there = [str(name) for name in _distinct(scores["rule"])]
    if rule not in there and there:
        losses = ", ".join(name for name in LOSSES if name in there) or "none"
        raise UsageError(
            f"these results have no {rule} to rank by. Losses that they have: {losses}."
        )
    of_responses = _OF_RESPONSES if "responses" in there else ()
    return list(
        dict.fromkeys([rule, "crps", "absolute_error", "log_score", *_COVERAGES, *of_responses])
    )


def _coded_status(
    status: pd.DataFrame, predictors: Sequence[str], targets: pd.Series
) -> pd.DataFrame:
    """Give the predictors numbers, and mark the statuses of selected targets."""
    known = _codes(status["target"], targets) >= 0
    state = status["status"].astype(object)
    # An answer for something nobody asked for has no target of its own; others are of targets
    # that the selection left out.
    keep = known | (state == "unknown").to_numpy()
    message = (
        status["message"].astype(object)
        if "message" in status.columns
        else pd.Series(None, index=status.index, dtype=object)
    )
    return pd.DataFrame(
        {
            "k": status["k"].to_numpy(dtype=np.int64),
            "predictor": _codes(status["predictor"], predictors),
            "known": known,
            "status": state.to_numpy(),
            "message": message.to_numpy(),
        }
    )[keep]


def _distinct(column: pd.Series) -> list[Any]:
    """Return the distinct values that occur; a categorical may list more."""
    return list(column.dropna().unique())


def _codes(column: pd.Series, names: Iterable[Any]) -> NDArray[np.int64]:
    """Return the position in `names` of each value, −1 where it is not among them."""
    index = pd.Index(list(names), dtype=object)
    codes, uniques = pd.factorize(column)
    places = index.get_indexer(pd.Index(list(uniques), dtype=object))
    return np.where(codes < 0, -1, np.append(places, -1)[codes]).astype(np.int64)
