"""Folds and shown instances."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.split import make_folds, prescribed_folds, shown_order
from harness.task import Task, load_task
from suites.errors import UsageError

HELDOUT = load_task("heldout-run")


def grid(models: int, scenarios: int) -> pd.DataFrame:
    """Give a full grid, sorted; names sort as numbers do."""
    rows = [
        {"model": f"m{i:03d}", "scenario": f"s{j:03d}"}
        for i in range(models)
        for j in range(scenarios)
    ]
    return pd.DataFrame(rows).assign(condition="c", run=[f"r{n:04d}" for n in range(len(rows))])


def fold_of(runs: pd.DataFrame, **kwargs) -> dict:
    """Give run → fold, checking that each run is in exactly one."""
    folds = make_folds(runs, kwargs.pop("task", HELDOUT), **kwargs)
    assert np.sum([fold.test for fold in folds], axis=0).tolist() == [1] * len(runs)
    return {run: fold.fold for fold in folds for run in runs["run"][fold.test]}


def test_folds_of_a_full_grid_follow_the_recipe():
    # perm = default_rng(seed).permutation(M * S); the r-th of perm goes to fold r % 10
    models, scenarios = 23, 7
    runs = grid(models, scenarios)
    for seed in (0, 1, 20):
        perm = np.random.default_rng(seed).permutation(models * scenarios)
        fold = np.empty(models * scenarios, int)
        fold[perm] = np.arange(models * scenarios) % 10
        assert fold_of(runs, folds=10, seed=seed) == dict(zip(runs["run"], fold, strict=True))


def test_a_fold_knows_its_seed_and_number():
    folds = make_folds(grid(4, 3), HELDOUT, folds=3, seed=7)
    assert [(f.seed, f.fold, int(f.test.sum())) for f in folds] == [(7, 0, 4), (7, 1, 4), (7, 2, 4)]


def test_another_seed_gives_other_folds():
    runs = grid(10, 5)
    assert fold_of(runs, folds=5, seed=0) != fold_of(runs, folds=5, seed=1)


@given(
    cells=st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), min_size=1),
    copies=st.lists(st.integers(0, 35), max_size=10),
    order=st.randoms(use_true_random=False),
    folds=st.integers(1, 12),
    seed=st.integers(0, 5),
)
def test_folds_depend_on_the_set_of_cells_alone(cells, copies, order, folds, seed):
    rows = sorted(cells)
    rows += [rows[c % len(rows)] for c in copies]  # reruns, perturbations, other conditions
    runs = pd.DataFrame(rows, columns=["model", "scenario"])
    runs["condition"] = [str(i % 3) for i in range(len(runs))]
    runs["run"] = [f"r{i}" for i in range(len(runs))]
    first = fold_of(runs, folds=folds, seed=seed)
    of_cell: dict[tuple, set] = {}
    for row in runs.itertuples():
        of_cell.setdefault((row.model, row.scenario), set()).add(first[row.run])
    assert all(len(found) == 1 for found in of_cell.values())  # a cell is never divided
    sizes = np.bincount([found.pop() for found in of_cell.values()])
    assert len(sizes) == min(folds, len(cells))
    assert sizes.max() - sizes.min() <= 1

    shuffled = list(range(len(runs)))
    order.shuffle(shuffled)
    assert fold_of(runs.iloc[shuffled].reset_index(drop=True), folds=folds, seed=seed) == first
    distinct = runs.drop_duplicates(["model", "scenario"]).reset_index(drop=True)
    assert fold_of(distinct, folds=folds, seed=seed) == {r: first[r] for r in distinct["run"]}


def test_reruns_conditions_metrics_and_perturbations_of_a_cell_are_held_out_together(demo):
    import suites
    from suites.selection import Selection

    everything = Selection(perturbation="*", reruns="all", metric="*", scenarios=["standin_*"])
    runs = suites.read(demo, select=everything).runs
    assert runs["perturbation"].nunique() > 2
    assert runs["rerun"].max() >= 1
    for fold in make_folds(runs, HELDOUT, folds=5, seed=3):
        held = set(zip(runs["model"][fold.test], runs["scenario"][fold.test], strict=True))
        train = set(zip(runs["model"][~fold.test], runs["scenario"][~fold.test], strict=True))
        assert held
        assert not held & train


def test_a_task_may_hold_out_whole_models_or_groups():
    runs = grid(6, 4)
    by_model = Task("t", hold_out=("model",))
    found = fold_of(runs, task=by_model, folds=3, seed=0)
    runs["fold"] = runs["run"].map(found)
    assert (runs.groupby("model")["fold"].nunique() == 1).all()


def test_a_model_of_unknown_organisation_is_one_of_its_own():
    runs = grid(6, 2)
    runs["organisation"] = pd.Series((["x"] * 6) + [None] * 6, dtype="string")
    found = fold_of(runs, task=Task("t", hold_out=("organisation",)), folds=4, seed=0)
    runs["fold"] = runs["run"].map(found)
    assert runs.groupby(runs["organisation"].fillna(runs["model"]))["fold"].nunique().max() == 1
    assert runs["fold"].nunique() == 4  # x and three models


def test_a_model_can_be_asked_about_without_the_others_of_its_organisation():
    runs = pd.DataFrame(
        [(m, o, s) for m, o in (("a", "x"), ("b", "x"), ("c", None)) for s in "stuv"],
        columns=["model", "organisation", "scenario"],
    )
    task = load_task("instance(pool='organisation')")
    folds = make_folds(runs, task, folds=2, seed=0)
    assert [(f.seed, f.fold) for f in folds] == [(0, i) for i in range(6)]
    assert np.sum([f.test for f in folds], axis=0).tolist() == [1] * 12
    for fold in folds:
        (model,) = set(runs.loc[fold.test, "model"])
        others = {"a": {"c"}, "b": {"c"}, "c": {"a", "b"}}[model]
        assert set(runs.loc[fold.train, "model"]) == others | {model}
        assert fold.train[runs["model"] == model].sum() == 2


def test_what_is_dropped_without_within_is_dropped_whole():
    runs = pd.DataFrame(
        {
            "model": ["a", "a", "b", "c"],
            "scenario": list("stss"),
            "organisation": ["x", "x", "x", "y"],
        }
    )
    task = Task("mine", drop=("organisation",))
    for fold in make_folds(runs, task, folds="each", seed=1):
        held = runs.loc[fold.test, "organisation"].item()
        assert set(runs.loc[fold.train, "organisation"]) == {"x", "y"} - {held}


def test_perturbations_that_are_missing_are_one_value():
    runs = grid(3, 2)
    runs["perturbation"] = pd.Series([None, "p"] * 3, dtype="string")
    found = fold_of(runs, task=Task("t", hold_out=("perturbation",)), folds=2, seed=0)
    assert sorted(found.values()) == [0] * 3 + [1] * 3


def test_there_are_no_more_folds_than_units():
    assert len(make_folds(grid(2, 2), HELDOUT, folds=10, seed=0)) == 4


def test_the_worst_of_perturbations_is_neither_asked_for_nor_known():
    kinds = ("perturbed", "original", "worst")
    of = [f'{{"computed_on":"{kind}","name":"typos"}}' for kind in kinds]
    frame = grid(3, 2).drop_duplicates()
    runs = pd.concat([frame.assign(perturbation=text) for text in [None, *of, '{"name":"lower"}']])
    runs = runs.reset_index(drop=True)
    folds = make_folds(runs, load_task("perturbed-run"), folds=3, seed=0)
    held = np.sum([fold.test for fold in folds], axis=0)
    asked = runs["perturbation"].isin([of[0], '{"name":"lower"}'])
    assert held.tolist() == asked.astype(int).tolist()
    for fold in folds:
        assert not fold.train[runs["perturbation"] == of[2]].any()
        assert fold.train[runs["perturbation"].isna() | (runs["perturbation"] == of[1])].all()


def test_names_that_hold_each_other_are_different_units():
    runs = pd.DataFrame({"model": ["a", "a,b"], "scenario": ["b,c", "c"], "run": ["1", "2"]})
    assert len(make_folds(runs, HELDOUT, folds=2, seed=0)) == 2


@pytest.mark.parametrize("folds", [0, -1])
def test_less_than_one_fold_is_refused(folds):
    with pytest.raises(UsageError, match="at least 1"):
        make_folds(grid(2, 2), HELDOUT, folds=folds, seed=0)


def test_no_runs_are_refused():
    with pytest.raises(UsageError, match="no runs"):
        make_folds(grid(0, 0).reindex(columns=["model", "scenario"]), HELDOUT, folds=2, seed=0)


def test_folds_that_a_source_prescribes_are_taken_as_they_are():
    folds = prescribed_folds([2, 0, None, 2, 0, 5], seed=4)
    assert [(f.seed, f.fold) for f in folds] == [(4, 0), (4, 2), (4, 5)]
    assert [np.flatnonzero(f.test).tolist() for f in folds] == [[1, 4], [0, 3], [5]]


ids = st.lists(st.text(max_size=4), max_size=30)
words = st.lists(st.none() | st.text(max_size=4), min_size=1, max_size=6)


@given(ids=ids, cell=words, seed=st.integers(0, 2**31), order=st.randoms(use_true_random=False))
def test_the_order_of_showing_depends_on_the_set_of_instances_the_seed_and_the_cell(
    ids, cell, seed, order
):
    first = shown_order(ids, seed=seed, cell=cell)
    assert sorted(first) == sorted(set(ids))
    order.shuffle(ids)
    assert shown_order([*ids, *ids[:3]], seed=seed, cell=cell) == first


def test_cells_and_seeds_are_shown_in_different_orders():
    ids = [str(i) for i in range(50)]
    orders = [
        shown_order(ids, seed=seed, cell=cell)
        for seed in (0, 1)
        for cell in (("m", "s", "c"), ("m", "s", "d"), ("n", "s", "c"), ("m", None, "c"))
    ]
    assert len({tuple(order) for order in orders}) == len(orders)


def test_shown_instances_are_a_fair_sample():
    # each of 20 instances is among the first 5 of 2000 cells 500 times; sd = sqrt(2000 * 3/16) = 19
    ids = [str(i) for i in range(20)]
    counts = dict.fromkeys(ids, 0)
    for cell in range(2000):
        for instance in shown_order(ids, seed=0, cell=(str(cell),))[:5]:
            counts[instance] += 1
    assert max(abs(count - 500) for count in counts.values()) < 5 * 19.4
