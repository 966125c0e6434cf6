"""Which numbers a log has, under which names, and what is known of them."""

import math

import pytest
from inspect_logs import log, sample, score, write

from suites.inspect.figures import (
    bounds_of,
    facts_of,
    has_mean,
    main_metric,
    metric_of,
    observed,
    published,
    with_scale,
)
from suites.inspect.header import HeaderDocument, read_header
from suites.inspect.log import Log
from suites.inspect.scores import Scores
from suites.inspect.values import Scale
from suites.metric_rules import MetricRules
from suites.metrics import MetricFacts

NONE = MetricRules()


def header(*scores, eval=None, **results):
    spec = {"task": "t", "model": "m", **(eval or {})}
    document = HeaderDocument(
        eval=spec, status="success", results={"scores": list(scores), **results}
    )
    return read_header(document)


def figures(*scores, rules=NONE, **more):
    return {f.metric: f for f in published(header(*scores, **more), rules)}


# ---------- names


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (score("match", {}), "match"),
        (score("match1", {}, scorer="match"), "match1"),  # the second scorer of one name
        (score("match", {}, scorer="pkg/match"), "match"),
        (score("pkg/match", {}, scorer="pkg/match"), "pkg/match"),
        (score("clear", {}, scorer="judge"), "judge/clear"),
        (score("clear", {}, scorer="pkg/judge"), "judge/clear"),
        (score("a/b", {}, scorer="judge"), "judge/a/b"),
        (score("match", {}, reducer="mean"), "match"),
        (score("match", {}, reducer="pass_at_2"), "match@pass_at_2"),
        (score("clear", {}, scorer="judge", reducer="max"), "judge/clear@max"),
    ],
)
def test_a_score_is_named_as_its_responses(entry, name):
    assert metric_of(header(entry).scores[0]) == name


def test_the_mean_has_the_name_of_its_responses_and_others_stand_behind_a_colon():
    found = figures(
        score("match", {"stderr": 0.1, "accuracy": 0.5, "mean": 0.5}),
        score("steps", {"std": 2.0, "inspect_ai/mean": 3.0}),
        score("own", {"median": 7.0}),
    )
    assert {name: f.value for name, f in found.items()} == {
        "match:stderr": 0.1,
        "match": 0.5,
        "match:mean": 0.5,
        "steps:std": 2.0,
        "steps": 3.0,
        "own:median": 7.0,
    }
    assert has_mean(header(score("m", {"x": 1, "mean": 2})).scores[0])
    assert not has_mean(header(score("m", {"x": 1})).scores[0])


def test_a_value_that_is_not_finite_is_none():
    found = figures(score("match", {"accuracy": math.inf, "stderr": math.nan}))
    assert all(math.isnan(f.value) for f in found.values())


@pytest.mark.parametrize(
    ("entry", "eval", "results", "n"),
    [
        (score("m", {"mean": 1}, 9), {}, {}, 9),
        ({**score("m", {"mean": 1}, 9), "unscored_samples": 3}, {}, {}, 12),
        (score("m", {"mean": 1}), {"dataset": {"sample_ids": [1, 2, 3]}}, {}, 3),
        (score("m", {"mean": 1}), {"config": {"epochs": 4}}, {"completed_samples": 20}, 5),
        (score("m", {"mean": 1}), {}, {}, None),
    ],
)
def test_the_number_of_instances(entry, eval, results, n):
    assert figures(entry, eval=eval, **results)["m"].n == n


# ---------- the main metric


def test_the_main_metric_is_the_first_of_the_first_score_that_has_any():
    assert main_metric(header(score("a", {}), score("b", {"std": 1, "mean": 2})))[0] == "b:std"
    assert main_metric(header(score("a", {"mean": 2})))[0] == "a"
    assert main_metric(header(score("a", {}))) is None
    assert main_metric(header()) is None


TWO = (
    score("match", {"accuracy": 0.1, "stderr": 0.2}, reducer="mean"),
    score("match", {"accuracy": 0.3, "stderr": 0.4}, reducer="max"),
    score("clear", {"mean": 3}, scorer="judge"),
    score("clear", {"mean": 4, "std": 5}, scorer="judge1"),
)


@pytest.mark.parametrize(
    ("headline", "name"),
    [
        (
            {"scorer": "match", "score": "match", "metric": "accuracy", "reducer": "max"},
            "match@max",
        ),
        ({"scorer": "match", "metric": "stderr"}, "match:stderr"),
        ({"score": "clear", "scorer": "judge1"}, "judge1/clear"),
        ({"score": "clear"}, "judge/clear"),
        ({"metric": "std"}, "judge1/clear:std"),
        ({"reducer": "max"}, "match@max"),
        # a headline that fits nothing is none, as in Inspect
        ({"score": "clear", "metric": "accuracy"}, "match"),
        ({"scorer": "gone", "metric": "std"}, "match"),
        ({}, "match"),
    ],
)
def test_the_headline_names_the_main_metric(headline, name):
    found, why = main_metric(header(*TWO, headline=headline))
    assert found == name
    assert found in figures(*TWO)
    fits = name != "match"
    assert ("headline" in why) is fits


# ---------- what is known


def test_what_is_known_by_name():
    found = figures(
        score("match", {"accuracy": 0.5, "stderr": 0.1}),
        score("f1", {"mean": 0.5}),
        score("own", {"accuracy": 0.5}),
        score("steps", {"mean": 3.0}),
        score("model_graded_qa", {"accuracy": 0.5}),
    )
    known = {n: (f.lower, f.upper, f.higher_is_better, f.binary) for n, f in found.items()}
    assert known["match"] == (0, 1, True, None)  # its responses tell whether it is C of n
    assert known["f1"] == (0, 1, True, False)
    assert known["own"] == known["model_graded_qa"] == (0, 1, True, None)
    assert known["steps"] == known["match:stderr"] == (None, None, None, None)


def test_a_key_of_inspects_scorers_or_a_scorer_of_a_users_is_not_known():
    found = figures(
        score("match", {"mean": 3.0}), score("other", {"mean": 3.0}, scorer="match"),
        eval={"scorers": [{"name": "someone_elses"}]},
    )  # fmt: skip
    assert found["match"].upper is found["match/other"].upper is None


def test_a_user_states_what_is_not_known_and_overrides_what_is():
    rules = MetricRules.parse(
        {"metrics": {"steps": {"lower": 0, "upper": 30, "higher_is_better": False},
                     "match": {"upper": 2}, "*:stderr": {"lower": 0}}}, "r",
    )  # fmt: skip
    found = figures(
        score("match", {"accuracy": 0.5, "stderr": 1}), score("steps", {"mean": 3}), rules=rules
    )
    assert (found["steps"].upper, found["steps"].higher_is_better) == (30, False)
    assert (found["match"].lower, found["match"].upper) == (0, 2)
    assert found["match:stderr"].lower == 0


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        (["C", "I"], (0, 1, True, True)),
        (["C", "P"], (0, 1, True, None)),
        ([True, False], (0, 1, True, True)),
        ([0, 1], (0, 1, None, True)),  # which of them is the better is not known
        ([0, 5], (None, None, None, None)),
        (["x"], (None, None, None, None)),
    ],
)
def test_what_the_values_tell(values, facts, tmp_path):
    samples = [sample(i, scores={"own": v}) for i, v in enumerate(values)]
    path = write(tmp_path / "a.eval", log(samples, scores=[]))
    scores = Scores.read(Log.open(str(path)), NONE, "as-logged")
    found = facts_of(scores, "own", NONE)
    assert (found.lower, found.upper, found.higher_is_better, found.binary) == facts
    (figure,) = observed(scores, NONE, {})
    assert (figure.metric, figure.n, figure.upper) == ("own", len(values), facts[1])
    known = {"own": MetricFacts("own", -9.0, 9.0)}
    assert observed(scores, NONE, known)[0].lower == -9


def test_values_tell_nothing_of_what_is_known():
    known = MetricFacts("m", -1.0, 7.0, False, None)
    assert with_scale(known, Scale.GRADE, NONE) == known
    rules = MetricRules({"m": {"upper": None, "lower": None}})  # the user says: there is none
    assert with_scale(MetricFacts("m"), Scale.ZERO_ONE, rules).lower is None


def test_observed_counts_instances_not_epochs(tmp_path):
    samples = [sample(1, "C"), sample(1, "I", 2), sample(2, "C"), sample(3, error="x")]
    path = write(tmp_path / "a.eval", log(samples, reducers=["mean", "max"]))
    scores = Scores.read(Log.open(str(path)), NONE, "as-logged")
    found = {f.metric: f for f in observed(scores, NONE, {})}
    assert (found["match"].value, found["match"].n) == (0.75, 3)
    assert (found["match@max"].value, found["match@max"].n) == (1.0, 3)
    assert found["match"].part is found["match"].perturbation is None


def test_the_range_of_the_main_metric_is_that_of_its_run(tmp_path):
    """It was sought in all runs of the scenario; this log alone would tell another."""
    from suites.inspect.reader import InspectReader
    from suites.reader import ReadOptions

    for model, value in (("openai/a", 1), ("openai/b", 5)):
        samples = [sample(1, scores={"own": value, "further": 1}), sample(2, scores={"own": 0})]
        write(tmp_path / f"{model[-1]}.eval", log(samples, model=model, id=model, metric="mean"))
    reader = InspectReader.open(str(tmp_path), ReadOptions(), print)
    run = next(reader.runs())
    scores = Scores.read(reader.log(run), NONE, "as-logged")
    bounds = bounds_of(scores, NONE, run)
    assert (run.main[0], bounds("own")) == ("own", (None, None, None))
    assert bounds("further") == (0.0, 1.0, None)
    assert set(reader.responses(run, ["own"]).column("upper").to_pylist()) == {None}
