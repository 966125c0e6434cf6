"""Every rule by hand on small cases, its unit, and where it does not apply."""

import math
import subprocess
import sys

import numpy as np
import pytest

from harness.distribution import (
    Beta,
    CountPmf,
    Draws,
    Normal,
    PointMass,
    Quantiles,
    discretise,
)
from harness.joint_rules import JOINT_RULES
from harness.rules import RULES, Rule, score, uniform, uniform_number

COUNTS = {"n": 4, "binary": True, "lower": 0, "upper": 1}
OF_OTHERS = ("brier", "log_loss", "auroc", "responses", *JOINT_RULES)
NAMES = [rule.name for rule in RULES if rule.name not in OF_OTHERS]


def test_the_rules_have_the_names_of_the_contract_once_each():
    levels = ("50", "80", "90")
    expected = ["crps", "log_score", "absolute_error", "squared_error"]
    expected += [
        f"{kind}_{level}" for kind in ("interval_score", "coverage", "width") for level in levels
    ]
    assert [*expected, "pit", "pit_mid"] == NAMES
    assert [rule.name for rule in RULES] == [*NAMES, *OF_OTHERS]
    assert all(isinstance(rule, Rule) and rule.unit and rule.meaning for rule in RULES)
    assert not any("\n" in rule.meaning for rule in RULES)
    assert all(rule.is_loss == rule.proper for rule in RULES)


def test_scores_come_in_the_order_of_the_rules():
    assert list(score(CountPmf(np.full(5, 0.2)), 0.5, target="t", **COUNTS)) == NAMES
    without = [name for name in NAMES if name != "log_score"]
    assert list(score(Normal(0.5, 0.1), 0.5, target="t")) == without


def test_a_count_pmf_by_hand():
    # F = .1 .3 .6 .8 1 at 0, 1/4 .. 1; observed count 3
    s = score(CountPmf([0.1, 0.2, 0.3, 0.2, 0.2]), 0.75, target="t", **COUNTS)
    assert s["crps"] == pytest.approx(100 / 4 * (0.01 + 0.09 + 0.36 + 0.04))
    assert s["log_score"] == pytest.approx(-math.log(0.999 * 0.2 + 0.001 / 5))
    assert s["absolute_error"] == pytest.approx(25)  # the median is count 2
    assert s["squared_error"] == pytest.approx((55 - 75) ** 2)
    # quantiles .25 -> count 1, .75 -> count 3; .1 -> 0, .9 -> 4
    assert s["width_50"] == pytest.approx(50)
    assert s["interval_score_50"] == pytest.approx(50)
    assert s["width_80"] == s["width_90"] == pytest.approx(100)
    assert s["pit_mid"] == pytest.approx(0.7)
    assert s["pit"] == pytest.approx(0.6 + 0.2 * uniform_number("t"))
    assert (s["coverage_50"], s["coverage_80"], s["coverage_90"]) == (1, 1, 1)


def test_the_interval_score_penalises_a_miss_by_two_over_alpha():
    p = PointMass(0.25, 0, 1)
    s = score(p, 0.75, target="t", **COUNTS)
    assert s["interval_score_50"] == pytest.approx(2 / 0.5 * 50)
    assert s["interval_score_80"] == pytest.approx(2 / 0.2 * 50)
    assert s["interval_score_90"] == pytest.approx(2 / 0.1 * 50)
    below = score(PointMass(0.75, 0, 1), 0.25, target="t", **COUNTS)
    assert below["interval_score_90"] == pytest.approx(s["interval_score_90"])


def test_a_hit_of_a_point_mass_costs_nothing_and_is_covered():
    s = score(PointMass(0.3, 0, 1), 0.1 + 0.2, target="t", lower=0, upper=1)
    assert s["crps"] == pytest.approx(0, abs=1e-12)
    assert s["pit_mid"] == 0.5
    assert s["coverage_50"] == 1
    missed = score(PointMass(0.3, 0, 1), 0.31, target="t", lower=0, upper=1)
    assert (missed["pit"], missed["coverage_90"]) == (1, 0)


def test_losses_are_percentage_points_of_the_range_where_both_bounds_are_known():
    small = score(Normal(0.6, 0.2, 0, 1), 0.5, target="t", lower=0, upper=1)
    large = score(Normal(6, 2, 0, 10), 5, target="t", lower=0, upper=10)
    shifted = score(Normal(-4, 2, -10, 0), -5, target="t", lower=-10, upper=0)
    for name in small:
        assert large[name] == pytest.approx(small[name])
        assert shifted[name] == pytest.approx(small[name])
    assert small["absolute_error"] == pytest.approx(10)
    assert small["squared_error"] == pytest.approx(1e4 * (Normal(0.6, 0.2, 0, 1).mean - 0.5) ** 2)


def test_losses_keep_the_metrics_unit_where_a_bound_is_unknown():
    for bounds in ((None, None), (0, None), (None, 5000)):
        s = score(Normal(1200, 50, *bounds), 1250, target="t", lower=bounds[0], upper=bounds[1])
        assert s["absolute_error"] == pytest.approx(50)
        assert s["squared_error"] == pytest.approx(2500)
        assert s["width_50"] == pytest.approx(2 * 0.6744897501960817 * 50)


def test_the_pit_of_a_continuous_distribution_is_its_cdf():
    s = score(Normal(0, 1), 1.0, target="t")
    assert s["pit"] == s["pit_mid"] == pytest.approx(0.8413447460685429)
    assert (s["coverage_50"], s["coverage_80"]) == (0, 1)


def test_a_value_at_the_bound_of_a_clipped_normal_falls_in_its_atom():
    # Phi(-1) of the mass is at 1; a value short of 1 by rounding is at 1 too
    for y in (1.0, 1 - 1e-13):
        s = score(Normal(0.5, 0.5, 0, 1), y, target="t", lower=0, upper=1)
        assert s["pit_mid"] == pytest.approx(1 - 0.15865525393145707 / 2)


def test_a_mid_pit_on_the_border_of_an_interval_is_covered():
    s = score(CountPmf([0.0, 0.25, 0.0, 0.0, 0.75]), 0.5, target="t", **COUNTS)
    assert s["pit_mid"] == 0.25
    assert s["coverage_50"] == 1


@pytest.mark.parametrize(
    ("pit", "covered"),
    [
        (0.02, []),
        (0.06, [90]),
        (0.12, [90, 80]),
        (0.26, [90, 80, 50]),
        (0.74, [90, 80, 50]),
        (0.88, [90, 80]),
        (0.94, [90]),
        (0.98, []),
    ],
)
def test_each_interval_covers_its_own_range_of_the_pit(pit, covered):
    s = score(Normal(0, 1), Normal(0, 1).quantile(pit), target="t")
    assert s["pit_mid"] == pytest.approx(pit)
    assert [level for level in (90, 80, 50) if s[f"coverage_{level}"]] == covered


def test_draws_use_the_formulas_of_draws():
    draws = Draws([0.2, 0.3, 0.3, 0.9], 0, 1)
    s = score(draws, 0.1 + 0.2, target="t", lower=0, upper=1)
    assert s["pit_mid"] == pytest.approx((1 + 0.5 * (1 + 2)) / 5)
    assert s["pit"] == pytest.approx((1 + uniform_number("t") * 3) / 5)
    # fair: (.1 + .6)/4 - (sum over pairs .1 .1 .7 0 .6 .6)/12
    assert s["crps"] == pytest.approx(100 * (0.7 / 4 - 2.1 / 12), abs=1e-9)
    assert s["absolute_error"] == pytest.approx(0, abs=1e-9)
    assert "log_score" not in s


def test_draws_of_a_binary_metric_are_smoothed_for_the_log_score_only():
    rng = np.random.default_rng(3)
    draws = Draws(rng.binomial(4, 0.6, 200) / 4, 0, 1)
    s = score(draws, 0.75, target="t", **COUNTS)
    smoothed = discretise(draws, 4)
    assert s["log_score"] == pytest.approx(
        -math.log(0.999 * smoothed.pmf[3] + 0.001 / 5), rel=1e-12
    )
    assert s["crps"] == pytest.approx(100 * draws.crps(0.75))


def test_the_log_score_of_an_impossible_count_is_finite():
    s = score(PointMass(0.0, 0, 1), 1.0, target="t", **COUNTS)
    assert s["log_score"] == pytest.approx(-math.log(0.001 / 5))
    huge = score(PointMass(0.0), 1.0, target="t", n=2 * 10**6, binary=True, lower=0, upper=1)
    assert huge["log_score"] == pytest.approx(-math.log(1e-9))


def test_a_continuous_prediction_of_a_binary_metric_is_scored_on_the_grid():
    for p in (Normal(0.6, 0.2, 0, 1), Beta(2, 3), Quantiles([0.1, 0.9], [0.2, 0.7], 0, 1)):
        assert score(p, 0.75, target="t", **COUNTS) == score(
            discretise(p, 4), 0.75, target="t", **COUNTS
        )


def test_a_value_near_a_count_is_scored_as_that_count():
    p = CountPmf(np.full(4, 0.25))
    described = {"n": 3, "binary": True, "lower": 0, "upper": 1}
    exact = score(p, 1 / 3, target="t", **described)
    assert score(p, 0.333333, target="t", **described) == exact
    with pytest.raises(ValueError, match=r"value 0.34 is no count of 3"):
        score(p, 0.34, target="t", **described)
    with pytest.raises(ValueError, match=r"value 0.34 is no count of 3"):
        score(Draws([0.1, 0.2], 0, 1), 0.34, target="t", **described)


def test_what_cannot_be_scored_is_refused():
    p = CountPmf([0.5, 0.5])
    with pytest.raises(ValueError, match="needs n and both bounds"):
        score(p, 1, target="t", binary=True)
    with pytest.raises(ValueError, match=r"on the counts 0\.\.1"):
        score(p, 1, target="t", **COUNTS)
    with pytest.raises(ValueError, match="pass binary=True"):
        score(p, 1, target="t", lower=0, upper=1)
    with pytest.raises(ValueError, match="must be finite"):
        score(Normal(0, 1), math.nan, target="t")


def test_the_number_of_a_target_is_the_same_in_every_process():
    code = "from harness.rules import uniform_number; print(repr(uniform_number('run 7')))"
    numbers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert numbers == {repr(uniform_number("run 7"))}


def test_the_numbers_of_targets_look_uniform():
    numbers = np.sort([uniform_number(f"target {i}") for i in range(4000)])
    distance = np.abs(numbers - (np.arange(4000) + 0.5) / 4000).max()
    assert distance < 1.63 / math.sqrt(4000)  # Kolmogorov-Smirnov, 1 %
    assert 0 < numbers[0] < numbers[-1] < 1
    assert 0 < uniform_number("lone \ud800 surrogate") < 1


def test_uniform_covers_the_counts_or_the_range_or_is_unknown():
    counts = uniform(9, True, 0, 100)
    assert isinstance(counts, CountPmf)
    np.testing.assert_allclose(counts.pmf, 0.1)
    assert counts.upper == 100
    line = uniform(None, False, -1, 3)
    assert line.quantile([0, 0.5, 1]).tolist() == [-1, 1, 3]
    assert uniform(5, False, None, 1) is None
    assert uniform(5, True, 0, None) is None
    with pytest.raises(ValueError, match="number of trials"):
        uniform(None, True, 0, 1)


def test_scoring_a_count_pmf_is_fast_enough_for_a_large_run():
    import time

    rng = np.random.default_rng(0)
    p = CountPmf(rng.dirichlet(np.ones(251)))
    described = {"n": 250, "binary": True, "lower": 0, "upper": 1}
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(200):
            score(p, 0.4, target="t", **described)
        best = min(best, (time.perf_counter() - start) / 200)
    assert best < 400e-6  # 14 microseconds measured, 80 aimed at; a slow machine is no failure


@pytest.mark.parametrize(
    "p",
    [
        Normal(1e150, 1e150),
        Normal(0, 1e-320),
        PointMass(-1e150),
        Quantiles([0.1, 0.2, 0.9], [-1e149, 0.0, 1e149]),
        Draws([-1e150, 1e150] * 50),
    ],
    ids=repr,
)
def test_the_largest_numbers_that_may_be_stated_give_finite_scores(p):
    assert all(map(math.isfinite, score(p, 0.5, target="t").values()))
