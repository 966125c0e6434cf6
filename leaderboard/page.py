"""A ranking as one page that opens from a file: no script, no network, nothing from outside."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jinja2
import markupsafe
import pandas as pd

from harness.joint_ranking import joint_summary, later_table
from harness.ranking import by_group, headline_rule, loo_summary, rank
from harness.relatives import UNKNOWN, WithSplit, by_closest
from leaderboard import charts, words
from leaderboard.calibration import calibration
from leaderboard.groups import filled_bins
from leaderboard.joint import MEANINGS, joint_at

__all__ = ["PageResults", "build", "csv_text", "environment", "write_text"]

FEW_SCENARIOS = 12
"""Up to this many scenarios are shown one by one; more are shown as scenario groups."""


class PageResults(WithSplit, Protocol):
    """What `build` needs: what `harness.ranking.rank` needs, the split, and loo.

    The tables `groups` and `calibration` are shown where there are any.
    """

    @property
    def loo(self) -> pd.DataFrame:
        """Columns predictor, run, elpd_loo, elpd_waic, pareto_k, method; may be empty."""


def build(
    results: PageResults, out: str | Path, title: str | None = None, home: str | None = None
) -> Path:
    """Write ``index.html`` and ``ranking.csv`` into a folder.

    The page needs neither a script nor a network: figures are inline SVG, the choice of k is plain
    HTML and CSS, and the page's content security policy allows nothing else. It is a function of
    the results alone: the same results give the same bytes.

    Parameters
    ----------
    results : PageResults
        Such as `harness.results.Results.load` returns.
    out : str or Path
        Folder to write into; made where it is missing. Other files in it are left alone.
    title : str, optional
        Title of the page; by default it names the task.
    home : str, optional
        Address, relative to the page, of a page that it belongs to.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    UsageError
        If `out` is a file, or the results cannot be ranked (see `harness.ranking.rank`).
    """
    from suites.errors import UsageError

    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder to write the page into")
    ranking = rank(results, rule=headline_rule(results.scores))
    content = {"home": home, **_content(results, ranking, title)}
    html = environment().get_template("page.html.j2").render(**content)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "ranking.csv", csv_text(ranking))
    write_text(folder / "index.html", html)
    return folder / "index.html"


def environment() -> jinja2.Environment:
    """Make the template environment: everything is escaped, nothing may be undefined."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leaderboard", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": words.number,
        "signed": words.signed,
        "percent": words.percent,
        "listing": words.listing,
        "text": _text,
        "breakable": _breakable,
        "px": lambda value: f"{value:.1f}".removesuffix(".0"),
        "thousands": lambda value: f"{value:,}",
    }
    environment.globals |= {
        "rank_set": words.rank_set,
        "number": words.number,
        "signed": words.signed,
    }
    return environment


def _content(results: PageResults, ranking: pd.DataFrame, title: str | None) -> dict[str, Any]:
    """Return everything that the template shows."""
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
    return {
        "title": title or f"Predictor ranking: {manifest.get('task', 'results')}",
        "manifest": manifest,
        "facts": _facts(manifest, targets, ranking),
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
            _panel(ranking[ranking["k"] == k], groups[groups["k"] == k], k, style)
            | {
                "relatives": _relatives(relatives[relatives["k"] == k], ranking["k"] == k, ranking),
                "joint": joint_at(summary, k),
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
        "predictors": [_described(p) for p in described],
        "missing_diagnostics": words.missing_diagnostics(described),
        "doubtful": [str(p["name"]) for p in described if p.get("failed_checks")],
        "unranked": words.unranked(ranking),
        "loo": loo_summary(results.loo, ranking, targets).to_dict("records"),
        "note": manifest.get("note"),
        "has_log_score": bool(ks and ranking["log_score"].notna().any()),
    }


def _panel(
    part: pd.DataFrame, groups: pd.DataFrame, k: int, style: Mapping[str, int]
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
    manifest: Mapping[str, Any], targets: pd.DataFrame, ranking: pd.DataFrame
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
        ("Isolation", manifest.get("isolation")),
        ("benchcast", manifest.get("benchcast")),
        ("Command", command),
    ]
    return [(term, _text(value)) for term, value in pairs if value not in (None, "")]


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


def _text(value: Any) -> str:
    """Return any value of the manifest as text."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(inner) for inner in value)
    return words.clean(value)


def _breakable(name: str) -> markupsafe.Markup:
    """Return a name, escaped, that a browser may break before its settings."""
    head, bracket, settings = words.clean(name).partition("(")
    escape = markupsafe.escape
    return escape(head) + markupsafe.Markup("<wbr>" if bracket else "") + escape(bracket + settings)


def csv_text(ranking: pd.DataFrame) -> str:
    """Return a ranking as CSV; a name that a spreadsheet would run as a formula is quoted."""
    safe = ranking.copy()
    for column in ("predictor", "reason"):
        safe[column] = [
            "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
            for text in ranking[column].astype(str)
        ]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # mkstemp keeps others out; a page is for everybody that the folder is for.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
