"""A page for each cell: what every predictor said of it, beside what it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from numpy.typing import NDArray

from harness.ranking import ResultsLike
from leaderboard import words
from leaderboard.arrays import Arrays
from leaderboard.files import write_text
from leaderboard.heat import write_index
from leaderboard.slugs import cell_addresses, predictor_addresses
from leaderboard.templating import environment

__all__ = ["Axis", "build_cell_pages"]

WIDTH = 400
"""Units of a strip's axis; browsers make them as wide as there is room."""

Cell = tuple[str, str]
Floats = NDArray[np.float64]


def build_cell_pages(
    results: ResultsLike,
    ranking: pd.DataFrame,
    folder: str | Path,
    root: str = "",
    *,
    arrays: Arrays | None = None,
) -> dict[Cell, str]:
    """Write a page for each model and scenario, and ``cells/index.html`` with the heat map of all.

    Parameters
    ----------
    results : ResultsLike
        Such as `harness.results.Results.load` returns.
    ranking : DataFrame
        As `harness.ranking.rank` returns it.
    folder : str or Path
        Of the page of the ranking; ``cells/`` is made in it.
    root : str
        From that page to the root of the site: empty, or ``"../"`` where there are several tasks.
    arrays : Arrays, optional
        The same results, where they are made already: pages of predictors need them too.

    Returns
    -------
    dict of (str, str) to str
        (model, scenario) → address relative to `folder`; empty where no distributions of values
        were predicted (single responses), so that only the heat map is there.
    """
    folder = Path(folder)
    arrays = arrays or Arrays.of(results, ranking)
    pairs = zip(arrays.targets["model"], arrays.targets["scenario"], strict=True)
    cells: dict[Cell, list[int]] = {}
    for t, (model, scenario) in enumerate(pairs):
        cells.setdefault((str(model), str(scenario)), []).append(t)
    has_pages = not words.of_responses(ranking) and not np.isnan(arrays.quantiles).all()
    addresses = cell_addresses(cells) if has_pages else {}
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    if has_pages:
        pages = _Pages(arrays, addresses, results.manifest, root)
        for cell, targets in cells.items():
            write_text(folder / addresses[cell], pages.html(cell, targets))
    write_index(results, ranking, folder, addresses, root)
    return addresses


class Axis:
    """Where values lie on a target's strips: from the least to the greatest that is drawn.

    Parameters
    ----------
    values : array of float
        What is drawn; NaN is left out.
    lower, upper : float
        Bounds of the metric; NaN where unknown.

    Attributes
    ----------
    low, high : float
        Its ends, in the metric's units.
    digits : int
        Decimals that tell three hundred places on it apart.

    Examples
    --------
    >>> import numpy as np
    >>> axis = Axis(np.array([0.2, 0.6]), 0.0, 1.0)
    >>> round(axis.low, 3), round(axis.high, 3), axis.digits, axis.place(np.array([0.4])).tolist()
    (0.18, 0.62, 3, [200])
    """

    def __init__(self, values: Floats, lower: float, upper: float) -> None:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
        self.low = low - room if math.isnan(lower) else max(low - room, min(lower, low))
        self.high = high + room if math.isnan(upper) else min(high + room, max(upper, high))
        spread = self.high - self.low
        self.digits = int(np.clip(3 - math.ceil(math.log10(spread)), 0, 6)) if spread > 0 else 3

    def show(self, value: float) -> str:
        """Format a value."""
        text = f"{value:.{self.digits}f}"
        return text.replace("-", "−") if self.low < 0 else text

    def place(self, values: Floats) -> NDArray[np.int64]:
        """Give the places of values, in units of `WIDTH`; NaN goes to the start."""
        share = (values - self.low) / ((self.high - self.low) or 1.0)
        return np.rint(np.nan_to_num(np.clip(share, 0.0, 1.0)) * WIDTH).astype(np.int64)


class _Pages:
    """Makes the pages of cells; what they have in common is made once."""

    def __init__(
        self,
        arrays: Arrays,
        addresses: Mapping[Cell, str],
        manifest: Mapping[str, Any],
        root: str,
    ) -> None:
        self.arrays = arrays
        self.quantiles = arrays.quantiles
        self.addresses = {cell: path.removeprefix("cells/") for cell, path in addresses.items()}
        hrefs = predictor_addresses(arrays.predictors)
        self.names = [
            f'<a href="../{hrefs[name]}">{escape(words.clean(name))}</a>'
            for name in arrays.predictors
        ]
        self.rows = arrays.targets.to_dict("records")
        self.same_model = self._neighbours(0)
        self.same_scenario = self._neighbours(1)
        self.common = {
            "manifest": manifest,
            "root": f"{root}../",
            "panels": [{"k": k} for k in arrays.ks],
            "rule_name": words.RULE_NAMES[arrays.rule],
            "seeds": len(arrays.seeds),
        }
        self.template = environment().get_template("cell.html.j2")

    def _neighbours(self, side: int) -> dict[str, Markup]:
        """Give the links to all cells of a model (0) or a scenario (1), under the other's names."""
        found: dict[str, list[str]] = {}
        for cell in sorted(self.addresses):
            link = f'<li><a href="{self.addresses[cell]}">{escape(words.clean(cell[1 - side]))}</a>'
            found.setdefault(cell[side], []).append(link + "</li>")
        return {name: Markup("\n".join(links)) for name, links in found.items()}

    def html(self, cell: Cell, targets: list[int]) -> str:
        """Make the page of one cell."""
        shown = [self._target(t) for t in targets]
        return self.template.render(
            **self.common,
            title=f"{cell[0]} on {cell[1]}",
            model=cell[0],
            scenario=cell[1],
            organisation=_known(self.rows[targets[0]].get("organisation")),
            targets=shown,
            same_model=self.same_model[cell[0]],
            same_scenario=self.same_scenario[cell[1]],
        )

    def _target(self, t: int) -> dict[str, Any]:
        """Return what is shown of one target."""
        row = self.rows[t]
        quantiles, losses = self.quantiles[:, :, t], self.arrays.loss[:, :, t]
        truth = float(row["value"])
        lower, upper = _number(row.get("lower")), _number(row.get("upper"))
        axis = Axis(np.append(quantiles, truth), lower, upper)
        unit = self.arrays.unit if math.isfinite(upper - lower) else ""
        return {
            "metric": str(row["metric"]),
            "facts": _facts(row, axis.digits),
            "low": axis.show(axis.low),
            "high": axis.show(axis.high),
            "truth": axis.show(truth),
            "unit": unit,
            "tables": [
                {
                    "rows": self._rows(quantiles[:, i], losses[:, i], truth, axis, unit),
                    "without": self._without(losses[:, i]),
                }
                for i in range(len(self.arrays.ks))
            ],
        }

    def _without(self, losses: Floats) -> list[Markup]:
        """Name the predictors that have no loss, as links."""
        return [Markup(self.names[p]) for p in np.flatnonzero(np.isnan(losses))]

    def _rows(
        self, quantiles: Floats, losses: Floats, truth: float, axis: Axis, unit: str
    ) -> Markup:
        """Make the rows of a table, the least loss first: plain text, since there may be many."""
        order = np.argsort(losses, kind="stable")
        order = order[~np.isnan(losses[order])]
        ranks = np.searchsorted(losses[order], losses[order], side="left") + 1
        places = axis.place(quantiles).tolist()
        at, show, rule = int(axis.place(np.array(truth))), axis.show, self.arrays.rule
        out = []
        for p, rank in zip(order.tolist(), ranks.tolist(), strict=True):
            head = f'<tr><td>{rank}</td><th scope="row">{self.names[p]}</th>'
            loss = words.number(losses[p], unit, rule=rule)
            value = f'<td>{_SVG}<path class="t" d="M{at} 0V50"/>'
            a, b, c, d, e = quantiles[p].tolist()
            if a != a:
                said = "<td>–</td><td>–</td><td>–</td>"
                out.append(f"{head}{value}</svg></td>{said}<td>{loss}*</td></tr>")
                continue
            v, w, x, y, z = places[p]
            out.append(
                f'{head}{value}<path class="o" d="M{v} 25H{z}"/><path class="i" d="M{w} 25H{y}"/>'
                f'<path class="m" d="M{x} 9V41"/></svg></td>'
                f"<td>{show(c)}</td><td>{show(b)} – {show(d)}</td>"
                f"<td>{show(a)} – {show(e)}</td>"
                f"<td>{loss}</td></tr>"
            )
        return Markup("\n".join(out))


_SVG = f'<svg class="strip" viewBox="0 0 {WIDTH} 50" aria-hidden="true">'


def _facts(row: Mapping[Any, Any], digits: int) -> list[tuple[str, str]]:
    """Return what a target is, as pairs of a term and its text; without what is not known."""
    lower, upper, n = (_number(row.get(name)) for name in ("lower", "upper", "n"))
    higher = row.get("higher_is_better")
    bounds = "" if math.isnan(lower) and math.isnan(upper) else f"{lower:g} to {upper:g}"
    pairs = [
        ("Value", f"{float(row['value']):.{max(digits, 4)}f}"),
        ("Instances", "" if math.isnan(n) else f"{int(n):,}"),
        ("Range", bounds.replace("nan", "unknown")),
        ("Better", "" if _known(higher) == "" else ("higher" if higher else "lower")),
        ("Condition", _known(row.get("condition"))),
        ("Part", _known(row.get("part"))),
        ("Perturbation", _known(row.get("perturbation"))),
        ("Date", _known(row.get("date"))[:10]),
        ("Run", _known(row.get("run"))),
    ]
    return [(term, words.clean(text)) for term, text in pairs if text]


def _known(value: Any) -> str:
    """Return a value as text; empty where it is missing."""
    return "" if value is None or pd.isna(value) else str(value)


def _number(value: Any) -> float:
    """Return a value as a number; NaN where it is missing."""
    return math.nan if value is None or pd.isna(value) else float(value)
