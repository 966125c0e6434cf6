"""The loss of a target without a valid prediction.

It is the worst of the reference's loss, the uniform distribution's loss and the predictor's own
mean loss, so that leaving out a hard target never pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.held_out import TargetFacts
from harness.rules import RULES, uniform

LOSSES: frozenset[str] = frozenset(rule.name for rule in RULES if rule.is_loss)

Scored = Sequence[tuple[int, str, dict[str, float]]]


def penalties(
    failed: Sequence[tuple[int, str]],
    own: Scored,
    reference: Mapping[tuple[int, str], dict[str, float]],
    facts: Mapping[str, TargetFacts],
) -> list[tuple[int, str, dict[str, float]]]:
    """Give the losses of targets that were predicted wrongly or not at all.

    Parameters
    ----------
    failed : sequence of (k, target)
        Targets without a valid prediction, of one predictor under one seed.
    own : sequence of (k, target, losses)
        The predictor's scores of the other targets, same seed.
    reference : mapping of (k, target) to losses
        The reference's scores, same seed.
    facts : mapping of str to TargetFacts
        Truth and grid of the targets.

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
        fact = facts[target]
        candidates = [reference.get((k, target), {}), _uniform(target, fact)]
        rules = sorted({rule for losses in candidates for rule in losses if rule in LOSSES})
        worst = {}
        for rule in rules:
            values = [losses[rule] for losses in candidates if rule in losses]
            worst[rule] = max([*values, means.get((k, rule), -np.inf)])
        out.append((k, target, worst))
    return out


def _uniform(target: str, fact: TargetFacts) -> dict[str, float]:
    distribution = uniform(fact.n, fact.binary, fact.lower, fact.upper)
    return {} if distribution is None else fact.scores(distribution, target)
