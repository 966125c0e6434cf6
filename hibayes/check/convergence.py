"""Checks of the sampler: R-hat, effective sample sizes, divergences, energy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes import arviz_bridge
from hibayes.check.definition import Checker, CheckerResult, checker
from hibayes.check.verdict import give, named, number
from hibayes.model.definition import unidentified_in
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


@checker
def r_hat(threshold: float = 1.01) -> Checker:
    """Check that chains agree: every scalar's R-hat is below the threshold.

    Parameters
    ----------
    threshold : float, default 1.01
        Compared with the unrounded value.

    Notes
    -----
    Diagnostics: ``r_hat`` (array over the rows of the summary), ``r_hat_verdict``. A scalar that
    is the same in all draws by construction has no R-hat and is not held against the model; one
    whose draws are not finite is. Variables that the model says are known up to rotation only
    (factors, loadings) are left out, here and of the effective sample sizes; the message names
    them.
    """
    return _of_summary("r_hat", threshold, low=False)


@checker
def ess_bulk(threshold: float = 1000) -> Checker:
    """Check that means rest on enough draws: every scalar's bulk effective sample size.

    Parameters
    ----------
    threshold : float, default 1000
        Effective draws that every scalar must exceed.

    Notes
    -----
    Diagnostics: ``ess_bulk``, ``ess_bulk_verdict``.
    """
    return _of_summary("ess_bulk", threshold, low=True)


@checker
def ess_tail(threshold: float = 1000) -> Checker:
    """Check that intervals rest on enough draws: every scalar's tail effective sample size.

    Parameters
    ----------
    threshold : float, default 1000
        Effective draws that every scalar must exceed.

    Notes
    -----
    Diagnostics: ``ess_tail``, ``ess_tail_verdict``.
    """
    return _of_summary("ess_tail", threshold, low=True)


@checker
def divergences(threshold: int = 0) -> Checker:
    """Check that few transitions diverged.

    Parameters
    ----------
    threshold : int, default 0
        Divergent transitions that are borne, over all chains.

    Notes
    -----
    Diagnostics: ``divergences`` (int), ``divergences_verdict`` (offenders are the chains). NA
    where the sampler keeps no record.
    """
    limit = _threshold(threshold, "divergences")

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        stats = _stats(state)
        if "diverging" not in stats:
            return give(state, "divergences", "NA", "the sampler kept no record of divergences",
                        threshold=limit)  # fmt: skip
        diverging = np.asarray(stats["diverging"], dtype=bool)
        per_chain = diverging.reshape(len(diverging), -1).sum(axis=1)
        count = int(per_chain.sum())
        state.add_diagnostic("divergences", count)
        if display is not None and hasattr(display, "update_stat"):
            display.update_stat("Num divergents", count)
        worst = sorted(
            ((f"chain {i}", int(n)) for i, n in enumerate(per_chain) if n), key=lambda of: -of[1]
        )
        where = f" in {named(worst)}" if worst else ""
        said = f"{count} of {diverging.size} transitions diverged{where}; {limit:g} are borne"
        result: CheckerResult = "pass" if count <= limit else "fail"
        return give(state, "divergences", result, said, value=count, threshold=limit,
                    offenders=worst if result == "fail" else ())  # fmt: skip

    return check


@checker
def bfmi(threshold: float = 0.2) -> Checker:
    """Check that momentum resampling reaches the energies that the posterior has.

    Parameters
    ----------
    threshold : float, default 0.2
        The least Bayesian fraction of missing information that every chain must have.

    Notes
    -----
    Diagnostics: ``bfmi`` (array, one per chain), ``bfmi_verdict``. NA where the sampler keeps no
    ``energy``. See `hibayes.arviz_bridge.bfmi`.
    """
    limit = _threshold(threshold, "bfmi")

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        if "energy" not in _stats(state):
            return give(state, "bfmi", "NA", "the sampler kept no energy", threshold=limit)
        found = arviz_bridge.bfmi(state.inference_data)
        state.add_diagnostic("bfmi", found)
        chains = [(f"chain {i}", float(value)) for i, value in enumerate(found)]
        bad = [of for of in chains if not of[1] >= limit]
        ranked = sorted(bad, key=lambda of: _worst_first(of[1]))
        least = float(np.min(found))
        said = (
            f"the least BFMI of {len(found)} chains is {number(least)}, of {number(limit)} wanted"
        )
        if bad:
            said += f"; too low: {named(ranked)}"
        return give(state, "bfmi", "fail" if bad else "pass", said, value=least, threshold=limit,
                    offenders=ranked)  # fmt: skip

    return check


def _of_summary(name: str, threshold: float, *, low: bool) -> Checker:
    """Make a checker of a column of the summary."""
    limit = _threshold(threshold, name)

    def check(state: Any, display: Any = None) -> tuple[Any, CheckerResult]:
        return _compare(state, name, limit, low=low)

    return check


def _compare(state: Any, name: str, limit: float, *, low: bool) -> tuple[Any, CheckerResult]:
    """Hold a column of the summary against a threshold; `low`: small values are bad."""
    table = _summary(state)
    values = table[name].astype(float)
    state.add_diagnostic(name, values.to_numpy())
    constant = arviz_bridge.constants(state.inference_data)
    rotated = unidentified_in(state)
    out = {str(label) for label in values.index if str(label).split("[", 1)[0] in rotated}
    left_out = {*constant, *out}
    held = values[[str(label) not in left_out for label in values.index]]
    good = held > limit if low else held < limit  # NaN is neither
    bad = [(str(label), float(value)) for label, value in held[~good].items()]
    ranked = sorted(bad, key=lambda of: _worst_first(of[1] if low else -of[1]))
    called = {"r_hat": "R-hat", "ess_bulk": "bulk ESS", "ess_tail": "tail ESS"}[name]
    if len(held) == 0:
        return give(state, name, "NA", "no parameter varies", threshold=limit)
    extreme = float(np.min(held) if low else np.max(held))
    wanted = f"{'above' if low else 'below'} {limit:g}"
    said = (
        f"{called} of all {len(held)} parameters is {wanted} "
        f"({'least' if low else 'largest'} {number(extreme)})"
        if not bad
        else f"{called} of {len(bad)} of {len(held)} parameters is not {wanted}: {named(ranked)}"
    )
    if out:
        variables = [of for of in rotated if any(label.startswith(f"{of}[") for label in out)]
        said += f"; left out: {', '.join(variables)} (known up to rotation only)"
    value = ranked[0][1] if ranked else extreme
    return give(state, name, "fail" if bad else "pass", said, value=value, threshold=limit,
                offenders=ranked)  # fmt: skip


def _summary(state: Any) -> pd.DataFrame:
    """Give the summary, computed once for all checkers."""
    _stats(state)
    return state.get_summary()


def _stats(state: Any) -> Any:
    """Give the sampler's record; nothing where there is none.

    Raises
    ------
    UsageError
        If the model has not been fitted.
    """
    there = arviz_bridge.groups(state.inference_data)
    if "posterior" not in there:
        raise UsageError(
            f"{getattr(state, 'model_name', 'the model')} has no posterior: fit it before it is "
            "checked."
        )
    if "sample_stats" not in there:
        return {}
    return arviz_bridge.dataset(state.inference_data, "sample_stats")


def _worst_first(value: float) -> float:
    """Order from the smallest, what is not a number before all."""
    return -math.inf if math.isnan(value) else value


def _threshold(value: Any, name: str) -> float:
    """Read a threshold.

    Raises
    ------
    UsageError
        If it is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise UsageError(f"{name}: threshold must be a number, not {value!r}.")
    return value
