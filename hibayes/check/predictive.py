"""Checks by eye: what the model predicts, before the data are seen and after."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hibayes import arviz_bridge
from hibayes.check.definition import Checker, CheckerResult, checker
from hibayes.check.simulation import simulate_posterior, simulate_prior
from hibayes.check.verdict import ask, can_prompt, give
from hibayes.figures import predictive as drawing
from hibayes.figures.canvas import options, pair_of
from suites.errors import UsageError, unknown_name

logger = logging.getLogger("hibayes.check")

PROPORTION = "prop_pred"
"""The name of obs / n_total among the variables that can be plotted."""


@checker(when="before")
def prior_predictive_check(
    num_samples: int = 1000, predictive_kwargs: Mapping[str, Any] | None = None
) -> Checker:
    """Draw from the prior: the group ``prior_predictive``.

    Parameters
    ----------
    num_samples : int, default 1000
        Draws.
    predictive_kwargs : mapping, optional
        Options of NumPyro's ``Predictive``.

    Notes
    -----
    The result is always NA.
    """
    n = _count(num_samples, "prior_predictive_check")

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        simulate_prior(state, n, predictive_kwargs)
        return give(state, "prior_predictive_check", "NA", f"{n} draws from the prior are kept")

    return check


@checker(when="before")
def prior_predictive_plot(
    variables: Sequence[str] | None = None,
    kind: str = "kde",
    figsize: Sequence[float] = (12, 8),
    plot_proportion: bool = False,
    save_path: str | None = None,
    plot_kwargs: Mapping[str, Any] | None = None,
    predictive_kwargs: Mapping[str, Any] | None = None,
    interactive: bool = True,
) -> Checker:
    """Plot what the model predicts before it has seen the data.

    Parameters
    ----------
    variables : list of str, optional
        Sites of the model; by default those with ``obs`` in the name and the model's
        ``main_effect_params``. ``prop_pred`` is obs / n_total.
    kind : {"kde", "hist", "cumulative"}
        Whole numbers are counted one by one, whatever the kind, unless it is cumulative.
    figsize : pair of float, default (12, 8)
        Inches.
    plot_proportion : bool, default False
        Plot ``prop_pred`` instead of obs.
    save_path : str, optional
        Where figures are written too: a folder, or for one variable a file.
    plot_kwargs : mapping, optional
        Options of ArviZ's ``plot_ppc``; see `hibayes.figures.predictive.DRAWN`.
    predictive_kwargs : mapping, optional
        Options of NumPyro's ``Predictive``.
    interactive : bool, default True
        Ask whether the predictions are acceptable. Where nobody can be asked, the question is
        kept and the result is NA.

    Notes
    -----
    Diagnostics: the figures ``<variable>_prior_predictive``, ``prior_predictive_plot_verdict``.
    The result is pass, or the user's answer.
    """
    name = "prior_predictive_plot"
    chosen = _plot_options(plot_kwargs, kind, figsize, name)

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        if "prior_predictive" not in arviz_bridge.groups(state.inference_data):
            simulate_prior(state, 1000, predictive_kwargs)
        group = arviz_bridge.dataset(state.inference_data, "prior_predictive")
        proportion = plot_proportion and _can_divide(state, name)
        names = list(variables) if variables is not None else _defaults(state, group, proportion)
        drawn = {}
        for variable in names:
            if variable != PROPORTION and variable not in group:
                logger.warning("%s: %s has no site %s.", name, state.model_name, variable)
                continue
            if variable == PROPORTION and not _can_divide(state, name):
                continue
            figure = _prior_figure(state, group, variable, kind, chosen)
            state.add_diagnostic(f"{variable}_prior_predictive", figure)
            drawn[variable] = figure
        _write(drawn, save_path)
        if not drawn:
            return give(state, name, "NA", f"there is nothing to plot: no site of {names}")
        if plot_proportion and not proportion and variables is None:
            return give(state, name, "NA", _NO_TOTAL)
        listed = ", ".join(drawn)
        if not interactive:
            return give(state, name, "pass", f"plotted {listed}; nobody was asked")
        _show(display, drawn, f"Prior predictive distribution of {state.model_name}")
        question = (
            f"Is the prior predictive distribution for {listed} of {state.model_name} acceptable?"
        )
        return ask(state, display, name, question)

    return check


@checker
def posterior_predictive_plot(
    num_samples: int = 500,
    kind: str = "kde",
    figsize: Sequence[float] = (12, 8),
    plot_proportion: bool = False,
    plot_kwargs: Mapping[str, Any] | None = None,
    predictive_kwargs: Mapping[str, Any] | None = None,
    interactive: bool = True,
) -> Checker:
    """Plot what the fitted model predicts beside what was observed.

    Parameters
    ----------
    num_samples : int, default 500
        Posterior draws that predict.
    kind, figsize, plot_proportion, plot_kwargs, predictive_kwargs, interactive
        As for `prior_predictive_plot`; in ``plot_kwargs`` ``num_pp_samples`` is the number of
        draws that have a line of their own.

    Notes
    -----
    Diagnostics: the figure ``posterior_predictive_plot``, ``posterior_predictive_plot_verdict``;
    the group ``posterior_predictive``. The result is the user's answer, and NA where nobody is
    asked, or where a proportion is asked for and the features have no ``n_total``.
    """
    name = "posterior_predictive_plot"
    n = _count(num_samples, name)
    chosen = _plot_options(plot_kwargs, kind, figsize, name)

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        simulate_posterior(state, n, predictive_kwargs)
        group = arviz_bridge.dataset(state.inference_data, "posterior_predictive")
        if "obs" not in group:
            return give(state, name, "NA", "the model predicts no site obs")
        proportion = plot_proportion and _can_divide(state, name)
        total = _total(state) if proportion else None
        predicted = _draws(group, "obs", total)
        observed = np.asarray(state.features["obs"], dtype=np.float64)
        figure = drawing.predictive(
            predicted,
            observed if total is None else observed / total,
            title=f"{state.model_name}: posterior predictions and what was observed",
            xlabel=_axis_label(state, "obs", proportion),
            kind=kind,
            limits=_limits(state, "obs", proportion),
            **chosen,
        )
        state.add_diagnostic(name, figure)
        if plot_proportion and not proportion:
            return give(state, name, "NA", _NO_TOTAL)
        if not interactive:
            return give(state, name, "NA", "plotted; nobody was asked")
        _show(display, {"obs": figure}, f"Posterior predictions of {state.model_name}")
        question = (
            f"Does the posterior-predictive distribution align with the data? ({state.model_name})"
        )
        return ask(state, display, name, question)

    return check


_NO_TOTAL = (
    "plot_proportion needs 'n_total' in features, and there is none: the outcomes are plotted as "
    "they are. For outcomes that are no counts leave plot_proportion out"
)


def _prior_figure(state: Any, group: Any, variable: str, kind: str, chosen: Any) -> Any:
    """Draw one variable's prior predictions."""
    proportion = variable == PROPORTION
    values = _draws(group, "obs" if proportion else variable, _total(state) if proportion else None)
    parameter = not proportion and "obs" not in variable
    what = f"distribution of {variable}" if parameter else "predictions"
    return drawing.predictive(
        values.reshape(-1, 1) if parameter else values,
        title=f"{state.model_name}: prior {what}",
        xlabel=_axis_label(state, variable, proportion),
        kind=kind,
        limits=_limits(state, variable, proportion),
        source="prior",
        **chosen,
    )  # fmt: skip


def _limits(state: Any, variable: str, proportion: bool) -> tuple[float | None, float | None]:
    """Give the ends of what is predicted: of shares and of counts."""
    if proportion:
        return 0.0, 1.0
    counted = "obs" in variable and state.feature("n_total") is not None
    return (0.0, None) if counted else (None, None)


def _axis_label(state: Any, variable: str, proportion: bool) -> str:
    """Say what is on the horizontal axis, in what units."""
    if proportion:
        return "successes per row, as a share of n_total"
    if "obs" not in variable:
        return f"{variable} (the model's scale, before any link)"
    if state.feature("n_total") is not None:
        return f"successes per row ({variable}, a count)"
    return f"outcome per row ({variable})"


def _defaults(state: Any, group: Any, proportion: bool) -> list[str]:
    """Give the variables that are plotted where none are named."""
    observed = [str(name) for name in group.data_vars if "obs" in str(name)]
    effects = getattr(state.model_config, "main_effect_params", None) or []
    return [*([PROPORTION] if proportion else observed), *effects]


def _draws(group: Any, variable: str, total: Any = None) -> np.ndarray[Any, Any]:
    """Give a variable's draws, chains laid end to end."""
    values = np.asarray(group[variable].transpose("chain", "draw", ...), dtype=np.float64)
    flat = values.reshape(values.shape[0] * values.shape[1], -1)
    return flat if total is None else flat / total


def _total(state: Any) -> np.ndarray[Any, Any]:
    """Give the trials of each row; NaN where there were none."""
    total = np.asarray(state.feature("n_total"), dtype=np.float64)
    return np.where(total > 0, total, np.nan)


def _can_divide(state: Any, name: str) -> bool:
    """Say whether there are trials to divide by."""
    if state.feature("n_total") is not None:
        return True
    logger.warning("%s: %s: %s.", state.model_name, name, _NO_TOTAL)
    return False


def _plot_options(
    given: Mapping[str, Any] | None, kind: str, figsize: Sequence[float], name: str
) -> dict[str, Any]:
    """Read the options of the plot, before anything is computed."""
    if kind not in drawing.KINDS:
        raise unknown_name(f"{name}: kind", str(kind), drawing.KINDS)
    found = dict(given or {})
    size = found.pop("figsize", figsize)
    return {
        "size": pair_of(size, f"{name}: figsize"),
        **options(found, drawing.DRAWN, drawing.KNOWN, name),
    }


def _count(value: Any, name: str) -> int:
    """Read a number of draws."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name}: num_samples must be a whole number above 0, not {value!r}.")
    return value


def _write(figures: Mapping[str, Any], place: str | None) -> None:
    """Write figures where ``save_path`` says."""
    if place is None or not figures:
        return
    path = Path(place).expanduser()
    single = path.suffix and len(figures) == 1
    folder = path.parent if path.suffix else path
    folder.mkdir(parents=True, exist_ok=True)
    for variable, figure in figures.items():
        file = path if single else folder / f"{variable}_prior_predictive{path.suffix or '.png'}"
        figure.savefig(file, dpi=300, bbox_inches="tight")


def _show(display: Any, figures: Mapping[str, Any], title: str) -> None:
    """Show the curves on a terminal, before somebody is asked about them."""
    if not can_prompt(display) or not hasattr(display, "add_plot"):
        return
    for variable, figure in figures.items():
        series = []
        for line in figure.axes[0].lines:
            label = str(line.get_label())
            x, y = (np.asarray(v, dtype=float) for v in line.get_data())
            if (label == "observed" or label.startswith("all ")) and len(x):
                at = np.unique(np.linspace(0, len(x) - 1, 200).astype(int))
                series.append({"x": x[at].tolist(), "y": y[at].tolist(), "label": label})
        if series:
            display.add_plot(series=series, title=f"{title}: {variable}")
