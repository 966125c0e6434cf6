"""The factorisation: that its sampler is right, what metadata do, and what it gives back."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import harness
from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.testing import PredictorContract
from predictors.common.grid import read_runs
from predictors.common.mixtures import Link, MixtureOfDraws
from predictors.factorisation import Factorisation
from predictors.factorisation.metadata_kernels import TraitKernels, column_traits, model_traits
from predictors.factorisation.predictor import _Fold
from predictors.factorisation.sampler import Chain
from predictors.factorisation.table import Table
from predictors.factorisation.widths import calibrated, hidden_rows
from suites.errors import UsageError

REPLICATES, SWEEPS = 1500, 4


def correlated(size, seed):
    x = np.random.default_rng(seed).normal(size=(size, 3))
    x /= np.linalg.norm(x, axis=1)[:, None]
    return (x @ x.T) ** 2


@cache
def after_sweeps():
    """Draw everything and a table from the prior, then sweep: the prior must come out again."""
    rng = np.random.default_rng(5)
    size, width = 5, 4
    times = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    chain = Chain(
        np.zeros((size, width)), [correlated(size, 0)], [correlated(width, 1)], times, 1, rng
    )
    holes = np.zeros((size, width), bool)
    holes[[0, 0, 2, 4], [0, 1, 3, 2]] = True
    found = {}
    for _ in range(REPLICATES):
        chain.draw_prior()
        table = np.where(chain.there > 0, chain.w, np.nan)
        chain.observe(np.where(holes, np.nan, table))
        for _ in range(SWEEPS):
            chain.sweep()
        noise = (chain.w - chain.fitted()) * np.sqrt(chain.lam * chain.tau)
        values = {
            "trend": chain.trend,
            "weight of a row kernel": chain.rows.weights[1],
            "weight of a column kernel": chain.columns.weights[1],
            "scale of a": 1 / chain.scale_a,
            "scale of c": 1 / chain.scale_c,
            "scale of L": 1 / chain.scale_l,
            "scale of V": 1 / chain.scale_v[0],
            "tau": chain.tau[0],
            "lambda": chain.lam[1, 1],
            "a": chain.rows.quadratic(chain.a - chain.trend * times) / chain.scale_a,
            "L": chain.columns.quadratic(chain.load - 1) / chain.scale_l,
            "V": chain.columns.quadratic(chain.v[0]) / chain.scale_v[0],
            "U": chain.rows.quadratic(chain.u[0]),
            "c": chain.c[0] / np.sqrt(chain.scale_c),
            "noise": noise[1, 1],
            "level": np.sum(noise[~holes]) / np.sqrt(np.sum(~holes)),
        }
        for name, value in values.items():
            found.setdefault(name, []).append(float(value))
    return found


PRIOR = {
    "trend": stats.norm(),
    "weight of a row kernel": stats.beta(0.5, 0.5),
    "weight of a column kernel": stats.beta(0.5, 0.5),
    "scale of a": stats.gamma(1.0, scale=1 / 0.5),
    "scale of c": stats.gamma(1.0, scale=1 / 0.02),
    "scale of L": stats.gamma(2.0, scale=1 / 0.1),
    "scale of V": stats.gamma(1.0, scale=1 / 0.05),
    "tau": stats.gamma(3.0, scale=1 / 0.24),
    "lambda": stats.gamma(2.0, scale=0.5),
    "a": stats.chi2(5),
    "L": stats.chi2(4),
    "V": stats.chi2(4),
    "U": stats.chi2(5),
    "c": stats.norm(),
    "noise": stats.norm(),
    "level": stats.norm(),
}


@pytest.mark.parametrize("name", PRIOR)
def test_sweeps_leave_the_joint_distribution_of_parameters_and_table_as_it_is(name):
    assert stats.kstest(after_sweeps()[name], PRIOR[name].cdf).pvalue > 1e-3


def test_steps_of_the_weights_leave_their_joint_distribution_with_draws_as_it_is():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(400):
        chain = Chain(np.zeros((4, 4)), [correlated(4, 0)], [], np.zeros(4), 1, rng)
        chain.draw_prior()
        x = np.stack([chain.rows.normal(1.0, rng) for _ in range(8)])
        for _ in range(60):
            chain.rows.step(x, rng)
        found.append((chain.rows.weights[1], chain.rows.gamma.sum(), chain.rows.quadratic(x)))
    weight, total, squares = np.array(found).T
    assert stats.kstest(weight, stats.beta(0.5, 0.5).cdf).pvalue > 1e-3
    assert stats.kstest(total, stats.gamma(1.0).cdf).pvalue > 1e-3
    assert stats.kstest(squares, stats.chi2(32).cdf).pvalue > 1e-3


def test_a_model_without_kernels_is_drawn_as_one_with_the_identity_alone():
    w = np.random.default_rng(0).normal(size=(6, 5))
    means = []
    for kernels in ([], [np.eye(6)]):
        chain = Chain(w, kernels, [], np.zeros(6), 1, np.random.default_rng(1))
        means.append(chain.run(600, 100, 1).location(np.arange(6), np.arange(6) % 5).mean(axis=0))
    assert np.abs(means[0] - means[1]).max() < 0.25


# ---------- the table


def factors(models=16, scenarios=12, *, seed=0, share=0.6, dated=False):
    """Make a table of one strength per model, with holes; names tell of nothing."""
    rng = np.random.default_rng(seed)
    ability, date = rng.normal(size=models), np.arange(models)
    if dated:
        ability = 1.5 * (date / models - 0.5) * 3 + 0.2 * ability
    logit = ability[:, None] + rng.normal(size=scenarios) + 0.1 * rng.normal(size=(models, 1))
    value = 100 / (1 + np.exp(-logit))
    rows = [
        {
            "run": f"m{i}-s{j}",
            "model": f"m{i}",
            "scenario": f"s{j}",
            "value": value[i, j],
            "lower": 0.0,
            "upper": 100.0,
        }
        for i in range(models)
        for j in range(scenarios)
    ]
    frame = pd.DataFrame(rows)
    kept = rng.random(len(frame)) < share
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(40 * date, unit="D")
    about = pd.DataFrame({"model": [f"m{i}" for i in range(models)], "date": days})
    return frame, kept, about


def splits(frame, kept, about=None):
    targets = frame[~kept].rename(columns={"run": "target"}).drop(columns="value")
    test = SequesteredTestSplit(targets=targets.reset_index(drop=True), k=0, models=about)
    return TrainSplit(runs=frame[kept], models=about), test


def medians(predictions):
    return {p.target: p.quantiles[0.5] for p in predictions}


def test_it_fills_holes_nearer_than_the_columns_means():
    frame, kept, _ = factors()
    train, test = splits(frame, kept)
    truth = frame.set_index("run")["value"]
    found = pd.Series(medians(Factorisation(sweeps=100).predict(train, test)))
    mean = frame[kept].groupby("scenario")["value"].mean()
    other = frame.set_index("run")["scenario"].map(mean)
    error = (found - truth[found.index]).abs().mean()
    assert error < 0.35 * (other - truth)[found.index].abs().mean()


def test_a_model_of_which_nothing_but_its_date_is_known_follows_the_trend():
    frame, _, about = factors(dated=True)
    kept = ~frame["model"].isin(["m14", "m15"]).to_numpy()
    truth = frame.set_index("run")["value"]
    off = {}
    for name, table in (("dates", about), ("none", None)):
        train, test = splits(frame, kept, table)
        found = pd.Series(medians(Factorisation(sweeps=100).predict(train, test)))
        off[name] = (found - truth[found.index]).abs().mean()
    assert off["dates"] < 0.6 * off["none"]


def test_metadata_are_not_used_where_they_are_not_wanted():
    frame, kept, about = factors(dated=True)
    answers = [
        medians(Factorisation(sweeps=20, kernels=False).predict(*splits(frame, kept, table)))
        for table in (about, None)
    ]
    assert answers[0] == answers[1]


def test_a_new_seed_gives_other_numbers_that_are_near():
    frame, kept, _ = factors()
    answers = []
    for seed in (1, 1, 2):
        predictor = Factorisation(sweeps=200)
        predictor.random_state = seed
        answers.append(pd.Series(medians(predictor.predict(*splits(frame, kept)))))
    assert (answers[0] == answers[1]).all()
    assert 0 < (answers[0] - answers[2]).abs().max() < 8


def test_it_applies_to_tables_without_responses(tmp_path):
    frame, kept, _ = factors(models=8, scenarios=6, share=0.8)
    file = tmp_path / "scores.csv"
    frame[kept][["model", "scenario", "value"]].to_csv(file, index=False)
    results = harness.evaluate(
        str(file), Factorisation, task="sparse-matrix", k=0, folds=2, isolation="none"
    )
    mine = results.status[results.status["predictor"] == "factorisation"]
    assert len(mine)
    assert set(mine["status"]) == {"ok"}


def test_joint_draws_rise_and_fall_with_the_model():
    frame, _, _ = factors()
    kept = ~frame["model"].isin(["m3", "m4"]).to_numpy()
    draws = {
        p.target: p.samples
        for p in Factorisation(sweeps=150, joint=True).predict(*splits(frame, kept))
    }
    assert len(draws) == 24
    assert all(len(d) >= 100 and d.min() >= 0 and d.max() <= 100 for d in draws.values())
    same = np.corrcoef(draws["m3-s1"], draws["m3-s2"])[0, 1]
    other = np.corrcoef(draws["m3-s1"], draws["m4-s2"])[0, 1]
    assert same > 0.6
    assert abs(other) < 0.4


def test_unbounded_columns_are_factorised_with_the_others():
    frame, kept, _ = factors()
    elo = frame["scenario"] == "s5"
    share = frame.loc[elo, "value"] / 100
    frame.loc[elo, "value"] = 1000 + 100 * np.log(share / (1 - share))
    frame.loc[elo, ["lower", "upper"]] = np.nan
    predictions = Factorisation(sweeps=100).predict(*splits(frame, kept))
    found = pd.Series(medians(predictions))
    asked = [target for target in found.index if target.endswith("-s5")]
    truth = frame.set_index("run").loc[asked, "value"]
    assert (found[asked] - truth).abs().mean() < 0.4 * (truth - truth.mean()).abs().mean()


def test_a_new_column_is_predicted_by_the_models_strength():
    frame, _, _ = factors()
    kept = (frame["scenario"] != "s5").to_numpy()
    found = pd.Series(medians(Factorisation(sweeps=100).predict(*splits(frame, kept))))
    truth = frame.set_index("run").loc[found.index, "value"]
    assert stats.spearmanr(found, truth).statistic > 0.9


def test_standardised_columns_borrow_their_spread():
    frame, kept, _ = factors()
    table = Table.of(read_runs(TrainSplit(runs=frame[kept])))
    w = table.w
    own = np.nanstd(w, axis=0, ddof=1)
    assert np.allclose(np.nanmean(w, axis=0), 0)
    assert table.large_enough
    # own spread over the shrunken one: nearer to 1 than without borrowing, on both sides
    raw = np.nanstd(table.z, axis=0, ddof=1)
    assert ((table.spread > raw) == (own < 1)).all()
    assert table.spread.std() < raw.std()


@pytest.mark.parametrize("factor", [1.0, 1.4])
def test_the_widths_are_calibrated_by_values_that_were_hidden(factor):
    rng = np.random.default_rng(0)
    truth = factor * rng.standard_t(4, 3000)
    one = MixtureOfDraws(Link(None), np.zeros(3), np.ones(3), 4.0)
    assert calibrated([one] * 3000, truth) == pytest.approx(factor, abs=0.06)
    assert calibrated([one] * 2, truth[:2]) == pytest.approx(1.15, abs=0.06)


def test_well_known_models_are_made_as_little_known_as_the_others_are():
    there = np.ones((20, 30), bool)
    there[:3, 4:] = False  # three models with 4 values
    date = np.where(np.arange(20) < 15, np.arange(20.0), np.nan)
    least = np.full(30, 1)
    left = there & ~hidden_rows(there, least, date, np.random.default_rng(0))
    assert np.flatnonzero(left.sum(axis=1) == 4).tolist() == [0, 1, 2, 12, 13, 14]
    assert not hidden_rows(there[3:], least, date[3:], np.random.default_rng(0)).any()
    least[5] = 20
    assert left[:, 5].sum() < 17
    kept = there & ~hidden_rows(there, least, date, np.random.default_rng(0))
    assert kept[:, 5].sum() == 17


def test_little_known_models_are_never_narrower_than_the_others():
    frame, kept, about = factors(models=24, share=0.9, dated=True)
    few = (frame["model"] == "m5").to_numpy()
    kept &= ~few | (np.cumsum(few) <= 1)
    train, _ = splits(frame, kept, about)
    fold = _Fold.of(Factorisation(sweeps=20), train)
    factor = fold.chains.factor
    row = fold.table.model["m5"]
    assert factor[row] >= factor.min()
    assert np.unique(np.delete(factor, row)).size == 1


@pytest.mark.parametrize("jump", [0.0, 3.0])
def test_new_models_are_less_sure_where_the_latest_were_unlike_all_before(jump):
    frame, kept, about = factors(models=24, share=0.9, dated=True)
    late = frame["model"].isin(frame["model"].drop_duplicates().iloc[-6:])
    sign = np.where(frame["model"].str[1:].astype(int) % 2, 1.0, -1.0)
    logit = np.log(frame["value"] / (100.0 - frame["value"])) + jump * late * sign
    train, _ = splits(frame.assign(value=100.0 / (1.0 + np.exp(-logit))), kept, about)
    fit = _Fold.of(Factorisation(sweeps=60), train).chains
    assert fit._of_new >= max(fit.factor.max(), 1.15)
    assert (fit._of_new > 1.3) == (jump > 0)


# ---------- mixtures


def test_quantiles_and_counts_of_a_mixture_are_those_of_its_draws():
    rng = np.random.default_rng(1)
    location, scale = rng.normal(0.3, 0.5, 200), np.full(200, 0.4)
    mixture = MixtureOfDraws(Link(0.0), location, scale, 4.0)
    z = (location[:, None] + scale[:, None] * rng.standard_t(4, (200, 2000))).ravel()
    levels = np.array([0.01, 0.1, 0.5, 0.9, 0.99])
    assert np.abs(mixture.quantiles(levels) - np.quantile(z, levels)).max() < 0.03
    pmf = np.exp(mixture.log_pmf(10))
    counts = np.bincount(np.rint(10 / (1 + np.exp(-z))).astype(int), minlength=11)
    assert np.abs(pmf - counts / len(z)).max() < 0.005


def test_stretching_keeps_the_median_and_widens_everything_else():
    mixture = MixtureOfDraws(Link(None), np.array([0.0, 1.0, 4.0]), np.ones(3), np.inf)
    wide = mixture.stretched(2.0)
    assert wide.quantiles([0.5])[0] == pytest.approx(2 * mixture.quantiles([0.5])[0] - 1.0)
    spread = [np.ptp(m.quantiles([0.1, 0.9])) for m in (mixture, wide)]
    assert spread[1] == pytest.approx(2 * spread[0])


# ---------- metadata


def test_kernels_say_what_is_alike():
    about = pd.DataFrame(
        {
            "model": ["a-1", "a-2", "b-1"],
            "name": ["Alpha one", "Alpha two", "Beta"],
            "organisation": ["A", "A", "B"],
            "date": pd.to_datetime(["2024-01-01", "2024-07-01", "2025-01-01"]),
            "open": [True, None, False],
            "thinks": [True, True, False],
            "hidden": [None, None, True],  # known of too few
        }
    )
    traits = model_traits(["a-1", "a-2", "b-1"], TrainSplit(models=about), None)
    kernels = TraitKernels(traits)
    name, date, maker, flags = kernels.between(traits, traits)
    assert kernels.kinds == ["name", "date", "maker", "flags"]
    assert name[0, 1] > 0.3 > name[0, 2]
    assert date[0, 1] == pytest.approx(np.exp(-0.5 * (182 / 365.25 / 0.5) ** 2))
    assert maker.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert flags[0].tolist() == [1.0, 0.5, 0.0]
    for table in (name, date, maker, flags):
        assert (np.linalg.eigvalsh(table) > -1e-9).all()
        assert (np.diag(table) == 1).all()


def test_what_no_train_model_has_makes_no_kernel():
    traits = model_traits(["x", "y"], TrainSplit(), None)
    assert TraitKernels(traits).kinds == []


def test_models_without_metadata_take_organisation_and_date_of_their_runs():
    runs = pd.DataFrame({"model": ["m", "m"], "organisation": ["o", "o"]})
    runs["date"] = pd.to_datetime(["2025-01-01", "2024-01-01"])
    traits = model_traits(["m"], TrainSplit(), runs)
    assert traits.maker == ["o"]
    assert traits.date[0] == pytest.approx(54.0, abs=0.1)


def test_columns_are_described_by_what_differs_between_them():
    columns = [("s", "c1", "em", "test", "", True), ("t", "c2", "em", "test", "", True)]
    scenarios = pd.DataFrame({"scenario": ["s"], "name": ["The S-test"]})
    assert column_traits(columns, TrainSplit(scenarios=scenarios)).text == ["the s test s", "t"]


class Together(PredictorContract):
    def make(self):
        return Factorisation(sweeps=40, joint=True)


def test_joint_draws_are_as_the_contract_wants_them():
    Together().test_joint_draws_belong_together()


@pytest.mark.parametrize("settings", [{"sweeps": 9}, {"sweeps": True}])
def test_settings_it_cannot_work_with_are_refused(settings):
    with pytest.raises(UsageError, match="sweeps"):
        Factorisation(**settings)


def test_it_says_where_it_is_too_small():
    frame, _, _ = factors(models=4, scenarios=4, share=1.0)
    runs = frame.assign(run=frame.index.astype(str), lower=0.0, upper=1.0)
    few = TrainSplit(runs=runs[runs["model"].isin(runs["model"].unique()[:2])])
    found = Factorisation(sweeps=10).checks(few).set_index("check")
    assert found["passed"].to_dict() == {"models": False, "columns": True, "values": True}
    assert "predicts as scenario-mean does" in found.loc["models", "offenders"]
    assert Factorisation(sweeps=10).checks(TrainSplit(runs=runs))["passed"].all()
