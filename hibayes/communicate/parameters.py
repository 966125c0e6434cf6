"""Plots and tables of parameters: forest, trace, pairs, summary."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from hibayes.communicate.definition import CommunicateResult, Communicator, communicate
from hibayes.communicate.utils import (
    axis_label,
    diverging,
    resolve_models_to_run,
    scalars,
    variables,
)
from hibayes.figures import forest, pair, trace
from hibayes.figures.canvas import options, pair_of
from suites.errors import UsageError, unknown_name

__all__ = ["forest_plot", "pair_plot", "summary_table", "trace_plot"]

logger = logging.getLogger("hibayes.communicate")


@communicate
def forest_plot(
    vars: Sequence[str] | None = None,
    vertical_line: float | None = None,
    best_model: bool = True,
    figsize: Sequence[float] = (10, 5),
    transform: bool = False,
    *args: Any,
    **kwargs: Any,
) -> Communicator:
    """Plot medians and intervals of parameters, one row each.

    Parameters
    ----------
    vars : list of str, optional
        Variables; the model's ``main_effect_params`` by default, and all where it has none.
    vertical_line : float, optional
        Where a reference line stands, on the axis as it is shown.
    best_model : bool, default True
        See `resolve_models_to_run`.
    figsize : pair of float, default (10, 5)
        Inches; higher where there are many rows.
    transform : bool, default False
        Show parameters through the model's inverse link.
    **kwargs
        Options of ArviZ's ``plot_forest``: see `hibayes.figures.forest.DRAWN`.

    Notes
    -----
    Each model gets a figure ``model_<model_name>_<vars joined by ->_forest``.
    """
    _no_more(args, "forest_plot")
    size = pair_of(figsize, "forest_plot: figsize")
    chosen = options(kwargs, forest.DRAWN, forest.KNOWN, "forest_plot")

    def draw(model: Any, names: list[str] | None) -> tuple[Any, str]:
        draws = scalars(model, names, transform=transform)
        rows = {label: values for of in draws.values() for label, values in of.items()}
        figure = forest.forest(
            rows,
            title=f"{model.model_name}: posterior",
            xlabel=axis_label(model, transform, draws),
            size=size,
            vertical_line=vertical_line,
            **chosen,
        )
        return figure, f"{'-'.join(names or [])}_forest"

    return _plots(draw, vars, best_model, "forest_plot")


@communicate
def trace_plot(
    vars: Sequence[str] | None = None,
    best_model: bool = True,
    figsize: Sequence[float] = (10, 5),
    transform: bool = False,
    *args: Any,
    **kwargs: Any,
) -> Communicator:
    """Plot densities of chains and their draws in order.

    Parameters
    ----------
    vars, best_model, figsize, transform
        As for `forest_plot`, with all variables where none are named in either way.
    **kwargs
        Options of ArviZ's ``plot_trace``: see `hibayes.figures.trace.DRAWN`.

    Notes
    -----
    Each model gets a figure ``model_<model_name>_<vars joined by ->_trace``, the name cut to 100
    characters.
    """
    _no_more(args, "trace_plot")
    size = pair_of(figsize, "trace_plot: figsize")
    chosen = options(kwargs, trace.DRAWN, trace.KNOWN, "trace_plot")

    def draw(model: Any, names: list[str] | None) -> tuple[Any, str]:
        draws = scalars(model, names, transform=transform)
        figure = trace.trace(
            draws,
            title=f"{model.model_name}: chains",
            xlabel=axis_label(model, transform, draws),
            size=size,
            diverging=diverging(model),
            **chosen,
        )
        return figure, f"{'-'.join(draws)}_trace"

    return _plots(draw, vars, best_model, "trace_plot")


@communicate
def pair_plot(
    vars: Sequence[str] | None = None,
    best_model: bool = True,
    figsize: Sequence[float] = (10, 10),
    *args: Any,
    **kwargs: Any,
) -> Communicator:
    """Plot parameters two by two.

    Parameters
    ----------
    vars, best_model, figsize
        As for `forest_plot`. The first ten scalars are drawn.
    **kwargs
        Options of ArviZ's ``plot_pair``: see `hibayes.figures.pair.DRAWN`.

    Notes
    -----
    Each model gets a figure ``model_<model_name>_<vars joined by ->_pair``.
    """
    _no_more(args, "pair_plot")
    size = pair_of(figsize, "pair_plot: figsize")
    chosen = options(kwargs, pair.DRAWN, pair.KNOWN, "pair_plot")
    kinds = [chosen["kind"]] if isinstance(chosen["kind"], str) else list(chosen["kind"])
    for kind in kinds:
        if kind not in pair.KINDS:
            raise unknown_name("pair_plot: kind", str(kind), pair.KINDS)

    def draw(model: Any, names: list[str] | None) -> tuple[Any, str]:
        draws = scalars(model, names)
        rows = {label: values for of in draws.values() for label, values in of.items()}
        figure = pair.pair(
            rows,
            title=f"{model.model_name}: posterior, {axis_label(model, False, draws)}",
            size=size,
            diverging=diverging(model),
            **chosen,
        )
        return figure, f"{'-'.join(names or [])}_pair"

    return _plots(draw, vars, best_model, "pair_plot")


@communicate
def summary_table(
    vars: Sequence[str] | None = None, *, best_model: bool = True, round_to: int | None = 2
) -> Communicator:
    """Make a table of means, intervals and diagnostics of parameters.

    Parameters
    ----------
    vars : list of str, optional
        As for `forest_plot`.
    best_model : bool, default True
        See `resolve_models_to_run`.
    round_to : int or None, default 2
        Decimals; None leaves the values as they are.

    Notes
    -----
    Each model gets a table ``model_<model_name>_summary`` with the columns of
    `hibayes.arviz_bridge.summary`.
    """

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        made = 0
        for model in resolve_models_to_run(state, best_model, display):
            names = variables(model, vars, "summary_table")
            if names == []:
                continue
            table = model.get_summary(var_names=names, round_to=round_to)
            state.add_table(table=table, table_name=f"model_{model.model_name}_summary")
            made += 1
        return state, "pass" if made else "NA"

    return communicate


def _plots(
    draw: Callable[[Any, list[str] | None], tuple[Any, str]],
    vars: Sequence[str] | None,
    best_model: bool,
    owner: str,
) -> Communicator:
    """Make the worker that draws each model for itself."""

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        made = 0
        for model in resolve_models_to_run(state, best_model, display):
            names = variables(model, vars, owner)
            if names == []:
                continue
            figure, ending = draw(model, names)
            state.add_plot(plot=figure, plot_name=f"model_{model.model_name}_{ending}")
            made += 1
        return state, "pass" if made else "NA"

    return communicate


def _no_more(args: tuple[Any, ...], owner: str) -> None:
    """Refuse positional arguments that nothing takes."""
    if args:
        raise UsageError(f"{owner}: options of the plot are given by name, not as {args!r}.")
