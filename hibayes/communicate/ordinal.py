"""Plots of ordinal models: cutpoints, residuals, frequencies of categories."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hibayes import arviz_bridge
from hibayes.check.simulation import posterior_predictions
from hibayes.communicate.definition import CommunicateResult, Communicator, communicate
from hibayes.communicate.utils import resolve_models_to_run
from hibayes.figures.canvas import COLOURS, OBSERVED, canvas, pair_of, quiet
from hibayes.figures.density import hdi

logger = logging.getLogger("hibayes.communicate")

_DRAWS = 500


@communicate
def cutpoint_plot(
    figsize: Sequence[float] = (8, 4),
    title: str = "Cutpoint positions on latent scale",
    save_path: str | None = None,
) -> Communicator:
    """Plot where an ordinal model cuts its latent scale into categories.

    Parameters
    ----------
    figsize : pair of float, default (8, 4)
        Inches.
    title : str
        Of the figure.
    save_path : str, optional
        A file that the figure is written to as well.

    Notes
    -----
    Each fitted model with ``cutpoints`` gets a figure ``model_<model_name>_cutpoints``: posterior
    means and 94 % intervals.
    """
    size = pair_of(figsize, "cutpoint_plot: figsize")

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        made = 0
        for model in resolve_models_to_run(state, best_model=False):
            draws = arviz_bridge.dataset(model.inference_data, "posterior")
            name = next((n for n in ("cutpoints", "first_cutpoint") if n in draws), None)
            if name is None:
                logger.warning("cutpoint_plot: %s has no cutpoints.", model.model_name)
                continue
            values = np.asarray(draws[name].transpose("chain", "draw", ...), dtype=np.float64)
            figure = _cutpoints(values.reshape(values.shape[0] * values.shape[1], -1), size)
            figure.axes[0].set_title(f"{title}\n{model.model_name}", fontsize="medium")
            if save_path is not None:
                Path(save_path).parent.mkdir(parents=True, exist_ok=True)
                figure.savefig(save_path, dpi=300, bbox_inches="tight")
            state.add_plot(plot=figure, plot_name=f"model_{model.model_name}_cutpoints")
            made += 1
        return state, "pass" if made else "NA"

    return communicate


@communicate
def ordered_residuals_plot(figsize: Sequence[float] = (10, 4)) -> Communicator:
    """Plot what was observed less what is predicted on average.

    Parameters
    ----------
    figsize : pair of float, default (10, 4)
        Inches.

    Notes
    -----
    Each fitted model gets a figure ``model_<model_name>_residuals``: residuals against predicted
    means (rows that coincide are one larger dot) and their distribution.
    """
    size = pair_of(figsize, "ordered_residuals_plot: figsize")

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        made = 0
        for model in resolve_models_to_run(state, best_model=False):
            predicted = _predicted(model)
            observed = np.asarray(model.features["obs"], dtype=np.float64)
            figure = _residuals(predicted.mean(axis=0), observed, size)
            figure.suptitle(f"{model.model_name}: residuals", fontsize="large")
            state.add_plot(plot=figure, plot_name=f"model_{model.model_name}_residuals")
            made += 1
        return state, "pass" if made else "NA"

    return communicate


@communicate
def category_frequency_plot(
    figsize: Sequence[float] = (8, 6), show_predictions: bool = True
) -> Communicator:
    """Plot the share of each category, observed and predicted.

    Parameters
    ----------
    figsize : pair of float, default (8, 6)
        Inches.
    show_predictions : bool, default True
        Draw the posterior predictions: means and 95 % intervals.

    Notes
    -----
    Each fitted model gets a figure ``model_<model_name>_category_frequencies``.
    """
    size = pair_of(figsize, "category_frequency_plot: figsize")

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        made = 0
        for model in resolve_models_to_run(state, best_model=False):
            observed = np.asarray(model.features["obs"], dtype=np.float64)
            predicted = _predicted(model) if show_predictions else None
            figure = _frequencies(observed, predicted, size)
            figure.axes[0].set_title(f"{model.model_name}: frequencies of categories")
            name = f"model_{model.model_name}_category_frequencies"
            state.add_plot(plot=figure, plot_name=name)
            made += 1
        return state, "pass" if made else "NA"

    return communicate


def _predicted(model: Any) -> np.ndarray[Any, Any]:
    """Give posterior predictions of the outcome, shape (draws, rows)."""
    if "posterior_predictive" in arviz_bridge.groups(model.inference_data):
        group = arviz_bridge.dataset(model.inference_data, "posterior_predictive")
        if "obs" in group and group["obs"].shape[-1] == np.size(model.features["obs"]):
            values = np.asarray(group["obs"].transpose("chain", "draw", ...), dtype=np.float64)
            return values.reshape(-1, values.shape[-1])
    return np.asarray(posterior_predictions(model, _DRAWS)["obs"], dtype=np.float64)


def _cutpoints(draws: np.ndarray[Any, Any], size: Sequence[float]) -> Any:
    """Draw the cutpoints on a line, the categories between them."""
    figure, axes = canvas(1, 1, size)
    axis = axes[0, 0]
    means = draws.mean(axis=0)
    ends = np.concatenate([[means.min() - 1.5], means, [means.max() + 1.5]])
    for category in range(len(means) + 1):
        shade = "#DCE9F5" if category % 2 == 0 else "#F3F7FB"
        axis.axvspan(ends[category], ends[category + 1], color=shade, zorder=0)
        middle = (ends[category] + ends[category + 1]) / 2
        axis.text(middle, 0.55, str(category), ha="center", va="center", fontsize="medium")
    for place, mean in enumerate(means):
        low, high = hdi(draws[:, place])
        height = 0.18 if place % 2 else -0.18  # labels of near neighbours stay apart
        level = 0.05 if place % 2 else -0.05  # so do intervals
        axis.plot([low, high], [level] * 2, color=COLOURS[1], linewidth=3, alpha=0.7, zorder=2)
        axis.plot(mean, level, "o", color=OBSERVED, markersize=5, zorder=3)
        axis.annotate(f"{mean:.2f}", (mean, level), (mean, height), ha="center", va="center",
                      fontsize="x-small",
                      arrowprops={"arrowstyle": "-", "color": "#999999", "lw": 0.6})  # fmt: skip
    axis.set_xlim(ends[0], ends[-1])
    axis.set_ylim(-0.4, 0.7)
    axis.set_yticks([])
    axis.set_xlabel(
        "latent scale (log odds); dots: posterior means, lines: 94 % HDI, numbers above: categories"
    )
    quiet(axis)
    axis.spines["left"].set_visible(False)
    return figure


def _residuals(
    means: np.ndarray[Any, Any], observed: np.ndarray[Any, Any], size: Sequence[float]
) -> Any:
    """Draw residuals against predicted means, and their distribution."""
    figure, axes = canvas(1, 2, size)
    left, right = axes[0]
    residuals = observed - means
    points = np.column_stack([means.round(2), residuals.round(2)])
    unique, counts = np.unique(points, axis=0, return_counts=True)
    left.scatter(unique[:, 0], unique[:, 1], s=22 * np.sqrt(counts), alpha=0.5, color=COLOURS[0],
                 linewidths=0)  # fmt: skip
    left.axhline(0, color=OBSERVED, linestyle="--", linewidth=1)
    left.set_title("against the prediction", fontsize="medium")
    left.set_xlabel("predicted mean category")
    left.set_ylabel("observed − predicted (categories)")
    right.hist(residuals, bins=20, color=COLOURS[0], alpha=0.8, edgecolor="white")
    right.axvline(0, color=OBSERVED, linestyle="--", linewidth=1)
    right.set_title("distribution", fontsize="medium")
    right.set_xlabel("observed − predicted (categories)")
    right.set_ylabel("rows")
    quiet(left)
    quiet(right)
    return figure


def _frequencies(
    observed: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any] | None, size: Sequence[float]
) -> Any:
    """Draw the share of each category."""
    top = int(max(observed.max(), predicted.max() if predicted is not None else 0))
    low = int(min(observed.min(), predicted.min() if predicted is not None else 0, 0))
    categories = np.arange(low, top + 1)
    edges = np.append(categories - 0.5, top + 0.5)
    figure, axes = canvas(1, 1, size)
    axis = axes[0, 0]
    share = np.histogram(observed, bins=edges)[0] / len(observed)
    axis.bar(categories, share, color="#BBBBBB", label="observed", width=0.8)
    if predicted is not None:
        shares = np.array([np.histogram(draw, bins=edges)[0] / len(draw) for draw in predicted])
        middle = shares.mean(axis=0)
        bounds = np.quantile(shares, [0.025, 0.975], axis=0)
        errors = np.clip([middle - bounds[0], bounds[1] - middle], 0, None)
        axis.errorbar(categories, middle, yerr=errors, fmt="o", color=COLOURS[0], capsize=3,
                      label=f"predicted: mean and 95 % of {len(predicted)} draws")  # fmt: skip
    axis.set_xticks(categories if len(categories) <= 25 else categories[:: len(categories) // 20])
    axis.set_xlabel("category")
    axis.set_ylabel("share of rows")
    axis.legend(frameon=False)
    quiet(axis)
    return figure
