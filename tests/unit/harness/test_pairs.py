"""Scores of comparisons on held-out pairs."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from harness.pairs import held_out_pairs, score_pairs
from suites.errors import UsageError

MODELS, SCENARIOS = ("a", "b", "c", "d"), ("s", "t", "u", "v")


def results(seed=0, order=None, draws=None):
    """Two folds, by scenario, of a grid of values; predictions are normal or joint draws."""
    rng = np.random.default_rng(seed)
    cells = [(m, s) for m in MODELS for s in SCENARIOS]
    targets = pd.DataFrame(cells, columns=["model", "scenario"])
    targets["target"] = targets["model"] + "/" + targets["scenario"]
    targets["value"] = rng.integers(0, 5, len(cells)) / 4
    targets = targets.assign(
        organisation=None, scenario_group=targets["scenario"], condition="x", metric="acc",
        part=None, perturbation=None, n=20, binary=False, lower=0.0, upper=1.0,
        higher_is_better=True,
    )  # fmt: skip
    fold = targets["scenario"].isin(["u", "v"]).astype(int)
    split = pd.DataFrame({"seed": 0, "fold": fold, "target": targets["target"], "role": "test"})
    said = []
    for row in targets.itertuples():
        if draws is None:
            numbers = [("normal", "mean", 0.5), ("normal", "sd", 0.1)]
        else:
            numbers = [("joint_sample", str(i), x) for i, x in enumerate(draws(row))]
        said += [(row.target, *number) for number in numbers]
    names = ["target", "output_type", "output_type_id", "value"]
    predictions = pd.DataFrame(said, columns=names).assign(predictor="p", seed=0, k=0)
    predictions["fold"] = predictions["target"].map(dict(zip(targets["target"], fold, strict=True)))
    if order is not None:
        targets = targets.sample(frac=1, random_state=order)
        split = split.sample(frac=1, random_state=order)
    return SimpleNamespace(targets=targets, split=split, predictions=predictions, path="here")


def test_pairs_are_of_one_scenario_and_one_fold_and_each_comes_once():
    found = held_out_pairs(results(), pairs=1000)
    assert len(found) == 4 * 6
    sides = found["first"].str.split("/"), found["second"].str.split("/")
    assert (sides[0].str[1] == sides[1].str[1]).all()
    assert (found["first"] != found["second"]).all()
    both = [frozenset(pair) for pair in zip(found["first"], found["second"], strict=True)]
    assert len(set(both)) == len(both)


def test_the_choice_depends_on_the_seed_and_not_on_the_order_of_rows():
    one, shuffled = held_out_pairs(results(), pairs=9), held_out_pairs(results(order=5), pairs=9)
    pd.testing.assert_frame_equal(one, shuffled)
    assert not one.equals(held_out_pairs(results(), pairs=9, seed=1))


def test_a_predictor_that_says_nothing_scores_a_quarter_less_ties():
    made = results()
    scores = score_pairs(made, "p", pairs=1000)
    table = scores.table
    tie = table["difference"].abs() < 1e-9
    assert 0 < tie.sum() < len(table)
    np.testing.assert_allclose(table["p"], 0.5, atol=0.05)
    np.testing.assert_allclose(table.loc[~tie, "brier"], 0.25, atol=0.05)
    np.testing.assert_allclose(table.loc[tie, "brier"], 0.0, atol=0.01)
    assert not scores.joint


def test_the_baseline_is_the_share_of_the_other_scenarios_of_the_fold():
    made = results()
    table = score_pairs(made, "p", pairs=1000).table
    value = made.targets.set_index("target")["value"]
    for row in table.itertuples():
        known = ("u", "v") if row.scenario in ("s", "t") else ("s", "t")
        gaps = [value[f"{row.model}/{s}"] - value[f"{row.rival}/{s}"] for s in known]
        wins = sum(0.5 + 0.5 * np.sign(round(gap, 9)) for gap in gaps)
        assert row.p_baseline == pytest.approx((wins + 0.5) / 3)
        won = 0.5 + 0.5 * np.sign(round(row.difference, 9))
        assert row.brier_baseline == pytest.approx((row.p_baseline - won) ** 2)


def test_joint_draws_are_subtracted_draw_by_draw():
    shared = np.random.default_rng(4).normal(0.5, 0.2, 200)
    noise = {m: 0.001 * i for i, m in enumerate(MODELS)}
    scores = score_pairs(results(draws=lambda row: shared + noise[row.model]), "p", pairs=1000)
    assert scores.joint
    ahead = scores.table["model"] > scores.table["rival"]
    # what is shared cancels: who has the greater constant is better in every draw inside the range
    inside = np.mean((shared > 0) & (shared + 0.003 < 1))
    assert inside > 0.95
    assert (scores.table.loc[ahead, "p"] > 0.95).all()
    assert (scores.table.loc[~ahead, "p"] < 0.05).all()


def test_coverage_is_that_of_the_mid_pit():
    rng = np.random.default_rng(1)
    drawn = {f"{m}/{s}": rng.integers(0, 5, 400) / 4 for m in MODELS for s in SCENARIOS}
    scores = score_pairs(results(draws=lambda row: drawn[row.target]), "p", pairs=1000)
    for row in scores.table.itertuples():
        gap = 100 * (drawn[row.first] - drawn[row.second])
        pit = np.mean(gap < row.difference) + np.mean(gap == row.difference) / 2
        assert row.pit == pytest.approx(pit)
        assert row.covered == (0.05 <= pit <= 0.95)
    assert scores.coverage.mean == pytest.approx(scores.table["covered"].mean())
    assert 0 < scores.coverage.mean < 1


def test_the_paired_interval_is_the_wider_of_the_two_clusterings():
    from harness.averages import paired_difference

    scores = score_pairs(results(), "p", pairs=1000)
    table = scores.table
    found = [
        paired_difference(
            table["brier"].to_numpy(), table["brier_baseline"].to_numpy(), table[side],
            table["scenario"],
        )
        for side in ("model", "rival")
    ]  # fmt: skip
    assert scores.difference.se == pytest.approx(max(average.se for average in found))
    assert scores.difference.mean == pytest.approx(scores.brier.mean - scores.baseline.mean)


@pytest.mark.parametrize(
    ("name", "k", "message"), [("q", 0, "unknown predictor 'q'"), ("p", 7, "at k = 7")]
)
def test_what_is_not_there_is_refused(name, k, message):
    with pytest.raises(UsageError, match=message):
        score_pairs(results(), name, k=k)
