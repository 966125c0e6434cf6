"""Compare predictors by the rules for several targets together, on groups that all of them have.

Pure functions of frames; the rules are those of `harness.joint_rules`, the statistics those of
`harness.averages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from harness.averages import Average, choose_clusters, clustered_average
from harness.joint_rules import JOINT_RULES
from harness.ranking import MIN_APPLICABLE_SHARE, checked_ks

__all__ = ["MORE_IS_BETTER", "JointResults", "joint_summary", "later_table"]

MORE_IS_BETTER = ("kendall_tau",)
"""Of the rules for several targets, those of which more is better."""

_RANGE = {"pairwise_brier": (0.0, 1.0), "kendall_tau": (-1.0, 1.0)}
_NAN = float("nan")
_UNIT = ["group", "seed", "fold"]
_COLUMNS = [
    "k",
    "rule",
    "by",
    "predictor",
    "value",
    "value_low",
    "value_high",
    "difference",
    "difference_low",
    "difference_high",
    "n_groups",
    "n_targets",
    "joint",
    "compared",
    "flag",
    "n_clusters",
    "cluster_kind",
]


class JointResults(Protocol):
    """What `joint_summary` needs of results; `groups` is read too, where there is such a table."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest, with the keys reference and predictors."""

    @property
    def targets(self) -> pd.DataFrame:
        """One row per target: model, organisation, scenario, scenario_group."""


def later_table(results: object, name: str) -> pd.DataFrame:
    """Give a table that not all kinds of results have; a frame without rows where it is not there.

    Parameters
    ----------
    results : object
        Such as `harness.results.Results.load` returns.
    name : str
        ``groups`` or ``calibration``.

    Raises
    ------
    UsageError
        If the table is there and cannot be read.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> later_table(SimpleNamespace(manifest={}), "groups").empty
    True
    """
    table = getattr(results, name, None)
    return table if isinstance(table, pd.DataFrame) else pd.DataFrame()


def joint_summary(results: JointResults, *, k: int | Iterable[int] | None = None) -> pd.DataFrame:
    r"""Average each predictor's scores of several targets together, with clustered intervals.

    A group is a model (`energy_score`) or a scenario (`pairwise_brier`, `kendall_tau`). What is
    compared is its targets of one seed and fold: at each k and rule all predictors are compared on
    those that all of them have, with a prediction of every target. Seeds and folds are averaged
    within a group first; groups then weigh equally.

    Parameters
    ----------
    results : JointResults
        Such as `harness.results.Results.load` returns. Without a table `groups` (older versions
        wrote none) the summary has no rows.
    k : int or iterable of int, optional
        Numbers of shown responses; all of them by default.

    Returns
    -------
    DataFrame
        One row per k, rule and predictor, by k, rule, and from the best predictor to the worst.
        Columns:

        - k, rule, by (``model`` or ``scenario``), predictor.
        - value, value_low, value_high : float, the mean over groups and its 95 % interval, in the
          rule's unit: `energy_score` in standard deviations of train values, `pairwise_brier` in
          [0, 1], less is better; `kendall_tau` in [−1, 1], more is better. NaN where the predictor
          has no group: a predictor that says the same of all runs of a scenario has no order. The
          interval ends where the rule does; it is NaN where all groups have the same value.
        - difference, difference_low, difference_high : float, the mean of value − reference's,
          group by group, on the same targets.
        - n_groups, n_targets : int, groups in the mean; predictions in them (target × seed).
        - joint : float, the share of them in which the predictor gave draws that belong together;
          in others its predictions were judged as independent.
        - compared : bool, False for predictors that have less than half of what the fullest has:
          the others are compared without regard to them.
        - flag : str, `harness.averages.Average.flag`; n_clusters : int, cluster_kind : str.

    Raises
    ------
    UsageError
        For a k that was not evaluated, naming those that were.

    Notes
    -----
    The interval is one-way cluster-robust: models cluster by organisation where at least 5 are
    known, scenarios by scenario group where there are at least 5 (`harness.averages`). With the
    same labels as rows and as columns the estimator of `clustered_average` is
    :math:`\frac{G}{G-1} \sum_g (\sum_{i \in g} e_i)^2 / n^2`, that of one-way clustering, with t at
    G − 1 degrees of freedom.

    References
    ----------
    Energy score: Gneiting & Raftery (2007), doi:10.1198/016214506000001437, eq. 22. Brier (1950),
    Monthly Weather Review 78(1), of the events that one of two runs has the greater value. Kendall
    (1945), The treatment of ties in ranking problems, Biometrika 33(3). Intervals: Liang & Zeger
    (1986), Biometrika 73(1); Cameron, Gelbach & Miller (2011), doi:10.1198/jbes.2010.07136.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> targets = pd.DataFrame({"model": list("abcde"), "scenario": "s"})
    >>> groups = pd.concat(pd.DataFrame({
    ...     "predictor": name, "seed": 0, "fold": 0, "k": 0, "by": "model", "group": list("abcde"),
    ...     "rule": "energy_score", "value": value, "targets": 3, "joint": name == "mine"})
    ...     for name, value in [("mean", 2.0), ("mine", [1.0, 1.1, 1.2, 1.3, 1.4])])
    >>> results = SimpleNamespace(manifest={"reference": "mean"}, targets=targets, groups=groups)
    >>> joint_summary(results)[["predictor", "value", "difference", "n_groups", "joint"]]
      predictor  value  difference  n_groups  joint
    0      mine    1.2        -0.8         5    1.0
    1      mean    2.0         0.0         5    0.0
    """
    groups = later_table(results, "groups")
    if groups.empty:
        return pd.DataFrame(columns=_COLUMNS)
    units = _units(groups)
    known = sorted({int(one) for one in units["k"]} | set(results.manifest.get("k") or ()))
    clusters = {by: _clusters(results.targets, by) for by in units["by"].unique()}
    order = [str(p["name"]) for p in results.manifest.get("predictors") or ()]
    rows = []
    for one in known if k is None else checked_ks(k, known):
        at_k = units[units["k"] == one]
        there = set(at_k["predictor"])
        names = [name for name in order if name in there] + sorted(there - set(order))
        for rule in JOINT_RULES:
            for by, part in at_k[at_k["rule"] == rule].groupby("by", sort=True):
                fixed = {"k": one, "rule": rule, "by": str(by)}
                found = _compare(
                    part, rule, names, results.manifest.get("reference"), *clusters[by]
                )
                rows += [fixed | row for row in _sorted(found, rule)]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _units(groups: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each predictor, k, rule, group, seed and fold.

    A scenario under several conditions or metrics is several columns of runs: their mean.
    """
    words = ["predictor", "by", "group", "rule"]
    table = groups.astype(dict.fromkeys(words, "object"))
    return table.groupby(["predictor", "k", "rule", "by", *_UNIT], as_index=False, sort=True).agg(
        value=("value", "mean"), targets=("targets", "sum"), joint=("joint", "min")
    )


def _compare(
    part: pd.DataFrame,
    rule: str,
    names: list[str],
    reference: str | None,
    labels: pd.Series,
    kind: str,
) -> list[dict[str, Any]]:
    """Make the rows of one k and rule."""
    wide = {
        name: part.pivot(index=_UNIT, columns="predictor", values=name).reindex(columns=names)
        for name in ("value", "targets", "joint")
    }
    # A predictor that left some targets out is not judged by the easier rest.
    full = wide["targets"].eq(wide["targets"].max(axis=1), axis=0)
    has = full & np.isfinite(wide["value"].astype(float))
    n = has.sum()
    compared = [name for name in names if n[name] and n[name] >= MIN_APPLICABLE_SHARE * n.max()]
    while len(compared) > 1 and not has[compared].all(axis=1).any():
        compared.remove(min(compared, key=lambda name: (n[name], name == reference)))
    common = has[compared].all(axis=1)
    value = wide["value"].astype(float).where(has)[common]
    own = value[reference] if reference in names else pd.Series(_NAN, index=value.index)
    means = value.groupby(level="group").mean()
    differences = value.sub(own, axis=0).groupby(level="group").mean()
    cluster = [labels.get(group, group) for group in means.index]
    rows = []
    for name in names:
        counted = has.loc[common, name]
        mean = clustered_average(means[name], cluster, cluster)
        rows.append(
            {
                "predictor": name,
                **_with_interval("value", _within(mean, rule)),
                **_with_interval(
                    "difference", clustered_average(differences[name], cluster, cluster)
                ),
                "n_groups": mean.n,
                "n_targets": int(wide["targets"].loc[common, name][counted].sum()),
                "joint": float(wide["joint"].loc[common, name][counted].astype(float).mean()),
                "compared": name in compared,
                "flag": mean.flag,
                "n_clusters": mean.rows,
                "cluster_kind": kind,
            }
        )
    return rows


def _sorted(rows: list[dict[str, Any]], rule: str) -> list[dict[str, Any]]:
    """Sort: the best first, then those that are not compared, then those without a value."""
    sign = -1.0 if rule in MORE_IS_BETTER else 1.0

    def place(row: Mapping[str, Any]) -> tuple[bool, bool, float]:
        unknown = bool(np.isnan(row["value"]))
        return unknown, not row["compared"], 0.0 if unknown else sign * row["value"]

    return sorted(rows, key=place)


def _clusters(targets: pd.DataFrame, by: str) -> tuple[pd.Series, str]:
    """Give each model's or scenario's cluster, by its name, and what the clusters are."""
    rows, columns, row_kind, column_kind = choose_clusters(targets)
    labels, kind = (rows, row_kind) if by == "model" else (columns, column_kind)
    return labels.groupby(targets[by].astype(str)).min(), kind


def _within(average: Average, rule: str) -> Average:
    """Keep the interval in the rule's range; none where nothing varies."""
    low, high = _RANGE.get(rule, (-np.inf, np.inf))
    if not average.se > 0.0:
        return replace(average, low=_NAN, high=_NAN)
    return replace(average, low=max(average.low, low), high=min(average.high, high))


def _with_interval(name: str, average: Average) -> dict[str, float]:
    return {name: average.mean, f"{name}_low": average.low, f"{name}_high": average.high}
