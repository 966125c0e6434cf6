"""Models compared by how well they predict."""

from __future__ import annotations

import logging
from typing import Any

from hibayes import arviz_bridge
from hibayes.arviz_bridge.elpd import check_scale
from hibayes.check.predictive_fit import elpd_of
from hibayes.communicate.definition import CommunicateResult, Communicator, communicate
from hibayes.figures import comparison as drawing
from hibayes.figures.canvas import options
from suites.errors import UsageError, unknown_name

logger = logging.getLogger("hibayes.communicate")

_COMPARED: dict[str, Any] = {"ic": "loo", "scale": "log", "method": "stacking"}
_KNOWN = (*drawing.KNOWN, "b_samples", "alpha", "seed", "var_name")


@communicate
def model_comparison_plot(*args: Any, **kwargs: Any) -> Communicator:
    """Compare the fitted models by LOO or WAIC.

    Parameters
    ----------
    **kwargs
        Options of ArviZ's ``compare``: ``ic`` (``loo``, the default, or ``waic``), ``scale``
        (``log``, ``negative_log``, ``deviance``), ``method`` (``stacking``); and of its
        ``plot_compare``: see `hibayes.figures.comparison.DRAWN`.

    Notes
    -----
    Gives the figure ``model_comparison`` and the table ``model_comparison_table`` (that of
    `hibayes.arviz_bridge.compare`). With fewer than two fitted models that have a log-likelihood
    there is nothing to compare: a warning, and the result is error.
    """
    if args:
        raise UsageError(f"model_comparison_plot: options are given by name, not as {args!r}.")
    chosen = options(kwargs, {**_COMPARED, **drawing.DRAWN}, _KNOWN, "model_comparison_plot")
    kind, scale = str(chosen["ic"]), str(chosen["scale"])
    if kind not in ("loo", "waic"):
        raise unknown_name("model_comparison_plot: ic", kind, ("loo", "waic"))
    check_scale(scale)
    if chosen["method"] != "stacking":
        logger.warning(
            "model_comparison_plot: weights are made by stacking, not by %s.", chosen["method"]
        )
    drawn = {name: value for name, value in chosen.items() if name in drawing.DRAWN}

    def communicate(state: Any, display: Any = None) -> tuple[Any, CommunicateResult]:
        found = {}
        for model in state.models:
            if not model.is_fitted:
                continue
            try:
                found[model.model_name] = elpd_of(model, kind)
            except UsageError as err:
                logger.warning("model_comparison_plot: left out: %s", err)
        if len(found) < 2:
            logger.warning(
                "model_comparison_plot: two fitted models are needed for a comparison, and there "
                "are %d.",
                len(found),
            )
            return state, "error"
        table = arviz_bridge.compare(found, scale=scale)
        state.add_plot(plot=drawing.comparison(table, kind, **drawn), plot_name="model_comparison")
        state.add_table(table=table, table_name="model_comparison_table")
        return state, "pass"

    return communicate
