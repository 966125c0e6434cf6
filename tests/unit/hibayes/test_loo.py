"""PSIS-LOO and WAIC of runs, against exact leave-one-out and hand computations."""

import importlib.util
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import stats

import hibayes
from hibayes import arviz_bridge
from hibayes.loo import good_k, loo_by_run, waic
from suites.errors import NotInstalled, UsageError

needs_arviz = pytest.mark.skipif(
    importlib.util.find_spec("arviz") is None,
    reason="needs ArviZ: pip install 'benchcast[bayes]'",
)


class NormalMean:
    """y ~ N(mu, sd) with mu ~ N(0, 2): posterior draws, and leave-one-out in closed form."""

    def __init__(self, y, *, sd=1.0, prior_sd=2.0):
        self.y, self.sd, self.prior_sd = np.asarray(y), sd, prior_sd
        self.runs = [f"scenario:model={i}" for i in range(len(self.y))]

    def posterior(self, y):
        precision = 1 / self.prior_sd**2 + len(y) / self.sd**2
        return y.sum() / self.sd**2 / precision, precision**-0.5

    def log_likelihood(self, z):
        """Shape of z (standard normal draws) and then the runs."""
        mean, sd = self.posterior(self.y)
        return stats.norm.logpdf(self.y, (mean + sd * z)[..., None], self.sd)

    def exact(self):
        out = []
        for i, value in enumerate(self.y):
            mean, sd = self.posterior(np.delete(self.y, i))
            out.append(stats.norm.logpdf(value, mean, np.hypot(sd, self.sd)))
        return np.array(out)


def autoregressive(rng, n_chains, n_draws, rho):
    """Standard normal draws, each correlated by rho with the one before."""
    z = rng.normal(size=(n_chains, n_draws))
    for s in range(1, n_draws):
        z[:, s] = rho * z[:, s - 1] + (1 - rho**2) ** 0.5 * z[:, s]
    return z


# WAIC


def test_waic_equals_the_hand_computation():
    # run 0: p = .2 and .4 in turn: lppd = log .3. The logs lie log(2)/2 either side of their mean,
    # so their sample variance is 200 (log(2)/2)² / 199. Run 1 is .5 in all draws.
    draws = np.log([[0.2, 0.5], [0.4, 0.5]] * 100)
    variance = 200 * (np.log(2) / 2) ** 2 / 199
    np.testing.assert_allclose(waic(draws), [np.log(0.3) - variance, np.log(0.5)], rtol=1e-13)


def test_waic_does_not_depend_on_how_draws_are_split_into_chains():
    draws = np.random.default_rng(1).normal(size=(200, 3))
    np.testing.assert_allclose(waic(draws.reshape(4, 50, 3)), waic(draws), rtol=1e-14)


def test_waic_survives_likelihoods_below_the_least_float():
    draws = np.log([[0.2], [0.4]] * 100)
    # exp(-1e6) is 0; shifting all draws shifts WAIC as much
    np.testing.assert_allclose(waic(draws - 1e6) + 1e6, waic(draws), atol=1e-9)


def test_waic_takes_single_precision_and_counts_in_double():
    draws = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32)
    np.testing.assert_array_equal(waic(draws), waic(draws.astype(np.float64)))


def test_waic_of_a_normal_mean_equals_its_integral():
    # Under mu ~ N(m, v), log p(y | mu) = c - (y - mu)²/2, whose variance is v (y - m)² + v²/2, and
    # the mean likelihood is N(y; m, 1 + v).
    model = NormalMean(np.random.default_rng(2).normal(size=30))
    draws = model.log_likelihood(np.random.default_rng(3).normal(size=200_000))
    m, s = model.posterior(model.y)
    v = s**2
    expected = stats.norm.logpdf(model.y, m, (1 + v) ** 0.5) - v * (model.y - m) ** 2 - v**2 / 2
    # 200 000 draws: the standard error of a mean of log-likelihoods is .4 / 447
    np.testing.assert_allclose(waic(draws), expected, atol=0.004)


@needs_arviz
def test_waic_equals_that_of_arviz_but_for_the_divisor():
    az = arviz_bridge.package.arviz()
    if not hasattr(az, "waic"):
        pytest.skip("ArviZ 1.x has no WAIC to compare with")
    model = NormalMean(np.random.default_rng(2).normal(size=30))
    draws = model.log_likelihood(np.random.default_rng(3).normal(size=(4, 500)))
    found = az.waic(az.from_dict(log_likelihood={"y": draws}), pointwise=True, scale="log")
    # ArviZ divides the sum of squares by S, the definition by S - 1
    variance = draws.reshape(-1, 30).var(axis=0)
    expected = np.asarray(found.waic_i) + variance - variance * 2000 / 1999
    np.testing.assert_allclose(waic(draws), expected, rtol=1e-10)


# what is refused


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_log_likelihood_that_is_not_finite_is_refused_with_the_run(value):
    draws = np.zeros((2, 100, 3))
    draws[1, 4:6, 2] = value
    with pytest.raises(UsageError, match=r"finite.* in 2 of 200 draws of 'c'\."):
        loo_by_run(draws, ["a", "b", "c"])
    with pytest.raises(UsageError, match="column 2"):
        waic(draws)


def test_of_many_runs_that_are_refused_the_first_are_named():
    draws = np.full((100, 7), np.nan)
    with pytest.raises(UsageError, match=r"up to 100 of 100 draws of 'a', .*'e' and 2 more"):
        loo_by_run(draws, list("abcdefg"))


def test_a_run_named_twice_is_refused():
    with pytest.raises(UsageError, match=r"'a' more than once.*joint log probability"):
        loo_by_run(np.zeros((100, 3)), ["a", "b", "a"])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((100,), "must have the shape"),
        ((2, 2, 100, 3), "must have the shape"),
        ((3, 100), "does not end in the 3 runs"),
        ((99, 3), "has 99 draws; at least 100"),
        ((4, 20, 3), "has 80 draws; at least 100"),
    ],
)
def test_another_shape_is_refused(shape, message):
    with pytest.raises(UsageError, match=message):
        loo_by_run(np.zeros(shape), ["a", "b", "c"])


def test_what_is_not_a_number_is_refused():
    with pytest.raises(UsageError, match="array of numbers"):
        waic([["a"]] * 100)


def test_no_runs_give_a_table_without_rows():
    table = loo_by_run(np.empty((4, 100, 0)), [])
    assert list(table.columns) == ["run", "elpd_loo", "elpd_waic", "pareto_k", "method"]
    assert len(table) == 0


def test_without_arviz_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)  # as if it were not installed
    with pytest.raises(NotInstalled, match=r"pip install 'benchcast\[bayes\]'") as caught:
        loo_by_run(np.zeros((100, 1)), ["a"])
    assert isinstance(caught.value.__cause__, ImportError)


# the threshold and the package


def test_good_k_equals_the_published_rule():
    # min(1 - 1 / log10(S), .7): log10 of 100 is 2, and of 10^(10/3) = 2154.4 it is 10/3
    assert good_k(100) == pytest.approx(0.5)
    assert good_k(1000) == pytest.approx(2 / 3)
    assert good_k(2154) < 0.7
    assert good_k(2155) == good_k(100_000) == 0.7


def test_the_package_imports_nothing_heavy():
    heavy = ["arviz", "jax", "numpyro", "matplotlib", "xarray", "sklearn"]
    code = (
        "import sys, hibayes; assert 'numpy' not in sys.modules; hibayes.loo_by_run; "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_exports_what_it_lists():
    assert hibayes.loo_by_run is loo_by_run
    assert dir(hibayes) == hibayes.__all__
    with pytest.raises(AttributeError, match="no attribute 'waci'"):
        _ = hibayes.waci


# PSIS


@needs_arviz
@pytest.mark.parametrize("shape", [(4000,), (4, 1000)])
def test_psis_equals_exact_leave_one_out_of_a_normal_mean(shape):
    model = NormalMean(np.random.default_rng(4).normal(0.5, 1.0, size=30))
    z = np.random.default_rng(5).normal(size=shape)
    table = loo_by_run(model.log_likelihood(z), model.runs)
    assert list(table.columns) == ["run", "elpd_loo", "elpd_waic", "pareto_k", "method"]
    assert table["run"].tolist() == model.runs
    assert set(table["method"]) == {"psis"}
    # 4000 draws of log-likelihoods with standard deviations up to .5: standard errors up to .008
    np.testing.assert_allclose(table["elpd_loo"], model.exact(), atol=0.02)
    assert table["elpd_loo"].sum() == pytest.approx(model.exact().sum(), abs=0.1)


@needs_arviz
def test_psis_of_chains_that_repeat_themselves_still_equals_exact_leave_one_out():
    model = NormalMean(np.random.default_rng(4).normal(0.5, 1.0, size=30))
    z = autoregressive(np.random.default_rng(6), 4, 4000, 0.8)
    table = loo_by_run(model.log_likelihood(z), model.runs)
    # 16 000 draws, effectively 1800 (a ninth): standard errors up to .5 / 42
    np.testing.assert_allclose(table["elpd_loo"], model.exact(), atol=0.03)
    # a longer tail is smoothed than when the same draws count as independent
    flat = loo_by_run(model.log_likelihood(z.ravel()), model.runs)
    assert (table["pareto_k"] != flat["pareto_k"]).all()
    np.testing.assert_allclose(table["elpd_loo"], flat["elpd_loo"], atol=0.005)


@needs_arviz
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_relative_efficiency_equals_that_of_an_autoregressive_chain(rho):
    # a small posterior sd makes the likelihood linear in mu: (1 - rho) / (1 + rho)
    z = autoregressive(np.random.default_rng(7), 4, 5000, rho)
    draws = stats.norm.logpdf(np.array([1.0, 2.0]), 0.01 * z[..., None])
    found = arviz_bridge.relative_efficiency(draws)
    # 20 000 draws
    assert found == pytest.approx((1 - rho) / (1 + rho), rel=0.15)


@needs_arviz
def test_relative_efficiency_is_one_where_it_cannot_be_estimated():
    assert arviz_bridge.relative_efficiency(np.zeros((1, 100, 3))) == 1.0
    assert arviz_bridge.relative_efficiency(np.zeros((4, 100, 3))) == 1.0
    assert arviz_bridge.relative_efficiency(np.random.default_rng(0).normal(size=(50, 2, 3))) == 1.0


@needs_arviz
def test_an_outlier_raises_pareto_k_and_is_flagged():
    y = np.random.default_rng(8).normal(size=10)
    calm = NormalMean(y)
    upset = NormalMean(np.append(y[:-1], 15.0))
    z = np.random.default_rng(9).normal(size=4000)
    before = loo_by_run(calm.log_likelihood(z), calm.runs)
    after = loo_by_run(upset.log_likelihood(z), upset.runs)
    assert set(before["method"]) == {"psis"}
    assert after["method"].tolist() == ["psis"] * 9 + ["psis: unreliable"]
    assert after["pareto_k"].iloc[-1] > 0.7 > before["pareto_k"].iloc[-1]
    # and is rightly flagged: the estimate misses the exact value by nats, where the others' is near
    error = after["elpd_loo"] - upset.exact()
    assert error.iloc[-1] > 1
    np.testing.assert_allclose(error.iloc[:-1], 0.0, atol=0.05)


@needs_arviz
def test_the_same_pareto_k_is_flagged_when_draws_are_few():
    model = NormalMean(np.append(np.random.default_rng(8).normal(size=9), 3.75))
    draws = model.log_likelihood(np.random.default_rng(9).normal(size=200))
    table = loo_by_run(draws, model.runs)
    k = table["pareto_k"]
    expected = ["psis" if value <= good_k(200) else "psis: unreliable" for value in k]
    assert table["method"].tolist() == expected
    assert ((k > good_k(200)) & (k < 0.7)).any()


@needs_arviz
def test_waic_and_psis_agree_in_the_easy_case():
    model = NormalMean(np.random.default_rng(10).normal(size=300))
    draws = model.log_likelihood(np.random.default_rng(11).normal(size=(4, 1000)))
    table = loo_by_run(draws, model.runs)
    # they differ by terms of order 1 / 300² times the fourth power of a residual
    np.testing.assert_allclose(table["elpd_loo"], table["elpd_waic"], atol=0.002)


@needs_arviz
def test_a_run_that_no_parameter_touches_has_no_tail_and_is_flagged():
    draws = np.random.default_rng(12).normal(-2, 0.1, size=(4, 250, 2))
    draws[..., 1] = -0.5
    table = loo_by_run(draws, ["a", "b"])
    assert table["method"].tolist() == ["psis", "psis: unreliable"]
    assert np.isinf(table["pareto_k"].iloc[1])
    assert table["elpd_loo"].iloc[1] == pytest.approx(-0.5)
    assert table["elpd_waic"].iloc[1] == pytest.approx(-0.5)


@needs_arviz
def test_draws_that_repeat_a_least_likelihood_have_no_tail_and_their_weights_stay():
    # half of the draws share the largest weight: 1 / mean(1 / p) = 1 / (.5 / .1 + .5 / .4)
    draws = np.log([[0.1], [0.4]] * 100)
    table = loo_by_run(draws, ["a"])
    assert table["elpd_loo"].iloc[0] == pytest.approx(-np.log(0.5 / 0.1 + 0.5 / 0.4))
    assert table["pareto_k"].iloc[0] == np.inf
    assert table["method"].tolist() == ["psis: unreliable"]


@needs_arviz
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 30.0, 1e4, 1e8])
@pytest.mark.parametrize("shape", [(100, 6), (1, 150, 6), (50, 2, 6), (4, 300, 6)])
def test_any_finite_draws_give_finite_values_and_a_verdict(scale, shape):
    rng = np.random.default_rng(14)
    draws = scale * rng.standard_t(2, size=shape)
    draws[..., 1] = np.round(draws[..., 1] / scale, 1) * scale  # ties
    draws[..., 2] = np.minimum(draws[..., 2], 0)  # half of the weights the least
    draws[..., 3] = np.maximum(draws[..., 3], -scale)  # many the largest
    draws[..., 4] = 0.0
    table = loo_by_run(draws, list("abcdef"))
    assert np.isfinite(table[["elpd_loo", "elpd_waic"]].to_numpy()).all()
    assert not table["pareto_k"].isna().any()
    # a leave-one-out density is between the least and the largest of the draws
    flat = draws.reshape(-1, 6)
    slack = 1e-9 * (1 + np.abs(flat).max(axis=0))
    assert (table["elpd_loo"] >= flat.min(axis=0) - slack).all()
    assert (table["elpd_loo"] <= flat.max(axis=0) + slack).all()


@needs_arviz
def test_far_tails_single_runs_and_single_precision_give_finite_values():
    draws = np.random.default_rng(13).normal(-1e4, 3e3, size=(4, 100, 1)).astype(np.float32)
    table = loo_by_run(draws, ["a"])
    assert np.isfinite(table[["elpd_loo", "elpd_waic"]].to_numpy()).all()
    assert table["method"].tolist() == ["psis: unreliable"]


@needs_arviz
@pytest.mark.parametrize("span", [50, 500, 4500, 4723, 4800, 5000])
def test_weights_near_the_least_float_are_flagged_without_warnings(span):
    # 200 draws have a tail of 40, whose first quartile is the 31st; exp(-4723 · 30 / 199) = 1e-309
    table = loo_by_run(np.linspace(0, span, 200)[:, None], ["a"])
    assert table["method"].tolist() == ["psis: unreliable"]
    assert table["pareto_k"].iloc[0] > 1
    assert 0 <= table["elpd_loo"].iloc[0] <= span


@needs_arviz
def test_psis_does_not_depend_on_the_order_or_the_company_of_runs():
    model = NormalMean(np.random.default_rng(4).normal(size=8))
    draws = model.log_likelihood(np.random.default_rng(5).normal(size=500))
    table = loo_by_run(draws, model.runs).set_index("run")
    some = [5, 0, 3]
    again = loo_by_run(draws[:, some], [model.runs[i] for i in some]).set_index("run")
    for column in ("elpd_loo", "elpd_waic", "pareto_k"):
        np.testing.assert_allclose(again[column], table.loc[again.index, column], rtol=1e-12)


# importing ArviZ

CODE = """
import numpy as np
from hibayes import loo_by_run
loo_by_run(np.random.default_rng(0).normal(size=(200, 2)), ["a", "b"])
"""


def run_with_cache(folder, tmp_path):
    # matplotlib's own cache, which it would fill anew, is kept where it can be written
    environ = os.environ | {"XDG_CACHE_HOME": str(folder), "MPLCONFIGDIR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", CODE],
        capture_output=True,
        text=True,
        env=environ,
    )


@needs_arviz
def test_the_announcement_of_arviz_is_not_passed_on(tmp_path):
    done = run_with_cache(tmp_path / "new", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "refactor" not in done.stderr


@needs_arviz
def test_a_cache_folder_that_cannot_be_written_does_not_matter(tmp_path):
    (tmp_path / "file").write_text("")
    done = run_with_cache(tmp_path / "file" / "cache", tmp_path)
    assert done.returncode == 0, done.stderr


@needs_arviz
def test_only_the_announcement_is_silenced(monkeypatch):
    def warn(name):
        warnings.warn("something else", FutureWarning, stacklevel=2)

    monkeypatch.setattr(arviz_bridge.package.importlib, "import_module", warn)
    with pytest.warns(FutureWarning, match="something else"):
        arviz_bridge.package.arviz()
