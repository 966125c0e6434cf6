"""What a target without a valid prediction costs."""

import pytest

from harness import penalties as module
from harness.judging import TargetFacts
from harness.penalties import LOSSES
from harness.rules import RULES, score, uniform

OF_OTHERS = {"brier", "log_loss", "energy_score", "pairwise_brier"}
"""Losses of single responses, and of several targets together."""

KNOWN = {"n": 10, "binary": True, "lower": 0.0, "upper": 1.0}


def fact(value: float, **changes) -> TargetFacts:
    return TargetFacts(value=value, instances=10, **{**KNOWN, **changes})


def penalties(failed, own, reference, facts):
    """Punish, with what the uniform distribution would have got."""
    nothing_known = {(k, target): facts[target].uniform(target) for k, target in failed}
    return module.penalties(failed, own, reference, nothing_known)


def uniform_loss(value: float, rule: str) -> float:
    return score(uniform(*KNOWN.values()), value, target="t", **KNOWN)[rule]


def test_only_losses_are_punished():
    assert {r.name for r in RULES if r.is_loss} == LOSSES
    assert "crps" in LOSSES
    assert not {"coverage_50", "width_80", "pit"} & LOSSES
    ((_, _, losses),) = penalties([(0, "t")], [], {}, {"t": fact(0.5)})
    assert set(losses) == LOSSES - OF_OTHERS


def test_it_is_the_uniform_where_that_is_worst():
    # the uniform's CRPS at an end is about 1/3 of the range; reference and own mean are better
    own = [(0, "u", {"crps": 3.0})]
    ((k, target, losses),) = penalties(
        [(0, "t")], own, {(0, "t"): {"crps": 5.0}}, {"t": fact(1.0), "u": fact(0.5)}
    )
    assert (k, target) == (0, "t")
    assert losses["crps"] == uniform_loss(1.0, "crps") > 5.0


def test_it_is_the_reference_where_that_is_worst():
    ((_, _, losses),) = penalties([(0, "t")], [], {(0, "t"): {"crps": 88.0}}, {"t": fact(0.5)})
    assert losses["crps"] == 88.0


def test_it_is_the_predictors_own_mean_at_that_k_where_that_is_worst():
    own = [(0, "u", {"crps": 60.0}), (0, "v", {"crps": 80.0}), (5, "u", {"crps": 99.0})]
    failed = [(0, "t"), (5, "t"), (20, "t")]
    out = penalties(failed, own, {}, {"t": fact(0.5)})
    assert [losses["crps"] for _, _, losses in out] == [70.0, 99.0, uniform_loss(0.5, "crps")]


def test_each_rule_is_punished_by_itself():
    reference = {(0, "t"): {"crps": 88.0, "absolute_error": 0.0, "log_score": 0.1}}
    own = [(0, "u", {"log_score": 9.0})]
    ((_, _, losses),) = penalties([(0, "t")], own, reference, {"t": fact(0.5)})
    assert losses["crps"] == 88.0
    assert losses["log_score"] == 9.0
    assert losses["absolute_error"] == uniform_loss(0.5, "absolute_error")


def test_without_bounds_there_is_no_uniform_but_the_reference_and_the_own_mean():
    facts = {"t": fact(1250.0, n=None, binary=False, lower=None, upper=None)}
    out = penalties([(0, "t")], [(0, "u", {"crps": 9.0})], {(0, "t"): {"crps": 7.0}}, facts)
    assert out == [(0, "t", {"crps": 9.0})]
    assert penalties([(0, "t")], [], {}, facts) == [(0, "t", {})]


def test_rules_that_do_not_apply_to_the_target_are_left_out():
    # the own mean of the log score is of other, binary targets: this one has no log score
    facts = {"t": fact(3.0, n=None, binary=False, lower=1.0, upper=5.0)}
    ((_, _, losses),) = penalties([(0, "t")], [(0, "u", {"log_score": 9.0})], {}, facts)
    assert "log_score" not in losses
    assert losses["crps"] == pytest.approx(100 / 12)  # of a uniform, at its middle


def test_nothing_failed_costs_nothing():
    assert penalties([], [(0, "u", {"crps": 9.0})], {}, {"u": fact(0.5)}) == []
