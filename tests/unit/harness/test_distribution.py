"""Distributions against hand computations, and every way a prediction can be wrong."""

import copy
import math
import pickle

import numpy as np
import pytest

from harness.distribution import (
    Beta,
    CountPmf,
    Draws,
    InvalidPrediction,
    Normal,
    PointMass,
    Quantiles,
    discretise,
    from_parts,
    grid_count,
    grid_tolerance,
)

LEVELS = [0.1, 0.3, 0.5, 0.7, 0.9]
HUNDRED = np.linspace(0.01, 1.0, 100)


def every_kind():
    return [
        CountPmf([0.2, 0.5, 0.3]),
        PointMass(0.4, 0, 1),
        Normal(0.8, 0.3, 0, 1),
        Normal(0.8, 0.3),
        Beta(2, 5, 0, 1),
        Quantiles(LEVELS, [0.1, 0.2, 0.2, 0.5, 0.9], 0, 1),
        Quantiles(LEVELS, [0.1, 0.2, 0.2, 0.5, 0.9]),
        Draws([0.1, 0.5, 0.5, 0.9], 0, 1),
    ]


@pytest.mark.parametrize("distribution", every_kind(), ids=repr)
def test_a_number_gives_a_float_and_an_array_gives_its_shape(distribution):
    grid = np.array([[0.0, 0.5], [1.0, 0.25]])
    for method in (distribution.cdf, distribution.cdf_left, distribution.quantile):
        assert type(method(0.5)) is float
        assert method(grid).shape == (2, 2)
        assert method(grid)[0, 1] == method(0.5)
    assert type(distribution.mean) is float
    assert type(distribution.sd) is float
    assert type(distribution.crps(0.5)) is float


@pytest.mark.parametrize("distribution", every_kind(), ids=repr)
def test_a_distribution_cannot_be_changed(distribution):
    with pytest.raises(AttributeError):
        distribution.lower = 3
    arrays = [getattr(distribution, name, None) for name in ("pmf", "cumulative", "samples", "x")]
    for array in arrays:
        if array is not None:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 7


@pytest.mark.parametrize("distribution", every_kind(), ids=repr)
def test_a_distribution_survives_pickle_and_copy(distribution):
    for twin in (pickle.loads(pickle.dumps(distribution)), copy.deepcopy(distribution)):
        assert twin.crps(0.5) == distribution.crps(0.5)
        assert repr(twin) == repr(distribution)


@pytest.mark.parametrize("distribution", every_kind(), ids=repr)
def test_a_nan_or_infinite_observation_is_refused(distribution):
    for y in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"finite|is no count"):
            distribution.crps(y)


@pytest.mark.parametrize("distribution", every_kind(), ids=repr)
def test_cdf_of_nan_is_nan_and_of_infinity_is_0_or_1(distribution):
    x = np.array([math.nan, -math.inf, math.inf])
    np.testing.assert_array_equal(distribution.cdf(x), [math.nan, 0, 1])
    np.testing.assert_array_equal(distribution.cdf_left(x), [math.nan, 0, 1])


@pytest.mark.parametrize("distribution", every_kind(), ids=repr)
def test_a_level_that_is_no_probability_is_refused(distribution):
    for level in (-0.1, 1.1, math.nan, 50):
        with pytest.raises(ValueError, match="levels are probabilities"):
            distribution.quantile(level)


@pytest.mark.parametrize("distribution", every_kind(), ids=repr)
def test_only_a_count_grid_has_a_log_pmf(distribution):
    if isinstance(distribution, CountPmf):
        assert distribution.log_pmf(0.5) == math.log(0.5)
    else:
        with pytest.raises(TypeError, match="discretise"):
            distribution.log_pmf(0.5)


@pytest.mark.parametrize("kind", [CountPmf([0.5, 0.5]), PointMass(0.5), Draws([0.1, 0.2])])
def test_a_distribution_of_atoms_has_no_density(kind):
    with pytest.raises(TypeError, match="no density"):
        kind.log_density(0.5)


# Counts


def test_count_pmf_on_a_shifted_range_by_hand():
    p = CountPmf([0.2, 0.5, 0.3], lower=10, upper=30)  # values 10, 20, 30
    assert p.n == 2
    assert p.mean == pytest.approx(0.2 * 10 + 0.5 * 20 + 0.3 * 30)
    assert p.sd == pytest.approx(math.sqrt(0.2 * 121 + 0.5 * 1 + 0.3 * 81))
    np.testing.assert_allclose(p.cdf([9.9, 10, 15, 20, 29.9, 30]), [0, 0.2, 0.2, 0.7, 0.7, 1])
    np.testing.assert_allclose(p.cdf_left([10, 15, 20, 30, 31]), [0, 0.2, 0.2, 0.7, 1])
    assert p.quantile([0, 0.1, 0.2, 0.3, 0.7, 0.71, 1]).tolist() == [10, 10, 10, 20, 20, 30, 30]
    assert p.crps(20) == pytest.approx(20 / 2 * (0.2**2 + 0.3**2))


def test_quantiles_of_counts_span_the_support_at_levels_0_and_1():
    p = CountPmf([0, 0.5, 0.5, 0])
    assert p.quantile([0, 1]).tolist() == pytest.approx([1 / 3, 2 / 3])


def test_a_level_missed_by_rounding_is_reached():
    missed = 0
    for size in range(2, 60):
        p = CountPmf(np.full(size, 1 / size))
        for k in range(1, size):
            missed += p.cumulative[k - 1] < k / size
            assert p.quantile(k / size) == pytest.approx((k - 1) / (size - 1))
    assert missed  # else this tests nothing


def test_a_log_pmf_of_zero_probability_is_minus_infinity():
    assert CountPmf([0.0, 1.0]).log_pmf(0.0) == -math.inf


def test_a_value_is_moved_to_its_count_within_the_tolerance_only():
    assert grid_count(np.float32(1 / 3), n=123) == 41
    assert grid_count(0.333333, n=3) == 1
    assert grid_count(15.0, n=4, lower=10, upper=20) == 2
    for y in (0.3334, -0.01, 1.01, math.nan, math.inf):
        with pytest.raises(ValueError, match="is no count of 3"):
            grid_count(y, n=3)
    assert grid_tolerance(100) == pytest.approx(1e-4)
    assert grid_tolerance(10**9) == 0.25


def test_a_pmf_within_tolerance_is_renormalised_and_the_callers_array_is_left_alone():
    raw = np.array([0.5, 0.5 + 5e-7])
    p = CountPmf(raw)
    assert p.pmf.sum() == pytest.approx(1, abs=1e-15)
    assert p.cumulative[-1] == 1.0
    assert raw.tolist() == [0.5, 0.5 + 5e-7]
    assert raw.flags.writeable


@pytest.mark.parametrize(
    ("pmf", "message"),
    [
        ([0.5, 0.6], "sums to 1.1"),
        ([1.5, -0.5], r"pmf\[1\] is -0.5"),
        ([math.nan, 1.0], r"pmf\[0\] is nan"),
        (np.array([math.inf, -math.inf]), r"pmf\[0\] is inf"),
        ([1e200, 0.0], r"pmf\[0\] is 1e.200"),
        (np.array([1e308, 1e308, 1e308]), "sums to"),
        ([1.0], "1 entries"),
        ([[0.5, 0.5]], "2 dimensions"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_pmf_that_is_none_is_refused(pmf, message):
    with pytest.raises(InvalidPrediction, match=message):
        CountPmf(pmf)


# On the line


def test_point_mass_is_a_step_and_its_crps_the_absolute_error():
    p = PointMass(3.0)
    assert (p.cdf(2.9), p.cdf(3.0), p.cdf_left(3.0), p.cdf_left(3.1)) == (0, 1, 0, 1)
    assert (p.mean, p.sd, p.quantile(0.2), p.crps(5.5), p.outside) == (3, 0, 3, 2.5, 0)


def test_a_point_beyond_a_bound_is_moved_there_and_counted():
    assert (PointMass(1.2, 0, 1).value, PointMass(1.2, 0, 1).outside) == (1.0, 1.0)
    assert (PointMass(-5, 0, None).value, PointMass(-5, 0, None).outside) == (0.0, 1.0)
    assert PointMass(1 + 1e-12, 0, 1).outside == 0.0  # rounding is no offence


def test_clipped_normal_collects_its_tails_at_the_bounds():
    p = Normal(0.5, 0.5, 0, 1)
    tail = 0.15865525393145707  # Phi(-1)
    assert p.outside == pytest.approx(2 * tail)
    assert p.cdf_left(0.0) == 0
    assert p.cdf(0.0) == pytest.approx(tail)
    assert p.cdf_left(1.0) == pytest.approx(1 - tail)
    assert p.cdf(1.0) == 1
    assert p.quantile([0, 0.1, 0.5, 0.9, 1]).tolist() == [0, 0, 0.5, 1, 1]
    assert p.mean == pytest.approx(0.5)
    assert p.log_density(0.0) == pytest.approx(math.log(tail))
    assert p.log_density(1.0) == pytest.approx(math.log(tail))
    assert p.log_density(0.5) == pytest.approx(-math.log(0.5 * math.sqrt(2 * math.pi)))
    assert p.log_density(-0.1) == -math.inf


def test_standard_normal_crps_at_its_mean_is_the_published_closed_form():
    # s (2 phi(0) - 1/sqrt(pi)), Gneiting & Raftery (2007), section 4.2
    assert Normal(0, 2).crps(0) == pytest.approx(2 * (math.sqrt(2) - 1) / math.sqrt(math.pi))


def test_normal_crps_counts_a_value_beyond_the_bound_by_its_distance():
    p = Normal(0.5, 0.2, 0, 1)
    assert p.crps(1.25) == pytest.approx(p.crps(1.0) + 0.25)


@pytest.mark.parametrize("mean", [-1e150, -1e20, -1e10, 0.3, 1e10, 1e20, 1e150])
@pytest.mark.parametrize("sd", [1e-320, 1e-12, 1.0, 1e5, 1e20, 1e150])
def test_extreme_normals_keep_all_digits_or_at_least_stay_in_range(mean, sd):
    p = Normal(mean, sd, 0, 1)
    assert 0 <= p.mean <= 1
    assert 0 <= p.sd <= 0.5 + 1e-15
    assert 0 <= p.outside <= 1
    assert 0 <= p.crps(0.25) <= 0.75
    assert np.isfinite(p.cdf([0.0, 0.3, 1.0])).all()
    if sd == 1e-12 and mean != 0.3:
        assert p.crps(0.25) == pytest.approx(0.75 if mean > 0 else 0.25, abs=1e-15)
    if sd == 1e150 and abs(mean) < 1e150:  # half at either end: 0.25 * 0.25 + 0.25 * 0.75
        assert p.crps(0.25) == pytest.approx(0.25, abs=1e-12)
        assert p.mean == pytest.approx(0.5, abs=1e-12)
        assert p.sd == pytest.approx(0.5, abs=1e-12)


def test_the_two_ways_to_integrate_a_wide_normal_agree():
    # quadrature is used while the range is below 0.01 sd
    for function in (lambda p: p.crps(0.3), lambda p: p.mean, lambda p: p.sd):
        by_quadrature, in_closed_form = (function(Normal(20, s, 0, 1)) for s in (100.01, 99.99))
        assert by_quadrature == pytest.approx(in_closed_form, abs=2e-5)
        step = by_quadrature - in_closed_form
        slope = function(Normal(20, 100.03, 0, 1)) - by_quadrature  # the same change of sd
        assert step == pytest.approx(slope, abs=1e-8)


def test_beta_1_1_is_the_uniform_distribution():
    p = Beta(1, 1, 10, 30)
    assert p.cdf(15) == pytest.approx(0.25)
    assert p.quantile(0.25) == pytest.approx(15)
    assert p.sd == pytest.approx(20 / math.sqrt(12))
    assert p.log_density(15) == pytest.approx(-math.log(20))
    # uniform on [0, 1]: y^3/3 + (1 - y)^3/3
    assert p.crps(15) == pytest.approx(20 * (0.25**3 + 0.75**3) / 3)


@pytest.mark.parametrize("a", [1e-100, 1e-20, 1e-3, 1.0, 1e6, 1e15, 1e100])
@pytest.mark.parametrize("b", [1e-100, 1e-20, 1e-3, 1.0, 1e6, 1e15, 1e100])
def test_extreme_betas_stay_in_range(a, b):
    p = Beta(a, b)
    assert 0 <= p.mean <= 1
    assert 0 <= p.sd <= 0.5 + 1e-15
    assert all(0 <= p.crps(y) <= 1 for y in (0.0, 0.3, 1.0))


def test_quantiles_fill_up_to_known_bounds():
    p = Quantiles([0.25, 0.75], [0.4, 0.8], 0, 1)
    np.testing.assert_allclose(
        p.cdf([-1, 0, 0.2, 0.4, 0.6, 0.9, 1]), [0, 0, 1 / 8, 1 / 4, 1 / 2, 7 / 8, 1]
    )
    np.testing.assert_allclose(p.quantile([0, 0.125, 0.5, 0.875, 1]), [0, 0.2, 0.6, 0.9, 1])
    assert p.mean == pytest.approx(0.25 * 0.2 + 0.5 * 0.6 + 0.25 * 0.9)
    assert p.log_density(0.6) == pytest.approx(math.log(0.5 / 0.4))
    assert p.log_density(1.1) == -math.inf


def test_quantiles_continue_their_outermost_segment_where_a_bound_is_unknown():
    p = Quantiles([0.1, 0.5, 0.8], [1.0, 5.0, 20.0], lower=None, upper=None)
    assert p.quantile([0, 1]).tolist() == pytest.approx([0.0, 30.0])
    half = Quantiles([0.1, 0.5, 0.8], [1.0, 5.0, 20.0], lower=0.5)
    assert half.quantile([0, 1]).tolist() == pytest.approx([0.5, 30.0])


def test_equal_quantiles_make_an_atom():
    p = Quantiles([0.2, 0.4, 0.6, 0.8], [0.1, 0.5, 0.5, 0.9], 0, 1)
    assert (p.cdf_left(0.5), p.cdf(0.5)) == pytest.approx((0.4, 0.6))
    assert p.quantile([0.4, 0.5, 0.6]).tolist() == [0.5, 0.5, 0.5]
    assert p.log_density(0.5) == math.inf


def test_equal_outermost_quantiles_without_a_bound_end_there():
    p = Quantiles([0.1, 0.2, 0.9], [3.0, 3.0, 4.0])
    assert (p.cdf_left(3.0), p.cdf(3.0)) == pytest.approx((0, 0.2))


def test_quantiles_beyond_a_bound_are_cut_there_not_moved():
    # the line from (-1, .2) to (1, .6) crosses 0 at level .4
    p = Quantiles([0.2, 0.6, 0.8], [-1.0, 1.0, 2.0], lower=0, upper=4)
    assert p.outside == pytest.approx(0.4)
    assert (p.cdf_left(0.0), p.cdf(0.0), p.cdf(0.5)) == pytest.approx((0, 0.4, 0.5))
    mirrored = Quantiles([0.2, 0.4, 0.8], [-2.0, -1.0, 1.0], lower=-4, upper=0)
    assert mirrored.outside == pytest.approx(0.4)
    assert (mirrored.cdf_left(0.0), mirrored.cdf(-0.5)) == pytest.approx((0.6, 0.5))
    assert mirrored.crps(-1.3) == pytest.approx(p.crps(1.3))


def test_quantiles_all_beyond_a_bound_leave_the_last_share_inside():
    p = Quantiles([0.1, 0.9], [-3.0, -1.0], lower=0, upper=1)
    # from (-1, .9) to (1, 1): half of the last tenth is above 0
    assert (p.cdf(0.0), p.outside) == pytest.approx((0.95, 0.95))
    beyond = Quantiles([0.1, 0.9], [-3.0, -2.9], lower=0)  # continued to -2.8875
    assert (beyond.cdf(0.0), beyond.mean, beyond.sd, beyond.outside) == (1, 0, 0, 1)
    assert beyond.crps(0.7) == pytest.approx(0.7)


def test_quantiles_at_the_bound_but_for_rounding_put_nothing_outside():
    assert Quantiles([0.1, 0.5, 0.9], [-1e-12, 0.5, 1 + 1e-12], 0, 1).outside == 0


def test_quantiles_too_large_to_continue_are_refused():
    with pytest.raises(InvalidPrediction, match="too far apart"):
        Quantiles([0.1, 0.9], [-1e150, 1e150])


def test_draws_by_hand():
    p = Draws([3.0, 1.0, 2.0, 2.0])
    assert p.samples.tolist() == [1, 2, 2, 3]
    assert p.quantile([0, 0.25, 0.26, 0.75, 0.76, 1]).tolist() == [1, 1, 2, 2, 3, 3]
    assert (p.cdf_left(2.0), p.cdf(2.0)) == (0.25, 0.75)
    assert (p.mean, p.sd) == pytest.approx((2, math.sqrt(2 / 3)))
    # mean |x - 2| = 2/4; pairs: 1,1,2,0,1,1 -> sum 6, over K(K-1) = 12
    assert p.crps(2.0) == pytest.approx(0.5 - 6 / 12)


def test_draws_beyond_a_bound_are_moved_there_and_counted():
    p = Draws([-0.5, 0.2, 0.3, 1.5, 1 + 1e-12], 0, 1)
    assert p.samples.tolist() == [0, 0.2, 0.3, 1, 1]
    assert p.outside == pytest.approx(2 / 5)


def test_the_bandwidth_is_silvermans_and_at_least_half_a_step():
    p = Draws(np.arange(1, 33) / 32)  # K^(1/5) = 2
    iqr = 16 / 32
    assert p.bandwidth(1e-6) == pytest.approx(0.9 * min(p.sd, iqr / 1.34) / 2)
    assert p.bandwidth(5.0) == 2.5
    spike = Draws([0.5] * 31 + [1.0])
    assert spike.bandwidth(1e-6) == pytest.approx(0.9 * spike.sd / 2)


# Onto the grid


def test_a_point_goes_to_its_nearest_count_and_a_tie_to_the_lower():
    def counts(value):
        return discretise(PointMass(value), 4).pmf.tolist()

    assert counts(0.3) == [0, 1, 0, 0, 0]
    assert counts(0.625) == [0, 0, 1, 0, 0]
    assert counts(-3.0) == [1, 0, 0, 0, 0]
    assert counts(7.0) == [0, 0, 0, 0, 1]


def test_a_discretised_normal_is_the_same_with_and_without_clipping():
    for mean, sd in ((0.5, 0.1), (1.3, 0.4), (-2.0, 0.1)):
        clipped, raw = (discretise(Normal(mean, sd, *b), 20) for b in ((0, 1), ()))
        np.testing.assert_allclose(clipped.pmf, raw.pmf, atol=1e-15)


def test_discretising_keeps_what_was_outside():
    normal = Normal(0.9, 0.1, 0, 1)
    assert discretise(normal, 10).outside == normal.outside
    assert discretise(PointMass(2, 0, 1), 10).outside == 1


def test_a_distribution_on_the_grid_already_is_left_as_it_is():
    p = CountPmf([0.2, 0.8], 0, 10)
    assert discretise(p, 1, 0, 10) is p
    assert discretise(p, 2, 0, 10).pmf.tolist() == pytest.approx([0.2, 0, 0.8])


def test_one_entry_of_smoothed_draws_equals_the_whole():
    rng = np.random.default_rng(1)
    for draws in (rng.binomial(30, 0.9, 200) / 30, rng.normal(0.5, 0.5, 300), [0.5, 0.5]):
        p = Draws(draws, 0, 1)
        whole = discretise(p, 30).pmf
        one_by_one = [p.probability_of_count(c, 30, 0, 1) for c in range(31)]
        np.testing.assert_allclose(one_by_one, whole, atol=1e-14)


def test_smoothing_works_through_large_grids_in_blocks():
    draws = Draws(np.random.default_rng(2).random(1500), 0, 1)
    p = discretise(draws, 2000)
    assert p.pmf.sum() == pytest.approx(1)
    assert p.mean == pytest.approx(draws.mean, abs=0.01)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_a_number_of_trials_that_is_none_is_refused(n):
    with pytest.raises(ValueError, match="number of trials"):
        discretise(PointMass(0.5), n)


def test_bounds_must_be_finite_and_increase():
    for bounds in ((1, 0), (0, 0), (0, math.inf), (math.nan, 1)):
        with pytest.raises(ValueError, match="bound"):
            Normal(0, 1, *bounds)
        with pytest.raises(ValueError, match="bound"):
            discretise(PointMass(0.5), 3, *bounds)
    with pytest.raises(ValueError, match="both bounds"):
        Beta(1, 1, None, 1)


# What a prediction may state


def test_each_part_gives_its_class():
    assert isinstance(from_parts(mean=3), PointMass)
    assert isinstance(from_parts(mean=3, stddev=0), PointMass)
    assert isinstance(from_parts(mean=3, stddev=1), Normal)
    assert isinstance(from_parts(normal=(3, 1)), Normal)
    assert isinstance(from_parts(samples=HUNDRED), Draws)
    assert isinstance(from_parts(quantiles=dict(zip(LEVELS, LEVELS, strict=True))), Quantiles)
    assert isinstance(from_parts(beta=(1, 2), lower=0, upper=1), Beta)


@pytest.mark.parametrize(
    "parts",
    [
        {"mean": 0.4},
        {"mean": 0.4, "stddev": 0.1},
        {"normal": (0.4, 0.1)},
        {"beta": (2, 3)},
        {"quantiles": dict(zip(LEVELS, LEVELS, strict=True))},
        {"pmf": [0.1, 0.2, 0.3, 0.4]},
    ],
)
def test_on_a_binary_metric_everything_but_samples_becomes_a_count_pmf(parts):
    p = from_parts(**parts, lower=0, upper=100, n=3, binary=True)
    assert isinstance(p, CountPmf)
    assert (p.n, p.lower, p.upper) == (3, 0, 100)
    draws = from_parts(samples=HUNDRED, lower=0, upper=100, n=3, binary=True)
    assert isinstance(draws, Draws)


def test_the_distribution_wins_over_a_mean_beside_it():
    p = from_parts(mean=0.1, stddev=0.2, normal=(0.5, 0.01), lower=0, upper=1)
    assert p.mean == pytest.approx(0.5)


def test_quantiles_may_come_in_any_order():
    levels = dict(zip(LEVELS, LEVELS, strict=True))
    backwards = dict(reversed(levels.items()))
    assert from_parts(quantiles=backwards).crps(0.3) == from_parts(quantiles=levels).crps(0.3)


def test_numbers_of_any_library_are_numbers():
    assert from_parts(mean=np.float32(0.5)).mean == 0.5
    assert from_parts(mean=np.array(0.5)).mean == 0.5
    assert from_parts(mean=1).mean == 1.0
    assert from_parts(samples=[1] * 100).mean == 1.0
    assert from_parts(samples=np.ones(100, dtype=bool)).mean == 1.0


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "neither a mean nor a distribution"),
        ({"stddev": 0.1}, "neither a mean nor a distribution"),
        ({"mean": math.nan}, "mean is nan"),
        ({"mean": math.inf}, "mean is inf"),
        ({"mean": -1e200}, "mean is -1e.200, beyond 1e.150"),
        ({"samples": [0.1] * 100 + [1e200]}, r"samples\[100\] is 1e.200, beyond"),
        ({"mean": "0.5"}, "mean is '0.5', not a number"),
        ({"mean": [0.5]}, "not a number"),
        ({"mean": np.array([0.5])}, "not a number"),
        ({"mean": 10**400}, "not a number"),
        ({"mean": 1 + 2j}, "not a number"),
        ({"mean": 0.5, "stddev": -0.1}, "stddev is -0.1"),
        ({"mean": 0.5, "stddev": math.nan}, "stddev is nan"),
        ({"mean": math.nan, "normal": (0.5, 0.1)}, "mean is nan"),
        ({"normal": (0.5, 0.1), "samples": HUNDRED}, "samples and normal were given"),
        ({"normal": (0.5, 0.0)}, "sd is 0.0"),
        ({"normal": (0.5,)}, r"1 numbers instead of \(mean, sd\)"),
        ({"normal": (0.5, math.nan)}, r"normal\[1\] is nan"),
        ({"normal": 0.5}, "0 dimensions"),
        ({"beta": (0, 1)}, "a is 0.0, it must be positive"),
        ({"beta": (1, -2)}, "b is -2.0, it must be positive"),
        ({"beta": (1, 1, 1)}, "3 numbers instead of"),
        ({"samples": HUNDRED[:99]}, "99 draws, at least 100"),
        ({"samples": [*HUNDRED, math.nan]}, r"samples\[100\] is nan"),
        ({"samples": np.ones((100, 2))}, "2 dimensions"),
        ({"samples": ["0.1"] * 100}, "no array of numbers"),
        ({"samples": [0.1] * 100 + [None]}, r"samples\[100\] is nan"),
        ({"samples": [0.1] * 100 + [{}]}, "no array of numbers"),
        ({"samples": [0.1] * 100 + ["x"]}, "no array of numbers"),
        ({"beta": (1e120, 1)}, "beyond what can be computed"),
        ({"samples": [[0.1], [0.1, 0.2]]}, "no array of numbers"),
        ({"samples": np.ones(100, dtype=complex)}, "no array of numbers"),
        ({"samples": (x for x in HUNDRED)}, "no array of numbers"),
        ({"quantiles": {0.5: 1}}, "1 levels, at least 5"),
        ({"quantiles": [0.1, 0.2]}, "not a mapping"),
        ({"quantiles": dict(zip([5, 25, 50, 75, 95], LEVELS, strict=True))}, "level 5.0 is not"),
        ({"quantiles": dict(zip([0.0, 0.25, 0.5, 0.75, 0.9], LEVELS, strict=True))}, "level 0.0"),
        ({"quantiles": {**dict(zip(LEVELS, LEVELS, strict=True)), 0.8: 0.2}}, "falls from 0.7"),
        ({"quantiles": {**dict(zip(LEVELS, LEVELS, strict=True)), "0.8": 0.2}}, "not a number"),
        ({"quantiles": {**dict(zip(LEVELS, LEVELS, strict=True)), 0.8: math.nan}}, "level 0.8 is"),
        ({"pmf": [0.5, 0.5]}, "no count of n"),
    ],
)
def test_a_wrong_prediction_is_refused_and_the_message_says_why(parts, message):
    with pytest.raises(InvalidPrediction, match=message):
        from_parts(**parts, lower=0, upper=1)


def test_levels_that_are_the_same_number_are_refused():
    with pytest.raises(InvalidPrediction, match="must increase"):
        Quantiles([0.1, 0.1, 0.5], [1, 2, 3])
    with pytest.raises(InvalidPrediction, match="2 levels and 3 values"):
        Quantiles([0.1, 0.5], [1, 2, 3])


def test_a_pmf_of_another_length_is_refused():
    with pytest.raises(InvalidPrediction, match=r"2 entries; counts 0\.\.2 need 3"):
        from_parts(pmf=[0.5, 0.5], n=2, binary=True, lower=0, upper=1)


def test_a_beta_needs_known_bounds():
    with pytest.raises(InvalidPrediction, match="bounds are not both known"):
        from_parts(beta=(1, 1), lower=0)


def test_a_binary_metric_without_n_is_the_callers_fault_not_the_predictions():
    for missing in ({"n": None}, {"lower": None}, {"upper": None}):
        described = {"n": 3, "lower": 0, "upper": 1} | missing
        with pytest.raises(ValueError, match="needs n and both bounds") as caught:
            from_parts(mean=0.5, binary=True, **described)
        assert not isinstance(caught.value, InvalidPrediction)


def test_a_point_outside_is_at_the_bound_on_the_count_grid_too():
    p = from_parts(mean=1.4, lower=0, upper=1, n=4, binary=True)
    assert (p.mean, p.outside) == (1.0, 1.0)
