"""Instance ids that name other questions in some runs are told; others are not."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import suites
from harness.cli import main
from suites.instance_ids import InstanceIds


def responses(models=8, items=150, seed=0, spread=1.5) -> np.ndarray:
    """Values of models by items: items differ by `spread` logits, models by one."""
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1, (models, 1)) + rng.normal(0, spread, items)
    return (rng.random((models, items)) < 1 / (1 + np.exp(-ease))).astype(float)


def doubts(y, ids=None, **options) -> dict[int, str]:
    gathered = InstanceIds()
    for m, values in enumerate(y):
        names = [f"q{i}" for i in range(len(values))] if ids is None else ids[m]
        table = pa.table({"instance": names, "value": values})
        gathered.add("cell", f"m{m}", m, table, **options)
    return dict(gathered.doubts())


@pytest.mark.parametrize("seed", range(5))
def test_right_ids_are_not_doubted(seed):
    assert doubts(responses(seed=seed)) == {}
    assert doubts(responses(models=30, items=40, seed=seed)) == {}


@pytest.mark.parametrize("seed", range(5))
def test_one_run_in_another_order_is_told(seed):
    y = responses(seed=seed, items=300)
    middle = int(np.argsort(y.mean(axis=1))[5])
    y[middle] = np.random.default_rng(seed).permutation(y[middle])
    found = doubts(y)
    assert list(found) == [middle]
    assert "its ids may name other questions" in found[middle]


def test_all_runs_in_other_orders_are_told_once():
    rng = np.random.default_rng(1)
    found = doubts([rng.permutation(row) for row in responses(models=20, items=200)])
    assert list(found) == [0]
    assert "of 20 models to its 200 instances" in found[0]


@pytest.mark.parametrize("size", [(3, 20), (2, 500), (8, 5)])
def test_of_few_responses_nothing_is_said(size):
    rng = np.random.default_rng(2)
    assert doubts([rng.permutation(row) for row in responses(*size)]) == {}


def test_who_answers_at_random_is_not_accused():
    y = responses(items=300)
    y[3] = np.random.default_rng(3).random(300) < 0.1
    assert doubts(y) == {}
    assert doubts(1 - y, more_is_worse=True) == {}


def test_who_answers_the_contrary_has_right_ids():
    y = responses(items=300)
    y[0] = 1 - y[0]
    assert doubts(y) == {}


def test_rows_in_any_order_trials_and_gaps_change_nothing():
    y, rng = responses(items=300), np.random.default_rng(4)
    middle = int(np.argsort(y.mean(axis=1))[5])
    y[middle] = rng.permutation(y[middle])
    whole = doubts(y)
    ids, values = [], []
    for row in y:
        order = rng.permutation(300)
        ids.append([f"q{i}" for i in order for _ in range(2)])
        values.append(np.repeat(row[order], 2))
    assert doubts(values, ids) == whole
    y[:, 10:20] = np.nan
    assert list(doubts(y)) == list(whole)


def test_constant_values_are_nothing_to_go_by():
    assert doubts(np.ones((5, 400))) == {}


def test_the_command_lists_it(tmp_path, capsys):
    y = responses(items=300)
    middle = int(np.argsort(y.mean(axis=1))[5])
    rows = [(f"m{m}", "s", f"q{i}", y[m, i]) for m in range(len(y)) for i in range(y.shape[1])]
    frame = pd.DataFrame(rows, columns=["model", "scenario", "instance", "score"])
    of_one = frame["model"] == f"m{middle}"
    shuffled = frame.loc[of_one, "instance"].sample(frac=1, random_state=0).to_numpy()
    frame.loc[of_one, "instance"] = shuffled
    path = tmp_path / "items.csv"
    frame.to_csv(path, index=False)
    assert main(["ls", str(path), "--verify"]) == 0
    assert "instance-ids" in capsys.readouterr().out
    suite = suites.read(str(path))
    suite.verify()
    (run,) = suite.problems.loc[suite.problems["code"] == "instance-ids", "run"]
    assert f"m{middle}" in run
