"""The scores of a log as responses: values, statuses, weights."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_logs import log, mean, sample, write

from suites.inspect.log import Log
from suites.inspect.scores import ERROR, INVALIDATED, OK, UNSCORED, Scores, unconverted
from suites.inspect.values import Scale
from suites.metric_rules import MetricRules

NAN, INF = math.nan, math.inf


@pytest.fixture
def read(tmp_path):
    """Give a function that writes samples into a log and reads its scores."""

    def get(samples, rules=None, policy="as-logged", *, shape=None, **fields) -> Scores:
        path = write(tmp_path / "a.eval", log(samples, **fields), **(shape or {}))
        own = MetricRules.parse({"metrics": rules or {}}, "rules")
        return Scores.read(Log.open(str(path)), own, policy)

    return get


def no_bounds(metric):
    return None, None, None


def zero_to_one(metric):
    return 0.0, 1.0, True


def table(scores, metric="match", bounds=no_bounds):
    """Give id, epoch → value and status."""
    column = scores.column(metric, bounds)
    keys = [scores.rows[r].key for r in column.row]
    assert len(set(keys)) == len(keys)
    return dict(
        zip(keys, zip(column.value.tolist(), column.status.tolist(), strict=True), strict=True)
    )


def close(found, wanted):
    assert found.keys() == wanted.keys()
    for key in wanted:
        assert found[key][0] == pytest.approx(wanted[key][0], nan_ok=True), key
        assert found[key][1] == wanted[key][1], key


# ---------- values


@pytest.mark.parametrize(
    ("value", "number"),
    [("C", 1), ("I", 0), ("P", 0.5), ("N", 0), (True, 1), (False, 0), (3, 3), (0.25, 0.25),
     ("yes", 1), ("0.5", 0.5), ("switch", NAN), (NAN, NAN), (INF, NAN), (-INF, NAN), (10**400, NAN),
     ("", NAN)],
)  # fmt: skip
def test_a_value_is_a_number_or_missing(read, value, number):
    found = table(read([sample(1, scores={"match": value}), sample(2, "C")]))
    assert found["1", 1][0] == pytest.approx(number, nan_ok=True)
    assert found["1", 1][1] == (UNSCORED if math.isnan(number) else OK)
    assert found["2", 1] == (1.0, OK)


def test_null_is_unscored_and_an_absent_scorer_is_no_response(read):
    scores = read([sample(1, scores={"match": None}), sample(2, scores={}), sample(3, "C")])
    close(table(scores), {("1", 1): (NAN, UNSCORED), ("3", 1): (1.0, OK)})


def test_a_dict_is_a_metric_for_each_key(read):
    one = {"clear": 4, "true": "C", "odd": None, "deep": {"x": 1}}
    scores = read([sample(1, scores={"judge": one}), sample(2, scores={"judge": {"clear": NAN}})])
    assert scores.metrics == ["judge/clear", "judge/true", "judge/odd", "judge/deep"]
    assert table(scores, "judge/clear")["1", 1] == (4.0, OK)
    assert table(scores, "judge/clear")["2", 1][1] == UNSCORED
    assert table(scores, "judge/true") == {("1", 1): (1.0, OK)}
    assert table(scores, "judge/odd")["1", 1][1] == UNSCORED
    assert table(scores, "judge/deep")["1", 1][1] == UNSCORED


def test_a_list_is_a_metric_for_each_place(read):
    scores = read([sample(1, scores={"steps": [1, 0]}), sample(2, scores={"steps": [0.5]})])
    assert scores.metrics == ["steps[0]", "steps[1]"]
    assert table(scores, "steps[0]") == {("1", 1): (1.0, OK), ("2", 1): (0.5, OK)}
    assert table(scores, "steps[1]") == {("1", 1): (0.0, OK)}


def test_a_scorer_that_gives_a_dict_or_nothing_has_both_metrics(read):
    """NaN in place of the whole dict says that nothing was scored."""
    scores = read([sample(1, scores={"judge": {"clear": 4}}), sample(2, scores={"judge": NAN})])
    assert scores.metrics == ["judge/clear", "judge"]
    assert table(scores, "judge/clear") == {("1", 1): (4.0, OK)}


def test_several_scorers_and_samples_that_lack_one(read):
    samples = [
        sample(1, scores={"a": 1, "b": 2}),
        sample(2, scores={"b": 3}),
        sample(3, scores={"c": 1, "a": 5}),
    ]
    scores = read(samples)
    assert table(scores, "a") == {("1", 1): (1.0, OK), ("3", 1): (5.0, OK)}
    assert table(scores, "b") == {("1", 1): (2.0, OK), ("2", 1): (3.0, OK)}
    assert table(scores, "c") == {("3", 1): (1.0, OK)}


def test_metrics_that_would_have_one_name_give_one_response_each(read):
    samples = [sample(i, scores={"a": {"b": 1}, "a/b": 2, "s": [3], "s[0]": 4}) for i in (1, 2)]
    scores = read(samples)
    assert sorted(scores.metrics) == ["a/b", "s[0]"]
    assert table(scores, "a/b") == {("1", 1): (1.0, OK), ("2", 1): (1.0, OK)}
    assert table(scores, "s[0]") == {("1", 1): (3.0, OK), ("2", 1): (3.0, OK)}


def test_own_numbers_for_texts(read):
    samples = [sample(1, "switch"), sample(2, "stay"), sample(3, "other")]
    scores = read(samples, {"match": {"values": {"switch": 1, "stay": 0}}})
    assert [v for v, _ in table(scores).values()] == pytest.approx([1, 0, NAN], nan_ok=True)
    assert unconverted(scores) == {"match": {"other": 1}}
    assert unconverted(read(samples)) == {"match": {"switch": 1, "stay": 1, "other": 1}}
    assert scores.scale("match") == Scale.ZERO_ONE | Scale.OTHER


# ---------- epochs


def test_the_weighted_mean_is_that_of_inspect_where_epochs_are_missing(read):
    """The mean over instances of the mean over their scored epochs."""
    samples = [
        sample(1, "C", 1), sample(1, "C", 2), sample(1, "I", 3),
        sample(2, "I", 1), sample(2, NAN, 2), sample(2, error="boom", epoch=3),
        sample(3, "P", 2),
    ]  # fmt: skip
    scores = read(samples)
    column = scores.column("match", no_bounds)
    assert column.mean == pytest.approx((2 / 3 + 0 + 0.5) / 3)
    assert column.mean == pytest.approx(mean(samples, "match"))
    by_id = {}
    for row, weight, value in zip(column.row, column.weight, column.value, strict=True):
        if value == value:
            by_id.setdefault(scores.rows[row].id, []).append(weight)
    assert by_id == {1: [1 / 3] * 3, 2: [1.0], 3: [1.0]}


values = st.sampled_from(["C", "I", "P", 0.25, 1, True, NAN, None, "odd"])


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), values), min_size=1, max_size=12))
def test_the_weighted_mean_is_that_of_inspect(tmp_path_factory, drawn):
    last = {(i, e): v for i, e, v in drawn}
    samples = [sample(i, scores={"match": v}, epoch=e) for (i, e), v in last.items()]
    path = write(tmp_path_factory.mktemp("x") / "a.json", log(samples))
    scores = Scores.read(Log.open(str(path)), MetricRules(), "as-logged")
    found = scores.column("match", no_bounds).mean
    there = any(v == v for v, _ in table(scores).values())
    assert found == pytest.approx(mean(samples, "match") if there else NAN, nan_ok=True)


def test_reducers_are_metrics_of_their_own(read):
    samples = [
        sample(1, "C", 1), sample(1, "I", 2), sample(1, "C", 3),
        sample(2, "C", 1), sample(2, NAN, 2), sample(2, NAN, 3),
        sample(3, NAN, 1), sample(3, NAN, 2),
        sample(4, error="boom", epoch=1), sample(4, error="boom", epoch=2),
    ]  # fmt: skip
    scores = read(samples, reducers=["mean", "pass_at_2", "max", "my_own"])
    assert scores.metrics == ["match", "match@pass_at_2", "match@max"]
    close(
        table(scores, "match@pass_at_2"),
        {
            ("1", 1): (1.0, OK),
            ("2", 1): (NAN, UNSCORED),
            ("3", 1): (NAN, UNSCORED),
            ("4", 1): (NAN, ERROR),
        },
    )
    assert table(scores, "match@max")["2", 1] == (1.0, OK)
    column = scores.column("match@max", no_bounds)
    assert (column.mean, column.weight.tolist()) == (1.0, [1.0] * 4)


def test_the_most_common_text_counts_even_when_it_has_no_number(read):
    """Else the vote of the others would win."""
    samples = [sample(1, v, e) for e, v in enumerate(["C", "odd", "odd"], start=1)]
    assert table(read(samples, reducers=["mode"]), "match@mode")["1", 1][1] == UNSCORED
    own = {"match": {"values": {"odd": 0.25}}}
    assert table(read(samples, own, reducers=["mode"]), "match@mode") == {("1", 1): (0.25, OK)}
    infinite = [sample(1, INF), sample(1, 0.5, 2)]
    assert table(read(infinite, reducers=["max"]), "match@max")["1", 1][1] == UNSCORED


def test_the_reducer_of_a_published_score_is_one_of_the_logs(read):
    from inspect_logs import score

    published = [score("match", {"accuracy": 1.0}, reducer="at_least_1")]
    assert read([sample(1, "C"), sample(1, "I", 2)], scores=published).reducers == ["at_least_1"]


# ---------- samples that failed


FAILED = [
    sample(1, "C"),
    sample(2, error="boom"),
    sample(3, "C", error="boom after it was scored"),
    sample(4, "I"),
]


@pytest.mark.parametrize(
    ("policy", "second", "third"),
    [("as-logged", NAN, 1.0), ("exclude", NAN, NAN), ("incorrect", 0.0, 0.0)],
)
def test_what_a_failed_sample_counts_as(read, policy, second, third):
    scores = read(FAILED, policy=policy)
    wanted = {
        ("1", 1): (1, OK),
        ("2", 1): (second, ERROR),
        ("3", 1): (third, ERROR),
        ("4", 1): (0, OK),
    }
    close(table(scores, bounds=zero_to_one), wanted)
    counted = [v for v in (1, second, third, 0) if v == v]
    assert scores.column("match", zero_to_one).mean == pytest.approx(np.mean(counted))


@pytest.mark.parametrize(
    ("bounds", "worst"),
    [((0.0, 1.0, True), 0.0), ((0.0, 5.0, False), 5.0), ((1.0, 5.0, None), 1.0),
     ((0.0, None, False), NAN), ((None, 1.0, True), NAN), ((None, None, None), NAN)],
)  # fmt: skip
def test_incorrect_is_the_worst_value_where_that_is_known(read, bounds, worst):
    found = table(read(FAILED, policy="incorrect"), bounds=lambda metric: bounds)
    assert found["2", 1][0] == found["3", 1][0] or math.isnan(worst)
    assert found["2", 1][0] == pytest.approx(worst, nan_ok=True)


def test_a_failed_sample_failed_for_every_metric(read):
    samples = [sample(1, scores={"a": 1, "b": {"x": 2}}), sample(2, error="boom")]
    scores = read(samples)
    assert scores.metrics == ["a", "b/x"]
    for metric in scores.metrics:
        assert table(scores, metric)["2", 1][1] == ERROR
    assert read([sample(1, error="boom")]).metrics == []


def test_a_failed_epoch_counts_in_reducers_by_the_policy(read):
    samples = [sample(1, "C"), sample(1, error="boom", epoch=2), sample(1, "C", 3)]
    for policy, majority in (("as-logged", 1.0), ("incorrect", 1.0), ("exclude", 1.0)):
        scores = read(samples, policy=policy, reducers=["majority", "pass_k_3"])
        assert table(scores, "match@majority", zero_to_one)["1", 1] == (majority, OK)
        three = table(scores, "match@pass_k_3", zero_to_one)["1", 1]
        assert three[1] == (OK if policy == "incorrect" else UNSCORED)


def test_invalid_samples_count_nowhere(read):
    samples = [
        sample(1, "C"),
        sample(2, "C", invalidation={"reason": "leak"}),
        sample(3, error="boom", invalidation={"reason": "leak"}),
        sample(4, "I", 1, invalidation={"reason": "leak"}),
        sample(4, "C", 2),
    ]
    for policy in ("as-logged", "exclude", "incorrect"):
        scores = read(samples, policy=policy, invalidated=True, reducers=["max"])
        found = table(scores, bounds=zero_to_one)
        assert found["1", 1] == found["4", 2] == (1.0, OK)
        for key in (("2", 1), ("3", 1), ("4", 1)):
            assert found[key][1] == INVALIDATED
            assert math.isnan(found[key][0])
        assert scores.column("match", zero_to_one).mean == 1.0
        reduced = table(scores, "match@max", zero_to_one)
        assert reduced["2", 1][1] == INVALIDATED
        assert [v for v, s in reduced.values() if s == OK] == [1.0, 1.0]


# ---------- logs that hold no samples


def test_reduced_scores_stand_for_samples_that_were_not_logged(read):
    reductions = [
        {"scorer": "match", "reducer": "mean", "samples": [
            {"sample_id": 1, "value": 0.5}, {"sample_id": "b", "value": NAN}]},
        {"scorer": "match", "reducer": "max", "samples": [{"sample_id": 1, "value": 1.0}]},
        {"scorer": "judge", "reducer": None, "samples": [{"sample_id": "b", "value": {"x": 2}}]},
        {"scorer": "match", "reducer": None, "samples": [{"sample_id": 1, "value": 9.0}]},
    ]  # fmt: skip
    scores = read([], scores=[], shape={"reductions": reductions})
    assert scores.reduced
    assert scores.metrics == ["match", "match@max", "judge/x"]
    close(table(scores), {("1", 1): (0.5, OK), ("b", 1): (NAN, UNSCORED)})
    assert table(scores, "match@max") == {("1", 1): (1.0, OK)}
    assert table(scores, "judge/x") == {("b", 1): (2.0, OK)}


def test_only_metrics_that_are_wanted_are_given(read):
    scores = read([sample(1, scores={"a": 1, "b": 2})])
    assert [name for name, _ in scores.columns(["b", "nothing"], no_bounds)] == ["b"]
    assert [name for name, _ in scores.columns(None, no_bounds)] == ["a", "b"]
    assert list(read([]).columns(None, no_bounds)) == []
