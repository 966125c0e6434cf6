"""Losses by closest relative: the bins, what is averaged, and what is counted."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from harness.ranking import rank
from harness.relatives import BINS, UNKNOWN, bin_of, by_closest
from suites.errors import UsageError

NEAR = {"a": 0.7, "b": 0.78, "c": 0.79, "d": 0.95, "e": None}


def made(seeds=(0,), drop=()):
    cells = [(m, s) for m in NEAR for s in "uvw"]
    targets = pd.DataFrame(
        {
            "target": [m + s for m, s in cells],
            "model": [m for m, _ in cells],
            "scenario": [s for _, s in cells],
            "metric": "accuracy",
            "lower": 0.0,
            "upper": 1.0,
        }
    )
    losses = {"mean": np.arange(15.0) + 1.0, "mine": np.arange(15.0)[::-1] + 0.5}
    scores = pd.concat(
        pd.DataFrame(
            {
                "predictor": name,
                "task": "t",
                "seed": seed,
                "fold": 0,
                "k": k,
                "target": targets["target"],
                "rule": "crps",
                "value": loss / (1 + k) + seed,
            }
        )
        for name, loss in losses.items()
        for seed in seeds
        for k in (0, 5)
    )
    scores = scores[~((scores["predictor"] == "mine") & scores["target"].isin(drop))]
    key = ["predictor", "task", "seed", "fold", "k", "target"]
    split = pd.concat(
        targets[["target"]].assign(
            task="t", seed=seed, fold=0, closest=targets["model"].map(NEAR).astype(float)
        )
        for seed in seeds
    )
    return SimpleNamespace(
        manifest={"reference": "mean"},
        targets=targets,
        scores=scores,
        status=scores[key].assign(status="ok", message=None),
        split=split,
    )


def test_the_edges_belong_to_the_bins_that_name_them():
    values = pd.Series([0.0, 0.7499, 0.75, 0.8, 0.85, 0.9, 0.9001, 1.0, None])
    wanted = [0, 0, 1, 2, 3, 3, 4, 4]
    assert bin_of(values).tolist() == [*(BINS[i] for i in wanted), UNKNOWN]


def test_losses_are_those_of_the_targets_in_the_bin():
    table = by_closest(made(), k=0)
    own = table[table["predictor"] == "mean"].set_index("group")
    assert own.index.tolist() == ["< .75", ".75–.80", "> .90", UNKNOWN]
    assert own["loss"].tolist() == [2.0, 6.5, 11.0, 14.0]
    assert own["n_targets"].tolist() == [3, 6, 3, 3]
    assert own["n_models"].tolist() == [1, 2, 1, 1]


def test_the_bins_make_up_the_mean_that_is_ranked():
    results = made(seeds=(0, 1))
    table = by_closest(results)
    ranking = rank(results).set_index(["k", "predictor"])["crps"]
    for key, part in table.groupby(["k", "predictor"]):
        assert part["n_targets"].sum() == 15
        mean = np.average(part["loss"], weights=part["n_targets"])
        assert mean == pytest.approx(ranking[key])


def test_only_targets_that_all_ranked_predictors_have_count():
    table = by_closest(made(drop=("au", "bu", "bv", "bw")), k=0)
    counts = table[table["predictor"] == "mean"].set_index("group")[["n_targets", "n_models"]]
    assert counts.loc["< .75"].tolist() == [2, 1]
    assert counts.loc[".75–.80"].tolist() == [3, 1]


def test_agreements_of_several_seeds_are_averaged():
    results = made(seeds=(0, 1))
    results.split.loc[
        (results.split["seed"] == 1) & results.split["closest"].eq(0.7), "closest"
    ] = 0.9
    table = by_closest(results, k=0)
    counts = table[table["predictor"] == "mean"].set_index("group")["n_models"]
    assert counts.to_dict() == {".80–.85": 1, ".75–.80": 2, "> .90": 1, UNKNOWN: 1}


def test_row_order_does_not_matter():
    one, other = made(), made()
    for name in ("targets", "scores", "status", "split"):
        frame = getattr(other, name)
        setattr(other, name, frame.sample(frac=1.0, random_state=3))
    pd.testing.assert_frame_equal(by_closest(one), by_closest(other))


@pytest.mark.parametrize("column", ["none", "empty"])
def test_results_that_do_not_say_give_no_rows(column):
    results = made()
    if column == "none":
        results.split = results.split.drop(columns="closest")
    else:
        results.split = results.split.assign(closest=np.nan)
    table = by_closest(results)
    assert table.empty
    assert "n_models" in table.columns


def test_an_unknown_k_is_refused():
    with pytest.raises(UsageError, match="nearest is k = 5"):
        by_closest(made(), k=4)
