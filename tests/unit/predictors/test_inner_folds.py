"""Inner splits: of the same kind as the outer question, without leaks, the same in any order."""

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.common.inner_folds import Question, Train
from suites.schema import RUNS, frame_of, responses_table, to_pandas

ORGANISATIONS = 5


def make_runs(models=10, scenarios=6, *, seed=0, n=12, perturbed=False, reruns=False):
    """Make runs and their responses; two models an organisation, two scenarios a group."""
    rng = np.random.default_rng(seed)
    rows, columns = [], {"run": [], "instance": [], "perturbation": [], "value": []}
    for i in range(models):
        for j in range(scenarios):
            p = 1 / (1 + np.exp(-rng.normal(0, 1.5)))
            for noise in (None, '{"name":"misspellings"}') if perturbed else (None,):
                for rerun in (0, 1) if reruns and i == j else (0,):
                    values = (rng.random(n) < p).astype(float)
                    run = f"r{i}-{j}" + ("-again" if rerun else "")
                    rows.append(
                        {
                            **{"run": run, "name": run, "model": f"o{i // 2}/m{i}"},
                            **{"organisation": f"o{i // 2}", "scenario": f"g{j // 2}:s={j}"},
                            **{"scenario_group": f"g{j // 2}", "condition": "c"},
                            **{"metric": "exact_match", "part": "test", "perturbation": noise},
                            **{"value": values.mean(), "n": n, "binary": True},
                            **{"lower": 0.0, "upper": 1.0, "rerun": rerun},
                        }
                    )
                    columns["run"] += [run] * n
                    columns["instance"] += [f"i{q}" for q in range(n)]
                    columns["perturbation"] += [noise] * n
                    columns["value"] += values.tolist()
    size = len(columns["run"])
    whole = {**columns, "metric": "exact_match", "part": "test"}
    return frame_of(RUNS, rows), to_pandas(responses_table(whole, size))


def train_of(**how):
    runs, responses = make_runs(**how)
    return TrainSplit(runs=runs, responses=responses)


def units(frame, *columns):
    return set(frame[list(columns)].itertuples(index=False, name=None))


def test_the_kind_of_a_question_is_told_from_the_targets():
    rows = [
        ("o0/m0", "o0", "g0:s=0", "g0", Question()),
        ("o0/m9", "o0", "g0:s=0", "g0", Question("model")),
        ("o9/m1", "o9", "g0:s=0", "g0", Question("organisation")),
        ("o0/m0", "o0", "g0:s=9", "g0", Question("known", "scenario")),
        ("o0/m0", "o0", "g9:s=1", "g9", Question("known", "scenario_group")),
        ("o9/m1", "o9", "g9:s=1", "g9", Question("organisation", "scenario_group")),
    ]
    names = ["model", "organisation", "scenario", "scenario_group", "kind"]
    targets = pd.DataFrame(rows, columns=names)
    assert Train(train_of()).questions(targets) == targets["kind"].tolist()


def test_known_cells_are_hidden_with_their_reruns_and_perturbed_versions():
    parts = Train(train_of(perturbed=True, reruns=True)).inner(Question(), splits=10, cells=1000)
    assert len(parts) == 10
    hidden = [units(part.targets, "model", "scenario") for part in parts]
    assert sum(map(len, hidden)) == len(set.union(*hidden)) == 60  # each once
    for part, pairs in zip(parts, hidden, strict=True):
        assert not pairs & units(part.train.runs, "model", "scenario")
        assert len(part.targets) == 2 * len(pairs)  # with and without perturbation, reruns once
        assert not set(part.targets["run"]) & set(part.train.responses["run"])
        # every model and scenario is still known
        assert set(part.targets["model"]) <= set(part.train.runs["model"])
        assert set(part.targets["scenario"]) <= set(part.train.runs["scenario"])


def test_each_organisation_is_spread_over_the_folds():
    parts = Train(train_of()).inner(Question(), splits=10, cells=1000)
    counts = pd.DataFrame([pd.Series(part.block).value_counts() for part in parts]).fillna(0)
    assert counts.shape == (10, ORGANISATIONS)
    assert counts.min().min() >= 1  # 12 cells of each, dealt to ten folds
    assert counts.max().max() <= 2


@pytest.mark.parametrize(
    ("question", "column", "number"),
    [
        (Question("organisation"), "organisation", 5),
        (Question("model"), "model", 10),
        (Question("known", "scenario"), "scenario", 6),
        (Question("known", "scenario_group"), "scenario_group", 3),
    ],
)
def test_what_is_new_is_held_out_whole(question, column, number):
    parts = Train(train_of()).inner(question, splits=10, cells=1000)
    assert len(parts) == number
    for part in parts:
        assert not set(part.targets[column]) & set(part.train.runs[column])
        assert set(part.block) == set(part.targets[column])
        assert len(part.targets) + len(part.train.runs) == 60


def test_where_both_are_new_the_rest_of_both_is_no_train_run():
    question = Question("organisation", "scenario_group")
    parts = Train(train_of()).inner(question, splits=10, cells=1000)
    assert len(parts) == 3  # as many as there are groups
    for part in parts:
        for column in ("organisation", "scenario_group"):
            assert not set(part.targets[column]) & set(part.train.runs[column])
        assert len(part.train.runs) < 60 - len(part.targets)


def test_without_organisations_a_model_is_one_of_its_own():
    split = train_of()
    split.runs["organisation"] = pd.NA
    parts = Train(split).inner(Question("organisation"), splits=20, cells=1000)
    assert sum(part.targets["model"].nunique() for part in parts) == 10


def test_the_values_are_kept_for_scoring_and_are_not_given():
    split = train_of()
    value = dict(zip(split.runs["run"], split.runs["value"], strict=True))
    part = Train(split).inner(Question(), splits=1, cells=1000)[0]
    assert part.cells.y.tolist() == [value[run] for run in part.targets["run"]]
    test = part.test(3)
    for table in (test.targets, test.runs):
        assert not {"value", "recomputed", "n_scored", "n_error"} & set(table.columns)


def test_k_responses_are_shown_and_they_are_nested():
    split = train_of(n=12, perturbed=True)
    part = Train(split).inner(Question(), splits=1, cells=1000)[0]
    assert isinstance(part.test(0), SequesteredTestSplit)
    before = set()
    for k in (0, 1, 4, 11):
        shown = part.test(k).responses
        assert (shown.groupby("target")["instance"].nunique() == k).all()
        assert shown["target"].nunique() == (len(part.targets) if k else 0)
        now = units(shown, "target", "instance")
        assert before <= now
        before = now
    keys = ["run", "perturbation", "instance", "value"]
    assert units(shown.astype(str), *keys) <= units(split.responses.astype(str), *keys)
    assert not part.asked(12).any()  # nothing is left to predict
    assert len(part.test(12).targets) == 0


def test_without_responses_only_the_values_are_asked_for():
    runs, _ = make_runs()
    part = Train(TrainSplit(runs=runs)).inner(Question(), splits=1, cells=1000)[0]
    assert part.test(0).responses is None
    assert part.asked(0).all()
    assert not part.asked(1).any()


def test_runs_without_responses_among_others_are_not_asked_with_any():
    runs, responses = make_runs()
    few = responses[responses["run"] == "r0-0"]
    asked = []
    for part in Train(TrainSplit(runs=runs, responses=few)).inner(Question(), splits=10, cells=99):
        asked += part.targets["run"][part.asked(2)].tolist()
        assert len(part.test(2).responses) == 2 * int(part.asked(2).sum())
    assert asked == ["r0-0"]


def test_the_number_of_cells_is_bounded():
    train = Train(train_of())
    parts = train.inner(Question(), splits=3, cells=9)
    assert [len(part.targets) for part in parts] == [3, 3, 3]
    assert all(len(part.train.runs) == 54 for part in parts)  # a tenth is hidden all the same
    parts = train.inner(Question("organisation"), splits=5, cells=20)
    assert [int(part.scored.sum()) for part in parts] == [4] * 5
    assert all(len(part.targets) == 12 for part in parts)  # a model's others are asked for too


@pytest.mark.parametrize("question", [Question(), Question("organisation")])
def test_the_order_of_rows_does_not_matter(question):
    runs, responses = make_runs(perturbed=True, reruns=True)
    one = Train(TrainSplit(runs=runs, responses=responses))
    other = Train(
        TrainSplit(
            runs=runs.sample(frac=1, random_state=1),
            responses=responses.sample(frac=1, random_state=2),
        )
    )
    pairs = zip(*(t.inner(question, splits=4, cells=40) for t in (one, other)), strict=True)
    for a, b in pairs:
        pd.testing.assert_frame_equal(a.targets, b.targets)
        assert a.scored.tolist() == b.scored.tolist()
        assert set(a.train.runs["run"]) == set(b.train.runs["run"])
        keys = ("target", "instance", "value")
        assert units(a.test(3).responses, *keys) == units(b.test(3).responses, *keys)


def test_another_seed_deals_otherwise():
    train = Train(train_of())
    one, other = (train.inner(Question(), splits=1, cells=100, seed=s)[0] for s in (0, 1))
    assert set(one.targets["target"]) != set(other.targets["target"])


def test_a_model_under_two_names_is_hidden_with_its_copy():
    runs, _ = make_runs(models=10, scenarios=12, n=97)
    first = runs[runs["model"] == "o0/m0"]
    copy = first.assign(model="zz/copy", organisation="zz", run="copy of " + first["run"])
    both = pd.concat([runs, copy], ignore_index=True)
    for part in Train(TrainSplit(runs=both)).inner(Question(), splits=10, cells=1000):
        hidden, left = (
            [set(frame.loc[frame["model"] == m, "scenario"]) for m in ("o0/m0", "zz/copy")]
            for frame in (part.targets, part.train.runs)
        )
        assert hidden[0] == hidden[1]
        assert left[0] == left[1]


def test_unbounded_metrics_are_no_inner_targets():
    runs, _ = make_runs()
    none = runs.assign(lower=np.nan, upper=np.nan, binary=False)
    assert Train(TrainSplit(runs=none)).inner(Question(), splits=2, cells=10) == []


@pytest.mark.parametrize(("models", "scenarios"), [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize(
    "question", [Question(), Question("organisation"), Question("model", "scenario")]
)
def test_tiny_grids_give_few_splits_or_none(models, scenarios, question):
    for part in Train(train_of(models=models, scenarios=scenarios)).inner(
        question, splits=10, cells=10
    ):
        assert len(part.targets)
        assert len(part.train.runs)
