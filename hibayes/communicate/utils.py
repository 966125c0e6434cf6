"""What communicators share: which models, which variables, their draws."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hibayes import arviz_bridge
from hibayes.model.definition import unidentified_in
from suites.errors import UsageError

logger = logging.getLogger("hibayes.communicate")

CRITERIA: tuple[str, ...] = ("elpd_waic", "elpd_loo")
"""The diagnostics that say which model is the best, in the order in which they are looked for."""

Draws = dict[str, np.ndarray[Any, Any]]


def resolve_models_to_run(state: Any, best_model: bool = True, display: Any = None) -> list[Any]:
    """Give the models that a communicator treats.

    Parameters
    ----------
    state : AnalysisState
        Models that are not fitted are passed over.
    best_model : bool, default True
        Only the best: the model with the largest ``elpd_waic``, else with the largest
        ``elpd_loo``; where no model has either, all. What is done instead of the first is logged.
        A state with one fitted model gives that one.
    display : Display, optional
        Not used: the log is shown by the stage.

    Returns
    -------
    list of ModelAnalysisState
        Empty, with a warning, where no model is fitted.
    """
    fitted = [model for model in state.models if model.is_fitted]
    if not fitted:
        logger.warning("there is no fitted model to communicate.")
    if not best_model or len(fitted) < 2:
        return fitted
    for criterion in CRITERIA:
        values = [(_value(model, criterion), model) for model in fitted]
        known = [pair for pair in values if not math.isnan(pair[0])]
        if not known:
            continue
        lacking = [model.model_name for value, model in values if math.isnan(value)]
        if lacking:
            logger.warning(
                "best_model: %s have no %s and are passed over.", ", ".join(lacking), criterion
            )
        if criterion != CRITERIA[0]:
            logger.warning(
                "best_model: no model has %s (the checker waic computes it); %s is used instead.",
                CRITERIA[0],
                criterion,
            )
        return [max(known, key=lambda pair: pair[0])[1]]
    logger.warning(
        "best_model: no model has elpd_waic or elpd_loo, which the checkers waic and loo compute: "
        "all %d models are shown. Enable one of them, or set best_model: false.",
        len(fitted),
    )
    return fitted


def drop_not_present_vars(vars: Sequence[str], inference_data: Any) -> tuple[list[str], list[str]]:
    """Part variables into those that the posterior has and those that it has not.

    Parameters
    ----------
    vars : sequence of str
        Names.
    inference_data : InferenceData or DataTree
        With a group ``posterior``.

    Returns
    -------
    present, dropped : list of str
        In the order given.
    """
    there = set(arviz_bridge.dataset(inference_data, "posterior").data_vars)
    present = [name for name in vars if name in there]
    return present, [name for name in vars if name not in there]


def variables(model: Any, vars: Sequence[str] | str | None, owner: str) -> list[str] | None:
    """Give the variables to show of one model.

    Parameters
    ----------
    model : ModelAnalysisState
        Fitted.
    vars : sequence of str, str or None
        What was asked for; None for the model's ``main_effect_params``.
    owner : str
        The communicator, for messages.

    Returns
    -------
    list of str or None
        Those that the model has; names that it has not are dropped with a warning. An empty list
        if it has none of them; None if nothing was asked for, in either way.
    """
    given = vars if vars is not None else getattr(model.model_config, "main_effect_params", None)
    if not given:
        return None
    present, dropped = drop_not_present_vars(
        [given] if isinstance(given, str) else list(given), model.inference_data
    )
    if dropped:
        logger.warning("%s: %s has no %s.", owner, model.model_name, ", ".join(dropped))
    if not present:
        logger.warning("%s: %s has none of the variables asked for.", owner, model.model_name)
    return present


def _identified(model: Any) -> list[str] | None:
    """Give all variables but those known up to rotation only; None where that is all."""
    rotated = unidentified_in(model)
    if not rotated:
        return None
    there = arviz_bridge.dataset(model.inference_data, "posterior").data_vars
    return [str(name) for name in there if name not in rotated]


def scalars(
    model: Any, names: Sequence[str] | None = None, *, transform: bool = False
) -> dict[str, Draws]:
    """Give posterior draws, variable by variable.

    Parameters
    ----------
    model : ModelAnalysisState
        Fitted.
    names : sequence of str, optional
        Variables; by default all but those that are known up to rotation only.
    transform : bool, default False
        Apply the model's inverse link.

    Returns
    -------
    dict of dict
        Variable to its scalars' labels to their draws, shape (chains, draws).
    """
    from hibayes.arviz_bridge.convergence import labels, posterior

    group = posterior(model.inference_data, names or _identified(model))
    link = link_of(model) if transform else None
    found: dict[str, Draws] = {}
    for name in group.data_vars:
        values = np.asarray(group[name].transpose("chain", "draw", ...))
        flat = values.reshape(*values.shape[:2], -1)
        if link is not None:
            flat = np.asarray(link(flat), dtype=np.float64)
        found[str(name)] = {
            label: flat[..., place] for place, label in enumerate(labels(group[[name]]))
        }
    return found


def link_of(model: Any) -> Any:
    """Give a model's inverse link, as a function.

    Raises
    ------
    UsageError
        If it has none.
    """
    link = model.link_function
    if isinstance(link, str):
        from hibayes.model import LINK_FUNCTION_MAP

        link = LINK_FUNCTION_MAP.get(link)
    if not callable(link):
        raise UsageError(f"transform: {model.model_name} has no link_function.")
    return link


def axis_label(model: Any, transform: bool, names: Iterable[str] = ()) -> str:
    """Say on what scale parameters are shown; `names` are those of the variables shown."""
    link = model.link_function
    name = link if isinstance(link, str) else getattr(link, "__name__", "")
    scales = {
        "logit": "log odds", "sigmoid": "log odds", "logit_to_prob": "log odds",
        "probit": "probits", "probit_to_prob": "probits",
        "cloglog": "complementary log-log", "cloglog_to_prob": "complementary log-log",
        "offset_logit": "offset log odds", "offset_logit_to_share": "offset log odds",
    }  # fmt: skip
    scale = scales.get(name)
    if transform:
        of = f", from {scale}" if scale else ""
        return f"parameter value through the inverse link (a probability{of})"
    if not scale:
        return "parameter value"
    shown = list(names)
    standard = [
        pattern
        for pattern, are in (
            ("z_*", [name.startswith("z_") for name in shown]),
            ("*_raw_effects", [name.endswith("_raw_effects") for name in shown]),
        )
        if any(are)
    ]
    of = f"; of {' and '.join(standard)}: standard deviations" if standard else ""
    return f"parameter value ({scale}{of})"


def diverging(model: Any) -> np.ndarray[Any, Any] | None:
    """Give which draws diverged, shape (chains, draws); None if it is not known."""
    if "sample_stats" not in arviz_bridge.groups(model.inference_data):
        return None
    stats = arviz_bridge.dataset(model.inference_data, "sample_stats")
    if "diverging" not in stats:
        return None
    return np.asarray(stats["diverging"], dtype=bool)


def _value(model: Any, name: str) -> float:
    """Give a diagnostic as a number; NaN if it is none."""
    try:
        return float(model.diagnostic(name))
    except (TypeError, ValueError):
        return math.nan
