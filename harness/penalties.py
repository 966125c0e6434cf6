"""The loss of a target without a valid prediction.

It is the worst of the reference's loss, the uniform distribution's loss and the predictor's own
mean loss, so that leaving out a hard target never pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.judging import Losses
from harness.rules import RULES

LOSSES: frozenset[str] = frozenset(rule.name for rule in RULES if rule.is_loss)

Scored = Sequence[tuple[int, str, Losses]]


def penalties(
    failed: Sequence[tuple[int, str]],
    own: Scored,
    reference: Mapping[tuple[int, str], Losses],
    uniform: Mapping[tuple[int, str], Losses],
) -> list[tuple[int, str, Losses]]:
    """Give the losses of targets that were predicted wrongly or not at all.

    Parameters
    ----------
    failed : sequence of (k, target)
        Targets without a valid prediction, of one predictor under one seed.
    own : sequence of (k, target, losses)
        The predictor's scores of the other targets, same seed.
    reference : mapping of (k, target) to losses
        The reference's scores, same seed.
    uniform : mapping of (k, target) to losses
        The uniform distribution's scores of the targets in ``failed``.

    Returns
    -------
    list of (k, target, losses)
        One for each of ``failed``; only rules that are losses.
    """
    sums: dict[tuple[int, str], list[float]] = {}
    for k, _, losses in own:
        for rule, value in losses.items():
            if rule in LOSSES:
                sums.setdefault((k, rule), []).append(value)
    means = {key: float(np.mean(values)) for key, values in sums.items()}
    out = []
    for k, target in failed:
        candidates = [reference.get((k, target), {}), uniform.get((k, target), {})]
        rules = sorted({rule for losses in candidates for rule in losses if rule in LOSSES})
        worst = {}
        for rule in rules:
            values = [losses[rule] for losses in candidates if rule in losses]
            worst[rule] = max([*values, means.get((k, rule), -np.inf)])
        out.append((k, target, worst))
    return out
