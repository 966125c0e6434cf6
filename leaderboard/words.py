"""The words and number formats that the terminal table and the page share."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

RULE_NAMES = {
    "crps": "CRPS",
    "log_score": "Log score",
    "absolute_error": "MAE",
    "squared_error": "MSE",
    "interval_score_50": "Interval score 50",
    "interval_score_80": "Interval score 80",
    "interval_score_90": "Interval score 90",
    "brier": "Brier",
    "log_loss": "Log loss",
    "auroc": "AUROC",
    "energy_score": "Energy score",
    "pairwise_brier": "Pairwise Brier",
    "kendall_tau": "Kendall τ",
}
"""Rule names as a heading."""

DECIMALS = {
    "brier": 4,
    "log_loss": 3,
    "auroc": 3,
    "energy_score": 2,
    "pairwise_brier": 3,
    "kendall_tau": 2,
}
"""Decimals of rules whose values lie about 1 or below: to so many places predictors differ."""


def clean(text: object) -> str:
    r"""Make text of unknown origin harmless to print: no control or direction-changing characters.

    Examples
    --------
    >>> clean("a\x1b[31mb\nc")
    'a�[31mb�c'
    """
    return "".join("�" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in str(text))


def number(value: float, unit: str = "pp", digits: int = 2, rule: str = "") -> str:
    """Format a value: `digits` decimals in points and nats, else three significant digits.

    Values of the rules of `DECIMALS` have so many decimals, and no zero before the point.

    Examples
    --------
    >>> number(3.14159), number(1234.5, ""), number(float("nan"))
    ('3.14', '1.23e+03', '–')
    >>> number(0.18592, "", rule="brier"), number(-0.25, "", rule="kendall_tau")
    ('.1859', '−.25')
    """
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞"
    if rule in DECIMALS:
        text = f"{round(value, DECIMALS[rule]) + 0.0:.{DECIMALS[rule]}f}".replace("-", "−")
        return re.sub(r"^(−?)0\.", r"\1.", text)
    return f"{value:.{digits}f}" if unit else f"{value:.3g}"


def signed(value: float, unit: str = "pp", digits: int = 2, rule: str = "") -> str:
    """Format a difference, with its sign; zero has none.

    Examples
    --------
    >>> signed(0.5), signed(-0.5), signed(0.0), signed(-0.0001)
    ('+0.50', '−0.50', '0.00', '0.00')
    >>> signed(-0.0123, "", rule="brier")
    '−.0123'
    """
    text = number(abs(value), unit, digits, rule)
    if not any(digit in "123456789∞" for digit in text):
        return text
    return ("−" if value < 0 else "+") + text


def span(low: float, high: float, show: Any = number, unit: str = "pp") -> str:
    """Format an interval in brackets; empty where there is none.

    Examples
    --------
    >>> span(1.0, 2.5), span(-1.0, 0.5, signed), span(float("nan"), float("nan"))
    ('[1.00, 2.50]', '[−1.00, +0.50]', '')
    """
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{show(low, unit)}, {show(high, unit)}]"


def percent(share: float, digits: int = 0) -> str:
    """Format a share as a whole number of percent, without the sign.

    Examples
    --------
    >>> percent(0.914), percent(float("nan")), percent(-0.25)
    ('91', '–', '−25')
    """
    if not math.isfinite(share):
        return "–"
    text = f"{abs(100.0 * share):.{digits}f}"
    return ("−" if share < 0 and float(text) else "") + text


def p_value(p: float) -> str:
    """Format a p-value; one below a thousandth is only said to be so.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.0002), p_value(1.0), p_value(float("nan"))
    ('.031', '< .001', '1', '–')
    """
    if math.isnan(p):
        return "–"
    return "< .001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}"[1:]


def rank_set(row: Mapping[Any, Any], dash: str = "–", alone: bool = False) -> str:
    """Format the set of ranks that the comparisons leave open; `alone`: each comparison by itself.

    Examples
    --------
    >>> rank_set({"rank_low": 1, "rank_high": 3}), rank_set({"rank_low": 2, "rank_high": 2})
    ('1–3', '2')
    """
    low, high = (row[f"{'marginal_' if alone else ''}rank_{end}"] for end in ("low", "high"))
    if pd.isna(low):
        return "–"
    return str(low) if low == high else f"{low}{dash}{high}"


def count(n: int, singular: str, plural: str | None = None) -> str:
    """Format a number of things.

    Examples
    --------
    >>> count(1, "target"), count(1200, "target")
    ('1 target', '1,200 targets')
    """
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def listing(items: Iterable[object]) -> str:
    """Join with commas and *and*.

    Examples
    --------
    >>> listing(["a"]), listing(["a", "b"]), listing(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    texts = [str(item) for item in items]
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def of_responses(ranking: pd.DataFrame) -> bool:
    """Say whether a ranking is of predictions of single responses, scored run by run."""
    return "pooled" in ranking.columns


def targets(n: int, responses: bool) -> str:
    """Format how many values a mean is over: targets, or runs whose responses were predicted.

    Examples
    --------
    >>> targets(48, True), targets(1, False)
    ('48 runs', '1 target')
    """
    return count(n, targets_word(responses))


def targets_word(responses: bool) -> str:
    """Name what a mean is over."""
    return "run" if responses else "target"


def less_is_better(responses: bool) -> str:
    """Say which way the columns of a ranking are to be read."""
    return f"Less is better, except for skill{' and AUROC' if responses else ''}."


def means_of(rule: str) -> str:
    """Say what is averaged where single responses were predicted."""
    return (
        f"{RULE_NAMES[rule]}, log loss and AUROC are means over runs, pooled is over all responses "
        "alike. AUROC is within a run: how often a right response has a greater prediction than a "
        "wrong one."
    )


def rule_of(ranking: pd.DataFrame) -> str:
    """Return the rule a ranking was made by."""
    return str(ranking["rule"].iloc[0]) if len(ranking) and "rule" in ranking.columns else "crps"


def clusters(part: pd.DataFrame) -> str:
    """Say what the intervals of one k rest on; `part` is the ranking at that k.

    Examples
    --------
    >>> import pandas as pd
    >>> clusters(pd.DataFrame({
    ...     "ranked": [True], "n_rows": [8], "n_columns": [4], "flag": ["few clusters"],
    ...     "row_kind": ["model"], "column_kind": ["scenario"]}))
    'intervals: 95 %, clustered by 8 models × 4 scenarios (few clusters: rough)'
    """
    ranked = part[part["ranked"]]
    if ranked.empty:
        return "nothing is ranked"
    row = ranked.iloc[0]
    pair = (
        f"{count(row['n_rows'], row['row_kind'])} × {count(row['n_columns'], row['column_kind'])}"
    )
    if row["flag"] == "no interval":
        return f"no intervals: {pair} are too few clusters (at least 3 × 3 are needed)"
    rough = " (few clusters: rough)" if row["flag"] else ""
    return f"intervals: 95 %, clustered by {pair}{rough}"


def unranked(ranking: pd.DataFrame) -> list[tuple[str, str, str]]:
    """List who is not ranked: (predictor, the k it concerns or empty for all, reason).

    Examples
    --------
    >>> import pandas as pd
    >>> unranked(pd.DataFrame({
    ...     "k": [0, 5, 0, 5], "predictor": ["a", "a", "b", "b"],
    ...     "reason": ["", "", "does not apply: needs k", ""]}))
    [('b', 'k = 0', 'does not apply: needs k')]
    """
    ks = sorted(ranking["k"].unique())
    out = []
    away = ranking[ranking["reason"] != ""]
    for (predictor, reason), own in away.groupby(["predictor", "reason"], sort=False):
        at = sorted(own["k"])
        where = "" if at == ks and len(ks) > 1 else f"k = {', '.join(map(str, at))}"
        out.append((str(predictor), where if len(ks) > 1 else "", str(reason)))
    return out


def why_away(reason: str) -> str:
    """Say of a predictor that it is not ranked, and why.

    Examples
    --------
    >>> why_away("does not apply: needs k"), why_away("its mean loss is not finite")
    ('does not apply: needs k', 'not ranked: its mean loss is not finite')
    """
    away = reason.startswith(("does not apply", "could not be evaluated", "no "))
    return ("" if away else "not ranked: ") + clean(reason)


def unbounded(ranking: pd.DataFrame) -> str:
    """Say how many targets are left out because their metric has no known bounds; else empty."""
    n = int(ranking["n_unbounded"].max()) if len(ranking) else 0
    if not n:
        return ""
    verb = "is" if n == 1 else "are"
    return (
        f"{count(n, 'target')} of metrics without known bounds {verb} left out of these averages: "
        "their losses are not percentage points."
    )


_DIAGNOSTICS = {"checks": "checks of the fit", "loo": "leave-one-run-out"}
"""What predictors say of themselves, in words."""


def missing_diagnostics(predictors: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say which diagnostics predictors offer and could not make; those with one cause together.

    Examples
    --------
    >>> missing_diagnostics([{"name": "mine", "loo_error": "ValueError: no"}])
    ['mine: leave-one-run-out could not be made: ValueError: no']
    """
    names: dict[str, dict[str, None]] = {}
    kinds: dict[str, dict[str, None]] = {}
    for predictor in predictors:
        for kind, what in _DIAGNOSTICS.items():
            if error := predictor.get(f"{kind}_error"):
                text = clean(error).rstrip(".")
                names.setdefault(text, {})[clean(predictor["name"])] = None
                kinds.setdefault(text, {})[what] = None
    return [
        f"{listing(names[text])}: {listing(kinds[text])} could not be made: {text}"
        for text in names
    ]


def failed_check(check: Mapping[str, Any]) -> str:
    """Say in which folds a predictor's check of its own fit failed, and how badly.

    Examples
    --------
    >>> failed_check({"check": "r_hat", "failed": 2, "of": 10, "value": 1.31, "limit": 1.05,
    ...               "offenders": "a on s (1.310)"})
    'r_hat failed in 2 of 10 folds, at worst 1.31 (limit 1.05): a on s (1.310)'
    """
    worst, limit = (number(_float(check[name]), "") for name in ("value", "limit"))
    text = (
        f"{clean(check['check'])} failed in {check['failed']} of {count(check['of'], 'fold')}, "
        f"at worst {worst} (limit {limit})"
    )
    return f"{text}: {clean(check['offenders'])}" if check.get("offenders") else text


def _float(value: Any) -> float:
    """Return a number of a manifest, where what is no number is None."""
    return math.nan if value is None else float(value)
