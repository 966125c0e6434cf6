"""What the page of one task shows: tables, figures and words, made from results."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from harness.joint_ranking import joint_summary, later_table
from harness.ranking import by_group, loo_summary
from harness.relatives import UNKNOWN, WithSplit, by_closest
from leaderboard import charts, words
from leaderboard.calibration import calibration
from leaderboard.groups import filled_bins
from leaderboard.head_to_head import head_to_head
from leaderboard.joint import MEANINGS, joint_at
from leaderboard.loo import loo_agreement
from leaderboard.ranking_figure import ranking_figure
from leaderboard.slugs import predictor_addresses
from leaderboard.templating import text_of

__all__ = ["FEW_SCENARIOS", "PageResults", "page_content"]

FEW_SCENARIOS = 12
"""Up to this many scenarios are shown one by one; more are shown as scenario groups."""

BUILT_IN = "predictors."
"""Modules of the built-in predictors."""


class PageResults(WithSplit, Protocol):
    """What a page needs: what `harness.ranking.rank` needs, the split, and loo.

    The tables `groups` and `calibration` are shown where there are any. Pages of predictors and
    cells, and copies of tables, are made of `harness.results.Results` only.
    """

    @property
    def loo(self) -> pd.DataFrame:
        """Columns predictor, run, elpd_loo, elpd_waic, pareto_k, method; may be empty."""


def page_content(
    results: PageResults, ranking: pd.DataFrame, title: str | None = None
) -> dict[str, Any]:
    """Return what the template of the page shows.

    Parameters
    ----------
    results : PageResults
        The results.
    ranking : DataFrame
        At every k, as `harness.ranking.rank` gives it.
    title : str, optional
        Title of the page; by default it names the task.
    """
    manifest, targets = results.manifest, results.targets
    reference = manifest.get("reference")
    described = list(manifest.get("predictors") or ())
    # The best come first, so that the lines drawn in one figure differ in style.
    places = ranking.groupby("predictor")["rank"].mean().sort_values(kind="stable")
    style = charts.styles([str(name) for name in places.index], reference)
    rule = words.rule_of(ranking)
    ks = [int(k) for k in ranking["k"].unique()] if len(ranking) else []
    by = _grouping(targets)
    groups = by_group(results, by, rule=rule)
    relatives = by_closest(results, rule=rule)
    summary, curve = joint_summary(results), later_table(results, "calibration")
    there = set(summary.loc[summary["value"].notna(), "rule"])
    responses = words.of_responses(ranking)
    curves = charts.curves(ranking, reference, style) if ks and ranking["ranked"].any() else None
    loo = loo_summary(results.loo, ranking, targets)
    who = _who(described, places.index, reference, manifest.get("isolation"))
    return {
        "title": title or f"Predictor ranking: {manifest.get('task', 'results')}",
        "manifest": manifest,
        "facts": _facts(manifest, targets, ranking, who),
        "reference": reference,
        "rule": rule,
        "rule_name": words.RULE_NAMES[rule],
        "unit": str(ranking["unit"].iloc[0]) if ks else "",
        "responses": responses,
        "target": words.targets_word(responses),
        "less_is_better": words.less_is_better(responses),
        "means_of": words.means_of(rule) if responses else "",
        "rule_names": words.RULE_NAMES,
        "panels": [
            _panel(ranking[ranking["k"] == k], groups[groups["k"] == k], k, style, reference)
            | {
                "relatives": _relatives(relatives[relatives["k"] == k], ranking["k"] == k, ranking),
                "joint": joint_at(summary, k),
                "head_to_head": head_to_head(results, ranking, k),
                "calibration": calibration(curve, k, places.index, style, reference),
            }
            for k in ks
        ],
        "has_calibration": len(curve) > 0,
        "joint_meanings": {words.RULE_NAMES[r]: text for r, text in MEANINGS.items() if r in there},
        "relatives": len(filled_bins(relatives)) > 1,
        "curves": curves,
        "by": by.replace("_", " "),
        "unbounded": words.unbounded(ranking),
        "style": style,
        "predictors": [_described(p) | who[str(p["name"])] for p in described],
        "who": who,
        "has_authors": any(facts["author"] or facts["submitted"] for facts in who.values()),
        "kinds": _distinct(who, "kind"),
        "isolations": _distinct(who, "isolation"),
        "missing_diagnostics": words.missing_diagnostics(described),
        "doubtful": [str(p["name"]) for p in described if p.get("failed_checks")],
        "unranked": words.unranked(ranking),
        "loo": loo.to_dict("records"),
        "loo_agreement": loo_agreement(loo).splitlines(),
        "note": manifest.get("note"),
        "has_log_score": bool(ks and ranking["log_score"].notna().any()),
    }


def _panel(
    part: pd.DataFrame,
    groups: pd.DataFrame,
    k: int,
    style: Mapping[str, int],
    reference: str | None,
) -> dict[str, Any]:
    """Return what is shown of one k."""
    rule = words.rule_of(part)
    shown = part[part[rule].notna()]
    best = shown[shown["ranked"] & (shown["rank_low"] == 1).fillna(False)]
    names = [str(name) for name in shown["predictor"]]
    losses = {(row.group, row.predictor): row.loss for row in groups.itertuples()}
    sizes = groups.groupby("group", sort=False)["n_targets"].max()
    return {
        "k": k,
        "rows": shown.to_dict("records"),
        "size": words.targets(
            int(shown["n_targets"].max()) if len(shown) else 0, words.of_responses(part)
        ),
        "clusters": words.clusters(part),
        "best": [str(name) for name in best["predictor"]],
        "is_alone": len(best) == 1 and int(best["rank_high"].iloc[0]) == 1,
        "is_compared": len(best) > 0 and len(shown) > 1 and best["flag"].iloc[0] != "no interval",
        "away": words.unranked(part),
        "figure": ranking_figure(part, reference, f"ranking-{k}"),
        "detectable": _detectable(part),
        "coverage": charts.coverage(part, style),
        "names": names,
        "groups": [
            {
                "name": group,
                "n": int(sizes[group]),
                "losses": [losses.get((group, n)) for n in names],
            }
            for group in sorted(set(groups["group"]))
        ],
    }


def _detectable(part: pd.DataFrame) -> float | None:
    """Return the difference from the reference that the task can be expected to show at one k."""
    found = [float(value) for value in part["task_detectable"]]
    return next((value for value in found if math.isfinite(value)), None)


def _relatives(part: pd.DataFrame, at_k: pd.Series, ranking: pd.DataFrame) -> dict[str, Any]:
    """Return the losses at one k by closest relative, predictors in the order of the ranking."""
    there = set(part["predictor"])
    names = [str(name) for name in ranking.loc[at_k, "predictor"] if name in there]
    losses = {(row.group, row.predictor): row.loss for row in part.itertuples()}
    sizes = part.groupby("group")
    models, targets = sizes["n_models"].max(), sizes["n_targets"].max()
    bins = [*filled_bins(part), *([UNKNOWN] if UNKNOWN in models.index else [])]
    return {
        "names": names,
        "bins": [
            {
                "name": name,
                "models": int(models[name]),
                "n": int(targets[name]),
                "losses": [losses.get((name, n)) for n in names],
            }
            for name in bins
        ],
    }


def _grouping(targets: pd.DataFrame) -> str:
    """Choose what the table of scenarios has as rows."""
    many = targets["scenario"].nunique() > FEW_SCENARIOS
    return "scenario_group" if many and targets["scenario_group"].nunique() > 1 else "scenario"


def _facts(
    manifest: Mapping[str, Any],
    targets: pd.DataFrame,
    ranking: pd.DataFrame,
    who: Mapping[str, Mapping[str, str]],
) -> list[tuple[str, str]]:
    """Return what was evaluated, as pairs of a term and its text; without what is not known."""
    sources = [
        f"{s.get('source')} ({s.get('kind')})" if isinstance(s, Mapping) else str(s)
        for s in manifest.get("sources") or ()
    ]
    command = manifest.get("command")
    if isinstance(command, Sequence) and not isinstance(command, str):
        command = shlex.join(map(str, command))
    size = ", ".join(
        words.count(n, one)
        for n, one in (
            (len(targets), words.targets_word(words.of_responses(ranking))),
            (targets["model"].nunique(), "model"),
            (targets["scenario"].nunique(), "scenario"),
            (targets["metric"].nunique(), "metric"),
        )
    )
    pairs = [
        ("Task", manifest.get("task")),
        ("Source" if len(sources) == 1 else "Sources", "; ".join(sources)),
        ("Held out", size),
        ("Shown responses k", ", ".join(str(k) for k in ranking["k"].unique())),
        ("Folds", manifest.get("folds")),
        ("Seeds", ", ".join(map(str, manifest.get("seeds") or ()))),
        ("Reference", manifest.get("reference")),
        ("Isolation", _isolation(who)),
        ("benchcast", manifest.get("benchcast")),
        ("Command", command),
    ]
    return [(term, text_of(value)) for term, value in pairs if value not in (None, "")]


def _who(
    described: Sequence[Mapping[str, Any]],
    names: Iterable[Any],
    reference: str | None,
    isolation: object,
) -> dict[str, dict[str, str]]:
    """Return what every predictor is, who made it, how it was run, and where its page is."""
    entries: dict[str, Mapping[str, Any]] = {str(name): {} for name in names}
    entries |= {str(p["name"]): p for p in described}
    addresses = predictor_addresses(entries)
    out = {}
    for name, entry in entries.items():
        built_in = str(entry.get("class") or entry.get("spec") or "").startswith(BUILT_IN)
        kind = "reference" if name == reference else "built-in" if built_in else "other"
        out[name] = {
            "kind": kind,
            "isolation": text_of(entry.get("isolation") or isolation or ""),
            "author": text_of(entry.get("author") or ""),
            "submitted": text_of(entry.get("submitted") or ""),
            "href": addresses[name],
        }
    return out


def _isolation(who: Mapping[str, Mapping[str, str]]) -> str:
    """Say how predictors were run; merged results may differ."""
    names: dict[str, list[str]] = {}
    for name, facts in sorted(who.items()):
        names.setdefault(facts["isolation"], []).append(words.clean(name))
    if len(names) < 2:
        return "".join(names)
    return "; ".join(f"{how or 'unknown'}: {', '.join(own)}" for how, own in sorted(names.items()))


def _distinct(who: Mapping[str, Mapping[str, str]], what: str) -> list[str]:
    """Return what predictors may be filtered by; nothing where all are alike."""
    found = sorted({facts[what] for facts in who.values() if facts[what]})
    return found if len(found) > 1 else []


def _described(predictor: Mapping[str, Any]) -> dict[str, Any]:
    """Return one predictor's entry of the manifest, with every key the template reads."""
    settings = predictor.get("settings") or {}
    return {
        "name": str(predictor["name"]),
        "summary": predictor.get("summary") or "",
        "class": predictor.get("class") or predictor.get("spec") or "",
        "settings": ", ".join(f"{name} = {value!r}" for name, value in settings.items()),
        "needs": ", ".join(map(str, predictor.get("needs") or ())),
        "settings_hash": str(predictor.get("settings_hash") or ""),
        "code_hash": str(predictor.get("code_hash") or ""),
        "status": str(predictor.get("status") or "evaluated").replace("_", " "),
        "failed_checks": [words.failed_check(c) for c in predictor.get("failed_checks") or ()],
        "reason": predictor.get("reason") or "",
    }
