"""Checks of how well a model predicts data that it has not seen: LOO and WAIC."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hibayes import arviz_bridge
from hibayes.arviz_bridge.elpd import Elpd, check_scale
from hibayes.check.convergence import _threshold
from hibayes.check.definition import Checker, CheckerResult, checker
from hibayes.check.verdict import give, named, number
from suites.errors import UsageError

logger = logging.getLogger("hibayes.check")


@checker
def loo(reff_threshold: float = 0.7, scale: str = "log") -> Checker:
    """Estimate leave-one-out predictive density and check that the estimate holds.

    Parameters
    ----------
    reff_threshold : float, default 0.7
        The largest Pareto k that is borne. (The name is the interface's.)
    scale : {"log", "negative_log", "deviance"}
        What the message and the table show. The diagnostics are sums of log densities on every
        scale, so that the largest is the best.

    Notes
    -----
    Diagnostics: ``loo`` (`hibayes.arviz_bridge.Elpd`), ``elpd_loo``, ``se_elpd_loo``, ``p_loo``
    (nats), ``loo_i`` and ``pareto_k`` (one per observation), ``loo_verdict``. NA where the model
    keeps no log-likelihood.
    """
    limit = _threshold(reff_threshold, "loo")
    check_scale(scale)

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        found = _found(state, "loo", scale)
        if isinstance(found, str):
            return give(state, "loo", "NA", found, threshold=limit)
        _keep(state, found)
        if "pareto_k" not in found.pointwise:
            return give(state, "loo", "NA", f"{found}; no Pareto k were kept", threshold=limit)
        k = found.pointwise["pareto_k"].astype(float)
        bad = [(f"obs[{label}]", float(value)) for label, value in k[~(k <= limit)].items()]
        ranked = sorted(bad, key=lambda of: -math.inf if math.isnan(of[1]) else -of[1])
        said = str(found)
        if bad:
            said += (
                f"; Pareto k of {len(bad)} of {len(k)} observations exceeds {number(limit)}: "
                f"{named(ranked)}; their estimates are not to be trusted"
            )
        else:
            said += f"; the largest Pareto k is {number(float(k.max()))}"
        return give(state, "loo", "fail" if bad else "pass", said, value=float(np.max(k)),
                    threshold=limit, offenders=ranked)  # fmt: skip

    return check


@checker
def waic(scale: str = "log") -> Checker:
    """Compute the widely applicable information criterion.

    Parameters
    ----------
    scale : {"log", "negative_log", "deviance"}
        As for `loo`.

    Notes
    -----
    Diagnostics: ``waic`` (`hibayes.arviz_bridge.Elpd`), ``elpd_waic``, ``se_elpd_waic``,
    ``p_waic`` (nats), ``waic_i``, ``waic_verdict``. The result is always NA: there is no
    threshold.
    """
    check_scale(scale)

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        found = _found(state, "waic", scale)
        if isinstance(found, str):
            return give(state, "waic", "NA", found)
        _keep(state, found)
        said = str(found)
        if "p" in found.pointwise:
            p = found.pointwise["p"].astype(float)
            n_bad = int((p > 0.4).sum())
            if n_bad:
                said += f"; the variance of {n_bad} of {len(p)} observations exceeds 0.4: trust loo"
        return give(state, "waic", "NA", said, value=found.elpd)

    return check


def elpd_of(state: Any, kind: str, scale: str = "log") -> Elpd:
    """Give a model's LOO or WAIC: from its log-likelihood, else what an earlier check kept.

    Parameters
    ----------
    state : ModelAnalysisState
        In memory or loaded.
    kind : {"loo", "waic"}
        Which.
    scale : str
        Of the result.

    Raises
    ------
    UsageError
        If there is neither, or the log-likelihood is not finite.
    """
    if "log_likelihood" in arviz_bridge.groups(state.inference_data):
        compute = arviz_bridge.loo if kind == "loo" else arviz_bridge.waic
        return compute(state.inference_data, scale=scale)
    kept = state.diagnostic(kind)
    if isinstance(kept, Elpd):
        return kept.on(scale)
    if isinstance(kept, Mapping) and "elpd" in kept:
        return Elpd.from_dict(kept).on(scale)
    raise UsageError(
        f"{getattr(state, 'model_name', 'the model')} has no log-likelihood, and kept no {kind}."
    )


def _found(state: Any, kind: str, scale: str) -> Elpd | str:
    """Compute, or say why there is nothing to compute."""
    has = "log_likelihood" in arviz_bridge.groups(state.inference_data)
    if not has and state.diagnostic(kind) is None:
        return "the model kept no log-likelihood"
    return elpd_of(state, kind, scale)


def _keep(state: Any, found: Elpd) -> None:
    """Add the diagnostics."""
    kind = found.kind
    state.add_diagnostic(kind, found)
    state.add_diagnostic(f"elpd_{kind}", found.elpd)
    state.add_diagnostic(f"se_elpd_{kind}", found.se)
    state.add_diagnostic(f"p_{kind}", found.p)
    if "elpd" in found.pointwise:
        state.add_diagnostic(f"{kind}_i", found.pointwise["elpd"].rename(f"{kind}_i"))
    if "pareto_k" in found.pointwise:
        state.add_diagnostic("pareto_k", found.pointwise["pareto_k"])
