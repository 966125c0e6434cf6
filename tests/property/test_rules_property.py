"""Scoring rules and distributions by their defining properties, against independent numbers."""

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from harness.distribution import (
    Beta,
    CountPmf,
    Distribution,
    Draws,
    Normal,
    PointMass,
    Quantiles,
    discretise,
    from_parts,
)
from harness.rules import LOG_SCORE_MIX, RULES, score, uniform_number

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # optional backends
    import scoringrules


def holds_for(*strategies):
    """Run the test on 40 examples, the same in every run."""
    return lambda test: settings(deadline=None, max_examples=40, derandomize=True)(
        given(*strategies)(test)
    )


unit = st.floats(0, 1, allow_subnormal=False)
spread = st.floats(1e-3, 3)
bounds = st.sampled_from([(None, None), (0.0, None), (None, 1.0), (0.0, 1.0), (-2.0, 5.0)])
levels_5 = [0.05, 0.25, 0.5, 0.75, 0.95]


@st.composite
def pmfs(draw, n=None):
    n = draw(st.integers(1, 40)) if n is None else n
    weights = draw(
        st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1)), min_size=n + 1, max_size=n + 1)
    )
    assume(sum(weights) > 0)
    return np.array(weights) / sum(weights)


@st.composite
def normals(draw):
    return Normal(draw(st.floats(-2, 3)), draw(spread), *draw(bounds))


@st.composite
def betas(draw):
    return Beta(draw(st.floats(0.1, 50)), draw(st.floats(0.1, 50)))


@st.composite
def quantile_distributions(draw):
    values = draw(st.lists(st.sampled_from(np.linspace(-1, 2, 31)), min_size=5, max_size=5))
    return Quantiles(levels_5, sorted(values), *draw(bounds))


@st.composite
def draw_sets(draw):
    values = draw(st.lists(st.floats(-1, 2), min_size=2, max_size=30))
    return Draws(values, *draw(bounds))


counts = pmfs().map(CountPmf)
points = st.builds(PointMass, st.floats(-2, 3), st.just(0.0), st.just(1.0))
continuous = st.one_of(normals(), betas(), quantile_distributions())
anything = st.one_of(counts, points, continuous, draw_sets())


def expected_scores(p: Distribution, truth: np.ndarray) -> dict[str, float]:
    """Return each rule's mean over counts drawn from `truth`, exactly."""
    n = len(truth) - 1
    per_count = [
        score(p, c / n, target="t", n=n, binary=True, lower=0, upper=1) for c in range(n + 1)
    ]
    return {
        name: sum(w * s[name] for w, s in zip(truth, per_count, strict=True))
        for name in per_count[0]
    }


# Propriety


@holds_for(st.integers(1, 12).flatmap(lambda n: st.tuples(pmfs(n), pmfs(n))))
def test_no_prediction_beats_the_true_distribution_in_expectation(pair):
    truth, other = pair
    honest = expected_scores(CountPmf(truth), truth)
    dishonest = expected_scores(CountPmf(other), truth)
    for rule in RULES:
        if rule.proper and rule.name in honest:
            allowed = -math.log(1 - LOG_SCORE_MIX) if rule.name == "log_score" else 1e-7
            assert honest[rule.name] <= dishonest[rule.name] + allowed, rule.name


@holds_for(pmfs(8), st.integers(0, 8), st.integers(0, 8))
def test_the_crps_is_strictly_proper_moving_mass_costs(truth, a, b):
    moved = truth.copy()
    moved[a] -= (mass := 0.5 * truth[a])
    moved[b] += mass
    assume(a != b and mass > 1e-3)
    cost = (
        expected_scores(CountPmf(moved), truth)["crps"]
        - expected_scores(CountPmf(truth), truth)["crps"]
    )
    # the divergence of CRPS: the integral of (F - G)^2
    assert cost == pytest.approx(100 / 8 * abs(a - b) * mass**2, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    "other", [Normal(0.3, 0.6, 0, 1), Normal(0.35, 0.5, 0, 1), Beta(2, 2), PointMass(0.3, 0, 1)]
)
def test_no_prediction_beats_a_clipped_normal_that_is_true(other):
    truth = Normal(0.3, 0.5, 0, 1)
    y = truth.quantile((np.arange(2000) + 0.5) / 2000)
    for name in ("crps", "absolute_error", "squared_error", "interval_score_80"):
        honest, dishonest = (
            np.mean([score(p, v, target="t", lower=0, upper=1)[name] for v in y])
            for p in (truth, other)
        )
        assert honest <= dishonest + 1e-3  # 2000 points of an exact quadrature rule


def test_the_fair_crps_of_draws_is_unbiased_for_the_distribution_behind_them():
    rng = np.random.default_rng(11)
    y, repeats = 0.4, 20_000
    scores = [Draws(x).crps(y) for x in rng.normal(0, 1, (repeats, 5))]
    error = np.std(scores) / math.sqrt(repeats)
    assert abs(np.mean(scores) - Normal(0, 1).crps(y)) < 4 * error  # error is .002


# CRPS against its definition, and against another implementation


def crps_by_quadrature(p: Distribution, y: float) -> float:
    low, high = min(p.quantile(1e-12), y), max(p.quantile(1 - 1e-12), y)
    cuts = sorted({low, high, y, *np.clip(p.quantile(np.linspace(0.001, 0.999, 41)), low, high)})
    total = 0.0
    for start, end in pairwise(cuts):
        inner = np.nextafter(start, end), np.nextafter(end, start)
        if inner[0] >= inner[1]:
            continue
        above = 1.0 if start >= y else 0.0
        total += integrate.fixed_quad(lambda u, a=above: (p.cdf(u) - a) ** 2, *inner, n=24)[0]
    return total


@holds_for(st.one_of(normals(), betas().filter(lambda p: min(p.a, p.b) >= 1)), st.floats(-0.5, 1.5))
def test_closed_form_crps_is_the_integral_that_defines_it(p, y):
    assert p.crps(y) == pytest.approx(crps_by_quadrature(p, y), abs=2e-5)


@holds_for(quantile_distributions(), st.floats(-3, 4))
def test_the_crps_of_quantiles_is_the_integral_that_defines_it(p, y):
    # over each linear piece Gauss-Legendre with 2 nodes is exact for the square
    cuts = np.unique(np.concatenate((p.x, [y])))
    total = 0.0
    for start, end in pairwise(cuts):
        if end - start > 1e-9:
            nodes = 0.5 * (start + end) + 0.5 * (end - start) * np.array([-1, 1]) / math.sqrt(3)
            total += (end - start) * np.mean((p.cdf(nodes) - (nodes >= y)) ** 2)
    assert p.crps(y) == pytest.approx(total, abs=1e-7)


@holds_for(counts, st.data())
def test_the_crps_of_counts_is_the_energy_form(p, data):
    y = data.draw(st.integers(0, p.n)) / p.n
    values = np.arange(p.n + 1) / p.n
    energy = p.pmf @ np.abs(values - y) - 0.5 * p.pmf @ np.abs(values[:, None] - values) @ p.pmf
    assert p.crps(y) == pytest.approx(energy, abs=1e-12)


@holds_for(st.floats(-5, 5), spread, st.floats(-5, 5))
def test_the_crps_of_a_normal_agrees_with_scoringrules(mean, sd, y):
    expected = scoringrules.crps_normal(y, mean, sd)
    assert Normal(mean, sd).crps(y) == pytest.approx(expected, abs=1e-12)


@holds_for(st.floats(-2, 3), spread, unit, st.sampled_from([(0, 1), (0, None), (None, 1)]))
def test_the_crps_of_a_clipped_normal_agrees_with_scoringrules(mean, sd, y, ends):
    low, high = (e if e is not None else s * math.inf for e, s in zip(ends, (-1, 1), strict=True))
    assume(low <= y <= high)
    with np.errstate(all="ignore"):  # its logarithm of a tail that is 0
        expected = scoringrules.crps_cnormal(y, mean, sd, low, high)
    assume(math.isfinite(expected))
    assert Normal(mean, sd, *ends).crps(y) == pytest.approx(expected, abs=1e-9)


@holds_for(st.floats(0.2, 60), st.floats(0.2, 60), unit)
def test_the_crps_of_a_beta_agrees_with_scoringrules(a, b, y):
    assert Beta(a, b).crps(y) == pytest.approx(scoringrules.crps_beta(y, a, b), abs=1e-10)
    stretched = scoringrules.crps_beta(4 * y - 1, a, b, -1, 3)
    assert Beta(a, b, -1, 3).crps(4 * y - 1) == pytest.approx(stretched, abs=1e-9)


@holds_for(draw_sets(), st.floats(-1, 2))
def test_the_crps_of_draws_agrees_with_scoringrules(p, y):
    expected = scoringrules.crps_ensemble(y, p.samples, estimator="fair")
    assert p.crps(y) == pytest.approx(float(expected), abs=1e-12)


@holds_for(st.integers(1, 50), st.floats(0.01, 0.99), st.data())
def test_the_crps_and_log_pmf_of_a_binomial_agree_with_scoringrules(n, rate, data):
    c = data.draw(st.integers(0, n))
    p = CountPmf(stats.binom.pmf(np.arange(n + 1), n, rate), 0, n)
    assert p.crps(c) == pytest.approx(float(scoringrules.crps_binomial(c, n, rate)), abs=1e-9)
    assert p.log_pmf(c) == pytest.approx(-float(scoringrules.logs_binomial(c, n, rate)), abs=1e-6)


@holds_for(continuous, unit)
def test_interval_scores_agree_with_scoringrules(p, y):
    s = score(p, y, target="t")
    for level, alpha in ((50, 0.5), (80, 0.2), (90, 0.1)):
        low, high = p.quantile(alpha / 2), p.quantile(1 - alpha / 2)
        expected = scoringrules.interval_score(y, low, high, alpha)
        assert s[f"interval_score_{level}"] == pytest.approx(float(expected), abs=1e-9)


# Distributions


@holds_for(anything, st.floats(-3, 4))
def test_crps_is_never_negative_and_never_more_than_the_farthest_miss(p, y):
    if isinstance(p, CountPmf):
        y = round(min(max(y, 0), 1) * p.n) / p.n
    low, high = p.quantile(0), p.quantile(1)
    assert p.crps(y) >= 0
    assert p.crps(y) <= max(high - y, y - low) + 1e-9


@holds_for(anything, unit, unit)
def test_quantiles_and_cdf_are_monotone(p, a, b):
    a, b = sorted((a, b))
    assert p.quantile(a) <= p.quantile(b)
    assert p.cdf(a) <= p.cdf(b)
    assert p.cdf_left(a) <= p.cdf(a)
    if b - a > 1e-5:  # values closer than 1e-6 are one count
        assert p.cdf(a) <= p.cdf_left(b) + 1e-12


@holds_for(anything, st.floats(0.001, 0.999))
def test_the_quantile_is_the_generalised_inverse(p, level):
    x = p.quantile(level)
    assert p.cdf(x + 1e-8) >= level - 1e-9
    assert p.cdf_left(x - 1e-8) <= level + 1e-9


@holds_for(anything)
def test_nothing_lies_beyond_the_bounds_and_moments_fit_them(p):
    assert 0 <= p.outside <= 1
    if p.lower is not None:
        assert p.cdf_left(p.lower) == 0
        assert p.quantile(0) >= p.lower
        assert p.mean >= p.lower - 1e-12
    if p.upper is not None:
        assert p.cdf(p.upper) == 1
        assert p.quantile(1) <= p.upper
        assert p.mean <= p.upper + 1e-12


@holds_for(continuous)
def test_moments_are_the_integrals_of_the_quantile_function(p):
    nodes, weights = np.polynomial.legendre.leggauss(64)
    edges = np.concatenate(
        ([0, 1e-6, 1e-4, 1e-3], np.linspace(0.01, 0.99, 99), [0.999, 0.9999, 1 - 1e-6, 1])
    )
    levels = (edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2).ravel()
    mass = (np.diff(edges)[:, None] * weights / 2).ravel()
    x = p.quantile(levels)
    mean = mass @ x
    assert p.mean == pytest.approx(mean, abs=2e-4)
    assert p.sd == pytest.approx(math.sqrt(mass @ (x - mean) ** 2), abs=2e-3)


@holds_for(normals(), unit)
def test_a_clipped_normal_is_the_normal_inside_its_bounds(p, x):
    low, high = p._ends()
    expected = 0.0 if x < low else 1.0 if x >= high else stats.norm.cdf(x, p.location, p.scale)
    assert p.cdf(x) == pytest.approx(expected, abs=1e-12)
    tails = stats.norm.cdf(low, p.location, p.scale) + stats.norm.sf(high, p.location, p.scale)
    assert p.outside == pytest.approx(tails, abs=1e-12)


@holds_for(st.one_of(points, continuous, draw_sets(), counts), st.integers(1, 60))
def test_a_discretised_distribution_sums_to_1_and_keeps_its_mean(p, n):
    grid = discretise(p, n)
    assert grid.pmf.sum() == pytest.approx(1, abs=1e-12)
    assert grid.outside == p.outside
    clipped = Draws(p.samples, 0, 1) if isinstance(p, Draws) else p
    if (p.lower, p.upper) == (0.0, 1.0):
        room = 0.5 / n + (clipped.bandwidth(1 / n) if isinstance(p, Draws) else 0.0)
        assert abs(grid.mean - clipped.mean) <= room + 1e-9


@holds_for(st.floats(-0.5, 1.5), st.floats(0.02, 1), st.integers(1, 60))
def test_on_the_grid_a_normal_is_its_cdf_between_the_counts(mean, sd, n):
    grid = from_parts(normal=(mean, sd), lower=0, upper=1, n=n, binary=True)
    inner = stats.norm.cdf((np.arange(n) + 0.5) / n, mean, sd)
    np.testing.assert_allclose(grid.cumulative[:-1], inner, atol=1e-12)


# Invariances


@holds_for(draw_sets(), st.floats(-1, 2), st.randoms())
def test_the_order_of_draws_does_not_matter(p, y, random):
    shuffled = list(p.samples)
    random.shuffle(shuffled)
    assert Draws(shuffled).crps(y) == p.crps(y)


@holds_for(draw_sets(), st.floats(-1, 2), st.integers(2, 5))
def test_repeating_all_draws_changes_only_the_fairness_term(p, y, times):
    k = len(p.samples)
    repeated = Draws(np.repeat(p.samples, times))
    assert repeated.mean == pytest.approx(p.mean, abs=1e-12)
    gini = 2 * (np.abs(p.samples - y).mean() - p.crps(y))  # mean distance of two different draws
    plain = np.abs(p.samples - y).mean() - 0.5 * gini * (k - 1) / k
    factor = (k * times) / (k * times - 1)
    expected = np.abs(p.samples - y).mean() - factor * (np.abs(p.samples - y).mean() - plain)
    assert repeated.crps(y) == pytest.approx(expected, abs=1e-9)


@holds_for(
    st.integers(1, 20).flatmap(lambda n: st.tuples(pmfs(n), pmfs(n), st.integers(0, n))), unit
)
def test_a_mixture_is_worth_at_least_the_mean_of_its_parts(given_pair, weight):
    first, second, count = given_pair
    mixed = CountPmf(weight * first + (1 - weight) * second)
    mean = weight * CountPmf(first).crps_of_count(count)
    mean += (1 - weight) * CountPmf(second).crps_of_count(count)
    assert mixed.crps_of_count(count) <= mean + 1e-12


@holds_for(
    st.one_of(points, betas(), st.builds(Normal, unit, spread, st.just(0.0), st.just(1.0))), unit
)
def test_mirroring_the_range_changes_no_loss(p, y):
    if isinstance(p, PointMass):
        mirrored = PointMass(1 - p.value, 0, 1)
    elif isinstance(p, Beta):
        mirrored = Beta(p.b, p.a)
    else:
        mirrored = Normal(1 - p.location, p.scale, 0, 1)
    one = score(p, y, target="t", lower=0, upper=1)
    two = score(mirrored, 1 - y, target="t", lower=0, upper=1)
    for rule in RULES:
        if rule.name in one and rule.is_loss:
            assert two[rule.name] == pytest.approx(one[rule.name], abs=1e-5), rule.name


@holds_for(pmfs(), st.floats(-100, 100), st.floats(0.1, 100), st.data())
def test_scores_do_not_depend_on_the_unit_of_a_bounded_metric(pmf, lower, width, data):
    n = len(pmf) - 1
    c = data.draw(st.integers(0, n))
    upper = lower + width
    here = score(CountPmf(pmf), c / n, target="t", n=n, binary=True, lower=0, upper=1)
    there = score(
        CountPmf(pmf, lower, upper),
        lower + width * c / n,
        target="t",
        n=n,
        binary=True,
        lower=lower,
        upper=upper,
    )
    for name in here:
        assert there[name] == pytest.approx(here[name], abs=1e-6), name


# Calibration


@holds_for(pmfs(), st.floats(0.01, 0.99))
def test_the_randomised_pit_of_a_true_prediction_is_uniform(truth, u):
    # P(PIT <= u) over C ~ truth and V ~ U(0, 1), exactly
    n = len(truth) - 1
    v = uniform_number("t")
    total = 0.0
    for c, mass in enumerate(truth):
        if mass == 0:
            continue
        s = score(CountPmf(truth), c / n, target="t", n=n, binary=True, lower=0, upper=1)
        atom = 2 * (s["pit_mid"] - (below := (s["pit"] - 2 * v * s["pit_mid"]) / (1 - 2 * v)))
        assert atom == pytest.approx(mass, abs=1e-9 / abs(1 - 2 * v))
        total += mass * min(max((u - below) / mass, 0), 1)
    assert total == pytest.approx(u, abs=1e-6)


def test_the_pit_of_true_predictions_is_uniform_over_targets():
    rng = np.random.default_rng(5)
    pit = []
    for i in range(3000):
        p = CountPmf(stats.binom.pmf(np.arange(7), 6, rate := rng.random()))
        y = rng.binomial(6, rate) / 6
        described = {"n": 6, "binary": True, "lower": 0, "upper": 1}
        pit.append(score(p, y, target=f"t{i}", **described)["pit"])
    assert stats.kstest(pit, "uniform").pvalue > 0.01


@holds_for(st.integers(2, 40), st.integers(0, 1000))
def test_the_pit_of_exchangeable_draws_takes_each_rank_once(k, seed):
    # the observation at each of the K + 1 ranks among the draws: PIT is uniform on (0, 1)
    values = np.sort(np.random.default_rng(seed).random(k + 1))
    pits = [score(Draws(np.delete(values, i)), values[i], target="t")["pit"] for i in range(k + 1)]
    expected = (np.arange(k + 1) + uniform_number("t")) / (k + 1)
    np.testing.assert_allclose(pits, expected, atol=1e-12)
