"""The figure of a ranking: mean losses, skills and rank sets, each a dot with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from leaderboard import words
from leaderboard.charts import extent, log_ticks
from leaderboard.figure import Figure

__all__ = ["ranking_figure"]

STEP = 24
"""Pixels from one predictor to the next."""

BEST, OTHER = "the best, or not told from it", "another is shown to be better"
REFERENCE = "reference"
"""What a predictor is among the ranked ones."""

LOSS_WIDTH, SKILL_WIDTH, RANK_WIDTH = 250, 190, 200


def ranking_figure(part: pd.DataFrame, reference: str | None, name: str) -> Figure | None:
    """Make the figure of a ranking at one k.

    Parameters
    ----------
    part : DataFrame
        The ranking at one k, as `harness.ranking.rank` gives it.
    reference : str or None
        Name of the reference.
    name : str
        Of the figure.

    Returns
    -------
    Figure or None
        With a row for each ranked predictor, the best first. None where nothing is ranked.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"k": 0, "predictor": "a", "ranked": True, "rank": 1, "rank_low": 1, "rank_high": 1,
    ...        "marginal_rank_low": 1, "marginal_rank_high": 1, "crps": 2.0, "crps_low": 1.0,
    ...        "crps_high": 3.0, "skill": float("nan"), "skill_low": float("nan"),
    ...        "skill_high": float("nan"), "rule": "crps", "unit": "pp", "flag": ""}
    >>> ranking_figure(pd.DataFrame([row]), None, "ranking").summary
    'At k = 0, a has rank 1 and a mean CRPS of 2.00 pp [1.00, 3.00].'
    """
    ranked = part[part["ranked"]]
    if ranked.empty:
        return None
    rule, unit = words.rule_of(part), str(part["unit"].iloc[0])
    rows = [
        {**_row(row, rule, reference), "place": place}
        for place, row in enumerate(ranked.to_dict("records"), 1)
    ]
    loss = f"mean {words.RULE_NAMES[rule]}{', ' + unit if unit else ''}"
    means = ranked[rule].astype(float)
    is_log = bool(means.min() > 0 and means.max() > 5.0 * means.min())
    low, high = extent(ranked, rule, is_log)
    scale = {"type": "log" if is_log else "linear", "domain": [low, high]}
    title = f"{loss}{' (log scale)' if is_log else ''}"
    panels = [_panel("loss", title, LOSS_WIDTH, scale)]
    if is_log:
        panels[0]["layer"][-1]["encoding"]["x"]["axis"]["values"] = log_ticks(low, high)
    if any(row["skill_%"] is not None and row["predictor"] != reference for row in rows):
        panels.append(_panel("skill_%", "skill, %", SKILL_WIDTH, _skill_scale(rows), zero=True))
    if any(row["rank_low"] is not None for row in rows):
        panels.append(_ranks(len(rows)))
    for number, panel in enumerate(panels):
        panel["encoding"]["y"] = _names(labelled=number == 0)
    spec = {
        "data": {"values": rows},
        "hconcat": panels,
        "spacing": 26,
        "resolve": {"scale": {"y": "shared"}},
    }
    return Figure(name, spec, _summary(ranked, rule, unit), _caption(ranked))


def _row(row: Mapping[Any, Any], rule: str, reference: str | None) -> dict[str, Any]:
    """Give the data of one predictor; None where there is no number."""
    is_best = not pd.isna(row["rank_low"]) and row["rank_low"] == 1
    standing = REFERENCE if row["predictor"] == reference else BEST if is_best else OTHER
    out: dict[str, Any] = {"predictor": words.clean(row["predictor"]), "standing": standing}
    for end in ("", "_low", "_high"):
        out[f"loss{end}"] = _number(row[f"{rule}{end}"])
        skill = _number(row[f"skill{end}"])
        out[f"skill_%{end}"] = None if skill is None else 100.0 * skill
    for name in ("rank", "rank_low", "rank_high", "marginal_rank_low", "marginal_rank_high"):
        out[name] = None if pd.isna(row[name]) else int(row[name])
    return out


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _names(labelled: bool) -> dict[str, Any]:
    """Place predictors in the order of their ranks."""
    axis = {
        "title": None,
        "labelLimit": 190,
        "grid": True,
        "ticks": False,
        "domain": False,
        "labelPadding": 10,
    }
    if not labelled:
        axis |= {"labels": False}
    # by a field: a list of names would be compiled, and a predictor named "constructor" breaks that
    order = {"field": "place", "op": "min"}
    return {"field": "predictor", "type": "nominal", "sort": order, "axis": axis}


def _panel(
    field: str, title: str, width: int, scale: Mapping[str, Any], zero: bool = False
) -> dict[str, Any]:
    """Make one panel: an interval and a dot for each predictor."""
    at = {"type": "quantitative", "scale": {**scale, "clamp": True, "nice": False}}
    axis = {"title": title, "tickCount": 5}
    interval = {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {"x": {**at, "field": f"{field}_low"}, "x2": {"field": f"{field}_high"}},
    }
    dot = {
        "mark": {"type": "point"},
        "encoding": {
            "x": {**at, "field": field, "axis": axis},
            "shape": _standing("shape"),
            "tooltip": _tooltip(field),
        },
    }
    layers: list[dict[str, Any]] = [interval, dot]
    if zero:
        mark = {"type": "rule", "strokeDash": [4, 3], "color": "--soft"}
        nothing = {"color": None, "y": None}  # of what all layers share
        layers.insert(0, {"mark": mark, "encoding": {"x": {"datum": 0, **at}, **nothing}})
    return {
        "width": width,
        "height": {"step": STEP},
        "layer": layers,
        "encoding": {"color": _standing("colour")},
    }


def _ranks(n: int) -> dict[str, Any]:
    """Make the panel of ranks: the simultaneous set thin, the marginal one thick."""
    ticks = list(range(1, n + 1)) if n <= 12 else [1, *range(5, n + 1, 5)]
    at = {"type": "quantitative", "scale": {"domain": [0.5, n + 0.5], "nice": False}}
    axis = {"title": "rank and rank set", "values": ticks, "format": "d"}
    layers = []
    for field, width in (("rank", 1.5), ("marginal_rank", 5)):
        layers.append(
            {
                "mark": {"type": "rule", "strokeWidth": width},
                "encoding": {
                    "x": {**at, "field": f"{field}_low"},
                    "x2": {"field": f"{field}_high"},
                },
            }
        )
    dot = {
        "mark": {"type": "point"},
        "encoding": {
            "x": {**at, "field": "rank", "axis": axis},
            "shape": _standing("shape"),
            "tooltip": [
                {"field": "predictor", "type": "nominal"},
                {"field": "rank", "type": "quantitative"},
                {"field": "rank_low", "type": "quantitative"},
                {"field": "rank_high", "type": "quantitative"},
                {"field": "marginal_rank_low", "type": "quantitative", "title": "one by one, low"},
                {"field": "marginal_rank_high", "type": "quantitative", "title": "high"},
            ],
        },
    }
    return {
        "width": RANK_WIDTH,
        "height": {"step": STEP},
        "layer": [*layers, dot],
        "encoding": {"color": _standing("colour")},
    }


def _standing(what: str) -> dict[str, Any]:
    """Tell the best, the others and the reference apart, by colour and by shape."""
    ranges = {"colour": ["--c1", "--c2", "--c0"], "shape": ["circle", "square", "diamond"]}
    return {
        "field": "standing",
        "type": "nominal",
        "scale": {"domain": [BEST, OTHER, REFERENCE], "range": ranges[what]},
        # one below the other: a narrow window shows the left end of the figure first
        "legend": {"title": None, "orient": "bottom", "symbolSize": 70, "direction": "vertical"},
    }


def _tooltip(field: str) -> list[dict[str, Any]]:
    title = field.replace("_", ", ")
    ends = (("", title), ("_low", "95 %, from"), ("_high", "to"))
    return [{"field": "predictor", "type": "nominal"}] + [
        {"field": f"{field}{end}", "type": "quantitative", "format": ".3~f", "title": text}
        for end, text in ends
    ]


def _skill_scale(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Show skills above −100 % whole, and their intervals as far as they leave the rest legible."""
    means = [row["skill_%"] for row in rows if row["skill_%"] is not None]
    lows = [row["skill_%_low"] for row in rows if row["skill_%_low"] is not None]
    highs = [row["skill_%_high"] for row in rows if row["skill_%_high"] is not None]
    low = max(min([*means, *lows, 0.0]), -100.0)
    high = min(max([*means, *highs, 0.0]), 100.0)
    return {"type": "linear", "domain": [1.05 * low - 1.0, high + 3.0]}


def _summary(ranked: pd.DataFrame, rule: str, unit: str) -> str:
    """Say in words where the best stand."""
    parts = []
    for row in ranked.head(3).to_dict("records"):
        ranks = words.rank_set(row)
        rank = f"{'rank set' if '–' in ranks else 'rank'} {ranks}"
        value = f"{words.number(row[rule], unit, rule=rule)} {unit}".rstrip()
        low, high = (words.number(row[f"{rule}_{end}"], unit, rule=rule) for end in ("low", "high"))
        interval = f" [{low}, {high}]" if row[f"{rule}_low"] == row[f"{rule}_low"] else ""
        name = words.clean(row["predictor"])
        parts.append(f"{name} has {rank} and a mean {words.RULE_NAMES[rule]} of {value}{interval}")
    return f"At k = {int(ranked['k'].iloc[0])}, {words.listing(parts)}."


def _caption(ranked: pd.DataFrame) -> str:
    """Say what the marks are."""
    if (ranked["flag"] == "no interval").all():
        return "Dots are means and ranks; without intervals, since there are too few clusters."
    return (
        "Dots are means and ranks, lines their 95 % intervals. A mean's interval is wide because "
        "some models and scenarios are hard for all predictors; skill is paired with the "
        "reference, and less wide. Of ranks the thin line is the set that holds for all predictors "
        "together, the thick one holds for one comparison chosen beforehand. What leaves an axis "
        "is drawn at its edge."
    )
