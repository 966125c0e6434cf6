"""Predictors compared by the rules for several targets together."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from harness.joint_ranking import joint_summary, later_table
from harness.joint_rules import JOINT_RULES
from harness.results import Results
from suites.errors import UsageError

MODELS = [f"org{i % 3}/m{i}" for i in range(6)]
SCENARIOS = [f"g{i % 5}:subject={i}" for i in range(10)]


def make_targets(organisations=3):
    pairs = [(i, model, scenario) for i, model in enumerate(MODELS) for scenario in SCENARIOS]
    return pd.DataFrame(
        {
            "model": [model for _, model, _ in pairs],
            "organisation": [f"org{i % organisations}" for i, _, _ in pairs],
            "scenario": [scenario for *_, scenario in pairs],
            "scenario_group": [scenario.partition(":")[0] for *_, scenario in pairs],
        }
    )


def make_groups(*, ks=(0,), seeds=(0, 1), folds=(0, 1), names=("mean", "mine"), seed=0):
    """Scores of all groups of every seed and fold; those of `mine` are less by about one tenth."""
    rng = np.random.default_rng(seed)
    rows = []
    for rule in JOINT_RULES:
        by = "model" if rule == "energy_score" else "scenario"
        for group in MODELS if by == "model" else SCENARIOS:
            for s in seeds:
                for fold in folds:
                    base = 0.5 + rng.normal(0, 0.1)
                    for k in ks:
                        for p, name in enumerate(names):
                            value = base - 0.1 * p + rng.normal(0, 0.02)
                            key = (name, s, fold, k, by, group, rule)
                            rows.append((*key, value, 3, name == "mine"))
    columns = ["predictor", "seed", "fold", "k", "by", "group", "rule", "value", "targets", "joint"]
    words = dict.fromkeys(["predictor", "by", "group", "rule"], "category")
    return pd.DataFrame(rows, columns=columns).astype(words)


def make_results(groups, organisations=3, **manifest):
    return SimpleNamespace(
        manifest={"reference": "mean", **manifest},
        targets=make_targets(organisations),
        groups=groups,
    )


def row(table, predictor, rule="energy_score", k=0):
    found = table[(table["predictor"] == predictor) & (table["rule"] == rule) & (table["k"] == k)]
    return found.squeeze(axis=0)


def one_way(values, labels):
    """Give the mean and half the 95 % interval, by the textbook's formula."""
    values, labels = np.asarray(values, float), np.asarray(labels)
    e = values - values.mean()
    sums = np.array([e[labels == label].sum() for label in np.unique(labels)])
    g = len(sums)
    variance = g / (g - 1) * (sums**2).sum() / len(values) ** 2
    return values.mean(), student.ppf(0.975, g - 1) * np.sqrt(variance)


def test_seeds_and_folds_are_averaged_within_a_group_first():
    groups = make_groups()
    few = (groups["group"] == MODELS[0]) & ((groups["seed"] == 1) | (groups["fold"] == 1))
    groups = groups[~few].reset_index(drop=True)  # the first model is left with one fold
    found = row(joint_summary(make_results(groups)), "mine")
    own = groups[(groups["predictor"] == "mine") & (groups["rule"] == "energy_score")]
    expected = own.groupby("group", observed=True)["value"].mean()
    assert len(expected) == found["n_groups"] == 6
    assert found["value"] == pytest.approx(expected.mean())
    assert found["n_targets"] == 3 * (5 * 4 + 1)


@pytest.mark.parametrize("organisations", [3, 6])
def test_intervals_are_clustered_one_way(organisations):
    groups = make_groups()
    table = joint_summary(make_results(groups, organisations))
    wide = groups.pivot_table(
        index=["rule", "group"], columns="predictor", values="value", observed=True
    )
    for rule, kind, labels in (
        # three organisations are too few to cluster by
        ("energy_score", "model" if organisations == 3 else "organisation", MODELS),
        ("pairwise_brier", "scenario group", [s.partition(":")[0] for s in SCENARIOS]),
    ):
        names = MODELS if rule == "energy_score" else SCENARIOS
        found, own = row(table, "mine", rule), wide.loc[rule].loc[names]
        assert (found["cluster_kind"], found["n_clusters"]) == (kind, len(set(labels)))
        for name, values in (("value", own["mine"]), ("difference", own["mine"] - own["mean"])):
            mean, half = one_way(values, labels)
            assert found[name] == pytest.approx(mean)
            assert found[f"{name}_low"] == pytest.approx(mean - half)
            assert found[f"{name}_high"] == pytest.approx(mean + half)


def test_a_group_that_somebody_lacks_counts_for_nobody():
    groups = make_groups()
    mine, energy = groups["predictor"] == "mine", groups["rule"] == "energy_score"
    lacking = mine & energy & (groups["group"] == MODELS[0])
    short = mine & energy & (groups["group"] == MODELS[1])  # a target without a prediction
    groups.loc[short, ["targets", "value"]] = [2, 0.0]
    table = joint_summary(make_results(groups[~lacking]))
    kept = groups[energy & ~groups["group"].isin(MODELS[:2])]
    for name in ("mean", "mine"):
        own = kept[kept["predictor"] == name].groupby("group", observed=True)["value"].mean()
        assert row(table, name)["value"] == pytest.approx(own.mean())
        assert row(table, name)["n_groups"] == 4
        assert row(table, name)["n_targets"] == 4 * 4 * 3
    assert row(table, "mean", "kendall_tau")["n_groups"] == 10


def test_who_has_few_groups_does_not_take_those_of_others():
    groups = make_groups(names=("mean", "mine", "rare"))
    rare = groups["predictor"] == "rare"
    groups = groups[~rare | groups["group"].isin([*MODELS[:2], *SCENARIOS])]
    table = joint_summary(make_results(groups))
    assert [row(table, name)["n_groups"] for name in ("mean", "mine", "rare")] == [6, 6, 2]
    assert [row(table, name)["compared"] for name in ("mean", "mine", "rare")] == [
        True,
        True,
        False,
    ]
    pair = groups[(groups["rule"] == "energy_score") & groups["group"].isin(MODELS[:2])]
    means = pair.groupby("predictor", observed=True)["value"].mean()
    difference = row(table, "rare")["difference"]
    assert difference == pytest.approx(means["rare"] - means["mean"])
    assert row(table, "rare", "kendall_tau")["compared"]


def test_a_reference_without_an_order_has_no_difference():
    groups = make_groups()
    none = (groups["rule"] == "kendall_tau") & (groups["predictor"] == "mean")
    table = joint_summary(make_results(groups[~none]))
    found = row(table, "mine", "kendall_tau")
    assert found["n_groups"] == 10
    assert np.isnan(found["difference"])
    assert np.isnan(row(table, "mean", "kendall_tau")["value"])
    assert not row(table, "mean", "kendall_tau")["compared"]
    assert row(table, "mean", "pairwise_brier")["difference"] == 0.0


def test_several_columns_of_a_scenario_are_one_group():
    groups = make_groups(seeds=(0,), folds=(0,))
    twice = pd.concat([groups, groups.assign(value=groups["value"] + 0.2)], ignore_index=True)
    one, both = joint_summary(make_results(groups)), joint_summary(make_results(twice))
    assert (both["n_groups"] == one["n_groups"]).all()
    assert both["value"].to_numpy() == pytest.approx(one["value"].to_numpy() + 0.1)


def test_intervals_end_where_the_rule_does():
    groups = make_groups(seeds=(0,), folds=(0,))
    mine = groups["predictor"] == "mine"
    tau = groups["rule"] == "kendall_tau"
    groups.loc[tau & mine, "value"] = [1.0] * 7 + [-0.2, 0.1, 0.9]
    groups.loc[tau & ~mine, "value"] = 1.0
    groups.loc[(groups["rule"] == "pairwise_brier") & mine, "value"] = [0.0] * 8 + [0.3, 0.2]
    table = joint_summary(make_results(groups))
    found = row(table, "mine", "kendall_tau")
    assert found["value_low"] > -1.0
    assert found["value_high"] == 1.0
    assert row(table, "mine", "pairwise_brier")["value_low"] == 0.0
    same = row(table, "mean", "kendall_tau")
    assert same["value"] == 1.0
    assert np.isnan(same["value_low"])
    assert row(table, "mean", "kendall_tau")["difference_low"] == 0.0


def test_the_best_come_first_whichever_way_is_better():
    table = joint_summary(make_results(make_groups(ks=(0, 5))))
    first = table.groupby(["k", "rule"], sort=False)["predictor"].first()
    assert list(first.index) == [(k, rule) for k in (0, 5) for rule in JOINT_RULES]
    assert first.tolist() == ["mine", "mine", "mean"] * 2  # of tau more is better: mine has less
    assert table.groupby("predictor")["joint"].unique().map(list).to_dict() == {
        "mean": [0.0],
        "mine": [1.0],
    }


def test_the_share_of_joint_draws_is_of_groups():
    groups = make_groups()
    groups.loc[groups["fold"] == 1, "joint"] = False
    assert row(joint_summary(make_results(groups)), "mine")["joint"] == 0.5


def test_the_order_of_rows_does_not_matter():
    groups = make_groups(ks=(0, 5), names=("mean", "mine", "other"))
    shuffled = groups.sample(frac=1.0, random_state=3)
    first, second = (joint_summary(make_results(g)) for g in (groups, shuffled))
    pd.testing.assert_frame_equal(first, second)


def test_one_k_can_be_chosen_and_an_unknown_one_is_refused():
    results = make_results(make_groups(ks=(0, 5)), k=[0, 5])
    whole = joint_summary(results)
    one = joint_summary(results, k=5)
    pd.testing.assert_frame_equal(one, whole[whole["k"] == 5].reset_index(drop=True))
    with pytest.raises(UsageError, match=r"k = 4 was not evaluated; the nearest is k = 5"):
        joint_summary(results, k=[0, 4])


def test_results_without_the_table_give_none(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    make_targets().to_parquet(tmp_path / "scores.parquet")
    results = Results.load(tmp_path)
    assert later_table(results, "groups").empty
    empty = joint_summary(results)
    full = joint_summary(make_results(make_groups()))
    assert empty.empty
    assert list(empty.columns) == list(full.columns)
    assert list(joint_summary(make_results(make_groups().iloc[:0])).columns) == list(full.columns)


def test_a_damaged_table_is_said(tmp_path):
    (tmp_path / "groups.parquet").write_text("no table")
    with pytest.raises(UsageError, match=r"groups\.parquet"):
        later_table(Results(tmp_path), "groups")
