"""The heat map of mean losses over models × scenarios, and the page where all of it can be seen."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from harness.ranking import ResultsLike
from leaderboard import words
from leaderboard.arrays import cell_losses, codes, order_of
from leaderboard.figure import Figure
from leaderboard.files import write_text
from leaderboard.slugs import predictor_addresses
from leaderboard.templating import environment

__all__ = ["Heat", "heat", "heat_losses", "write_index"]

STEP = 18
"""Pixels of a cell."""

LIMIT = 170
"""Pixels of a label; what is longer is cut, and whole in the table and the tooltip."""

_SLANTED = {
    "orient": "top",
    "labelAngle": -60,
    "labelAlign": "left",
    "labelBaseline": "middle",
    "labelPadding": 7,
}

Addresses = Mapping[tuple[str, str], str]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Heat:
    """Mean losses of all cells.

    Attributes
    ----------
    models, scenarios : tuple of str
        Those with the greatest losses first: means over cells, predictors and k.
    row, column : array of int, shape (C,)
        Place of each cell among them; cells by row and column.
    predictors, ks : tuple
        Predictors in the order of the ranking, with a loss anywhere; numbers of shown responses.
    loss : array of float, shape (P, K, C)
        Mean over a cell's targets; NaN where it is not compared.
    n_targets : array of int, shape (P, K, C)
        How many these are.
    reference : int or None
        Place of the reference among the predictors.
    rule, unit : str
        Of the losses.
    """

    models: tuple[str, ...]
    scenarios: tuple[str, ...]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    predictors: tuple[str, ...]
    ks: tuple[int, ...]
    loss: Floats
    n_targets: NDArray[np.int64]
    reference: int | None
    rule: str
    unit: str

    @property
    def digits(self) -> int:
        """Decimals that losses are shown with."""
        return words.DECIMALS.get(self.rule, 2)

    @property
    def first(self) -> tuple[int, int]:
        """What is shown first: the best predictor at the smallest k where it has a loss."""
        there = np.isfinite(self.loss[0]).any(axis=1)
        return 0, int(np.argmax(there))


def heat_losses(results: ResultsLike, ranking: pd.DataFrame) -> Heat | None:
    """Average the losses of every cell, predictor and k.

    Parameters
    ----------
    results : ResultsLike
        Such as `harness.results.Results.load` returns.
    ranking : DataFrame
        As `harness.ranking.rank` returns it.

    Returns
    -------
    Heat or None
        None where nothing is scored.

    Notes
    -----
    The targets are those that the ranking compares on: targets of metrics without known bounds have
    no losses in percentage points, and their cells may be missing.
    """
    rule = words.rule_of(ranking)
    table = cell_losses(results, rule)
    if table.empty:
        return None
    there = set(table["predictor"])
    predictors = tuple(name for name in order_of(ranking) if name in there)
    ks = tuple(sorted({int(k) for k in table["k"]}))
    models, scenarios = (_hardest_first(table, by) for by in ("model", "scenario"))
    row, column = codes(table["model"], models), codes(table["scenario"], scenarios)
    cells, cell = np.unique(row * len(scenarios) + column, return_inverse=True)
    at = (codes(table["predictor"], predictors), codes(table["k"], ks), cell)
    loss = np.full((len(predictors), len(ks), len(cells)), np.nan)
    loss[at] = table["loss"].to_numpy(dtype=np.float64)
    n_targets = np.zeros(loss.shape, dtype=np.int64)
    n_targets[at] = table["n_targets"].to_numpy(dtype=np.int64)
    reference = results.manifest.get("reference")
    return Heat(
        models=models,
        scenarios=scenarios,
        row=cells // len(scenarios),
        column=cells % len(scenarios),
        predictors=predictors,
        ks=ks,
        loss=loss,
        n_targets=n_targets,
        reference=predictors.index(reference) if reference in predictors else None,
        rule=rule,
        unit=str(ranking["unit"].iloc[0]),
    )


def heat(losses: Heat, predictor: int, k: int, addresses: Addresses, name: str = "heat") -> Figure:
    """Make the heat map of one predictor at one k.

    Parameters
    ----------
    losses : Heat
        All losses.
    predictor, k : int
        Places of what is shown among their predictors and ks.
    addresses : mapping of (str, str) to str
        (model, scenario) → address of its page, relative to the figure's page; may be empty.
    name : str
        Of the figure.
    """
    shown = losses.loss[predictor, k]
    base = None if losses.reference is None else losses.loss[losses.reference, k]
    values = []
    for c in range(len(shown)):
        model = losses.models[losses.row[c]]
        scenario = losses.scenarios[losses.column[c]]
        one: dict[str, Any] = {
            "model": words.clean(model),
            "scenario": words.clean(scenario),
            "row": int(losses.row[c]),
            "column": int(losses.column[c]),
            "loss": _rounded(shown[c], losses.digits),
            "difference": None if base is None else _rounded(shown[c] - base[c], losses.digits),
        }
        if (model, scenario) in addresses:
            one["href"] = addresses[(model, scenario)]
        values.append(one)
    linked = {"href": {"field": "href"}} if addresses else {}
    label = _label(losses)
    spec = {
        "data": {"values": values},
        "transform": [{"filter": "isValid(datum.loss)"}],
        "mark": {"type": "rect", "stroke": "--rule", "strokeWidth": 1},
        "width": {"step": STEP},
        "height": {"step": STEP},
        "encoding": {
            "x": _axis("scenario", "column", _SLANTED),
            "y": _axis("model", "row", {}),
            "color": colours(losses)["loss"],
            **linked,
            "tooltip": [
                {"field": "model", "title": "model"},
                {"field": "scenario", "title": "scenario"},
                {"field": "loss", "title": label},
                {"field": "difference", "title": "difference to the reference"},
            ],
        },
    }
    return Figure(name, spec, _summary(losses, predictor, k))


def colours(losses: Heat) -> dict[str, dict[str, Any]]:
    """Give what cells may be coloured by: ``loss``, and ``difference`` to the reference."""
    # a gradient for all people; the numbers stand in the table and in the tooltips
    found: dict[str, dict[str, Any]] = {
        "loss": {
            "field": "loss",
            "type": "quantitative",
            "title": _label(losses),
            "scale": {
                "scheme": {"name": "viridis", "extent": [0.12, 1]},
                "reverse": True,
                "domainMin": 0,
            },
        }
    }
    if losses.reference is not None:
        found["difference"] = {
            "field": "difference",
            "type": "quantitative",
            "title": f"less {words.clean(losses.predictors[losses.reference])}'s",
            "scale": {"scheme": "blueorange", "domainMid": 0},
        }
    return found


def packed(losses: Heat) -> str:
    """Give all losses as JSON: whole numbers in units of the last decimal that is shown.

    Half a million numbers of four digits are about 2 MB.
    """
    scaled = np.rint(losses.loss * 10**losses.digits)
    numbers = [
        [[None if x != x else int(x) for x in of_k] for of_k in of_p] for of_p in scaled.tolist()
    ]
    whole = {
        "digits": losses.digits,
        "predictors": [words.clean(name) for name in losses.predictors],
        "ks": list(losses.ks),
        "reference": losses.reference,
        "colours": colours(losses),
        "loss": numbers,
    }
    return json.dumps(whole, separators=(",", ":"), allow_nan=False)


def write_index(
    results: ResultsLike,
    ranking: pd.DataFrame,
    folder: Path,
    addresses: Addresses,
    root: str = "",
) -> Path:
    """Write ``cells/index.html``: the heat map, to choose from, and a table with links to cells.

    Parameters
    ----------
    results : ResultsLike
        Such as `harness.results.Results.load` returns.
    ranking : DataFrame
        As `harness.ranking.rank` returns it.
    folder : Path
        Of the page of the ranking, with a folder ``cells``.
    addresses : mapping of (str, str) to str
        (model, scenario) → address of its page, relative to `folder`.
    root : str
        From the page of the ranking to the root of the site.

    Returns
    -------
    Path
        Of the page.
    """
    losses = heat_losses(results, ranking)
    near = {cell: path.removeprefix("cells/") for cell, path in addresses.items()}
    shown: dict[str, Any] = {"losses": losses, "others": sorted(near.items())}
    if losses is not None:
        there = _cells(losses)
        shown["others"] = [(cell, path) for cell, path in shown["others"] if cell not in there]
        p, k = losses.first
        figure = heat(losses, p, k, near)
        shown |= {
            "figure": figure,
            "rows": _rows(losses, figure.spec["data"]["values"]),
            "predictor": losses.predictors[p],
            "href": predictor_addresses([*losses.predictors])[losses.predictors[p]],
            "k": losses.ks[k],
            "packed": Markup(packed(losses).translate(_UNSAFE)),
            "rule_name": words.RULE_NAMES[losses.rule],
            "unbounded": words.unbounded(ranking),
        }
    html = (
        environment()
        .get_template("cells.html.j2")
        .render(
            manifest=results.manifest,
            title="Losses of every cell",
            root=f"{root}../",
            panels=[],
            **shown,
        )
    )
    path = folder / "cells" / "index.html"
    write_text(path, html)
    return path


_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def _cells(losses: Heat) -> set[tuple[str, str]]:
    """Give the cells that have a loss, (model, scenario)."""
    pairs = zip(losses.row.tolist(), losses.column.tolist(), strict=True)
    return {(losses.models[i], losses.scenarios[j]) for i, j in pairs}


def _rows(losses: Heat, values: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the table: models, with a cell or None for each scenario."""
    grid: list[list[Any]] = [[None] * len(losses.scenarios) for _ in losses.models]
    for c, (i, j) in enumerate(zip(losses.row.tolist(), losses.column.tolist(), strict=True)):
        loss = values[c]["loss"]
        grid[i][j] = {
            "c": c,
            "href": values[c].get("href"),
            "text": "–" if loss is None else f"{loss:.{losses.digits}f}",
            "loss": loss,
        }
    return [
        {"model": model, "cells": cells} for model, cells in zip(losses.models, grid, strict=True)
    ]


def _hardest_first(table: pd.DataFrame, by: str) -> tuple[str, ...]:
    """Order models or scenarios by their mean loss, the greatest first, then by name."""
    # every predictor weighs equally within a k, whatever else it lacks
    means = table.groupby(by, sort=True)["loss"].mean().round(9)
    return tuple(str(name) for name in means.sort_values(ascending=False, kind="stable").index)


def _axis(field: str, place: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of the axes, with names in the order of their places."""
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        # not by a list of names: it would be compiled, and one such as "constructor" breaks that
        "sort": {"field": place, "op": "min"},
        "axis": {
            "labelLimit": LIMIT,
            "labelOverlap": False,
            "ticks": False,
            "domain": False,
            **more,
        },
    }


def _label(losses: Heat) -> str:
    """Name the losses."""
    return f"{words.RULE_NAMES[losses.rule]}{', ' + losses.unit if losses.unit else ''}"


def _summary(losses: Heat, predictor: int, k: int) -> str:
    """Say in words what the heat map shows."""
    shown = losses.loss[predictor, k]
    name = words.clean(losses.predictors[predictor])
    text = (
        f"Mean {words.RULE_NAMES[losses.rule]} of {name} at k = {losses.ks[k]}, models × "
        "scenarios; the hardest for all predictors stand first."
    )
    if np.isnan(shown).all():
        return text
    worst = int(np.nanargmax(shown))
    return (
        f"{text} The greatest is "
        f"{words.number(shown[worst], losses.unit, rule=losses.rule)}, of "
        f"{words.clean(losses.models[losses.row[worst]])} on "
        f"{words.clean(losses.scenarios[losses.column[worst]])}."
    )


def _rounded(value: float, digits: int) -> float | None:
    """Round to what is shown; None where there is nothing."""
    return None if math.isnan(value) else round(float(value), digits) + 0.0
