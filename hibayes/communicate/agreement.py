"""How far graders agree: Krippendorff's alpha, observed and as a model has it."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hibayes.check.simulation import posterior_predictions
from hibayes.communicate.definition import CommunicateResult, Communicator, communicate
from hibayes.communicate.utils import resolve_models_to_run
from hibayes.figures.canvas import COLOURS, OBSERVED, canvas, pair_of, quiet
from hibayes.figures.density import density
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("hibayes.communicate")

Array = NDArray[np.float64]


@communicate
def krippendorff_alpha(
    max_draws_per_model: int = 1000,
    ci_level: float = 0.95,
    figsize: Sequence[float] = (10, 6),
    title_prefix: str = "",
    grader: str = "grader",
    item: str = "item",
) -> Communicator:
    """Show how far graders agree on items, and how far they would without their biases.

    Parameters
    ----------
    max_draws_per_model : int, default 1000
        Posterior draws that predict.
    ci_level : float, default 0.95
        Mass of the equal-tailed intervals.
    figsize : pair of float, default (10, 6)
        Inches.
    title_prefix : str
        Stands before the title.
    grader, item : str
        The categorical features that name who graded and what.

    Notes
    -----
    Each fitted model whose features have both gets a figure ``model_<model_name>_alpha`` and a
    table ``model_<model_name>_alpha_table``. The ordinal alpha is that of the medians over a
    grader's rows of an item: of what was observed; of each posterior prediction; and of each
    prediction with ``<grader>_effects`` set to zero.
    """
    size = pair_of(figsize, "krippendorff_alpha: figsize")
    if not 0 < ci_level < 1:
        raise UsageError(f"krippendorff_alpha: ci_level must lie in (0, 1), not be {ci_level!r}.")

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        made = 0
        for model in resolve_models_to_run(state, best_model=False):
            graders, items = (model.features.get(f"{name}_index") for name in (grader, item))
            if graders is None or items is None:
                logger.warning(
                    "krippendorff_alpha: %s has no features %s_index and %s_index.",
                    model.model_name, grader, item,
                )  # fmt: skip
                continue
            cells = _Cells(np.asarray(graders), np.asarray(items))
            observed = cells.alpha(np.asarray(model.features["obs"], dtype=np.float64)[np.newaxis])
            found = {
                "predicted": posterior_predictions(model, max_draws_per_model),
                f"predicted without {grader}_effects": posterior_predictions(
                    model, max_draws_per_model, without=(f"{grader}_effects",)
                ),
            }
            alphas = {name: cells.alpha(drawn["obs"]) for name, drawn in found.items()}
            table = _table(float(observed[0]), alphas, ci_level)
            figure = _figure(table, alphas, ci_level, size)
            title = f"{title_prefix} {model.model_name}: agreement of {grader}s on {item}s".strip()
            figure.suptitle(title, fontsize="large")
            state.add_plot(plot=figure, plot_name=f"model_{model.model_name}_alpha")
            state.add_table(table=table, table_name=f"model_{model.model_name}_alpha_table")
            made += 1
        return state, "pass" if made else "NA"

    return communicate


def ordinal_alpha(ratings: ArrayLike) -> float:
    r"""Compute Krippendorff's alpha of ordinal ratings.

    .. math::

        \alpha = 1 - (n - 1) \frac{\sum_{ck} o_{ck} \delta_{ck}^2}{\sum_{ck} n_c n_k \delta_{ck}^2},
        \qquad \delta_{ck} = \sum_{g=c}^{k} n_g - \frac{n_c + n_k}{2}

    with the coincidences :math:`o_{ck}` of values within items and their sums :math:`n_c`.

    Parameters
    ----------
    ratings : array of float, shape (graders, items)
        NaN where a grader did not rate an item; items with fewer than two ratings do not count.

    Returns
    -------
    float
        1: full agreement, 0: that of chance. NaN where all ratings are the same.

    References
    ----------
    Krippendorff (2019), Content Analysis, 4th edition, section 12.3.

    Examples
    --------
    >>> ordinal_alpha([[1, 2, 3, 4], [1, 2, 3, 4]])
    1.0
    >>> round(ordinal_alpha([[1, 2, 3, 4], [2, 1, 4, 4]]), 4)
    0.7308
    """
    table = np.asarray(ratings, dtype=np.float64)
    values = np.unique(table[np.isfinite(table)])
    counts = (table.T[:, :, np.newaxis] == values).sum(axis=1).astype(np.float64)  # [items, values]
    counts = counts[counts.sum(axis=1) >= 2]
    if len(counts) == 0:
        return math.nan
    weights = 1.0 / (counts.sum(axis=1) - 1.0)
    together = (counts * weights[:, np.newaxis]).T @ counts
    together -= np.diag((counts * weights[:, np.newaxis]).sum(axis=0))
    of = together.sum(axis=1)  # n_c
    upto = np.cumsum(of)
    # all ratings from the lower value to the upper, less half of those at both ends
    place = np.arange(len(of))
    lower, upper = np.minimum.outer(place, place), np.maximum.outer(place, place)
    between = upto[upper] - upto[lower] + (of[lower] - of[upper]) / 2
    between[np.diag_indices(len(of))] = 0.0
    squared = between**2
    expected = float((np.outer(of, of) * squared).sum())
    if expected == 0:
        return math.nan
    return float(1.0 - (of.sum() - 1.0) * float((together * squared).sum()) / expected)


class _Cells:
    """The rows of each grader and item."""

    def __init__(self, graders: NDArray[Any], items: NDArray[Any]) -> None:
        self.shape = (int(graders.max()) + 1, int(items.max()) + 1)
        self.cell, place = np.unique(graders * self.shape[1] + items, return_inverse=True)
        order = np.argsort(place, kind="stable")
        counts = np.bincount(place)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        within = np.arange(len(place)) - np.repeat(starts, counts)
        self.rows = np.full((len(self.cell), int(counts.max())), -1)
        self.rows[place[order], within] = order

    def alpha(self, outcomes: NDArray[Any]) -> Array:
        """Give the alpha of each draw of outcomes, [draws, rows]."""
        found = np.empty(len(outcomes))
        for draw, row in enumerate(np.asarray(outcomes, dtype=np.float64)):
            grouped = np.where(self.rows >= 0, row[self.rows], np.nan)
            ratings = np.full(self.shape[0] * self.shape[1], np.nan)
            ratings[self.cell] = np.nanmedian(grouped, axis=1)
            found[draw] = ordinal_alpha(ratings.reshape(self.shape))
        return found


def _table(observed: float, alphas: dict[str, Array], level: float) -> pd.DataFrame:
    """Give means and intervals."""
    import pandas as pd

    tail = (1 - level) / 2
    rows = {"observed": (observed, math.nan, math.nan, math.nan)}
    for name, values in alphas.items():
        good = values[np.isfinite(values)]
        if len(good) == 0:
            rows[name] = (math.nan,) * 4
            continue
        low, high = np.quantile(good, [tail, 1 - tail])
        rows[name] = (float(good.mean()), float(good.std(ddof=1)), float(low), float(high))
    columns = ["alpha", "sd", "ci_lower", "ci_upper"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _figure(
    table: pd.DataFrame, alphas: dict[str, Array], level: float, size: Sequence[float]
) -> Any:
    """Draw the distributions of alpha, one above the other on one axis."""
    figure, axes = canvas(len(alphas), 1, size, sharex=True)
    observed = float(table["alpha"]["observed"])
    for row, (name, values) in enumerate(alphas.items()):
        axis = axes[row, 0]
        grid, height = density(values, (None, 1.0))
        axis.plot(grid, height, color=COLOURS[row])
        mean, low, high = (float(table[of][name]) for of in ("alpha", "ci_lower", "ci_upper"))
        inside = (grid >= low) & (grid <= high)
        axis.fill_between(grid[inside], height[inside], color=COLOURS[row], alpha=0.25,
                          label=f"{100 * level:g} % of draws")  # fmt: skip
        axis.axvline(mean, color=COLOURS[row], linestyle="--", label=f"mean {mean:.2f}")
        axis.axvline(observed, color=OBSERVED, label=f"observed {observed:.2f}")
        axis.set_title(name, fontsize="medium")
        axis.set_ylabel("density")
        axis.set_ylim(bottom=0)
        axis.legend(frameon=False, fontsize="small")
        quiet(axis)
    axes[-1, 0].set_xlabel("Krippendorff's alpha (ordinal; 1: full agreement, 0: that of chance)")
    return figure
