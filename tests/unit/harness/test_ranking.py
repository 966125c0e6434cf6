"""Rankings: order, rank ranges, who is compared on what, and who is not ranked."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from harness.averages import clustered_average, paired_difference, skill
from harness.multiplicity import against_reference, holm
from harness.power import minimum_detectable_difference
from harness.rank_sets import simultaneous_rank_sets
from harness.ranking import by_group, headline_rule, loo_summary, rank
from suites.errors import UsageError

KEYS = ["predictor", "settings_hash", "task", "seed", "fold", "k", "target"]


def make_targets(models=8, scenarios=6):
    m, s = np.repeat(np.arange(models), scenarios), np.tile(np.arange(scenarios), models)
    return pd.DataFrame(
        {
            "target": [f"t{i:04d}" for i in range(models * scenarios)],
            "model": [f"org{i % 4}/m{i}" for i in m],
            "organisation": [f"org{i % 4}" for i in m],
            "scenario": [f"s{i}" for i in s],
            "scenario_group": [f"g{i % 2}" for i in s],
            "metric": "accuracy",
            "n": 100,
            "lower": 0.0,
            "upper": 1.0,
        }
    )


def make_results(losses, *, targets=None, ks=(0,), seeds=(0,), manifest=None):
    """Losses: predictor -> (k, seed, targets) -> array of CRPS, one per target, NaN for none."""
    targets = make_targets() if targets is None else targets
    scores, status = [], []
    for name, make in losses.items():
        for k in ks:
            for seed in seeds:
                value = np.asarray(make(k, seed, targets), dtype=float)
                base = pd.DataFrame(
                    {
                        "predictor": name,
                        "settings_hash": "0",
                        "task": "heldout-run",
                        "seed": seed,
                        "fold": 0,
                        "k": k,
                        "target": targets["target"],
                    }
                )
                rules = {
                    "crps": value,
                    "absolute_error": 1.4 * value,
                    "log_score": 0.5 * value,
                    "coverage_50": (value < 3.0) * 1.0,
                    "coverage_80": (value < 4.0) * 1.0,
                    "coverage_90": (value < 5.0) * 1.0,
                    "pit": 0.5,
                }
                scores += [base.assign(rule=rule, value=v) for rule, v in rules.items()]
                status.append(base.assign(status="ok", imputed=False, outside=0.0, message=None))
    frame = pd.concat(scores, ignore_index=True).dropna(subset=["value"])
    return SimpleNamespace(
        manifest={"task": "heldout-run", "reference": "reference", "predictors": []}
        | (manifest or {}),
        targets=targets,
        scores=frame.sample(frac=1.0, random_state=1).astype({"rule": "category"}),
        status=pd.concat(status, ignore_index=True),
    )


def noisy(level, number, spread=0.3):
    def make(k, seed, targets):
        rng = np.random.default_rng([number, seed, k])
        shared = np.abs(np.random.default_rng(99).normal(3.0, 1.0, len(targets)))
        return level + shared + rng.normal(0.0, spread, len(targets))

    return make


@pytest.fixture
def results():
    return make_results(
        {
            "reference": noisy(1.5, 1),
            "good": noisy(0.5, 2),
            "twin": noisy(0.5, 3),
            "bad": noisy(4.0, 4),
        },
        ks=(0, 5),
        seeds=(0, 1),
    )


def test_ranking_is_by_mean_loss_within_each_k(results):
    ranking = rank(results)
    assert ranking["k"].tolist() == [0] * 4 + [5] * 4
    for _, part in ranking.groupby("k"):
        assert part["crps"].is_monotonic_increasing
        assert part["rank"].tolist() == [1, 2, 3, 4]
        assert part["predictor"].tolist()[2:] == ["reference", "bad"]


def test_predictors_that_cannot_be_separated_share_a_rank_set(results):
    ranking = rank(results, k=0).set_index("predictor")
    spans = ranking[["rank_low", "rank_high"]].astype(int).to_dict("index")
    assert spans["good"] == spans["twin"] == {"rank_low": 1, "rank_high": 2}
    assert spans["reference"] == {"rank_low": 3, "rank_high": 3}
    assert spans["bad"] == {"rank_low": 4, "rank_high": 4}


def test_rank_sets_p_values_and_power_are_of_the_ranked_on_their_common_targets():
    def broken(k, seed, targets):
        return np.full(len(targets), np.nan)

    def gaps(k, seed, targets):
        return np.where(np.arange(len(targets)) % 9 == 0, np.nan, noisy(1.5, 7)(k, seed, targets))

    levels = {"a": 1.2, "b": 1.35, "c": 1.45, "d": 1.8, "reference": 1.5}
    made = {name: noisy(level, i, 0.6) for i, (name, level) in enumerate(levels.items())}
    results = make_results({"broken": broken, "gaps": gaps, **made})
    ranking = rank(results).set_index("predictor")
    names = ["gaps", *made]
    kept = results.targets[np.arange(48) % 9 != 0]
    wide = results.scores[results.scores["rule"] == "crps"].pivot(
        index="predictor", columns="target", values="value"
    )
    losses = wide.loc[names, kept["target"]].to_numpy()
    clusters = kept["model"], kept["scenario"]
    sets = simultaneous_rank_sets(losses, *clusters)
    ranked = ranking.loc[names]
    assert ranked["rank_low"].tolist() == sets.low.tolist()
    assert ranked["rank_high"].tolist() == sets.high.tolist()
    assert ranked["marginal_rank_low"].tolist() == sets.marginal_low.tolist()
    assert ranked["marginal_rank_high"].tolist() == sets.marginal_high.tolist()
    assert (sets.high - sets.low).sum() > (sets.marginal_high - sets.marginal_low).sum()
    p = holm(against_reference(sets, 5))
    np.testing.assert_allclose(ranked["p_holm"].to_numpy(float), p)
    found = minimum_detectable_difference(losses, 5, *clusters)
    np.testing.assert_allclose(ranked["detectable"].to_numpy(float), found.by_predictor)
    assert ranking["task_detectable"].tolist() == pytest.approx([found.median] * 7)
    assert ranking.loc["broken", ["rank_low", "marginal_rank_low"]].isna().all()
    assert math.isnan(ranking.loc["broken", "p_holm"])


def test_numbers_are_those_of_the_averages_over_seed_means(results):
    ranking = rank(results, k=5).set_index("predictor")
    crps = results.scores[(results.scores["rule"] == "crps") & (results.scores["k"] == 5)]
    cells = crps.groupby(["predictor", "target"])["value"].mean().unstack(0)
    targets = results.targets.set_index("target").loc[cells.index]
    rows, columns = targets["model"], targets["scenario"]
    mean = clustered_average(cells["good"], rows, columns)
    difference = paired_difference(cells["good"], cells["reference"], rows, columns)
    ratio = skill(cells["good"], cells["reference"], rows, columns)
    row = ranking.loc["good"]
    expected = {
        "crps": mean.mean,
        "crps_low": mean.low,
        "crps_high": mean.high,
        "difference": difference.mean,
        "difference_high": difference.high,
        "skill": ratio.mean,
        "skill_low": ratio.low,
        "absolute_error": 1.4 * mean.mean,
        "log_score": 0.5 * mean.mean,
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value), name
    assert (row["n_rows"], row["n_columns"], row["n_targets"]) == (8, 6, 48)
    assert (row["row_kind"], row["column_kind"], row["unit"]) == ("model", "scenario", "pp")


def test_the_reference_has_no_difference_to_itself(results):
    row = rank(results, k=0).set_index("predictor").loc["reference"]
    assert (row["difference"], row["skill"]) == (0.0, 0.0)


def test_two_names_for_the_same_predictions_share_first_rank():
    results = make_results({"reference": noisy(2.0, 1), "a": noisy(1.0, 2), "b": noisy(1.0, 2)})
    ranking = rank(results).set_index("predictor")
    assert ranking.loc[["a", "b"], "rank"].tolist() == [1, 1]
    assert ranking.loc[["a", "b"], "rank_high"].tolist() == [2, 2]


def test_order_of_rows_and_categoricals_do_not_matter(results):
    plain = rank(results)
    moved = SimpleNamespace(
        manifest=results.manifest,
        targets=results.targets.sample(frac=1.0, random_state=2).astype({"target": "category"}),
        scores=results.scores.sample(frac=1.0, random_state=3).astype(
            {"predictor": "category", "target": "category", "task": "category"}
        ),
        status=results.status.sample(frac=1.0, random_state=4).astype({"status": "category"}),
    )
    pd.testing.assert_frame_equal(rank(moved), plain, check_exact=False, rtol=1e-12)


def set_status(results, predictor, n, status):
    rows = results.status.index[results.status["predictor"] == predictor][:n]
    results.status.loc[rows, "status"] = status
    return results


def test_five_percent_without_a_valid_prediction_is_ranked_and_more_is_not():
    losses = {"reference": noisy(1.5, 1), "good": noisy(0.5, 2)}
    targets = make_targets(10, 10)
    five = rank(set_status(make_results(losses, targets=targets), "good", 5, "missing"))
    assert five["ranked"].all()
    assert five.set_index("predictor").loc["good", "n_failed"] == 5
    six = rank(set_status(make_results(losses, targets=targets), "good", 6, "timeout"))
    row = six.set_index("predictor").loc["good"]
    assert not row["ranked"]
    assert row["failed_share"] == 0.06
    assert pd.isna(row["rank"])
    assert row["reason"] == (
        "6 of 100 predictions are missing or not valid (timeout 6): 6.0 %, "
        "and at most 5 % is ranked"
    )
    assert six["predictor"].tolist() == ["reference", "good"]
    assert six["rank_high"].tolist()[0] == 1


def test_not_applicable_targets_do_not_count_as_failed():
    def half(k, seed, targets):
        return np.where(np.arange(len(targets)) % 4 == 0, np.nan, noisy(0.5, 2)(k, seed, targets))

    results = make_results({"reference": noisy(1.5, 1), "other": noisy(1.0, 3), "picky": half})
    away = results.status["target"].isin(results.targets["target"][::4])
    picky = results.status["predictor"] == "picky"
    results.status.loc[away & picky, "status"] = "not_applicable"
    ranking = rank(results).set_index("predictor")
    assert ranking["ranked"].all()
    # All are compared on the 36 targets that the picky one has.
    assert ranking["n_targets"].tolist() == [36, 36, 36]
    assert (ranking.loc["picky", "n_failed"], ranking.loc["picky", "n_asked"]) == (0, 36)


def test_a_predictor_of_few_targets_does_not_shrink_the_comparison():
    def few(k, seed, targets):
        return np.where(np.arange(len(targets)) < 5, 1.0, np.nan)

    results = make_results({"reference": noisy(1.5, 1), "few": few})
    results.status.loc[
        (results.status["predictor"] == "few")
        & ~results.status["target"].isin(results.targets["target"][:5]),
        "status",
    ] = "not_applicable"
    ranking = rank(results).set_index("predictor")
    assert ranking.loc["reference", "n_targets"] == 48
    assert ranking.loc["few", "reason"].startswith("applies to 5 of 48 targets")
    assert ranking.loc["few", "crps"] == 1.0


def test_predictors_that_do_not_apply_are_listed_last_with_their_reason():
    results = make_results(
        {"reference": noisy(1.5, 1), "good": noisy(0.5, 2)},
        ks=(0, 5),
        manifest={
            "predictors": [
                {"name": "text", "status": "not_applicable", "reason": "needs prompts."},
                {"name": "broken", "status": "failed", "reason": "ImportError: no module x"},
                {"name": "good", "status": "evaluated", "reason": None},
            ]
        },
    )
    good_at_0 = (results.status["predictor"] == "good") & (results.status["k"] == 0)
    results.status.loc[good_at_0, ["status", "message"]] = ["not_applicable", "needs k >= 1"]
    gone = (results.scores["predictor"] == "good") & (results.scores["k"] == 0)
    results.scores = results.scores[~gone]
    ranking = rank(results)
    at_0 = ranking[ranking["k"] == 0].set_index("predictor")
    assert at_0.index.tolist() == ["reference", "broken", "good", "text"]
    assert at_0.loc["text", "reason"] == "does not apply: needs prompts"
    assert at_0.loc["broken", "reason"] == "could not be evaluated: ImportError: no module x"
    assert at_0.loc["good", "reason"] == "does not apply: needs k >= 1"
    assert at_0.loc["reference", "rank"] == 1
    assert ranking[ranking["k"] == 5].set_index("predictor").loc["good", "rank"] == 1


def test_answers_for_targets_that_nobody_asked_for_are_counted_apart():
    results = make_results({"reference": noisy(1.5, 1), "good": noisy(0.5, 2)})
    stray = results.status[results.status["predictor"] == "good"].head(3)
    results.status = pd.concat(
        [results.status, stray.assign(target=["x", "y", "z"], status="unknown")]
    )
    row = rank(results).set_index("predictor").loc["good"]
    assert (row["n_unknown"], row["n_failed"], row["ranked"]) == (3, 0, True)


def test_metrics_without_bounds_stay_out_of_the_pool_and_are_counted():
    targets = make_targets()
    targets.loc[:7, ["metric", "upper"]] = ["seconds", np.nan]
    results = make_results({"reference": noisy(1.5, 1), "good": noisy(0.5, 2)}, targets=targets)
    results.scores.loc[results.scores["target"] < "t0008", "value"] *= 1000.0
    pooled = rank(results)
    assert pooled["crps"].max() < 10.0
    assert pooled["n_unbounded"].tolist() == [8, 8]
    assert pooled["n_targets"].tolist() == [40, 40]
    alone = rank(results, metric="seconds")
    assert alone["crps"].min() > 100.0
    assert alone["unit"].tolist() == ["", ""]
    assert alone["n_unbounded"].tolist() == [0, 0]


def test_with_few_clusters_nothing_is_separated():
    results = make_results(
        {"reference": noisy(1.5, 1), "good": noisy(0.5, 2)}, targets=make_targets(2, 6)
    )
    ranking = rank(results)
    assert ranking["flag"].tolist() == ["no interval"] * 2
    assert ranking["rank_low"].tolist() == [1, 1]
    assert ranking["rank_high"].tolist() == [2, 2]
    assert ranking["crps_low"].isna().all()


def test_coverage_that_never_varies_has_no_interval():
    results = make_results({"reference": lambda k, s, t: np.ones(len(t))})
    row = rank(results).iloc[0]
    assert row["coverage_90"] == 1.0
    assert math.isnan(row["coverage_90_low"])


def test_an_infinite_loss_is_not_ranked():
    def infinite(k, seed, targets):
        return np.where(np.arange(len(targets)) == 3, np.inf, 1.0)

    ranking = rank(make_results({"reference": noisy(1.5, 1), "wild": infinite}))
    assert ranking.set_index("predictor").loc["wild", "reason"] == "its mean loss is not finite"


def test_a_k_at_which_no_target_can_be_scored_says_so():
    results = make_results({"reference": noisy(1.5, 1)}, manifest={"k": [0, 500]})
    ranking = rank(results, k=500)
    assert ranking["reason"].tolist() == ["no target can be scored at k = 500"]
    assert not ranking["ranked"].any()


def test_another_rule_ranks_by_its_own_column(results):
    ranking = rank(results, rule="log_score", k=0)
    assert {"crps", "crps_low", "log_score", "log_score_low"} <= set(ranking.columns)
    assert ranking["log_score"].is_monotonic_increasing
    assert ranking["unit"].unique().tolist() == ["nats"]
    assert ranking.columns.is_unique


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 4}, "k = 4 was not evaluated; the nearest is k = 5. Evaluated: k = 0, 5."),
        ({"metric": "acuracy"}, "did you mean 'accuracy'"),
        ({"rule": "crsp"}, "did you mean 'crps'"),
        ({"rule": "brier"}, "have no brier to rank by"),
        ({"task": "new-model"}, "unknown task 'new-model'"),
    ],
)
def test_what_the_results_do_not_have_is_refused_with_what_they_have(results, options, message):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        rank(results, **options)


def test_several_tasks_must_be_chosen_from(results):
    other = results.scores.assign(task="new-model")
    results.scores = pd.concat([results.scores, other])
    with pytest.raises(UsageError, match="2 tasks"):
        rank(results)
    assert len(rank(results, task="new-model", k=0)) == 4


def test_unknown_reference_leaves_skill_empty(results):
    results.manifest["reference"] = None
    ranking = rank(results)
    assert ranking[["skill", "p_holm", "detectable", "task_detectable"]].isna().all(axis=None)
    assert ranking["rank"].notna().all()


def test_groups_average_to_the_ranking(results):
    groups = by_group(results, "scenario", k=0)
    own = groups[groups["predictor"] == "good"]
    assert own["group"].tolist() == [f"s{i}" for i in range(6)]
    mean = np.average(own["loss"], weights=own["n_targets"])
    ranking = rank(results, k=0).set_index("predictor")
    assert mean == pytest.approx(ranking.loc["good", "crps"])
    with pytest.raises(UsageError, match="scenario"):
        by_group(results, "scenarios")


def test_headline_rule_is_crps_where_there_is_one(results):
    assert headline_rule(results.scores) == "crps"


def test_loo_is_set_beside_the_held_out_log_score(results):
    ranking = rank(results)
    loo = pd.DataFrame(
        {
            "predictor": "good",
            "run": ["r1", "r1", "r2"],
            "seed": [0, 1, 0],
            "elpd_loo": [-2.0, -4.0, -5.0],
            "elpd_waic": [-2.0, -2.0, -4.0],
            "pareto_k": [0.2, 0.9, np.nan],
            "method": ["psis", "psis", "exact"],
        }
    )
    row = loo_summary(loo, ranking).iloc[0]
    assert (row["elpd_loo"], row["elpd_waic"], row["n_runs"]) == (-4.0, -3.0, 2)
    assert row["share_high_pareto_k"] == 0.5
    held_out = ranking[(ranking["k"] == 0) & (ranking["predictor"] == "good")]["log_score"].iloc[0]
    assert row["held_out"] == pytest.approx(-held_out)
    assert row["gap"] == pytest.approx(-4.0 + held_out)
    assert loo_summary(loo.iloc[:0], ranking).empty


def test_loo_is_of_the_runs_that_have_a_log_score(results):
    loo = pd.DataFrame(
        {
            "predictor": "good",
            "run": ["count", "mean"],
            "elpd_loo": [-4.0, 2.0],
            "elpd_waic": np.nan,
            "pareto_k": np.nan,
            "method": "exact",
        }
    )
    targets = pd.DataFrame({"run": ["count", "mean"], "binary": [True, False]})
    row = loo_summary(loo, rank(results), targets).iloc[0]
    assert (row["elpd_loo"], row["n_runs"]) == (-4.0, 1)


def test_ten_predictors_at_eight_k_on_two_thousand_targets_take_under_five_seconds():
    targets = make_targets(50, 40)
    losses = {f"p{i}": noisy(1.0 + 0.1 * i, i) for i in range(9)} | {"reference": noisy(3.0, 99)}
    results = make_results(losses, targets=targets, ks=(0, 1, 2, 5, 10, 20, 50, 100))
    start = time.process_time()
    ranking = rank(results)
    assert len(ranking) == 80
    assert time.process_time() - start < 5.0
